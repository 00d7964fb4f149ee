//! What happened, as log readers know it: dbt's code and name, a level, the line, and fields.
//!
//! Codes and names are dbt's, so that tools which read `--log-format json` work unchanged. Not here: writing.

use dvt_diagnostic::{Code, Diagnostic, Severity};
use serde_json::{Map, Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
    /// As a threshold: nothing is shown.
    None,
}

impl Level {
    /// `debug`, `info`, `warn`, `error`, `none`; anything else is `info`.
    pub fn named(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "debug" => Self::Debug,
            "warn" => Self::Warn,
            "error" => Self::Error,
            "none" => Self::None,
            _ => Self::Info,
        }
    }
    pub fn word(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error | Self::None => "error",
        }
    }
}

/// One log entry.
#[derive(Debug, Clone)]
pub struct Event {
    pub code: &'static str,
    pub name: String,
    pub level: Level,
    /// The line without colours.
    pub msg: String,
    /// The line with colours, where it has any.
    pub painted: Option<String>,
    pub data: Map<String, Value>,
}

impl Event {
    /// `data` is an object.
    pub fn new(code: &'static str, name: &str, level: Level, msg: impl Into<String>, data: Value) -> Self {
        let Value::Object(data) = data else { return Self::new(code, name, level, msg, json!({})) };
        Self { code, name: name.to_owned(), level, msg: msg.into(), painted: None, data }
    }

    /// A line that has no event of its own.
    pub fn note(msg: &str) -> Self {
        if msg.is_empty() {
            return Self::new("Z017", "Formatting", Level::Info, "", json!({"msg": ""}));
        }
        Self::new("Z050", "Note", Level::Info, msg, json!({"msg": msg}))
    }

    pub fn debug(code: &'static str, name: &str, msg: impl Into<String>, data: Value) -> Self {
        Self::new(code, name, Level::Debug, msg, data)
    }

    /// A message with its code; its fields carry the whole diagnostic too.
    pub fn of(d: &Diagnostic) -> Self {
        let text = d.to_string();
        let whole = dvt_diagnostic::render_json(d);
        match d.severity {
            Severity::Error => Self::new("Z002", "MainEncounteredError", Level::Error, text.clone(), json!({"exc": text, "diagnostic": whole})),
            Severity::Note => Self::new("Z050", "Note", Level::Info, text.clone(), json!({"msg": text, "diagnostic": whole})),
            Severity::Warning => {
                let name = named(d).event.unwrap_or_default();
                let text = text.trim_start_matches("warning ").to_owned();
                Self::new(code_of(&name), &name, Level::Warn, text.clone(), json!({"msg": text, "diagnostic": whole}))
            }
        }
    }

    #[must_use]
    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.data.insert(key.to_owned(), value);
        self
    }

    #[must_use]
    pub fn painted(mut self, text: String) -> Self {
        self.painted = Some(text);
        self
    }
}

/// The same with dbt's name of the event, by which `--warn-error-options` speaks of it.
pub fn named(d: &Diagnostic) -> Diagnostic {
    let mut named = d.clone();
    if named.event.is_none() {
        let name = match d.code {
            Code::NothingSelected => "NoNodesForSelectionCriteria",
            Code::DuplicateKey => "DuplicateYAMLKeysDeprecation",
            Code::UnknownKey => "CustomKeyInObjectDeprecation",
            Code::RefNotFound | Code::SourceNotFound => "NodeNotFoundOrDisabled",
            Code::TestFailed => "LogTestResult",
            _ => "JinjaLogWarning",
        };
        named.event = Some(name.to_owned());
    }
    named
}

/// dbt's codes of warnings that tools look for.
fn code_of(name: &str) -> &'static str {
    match name {
        "NoNodesForSelectionCriteria" => "M030",
        "NoNodesSelected" => "M031",
        "NothingToDo" => "Q035",
        "NodeNotFoundOrDisabled" => "I060",
        "LogTestResult" => "Q007",
        _ if name.ends_with("Deprecation") => "D000",
        _ => "I061",
    }
}
