//! A query in one source's words: all that it reads lies on one target, and the source answers it as the model means it.
//!
//! Legality, for the whole query and everything in it:
//! 1. FROM: relations, CTEs and derived tables of one target, joined by inner, cross and left joins. WITH is not recursive
//!    and no CTE is to be kept as it is.
//! 2. Every condition is told `exact`, whole: comparisons with literals (see [`super::source`]), and of two columns.
//!    Two columns compare as the source's sheet says, of one type: never doubles, text only where it says how (two
//!    collations may meet), cells that carry a type of their own not at all.
//! 3. A left join keeps its own conditions, and those of a derived table on its right, in ON.
//! 4. IN, NOT IN and EXISTS with a query of the same target; that of EXISTS may compare with columns around it, and lists
//!    columns and literals only: an aggregate would give a row where there is none.
//! 5. Groups, aggregates and HAVING: see [`super::aggregates`]. DISTINCT: every column is an exact key.
//! 6. UNION, and where the source has them INTERSECT and EXCEPT, by position, of equal types; where rows are compared, all columns are exact keys.
//! 7. LIMIT counts rows whose order the source has (see [`super::limit`]), or that have none.
//! 8. Lists are columns and aggregates. An expression over aggregates is computed at home of what the source groups, any
//!    other with its rows; both keep what is above them there.
//!
//! Whether it pays is asked in [`super::guard`].

use super::aggregates;
use super::equalities;
use super::limit;
use super::lists::Home;
use super::predicate::{comparison, conjuncts, read};
use super::source::Emitter;
use super::verdict::{Rule, Rules, Verdict};
use crate::PlanRequest;
use crate::bind::{At, Binder, Ctes, Item, JoinKind, Relations, Source, by_name, column, outputs};
use crate::catalog::{Collation, ColumnSchema};
use crate::dialect::DialectSheet;
use crate::ir::PushClass;
use crate::residual::Table;
use crate::types::{CanonicalType, Family};
use dvt_project::TargetName;
use sqlparser::ast::{BinaryOperator, Cte, Distinct, Expr, Ident, Query, Select, SelectFlavor, SelectItem, SetExpr, SetOperator, SetQuantifier, Value};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

/// A column in the source's words. `schema.name`: as the model calls it.
#[derive(Clone)]
pub struct Out {
    pub sql: String,
    pub schema: ColumnSchema,
    /// The table that it comes from.
    pub leaf: Option<usize>,
    /// The type that the model's text gives it, where that has no canonical one.
    pub cast: Option<String>,
}

/// A query in the source's words, in parts.
#[derive(Clone)]
pub struct Rel<'q> {
    pub target: TargetName,
    pub from: String,
    pub filters: Vec<String>,
    pub columns: Vec<Out>,
    pub distinct: bool,
    /// GROUP BY, HAVING, ORDER BY, LIMIT.
    pub tail: String,
    /// Its rows are computed: what is added must stand around it.
    pub done: bool,
    /// Tables that it reads.
    pub leaves: Vec<usize>,
    /// Tables that together have at least as many rows; None: it may have any number.
    pub bound: Option<Vec<usize>>,
    /// Columns by number that together are alike in no two rows.
    pub unique: Vec<Vec<usize>>,
    /// Columns that conditions read.
    pub used: Vec<Out>,
    /// CTEs that it reads, once for each time.
    pub ctes: Vec<&'q Cte>,
    /// Something in it makes fewer rows, or rows of several tables one.
    pub pays: bool,
    /// Its rows may be wider than those of the tables that bound it.
    pub wide: bool,
    /// What is made of its columns at home. Nothing at the source can read it then.
    pub home: Option<Home>,
}

impl Rel<'_> {
    /// The SELECT; `names`: of its columns, in the source's quotes.
    pub fn text(&self, names: &dyn Fn(usize) -> String) -> String {
        let list: Vec<String> = self.columns.iter().enumerate().map(|(i, c)| format!("{} AS {}", c.sql, names(i))).collect();
        let mut sql = String::from(if self.distinct { "SELECT DISTINCT " } else { "SELECT " });
        sql += &list.join(", ");
        sql += " FROM ";
        sql += &self.from;
        if !self.filters.is_empty() {
            sql += " WHERE ";
            sql += &self.filters.join(" AND ");
        }
        sql + &self.tail
    }
}

