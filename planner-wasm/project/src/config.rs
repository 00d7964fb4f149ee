//! Configs of nodes: project file < properties < `config()` in the file, merged key by key as dbt does.
//!
//! Not here: what a config means, and configs' defaults beyond dbt's own.

use crate::shared_config::Config;
use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// The sections of a project file that hold configs; `tests` is the old name of `data_tests`.
const SECTIONS: [(&[&str], &str); 11] = [
    (&["models"], "models"),
    (&["seeds"], "seeds"),
    (&["snapshots"], "snapshots"),
    (&["tests", "data_tests"], "tests"),
    (&["sources"], "sources"),
    (&["exposures"], "exposures"),
    (&["metrics"], "metrics"),
    (&["semantic_models", "semantic-models"], "semantic_models"),
    (&["saved_queries", "saved-queries"], "saved_queries"),
    (&["unit_tests"], "unit_tests"),
    (&["functions"], "functions"),
];

/// Package to section to its tree.
type Trees = BTreeMap<String, BTreeMap<&'static str, Map<String, Value>>>;

/// The `models:`, `seeds:`, … trees of every package.
#[derive(Debug, Clone, Default)]
pub struct ConfigTree {
    root_package: String,
    packages: Trees,
    /// The trees with their templates as written.
    unrendered: Trees,
    /// What the trees alone say, by resource type and the folders that a tree names: most nodes share one of these.
    known: RefCell<BTreeMap<String, Config>>,
}

impl ConfigTree {
    pub fn new(root_package: impl Into<String>) -> Self {
        Self { root_package: root_package.into(), ..Self::default() }
    }

    /// Takes the config sections out of a package's project file.
    pub fn add(&mut self, package: &str, project: &Map<String, Value>) {
        self.packages.insert(package.to_owned(), sections(project));
    }

    /// The same of the project file before its templates were rendered.
    pub fn add_unrendered(&mut self, package: &str, project: &Map<String, Value>) {
        self.unrendered.insert(package.to_owned(), sections(project));
    }

    /// Where the project's own trees set something: dbt's name of the section, then the keys that lead there.
    pub fn set_paths(&self) -> Vec<(&'static str, Vec<String>)> {
        let mut out = Vec::new();
        for (section, tree) in self.packages.get(&self.root_package).into_iter().flatten() {
            let mut found = BTreeSet::new();
            set_below(tree, &mut Vec::new(), &mut found);
            let section = if *section == "tests" { "data_tests" } else { section };
            out.extend(found.into_iter().map(|path| (section, path)));
        }
        out
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
    ) -> Config {
        if resource_type == "group" {
            return self.of_group(package, fqn, properties);
        }
        let section = section_of(resource_type);
        let foreign = package != self.root_package;
        let own = levels(&self.packages, package, section, fqn);
        let root = if foreign { levels(&self.packages, &self.root_package, section, fqn) } else { Vec::new() };
        let depth = own.len().max(root.len()).saturating_sub(1);
        let plain = properties.is_empty() && inline.is_empty();
        // For a package's node the root's tree lies over what the file says: only the plain case is shared.
        if plain || !foreign {
            let key = format!("{package}\0{resource_type}\0{}", fqn.get(..depth).unwrap_or(fqn).join("\0"));
            // Many models of a folder say the same, `materialized` mostly: one map serves them.
            let whole = (!plain).then(|| format!("{key}\0\0{}\0{}", json!(properties), json!(inline)));
            if let Some(found) = whole.as_ref().and_then(|k| self.known.borrow().get(k).cloned()) {
                return found;
            }
            let found = self.known.borrow().get(&key).cloned();
            let mut config = found.unwrap_or_else(|| {
                let mut config = defaults(resource_type);
                own.iter().chain(&root).for_each(|level| merge(&mut config, &level_configs(level)));
                let config = Config::from(config);
                self.known.borrow_mut().insert(key, config.clone());
                config
            });
            if !plain {
                merge(&mut config, properties);
                merge(&mut config, inline);
            }
            if let Some(whole) = whole {
                self.known.borrow_mut().insert(whole, config.clone());
            }
            return config;
        }
        let mut config = defaults(resource_type);
        own.iter().for_each(|level| merge(&mut config, &level_configs(level)));
        merge(&mut config, properties);
        merge(&mut config, inline);
        root.iter().for_each(|level| merge(&mut config, &level_configs(level)));
        config.into()
    }

