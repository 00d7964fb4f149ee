//! Whole queries: WITH, set operations, order and limit.

use super::kind::{Form, Kind};
use super::scope::{Column, Scope, folded};
use super::{Said, Translator};
use crate::meaning::Nulls;
use crate::types::CanonicalType;
use crate::walk::Part;
use dvt_diagnostic::Diagnostic;
use sqlparser::ast::{
    CteAsMaterialized, Expr, LimitClause, OrderBy, OrderByExpr, OrderByKind, OrderBySort, Query, SetExpr, SetOperator, SetQuantifier, Values,
};

/// Where a query stands: what its rows are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The model itself: its columns become the table's, its order is nobody's.
    Outermost,
    /// A CTE or a derived table: columns are read by name.
    Named,
    /// An arm of a set operation: columns are matched by place.
    Arm,
    /// A subquery in an expression: columns need no names.
    Value,
}

/// A query in the compute's words.
pub(super) struct Rows {
    pub sql: String,
    pub columns: Vec<Column>,
}

impl Translator<'_> {
    pub(super) fn query(&self, query: &Query, outer: &Scope<'_>, place: Place) -> Result<Rows, Diagnostic> {
        let Query { with, body, order_by, limit_clause, fetch, locks, for_clause, settings, format_clause, pipe_operators } = query;
        if !locks.is_empty() || for_clause.is_some() || settings.is_some() || format_clause.is_some() || !pipe_operators.is_empty() {
            return Err(self.refuse(query, "what stands behind this query is not known"));
        }
        let mut around = outer.clone();
        let mut head = String::new();
        if let Some(with) = with {
            if with.recursive {
                return Err(self.refuse(with, "WITH RECURSIVE is not translated"));
            }
            let mut parts = Vec::new();
            for cte in &with.cte_tables {
                let mut rows = self.query(&cte.query, &around, Place::Named)?;
                let name = folded(&cte.alias.name, self.meaning.fold);
                let names = self.renamed(&cte.alias, &mut rows.columns)?;
                let how = match cte.materialized {
                    Some(_) if !self.writes.has("materialized") => "",
                    None => "",
                    Some(CteAsMaterialized::Materialized) => "MATERIALIZED ",
                    Some(CteAsMaterialized::NotMaterialized) => "NOT MATERIALIZED ",
                };
                parts.push(format!("{}{names} AS {how}({})", self.quote(&name), rows.sql));
                around.ctes.insert(name, rows.columns);
            }
            head = format!("WITH {} ", parts.join(", "));
        }
        let limited = limit_clause.is_some() || fetch.is_some();
        let (mut rows, order) = match body.as_ref() {
            SetExpr::Select(select) => {
                let chosen = self.select(select, &around, place)?;
                let order = order_by.as_ref().map(|o| self.order_of_select(o, &chosen, limited || place != Place::Outermost)).transpose()?;
                let mut rows = chosen.rows;
                // What is made of many rows is stored for who reads it, and so are its digits.
                if place == Place::Named && chosen.grouped {
                    for column in &mut rows.columns {
                        column.kind = column.kind.map(Kind::stored);
                    }
                }
                (rows, order)
            }
            other => {
                let mut rows = self.body(other, &around)?;
                if place != Place::Arm {
                    self.settle_columns(query, &mut rows.columns, place)?;
                }
                let order = order_by.as_ref().map(|o| self.order_of_rows(o, &rows.columns, limited)).transpose()?;
                (rows, order)
            }
        };
        match (order, &self.writes.any_order) {
            (Some(order), _) => rows.sql = format!("{} ORDER BY {order}", rows.sql),
            (None, Some(any)) if limited => rows.sql = format!("{} ORDER BY {any}", rows.sql),
            _ => {}
        }
        if let Some(limit) = limit_clause {
            rows.sql.push_str(&self.limit(limit)?);
        }
        if let Some(fetch) = fetch {
            let plain = !fetch.with_ties && !fetch.percent;
            let rows_wanted = fetch.quantity.as_ref().map_or(Some("1".to_owned()), count).filter(|_| plain);
            let wanted = rows_wanted.ok_or_else(|| self.refuse(query, "this FETCH is not translated"))?;
            rows.sql = format!("{} {}", rows.sql, self.writes.paging[0].replace("{rows}", &wanted));
        }
        rows.sql = format!("{head}{}", rows.sql);
        Ok(rows)
    }

    /// ` (a, b)` behind an alias; the columns get these names.
    pub(super) fn renamed(&self, alias: &sqlparser::ast::TableAlias, columns: &mut [Column]) -> Result<String, Diagnostic> {
        if alias.columns.is_empty() {
            return Ok(String::new());
        }
        if !self.writes.has("column aliases") {
            return Err(self.refuse(alias, "the compute has no names of columns behind a relation's"));
        }
        if alias.columns.len() > columns.len() || alias.columns.iter().any(|c| c.data_type.is_some()) {
            return Err(self.refuse(alias, format!("`{}` names other columns than its query has", alias.name.value)));
        }
        for (column, given) in columns.iter_mut().zip(&alias.columns) {
            column.name = folded(&given.name, self.meaning.fold);
        }
        Ok(format!("({})", columns.iter().map(|c| self.quote(&c.name)).collect::<Vec<_>>().join(", ")))
    }

    fn body(&self, body: &SetExpr, outer: &Scope<'_>) -> Result<Rows, Diagnostic> {
        match body {
            SetExpr::Select(select) => Ok(self.select(select, outer, Place::Arm)?.rows),
            SetExpr::Query(query) => {
                let rows = self.query(query, outer, Place::Arm)?;
                Ok(Rows { sql: format!("({})", rows.sql), ..rows })
            }
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                let word = match op {
                    SetOperator::Union => "UNION",
                    SetOperator::Except => self.writes.except.as_str(),
                    SetOperator::Intersect => "INTERSECT",
                    SetOperator::Minus => return Err(self.refuse(body, "MINUS is not translated")),
                };
                let all = match set_quantifier {
                    SetQuantifier::All => true,
                    SetQuantifier::Distinct | SetQuantifier::None => false,
                    _ => return Err(self.refuse(body, "matching columns by name is not translated")),
                };
                if all && *op != SetOperator::Union && !self.writes.has("all") {
                    return Err(self.refuse(body, format!("the compute has no {word} ALL")));
                }
                let (a, b) = (self.body(left, outer)?, self.body(right, outer)?);
                if a.columns.len() != b.columns.len() {
                    return Err(self.refuse(body, format!("the parts of {word} have {} and {} columns", a.columns.len(), b.columns.len())));
                }
                let whole = all && *op == SetOperator::Union;
                let mut columns = Vec::new();
                for (x, y) in a.columns.into_iter().zip(b.columns) {
                    let kind = match (x.kind, y.kind) {
                        (Some(k), Some(l)) => self.common(k, l).ok_or_else(|| {
                            self.refuse(body, format!("`{}` is {} in one part of {word} and {} in the other", x.name, k.words(), l.words()))
                        })?,
                        _ => return Err(self.refuse(body, format!("the type of `{}` is not known in every part of {word}", x.name))),
                    };
                    if !whole && !self.by_bytes(kind) {
                        return Err(self.refuse(body, format!("{word} compares `{}` ({}) by more than its bytes", x.name, kind.words())));
                    }
                    columns.push(Column { kind: Some(kind), ..x });
                }
                Ok(Rows { sql: format!("({}) {word}{} ({})", a.sql, if all { " ALL" } else { &self.writes.distinct_sets }, b.sql), columns })
            }
            SetExpr::Values(values) => self.values(values, outer),
            _ => Err(self.refuse(body, "this form of a query is not translated")),
        }
    }

    fn values(&self, values: &Values, outer: &Scope<'_>) -> Result<Rows, Diagnostic> {
        if !self.writes.has("values") {
            return Err(self.refuse(values, "the compute has no VALUES"));
        }
        let mut kinds: Vec<Kind> = Vec::new();
        let mut said: Vec<Vec<Said>> = Vec::new();
        for row in &values.rows {
            let cells = row.content.iter().map(|e| self.value(e, outer)).collect::<Result<Vec<_>, _>>()?;
            kinds.resize(kinds.len().max(cells.len()), Kind::Null);
            for (kind, cell) in kinds.iter_mut().zip(&cells) {
                *kind = self.common(*kind, cell.kind).ok_or_else(|| self.refuse(values, format!("VALUES mixes {} and {}", kind.words(), cell.kind.words())))?;
            }
            said.push(cells);
        }
        let mut rows = Vec::new();
        for cells in said {
            if cells.len() != kinds.len() {
                return Err(self.refuse(values, "the rows of VALUES differ in length"));
            }
            let cells = cells.into_iter().zip(&kinds).map(|(c, k)| self.widened(values, c, *k).map(|c| c.sql)).collect::<Result<Vec<_>, _>>()?;
            rows.push(format!("({})", cells.join(", ")));
        }
        // The names that dialects give such columns differ: they count only when an alias renames them.
        let columns = kinds.iter().enumerate().map(|(i, k)| Column { name: format!("column{}", i + 1), kind: Some(*k) }).collect();
        Ok(Rows { sql: format!("VALUES {}", rows.join(", ")), columns })
    }

    /// ` LIMIT n OFFSET m`.
    fn limit(&self, clause: &LimitClause) -> Result<String, Diagnostic> {
        let (limit, offset) = match clause {
            LimitClause::LimitOffset { limit, offset, limit_by } if limit_by.is_empty() => (limit.as_ref(), offset.as_ref().map(|o| &o.value)),
            LimitClause::OffsetCommaLimit { offset, limit } => (Some(limit), Some(offset)),
            LimitClause::LimitOffset { .. } => return Err(self.refuse(self.of.query, "LIMIT BY is not translated")),
        };
        let number = |word: &str, value: Option<&Expr>| value.map(|v| count(v).ok_or_else(|| self.refuse(v, format!("{word} takes a plain number")))).transpose();
        let form = match (number("LIMIT", limit)?, number("OFFSET", offset)?) {
            (None, None) => return Ok(String::new()),
            (Some(n), None) => self.writes.paging[0].replace("{rows}", &n),
            (None, Some(m)) => self.writes.paging[1].replace("{offset}", &m),
            (Some(n), Some(m)) => self.writes.paging[2].replace("{rows}", &n).replace("{offset}", &m),
        };
        Ok(format!(" {form}"))
    }

    /// Keys of ORDER BY over the output of a set operation.
    fn order_of_rows(&self, order: &OrderBy, columns: &[Column], matters: bool) -> Result<String, Diagnostic> {
        let mut keys = Vec::new();
        for key in self.keys(order)? {
            let place = output(&key.expr, columns, |i| folded(i, self.meaning.fold))
                .ok_or_else(|| self.refuse(&key.expr, "the order of a set operation is told by its columns"))?;
            let kind = columns[place].kind.unwrap_or(Kind::Null);
            self.sortable(&key.expr, kind, matters)?;
            keys.push(self.direction(key, (place + 1).to_string())?);
        }
        Ok(keys.join(", "))
    }

    pub(super) fn keys<'o>(&self, order: &'o OrderBy) -> Result<&'o [OrderByExpr], Diagnostic> {
        match &order.kind {
            OrderByKind::Expressions(keys) if order.interpolate.is_none() => Ok(keys),
            _ => Err(self.refuse(order, "this ORDER BY is not translated")),
        }
    }

    /// Whether the order by a key says which rows there are; then both dialects must agree on it.
    pub(super) fn sortable(&self, at: &dyn Part, kind: Kind, matters: bool) -> Result<(), Diagnostic> {
        if matters && !self.ordered(kind) {
            let hint = if kind.is_text() { "the order of text depends on its collation" } else { "its order is not known" };
            return Err(self.refuse(at, format!("sorting by {}: {hint}", kind.words())));
        }
        Ok(())
    }

    /// A key with its direction and the place of NULL said.
    pub(super) fn direction(&self, key: &OrderByExpr, sql: String) -> Result<String, Diagnostic> {
        let descending = match &key.options.sort {
            None | Some(OrderBySort::Asc) => false,
            Some(OrderBySort::Desc) => true,
            Some(OrderBySort::Using(_)) => return Err(self.refuse(&key.expr, "ORDER BY … USING is not translated")),
        };
        if key.with_fill.is_some() {
            return Err(self.refuse(&key.expr, "WITH FILL is not translated"));
        }
        let first = key.options.nulls_first.unwrap_or(match self.meaning.nulls {
            Nulls::High => descending,
            Nulls::Low => !descending,
            Nulls::Last => false,
        });
        if !self.writes.has("nulls order") {
            let direction = if descending { "DESC" } else { "ASC" };
            return match self.of.compute.null_order() {
                Some(Nulls::Low) if first != descending => Ok(format!("{sql} {direction}")),
                Some(Nulls::High) if first == descending => Ok(format!("{sql} {direction}")),
                _ if !sql.bytes().all(|b| b.is_ascii_digit()) => Ok(format!("CASE WHEN {sql} IS NULL THEN {} END, {sql} {direction}", if first { "0 ELSE 1" } else { "1 ELSE 0" })),
                _ => Err(self.refuse(&key.expr, "the compute cannot say where NULL stands in an order of numbered columns")),
            };
        }
        Ok(format!("{sql} {} NULLS {}", if descending { "DESC" } else { "ASC" }, if first { "FIRST" } else { "LAST" }))
    }

    /// The columns of a set operation or of VALUES, once no further part can give them a type or a name.
    fn settle_columns(&self, at: &dyn Part, columns: &mut [Column], place: Place) -> Result<(), Diagnostic> {
        for (i, column) in columns.iter_mut().enumerate() {
            if column.name.is_empty() && place != Place::Value {
                return Err(self.refuse(at, format!("the name of column {} differs between dialects: give it an alias", i + 1)));
            }
            column.kind = match column.kind {
                Some(Kind::Literal) => Some(self.text()),
                Some(Kind::Null) => return Err(self.refuse(at, format!("column {} is NULL throughout: cast one of them", i + 1))),
                kind => kind,
            };
        }
        Ok(())
    }

    /// The type of a string that became a column.
    fn text(&self) -> Kind {
        Kind::Of(CanonicalType::Text, if self.meaning.literals_binary { Form::Fixed } else { Form::Free })
    }

    /// A NULL or a string that becomes a column has the type text.
    pub(super) fn settled(&self, at: &dyn Part, said: Said, place: Place) -> Result<Said, Diagnostic> {
        match (said.kind, place) {
            (Kind::Of(_, Form::Rest(p, s) | Form::Open(p, s)), _) => {
                let said = self.given_digits(at, said)?;
                Ok(Said { kind: Kind::Of(CanonicalType::Decimal(p, s), Form::Open(p, s)), ..said })
            }
            (Kind::Null, Place::Outermost | Place::Named) => {
                let text = self.type_name(at, CanonicalType::Text)?;
                Ok(Said::new(format!("CAST(NULL AS {text})"), Kind::of(CanonicalType::Text)))
            }
            (Kind::Literal, Place::Outermost | Place::Named) => Ok(Said::new(said.sql, self.text())),
            (Kind::Of(CanonicalType::Bool, _), _) if said.compared && !self.writes.has("truth") => self.typed(at, said),
            (Kind::Of(kind, _), Place::Outermost) if self.writes.inner.iter().any(|i| *i == kind.to_string()) || self.writes.name(kind).is_none() => {
                Err(self.refuse(at, format!("the compute cannot give values of the type {kind}")))
            }
            _ => self.typed(at, said),
        }
    }
}

/// A whole number that is not negative, as written.
fn count(expr: &Expr) -> Option<String> {
    let text = expr.to_string();
    text.bytes().all(|b| b.is_ascii_digit()).then_some(text)
}

/// The output column that a sort key names, by its name or its number.
pub(super) fn output(expr: &Expr, columns: &[Column], name: impl Fn(&sqlparser::ast::Ident) -> String) -> Option<usize> {
    match expr {
        Expr::Identifier(ident) => {
            let name = name(ident);
            let mut found = columns.iter().enumerate().filter(|(_, c)| c.name.eq_ignore_ascii_case(&name)).map(|(i, _)| i);
            found.next().filter(|_| found.next().is_none())
        }
        Expr::Value(_) => count(expr)?.parse::<usize>().ok()?.checked_sub(1).filter(|i| *i < columns.len()),
        _ => None,
    }
}
