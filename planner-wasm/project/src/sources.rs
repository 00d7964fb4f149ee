//! `sources:` of properties files, with the target that holds each table (SPEC T2).
//!
//! Not here: whether the table exists.

use crate::generic_test::TestOwner;
use crate::names::{RelationName, TargetName, UniqueId};
use crate::node::{Manifest, SourceTable};
use crate::paths::unknown_target;
use crate::properties::{ColumnPlace, Properties, Reader, TestPlace, unique};
use crate::render::rendered;
use crate::yaml::{Yaml, YamlMap};
use dvt_diagnostic::{Code, Diagnostic, Span};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What the blocks read so far said about each source: for DVT103 across blocks.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    by_source: BTreeMap<(String, String), (TargetName, Span)>,
}

const SOURCE_KEYS: [&str; 19] = [
    "name", "description", "database", "schema", "catalog", "connection", "loader", "meta", "tags", "config", "tables", "freshness",
    "loaded_at_field", "loaded_at_query", "quoting", "overrides", "enabled", "tests", "data_tests",
];

const TABLE_KEYS: [&str; 17] = [
    "name", "description", "identifier", "connection", "loader", "meta", "tags", "config", "columns", "freshness", "loaded_at_field",
    "loaded_at_query", "quoting", "external", "enabled", "tests", "data_tests",
];

