//! Arrow rows as fields of LOAD DATA or values of INSERT; both say the same text.

use crate::error::{EngineError, ErrorKind};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, SchemaRef, Time64MicrosecondType,
    TimeUnit, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use chrono::{DateTime, Datelike, NaiveDate, Timelike};
use std::io::Write;

/// How a row is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A line of the file: tab-separated, `\N` for NULL, bytes in hex.
    File,
    /// `(…)` of an INSERT.
    Insert,
}

pub(super) struct Encoder {
    schema: SchemaRef,
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

impl Encoder {
    /// An error names the first column that has no exact form here.
    pub(super) fn new(schema: &SchemaRef) -> Result<Self, EngineError> {
        for field in schema.fields() {
            let known = matches!(
                field.data_type(),
                DataType::Boolean
                    | DataType::Int8
                    | DataType::Int16
                    | DataType::Int32
                    | DataType::Int64
                    | DataType::UInt8
                    | DataType::UInt16
                    | DataType::UInt32
                    | DataType::UInt64
                    | DataType::Float32
                    | DataType::Float64
                    | DataType::Decimal128(..)
                    | DataType::Utf8
                    | DataType::Binary
                    | DataType::Date32
                    | DataType::Time64(TimeUnit::Microsecond)
                    | DataType::Timestamp(TimeUnit::Microsecond, _)
            );
            if !known {
                let message = format!("column `{}`: this product has no exact form of {}", field.name(), field.data_type());
                return Err(EngineError::new(ErrorKind::Type, message).hint("cast the column to text in the model"));
            }
        }
        Ok(Self { schema: schema.clone() })
    }

    /// The columns of the table, in order.
    pub(super) fn names(&self) -> String {
        let names: Vec<String> = self.schema.fields().iter().map(|f| quoted(f.name())).collect();
        format!("({})", names.join(", "))
    }

    /// As `names`; bytes go through a variable, since a file has one character set for all of it.
    pub(super) fn columns(&self) -> String {
        let bytes = |i: usize| *self.schema.field(i).data_type() == DataType::Binary;
        let all = 0..self.schema.fields().len();
        let read: Vec<String> = all.clone().map(|i| if bytes(i) { format!("@dvt_{i}") } else { quoted(self.schema.field(i).name()) }).collect();
        let set: Vec<String> = all.filter(|i| bytes(*i)).map(|i| format!("{} = UNHEX(@dvt_{i})", quoted(self.schema.field(i).name()))).collect();
        let set = if set.is_empty() { String::new() } else { format!(" SET {}", set.join(", ")) };
        format!("({}){set}", read.join(", "))
    }

