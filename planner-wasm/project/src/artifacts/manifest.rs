//! `manifest.json` v12.

use super::node::{ConfigDocument, NodeDocument, columns};
use super::{ArtifactMeta, render_relation};
use crate::generic_test::md5_hex;
use crate::names::UniqueId;
use crate::node::{DocBlock, Exposure, MacroDef, Manifest, Node, RefCall, SourceTable};
use crate::resource::{Described, DescribedType, Fixture, Group, UnitTest};
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
        let writer = Writer { manifest, compiled, meta, created_at: meta.created_at() };
        let (parents, children) = writer.maps();
        let mut out = serializer.serialize_map(None)?;
        out.serialize_entry("metadata", &writer.metadata())?;
        out.serialize_entry("nodes", &Nodes(&writer))?;
        out.serialize_entry("sources", &Each(&manifest.sources, |_: &UniqueId, s: &SourceTable| writer.source(s)))?;
        out.serialize_entry("macros", &Each(&manifest.macros, |_: &UniqueId, m: &MacroDef| macro_json(m)))?;
        out.serialize_entry("docs", &Each(&manifest.docs, |id: &String, block: &DocBlock| doc_json(id, block)))?;
        out.serialize_entry("exposures", &Each(&manifest.exposures, |_: &UniqueId, e: &Exposure| exposure_json(e)))?;
        out.serialize_entry("metrics", &Each(&manifest.metrics, |_: &UniqueId, d: &Described| described_json(d)))?;
        out.serialize_entry("groups", &Each(&manifest.groups, |_: &UniqueId, g: &Group| group_json(g)))?;
        out.serialize_entry("selectors", &manifest.selectors)?;
        out.serialize_entry("disabled", &writer.disabled())?;
        out.serialize_entry("parent_map", &parents)?;
        out.serialize_entry("child_map", &children)?;
        out.serialize_entry("group_map", &writer.group_map())?;
        out.serialize_entry("saved_queries", &Each(&manifest.saved_queries, |_: &UniqueId, d: &Described| described_json(d)))?;
        out.serialize_entry("semantic_models", &Each(&manifest.semantic_models, |_: &UniqueId, d: &Described| described_json(d)))?;
        out.serialize_entry("unit_tests", &Each(&manifest.unit_tests, |_: &UniqueId, t: &UnitTest| unit_test_json(t)))?;
        out.serialize_entry("functions", &Functions(&writer))?;
        out.end()
    }
}

/// Nodes and the run's hooks: dbt lists both together.
struct Nodes<'a>(&'a Writer<'a>);

impl Serialize for Nodes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let m = self.0.manifest;
        let orphaned = m.disabled.iter().filter(|(_, n)| n.orphaned);
        serializer.collect_map(m.nodes.iter().chain(&m.operations).chain(orphaned).map(|(id, n)| (id, NodeDocument(self.0, n))))
    }
}

struct Functions<'a>(&'a Writer<'a>);

impl Serialize for Functions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.manifest.functions.iter().map(|(id, n)| (id, NodeDocument(self.0, n))))
    }
}

/// A map whose values are made when they are written.
struct Each<'a, K, T, F>(&'a BTreeMap<K, T>, F);

impl<K: Serialize, T, F: Fn(&K, &T) -> Value> Serialize for Each<'_, K, T, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(k, v)| (k, (self.1)(k, v))))
    }
}

pub(super) struct Writer<'a> {
    pub(super) manifest: &'a Manifest,
    pub(super) compiled: &'a BTreeMap<UniqueId, CompiledNode>,
    meta: ArtifactMeta<'a>,
    pub(super) created_at: f64,
}

