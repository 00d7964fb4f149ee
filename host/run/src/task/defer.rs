//! `--defer`: what is not selected and does not exist here is read where another environment's manifest has it.

use crate::choose::document;
use crate::database::{Database, Databases};
use crate::project::Project;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_jinja::{Engine, Runtime};
use dvt_project::{Manifest, Node, RelationName, ResourceType, UniqueId};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The relations that `manifest` (v12 as JSON) gives the project's nodes; ephemeral models have none.
pub fn relations(project: &Manifest, manifest: &Value) -> Vec<(UniqueId, RelationName)> {
    let text = |v: &Value, key: &str| v.get(key).and_then(Value::as_str).map(str::to_owned);
    let of = |node: &Node| {
        let there = manifest.get("nodes")?.get(node.unique_id.as_str())?;
        there.get("relation_name")?.as_str()?;
        let name = RelationName { database: text(there, "database"), schema: text(there, "schema"), identifier: text(there, "alias").or_else(|| text(there, "name"))? };
        // Products without databases give none here either.
        let database = node.relation.as_ref().and_then(|r| r.database.as_ref()).and(name.database);
        Some((node.unique_id.clone(), RelationName { database, ..name }))
    };
    let refable = |n: &&Node| matches!(n.resource_type, ResourceType::Model | ResourceType::Seed | ResourceType::Snapshot) && !n.is_ephemeral();
    project.nodes.values().filter(refable).filter_map(of).collect()
}

/// # Errors
/// No manifest to defer to, or a database that cannot be asked.
pub fn defer(project: &mut Project, databases: &Arc<Databases>, chosen: &BTreeSet<UniqueId>) -> Result<(), Vec<Diagnostic>> {
    let one = |d: Diagnostic| vec![d];
    let settings = &project.settings;
    let folder = settings.path("defer_state").or_else(|| settings.path("state"));
    let missing = |text: String| vec![Diagnostic::error(Code::SelectorInvalid, text).hint("--state or --defer-state names the folder of a manifest.json")];
    let Some(folder) = folder else { return Err(missing("--defer needs the manifest of another environment".to_owned())) };
    let Some(manifest) = document(&folder, "manifest.json").map_err(one)? else {
        return Err(missing(format!("--defer: there is no {}", folder.join("manifest.json").display())));
    };
    let database = Database::new(databases.clone());
    let favoured = settings.on("favor_state");
    let mut moved: Manifest = (*project.manifest).clone();
    let mut any = false;
    for (id, relation) in relations(&project.manifest, &manifest) {
        let Some(node) = moved.nodes.get_mut(&id).filter(|_| !chosen.contains(&id)) else { continue };
        let here = match &node.relation {
            Some(own) if !favoured => database.get_relation(&node.target, own).map_err(one)?.is_some(),
            _ => false,
        };
        if !here && node.relation.as_ref() != Some(&relation) {
            node.relation = Some(relation);
            any = true;
        }
    }
    if any {
        project.manifest = Arc::new(moved);
        project.engine = Engine::new(project.manifest.clone(), &project.input)?;
    }
    Ok(())
}
