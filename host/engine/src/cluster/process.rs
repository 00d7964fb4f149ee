//! The driver program's process: its files, its two pipes, and its end.

use super::protocol::{Event, Order, Start, Write};
use super::{ClusterError, ClusterSettings, Read};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read as _, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The driver program.
const PROGRAM: &str = include_str!("driver.py");
/// How long a session may take to stop by itself.
const GRACE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);
/// Bytes of the log that are looked at.
const TAIL: u64 = 64 << 10;
/// Lines of the log that a failure shows.
const WORDS: usize = 4;

type Listeners = Arc<Mutex<BTreeMap<u64, Sender<Event>>>>;

pub struct Process {
    child: Mutex<Child>,
    id: u32,
    orders: Mutex<Option<ChildStdin>>,
    listeners: Listeners,
    alive: Arc<AtomicBool>,
    log: PathBuf,
    /// Where this session's part of the log begins.
    from: u64,
}

fn failed(what: &str, path: &Path, e: &std::io::Error) -> ClusterError {
    ClusterError::new(format!("{what} {}: {e}", path.display())).gone()
}

/// FNV-1a: another text is another file, so two versions of dvt share a folder.
fn fold(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The program's file, written where it is missing.
fn program(folder: &Path) -> Result<PathBuf, ClusterError> {
    let path = folder.join(format!("driver-{:016x}.py", fold(PROGRAM)));
    if std::fs::read_to_string(&path).is_ok_and(|text| text == PROGRAM) {
        return Ok(path);
    }
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        // Another run may write it now too: each moves a whole file into place.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(PROGRAM.as_bytes())?;
        file.persist(&path)?;
        Ok(())
    };
    write().map_err(|e| failed("the driver program cannot be written to", &path, &e))?;
    Ok(path)
}

