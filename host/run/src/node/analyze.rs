//! `explain --analyze`: a model's query is run, its rows are counted and thrown away; nothing is written.

use super::federate::budget;
use crate::cluster;
use crate::database::{Database, Databases};
use crate::project::Project;
use crate::types::PluginTypes;
use arrow::array::RecordBatch;
use dvt_diagnostic::Diagnostic;
use dvt_engine::{Connection, Stop};
use dvt_federation::{Context, Estimates, Outer, ResultColumn, ResultSink, Silent, answer};
use dvt_jinja::{Execute, Runtime};
use dvt_planner::analysis::ScanRun;
use dvt_planner::ir::FederatedPlan;
use dvt_project::Node;

/// What running a plan gave.
pub(crate) struct Analysis {
    pub runs: Vec<ScanRun>,
    /// Rows of the result.
    pub rows: u64,
    /// Of a query that one database answers whole.
    pub moved: Option<(u64, u64)>,
}

/// Throws a result away.
struct Nothing;
impl ResultSink for Nothing {
    fn columns(&mut self, _: Vec<ResultColumn>) -> Result<(), Stop> {
        Ok(())
    }
    fn push(&mut self, _: RecordBatch) -> Result<(), Stop> {
        Ok(())
    }
}

/// Runs a federated model's plan.
///
/// # Errors
/// As a run of the model, but for what concerns its target.
pub(crate) fn federated(project: &Project, databases: &Databases, node: &Node, plan: &FederatedPlan) -> Result<Analysis, Diagnostic> {
    let _reads = databases.pool.reserve(super::federate::reads(plan));
    let settings = project.compute_settings(&plan.compute)?;
    let types = PluginTypes { project, pool: &databases.pool };
    let outer = cluster::engine(project, databases, &plan.compute, &node.name)?;
    let context = Context {
        sources: &databases.pool,
        settings: &settings,
        types: Some(&types),
        progress: &Silent,
        cancel: &databases.cancel,
        outer: outer.as_ref().map(|o| o as &dyn Outer),
        budget: budget(project, Some(node))?,
        estimates: Estimates::All,
        history: Some(databases),
        sharing: None,
    };
    let computed = dvt_federation::run(plan, context, &mut Nothing)?;
    let runs = computed.readings.into_iter().zip(&computed.movements).map(|(reading, movement)| ScanRun {
        estimated: reading.estimated,
        rows: movement.rows,
        bytes: movement.bytes,
        waited: reading.waited,
        shared: reading.shared,
    });
    let runs: Vec<ScanRun> = runs.collect();
    let moved = computed.movements.first().filter(|_| !plan.delegates.is_empty()).map(|m| (m.rows, m.bytes));
    Ok(Analysis { runs, rows: computed.rows, moved })
}

/// The rows that a query has on its own target, as estimated and as counted there. Nothing moves.
///
/// # Errors
/// What the target says to the query.
pub(crate) fn counted(project: &Project, node: &Node, sql: &str, database: &Database) -> Result<(Option<u64>, Option<u64>), Diagnostic> {
    let sql = sql.trim().trim_end_matches(';');
    let estimated = match &project.sheet_of(&node.target)?.estimate {
        Some(of) => database.with_session(&node.target, |session| Ok(answer(session as &mut dyn Connection, of, sql)))?,
        None => None,
    };
    let count = format!("select count(*) as dvt_rows from (\n{sql}\n) dvt_counted");
    let result = database.execute(&node.target, &count, &[], Execute { fetch: true, limit: None })?;
    let rows = result.rows.first().and_then(|r| r.first()).and_then(|v| v.as_u64().or_else(|| v.as_str()?.parse().ok()));
    Ok((estimated, rows))
}
