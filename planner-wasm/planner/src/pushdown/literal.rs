//! Literals of the model's text, read as values of a column's type and printed for another product.
//!
//! Legality: the literal must be exactly a value of the column's own family in the model's dialect, so that
//! no implicit cast, rounding or overflow lies between the two comparisons. Text is printed with doubled
//! quotes, and refused with a backslash or a control character in it, which some product could read otherwise.

use crate::types::{CanonicalType, Family};
use sqlparser::ast::{DataType, Expr, TimezoneInfo, UnaryOperator, Value};

/// The literal's plain text for a column of `kind`; None when it is not exactly such a value.
pub fn plain(expr: &Expr, kind: CanonicalType) -> Option<String> {
    match (expr, kind.family()) {
        (Expr::Nested(inner), _) => plain(inner, kind),
        (Expr::Value(v), Family::Integer) => integer(number(&v.value)?, kind, false),
        (Expr::Value(v), Family::Decimal) => decimal(number(&v.value)?, kind),
        (Expr::Value(v), Family::Float) => float(number(&v.value)?),
        (Expr::UnaryOp { op: UnaryOperator::Minus, expr }, family) => {
            let Expr::Value(v) = expr.as_ref() else { return None };
            let text = number(&v.value)?;
            let positive = match family {
                Family::Integer => integer(text, kind, true)?,
                Family::Decimal => decimal(text, kind)?,
                Family::Float => float(text)?,
                _ => return None,
            };
            Some(format!("-{positive}"))
        }
        (Expr::Value(v), Family::Text) => match &v.value {
            Value::SingleQuotedString(s) if s.chars().all(|c| c != '\\' && !c.is_control()) => Some(s.replace('\'', "''")),
            _ => None,
        },
        (Expr::Value(v), Family::Bool) => match v.value {
            Value::Boolean(b) => Some(b.to_string()),
            _ => None,
        },
        (Expr::Value(v), Family::Date) => match &v.value {
            Value::SingleQuotedString(s) => date(s),
            _ => None,
        },
        (Expr::Value(v), Family::Timestamp) => match &v.value {
            Value::SingleQuotedString(s) => timestamp(s),
            _ => None,
        },
        (Expr::TypedString(t), Family::Date) if matches!(t.data_type, DataType::Date) => match &t.value.value {
            Value::SingleQuotedString(s) => date(s),
            _ => None,
        },
        (Expr::TypedString(t), Family::Timestamp) if matches!(t.data_type, DataType::Timestamp(None, TimezoneInfo::None)) => match &t.value.value {
            Value::SingleQuotedString(s) => timestamp(s),
            _ => None,
        },
        (Expr::Cast { expr, data_type: DataType::Date, .. }, Family::Date) => plain(expr, kind),
        _ => None,
    }
}

fn number(value: &Value) -> Option<&str> {
    match value {
        Value::Number(n, false) => Some(n),
        _ => None,
    }
}

/// Within the column's own range: beyond it, products differ in how they widen.
pub fn integer(text: &str, kind: CanonicalType, negative: bool) -> Option<String> {
    let magnitude: i128 = text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())??;
    let value = if negative { -magnitude } else { magnitude };
    let (low, high) = match kind {
        CanonicalType::Int(bits) => (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1),
        CanonicalType::UInt(bits) => (0, (1i128 << bits) - 1),
        _ => return None,
    };
    (low..=high).contains(&value).then(|| magnitude.to_string())
}

/// At most the column's scale and precision, no exponent.
pub fn decimal(text: &str, kind: CanonicalType) -> Option<String> {
    let CanonicalType::Decimal(precision, scale) = kind else { return None };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let fits = fraction.len() <= usize::from(scale)
        && whole.trim_start_matches('0').len() <= usize::from(precision - scale)
        && !(whole.is_empty() && fraction.is_empty());
    (digits(whole) && digits(fraction) && fits).then(|| text.to_owned())
}

fn float(text: &str) -> Option<String> {
    let value: f64 = text.parse().ok()?;
    // A short literal is the same double everywhere.
    (value.is_finite() && text.len() <= 15 && !text.contains(['e', 'E'])).then(|| text.to_owned())
}

/// `YYYY-MM-DD` that exists in the calendar.
pub fn date(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let shape = bytes.len() == 10
        && bytes.iter().enumerate().all(|(i, b)| if i == 4 || i == 7 { *b == b'-' } else { b.is_ascii_digit() });
    if !shape {
        return None;
    }
    let (y, m, d): (u32, u32, u32) = (text[..4].parse().ok()?, text[5..7].parse().ok()?, text[8..].parse().ok()?);
    let leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    let last = match m {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    // Year 0 is a year in some calendars and none in others.
    ((1..=last).contains(&d) && y >= 1).then(|| text.to_owned())
}

/// `YYYY-MM-DD HH:MM:SS[.ffffff]`.
pub fn timestamp(text: &str) -> Option<String> {
    let day = date(text.get(..10)?)?;
    let clock = text.get(10..).filter(|c| !c.is_empty())?;
    let clock = clock.strip_prefix(' ')?;
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let bytes = whole.as_bytes();
    let shape = bytes.len() == 8
        && bytes.iter().enumerate().all(|(i, b)| if i == 2 || i == 5 { *b == b':' } else { b.is_ascii_digit() });
    let range = shape && whole[..2] <= *"23" && whole[3..5] <= *"59" && whole[6..] <= *"59";
    let exact = (1..=6).contains(&fraction.len()) && fraction.bytes().all(|b| b.is_ascii_digit());
    (range && exact).then(|| format!("{day} {clock}"))
}
