//! `run`, `build`, `seed`, `test`: the selected nodes in order, their lines, their artifacts.

use super::lines::{Lines, hook_id, kind_of_id, shown_materialization};
use super::{FAILED, OK, Prepared, Task};
use crate::artifacts::Artifacts;
use crate::database::{Database, Databases};
use crate::log::name_thread;
use crate::node::{Done, Runner, Status};
use crate::printer::{iso, now};
use crate::project::{Project, check_adapters};
use crate::schedule::{Ended, Schedule};
use dvt_diagnostic::{Code, Diagnostic};
use dvt_federation::{Journal, Leftover, drop_table};
use dvt_engine::Connection;
use dvt_jinja::Asking;
use dvt_mdm::{Fact, MovementFact, NodeFact, RunFact};
use dvt_project::warnings::Fate;
use dvt_project::{ExecutionPath, HookDef, Manifest, Node, ResourceType, TargetName, UniqueId};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

impl Task {
    /// # Errors
    /// What keeps the command from running at all.
    pub fn run(&self) -> Result<u8, Vec<Diagnostic>> {
        let Prepared { project, databases, chosen } = self.prepared(true)?;
        self.run_nodes(project, databases, chosen)
    }

    /// Runs `chosen` in order, with hooks, lines and artifacts.
    pub(super) fn run_nodes(&self, project: Arc<Project>, databases: Arc<Databases>, mut chosen: BTreeSet<UniqueId>) -> Result<u8, Vec<Diagnostic>> {
        let one = |d: Diagnostic| vec![d];
        let since = Instant::now();
        let artifacts = Artifacts::new(project.clone());
        if chosen.is_empty() {
            self.nothing_to_do();
            artifacts.results(&[], 0.0).map_err(one)?;
            self.calm()?;
            return Ok(OK);
        }
        chosen.retain(|id| project.manifest.nodes.get(id).is_none_or(|n| !n.is_ephemeral()));
        let journal = Journal::open(&project.home.data().join("spool"), project.invocation())
            .map_err(|e| vec![Diagnostic::error(Code::Artifact, format!("the journal of staging tables cannot be written: {e}"))])?;
        let used: BTreeSet<TargetName> = chosen.iter().filter_map(|id| node_of(&project.manifest, id)).map(|n| n.target.clone()).collect();
        let missing = check_adapters(&project, &used);
        if !missing.is_empty() {
            return Err(missing);
        }
        clean_up(&project, &databases, &used, &self.printer);
        let schedule = Schedule::new(&project.manifest, &project.graph, &chosen, self.settings.which == "build");
        let runner = Runner::new(project.clone(), databases.clone(), artifacts, Some(journal)).sharing(&schedule.order);
        let lines = Lines { project: &project, printer: &self.printer };
        let threads = project.threads();
        lines.concurrency(threads, schedule.order.len());

        if !project.manifest.on_run_start.is_empty() {
            // As in dbt the schemas are there before the first hook; what keeps one from being made is its nodes' error.
            runner.make_schemas(&schedule.order);
        }
        let mut results = self.hooks(&runner, "on-run-start", &project.manifest.on_run_start, &[]);
        if results.iter().any(|d| d.status == Status::Error) {
            results.extend(schedule.order.iter().map(|id| Done::skipped(id, None, false)));
        } else {
            let ran = self.nodes(&runner, &schedule, threads as usize);
            let shown: Vec<Value> = ran.iter().map(|d| result_value(&project, d)).collect();
            results.extend(ran);
            results.extend(self.hooks(&runner, "on-run-end", &project.manifest.on_run_end, &shown));
        }
        let elapsed = since.elapsed().as_secs_f64();
        let failed = results.iter().any(|d| matches!(d.status, Status::Error | Status::Fail | Status::Partial)) || self.cancel.is_cancelled() || self.printer.escalated();
        runner.artifacts.results(&results, elapsed).map_err(one)?;
        lines.finished(&results, elapsed);
        lines.summary(&results, self.cancel.is_cancelled());
        remember(&project, &databases, &results, !failed);
        drop(runner);
        // The spool's lock goes with its last owner; only then can it be folded in.
        drop(databases);
        if let Err(busy) = project.home.mdm().set_rules(&project.plugins.rule_texts()).and_then(|()| project.home.mdm().fold()) {
            self.printer.diagnostic(&busy.diagnostic());
        }
        Ok(if failed { FAILED } else { OK })
    }

