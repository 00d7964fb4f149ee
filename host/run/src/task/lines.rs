//! The lines of a run, as dbt prints them and as its log readers know them, with each node's path.

use super::run::kind;
use crate::log::{Event, Level};
use crate::node::{Done, Status, moved_text};
use crate::printer::{Printer, Tone, iso, now};
use crate::project::Project;
use dvt_project::artifacts::render_relation;
use dvt_project::{ExecutionPath, HookDef, Node, ResourceType, UniqueId};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub struct Lines<'a> {
    pub project: &'a Project,
    pub printer: &'a Printer,
}

impl Lines<'_> {
    pub fn concurrency(&self, threads: u32, nodes: usize) {
        let target = &self.project.manifest.default_target;
        self.printer.line("");
        let data = json!({"num_threads": threads, "target_name": target, "node_count": nodes});
        self.printer.event(Event::new("Q027", "ConcurrencyLine", Level::Info, format!("Concurrency: {threads} threads (target='{target}')"), data));
        self.printer.line("");
    }

    pub fn started(&self, number: usize, total: usize, id: &UniqueId) {
        let what = self.label(id);
        let info = self.node_info(id, "started", Some(&iso(now())), None);
        self.printer.event(Event::debug("Q024", "NodeStart", format!("Began running node {id}"), json!({"node_info": info})));
        let (msg, painted) = self.printer.step(number, total, &format!("START {what}"), "RUN", Tone::Plain);
        let data = json!({"description": what, "index": number, "total": total, "node_info": info});
        self.printer.event(Event::new("Q011", "LogStartLine", Level::Info, msg, data).painted(painted));
    }

    pub fn ended(&self, number: usize, total: usize, done: &Done, started_at: &str) {
        let node = self.project.manifest.nodes.get(&done.id);
        let what = self.label(&done.id);
        let took = format!("in {:.2}s", done.seconds);
        let short = self.short(&done.id);
        let test = is_test(&done.id);
        let finished = iso(now());
        let info = self.node_info(&done.id, done.status.word(), Some(started_at), Some(&finished));
        let resource = node.map(|n| n.resource_type);
        let verb = match resource {
            Some(ResourceType::Seed) => "loaded",
            Some(ResourceType::Snapshot) => "snapshotted",
            _ => "created",
        };
        let shown = if resource == Some(ResourceType::Snapshot) { node.map_or_else(String::new, |n| self.relation(n)) } else { what.clone() };
        let (text, status, tone, level) = match done.status {
            Status::Success => (format!("OK {verb} {shown}"), format!("{} {took}", done.word), Tone::Good, Level::Info),
            Status::NoOp => (format!("NO-OP {what}"), format!("NO-OP {took}"), Tone::Plain, Level::Info),
            Status::Pass => (format!("PASS {short}"), format!("PASS {took}"), Tone::Good, Level::Info),
            Status::Warn => (format!("{} {short}", done.word), format!("{} {took}", done.word), Tone::Warn, Level::Warn),
            Status::Fail => (format!("{} {short}", done.word), format!("{} {took}", done.word), Tone::Bad, Level::Error),
            Status::Error if test => (format!("ERROR {short}"), format!("ERROR {took}"), Tone::Bad, Level::Error),
            Status::Error => (format!("ERROR {} {shown}", verb_of_error(verb)), format!("ERROR {took}"), Tone::Bad, Level::Error),
            Status::Skipped => (format!("SKIP {what}"), "SKIP".to_owned(), Tone::Warn, Level::Info),
            Status::Partial => (format!("PARTIAL SUCCESS created {shown}"), format!("{} {took}", done.word), Tone::Warn, Level::Warn),
        };
        let (msg, painted) = self.printer.step(number, total, &text, &status, tone);
        let status = if done.status == Status::Success { done.word.as_str() } else { done.status.word() };
        let common = json!({"index": number, "total": total, "execution_time": done.seconds, "node_info": info, "status": status});
        let word = done.status.word();
        let event = match resource {
            _ if done.status == Status::NoOp => Event::new("Q019", "LogNodeNoOpResult", level, msg, common).with("description", json!(what)).with("status", json!("")),
            Some(ResourceType::Seed) => Event::new("Q016", "LogSeedResult", level, msg, common)
                .with("status", json!(word))
                .with("result_message", json!(done.word))
                .with("relation", json!(node.map(|n| &n.alias)))
                .with("schema", json!(node.and_then(|n| n.relation.as_ref()).and_then(|r| r.schema.clone()))),
            Some(ResourceType::Snapshot) => Event::new("Q015", "LogSnapshotResult", level, msg, common)
                .with("status", json!(word))
                .with("result_message", json!(done.word))
                .with("description", json!(shown))
                .with("cfg", node.map_or(Value::Null, |n| n.config.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), json!(v.as_str().map_or_else(|| v.to_string(), str::to_owned)))).collect())),
            _ if test => Event::new("Q007", "LogTestResult", level, msg, common)
                .with("status", json!(word))
                .with("name", json!(short))
                .with("num_models", json!(total))
                .with("num_failures", json!(done.failures.unwrap_or(0)))
                .with("attached_node", json!(node.and_then(|n| n.test.as_ref()).and_then(|t| t.attached.clone()))),
            _ => Event::new("Q012", "LogModelResult", level, msg, common).with("description", json!(what)),
        };
        self.printer.event(event.painted(painted));
        for movement in &done.movements {
            self.printer.line(&format!("    moved {}", moved_text(movement)));
        }
        let data = json!({"node_info": info, "run_result": run_result(done)});
        self.printer.event(Event::debug("Q025", "NodeFinished", format!("Finished running node {}", done.id), data));
    }

    pub fn skipped(&self, number: usize, total: usize, id: &UniqueId, because: Option<&UniqueId>) {
        let node = self.project.manifest.nodes.get(id);
        let name = match node {
            Some(n) if n.resource_type == ResourceType::Test => format!("test {}", n.name),
            Some(n) => format!("relation {}", self.relation(n)),
            None => format!("{} {}", kind_of_id(id), self.short(id)),
        };
        let info = self.node_info(id, "skipped", Some(&iso(now())), None);
        let (msg, painted) = self.printer.step(number, total, &format!("SKIP {name}"), "SKIP", Tone::Warn);
        let data = json!({
            "index": number, "total": total, "node_info": info, "node_name": node.map_or_else(|| self.short(id), |n| n.name.clone()),
            "resource_type": kind_of_id(id), "schema": node.and_then(|n| n.relation.as_ref()).and_then(|r| r.schema.clone()).unwrap_or_default(),
            "because": because,
        });
        self.printer.event(Event::new("Q034", "SkippingDetails", Level::Info, msg, data).painted(painted));
    }

    pub fn hook_started(&self, number: usize, total: usize, hook: &HookDef, (when, place): (&str, usize)) {
        let name = format!("{}.{when}.{place}", hook.package);
        let (msg, painted) = self.printer.step(number, total, &format!("START hook: {name}"), "RUN", Tone::Plain);
        let data = json!({"index": number, "total": total, "statement": name, "node_info": hook_info(hook, when, place, "started")});
        self.printer.event(Event::new("Q032", "LogHookStartLine", Level::Info, msg, data).painted(painted));
    }

    pub fn hook_ended(&self, number: usize, total: usize, hook: &HookDef, (when, place): (&str, usize), done: &Done) {
        let name = format!("{}.{when}.{place}", hook.package);
        let (word, tone, level) = if done.status == Status::Success { ("OK", Tone::Good, Level::Info) } else { ("ERROR", Tone::Bad, Level::Error) };
        let (msg, painted) = self.printer.step(number, total, &format!("{word} hook: {name}"), &format!("{word} in {:.2}s", done.seconds), tone);
        let data = json!({
            "index": number, "total": total, "statement": name, "status": done.status.word(), "execution_time": done.seconds,
            "node_info": hook_info(hook, when, place, done.status.word()),
        });
        self.printer.event(Event::new("Q033", "LogHookEndLine", level, msg, data).painted(painted));
    }

    /// `Finished running 2 table models, 1 seed in 0 hours …`
    pub fn finished(&self, results: &[Done], elapsed: f64) {
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        for done in results {
            let kind = match self.project.manifest.nodes.get(&done.id) {
                Some(node) => kind(node),
                None if done.id.as_str().starts_with("operation.") => "project hook".to_owned(),
                None => kind_of_id(&done.id).replace('_', " "),
            };
            *kinds.entry(kind).or_default() += 1;
        }
        let each = |(k, n): (&String, &usize)| format!("{n} {}", if *n == 1 { k.clone() } else { plural(k) });
        let mut kinds: Vec<String> = kinds.iter().map(each).collect();
        kinds.sort();
        let seconds = elapsed as u64;
        let stat_line = kinds.join(", ");
        let execution = format!(" in {} hours {} minutes and {:.2} seconds", seconds / 3600, seconds / 60 % 60, elapsed % 60.0);
        self.printer.line("");
        let msg = format!("Finished running {stat_line}{execution} ({elapsed:.2}s).");
        let data = json!({"stat_line": stat_line, "execution": execution, "execution_time": elapsed});
        self.printer.event(Event::new("E047", "FinishedRunningStats", Level::Info, msg, data));
    }

    pub fn summary(&self, results: &[Done], interrupted: bool) {
        let count = |s: &[Status]| results.iter().filter(|d| s.contains(&d.status)).count();
        let (errors, warnings, partial) = (count(&[Status::Error, Status::Fail]), count(&[Status::Warn]), count(&[Status::Partial]));
        let several = |n: usize, word: &str| format!("{n} {}", if n == 1 { word.to_owned() } else { plural(word) });
        let parts = if partial == 1 { "1 partial success".to_owned() } else { format!("{partial} partial successes") };
        let (text, tone) = match (errors + partial, warnings) {
            _ if interrupted => ("Exited because of keyboard interrupt".to_owned(), Tone::Warn),
            (0, 0) => ("Completed successfully".to_owned(), Tone::Good),
            (0, w) => (format!("Completed with {}:", several(w, "warning")), Tone::Warn),
            (_, w) => (format!("Completed with {}, {parts}, and {}:", several(errors, "error"), several(w, "warning")), Tone::Bad),
        };
        self.printer.line("");
        let data = json!({"num_errors": errors, "num_warnings": warnings, "num_partial_success": partial, "keyboard_interrupt": interrupted});
        let painted = self.printer.paint(&text, tone);
        // As dbt's, but told on --quiet too when there is something to tell.
        let level = if errors + partial > 0 { Level::Error } else { Level::Info };
        self.printer.event(Event::new("Z030", "EndOfRunSummary", level, text, data).painted(painted));
        for done in results.iter().filter(|d| matches!(d.status, Status::Error | Status::Fail | Status::Warn | Status::Partial)) {
            self.failure(done);
        }
        self.printer.line("");
        let stats = json!({
            "pass": count(&[Status::Success, Status::Pass]), "warn": warnings, "error": errors, "skip": count(&[Status::Skipped]),
            "noop": count(&[Status::NoOp]), "reused": 0, "total": results.len(),
        });
        let text = format!(
            "Done. PASS={} WARN={} ERROR={} SKIP={} NO-OP={} TOTAL={}",
            stats["pass"], stats["warn"], stats["error"], stats["skip"], stats["noop"], stats["total"]
        );
        self.printer.event(Event::new("Z023", "StatsLine", level, text, json!({"stats": stats})));
    }

    /// What went wrong with a node, and where its SQL is.
    pub fn failure(&self, done: &Done) {
        let node = self.project.manifest.nodes.get(&done.id);
        let unit = self.project.manifest.unit_tests.get(&done.id).map(|t| (t.name.clone(), t.path.clone()));
        let (name, path) = node.map(|n| (n.name.clone(), n.path.clone())).or(unit).unwrap_or_else(|| (self.short(&done.id), String::new()));
        let what = kind_of_id(&done.id);
        let info = self.node_info(&done.id, "None", None, None);
        let place = if path.is_empty() { String::new() } else { format!(" ({path})") };
        let message = done.message.clone().unwrap_or_default();
        let data = json!({"node_name": name, "path": path, "resource_type": what, "node_info": info});
        let said = json!({"msg": message, "node_info": info});
        self.printer.event(Event { level: Level::Error, ..Event::note("") });
        if done.status == Status::Warn {
            let head = format!("Warning in {what} {name}{place}");
            self.printer.event(Event::new("Z021", "RunResultWarning", Level::Warn, head.clone(), data).painted(self.colour_first(&head, Tone::Warn)));
            self.printer.event(Event::new("Z046", "RunResultWarningMessage", Level::Warn, format!("  {message}"), said));
        } else {
            let word = if done.status == Status::Partial { "Partial success" } else { "Failure" };
            let head = format!("{word} in {what} {name}{place}");
            self.printer.event(Event::new("Z022", "RunResultFailure", Level::Error, head.clone(), data).painted(self.colour_first(&head, Tone::Bad)));
            self.printer.event(Event::new("Z024", "RunResultError", Level::Error, format!("  {}", message.replace('\n', "\n  ")), said));
        }
        if let Some(path) = done.compiled.as_ref().and_then(|c| c.path.as_ref()) {
            let level = if done.status == Status::Warn { Level::Info } else { Level::Error };
            let data = json!({"path": path, "node_info": info});
            self.printer.event(Event { level, ..Event::note("") });
            self.printer.event(Event::new("Z026", "SQLCompiledPath", level, format!("  compiled code at {path}"), data));
        }
        let kept = node.filter(|n| n.resource_type == ResourceType::Test).and_then(|n| n.relation.as_ref().map(|r| self.project.engine.rendered(&n.target, r)));
        if let Some(relation) = kept {
            let text = format!("  See test failures:\n  select * from {relation}");
            self.printer.event(Event::new("Z027", "CheckNodeTestFailure", Level::Error, text, json!({"relation_name": relation, "node_info": info})));
        }
    }

    fn colour_first(&self, text: &str, tone: Tone) -> String {
        text.split_once(' ').map_or_else(|| text.to_owned(), |(first, rest)| format!("{} {rest}", self.printer.paint(first, tone)))
    }

    fn short(&self, id: &UniqueId) -> String {
        match self.project.manifest.nodes.get(id) {
            Some(node) => node.name.clone(),
            None => match self.project.manifest.unit_tests.get(id) {
                Some(test) => format!("{}::{}", test.model, test.name),
                None => id.as_str().splitn(3, '.').nth(2).unwrap_or(id.as_str()).to_owned(),
            },
        }
    }

    /// `sql table model main.orders [federation]`
    pub fn label(&self, id: &UniqueId) -> String {
        let Some(node) = self.project.manifest.nodes.get(id) else { return format!("{} {}", kind_of_id(id), self.short(id)) };
        let path = match node.execution {
            ExecutionPath::Pushdown => "[pushdown]",
            ExecutionPath::Federation => "[federation]",
        };
        match node.resource_type {
            ResourceType::Model => format!("sql {} model {} {path}", shown_materialization(node), self.relation(node)),
            ResourceType::Seed => format!("seed file {} {path}", self.relation(node)),
            ResourceType::Snapshot => format!("snapshot {} {path}", self.relation(node)),
            ResourceType::Test => format!("test {} {path}", node.name),
            other => format!("{} {} {path}", other.as_str(), node.name),
        }
    }

    /// `schema.name`
    fn relation(&self, node: &Node) -> String {
        let own = self.project.manifest.targets.get(&node.target).map(|t| t.schema.clone());
        let schema = node.relation.as_ref().and_then(|r| r.schema.clone()).or(own).unwrap_or_default();
        let name = node.relation.as_ref().map_or(node.name.as_str(), |r| r.identifier.as_str());
        if schema.is_empty() { name.to_owned() } else { format!("{schema}.{name}") }
    }

    /// dbt's `node_info`.
    pub fn node_info(&self, id: &UniqueId, status: &str, started: Option<&str>, finished: Option<&str>) -> Value {
        let Some(node) = self.project.manifest.nodes.get(id) else {
            return json!({
                "materialized": "", "meta": {}, "node_checksum": "", "node_finished_at": finished.unwrap_or_default(), "node_name": self.short(id), "node_path": "",
                "node_relation": {"alias": "", "database": "", "relation_name": "", "schema": ""}, "node_started_at": started.unwrap_or_default(),
                "node_status": status, "resource_type": kind_of_id(id), "unique_id": id,
            });
        };
        let facts = self.project.input.adapters.get(node.adapter.as_str());
        let quoting = node.config.get("quoting").and_then(Value::as_object);
        let name = node.relation.as_ref().map(|r| render_relation(r, facts, quoting)).unwrap_or_default();
        let part = |p: Option<&String>| p.cloned().unwrap_or_default();
        let relation = node.relation.as_ref();
        json!({
            "materialized": node.materialized(), "meta": node.meta, "node_checksum": node.checksum, "node_finished_at": finished.unwrap_or_default(),
            "node_name": node.name, "node_path": node.path.split_once('/').map_or(node.path.as_str(), |(_, p)| p),
            "node_relation": {
                "alias": node.alias, "database": part(relation.and_then(|r| r.database.as_ref())), "relation_name": name,
                "schema": part(relation.and_then(|r| r.schema.as_ref())),
            },
            "node_started_at": started.unwrap_or_default(), "node_status": status, "resource_type": node.resource_type.as_str(), "unique_id": id,
            "dvt_path": node.execution, "dvt_target": node.target,
        })
    }
}

