//! What every adapter must do, without a database.

use super::live::{self, Live};
use super::{HOSTILE, List, holds, say};
use crate::plugins::Plugins;
use dvt_diagnostic::Code;
use dvt_plugin_host::{Adapter, ConnectPlan, MappedColumn, NativeColumn};
use dvt_planner::types::CanonicalType;
use dvt_project::{AdapterType, Invocation, ProjectInput, RelationName};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// One of each canonical type.
pub(super) const TYPES: [&str; 21] = [
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "decimal(15,2)", "decimal(38,0)", "text", "bytes",
    "date", "time", "timestamp", "timestamptz", "uuid", "json",
];

/// SQLSTATEs and texts as products send them.
const ERRORS: [(Option<&str>, &str); 7] = [
    (None, ""),
    (None, "something odd"),
    (Some("28P01"), "password authentication failed"),
    (Some("42P01"), "relation \"x\" does not exist"),
    (Some("XX000"), "internal error"),
    (Some(""), "connection refused"),
    (Some("no state"), "🦆 '\" \\ \0"),
];

pub fn check(plugins: &Plugins, name: &str, live: Option<&Live>, list: &mut List) {
    let what = "it is loaded with the imports that it is granted, and its sheet can be read";
    let adapter = match plugins.adapter(&AdapterType::new(name.to_owned())) {
        Ok(adapter) => adapter,
        Err(e) => return list.add(what, Err(say(e))),
    };
    list.add(what, Ok(format!("dialect {}", adapter.sheet().name)));
    list.add("its sheet names a parser and quotes that exist", sheet(adapter.as_ref()));
    list.add("its macro package parses in a project", macros(plugins, name));
    let bare = adapter.connect(&json!({"type": name}), &[]);
    let told = match &bare {
        Ok(_) => Ok("it needs no key".to_owned()),
        Err(e) if e.code == Code::ProjectInvalid && e.hint.is_some() => Ok(String::new()),
        Err(e) => Err(format!("expected {} with a hint: {}", Code::ProjectInvalid, say(e))),
    };
    list.add("a missing key is told with what to add", told);
    let profile = match profile(adapter.as_ref(), name) {
        Ok(profile) => profile,
        Err(e) => return list.add("it plans a connection", Err(e)),
    };
    let secrets = adapter.adapter_facts().secret_keys.clone();
    let plan = adapter.connect(&profile, &secrets);
    list.add("it plans a connection", plan.as_ref().map_err(say).and_then(|p| whole(p, &secrets)));
    list.add("names with quotes stay names", quoting(adapter.as_ref()));
    let columns: Vec<NativeColumn> = hostile();
    let mapped = adapter.map_native(&columns);
    let answered = |m: &[MappedColumn]| holds(m.iter().all(|m| m.canonical.is_some() || m.refused.is_some()), || "a type got neither a canonical type nor a reason".to_owned());
    list.add("every text is a canonical type or refused with a reason", mapped.as_ref().map_err(say).and_then(|m| answered(m)));
    list.add("canonical types come back from their own DDL", round_trip(adapter.as_ref()));
    list.add("errors are classified into codes that exist", errors(adapter.as_ref()));
    let relations = relations();
    let again = |a: &dyn Adapter| {
        let version = a.capabilities("15.4").map_err(say)?;
        Ok::<_, String>((
            a.connect(&profile, &secrets).map_err(say)?,
            a.catalog_sql(&relations).map_err(say)?,
            a.list_sql(None, "s").map_err(say)?,
            a.map_native(&columns).map_err(say)?,
            a.classify_error(Some("XX000"), "x").map_err(say)?,
            version,
        ))
    };
    let same = match (again(adapter.as_ref()), again(adapter.as_ref())) {
        (Ok(a), Ok(b)) => holds(a == b, || "they differ".to_owned()),
        (Err(e), _) | (_, Err(e)) => Err(e),
    };
    list.add("two calls give the same answer", same);
    let many: Vec<RelationName> = (0..500).map(|n| RelationName { database: None, schema: Some("s".to_owned()), identifier: format!("relation_number_{n}") }).collect();
    list.add("five hundred relations stay within the limits of a call", adapter.catalog_sql(&many).map(|sql| format!("{} KB", sql.len() / 1024)).map_err(say));
    if let Some(live) = live {
        live::check(plugins, name, &adapter, live, list);
    }
}

