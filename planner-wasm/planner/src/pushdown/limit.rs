//! LIMIT, and ORDER BY with LIMIT, on one scan.
//!
//! Legality: the whole query is `SELECT columns FROM one relation [WHERE …] [ORDER BY columns] LIMIT n [OFFSET m]` with
//! nothing that needs more rows than it returns (no grouping, DISTINCT, window, aggregate, subquery, second relation),
//! and every conjunct of WHERE was pushed `exact`. Without ORDER BY, which rows come is open by definition, and OFFSET
//! counts on; with it:
//! 1. every key is a column whose family the source orders as the model does (its sheet has `<` as `exact`, without
//!    conditions; text only where the compute reads the model's own dialect, which orders by bytes);
//! 2. where NULL stands is said by the model or its dialect, and is said to a source whose own order is another;
//! 3. the source gives n + m rows, and the residual sorts and cuts again: among rows of equal keys any may come.
//!
//! In a query that its source answers whole ([`told`]), the source cuts alone: its keys are columns of the list, and clauses
//! 1 and 2 hold for them.

use super::predicate::conjuncts;
use super::verdict::{Rule, Rules, Verdict};
use crate::PlanRequest;
use super::remote::{Env, Rel, Remote};
use crate::bind::{Binder, Ctes, column, outputs};
use crate::catalog::ColumnSchema;
use crate::dialect::DialectSheet;
use crate::ir::{PushClass, RemoteScan};
use crate::meaning::Nulls;
use crate::residual::Table;
use crate::types::Family;
use dvt_diagnostic::LineIndex;
use sqlparser::ast::{Expr, GroupByExpr, LimitClause, OrderByExpr, OrderByKind, OrderBySort, Query, Select, SelectItem, SetExpr, TableFactor, Value};

/// What a scan's SQL ends with, and the most rows it then gives.
pub struct Limited {
    pub sql: String,
    pub rows: u64,
}

pub fn find(query: &Query, tables: &[Table], scans: &[RemoteScan], request: &PlanRequest<'_>, rules: &Rules) -> Option<Limited> {
    let ([_], [scan], true) = (tables, scans, rules.on(Rule::Limit)) else { return None };
    let Some(LimitClause::LimitOffset { limit: Some(limit), offset, limit_by }) = &query.limit_clause else {
        return None;
    };
    let rows = number(limit)?.checked_add(offset.as_ref().map_or(Some(0), |o| number(&o.value))?)?;
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let plain = query.with.is_none() && query.fetch.is_none() && query.locks.is_empty() && query.pipe_operators.is_empty() && limit_by.is_empty();
    let only_columns = select.projection.iter().all(|item| match item {
        SelectItem::Wildcard(_) => true,
        SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. } => column(e).is_some(),
        _ => false,
    });
    let one_table = match select.from.as_slice() {
        [from] => from.joins.is_empty() && matches!(&from.relation, TableFactor::Table { sample: None, .. }),
        _ => false,
    };
    let ungrouped = matches!(&select.group_by, GroupByExpr::Expressions(e, m) if e.is_empty() && m.is_empty());
    let simple = select.distinct.is_none()
        && select.top.is_none()
        && select.having.is_none()
        && select.qualify.is_none()
        && select.connect_by.is_empty()
        && select.lateral_views.is_empty();
    let exact = scan.kept.is_empty() && scan.pushed.iter().all(|p| p.class == PushClass::Exact);
    // Every conjunct must have been pushed: one about no column (`random() < 0.5`) is nobody's kept filter.
    let all_seen = select.selection.as_ref().is_none_or(|w| conjuncts(w).len() == scan.pushed.len());
    if !rules.legal(Verdict::LimitPlain, plain && only_columns && one_table && ungrouped && simple) || !rules.legal(Verdict::LimitExact, exact && all_seen) {
        return None;
    }
    let order = match &query.order_by {
        None => String::new(),
        Some(order) => {
            let OrderByKind::Expressions(keys) = &order.kind else { return None };
            order.interpolate.is_none().then(|| keys_at_source(keys, select, tables, request, rules))??
        }
    };
    let source = request.sheets.get(&(request.target_dialect)(&tables.first()?.relation.target)?).ok()?;
    Some(Limited { sql: source.limited(&order, rows), rows })
}

