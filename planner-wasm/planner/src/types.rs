//! Canonical types: what a column is between its source and its target.

use serde::{Deserialize, Serialize};

/// Text forms cross every boundary (plugins, JSON, the MDM): `decimal(15,2)`, `timestamp`, `int64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum CanonicalType {
    Bool,
    /// Signed, 8, 16, 32 or 64 bits.
    Int(u8),
    /// Unsigned, 8, 16, 32 or 64 bits.
    UInt(u8),
    /// 32 or 64 bits.
    Float(u8),
    /// Precision 1 to 38, scale 0 to precision.
    Decimal(u8, u8),
    Text,
    Bytes,
    Date,
    /// Microseconds.
    Time,
    /// Microseconds, no zone.
    Timestamp,
    /// Microseconds, an instant.
    TimestampTz,
    Interval,
    Uuid,
    Json,
}

/// Types that compare alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    Bool,
    Integer,
    Decimal,
    Float,
    Text,
    Date,
    Timestamp,
    Other,
}

impl CanonicalType {
    pub fn family(self) -> Family {
        match self {
            Self::Bool => Family::Bool,
            Self::Int(_) | Self::UInt(_) => Family::Integer,
            Self::Decimal(..) => Family::Decimal,
            Self::Float(_) => Family::Float,
            Self::Text => Family::Text,
            Self::Date => Family::Date,
            Self::Timestamp => Family::Timestamp,
            Self::Bytes | Self::Time | Self::TimestampTz | Self::Interval | Self::Uuid | Self::Json => Family::Other,
        }
    }
}

impl std::fmt::Display for CanonicalType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::Int(bits) => write!(f, "int{bits}"),
            Self::UInt(bits) => write!(f, "uint{bits}"),
            Self::Float(bits) => write!(f, "float{bits}"),
            Self::Decimal(p, s) => write!(f, "decimal({p},{s})"),
            Self::Text => f.write_str("text"),
            Self::Bytes => f.write_str("bytes"),
            Self::Date => f.write_str("date"),
            Self::Time => f.write_str("time"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::TimestampTz => f.write_str("timestamptz"),
            Self::Interval => f.write_str("interval"),
            Self::Uuid => f.write_str("uuid"),
            Self::Json => f.write_str("json"),
        }
    }
}

impl From<CanonicalType> for String {
    fn from(t: CanonicalType) -> Self {
        t.to_string()
    }
}

impl TryFrom<String> for CanonicalType {
    type Error = String;
    fn try_from(s: String) -> Result<Self, String> {
        s.parse()
    }
}

impl std::str::FromStr for CanonicalType {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        Ok(match s {
            "bool" => Self::Bool,
            "int8" => Self::Int(8),
            "int16" => Self::Int(16),
            "int32" => Self::Int(32),
            "int64" => Self::Int(64),
            "uint8" => Self::UInt(8),
            "uint16" => Self::UInt(16),
            "uint32" => Self::UInt(32),
            "uint64" => Self::UInt(64),
            "float32" => Self::Float(32),
            "float64" => Self::Float(64),
            "text" => Self::Text,
            "bytes" => Self::Bytes,
            "date" => Self::Date,
            "time" => Self::Time,
            "timestamp" => Self::Timestamp,
            "timestamptz" => Self::TimestampTz,
            "interval" => Self::Interval,
            "uuid" => Self::Uuid,
            "json" => Self::Json,
            other => {
                let inner = other.strip_prefix("decimal(").and_then(|r| r.strip_suffix(')'));
                let parts = inner.and_then(|i| i.split_once(','));
                let parsed = parts.and_then(|(p, s)| Some((p.trim().parse().ok()?, s.trim().parse().ok()?)));
                match parsed {
                    Some((p @ 1..=38, s)) if s <= p => Self::Decimal(p, s),
                    _ => return Err(format!("`{other}` is no canonical type")),
                }
            }
        })
    }
}
