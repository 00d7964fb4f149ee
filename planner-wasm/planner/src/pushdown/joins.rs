//! Relations of one target, joined there, in a SELECT that reads other targets too.
//!
//! They become one relation of what the source answers. Its names stand where theirs stood; in the place of each but the
//! first stands a query of one row, so that every condition of the text is asked as before, of the joined rows. Legality:
//! 1. The SELECT has inner, cross and left joins with ON only. (Right, full and semi joins, USING and NATURAL: nothing.)
//! 2. Inner relations that equal columns connect, in WHERE or in the ON of an inner join; the source compares them as the
//!    model does ([`super::remote`]). Inner joins change places with any join whose condition does not read them, so the
//!    others may stand in between.
//! 3. A left-joined relation whose ON reads only the group's relations and is told `exact`, whole. In its place the one row
//!    is left-joined: it changes nothing, whatever ON says.
//! 4. All are of one element of FROM, or each is an element of its own: else an ON would name what it cannot see.
//! 5. Every name of theirs in the SELECT, its ORDER BY and the queries in its conditions is known and replaced. What takes a
//!    relation as a whole (`*`, a row as a value), a name that an inner query may mean otherwise, or a column whose name is
//!    made from its expression's text keeps the relation out.
//! 6. It pays ([`super::guard`]): each relation that is added must keep the answer small.
//!
//! Of a SELECT that groups, such a relation (or one alone) may be grouped there besides: [`super::partial`].

use super::ctes::Readers;
use super::equalities;
use super::guard::{joined, narrow};
use super::partial::{self, Call, Total};
use super::parts::{Part, alone, bounded, dead, larger, rows};
use super::predicate::{comparison, conjuncts};
use super::remote::{Around, Env, Out, Rel, Remote, take_in};
use super::verdict::{Rule, Verdict};
use crate::bind::{At, JoinKind, Relations, Source, column};
use crate::columns::alias;
use crate::edit::Edit;
use crate::ir::Kept;
use crate::walk::{Watch, visit};
use sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, TableFactor,
    Value, ValueWithSpan, Visit,
};
use sqlparser::tokenizer::TokenWithSpan;
use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};

/// The bytes of a name.
fn range(remote: &Remote<'_>, idents: &[Ident]) -> Option<Range<usize>> {
    let (first, last) = (idents.first()?, idents.last()?);
    let start = remote.binder.at(last);
    let quotes = last.quote_style.map_or(0, |q| 2 + last.value.matches(q).count());
    let out = remote.binder.at(first)..start + last.value.len() + quotes;
    let text = remote.request.sql.get(start..out.end)?;
    // A name without a place of its own is not touched.
    (first.span.start.line > 0 && text.trim_start_matches(|c: char| last.quote_style.is_some() && !c.is_alphanumeric()).starts_with(last.value.chars().next()?)).then_some(out)
}

/// The names of a SELECT's relations in its text.
struct Names<'a, 'r> {
    remote: &'a Remote<'a>,
    relations: &'a Relations<'r>,
    found: Vec<(Range<usize>, At)>,
    /// Relations that cannot be replaced.
    blocked: BTreeSet<usize>,
    /// Queries around the name, and what their FROMs call things.
    inner: Vec<(Vec<String>, BTreeSet<String>)>,
    /// Names of the list, in ORDER BY.
    outputs: BTreeSet<String>,
    /// In these no name is an alias of the list.
    calls: &'a [Call],
}

impl Names<'_, '_> {
    fn see(&mut self, node: &impl Visit) {
        visit(node, self);
    }

    /// Keeps out what may have a column, or be called, like that.
    fn block(&mut self, name: &str) {
        for (i, item) in self.relations.items.iter().enumerate() {
            let has = item.columns.as_ref().is_none_or(|c| c.list.iter().any(|c| c.name.eq_ignore_ascii_case(name)));
            if has || item.qualifier.eq_ignore_ascii_case(name) {
                self.blocked.insert(i);
            }
        }
    }

