//! What can go wrong at a database, in kinds that the callers decide by.

/// The family of a failure; plugins refine it by SQLSTATE and text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The server or file cannot be reached.
    Connect,
    Auth,
    /// Another process has it, for now.
    Busy,
    /// A database, file or relation does not exist.
    Missing,
    /// A column does not exist.
    Column,
    Permission,
    /// A value or column cannot be carried exactly.
    Type,
    /// The database refused a statement.
    Statement,
    Cancelled,
    /// A file or server of a version this engine does not read.
    Version,
    Io,
    /// More would be read than was allowed.
    Budget,
    /// The plugin that speaks to the database broke a limit or the contract.
    Plugin(PluginFault),
}

/// What a plugin did that a connection cannot go on after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginFault {
    Trap,
    Timeout,
    Memory,
    Output,
    Contract,
    NotGranted,
}

/// A failure with the database's own words.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct EngineError {
    pub kind: ErrorKind,
    pub message: String,
    pub sqlstate: Option<String>,
    pub hint: Option<String>,
}

impl EngineError {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), sqlstate: None, hint: None }
    }
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
