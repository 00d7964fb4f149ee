//! Conditions, as far as they can be told to a source: comparisons of columns with literals, and of two columns of one
//! relation, under AND and OR.
//!
//! Legality: NOT is moved inwards, where it turns each comparison (as in three-valued logic, it is then true for the same
//! rows). What is not of these forms is opaque: under AND it may be left out, since what remains is implied by the whole;
//! under OR it makes the whole opaque. So every condition made here is implied by the one in the text.

use crate::bind::{At, Relations, column};
use crate::types::CanonicalType;
use crate::walk::{Watch, visit};
use sqlparser::ast::{BinaryOperator, Expr, Ident, UnaryOperator, Value};
use sqlparser::tokenizer::{Location, Span};
use std::ops::ControlFlow;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
    Null,
    NotNull,
    /// Its value is one of another table's column, whichever those are ([`super::keys`]).
    Among { table: usize, column: usize },
    Like,
    NotLike,
}

impl Test {
    pub fn words(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::Ne => "<>",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::In | Self::Among { .. } => "IN",
            Self::NotIn => "NOT IN",
            Self::Null => "IS NULL",
            Self::NotNull => "IS NOT NULL",
            Self::Like => "LIKE",
            Self::NotLike => "NOT LIKE",
        }
    }
    /// True for the rows for which NOT is true.
    fn turned(self) -> Self {
        match self {
            Self::Eq => Self::Ne,
            Self::Ne => Self::Eq,
            Self::Lt => Self::Ge,
            Self::Le => Self::Gt,
            Self::Gt => Self::Le,
            Self::Ge => Self::Lt,
            Self::In => Self::NotIn,
            Self::NotIn => Self::In,
            Self::Null => Self::NotNull,
            Self::NotNull => Self::Null,
            // No text says it, so none negates it.
            Self::Among { .. } => self,
            Self::Like => Self::NotLike,
            Self::NotLike => Self::Like,
        }
    }
    pub fn mirrored(self) -> Self {
        match self {
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
            same => same,
        }
    }
}

#[derive(Clone)]
pub enum Predicate {
    And(Vec<Predicate>),
    Or(Vec<Predicate>),
    Test { at: At, test: Test, values: Vec<Expr> },
    /// Two columns compared.
    Pair { a: At, b: At, test: Test },
    /// A part of a text compared: so many characters from that one on, counted from 1.
    Cut { at: At, from: u32, count: u32, test: Test, values: Vec<Expr> },
    /// Not to be told; `about` is a column of the one relation that it reads.
    Opaque { about: Option<At> },
}

/// A condition and the text it is shown with.
#[derive(Clone)]
pub struct Need {
    pub predicate: Predicate,
    pub sql: String,
    /// It follows from another: where it cannot be told, nobody asks why.
    pub derived: bool,
    /// It only follows from what the text says, and lets more through.
    pub weaker: bool,
    /// Where it stands, as long as asking it of one relation is asking it there ([`super::settled`]).
    pub own: Option<Extent>,
}

/// From the first name or literal of a condition to the last.
pub type Extent = (Location, Location);

impl Need {
    /// What follows from it over the columns that `to` gives a place; None when nothing does.
    pub fn over(&self, to: &dyn Fn(At) -> Option<At>) -> Option<Self> {
        let predicate = self.predicate.over(to)?;
        Some(Self { predicate, weaker: self.weaker || !self.predicate.whole(to), own: None, sql: self.sql.clone(), derived: self.derived })
    }

    /// As `over`, where the condition is only asked elsewhere: whole, it is still the one in the text.
    pub fn moved(&self, to: &dyn Fn(At) -> Option<At>) -> Option<Self> {
        let own = self.own.filter(|_| self.predicate.whole(to));
        Some(Self { own, ..self.over(to)? })
    }
}

