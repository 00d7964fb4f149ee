//! Expressions: columns, literals, comparisons, conditions, subqueries, CASE.

use super::kind::{Form, Kind, common};
use super::query::Place;
use super::scope::{Scope, folded};
use super::{Said, Translator};
use crate::types::{CanonicalType, Family};
use crate::meaning::Fraction;
use crate::walk::Part;
use dvt_diagnostic::Diagnostic;
use sqlparser::ast::{BinaryOperator, Expr, Ident, Query, UnaryOperator, Value};

impl Translator<'_> {
    /// An expression that is true, false or NULL.
    pub(super) fn predicate(&self, expr: &Expr, scope: &Scope<'_>) -> Result<String, Diagnostic> {
        let said = self.value(expr, scope)?;
        match said.kind {
            Kind::Of(CanonicalType::Bool, _) if !said.compared && !self.writes.has("truth") => Ok(format!("({} = 1)", said.sql)),
            Kind::Of(CanonicalType::Bool, _) | Kind::Null => Ok(said.sql),
            Kind::Of(CanonicalType::Int(_) | CanonicalType::UInt(_), _) if !self.meaning.truth => Ok(format!("({} <> 0)", said.sql)),
            other => Err(self.refuse(expr, format!("{} is no condition", other.words()))),
        }
    }

    pub(super) fn value(&self, expr: &Expr, scope: &Scope<'_>) -> Result<Said, Diagnostic> {
        match expr {
            Expr::Identifier(ident) => self.column(expr, std::slice::from_ref(ident), scope),
            Expr::CompoundIdentifier(idents) => self.column(expr, idents, scope),
            Expr::Nested(inner) => {
                let said = self.value(inner, scope)?;
                Ok(Said { sql: format!("({})", said.sql), ..said })
            }
            Expr::Value(value) => self.literal(expr, &value.value),
            Expr::BinaryOp { left, op, right } => self.binary(expr, left, op, right, scope),
            Expr::UnaryOp { op: UnaryOperator::Not, expr: inner } => Ok(Said::truth(format!("(NOT {})", self.predicate(inner, scope)?))),
            Expr::UnaryOp { op: op @ (UnaryOperator::Minus | UnaryOperator::Plus), expr: inner } => {
                let said = self.value(inner, scope)?;
                let number = matches!(said.kind, Kind::Of(CanonicalType::Int(_) | CanonicalType::Float(_) | CanonicalType::Decimal(..), _));
                if !number {
                    return Err(self.refuse(expr, format!("the sign of {}", said.kind.words())));
                }
                let minus = *op == UnaryOperator::Minus;
                // Where all whole numbers compute at one width, so does the sign of a narrower one.
                let said = match (said.kind, self.meaning.whole) {
                    (Kind::Of(CanonicalType::Int(bits), _), (wide @ CanonicalType::Int(all), large)) if bits < all && wide == large && said.number.is_none() => {
                        Said::new(format!("CAST({} AS {})", said.sql, self.type_name(expr, wide)?), Kind::of(wide))
                    }
                    _ => said,
                };
                let number = said.number.map(|n| if minus { -n } else { n });
                Ok(Said { sql: format!("({op}{})", said.sql), number, ..said })
            }
            Expr::IsNull(inner) => Ok(Said::truth(format!("({} IS NULL)", self.worth(inner, scope)?.sql))),
            Expr::IsNotNull(inner) => Ok(Said::truth(format!("({} IS NOT NULL)", self.worth(inner, scope)?.sql))),
            Expr::IsTrue(_) | Expr::IsNotTrue(_) | Expr::IsFalse(_) | Expr::IsNotFalse(_) if !self.writes.has("is true") => Err(self.refuse(expr, "the compute has no IS TRUE")),
            Expr::IsTrue(inner) => Ok(Said::truth(format!("({} IS TRUE)", self.predicate(inner, scope)?))),
            Expr::IsNotTrue(inner) => Ok(Said::truth(format!("({} IS NOT TRUE)", self.predicate(inner, scope)?))),
            Expr::IsFalse(inner) => Ok(Said::truth(format!("({} IS FALSE)", self.predicate(inner, scope)?))),
            Expr::IsNotFalse(inner) => Ok(Said::truth(format!("({} IS NOT FALSE)", self.predicate(inner, scope)?))),
            Expr::IsDistinctFrom(..) | Expr::IsNotDistinctFrom(..) if !self.writes.has("is distinct from") => Err(self.refuse(expr, "the compute has no IS DISTINCT FROM")),
            Expr::IsDistinctFrom(a, b) => self.compare(expr, self.value(a, scope)?, "IS DISTINCT FROM", self.value(b, scope)?),
            Expr::IsNotDistinctFrom(a, b) => self.compare(expr, self.value(a, scope)?, "IS NOT DISTINCT FROM", self.value(b, scope)?),
            Expr::InList { expr: tested, list, negated } => {
                let mut tests = Vec::new();
                for item in list {
                    tests.push(self.compare(item, self.value(tested, scope)?, "=", self.value(item, scope)?)?.sql);
                }
                let any = format!("({})", tests.join(" OR "));
                Ok(Said::truth(if *negated { format!("(NOT {any})") } else { any }))
            }
            Expr::Between { expr: tested, negated, low, high } => {
                let over = self.compare(expr, self.value(tested, scope)?, ">=", self.value(low, scope)?)?;
                let under = self.compare(expr, self.value(tested, scope)?, "<=", self.value(high, scope)?)?;
                let both = format!("({} AND {})", over.sql, under.sql);
                Ok(Said::truth(if *negated { format!("(NOT {both})") } else { both }))
            }
            Expr::InSubquery { expr: tested, subquery, negated } => {
                let (said, rows) = (self.value(tested, scope)?, self.column_of(subquery, scope)?);
                self.comparable(expr, said.kind, rows.1)?;
                let said = match (said.kind, rows.1) {
                    (Kind::Literal, kind) => self.beside(expr, said, kind)?,
                    (Kind::Null, kind) => self.widened(expr, said, kind)?,
                    _ => self.typed(expr, said)?,
                };
                Ok(Said::truth(format!("({}{} IN ({}))", said.sql, if *negated { " NOT" } else { "" }, rows.0)))
            }
            Expr::Exists { subquery, negated } => {
                let rows = self.query(subquery, scope, Place::Value)?;
                Ok(Said::truth(format!("({}EXISTS ({}))", if *negated { "NOT " } else { "" }, rows.sql)))
            }
            Expr::Subquery(query) => {
                let (sql, kind) = self.column_of(query, scope)?;
                Ok(Said::new(format!("({sql})"), kind))
            }
            Expr::Case { operand, conditions, else_result, .. } => {
                let mut results: Vec<Said> = Vec::new();
                let mut tests = Vec::new();
                for when in conditions {
                    tests.push(match operand {
                        Some(operand) => self.compare(&when.condition, self.value(operand, scope)?, "=", self.value(&when.condition, scope)?)?.sql,
                        None => self.predicate(&when.condition, scope)?,
                    });
                    results.push(self.value(&when.result, scope)?);
                }
                if let Some(otherwise) = else_result {
                    results.push(self.value(otherwise, scope)?);
                }
                let (mut results, kind) = self.alike(expr, results)?;
                let otherwise = if else_result.is_some() { results.pop().map(|r| format!(" ELSE {}", r.sql)) } else { None };
                let whens: Vec<String> = tests.into_iter().zip(results).map(|(t, r)| format!(" WHEN {t} THEN {}", r.sql)).collect();
                Ok(Said::new(format!("CASE{}{} END", whens.concat(), otherwise.unwrap_or_default()), kind))
            }
            _ => self.special(expr, scope),
        }
    }

    /// A value that is no condition where those are no values.
    fn worth(&self, expr: &Expr, scope: &Scope<'_>) -> Result<Said, Diagnostic> {
        let said = self.value(expr, scope)?;
        if said.compared && !self.writes.has("truth") { self.typed(expr, said) } else { Ok(said) }
    }

    /// Values that stand for one another, of the type they have in common.
    pub(super) fn alike(&self, at: &dyn Part, values: Vec<Said>) -> Result<(Vec<Said>, Kind), Diagnostic> {
        let values = values.into_iter().map(|v| if v.compared { self.typed(at, v) } else { Ok(v) }).collect::<Result<Vec<_>, _>>()?;
        let mut kind = Kind::Null;
        for (value, own) in values.iter().zip(self.adapted(&values)) {
            kind = self.common(kind, own).ok_or_else(|| self.refuse(at, format!("{} and {} have no type in common", kind.words(), value.kind.words())))?;
        }
        if let Kind::Of(of @ CanonicalType::Decimal(_, scale), Form::Free) = kind {
            // A zero in the text has no digits, and nothing else has fewer than its type.
            let zeros = values.iter().all(|v| match v.kind {
                Kind::Of(CanonicalType::Decimal(_, s), Form::Fixed | Form::Zeros) => s == scale,
                other => v.number == Some(0) || other == Kind::Null,
            });
            if zeros {
                kind = Kind::Of(of, Form::Zeros);
            }
        }
        let values = values.into_iter().map(|v| self.widened(at, v, kind)).collect::<Result<Vec<_>, _>>()?;
        Ok((values, kind))
    }

    fn column(&self, at: &Expr, idents: &[Ident], scope: &Scope<'_>) -> Result<Said, Diagnostic> {
        let found = scope.column(idents, self.meaning.fold).map_err(|why| self.refuse(at, why))?;
        let kind = found.column.kind.ok_or_else(|| self.refuse(at, format!("the type of `{}` is not known", found.column.name)))?;
        if let Kind::Of(kind, _) = kind {
            self.holds(at, &found.column.name, kind)?;
        }
        let name = self.quote(&found.column.name);
        let sql = found.item.map_or(name.clone(), |item| format!("{}.{name}", self.quote(&item.name)));
        Ok(Said::new(sql, kind))
    }

    /// The name that a column without an alias has in every dialect; None where they differ.
    pub(super) fn name_of(&self, expr: &Expr) -> Option<String> {
        match expr {
            Expr::Identifier(ident) => Some(folded(ident, self.meaning.fold)),
            Expr::CompoundIdentifier(idents) => idents.last().map(|i| folded(i, self.meaning.fold)),
            Expr::Nested(inner) => self.name_of(inner),
            Expr::Function(f) if self.meaning.names_functions => f.name.0.last().and_then(|p| p.as_ident()).map(|i| folded(i, self.meaning.fold)),
            Expr::Cast { expr, .. } if self.meaning.names_functions => self.name_of(expr),
            _ => None,
        }
    }

    /// A subquery of one column, and what that is.
    fn column_of(&self, query: &Query, scope: &Scope<'_>) -> Result<(String, Kind), Diagnostic> {
        let rows = self.query(query, scope, Place::Value)?;
        match rows.columns.as_slice() {
            [one] => Ok((rows.sql, one.kind.ok_or_else(|| self.refuse(query, format!("the type of `{}` is not known", one.name)))?)),
            many => Err(self.refuse(query, format!("a subquery of {} columns stands for one value", many.len()))),
        }
    }

    fn literal(&self, at: &Expr, value: &Value) -> Result<Said, Diagnostic> {
        match value {
            Value::Null => Ok(Said::new("NULL", Kind::Null)),
            Value::Boolean(b) if self.meaning.truth && !self.writes.has("truth") => {
                Ok(Said::new(format!("CAST({} AS {})", u8::from(*b), self.type_name(at, CanonicalType::Bool)?), Kind::of(CanonicalType::Bool)))
            }
            Value::Boolean(b) if self.meaning.truth => Ok(Said::new(b.to_string(), Kind::of(CanonicalType::Bool))),
            Value::Boolean(b) => Ok(Said { number: Some(i128::from(*b)), ..Said::new(u8::from(*b).to_string(), Kind::of(self.meaning.whole.0)) }),
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) | Value::DoubleQuotedString(text) if text.contains('\\') && !self.writes.has("backslash") => {
                Err(self.refuse(at, "a backslash in a string"))
            }
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) | Value::DoubleQuotedString(text) => {
                Ok(Said { string: Some(text.clone()), ..Said::new(self.writes.string(text), Kind::Literal) })
            }
            Value::Number(text, _) => {
                if text.bytes().all(|b| b.is_ascii_digit()) {
                    let number: i128 = text.parse().map_err(|_| self.refuse(at, "the number is too large"))?;
                    let (small, large) = self.meaning.whole;
                    let kind = if i32::try_from(number).is_ok() {
                        small
                    } else if i64::try_from(number).is_ok() {
                        large
                    } else {
                        return Err(self.refuse(at, "the number is too large"));
                    };
                    return Ok(Said { number: Some(number), ..Said::new(number.to_string(), Kind::of(kind)) });
                }
                let digits = text.bytes().filter(u8::is_ascii_digit).count();
                let plain = digits <= 38 && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
                match (self.meaning.fraction, plain, text.split_once('.')) {
                    (Fraction::Decimal, true, Some((_, fraction))) => {
                        let scale = u8::try_from(fraction.len()).unwrap_or(38);
                        let precision = u8::try_from(digits).unwrap_or(38).max(scale).max(1);
                        let kind = CanonicalType::Decimal(precision, scale);
                        Ok(Said::new(format!("CAST({text} AS {})", self.type_name(at, kind)?), Kind::of(kind)))
                    }
                    (Fraction::Float, ..) => {
                        let kind = CanonicalType::Float(64);
                        Ok(Said::new(format!("CAST('{text}' AS {})", self.type_name(at, kind)?), Kind::of(kind)))
                    }
                    _ => Err(self.refuse(at, "a number with an exponent has another type in every dialect: cast it")),
                }
            }
            _ => Err(self.refuse(at, format!("the literal {value} is not translated"))),
        }
    }

    fn binary(&self, at: &Expr, left: &Expr, op: &BinaryOperator, right: &Expr, scope: &Scope<'_>) -> Result<Said, Diagnostic> {
        match op {
            BinaryOperator::And | BinaryOperator::Or => {
                let (a, b) = (self.predicate(left, scope)?, self.predicate(right, scope)?);
                return Ok(Said::truth(format!("({a} {op} {b})")));
            }
            BinaryOperator::Eq | BinaryOperator::NotEq | BinaryOperator::Lt | BinaryOperator::LtEq | BinaryOperator::Gt | BinaryOperator::GtEq => {
                return self.compare(at, self.value(left, scope)?, &op.to_string(), self.value(right, scope)?);
            }
            _ => {}
        }
        let args = vec![self.value(left, scope)?, self.value(right, scope)?];
        self.apply(at, &op.to_string(), args, &super::function::Call::default())
    }

    /// `a op b` of a comparison.
    pub(super) fn compare(&self, at: &dyn Part, a: Said, op: &str, b: Said) -> Result<Said, Diagnostic> {
        self.comparable(at, a.kind, b.kind)?;
        let (x, y) = (a.kind, b.kind);
        let (a, b) = (self.beside(at, a, y)?, self.beside(at, b, x)?);
        let value = |s: Said| if s.compared && !self.writes.has("truth") { self.typed(at, s) } else { Ok(s) };
        let (a, b) = (value(a)?, value(b)?);
        if matches!(op, "<" | "<=" | ">" | ">=") {
            let kind = common(x, y).unwrap_or(y);
            if !self.ordered(kind) && kind != Kind::Null {
                return Err(self.refuse(at, format!("`{op}` of {}: its order differs between products", kind.words())));
            }
        }
        Ok(Said::truth(format!("({} {op} {})", a.sql, b.sql)))
    }

    /// A side of a comparison as the other side's type asks for it.
    fn beside(&self, at: &dyn Part, said: Said, other: Kind) -> Result<Said, Diagnostic> {
        match (said.kind, other) {
            // Where values keep a type each, a string is a number's equal only beside a table's own column.
            (Kind::Literal, Kind::Of(wanted, _)) if self.meaning.mixes && matches!(wanted.family(), Family::Integer | Family::Decimal | Family::Float) => {
                Err(self.refuse(at, format!("comparing the string {} with {wanted}: write the number", said.sql)))
            }
            (Kind::Literal, Kind::Of(wanted, _)) if wanted != CanonicalType::Text => self.adopt(at, said, wanted),
            (Kind::Of(CanonicalType::Bool, _), Kind::Of(CanonicalType::Int(_), _)) => {
                let kind = self.meaning.whole.1;
                Ok(Said::new(format!("CAST({} AS {})", said.sql, self.type_name(at, kind)?), Kind::of(kind)))
            }
            (Kind::Of(CanonicalType::Decimal(..), _), Kind::Of(CanonicalType::Float(_), _)) => self.as_double(at, said),
            _ => Ok(said),
        }
    }

    /// Whether values of these types may be compared, and compare alike in both dialects.
    pub(super) fn comparable(&self, at: &dyn Part, a: Kind, b: Kind) -> Result<(), Diagnostic> {
        let number = |f: Family| matches!(f, Family::Integer | Family::Decimal | Family::Float);
        for kind in [a, b] {
            if kind.is_text() && !(kind == Kind::Literal && a != b) && !self.by_bytes(kind) {
                return Err(self.refuse(at, "comparing text whose collation takes different bytes for equal"));
            }
            if kind.shown().is_some() {
                return Err(self.refuse(at, format!("comparing {}: round it, round(…, 4)", kind.words())));
            }
        }
        let (Kind::Of(x, _), Kind::Of(y, _)) = (a, b) else { return Ok(()) };
        let (f, g) = (x.family(), y.family());
        let alike = match (x, y) {
            // A short float is widened by some products, the other side narrowed by others.
            (CanonicalType::Float(32), _) | (_, CanonicalType::Float(32)) => x == y,
            (CanonicalType::Bool, CanonicalType::Int(_)) | (CanonicalType::Int(_), CanonicalType::Bool) => !self.meaning.truth,
            _ if number(f) && number(g) => true,
            _ if f == Family::Other => x == y && self.by_bytes(a),
            _ => f == g || self.meaning.across.iter().any(|pair| *pair == (f, g) || *pair == (g, f)),
        };
        if alike { Ok(()) } else { Err(self.refuse(at, format!("comparing {} with {}", a.words(), b.words()))) }
    }
}
