//! A model or a snapshot: compiled, then materialized where its inputs are, or computed, landed and materialized from there.

use super::{Done, Runner, federate, span};
use crate::database::Database;
use crate::printer::now;
use dvt_diagnostic::Diagnostic;
use dvt_jinja::{Engine, Rows};
use dvt_project::{ExecutionPath, Node};
use std::sync::Arc;

pub(super) fn run(runner: &Runner, node: &Node, database: &Arc<Database>, done: &mut Done) -> Result<(), Diagnostic> {
    // Held to the end: what another run builds is seen whole, by `is_incremental()` first.
    let _turn = runner.turn(node, database)?;
    build(runner, &runner.project.engine, node, false, database, done)
}

/// Builds the node by these templates; `part` when its rows must never stand for the whole, whatever the text asks.
pub(super) fn build(runner: &Runner, engine: &Engine, node: &Node, part: bool, database: &Arc<Database>, done: &mut Done) -> Result<(), Diagnostic> {
    let mut compiled = runner.compile_with(engine, node, database, done)?;
    compiled.is_incremental |= part;
    let began = now();
    let outcome = match node.execution {
        ExecutionPath::Pushdown => {
            let rows = Rows { sql: &compiled.sql, staged: None, part: compiled.is_incremental };
            engine.materialize(&node.unique_id, rows, database.clone())
        }
        ExecutionPath::Federation => {
            done.warnings.extend(dvt_planner::explain::coerced(node));
            federate::build(runner, engine, node, &compiled, database, done)
        }
    };
    runner.artifacts.executed(node, &database.statements())?;
    let built = outcome?;
    done.timing.push(span("execute", began));
    done.rows = done.rows.or(built.rows_affected);
    done.word = match (node.execution, done.rows) {
        (ExecutionPath::Federation, Some(rows)) => format!("SELECT {rows}"),
        _ if built.message.is_empty() => "OK".to_owned(),
        _ => built.message,
    };
    Ok(())
}
