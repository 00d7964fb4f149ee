//! What each name means in a template: macros first, as in dbt, then dbt's own functions and values.

use crate::adapter::{Adapter, Api, Response};
use crate::table::Table;
use crate::config::Config;
use crate::exceptions::{Exceptions, unavailable};
use crate::errors::{coded, fail, returning};
use crate::macros::{MacroValue, PackageValue};
use crate::python::{self, bind, filters, need_text, split_args};
use crate::refs;
use crate::relation::clean;
use crate::runtime::QueryResult;
use crate::scope::{Frame, Phase, Scope, empty, target_value};
use crate::source::rewrite;
use dvt_diagnostic::{Code, Diagnostic};
use indexmap::IndexMap;
use minijinja::value::{Object, ObjectRepr};
use minijinja::{Environment, Error, ErrorKind, State, Value};
use serde_json::{Value as Json, json};
use std::fmt;
use std::sync::Arc;

/// dbt's version that templates see.
pub use dvt_project::artifacts::DBT_VERSION;

/// The functions of the context that are not macros.
const FUNCTIONS: [&str; 22] = [
    "ref", "source", "var", "env_var", "log", "print", "return", "render", "store_result", "store_raw_result", "load_result", "doc", "write",
    "load_agate_table", "diff_of_two_dicts", "try_or_compiler_error", "metric", "submit_python_job", "function", "__dvt_incremental", "debug", "__dvt_fail",
];

/// An environment with everything that needs no project.
pub fn environment() -> Environment<'static> {
    let mut env = Environment::new();
    env.set_debug(true);
    env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    env.set_recursion_limit(200);
    python::install(&mut env);
    filters::install_functions(&mut env);
    env.add_function("__caller", crate::macros::caller);
    env
}

/// The value of a name that is no local.
pub fn lookup(scope: &Arc<Scope>, name: &str) -> Option<Value> {
    if name == "__scope" {
        return Some(Value::from_object(crate::macros::ScopeValue(scope.clone())));
    }
    if name.starts_with("__") && name != "__dvt_incremental" && name != "__dvt_fail" {
        return None;
    }
    if let Some(value) = scope.extra(name) {
        return Some(value);
    }
    if let Some(value) = overridden(scope, name) {
        return Some(value);
    }
    if let Some(entry) = scope.macros().find(&scope.node.package, name) {
        return Some(Value::from_object(MacroValue { entry: entry.clone(), scope: scope.clone() }));
    }
    if let Some(value) = builtin(scope, name) {
        return Some(value);
    }
    scope.macros().has_package(name).then(|| Value::from_object(PackageValue { package: name.to_owned(), scope: scope.clone() }))
}

fn builtin(scope: &Arc<Scope>, name: &str) -> Option<Value> {
    if let Some(function) = FUNCTIONS.iter().find(|f| **f == name) {
        return Some(Value::from_object(Function(function, scope.clone())));
    }
    let manifest = scope.manifest();
    let input = &scope.shared.input;
    let text = |t: Option<&str>| t.map_or_else(|| Value::from(()), Value::from);
    let node = &scope.node;
    Some(match name {
        "config" => Value::from_object(Config(scope.clone())),
        "this" if crate::refs::unit_input(scope, node.unique_id.as_str()).is_some() => crate::refs::unit_input(scope, node.unique_id.as_str())?,
        "this" => scope.this().map_or_else(|| Value::from(()), Value::from_object),
        "target" => target_value(manifest, &node.target),
        "adapter" => Value::from_object(Adapter(scope.clone())),
        "api" => Value::from_object(Api(scope.clone())),
        "exceptions" => Value::from_object(Exceptions(scope.clone())),
        "builtins" => Value::from_object(Builtins(scope.clone())),
        "execute" => Value::from(scope.runtime.is_some()),
        "model" | "node" => node_value(scope),
        "graph" if scope.phase != Phase::Parse => scope.shared.graph.get_or_init(|| refs::graph(manifest)).clone(),
        "graph" => python::from_json(&json!({"nodes": {}, "sources": {}, "exposures": {}, "metrics": {}, "groups": {}})),
        "flags" => flags(scope),
        "schema" => text(node.relation.as_ref().and_then(|r| r.schema.as_deref()).or_else(|| manifest.targets.get(&node.target).map(|t| t.schema.as_str()))),
        "database" => text(node.relation.as_ref().and_then(|r| r.database.as_deref()).or_else(|| manifest.targets.get(&node.target).and_then(|t| t.database.as_deref()))),
        "project_name" => Value::from(manifest.project_name.as_str()),
        "invocation_id" => Value::from(input.invocation.id.as_str()),
        "run_started_at" => python::instant(&input.invocation.started_at),
        "dbt_version" => Value::from(DBT_VERSION),
        "dvt_version" => Value::from(env!("CARGO_PKG_VERSION")),
        "thread_id" => Value::from("Thread-1"),
        "modules" => Value::from_object(python::PyDict::new([
            (Value::from("datetime"), python::datetime_module(&input.invocation.started_at)),
            (Value::from("re"), python::re_module()),
            (Value::from("pytz"), python::pytz_module()),
            (Value::from("itertools"), python::itertools_module()),
        ])),
        "invocation_args_dict" => python::from_json(&Json::Object(input.invocation.flags.clone())),
        "dbt_metadata_envs" => {
            let custom = input.env.iter().filter_map(|(k, v)| Some((k.strip_prefix("DBT_ENV_CUSTOM_ENV_")?, v)));
            Value::from_object(python::PyDict::new(custom.map(|(k, v)| (Value::from(k), Value::from(v.as_str()))).collect::<Vec<_>>()))
        }
        "results" | "schemas" | "database_schemas" => python::list(Vec::new()),
        "selected_resources" if scope.phase == Phase::Parse => python::list(Vec::new()),
        "selected_resources" => python::list(scope.shared.selected.get().into_iter().flatten().map(|id| Value::from(id.as_str())).collect()),
        "validation" => Value::from_object(Validation),
        "pre_hooks" | "post_hooks" => {
            let key = if name == "pre_hooks" { "pre-hook" } else { "post-hook" };
            python::from_json(node.config.get(key).unwrap_or(&Json::Array(Vec::new())))
        }
        "dvt_batch" => scope.overlay.batch.as_ref().map_or_else(|| Value::from(()), |b| python::from_json(&json!({"incremental": !b.first}))),
        "sql" | "compiled_code" | "dvt_staged_relation" | "dvt_part" => Value::from(()),
        "context_macro_stack" => scope.macro_stack(),
        "context" => Value::from_object(Context(scope.clone())),
        _ => return None,
    })
}

