//! One federated plan from its sources to the batches of its result.
//!
//! Every scan has a thread and a session of its own. A source that fails fails the plan with its own
//! words; one that ends early can never look complete (see the engine's streams).

use crate::arrow_types::schema;
use crate::budget::{Budget, Spent};
use crate::cancel::Cancellation;
use crate::estimate;
use crate::gate::{Gate, Giver, Keys};
use crate::outside::{self, Outer};
use crate::shared::{Claim, Sharing};
use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use dvt_diagnostic::{Code, Diagnostic};
use dvt_engine::cluster::Tasks;
use dvt_engine::{
    BatchSink, Compute, ComputeSettings, Connection, DescribedColumn, EngineError, ErrorKind, ReadCount, Reads, Stop, StreamSender, batch_bytes,
};
use dvt_planner::ir::{Delegate, FederatedPlan, Residual};
use dvt_planner::reduce::{self, Asked, Read};
use dvt_planner::types::CanonicalType;
use dvt_plugin_host::{arrow_type, code_of};
use dvt_project::{ComputeName, RelationName, TargetName};
use std::sync::Arc;

/// Opens sessions of targets.
pub trait Sources: Sync {
    fn connect(&self, target: &TargetName) -> Result<Box<dyn Connection>, EngineError>;
}

/// Whose types a description shows.
#[derive(Debug, Clone, Copy)]
pub enum Origin<'a> {
    Target(&'a TargetName),
    Compute(&'a ComputeName),
}

/// What plugins know about types.
pub trait Types: Sync {
    /// None where the description does not say what the column holds.
    fn canonical(&self, at: Origin<'_>, columns: &[DescribedColumn]) -> Result<Vec<Option<CanonicalType>>, Diagnostic>;
    /// The target's DDL for each type.
    fn ddl(&self, target: &TargetName, types: &[CanonicalType]) -> Result<Vec<String>, Diagnostic>;
}

/// Told of data as it moves; called from several threads.
pub trait Progress: Sync {
    /// `rows` and `bytes` more of what `source` sends.
    fn read(&self, _source: &TargetName, _rows: u64, _bytes: u64) {}
    /// `rows` more of the result.
    fn produced(&self, _rows: u64) {}
    /// How far a compute outside the host is.
    fn tasks(&self, _tasks: Tasks) {}
}

/// Tells nobody.
pub struct Silent;
impl Progress for Silent {}

/// Remembers the rows of reads, from run to run.
pub trait History: Sync {
    /// Rows that the statement had when it last ran.
    fn rows(&self, source: &TargetName, sql: &str) -> Option<u64>;
    /// It has run, and had so many.
    fn read(&self, source: &TargetName, sql: &str, rows: u64);
}

/// What an execution works with.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub sources: &'a dyn Sources,
    pub settings: &'a ComputeSettings,
    pub types: Option<&'a dyn Types>,
    pub progress: &'a dyn Progress,
    pub cancel: &'a Cancellation,
    /// The engine of a compute that is outside the host; `settings` mean nothing then.
    pub outer: Option<&'a dyn Outer>,
    pub budget: Budget,
    pub estimates: Estimates<'a>,
    /// What is remembered of reads whose sources do not say how many rows they have.
    pub history: Option<&'a dyn History>,
    /// What the run's other nodes read; None reads for itself.
    pub sharing: Option<Sharing<'a>>,
}

/// Where the rows come from that each scan is expected to deliver.
#[derive(Debug, Clone, Copy, Default)]
pub enum Estimates<'a> {
    /// Sources are asked where a decision hangs on it.
    #[default]
    WhereNeeded,
    /// All are asked.
    All,
    /// By scan, for tests: nobody is asked.
    Given(&'a [Option<u64>]),
}

/// A column of the result; `canonical` is None where only the data can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultColumn {
    pub name: String,
    pub canonical: Option<CanonicalType>,
}

/// Takes a result: first its columns, then its batches.
pub trait ResultSink {
    fn columns(&mut self, columns: Vec<ResultColumn>) -> Result<(), Stop>;
    fn push(&mut self, batch: RecordBatch) -> Result<(), Stop>;
}

/// What one scan moved. Bytes are those of the Arrow buffers handed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    pub source: TargetName,
    pub relation: Option<RelationName>,
    pub rows: u64,
    pub bytes: u64,
    /// The rows were those that another node of the run had read: nothing moved.
    pub shared: bool,
}

