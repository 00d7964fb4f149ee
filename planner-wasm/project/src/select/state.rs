//! Comparison with an earlier invocation: its manifest, its results, its sources' freshness.
//!
//! Both sides are manifests as JSON (v12), so one written by dbt-core is read like our own.

use super::resource::Resource;
use crate::node::Manifest;
use dvt_diagnostic::Diagnostic;
use serde_json::{Map, Value};
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

pub const KINDS: [&str; 10] = [
    "new", "old", "modified", "unmodified", "modified.body", "modified.configs", "modified.persisted_descriptions", "modified.relation", "modified.macros",
    "modified.contract",
];

/// Config keys that are compared as the relation or not at all.
const NOT_COMPARED: [&str; 5] = ["alias", "schema", "database", "tags", "group"];

/// What earlier invocations left, and this project's manifest in the same form.
pub struct State<'a> {
    pub manifest: Option<Value>,
    /// `run_results.json` beside it.
    pub results: Option<Value>,
    /// `sources.json` beside it, and this project's own.
    pub sources: Option<Value>,
    pub sources_now: Option<Value>,
    now: OnceCell<Value>,
    told: RefCell<BTreeMap<String, Diagnostic>>,
    make: Box<dyn Fn() -> Value + 'a>,
}

impl<'a> State<'a> {
    /// `make` writes this project's manifest; it is called when it is needed.
    pub fn new(manifest: Option<Value>, results: Option<Value>, sources: Option<Value>, sources_now: Option<Value>, make: Box<dyn Fn() -> Value + 'a>) -> Self {
        Self { manifest, results, sources, sources_now, now: OnceCell::new(), told: RefCell::default(), make }
    }

    /// Warnings about models whose contract is broken, once each.
    pub fn warnings(&self) -> Vec<Diagnostic> {
        self.told.take().into_values().collect()
    }

    pub(super) fn tell(&self, id: &str, warning: Diagnostic) {
        self.told.borrow_mut().insert(id.to_owned(), warning);
    }

    pub(super) fn with_status(&self, status: &str) -> BTreeSet<String> {
        rows(self.results.as_ref()).filter(|r| r.get("status").and_then(Value::as_str) == Some(status)).filter_map(id_of).collect()
    }

    /// Sources whose newest row is newer than before.
    pub(super) fn fresher(&self) -> BTreeSet<String> {
        let loaded = |r: &Value| r.get("max_loaded_at").and_then(Value::as_str).map(instant);
        let before: BTreeMap<String, Option<Instant>> = rows(self.sources.as_ref()).filter_map(|r| Some((id_of(r)?, loaded(r)))).collect();
        rows(self.sources_now.as_ref())
            .filter_map(|r| Some((id_of(r)?, loaded(r)?)))
            .filter(|(id, at)| before.get(id).is_none_or(|was| was.as_ref().is_none_or(|was| at > was)))
            .map(|(id, _)| id)
            .collect()
    }

    pub(super) fn check(&self, kind: &str) -> Option<Check<'_>> {
        let kind = KINDS.iter().copied().find(|k| *k == kind)?;
        let before = self.manifest.as_ref()?;
        Some(Check { kind, before, now: self.now.get_or_init(|| (self.make)()), changed_macros: OnceCell::new() })
    }
}

/// A moment as `sources.json` writes it, in an order that is time's: seconds, then their fraction without trailing zeros.
type Instant = (String, String);

/// Times of these files are UTC, as `Z` or `+00:00`, with or without a fraction.
fn instant(text: &str) -> Instant {
    let plain = text.trim_end_matches('Z').trim_end_matches("+00:00");
    let (seconds, fraction) = plain.split_once('.').unwrap_or((plain, ""));
    (seconds.replace(' ', "T"), fraction.trim_end_matches('0').to_owned())
}

fn rows(document: Option<&Value>) -> impl Iterator<Item = &Value> {
    document.and_then(|d| d.get("results")).and_then(Value::as_array).into_iter().flatten()
}

