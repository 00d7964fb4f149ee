//! One federated plan from its sources to the batches of its result.
//!
//! Every scan has a thread and a session of its own. A source that fails fails the plan with its own
//! words; one that ends early can never look complete (see the engine's streams).

use crate::arrow_types::schema;
use crate::cancel::Cancellation;
use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use dvt_diagnostic::{Code, Diagnostic};
use dvt_engine::{
    BatchSink, Compute, ComputeSettings, Connection, DescribedColumn, EngineError, ErrorKind, ReadCount, Reads, Stop, StreamSender, batch_bytes,
};
use dvt_planner::ir::{Delegate, FederatedPlan, RemoteScan, Residual};
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
}

/// Tells nobody.
pub struct Silent;
impl Progress for Silent {}

/// What an execution works with.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub sources: &'a dyn Sources,
    pub settings: &'a ComputeSettings,
    pub types: Option<&'a dyn Types>,
    pub progress: &'a dyn Progress,
    pub cancel: &'a Cancellation,
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
}

/// What a plan did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Computed {
    /// Rows handed to the sink.
    pub rows: u64,
    /// One per scan or delegate, in the plan's order.
    pub movements: Vec<Movement>,
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
    let context = Context { sources, settings, types: None, progress: &Silent, cancel: &Cancellation::default() };
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
    federated(plan, residual, context, sink)
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
    let told = sink.columns(columns);
    let mut push = |batch: RecordBatch| -> Result<(), Stop> {
        let (rows, bytes) = (batch.num_rows() as u64, batch_bytes(&batch));
        moved.rows += rows;
        moved.bytes += bytes;
        context.progress.read(&delegate.source, rows, bytes);
        context.progress.produced(rows);
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
    let movement = Movement { source: delegate.source.clone(), relation: None, rows: moved.rows, bytes: moved.bytes };
    Ok(Computed { rows: moved.rows, movements: vec![movement] })
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
    let mut senders = Vec::new();
    for scan in &plan.scans {
        // The engine may scan a view twice where the text names it once (a CTE read twice and inlined, a window turned
        // into a join of its input with its groups), so with these the rows are kept. A second read of a stream that was
        // not kept is an error, never empty.
        // What comes from the target itself is read to its end before anything is written there: some products let
        // nobody write a file while it is read.
        let text = residual.sql.to_lowercase();
        let kept = text.contains("with") || text.contains("over") || scan.source == plan.target;
        let reads = if kept { Reads::Several } else { Reads::Once };
        senders.push(compute.attach(&scan.name, schema(&scan.columns), reads, None).map_err(compute_error)?);
    }
    let mut wanted = true;
    if let Some(types) = context.types {
        let described = compute.describe(&residual.sql).map_err(compute_error)?;
        let canonical = types.canonical(Origin::Compute(&plan.compute), &described)?;
        let columns = described.into_iter().zip(canonical).map(|(d, canonical)| ResultColumn { name: d.name, canonical });
        wanted = sink.columns(columns.collect()).is_ok();
    }
    if !wanted {
        return Ok(Computed { rows: 0, movements: Vec::new() });
    }
    // Sources still reading for a query that is over would only burn their servers.
    let reading = Cancellation::default();
    std::thread::scope(|scope| {
        let readers: Vec<_> = plan
            .scans
            .iter()
            .zip(senders)
            .map(|(scan, sender)| {
                let reading = &reading;
                scope.spawn(move || read(scan, context, sender, reading))
            })
            .collect();
        let watch = context.cancel.watch(compute.canceller());
        let result = compute.run(&residual.sql, &mut |batch: RecordBatch| {
            context.progress.produced(batch.num_rows() as u64);
            if context.cancel.is_cancelled() { Err(Stop) } else { sink.push(batch) }
        });
        drop(watch);
        if result.is_err() {
            reading.cancel();
        }
        let reads: Vec<Result<ReadCount, EngineError>> = readers
            .into_iter()
            .map(|r| r.join().unwrap_or_else(|_| Err(EngineError::new(ErrorKind::Io, "a read ended unexpectedly"))))
            .collect();
        if context.cancel.is_cancelled() {
            return Err(Diagnostic::error(Code::Cancelled, "cancelled"));
        }
        // A source's own failure explains the compute's; a cancelled read only follows from another failure.
        for (scan, read) in plan.scans.iter().zip(&reads) {
            if let Err(error) = read
                && error.kind != ErrorKind::Cancelled
            {
                let what = format!("`{}` of target `{}`", scan.relation.identifier, scan.source);
                return Err(diagnostic(error, &what, Code::ReadFailed));
            }
        }
        let produced = result.map_err(compute_error)?;
        let movements = plan
            .scans
            .iter()
            .zip(reads)
            .map(|(scan, read)| {
                let read = read.unwrap_or_default();
                Movement {
                    source: scan.source.clone(),
                    relation: Some(scan.relation.clone()),
                    rows: read.rows,
                    bytes: read.bytes,
                }
            })
            .collect();
        Ok(Computed { rows: produced.rows, movements })
    })
}

fn read(scan: &RemoteScan, context: Context<'_>, sender: StreamSender, reading: &Cancellation) -> Result<ReadCount, EngineError> {
    let result = (|| -> Result<ReadCount, EngineError> {
        let mut connection = context.sources.connect(&scan.source)?;
        let _here = reading.watch(connection.canceller());
        let _run = context.cancel.watch(connection.canceller());
        // Its columns and its rows are of one moment: else a type that changes in between would be read as another.
        connection.begin_snapshot()?;
        let read = connection.read(&scan.sql, &schema(&scan.columns), &mut |batch: RecordBatch| {
            context.progress.read(&scan.source, batch.num_rows() as u64, batch_bytes(&batch));
            sender.send(batch)
        })?;
        connection.end_snapshot()?;
        Ok(read)
    })();
    match &result {
        Ok(_) => sender.finish(),
        Err(error) => sender.fail(error.clone()),
    }
    result
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