/// How one scan was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// Rows that its source expected, without what was learnt while running.
    pub estimated: Option<u64>,
    /// What it waited for: the scan and column that gave the keys, and what it was asked then; nothing where they were too
    /// many to be worth it.
    pub waited: Vec<(String, String, Asked)>,
    /// The scan whose read it shares; what was moved is counted there.
    pub shared: Option<String>,
}

/// What a plan did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Computed {
    /// Rows handed to the sink.
    pub rows: u64,
    /// One per scan or delegate, in the plan's order.
    pub movements: Vec<Movement>,
    /// One per scan.
    pub readings: Vec<Reading>,
}

struct Untyped<'a>(&'a mut dyn BatchSink);
impl ResultSink for Untyped<'_> {
    fn columns(&mut self, _: Vec<ResultColumn>) -> Result<(), Stop> {
        Ok(())
    }
    fn push(&mut self, batch: RecordBatch) -> Result<(), Stop> {
        self.0.push(batch)
    }
}

/// Runs the plan and hands its result to `sink` in batches, with bounded memory.
///
/// # Errors
/// As [`run`].
pub fn execute(
    plan: &FederatedPlan,
    sources: &dyn Sources,
    settings: &ComputeSettings,
    sink: &mut dyn BatchSink,
) -> Result<Computed, Diagnostic> {
    let context = Context { sources, settings, types: None, progress: &Silent, cancel: &Cancellation::default(), outer: None, budget: Budget::default(), estimates: Estimates::WhereNeeded, history: None, sharing: None };
    run(plan, context, &mut Untyped(sink))
}

/// Runs the plan and hands the columns and batches of its result to `sink`, with bounded memory.
///
/// # Errors
/// `DVT4006` naming the source and relation that failed, `DVT4004` when the compute fails, connection
/// codes as the engine reports them. Nothing is written by this function.
pub fn run(plan: &FederatedPlan, context: Context<'_>, sink: &mut dyn ResultSink) -> Result<Computed, Diagnostic> {
    if let Some(delegate) = plan.delegates.first() {
        return delegated(delegate, context, sink);
    }
    let Some(residual) = &plan.residual else {
        return Err(Diagnostic::error(Code::Internal, "a plan has neither a residual nor a delegate"));
    };
    match context.outer {
        Some(outer) => outside::run(plan, residual, context, outer, sink),
        None => federated(plan, residual, context, sink),
    }
}

/// A whole query of one database.
fn delegated(delegate: &Delegate, context: Context<'_>, sink: &mut dyn ResultSink) -> Result<Computed, Diagnostic> {
    let about = |e: EngineError| diagnostic(&e, &format!("target `{}`", delegate.source), Code::ReadFailed);
    let mut connection = context.sources.connect(&delegate.source).map_err(about)?;
    let _watch = context.cancel.watch(connection.canceller());
    connection.begin_snapshot().map_err(about)?;
    let described = connection.describe(&delegate.sql).map_err(about)?;
    let canonical = match context.types {
        Some(types) => types.canonical(Origin::Target(&delegate.source), &described)?,
        None => vec![None; described.len()],
    };
    let columns: Vec<ResultColumn> =
        described.iter().zip(&canonical).map(|(d, c)| ResultColumn { name: d.name.clone(), canonical: *c }).collect();
    let known: Option<Vec<Field>> =
        columns.iter().map(|c| Some(Field::new(&c.name, arrow_type(c.canonical?), true))).collect();
    let mut moved = ReadCount::default();
    let (spent, mut over) = (Spent::default(), None);
    let told = sink.columns(columns);
    let mut push = |batch: RecordBatch| -> Result<(), Stop> {
        let (rows, bytes) = (batch.num_rows() as u64, batch_bytes(&batch));
        moved.rows += rows;
        moved.bytes += bytes;
        context.progress.read(&delegate.source, rows, bytes);
        context.progress.produced(rows);
        if let Err(error) = context.budget.spend(&spent, rows, bytes) {
            over = Some(error);
            return Err(Stop);
        }
        sink.push(batch)
    };
    if told.is_ok() {
        if let Some(fields) = known {
            let want: SchemaRef = Arc::new(Schema::new(fields));
            connection.read(&delegate.sql, &want, &mut push).map_err(about)?;
        } else {
            // A database whose expressions have no declared type: the values themselves tell, so all are read first.
            for batch in connection.query(&delegate.sql, None).map_err(about)?.batches {
                if push(batch).is_err() {
                    break;
                }
            }
        }
    }
    connection.end_snapshot().map_err(about)?;
    if let Some(error) = over {
        return Err(about(error));
    }
    let movement = Movement { source: delegate.source.clone(), relation: None, rows: moved.rows, bytes: moved.bytes, shared: false };
    Ok(Computed { rows: moved.rows, movements: vec![movement], readings: Vec::new() })
}

