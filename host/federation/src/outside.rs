//! A federated plan in an engine outside the host: it reads its sources and writes the staging table itself where it has
//! a way, else rows pass through the host as files of a folder that both see.
//!
//! Whatever the engine does, the staging table is made by the host, its rows are counted by the host, and publishing is
//! the materialization's work: nothing of the engine's own overwriting. A job that was lost on the way is run once more
//! on an empty staging table.
//!
//! Not here: how a product is reached and what a failure means ([`Outer`] asks plugins), and the engine's process.

use crate::arrow_types::schema;
use crate::budget::Spent;
use crate::cancel::Cancellation;
use crate::estimate;
use crate::execute::{self, Computed, Context, Movement, One, Origin, Outcome, Reading, ResultColumn, ResultSink, diagnostic};
use crate::gate::Gate;
use crate::landing::{Landed, Landing, create};
use crate::staging::drop_table;
use arrow::array::{Array, Int64Array, RecordBatch};
use arrow::datatypes::{Field, Schema};
use dvt_diagnostic::{Code, Diagnostic};
use dvt_engine::cluster::{ClusterError, ClusterSession, Job, Read, ReadColumn, Write, WriteColumn, Written};
use dvt_engine::{Connection, EngineError, ErrorKind, Exchange, ReadCount, Stop, read_parquet, write_parquet};
use dvt_planner::ir::{FederatedPlan, KeyLiteral, Reduction, RemoteScan, Residual};
use dvt_planner::reduce;
use dvt_planner::types::CanonicalType;
use dvt_project::TargetName;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Labels of this process's jobs.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// What is known of an engine outside the host and of its ways to the targets.
pub trait Outer: Sync {
    /// The session, started when it is first asked for.
    fn session(&self) -> Result<Arc<ClusterSession>, Diagnostic>;
    /// The start of this run's labels.
    fn label(&self) -> &str;
    /// How the engine reads the scan itself; None where rows pass through the host. The columns' types are the caller's.
    fn reading(&self, scan: &RemoteScan, tag: &str) -> Result<Option<Read>, Diagnostic>;
    /// How the engine fills a table of the target itself; None where rows pass through the host.
    fn writing(&self, target: &TargetName, table: &str, columns: &[(String, CanonicalType)], tag: &str) -> Result<Option<Write>, Diagnostic>;
    /// The engine's types.
    fn types(&self, types: &[CanonicalType]) -> Result<Vec<String>, Diagnostic>;
    /// Whether rows may pass by [`Outer::exchange`] that could go another way.
    fn sees_files(&self) -> bool;
    /// A new folder that the host and the whole engine see.
    fn exchange(&self) -> Result<Exchange, Diagnostic>;
    /// What a failure means, and whether the job is worth another try.
    fn explain(&self, error: &ClusterError) -> (Diagnostic, bool);
    /// Ends what still runs under the label at targets that the engine reaches itself.
    fn end(&self, targets: &BTreeSet<TargetName>, tag: &str);
    /// Told when a job is run once more.
    fn again(&self, _why: &Diagnostic) {}
}

/// A query that the engine knows, its sources readable.
struct Ready<'a> {
    job: Job,
    columns: Vec<ResultColumn>,
    /// The plan as it is read.
    plan: Cow<'a, FederatedPlan>,
    estimates: Vec<Option<u64>>,
    arranged: Vec<reduce::Read>,
    /// What the reads delivered and were asked, as far as the host knows.
    outcomes: Vec<Outcome>,
    /// Whose rows went through the host.
    passed: Vec<bool>,
    /// Targets that the engine talks to.
    reached: BTreeSet<TargetName>,
    /// Gone with its files when dropped.
    exchange: Option<Exchange>,
}

fn label(outer: &dyn Outer) -> String {
    format!("{}-{}", outer.label(), NEXT.fetch_add(1, Ordering::SeqCst))
}

