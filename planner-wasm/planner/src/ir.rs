//! The federated plan: plain values, serialisable, equal natively and in WebAssembly.

use crate::types::CanonicalType;
use dvt_diagnostic::Code;
use dvt_project::{ComputeName, DialectName, RelationName, TargetName, UniqueId};
use serde::{Deserialize, Serialize};

/// Everything one federated model does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FederatedPlan {
    pub unique_id: UniqueId,
    pub target: TargetName,
    pub compute: ComputeName,
    pub dialect: DialectName,
    pub scans: Vec<RemoteScan>,
    /// Whole queries; with one of them there is no residual.
    pub delegates: Vec<Delegate>,
    pub residual: Option<Residual>,
    pub sink: Sink,
    pub notes: Vec<Note>,
}

/// One read of one relation. `name` is the view that the residual reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RemoteScan {
    pub name: String,
    pub source: TargetName,
    pub relation: RelationName,
    /// In the source's dialect.
    pub sql: String,
    pub columns: Vec<ScanColumn>,
    pub pushed: Vec<Pushed>,
    pub kept: Vec<Kept>,
    pub limit: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScanColumn {
    pub name: String,
    pub native: String,
    pub canonical: CanonicalType,
}

/// How a remote predicate relates to the local one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PushClass {
    /// The source keeps exactly the rows that the model keeps.
    Exact,
    /// The source keeps those and maybe more; the residual filters again.
    Superset,
}

/// A conjunct that the source evaluates (too).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pushed {
    /// As the model has it.
    pub sql: String,
    /// As the source gets it.
    pub remote: String,
    pub class: PushClass,
}

/// A conjunct that only the compute evaluates, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    pub sql: String,
    pub code: Code,
    pub reason: String,
}

/// A whole query that one database answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delegate {
    pub name: String,
    pub source: TargetName,
    pub sql: String,
    pub relations: Vec<RelationName>,
}

/// The model's own text over the scans.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Residual {
    pub sql: String,
}

/// Where the result goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sink {
    pub target: TargetName,
    pub relation: RelationName,
    pub materialized: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Note {
    pub code: Code,
    pub message: String,
}