    /// dbt reads a group's config in the tree of models, each level over the one before.
    fn of_group(&self, package: &str, fqn: &[String], properties: &Map<String, Value>) -> Config {
        let mut config = defaults("group");
        let own = levels(&self.packages, package, "models", fqn);
        own.iter().for_each(|level| replace(&mut config, level_configs(level)));
        replace(&mut config, properties.clone());
        config.retain(|key, _| !matches!(key.as_str(), "pre-hook" | "post-hook"));
        config.into()
    }

    /// What is set at all, templates as written: later levels replace earlier ones, as in dbt's `unrendered_config`.
    pub fn unrendered(&self, package: &str, resource_type: &str, fqn: &[String], properties: &Map<String, Value>, inline: &Map<String, Value>) -> Config {
        // dbt has no unrendered tree of functions: it takes that of models.
        let section = if resource_type == "function" { "models" } else { section_of(resource_type) };
        let own = levels(&self.unrendered, package, section, fqn);
        let root = if package == self.root_package { Vec::new() } else { levels(&self.unrendered, &self.root_package, section, fqn) };
        let depth = own.len().max(root.len()).saturating_sub(1);
        let plain = properties.is_empty() && inline.is_empty();
        let key = format!("\0{package}\0{section}\0{}", fqn.get(..depth).unwrap_or(fqn).join("\0"));
        if plain && let Some(found) = self.known.borrow().get(&key) {
            return found.clone();
        }
        let mut out = Map::new();
        own.iter().for_each(|level| replace(&mut out, level_configs(level)));
        replace(&mut out, properties.clone());
        replace(&mut out, inline.clone());
        root.iter().for_each(|level| replace(&mut out, level_configs(level)));
        let out = Config::from(out);
        if plain {
            self.known.borrow_mut().insert(key, out.clone());
        }
        out
    }
}

fn sections(project: &Map<String, Value>) -> BTreeMap<&'static str, Map<String, Value>> {
    let mut out: BTreeMap<&'static str, Map<String, Value>> = BTreeMap::new();
    for (keys, section) in SECTIONS {
        for tree in keys.iter().filter_map(|k| project.get(*k).and_then(Value::as_object)) {
            out.entry(section).or_default().extend(tree.clone());
        }
    }
    out
}

/// Each level with a value of its own.
fn set_below(tree: &Map<String, Value>, path: &mut Vec<String>, out: &mut BTreeSet<Vec<String>>) {
    for (key, value) in tree {
        match value.as_object().filter(|_| !key.starts_with('+')) {
            Some(below) => {
                path.push(key.clone());
                set_below(below, path, out);
                path.pop();
            }
            None => {
                out.insert(path.clone());
            }
        }
    }
}

/// The tree's root and each level that `fqn` leads to.
fn levels<'a>(trees: &'a Trees, package: &str, section: &str, fqn: &[String]) -> Vec<&'a Map<String, Value>> {
    let Some(mut level) = trees.get(package).and_then(|s| s.get(section)) else { return Vec::new() };
    let mut out = vec![level];
    for part in fqn {
        let Some(next) = level.get(part).and_then(Value::as_object) else { break };
        out.push(next);
        level = next;
    }
    out
}

fn replace(out: &mut Map<String, Value>, over: Map<String, Value>) {
    out.extend(over);
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
        "seed" => "seeds",
        "snapshot" => "snapshots",
        "test" => "tests",
        "source" => "sources",
        "exposure" => "exposures",
        "metric" => "metrics",
        "semantic_model" => "semantic_models",
        "saved_query" => "saved_queries",
        "unit_test" => "unit_tests",
        "function" => "functions",
        // As dbt 1.12 does for analyses while `require_corrected_analysis_fqns` is off.
        _ => "models",
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
                all.extend(listed(Some(value)));
                config.insert(key.to_owned(), Value::Array(all));
            }
            "pre-hook" | "post-hook" => {
                let mut all = listed(config.get(key));
                all.extend(listed(Some(value)).into_iter().map(hook));
                config.insert(key.to_owned(), Value::Array(all));
            }
            "latest_version_pointer" if value.is_boolean() => update(config, key, &json!({"enabled": value})),
            "meta" | "docs" | "quoting" | "column_types" | "contract" | "latest_version_pointer" | "snapshot_meta_column_names" => {
                update(config, key, value);
            }
            "grants" => grants(config, value),
            _ => {
                config.insert(key.to_owned(), value.clone());
            }
        }
    }
}

