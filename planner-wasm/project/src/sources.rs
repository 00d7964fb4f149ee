//! `sources:` of properties files, with the target that holds each table (SPEC T2).
//!
//! Not here: whether the table exists.

use crate::config::ConfigTree;
use crate::generic_test::TestOwner;
use crate::names::{RelationName, TargetName, UniqueId};
use crate::node::{Manifest, SourceTable};
use crate::paths::unknown_target;
use crate::properties::{Properties, Reader};
use crate::render::rendered;
use crate::yaml::{Yaml, YamlMap};
use dvt_diagnostic::{Code, Diagnostic, Span};
use serde_json::{Map, Value};
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
    configs: &ConfigTree,
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
        let table = read_table(reader, map, &source, table, block.as_ref(), manifest, configs, out)?;
        let Some(table) = table else { continue };
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
    configs: &ConfigTree,
    out: &mut Properties,
) -> Result<Option<SourceTable>, Diagnostic> {
    let Some(map) = yaml.as_map() else {
        return Err(reader.invalid(&format!("an entry of `tables` of source `{source}` is no mapping"), &yaml.span));
    };
    let name = reader.name(map, &yaml.span, "tables")?;
    let what = format!("source table `{source}.{name}`");
    reader.unknown_keys(map, &TABLE_KEYS, &what);
    let span = map.get("name").map_or(&yaml.span, |y| &y.span).clone();
    let own = connection(reader, map, manifest, &what)?;
    let folded = ["tags", "meta", "enabled", "freshness", "loaded_at_field", "loaded_at_query"];
    let mut properties = reader.config(block, &folded)?;
    crate::config::merge(&mut properties, &reader.config(map, &folded)?);
    let mut fqn = reader.file.fqn.clone();
    fqn.extend([source.to_owned(), name.clone()]);
    let config = configs.resolve(&reader.file.package, "source", &fqn, &properties, &Map::new());
    if config.get("enabled").and_then(Value::as_bool) == Some(false) {
        return Ok(None);
    }
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
    let columns = reader.columns(map, out, &owner, true)?;
    reader.tests(map, &owner, None, out)?;
    let held = manifest.targets.get(&connection);
    let database = text(reader, block, "database")?.or(text(reader, block, "catalog")?).or_else(|| held.and_then(|t| t.database.clone()));
    let relation = RelationName {
        database,
        schema: Some(text(reader, block, "schema")?.unwrap_or_else(|| source.to_owned())),
        identifier: text(reader, map, "identifier")?.unwrap_or_else(|| name.clone()),
    };
    let mut quoting = mapping(reader, block, "quoting")?;
    quoting.extend(mapping(reader, map, "quoting")?);
    Ok(Some(SourceTable {
        unique_id: UniqueId::new(format!("source.{}.{source}.{name}", reader.file.package)),
        source_name: source.to_owned(),
        package: reader.file.package.clone(),
        path: reader.file.path.clone(),
        fqn,
        connection,
        relation,
        quoting,
        description: reader.description(map.get("description")),
        source_description: reader.description(block.get("description")),
        columns,
        meta: config.get("meta").and_then(Value::as_object).cloned().unwrap_or_default(),
        tags: crate::config::tags(&config),
        loader: text(reader, map, "loader")?.or(text(reader, block, "loader")?).unwrap_or_default(),
        loaded_at_field: config.get("loaded_at_field").and_then(Value::as_str).map(str::to_owned),
        freshness: config.get("freshness").filter(|v| !v.is_null()).cloned(),
        config,
        span,
        name,
    }))
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