impl Writer<'_> {
    fn metadata(&self) -> Value {
        let mut head = self.meta.head("manifest/v12");
        let m = self.manifest;
        head.insert("project_name".into(), json!(m.project_name));
        head.insert("project_id".into(), json!(md5_hex(&m.project_name)));
        head.insert("user_id".into(), Value::Null);
        head.insert("send_anonymous_usage_stats".into(), json!(false));
        let adapter = m.targets.get(&m.default_target).map(|t| t.adapter.as_str());
        let usual = adapter.and_then(|a| self.meta.input.adapters.get(a)).map_or((true, true, true), |f| f.quoting);
        let own = m.project.get("quoting").and_then(Value::as_object);
        let quoting = |key: &str, usual: bool| own.and_then(|q| q.get(key)).and_then(Value::as_bool).unwrap_or(usual);
        head.insert("adapter_type".into(), json!(adapter));
        let quoting = json!({
            "database": quoting("database", usual.0), "schema": quoting("schema", usual.1), "identifier": quoting("identifier", usual.2),
            "column": null
        });
        head.insert("quoting".into(), quoting);
        let started = Some(&self.meta.input.invocation.started_at).filter(|s| !s.is_empty()).map(|s| s.replace('Z', "+00:00"));
        head.insert("run_started_at".into(), json!(started));
        Value::Object(head)
    }

    #[expect(clippy::type_complexity, reason = "two maps of ids, read once where they are made")]
    fn maps(&self) -> (BTreeMap<&UniqueId, Vec<&UniqueId>>, BTreeMap<&UniqueId, BTreeSet<&UniqueId>>) {
        let m = self.manifest;
        let mut parents: BTreeMap<&UniqueId, Vec<&UniqueId>> = BTreeMap::new();
        let mut children: BTreeMap<&UniqueId, BTreeSet<&UniqueId>> = BTreeMap::new();
        let orphaned = m.disabled.iter().filter(|(_, n)| n.orphaned);
        let upstream = m.nodes.iter().chain(orphaned).chain(&m.operations).chain(&m.functions).map(|(id, n)| (id, n.depends_on.nodes.as_slice()));
        let exposed = m.exposures.iter().map(|(id, e)| (id, e.depends_on.as_slice()));
        let described = m.metrics.iter().chain(&m.semantic_models).chain(&m.saved_queries).map(|(id, d)| (id, d.depends_on.nodes.as_slice()));
        let tests = m.unit_tests.iter().map(|(id, t)| (id, t.depends_on.nodes.as_slice()));
        let sources = m.sources.keys().map(|id| (id, [].as_slice()));
        for (id, above) in upstream.chain(exposed).chain(described).chain(tests).chain(sources) {
            children.entry(id).or_default();
            let unique: BTreeSet<&UniqueId> = above.iter().collect();
            for parent in &unique {
                children.entry(parent).or_default().insert(id);
            }
            parents.insert(id, unique.into_iter().collect());
        }
        (parents, children)
    }

    pub(super) fn relation_name(&self, node: &Node) -> Option<String> {
        let facts = self.meta.input.adapters.get(node.adapter.as_str());
        let quoting = node.config.get("quoting").and_then(Value::as_object);
        node.relation.as_ref().map(|r| render_relation(r, facts, quoting))
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
            "quoting": quoting, "loaded_at_field": source.loaded_at_field, "loaded_at_query": source.loaded_at_query,
            "freshness": source.config.get("freshness"), "external": source.external.as_ref().map(external),
            "description": source.description, "columns": columns(&source.columns), "meta": source.meta, "source_meta": source.source_meta,
            "tags": source.tags, "config": ConfigDocument(&source.config), "patch_path": null, "unrendered_config": &*source.unrendered_config,
            "relation_name": name, "created_at": self.created_at, "unrendered_database": source.written.0, "unrendered_schema": source.written.1,
            "doc_blocks": source.doc_blocks
        })
    }

    /// A test belongs to the group of what it is declared on.
    pub(super) fn group<'n>(&'n self, node: &'n Node) -> Option<&'n str> {
        let m = self.manifest;
        let attached = node.test.as_ref().filter(|t| t.generic.is_some()).and_then(|t| t.attached.as_ref());
        let owner = attached.and_then(|id| m.nodes.get(id).or_else(|| m.disabled.get(id)));
        node.group().or_else(|| owner.and_then(Node::group))
    }

    fn group_map(&self) -> BTreeMap<&str, Vec<&UniqueId>> {
        let m = self.manifest;
        let mut out: BTreeMap<&str, Vec<&UniqueId>> = m.groups.values().map(|g| (g.name.as_str(), Vec::new())).collect();
        for node in m.nodes.values().chain(m.disabled.values().filter(|n| n.orphaned)) {
            if let Some(list) = self.group(node).and_then(|g| out.get_mut(g)) {
                list.push(&node.unique_id);
            }
        }
        for one in m.metrics.values().chain(m.semantic_models.values()).chain(m.saved_queries.values()) {
            if let Some(list) = one.group().and_then(|g| out.get_mut(g)) {
                list.push(&one.unique_id);
            }
        }
        out
    }

    fn disabled(&self) -> BTreeMap<&UniqueId, Vec<Value>> {
        let m = self.manifest;
        let mut out: BTreeMap<&UniqueId, Vec<Value>> = BTreeMap::new();
        let mut put = |id, value| out.entry(id).or_default().push(value);
        m.disabled.iter().filter(|(_, n)| !n.orphaned).for_each(|(id, n)| put(id, json!(NodeDocument(self, n))));
        m.disabled_sources.iter().for_each(|(id, s)| put(id, self.source(s)));
        m.disabled_exposures.iter().for_each(|(id, e)| put(id, exposure_json(e)));
        m.disabled_unit_tests.iter().for_each(|(id, t)| put(id, unit_test_json(t)));
        m.disabled_described.iter().for_each(|(id, d)| put(id, described_json(d)));
        out
    }
}