/// Scans into the compute, which runs the residual.
fn federated(
    plan: &FederatedPlan,
    residual: &Residual,
    context: Context<'_>,
    sink: &mut dyn ResultSink,
) -> Result<Computed, Diagnostic> {
    let compute_error = |e: EngineError| diagnostic(&e, &format!("compute `{}`", plan.compute), Code::ComputeFailed);
    let mut compute = Compute::open(context.settings).map_err(compute_error)?;
    residual.setup.iter().try_for_each(|made| compute.prepare(made)).map_err(compute_error)?;
    let estimates = estimate::found(plan, context)?;
    let reads = reduce::arrange(plan, &estimates);
    let text = residual.sql.to_lowercase();
    let mut senders = Vec::new();
    for read in &reads {
        let scan = &plan.scans[read.scans[0]];
        // The engine may scan a view twice where the text names it once (a CTE read twice and inlined, a window turned
        // into a join of its input with its groups), so with these the rows are kept. A second read of a stream that was
        // not kept is an error, never empty.
        // What comes from the target itself is read to its end before anything is written there: some products let
        // nobody write a file while it is read.
        let kept = text.contains("with") || text.contains("over") || scan.source == plan.target || read.scans.len() > 1;
        let reads = if kept { Reads::Several } else { Reads::Once };
        senders.push(compute.attach(&scan.name, schema(&scan.columns), reads, None).map_err(compute_error)?);
        for other in &read.scans[1..] {
            compute.alias(&plan.scans[*other].name, &scan.name).map_err(compute_error)?;
        }
    }
    let mut wanted = true;
    if let Some(types) = context.types {
        let described = compute.describe(&residual.sql).map_err(compute_error)?;
        let canonical = types.canonical(Origin::Compute(&plan.compute), &described)?;
        let columns = described.into_iter().zip(canonical).map(|(d, canonical)| {
            // A type that the engine has no name for, where its own has the same form.
            let passed = residual.passed(&d.name).filter(|kind| canonical.is_some_and(|told| arrow_type(told) == arrow_type(*kind)));
            ResultColumn { name: d.name, canonical: passed.or(canonical) }
        });
        wanted = sink.columns(columns.collect()).is_ok();
    }
    if !wanted {
        return Ok(Computed { rows: 0, movements: Vec::new(), readings: Vec::new() });
    }
    // Sources still reading for a query that is over would only burn their servers.
    let reading = Cancellation::default();
    let gates: Vec<Gate> = plan.reductions.iter().map(|_| Gate::default()).collect();
    let spent = Spent::default();
    std::thread::scope(|scope| {
        let readers: Vec<_> = reads
            .iter()
            .zip(senders)
            .map(|(read, sender)| {
                let one = One { plan, read, reads: &reads, gates: &gates, estimates: &estimates, spent: &spent, context, reading: &reading };
                scope.spawn(move || one.run(sender))
            })
            .collect();
        let watch = context.cancel.watch(compute.canceller());
        let result = compute.run(&residual.sql, &mut |batch: RecordBatch| {
            context.progress.produced(batch.num_rows() as u64);
            if context.cancel.is_cancelled() { Err(Stop) } else { sink.push(batch) }
        });
        drop(watch);
        if let Some(sharing) = &context.sharing {
            sharing.reads.leave_open(result.is_ok().then(|| compute.kept()));
        }
        if result.is_err() {
            reading.cancel();
        }
        let outcomes: Vec<Result<Outcome, EngineError>> = readers
            .into_iter()
            .map(|r| r.join().unwrap_or_else(|_| Err(EngineError::new(ErrorKind::Io, "a read ended unexpectedly"))))
            .collect();
        if context.cancel.is_cancelled() {
            return Err(Diagnostic::error(Code::Cancelled, "cancelled"));
        }
        // A source's own failure explains the compute's; a cancelled read only follows from another failure.
        for (read, outcome) in reads.iter().zip(&outcomes) {
            if let Err(error) = outcome
                && error.kind != ErrorKind::Cancelled
            {
                let scan = &plan.scans[read.scans[0]];
                let what = format!("`{}` of target `{}`", scan.relation.identifier, scan.source);
                return Err(diagnostic(error, &what, Code::ReadFailed));
            }
        }
        let produced = result.map_err(compute_error)?;
        let outcomes = outcomes.into_iter().map(Result::unwrap_or_default).collect();
        let (movements, readings) = told(plan, &reads, outcomes, &estimates);
        Ok(Computed { rows: produced.rows, movements, readings })
    })
}