fn hostile() -> Vec<NativeColumn> {
    let long = ["(".repeat(10_000), "numeric(1,".repeat(1000), "x".repeat(100_000)];
    let all = HOSTILE.iter().map(|t| (*t).to_owned()).chain(long);
    all.map(|native| NativeColumn { name: "c".to_owned(), native, collation: Some("no such collation".to_owned()) }).collect()
}

fn sheet(adapter: &dyn Adapter) -> Result<String, String> {
    let sheet = adapter.sheet();
    sheet.sqlparser().map_err(say)?;
    if sheet.name.is_empty() || sheet.quote.0.is_empty() || sheet.quote.1.is_empty() {
        return Err("`name` or `quote` is empty".to_owned());
    }
    let close = &sheet.quote.1;
    let doubled = sheet.quote(&format!("a{close}b"));
    holds(doubled.contains(&close.repeat(2)), || format!("`{close}` in a name is not escaped: {doubled}"))
}

/// The sample profile as YAML needs no quoting beyond JSON's.
fn macros(plugins: &Plugins, name: &str) -> Result<String, String> {
    let mut adapters = BTreeMap::new();
    let mut adapter_packages = BTreeMap::new();
    for (kind, adapter) in plugins.adapters() {
        adapters.insert(kind.to_string(), adapter.adapter_facts().clone());
        adapter_packages.insert(kind.to_string(), adapter.macro_package().clone());
    }
    let package = adapter_packages.get(name).ok_or("it has no macro package")?;
    if !package.contains_key("dbt_project.yml") {
        return Err("the package has no dbt_project.yml".to_owned());
    }
    let files = package.len();
    let files_in = |text: &str| text.to_owned();
    let output = json!({"type": name, "schema": "s", "path": "f", "host": "h", "user": "u", "dbname": "d", "database": "d"});
    let input = ProjectInput {
        files: [("dbt_project.yml", "name: contract\nprofile: contract\nversion: '1'\n"), ("models/m.sql", "select 1 as one")].into_iter().map(|(k, v)| (k.to_owned(), files_in(v))).collect(),
        profiles: Some(json!({"contract": {"target": "t", "outputs": {"t": output}}}).to_string()),
        implicit_compute: plugins.implicit_compute().unwrap_or_default(),
        adapter_packages,
        adapters,
        invocation: Invocation { id: "contract".to_owned(), started_at: "2024-01-01T00:00:00.000000Z".to_owned(), which: "parse".to_owned(), flags: Map::new() },
        ..ProjectInput::default()
    };
    dvt_jinja::parse(&input).map_err(|all| all.iter().map(say).collect::<Vec<_>>().join("; "))?;
    Ok(format!("{files} files"))
}

/// A profile with every key that the adapter asks for, made up.
fn profile(adapter: &dyn Adapter, name: &str) -> Result<Value, String> {
    let mut keys = Map::new();
    // To some products a schema and a database are one thing, which must have one name.
    for (key, value) in [("type", name), ("schema", "s"), ("path", "f.db"), ("host", "h"), ("user", "u"), ("dbname", "d"), ("database", "s"), ("server", "h"), ("username", "u")] {
        keys.insert(key.to_owned(), json!(value));
    }
    keys.insert("port".to_owned(), json!(7000));
    for _ in 0..20 {
        match adapter.connect(&Value::Object(keys.clone()), &[]) {
            Ok(_) => return Ok(Value::Object(keys)),
            Err(e) => {
                let named = e.message.split('`').nth(1).map(str::to_owned).filter(|k| !keys.contains_key(k));
                let Some(key) = named.filter(|_| e.code == Code::ProjectInvalid) else { return Err(say(e)) };
                keys.insert(key, json!("1"));
            }
        }
    }
    Err("it asks for more than twenty keys".to_owned())
}

