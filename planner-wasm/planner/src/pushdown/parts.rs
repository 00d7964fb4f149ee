//! Parts of a text that a source answers: the largest first, from the whole text down to derived tables, CTEs, parts of set
//! operations and queries in conditions; where a SELECT reads several targets, the relations of it that lie on one.
//!
//! Such a part is replaced by a relation of its own: what the source answers. The rest of the text is planned as if that had
//! always been there. Legality:
//! 1. The part can be told as a whole ([`super::remote`]), or its relations joined ([`super::joins`]).
//! 2. Its columns have names of their own and types that can be carried.
//! 3. A CTE that it takes in is read nowhere else: it would be read twice.
//! 4. An ORDER BY of the whole text is the compute's. It, and a LIMIT that the source is not told, stay behind a SELECT that
//!    groups, if they name columns of its list or count them, so that they mean what stands there now. Neither an ORDER BY
//!    nor an expression around the query reads a column that is rounded ([`super::lists`]).
//! 5. It pays: see [`super::guard`].

use super::ctes::Readers;
use super::guard::narrow;
use super::joins;
use super::lists::Home;
use super::remote::{Env, Out, Rel, Remote};
use super::verdict::{Rules, Verdict};
use crate::bind::{Binder, column};
use crate::catalog::{Catalog, ColumnSchema, RelationSchema};
use crate::edit::{Edit, apply};
use crate::ir::Kept;
use crate::residual::{Table, tables};
use crate::{PlanRequest, RelationUse, parse};
use dvt_diagnostic::{Code, Diagnostic, LineIndex};
use dvt_project::{RelationName, RelationRef, TargetName};
use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{Cte, Expr, OrderByKind, Query, Select, SelectItem, SetExpr, TableFactor, Value};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};
use std::collections::BTreeMap;
use std::ops::Range;

/// The text with parts that sources answer in the place of what they replace.
pub struct Delegated {
    pub sql: String,
    pub relations: Vec<RelationUse>,
    pub catalog: Catalog,
    pub views: BTreeMap<RelationRef, View>,
    /// Words of this text, and the user's.
    pub words: Vec<(String, String)>,
    /// Why relations of the text are not answered together, by their place in it.
    pub stayed: Vec<(usize, Kept)>,
    /// The text as it was read last, its tokens, and its relations.
    pub read: Option<(Box<Query>, Vec<TokenWithSpan>, Vec<Table>)>,
}

/// What a source answers in the place of a relation.
pub struct View {
    pub sql: String,
    /// The first relation that it reads.
    pub relation: RelationName,
}

/// A part of the text and what answers it.
pub struct Part {
    pub edits: Vec<Edit>,
    pub target: TargetName,
    /// A table that it reads.
    pub leaf: usize,
    pub sql: String,
    pub columns: Vec<ColumnSchema>,
    /// Rows of the tables that bound it.
    pub rows: Option<u64>,
    /// Whether it takes in CTEs.
    pub ctes: bool,
    pub words: Vec<(String, String)>,
}

