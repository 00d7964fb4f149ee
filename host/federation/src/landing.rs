//! A result into a staging table on its target, while it is still being computed.
//!
//! A bounded channel joins the two, so memory does not grow with the result. The rows that the compute
//! produced and the rows that the target acknowledged must be equal, or nothing is handed on. A failure removes
//! the staging table again. An empty result makes an empty table with its types.
//!
//! Not here: publishing the table, and cleaning up after runs that died ([`crate::Journal`]).

use crate::arrow_types::conform;
use crate::execute::{Context, Movement, ResultColumn, ResultSink, Types, diagnostic, run};
use crate::outside;
use crate::staging::{create_table, drop_table};
use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use dvt_diagnostic::{Code, Diagnostic};
use dvt_engine::{Connection, EngineError, ErrorKind, Stop};
use dvt_planner::dialect::DialectSheet;
use dvt_planner::ir::FederatedPlan;
use dvt_planner::types::CanonicalType;
use dvt_plugin_host::{arrow_type, canonical_type};
use dvt_project::{RelationName, TargetName};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Batches that may wait between the compute and the target.
const WAITING: usize = 4;

/// Where a result lands.
pub struct Landing<'a> {
    pub target: &'a TargetName,
    pub staging: &'a RelationName,
    pub sheet: &'a DialectSheet,
    /// DDL types that the model's contract gives, by column name; they win over the result's own.
    pub declared: &'a BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LandedColumn {
    pub name: String,
    pub canonical: CanonicalType,
    /// As the target's table has it.
    pub native: String,
}

/// A staging table that holds the whole result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landed {
    pub staging: RelationName,
    pub columns: Vec<LandedColumn>,
    pub rows: u64,
    pub movements: Vec<Movement>,
}

enum Message {
    Columns(Vec<ResultColumn>),
    Batch(RecordBatch),
    /// The compute ended; `true` only when it ended well.
    End(bool),
}

struct ToTarget(SyncSender<Message>);

impl ResultSink for ToTarget {
    fn columns(&mut self, columns: Vec<ResultColumn>) -> Result<(), Stop> {
        self.0.send(Message::Columns(columns)).map_err(|_| Stop)
    }
    fn push(&mut self, batch: RecordBatch) -> Result<(), Stop> {
        self.0.send(Message::Batch(batch)).map_err(|_| Stop)
    }
}

/// Runs the plan into a new staging table through `connection`, a session of the landing's target.
///
/// # Errors
/// As [`run`]; `DVT4005` when the target does not take the rows, `DVT4002` when the counts
/// differ, `DVT011` for a column that cannot be carried. The staging table is gone then.
pub fn land(
    plan: &FederatedPlan,
    context: Context<'_>,
    landing: &Landing<'_>,
    connection: &mut dyn Connection,
) -> Result<Landed, Diagnostic> {
    let Some(types) = context.types else {
        return Err(Diagnostic::error(Code::Internal, "a landing needs the plugins' types"));
    };
    if let (Some(outer), Some(residual), true) = (context.outer, &plan.residual, plan.delegates.is_empty()) {
        match outside::land(plan, residual, context, outer, landing, connection) {
            Ok(Some(landed)) => return Ok(landed),
            Ok(None) => {}
            Err(error) => {
                let _ = connection.execute(&drop_table(landing.sheet, landing.staging));
                return Err(error);
            }
        }
    }
    let (sender, receiver) = sync_channel(WAITING);
    let outcome = std::thread::scope(|scope| {
        let compute = scope.spawn(move || {
            let end = sender.clone();
            let result = run(plan, context, &mut ToTarget(sender));
            // Whether this arrives does not matter: a receiver that is gone has failed by itself.
            let _ = end.send(Message::End(result.is_ok()));
            result
        });
        let loaded = receive(&receiver, types, landing, connection);
        // Unblocks a compute that still produces for a load that failed.
        drop(receiver);
        let computed = compute
            .join()
            .unwrap_or_else(|_| Err(Diagnostic::error(Code::ComputeFailed, "the compute ended unexpectedly")));
        match (computed, loaded) {
            // A load that failed stops the compute, which then reports rows short or nothing wrong at all.
            (Ok(_), Err(Loaded::Failed(error))) => Err(*error),
            (Err(error), Err(Loaded::Failed(failed))) if error.code == Code::Cancelled && failed.code != Code::Cancelled => {
                Err(if context.cancel.is_cancelled() { error } else { *failed })
            }
            (Err(error), _) => Err(error),
            (Ok(_), Err(Loaded::ComputeFailed)) => Err(Diagnostic::error(Code::ComputeFailed, "the compute gave no result")),
            (Ok(computed), Ok((columns, acknowledged))) => {
                if computed.rows == acknowledged {
                    Ok(Landed { staging: landing.staging.clone(), columns, rows: acknowledged, movements: computed.movements })
                } else {
                    let message = format!(
                        "the compute produced {} rows, target `{}` acknowledged {acknowledged}",
                        computed.rows, landing.target
                    );
                    Err(Diagnostic::error(Code::CountMismatch, message).hint("nothing was published; run it again"))
                }
            }
        }
    });
    if outcome.is_err() {
        // The first failure is the one to tell; a table that stays is in the journal.
        let _ = connection.execute(&drop_table(landing.sheet, landing.staging));
    }
    outcome
}