/// WITH queries in sight, and what was in sight before each.
#[derive(Clone)]
pub struct Env<'q> {
    pub ctes: Vec<&'q Cte>,
    scopes: Vec<Rc<Ctes>>,
}

impl<'q> Env<'q> {
    pub fn new() -> Self {
        Self { ctes: Vec::new(), scopes: vec![Rc::default()] }
    }
    pub fn scope(&self) -> &Ctes {
        &self.scopes[self.ctes.len()]
    }
    /// What the CTE of that number sees.
    pub fn before(&self, number: usize) -> Self {
        Self { ctes: self.ctes[..number].to_vec(), scopes: self.scopes[..=number].to_vec() }
    }
    /// With the CTEs of a query; None of a recursive one.
    pub fn within(&self, query: &'q Query, binder: &Binder<'_>) -> Option<Self> {
        let mut out = self.clone();
        if let Some(with) = &query.with {
            if with.recursive {
                return None;
            }
            for cte in &with.cte_tables {
                let mut scope = out.scope().clone();
                let columns = binder.cte(&cte.query, &cte.alias, false, &scope);
                scope.insert(cte.alias.name.value.to_lowercase(), (out.ctes.len(), columns));
                out.ctes.push(cte);
                out.scopes.push(Rc::new(scope));
            }
        }
        Some(out)
    }
}

/// The relations of one SELECT and their columns in the source's words, as far as they stand already.
pub struct Around<'x> {
    pub relations: &'x Relations<'x>,
    pub outs: &'x [Vec<Out>],
    pub within: Option<usize>,
    pub outer: Option<&'x Around<'x>>,
}

impl Around<'_> {
    /// As `here`, inside an aggregate, where no alias of the list can be meant if a column is called so.
    pub fn input(&self, expr: &Expr) -> Option<&Out> {
        let (item, at) = self.relations.input(column(expr)?, self.within)?;
        self.outs.get(item)?.get(at)
    }
    /// The column of a relation here that an expression is.
    pub fn here(&self, expr: &Expr) -> Option<&Out> {
        let (item, at) = self.relations.resolve(column(expr)?, self.within)?;
        self.outs.get(item)?.get(at)
    }
    /// The column that an expression is; one of the SELECT around only if none here can be meant.
    fn find(&self, expr: &Expr) -> Option<&Out> {
        let name = column(expr)?;
        if let Some((item, at)) = self.relations.resolve(name, self.within) {
            return self.outs.get(item)?.get(at);
        }
        let outer = self.outer?;
        let same = |a: &str, b: &Ident| a.eq_ignore_ascii_case(&b.value);
        let clear = match name {
            [qualifier, _] => self.relations.items.iter().all(|i| !same(&i.qualifier, qualifier)),
            [name] => self.relations.items.iter().all(|i| i.columns.as_ref().is_some_and(|c| c.list.iter().all(|c| !same(&c.name, name)))),
            _ => false,
        };
        if clear { outer.find(expr) } else { None }
    }
}

/// So many queries in one another a source is asked at most.
const DEEPEST: usize = 24;

pub struct Remote<'a> {
    pub request: &'a PlanRequest<'a>,
    pub rules: &'a Rules,
    /// The model's dialect.
    pub sheet: &'a DialectSheet,
    pub binder: Binder<'a>,
    pub tables: &'a [Table],
    pub emitter: Emitter<'a>,
    next: Cell<usize>,
    depth: Cell<usize>,
    /// CTEs that cannot be told.
    failed: RefCell<BTreeSet<usize>>,
}

impl<'a> Remote<'a> {
    pub fn new(request: &'a PlanRequest<'a>, rules: &'a Rules, sheet: &'a DialectSheet, binder: Binder<'a>, tables: &'a [Table]) -> Self {
        let emitter = Emitter { request, tables, rules };
        Self { request, rules, sheet, binder, tables, emitter, next: Cell::new(0), depth: Cell::new(0), failed: RefCell::default() }
    }

