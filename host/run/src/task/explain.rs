//! `explain`: for each model its path, what each source is asked, what stayed and why, and what the last run moved.

use super::{FAILED, OK, Task, nothing_selected};
use crate::database::Database;
use crate::node::{Planned, plan_node};
use crate::printer::{grouped, sized};
use dvt_diagnostic::{Code, Diagnostic};
use dvt_planner::ir::FederatedPlan;
use dvt_project::{ExecutionPath, Node, RelationRef, ResourceType};
use serde_json::{Value, json};
use std::io::Write;
use std::sync::Arc;

impl Task {
    /// # Errors
    /// What keeps the command from running at all; a model that cannot be planned is shown with its error.
    pub fn explain(&self, as_json: bool, out: &mut dyn Write) -> Result<u8, Vec<Diagnostic>> {
        let one = |d: Diagnostic| vec![d];
        let project = self.project()?;
        let databases = self.databases(&project, false).map_err(one)?;
        let chosen = project.selected().map_err(one)?;
        let mut models = Vec::new();
        let mut failed = false;
        for id in project.graph.order().filter(|id| chosen.contains(*id)) {
            let Some(node) = project.manifest.nodes.get(id) else { continue };
            if node.resource_type != ResourceType::Model || node.is_ephemeral() {
                continue;
            }
            let database = Arc::new(Database::new(databases.clone()));
            let model = project.engine.compile(id, Some(database.clone())).and_then(|compiled| match node.execution {
                ExecutionPath::Pushdown => Ok(pushdown(node, &compiled)),
                ExecutionPath::Federation => {
                    let planned = plan_node(&project, node, &compiled, &database)?;
                    let moved = project.home.mdm().last_movements(id.as_str()).unwrap_or_default();
                    Ok(federated(node, &planned, &moved))
                }
            });
            models.push(model.unwrap_or_else(|error| {
                failed = true;
                self.printer.diagnostic(&error);
                let mut shown = head(node);
                shown["notes"] = json!([{"code": error.code, "message": error.message}]);
                shown
            }));
        }
        if models.is_empty() {
            self.printer.diagnostic(&nothing_selected());
        }
        let text = if as_json {
            serde_json::to_string_pretty(&json!({"models": models})).unwrap_or_default() + "\n"
        } else {
            models.iter().map(text).collect()
        };
        out.write_all(text.as_bytes()).map_err(|e| vec![Diagnostic::error(Code::Artifact, e.to_string())])?;
        Ok(if failed { FAILED } else { OK })
    }
}

fn head(node: &Node) -> Value {
    let sink = json!({"target": node.target, "relation": node.relation.as_ref().map(dotted), "materialized": node.materialized()});
    json!({
        "unique_id": node.unique_id, "path": node.execution, "target": node.target,
        "compute": if node.execution == ExecutionPath::Federation { json!(node.compute) } else { Value::Null },
        "dialect": node.dialect, "scans": [], "delegates": [], "residual": null, "sink": sink, "notes": [],
    })
}

fn pushdown(node: &Node, compiled: &dvt_jinja::Compiled) -> Value {
    let mut out = head(node);
    let relations: Vec<String> = compiled.relations.iter().map(|u| u.rendered.clone()).collect();
    out["delegates"] = json!([{"source": node.target, "sql": compiled.sql, "relations": relations, "estimated": null, "actual": null}]);
    out
}

type Moved = [(String, String, u64, u64)];

