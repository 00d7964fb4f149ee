//! Aggregates and DISTINCT over one relation, computed at its source.
//!
//! A CTE, a derived table or the whole text that groups one relation is replaced by a relation of its own: what the source
//! answers. The rest of the text is planned as if that had always been there.
//! Legality:
//! 1. A plain SELECT: of one relation, or of CTEs and derived tables that only name and filter one relation's columns and
//!    that nobody else reads. No HAVING, QUALIFY, window, order, limit, set operation.
//! 2. Every condition is pushed `exact`, whole.
//! 3. Every key is a plain column that the source compares with `=` as `exact`, without conditions: it then groups as the
//!    model does (never doubles, text of a loose collation, or cells that carry a type of their own).
//! 4. Every other column is count(*), count(c), or min, max or sum of a column that the source orders exactly: sum of
//!    decimals only, whose type is a decimal of 38 digits in every dialect, and whose value is exact. No DISTINCT, FILTER
//!    or order inside. Each has an alias: dialects differ in how they call them.
//! 5. Fewer rows move, never more: groups are at most as many as rows.

use super::ctes::Readers;
use super::predicate::{conjuncts, read};
use super::source::Emitter;
use super::verdict::{Rule, Rules, Verdict};
use crate::bind::{At, Binder, Ctes, Relations, Source, column, outputs};
use crate::catalog::{Catalog, ColumnSchema, RelationSchema};
use crate::dialect::DialectSheet;
use crate::edit::Edit;
use crate::ir::PushClass;
use crate::meaning::Fold;
use crate::residual::{Table, tables};
use crate::types::{CanonicalType, Family};
use crate::{PlanRequest, RelationUse, parse};
use dvt_diagnostic::{Diagnostic, LineIndex};
use dvt_project::{RelationName, RelationRef};
use sqlparser::ast::{
    Cte, Distinct, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident, Query, Select, SelectFlavor, SelectItem, SetExpr, TableFactor,
    Value,
};
use sqlparser::tokenizer::{Token, Tokenizer};
use std::collections::BTreeMap;
use std::ops::Range;

/// The text with parts that sources answer in the place of what they replace.
pub struct Delegated {
    pub sql: String,
    pub relations: Vec<RelationUse>,
    pub catalog: Catalog,
    /// For each new relation: what its source runs, and the relation that it reads.
    pub views: BTreeMap<RelationRef, (String, RelationName)>,
}

/// Replaces what can be replaced; None when nothing can.
pub fn delegate(request: &PlanRequest<'_>, rules: &Rules) -> Result<Option<Delegated>, Diagnostic> {
    if !rules.on(Rule::Aggregates) || request.no_pushdown {
        return Ok(None);
    }
    let sheet = request.sheets.get(request.dialect)?;
    let mut out = Delegated { sql: request.sql.to_owned(), relations: request.relations.to_vec(), catalog: request.catalog.clone(), views: BTreeMap::new() };
    // Each turn reads the text anew: places move. A text has few such parts.
    loop {
        let now = PlanRequest { sql: &out.sql, relations: &out.relations, catalog: &out.catalog, sink: request.sink.clone(), ..*request };
        let query = parse::query(now.sql, sheet)?;
        let tables = tables(now.sql, &query, now.relations)?;
        let binder = Binder { sql: now.sql, index: LineIndex::new(now.sql), tables: &tables, catalog: now.catalog, rules };
        let name = format!("dvt_part_{}", out.views.len());
        let readers = Readers::new(&query, &binder);
        let mut search = Search { request: &now, rules, sheet, binder, tables: &tables, readers, found: None };
        search.query(&query, &mut Vec::new(), true);
        let Some(part) = search.found else { break };
        let relation = RelationRef { target: part.source.target.clone(), name: RelationName { database: None, schema: None, identifier: name.clone() } };
        let text = format!("select * from {name}");
        let mut edits = vec![Edit::new(now.sql, part.at.clone(), text)];
        edits.extend(part.dead.iter().map(|at| Edit::new(now.sql, at.clone(), "select 1 as dvt_unread".to_owned())));
        let (sql, mut relations) = crate::edit::apply(now.sql, now.relations, &edits);
        let start = sql.find(&name).unwrap_or_default();
        relations.push(RelationUse { relation: relation.clone(), at: std::iter::once(start..start + name.len()).collect() });
        out.catalog.insert(relation.clone(), RelationSchema { columns: part.columns, rows: None, bytes: None });
        out.views.insert(relation, (part.sql, part.source.name));
        (out.sql, out.relations) = (sql, relations);
    }
    Ok((!out.views.is_empty()).then_some(out))
}

