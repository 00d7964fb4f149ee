//! `columns:` of models, seeds, snapshots, analyses and source tables, and constraints in dbt's full form.

use super::{Properties, Reader, TestPlace};
use crate::generic_test::{TestOwner, quoted};
use crate::node::ColumnProperties;
use crate::render::rendered;
use crate::yaml::{Yaml, YamlMap};
use dvt_diagnostic::{Code, Diagnostic, Span};
use indexmap::IndexMap;
use serde_json::{Map, Value, json};

const COLUMN_KEYS: [&str; 16] = [
    "name", "description", "data_type", "tests", "data_tests", "meta", "tags", "constraints", "quote", "config", "granularity",
    "policy_tags", "dimension", "entity", "type", "docs",
];

/// Keys of a column that stand in the manifest beside what dvt reads.
const EXTRA_KEYS: [&str; 4] = ["granularity", "dimension", "entity", "policy_tags"];

const CONSTRAINTS: [&str; 6] = ["check", "not_null", "unique", "primary_key", "foreign_key", "custom"];

/// Where columns are read and what their tests inherit.
pub(crate) struct ColumnPlace<'a> {
    pub owner: &'a TestOwner,
    pub section: &'a str,
    /// `quote_columns` of the whole resource.
    pub quote: bool,
    /// Tags that tests inherit beside the column's own.
    pub tags: &'a [String],
    pub with_tests: bool,
}

impl Reader<'_> {
    pub(crate) fn columns(&mut self, map: &YamlMap, at: &ColumnPlace<'_>, out: &mut Properties) -> Result<IndexMap<String, ColumnProperties>, Diagnostic> {
        let mut columns = IndexMap::new();
        let Some(yaml) = map.get("columns").filter(|y| !y.is_null()) else { return Ok(columns) };
        let Some(list) = yaml.as_list() else {
            return Err(self.invalid("`columns` must be a list", &yaml.span).hint("start each column with `- name:`"));
        };
        for entry in list {
            let (name, properties) = self.column(entry, at, out)?;
            columns.insert(name, properties);
        }
        Ok(columns)
    }

    pub(super) fn column(&mut self, entry: &Yaml, at: &ColumnPlace<'_>, out: &mut Properties) -> Result<(String, ColumnProperties), Diagnostic> {
        let Some(column) = entry.as_map() else {
            return Err(self.invalid("an entry of `columns` is no mapping", &entry.span));
        };
        let name = self.name(column, &entry.span, "columns")?;
        self.unknown_keys(column, &COLUMN_KEYS, &format!("column `{name}`"));
        let config = self.config(column, &["tags", "meta"])?;
        let tags = unique(crate::config::tags(&config));
        let quote = column.get("quote").and_then(Yaml::as_bool);
        if at.with_tests {
            let inherited: Vec<String> = at.tags.iter().chain(&tags).cloned().collect();
            let place = TestPlace { owner: at.owner, section: at.section, column: Some(&name), quote: quote.unwrap_or(at.quote), tags: &inherited };
            self.tests(column, &place, out)?;
        }
        let text = |key: &str| column.get(key).and_then(Yaml::as_str).map(str::to_owned);
        let (description, doc_blocks) = self.documented(column.get("description"))?;
        let mut extra = Map::new();
        for key in EXTRA_KEYS {
            if let Some(value) = column.get(key) {
                extra.insert(key.to_owned(), rendered(value, self.render, &|_| false)?);
            }
        }
        let properties = ColumnProperties {
            description,
            doc_blocks,
            data_type: text("data_type"),
            meta: config.get("meta").and_then(Value::as_object).cloned().unwrap_or_default(),
            tags,
            constraints: self.constraints(column, false)?,
            quote,
            extra,
            name: name.clone(),
        };
        Ok((name, properties))
    }

    /// `constraints:` of a column or, with `columns` in each, of a model.
    pub(crate) fn constraints(&mut self, map: &YamlMap, of_model: bool) -> Result<Vec<Value>, Diagnostic> {
        let mut out = Vec::new();
        for entry in map.get("constraints").and_then(Yaml::as_list).unwrap_or_default() {
            let given = entry.as_map().ok_or_else(|| self.invalid("a constraint must be a mapping with a `type`", &entry.span))?;
            let kind = given.get("type").and_then(Yaml::as_str).unwrap_or_default();
            if !CONSTRAINTS.contains(&kind) {
                let at = given.get("type").map_or(&entry.span, |y| &y.span);
                return Err(unknown_constraint(kind, at));
            }
            let part = |key: &str, usual: Value| -> Result<Value, Diagnostic> {
                given.get(key).filter(|y| !y.is_null()).map_or(Ok(usual), |y| rendered(y, self.render, &|_| false))
            };
            let mut full = Map::new();
            full.insert("type".into(), json!(kind));
            for key in ["name", "expression"] {
                full.insert(key.into(), part(key, Value::Null)?);
            }
            for key in ["warn_unenforced", "warn_unsupported"] {
                full.insert(key.into(), part(key, json!(true))?);
            }
            full.insert("to".into(), part("to", Value::Null)?);
            full.insert("to_columns".into(), part("to_columns", json!([]))?);
            if of_model {
                full.insert("columns".into(), part("columns", json!([]))?);
            }
            out.push(Value::Object(full));
        }
        Ok(out)
    }
}

