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
    /// Decimals that have all the digits of their type, but for zeros, which may have fewer: `coalesce(sum(x), 0)`.
    Zeros,
    /// Decimals of which some or all are written with more digits than their type has, all of them zeros.
    Wide,
    /// Decimals with more digits than a query gives out: it rounds them to this precision and scale.
    Rest(u8, u8),
    /// Such ones of which the product keeps all digits or only those, as it runs the query.
    Open(u8, u8),
}

impl Form {
    /// The precision and scale to which such a value is rounded.
    pub fn shown(self) -> Option<(u8, u8)> {
        match self {
            Self::Rest(p, s) | Self::Open(p, s) => Some((p, s)),
            Self::Fixed | Self::Free | Self::Zeros | Self::Wide => None,
        }
    }
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
    /// For decimals with more digits than are given out: what is.
    pub fn shown(self) -> Option<(u8, u8)> {
        match self {
            Self::Of(_, form) => form.shown(),
            Self::Null | Self::Literal => None,
        }
    }
    /// As a column of rows that are kept.
    pub fn stored(self) -> Self {
        match self.shown() {
            Some((p, s)) => Self::of(CanonicalType::Decimal(p, s)),
            None => self,
        }
    }
    /// In a message.
    pub fn words(self) -> String {
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Literal => "a string".to_owned(),
            Self::Of(kind @ CanonicalType::Decimal(..), Form::Free | Form::Zeros) => format!("{kind} with digits of their own"),
            Self::Of(_, Form::Rest(p, s) | Form::Open(p, s)) => format!("decimal({p},{s}) with more digits than it shows"),
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
        (Kind::Of(Float(_), _), Kind::Of(_, Form::Open(..))) | (Kind::Of(_, Form::Open(..)), Kind::Of(Float(_), _)) => return None,
        (Kind::Of(x, f), Kind::Of(y, g)) if x == y && f == g => a,
        (Kind::Of(x, Form::Fixed | Form::Zeros), Kind::Of(y, Form::Fixed | Form::Zeros)) if x == y => Kind::Of(x, Form::Zeros),
        (Kind::Of(x, f), Kind::Of(y, g)) if x == y && f.shown().or(g.shown()).is_none() => Kind::Of(x, Form::Free),
        (Kind::Of(Int(x), _), Kind::Of(Int(y), _)) => Kind::of(Int(x.max(y))),
        (Kind::Of(Float(_), _), Kind::Of(Float(_) | Int(_) | Decimal(..), _)) | (Kind::Of(Int(_) | Decimal(..), _), Kind::Of(Float(_), _)) => Kind::of(Float(64)),
        (Kind::Of(x, f), Kind::Of(y, g)) => {
            let ((p, s), (q, t)) = (as_decimal(x)?, as_decimal(y)?);
            let wide = |(p, s): (u8, u8), (q, t): (u8, u8)| ((p - s).max(q - t) + s.max(t), s.max(t));
            let (precision, scale) = wide((p, s), (q, t));
            if f.shown().or(g.shown()).is_some() {
                let (p, s) = wide(f.shown().unwrap_or((p, s)), g.shown().unwrap_or((q, t)));
                let open = [f, g].iter().any(|f| matches!(f, Form::Open(..)));
                return Some(Kind::Of(Decimal(precision.min(38), scale), if open { Form::Open(p.min(38), s) } else { Form::Rest(p.min(38), s) }));
            }
            let zeros = [f, g].iter().all(|f| matches!(f, Form::Fixed | Form::Zeros));
            let form = match (s == t, f == g) {
                (true, true) => f,
                (true, false) if zeros => Form::Zeros,
                _ => Form::Free,
            };
            Kind::Of(Decimal((precision <= 38).then_some(precision)?, scale), form)
        }
    })
}

/// A quotient with four more digits than the dividend has, computed by groups of nine digits, the rest of the last cut off.
#[derive(Debug, Clone, Copy)]
pub struct Quotient {
    /// Of its values, as far as they are computed.
    pub kind: Kind,
    /// By how many powers of ten the quotient of both numbers without their points is less.
    pub shift: u8,
    /// Digits behind the point.
    pub scale: u8,
}

/// Most digits behind a point in every product that divides so.
pub const MOST_DIGITS: u8 = 30;

/// The quotient of two numbers; None where how many of its digits are right is not known.
pub fn quotient(dividend: Kind, divisor: Kind) -> Option<Quotient> {
    let (Kind::Of(x, f), Kind::Of(y, g)) = (dividend, divisor) else { return None };
    let ((p, s), (_, t)) = (as_decimal(x)?, as_decimal(y)?);
    if f.shown().or(g.shown()).is_some() || s + 4 > MOST_DIGITS {
        return None;
    }
    let shown = (p.saturating_add(t).saturating_add(4).min(38), s + 4);
    // A value's own digits count, not its type's.
    let own = |form: Form, scale: u8| match form {
        Form::Fixed => scale..=scale,
        Form::Wide => scale..=MOST_DIGITS,
        Form::Free | Form::Zeros | Form::Rest(..) | Form::Open(..) => 0..=MOST_DIGITS,
    };
    let nines = |n: u8| n.div_ceil(9) * 9;
    let computed = |m: u8, n: u8| nines(nines(m) + nines(n) + (4 + m + n).saturating_sub(nines(m) + nines(n)));
    let every: Vec<u8> = own(f, s).flat_map(|m| own(g, t).map(move |n| computed(m, n))).collect();
    let least = every.iter().copied().min()?;
    let (scale, form) = match every.as_slice() {
        [all] if *all == shown.1 => (*all, Form::Fixed),
        [all] => (*all, Form::Rest(shown.0, shown.1)),
        // One digit more than is shown, and it is rounded right.
        _ if least > shown.1 => (shown.1 + 1, Form::Open(shown.0, shown.1)),
        _ => return None,
    };
    let precision = (shown.0 - shown.1).saturating_add(scale).min(38);
    let shift = (scale + t).checked_sub(s).filter(|n| *n <= 38 && scale <= 37)?;
    Some(Quotient { kind: Kind::Of(CanonicalType::Decimal(precision, scale), form), shift, scale })
}