/// The engine's types of a scan's columns.
///
/// # Errors
/// Names the first column that the engine cannot hold, before anything moves.
fn typed(scan: &RemoteScan, outer: &dyn Outer) -> Result<Vec<ReadColumn>, Diagnostic> {
    let one = |c: &dvt_planner::ir::ScanColumn| {
        let kind = outer.types(&[c.canonical]).map_err(|e| Diagnostic {
            message: format!("column `{}` of `{}` on target `{}` ({}): {}", c.name, scan.relation.identifier, scan.source, c.native, e.message),
            ..e
        })?;
        Ok(ReadColumn { name: c.name.clone(), kind: kind.into_iter().next().unwrap_or_default() })
    };
    scan.columns.iter().map(one).collect()
}

/// One read into a file, through the host.
fn pass(one: One<'_>, path: &std::path::Path) -> Result<Outcome, EngineError> {
    let want = schema(&one.plan.scans[one.read.scans[0]].columns);
    let mut told = Outcome::default();
    let count = write_parquet(path, &want, |sink| {
        told = one.moved(&mut |batch| sink.push(batch))?;
        Ok(told.count)
    })?;
    Ok(Outcome { count, ..told })
}

/// No more keys than a list has: the engine carries the statement through its own plans and logs.
fn modest(reduction: &Reduction) -> Reduction {
    let array = reduction.array.clone().map(|a| KeyLiteral { most: a.most.min(reduction.most), bytes: a.bytes.min(reduction.bytes), ..a });
    Reduction { array, ..reduction.clone() }
}

