//! Which node runs when: dependencies first, at most so many at once, nothing below a failure.
//!
//! Knows ids and edges only. A node becomes ready when all above it are done; among ready nodes the one that
//! comes first in the graph's order starts first, so one thread gives the same order every time.

use dvt_federation::Cancellation;
use dvt_project::{Graph, Manifest, ResourceType, UniqueId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, PoisonError};

/// What a node's end means for those below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Well,
    /// What is below is skipped.
    Badly,
}

/// The nodes to run and what each waits for.
#[derive(Debug, Clone, Default)]
pub struct Schedule {
    /// In the order of the graph.
    pub order: Vec<UniqueId>,
    waits: BTreeMap<UniqueId, BTreeSet<UniqueId>>,
}

impl Schedule {
    /// Edges between `chosen` nodes, also through nodes that are not chosen. With `tests_first` (build) a node
    /// also waits for the tests of what it reads.
    pub fn new(manifest: &Manifest, graph: &Graph, chosen: &BTreeSet<UniqueId>, tests_first: bool) -> Self {
        let mut above: BTreeMap<&UniqueId, BTreeSet<UniqueId>> = BTreeMap::new();
        let mut order = Vec::new();
        for id in graph.order() {
            let mut set = BTreeSet::new();
            for parent in graph.parents(id) {
                if chosen.contains(parent) {
                    set.insert(parent.clone());
                } else if let Some(further) = above.get(parent) {
                    set.extend(further.iter().cloned());
                }
            }
            above.insert(id, set);
            if chosen.contains(id) {
                order.push(id.clone());
            }
        }
        let mut waits: BTreeMap<UniqueId, BTreeSet<UniqueId>> =
            order.iter().map(|id| (id.clone(), above.get(id).cloned().unwrap_or_default())).collect();
        if tests_first {
            let is_test = |id: &UniqueId| manifest.nodes.get(id).is_some_and(|n| n.resource_type == ResourceType::Test);
            for test in order.iter().filter(|id| is_test(id)) {
                let parents = waits.get(test).cloned().unwrap_or_default();
                let below: BTreeSet<&UniqueId> = parents.iter().flat_map(|p| graph.descendants(p, None)).filter_map(|d| order.iter().find(|o| **o == d)).collect();
                for node in below.into_iter().filter(|id| !is_test(id) && !parents.contains(*id)) {
                    // Only what comes after everything the test reads can wait for it.
                    let ancestors = graph.ancestors(node, None);
                    if parents.iter().all(|p| ancestors.contains(p)) {
                        waits.entry(node.clone()).or_default().insert(test.clone());
                    }
                }
            }
        }
        Self { order, waits }
    }

    /// Runs `work` for every node on `threads` threads. `work` gets the id, its number from 1 and its thread's.
    /// `skip` is told of each node below a failure, with that failure.
    pub fn run(
        &self,
        threads: usize,
        fail_fast: bool,
        cancel: &Cancellation,
        work: &(dyn Fn(&UniqueId, usize, usize) -> Ended + Sync),
        skip: &(dyn Fn(&UniqueId, usize, Option<&UniqueId>) + Sync),
    ) {
        let state = Mutex::new(State {
            waiting: self.waits.clone(),
            ready: self.order.iter().enumerate().filter(|(_, id)| self.waits.get(*id).is_none_or(BTreeSet::is_empty)).map(|(i, _)| i).collect(),
            open: self.order.len(),
            started: 0,
            stop: false,
        });
        let changed = Condvar::new();
        std::thread::scope(|scope| {
            for thread in 1..=threads.max(1) {
                let (state, changed) = (&state, &changed);
                scope.spawn(move || {
                    loop {
                        let mut held = state.lock().unwrap_or_else(PoisonError::into_inner);
                        let next = loop {
                            if held.open == 0 {
                                changed.notify_all();
                                return;
                            }
                            if let Some(next) = held.ready.pop_first() {
                                break next;
                            }
                            held = changed.wait(held).unwrap_or_else(PoisonError::into_inner);
                        };
                        let id = &self.order[next];
                        held.started += 1;
                        let number = held.started;
                        if held.stop || cancel.is_cancelled() {
                            self.finish(&mut held, next);
                            drop(held);
                            skip(id, number, None);
                            changed.notify_all();
                            continue;
                        }
                        drop(held);
                        let ended = work(id, number, thread);
                        let mut held = state.lock().unwrap_or_else(PoisonError::into_inner);
                        let mut skipped = Vec::new();
                        if ended == Ended::Badly {
                            held.stop |= fail_fast;
                            skipped = self.below(&held, next);
                            for at in &skipped {
                                held.waiting.remove(&self.order[*at]);
                                held.open -= 1;
                            }
                        }
                        self.finish(&mut held, next);
                        let mut number = held.started;
                        held.started += skipped.len();
                        drop(held);
                        for at in skipped {
                            number += 1;
                            skip(&self.order[at], number, Some(id));
                        }
                        changed.notify_all();
                    }
                });
            }
        });
    }

