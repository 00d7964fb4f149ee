//! `sync`: the environment brought in line with the project's files (SPEC K4).

use super::{FAILED, OK, Task};
use crate::cluster::{self, DRIVEN_ENGINE, jars};
use crate::discover;
use crate::home::Home;
use crate::plugins::Plugins;
use crate::project;
use crate::sync::index::Index;
use crate::sync::library::{self, LIBRARY, Need, Wanted};
use crate::sync::lock::{BUNDLED, Lock, LockedDriver, LockedPlugin, machine};
use crate::sync::ranges::{self, Range, Ranges};
use crate::sync::workplace::Workplace;
use crate::sync::{drivers, environment, failed, fetch, index, native, place};
use dvt_diagnostic::{Code, Diagnostic};
use dvt_jinja::YamlStrings;
use dvt_plugin_host::{DriverSheet, EnginePlan, LIBRARY_DRIVER, Listed, PluginKind, PluginManifest};
use dvt_project::{ComputeName, ProjectInput, TargetName};
use dvt_project::load::{Surroundings, surroundings};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the command line says.
pub struct SyncRequest<'a> {
    pub python_env: Option<PathBuf>,
    /// A folder or address with an index of plugins.
    pub index: Option<String>,
    pub dry_run: bool,
    /// Newer plugins of the index replace installed ones.
    pub upgrade: bool,
    /// What a plugin asks for is granted without a question.
    pub yes: bool,
    /// Puts a question; None without a terminal.
    pub ask: &'a dyn Fn(&str) -> Option<String>,
}

/// The state of one `sync`.
struct Sync<'a> {
    task: &'a Task,
    request: &'a SyncRequest<'a>,
    root: PathBuf,
    home: Home,
    input: Arc<ProjectInput>,
    around: Surroundings,
    ranges: Ranges,
    lock: Lock,
    /// None where nothing may be changed.
    workplace: Option<Workplace>,
    changes: usize,
    errors: Vec<Diagnostic>,
}

impl Task {
    /// # Errors
    /// Project files that cannot be read. What cannot be brought in line is told, and the exit code is 1.
    pub fn sync(&self, request: &SyncRequest<'_>) -> Result<u8, Vec<Diagnostic>> {
        let one = |d: Diagnostic| vec![d];
        self.greet();
        let root = discover::root(&self.settings).map_err(one)?;
        let root = root.canonicalize().unwrap_or(root);
        let home = Home::find(&self.settings, Some(&root));
        let plugins = Plugins::load(&home.plugin_folders(&self.settings, Some(&root)), &home.cache());
        let input = Arc::new(project::input(&self.settings, &home, &root, &plugins, crate::printer::now()).map_err(one)?);
        let around = surroundings(&input, &YamlStrings::new(input.clone()))?;
        for warning in plugins.warnings.iter().chain(&around.warnings) {
            self.printer.diagnostic(warning);
        }
        let ranges = ranges::read(&around.project).map_err(one)?;
        let lock = Lock::read(&root).map_err(one)?;
        let before = lock.clone();
        let workplace = if request.dry_run { None } else { Some(Workplace::enter(&home.cache()).map_err(one)?) };
        let mut sync = Sync { task: self, request, root, home, input, around, ranges, lock, workplace, changes: 0, errors: Vec::new() };
        let plugins = sync.plugins(plugins);
        sync.libraries(&plugins);
        let engines = sync.engines(&plugins);
        sync.library(&engines);
        sync.drivers(&plugins, &engines);
        let Sync { root, lock, mut changes, errors, .. } = sync;
        if lock != before {
            changes += 1;
            self.say(request, "Writing", "Would write", crate::sync::lock::FILE);
            if !request.dry_run {
                lock.write(&root).map_err(one)?;
            }
        }
        for error in &errors {
            self.printer.diagnostic(error);
        }
        let counted = format!("{changes} change{}", if changes == 1 { "" } else { "s" });
        let last = match (errors.len(), changes, request.dry_run) {
            (0, 0, _) => "Everything is in place; nothing was changed".to_owned(),
            (0, _, true) => format!("{counted} to make; nothing was changed (--dry-run)"),
            (0, _, false) => format!("Done: {counted}"),
            (n, _, _) => format!("{n} thing{} could not be brought in line; {counted} made", if n == 1 { "" } else { "s" }),
        };
        self.printer.line(&last);
        Ok(if errors.is_empty() { OK } else { FAILED })
    }

