//! The federated plan: plain values, serialisable, equal natively and in WebAssembly.

use crate::dialect::Estimate;
use crate::types::CanonicalType;
use dvt_diagnostic::Code;
use dvt_project::{ComputeName, DialectName, RelationName, TargetName, UniqueId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
    /// What may be reduced by what once it has been read; [`crate::reduce::arrange`] chooses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reductions: Vec<Reduction>,
    /// Whether scans of one relation may be one read.
    #[serde(default)]
    pub shares: bool,
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
    /// Rows of the whole relation, as its source estimates them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// How the source is asked how many rows `sql` gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimate>,
}

/// Rows of `scan` that meet no row of the scan `by` are in no row of the result: its `column` may be asked for the values that
/// `key` has there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reduction {
    pub scan: String,
    pub column: String,
    pub by: String,
    pub key: String,
    pub canonical: CanonicalType,
    /// `column` in the words of the scan's source.
    pub quoted: String,
    /// The literal around a key's plain text `{}`.
    pub literal: String,
    /// An alternative for rows that the source would compare differently.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unless: Option<String>,
    /// Whether the source may be asked for all from the least key to the largest.
    #[serde(default)]
    pub ranges: bool,
    /// The most keys of one list, and the most bytes of their literals.
    pub most: u64,
    pub bytes: u64,
    /// How more keys are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub array: Option<KeyLiteral>,
}

impl Reduction {
    /// The most keys of one condition.
    pub fn most(&self) -> u64 {
        self.array.as_ref().map_or(self.most, |a| a.most.max(self.most))
    }
}

/// Keys as one literal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyLiteral {
    /// The condition around the elements `{keys}`.
    pub sql: String,
    /// The element around a key's plain text `{}`.
    pub element: String,
    /// Fewer keys are listed.
    pub from: u64,
    pub most: u64,
    /// Of the elements.
    pub bytes: u64,
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
    /// The compute does not ask it again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settled: bool,
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
    /// Statements that `sql` needs to have run in its session.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub setup: Vec<String>,
    pub sql: String,
    /// Types of the result's columns that an engine may hold as another (a UUID as text), as far as the text tells: by the
    /// column's name in lower case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub passed: BTreeMap<String, CanonicalType>,
}

impl Residual {
    pub fn new(setup: Vec<String>, sql: String) -> Self {
        Self { setup, sql, passed: BTreeMap::new() }
    }

    /// The type that a column of the result has where the engine may have told another.
    pub fn passed(&self, column: &str) -> Option<CanonicalType> {
        self.passed.get(&column.to_lowercase()).copied()
    }
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
