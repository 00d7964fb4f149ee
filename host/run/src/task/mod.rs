//! One file per task. Each returns dbt's exit code: 0 done, 1 a node failed, 2 the command could not run.

pub mod clean;
pub mod clone;
pub mod compile;
pub mod debug;
mod defer;
pub mod deps;
pub mod docs;
pub mod explain;
pub mod freshness;
pub mod init;
mod lines;
pub mod list;
pub mod operation;
pub mod plugin_add;
pub mod plugin_new;
pub mod plugin_test;
pub mod plugins;
pub mod retry;
pub mod run;
mod serve;
pub mod show;
pub mod sync;

use crate::artifacts::Artifacts;
use crate::database::Databases;
use crate::log::{Event, Level, named};
use crate::printer::{Printer, iso, now};
use crate::project::Project;
use crate::settings::Settings;
use dvt_diagnostic::{Code, Diagnostic, Severity};
use dvt_federation::Cancellation;
use dvt_mdm::Spool;
use dvt_project::warnings::Fate;
use dvt_project::{ResourceType, UniqueId};
use serde_json::json;
use std::collections::BTreeSet;
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

/// A project whose selection is known and whose databases can be asked.
pub struct Prepared {
    pub project: Arc<Project>,
    pub databases: Arc<Databases>,
    pub chosen: BTreeSet<UniqueId>,
}

impl Task {
    /// Loads the project and shows its warnings.
    pub fn project(&self) -> Result<Arc<Project>, Vec<Diagnostic>> {
        self.loaded().map(Arc::new)
    }

    fn loaded(&self) -> Result<Project, Vec<Diagnostic>> {
        self.greet();
        let project = Project::load(self.settings.clone())?;
        let settled = self.printer.warnings().settle(project.warnings.iter().map(named).collect(), self.settings.on("show_all_deprecations"));
        for warning in &settled.shown {
            self.printer.diagnostic(warning);
        }
        if !settled.errors.is_empty() {
            return Err(settled.errors);
        }
        if let Some(summary) = settled.summary {
            self.printer.event(Event::new("D018", "DeprecationsSummary", Level::Warn, summary.clone(), json!({"msg": summary})));
        }
        let found = found(&project);
        self.printer.event(Event::new("W006", "FoundStats", Level::Info, format!("Found {found}"), json!({"stat_line": found})));
        Ok(project)
    }

    /// The first line of every command.
    fn greet(&self) {
        let data = json!({"version": format!("={}", dvt_project::artifacts::DBT_VERSION), "log_version": 3, "dvt_version": env!("CARGO_PKG_VERSION")});
        self.printer.event(Event::new("A001", "MainReportVersion", Level::Info, format!("Running with dvt={}", env!("CARGO_PKG_VERSION")), data));
        let args = self.settings.arguments();
        self.printer.event(Event::debug("A002", "MainReportArgs", format!("running dvt with arguments {}", json!(args)), json!({"args": args})));
    }

    /// Ends the command when a warning counted as an error; it was shown already.
    fn calm(&self) -> Result<(), Vec<Diagnostic>> {
        if self.printer.escalated() { Err(Vec::new()) } else { Ok(()) }
    }

    /// Loads the project, selects, and lets what is not selected be read from another environment (`--defer`).
    pub fn prepared(&self, spooled: bool) -> Result<Prepared, Vec<Diagnostic>> {
        let one = |d: Diagnostic| vec![d];
        let mut project = self.loaded()?;
        let chosen = self.chosen(&project)?;
        let databases = self.databases(&project, spooled).map_err(one)?;
        if self.settings.on("defer") {
            defer::defer(&mut project, &databases, &chosen)?;
        }
        let project = Arc::new(project);
        databases.know(&project);
        project.engine.select(&chosen.iter().cloned().collect::<Vec<_>>());
        Ok(Prepared { project, databases, chosen })
    }

    /// What the selection leaves; what it does not match is warned of.
    pub fn chosen(&self, project: &Project) -> Result<BTreeSet<UniqueId>, Vec<Diagnostic>> {
        let chosen = project.chosen().map_err(|d| vec![d])?;
        for warning in &chosen.warnings {
            self.printer.diagnostic(warning);
        }
        self.calm()?;
        Ok(chosen.ids)
    }

