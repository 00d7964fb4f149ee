//! What is known of a value while a query is translated.

use crate::catalog::Collation;
use crate::types::CanonicalType;

/// What a type does not tell of its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Equal values are written alike: text that compares by its bytes, decimals that have all the digits of their type.
    Fixed,
    /// They may not be: text that compares otherwise, decimals with digits of their own (1.5 and 1.50).
    Free,
}

impl From<Collation> for Form {
    fn from(collation: Collation) -> Self {
        if collation == Collation::Binary { Self::Fixed } else { Self::Free }
    }
}

/// The type of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// NULL: of every type.
    Null,
    /// A string in the text: takes the type of what it is compared with.
    Literal,
    Of(CanonicalType, Form),
}

impl Kind {
    pub fn of(kind: CanonicalType) -> Self {
        Self::Of(kind, Form::Fixed)
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
            Self::Of(kind @ CanonicalType::Decimal(..), Form::Free) => format!("{kind} with digits of their own"),
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
    use CanonicalType::{Decimal, Float, Int};
    Some(match (a, b) {
        (Kind::Null, other) | (other, Kind::Null) => other,
        (Kind::Literal, Kind::Literal) => Kind::Literal,
        // It has the digits that stand there.
        (Kind::Literal, Kind::Of(kind @ Decimal(..), _)) | (Kind::Of(kind @ Decimal(..), _), Kind::Literal) => Kind::Of(kind, Form::Free),
        (Kind::Literal, other) | (other, Kind::Literal) => other,
        (Kind::Of(x, f), Kind::Of(y, g)) if x == y => Kind::Of(x, if f == g { f } else { Form::Free }),
        (Kind::Of(Int(x), _), Kind::Of(Int(y), _)) => Kind::of(Int(x.max(y))),
        (Kind::Of(Float(_), _), Kind::Of(Float(_) | Int(_) | Decimal(..), _)) | (Kind::Of(Int(_) | Decimal(..), _), Kind::Of(Float(_), _)) => Kind::of(Float(64)),
        (Kind::Of(x, f), Kind::Of(y, g)) => {
            let ((p, s), (q, t)) = (as_decimal(x)?, as_decimal(y)?);
            let scale = s.max(t);
            let precision = (p - s).max(q - t) + scale;
            let form = if s == t && f == g { f } else { Form::Free };
            Kind::Of(Decimal((precision <= 38).then_some(precision)?, scale), form)
        }
    })
}
