//! Column pruning: which columns of each scan the text can possibly read.
//!
//! Legality: a column may be left out only if nothing in the text can name it. Names are compared
//! without case, over the whole text, so that the answer errs on the side of reading more:
//! - a column whose name stands anywhere as a bare identifier is read, from every scan that has it;
//!   so leaving others out never changes which relation a bare name resolves to;
//! - `t.c` reads `c` of the relations that are called `t` somewhere, if nothing else is called so (a CTE or derived table
//!   may pass on another's); all places of one relation have the columns that any needs, so that they can share a read;
//! - a `*` (or a select list left out) reads all columns of the scans beside it, in source order; only in a
//!   plain CTE or derived table (no DISTINCT, grouping, order or set operation) may it be pruned by name, unless what
//!   reads that with a `*` is itself read whole;
//! - whole-row references (a table's name as a value), NATURAL joins and COLUMNS() read everything;
//! - a condition that a source has asked, and nobody asks again, names nothing;
//! - a query this walk does not know (pivots, table functions over rows, …) reads everything.

use crate::catalog::Catalog;
use crate::pushdown::verdict::{Rules, Verdict};
use crate::residual::{Table, offset};
use crate::walk::{Watch, visit};
use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident, JoinConstraint, JoinOperator, Query, Select,
    SelectItem, SelectItemQualifiedWildcardKind, SetExpr, TableFactor,
};
use dvt_project::RelationRef;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, Range};
use dvt_diagnostic::LineIndex;

/// The columns that one scan must deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needed {
    All,
    /// Lower-cased names.
    Named(BTreeSet<String>),
}

impl Needed {
    pub fn wants(&self, column: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.contains(&column.to_lowercase()),
        }
    }
}

/// Needs per table, in the tables' order.
///
/// `settled`: parts of the text `sql` that nobody reads, in its order.
pub fn columns(sql: &str, query: &Query, tables: &[Table], catalog: &Catalog, settled: &[Range<usize>], rules: &Rules) -> Vec<Needed> {
    let starts = tables.iter().map(|t| t.at.start).collect();
    let mut walk =
        Walk { names: BTreeSet::new(), qualified: BTreeSet::new(), passing: BTreeSet::new(), values: BTreeSet::new(), starred: BTreeSet::new(), everything: false, sql, index: LineIndex::new(sql), settled, starts };
    visit(query, &mut walk);
    let called: BTreeSet<String> = tables.iter().map(|t| t.qualifier.to_lowercase()).collect();
    let mut of: BTreeMap<&RelationRef, BTreeSet<String>> = BTreeMap::new();
    for (qualifier, name) in std::mem::take(&mut walk.qualified) {
        if called.contains(&qualifier) && rules.legal(Verdict::OwnName, !walk.passing.contains(&qualifier)) {
            for table in tables.iter().filter(|t| t.qualifier.to_lowercase() == qualifier) {
                of.entry(&table.relation).or_default().insert(name.clone());
            }
        } else {
            walk.names.insert(name);
        }
    }
    walk.select_wildcards(query, rules);
    tables
        .iter()
        .map(|table| {
            let qualifier = table.qualifier.to_lowercase();
            let columns = catalog.relation(&table.relation).map(|s| &s.columns);
            let is_column = |name: &str| columns.is_some_and(|c| c.iter().any(|c| c.name.to_lowercase() == name));
            let whole_row = walk.values.contains(&qualifier) && !is_column(&qualifier);
            if walk.everything || whole_row || walk.starred.contains(&qualifier) {
                Needed::All
            } else {
                Needed::Named(walk.names.iter().chain(of.get(&table.relation).into_iter().flatten()).cloned().collect())
            }
        })
        .collect()
}

struct Walk<'a> {
    /// Every bare identifier of the text, lower-cased, and every qualifier.
    names: BTreeSet<String>,
    /// Qualifiers and names.
    qualified: BTreeSet<(String, String)>,
    /// What is called otherwise than a relation: CTEs, derived tables.
    passing: BTreeSet<String>,
    /// Bare identifiers used as values.
    values: BTreeSet<String>,
    /// Qualifiers of scans that a `*` reads whole.
    starred: BTreeSet<String>,
    everything: bool,
    sql: &'a str,
    index: LineIndex,
    settled: &'a [Range<usize>],
    /// Where relations stand.
    starts: BTreeSet<usize>,
}

