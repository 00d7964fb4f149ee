//! Columns as a driver delivers them into the types that were planned: exactly, or not at all.
//!
//! A driver chooses its own Arrow types (decimals as text, other widths, other units). What is converted here keeps every
//! value, proved by converting it back; all else is an error that names the column. Text of a number is never carried as text
//! where a number was planned.

use crate::cell::{Cell, CellColumn};
use crate::error::{EngineError, ErrorKind};
use arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryBuilder, StringArray, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Date32Type, Field, Time64MicrosecondType, TimeUnit, TimestampMicrosecondType};
use std::fmt::Write;
use std::sync::Arc;

/// Names an Arrow extension among a field's metadata.
const EXTENSION: &str = "ARROW:extension:name";
const OPAQUE: &str = "arrow.opaque";
const UUID: &str = "arrow.uuid";

/// -9999-01-01 in days and microseconds since 1970: no product goes further back, but sums that overflowed in a driver do.
const FIRST_DAY: i32 = -4_371_587;
const FIRST_INSTANT: i64 = FIRST_DAY as i64 * 86_400_000_000;

/// The extension that a driver marked a column with.
pub fn extension(field: &Field) -> Option<&str> {
    field.metadata().get(EXTENSION).map(String::as_str)
}

/// Whether the driver has no Arrow type for the column's values and hands over something in their place.
pub fn is_opaque(field: &Field) -> bool {
    extension(field) == Some(OPAQUE)
}

/// One column of one batch. `row`: how many rows came before it, for messages.
pub(super) fn exact(array: &ArrayRef, told: &Field, want: &Field, row: u64) -> Result<ArrayRef, EngineError> {
    let kept = converted(array, told, want, row)?;
    in_range(&kept, want)?;
    Ok(kept)
}

fn refused(told: &Field, want: &Field, from: &DataType) -> EngineError {
    let shown = extension(told).map_or_else(|| from.to_string(), |e| format!("{from} ({e})"));
    EngineError::new(ErrorKind::Type, format!("column `{}`: the driver delivers {shown}, which is not exactly {}", want.name(), want.data_type()))
        .hint("cast the column in the query to a type that both have")
}

fn cast(array: &ArrayRef, to: &DataType) -> Option<ArrayRef> {
    cast_with_options(array, to, &CastOptions { safe: false, ..CastOptions::default() }).ok()
}

fn converted(array: &ArrayRef, told: &Field, want: &Field, row: u64) -> Result<ArrayRef, EngineError> {
    use DataType as D;
    let (from, to) = (array.data_type(), want.data_type());
    let inexact = || {
        EngineError::new(ErrorKind::Type, format!("column `{}`: a value does not fit {to} exactly", want.name()))
            .hint("correct the value at the source, or cast the column in the query")
    };
    match (from, to) {
        // Bytes of a form that only the product knows.
        (D::Binary | D::LargeBinary | D::BinaryView, _) if is_opaque(told) => Err(refused(told, want, from)),
        _ if from == to => Ok(array.clone()),
        (D::Null, _) => Ok(new_null_array(to, array.len())),
        (D::Dictionary(_, values), _) => converted(&cast(array, values).ok_or_else(inexact)?, told, want, row),
        (D::LargeUtf8 | D::Utf8View, _) => converted(&cast(array, &D::Utf8).ok_or_else(inexact)?, told, want, row),
        (D::FixedSizeBinary(16), D::Utf8) if extension(told) == Some(UUID) => Ok(Arc::new(uuids(array))),
        (D::LargeBinary | D::BinaryView | D::FixedSizeBinary(_), D::Binary) | (D::Float32, D::Float64) => cast(array, to).ok_or_else(inexact),
        (D::Utf8, _) => {
            let mut column = CellColumn::new(want)?;
            for (i, text) in array.as_string::<i32>().iter().enumerate() {
                column.push(text.map_or(Cell::Null, Cell::Text), row + i as u64 + 1)?;
            }
            Ok(column.finish())
        }
        // The same kind of thing in another width, scale or unit.
        _ if kind(from).is_some() && kind(from) == kind(to) => {
            let there = cast(array, to).ok_or_else(inexact)?;
            let back = cast(&there, from).ok_or_else(inexact)?;
            if back.as_ref() == array.as_ref() { Ok(there) } else { Err(inexact()) }
        }
        _ => Err(refused(told, want, from)),
    }
}

/// Kinds whose members have values in common that a cast keeps.
#[derive(PartialEq, Eq)]
enum Kind {
    Number,
    Day,
    Time,
    Timestamp,
    Instant,
}

