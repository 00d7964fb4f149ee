//! The lines of a run, as dbt prints them, with each node's path.

use dvt_diagnostic::{Diagnostic, Severity};
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where log lines go: a run's are its output; a command whose output is data keeps stdout for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Out,
    Err,
}

/// A value of fewer characters is not looked for in what is shown.
const SHORTEST_SECRET: usize = 4;

/// Writes whole lines; callable from several threads.
pub struct Printer {
    stream: Stream,
    quiet: bool,
    colour: bool,
    live: bool,
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
    pub fn new(stream: Stream, quiet: bool, no_colour: bool) -> Self {
        let terminal = match stream {
            Stream::Out => std::io::stdout().is_terminal(),
            Stream::Err => std::io::stderr().is_terminal(),
        };
        Self { stream, quiet, colour: terminal && !no_colour, live: terminal && !quiet, shown: Mutex::new(false), hidden: Mutex::default() }
    }

    /// From now on shows none of these values. Very short ones stand in every other word and hide nothing.
    pub fn hide(&self, values: impl IntoIterator<Item = String>) {
        let mut hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner);
        for value in values {
            // A key of several lines may be repeated line by line.
            let lines: Vec<String> = value.lines().map(str::to_owned).collect();
            hidden.extend(lines.into_iter().chain([value]).filter(|v| v.trim().chars().count() >= SHORTEST_SECRET && !v.starts_with("-----")));
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

    /// A line with the time before it.
    pub fn line(&self, text: &str) {
        if !self.quiet {
            self.put(&format!("{}  {text}\n", clock()));
        }
    }

    /// A line that `--quiet` does not silence.
    pub fn error(&self, text: &str) {
        self.put(&format!("{}  {text}\n", clock()));
    }

    pub fn diagnostic(&self, d: &Diagnostic) {
        let shown = match d.severity {
            Severity::Error => true,
            Severity::Warning | Severity::Note => !self.quiet,
        };
        if shown {
            // The text of warnings and notes says itself what it is.
            let text = d.to_string();
            let text = match d.severity {
                Severity::Error => format!("{} {}", self.paint("Error", Tone::Bad), text.trim_end()),
                Severity::Warning => format!("{} {}", self.paint("Warning", Tone::Warn), text.trim_start_matches("warning ").trim_end()),
                Severity::Note => format!("Note {}", text.trim_start_matches("note ").trim_end()),
            };
            self.put(&format!("{}  {text}\n", clock()));
        }
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

    /// `1 of 5 OK created sql table model main.x [federation] ........ [SELECT 5 in 0.04s]`
    pub fn step(&self, number: usize, total: usize, what: &str, status: &str, tone: Tone) {
        let head = format!("{number} of {total} {what} ");
        let dots = ".".repeat(79usize.saturating_sub(head.chars().count()).max(3));
        self.line(&format!("{head}{dots} [{}]", self.paint(status, tone)));
    }
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

fn clock() -> String {
    let iso = iso(now());
    iso.get(11..19).unwrap_or_default().to_owned()
}

pub use dvt_planner::explain::{grouped, sized};

#[cfg(test)]
mod tests {
    use super::{grouped, iso, sized};
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn numbers_and_instants_read_like_a_persons() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(12), "12");
        assert_eq!(sized(999), "999 B");
        assert_eq!(sized(1_500_000), "1.5 MB");
        assert_eq!(iso(UNIX_EPOCH + Duration::from_micros(1_500_000)), "1970-01-01T00:00:01.500000Z");
    }
}
