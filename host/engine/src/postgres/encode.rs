//! Arrow batches into COPY's binary stream.

use super::numeric;
use super::types::{Wire, element, numeric_modifier, wire};
use crate::error::{EngineError, ErrorKind};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    IntervalMonthDayNanoType, IntervalUnit, SchemaRef, Time64MicrosecondType, TimeUnit, TimestampMicrosecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use postgres::types::Type;

const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// The stream's first bytes: signature, flags, no header extension.
pub const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// The stream's last bytes.
pub const TRAILER: [u8; 2] = (-1i16).to_be_bytes();

/// How one Arrow column becomes one PostgreSQL column.
pub struct Encoder {
    columns: Vec<Column>,
}

struct Column {
    name: String,
    wire: Wire,
    /// The element type's oid, when the column is an array.
    element: Option<u32>,
    /// Digits behind the point that the table keeps: the server would round further ones without a word.
    scale: Option<i16>,
}

impl Encoder {
    /// # Errors
    /// Names the first column whose Arrow type does not fit the table's type; nothing has moved by then.
    pub fn new(table: &[(String, Type, i32)], schema: &SchemaRef) -> Result<Self, EngineError> {
        let columns = schema
            .fields()
            .iter()
            .zip(table)
            .map(|(field, (name, kind, modifier))| {
                let (from, to, element) = match (field.data_type(), element(kind)) {
                    (DataType::List(item), Some(member)) => (item.data_type(), member, Some(member.oid())),
                    (from, _) => (from, kind, None),
                };
                let Some(wire) = wire(to).filter(|w| fits(from, *w, to)) else {
                    let message =
                        format!("column `{name}` of the table is {}, the rows hold {}", kind.name(), field.data_type());
                    return Err(EngineError::new(ErrorKind::Type, message).hint("cast the column in the model"));
                };
                let scale = numeric_modifier(*modifier).filter(|_| wire == Wire::Numeric).map(|(_, scale)| scale);
                Ok(Column { name: name.clone(), wire, element, scale })
            })
            .collect::<Result<Vec<_>, _>>()?;
        if columns.len() != schema.fields().len() {
            return Err(EngineError::new(ErrorKind::Statement, "the table has fewer columns than the rows"));
        }
        Ok(Self { columns })
    }

    /// Appends every row of `batch` to `out`.
    pub fn rows(&self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), EngineError> {
        for row in 0..batch.num_rows() {
            out.extend_from_slice(&(self.columns.len() as i16).to_be_bytes());
            for (array, column) in batch.columns().iter().zip(&self.columns) {
                let refused = |why| EngineError::new(ErrorKind::Type, format!("column `{}`: {why}", column.name));
                sized(array.as_ref(), row, out, |out| match column.element {
                    Some(oid) => list(array.as_list::<i32>().value(row).as_ref(), column, oid, out),
                    None => value(array.as_ref(), row, column, out),
                })
                .map_err(refused)?;
            }
        }
        Ok(())
    }
}

/// Appends a length and what `write` appends; NULL is the length -1.
fn sized(
    array: &dyn Array,
    row: usize,
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), &'static str>,
) -> Result<(), &'static str> {
    if array.is_null(row) {
        out.extend_from_slice(&(-1i32).to_be_bytes());
        return Ok(());
    }
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out)?;
    let size = i32::try_from(out.len() - start - 4).map_err(|_| "a value is larger than 2 GB")?;
    out[start..start + 4].copy_from_slice(&size.to_be_bytes());
    Ok(())
}

/// An array of one dimension, or of none when it is empty.
fn list(items: &dyn Array, column: &Column, oid: u32, out: &mut Vec<u8>) -> Result<(), &'static str> {
    let count = i32::try_from(items.len()).map_err(|_| "a list is too long")?;
    out.extend_from_slice(&i32::from(count > 0).to_be_bytes());
    out.extend_from_slice(&i32::from(items.null_count() > 0).to_be_bytes());
    out.extend_from_slice(&oid.to_be_bytes());
    if count > 0 {
        out.extend_from_slice(&count.to_be_bytes());
        out.extend_from_slice(&1i32.to_be_bytes());
    }
    for i in 0..items.len() {
        sized(items, i, out, |out| value(items, i, column, out))?;
    }
    Ok(())
}

