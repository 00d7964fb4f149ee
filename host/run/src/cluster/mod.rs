//! Computes whose engine runs outside the host: one session each for the whole run, started when a node first needs it.
//!
//! Not here: the engine's process (`dvt_engine::cluster`), how a plan runs in it (`dvt_federation`), and everything that
//! plugins know.

pub mod jars;
pub mod python;
pub(crate) mod ways;

use crate::database::Databases;
use crate::discover;
use crate::introspect::cell;
use crate::project::Project;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_engine::cluster::{ClusterError, ClusterSession, ClusterSettings, Read, Write};
use dvt_engine::Exchange;
use dvt_federation::{Outer, Sources};
use dvt_planner::ir::RemoteScan;
use dvt_planner::types::CanonicalType;
use dvt_plugin_host::{ComputePlugin, EnginePlan};
use dvt_project::{ComputeName, TargetName};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;
use ways::{Split, Transfer, Ways};

/// The name by which compute plugins ask for an engine behind a driver program.
pub const DRIVEN_ENGINE: &str = "pyspark";

/// Sessions that one run starts of a compute at most: one that keeps ending would be started for every node.
const MOST: u32 = 3;

/// The sessions of a run.
#[derive(Default)]
pub struct Clusters {
    known: Mutex<BTreeMap<ComputeName, Arc<Cluster>>>,
}

/// A compute of the run.
#[derive(Default)]
struct Cluster {
    session: Mutex<(Option<Arc<ClusterSession>>, u32)>,
    ways: OnceLock<Ways>,
}

impl Clusters {
    fn of(&self, compute: &ComputeName) -> Arc<Cluster> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).entry(compute.clone()).or_default().clone()
    }
}

/// The compute's engine for one node; None where the compute runs inside the host.
///
/// # Errors
/// What the compute's plugin does not accept.
pub fn engine<'a>(project: &'a Project, databases: &'a Databases, compute: &'a ComputeName, label: &str) -> Result<Option<Engine<'a>>, Diagnostic> {
    let plan = project.compute_plan(compute)?;
    if plan.engine != DRIVEN_ENGINE {
        return Ok(None);
    }
    let transfer = match plan.settings.get("transfer").map(String::as_str) {
        Some("host") => Transfer::Host,
        Some("drivers") => Transfer::Drivers,
        _ => Transfer::Auto,
    };
    let plugin = project.compute_plugin(compute)?;
    let run: String = project.invocation().chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    Ok(Some(Engine { project, databases, compute, plan, plugin, transfer, cluster: databases.clusters.of(compute), label: format!("dvt-{run}"), node: label.to_owned(), states: Mutex::default() }))
}

/// What can be said of a compute outside the host without starting it; None of one inside.
///
/// # Errors
/// As its session would fail, as far as that can be known.
pub fn checked(project: &Project, compute: &ComputeName) -> Result<Option<String>, Diagnostic> {
    let plan = project.compute_plan(compute)?;
    if plan.engine != DRIVEN_ENGINE {
        return Ok(None);
    }
    let setting = |key: &str| plan.settings.get(key).map(String::as_str).filter(|v| !v.is_empty());
    let python = python::find(project, setting("python"))?;
    let version = python.parent().and_then(std::path::Path::parent).and_then(python::installed);
    let settings = ClusterSettings {
        python: python.clone(),
        java_home: setting("java_home").map(|p| project.root.join(p)),
        master: setting("master").unwrap_or_default().to_owned(),
        version: setting("version").map(str::to_owned),
        ..ClusterSettings::default()
    };
    let failed = |e: ClusterError| {
        let out = Diagnostic::error(Code::EngineInvalid, format!("compute `{compute}`: {}", e.message));
        match e.hint {
            Some(hint) => out.hint(hint),
            None => out,
        }
    };
    if let Some(version) = &version {
        settings.check(version).map_err(failed)?;
    }
    let java = if settings.is_remote() { None } else { dvt_engine::cluster::java(settings.java_home.as_deref()) };
    let java = java.map(|j| format!(", Java {} at {}", j.major, j.path.display())).unwrap_or_default();
    Ok(Some(format!("library {} by {}{java}, master {}", version.as_deref().unwrap_or("of unknown version"), python.display(), settings.master)))
}

