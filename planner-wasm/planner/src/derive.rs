//! The columns of a query, as far as its text tells: what a model will look like before it was ever built (SPEC P4).
//!
//! A column that is passed on keeps its type and collation. An expression's type is its database's to tell: it is taken
//! from what was seen of the relation before, else the column has no type here and says so.
//! Not here: expressions' types, set operations, recursive CTEs; of these nothing is told.

use crate::RelationUse;
use crate::catalog::{Catalog, Collation, ColumnSchema, RelationSchema};
use crate::dialect::DialectSheet;
use crate::parse;
use crate::residual::{self, Table, offset};
use crate::types::CanonicalType;
use dvt_diagnostic::{Diagnostic, LineIndex};
use sqlparser::ast::{
    Expr, Ident, JoinConstraint, JoinOperator, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, TableFactor, WildcardAdditionalOptions,
};
use std::collections::BTreeMap;

/// The columns that `sql` gives; `seen` is how the relation looked when it was last built.
///
/// None where the text does not tell.
///
/// # Errors
/// As [`crate::plan`] for text that cannot be read.
pub fn schema(
    sql: &str,
    relations: &[RelationUse],
    sheet: &DialectSheet,
    catalog: &Catalog,
    seen: Option<&RelationSchema>,
) -> Result<Option<RelationSchema>, Diagnostic> {
    let query = parse::query(sql, sheet)?;
    // A table that is neither ref nor source is another's error; here it is one of unknown columns.
    let tables = residual::tables(sql, &query, relations).unwrap_or_default();
    let scope = Scope { sql, index: LineIndex::new(sql), tables: &tables, catalog, seen, ctes: BTreeMap::new() };
    let columns = scope.query(&query, true);
    Ok(columns.map(|columns| RelationSchema { columns, rows: seen.and_then(|s| s.rows), bytes: seen.and_then(|s| s.bytes), unique: Vec::new() }))
}

/// Types of the columns that a query passes on from its relations as they are, by their names in the result, in lower
/// case. Of a name that two columns have nothing is told.
pub(crate) fn passed(sql: &str, query: &Query, tables: &[Table], catalog: &Catalog) -> BTreeMap<String, CanonicalType> {
    let scope = Scope { sql, index: LineIndex::new(sql), tables, catalog, seen: None, ctes: BTreeMap::new() };
    let columns = scope.query(query, true).unwrap_or_default();
    let same = |a: &ColumnSchema, b: &ColumnSchema| a.name.to_lowercase() == b.name.to_lowercase();
    let once = columns.iter().filter(|c| columns.iter().filter(|other| same(c, other)).count() == 1);
    once.filter_map(|c| Some((c.name.to_lowercase(), c.canonical?))).collect()
}

#[derive(Clone)]
struct Scope<'a> {
    sql: &'a str,
    index: LineIndex,
    tables: &'a [Table],
    catalog: &'a Catalog,
    seen: Option<&'a RelationSchema>,
    ctes: BTreeMap<String, Option<Vec<ColumnSchema>>>,
}

/// What one item of FROM is called and holds.
struct Item {
    name: String,
    columns: Option<Vec<ColumnSchema>>,
}

