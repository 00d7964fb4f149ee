//! From files to the manifest: every template rendered once with `execute` false, refs resolved, places decided.

use crate::engine::{self, Engine, macro_defs, macro_files, render_text, set_test_kwargs, shared};
use crate::macros::{self, Macros};
use crate::python::from_json;
use crate::refs;
use crate::scope::{Captures, Phase, Scope, Shared};
use crate::source::{BlockKind, blocks};
use crate::yaml_strings::YamlStrings;
use dvt_diagnostic::{Code, Diagnostic, LineIndex, Span};
use dvt_project::config;
use dvt_project::generic_test::TestOwner;
use dvt_project::properties::PatchKind;
use dvt_project::{FileKind, Manifest, Node, ProjectInput, RefCall, RelationName, ResourceType, Skeleton, SqlFile, TargetName, TestFacts, UniqueId, paths};
use minijinja::Value;
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A parsed project.
#[derive(Debug)]
pub struct Parsed {
    pub manifest: Arc<Manifest>,
    /// The same project's macros, compiled already.
    pub engine: Engine,
    pub warnings: Vec<Diagnostic>,
}

/// A node before it is known what it depends on.
struct Draft {
    node: Node,
    captures: Captures,
}

/// Reads a whole project; `execute` is false in every template.
///
/// # Errors
/// Every problem of the stage that failed.
pub fn parse(input: &ProjectInput) -> Result<Parsed, Vec<Diagnostic>> {
    let input = Arc::new(input.clone());
    let strings = YamlStrings::new(input.clone());
    let skeleton = dvt_project::skeleton(&input, &strings)?;
    let files = macro_files(&skeleton);
    let macros = Arc::new(shared(skeleton.manifest.clone(), input.clone(), &files)?);
    let mut manifest = skeleton.manifest.clone();
    manifest.macros = macro_defs(&macros.macros);
    let mut warnings = skeleton.warnings.clone();
    let mut errors = Vec::new();

    let mut drafts = Vec::new();
    for file in &skeleton.sql_files {
        match draft_of(&skeleton, &macros, file) {
            Ok(found) => drafts.extend(found),
            Err(e) => errors.push(e),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut all: BTreeMap<UniqueId, Captures> = BTreeMap::new();
    for draft in drafts {
        let Draft { node, captures } = draft;
        if node.config.get("enabled").and_then(Json::as_bool) == Some(false) {
            manifest.disabled.insert(node.unique_id.clone(), node);
            continue;
        }
        if let Some(other) = manifest.nodes.get(&node.unique_id) {
            errors.push(
                Diagnostic::error(Code::DuplicateResource, format!("two resources are named `{}`", node.name))
                    .at(node.span.clone())
                    .hint(format!("the other one is {}; names must differ, folders do not tell them apart", other.path)),
            );
            continue;
        }
        all.insert(node.unique_id.clone(), captures);
        manifest.nodes.insert(node.unique_id.clone(), node);
    }
    let names = refs::names(&manifest);
    generic_tests(&skeleton, &macros, &mut manifest, &names, &mut all, &mut warnings, &mut errors);
    depend(&mut manifest, &names, &all, &mut warnings, &mut errors);
    exposures(&skeleton, &macros, &mut manifest, &names, &mut errors);
    if !errors.is_empty() {
        return Err(errors);
    }
    warnings.extend(paths::resolve(&mut manifest, &input)?);
    name_relations(&macros, &mut manifest, &mut errors);
    if !errors.is_empty() {
        return Err(errors);
    }
    let Ok(macros) = Arc::try_unwrap(macros) else {
        return Err(vec![Diagnostic::error(Code::Internal, "templates are still in use after parsing")]);
    };
    let manifest = Arc::new(manifest);
    let names = refs::names(&manifest);
    let engine = Engine::of(Shared { manifest: manifest.clone(), names, ..macros });
    Ok(Parsed { manifest, engine, warnings })
}

fn kind_of(file: &SqlFile) -> Option<(ResourceType, PatchKind)> {
    Some(match file.kind {
        FileKind::Model => (ResourceType::Model, PatchKind::Model),
        FileKind::SingularTest => (ResourceType::Test, PatchKind::Test),
        FileKind::Seed => (ResourceType::Seed, PatchKind::Seed),
        FileKind::Analysis => (ResourceType::Analysis, PatchKind::Analysis),
        FileKind::Snapshot => (ResourceType::Snapshot, PatchKind::Snapshot),
        FileKind::Macro => return None,
    })
}

fn draft_of(skeleton: &Skeleton, shared: &Arc<Shared>, file: &SqlFile) -> Result<Vec<Draft>, Diagnostic> {
    let Some((resource, patch)) = kind_of(file) else { return Ok(Vec::new()) };
    if resource == ResourceType::Snapshot {
        let index = LineIndex::new(&file.text);
        let found = blocks(&file.text).map_err(|e| crate::errors::syntax(&file.file, &file.text, 0, &e))?;
        return found
            .into_iter()
            .filter(|b| b.kind == BlockKind::Snapshot)
            .map(|b| {
                let (line, column) = index.position(&file.text, b.whole.start);
                let mut fqn = file.fqn.clone();
                fqn.push(b.name.clone());
                draft(skeleton, shared, file, (resource, patch), &b.name, &file.text[b.body.clone()], fqn, Span::new(&file.file, line, column))
            })
            .collect();
    }
    let name = file.stem().to_owned();
    // A seed's rows are no template.
    let text = if resource == ResourceType::Seed { "" } else { file.text.as_str() };
    draft(skeleton, shared, file, (resource, patch), &name, text, file.fqn.clone(), Span::file(&file.file)).map(|d| vec![d])
}

#[expect(clippy::too_many_arguments, reason = "the parts of one node, named where it is made")]
fn draft(
    skeleton: &Skeleton,
    shared: &Arc<Shared>,
    file: &SqlFile,
    (resource, patch): (ResourceType, PatchKind),
    name: &str,
    text: &str,
    fqn: Vec<String>,
    span: Span,
) -> Result<Draft, Diagnostic> {
    let patch = skeleton.properties.patch(&file.package, patch, name);
    let from_properties = patch.map(|p| p.config.clone()).unwrap_or_default();
    let mut node = engine::operation(&skeleton.manifest, name, &file.package, &skeleton.manifest.default_target);
    node.unique_id = UniqueId::new(format!("{}.{}.{name}", resource.as_str(), file.package));
    node.resource_type = resource;
    node.path.clone_from(&file.path);
    node.fqn = fqn;
    node.raw_code = text.to_owned();
    node.span = span;
    node.checksum = hex(&Sha256::digest(file.text.trim().as_bytes()));
    if file.is_python() {
        "python".clone_into(&mut node.language);
    }
    node.config = skeleton.configs.resolve(&node.package, resource.as_str(), &node.fqn, &from_properties, &Map::new());
    early_target(skeleton, shared, &mut node);
    if let Some(patch) = patch {
        node.description.clone_from(&patch.description);
        node.columns.clone_from(&patch.columns);
        node.patch_path = Some(patch.patch_path());
    }
    let mut captures = if node.language == "python" || text.is_empty() { Captures::default() } else { capture(shared, &node)? };
    // What the text says of its target decides which macros are dispatched: then it is read as on that target.
    let before = node.target.clone();
    node.config.extend(captures.config.get("target").map(|t| ("target".to_owned(), t.clone())));
    early_target(skeleton, shared, &mut node);
    if node.target != before && !text.is_empty() {
        captures = capture(shared, &node)?;
    }
    node.config = skeleton.configs.resolve(&node.package, resource.as_str(), &node.fqn, &from_properties, &captures.config);
    node.unrendered_config.clone_from(&captures.config);
    finish(&mut node);
    Ok(Draft { node, captures })
}

/// Until places are decided, a template sees the target its config or the run names.
fn early_target(skeleton: &Skeleton, shared: &Shared, node: &mut Node) {
    let named = node.config_str("target").filter(|_| shared.input.target.is_none()).map(TargetName::from);
    let named = named.filter(|t| skeleton.manifest.targets.contains_key(t));
    if let Some(name) = named {
        node.target = name;
    }
    node.adapter = skeleton.manifest.targets.get(&node.target).map(|t| t.adapter.clone()).unwrap_or_default();
}

fn finish(node: &mut Node) {
    node.tags = config::tags(&node.config);
    node.meta = node.config.get("meta").and_then(Json::as_object).cloned().unwrap_or_default();
    node.alias = node.config_str("alias").unwrap_or(&node.name).to_owned();
}

/// Renders a node for what it says: configs, refs, sources; its hooks for their refs.
fn capture(shared: &Arc<Shared>, node: &Node) -> Result<Captures, Diagnostic> {
    let scope = Arc::new(Scope::new(shared.clone(), Arc::new(node.clone()), Phase::Parse, None));
    set_test_kwargs(&scope)?;
    render_text(&scope, &node.raw_code, &node.span.file)?;
    let hooks: Vec<Json> = ["pre-hook", "post-hook", "pre_hook", "post_hook"]
        .iter()
        .flat_map(|k| {
            let inline = scope.captures().config.get(*k).cloned();
            [node.config.get(*k).cloned(), inline]
        })
        .flatten()
        .collect();
    for hook in hooks.iter().flat_map(|h| h.as_array().cloned().unwrap_or_else(|| vec![h.clone()])) {
        let sql = hook.get("sql").and_then(Json::as_str).or_else(|| hook.as_str()).unwrap_or_default().to_owned();
        if sql.contains("ref(") || sql.contains("source(") {
            render_text(&scope, &sql, &node.span.file)?;
        }
    }
    let mut captures = scope.captures();
    Ok(std::mem::take(&mut *captures))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |out, b| format!("{out}{b:02x}"))
}

fn generic_tests(
    skeleton: &Skeleton,
    shared: &Arc<Shared>,
    manifest: &mut Manifest,
    names: &BTreeMap<String, Vec<UniqueId>>,
    all: &mut BTreeMap<UniqueId, Captures>,
    warnings: &mut Vec<Diagnostic>,
    errors: &mut Vec<Diagnostic>,
) {
    for test in &skeleton.properties.tests {
        let attached = match &test.owner {
            TestOwner::Node { name } => {
                let call = RefCall { name: name.clone(), ..RefCall::default() };
                match refs::resolve(names, manifest, &test.package, &call) {
                    Ok(node) => Some(node.unique_id.clone()),
                    // Tests of what is disabled are disabled with it.
                    Err(_) if manifest.disabled.values().any(|n| n.name == *name) => None,
                    Err(_) => {
                        warnings.push(
                            Diagnostic::warning(Code::RefNotFound, format!("test `{}` is declared on `{name}`, which no file defines; it is not run", test.test)).at(test.span.clone()),
                        );
                        None
                    }
                }
            }
            TestOwner::Source { source, table } => {
                manifest.sources.values().find(|s| s.source_name == *source && s.name == *table).map(|s| s.unique_id.clone())
            }
        };
        let Some(attached) = attached else { continue };
        let full = format!("test_{}", test.test);
        let found = match &test.namespace {
            Some(namespace) => shared.macros.find_in(namespace, &full),
            None => shared.macros.find(&test.package, &full),
        };
        if found.is_none() {
            let known: Vec<String> = known_tests(&shared.macros);
            let near = dvt_project::suggest::suggestion(&test.test, &known.iter().map(String::as_str).collect::<Vec<_>>()).map(str::to_owned);
            let shown = test.namespace.as_ref().map_or_else(|| test.test.clone(), |n| format!("{n}.{}", test.test));
            let out = Diagnostic::error(Code::MacroNotFound, format!("no generic test is named `{shown}`")).at(test.span.clone());
            errors.push(match near {
                Some(near) => out.hint(format!("did you mean `{near}`?")),
                None => out.hint(format!("known tests: {}", known.join(", "))),
            });
            continue;
        }
        let mut node = engine::operation(manifest, &test.name, &test.package, &manifest.default_target.clone());
        node.unique_id = test.unique_id.clone();
        node.resource_type = ResourceType::Test;
        node.path.clone_from(&test.path);
        node.fqn.clone_from(&test.fqn);
        node.raw_code.clone_from(&test.raw_code);
        node.span = test.span.clone();
        node.description.clone_from(&test.description);
        node.config = skeleton.configs.resolve(&test.package, "test", &test.fqn, &test.config, &Map::new());
        if let Some(target) = manifest.target_of(&attached) {
            node.target = target.clone();
            node.adapter = manifest.targets.get(target).map(|t| t.adapter.clone()).unwrap_or_default();
        }
        let mut kwargs = test.kwargs.clone();
        if test.quote_column
            && let Some(column) = &test.column
        {
            let facts = shared.input.adapters.get(node.adapter.as_str());
            let (open, close) = facts.map_or_else(|| ("\"".to_owned(), "\"".to_owned()), |f| f.quote.clone());
            kwargs.insert("column_name".to_owned(), Json::String(format!("{open}{}{close}", column.replace(close.as_str(), &close.repeat(2)))));
        }
        node.test = Some(TestFacts {
            generic: Some(test.test.clone()),
            namespace: test.namespace.clone(),
            kwargs,
            column: test.column.clone(),
            attached: Some(attached.clone()),
        });
        finish(&mut node);
        if node.config.get("enabled").and_then(Json::as_bool) == Some(false) {
            manifest.disabled.insert(node.unique_id.clone(), node);
            continue;
        }
        match capture(shared, &node) {
            Ok(captures) => {
                // What the test's macro says in config() counts less than what its declaration says.
                if !captures.config.is_empty() {
                    let mut own = captures.config.clone();
                    own.extend(test.config.iter().map(|(k, v)| (k.clone(), v.clone())));
                    node.config = skeleton.configs.resolve(&test.package, "test", &test.fqn, &own, &Map::new());
                    finish(&mut node);
                }
                all.insert(node.unique_id.clone(), captures);
                manifest.nodes.insert(node.unique_id.clone(), node);
            }
            Err(e) => errors.push(if e.span.is_none() { e.at(node.span.clone()) } else { e }),
        }
    }
}

fn known_tests(macros: &Macros) -> Vec<String> {
    let mut out: Vec<String> = macros
        .all()
        .filter(|m| m.def.meta.get("kind").and_then(Json::as_str) == Some("test"))
        .filter_map(|m| m.def.name.strip_prefix("test_").map(str::to_owned))
        .collect();
    out.sort();
    out.dedup();
    out
}

/// Refs and sources become unique ids.
fn depend(
    manifest: &mut Manifest,
    names: &BTreeMap<String, Vec<UniqueId>>,
    all: &BTreeMap<UniqueId, Captures>,
    warnings: &mut Vec<Diagnostic>,
    errors: &mut Vec<Diagnostic>,
) {
    for (id, captures) in all {
        let Some(node) = manifest.nodes.get(id) else { continue };
        let mut nodes: Vec<UniqueId> = Vec::new();
        let mut failed = None;
        let mut disabled = false;
        for call in &captures.refs {
            match refs::resolve(names, manifest, &node.package, call) {
                Ok(parent) if parent.unique_id == *id => {
                    failed = Some(Diagnostic::error(Code::Cycle, format!("`{}` reads itself with ref(); use {{{{ this }}}}", node.name)).at(node.span.clone()));
                }
                Ok(parent) => {
                    if !nodes.contains(&parent.unique_id) {
                        nodes.push(parent.unique_id.clone());
                    }
                }
                // A test of something disabled is disabled with it; one of something that is nowhere, with a warning.
                Err(e) if node.resource_type == ResourceType::Test => {
                    if !manifest.disabled.values().any(|n| n.name == call.name) {
                        let e = place(e, node, &call.name);
                        warnings.push(Diagnostic { severity: dvt_diagnostic::Severity::Warning, message: format!("{}; test `{}` is not run", e.message, node.name), ..e });
                    }
                    failed = None;
                    disabled = true;
                    break;
                }
                Err(e) => failed = Some(place(e, node, &call.name)),
            }
        }
        for (source, table) in &captures.sources {
            if let Some(found) = manifest.sources.values().find(|s| s.source_name == *source && s.name == *table)
                && !nodes.contains(&found.unique_id)
            {
                nodes.push(found.unique_id.clone());
            }
        }
        errors.extend(failed);
        if disabled {
            if let Some(node) = manifest.nodes.remove(id) {
                manifest.disabled.insert(id.clone(), node);
            }
            continue;
        }
        if let Some(node) = manifest.nodes.get_mut(id) {
            node.depends_on.nodes = nodes;
            node.depends_on.macros.clone_from(&captures.macros);
            node.refs.clone_from(&captures.refs);
            node.sources.clone_from(&captures.sources);
        }
    }
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

fn exposures(skeleton: &Skeleton, shared: &Arc<Shared>, manifest: &mut Manifest, names: &BTreeMap<String, Vec<UniqueId>>, errors: &mut Vec<Diagnostic>) {
    for decl in &skeleton.properties.exposures {
        let mut exposure = decl.exposure.clone();
        for (call, at) in &decl.depends_on {
            let mut node = engine::operation(manifest, &exposure.name, &exposure.package, &manifest.default_target.clone());
            node.raw_code = format!("{{{{ {call} }}}}");
            node.span = at.clone();
            let captures = match capture(shared, &node) {
                Ok(captures) => captures,
                Err(e) => {
                    errors.push(Diagnostic { span: Some(at.clone()), ..e });
                    continue;
                }
            };
            for r in &captures.refs {
                match refs::resolve(names, manifest, &exposure.package, r) {
                    Ok(node) => exposure.depends_on.push(node.unique_id.clone()),
                    Err(e) => errors.push(e.at(at.clone())),
                }
            }
            for (source, table) in &captures.sources {
                exposure.depends_on.extend(manifest.sources.values().filter(|s| s.source_name == *source && s.name == *table).map(|s| s.unique_id.clone()));
            }
        }
        manifest.exposures.insert(exposure.unique_id.clone(), exposure);
    }
}

/// Database, schema and name of every node that has a table or view, by dbt's `generate_*_name` macros.
fn name_relations(shared: &Arc<Shared>, manifest: &mut Manifest, errors: &mut Vec<Diagnostic>) {
    let custom = |name: &str| shared.macros.of_root(name).is_some();
    let (schema_macro, database_macro, alias_macro) = (custom("generate_schema_name"), custom("generate_database_name"), custom("generate_alias_name"));
    let mut taken: BTreeMap<(TargetName, RelationName), UniqueId> = BTreeMap::new();
    let mut seen: BTreeSet<UniqueId> = BTreeSet::new();
    for (id, node) in &mut manifest.nodes {
        let Some(target) = manifest.targets.get(&node.target) else { continue };
        let text = |key: &str| node.config_str(key).map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned);
        let (schema, database, alias) = (text("schema"), text("database"), text("alias"));
        let call = |name: &str, given: Option<&str>, node: &Node| -> Result<String, Diagnostic> {
            let scope = Arc::new(Scope::new(shared.clone(), Arc::new(node.clone()), Phase::Parse, None));
            let entry = shared.macros.of_root(name).ok_or_else(|| Diagnostic::error(Code::MacroNotFound, name.to_owned()))?;
            let model = from_json(&refs::node_json(&shared.manifest, node, &shared.input));
            let given = given.map_or_else(|| Value::from(()), Value::from);
            macros::call(entry, &scope, &shared.env, &[given, model])
                .map(|v| v.to_string().trim().to_owned())
                .map_err(|e| crate::errors::diagnostic(&e, &shared.sources, Some(node.unique_id.as_str())))
        };
        let run = || -> Result<(String, Option<String>, String), Diagnostic> {
            let own_schema = match (schema_macro, &schema) {
                (true, s) => call("generate_schema_name", s.as_deref(), node)?,
                (false, None) => target.schema.clone(),
                (false, Some(s)) => format!("{}_{s}", target.schema),
            };
            let own_database = match (database_macro, &database) {
                (true, d) => Some(call("generate_database_name", d.as_deref(), node)?).filter(|d| !d.is_empty() && d != "None"),
                (false, Some(d)) => Some(d.clone()),
                (false, None) => target.database.clone(),
            };
            let own_alias = match (alias_macro, &alias) {
                (true, a) => call("generate_alias_name", a.as_deref(), node)?,
                (false, Some(a)) => a.clone(),
                (false, None) => node.name.clone(),
            };
            Ok((own_schema, own_database, own_alias))
        };
        match run() {
            Ok((schema, database, alias)) => {
                node.alias = alias;
                let has = matches!(node.resource_type, ResourceType::Model | ResourceType::Seed | ResourceType::Snapshot) && !node.is_ephemeral();
                if has {
                    let name = RelationName { database, schema: Some(schema), identifier: node.alias.clone() };
                    if let Some(other) = taken.insert((node.target.clone(), name.clone()), id.clone()) {
                        errors.push(
                            Diagnostic::error(Code::DuplicateResource, format!("`{other}` and `{id}` would both be `{}` on target `{}`", name.identifier, node.target))
                                .at(node.span.clone())
                                .hint("give one of them another alias or schema"),
                        );
                    }
                    node.relation = Some(name);
                }
                seen.insert(id.clone());
            }
            Err(e) => errors.push(if e.span.is_none() { e.at(node.span.clone()) } else { e }),
        }
    }
}
