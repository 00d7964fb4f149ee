//! Entry points.

use crate::compiled::{Compiled, Materialized, TestQuery};
use crate::runtime::Runtime;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_project::{HookDef, Manifest, ProjectInput, RelationName, UniqueId};
use serde_json::Value;
use std::sync::Arc;

/// A parsed project.
#[derive(Debug, Clone)]
pub struct Parsed {
    pub manifest: Manifest,
    pub warnings: Vec<Diagnostic>,
}

/// Reads a whole project; `execute` is false in every template.
///
/// # Errors
/// Every problem of the stage that failed.
pub fn parse(_input: &ProjectInput) -> Result<Parsed, Vec<Diagnostic>> {
    Err(vec![Diagnostic::error(Code::Internal, "not yet")])
}

/// The macros of one manifest, ready to render its nodes. Cheap to share between threads.
#[derive(Debug, Clone)]
pub struct Engine {
    manifest: Arc<Manifest>,
}

fn later<T>() -> Result<T, Diagnostic> {
    Err(Diagnostic::error(Code::Internal, "not yet"))
}

impl Engine {
    /// # Errors
    /// A macro that cannot be parsed.
    pub fn new(manifest: Arc<Manifest>, _input: &ProjectInput) -> Result<Self, Vec<Diagnostic>> {
        Ok(Self { manifest })
    }
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }
    /// Renders a node's SQL with its ephemeral parents inlined; `execute` is true exactly when a runtime is given.
    pub fn compile(&self, _id: &UniqueId, _runtime: Option<Arc<dyn Runtime>>) -> Result<Compiled, Diagnostic> {
        later()
    }
    /// Renders text as a node of that target would see it (`show --inline`).
    pub fn compile_inline(&self, _text: &str, _runtime: Option<Arc<dyn Runtime>>) -> Result<Compiled, Diagnostic> {
        later()
    }
    /// The counting query of a test, around its compiled text.
    pub fn test_query(&self, _id: &UniqueId, _compiled: &Compiled) -> Result<TestQuery, Diagnostic> {
        later()
    }
    /// Runs the node's materialization macro with its hooks. `staged` is the table that already holds the rows of a
    /// federated node; `sql` then selects from it.
    pub fn materialize(&self, _id: &UniqueId, _sql: &str, _staged: Option<&RelationName>, _runtime: Arc<dyn Runtime>) -> Result<Materialized, Diagnostic> {
        later()
    }
    /// Creates a schema on a target if it is missing (the `create_schema` macro).
    pub fn create_schema(&self, _target: &dvt_project::TargetName, _name: &RelationName, _runtime: Arc<dyn Runtime>) -> Result<(), Diagnostic> {
        later()
    }
    /// Runs an on-run-start or on-run-end statement; `results` is what dbt's `results` shows.
    pub fn run_hook(&self, _hook: &HookDef, _runtime: Arc<dyn Runtime>, _results: &[Value]) -> Result<(), Diagnostic> {
        later()
    }
}
