//! `docs generate`: the catalog of every connection in use (SPEC D1), the manifest, and the page to read them on.

use super::{FAILED, OK, Prepared, Task};
use crate::artifacts::Artifacts;
use crate::database::{Database, Databases};
use crate::introspect::{Known, meant};
use crate::log::{Event, Level};
use crate::project::Project;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_project::{RelationName, ResourceType, TargetName, UniqueId};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The page; its data is read from beside it, or stands in it.
const PAGE: &str = include_str!("../../docs/index.html");
const DATA: &str = "/*DVT-DATA*/";

/// What is asked of one connection: ids and their relations.
type Asked = BTreeMap<TargetName, Vec<(UniqueId, RelationName)>>;

impl Task {
    /// # Errors
    /// What keeps the command from running at all; a database that cannot be asked is told in the catalog.
    pub fn docs_generate(&self) -> Result<u8, Vec<Diagnostic>> {
        let one = |d: Diagnostic| vec![d];
        let Prepared { project, databases, chosen } = self.prepared(false)?;
        let artifacts = Artifacts::new(project.clone());
        let mut code = OK;
        let mut compiled = BTreeMap::new();
        if self.settings.on("compile") && !self.settings.on("empty_catalog") {
            for id in project.graph.order().filter(|id| chosen.contains(*id)) {
                let Some(node) = project.manifest.nodes.get(id).filter(|n| n.resource_type != ResourceType::Seed) else { continue };
                let database = Arc::new(Database::new(databases.clone()));
                match project.engine.compile(id, Some(database)).and_then(|c| artifacts.compiled(node, &c)) {
                    Ok(done) => {
                        compiled.insert(id.clone(), done);
                    }
                    Err(error) => {
                        code = FAILED;
                        self.printer.diagnostic(&error);
                    }
                }
            }
            if code == FAILED {
                self.printer.event(Event::new("E043", "CannotGenerateDocs", Level::Error, "compile failed, cannot generate docs", json!({})));
                return Ok(code);
            }
        }
        artifacts.manifest(&compiled).map_err(one)?;
        self.printer.event(Event::new("E044", "BuildingCatalog", Level::Info, "Building catalog", json!({})));
        let everything = self.settings.select.is_empty() && self.settings.exclude.is_empty() && self.settings.text("selector").is_none();
        let (catalog, errors) = self.catalog(&project, &databases, (!everything).then_some(&chosen));
        artifacts.catalog(catalog).map_err(one)?;
        for error in &errors {
            self.printer.diagnostic(error);
        }
        let folder = artifacts.folder();
        artifacts.page("index.html", PAGE).map_err(one)?;
        if self.settings.on("static") {
            let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
            let parts: Vec<String> = ["manifest", "catalog", "dvt_manifest"]
                .iter()
                .filter_map(|name| Some(format!("{name}: {}", read(&format!("{name}.json"))?.replace('<', "\\u003c"))))
                .collect();
            artifacts.page("static_index.html", &PAGE.replace(DATA, &parts.join(", "))).map_err(one)?;
        }
        let path = folder.join("catalog.json");
        self.printer.event(Event::new("E042", "CatalogWritten", Level::Info, format!("Catalog written to {}", path.display()), json!({"path": path})));
        Ok(if errors.is_empty() { code } else { FAILED })
    }

    /// The catalog without its head; `only` leaves out what is not in it.
    fn catalog(&self, project: &Project, databases: &Arc<Databases>, only: Option<&BTreeSet<UniqueId>>) -> (Map<String, Value>, Vec<Diagnostic>) {
        let m = &project.manifest;
        let wanted = |id: &UniqueId| only.is_none_or(|o| o.contains(id));
        let built = m.nodes.values().filter(|n| matches!(n.resource_type, ResourceType::Model | ResourceType::Seed | ResourceType::Snapshot) && wanted(&n.unique_id));
        let mut asked: Asked = BTreeMap::new();
        for node in built {
            if let Some(relation) = node.relation.clone().filter(|_| !node.is_ephemeral()) {
                asked.entry(node.target.clone()).or_default().push((node.unique_id.clone(), relation));
            }
        }
        // As in dbt, everything that the project reads is described, whatever is selected.
        for source in m.sources.values() {
            asked.entry(source.connection.clone()).or_default().push((source.unique_id.clone(), source.relation.clone()));
        }
        let (mut nodes, mut sources, mut errors) = (Map::new(), Map::new(), Vec::new());
        if !self.settings.on("empty_catalog") {
            let database = Database::new(databases.clone());
            for (target, list) in &asked {
                let names: Vec<RelationName> = list.iter().map(|(_, r)| r.clone()).collect();
                match database.fresh(target, &names) {
                    Ok(known) => {
                        for (id, relation) in list {
                            let Some(found) = meant(&known, relation) else { continue };
                            let entry = table(id, relation, found);
                            if m.sources.contains_key(id) { &mut sources } else { &mut nodes }.insert(id.to_string(), entry);
                        }
                    }
                    Err(error) => errors.push(error),
                }
            }
        }
        let connections: Map<String, Value> = m.sources.values().map(|s| (s.unique_id.to_string(), json!(s.connection))).collect();
        let facts = |target: &TargetName| m.targets.get(target).map(|t| json!({"adapter_type": t.adapter, "database": t.database, "schema": t.schema}));
        let metadata: Map<String, Value> = asked.keys().filter_map(|t| Some((t.to_string(), facts(t)?))).collect();
        let told: Vec<String> = errors.iter().map(|e| self.printer.hiding(&e.to_string())).collect();
        let document = json!({
            "nodes": nodes, "sources": sources, "errors": if told.is_empty() { Value::Null } else { json!(told) },
            "source_connections": connections, "connection_metadata": metadata,
        });
        (document.as_object().cloned().unwrap_or_default(), errors)
    }
}

fn table(id: &UniqueId, relation: &RelationName, found: &Known) -> Value {
    let kind = match found.kind.as_str() {
        "table" | "" => "BASE TABLE".to_owned(),
        other => other.replace('_', " ").to_uppercase(),
    };
    let columns: Map<String, Value> = found
        .schema
        .columns
        .iter()
        .enumerate()
        .map(|(i, c)| (c.name.clone(), json!({"type": c.native, "index": i + 1, "name": c.name, "comment": found.said.columns.get(&c.name)})))
        .collect();
    let mut stats = Map::new();
    let counted = [("num_rows", "# Rows", "Approximate count of rows in this table", found.schema.rows), ("num_bytes", "Approximate Size", "Approximate size of the table in bytes", found.schema.bytes)];
    for (key, label, description, value) in counted {
        if let Some(value) = value {
            stats.insert(key.to_owned(), json!({"id": key, "label": label, "value": value as f64, "include": true, "description": description}));
        }
    }
    let any = !stats.is_empty();
    let text = "Indicates whether there are statistics for this table";
    stats.insert("has_stats".to_owned(), json!({"id": "has_stats", "label": "Has Stats?", "value": any, "include": false, "description": text}));
    let name = &found.name;
    json!({
        "metadata": {
            "type": kind, "schema": name.schema.clone().or_else(|| relation.schema.clone()).unwrap_or_default(), "name": name.identifier,
            "database": relation.database.clone().or_else(|| name.database.clone()), "comment": found.said.comment, "owner": found.said.owner,
        },
        "columns": columns, "stats": stats, "unique_id": id,
    })
}

/// A missing page is a missing command before it.
pub(super) fn no_page(folder: &std::path::Path) -> Diagnostic {
    Diagnostic::error(Code::Artifact, format!("there is no {}", folder.join("index.html").display())).hint("`dvt docs generate` writes the page")
}
