//! `manifest.json` v12.

use super::{ArtifactMeta, render_relation};
use crate::generic_test::md5_hex;
use crate::names::UniqueId;
use crate::node::{ColumnProperties, Exposure, MacroDef, Manifest, Node, ResourceType, SourceTable};
use indexmap::IndexMap;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What compilation adds to a node.
#[derive(Debug, Clone, Default)]
pub struct CompiledNode {
    pub code: String,
    /// `target/compiled/…`.
    pub path: Option<String>,
    /// Ids and texts of injected CTEs.
    pub extra_ctes: Vec<(UniqueId, String)>,
}

/// The whole manifest as a value; `compiled` holds the nodes compiled in this invocation.
pub fn manifest_json(manifest: &Manifest, compiled: &BTreeMap<UniqueId, CompiledNode>, meta: ArtifactMeta<'_>) -> Value {
    serde_json::to_value(ManifestDocument { manifest, compiled, meta }).unwrap_or_default()
}

/// The manifest for a serializer: one node at a time is in memory, which large projects need.
#[derive(Clone, Copy)]
pub struct ManifestDocument<'a> {
    pub manifest: &'a Manifest,
    pub compiled: &'a BTreeMap<UniqueId, CompiledNode>,
    pub meta: ArtifactMeta<'a>,
}

impl Serialize for ManifestDocument<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { manifest, compiled, meta } = *self;
        let writer = Writer { manifest, compiled, meta };
        let (parents, children) = writer.maps();
        let mut out = serializer.serialize_map(None)?;
        out.serialize_entry("metadata", &writer.metadata())?;
        out.serialize_entry("nodes", &Each(&manifest.nodes, |_: &UniqueId, n: &Node| writer.node(n)))?;
        out.serialize_entry("sources", &Each(&manifest.sources, |_: &UniqueId, s: &SourceTable| writer.source(s)))?;
        out.serialize_entry("macros", &Each(&manifest.macros, |_: &UniqueId, m: &MacroDef| macro_json(m)))?;
        out.serialize_entry("docs", &Each(&manifest.docs, |id: &String, text: &String| doc_json(id, text)))?;
        out.serialize_entry("exposures", &Each(&manifest.exposures, |_: &UniqueId, e: &Exposure| exposure_json(e)))?;
        for empty in ["metrics", "groups", "selectors"] {
            out.serialize_entry(empty, &Map::new())?;
        }
        out.serialize_entry("disabled", &Each(&manifest.disabled, |_: &UniqueId, n: &Node| json!([writer.node(n)])))?;
        out.serialize_entry("parent_map", &parents)?;
        out.serialize_entry("child_map", &children)?;
        for empty in ["group_map", "saved_queries", "semantic_models", "unit_tests", "functions"] {
            out.serialize_entry(empty, &Map::new())?;
        }
        out.end()
    }
}

/// A map whose values are made when they are written.
struct Each<'a, K, T, F>(&'a BTreeMap<K, T>, F);

impl<K: Serialize, T, F: Fn(&K, &T) -> Value> Serialize for Each<'_, K, T, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(k, v)| (k, (self.1)(k, v))))
    }
}

fn object(items: impl Iterator<Item = (String, Value)>) -> Value {
    Value::Object(items.collect())
}

struct Writer<'a> {
    manifest: &'a Manifest,
    compiled: &'a BTreeMap<UniqueId, CompiledNode>,
    meta: ArtifactMeta<'a>,
}

