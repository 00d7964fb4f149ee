//! Filters: which rows of each scan the result cannot need.
//!
//! The residual asks every condition again, so a source may drop a row when no row that needs it reaches the result. Each
//! SELECT gives conditions that rows must meet ([`Need`]); they go down to its relations, and from a derived table or a
//! CTE on to what that reads. Legality, clause by clause:
//! 1. A condition is what [`super::predicate`] reads, over columns of one relation of the SELECT. What follows from a
//!    condition over several relations for one of them counts too (`(a.x = 1 and b.y = 2) or a.x = 3` gives `a.x in (1, 3)`).
//! 2. A bare column belongs to a relation only if no other one beside it has, or may have, that name; an alias of the
//!    select list that is called so must be the same column.
//! 3. WHERE: always where the relation is never filled with NULL (not right of LEFT, left of RIGHT, either side of
//!    FULL). Else only if the condition rejects NULL: IS NULL does not, so an anti-join's filter stays.
//! 4. ON of an inner or semi join: as WHERE over the relations joined so far. Of LEFT and anti: only into the right side;
//!    of RIGHT: only into the left side, rejecting NULL; of FULL: nothing.
//! 5. Nothing beside joins that are not known (ASOF, APPLY, NATURAL), lateral or sampled tables, PREWHERE, CONNECT BY.
//! 6. Into a derived table or a CTE: its own files say what passes a LIMIT, a set operation, groups, windows.
//! 7. IN's query: a condition on what IN tests goes to the query's column, not for NOT IN, which a NULL there decides.
//!
//! What a source can be told, and how, is in [`super::source`]; what the residual need not ask again, in [`super::settled`].

use super::ctes::Readers;
use super::predicate::{Need, Predicate, conjuncts, extent, read};
use super::settled::Settled;
use super::source::Emitter;
use super::through::Gates;
use super::verdict::{Rule, Rules, Verdict};
use super::keys::{self, Among, Level};
use super::{equalities, unions};
use crate::PlanRequest;
use crate::bind::{At, Binder, Ctes, JoinKind, Relations, Source, column, outputs};
use crate::ir::{Kept, PushClass, Pushed};
use crate::residual::Table;
use crate::walk::{Watch, visit};
use dvt_diagnostic::{Code, LineIndex};
use sqlparser::ast::{Expr, JoinConstraint, JoinOperator, Query, Select, SetExpr, TableFactor};
use std::ops::ControlFlow;

/// What was found for one scan.
#[derive(Debug, Clone, Default)]
pub struct Found {
    pub pushed: Vec<Pushed>,
    pub kept: Vec<Kept>,
    pub among: Vec<Among>,
    pub settled: Vec<Settled>,
}

/// Finds what each scan may leave out; the result is parallel to `tables`.
pub fn find(query: &Query, tables: &[Table], request: &PlanRequest<'_>, rules: &Rules) -> Vec<Found> {
    let binder = Binder { sql: request.sql, index: LineIndex::new(request.sql), tables, catalog: request.catalog, rules };
    let readers = Readers::new(query, &binder);
    let mut walk = Walk { emitter: Emitter { request, tables, rules }, binder, rules, readers, levels: Vec::new(), found: vec![Found::default(); tables.len()] };
    walk.query(query, Vec::new(), &Ctes::new());
    walk.found
}

/// A condition of one SELECT.
pub struct Fact {
    pub need: Need,
    /// The join whose ON it stands in.
    pub join: Option<usize>,
}

struct Walk<'a> {
    emitter: Emitter<'a>,
    binder: Binder<'a>,
    rules: &'a Rules,
    readers: Readers,
    /// The queries around the one that is looked at.
    levels: Vec<Level>,
    found: Vec<Found>,
}

