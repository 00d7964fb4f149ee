//! Which Arrow type carries which PostgreSQL type.

use crate::error::{EngineError, ErrorKind};
use arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};
use postgres::types::{Kind, Type};
use std::sync::Arc;

/// How the binary form of a column is read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    Bool,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Numeric,
    /// Bytes of UTF-8 as they are: text, varchar, bpchar, name, json, xml, enum labels.
    Text,
    /// A version byte, then text.
    Jsonb,
    Char,
    Bytea,
    Date,
    Time,
    Timestamp,
    Interval,
    Uuid,
}

/// The wire form of a type; None for one that is not carried.
pub fn wire(kind: &Type) -> Option<Wire> {
    if let Kind::Domain(base) = kind.kind() {
        return wire(base);
    }
    if matches!(kind.kind(), Kind::Enum(_)) {
        return Some(Wire::Text);
    }
    // An extension's: text but for its comparisons.
    if kind.name() == "citext" {
        return Some(Wire::Text);
    }
    Some(match *kind {
        Type::BOOL => Wire::Bool,
        Type::INT2 => Wire::Int2,
        Type::INT4 => Wire::Int4,
        Type::INT8 => Wire::Int8,
        Type::OID => Wire::Oid,
        Type::FLOAT4 => Wire::Float4,
        Type::FLOAT8 => Wire::Float8,
        Type::NUMERIC => Wire::Numeric,
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::JSON | Type::XML | Type::UNKNOWN => Wire::Text,
        Type::JSONB => Wire::Jsonb,
        Type::CHAR => Wire::Char,
        Type::BYTEA => Wire::Bytea,
        Type::DATE => Wire::Date,
        Type::TIME => Wire::Time,
        Type::TIMESTAMP | Type::TIMESTAMPTZ => Wire::Timestamp,
        Type::INTERVAL => Wire::Interval,
        Type::UUID => Wire::Uuid,
        _ => return None,
    })
}

/// The element type of an array; None for any other type.
pub fn element(kind: &Type) -> Option<&Type> {
    match kind.kind() {
        Kind::Array(member) => Some(member),
        Kind::Domain(base) => element(base),
        _ => None,
    }
}

/// Precision and scale of a NUMERIC's type modifier; None when undeclared.
pub fn numeric_modifier(modifier: i32) -> Option<(u16, i16)> {
    let packed = modifier.checked_sub(4).filter(|_| modifier >= 4)?;
    // Since version 15 the scale is 11 bits, signed.
    let scale = ((packed & 0x7ff) ^ 1024) - 1024;
    Some(((packed >> 16) as u16, scale as i16))
}

/// The Arrow type that holds the column exactly, for results whose types nobody planned.
pub fn natural(name: &str, kind: &Type, modifier: i32) -> Result<DataType, EngineError> {
    let refused = || {
        EngineError::new(ErrorKind::Type, format!("column `{name}`: the type {} cannot be carried", kind.name()))
            .hint(format!("cast it in the query, for instance `{name}::text`"))
    };
    if let Some(member) = element(kind) {
        let item = natural(name, member, modifier)?;
        return Ok(DataType::List(Arc::new(Field::new("item", item, true))));
    }
    Ok(match wire(kind).ok_or_else(refused)? {
        Wire::Bool => DataType::Boolean,
        Wire::Int2 => DataType::Int16,
        Wire::Int4 => DataType::Int32,
        Wire::Int8 => DataType::Int64,
        Wire::Oid => DataType::UInt32,
        Wire::Float4 => DataType::Float32,
        Wire::Float8 => DataType::Float64,
        Wire::Numeric => match numeric_modifier(modifier) {
            Some((p @ 1..=38, s)) if s >= 0 && i32::from(s) <= i32::from(p) => DataType::Decimal128(p as u8, s as i8),
            _ => DataType::Utf8,
        },
        Wire::Text | Wire::Jsonb | Wire::Char | Wire::Uuid => DataType::Utf8,
        Wire::Bytea => DataType::Binary,
        Wire::Date => DataType::Date32,
        Wire::Time => DataType::Time64(TimeUnit::Microsecond),
        Wire::Timestamp if *kind == Type::TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Wire::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        Wire::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
    })
}
