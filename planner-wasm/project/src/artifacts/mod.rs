//! dbt's artifacts as JSON: `manifest.json` v12 and `run_results.json` v6.
//!
//! Every value is given; nothing here reads a clock. Not here: writing files, `catalog.json`, `sources.json`.

mod manifest;
mod node;
mod run_results;
mod semantic;

pub use manifest::{CompiledNode, ManifestDocument, manifest_json};
pub use run_results::{RunResult, Timing, run_results_json};
pub use semantic::semantic_manifest_json;

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
    /// Seconds since 1970 of the invocation's start: dbt's `created_at`. Zero without an invocation.
    fn created_at(&self) -> f64 {
        epoch(&self.input.invocation.started_at).unwrap_or_default()
    }

    /// The `metadata` of a document: `kind` is such as `manifest/v12`.
    pub fn head(&self, kind: &str) -> Map<String, Value> {
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

/// `2026-11-21T11:34:03.835945Z` as seconds since 1970.
fn epoch(text: &str) -> Option<f64> {
    let (day, time) = text.strip_suffix('Z').unwrap_or(text).split_once('T')?;
    let mut day = day.split('-').map(str::parse::<i64>);
    let (year, month, date) = (day.next()?.ok()?, day.next()?.ok()?, day.next()?.ok()?);
    let mut time = time.split(':');
    let (hour, minute): (i64, i64) = (time.next()?.parse().ok()?, time.next()?.parse().ok()?);
    let second: f64 = time.next()?.parse().ok()?;
    // Days from civil date, with March as the first month.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = y.div_euclid(400);
    let of_era = y.rem_euclid(400);
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * m + 2) / 5 + date - 1 - 719_468;
    Some((days * 86_400 + hour * 3_600 + minute * 60) as f64 + second)
}

/// A relation as dbt prints it: parts quoted by the adapter's default or by `quoting` (a config).
pub fn render_relation(relation: &RelationName, facts: Option<&AdapterFacts>, quoting: Option<&Map<String, Value>>) -> String {
    let (open, close) = facts.map_or(("\"", "\""), |f| (f.quote.0.as_str(), f.quote.1.as_str()));
    let usual = facts.map_or((true, true, true), |f| f.quoting);
    let part = |text: &str, key: &str, usual: bool| {
        let quoted = quoting.and_then(|q| q.get(key)).and_then(Value::as_bool).unwrap_or(usual);
        if quoted { format!("{open}{}{close}", text.replace(close, &close.repeat(2))) } else { text.to_owned() }
    };
    let mut parts = Vec::new();
    if let Some(database) = &relation.database {
        parts.push(part(database, "database", usual.0));
    }
    if let Some(schema) = &relation.schema {
        parts.push(part(schema, "schema", usual.1));
    }
    parts.push(part(&relation.identifier, "identifier", usual.2));
    parts.join(".")
}
