//! Loads plugins and calls them: WebAssembly components under wasmtime, Extism modules behind the same traits.
//!
//! A plugin has no file, clock, environment or network. Memory, time and output of every call are limited; a trap or a
//! limit is a coded message that names the plugin, and the next call works again. Not here: what plugins know.

mod bindings;
mod cache;
mod component;
mod extism_module;
mod manifest;
mod registry;
mod runtime;

pub use manifest::{Encoding, PluginKind, PluginManifest};
pub use registry::{Listed, Registry};
pub use runtime::Limits;

use dvt_diagnostic::Diagnostic;
use dvt_planner::dialect::DialectSheet;
use dvt_planner::types::CanonicalType;
use dvt_project::{AdapterFacts, RelationName};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// How the host reaches a target. No secret is in it: `secret_options` names the profile key for a driver's option.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectPlan {
    pub driver: String,
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// Driver option to profile key.
    #[serde(default)]
    pub secret_options: BTreeMap<String, String>,
    #[serde(default)]
    pub session_setup: Vec<String>,
    /// Equal for equal databases; without secrets.
    pub endpoint: String,
}

/// A column as its database describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeColumn {
    pub name: String,
    pub native: String,
    #[serde(default)]
    pub collation: Option<String>,
}

/// The canonical type of a column, or why it cannot be carried.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedColumn {
    #[serde(default)]
    pub canonical: Option<CanonicalType>,
    #[serde(default)]
    pub refused: Option<String>,
}

/// What an error of a product means.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classified {
    pub code: String,
    #[serde(default)]
    pub hint: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    pub merge_statement: bool,
    pub transactional_ddl: bool,
    pub materialized_view: bool,
}

/// What a compute plugin asks the host to start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnginePlan {
    /// An engine the host lends.
    pub engine: String,
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    pub dialect: String,
}

/// A database product.
pub trait Adapter: Send + Sync + std::fmt::Debug {
    fn manifest(&self) -> &PluginManifest;
    fn sheet(&self) -> &DialectSheet;
    /// The sheet as its author wrote it.
    fn sheet_text(&self) -> &str;
    /// Path to text of the plugin's macro package.
    fn macro_package(&self) -> &BTreeMap<String, String>;
    fn adapter_facts(&self) -> &AdapterFacts {
        &self.sheet().profile
    }
    /// `profile`: the target's keys without secrets; `secrets`: the keys that have one.
    fn connect(&self, profile: &Value, secrets: &[String]) -> Result<ConnectPlan, Diagnostic>;
    /// One row per column: database, schema, name, kind, column_name, position, native_type, nullable, collation,
    /// est_rows, est_bytes.
    fn catalog_sql(&self, relations: &[RelationName]) -> Result<String, Diagnostic>;
    /// One row per relation of a schema: database, schema, name, kind.
    fn list_sql(&self, database: Option<&str>, schema: &str) -> Result<String, Diagnostic>;
    fn map_native(&self, columns: &[NativeColumn]) -> Result<Vec<MappedColumn>, Diagnostic>;
    fn ddl_types(&self, types: &[CanonicalType]) -> Result<Vec<String>, Diagnostic>;
    fn classify_error(&self, sqlstate: Option<&str>, message: &str) -> Result<Classified, Diagnostic>;
    fn capabilities(&self, server_version: &str) -> Result<Capabilities, Diagnostic>;
}

/// A compute engine.
pub trait ComputePlugin: Send + Sync + std::fmt::Debug {
    fn manifest(&self) -> &PluginManifest;
    /// `config`: the entry of computes.yml as JSON.
    fn plan(&self, config: &Value) -> Result<EnginePlan, Diagnostic>;
    fn map_native(&self, columns: &[NativeColumn]) -> Result<Vec<MappedColumn>, Diagnostic>;
}
