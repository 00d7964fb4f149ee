//! Generic tests as YAML declares them, with dbt's names and unique_ids.
//!
//! Not here: whether the test macro exists, and what the test's SQL says.

use crate::names::UniqueId;
use crate::node::version_text;
use crate::properties::{Reader, TestPlace};
use crate::render::rendered;
use crate::yaml::{Yaml, YamlValue};
use dvt_diagnostic::{Code, Diagnostic, Span};
use md5::{Digest, Md5};
use serde_json::{Map, Value};

/// What a generic test is declared on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestOwner {
    /// A model, seed or snapshot; `version` for models with versions.
    Node { name: String, version: Option<Value> },
    Source { source: String, table: String },
}

/// One declared test.
#[derive(Debug, Clone)]
pub struct GenericTest {
    pub unique_id: UniqueId,
    pub package: String,
    pub owner: TestOwner,
    /// Raw name; the `column_name` argument is quoted by the adapter when `quote_column` is set.
    pub column: Option<String>,
    pub quote_column: bool,
    /// `not_null`; with `namespace` for `dbt_utils.x`.
    pub test: String,
    pub namespace: Option<String>,
    /// Arguments as given, with `model` and `column_name`: dbt's `test_metadata.kwargs`.
    pub kwargs: Map<String, Value>,
    /// Config keys of the declaration (severity, where, alias …), for `ConfigTree::resolve`.
    pub config: Map<String, Value>,
    /// The node's name (dbt's full name) and its short form, which is the file's name and the alias.
    pub name: String,
    pub short_name: String,
    pub fqn: Vec<String>,
    /// Tags of the test and those it inherits from its column (for sources, of the source too), sorted.
    pub tags: Vec<String>,
    /// `models.orders`, `sources.crm`.
    pub file_key: String,
    /// `{{ test_not_null(**_dbt_generic_test_kwargs) }}` with the config call, as dbt writes it.
    pub raw_code: String,
    pub description: String,
    /// The properties file, from its package's root.
    pub path: String,
    pub span: Span,
}

/// In dbt's order, which is that of the generated `config()` call.
const CONFIG_KEYS: [&str; 15] = [
    "severity", "tags", "enabled", "where", "limit", "warn_if", "error_if", "fail_calc", "store_failures", "store_failures_as",
    "sql_header", "meta", "database", "schema", "alias",
];

pub(crate) fn read(reader: &mut Reader<'_>, yaml: &Yaml, at: &TestPlace<'_>) -> Result<GenericTest, Diagnostic> {
    let TestPlace { owner, section, column, quote: quote_column, tags: inherited } = *at;
    let (full, span, body) = declaration(reader, yaml)?;
    let (namespace, test) = match full.rsplit_once('.') {
        Some((namespace, test)) => (Some(namespace.to_owned()), test.to_owned()),
        None => (None, full),
    };
    let mut top_level = None;
    let mut has_arguments = false;
    let mut kwargs = Map::new();
    let mut config = Map::new();
    let mut custom = None;
    let mut description = String::new();
    for (key, value) in body {
        match key.as_str() {
            "name" => custom = value.as_str().map(str::to_owned),
            "description" => description = reader.description(Some(value))?,
            "test_name" | "column_name" if column.is_some() || key == "test_name" => {}
            "arguments" if value.as_map().is_some() => {
                has_arguments = true;
                kwargs.extend(value.to_json().as_object().cloned().unwrap_or_default());
            }
            "config" => match rendered(value, reader.render, &|_| false)? {
                Value::Object(map) => config.extend(map),
                Value::Null => {}
                _ => return Err(reader.invalid(&format!("`config` of test `{test}` is no mapping"), &value.span)),
            },
            k if CONFIG_KEYS.contains(&k) => {
                config.insert(key, rendered(value, reader.render, &|_| false)?);
            }
            _ => {
                top_level.get_or_insert_with(|| value.span.clone());
                kwargs.insert(key, value.to_json());
            }
        }
    }
    if let (Some(place), false) = (top_level, has_arguments) {
        let message = format!("the arguments of test `{test}` stand beside its config");
        reader.warnings.push(
            Diagnostic::warning(Code::Deprecated, message)
                .at(place)
                .hint("put them below `arguments:`")
                .event("MissingArgumentsPropertyInGenericTestDeprecation"),
        );
    }
    if kwargs.contains_key("model") {
        return Err(reader.invalid(&format!("test `{test}` has the argument `model`, which every test gets by itself"), &span));
    }
    let mut config = in_dbts_order(config);
    if let Some(column) = column {
        let (open, close) = reader.quotes;
        let name = if quote_column { format!("{open}{}{close}", column.replace(close, &close.repeat(2))) } else { column.to_owned() };
        kwargs.insert("column_name".to_owned(), Value::String(name));
    }
    let (prefix, target, call) = match owner {
        TestOwner::Node { name, version: None } => (test.clone(), name.clone(), format!("ref('{name}')")),
        TestOwner::Node { name, version: Some(version) } => {
            let v = version_text(version);
            (test.clone(), format!("{name}_v{v}"), format!("ref('{name}', version='{v}')"))
        }
        TestOwner::Source { source, table } => {
            (format!("source_{test}"), format!("{source}_{table}"), format!("source('{source}', '{table}')"))
        }
    };
    let prefix = namespace.as_ref().map_or(prefix.clone(), |n| format!("{n}_{prefix}"));
    let (short_name, name) = match custom {
        Some(name) => (name.clone(), name),
        None => names(&prefix, &target, &kwargs),
    };
    if short_name != name && !config.contains_key("alias") {
        config.insert("alias".to_owned(), Value::String(short_name.clone()));
    }
    kwargs.insert("model".to_owned(), Value::String(format!("{{{{ get_where_subquery({call}) }}}}")));
    let mut tags = inherited.to_vec();
    tags.extend(crate::config::tags(&config));
    tags.sort();
    tags.dedup();
    let file_key = match owner {
        TestOwner::Node { name, .. } => format!("{section}.{name}"),
        TestOwner::Source { source, .. } => format!("{section}.{source}"),
    };
    let package = reader.file.package.clone();
    let hash = hash(&name, namespace.as_deref(), &test, &kwargs);
    let mut fqn = reader.file.fqn.clone();
    fqn.push(name.clone());
    Ok(GenericTest {
        unique_id: UniqueId::new(format!("test.{package}.{name}.{hash}")),
        raw_code: raw_code(namespace.as_deref(), &test, &config),
        package,
        owner: owner.clone(),
        column: column.map(str::to_owned),
        quote_column,
        test,
        namespace,
        kwargs,
        config,
        name,
        short_name,
        fqn,
        tags,
        file_key,
        description,
        path: reader.file.path.clone(),
        span,
    })
}

