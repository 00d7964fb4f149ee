//! An engine outside the host: a Spark session behind a supervised driver program.
//!
//! The driver is a small Python file that is part of this library; it holds one session, runs several jobs at once and
//! speaks JSON lines. It leads a process group of its own, so Ctrl-C at the terminal ends dvt first and the session in
//! order; when dvt dies, its standard input ends and it stops by itself.
//!
//! Not here: which settings a session gets and how a product is read (plugins), and what a failure means (plugins).

mod check;
mod process;
mod protocol;

pub use check::{Java, java, reachable};
pub use protocol::{Read, ReadColumn, Write, WriteColumn};

use crate::DescribedColumn;
use process::Process;
use protocol::{Event, Told};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How often a session that starts is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How long a start may take at most: on a busy cluster an application waits for its turn.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long the driver may take to import its library.
const HELLO: Duration = Duration::from_secs(60);

/// Lines of the session's log that say that a start will fail, long before it does.
const SIGNS: [&str; 5] =
    ["All masters are unresponsive", "InvalidClassException", "UnsupportedClassVersionError", "Application has been killed", "Error occurred during initialization of VM"];

/// What a session is started with.
#[derive(Debug, Clone, Default)]
pub struct ClusterSettings {
    pub python: PathBuf,
    pub java_home: Option<PathBuf>,
    pub master: String,
    pub conf: BTreeMap<String, String>,
    /// Files that executors need.
    pub jars: Vec<PathBuf>,
    /// Where the driver program is written, by its content.
    pub programs: PathBuf,
    /// Where everything goes that the session writes.
    pub log: PathBuf,
    /// `3.5.9` or `4.1`: what the session's library must be; None where any will do.
    pub version: Option<String>,
}

impl ClusterSettings {
    /// A server that has the session, by Spark Connect.
    pub fn is_remote(&self) -> bool {
        self.master.starts_with("sc://")
    }

    /// What can be known without a session: that somebody is at the master, and that the library's `version` and Java fit.
    ///
    /// # Errors
    /// As [`ClusterSession::start`] would fail.
    pub fn check(&self, version: &str) -> Result<(), ClusterError> {
        if let Some(why) = check::unreachable(&self.master) {
            return Err(ClusterError::new(why).hint("start the master, or correct `master` of the compute"));
        }
        check::version(version, self)?;
        if self.is_remote() { Ok(()) } else { check::java_fits(version, self) }
    }
}

/// A failure with everything that the engine said.
#[derive(Debug, Clone, Default, thiserror::Error)]
#[error("{message}")]
pub struct ClusterError {
    pub message: String,
    /// Names of the exceptions, the outermost first.
    pub exceptions: Vec<String>,
    /// Of the database if one is in the chain, else of the engine.
    pub sqlstate: Option<String>,
    /// The exception that a database's driver threw.
    pub driver: Option<String>,
    pub cancelled: bool,
    /// The session is over; another one must be started.
    pub gone: bool,
    pub hint: Option<String>,
}

impl ClusterError {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
    fn gone(mut self) -> Self {
        self.gone = true;
        self
    }
}

/// What a job wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// None where the engine does not say.
    pub rows: Option<u64>,
    /// Rows by the name of the scan, as far as they were counted.
    pub scanned: BTreeMap<String, u64>,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tasks {
    /// Stages known so far; a plan that adapts itself learns of more while it runs.
    pub stages: u64,
    pub ended: u64,
    /// Tasks of all these stages.
    pub total: u64,
    pub done: u64,
    /// No task has run for a while: the cluster gives none.
    pub starved: bool,
}

/// A running session; ended when dropped.
pub struct ClusterSession {
    process: Arc<Process>,
    next: AtomicU64,
    version: String,
}

