//! `modules.datetime`. "Now" is the invocation's start: the planner has no clock.

use super::zones::Zone;
use super::{bind, need, need_text, type_error};
use chrono::{Datelike, Duration, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use minijinja::value::{DynObject, Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// `datetime`, as the clocks of its zone show it.
    DateTime(NaiveDateTime, Zone),
    Date(NaiveDate),
    Time(NaiveTime),
    Delta(Duration),
}

impl Moment {
    /// What comparisons go by: the kind, and the instant where there is one.
    fn key(&self) -> (u8, i64) {
        let micros = |t: NaiveDateTime| t.and_utc().timestamp_micros();
        match *self {
            Self::DateTime(t, zone) => (0, micros(instant_of(t, zone))),
            Self::Date(d) => (1, micros(d.and_time(NaiveTime::MIN))),
            Self::Time(t) => (2, i64::from(t.num_seconds_from_midnight()) * 1_000_000 + i64::from(t.nanosecond() / 1000)),
            Self::Delta(d) => (3, d.num_microseconds().unwrap_or(i64::MAX)),
        }
    }
}

/// In UTC; a naive time is taken as it is.
fn instant_of(time: NaiveDateTime, zone: Zone) -> NaiveDateTime {
    time - Duration::seconds(i64::from(zone.offset().unwrap_or_default()))
}

/// A datetime's clock and zone.
pub fn naive_of(value: &Value) -> Option<(NaiveDateTime, Zone)> {
    match value.downcast_object_ref::<Moment>()? {
        Moment::DateTime(t, zone) => Some((*t, *zone)),
        _ => None,
    }
}

pub fn aware(time: NaiveDateTime, zone: Zone) -> Value {
    Value::from_object(Moment::DateTime(time, zone))
}

pub fn delta(duration: Duration) -> Value {
    Value::from_object(Moment::Delta(duration))
}

/// A date or time that a database wrote; None when it is neither.
pub fn from_database(kind: &str, text: &str) -> Option<Value> {
    let time = |text: &str| ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"].iter().find_map(|f| NaiveDateTime::parse_from_str(text, f).ok());
    Some(Value::from_object(match kind {
        "date" => Moment::Date(NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?),
        "timestamp" => Moment::DateTime(time(text)?, Zone::None),
        "timestamptz" => {
            let (clock, zone) = split_offset(text)?;
            Moment::DateTime(time(clock)?, zone)
        }
        _ => return None,
    }))
}

/// `2024-01-01 10:00:00` and the zone of a `+02:00` or `Z` at the end.
fn split_offset(text: &str) -> Option<(&str, Zone)> {
    if let Some(clock) = text.strip_suffix('Z') {
        return Some((clock, Zone::Utc));
    }
    let at = text.rfind(['+', '-']).filter(|at| *at > 10)?;
    let (clock, offset) = text.split_at(at);
    let (hours, minutes) = offset[1..].split_once(':').unwrap_or((&offset[1..], "0"));
    let seconds = hours.parse::<i32>().ok()? * 3600 + minutes.parse::<i32>().ok()? * 60;
    let seconds = if offset.starts_with('-') { -seconds } else { seconds };
    Some((clock, if seconds == 0 { Zone::Utc } else { Zone::Fixed(seconds) }))
}

/// Which class of the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    DateTime,
    Date,
    Time,
    Delta,
}

#[derive(Debug)]
struct DatetimeModule(NaiveDateTime);

#[derive(Debug)]
struct Constructor(Class, NaiveDateTime);

/// `modules.datetime`; `started_at` is the invocation's ISO time.
pub fn datetime_module(started_at: &str) -> Value {
    Value::from_object(DatetimeModule(parsed(started_at)))
}

/// dbt's `run_started_at`.
pub fn instant(started_at: &str) -> Value {
    Value::from_object(Moment::DateTime(parsed(started_at), Zone::Utc))
}