/// Reads a condition over the relations of a SELECT. `within`: the join whose ON it stands in.
pub fn read(expr: &Expr, relations: &Relations<'_>, within: Option<usize>, negated: bool) -> Predicate {
    let known = |expr: &Expr| column(expr).and_then(|c| relations.resolve(c, within));
    let test = |at: At, test: Test, values: Vec<&Expr>| {
        let test = if negated { test.turned() } else { test };
        // A column in an expression beside it.
        if values.iter().any(|v| !names(v).is_empty()) {
            return opaque(expr, relations, within);
        }
        Predicate::Test { at, test, values: values.into_iter().cloned().collect() }
    };
    let cut = |expr: &Expr| {
        let Expr::Substring { expr, substring_from: Some(from), substring_for: Some(count), .. } = expr else { return None };
        Some((known(expr)?, counted(from).filter(|n| *n > 0)?, counted(count)?))
    };
    let part = |(at, from, count): (At, u32, u32), how: Test, values: Vec<&Expr>| match test(at, how, values) {
        Predicate::Test { at, test, values } if matches!(test, Test::Eq | Test::Ne | Test::In | Test::NotIn) => Some(Predicate::Cut { at, from, count, test, values }),
        _ => None,
    };
    let truth = |at: At, value: bool| {
        let of_truth = relations.column(at).is_some_and(|c| c.kind == Some(CanonicalType::Bool));
        of_truth.then(|| test(at, if value { Test::Eq } else { Test::Ne }, vec![&Expr::Value(Value::Boolean(true).into())]))
    };
    let found = match expr {
        Expr::Nested(inner) => return read(inner, relations, within, negated),
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => return read(expr, relations, within, !negated),
        Expr::BinaryOp { left, op: op @ (BinaryOperator::And | BinaryOperator::Or), right } => {
            let parts = vec![read(left, relations, within, negated), read(right, relations, within, negated)];
            return if (*op == BinaryOperator::And) == negated { Predicate::Or(parts) } else { Predicate::And(parts) };
        }
        Expr::BinaryOp { left, op, right } => comparison(op).and_then(|how| match (known(left), known(right)) {
            (Some(a), Some(b)) if a.0 == b.0 => Some(Predicate::Pair { a, b, test: if negated { how.turned() } else { how } }),
            (Some(at), _) => Some(test(at, how, vec![right])),
            _ if matches!(left.as_ref(), Expr::Substring { .. }) => cut(left).and_then(|c| part(c, how, vec![right])),
            (None, Some(at)) if column(left).is_none() => Some(test(at, how.mirrored(), vec![left])),
            _ => None,
        }),
        Expr::InList { expr: tested, list, negated: not } => {
            let how = if *not { Test::NotIn } else { Test::In };
            let of_part = || cut(tested).and_then(|c| part(c, how, list.iter().collect()));
            known(tested).map(|at| test(at, how, list.iter().collect())).or_else(of_part)
        }
        Expr::Between { expr: tested, negated: not, low, high } => known(tested).map(|at| {
            let (low, high) = if *not { (test(at, Test::Lt, vec![low]), test(at, Test::Gt, vec![high])) } else { (test(at, Test::Ge, vec![low]), test(at, Test::Le, vec![high])) };
            if *not == negated { Predicate::And(vec![low, high]) } else { Predicate::Or(vec![low, high]) }
        }),
        Expr::Like { negated: not, any: false, expr: tested, pattern, escape_char: None } => {
            known(tested).map(|at| test(at, if *not { Test::NotLike } else { Test::Like }, vec![pattern]))
        }
        Expr::IsNull(tested) => known(tested).map(|at| test(at, Test::Null, Vec::new())),
        Expr::IsNotNull(tested) => known(tested).map(|at| test(at, Test::NotNull, Vec::new())),
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => known(expr).and_then(|at| truth(at, true)),
        Expr::IsTrue(tested) if !negated => known(tested).and_then(|at| truth(at, true)),
        Expr::IsFalse(tested) if !negated => known(tested).and_then(|at| truth(at, false)),
        _ => None,
    };
    found.unwrap_or_else(|| opaque(expr, relations, within))
}

/// The place of the first and the last name or literal of a condition; None where one has no place.
pub fn extent(expr: &Expr) -> Option<Extent> {
    struct Ends(Vec<Span>);
    impl Watch for Ends {
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Value(v) => self.0.push(v.span),
                Expr::TypedString(t) => self.0.push(t.value.span),
                other => self.0.extend(column(other).iter().flat_map(|c| c.iter()).map(|i| i.span)),
            }
            ControlFlow::Continue(())
        }
    }
    let mut ends = Ends(Vec::new());
    visit(expr, &mut ends);
    let placed = ends.0.iter().all(|s| s.start.line > 0 && s.end.line > 0);
    let key = |l: &Location| (l.line, l.column);
    let (first, last) = (ends.0.iter().map(|s| s.start).min_by_key(key)?, ends.0.iter().map(|s| s.end).max_by_key(key)?);
    placed.then_some((first, last))
}

