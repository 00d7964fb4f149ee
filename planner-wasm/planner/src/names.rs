//! Bare names that certainly mean no column, or several (DVT010).
//!
//! Only where every relation of the SELECT is known with all its columns, the name is no alias of the select list, no
//! relation's, and stands where nothing but a column can: as an operand, under a function that takes values alone. Quoted
//! names are left out, which some products read as text. A name of a subquery may be one of a query around it. Everything
//! else is left to the compute.

use crate::bind::{Binder, Ctes, Relations, column};
use crate::parse::COMPILED;
use crate::pushdown::filters::subqueries;
use dvt_diagnostic::{Code, Diagnostic, Span};
use dvt_project::suggest::suggestion;
use sqlparser::ast::{BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident, OrderBy, OrderByKind, Query, Select, SelectItem, SetExpr, TableFactor, UnaryOperator};

/// The first bare name that no relation in its sight has, or that several have.
pub fn unknown(query: &Query, binder: &Binder<'_>) -> Option<Diagnostic> {
    let mut look = Look { binder, found: None };
    look.query(query, &Ctes::new(), &[]);
    look.found
}

/// The names in sight of a subquery; None where not all are known.
type Sight = Option<Vec<String>>;

/// Functions whose arguments are values, never words of their own.
const OF_VALUES: [&str; 14] = ["abs", "avg", "ceil", "coalesce", "count", "floor", "length", "lower", "max", "min", "nullif", "round", "sum", "upper"];

/// Words that SQL reads as values where a column could stand.
const VALUES: [&str; 13] = [
    "current_catalog", "current_date", "current_role", "current_schema", "current_time", "current_timestamp", "current_user", "default", "localtime", "localtimestamp", "session_user",
    "system_user", "user",
];

struct Look<'b, 'a> {
    binder: &'b Binder<'a>,
    found: Option<Diagnostic>,
}

fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

impl Look<'_, '_> {
    fn query(&mut self, query: &Query, ctes: &Ctes, around: &[Sight]) {
        let mut inner = ctes.clone();
        let recursive = query.with.as_ref().is_some_and(|w| w.recursive);
        for cte in query.with.iter().flat_map(|w| &w.cte_tables) {
            if !recursive {
                self.query(&cte.query, &inner, around);
            }
            inner.insert(cte.alias.name.value.to_lowercase(), (usize::MAX, self.binder.cte(&cte.query, &cte.alias, recursive, &inner)));
        }
        if query.pipe_operators.is_empty() {
            self.body(&query.body, query.order_by.as_ref(), &inner, around);
        }
    }

    fn body(&mut self, body: &SetExpr, order: Option<&OrderBy>, ctes: &Ctes, around: &[Sight]) {
        match body {
            SetExpr::Select(select) => self.select(select, order, ctes, around),
            SetExpr::Query(query) => self.query(query, ctes, around),
            SetExpr::SetOperation { left, right, .. } => {
                self.body(left, None, ctes, around);
                self.body(right, None, ctes, around);
            }
            _ => {}
        }
    }

