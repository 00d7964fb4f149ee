//! Reads that several nodes of one run ask alike: the first that reads keeps its rows, the others take them from it.
//!
//! Legality:
//! 1. A node takes rows only of a read that began when all that the node waits for was done: it might have read at that very
//!    moment itself, so that its answer is one of a run without sharing. Another run that builds the same relation is waited for
//!    too.
//! 2. Never of a relation on the node's own target, and never by a node with hooks before it: its own statements may write
//!    what it reads.
//! 3. The source and what is read from it, under which conditions, are the same, and the kept read waited
//!    for no keys. Each column that the taker needs is among the kept ones, of the same type.
//! 4. The read came to its end. One that failed or grew too large is nobody's but its own.
//!
//! So a run moves less, but for what a keeper's compute would have left unread (of an inner join whose other side is empty); a
//! query with a LIMIT never keeps. A read is kept only while another node of the run that could take it is ready or runs, and no
//! more than [`KEPT`] bytes of one read, [`ALL`] of all. The keeper holds its rows back until it has all of them, so that who
//! waits for them waits for the source alone, never for another node's compute or landing.

use arrow::array::RecordBatch;
use dvt_engine::batch_bytes;
use dvt_planner::ir::{RemoteScan, ScanColumn};
use dvt_project::{RelationName, TargetName, UniqueId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bytes of one read that is kept.
const KEPT: u64 = 64 * 1024 * 1024;

/// Bytes of all that are kept at once.
const ALL: u64 = 256 * 1024 * 1024;

/// How often who waits looks whether the run is cancelled.
const PAUSE: Duration = Duration::from_millis(50);

/// The reads of one run.
pub struct SharedReads {
    /// Who reads a relation, by its target and name without case.
    readers: BTreeMap<(TargetName, String), BTreeSet<UniqueId>>,
    state: Mutex<State>,
    changed: Condvar,
    /// The embedded compute stays open between the nodes of a run.
    open: Mutex<Option<dvt_engine::Kept>>,
}

#[derive(Default)]
struct State {
    /// Since when a node could run; those that are over are gone.
    ready: BTreeMap<UniqueId, Instant>,
    reads: Vec<Kept>,
    /// Numbers of reads so far.
    count: u64,
}

struct Kept {
    number: u64,
    source: TargetName,
    /// The statement from its FROM on.
    of: String,
    columns: Vec<ScanColumn>,
    began: Instant,
    /// Who may take it.
    takers: BTreeSet<UniqueId>,
    /// None while it is read.
    rows: Option<Arc<Vec<RecordBatch>>>,
    bytes: u64,
}

/// A node's part in them.
#[derive(Clone, Copy)]
pub struct Sharing<'a> {
    pub reads: &'a SharedReads,
    pub node: &'a UniqueId,
    /// Whose relations are never taken from another (clause 2).
    pub target: &'a TargetName,
}

/// What a read is to do.
pub(crate) enum Claim<'a> {
    /// Read for itself.
    Own,
    /// Read, and keep what comes.
    First(Keeper<'a>),
    /// These are the rows.
    Given(Vec<RecordBatch>),
}

impl Claim<'_> {
    /// Kept rows, with the columns at `places` alone.
    fn given(kept: &[RecordBatch], places: &[usize]) -> Self {
        kept.iter().map(|b| b.project(places)).collect::<Result<_, _>>().map_or(Self::Own, Self::Given)
    }
}

/// What a statement of a plan reads: all but its list. A column may be called as a part of it, and then stands in both alike.
fn of(sql: &str) -> &str {
    sql.find(" FROM ").map_or(sql, |at| &sql[at..])
}

