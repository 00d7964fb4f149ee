//! One SELECT: its relations, its conditions, its groups, its columns.

use super::kind::{Form, Kind};
use super::query::{Place, Rows, output};
use super::scope::{Column, Item, Scope, folded};
use super::{Said, Translator};
use crate::catalog::Collation;
use crate::derive::bare;
use crate::residual::offset;
use crate::types::CanonicalType;
use crate::walk::{Part, Watch, visit};
use dvt_diagnostic::Diagnostic;
use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, Join, JoinConstraint, JoinOperator, OrderBy, Select, SelectFlavor, SelectItem, SelectItemQualifiedWildcardKind,
    TableFactor, TableWithJoins,
};
use std::ops::ControlFlow;

/// A SELECT with what its ORDER BY may name.
pub(super) struct Chosen<'a> {
    pub rows: Rows,
    pub scope: Scope<'a>,
    /// The select list as it is written.
    items: Vec<String>,
    distinct: bool,
    /// Whether its rows are each made of several, and not compared afterwards.
    pub grouped: bool,
}

impl Translator<'_> {
    pub(super) fn select<'a>(&self, select: &Select, outer: &'a Scope<'a>, place: Place) -> Result<Chosen<'a>, Diagnostic> {
        self.plain(select)?;
        let mut scope = Scope::inner(outer);
        let mut from = Vec::new();
        for element in &select.from {
            from.push(self.from(element, &mut scope)?);
        }
        let condition = |word: &str, expr: &Option<Expr>, scope: &Scope<'_>| -> Result<String, Diagnostic> {
            Ok(match expr {
                Some(expr) => format!(" {word} {}", self.predicate(expr, scope)?),
                None => String::new(),
            })
        };
        let filter = condition("WHERE", &select.selection, &scope)?;
        let (items, columns) = self.projection(select, &scope, place)?;
        let groups = self.groups(select, &scope, &columns)?;
        let having = condition("HAVING", &select.having, &scope)?;
        let distinct = match &select.distinct {
            None | Some(Distinct::All) => String::new(),
            Some(Distinct::Distinct) => {
                for column in &columns {
                    let kind = column.kind.unwrap_or(Kind::Null);
                    if column.kind.is_none() || !self.by_bytes(kind) {
                        return Err(self.refuse(select, format!("DISTINCT compares `{}` ({}) by more than its bytes", column.name, kind.words())));
                    }
                }
                "DISTINCT ".to_owned()
            }
            Some(Distinct::On(_)) if !self.writes.has("distinct on") => return Err(self.refuse(select, "the compute has no DISTINCT ON")),
            Some(Distinct::On(keys)) => {
                let keys = keys.iter().map(|k| self.key(k, &scope, &columns)).collect::<Result<Vec<_>, _>>()?;
                format!("DISTINCT ON ({}) ", keys.join(", "))
            }
        };
        let from = if from.is_empty() { self.writes.nowhere.clone() } else { format!(" FROM {}", from.join(", ")) };
        let sql = format!("SELECT {distinct}{}{from}{filter}{groups}{having}", items.join(", "));
        let grouped = select.distinct.is_none() && (!groups.is_empty() || self.aggregates(select));
        Ok(Chosen { rows: Rows { sql, columns }, scope, items, distinct: select.distinct.is_some(), grouped })
    }

    /// Everything that a SELECT may have and this does not know.
    fn plain(&self, select: &Select) -> Result<(), Diagnostic> {
        let known = select.top.is_none()
            && select.optimizer_hints.is_empty()
            && select.select_modifiers.is_none()
            && select.exclude.is_none()
            && select.into.is_none()
            && select.lateral_views.is_empty()
            && select.prewhere.is_none()
            && select.connect_by.is_empty()
            && select.cluster_by.is_empty()
            && select.distribute_by.is_empty()
            && select.sort_by.is_empty()
            && select.named_window.is_empty()
            && select.qualify.is_none()
            && select.value_table_mode.is_none()
            && matches!(select.flavor, SelectFlavor::Standard);
        if known { Ok(()) } else { Err(self.refuse(select, "a clause of this SELECT is not translated (named windows, QUALIFY, TOP, INTO …)")) }
    }

    fn from(&self, element: &TableWithJoins, scope: &mut Scope<'_>) -> Result<String, Diagnostic> {
        let mut sql = self.factor(&element.relation, scope)?;
        for join in &element.joins {
            sql = format!("{sql} {}", self.join(join, scope)?);
        }
        Ok(sql)
    }

    fn join(&self, join: &Join, scope: &mut Scope<'_>) -> Result<String, Diagnostic> {
        let (word, constraint) = match &join.join_operator {
            JoinOperator::Join(c) | JoinOperator::Inner(c) => ("JOIN", c),
            JoinOperator::Left(c) | JoinOperator::LeftOuter(c) => ("LEFT JOIN", c),
            JoinOperator::Right(c) | JoinOperator::RightOuter(c) => ("RIGHT JOIN", c),
            JoinOperator::FullOuter(c) => ("FULL JOIN", c),
            JoinOperator::CrossJoin(c) => ("CROSS JOIN", c),
            _ => return Err(self.refuse(join, "this kind of join is not translated")),
        };
        let before = scope.items.len();
        let relation = self.factor(&join.relation, scope)?;
        let behind = match constraint {
            JoinConstraint::None if matches!(word, "CROSS JOIN" | "JOIN") => String::new(),
            JoinConstraint::None => return Err(self.refuse(join, format!("{word} without a condition"))),
            JoinConstraint::On(on) => format!(" ON {}", self.predicate(on, scope)?),
            JoinConstraint::Natural => return Err(self.refuse(join, "NATURAL joins are not translated: name the columns")),
            JoinConstraint::Using(_) if !self.writes.has("using") => return Err(self.refuse(join, "the compute has no USING: use ON")),
            JoinConstraint::Using(names) => {
                if matches!(word, "RIGHT JOIN" | "FULL JOIN") {
                    return Err(self.refuse(join, format!("{word} with USING is not translated: use ON and COALESCE")));
                }
                let mut quoted = Vec::new();
                for name in names {
                    let ident = name.0.last().and_then(|p| p.as_ident()).ok_or_else(|| self.refuse(join, "USING takes plain names"))?;
                    let name = folded(ident, self.meaning.fold);
                    let side = |items: &[Item]| -> Vec<Option<Kind>> {
                        items.iter().flat_map(|i| &i.columns).filter(|c| c.name.eq_ignore_ascii_case(&name)).map(|c| c.kind).collect()
                    };
                    let (left, right) = (side(&scope.items[..before]), side(&scope.items[before..]));
                    let merged = scope.merged.iter().any(|m| m.eq_ignore_ascii_case(&name));
                    let (Some(Some(a)), [Some(b)]) = (left.first(), right.as_slice()) else {
                        return Err(self.refuse(&named(ident), format!("`{name}` is not one column on either side")));
                    };
                    if left.len() > 1 && !merged {
                        return Err(self.refuse(&named(ident), format!("`{name}` may mean several columns")));
                    }
                    self.comparable(&named(ident), *a, *b)?;
                    // It has the type of both in some dialects, the left side's in others.
                    if self.meaning.whole.0 != self.meaning.whole.1 && self.common(*a, *b).is_none_or(|k| k.canonical() != a.canonical()) {
                        return Err(self.refuse(&named(ident), format!("`{name}` is {} on one side of USING and {} on the other: use ON", a.words(), b.words())));
                    }
                    quoted.push(self.quote(&name));
                    scope.merged.push(name);
                }
                format!(" USING ({})", quoted.join(", "))
            }
        };
        Ok(format!("{word} {relation}{behind}"))
    }

    fn factor(&self, factor: &TableFactor, scope: &mut Scope<'_>) -> Result<String, Diagnostic> {
        match factor {
            TableFactor::Table { name, alias, args: None, version: None, with_ordinality: false, json_path: None, sample: None, partitions, with_hints, index_hints }
                if partitions.is_empty() && with_hints.is_empty() && index_hints.is_empty() =>
            {
                let (Some(first), Some(last)) = (name.0.first().and_then(|p| p.as_ident()), name.0.last().and_then(|p| p.as_ident())) else {
                    return Err(self.refuse(factor, "this relation's name is not known"));
                };
                let start = offset(&self.index, self.of.sql, first);
                let table = self.of.tables.iter().position(|t| t.at.start == start);
                let own = folded(last, self.meaning.fold);
                let (written, mut columns) = match table {
                    Some(at) => (format!("dvt_scan_{at}"), self.scanned(at)),
                    None => {
                        let columns = scope.ctes.get(&own).cloned().ok_or_else(|| self.refuse(factor, format!("`{own}` is no relation here")))?;
                        (self.quote(&own), columns)
                    }
                };
                let name = alias.as_ref().map_or(own, |a| folded(&a.name, self.meaning.fold));
                let names = alias.as_ref().map_or(Ok(String::new()), |a| self.renamed(a, &mut columns))?;
                let sql = format!("{written}{}{}{names}", self.writes.relation_as, self.quote(&name));
                self.add(factor, scope, Item { name, columns })?;
                Ok(sql)
            }
            TableFactor::Derived { lateral: false, subquery, alias, sample: None } => {
                // What stands beside it is not in its sight.
                let sight = Scope { items: Vec::new(), merged: Vec::new(), outer: scope.outer, ctes: scope.ctes.clone() };
                let mut rows = self.query(subquery, &sight, Place::Named)?;
                let name = alias.as_ref().map_or_else(|| format!("dvt_derived_{}", scope.items.len()), |a| folded(&a.name, self.meaning.fold));
                let names = alias.as_ref().map_or(Ok(String::new()), |a| self.renamed(a, &mut rows.columns))?;
                let sql = format!("({}){}{}{names}", rows.sql, self.writes.relation_as, self.quote(&name));
                self.add(factor, scope, Item { name, columns: rows.columns })?;
                Ok(sql)
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => Ok(format!("({})", self.from(table_with_joins, scope)?)),
            _ => Err(self.refuse(factor, "this kind of relation is not translated")),
        }
    }

    fn add(&self, at: &dyn Part, scope: &mut Scope<'_>, item: Item) -> Result<(), Diagnostic> {
        if scope.items.iter().any(|i| i.name.eq_ignore_ascii_case(&item.name)) {
            return Err(self.refuse(at, format!("two relations are called `{}`: give one an alias", item.name)));
        }
        scope.items.push(item);
        Ok(())
    }

    fn scanned(&self, table: usize) -> Vec<Column> {
        let schema = self.of.catalog.relation(&self.of.tables[table].relation);
        let columns = schema.into_iter().flat_map(|s| &s.columns);
        columns
            .map(|c| {
                let form = |kind| match kind {
                    CanonicalType::Text => Form::from(c.collation),
                    CanonicalType::Decimal(..) if c.collation == Collation::Loose => Form::Free,
                    CanonicalType::Decimal(..) if c.collation == Collation::Zeros => Form::Zeros,
                    _ => Form::Fixed,
                };
                Column { name: c.name.clone(), kind: c.canonical.map(|kind| Kind::Of(kind, form(kind))) }
            })
            .collect()
    }

    /// The select list, and the columns it gives.
    fn projection(&self, select: &Select, scope: &Scope<'_>, place: Place) -> Result<(Vec<String>, Vec<Column>), Diagnostic> {
        let (mut items, mut columns) = (Vec::new(), Vec::new());
        for item in &select.projection {
            match item {
                SelectItem::UnnamedExpr(expr) => {
                    let said = self.listed(expr, scope, place)?;
                    let name = match (self.name_of(expr), place) {
                        (Some(name), _) => name,
                        (None, Place::Value | Place::Arm) => String::new(),
                        (None, _) => return Err(self.refuse(expr, format!("the name of the column `{expr}` differs between dialects: give it an alias"))),
                    };
                    let behind = if name.is_empty() { String::new() } else { format!(" AS {}", self.quote(&name)) };
                    items.push(format!("{}{behind}", said.sql));
                    columns.push(Column { name, kind: Some(said.kind) });
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    let said = self.listed(expr, scope, place)?;
                    let name = folded(alias, self.meaning.fold);
                    items.push(format!("{} AS {}", said.sql, self.quote(&name)));
                    columns.push(Column { name, kind: Some(said.kind) });
                }
                SelectItem::Wildcard(options) if bare(options) => {
                    let all = self.star(item, scope)?;
                    self.held(item, &all)?;
                    columns.extend(all);
                    items.push("*".to_owned());
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) if bare(options) => {
                    let ident = name.0.last().and_then(|p| p.as_ident()).ok_or_else(|| self.refuse(item, "this `*` is not translated"))?;
                    let wanted = folded(ident, self.meaning.fold);
                    let found = scope.items.iter().find(|i| i.name.eq_ignore_ascii_case(&wanted));
                    let found = found.ok_or_else(|| self.refuse(&named(ident), format!("no relation here is called `{wanted}`")))?;
                    self.held(item, &found.columns)?;
                    columns.extend(found.columns.iter().cloned());
                    items.push(format!("{}.*", self.quote(&found.name)));
                }
                _ => return Err(self.refuse(item, "this select item is not translated")),
            }
        }
        Ok((items, columns))
    }

    /// A value of the select list. A column that is passed on keeps a type that other values lose in the result.
    fn listed(&self, expr: &Expr, scope: &Scope<'_>, place: Place) -> Result<Said, Diagnostic> {
        let passed = matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) && place == Place::Outermost;
        self.settled(expr, self.value(expr, scope)?, if passed { Place::Named } else { place })
    }

    /// Whether the compute has types for the columns of a `*`.
    fn held(&self, at: &dyn Part, columns: &[Column]) -> Result<(), Diagnostic> {
        columns.iter().filter_map(|c| Some((c, c.kind?.canonical()?))).try_for_each(|(c, kind)| self.holds(at, &c.name, kind))
    }

    /// The columns of a bare `*`: of the relations in their order, merged ones once.
    fn star(&self, at: &dyn Part, scope: &Scope<'_>) -> Result<Vec<Column>, Diagnostic> {
        if scope.items.is_empty() {
            return Err(self.refuse(at, "`*` without a relation"));
        }
        let merged = |c: &Column| scope.merged.iter().any(|m| m.eq_ignore_ascii_case(&c.name));
        // Dialects differ in where merged columns stand, unless they stand first anyway.
        let ahead = scope.items[0].columns.iter().take_while(|c| merged(c)).count();
        let mut distinct: Vec<String> = scope.merged.iter().map(|m| m.to_lowercase()).collect();
        distinct.sort();
        distinct.dedup();
        if ahead < distinct.len() {
            return Err(self.refuse(at, "dialects differ in where `*` puts the columns of USING: name the columns"));
        }
        let rest = scope.items[1..].iter().flat_map(|i| &i.columns).filter(|c| !merged(c));
        Ok(scope.items[0].columns.iter().chain(rest).cloned().collect())
    }

    fn groups(&self, select: &Select, scope: &Scope<'_>, columns: &[Column]) -> Result<String, Diagnostic> {
        match &select.group_by {
            GroupByExpr::Expressions(keys, modifiers) if modifiers.is_empty() => {
                if keys.is_empty() {
                    return Ok(String::new());
                }
                let keys = keys.iter().map(|k| self.key(k, scope, columns)).collect::<Result<Vec<_>, _>>()?;
                Ok(format!(" GROUP BY {}", keys.join(", ")))
            }
            GroupByExpr::All(modifiers) if modifiers.is_empty() => self.all_groups(select, columns),
            _ => Err(self.refuse(select, "this GROUP BY is not translated")),
        }
    }

    /// GROUP BY ALL: every output column that no aggregate is in, by its number.
    fn all_groups(&self, select: &Select, columns: &[Column]) -> Result<String, Diagnostic> {
        let mut keys = Vec::new();
        if select.projection.len() != columns.len() {
            return Err(self.refuse(select, "GROUP BY ALL of `*` is not translated: name the columns"));
        }
        for (i, (item, column)) in select.projection.iter().zip(columns).enumerate() {
            let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else {
                return Err(self.refuse(select, "GROUP BY ALL of `*` is not translated: name the columns"));
            };
            let mut seen = Aggregates { translator: self, found: false, nested: false };
            visit(expr, &mut seen);
            if seen.nested {
                return Err(self.refuse(expr, "GROUP BY ALL over a subquery is not translated: name the keys"));
            }
            if !seen.found {
                let kind = column.kind.unwrap_or(Kind::Null);
                if !self.by_bytes(kind) {
                    return Err(self.refuse(expr, format!("grouping by {} compares more than its bytes", kind.words())));
                }
                keys.push((i + 1).to_string());
            }
        }
        Ok(if keys.is_empty() { String::new() } else { format!(" GROUP BY {}", keys.join(", ")) })
    }

    /// Whether an aggregate makes one row of all.
    fn aggregates(&self, select: &Select) -> bool {
        let mut seen = Aggregates { translator: self, found: false, nested: false };
        for item in &select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                visit(expr, &mut seen);
            }
        }
        seen.found && !seen.nested
    }

    /// A grouping key: a column, the number or the name of an output column, an expression.
    fn key(&self, expr: &Expr, scope: &Scope<'_>, columns: &[Column]) -> Result<String, Diagnostic> {
        let grouped = |kind: Kind| {
            if self.by_bytes(kind) { Ok(()) } else { Err(self.refuse(expr, format!("grouping by {} compares more than its bytes", kind.words()))) }
        };
        let by_place = |place: usize| {
            grouped(columns[place].kind.unwrap_or(Kind::Null))?;
            Ok((place + 1).to_string())
        };
        let name = |i: &sqlparser::ast::Ident| folded(i, self.meaning.fold);
        if let Expr::Value(_) = expr
            && let Some(place) = output(expr, columns, name)
        {
            return by_place(place);
        }
        // A relation's column goes before an output column of the same name.
        match self.value(expr, scope) {
            Ok(said) => {
                grouped(said.kind)?;
                Ok(said.sql)
            }
            Err(error) => match output(expr, columns, name) {
                Some(place) => by_place(place),
                None => Err(error),
            },
        }
    }

    /// Keys of ORDER BY: output columns first, then what the SELECT sees.
    pub(super) fn order_of_select(&self, order: &OrderBy, chosen: &Chosen<'_>, matters: bool) -> Result<String, Diagnostic> {
        let mut keys = Vec::new();
        for key in self.keys(order)? {
            let (sql, kind) = match output(&key.expr, &chosen.rows.columns, |i| folded(i, self.meaning.fold)) {
                Some(place) => ((place + 1).to_string(), chosen.rows.columns[place].kind.unwrap_or(Kind::Null)),
                None => {
                    let said: Said = self.value(&key.expr, &chosen.scope)?;
                    // An expression that is long is not known again above groups by every compute.
                    let listed = |(item, c): (&String, &Column)| self.writes.once.is_some() && said.sql.contains('(') && *item == format!("{} AS {}", said.sql, self.quote(&c.name));
                    let place = (chosen.items.len() == chosen.rows.columns.len()).then(|| chosen.items.iter().zip(&chosen.rows.columns).position(listed)).flatten();
                    (place.map_or(said.sql, |place| (place + 1).to_string()), said.kind)
                }
            };
            self.sortable(&key.expr, kind, matters || chosen.distinct)?;
            keys.push(self.direction(key, sql)?);
        }
        Ok(keys.join(", "))
    }
}

