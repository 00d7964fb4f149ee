//! From files to the manifest: every template rendered once with `execute` false, refs resolved, places decided.
//!
//! `draft.rs` makes nodes of files, `generic.rs` of declared tests, `depend.rs` turns refs into ids, `name.rs` names relations.

mod cache;
mod depend;
mod draft;
mod generic;
mod name;
mod unused;

use crate::engine::{self, Engine, MacroText, macro_defs, macro_files, render_text, set_test_kwargs, shared};
use crate::refs;
use crate::scope::{Captures, Phase, Scope, Shared};
use crate::yaml_strings::YamlStrings;
use dvt_diagnostic::{Code, Diagnostic, Severity};
use dvt_project::{Manifest, Node, PatchKind, ProjectInput, RefCall, ResourceType, Skeleton, UniqueId, link, paths};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A parsed project.
#[derive(Debug)]
pub struct Parsed {
    pub manifest: Arc<Manifest>,
    /// The same project's macros, compiled already.
    pub engine: Engine,
    pub warnings: Vec<Diagnostic>,
    /// What the next parse may be given as `previous`; None when the one given still holds or nothing was asked for.
    pub cache: Option<Vec<u8>>,
    /// Whether `previous` was all that was needed.
    pub reused: bool,
}

/// A node before it is known what it depends on.
struct Draft {
    node: Box<Node>,
    captures: Captures,
}

/// What the stages of parsing share.
struct Parser<'a> {
    skeleton: &'a Skeleton,
    shared: &'a Arc<Shared>,
    /// What each node's template said.
    all: BTreeMap<UniqueId, Captures>,
    warnings: Vec<Diagnostic>,
    errors: Vec<Diagnostic>,
}

/// Reads a whole project; `execute` is false in every template.
///
/// # Errors
/// Every problem of the stage that failed.
pub fn parse(input: &ProjectInput) -> Result<Parsed, Vec<Diagnostic>> {
    cold(&Arc::new(input.clone()), |_, _, _| None)
}

/// The same, with what an earlier parse left: when nothing that counts has changed, the project is not read again.
///
/// # Errors
/// As [`parse`]. Bytes of another program, another project or another form are no error: they are not used.
pub fn parse_with(input: &Arc<ProjectInput>, previous: Option<Vec<u8>>) -> Result<Parsed, Vec<Diagnostic>> {
    let print = cache::print(input);
    if let Some(earlier) = previous.and_then(|bytes| cache::read(&bytes, &print, input)) {
        let engine = Engine::of_files(earlier.manifest, input.clone(), earlier.macro_files)?;
        return Ok(Parsed { manifest: engine.manifest().clone(), engine, warnings: earlier.warnings, cache: None, reused: true });
    }
    cold(input, |manifest, files, warnings| cache::write(&print, manifest, files, warnings))
}

/// `keep` makes the bytes for the next parse. A type of its own for each caller: who keeps nothing carries no code for it.
fn cold<K>(input: &Arc<ProjectInput>, keep: K) -> Result<Parsed, Vec<Diagnostic>>
where
    K: FnOnce(&Manifest, &[MacroText], &[Diagnostic]) -> Option<Vec<u8>>,
{
    let strings = YamlStrings::new(input.clone());
    let mut skeleton = dvt_project::skeleton(input, &strings)?;
    let files = macro_files(&skeleton);
    let macros = Arc::new(shared(skeleton.manifest.clone(), input.clone(), &files)?);
    let mut manifest = skeleton.manifest.clone();
    manifest.macros = macro_defs(&macros.macros);
    // What becomes nodes goes as they come: a large project is not in memory twice.
    let (sql_files, tests) = (std::mem::take(&mut skeleton.sql_files), std::mem::take(&mut skeleton.properties.tests));
    let mut parser = Parser { skeleton: &skeleton, shared: &macros, all: BTreeMap::new(), warnings: skeleton.warnings.clone(), errors: Vec::new() };
    parser.macro_properties(&mut manifest);
    parser.drafts(&mut manifest, sql_files)?;
    let names = refs::names(&manifest);
    parser.generic_tests(&mut manifest, &names, tests);
    parser.depend(&mut manifest, &names);
    let find = |m: &Manifest, package: &str, call: &RefCall| refs::resolve(&names, m, package, call).map(|n| n.unique_id.clone());
    link::link(&mut manifest, &skeleton.properties.unit_tests, &skeleton.properties.described, &find, &mut parser.errors);
    parser.exposures(&mut manifest, &names);
    parser.unused_properties(&manifest);
    parser.unused_configs(&manifest);
    let Parser { mut warnings, mut errors, .. } = parser;
    if !errors.is_empty() {
        return Err(errors);
    }
    let restricted: BTreeSet<String> = skeleton
        .packages
        .iter()
        .filter(|p| p.project.get("restrict-access").and_then(Json::as_bool) == Some(true))
        .map(|p| p.name.clone())
        .collect();
    let mut refused = link::check_access(&manifest, &restricted);
    for told in dvt_project::notices::names(&manifest) {
        if told.severity == Severity::Error { refused.push(told) } else { warnings.push(told) }
    }
    if !refused.is_empty() {
        return Err(refused);
    }
    link::infer_primary_keys(&mut manifest);
    warnings.extend(paths::resolve(&mut manifest, input)?);
    name::relations(&macros, &mut manifest, &mut errors);
    if !errors.is_empty() {
        return Err(errors);
    }
    link::relate(&mut manifest, input);
    let cache = keep(&manifest, &files, &warnings);
    drop(skeleton);
    let Ok(macros) = Arc::try_unwrap(macros) else {
        return Err(vec![Diagnostic::error(Code::Internal, "templates are still in use after parsing")]);
    };
    let manifest = Arc::new(manifest);
    let names = refs::names(&manifest);
    let engine = Engine::of(Shared { manifest: manifest.clone(), names, ..macros });
    Ok(Parsed { manifest, engine, warnings, cache, reused: false })
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
        if sql.contains("{{") || sql.contains("{%") {
            render_text(&scope, &sql, &node.span.file)?;
        }
    }
    let mut captures = scope.captures();
    Ok(std::mem::take(&mut *captures))
}

