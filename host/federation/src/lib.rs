//! Executes a federated plan: scans in parallel, through bounded streams, into the compute.
//!
//! Decides nothing: which SQL each source gets and what the compute runs stand in the plan.

mod arrow_types;
mod execute;

pub use arrow_types::arrow_type;
pub use execute::{Computed, Movement, Sources, execute};
