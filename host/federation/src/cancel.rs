//! Ending what runs: one switch for a whole run, and the statements it has to stop.
//!
//! Not here: who pulls the switch.

use dvt_engine::Canceller;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Shared by everything that runs statements in one run.
#[derive(Default)]
pub struct Cancellation {
    pulled: AtomicBool,
    next: AtomicU64,
    running: Mutex<BTreeMap<u64, Canceller>>,
}

impl Cancellation {
    /// Ends every watched statement and refuses further ones.
    pub fn cancel(&self) {
        self.pulled.store(true, Ordering::SeqCst);
        for cancel in self.running.lock().unwrap_or_else(PoisonError::into_inner).values() {
            cancel();
        }
    }

    pub fn is_cancelled(&self) -> bool {
        self.pulled.load(Ordering::SeqCst)
    }

    /// Watches a session until the guard goes. A session that comes after the switch was pulled is ended at once.
    pub fn watch(&self, canceller: Canceller) -> Watch<'_> {
        let id = self.next.fetch_add(1, Ordering::SeqCst);
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_cancelled() {
            canceller();
        }
        running.insert(id, canceller);
        Watch { cancellation: self, id }
    }
}

/// Ends the watching when dropped.
pub struct Watch<'a> {
    cancellation: &'a Cancellation,
    id: u64,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.cancellation.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}