pub(crate) fn read(
    reader: &mut Reader<'_>,
    entry: &Yaml,
    manifest: &mut Manifest,
    blocks: &mut Connections,
    out: &mut Properties,
) -> Result<(), Diagnostic> {
    let Some(map) = entry.as_map() else {
        return Err(reader.invalid("an entry of `sources` is no mapping", &entry.span));
    };
    let source = reader.name(map, &entry.span, "sources")?;
    reader.unknown_keys(map, &SOURCE_KEYS, &format!("source `{source}`"));
    let block = connection(reader, map, manifest, &format!("source `{source}`"))?;
    if let Some((target, at)) = &block {
        let key = (reader.file.package.clone(), source.clone());
        match blocks.by_source.get(&key) {
            Some((other, first)) if other != target => return Err(conflict(&format!("source `{source}`"), other, target, first, at)),
            Some(_) => {}
            None => {
                blocks.by_source.insert(key, (target.clone(), at.clone()));
            }
        }
    }
    let tables = map.get("tables").filter(|y| !y.is_null());
    if let Some(y) = tables.filter(|y| y.as_list().is_none()) {
        return Err(reader.invalid(&format!("`tables` of source `{source}` is no list"), &y.span));
    }
    for table in tables.and_then(Yaml::as_list).unwrap_or_default() {
        let table = read_table(reader, map, &source, table, block.as_ref(), manifest, out)?;
        if table.config.get("enabled").and_then(Value::as_bool) == Some(false) {
            manifest.disabled_sources.insert(table.unique_id.clone(), table);
            continue;
        }
        if let Some(first) = manifest.sources.get(&table.unique_id) {
            let what = format!("source table `{source}.{}`", table.name);
            if first.connection != table.connection {
                return Err(conflict(&what, &first.connection, &table.connection, &first.span, &table.span));
            }
            return Err(Diagnostic::error(Code::DuplicateResource, format!("{what} is declared twice"))
                .at(table.span)
                .hint(format!("the first is in {}, line {}", first.span.file, first.span.line)));
        }
        manifest.sources.insert(table.unique_id.clone(), table);
    }
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "one step of `read`, with its variables")]
fn read_table(
    reader: &mut Reader<'_>,
    block: &YamlMap,
    source: &str,
    yaml: &Yaml,
    inherited: Option<&(TargetName, Span)>,
    manifest: &Manifest,
    out: &mut Properties,
) -> Result<SourceTable, Diagnostic> {
    let Some(map) = yaml.as_map() else {
        return Err(reader.invalid(&format!("an entry of `tables` of source `{source}` is no mapping"), &yaml.span));
    };
    let name = reader.name(map, &yaml.span, "tables")?;
    let what = format!("source table `{source}.{name}`");
    reader.unknown_keys(map, &TABLE_KEYS, &what);
    let span = map.get("name").map_or(&yaml.span, |y| &y.span).clone();
    let own = connection(reader, map, manifest, &what)?;
    let mut fqn = reader.file.fqn.clone();
    fqn.extend([source.to_owned(), name.clone()]);
    let set = settings(reader, block, map, &what)?;
    let package = reader.file.package.clone();
    let mut config = reader.configs.resolve(&package, "source", &fqn, &set.properties, &Map::new());
    let mut tags = crate::config::tags(&config);
    tags.sort();
    tags.dedup();
    config.insert("tags".into(), json!(tags));
    let unrendered_config = reader.configs.unrendered(&package, "source", &fqn, &set.properties, &Map::new());
    let enabled = config.get("enabled").and_then(Value::as_bool) != Some(false);
    let named = own.or_else(|| inherited.cloned()).map(|(t, _)| t);
    let connection = match named.or(configured(manifest, &config, &what, &span)?) {
        Some(target) => target,
        None if manifest.flags.get("strict_connections").and_then(Value::as_bool) == Some(true) => {
            return Err(Diagnostic::error(Code::ConnectionRequired, format!("{what} names no connection and `strict_connections` is on"))
                .at(span)
                .hint(format!("add `connection: {}`", manifest.default_target)));
        }
        None => manifest.default_target.clone(),
    };
    let owner = TestOwner::Source { source: source.to_owned(), table: name.clone() };
    let inherited: Vec<String> = unique(["tags"].iter().flat_map(|k| [listed(block.get(k)), listed(map.get(k))].concat()).collect());
    let mut aside = Properties::default();
    let place = ColumnPlace { owner: &owner, section: "sources", quote: false, tags: &inherited, with_tests: true };
    // Tests of a disabled table are not kept.
    let sink = if enabled { &mut *out } else { &mut aside };
    let columns = reader.columns(map, &place, sink)?;
    reader.tests(map, &TestPlace { owner: &owner, section: "sources", column: None, quote: false, tags: &inherited }, sink)?;
    let held = manifest.targets.get(&connection);
    let database = text(reader, block, "database")?.or(text(reader, block, "catalog")?).or_else(|| held.and_then(|t| t.database.clone()));
    let relation = RelationName {
        database,
        schema: Some(text(reader, block, "schema")?.unwrap_or_else(|| source.to_owned())),
        identifier: text(reader, map, "identifier")?.unwrap_or_else(|| name.clone()),
    };
    let mut quoting = mapping(reader, block, "quoting")?;
    quoting.extend(mapping(reader, map, "quoting")?);
    let written = |key: &str| block.get(key).and_then(Yaml::as_str).map(str::to_owned);
    let (description, doc_blocks) = reader.documented(map.get("description"))?;
    let external = map.get("external").filter(|y| !y.is_null()).map(|y| rendered(y, reader.render, &|_| false)).transpose()?;
    Ok(SourceTable {
        unique_id: UniqueId::new(format!("source.{package}.{source}.{name}")),
        source_name: source.to_owned(),
        package,
        path: reader.file.path.clone(),
        fqn,
        connection,
        relation,
        quoting,
        description,
        doc_blocks,
        // As in dbt, a disabled table keeps the text as written.
        source_description: if enabled { reader.description(block.get("description"))? } else { block.get("description").and_then(Yaml::as_str).unwrap_or_default().to_owned() },
        columns,
        meta: config.get("meta").and_then(Value::as_object).cloned().unwrap_or_default(),
        source_meta: set.source_meta,
        tags,
        loader: text(reader, map, "loader")?.or(text(reader, block, "loader")?).unwrap_or_default(),
        loaded_at_field: config.get("loaded_at_field").and_then(Value::as_str).map(str::to_owned),
        loaded_at_query: config.get("loaded_at_query").and_then(Value::as_str).map(str::to_owned),
        freshness: config.get("freshness").filter(|v| says_when(v)).cloned(),
        external,
        config,
        unrendered_config,
        written: (written("database"), written("schema")),
        span,
        name,
    })
}

