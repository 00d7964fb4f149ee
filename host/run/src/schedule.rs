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

/// The nodes to run and what each waits for. Places in `order` stand for nodes.
#[derive(Debug, Clone, Default)]
pub struct Schedule {
    /// In the order of the graph.
    pub order: Vec<UniqueId>,
    /// How many nodes each waits for.
    waits: Vec<usize>,
    /// Who waits for each.
    waited: Vec<Vec<usize>>,
}

impl Schedule {
    /// Edges between `chosen` nodes, also through nodes that are not chosen. With `tests_first` (build) a node
    /// also waits for the tests of what it reads.
    pub fn new(manifest: &Manifest, graph: &Graph, chosen: &BTreeSet<UniqueId>, tests_first: bool) -> Self {
        // A unit test comes just before its model and waits for what that reads.
        let mut units: BTreeMap<&UniqueId, Vec<&UniqueId>> = BTreeMap::new();
        for (id, test) in manifest.unit_tests.iter().filter(|(id, _)| chosen.contains(*id)) {
            if let Some(model) = test.depends_on.nodes.first() {
                units.entry(model).or_default().push(id);
            }
        }
        let mut order: Vec<UniqueId> = Vec::new();
        for id in graph.order().filter(|id| !manifest.unit_tests.contains_key(*id)) {
            order.extend(units.get(id).into_iter().flatten().map(|id| (*id).clone()));
            order.extend(chosen.contains(id).then(|| id.clone()));
        }
        let places: BTreeMap<&UniqueId, usize> = order.iter().enumerate().map(|(i, id)| (id, i)).collect();
        // The chosen nodes that a node reads, through nodes that are not chosen.
        let mut above: BTreeMap<&UniqueId, BTreeSet<usize>> = BTreeMap::new();
        for id in graph.order() {
            let mut set = BTreeSet::new();
            for parent in graph.parents(id) {
                match places.get(parent) {
                    Some(place) => {
                        set.insert(*place);
                    }
                    None => set.extend(above.get(parent).into_iter().flatten().copied()),
                }
            }
            above.insert(id, set);
        }
        let mut waits: Vec<BTreeSet<usize>> = order.iter().map(|id| above.get(id).cloned().unwrap_or_default()).collect();
        for (model, tests) in &units {
            for place in tests.iter().filter_map(|t| places.get(*t)) {
                waits[*place] = above.get(*model).cloned().unwrap_or_default();
                if let Some(model) = places.get(*model) {
                    waits[*model].insert(*place);
                }
            }
        }
        if tests_first {
            let is_test = |place: usize| manifest.nodes.get(&order[place]).is_some_and(|n| n.resource_type == ResourceType::Test);
            let mut children: Vec<Vec<usize>> = vec![Vec::new(); order.len()];
            for (place, parents) in waits.iter().enumerate().filter(|(place, _)| !is_test(*place)) {
                for parent in parents {
                    children[*parent].push(place);
                }
            }
            let below = |place: usize| -> BTreeSet<usize> {
                let all = graph.descendants(&order[place], None);
                // A unit test runs before its model: it is below only where its model is.
                let after = |id: &UniqueId| {
                    let tested = manifest.unit_tests.get(id).and_then(|t| t.depends_on.nodes.first());
                    tested.is_none_or(|model| *model != order[place] && all.contains(model))
                };
                all.iter().filter(|id| after(id)).filter_map(|id| places.get(id)).copied().filter(|p| !is_test(*p)).collect()
            };
            for test in (0..order.len()).filter(|place| is_test(*place)) {
                let parents: Vec<usize> = waits[test].iter().copied().collect();
                // Only what comes after everything the test reads can wait for it.
                let after: BTreeSet<usize> = match parents.as_slice() {
                    [] => BTreeSet::new(),
                    [one] => children[*one].iter().copied().collect(),
                    [first, rest @ ..] => rest.iter().fold(below(*first), |left, p| left.intersection(&below(*p)).copied().collect()),
                };
                for place in after {
                    waits[place].insert(test);
                }
            }
        }
        Self::of(order, &waits)
    }

    fn of(order: Vec<UniqueId>, waits: &[BTreeSet<usize>]) -> Self {
        let mut waited = vec![Vec::new(); order.len()];
        for (place, parents) in waits.iter().enumerate() {
            for parent in parents {
                waited[*parent].push(place);
            }
        }
        Self { order, waits: waits.iter().map(BTreeSet::len).collect(), waited }
    }