fn id_of(row: &Value) -> Option<String> {
    row.get("unique_id").and_then(Value::as_str).map(str::to_owned)
}

pub(super) struct Check<'a> {
    kind: &'static str,
    before: &'a Value,
    now: &'a Value,
    changed_macros: OnceCell<BTreeSet<String>>,
}

impl Check<'_> {
    /// What the model breaks of its earlier contract, where that is asked at all.
    pub fn broken(&self, r: &Resource<'_>) -> Option<Diagnostic> {
        if r.kind != "model" || !matches!(self.kind, "modified" | "unmodified" | "modified.contract") {
            return None;
        }
        let find = |document: &'_ Value| document.get("nodes").and_then(|s| s.get(r.id.as_str())).cloned();
        super::contract::broken(&find(self.now)?, &find(self.before)?)
    }

    pub fn holds(&self, r: &Resource<'_>, manifest: &Manifest) -> bool {
        let section = section(r.kind);
        let find = |document: &Value| document.get(section).and_then(|s| s.get(r.id.as_str())).cloned();
        let (old, Some(new)) = (find(self.before), find(self.now)) else { return false };
        let node = section == "nodes";
        let changed = |same: &dyn Fn(&Value, &Value) -> bool| old.as_ref().is_none_or(|old| !same(&new, old));
        match self.kind {
            "new" => old.is_none(),
            "old" => old.is_some(),
            "modified" => self.modified(r, &new, old.as_ref(), manifest),
            "unmodified" => !self.modified(r, &new, old.as_ref(), manifest),
            "modified.body" => node && changed(&|a, b| same_body(r.kind, a, b)),
            "modified.configs" => (node || matches!(r.kind, "source" | "exposure" | "metric" | "semantic_model" | "saved_query")) && changed(&same_config),
            "modified.persisted_descriptions" => node && changed(&same_descriptions),
            "modified.relation" => match r.kind {
                "source" => changed(&same_source_relation),
                _ => node && changed(&same_relation),
            },
            "modified.macros" => self.macros_changed(&new, manifest),
            "modified.contract" => node && changed(&|a, b| r.kind != "model" || same_contract(a, b)),
            _ => false,
        }
    }

    fn modified(&self, r: &Resource<'_>, new: &Value, old: Option<&Value>, manifest: &Manifest) -> bool {
        let Some(old) = old else { return true };
        let same = match r.kind {
            "source" => same_source_relation(new, old) && equal(new, old, &["fqn", "quoting", "loaded_at_field", "external"]) && same_freshness(new, old) && same_config(new, old),
            "exposure" => equal(new, old, &["fqn", "type", "owner", "maturity", "url", "description", "label"]) && same_parents(new, old) && same_config(new, old),
            "unit_test" => match (text(new, "checksum"), text(old, "checksum")) {
                (Some(a), Some(b)) => a == b,
                _ => equal(new, old, &["model", "given", "expect", "overrides"]),
            },
            "metric" => equal(new, old, &["fqn", "type", "type_params", "filter", "description", "label", "time_granularity"]) && same_config(new, old),
            "semantic_model" => equal(new, old, &["model", "description", "defaults", "entities", "dimensions", "measures", "label", "primary_entity"]) && same_config(new, old),
            "saved_query" => equal(new, old, &["fqn", "query_params", "description", "label"]) && same_exports(new, old) && same_config(new, old),
            "test" if r.generic == Some(true) => same_config(new, old) && equal(new, old, &["fqn"]),
            kind => {
                same_body(kind, new, old)
                    && same_config(new, old)
                    && same_descriptions(new, old)
                    && equal(new, old, &["fqn"])
                    && same_relation(new, old)
                    && (kind != "model" || (same_contract(new, old) && equal(new, old, &["latest_version", "access", "deprecation_date"])))
            }
        };
        !same || self.macros_changed(new, manifest)
    }

    /// Whether a macro that the node uses, directly or through others, has another text than before.
    fn macros_changed(&self, node: &Value, manifest: &Manifest) -> bool {
        let changed = self.changed_macros.get_or_init(|| self.changed(manifest));
        if changed.is_empty() {
            return false;
        }
        let used = |v: &Value| -> Vec<String> {
            let list = v.get("depends_on").and_then(|d| d.get("macros")).and_then(Value::as_array);
            list.into_iter().flatten().filter_map(|m| m.as_str().map(str::to_owned)).collect()
        };
        let mut open = used(node);
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            if changed.contains(&id) {
                return true;
            }
            if seen.insert(id.clone())
                && let Some(inner) = self.now.get("macros").and_then(|m| m.get(&id))
            {
                open.extend(used(inner));
            }
        }
        false
    }

    /// Macros of the project and its packages only: the built-in ones are another program's text in a foreign state.
    fn changed(&self, manifest: &Manifest) -> BTreeSet<String> {
        let texts = |document: &Value| -> Vec<(String, String)> {
            let own = |m: &Value| {
                let package = m.get("package_name").and_then(Value::as_str).unwrap_or_default();
                package != "dbt" && !manifest.adapters.iter().any(|a| package.strip_prefix("dbt_") == Some(a.as_str()))
            };
            let all = document.get("macros").and_then(Value::as_object).into_iter().flatten();
            all.filter(|(_, m)| own(m)).map(|(id, m)| (id.clone(), text(m, "macro_sql").unwrap_or_default().trim().to_owned())).collect()
        };
        let (old, new): (BTreeSet<_>, BTreeSet<_>) = (texts(self.before).into_iter().collect(), texts(self.now).into_iter().collect());
        old.symmetric_difference(&new).map(|(id, _)| id.clone()).collect()
    }
}