impl Walk<'_> {
    /// `needs`: conditions on the columns that the query gives, by number.
    fn query(&mut self, query: &Query, needs: Vec<Need>, ctes: &Ctes) {
        let mut inner = ctes.clone();
        let mut own = Vec::new();
        let recursive = query.with.as_ref().is_some_and(|w| w.recursive);
        for cte in query.with.iter().flat_map(|w| &w.cte_tables) {
            let columns = self.binder.cte(&cte.query, &cte.alias, recursive, &inner);
            let number = self.readers.enter(&cte.alias.name.value);
            own.push((number, cte, inner.clone()));
            inner.insert(cte.alias.name.value.to_lowercase(), (number, columns));
        }
        // A row more or less below a LIMIT brings other rows, not fewer.
        let limited = query.limit_clause.is_some() || query.fetch.is_some() || query.for_clause.is_some() || !query.pipe_operators.is_empty();
        let passing = if self.rules.legal(Verdict::UnderLimit, !limited) {
            needs
        } else {
            let columns = self.binder.columns(query, ctes);
            for need in &needs {
                self.stays(columns.as_deref().and_then(|c| need.predicate.columns().first().and_then(|at| c.list.get(at.1)?.origin)), need, "rows are counted by a LIMIT below it");
            }
            Vec::new()
        };
        self.body(&query.body, passing, &inner);
        for (number, cte, scope) in own.into_iter().rev() {
            let needs = self.readers.needs(number, cte, self.rules);
            self.query(&cte.query, needs, &scope);
        }
    }

    fn body(&mut self, body: &SetExpr, needs: Vec<Need>, ctes: &Ctes) {
        match body {
            SetExpr::Select(select) => self.select(select, needs, ctes),
            SetExpr::Query(query) => self.query(query, needs, ctes),
            SetExpr::SetOperation { left, right, .. } => {
                let columns = self.binder.body(body, ctes);
                let needs = if self.rules.on(Rule::Unions) { unions::passing(needs, columns.as_deref()) } else { Vec::new() };
                self.body(left, needs.clone(), ctes);
                self.body(right, needs, ctes);
            }
            _ => {}
        }
    }

    fn select(&mut self, select: &Select, needs: Vec<Need>, ctes: &Ctes) {
        let Some(relations) = self.binder.relations(select, ctes) else {
            // Clause 5: beside what is not known nothing is pushed; inside, everything as ever.
            for factor in select.from.iter().flat_map(|f| std::iter::once(&f.relation).chain(f.joins.iter().map(|j| &j.relation))) {
                if let TableFactor::Derived { subquery, lateral: false, .. } = factor {
                    self.query(subquery, Vec::new(), ctes);
                }
            }
            self.levels.push(Level::unknown());
            for inner in subqueries(select) {
                self.query(&inner, Vec::new(), ctes);
            }
            self.levels.pop();
            return;
        };
        let mut facts = self.facts(select, needs, &relations);
        facts.extend(keys::outer(select, &relations, &self.levels, self.rules));
        facts.extend(keys::tested(select, &relations, &self.binder, ctes, self.rules));
        let mut into: Vec<Vec<Need>> = relations.items.iter().map(|_| Vec::new()).collect();
        let mut strong = Vec::new();
        for fact in &facts {
            self.place(fact, &relations, &mut into, &mut strong);
        }
        let edges = equalities::edges(select, &relations);
        if self.rules.on(Rule::Equalities) {
            for (item, need) in equalities::follow(&facts, strong.clone(), &edges, &relations, self.rules) {
                into[item].push(need);
            }
        }
        if self.rules.on(Rule::Keys) {
            for (item, need) in equalities::follow(&[], keys::own(&relations, &edges, self.rules), &edges, &relations, self.rules) {
                into[item].push(need);
            }
        }
        if !self.rules.on(Rule::Filters) {
            into.iter_mut().for_each(Vec::clear);
        }
        self.levels.push(Level::new(select, &relations));
        self.subqueries(select, &strong, &relations, ctes);
        self.levels.pop();
        let through = self.rules.on(Rule::Through);
        for (item, needs) in relations.items.iter().zip(into) {
            let passed = if through { needs.clone() } else { Vec::new() };
            match &item.source {
                Source::Table(table) => needs.iter().for_each(|need| self.emit(*table, need)),
                Source::Cte { number, at } => self.readers.register(*number, *at, passed),
                Source::Derived(query) => self.query(query, passed, ctes),
                Source::Unknown => {}
            }
        }
    }

    /// The conditions that a row of this SELECT must meet: its own, and those from outside that pass its list.
    fn facts(&mut self, select: &Select, needs: Vec<Need>, relations: &Relations<'_>) -> Vec<Fact> {
        let mut facts = Vec::new();
        let own = |expr: &Expr, join: Option<usize>, facts: &mut Vec<Fact>| {
            for conjunct in conjuncts(expr) {
                let need = Need { predicate: read(conjunct, relations, join, false), sql: conjunct.to_string(), derived: false, weaker: false, own: extent(conjunct).filter(|_| self.rules.on(Rule::Settled)) };
                facts.push(Fact { need, join });
            }
        };
        if let Some(filter) = &select.selection {
            own(filter, None, &mut facts);
        }
        for (j, join) in relations.joins.iter().enumerate() {
            if let Some(on) = join.on {
                own(on, Some(j), &mut facts);
            }
        }
        let gates = Gates::new(select, relations, self.rules);
        // HAVING is asked after grouping, QUALIFY after windows too.
        for (filter, windows) in [(&select.having, false), (&select.qualify, true)] {
            let Some(filter) = filter else { continue };
            let mut later = Vec::new();
            own(filter, None, &mut later);
            for mut fact in later {
                fact.need.own = None;
                match gates.pass(&fact.need.predicate.columns(), windows, false) {
                    Err(why) if !fact.need.predicate.columns().is_empty() => self.stays(origin(&fact.need, relations), &fact.need, why),
                    _ => facts.push(fact),
                }
            }
        }
        if let Some((outputs, _)) = outputs(select, relations) {
            for need in needs {
                let Some(need) = need.moved(&|(_, c)| outputs.get(c)?.from) else { continue };
                match gates.pass(&need.predicate.columns(), true, true) {
                    Ok(()) => facts.push(Fact { need, join: None }),
                    Err(why) => self.stays(origin(&need, relations), &need, why),
                }
            }
        }
        facts
    }

    /// Gives a condition to each relation for which something follows from it (clauses 1, 3, 4). `strong` gets those that
    /// every row of the SELECT meets with a real row of the relation.
    fn place(&mut self, fact: &Fact, relations: &Relations<'_>, into: &mut [Vec<Need>], strong: &mut Vec<(usize, Need)>) {
        let need = &fact.need;
        let mut told = false;
        for (i, item) in relations.items.iter().enumerate() {
            let Some(part) = need.over(&|at: At| (at.0 == i).then_some(at)) else { continue };
            told = true;
            let at = part.predicate.columns().first().and_then(|at| relations.column(*at)?.origin);
            let side = fact.join.is_none_or(|j| {
                let join = &relations.joins[j];
                match join.kind {
                    JoinKind::Inner | JoinKind::Semi => true,
                    JoinKind::Left | JoinKind::Anti => i == join.right,
                    JoinKind::Right => i != join.right,
                    JoinKind::Full => false,
                }
            });
            if !self.rules.legal(Verdict::OnSide, side) {
                self.stays(at, need, "its join must keep the rows that fail it");
                continue;
            }
            let rejects = part.predicate.rejects_null();
            if !self.rules.legal(Verdict::NullRejecting, !item.null_supplied || rejects) {
                self.stays(at, need, "it can be true for rows that the outer join fills with NULL");
                continue;
            }
            let everywhere = match fact.join {
                None => rejects,
                Some(j) => relations.joins[j].kind == JoinKind::Inner && !item.null_supplied && rejects,
            };
            if everywhere {
                strong.push((i, part.clone()));
            }
            let stands = match fact.join.map(|j| &relations.joins[j]) {
                None => !item.null_supplied,
                Some(join) if join.kind == JoinKind::Inner => !item.null_supplied,
                Some(join) => matches!(join.kind, JoinKind::Left | JoinKind::Semi | JoinKind::Anti) && i == join.right,
            };
            let own = need.own.filter(|_| need.predicate.whole(&|at: At| (at.0 == i).then_some(at)));
            into[i].push(Need { own: own.filter(|_| self.rules.legal(Verdict::SettledPlace, stands)), ..part });
        }
        if let (false, Predicate::Opaque { about: Some(at) }) = (told, &need.predicate) {
            let table = relations.column(*at).and_then(|c| c.origin);
            self.stays(table, need, "this form of condition is not known to mean the same in both");
        }
    }

    fn emit(&mut self, table: usize, need: &Need) {
        if let Some(among) = keys::among(&self.emitter, table, &need.predicate) {
            let found = &mut self.found[table].among;
            found.extend(among.filter(|a| !found.contains(a)));
            return;
        }
        match self.emitter.emit(&need.predicate, table) {
            Ok((remote, class)) => {
                let class = if need.weaker { PushClass::Superset } else { class };
                let found = &mut self.found[table];
                let at = found.pushed.iter().position(|p| p.remote == remote).unwrap_or(found.pushed.len());
                if at == found.pushed.len() {
                    found.pushed.push(Pushed { sql: need.sql.clone(), remote, class, settled: false });
                }
                if let Some(own) = need.own
                    && self.rules.legal(Verdict::SettledExact, class == PushClass::Exact)
                {
                    found.settled.push(Settled { pushed: at, at: own, sql: need.sql.clone() });
                }
            }
            Err(reason) => self.stays(Some(table), need, &reason),
        }
    }

    /// Notes why a condition is not told to a table.
    fn stays(&mut self, table: Option<usize>, need: &Need, reason: &str) {
        if let (Some(table), false) = (table, need.derived) {
            self.found[table].kept.push(Kept { sql: need.sql.clone(), code: Code::NotPushed, reason: reason.to_owned() });
        }
    }

    /// The queries inside a SELECT's expressions (clause 7).
    fn subqueries(&mut self, select: &Select, strong: &[(usize, Need)], relations: &Relations<'_>, ctes: &Ctes) {
        let mut done = Vec::new();
        for conjunct in select.selection.iter().flat_map(conjuncts) {
            let Expr::InSubquery { expr, subquery, negated } = conjunct else { continue };
            if !self.rules.legal(Verdict::PositiveIn, !negated) || !self.rules.on(Rule::Equalities) {
                continue;
            }
            let tested = column(expr).and_then(|c| relations.resolve(c, None));
            let given = self.binder.columns(subquery, ctes).and_then(|c| c.list.first()?.kind);
            let (Some(at), Some(given)) = (tested, given) else { continue };
            if !relations.column(at).and_then(|c| c.kind).is_some_and(|kind| equalities::alike(kind, given)) {
                continue;
            }
            let needs = strong.iter().filter_map(|(_, need)| {
                let follows = need.over(&|a| (a == at).then_some((0, 0)))?;
                Some(Need { sql: format!("{} through {expr} IN (…)", need.sql), derived: true, ..follows })
            });
            let needs: Vec<Need> = needs.chain(keys::asked(at, relations, self.rules)).collect();
            done.push(subquery.to_string());
            self.query(subquery, needs, ctes);
        }
        for inner in subqueries(select) {
            if let Some(i) = done.iter().position(|d| *d == inner.to_string()) {
                done.swap_remove(i);
                continue;
            }
            self.query(&inner, Vec::new(), ctes);
        }
    }
}

/// The table that a condition is about.
fn origin(need: &Need, relations: &Relations<'_>) -> Option<usize> {
    need.predicate.columns().first().and_then(|at| relations.column(*at)?.origin)
}

/// The queries in a SELECT's own expressions, not those below them.
pub fn subqueries(select: &Select) -> Vec<Query> {
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
    for join in select.from.iter().flat_map(|f| &f.joins) {
        if let JoinOperator::Join(c) | JoinOperator::Inner(c) | JoinOperator::Left(c) | JoinOperator::LeftOuter(c) = &join.join_operator
            && let JoinConstraint::On(on) = c
        {
            visit(on, &mut find);
        }
    }
    find.0
}
