//! What a query's names mean: which column of which relation each column of a query passes on.
//!
//! Only columns that are passed on as they are have a source; an expression has none. Where the text does not tell (an
//! unknown relation, an ambiguous name), the answer is None, and whoever asked does nothing.
//! Not here: the types of expressions, and whether the query is right.

use crate::catalog::{Catalog, ColumnSchema};
use crate::pushdown::verdict::{Rules, Verdict};
use crate::residual::{Table, offset};
use crate::types::CanonicalType;
use crate::walk::{Watch, visit};
use dvt_diagnostic::LineIndex;
use sqlparser::ast::{
    Expr, Ident, JoinConstraint, JoinOperator, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, SetQuantifier, TableAlias,
    TableFactor, WildcardAdditionalOptions,
};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::rc::Rc;

/// A column of a relation or of a query.
#[derive(Clone)]
pub struct Column {
    pub name: String,
    /// None where it is an expression or of a type that cannot be carried.
    pub kind: Option<CanonicalType>,
    /// The table that it comes from unchanged.
    pub origin: Option<usize>,
    /// The table's column whose values it has.
    pub of: Option<At>,
    /// It has others too: those of a set operation's other part.
    pub more: bool,
}

/// The columns of something that can stand in FROM.
#[derive(Clone)]
pub struct Columns {
    pub list: Vec<Column>,
    /// Whether they stand in the order in which a set operation counts them.
    pub ordered: bool,
}

/// WITH queries in sight: number and columns, by name without case.
pub type Ctes = BTreeMap<String, (usize, Option<Rc<Columns>>)>;

/// What an element of FROM reads.
pub enum Source<'q> {
    Table(usize),
    /// The CTE of that number; `at` is the byte at which its name stands.
    Cte { number: usize, at: usize },
    Derived(&'q Query),
    Unknown,
}

pub struct Item<'q> {
    pub qualifier: String,
    pub source: Source<'q>,
    pub columns: Option<Rc<Columns>>,
    /// An outer join may put NULL in the place of its columns.
    pub null_supplied: bool,
    /// Of a semi or anti join: only its ON sees it.
    pub hidden: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
    Semi,
    Anti,
}

/// A join of the item `right` with the items before it in the same element of FROM.
pub struct Join<'q> {
    pub kind: JoinKind,
    pub on: Option<&'q Expr>,
    pub right: usize,
    /// Columns of USING as (left, right).
    pub equal: Vec<((usize, usize), (usize, usize))>,
}

/// One column: the item and the column's number in it.
pub type At = (usize, usize);

/// The relations of one SELECT.
#[derive(Default)]
pub struct Relations<'q> {
    pub items: Vec<Item<'q>>,
    pub joins: Vec<Join<'q>>,
    /// Columns that USING made one, and which they are; None after RIGHT and FULL, where they are computed.
    merged: Vec<(String, Option<At>)>,
    /// Aliases of the select list and the columns that they rename.
    aliases: Vec<(String, Option<At>)>,
    pub rules: Rules,
}

/// A column of a select list.
pub struct Output {
    pub name: String,
    pub from: Option<At>,
}

pub struct Binder<'a> {
    pub sql: &'a str,
    pub index: LineIndex,
    pub tables: &'a [Table],
    pub catalog: &'a Catalog,
    pub rules: &'a Rules,
}

fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