impl Writer<'_> {
    fn metadata(&self) -> Value {
        let mut head = self.meta.head("manifest/v12");
        let m = self.manifest;
        head.insert("project_name".into(), json!(m.project_name));
        head.insert("project_id".into(), json!(md5_hex(&m.project_name)));
        head.insert("user_id".into(), Value::Null);
        head.insert("send_anonymous_usage_stats".into(), json!(false));
        head.insert("adapter_type".into(), json!(m.targets.get(&m.default_target).map(|t| t.adapter.as_str())));
        Value::Object(head)
    }

    #[expect(clippy::type_complexity, reason = "two maps of ids, read once where they are made")]
    fn maps(&self) -> (BTreeMap<&UniqueId, Vec<&UniqueId>>, BTreeMap<&UniqueId, BTreeSet<&UniqueId>>) {
        let m = self.manifest;
        let mut parents: BTreeMap<&UniqueId, Vec<&UniqueId>> = BTreeMap::new();
        let mut children: BTreeMap<&UniqueId, BTreeSet<&UniqueId>> = BTreeMap::new();
        let upstream = m.nodes.iter().map(|(id, n)| (id, n.depends_on.nodes.as_slice()));
        let exposed = m.exposures.iter().map(|(id, e)| (id, e.depends_on.as_slice()));
        let sources = m.sources.keys().map(|id| (id, [].as_slice()));
        for (id, above) in upstream.chain(exposed).chain(sources) {
            children.entry(id).or_default();
            let unique: BTreeSet<&UniqueId> = above.iter().collect();
            for parent in &unique {
                children.entry(parent).or_default().insert(id);
            }
            parents.insert(id, unique.into_iter().collect());
        }
        (parents, children)
    }

    fn relation_name(&self, node: &Node) -> Option<String> {
        let facts = self.meta.input.adapters.get(node.adapter.as_str());
        let quoting = node.config.get("quoting").and_then(Value::as_object);
        node.relation.as_ref().map(|r| render_relation(r, facts, quoting))
    }

    fn node(&self, node: &Node) -> Value {
        let generic = node.test.as_ref().filter(|t| t.generic.is_some());
        let own = self.manifest.targets.get(&node.target);
        let schema = node.relation.as_ref().and_then(|r| r.schema.clone()).or_else(|| own.map(|t| t.schema.clone())).unwrap_or_default();
        let database = node.relation.as_ref().and_then(|r| r.database.clone()).or_else(|| own.and_then(|t| t.database.clone()));
        let algorithm = if node.checksum.is_empty() || generic.is_some() { "none" } else { "sha256" };
        let checksum = if algorithm == "none" { "" } else { &node.checksum };
        let Value::Object(mut out) = json!({
            "database": database, "schema": schema, "name": node.name, "resource_type": node.resource_type.as_str(),
            "package_name": node.package, "path": short_path(node), "original_file_path": node.path,
            "unique_id": node.unique_id, "fqn": node.fqn, "alias": node.alias,
            "checksum": {"name": algorithm, "checksum": checksum},
            "config": config(&node.config), "tags": node.tags, "description": node.description, "columns": columns(&node.columns),
            "meta": node.meta, "group": node.config.get("group").cloned().unwrap_or_default(),
            "docs": node.config.get("docs").filter(|d| d.is_object()).cloned().unwrap_or_else(|| json!({"show": true, "node_color": null})),
            "patch_path": node.patch_path, "build_path": null, "unrendered_config": node.unrendered_config,
            "relation_name": self.relation_name(node), "raw_code": node.raw_code, "doc_blocks": [],
        }) else {
            return Value::Null;
        };
        if node.resource_type == ResourceType::Seed {
            out.insert("root_path".into(), Value::Null);
            out.insert("depends_on".into(), json!({"macros": node.depends_on.macros}));
            return Value::Object(out);
        }
        let refs: Vec<Value> = node.refs.iter().map(|r| json!({"name": r.name, "package": r.package, "version": r.version})).collect();
        let sources: Vec<Value> = node.sources.iter().map(|(s, t)| json!([s, t])).collect();
        out.insert("language".into(), json!(node.language));
        out.insert("refs".into(), Value::Array(refs));
        out.insert("sources".into(), Value::Array(sources));
        out.insert("metrics".into(), json!([]));
        out.insert("functions".into(), json!([]));
        out.insert("depends_on".into(), json!({"macros": node.depends_on.macros, "nodes": node.depends_on.nodes}));
        self.compilation(node, &mut out);
        let contract = node.config.get("contract");
        let flag = |key: &str, usual: bool| contract.and_then(|c| c.get(key)).and_then(Value::as_bool).unwrap_or(usual);
        out.insert("contract".into(), json!({"enforced": flag("enforced", false), "alias_types": flag("alias_types", true), "checksum": null}));
        match node.resource_type {
            ResourceType::Model => {
                out.insert("access".into(), node.config.get("access").filter(|a| a.is_string()).cloned().unwrap_or_else(|| json!("protected")));
                out.insert("constraints".into(), json!([]));
                out.insert("version".into(), Value::Null);
                out.insert("latest_version".into(), Value::Null);
                out.insert("deprecation_date".into(), Value::Null);
                out.insert("primary_key".into(), json!([]));
                out.insert("time_spine".into(), Value::Null);
            }
            ResourceType::Test => {
                if let Some(facts) = generic {
                    out.insert("column_name".into(), json!(facts.column));
                    out.insert("file_key_name".into(), json!(facts.attached.as_ref().map(file_key)));
                    // dbt names nodes here, not sources.
                    let attached = facts.attached.as_ref().filter(|id| self.manifest.nodes.contains_key(*id));
                    out.insert("attached_node".into(), json!(attached));
                    out.insert("test_metadata".into(), json!({"name": facts.generic, "kwargs": facts.kwargs, "namespace": facts.namespace}));
                }
            }
            ResourceType::Operation => {
                out.insert("index".into(), Value::Null);
            }
            ResourceType::Seed | ResourceType::Snapshot | ResourceType::Analysis => {}
        }
        Value::Object(out)
    }

    fn compilation(&self, node: &Node, out: &mut Map<String, Value>) {
        let Some(compiled) = self.compiled.get(&node.unique_id) else { return };
        let ctes: Vec<Value> = compiled.extra_ctes.iter().map(|(id, sql)| json!({"id": id, "sql": sql})).collect();
        out.insert("compiled_path".into(), json!(compiled.path));
        out.insert("compiled".into(), json!(true));
        out.insert("compiled_code".into(), json!(compiled.code));
        out.insert("extra_ctes_injected".into(), json!(true));
        out.insert("extra_ctes".into(), Value::Array(ctes));
    }

    fn source(&self, source: &SourceTable) -> Value {
        let adapter = self.manifest.targets.get(&source.connection).map(|t| t.adapter.as_str()).unwrap_or_default();
        let name = render_relation(&source.relation, self.meta.input.adapters.get(adapter), Some(&source.quoting));
        let quoting: Map<String, Value> = ["database", "schema", "identifier", "column"]
            .iter()
            .map(|k| ((*k).to_owned(), json!(source.quoting.get(*k).and_then(Value::as_bool))))
            .collect();
        json!({
            "database": source.relation.database, "schema": source.relation.schema.clone().unwrap_or_default(), "name": source.name,
            "resource_type": "source", "package_name": source.package, "path": source.path, "original_file_path": source.path,
            "unique_id": source.unique_id, "fqn": source.fqn, "source_name": source.source_name,
            "source_description": source.source_description, "loader": source.loader, "identifier": source.relation.identifier,
            "quoting": quoting, "loaded_at_field": source.loaded_at_field, "freshness": source.freshness, "external": null,
            "description": source.description, "columns": columns(&source.columns), "meta": source.meta, "source_meta": {},
            "tags": source.tags, "config": config(&source.config), "patch_path": null, "unrendered_config": {},
            "relation_name": name, "doc_blocks": []
        })
    }
}