    fn name(&mut self, idents: &[Ident]) {
        let [first, ..] = idents else { return };
        let lower = first.value.to_lowercase();
        if idents.len() == 1 && self.inner.is_empty() && self.outputs.contains(&lower) {
            return;
        }
        // A query around it may call something so; one whose columns are known has it or has it not.
        let clear = match idents {
            [_] => {
                if self.inner.iter().any(|(_, columns)| columns.contains(&lower)) {
                    return;
                }
                self.inner.is_empty()
            }
            _ => self.inner.iter().all(|(qualifiers, _)| !qualifiers.contains(&lower)),
        };
        let at = range(self.remote, idents);
        let aliased = idents.len() == 1 && !at.as_ref().is_some_and(|at| self.calls.iter().any(|c| c.at.contains(&at.start)));
        let place = if aliased { self.relations.resolve(idents, None) } else { self.relations.input(idents, None) };
        match (place.filter(|_| clear), at) {
            (Some(at), Some(range)) => self.found.push((range, at)),
            _ => self.block(&first.value),
        }
    }
}

/// What the FROMs of a query call things.
struct Called(Vec<String>);

impl Watch for Called {
    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        self.0.extend(alias(factor).map(|a| a.name.value.to_lowercase()));
        if let TableFactor::Table { name, .. } = factor {
            self.0.extend(name.0.last().and_then(|p| p.as_ident()).map(|i| i.value.to_lowercase()));
        }
        ControlFlow::Continue(())
    }
}

impl Watch for Names<'_, '_> {
    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        // A FROM may stand in a part of a set operation or deeper: what is called like that there is none of this SELECT's.
        let mut called = Called(Vec::new());
        visit(query, &mut called);
        let mut columns = BTreeSet::new();
        if let SetExpr::Select(select) = query.body.as_ref() {
            for factor in select.from.iter().flat_map(|f| std::iter::once(&f.relation).chain(f.joins.iter().map(|j| &j.relation))) {
                let TableFactor::Table { name, alias, .. } = factor else { continue };
                let at = name.0.first().and_then(|p| p.as_ident()).map(|i| self.remote.binder.at(i));
                let table = self.remote.tables.iter().find(|t| Some(t.at.start) == at && alias.as_ref().is_none_or(|a| a.columns.is_empty()));
                let known = table.and_then(|t| self.remote.request.catalog.relation(&t.relation));
                columns.extend(known.iter().flat_map(|k| &k.columns).map(|c| c.name.to_lowercase()));
            }
        }
        self.inner.push((called.0, columns));
        ControlFlow::Continue(())
    }
    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.inner.pop();
        ControlFlow::Continue(())
    }
    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => self.name(std::slice::from_ref(ident)),
            Expr::CompoundIdentifier(parts) if parts.len() == 2 => self.name(parts),
            Expr::CompoundIdentifier(parts) => parts.iter().for_each(|p| self.block(&p.value)),
            Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => self.blocked.extend(0..self.relations.items.len()),
            Expr::Function(f) if whole_rows(f) => self.blocked.extend(0..self.relations.items.len()),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Whether a function takes more than values.
fn whole_rows(f: &Function) -> bool {
    let FunctionArguments::List(list) = &f.args else { return false };
    let name = f.name.to_string().to_lowercase();
    name == "columns"
        || list.args.iter().any(|arg| match arg {
            FunctionArg::Unnamed(a) | FunctionArg::Named { arg: a, .. } | FunctionArg::ExprNamed { arg: a, .. } => match a {
                FunctionArgExpr::Expr(_) => false,
                FunctionArgExpr::Wildcard => name != "count",
                _ => true,
            },
        })
}

/// Edits of the list: columns that would lose their name, and `t.*`.
struct Listed {
    at: Range<usize>,
    item: usize,
    /// The columns, and whether the name must be said.
    columns: Vec<At>,
}

