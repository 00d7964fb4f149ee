//! Exact numbers that are computed at their source, for an aggregate to take.
//!
//! Legality:
//! 1. Columns of decimals and whole numbers that the source compares as `exact` ([`super::source`]), of no type of their own;
//!    numbers of the text without exponent, those with a point where the model's dialect takes them for decimals.
//! 2. `+`, `-` and `*` of which one side is a decimal: all products make the same digits of them, as many behind the point as
//!    the sides have (`*`: together). The model's dialect must say so of its own. Whole numbers alone can leave their type, and stay.
//! 3. CASE without an operand, of conditions that are told `exact`, whole, and COALESCE. Values with different digits behind the point are
//!    numbers with digits of their own in what is made of them; beside a zero of the text only zeros are.
//! 4. All digits are kept: as many as the source's sheet says (`[exact]`), and no more than 38 where the model's text runs as
//!    it is, since it would fail there. No more than 38 behind the point.
//! Not here: division (each product ends it elsewhere), doubles (their sums depend on the order of rows).

use super::aggregates::takes;
use super::predicate::read;
use super::remote::{Around, Out, Remote};
use super::verdict::Verdict;
use crate::catalog::Collation;
use crate::dialect::DialectSheet;
use crate::ir::PushClass;
use crate::meaning::Fraction;
use crate::translate::as_decimal;
use crate::types::CanonicalType;
use sqlparser::ast::{BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, UnaryOperator, Value};

/// A number in the source's words.
#[derive(Clone)]
pub struct Number {
    pub sql: String,
    /// The type that the model's dialect gives it, of a decimal with no more than 38 digits; None: NULL.
    pub kind: Option<CanonicalType>,
    /// All its digits, and those behind the point.
    digits: (u16, u16),
    /// Whether its values have digits of their own, or zeros have; else unknown.
    pub collation: Collation,
    /// A zero of the text.
    zero: bool,
}

/// Decimals have so many digits in every product.
const MOST: u16 = 38;

pub fn number(remote: &Remote<'_>, expr: &Expr, around: &Around<'_>, source: &DialectSheet) -> Option<Number> {
    let inner = |e: &Expr| number(remote, e, around, source);
    match expr {
        Expr::Nested(e) => inner(e).map(|n| Number { sql: format!("({})", n.sql), ..n }),
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => of_column(around.input(expr)?, source),
        Expr::Value(v) => match &v.value {
            Value::Number(text, false) => in_text(remote, text),
            Value::Null => Some(Number { sql: "NULL".to_owned(), kind: None, digits: (0, 0), collation: Collation::Unknown, zero: false }),
            _ => None,
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr: e } => {
            let n = inner(e)?;
            // The least whole number of a type has no counterpart in it.
            let signed = matches!(n.kind, Some(CanonicalType::Decimal(..))) || matches!(e.as_ref(), Expr::Value(_));
            signed.then(|| Number { sql: format!("(- {})", n.sql), zero: false, ..n })
        }
        Expr::BinaryOp { left, op: op @ (BinaryOperator::Plus | BinaryOperator::Minus | BinaryOperator::Multiply), right } => {
            let (a, b) = (inner(left)?, inner(right)?);
            let decimal = [&a, &b].iter().any(|n| matches!(n.kind, Some(CanonicalType::Decimal(..))));
            let ((p, s), (q, t)) = (a.digits, b.digits);
            let (gives, digits) = match op {
                BinaryOperator::Multiply => ("product", (p + q, s + t)),
                _ => ("sum", ((p - s).max(q - t) + s.max(t) + 1, s.max(t))),
            };
            let said = decimal && meant(remote, &op.to_string(), a.kind?, b.kind?, gives);
            let alike = *op == BinaryOperator::Multiply || (s == t && [&a, &b].iter().all(|n| matches!(n.kind, Some(CanonicalType::Decimal(..)))));
            let collation = match loosest([&a, &b]) {
                Collation::Zeros if !alike => Collation::Loose,
                other => other,
            };
            kept(remote, Number { sql: format!("({} {op} {})", a.sql, b.sql), kind: None, digits, collation, zero: false }, said, source)
        }
        Expr::Case { operand: None, conditions, else_result, .. } => {
            let mut sql = String::from("CASE");
            let mut values = Vec::new();
            for when in conditions {
                let value = inner(&when.result)?;
                sql += &format!(" WHEN {} THEN {}", condition(remote, &when.condition, around, source)?, value.sql);
                values.push(value);
            }
            if let Some(otherwise) = else_result {
                let value = inner(otherwise)?;
                sql += &format!(" ELSE {}", value.sql);
                values.push(value);
            }
            one_of(remote, format!("{sql} END"), &values, source)
        }
        Expr::Function(f) => {
            let values = arguments(f)?.into_iter().map(inner).collect::<Option<Vec<_>>>()?;
            let named = f.name.to_string().eq_ignore_ascii_case("coalesce");
            let said = remote.verbatim() || remote.sheet.meaning.as_ref()?.rule.iter().any(|r| r.name.iter().any(|n| n == "coalesce") && r.gives == "common");
            let list: Vec<&str> = values.iter().map(|v| v.sql.as_str()).collect();
            one_of(remote, format!("coalesce({})", list.join(", ")), &values, source).filter(|_| named && said)
        }
        _ => None,
    }
}

