//! Logs: what happened ([`Event`]), and the file that keeps it.

mod event;
mod file;

pub use event::{Event, Level, named};
pub use file::LogFile;

use std::cell::RefCell;

thread_local! {
    static THREAD: RefCell<String> = RefCell::new("MainThread".to_owned());
}

/// Names this thread in the logs, as dbt does: `Thread-1 (worker)`.
pub fn name_thread(name: String) {
    THREAD.with(|t| *t.borrow_mut() = name);
}

pub fn thread_name() -> String {
    THREAD.with(|t| t.borrow().clone())
}