/// One node's view of a compute outside the host.
pub struct Engine<'a> {
    project: &'a Project,
    databases: &'a Databases,
    compute: &'a ComputeName,
    plan: EnginePlan,
    plugin: Arc<dyn ComputePlugin>,
    transfer: Transfer,
    cluster: Arc<Cluster>,
    label: String,
    node: String,
    /// Sessions that keep the state which parts of a read see, by scan.
    states: Mutex<BTreeMap<String, State>>,
}

/// A transaction whose state other sessions see. It has read no table, so that nothing waits for it.
struct State {
    session: Box<dyn dvt_engine::Connection>,
    end: String,
}

impl Drop for State {
    fn drop(&mut self) {
        // A session that cannot is not used again.
        let _ = self.session.execute(&self.end);
    }
}

impl Engine<'_> {
    fn setting(&self, key: &str) -> Option<&str> {
        self.plan.settings.get(key).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// For people: how rows of each target pass.
    pub fn passes(&self) -> Vec<(TargetName, String)> {
        if let Some(refused) = self.ways().refused() {
            return vec![(self.project.manifest.default_target.clone(), format!("no driver is used: {}", refused.message))];
        }
        let one = |target: &TargetName| {
            let drivers = |way: &ways::Way| match way.jars.as_slice() {
                [] => "the engine reads and writes it".to_owned(),
                jars => format!("the engine reads and writes it, by {}", jars.iter().map(|j| j.display().to_string()).collect::<Vec<_>>().join(", ")),
            };
            match (self.ways().get(target), self.ways().why_not(target)) {
                (Some(way), _) => drivers(way),
                (None, Some(why)) => {
                    let hint = why.hint.as_ref().map(|h| format!(" ({h})")).unwrap_or_default();
                    format!("rows go through dvt: {}{hint}", why.message)
                }
                (None, None) => "rows go through dvt, as the compute's `transfer` says".to_owned(),
            }
        };
        self.project.manifest.targets.keys().map(|t| (t.clone(), one(t))).collect()
    }

    fn named_jars(&self) -> Vec<String> {
        self.setting("jars").map(|list| list.lines().map(str::to_owned).collect()).unwrap_or_default()
    }

    fn ways(&self) -> &Ways {
        self.cluster.ways.get_or_init(|| Ways::find(self.project, &self.databases.pool, self.transfer, &self.named_jars()))
    }

    fn master(&self) -> &str {
        self.setting("master").unwrap_or("local[*]")
    }

    /// What the session is started with.
    ///
    /// # Errors
    /// No Python that has the library.
    pub fn settings(&self) -> Result<ClusterSettings, Diagnostic> {
        if let Some(refused) = self.ways().refused() {
            return Err(refused.clone());
        }
        let remote = self.master().starts_with("sc://");
        let mut conf: BTreeMap<String, String> = self.ways().settings();
        conf.extend(self.plan.settings.iter().filter_map(|(k, v)| Some((k.strip_prefix("conf.")?.to_owned(), v.clone()))));
        let folder = discover::log_folder(&self.project.settings).unwrap_or_else(|| self.project.root.join("logs"));
        let mut jars = self.ways().jars();
        // Files that a person named go along whatever they are for.
        jars.extend(self.named_jars().iter().map(|j| self.project.root.join(j)).filter(|p| p.is_file() && !jars.contains(p)).collect::<Vec<_>>());
        Ok(ClusterSettings {
            python: python::find(self.project, self.setting("python"))?,
            java_home: self.setting("java_home").map(|p| self.project.root.join(p)),
            master: self.master().to_owned(),
            conf,
            jars,
            programs: self.project.home.cache().join("programs"),
            log: folder.join("spark.log"),
            // A server's version is its own.
            version: self.setting("version").filter(|_| !remote).map(str::to_owned),
        })
    }

    /// A folder of the host is seen by the engine: it runs on this machine, or the person named one that all see.
    fn shares_files(&self) -> bool {
        let host = self.master().split_once("://").map(|(_, rest)| rest.split([':', '/', ';']).next().unwrap_or_default());
        self.setting("exchange").is_some() || host.is_none_or(|h| matches!(h, "127.0.0.1" | "localhost" | "[")) && self.master() != "yarn"
    }

    /// How the engine reaches the target itself; None where rows pass through the host.
    fn way(&self, target: &TargetName) -> Result<Option<&ways::Way>, Diagnostic> {
        let Some(way) = self.ways().get(target) else {
            return self.through_host(target, self.ways().why_not(target).cloned()).map(|()| None);
        };
        // Which version it is, only a session knows.
        let refused = if way.asks_for_a_version() { way.refuses(self.session()?.version()) } else { None };
        match refused {
            None => Ok(Some(way)),
            Some(why) => self.through_host(target, Some(Diagnostic::error(Code::EngineInvalid, format!("target `{target}`: {why}")))).map(|()| None),
        }
    }

    /// Whether rows of the target may pass through the host, or why not.
    fn through_host(&self, target: &TargetName, why: Option<Diagnostic>) -> Result<(), Diagnostic> {
        if self.transfer == Transfer::Drivers || !self.shares_files() {
            return Err(why.unwrap_or_else(|| Diagnostic::error(Code::EngineInvalid, format!("compute `{}` has no way to target `{target}`", self.compute)))
                .hint_if_none("set `exchange` of the compute to a folder that the host and every worker see, and rows go through it"));
        }
        Ok(())
    }

    /// Bounds of a column of whole numbers, by the host's own session.
    fn split(&self, scan: &RemoteScan, way: &ways::Way) -> Option<Split> {
        let parts: u32 = self.setting("partitions")?.parse().ok().filter(|n| *n > 1)?;
        let whole = |c: &dvt_planner::ir::ScanColumn| matches!(c.canonical, CanonicalType::Int(_)) && way.splits(&c.native);
        let column = scan.columns.iter().position(whole).filter(|_| scan.limit.is_none())?;
        let sheet = self.project.sheet_of(&scan.source).ok()?;
        let name = sheet.quote(&scan.columns[column].name);
        let sql = format!("select min({name}) as low, max({name}) as high from ({}\n) dvt_q", scan.sql);
        let rows = self.databases.pool.connect(&scan.source).ok()?.query(&sql, None).ok()?;
        let batch = rows.batches.iter().find(|b| b.num_rows() > 0)?;
        let bound = |i: usize| cell(batch.column(i), 0).and_then(|t| t.parse::<i64>().ok());
        let (low, high) = (bound(0)?, bound(1)?);
        let snapshot = match way.snapshot() {
            Some(words) if high > low => Some(self.state(scan, words)?),
            _ => None,
        };
        (high > low).then_some(Split { column, low, high, parts, snapshot })
    }

    /// Opens a transaction for a scan and names its state. None where the server gives none: the scan is then read in one statement.
    fn state(&self, scan: &RemoteScan, [begin, name, end]: [&str; 3]) -> Option<String> {
        let mut session = self.databases.pool.connect(&scan.source).ok()?;
        session.execute(begin).ok()?;
        let mut state = State { session, end: end.to_owned() };
        let rows = state.session.query(name, None).ok()?;
        let named = rows.batches.iter().find(|b| b.num_rows() > 0).and_then(|b| cell(b.column(0), 0))?;
        // It goes into a literal of statements.
        let plain = !named.is_empty() && named.chars().all(|c| c.is_ascii_alphanumeric() || "-_:.".contains(c));
        self.states.lock().unwrap_or_else(PoisonError::into_inner).insert(scan.name.clone(), state);
        plain.then_some(named)
    }
}

