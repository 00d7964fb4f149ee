//! Filters that follow from equal columns: `a.x = 5` and `a.x = b.y` give `b.y = 5`.
//!
//! Legality:
//! 1. The equality is a conjunct of WHERE or ON (or of USING), or stands in every branch of an OR that is one, between columns of two relations, of one family of types
//!    whose equality is exact: no doubles, and not a number with a text.
//! 2. The filter holds for every row of the SELECT and rejects NULL (it is of WHERE, of an inner ON, or from outside), so
//!    that the relation it is about stands in every row. Then whatever row of the other relation meets it in the
//!    equality must pass the filter too: of both sides of every kind of join, since a row that loses its partner fails
//!    the filter itself. (Not of an anti join's right side to its left: it is not in the rows at all.)
//! 3. From there it goes on only if that relation, too, stands in every row: both sides of an inner join's ON and of
//!    WHERE, the left side of LEFT, the right side of RIGHT. Else a row could stand for no row, and prove nothing.
//! 4. A filter in the ON of an outer join follows the equalities of that ON alone, to the side that ON may filter.

use super::filters::Fact;
use super::predicate::{Need, conjuncts};
use super::verdict::{Rules, Verdict};
use crate::bind::{At, JoinKind, Relations, column};
use crate::types::{CanonicalType, Family};
use sqlparser::ast::{BinaryOperator, Expr, Select};

pub struct Edge {
    pub a: At,
    pub b: At,
    /// The join whose ON says so.
    pub join: Option<usize>,
    sql: String,
}

/// Whether equal values of both types are the same value.
pub fn alike(a: CanonicalType, b: CanonicalType) -> bool {
    a.family() == b.family() && !matches!(a.family(), Family::Float | Family::Other)
}

/// A conjunct; of an OR, the parts of its first branch that are parts of the others too.
fn common<'e>(conjunct: &'e Expr, rules: &Rules) -> Vec<&'e Expr> {
    let mut branches = Vec::new();
    let mut open = vec![conjunct];
    while let Some(expr) = open.pop() {
        match expr {
            Expr::Nested(inner) => open.push(inner),
            Expr::BinaryOp { left, op: BinaryOperator::Or, right } => open.extend([right.as_ref(), left.as_ref()]),
            branch => branches.push(conjuncts(branch)),
        }
    }
    let [first, others @ ..] = branches.as_slice() else { return vec![conjunct] };
    if others.is_empty() {
        return vec![conjunct];
    }
    // By their text: comparing trees would bring a comparison of every statement into a page's module.
    let said = |part: &&Expr, branch: &Vec<&Expr>| branch.iter().any(|b| b.to_string() == part.to_string());
    first.iter().copied().filter(|part| rules.legal(Verdict::EveryBranch, others.iter().all(|o| said(part, o)))).collect()
}

/// The equalities between columns of two relations.
pub fn edges(select: &Select, relations: &Relations<'_>) -> Vec<Edge> {
    let mut out = Vec::new();
    let of = |expr: &Expr, join: Option<usize>, out: &mut Vec<Edge>| {
        for conjunct in conjuncts(expr).into_iter().flat_map(|c| common(c, &relations.rules)) {
            if let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = conjunct
                && let (Some(l), Some(r)) = (column(left), column(right))
                && let (Some(a), Some(b)) = (relations.resolve(l, join), relations.resolve(r, join))
                && a.0 != b.0
            {
                out.push(Edge { a, b, join, sql: conjunct.to_string() });
            }
        }
    };
    if let Some(filter) = &select.selection {
        of(filter, None, &mut out);
    }
    for (j, join) in relations.joins.iter().enumerate() {
        if let Some(on) = join.on {
            of(on, Some(j), &mut out);
        }
        for (a, b) in &join.equal {
            let name = relations.column(*a).map_or("", |c| c.name.as_str());
            out.push(Edge { a: *a, b: *b, join: Some(j), sql: format!("USING ({name})") });
        }
    }
    out
}

