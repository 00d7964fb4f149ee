//! Nodes of files: models, seeds, snapshots, singular tests, analyses, functions, and the run's hooks.

use super::{Draft, Parser, capture};
use crate::engine;
use crate::scope::{Captures, Shared};
use crate::source::{BlockKind, blocks};
use dvt_diagnostic::{Code, Diagnostic, LineIndex, Span};
use dvt_project::config;
use dvt_project::static_call::{self, StaticCall, config_call};
use dvt_project::{FileKind, Manifest, Node, Patch, PatchKind, ResourceType, SqlFile, TargetName, UniqueId, version_text};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

/// In bytes; dbt's `maximum_seed_size_mib` as it is when nobody sets it.
const LARGE_SEED: usize = 1 << 20;

fn kind_of(file: &SqlFile) -> Option<(ResourceType, PatchKind)> {
    Some(match file.kind {
        FileKind::Model => (ResourceType::Model, PatchKind::Model),
        FileKind::SingularTest => (ResourceType::Test, PatchKind::Test),
        FileKind::Seed => (ResourceType::Seed, PatchKind::Seed),
        FileKind::Analysis => (ResourceType::Analysis, PatchKind::Analysis),
        FileKind::Snapshot => (ResourceType::Snapshot, PatchKind::Snapshot),
        FileKind::Function => (ResourceType::Function, PatchKind::Function),
        FileKind::Macro => return None,
    })
}

