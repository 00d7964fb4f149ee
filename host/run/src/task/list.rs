//! `ls`: what a selection selects.

use super::{OK, Task};
use crate::log::{Event, Level};
use crate::project::Project;
use dvt_diagnostic::Diagnostic;
use dvt_project::artifacts::{ArtifactMeta, manifest_json};
use dvt_project::select::{Resource, resources};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// How each resource is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// As selectors take it.
    Selector,
    Name,
    Path,
    Json,
}

/// What `--output json` shows unless keys are given.
const KEYS: [&str; 11] =
    ["alias", "name", "package_name", "depends_on", "direct_parents", "tags", "config", "resource_type", "source_name", "original_file_path", "unique_id"];

impl Task {
    /// # Errors
    /// What keeps the command from running at all.
    pub fn list(&self, shape: Shape, keys: &[String]) -> Result<u8, Vec<Diagnostic>> {
        let project = self.project()?;
        let chosen = self.chosen(&project)?;
        if chosen.is_empty() {
            self.warn("M031", "NoNodesSelected", "No nodes selected!");
            self.calm()?;
            return Ok(OK);
        }
        let all: BTreeMap<_, _> = resources(&project.manifest).into_iter().map(|r| (r.id.clone(), r)).collect();
        let documents = if shape == Shape::Json { whole(&project) } else { Value::Null };
        for resource in chosen.iter().filter_map(|id| all.get(id)) {
            let line = match shape {
                Shape::Selector => selector(resource),
                Shape::Name => resource.search_name.clone(),
                Shape::Path => resource.path.to_owned(),
                Shape::Json => Value::Object(shown(resource, &documents, keys, &project)).to_string(),
            };
            self.printer.data(Event::new("Z052", "PrintEvent", Level::Info, line.clone(), json!({"msg": line})));
        }
        Ok(OK)
    }
}

fn selector(r: &Resource<'_>) -> String {
    match r.kind {
        "source" => format!("source:{}.{}.{}", r.package, r.source_name, r.name),
        "exposure" | "metric" | "saved_query" | "semantic_model" => format!("{}:{}.{}", r.kind, r.package, r.name),
        "unit_test" => format!("unit_test:{}.{}", r.package, r.search_name),
        _ => r.fqn.join("."),
    }
}

fn whole(project: &Project) -> Value {
    manifest_json(&project.manifest, &BTreeMap::new(), ArtifactMeta { input: &project.input, generated_at: "" })
}

/// The manifest's entry, cut to the keys; a dot reaches inside. `target` and `execution_path` are ours.
fn shown(resource: &Resource<'_>, documents: &Value, keys: &[String], project: &Project) -> Map<String, Value> {
    let section = match resource.kind {
        "source" => "sources",
        "exposure" => "exposures",
        "metric" => "metrics",
        "saved_query" => "saved_queries",
        "semantic_model" => "semantic_models",
        "unit_test" => "unit_tests",
        "function" => "functions",
        _ => "nodes",
    };
    let mut entry = documents.get(section).and_then(|s| s.get(resource.id.as_str())).and_then(Value::as_object).cloned().unwrap_or_default();
    // dbt lists it, though its manifest has it not.
    if resource.kind == "model" && let Some(parents) = entry.get("depends_on").and_then(|d| d.get("nodes")).cloned() {
        entry.insert("direct_parents".to_owned(), parents);
    }
    if keys.is_empty() {
        return entry.into_iter().filter(|(k, _)| KEYS.contains(&k.as_str())).collect();
    }
    if let Some(node) = project.manifest.nodes.get(resource.id) {
        entry.insert("target".to_owned(), json!(node.target));
        entry.insert("execution_path".to_owned(), json!(node.execution));
    } else if let Some(source) = project.manifest.sources.get(resource.id) {
        entry.insert("target".to_owned(), json!(source.connection));
    }
    let entry = Value::Object(entry);
    let inside = |key: &str| key.split('.').try_fold(&entry, |v, part| v.get(part)).cloned();
    keys.iter().filter_map(|k| Some((k.clone(), inside(k).filter(|v| !k.contains('.') || !v.is_null())?))).collect()
}