    fn say(&self, request: &SyncRequest<'_>, doing: &str, would: &str, what: &str) {
        self.printer.line(&format!("{} {what}", if request.dry_run { would } else { doing }));
    }
}

impl Sync<'_> {
    fn changing(&mut self, doing: &str, would: &str, what: &str) {
        self.changes += 1;
        self.task.say(self.request, doing, would, what);
    }

    /// A plugin for each type of target and compute that the profile names; all plugins afterwards.
    fn plugins(&mut self, found: Plugins) -> Plugins {
        let adapters: BTreeSet<String> = self.around.targets.values().map(|t| t.adapter.to_string()).collect();
        let computes: BTreeSet<String> = self.around.computes.values().map(|c| c.kind.clone()).collect();
        let named = self.request.index.clone().or_else(|| self.task.settings.env(index::ENV).map(str::to_owned));
        let index = match named.as_deref().map(Index::read).transpose() {
            Ok(index) => index,
            Err(e) => {
                self.errors.push(e);
                None
            }
        };
        let listed = found.list();
        let mut used: BTreeSet<String> = BTreeSet::new();
        let mut installed = false;
        let all = adapters.iter().map(|k| (PluginKind::Adapter, k)).chain(computes.iter().map(|k| (PluginKind::Compute, k)));
        // Connectors of targets are used where there are any.
        let connectors = adapters.iter().filter(|k| found.connector(k).is_some()).map(|k| (PluginKind::Connector, k));
        for (kind, of) in all.chain(connectors) {
            let have = listed.iter().find(|p| p.manifest.kind == kind && p.manifest.types.iter().any(|t| t == of));
            match self.plugin(kind, of, have, index.as_ref()) {
                Ok(Some(id)) => {
                    installed = true;
                    used.insert(id);
                }
                Ok(None) => used.extend(have.map(|p| p.manifest.id.clone())),
                Err(e) => self.errors.push(e),
            }
        }
        self.lock.plugins.retain(|id, locked| used.contains(id) || locked.from == "file");
        if installed && !self.request.dry_run {
            return Plugins::load(&self.home.plugin_folders(&self.task.settings, Some(&self.root)), &self.home.cache());
        }
        found
    }

    /// The id of a plugin that was installed (or would be); None when the one at hand does.
    fn plugin(&mut self, kind: PluginKind, of: &str, have: Option<&Listed>, index: Option<&Index>) -> Result<Option<String>, Diagnostic> {
        let range = self.ranges.get(of).filter(|_| kind == PluginKind::Adapter).cloned();
        let fits = |version: &str| range.as_ref().is_none_or(|r| r.holds(version));
        let newest = index.and_then(|i| i.newest(kind, of, range.as_ref()));
        if let Some(have) = have.filter(|p| fits(&p.manifest.version)) {
            let newer = newest.filter(|e| self.request.upgrade && e.version != have.manifest.version && e.id == have.manifest.id);
            if newer.is_none() {
                self.record(have)?;
                return Ok(None);
            }
        }
        let Some((index, entry)) = index.zip(newest) else {
            return Err(nowhere(kind, of, have, range.as_ref(), index));
        };
        let (manifest, bytes) = index.take(entry)?;
        let locked = self.lock.plugins.get(&manifest.id);
        if let Some(locked) = locked.filter(|l| l.version == manifest.version && l.sha256 != fetch::sha256(&bytes)) {
            let message = format!("plugin `{}` {} of the index is not the one that the lock file records", manifest.id, locked.version);
            return Err(Diagnostic::error(Code::PluginChanged, message).hint("the same version must have the same content; nothing was installed"));
        }
        self.granted(&manifest)?;
        self.changing("Installing", "Would install", &format!("plugin {} {}", manifest.id, manifest.version));
        if !self.request.dry_run {
            install_plugin(&self.home.writable, &manifest, &bytes)?;
        }
        self.lock.plugins.insert(manifest.id.clone(), LockedPlugin::of(&manifest, &bytes, "index"));
        Ok(Some(manifest.id))
    }

    /// What is there goes into the lock file as it is; what was locked must be the same.
    fn record(&mut self, plugin: &Listed) -> Result<(), Diagnostic> {
        let known = self.lock.plugins.get(&plugin.manifest.id).map(|l| l.from.clone()).filter(|from| from != BUNDLED);
        if known.is_some() {
            return self.lock.check(std::slice::from_ref(plugin));
        }
        let bytes = std::fs::read(&plugin.path).map_err(|e| failed(&format!("{} cannot be read", plugin.path.display()), &e))?;
        let put = [&self.root, &self.home.root, &self.home.writable].iter().any(|f| plugin.path.starts_with(f.join("plugins")));
        let locked = if put {
            // Somebody put it there: from now on it is this file and no other.
            self.granted(&plugin.manifest)?;
            LockedPlugin::of(&plugin.manifest, &bytes, "file")
        } else {
            // Beside the program: it comes and goes with dvt, and so does its content.
            LockedPlugin { sha256: String::new(), ..LockedPlugin::of(&plugin.manifest, &bytes, BUNDLED) }
        };
        self.lock.plugins.insert(plugin.manifest.id.clone(), locked);
        Ok(())
    }

    fn granted(&self, manifest: &PluginManifest) -> Result<(), Diagnostic> {
        let known = self.lock.plugins.get(&manifest.id).map(|l| l.permissions.clone()).unwrap_or_default();
        grant(manifest, &known, self.request.yes, self.request.ask)
    }

    /// Computes whose engine is outside the host, with what their plugin asks for.
    fn engines(&mut self, plugins: &Plugins) -> Vec<(ComputeName, EnginePlan)> {
        let mut out = Vec::new();
        for (name, compute) in &self.around.computes {
            // Without its plugin, which was told above, nothing is known of it.
            let Ok(plugin) = plugins.compute(&compute.kind) else { continue };
            match plugin.plan(&project::engine_config(compute)) {
                Ok(plan) if plan.engine == DRIVEN_ENGINE => out.push((name.clone(), plan)),
                Ok(_) => {}
                Err(e) => self.errors.push(Diagnostic { message: format!("compute `{name}`: {}", e.message), ..e }),
            }
        }
        out
    }

    fn library(&mut self, engines: &[(ComputeName, EnginePlan)]) {
        if let Err(e) = self.library_of(engines) {
            self.errors.push(e);
        }
    }

    fn library_of(&mut self, engines: &[(ComputeName, EnginePlan)]) -> Result<(), Diagnostic> {
        let remote = |plan: &EnginePlan| plan.settings.get("master").is_some_and(|m| m.starts_with("sc://"));
        let needs: Vec<Need> = engines
            .iter()
            .map(|(name, plan)| Need {
                compute: name.to_string(),
                active: *name == self.around.default_compute,
                version: plan.settings.get("version").filter(|v| !v.is_empty()).cloned(),
                remote: remote(plan),
            })
            .collect();
        let wanted = library::wanted(&needs)?;
        if wanted == Wanted::Alone {
            self.task.printer.line(&format!("No compute needs {LIBRARY}; it is left alone"));
            self.lock.libraries.remove(LIBRARY);
            return Ok(());
        }
        let named = self.request.python_env.as_deref();
        let found = environment::find(&self.root, &self.home.writable, &self.task.settings.working_dir, named, self.request.ask)?;
        self.task.printer.line(&format!("Python environment: {}", found.folder.display()));
        if !found.found_alone && !self.request.dry_run {
            place(&self.home.writable.join(cluster::python::NOTED), format!("{}\n", found.folder.display()).as_bytes())?;
        }
        let python = found.python();
        let before = library::installed(&python)?;
        let shown: Vec<String> = before.iter().map(|(n, v)| format!("{n} {v}")).collect();
        let shown = if shown.is_empty() { "none".to_owned() } else { shown.join(", ") };
        // Any version means the one that was locked, where one was.
        let wanted = match (wanted, self.lock.libraries.get(LIBRARY)) {
            (Wanted::Any, Some(locked)) => Wanted::Exactly(locked.clone()),
            (wanted, _) => wanted,
        };
        if library::in_line(&before, &wanted) {
            self.task.printer.line(&format!("{LIBRARY}: {shown}"));
            let version = before.iter().find(|(n, _)| n == LIBRARY).map(|(_, v)| v.clone()).unwrap_or_default();
            self.lock.libraries.insert(LIBRARY.to_owned(), version);
            return Ok(());
        }
        let asked = if let Wanted::Exactly(version) = &wanted { version.clone() } else { "the newest version".to_owned() };
        self.changing("Installing", "Would install", &format!("{LIBRARY} {asked} (installed: {shown}); this can take minutes"));
        if self.request.dry_run {
            if let Wanted::Exactly(version) = wanted {
                self.lock.libraries.insert(LIBRARY.to_owned(), version);
            }
            return Ok(());
        }
        let Some(workplace) = &self.workplace else { return Ok(()) };
        let version = library::change(&python, &before, &wanted, needs.iter().any(|n| n.remote), workplace.folder())?;
        self.task.printer.line(&format!("Installed {LIBRARY} {version}"));
        self.lock.libraries.insert(LIBRARY.to_owned(), version);
        Ok(())
    }

    /// The shared library of every target whose adapter speaks through one.
    fn libraries(&mut self, plugins: &Plugins) {
        let mut wanted: BTreeMap<String, DriverSheet> = BTreeMap::new();
        let secrets = self.secrets();
        for (name, target) in &self.around.targets {
            let Ok(adapter) = plugins.adapter(&target.adapter) else { continue };
            let keys = secrets.get(name).cloned().unwrap_or_default();
            // A profile that lacks something is told when it is used.
            let other = adapter.connect(&serde_json::Value::Object(target.keys.clone()), &keys).is_ok_and(|plan| plan.driver != LIBRARY_DRIVER);
            if other {
                continue;
            }
            match DriverSheet::of(adapter.as_ref()) {
                // Two plugins of one library get the version that both take.
                Ok(Some(sheet)) => match wanted.get_mut(&sheet.package) {
                    Some(known) if known.versions != sheet.versions => known.versions = format!("{},{}", known.versions, sheet.versions),
                    Some(_) => {}
                    None => _ = wanted.insert(sheet.package.clone(), sheet),
                },
                Ok(None) => {}
                Err(e) => self.errors.push(Diagnostic { message: format!("target `{name}`: {}", e.message), ..e }),
            }
        }
        self.lock.native.retain(|package, _| wanted.contains_key(package));
        for sheet in wanted.values() {
            if let Err(e) = self.shared_library(sheet) {
                self.errors.push(e);
            }
        }
    }

    fn shared_library(&mut self, sheet: &DriverSheet) -> Result<(), Diagnostic> {
        let range = ranges::of_text(&sheet.versions).ok_or_else(|| crate::native::wrong_range(sheet))?;
        let package = &sheet.package;
        // What another machine was brought in line with counts here too.
        let locked = self.lock.native.get(package).map(|l| l.version.clone()).filter(|v| range.holds(v));
        let folders = crate::native::folders(&self.home);
        let found = match &locked {
            Some(version) => folders.iter().map(|f| crate::native::file(f, sheet, version)).find(|p| p.is_file()).map(|path| (version.clone(), path)),
            None => crate::native::newest(&folders, sheet)?,
        };
        let (version, bytes) = match (found, &self.workplace) {
            (Some((version, path)), _) => {
                if locked.is_some() {
                    self.lock.check_native(package, &path)?;
                }
                (version, std::fs::read(&path).map_err(|e| failed(&format!("{} cannot be read", path.display()), &e))?)
            }
            (None, None) => {
                self.changing("Fetching", "Would fetch", &format!("driver {package} {}", locked.as_deref().unwrap_or(&sheet.versions)));
                return Ok(());
            }
            (None, Some(workplace)) => {
                let settings = &self.task.settings;
                let python = native::python(&self.root, &self.home.writable, &settings.working_dir, self.request.python_env.as_deref(), settings.env("PATH"))?;
                let fetched = native::fetch(sheet, locked.as_deref(), &python, workplace.folder())?;
                let known = self.lock.native.get(package).filter(|l| l.version == fetched.version).and_then(|l| l.sha256.get(&machine()));
                if let Some(known) = known.filter(|k| **k != fetch::sha256(&fetched.bytes)) {
                    let message = format!("the driver {package} {} of the index is not the one that the lock file records (sha256 {known})", fetched.version);
                    return Err(Diagnostic::error(Code::SyncFailed, message).hint("the same version must have the same content; nothing was installed"));
                }
                self.changing("Installing", "Would install", &format!("driver {package} {}", fetched.version));
                place(&crate::native::file(&folders[0], sheet, &fetched.version), &fetched.bytes)?;
                (fetched.version, fetched.bytes)
            }
        };
        let entry = self.lock.native.entry(package.clone()).or_default();
        if entry.version != version {
            entry.sha256.clear();
        }
        entry.version = version;
        entry.sha256.insert(machine(), fetch::sha256(&bytes));
        Ok(())
    }

    /// The keys of each target that have a secret value.
    fn secrets(&self) -> BTreeMap<TargetName, Vec<String>> {
        let outputs = dvt_project::profile::outputs(&self.input, &self.around.profile_name, &YamlStrings::new(self.input.clone())).unwrap_or_default();
        outputs.into_iter().map(|o| (o.target.name, o.secrets.into_keys().collect())).collect()
    }

    /// A driver for every target that a connector reaches, where some compute runs outside the host.
    fn drivers(&mut self, plugins: &Plugins, engines: &[(ComputeName, EnginePlan)]) {
        let setting = |key: &str| engines.iter().find_map(|(_, plan)| plan.settings.get(key).filter(|v| !v.is_empty()).cloned());
        let mirror = setting("maven_mirror").or_else(|| self.task.settings.env(drivers::ENV_MIRROR).map(str::to_owned));
        let named: Vec<String> = engines.iter().filter_map(|(_, p)| p.settings.get("jars")).flat_map(|j| j.lines().map(str::to_owned)).collect();
        let secrets = self.secrets();
        let mut wanted = BTreeMap::new();
        if !engines.is_empty() {
            for (name, target) in &self.around.targets {
                let Some(Ok(connector)) = plugins.connector(target.adapter.as_str()) else { continue };
                let secret = secrets.get(name).cloned().unwrap_or_default();
                match connector.options(&serde_json::Value::Object(target.keys.clone()), &secret) {
                    Ok(options) => wanted.extend(options.artifacts.into_iter().map(|a| (a.coordinates.clone(), a))),
                    Err(e) => self.errors.push(Diagnostic { message: format!("target `{name}`: {}", e.message), ..e }),
                }
            }
        }
        self.lock.drivers.retain(|coordinates, _| wanted.contains_key(coordinates));
        let places = jars::places_of(&self.root, &self.home, &self.task.settings, &named);
        for (coordinates, artifact) in &wanted {
            if let Err(e) = self.driver(coordinates, artifact, mirror.as_deref(), &places) {
                self.errors.push(e);
            }
        }
    }

    fn driver(&mut self, coordinates: &str, artifact: &dvt_plugin_host::Artifact, mirror: Option<&str>, places: &[PathBuf]) -> Result<(), Diagnostic> {
        let found = match (jars::find(artifact, places), &self.workplace) {
            (Some(path), _) => path,
            (None, None) => {
                self.changing("Fetching", "Would fetch", &format!("driver {coordinates}"));
                return Ok(());
            }
            (None, Some(workplace)) => {
                let driver = drivers::fetch(artifact, mirror, workplace.folder())?;
                self.changing("Installing", "Would install", &format!("driver {} (from {})", driver.name, driver.from));
                drivers::install(&driver, &self.home.writable.join("jars"))?
            }
        };
        let bytes = std::fs::read(&found).map_err(|e| failed(&format!("{} cannot be read", found.display()), &e))?;
        let file = found.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let now = LockedDriver { file, sha256: fetch::sha256(&bytes) };
        self.lock.check_driver(coordinates, &found)?;
        self.lock.drivers.insert(coordinates.to_owned(), now);
        Ok(())
    }
}

