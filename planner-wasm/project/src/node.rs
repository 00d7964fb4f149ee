//! The resources of a project after parsing: what selection, compilation and the run see.
//!
//! Here: what runs and what is read. Not here: what YAML alone describes (`resource.rs`).

use crate::names::{AdapterType, ComputeName, DialectName, RelationName, TargetName, UniqueId};
use crate::nodes::Nodes;
use crate::resource::{Described, Group, UnitTest};
use crate::shared_config::Config;
use dvt_diagnostic::Span;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceType {
    Model,
    Seed,
    Snapshot,
    Test,
    Analysis,
    #[default]
    Operation,
    /// A user-defined function of `functions/`; it is parsed and listed, dvt does not create it.
    Function,
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
            Self::Function => "function",
        }
    }
}

/// SPEC T3.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExecutionPath {
    #[default]
    Pushdown,
    Federation,
}

/// A node that runs: model, seed, snapshot, test, analysis, hook operation.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Node {
    pub unique_id: UniqueId,
    pub resource_type: ResourceType,
    pub name: String,
    pub package: String,
    /// Relative to its package's root, with `/` (dbt's `original_file_path`).
    pub path: String,
    /// Where in `path` the part below the resource folder starts, in bytes (dbt's `path`).
    pub below: u32,
    pub fqn: Vec<String>,
    /// The template text (body of the file, the snapshot block, the generated generic-test call).
    pub raw_code: String,
    pub language: String,
    /// Merged config, every key, dbt's precedence applied; includes `target`, `compute`, `dialect` where set.
    pub config: Config,
    /// Config keys that the project file, the properties and the file's own `config()` set, templates unrendered.
    pub unrendered_config: Config,
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
    /// The names that dbt's macros give, also where nothing is built (ephemerals, tests).
    pub database: Option<String>,
    pub schema: Option<String>,
    /// None for ephemeral models, tests without stored failures, operations.
    pub relation: Option<RelationName>,
    pub alias: String,
    pub depends_on: DependsOn,
    pub refs: Vec<RefCall>,
    pub sources: Vec<(String, String)>,
    /// Arguments of each `metric()`.
    pub metrics: Vec<Vec<String>>,
    pub execution: ExecutionPath,
    /// For generic tests: what it tests.
    pub test: Option<TestFacts>,
    pub checksum: String,
    /// Place of the resource's definition (for generic tests: the YAML key).
    pub span: Span,
    pub patch_path: Option<String>,
    /// Names of the docs blocks that the description reads.
    pub doc_blocks: Vec<String>,
    /// What versions, contracts, constraints and functions add; None for most nodes.
    pub facts: Option<Box<NodeFacts>>,
    /// Disabled because what it reads is: dbt lists such a test among the nodes.
    pub orphaned: bool,
    /// For operations: the place among the hooks of their package.
    pub index: Option<usize>,
}

/// Properties that few nodes have.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeFacts {
    /// A number or text, as the properties say it.
    pub version: Option<Value>,
    pub latest_version: Option<Value>,
    /// ISO 8601.
    pub deprecation_date: Option<String>,
    /// Model-level constraints, in dbt's full form.
    pub constraints: Vec<Value>,
    pub primary_key: Vec<String>,
    pub time_spine: Option<Value>,
    /// Of an enforced contract: sha256 over columns, types and constraints.
    pub contract_checksum: Option<String>,
    /// For functions.
    pub arguments: Vec<Value>,
    pub returns: Option<Value>,
}

