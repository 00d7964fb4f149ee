//! Where log entries go: the terminal or a pipe as text or JSON, and the log file. Callable from several threads.

use crate::log::{Event, Level, LogFile, named, thread_name};
use dvt_diagnostic::{Code, Diagnostic, Severity};
use dvt_project::warnings::{Fate, WarnErrorOptions};
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where log lines go: a run's are its output; a command whose output is data keeps stdout for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Out,
    Err,
}

/// dbt's `--log-format`: `text` has the time, `debug` also microseconds, level and thread, `json` one object a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    #[default]
    Text,
    Debug,
    Json,
}

impl Format {
    /// `default` means text on a console and debug in the file.
    pub fn named(word: &str, usual: Self) -> Self {
        match word {
            "text" => Self::Text,
            "debug" => Self::Debug,
            "json" => Self::Json,
            _ => usual,
        }
    }
}

/// How everything is shown.
#[derive(Debug)]
pub struct Look {
    pub format: Format,
    pub level: Level,
    pub quiet: bool,
    /// None: only on a terminal.
    pub colour: Option<bool>,
    /// Characters before a line's status.
    pub width: usize,
    pub file: Option<LogFile>,
    pub file_format: Format,
    pub file_level: Level,
    pub warnings: WarnErrorOptions,
    pub invocation: String,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            format: Format::Text,
            level: Level::Info,
            quiet: false,
            colour: None,
            width: 80,
            file: None,
            file_format: Format::Debug,
            file_level: Level::Debug,
            warnings: WarnErrorOptions::default(),
            invocation: String::new(),
        }
    }
}

/// A value of fewer characters is not looked for in what is shown.
const SHORTEST_SECRET: usize = 4;

pub struct Printer {
    stream: Stream,
    format: Format,
    level: Level,
    quiet: bool,
    colour: bool,
    live: bool,
    width: usize,
    file: Mutex<Option<LogFile>>,
    file_format: Format,
    file_level: Level,
    warnings: WarnErrorOptions,
    invocation: String,
    /// A warning that counts as an error was shown.
    escalated: AtomicBool,
    /// The progress line that stands on the terminal now.
    shown: Mutex<bool>,
    /// Values that are never shown, longest first.
    hidden: Mutex<Vec<String>>,
}

/// What a status word means, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Good,
    Warn,
    Bad,
}

impl Printer {
    pub fn new(stream: Stream, look: Look) -> Self {
        // Who reads events reads one stream.
        let stream = if look.format == Format::Json { Stream::Out } else { stream };
        let terminal = match stream {
            Stream::Out => std::io::stdout().is_terminal(),
            Stream::Err => std::io::stderr().is_terminal(),
        };
        let mut file = look.file;
        if let Some(file) = &mut file
            && look.file_format != Format::Json
        {
            let line = "=".repeat(30);
            file.write(&format!("\n\n{line} {} | {} {line}\n", &clock(now())[..15], look.invocation));
        }
        Self {
            stream,
            format: look.format,
            level: look.level,
            quiet: look.quiet,
            colour: look.format != Format::Json && look.colour.unwrap_or(terminal),
            live: terminal && !look.quiet && look.format == Format::Text,
            width: look.width,
            file: Mutex::new(file),
            file_format: look.file_format,
            file_level: look.file_level,
            warnings: look.warnings,
            invocation: look.invocation,
            escalated: AtomicBool::new(false),
            shown: Mutex::new(false),
            hidden: Mutex::default(),
        }
    }

