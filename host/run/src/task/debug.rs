//! `debug`: where everything is, and whether it works. One section or all of them.

use super::{FAILED, OK, Task};
use crate::discover;
use crate::home::Home;
use crate::printer::now;
use crate::project::Project;
use dvt_federation::Outer as _;
use dvt_diagnostic::{Code, Diagnostic, render_text};
use dvt_engine::{Compute, Connection};
use dvt_project::{ComputeName, ResourceType, TargetName};
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

/// What to show; nothing asked for means everything.
#[derive(Debug, Clone, Default)]
pub struct Sections {
    pub config: bool,
    /// Only where profiles.yml is looked for.
    pub config_dir: bool,
    pub targets: bool,
    pub computes: bool,
    pub manifest: bool,
    pub connection: Option<String>,
}

impl Sections {
    fn all(&self) -> bool {
        !(self.config || self.targets || self.computes || self.manifest || self.connection.is_some())
    }
}

struct Report<'a> {
    out: &'a mut dyn Write,
    failures: Vec<String>,
}

impl Report<'_> {
    fn line(&mut self, text: &str) {
        // A reader that went away wants no more.
        let _ = writeln!(self.out, "{text}");
    }
    fn pair(&mut self, key: &str, value: &str) {
        self.line(&format!("  {key}: {value}"));
    }
    fn fail(&mut self, error: &Diagnostic) {
        self.failures.push(error.message.clone());
        for line in render_text(error).trim_end().lines() {
            self.line(&format!("  {line}"));
        }
    }
}

impl Task {
    /// Exit code 1 when any check failed.
    pub fn debug(&self, sections: &Sections, out: &mut dyn Write) -> u8 {
        let mut report = Report { out, failures: Vec::new() };
        let since = Instant::now();
        let root = discover::root(&self.settings);
        if sections.config_dir {
            let home = Home::find(&self.settings, root.as_ref().ok().map(std::path::PathBuf::as_path));
            report.line(&format!("To view your profiles.yml file, run:\n\nopen {}", home.profiles.parent().unwrap_or(&home.root).display()));
            return OK;
        }
        let home = Home::find(&self.settings, root.as_ref().ok().map(std::path::PathBuf::as_path));
        let project = match &root {
            Ok(_) => Project::load(self.settings.clone()).map(Arc::new),
            Err(error) => Err(vec![error.clone()]),
        };
        let took = since.elapsed().as_secs_f64();
        if sections.all() || sections.config {
            self.config(&mut report, root.as_ref().ok().map(std::path::PathBuf::as_path), &home, project.as_deref().ok());
        }
        match &project {
            Ok(project) => {
                if sections.all() || sections.targets {
                    self.targets(&mut report, project);
                }
                if sections.all() || sections.computes {
                    self.computes(&mut report, project);
                }
                if sections.all() || sections.manifest {
                    manifest(&mut report, project, took);
                }
                if let Some(target) = &sections.connection {
                    let name = if target.is_empty() { project.manifest.default_target.clone() } else { TargetName::from(target.as_str()) };
                    report.line(&format!("Connection {name}"));
                    self.connection(&mut report, project, &name);
                }
            }
            Err(errors) => {
                report.line("Project");
                for error in errors {
                    report.fail(error);
                }
            }
        }
        if report.failures.is_empty() {
            report.line("All checks passed");
            return OK;
        }
        let n = report.failures.len();
        report.line(&format!("{n} check{} failed", if n == 1 { "" } else { "s" }));
        FAILED
    }

    fn config(&self, report: &mut Report<'_>, root: Option<&std::path::Path>, home: &Home, project: Option<&Project>) {
        report.line("Configuration");
        report.pair("dvt version", env!("CARGO_PKG_VERSION"));
        let state = |p: &std::path::Path| if p.is_file() { p.display().to_string() } else { format!("{} (does not exist)", p.display()) };
        if let Some(root) = root {
            let file = discover::PROJECT_FILES.iter().map(|f| root.join(f)).find(|f| f.is_file());
            report.pair("project file", &file.map_or_else(String::new, |f| f.display().to_string()));
        }
        if let Some(project) = project {
            report.pair("project", &project.manifest.project_name);
            report.pair("profile", &project.manifest.profile_name);
            report.pair("target", project.manifest.default_target.as_str());
        }
        report.pair("DVT home", &home.root.display().to_string());
        report.pair("profiles.yml", &state(&home.profiles));
        report.pair("computes.yml", &state(&home.computes));
        report.pair("metadata (MDM)", &state(&home.mdm().path()));
        if home.mdm().path().is_file() {
            match home.mdm().summary() {
                Ok(s) => {
                    report.pair("metadata holds", &format!("{} runs, {} relations, {} syntax rules", s.runs, s.relations, s.rules));
                    for rule in s.overrides {
                        report.pair("override", &rule);
                    }
                }
                Err(busy) => report.pair("metadata holds", &busy.to_string()),
            }
        }
        for note in &home.notes {
            report.pair("note", &note.message);
        }
    }