/// How one relation's filter reaches another over one equality: None not at all, else whether it goes on from there.
fn reach(edge: &Edge, from: usize, to: usize, relations: &Relations<'_>, rules: &Rules) -> Option<(At, At, bool)> {
    let (here, there) = if (edge.a.0, edge.b.0) == (from, to) {
        (edge.a, edge.b)
    } else if (edge.b.0, edge.a.0) == (from, to) {
        (edge.b, edge.a)
    } else {
        return None;
    };
    let kinds = (relations.column(here)?.kind?, relations.column(there)?.kind?);
    if !rules.legal(Verdict::EqualFamily, alike(kinds.0, kinds.1)) {
        return None;
    }
    let strong = match edge.join {
        None => true,
        Some(j) => {
            let join = &relations.joins[j];
            // An ON that speaks of two relations to its left says nothing of them where nothing on its right is met.
            if here.0 != join.right && there.0 != join.right && join.kind != JoinKind::Inner {
                return None;
            }
            let rightwards = there.0 == join.right;
            match join.kind {
                JoinKind::Inner => true,
                JoinKind::Left => !rightwards,
                JoinKind::Right => rightwards,
                JoinKind::Full => false,
                JoinKind::Semi | JoinKind::Anti => {
                    if !rightwards {
                        return None;
                    }
                    false
                }
            }
        }
    };
    Some((here, there, rules.legal(Verdict::StrongSide, strong)))
}

/// The filters that follow for other relations.
pub fn follow(facts: &[Fact], strong: Vec<(usize, Need)>, edges: &[Edge], relations: &Relations<'_>, rules: &Rules) -> Vec<(usize, Need)> {
    let mut out = Vec::new();
    let mut seen: Vec<(usize, String)> = strong.iter().map(|(i, n)| (*i, n.sql.clone())).collect();
    let mut work: Vec<(usize, Need, String)> = strong.into_iter().map(|(i, n)| { let sql = n.sql.clone(); (i, n, sql) }).collect();
    work.reverse();
    while let Some((from, need, root)) = work.pop() {
        for to in (0..relations.items.len()).filter(|to| *to != from) {
            if seen.iter().any(|(i, sql)| *i == to && *sql == root) {
                continue;
            }
            let ways: Vec<(At, At, bool, &str)> =
                edges.iter().filter_map(|e| reach(e, from, to, relations, rules).map(|(h, t, s)| (h, t, s, e.sql.as_str()))).collect();
            let way = |at: At| ways.iter().find(|w| w.0 == at);
            if !need.predicate.whole(&|at| way(at).map(|w| w.1)) {
                continue;
            }
            let Some(follows) = need.over(&|at| way(at).map(|w| w.1)) else { continue };
            let used: Vec<_> = need.predicate.columns().into_iter().filter_map(way).collect();
            let by = used.first().map_or("", |w| w.3);
            let next = Need { sql: format!("{} through {by}", need.sql), derived: true, ..follows };
            seen.push((to, root.clone()));
            if used.iter().all(|w| w.2) {
                work.push((to, next.clone(), root.clone()));
            }
            out.push((to, next));
        }
    }
    // Clause 4.
    for fact in facts {
        let Some(j) = fact.join else { continue };
        let join = &relations.joins[j];
        if join.kind == JoinKind::Inner {
            continue;
        }
        for edge in edges.iter().filter(|e| e.join == Some(j)) {
            for (here, there) in [(edge.a, edge.b), (edge.b, edge.a)] {
                let side = match join.kind {
                    JoinKind::Left | JoinKind::Anti | JoinKind::Semi => there.0 == join.right,
                    JoinKind::Right => here.0 == join.right,
                    JoinKind::Full | JoinKind::Inner => false,
                };
                let kinds = (relations.column(here).and_then(|c| c.kind), relations.column(there).and_then(|c| c.kind));
                let exact = matches!(kinds, (Some(a), Some(b)) if alike(a, b));
                if !rules.legal(Verdict::OnSide, side) || !exact || !fact.need.predicate.rejects_null() {
                    continue;
                }
                let to = |at: At| (at == here).then_some(there);
                if fact.need.predicate.whole(&to)
                    && let Some(follows) = fact.need.over(&to)
                {
                    out.push((there.0, Need { sql: format!("{} through {}", fact.need.sql, edge.sql), derived: true, ..follows }));
                }
            }
        }
    }
    out
}
