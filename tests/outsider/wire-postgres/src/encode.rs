//! Arrow rows into COPY's binary form. What would not arrive exactly is refused.

use crate::decode::{DAYS, MICROS};
use crate::numeric;
use crate::types::{Column, Form};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, IntervalMonthDayNanoType,
    Time64MicrosecondType, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_schema::DataType;
use dvt_plugin_sdk::Failure;

pub const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
pub const TRAILER: [u8; 2] = [0xff, 0xff];

type Refusal = &'static str;

/// The batches of one IPC stream.
pub fn batches(ipc: &[u8]) -> Result<Vec<RecordBatch>, Failure> {
    let failed = |e: arrow_schema::ArrowError| Failure::new("DVT5008", format!("the host sent rows that are no Arrow: {e}"));
    StreamReader::try_new(ipc, None).map_err(failed)?.map(|b| b.map_err(failed)).collect()
}

/// Whether rows of `from` fit into the table's column; `from` is the canonical type's Arrow form.
pub fn fits(from: &DataType, column: &Column) -> bool {
    use DataType::{Binary, Boolean, Date32, Decimal128, Float32, Float64, Int8, Int16, Int32, Int64, Interval, Time64, Timestamp, UInt8, UInt16, UInt32, UInt64, Utf8};
    let Some(form) = column.form() else { return false };
    match form {
        Form::Bool => *from == Boolean,
        Form::Int2 => matches!(from, Int8 | Int16 | UInt8),
        Form::Int4 => matches!(from, Int8 | Int16 | Int32 | UInt8 | UInt16),
        Form::Int8 => matches!(from, Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32),
        Form::Oid => *from == UInt32,
        Form::Float4 => *from == Float32,
        Form::Float8 => matches!(from, Float32 | Float64),
        Form::Numeric => matches!(from, Decimal128(..) | Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64),
        Form::Text | Form::Jsonb | Form::Uuid => *from == Utf8,
        Form::Bytea => *from == Binary,
        Form::Date => *from == Date32,
        Form::Time => matches!(from, Time64(_)),
        Form::Timestamp => matches!(from, Timestamp(_, None)),
        Form::TimestampTz => matches!(from, Timestamp(_, Some(_))),
        Form::Interval => matches!(from, Interval(_)),
    }
}

/// Appends the batch's rows to `out`.
pub fn rows(batch: &RecordBatch, columns: &[Column], out: &mut Vec<u8>) -> Result<(), Failure> {
    if batch.num_columns() != columns.len() {
        return Err(Failure::new("DVT5104", "the rows have another number of columns than the table"));
    }
    for row in 0..batch.num_rows() {
        out.extend_from_slice(&(columns.len() as i16).to_be_bytes());
        for (array, column) in batch.columns().iter().zip(columns) {
            if array.is_null(row) {
                out.extend_from_slice(&(-1_i32).to_be_bytes());
                continue;
            }
            let start = out.len();
            out.extend_from_slice(&[0; 4]);
            value(array.as_ref(), row, column, out).map_err(|why| Failure::new("DVT002", format!("column `{}`: {why}", column.name)))?;
            let size = (out.len() - start - 4) as u32;
            out[start..start + 4].copy_from_slice(&size.to_be_bytes());
        }
    }
    Ok(())
}

fn integer(array: &dyn Array, row: usize) -> i128 {
    match array.data_type() {
        DataType::Int8 => array.as_primitive::<Int8Type>().value(row).into(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).into(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).into(),
        DataType::UInt8 => array.as_primitive::<UInt8Type>().value(row).into(),
        DataType::UInt16 => array.as_primitive::<UInt16Type>().value(row).into(),
        DataType::UInt32 => array.as_primitive::<UInt32Type>().value(row).into(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(row).into(),
        _ => array.as_primitive::<Int64Type>().value(row).into(),
    }
}

fn value(array: &dyn Array, row: usize, column: &Column, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let Some(form) = column.form() else { return Err("its type cannot be loaded") };
    match form {
        Form::Bool => out.push(u8::from(array.as_boolean().value(row))),
        Form::Int2 => out.extend_from_slice(&(integer(array, row) as i16).to_be_bytes()),
        Form::Int4 => out.extend_from_slice(&(integer(array, row) as i32).to_be_bytes()),
        Form::Int8 => out.extend_from_slice(&(integer(array, row) as i64).to_be_bytes()),
        Form::Oid => out.extend_from_slice(&(integer(array, row) as u32).to_be_bytes()),
        Form::Float4 => out.extend_from_slice(&array.as_primitive::<Float32Type>().value(row).to_be_bytes()),
        Form::Float8 => {
            let value = match array.data_type() {
                DataType::Float32 => f64::from(array.as_primitive::<Float32Type>().value(row)),
                _ => array.as_primitive::<Float64Type>().value(row),
            };
            out.extend_from_slice(&value.to_be_bytes());
        }
        Form::Numeric => {
            let (value, scale) = match array.data_type() {
                DataType::Decimal128(_, scale) => (array.as_primitive::<Decimal128Type>().value(row), u32::try_from(*scale).map_err(|_| "a negative scale cannot be loaded")?),
                _ => (integer(array, row), 0),
            };
            // The server would round further digits without a word.
            let cut = column.declared().map_or(0, |(_, kept)| (i64::from(scale) - i64::from(kept)).clamp(0, 38) as u32);
            if value % 10_i128.pow(cut) != 0 {
                return Err("a number has more digits than the table's column keeps");
            }
            numeric::encode(value, scale, out);
        }
        Form::Text | Form::Jsonb => {
            let text = array.as_string::<i32>().value(row);
            if text.contains('\0') {
                return Err("the product's text cannot hold the character NUL");
            }
            if form == Form::Jsonb {
                out.push(1);
            }
            out.extend_from_slice(text.as_bytes());
        }
        Form::Uuid => {
            let hex: String = array.as_string::<i32>().value(row).chars().filter(|c| *c != '-').collect();
            let value = u128::from_str_radix(&hex, 16).ok().filter(|_| hex.len() == 32).ok_or("a text is no uuid")?;
            out.extend_from_slice(&value.to_be_bytes());
        }
        Form::Bytea => out.extend_from_slice(array.as_binary::<i32>().value(row)),
        Form::Date => {
            let days = array.as_primitive::<Date32Type>().value(row).checked_sub(DAYS).ok_or("a date is out of range")?;
            out.extend_from_slice(&days.to_be_bytes());
        }
        Form::Time => out.extend_from_slice(&array.as_primitive::<Time64MicrosecondType>().value(row).to_be_bytes()),
        Form::Timestamp | Form::TimestampTz => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
            if micros == i64::MAX || micros == -i64::MAX {
                return Err("an infinite timestamp cannot be loaded");
            }
            out.extend_from_slice(&micros.checked_sub(MICROS).ok_or("a timestamp is out of range")?.to_be_bytes());
        }
        Form::Interval => {
            let interval = array.as_primitive::<IntervalMonthDayNanoType>().value(row);
            if interval.nanoseconds % 1000 != 0 {
                return Err("an interval is finer than a microsecond");
            }
            out.extend_from_slice(&(interval.nanoseconds / 1000).to_be_bytes());
            out.extend_from_slice(&interval.days.to_be_bytes());
            out.extend_from_slice(&interval.months.to_be_bytes());
        }
    }
    Ok(())
}
