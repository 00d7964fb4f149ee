//! `clone`: relations of another environment made visible in this one, as views of them.

use super::defer::relations;
use super::{OK, Task};
use crate::choose::document;
use crate::database::Database;
use crate::project::Project;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_jinja::{Engine, Runtime};
use dvt_project::artifacts::render_relation;
use dvt_project::{DependsOn, ExecutionPath, Graph, ResourceType};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Task {
    /// What exists here already stays, unless --full-refresh is given.
    ///
    /// # Errors
    /// No manifest to clone from.
    pub fn clone_relations(&self) -> Result<u8, Vec<Diagnostic>> {
        let one = |d: Diagnostic| vec![d];
        let mut project = self.loaded()?;
        let chosen = self.chosen(&project)?;
        let folder = self.settings.path("state").ok_or_else(|| vec![Diagnostic::error(Code::Usage, "clone needs --state with the manifest of the other environment")])?;
        let there = document(&folder, "manifest.json").map_err(one)?;
        let there = there.ok_or_else(|| vec![Diagnostic::error(Code::Usage, format!("there is no {}", folder.join("manifest.json").display()))])?;
        let databases = self.databases(&project, true).map_err(one)?;
        let mut wanted = BTreeSet::new();
        {
            let database = Database::new(databases.clone());
            let mut manifest = (*project.manifest).clone();
            for (id, relation) in relations(&project.manifest, &there) {
                let Some(node) = manifest.nodes.get_mut(&id).filter(|_| chosen.contains(&id)) else { continue };
                let Some(own) = &node.relation else { continue };
                if *own == relation {
                    continue;
                }
                let exists = database.get_relation(&node.target, own).map_err(one)?.is_some();
                if exists && !self.settings.full_refresh {
                    self.printer.line(&format!("No-op: {} exists on target {}", own.identifier, node.target));
                    continue;
                }
                let facts = project.input.adapters.get(node.adapter.as_str());
                // A model of its own: a view of the other environment's relation, made as any view is.
                node.raw_code = format!("select * from {}", render_relation(&relation, facts, node.config.get("quoting").and_then(Value::as_object)));
                node.resource_type = ResourceType::Model;
                node.execution = ExecutionPath::Pushdown;
                node.depends_on = DependsOn::default();
                for (key, value) in [("materialized", json!("view")), ("pre-hook", json!([])), ("post-hook", json!([])), ("contract", json!({"enforced": false})), ("persist_docs", json!({}))] {
                    node.config.insert(key.to_owned(), value);
                }
                wanted.insert(id);
            }
            project.manifest = Arc::new(manifest);
        }
        if wanted.is_empty() {
            self.printer.line("Nothing to clone: every selected relation is here, or the other environment has none");
            return Ok(OK);
        }
        project.graph = Graph::new(&project.manifest).map_err(one)?;
        project.engine = Engine::new(project.manifest.clone(), &project.input)?;
        let project: Arc<Project> = Arc::new(project);
        self.run_nodes(project, databases, wanted)
    }
}