/// Whether a freshness has a limit at all.
fn says_when(freshness: &Value) -> bool {
    ["warn_after", "error_after"].iter().any(|k| freshness.get(k).and_then(|t| t.get("count")).is_some_and(|c| !c.is_null()))
}

struct Settings {
    /// For `ConfigTree::resolve`.
    properties: Map<String, Value>,
    source_meta: Map<String, Value>,
}

/// What the source and its table say together, each at top level and below `config`; the table wins.
fn settings(reader: &mut Reader<'_>, block: &YamlMap, table: &YamlMap, what: &str) -> Result<Settings, Diagnostic> {
    let mut levels: Vec<Map<String, Value>> = Vec::new();
    for map in [block, table] {
        let mut top = Map::new();
        for key in ["tags", "meta", "enabled", "loaded_at_field", "loaded_at_query"] {
            if let Some(value) = map.get(key) {
                top.insert(key.to_owned(), rendered(value, reader.render, &|_| false)?);
            }
        }
        levels.push(top);
        levels.push(reader.config(map, &[])?);
    }
    let mut properties = Map::new();
    let mut meta = Map::new();
    let mut tags: Vec<String> = Vec::new();
    let mut source_meta = Map::new();
    for (number, level) in levels.iter().enumerate() {
        for (key, value) in level {
            match (key.as_str(), value) {
                ("meta", Value::Object(own)) => meta.extend(own.clone()),
                ("meta" | "freshness", _) => {}
                ("tags", _) => tags.extend(crate::config::tags(level)),
                _ => {
                    properties.insert(key.clone(), value.clone());
                }
            }
        }
        if number == 1 {
            source_meta = meta.clone();
        }
    }
    tags.sort();
    tags.dedup();
    properties.insert("tags".into(), json!(tags));
    properties.insert("meta".into(), Value::Object(meta));
    let at = |n: usize, key: &str| levels[n].get(key).filter(|v| !v.is_null());
    let either = |n: usize, key: &str| at(n, key).or_else(|| at(n + 1, key)).cloned();
    let said = levels[2].contains_key("loaded_at_field") || at(3, "loaded_at_field").is_some();
    for (n, whose) in [(0, "its source"), (2, "it")] {
        if (either(n, "loaded_at_field").is_some() || (n == 2 && said)) && either(n, "loaded_at_query").is_some() {
            let span = table.get("name").map(|y| y.span.clone()).unwrap_or_default();
            return Err(reader.invalid(&format!("{what}: {whose} has both `loaded_at_field` and `loaded_at_query`"), &span).hint("keep one of them"));
        }
    }
    let field = if said { either(2, "loaded_at_field") } else { either(0, "loaded_at_field") };
    let query = either(2, "loaded_at_query").or_else(|| if said { None } else { either(0, "loaded_at_query") });
    properties.insert("loaded_at_field".into(), field.unwrap_or_default());
    properties.insert("loaded_at_query".into(), query.unwrap_or_default());
    if let Some(freshness) = freshness(reader, block, table)? {
        properties.insert("freshness".into(), freshness);
    }
    Ok(Settings { properties, source_meta })
}

/// The freshness of the source, its config, the table and its config, each over the one before; an explicit null ends it.
/// None: nothing is said anywhere, the project file's tree counts.
fn freshness(reader: &Reader<'_>, block: &YamlMap, table: &YamlMap) -> Result<Option<Value>, Diagnostic> {
    let of = |map: &YamlMap, inner: bool| -> Result<Option<Value>, Diagnostic> {
        let yaml = if inner { map.get("config").and_then(|c| c.get("freshness")) } else { map.get("freshness") };
        yaml.map(|y| rendered(y, reader.render, &|_| false)).transpose()
    };
    let mut merged: Option<Value> = None;
    for said in [of(block, false)?, of(block, true)?, of(table, false)?, of(table, true)?] {
        merged = match (merged, said) {
            (base, None) => base,
            (_, Some(Value::Null)) => Some(Value::Null),
            (Some(Value::Object(base)), Some(Value::Object(over))) => Some(threshold(&base, &over)),
            (_, Some(Value::Object(over))) => Some(threshold(&Map::new(), &over)),
            (base, Some(_)) => base,
        };
    }
    Ok(merged)
}