fn flags(scope: &Scope) -> Value {
    let input = &scope.shared.input;
    let mut map = serde_json::Map::new();
    for (key, value) in scope.manifest().flags.iter().chain(&input.invocation.flags) {
        map.insert(key.to_uppercase(), value.clone());
    }
    map.insert("FULL_REFRESH".into(), json!(input.full_refresh));
    map.insert("WHICH".into(), json!(input.invocation.which));
    for usual in ["STORE_FAILURES", "WARN_ERROR", "FAIL_FAST", "DEBUG", "EMPTY"] {
        map.entry(usual).or_insert(json!(false));
    }
    python::from_json(&Json::Object(map))
}

fn node_value(scope: &Scope) -> Value {
    let mut value = refs::node_json(scope.manifest(), &scope.node, &scope.shared.input);
    if let Some(map) = value.as_object_mut()
        && let Some(sql) = scope.extra("compiled_code")
    {
        map.insert("compiled_code".into(), Json::String(sql.to_string()));
    }
    let node = python::from_json(&value);
    match &scope.overlay.batch {
        // Its times are moments, which JSON has not.
        Some(batch) => {
            let entries = python::entries_of(&node).unwrap_or_default();
            let batch = (Value::from("batch"), batch.value());
            Value::from_object(python::PyDict::new(entries.into_iter().chain([batch]).collect::<Vec<_>>()))
        }
        None => node,
    }
}

/// A macro that a unit test replaces by a value.
pub fn overridden(scope: &Scope, name: &str) -> Option<Value> {
    let value = scope.overlay.unit.as_ref()?.macros.get(name)?;
    Some(Value::from_object(Constant(python::from_json(value))))
}

/// Called with anything, it gives one value.
#[derive(Debug)]
struct Constant(Value);

impl Object for Constant {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, _: &[Value]) -> Result<Value, Error> {
        Ok(self.0.clone())
    }
}

/// Renders text with what this scope sees.
pub fn render(scope: &Arc<Scope>, env: &Environment<'_>, text: &str) -> Result<String, Error> {
    if !text.contains("{{") && !text.contains("{%") && !text.contains("{#") {
        return Ok(text.to_owned());
    }
    let rewritten = rewrite(text).map_err(|e| fail(Code::JinjaSyntax, e.message))?;
    let frame = Frame { locals: IndexMap::new(), scope: scope.clone() };
    env.render_str(&rewritten.text, Value::from_object(frame))
}

/// A function of the context, with the scope it acts in.
struct Function(&'static str, Arc<Scope>);

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<function {}>", self.0)
    }
}

