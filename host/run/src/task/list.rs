//! `ls`: what a selection selects.

use super::{OK, Task, nothing_selected};
use crate::project::Project;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_project::UniqueId;
use serde_json::{Map, Value, json};
use std::io::Write;

/// How each resource is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// fqn, as selectors take it.
    Selector,
    Name,
    Path,
    Json,
}

impl Task {
    /// # Errors
    /// What keeps the command from running at all.
    pub fn list(&self, shape: Shape, kinds: &[String], keys: &[String], out: &mut dyn Write) -> Result<u8, Vec<Diagnostic>> {
        let project = self.project()?;
        let chosen = project.selected().map_err(|d| vec![d])?;
        let mut any = false;
        for id in &chosen {
            let Some(resource) = describe(&project, id) else { continue };
            let kind = resource.kind.as_str();
            if !(kinds.is_empty() || kinds.iter().any(|k| k == kind || k == "all" || k == &format!("{kind}s"))) {
                continue;
            }
            any = true;
            let line = match shape {
                Shape::Selector => match kind {
                    "source" | "exposure" => format!("{kind}:{}", resource.fqn.join(".")),
                    _ => resource.fqn.join("."),
                },
                Shape::Name => resource.name,
                Shape::Path => resource.path,
                Shape::Json => {
                    let mut object = resource.json;
                    if !keys.is_empty() {
                        object = keys.iter().filter_map(|k| Some((k.clone(), object.get(k)?.clone()))).collect();
                    }
                    Value::Object(object).to_string()
                }
            };
            writeln!(out, "{line}").map_err(|e| vec![Diagnostic::error(Code::Artifact, e.to_string())])?;
        }
        if !any {
            self.printer.diagnostic(&nothing_selected());
        }
        Ok(OK)
    }
}

struct Resource {
    kind: String,
    name: String,
    path: String,
    fqn: Vec<String>,
    json: Map<String, Value>,
}

fn describe(project: &Project, id: &UniqueId) -> Option<Resource> {
    let m = &project.manifest;
    let (kind, name, package, path, fqn, extra) = if let Some(n) = m.nodes.get(id) {
        let extra = json!({"config": n.config, "tags": n.tags, "alias": n.alias, "depends_on": {"macros": n.depends_on.macros, "nodes": n.depends_on.nodes},
            "target": n.target, "path": n.execution});
        (n.resource_type.as_str(), n.name.clone(), n.package.clone(), n.path.clone(), n.fqn.clone(), extra)
    } else if let Some(s) = m.sources.get(id) {
        let extra = json!({"config": s.config, "tags": s.tags, "source_name": s.source_name, "target": s.connection});
        ("source", s.name.clone(), s.package.clone(), s.path.clone(), s.fqn.clone(), extra)
    } else {
        let e = m.exposures.get(id)?;
        ("exposure", e.name.clone(), e.package.clone(), e.path.clone(), e.fqn.clone(), json!({"depends_on": {"nodes": e.depends_on}}))
    };
    let mut object = Map::new();
    object.insert("name".into(), json!(name));
    object.insert("resource_type".into(), json!(kind));
    object.insert("package_name".into(), json!(package));
    object.insert("original_file_path".into(), json!(path));
    object.insert("unique_id".into(), json!(id));
    if let Value::Object(extra) = extra {
        for (key, value) in extra {
            object.insert(if key == "path" { "execution_path".to_owned() } else { key }, value);
        }
    }
    Some(Resource { kind: kind.to_owned(), name, path, fqn, json: object })
}
