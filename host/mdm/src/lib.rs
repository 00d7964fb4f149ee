//! What dvt remembers between runs: syntax rules, the catalog of every relation seen, the history of runs.
//!
//! One file of the embedded engine, `mdm.duckdb`, which lets one process in at a time. So a run appends its facts
//! to a spool file of its own and folds them in at its end under a short lock; a busy file costs nothing but
//! freshness: the spool stays for the next run, readers use what they copied or go without.
//! Not here: what the facts mean; nothing in a run depends on them.

mod fact;
mod rules;
mod schema;
mod spool;
mod store;

pub use fact::{ColumnFact, Fact, MovementFact, NodeFact, ReadFact, RelationFact, RunFact};
pub use rules::rules_of;
pub use schema::SCHEMA_VERSION;
pub use spool::Spool;
pub use store::{Folded, Mdm, Summary};

/// Why the memory cannot be used now. Never fatal to a run.
#[derive(Debug, thiserror::Error)]
pub enum MdmError {
    #[error("`{path}` is in use by another process")]
    Busy { path: String },
    #[error("`{path}`: {message}")]
    Io { path: String, message: String },
    #[error("`{path}` has schema version {found}, this dvt knows {known}")]
    Newer { path: String, found: i64, known: i64 },
    #[error("`{path}`: {source}")]
    Engine { path: String, source: dvt_engine::EngineError },
}

impl MdmError {
    pub fn diagnostic(&self) -> dvt_diagnostic::Diagnostic {
        use dvt_diagnostic::{Code, Diagnostic};
        let code = if matches!(self, Self::Newer { .. }) { Code::EngineVersion } else { Code::MdmBusy };
        let note = Diagnostic::note(code, self.to_string());
        match self {
            Self::Busy { .. } => note.hint("its facts are folded in by the next run"),
            Self::Newer { .. } => note.hint("run the newer dvt, or move the file away"),
            Self::Io { .. } | Self::Engine { .. } => note,
        }
    }
}