fn kind(data: &DataType) -> Option<Kind> {
    use DataType as D;
    Some(match data {
        D::Int8 | D::Int16 | D::Int32 | D::Int64 | D::UInt8 | D::UInt16 | D::UInt32 | D::UInt64 | D::Decimal128(..) => Kind::Number,
        D::Date32 | D::Date64 => Kind::Day,
        D::Time32(_) | D::Time64(_) => Kind::Time,
        D::Timestamp(_, None) => Kind::Timestamp,
        D::Timestamp(_, Some(_)) => Kind::Instant,
        _ => return None,
    })
}

/// What a driver made of a value beyond its own numbers ("infinity" is one) lies before all calendars.
fn in_range(array: &ArrayRef, want: &Field) -> Result<(), EngineError> {
    let beyond = match array.data_type() {
        DataType::Date32 => array.as_primitive::<Date32Type>().iter().flatten().any(|day| day < FIRST_DAY),
        // A clock without a day ends before 24:00.
        DataType::Time64(TimeUnit::Microsecond) => array.as_primitive::<Time64MicrosecondType>().iter().flatten().any(|at| !(0..86_400_000_000).contains(&at)),
        DataType::Timestamp(TimeUnit::Microsecond, _) => array.as_primitive::<TimestampMicrosecondType>().iter().flatten().any(|at| at < FIRST_INSTANT),
        _ => false,
    };
    if !beyond {
        return Ok(());
    }
    Err(EngineError::new(ErrorKind::Type, format!("column `{}`: a value is infinite, or outside the calendar or the clock that can be carried", want.name()))
        .hint("correct the value at the source, or cast the column to text in the query"))
}

