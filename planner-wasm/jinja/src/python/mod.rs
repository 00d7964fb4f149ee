//! Python's values and operators for templates: what the engine lacks or has with another meaning.

mod dict;
mod datetime;
pub mod filters;
mod itertools;
mod jinja2;
mod list;
mod operators;
mod regexes;
mod set;
mod strings;
mod yaml;
mod zone_table;
mod zones;

pub use datetime::{datetime_module, from_database, instant};
pub use dict::{PyDict, entries_of};
pub use itertools::itertools_module;
pub use list::{PyList, position};
pub use regexes::re_module;
pub use set::PySet;
pub use zones::pytz_module;

use minijinja::value::{Kwargs, Tuple, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Value, escape_formatter};
use serde_json::Value as Json;

/// Puts operators, constructors, filters, tests and string methods into an environment.
pub fn install(env: &mut Environment<'static>) {
    operators::install(env);
    filters::install(env);
    jinja2::install(env);
    env.set_formatter(|out, state, value| match float_text(value) {
        Some(text) => out.write_str(&text).map_err(Error::from),
        None => escape_formatter(out, state, value),
    });
    env.set_unknown_method_callback(strings::method);
}

pub fn list(items: Vec<Value>) -> Value {
    Value::from_object(PyList::new(items))
}

pub fn tuple(items: Vec<Value>) -> Value {
    Value::from_object(Tuple::new(items))
}

/// Our own list or dict for the engine's immutable ones; everything else as it is.
pub fn owned(value: Value) -> Value {
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable if !value.is_tuple() && value.downcast_object_ref::<PyList>().is_none() => match value.try_iter() {
            Ok(items) => list(items.collect()),
            Err(_) => value,
        },
        _ => value,
    }
}

pub fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(b) => Value::from(*b),
        Json::Number(n) => match (n.as_i64(), n.as_u64()) {
            (Some(i), _) => Value::from(i),
            (None, Some(u)) => Value::from(u),
            (None, None) => Value::from(n.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(s) => Value::from(s.as_str()),
        Json::Array(items) => list(items.iter().map(from_json).collect()),
        Json::Object(map) => Value::from_object(PyDict::new(map.iter().map(|(k, v)| (Value::from(k.as_str()), from_json(v))))),
    }
}

/// A value as JSON; what JSON has no form for becomes its text, undefined becomes null.
pub fn to_json(value: &Value) -> Json {
    if is_text_like(value) {
        return Json::String(value.to_string());
    }
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Json::Null,
        ValueKind::Bool => Json::Bool(value.is_true()),
        ValueKind::Number if value.is_integer() => match (value.as_i64(), u64::try_from(value.clone())) {
            (Some(i), _) => Json::from(i),
            (None, Ok(u)) => Json::from(u),
            (None, Err(_)) => Json::String(value.to_string()),
        },
        ValueKind::Number => f64::try_from(value.clone()).ok().and_then(serde_json::Number::from_f64).map_or(Json::Null, Json::Number),
        ValueKind::Seq | ValueKind::Iterable => Json::Array(value.try_iter().map(|i| i.map(|v| to_json(&v)).collect()).unwrap_or_default()),
        ValueKind::Map => {
            let mut map = serde_json::Map::new();
            for key in value.try_iter().into_iter().flatten() {
                if let Ok(inner) = value.get_item(&key) {
                    map.insert(key.to_string(), to_json(&inner));
                }
            }
            Json::Object(map)
        }
        _ => Json::String(value.to_string()),
    }
}

/// Objects that stand for their text: plain ones, and relations although they can be walked.
pub fn is_text_like(value: &Value) -> bool {
    value.as_object().is_some() && (value.kind() == ValueKind::Plain || value.downcast_object_ref::<crate::relation::Relation>().is_some())
}

/// A float that Python writes with an exponent; None for every other value.
fn float_text(value: &Value) -> Option<String> {
    if value.kind() != ValueKind::Number || value.is_integer() {
        return None;
    }
    let float = f64::try_from(value.clone()).ok().filter(|f| f.is_finite() && *f != 0.0 && !(1e-4..1e16).contains(&f.abs()))?;
    let text = format!("{float:e}");
    let (digits, exponent) = text.split_once('e')?;
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |e| ('-', e));
    Some(format!("{digits}e{sign}{exponent:0>2}"))
}

/// Python's `repr`.
pub fn repr(value: &Value) -> String {
    if let Some(text) = float_text(value) {
        return text;
    }
    match value.as_str() {
        Some(text) => repr_text(text),
        None if value.as_object().is_some() => value.to_string(),
        None if value.is_undefined() => "Undefined".to_owned(),
        None => value.to_string(),
    }
}

fn repr_text(text: &str) -> String {
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

pub fn type_error(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

/// Positional arguments, and keyword arguments in order.
pub fn split_args(args: &[Value]) -> (&[Value], Vec<(String, Value)>) {
    match args.split_last() {
        Some((last, rest)) if last.is_kwargs() => {
            let named = Kwargs::try_from(last.clone()).map(|k| k.args().map(|n| (n.to_owned(), k.peek::<Value>(n).unwrap_or_default())).collect());
            (rest, named.unwrap_or_default())
        }
        _ => (args, Vec::new()),
    }
}

/// Arguments bound to parameter names as Python binds them; missing ones are None.
pub fn bind<const N: usize>(function: &str, names: [&str; N], args: &[Value]) -> Result<[Option<Value>; N], Error> {
    let mut out = [const { None }; N];
    bind_all(function, &names, args, &mut out)?;
    Ok(out)
}

/// `out` is as long as `names`.
fn bind_all(function: &str, names: &[&str], args: &[Value], out: &mut [Option<Value>]) -> Result<(), Error> {
    let (positional, named) = split_args(args);
    if positional.len() > names.len() {
        return Err(Error::new(ErrorKind::TooManyArguments, format!("{function}() takes at most {} arguments ({} given)", names.len(), positional.len())));
    }
    for (slot, value) in out.iter_mut().zip(positional) {
        *slot = Some(value.clone());
    }
    for (name, value) in named {
        match names.iter().position(|n| *n == name) {
            Some(i) if out[i].is_some() => return Err(type_error(format!("{function}() got multiple values for argument '{name}'"))),
            Some(i) => out[i] = Some(value),
            None => return Err(Error::new(ErrorKind::TooManyArguments, format!("{function}() got an unexpected keyword argument '{name}'"))),
        }
    }
    Ok(())
}

/// A required argument.
pub fn need(function: &str, name: &str, value: Option<Value>) -> Result<Value, Error> {
    value.ok_or_else(|| Error::new(ErrorKind::MissingArgument, format!("{function}() is missing the argument '{name}'")))
}

/// A required argument as text.
pub fn need_text(function: &str, name: &str, value: Option<Value>) -> Result<String, Error> {
    Ok(need(function, name, value)?.to_string())
}
