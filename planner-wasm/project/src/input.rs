//! What a project is made of, as values: the planner never opens a file.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything parsing may look at. Equal inputs give equal manifests on every machine.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ProjectInput {
    /// Path relative to the project root (with `/`) to text: project file, YAML, SQL, CSV heads, macros.
    /// Only files under the project's own paths; packages come under `dbt_packages/` or their `local:` path.
    pub files: BTreeMap<String, String>,
    /// `profiles.yml` as text; the host removes nothing, Jinja `env_var` is evaluated with `env`.
    pub profiles: Option<String>,
    /// `computes.yml` as text.
    pub computes: Option<String>,
    /// Environment variables the caller allows templates to see.
    pub env: BTreeMap<String, String>,
    /// `--vars`, already parsed to JSON.
    pub vars: serde_json::Map<String, serde_json::Value>,
    /// `--target`: the global override of SPEC T1.
    pub target: Option<String>,
    /// `--profile`.
    pub profile: Option<String>,
    /// `--compute`.
    pub compute: Option<String>,
    pub full_refresh: bool,
    /// The `type` of the compute that exists without `computes.yml` (SPEC F7); the host names it.
    #[serde(default)]
    pub implicit_compute: String,
    /// Macro packages of the adapter plugins in use (SPEC F4): adapter type to files of the package.
    pub adapter_packages: BTreeMap<String, BTreeMap<String, String>>,
    /// Facts of adapter types that parsing needs (from the plugins' dialect sheets).
    pub adapters: BTreeMap<String, AdapterFacts>,
    pub invocation: Invocation,
}

/// What would be a clock or a random source elsewhere: inputs here.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Invocation {
    pub id: String,
    /// ISO 8601, UTC, microseconds, `Z`.
    pub started_at: String,
    /// The command in dbt's word: run, build, test, compile …
    pub which: String,
    /// Flags that `flags.*` and `invocation_args_dict` show.
    pub flags: serde_json::Map<String, serde_json::Value>,
}

/// What a product that keeps each database in a file calls it: the file's name up to its first dot.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseFile {
    /// The profile key that names the file.
    pub key: String,
    /// The name without a file.
    pub unnamed: String,
    /// Names that the product keeps for itself, and what it then appends.
    pub reserved: Vec<String>,
    pub suffix: String,
}

impl DatabaseFile {
    pub fn name_of(&self, path: Option<&str>) -> String {
        let file = path.unwrap_or_default().rsplit(['/', '\\']).next().unwrap_or_default();
        match file.split('.').next().unwrap_or_default() {
            stem if stem.is_empty() || file.starts_with(':') => self.unnamed.clone(),
            stem if self.reserved.iter().any(|r| r == stem) => format!("{stem}{}", self.suffix),
            stem => stem.to_owned(),
        }
    }
}

/// The part of an adapter that parsing and rendering need. Taken from its dialect sheet.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdapterFacts {
    /// Dialect sheet name, usually the adapter type.
    pub dialect: String,
    /// The opening and closing identifier quote, such as `"` and `"`.
    pub quote: (String, String),
    /// Whether dbt's default quoting applies to database, schema, identifier.
    pub quoting: (bool, bool, bool),
    /// Profile keys in order of preference that give a relation's database and schema when unset.
    pub database_keys: Vec<String>,
    pub schema_keys: Vec<String>,
    /// Set where each database is a file: when no key gives the database, its name comes from the file's.
    pub database_file: Option<DatabaseFile>,
    /// Used when no key is present (such as `main`); a database of None leaves it out when rendering.
    pub default_database: Option<String>,
    pub default_schema: Option<String>,
    /// Keys whose values are secret: never in manifests, `target.*` or output.
    pub secret_keys: Vec<String>,
    /// Alias to canonical profile key (`pass` → `password`).
    pub key_aliases: BTreeMap<String, String>,
    /// The longest name of a relation in bytes; 0 where none is too long.
    #[serde(default)]
    pub name_limit: usize,
    /// Whether a query in FROM stands without a name of its own, so that one may follow it.
    #[serde(default)]
    pub nameless_subqueries: bool,
    /// Parents in macro dispatch, nearest first (redshift → [postgres]).
    pub dispatch_parents: Vec<String>,
}