/// No plugin at hand and none in the index.
fn nowhere(kind: PluginKind, of: &str, have: Option<&Listed>, range: Option<&Range>, index: Option<&Index>) -> Diagnostic {
    let word = match kind {
        PluginKind::Adapter => "adapter",
        PluginKind::Compute => "compute",
        PluginKind::Connector => "connector",
    };
    let asked = range.map(|r| format!(" within {}", r.shown)).unwrap_or_default();
    let known = index.map(|i| i.versions(kind, of).join(", ")).filter(|v| !v.is_empty());
    let told = match (have, index, known) {
        (_, _, Some(versions)) => format!("the index has {versions}"),
        (_, Some(_), None) => "the index has none".to_owned(),
        (Some(have), None, None) => format!("version {} is installed", have.manifest.version),
        (None, None, None) => "none is installed".to_owned(),
    };
    let error = failed(&format!("there is no plugin for the {word} type `{of}`{asked}"), &told);
    match (range, have) {
        (Some(_), Some(_)) => error.hint("change require-adapters, or name an index with --plugin-index that has a version in range"),
        _ => error.hint("name an index of plugins with --plugin-index FOLDER-OR-URL, or add a file with `dvt plugin add`"),
    }
}

/// # Errors
/// Permissions beyond those known that nobody grants.
pub(super) fn grant(manifest: &PluginManifest, known: &[String], yes: bool, ask: &dyn Fn(&str) -> Option<String>) -> Result<(), Diagnostic> {
    let more: Vec<&str> = manifest.permissions.iter().filter(|p| !known.contains(p)).map(String::as_str).collect();
    if more.is_empty() || yes {
        return Ok(());
    }
    let question = format!("Plugin {} {} asks for {}. Grant it? [y/N] ", manifest.id, manifest.version, more.join(", "));
    if ask(&question).is_some_and(|a| matches!(a.trim().to_lowercase().as_str(), "y" | "yes")) {
        return Ok(());
    }
    Err(Diagnostic::error(Code::PluginNotGranted, format!("plugin `{}` asks for {}, which nobody granted", manifest.id, more.join(", ")))
        .hint("look at it with `dvt plugin inspect`, then grant it with --yes"))
}

/// Puts a plugin into DVT home; an older file of the same plugin goes.
pub(super) fn install_plugin(home: &Path, manifest: &PluginManifest, bytes: &[u8]) -> Result<PathBuf, Diagnostic> {
    let folder = home.join("plugins");
    let path = folder.join(format!("{}-{}.wasm", manifest.id, manifest.version));
    place(&path, bytes)?;
    for old in std::fs::read_dir(&folder).into_iter().flatten().filter_map(|e| Some(e.ok()?.path())) {
        let same = old != path && old.extension().is_some_and(|e| e == "wasm");
        let is = |bytes: Vec<u8>| dvt_plugin_host::manifest_of(&old, &bytes).is_ok_and(|m| m.id == manifest.id);
        if same && std::fs::read(&old).is_ok_and(is) {
            std::fs::remove_file(&old).map_err(|e| failed(&format!("{} cannot be removed", old.display()), &e))?;
        }
    }
    Ok(path)
}