impl Parser<'_> {
    /// Reads every file with a node in it.
    pub(super) fn drafts(&mut self, manifest: &mut Manifest, files: Vec<SqlFile>) -> Result<(), Vec<Diagnostic>> {
        let mut drafts = Vec::new();
        for file in files {
            match self.drafts_of(&file) {
                Ok(found) => drafts.extend(found),
                Err(e) => self.errors.push(e),
            }
        }
        if !self.errors.is_empty() {
            return Err(std::mem::take(&mut self.errors));
        }
        for Draft { mut node, captures } in drafts {
            if node.config.get("enabled").and_then(Json::as_bool) == Some(false) {
                node.depends_on.macros = captures.macros;
                node.refs = captures.refs;
                node.sources = captures.sources;
                manifest.disabled.insert(node);
                continue;
            }
            let map = if node.resource_type == ResourceType::Function { &mut manifest.functions } else { &mut manifest.nodes };
            if let Some(other) = map.get(&node.unique_id) {
                self.errors.push(
                    Diagnostic::error(Code::DuplicateResource, format!("two resources are named `{}`", node.name))
                        .at(node.span.clone())
                        .hint(format!("the other one is {}; names must differ, folders do not tell them apart", other.path)),
                );
                continue;
            }
            self.all.insert(node.unique_id.clone(), captures);
            map.insert(node);
        }
        self.hooks(manifest);
        Ok(())
    }

    fn drafts_of(&mut self, file: &SqlFile) -> Result<Vec<Draft>, Diagnostic> {
        let Some((resource, patch)) = kind_of(file) else { return Ok(Vec::new()) };
        let is_yaml = file.path.ends_with(".yml") || file.path.ends_with(".yaml");
        if resource == ResourceType::Snapshot && !is_yaml {
            let index = LineIndex::new(&file.text);
            let found = blocks(&file.text).map_err(|e| crate::errors::syntax(&file.file, &file.text, 0, &e))?;
            return found
                .into_iter()
                .filter(|b| b.kind == BlockKind::Snapshot)
                .map(|b| {
                    let (line, column) = index.position(&file.text, b.whole.start);
                    let mut fqn = file.fqn.clone();
                    fqn.push(b.name.clone());
                    self.draft(file, (resource, patch), &b.name, &file.text[b.body.clone()], fqn, Span::new(&file.file, line, column))
                })
                .collect();
        }
        // A snapshot without a file is named by the last part of its fqn.
        let name = if is_yaml { file.fqn.last().cloned().unwrap_or_default() } else { file.stem().to_owned() };
        // A seed's rows are no template.
        let text = if resource == ResourceType::Seed { "" } else { file.text.trim_end() };
        self.draft(file, (resource, patch), &name, text, file.fqn.clone(), Span::file(&file.file)).map(|d| vec![d])
    }

    fn draft(
        &mut self,
        file: &SqlFile,
        (resource, kind): (ResourceType, PatchKind),
        name: &str,
        text: &str,
        fqn: Vec<String>,
        span: Span,
    ) -> Result<Draft, Diagnostic> {
        let skeleton = self.skeleton;
        let patch = skeleton.properties.patch(&file.package, kind, name);
        let none = Map::new();
        let from_properties = patch.map_or(&none, |p| &p.config);
        let mut node = Box::new(engine::operation(&skeleton.manifest, name, &file.package, &skeleton.manifest.default_target));
        node.unique_id = UniqueId::new(format!("{}.{}.{name}", resource.as_str(), file.package));
        node.resource_type = resource;
        node.path.clone_from(&file.path);
        node.below = file.below;
        node.fqn = fqn;
        node.raw_code = text.to_owned();
        node.span = span;
        node.checksum = match (&file.checksum, resource) {
            (Some(known), _) => known.clone(),
            // As in dbt, a large seed is known by its path.
            (None, ResourceType::Seed) if file.text.len() > LARGE_SEED => file.path.clone(),
            (None, ResourceType::Seed) => hex(&Sha256::digest(file.text.trim().replace("\r\n", "\n").as_bytes())),
            (None, _) => dvt_project::load::checksum(&file.text),
        };
        if file.is_python() {
            "python".clone_into(&mut node.language);
        }
        if let Some(version) = patch.and_then(|p| p.version.as_ref().map(|v| (p, v))) {
            versioned(&mut node, version.0, &version.1.v, &version.1.latest);
        }
        node.config = skeleton.configs.resolve(&node.package, resource.as_str(), &node.fqn, from_properties, &none);
        self.early_target(&mut node);
        if let Some(patch) = patch {
            describe(&mut node, patch);
        }
        let mut captures = self.said(&node)?;
        if resource == ResourceType::Model && is_static(&node.raw_code) {
            // dbt reads such a text without rendering it, and then each source counts once.
            captures.sources = captures.sources.iter().enumerate().filter(|(i, s)| !captures.sources[..*i].contains(s)).map(|(_, s)| s.clone()).collect();
        }
        // What the text says of its target decides which macros are dispatched: then it is read as on that target.
        let before = node.target.clone();
        if let Some(target) = captures.config.get("target").cloned() {
            node.config.insert("target".to_owned(), target);
            self.early_target(&mut node);
            if node.target != before {
                captures = self.said(&node)?;
            }
        }
        let inline = &captures.config;
        node.config = skeleton.configs.resolve(&node.package, resource.as_str(), &node.fqn, from_properties, inline);
        if node.language == "python" && !inline.contains_key("materialized") && !from_properties.contains_key("materialized") {
            node.config.insert("materialized".to_owned(), json!("table"));
        }
        config::settle(resource.as_str(), &mut node.config);
        // As in dbt: what macros or mappings set is known rendered only.
        let raw = if inline.is_empty() { Map::new() } else { Some(config_call(&node.raw_code)).filter(|c| !c.is_empty()).unwrap_or_else(|| inline.clone()) };
        let patch_raw = patch.map_or_else(Map::new, |p| twice(&p.unrendered_config));
        node.unrendered_config = skeleton.configs.unrendered(&node.package, resource.as_str(), &node.fqn, &patch_raw, &raw);
        finish(&mut node, from_properties);
        contract(&mut node, patch)?;
        foreign_keys(&node, patch, &mut captures)?;
        Ok(Draft { node, captures })
    }

    /// What the node's text says when it is read once.
    fn said(&self, node: &Node) -> Result<Captures, Diagnostic> {
        if node.language == "python" {
            return Ok(python_calls(&node.raw_code));
        }
        let hooks = ["pre-hook", "post-hook"].iter().any(|k| node.config.get(*k).and_then(Json::as_array).is_some_and(|h| !h.is_empty()));
        if node.raw_code.is_empty() && !hooks {
            return Ok(Captures::default());
        }
        capture(self.shared, node)
    }

    /// Until places are decided, a template sees the target its config or the run names.
    fn early_target(&self, node: &mut Node) {
        let shared: &Shared = self.shared;
        let named = node.config_str("target").filter(|_| shared.input.target.is_none()).map(TargetName::from);
        let named = named.filter(|t| self.skeleton.manifest.targets.contains_key(t));
        if let Some(name) = named {
            node.target = name;
        }
        node.adapter = self.skeleton.manifest.targets.get(&node.target).map(|t| t.adapter.clone()).unwrap_or_default();
    }

    /// The statements of `on-run-start` and `on-run-end` as dbt lists them.
    fn hooks(&mut self, manifest: &mut Manifest) {
        for (key, list) in [("on-run-start", manifest.on_run_start.clone()), ("on-run-end", manifest.on_run_end.clone())] {
            let mut numbers: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
            for hook in list {
                let number = numbers.entry(hook.package.clone()).or_default();
                let name = format!("{}-{key}-{number}", hook.package);
                let mut node = engine::operation(manifest, &name, &hook.package, &manifest.default_target.clone());
                node.path = "./dbt_project.yml".to_owned();
                node.fqn = vec![hook.package.clone(), "hooks".to_owned(), name.clone()];
                node.raw_code.clone_from(&hook.sql);
                let file = self.skeleton.packages.iter().find(|p| p.name == hook.package).and_then(|p| self.shared.input.files.get(&p.file));
                node.checksum = dvt_project::load::checksum(file.map_or(hook.sql.as_str(), String::as_str));
                node.config = self.skeleton.configs.resolve(&hook.package, "operation", &node.fqn, &Map::new(), &Map::new());
                node.unrendered_config = self.skeleton.configs.unrendered(&hook.package, "operation", &node.fqn, &Map::new(), &Map::new());
                node.tags = std::iter::once(key.to_owned()).chain(config::tags(&node.config)).collect();
                node.index = Some(*number);
                *number += 1;
                match capture(self.shared, &node) {
                    Ok(captures) => {
                        self.all.insert(node.unique_id.clone(), captures);
                        manifest.operations.insert(Box::new(node));
                    }
                    Err(e) => self.errors.push(if e.span.is_none() { e.at(Span::file("dbt_project.yml")) } else { e }),
                }
            }
        }
    }
}