fn fits(from: &DataType, to: Wire, kind: &Type) -> bool {
    use DataType::{
        Binary, Boolean, Date32, Decimal128, Float32, Float64, Int8, Int16, Int32, Int64, Interval, LargeUtf8, Time64,
        Timestamp, UInt8, UInt16, UInt32, UInt64, Utf8, Utf8View,
    };
    match to {
        Wire::Bool => *from == Boolean,
        Wire::Int2 => matches!(from, Int8 | Int16 | UInt8),
        Wire::Int4 => matches!(from, Int8 | Int16 | Int32 | UInt8 | UInt16),
        Wire::Int8 => matches!(from, Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32),
        Wire::Oid => *from == UInt32,
        Wire::Float4 => *from == Float32,
        Wire::Float8 => matches!(from, Float32 | Float64),
        // The server checks precision; a scale it would round is refused value by value.
        Wire::Numeric => {
            matches!(from, Decimal128(..) | Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64)
        }
        Wire::Text | Wire::Jsonb | Wire::Uuid => matches!(from, Utf8 | LargeUtf8 | Utf8View),
        Wire::Char => false,
        Wire::Bytea => *from == Binary,
        Wire::Date => *from == Date32,
        Wire::Time => *from == Time64(TimeUnit::Microsecond),
        Wire::Timestamp => {
            matches!(from, Timestamp(TimeUnit::Microsecond, zone) if zone.is_some() == (*kind == Type::TIMESTAMPTZ))
        }
        Wire::Interval => *from == Interval(IntervalUnit::MonthDayNano),
    }
}

fn text(array: &dyn Array, row: usize) -> &str {
    match array.data_type() {
        DataType::LargeUtf8 => array.as_string::<i64>().value(row),
        DataType::Utf8View => array.as_string_view().value(row),
        _ => array.as_string::<i32>().value(row),
    }
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

fn value(array: &dyn Array, row: usize, column: &Column, out: &mut Vec<u8>) -> Result<(), &'static str> {
    match column.wire {
        Wire::Bool => out.push(u8::from(array.as_boolean().value(row))),
        Wire::Int2 => out.extend_from_slice(&(integer(array, row) as i16).to_be_bytes()),
        Wire::Int4 => out.extend_from_slice(&(integer(array, row) as i32).to_be_bytes()),
        Wire::Oid => out.extend_from_slice(&(integer(array, row) as u32).to_be_bytes()),
        Wire::Int8 => out.extend_from_slice(&(integer(array, row) as i64).to_be_bytes()),
        Wire::Float4 => out.extend_from_slice(&array.as_primitive::<Float32Type>().value(row).to_be_bytes()),
        Wire::Float8 => {
            let value = match array.data_type() {
                DataType::Float32 => f64::from(array.as_primitive::<Float32Type>().value(row)),
                _ => array.as_primitive::<Float64Type>().value(row),
            };
            out.extend_from_slice(&value.to_be_bytes());
        }
        Wire::Numeric => match array.data_type() {
            DataType::Decimal128(_, scale) => {
                let scale = u32::try_from(*scale).map_err(|_| "a negative scale cannot be loaded")?;
                let value = array.as_primitive::<Decimal128Type>().value(row);
                let cut = column.scale.map_or(0, |kept| (i64::from(scale) - i64::from(kept)).clamp(0, 38) as u32);
                if value % 10i128.pow(cut) != 0 {
                    return Err("a decimal has more digits behind the point than the table's column keeps");
                }
                numeric::encode(value, scale, out);
            }
            _ => {
                let value = integer(array, row);
                let cut = column.scale.map_or(0, |kept| i64::from(-kept).clamp(0, 38) as u32);
                if value % 10i128.pow(cut) != 0 {
                    return Err("a number has more digits than the table's column keeps");
                }
                numeric::encode(value, 0, out);
            }
        },
        Wire::Text => {
            let text = text(array, row);
            if text.contains('\0') {
                return Err("PostgreSQL text cannot hold the character NUL");
            }
            out.extend_from_slice(text.as_bytes());
        }
        Wire::Jsonb => {
            out.push(1);
            out.extend_from_slice(text(array, row).as_bytes());
        }
        Wire::Uuid => {
            let hex: String = text(array, row).chars().filter(|c| *c != '-').collect();
            let value = (hex.len() == 32).then(|| u128::from_str_radix(&hex, 16).ok()).flatten();
            out.extend_from_slice(&value.ok_or("a text is no uuid")?.to_be_bytes());
        }
        Wire::Char => return Err("the type \"char\" cannot be loaded"),
        Wire::Bytea => out.extend_from_slice(array.as_binary::<i32>().value(row)),
        Wire::Date => {
            let days = array.as_primitive::<Date32Type>().value(row).checked_sub(EPOCH_DAYS).ok_or("a date is out of range")?;
            out.extend_from_slice(&days.to_be_bytes());
        }
        Wire::Time => out.extend_from_slice(&array.as_primitive::<Time64MicrosecondType>().value(row).to_be_bytes()),
        Wire::Timestamp => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
            // What the embedded engine's infinity is in Arrow: a year of its own it must not become.
            if micros == i64::MAX || micros == -i64::MAX {
                return Err("an infinite timestamp cannot be loaded");
            }
            let micros = micros.checked_sub(EPOCH_MICROS).ok_or("a timestamp is out of range")?;
            out.extend_from_slice(&micros.to_be_bytes());
        }
        Wire::Interval => {
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
