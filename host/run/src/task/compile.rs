//! `compile`: every selected node rendered with its databases, written, and planned where it federates.

use super::{FAILED, OK, Task, nothing_selected};
use crate::artifacts::Artifacts;
use crate::database::Database;
use crate::node::{Done, Status, plan_node};
use dvt_diagnostic::Diagnostic;
use dvt_project::{ExecutionPath, ResourceType};
use std::sync::Arc;
use std::time::Instant;

impl Task {
    /// # Errors
    /// What keeps the command from running at all.
    pub fn compile(&self, inline: Option<&str>, out: &mut dyn std::io::Write) -> Result<u8, Vec<Diagnostic>> {
        let one = |d: Diagnostic| vec![d];
        let since = Instant::now();
        let project = self.project()?;
        let databases = self.databases(&project, false).map_err(one)?;
        if let Some(text) = inline {
            let database = Arc::new(Database::new(databases));
            let compiled = project.engine.compile_inline(text, Some(database)).map_err(one)?;
            // A reader that went away wants no more.
            let _ = writeln!(out, "{}", compiled.sql);
            return Ok(OK);
        }
        let chosen = project.selected().map_err(one)?;
        let artifacts = Artifacts::new(project.clone());
        let mut results = Vec::new();
        let ids: Vec<_> = project.graph.order().filter(|id| chosen.contains(*id)).cloned().collect();
        let mut last = String::new();
        for id in ids {
            let Some(node) = project.manifest.nodes.get(&id) else { continue };
            if node.resource_type == ResourceType::Seed {
                continue;
            }
            let mut done = Done::new(&id);
            let began = Instant::now();
            let database = Arc::new(Database::new(databases.clone()));
            let outcome = project.engine.compile(&id, Some(database.clone())).and_then(|compiled| {
                done.compiled = Some(artifacts.compiled(node, &compiled)?);
                last.clone_from(&compiled.sql);
                if node.execution == ExecutionPath::Federation && !node.is_ephemeral() {
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
            self.printer.diagnostic(&nothing_selected());
        }
        if !self.settings.select.is_empty() && results.len() == 1 {
            let _ = writeln!(out, "{last}");
        }
        artifacts.results(&results, since.elapsed().as_secs_f64()).map_err(one)?;
        Ok(if results.iter().any(|d| d.status == Status::Error) { FAILED } else { OK })
    }
}