impl Walk<'_> {
    fn ident(&mut self, ident: &Ident) {
        self.names.insert(ident.value.to_lowercase());
    }

    fn unread(&self, ident: &Ident) -> bool {
        if self.settled.is_empty() {
            return false;
        }
        let at = offset(&self.index, self.sql, ident);
        self.settled.get(self.settled.partition_point(|s| s.end <= at)).is_some_and(|s| s.contains(&at))
    }

    fn select_wildcards(&mut self, query: &Query, rules: &Rules) {
        // Which CTEs are read whole is known only when all that read them are: until nothing is added.
        let mut whole = BTreeSet::new();
        loop {
            let mut stars = Stars { rules, starred: BTreeSet::new(), whole: whole.clone() };
            stars.query(query, true);
            if stars.whole == whole {
                self.starred = stars.starred;
                return;
            }
            whole = stars.whole;
        }
    }
}

struct Stars<'a> {
    rules: &'a Rules,
    /// Qualifiers that a `*` reads whole.
    starred: BTreeSet<String>,
    /// Names of relations, CTEs among them, that a `*` reads whole.
    whole: BTreeSet<String>,
}

impl Stars<'_> {
    fn query(&mut self, query: &Query, output_whole: bool) {
        for cte in query.with.iter().flat_map(|w| &w.cte_tables) {
            let whole = query.with.as_ref().is_some_and(|w| w.recursive)
                || !cte.alias.columns.is_empty()
                || !self.rules.legal(Verdict::StarByName, !self.whole.contains(&cte.alias.name.value.to_lowercase()));
            self.query(&cte.query, whole);
        }
        // Ordinals and ALL count the columns of the select list.
        self.body(&query.body, output_whole || query.order_by.is_some());
    }

    fn body(&mut self, body: &SetExpr, whole: bool) {
        match body {
            SetExpr::Select(select) => {
                let ungrouped = matches!(&select.group_by, GroupByExpr::Expressions(e, m) if e.is_empty() && m.is_empty());
                self.select(select, whole || select.distinct.is_some() || !ungrouped);
            }
            SetExpr::Query(query) => self.query(query, whole),
            // Set operations match columns by position: every arm is read whole.
            SetExpr::SetOperation { left, right, .. } => {
                self.body(left, true);
                self.body(right, true);
            }
            _ => {}
        }
    }

    fn select(&mut self, select: &Select, whole: bool) {
        // A select list that is left out (`FROM t`) is a `*`.
        let mut bare = select.projection.is_empty();
        let mut qualified = BTreeSet::new();
        for item in &select.projection {
            match item {
                SelectItem::Wildcard(_) => bare = true,
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                    qualified.extend(name.0.last().and_then(|p| p.as_ident()).map(|i| i.value.to_lowercase()));
                }
                SelectItem::QualifiedWildcard(..) => bare = true,
                _ => {}
            }
        }
        for factor in factors(select) {
            self.factor(factor, whole, bare, &qualified);
        }
        let mut inner = InnerQueries { stars: self };
        visit(select, &mut inner);
    }

    fn factor(&mut self, factor: &TableFactor, whole: bool, bare: bool, qualified: &BTreeSet<String>) {
        match factor {
            TableFactor::Table { name, alias, .. } => {
                let last = name.0.last().and_then(|p| p.as_ident()).map(|i| i.value.as_str()).unwrap_or_default();
                let qualifier = alias.as_ref().map_or(last, |a| a.name.value.as_str()).to_lowercase();
                let renamed = alias.as_ref().is_some_and(|a| !a.columns.is_empty());
                if renamed || (whole && (bare || qualified.contains(&qualifier))) {
                    self.whole.insert(last.to_lowercase());
                    self.starred.insert(qualifier);
                }
            }
            TableFactor::Derived { subquery, alias, .. } => {
                let name = alias.as_ref().map(|a| a.name.value.to_lowercase()).unwrap_or_default();
                let renamed = alias.as_ref().is_some_and(|a| !a.columns.is_empty());
                self.query(subquery, renamed || (whole && (bare || qualified.contains(&name))));
            }
            // Other factors read everything anyway, see `Walk::pre_visit_table_factor`.
            _ => {}
        }
    }
}

fn factors(select: &Select) -> impl Iterator<Item = &TableFactor> {
    select.from.iter().flat_map(|f| std::iter::once(&f.relation).chain(f.joins.iter().map(|j| &j.relation)))
}

/// Subqueries in expressions are read whole (`in (select * …)` compares by position), but for EXISTS.
struct InnerQueries<'a, 'b> {
    stars: &'a mut Stars<'b>,
}

