//! dbt's artifacts as JSON: `manifest.json` v12 and `run_results.json` v6.
//!
//! Every value is given; nothing here reads a clock. Not here: writing files, `catalog.json`, `sources.json`.

mod manifest;
mod run_results;

pub use manifest::{CompiledNode, ManifestDocument, manifest_json};
pub use run_results::{RunResult, Timing, run_results_json};

use crate::input::{AdapterFacts, ProjectInput};
use crate::names::RelationName;
use serde_json::{Map, Value, json};

/// The dbt version whose artifacts these are.
pub const DBT_VERSION: &str = "1.12.6";

/// What the heads of artifacts say.
#[derive(Debug, Clone, Copy)]
pub struct ArtifactMeta<'a> {
    pub input: &'a ProjectInput,
    /// ISO 8601, UTC.
    pub generated_at: &'a str,
}

impl ArtifactMeta<'_> {
    fn head(&self, kind: &str) -> Map<String, Value> {
        let custom: Map<String, Value> = self
            .input
            .env
            .iter()
            .filter_map(|(k, v)| k.strip_prefix("DBT_ENV_CUSTOM_ENV_").map(|k| (k.to_owned(), json!(v))))
            .collect();
        let started = Some(&self.input.invocation.started_at).filter(|s| !s.is_empty());
        Map::from_iter([
            ("dbt_schema_version".to_owned(), json!(format!("https://schemas.getdbt.com/dbt/{kind}.json"))),
            ("dbt_version".to_owned(), json!(DBT_VERSION)),
            ("generated_at".to_owned(), json!(self.generated_at)),
            ("invocation_id".to_owned(), json!(self.input.invocation.id)),
            ("invocation_started_at".to_owned(), json!(started)),
            ("env".to_owned(), Value::Object(custom)),
        ])
    }
}

/// A relation as dbt prints it: parts quoted by the adapter's default or by `quoting` (a config).
pub fn render_relation(relation: &RelationName, facts: Option<&AdapterFacts>, quoting: Option<&Map<String, Value>>) -> String {
    let fallback = AdapterFacts { quote: ("\"".to_owned(), "\"".to_owned()), quoting: (true, true, true), ..AdapterFacts::default() };
    let facts = facts.unwrap_or(&fallback);
    let (open, close) = &facts.quote;
    let part = |text: &str, key: &str, usual: bool| {
        let quoted = quoting.and_then(|q| q.get(key)).and_then(Value::as_bool).unwrap_or(usual);
        if quoted { format!("{open}{}{close}", text.replace(close.as_str(), &close.repeat(2))) } else { text.to_owned() }
    };
    let mut parts = Vec::new();
    if let Some(database) = &relation.database {
        parts.push(part(database, "database", facts.quoting.0));
    }
    if let Some(schema) = &relation.schema {
        parts.push(part(schema, "schema", facts.quoting.1));
    }
    parts.push(part(&relation.identifier, "identifier", facts.quoting.2));
    parts.join(".")
}