fn threshold(base: &Map<String, Value>, over: &Map<String, Value>) -> Value {
    let time = |key: &str| match over.get(key) {
        Some(Value::Null) => Value::Null,
        given => {
            let part = |k: &str| {
                let of = |v: Option<&Value>| v.and_then(|v| v.get(k)).filter(|v| !v.is_null()).cloned();
                of(given).or_else(|| of(base.get(key))).unwrap_or_default()
            };
            json!({"count": part("count"), "period": part("period")})
        }
    };
    let filter = over.get("filter").filter(|f| !f.is_null()).or_else(|| base.get("filter")).cloned().unwrap_or_default();
    json!({"warn_after": time("warn_after"), "error_after": time("error_after"), "filter": filter})
}

fn listed(yaml: Option<&Yaml>) -> Vec<String> {
    match yaml.map(|y| (y.as_str(), y.as_list())) {
        Some((Some(one), _)) => vec![one.to_owned()],
        Some((_, Some(list))) => list.iter().filter_map(Yaml::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// The four spellings of T2 at one level; two that differ are DVT103.
fn connection(reader: &Reader<'_>, map: &YamlMap, manifest: &Manifest, what: &str) -> Result<Option<(TargetName, Span)>, Diagnostic> {
    let config = map.get("config");
    let spellings = [
        map.get("connection"),
        config.and_then(|c| c.get("connection")),
        map.get("meta").and_then(|m| m.get("connection")),
        config.and_then(|c| c.get("meta")).and_then(|m| m.get("connection")),
    ];
    let mut found: Option<(TargetName, Span)> = None;
    for yaml in spellings.into_iter().flatten().filter(|y| !y.is_null()) {
        let value = rendered(yaml, reader.render, &|_| false)?;
        let target = TargetName::new(value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        if !manifest.targets.contains_key(&target) {
            return Err(unknown_connection(manifest, &target, what).at(yaml.span.clone()));
        }
        match &found {
            Some((first, at)) if *first != target => return Err(conflict(what, first, &target, at, &yaml.span)),
            Some(_) => {}
            None => found = Some((target, yaml.span.clone())),
        }
    }
    Ok(found)
}

/// `+connection` (or `+meta: {connection: …}`) of the project file's `sources:` tree.
fn configured(manifest: &Manifest, config: &Map<String, Value>, what: &str, at: &Span) -> Result<Option<TargetName>, Diagnostic> {
    let name = config.get("connection").or_else(|| config.get("meta").and_then(|m| m.get("connection"))).and_then(Value::as_str);
    let Some(target) = name.map(TargetName::from) else { return Ok(None) };
    if manifest.targets.contains_key(&target) { Ok(Some(target)) } else { Err(unknown_connection(manifest, &target, what).at(at.clone())) }
}

fn unknown_connection(manifest: &Manifest, target: &TargetName, what: &str) -> Diagnostic {
    let mut error = unknown_target(manifest, target);
    error.message = format!("connection `{target}` of {what} is not an output of profile `{}`", manifest.profile_name);
    error
}

fn conflict(what: &str, first: &TargetName, second: &TargetName, first_at: &Span, at: &Span) -> Diagnostic {
    Diagnostic::error(Code::ConflictingConnections, format!("{what} is declared with two connections, `{first}` and `{second}`"))
        .at(at.clone())
        .hint(format!("the first is in {}, line {}", first_at.file, first_at.line))
}

fn text(reader: &Reader<'_>, map: &YamlMap, key: &str) -> Result<Option<String>, Diagnostic> {
    let Some(yaml) = map.get(key) else { return Ok(None) };
    Ok(match rendered(yaml, reader.render, &|_| false)? {
        Value::String(s) => Some(s),
        Value::Null => None,
        other => Some(other.to_string()),
    })
}

fn mapping(reader: &Reader<'_>, map: &YamlMap, key: &str) -> Result<Map<String, Value>, Diagnostic> {
    let Some(yaml) = map.get(key) else { return Ok(Map::new()) };
    Ok(rendered(yaml, reader.render, &|_| false)?.as_object().cloned().unwrap_or_default())
}