impl Scope<'_> {
    /// `outermost`: only its names are those of the relation that was seen.
    fn query(&self, query: &Query, outermost: bool) -> Option<Vec<ColumnSchema>> {
        let mut inner = self.clone();
        if let Some(with) = &query.with {
            if with.recursive {
                return None;
            }
            for cte in &with.cte_tables {
                let columns = if cte.alias.columns.is_empty() { inner.query(&cte.query, false) } else { None };
                inner.ctes.insert(cte.alias.name.value.to_lowercase(), columns);
            }
        }
        match query.body.as_ref() {
            SetExpr::Select(select) => inner.select(select, outermost),
            SetExpr::Query(query) => inner.query(query, outermost),
            _ => None,
        }
    }

    fn select(&self, select: &Select, outermost: bool) -> Option<Vec<ColumnSchema>> {
        let mut items = Vec::new();
        let mut plain = true;
        for from in &select.from {
            items.push(self.item(&from.relation));
            for join in &from.joins {
                items.push(self.item(&join.relation));
                plain &= keeps_columns(&join.join_operator);
            }
        }
        let mut out = Vec::new();
        for item in &select.projection {
            match item {
                SelectItem::UnnamedExpr(expr) => {
                    let name = column(expr)?.last()?.value.clone();
                    out.push(self.value(&items, expr, name, outermost));
                }
                SelectItem::ExprWithAlias { expr, alias } => out.push(self.value(&items, expr, alias.value.clone(), outermost)),
                SelectItem::Wildcard(options) if plain && bare(options) => {
                    for item in &items {
                        out.extend(item.columns.clone()?);
                    }
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) if bare(options) => {
                    let name = name.0.last()?.as_ident()?.value.to_lowercase();
                    let mut named = items.iter().filter(|i| i.name == name);
                    out.extend(named.next()?.columns.clone()?);
                }
                SelectItem::ExprWithAliases { .. } | SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => return None,
            }
        }
        Some(out)
    }

    fn item(&self, factor: &TableFactor) -> Item {
        match factor {
            TableFactor::Table { name, alias, args: None, .. } => {
                let last = name.0.last().and_then(|p| p.as_ident()).map(|i| i.value.to_lowercase()).unwrap_or_default();
                let start = name.0.first().and_then(|p| p.as_ident()).map(|i| offset(&self.index, self.sql, i));
                let table = start.and_then(|s| self.tables.iter().find(|t| t.at.start == s));
                let columns = match table {
                    Some(table) => self.catalog.relation(&table.relation).map(|s| s.columns.clone()),
                    None => self.ctes.get(&last).cloned().flatten(),
                };
                let renamed = alias.as_ref().is_some_and(|a| !a.columns.is_empty());
                Item { name: alias.as_ref().map_or(last, |a| a.name.value.to_lowercase()), columns: columns.filter(|_| !renamed) }
            }
            TableFactor::Derived { lateral: false, subquery, alias: Some(alias), .. } => {
                let columns = self.query(subquery, false).filter(|_| alias.columns.is_empty());
                Item { name: alias.name.value.to_lowercase(), columns }
            }
            _ => Item { name: String::new(), columns: None },
        }
    }

    /// A column of the result: the one it passes on, else what was seen of it, else one without a type.
    fn value(&self, items: &[Item], expr: &Expr, name: String, outermost: bool) -> ColumnSchema {
        if let Some(found) = column(expr).and_then(|idents| resolve(items, idents)) {
            return ColumnSchema { name, ..found };
        }
        let seen = self.seen.filter(|_| outermost).and_then(|s| s.columns.iter().find(|c| c.name.eq_ignore_ascii_case(&name)));
        seen.cloned().unwrap_or_else(|| ColumnSchema {
            refused: Some(format!("the type of `{expr}` is known only when its model has been built")),
            name,
            native: String::new(),
            canonical: None,
            collation: Collation::Unknown,
        })
    }
}

/// The one column that a name means; None where it may mean another.
fn resolve(items: &[Item], idents: &[Ident]) -> Option<ColumnSchema> {
    let of = |item: &Item, name: &str| item.columns.as_ref().and_then(|c| c.iter().find(|c| c.name.eq_ignore_ascii_case(name)).cloned());
    match idents {
        [name] => {
            if items.iter().any(|i| i.columns.is_none()) {
                return None;
            }
            let mut found = items.iter().filter_map(|i| of(i, &name.value));
            found.next().filter(|_| found.next().is_none())
        }
        [qualifier, name] => {
            let mut named = items.iter().filter(|i| i.name.eq_ignore_ascii_case(&qualifier.value));
            let item = named.next().filter(|_| named.next().is_none())?;
            of(item, &name.value)
        }
        _ => None,
    }
}

fn column(expr: &Expr) -> Option<&[Ident]> {
    match expr {
        Expr::Identifier(ident) => Some(std::slice::from_ref(ident)),
        Expr::CompoundIdentifier(parts) => Some(parts),
        _ => None,
    }
}

/// Whether `*` over the join is both sides' columns, one after the other.
fn keeps_columns(operator: &JoinOperator) -> bool {
    matches!(crate::needs::constraint(operator), Some(JoinConstraint::On(_) | JoinConstraint::None))
}

/// `*` with nothing said of its columns.
pub(crate) fn bare(options: &WildcardAdditionalOptions) -> bool {
    options.opt_ilike.is_none()
        && options.opt_exclude.is_none()
        && options.opt_except.is_none()
        && options.opt_replace.is_none()
        && options.opt_rename.is_none()
        && options.opt_alias.is_none()
}
