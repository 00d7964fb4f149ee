//! Filters: conjuncts of WHERE and ON that a source may evaluate too.
//!
//! The residual keeps every conjunct, so a push is sound when rows that fail it cannot reach the result.
//! Legality, clause by clause:
//! 1. The conjunct is `column op literal`, IN, BETWEEN, IS [NOT] NULL, or AND/OR of such, over columns of
//!    exactly one scan of the same SELECT. Anything else stays.
//! 2. A bare column belongs to the scan only if no other relation beside it has, or may have, that name, and
//!    no alias of the select list is called so.
//! 3. WHERE: always when the scan is never null-supplied (not right of LEFT, left of RIGHT, either side of
//!    FULL). On a null-supplied scan only if the conjunct is null-rejecting (is not true when every column
//!    is NULL): IS NULL is not, so an anti-join's filter stays.
//! 4. ON of an inner join: as WHERE over the relations joined so far. ON of LEFT: only into the right side;
//!    of RIGHT: only into the left side, null-rejecting; of FULL: nothing.
//! 5. Each comparison must mean the same at the source (its sheet's `compare`) and the literal must be
//!    exactly of the column's type. OR needs every branch; AND inside a conjunct too.
//! 6. Nothing in a SELECT with joins that are not plain (SEMI, ANTI, ASOF, APPLY, NATURAL), lateral or
//!    sampled tables, PREWHERE, CONNECT BY, nor anywhere below a recursive CTE.
//!
//! Filters are not moved through CTEs or derived tables: a filter is pushed where it is written.

use super::literal;
use crate::PlanRequest;
use crate::catalog::ColumnSchema;
use crate::dialect::DialectSheet;
use crate::ir::{Kept, PushClass, Pushed};
use crate::needs::constraint;
use crate::residual::{Table, offset};
use dvt_diagnostic::{Code, LineIndex};
use crate::walk::{Watch, visit};
use sqlparser::ast::{
    BinaryOperator, Expr, Ident, JoinConstraint, JoinOperator, Query, Select, SelectItem, SetExpr, TableFactor,
};
use std::ops::ControlFlow;

/// What was found for one scan.
#[derive(Debug, Clone, Default)]
pub struct Found {
    pub pushed: Vec<Pushed>,
    pub kept: Vec<Kept>,
}

/// Finds pushable conjuncts; the result is parallel to `tables`.
pub fn find(query: &Query, tables: &[Table], request: &PlanRequest<'_>, _model: &DialectSheet) -> Vec<Found> {
    let mut walk =
        Walk { index: LineIndex::new(request.sql), tables, request, found: vec![Found::default(); tables.len()] };
    walk.query(query);
    walk.found
}

/// One relation beside others in a FROM.
struct Item {
    qualifier: String,
    /// Index into the tables; None for a CTE or a derived table, whose columns are not known here.
    table: Option<usize>,
    null_supplied: bool,
}

struct Walk<'a> {
    index: LineIndex,
    tables: &'a [Table],
    request: &'a PlanRequest<'a>,
    found: Vec<Found>,
}