    pub(super) fn row(&self, batch: &RecordBatch, row: usize, form: Form, out: &mut Vec<u8>) -> Result<(), EngineError> {
        if form == Form::Insert {
            out.push(b'(');
        }
        for (i, column) in batch.columns().iter().enumerate() {
            if i > 0 {
                out.push(if form == Form::File { b'\t' } else { b',' });
            }
            if column.is_null(row) {
                out.extend_from_slice(if form == Form::File { b"\\N" } else { b"NULL" });
            } else {
                cell(column.as_ref(), row, form, out).map_err(|why| {
                    EngineError::new(ErrorKind::Type, format!("column `{}`: {why}", self.schema.field(i).name()))
                        .hint("map the value to another one, or cast the column, in the model")
                })?;
            }
        }
        out.push(if form == Form::File { b'\n' } else { b')' });
        Ok(())
    }
}

/// Writes into memory, which cannot fail.
macro_rules! put {
    ($out:expr, $($arguments:tt)*) => {{ let _ = write!($out, $($arguments)*); }};
}

fn cell(column: &dyn Array, row: usize, form: Form, out: &mut Vec<u8>) -> Result<(), String> {
    match column.data_type() {
        DataType::Boolean => out.push(if column.as_boolean().value(row) { b'1' } else { b'0' }),
        DataType::Int8 => put!(out, "{}", column.as_primitive::<Int8Type>().value(row)),
        DataType::Int16 => put!(out, "{}", column.as_primitive::<Int16Type>().value(row)),
        DataType::Int32 => put!(out, "{}", column.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => put!(out, "{}", column.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => put!(out, "{}", column.as_primitive::<UInt8Type>().value(row)),
        DataType::UInt16 => put!(out, "{}", column.as_primitive::<UInt16Type>().value(row)),
        DataType::UInt32 => put!(out, "{}", column.as_primitive::<UInt32Type>().value(row)),
        DataType::UInt64 => put!(out, "{}", column.as_primitive::<UInt64Type>().value(row)),
        // The double that a float is has a text of its own: read back as a double, it is that float again.
        DataType::Float32 => float(f64::from(column.as_primitive::<Float32Type>().value(row)), out)?,
        DataType::Float64 => float(column.as_primitive::<Float64Type>().value(row), out)?,
        DataType::Decimal128(_, scale) => decimal(column.as_primitive::<Decimal128Type>().value(row), *scale, out),
        DataType::Utf8 => text(column.as_string::<i32>().value(row), form, out),
        DataType::Binary => {
            if form == Form::Insert {
                out.extend_from_slice(b"x'");
            }
            for byte in column.as_binary::<i32>().value(row) {
                out.push(b"0123456789ABCDEF"[usize::from(byte >> 4)]);
                out.push(b"0123456789ABCDEF"[usize::from(byte & 15)]);
            }
            if form == Form::Insert {
                out.push(b'\'');
            }
        }
        DataType::Date32 => {
            let days = column.as_primitive::<Date32Type>().value(row);
            let date = NaiveDate::from_num_days_from_ce_opt(days.saturating_add(719_163)).ok_or("a date beyond the calendar")?;
            within(date)?;
            wrapped(form, out, |out| put!(out, "{:04}-{:02}-{:02}", date.year(), date.month(), date.day()));
        }
        DataType::Time64(_) => {
            let micros = column.as_primitive::<Time64MicrosecondType>().value(row);
            let seconds = micros / 1_000_000;
            wrapped(form, out, |out| put!(out, "{:02}:{:02}:{:02}.{:06}", seconds / 3600, seconds / 60 % 60, seconds % 60, micros % 1_000_000));
        }
        DataType::Timestamp(..) => {
            let micros = column.as_primitive::<TimestampMicrosecondType>().value(row);
            let at = DateTime::from_timestamp_micros(micros).ok_or("a timestamp beyond the calendar")?;
            within(at.date_naive())?;
            wrapped(form, out, |out| {
                put!(
                    out,
                    "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}",
                    at.year(),
                    at.month(),
                    at.day(),
                    at.hour(),
                    at.minute(),
                    at.second(),
                    at.nanosecond() / 1000
                );
            });
        }
        other => return Err(format!("this product has no exact form of {other}")),
    }
    Ok(())
}

fn wrapped(form: Form, out: &mut Vec<u8>, inner: impl FnOnce(&mut Vec<u8>)) {
    if form == Form::Insert {
        out.push(b'\'');
    }
    inner(out);
    if form == Form::Insert {
        out.push(b'\'');
    }
}

/// The product reads years of two digits and of five in ways of its own.
fn within(date: NaiveDate) -> Result<(), String> {
    if (1..=9999).contains(&date.year()) { Ok(()) } else { Err(format!("the year {} is not one of 1 to 9999", date.year())) }
}

fn float(value: f64, out: &mut Vec<u8>) -> Result<(), String> {
    if !value.is_finite() {
        return Err(format!("this product cannot hold {value}"));
    }
    put!(out, "{value:e}");
    Ok(())
}

fn decimal(value: i128, scale: i8, out: &mut Vec<u8>) {
    let scale = usize::try_from(scale).unwrap_or(0);
    if value < 0 {
        out.push(b'-');
    }
    let digits = value.unsigned_abs();
    if scale == 0 {
        put!(out, "{digits}");
    } else {
        let unit = 10u128.pow(scale as u32);
        put!(out, "{}.{:0scale$}", digits / unit, digits % unit);
    }
}

fn text(value: &str, form: Form, out: &mut Vec<u8>) {
    wrapped(form, out, |out| {
        for byte in value.bytes() {
            match byte {
                b'\\' => out.extend_from_slice(b"\\\\"),
                b'\t' => out.extend_from_slice(b"\\t"),
                b'\n' => out.extend_from_slice(b"\\n"),
                0 => out.extend_from_slice(b"\\0"),
                b'\'' if form == Form::Insert => out.extend_from_slice(b"\\'"),
                other => out.push(other),
            }
        }
    });
}
