//! dbt's Jinja: Python semantics over minijinja, dbt's context, macro dispatch, the adapter object.
//!
//! Pure: what needs a database goes through [`Runtime`]. Not here: SQL semantics, and what a product can do.

mod compiled;
mod engine;
mod runtime;

pub use compiled::{Compiled, Materialized, RelationUse, TestQuery};
pub use engine::{Engine, Parsed, parse};
pub use runtime::{ColumnFacts, Execute, QueryResult, RelationFacts, Runtime};