impl Walk<'_> {
    fn query(&mut self, query: &Query) {
        // Clause 6: a recursive WITH is left alone as a whole.
        if query.with.as_ref().is_some_and(|w| w.recursive) {
            return;
        }
        for cte in query.with.iter().flat_map(|w| &w.cte_tables) {
            self.query(&cte.query);
        }
        self.body(&query.body);
    }

    fn body(&mut self, body: &SetExpr) {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { left, right, .. } => {
                self.body(left);
                self.body(right);
            }
            _ => {}
        }
    }

    fn select(&mut self, select: &Select) {
        for factor in select.from.iter().flat_map(|f| std::iter::once(&f.relation).chain(f.joins.iter().map(|j| &j.relation))) {
            if let TableFactor::Derived { subquery, lateral: false, .. } = factor {
                self.query(subquery);
            }
        }
        for inner in subqueries(select) {
            self.query(&inner);
        }
        let plain = select.connect_by.is_empty() && select.lateral_views.is_empty() && select.prewhere.is_none();
        let mut items: Vec<Item> = Vec::new();
        let mut filters: Vec<(Expr, Vec<usize>)> = Vec::new();
        let known = plain && select.from.iter().all(|from| self.from(from, &mut items, &mut filters));
        if !known {
            return;
        }
        let aliases: Vec<String> = select
            .projection
            .iter()
            .filter_map(|item| match item {
                SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.to_lowercase()),
                _ => None,
            })
            .collect();
        if let Some(selection) = &select.selection {
            let all: Vec<usize> = (0..items.len()).collect();
            for conjunct in conjuncts(selection) {
                self.consider(conjunct, &items, &all, &aliases);
            }
        }
        for (conjunct, into) in &filters {
            self.consider(conjunct, &items, into, &aliases);
        }
    }

    /// Adds the relations of one FROM element, and the ON conjuncts with the items each may be pushed into.
    /// False when the element holds something that is not known here (clause 6).
    fn from(&mut self, from: &sqlparser::ast::TableWithJoins, items: &mut Vec<Item>, filters: &mut Vec<(Expr, Vec<usize>)>) -> bool {
        let first = items.len();
        if !self.item(&from.relation, items) {
            return false;
        }
        for join in &from.joins {
            let left: Vec<usize> = (first..items.len()).collect();
            if !self.item(&join.relation, items) {
                return false;
            }
            let right = vec![items.len() - 1];
            let both: Vec<usize> = left.iter().chain(&right).copied().collect();
            let mut supplied = |which: &[usize]| which.iter().for_each(|i| items[*i].null_supplied = true);
            let into = match &join.join_operator {
                JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_) => both,
                JoinOperator::Left(_) | JoinOperator::LeftOuter(_) => {
                    supplied(&right);
                    right
                }
                JoinOperator::Right(_) | JoinOperator::RightOuter(_) => {
                    supplied(&left);
                    left
                }
                JoinOperator::FullOuter(_) => {
                    supplied(&both);
                    Vec::new()
                }
                _ => return false,
            };
            match constraint(&join.join_operator) {
                Some(JoinConstraint::On(on)) => filters.extend(conjuncts(on).into_iter().map(|c| (c.clone(), into.clone()))),
                Some(JoinConstraint::Using(_) | JoinConstraint::None) => {}
                Some(JoinConstraint::Natural) | None => return false,
            }
        }
        true
    }

    fn item(&self, factor: &TableFactor, items: &mut Vec<Item>) -> bool {
        match factor {
            TableFactor::Table { name, alias, args: None, sample: None, version: None, .. } => {
                let Some(first) = name.0.first().and_then(|p| p.as_ident()) else { return false };
                let start = offset(&self.index, self.request.sql, first);
                let table = self.tables.iter().position(|t| t.at.start == start);
                let renamed = alias.as_ref().is_some_and(|a| !a.columns.is_empty());
                let last = name.0.last().and_then(|p| p.as_ident()).map_or("", |i| i.value.as_str());
                let qualifier = alias.as_ref().map_or(last, |a| a.name.value.as_str()).to_lowercase();
                items.push(Item { qualifier, table: table.filter(|_| !renamed), null_supplied: false });
                true
            }
            TableFactor::Derived { lateral: false, alias, sample: None, .. } => {
                let qualifier = alias.as_ref().map(|a| a.name.value.to_lowercase()).unwrap_or_default();
                items.push(Item { qualifier, table: None, null_supplied: false });
                true
            }
            _ => false,
        }
    }

    /// Pushes one conjunct, or notes at the scan it is about why not.
    fn consider(&mut self, conjunct: &Expr, items: &[Item], into: &[usize], aliases: &[String]) {
        let mut scope = Scope { walk: self, items, aliases, item: None, null_rejecting: true, class: PushClass::Exact };
        let remote = scope.predicate(conjunct);
        let (item, null_rejecting, class) = (scope.item, scope.null_rejecting, scope.class);
        // About no scan, or about several: a join condition, not a filter that could have moved.
        let Some(item) = item else { return };
        let Some(table) = items[item].table else { return };
        let reason = match &remote {
            Err(Stay::Join) => return,
            Err(Stay::Because(reason)) => Some(reason.clone()),
            Ok(_) if !into.contains(&item) => Some("its join must keep the rows that fail it".to_owned()),
            Ok(_) if items[item].null_supplied && !null_rejecting => {
                Some("it can be true for rows that the outer join fills with NULL".to_owned())
            }
            Ok(_) => None,
        };
        let sql = conjunct.to_string();
        match (reason, remote) {
            (None, Ok(remote)) => self.found[table].pushed.push(Pushed { sql, remote, class }),
            (Some(reason), _) => self.found[table].kept.push(Kept { sql, code: Code::NotPushed, reason }),
            (None, Err(_)) => {}
        }
    }
}

