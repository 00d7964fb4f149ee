//! `run-operation`: a macro by itself, or text that is rendered and run.

use super::{FAILED, OK, Task};
use crate::artifacts::Artifacts;
use crate::database::Database;
use crate::log::{Event, Level};
use crate::node::{Done, Status};
use dvt_diagnostic::{Code, Diagnostic};
use dvt_jinja::{Asking, Execute, Runtime};
use dvt_project::UniqueId;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Instant;

impl Task {
    /// # Errors
    /// What keeps the macro from being found.
    pub fn run_operation(&self, name: Option<&str>, args: &Map<String, Value>, sql: Option<&str>) -> Result<u8, Vec<Diagnostic>> {
        let one = |d: Diagnostic| vec![d];
        let since = Instant::now();
        let project = self.project()?;
        let databases = self.databases(&project, false).map_err(one)?;
        databases.know(&project);
        let connection = format!("macro_{}", name.unwrap_or("inline"));
        let comment = project.engine.query_comment(Asking::Connection(&connection), &project.manifest.default_target).map_err(one)?;
        let database = Arc::new(Database::new(databases).commented(comment));
        let outcome = match (name, sql) {
            (_, Some(text)) => project.engine.compile_inline(text, Some(database.clone())).and_then(|compiled| {
                if compiled.sql.trim().is_empty() {
                    return Ok(Value::Null);
                }
                let target = &project.manifest.default_target;
                let reads: Vec<_> = compiled.relations.iter().map(|u| u.relation.clone()).collect();
                database.execute(target, &compiled.sql, &reads, Execute { fetch: false, limit: None }).map(|_| Value::Null)
            }),
            (Some(name), None) => project.engine.run_operation(name, args, database),
            (None, None) => return Err(vec![Diagnostic::error(Code::Usage, "there is no macro to run").hint("dvt run-operation NAME --args '{key: value}'")]),
        };
        let shown = name.unwrap_or("inline");
        let package = &project.manifest.project_name;
        let id = if shown.contains('.') { format!("macro.{shown}") } else { format!("macro.{package}.{shown}") };
        let mut done = Done::new(&UniqueId::new(id));
        done.seconds = since.elapsed().as_secs_f64();
        let code = match outcome {
            Ok(_) => OK,
            Err(error) if error.code == Code::MacroNotFound && name.is_some() => {
                let hint = "check the spelling, write package.macro for one of a package, or install packages with `dvt deps`";
                return Err(vec![if error.hint.is_some() { error } else { error.hint(hint) }]);
            }
            Err(error) => {
                let text = self.printer.hiding(&error.to_string());
                let data = json!({"exc": text});
                self.printer.event(Event::new("Q001", "RunningOperationCaughtError", Level::Error, format!("Error while running `{shown}`: {text}"), data));
                done.status = Status::Error;
                done.message = Some(text);
                FAILED
            }
        };
        Artifacts::new(project).results(&[done], since.elapsed().as_secs_f64()).map_err(one)?;
        Ok(code)
    }
}
