//! What each node is called in its database: dbt's `generate_*_name` macros, or their usual answers without calling them.

use crate::macros;
use crate::python::from_json;
use crate::refs;
use crate::scope::{Phase, Scope, Shared};
use dvt_diagnostic::{Code, Diagnostic};
use dvt_project::{Manifest, Node, RelationName, ResourceType, TargetName, UniqueId, version_text};
use minijinja::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Database, schema and name of every node that has a table or view, by dbt's `generate_*_name` macros.
pub(super) fn relations(shared: &Arc<Shared>, manifest: &mut Manifest, errors: &mut Vec<Diagnostic>) {
    let mut taken: BTreeMap<(TargetName, RelationName), UniqueId> = BTreeMap::new();
    for (id, node) in manifest.nodes.iter_mut().chain(&mut manifest.functions).chain(&mut manifest.disabled) {
        let Some(target) = manifest.targets.get(&node.target) else { continue };
        let text = |key: &str| node.config_str(key).map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned);
        let (schema, database, alias) = (text("schema"), text("database"), text("alias"));
        let custom = |name: &str| shared.macros.naming(&node.package, name).is_some();
        let (schema_macro, database_macro, alias_macro) = (custom("generate_schema_name"), custom("generate_database_name"), custom("generate_alias_name"));
        let call = |name: &str, given: Option<&str>, node: &Node| -> Result<Option<String>, Diagnostic> {
            let scope = Arc::new(Scope::new(shared.clone(), Arc::new(node.clone()), Phase::Parse, None));
            let entry = shared.macros.naming(&node.package, name).ok_or_else(|| Diagnostic::error(Code::MacroNotFound, name.to_owned()))?;
            let model = from_json(&refs::node_json(&shared.manifest, node, &shared.input));
            let given = given.map_or_else(|| Value::from(()), Value::from);
            macros::call(entry, &scope, &shared.env, &[given, model])
                .map(|v| (!v.is_none()).then(|| v.to_string().trim().to_owned()))
                .map_err(|e| crate::errors::diagnostic(&e, &shared.sources, Some(node.unique_id.as_str())))
        };
        let run = || -> Result<(Option<String>, Option<String>, String), Diagnostic> {
            let own_schema = match (schema_macro, &schema) {
                (true, s) => call("generate_schema_name", s.as_deref(), node)?,
                (false, None) => Some(target.schema.clone()),
                (false, Some(s)) => Some(format!("{}_{s}", target.schema)),
            };
            let own_database = match (database_macro, &database) {
                (true, d) => call("generate_database_name", d.as_deref(), node)?.filter(|d| !d.is_empty() && d != "None"),
                (false, Some(d)) => Some(d.clone()),
                (false, None) => target.database.clone(),
            };
            let own_alias = match (alias_macro, &alias) {
                (true, a) => call("generate_alias_name", a.as_deref(), node)?.unwrap_or_else(|| node.name.clone()),
                (false, Some(a)) => a.clone(),
                (false, None) => match &node.facts().version {
                    Some(version) => format!("{}_v{}", node.name, version_text(version).replace('.', "_")),
                    None => node.name.clone(),
                },
            };
            Ok((own_schema, own_database, own_alias))
        };
        match run() {
            Ok((mut schema, mut database, alias)) => {
                node.alias = alias;
                if node.resource_type == ResourceType::Snapshot {
                    let given = |key: &str| node.config_str(key).filter(|s| !s.is_empty()).map(str::to_owned);
                    schema = given("target_schema").or(schema);
                    database = given("target_database").or(database);
                }
                node.schema.clone_from(&schema);
                node.database.clone_from(&database);
                let enabled = node.config.get("enabled").and_then(serde_json::Value::as_bool) != Some(false);
                let name = RelationName { database, schema, identifier: node.alias.clone() };
                let built = matches!(node.resource_type, ResourceType::Model | ResourceType::Seed | ResourceType::Snapshot) && !node.is_ephemeral();
                if built && enabled && let Some(other) = taken.insert((node.target.clone(), name.clone()), id.clone()) {
                    errors.push(
                        Diagnostic::error(Code::DuplicateResource, format!("`{other}` and `{id}` would both be `{}` on target `{}`", name.identifier, node.target))
                            .at(node.span.clone())
                            .hint("give one of them another alias or schema"),
                    );
                }
                let kept = node.resource_type == ResourceType::Test
                    && node.stores_failures(shared.input.invocation.flags.get("store_failures").and_then(serde_json::Value::as_bool) == Some(true));
                if built || kept || node.resource_type == ResourceType::Function {
                    node.relation = Some(name);
                }
            }
            Err(e) => errors.push(if e.span.is_none() { e.at(node.span.clone()) } else { e }),
        }
    }
}