impl Process {
    pub fn spawn(settings: &ClusterSettings) -> Result<(Self, Receiver<Event>), ClusterError> {
        let program = program(&settings.programs)?;
        let log = &settings.log;
        let mut file = log.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| OpenOptions::new().create(true).append(true).open(log)).map_err(|e| failed("the log cannot be written to", log, &e))?;
        let from = file.seek(SeekFrom::End(0)).unwrap_or_default();
        let mut command = Command::new(&settings.python);
        command.arg("-u").arg(&program).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file);
        // The library brings its own engine: another one's home or modules would be started in its place.
        command.env_remove("SPARK_HOME").env_remove("PYTHONPATH").env_remove("PYSPARK_SUBMIT_ARGS").env_remove("SPARK_REMOTE");
        command.env("PYSPARK_PYTHON", &settings.python).env("PYSPARK_DRIVER_PYTHON", &settings.python).env("PYTHONDONTWRITEBYTECODE", "1");
        if let Some(java) = &settings.java_home {
            command.env("JAVA_HOME", java);
        }
        if settings.master.starts_with("local") {
            command.env("SPARK_LOCAL_IP", "127.0.0.1");
        }
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().map_err(|e| failed("the Python that the compute needs cannot be started:", &settings.python, &e))?;
        let (Some(orders), Some(out)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(ClusterError::new("the driver program has no pipes").gone());
        };
        let (sender, events) = channel();
        let alive = Arc::new(AtomicBool::new(true));
        let living = alive.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines() {
                let Ok(line) = line else { break };
                // A line that is no event is somebody's print: it must not end the session.
                if let Ok(event) = serde_json::from_str(&line)
                    && sender.send(event).is_err()
                {
                    break;
                }
            }
            living.store(false, Ordering::SeqCst);
        });
        let id = child.id();
        let process = Self { child: Mutex::new(child), id, orders: Mutex::new(Some(orders)), listeners: Listeners::default(), alive, log: log.clone(), from };
        Ok((process, events))
    }

    pub fn id(&self) -> u32 {
        self.id
    }

    pub fn is_alive(&self) -> bool {
        self.alive.load(Ordering::SeqCst)
    }

    /// Hands every further event to the job that it is about. A session that ends leaves no job waiting.
    pub fn listen(&self, events: Receiver<Event>) {
        let listeners = self.listeners.clone();
        let alive = self.alive.clone();
        std::thread::spawn(move || {
            for event in events {
                if let Event::Failed { error, .. } = &event
                    && error.clone().into_error().gone
                {
                    alive.store(false, Ordering::SeqCst);
                }
                let known = listeners.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(listener) = event.job().and_then(|id| known.get(&id)) {
                    // A job that went away wants no more events.
                    let _ = listener.send(event);
                }
            }
            alive.store(false, Ordering::SeqCst);
            listeners.lock().unwrap_or_else(PoisonError::into_inner).clear();
        });
    }

    pub fn subscribe(&self, id: u64) -> Receiver<Event> {
        let (sender, receiver) = channel();
        if self.is_alive() {
            self.listeners.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sender);
        }
        receiver
    }

    fn line(&self, text: &str) -> Result<(), ClusterError> {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = orders.as_mut().is_some_and(|o| writeln!(o, "{text}").and_then(|()| o.flush()).is_ok());
        if sent { Ok(()) } else { Err(ClusterError::new(format!("the session has ended{}", self.last_words())).gone()) }
    }

    fn order(&self, order: &Order<'_>) -> Result<(), ClusterError> {
        let text = serde_json::to_string(order).map_err(|e| ClusterError::new(e.to_string()))?;
        self.line(&text)
    }

    pub fn start(&self, master: &str, conf: &BTreeMap<String, String>, jars: &[String]) -> Result<(), ClusterError> {
        let text = serde_json::to_string(&Start { master, conf, jars }).map_err(|e| ClusterError::new(e.to_string()))?;
        self.line(&text)
    }

    pub fn describe(&self, id: u64, tag: &str, reads: &[Read], sql: &str) -> Result<(), ClusterError> {
        self.order(&Order::Describe { id, tag, reads, sql })
    }

    pub fn write(&self, id: u64, write: &Write) -> Result<(), ClusterError> {
        self.order(&Order::Write { id, write })
    }

    pub fn cancel(&self, id: u64) {
        // A session that is gone runs nothing any more.
        let _ = self.order(&Order::Cancel { id });
    }

    pub fn close(&self, id: u64) {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        if self.is_alive() {
            let _ = self.order(&Order::Close { id });
        }
    }

    /// A line of dvt's own in the session's log.
    pub fn note(&self, text: &str) {
        if let Ok(mut file) = OpenOptions::new().append(true).open(&self.log) {
            let _ = writeln!(file, "dvt: {text}");
        }
    }

    fn tail(&self) -> String {
        let read = || -> std::io::Result<String> {
            let mut file = File::open(&self.log)?;
            let end = file.seek(SeekFrom::End(0))?;
            file.seek(SeekFrom::Start(self.from.max(end.saturating_sub(TAIL))))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        read().unwrap_or_default()
    }

    /// The line of the session's log that has one of the words.
    pub fn says(&self, words: &[&str]) -> Option<String> {
        self.tail().lines().find(|l| words.iter().any(|w| l.contains(w))).map(|l| l.trim().to_owned())
    }

    /// The end of the session's log, for a message; where nothing else is known.
    pub fn last_words(&self) -> String {
        let tail = self.tail();
        let told = |l: &&str| !l.trim().is_empty() && !l.trim_start().starts_with("at ") && !l.contains("WARNING:");
        let mut lines: Vec<&str> = tail.lines().filter(told).collect();
        let from = lines.len().saturating_sub(WORDS);
        let last = lines.split_off(from);
        if last.is_empty() { String::new() } else { format!("\n{}\n(all of it: {})", last.join("\n"), self.log.display()) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.order(&Order::Stop);
        // The end of its input tells it too, whatever it does with orders.
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).take();
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        let since = Instant::now();
        while since.elapsed() < GRACE {
            if child.try_wait().is_ok_and(|status| status.is_some()) {
                break;
            }
            std::thread::sleep(PAUSE);
        }
        end_group(self.id);
        let _ = child.wait();
    }
}

/// Ends what is left of the session: its virtual machine is in the group that the driver leads.
#[cfg(unix)]
fn end_group(id: u32) {
    let _ = Command::new("kill").args(["-KILL", "--", &format!("-{id}")]).stdout(Stdio::null()).stderr(Stdio::null()).status();
}

#[cfg(not(unix))]
fn end_group(id: u32) {
    let _ = Command::new("taskkill").args(["/T", "/F", "/PID", &id.to_string()]).stdout(Stdio::null()).stderr(Stdio::null()).status();
}
