//! Sessions of targets: opened when first needed, kept for the next node, bounded per target.
//!
//! A node holds at most one session of its own per target; the reads of a federated plan are counted apart and
//! taken all at once, so that two plans never wait for each other.

use crate::failure::explained;
use crate::native::NativeDrivers;
use dvt_plugin_host::{Adapter, ConnectPlan, DriverSheet, LIBRARY_DRIVER};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_engine::{
    BatchSink, Canceller, ConnectSpec, Connection, DescribedColumn, EngineError, ErrorKind, Executed, ReadCount, Rows, Secret,
};
use crate::printer::Printer;
use dvt_federation::{Cancellation, Sources};
use dvt_project::{Target, TargetName};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// How long another process may keep a file that lets one process in, unless the output says.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often such a file is tried.
const PAUSE: Duration = Duration::from_millis(50);

/// All targets of the profile.
pub struct Pool {
    slots: BTreeMap<TargetName, Arc<Slot>>,
    reading: Mutex<BTreeMap<TargetName, u32>>,
    released: Condvar,
    cancel: Arc<Cancellation>,
    printer: Arc<Printer>,
}

struct Slot {
    target: Target,
    adapter: Arc<dyn Adapter>,
    secrets: BTreeMap<String, Value>,
    dial: OnceLock<Result<ConnectPlan, Diagnostic>>,
    drivers: Arc<NativeDrivers>,
    /// Looked at once: its content is read whole.
    library: OnceLock<Result<Option<PathBuf>, Diagnostic>>,
    idle: Mutex<Vec<Box<dyn Connection>>>,
    sessions: u32,
    /// Another process kept it longer than anyone waits: the next node is told at once.
    given_up: AtomicBool,
}

impl Slot {
    fn dial(&self) -> Result<&ConnectPlan, Diagnostic> {
        let keys: Vec<String> = self.secrets.keys().cloned().collect();
        self.dial.get_or_init(|| self.adapter.connect(&Value::Object(self.target.keys.clone()), &keys)).as_ref().map_err(Clone::clone)
    }

    /// The file of a driver that is a shared library; None where the plan names another kind.
    fn library(&self) -> Result<Option<PathBuf>, Diagnostic> {
        let dial = self.dial()?;
        self.library.get_or_init(|| library(dial, self.adapter.as_ref(), &self.drivers)).clone()
    }

    fn open(&self) -> Result<Box<dyn Connection>, EngineError> {
        if let Some(idle) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(idle);
        }
        let told = |d: Diagnostic| EngineError { hint: d.hint, ..EngineError::new(ErrorKind::Connect, d.message) };
        let dial = self.dial().map_err(told)?;
        let library = self.library().map_err(told)?;
        dvt_plugin_host::connect(&self.adapter, &spec(dial, &self.secrets, library))
    }
}

/// The file of the driver that a plan names, where it is a shared library.
///
/// # Errors
/// It is not there, or not the one that was brought; a plugin whose sheet says nothing of it.
pub fn library(dial: &ConnectPlan, adapter: &dyn Adapter, drivers: &NativeDrivers) -> Result<Option<PathBuf>, Diagnostic> {
    if dial.driver != LIBRARY_DRIVER {
        return Ok(None);
    }
    DriverSheet::of(adapter)?.map(|sheet| drivers.find(&sheet)).transpose()
}

/// The plan with the secrets that it names, and its driver's file.
pub fn spec(dial: &ConnectPlan, secrets: &BTreeMap<String, Value>, library: Option<PathBuf>) -> ConnectSpec {
    let named = dial.secret_options.iter().filter_map(|(option, key)| {
        let value = secrets.get(key)?;
        Some((option.clone(), Secret::new(value.as_str().map_or_else(|| value.to_string(), str::to_owned))))
    });
    ConnectSpec {
        driver: dial.driver.clone(),
        options: dial.options.clone(),
        secrets: named.collect(),
        session_setup: dial.session_setup.clone(),
        application: "dvt".to_owned(),
        library,
    }
}