fn list(select: &Select, names: &mut Names<'_, '_>) -> Option<Vec<Listed>> {
    let mut out = Vec::new();
    let remote = names.remote;
    for item in &select.projection {
        match item {
            SelectItem::UnnamedExpr(expr @ (Expr::Identifier(_) | Expr::CompoundIdentifier(_))) => {
                let before = names.found.len();
                names.see(expr);
                if let Some((at, column)) = names.found.get(before).cloned() {
                    names.found.truncate(before);
                    out.push(Listed { at, item: column.0, columns: vec![column] });
                }
            }
            SelectItem::UnnamedExpr(expr) => {
                let before = names.found.len();
                names.see(expr);
                let read: Vec<usize> = names.found[before..].iter().map(|f| f.1.0).collect();
                names.blocked.extend(read);
            }
            SelectItem::ExprWithAlias { expr, .. } => names.see(expr),
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                let [part] = name.0.as_slice() else { return None };
                let ident = part.as_ident()?;
                let item = names.relations.items.iter().position(|i| i.qualifier.eq_ignore_ascii_case(&ident.value))?;
                let start = range(remote, std::slice::from_ref(ident))?.start;
                let star = remote.request.sql.get(start..)?.find('*')?;
                match &names.relations.items[item].columns {
                    Some(columns) if crate::derive::bare(options) => out.push(Listed { at: start..start + star + 1, item, columns: (0..columns.list.len()).map(|c| (item, c)).collect() }),
                    _ => _ = names.blocked.insert(item),
                }
            }
            _ => return None,
        }
    }
    (!out.is_empty() || !select.projection.is_empty()).then_some(out)
}

