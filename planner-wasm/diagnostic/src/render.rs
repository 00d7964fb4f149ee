//! Diagnostics as text and as JSON.

use crate::{Diagnostic, Severity};
use std::fmt::Write as _;

/// `DVT2101: message`, then the place and the hint, each on a line of its own. No colour.
pub fn render_text(d: &Diagnostic) -> String {
    let mut out = match d.severity {
        Severity::Error => format!("{}: {}", d.code, d.message),
        Severity::Warning => format!("warning {}: {}", d.code, d.message),
        Severity::Note => format!("note {}: {}", d.code, d.message),
    };
    if let Some(s) = &d.span {
        let _ = write!(out, "\n  --> {}:{}:{}", s.file, s.line, s.column);
    }
    if let Some(h) = &d.hint {
        let _ = write!(out, "\n  hint: {h}");
    }
    out
}

/// The same as one JSON object, stable field names.
pub fn render_json(d: &Diagnostic) -> serde_json::Value {
    serde_json::to_value(d).unwrap_or(serde_json::Value::Null)
}
