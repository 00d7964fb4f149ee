//! The Arrow form of each canonical type: one home for the pair.

use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use dvt_planner::types::CanonicalType;

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
