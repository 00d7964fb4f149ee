//! Which resources a command is about: its kinds, the selection, and what it is compared with.

use crate::project::Project;
use crate::settings::Settings;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_jinja::YamlStrings;
use dvt_project::UniqueId;
use dvt_project::artifacts::{ArtifactMeta, manifest_json};
use dvt_project::select::{Chosen, Indirect, Request, Selectors, State, select};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Kinds of resources by command: what it takes, and what `all` adds.
pub fn kinds(which: &str) -> (&'static [&'static str], &'static [&'static str]) {
    match which {
        "run" => (&["model"], &[]),
        "seed" => (&["seed"], &[]),
        "snapshot" => (&["snapshot"], &[]),
        "test" => (&["test", "unit_test"], &[]),
        "build" => (&["model", "seed", "snapshot", "test", "unit_test", "exposure", "saved_query", "function"], &[]),
        "clone" => (&["model", "seed", "snapshot"], &[]),
        "freshness" => (&["source"], &[]),
        "compile" | "generate" => (&["model", "seed", "snapshot", "test", "unit_test", "analysis"], &[]),
        "show" => (&["model", "seed", "snapshot", "test", "analysis"], &[]),
        "explain" => (&["model"], &[]),
        _ => (
            &["model", "snapshot", "seed", "test", "source", "exposure", "metric", "saved_query", "semantic_model", "unit_test", "function"],
            &["analysis"],
        ),
    }
}

/// The kinds that `--resource-type` and `--exclude-resource-type` leave.
pub fn wanted_kinds(settings: &Settings) -> BTreeSet<String> {
    let (usual, more) = kinds(&settings.which);
    let named = |list: &[&str]| list.iter().map(|k| (*k).to_owned()).collect::<Vec<_>>();
    let meant = |option: &str| -> Vec<String> {
        let words = settings.list(option).into_iter().map(|w| w.to_ascii_lowercase());
        let each = |w: String| match w.as_str() {
            "default" => named(usual),
            "all" => named(usual).into_iter().chain(named(more)).collect(),
            _ => vec![w],
        };
        words.flat_map(each).collect()
    };
    let given = meant("resource_type");
    let mut kinds: BTreeSet<String> = if given.is_empty() { named(usual) } else { given }.into_iter().collect();
    for left_out in meant("exclude_resource_type") {
        kinds.remove(&left_out);
    }
    kinds
}

/// A document of an earlier invocation; None where there is none.
///
/// # Errors
/// A file that is no JSON.
pub fn document(folder: &Path, name: &str) -> Result<Option<Value>, Diagnostic> {
    let path = folder.join(name);
    let Ok(text) = std::fs::read_to_string(&path) else { return Ok(None) };
    let wrong = |why: &str| Diagnostic::error(Code::SelectorInvalid, format!("{} cannot be read: {why}", path.display()));
    let read: Value = serde_json::from_str(&text).map_err(|e| wrong(&e.to_string()))?;
    let Some(map) = read.as_object() else { return Err(wrong("it is no mapping")) };
    // What is of another form would count as empty, and everything as new.
    for (key, mapping) in [("nodes", true), ("sources", true), ("macros", true), ("results", false)] {
        // `sources` of a manifest is a mapping; other documents have no such key.
        if map.get(key).is_some_and(|v| if mapping { !v.is_object() } else { !v.is_array() }) {
            return Err(wrong(&format!("`{key}` is no {}", if mapping { "mapping" } else { "list" })));
        }
    }
    Ok(Some(read))
}

impl Project {
    /// What the command's selection leaves of its kinds.
    ///
    /// # Errors
    /// `DVT2201`, and files of an earlier invocation that cannot be read.
    pub fn chosen(&self) -> Result<Chosen, Diagnostic> {
        let settings = &self.settings;
        if let Some(only) = &settings.only {
            return Ok(Chosen { ids: only.iter().map(|id| UniqueId::from(id.as_str())).collect(), warnings: Vec::new() });
        }
        let strings = YamlStrings::new(self.input.clone());
        let selectors = match self.input.files.get("selectors.yml") {
            Some(text) => Some(Selectors::read(text, &strings)?),
            None => None,
        };
        let of = |folder: &Option<std::path::PathBuf>, name: &str| folder.as_deref().map_or(Ok(None), |f| document(f, name));
        let folder = settings.path("state");
        if let Some(folder) = folder.as_ref().filter(|f| !f.is_dir()) {
            return Err(Diagnostic::error(Code::SelectorInvalid, format!("--state: the folder {} does not exist", folder.display())));
        }
        let now = Some(self.target_path());
        let make = || {
            let meta = ArtifactMeta { input: &self.input, generated_at: "" };
            manifest_json(&self.manifest, &BTreeMap::new(), meta)
        };
        let state = State::new(of(&folder, "manifest.json")?, of(&folder, "run_results.json")?, of(&folder, "sources.json")?, of(&now, "sources.json")?, Box::new(make));
        let indirect = settings.text("indirect_selection").map_or(Ok(Indirect::Eager), Indirect::named)?;
        let kinds = wanted_kinds(settings);
        let request = Request {
            select: &settings.select,
            exclude: &settings.exclude,
            selector: settings.text("selector"),
            indirect,
            kinds: Some(&kinds),
            selectors: selectors.as_ref(),
            state: folder.is_some().then_some(&state),
            blank: settings.which == "list",
        };
        let mut chosen = select(&self.manifest, &self.graph, &request)?;
        chosen.warnings.extend(state.warnings());
        Ok(chosen)
    }
}