impl Object for Function {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        // `var.has_var` is the only attribute anyone reads.
        (self.0 == "var" && key.as_str() == Some("has_var")).then(|| Value::from(()))
    }
    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        if self.0 == "var" && method == "has_var" {
            let [name] = bind(method, ["var_name"], args)?;
            return Ok(Value::from(refs::var_of(&self.1, &need_text(method, "var_name", name)?).is_some()));
        }
        Err(Error::from(ErrorKind::UnknownMethod))
    }
    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let Self(name, scope) = &**self;
        let none = || Ok(Value::from(()));
        match *name {
            "ref" => refs::reference(scope, args),
            "source" => refs::source(scope, args),
            "var" => {
                let [key, default] = bind("var", ["name", "default"], args)?;
                refs::var(scope, &need_text("var", "name", key)?, default)
            }
            "env_var" => {
                let [key, default] = bind("env_var", ["var", "default"], args)?;
                let key_text = key.as_ref().map(ToString::to_string).unwrap_or_default();
                if let Some(value) = scope.overlay.unit.as_ref().and_then(|u| u.env_vars.get(&key_text)) {
                    return Ok(Value::from(value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
                }
                env_var(&scope.shared.input.env, &need_text("env_var", "var", key)?, default, Secrets::Hidden)
            }
            "return" => {
                let [data] = bind("return", ["data"], args)?;
                Err(returning(data.unwrap_or_else(|| Value::from(()))))
            }
            "log" | "print" => {
                let [message, info] = bind(name, ["msg", "info"], args)?;
                if let Some(runtime) = &scope.runtime {
                    let message = clean(&message.unwrap_or_default().to_string());
                    if *name == "print" { runtime.print(&message) } else { runtime.log(&message, info.is_some_and(|i| i.is_true())) }
                }
                Ok(Value::from(""))
            }
            "render" => {
                let [text] = bind("render", ["string"], args)?;
                Ok(Value::from(render(scope, state.env(), &need_text("render", "string", text)?)?))
            }
            "store_result" => {
                let [key, response, table] = bind("store_result", ["name", "response", "agate_table"], args)?;
                store(scope, &need_text(name, "name", key)?, response, table);
                Ok(Value::from(""))
            }
            "store_raw_result" => {
                let [key, message, code, rows, table] = bind(name, ["name", "message", "code", "rows_affected", "agate_table"], args)?;
                let message = message.or(code).map(|m| m.to_string()).unwrap_or_default();
                let affected = rows.and_then(|r| r.to_string().parse().ok());
                let response = Value::from_object(Response(QueryResult { message, affected, ..QueryResult::default() }));
                store(scope, &need_text(name, "name", key)?, Some(response), table);
                Ok(Value::from(""))
            }
            "load_result" => {
                let [key] = bind("load_result", ["name"], args)?;
                Ok(scope.extra(&format!("__result_{}", need_text("load_result", "name", key)?)).unwrap_or_else(|| Value::from(())))
            }
            "doc" => {
                let (positional, _) = split_args(args);
                let names: Vec<String> = positional.iter().map(ToString::to_string).collect();
                let docs = &scope.manifest().docs;
                let found = match names.as_slice() {
                    [one] => docs.get(&format!("doc.{}.{one}", scope.node.package)).or_else(|| docs.iter().find(|(k, _)| k.ends_with(&format!(".{one}"))).map(|(_, v)| v)),
                    [package, one] => docs.get(&format!("doc.{package}.{one}")),
                    _ => None,
                };
                found.map(|d| Value::from(d.text.as_str())).ok_or_else(|| fail(Code::PropertyInvalid, format!("no docs block is named `{}`", names.join("."))))
            }
            "write" => {
                let [_] = bind("write", ["payload"], args)?;
                Ok(Value::from(""))
            }
            "debug" => Ok(Value::from("")),
            "diff_of_two_dicts" => {
                let [a, b] = bind(name, ["dict_a", "dict_b"], args)?;
                Ok(diff_of_two_dicts(&python::to_json(&a.unwrap_or_default()), &python::to_json(&b.unwrap_or_default())))
            }
            "try_or_compiler_error" => {
                let (positional, _) = split_args(args);
                let [message, function, rest @ ..] = positional else { return none() };
                function.call(state, rest).map_err(|_| fail(Code::CompilerRaised, message.to_string()))
            }
            "load_agate_table" => Ok(scope.extra("__seed_table").unwrap_or_else(|| Value::from_object(Table(Arc::default())))),
            "metric" => {
                // As in dbt, it prints as the metric's name; what a metric means is not run here.
                let (positional, _) = split_args(args);
                positional.last().cloned().ok_or_else(|| fail(Code::JinjaError, "metric() takes the metric's name, or its package and name"))
            }
            "function" | "submit_python_job" => Err(unavailable(&format!("{name}()"))),
            "__dvt_incremental" => {
                let [value] = bind(name, ["value"], args)?;
                let value = value.is_some_and(|v| v.is_true());
                scope.captures().is_incremental |= value;
                Ok(Value::from(value))
            }
            "__dvt_fail" => {
                let [code, message, hint] = bind(name, ["code", "message", "hint"], args)?;
                let code = code.map(|c| c.to_string()).and_then(|c| c.parse::<Code>().ok()).unwrap_or(Code::NodeFailed);
                let out = Diagnostic::error(code, clean(&message.unwrap_or_default().to_string()));
                Err(coded(match hint {
                    Some(hint) => out.hint(hint.to_string()),
                    None => out,
                }))
            }
            _ => none(),
        }
    }
}

