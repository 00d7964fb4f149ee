//! Filters and tests: the engine's, giving our lists; Jinja2's that it lacks; dbt's own.

use super::{bind, from_json, list, need, owned, to_json, type_error};
use minijinja::value::{Enumerator, Object, ObjectRepr, Rest, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, State, Value};
use serde_json::Value as Json;
use std::fmt;
use std::sync::Arc;

/// `'x'.encode()`: prints as Python's bytes.
#[derive(Debug)]
pub struct Bytes(pub String);

impl Object for Bytes {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escaped: String = self.0.bytes().map(|b| if b.is_ascii_graphic() || b == b' ' { char::from(b).to_string() } else { format!("\\x{b:02x}") }).collect();
        write!(f, "b'{escaped}'")
    }
}

/// What the `items` filter gives: prints as Python's generator does.
#[derive(Debug)]
struct Items(Vec<Value>);

impl Object for Items {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }
    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.clone())
    }
    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<generator object do_items at 0x7f0000000000>")
    }
}

/// Filters of the engine whose lists must become ours; the engine's own keeps a hidden name.
macro_rules! ours {
    ($env:expr, $($name:literal => $filter:path),* $(,)?) => {
        $(
            $env.add_filter(concat!("__", $name), $filter);
            $env.add_filter($name, |state: &mut State<'_, '_>, args: Rest<ValueOrKwargs>| -> Result<Value, Error> {
                let args: Vec<Value> = args.iter().map(|v| v.clone().into_value()).collect();
                Ok(owned(state.apply_filter(concat!("__", $name), &args)?))
            });
        )*
    };
}