fn federated(node: &Node, planned: &Planned, moved: &Moved) -> Value {
    let plan: &FederatedPlan = &planned.plan;
    let mut out = head(node);
    let actual = |source: &str, relation: &str| {
        let found = moved.iter().find(|(s, r, _, _)| s == source && r == relation);
        found.map_or(Value::Null, |(_, _, rows, bytes)| json!({"rows": rows, "bytes": bytes}))
    };
    out["scans"] = plan
        .scans
        .iter()
        .map(|s| {
            let known = planned.catalog.relation(&RelationRef { target: s.source.clone(), name: s.relation.clone() });
            let size = known.filter(|k| k.rows.is_some() || k.bytes.is_some());
            let columns: Vec<&str> = s.columns.iter().map(|c| c.name.as_str()).collect();
            let pushed: Vec<Value> = s.pushed.iter().map(|p| json!({"sql": p.sql, "class": p.class})).collect();
            let kept: Vec<Value> = s.kept.iter().map(|k| json!({"sql": k.sql, "code": k.code, "reason": k.reason})).collect();
            json!({
                "source": s.source, "relation": dotted(&s.relation), "sql": s.sql, "columns": columns, "pushed": pushed, "kept": kept,
                "estimated": size.map(|k| json!({"rows": k.rows, "bytes": k.bytes})),
                "actual": actual(s.source.as_str(), &s.relation.identifier),
            })
        })
        .collect();
    out["delegates"] = plan
        .delegates
        .iter()
        .map(|d| {
            let relations: Vec<String> = d.relations.iter().map(dotted).collect();
            json!({"source": d.source, "sql": d.sql, "relations": relations, "estimated": null, "actual": actual(d.source.as_str(), "")})
        })
        .collect();
    out["residual"] = json!(plan.residual.as_ref().map(|r| json!({"sql": r.sql})));
    out["sink"] = json!({"target": plan.sink.target, "relation": dotted(&plan.sink.relation), "materialized": plan.sink.materialized});
    out["notes"] = plan.notes.iter().map(|n| json!({"code": n.code, "message": n.message})).collect();
    out
}

fn dotted(name: &dvt_project::RelationName) -> String {
    [name.database.as_deref(), name.schema.as_deref(), Some(name.identifier.as_str())].into_iter().flatten().collect::<Vec<_>>().join(".")
}

fn text(model: &Value) -> String {
    let of = |v: &Value, key: &str| v.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let list = |v: &Value, key: &str| v.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let amount = |v: Option<&Value>| {
        let part = |key: &str| v.and_then(|v| v.get(key)).and_then(Value::as_u64);
        match (part("rows"), part("bytes")) {
            (Some(rows), Some(bytes)) => format!("{} rows, {}", grouped(rows), sized(bytes)),
            (Some(rows), None) => format!("{} rows", grouped(rows)),
            (None, Some(bytes)) => sized(bytes),
            (None, None) => "unknown".to_owned(),
        }
    };
    let indented = |sql: &str| sql.lines().map(|l| format!("      {l}\n")).collect::<String>();
    let mut out = format!("{}\n  path: {} on target {}", of(model, "unique_id"), of(model, "path"), of(model, "target"));
    if model["compute"].is_string() {
        out += &format!(", compute {}", of(model, "compute"));
    }
    out += &format!(", dialect {}\n", of(model, "dialect"));
    for scan in list(model, "scans") {
        out += &format!("  source {} · {} (table: {}; last run moved: {})\n", of(&scan, "source"), of(&scan, "relation"), amount(scan.get("estimated")), amount(scan.get("actual")));
        out += &indented(&of(&scan, "sql"));
        for pushed in list(&scan, "pushed") {
            out += &format!("    pushed ({}): {}\n", of(&pushed, "class"), of(&pushed, "sql"));
        }
        for kept in list(&scan, "kept") {
            out += &format!("    stayed: {}: {} {}\n", of(&kept, "sql"), of(&kept, "code"), of(&kept, "reason"));
        }
    }
    for delegate in list(model, "delegates") {
        out += &format!("  whole query on {}\n{}", of(&delegate, "source"), indented(&of(&delegate, "sql")));
    }
    if model["residual"].is_object() {
        out += &format!("  compute runs\n{}", indented(&of(&model["residual"], "sql")));
    }
    for note in list(model, "notes") {
        out += &format!("  note {}: {}\n", of(&note, "code"), of(&note, "message"));
    }
    out + "\n"
}