/// Joins what can be joined at one source; `query`: the one whose body the SELECT is; `taken`: names of columns of other parts.
#[expect(clippy::too_many_arguments, reason = "where it stands, and what was found before")]
pub fn group<'q>(
    remote: &Remote<'_>,
    readers: &Readers,
    tokens: &[TokenWithSpan],
    number: usize,
    taken: &BTreeSet<String>,
    select: &'q Select,
    query: Option<&'q Query>,
    env: &Env<'q>,
    stayed: &mut Vec<(usize, Kept)>,
) -> Option<Part> {
    let rules = remote.rules;
    let sorted = !select.sort_by.is_empty() || !select.cluster_by.is_empty() || !select.distribute_by.is_empty();
    if !rules.on(Rule::Joins) || sorted || query.is_some_and(|q| !q.pipe_operators.is_empty()) {
        return None;
    }
    let relations = remote.binder.relations(select, env.scope())?;
    let known = relations.joins.iter().all(|j| matches!(j.kind, JoinKind::Inner | JoinKind::Left));
    if !rules.legal(Verdict::JoinSide, known) || relations.joins.iter().any(|j| !j.equal.is_empty()) {
        return None;
    }
    let count = relations.items.len();
    remote.fresh();
    let mut rels: Vec<Option<Rel<'q>>> = relations.items.iter().map(|item| member(remote, readers, item, env)).collect();
    let targets: Vec<_> = rels.iter().flatten().map(|r| &r.target).collect();
    let calls = partial::calls(remote, select, query, &relations, tokens).unwrap_or_default();
    if calls.is_empty() && !targets.iter().enumerate().any(|(i, t)| targets[..i].contains(t)) {
        return None;
    }
    let mut names = Names { remote, relations: &relations, found: Vec::new(), blocked: BTreeSet::new(), inner: Vec::new(), outputs: BTreeSet::new(), calls: &calls };
    let listed = list(select, &mut names)?;
    select.selection.iter().for_each(|e| names.see(e));
    names.see(&select.group_by);
    select.having.iter().chain(&select.qualify).for_each(|e| names.see(e));
    select.named_window.iter().for_each(|w| names.see(w));
    select.distinct.iter().for_each(|d| names.see(d));
    relations.joins.iter().filter_map(|j| j.on).for_each(|e| names.see(e));
    if let Some(query) = query {
        let own = |i: &SelectItem| match i {
            SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.to_lowercase()),
            SelectItem::UnnamedExpr(e) => column(e)?.last().map(|i| i.value.to_lowercase()),
            _ => None,
        };
        names.outputs = select.projection.iter().filter_map(own).collect();
        query.order_by.iter().for_each(|o| names.see(o));
        query.limit_clause.iter().for_each(|l| names.see(l));
    }
    let Names { found, blocked, .. } = names;
    for i in (0..count).filter(|i| !rules.legal(Verdict::EveryName, !blocked.contains(i))) {
        rels[i] = None;
    }
    let elements: Vec<(usize, bool)> = select.from.iter().enumerate().flat_map(|(e, f)| std::iter::repeat_n((e, f.joins.is_empty()), f.joins.len() + 1)).collect();
    let together = |a: usize, b: usize| elements[a].0 == elements[b].0 || (elements[a].1 && elements[b].1);
    let edges = equalities::edges(select, &relations);
    let outs: Vec<Vec<Out>> = rels.iter().map(|r| r.as_ref().map_or_else(Vec::new, |r| r.columns.clone())).collect();
    let join_of = |i: usize| relations.joins.iter().position(|j| j.right == i);
    let inner = |i: usize| join_of(i).is_none_or(|j| relations.joins[j].kind == JoinKind::Inner);
    let conds = conditions(remote, &relations, select);
    // Asked of every row that is left: it may be asked of the group's.
    let asked = |c: &&Cond<'q>| c.join.is_none_or(|j| relations.joins[j].kind == JoinKind::Inner);
    let seen = |members: &[usize]| -> Vec<Vec<Out>> { outs.iter().enumerate().map(|(k, o)| if members.contains(&k) { o.clone() } else { Vec::new() }).collect() };
    // The conditions of WHERE and inner joins on one relation, which the source asks then.
    let own = |i: usize, to: &mut Rel<'q>, settled: &mut Vec<Range<usize>>| {
        let only = seen(&[i]);
        for cond in conds.iter().filter(asked).filter(|c| c.column.is_some_and(|at| at.0 == i)) {
            let around = Around { relations: &relations, outs: &only, within: cond.join, outer: None };
            if let (Some(at), Some(text)) = (&cond.at, remote.told(cond.expr, &around, to, env)) {
                to.filters.push(text);
                settled.push(at.clone());
            }
        }
    };
    for host in (0..count).filter(|i| inner(*i)) {
        let Some(mut to) = rels[host].clone() else { continue };
        let mut members = vec![host];
        let mut settled = Vec::new();
        own(host, &mut to, &mut settled);
        let mut refused = Vec::new();
        let mut again = true;
        while std::mem::take(&mut again) {
            for i in host + 1..count {
                let Some(rel) = rels[i].as_ref().filter(|r| r.target == to.target && !members.contains(&i) && together(host, i)) else { continue };
                let (join, left) = (join_of(i), !inner(i));
                let (mut next, mut done, mut on) = (to.clone(), settled.clone(), Vec::new());
                let within: Vec<usize> = members.iter().copied().chain([i]).collect();
                let both = seen(&within);
                let around = Around { relations: &relations, outs: &both, within: join, outer: None };
                let connects = |c: &&Cond<'q>| c.pair.is_some_and(|(a, b)| (a.0 == i && members.contains(&b.0)) || (b.0 == i && members.contains(&a.0)));
                let mut whole = true;
                for cond in conds.iter().filter(|c| if left { c.join == join } else { asked(c) && connects(c) }) {
                    match remote.told(cond.expr, &around, &mut next, env) {
                        Some(text) => {
                            on.push(text);
                            done.extend(cond.at.clone());
                        }
                        None => whole &= !left,
                    }
                }
                // Clause 3: all of ON, over nothing but the group.
                if on.is_empty() || !whole || (left && !conds.iter().filter(|c| c.join == join).any(|c| connects(&c))) {
                    continue;
                }
                if left { on.extend(rel.filters.iter().cloned()) } else { next.filters.extend(rel.filters.iter().cloned()) }
                own(i, &mut next, &mut done);
                let kind = if left { JoinKind::Left } else { JoinKind::Inner };
                joined(&mut next, rel, i, &|before| members.contains(&before), kind, join, &edges, &outs);
                next.from += if left { " LEFT JOIN " } else { " JOIN " };
                next.from += &rel.from;
                next.from += " ON ";
                next.from += &on.join(" AND ");
                take_in(&mut next, rel.clone());
                let carried: Vec<Out> = given(&within, &done, &found, &listed).iter().filter_map(|at| outs[at.0].get(at.1).cloned()).collect();
                let small = next.bound.as_ref().is_some_and(|b| narrow(b, &carried, &next.used, &|leaf| rows(remote, leaf)));
                if !rules.legal(Verdict::NoLarger, small) {
                    refused = next.leaves;
                    continue;
                }
                (to, settled, members, again) = (next, done, within, true);
            }
        }
        let group = |to: Rel<'q>, found: &[(Range<usize>, At)], totals: Option<(Vec<Total>, u64)>| {
            let given = given(&members, &settled, found, &listed);
            part(remote, number, taken, select, &relations, &members, settled.clone(), &given, to, &outs, found, &listed, totals)
        };
        if let Some((found, totals)) = grouped(remote, &calls, &members, &settled, &found, &listed, &to, &relations, &edges, &outs)
            && let Some(part) = group(to.clone(), &found, Some(totals))
        {
            return Some(part);
        }
        if members.len() > 1 {
            return group(to, &found, None);
        }
        larger(remote, &refused, stayed);
    }
    None
}

