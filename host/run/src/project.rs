//! A project ready to work on: files read, plugins asked, parsed, placed.

use crate::cluster::DRIVEN_ENGINE;
use crate::discover;
use crate::home::Home;
use crate::kept_parse::KeptParse;
use crate::plugins::Plugins;
use crate::pool::Pool;
use crate::printer::{iso, now};
use crate::settings::Settings;
use crate::sync::lock::Lock;
use crate::sync::ranges;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_engine::{ComputeSettings, EMBEDDED_DRIVER};
use dvt_jinja::{Engine, YamlStrings, parse_with};
use dvt_planner::dialect::{DialectSheet, Sheets};
use dvt_plugin_host::{Adapter, ComputePlugin, EnginePlan, Listed, PluginKind};
use dvt_project::{AdapterType, Compute, ComputeName, DialectName, Graph, Invocation, Manifest, ProjectInput, TargetName};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// The name by which compute plugins ask for the engine in this process.
const EMBEDDED_ENGINE: &str = "embedded";

pub struct Project {
    pub settings: Settings,
    pub home: Home,
    pub root: PathBuf,
    pub input: Arc<ProjectInput>,
    pub plugins: Plugins,
    pub manifest: Arc<Manifest>,
    pub graph: Graph,
    pub engine: Engine,
    pub warnings: Vec<Diagnostic>,
    pub started: SystemTime,
}

impl Project {
    /// Reads, parses and places everything; opens no connection.
    ///
    /// # Errors
    /// Every problem of the stage that failed.
    pub fn load(settings: Settings) -> Result<Self, Vec<Diagnostic>> {
        let one = |d: Diagnostic| vec![d];
        let started = now();
        let root = discover::root(&settings).map_err(one)?;
        let root = root.canonicalize().unwrap_or(root);
        let home = Home::find(&settings, Some(&root));
        // As in dbt, relative paths in profiles and templates start at the project.
        std::env::set_current_dir(&root)
            .map_err(|e| vec![Diagnostic::error(Code::ProjectNotFound, format!("{} cannot be entered: {e}", root.display()))])?;
        let plugins = Plugins::load(&home.plugin_folders(&settings, Some(&root)), &home.cache());
        let input = Arc::new(input(&settings, &home, &root, &plugins, started).map_err(one)?);
        let kept = KeptParse::of(&settings, &root, &input);
        let parsed = parse_with(&input, kept.read())?;
        if let Some(bytes) = &parsed.cache {
            kept.write(bytes);
        }
        let mut warnings = home.notes.clone();
        warnings.extend(plugins.warnings.iter().cloned());
        warnings.extend(parsed.warnings);
        let manifest = parsed.manifest;
        // Of what depends on the day a kept parse says nothing.
        warnings.extend(dvt_project::notices::warnings(&manifest, &input.invocation.started_at));
        in_line(&settings, &root, &plugins, &manifest).map_err(one)?;
        let graph = Graph::new(&manifest).map_err(one)?;
        let engine = parsed.engine;
        Ok(Self { settings, home, root, input, plugins, manifest, graph, engine, warnings, started })
    }

    pub fn invocation(&self) -> &str {
        &self.input.invocation.id
    }

    /// Where artifacts go.
    pub fn target_path(&self) -> PathBuf {
        let path = self.settings.text("target_path").map(str::to_owned);
        let path = path.or_else(|| self.manifest.project.get("target-path").and_then(|v| v.as_str()).map(str::to_owned));
        self.root.join(path.unwrap_or_else(|| "target".to_owned()))
    }

    /// `--threads`, else the default target's.
    pub fn threads(&self) -> u32 {
        self.settings.threads.unwrap_or_else(|| self.manifest.targets.get(&self.manifest.default_target).map_or(1, |t| t.threads)).max(1)
    }

    /// The dialect a target speaks.
    pub fn dialect_of(&self, target: &TargetName) -> Option<DialectName> {
        let adapter = &self.manifest.targets.get(target)?.adapter;
        self.input.adapters.get(adapter.as_str()).map(|f| DialectName::new(f.dialect.clone()))
    }

    pub fn sheet_of(&self, target: &TargetName) -> Result<&DialectSheet, Diagnostic> {
        let dialect = self.dialect_of(target).ok_or_else(|| dvt_project::paths::unknown_target(&self.manifest, target))?;
        self.sheets().get(&dialect)
    }

    pub fn sheets(&self) -> &Sheets {
        self.plugins.sheets()
    }

    /// The plugin of a compute, or who is missing.
    pub fn compute_plugin(&self, name: &ComputeName) -> Result<Arc<dyn ComputePlugin>, Diagnostic> {
        let compute = self.manifest.computes.get(name).ok_or_else(|| dvt_project::paths::unknown_compute(self.manifest.computes.keys(), name))?;
        self.plugins.compute(&compute.kind).map_err(|e| Diagnostic { message: format!("compute `{name}`: {}", e.message), ..e })
    }

    /// What the compute's plugin asks for.
    pub fn compute_plan(&self, name: &ComputeName) -> Result<EnginePlan, Diagnostic> {
        let plugin = self.compute_plugin(name)?;
        let config = self.manifest.computes.get(name).map(engine_config).unwrap_or_default();
        let plan = plugin.plan(&config).map_err(|e| Diagnostic { message: format!("compute `{name}`: {}", e.message), ..e })?;
        if plan.engine != EMBEDDED_ENGINE && plan.engine != DRIVEN_ENGINE {
            let message = format!("compute `{name}` needs the engine `{}`, which this dvt does not lend", plan.engine);
            return Err(Diagnostic::error(Code::PluginContract, message).hint(format!("engines: {EMBEDDED_ENGINE}, {DRIVEN_ENGINE}")));
        }
        Ok(plan)
    }

