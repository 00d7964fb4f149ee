//! The type of a seed's column from its values, in dbt's order: integer, number, date, timestamp, truth value,
//! text; and the column as Arrow data of that type.
//!
//! An empty field and `null` are NULL in every type.

use arrow::array::{ArrayRef, BooleanArray, Decimal128Array, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::DataType;
use dvt_federation::arrow_type;
use dvt_planner::types::CanonicalType;
use chrono::{NaiveDate, NaiveDateTime};
use std::borrow::Cow;
use std::sync::Arc;

/// Names of the columns: one without a name is called by the letter of its place, one that stands twice gets a number.
pub fn header(cells: &[String]) -> Vec<String> {
    let mut out: Vec<String> = Vec::with_capacity(cells.len());
    for (i, cell) in cells.iter().enumerate() {
        let letter = || char::from(b'a' + (i % 26) as u8).to_string().repeat(i / 26 + 1);
        let name = Some(cell.trim()).filter(|c| !c.is_empty()).map_or_else(letter, str::to_owned);
        let free = (2..).map(|n| format!("{name}_{n}")).find(|n| !out.contains(n));
        out.push(if out.contains(&name) { free.unwrap_or_default() } else { name });
    }
    out
}

/// The first type that every value has. As in dbt a number without a fraction is whole, also as `1.0` and `1e5`.
pub fn infer(values: &[&str]) -> CanonicalType {
    let every = |test: &dyn Fn(&str) -> bool| values.iter().filter(|v| !is_null(v)).all(|v| test(v.trim()));
    if every(&|v| is_integer(v) && v.parse::<i32>().is_ok()) {
        CanonicalType::Int(32)
    } else if every(&|v| is_integer(v) && v.parse::<i64>().is_ok()) {
        CanonicalType::Int(64)
    } else if every(&|v| whole(v).is_some_and(|n| i32::try_from(n).is_ok())) {
        CanonicalType::Int(32)
    } else if every(&is_number) {
        CanonicalType::Float(64)
    } else if every(&|v| date(v).is_some()) {
        CanonicalType::Date
    } else if every(&|v| timestamp(v).is_some()) {
        CanonicalType::Timestamp
    } else if every(&|v| truth(v).is_some()) {
        CanonicalType::Bool
    } else {
        CanonicalType::Text
    }
}

/// The values of an inferred type in the form that the type's own text has: `1e5` as `100000`, `2024-1-5` as `2024-01-05`.
/// Of a moment with a zone the clock's time stays and the zone goes, as in a database's column without one.
pub fn plain<'a>(values: &[&'a str], kind: CanonicalType) -> Vec<Cow<'a, str>> {
    let form = |v: &str| match kind {
        CanonicalType::Int(_) if !is_integer(v) => whole(v).map(|n| n.to_string()),
        CanonicalType::Date if v.len() != 10 => date(v).map(|d| d.to_string()),
        CanonicalType::Timestamp => timestamp(v).map(|t| t.format("%Y-%m-%d %H:%M:%S%.f").to_string()),
        _ => None,
    };
    values.iter().map(|v| form(v.trim()).map_or(Cow::Borrowed(*v), Cow::Owned)).collect()
}

/// The values as `kind`.
///
/// # Errors
/// The first value that is not one, with its row from 0.
pub fn column(values: &[&str], kind: CanonicalType) -> Result<ArrayRef, (usize, String)> {
    fn present<'a>(v: &&'a str) -> Option<&'a str> {
        (!is_null(v)).then(|| v.trim())
    }
    match kind {
        CanonicalType::Text | CanonicalType::Uuid | CanonicalType::Json => {
            let texts: StringArray = values.iter().map(|v| (!is_null(v)).then_some(*v)).collect();
            Ok(Arc::new(texts))
        }
        CanonicalType::Bool => {
            let mut out: Vec<Option<bool>> = Vec::with_capacity(values.len());
            for (row, value) in values.iter().enumerate() {
                out.push(match present(value) {
                    None => None,
                    Some(v) => Some(truth(v).or(match v {
                        "1" => Some(true),
                        "0" => Some(false),
                        _ => None,
                    }).ok_or_else(|| (row, v.to_owned()))?),
                });
            }
            Ok(Arc::new(BooleanArray::from(out)))
        }
        CanonicalType::Decimal(precision, scale) => {
            let mut out: Vec<Option<i128>> = Vec::with_capacity(values.len());
            for (row, value) in values.iter().enumerate() {
                out.push(match present(value) {
                    None => None,
                    Some(v) => Some(decimal(v, precision, scale).ok_or_else(|| (row, v.to_owned()))?),
                });
            }
            let array = Decimal128Array::from(out).with_precision_and_scale(precision, scale as i8).map_err(|e| (0, e.to_string()))?;
            Ok(Arc::new(array))
        }
        _ => {
            let texts: StringArray = values.iter().map(present).collect();
            let strict = CastOptions { safe: false, ..CastOptions::default() };
            let lenient = CastOptions { safe: true, ..CastOptions::default() };
            let to = arrow_type(kind);
            let texts: ArrayRef = Arc::new(texts);
            cast_with_options(&texts, &to, &strict).map_err(|e| {
                // Which value it was: the one that a lenient cast turns into NULL.
                let lost = cast_with_options(&texts, &to, &lenient).ok().and_then(|c| {
                    (0..values.len()).find(|i| arrow::array::Array::is_null(&c, *i) && !is_null(values[*i]))
                });
                lost.map_or_else(|| (0, e.to_string()), |row| (row, values[row].to_owned()))
            })
        }
    }
}

