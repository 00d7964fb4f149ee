//! What a run tells, one line of its spool each.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    Run(RunFact),
    Node(NodeFact),
    Movement(MovementFact),
    Relation(RelationFact),
    Read(ReadFact),
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunFact {
    pub invocation: String,
    pub project: String,
    pub command: String,
    pub started_at: String,
    pub ended_at: String,
    pub success: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeFact {
    pub invocation: String,
    pub unique_id: String,
    /// `pushdown` or `federation`.
    pub path: String,
    pub target: String,
    pub status: String,
    pub rows: Option<u64>,
    pub seconds: f64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MovementFact {
    pub invocation: String,
    pub unique_id: String,
    pub source: String,
    /// As the source's dialect writes it; empty for a whole query.
    pub relation: String,
    pub rows: u64,
    pub bytes: u64,
}

/// A relation as introspection saw it. Keyed by profile, target and endpoint, so that equal names never mix.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RelationFact {
    pub profile: String,
    pub target: String,
    pub endpoint: String,
    pub database: Option<String>,
    pub schema: Option<String>,
    pub identifier: String,
    pub rows: Option<u64>,
    pub bytes: Option<u64>,
    pub read_at: String,
    pub columns: Vec<ColumnFact>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ColumnFact {
    pub name: String,
    pub native: String,
    pub canonical: Option<String>,
    /// `binary`, `loose`, `unknown`.
    pub collation: String,
    pub refused: Option<String>,
}

/// The rows of a statement whose source could not say them before.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ReadFact {
    pub profile: String,
    pub target: String,
    pub endpoint: String,
    /// A digest of the statement: its text may hold what nobody wants kept.
    pub statement: String,
    pub rows: u64,
    pub read_at: String,
}