/// Makes the scans readable and the query known.
///
/// What gives keys to another read goes through the host, which tells them from the very rows that the engine then sees;
/// where the engine sees no files of the host nothing waits for keys.
fn ready<'a>(plan: &'a FederatedPlan, residual: &Residual, context: Context<'_>, outer: &dyn Outer, tag: &str) -> Result<Ready<'a>, Diagnostic> {
    let mut plan = Cow::Borrowed(plan);
    if !plan.reductions.is_empty() {
        let reductions = if outer.sees_files() { plan.reductions.iter().map(modest).collect() } else { Vec::new() };
        plan = Cow::Owned(FederatedPlan { reductions, ..plan.into_owned() });
    }
    let estimates = estimate::found(&plan, context)?;
    let arranged = reduce::arrange(&plan, &estimates);
    let gives = |read: &reduce::Read| arranged.iter().flat_map(|r| &r.reductions).any(|n| read.scans.iter().any(|s| plan.scans[*s].name == plan.reductions[*n].by));
    let asking = |read: &reduce::Read, sql: &str| outer.reading(&RemoteScan { sql: sql.to_owned(), ..plan.scans[read.scans[0]].clone() }, tag);
    let mut reads: Vec<Read> = Vec::new();
    let mut through: Vec<usize> = Vec::new();
    let mut reached = BTreeSet::new();
    for (i, read) in arranged.iter().enumerate() {
        let scan = &plan.scans[read.scans[0]];
        let columns = typed(scan, outer)?;
        // Asked first: what its connector does not carry is refused whichever way the rows go.
        let own = asking(read, &read.sql)?.filter(|_| !gives(read));
        if own.is_some() {
            reached.insert(scan.source.clone());
        } else {
            through.push(i);
        }
        let own = own.unwrap_or_else(|| Read { format: "parquet".to_owned(), ..Read::default() });
        let aliases = read.scans[1..].iter().map(|s| plan.scans[*s].name.clone()).collect();
        reads.push(Read { name: scan.name.clone(), columns, aliases, ..own });
    }
    let session = outer.session()?;
    if context.cancel.is_cancelled() {
        return Err(Diagnostic::error(Code::Cancelled, "cancelled"));
    }
    let gates: Vec<Gate> = plan.reductions.iter().map(|_| Gate::default()).collect();
    let (reading, spent) = (Cancellation::default(), Spent::default());
    let one = |i: usize| One { plan: &plan, read: &arranged[i], reads: &arranged, gates: &gates, estimates: &estimates, spent: &spent, context, reading: &reading };
    let mut outcomes: Vec<Outcome> = arranged.iter().map(|_| Outcome::default()).collect();
    let exchange = if through.is_empty() { None } else { Some(outer.exchange()?) };
    if let Some(exchange) = &exchange {
        let names: Vec<String> = reads.iter().map(|r| r.name.clone()).collect();
        let path = |i: usize| exchange.path().join(format!("{}.parquet", names[i]));
        let counts: Vec<(usize, Result<Outcome, EngineError>)> = std::thread::scope(|scope| {
            let readers: Vec<_> = through
                .iter()
                .map(|i| {
                    let (one, path, reading) = (one(*i), path(*i), &reading);
                    let reader = scope.spawn(move || {
                        let outcome = pass(one, &path);
                        if outcome.is_err() {
                            // What the others still read would be thrown away.
                            reading.cancel();
                        }
                        outcome
                    });
                    (*i, reader)
                })
                .collect();
            let ended = |e: Box<dyn std::any::Any + Send>| {
                drop(e);
                Err(EngineError::new(ErrorKind::Io, "a read ended unexpectedly"))
            };
            readers.into_iter().map(|(i, r)| (i, r.join().unwrap_or_else(ended))).collect()
        });
        // A read that was cancelled only follows from another's failure.
        let failed = |cancelled: bool| counts.iter().find_map(|(i, c)| c.as_ref().err().filter(|e| (e.kind == ErrorKind::Cancelled) == cancelled).map(|e| (*i, e)));
        if let Some((i, error)) = failed(false).or_else(|| failed(true)) {
            if context.cancel.is_cancelled() {
                return Err(Diagnostic::error(Code::Cancelled, "cancelled"));
            }
            let scan = &plan.scans[arranged[i].scans[0]];
            return Err(diagnostic(error, &format!("`{}` of target `{}`", scan.relation.identifier, scan.source), Code::ReadFailed));
        }
        for (i, outcome) in counts {
            let path = path(i).display().to_string();
            reads[i].path = Some(path);
            outcomes[i] = outcome.unwrap_or_default();
        }
    }
    // Whoever gives keys has told them by now.
    for (i, read) in arranged.iter().enumerate().filter(|(i, r)| !through.contains(i) && !r.reductions.is_empty()) {
        let (sql, waited) = one(i).asked();
        outcomes[i].waited = waited;
        if let Some(own) = asking(read, &sql)? {
            reads[i] = Read { name: reads[i].name.clone(), columns: reads[i].columns.clone(), aliases: reads[i].aliases.clone(), ..own };
        }
    }
    let passed = (0..arranged.len()).map(|i| through.contains(&i)).collect();
    let job = session.job(tag);
    let described = {
        let _watch = context.cancel.watch(job.canceller());
        job.describe(&reads, &residual.sql)
    };
    let described = described.map_err(|e| told(&e, context, outer, &reached, tag).0)?;
    let Some(types) = context.types else {
        return Err(Diagnostic::error(Code::Internal, "an engine outside the host needs the plugins' types"));
    };
    let canonical = types.canonical(Origin::Compute(&plan.compute), &described)?;
    let mut columns = Vec::new();
    for (column, canonical) in described.into_iter().zip(canonical) {
        if canonical.is_none() {
            let message = format!("column `{}` of the result is {}, which cannot be carried", column.name, column.native);
            return Err(Diagnostic::error(Code::UnknownType, message).hint("cast it in the model's SQL"));
        }
        // A type that the engine has no name for, where it holds that one so.
        let held = |kind: &CanonicalType| outer.types(&[*kind]).is_ok_and(|own| own == [column.native.clone()]);
        let canonical = residual.passed(&column.name).filter(held).or(canonical);
        columns.push(ResultColumn { name: column.name, canonical });
    }
    Ok(Ready { job, columns, plan, estimates, arranged, outcomes, passed, reached, exchange })
}

/// What a failure means; whatever still runs for the job at the databases is ended.
fn told(error: &ClusterError, context: Context<'_>, outer: &dyn Outer, reached: &BTreeSet<TargetName>, tag: &str) -> (Diagnostic, bool) {
    outer.end(reached, tag);
    if context.cancel.is_cancelled() || error.cancelled {
        return (Diagnostic::error(Code::Cancelled, "cancelled"), false);
    }
    outer.explain(error)
}

