//! The plugins of this invocation, by the types that targets and computes name.

use dvt_diagnostic::Diagnostic;
use dvt_planner::dialect::Sheets;
use dvt_plugin_host::{Adapter, ComputePlugin, Connector, Listed, PluginKind, Registry};
use dvt_project::AdapterType;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub struct Plugins {
    registry: Registry,
    sheets: Sheets,
    pub warnings: Vec<Diagnostic>,
}

impl Plugins {
    /// Reads every plugin in `folders`; compiled code is kept in `cache`.
    pub fn load(folders: &[PathBuf], cache: &Path) -> Self {
        let (registry, mut warnings) = Registry::load(folders, Some(cache));
        let (sheets, unreadable) = registry.sheets();
        warnings.extend(unreadable);
        Self { registry, sheets, warnings }
    }

    /// As `load`, with one file before all others.
    ///
    /// # Errors
    /// When that file is no plugin.
    pub fn with_file(file: &Path, folders: &[PathBuf], cache: &Path) -> Result<(Self, Listed), Diagnostic> {
        let (registry, listed) = Registry::with_file(file, folders, Some(cache))?;
        let (sheets, warnings) = registry.sheets();
        Ok((Self { registry, sheets, warnings }, listed))
    }

    pub fn adapter(&self, kind: &AdapterType) -> Result<Arc<dyn Adapter>, Diagnostic> {
        self.registry.adapter(kind.as_str())
    }

    /// Every adapter that can be loaded, by type.
    pub fn adapters(&self) -> Vec<(AdapterType, Arc<dyn Adapter>)> {
        let found = self.registry.list().into_iter().filter(|l| l.manifest.kind == PluginKind::Adapter);
        let types = found.flat_map(|l| l.manifest.types);
        types.filter_map(|t| Some((AdapterType::new(t.clone()), self.registry.adapter(&t).ok()?))).collect()
    }

    pub fn compute(&self, kind: &str) -> Result<Arc<dyn ComputePlugin>, Diagnostic> {
        self.registry.compute(kind)
    }

    /// The connector for a target's type; None where no plugin is one.
    pub fn connector(&self, kind: &str) -> Option<Result<Arc<dyn Connector>, Diagnostic>> {
        self.registry.connector(kind)
    }

    /// The type of the compute that exists without computes.yml.
    pub fn implicit_compute(&self) -> Option<String> {
        self.registry.implicit_compute()
    }

    pub fn list(&self) -> Vec<Listed> {
        self.registry.list()
    }

    pub fn sheets(&self) -> &Sheets {
        &self.sheets
    }

    /// Adapter type and text of its sheet.
    pub fn rule_texts(&self) -> Vec<(String, String)> {
        self.adapters().into_iter().map(|(kind, adapter)| (kind.to_string(), adapter.sheet_text().to_owned())).collect()
    }
}
