//! Configs of nodes: project file < properties < `config()` in the file, merged key by key as dbt does.
//!
//! Not here: what a config means, and configs' defaults beyond dbt's own.

use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The `models:`, `seeds:`, … trees of every package.
#[derive(Debug, Clone, Default)]
pub struct ConfigTree {
    root_package: String,
    /// Package, then the section (`models`, `seeds`, `snapshots`, `tests`, `sources`, `exposures`).
    packages: BTreeMap<String, BTreeMap<String, Map<String, Value>>>,
}

impl ConfigTree {
    pub fn new(root_package: impl Into<String>) -> Self {
        Self { root_package: root_package.into(), packages: BTreeMap::new() }
    }

    /// Takes the config sections out of a package's project file.
    pub fn add(&mut self, package: &str, project: &Map<String, Value>) {
        let mut sections = BTreeMap::new();
        for (keys, section) in [
            (&["models"][..], "models"),
            (&["seeds"][..], "seeds"),
            (&["snapshots"][..], "snapshots"),
            (&["tests", "data_tests"][..], "tests"),
            (&["sources"][..], "sources"),
            (&["exposures"][..], "exposures"),
        ] {
            for tree in keys.iter().filter_map(|k| project.get(*k).and_then(Value::as_object)) {
                let all: &mut Map<String, Value> = sections.entry(section.to_owned()).or_default();
                all.extend(tree.clone());
            }
        }
        self.packages.insert(package.to_owned(), sections);
    }

    /// The merged config of a node: dbt's defaults, the package's own tree along `fqn`, the properties
    /// file, `config()` in the file; for a package's node the root project's tree comes last and wins.
    pub fn resolve(
        &self,
        package: &str,
        resource_type: &str,
        fqn: &[String],
        properties: &Map<String, Value>,
        inline: &Map<String, Value>,
    ) -> Map<String, Value> {
        let mut config = defaults(resource_type);
        let section = section_of(resource_type);
        self.walk(package, section, fqn, &mut config);
        merge(&mut config, properties);
        merge(&mut config, inline);
        if package != self.root_package {
            self.walk(&self.root_package, section, fqn, &mut config);
        }
        config
    }

    fn walk(&self, package: &str, section: &str, fqn: &[String], config: &mut Map<String, Value>) {
        let Some(mut level) = self.packages.get(package).and_then(|s| s.get(section)) else { return };
        merge(config, &level_configs(level));
        for part in fqn {
            let Some(next) = level.get(part).and_then(Value::as_object) else { return };
            merge(config, &level_configs(next));
            level = next;
        }
    }
}

/// The keys of one level that are configs: `+key`, or a plain key whose value is no mapping (those are folders).
fn level_configs(level: &Map<String, Value>) -> Map<String, Value> {
    let mut out = Map::new();
    for (key, value) in level {
        if let Some(name) = key.strip_prefix('+') {
            out.insert(name.trim().to_owned(), value.clone());
        } else if !value.is_object() {
            out.insert(key.clone(), value.clone());
        }
    }
    out
}

fn section_of(resource_type: &str) -> &str {
    match resource_type {
        // As dbt 1.12 does for analyses while `require_corrected_analysis_fqns` is off.
        "model" | "analysis" => "models",
        "seed" => "seeds",
        "snapshot" => "snapshots",
        "test" => "tests",
        "source" => "sources",
        "exposure" => "exposures",
        other => other,
    }
}

/// Lays `over` on `config`: tags and hooks add, mappings such as meta update, all else is replaced.
pub fn merge(config: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (key, value) in over {
        let key = match key.as_str() {
            "pre_hook" => "pre-hook",
            "post_hook" => "post-hook",
            other => other,
        };
        match key {
            "tags" | "packages" => {
                let mut all = listed(config.get(key));
                for item in listed(Some(value)) {
                    if !all.contains(&item) {
                        all.push(item);
                    }
                }
                config.insert(key.to_owned(), Value::Array(all));
            }
            "pre-hook" | "post-hook" => {
                let mut all = listed(config.get(key));
                all.extend(listed(Some(value)).into_iter().map(hook));
                config.insert(key.to_owned(), Value::Array(all));
            }
            "meta" | "docs" | "persist_docs" | "quoting" | "column_types" | "contract" => update(config, key, value),
            "grants" => grants(config, value),
            _ => {
                config.insert(key.to_owned(), value.clone());
            }
        }
    }
}

