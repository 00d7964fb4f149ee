//! `+ - * %`, slices and constructors as Python has them.

use super::dict::entries_of;
use super::list::PyList;
use super::{PyDict, list, repr, split_args, tuple, type_error};
use minijinja::formatting::{FormatStyle, format};
use minijinja::value::{Kwargs, Object, ObjectRepr, Rest, Tuple, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, State, Value};
use std::fmt;
use std::sync::Arc;

pub fn install(env: &mut Environment<'static>) {
    env.add_function("__list", |items: Rest<Value>| list(items.to_vec()));
    env.add_function("__tuple", |items: Rest<Value>| tuple(items.to_vec()));
    env.add_function("__dict", |items: Rest<Value>| {
        Value::from_object(PyDict::new(items.chunks(2).filter_map(|pair| Some((pair.first()?.clone(), pair.get(1)?.clone())))))
    });
    env.add_function("__add", |items: Rest<Value>| fold(&items, add));
    env.add_function("__sub", |items: Rest<Value>| fold(&items, sub));
    env.add_function("__mul", |a: Value, b: Value| mul(&a, &b));
    env.add_function("__mul_constant", |a: Value, b: Value| -> Result<Value, Error> {
        let out = mul(&a, &b)?;
        if out.downcast_object_ref::<PyList>().is_none() {
            return Ok(out);
        }
        Ok(list(out.try_iter()?.map(|v| fresh(&v)).collect()))
    });
    env.add_function("__attr", |v: Value, name: String| -> Result<Value, Error> {
        if v.downcast_object_ref::<PyDict>().is_some() {
            return Ok(Value::from_object(BoundMethod(v, name)));
        }
        v.get_attr(&name)
    });
    env.add_function("__mod", |a: Value, b: Value| modulo(&a, &b));
    env.add_function("__slice", |v: Value, start: Value, stop: Value, step: Value| slice(&v, &start, &stop, &step));
    env.add_function("__kwargs", |v: Value| -> Result<Value, Error> {
        Ok(Value::from(entries_of(&v)?.into_iter().map(|(k, v)| (k.to_string(), v)).collect::<Kwargs>()))
    });
    env.add_function("dict", |args: Rest<ValueOrKwargs>| -> Result<Value, Error> {
        let args: Vec<Value> = args.iter().map(|v| v.clone().into_value()).collect();
        let (positional, named) = split_args(&args);
        let mut entries = positional.first().map(entries_of).transpose()?.unwrap_or_default();
        entries.extend(named.into_iter().map(|(k, v)| (Value::from(k), v)));
        Ok(Value::from_object(PyDict::new(entries)))
    });
}

/// A list or dict of its own for a constant that stands several times.
fn fresh(value: &Value) -> Value {
    if let Some(inner) = value.downcast_object_ref::<PyList>() {
        return list(inner.snapshot().iter().map(fresh).collect());
    }
    match value.downcast_object_ref::<PyDict>() {
        Some(inner) => Value::from_object(PyDict::new(inner.snapshot().into_iter().map(|(k, v)| (k, fresh(&v))))),
        None => value.clone(),
    }
}

/// `d.items` without a call.
#[derive(Debug)]
struct BoundMethod(Value, String);

impl Object for BoundMethod {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<built-in method {} of dict object at 0x7f0000000000>", self.1)
    }
    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        self.0.call_method(state, &self.1, args)
    }
}

fn fold(items: &[Value], f: fn(&Value, &Value) -> Result<Value, Error>) -> Result<Value, Error> {
    let mut items = items.iter();
    let first = items.next().cloned().unwrap_or_default();
    items.try_fold(first, |a, b| f(&a, b))
}

enum Numbers {
    Ints(i128, i128),
    Floats(f64, f64),
}

fn integer(value: &Value) -> Option<i128> {
    match value.kind() {
        ValueKind::Bool => Some(i128::from(value.is_true())),
        ValueKind::Number if value.is_integer() => i128::try_from(value.clone()).ok(),
        _ => None,
    }
}

fn float(value: &Value) -> Option<f64> {
    match value.kind() {
        ValueKind::Number => f64::try_from(value.clone()).ok(),
        ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
        _ => None,
    }
}

fn numbers(a: &Value, b: &Value) -> Option<Numbers> {
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => Some(Numbers::Ints(a, b)),
        _ => Some(Numbers::Floats(float(a)?, float(b)?)),
    }
}

fn int_value(value: Option<i128>) -> Result<Value, Error> {
    let value = value.ok_or_else(|| type_error("the number is too large"))?;
    Ok(i64::try_from(value).map_or_else(|_| Value::from(value), Value::from))
}