/// The names that the text still reads when aggregates are made of groups, these, and about how many groups there are.
#[expect(clippy::too_many_arguments, clippy::type_complexity, reason = "what was found of one group")]
fn grouped(
    remote: &Remote<'_>,
    calls: &[Call],
    members: &[usize],
    settled: &[Range<usize>],
    found: &[(Range<usize>, At)],
    listed: &[Listed],
    rel: &Rel<'_>,
    relations: &Relations<'_>,
    edges: &[equalities::Edge],
    outs: &[Vec<Out>],
) -> Option<(Vec<(Range<usize>, At)>, (Vec<Total>, u64))> {
    let source = remote.source(&rel.target)?;
    let own: Vec<Vec<Out>> = outs.iter().enumerate().map(|(k, o)| if members.contains(&k) { o.clone() } else { Vec::new() }).collect();
    let around = Around { relations, outs: &own, within: None, outer: None };
    let totals = partial::totals(remote, calls, members, found, &around, source)?;
    let found: Vec<_> = found.iter().filter(|(at, _)| !totals.iter().any(|t| t.at.contains(&at.start))).cloned().collect();
    let keys = given(members, settled, &found, listed);
    let groups = partial::groups(remote, relations, edges, &keys, outs, source)?;
    let pays = bounded(remote, rel).is_some_and(|rows| groups.saturating_mul(2) <= rows);
    remote.rules.legal(Verdict::NoLarger, pays).then_some((found, (totals, groups)))
}

/// A relation that may be one of a group.
fn member<'q>(remote: &Remote<'_>, readers: &Readers, item: &crate::bind::Item<'q>, env: &Env<'q>) -> Option<Rel<'q>> {
    if !matches!(item.source, Source::Table(_) | Source::Cte { .. }) {
        return None;
    }
    let mut rel = remote.item(item, env)?;
    if rel.columns.iter().any(|c| c.cast.is_some()) || !alone(remote, readers, &rel.ctes) {
        return None;
    }
    if rel.done || rel.leaves.len() > 1 {
        rel = remote.closed(rel)?;
    }
    Some(rel)
}

/// A condition of WHERE or ON.
struct Cond<'q> {
    expr: &'q Expr,
    join: Option<usize>,
    /// Where it stands, if it is of columns and literals alone: there stands `1 = 1` when the source has asked it.
    at: Option<Range<usize>>,
    /// Columns that it makes equal.
    pair: Option<(At, At)>,
    /// The column that it compares with a literal.
    column: Option<At>,
}

