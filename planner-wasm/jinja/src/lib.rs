//! dbt's Jinja: Python semantics over minijinja, dbt's context, macro dispatch, the adapter object.
//!
//! Pure: what needs a database goes through [`Runtime`]. Not here: SQL semantics, and what a product can do.

mod adapter;
mod column;
mod comment;
mod compiled;
mod config;
mod context;
mod contract;
mod engine;
mod errors;
mod exceptions;
mod freshness;
mod global;
mod macros;
mod overlay;
mod parse;
mod python;
mod refs;
mod relation;
mod runtime;
mod scope;
mod source;
mod table;
mod unit;
mod yaml_strings;

pub use compiled::{Compiled, Materialized, RelationUse, Rows, TestQuery};
pub use comment::Asking;
pub use engine::Engine;
pub use freshness::LoadedAt;
pub use overlay::{Batch, Overlay};
pub use parse::{Parsed, parse, parse_with};
pub use unit::{FixtureColumn, UnitInput, UnitOverlay};
pub use yaml_strings::YamlStrings;
pub use runtime::{ColumnFacts, Execute, QueryResult, RelationFacts, Runtime};