fn section(kind: &str) -> &'static str {
    match kind {
        "source" => "sources",
        "exposure" => "exposures",
        "metric" => "metrics",
        "semantic_model" => "semantic_models",
        "saved_query" => "saved_queries",
        "unit_test" => "unit_tests",
        "function" => "functions",
        _ => "nodes",
    }
}

fn text<'a>(v: &'a Value, key: &str) -> Option<&'a str> {
    v.get(key).and_then(Value::as_str)
}

/// Absent, null and empty are the same.
fn blank(v: Option<&Value>) -> bool {
    match v {
        None | Some(Value::Null) => true,
        Some(Value::String(s)) => s.is_empty(),
        Some(Value::Array(a)) => a.is_empty(),
        Some(Value::Object(o)) => o.values().all(|v| blank(Some(v))),
        Some(_) => false,
    }
}

fn alike(a: Option<&Value>, b: Option<&Value>) -> bool {
    if blank(a) && blank(b) {
        return true;
    }
    match (a, b) {
        (Some(Value::Object(x)), Some(Value::Object(y))) => x.keys().chain(y.keys()).all(|k| alike(x.get(k), y.get(k))),
        (Some(Value::Array(x)), Some(Value::Array(y))) => x.len() == y.len() && x.iter().zip(y).all(|(a, b)| alike(Some(a), Some(b))),
        (Some(Value::Number(x)), Some(Value::Number(y))) => x.as_f64() == y.as_f64(),
        (a, b) => a == b,
    }
}

fn equal(new: &Value, old: &Value, keys: &[&str]) -> bool {
    keys.iter().all(|k| alike(new.get(*k), old.get(*k)))
}

/// As written: where an environment puts them is no change.
fn same_exports(new: &Value, old: &Value) -> bool {
    let written = |v: &Value| -> Vec<(Option<Value>, Option<Value>)> {
        let list = v.get("exports").and_then(Value::as_array).into_iter().flatten();
        list.map(|e| (e.get("name").cloned(), e.get("unrendered_config").cloned())).collect()
    };
    written(new) == written(old)
}