fn parsed(started_at: &str) -> NaiveDateTime {
    NaiveDateTime::parse_from_str(started_at.trim_end_matches('Z'), "%Y-%m-%dT%H:%M:%S%.f").unwrap_or_default()
}

impl Object for DatetimeModule {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let class = match key.as_str()? {
            "datetime" => Class::DateTime,
            "date" => Class::Date,
            "time" => Class::Time,
            "timedelta" => Class::Delta,
            "timezone" => return Some(super::pytz_module()),
            _ => return None,
        };
        Some(Value::from_object(Constructor(class, self.0)))
    }
    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        match self.get_value(&Value::from(method)) {
            Some(class) => class.call(state, args),
            None => Err(Error::new(ErrorKind::UnknownMethod, format!("module 'datetime' has no attribute '{method}'"))),
        }
    }
}

fn int(value: Option<Value>, default: i64) -> i64 {
    value.and_then(|v| v.as_i64()).unwrap_or(default)
}

fn python_format(format: &str) -> String {
    // chrono has Python's directives, but for microseconds and the C locale's names.
    format.replace("%f", "%6f").replace("%-f", "%f")
}

impl Object for Constructor {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let invalid = || type_error("a part of the date or time is out of range");
        let part = |v: i64| u32::try_from(v).map_err(|_| invalid());
        let moment = match self.0 {
            Class::DateTime => {
                let [y, mo, d, h, mi, s, us, tz] = bind("datetime", ["year", "month", "day", "hour", "minute", "second", "microsecond", "tzinfo"], args)?;
                let date = NaiveDate::from_ymd_opt(int(Some(need("datetime", "year", y)?), 0) as i32, part(int(mo, 0))?, part(int(d, 0))?).ok_or_else(invalid)?;
                let time = date.and_hms_micro_opt(part(int(h, 0))?, part(int(mi, 0))?, part(int(s, 0))?, part(int(us, 0))?).ok_or_else(invalid)?;
                Moment::DateTime(time, Zone::of(tz.as_ref())?)
            }
            Class::Date => {
                let [y, mo, d] = bind("date", ["year", "month", "day"], args)?;
                Moment::Date(NaiveDate::from_ymd_opt(int(y, 0) as i32, part(int(mo, 0))?, part(int(d, 0))?).ok_or_else(invalid)?)
            }
            Class::Time => {
                let [h, mi, s, us] = bind("time", ["hour", "minute", "second", "microsecond"], args)?;
                Moment::Time(NaiveTime::from_hms_micro_opt(part(int(h, 0))?, part(int(mi, 0))?, part(int(s, 0))?, part(int(us, 0))?).ok_or_else(invalid)?)
            }
            Class::Delta => {
                let [d, s, us, ms, mi, h, w] = bind("timedelta", ["days", "seconds", "microseconds", "milliseconds", "minutes", "hours", "weeks"], args)?;
                let micros = |v: Option<Value>, unit: f64| v.and_then(|v| f64::try_from(v).ok()).unwrap_or(0.0) * unit;
                let total = micros(d, 86_400e6) + micros(s, 1e6) + micros(us, 1.0) + micros(ms, 1e3) + micros(mi, 60e6) + micros(h, 3_600e6) + micros(w, 604_800e6);
                Moment::Delta(Duration::microseconds(total.round() as i64))
            }
        };
        Ok(Value::from_object(moment))
    }
    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        let of = |m: Moment| Ok(Value::from_object(m));
        let (now, date) = (self.1, self.0 == Class::Date);
        match method {
            "now" => {
                let [tz] = bind(method, ["tz"], args)?;
                let (time, zone) = Zone::of(tz.as_ref())?.at_instant(now);
                of(Moment::DateTime(time, zone))
            }
            "today" if date => of(Moment::Date(now.date())),
            "utcnow" | "today" => of(Moment::DateTime(now, Zone::None)),
            "strptime" => {
                let [text, format] = bind(method, ["date_string", "format"], args)?;
                let (text, format) = (need_text(method, "date_string", text)?, python_format(&need_text(method, "format", format)?));
                let parsed = NaiveDateTime::parse_from_str(&text, &format).ok().or_else(|| NaiveDate::parse_from_str(&text, &format).ok().and_then(|d| d.and_hms_opt(0, 0, 0)));
                of(Moment::DateTime(parsed.ok_or_else(|| type_error(format!("time data '{text}' does not match format '{format}'")))?, Zone::None))
            }
            "fromisoformat" => {
                let [text] = bind(method, ["date_string"], args)?;
                let text = need_text(method, "date_string", text)?;
                let day = NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok();
                if date {
                    return of(Moment::Date(day.ok_or_else(|| type_error(format!("Invalid isoformat string: '{text}'")))?));
                }
                let (clock, zone) = split_offset(&text).unwrap_or((&text, Zone::None));
                let plain = clock.replace(' ', "T");
                let time = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"].iter().find_map(|f| NaiveDateTime::parse_from_str(&plain, f).ok());
                let time = time.or_else(|| day.and_then(|d| d.and_hms_opt(0, 0, 0))).ok_or_else(|| type_error(format!("Invalid isoformat string: '{text}'")))?;
                of(Moment::DateTime(time, zone))
            }
            "combine" => match (args.first().and_then(|v| v.downcast_object_ref::<Moment>()), args.get(1).and_then(|v| v.downcast_object_ref::<Moment>())) {
                (Some(Moment::Date(d)), Some(Moment::Time(t))) => of(Moment::DateTime(d.and_time(*t), Zone::None)),
                _ => Err(type_error("combine() takes a date and a time")),
            },
            _ => Err(Error::new(ErrorKind::UnknownMethod, format!("type has no attribute '{method}'"))),
        }
    }
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match (key.as_str()?, self.0) {
            ("min", Class::Time) => Some(Value::from_object(Moment::Time(NaiveTime::MIN))),
            _ => None,
        }
    }
}

