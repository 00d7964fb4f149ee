//! All plugins of a run, found in folders, by the types they handle.

use crate::cache;
use crate::component::{ComponentAdapter, ComponentCompute};
use crate::extism_module::ExtismAdapter;
use crate::manifest::{self, Encoding, PluginKind, PluginManifest};
use crate::runtime::{Limits, Runtime};
use crate::connector::{ComponentConnector, Connector};
use crate::{Adapter, ComputePlugin};
use dvt_diagnostic::{Code, Diagnostic};
use dvt_planner::dialect::Sheets;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A plugin file whose manifest was read; its code runs when it is first needed.
struct Found {
    path: PathBuf,
    manifest: PluginManifest,
    encoding: Encoding,
    bytes: Vec<u8>,
}

/// What `dvt plugin list` shows.
#[derive(Debug, Clone)]
pub struct Listed {
    pub manifest: PluginManifest,
    pub encoding: Encoding,
    pub path: PathBuf,
}

#[derive(Default)]
pub struct Registry {
    found: Vec<Found>,
    cache: Option<PathBuf>,
    limits: Limits,
    /// Components that were compiled by this registry, not read from the cache.
    compiled: AtomicUsize,
    runtime: OnceLock<Result<Arc<Runtime>, Diagnostic>>,
    adapters: Mutex<BTreeMap<String, Result<Arc<dyn Adapter>, Diagnostic>>>,
    computes: Mutex<BTreeMap<String, Result<Arc<dyn ComputePlugin>, Diagnostic>>>,
    connectors: Mutex<BTreeMap<String, Result<Arc<dyn Connector>, Diagnostic>>>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registry({} plugins)", self.found.len())
    }
}

fn shares_a_type(a: &PluginManifest, b: &PluginManifest) -> bool {
    a.kind == b.kind && a.types.iter().any(|t| b.types.contains(t))
}

/// A plugin that says it is, or does what, another one found before it is or does.
fn passed_over(path: &Path, manifest: &PluginManifest, first: &Found) -> Diagnostic {
    let claim = if first.manifest.id == manifest.id { "has the same id".to_owned() } else { format!("handles the same types as plugin `{}`", first.manifest.id) };
    Diagnostic::warning(Code::PluginInvalid, format!("plugin `{}` of {} is not used: it {claim}, found first at {}", manifest.id, path.display(), first.path.display()))
        .hint("remove one of the two files")
}

impl Registry {
    /// Reads the manifests of all `.wasm` files in `folders`; the first of two with one id wins. Files that are no
    /// plugins come back as warnings.
    pub fn load(folders: &[PathBuf], cache: Option<&Path>) -> (Self, Vec<Diagnostic>) {
        Self::with_limits(folders, cache, Limits::default())
    }

    /// As `load`, with one file before all others: the one that is looked at.
    ///
    /// # Errors
    /// When that file is no plugin.
    pub fn with_file(file: &Path, folders: &[PathBuf], cache: Option<&Path>) -> Result<(Self, Listed), Diagnostic> {
        let bytes = std::fs::read(file).map_err(|e| Diagnostic::error(Code::PluginInvalid, format!("{} cannot be read: {e}", file.display())))?;
        let (manifest, encoding) = manifest::read(file, &bytes)?;
        let (mut registry, _) = Self::load(folders, cache);
        registry.found.retain(|f| f.manifest.id != manifest.id);
        let listed = Listed { manifest: manifest.clone(), encoding, path: file.to_owned() };
        registry.found.insert(0, Found { path: file.to_owned(), manifest, encoding, bytes });
        Ok((registry, listed))
    }