impl Binder<'_> {
    /// Where a name stands in the text.
    pub fn at(&self, ident: &Ident) -> usize {
        offset(&self.index, self.sql, ident)
    }

    /// The relations of a SELECT; None when one of its FROM or a join of them is not known here.
    pub fn relations<'q>(&self, select: &'q Select, ctes: &Ctes) -> Option<Relations<'q>> {
        let plain = select.connect_by.is_empty() && select.lateral_views.is_empty() && select.prewhere.is_none();
        let mut out = Relations { rules: self.rules.clone(), ..Relations::default() };
        if !plain {
            return None;
        }
        for from in &select.from {
            let first = out.items.len();
            out.items.push(self.item(&from.relation, ctes)?);
            for join in &from.joins {
                let right = out.items.len();
                out.items.push(self.item(&join.relation, ctes)?);
                self.join(&mut out, &join.join_operator, first..right, right)?;
            }
        }
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { expr, alias } = item {
                let from = column(expr).and_then(|c| out.input(c, None));
                out.aliases.push((alias.value.to_lowercase(), from));
            }
        }
        Some(out)
    }

    fn join<'q>(&self, out: &mut Relations<'q>, operator: &'q JoinOperator, left: std::ops::Range<usize>, right: usize) -> Option<()> {
        let (kind, constraint) = match operator {
            JoinOperator::Join(c) | JoinOperator::Inner(c) | JoinOperator::CrossJoin(c) => (JoinKind::Inner, c),
            JoinOperator::Left(c) | JoinOperator::LeftOuter(c) => (JoinKind::Left, c),
            JoinOperator::Right(c) | JoinOperator::RightOuter(c) => (JoinKind::Right, c),
            JoinOperator::FullOuter(c) => (JoinKind::Full, c),
            JoinOperator::Semi(c) | JoinOperator::LeftSemi(c) => (JoinKind::Semi, c),
            JoinOperator::Anti(c) | JoinOperator::LeftAnti(c) => (JoinKind::Anti, c),
            _ => return None,
        };
        if matches!(kind, JoinKind::Right | JoinKind::Full) {
            out.items[left.clone()].iter_mut().for_each(|i| i.null_supplied = true);
        }
        out.items[right].null_supplied = matches!(kind, JoinKind::Left | JoinKind::Full);
        out.items[right].hidden = matches!(kind, JoinKind::Semi | JoinKind::Anti);
        let mut join = Join { kind, on: None, right, equal: Vec::new() };
        match constraint {
            JoinConstraint::On(on) => join.on = Some(on),
            JoinConstraint::None => {}
            JoinConstraint::Natural => return None,
            JoinConstraint::Using(names) => {
                for name in names {
                    let name = &name.0.last()?.as_ident()?.value;
                    let (a, b) = (out.named(left.clone(), name), out.named(right..right + 1, name));
                    join.equal.extend(a.zip(b));
                    let computed = matches!(kind, JoinKind::Right | JoinKind::Full) || out.merged.iter().any(|(n, at)| same(n, name) && at.is_none());
                    out.merged.retain(|(n, _)| !same(n, name));
                    out.merged.push((name.to_lowercase(), a.filter(|_| b.is_some() && !computed)));
                }
            }
        }
        out.joins.push(join);
        Some(())
    }

    fn item<'q>(&self, factor: &'q TableFactor, ctes: &Ctes) -> Option<Item<'q>> {
        let item = |qualifier: &str, source, columns| Item { qualifier: qualifier.to_lowercase(), source, columns, null_supplied: false, hidden: false };
        match factor {
            TableFactor::Table { name, alias, args: None, sample: None, version: None, with_ordinality: false, json_path: None, partitions, .. } if partitions.is_empty() => {
                let first = name.0.first()?.as_ident()?;
                let at = self.at(first);
                let last = name.0.last()?.as_ident()?;
                let qualifier = alias.as_ref().map_or(last.value.as_str(), |a| a.name.value.as_str());
                let (source, columns) = match self.tables.iter().position(|t| t.at.start == at) {
                    Some(table) => (Source::Table(table), self.table(table)),
                    None => match ctes.get(&last.value.to_lowercase()) {
                        Some((number, columns)) if name.0.len() == 1 => (Source::Cte { number: *number, at }, columns.clone()),
                        _ => (Source::Unknown, None),
                    },
                };
                Some(item(qualifier, source, renamed(columns, alias.as_ref())))
            }
            TableFactor::Derived { lateral: false, alias, sample: None, subquery } => {
                let columns = renamed(self.columns(subquery, ctes), alias.as_ref());
                Some(item(alias.as_ref().map_or("", |a| a.name.value.as_str()), Source::Derived(subquery), columns))
            }
            _ => None,
        }
    }

    fn table(&self, table: usize) -> Option<Rc<Columns>> {
        let schema = self.catalog.relation(&self.tables[table].relation)?;
        let column = |(i, c): (usize, &ColumnSchema)| Column { name: c.name.clone(), kind: c.canonical, origin: Some(table), of: Some((table, i)), more: false };
        let list = schema.columns.iter().enumerate().map(column);
        Some(Rc::new(Columns { list: list.collect(), ordered: true }))
    }

    /// The columns that a query gives.
    pub fn columns(&self, query: &Query, ctes: &Ctes) -> Option<Rc<Columns>> {
        if !query.pipe_operators.is_empty() {
            return None;
        }
        let mut inner = ctes.clone();
        for cte in query.with.iter().flat_map(|w| &w.cte_tables) {
            let columns = self.cte(&cte.query, &cte.alias, query.with.as_ref().is_some_and(|w| w.recursive), &inner);
            inner.insert(cte.alias.name.value.to_lowercase(), (usize::MAX, columns));
        }
        self.body(&query.body, &inner)
    }

    /// The columns of a CTE; of one that reads itself nothing is told.
    pub fn cte(&self, query: &Query, alias: &TableAlias, recursive: bool, ctes: &Ctes) -> Option<Rc<Columns>> {
        if recursive && reads(query, &alias.name.value) {
            return None;
        }
        let columns = self.columns(query, ctes);
        renamed(columns, Some(alias))
    }

    pub fn body(&self, body: &SetExpr, ctes: &Ctes) -> Option<Rc<Columns>> {
        match body {
            SetExpr::Select(select) => {
                let relations = self.relations(select, ctes)?;
                let (outputs, ordered) = outputs(select, &relations)?;
                let list = outputs.into_iter().map(|o| match o.from.and_then(|at| relations.column(at)) {
                    Some(column) => Column { name: o.name, ..column.clone() },
                    None => Column { name: o.name, kind: None, origin: None, of: None, more: false },
                });
                Some(Rc::new(Columns { list: list.collect(), ordered }))
            }
            SetExpr::Query(query) => self.columns(query, ctes),
            SetExpr::SetOperation { left, right, set_quantifier, .. } => {
                if !self.rules.legal(Verdict::ByPosition, !by_name(*set_quantifier)) {
                    return None;
                }
                let (left, right) = (self.body(left, ctes)?, self.body(right, ctes)?);
                if !left.ordered || !right.ordered || left.list.len() != right.list.len() {
                    return None;
                }
                let list = left.list.iter().zip(&right.list).map(|(l, r)| {
                    let alike = match (l.kind, r.kind) {
                        (Some(a), Some(b)) => self.rules.legal(Verdict::SameFamily, alike(a, b)),
                        _ => false,
                    };
                    Column { name: l.name.clone(), kind: l.kind.filter(|_| alike), origin: l.origin, of: l.of, more: true }
                });
                Some(Rc::new(Columns { list: list.collect(), ordered: true }))
            }
            _ => None,
        }
    }
}

