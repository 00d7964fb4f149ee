//! The type of a seed's column from its values, in dbt's order: integer, number, date, timestamp, truth value,
//! text; and the column as Arrow data of that type.
//!
//! An empty field and `null` are NULL in every type.

use arrow::array::{ArrayRef, BooleanArray, Decimal128Array, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::DataType;
use dvt_federation::arrow_type;
use dvt_planner::types::CanonicalType;
use std::sync::Arc;

/// The first type that every value has.
pub fn infer(values: &[&str]) -> CanonicalType {
    let every = |test: &dyn Fn(&str) -> bool| values.iter().filter(|v| !is_null(v)).all(|v| test(v.trim()));
    if every(&|v| is_integer(v) && v.parse::<i32>().is_ok()) {
        CanonicalType::Int(32)
    } else if every(&|v| is_integer(v) && v.parse::<i64>().is_ok()) {
        CanonicalType::Int(64)
    } else if every(&is_number) {
        CanonicalType::Float(64)
    } else if every(&is_date) {
        CanonicalType::Date
    } else if every(&is_timestamp) {
        CanonicalType::Timestamp
    } else if every(&|v| truth(v).is_some()) {
        CanonicalType::Bool
    } else {
        CanonicalType::Text
    }
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

fn is_date(v: &str) -> bool {
    v.len() == 10 && chrono::NaiveDate::parse_from_str(v, "%Y-%m-%d").is_ok()
}

fn is_timestamp(v: &str) -> bool {
    ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"].iter().any(|f| chrono::NaiveDateTime::parse_from_str(v, f).is_ok())
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
    use super::{column, infer};
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
    }

    #[test]
    fn a_decimal_is_exact_or_named_by_its_row() {
        assert!(column(&["1.50", "-0.1", ""], CanonicalType::Decimal(5, 2)).is_ok());
        assert_eq!(column(&["1.5", "1.005"], CanonicalType::Decimal(5, 2)).unwrap_err(), (1, "1.005".to_owned()));
        assert_eq!(column(&["2024-01-01", "2024-02-30"], CanonicalType::Date).unwrap_err(), (1, "2024-02-30".to_owned()));
    }
}