/// dbt's `path`: below the resource folder; for generic tests the file of the compiled test.
fn short_path(node: &Node) -> String {
    if node.test.as_ref().is_some_and(|t| t.generic.is_some()) {
        let alias = if node.alias.is_empty() { &node.name } else { &node.alias };
        return format!("{alias}.sql");
    }
    let file = node.path.rsplit('/').next().unwrap_or_default();
    let folders = node.fqn.get(1..node.fqn.len().saturating_sub(1)).unwrap_or_default();
    let mut parts: Vec<&str> = folders.iter().map(String::as_str).collect();
    parts.push(file);
    let joined = parts.join("/");
    if node.path.ends_with(&joined) { joined } else { file.to_owned() }
}

/// `models.orders`, `sources.crm`.
fn file_key(id: &UniqueId) -> String {
    let mut parts = id.as_str().split('.');
    let kind = parts.next().unwrap_or_default();
    let name = parts.nth(1).unwrap_or_default();
    format!("{kind}s.{name}")
}

/// The config as the schema takes it: hooks without dvt's own `connection`.
fn config(config: &Map<String, Value>) -> Value {
    let mut out = config.clone();
    for key in ["pre-hook", "post-hook"] {
        if let Some(Value::Array(hooks)) = out.get_mut(key) {
            for hook in hooks.iter_mut().filter_map(Value::as_object_mut) {
                hook.retain(|k, _| matches!(k.as_str(), "sql" | "transaction" | "index"));
            }
        }
    }
    Value::Object(out)
}