    fn select(&mut self, select: &Select, order: Option<&OrderBy>, ctes: &Ctes, around: &[Sight]) {
        for from in &select.from {
            for factor in std::iter::once(&from.relation).chain(from.joins.iter().map(|j| &j.relation)) {
                if let TableFactor::Derived { lateral: false, subquery, .. } = factor {
                    self.query(subquery, ctes, around);
                }
            }
        }
        let relations = self.binder.relations(select, ctes).filter(|r| r.items.iter().all(|i| i.columns.as_ref().is_some_and(|c| !c.list.is_empty())));
        let mut inside = around.to_vec();
        let mut given: Vec<&str> = Vec::new();
        let (mut plain, mut by_output): (Vec<&Ident>, Vec<&Ident>) = (Vec::new(), Vec::new());
        for item in &select.projection {
            match item {
                SelectItem::ExprWithAlias { expr, alias } => {
                    given.push(&alias.value);
                    operands(expr, &mut plain);
                }
                SelectItem::UnnamedExpr(expr) => operands(expr, &mut plain),
                _ => {}
            }
        }
        // Some products let a subquery read the names of the select list around it.
        let seen = |r: &Relations<'_>| sight(r).into_iter().chain(given.iter().map(|n| (*n).to_owned())).collect();
        inside.push(relations.as_ref().map(seen));
        for inner in subqueries(select) {
            self.query(&inner, ctes, &inside);
        }
        let Some(relations) = relations else { return };
        for expr in select.selection.iter().chain(&select.having).chain(&select.qualify) {
            operands(expr, &mut plain);
        }
        if let GroupByExpr::Expressions(keys, _) = &select.group_by {
            keys.iter().for_each(|key| operands(key, &mut by_output));
        }
        if let Some(OrderByKind::Expressions(keys)) = order.map(|o| &o.kind) {
            keys.iter().for_each(|key| operands(&key.expr, &mut by_output));
        }
        let outputs: Vec<&str> = select
            .projection
            .iter()
            .filter_map(|item| match item {
                SelectItem::UnnamedExpr(expr) => column(expr).and_then(|c| c.last()).map(|i| i.value.as_str()),
                _ => None,
            })
            .collect();
        for ident in plain {
            self.name(ident, &relations, 0..relations.items.len(), &given, around);
        }
        // These may be columns that a `*` gives out.
        let star = select.projection.iter().any(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)));
        for ident in by_output.into_iter().filter(|i| !outputs.iter().any(|o| same(o, &i.value))) {
            self.name(ident, &relations, 0..if star { 0 } else { relations.items.len() }, &given, around);
        }
        for join in &relations.joins {
            let mut inside = Vec::new();
            join.on.iter().for_each(|on| operands(on, &mut inside));
            // Of several elements of FROM, ON sees its own.
            let seen = if select.from.len() == 1 { 0..join.right + 1 } else { 0..0 };
            for ident in inside {
                self.name(ident, &relations, seen.clone(), &given, around);
            }
        }
    }

    /// `seen`: the relations among which the name must be of one.
    fn name(&mut self, ident: &Ident, relations: &Relations<'_>, seen: std::ops::Range<usize>, given: &[&str], around: &[Sight]) {
        let name = ident.value.as_str();
        let other = |n: &&str| same(n, name);
        let free = ident.quote_style.is_some() || VALUES.iter().any(other) || given.iter().any(other) || relations.items.iter().any(|i| same(&i.qualifier, name));
        if free || self.found.is_some() {
            return;
        }
        let has = |i: usize| relations.items[i].columns.as_ref().is_some_and(|c| c.list.iter().any(|c| same(&c.name, name)));
        let found: Vec<usize> = (0..relations.items.len()).filter(|i| has(*i)).collect();
        let among: Vec<String> = found.iter().filter(|i| seen.contains(i) && !relations.items[**i].hidden).map(|i| relations.items[*i].qualifier.clone()).collect();
        let told = match found.as_slice() {
            [] => {
                if around.iter().any(|sight| sight.as_ref().is_none_or(|names| names.iter().any(|n| same(n, name)))) {
                    return;
                }
                let known = sight(relations);
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                let hint = match suggestion(name, &known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("columns here: {}", known.join(", ")),
                };
                (format!("no relation of this query has a column `{name}`"), hint)
            }
            _ if among.len() > 1 && !relations.merges(name) => {
                let whose: Vec<String> = among.iter().map(|q| format!("`{q}.{name}`")).collect();
                (format!("`{name}` may be a column of several relations"), format!("write which: {}", whose.join(" or ")))
            }
            _ => return,
        };
        let (line, at) = self.binder.index.position(self.binder.sql, self.binder.at(ident));
        self.found = Some(Diagnostic::error(Code::ColumnNotFound, told.0).at(Span::new(COMPILED, line, at)).hint(told.1));
    }
}

/// All names of columns of some relations, each once.
fn sight(relations: &Relations<'_>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for column in relations.items.iter().filter_map(|i| i.columns.as_ref()).flat_map(|c| &c.list) {
        if !names.iter().any(|n| same(n, &column.name)) {
            names.push(column.name.clone());
        }
    }
    names
}

/// The bare names in an expression that can be nothing but columns. Subqueries are not entered.
fn operands<'e>(expr: &'e Expr, out: &mut Vec<&'e Ident>) {
    use BinaryOperator as Op;
    let mut all = |exprs: &[&'e Expr]| exprs.iter().for_each(|e| operands(e, out));
    match expr {
        Expr::Identifier(ident) => out.push(ident),
        Expr::Nested(inner) | Expr::IsNull(inner) | Expr::IsNotNull(inner) | Expr::IsTrue(inner) | Expr::IsFalse(inner) | Expr::IsNotTrue(inner) | Expr::IsNotFalse(inner) => all(&[inner]),
        Expr::UnaryOp { op: UnaryOperator::Not | UnaryOperator::Minus | UnaryOperator::Plus, expr } => all(&[expr]),
        Expr::BinaryOp {
            left,
            op: Op::And | Op::Or | Op::Eq | Op::NotEq | Op::Lt | Op::LtEq | Op::Gt | Op::GtEq | Op::Plus | Op::Minus | Op::Multiply | Op::Divide | Op::Modulo | Op::StringConcat,
            right,
        } => all(&[left, right]),
        Expr::IsDistinctFrom(a, b) | Expr::IsNotDistinctFrom(a, b) => all(&[a, b]),
        Expr::InList { expr, list, .. } => {
            all(&[expr]);
            list.iter().for_each(|e| operands(e, out));
        }
        Expr::InSubquery { expr, .. } | Expr::Cast { expr, .. } => all(&[expr]),
        Expr::Between { expr, low, high, .. } => all(&[expr, low, high]),
        Expr::Like { expr, pattern, any: false, .. } => all(&[expr, pattern]),
        Expr::Case { operand, conditions, else_result, .. } => {
            operand.iter().chain(else_result).for_each(|e| operands(e, out));
            for when in conditions {
                operands(&when.condition, out);
                operands(&when.result, out);
            }
        }
        Expr::Function(f) if OF_VALUES.iter().any(|n| same(n, &f.name.to_string())) => {
            if let FunctionArguments::List(list) = &f.args {
                for arg in &list.args {
                    if let FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) = arg {
                        operands(e, out);
                    }
                }
            }
        }
        _ => {}
    }
}