    pub fn source(&self, target: &TargetName) -> Option<&'a DialectSheet> {
        self.request.sheets.get(&(self.request.target_dialect)(target)?).ok()
    }

    /// Names start anew: what follows is an answer of its own.
    pub fn fresh(&self) {
        self.next.set(0);
    }

    /// Whether the compute runs the model's own text.
    pub fn verbatim(&self) -> bool {
        self.request.dialect == self.request.compute_dialect
    }

    fn alias(&self) -> String {
        let n = self.next.get();
        self.next.set(n + 1);
        format!("r{n}")
    }

    pub fn query<'q>(&self, query: &'q Query, env: &Env<'q>) -> Option<Rel<'q>> {
        // CTEs that read one another are deeper than the text is nested.
        let depth = self.depth.get();
        if depth >= DEEPEST {
            return None;
        }
        self.depth.set(depth + 1);
        let out = self.rows(query, env);
        self.depth.set(depth);
        out
    }

    fn rows<'q>(&self, query: &'q Query, env: &Env<'q>) -> Option<Rel<'q>> {
        let alone = query.fetch.is_none() && query.locks.is_empty() && query.for_clause.is_none() && query.pipe_operators.is_empty();
        if !alone {
            return None;
        }
        let env = env.within(query, &self.binder)?;
        let rel = self.body(&query.body, &env)?;
        if query.order_by.is_none() && query.limit_clause.is_none() {
            return Some(rel);
        }
        limit::told(self, query, rel, &env)
    }

    pub fn body<'q>(&self, body: &'q SetExpr, env: &Env<'q>) -> Option<Rel<'q>> {
        match body {
            SetExpr::Select(select) => self.select(select, env),
            SetExpr::Query(query) => self.query(query, env),
            SetExpr::SetOperation { left, right, op, set_quantifier } if self.rules.on(Rule::Subtrees) => {
                let (l, r) = (self.body(left, env)?, self.body(right, env)?);
                if l.home.is_some() || r.home.is_some() {
                    return None;
                }
                self.both(l, r, *op, *set_quantifier)
            }
            _ => None,
        }
    }

    /// Clause 6.
    fn both<'q>(&self, l: Rel<'q>, r: Rel<'q>, op: SetOperator, quantifier: SetQuantifier) -> Option<Rel<'q>> {
        let source = self.source(&l.target)?;
        let all = quantifier == SetQuantifier::All;
        let (words, known) = match op {
            SetOperator::Union if all => (" UNION ALL ", true),
            SetOperator::Union => (" UNION ", true),
            SetOperator::Intersect => (" INTERSECT ", !all && source.intersects),
            SetOperator::Except => (" EXCEPT ", !all && source.intersects),
            SetOperator::Minus => return None,
        };
        let pair = |(a, b): (&Out, &Out)| {
            let text = a.schema.canonical.is_some_and(|k| k.family() == Family::Text);
            // Text of two collations has none: then the source does not compare it.
            let plain = !text || source.compare.get(&Family::Text).is_some_and(|c| c.columns.as_deref() == Some("{0} {op} {1}"));
            let compared = all || [a, b].iter().all(|o| aggregates::exact_key(&o.schema, source)) && plain;
            a.schema.canonical.is_some() && a.schema.canonical == b.schema.canonical && a.cast.is_none() && b.cast.is_none() && compared
        };
        let same = l.columns.len() == r.columns.len() && l.columns.iter().zip(&r.columns).all(pair);
        if l.target != r.target || by_name(quantifier) || !known || !self.rules.legal(Verdict::SameTypes, same) {
            return None;
        }
        let names = |i: usize| source.quote(&format!("c{i}"));
        let alias = self.alias();
        let mut out = self.closed(l)?;
        let right = self.closed(r)?;
        let (left_text, right_text) = (out.text(&names), right.text(&names));
        out.from = format!("({left_text}{words}{right_text}) {alias}");
        out.filters.clear();
        for (i, (column, other)) in out.columns.iter_mut().zip(&right.columns).enumerate() {
            column.sql = format!("{alias}.{}", names(i));
            column.leaf = None;
            let both = [column.schema.collation, other.schema.collation];
            if both[0] != both[1] {
                // Decimals have digits of their own if those of one side do.
                let decimal = matches!(column.schema.canonical, Some(CanonicalType::Decimal(..)));
                let own = [Collation::Loose, Collation::Zeros].into_iter().find(|own| decimal && both.contains(own));
                column.schema.collation = own.unwrap_or(Collation::Unknown);
            }
        }
        out.done = false;
        out.pays |= right.pays || !all;
        out.bound = out.bound.zip(right.bound.clone()).map(|(a, b)| [a, b].concat());
        out.unique = Vec::new();
        let wide = all && (out.wide || right.wide);
        let pays = out.pays;
        take_in(&mut out, right);
        (out.wide, out.pays) = (wide, pays);
        Some(out)
    }

    /// With its SELECT around it, so that it can stand in FROM.
    pub fn closed<'q>(&self, mut rel: Rel<'q>) -> Option<Rel<'q>> {
        let source = self.source(&rel.target)?;
        let name = |i: usize| source.quote(&format!("c{i}"));
        if rel.columns.iter().any(|c| c.schema.canonical.is_none()) {
            // What nobody can carry nobody may ask for either, but beside it others are.
            rel.columns.iter_mut().filter(|c| c.schema.canonical.is_none()).for_each(|c| c.sql = "NULL".to_owned());
        }
        let alias = self.alias();
        let from = format!("({}) {alias}", rel.text(&name));
        for (i, column) in rel.columns.iter_mut().enumerate() {
            column.sql = format!("{alias}.{}", name(i));
        }
        Some(Rel { from, filters: Vec::new(), distinct: false, tail: String::new(), done: false, ..rel })
    }

    /// What an element of FROM is.
    pub fn item<'q>(&self, item: &Item<'q>, env: &Env<'q>) -> Option<Rel<'q>> {
        match &item.source {
            Source::Table(table) => {
                let relation = &self.tables[*table].relation;
                // What a source answers is not asked of it again.
                if relation.name.identifier.starts_with("dvt_part_") {
                    return None;
                }
                let known = self.request.catalog.relation(relation)?;
                let source = self.source(&relation.target)?;
                let alias = self.alias();
                let column = |c: &ColumnSchema| Out { sql: format!("{alias}.{}", source.quote(&c.name)), schema: c.clone(), leaf: Some(*table), cast: None };
                let place = |n: &String| known.columns.iter().position(|c| c.name == *n);
                Some(Rel {
                    target: relation.target.clone(),
                    from: format!("{} {alias}", source.render(&relation.name)),
                    filters: Vec::new(),
                    columns: known.columns.iter().map(column).collect(),
                    distinct: false,
                    tail: String::new(),
                    done: false,
                    leaves: vec![*table],
                    bound: Some(vec![*table]),
                    unique: known.unique.iter().filter_map(|set| set.iter().map(place).collect()).collect(),
                    used: Vec::new(),
                    ctes: Vec::new(),
                    pays: false,
                    wide: false,
                    home: None,
                })
            }
            Source::Cte { number, .. } => {
                let cte = *env.ctes.get(*number)?;
                let key = std::ptr::from_ref(cte) as usize;
                if !self.rules.legal(Verdict::NotMaterialized, cte.materialized.is_none()) || self.failed.borrow().contains(&key) {
                    return None;
                }
                let Some(mut rel) = self.query(&cte.query, &env.before(*number)).filter(|r| r.home.is_none()) else {
                    self.failed.borrow_mut().insert(key);
                    return None;
                };
                rel.ctes.push(cte);
                Some(rel)
            }
            Source::Derived(query) => self.query(query, env).filter(|r| r.home.is_none()),
            Source::Unknown => None,
        }
    }

    fn select<'q>(&self, select: &'q Select, env: &Env<'q>) -> Option<Rel<'q>> {
        if !plain(select) {
            return None;
        }
        let relations = self.binder.relations(select, env.scope())?;
        let (mut rel, outs) = self.from_where(select, &relations, env, None)?;
        let around = Around { relations: &relations, outs: &outs, within: None, outer: None };
        if aggregates::asked(select) {
            return aggregates::grouped(self, select, rel, &around);
        }
        let (list, _) = outputs(select, &relations)?;
        let mut places = Vec::new();
        for (i, output) in list.iter().enumerate() {
            let at = output.from?;
            let mut out = outs.get(at.0)?.get(at.1)?.clone();
            out.schema.name = self.named(select, list.len(), i).unwrap_or_else(|| output.name.clone());
            places.push(at);
            rel.columns.push(out);
        }
        rel.unique = self.unique(&rel.unique, &places, &outs);
        if matches!(select.distinct, Some(Distinct::Distinct)) {
            rel = aggregates::distinct(self, rel)?;
        }
        Some(rel)
    }

    /// Sets of (all) columns as sets of the list's.
    fn unique(&self, sets: &[Vec<usize>], places: &[At], outs: &[Vec<Out>]) -> Vec<Vec<usize>> {
        let flat = |at: &At| outs[..at.0].iter().map(Vec::len).sum::<usize>() + at.1;
        sets.iter().filter_map(|set| set.iter().map(|c| places.iter().position(|p| flat(p) == *c)).collect()).collect()
    }

    /// How the model calls a column of its list, where the list has no `*`.
    pub fn named(&self, select: &Select, count: usize, i: usize) -> Option<String> {
        let ident = match select.projection.get(i).filter(|_| select.projection.len() == count)? {
            SelectItem::ExprWithAlias { alias, .. } => alias,
            SelectItem::UnnamedExpr(e) => column(e)?.last()?,
            _ => return None,
        };
        let fold = self.sheet.meaning.as_ref().map(|m| m.fold);
        Some(fold.map_or_else(|| ident.value.clone(), |fold| crate::translate::folded(ident, fold)))
    }

    /// FROM and WHERE; `unique` counts the columns of all relations through, the relation's own columns are left out.
    fn from_where<'q>(&self, select: &'q Select, relations: &Relations<'q>, env: &Env<'q>, outer: Option<&Around<'_>>) -> Option<(Rel<'q>, Vec<Vec<Out>>)> {
        let several = relations.items.len() > 1;
        if several && !self.rules.on(Rule::Joins) {
            return None;
        }
        let edges = equalities::edges(select, relations);
        let mut outs: Vec<Vec<Out>> = Vec::new();
        let mut whole: Option<Rel<'q>> = None;
        for (i, item) in relations.items.iter().enumerate() {
            let mut rel = self.item(item, env)?;
            let join = relations.joins.iter().position(|j| j.right == i);
            let kind = join.map_or(JoinKind::Inner, |j| relations.joins[j].kind);
            if !self.rules.legal(Verdict::JoinSide, matches!(kind, JoinKind::Inner | JoinKind::Left)) {
                return None;
            }
            if rel.done || (i > 0 && rel.leaves.len() > 1) {
                rel = self.closed(rel)?;
            }
            outs.push(std::mem::take(&mut rel.columns));
            let first = whole.is_none();
            let mut to = whole.unwrap_or_else(|| Rel { from: String::new(), ..rel.clone() });
            if to.target != rel.target {
                return None;
            }
            let around = Around { relations, outs: &outs, within: join, outer };
            let mut on = Vec::new();
            if let Some(j) = join {
                for conjunct in relations.joins[j].on.into_iter().flat_map(conjuncts) {
                    on.push(self.told(conjunct, &around, &mut to, env)?);
                }
                for (a, b) in &relations.joins[j].equal {
                    let (a, b) = (outs.get(a.0)?.get(a.1)?, outs.get(b.0)?.get(b.1)?);
                    on.push(self.pair(a, BinaryOperator::Eq, b, &to.target)?);
                    to.used.extend([a.clone(), b.clone()]);
                }
            }
            if first {
                to.from = rel.from;
                to.unique = rel.unique;
            } else {
                if kind == JoinKind::Left { on.append(&mut rel.filters) } else { to.filters.append(&mut rel.filters) }
                let words = match (kind, on.is_empty()) {
                    (JoinKind::Left, _) => " LEFT JOIN ",
                    (_, true) => " CROSS JOIN ",
                    _ => " JOIN ",
                };
                to.from += words;
                to.from += &rel.from;
                if !on.is_empty() {
                    to.from += " ON ";
                    to.from += &on.join(" AND ");
                }
                super::guard::joined(&mut to, &rel, i, &|before| before < i, kind, join, &edges, &outs);
                take_in(&mut to, rel);
            }
            whole = Some(to);
        }
        let mut rel = whole?;
        let around = Around { relations, outs: &outs, within: None, outer };
        for conjunct in select.selection.iter().flat_map(conjuncts) {
            let told = self.told(conjunct, &around, &mut rel, env)?;
            rel.filters.push(told);
        }
        rel.columns = Vec::new();
        Some((rel, outs))
    }

    /// A condition, whole and exact.
    pub fn told<'q>(&self, expr: &'q Expr, around: &Around<'_>, rel: &mut Rel<'q>, env: &Env<'q>) -> Option<String> {
        let source = self.source(&rel.target)?;
        match expr {
            Expr::BinaryOp { left, op, right } if comparison(op).is_some() => {
                if let (Expr::Value(a), Expr::Value(b)) = (left.as_ref(), right.as_ref())
                    && let (Value::Number(..), BinaryOperator::Eq) = (&a.value, op)
                {
                    return (a.value == b.value).then(|| "1 = 1".to_owned());
                }
                if let (Some(a), Some(b)) = (around.find(left), around.find(right)) {
                    rel.used.extend([a.clone(), b.clone()]);
                    return self.pair(a, op.clone(), b, &rel.target);
                }
            }
            Expr::InSubquery { expr, subquery, negated } if self.rules.on(Rule::Subtrees) => {
                let tested = around.find(expr)?;
                let mut inner = self.query(subquery, env).filter(|r| r.home.is_none())?;
                if inner.done {
                    inner = self.closed(inner)?;
                }
                let [one] = inner.columns.as_slice() else { return None };
                let text = one.schema.canonical.is_some_and(|k| k.family() == Family::Text);
                // How two columns compare is not said of IN.
                if text && source.compare.get(&Family::Text)?.columns.as_deref()? != "{0} {op} {1}" {
                    return None;
                }
                self.pair(tested, BinaryOperator::Eq, one, &inner.target)?;
                rel.used.push(tested.clone());
                let text = inner.text(&|i| source.quote(&format!("c{i}")));
                self.beside(rel, inner)?;
                return Some(format!("{} {}IN ({text})", tested.sql, if *negated { "NOT " } else { "" }));
            }
            Expr::Exists { subquery, negated } if self.rules.on(Rule::Subtrees) => {
                let SetExpr::Select(select) = subquery.body.as_ref() else { return None };
                let bare = subquery.with.is_none() && subquery.limit_clause.is_none() && subquery.fetch.is_none() && subquery.pipe_operators.is_empty();
                // An aggregate gives a row where there is none: only what is none for certain may stand in the list.
                let listed = |i: &SelectItem| match i {
                    SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. } => matches!(e, Expr::Value(_)) || column(e).is_some(),
                    other => matches!(other, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)),
                };
                if !bare || !plain(select) || aggregates::asked(select) || !select.projection.iter().all(listed) {
                    return None;
                }
                let relations = self.binder.relations(select, env.scope())?;
                let (mut inner, _) = self.from_where(select, &relations, env, Some(around))?;
                inner.columns = vec![aggregates::made("1".to_owned(), CanonicalType::Int(32))];
                let text = format!("{}EXISTS ({})", if *negated { "NOT " } else { "" }, inner.text(&|_| "one".to_owned()));
                self.beside(rel, inner)?;
                return Some(text);
            }
            _ => {}
        }
        let predicate = read(expr, around.relations, around.within, false);
        let of = |at: At| around.outs.get(at.0)?.get(at.1);
        if !predicate.whole(&|at| of(at).map(|_| at)) {
            return None;
        }
        rel.used.extend(predicate.columns().into_iter().filter_map(of).cloned());
        let (sql, class) = self.emitter.said(&predicate, &|at| of(at).map(|o| (o.sql.clone(), &o.schema)), source).ok()?;
        self.rules.legal(Verdict::LimitExact, class == PushClass::Exact).then_some(sql)
    }

    /// Takes in what a query in a condition reads.
    fn beside<'q>(&self, rel: &mut Rel<'q>, inner: Rel<'q>) -> Option<()> {
        let same = rel.target == inner.target;
        take_in(rel, inner);
        same.then_some(())
    }

    /// A comparison of two columns, or nothing where the source does not make it as the model does.
    pub fn pair(&self, a: &Out, op: BinaryOperator, b: &Out, target: &TargetName) -> Option<String> {
        let source = self.source(target)?;
        let plain = a.cast.is_none() && b.cast.is_none();
        self.emitter.pair(&(a.sql.clone(), &a.schema), comparison(&op)?, &(b.sql.clone(), &b.schema), source).filter(|_| plain)
    }
}

/// What another part reads and asks besides.
pub fn take_in<'q>(to: &mut Rel<'q>, other: Rel<'q>) {
    to.leaves.extend(other.leaves);
    to.used.extend(other.used);
    to.ctes.extend(other.ctes);
    (to.pays, to.wide) = (true, true);
}

/// A SELECT of known clauses only.
pub fn plain(select: &Select) -> bool {
    select.top.is_none()
        && select.qualify.is_none()
        && select.into.is_none()
        && select.named_window.is_empty()
        && select.exclude.is_none()
        && select.sort_by.is_empty()
        && select.cluster_by.is_empty()
        && select.distribute_by.is_empty()
        && select.flavor == SelectFlavor::Standard
        && !matches!(select.distinct, Some(Distinct::On(_)))
}
