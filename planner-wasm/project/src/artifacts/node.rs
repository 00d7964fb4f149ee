//! A node as it stands in `manifest.json`.
//!
//! Its parts go to the serializer as they are: a large project has tens of thousands of nodes, and a value of each would be
//! made only to be written.

use super::manifest::Writer;
use crate::node::{ColumnProperties, Node, ResourceType};
use indexmap::IndexMap;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};

pub(super) struct NodeDocument<'a>(pub &'a Writer<'a>, pub &'a Node);

#[derive(serde::Serialize)]
struct Checksum<'a> {
    name: &'a str,
    checksum: &'a str,
}

#[derive(serde::Serialize)]
struct Contract<'a> {
    enforced: bool,
    alias_types: bool,
    checksum: &'a Option<String>,
}

#[derive(serde::Serialize)]
struct TestMetadata<'a> {
    name: &'a Option<String>,
    kwargs: &'a Map<String, Value>,
    namespace: &'a Option<String>,
}

#[derive(serde::Serialize)]
struct Macros<'a> {
    macros: &'a [String],
}

/// A config as the schema takes it: hooks without dvt's own `connection`.
pub(super) struct ConfigDocument<'a>(pub &'a Map<String, Value>);

impl Serialize for ConfigDocument<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0 {
            match value.as_array().filter(|hooks| !hooks.is_empty() && matches!(key.as_str(), "pre-hook" | "post-hook")) {
                Some(hooks) => out.serialize_entry(key, &hooks.iter().map(hook).collect::<Vec<_>>())?,
                None => out.serialize_entry(key, value)?,
            }
        }
        out.end()
    }
}

fn hook(hook: &Value) -> Value {
    let mut hook = hook.clone();
    if let Some(hook) = hook.as_object_mut() {
        hook.retain(|k, _| matches!(k.as_str(), "sql" | "transaction" | "index"));
    }
    hook
}

impl Serialize for NodeDocument<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(writer, node) = self;
        let manifest = writer.manifest;
        let mut out = serializer.serialize_map(None)?;
        let generic = node.test.as_ref().filter(|t| t.generic.is_some());
        let own = manifest.targets.get(&node.target);
        let named = node.relation.as_ref();
        let schema = named.and_then(|r| r.schema.as_ref()).or(node.schema.as_ref()).or_else(|| own.map(|t| &t.schema));
        let database = named.map_or(node.database.as_ref(), |r| r.database.as_ref()).or_else(|| own.and_then(|t| t.database.as_ref()));
        out.serialize_entry("database", &database)?;
        out.serialize_entry("schema", schema.map_or("", String::as_str))?;
        out.serialize_entry("name", &node.name)?;
        out.serialize_entry("resource_type", node.resource_type.as_str())?;
        out.serialize_entry("package_name", &node.package)?;
        out.serialize_entry("path", &short_path(node))?;
        out.serialize_entry("original_file_path", &node.path)?;
        out.serialize_entry("unique_id", &node.unique_id)?;
        out.serialize_entry("fqn", &node.fqn)?;
        out.serialize_entry("alias", &node.alias)?;
        let name = if node.checksum.is_empty() || generic.is_some() {
            "none"
        } else if node.checksum == node.path {
            "path"
        } else {
            "sha256"
        };
        let checksum = if name == "none" { "" } else { &node.checksum };
        out.serialize_entry("checksum", &Checksum { name, checksum })?;
        out.serialize_entry("config", &ConfigDocument(&node.config))?;
        out.serialize_entry("tags", &node.tags)?;
        out.serialize_entry("description", &node.description)?;
        out.serialize_entry("columns", &columns(&node.columns))?;
        out.serialize_entry("meta", &node.meta)?;
        out.serialize_entry("group", &writer.group(node))?;
        match node.config.get("docs").filter(|d| d.is_object()) {
            Some(docs) => out.serialize_entry("docs", docs)?,
            None => out.serialize_entry("docs", &json!({"show": true, "node_color": null}))?,
        }
        out.serialize_entry("patch_path", &node.patch_path)?;
        out.serialize_entry("build_path", &())?;
        out.serialize_entry("unrendered_config", &*node.unrendered_config)?;
        out.serialize_entry("relation_name", &writer.relation_name(node))?;
        let raw = if node.resource_type == ResourceType::Snapshot { node.raw_code.as_str() } else { node.raw_code.trim() };
        out.serialize_entry("raw_code", raw)?;
        out.serialize_entry("doc_blocks", &node.doc_blocks)?;
        out.serialize_entry("created_at", &writer.created_at)?;
        if node.resource_type == ResourceType::Seed {
            out.serialize_entry("root_path", &manifest.root_path)?;
            out.serialize_entry("depends_on", &Macros { macros: &node.depends_on.macros })?;
            return out.end();
        }
        out.serialize_entry("language", &node.language)?;
        out.serialize_entry("refs", &node.refs)?;
        out.serialize_entry("sources", &node.sources)?;
        out.serialize_entry("metrics", &node.metrics)?;
        out.serialize_entry("functions", &[(); 0])?;
        out.serialize_entry("depends_on", &node.depends_on)?;
        compilation(writer, node, &mut out)?;
        let contract = node.config.get("contract");
        let flag = |key: &str, usual: bool| contract.and_then(|c| c.get(key)).and_then(Value::as_bool).unwrap_or(usual);
        let facts = node.facts();
        let contract = Contract { enforced: flag("enforced", false), alias_types: flag("alias_types", true), checksum: &facts.contract_checksum };
        out.serialize_entry("contract", &contract)?;
        match node.resource_type {
            ResourceType::Model => {
                out.serialize_entry("access", node.access())?;
                out.serialize_entry("constraints", &facts.constraints)?;
                out.serialize_entry("version", &facts.version)?;
                out.serialize_entry("latest_version", &facts.latest_version)?;
                out.serialize_entry("deprecation_date", &facts.deprecation_date)?;
                out.serialize_entry("primary_key", &facts.primary_key)?;
                out.serialize_entry("time_spine", &facts.time_spine)?;
            }
            ResourceType::Test => {
                if let Some(facts) = generic {
                    out.serialize_entry("column_name", &facts.column)?;
                    out.serialize_entry("file_key_name", &facts.file_key)?;
                    // dbt names nodes here, not sources.
                    let attached = facts.attached.as_ref().filter(|id| manifest.nodes.contains_key(id) || manifest.disabled.contains_key(id));
                    out.serialize_entry("attached_node", &attached)?;
                    let metadata = TestMetadata { name: &facts.generic, kwargs: &facts.kwargs, namespace: &facts.namespace };
                    out.serialize_entry("test_metadata", &metadata)?;
                }
            }
            ResourceType::Operation => out.serialize_entry("index", &node.index)?,
            ResourceType::Function => {
                out.serialize_entry("arguments", &facts.arguments)?;
                out.serialize_entry("returns", &facts.returns)?;
                out.serialize_entry("overloads", &[(); 0])?;
            }
            ResourceType::Seed | ResourceType::Snapshot | ResourceType::Analysis => {}
        }
        out.end()
    }
}