impl Node {
    /// The properties that few nodes have; all empty for the others.
    pub fn facts(&self) -> &NodeFacts {
        static NONE: NodeFacts = NodeFacts {
            version: None,
            latest_version: None,
            deprecation_date: None,
            constraints: Vec::new(),
            primary_key: Vec::new(),
            time_spine: None,
            contract_checksum: None,
            arguments: Vec::new(),
            returns: None,
        };
        self.facts.as_deref().unwrap_or(&NONE)
    }
    pub fn facts_mut(&mut self) -> &mut NodeFacts {
        self.facts.get_or_insert_default()
    }
    /// The file name of a generic test's compiled text: its name, cut when it is long (then it is the alias).
    pub fn test_file(&self) -> Option<String> {
        self.test.as_ref().filter(|t| t.generic.is_some())?;
        let long = self.name.chars().count() >= 64 && !self.alias.is_empty();
        Some(format!("{}.sql", if long { &self.alias } else { &self.name }))
    }
    /// Where the node's text names something in quotes; else where the node is defined.
    pub fn place_of_name(&self, name: &str) -> Span {
        let at = ["'", "\""].iter().find_map(|q| self.raw_code.find(&format!("{q}{name}{q}")));
        match at {
            Some(at) if self.test.as_ref().is_none_or(|t| t.generic.is_none()) && self.span.line == 1 => {
                let (line, column) = dvt_diagnostic::LineIndex::new(&self.raw_code).position(&self.raw_code, at);
                Span::new(&self.span.file, line, column)
            }
            _ => self.span.clone(),
        }
    }
    /// Where the node's text says `key=`, as in a config call; else where the node is defined.
    pub fn place_of(&self, key: &str) -> Span {
        let plain = self.test.as_ref().is_none_or(|t| t.generic.is_none()) && self.span.line == 1;
        let found = self.raw_code.match_indices(key).find(|(at, _)| {
            let after = self.raw_code[at + key.len()..].trim_start();
            let part = self.raw_code[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            !part && after.starts_with('=') && !after.starts_with("==")
        });
        match found {
            Some((at, _)) if plain => {
                let (line, column) = dvt_diagnostic::LineIndex::new(&self.raw_code).position(&self.raw_code, at);
                Span::new(&self.span.file, line, column)
            }
            _ => self.span.clone(),
        }
    }
    /// The group of its config.
    pub fn group(&self) -> Option<&str> {
        self.config_str("group")
    }
    /// `private`, `protected` or `public`.
    pub fn access(&self) -> &str {
        self.config_str("access").unwrap_or("protected")
    }
    /// dbt's `search_name`: with the version for versioned models.
    pub fn search_name(&self) -> String {
        match &self.facts().version {
            Some(version) => format!("{}.v{}", self.name, version_text(version)),
            None => self.name.clone(),
        }
    }
    pub fn config_str(&self, key: &str) -> Option<&str> {
        self.config.get(key).and_then(Value::as_str)
    }
    pub fn materialized(&self) -> &str {
        self.config_str("materialized").unwrap_or("view")
    }
    /// Whether a test's rows are kept; `usual` where its config says nothing.
    pub fn stores_failures(&self, usual: bool) -> bool {
        match self.config_str("store_failures_as") {
            Some("ephemeral") => false,
            Some(_) => true,
            None => self.config.get("store_failures").and_then(Value::as_bool).unwrap_or(usual),
        }
    }
    pub fn is_ephemeral(&self) -> bool {
        self.resource_type == ResourceType::Model && self.materialized() == "ephemeral"
    }
}

/// A version as it stands in names: `1`, `2.5`, `beta`.
pub fn version_text(version: &Value) -> String {
    version.as_str().map_or_else(|| version.to_string(), str::to_owned)
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DependsOn {
    pub macros: Vec<String>,
    /// unique_ids of nodes and sources, in order of first use.
    pub nodes: Vec<UniqueId>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefCall {
    pub name: String,
    pub package: Option<String>,
    /// A number or text, as the call gives it.
    pub version: Option<Value>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ColumnProperties {
    pub name: String,
    pub description: String,
    pub data_type: Option<String>,
    pub meta: Map<String, Value>,
    pub tags: Vec<String>,
    /// In dbt's full form.
    pub constraints: Vec<Value>,
    pub quote: Option<bool>,
    pub doc_blocks: Vec<String>,
    /// `granularity`, `dimension`, `entity`, and keys that dbt does not know, as written.
    pub extra: Map<String, Value>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TestFacts {
    /// `not_null`, `unique`, … ; None for singular tests.
    pub generic: Option<String>,
    pub namespace: Option<String>,
    pub kwargs: Map<String, Value>,
    pub column: Option<String>,
    /// Node or source the test is declared on.
    pub attached: Option<UniqueId>,
    /// `models.orders`, `sources.crm`: the properties that declare it.
    pub file_key: String,
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
    pub config: Config,
    pub unrendered_config: Config,
    pub meta: Map<String, Value>,
    /// The meta of the whole source, without the table's.
    pub source_meta: Map<String, Value>,
    pub tags: Vec<String>,
    pub loader: String,
    pub loaded_at_field: Option<String>,
    pub loaded_at_query: Option<String>,
    pub freshness: Option<Value>,
    pub external: Option<Value>,
    pub doc_blocks: Vec<String>,
    /// `database` and `schema` as the properties write them.
    pub written: (Option<String>, Option<String>),
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
    /// What properties files say about it.
    pub properties: MacroProperties,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MacroProperties {
    /// `{name, type, description}` each.
    pub arguments: Vec<Value>,
    pub meta: Map<String, Value>,
    pub docs: Option<Value>,
    pub config: Map<String, Value>,
    pub patch_path: Option<String>,
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
    /// Where in `path` the part below the resource folder starts, in bytes.
    pub below: u32,
    pub fqn: Vec<String>,
    pub depends_on: Vec<UniqueId>,
    pub macros: Vec<String>,
    pub refs: Vec<RefCall>,
    pub sources: Vec<(String, String)>,
    /// Arguments of each `metric()`.
    pub metrics: Vec<Vec<String>>,
    pub config: Config,
    pub unrendered_config: Config,
    pub tags: Vec<String>,
    pub meta: Map<String, Value>,
    /// The YAML entry, rendered, with the merged `tags`, `meta` and `config`.
    pub raw: Map<String, Value>,
}

/// A `{% docs %}` block.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocBlock {
    pub text: String,
    /// The Markdown file, from its package's root, and below its resource folder.
    pub file: String,
    pub path: String,
}

/// A parsed project. Maps are ordered by unique_id.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Manifest {
    pub project_name: String,
    pub profile_name: String,
    /// The run's default target (SPEC T1).
    pub default_target: TargetName,
    pub targets: BTreeMap<TargetName, Target>,
    pub computes: BTreeMap<ComputeName, Compute>,
    pub default_compute: ComputeName,
    pub nodes: Nodes,
    pub sources: BTreeMap<UniqueId, SourceTable>,
    pub macros: BTreeMap<UniqueId, MacroDef>,
    /// `doc.<package>.<name>` to the block.
    pub docs: BTreeMap<String, DocBlock>,
    pub exposures: BTreeMap<UniqueId, Exposure>,
    pub groups: BTreeMap<UniqueId, Group>,
    pub unit_tests: BTreeMap<UniqueId, UnitTest>,
    pub metrics: BTreeMap<UniqueId, Described>,
    pub semantic_models: BTreeMap<UniqueId, Described>,
    pub saved_queries: BTreeMap<UniqueId, Described>,
    pub functions: Nodes,
    /// The statements of on-run-start and on-run-end, as dbt lists them.
    pub operations: Nodes,
    /// Nodes and functions whose config says `enabled: false`.
    pub disabled: Nodes,
    pub disabled_sources: BTreeMap<UniqueId, SourceTable>,
    pub disabled_exposures: BTreeMap<UniqueId, Exposure>,
    pub disabled_unit_tests: BTreeMap<UniqueId, UnitTest>,
    /// Metrics, semantic models and saved queries.
    pub disabled_described: BTreeMap<UniqueId, Described>,
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
    /// The selectors of selectors.yml, as `manifest.json` lists them.
    pub selectors: Map<String, Value>,
    /// Where the project is on the host, for seeds in `manifest.json`.
    pub root_path: Option<String>,
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
    /// A copy without `nodes` and `disabled`, which are most of it.
    pub fn without_nodes(&self) -> Self {
        let Self {
            project_name, profile_name, default_target, targets, computes, default_compute, nodes: _, sources, macros, docs, exposures, groups,
            unit_tests, metrics, semantic_models, saved_queries, functions, operations, disabled: _, disabled_sources, disabled_exposures,
            disabled_unit_tests, disabled_described, on_run_start, on_run_end, packages, dispatch, vars, flags, project, selectors, root_path, adapters,
        } = self;
        Self {
            project_name: project_name.clone(),
            profile_name: profile_name.clone(),
            default_target: default_target.clone(),
            targets: targets.clone(),
            computes: computes.clone(),
            default_compute: default_compute.clone(),
            nodes: Nodes::default(),
            sources: sources.clone(),
            macros: macros.clone(),
            docs: docs.clone(),
            exposures: exposures.clone(),
            groups: groups.clone(),
            unit_tests: unit_tests.clone(),
            metrics: metrics.clone(),
            semantic_models: semantic_models.clone(),
            saved_queries: saved_queries.clone(),
            functions: functions.clone(),
            operations: operations.clone(),
            disabled: Nodes::default(),
            disabled_sources: disabled_sources.clone(),
            disabled_exposures: disabled_exposures.clone(),
            disabled_unit_tests: disabled_unit_tests.clone(),
            disabled_described: disabled_described.clone(),
            on_run_start: on_run_start.clone(),
            on_run_end: on_run_end.clone(),
            packages: packages.clone(),
            dispatch: dispatch.clone(),
            vars: vars.clone(),
            flags: flags.clone(),
            project: project.clone(),
            selectors: selectors.clone(),
            root_path: root_path.clone(),
            adapters: adapters.clone(),
        }
    }
    /// The target that holds what a unique_id names; None for ephemerals and unknown ids.
    pub fn target_of(&self, id: &UniqueId) -> Option<&TargetName> {
        if let Some(s) = self.sources.get(id) {
            return Some(&s.connection);
        }
        self.nodes.get(id).filter(|n| !n.is_ephemeral()).map(|n| &n.target)
    }
}
