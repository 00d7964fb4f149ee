//! Dynamically typed values into Arrow columns of a wanted type: exactly, or not at all.
//!
//! For products whose cells carry their own type (SQLite). Nothing is rounded, cut or guessed:
//! a value that is not exactly of the wanted type is an error that names the column.

use crate::builder::Builder;
use crate::error::{EngineError, ErrorKind};
use arrow::array::ArrayRef;
use arrow::datatypes::Field;

/// One cell as a dynamically typed product hands it over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    Null,
    Integer(i64),
    Real(f64),
    Text(&'a str),
    Blob(&'a [u8]),
}

impl Cell<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Cell::Null => "NULL",
            Cell::Integer(_) => "an integer",
            Cell::Real(_) => "a real number",
            Cell::Text(_) => "text",
            Cell::Blob(_) => "a blob",
        }
    }
}

/// Builds one column of one batch.
pub struct CellColumn {
    name: String,
    builder: Builder,
}

impl CellColumn {
    /// A builder for `field`; an error names the column when its Arrow type has no exact form here.
    pub fn new(field: &Field) -> Result<Self, EngineError> {
        let builder = Builder::of(field)?;
        Ok(Self { name: field.name().clone(), builder })
    }

    /// Appends one cell. `row` counts from 1 and is named when the cell does not fit.
    pub fn push(&mut self, cell: Cell<'_>, row: u64) -> Result<(), EngineError> {
        if self.append(cell).is_some() {
            return Ok(());
        }
        let message = format!(
            "column `{}`, row {row}: {} does not fit {} exactly",
            self.name,
            cell.kind(),
            self.wanted()
        );
        Err(EngineError::new(ErrorKind::Type, message).hint("correct the value at the source, or cast the column in the query"))
    }

    pub fn finish(&mut self) -> ArrayRef {
        self.builder.finish()
    }

    /// The wanted type in words for a message.
    fn wanted(&self) -> String {
        match &self.builder {
            Builder::Bool(_) => "a boolean".into(),
            Builder::Decimal(_, p, s) => format!("decimal({p},{s})"),
            Builder::F32(_) | Builder::F64(_) => "a floating point number".into(),
            Builder::Text(_) => "text".into(),
            Builder::Bytes(_) => "bytes".into(),
            Builder::Date(_) => "a date (YYYY-MM-DD)".into(),
            Builder::Time(_) => "a time (HH:MM:SS)".into(),
            Builder::Timestamp(_) => "a timestamp (YYYY-MM-DD HH:MM:SS)".into(),
            Builder::Instant(_) => "an instant (YYYY-MM-DD HH:MM:SS+00:00)".into(),
            Builder::I8(_) | Builder::U8(_) => "an integer of 8 bits".into(),
            Builder::I16(_) | Builder::U16(_) => "an integer of 16 bits".into(),
            Builder::I32(_) | Builder::U32(_) => "an integer of 32 bits".into(),
            Builder::I64(_) | Builder::U64(_) => "an integer of 64 bits".into(),
        }
    }