/// `context['name']`: every name of the context by its text.
#[derive(Debug)]
struct Context(Arc<Scope>);

impl Object for Context {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        lookup(&self.0, key.as_str()?)
    }
    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        if method == "get" {
            let [key, default] = bind(method, ["key", "default"], args)?;
            return Ok(lookup(&self.0, &need_text(method, "key", key)?).or(default).unwrap_or_else(|| Value::from(())));
        }
        match lookup(&self.0, method) {
            Some(value) => value.call(state, args),
            None => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

fn diff_of_two_dicts(a: &Json, b: &Json) -> Value {
    // Entries of the lists of a that b lacks, letter case aside, as dbt compares grants.
    let (Some(a), Some(b)) = (a.as_object(), b.as_object()) else { return empty() };
    let lower = |v: &Json| v.as_str().unwrap_or_default().to_lowercase();
    let mut out = serde_json::Map::new();
    for (key, values) in a {
        let there: Vec<String> = b.iter().filter(|(k, _)| k.to_lowercase() == key.to_lowercase()).flat_map(|(_, v)| v.as_array().cloned().unwrap_or_default()).map(|v| lower(&v)).collect();
        let missing: Vec<Json> = values.as_array().cloned().unwrap_or_default().into_iter().filter(|v| !there.contains(&lower(v))).collect();
        if !missing.is_empty() {
            out.insert(key.clone(), Json::Array(missing));
        }
    }
    python::from_json(&Json::Object(out))
}

fn store(scope: &Scope, name: &str, response: Option<Value>, table: Option<Value>) {
    let table = table.filter(|t| !t.is_none() && !t.is_undefined()).unwrap_or_else(|| Value::from_object(Table(Arc::default())));
    let data = table.get_attr("rows").unwrap_or_default();
    let entry = python::PyDict::new([
        (Value::from("response"), response.unwrap_or_default()),
        (Value::from("data"), data),
        (Value::from("table"), table),
    ]);
    scope.set_extra(&format!("__result_{name}"), Value::from_object(entry));
}

/// Whether `DBT_ENV_SECRET_` variables may be read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    Readable,
    Hidden,
}

pub fn env_var(env: &std::collections::BTreeMap<String, String>, name: &str, default: Option<Value>, secrets: Secrets) -> Result<Value, Error> {
    if name.starts_with("DBT_ENV_SECRET_") && secrets == Secrets::Hidden {
        return Err(coded(
            Diagnostic::error(Code::EnvVarNotFound, format!("`{name}` is a secret: it can be read in profiles.yml and packages.yml only"))
                .hint("use another variable here, without the DBT_ENV_SECRET_ prefix"),
        ));
    }
    match (env.get(name), default) {
        (Some(value), _) => Ok(Value::from(value.as_str())),
        (None, Some(default)) => Ok(default),
        (None, None) => Err(coded(
            Diagnostic::error(Code::EnvVarNotFound, format!("environment variable `{name}` is not set")).hint(format!("set it, or give a default: env_var('{name}', '…')")),
        )),
    }
}

/// `validation.any[…]`: old materializations check configs with it; every value is let through.
#[derive(Debug)]
struct Validation;

impl Object for Validation {
    fn get_value(self: &Arc<Self>, _: &Value) -> Option<Value> {
        Some(Value::from_object(Self))
    }
    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, _: &[Value]) -> Result<Value, Error> {
        Ok(Value::from(()))
    }
}

/// `builtins.ref` and the like: dbt's own, whatever macros override.
#[derive(Debug)]
struct Builtins(Arc<Scope>);

impl Object for Builtins {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        builtin(&self.0, key.as_str()?)
    }
    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        match builtin(&self.0, method) {
            Some(function) => function.call(state, args),
            None => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// A value from a YAML string: what it renders to, as native Python.
pub fn native(scope: &Arc<Scope>, env: &Environment<'_>, text: &str) -> Result<Value, Error> {
    if let Some(expression) = crate::source::expression(text) {
        let frame = Frame { locals: IndexMap::new(), scope: scope.clone() };
        return env.compile_expression(&expression)?.eval(Value::from_object(frame));
    }
    render(scope, env, text).map(Value::from)
}
