//! Codes, places and messages: how every part of dvt tells a person what is wrong.
//!
//! Values only; nothing here knows a project, a database or a file.

mod code;
mod render;
mod span;

pub use code::{Code, CodeEntry, all_codes};
pub use render::{render_json, render_text};
pub use span::{LineIndex, Span};

use serde::{Deserialize, Serialize};

/// How bad it is. `Error` fails the node or the command, `Note` is information (DVT005).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Note,
    Warning,
    Error,
}

/// One message: what happened, where, why, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    pub severity: Severity,
    pub code: Code,
    /// One sentence with the user's own names; no trailing dot.
    pub message: String,
    pub span: Option<Span>,
    pub hint: Option<String>,
    /// unique_id of the node it is about, when it is about one.
    #[serde(default)]
    pub node: Option<String>,
    /// dbt's name of the event or deprecation (`CustomKeyInConfigDeprecation`): what `warn_error_options` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
}

impl Diagnostic {
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, code, message: message.into(), span: None, hint: None, node: None, event: None }
    }
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }
    pub fn note(code: Code, message: impl Into<String>) -> Self {
        Self { severity: Severity::Note, ..Self::error(code, message) }
    }
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
    /// Gives it dbt's name of the event.
    #[must_use]
    pub fn event(mut self, name: impl Into<String>) -> Self {
        self.event = Some(name.into());
        self
    }
    #[must_use]
    pub fn about(mut self, unique_id: impl Into<String>) -> Self {
        self.node = Some(unique_id.into());
        self
    }
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&render_text(self))
    }
}

impl std::error::Error for Diagnostic {}