/// Whether the canonical type has an Arrow form that text can be read into.
pub fn readable(kind: CanonicalType) -> bool {
    !matches!(arrow_type(kind), DataType::Interval(_) | DataType::Binary)
}

fn is_null(value: &str) -> bool {
    let value = value.trim();
    value.is_empty() || value.eq_ignore_ascii_case("null")
}

fn is_integer(v: &str) -> bool {
    let digits = v.strip_prefix(['-', '+']).unwrap_or(v);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

fn is_number(v: &str) -> bool {
    v.bytes().any(|b| b.is_ascii_digit()) && v.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E')) && v.parse::<f64>().is_ok_and(f64::is_finite)
}

/// The whole number that a text with a point or an exponent stands for.
fn whole(v: &str) -> Option<i64> {
    if !is_number(v) {
        return None;
    }
    let (digits, exponent) = v.split_once(['e', 'E']).unwrap_or((v, "0"));
    let exponent: i32 = exponent.parse().ok()?;
    let (negative, digits) = digits.strip_prefix('-').map_or_else(|| (false, digits.strip_prefix('+').unwrap_or(digits)), |d| (true, d));
    let (before, after) = digits.split_once('.').unwrap_or((digits, ""));
    let after = after.trim_end_matches('0');
    // All digits as one number, and by how many places the point moves.
    let moved = exponent.checked_sub(i32::try_from(after.len()).ok()?)?;
    let number: i64 = format!("0{before}{after}").parse().ok()?;
    let number = match (number, u32::try_from(moved)) {
        (0, _) => 0,
        (n, Ok(places)) => n.checked_mul(10i64.checked_pow(places)?)?,
        (n, Err(_)) => {
            let by = 10i64.checked_pow(moved.unsigned_abs())?;
            (n % by == 0).then_some(n / by)?
        }
    };
    Some(if negative { -number } else { number })
}

/// `2024-01-05`, and `2024-1-5` as dbt takes it too.
fn date(v: &str) -> Option<NaiveDate> {
    let parts: Vec<&str> = v.split('-').collect();
    let digits = |s: &&str| s.bytes().all(|b| b.is_ascii_digit());
    let lengths: Vec<usize> = parts.iter().map(|p| p.len()).collect();
    if !matches!(lengths.as_slice(), [4, 1 | 2, 1 | 2]) || !parts.iter().all(digits) {
        return None;
    }
    NaiveDate::from_ymd_opt(parts[0].parse().ok()?, parts[1].parse().ok()?, parts[2].parse().ok()?)
}

/// A moment with a blank between day and time, or as ISO 8601 writes it, there also with a zone.
fn timestamp(v: &str) -> Option<NaiveDateTime> {
    for form in ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"] {
        if let Ok(at) = NaiveDateTime::parse_from_str(v, form) {
            return Some(at);
        }
    }
    let (day, time) = v.split_once('T').filter(|(day, _)| day.len() == 10)?;
    let time = match time.find(['Z', '+', '-']) {
        Some(at) => {
            let (time, zone) = time.split_at(at);
            let digits = zone[1..].replace(':', "");
            let named = if zone.starts_with('Z') { digits.is_empty() } else { matches!(digits.len(), 2 | 4) && digits.bytes().all(|b| b.is_ascii_digit()) };
            Some(time).filter(|_| named)?
        }
        None => time,
    };
    let time = ["%H:%M:%S%.f", "%H:%M"].iter().find_map(|form| chrono::NaiveTime::parse_from_str(time, form).ok())?;
    Some(date(day)?.and_time(time))
}

