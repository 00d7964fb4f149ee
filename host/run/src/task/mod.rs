//! One file per task. Each returns dbt's exit code: 0 done, 1 a node failed, 2 the command could not run.

pub mod clean;
pub mod compile;
pub mod debug;
pub mod explain;
pub mod init;
pub mod list;
pub mod plugin_new;
pub mod plugin_test;
pub mod plugins;
pub mod run;
pub mod show;

use crate::artifacts::Artifacts;
use crate::database::Databases;
use crate::printer::Printer;
use crate::project::Project;
use crate::settings::Settings;
use dvt_diagnostic::{Code, Diagnostic, Severity};
use dvt_federation::Cancellation;
use dvt_mdm::Spool;
use dvt_project::ResourceType;
use std::sync::Arc;

/// What a task works with.
pub struct Task {
    pub settings: Settings,
    pub printer: Arc<Printer>,
    pub cancel: Arc<Cancellation>,
}

/// Exit codes (SPEC K6).
pub const OK: u8 = 0;
pub const FAILED: u8 = 1;
pub const UNUSABLE: u8 = 2;

impl Task {
    /// Loads the project and shows its warnings.
    pub fn project(&self) -> Result<Arc<Project>, Vec<Diagnostic>> {
        self.printer.line(&format!("Running with dvt={}", env!("CARGO_PKG_VERSION")));
        let project = Project::load(self.settings.clone())?;
        for warning in &project.warnings {
            self.printer.diagnostic(warning);
        }
        self.printer.line(&found(&project));
        Ok(Arc::new(project))
    }

    /// Connections for the project; `spooled` for tasks whose sights of relations are kept.
    pub fn databases(&self, project: &Project, spooled: bool) -> Result<Arc<Databases>, Diagnostic> {
        let spool = if spooled {
            Spool::open(&project.home.data(), project.invocation()).map_err(|e| self.printer.diagnostic(&e.diagnostic())).ok()
        } else {
            None
        };
        let pool = project.pool(self.cancel.clone(), self.printer.clone())?;
        Ok(Arc::new(Databases::new(pool, self.cancel.clone(), self.printer.clone(), project.log_file(), &project.manifest.profile_name, spool)))
    }

    /// Shows what went wrong; the exit code of a command that could not run.
    pub fn unusable(&self, errors: &[Diagnostic]) -> u8 {
        for error in errors {
            self.printer.diagnostic(error);
        }
        UNUSABLE
    }

    /// `parse`: the manifest, without a connection.
    pub fn parse(&self) -> Result<u8, Vec<Diagnostic>> {
        let project = self.project()?;
        let artifacts = Artifacts::new(project.clone());
        artifacts.manifest(&std::collections::BTreeMap::new()).map_err(|d| vec![d])?;
        self.printer.line(&format!("Wrote {}", artifacts.folder().join("manifest.json").display()));
        Ok(if project.warnings.iter().any(|w| w.severity == Severity::Error) { FAILED } else { OK })
    }
}

/// `Found 3 models, 2 seeds, 5 data tests, 4 sources, 120 macros`
fn found(project: &Project) -> String {
    let m = &project.manifest;
    let count = |kind: ResourceType| m.nodes.values().filter(|n| n.resource_type == kind).count();
    let parts = [
        (count(ResourceType::Model), "model"),
        (count(ResourceType::Seed), "seed"),
        (count(ResourceType::Snapshot), "snapshot"),
        (count(ResourceType::Analysis), "analysis"),
        (count(ResourceType::Test), "data test"),
        (m.sources.len(), "source"),
        (m.exposures.len(), "exposure"),
        (m.macros.len(), "macro"),
    ];
    let list: Vec<String> = parts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| match (*n, *what) {
            (1, what) => format!("1 {what}"),
            (n, "analysis") => format!("{n} analyses"),
            (n, what) => format!("{n} {what}s"),
        })
        .collect();
    format!("Found {}", if list.is_empty() { "nothing".to_owned() } else { list.join(", ") })
}

/// The warning of an empty selection.
fn nothing_selected() -> Diagnostic {
    Diagnostic::warning(Code::NothingSelected, "the selection criterion matches no node").hint("`dvt ls` shows what can be selected")
}