impl Parser<'_> {
    /// Descriptions, arguments, meta and docs that properties files give to macros.
    fn macro_properties(&mut self, manifest: &mut Manifest) {
        for patch in self.skeleton.properties.patches.values().filter(|p| p.kind == PatchKind::Macro) {
            let Some(def) = manifest.macros.get_mut(&UniqueId::new(format!("macro.{}.{}", patch.package, patch.name))) else { continue };
            def.description.clone_from(&patch.description);
            let properties = &mut def.properties;
            properties.patch_path = Some(patch.patch_path());
            properties.meta = patch.config.get("meta").and_then(Json::as_object).cloned().unwrap_or_default();
            properties.docs = patch.config.get("docs").cloned();
            let given = patch.raw.get("arguments").and_then(Json::as_array).cloned().unwrap_or_default();
            properties.arguments = given
                .iter()
                .map(|a| serde_json::json!({"name": a["name"], "type": a["type"], "description": a["description"].as_str().unwrap_or_default()}))
                .collect();
        }
    }

    /// Properties that no file, macro or snapshot answers to.
    fn unused_properties(&mut self, manifest: &Manifest) {
        let nodes = || manifest.nodes.values().chain(manifest.disabled.values()).chain(manifest.functions.values());
        let known: BTreeSet<(PatchKind, &str)> = nodes()
            .filter_map(|n| {
                let kind = match n.resource_type {
                    ResourceType::Model => PatchKind::Model,
                    ResourceType::Seed => PatchKind::Seed,
                    ResourceType::Snapshot => PatchKind::Snapshot,
                    ResourceType::Analysis => PatchKind::Analysis,
                    ResourceType::Test => PatchKind::Test,
                    ResourceType::Function => PatchKind::Function,
                    ResourceType::Operation => return None,
                };
                Some((kind, n.name.as_str()))
            })
            .chain(manifest.macros.values().map(|m| (PatchKind::Macro, m.name.as_str())))
            .collect();
        for patch in self.skeleton.properties.patches.values() {
            let of_test = patch.kind == PatchKind::Macro && known.contains(&(PatchKind::Macro, format!("test_{}", patch.name).as_str()));
            if known.contains(&(patch.kind, patch.name.as_str())) || of_test {
                continue;
            }
            let same: Vec<&str> = known.iter().filter(|(k, _)| *k == patch.kind).map(|(_, n)| *n).collect();
            let message = format!("`{}` has properties, but there is no {} of that name", patch.name, kind_name(patch.kind));
            let warning = Diagnostic::warning(Code::UnknownKey, message).at(patch.span.clone()).event("NoNodeForYamlKey");
            self.warnings.push(match dvt_project::suggest::suggestion(&patch.name, &same) {
                Some(near) => warning.hint(format!("did you mean `{near}`?")),
                None => warning,
            });
        }
    }

    fn exposures(&mut self, manifest: &mut Manifest, names: &BTreeMap<String, Vec<UniqueId>>) {
        for decl in &self.skeleton.properties.exposures {
            let mut exposure = decl.exposure.clone();
            for (call, at) in &decl.depends_on {
                let mut node = engine::operation(manifest, &exposure.name, &exposure.package, &manifest.default_target.clone());
                node.raw_code = format!("{{{{ {call} }}}}");
                node.span = at.clone();
                let captures = match dvt_project::static_call::static_call(call) {
                    Some(found) => depend::captured(found),
                    None => match capture(self.shared, &node) {
                        Ok(captures) => captures,
                        Err(e) => {
                            self.errors.push(Diagnostic { span: Some(at.clone()), ..e });
                            continue;
                        }
                    },
                };
                exposure.macros.extend(captures.macros.iter().filter(|m| !exposure.macros.contains(m)).cloned().collect::<Vec<_>>());
                let ids = depend::resolve_all(manifest, names, &exposure.package, &captures);
                match ids {
                    Ok(ids) => exposure.depends_on.extend(ids),
                    Err(e) if exposure.config.get("enabled").and_then(Json::as_bool) != Some(false) => self.errors.push(e.at(at.clone())),
                    Err(_) => {}
                }
                exposure.refs.extend(captures.refs);
                exposure.sources.extend(captures.sources);
                exposure.metrics.extend(captures.metrics);
            }
            if exposure.config.get("enabled").and_then(Json::as_bool) == Some(false) {
                manifest.disabled_exposures.insert(exposure.unique_id.clone(), exposure);
                continue;
            }
            if let Some(first) = manifest.exposures.get(&exposure.unique_id) {
                self.errors.push(
                    Diagnostic::error(Code::DuplicateResource, format!("two exposures are named `{}`", exposure.name))
                        .at(decl.span.clone())
                        .hint(format!("the other one is in {}", first.path)),
                );
                continue;
            }
            manifest.exposures.insert(exposure.unique_id.clone(), exposure);
        }
    }
}

fn kind_name(kind: PatchKind) -> &'static str {
    match kind {
        PatchKind::Model => "model",
        PatchKind::Seed => "seed",
        PatchKind::Snapshot => "snapshot",
        PatchKind::Analysis => "analysis",
        PatchKind::Macro => "macro",
        PatchKind::Test => "test",
        PatchKind::Function => "function",
    }
}
