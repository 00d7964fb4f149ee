//! `ref`, `source`, `var`, and nodes as templates see them in `model` and `graph`.

use crate::errors::coded;
use crate::python::{from_json, split_args, type_error};
use crate::relation::{EPHEMERAL_PREFIX, Relation};
use crate::scope::{Phase, Scope};
use dvt_diagnostic::{Code, Diagnostic};
use dvt_project::artifacts::render_relation;
use dvt_project::suggest::suggestion;
use dvt_project::{Manifest, Node, ProjectInput, RefCall, RelationName, ResourceType, UniqueId, version_text};
use minijinja::{Error, Value};
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Nodes by the name that `ref` uses.
pub fn names(manifest: &Manifest) -> BTreeMap<String, Vec<UniqueId>> {
    let mut out: BTreeMap<String, Vec<UniqueId>> = BTreeMap::new();
    for (id, node) in &manifest.nodes {
        if matches!(node.resource_type, ResourceType::Model | ResourceType::Seed | ResourceType::Snapshot) {
            out.entry(node.name.clone()).or_default().push(id.clone());
        }
    }
    out
}

/// The node a `ref` in a template of `package` means: its own package first, then the project, then any.
pub fn resolve<'a>(names: &BTreeMap<String, Vec<UniqueId>>, manifest: &'a Manifest, package: &str, call: &RefCall) -> Result<&'a Node, Diagnostic> {
    let all: Vec<&Node> = names.get(&call.name).into_iter().flatten().filter_map(|id| manifest.nodes.get(id)).collect();
    // Of a versioned model the call means one version: the one it names, else the latest.
    let of = |p: &str| {
        let mut own = all.iter().filter(|n| n.package == p && is_meant(n, call)).copied();
        own.next()
    };
    let packages: BTreeSet<&str> = all.iter().map(|n| n.package.as_str()).collect();
    let found = match &call.package {
        Some(p) => of(p),
        None => of(package).or_else(|| of(&manifest.project_name)).or(match packages.len() {
            0 => None,
            1 => packages.first().and_then(|p| of(p)),
            _ => {
                let packages: Vec<&str> = packages.into_iter().collect();
                return Err(Diagnostic::error(Code::AmbiguousRef, format!("ref('{}') is ambiguous", call.name))
                    .hint(format!("packages that have it: {}; write ref('{}', '{}')", packages.join(", "), packages[0], call.name)));
            }
        }),
    };
    found.ok_or_else(|| {
        let shown = call.package.as_ref().map_or_else(|| format!("ref('{}')", call.name), |p| format!("ref('{p}', '{}')", call.name));
        let versions: Vec<String> = all.iter().filter_map(|n| n.facts().version.as_ref().map(version_text)).collect();
        if !all.is_empty() && call.version.is_some() {
            let v = call.version.as_ref().map(version_text).unwrap_or_default();
            let out = Diagnostic::error(Code::RefNotFound, format!("{shown}: there is no version {v}"));
            return if versions.is_empty() { out.hint("the model has no versions") } else { out.hint(format!("versions: {}", versions.join(", "))) };
        }
        let disabled = manifest.disabled.values().any(|n| n.name == call.name);
        let out = Diagnostic::error(Code::RefNotFound, format!("{shown}: no model, seed or snapshot of that name{}", if disabled { " is enabled" } else { "" }));
        match suggestion(&call.name, &names.keys().map(String::as_str).collect::<Vec<_>>()) {
            _ if disabled => out.hint("it is disabled by its config"),
            Some(near) => out.hint(format!("did you mean `{near}`?")),
            None => out,
        }
    })
}

/// Whether a node of the call's name is the one that is meant.
fn is_meant(node: &Node, call: &RefCall) -> bool {
    let facts = node.facts();
    match (&facts.version, &call.version) {
        (None, None) => true,
        (Some(own), Some(asked)) => version_text(own) == version_text(asked),
        (Some(own), None) => facts.latest_version.as_ref() == Some(own),
        (None, Some(_)) => false,
    }
}