/// A file that defines one version of a model.
fn versioned(node: &mut Node, patch: &Patch, v: &Json, latest: &Json) {
    let suffix = format!("v{}", version_text(v));
    node.unique_id = UniqueId::new(format!("model.{}.{}.{suffix}", node.package, patch.name));
    node.name.clone_from(&patch.name);
    node.fqn.pop();
    node.fqn.extend([patch.name.clone(), suffix]);
    let facts = node.facts_mut();
    facts.version = Some(v.clone());
    facts.latest_version = Some(latest.clone());
}

fn describe(node: &mut Node, patch: &Patch) {
    node.description.clone_from(&patch.description);
    node.doc_blocks.clone_from(&patch.doc_blocks);
    node.columns.clone_from(&patch.columns);
    node.patch_path = Some(patch.patch_path());
    if patch.deprecation_date.is_some() {
        node.facts_mut().deprecation_date.clone_from(&patch.deprecation_date);
    }
    if let Some(spine) = patch.raw.get("time_spine").filter(|s| s.is_object()) {
        let custom = spine.get("custom_granularities").and_then(Json::as_array).cloned().unwrap_or_default();
        let custom: Vec<Json> = custom.iter().map(|c| json!({"name": c["name"], "column_name": c["column_name"]})).collect();
        let column = spine["standard_granularity_column"].clone();
        node.facts_mut().time_spine = Some(json!({"standard_granularity_column": column, "custom_granularities": custom}));
    }
    if node.resource_type == ResourceType::Function {
        let list = patch.raw.get("arguments").and_then(Json::as_array).cloned().unwrap_or_default();
        let facts = node.facts_mut();
        facts.arguments = list
            .iter()
            .map(|a| json!({"name": a["name"], "data_type": a["data_type"], "description": a["description"], "default_value": a["default_value"]}))
            .collect();
        facts.returns = patch.raw.get("returns").map(|r| json!({"data_type": r["data_type"], "description": r["description"]}));
    }
}

/// Constraints and the checksum of an enforced contract.
fn contract(node: &mut Node, patch: Option<&Patch>) -> Result<(), Diagnostic> {
    if node.resource_type != ResourceType::Model {
        return Ok(());
    }
    if let Some(patch) = patch.filter(|p| !p.constraints.is_empty()) {
        node.facts_mut().constraints.clone_from(&patch.constraints);
    }
    let is_key = |c: &Json| c["type"] == "primary_key";
    let keys: Vec<&str> = node.columns.iter().filter(|(_, c)| c.constraints.iter().any(is_key)).map(|(n, _)| n.as_str()).collect();
    let at = || patch.map_or_else(|| node.span.clone(), |p| p.span.clone());
    if keys.len() > 1 || (!keys.is_empty() && node.facts().constraints.iter().any(is_key)) {
        return Err(Diagnostic::error(Code::PropertyInvalid, format!("`{}` has several primary keys", node.name))
            .at(at())
            .hint("a key of several columns is one constraint of the model: `constraints: [{type: primary_key, columns: [a, b]}]`"));
    }
    let enforced = node.config.get("contract").and_then(|c| c.get("enforced")).and_then(Json::as_bool) == Some(true);
    if !enforced {
        return Ok(());
    }
    if node.columns.is_empty() {
        return Err(Diagnostic::error(Code::PropertyInvalid, format!("the contract of `{}` is enforced, but no columns are declared", node.name))
            .at(at())
            .hint("list the columns with their `data_type` in a properties file"));
    }
    let checksum = dvt_project::properties::contract_checksum(&node.columns, node.materialized(), &node.facts().constraints);
    node.facts_mut().contract_checksum = Some(checksum);
    Ok(())
}