fn verb_of_error(verb: &str) -> &'static str {
    match verb {
        "loaded" => "loading",
        "snapshotted" => "snapshotting",
        _ => "creating",
    }
}

fn is_test(id: &UniqueId) -> bool {
    matches!(kind_of_id(id), "test" | "unit_test")
}

/// An id starts with its kind.
pub fn kind_of_id(id: &UniqueId) -> &str {
    id.as_str().split('.').next().unwrap_or_default()
}

fn plural(word: &str) -> String {
    if let Some(stem) = word.strip_suffix('y') { format!("{stem}ies") } else { format!("{word}s") }
}

/// `operation.shop.shop-on-run-start-0`; `place` is the one among the hooks of its package, from 0.
pub fn hook_id(hook: &HookDef, when: &str, place: usize) -> UniqueId {
    UniqueId::new(format!("operation.{0}.{0}-{when}-{place}", hook.package))
}

fn hook_info(hook: &HookDef, when: &str, place: usize, status: &str) -> Value {
    let name = format!("{}-{when}-{place}", hook.package);
    json!({
        "materialized": "view", "meta": {}, "node_checksum": "", "node_finished_at": "", "node_name": name, "node_path": format!("hooks/{name}.sql"),
        "node_relation": {"alias": name, "database": "", "relation_name": "", "schema": ""}, "node_started_at": "", "node_status": status,
        "resource_type": "operation", "unique_id": hook_id(hook, when, place),
    })
}

fn run_result(done: &Done) -> Value {
    let result = done.result(None, None);
    json!({
        "adapter_response": result.adapter_response, "execution_time": done.seconds, "message": result.message.unwrap_or_default(),
        "num_failures": done.failures.unwrap_or(0), "status": done.status.word(), "thread": crate::log::thread_name(), "timing_info": result.timing,
    })
}

pub fn shown_materialization(node: &Node) -> &str {
    if node.execution == ExecutionPath::Federation && node.materialized() == "view" { "table" } else { node.materialized() }
}