fn named(ident: &sqlparser::ast::Ident) -> Expr {
    Expr::Identifier(ident.clone())
}

/// Meanings that make one value of many rows; a call that the rules do not know was refused before.
const AGGREGATES: [&str; 20] = [
    "count_rows", "count_values", "sum_wide", "sum_float", "sum_float_or_fail", "sum_float_within", "sum_float_or_null", "average_float", "average_float_or_fail", "average_float_within",
    "average_float_or_null", "average_of_integers", "average_of_decimals", "average_as_numeric", "average_of_shares", "least_value", "greatest_value", "every", "any", "join_text",
];

/// Looks for aggregates in an expression.
struct Aggregates<'a, 'b> {
    translator: &'a Translator<'b>,
    found: bool,
    nested: bool,
}

impl Watch for Aggregates<'_, '_> {
    fn pre_visit_query(&mut self, _: &sqlparser::ast::Query) -> ControlFlow<()> {
        self.nested = true;
        ControlFlow::Break(())
    }
    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr
            && function.over.is_none()
        {
            let name = function.name.to_string().to_lowercase();
            let means = |r: &crate::meaning::Rule| r.name.iter().any(|n| n.split(':').next() == Some(name.as_str())) && AGGREGATES.contains(&r.means.as_str());
            self.found |= self.translator.meaning.rule.iter().any(means);
        }
        ControlFlow::Continue(())
    }
}