    /// None when the cell is not exactly of the column's type.
    fn append(&mut self, cell: Cell<'_>) -> Option<()> {
        macro_rules! integer {
            ($b:expr) => {
                match cell {
                    Cell::Integer(v) => $b.append_value(v.try_into().ok()?),
                    _ => return None,
                }
            };
        }
        if cell == Cell::Null {
            self.builder.append_null();
            return Some(());
        }
        match &mut self.builder {
            Builder::Bool(b) => match cell {
                Cell::Integer(v @ (0 | 1)) => b.append_value(v == 1),
                _ => return None,
            },
            Builder::I8(b) => integer!(b),
            Builder::I16(b) => integer!(b),
            Builder::I32(b) => integer!(b),
            Builder::I64(b) => integer!(b),
            Builder::U8(b) => integer!(b),
            Builder::U16(b) => integer!(b),
            Builder::U32(b) => integer!(b),
            Builder::U64(b) => integer!(b),
            Builder::F32(b) => match cell {
                Cell::Real(v) if f64::from(v as f32).to_bits() == v.to_bits() => b.append_value(v as f32),
                Cell::Integer(v) if v.unsigned_abs() <= 1 << 24 => b.append_value(v as f32),
                _ => return None,
            },
            Builder::F64(b) => match cell {
                Cell::Real(v) => b.append_value(v),
                Cell::Integer(v) if v.unsigned_abs() <= 1 << 53 => b.append_value(v as f64),
                _ => return None,
            },
            Builder::Decimal(b, precision, scale) => match cell {
                Cell::Integer(v) => b.append_value(decimal(&v.to_string(), *precision, *scale)?),
                // The shortest text that gives the same double back is what was written into the column.
                Cell::Real(v) if v.is_finite() => b.append_value(decimal(&format!("{v}"), *precision, *scale)?),
                Cell::Text(t) => b.append_value(decimal(t, *precision, *scale)?),
                _ => return None,
            },
            Builder::Text(b) => match cell {
                Cell::Text(t) => b.append_value(t),
                _ => return None,
            },
            Builder::Bytes(b) => match cell {
                Cell::Blob(v) => b.append_value(v),
                _ => return None,
            },
            Builder::Date(b) => match cell {
                Cell::Text(t) => b.append_value(date(t)?),
                _ => return None,
            },
            Builder::Time(b) => match cell {
                Cell::Text(t) => b.append_value(time(t)?),
                _ => return None,
            },
            Builder::Timestamp(b) => match cell {
                Cell::Text(t) => b.append_value(timestamp(t)?),
                _ => return None,
            },
            // The text must say its offset from UTC.
            Builder::Instant(b) => match cell {
                Cell::Text(t) => b.append_value(instant(t)?),
                _ => return None,
            },
        }
        Some(())
    }
}


