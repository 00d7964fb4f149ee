//! Resources that YAML describes and that are no nodes: groups, unit tests, metrics, semantic models, saved queries.

use crate::names::UniqueId;
use crate::node::{DependsOn, RefCall};
use crate::shared_config::Config;
use dvt_diagnostic::Span;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Group {
    pub unique_id: UniqueId,
    pub name: String,
    pub package: String,
    /// Relative to its package's root.
    pub path: String,
    /// Where in `path` the part below the resource folder starts, in bytes.
    pub below: u32,
    /// `name`, `email` and whatever else stands there.
    pub owner: Value,
    pub description: Option<String>,
    pub config: Config,
    pub span: Span,
}

/// A unit test of a model: its inputs and what must come out.
///
/// For a model with versions there is one for each version that is tested.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct UnitTest {
    /// `unit_test.<package>.<model>.<name>`, with `_v<version>` for versioned models.
    pub unique_id: UniqueId,
    pub name: String,
    /// The model's name as written.
    pub model: String,
    pub package: String,
    pub path: String,
    pub below: u32,
    pub fqn: Vec<String>,
    pub description: String,
    /// `enabled`, `tags`, `meta`.
    pub config: Config,
    pub given: Vec<UnitTestInput>,
    pub expect: Fixture,
    pub overrides: Option<UnitTestOverrides>,
    /// The tested model.
    pub depends_on: DependsOn,
    /// The tested model's schema.
    pub schema: Option<String>,
    /// The version of the tested model, for models with versions.
    pub version: Option<Value>,
    /// `include` and `exclude` as written.
    pub versions: Option<Value>,
    /// For `state:modified`.
    pub checksum: String,
    pub span: Span,
}

/// What stands for one `ref`, `source` or `this` of the tested model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UnitTestInput {
    /// The call as written: `ref('a')`, `source('a', 'b')`, `this`.
    pub input: String,
    pub fixture: Fixture,
    pub span: Span,
}

/// Rows as the test gives them; files are read already.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Fixture {
    pub format: FixtureFormat,
    pub rows: FixtureRows,
    /// The file's name without extension, when the rows come from one.
    pub file: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FixtureFormat {
    #[default]
    Dict,
    Csv,
    Sql,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FixtureRows {
    /// For `dict` with the types of YAML, for `csv` text or null. A row without nulls comes first, when there is one.
    Rows(Vec<Map<String, Value>>),
    Sql(String),
}

impl Default for FixtureRows {
    fn default() -> Self {
        Self::Rows(Vec::new())
    }
}

/// What a unit test puts in the place of macros, vars and environment variables.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UnitTestOverrides {
    pub macros: Map<String, Value>,
    pub vars: Map<String, Value>,
    pub env_vars: Map<String, Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DescribedType {
    Metric,
    SemanticModel,
    SavedQuery,
}

impl DescribedType {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Metric => "metric",
            Self::SemanticModel => "semantic_model",
            Self::SavedQuery => "saved_query",
        }
    }
}

/// A metric, semantic model or saved query: kept for the manifest and for selection, never run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Described {
    pub unique_id: UniqueId,
    pub kind: DescribedType,
    pub name: String,
    pub package: String,
    pub path: String,
    pub below: u32,
    pub fqn: Vec<String>,
    pub config: Config,
    pub unrendered_config: Config,
    pub tags: Vec<String>,
    pub depends_on: DependsOn,
    pub refs: Vec<RefCall>,
    /// The other keys of its manifest entry, in dbt's form (`type_params`, `measures`, `query_params`, …).
    pub body: Map<String, Value>,
    pub span: Span,
}

impl Described {
    pub fn group(&self) -> Option<&str> {
        self.config.get("group").and_then(Value::as_str)
    }
}