/// A whole number of the text.
fn counted(expr: &Expr) -> Option<u32> {
    match expr {
        Expr::Value(v) => match &v.value {
            Value::Number(n, false) => n.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

/// Every name in an expression.
fn names(expr: &Expr) -> Vec<Vec<Ident>> {
    struct Names(Vec<Vec<Ident>>);
    impl Watch for Names {
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            self.0.extend(column(expr).map(<[Ident]>::to_vec));
            ControlFlow::Continue(())
        }
    }
    let mut names = Names(Vec::new());
    visit(expr, &mut names);
    names.0
}

/// A form that is not on the list. It is told at the relation whose columns it reads, if that is one.
fn opaque(expr: &Expr, relations: &Relations<'_>, within: Option<usize>) -> Predicate {
    let found: Option<Vec<At>> = names(expr).iter().map(|n| relations.resolve(n, within)).collect();
    let about = found.and_then(|all| {
        let first = *all.first()?;
        all.iter().all(|at| at.0 == first.0).then_some(first)
    });
    Predicate::Opaque { about }
}

pub fn comparison(op: &BinaryOperator) -> Option<Test> {
    Some(match op {
        BinaryOperator::Eq => Test::Eq,
        BinaryOperator::NotEq => Test::Ne,
        BinaryOperator::Lt => Test::Lt,
        BinaryOperator::LtEq => Test::Le,
        BinaryOperator::Gt => Test::Gt,
        BinaryOperator::GtEq => Test::Ge,
        _ => return None,
    })
}

/// The parts of a condition that must all hold.
pub fn conjuncts(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            let mut all = conjuncts(left);
            all.extend(conjuncts(right));
            all
        }
        Expr::Nested(inner) => conjuncts(inner),
        other => vec![other],
    }
}

impl Predicate {
    /// What follows from it over the columns that `to` gives a place; None when nothing does.
    pub fn over(&self, to: &dyn Fn(At) -> Option<At>) -> Option<Self> {
        match self {
            Self::Opaque { .. } => None,
            Self::Test { at, test, values } => to(*at).map(|at| Self::Test { at, test: *test, values: values.clone() }),
            Self::Cut { at, from, count, test, values } => to(*at).map(|at| Self::Cut { at, from: *from, count: *count, test: *test, values: values.clone() }),
            Self::Pair { a, b, test } => Some(Self::Pair { a: to(*a)?, b: to(*b)?, test: *test }),
            Self::And(parts) => {
                let mut parts: Vec<Self> = parts.iter().filter_map(|p| p.over(to)).collect();
                if parts.len() < 2 { parts.pop() } else { Some(Self::And(parts)) }
            }
            Self::Or(parts) => parts.iter().map(|p| p.over(to)).collect::<Option<Vec<_>>>().map(Self::Or),
        }
    }

    /// Whether `over` says all of it.
    pub fn whole(&self, to: &dyn Fn(At) -> Option<At>) -> bool {
        match self {
            Self::Opaque { .. } => false,
            Self::Test { at, .. } | Self::Cut { at, .. } => to(*at).is_some(),
            Self::Pair { a, b, .. } => to(*a).is_some() && to(*b).is_some(),
            Self::And(parts) | Self::Or(parts) => parts.iter().all(|p| p.whole(to)),
        }
    }

    /// Not true when every column is NULL.
    pub fn rejects_null(&self) -> bool {
        match self {
            Self::Opaque { .. } => false,
            Self::Test { test, .. } => *test != Test::Null,
            Self::Pair { .. } | Self::Cut { .. } => true,
            Self::And(parts) => parts.iter().any(Self::rejects_null),
            Self::Or(parts) => parts.iter().all(Self::rejects_null),
        }
    }

    pub fn of_keys(&self) -> bool {
        matches!(self, Self::Test { test: Test::Among { .. }, .. })
    }

    pub fn columns(&self) -> Vec<At> {
        match self {
            Self::Opaque { .. } => Vec::new(),
            Self::Test { at, .. } | Self::Cut { at, .. } => vec![*at],
            Self::Pair { a, b, .. } => vec![*a, *b],
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::columns).collect(),
        }
    }
}
