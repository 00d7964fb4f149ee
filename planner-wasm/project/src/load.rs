//! From files to everything that parsing templates needs: targets, computes, packages, files, properties, configs.
//!
//! Not here: rendering of models (the Jinja crate), and nodes, which need it.

use crate::computes;
use crate::config::ConfigTree;
use crate::input::ProjectInput;
use crate::inventory;
use crate::names::{ComputeName, TargetName};
use crate::node::{Compute, Manifest, Target};
use crate::profile;
use crate::project_file::{self, Package};
use crate::properties::{self, Properties};
use crate::render::{RenderContext, RenderString};
use dvt_diagnostic::Diagnostic;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What [`skeleton`] gives. `manifest` has targets, computes, sources, docs, hooks, packages; nodes and macros are empty.
#[derive(Debug, Clone)]
pub struct Skeleton {
    pub manifest: Manifest,
    /// The project first, then packages in load order, then adapter packages.
    pub packages: Vec<Package>,
    pub sql_files: Vec<SqlFile>,
    pub properties: Properties,
    pub configs: ConfigTree,
    pub warnings: Vec<Diagnostic>,
}

/// A file with a template or a seed in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlFile {
    pub package: String,
    /// Relative to the package's root (dbt's `original_file_path`).
    pub path: String,
    /// As the user would name it from the project root: for spans.
    pub file: String,
    pub kind: FileKind,
    /// Where in `path` the part below the resource folder starts, in bytes.
    pub below: u32,
    /// Package, folders below the resource path, file stem: dbt's fqn.
    pub fqn: Vec<String>,
    pub text: String,
    /// Checksum of the file, when `text` is not all of it.
    pub checksum: Option<String>,
}

/// dbt's checksum of a file: sha256 of its words, so that layout does not count.
pub fn checksum(text: &str) -> String {
    use sha2::{Digest, Sha256};
    use std::fmt::Write as _;
    let mut hash = Sha256::new();
    for (number, word) in text.split_whitespace().enumerate() {
        if number > 0 {
            hash.update(b" ");
        }
        hash.update(word.as_bytes());
    }
    hash.finalize().iter().fold(String::with_capacity(64), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

impl SqlFile {
    /// The file's name without folders and extension.
    pub fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.rsplit_once('.').map_or(name, |(stem, _)| stem)
    }
    pub fn is_python(&self) -> bool {
        std::path::Path::new(&self.path).extension().is_some_and(|e| e == "py")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    Model,
    SingularTest,
    Seed,
    Snapshot,
    /// Also generic tests under `tests/generic/`.
    Macro,
    Analysis,
    Function,
}

/// Reads everything but the templates.
///
/// # Errors
/// Every problem found in the stage that failed: project file, profile, computes, packages, properties.
pub fn skeleton(input: &ProjectInput, r: &dyn RenderString) -> Result<Skeleton, Vec<Diagnostic>> {
    let mut warnings = Vec::new();
    let one = |d: Diagnostic| vec![d];
    let (_, profile, computes) = settled(input, r, &mut warnings).map_err(one)?;
    // The target is known now: the project file may use it.
    let root = project_file::root(input, r, &mut Vec::new()).map_err(one)?;
    let packages = project_file::packages(input, root, &profile, r, &mut warnings).map_err(one)?;

    let mut configs = ConfigTree::new(packages[0].name.clone());
    for package in &packages {
        configs.add(&package.name, &package.project);
        configs.add_unrendered(&package.name, &package.unrendered);
    }
    let mut inventory = inventory::collect(input, &packages);
    let mut manifest = manifest_of(input, &packages, profile, computes);
    manifest.docs = std::mem::take(&mut inventory.docs);
    let adapter = manifest.targets.get(&manifest.default_target).and_then(|t| input.adapters.get(t.adapter.as_str()));
    let quotes = adapter.map_or(("\"", "\""), |f| (f.quote.0.as_str(), f.quote.1.as_str()));
    let properties = properties::load(&inventory, &mut manifest, &configs, r, quotes, &mut warnings)?;
    let mut sql_files = inventory.sql_files;
    sql_files.extend(properties.yaml_snapshots.iter().cloned());
    Ok(Skeleton { manifest, packages, sql_files, properties, configs, warnings })
}

/// What a project says of its environment; no model, package or properties file is looked at.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The project file, rendered but for hooks and vars.
    pub project: Map<String, Value>,
    pub profile_name: String,
    pub default_target: TargetName,
    pub targets: BTreeMap<TargetName, Target>,
    pub computes: BTreeMap<ComputeName, Compute>,
    pub default_compute: ComputeName,
    pub warnings: Vec<Diagnostic>,
}

/// # Errors
/// The first problem of the project file, the profile or computes.yml.
pub fn surroundings(input: &ProjectInput, r: &dyn RenderString) -> Result<Surroundings, Vec<Diagnostic>> {
    let mut warnings = Vec::new();
    let (root, profile, computes) = settled(input, r, &mut warnings).map_err(|d| vec![d])?;
    Ok(Surroundings {
        project: root.project,
        profile_name: profile.name,
        default_target: profile.default_target,
        targets: profile.targets,
        computes: computes.all,
        default_compute: computes.default,
        warnings,
    })
}

/// Project file, profile and computes; `r` learns the project's name and the default target on the way.
fn settled(input: &ProjectInput, r: &dyn RenderString, warnings: &mut Vec<Diagnostic>) -> Result<(Package, profile::Profile, computes::Computes), Diagnostic> {
    let root = project_file::root(input, r, warnings)?;
    r.learn(&RenderContext { project_name: &root.name, vars: &root.vars, target: None });
    let profile = profile::load(input, &root, r, warnings)?;
    let default = profile.targets.get(&profile.default_target);
    r.learn(&RenderContext { project_name: &root.name, vars: &root.vars, target: default });
    let computes = computes::load(input, &profile, r, warnings)?;
    Ok((root, profile, computes))
}

fn manifest_of(input: &ProjectInput, packages: &[Package], profile: profile::Profile, computes: computes::Computes) -> Manifest {
    let root = &packages[0];
    let mut flags = root.flags();
    flags.extend(input.invocation.flags.clone());
    Manifest {
        project_name: root.name.clone(),
        profile_name: profile.name,
        default_target: profile.default_target,
        adapters: profile
            .targets
            .values()
            .map(|t| t.adapter.clone())
            .filter(|a| input.adapter_packages.contains_key(a.as_str()))
            .collect(),
        targets: profile.targets,
        computes: computes.all,
        default_compute: computes.default,
        on_run_start: packages.iter().flat_map(|p| p.run_hooks("on-run-start")).collect(),
        on_run_end: packages.iter().flat_map(|p| p.run_hooks("on-run-end")).collect(),
        packages: packages.iter().map(|p| (p.name.clone(), p.version.clone())).collect(),
        dispatch: root.dispatch(),
        vars: project_file::all_vars(packages),
        flags,
        project: root.project.clone(),
        ..Manifest::default()
    }
}