/// What one read delivered, and what its reductions were asked.
#[derive(Default)]
pub(crate) struct Outcome {
    pub count: ReadCount,
    /// Another node's rows.
    pub shared: bool,
    pub waited: Vec<(String, String, Asked)>,
}

/// Movements and readings by scan; a shared read counts at its first scan.
pub(crate) fn told(plan: &FederatedPlan, reads: &[Read], outcomes: Vec<Outcome>, estimates: &[Option<u64>]) -> (Vec<Movement>, Vec<Reading>) {
    let one = |(number, scan): (usize, &dvt_planner::ir::RemoteScan)| {
        let found = reads.iter().zip(&outcomes).find(|(r, _)| r.scans.contains(&number));
        let first = found.map_or(number, |(r, _)| r.scans[0]);
        let count = found.filter(|_| first == number).map(|(_, o)| o.count).unwrap_or_default();
        let movement = Movement { source: scan.source.clone(), relation: Some(scan.relation.clone()), rows: count.rows, bytes: count.bytes, shared: found.is_some_and(|(_, o)| o.shared) };
        let reading = Reading {
            estimated: estimates.get(number).copied().flatten(),
            waited: found.map(|(_, o)| o.waited.clone()).unwrap_or_default(),
            shared: (first != number).then(|| plan.scans[first].name.clone()),
        };
        (movement, reading)
    };
    plan.scans.iter().enumerate().map(one).unzip()
}

/// One read of the plan, on its own thread.
#[derive(Clone, Copy)]
pub(crate) struct One<'a> {
    pub plan: &'a FederatedPlan,
    pub read: &'a Read,
    pub reads: &'a [Read],
    /// Parallel to the plan's reductions.
    pub gates: &'a [Gate],
    pub estimates: &'a [Option<u64>],
    pub spent: &'a Spent,
    pub context: Context<'a>,
    pub reading: &'a Cancellation,
}

