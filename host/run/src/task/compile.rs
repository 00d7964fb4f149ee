//! `compile`: every selected node rendered with its databases, written, and planned where it federates.

use super::{FAILED, OK, Prepared, Task};
use crate::artifacts::Artifacts;
use crate::database::Database;
use crate::log::{Event, Level};
use crate::node::{Done, Status, plan_node};
use dvt_diagnostic::Diagnostic;
use dvt_project::{ExecutionPath, ResourceType};
use std::sync::Arc;
use std::time::Instant;

impl Task {
    /// # Errors
    /// What keeps the command from running at all.
    pub fn compile(&self, inline: Option<&str>, as_json: bool) -> Result<u8, Vec<Diagnostic>> {
        let one = |d: Diagnostic| vec![d];
        let since = Instant::now();
        let Prepared { project, databases, chosen } = self.prepared(false)?;
        let introspect = self.settings.on("introspect");
        if let Some(text) = inline {
            let database = introspect.then(|| Arc::new(Database::new(databases)) as Arc<dyn dvt_jinja::Runtime>);
            let compiled = project.engine.compile_inline(text, database).map_err(one)?;
            self.compiled("inline", None, &compiled.sql, as_json);
            return Ok(OK);
        }
        let artifacts = Artifacts::new(project.clone());
        let mut results = Vec::new();
        let ids: Vec<_> = project.graph.order().filter(|id| chosen.contains(*id)).cloned().collect();
        let mut texts: Vec<(dvt_project::UniqueId, String, String)> = Vec::new();
        for id in ids {
            let Some(node) = project.manifest.nodes.get(&id) else { continue };
            if node.resource_type == ResourceType::Seed {
                continue;
            }
            let mut done = Done::new(&id);
            let began = Instant::now();
            let database = Arc::new(Database::new(databases.clone()));
            let runtime = introspect.then(|| database.clone() as Arc<dyn dvt_jinja::Runtime>);
            let outcome = project.engine.compile(&id, runtime).and_then(|compiled| {
                done.compiled = Some(artifacts.compiled(node, &compiled)?);
                texts.push((id.clone(), node.name.clone(), compiled.sql.clone()));
                if introspect && node.execution == ExecutionPath::Federation && !node.is_ephemeral() {
                    // A source that does not exist yet is no reason not to compile.
                    match plan_node(&project, node, &compiled, &database) {
                        Ok(planned) => artifacts.planned(&planned.plan),
                        Err(why) => self.printer.diagnostic(&Diagnostic { severity: dvt_diagnostic::Severity::Note, ..why }),
                    }
                }
                Ok(())
            });
            if let Err(error) = outcome {
                done.status = Status::Error;
                done.message = Some(error.to_string());
                self.printer.diagnostic(&error);
            }
            done.seconds = began.elapsed().as_secs_f64();
            results.push(done);
        }
        if results.is_empty() {
            self.nothing_to_do();
        }
        // As dbt: the text is shown when nodes were asked for, the first of what matched.
        if !self.settings.select.is_empty()
            && let Some((id, name, sql)) = texts.iter().find(|(id, _, _)| project.manifest.nodes.get(id).is_some_and(|n| n.resource_type != ResourceType::Test)).or_else(|| texts.first())
        {
            self.compiled(name, Some(id), sql, as_json);
        }
        artifacts.results(&results, since.elapsed().as_secs_f64()).map_err(one)?;
        Ok(if results.iter().any(|d| d.status == Status::Error) { FAILED } else { OK })
    }

    fn compiled(&self, name: &str, id: Option<&dvt_project::UniqueId>, sql: &str, as_json: bool) {
        let text = if as_json { serde_json::to_string_pretty(&serde_json::json!({"node": name, "compiled": sql})).unwrap_or_default() } else { sql.to_owned() };
        let data = serde_json::json!({
            "node_name": name, "compiled": sql, "is_inline": id.is_none(), "unique_id": id, "output_format": if as_json { "json" } else { "text" }, "quiet": self.settings.quiet,
        });
        self.printer.data(Event::new("Q042", "CompiledNode", Level::Info, text, data));
    }
}