/// What a resolved config says of itself once all levels are known: `store_failures` and `store_failures_as` agree,
/// a model's `freshness` without `build_after` is none.
pub fn settle(resource_type: &str, config: &mut Config) {
    match resource_type {
        "test" => {
            let stored = config.get("store_failures").cloned().unwrap_or_default();
            let kind = config.get("store_failures_as").cloned().unwrap_or_default();
            match (&kind, &stored) {
                (Value::Null, Value::Bool(stored)) => {
                    let kind = if *stored { "table" } else { "ephemeral" };
                    config.insert("store_failures_as".to_owned(), json!(kind));
                }
                (Value::String(kind), _) => {
                    let stored = kind != "ephemeral";
                    config.insert("store_failures".to_owned(), json!(stored));
                }
                _ => {}
            }
        }
        "model" => {
            if config.get("freshness").is_some_and(|f| !f.is_null() && f.get("build_after").is_none()) {
                config.insert("freshness".to_owned(), Value::Null);
            }
        }
        _ => {}
    }
    if let Some(Value::Bool(on)) = config.get("static_analysis") {
        let text = if *on { "on" } else { "off" };
        config.insert("static_analysis".to_owned(), json!(text));
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
            "static_analysis": null, "materialized": "test", "severity": "ERROR", "store_failures": null, "store_failures_as": null,
            "sql_header": null, "where": null, "limit": null, "fail_calc": "count(*)", "warn_if": "!= 0", "error_if": "!= 0"
        })),
        "source" => object(json!({
            "enabled": true, "event_time": null, "freshness": {
                "warn_after": {"count": null, "period": null}, "error_after": {"count": null, "period": null}, "filter": null
            }, "loaded_at_field": null, "loaded_at_query": null,
            "meta": {}, "tags": [], "static_analysis": null
        })),
        "exposure" => object(json!({"enabled": true, "tags": [], "meta": {}})),
        "metric" | "semantic_model" => object(json!({"enabled": true, "group": null, "meta": {}})),
        "saved_query" => object(json!({
            "enabled": true, "group": null, "meta": {}, "export_as": null, "schema": null, "cache": {"enabled": false}
        })),
        "unit_test" => object(json!({"tags": [], "meta": {}, "enabled": true, "static_analysis": null})),
        "group" => object(json!({"meta": {}})),
        _ => node_defaults(resource_type),
    }
}

fn node_defaults(resource_type: &str) -> Map<String, Value> {
    let mut config = object(json!({
        "enabled": true, "alias": null, "schema": null, "database": null, "tags": [], "meta": {}, "group": null,
        "static_analysis": null, "materialized": "view", "incremental_strategy": null, "batch_size": null, "lookback": 1, "begin": null,
        "persist_docs": {}, "post-hook": [], "pre-hook": [], "quoting": {}, "column_types": {}, "full_refresh": null,
        "unique_key": null, "on_schema_change": "ignore", "on_configuration_change": "apply", "grants": {}, "packages": [],
        "docs": {"show": true, "node_color": null}, "contract": {"enforced": false, "alias_types": true},
        "event_time": null, "concurrent_batches": null
    }));
    let more = match resource_type {
        "model" => json!({
            "access": "protected", "freshness": null, "on_error": null, "latest_version_pointer": {"enabled": null, "alias": null}
        }),
        "seed" => json!({"materialized": "seed", "delimiter": ",", "quote_columns": null}),
        "snapshot" => json!({
            "materialized": "snapshot", "strategy": null, "target_schema": null, "target_database": null, "updated_at": null,
            "check_cols": null, "dbt_valid_to_current": null, "snapshot_meta_column_names": {
                "dbt_valid_to": null, "dbt_valid_from": null, "dbt_scd_id": null, "dbt_updated_at": null, "dbt_is_deleted": null
            }
        }),
        "function" => json!({
            "materialized": "function", "type": "scalar", "volatility": null, "runtime_version": null, "entry_point": null
        }),
        _ => json!({}),
    };
    config.extend(object(more));
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
