//! A data test: its counting query, on its target or federated, and what the counts mean.

use super::federate::{self, collect, plan_node};
use super::neutral::in_compute_dialect;
use super::{Done, Runner, Status, span};
use crate::database::Database;
use crate::printer::now;
use crate::values;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_federation::Sharing;
use dvt_jinja::{Compiled, Execute, Rows, Runtime, TestQuery};
use dvt_project::{ExecutionPath, Node};
use serde_json::Value;
use std::sync::Arc;

pub(super) fn run(runner: &Runner, node: &Node, database: &Arc<Database>, done: &mut Done) -> Result<(), Diagnostic> {
    let compiled = runner.compile(node, database, done)?;
    let began = now();
    let engine = &runner.project.engine;
    let stored = node.relation.as_ref();
    let query = match stored {
        Some(relation) => {
            store(runner, node, &compiled, database, done)?;
            engine.test_query(&node.unique_id, &engine.all_of(&node.target, relation))?
        }
        None => engine.test_query(&node.unique_id, &compiled)?,
    };
    runner.artifacts.executed(node, std::slice::from_ref(&query.compiled.sql))?;
    let row = match node.execution {
        // Stored rows are on the test's own target.
        path if path == ExecutionPath::Pushdown || stored.is_some() => {
            let reads: Vec<_> = query.compiled.relations.iter().map(|u| u.relation.clone()).collect();
            let result = database.execute(&node.target, &query.compiled.sql, &reads, Execute { fetch: true, limit: None })?;
            result.columns.into_iter().map(|(name, _)| name).zip(result.rows.into_iter().next().unwrap_or_default()).collect()
        }
        _ => {
            let neutral = in_compute_dialect(&runner.project, node, &query.compiled, database)?;
            let planned = plan_node(&runner.project, neutral.as_ref().unwrap_or(node), &query.compiled, database)?;
            runner.artifacts.planned(&planned.plan);
            let sharing = Sharing { reads: &runner.reads, node: &node.unique_id, target: &node.target };
            let collected = collect(&runner.project, &runner.databases, &planned.plan, None, Some(sharing))?;
            done.plan = Some(planned.plan);
            done.movements.clone_from(&collected.movements);
            let batch = collected.batches.iter().find(|b| b.num_rows() > 0);
            let cells = |b: &arrow::array::RecordBatch| {
                b.schema().fields().iter().zip(b.columns()).map(|(f, c)| (f.name().clone(), values::value(c, 0))).collect::<Vec<_>>()
            };
            batch.map(cells).unwrap_or_default()
        }
    };
    done.timing.push(span("execute", began));
    judge(node, &query, &row, done)
}

/// Puts the rows that the test finds into its own relation.
fn store(runner: &Runner, node: &Node, compiled: &Compiled, database: &Arc<Database>, done: &mut Done) -> Result<(), Diagnostic> {
    let engine = &runner.project.engine;
    let _turn = runner.turn(node, database)?;
    let limited = engine.limited(&node.unique_id, compiled)?;
    match node.execution {
        ExecutionPath::Pushdown => {
            let rows = Rows { sql: &limited.sql, staged: None, part: false };
            engine.materialize(&node.unique_id, rows, database.clone())?;
        }
        ExecutionPath::Federation => {
            let neutral = in_compute_dialect(&runner.project, node, &limited, database)?;
            federate::build(runner, engine, neutral.as_ref().unwrap_or(node), &limited, database, done)?;
        }
    }
    Ok(())
}

/// Numbers may come as numbers or as text, truth values as either too.
fn judge(node: &Node, query: &TestQuery, row: &[(String, Value)], done: &mut Done) -> Result<(), Diagnostic> {
    let get = |name: &str| {
        let found = row.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v);
        found.ok_or_else(|| Diagnostic::error(Code::TestFailed, format!("the query of test `{}` gives no `{name}`", node.name)))
    };
    let holds = |name: &str| -> Result<bool, Diagnostic> {
        let value = get(name)?;
        Ok(match value {
            Value::Bool(b) => *b,
            Value::Number(n) => n.as_f64().is_some_and(|n| n != 0.0),
            Value::String(s) => matches!(s.to_ascii_lowercase().as_str(), "true" | "t" | "1"),
            _ => false,
        })
    };
    let failures = match get("failures")? {
        Value::Number(n) => n.as_u64().or_else(|| n.as_f64().map(|f| f.max(0.0) as u64)).unwrap_or_default(),
        Value::String(s) => s.parse::<f64>().map(|f| f.max(0.0) as u64).unwrap_or_default(),
        _ => 0,
    };
    done.failures = Some(failures);
    let (should_error, should_warn) = (holds("should_error")?, holds("should_warn")?);
    let plural = if failures == 1 { "result" } else { "results" };
    if query.severity == "error" && should_error {
        done.status = Status::Fail;
        done.word = format!("FAIL {failures}");
        done.message = Some(format!("Got {failures} {plural}, configured to fail if {}", query.error_if));
    } else if should_warn {
        done.status = Status::Warn;
        done.word = format!("WARN {failures}");
        done.message = Some(format!("Got {failures} {plural}, configured to warn if {}", query.warn_if));
    } else {
        done.status = Status::Pass;
        "PASS".clone_into(&mut done.word);
        done.failures = Some(0);
    }
    Ok(())
}
