//! `run`, `build`, `seed`, `test`: the selected nodes in order, their lines, their artifacts.

use super::{FAILED, OK, Task, nothing_selected};
use crate::artifacts::Artifacts;
use crate::database::{Database, Databases};
use crate::node::{Done, Runner, Status, moved_text};
use crate::printer::{Tone, iso, now};
use crate::project::{Project, check_adapters};
use crate::schedule::{Ended, Schedule};
use dvt_diagnostic::{Code, Diagnostic};
use dvt_federation::{Journal, Leftover, drop_table};
use dvt_engine::Connection;
use dvt_mdm::{Fact, MovementFact, NodeFact, RunFact};
use dvt_project::{ExecutionPath, HookDef, Manifest, Node, ResourceType, TargetName, UniqueId, UnitTest};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Which kinds of nodes a command runs.
fn takes(which: &str, node: &Node) -> bool {
    match which {
        "run" => node.resource_type == ResourceType::Model && !node.is_ephemeral(),
        "seed" => node.resource_type == ResourceType::Seed,
        "snapshot" => node.resource_type == ResourceType::Snapshot,
        "test" => node.resource_type == ResourceType::Test,
        _ => matches!(node.resource_type, ResourceType::Model | ResourceType::Seed | ResourceType::Test | ResourceType::Snapshot) && !node.is_ephemeral(),
    }
}

impl Task {
    /// # Errors
    /// What keeps the command from running at all.
    pub fn run(&self) -> Result<u8, Vec<Diagnostic>> {
        let one = |d: Diagnostic| vec![d];
        let since = Instant::now();
        let project = self.project()?;
        let mut chosen = project.selected().map_err(one)?;
        let units = matches!(self.settings.which.as_str(), "test" | "build");
        let tested = |test: &UnitTest| test.depends_on.nodes.first().is_some_and(|model| chosen.contains(model));
        let unit_tests: Vec<UniqueId> = project.manifest.unit_tests.iter().filter(|(id, t)| units && (chosen.contains(*id) || tested(t))).map(|(id, _)| id.clone()).collect();
        chosen.retain(|id| project.manifest.nodes.get(id).is_some_and(|n| takes(&self.settings.which, n)));
        chosen.extend(unit_tests);
        let artifacts = Artifacts::new(project.clone());
        if chosen.is_empty() {
            self.printer.diagnostic(&nothing_selected());
            artifacts.results(&[], 0.0).map_err(one)?;
            return Ok(OK);
        }
        let databases = self.databases(&project, true).map_err(one)?;
        let journal = Journal::open(&project.home.data().join("spool"), project.invocation())
            .map_err(|e| vec![Diagnostic::error(Code::Artifact, format!("the journal of staging tables cannot be written: {e}"))])?;
        let used: BTreeSet<TargetName> = chosen.iter().filter_map(|id| node_of(&project.manifest, id)).map(|n| n.target.clone()).collect();
        let missing = check_adapters(&project, &used);
        if !missing.is_empty() {
            return Err(missing);
        }
        clean_up(&project, &databases, &used, &self.printer);
        let schedule = Schedule::new(&project.manifest, &project.graph, &chosen, self.settings.which == "build");
        let runner = Runner::new(project.clone(), databases.clone(), artifacts, Some(journal));
        let threads = project.threads();
        self.printer.line("");
        self.printer.line(&format!("Concurrency: {threads} threads (target='{}')", project.manifest.default_target));
        self.printer.line("");

        if !project.manifest.on_run_start.is_empty() {
            // As in dbt the schemas are there before the first hook; what keeps one from being made is its nodes' error.
            runner.make_schemas(&schedule.order);
        }
        let mut results: Vec<Done> = Vec::new();
        let start = self.hooks(&runner, "on-run-start", &project.manifest.on_run_start, &[]);
        if let Err(failed) = start {
            self.printer.error(&failed.to_string());
            results.extend(schedule.order.iter().map(|id| Done::skipped(id, None, false)));
            let mut hook = Done::new(&UniqueId::new(format!("operation.{}.on-run-start", project.manifest.project_name)));
            hook.status = Status::Error;
            hook.message = Some(failed.to_string());
            hook.error = Some(failed);
            results.push(hook);
        } else {
            results = self.nodes(&runner, &schedule, threads as usize);
            let shown: Vec<Value> = results.iter().map(|d| result_value(&project, d)).collect();
            if let Err(failed) = self.hooks(&runner, "on-run-end", &project.manifest.on_run_end, &shown) {
                self.printer.error(&failed.to_string());
                let mut hook = Done::new(&UniqueId::new(format!("operation.{}.on-run-end", project.manifest.project_name)));
                hook.status = Status::Error;
                hook.message = Some(failed.to_string());
                hook.error = Some(failed);
                results.push(hook);
            }
        }
        let elapsed = since.elapsed().as_secs_f64();
        let failed = results.iter().any(|d| matches!(d.status, Status::Error | Status::Fail | Status::Partial)) || self.cancel.is_cancelled();
        runner.artifacts.results(&results, elapsed).map_err(one)?;
        self.summary(&project, &results, elapsed);
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
        let project = &runner.project;
        let total = schedule.order.len();
        let results: Mutex<Vec<Done>> = Mutex::default();
        let keep = |done: Done| results.lock().unwrap_or_else(PoisonError::into_inner).push(done);
        let work = |id: &UniqueId, number: usize, thread: usize| {
            let node = project.manifest.nodes.get(id);
            let name = node.map_or_else(|| unit_label(&project.manifest, id), |n| label(project, n));
            self.printer.step(number, total, &format!("START {name}"), "RUN", Tone::Plain);
            let done = runner.run(id, thread);
            for warning in &done.warnings {
                self.printer.diagnostic(warning);
            }
            self.ended(number, total, node, &name, &done);
            let ended = if done.status.blocks() { Ended::Badly } else { Ended::Well };
            keep(done);
            ended
        };
        let skip = |id: &UniqueId, number: usize, because: Option<&UniqueId>| {
            let name = project.manifest.nodes.get(id).map_or_else(|| unit_label(&project.manifest, id), |n| relation_label(project, n));
            self.printer.step(number, total, &format!("SKIP {name}"), "SKIP", Tone::Warn);
            keep(Done::skipped(id, because, self.cancel.is_cancelled()));
        };
        schedule.run(threads, self.settings.fail_fast, &self.cancel, &work, &skip);
        let mut done = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        let places: BTreeMap<&UniqueId, usize> = schedule.order.iter().enumerate().map(|(i, id)| (id, i)).collect();
        done.sort_by_key(|d| places.get(&d.id).copied());
        done
    }