    /// Limits of a compute inside the host; it spills into the cache folder unless its config names another.
    pub fn compute_settings(&self, name: &ComputeName) -> Result<ComputeSettings, Diagnostic> {
        let plan = self.compute_plan(name)?;
        let folder = plan.settings.get("temp_directory").map_or_else(|| self.home.cache().join("spill"), |t| self.root.join(t));
        Ok(ComputeSettings {
            memory_limit: plan.settings.get("memory_limit").cloned(),
            threads: plan.settings.get("threads").and_then(|t| t.parse().ok()),
            temp_directory: Some(folder),
        })
    }

    /// Sessions of every target whose type a plugin handles.
    pub fn pool(&self, cancel: Arc<dvt_federation::Cancellation>, printer: Arc<crate::printer::Printer>) -> Result<Pool, Diagnostic> {
        let strings = YamlStrings::new(self.input.clone());
        let outputs = dvt_project::profile::outputs(&self.input, &self.manifest.profile_name, &strings)?;
        let mut targets: Vec<(_, Arc<dyn Adapter>, _)> = Vec::new();
        for output in outputs {
            if let Ok(adapter) = self.plugins.adapter(&output.target.adapter) {
                // The manifest's form of the target counts: it is the one that templates saw.
                let target = self.manifest.targets.get(&output.target.name).cloned().unwrap_or(output.target);
                printer.hide(output.secrets.values().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)));
                targets.push((target, adapter, output.secrets));
            }
        }
        let drivers = crate::native::NativeDrivers::of(&self.home, Some(&self.root))?;
        Ok(Pool::new(targets, self.settings.threads, drivers, cancel, printer))
    }
}

/// The versions that the project asks for, and the plugins that its lock file records.
fn in_line(settings: &Settings, root: &Path, plugins: &Plugins, manifest: &Manifest) -> Result<(), Diagnostic> {
    if settings.on("version_check") {
        ranges::programs(&manifest.project)?;
    }
    let listed = plugins.list();
    for (kind, range) in ranges::read(&manifest.project)? {
        let used = manifest.targets.values().any(|t| t.adapter.as_str() == kind);
        let is = |p: &&Listed| p.manifest.kind == PluginKind::Adapter && p.manifest.types.contains(&kind);
        if let Some(plugin) = listed.iter().find(is).filter(|p| used && !range.holds(&p.manifest.version)) {
            return Err(ranges::outside(&kind, &plugin.manifest.version, &range));
        }
    }
    Lock::read(root)?.check(&listed)
}

/// A compute's entry as its plugin takes it.
pub(crate) fn engine_config(compute: &Compute) -> serde_json::Value {
    let mut config = compute.config.clone();
    for (key, value) in [("version", &compute.version), ("master", &compute.master)] {
        config.extend(value.clone().map(|v| (key.to_owned(), serde_json::Value::String(v))));
    }
    serde_json::Value::Object(config)
}

pub(crate) fn input(settings: &Settings, home: &Home, root: &Path, plugins: &Plugins, started: SystemTime) -> Result<ProjectInput, Diagnostic> {
    let (profiles, computes) = discover::profile_files(home)?;
    if profiles.is_none() {
        return Err(Diagnostic::error(Code::ProfileNotFound, format!("there is no {}", home.profiles.display()))
            .hint("`dvt init` writes one; --profiles-dir names another folder"));
    }
    let mut flags = settings.arguments();
    if let Some(sample) = &settings.sample {
        flags.insert("sample".to_owned(), crate::batches::sample(sample, started)?);
    }
    let mut adapters = BTreeMap::new();
    let mut adapter_packages = BTreeMap::new();
    for (kind, adapter) in plugins.adapters() {
        adapters.insert(kind.to_string(), adapter.adapter_facts().clone());
        adapter_packages.insert(kind.to_string(), adapter.macro_package().clone());
    }
    Ok(ProjectInput {
        files: discover::files(root)?,
        profiles,
        computes,
        env: settings.env.clone(),
        vars: settings.vars.clone(),
        target: settings.target.clone(),
        profile: settings.profile.clone(),
        compute: settings.compute.clone(),
        full_refresh: settings.full_refresh,
        implicit_compute: plugins.implicit_compute().unwrap_or_else(|| EMBEDDED_DRIVER.to_owned()),
        adapter_packages,
        adapters,
        invocation: Invocation {
            id: if settings.invocation_id.is_empty() { new_invocation() } else { settings.invocation_id.clone() },
            started_at: iso(started),
            which: settings.which.clone(),
            flags,
        },
    })
}

/// A new invocation's id.
pub fn new_invocation() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// A plugin for each target that the chosen nodes use, or which one is missing.
pub fn check_adapters(project: &Project, used: &BTreeSet<TargetName>) -> Vec<Diagnostic> {
    let missing = |target: &TargetName| {
        let adapter: &AdapterType = &project.manifest.targets.get(target)?.adapter;
        project.plugins.adapter(adapter).err().map(|e| Diagnostic { message: format!("target `{target}`: {}", e.message), ..e })
    };
    used.iter().filter_map(missing).collect()
}