pub fn install(env: &mut Environment<'static>) {
    use minijinja::filters as f;
    ours!(env,
        "list" => f::list, "sort" => f::sort, "batch" => f::batch, "slice" => f::slice, "dictsort" => f::dictsort,
        "groupby" => f::groupby, "unique" => f::unique, "map" => f::map, "select" => f::select, "reject" => f::reject,
        "selectattr" => f::selectattr, "rejectattr" => f::rejectattr, "split" => f::split, "lines" => f::lines,
    );
    env.add_filter("items", |v: Value| -> Result<Value, Error> {
        Ok(Value::from_object(Items(super::dict::entries_of(&v)?.into_iter().map(|(k, v)| super::tuple(vec![k, v])).collect())))
    });
    env.add_filter("as_native", |v: Value| v);
    env.add_filter("as_text", |v: Value| v);
    env.add_filter("as_bool", |v: Value| v);
    env.add_filter("as_number", |v: Value| v);
    // No randomness in the planner: the first item is as random as any.
    env.add_filter("random", |v: Value| v.try_iter().ok().and_then(|mut i| i.next()).unwrap_or_default());
    env.add_filter("wordcount", |v: String| v.split_whitespace().count());
    env.add_filter("center", |v: String, width: Option<usize>| {
        let missing = width.unwrap_or(80).saturating_sub(v.chars().count());
        let left = missing / 2;
        format!("{}{v}{}", " ".repeat(left), " ".repeat(missing - left))
    });
    env.add_filter("truncate", truncate);
    env.add_filter("xmlattr", |v: Value| -> Result<String, Error> {
        Ok(super::dict::entries_of(&v)?.into_iter().filter(|(_, v)| !v.is_none() && !v.is_undefined()).fold(String::new(), |out, (k, v)| format!("{out} {k}=\"{}\"", escaped(&v.to_string()))))
    });
    env.add_filter("escape", |v: Value| escaped(&v.to_string()));
    env.add_filter("e", |v: Value| escaped(&v.to_string()));
    env.add_filter("forceescape", |v: Value| escaped(&v.to_string()));
    env.add_filter("string", |v: Value| super::float_text(&v).unwrap_or_else(|| v.to_string()));
    env.add_filter("int", |args: Rest<ValueOrKwargs>| int(&plain(&args)));
    env.add_filter("tojson", |args: Rest<ValueOrKwargs>| -> Result<Value, Error> {
        let args = plain(&args);
        let [value, indent] = bind("tojson", ["value", "indent"], &args)?;
        let text = dumps(&need("tojson", "value", value)?, indent.and_then(|i| i.as_usize()), true);
        Ok(Value::from(text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026").replace('\'', "\\u0027")))
    });
    env.add_test("sameas", same);
    env.add_test("list", |v: Value| v.kind() == ValueKind::Seq && !v.is_tuple());
    env.add_test("string", |v: Value| v.as_str().is_some());
    env.add_test("callable", |v: Value| v.as_object().is_some() && v.kind() == ValueKind::Plain);
}

fn plain(args: &[ValueOrKwargs]) -> Vec<Value> {
    args.iter().map(|v| v.clone().into_value()).collect()
}

fn same(a: Value, b: Value) -> bool {
    match (a.as_object(), b.as_object()) {
        (Some(_), Some(_)) => {
            let same = |a: &Value, b: &Value| std::ptr::eq(a.as_object().map_or(std::ptr::null(), |o| std::ptr::from_ref(o).cast::<u8>()), b.as_object().map_or(std::ptr::null(), |o| std::ptr::from_ref(o).cast::<u8>()));
            same(&a, &b) || (a.kind() == b.kind() && a == b)
        }
        (None, None) => a.kind() == b.kind() && a == b,
        _ => false,
    }
}

fn int(args: &[Value]) -> Result<Value, Error> {
    let [value, default, base] = bind("int", ["value", "default", "base"], args)?;
    let value = value.unwrap_or_default();
    let default = default.unwrap_or_else(|| Value::from(0));
    let base = base.and_then(|b| u32::try_from(b).ok()).filter(|b| (2..=36).contains(b)).unwrap_or(10);
    let of = |n: i128| i64::try_from(n).map_or_else(|_| Value::from(n), Value::from);
    Ok(match value.kind() {
        ValueKind::Bool => Value::from(i64::from(value.is_true())),
        ValueKind::Number if value.is_integer() => value,
        ValueKind::Number => match f64::try_from(value) {
            Ok(f) if f.is_finite() => of(f.trunc() as i128),
            _ => default,
        },
        ValueKind::String => {
            let text = value.to_string();
            let text = text.trim().replace('_', "");
            match (i128::from_str_radix(&text, base), text.parse::<f64>()) {
                (Ok(i), _) => of(i),
                (_, Ok(f)) if f.is_finite() => of(f.trunc() as i128),
                _ => default,
            }
        }
        _ => default,
    })
}

fn truncate(args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let args = plain(&args);
    let [text, length, kill, end, leeway] = bind("truncate", ["s", "length", "killwords", "end", "leeway"], &args)?;
    let text = text.unwrap_or_default().to_string();
    let length = length.and_then(|l| l.as_usize()).unwrap_or(255);
    let end = end.map_or_else(|| "...".to_owned(), |e| e.to_string());
    let leeway = leeway.and_then(|l| l.as_usize()).unwrap_or(5);
    if text.chars().count() <= length + leeway {
        return Ok(Value::from(text));
    }
    let keep = length.saturating_sub(end.chars().count());
    let cut: String = text.chars().take(keep).collect();
    if kill.is_some_and(|k| k.is_true()) {
        return Ok(Value::from(format!("{cut}{end}")));
    }
    let cut = cut.rsplit_once(' ').map_or(cut.as_str(), |(head, _)| head).to_owned();
    Ok(Value::from(format!("{cut}{end}")))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&#34;").replace('\'', "&#39;")
}

/// Python's `json.dumps`: a space after commas and colons, other scripts escaped.
pub fn dumps(value: &Value, indent: Option<usize>, sort_keys: bool) -> String {
    let json = to_json(value);
    let mut out = String::new();
    write_json(&json, indent, sort_keys, 0, &mut out);
    out
}

fn write_json(json: &Json, indent: Option<usize>, sort: bool, depth: usize, out: &mut String) {
    let line = |out: &mut String, depth: usize| {
        if let Some(n) = indent {
            out.push('\n');
            out.push_str(&" ".repeat(n * depth));
        }
    };
    let comma = if indent.is_some() { "," } else { ", " };
    match json {
        Json::Array(items) if !items.is_empty() => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(comma);
                }
                line(out, depth + 1);
                write_json(item, indent, sort, depth + 1, out);
            }
            line(out, depth);
            out.push(']');
        }
        Json::Object(map) if !map.is_empty() => {
            let mut entries: Vec<(&String, &Json)> = map.iter().collect();
            if sort {
                entries.sort_by_key(|(k, _)| k.as_str());
            }
            out.push('{');
            for (i, (key, value)) in entries.into_iter().enumerate() {
                if i > 0 {
                    out.push_str(comma);
                }
                line(out, depth + 1);
                write_json(&Json::String(key.clone()), indent, sort, depth + 1, out);
                out.push_str(": ");
                write_json(value, indent, sort, depth + 1, out);
            }
            line(out, depth);
            out.push('}');
        }
        Json::String(text) => {
            out.push('"');
            for c in text.chars() {
                match c {
                    '"' => out.push_str("\\\""),
                    '\\' => out.push_str("\\\\"),
                    '\n' => out.push_str("\\n"),
                    '\r' => out.push_str("\\r"),
                    '\t' => out.push_str("\\t"),
                    c if c.is_ascii() && !c.is_ascii_control() => out.push(c),
                    c => {
                        for unit in c.encode_utf16(&mut [0; 2]) {
                            out.push_str(&format!("\\u{unit:04x}"));
                        }
                    }
                }
            }
            out.push('"');
        }
        // Python prints whole floats with their fraction.
        other => out.push_str(&other.to_string()),
    }
}

