//! Rows of the binary protocol into Arrow columns of wanted types: exactly, or not at all.

use crate::BATCH_ROWS;
use crate::builder::Builder;
use crate::error::{EngineError, ErrorKind};
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringBuilder};
use arrow::datatypes::{DataType, SchemaRef};
use chrono::NaiveDate;
use mysql::consts::ColumnType;
use mysql::{Column, Row, Value};
use std::fmt::Write;

/// Collects rows into batches of a wanted schema.
pub(super) struct Decoder {
    schema: SchemaRef,
    builders: Vec<Builder>,
    /// Columns whose bytes are one big-endian number.
    bits: Vec<bool>,
    filled: usize,
    rows: u64,
}

impl Decoder {
    pub(super) fn new(columns: &[Column], want: &SchemaRef) -> Result<Self, EngineError> {
        if columns.len() != want.fields().len() {
            let message = format!("the query has {} columns, {} were planned", columns.len(), want.fields().len());
            return Err(EngineError::new(ErrorKind::Statement, message));
        }
        let builders = want.fields().iter().map(|f| Builder::of(f)).collect::<Result<_, _>>()?;
        let bits = columns.iter().map(|c| c.column_type() == ColumnType::MYSQL_TYPE_BIT).collect();
        Ok(Self { schema: want.clone(), builders, bits, filled: 0, rows: 0 })
    }

    /// Takes one row; a batch when it is full.
    pub(super) fn push(&mut self, row: Row) -> Result<Option<RecordBatch>, EngineError> {
        self.rows += 1;
        for (i, value) in row.unwrap().into_iter().enumerate() {
            if append(&mut self.builders[i], &value, self.bits[i]).is_none() {
                return Err(self.refused(i, &value));
            }
        }
        self.filled += 1;
        if self.filled == BATCH_ROWS { self.finish().map(Some) } else { Ok(None) }
    }

    /// The rows collected so far.
    pub(super) fn finish(&mut self) -> Result<RecordBatch, EngineError> {
        let options = RecordBatchOptions::new().with_row_count(Some(self.filled));
        self.filled = 0;
        let arrays: Vec<ArrayRef> = self.builders.iter_mut().map(Builder::finish).collect();
        RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options).map_err(|e| EngineError::new(ErrorKind::Type, e.to_string()))
    }

    fn refused(&self, column: usize, value: &Value) -> EngineError {
        let field = self.schema.field(column);
        let what = match value {
            Value::Date(y, m, d, ..) if NaiveDate::from_ymd_opt(i32::from(*y), u32::from(*m), u32::from(*d)).is_none() || *y == 0 => {
                format!("{y:04}-{m:02}-{d:02} is no date of the calendar")
            }
            Value::Time(..) => "a time below zero or of a day and more is no time of day".to_owned(),
            Value::Bytes(_) if *field.data_type() == DataType::Utf8 => "the text is not valid UTF-8".to_owned(),
            _ => format!("the value does not fit {} exactly", field.data_type()),
        };
        EngineError::new(ErrorKind::Type, format!("column `{}`, row {}: {what}", field.name(), self.rows))
            .hint("correct the value at the source, or cast the column in the query")
    }
}

/// None when the value does not fit exactly.
fn append(builder: &mut Builder, value: &Value, bits: bool) -> Option<()> {
    if *value == Value::NULL {
        builder.append_null();
        return Some(());
    }
    match builder {
        Builder::Bool(b) => b.append_value(match whole(value, bits)? {
            0 => false,
            1 => true,
            _ => return None,
        }),
        Builder::I8(b) => b.append_value(whole(value, bits)?.try_into().ok()?),
        Builder::I16(b) => b.append_value(whole(value, bits)?.try_into().ok()?),
        Builder::I32(b) => b.append_value(whole(value, bits)?.try_into().ok()?),
        Builder::I64(b) => b.append_value(whole(value, bits)?.try_into().ok()?),
        Builder::U8(b) => b.append_value(whole(value, bits)?.try_into().ok()?),
        Builder::U16(b) => b.append_value(whole(value, bits)?.try_into().ok()?),
        Builder::U32(b) => b.append_value(whole(value, bits)?.try_into().ok()?),
        Builder::U64(b) => b.append_value(whole(value, bits)?.try_into().ok()?),
        Builder::F32(b) => match value {
            Value::Float(v) => b.append_value(*v),
            _ => return None,
        },
        Builder::F64(b) => match value {
            Value::Double(v) => b.append_value(*v),
            Value::Float(v) => b.append_value(f64::from(*v)),
            _ => return None,
        },
        Builder::Decimal(b, precision, scale) => b.append_value(decimal(value, *precision, *scale)?),
        Builder::Text(b) => text(b, value, bits)?,
        Builder::Bytes(b) => match value {
            Value::Bytes(v) => b.append_value(v),
            _ => return None,
        },
        Builder::Date(b) => {
            let (days, clock) = instant(value)?;
            b.append_value(if clock == 0 { i32::try_from(days).ok()? } else { return None });
        }
        Builder::Time(b) => match value {
            Value::Time(false, 0, h, m, s, us) => b.append_value(micros(*h, *m, *s, *us)),
            _ => return None,
        },
        // With or without zone: sessions are in UTC.
        Builder::Timestamp(b) | Builder::Instant(b) => {
            let (days, clock) = instant(value)?;
            b.append_value(days * 86_400_000_000 + clock);
        }
    }
    Some(())
}

