//! The adapter of `extends-sheet` as an Extism module: the contract's calls with underscores, JSON in and out.
//!
//! Input is an array of a call's arguments; output is its result, or `{"error": {...}}`.

use dvt_plugin_sdk::{Failure, NativeType, Profile, Relation};
use extism_pdk::{FnResult, plugin_fn};
use serde_json::{Value, json};

/// The same sheet under its own name.
fn sheet() -> String {
    include_str!("../../extends-sheet/dialect.toml").replacen("\"nearpg\"", "\"nearpg_extism\"", 1)
}

fn answer(result: Result<Value, Failure>) -> FnResult<String> {
    let value = result.unwrap_or_else(|e| json!({"error": {"code": e.code, "message": e.message, "hint": e.hint, "sqlstate": e.sqlstate}}));
    Ok(value.to_string())
}

fn arguments(input: &str) -> Result<Vec<Value>, Failure> {
    serde_json::from_str(input).map_err(|e| Failure::new("DVT5008", format!("the host sent no arguments: {e}")))
}

fn text(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).map(str::to_owned)
}

fn list(arguments: &[Value]) -> impl Iterator<Item = &Value> {
    arguments.first().and_then(Value::as_array).into_iter().flatten()
}

#[plugin_fn]
pub fn dialect_sheet(_: String) -> FnResult<String> {
    answer(Ok(json!(sheet())))
}

#[plugin_fn]
pub fn dialect_macros(_: String) -> FnResult<String> {
    answer(Ok(json!({"dbt_project.yml": "name: dbt_nearpg_extism\nversion: \"0.1.0\"\nconfig-version: 2\n"})))
}

#[plugin_fn]
pub fn dialect_capabilities(input: String) -> FnResult<String> {
    answer(arguments(&input).map(|a| {
        let version = text(a.first()).unwrap_or_default();
        json!({"merge_statement": facts::merge_statement(&version), "transactional_ddl": true, "materialized_view": false})
    }))
}

#[plugin_fn]
pub fn adapter_connect(input: String) -> FnResult<String> {
    answer(arguments(&input).and_then(|a| {
        let secrets = a.get(1).and_then(Value::as_array).into_iter().flatten().filter_map(|s| text(Some(s))).collect();
        let profile = Profile::read(&a.first().cloned().unwrap_or_default().to_string(), secrets)?;
        let names = ["host", "user", "dbname", "sslmode", "sslrootcert", "connect_timeout", "search_path"];
        let plan = facts::connect(&profile, "postgres", &names.map(|n| (n, n)))?;
        let map = |pairs: Vec<(String, String)>| Value::Object(pairs.into_iter().map(|(k, v)| (k, json!(v))).collect());
        Ok(json!({
            "driver": plan.driver, "options": map(plan.options), "secret_options": map(plan.secret_options),
            "session_setup": plan.session_setup, "endpoint": plan.endpoint,
        }))
    }))
}

#[plugin_fn]
pub fn adapter_catalog_sql(input: String) -> FnResult<String> {
    answer(arguments(&input).map(|a| {
        let relation = |r: &Value| Relation {
            database: text(r.get("database")),
            schema: text(r.get("schema")),
            identifier: text(r.get("identifier")).unwrap_or_default(),
        };
        json!(facts::catalog_sql(&list(&a).map(relation).collect::<Vec<_>>()))
    }))
}

#[plugin_fn]
pub fn adapter_list_sql(input: String) -> FnResult<String> {
    answer(arguments(&input).map(|a| json!(facts::list_sql(&text(a.get(1)).unwrap_or_default()))))
}

#[plugin_fn]
pub fn adapter_map_native(input: String) -> FnResult<String> {
    answer(arguments(&input).map(|a| {
        let one = |c: &Value| match facts::canonical(&NativeType::parse(&text(c.get("native")).unwrap_or_default())) {
            Ok(canonical) => json!({"canonical": canonical}),
            Err(why) => json!({"refused": why}),
        };
        Value::Array(list(&a).map(one).collect())
    }))
}

#[plugin_fn]
pub fn adapter_ddl_types(input: String) -> FnResult<String> {
    answer(arguments(&input).and_then(|a| {
        let one = |c: &Value| {
            let canonical = text(Some(c)).unwrap_or_default();
            let none = || Failure::new("DVT011", format!("this product has no type for {canonical}")).hint("cast the column in the model");
            facts::ddl(&NativeType::parse(&canonical)).map(Value::from).ok_or_else(none)
        };
        list(&a).map(one).collect::<Result<Vec<_>, _>>().map(Value::Array)
    }))
}

#[plugin_fn]
pub fn adapter_classify_error(input: String) -> FnResult<String> {
    answer(arguments(&input).map(|a| {
        let (code, hint) = facts::classify(text(a.first()).as_deref());
        json!({"code": code, "hint": hint})
    }))
}