    /// Connections for the project; `spooled` for tasks whose sights of relations are kept.
    pub fn databases(&self, project: &Project, spooled: bool) -> Result<Arc<Databases>, Diagnostic> {
        let spool = if spooled {
            Spool::open(&project.home.data(), project.invocation()).map_err(|e| self.printer.diagnostic(&e.diagnostic())).ok()
        } else {
            None
        };
        let pool = project.pool(self.cancel.clone(), self.printer.clone())?;
        Ok(Arc::new(Databases::new(pool, self.cancel.clone(), self.printer.clone(), &project.manifest.profile_name, self.settings.on("print"), spool)))
    }

    /// Shows what went wrong and closes the log; the exit code.
    pub fn ended(&self, outcome: Result<u8, Vec<Diagnostic>>) -> u8 {
        let code = match outcome {
            Ok(code) => code,
            Err(errors) => {
                for error in &errors {
                    self.printer.diagnostic(error);
                }
                UNUSABLE
            }
        };
        let success = code == OK;
        let word = if success { "succeeded" } else { "failed" };
        let line = &self.settings.line;
        let data = json!({"command": line, "success": success, "completed_at": iso(now())});
        self.printer.event(Event::debug("Q039", "CommandCompleted", format!("Command `{line}` {word}"), data));
        code
    }

    /// `parse`: the manifest, without a connection.
    pub fn parse(&self) -> Result<u8, Vec<Diagnostic>> {
        let project = self.project()?;
        let artifacts = Artifacts::new(project.clone());
        artifacts.manifest(&std::collections::BTreeMap::new()).map_err(|d| vec![d])?;
        self.printer.line(&format!("Wrote {}", artifacts.folder().join("manifest.json").display()));
        Ok(if project.warnings.iter().any(|w| w.severity == Severity::Error) { FAILED } else { OK })
    }

    /// The warning of a command without work.
    fn nothing_to_do(&self) {
        let text = "Nothing to do. Try checking your model configs and model specification args";
        self.warn("Q035", "NothingToDo", text);
    }

    /// A warning with a name of dbt's; as an error where it counts so.
    fn warn(&self, code: &'static str, name: &str, text: &str) {
        match self.printer.fate(name) {
            Fate::Silent => {}
            Fate::Error => self.printer.diagnostic(&Diagnostic::warning(Code::NothingSelected, text).event(name)),
            Fate::Shown => self.printer.event(Event::new(code, name, Level::Warn, format!("Warning {}: {text}", Code::NothingSelected), json!({}))),
        }
    }
}

/// `3 models, 2 seeds, 5 data tests, 4 sources, 120 macros`
fn found(project: &Project) -> String {
    let m = &project.manifest;
    let mut counts: Vec<(usize, &str)> = Vec::new();
    let count = |kind: ResourceType| m.nodes.values().filter(|n| n.resource_type == kind).count();
    for (kind, what) in [
        (ResourceType::Model, "model"),
        (ResourceType::Snapshot, "snapshot"),
        (ResourceType::Analysis, "analysis"),
        (ResourceType::Test, "data test"),
        (ResourceType::Seed, "seed"),
    ] {
        counts.push((count(kind), what));
    }
    counts.push((m.on_run_start.len() + m.on_run_end.len(), "operation"));
    let mut others: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for resource in dvt_project::select::resources(m) {
        if !m.nodes.contains_key(resource.id) {
            *others.entry(resource.kind).or_default() += 1;
        }
    }
    for kind in ["source", "exposure", "metric"] {
        counts.push((others.remove(kind).unwrap_or_default(), kind));
    }
    counts.push((m.macros.len(), "macro"));
    let rest: Vec<(usize, String)> = others.into_iter().map(|(kind, n)| (n, kind.replace('_', " "))).collect();
    counts.extend(rest.iter().map(|(n, kind)| (*n, kind.as_str())));
    let list: Vec<String> = counts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| match (*n, *what) {
            (1, what) => format!("1 {what}"),
            (n, "analysis") => format!("{n} analyses"),
            (n, "saved query") => format!("{n} saved queries"),
            (n, what) => format!("{n} {what}s"),
        })
        .collect();
    if list.is_empty() { "nothing".to_owned() } else { list.join(", ") }
}

/// The warning of an empty selection.
fn nothing_selected() -> Diagnostic {
    Diagnostic::warning(Code::NothingSelected, "the selection criterion matches no node").hint("`dvt ls` shows what can be selected")
}
