//! What is known about relations when a model is planned.

use crate::types::CanonicalType;
use dvt_project::RelationRef;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a text column compares at its source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Collation {
    /// Equal only if the bytes are equal.
    Binary,
    /// Equal values may differ in bytes (case, accents, trailing blanks): `=` keeps more, `<>` keeps less.
    Loose,
    /// Of decimals: all have the digits of their type, but zeros may have fewer. (`Loose` ones may have any.)
    Zeros,
    #[default]
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnSchema {
    pub name: String,
    pub native: String,
    /// None when the type cannot be carried; `refused` says why.
    pub canonical: Option<CanonicalType>,
    #[serde(default)]
    pub refused: Option<String>,
    #[serde(default)]
    pub collation: Collation,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RelationSchema {
    pub columns: Vec<ColumnSchema>,
    /// Estimates of the source.
    #[serde(default)]
    pub rows: Option<u64>,
    #[serde(default)]
    pub bytes: Option<u64>,
    /// Columns that together are alike in no two rows, set by set. What a plan costs follows from it, never what it means.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unique: Vec<Vec<String>>,
}

/// Relations by target and name.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    relations: BTreeMap<RelationRef, RelationSchema>,
}

impl Catalog {
    pub fn insert(&mut self, relation: RelationRef, schema: RelationSchema) {
        self.relations.insert(relation, schema);
    }
    pub fn relation(&self, relation: &RelationRef) -> Option<&RelationSchema> {
        self.relations.get(relation)
    }
}
