//! Refs, sources and metrics that templates named become unique ids.

use super::Parser;
use crate::refs;
use crate::scope::Captures;
use dvt_diagnostic::{Code, Diagnostic, LineIndex, Severity, Span};
use dvt_project::static_call::StaticCall;
use dvt_project::{Manifest, Node, ResourceType, UniqueId};
use std::collections::BTreeMap;

type Names = BTreeMap<String, Vec<UniqueId>>;

impl Parser<'_> {
    /// Fills `depends_on`; a test of what is disabled or nowhere is disabled.
    pub(super) fn depend(&mut self, manifest: &mut Manifest, names: &Names) {
        let all = std::mem::take(&mut self.all);
        let sources = source_index(manifest);
        for (id, captures) in all {
            let node = manifest.nodes.get(&id).or_else(|| manifest.operations.get(&id)).or_else(|| manifest.functions.get(&id));
            let Some(node) = node else { continue };
            let told = captures.warnings.iter().map(|text| Diagnostic::warning(Code::CompilerRaised, text).at(node.span.clone()).about(id.as_str()).event("JinjaLogWarning"));
            self.warnings.extend(told);
            let mut nodes: Vec<UniqueId> = Vec::new();
            let mut disabled = false;
            for call in &captures.refs {
                match refs::resolve(names, manifest, &node.package, call) {
                    Ok(parent) if parent.unique_id == id => {
                        self.errors.push(Diagnostic::error(Code::Cycle, format!("`{}` reads itself with ref()", node.name)).at(node.span.clone()).hint("use {{ this }}"));
                    }
                    Ok(parent) => push(&mut nodes, &parent.unique_id),
                    // A test of something disabled is disabled with it; one of something that is nowhere, with a warning.
                    Err(e) if node.resource_type == ResourceType::Test => {
                        if !manifest.disabled.values().any(|n| n.name == call.name) {
                            let e = place(e, node, &call.name);
                            let message = format!("{}; test `{}` is not run", e.message, node.name);
                            self.warnings.push(Diagnostic { severity: Severity::Warning, message, ..e }.event("NodeNotFoundOrDisabled"));
                        }
                        disabled = true;
                    }
                    Err(e) => self.errors.push(place(e, node, &call.name)),
                }
            }
            for (source, table) in &captures.sources {
                match find_source(&sources, manifest, &node.package, source, table) {
                    Some(found) => push(&mut nodes, found),
                    // Outside a template no one has looked yet.
                    None if node.language == "python" => {
                        let message = format!("source('{source}', '{table}') is not declared in any properties file");
                        self.errors.push(Diagnostic::error(Code::SourceNotFound, message).at(node.span.clone()));
                    }
                    None => {}
                }
            }
            let map = match node.resource_type {
                ResourceType::Operation => &mut manifest.operations,
                ResourceType::Function => &mut manifest.functions,
                _ => &mut manifest.nodes,
            };
            let Some(node) = map.get_mut(&id) else { continue };
            node.depends_on.nodes = nodes;
            node.depends_on.macros = captures.macros;
            node.refs = captures.refs;
            node.sources = captures.sources;
            node.metrics = captures.metrics;
            if disabled && let Some(mut node) = manifest.nodes.remove(&id) {
                node.config.insert("enabled".to_owned(), serde_json::Value::Bool(false));
                node.orphaned = true;
                manifest.disabled.insert(node);
            }
        }
    }
}

fn push(nodes: &mut Vec<UniqueId>, id: &UniqueId) {
    if !nodes.contains(id) {
        nodes.push(id.clone());
    }
}

/// Source tables by source and table name.
fn source_index(manifest: &Manifest) -> BTreeMap<(String, String), Vec<UniqueId>> {
    let mut out: BTreeMap<(String, String), Vec<UniqueId>> = BTreeMap::new();
    for source in manifest.sources.values() {
        out.entry((source.source_name.clone(), source.name.clone())).or_default().push(source.unique_id.clone());
    }
    out
}

/// Its own package's table first, then the project's, then any.
fn find_source<'a>(index: &'a BTreeMap<(String, String), Vec<UniqueId>>, manifest: &Manifest, package: &str, source: &str, table: &str) -> Option<&'a UniqueId> {
    let ids = index.get(&(source.to_owned(), table.to_owned()))?;
    let of = |p: &str| ids.iter().find(|id| manifest.sources.get(*id).is_some_and(|s| s.package == p));
    of(package).or_else(|| of(&manifest.project_name)).or(ids.first())
}

/// The ids of those refs and sources that are there.
pub(super) fn found(manifest: &Manifest, names: &Names, package: &str, captures: &Captures) -> Vec<UniqueId> {
    let mut out = Vec::new();
    for call in &captures.refs {
        if let Ok(node) = refs::resolve(names, manifest, package, call) {
            push(&mut out, &node.unique_id);
        }
    }
    for (source, table) in &captures.sources {
        let id = UniqueId::new(format!("source.{package}.{source}.{table}"));
        if manifest.sources.contains_key(&id) {
            push(&mut out, &id);
        }
    }
    out
}

/// What a call says, without a template.
pub(super) fn captured(call: StaticCall) -> Captures {
    let mut captures = Captures::default();
    match call {
        StaticCall::Ref(call) => captures.refs.push(call),
        StaticCall::Source(source, table) => captures.sources.push((source, table)),
        StaticCall::Metric(names) => captures.metrics.push(names),
    }
    captures
}

/// The ids of everything captured, in dbt's order: sources, refs, metrics.
pub(super) fn resolve_all(manifest: &Manifest, names: &Names, package: &str, captures: &Captures) -> Result<Vec<UniqueId>, Diagnostic> {
    let index = source_index(manifest);
    let mut out = Vec::new();
    for (source, table) in &captures.sources {
        let found = find_source(&index, manifest, package, source, table);
        let missing = || Diagnostic::error(Code::SourceNotFound, format!("source('{source}', '{table}') is not declared in any properties file"));
        out.push(found.ok_or_else(missing)?.clone());
    }
    for call in &captures.refs {
        out.push(refs::resolve(names, manifest, package, call)?.unique_id.clone());
    }
    for metric in &captures.metrics {
        let name = metric.last().map(String::as_str).unwrap_or_default();
        let found = manifest.metrics.values().find(|m| m.name == name && (metric.len() == 1 || m.package == metric[0]));
        out.push(found.ok_or_else(|| Diagnostic::error(Code::RefNotFound, format!("metric('{name}'): no metric of that name")))?.unique_id.clone());
    }
    Ok(out)
}

/// Where in the node's text a name stands, for messages about it.
fn place(e: Diagnostic, node: &Node, name: &str) -> Diagnostic {
    let e = e.about(node.unique_id.as_str());
    if e.span.is_some() {
        return e;
    }
    let at = ["'", "\""].iter().find_map(|q| node.raw_code.find(&format!("{q}{name}{q}")));
    match at {
        Some(at) if node.test.as_ref().is_none_or(|t| t.generic.is_none()) => {
            let (line, column) = LineIndex::new(&node.raw_code).position(&node.raw_code, at);
            e.at(Span::new(&node.span.file, line, column))
        }
        _ => e.at(node.span.clone()),
    }
}