fn whole(value: &Value, bits: bool) -> Option<i128> {
    match value {
        Value::Int(v) => Some(i128::from(*v)),
        Value::UInt(v) => Some(i128::from(*v)),
        Value::Bytes(bytes) if bits && bytes.len() <= 8 => Some(bytes.iter().fold(0, |n, byte| n << 8 | i128::from(*byte))),
        _ => None,
    }
}

fn text(builder: &mut StringBuilder, value: &Value, bits: bool) -> Option<()> {
    match value {
        Value::Bytes(bytes) if !bits => builder.append_value(std::str::from_utf8(bytes).ok()?),
        Value::Time(negative, days, h, m, s, us) => {
            let hours = days * 24 + u32::from(*h);
            let mut shown = format!("{}{hours:02}:{m:02}:{s:02}", if *negative { "-" } else { "" });
            if *us > 0 {
                write!(shown, ".{us:06}").ok()?;
            }
            builder.append_value(shown);
        }
        _ => return None,
    }
    Some(())
}

fn micros(h: u8, m: u8, s: u8, us: u32) -> i64 {
    ((i64::from(h) * 60 + i64::from(m)) * 60 + i64::from(s)) * 1_000_000 + i64::from(us)
}

/// Days since 1970 and microseconds of the day; None for the product's dates that no calendar has.
fn instant(value: &Value) -> Option<(i64, i64)> {
    let Value::Date(y, m, d, h, min, s, us) = value else { return None };
    if *y == 0 {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(i32::from(*y), u32::from(*m), u32::from(*d))?;
    Some((date.signed_duration_since(NaiveDate::default()).num_days(), micros(*h, *min, *s, *us)))
}

/// Decimals come as text in both protocols.
fn decimal(value: &Value, precision: u8, scale: i8) -> Option<i128> {
    let bytes = match value {
        Value::Bytes(bytes) => bytes.as_slice(),
        Value::Int(v) => return scaled(i128::from(*v), precision, scale),
        Value::UInt(v) => return scaled(i128::from(*v), precision, scale),
        _ => return None,
    };
    let (negative, digits) = match bytes.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, bytes),
    };
    let scale = usize::try_from(scale).ok()?;
    let mut number: i128 = 0;
    let mut behind: Option<usize> = None;
    for byte in digits {
        match byte {
            b'.' if behind.is_none() => behind = Some(0),
            b'0'..=b'9' => {
                if let Some(count) = &mut behind {
                    if *count == scale {
                        // A further digit may only be a zero.
                        if *byte != b'0' {
                            return None;
                        }
                        continue;
                    }
                    *count += 1;
                }
                number = number.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
            }
            _ => return None,
        }
    }
    let number = number.checked_mul(10i128.checked_pow(u32::try_from(scale - behind.unwrap_or(0)).ok()?)?)?;
    let number = if negative { -number } else { number };
    (number.unsigned_abs() < 10u128.checked_pow(u32::from(precision))?).then_some(number)
}

fn scaled(value: i128, precision: u8, scale: i8) -> Option<i128> {
    let number = value.checked_mul(10i128.checked_pow(u32::try_from(scale).ok()?)?)?;
    (number.unsigned_abs() < 10u128.checked_pow(u32::from(precision))?).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::decimal;
    use mysql::Value;

    #[test]
    fn a_decimal_is_exact_or_refused() {
        let read = |text: &str, p, s| decimal(&Value::Bytes(text.as_bytes().to_vec()), p, s);
        assert_eq!(read("-12.30", 15, 2), Some(-1230));
        assert_eq!(read("7", 15, 2), Some(700));
        assert_eq!(read("0.10", 15, 1), Some(1));
        assert_eq!(read("0.11", 15, 1), None);
        assert_eq!(read("1000", 3, 0), None);
        assert_eq!(read("1e5", 15, 2), None);
    }
}