    /// From now on shows none of these values. Very short ones stand in every other word and hide nothing.
    pub fn hide(&self, values: impl IntoIterator<Item = String>) {
        let mut hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner);
        for value in values {
            // A key of several lines may be repeated line by line; events and arguments are JSON, also JSON within JSON.
            let lines: Vec<String> = value.lines().map(str::to_owned).collect();
            let escaped = |text: &str| json!(text).to_string().get(1..).and_then(|t| t.strip_suffix('"')).unwrap_or_default().to_owned();
            let forms = lines.into_iter().chain([value]).flat_map(|v| [escaped(&escaped(&v)), escaped(&v), v]).collect::<Vec<_>>();
            hidden.extend(forms.into_iter().filter(|v| v.trim().chars().count() >= SHORTEST_SECRET && !v.starts_with("-----")));
        }
        hidden.sort_by_key(|v| std::cmp::Reverse(v.len()));
        hidden.dedup();
    }

    /// The text without the values that are never shown.
    pub fn hiding(&self, text: &str) -> String {
        let hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner);
        hidden.iter().filter(|v| text.contains(v.as_str())).fold(text.to_owned(), |text, value| text.replace(value, "*****"))
    }

    fn write(&self, text: &str) {
        // A reader that went away (`| head`) ends the output, not the run.
        let _ = match self.stream {
            Stream::Out => std::io::stdout().lock().write_all(text.as_bytes()),
            Stream::Err => std::io::stderr().lock().write_all(text.as_bytes()),
        };
    }

    fn put(&self, text: &str) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut *shown) {
            self.write("\r\x1b[2K");
        }
        self.write(&self.hiding(text));
    }

    /// Shows an entry where its level counts, and keeps it in the log file.
    pub fn event(&self, event: Event) {
        self.keep(&event);
        let least = if self.quiet { Level::Error.max(self.level) } else { self.level };
        if event.level >= least {
            self.put(&self.console(&event));
        }
    }

    /// What a command was asked for: on stdout as it is, or as an event for who reads events. `--quiet` does not silence it.
    pub fn data(&self, event: Event) {
        self.keep(&event);
        if self.format == Format::Json {
            self.put(&self.console(&event));
        } else {
            let text = event.msg.strip_suffix('\n').unwrap_or(&event.msg);
            // A reader that went away wants no more.
            let _ = writeln!(std::io::stdout().lock(), "{}", self.hiding(text));
        }
    }

    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    fn keep(&self, event: &Event) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = file.as_mut()
            && event.level >= self.file_level
        {
            let text = match self.file_format {
                Format::Json => self.json(event),
                Format::Debug => debug_line(event),
                Format::Text => format!("{}  {}\n", &clock(now())[..8], event.msg),
            };
            file.write(&self.hiding(&text));
        }
    }

    fn console(&self, event: &Event) -> String {
        match self.format {
            Format::Json => self.json(event),
            Format::Debug => debug_line(event),
            Format::Text => {
                let shown = event.painted.as_deref().filter(|_| self.colour).unwrap_or(&event.msg);
                format!("{}  {shown}\n", &clock(now())[..8])
            }
        }
    }

    fn json(&self, event: &Event) -> String {
        let whole = json!({
            "data": event.data,
            "info": {
                "category": "", "code": event.code, "extra": {}, "invocation_id": self.invocation, "level": event.level.word(), "msg": event.msg,
                "name": event.name, "pid": std::process::id(), "thread": thread_name(), "ts": iso(now()),
            }
        });
        format!("{whole}\n")
    }

    /// A line with the time before it.
    pub fn line(&self, text: &str) {
        self.event(Event::note(text));
    }

    /// A line that `--quiet` does not silence.
    pub fn error(&self, text: &str) {
        self.event(Event { level: Level::Error, ..Event::note(text) });
    }

    /// What becomes of a warning of this name.
    pub fn fate(&self, event: &str) -> Fate {
        self.warnings.fate(&Diagnostic::warning(Code::NodeFailed, "").event(event))
    }

    pub fn warnings(&self) -> &WarnErrorOptions {
        &self.warnings
    }

    /// Whether a warning counted as an error so far.
    pub fn escalated(&self) -> bool {
        self.escalated.load(Ordering::SeqCst)
    }

    /// A warning that counts as an error is shown as one and remembered ([`Printer::escalated`]).
    pub fn diagnostic(&self, d: &Diagnostic) {
        let mut d = d.clone();
        if d.severity == Severity::Warning {
            match self.warnings.fate(&named(&d)) {
                Fate::Silent => return,
                Fate::Error => {
                    d.severity = Severity::Error;
                    self.escalated.store(true, Ordering::SeqCst);
                }
                Fate::Shown => {}
            }
        }
        let event = Event::of(&d);
        // The text of warnings and notes says itself what it is.
        let text = event.msg.trim_end().trim_start_matches("note ").to_owned();
        let (word, tone) = match d.severity {
            Severity::Error => ("Error", Tone::Bad),
            Severity::Warning => ("Warning", Tone::Warn),
            Severity::Note => ("Note", Tone::Plain),
        };
        let painted = format!("{} {text}", self.paint(word, tone));
        self.event(Event { msg: format!("{word} {text}"), ..event }.painted(painted));
    }

    /// Replaces the progress line; nothing where no terminal shows it.
    pub fn progress(&self, text: &str) {
        if self.live {
            let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
            self.write(&format!("\r\x1b[2K{text}"));
            *shown = true;
        }
    }

    pub fn is_live(&self) -> bool {
        self.live
    }

    pub fn paint(&self, word: &str, tone: Tone) -> String {
        let code = match tone {
            Tone::Plain => return word.to_owned(),
            Tone::Good => "32",
            Tone::Warn => "33",
            Tone::Bad => "31",
        };
        if self.colour { format!("\x1b[{code}m{word}\x1b[0m") } else { word.to_owned() }
    }

    /// `1 of 5 OK created sql table model main.x [federation] ........ [SELECT 5 in 0.04s]`: the line and the line in colour.
    pub fn step(&self, number: usize, total: usize, what: &str, status: &str, tone: Tone) -> (String, String) {
        let head = format!("{number} of {total} {what} ");
        let dots = ".".repeat(self.width.saturating_sub(head.chars().count()));
        (format!("{head}{dots} [{status}]"), format!("{head}{dots} [{}]", self.paint(status, tone)))
    }
}

fn debug_line(event: &Event) -> String {
    format!("{} [{:<5}] [{}]: {}\n", &clock(now())[..15], event.level.word(), thread_name().trim_end_matches(" (worker)"), event.msg)
}

/// Seconds since 1970 and their fraction, from the system's clock.
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// ISO 8601, UTC, microseconds.
pub fn iso(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let instant = chrono::DateTime::from_timestamp(since.as_secs() as i64, since.subsec_nanos());
    instant.map(|i| i.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()).unwrap_or_default()
}

/// `13:05:59.000001`, always of this length.
fn clock(time: SystemTime) -> String {
    iso(time).get(11..26).map_or_else(|| "00:00:00.000000".to_owned(), str::to_owned)
}

pub use dvt_planner::explain::{grouped, sized};

#[cfg(test)]
mod tests {
    use super::{clock, grouped, iso, sized};
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn numbers_and_instants_read_like_a_persons() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(12), "12");
        assert_eq!(sized(999), "999 B");
        assert_eq!(sized(1_500_000), "1.5 MB");
        assert_eq!(iso(UNIX_EPOCH + Duration::from_micros(1_500_000)), "1970-01-01T00:00:01.500000Z");
        assert_eq!(clock(UNIX_EPOCH + Duration::from_micros(1_500_000)), "00:00:01.500000");
    }
}
