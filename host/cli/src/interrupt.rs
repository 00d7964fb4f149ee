//! Ctrl-C: the first ends running queries and lets the run close its books, the second ends the process. Where a question waits
//! for its answer nothing runs, and the first ends the process.

use crate::command::ask::WAITING;
use dvt_run::Cancellation;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub fn watch(cancel: Arc<Cancellation>) {
    // Without the handler Ctrl-C still ends the process, only less tidily.
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if cancel.is_cancelled() || WAITING.load(Ordering::SeqCst) {
                // The default of the signal: ends the process by it.
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
            cancel.cancel();
        }
    });
}