fn unknown_constraint(kind: &str, at: &Span) -> Diagnostic {
    Diagnostic::error(Code::PropertyInvalid, format!("`{kind}` is no type of constraint"))
        .at(at.clone())
        .hint(format!("known types: {}", CONSTRAINTS.join(", ")))
}

pub(crate) fn unique(list: Vec<String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::with_capacity(list.len());
    for item in list {
        if !out.contains(&item) {
            out.push(item);
        }
    }
    out
}

/// sha256 over the columns (by name), their types and constraints, and for tables the model's own constraints.
pub fn contract_checksum(columns: &IndexMap<String, ColumnProperties>, materialized: &str, constraints: &[Value]) -> String {
    use sha2::{Digest, Sha256};
    use std::fmt::Write as _;
    let mut sorted: Vec<&ColumnProperties> = columns.values().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let mut state = String::new();
    for column in sorted {
        let data_type = column.data_type.as_deref().unwrap_or("None");
        let _ = write!(state, "|{}{data_type}{}", column.name, python_list("ColumnLevelConstraint", &column.constraints));
    }
    if matches!(materialized, "table" | "incremental") {
        let _ = write!(state, "{materialized}{}", python_list("ModelLevelConstraint", constraints));
    }
    Sha256::digest(state.as_bytes()).iter().fold(String::with_capacity(64), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

/// Constraints as Python prints dbt's objects, which is what dbt's checksum is made of.
fn python_list(class: &str, constraints: &[Value]) -> String {
    let one = |c: &Value| {
        let fields = c.as_object().into_iter().flatten().map(|(key, value)| match (key.as_str(), value) {
            ("type", Value::String(kind)) => format!("type=<ConstraintType.{kind}: '{kind}'>"),
            (key, Value::String(text)) => format!("{key}={}", quoted(text)),
            (key, other) => format!("{key}={}", crate::generic_test::python_text(other)),
        });
        format!("{class}({})", fields.collect::<Vec<_>>().join(", "))
    };
    format!("[{}]", constraints.iter().map(one).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contracts_checksum_is_that_of_dbt() {
        // From dbt 1.12's manifest of tests/projects/conformance_resources: model.conformance.customers.v1.
        let column = |name: &str, kinds: &[&str]| {
            let constraints = kinds
                .iter()
                .map(|k| json!({"type": k, "name": null, "expression": null, "warn_unenforced": true, "warn_unsupported": true, "to": null, "to_columns": []}))
                .collect();
            (name.to_owned(), ColumnProperties { name: name.to_owned(), data_type: Some("integer".into()), constraints, ..Default::default() })
        };
        let columns = IndexMap::from_iter([column("id", &["not_null"]), column("old", &[])]);
        let own = json!({"type": "unique", "name": "uq", "expression": null, "warn_unenforced": true, "warn_unsupported": true, "to": null, "to_columns": [], "columns": ["id"]});
        assert_eq!(contract_checksum(&columns, "table", &[own]), "e9910e29ecc08b30104afe2c8d84ac9bb0c4344d3653bd3dfa6ed7ff44fc8ef2");
    }
}