impl Pool {
    /// `threads` overrides the targets' own.
    pub fn new(
        targets: Vec<(Target, Arc<dyn Adapter>, BTreeMap<String, Value>)>,
        threads: Option<u32>,
        drivers: NativeDrivers,
        cancel: Arc<Cancellation>,
        printer: Arc<Printer>,
    ) -> Self {
        let drivers = Arc::new(drivers);
        let slots = targets.into_iter().map(|(target, adapter, secrets)| {
            let sessions = threads.unwrap_or(target.threads).max(1);
            let slot = Slot { target, adapter, secrets, dial: OnceLock::new(), drivers: drivers.clone(), library: OnceLock::new(), idle: Mutex::default(), sessions, given_up: AtomicBool::new(false) };
            (slot.target.name.clone(), Arc::new(slot))
        });
        Self { slots: slots.collect(), reading: Mutex::default(), released: Condvar::new(), cancel, printer }
    }

    /// A session, when another process lets go of it.
    fn open(&self, slot: &Slot) -> Result<Box<dyn Connection>, EngineError> {
        let since = Instant::now();
        let own = slot.dial().ok().and_then(|d| d.options.get("busy_timeout_ms")).and_then(|ms| ms.parse().ok());
        let patience = own.map_or(PATIENCE, Duration::from_millis);
        let mut told = false;
        loop {
            let error = match slot.open() {
                Err(error) if error.kind == ErrorKind::Busy => error,
                outcome => return outcome,
            };
            if self.cancel.is_cancelled() || slot.given_up.load(Ordering::SeqCst) {
                return Err(error);
            }
            if since.elapsed() >= patience {
                slot.given_up.store(true, Ordering::SeqCst);
                let message = format!("another process has it open and kept it for {} seconds: {}", since.elapsed().as_secs(), error.message);
                return Err(EngineError { message, ..error });
            }
            if !told {
                told = true;
                self.printer.line(&format!("Waiting for target {}: another process has it open", slot.target.name));
            }
            // What this run only keeps for later may be what the other process waits for.
            for other in self.slots.values() {
                other.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn slot(&self, target: &TargetName) -> Result<&Arc<Slot>, Diagnostic> {
        self.slots.get(target).ok_or_else(|| {
            let known: Vec<&str> = self.slots.keys().map(TargetName::as_str).collect();
            Diagnostic::error(Code::PluginNotFound, format!("target `{target}` cannot be used: no loaded plugin handles its type"))
                .hint(format!("`dvt debug` says which; usable targets: {}", if known.is_empty() { "none".to_owned() } else { known.join(", ") }))
        })
    }

    pub fn adapter(&self, target: &TargetName) -> Result<&Arc<dyn Adapter>, Diagnostic> {
        self.slot(target).map(|s| &s.adapter)
    }

    /// The target's keys, its secrets, and how many sessions it may have.
    pub fn profile(&self, target: &TargetName) -> Result<(&serde_json::Map<String, Value>, &BTreeMap<String, Value>, u32), Diagnostic> {
        let slot = self.slot(target)?;
        Ok((&slot.target.keys, &slot.secrets, slot.sessions))
    }

    pub fn endpoint(&self, target: &TargetName) -> Result<String, Diagnostic> {
        Ok(self.slot(target)?.dial()?.endpoint.clone())
    }

    /// A session; it comes back when dropped, unless a statement failed on it.
    pub fn take(&self, target: &TargetName) -> Result<Session, Diagnostic> {
        let slot = self.slot(target)?;
        slot.library()?;
        let inner = self.open(slot).map_err(|e| explained(Some(slot.adapter.as_ref()), &e, &format!("target `{target}`")))?;
        Ok(Session { inner: Some(inner), slot: slot.clone(), broken: false })
    }

    /// Waits until so many reads may run on each target; more than a target allows may run only alone.
    pub fn reserve(&self, wanted: BTreeMap<TargetName, u32>) -> Reserved<'_> {
        let fits = |used: &BTreeMap<TargetName, u32>| {
            wanted.iter().all(|(target, n)| {
                let used = used.get(target).copied().unwrap_or_default();
                used == 0 || used + n <= self.slots.get(target).map_or(1, |s| s.sessions)
            })
        };
        let mut used = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        while !fits(&used) {
            used = self.released.wait(used).unwrap_or_else(PoisonError::into_inner);
        }
        for (target, n) in &wanted {
            *used.entry(target.clone()).or_default() += n;
        }
        Reserved { pool: self, wanted }
    }
}

impl Sources for Pool {
    fn connect(&self, target: &TargetName) -> Result<Box<dyn Connection>, EngineError> {
        let slot = self.slot(target).map_err(|d| EngineError::new(ErrorKind::Connect, d.message))?;
        Ok(Box::new(Session { inner: Some(self.open(slot)?), slot: slot.clone(), broken: false }))
    }
}

/// Reads that may run; given back when dropped.
pub struct Reserved<'a> {
    pool: &'a Pool,
    wanted: BTreeMap<TargetName, u32>,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        let mut used = self.pool.reading.lock().unwrap_or_else(PoisonError::into_inner);
        for (target, n) in &self.wanted {
            if let Some(count) = used.get_mut(target) {
                *count = count.saturating_sub(*n);
            }
        }
        self.pool.released.notify_all();
    }
}

