//! Time zones of datetimes, and `modules.pytz` with its ways: a zone given to a datetime's constructor has the
//! offset of the zone's first known time, `localize` and `astimezone` have the offset of the time itself.

use super::datetime::{aware, naive_of};
use super::zone_table::Tz;
use super::{bind, need, need_text, repr, type_error};
use chrono::{Duration, FixedOffset, NaiveDate, NaiveDateTime};
use minijinja::value::{Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};
use std::fmt;
use std::sync::Arc;

/// The zone of a datetime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// A naive datetime.
    None,
    Utc,
    /// Seconds east of UTC.
    Fixed(i32),
    /// With the seconds east of UTC that hold for this datetime.
    Named(Tz, i32),
}

impl Zone {
    /// What a `tzinfo` argument means.
    pub fn of(value: Option<&Value>) -> Result<Self, Error> {
        let Some(value) = value.filter(|v| !v.is_none() && !v.is_undefined()) else { return Ok(Self::None) };
        match value.downcast_object_ref::<PyZone>() {
            Some(PyZone(Self::Named(tz, _))) => Ok(Self::Named(*tz, earliest(*tz))),
            Some(PyZone(zone)) => Ok(*zone),
            None => Err(type_error(format!("tzinfo argument must be None or of a tzinfo subclass, not {}", repr(value)))),
        }
    }

    /// Seconds east of UTC; None when naive.
    pub fn offset(self) -> Option<i32> {
        match self {
            Self::None => None,
            Self::Utc => Some(0),
            Self::Fixed(seconds) | Self::Named(_, seconds) => Some(seconds),
        }
    }

    /// `+02:00`, or nothing.
    pub fn suffix(self) -> String {
        let Some(seconds) = self.offset() else { return String::new() };
        let (sign, seconds) = (if seconds < 0 { '-' } else { '+' }, seconds.abs());
        // Python's zones of old have whole minutes only.
        let minutes = (seconds + 30) / 60;
        format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }

    /// `CEST`, `UTC`, or nothing.
    pub fn name(self, at: NaiveDateTime) -> String {
        match self {
            Self::None => String::new(),
            Self::Utc => "UTC".to_owned(),
            Self::Fixed(_) => format!("UTC{}", self.suffix()),
            Self::Named(tz, seconds) => {
                let instant = at - Duration::seconds(i64::from(seconds));
                tz.abbreviation(instant).unwrap_or_default()
            }
        }
    }

    pub fn fixed(self) -> Option<FixedOffset> {
        self.offset().and_then(FixedOffset::east_opt)
    }

    /// The zone as `tzinfo` shows it.
    pub fn value(self) -> Value {
        if self == Self::None { Value::from(()) } else { Value::from_object(PyZone(self)) }
    }

    /// An instant in this zone, with the offset that holds then.
    pub fn at_instant(self, instant: NaiveDateTime) -> (NaiveDateTime, Self) {
        let zone = match self {
            Self::Named(tz, _) => Self::Named(tz, tz.at(instant)),
            other => other,
        };
        (instant + Duration::seconds(i64::from(zone.offset().unwrap_or_default())), zone)
    }

    /// This zone with the offset that holds at a time on its clocks; the later of two such times.
    fn at_local(self, local: NaiveDateTime) -> Self {
        let Self::Named(tz, _) = self else { return self };
        let offset = tz.at_local(local).unwrap_or_else(|| tz.at(local - Duration::days(1)));
        Self::Named(tz, offset)
    }
}

fn earliest(tz: Tz) -> i32 {
    let first = NaiveDate::from_ymd_opt(1800, 1, 1).unwrap_or_default().and_time(chrono::NaiveTime::MIN);
    tz.at(first)
}

/// A zone by itself.
#[derive(Debug)]
pub struct PyZone(pub Zone);

/// `modules.pytz`.
#[derive(Debug)]
struct Pytz;

pub fn pytz_module() -> Value {
    Value::from_object(Pytz)
}

impl Object for PyZone {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Zone::Named(tz, _) => f.write_str(tz.name()),
            Zone::Fixed(_) => write!(f, "UTC{}", self.0.suffix()),
            Zone::Utc | Zone::None => f.write_str("UTC"),
        }
    }
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        (key.as_str()? == "zone").then(|| Value::from(Value::from_object(Self(self.0)).to_string()))
    }
    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        let [time, _is_dst] = bind(method, ["dt", "is_dst"], args)?;
        let time = need(method, "dt", time)?;
        let (local, zone) = naive_of(&time).ok_or_else(|| type_error(format!("{method}() takes a datetime")))?;
        match (method, zone) {
            ("localize", Zone::None) => Ok(aware(local, self.0.at_local(local))),
            ("localize", _) => Err(type_error("Not naive datetime (tzinfo is already set)")),
            ("normalize" | "fromutc", zone) => {
                let (time, zone) = self.0.at_instant(local - Duration::seconds(i64::from(zone.offset().unwrap_or_default())));
                Ok(aware(time, zone))
            }
            ("utcoffset", _) => Ok(super::datetime::delta(Duration::seconds(i64::from(self.0.at_local(local).offset().unwrap_or_default())))),
            ("tzname", _) => Ok(Value::from(self.0.at_local(local).name(local))),
            _ => Err(Error::new(ErrorKind::UnknownMethod, format!("a time zone has no attribute '{method}'"))),
        }
    }
}

impl Object for Pytz {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        matches!(key.as_str()?, "utc" | "UTC").then(|| Value::from_object(PyZone(Zone::Utc)))
    }
    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        match method {
            "timezone" => {
                let [zone] = bind(method, ["zone"], args)?;
                let zone = need_text(method, "zone", zone)?;
                if zone.eq_ignore_ascii_case("utc") {
                    return Ok(Value::from_object(PyZone(Zone::Utc)));
                }
                let tz = Tz::named(&zone).ok_or_else(|| {
                    let here = if cfg!(feature = "zones") { "" } else { " (this build of the planner knows UTC and fixed offsets only)" };
                    type_error(format!("UnknownTimeZoneError: {}{here}", repr(&Value::from(zone))))
                })?;
                Ok(Value::from_object(PyZone(Zone::Named(tz, earliest(tz)))))
            }
            "FixedOffset" => {
                let [minutes] = bind(method, ["minutes"], args)?;
                let minutes = need(method, "minutes", minutes)?.as_i64().and_then(|m| i32::try_from(m).ok()).filter(|m| m.abs() < 1440);
                Ok(Value::from_object(PyZone(Zone::Fixed(minutes.ok_or_else(|| type_error("the offset must be less than a day of minutes"))? * 60))))
            }
            _ => Err(Error::new(ErrorKind::UnknownMethod, format!("module 'pytz' has no attribute '{method}'"))),
        }
    }
}