/// Why a conjunct stays.
enum Stay {
    /// It is about several relations.
    Join,
    Because(String),
}

struct Scope<'a, 'w> {
    walk: &'a Walk<'w>,
    items: &'a [Item],
    aliases: &'a [String],
    /// The one item it is about, once known.
    item: Option<usize>,
    null_rejecting: bool,
    class: PushClass,
}

impl Scope<'_, '_> {
    /// The conjunct in the source's words.
    fn predicate(&mut self, expr: &Expr) -> Result<String, Stay> {
        match expr {
            Expr::Nested(inner) => self.predicate(inner),
            Expr::BinaryOp { left, op: op @ (BinaryOperator::And | BinaryOperator::Or), right } => {
                let before = self.null_rejecting;
                let a = self.predicate(left)?;
                let a_rejects = std::mem::replace(&mut self.null_rejecting, true);
                let b = self.predicate(right)?;
                let both = match op {
                    BinaryOperator::And => a_rejects || self.null_rejecting,
                    _ => a_rejects && self.null_rejecting,
                };
                self.null_rejecting = before && both;
                Ok(format!("({a} {op} {b})"))
            }
            Expr::BinaryOp { left, op, right } => {
                let operator = comparison(op).ok_or_else(|| self.unknown(expr))?;
                if let Some(ident) = column(left) {
                    self.compare(ident, operator, &[right], expr)
                } else if let Some(ident) = column(right) {
                    self.compare(ident, mirrored(operator), &[left], expr)
                } else {
                    Err(self.unknown(expr))
                }
            }
            Expr::InList { expr: tested, list, negated } => {
                let ident = column(tested).ok_or_else(|| self.unknown(expr))?;
                let list: Vec<&Expr> = list.iter().collect();
                self.compare(ident, if *negated { "not in" } else { "in" }, &list, expr)
            }
            Expr::Between { expr: tested, negated: false, low, high } => {
                let ident = column(tested).ok_or_else(|| self.unknown(expr))?;
                let low = self.compare(ident, ">=", &[low], expr)?;
                let high = self.compare(ident, "<=", &[high], expr)?;
                Ok(format!("({low} AND {high})"))
            }
            Expr::IsNull(tested) => {
                let Some(ident) = column(tested) else { return Err(self.unknown(expr)) };
                let (quoted, _) = self.resolve(ident)?;
                self.null_rejecting = false;
                Ok(format!("{quoted} IS NULL"))
            }
            Expr::IsNotNull(tested) => {
                let Some(ident) = column(tested) else { return Err(self.unknown(expr)) };
                let (quoted, _) = self.resolve(ident)?;
                Ok(format!("{quoted} IS NOT NULL"))
            }
            _ => Err(self.unknown(expr)),
        }
    }

    fn compare(&mut self, ident: &[Ident], operator: &str, literals: &[&Expr], whole: &Expr) -> Result<String, Stay> {
        // A second column makes it a join condition or a comparison inside one relation; neither moves.
        if literals.iter().any(|l| column(l).is_some()) {
            return Err(self.unknown(whole));
        }
        let (quoted, schema) = self.resolve(ident)?;
        let Some(kind) = schema.canonical else {
            return Err(Stay::Because(format!("the type {} of `{}` is not known here", schema.native, schema.name)));
        };
        let sheet = self.sheet()?;
        let as_operator = match operator {
            "in" => "=",
            "not in" => "<>",
            other => other,
        };
        let (comparison, class) =
            sheet.comparison(&schema, as_operator).map_err(Stay::Because)?;
        let unless = comparison.unless.clone();
        let mut printed = Vec::new();
        for expr in literals {
            let text = literal::plain(expr, kind)
                .ok_or_else(|| Stay::Because(format!("`{expr}` is not a plain {kind} literal, so that a cast would lie between")))?;
            printed.push(comparison.literal.replace("{}", &text));
        }
        self.class = self.class.max(class);
        let list = printed.join(", ");
        let test = match operator {
            "in" => format!("{quoted} IN ({list})"),
            "not in" => format!("{quoted} NOT IN ({list})"),
            other => format!("{quoted} {other} {list}"),
        };
        Ok(match unless {
            Some(alternative) => format!("({test} OR {})", alternative.replace("{column}", &quoted)),
            None => test,
        })
    }

