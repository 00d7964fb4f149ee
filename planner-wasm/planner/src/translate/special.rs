//! Expressions with a syntax of their own: casts, typed literals, intervals, EXTRACT, SUBSTRING, TRIM, POSITION, LIKE.

use super::function::Call;
use super::kind::{Form, Kind, as_decimal};
use super::scope::Scope;
use super::{Said, Translator};
use crate::pushdown::literal;
use crate::types::{CanonicalType, Family};
use crate::walk::Part;
use dvt_diagnostic::Diagnostic;
use sqlparser::ast::{CastKind, CeilFloorKind, DataType, Expr, Interval, TrimWhereField, Value};

/// Units of an interval that every product measures alike.
const UNITS: [&str; 7] = ["second", "minute", "hour", "day", "week", "month", "year"];

impl Translator<'_> {
    pub(super) fn special(&self, expr: &Expr, scope: &Scope<'_>) -> Result<Said, Diagnostic> {
        let named = |name: String, args: Vec<Said>| self.apply(expr, &name, args, &Call::default());
        match expr {
            Expr::Function(function) => self.call(expr, function, scope),
            Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr: inner, data_type, format: None } => {
                self.cast(expr, self.value(inner, scope)?, data_type)
            }
            Expr::TypedString(typed) => {
                let Value::SingleQuotedString(text) = &typed.value.value else { return Err(self.refuse(expr, "this literal is not translated")) };
                let said = Said { string: Some(text.clone()), ..Said::new(self.writes.string(text), Kind::Literal) };
                self.cast(expr, said, &typed.data_type)
            }
            Expr::Interval(interval) => self.interval(expr, interval),
            Expr::Extract { field, expr: inner, .. } => {
                let constant = field.to_string().to_lowercase();
                let args = vec![self.value(inner, scope)?];
                self.apply(expr, &format!("extract:{constant}"), args, &Call { constant, ..Call::default() })
            }
            Expr::Ceil { expr: inner, field: CeilFloorKind::DateTimeField(sqlparser::ast::DateTimeField::NoDateTime) } => named("ceil".to_owned(), vec![self.value(inner, scope)?]),
            Expr::Floor { expr: inner, field: CeilFloorKind::DateTimeField(sqlparser::ast::DateTimeField::NoDateTime) } => named("floor".to_owned(), vec![self.value(inner, scope)?]),
            Expr::Position { expr: needle, r#in } => named("position".to_owned(), vec![self.value(needle, scope)?, self.value(r#in, scope)?]),
            Expr::Substring { expr: inner, substring_from: Some(from), substring_for, .. } => {
                let mut args = vec![self.value(inner, scope)?, self.value(from, scope)?];
                if let Some(length) = substring_for {
                    args.push(self.value(length, scope)?);
                }
                named("substring".to_owned(), args)
            }
            Expr::Trim { trim_where, trim_what, expr: inner, trim_characters: None } => {
                let side = match trim_where {
                    None | Some(TrimWhereField::Both) => "both",
                    Some(TrimWhereField::Leading) => "leading",
                    Some(TrimWhereField::Trailing) => "trailing",
                };
                let mut args = vec![self.value(inner, scope)?];
                if let Some(what) = trim_what {
                    args.push(self.value(what, scope)?);
                }
                named(format!("trim:{side}"), args)
            }
            Expr::Like { negated, any: false, expr: inner, pattern, escape_char } => {
                let (said, pattern) = (self.value(inner, scope)?, self.value(pattern, scope)?);
                if self.meaning.like_exact != Some(true) {
                    return Err(self.refuse(expr, "LIKE takes capital letters for small ones in this dialect"));
                }
                if !said.kind.is_text() || !pattern.kind.is_text() || !self.by_bytes(said.kind) {
                    return Err(self.refuse(expr, format!("LIKE of {} and {}", said.kind.words(), pattern.kind.words())));
                }
                let given = match escape_char {
                    None => self.meaning.like_escape,
                    Some(escape) => {
                        let text = self.value(escape, scope)?.string.unwrap_or_default();
                        let mut chars = text.chars();
                        match (chars.next(), chars.next()) {
                            (Some(c), None) => Some(c),
                            _ => return Err(self.refuse(expr, "ESCAPE takes one character")),
                        }
                    }
                };
                let not = if *negated { " NOT" } else { "" };
                let there = self.writes.like_escape;
                let read = match &pattern.string {
                    Some(text) => Some(escaped(text, given, there).ok_or_else(|| self.refuse(expr, "a pattern of LIKE that ends with its escape"))?),
                    None => None,
                };
                let behind = match (there, given, read) {
                    (None, None, _) => pattern.sql,
                    (Some(_), _, Some(text)) => self.writes.string(&text),
                    (Some(_), None, None) => return Err(self.refuse(expr, "LIKE of a pattern that is computed")),
                    (_, Some(c), _) => format!("{} ESCAPE {}", pattern.sql, self.writes.string(&c.to_string())),
                };
                Ok(Said::truth(format!("({}{not} LIKE {behind})", said.sql)))
            }
            _ => Err(self.refuse(expr, format!("`{expr}` has no rule"))),
        }
    }

    /// A string of the text as a value of the type that is asked of it there.
    pub(super) fn adopt(&self, at: &dyn Part, said: Said, wanted: CanonicalType) -> Result<Said, Diagnostic> {
        let text = said.string.clone().unwrap_or_default();
        let midnight = self.meaning.across.iter().any(|p| *p == (Family::Date, Family::Timestamp) || *p == (Family::Timestamp, Family::Date));
        let plain = match wanted {
            CanonicalType::Date => literal::date(&text),
            CanonicalType::Timestamp => literal::timestamp(&text).or_else(|| literal::date(&text).filter(|_| midnight).map(|d| format!("{d} 00:00:00"))),
            CanonicalType::Int(_) => Some(text.clone()).filter(|t| !t.is_empty() && t.len() < 19 && t.bytes().all(|b| b.is_ascii_digit())),
            CanonicalType::Decimal(_, scale) => Some(text.clone()).filter(|t| {
                let (whole, fraction) = t.split_once('.').unwrap_or((t, ""));
                let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
                !whole.is_empty() && digits(whole) && digits(fraction) && fraction.len() <= usize::from(scale)
            }),
            _ => None,
        };
        let plain = plain.ok_or_else(|| self.refuse(at, format!("the string '{text}' as {wanted}")))?;
        Ok(Said::new(format!("CAST('{plain}' AS {})", self.type_name(at, wanted)?), Kind::of(wanted)))
    }

    fn cast(&self, at: &Expr, said: Said, data_type: &DataType) -> Result<Said, Diagnostic> {
        let shown = data_type.to_string().to_lowercase();
        let (base, arguments) = match (shown.find('('), shown.rfind(')')) {
            (Some(open), Some(close)) if open < close => (format!("{}{}", &shown[..open], &shown[close + 1..]), shown[open + 1..close].to_owned()),
            _ => (shown.clone(), String::new()),
        };
        let numbers: Option<Vec<u8>> = arguments.split(',').filter(|a| !a.trim().is_empty()).map(|a| a.trim().parse().ok()).collect();
        let unknown = || self.refuse(at, format!("the type `{data_type}` is not translated"));
        let (numbers, meant) = (numbers.ok_or_else(unknown)?, self.meaning.types.get(base.trim()).ok_or_else(unknown)?);
        // A decimal may have digits of its own where none are said.
        let (meant, usual) = if meant.starts_with("decimal(") { ("decimal", meant.parse().ok()) } else { (meant.as_str(), None) };
        let wanted = match (meant, numbers.as_slice()) {
            ("decimal", [p]) => CanonicalType::Decimal(*p, 0),
            ("decimal", [p, s]) => CanonicalType::Decimal(*p, *s),
            // Without digits it keeps those that the value has.
            ("decimal", []) if usual.is_some() => usual.ok_or_else(unknown)?,
            ("decimal", []) => match said.kind.canonical().and_then(as_decimal) {
                Some((p, s)) => CanonicalType::Decimal(p, s),
                None => return Err(self.refuse(at, format!("{} as a decimal of any digits: say how many", said.kind.words()))),
            },
            ("text", [] | [_]) => CanonicalType::Text,
            (_, []) => meant.parse().map_err(|_| unknown())?,
            _ => return Err(unknown()),
        };
        if matches!(wanted, CanonicalType::Decimal(p, s) if p == 0 || p > 38 || s > p) {
            return Err(unknown());
        }
        let cast = match said.kind {
            Kind::Null => Said::new(format!("CAST(NULL AS {})", self.type_name(at, wanted)?), Kind::of(wanted)),
            Kind::Literal if wanted != CanonicalType::Text => self.adopt(at, said, wanted)?,
            kind if kind.shown().is_some() && wanted == CanonicalType::Text => {
                let said = self.given_digits(at, said)?;
                self.apply(at, "cast", vec![said], &Call { asked: Some(wanted), ..Call::default() })?
            }
            Kind::Of(have, form) if have == wanted && have != CanonicalType::Text => {
                let said = self.typed(at, said)?;
                Said { kind: Kind::Of(have, if numbers.is_empty() { form } else { Form::Fixed }), ..said }
            }
            _ => {
                let said = self.typed(at, said)?;
                self.apply(at, "cast", vec![said], &Call { asked: Some(wanted), ..Call::default() })?
            }
        };
        match numbers.as_slice() {
            // A length cuts what is longer.
            [length] if wanted == CanonicalType::Text => {
                let length = Said { number: Some(i128::from(*length)), ..Said::new(length.to_string(), Kind::of(self.meaning.whole.0)) };
                self.apply(at, "cast:length", vec![cast, length], &Call::default())
            }
            _ => Ok(cast),
        }
    }

    fn interval(&self, at: &Expr, interval: &Interval) -> Result<Said, Diagnostic> {
        let refused = || self.refuse(at, "this interval is not translated: write a number and a unit");
        let value = match interval.value.as_ref() {
            Expr::Value(v) => match &v.value {
                Value::SingleQuotedString(text) => text.clone(),
                Value::Number(text, _) => text.clone(),
                _ => return Err(refused()),
            },
            _ => return Err(refused()),
        };
        if interval.leading_precision.is_some() || interval.last_field.is_some() || interval.fractional_seconds_precision.is_some() {
            return Err(refused());
        }
        let text = match &interval.leading_field {
            Some(field) => format!("{value} {field}"),
            None => value,
        };
        let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
        let known = !words.is_empty()
            && words.len().is_multiple_of(2)
            && words.chunks(2).all(|pair| pair[0].parse::<i32>().is_ok() && UNITS.iter().any(|u| pair[1].trim_end_matches('s') == *u));
        if !known {
            return Err(refused());
        }
        if !self.writes.has("interval") {
            return Err(self.refuse(at, "the compute has no such interval"));
        }
        let Some(template) = &self.writes.interval else {
            return Ok(Said::new(format!("INTERVAL '{}'", words.join(" ")), Kind::of(CanonicalType::Interval)));
        };
        let (mut months, mut days, mut seconds) = (0_i64, 0_i64, 0_i64);
        for pair in words.chunks(2) {
            let n = i64::from(pair[0].parse::<i32>().map_err(|_| refused())?);
            match pair[1].trim_end_matches('s') {
                "year" => months += 12 * n,
                "month" => months += n,
                "week" => days += 7 * n,
                "day" => days += n,
                "hour" => seconds += 3600 * n,
                "minute" => seconds += 60 * n,
                _ => seconds += n,
            }
        }
        if [months, days].iter().any(|n| i32::try_from(*n).is_err()) {
            return Err(refused());
        }
        let sql = [("{months}", months), ("{days}", days), ("{seconds}", seconds)].iter().fold(template.clone(), |sql, (hole, n)| sql.replace(hole, &n.to_string()));
        Ok(Said::new(sql, Kind::of(CanonicalType::Interval)))
    }
}

/// A pattern of LIKE with another escape; None where it ends with its own.
fn escaped(pattern: &str, given: Option<char>, there: Option<char>) -> Option<String> {
    let (mut out, mut chars) = (String::new(), pattern.chars());
    while let Some(c) = chars.next() {
        let literal = Some(c) == given;
        let c = if literal { chars.next()? } else { c };
        if Some(c) == there || (literal && matches!(c, '%' | '_')) {
            out.extend(there);
        }
        out.push(c);
    }
    Some(out)
}