impl SharedReads {
    /// `readers`: the nodes that may share, with each relation that they read.
    pub fn new(readers: impl IntoIterator<Item = (UniqueId, TargetName, RelationName)>) -> Self {
        let mut by: BTreeMap<(TargetName, String), BTreeSet<UniqueId>> = BTreeMap::new();
        for (id, target, relation) in readers {
            by.entry((target, relation.identifier.to_lowercase())).or_default().insert(id);
        }
        by.retain(|_, nodes| nodes.len() > 1);
        Self { readers: by, state: Mutex::default(), changed: Condvar::new(), open: Mutex::default() }
    }

    /// `compute`: what the last session leaves open; None after one that failed, which may have left it unfit for another.
    pub(crate) fn leave_open(&self, compute: Option<dvt_engine::Kept>) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = compute;
    }

    fn held(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that the node waits for is done now.
    pub fn ready(&self, node: &UniqueId) {
        self.held().ready.insert(node.clone(), Instant::now());
    }

    /// The node is over: nothing is kept for it any longer.
    pub fn over(&self, node: &UniqueId) {
        let mut state = self.held();
        state.ready.remove(node);
        state.reads.retain_mut(|read| {
            read.takers.remove(node);
            read.rows.is_none() || !read.takers.is_empty()
        });
    }
}

impl<'a> Sharing<'a> {
    /// Whether the scan's rows may be another node's too, or come from one.
    fn may(&self, scan: &RemoteScan) -> bool {
        let key = (scan.source.clone(), scan.relation.identifier.to_lowercase());
        scan.source != *self.target && self.reads.readers.get(&key).is_some_and(|nodes| nodes.contains(self.node))
    }

    /// The rows of a read that another node has kept, without waiting.
    pub(crate) fn kept(&self, scan: &RemoteScan, sql: &str) -> Claim<'a> {
        let state = self.reads.held();
        let found = if self.may(scan) { self.found(&state, scan, sql) } else { None };
        found.and_then(|(read, places)| Some(Claim::given(read.rows.as_ref()?, &places))).unwrap_or(Claim::Own)
    }

    /// As [`Sharing::kept`], but waits for one that is being read, and keeps its own where somebody may take it.
    pub(crate) fn claim(&self, scan: &RemoteScan, sql: &str, cancelled: &dyn Fn() -> bool) -> Claim<'a> {
        if !self.may(scan) {
            return Claim::Own;
        }
        let mut state = self.reads.held();
        loop {
            match self.found(&state, scan, sql).map(|(read, places)| (read.rows.clone(), places)) {
                Some((Some(kept), places)) => return Claim::given(&kept, &places),
                Some((None, _)) if cancelled() => return Claim::Own,
                Some((None, _)) => state = self.reads.changed.wait_timeout(state, PAUSE).unwrap_or_else(PoisonError::into_inner).0,
                None => break,
            }
        }
        let key = (scan.source.clone(), scan.relation.identifier.to_lowercase());
        let readers = self.reads.readers.get(&key).into_iter().flatten();
        let takers: BTreeSet<UniqueId> = readers.filter(|id| *id != self.node && state.ready.contains_key(*id)).cloned().collect();
        if takers.is_empty() || state.reads.iter().map(|r| r.bytes).sum::<u64>() >= ALL {
            return Claim::Own;
        }
        state.count += 1;
        let number = state.count;
        let (source, of, columns) = (scan.source.clone(), of(sql).to_owned(), scan.columns.clone());
        state.reads.push(Kept { number, source, of, columns, began: Instant::now(), takers, rows: None, bytes: 0 });
        Claim::First(Keeper { reads: self.reads, number, batches: Vec::new(), bytes: 0, open: true })
    }

    /// A read that has all that the scan needs, and where; one that is at its end before one that is not.
    fn found<'s>(&self, state: &'s State, scan: &RemoteScan, sql: &str) -> Option<(&'s Kept, Vec<usize>)> {
        let since = state.ready.get(self.node)?;
        let places = |r: &Kept| scan.columns.iter().map(|c| r.columns.iter().position(|k| k == c)).collect::<Option<Vec<usize>>>();
        let alike = |r: &&Kept| r.began >= *since && r.source == scan.source && r.of == of(sql);
        let mut found: Vec<_> = state.reads.iter().filter(alike).filter_map(|r| Some((r, places(r)?))).collect();
        found.sort_by_key(|(r, _)| r.rows.is_none());
        found.into_iter().next()
    }
}