/// Loads batches that are already at hand into a new staging table (seeds).
///
/// # Errors
/// As [`land`].
pub fn load_batches(
    columns: &[(String, CanonicalType)],
    batches: Vec<RecordBatch>,
    types: &dyn Types,
    landing: &Landing<'_>,
    connection: &mut dyn Connection,
) -> Result<Landed, Diagnostic> {
    let produced: u64 = batches.iter().map(|b| b.num_rows() as u64).sum();
    let columns = columns.iter().map(|(name, kind)| ResultColumn { name: name.clone(), canonical: Some(*kind) }).collect();
    let outcome = (|| {
        let columns = create(columns, None, types, landing, connection)?;
        let want = wanted(&columns);
        let mut batches = batches.iter().map(|b| conform(b, &want));
        let rows = load(landing, &want, &mut batches, connection).map_err(|e| *e)?;
        if rows != produced {
            let message = format!("{produced} rows were sent, target `{}` acknowledged {rows}", landing.target);
            return Err(Diagnostic::error(Code::CountMismatch, message));
        }
        Ok(Landed { staging: landing.staging.clone(), columns, rows, movements: Vec::new() })
    })();
    if outcome.is_err() {
        let _ = connection.execute(&drop_table(landing.sheet, landing.staging));
    }
    outcome
}

/// Why a load did not come to its end.
enum Loaded {
    ComputeFailed,
    Failed(Box<Diagnostic>),
}

impl From<Diagnostic> for Loaded {
    fn from(d: Diagnostic) -> Self {
        Self::Failed(Box::new(d))
    }
}

fn receive(
    receiver: &Receiver<Message>,
    types: &dyn Types,
    landing: &Landing<'_>,
    connection: &mut dyn Connection,
) -> Result<(Vec<LandedColumn>, u64), Loaded> {
    let mut described = None;
    let mut first = None;
    let mut ended = false;
    loop {
        match receiver.recv() {
            // The table is made with the first rows at hand: until then the target may still be read from.
            Ok(Message::Columns(columns)) => described = Some(columns),
            Ok(Message::Batch(batch)) => {
                first = Some(batch);
                break;
            }
            Ok(Message::End(true)) => {
                ended = true;
                break;
            }
            Ok(Message::End(false)) | Err(_) => return Err(Loaded::ComputeFailed),
        }
    }
    let Some(described) = described else {
        return Err(Loaded::ComputeFailed);
    };
    let columns = create(described, first.as_ref(), types, landing, connection)?;
    let want = wanted(&columns);
    let mut batches = std::iter::from_fn(|| {
        if ended {
            return None;
        }
        let next = first.take().map_or_else(|| receiver.recv(), |b| Ok(Message::Batch(b)));
        match next {
            Ok(Message::Batch(batch)) => Some(conform(&batch, &want)),
            Ok(Message::Columns(_)) => Some(Err(EngineError::new(ErrorKind::Io, "columns were told twice"))),
            Ok(Message::End(true)) => {
                ended = true;
                None
            }
            Ok(Message::End(false)) | Err(_) => {
                ended = true;
                Some(Err(EngineError::new(ErrorKind::Cancelled, "the compute failed")))
            }
        }
    });
    let rows = load(landing, &want, &mut batches, connection).map_err(Loaded::Failed)?;
    Ok((columns, rows))
}

/// Makes the table; its columns are typed by the description, then by the first batch.
pub(crate) fn create(
    described: Vec<ResultColumn>,
    first: Option<&RecordBatch>,
    types: &dyn Types,
    landing: &Landing<'_>,
    connection: &mut dyn Connection,
) -> Result<Vec<LandedColumn>, Diagnostic> {
    let mut known: Vec<(String, CanonicalType)> = Vec::with_capacity(described.len());
    for (i, column) in described.into_iter().enumerate() {
        let seen = || first.and_then(|b| b.schema().fields().get(i).and_then(|f| canonical_type(f.data_type())));
        let Some(canonical) = column.canonical.or_else(seen) else {
            let message = format!("column `{}` of the result has a type that cannot be carried", column.name);
            return Err(Diagnostic::error(Code::UnknownType, message).hint("cast it in the model's SQL"));
        };
        if known.iter().any(|(name, _)| name.eq_ignore_ascii_case(&column.name)) {
            let message = format!("the result has two columns named `{}`", column.name);
            return Err(Diagnostic::error(Code::SqlAmbiguous, message).hint("give one of them another name with AS"));
        }
        known.push((column.name, canonical));
    }
    let kinds: Vec<CanonicalType> = known.iter().map(|(_, kind)| *kind).collect();
    let natives = types.ddl(landing.target, &kinds)?;
    let columns: Vec<LandedColumn> = known
        .into_iter()
        .zip(natives)
        .map(|((name, canonical), native)| {
            let declared = landing.declared.iter().find(|(column, _)| column.eq_ignore_ascii_case(&name));
            let native = declared.map_or(native, |(_, kind)| kind.clone());
            LandedColumn { name, canonical, native }
        })
        .collect();
    let list: Vec<(String, String)> = columns.iter().map(|c| (c.name.clone(), c.native.clone())).collect();
    let about = |e: EngineError| diagnostic(&e, &format!("staging table on target `{}`", landing.target), Code::LoadFailed);
    connection.execute(&drop_table(landing.sheet, landing.staging)).map_err(about)?;
    connection.execute(&create_table(landing.sheet, landing.staging, &list)).map_err(about)?;
    Ok(columns)
}

fn wanted(columns: &[LandedColumn]) -> SchemaRef {
    let fields: Vec<Field> = columns.iter().map(|c| Field::new(&c.name, arrow_type(c.canonical), true)).collect();
    Arc::new(Schema::new(fields))
}

fn load(
    landing: &Landing<'_>,
    want: &SchemaRef,
    batches: &mut dyn Iterator<Item = Result<RecordBatch, EngineError>>,
    connection: &mut dyn Connection,
) -> Result<u64, Box<Diagnostic>> {
    let table = landing.sheet.render(landing.staging);
    connection
        .load(&table, want, batches)
        .map_err(|e| Box::new(diagnostic(&e, &format!("loading into target `{}`", landing.target), Code::LoadFailed)))
}
