//! Arrow batches into a wanted schema when nothing can be lost by it.

use crate::error::{EngineError, ErrorKind};
use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef, TimeUnit};

/// Whether every value of `from` is the same value in `to`.
#[expect(clippy::match_same_arms, clippy::unnested_or_patterns, reason = "one line a family of types, one line a source type")]
fn widens(from: &DataType, to: &DataType) -> bool {
    use DataType::{
        Binary, BinaryView, Decimal128, Dictionary, Float32, Float64, Int8, Int16, Int32, Int64, LargeBinary, LargeUtf8,
        List, Timestamp, UInt8, UInt16, UInt32, Utf8, Utf8View,
    };
    match (from, to) {
        (LargeUtf8 | Utf8View, Utf8) | (LargeBinary | BinaryView, Binary) | (Float32, Float64) => true,
        // Only the inner field's name may differ.
        (List(a), List(b)) => a.data_type() == b.data_type() || widens(a.data_type(), b.data_type()),
        (Dictionary(_, value), Utf8) => matches!(**value, Utf8 | LargeUtf8),
        (Int8, Int16 | Int32 | Int64)
        | (Int16, Int32 | Int64)
        | (Int32, Int64)
        | (UInt8, UInt16 | UInt32 | Int16 | Int32 | Int64)
        | (UInt16, UInt32 | Int32 | Int64)
        | (UInt32, Int64) => true,
        (Decimal128(p, s), Decimal128(q, t)) => t >= s && i16::from(*q) - i16::from(*t) >= i16::from(*p) - i16::from(*s),
        (Timestamp(TimeUnit::Second | TimeUnit::Millisecond, a), Timestamp(TimeUnit::Microsecond, b)) => a == b,
        _ => false,
    }
}

/// `batch` with the types of `want`, column by position.
///
/// # Errors
/// Names the column whose type would lose values, and counts that differ.
pub fn conform(batch: &RecordBatch, want: &SchemaRef) -> Result<RecordBatch, EngineError> {
    if batch.num_columns() != want.fields().len() {
        let message = format!("the query has {} columns, {} were planned", batch.num_columns(), want.fields().len());
        return Err(EngineError::new(ErrorKind::Statement, message));
    }
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (column, field) in batch.columns().iter().zip(want.fields()) {
        if column.data_type() == field.data_type() {
            columns.push(column.clone());
        } else if widens(column.data_type(), field.data_type()) {
            columns.push(cast(column, field.data_type()).map_err(|e| {
                EngineError::new(ErrorKind::Type, format!("column `{}`: {e}", field.name()))
            })?);
        } else {
            let message =
                format!("column `{}` arrives as {}, {} was planned", field.name(), column.data_type(), field.data_type());
            return Err(EngineError::new(ErrorKind::Type, message).hint("cast the column in the query"));
        }
    }
    RecordBatch::try_new(want.clone(), columns).map_err(|e| EngineError::new(ErrorKind::Type, e.to_string()))
}