fn type_name(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::Undefined => "Undefined",
        ValueKind::None => "NoneType",
        ValueKind::Bool => "bool",
        ValueKind::Number if value.is_integer() => "int",
        ValueKind::Number => "float",
        ValueKind::String => "str",
        ValueKind::Bytes => "bytes",
        ValueKind::Seq if value.is_tuple() => "tuple",
        _ if value.downcast_object_ref::<super::PySet>().is_some() => "set",
        ValueKind::Seq | ValueKind::Iterable => "list",
        ValueKind::Map => "dict",
        _ => "object",
    }
}

fn unsupported(op: &str, a: &Value, b: &Value) -> Error {
    type_error(format!("unsupported operand type(s) for {op}: '{}' and '{}'", type_name(a), type_name(b)))
}

fn is_list(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) && !value.is_tuple()
}

fn add(a: &Value, b: &Value) -> Result<Value, Error> {
    if let (Some(a), Some(b)) = (a.as_str(), b.as_str()) {
        return Ok(Value::from(format!("{a}{b}")));
    }
    if (a.is_tuple() && b.is_tuple()) || (is_list(a) && is_list(b)) {
        let all: Vec<Value> = a.try_iter()?.chain(b.try_iter()?).collect();
        return Ok(if a.is_tuple() { tuple(all) } else { list(all) });
    }
    match numbers(a, b) {
        Some(Numbers::Ints(x, y)) => int_value(x.checked_add(y)),
        Some(Numbers::Floats(x, y)) => Ok(Value::from(x + y)),
        None => super::datetime::add(a, b).unwrap_or_else(|| {
            // A relation or another object that prints itself joins text, as its `__add__` does in dbt.
            if a.as_str().is_some() && super::is_text_like(b) {
                return Err(type_error(format!("can only concatenate str (not '{}') to str; use ~", type_name(b))));
            }
            Err(unsupported("+", a, b))
        }),
    }
}

fn sub(a: &Value, b: &Value) -> Result<Value, Error> {
    if let Some(out) = super::set::difference(a, b) {
        return Ok(out);
    }
    match numbers(a, b) {
        Some(Numbers::Ints(x, y)) => int_value(x.checked_sub(y)),
        Some(Numbers::Floats(x, y)) => Ok(Value::from(x - y)),
        None => super::datetime::sub(a, b).unwrap_or_else(|| Err(unsupported("-", a, b))),
    }
}

/// A template cannot make more than this by repetition.
const LONGEST: usize = 10_000_000;

fn mul(a: &Value, b: &Value) -> Result<Value, Error> {
    let (many, times) = if integer(a).is_some() && integer(b).is_none() && float(b).is_none() { (b, a) } else { (a, b) };
    if let Some(n) = integer(times).filter(|_| float(many).is_none()) {
        let n = usize::try_from(n.max(0)).unwrap_or(usize::MAX);
        let fits = |len: usize| len.checked_mul(n).filter(|l| *l <= LONGEST).ok_or_else(|| type_error("the repeated value is too long"));
        if let Some(text) = many.as_str() {
            fits(text.len())?;
            return Ok(Value::from(text.repeat(n)));
        }
        if many.is_tuple() || is_list(many) {
            let items: Vec<Value> = many.try_iter()?.collect();
            let len = fits(items.len())?;
            let all: Vec<Value> = items.iter().cycle().take(len).cloned().collect();
            return Ok(if many.is_tuple() { tuple(all) } else { list(all) });
        }
    }
    match numbers(a, b) {
        Some(Numbers::Ints(x, y)) => int_value(x.checked_mul(y)),
        Some(Numbers::Floats(x, y)) => Ok(Value::from(x * y)),
        None => Err(unsupported("*", a, b)),
    }
}

fn modulo(a: &Value, b: &Value) -> Result<Value, Error> {
    if let Some(text) = a.as_str() {
        return Ok(Value::from(printf(text, b)?));
    }
    let zero = || type_error("integer modulo by zero");
    match numbers(a, b) {
        Some(Numbers::Ints(_, 0)) => Err(zero()),
        Some(Numbers::Ints(x, y)) => int_value(x.checked_rem(y).map(|r| if r != 0 && (r < 0) != (y < 0) { r + y } else { r })),
        Some(Numbers::Floats(_, 0.0)) => Err(zero()),
        Some(Numbers::Floats(x, y)) => {
            let r = x % y;
            Ok(Value::from(if r != 0.0 && (r < 0.0) != (y < 0.0) { r + y } else { r }))
        }
        None => Err(unsupported("%", a, b)),
    }
}

/// What a `%r` shows.
#[derive(PartialEq, Eq)]
enum Place {
    At(usize),
    Named(String),
}