impl One<'_> {
    fn run(self, sender: StreamSender) -> Result<Outcome, EngineError> {
        let result = self.moved(&mut |batch| sender.send(batch));
        match &result {
            Ok(_) => sender.finish(),
            Err(error) => sender.fail(error.clone()),
        }
        result
    }

    /// Hands the rows to `take`, and their keys to those that wait for them.
    pub fn moved(&self, take: &mut dyn FnMut(RecordBatch) -> Result<(), Stop>) -> Result<Outcome, EngineError> {
        let scan = &self.plan.scans[self.read.scans[0]];
        // Made first: whatever goes wrong below, nobody waits for this read's keys forever.
        let mut giver = self.giver();
        let mut keeper = match self.claim() {
            Claim::Own => None,
            Claim::First(keeper) => Some(keeper),
            Claim::Given(rows) => {
                // A reader that is gone does not mind.
                let _ = rows.into_iter().flat_map(|b| giver.take(b)).try_for_each(&mut *take);
                let _ = giver.finish().into_iter().try_for_each(take);
                return Ok(Outcome { shared: true, ..Outcome::default() });
            }
        };
        let mut connection = self.context.sources.connect(&scan.source)?;
        let _here = self.reading.watch(connection.canceller());
        let _run = self.context.cancel.watch(connection.canceller());
        // Its columns and its rows are of one moment: else a type that changes in between would be read as another. The
        // moment is the same with keys and without: waiting for them comes after.
        connection.begin_snapshot()?;
        let (sql, waited) = self.asked();
        let mut over = None;
        // What a driver counts is what it allocated; what moved is the values.
        let mut moved = 0;
        let read = connection.read(&sql, &schema(&scan.columns), &mut |batch: RecordBatch| {
            let (rows, bytes) = (batch.num_rows() as u64, batch_bytes(&batch));
            moved += bytes;
            self.context.progress.read(&scan.source, rows, bytes);
            if let Err(error) = self.context.budget.spend(self.spent, rows, bytes) {
                over = Some(error);
                return Err(Stop);
            }
            let on = match &mut keeper {
                Some(keeper) => keeper.take(batch),
                None => vec![batch],
            };
            on.into_iter().flat_map(|b| giver.take(b)).try_for_each(&mut *take)
        })?;
        if let Some(error) = over {
            return Err(error);
        }
        connection.end_snapshot()?;
        if let (Some(history), true) = (self.context.history, sql == self.read.sql) {
            history.read(&scan.source, &sql, read.rows);
        }
        // A reader that is gone does not mind.
        let _ = keeper.map(|k| k.finish()).into_iter().flatten().flat_map(|b| giver.take(b)).try_for_each(&mut *take);
        let _ = giver.finish().into_iter().try_for_each(take);
        Ok(Outcome { count: ReadCount { rows: read.rows, bytes: moved }, shared: false, waited })
    }

    /// Whether another node has the rows, or shall.
    fn claim(&self) -> Claim<'_> {
        let Some(sharing) = &self.context.sharing else { return Claim::Own };
        let scan = &self.plan.scans[self.read.scans[0]];
        // A compute that needs some rows only ends the read; kept rows are all.
        let some = self.plan.residual.as_ref().is_some_and(|r| r.sql.to_lowercase().contains("limit"));
        match self.read.reductions.as_slice() {
            [] if !some => sharing.claim(scan, &self.read.sql, &|| self.context.cancel.is_cancelled() || self.reading.is_cancelled()),
            _ => sharing.kept(scan, &self.read.sql),
        }
    }

    /// The keys that this read gives to those that wait for them.
    fn giver(&self) -> Giver<'_> {
        let mut giver = Giver::default();
        for number in self.reads.iter().flat_map(|r| &r.reductions) {
            let reduction = &self.plan.reductions[*number];
            for scan in self.read.scans.iter().map(|s| &self.plan.scans[*s]).filter(|s| s.name == reduction.by) {
                match scan.columns.iter().position(|c| c.name == reduction.key) {
                    Some(index) => giver.give(index, reduction.most(), reduction.ranges, &self.gates[*number]),
                    None => self.gates[*number].tell(Keys::Untold),
                }
            }
        }
        giver
    }

    /// The statement with the keys it waited for.
    pub fn asked(&self) -> (String, Vec<(String, String, Asked)>) {
        let mut conditions = Vec::new();
        let mut waited = Vec::new();
        // Scans that share the read hold all that any of them may deliver.
        let rows = self.read.scans.iter().map(|s| self.estimates[*s]).try_fold(0_u64, |sum, r| Some(sum + r?));
        for number in &self.read.reductions {
            let reduction = &self.plan.reductions[*number];
            let worth = reduce::worth(self.plan, self.estimates, reduction, rows);
            let (asked, condition) = match self.gates[*number].keys() {
                Keys::Each(keys) => (Asked::Keys(keys.len() as u64), reduce::condition(reduction, keys.iter().map(String::as_str), worth)),
                Keys::Between(low, high) => (Asked::Range, reduce::range(reduction, &low, &high)),
                Keys::Untold => (Asked::All, None),
            };
            waited.push((reduction.by.clone(), reduction.key.clone(), if condition.is_some() { asked } else { Asked::All }));
            conditions.extend(condition);
        }
        (self.read.with(&conditions), waited)
    }
}

/// The engine's failure with what it is about, under the code of its kind.
pub(crate) fn diagnostic(error: &EngineError, what: &str, otherwise: Code) -> Diagnostic {
    let code = code_of(error.kind, otherwise);
    let mut diagnostic = Diagnostic::error(code, format!("{what}: {}", error.message));
    diagnostic.hint.clone_from(&error.hint);
    if error.kind == ErrorKind::Connect {
        // Opening a session gives its own advice: without it, a session that was open has ended.
        diagnostic.hint.get_or_insert_with(|| "the session ended while it was in use: run it again, and if it happens again read the server's log".to_owned());
    }
    if error.kind == ErrorKind::Column {
        diagnostic.hint.get_or_insert_with(|| "check the name against the columns of the relations that the model reads".to_owned());
    }
    diagnostic
}