/// Replaces what can be replaced.
pub fn delegate(request: &PlanRequest<'_>, rules: &Rules) -> Result<Delegated, Diagnostic> {
    let sheet = request.sheets.get(request.dialect)?;
    let mut out =
        Delegated { sql: request.sql.to_owned(), relations: request.relations.to_vec(), catalog: request.catalog.clone(), views: BTreeMap::new(), words: Vec::new(), stayed: Vec::new(), read: None };
    // Each turn reads the text anew: places move. Parts that stand apart are replaced in one.
    while !request.no_pushdown {
        let now = PlanRequest { sql: &out.sql, relations: &out.relations, catalog: &out.catalog, sink: request.sink.clone(), ..*request };
        let (query, tokens) = parse::read(now.sql, sheet)?;
        let tables = tables(now.sql, &query, now.relations)?;
        let binder = Binder { sql: now.sql, index: LineIndex::new(now.sql), tables: &tables, catalog: now.catalog, rules };
        let readers = Readers::new(&query, &binder);
        let remote = Remote::new(&now, rules, sheet, binder, &tables);
        let number = out.views.len();
        let mut search = Search { remote: &remote, readers: &readers, number, found: Vec::new(), stayed: Vec::new(), tokens: &tokens };
        search.query(&query, &Env::new(), true, false);
        let Search { mut found, stayed, .. } = search;
        if found.is_empty() {
            out.stayed = stayed;
            out.read = Some((query, tokens, tables));
            break;
        }
        let edits: Vec<Edit> = found.iter_mut().flat_map(|p| std::mem::take(&mut p.edits)).collect();
        let (sql, mut relations) = apply(now.sql, now.relations, &edits);
        for (i, part) in found.into_iter().enumerate() {
            let name = format!("dvt_part_{}", number + i);
            let first = tables[part.leaf].relation.name.clone();
            let relation = RelationRef { target: part.target, name: RelationName { database: None, schema: None, identifier: name.clone() } };
            let own = |at: &usize| !sql[at + name.len()..].starts_with(|c: char| c.is_ascii_digit());
            let start = sql.match_indices(&name).map(|(at, _)| at).find(own).unwrap_or_default();
            relations.push(RelationUse { relation: relation.clone(), at: std::iter::once(start..start + name.len()).collect() });
            out.catalog.insert(relation.clone(), RelationSchema { columns: part.columns, rows: part.rows, ..RelationSchema::default() });
            out.views.insert(relation, View { sql: part.sql, relation: first });
            out.words.extend(part.words);
        }
        (out.sql, out.relations) = (sql, relations);
    }
    Ok(out)
}

struct Search<'s> {
    remote: &'s Remote<'s>,
    readers: &'s Readers,
    number: usize,
    found: Vec<Part>,
    stayed: Vec<(usize, Kept)>,
    tokens: &'s [TokenWithSpan],
}