fn uuids(array: &ArrayRef) -> StringArray {
    let one = |bytes: &[u8]| {
        bytes.iter().enumerate().fold(String::with_capacity(36), |mut text, (i, byte)| {
            if matches!(i, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            // Into a string nothing fails.
            let _ = write!(text, "{byte:02x}");
            text
        })
    };
    array.as_fixed_size_binary().iter().map(|value| value.map(one)).collect()
}

/// A column for a table whose column the driver describes as `into`; `meant` is the table's own type as it was planned.
///
/// # Errors
/// A driver writes what it is given as it stands: values of another type than the table's could be read as something else,
/// so all that is not the table's very type is refused.
pub(super) fn loadable(array: &ArrayRef, into: &Field, meant: &Field, row: u64) -> Result<ArrayRef, EngineError> {
    let plain = Field::new(meant.name(), array.data_type().clone(), true);
    let value = exact(array, &plain, meant, row)?;
    if meant.data_type() == into.data_type() || (is_opaque(into) && matches!(meant.data_type(), DataType::Decimal128(..))) {
        return Ok(value);
    }
    match (value.data_type(), into.data_type()) {
        (DataType::Utf8, DataType::FixedSizeBinary(16)) if extension(into) == Some(UUID) => from_uuids(&value, meant),
        _ => {
            let message = format!("column `{}`: the driver has {} for the table's column, which {} cannot be loaded into exactly", meant.name(), into.data_type(), meant.data_type());
            Err(EngineError::new(ErrorKind::Type, message).hint("cast the column in the model's SQL"))
        }
    }
}

fn from_uuids(array: &ArrayRef, meant: &Field) -> Result<ArrayRef, EngineError> {
    let mut out = FixedSizeBinaryBuilder::with_capacity(array.len(), 16);
    let wrong = |text: &str| EngineError::new(ErrorKind::Type, format!("column `{}`: `{text}` is no uuid", meant.name())).hint("correct the value, or cast the column to text");
    for text in array.as_string::<i32>() {
        let Some(text) = text else {
            out.append_null();
            continue;
        };
        let digits: Vec<u8> = text.bytes().filter(|b| *b != b'-').collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
        let bytes = bytes.filter(|b| b.len() == 16 && digits.len() == 32 && digits.iter().all(u8::is_ascii_hexdigit)).ok_or_else(|| wrong(text))?;
        out.append_value(bytes).map_err(|_| wrong(text))?;
    }
    Ok(Arc::new(out.finish()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{EXTENSION, exact, loadable};
    use arrow::array::{ArrayRef, AsArray, BinaryArray, Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray, TimestampNanosecondArray};
    use arrow::datatypes::{DataType, Decimal128Type, Field, TimeUnit};
    use std::sync::Arc;

    fn field(kind: DataType, extension: &str) -> Field {
        let field = Field::new("x", kind, true);
        if extension.is_empty() { field } else { field.with_metadata([(EXTENSION.to_owned(), extension.to_owned())].into()) }
    }

    fn told(array: ArrayRef, extension: &str, want: DataType) -> Result<ArrayRef, String> {
        let from = field(array.data_type().clone(), extension);
        exact(&array, &from, &field(want, ""), 0).map_err(|e| e.message)
    }

    #[test]
    fn a_number_that_comes_as_text_is_the_number_or_refused() {
        let numbers: ArrayRef = Arc::new(StringArray::from(vec![Some("12.50"), None, Some("-0.01")]));
        let out = told(numbers, "arrow.opaque", DataType::Decimal128(10, 2)).unwrap();
        assert_eq!(out.as_primitive::<Decimal128Type>(), &Decimal128Array::from(vec![Some(1250), None, Some(-1)]).with_precision_and_scale(10, 2).unwrap());
        for wrong in ["12.505", "nan", "123456789.00", ""] {
            assert!(told(Arc::new(StringArray::from(vec![wrong])), "arrow.opaque", DataType::Decimal128(10, 2)).unwrap_err().contains("`x`"), "{wrong}");
        }
    }

    #[test]
    fn widths_scales_and_units_change_only_without_loss() {
        let whole = |v: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![Some(v), None])) };
        assert!(told(whole(40_000), "", DataType::Int16).is_err() && told(whole(-1), "", DataType::UInt32).is_err());
        assert!(told(whole(7), "", DataType::Int16).is_ok() && told(whole(7), "", DataType::Decimal128(38, 18)).is_ok());
        let decimal = |v: i128| -> ArrayRef { Arc::new(Decimal128Array::from(vec![v]).with_precision_and_scale(12, 3).unwrap()) };
        assert!(told(decimal(1_250), "", DataType::Decimal128(10, 2)).is_ok());
        assert!(told(decimal(1_251), "", DataType::Decimal128(10, 2)).is_err(), "would round");
        assert!(told(decimal(1_251), "", DataType::Int64).is_err(), "would cut");
        let nanos = |v: i64| -> ArrayRef { Arc::new(TimestampNanosecondArray::from(vec![v])) };
        assert!(told(nanos(1_000), "", DataType::Timestamp(TimeUnit::Microsecond, None)).is_ok());
        assert!(told(nanos(1_001), "", DataType::Timestamp(TimeUnit::Microsecond, None)).is_err(), "finer than a microsecond");
        assert!(told(nanos(1_000), "", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))).is_err(), "no instant");
        assert!(told(Arc::new(Float64Array::from(vec![0.1])), "", DataType::Decimal128(10, 2)).is_err(), "no decimal");
    }

    #[test]
    fn what_a_driver_cannot_say_is_refused() {
        let raw: ArrayRef = Arc::new(BinaryArray::from(vec![b"<a/>".as_slice()]));
        assert!(told(raw.clone(), "arrow.opaque", DataType::Utf8).unwrap_err().contains("arrow.opaque"));
        assert!(told(raw.clone(), "arrow.opaque", DataType::Binary).is_err());
        assert!(told(raw, "", DataType::Binary).is_ok());
        // 'infinity' after a driver's overflow.
        assert!(told(Arc::new(TimestampMicrosecondArray::from(vec![-9_222_425_352_054_775_809 + 1])), "", DataType::Timestamp(TimeUnit::Microsecond, None)).is_err());
        assert!(told(Arc::new(Date32Array::from(vec![-2_147_472_692])), "", DataType::Date32).is_err());
        assert!(told(Arc::new(Date32Array::from(vec![-2_440_550, 2_145_042_905])), "", DataType::Date32).is_ok());
    }

    #[test]
    fn only_the_tables_very_type_is_loaded() {
        let load = |array: ArrayRef, into: Field, meant: DataType| loadable(&array, &into, &Field::new("x", meant, true), 0).map_err(|e| e.message);
        let whole: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        assert!(load(whole.clone(), field(DataType::Float64, ""), DataType::Float64).is_err(), "eight bytes are no double");
        assert!(load(whole.clone(), field(DataType::Int64, ""), DataType::Int64).is_ok());
        assert_eq!(load(whole, field(DataType::Utf8, "arrow.opaque"), DataType::Decimal128(20, 0)).unwrap().data_type(), &DataType::Decimal128(20, 0));
        let text: ArrayRef = Arc::new(StringArray::from(vec!["00000000-0000-0000-0000-0000000000ff"]));
        let stored = load(text, field(DataType::FixedSizeBinary(16), "arrow.uuid"), DataType::Utf8).unwrap();
        assert_eq!(stored.as_fixed_size_binary().value(0)[15], 255);
        assert!(load(Arc::new(StringArray::from(vec!["x"])), field(DataType::FixedSizeBinary(16), "arrow.uuid"), DataType::Utf8).is_err());
    }
}
