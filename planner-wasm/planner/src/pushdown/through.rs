//! Filters through a select list: groups, DISTINCT, windows.
//!
//! Legality, for a filter that is asked after them (HAVING, QUALIFY, or from outside), over columns passed on unchanged:
//! 1. GROUP BY: all its columns are plain grouping keys. Then a row that fails is in a group that fails. With ROLLUP,
//!    CUBE or GROUPING SETS nothing passes: a key is NULL there in rows that stand for all.
//! 2. DISTINCT: every output column passes; DISTINCT ON: only its keys.
//! 3. Windows: all its columns are keys of PARTITION BY of every window, so that whole partitions fail. A named window
//!    that is not found lets nothing pass.
//! 4. TOP: nothing, as with LIMIT. Something volatile in the list (`random()`): nothing from outside, since the rows that
//!    are left would get other values.
//!
//! Aggregates without GROUP BY have no columns that are passed on.

use super::verdict::{Rule, Rules, Verdict};
use crate::bind::{At, Relations, column};
use crate::walk::{Watch, visit};
use sqlparser::ast::{Distinct, Expr, GroupByExpr, NamedWindowExpr, Select, SelectItem, Value, WindowSpec, WindowType};
use std::ops::ControlFlow;

/// Functions that give another value each time.
const VOLATILE: [&str; 12] =
    ["random", "rand", "nextval", "uuid", "gen_random_uuid", "uuid_generate_v4", "newid", "generate_uuid", "uuid_string", "clock_timestamp", "setseed", "currval"];

/// What lets a filter of a SELECT's output pass.
pub struct Gates<'a> {
    rules: &'a Rules,
    /// Grouping keys; None: not grouped.
    groups: Option<Vec<At>>,
    plain: bool,
    /// Keys of DISTINCT ON.
    distinct: Option<Vec<At>>,
    /// Keys of each window.
    windows: Vec<Vec<At>>,
    volatile: bool,
    top: bool,
}

struct Calls<'s> {
    select: &'s Select,
    /// PARTITION BY of each window; None where it is not found.
    windows: Vec<Option<Vec<Expr>>>,
    volatile: bool,
}

impl<'s> Calls<'s> {
    fn of(select: &'s Select) -> Self {
        Self { select, windows: Vec::new(), volatile: false }
    }
}

/// Whether anything in a SELECT gives another value each time.
pub fn volatile(select: &Select) -> bool {
    let mut calls = Calls::of(select);
    visit(select, &mut calls);
    calls.volatile
}

impl Watch for Calls<'_> {
    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::Function(f) = expr {
            self.volatile |= VOLATILE.contains(&f.name.to_string().to_lowercase().as_str());
            match &f.over {
                None => {}
                Some(WindowType::WindowSpec(spec)) => self.windows.push(partition(self.select, spec, 0)),
                Some(WindowType::NamedWindow(name)) => self.windows.push(named(self.select, &name.value, 0)),
            }
        }
        ControlFlow::Continue(())
    }
}

fn partition(select: &Select, spec: &WindowSpec, depth: usize) -> Option<Vec<Expr>> {
    match &spec.window_name {
        None => Some(spec.partition_by.clone()),
        Some(name) => named(select, &name.value, depth + 1),
    }
}

fn named(select: &Select, name: &str, depth: usize) -> Option<Vec<Expr>> {
    let found = select.named_window.iter().find(|w| w.0.value.eq_ignore_ascii_case(name)).filter(|_| depth < 8)?;
    match &found.1 {
        NamedWindowExpr::NamedWindow(other) => named(select, &other.value, depth + 1),
        NamedWindowExpr::WindowSpec(spec) => partition(select, spec, depth),
    }
}

impl<'a> Gates<'a> {
    pub fn new(select: &Select, relations: &Relations<'_>, rules: &'a Rules) -> Self {
        let at = |e: &Expr| column(e).and_then(|c| relations.resolve(c, None));
        let item = |i: &SelectItem| match i {
            SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. } => column(e).and_then(|c| relations.input(c, None)),
            _ => None,
        };
        let key = |e: &Expr| match e {
            Expr::Value(v) => match &v.value {
                Value::Number(n, _) => n.parse::<usize>().ok().and_then(|n| select.projection.get(n.checked_sub(1)?)).and_then(item),
                _ => None,
            },
            other => at(other),
        };
        let mut plain = true;
        let groups = match &select.group_by {
            GroupByExpr::Expressions(list, more) if list.is_empty() && more.is_empty() => select.having.is_some().then(Vec::new),
            GroupByExpr::Expressions(list, more) => {
                plain = more.is_empty();
                let mut keys = Vec::new();
                for e in list {
                    let (Expr::Rollup(sets) | Expr::Cube(sets) | Expr::GroupingSets(sets)) = e else {
                        keys.extend(key(e));
                        continue;
                    };
                    plain = false;
                    keys.extend(sets.iter().flatten().filter_map(key));
                }
                Some(keys)
            }
            // Every column of the list that is no aggregate: a column that is passed on is none.
            GroupByExpr::All(more) => {
                plain = more.is_empty();
                Some(select.projection.iter().filter_map(item).collect())
            }
        };
        let distinct = match &select.distinct {
            Some(Distinct::On(keys)) => Some(keys.iter().filter_map(key).collect()),
            _ => None,
        };
        let mut calls = Calls::of(select);
        select.projection.iter().for_each(|i| visit(i, &mut calls));
        select.qualify.iter().for_each(|e| visit(e, &mut calls));
        let windows = calls.windows.iter().map(|w| w.iter().flatten().filter_map(at).collect()).collect();
        Self { rules, groups, plain, distinct, windows, volatile: calls.volatile, top: select.top.is_some() }
    }

    /// Whether a filter on these columns may be asked before. `windows`: it is asked after windows; `outside`: after all.
    pub fn pass(&self, columns: &[At], windows: bool, outside: bool) -> Result<(), &'static str> {
        let within = |keys: &[At]| columns.iter().all(|c| keys.contains(c));
        if let Some(keys) = &self.groups {
            if !self.rules.legal(Verdict::PlainKeys, self.plain) {
                return Err("its groups have rows that stand for several values of a key");
            }
            if !self.rules.on(Rule::Grouping) || !self.rules.legal(Verdict::GroupKey, within(keys)) {
                return Err("it is asked of groups, and reads more than their keys");
            }
        }
        let partitions = self.windows.iter().all(|keys| within(keys)) && (self.windows.is_empty() || self.rules.on(Rule::Windows));
        if windows && !self.rules.legal(Verdict::PartitionKey, partitions) {
            return Err("a window beside it reads the rows that fail it");
        }
        if outside && !self.rules.legal(Verdict::DistinctKey, !self.top && self.distinct.as_ref().is_none_or(|keys| within(keys))) {
            return Err("other rows would stand for those that fail it");
        }
        if outside && !self.rules.legal(Verdict::Stable, !self.volatile) {
            return Err("beside it stands a function that gives other values each time");
        }
        Ok(())
    }
}