    fn ended(&self, number: usize, total: usize, node: Option<&Node>, name: &str, done: &Done) {
        let took = format!("in {:.2}s", done.seconds);
        let test = node.is_none_or(|n| n.resource_type == ResourceType::Test);
        let short = node.map_or(name.trim_start_matches("unit_test "), |n| n.name.as_str());
        let (what, status, tone) = match done.status {
            Status::Success => {
                let verb = match node.map(|n| n.resource_type) {
                    Some(ResourceType::Seed) => "loaded",
                    Some(ResourceType::Snapshot) => "snapshotted",
                    _ => "created",
                };
                (format!("OK {verb} {name}"), format!("{} {took}", done.word), Tone::Good)
            }
            Status::Pass => (format!("PASS {short}"), format!("PASS {took}"), Tone::Good),
            Status::Warn => (format!("{} {short}", done.word), format!("{} {took}", done.word), Tone::Warn),
            Status::Fail => (format!("{} {short}", done.word), format!("{} {took}", done.word), Tone::Bad),
            Status::Error if test => (format!("ERROR {short}"), format!("ERROR {took}"), Tone::Bad),
            Status::Error => (format!("ERROR creating {name}"), format!("ERROR {took}"), Tone::Bad),
            Status::Skipped => (format!("SKIP {name}"), "SKIP".to_owned(), Tone::Warn),
            Status::Partial => (format!("PARTIAL SUCCESS created {name}"), format!("{} {took}", done.word), Tone::Warn),
        };
        self.printer.step(number, total, &what, &status, tone);
        for movement in &done.movements {
            self.printer.line(&format!("    moved {}", moved_text(movement)));
        }
    }

    fn hooks(&self, runner: &Runner, when: &str, hooks: &[HookDef], results: &[Value]) -> Result<(), Diagnostic> {
        for (i, hook) in hooks.iter().enumerate() {
            let since = Instant::now();
            let name = format!("hook: {}.{when}.{i}", hook.package);
            self.printer.step(i + 1, hooks.len(), &format!("START {name}"), "RUN", Tone::Plain);
            let database = Arc::new(Database::new(runner.databases.clone()));
            let outcome = runner.project.engine.run_hook(hook, database, results);
            let (word, tone) = if outcome.is_ok() { ("OK", Tone::Good) } else { ("ERROR", Tone::Bad) };
            self.printer.step(i + 1, hooks.len(), &format!("{word} {name}"), &format!("{word} in {:.2}s", since.elapsed().as_secs_f64()), tone);
            outcome?;
        }
        Ok(())
    }