fn below(path: &str, at: u32) -> &str {
    path.get(at as usize..).unwrap_or(path)
}

fn external(given: &Value) -> Value {
    let Some(given) = given.as_object() else { return given.clone() };
    let mut out: Map<String, Value> =
        ["location", "file_format", "row_format", "tbl_properties", "partitions"].iter().map(|k| ((*k).to_owned(), Value::Null)).collect();
    out.extend(given.clone());
    Value::Object(out)
}

fn macro_json(m: &MacroDef) -> Value {
    let p = &m.properties;
    let mut docs = Map::from_iter([("show".to_owned(), json!(true)), ("node_color".to_owned(), Value::Null)]);
    docs.extend(p.docs.as_ref().and_then(Value::as_object).cloned().unwrap_or_default());
    json!({
        "name": m.name, "resource_type": "macro", "package_name": m.package, "path": m.path, "original_file_path": m.path,
        "unique_id": m.unique_id, "macro_sql": m.text, "depends_on": {"macros": m.depends_on}, "description": m.description,
        "meta": p.meta, "docs": docs, "config": {"meta": p.meta, "docs": docs}, "patch_path": p.patch_path, "arguments": p.arguments,
        "supported_languages": m.meta.get("supported_languages").cloned().unwrap_or_default()
    })
}

fn doc_json(id: &str, block: &DocBlock) -> Value {
    let mut parts = id.splitn(3, '.').skip(1);
    let package = parts.next().unwrap_or_default();
    json!({
        "name": parts.next().unwrap_or_default(), "resource_type": "doc", "package_name": package, "path": block.path,
        "original_file_path": block.file, "unique_id": id, "block_contents": block.text
    })
}

fn group_json(g: &Group) -> Value {
    json!({
        "name": g.name, "resource_type": "group", "package_name": g.package, "path": below(&g.path, g.below), "original_file_path": g.path,
        "unique_id": g.unique_id, "owner": g.owner, "description": g.description, "config": &*g.config
    })
}

fn refs(refs: &[RefCall]) -> Vec<Value> {
    refs.iter().map(|r| json!({"name": r.name, "package": r.package, "version": r.version})).collect()
}

fn exposure_json(e: &Exposure) -> Value {
    let raw = |key: &str| e.raw.get(key).cloned().unwrap_or_default();
    json!({
        "name": e.name, "resource_type": "exposure", "package_name": e.package, "path": below(&e.path, e.below),
        "original_file_path": e.path, "unique_id": e.unique_id, "fqn": e.fqn, "type": raw("type"), "owner": raw("owner"),
        "description": raw("description"), "label": raw("label"), "maturity": raw("maturity"), "meta": e.meta, "tags": e.tags,
        "config": &*e.config, "unrendered_config": &*e.unrendered_config, "url": raw("url"),
        "depends_on": {"macros": e.macros, "nodes": e.depends_on}, "refs": refs(&e.refs), "sources": e.sources, "metrics": e.metrics
    })
}

fn described_json(d: &Described) -> Value {
    let mut out = json!({
        "name": d.name, "resource_type": d.kind.as_str(), "package_name": d.package, "path": below(&d.path, d.below),
        "original_file_path": d.path, "unique_id": d.unique_id, "fqn": d.fqn, "config": &*d.config,
        "unrendered_config": &*d.unrendered_config, "group": d.group(),
        "depends_on": {"macros": d.depends_on.macros, "nodes": d.depends_on.nodes}, "refs": refs(&d.refs)
    });
    if d.kind != DescribedType::SemanticModel {
        out["tags"] = json!(d.tags);
    }
    if let Some(map) = out.as_object_mut() {
        map.extend(d.body.clone());
    }
    out
}

fn unit_test_json(t: &UnitTest) -> Value {
    let fixture = |f: &Fixture| json!({"rows": f.rows, "format": f.format, "fixture": f.file});
    let given: Vec<Value> = t
        .given
        .iter()
        .map(|g| {
            let mut out = fixture(&g.fixture);
            out["input"] = json!(g.input);
            out
        })
        .collect();
    json!({
        "name": t.name, "resource_type": "unit_test", "package_name": t.package, "path": below(&t.path, t.below), "original_file_path": t.path,
        "unique_id": t.unique_id, "fqn": t.fqn, "model": t.model, "given": given, "expect": fixture(&t.expect), "description": t.description,
        "overrides": t.overrides, "depends_on": t.depends_on, "config": &*t.config, "checksum": t.checksum, "schema": t.schema,
        "versions": t.versions, "version": t.version
    })
}
