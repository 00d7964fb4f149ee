//! A microbatch model: one build for each span of time, oldest first.
//!
//! The first batch makes the table where there is none; when it fails, the others are not tried. A later batch
//! that fails leaves its span as it was and the others go on.

use super::{Done, Runner, Status, model};
use crate::batches::{BatchSize, batches, moment, of_system, these};
use crate::database::Database;
use crate::log::{Event, Level};
use crate::printer::Tone;
use chrono::NaiveDateTime;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_jinja::{Batch, Overlay, Runtime};
use dvt_project::Node;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn is_one(node: &Node) -> bool {
    node.materialized() == "incremental" && node.config_str("incremental_strategy") == Some("microbatch")
}

pub(super) fn run(runner: &Runner, node: &Node, database: &Arc<Database>, done: &mut Done) -> Result<(), Diagnostic> {
    let _turn = runner.turn(node, database)?;
    let before = runner.project.settings.batches.get(node.unique_id.as_str());
    let (size, list) = spans(runner, node, database, before)?;
    let total = list.len();
    let (mut good, mut bad): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    let mut first_error = None;
    let mut rows = None;
    for (i, batch) in list.into_iter().enumerate() {
        let shown = moment(&batch.start).map(|at| size.shown(at)).unwrap_or_default();
        let what = format!("batch {shown} of {}", node.name);
        // As dbt writes them: `2024-01-31T00:00:00+00:00`.
        let written = |at: &str| moment(at).map(|at| at.format("%Y-%m-%dT%H:%M:%S+00:00").to_string()).unwrap_or_default();
        let span = json!([written(&batch.start), written(&batch.end)]);
        let printer = &runner.databases.printer;
        let tell = |action: &str, status: &str, tone: Tone| {
            let (line, painted) = printer.step(i + 1, total, &format!("{action} {what}"), status, tone);
            let data = json!({"description": what, "status": status, "batch_index": i + 1, "total_batches": total, "node_info": {"unique_id": node.unique_id}});
            printer.event(Event { painted: Some(painted), ..Event::new("Q045", "LogBatchResult", Level::Info, line, data) });
        };
        if runner.databases.cancel.is_cancelled() || (first_error.is_some() && good.is_empty()) {
            tell("SKIP", "SKIP", Tone::Warn);
            bad.push(span);
            continue;
        }
        let part = before.is_some() || !batch.first;
        let engine = runner.project.engine.with(Overlay { batch: Some(batch), unit: None });
        let mut one = Done::new(&done.id);
        // A session of its own: a batch that fails may leave one that cannot be used.
        let own = Arc::new(database.another());
        let outcome = model::build(runner, &engine, node, part, &own, &mut one);
        done.movements.append(&mut one.movements);
        done.warnings.append(&mut one.warnings);
        done.timing.append(&mut one.timing);
        done.compiled = one.compiled.or_else(|| done.compiled.take());
        done.plan = one.plan.or_else(|| done.plan.take());
        match outcome {
            Ok(()) => {
                rows = one.rows.map_or(rows, |n| Some(rows.unwrap_or(0) + n));
                tell("OK created", &one.word, Tone::Good);
                good.push(span);
            }
            Err(error) => {
                tell("ERROR creating", "ERROR", Tone::Bad);
                bad.push(span);
                first_error.get_or_insert(error);
            }
        }
    }
    done.rows = rows;
    let done_now = good.len();
    good.extend(before.and_then(|b| b.get("successful")?.as_array().cloned()).unwrap_or_default());
    done.batches = Some(json!({"successful": good, "failed": bad}));
    match first_error {
        Some(error) if good.is_empty() => Err(error),
        Some(error) => {
            done.status = Status::Partial;
            done.word = format!("PARTIAL SUCCESS ({done_now}/{total})");
            done.message = Some(format!("{}\n{error}", done.word));
            done.error = Some(error);
            Ok(())
        }
        None if bad.is_empty() => {
            "SUCCESS".clone_into(&mut done.word);
            Ok(())
        }
        None => Err(Diagnostic::error(Code::Cancelled, "cancelled")),
    }
}

/// The batches to build: from `--event-time-start`, else `begin` for a table that is not there or is made anew, else
/// `lookback` batches before the newest; to `--event-time-end`, else now. A retry builds what failed before, and no more.
fn spans(runner: &Runner, node: &Node, database: &Arc<Database>, before: Option<&Value>) -> Result<(BatchSize, Vec<Batch>), Diagnostic> {
    let project = &runner.project;
    let wrong = |text: String, hint: &str| Diagnostic::error(Code::ConfigInvalid, text).at(node.span.clone()).hint(hint.to_owned());
    if node.config_str("event_time").is_none() {
        return Err(wrong(format!("the microbatch model `{}` has no `event_time`", node.name), "set event_time to the column that tells when a row happened"));
    }
    let size = node.config_str("batch_size").and_then(BatchSize::parse).ok_or_else(|| {
        wrong(format!("the microbatch model `{}` has no `batch_size`", node.name), "set batch_size to hour, day, month or year")
    })?;
    if let Some(failed) = before.and_then(|b| b.get("failed")?.as_array()) {
        let span = |pair: &Value| Some((moment(pair.get(0)?.as_str()?)?, moment(pair.get(1)?.as_str()?)?));
        return Ok((size, these(size, &failed.iter().filter_map(span).collect::<Vec<_>>())));
    }
    let named = |name: &str, text: &str| moment(text).ok_or_else(|| wrong(format!("`{text}` of {name} is no moment"), "write it as 2024-01-31 or 2024-01-31T12:00:00"));
    let flags = &project.input.invocation.flags;
    let sample = |key: &str| flags.get("sample").and_then(|s| s.get(key)).and_then(Value::as_str).map(str::to_owned);
    let given = |option: &Option<String>, key: &str, name: &str| -> Result<Option<NaiveDateTime>, Diagnostic> {
        sample(key).or_else(|| option.clone()).map(|text| named(name, &text)).transpose()
    };
    let start = given(&project.settings.event_time_start, "start", "--event-time-start")?;
    let end = given(&project.settings.event_time_end, "end", "--event-time-end")?;
    let end = size.ceiling(end.unwrap_or_else(|| of_system(project.started)));
    let start = match start {
        Some(at) => size.floor(at),
        None => {
            let there = match &node.relation {
                Some(relation) => database.get_relation(&node.target, relation)?.is_some_and(|r| r.kind == "table"),
                None => false,
            };
            let anew = node.config.get("full_refresh").and_then(Value::as_bool).unwrap_or(project.settings.full_refresh);
            if there && !anew {
                let lookback = node.config.get("lookback").and_then(Value::as_i64).unwrap_or(1).max(0);
                // The end is a border: the newest batch lies before it.
                size.offset(end, -(lookback + 1))
            } else {
                let begin = node.config_str("begin").ok_or_else(|| {
                    wrong(format!("the microbatch model `{}` has no `begin`", node.name), "set begin to the moment from which the table is built")
                })?;
                size.floor(named("begin", begin)?)
            }
        }
    };
    if start > end {
        return Err(wrong(format!("the span of `{}` ends before it starts", node.name), "give --event-time-start and --event-time-end in order"));
    }
    Ok((size, batches(size, start, end)))
}