    pub fn with_limits(folders: &[PathBuf], cache: Option<&Path>, limits: Limits) -> (Self, Vec<Diagnostic>) {
        let mut registry = Self { cache: cache.map(Path::to_owned), limits, ..Self::default() };
        let mut warnings = Vec::new();
        for folder in folders {
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            let mut paths: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "wasm")).collect();
            paths.sort();
            for path in paths {
                let read = std::fs::read(&path).map_err(|e| Diagnostic::error(Code::PluginInvalid, format!("{} cannot be read: {e}", path.display())));
                match read.and_then(|bytes| manifest::read(&path, &bytes).map(|(m, e)| (m, e, bytes))) {
                    Ok((manifest, encoding, bytes)) => {
                        if let Some(first) = registry.found.iter().find(|f| f.manifest.id == manifest.id || shares_a_type(&f.manifest, &manifest)) {
                            // The same file seen from two folders is no news.
                            if first.bytes != bytes {
                                warnings.push(passed_over(&path, &manifest, first));
                            }
                        } else {
                            registry.found.push(Found { path, manifest, encoding, bytes });
                        }
                    }
                    Err(e) => warnings.push(Diagnostic { severity: dvt_diagnostic::Severity::Warning, ..e }),
                }
            }
        }
        (registry, warnings)
    }

    pub fn list(&self) -> Vec<Listed> {
        self.found.iter().map(|f| Listed { manifest: f.manifest.clone(), encoding: f.encoding, path: f.path.clone() }).collect()
    }

    /// How many components had to be compiled so far.
    pub fn compiled_count(&self) -> usize {
        self.compiled.load(Ordering::Relaxed)
    }

    fn handler(&self, kind: PluginKind, what: &str, name: &str) -> Result<&Found, Diagnostic> {
        let of_kind = || self.found.iter().filter(move |f| f.manifest.kind == kind);
        of_kind().find(|f| f.manifest.types.iter().any(|t| t == name)).ok_or_else(|| {
            let known: Vec<&str> = of_kind().flat_map(|f| f.manifest.types.iter().map(String::as_str)).collect();
            // A person may take a connector for all that there is to have.
            let connector = kind == PluginKind::Adapter && self.found.iter().any(|f| f.manifest.kind == PluginKind::Connector && f.manifest.types.iter().any(|t| t == name));
            let more = if connector { ": a connector says how an engine outside dvt reaches it, an adapter is needed too" } else { "" };
            let out = Diagnostic::error(Code::PluginNotFound, format!("no plugin handles the {what} type `{name}`{more}"));
            if known.is_empty() {
                out.hint("no plugins were found; they are looked for in DVT home, the project, beside the program and in DVT_PLUGIN_PATH")
            } else {
                out.hint(format!("install one with `dvt plugin add FILE` or `dvt sync --plugin-index PLACE`; known types: {}", known.join(", ")))
            }
        })
    }

    fn runtime(&self) -> Result<Arc<Runtime>, Diagnostic> {
        self.runtime.get_or_init(|| Runtime::new().map(Arc::new)).clone()
    }

    fn compiled(&self, found: &Found, runtime: &Runtime) -> Result<wasmtime::component::Component, Diagnostic> {
        cache::component(&runtime.engine, self.cache.as_deref(), &found.bytes)
            .map(|(component, cached)| {
                self.compiled.fetch_add(usize::from(!cached), Ordering::Relaxed);
                component
            })
            .map_err(|e| Diagnostic::error(Code::PluginInvalid, format!("plugin `{}` is no component this host can load: {e:#}", found.manifest.id)))
    }

    /// The adapter for an output's `type`.
    pub fn adapter(&self, name: &str) -> Result<Arc<dyn Adapter>, Diagnostic> {
        self.adapter_below(name, &[])
    }

    /// `above`: the types whose sheets extend this one's, the nearest last.
    fn adapter_below(&self, name: &str, above: &[&str]) -> Result<Arc<dyn Adapter>, Diagnostic> {
        // Not held while loading: a sheet may extend that of another plugin.
        if let Some(known) = self.adapters.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
            return known.clone();
        }
        let path = [above, &[name]].concat();
        let base = |extended: &str| {
            if path.contains(&extended) {
                return Err(Diagnostic::error(Code::Dialect, format!("the sheets extend each other in a circle: {} → {extended}", path.join(" → "))));
            }
            let found = self.adapter_below(extended, &path).map_err(|e| match e.code {
                Code::PluginNotFound => {
                    let known: Vec<&str> = self.found.iter().filter(|f| f.manifest.kind == PluginKind::Adapter).flat_map(|f| f.manifest.types.iter().map(String::as_str)).collect();
                    Diagnostic::error(Code::Dialect, format!("its sheet extends `{extended}`, which no loaded plugin has")).hint(format!("known types: {}", known.join(", ")))
                }
                _ => e,
            })?;
            Ok(found.sheet_text().to_owned())
        };
        let load = || -> Result<Arc<dyn Adapter>, Diagnostic> {
            let found = self.handler(PluginKind::Adapter, "adapter", name)?;
            if found.encoding == Encoding::Extism {
                return Ok(Arc::new(ExtismAdapter::load(found.manifest.clone(), self.limits, found.bytes.clone(), &base)?));
            }
            let runtime = self.runtime()?;
            let component = self.compiled(found, &runtime)?;
            Ok(Arc::new(ComponentAdapter::load(found.manifest.clone(), runtime, self.limits, &component, &base)?))
        };
        let result = load();
        let mut loaded = self.adapters.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.entry(name.to_owned()).or_insert(result).clone()
    }

    /// The plugin for a compute's `type`.
    pub fn compute(&self, name: &str) -> Result<Arc<dyn ComputePlugin>, Diagnostic> {
        let mut loaded = self.computes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = loaded.get(name) {
            return known.clone();
        }
        let load = || -> Result<Arc<dyn ComputePlugin>, Diagnostic> {
            let found = self.handler(PluginKind::Compute, "compute", name)?;
            if found.encoding == Encoding::Extism {
                return Err(Diagnostic::error(Code::PluginInvalid, format!("plugin `{}` is an Extism module; computes must be components", found.manifest.id)));
            }
            let runtime = self.runtime()?;
            let component = self.compiled(found, &runtime)?;
            Ok(Arc::new(ComponentCompute::load(found.manifest.clone(), runtime, self.limits, &component)?))
        };
        let result = load();
        loaded.insert(name.to_owned(), result.clone());
        result
    }

    /// The connector for an output's `type`; None where no plugin is one.
    pub fn connector(&self, name: &str) -> Option<Result<Arc<dyn Connector>, Diagnostic>> {
        let found = self.handler(PluginKind::Connector, "connector", name).ok()?;
        let mut loaded = self.connectors.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = loaded.get(name) {
            return Some(known.clone());
        }
        let load = || -> Result<Arc<dyn Connector>, Diagnostic> {
            if found.encoding == Encoding::Extism {
                return Err(Diagnostic::error(Code::PluginInvalid, format!("plugin `{}` is an Extism module; connectors must be components", found.manifest.id)));
            }
            let runtime = self.runtime()?;
            let component = self.compiled(found, &runtime)?;
            Ok(Arc::new(ComponentConnector::load(found.manifest.clone(), runtime, self.limits, &component)?))
        };
        let result = load();
        loaded.insert(name.to_owned(), result.clone());
        Some(result)
    }

    /// Sheets of all adapters found, and of computes that bring one; one that cannot be loaded is left out and told.
    pub fn sheets(&self) -> (Sheets, Vec<Diagnostic>) {
        let mut sheets = Sheets::default();
        let mut warnings = Vec::new();
        for found in self.found.iter().filter(|f| f.manifest.kind == PluginKind::Adapter) {
            for kind in &found.manifest.types {
                if let Err(e) = self.adapter(kind).and_then(|a| sheets.add(a.sheet_text())) {
                    warnings.push(Diagnostic { severity: dvt_diagnostic::Severity::Warning, ..e });
                }
            }
        }
        // Behind the adapters', which they may extend.
        for found in self.found.iter().filter(|f| f.manifest.kind == PluginKind::Compute) {
            if let Some(Err(e)) = manifest::sheet(&found.bytes).map(|text| sheets.add(text)) {
                warnings.push(Diagnostic { severity: dvt_diagnostic::Severity::Warning, ..e });
            }
        }
        (sheets, warnings)
    }

    /// The computes' `type` used when computes.yml names none: the first compute whose engine is embedded (SPEC F7).
    pub fn implicit_compute(&self) -> Option<String> {
        let computes = self.found.iter().filter(|f| f.manifest.kind == PluginKind::Compute);
        computes.flat_map(|f| f.manifest.types.iter()).find(|t| self.compute(t).and_then(|c| c.plan(&serde_json::json!({}))).is_ok_and(|p| p.engine == "embedded")).cloned()
    }
}
