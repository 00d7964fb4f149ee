//! The embedded DuckDB as a compute: its settings, and its types as canonical ones.

use dvt_plugin_sdk::{Compute, Failure, NativeType};

pub struct Duckdb;

/// Keys of an entry of computes.yml that mean nothing for an engine inside the host.
const ENTRY: [&str; 2] = ["version", "master"];
const SETTINGS: [&str; 3] = ["memory_limit", "threads", "temp_directory"];

impl Compute for Duckdb {
    fn plan(config: &serde_json::Value) -> Result<(String, Vec<(String, String)>, String), Failure> {
        let mut settings = Vec::new();
        for (key, value) in config.as_object().into_iter().flatten() {
            if ENTRY.contains(&key.as_str()) {
                continue;
            }
            if !SETTINGS.contains(&key.as_str()) {
                return Err(Failure::new("DVT100", format!("`{key}` is no setting of this compute")).hint(format!("known settings: {}", SETTINGS.join(", "))));
            }
            settings.push((key.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
        }
        Ok(("embedded".to_owned(), settings, "duckdb".to_owned()))
    }
    fn canonical(native: &NativeType) -> Result<String, String> {
        canonical(native)
    }
}

/// As in the adapter of the same product.
fn canonical(native: &NativeType) -> Result<String, String> {
    include!("../../../adapters/duckdb/src/types.rs")(native)
}

dvt_plugin_sdk::export_compute!(crate::Duckdb);