/// dbt's base functions that need no project.
pub fn install_functions(env: &mut Environment<'static>) {
    env.add_function("fromjson", |args: Rest<ValueOrKwargs>| -> Result<Value, Error> {
        let args = plain(&args);
        let [text, default] = bind("fromjson", ["string", "default"], &args)?;
        Ok(serde_json::from_str::<Json>(&need("fromjson", "string", text)?.to_string()).map_or_else(|_| default.unwrap_or_else(|| Value::from(())), |j| from_json(&j)))
    });
    env.add_function("tojson", |args: Rest<ValueOrKwargs>| -> Result<Value, Error> {
        let args = plain(&args);
        let [value, _, sort] = bind("tojson", ["value", "default", "sort_keys"], &args)?;
        Ok(Value::from(dumps(&value.unwrap_or_default(), None, sort.is_some_and(|s| s.is_true()))))
    });
    env.add_function("fromyaml", |args: Rest<ValueOrKwargs>| -> Result<Value, Error> {
        let args = plain(&args);
        let [text, default] = bind("fromyaml", ["value", "default"], &args)?;
        let text = need("fromyaml", "value", text)?.to_string();
        Ok(dvt_project::yaml::parse("fromyaml", &text).map_or_else(|_| default.unwrap_or_else(|| Value::from(())), |d| from_json(&d.root.to_json())))
    });
    env.add_function("toyaml", |args: Rest<ValueOrKwargs>| -> Result<Value, Error> {
        let args = plain(&args);
        let [value, default, sort] = bind("toyaml", ["value", "default", "sort_keys"], &args)?;
        let written = super::yaml::dump(&to_json(&value.unwrap_or_default()), sort.is_some_and(|s| s.is_true()));
        Ok(written.map_or_else(|_| default.unwrap_or_else(|| Value::from(())), Value::from))
    });
    for strict in [false, true] {
        let set = move |args: Rest<ValueOrKwargs>| -> Result<Value, Error> {
            let args = plain(&args);
            let [value, default] = bind("set", ["value", "default"], &args)?;
            match value.unwrap_or_default().try_iter() {
                Ok(items) => Ok(Value::from_object(super::PySet::new(items))),
                Err(e) if strict => Err(e),
                Err(_) => Ok(default.unwrap_or_else(|| Value::from(()))),
            }
        };
        env.add_function(if strict { "set_strict" } else { "set" }, set);
        let zip = move |args: Rest<ValueOrKwargs>| -> Result<Value, Error> {
            let args = plain(&args);
            let (positional, named) = super::split_args(&args);
            let all: Result<Vec<Vec<Value>>, Error> = positional.iter().map(|v| v.try_iter().map(Iterator::collect)).collect();
            match all {
                Ok(all) => {
                    let shortest = all.iter().map(Vec::len).min().unwrap_or(0);
                    Ok(list((0..shortest).map(|i| super::tuple(all.iter().map(|l| l[i].clone()).collect())).collect()))
                }
                Err(_) if strict => Err(type_error("zip_strict() needs lists")),
                Err(_) => Ok(named.into_iter().find(|(name, _)| name == "default").map_or_else(|| Value::from(()), |(_, v)| v)),
            }
        };
        env.add_function(if strict { "zip_strict" } else { "zip" }, zip);
    }
    env.add_function("local_md5", |text: String| {
        use md5::{Digest, Md5};
        Md5::digest(text.as_bytes()).iter().fold(String::new(), |out, b| format!("{out}{b:02x}"))
    });
    env.add_function("lipsum", || "Lorem ipsum dolor sit amet.");
    env.add_function("joiner", |separator: Option<String>| separator.unwrap_or_else(|| ", ".to_owned()));
    env.add_global("self", Value::from_object(super::PyDict::default()));
}