pub fn reference(scope: &Arc<Scope>, args: &[Value]) -> Result<Value, Error> {
    let (positional, named) = split_args(args);
    let version = named.iter().find(|(k, _)| k == "v" || k == "version").map(|(_, v)| crate::python::to_json(v)).filter(|v| !v.is_null());
    let call = match positional {
        [name] => RefCall { name: name.to_string(), package: None, version },
        [package, name] => RefCall { name: name.to_string(), package: Some(package.to_string()), version },
        _ => return Err(coded(Diagnostic::error(Code::RefNotFound, "ref() takes a name, or a package and a name"))),
    };
    let manifest = scope.manifest();
    if scope.phase == Phase::Parse {
        let mut relation = scope.relation(&scope.node.target, RelationName { database: None, schema: None, identifier: call.name.clone() }, None, None);
        if let Some(target) = manifest.targets.get(&scope.node.target) {
            relation.name.database.clone_from(&target.database);
            relation.name.schema = Some(target.schema.clone());
        }
        scope.captures().refs.push(call);
        return Ok(Value::from_object(relation));
    }
    let node = resolve(&scope.shared.names, manifest, &scope.node.package, &call).map_err(coded)?;
    if let Some(given) = unit_input(scope, node.unique_id.as_str()) {
        return Ok(given);
    }
    if node.is_ephemeral() {
        let mut captures = scope.captures();
        if !captures.ephemerals.contains(&node.unique_id) {
            captures.ephemerals.push(node.unique_id.clone());
        }
        drop(captures);
        let name = RelationName { database: None, schema: None, identifier: node.alias.clone() };
        let mut relation = scope.relation(&scope.node.target, name, Some(node.unique_id.clone()), None);
        relation.cte = Some(cte_name(node));
        relation.kind = Some("cte".to_owned());
        relation.wrap = crate::overlay::wrap(scope, &node.config)?;
        return Ok(Value::from_object(relation));
    }
    let mut relation = node_relation(scope, node)?;
    relation.wrap = crate::overlay::wrap(scope, &node.config)?;
    Ok(Value::from_object(relation))
}

/// The CTE that a unit test puts in an input's place.
pub fn unit_input(scope: &Arc<Scope>, id: &str) -> Option<Value> {
    let (name, _) = scope.overlay.unit.as_ref()?.inputs.get(id)?;
    let mut captures = scope.captures();
    let id = UniqueId::new(id.to_owned());
    if !captures.ephemerals.contains(&id) {
        captures.ephemerals.push(id.clone());
    }
    drop(captures);
    let mut relation = scope.relation(&scope.node.target, RelationName { database: None, schema: None, identifier: name.clone() }, Some(id), None);
    relation.cte = Some(format!("__dbt__cte__{name}"));
    relation.kind = Some("cte".to_owned());
    Some(Value::from_object(relation))
}

/// dbt's name for an inlined ephemeral.
pub fn cte_name(node: &Node) -> String {
    format!("{EPHEMERAL_PREFIX}{}", node.alias)
}

fn node_relation(scope: &Scope, node: &Node) -> Result<Relation, Error> {
    let name = node.relation.clone().ok_or_else(|| type_error(format!("`{}` has no table or view", node.name)))?;
    let quoting = node.config.get("quoting").and_then(Json::as_object).filter(|q| !q.is_empty());
    let mut relation = scope.relation(&node.target, name, Some(node.unique_id.clone()), quoting);
    relation.kind = match (node.resource_type, node.materialized()) {
        (ResourceType::Model, "view") => Some("view".to_owned()),
        (ResourceType::Model, "table" | "incremental") | (ResourceType::Seed | ResourceType::Snapshot, _) => Some("table".to_owned()),
        _ => None,
    };
    Ok(relation)
}

pub fn source(scope: &Arc<Scope>, args: &[Value]) -> Result<Value, Error> {
    let (positional, _) = split_args(args);
    let [source, table] = positional else {
        return Err(coded(Diagnostic::error(Code::SourceNotFound, "source() takes the source's name and the table's")));
    };
    let (source, table) = (source.to_string(), table.to_string());
    let manifest = scope.manifest();
    let mut candidates = manifest.sources.values().filter(|s| s.source_name == source && s.name == table);
    let found = {
        let all: Vec<_> = candidates.by_ref().collect();
        all.iter().find(|s| s.package == scope.node.package).or_else(|| all.iter().find(|s| s.package == manifest.project_name)).or(all.first()).copied()
    };
    let Some(found) = found else {
        let known: Vec<String> = manifest.sources.values().map(|s| format!("{}.{}", s.source_name, s.name)).collect();
        let out = Diagnostic::error(Code::SourceNotFound, format!("source('{source}', '{table}') is not declared in any properties file"));
        let near = suggestion(&format!("{source}.{table}"), &known.iter().map(String::as_str).collect::<Vec<_>>()).map(str::to_owned);
        return Err(coded(match near {
            Some(near) => out.hint(format!("did you mean `{near}`?")),
            None => out,
        }));
    };
    if scope.phase == Phase::Parse {
        scope.captures().sources.push((source, table));
    }
    let quoting = Some(&found.quoting).filter(|q| !q.is_empty());
    if let Some(given) = unit_input(scope, found.unique_id.as_str()) {
        return Ok(given);
    }
    let mut relation = scope.relation(&found.connection, found.relation.clone(), Some(found.unique_id.clone()), quoting);
    relation.wrap = crate::overlay::wrap(scope, &found.config)?;
    Ok(Value::from_object(relation))
}

pub fn var_of(scope: &Scope, name: &str) -> Option<Value> {
    let manifest = scope.manifest();
    let package = |p: &str| manifest.vars.get(p).and_then(Json::as_object).and_then(|m| m.get(name));
    let overridden = scope.overlay.unit.as_ref().and_then(|u| u.vars.get(name));
    overridden.or_else(|| scope.shared.input.vars.get(name)).or_else(|| package(&scope.node.package)).or_else(|| manifest.vars.get(name)).map(from_json)
}

