//! One federated plan from its sources to the batches of its result.
//!
//! Every scan has a thread and a session of its own. A source that fails fails the plan with its own
//! words; one that ends early can never look complete (see the engine's streams).

use crate::arrow_types::schema;
use arrow::array::RecordBatch;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_engine::{
    BatchSink, Canceller, Compute, ComputeSettings, Connection, EngineError, ErrorKind, ReadCount, Reads, StreamSender,
};
use dvt_planner::ir::{FederatedPlan, RemoteScan};
use dvt_project::{RelationName, TargetName};
use std::sync::{Mutex, PoisonError};

/// Opens sessions of targets.
pub trait Sources: Sync {
    fn connect(&self, target: &TargetName) -> Result<Box<dyn Connection>, EngineError>;
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

/// Runs the plan and hands its result to `sink` in batches, with bounded memory.
///
/// # Errors
/// `DVT4006` naming the source and relation that failed, `DVT4004` when the compute fails, connection
/// codes as the engine reports them. Nothing is written by this function.
pub fn execute(
    plan: &FederatedPlan,
    sources: &dyn Sources,
    settings: &ComputeSettings,
    sink: &mut dyn BatchSink,
) -> Result<Computed, Diagnostic> {
    if let Some(delegate) = plan.delegates.first() {
        let about = |e: EngineError| diagnostic(&e, &format!("target `{}`", delegate.source), Code::ReadFailed);
        let mut connection = sources.connect(&delegate.source).map_err(about)?;
        let rows = connection.query(&delegate.sql, None).map_err(about)?;
        let mut moved = ReadCount::default();
        for batch in rows.batches {
            moved.rows += batch.num_rows() as u64;
            moved.bytes += batch.get_array_memory_size() as u64;
            if sink.push(batch).is_err() {
                break;
            }
        }
        let movement = Movement { source: delegate.source.clone(), relation: None, rows: moved.rows, bytes: moved.bytes };
        return Ok(Computed { rows: moved.rows, movements: vec![movement] });
    }
    let Some(residual) = &plan.residual else {
        return Err(Diagnostic::error(Code::Internal, "a plan has neither a residual nor a delegate"));
    };
    let compute_error = |e: EngineError| diagnostic(&e, &format!("compute `{}`", plan.compute), Code::ComputeFailed);
    let mut compute = Compute::open(settings).map_err(compute_error)?;
    let mut senders = Vec::new();
    for scan in &plan.scans {
        // The engine may scan a view twice where the text names it once (a CTE read twice and inlined), so
        // with a CTE the rows are kept. A second read of a stream that was not kept is an error, never empty.
        let reads = if residual.sql.to_lowercase().contains("with") { Reads::Several } else { Reads::Once };
        senders.push(compute.attach(&scan.name, schema(&scan.columns), reads, None).map_err(compute_error)?);
    }
    let cancellers: Mutex<Vec<Canceller>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let readers: Vec<_> = plan
            .scans
            .iter()
            .zip(senders)
            .map(|(scan, sender)| {
                let cancellers = &cancellers;
                scope.spawn(move || read(scan, sources, sender, cancellers))
            })
            .collect();
        let result = compute.run(&residual.sql, sink);
        if result.is_err() {
            // Sources still reading for a query that is over would only burn their servers.
            for cancel in cancellers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                cancel();
            }
        }
        let reads: Vec<Result<ReadCount, EngineError>> = readers
            .into_iter()
            .map(|r| r.join().unwrap_or_else(|_| Err(EngineError::new(ErrorKind::Io, "a read ended unexpectedly"))))
            .collect();
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

fn read(
    scan: &RemoteScan,
    sources: &dyn Sources,
    sender: StreamSender,
    cancellers: &Mutex<Vec<Canceller>>,
) -> Result<ReadCount, EngineError> {
    let result = (|| {
        let mut connection = sources.connect(&scan.source)?;
        cancellers.lock().unwrap_or_else(PoisonError::into_inner).push(connection.canceller());
        connection.read(&scan.sql, &schema(&scan.columns), &mut |batch: RecordBatch| sender.send(batch))
    })();
    match &result {
        Ok(_) => sender.finish(),
        Err(error) => sender.fail(error.clone()),
    }
    result
}

/// The engine's failure with what it is about, under the code of its kind.
fn diagnostic(error: &EngineError, what: &str, otherwise: Code) -> Diagnostic {
    let code = match error.kind {
        ErrorKind::Connect => Code::ConnectionFailed,
        ErrorKind::Auth => Code::AuthFailed,
        ErrorKind::Missing => Code::RelationMissing,
        ErrorKind::Permission => Code::PermissionDenied,
        ErrorKind::Type => Code::PrecisionLost,
        ErrorKind::Cancelled => Code::Cancelled,
        ErrorKind::Version => Code::EngineVersion,
        ErrorKind::Statement | ErrorKind::Io => otherwise,
    };
    let mut diagnostic = Diagnostic::error(code, format!("{what}: {}", error.message));
    diagnostic.hint.clone_from(&error.hint);
    diagnostic
}
