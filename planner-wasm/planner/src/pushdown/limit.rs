//! LIMIT on a bare scan.
//!
//! Legality: the whole query is `SELECT columns FROM one relation [WHERE …] LIMIT n` with nothing that needs
//! more rows than it returns (no ORDER BY, grouping, DISTINCT, window, aggregate, OFFSET, subquery, second
//! relation), and every conjunct of WHERE was pushed `exact`. Which rows come is then open by definition.

use super::filters::conjuncts;
use crate::ir::{PushClass, RemoteScan};
use crate::residual::Table;
use sqlparser::ast::{Expr, GroupByExpr, LimitClause, Query, SelectItem, SetExpr, TableFactor, Value};

pub fn bare(query: &Query, tables: &[Table], scans: &[RemoteScan]) -> Option<u64> {
    let ([_], [scan]) = (tables, scans) else { return None };
    let plain = query.with.is_none()
        && query.order_by.is_none()
        && query.fetch.is_none()
        && query.locks.is_empty()
        && query.pipe_operators.is_empty();
    let Some(LimitClause::LimitOffset { limit: Some(Expr::Value(limit)), offset: None, limit_by }) = &query.limit_clause else {
        return None;
    };
    let (true, true, SetExpr::Select(select)) = (plain, limit_by.is_empty(), query.body.as_ref()) else { return None };
    let only_columns = select.projection.iter().all(|item| match item {
        SelectItem::Wildcard(_) => true,
        SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. } => {
            matches!(e, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
        }
        _ => false,
    });
    let one_table = match select.from.as_slice() {
        [from] => from.joins.is_empty() && matches!(&from.relation, TableFactor::Table { sample: None, .. }),
        _ => false,
    };
    let ungrouped = matches!(&select.group_by, GroupByExpr::Expressions(e, m) if e.is_empty() && m.is_empty());
    let exact = scan.kept.is_empty() && scan.pushed.iter().all(|p| p.class == PushClass::Exact);
    // Every conjunct must have been pushed: one about no column (`random() < 0.5`) is nobody's kept filter.
    let all_seen = select.selection.as_ref().is_none_or(|w| conjuncts(w).len() == scan.pushed.len());
    let simple = select.distinct.is_none()
        && select.top.is_none()
        && select.having.is_none()
        && select.qualify.is_none()
        && select.connect_by.is_empty()
        && select.lateral_views.is_empty();
    if !(only_columns && one_table && ungrouped && exact && all_seen && simple) {
        return None;
    }
    match &limit.value {
        Value::Number(n, false) => n.parse().ok(),
        _ => None,
    }
}