/// Keeps the rows of a read for others.
pub(crate) struct Keeper<'a> {
    reads: &'a SharedReads,
    number: u64,
    batches: Vec<RecordBatch>,
    bytes: u64,
    open: bool,
}

impl Keeper<'_> {
    /// Takes a batch; gives those that may go on: none until the read is at its end, or too large.
    pub fn take(&mut self, batch: RecordBatch) -> Vec<RecordBatch> {
        if !self.open {
            return vec![batch];
        }
        self.bytes += batch_bytes(&batch);
        self.batches.push(batch);
        if self.bytes <= KEPT {
            return Vec::new();
        }
        self.give_up();
        std::mem::take(&mut self.batches)
    }

    /// The read came to its end: its rows are the others' too.
    pub fn finish(mut self) -> Vec<RecordBatch> {
        let batches = std::mem::take(&mut self.batches);
        if std::mem::take(&mut self.open) {
            let mut state = self.reads.held();
            // Who might have taken it may be over meanwhile.
            state.reads.retain(|r| r.number != self.number || !r.takers.is_empty());
            if let Some(read) = state.reads.iter_mut().find(|r| r.number == self.number) {
                read.bytes = self.bytes;
                read.rows = Some(Arc::new(batches.clone()));
            }
            self.reads.changed.notify_all();
        }
        batches
    }

    fn give_up(&mut self) {
        if std::mem::take(&mut self.open) {
            self.reads.held().reads.retain(|r| r.number != self.number);
            self.reads.changed.notify_all();
        }
    }
}