pub fn by_name(quantifier: SetQuantifier) -> bool {
    matches!(quantifier, SetQuantifier::ByName | SetQuantifier::AllByName | SetQuantifier::DistinctByName)
}

/// Whether values of both compare alike, as they are and as what both become where they are put together.
fn alike(a: CanonicalType, b: CanonicalType) -> bool {
    use crate::types::Family;
    match (a.family(), b.family()) {
        (Family::Other | Family::Float, _) => a == b,
        (x, y) => x == y,
    }
}

/// The columns under the names that an alias gives them.
fn renamed(columns: Option<Rc<Columns>>, alias: Option<&TableAlias>) -> Option<Rc<Columns>> {
    let given = alias.map_or(&[] as &[_], |a| a.columns.as_slice());
    if given.is_empty() {
        return columns;
    }
    let mut columns = columns?.as_ref().clone();
    if given.len() > columns.list.len() {
        return None;
    }
    for (column, new) in columns.list.iter_mut().zip(given) {
        column.name.clone_from(&new.name.value);
    }
    Some(Rc::new(columns))
}

/// The columns of a select list, and whether they stand in the order in which they count; None when a `*` stands for what
/// is not known.
pub fn outputs(select: &Select, relations: &Relations<'_>) -> Option<(Vec<Output>, bool)> {
    let mut out = Vec::new();
    let mut ordered = true;
    if select.exclude.is_some() || select.value_table_mode.is_some() {
        return None;
    }
    let mut all = |out: &mut Vec<Output>, only: Option<&str>| -> Option<()> {
        for (i, item) in relations.items.iter().enumerate() {
            if item.hidden || only.is_some_and(|q| !same(q, &item.qualifier)) {
                continue;
            }
            for (c, column) in item.columns.as_ref()?.list.iter().enumerate() {
                let merged = relations.merged.iter().find(|(n, _)| same(n, &column.name));
                let mut from = Some((i, c));
                if let (Some((_, first)), None) = (merged, only) {
                    // Which place it has differs between products.
                    ordered = false;
                    if relations.joins.iter().any(|j| j.equal.iter().any(|(_, b)| *b == (i, c))) {
                        continue;
                    }
                    from = *first;
                }
                out.push(Output { name: column.name.clone(), from });
            }
        }
        Some(())
    };
    if select.projection.is_empty() {
        all(&mut out, None)?;
    }
    for item in &select.projection {
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let name = column(expr).and_then(|c| c.last()).map(|i| i.value.clone()).unwrap_or_default();
                out.push(Output { name, from: column(expr).and_then(|c| relations.input(c, None)) });
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                out.push(Output { name: alias.value.clone(), from: column(expr).and_then(|c| relations.input(c, None)) });
            }
            SelectItem::Wildcard(options) if bare(options) => all(&mut out, None)?,
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) if bare(options) && name.0.len() == 1 => {
                let qualifier = &name.0.first()?.as_ident()?.value;
                if relations.items.iter().filter(|i| same(&i.qualifier, qualifier)).count() != 1 {
                    return None;
                }
                all(&mut out, Some(qualifier))?;
            }
            _ => return None,
        }
    }
    Some((out, ordered))
}

fn bare(o: &WildcardAdditionalOptions) -> bool {
    o.opt_ilike.is_none() && o.opt_exclude.is_none() && o.opt_except.is_none() && o.opt_replace.is_none() && o.opt_rename.is_none() && o.opt_alias.is_none()
}