/// Advice where there is none yet.
trait HintIfNone {
    fn hint_if_none(self, hint: &str) -> Self;
}

impl HintIfNone for Diagnostic {
    fn hint_if_none(mut self, hint: &str) -> Self {
        self.hint.get_or_insert_with(|| hint.to_owned());
        self
    }
}

impl Outer for Engine<'_> {
    fn session(&self) -> Result<Arc<ClusterSession>, Diagnostic> {
        let mut slot = self.cluster.session.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = slot.0.as_ref().filter(|s| s.is_alive()) {
            return Ok(session.clone());
        }
        if slot.1 >= MOST {
            return Err(Diagnostic::error(Code::ComputeFailed, format!("compute `{}` ended {MOST} times in this run", self.compute)).hint("read logs/spark.log"));
        }
        // What is left of the one before goes first.
        slot.0 = None;
        slot.1 += 1;
        let settings = self.settings()?;
        let since = Instant::now();
        let printer = &self.databases.printer;
        printer.line(&format!("Starting compute {} ({})", self.compute, settings.master));
        let cancel = &self.databases.cancel;
        let started = ClusterSession::start(&settings, &|| cancel.is_cancelled()).map_err(|e| self.explain(&e).0);
        let session = Arc::new(started?);
        printer.line(&format!("Compute {} is ready: version {}, {:.1} s", self.compute, session.version(), since.elapsed().as_secs_f64()));
        slot.0 = Some(session.clone());
        Ok(session)
    }

    fn label(&self) -> &str {
        &self.label
    }

    fn reading(&self, scan: &RemoteScan, tag: &str) -> Result<Option<Read>, Diagnostic> {
        let Some(way) = self.way(&scan.source)? else { return Ok(None) };
        let sheet = self.project.sheet_of(&scan.source)?;
        let split = self.split(scan, way);
        way.read(scan, &|name| sheet.quote(name), tag, split.as_ref()).map(Some)
    }

    fn writing(&self, target: &TargetName, table: &str, columns: &[(String, CanonicalType)], tag: &str) -> Result<Option<Write>, Diagnostic> {
        let Some(way) = self.way(target)? else { return Ok(None) };
        let sheet = self.project.sheet_of(target)?;
        way.write(table, &|name| sheet.quote(name), columns, tag).map(Some)
    }

    fn types(&self, types: &[CanonicalType]) -> Result<Vec<String>, Diagnostic> {
        self.plugin.ddl_types(types)
    }

    fn sees_files(&self) -> bool {
        self.shares_files() && self.transfer != Transfer::Drivers
    }

    fn exchange(&self) -> Result<Exchange, Diagnostic> {
        if !self.shares_files() {
            let message = format!("rows of this node pass through the host, and compute `{}` sees no folder of it", self.compute);
            return Err(Diagnostic::error(Code::EngineInvalid, message).hint("set `exchange` of the compute to a folder that the host and every worker see"));
        }
        let folder: PathBuf = self.setting("exchange").map_or_else(|| self.project.home.cache().join("exchange"), |e| self.project.root.join(e));
        Exchange::create(&folder).map_err(|e| Diagnostic::error(Code::Artifact, e.message))
    }

    fn explain(&self, error: &ClusterError) -> (Diagnostic, bool) {
        if error.cancelled {
            return (Diagnostic::error(Code::Cancelled, "cancelled"), false);
        }
        let about = format!("compute `{}`", self.compute);
        let known = self.plugin.classify_error(&error.exceptions, error.sqlstate.as_deref(), &error.message).unwrap_or_default();
        let mut code: Code = known.code.parse().unwrap_or(Code::ComputeFailed);
        let mut hint = error.hint.clone().or(known.hint);
        // A database's own failure is told as its connector knows it.
        if let Some(driver) = &error.driver {
            let told = self.ways_used().find_map(|c| c.classify_error(driver, error.sqlstate.as_deref(), &error.message).ok().filter(|m| !m.code.is_empty()));
            if let Some(told) = told {
                code = told.code.parse().unwrap_or(code);
                hint = told.hint.or(hint);
            }
        }
        let state = error.sqlstate.as_ref().map(|s| format!(" (SQLSTATE {s})")).unwrap_or_default();
        let message = format!("{about}: {}{state}", self.databases.printer.hiding(&error.message));
        let mut out = Diagnostic::error(code, message);
        if error.gone && hint.is_none() {
            hint = Some("its session ended; what it said stands in logs/spark.log".to_owned());
        }
        out.hint = hint;
        // A session that is gone takes the next try with it.
        (out, known.again && !error.gone)
    }

    fn end(&self, targets: &BTreeSet<TargetName>, tag: &str) {
        for target in targets {
            let Some(way) = self.ways().get(target) else { continue };
            let Ok(Some(sql)) = way.connector.cancel_sql(tag) else { continue };
            // What cannot be ended ends by itself, later.
            let Ok(mut session) = self.databases.pool.connect(target) else { continue };
            let Ok(rows) = session.query(&sql, None) else { continue };
            for batch in &rows.batches {
                for statement in (0..batch.num_rows()).filter_map(|row| cell(batch.column(0), row)) {
                    let _ = session.query(&statement, None).map(|_| ()).or_else(|_| session.execute(&statement).map(|_| ()));
                }
            }
        }
    }

    fn again(&self, why: &Diagnostic) {
        self.databases.printer.line(&format!("{} is run once more: {}", self.node, why.message.lines().next().unwrap_or_default()));
    }
}

impl Engine<'_> {
    fn ways_used(&self) -> impl Iterator<Item = &Arc<dyn dvt_plugin_host::Connector>> {
        let ways = self.ways();
        self.project.manifest.targets.keys().filter_map(move |t| ways.get(t).map(|w| &w.connector))
    }
}