/// The bytes of a column's name, of a literal, or of a condition of these.
fn extent(remote: &Remote<'_>, expr: &Expr) -> Option<Range<usize>> {
    let from_to = |a: &Expr, b: &Expr| Some(extent(remote, a)?.start..extent(remote, b)?.end);
    match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => range(remote, column(expr)?),
        Expr::BinaryOp { left, right, .. } => from_to(left, right),
        Expr::Between { expr, high, .. } => from_to(expr, high),
        Expr::InList { expr, list, .. } => {
            let at = from_to(expr, list.last()?)?;
            let close = remote.request.sql.get(at.end..)?.find(')')?;
            remote.request.sql[at.end..at.end + close].trim().is_empty().then_some(at.start..at.end + close + 1)
        }
        Expr::TypedString(typed) => {
            let (at, word) = (literal(remote, &typed.value)?, typed.data_type.to_string());
            let before = remote.request.sql[..at.start].trim_end();
            let start = before.len().checked_sub(word.len())?;
            before.get(start..)?.eq_ignore_ascii_case(&word).then_some(start..at.end)
        }
        Expr::Value(v) => literal(remote, v),
        _ => None,
    }
}

fn literal(remote: &Remote<'_>, v: &ValueWithSpan) -> Option<Range<usize>> {
    let (sql, index) = (remote.request.sql, &remote.binder.index);
    let of = |at: sqlparser::tokenizer::Location| index.offset(sql, at.line as u32, at.column as u32);
    let at = of(v.span.start)..of(v.span.end);
    let text = sql.get(at.clone())?;
    let whole = match &v.value {
        Value::Number(n, false) => text == n,
        Value::SingleQuotedString(s) => text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')).is_some_and(|t| t.replace("''", "'") == *s),
        _ => false,
    };
    whole.then_some(at)
}

fn conditions<'q>(remote: &Remote<'_>, relations: &Relations<'q>, select: &'q Select) -> Vec<Cond<'q>> {
    let all = select.selection.iter().map(|e| (e, None)).chain(relations.joins.iter().enumerate().filter_map(|(j, join)| Some((join.on?, Some(j)))));
    let conds = all.flat_map(|(condition, join)| conjuncts(condition).into_iter().map(move |expr| (expr, join)));
    conds
        .map(|(expr, join)| {
            let mut out = Cond { expr, join, at: None, pair: None, column: None };
            let of = |e: &Expr| column(e).and_then(|c| relations.resolve(c, join));
            match expr {
                Expr::BinaryOp { left, op, right } if comparison(op).is_some() => {
                    match (of(left), of(right)) {
                        (Some(a), Some(b)) if *op == BinaryOperator::Eq => out.pair = Some((a, b)),
                        (Some(a), None) | (None, Some(a)) => out.column = Some(a),
                        _ => {}
                    }
                    out.at = extent(remote, expr);
                }
                Expr::Between { expr: tested, .. } | Expr::InList { expr: tested, .. } => {
                    out.column = of(tested);
                    out.at = extent(remote, expr);
                }
                _ => {}
            }
            out
        })
        .collect()
}

/// The columns of the group that the rest of the text reads.
fn given(members: &[usize], settled: &[Range<usize>], found: &[(Range<usize>, At)], listed: &[Listed]) -> BTreeSet<At> {
    let named = found.iter().filter(|(at, column)| members.contains(&column.0) && !settled.iter().any(|s| s.contains(&at.start))).map(|(_, at)| *at);
    named.chain(listed.iter().filter(|l| members.contains(&l.item)).flat_map(|l| l.columns.iter().copied())).collect()
}

