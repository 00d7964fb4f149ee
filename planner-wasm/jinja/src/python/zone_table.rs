//! The table of time zones. It is as large as the rest of this crate, so a build for a page leaves it out: there only UTC
//! and fixed offsets are known, and a template that names another zone is told so.

use chrono::NaiveDateTime;

/// A zone of the table.
#[cfg(feature = "zones")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tz(chrono_tz::Tz);

#[cfg(feature = "zones")]
impl Tz {
    /// By its name, whatever the case of its letters.
    pub fn named(name: &str) -> Option<Self> {
        chrono_tz::Tz::from_str_insensitive(name).ok().map(Self)
    }
    pub fn name(self) -> &'static str {
        self.0.name()
    }
    /// Seconds east of UTC at an instant.
    pub fn at(self, instant: NaiveDateTime) -> i32 {
        use chrono::{Offset, TimeZone};
        self.0.offset_from_utc_datetime(&instant).fix().local_minus_utc()
    }
    /// `CEST` at an instant.
    pub fn abbreviation(self, instant: NaiveDateTime) -> Option<String> {
        use chrono::TimeZone;
        use chrono_tz::OffsetName;
        self.0.offset_from_utc_datetime(&instant).abbreviation().map(str::to_owned)
    }
    /// Seconds east of UTC at a time of the zone's clocks, the later of two such times; None when they skip it.
    pub fn at_local(self, local: NaiveDateTime) -> Option<i32> {
        use chrono::{Offset, TimeZone};
        self.0.offset_from_local_datetime(&local).latest().map(|o| o.fix().local_minus_utc())
    }
}

/// No zone of the table.
#[cfg(not(feature = "zones"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tz {}

#[cfg(not(feature = "zones"))]
impl Tz {
    pub fn named(_: &str) -> Option<Self> {
        None
    }
    pub fn name(self) -> &'static str {
        match self {}
    }
    pub fn at(self, _: NaiveDateTime) -> i32 {
        match self {}
    }
    pub fn abbreviation(self, _: NaiveDateTime) -> Option<String> {
        match self {}
    }
    pub fn at_local(self, _: NaiveDateTime) -> Option<i32> {
        match self {}
    }
}