fn iso(moment: &Moment, separator: &str) -> String {
    let clock = |t: NaiveTime| if t.nanosecond() == 0 { t.format("%H:%M:%S").to_string() } else { t.format("%H:%M:%S%.6f").to_string() };
    match moment {
        Moment::DateTime(t, zone) => format!("{}{separator}{}{}", t.date().format("%Y-%m-%d"), clock(t.time()), zone.suffix()),
        Moment::Date(d) => d.format("%Y-%m-%d").to_string(),
        Moment::Time(t) => clock(*t),
        Moment::Delta(d) => {
            let micros = d.num_microseconds().unwrap_or_default();
            let (days, rest) = (micros.div_euclid(86_400_000_000), micros.rem_euclid(86_400_000_000));
            let time = NaiveTime::from_num_seconds_from_midnight_opt((rest / 1_000_000) as u32, (rest % 1_000_000 * 1000) as u32).unwrap_or_default();
            let clock = clock(time);
            let clock = clock.strip_prefix('0').unwrap_or(&clock);
            match days {
                0 => clock.to_owned(),
                1 | -1 => format!("{days} day, {clock}"),
                n => format!("{n} days, {clock}"),
            }
        }
    }
}

impl Object for Moment {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&iso(self, " "))
    }
    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        other.downcast_ref::<Self>().map(|o| self.key().cmp(&o.key()))
    }
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        if let (Self::DateTime(_, zone), Some("tzinfo")) = (**self, key.as_str()) {
            return Some(zone.value());
        }
        let (date, time) = match **self {
            Self::DateTime(t, _) => (Some(t.date()), Some(t.time())),
            Self::Date(d) => (Some(d), None),
            Self::Time(t) => (None, Some(t)),
            Self::Delta(d) => {
                let micros = d.num_microseconds()?;
                return Some(Value::from(match key.as_str()? {
                    "days" => micros.div_euclid(86_400_000_000),
                    "seconds" => micros.rem_euclid(86_400_000_000) / 1_000_000,
                    "microseconds" => micros.rem_euclid(1_000_000),
                    _ => return None,
                }));
            }
        };
        Some(match key.as_str()? {
            "year" => Value::from(date?.year()),
            "month" => Value::from(date?.month()),
            "day" => Value::from(date?.day()),
            "hour" => Value::from(time?.hour()),
            "minute" => Value::from(time?.minute()),
            "second" => Value::from(time?.second()),
            "microsecond" => Value::from(time?.nanosecond() / 1000),
            _ => return None,
        })
    }
    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        let of = |m: Self| Ok(Value::from_object(m));
        let day = match **self {
            Self::DateTime(t, _) => Some(t.date()),
            Self::Date(d) => Some(d),
            _ => None,
        };
        match (method, **self) {
            ("strftime", moment) => {
                let [format] = bind(method, ["format"], args)?;
                let format = python_format(&need_text(method, "format", format)?);
                let mut out = String::new();
                let written = match moment {
                    Self::DateTime(t, zone) => {
                        let format = format.replace("%Z", &zone.name(t));
                        match zone.fixed().and_then(|o| t.and_local_timezone(o).single()) {
                            Some(at) => fmt::Write::write_fmt(&mut out, format_args!("{}", at.format(&format))),
                            None => fmt::Write::write_fmt(&mut out, format_args!("{}", t.format(&format.replace("%z", "")))),
                        }
                    }
                    Self::Date(d) => fmt::Write::write_fmt(&mut out, format_args!("{}", d.and_time(NaiveTime::MIN).format(&format))),
                    Self::Time(t) => fmt::Write::write_fmt(&mut out, format_args!("{}", t.format(&format))),
                    Self::Delta(_) => return Err(Error::from(ErrorKind::UnknownMethod)),
                };
                written.map_err(|_| type_error(format!("invalid format string '{format}'")))?;
                Ok(Value::from(out))
            }
            ("isoformat", moment) => {
                let [separator] = bind(method, ["sep"], args)?;
                Ok(Value::from(iso(&moment, &separator.map_or_else(|| "T".to_owned(), |s| s.to_string()))))
            }
            ("date", Self::DateTime(t, _)) => of(Self::Date(t.date())),
            ("time", Self::DateTime(t, _)) => of(Self::Time(t.time())),
            ("timestamp", Self::DateTime(t, zone)) => Ok(Value::from(instant_of(t, zone).and_utc().timestamp_micros() as f64 / 1e6)),
            ("astimezone", Self::DateTime(t, zone)) => {
                let [tz] = bind(method, ["tz"], args)?;
                let wanted = match Zone::of(tz.as_ref())? {
                    Zone::None => Zone::Utc,
                    wanted => wanted,
                };
                let (time, zone) = wanted.at_instant(instant_of(t, zone));
                of(Self::DateTime(time, zone))
            }
            ("utcoffset", Self::DateTime(_, zone)) => Ok(zone.offset().map_or_else(|| Value::from(()), |s| delta(Duration::seconds(i64::from(s))))),
            ("tzname", Self::DateTime(t, zone)) => Ok(if zone == Zone::None { Value::from(()) } else { Value::from(zone.name(t)) }),
            ("timetuple", _) => Err(Error::new(ErrorKind::UnknownMethod, "timetuple() is not available in a template")),
            ("total_seconds", Self::Delta(d)) => Ok(Value::from(d.num_microseconds().unwrap_or_default() as f64 / 1e6)),
            ("weekday", _) if day.is_some() => Ok(Value::from(day.map_or(0, |d| d.weekday().num_days_from_monday()))),
            ("isocalendar", _) if day.is_some() => {
                let week = day.unwrap_or_default().iso_week();
                let parts = [i64::from(week.year()), i64::from(week.week()), day.map_or(0, |d| i64::from(d.weekday().number_from_monday()))];
                Ok(super::tuple(parts.map(Value::from).to_vec()))
            }
            ("isoweekday", _) if day.is_some() => Ok(Value::from(day.map_or(0, |d| d.weekday().number_from_monday()))),
            ("replace", moment) => {
                let [y, mo, d, h, mi, s, us, tz] = bind(method, ["year", "month", "day", "hour", "minute", "second", "microsecond", "tzinfo"], args)?;
                let invalid = || type_error("a part of the date or time is out of range");
                let (date, time, zone) = match moment {
                    Self::DateTime(t, zone) => (t.date(), t.time(), zone),
                    Self::Date(d) => (d, NaiveTime::MIN, Zone::None),
                    _ => return Err(Error::from(ErrorKind::UnknownMethod)),
                };
                let date = NaiveDate::from_ymd_opt(int(y, i64::from(date.year())) as i32, int(mo, i64::from(date.month())) as u32, int(d, i64::from(date.day())) as u32).ok_or_else(invalid)?;
                if matches!(moment, Self::Date(_)) {
                    return of(Self::Date(date));
                }
                let micros = i64::from(time.nanosecond() / 1000);
                let time = date
                    .and_hms_micro_opt(int(h, i64::from(time.hour())) as u32, int(mi, i64::from(time.minute())) as u32, int(s, i64::from(time.second())) as u32, int(us, micros) as u32)
                    .ok_or_else(invalid)?;
                let zone = if tz.is_some() { Zone::of(tz.as_ref())? } else { zone };
                of(Self::DateTime(time, zone))
            }
            _ => Err(Error::new(ErrorKind::UnknownMethod, format!("a date or time has no attribute '{method}'"))),
        }
    }
}

