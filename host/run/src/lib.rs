//! Tasks over a project: scheduling, live databases, nodes, artifacts, and the lines a person reads.
//!
//! Everything a command does but reading its arguments. No product is named here: adapters and computes are
//! plugins. Not here: SQL generation, pushdown, drivers.

mod artifacts;
pub mod batches;
mod choose;
mod cluster;
mod contract;
mod csv;
mod database;
mod discover;
mod failure;
mod history;
pub mod home;
mod infer;
mod introspect;
mod kept_parse;
mod log;
mod native;
mod node;
mod packages;
mod plugins;
mod pool;
mod printer;
mod progress;
mod project;
mod schedule;
mod settings;
mod sync;
pub mod task;
mod types;
mod values;

pub use dvt_federation::Cancellation;
pub use cluster::ways::{Split, Way};
pub use discover::{log_folder, project_flags};
pub use log::{Level, LogFile};
pub use printer::{Format, Look, Printer, Stream};
pub use project::{Project, new_invocation};
pub use settings::Settings;
