//! Conditions, as far as they can be told to a source: comparisons of columns with literals under AND and OR.
//!
//! Legality: NOT is moved inwards, where it turns each comparison (as in three-valued logic, it is then true for the same
//! rows). What is not of these forms is opaque: under AND it may be left out, since what remains is implied by the whole;
//! under OR it makes the whole opaque. So every condition made here is implied by the one in the text.

use crate::bind::{At, Relations, column};
use crate::types::CanonicalType;
use crate::walk::{Watch, visit};
use sqlparser::ast::{BinaryOperator, Expr, Ident, UnaryOperator, Value};
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
            Self::In => "IN",
            Self::NotIn => "NOT IN",
            Self::Null => "IS NULL",
            Self::NotNull => "IS NOT NULL",
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
        }
    }
    fn mirrored(self) -> Self {
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
}

impl Need {
    /// What follows from it over the columns that `to` gives a place; None when nothing does.
    pub fn over(&self, to: &dyn Fn(At) -> Option<At>) -> Option<Self> {
        let predicate = self.predicate.over(to)?;
        Some(Self { predicate, weaker: self.weaker || !self.predicate.whole(to), ..self.clone() })
    }
}

/// Reads a condition over the relations of a SELECT. `within`: the join whose ON it stands in.
pub fn read(expr: &Expr, relations: &Relations<'_>, within: Option<usize>, negated: bool) -> Predicate {
    let known = |expr: &Expr| column(expr).and_then(|c| relations.resolve(c, within));
    let test = |at: At, test: Test, values: Vec<&Expr>| {
        let test = if negated { test.turned() } else { test };
        // A second column makes it a join condition or a comparison inside one relation; neither is told.
        if values.iter().any(|v| !names(v).is_empty()) {
            return opaque(expr, relations, within);
        }
        Predicate::Test { at, test, values: values.into_iter().cloned().collect() }
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
            (Some(at), _) => Some(test(at, how, vec![right])),
            (None, Some(at)) if column(left).is_none() => Some(test(at, how.mirrored(), vec![left])),
            _ => None,
        }),
        Expr::InList { expr: tested, list, negated: not } => {
            known(tested).map(|at| test(at, if *not { Test::NotIn } else { Test::In }, list.iter().collect()))
        }
        Expr::Between { expr: tested, negated: not, low, high } => known(tested).map(|at| {
            let (low, high) = if *not { (test(at, Test::Lt, vec![low]), test(at, Test::Gt, vec![high])) } else { (test(at, Test::Ge, vec![low]), test(at, Test::Le, vec![high])) };
            if *not == negated { Predicate::And(vec![low, high]) } else { Predicate::Or(vec![low, high]) }
        }),
        Expr::IsNull(tested) => known(tested).map(|at| test(at, Test::Null, Vec::new())),
        Expr::IsNotNull(tested) => known(tested).map(|at| test(at, Test::NotNull, Vec::new())),
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => known(expr).and_then(|at| truth(at, true)),
        Expr::IsTrue(tested) if !negated => known(tested).and_then(|at| truth(at, true)),
        Expr::IsFalse(tested) if !negated => known(tested).and_then(|at| truth(at, false)),
        _ => None,
    };
    found.unwrap_or_else(|| opaque(expr, relations, within))
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

fn comparison(op: &BinaryOperator) -> Option<Test> {
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
            Self::Test { at, .. } => to(*at).is_some(),
            Self::And(parts) | Self::Or(parts) => parts.iter().all(|p| p.whole(to)),
        }
    }

    /// Not true when every column is NULL.
    pub fn rejects_null(&self) -> bool {
        match self {
            Self::Opaque { .. } => false,
            Self::Test { test, .. } => *test != Test::Null,
            Self::And(parts) => parts.iter().any(Self::rejects_null),
            Self::Or(parts) => parts.iter().all(Self::rejects_null),
        }
    }

    pub fn columns(&self) -> Vec<At> {
        match self {
            Self::Opaque { .. } => Vec::new(),
            Self::Test { at, .. } => vec![*at],
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::columns).collect(),
        }
    }
}