impl Search<'_> {
    /// Looks at the query and at those below it; of those in one another the first that can be replaced wins.
    /// `value`: it stands in an expression, which reads an average with all its digits.
    fn query<'q>(&mut self, query: &'q Query, env: &Env<'q>, outermost: bool, value: bool) {
        let Some(inner) = env.within(query, &self.remote.binder) else { return };
        self.remote.fresh();
        // The first rows of one relation are told to its scan, which shows more of why.
        let rounded = |rel: &Rel<'_>| rel.home.as_ref().is_some_and(|h| h.rounded);
        let scanned = |rel: &Rel<'_>| outermost && query.limit_clause.is_some() && rel.leaves.len() == 1 && !rel.distinct && !rel.tail.starts_with(" GROUP");
        if !(outermost && query.order_by.is_some())
            && let Some(rel) = self.remote.query(query, env).filter(|rel| !scanned(rel) && !(value && rounded(rel)))
        {
            let whole = self.part(rel, start(self.remote, query), outermost, false);
            if self.add(whole) {
                return;
            }
        }
        if let SetExpr::Select(select) = query.body.as_ref()
            && cut_by_name(query, select)
        {
            self.remote.fresh();
            let rel = self.remote.body(&query.body, &inner).filter(|rel| rel.done && !((value || query.order_by.is_some()) && rounded(rel)));
            let body = rel.and_then(|rel| self.part(rel, place(self.remote, &select.select_token), outermost, true));
            if self.add(body) {
                return;
            }
        }
        if let SetExpr::Select(select) = query.body.as_ref() {
            self.group(select, Some(query), &inner);
        }
        // The later ones read the earlier ones.
        for (i, cte) in query.with.iter().flat_map(|w| &w.cte_tables).enumerate().collect::<Vec<_>>().into_iter().rev() {
            self.query(&cte.query, &inner.before(env.ctes.len() + i), false, false);
        }
        self.body(&query.body, &inner, value);
    }

    /// What stands in a query's body.
    fn body<'q>(&mut self, body: &'q SetExpr, env: &Env<'q>, value: bool) {
        match body {
            SetExpr::SetOperation { left, right, .. } => {
                for arm in [left.as_ref(), right.as_ref()] {
                    if let SetExpr::Select(select) = arm {
                        self.remote.fresh();
                        let whole = self.remote.body(arm, env).and_then(|rel| self.part(rel, place(self.remote, &select.select_token), true, true));
                        if self.add(whole) {
                            continue;
                        }
                        self.group(select, None, env);
                    }
                    self.body(arm, env, false);
                }
            }
            SetExpr::Query(query) => self.query(query, env, false, value),
            SetExpr::Select(select) => {
                for (inner, value) in inner_queries(select) {
                    self.query(inner, env, false, value);
                }
            }
            _ => {}
        }
    }

    fn group<'q>(&mut self, select: &'q Select, query: Option<&'q Query>, env: &Env<'q>) {
        let number = self.number + self.found.len();
        let taken = self.found.iter().flat_map(|p| &p.columns).map(|c| c.name.to_lowercase()).collect();
        let part = joins::group(self.remote, self.readers, self.tokens, number, &taken, select, query, env, &mut self.stayed);
        self.add(part);
    }

    /// Takes a part that stands apart from those that were found; any other waits for the next turn. One that takes in CTEs
    /// changes who reads what.
    fn add(&mut self, part: Option<Part>) -> bool {
        let Some(part) = part else { return false };
        let apart = |other: &Part| part.edits.iter().all(|e| other.edits.iter().all(|o| e.apart(o)));
        if self.found.is_empty() || (!part.ctes && self.found.iter().all(|o| !o.ctes && apart(o))) {
            self.found.push(part);
        }
        true
    }

    /// Clauses 2 to 5.
    fn part(&mut self, rel: Rel<'_>, start: Option<usize>, open: bool, arm: bool) -> Option<Part> {
        let (remote, start) = (self.remote, start?);
        let named = rel.columns.iter().enumerate().all(|(i, c)| {
            let name = &c.schema.name;
            c.schema.canonical.is_some() && !name.is_empty() && rel.columns[..i].iter().all(|o| !o.schema.name.eq_ignore_ascii_case(name))
        });
        if !rel.pays || !named || !alone(remote, self.readers, &rel.ctes) {
            return None;
        }
        let small = rel.bound.as_ref().is_some_and(|b| !rel.wide || narrow(b, &rel.columns, &rel.used, &|leaf| rows(remote, leaf)));
        if !remote.rules.legal(Verdict::NoLarger, small) {
            larger(remote, &rel.leaves, &mut self.stayed);
            return None;
        }
        let source = remote.source(&rel.target)?;
        let at = start..end(remote, self.tokens, start, open, arm)?;
        let name = format!("dvt_part_{}", self.number + self.found.len());
        let text = match &rel.home {
            Some(home) => made_at_home(remote, home, &name)?,
            None if rel.columns.iter().all(|c| c.cast.is_none()) => format!("select * from {name}"),
            None => format!("select {} from {name}", casts(remote, &rel.columns)),
        };
        let words = vec![(format!("SELECT * FROM {name}"), "…".to_owned())];
        let mut edits = dead(remote, &rel.ctes, &at)?;
        edits.push(Edit::new(remote.request.sql, at, text));
        let sql = rel.text(&|i| source.quote(&rel.columns[i].schema.name));
        let bound = bounded(remote, &rel);
        Some(Part { edits, rows: bound, ctes: !rel.ctes.is_empty(), target: rel.target, leaf: *rel.leaves.first()?, sql, words, columns: rel.columns.into_iter().map(|c| c.schema).collect() })
    }
}