fn moments(a: &Value, b: &Value) -> Option<(Moment, Moment)> {
    Some((*a.downcast_object_ref::<Moment>()?, *b.downcast_object_ref::<Moment>()?))
}

/// `a + b` when both are of this module.
pub fn add(a: &Value, b: &Value) -> Option<Result<Value, Error>> {
    let sum = match moments(a, b)? {
        (Moment::DateTime(t, zone), Moment::Delta(d)) | (Moment::Delta(d), Moment::DateTime(t, zone)) => t.checked_add_signed(d).map(|t| Moment::DateTime(t, zone)),
        (Moment::Date(t), Moment::Delta(d)) | (Moment::Delta(d), Moment::Date(t)) => t.checked_add_signed(Duration::days(d.num_days())).map(Moment::Date),
        (Moment::Delta(x), Moment::Delta(y)) => x.checked_add(&y).map(Moment::Delta),
        _ => None,
    };
    Some(sum.map(Value::from_object).ok_or_else(|| type_error("these times cannot be added")))
}

/// `a - b` when both are of this module.
pub fn sub(a: &Value, b: &Value) -> Option<Result<Value, Error>> {
    let difference = match moments(a, b)? {
        (Moment::DateTime(t, zone), Moment::Delta(d)) => t.checked_sub_signed(d).map(|t| Moment::DateTime(t, zone)),
        (Moment::Date(t), Moment::Delta(d)) => t.checked_sub_signed(Duration::days(d.num_days())).map(Moment::Date),
        (Moment::DateTime(x, zx), Moment::DateTime(y, zy)) => Some(Moment::Delta(instant_of(x, zx) - instant_of(y, zy))),
        (Moment::Date(x), Moment::Date(y)) => Some(Moment::Delta(x - y)),
        (Moment::Delta(x), Moment::Delta(y)) => x.checked_sub(&y).map(Moment::Delta),
        _ => None,
    };
    Some(difference.map(Value::from_object).ok_or_else(|| type_error("these times cannot be subtracted")))
}