/// Known keys first; explicit nulls say nothing.
fn in_dbts_order(mut config: Map<String, Value>) -> Map<String, Value> {
    let mut out: Map<String, Value> =
        CONFIG_KEYS.iter().filter_map(|k| config.shift_remove(*k).map(|v| ((*k).to_owned(), v))).collect();
    out.extend(config);
    out.retain(|_, v| !v.is_null());
    out
}

type Declared<'a> = (String, Span, Vec<(String, &'a Yaml)>);

/// `not_null`, `{not_null: {...}}`, `{test_name: not_null, ...}`, or `- not_null:` with the keys beside it.
fn declaration<'a>(reader: &Reader<'_>, yaml: &'a Yaml) -> Result<Declared<'a>, Diagnostic> {
    let map = match &yaml.value {
        YamlValue::String(name) => return Ok((name.clone(), yaml.span.clone(), Vec::new())),
        YamlValue::Map(map) if !map.is_empty() => map,
        _ => return Err(reader.invalid("a test is a name or a mapping of a name to its arguments", &yaml.span)),
    };
    if let Some(name) = map.get("test_name").and_then(Yaml::as_str) {
        return Ok((name.to_owned(), yaml.span.clone(), map.iter().map(|(k, _, v)| (k.to_owned(), v)).collect()));
    }
    let mut entries = map.iter();
    let Some((name, at, body)) = entries.next() else {
        return Err(reader.invalid("a test has no name", &yaml.span));
    };
    let mut all: Vec<(String, &Yaml)> = match &body.value {
        YamlValue::Map(inner) => inner.iter().map(|(k, _, v)| (k.to_owned(), v)).collect(),
        YamlValue::Null => Vec::new(),
        _ => return Err(reader.invalid(&format!("the arguments of test `{name}` are no mapping"), &body.span)),
    };
    for (key, key_at, value) in entries {
        if key != "config" && key != "name" && key != "description" && key != "arguments" && !CONFIG_KEYS.contains(&key) {
            return Err(reader.invalid(&format!("`{key}` stands beside test `{name}`; indent it below the test's name"), key_at).hint(format!("write `- {name}: {{arguments: {{{key}: …}}}}`")));
        }
        all.push((key.to_owned(), value));
    }
    Ok((name.to_owned(), at.clone(), all))
}

/// dbt's short and full name: `<test>_<target>_<args>`, shortened with an md5 from 64 characters on.
fn names(test: &str, target: &str, kwargs: &Map<String, Value>) -> (String, String) {
    let mut keys: Vec<&String> = kwargs.keys().filter(|k| *k != "model").collect();
    keys.sort();
    let mut flat = Vec::new();
    for key in keys {
        match &kwargs[key] {
            Value::Object(map) => flat.extend(map.values().map(text)),
            Value::Array(items) => flat.extend(items.iter().map(text)),
            other => flat.push(text(other)),
        }
    }
    let unique = flat.iter().map(|a| cleaned(a)).collect::<Vec<_>>().join("__");
    let identifier = format!("{test}_{target}");
    let full = format!("{identifier}_{unique}");
    if full.chars().count() < 64 {
        return (full.clone(), full);
    }
    let start: String = identifier.chars().take(30).collect();
    (format!("{start}_{}", md5_hex(&full)), full)
}