/// `text` times ten to `scale`, exactly; None when it is no number, has more digits or needs rounding.
pub fn decimal(text: &str, precision: u8, scale: i8) -> Option<i128> {
    let text = text.trim();
    let (negative, body) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match body.find(['e', 'E']) {
        Some(i) => (&body[..i], body[i + 1..].parse::<i32>().ok()?),
        None => (body, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value: i128 = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        let digit = byte.is_ascii_digit().then(|| i128::from(byte - b'0'))?;
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    let mut shift = i32::from(scale) + exponent - i32::try_from(fraction.len()).ok()?;
    if value == 0 {
        shift = 0;
    }
    while shift > 0 {
        value = value.checked_mul(10)?;
        shift -= 1;
    }
    while shift < 0 {
        if value % 10 != 0 {
            return None;
        }
        value /= 10;
        shift += 1;
    }
    let limit = 10i128.checked_pow(u32::from(precision))?;
    (value < limit).then_some(if negative { -value } else { value })
}

fn number(text: &str, digits: std::ops::RangeInclusive<usize>) -> Option<i64> {
    (digits.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Days since 1970-01-01 of `YYYY-MM-DD` (proleptic Gregorian); None when it is no such day.
pub fn date(text: &str) -> Option<i32> {
    let mut parts = text.splitn(3, '-');
    let (y, m, d) = (number(parts.next()?, 4..=4)?, number(parts.next()?, 2..=2)?, number(parts.next()?, 2..=2)?);
    let leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    let days = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let month_days = *days.get(usize::try_from(m).ok()?.checked_sub(1)?)?;
    if d < 1 || d > month_days {
        return None;
    }
    // Days from civil, H. Hinnant: years begin in March so that the leap day is the last of the year.
    let year = if m <= 2 { y - 1 } else { y };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (m + if m > 2 { -3 } else { 9 }) + 2) / 5 + d - 1;
    i32::try_from(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468).ok()
}

/// Microseconds since midnight of `HH:MM[:SS[.ffffff]]`.
pub fn time(text: &str) -> Option<i64> {
    let (clock, fraction) = text.split_once('.').map_or((text, None), |(c, f)| (c, Some(f)));
    let mut parts = clock.splitn(3, ':');
    let (h, m) = (number(parts.next()?, 2..=2)?, number(parts.next()?, 2..=2)?);
    let seconds = parts.next();
    let s = seconds.map_or(Some(0), |s| number(s, 2..=2))?;
    if h > 23 || m > 59 || s > 59 || (fraction.is_some() && seconds.is_none()) {
        return None;
    }
    let micros = match fraction {
        Some(f) => {
            let kept = f.trim_end_matches('0');
            number(f, 1..=18)?;
            if kept.len() > 6 {
                return None;
            }
            format!("{kept:0<6}").parse::<i64>().ok()?
        }
        None => 0,
    };
    Some(((h * 60 + m) * 60 + s) * 1_000_000 + micros)
}

/// Microseconds since 1970-01-01 00:00 of `YYYY-MM-DD[ T]HH:MM[:SS[.ffffff]]` or a bare date.
pub fn timestamp(text: &str) -> Option<i64> {
    let Some((day, clock)) = text.split_once([' ', 'T']) else {
        return i64::from(date(text)?).checked_mul(86_400_000_000);
    };
    i64::from(date(day)?).checked_mul(86_400_000_000)?.checked_add(time(clock)?)
}

/// Microseconds since 1970-01-01 00:00 UTC of a timestamp that ends in `Z`, `+HH:MM` or `-HH:MM`.
pub fn instant(text: &str) -> Option<i64> {
    if let Some(utc) = text.strip_suffix('Z') {
        return timestamp(utc);
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let east = match offset.as_bytes()[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    // Without a clock there is nothing that the offset could belong to.
    local.contains(':').then_some(())?;
    timestamp(local)?.checked_sub(east * time(&offset[1..])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_or_refused() {
        assert_eq!(decimal("12.50", 15, 2), Some(1250));
        assert_eq!(decimal("-0.01", 15, 2), Some(-1));
        assert_eq!(decimal("1e3", 15, 2), Some(100_000));
        assert_eq!(decimal("12.500", 15, 2), Some(1250), "trailing zeros lose nothing");
        assert_eq!(decimal("12.505", 15, 2), None, "would round");
        assert_eq!(decimal("1000", 3, 0), None, "too many digits");
        assert_eq!(decimal("abc", 15, 2), None);
        assert_eq!(decimal("", 15, 2), None);
        assert_eq!(decimal(".", 15, 2), None);
        assert_eq!(decimal("0e999999999", 15, 2), Some(0));
    }

    #[test]
    fn dates_and_times_are_read_only_when_they_exist() {
        assert_eq!(date("1970-01-01"), Some(0));
        assert_eq!(date("2000-02-29"), Some(11_016));
        assert_eq!(date("9999-12-31"), Some(2_932_896));
        assert_eq!(date("1900-02-29"), None);
        assert_eq!(date("2024-1-01"), None);
        assert_eq!(time("23:59:59.999999"), Some(86_399_999_999));
        assert_eq!(time("24:00"), None);
        assert_eq!(time("12:30:00.0000001"), None, "finer than a microsecond");
        assert_eq!(timestamp("1970-01-02T00:00:01"), Some(86_401_000_000));
        assert_eq!(timestamp("1969-12-31 23:59:59"), Some(-1_000_000));
        assert_eq!(instant("1970-01-01 01:00:00+01:00"), Some(0));
        assert_eq!(instant("1969-12-31T19:00:00.5-05:00"), Some(500_000));
        assert_eq!(instant("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(instant("1970-01-01 00:00:00"), None, "no offset: not known which instant");
        assert_eq!(instant("é"), None);
    }
}