    /// The scan's column behind a name, quoted for its source.
    fn resolve(&mut self, ident: &[Ident]) -> Result<(String, ColumnSchema), Stay> {
        let (name, candidates): (&Ident, Vec<usize>) = match ident {
            [name] => {
                if self.aliases.contains(&name.value.to_lowercase()) {
                    return Err(Stay::Because(format!("`{name}` may mean the select list's alias")));
                }
                let may = |i: &Item| i.table.is_none_or(|t| self.schema(t, &name.value).is_some());
                (name, (0..self.items.len()).filter(|i| may(&self.items[*i])).collect())
            }
            [qualifier, name] => {
                let wanted = qualifier.value.to_lowercase();
                (name, (0..self.items.len()).filter(|i| self.items[*i].qualifier == wanted).collect())
            }
            _ => return Err(Stay::Join),
        };
        let [item] = candidates.as_slice() else {
            return Err(Stay::Join);
        };
        if self.item.is_some_and(|known| known != *item) {
            self.item = None;
            return Err(Stay::Join);
        }
        self.item = Some(*item);
        let table = self.items[*item].table.ok_or(Stay::Join)?;
        let schema = self.schema(table, &name.value).ok_or_else(|| {
            Stay::Because(format!("`{name}` is not a column of the relation that is known here"))
        })?;
        let quoted = self.sheet()?.quote(&schema.name);
        Ok((quoted, schema))
    }

    /// The one column of that name, without case; None when there is none or more than one.
    fn schema(&self, table: usize, name: &str) -> Option<ColumnSchema> {
        let relation = self.walk.request.catalog.relation(&self.walk.tables[table].relation)?;
        let mut found = relation.columns.iter().filter(|c| c.name.eq_ignore_ascii_case(name));
        found.next().filter(|_| found.next().is_none()).cloned()
    }

    fn sheet(&self) -> Result<&DialectSheet, Stay> {
        let table = self.item.and_then(|i| self.items[i].table).ok_or(Stay::Join)?;
        let target = &self.walk.tables[table].relation.target;
        (self.walk.request.target_dialect)(target)
            .and_then(|d| self.walk.request.sheets.get(&d).ok())
            .ok_or_else(|| Stay::Because(format!("the dialect of `{target}` is not known")))
    }

    /// A form that is not on the list. It is told at the scan whose columns it reads, if that is one.
    fn unknown(&mut self, expr: &Expr) -> Stay {
        let mut columns = Columns(Vec::new());
        visit(expr, &mut columns);
        for ident in &columns.0 {
            if let Err(Stay::Join) = self.resolve(ident).map(|_| ()) {
                self.item = None;
                return Stay::Join;
            }
        }
        Stay::Because("this form of condition is not known to mean the same in both".to_owned())
    }
}

struct Columns(Vec<Vec<Ident>>);

impl Watch for Columns {
    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Some(ident) = column(expr) {
            self.0.push(ident.to_vec());
        }
        ControlFlow::Continue(())
    }
}

fn column(expr: &Expr) -> Option<&[Ident]> {
    match expr {
        Expr::Nested(inner) => column(inner),
        Expr::Identifier(ident) => Some(std::slice::from_ref(ident)),
        Expr::CompoundIdentifier(parts) => Some(parts),
        _ => None,
    }
}

fn comparison(op: &BinaryOperator) -> Option<&'static str> {
    Some(match op {
        BinaryOperator::Eq => "=",
        BinaryOperator::NotEq => "<>",
        BinaryOperator::Lt => "<",
        BinaryOperator::LtEq => "<=",
        BinaryOperator::Gt => ">",
        BinaryOperator::GtEq => ">=",
        _ => return None,
    })
}

fn mirrored(operator: &'static str) -> &'static str {
    match operator {
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        same => same,
    }
}

/// The parts of a condition that must all hold.
pub(super) fn conjuncts(expr: &Expr) -> Vec<&Expr> {
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

/// The queries in a SELECT's own expressions, not those below them.
fn subqueries(select: &Select) -> Vec<Query> {
    struct Find(Vec<Query>, usize);
    impl Watch for Find {
        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
            if self.1 == 0 {
                self.0.push(query.clone());
            }
            self.1 += 1;
            ControlFlow::Continue(())
        }
        fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            self.1 -= 1;
            ControlFlow::Continue(())
        }
    }
    let mut find = Find(Vec::new(), 0);
    for expr in select.selection.iter().chain(&select.having).chain(&select.qualify) {
        visit(expr, &mut find);
    }
    for item in &select.projection {
        visit(item, &mut find);
    }
    find.0
}
