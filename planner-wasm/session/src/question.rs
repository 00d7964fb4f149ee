//! What may be asked, as the JSON has it.

use dvt_planner::catalog::RelationSchema;
use dvt_planner::ir::Sink;
use dvt_project::{ComputeName, DialectName, Invocation, RelationRef, TargetName, UniqueId};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::ops::Range;

/// A relation where it stands in the text, as `compile` gives it.
#[derive(Deserialize)]
pub struct Used {
    pub relation: RelationRef,
    pub at: Vec<Range<usize>>,
}

/// A relation as its database described it.
#[derive(Deserialize)]
pub struct Known {
    pub relation: RelationRef,
    pub schema: RelationSchema,
}

/// One query to plan.
#[derive(Deserialize)]
pub struct Request {
    pub unique_id: UniqueId,
    pub sql: String,
    pub relations: Vec<Used>,
    pub dialect: DialectName,
    pub compute: ComputeName,
    pub compute_dialect: DialectName,
    pub target_dialects: BTreeMap<TargetName, DialectName>,
    pub sheets: Vec<String>,
    pub catalog: Vec<Known>,
    pub sink: Sink,
    #[serde(default)]
    pub no_pushdown: bool,
}

/// An adapter plugin's own files.
#[derive(Deserialize)]
pub struct AdapterFiles {
    /// Text of `dialect.toml`.
    pub sheet: String,
    /// The macro package: path to text.
    #[serde(default)]
    pub macros: BTreeMap<String, String>,
}

/// A whole project to explain.
#[derive(Deserialize)]
pub struct Question {
    /// Path from the project's root to text; `profiles.yml` and `computes.yml` at the root are the profile and computes.
    pub files: BTreeMap<String, String>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    #[serde(default)]
    pub vars: Map<String, Value>,
    /// `--target`, `--compute`.
    #[serde(default)]
    pub target: Option<String>,
    #[serde(default)]
    pub compute: Option<String>,
    /// Adapter type to its plugin's files.
    pub adapters: BTreeMap<String, AdapterFiles>,
    /// Compute type to the dialect that its engine runs.
    pub computes: BTreeMap<String, DialectName>,
    pub implicit_compute: String,
    /// Relations as their databases described them; what a model's text tells goes before that.
    pub catalog: Vec<Known>,
    #[serde(default)]
    pub invocation: Invocation,
}