pub fn var(scope: &Scope, name: &str, default: Option<Value>) -> Result<Value, Error> {
    match var_of(scope, name).or(default) {
        Some(value) => Ok(value),
        None => Err(coded(
            Diagnostic::error(Code::VarNotFound, format!("required var `{name}` has no value for `{}`", scope.node.name))
                .hint(format!("give it in `vars:` of dbt_project.yml, with --vars '{{{name}: …}}', or a default: var('{name}', …)")),
        )),
    }
}

/// A node as `model` and `graph.nodes` show it.
pub fn node_json(manifest: &Manifest, node: &Node, input: &ProjectInput) -> Json {
    let facts = input.adapters.get(node.adapter.as_str());
    let rendered = node.relation.as_ref().map(|r| render_relation(r, facts, node.config.get("quoting").and_then(Json::as_object)));
    let target = manifest.targets.get(&node.target);
    let part = |of: fn(&RelationName) -> Option<&str>, usual: Option<&str>| node.relation.as_ref().and_then(of).or(usual).map(str::to_owned);
    let mut map = Map::new();
    let mut put = |k: &str, v: Json| {
        map.insert(k.to_owned(), v);
    };
    put("unique_id", json!(node.unique_id));
    put("name", json!(node.name));
    put("alias", json!(node.alias));
    put("database", json!(part(|r| r.database.as_deref(), target.and_then(|t| t.database.as_deref()))));
    put("schema", json!(part(|r| r.schema.as_deref(), target.map(|t| t.schema.as_str()))));
    put("resource_type", json!(node.resource_type.as_str()));
    put("package_name", json!(node.package));
    put("path", json!(node.path.split_once('/').map_or(node.path.as_str(), |(_, p)| p)));
    put("original_file_path", json!(node.path));
    put("fqn", json!(node.fqn));
    put("raw_code", json!(node.raw_code));
    put("raw_sql", json!(node.raw_code));
    put("language", json!(node.language));
    put("config", Json::Object(node.config.to_map()));
    put("tags", json!(node.tags));
    put("meta", Json::Object(node.meta.clone()));
    put("description", json!(node.description));
    put("columns", node.columns.iter().map(|(k, c)| (k.clone(), json!({"name": c.name, "description": c.description, "data_type": c.data_type, "meta": c.meta, "tags": c.tags, "constraints": c.constraints, "quote": c.quote}))).collect::<Map<_, _>>().into());
    put("depends_on", json!({"nodes": node.depends_on.nodes, "macros": node.depends_on.macros}));
    put("refs", node.refs.iter().map(|r| json!({"name": r.name, "package": r.package, "version": r.version})).collect());
    put("sources", json!(node.sources));
    put("checksum", json!({"name": "sha256", "checksum": node.checksum}));
    put("relation_name", json!(rendered));
    put("unrendered_config", Json::Object(node.unrendered_config.to_map()));
    put("target", json!(node.target));
    put("group", json!(node.group()));
    put("access", json!(node.access()));
    put("version", json!(node.facts().version));
    put("latest_version", json!(node.facts().latest_version));
    put("deprecation_date", json!(node.facts().deprecation_date));
    put("constraints", json!(node.facts().constraints));
    put("primary_key", json!(node.facts().primary_key));
    put("patch_path", json!(node.patch_path));
    if let Some(test) = &node.test {
        put("test_metadata", json!({"name": test.generic, "namespace": test.namespace, "kwargs": test.kwargs}));
        put("column_name", json!(test.column));
        put("attached_node", json!(test.attached));
    }
    Json::Object(map)
}

/// `graph`.
pub fn graph(manifest: &Manifest) -> Value {
    let input = ProjectInput::default();
    let nodes: Map<String, Json> = manifest.nodes.values().map(|n| (n.unique_id.0.clone(), node_json(manifest, n, &input))).collect();
    let sources: Map<String, Json> = manifest
        .sources
        .values()
        .map(|s| {
            let value = json!({
                "unique_id": s.unique_id, "name": s.name, "source_name": s.source_name, "identifier": s.relation.identifier,
                "database": s.relation.database, "schema": s.relation.schema, "resource_type": "source", "package_name": s.package,
                "original_file_path": s.path, "fqn": s.fqn, "description": s.description, "meta": s.meta, "tags": s.tags,
                "config": s.config, "loader": s.loader, "connection": s.connection,
            });
            (s.unique_id.0.clone(), value)
        })
        .collect();
    let exposures: Map<String, Json> = manifest.exposures.values().map(|e| (e.unique_id.0.clone(), Json::Object(e.raw.clone()))).collect();
    from_json(&json!({"nodes": nodes, "sources": sources, "exposures": exposures, "metrics": {}, "groups": {}}))
}