/// The text with `%s` for `%r`, and what those show.
fn without_repr(text: &str) -> (String, Vec<Place>) {
    let (mut out, mut places, mut at) = (String::new(), Vec::new(), 0);
    let mut rest = text;
    while let Some(start) = rest.find('%') {
        let (head, spec) = rest.split_at(start + 1);
        out.push_str(head);
        let name = spec.strip_prefix('(').and_then(|s| s.split_once(')')).map(|(name, _)| name);
        let skip = name.map_or(0, |n| n.len() + 2);
        let flags = spec[skip..].find(|c: char| !matches!(c, '0'..='9' | '.' | '-' | '+' | '#' | ' ' | '*')).map_or(spec.len(), |n| n + skip);
        let kind = spec[flags..].chars().next();
        out.push_str(&spec[..flags]);
        if matches!(kind, Some('r' | 'a')) {
            places.push(name.map_or(Place::At(at), |n| Place::Named(n.to_owned())));
            out.push('s');
        } else {
            out.extend(kind);
        }
        if kind != Some('%') {
            at += 1;
        }
        rest = &spec[flags + kind.map_or(0, char::len_utf8)..];
    }
    out.push_str(rest);
    (out, places)
}

/// `'…' % values`: a tuple gives several, a dict gives names, anything else is the one value.
fn printf(text: &str, values: &Value) -> Result<String, Error> {
    let (text, places) = without_repr(text);
    let text = text.as_str();
    if !places.is_empty() {
        let shown = |v: Value| Value::from(repr(&v));
        if let Some(all) = values.downcast_object_ref::<Tuple>() {
            let all = all.clone().into_vec().into_iter().enumerate().map(|(i, v)| if places.contains(&Place::At(i)) { shown(v) } else { v });
            return printf(text, &tuple(all.collect()));
        }
        if text.contains("%(") {
            let all = entries_of(values)?.into_iter().map(|(k, v)| if places.contains(&Place::Named(k.to_string())) { (k, shown(v)) } else { (k, v) });
            return printf(text, &Value::from_object(PyDict::new(all)));
        }
        return printf(text, &shown(values.clone()));
    }
    let printable = |v: Value| if v.as_object().is_some() && !v.is_tuple() { Value::from(v.to_string()) } else { v };
    if let Some(values) = values.downcast_object_ref::<Tuple>() {
        let values: Vec<Value> = values.clone().into_vec().into_iter().map(printable).collect();
        return format(FormatStyle::Printf, text, &values);
    }
    if text.contains("%(") {
        let named: Kwargs = entries_of(values)?.into_iter().map(|(k, v)| (k.to_string(), printable(v))).collect();
        return format(FormatStyle::Printf, text, &[Value::from(named)]);
    }
    format(FormatStyle::Printf, text, &[printable(values.clone())])
}

/// `v[start:stop:step]` with None for what is left out.
fn slice(v: &Value, start: &Value, stop: &Value, step: &Value) -> Result<Value, Error> {
    let bound = |v: &Value| -> Result<Option<i64>, Error> {
        if v.is_none() || v.is_undefined() { Ok(None) } else { v.as_i64().map(Some).ok_or_else(|| type_error("slice indices must be integers or None")) }
    };
    let step = bound(step)?.unwrap_or(1);
    if step == 0 {
        return Err(type_error("slice step cannot be zero"));
    }
    let (start, stop) = (bound(start)?, bound(stop)?);
    if let Some(text) = v.as_str() {
        let chars: Vec<char> = text.chars().collect();
        return Ok(Value::from(indices(start, stop, step, chars.len()).map(|i| chars[i]).collect::<String>()));
    }
    if v.is_undefined() {
        return Err(Error::new(minijinja::ErrorKind::UndefinedError, "the sliced value is undefined"));
    }
    if !matches!(v.kind(), ValueKind::Seq | ValueKind::Iterable) {
        return Err(type_error(format!("'{}' object cannot be sliced: {}", type_name(v), repr(v))));
    }
    let items: Vec<Value> = match v.downcast_object_ref::<PyList>() {
        Some(list) => list.snapshot(),
        None => v.try_iter()?.collect(),
    };
    let taken: Vec<Value> = indices(start, stop, step, items.len()).map(|i| items[i].clone()).collect();
    Ok(if v.is_tuple() { tuple(taken) } else { list(taken) })
}

fn indices(start: Option<i64>, stop: Option<i64>, step: i64, len: usize) -> impl Iterator<Item = usize> {
    let len = len as i64;
    let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let clamp = |v: Option<i64>, usual: i64| v.map_or(usual, |v| (if v < 0 { v + len } else { v }).clamp(low, high));
    let first = clamp(start, if step > 0 { 0 } else { high });
    let last = clamp(stop, if step > 0 { high } else { low });
    let mut at = first;
    std::iter::from_fn(move || {
        if (step > 0 && at >= last) || (step < 0 && at <= last) {
            return None;
        }
        let here = at;
        at = at.saturating_add(step);
        usize::try_from(here).ok()
    })
}
