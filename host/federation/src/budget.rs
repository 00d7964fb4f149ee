//! What a plan may move: `max_rows_extracted` and `max_bytes_moved`.
//!
//! Checked before anything moves where a source's own count is certain, and while it moves, over all scans together. Passing
//! a limit fails the plan as a failed read does: nothing is published.

use crate::execute::Movement;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_engine::{EngineError, ErrorKind};
use dvt_planner::explain::{grouped, sized};
use std::sync::atomic::{AtomicU64, Ordering};

/// Limits of one plan; None: no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Budget {
    pub rows: Option<u64>,
    /// Bytes of Arrow buffers, as they are counted in `explain`.
    pub bytes: Option<u64>,
}

/// What has been moved of it.
#[derive(Default)]
pub(crate) struct Spent {
    rows: AtomicU64,
    bytes: AtomicU64,
}

const HINT: &str = "raise the limit, filter the model, or read less: `dvt explain` shows what each source is asked";

impl Budget {
    /// Counts a batch; Err when the plan has then moved more than it may.
    pub(crate) fn spend(&self, spent: &Spent, rows: u64, bytes: u64) -> Result<(), EngineError> {
        let rows = spent.rows.fetch_add(rows, Ordering::SeqCst) + rows;
        let bytes = spent.bytes.fetch_add(bytes, Ordering::SeqCst) + bytes;
        let over = |what: String| Err(EngineError::new(ErrorKind::Budget, what).hint(HINT));
        match self {
            Self { rows: Some(most), .. } if rows > *most => {
                over(format!("{} rows were read, max_rows_extracted is {}", grouped(rows), grouped(*most)))
            }
            Self { bytes: Some(most), .. } if bytes > *most => {
                over(format!("{} rows with {} were read, max_bytes_moved is {}", grouped(rows), sized(bytes), sized(*most)))
            }
            _ => Ok(()),
        }
    }

    /// What was moved where nobody counted on the way: a compute outside the host reads its sources itself.
    ///
    /// # Errors
    /// `DVT4003` naming the scan with the most rows.
    pub fn kept(&self, movements: &[Movement]) -> Result<(), Diagnostic> {
        let spent = Spent::default();
        let sum = |of: fn(&Movement) -> u64| movements.iter().map(of).sum::<u64>();
        self.spend(&spent, sum(|m| m.rows), sum(|m| m.bytes)).map_err(|error| {
            let most = movements.iter().max_by_key(|m| m.rows);
            let what = most.map(|m| format!("`{}` of target `{}`", m.relation.as_ref().map_or("", |r| &r.identifier), m.source));
            Diagnostic::error(Code::BudgetExceeded, format!("{}: {}", what.unwrap_or_default(), error.message)).hint(HINT)
        })
    }

    /// What a source counts beforehand for one scan of `what`.
    pub(crate) fn allows(&self, rows: u64, what: &str) -> Result<(), Diagnostic> {
        match self.rows {
            Some(most) if rows > most => {
                let message = format!("{what}: it has {} rows to read, max_rows_extracted is {}", grouped(rows), grouped(most));
                Err(Diagnostic::error(Code::BudgetExceeded, message).hint(HINT))
            }
            _ => Ok(()),
        }
    }
}
