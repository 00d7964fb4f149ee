//! Schemas of streams, and batches that must have one.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use dvt_engine::{EngineError, ErrorKind};
use dvt_planner::ir::ScanColumn;
use dvt_plugin_host::arrow_type;
use std::sync::Arc;

/// The schema of a scan's stream.
pub fn schema(columns: &[ScanColumn]) -> SchemaRef {
    let fields: Vec<Field> = columns.iter().map(|c| Field::new(&c.name, arrow_type(c.canonical), true)).collect();
    Arc::new(Schema::new(fields))
}

/// The batch with exactly the types of `want`.
///
/// # Errors
/// A column whose type is another one in substance: only the layout may change here, never a value.
pub(crate) fn conform(batch: &RecordBatch, want: &SchemaRef) -> Result<RecordBatch, EngineError> {
    if batch.num_columns() != want.fields().len() {
        let message = format!("the result has {} columns, {} were described", batch.num_columns(), want.fields().len());
        return Err(EngineError::new(ErrorKind::Statement, message));
    }
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(batch.num_columns());
    for (column, field) in batch.columns().iter().zip(want.fields()) {
        if column.data_type() == field.data_type() {
            columns.push(Arc::clone(column));
            continue;
        }
        let refuse = |why: &str| {
            let message = format!("column `{}` came as {}, {} was described{why}", field.name(), column.data_type(), field.data_type());
            EngineError::new(ErrorKind::Type, message)
        };
        if !exact(column.data_type(), field.data_type()) {
            return Err(refuse(""));
        }
        let options = CastOptions { safe: false, ..CastOptions::default() };
        columns.push(cast_with_options(column, field.data_type(), &options).map_err(|e| refuse(&format!(": {e}")))?);
    }
    RecordBatch::try_new(Arc::clone(want), columns).map_err(|e| EngineError::new(ErrorKind::Type, e.to_string()))
}

/// Whether every value of `from` is a value of `to`, or the cast fails.
fn exact(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (DataType::Null, _) => true,
        (DataType::Dictionary(_, value), to) => **value == *to || exact(value, to),
        (DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View, DataType::Utf8)
        | (DataType::Binary | DataType::LargeBinary | DataType::BinaryView, DataType::Binary) => true,
        (DataType::Timestamp(TimeUnit::Microsecond, Some(_)), DataType::Timestamp(TimeUnit::Microsecond, Some(_))) => true,
        // Same scale, checked precision: no digit is lost, too many digits fail.
        (DataType::Decimal128(_, from), DataType::Decimal128(_, to)) => from == to,
        // An engine without unsigned numbers of 64 bits holds them so.
        (DataType::Decimal128(_, 0), to) if to.is_integer() => true,
        (from, to) => from.is_integer() && to.is_integer(),
    }
}
