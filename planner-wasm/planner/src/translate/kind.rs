//! What is known of a value while a query is translated.

use crate::catalog::Collation;
use crate::types::CanonicalType;

/// The type of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// NULL: of every type.
    Null,
    /// A string in the text: takes the type of what it is compared with.
    Literal,
    Of(CanonicalType, Collation),
}

impl Kind {
    pub fn of(kind: CanonicalType) -> Self {
        Self::Of(kind, Collation::Binary)
    }
    pub fn canonical(self) -> Option<CanonicalType> {
        match self {
            Self::Of(kind, _) => Some(kind),
            Self::Null | Self::Literal => None,
        }
    }
    pub fn is_text(self) -> bool {
        matches!(self, Self::Literal | Self::Of(CanonicalType::Text, _))
    }
    /// In a message.
    pub fn words(self) -> String {
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Literal => "a string".to_owned(),
            Self::Of(kind, _) => kind.to_string(),
        }
    }
}

fn digits(bits: u8) -> u8 {
    match bits {
        8 => 3,
        16 => 5,
        32 => 10,
        _ => 19,
    }
}

/// The decimal that holds every value of a whole or decimal type.
pub fn as_decimal(kind: CanonicalType) -> Option<(u8, u8)> {
    match kind {
        CanonicalType::Int(bits) => Some((digits(bits), 0)),
        CanonicalType::UInt(64) => Some((20, 0)),
        CanonicalType::UInt(bits) => Some((digits(bits), 0)),
        CanonicalType::Decimal(p, s) => Some((p, s)),
        _ => None,
    }
}

/// The narrowest type that holds the values of both; None where there is none that every product agrees on.
pub fn common(a: Kind, b: Kind) -> Option<Kind> {
    use CanonicalType::{Decimal, Float, Int, Text};
    Some(match (a, b) {
        (Kind::Null, other) | (other, Kind::Null) => other,
        (Kind::Literal, Kind::Literal) => Kind::Literal,
        (Kind::Literal, other) | (other, Kind::Literal) => other,
        (Kind::Of(Text, x), Kind::Of(Text, y)) => Kind::Of(Text, if x == y { x } else { Collation::Unknown }),
        (Kind::Of(x, _), Kind::Of(y, _)) if x == y => a,
        (Kind::Of(Int(x), _), Kind::Of(Int(y), _)) => Kind::of(Int(x.max(y))),
        (Kind::Of(Float(_), _), Kind::Of(Float(_) | Int(_) | Decimal(..), _)) | (Kind::Of(Int(_) | Decimal(..), _), Kind::Of(Float(_), _)) => Kind::of(Float(64)),
        (Kind::Of(x, _), Kind::Of(y, _)) => {
            let ((p, s), (q, t)) = (as_decimal(x)?, as_decimal(y)?);
            let scale = s.max(t);
            let precision = (p - s).max(q - t) + scale;
            Kind::of(Decimal((precision <= 38).then_some(precision)?, scale))
        }
    })
}