fn truth(v: &str) -> Option<bool> {
    match v.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// Exactly, or not at all.
fn decimal(v: &str, precision: u8, scale: u8) -> Option<i128> {
    let (negative, digits) = v.strip_prefix('-').map_or_else(|| (false, v.strip_prefix('+').unwrap_or(v)), |d| (true, d));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) || fraction.len() > scale as usize {
        return None;
    }
    let text = format!("{whole}{fraction:0<width$}", width = scale as usize);
    let value: i128 = text.parse().ok()?;
    (value < 10i128.checked_pow(u32::from(precision))?).then_some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{column, header, infer, plain};
    use dvt_planner::types::CanonicalType;

    #[test]
    fn types_are_found_in_dbts_order() {
        assert_eq!(infer(&["1", "", "-2"]), CanonicalType::Int(32));
        assert_eq!(infer(&["1", "3000000000"]), CanonicalType::Int(64));
        assert_eq!(infer(&["1", "2.5"]), CanonicalType::Float(64));
        assert_eq!(infer(&["2024-01-31", "null"]), CanonicalType::Date);
        assert_eq!(infer(&["2024-01-31", "2024-01-31 10:00:00"]), CanonicalType::Text);
        assert_eq!(infer(&["2024-01-31 10:00:00"]), CanonicalType::Timestamp);
        assert_eq!(infer(&["TRUE", "false"]), CanonicalType::Bool);
        assert_eq!(infer(&["007x", "1"]), CanonicalType::Text);
        assert_eq!(infer(&["inf", "nan"]), CanonicalType::Text);
        assert_eq!(infer(&["1.", "1e20"]), CanonicalType::Float(64));
        assert_eq!(infer(&["1e-5", "2"]), CanonicalType::Float(64));
        assert_eq!(infer(&["2024-01-01 00:00:00+02:00"]), CanonicalType::Text);
        assert_eq!(infer(&["24-1-5"]), CanonicalType::Text);
    }

    #[test]
    fn a_column_without_a_name_of_its_own_gets_one() {
        assert_eq!(header(&["a", "a", "", " b ", "a_2", "a"].map(str::to_owned)), ["a", "a_2", "c", "b", "a_2_2", "a_3"]);
    }

    #[test]
    fn other_forms_of_a_type_are_read_as_dbt_reads_them() {
        let read = |values: &[&str]| {
            let kind = infer(values);
            let texts = plain(values, kind);
            assert!(column(&texts.iter().map(AsRef::as_ref).collect::<Vec<_>>(), kind).is_ok(), "{values:?}");
            (kind, texts.join(" | "))
        };
        assert_eq!(read(&["1.0", "2e3", "-0", ".50e1", "1500e-2", ""]), (CanonicalType::Int(32), "1 | 2000 | -0 | 5 | 15 | ".to_owned()));
        assert_eq!(read(&["2024-1-5", "2024-12-15"]), (CanonicalType::Date, "2024-01-05 | 2024-12-15".to_owned()));
        assert_eq!(
            read(&["2024-01-01T00:00:00Z", "2024-01-02T00:00:00.5+02:00", "2024-01-03T10:00", "null"]),
            (CanonicalType::Timestamp, "2024-01-01 00:00:00 | 2024-01-02 00:00:00.500 | 2024-01-03 10:00:00 | null".to_owned())
        );
        assert_eq!(read(&["2024-1-5 1:2:3"]), (CanonicalType::Timestamp, "2024-01-05 01:02:03".to_owned()));
    }

    #[test]
    fn a_decimal_is_exact_or_named_by_its_row() {
        assert!(column(&["1.50", "-0.1", ""], CanonicalType::Decimal(5, 2)).is_ok());
        assert_eq!(column(&["1.5", "1.005"], CanonicalType::Decimal(5, 2)).unwrap_err(), (1, "1.005".to_owned()));
        assert_eq!(column(&["2024-01-01", "2024-02-30"], CanonicalType::Date).unwrap_err(), (1, "2024-02-30".to_owned()));
    }
}
