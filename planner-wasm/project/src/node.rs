//! The resources of a project after parsing: what selection, compilation and the run see.

use crate::names::{AdapterType, ComputeName, DialectName, RelationName, TargetName, UniqueId};
use dvt_diagnostic::Span;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceType {
    Model,
    Seed,
    Snapshot,
    Test,
    Analysis,
    Operation,
}

impl ResourceType {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Seed => "seed",
            Self::Snapshot => "snapshot",
            Self::Test => "test",
            Self::Analysis => "analysis",
            Self::Operation => "operation",
        }
    }
}

/// SPEC T3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExecutionPath {
    Pushdown,
    Federation,
}

/// A node that runs: model, seed, snapshot, test, analysis, hook operation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Node {
    pub unique_id: UniqueId,
    pub resource_type: ResourceType,
    pub name: String,
    pub package: String,
    /// Relative to its package's root, with `/` (dbt's `original_file_path`).
    pub path: String,
    pub fqn: Vec<String>,
    /// The template text (body of the file, the snapshot block, the generated generic-test call).
    pub raw_code: String,
    pub language: String,
    /// Merged config, every key, dbt's precedence applied; includes `target`, `compute`, `dialect` where set.
    pub config: Map<String, Value>,
    /// Config keys set in the file's own `config()` call.
    pub unrendered_config: Map<String, Value>,
    pub tags: Vec<String>,
    pub description: String,
    pub columns: IndexMap<String, ColumnProperties>,
    pub meta: Map<String, Value>,
    /// SPEC T1: where the node is built (for tests: where it runs).
    pub target: TargetName,
    pub adapter: AdapterType,
    /// Dialect the text is written in (SPEC T9).
    pub dialect: DialectName,
    /// The compute a federated run would use (C1).
    pub compute: ComputeName,
    /// None for ephemeral models, tests without stored failures, operations.
    pub relation: Option<RelationName>,
    pub alias: String,
    pub depends_on: DependsOn,
    pub refs: Vec<RefCall>,
    pub sources: Vec<(String, String)>,
    pub execution: ExecutionPath,
    /// For generic tests: what it tests.
    pub test: Option<TestFacts>,
    pub checksum: String,
    /// Place of the resource's definition (for generic tests: the YAML key).
    pub span: Span,
    pub patch_path: Option<String>,
}

impl Node {
    pub fn config_str(&self, key: &str) -> Option<&str> {
        self.config.get(key).and_then(Value::as_str)
    }
    pub fn materialized(&self) -> &str {
        self.config_str("materialized").unwrap_or("view")
    }
    pub fn is_ephemeral(&self) -> bool {
        self.resource_type == ResourceType::Model && self.materialized() == "ephemeral"
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct DependsOn {
    pub macros: Vec<String>,
    /// unique_ids of nodes and sources, in order of first use.
    pub nodes: Vec<UniqueId>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefCall {
    pub name: String,
    pub package: Option<String>,
    pub version: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ColumnProperties {
    pub name: String,
    pub description: String,
    pub data_type: Option<String>,
    pub meta: Map<String, Value>,
    pub tags: Vec<String>,
    pub constraints: Vec<Value>,
    pub quote: Option<bool>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TestFacts {
    /// `not_null`, `unique`, … ; None for singular tests.
    pub generic: Option<String>,
    pub namespace: Option<String>,
    pub kwargs: Map<String, Value>,
    pub column: Option<String>,
    /// Node or source the test is declared on.
    pub attached: Option<UniqueId>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SourceTable {
    pub unique_id: UniqueId,
    pub source_name: String,
    pub name: String,
    pub package: String,
    pub path: String,
    pub fqn: Vec<String>,
    /// The target that holds it (SPEC T2).
    pub connection: TargetName,
    pub relation: RelationName,
    pub quoting: Map<String, Value>,
    pub description: String,
    pub source_description: String,
    pub columns: IndexMap<String, ColumnProperties>,
    pub config: Map<String, Value>,
    pub meta: Map<String, Value>,
    pub tags: Vec<String>,
    pub loader: String,
    pub loaded_at_field: Option<String>,
    pub freshness: Option<Value>,
    pub span: Span,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MacroDef {
    /// `macro.<package>.<name>`; generic tests are `test_<name>`, materializations `materialization_<name>_<adapter>`.
    pub unique_id: UniqueId,
    pub name: String,
    pub package: String,
    pub path: String,
    /// The whole block, from `{% macro` to `{% endmacro %}` (or materialization/test).
    pub text: String,
    pub span: Span,
    pub description: String,
    pub depends_on: Vec<String>,
    /// For materializations: supported languages.
    pub meta: Map<String, Value>,
}

/// One output of the profile, secrets removed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Target {
    pub name: TargetName,
    pub adapter: AdapterType,
    /// Rendered profile keys with aliases resolved; secret values are absent.
    pub keys: Map<String, Value>,
    pub database: Option<String>,
    pub schema: String,
    pub threads: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Compute {
    pub name: ComputeName,
    pub kind: String,
    pub version: Option<String>,
    pub master: Option<String>,
    pub config: Map<String, Value>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Exposure {
    pub unique_id: UniqueId,
    pub name: String,
    pub package: String,
    pub path: String,
    pub fqn: Vec<String>,
    pub depends_on: Vec<UniqueId>,
    /// The YAML entry as written.
    pub raw: Map<String, Value>,
}

/// A parsed project. Node maps are ordered by unique_id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    pub project_name: String,
    pub profile_name: String,
    /// The run's default target (SPEC T1).
    pub default_target: TargetName,
    pub targets: BTreeMap<TargetName, Target>,
    pub computes: BTreeMap<ComputeName, Compute>,
    pub default_compute: ComputeName,
    pub nodes: BTreeMap<UniqueId, Node>,
    pub sources: BTreeMap<UniqueId, SourceTable>,
    pub macros: BTreeMap<UniqueId, MacroDef>,
    pub docs: BTreeMap<String, String>,
    pub exposures: BTreeMap<UniqueId, Exposure>,
    pub disabled: BTreeMap<UniqueId, Node>,
    /// on-run-start and on-run-end statements (templates) in order.
    pub on_run_start: Vec<HookDef>,
    pub on_run_end: Vec<HookDef>,
    /// Installed packages: name to version, the project first.
    pub packages: IndexMap<String, String>,
    /// Macro search order for dispatch: project `dispatch:` config.
    pub dispatch: BTreeMap<String, Vec<String>>,
    /// Global vars and per-package vars as dbt merges them (`--vars` already applied on lookup).
    pub vars: Map<String, Value>,
    pub flags: Map<String, Value>,
    /// The project file as JSON (artifacts and `debug` show it).
    pub project: Map<String, Value>,
    /// Adapter types in use, for which a macro package was loaded.
    pub adapters: BTreeSet<AdapterType>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct HookDef {
    pub sql: String,
    pub transaction: bool,
    /// SPEC T8: a hook may say `connection:`.
    pub connection: Option<String>,
    pub package: String,
}

impl Manifest {
    /// The target that holds what a unique_id names; None for ephemerals and unknown ids.
    pub fn target_of(&self, id: &UniqueId) -> Option<&TargetName> {
        if let Some(s) = self.sources.get(id) {
            return Some(&s.connection);
        }
        self.nodes.get(id).filter(|n| !n.is_ephemeral()).map(|n| &n.target)
    }
}