fn execute(ready: &Ready<'_>, write: &Write, context: Context<'_>) -> Result<Written, ClusterError> {
    let _watch = context.cancel.watch(ready.job.canceller());
    ready.job.write(write, &mut |tasks| context.progress.tasks(tasks))
}

/// What was moved: counted by the host, else by the engine.
fn moved(ready: Ready<'_>, written: &Written) -> (Vec<Movement>, Vec<Reading>) {
    let Ready { plan, estimates, arranged, mut outcomes, passed, .. } = ready;
    for ((read, outcome), _) in arranged.iter().zip(&mut outcomes).zip(&passed).filter(|(_, passed)| !**passed) {
        let counted = written.scanned.get(&plan.scans[read.scans[0]].name).copied().unwrap_or_default();
        outcome.count = ReadCount { rows: counted, bytes: 0 };
    }
    execute::told(&plan, &arranged, outcomes, &estimates)
}

/// Runs the plan and hands its result on through files.
pub(crate) fn run(plan: &FederatedPlan, residual: &Residual, context: Context<'_>, outer: &dyn Outer, sink: &mut dyn ResultSink) -> Result<Computed, Diagnostic> {
    let tag = label(outer);
    let mut ready = ready(plan, residual, context, outer, &tag)?;
    let exchange = match ready.exchange.take() {
        Some(exchange) => exchange,
        None => outer.exchange()?,
    };
    let kinds: Vec<CanonicalType> = ready.columns.iter().filter_map(|c| c.canonical).collect();
    let types = outer.types(&kinds)?;
    if sink.columns(ready.columns.clone()).is_err() {
        return Ok(Computed { rows: 0, movements: Vec::new(), readings: Vec::new() });
    }
    let written = |folder: &std::path::Path| {
        let columns = types.iter().enumerate().map(|(i, kind)| WriteColumn { name: format!("c{i}"), by: format!("cast({{}} as {kind})") }).collect();
        let write = Write { format: "parquet".to_owned(), mode: "error".to_owned(), path: Some(folder.display().to_string()), columns, ..Write::default() };
        execute(&ready, &write, context)
    };
    // A folder that a lost job left is never read: the second try has one of its own.
    let first = exchange.path().join("result");
    let (folder, written) = match written(&first) {
        Ok(done) => (first, done),
        Err(error) => match told(&error, context, outer, &ready.reached, &tag) {
            (why, true) => {
                outer.again(&why);
                let second = exchange.path().join("again");
                let done = written(&second).map_err(|e| told(&e, context, outer, &ready.reached, &tag).0)?;
                (second, done)
            }
            (why, false) => return Err(why),
        },
    };
    let mut stopped = false;
    let read = read_parquet(&folder, &mut |batch: RecordBatch| -> Result<(), Stop> {
        context.progress.produced(batch.num_rows() as u64);
        let handed = if context.cancel.is_cancelled() { Err(Stop) } else { named(&batch, &ready.columns).and_then(|batch| sink.push(batch)) };
        stopped |= handed.is_err();
        handed
    });
    if context.cancel.is_cancelled() {
        return Err(Diagnostic::error(Code::Cancelled, "cancelled"));
    }
    let read = read.map_err(|e| diagnostic(&e, &format!("result of compute `{}`", plan.compute), Code::ComputeFailed))?;
    if let Some(rows) = written.rows
        && rows != read.rows
        && !stopped
    {
        return Err(mismatch(plan, rows, read.rows));
    }
    let (movements, readings) = moved(ready, &written);
    Ok(Computed { rows: read.rows, movements, readings })
}

/// Files have names of their own for columns.
fn named(batch: &RecordBatch, columns: &[ResultColumn]) -> Result<RecordBatch, Stop> {
    let schema = batch.schema();
    let fields: Vec<Field> = columns.iter().zip(schema.fields()).map(|(c, f)| Field::new(&c.name, f.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), batch.columns().to_vec()).map_err(|_| Stop)
}