    fn targets(&self, report: &mut Report<'_>, project: &Arc<Project>) {
        report.line("Targets");
        let names: Vec<TargetName> = project.manifest.targets.keys().cloned().collect();
        for name in names {
            self.connection(report, project, &name);
        }
    }

    /// Opens a session and asks the server's version.
    fn connection(&self, report: &mut Report<'_>, project: &Arc<Project>, name: &TargetName) {
        let Some(target) = project.manifest.targets.get(name) else {
            report.fail(&dvt_project::paths::unknown_target(&project.manifest, name));
            return;
        };
        let default = if *name == project.manifest.default_target { ", default" } else { "" };
        let since = now();
        let outcome = project.plugins.adapter(&target.adapter).and_then(|_| self.databases(project, false)).and_then(|databases| {
            let mut session = databases.pool.take(name)?;
            session.server_version().map_err(|e| Diagnostic::error(Code::ConnectionFailed, format!("target `{name}`: {}", e.message)))
        });
        let took = now().duration_since(since).unwrap_or_default().as_millis();
        match outcome {
            Ok(version) => report.pair(name.as_str(), &format!("{}{default}: OK, version {version}, {took} ms", target.adapter)),
            Err(error) => {
                report.pair(name.as_str(), &format!("{}{default}: ERROR", target.adapter));
                report.fail(&error);
            }
        }
    }
}

impl Task {
    /// Starts the active compute; of the others it says whether they could start, which is no failure: an environment holds
    /// one library, and not every compute is meant for this machine.
    fn computes(&self, report: &mut Report<'_>, project: &Arc<Project>) {
        report.line("Computes");
        for (name, compute) in &project.manifest.computes {
            let active = *name == project.manifest.default_compute;
            let version = compute.version.as_ref().map(|v| format!(" {v}")).unwrap_or_default();
            let shown = format!("{}{version}{}", compute.kind, if active { ", active" } else { "" });
            match self.outer(project, name, active) {
                Ok(Some((words, targets))) => {
                    report.pair(name.as_str(), &format!("{shown}: {words}"));
                    for (target, how) in targets {
                        report.pair(&format!("  {target}"), &how);
                    }
                }
                Ok(None) if active => match inner(project, name) {
                    Ok(()) => report.pair(name.as_str(), &format!("{shown}: starts")),
                    Err(error) => {
                        report.pair(name.as_str(), &format!("{shown}: ERROR"));
                        report.fail(&error);
                    }
                },
                Ok(None) => report.pair(name.as_str(), &shown),
                Err(error) if active => {
                    report.pair(name.as_str(), &format!("{shown}: ERROR"));
                    report.fail(&error);
                }
                Err(error) => {
                    let hint = error.hint.map(|h| format!(" ({h})")).unwrap_or_default();
                    report.pair(name.as_str(), &format!("{shown}: would not start: {}{hint}", error.message));
                }
            }
        }
    }

    /// A compute outside the host: what it is and how rows of each target pass; None of one inside. It is started when `start`.
    fn outer(&self, project: &Arc<Project>, name: &ComputeName, start: bool) -> Result<Option<(String, Vec<(TargetName, String)>)>, Diagnostic> {
        // What can be told at once is told before a session that takes seconds to fail.
        let Some(words) = crate::cluster::checked(project, name)? else { return Ok(None) };
        let databases = self.databases(project, false)?;
        let Some(engine) = crate::cluster::engine(project, &databases, name, "debug")? else { return Ok(None) };
        if !start {
            return Ok(Some((words, engine.passes())));
        }
        let since = now();
        let session = engine.session()?;
        let took = now().duration_since(since).unwrap_or_default().as_secs_f64();
        Ok(Some((format!("starts, {} in {took:.1} s; {words}", session.version()), engine.passes())))
    }
}

/// Starts a compute inside the host.
fn inner(project: &Project, name: &ComputeName) -> Result<(), Diagnostic> {
    let settings = project.compute_settings(name)?;
    Compute::open(&settings).map(|_| ()).map_err(|e| Diagnostic::error(Code::ComputeFailed, format!("compute `{name}`: {}", e.message)))
}

fn manifest(report: &mut Report<'_>, project: &Project, took: f64) {
    let m = &project.manifest;
    let count = |kind: ResourceType| m.nodes.values().filter(|n| n.resource_type == kind).count().to_string();
    report.line("Manifest");
    report.pair("models", &count(ResourceType::Model));
    report.pair("seeds", &count(ResourceType::Seed));
    report.pair("tests", &count(ResourceType::Test));
    report.pair("sources", &m.sources.len().to_string());
    report.pair("macros", &m.macros.len().to_string());
    report.pair("parsed in", &format!("{took:.2} s"));
    for warning in &project.warnings {
        report.pair("warning", &warning.message);
    }
}
