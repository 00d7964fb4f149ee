//! Keys: which rows of a scan meet no row of another, once that one has been read (SPEC P3).
//!
//! The values that a relation has in a joining column are known when it has been read; another scan, whose rows only matter
//! where they meet one of them, can then be asked for these alone. Here is judged what may be reduced by what; when that
//! pays, and what is asked, is [`crate::reduce`]'s. Such a condition is a filter on the reduced relation like any other, and
//! goes down by the rules of filters. Legality:
//! 1. It follows an equality as filters do ([`super::equalities`], clauses 1 and 3), from a relation that stands in every row
//!    (no outer join fills it with NULL, it is not the hidden side of SEMI or ANTI). So either side of an inner join may be
//!    reduced, and the side that LEFT, RIGHT, SEMI and ANTI do not keep; never the side that is kept, nothing of FULL.
//! 2. `x IN (query)`, as a condition of WHERE: x is one of the query's values, and the query matters where it gives an x.
//!    NOT IN: neither, since a NULL decides it.
//! 3. EXISTS, as a condition of WHERE, over a plain SELECT (no aggregate, group, LIMIT): a row without a match fails it.
//! 4. A query inside another: where its WHERE equates an own column with one of a query around it, only rows that meet that
//!    column matter, whatever the query is for (EXISTS, NOT EXISTS, a value, IN, NOT IN). A name is of a query around only if
//!    it can be nothing of the inner one, and no alias is called so.
//! 5. The giving column has no values but those of one column of one scan (and NULL, which meets nothing): passed on
//!    unchanged, through CTEs and joins; not of a set operation, whose other part has more.
//! 6. Both columns are whole numbers, decimals, dates or timestamps, or text that both sources compare by bytes; and the
//!    reduced one's source compares them by `=` as the model does. Keys that the reduced column's type cannot hold meet
//!    nothing and are left out; one that has no safe literal gives the reduction up.
//! 7. The scan that gives keys is as it is used: reduced itself or not, what it delivers is what the residual joins. The
//!    reads are ordered, so that no two reduce each other.
//!
//! Nothing here can fail at the source: a column is compared with literals of its own type.

use super::equalities::{Edge, alike};
use super::filters::Fact;
use super::predicate::{Need, Predicate, Test, conjuncts};
use super::source::Emitter;
use super::verdict::{Rule, Rules, Verdict};
use crate::bind::{At, Binder, Columns, Ctes, Relations, column};
use crate::catalog::{Collation, ColumnSchema};
use crate::types::{CanonicalType, Family};
use crate::walk::{Watch, visit};
use sqlparser::ast::{BinaryOperator, Expr, GroupByExpr, Ident, Query, Select, SelectItem, SetExpr};
use std::ops::ControlFlow;
use std::rc::Rc;

/// A table that may be reduced: its column is among the values of another table's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Among {
    pub column: usize,
    /// The giving table and its column.
    pub by: At,
}

/// The names that a query around another gives it.
pub struct Level {
    items: Vec<(String, Option<Rc<Columns>>)>,
    aliases: Vec<String>,
}

impl Level {
    /// Of a SELECT some of whose FROM is not known: any name may be one of it.
    pub fn unknown() -> Self {
        Self { items: vec![(String::new(), None)], aliases: Vec::new() }
    }

    /// A hidden relation's names count too: a query inside an ON sees them.
    pub fn new(select: &Select, relations: &Relations<'_>) -> Self {
        Self {
            items: relations.items.iter().map(|i| (i.qualifier.clone(), i.columns.clone())).collect(),
            aliases: aliases(select),
        }
    }
}

fn aliases(select: &Select) -> Vec<String> {
    let of = |i: &SelectItem| match i {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.to_lowercase()),
        _ => None,
    };
    select.projection.iter().filter_map(of).collect()
}

fn need(at: At, by: At) -> Need {
    let predicate = Predicate::Test { at, test: Test::Among { table: by.0, column: by.1 }, values: Vec::new() };
    Need { predicate, sql: format!("keys of dvt_scan_{}, column {}", by.0, by.1), derived: true, weaker: true, own: None }
}

/// The table's column that has all values of a column (clause 5).
fn values(column: &crate::bind::Column, rules: &Rules) -> Option<At> {
    column.of.filter(|_| rules.legal(Verdict::AllValues, !column.more))
}