/// What a foreign key refers to is there before the model.
fn foreign_keys(node: &Node, patch: Option<&Patch>, captures: &mut Captures) -> Result<(), Diagnostic> {
    if node.resource_type != ResourceType::Model {
        return Ok(());
    }
    let all = node.facts().constraints.iter().chain(node.columns.values().flat_map(|c| &c.constraints));
    for to in all.filter(|c| c["type"] == "foreign_key").filter_map(|c| c["to"].as_str()).filter(|to| !to.is_empty()) {
        match static_call::static_call(to) {
            Some(StaticCall::Ref(call)) => captures.refs.push(call),
            Some(StaticCall::Source(source, table)) => captures.sources.push((source, table)),
            _ => {
                return Err(Diagnostic::error(Code::PropertyInvalid, format!("a foreign key of `{}` refers to `{to}`", node.name))
                    .at(patch.map_or_else(|| node.span.clone(), |p| p.span.clone()))
                    .hint("write `to: ref('model')` or `to: source('source', 'table')`"));
            }
        }
    }
    Ok(())
}

/// Tags as dbt lists them (those of properties last), meta and alias.
pub(super) fn finish(node: &mut Node, properties: &Map<String, Json>) {
    let late = config::tags(properties);
    let mut tags: Vec<String> = Vec::new();
    let all = config::tags(&node.config);
    for tag in all.iter().filter(|t| !late.contains(t)).chain(&late) {
        if !tags.contains(tag) {
            tags.push(tag.clone());
        }
    }
    node.tags = tags;
    node.meta = node.config.get("meta").and_then(Json::as_object).cloned().unwrap_or_default();
    node.alias = node.config_str("alias").unwrap_or(&node.name).to_owned();
}

/// `dbt.ref(…)`, `dbt.source(…)` and `dbt.config(…)` of a Python model, as far as they are literal.
fn python_calls(text: &str) -> Captures {
    let mut captures = Captures::default();
    let bare: String = text.lines().filter(|l| !l.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n");
    for (at, _) in bare.match_indices("dbt.") {
        let rest = &bare[at + 4..];
        let Some(close) = rest.find(')') else { continue };
        match static_call::static_call(&rest[..=close]) {
            Some(StaticCall::Ref(call)) if !captures.refs.contains(&call) => captures.refs.push(call),
            Some(StaticCall::Source(source, table)) if !captures.sources.contains(&(source.clone(), table.clone())) => captures.sources.push((source, table)),
            _ => {}
        }
    }
    if let Some(at) = bare.find("dbt.config(") {
        for (key, value) in config_call(&bare[at + 4..]) {
            captures.config.insert(key, python_value(value));
        }
    }
    captures
}

/// A literal of Python as a value; anything else stays text.
fn python_value(value: Json) -> Json {
    let Json::String(text) = &value else { return value };
    match text.as_str() {
        "True" => json!(true),
        "False" => json!(false),
        "None" => Json::Null,
        other => serde_json::from_str(&other.replace('\'', "\"")).unwrap_or(value),
    }
}

/// Whether a template only calls `ref`, `source` and `config`.
fn is_static(text: &str) -> bool {
    let mut calls = text.split("{{").skip(1);
    !text.contains("{%") && !text.contains("{#") && calls.all(|c| ["ref(", "source(", "config("].iter().any(|f| c.trim_start_matches('-').trim_start().starts_with(f)))
}

/// dbt merges the rendered and the unrendered properties deeply: lists stand twice in its `unrendered_config`.
fn twice(config: &Map<String, Json>) -> Map<String, Json> {
    let one = |value: &Json| match value {
        Json::Array(items) => Json::Array(items.iter().chain(items).cloned().collect()),
        Json::Object(inner) => Json::Object(twice(inner)),
        other => other.clone(),
    };
    config.iter().map(|(k, v)| (k.clone(), one(v))).collect()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(64), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}
