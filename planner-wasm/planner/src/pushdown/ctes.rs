//! Filters into a CTE that several read.
//!
//! Legality: a CTE's row may be left out only if every place that reads it lets the row go: one reader's conditions, or
//! the OR of all readers'. Every place of the whole text where a relation of that name stands counts as a reader; one that
//! the walk did not come by (in a clause or a join that is not known) needs everything. Nothing goes into a CTE that is to
//! be kept as it is (MATERIALIZED), nor, since its columns are not told, into one that reads itself.

use super::predicate::{Need, Predicate};
use super::verdict::{Rules, Verdict};
use crate::bind::Binder;
use crate::walk::{Watch, visit};
use sqlparser::ast::{Cte, CteAsMaterialized, Query, SetExpr, TableFactor};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Who reads which CTE, and what each needs of it.
pub struct Readers {
    /// Bare relation names of the text, in small letters, and where they stand.
    places: Vec<(String, usize)>,
    /// Per CTE: its name, and the needs by place.
    ctes: Vec<(String, BTreeMap<usize, Vec<Need>>)>,
}

impl Readers {
    pub fn new(query: &Query, binder: &Binder<'_>) -> Self {
        struct Find<'a, 'b>(&'a Binder<'b>, Vec<(String, usize)>);
        impl Watch for Find<'_, '_> {
            fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
                if let TableFactor::Table { name, .. } = factor
                    && let ([_], Some(ident)) = (name.0.as_slice(), name.0.first().and_then(|p| p.as_ident()))
                {
                    let at = self.0.at(ident);
                    if self.0.tables.iter().all(|t| t.at.start != at) {
                        self.1.push((ident.value.to_lowercase(), at));
                    }
                }
                ControlFlow::Continue(())
            }
            fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
                self.arms(&query.body);
                ControlFlow::Continue(())
            }
        }
        impl Find<'_, '_> {
            /// `TABLE cte` has no place of its own.
            fn arms(&mut self, body: &SetExpr) {
                match body {
                    SetExpr::SetOperation { left, right, .. } => {
                        self.arms(left);
                        self.arms(right);
                    }
                    SetExpr::Table(table) => self.1.extend(table.table_name.iter().map(|n| (n.to_lowercase(), usize::MAX))),
                    _ => {}
                }
            }
        }
        let mut find = Find(binder, Vec::new());
        visit(query, &mut find);
        Self { places: find.1, ctes: Vec::new() }
    }

    /// How many places of the text read a CTE of that name.
    pub fn count(&self, name: &str) -> usize {
        self.places.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).count()
    }

    pub fn enter(&mut self, name: &str) -> usize {
        self.ctes.push((name.to_lowercase(), BTreeMap::new()));
        self.ctes.len() - 1
    }

    pub fn register(&mut self, number: usize, at: usize, needs: Vec<Need>) {
        if let Some((_, known)) = self.ctes.get_mut(number) {
            known.insert(at, needs);
        }
    }

    /// What all readers of a CTE need of it.
    pub fn needs(&mut self, number: usize, cte: &Cte, rules: &Rules) -> Vec<Need> {
        let kept = cte.materialized == Some(CteAsMaterialized::Materialized);
        if !rules.legal(Verdict::NotMaterialized, !kept) {
            return Vec::new();
        }
        let (name, known) = std::mem::take(&mut self.ctes[number]);
        let all = self.places.iter().filter(|(n, _)| *n == name).all(|(_, at)| known.contains_key(at));
        let places = self.count(&name);
        let mut needs: Vec<Vec<Need>> = known.into_values().collect();
        if !rules.legal(Verdict::EveryReader, all && needs.iter().all(|n| !n.is_empty())) {
            return Vec::new();
        }
        needs.retain(|n| !n.is_empty());
        match needs.len() {
            0 => Vec::new(),
            1 => {
                let mut needs = needs.pop().unwrap_or_default();
                if places != 1 {
                    needs.iter_mut().for_each(|n| n.own = None);
                }
                needs
            }
            _ => {
                // Keys are told to one reader's CTE alone: no condition says "or one of those".
                needs.iter_mut().for_each(|n| n.retain(|n| !n.predicate.of_keys()));
                if needs.iter().any(Vec::is_empty) {
                    return Vec::new();
                }
                let sql = needs.iter().map(|n| n.iter().map(|n| n.sql.as_str()).collect::<Vec<_>>().join(" and ")).collect::<Vec<_>>();
                let parts = needs.into_iter().map(|n| Predicate::And(n.into_iter().map(|n| n.predicate).collect()));
                vec![Need { predicate: Predicate::Or(parts.collect()), sql: format!("one of: {}", sql.join("; ")), derived: false, weaker: true, own: None }]
            }
        }
    }
}