impl Watch for InnerQueries<'_, '_> {
    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::InSubquery { subquery, .. } | Expr::Subquery(subquery) => self.stars.query(subquery, true),
            // Whether there is a row does not depend on what is in it.
            Expr::Exists { subquery, .. } => self.stars.query(subquery, false),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl Watch for Walk<'_> {
    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) if self.unread(ident) => {}
            Expr::CompoundIdentifier(parts) if parts.first().is_some_and(|p| self.unread(p)) => {}
            Expr::Identifier(ident) => {
                self.ident(ident);
                self.values.insert(ident.value.to_lowercase());
            }
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [qualifier, name] => {
                    self.ident(qualifier);
                    self.qualified.insert((qualifier.value.to_lowercase(), name.value.to_lowercase()));
                }
                parts => parts.iter().for_each(|p| self.ident(p)),
            },
            Expr::Function(f) => {
                let name = f.name.to_string().to_lowercase();
                // `t.c.upper()` is a function of a column.
                if f.name.0.len() > 1 {
                    f.name.0.iter().filter_map(|p| p.as_ident()).for_each(|i| self.ident(i));
                }
                // COLUMNS(...) picks columns by pattern; row functions take whole rows.
                self.everything |= matches!(name.as_str(), "columns" | "row_to_json" | "to_json" | "struct_pack");
                if let FunctionArguments::List(list) = &f.args {
                    // `f(t.*)` reads whole rows; only count(*) counts them.
                    self.everything |= list.args.iter().any(|arg| match arg {
                        FunctionArg::Unnamed(a) | FunctionArg::Named { arg: a, .. } | FunctionArg::ExprNamed { arg: a, .. } => match a {
                            FunctionArgExpr::Expr(_) => false,
                            FunctionArgExpr::Wildcard => name != "count",
                            _ => true,
                        },
                    });
                }
            }
            Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => self.everything = true,
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table { name, alias, .. } => {
                let (first, last) = (name.0.first().and_then(|p| p.as_ident()), name.0.last().and_then(|p| p.as_ident()));
                let known = first.is_some_and(|i| self.starts.contains(&offset(&self.index, self.sql, i)));
                let renamed = alias.as_ref().is_some_and(|a| !a.columns.is_empty());
                if !known || renamed {
                    self.passing.extend(alias.as_ref().map(|a| &a.name).or(last).map(|i| i.value.to_lowercase()));
                }
            }
            TableFactor::Derived { alias, .. } => self.passing.extend(alias.as_ref().map(|a| a.name.value.to_lowercase())),
            _ => self.everything = true,
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.everything |= !query.pipe_operators.is_empty();
        self.arms(&query.body);
        ControlFlow::Continue(())
    }
}

impl Walk<'_> {
    fn arms(&mut self, body: &SetExpr) {
        match body {
            SetExpr::Select(select) => self.joins(select),
            SetExpr::SetOperation { left, right, .. } => {
                self.arms(left);
                self.arms(right);
            }
            // A nested query is visited as such.
            SetExpr::Query(_) | SetExpr::Values(_) => {}
            _ => self.everything = true,
        }
    }

    fn joins(&mut self, select: &Select) {
        for item in &select.projection {
            // EXCLUDE, REPLACE, RENAME … mean something else when columns are missing.
            if let SelectItem::Wildcard(o) | SelectItem::QualifiedWildcard(_, o) = item {
                let plain = o.opt_ilike.is_none()
                    && o.opt_exclude.is_none()
                    && o.opt_except.is_none()
                    && o.opt_replace.is_none()
                    && o.opt_rename.is_none();
                self.everything |= !plain;
            }
        }
        for join in select.from.iter().flat_map(|f| &f.joins) {
            match constraint(&join.join_operator) {
                Some(JoinConstraint::Using(names)) => {
                    for name in names {
                        name.0.iter().filter_map(|p| p.as_ident()).for_each(|i| self.ident(i));
                    }
                }
                Some(JoinConstraint::Natural) | None => self.everything = true,
                Some(JoinConstraint::On(_) | JoinConstraint::None) => {}
            }
        }
    }
}

/// The constraint of the joins this crate knows; None for others.
pub fn constraint(operator: &JoinOperator) -> Option<&JoinConstraint> {
    match operator {
        JoinOperator::Join(c)
        | JoinOperator::Inner(c)
        | JoinOperator::Left(c)
        | JoinOperator::LeftOuter(c)
        | JoinOperator::Right(c)
        | JoinOperator::RightOuter(c)
        | JoinOperator::FullOuter(c)
        | JoinOperator::CrossJoin(c) => Some(c),
        _ => None,
    }
}
