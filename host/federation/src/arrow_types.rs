//! The Arrow form of each canonical type: one home for the pair.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, IntervalUnit, Schema, SchemaRef, TimeUnit};
use dvt_engine::{EngineError, ErrorKind};
use dvt_planner::ir::ScanColumn;
use dvt_planner::types::CanonicalType;
use std::sync::Arc;

/// The Arrow type that a column of `kind` has between its source and the compute.
pub fn arrow_type(kind: CanonicalType) -> DataType {
    match kind {
        CanonicalType::Bool => DataType::Boolean,
        CanonicalType::Int(8) => DataType::Int8,
        CanonicalType::Int(16) => DataType::Int16,
        CanonicalType::Int(32) => DataType::Int32,
        CanonicalType::Int(_) => DataType::Int64,
        CanonicalType::UInt(8) => DataType::UInt8,
        CanonicalType::UInt(16) => DataType::UInt16,
        CanonicalType::UInt(32) => DataType::UInt32,
        CanonicalType::UInt(_) => DataType::UInt64,
        CanonicalType::Float(32) => DataType::Float32,
        CanonicalType::Float(_) => DataType::Float64,
        CanonicalType::Decimal(p, s) => DataType::Decimal128(p, s as i8),
        // Text in all its forms: the sink gives uuid and json their type back.
        CanonicalType::Text | CanonicalType::Uuid | CanonicalType::Json => DataType::Utf8,
        CanonicalType::Bytes => DataType::Binary,
        CanonicalType::Date => DataType::Date32,
        CanonicalType::Time => DataType::Time64(TimeUnit::Microsecond),
        CanonicalType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        CanonicalType::TimestampTz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        CanonicalType::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
    }
}

/// The canonical type of Arrow data whose origin says no more; None for what dvt does not carry.
pub fn canonical_type(data: &DataType) -> Option<CanonicalType> {
    Some(match data {
        DataType::Boolean => CanonicalType::Bool,
        DataType::Int8 => CanonicalType::Int(8),
        DataType::Int16 => CanonicalType::Int(16),
        DataType::Int32 => CanonicalType::Int(32),
        DataType::Int64 => CanonicalType::Int(64),
        DataType::UInt8 => CanonicalType::UInt(8),
        DataType::UInt16 => CanonicalType::UInt(16),
        DataType::UInt32 => CanonicalType::UInt(32),
        DataType::UInt64 => CanonicalType::UInt(64),
        DataType::Float32 => CanonicalType::Float(32),
        DataType::Float64 => CanonicalType::Float(64),
        DataType::Decimal128(p, s) if *s >= 0 => CanonicalType::Decimal(*p, *s as u8),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => CanonicalType::Text,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => CanonicalType::Bytes,
        DataType::Date32 => CanonicalType::Date,
        DataType::Time64(TimeUnit::Microsecond) => CanonicalType::Time,
        DataType::Timestamp(TimeUnit::Microsecond, None) => CanonicalType::Timestamp,
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => CanonicalType::TimestampTz,
        DataType::Interval(_) => CanonicalType::Interval,
        DataType::Dictionary(_, value) => return canonical_type(value),
        // A column of nothing but NULL: text holds it everywhere.
        DataType::Null => CanonicalType::Text,
        _ => return None,
    })
}

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
        (from, to) => from.is_integer() && to.is_integer(),
    }
}