/// What each relation knows of itself: its joining columns have the values that it has.
pub fn own(relations: &Relations<'_>, edges: &[Edge], rules: &Rules) -> Vec<(usize, Need)> {
    let mut out: Vec<(usize, Need)> = Vec::new();
    for at in edges.iter().flat_map(|e| [e.a, e.b]) {
        let item = &relations.items[at.0];
        if !rules.legal(Verdict::Standing, !item.null_supplied && !item.hidden) {
            continue;
        }
        let Some(by) = relations.column(at).and_then(|c| values(c, rules)) else { continue };
        let fact = (at.0, need(at, by));
        if out.iter().all(|(i, n)| *i != fact.0 || n.sql != fact.1.sql) {
            out.push(fact);
        }
    }
    out
}

/// Equalities of own columns with those of queries around (clause 4).
pub fn outer(select: &Select, relations: &Relations<'_>, levels: &[Level], rules: &Rules) -> Vec<Fact> {
    let mut out = Vec::new();
    if levels.is_empty() || !rules.on(Rule::Keys) {
        return out;
    }
    for conjunct in select.selection.iter().flat_map(conjuncts) {
        let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = conjunct else { continue };
        for (here, there) in [(left, right), (right, left)] {
            let (Some(own), Some(name)) = (column(here), column(there)) else { continue };
            let Some(at) = relations.resolve(own, None) else { continue };
            if !rules.legal(Verdict::OuterName, foreign(name, select, relations)) {
                continue;
            }
            let kind = relations.column(at).and_then(|c| c.kind);
            if let Some((by, given)) = around(name, levels, rules)
                && kind.is_some_and(|k| alike(k, given))
            {
                out.push(Fact { need: need(at, by), join: None });
            }
        }
    }
    out
}

/// Whether a name can be nothing of a SELECT.
fn foreign(name: &[Ident], select: &Select, relations: &Relations<'_>) -> bool {
    match name {
        [name] => {
            let known = relations.items.iter().all(|i| i.columns.is_some());
            let has = |columns: &Columns| columns.list.iter().any(|c| c.name.eq_ignore_ascii_case(&name.value));
            known && !relations.items.iter().filter_map(|i| i.columns.as_deref()).any(has) && !aliases(select).contains(&name.value.to_lowercase())
        }
        [qualifier, _] => relations.items.iter().all(|i| !i.qualifier.eq_ignore_ascii_case(&qualifier.value)),
        _ => false,
    }
}

/// The scan's column that a name of the nearest query around means, and its type.
fn around(name: &[Ident], levels: &[Level], rules: &Rules) -> Option<(At, CanonicalType)> {
    for level in levels.iter().rev() {
        let last = name.last()?;
        let named = |columns: &Columns| columns.list.iter().filter(|c| c.name.eq_ignore_ascii_case(&last.value)).cloned().collect::<Vec<_>>();
        let found = match name {
            [_] => {
                if level.aliases.contains(&last.value.to_lowercase()) || level.items.iter().any(|(_, c)| c.is_none()) {
                    return None;
                }
                level.items.iter().filter_map(|(_, c)| c.as_deref()).flat_map(named).collect()
            }
            [qualifier, _] => {
                if level.items.iter().any(|(q, c)| q.is_empty() && c.is_none()) {
                    return None;
                }
                let items: Vec<_> = level.items.iter().filter(|(q, _)| q.eq_ignore_ascii_case(&qualifier.value)).collect();
                match items.as_slice() {
                    [] => Vec::new(),
                    [(_, Some(columns))] => named(columns),
                    _ => return None,
                }
            }
            _ => return None,
        };
        match found.as_slice() {
            [] => {}
            [one] => return values(one, rules).zip(one.kind),
            _ => return None,
        }
    }
    None
}

