//! Loads plugins and calls them: WebAssembly components under wasmtime, Extism modules behind the same traits.
//!
//! A plugin has no file, clock or environment, and no network but the streams to its own target that a wire plugin is
//! lent. Memory, time and output of every call are limited; a trap or a limit is a coded message that names the plugin,
//! and the next call works again. Not here: what plugins know.

mod adbc;
mod arrow_types;
mod bindings;
mod cache;
mod component;
mod connector;
mod extism_module;
mod failure;
mod grants;
mod manifest;
mod registry;
mod runtime;
mod wire;

pub use adbc::{DriverSheet, LIBRARY_DRIVER};
pub use connector::{Artifact, Connector, ConnectorOptions};
pub use arrow_types::{arrow_type, canonical_type};
pub use failure::code_of;
pub use manifest::{Encoding, PluginKind, PluginManifest};
pub use registry::{Listed, Registry};
pub use runtime::Limits;
pub use wire::OWN_CONNECTION;

use dvt_diagnostic::Diagnostic;
use dvt_engine::{ConnectSpec, Connection, EngineError, ErrorKind, PluginFault};
use dvt_planner::dialect::DialectSheet;
use dvt_planner::types::CanonicalType;
use dvt_project::{AdapterFacts, RelationName};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The manifest of a plugin file's bytes; nothing of it is run.
///
/// # Errors
/// `DVT5002` when it is no plugin, `DVT5008` when it was built for another contract.
pub fn manifest_of(path: &std::path::Path, bytes: &[u8]) -> Result<PluginManifest, Diagnostic> {
    manifest::read(path, bytes).map(|(m, _)| m)
}

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
    /// The sheet as its author wrote it; one that extends another comes whole.
    fn sheet_text(&self) -> &str;
    /// Path to text of the plugin's macro package.
    fn macro_package(&self) -> &BTreeMap<String, String>;
    fn adapter_facts(&self) -> &AdapterFacts {
        &self.sheet().profile
    }
    /// `profile`: the target's keys without secrets; `secrets`: the keys that have one.
    fn connect(&self, profile: &Value, secrets: &[String]) -> Result<ConnectPlan, Diagnostic>;
    /// One row per column: database, schema, name, kind, column_name, position, native_type, nullable, collation,
    /// est_rows, est_bytes; perhaps also owner, comment, column_comment, unique_keys.
    fn catalog_sql(&self, relations: &[RelationName]) -> Result<String, Diagnostic>;
    /// One row per relation of a schema: database, schema, name, kind.
    fn list_sql(&self, database: Option<&str>, schema: &str) -> Result<String, Diagnostic>;
    fn map_native(&self, columns: &[NativeColumn]) -> Result<Vec<MappedColumn>, Diagnostic>;
    fn ddl_types(&self, types: &[CanonicalType]) -> Result<Vec<String>, Diagnostic>;
    fn classify_error(&self, sqlstate: Option<&str>, message: &str) -> Result<Classified, Diagnostic>;
    fn capabilities(&self, server_version: &str) -> Result<Capabilities, Diagnostic>;
    /// Opens a session in the plugin's own protocol.
    ///
    /// # Errors
    /// Of a plugin that has none, and as sessions fail.
    fn open(self: Arc<Self>, _spec: &ConnectSpec) -> Result<Box<dyn Connection>, EngineError> {
        let message = format!("plugin `{}` names its own connection and has none", self.manifest().id);
        Err(EngineError::new(ErrorKind::Plugin(PluginFault::Contract), message).hint("export `connection`, or name a native driver"))
    }
}

/// Opens a session with the driver that the plan names (native, a shared library, or the plugin's own) and runs its setup
/// statements.
pub fn connect(adapter: &Arc<dyn Adapter>, spec: &ConnectSpec) -> Result<Box<dyn Connection>, EngineError> {
    let mut connection: Box<dyn Connection> = match spec.driver.as_str() {
        OWN_CONNECTION => adapter.clone().open(spec)?,
        LIBRARY_DRIVER => Box::new(adbc::LibrarySession::open(adapter, spec)?),
        _ => return dvt_engine::connect(spec),
    };
    for statement in &spec.session_setup {
        connection.execute(statement)?;
    }
    Ok(connection)
}

/// A compute engine.
pub trait ComputePlugin: Send + Sync + std::fmt::Debug {
    fn manifest(&self) -> &PluginManifest;
    /// `config`: the entry of computes.yml as JSON.
    fn plan(&self, config: &Value) -> Result<EnginePlan, Diagnostic>;
    fn map_native(&self, columns: &[NativeColumn]) -> Result<Vec<MappedColumn>, Diagnostic>;
    /// The engine's type for each canonical one.
    ///
    /// # Errors
    /// `DVT011` for a type that it cannot hold.
    fn ddl_types(&self, types: &[CanonicalType]) -> Result<Vec<String>, Diagnostic>;
    /// `exceptions`: names from the outermost to the cause.
    fn classify_error(&self, exceptions: &[String], sqlstate: Option<&str>, message: &str) -> Result<EngineFailure, Diagnostic>;
}

/// What a failure of an engine outside the host means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineFailure {
    pub code: String,
    pub hint: Option<String>,
    /// Whether the same job may succeed when it is run once more.
    pub again: bool,
}