#[expect(clippy::too_many_arguments, reason = "what was found of one group")]
fn part(
    remote: &Remote<'_>,
    number: usize,
    taken: &BTreeSet<String>,
    select: &Select,
    relations: &Relations<'_>,
    members: &[usize],
    settled: Vec<Range<usize>>,
    given: &BTreeSet<At>,
    mut rel: Rel<'_>,
    outs: &[Vec<Out>],
    found: &[(Range<usize>, At)],
    listed: &[Listed],
    totals: Option<(Vec<Total>, u64)>,
) -> Option<Part> {
    let source = remote.source(&rel.target)?;
    let text = remote.request.sql.to_lowercase();
    let mut columns: Vec<At> = given.iter().copied().collect();
    if columns.is_empty() {
        let host = *members.first()?;
        columns.push((host, outs[host].iter().position(|o| o.schema.canonical.is_some())?));
    }
    rel.columns = Vec::new();
    for at in &columns {
        let mut out = outs[at.0].get(at.1).filter(|o| o.schema.canonical.is_some())?.clone();
        let mut name = format!("{}_{}", relations.items[at.0].qualifier, relations.column(*at)?.name);
        if text.contains(&name.to_lowercase()) || taken.contains(&name.to_lowercase()) || rel.columns.iter().any(|c| c.schema.name.eq_ignore_ascii_case(&name)) {
            name = format!("dvt_{}_{name}", rel.columns.len());
        }
        out.schema.name = name;
        rel.columns.push(out);
    }
    let sql = remote.request.sql;
    let mut edits = dead(remote, &rel.ctes, &(0..0))?;
    let mut words = Vec::new();
    let called = |name: &str| format!("dvt_join_{number}.{}", remote.sheet.quote(name));
    let mut bound = bounded(remote, &rel);
    if let Some((totals, groups)) = totals {
        let by: Vec<&str> = rel.columns.iter().map(|c| c.sql.as_str()).collect();
        rel.tail = format!(" GROUP BY {}", by.join(", "));
        let keys = by.len();
        bound = Some(groups);
        for total in totals {
            let mut text = total.text;
            for (i, mut out) in total.columns.into_iter().enumerate() {
                let known = rel.columns[keys..].iter().find(|c| c.sql == out.sql).map(|c| c.schema.name.clone());
                out.schema.name = known.clone().unwrap_or_else(|| format!("dvt_total_{}", rel.columns.len()));
                text = text.replace(&format!("{{{i}}}"), &called(&out.schema.name));
                if known.is_none() {
                    rel.columns.push(out);
                }
            }
            words.push((text.clone(), sql[total.at.clone()].to_owned()));
            edits.push(Edit::new(sql, total.at, text));
        }
    }
    let named = |at: &At| columns.iter().position(|c| c == at).map(|i| called(&rel.columns[i].schema.name));
    for (at, column) in found.iter().filter(|(at, column)| members.contains(&column.0) && !settled.iter().any(|s| s.contains(&at.start))) {
        let name = named(column)?;
        words.push((name.clone(), sql[at.clone()].to_owned()));
        edits.push(Edit::plain(at.clone(), name));
    }
    edits.extend(settled.into_iter().map(|at| Edit::new(sql, at, "1 = 1".to_owned())));
    for l in listed.iter().filter(|l| members.contains(&l.item)) {
        let all: Option<Vec<String>> = l.columns.iter().map(|at| Some(format!("{} AS {}", named(at)?, remote.sheet.quote(&relations.column(*at)?.name)))).collect();
        edits.push(Edit::plain(l.at.clone(), all?.join(", ")));
    }
    let factors: Vec<&TableFactor> = select.from.iter().flat_map(|f| std::iter::once(&f.relation).chain(f.joins.iter().map(|j| &j.relation))).collect();
    let host = *members.iter().min()?;
    for i in members {
        let TableFactor::Table { name, alias, with_hints, partitions, index_hints, .. } = factors.get(*i)? else { return None };
        let ident = |p: &sqlparser::ast::ObjectNamePart| p.as_ident().cloned();
        let mut idents: Vec<Ident> = name.0.iter().map(ident).collect::<Option<_>>()?;
        if !with_hints.is_empty() || !partitions.is_empty() || !index_hints.is_empty() {
            return None;
        }
        if let Some(alias) = alias {
            alias.columns.is_empty().then_some(())?;
            idents.push(alias.name.clone());
        }
        let with = if *i == host { format!("dvt_part_{number} AS dvt_join_{number}") } else { format!("(select 1 as dvt_one) AS dvt_one_{number}_{i}") };
        edits.push(Edit::new(sql, range(remote, &idents)?, with));
    }
    let answer = rel.text(&|i| source.quote(&rel.columns[i].schema.name));
    Some(Part { edits, rows: bound, ctes: !rel.ctes.is_empty(), target: rel.target, leaf: *rel.leaves.first()?, sql: answer, words, columns: rel.columns.into_iter().map(|c| c.schema).collect() })
}