/// What IN and EXISTS say of the columns that they test (clauses 2 and 3).
pub fn tested(select: &Select, relations: &Relations<'_>, binder: &Binder<'_>, ctes: &Ctes, rules: &Rules) -> Vec<Fact> {
    let mut out = Vec::new();
    if !rules.on(Rule::Keys) {
        return out;
    }
    for conjunct in select.selection.iter().flat_map(conjuncts) {
        match conjunct {
            Expr::InSubquery { expr, subquery, negated } if rules.legal(Verdict::PositiveIn, !negated) => {
                let at = column(expr).and_then(|c| relations.resolve(c, None));
                let columns = binder.columns(subquery, ctes);
                let (Some(at), Some(given)) = (at, columns.as_ref().and_then(|c| c.list.first())) else { continue };
                let kinds = relations.column(at).and_then(|c| c.kind).zip(given.kind);
                if let Some(by) = values(given, rules)
                    && kinds.is_some_and(|(a, b)| alike(a, b))
                {
                    out.push(Fact { need: need(at, by), join: None });
                }
            }
            Expr::Exists { subquery, negated } if rules.legal(Verdict::PlainExists, !negated && plain(subquery)) => {
                let SetExpr::Select(inner) = subquery.body.as_ref() else { continue };
                let Some(inside) = binder.relations(inner, ctes).filter(|_| subquery.with.is_none()) else { continue };
                for equality in inner.selection.iter().flat_map(conjuncts) {
                    let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = equality else { continue };
                    for (own, around) in [(left, right), (right, left)] {
                        let (Some(own), Some(name)) = (column(own), column(around)) else { continue };
                        let (Some(from), true) = (inside.resolve(own, None), foreign(name, inner, &inside)) else { continue };
                        let (Some(at), Some(given)) = (relations.resolve(name, None), inside.column(from)) else { continue };
                        let kinds = relations.column(at).and_then(|c| c.kind).zip(given.kind);
                        if let Some(by) = values(given, rules)
                            && kinds.is_some_and(|(a, b)| alike(a, b))
                        {
                            out.push(Fact { need: need(at, by), join: None });
                        }
                    }
                }
            }
            _ => {}
        }
    }
    out
}

/// A SELECT that gives a row for each row that it reads.
fn plain(query: &Query) -> bool {
    struct Calls(bool);
    impl Watch for Calls {
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            self.0 |= matches!(expr, Expr::Function(_));
            ControlFlow::Continue(())
        }
    }
    let SetExpr::Select(select) = query.body.as_ref() else { return false };
    let ungrouped = matches!(&select.group_by, GroupByExpr::Expressions(e, m) if e.is_empty() && m.is_empty());
    let mut calls = Calls(false);
    select.projection.iter().for_each(|i| visit(i, &mut calls));
    ungrouped
        && !calls.0
        && select.having.is_none()
        && select.qualify.is_none()
        && select.top.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none()
        && query.pipe_operators.is_empty()
}

/// What IN's query needs to give: the values of what it tests.
pub fn asked(tested: At, relations: &Relations<'_>, rules: &Rules) -> Option<Need> {
    let by = relations.column(tested).filter(|_| rules.on(Rule::Keys)).and_then(|c| values(c, rules))?;
    Some(need((0, 0), by))
}

/// A condition of this kind as it reaches a table, if its source can be told (clause 6).
pub fn among(emitter: &Emitter<'_>, table: usize, predicate: &Predicate) -> Option<Option<Among>> {
    let Predicate::Test { at, test: Test::Among { table: by, column: key }, .. } = predicate else { return None };
    let schema = |table: usize, column: usize| {
        let relation = &emitter.tables[table].relation;
        Some((emitter.request.catalog.relation(relation)?.columns.get(column)?, &relation.target))
    };
    let told = || {
        let ((column, target), (given, _)) = (schema(table, at.1)?, schema(*by, *key)?);
        let sheet = emitter.request.sheets.get(&(emitter.request.target_dialect)(target)?).ok()?;
        sheet.comparison(column, "=").ok()?;
        (emitter.rules.legal(Verdict::KeyType, meets(column, given)) && *by != table).then_some(Among { column: at.1, by: (*by, *key) })
    };
    Some(told())
}

/// Whether equal values of both are the same value, in text that dvt can write.
fn meets(column: &ColumnSchema, given: &ColumnSchema) -> bool {
    let (Some(a), Some(b)) = (column.canonical, given.canonical) else { return false };
    let binary = [column, given].iter().all(|c| c.collation == Collation::Binary);
    match a.family() {
        Family::Integer | Family::Decimal | Family::Date | Family::Timestamp => a.family() == b.family(),
        Family::Text => b.family() == Family::Text && binary,
        Family::Bool | Family::Float | Family::Other => false,
    }
}