fn columns(columns: &IndexMap<String, ColumnProperties>) -> Value {
    object(columns.iter().map(|(name, c)| {
        let value = json!({
            "name": c.name, "description": c.description, "meta": c.meta, "data_type": c.data_type, "constraints": c.constraints,
            "quote": c.quote, "config": {"meta": c.meta, "tags": c.tags}, "tags": c.tags, "granularity": null, "doc_blocks": []
        });
        (name.clone(), value)
    }))
}

fn macro_json(m: &MacroDef) -> Value {
    json!({
        "name": m.name, "resource_type": "macro", "package_name": m.package, "path": m.path, "original_file_path": m.path,
        "unique_id": m.unique_id, "macro_sql": m.text, "depends_on": {"macros": m.depends_on}, "description": m.description,
        "meta": {}, "docs": {"show": true, "node_color": null}, "patch_path": null, "arguments": [],
        "supported_languages": m.meta.get("supported_languages").cloned().unwrap_or_default()
    })
}

fn doc_json(id: &str, text: &str) -> Value {
    let mut parts = id.splitn(3, '.').skip(1);
    let package = parts.next().unwrap_or_default();
    json!({
        "name": parts.next().unwrap_or_default(), "resource_type": "doc", "package_name": package, "path": "",
        "original_file_path": "", "unique_id": id, "block_contents": text
    })
}

fn exposure_json(e: &Exposure) -> Value {
    let raw = |key: &str| e.raw.get(key).cloned().unwrap_or_default();
    let inner = |key: &str| e.raw.get("config").and_then(|c| c.get(key)).or_else(|| e.raw.get(key)).cloned();
    let meta = inner("meta").filter(Value::is_object).unwrap_or_else(|| json!({}));
    let tags = match inner("tags") {
        Some(Value::Array(tags)) => Value::Array(tags),
        Some(Value::String(tag)) => json!([tag]),
        _ => json!([]),
    };
    json!({
        "name": e.name, "resource_type": "exposure", "package_name": e.package, "path": e.path, "original_file_path": e.path,
        "unique_id": e.unique_id, "fqn": e.fqn, "type": raw("type"), "owner": raw("owner"), "description": raw("description"),
        "label": raw("label"), "maturity": raw("maturity"), "meta": meta, "tags": tags,
        "config": {"enabled": inner("enabled").and_then(|v| v.as_bool()).unwrap_or(true), "tags": tags, "meta": meta},
        "unrendered_config": {}, "url": raw("url"), "depends_on": {"macros": [], "nodes": e.depends_on}, "refs": [], "sources": [],
        "metrics": []
    })
}