fn mismatch(plan: &FederatedPlan, produced: u64, there: u64) -> Diagnostic {
    Diagnostic::error(Code::CountMismatch, format!("compute `{}` produced {produced} rows, {there} are there", plan.compute)).hint("nothing was published; run it again")
}

/// Runs the plan straight into a new staging table; None where the engine has no way to the target.
///
/// # Errors
/// As [`crate::land`]. The staging table may be there then.
pub(crate) fn land(
    plan: &FederatedPlan,
    residual: &Residual,
    context: Context<'_>,
    outer: &dyn Outer,
    landing: &Landing<'_>,
    connection: &mut dyn Connection,
) -> Result<Option<Landed>, Diagnostic> {
    let tag = label(outer);
    let table = landing.sheet.render(landing.staging);
    let Some(types) = context.types else {
        return Err(Diagnostic::error(Code::Internal, "a landing needs the plugins' types"));
    };
    if outer.writing(landing.target, &table, &[], &tag)?.is_none() {
        return Ok(None);
    }
    let mut ready = ready(plan, residual, context, outer, &tag)?;
    let columns = create(ready.columns.clone(), None, types, landing, connection)?;
    let typed: Vec<(String, CanonicalType)> = columns.iter().map(|c| (c.name.clone(), c.canonical)).collect();
    let Some(mut write) = outer.writing(landing.target, &table, &typed, &tag)? else {
        return Err(Diagnostic::error(Code::Internal, "a way to the target was lost"));
    };
    // Types first: the expression of the way sees the column in the type that the table was made for.
    let kinds = outer.types(&typed.iter().map(|(_, k)| *k).collect::<Vec<_>>())?;
    for (column, kind) in write.columns.iter_mut().zip(&kinds) {
        column.by = column.by.replace("{}", &format!("cast({{}} as {kind})"));
    }
    ready.reached.insert(landing.target.clone());
    let mut tried = false;
    loop {
        let outcome = execute(&ready, &write, context).map_err(|e| told(&e, context, outer, &ready.reached, &tag)).and_then(|written| {
            let there = counted(connection, &table, landing).map_err(|e| (e, false))?;
            match written.rows {
                // A partition that was committed and not acknowledged was written twice.
                Some(rows) if rows != there => Err((mismatch(plan, rows, there), true)),
                _ => Ok((written, there)),
            }
        });
        match outcome {
            Ok((written, rows)) => {
                context.progress.produced(rows);
                let (movements, _) = moved(ready, &written);
                return Ok(Some(Landed { staging: landing.staging.clone(), columns, rows, movements }));
            }
            Err((why, true)) if !tried => {
                tried = true;
                outer.again(&why);
                // What was lost may still be on its way: a table that is gone takes no more rows.
                let about = |e| diagnostic(&e, &format!("staging table on target `{}`", landing.target), Code::LoadFailed);
                outer.end(&ready.reached, &tag);
                connection.execute(&drop_table(landing.sheet, landing.staging)).map_err(about)?;
                create(ready.columns.clone(), None, types, landing, connection)?;
            }
            Err((why, _)) => return Err(why),
        }
    }
}

/// Rows of the staging table, as its target counts them.
fn counted(connection: &mut dyn Connection, table: &str, landing: &Landing<'_>) -> Result<u64, Diagnostic> {
    let about = |e: EngineError| diagnostic(&e, &format!("staging table on target `{}`", landing.target), Code::LoadFailed);
    let rows = connection.query(&format!("select count(*) as n from {table}"), None).map_err(about)?;
    let value = rows.batches.first().and_then(|b| arrow::compute::cast(b.column(0), &arrow::datatypes::DataType::Int64).ok());
    let counts = value.as_ref().and_then(|v| v.as_any().downcast_ref::<Int64Array>().filter(|a| !a.is_empty() && !a.is_null(0)).map(|a| a.value(0)));
    counts.and_then(|n| u64::try_from(n).ok()).ok_or_else(|| Diagnostic::error(Code::LoadFailed, format!("target `{}` does not count its rows", landing.target)))
}