    fn nodes(&self, runner: &Runner, schedule: &Schedule, threads: usize) -> Vec<Done> {
        let lines = Lines { project: &runner.project, printer: &self.printer };
        let total = schedule.order.len();
        let results: Mutex<Vec<Done>> = Mutex::default();
        let keep = |done: Done| results.lock().unwrap_or_else(PoisonError::into_inner).push(done);
        let work = |id: &UniqueId, number: usize, thread: usize| {
            name_thread(format!("Thread-{thread} (worker)"));
            let started_at = iso(now());
            let mut done = if is_idle(runner, id) {
                Done::idle(id, thread)
            } else {
                lines.started(number, total, id);
                runner.run(id, thread)
            };
            if done.status == Status::Warn && self.printer.fate("LogTestResult") == Fate::Error {
                done.status = Status::Fail;
                done.word = done.word.replace("WARN", "FAIL");
            }
            for warning in &done.warnings {
                self.printer.diagnostic(warning);
            }
            lines.ended(number, total, &done, &started_at);
            let ended = if done.status.blocks() { Ended::Badly } else { Ended::Well };
            if ended == Ended::Badly && self.settings.fail_fast {
                // What goes on meanwhile may be long: the reason to stop is told at once.
                lines.failure(&done);
            }
            keep(done);
            runner.reads.over(id);
            ended
        };
        let skip = |id: &UniqueId, number: usize, because: Option<&UniqueId>| {
            lines.skipped(number, total, id, because);
            keep(Done::skipped(id, because, self.cancel.is_cancelled()));
            runner.reads.over(id);
        };
        schedule.run(threads, self.settings.fail_fast, &self.cancel, &work, &skip, &|id| runner.reads.ready(id));
        let mut done = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        let places: BTreeMap<&UniqueId, usize> = schedule.order.iter().enumerate().map(|(i, id)| (id, i)).collect();
        done.sort_by_key(|d| places.get(&d.id).copied());
        done
    }

    /// Runs hooks in order until one fails.
    pub(super) fn hooks(&self, runner: &Runner, when: &str, hooks: &[HookDef], results: &[Value]) -> Vec<Done> {
        let lines = Lines { project: &runner.project, printer: &self.printer };
        let mut out = Vec::new();
        for (i, hook) in hooks.iter().enumerate() {
            let since = Instant::now();
            // A hook is named by its place among those of its package.
            let place = hooks[..i].iter().filter(|h| h.package == hook.package).count();
            lines.hook_started(i + 1, hooks.len(), hook, (when, place));
            let engine = &runner.project.engine;
            let mut done = Done::new(&hook_id(hook, when, place));
            let target = hook.connection.as_deref().map_or_else(|| runner.project.manifest.default_target.clone(), TargetName::from);
            let outcome = engine.query_comment(Asking::Node(&done.id), &target).and_then(|comment| {
                let database = Arc::new(Database::new(runner.databases.clone()).commented(comment));
                engine.run_hook(hook, database, results)
            });
            done.seconds = since.elapsed().as_secs_f64();
            done.message = Some(format!("{}.{when}.{place} passed", hook.package));
            if let Err(error) = outcome {
                done.status = Status::Error;
                done.message = Some(self.printer.hiding(&error.to_string()));
                done.error = Some(error);
            }
            lines.hook_ended(i + 1, hooks.len(), hook, (when, place), &done);
            let failed = done.status == Status::Error;
            out.push(done);
            if failed {
                break;
            }
        }
        if !hooks.is_empty() {
            self.printer.line("");
        }
        out
    }
}