    fn summary(&self, project: &Project, results: &[Done], elapsed: f64) {
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        for node in results.iter().filter_map(|d| project.manifest.nodes.get(&d.id)) {
            *kinds.entry(kind(node)).or_default() += 1;
        }
        let unit_tests = results.iter().filter(|d| project.manifest.unit_tests.contains_key(&d.id)).count();
        if unit_tests > 0 {
            kinds.insert("unit test".to_owned(), unit_tests);
        }
        let kinds: Vec<String> = kinds.iter().map(|(k, n)| format!("{n} {k}{}", if *n == 1 { "" } else { "s" })).collect();
        let seconds = elapsed as u64;
        self.printer.line("");
        self.printer.line(&format!(
            "Finished running {} in {} hours {} minutes and {:.2} seconds ({elapsed:.2}s).",
            kinds.join(", "),
            seconds / 3600,
            seconds / 60 % 60,
            elapsed % 60.0
        ));
        let count = |s: &[Status]| results.iter().filter(|d| s.contains(&d.status)).count();
        let (errors, warnings) = (count(&[Status::Error, Status::Fail]), count(&[Status::Warn]));
        let partial = count(&[Status::Partial]);
        self.printer.line("");
        let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
        if errors == 0 && warnings == 0 && partial == 0 {
            self.printer.line(&self.printer.paint("Completed successfully", Tone::Good));
        } else {
            let text = format!("Completed with {}, {partial} partial {}, and {}:", plural(errors, "error"), if partial == 1 { "success" } else { "successes" }, plural(warnings, "warning"));
            self.printer.error(&self.printer.paint(&text, if errors > 0 { Tone::Bad } else { Tone::Warn }));
        }
        for done in results {
            let node = project.manifest.nodes.get(&done.id);
            let unit = project.manifest.unit_tests.get(&done.id);
            let (name, file) = match (node, unit) {
                (Some(n), _) => (n.name.as_str(), n.path.as_str()),
                (None, Some(t)) => (t.name.as_str(), t.path.as_str()),
                (None, None) => (done.id.as_str(), ""),
            };
            let what = node.map_or(if unit.is_some() { "unit_test" } else { "hook" }, |n| n.resource_type.as_str());
            let word = match done.status {
                Status::Error | Status::Fail => "Failure",
                Status::Warn => "Warning",
                Status::Partial => "Partial success",
                _ => continue,
            };
            self.printer.error("");
            self.printer.error(&format!("{word} in {what} {name} ({file})"));
            for line in done.message.as_deref().unwrap_or_default().lines() {
                self.printer.error(&format!("  {line}"));
            }
            if let Some(path) = done.compiled.as_ref().and_then(|c| c.path.as_ref()) {
                self.printer.error(&format!("  compiled code at {path}"));
            }
            if let Some(relation) = node.filter(|n| n.resource_type == ResourceType::Test).and_then(|n| n.relation.as_ref().map(|r| project.engine.rendered(&n.target, r))) {
                self.printer.error(&format!("  See test failures:\n  select * from {relation}"));
            }
        }
        self.printer.line("");
        self.printer.error(&format!(
            "Done. PASS={} WARN={warnings} ERROR={errors} SKIP={} NO-OP=0 TOTAL={}",
            count(&[Status::Success, Status::Pass]),
            count(&[Status::Skipped]),
            results.len()
        ));
    }
}

/// The node, or the model that a unit test tests.
fn node_of<'a>(manifest: &'a Manifest, id: &UniqueId) -> Option<&'a Node> {
    let tested = || manifest.unit_tests.get(id).and_then(|t| t.depends_on.nodes.first());
    manifest.nodes.get(id).or_else(|| manifest.nodes.get(tested()?))
}

/// `unit_test orders::counts_all`
fn unit_label(manifest: &Manifest, id: &UniqueId) -> String {
    manifest.unit_tests.get(id).map_or_else(|| id.to_string(), |t| format!("unit_test {}::{}", t.model, t.name))
}

/// `table model`, `seed`, `data test`.
fn kind(node: &Node) -> String {
    match node.resource_type {
        ResourceType::Model => format!("{} model", shown_materialization(node)),
        ResourceType::Test => "data test".to_owned(),
        other => other.as_str().to_owned(),
    }
}

fn shown_materialization(node: &Node) -> &str {
    if node.execution == ExecutionPath::Federation && node.materialized() == "view" { "table" } else { node.materialized() }
}

/// `sql table model main.orders [federation]`
fn label(project: &Project, node: &Node) -> String {
    let path = match node.execution {
        ExecutionPath::Pushdown => "[pushdown]",
        ExecutionPath::Federation => "[federation]",
    };
    match node.resource_type {
        ResourceType::Model => format!("sql {} model {} {path}", shown_materialization(node), short_relation(project, node)),
        ResourceType::Seed => format!("seed file {} {path}", short_relation(project, node)),
        ResourceType::Test => format!("test {} {path}", node.name),
        other => format!("{} {} {path}", other.as_str(), node.name),
    }
}

fn relation_label(project: &Project, node: &Node) -> String {
    if node.resource_type == ResourceType::Test { format!("test {}", node.name) } else { format!("relation {}", short_relation(project, node)) }
}

fn short_relation(project: &Project, node: &Node) -> String {
    let own = project.manifest.targets.get(&node.target).map(|t| t.schema.clone());
    let schema = node.relation.as_ref().and_then(|r| r.schema.clone()).or(own).unwrap_or_default();
    let name = node.relation.as_ref().map_or(node.name.as_str(), |r| r.identifier.as_str());
    if schema.is_empty() { name.to_owned() } else { format!("{schema}.{name}") }
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
