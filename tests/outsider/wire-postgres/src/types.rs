//! The server's types by number: their names, and how their binary values become Arrow.

use arrow_schema::{DataType, IntervalUnit, TimeUnit};
use dvt_plugin_sdk::NativeType;

/// A result column as the server describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub oid: i32,
    pub modifier: i32,
}

/// How a binary value is read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Bool,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Numeric,
    Text,
    Jsonb,
    Bytea,
    Date,
    Time,
    Timestamp,
    TimestampTz,
    Interval,
    Uuid,
}

const NUMERIC: i32 = 1700;

/// Number, name, form.
const TYPES: [(i32, &str, Form); 23] = [
    (16, "boolean", Form::Bool),
    (17, "bytea", Form::Bytea),
    (19, "name", Form::Text),
    (20, "bigint", Form::Int8),
    (21, "smallint", Form::Int2),
    (23, "integer", Form::Int4),
    (25, "text", Form::Text),
    (26, "oid", Form::Oid),
    (114, "json", Form::Text),
    (142, "xml", Form::Text),
    (700, "real", Form::Float4),
    (701, "double precision", Form::Float8),
    (705, "text", Form::Text),
    (1042, "character", Form::Text),
    (1043, "character varying", Form::Text),
    (1082, "date", Form::Date),
    (1083, "time without time zone", Form::Time),
    (1114, "timestamp without time zone", Form::Timestamp),
    (1184, "timestamp with time zone", Form::TimestampTz),
    (1186, "interval", Form::Interval),
    (NUMERIC, "numeric", Form::Numeric),
    (2950, "uuid", Form::Uuid),
    (3802, "jsonb", Form::Jsonb),
];

impl Column {
    pub fn form(&self) -> Option<Form> {
        TYPES.iter().find(|(oid, ..)| *oid == self.oid).map(|(_, _, form)| *form)
    }

    /// Precision and scale that a numeric column declares.
    pub fn declared(&self) -> Option<(u16, i16)> {
        let packed = self.modifier.checked_sub(4).filter(|p| *p >= 0 && self.oid == NUMERIC)?;
        // The scale is 11 bits with a sign.
        Some(((packed >> 16) as u16, (((packed & 0x7ff) ^ 1024) - 1024) as i16))
    }

    /// The type as the catalog writes it; a number where it is not one of ours.
    pub fn native(&self) -> String {
        let name = TYPES.iter().find(|(oid, ..)| *oid == self.oid).map(|(_, name, _)| *name);
        match (name, self.declared()) {
            (Some(name), Some((p, s))) => format!("{name}({p},{s})"),
            (Some(name), None) => name.to_owned(),
            (None, _) => format!("type {}", self.oid),
        }
    }

    /// The Arrow type that holds the column exactly.
    pub fn natural(&self) -> Option<DataType> {
        Some(match self.form()? {
            Form::Bool => DataType::Boolean,
            Form::Int2 => DataType::Int16,
            Form::Int4 => DataType::Int32,
            Form::Int8 => DataType::Int64,
            Form::Oid => DataType::UInt32,
            Form::Float4 => DataType::Float32,
            Form::Float8 => DataType::Float64,
            Form::Numeric => match self.declared() {
                Some((p @ 1..=38, s)) if s >= 0 && i32::from(s) <= i32::from(p) => DataType::Decimal128(p as u8, s as i8),
                _ => DataType::Utf8,
            },
            Form::Text | Form::Jsonb | Form::Uuid => DataType::Utf8,
            Form::Bytea => DataType::Binary,
            Form::Date => DataType::Date32,
            Form::Time => DataType::Time64(TimeUnit::Microsecond),
            Form::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Form::TimestampTz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Form::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
        })
    }
}

/// The Arrow form of a canonical type.
pub fn arrow(canonical: &NativeType) -> Option<DataType> {
    Some(match canonical.name.as_str() {
        "bool" => DataType::Boolean,
        "int8" => DataType::Int8,
        "int16" => DataType::Int16,
        "int32" => DataType::Int32,
        "int64" => DataType::Int64,
        "uint8" => DataType::UInt8,
        "uint16" => DataType::UInt16,
        "uint32" => DataType::UInt32,
        "uint64" => DataType::UInt64,
        "float32" => DataType::Float32,
        "float64" => DataType::Float64,
        "decimal" => match canonical.arguments[..] {
            [p @ 1..=38, s] if s <= p => DataType::Decimal128(p as u8, s as i8),
            _ => return None,
        },
        "text" | "uuid" | "json" => DataType::Utf8,
        "bytes" => DataType::Binary,
        "date" => DataType::Date32,
        "time" => DataType::Time64(TimeUnit::Microsecond),
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "timestamptz" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        "interval" => DataType::Interval(IntervalUnit::MonthDayNano),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Column, arrow};
    use arrow_schema::DataType;
    use dvt_plugin_sdk::NativeType;

    #[test]
    fn a_modifier_says_precision_and_scale() {
        let column = |modifier| Column { name: "c".into(), oid: 1700, modifier };
        assert_eq!(column((15 << 16) + 2 + 4).native(), "numeric(15,2)");
        assert_eq!(column((15 << 16) + 2 + 4).natural(), Some(DataType::Decimal128(15, 2)));
        assert_eq!((column(-1).native().as_str(), column(-1).natural()), ("numeric", Some(DataType::Utf8)));
        assert_eq!(Column { name: "c".into(), oid: 600, modifier: -1 }.natural(), None);
        assert_eq!(arrow(&NativeType::parse("decimal(10,2)")), Some(DataType::Decimal128(10, 2)));
    }
}