    /// Runs `work` for every node on `threads` threads. `work` gets the id, its number from 1 and its thread's.
    /// `skip` is told of each node below a failure, with that failure; `ready` of each for which nothing above is left.
    pub fn run(
        &self,
        threads: usize,
        fail_fast: bool,
        cancel: &Cancellation,
        work: &(dyn Fn(&UniqueId, usize, usize) -> Ended + Sync),
        skip: &(dyn Fn(&UniqueId, usize, Option<&UniqueId>) + Sync),
        ready: &(dyn Fn(&UniqueId) + Sync),
    ) {
        let first: BTreeSet<usize> = (0..self.order.len()).filter(|place| self.waits[*place] == 0).collect();
        first.iter().for_each(|place| ready(&self.order[*place]));
        let state = Mutex::new(State {
            left: self.waits.clone(),
            ready: first,
            over: vec![false; self.order.len()],
            open: self.order.len(),
            started: 0,
            stop: false,
        });
        let changed = Condvar::new();
        std::thread::scope(|scope| {
            for thread in 1..=threads.max(1) {
                let (state, changed) = (&state, &changed);
                scope.spawn(move || {
                    while let Some((place, number, stopped)) = next(state, changed) {
                        let id = &self.order[place];
                        let ended = if stopped || cancel.is_cancelled() {
                            skip(id, number, None);
                            Ended::Well
                        } else {
                            work(id, number, thread)
                        };
                        let mut held = state.lock().unwrap_or_else(PoisonError::into_inner);
                        let lost = if ended == Ended::Badly { self.below(&held, place) } else { Vec::new() };
                        held.stop |= fail_fast && ended == Ended::Badly;
                        self.finish(&mut held, place, &lost, ready);
                        let first = held.started;
                        held.started += lost.len();
                        drop(held);
                        for (i, place) in lost.into_iter().enumerate() {
                            skip(&self.order[place], first + i + 1, Some(id));
                        }
                        changed.notify_all();
                    }
                    changed.notify_all();
                });
            }
        });
    }

    /// Everything that waits for `place` and is not over, also indirectly, in order.
    fn below(&self, state: &State, place: usize) -> Vec<usize> {
        let mut lost = BTreeSet::new();
        let mut open = vec![place];
        while let Some(place) = open.pop() {
            for child in self.waited[place].iter().copied().filter(|c| !state.over[*c]) {
                if lost.insert(child) {
                    open.push(child);
                }
            }
        }
        lost.into_iter().collect()
    }

    /// `place` and those lost with it are over; who waited only for `place` is ready.
    fn finish(&self, state: &mut State, place: usize, lost: &[usize], ready: &dyn Fn(&UniqueId)) {
        for gone in lost.iter().copied().chain([place]) {
            state.over[gone] = true;
            state.open -= 1;
        }
        for child in self.waited[place].iter().copied().filter(|c| lost.binary_search(c).is_err()) {
            state.left[child] -= 1;
            if state.left[child] == 0 && !state.over[child] {
                ready(&self.order[child]);
                state.ready.insert(child);
            }
        }
    }
}

/// The next ready node, its number and whether nothing more may start; None when all are over.
fn next(state: &Mutex<State>, changed: &Condvar) -> Option<(usize, usize, bool)> {
    let mut held = state.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if held.open == 0 {
            return None;
        }
        if let Some(place) = held.ready.pop_first() {
            held.started += 1;
            return Some((place, held.started, held.stop));
        }
        held = changed.wait(held).unwrap_or_else(PoisonError::into_inner);
    }
}

struct State {
    /// How many nodes each still waits for.
    left: Vec<usize>,
    ready: BTreeSet<usize>,
    over: Vec<bool>,
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
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    fn schedule(edges: &[(&str, &[&str])]) -> Schedule {
        let place = |name: &str| edges.iter().position(|(id, _)| *id == name).unwrap();
        let waits: Vec<BTreeSet<usize>> = edges.iter().map(|(_, w)| w.iter().map(|p| place(p)).collect()).collect();
        Schedule::of(edges.iter().map(|(id, _)| UniqueId::from(*id)).collect(), &waits)
    }

    fn run(schedule: &Schedule, threads: usize, fail_fast: bool, bad: &str) -> (Vec<String>, Vec<String>) {
        let (ran, skipped, ready) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        schedule.run(
            threads,
            fail_fast,
            &Cancellation::default(),
            &|id, _, _| {
                ran.lock().unwrap().push(id.to_string());
                if id.as_str() == bad { Ended::Badly } else { Ended::Well }
            },
            &|id, _, _| skipped.lock().unwrap().push(id.to_string()),
            &|id| ready.lock().unwrap().push(id.to_string()),
        );
        let (ready, all) = (ready.into_inner().unwrap(), ran.lock().unwrap().clone());
        assert!(all.iter().all(|id| ready.contains(id)), "{all:?} ran, {ready:?} were ready");
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