/// The list that gives each column the model's type.
fn casts(remote: &Remote<'_>, columns: &[Out]) -> String {
    let one = |c: &Out| {
        let name = remote.sheet.quote(&c.schema.name);
        c.cast.as_ref().map_or_else(|| name.clone(), |kind| format!("cast({name} as {kind}) as {name}"))
    };
    columns.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// What is made of a source's groups; each column has a name of its own.
fn made_at_home(remote: &Remote<'_>, home: &Home, part: &str) -> Option<String> {
    let named = home.list.iter().enumerate().all(|(i, (_, name))| !name.is_empty() && home.list[..i].iter().all(|(_, other)| !other.eq_ignore_ascii_case(name)));
    let list: Vec<String> = home.list.iter().map(|(text, name)| format!("{text} as {}", remote.sheet.quote(name))).collect();
    let asked = if home.asked.is_empty() { String::new() } else { format!(" where {}", home.asked.join(" and ")) };
    named.then(|| format!("select {} from {part}{asked}", list.join(", ")))
}

/// Whether what stands behind a SELECT reads its rows by the names or places of its list alone.
fn cut_by_name(query: &Query, select: &Select) -> bool {
    let named = |key: &Expr| match key {
        Expr::Value(v) => matches!(v.value, Value::Number(..)),
        Expr::Identifier(name) => {
            let called = |item: &SelectItem| match item {
                SelectItem::ExprWithAlias { alias, .. } => alias.value.eq_ignore_ascii_case(&name.value),
                SelectItem::UnnamedExpr(e) => column(e).and_then(|c| c.last()).is_some_and(|c| c.value.eq_ignore_ascii_case(&name.value)),
                _ => false,
            };
            select.projection.iter().filter(|i| called(i)).count() == 1
        }
        _ => false,
    };
    let ordered = match &query.order_by {
        None => query.limit_clause.is_some(),
        Some(order) => match &order.kind {
            OrderByKind::Expressions(keys) => order.interpolate.is_none() && keys.iter().all(|k| k.with_fill.is_none() && named(&k.expr)),
            OrderByKind::All(_) => false,
        },
    };
    ordered && query.fetch.is_none() && query.locks.is_empty() && query.for_clause.is_none() && query.pipe_operators.is_empty()
}

/// Rows of the tables that bound an answer.
pub fn bounded(remote: &Remote<'_>, rel: &Rel<'_>) -> Option<u64> {
    rel.bound.as_ref()?.iter().try_fold(0_u64, |all, leaf| Some(all.saturating_add(rows(remote, *leaf)?)))
}

pub fn rows(remote: &Remote<'_>, leaf: usize) -> Option<u64> {
    remote.request.catalog.relation(&remote.tables[leaf].relation)?.rows
}

/// Notes that relations could be answered together, and are not.
pub fn larger(remote: &Remote<'_>, leaves: &[usize], stayed: &mut Vec<(usize, Kept)>) {
    let names: Vec<&str> = leaves.iter().map(|l| remote.tables[*l].relation.name.identifier.as_str()).collect();
    if let ([first, _, ..], true) = (leaves, stayed.iter().all(|(l, _)| !leaves.contains(l))) {
        let reason = "joined at their source they could be larger than apart: no unique key or estimate says otherwise".to_owned();
        stayed.push((*first, Kept { sql: format!("join of {}", names.join(", ")), code: Code::NotPushed, reason }));
    }
}

/// Clause 3.
pub fn alone(remote: &Remote<'_>, readers: &Readers, ctes: &[&Cte]) -> bool {
    let once = ctes.iter().all(|cte| {
        let name = &cte.alias.name.value;
        readers.count(name) == ctes.iter().filter(|c| c.alias.name.value.eq_ignore_ascii_case(name)).count()
    });
    remote.rules.legal(Verdict::OneReader, once)
}

/// Empties the CTEs that nobody reads then, but those within `at`.
pub fn dead(remote: &Remote<'_>, ctes: &[&Cte], at: &Range<usize>) -> Option<Vec<Edit>> {
    let mut out = Vec::new();
    for (i, cte) in ctes.iter().enumerate() {
        if ctes[..i].iter().any(|c| std::ptr::eq(*c, *cte)) {
            continue;
        }
        let body = start(remote, &cte.query)?..place(remote, &cte.closing_paren_token)?;
        let within = ctes.iter().any(|c| !std::ptr::eq(*c, *cte) && start(remote, &c.query).is_some_and(|s| s < body.start) && place(remote, &c.closing_paren_token).is_some_and(|e| e > body.end));
        if !at.contains(&body.start) && !within {
            out.push(Edit::new(remote.request.sql, body, "select 1 as dvt_unread".to_owned()));
        }
    }
    Some(out)
}

fn place(remote: &Remote<'_>, token: &AttachedToken) -> Option<usize> {
    let at = token.0.span.start;
    (at.line > 0).then(|| remote.binder.index.offset(remote.request.sql, at.line as u32, at.column as u32))
}

/// Where a query begins; None where a parenthesis does.
fn start(remote: &Remote<'_>, query: &Query) -> Option<usize> {
    fn first(body: &SetExpr) -> Option<&Select> {
        match body {
            SetExpr::Select(select) => Some(select),
            SetExpr::SetOperation { left, .. } => first(left),
            _ => None,
        }
    }
    match &query.with {
        Some(with) => place(remote, &with.with_token),
        None => place(remote, &first(&query.body)?.select_token),
    }
}

/// Where it ends: at the parenthesis that closes what it stands in, or, if it is `open`, at the end of the text. `arm`:
/// before what goes on behind a part of a set operation.
fn end(remote: &Remote<'_>, tokens: &[TokenWithSpan], start: usize, open: bool, arm: bool) -> Option<usize> {
    let sql = remote.request.sql;
    let rest = sql.get(start..)?;
    let at = |t: &TokenWithSpan| remote.binder.index.offset(sql, t.span.start.line as u32, t.span.start.column as u32);
    let mut depth = 0_usize;
    for t in &tokens[tokens.partition_point(|t| at(t) < start)..] {
        let trimmed = || sql[..at(t)].trim_end().len();
        match &t.token {
            Token::LParen => depth += 1,
            Token::RParen if depth == 0 => return (!open || arm).then(trimmed),
            Token::RParen => depth -= 1,
            Token::Word(w) if arm && depth == 0 && matches!(w.keyword, Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT | Keyword::MINUS | Keyword::ORDER | Keyword::LIMIT | Keyword::OFFSET | Keyword::FETCH | Keyword::FOR) => {
                return Some(trimmed());
            }
            _ => {}
        }
    }
    open.then(|| start + rest.trim_end().trim_end_matches(';').len())
}

/// The queries in a SELECT: in its FROM, and in its expressions (true).
fn inner_queries(select: &Select) -> Vec<(&Query, bool)> {
    let factors = select.from.iter().flat_map(|f| std::iter::once(&f.relation).chain(f.joins.iter().map(|j| &j.relation)));
    let mut out: Vec<(&Query, bool)> = factors
        .filter_map(|f| match f {
            TableFactor::Derived { lateral: false, subquery, sample: None, .. } => Some((subquery.as_ref(), false)),
            _ => None,
        })
        .collect();
    // Those in expressions are reached through what a condition is made of.
    fn within<'q>(expr: &'q Expr, out: &mut Vec<(&'q Query, bool)>) {
        match expr {
            Expr::InSubquery { subquery, .. } | Expr::Subquery(subquery) => out.push((subquery, true)),
            Expr::BinaryOp { left, right, .. } => {
                within(left, out);
                within(right, out);
            }
            Expr::Nested(inner) | Expr::UnaryOp { expr: inner, .. } => within(inner, out),
            _ => {}
        }
    }
    for expr in select.selection.iter().chain(&select.having) {
        within(expr, &mut out);
    }
    out
}
