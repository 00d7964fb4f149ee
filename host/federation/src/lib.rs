//! Executes a federated plan: scans in parallel, through bounded streams, into the compute, and lands the
//! result in a staging table on its target.
//!
//! Decides nothing: which SQL each source gets and what the compute runs stand in the plan; how a product
//! names a type, its plugin says. Publishing the staging table is the materialization macro's work.

mod arrow_types;
mod budget;
mod cancel;
mod estimate;
mod execute;
mod gate;
mod journal;
mod landing;
mod outside;
mod shared;
mod staging;
mod turn;

pub use dvt_plugin_host::{arrow_type, canonical_type};
pub use budget::Budget;
pub use cancel::{Cancellation, Watch};
pub use estimate::answer;
pub use execute::{Computed, Context, Estimates, History, Movement, Origin, Progress, Reading, ResultColumn, ResultSink, Silent, Sources, Types, execute, run};
pub use journal::{Journal, Leftover};
pub use landing::{Landed, LandedColumn, Landing, land, load_batches};
pub use outside::Outer;
pub use shared::{SharedReads, Sharing};
pub use staging::{drop_table, staging_name};
pub use turn::Turn;