fn compilation<M: SerializeMap>(writer: &Writer<'_>, node: &Node, out: &mut M) -> Result<(), M::Error> {
    let Some(compiled) = writer.compiled.get(&node.unique_id) else {
        return out.serialize_entry("compiled_path", &());
    };
    let ctes: Vec<Value> = compiled.extra_ctes.iter().map(|(id, sql)| json!({"id": id, "sql": sql})).collect();
    out.serialize_entry("compiled_path", &compiled.path)?;
    out.serialize_entry("compiled", &true)?;
    out.serialize_entry("compiled_code", &compiled.code)?;
    out.serialize_entry("extra_ctes_injected", &true)?;
    out.serialize_entry("extra_ctes", &ctes)
}

/// dbt's `path`: below the resource folder; for generic tests the file of the compiled test.
fn short_path(node: &Node) -> String {
    if let Some(name) = node.test_file() {
        return name;
    }
    let below = node.path.get(node.below as usize..).unwrap_or(&node.path);
    match node.resource_type {
        ResourceType::Operation => format!("hooks/{}.sql", node.name),
        ResourceType::Analysis => format!("analysis/{below}"),
        ResourceType::Snapshot if !below.ends_with(".sql") => format!("{}.sql", node.name),
        _ => below.to_owned(),
    }
}

pub(super) fn columns(columns: &IndexMap<String, ColumnProperties>) -> Value {
    let one = |(name, c): (&String, &ColumnProperties)| {
        let mut value = json!({
            "name": c.name, "description": c.description, "meta": c.meta, "data_type": c.data_type, "constraints": c.constraints,
            "quote": c.quote, "config": {"meta": c.meta, "tags": c.tags}, "tags": c.tags, "granularity": null, "dimension": null,
            "entity": null, "doc_blocks": c.doc_blocks
        });
        for (key, extra) in &c.extra {
            value[key] = extra.clone();
        }
        (name.clone(), value)
    };
    Value::Object(columns.iter().map(one).collect())
}