fn same_parents(new: &Value, old: &Value) -> bool {
    let nodes = |v: &Value| -> BTreeSet<String> {
        let list = v.get("depends_on").and_then(|d| d.get("nodes")).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(|n| n.as_str().map(str::to_owned)).collect()
    };
    nodes(new) == nodes(old)
}

fn same_body(kind: &str, new: &Value, old: &Value) -> bool {
    if kind == "seed" { equal(new, old, &["checksum"]) } else { text(new, "raw_code") == text(old, "raw_code") }
}

/// As written, not as rendered: what an environment changes is no change of the project.
fn same_config(new: &Value, old: &Value) -> bool {
    let empty = Map::new();
    let of = |v: &Value| v.get("unrendered_config").and_then(Value::as_object).cloned();
    let (new, old) = (of(new).unwrap_or_else(|| empty.clone()), of(old).unwrap_or_default());
    let plain = |k: &str| k.replace('-', "_");
    let get = |map: &Map<String, Value>, key: &str| map.iter().find(|(k, _)| plain(k) == key).map(|(_, v)| v.clone());
    let keys: BTreeSet<String> = new.keys().chain(old.keys()).map(|k| plain(k)).collect();
    keys.iter().filter(|k| !NOT_COMPARED.contains(&k.as_str())).all(|k| get(&new, k) == get(&old, k))
}

fn same_relation(new: &Value, old: &Value) -> bool {
    let of = |v: &Value, key: &str| v.get("unrendered_config").and_then(|c| c.get(key)).filter(|v| !v.is_null()).cloned();
    ["database", "schema", "alias"].iter().all(|k| of(new, k) == of(old, k))
}

fn same_source_relation(new: &Value, old: &Value) -> bool {
    // What the profile gives differs between environments; what is written does not.
    let written = |v: &Value, key: &str| v.get(format!("unrendered_{key}")).filter(|v| !v.is_null()).cloned();
    let part = |key: &str| written(new, key) == written(old, key) || written(new, key).is_none() || written(old, key).is_none();
    part("database") && part("schema") && equal(new, old, &["identifier"])
}

fn same_freshness(new: &Value, old: &Value) -> bool {
    alike(new.get("freshness"), old.get("freshness"))
}

/// Only where they are written to the database.
fn same_descriptions(new: &Value, old: &Value) -> bool {
    let persisted = |what: &str| new.get("config").and_then(|c| c.get("persist_docs")).and_then(|p| p.get(what)).and_then(Value::as_bool) == Some(true);
    if persisted("relation") && !equal(new, old, &["description"]) {
        return false;
    }
    let columns = |v: &Value| -> Vec<(String, Option<String>)> {
        let all = v.get("columns").and_then(Value::as_object).into_iter().flatten();
        let mut list: Vec<_> = all.map(|(name, c)| (name.clone(), text(c, "description").map(str::to_owned))).collect();
        list.sort();
        list
    };
    !persisted("columns") || columns(new) == columns(old)
}

fn same_contract(new: &Value, old: &Value) -> bool {
    let enforced = |v: &Value| v.get("contract").and_then(|c| c.get("enforced")).and_then(Value::as_bool) == Some(true);
    match (enforced(new), enforced(old)) {
        (false, false) => true,
        (true, true) => new.get("contract").and_then(|c| c.get("checksum")) == old.get("contract").and_then(|c| c.get("checksum")),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::instant;

    #[test]
    fn moments_are_compared_as_times_not_as_texts() {
        assert!(instant("2024-01-01T00:00:00.5Z") > instant("2024-01-01T00:00:00Z"));
        assert!(instant("2024-01-01T00:00:00.25+00:00") > instant("2024-01-01T00:00:00.2Z"));
        assert!(instant("2024-01-01T00:00:01Z") > instant("2024-01-01T00:00:00.999999Z"));
        assert_eq!(instant("2024-01-01T00:00:00.500000+00:00"), instant("2024-01-01T00:00:00.5Z"));
    }
}
