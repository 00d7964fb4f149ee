//! What every connector must do, without an engine.

use super::adapter::TYPES;
use super::{HOSTILE, List, holds, say};
use crate::plugins::Plugins;
use dvt_diagnostic::Code;
use dvt_planner::types::CanonicalType;
use dvt_plugin_host::{Connector, ConnectorOptions, NativeColumn};
use serde_json::{Value, json};

/// A label that would end a literal, were it not cleaned.
const LABEL: &str = "dvt-1'; drop table t; --";

pub fn check(plugins: &Plugins, name: &str, list: &mut List) {
    let what = "it is loaded with the imports that it is granted";
    let connector = match plugins.connector(name) {
        Some(Ok(connector)) => connector,
        Some(Err(e)) => return list.add(what, Err(say(e))),
        None => return list.add(what, Err("it is not found".to_owned())),
    };
    list.add(what, Ok(String::new()));
    let told = match connector.options(&json!({"type": name}), &[]) {
        Ok(_) => Ok("it needs no key".to_owned()),
        Err(e) if e.code == Code::ProjectInvalid && e.hint.is_some() => Ok(String::new()),
        Err(e) => Err(format!("expected {} with a hint: {}", Code::ProjectInvalid, say(e))),
    };
    list.add("a missing key is told with what to add", told);
    list.add("it says how the engine reaches a target", options(connector.as_ref(), name));
    list.add("every native type is read, by an expression of the column or as it is, or refused by the column's name", reads(connector.as_ref()));
    list.add("every canonical type is written, by an expression of the column or as it is, or refused", writes(connector.as_ref()));
    let cleaned = match connector.cancel_sql(LABEL) {
        Ok(None) => Ok("it cannot end what runs".to_owned()),
        Ok(Some(sql)) => holds(!sql.contains("drop table"), || format!("a label became SQL: {sql}")),
        Err(e) => Err(say(e)),
    };
    list.add("a label stays a label", cleaned);
    list.add("errors are classified into codes that exist", errors(connector.as_ref()));
}

/// A profile with every key that connectors are known to ask for, made up.
fn profile(name: &str) -> Value {
    let keys = [
        "host", "user", "dbname", "database", "schema", "account", "warehouse", "role", "project", "dataset", "catalog", "http_path", "service", "region", "path", "keyfile",
    ];
    let mut all: serde_json::Map<String, Value> = keys.iter().map(|k| ((*k).to_owned(), json!(format!("{k}1")))).collect();
    all.insert("type".to_owned(), json!(name));
    all.insert("port".to_owned(), json!(1234));
    Value::Object(all)
}

fn options(connector: &dyn Connector, name: &str) -> Result<String, String> {
    let secrets = ["password", "token", "private_key"].map(str::to_owned);
    let profile = profile(name);
    let told = connector.options(&profile, &secrets).map_err(say)?;
    let ConnectorOptions { format, url, secret_options, artifacts, .. } = &told;
    if format.is_empty() {
        return Err("`format` is empty".to_owned());
    }
    if let Some(key) = secret_options.values().find(|k| !secrets.contains(k)) {
        return Err(format!("`{key}` is no key that has a secret"));
    }
    if artifacts.iter().any(|a| a.coordinates.is_empty() || a.files.is_empty()) {
        return Err("an artifact has no coordinates or no files".to_owned());
    }
    let again = connector.options(&profile, &secrets).map_err(say)?;
    holds(again == told, || "two calls differ".to_owned())?;
    Ok(format!("{format}, {url}"))
}

fn template(by: &Option<String>) -> bool {
    by.as_ref().is_none_or(|by| by.contains("{}"))
}

fn reads(connector: &dyn Connector) -> Result<String, String> {
    let long = ["(".repeat(10_000), "numeric(1,".repeat(1000), "x".repeat(100_000)];
    for native in HOSTILE.iter().map(|t| (*t).to_owned()).chain(long) {
        let column = NativeColumn { name: "the_column".to_owned(), native, collation: None };
        match connector.read_casts(std::slice::from_ref(&column)) {
            Ok(casts) => holds(casts.iter().all(template), || format!("`{}` is read by an expression without the column", column.native))?,
            Err(e) => holds(e.code == Code::UnknownType && e.message.contains("the_column"), || format!("`{}`: {}", column.native, say(&e)))?,
        };
    }
    Ok(String::new())
}

fn writes(connector: &dyn Connector) -> Result<String, String> {
    let mut refused = Vec::new();
    for text in TYPES {
        let kind: CanonicalType = text.parse().map_err(|e: String| e)?;
        match connector.write_casts(&[kind]) {
            Ok(casts) => holds(casts.iter().all(template), || format!("{text} is written by an expression without the column"))?,
            Err(e) => {
                refused.push(text);
                holds(e.code == Code::UnknownType, || format!("{text}: {}", say(&e)))?
            }
        };
    }
    Ok(if refused.is_empty() { String::new() } else { format!("refused: {}", refused.join(", ")) })
}

fn errors(connector: &dyn Connector) -> Result<String, String> {
    for (state, message) in [(None, ""), (Some("08001"), "no"), (Some("28000"), "no"), (Some("XX000"), "🦆 '\" \\ \0")] {
        let told = connector.classify_error("org.example.Exception", state, message).map_err(say)?;
        if !told.code.is_empty() && told.code.parse::<Code>().is_err() {
            return Err(format!("`{}` is no code", told.code));
        }
    }
    Ok(String::new())
}
