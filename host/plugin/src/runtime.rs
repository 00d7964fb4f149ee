//! The engine under all plugins: time and memory limits, and what a broken limit is called.

use crate::wire::lent::Lent;
use dvt_diagnostic::{Code, Diagnostic};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use wasmtime::{Config, Engine, Error, ResourceLimiter, Trap};

/// One tick of the clock that interrupts plugins.
const TICK: Duration = Duration::from_millis(10);

/// Ticks after which a session's plugin is looked at.
pub const TICKS_BETWEEN_LOOKS: u64 = 10;

/// Lines of a plugin's log that are kept, and bytes of each.
const LOG_LINES: usize = 64;
const LOG_LINE: usize = 4096;

/// What one call may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of linear memory.
    pub memory: usize,
    pub time: Duration,
    /// Bytes of text a call may return.
    pub output: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 64 << 20, time: Duration::from_secs(2), output: 8 << 20 }
    }
}

impl Limits {
    pub fn ticks(&self) -> u64 {
        (self.time.as_millis() / TICK.as_millis()).max(1) as u64
    }
}

/// The engine with its ticker; the ticker ends with it.
pub struct Runtime {
    pub engine: Engine,
    stop: Arc<AtomicBool>,
}

impl Runtime {
    pub fn new() -> Result<Self, Diagnostic> {
        let mut config = Config::new();
        config.epoch_interruption(true);
        config.max_wasm_stack(1 << 20);
        config.wasm_component_model(true);
        let engine = Engine::new(&config).map_err(|e| Diagnostic::error(Code::EngineInvalid, format!("the WebAssembly engine cannot start: {e}")))?;
        let stop = Arc::new(AtomicBool::new(false));
        let (ticked, stopped) = (engine.clone(), stop.clone());
        let ticker = std::thread::Builder::new().name("plugin-clock".to_owned()).spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                std::thread::sleep(TICK);
                ticked.increment_epoch();
            }
        });
        ticker.map_err(|e| Diagnostic::error(Code::EngineInvalid, format!("no thread for the plugins' clock: {e}")))?;
        Ok(Self { engine, stop })
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// What a store holds: the plugin's limits, its last words, and what a session is lent.
pub struct Guest {
    pub memory: usize,
    /// Set when the plugin asked for more memory than it may have.
    pub refused: bool,
    log: Vec<String>,
    /// When the running call began.
    pub called: Instant,
    pub lent: Option<Lent>,
}

impl Guest {
    pub fn new(limits: &Limits) -> Self {
        Self { memory: limits.memory, refused: false, log: Vec::new(), called: Instant::now(), lent: None }
    }

    /// Keeps a line of the plugin's log; of too many the oldest goes.
    pub fn note(&mut self, mut line: String) {
        if line.len() > LOG_LINE {
            let end = (0..=LOG_LINE).rev().find(|at| line.is_char_boundary(*at)).unwrap_or_default();
            line.truncate(end);
        }
        if self.log.len() == LOG_LINES {
            self.log.remove(0);
        }
        self.log.push(line);
    }
}

impl ResourceLimiter for Guest {
    fn memory_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool, Error> {
        let fits = desired <= self.memory;
        self.refused |= !fits;
        Ok(fits)
    }
    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool, Error> {
        Ok(desired <= 100_000)
    }
}

/// A failed call as the user reads it.
pub fn failed(id: &str, call: &str, error: &Error, guest: &Guest, limits: &Limits) -> Diagnostic {
    let words = guest.log.last().map(|l| format!(": {l}")).unwrap_or_default();
    if guest.refused {
        return Diagnostic::error(Code::PluginMemory, format!("plugin `{id}` wanted more than {} MB of memory in `{call}`", limits.memory >> 20))
            .hint("the run goes on; report it to the plugin's author");
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => Diagnostic::error(Code::PluginTimeout, format!("plugin `{id}` ran longer than {} ms in `{call}`", limits.time.as_millis()))
            .hint("the run goes on; report it to the plugin's author"),
        Some(trap) => Diagnostic::error(Code::PluginTrap, format!("plugin `{id}` crashed in `{call}` ({trap}){words}"))
            .hint("it is started anew for the next call; report it to the plugin's author"),
        None => Diagnostic::error(Code::PluginTrap, format!("plugin `{id}` failed in `{call}`: {error:#}{words}")),
    }
}

/// Refuses an answer that is too long.
pub fn fits(id: &str, call: &str, bytes: usize, limits: &Limits) -> Result<(), Diagnostic> {
    if bytes <= limits.output {
        return Ok(());
    }
    Err(Diagnostic::error(Code::PluginOutput, format!("plugin `{id}` returned {bytes} bytes from `{call}`; {} are allowed", limits.output))
        .hint("report it to the plugin's author"))
}
