//! `config` in templates: captures while parsing, answers afterwards.

use crate::errors::{coded, fail};
use crate::python::{bind, entries_of, from_json, need_text, split_args, to_json};
use crate::scope::{Phase, Scope};
use dvt_diagnostic::{Code, Diagnostic};
use minijinja::value::{Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};
use std::sync::Arc;

#[derive(Debug)]
pub struct Config(pub Arc<Scope>);

impl Config {
    fn value(&self, name: &str) -> Option<Value> {
        let scope = &self.0;
        let key = match name {
            "pre_hook" => "pre-hook",
            "post_hook" => "post-hook",
            other => other,
        };
        if scope.phase == Phase::Parse
            && let Some(value) = scope.captures().config.get(name)
        {
            return Some(from_json(value));
        }
        if key == "snapshot_table_column_names" && scope.node.resource_type == dvt_project::ResourceType::Snapshot {
            return Some(from_json(&snapshot_columns(scope.node.config.get("snapshot_meta_column_names"))));
        }
        scope.node.config.get(key).filter(|v| !v.is_null()).map(from_json)
    }
}

/// The columns that snapshots add, each by its own name or the one that `snapshot_meta_column_names` gives it.
fn snapshot_columns(named: Option<&serde_json::Value>) -> serde_json::Value {
    let own = ["dbt_valid_to", "dbt_valid_from", "dbt_scd_id", "dbt_updated_at", "dbt_is_deleted"];
    own.iter().map(|name| ((*name).to_owned(), named.and_then(|n| n.get(*name)).filter(|v| v.is_string()).cloned().unwrap_or_else(|| (*name).into()))).collect()
}

impl Object for Config {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "model" => crate::context::lookup(&self.0, "model"),
            other => self.value(other),
        }
    }
    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        if self.0.phase == Phase::Parse {
            let (positional, named) = split_args(args);
            let mut entries = Vec::new();
            match positional {
                [] => {}
                [one] if named.is_empty() => {
                    for (key, value) in entries_of(one)? {
                        entries.push((key.to_string(), value));
                    }
                }
                _ => return Err(fail(Code::ConfigInvalid, "config() takes keyword arguments, or one mapping")),
            }
            entries.extend(named);
            let mut captures = self.0.captures();
            for (key, value) in entries {
                // A second call adds to what the first one said, where the config adds up.
                if captures.config.contains_key(&key) {
                    let more = serde_json::Map::from_iter([(key, to_json(&value))]);
                    dvt_project::config::merge(&mut captures.config, &more);
                } else {
                    captures.config.insert(key, to_json(&value));
                }
            }
        }
        Ok(Value::from(""))
    }
    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        match method {
            "get" => {
                let [name, default, _validator] = bind(method, ["name", "default", "validator"], args)?;
                Ok(self.value(&need_text(method, "name", name)?).or(default).unwrap_or_else(|| Value::from(())))
            }
            "require" => {
                let [name, _validator] = bind(method, ["name", "validator"], args)?;
                let name = need_text(method, "name", name)?;
                match self.value(&name) {
                    Some(value) => Ok(value),
                    None if self.0.phase == Phase::Parse => Ok(Value::from("")),
                    None => Err(coded(Diagnostic::error(Code::ConfigInvalid, format!("`{}` needs the config `{name}`", self.0.node.name)))),
                }
            }
            "set" => {
                let [name, value] = bind(method, ["name", "value"], args)?;
                let name = need_text(method, "name", name)?;
                let mut captures = self.0.captures();
                captures.config.insert(name, to_json(&value.unwrap_or_default()));
                Ok(Value::from(""))
            }
            "meta_get" | "meta_require" => {
                let [name, default] = bind(method, ["name", "default"], args)?;
                let name = need_text(method, "name", name)?;
                let meta = self.value("meta").and_then(|m| m.get_attr(&name).ok()).filter(|v| !v.is_undefined());
                match meta.or(default) {
                    Some(value) => Ok(value),
                    None if method == "meta_require" && self.0.phase != Phase::Parse => Err(fail(Code::ConfigInvalid, format!("`{}` needs `{name}` in its meta", self.0.node.name))),
                    None => Ok(Value::from(())),
                }
            }
            "persist_relation_docs" | "persist_column_docs" => {
                let key = if method == "persist_relation_docs" { "relation" } else { "columns" };
                Ok(Value::from(self.value("persist_docs").and_then(|p| p.get_attr(key).ok()).is_some_and(|v| v.is_true())))
            }
            _ => Err(Error::new(ErrorKind::UnknownMethod, format!("config has no attribute '{method}'"))),
        }
    }
}