impl Drop for Keeper<'_> {
    fn drop(&mut self) {
        self.give_up();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Claim, Keeper, SharedReads, Sharing};
    use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use dvt_planner::ir::{RemoteScan, ScanColumn};
    use dvt_planner::types::CanonicalType;
    use dvt_project::{RelationName, TargetName, UniqueId};
    use std::sync::Arc;

    fn id(name: &str) -> UniqueId {
        UniqueId::from(name)
    }

    fn scan(sql: &str) -> RemoteScan {
        named(sql, &["n"])
    }

    fn named(sql: &str, columns: &[&str]) -> RemoteScan {
        let column = |name: &&str| ScanColumn { name: (*name).into(), native: "bigint".into(), canonical: CanonicalType::Int(64) };
        let relation = RelationName { identifier: "Orders".into(), ..RelationName::default() };
        RemoteScan {
            name: "dvt_scan_0".into(),
            source: TargetName::from("pg"),
            relation,
            sql: sql.into(),
            columns: columns.iter().map(column).collect(),
            pushed: Vec::new(),
            kept: Vec::new(),
            limit: None,
            rows: None,
            estimate: None,
        }
    }

    fn batch(rows: usize) -> RecordBatch {
        RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![7; rows])) as ArrayRef)]).unwrap()
    }

    fn reads() -> SharedReads {
        let of = |name: &str| (id(name), TargetName::from("pg"), RelationName { identifier: "orders".into(), ..RelationName::default() });
        SharedReads::new([of("a"), of("b"), of("c")])
    }

    fn sharing<'a>(reads: &'a SharedReads, node: &'a UniqueId, target: &'a TargetName) -> Sharing<'a> {
        Sharing { reads, node, target }
    }

    fn first(claim: Claim<'_>) -> Keeper<'_> {
        let Claim::First(keeper) = claim else { panic!("not the first") };
        keeper
    }

    #[test]
    fn a_node_that_was_ready_takes_the_rows_and_one_that_was_not_reads() {
        let (reads, wh) = (reads(), TargetName::from("wh"));
        let (a, b, c) = (id("a"), id("b"), id("c"));
        reads.ready(&a);
        let one = scan("SELECT n FROM orders");
        assert!(matches!(sharing(&reads, &a, &wh).claim(&one, &one.sql, &|| false), Claim::Own), "nobody else is ready");
        reads.ready(&b);
        let mut keeper = first(sharing(&reads, &a, &wh).claim(&one, &one.sql, &|| false));
        assert!(keeper.take(batch(3)).is_empty());
        assert!(matches!(sharing(&reads, &b, &wh).claim(&one, &one.sql, &|| true), Claim::Own), "still read, and cancelled");
        assert!(matches!(sharing(&reads, &b, &wh).kept(&one, &one.sql), Claim::Own));
        reads.ready(&c);
        assert_eq!(keeper.finish().len(), 1);
        let other = scan("SELECT n FROM orders WHERE n > 1");
        assert!(matches!(sharing(&reads, &b, &wh).kept(&other, &other.sql), Claim::Own), "another text");
        assert!(matches!(sharing(&reads, &c, &wh).kept(&one, &one.sql), Claim::Own), "it waited for something until later");
        assert!(matches!(sharing(&reads, &b, &TargetName::from("pg")).kept(&one, &one.sql), Claim::Own), "its own target");
        let Claim::Given(rows) = sharing(&reads, &b, &wh).claim(&one, &one.sql, &|| false) else { panic!("it reads again") };
        assert_eq!(rows[0].num_rows(), 3);
        reads.over(&b);
        assert!(reads.held().reads.is_empty(), "kept for nobody");
    }

    #[test]
    fn a_node_that_needs_fewer_columns_takes_its_own_in_its_order() {
        let (reads, wh, a, b) = (reads(), TargetName::from("wh"), id("a"), id("b"));
        reads.ready(&a);
        reads.ready(&b);
        let wide = named("SELECT x, y, z FROM orders", &["x", "y", "z"]);
        let mut keeper = first(sharing(&reads, &a, &wh).claim(&wide, &wide.sql, &|| false));
        let column = |n: i64| Arc::new(Int64Array::from(vec![n])) as ArrayRef;
        keeper.take(RecordBatch::try_from_iter([("x", column(1)), ("y", column(2)), ("z", column(3))]).unwrap());
        keeper.finish();
        let narrow = named("SELECT z, x FROM orders", &["z", "x"]);
        let Claim::Given(rows) = sharing(&reads, &b, &wh).kept(&narrow, &narrow.sql) else { panic!("it reads again") };
        let batch = &rows[0];
        let cells: Vec<i64> = batch.columns().iter().map(|c| c.as_any().downcast_ref::<Int64Array>().unwrap().value(0)).collect();
        assert_eq!(cells, [3, 1]);
        for other in [named("SELECT x, w FROM orders", &["x", "w"]), named("SELECT x FROM orders WHERE y > 1", &["x"])] {
            assert!(matches!(sharing(&reads, &b, &wh).kept(&other, &other.sql), Claim::Own), "{}", other.sql);
        }
    }

    #[test]
    fn a_read_that_fails_or_is_too_large_is_its_own_alone() {
        let (reads, wh, a, b) = (reads(), TargetName::from("wh"), id("a"), id("b"));
        reads.ready(&a);
        reads.ready(&b);
        let one = scan("SELECT n FROM orders");
        drop(first(sharing(&reads, &a, &wh).claim(&one, &one.sql, &|| false)));
        let mut keeper = first(sharing(&reads, &b, &wh).claim(&one, &one.sql, &|| false));
        let whole = batch(5_000_000);
        assert!(keeper.take(whole.clone()).is_empty());
        assert_eq!(keeper.take(whole.clone()).len(), 2);
        assert!(reads.held().reads.is_empty());
        assert_eq!(keeper.take(whole).len(), 1);
        assert!(keeper.finish().is_empty());
        assert!(matches!(sharing(&reads, &a, &wh).kept(&one, &one.sql), Claim::Own));
    }
}