    /// Everything that waits for `at`, also indirectly, in order.
    fn below(&self, state: &State, at: usize) -> Vec<usize> {
        let mut lost: BTreeSet<&UniqueId> = BTreeSet::from([&self.order[at]]);
        let mut out = Vec::new();
        // Tests wait for what they test and may be waited for by nodes earlier in the order: repeat until stable.
        loop {
            let before = out.len();
            for (i, id) in self.order.iter().enumerate() {
                if !lost.contains(id) && state.waiting.get(id).is_some_and(|w| w.iter().any(|p| lost.contains(p))) {
                    lost.insert(id);
                    out.push(i);
                }
            }
            if out.len() == before {
                out.sort_unstable();
                return out;
            }
        }
    }

    fn finish(&self, state: &mut State, at: usize) {
        state.open -= 1;
        let id = &self.order[at];
        state.waiting.remove(id);
        for (i, other) in self.order.iter().enumerate() {
            if let Some(waits) = state.waiting.get_mut(other)
                && waits.remove(id)
                && waits.is_empty()
            {
                state.ready.insert(i);
            }
        }
    }
}

struct State {
    waiting: BTreeMap<UniqueId, BTreeSet<UniqueId>>,
    ready: BTreeSet<usize>,
    open: usize,
    started: usize,
    stop: bool,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Ended, Schedule};
    use dvt_federation::Cancellation;
    use dvt_project::UniqueId;
    use std::sync::Mutex;

    fn schedule(edges: &[(&str, &[&str])]) -> Schedule {
        Schedule {
            order: edges.iter().map(|(id, _)| UniqueId::from(*id)).collect(),
            waits: edges.iter().map(|(id, w)| (UniqueId::from(*id), w.iter().map(|p| UniqueId::from(*p)).collect())).collect(),
        }
    }

    fn run(schedule: &Schedule, threads: usize, fail_fast: bool, bad: &str) -> (Vec<String>, Vec<String>) {
        let (ran, skipped) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        schedule.run(
            threads,
            fail_fast,
            &Cancellation::default(),
            &|id, _, _| {
                ran.lock().unwrap().push(id.to_string());
                if id.as_str() == bad { Ended::Badly } else { Ended::Well }
            },
            &|id, _, _| skipped.lock().unwrap().push(id.to_string()),
        );
        (ran.into_inner().unwrap(), skipped.into_inner().unwrap())
    }

    #[test]
    fn a_failure_skips_what_is_below_it_and_nothing_else() {
        let s = schedule(&[("a", &[]), ("b", &["a"]), ("c", &["b"]), ("d", &[])]);
        let (ran, skipped) = run(&s, 3, false, "a");
        assert_eq!(ran.len(), 2);
        assert_eq!(skipped, ["b", "c"]);
    }

    #[test]
    fn fail_fast_starts_nothing_more() {
        let s = schedule(&[("a", &[]), ("b", &[]), ("c", &["b"])]);
        let (ran, skipped) = run(&s, 1, true, "a");
        assert_eq!(ran, ["a"]);
        assert_eq!(skipped, ["b", "c"]);
    }

    #[test]
    fn one_thread_follows_the_order_of_the_graph() {
        let s = schedule(&[("a", &[]), ("b", &[]), ("c", &["a"]), ("d", &["b"])]);
        assert_eq!(run(&s, 1, false, "").0, ["a", "b", "c", "d"]);
    }
}