/// Each run of other characters becomes one underscore.
fn cleaned(text: &str) -> String {
    let mut out = String::new();
    let mut replaced = false;
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || c == '_' {
            out.push(c);
            replaced = false;
        } else if !std::mem::replace(&mut replaced, true) {
            out.push('_');
        }
    }
    out
}

fn hash(name: &str, namespace: Option<&str>, test: &str, kwargs: &Map<String, Value>) -> String {
    let metadata = Map::from_iter([
        ("namespace".to_owned(), namespace.map_or(Value::Null, |n| Value::String(n.to_owned()))),
        ("name".to_owned(), Value::String(test.to_owned())),
        ("kwargs".to_owned(), Value::Object(kwargs.clone())),
    ]);
    let digest = md5_hex(&format!("{name}{}", hashable(&Value::Object(metadata))));
    digest[digest.len() - 10..].to_owned()
}

pub(crate) fn md5_hex(text: &str) -> String {
    use std::fmt::Write as _;
    Md5::digest(text.as_bytes()).iter().fold(String::with_capacity(32), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Python's `repr` of dbt's hashable metadata: sorted mappings, every scalar as text.
fn hashable(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            let items: Vec<String> = keys.iter().map(|k| format!("{}: {}", quoted(k), hashable(&map[*k]))).collect();
            format!("{{{}}}", items.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(hashable).collect::<Vec<_>>().join(", ")),
        scalar => quoted(&text(scalar)),
    }
}

/// Python's `str` of a value.
pub(crate) fn python_text(value: &Value) -> String {
    text(value)
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(s) => s.clone(),
        Value::Number(n) => n.to_string(),
        Value::Array(items) => format!("[{}]", items.iter().map(repr).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => format!("{{{}}}", map.iter().map(|(k, v)| format!("{}: {}", quoted(k), repr(v))).collect::<Vec<_>>().join(", ")),
    }
}

fn repr(value: &Value) -> String {
    match value {
        Value::String(s) => quoted(s),
        other => text(other),
    }
}

/// Python's `repr` of a string: single quotes unless that needs escapes and double ones do not.
pub(crate) fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

fn raw_code(namespace: Option<&str>, test: &str, config: &Map<String, Value>) -> String {
    let macro_name = namespace.map_or_else(|| format!("test_{test}"), |n| format!("{n}.test_{test}"));
    let call = format!("{{{{ {macro_name}(**_dbt_generic_test_kwargs) }}}}");
    if config.is_empty() {
        return call;
    }
    let items: Vec<String> = config
        .iter()
        .map(|(k, v)| match v {
            Value::String(s) => format!("{k}=\"{}\"", s.replace('\\', "\\\\").replace('"', "\\\"")),
            other => format!("{k}={}", text(other)),
        })
        .collect();
    format!("{call}{{{{ config({}) }}}}", items.join(","))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn kwargs(v: Value) -> Map<String, Value> {
        v.as_object().unwrap().clone()
    }

    #[test]
    fn ids_are_those_of_dbt() {
        // From dbt's manifest of jaffle_shop: test.jaffle_shop.unique_customers_customer_id.c5af1ff4b1.
        let k = kwargs(json!({"column_name": "customer_id", "model": "{{ get_where_subquery(ref('customers')) }}"}));
        let (short, full) = names("unique", "customers", &k);
        assert_eq!((short.as_str(), full.as_str()), ("unique_customers_customer_id", "unique_customers_customer_id"));
        assert_eq!(hash(&full, None, "unique", &k), "c5af1ff4b1");
        let k = kwargs(json!({"column_name": "customer_id", "model": "{{ get_where_subquery(ref('customers')) }}"}));
        assert_eq!(hash("not_null_customers_customer_id", None, "not_null", &k), "5c9bf9911d");
    }

    #[test]
    fn long_names_are_cut_with_the_md5_of_the_full_name() {
        let k = kwargs(json!({"column_name": "status", "values": ["placed", "shipped", "completed", "return_pending", "returned"]}));
        let (short, full) = names("accepted_values", "orders", &k);
        assert_eq!(full, "accepted_values_orders_status__placed__shipped__completed__return_pending__returned");
        assert_eq!(short, "accepted_values_orders_1ce6ab157c285f7cd2ac656013faf758".to_owned());
    }

    #[test]
    fn python_repr_picks_its_quotes() {
        assert_eq!(quoted("it's"), "\"it's\"");
        assert_eq!(quoted("a'b\"c"), "'a\\'b\"c'");
    }
}
