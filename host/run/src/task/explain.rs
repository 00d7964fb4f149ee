//! `explain`: for each model its path, what each source is asked, what stayed and why, and what the last run moved.

use super::{FAILED, OK, Prepared, Task, nothing_selected};
use crate::database::Database;
use crate::node::{Planned, counted, federated as run_federated, plan_node};
use dvt_diagnostic::{Code, Diagnostic};
use dvt_jinja::{Execute, Runtime};
use dvt_planner::catalog::RelationSchema;
use dvt_planner::explain::{document, failed as unplanned, federated, pushdown, text};
use dvt_project::{ExecutionPath, RelationRef, ResourceType};
use serde_json::{Value, json};
use std::io::Write;
use std::sync::Arc;

impl Task {
    /// # Errors
    /// What keeps the command from running at all; a model that cannot be planned is shown with its error.
    pub fn explain(&self, as_json: bool, out: &mut dyn Write) -> Result<u8, Vec<Diagnostic>> {
        let Prepared { project, databases, chosen } = self.prepared(false)?;
        let mut models = Vec::new();
        let mut failed = false;
        for id in project.graph.order().filter(|id| chosen.contains(*id)) {
            let Some(node) = project.manifest.nodes.get(id) else { continue };
            if node.resource_type != ResourceType::Model || node.is_ephemeral() {
                continue;
            }
            let database = Arc::new(Database::new(databases.clone()));
            let model = project.engine.compile(id, Some(database.clone())).and_then(|compiled| match node.execution {
                ExecutionPath::Pushdown => {
                    let relations: Vec<String> = compiled.relations.iter().map(|u| u.rendered.clone()).collect();
                    let mut shown = pushdown(node, &compiled.sql, &relations);
                    if self.settings.on("analyze") {
                        let (estimated, rows) = counted(&project, node, &compiled.sql, &database)?;
                        shown["delegates"][0]["estimated"] = estimated.map_or(Value::Null, |rows| json!({"rows": rows, "bytes": null}));
                        // It stays where it is.
                        shown["delegates"][0]["actual"] = json!({"rows": 0, "bytes": 0});
                        shown["rows"] = json!(rows);
                    }
                    Ok(shown)
                }
                ExecutionPath::Federation => {
                    let mut planned = plan_node(&project, node, &compiled, &database)?;
                    let moved = project.home.mdm().last_movements(id.as_str()).unwrap_or_default();
                    count_unknown(&mut planned, &database);
                    let mut shown = federated(node, &planned.plan, &planned.catalog, &moved.to_vec());
                    if self.settings.on("analyze") {
                        let ran = run_federated(&project, &databases, node, &planned.plan)?;
                        if let Some((rows, bytes)) = ran.moved {
                            shown["delegates"][0]["actual"] = json!({"rows": rows, "bytes": bytes});
                        }
                        dvt_planner::analysis::add(&mut shown, &planned.plan, &ran.runs, ran.rows);
                    }
                    Ok(shown)
                }
            });
            models.push(model.unwrap_or_else(|error| {
                failed = true;
                self.printer.diagnostic(&error);
                unplanned(node, &error)
            }));
        }
        if models.is_empty() {
            self.printer.diagnostic(&nothing_selected());
        }
        let text = if as_json {
            serde_json::to_string_pretty(&document(&models)).unwrap_or_default() + "\n"
        } else {
            models.iter().map(text).collect()
        };
        out.write_all(text.as_bytes()).map_err(|e| vec![Diagnostic::error(Code::Artifact, e.to_string())])?;
        Ok(if failed { FAILED } else { OK })
    }
}

/// How many rows the tables hold whose database keeps no estimate: a person compares what moved with that.
fn count_unknown(planned: &mut Planned, database: &Database) {
    for scan in &planned.plan.scans {
        let relation = RelationRef { target: scan.source.clone(), name: scan.relation.clone() };
        let Some(schema) = planned.catalog.relation(&relation).filter(|s| s.rows.is_none()).cloned() else { continue };
        // A view would be computed as a whole for this; a table is counted fast.
        let table = database.get_relation(&scan.source, &scan.relation).ok().flatten().is_some_and(|f| f.kind == "table");
        let Some((_, from)) = scan.sql.split_once(" FROM ").filter(|_| table) else { continue };
        let from = from.split(" WHERE ").next().unwrap_or(from).split(" LIMIT ").next().unwrap_or(from);
        let count = database.execute(&scan.source, &format!("SELECT count(*) FROM {from}"), &[], Execute { fetch: true, limit: None });
        let rows = count.ok().and_then(|c| c.rows.first()?.first().and_then(|v| v.as_u64().or_else(|| v.as_str()?.parse().ok())));
        planned.catalog.insert(relation, RelationSchema { rows, ..schema });
    }
}