fn number(expr: &Expr) -> Option<u64> {
    match expr {
        Expr::Value(v) => match &v.value {
            Value::Number(n, false) => n.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

fn keys_at_source(keys: &[OrderByExpr], select: &Select, tables: &[Table], request: &PlanRequest<'_>, rules: &Rules) -> Option<String> {
    let binder = Binder { sql: request.sql, index: LineIndex::new(request.sql), tables, catalog: request.catalog, rules };
    let relations = binder.relations(select, &Ctes::new())?;
    let relation = &tables.first()?.relation;
    let columns = &request.catalog.relation(relation)?.columns;
    let model = request.sheets.get(request.dialect).ok()?;
    let source = request.sheets.get(&(request.target_dialect)(&relation.target)?).ok()?;
    let of = |key: &OrderByExpr| {
        let expr = match number(&key.expr) {
            Some(n) => match select.projection.get(usize::try_from(n).ok()?.checked_sub(1)?)? {
                SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. } => e,
                _ => return None,
            },
            None => &key.expr,
        };
        let (item, at) = relations.resolve(column(expr)?, None)?;
        let schema = columns.get(at).filter(|_| item == 0)?;
        Some((source.quote(&schema.name), schema))
    };
    sorted(keys, &of, model, source, request.dialect == request.compute_dialect, rules)
}

/// ORDER BY in the source's words; `of`: a key's column.
fn sorted<'c>(
    keys: &[OrderByExpr],
    of: &dyn Fn(&OrderByExpr) -> Option<(String, &'c ColumnSchema)>,
    model: &DialectSheet,
    source: &DialectSheet,
    byte_order: bool,
    rules: &Rules,
) -> Option<String> {
    let mut said = Vec::new();
    for key in keys {
        let (quoted, schema) = of(key)?;
        if !rules.legal(Verdict::SameOrder, ordered_alike(schema, source, byte_order)) || key.with_fill.is_some() {
            return None;
        }
        let descending = match &key.options.sort {
            None | Some(OrderBySort::Asc) => false,
            Some(OrderBySort::Desc) => true,
            Some(OrderBySort::Using(_)) => return None,
        };
        let first = |nulls: Nulls| match nulls {
            Nulls::High => descending,
            Nulls::Low => !descending,
            Nulls::Last => false,
        };
        let wanted = match key.options.nulls_first {
            Some(said) => said,
            None => first(model.null_order()?),
        };
        if source.null_order().map(first) != Some(wanted) {
            said.push(format!("{}{}", source.null_key.replace("{}", &quoted), if wanted { " DESC" } else { "" }));
        }
        said.push(format!("{quoted}{}", if descending { " DESC" } else { "" }));
    }
    Some(format!(" ORDER BY {}", said.join(", ")))
}

/// Whether a source orders a column's values as the model does.
fn ordered_alike(column: &ColumnSchema, source: &DialectSheet, byte_order: bool) -> bool {
    let text = column.canonical.is_none_or(|k| k.family() == Family::Text);
    let exact = source.comparison(column, "<").is_ok_and(|(c, class)| class == PushClass::Exact && c.unless.is_none());
    exact && (!text || byte_order)
}

/// LIMIT, and ORDER BY with LIMIT, of a query that its source answers whole.
pub fn told<'q>(remote: &Remote<'_>, query: &'q Query, mut rel: Rel<'q>, env: &Env<'q>) -> Option<Rel<'q>> {
    let Some(LimitClause::LimitOffset { limit: Some(limit), offset, limit_by }) = &query.limit_clause else { return None };
    let rows = number(limit)?;
    let skipped = offset.as_ref().map_or(Some(0), |o| number(&o.value))?;
    if !remote.rules.on(Rule::Limit) || !remote.rules.on(Rule::Subtrees) || !limit_by.is_empty() || rel.home.is_some() {
        return None;
    }
    // Beside DISTINCT only what is listed may be sorted by, and where NULL stands is not.
    if rel.distinct || (rel.done && matches!(query.body.as_ref(), SetExpr::Query(_))) {
        rel = remote.closed(rel)?;
    }
    let mut order = String::new();
    if let Some(by) = &query.order_by {
        let OrderByKind::Expressions(keys) = &by.kind else { return None };
        let source = remote.source(&rel.target)?;
        let inputs = match query.body.as_ref() {
            SetExpr::Select(select) => remote.binder.relations(select, env.scope()).and_then(|r| Some((outputs(select, &r)?.0, r))),
            _ => None,
        };
        let of = |key: &OrderByExpr| {
            let place = match (number(&key.expr), column(&key.expr)) {
                (Some(n), _) => usize::try_from(n).ok()?.checked_sub(1)?,
                (None, Some([name])) => {
                    let mut named = (0..rel.columns.len()).filter(|i| rel.columns[*i].schema.name.eq_ignore_ascii_case(&name.value));
                    named.next().filter(|_| named.next().is_none())?
                }
                (None, name) => {
                    let (list, relations) = inputs.as_ref()?;
                    let at = relations.input(name?, None)?;
                    list.iter().position(|o| o.from == Some(at))?
                }
            };
            let out = rel.columns.get(place)?;
            Some((out.sql.clone(), &out.schema))
        };
        let request = remote.request;
        order = sorted(keys, &of, remote.sheet, source, request.dialect == request.compute_dialect, remote.rules)?;
    }
    let source = remote.source(&rel.target)?;
    rel.tail += &source.limited(&order, rows);
    if skipped > 0 {
        // Other products say it before the rows, or count up to them.
        (source.limit == "LIMIT {rows}").then_some(())?;
        rel.tail += &format!(" OFFSET {skipped}");
    }
    if rows <= FEW {
        rel.bound = rel.bound.or_else(|| rel.leaves.first().map(|l| vec![*l]));
    }
    (rel.done, rel.pays, rel.wide) = (true, true, rel.wide && rows > FEW);
    rel.unique = Vec::new();
    Some(rel)
}

/// So many rows are no more than any table's that is worth a thought.
const FEW: u64 = 1000;