impl ClusterSession {
    /// Starts a session and waits until it takes jobs. `cancelled` is asked again and again meanwhile.
    ///
    /// # Errors
    /// The real reason, as early as it can be known: no Java or the wrong one, a library of another version, a master
    /// that nobody listens at, else the last lines of the session's log.
    pub fn start(settings: &ClusterSettings, cancelled: &dyn Fn() -> bool) -> Result<Self, ClusterError> {
        if let Some(why) = check::unreachable(&settings.master) {
            return Err(ClusterError::new(why).hint("start the master, or correct `master` of the compute"));
        }
        let (process, events) = Process::spawn(settings)?;
        let process = Arc::new(process);
        let Event::Hello { version, python } = wait(&process, &events, HELLO, cancelled)? else {
            return Err(ClusterError::new("the driver program spoke out of turn").gone());
        };
        check::version(&version, settings)?;
        if !settings.is_remote() {
            check::java_fits(&version, settings)?;
        }
        let mut conf = settings.conf.clone();
        let jars: Vec<String> = settings.jars.iter().map(|j| j.display().to_string()).collect();
        if !jars.is_empty() && !settings.is_remote() {
            let own = conf.get("spark.jars").map(|o| format!("{o},")).unwrap_or_default();
            conf.insert("spark.jars".to_owned(), format!("{own}{}", jars.join(",")));
        }
        process.start(&settings.master, &conf, &jars)?;
        process.note(&format!("driver of library {version}, Python {python}, master {}", settings.master));
        match wait(&process, &events, PATIENCE, cancelled)? {
            Event::Ready { version } => {
                process.listen(events);
                Ok(Self { process, next: AtomicU64::new(1), version })
            }
            _ => Err(ClusterError::new("the driver program spoke out of turn").gone()),
        }
    }

    /// The engine's own version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// False when the session has ended, whoever ended it.
    pub fn is_alive(&self) -> bool {
        self.process.is_alive()
    }

    /// The process of the driver program, which leads the session's group.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// A job's place in the session. `tag` labels what it runs, here and at its sources.
    pub fn job(&self, tag: &str) -> Job {
        let id = self.next.fetch_add(1, Ordering::SeqCst);
        Job { process: self.process.clone(), events: self.process.subscribe(id), id, tag: tag.to_owned() }
    }
}

/// The next event of a session that starts.
fn wait(process: &Process, events: &Receiver<Event>, patience: Duration, cancelled: &dyn Fn() -> bool) -> Result<Event, ClusterError> {
    let since = Instant::now();
    loop {
        match events.recv_timeout(LOOK) {
            Ok(Event::Fatal { error }) => {
                let told = error.into_error();
                return Err(ClusterError { message: format!("the session cannot start: {}{}", told.message, process.last_words()), gone: true, ..told });
            }
            Ok(event) => return Ok(event),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(ClusterError::new(format!("the driver program ended before its session was ready{}", process.last_words())).gone());
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        if cancelled() {
            return Err(ClusterError { cancelled: true, ..ClusterError::new("cancelled").gone() });
        }
        if let Some(line) = process.says(&SIGNS) {
            return Err(ClusterError::new(format!("the session cannot start: {line}")).gone());
        }
        if since.elapsed() > patience {
            return Err(ClusterError::new(format!("the session was not ready after {} seconds{}", patience.as_secs(), process.last_words())).gone());
        }
    }
}

/// One query and where its result goes.
pub struct Job {
    process: Arc<Process>,
    events: Receiver<Event>,
    id: u64,
    tag: String,
}

impl Job {
    /// Makes the views of `reads` and gives the columns of `sql` over them, in the engine's types. Nothing runs yet.
    pub fn describe(&self, reads: &[Read], sql: &str) -> Result<Vec<DescribedColumn>, ClusterError> {
        self.process.describe(self.id, &self.tag, reads, sql)?;
        match self.answer(&mut |_| {})? {
            Event::Described { columns, .. } => Ok(columns.into_iter().map(|c| DescribedColumn { name: c.name, native: c.kind }).collect()),
            _ => Err(ClusterError::new("the driver program answered out of turn")),
        }
    }

    /// Runs the query that was described last.
    pub fn write(&self, write: &Write, progress: &mut dyn FnMut(Tasks)) -> Result<Written, ClusterError> {
        self.process.write(self.id, write)?;
        match self.answer(progress)? {
            Event::Written { rows, scanned, .. } => Ok(Written { rows, scanned }),
            _ => Err(ClusterError::new("the driver program answered out of turn")),
        }
    }

    fn answer(&self, progress: &mut dyn FnMut(Tasks)) -> Result<Event, ClusterError> {
        loop {
            match self.events.recv() {
                Ok(Event::Progress { stages, ended, tasks, done, starved, .. }) => progress(Tasks { stages, ended, total: tasks, done, starved }),
                Ok(Event::Failed { error, cancelled, .. }) => return Err(ClusterError { cancelled, ..Told::into_error(error) }),
                Ok(event) => return Ok(event),
                Err(_) => return Err(ClusterError::new(format!("the session ended while it was in use{}", self.process.last_words())).gone()),
            }
        }
    }

    /// Ends the job from another thread.
    pub fn canceller(&self) -> crate::Canceller {
        let (process, id) = (self.process.clone(), self.id);
        Box::new(move || process.cancel(id))
    }

    pub fn tag(&self) -> &str {
        &self.tag
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.process.close(self.id);
    }
}