/// A condition of the rows, told whole and exact.
pub fn condition(remote: &Remote<'_>, expr: &Expr, around: &Around<'_>, source: &DialectSheet) -> Option<String> {
    let predicate = read(expr, around.relations, around.within, false);
    let of = |at: crate::bind::At| around.outs.get(at.0)?.get(at.1).filter(|o| o.cast.is_none());
    if !predicate.whole(&|at| of(at).map(|_| at)) {
        return None;
    }
    let (sql, class) = remote.emitter.said(&predicate, &|at| of(at).map(|o| (o.sql.clone(), &o.schema)), source).ok()?;
    remote.rules.legal(Verdict::LimitExact, class == PushClass::Exact).then_some(sql)
}

/// The arguments of a plain call.
pub fn arguments(f: &Function) -> Option<Vec<&Expr>> {
    let FunctionArguments::List(list) = &f.args else { return None };
    let plain = f.over.is_none() && f.filter.is_none() && f.null_treatment.is_none() && f.within_group.is_empty() && list.clauses.is_empty() && list.duplicate_treatment.is_none();
    let one = |arg| match arg {
        &FunctionArg::Unnamed(FunctionArgExpr::Expr(ref e)) => Some(e),
        _ => None,
    };
    list.args.iter().map(one).collect::<Option<Vec<_>>>().filter(|all| plain && !all.is_empty())
}

/// Clause 1, of a column.
fn of_column(out: &Out, source: &DialectSheet) -> Option<Number> {
    let kind = out.schema.canonical?;
    let (p, s) = as_decimal(kind)?;
    let exact = source.comparison(&out.schema, "<").is_ok_and(|(c, class)| class == PushClass::Exact && c.unless.is_none());
    let collation = if matches!(out.schema.collation, Collation::Loose | Collation::Zeros) { out.schema.collation } else { Collation::Unknown };
    (exact && out.cast.is_none()).then(|| Number { sql: out.sql.clone(), kind: Some(kind), digits: (p.into(), s.into()), collation, zero: false })
}

