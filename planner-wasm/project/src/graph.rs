//! The graph of everything that depends on something: order, neighbours, cycles.
//!
//! Not here: selection, and what an edge means for a run.

use crate::names::UniqueId;
use crate::node::Manifest;
use dvt_diagnostic::{Code, Diagnostic};
use std::collections::{BTreeMap, BTreeSet};

/// Immutable after [`Graph::new`]; has no cycle.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    ids: Vec<UniqueId>,
    index: BTreeMap<UniqueId, usize>,
    parents: Vec<Vec<usize>>,
    children: Vec<Vec<usize>>,
    order: Vec<usize>,
}

impl Graph {
    /// # Errors
    /// `DVT2010` naming the nodes of the circle in order.
    pub fn new(manifest: &Manifest) -> Result<Self, Diagnostic> {
        let mut ids: Vec<UniqueId> =
            manifest.nodes.keys().chain(manifest.sources.keys()).chain(manifest.exposures.keys()).chain(manifest.functions.keys()).cloned().collect();
        ids.extend(manifest.unit_tests.keys().chain(manifest.metrics.keys()).chain(manifest.semantic_models.keys()).chain(manifest.saved_queries.keys()).cloned());
        let index: BTreeMap<UniqueId, usize> = ids.iter().cloned().enumerate().map(|(i, id)| (id, i)).collect();
        let mut graph = Self { parents: vec![Vec::new(); ids.len()], children: vec![Vec::new(); ids.len()], ids, index, order: Vec::new() };
        for (i, id) in graph.ids.iter().enumerate() {
            let mut seen = BTreeSet::new();
            for parent in above(manifest, id).iter().filter_map(|p| graph.index.get(p).copied()) {
                if seen.insert(parent) {
                    graph.parents[i].push(parent);
                    graph.children[parent].push(i);
                }
            }
        }
        graph.sort(manifest)?;
        Ok(graph)
    }

    /// Kahn's algorithm; among ready nodes the one with the smallest id comes first.
    fn sort(&mut self, manifest: &Manifest) -> Result<(), Diagnostic> {
        let mut waiting: Vec<usize> = self.parents.iter().map(Vec::len).collect();
        let mut ready: BTreeSet<(&UniqueId, usize)> =
            waiting.iter().enumerate().filter(|(_, n)| **n == 0).map(|(i, _)| (&self.ids[i], i)).collect();
        let mut order = Vec::with_capacity(self.ids.len());
        while let Some((_, i)) = ready.pop_first() {
            order.push(i);
            for &child in &self.children[i] {
                waiting[child] -= 1;
                if waiting[child] == 0 {
                    ready.insert((&self.ids[child], child));
                }
            }
        }
        if order.len() == self.ids.len() {
            self.order = order;
            return Ok(());
        }
        Err(self.cycle(manifest, &waiting))
    }

    fn cycle(&self, manifest: &Manifest, waiting: &[usize]) -> Diagnostic {
        // Every node that still waits has a parent that waits: walking up must come round.
        let mut path: Vec<usize> = Vec::new();
        let mut at = waiting.iter().position(|n| *n > 0).unwrap_or(0);
        while !path.contains(&at) {
            path.push(at);
            at = self.parents[at].iter().copied().find(|p| waiting[*p] > 0).unwrap_or(at);
        }
        let start = path.iter().position(|p| *p == at).unwrap_or(0);
        let mut circle: Vec<usize> = path[start..].to_vec();
        circle.reverse();
        let first = circle.iter().enumerate().min_by_key(|(_, i)| &self.ids[**i]).map_or(0, |(n, _)| n);
        circle.rotate_left(first);
        circle.push(circle[0]);
        let names: Vec<&str> = circle.iter().map(|i| self.ids[*i].as_str()).collect();
        let error = Diagnostic::error(Code::Cycle, format!("the nodes depend on each other in a circle: {}", names.join(" -> ")))
            .about(names[0]).hint("take one of these refs out; a model reads its own earlier rows with {{ this }}");
        match manifest.nodes.get(&self.ids[circle[0]]) {
            Some(node) => error.at(node.span.clone()),
            None => error,
        }
    }

    /// Every id, parents before children; ties by id.
    pub fn order(&self) -> impl Iterator<Item = &UniqueId> {
        self.order.iter().map(|i| &self.ids[*i])
    }

    pub fn parents(&self, id: &UniqueId) -> Vec<&UniqueId> {
        self.neighbours(id, &self.parents)
    }

    pub fn children(&self, id: &UniqueId) -> Vec<&UniqueId> {
        self.neighbours(id, &self.children)
    }

    fn neighbours(&self, id: &UniqueId, edges: &[Vec<usize>]) -> Vec<&UniqueId> {
        self.index.get(id).map(|i| edges[*i].iter().map(|p| &self.ids[*p]).collect()).unwrap_or_default()
    }

    /// Everything above `id`, at most `depth` steps away (None: all); `id` itself is not in it.
    pub fn ancestors(&self, id: &UniqueId, depth: Option<usize>) -> BTreeSet<UniqueId> {
        self.reach([id], depth, &self.parents)
    }

    /// Everything below `id`, as [`Graph::ancestors`].
    pub fn descendants(&self, id: &UniqueId, depth: Option<usize>) -> BTreeSet<UniqueId> {
        self.reach([id], depth, &self.children)
    }

    pub(crate) fn ancestors_of_all<'a>(&self, ids: impl IntoIterator<Item = &'a UniqueId>, depth: Option<usize>) -> BTreeSet<UniqueId> {
        self.reach(ids, depth, &self.parents)
    }

    pub(crate) fn descendants_of_all<'a>(&self, ids: impl IntoIterator<Item = &'a UniqueId>, depth: Option<usize>) -> BTreeSet<UniqueId> {
        self.reach(ids, depth, &self.children)
    }

    fn reach<'a>(&self, ids: impl IntoIterator<Item = &'a UniqueId>, depth: Option<usize>, edges: &[Vec<usize>]) -> BTreeSet<UniqueId> {
        let mut frontier: Vec<usize> = ids.into_iter().filter_map(|id| self.index.get(id).copied()).collect();
        let mut seen = vec![false; self.ids.len()];
        let mut found = BTreeSet::new();
        let mut left = depth.unwrap_or(usize::MAX);
        while left > 0 && !frontier.is_empty() {
            let mut next = Vec::new();
            for i in frontier {
                for &n in &edges[i] {
                    if !std::mem::replace(&mut seen[n], true) {
                        found.insert(self.ids[n].clone());
                        next.push(n);
                    }
                }
            }
            frontier = next;
            left -= 1;
        }
        found
    }
}

/// What a resource depends on, whatever its kind.
fn above<'a>(m: &'a Manifest, id: &UniqueId) -> &'a [UniqueId] {
    if let Some(node) = m.nodes.get(id).or_else(|| m.functions.get(id)) {
        return &node.depends_on.nodes;
    }
    if let Some(exposure) = m.exposures.get(id) {
        return &exposure.depends_on;
    }
    if let Some(test) = m.unit_tests.get(id) {
        return &test.depends_on.nodes;
    }
    let described = m.metrics.get(id).or_else(|| m.semantic_models.get(id)).or_else(|| m.saved_queries.get(id));
    described.map(|d| d.depends_on.nodes.as_slice()).unwrap_or_default()
}
