//! The compute `starter`: which engine of the host runs, with which settings, and what its types are.

use dvt_plugin_sdk::{Compute, Failure, NativeType};
use serde_json::Value;

pub struct Starter;

/// Keys that its entry in computes.yml may have.
const SETTINGS: [&str; 2] = ["memory_limit", "threads"];

impl Compute for Starter {
    /// The engine, its settings, and the dialect that its SQL is in.
    fn plan(config: &Value) -> Result<(String, Vec<(String, String)>, String), Failure> {
        let mut settings = Vec::new();
        for (key, value) in config.as_object().into_iter().flatten() {
            if !SETTINGS.contains(&key.as_str()) {
                return Err(Failure::new("DVT100", format!("`{key}` is no setting of this compute")).hint(format!("known settings: {}", SETTINGS.join(", "))));
            }
            settings.push((key.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
        }
        Ok(("embedded".to_owned(), settings, "duckdb".to_owned()))
    }

    /// The canonical type of a result's column, or why it cannot be carried.
    fn canonical(native: &NativeType) -> Result<String, String> {
        let refused = || format!("the type {} cannot be carried; cast the column to text", native.text);
        Ok(match native.name.as_str() {
            "boolean" => "bool",
            "tinyint" => "int8",
            "smallint" => "int16",
            "integer" => "int32",
            "bigint" => "int64",
            "utinyint" => "uint8",
            "usmallint" => "uint16",
            "uinteger" => "uint32",
            "ubigint" => "uint64",
            "hugeint" => "decimal(38,0)",
            "float" => "float32",
            "double" => "float64",
            "decimal" => return native.decimal().ok_or_else(refused),
            "varchar" => "text",
            "blob" => "bytes",
            "date" | "time" | "timestamp" | "interval" | "uuid" | "json" => native.name.as_str(),
            "timestamp with time zone" => "timestamptz",
            _ => return Err(refused()),
        }
        .to_owned())
    }
}

dvt_plugin_sdk::export_compute!(crate::Starter);

#[cfg(test)]
mod tests {
    use super::Starter;
    use dvt_plugin_sdk::Compute;

    #[test]
    fn a_setting_that_is_not_known_is_refused() {
        assert!(Starter::plan(&serde_json::json!({"threads": 2})).is_ok());
        assert!(Starter::plan(&serde_json::json!({"colour": "blue"})).is_err_and(|e| e.hint.is_some()));
    }
}