/// Clause 1, of a number in the text.
fn in_text(remote: &Remote<'_>, text: &str) -> Option<Number> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let plain = !whole.is_empty() && [whole, rest].iter().all(|part| part.bytes().all(|b| b.is_ascii_digit()));
    let digits = (whole.trim_start_matches('0').len() as u16 + rest.len() as u16, rest.len() as u16);
    let meaning = remote.sheet.meaning.as_ref();
    let kind = if text.contains('.') {
        let decimal = !rest.is_empty() && meaning?.fraction == Fraction::Decimal;
        CanonicalType::Decimal(digits.0.max(1).try_into().ok().filter(|_| decimal)?, digits.1.try_into().ok()?)
    } else if text.parse::<i32>().is_ok() {
        meaning?.whole.0
    } else {
        text.parse::<i64>().ok()?;
        meaning?.whole.1
    };
    (plain && digits.0 <= MOST).then(|| Number { sql: text.to_owned(), kind: Some(kind), digits: (digits.0.max(1), digits.1), collation: Collation::Unknown, zero: text == "0" })
}

/// Clause 3: the values that stand for one another.
fn one_of(remote: &Remote<'_>, sql: String, values: &[Number], source: &DialectSheet) -> Option<Number> {
    let known: Vec<&Number> = values.iter().filter(|v| v.kind.is_some()).collect();
    let whole = |n: &&Number| match n.kind {
        Some(CanonicalType::Int(bits)) => Some(bits),
        _ => None,
    };
    if let Some(bits) = known.iter().map(whole).collect::<Option<Vec<_>>>() {
        let kind = CanonicalType::Int(bits.into_iter().max()?);
        let digits = (known.iter().map(|n| n.digits.0).max()?, 0);
        return Some(Number { sql, kind: Some(kind), digits, collation: Collation::Unknown, zero: false });
    }
    let decimals = known.iter().any(|n| matches!(n.kind, Some(CanonicalType::Decimal(..))));
    let scale = known.iter().map(|n| n.digits.1).max()?;
    let digits = (known.iter().map(|n| n.digits.0 - n.digits.1).max()? + scale, scale);
    let collation = match loosest(known.iter().copied()) {
        _ if known.iter().any(|n| !n.zero && n.digits.1 != scale) => Collation::Loose,
        Collation::Unknown if known.iter().any(|n| n.zero) => Collation::Zeros,
        other => other,
    };
    kept(remote, Number { sql, kind: None, digits, collation, zero: false }, decimals, source)
}

/// What is made of several numbers has the digits of the loosest.
fn loosest<'n>(numbers: impl IntoIterator<Item = &'n Number>) -> Collation {
    let looser = |a: Collation, b: Collation| match (a, b) {
        (Collation::Loose, _) | (_, Collation::Loose) => Collation::Loose,
        (Collation::Zeros, _) | (_, Collation::Zeros) => Collation::Zeros,
        _ => Collation::Unknown,
    };
    numbers.into_iter().fold(Collation::Unknown, |all, n| looser(all, n.collation))
}

/// Clause 4; `said`: what else must hold.
fn kept(remote: &Remote<'_>, number: Number, said: bool, source: &DialectSheet) -> Option<Number> {
    let (all, behind) = number.digits;
    let exact = source.exact.as_ref()?;
    let most = if remote.verbatim() { MOST } else { exact.digits };
    let fits = all <= most.min(exact.digits) && behind <= exact.scale.min(MOST);
    let kind = CanonicalType::Decimal(all.min(MOST) as u8, behind.min(MOST) as u8);
    (said && remote.rules.legal(Verdict::EveryDigit, fits)).then_some(Number { kind: Some(kind), ..number })
}

/// Clause 2, of the model's dialect: what its operator gives; one that runs as it is means what all mean.
fn meant(remote: &Remote<'_>, op: &str, a: CanonicalType, b: CanonicalType, gives: &str) -> bool {
    let Some(meaning) = remote.sheet.meaning.as_ref().filter(|_| !remote.verbatim()) else { return true };
    let fits = |arg: Option<&String>, kind: CanonicalType| arg.is_some_and(|arg| takes(arg, &kind.to_string(), kind));
    let rule = meaning.rule.iter().find(|r| r.name.iter().any(|n| n == op) && r.args.len() == 2 && fits(r.args.first(), a) && fits(r.args.get(1), b));
    rule.is_some_and(|r| r.gives == gives)
}