/// The name that an expression is, if it is one.
pub fn column(expr: &Expr) -> Option<&[Ident]> {
    match expr {
        Expr::Nested(inner) => column(inner),
        Expr::Identifier(ident) => Some(std::slice::from_ref(ident)),
        Expr::CompoundIdentifier(parts) => Some(parts),
        _ => None,
    }
}

impl Relations<'_> {
    /// Whether a column here may be called so.
    pub fn known(&self, name: &str) -> bool {
        self.items.iter().any(|i| i.columns.as_ref().is_none_or(|c| c.list.iter().any(|c| same(&c.name, name))))
    }

    pub fn column(&self, (item, column): At) -> Option<&Column> {
        self.items[item].columns.as_ref()?.list.get(column)
    }

    /// Whether USING made one column of those that are called so.
    pub fn merges(&self, name: &str) -> bool {
        self.merged.iter().any(|(n, _)| same(n, name))
    }

    /// The one column of that name in some items; None where there is none, or another may be meant.
    fn named(&self, items: std::ops::Range<usize>, name: &str) -> Option<At> {
        let mut found = None;
        for i in items {
            let Some(columns) = &self.items[i].columns else { return None };
            for (c, _) in columns.list.iter().enumerate().filter(|(_, c)| same(&c.name, name)) {
                let again = self.joins.iter().any(|j| j.equal.iter().any(|(_, b)| *b == (i, c)));
                match found {
                    Some(_) if again => {}
                    Some(_) => return None,
                    None => found = Some((i, c)),
                }
            }
        }
        found
    }

    /// The column of a relation that a name means, whatever the select list is called. `within`: the join whose ON it stands in.
    pub fn input(&self, ident: &[Ident], within: Option<usize>) -> Option<At> {
        let seen = |i: usize| !self.items[i].hidden || within.is_some_and(|j| self.joins[j].right == i);
        match ident {
            [name] => {
                if let (Some((_, at)), None) = (self.merged.iter().find(|(n, _)| same(n, &name.value)), within) {
                    return *at;
                }
                // A relation whose columns are not known may have one of that name.
                let shown = || (0..self.items.len()).filter(|i| seen(*i));
                let known = shown().all(|i| self.items[i].columns.is_some());
                let all = shown().flat_map(|i| {
                    let list = self.items[i].columns.as_ref().map_or(&[] as &[Column], |c| c.list.as_slice());
                    list.iter().enumerate().filter(|(_, c)| same(&c.name, &name.value)).map(move |(c, _)| (i, c))
                });
                let found: Vec<At> = all.collect();
                found.first().copied().filter(|_| self.rules.legal(Verdict::BareName, known && found.len() == 1))
            }
            [qualifier, name] => {
                let mut items = (0..self.items.len()).filter(|i| seen(*i) && same(&self.items[*i].qualifier, &qualifier.value));
                let item = items.next().filter(|_| items.next().is_none())?;
                let columns = self.items[item].columns.as_ref()?;
                let mut found = columns.list.iter().enumerate().filter(|(_, c)| same(&c.name, &name.value));
                let (c, _) = found.next()?;
                found.next().is_none().then_some((item, c))
            }
            _ => None,
        }
    }

    /// As `input`, where the alias of a select list may be meant too: then both must be the same column.
    pub fn resolve(&self, ident: &[Ident], within: Option<usize>) -> Option<At> {
        let input = self.input(ident, within);
        let [name] = ident else { return input };
        let mut aliases = self.aliases.iter().filter(|(n, _)| same(n, &name.value)).peekable();
        if aliases.peek().is_none() {
            return input;
        }
        let known = self.items.iter().all(|i| i.columns.is_some());
        let nowhere = known && !self.items.iter().filter_map(|i| i.columns.as_ref()).any(|c| c.list.iter().any(|c| same(&c.name, &name.value)));
        let agreed = aliases.all(|(_, at)| at.is_some() && (*at == input || nowhere));
        let meant = if nowhere { self.aliases.iter().find(|(n, _)| same(n, &name.value)).and_then(|(_, at)| *at) } else { input };
        if self.rules.legal(Verdict::AliasName, agreed) { meant } else { None }
    }
}

/// Whether a query reads a relation by that bare name.
pub fn reads(query: &Query, name: &str) -> bool {
    struct Find<'a>(&'a str, bool);
    impl Watch for Find<'_> {
        fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
            if let TableFactor::Table { name, .. } = factor {
                self.1 |= name.0.len() == 1 && name.0[0].as_ident().is_some_and(|i| same(&i.value, self.0));
            }
            ControlFlow::Continue(())
        }
    }
    let mut find = Find(name, false);
    visit(query, &mut find);
    find.1
}