fn whole(plan: &ConnectPlan, secrets: &[String]) -> Result<String, String> {
    if plan.driver.is_empty() || plan.endpoint.is_empty() {
        return Err("the plan has no driver or no endpoint".to_owned());
    }
    if let Some(key) = plan.secret_options.values().find(|k| !secrets.contains(k)) {
        return Err(format!("the plan names the secret `{key}`, which is none of the sheet's `secret_keys`"));
    }
    Ok(format!("driver {}", plan.driver))
}

fn relations() -> Vec<RelationName> {
    vec![RelationName { database: None, schema: Some("it's".to_owned()), identifier: "a\"b'c`d]e".to_owned() }]
}

fn quoting(adapter: &dyn Adapter) -> Result<String, String> {
    let escaped = |sql: &str, text: &str| {
        let (doubled, slashed) = (text.replace('\'', "''"), text.replace('\'', "\\'"));
        sql.contains(&doubled) || sql.contains(&slashed)
    };
    let catalog = adapter.catalog_sql(&relations()).map_err(say)?;
    if !escaped(&catalog, "b'c") {
        return Err("an apostrophe in a relation's name is not escaped in the catalog query".to_owned());
    }
    let listed = adapter.list_sql(None, "it's").map_err(say)?;
    holds(escaped(&listed, "it's"), || "an apostrophe in a schema's name is not escaped in the list query".to_owned())
}

fn round_trip(adapter: &dyn Adapter) -> Result<String, String> {
    let mut missing = Vec::new();
    for text in TYPES {
        let asked: CanonicalType = text.parse()?;
        let Ok(ddl) = adapter.ddl_types(&[asked]) else {
            missing.push(text);
            continue;
        };
        let native = ddl.first().cloned().unwrap_or_default();
        let mapped = adapter.map_native(&[NativeColumn { name: "c".to_owned(), native: native.clone(), collation: None }]).map_err(say)?;
        let back = mapped.first().and_then(|m| m.canonical).ok_or_else(|| format!("{asked} becomes {native}, which cannot be read back"))?;
        if !holds_all(asked, back) {
            return Err(format!("{asked} becomes {native}, which is read as {back}"));
        }
    }
    if missing.contains(&"text") {
        return Err("it has no type for text".to_owned());
    }
    Ok(if missing.is_empty() { String::new() } else { format!("no type for {}", missing.join(", ")) })
}

/// Whether `wide` takes every value of `narrow`: a product may store a type in a wider one of its family, or an integer in
/// a decimal of enough digits, a truth value in an integer or an identifier in text where it has none of its own, never in another.
fn holds_all(narrow: CanonicalType, wide: CanonicalType) -> bool {
    match (narrow, wide) {
        (CanonicalType::Decimal(..), _) => wide == narrow,
        (CanonicalType::Int(bits) | CanonicalType::UInt(bits), CanonicalType::Decimal(p, 0)) => p >= if bits == 64 { 20 } else { 10 },
        (CanonicalType::Bool, CanonicalType::Int(_) | CanonicalType::UInt(_)) | (CanonicalType::Uuid, CanonicalType::Text) => true,
        _ => wide.family() == narrow.family(),
    }
}

fn errors(adapter: &dyn Adapter) -> Result<String, String> {
    for (state, message) in ERRORS {
        let classified = adapter.classify_error(state, message).map_err(say)?;
        classified.code.parse::<Code>().map_err(|e| format!("{state:?} {message:?}: {e}"))?;
    }
    Ok(String::new())
}