fn listed(value: Option<&Value>) -> Vec<Value> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => items.clone(),
        Some(one) => vec![one.clone()],
    }
}

/// A hook in dbt's form: `{sql, transaction, index}`; text that is JSON of that form is read as such.
fn hook(value: Value) -> Value {
    let mut map = match value {
        Value::Object(map) => map,
        Value::String(text) => match serde_json::from_str(&text) {
            Ok(Value::Object(map)) if text.trim_start().starts_with("{\"") => map,
            _ => Map::from_iter([("sql".to_owned(), Value::String(text))]),
        },
        other => Map::from_iter([("sql".to_owned(), Value::String(other.to_string()))]),
    };
    map.entry("transaction").or_insert(Value::Bool(true));
    map.entry("index").or_insert(Value::Null);
    Value::Object(map)
}

fn update(config: &mut Map<String, Value>, key: &str, value: &Value) {
    match (config.get_mut(key), value) {
        (Some(Value::Object(base)), Value::Object(over)) => base.extend(over.clone()),
        (_, Value::Null) => {}
        _ => {
            config.insert(key.to_owned(), value.clone());
        }
    }
}

/// `+select: [..]` adds to the inherited grantees, `select: [..]` replaces them.
fn grants(config: &mut Map<String, Value>, value: &Value) {
    let mut base = config.get("grants").and_then(Value::as_object).cloned().unwrap_or_default();
    for (privilege, who) in value.as_object().into_iter().flatten() {
        if let Some(name) = privilege.strip_prefix('+') {
            let mut all = listed(base.get(name));
            all.extend(listed(Some(who)));
            base.insert(name.to_owned(), Value::Array(all));
        } else {
            base.insert(privilege.clone(), Value::Array(listed(Some(who))));
        }
    }
    config.insert("grants".to_owned(), Value::Object(base));
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// What dbt puts into the config of a resource before anything is said.
pub fn defaults(resource_type: &str) -> Map<String, Value> {
    match resource_type {
        "test" => object(json!({
            "enabled": true, "alias": null, "schema": "dbt_test__audit", "database": null, "tags": [], "meta": {}, "group": null,
            "materialized": "test", "severity": "ERROR", "store_failures": null, "store_failures_as": null, "where": null,
            "limit": null, "fail_calc": "count(*)", "warn_if": "!= 0", "error_if": "!= 0"
        })),
        "source" => object(json!({
            "enabled": true, "event_time": null, "freshness": null, "loaded_at_field": null, "loaded_at_query": null,
            "meta": {}, "tags": []
        })),
        "exposure" => object(json!({"enabled": true, "tags": [], "meta": {}})),
        _ => node_defaults(resource_type),
    }
}

fn node_defaults(resource_type: &str) -> Map<String, Value> {
    let mut config = object(json!({
        "enabled": true, "alias": null, "schema": null, "database": null, "tags": [], "meta": {}, "group": null,
        "materialized": "view", "incremental_strategy": null, "batch_size": null, "lookback": 1, "begin": null,
        "persist_docs": {}, "post-hook": [], "pre-hook": [], "quoting": {}, "column_types": {}, "full_refresh": null,
        "unique_key": null, "on_schema_change": "ignore", "on_configuration_change": "apply", "grants": {}, "packages": [],
        "docs": {"show": true, "node_color": null}, "contract": {"enforced": false, "alias_types": true},
        "event_time": null, "concurrent_batches": null
    }));
    match resource_type {
        "model" => {
            config.insert("access".into(), json!("protected"));
            config.insert("freshness".into(), Value::Null);
        }
        "seed" => {
            config.insert("materialized".into(), json!("seed"));
            config.insert("delimiter".into(), json!(","));
            config.insert("quote_columns".into(), Value::Null);
        }
        "snapshot" => {
            config.insert("materialized".into(), json!("snapshot"));
            for key in ["strategy", "target_schema", "target_database", "updated_at", "check_cols", "dbt_valid_to_current"] {
                config.insert(key.into(), Value::Null);
            }
            config.insert("snapshot_meta_column_names".into(), json!({}));
        }
        _ => {}
    }
    config
}

/// The tags of a resolved config, in order.
pub fn tags(config: &Map<String, Value>) -> Vec<String> {
    listed(config.get("tags")).iter().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

/// Vars as dbt looks them up: `--vars`, then the package's own section of the root project, then global ones.
pub fn var<'a>(cli: &'a Map<String, Value>, project: &'a Map<String, Value>, package: &str, name: &str) -> Option<&'a Value> {
    cli.get(name)
        .or_else(|| project.get(package).and_then(Value::as_object).and_then(|m| m.get(name)))
        .or_else(|| project.get(name))
}

/// Ordered column map, as nodes and sources keep it.
pub type Columns = IndexMap<String, crate::node::ColumnProperties>;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn map(v: Value) -> Map<String, Value> {
        object(v)
    }
    fn fqn(parts: &[&str]) -> Vec<String> {
        parts.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn inline_beats_properties_beats_project_and_tags_add_up() {
        let mut tree = ConfigTree::new("shop");
        tree.add("shop", &map(json!({"models": {"+tags": "all", "shop": {"materialized": "table", "staging": {"+materialized": "ephemeral", "+tags": ["stg"], "+meta": {"a": 1}}}}})));
        let config = tree.resolve("shop", "model", &fqn(&["shop", "staging", "orders"]), &map(json!({"tags": ["p"], "meta": {"b": 2}, "schema": "x"})), &map(json!({"tags": "i", "schema": "y"})));
        assert_eq!(config["materialized"], "ephemeral");
        assert_eq!(config["tags"], json!(["all", "stg", "p", "i"]));
        assert_eq!(config["meta"], json!({"a": 1, "b": 2}));
        assert_eq!(config["schema"], "y");
        let other = tree.resolve("shop", "model", &fqn(&["shop", "marts", "x"]), &Map::new(), &Map::new());
        assert_eq!(other["materialized"], "table");
    }

    #[test]
    fn the_root_project_overrides_a_package_even_its_inline_config() {
        let mut tree = ConfigTree::new("shop");
        tree.add("shop", &map(json!({"models": {"pkg": {"+schema": "root"}}})));
        tree.add("pkg", &map(json!({"models": {"pkg": {"+schema": "own", "+alias": "z"}}})));
        let config = tree.resolve("pkg", "model", &fqn(&["pkg", "m"]), &Map::new(), &map(json!({"schema": "inline"})));
        assert_eq!(config["schema"], "root");
        assert_eq!(config["alias"], "z");
    }

    #[test]
    fn hooks_of_all_levels_run_and_both_spellings_are_one() {
        let mut tree = ConfigTree::new("shop");
        tree.add("shop", &map(json!({"models": {"+post-hook": "a"}})));
        let config = tree.resolve("shop", "model", &fqn(&["shop", "m"]), &Map::new(), &map(json!({"post_hook": ["b", {"sql": "c", "transaction": false}]})));
        let sql: Vec<_> = config["post-hook"].as_array().unwrap().iter().map(|h| h["sql"].clone()).collect();
        assert_eq!(sql, ["a", "b", "c"]);
        assert_eq!(config["post-hook"][2]["transaction"], false);
    }

    #[test]
    fn grants_with_a_plus_add_and_without_replace() {
        let mut config = map(json!({"grants": {"select": ["a"], "insert": ["x"]}}));
        merge(&mut config, &map(json!({"grants": {"+select": ["b"], "insert": "y"}})));
        assert_eq!(config["grants"], json!({"select": ["a", "b"], "insert": ["y"]}));
    }
}