/// The node, or the model that a unit test tests.
fn node_of<'a>(manifest: &'a Manifest, id: &UniqueId) -> Option<&'a Node> {
    let tested = || manifest.unit_tests.get(id).and_then(|t| t.depends_on.nodes.first());
    manifest.nodes.get(id).or_else(|| manifest.nodes.get(tested()?))
}

/// Resources that a build passes by: they only stand at the end of the graph.
fn is_idle(runner: &Runner, id: &UniqueId) -> bool {
    matches!(kind_of_id(id), "exposure" | "saved_query" | "metric" | "semantic_model") && !runner.project.manifest.nodes.contains_key(id)
}

/// `table model`, `seed`, `data test`.
pub(super) fn kind(node: &Node) -> String {
    match node.resource_type {
        ResourceType::Model => format!("{} model", shown_materialization(node)),
        ResourceType::Test => "data test".to_owned(),
        other => other.as_str().to_owned(),
    }
}

/// What `results` shows in on-run-end.
fn result_value(project: &Project, done: &Done) -> Value {
    let node = project.manifest.nodes.get(&done.id);
    let mut value = json!(done.result(node, None));
    value["node"] = json!(node);
    value
}

/// Drops the staging tables of runs that died, where this run's targets hold them.
fn clean_up(project: &Project, databases: &Arc<Databases>, used: &BTreeSet<TargetName>, printer: &crate::printer::Printer) {
    for (file, tables) in Journal::leftovers(&project.home.data().join("spool")) {
        let mut gone: Vec<Leftover> = Vec::new();
        for table in tables {
            let here = used.iter().find(|t| databases.pool.endpoint(t).is_ok_and(|e| e == table.endpoint));
            let Some(target) = here else { continue };
            let dropped = databases.pool.take(target).and_then(|mut session| {
                let sql = drop_table(project.sheet_of(target)?, &table.relation);
                session.execute(&sql).map_err(|e| Diagnostic::error(Code::DatabaseError, e.message))
            });
            match dropped {
                Ok(_) => {
                    printer.line(&format!("Dropped {}, left on target {target} by a run that died", table.relation.identifier));
                    gone.push(table);
                }
                Err(error) => printer.diagnostic(&Diagnostic { severity: dvt_diagnostic::Severity::Note, ..error }),
            }
        }
        // What stays on record is tried again by the next run.
        let _ = Journal::forget(&file, &gone);
    }
}

fn remember(project: &Project, databases: &Databases, results: &[Done], success: bool) {
    let invocation = project.invocation().to_owned();
    for done in results {
        let Some(node) = project.manifest.nodes.get(&done.id) else { continue };
        for m in &done.movements {
            databases.note(&Fact::Movement(MovementFact {
                invocation: invocation.clone(),
                unique_id: done.id.to_string(),
                source: m.source.to_string(),
                relation: m.relation.as_ref().map(|r| r.identifier.clone()).unwrap_or_default(),
                rows: m.rows,
                bytes: m.bytes,
            }));
        }
        databases.note(&Fact::Node(NodeFact {
            invocation: invocation.clone(),
            unique_id: done.id.to_string(),
            path: match node.execution {
                ExecutionPath::Pushdown => "pushdown",
                ExecutionPath::Federation => "federation",
            }
            .to_owned(),
            target: node.target.to_string(),
            status: done.status.word().to_owned(),
            rows: done.rows,
            seconds: done.seconds,
        }));
    }
    databases.note(&Fact::Run(RunFact {
        invocation,
        project: project.manifest.project_name.clone(),
        command: project.settings.which.clone(),
        started_at: iso(project.started),
        ended_at: iso(now()),
        success,
    }));
}
