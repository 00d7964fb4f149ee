//! The Arrow form of each canonical type: one home for the pair.

use arrow::datatypes::{DataType, Field, IntervalUnit, Schema, SchemaRef, TimeUnit};
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

/// The schema of a scan's stream.
pub fn schema(columns: &[ScanColumn]) -> SchemaRef {
    let fields: Vec<Field> = columns.iter().map(|c| Field::new(&c.name, arrow_type(c.canonical), true)).collect();
    Arc::new(Schema::new(fields))
}