/// A part of the text and what answers it.
struct Part {
    at: Range<usize>,
    /// Bodies of CTEs that nobody reads then.
    dead: Vec<Range<usize>>,
    source: RelationRef,
    sql: String,
    columns: Vec<ColumnSchema>,
}

/// A relation under the names that some SELECT gives it.
struct Base {
    table: usize,
    /// For each column of what is read, the relation's.
    columns: Vec<Option<usize>>,
    /// Conditions in the source's words.
    filters: Vec<String>,
    dead: Vec<Range<usize>>,
}

struct Search<'a> {
    request: &'a PlanRequest<'a>,
    rules: &'a Rules,
    sheet: &'a DialectSheet,
    binder: Binder<'a>,
    tables: &'a [Table],
    readers: Readers,
    found: Option<Part>,
}

impl<'a> Search<'a> {
    /// Looks at the query and at those below it, the first that can be replaced wins. `ctes`: WITH queries in sight.
    fn query<'q>(&mut self, query: &'q Query, ctes: &mut Vec<&'q Cte>, outermost: bool) {
        let before = ctes.len();
        if query.with.as_ref().is_some_and(|w| w.recursive) {
            return;
        }
        for cte in query.with.iter().flat_map(|w| &w.cte_tables) {
            self.query(&cte.query, ctes, false);
            ctes.push(cte);
        }
        if self.found.is_none() {
            self.found = self.part(query, ctes, outermost);
        }
        self.body(&query.body, ctes);
        ctes.truncate(before);
    }

    /// The derived tables in a query's parts.
    fn body<'q>(&mut self, body: &'q SetExpr, ctes: &mut Vec<&'q Cte>) {
        match body {
            SetExpr::SetOperation { left, right, .. } => {
                self.body(left, ctes);
                self.body(right, ctes);
            }
            SetExpr::Query(query) => self.query(query, ctes, false),
            SetExpr::Select(select) => {
              for factor in select.from.iter().flat_map(|f| std::iter::once(&f.relation).chain(f.joins.iter().map(|j| &j.relation))) {
                if let TableFactor::Derived { lateral: false, subquery, sample: None, .. } = factor
                    && self.found.is_none()
                {
                    self.query(subquery, ctes, false);
                }
              }
            }
            _ => {}
        }
    }

    fn scope(&self, ctes: &[&Cte]) -> Ctes {
        let mut scope = Ctes::new();
        for (i, cte) in ctes.iter().enumerate() {
            let columns = self.binder.cte(&cte.query, &cte.alias, false, &scope);
            scope.insert(cte.alias.name.value.to_lowercase(), (i, columns));
        }
        scope
    }

    fn part(&self, query: &Query, ctes: &[&Cte], outermost: bool) -> Option<Part> {
        let select = bare(query)?;
        let grouped = match &select.group_by {
            GroupByExpr::Expressions(list, more) => {
                if !more.is_empty() {
                    return None;
                }
                !list.is_empty()
            }
            GroupByExpr::All(_) => true,
        };
        let distinct = matches!(select.distinct, Some(Distinct::Distinct));
        let aggregated = select.projection.iter().any(|i| matches!(i, SelectItem::ExprWithAlias { expr: Expr::Function(_), .. }));
        if !(grouped || distinct || aggregated) || (distinct && (grouped || aggregated)) {
            return None;
        }
        let scope = self.scope(ctes);
        let relations = self.binder.relations(select, &scope)?;
        let base = self.base(select, &relations, ctes, &scope)?;
        let table = &self.tables[base.table];
        // A part that was made here is not made again.
        if table.relation.name.identifier.starts_with("dvt_part_") {
            return None;
        }
        let source = self.request.sheets.get(&(self.request.target_dialect)(&table.relation.target)?).ok()?;
        let columns = &self.request.catalog.relation(&table.relation)?.columns;
        let schema = |e: &Expr| {
            let (_, c) = relations.resolve(column(e)?, None)?;
            columns.get(base.columns.get(c).copied()??)
        };
        let mut keys: Vec<&ColumnSchema> = Vec::new();
        let (mut list, mut given) = (Vec::new(), Vec::new());
        for item in &select.projection {
            let (expr, alias) = match item {
                SelectItem::UnnamedExpr(e) => (e, None),
                SelectItem::ExprWithAlias { expr, alias } => (expr, Some(alias)),
                _ => return None,
            };
            let (sql, mut made) = match expr {
                Expr::Function(f) => self.aggregate(f, &schema, source)?,
                _ => {
                    let key = schema(expr)?;
                    if !self.rules.legal(Verdict::ExactKey, exact_key(key, source)) || key.canonical.is_none() {
                        return None;
                    }
                    keys.push(key);
                    (source.quote(&key.name), key.clone())
                }
            };
            made.name = match (alias, column(expr)) {
                (Some(alias), _) => self.folded(alias),
                (None, Some(name)) => self.folded(name.last()?),
                (None, None) => return None,
            };
            if given.iter().any(|g: &ColumnSchema| g.name.eq_ignore_ascii_case(&made.name)) {
                return None;
            }
            list.push(format!("{sql} AS {}", source.quote(&made.name)));
            given.push(made);
        }
        // Every grouping key is in the list, every column of the list is a key.
        if let GroupByExpr::Expressions(groups, _) = &select.group_by
            && grouped
        {
            let mut named = Vec::new();
            for group in groups {
                let expr = match group {
                    Expr::Value(v) => match &v.value {
                        Value::Number(n, false) => match select.projection.get(n.parse::<usize>().ok()?.checked_sub(1)?)? {
                            SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. } => e,
                            _ => return None,
                        },
                        _ => return None,
                    },
                    other => other,
                };
                named.push(&schema(expr)?.name);
            }
            let agree = keys.iter().all(|k| named.contains(&&k.name)) && named.iter().all(|n| keys.iter().any(|k| k.name == **n));
            if !agree {
                return None;
            }
        }
        if aggregated && !grouped && !keys.is_empty() {
            return None;
        }
        let mut sql = format!("SELECT {}{} FROM {}", if distinct { "DISTINCT " } else { "" }, list.join(", "), source.render(&table.relation.name));
        if !base.filters.is_empty() {
            sql = format!("{sql} WHERE {}", base.filters.join(" AND "));
        }
        if grouped && !keys.is_empty() {
            let keys: Vec<String> = keys.iter().map(|k| source.quote(&k.name)).collect();
            sql = format!("{sql} GROUP BY {}", keys.join(", "));
        }
        let at = self.range(select, outermost)?;
        Some(Part { at, dead: base.dead, source: table.relation.clone(), sql, columns: given })
    }

    /// The one relation that a SELECT reads, through CTEs and derived tables that only name and filter (clauses 1 and 2).
    fn base(&self, select: &Select, relations: &Relations<'_>, ctes: &[&Cte], scope: &Ctes) -> Option<Base> {
        let [item] = relations.items.as_slice() else { return None };
        let mut base = match &item.source {
            Source::Table(table) => {
                let columns = (0..item.columns.as_ref()?.list.len()).map(Some).collect();
                Base { table: *table, columns, filters: Vec::new(), dead: Vec::new() }
            }
            Source::Cte { number, .. } => {
                let cte = ctes.get(*number)?;
                if self.readers.count(&cte.alias.name.value) != 1 || !cte.alias.columns.is_empty() || cte.materialized.is_some() {
                    return None;
                }
                let mut base = self.named(&cte.query, ctes, scope)?;
                base.dead.push(self.range(bare(&cte.query)?, false)?);
                base
            }
            Source::Derived(query) => self.named(query, ctes, scope)?,
            Source::Unknown => return None,
        };
        let emitter = Emitter { request: self.request, tables: self.tables, rules: self.rules };
        for conjunct in select.selection.iter().flat_map(conjuncts) {
            let predicate = read(conjunct, relations, None, false);
            let here = |(_, c): At| base.columns.get(c).copied().flatten().map(|c| (0, c));
            if !predicate.whole(&here) {
                return None;
            }
            let (sql, class) = emitter.emit(&predicate.over(&here)?, base.table).ok()?;
            if !self.rules.legal(Verdict::LimitExact, class == PushClass::Exact) {
                return None;
            }
            base.filters.push(sql);
        }
        Some(base)
    }

    /// As `base`, for a query that only names and filters; its columns are the query's.
    fn named(&self, query: &Query, ctes: &[&Cte], scope: &Ctes) -> Option<Base> {
        let select = bare(query)?;
        let plain = select.distinct.is_none() && matches!(&select.group_by, GroupByExpr::Expressions(e, m) if e.is_empty() && m.is_empty());
        let only_columns = select.projection.iter().all(|i| match i {
            SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. } => column(e).is_some(),
            _ => true,
        });
        // Names of WITH queries that stand further down are not in sight of those further up, but each has one reader.
        let relations = self.binder.relations(select, scope)?;
        if !plain || !only_columns {
            return None;
        }
        let base = self.base(select, &relations, ctes, scope)?;
        let (outputs, _) = outputs(select, &relations)?;
        let columns = outputs.iter().map(|o| base.columns.get(o.from?.1).copied()?).collect();
        Some(Base { columns, ..base })
    }

    /// Clause 4.
    fn aggregate<'c>(&self, f: &Function, schema: &dyn Fn(&Expr) -> Option<&'c ColumnSchema>, source: &DialectSheet) -> Option<(String, ColumnSchema)> {
        let FunctionArguments::List(list) = &f.args else { return None };
        let bare = f.over.is_none() && f.filter.is_none() && f.null_treatment.is_none() && f.within_group.is_empty() && list.duplicate_treatment.is_none() && list.clauses.is_empty();
        let [FunctionArg::Unnamed(arg)] = list.args.as_slice() else { return None };
        let name = f.name.to_string().to_lowercase();
        let made = |canonical| ColumnSchema { name: String::new(), native: String::new(), canonical: Some(canonical), refused: None, collation: crate::catalog::Collation::Unknown };
        let (sql, canonical, legal) = match (name.as_str(), arg) {
            ("count", FunctionArgExpr::Wildcard) => ("count(*)".to_owned(), CanonicalType::Int(64), true),
            ("count" | "min" | "max" | "sum", FunctionArgExpr::Expr(e)) => {
                let column = schema(e)?;
                let kind = column.canonical?;
                let exact = source.comparison(column, "<").is_ok_and(|(c, class)| class == PushClass::Exact && c.unless.is_none()) && kind.family() != Family::Text;
                let (canonical, legal) = match (name.as_str(), kind) {
                    ("count", _) => (CanonicalType::Int(64), true),
                    ("sum", CanonicalType::Decimal(_, scale)) => (CanonicalType::Decimal(38, scale), exact),
                    ("sum", _) => (kind, false),
                    _ => (kind, exact),
                };
                (format!("{name}({})", source.quote(&column.name)), canonical, legal)
            }
            _ => return None,
        };
        self.rules.legal(Verdict::ExactAggregate, bare && legal).then(|| (sql, made(canonical)))
    }

    /// The name of a column that the model gives.
    fn folded(&self, ident: &Ident) -> String {
        match (ident.quote_style, self.sheet.meaning.as_ref().map(|m| m.fold)) {
            (None, Some(Fold::Lower)) => ident.value.to_lowercase(),
            (None, Some(Fold::Upper)) => ident.value.to_uppercase(),
            _ => ident.value.clone(),
        }
    }

    /// The bytes of a SELECT: up to the parenthesis that closes what it stands in, or to the end.
    fn range(&self, select: &Select, outermost: bool) -> Option<Range<usize>> {
        let sql = self.request.sql;
        let token = &select.select_token.0;
        let start = self.binder.index.offset(sql, token.span.start.line as u32, token.span.start.column as u32);
        let dialect = self.sheet.sqlparser().ok()?;
        let tokens = Tokenizer::new(dialect.as_ref(), sql.get(start..)?).tokenize_with_location().ok()?;
        let index = LineIndex::new(&sql[start..]);
        let mut depth = 0_usize;
        for t in &tokens {
            match t.token {
                Token::LParen => depth += 1,
                Token::RParen if depth == 0 => {
                    let end = start + index.offset(&sql[start..], t.span.start.line as u32, t.span.start.column as u32);
                    return (!outermost).then_some(start..end);
                }
                Token::RParen => depth -= 1,
                _ => {}
            }
        }
        outermost.then(|| start..start + sql[start..].trim_end().trim_end_matches(';').len())
    }
}

/// Clause 3.
fn exact_key(key: &ColumnSchema, source: &DialectSheet) -> bool {
    source.comparison(key, "=").is_ok_and(|(c, class)| class == PushClass::Exact && c.unless.is_none())
}

/// The SELECT that is all of a query.
fn bare(query: &Query) -> Option<&Select> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let alone = query.with.is_none()
        && query.order_by.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none()
        && query.locks.is_empty()
        && query.for_clause.is_none()
        && query.pipe_operators.is_empty();
    let plain = select.top.is_none()
        && select.having.is_none()
        && select.qualify.is_none()
        && select.into.is_none()
        && select.named_window.is_empty()
        && select.exclude.is_none()
        && select.sort_by.is_empty()
        && select.cluster_by.is_empty()
        && select.distribute_by.is_empty()
        && select.flavor == SelectFlavor::Standard
        && !matches!(select.distinct, Some(Distinct::On(_)));
    (alone && plain).then_some(select)
}