/// A session on loan.
pub struct Session {
    inner: Option<Box<dyn Connection>>,
    slot: Arc<Slot>,
    broken: bool,
}

impl Session {
    fn with<T>(&mut self, run: impl FnOnce(&mut dyn Connection) -> Result<T, EngineError>) -> Result<T, EngineError> {
        let Some(inner) = self.inner.as_mut() else {
            return Err(EngineError::new(ErrorKind::Io, "the session is closed"));
        };
        let outcome = run(inner.as_mut());
        // What state a failure left the session in differs by product: it is not used for another node.
        self.broken |= outcome.is_err();
        outcome
    }
}

impl Connection for Session {
    fn execute(&mut self, sql: &str) -> Result<Executed, EngineError> {
        self.with(|c| c.execute(sql))
    }
    fn query(&mut self, sql: &str, limit: Option<usize>) -> Result<Rows, EngineError> {
        self.with(|c| c.query(sql, limit))
    }
    fn read(&mut self, sql: &str, want: &SchemaRef, sink: &mut dyn BatchSink) -> Result<ReadCount, EngineError> {
        self.with(|c| c.read(sql, want, sink))
    }
    fn load(
        &mut self,
        table: &str,
        schema: &SchemaRef,
        batches: &mut dyn Iterator<Item = Result<RecordBatch, EngineError>>,
    ) -> Result<u64, EngineError> {
        self.with(|c| c.load(table, schema, batches))
    }
    fn begin_snapshot(&mut self) -> Result<(), EngineError> {
        self.with(|c| c.begin_snapshot())
    }
    fn end_snapshot(&mut self) -> Result<(), EngineError> {
        self.with(|c| c.end_snapshot())
    }
    fn describe(&mut self, sql: &str) -> Result<Vec<DescribedColumn>, EngineError> {
        self.with(|c| c.describe(sql))
    }
    fn canceller(&self) -> Canceller {
        self.inner.as_ref().map_or_else(|| Box::new(|| {}) as Canceller, |c| c.canceller())
    }
    fn server_version(&mut self) -> Result<String, EngineError> {
        self.with(|c| c.server_version())
    }
    fn is_open(&self) -> bool {
        self.inner.as_ref().is_some_and(|c| c.is_open())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take()
            && !self.broken
            && inner.is_open()
        {
            self.slot.idle.lock().unwrap_or_else(PoisonError::into_inner).push(inner);
        }
    }
}
