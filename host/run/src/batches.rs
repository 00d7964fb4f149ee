//! Spans of time: the batches of a microbatch model, and `--sample`. All in UTC.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, TimeDelta, Timelike, Utc};
use dvt_diagnostic::{Code, Diagnostic};
use dvt_jinja::Batch;
use serde_json::{Value, json};
use std::time::SystemTime;

/// How long a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchSize {
    Hour,
    Day,
    Month,
    Year,
}

impl BatchSize {
    /// `day`, `days`, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.trim().to_ascii_lowercase().trim_end_matches('s') {
            "hour" => Self::Hour,
            "day" => Self::Day,
            "month" => Self::Month,
            "year" => Self::Year,
            _ => return None,
        })
    }

    /// The start of the batch that holds the moment.
    pub fn floor(self, at: NaiveDateTime) -> NaiveDateTime {
        let day = match self {
            Self::Hour | Self::Day => Some(at.date()),
            Self::Month => at.date().with_day(1),
            Self::Year => NaiveDate::from_ymd_opt(at.year(), 1, 1),
        };
        let midnight = day.unwrap_or_default().and_time(chrono::NaiveTime::default());
        if self == Self::Hour { midnight + TimeDelta::hours(i64::from(at.hour())) } else { midnight }
    }

    /// The start of the batch `count` batches later, or earlier.
    pub fn offset(self, at: NaiveDateTime, count: i64) -> NaiveDateTime {
        let start = self.floor(at);
        let steps = count.unsigned_abs();
        let months = |each: u64| Months::new(u32::try_from(steps.saturating_mul(each)).unwrap_or(u32::MAX));
        let moved = match (self, count >= 0) {
            (Self::Hour, _) => start.checked_add_signed(TimeDelta::try_hours(count).unwrap_or_default()),
            (Self::Day, true) => start.checked_add_days(Days::new(steps)),
            (Self::Day, false) => start.checked_sub_days(Days::new(steps)),
            (Self::Month, true) => start.checked_add_months(months(1)),
            (Self::Month, false) => start.checked_sub_months(months(1)),
            (Self::Year, true) => start.checked_add_months(months(12)),
            (Self::Year, false) => start.checked_sub_months(months(12)),
        };
        moved.unwrap_or(start)
    }

    /// The end of the batch that holds the moment; a start is its own end.
    pub fn ceiling(self, at: NaiveDateTime) -> NaiveDateTime {
        if self.floor(at) == at { at } else { self.offset(at, 1) }
    }

    /// `2024-01-31`, as dbt names a batch.
    pub fn shown(self, start: NaiveDateTime) -> String {
        let form = match self {
            Self::Hour => "%Y-%m-%dT%H",
            Self::Day => "%Y-%m-%d",
            Self::Month => "%Y-%m",
            Self::Year => "%Y",
        };
        start.format(form).to_string()
    }
}

/// A moment as people write it: a date, with or without a time and a zone.
pub fn moment(text: &str) -> Option<NaiveDateTime> {
    let text = text.trim();
    if let Ok(at) = DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%:z")) {
        return Some(at.with_timezone(&Utc).naive_utc());
    }
    let forms = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    let time = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    time.or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|d| d.and_time(chrono::NaiveTime::default())))
}

pub fn of_system(at: SystemTime) -> NaiveDateTime {
    DateTime::<Utc>::from(at).naive_utc()
}

/// ISO 8601, UTC, microseconds, `Z`.
pub fn iso(at: NaiveDateTime) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// From `start` to `end`; the last batch ends there exactly. At least one.
pub fn batches(size: BatchSize, start: NaiveDateTime, end: NaiveDateTime) -> Vec<Batch> {
    let mut spans = vec![(start, size.offset(start, 1))];
    while let Some((_, last)) = spans.last().copied().filter(|(_, last)| *last < end) {
        spans.push((last, size.offset(last, 1)));
    }
    if let Some(last) = spans.last_mut() {
        last.1 = end;
    }
    these(size, &spans)
}

/// Exactly these spans, in their order.
pub fn these(size: BatchSize, spans: &[(NaiveDateTime, NaiveDateTime)]) -> Vec<Batch> {
    let one = |(i, (from, to)): (usize, &(NaiveDateTime, NaiveDateTime))| Batch {
        id: size.shown(*from).replace('-', ""),
        start: iso(*from),
        end: iso(*to),
        first: i == 0,
        last: i + 1 == spans.len(),
    };
    spans.iter().enumerate().map(one).collect()
}

/// `3 days` back from `now`, or `{start: …, end: …}`, as `{start, end}` in ISO 8601.
///
/// # Errors
/// DVT6008 for anything else.
pub fn sample(text: &str, now: SystemTime) -> Result<Value, Diagnostic> {
    let wrong = || Diagnostic::error(Code::Usage, format!("--sample `{text}` is no span of time")).hint("write '3 days', or '{start: 2024-01-01, end: 2024-02-01}'");
    let now = of_system(now);
    if text.trim_start().starts_with('{') {
        let given = dvt_project::yaml::parse("--sample", text)?.root.to_json();
        let at = |key: &str| given.get(key).map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).map(|t| moment(&t).ok_or_else(wrong)).transpose();
        let (start, end) = (at("start")?.ok_or_else(wrong)?, at("end")?.unwrap_or(now));
        return Ok(json!({"start": iso(start), "end": iso(end)}));
    }
    let (count, size) = text.trim().split_once(char::is_whitespace).ok_or_else(wrong)?;
    let (count, size) = (count.parse::<u32>().map_err(|_| wrong())?, BatchSize::parse(size).ok_or_else(wrong)?);
    Ok(json!({"start": iso(size.offset(now, -i64::from(count))), "end": iso(now)}))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{BatchSize, batches, iso, moment};

    fn at(text: &str) -> chrono::NaiveDateTime {
        moment(text).unwrap()
    }

    #[test]
    fn spans_start_where_the_calendar_says() {
        let moved = |size: BatchSize, count| iso(size.offset(at("2024-09-17 16:06:00"), count));
        assert_eq!(moved(BatchSize::Hour, -1), "2024-09-17T15:00:00.000000Z");
        assert_eq!(moved(BatchSize::Day, 1), "2024-09-18T00:00:00.000000Z");
        assert_eq!(moved(BatchSize::Month, -9), "2023-12-01T00:00:00.000000Z");
        assert_eq!(moved(BatchSize::Year, 1), "2025-01-01T00:00:00.000000Z");
        assert_eq!(BatchSize::Month.ceiling(at("2024-09-01")), at("2024-09-01"));
        assert_eq!(BatchSize::Month.ceiling(at("2024-09-01 00:00:01")), at("2024-10-01"));
    }

    #[test]
    fn batches_fill_the_span_and_the_last_one_ends_with_it() {
        let found = batches(BatchSize::Day, at("2024-01-01"), at("2024-01-03 12:00:00"));
        let ids: Vec<&str> = found.iter().map(|b| b.id.as_str()).collect();
        assert_eq!(ids, ["20240101", "20240102", "20240103"]);
        assert_eq!(found[2].end, "2024-01-03T12:00:00.000000Z");
        assert!(found[0].first && !found[0].last && found[2].last);
        assert_eq!(batches(BatchSize::Year, at("2024-01-01"), at("2024-01-01")).len(), 1);
    }
}
