//! Methods of `str`, and of the engine's own containers where they reach a template.

use super::{bind, list, need, need_text, owned, split_args, tuple, type_error};
use minijinja::{Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat;

/// The callback for methods an object does not have itself.
pub fn method(state: &mut State<'_, '_>, value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    let Some(text) = value.as_str() else {
        let found = pycompat::unknown_method_callback(state, value, name, args).map(owned);
        return match found {
            Err(e) if e.kind() == ErrorKind::UnknownMethod && value.is_tuple() => tuple_method(value, name, args),
            other => other,
        };
    };
    let width = |v: Option<Value>| v.and_then(|v| v.as_usize()).unwrap_or(0).min(1_000_000);
    let len = text.chars().count();
    match name {
        "split" | "rsplit" => split(text, name == "rsplit", args),
        "splitlines" => Ok(list(text.lines().map(Value::from).collect())),
        "partition" | "rpartition" => {
            let [separator] = bind(name, ["sep"], args)?;
            let separator = need_text(name, "sep", separator)?;
            let parts = if name == "partition" { text.split_once(&separator) } else { text.rsplit_once(&separator) };
            let parts = match parts {
                Some((a, b)) => [a, separator.as_str(), b],
                None if name == "partition" => [text, "", ""],
                None => ["", "", text],
            };
            Ok(tuple(parts.into_iter().map(Value::from).collect()))
        }
        "rjust" | "ljust" | "center" => {
            let [to, fill] = bind(name, ["width", "fillchar"], args)?;
            let missing = width(to).saturating_sub(len);
            let fill = fill.map_or_else(|| " ".to_owned(), |f| f.to_string());
            Ok(Value::from(match name {
                "rjust" => format!("{}{text}", fill.repeat(missing)),
                "ljust" => format!("{text}{}", fill.repeat(missing)),
                _ => {
                    // Python puts the odd one left when the wanted width is odd.
                    let left = missing / 2 + (missing & (len + missing) & 1);
                    format!("{}{text}{}", fill.repeat(left), fill.repeat(missing - left))
                }
            }))
        }
        "zfill" => {
            let [to] = bind(name, ["width"], args)?;
            let (sign, digits) = match text.chars().next() {
                Some('+' | '-') => text.split_at(1),
                _ => ("", text),
            };
            Ok(Value::from(format!("{sign}{}{digits}", "0".repeat(width(to).saturating_sub(len)))))
        }
        "encode" => Ok(Value::from_object(super::filters::Bytes(text.to_owned()))),
        "index" | "rindex" => {
            let [sub] = bind(name, ["sub"], args)?;
            let sub = need_text(name, "sub", sub)?;
            let at = if name == "index" { text.find(&sub) } else { text.rfind(&sub) };
            at.map(|b| Value::from(text[..b].chars().count())).ok_or_else(|| type_error("substring not found"))
        }
        "swapcase" => Ok(Value::from(text.chars().map(|c| if c.is_uppercase() { c.to_lowercase().to_string() } else { c.to_uppercase().to_string() }).collect::<String>())),
        "casefold" => Ok(Value::from(text.to_lowercase())),
        "removeprefix" | "removesuffix" => {
            let [part] = bind(name, ["affix"], args)?;
            let part = need_text(name, "affix", part)?;
            let cut = if name == "removeprefix" { text.strip_prefix(&part) } else { text.strip_suffix(&part) };
            Ok(Value::from(cut.unwrap_or(text)))
        }
        "startswith" | "endswith" => {
            let [affix] = bind(name, ["affix"], args)?;
            let affix = need(name, "affix", affix)?;
            let fits = |v: &Value| v.as_str().is_some_and(|a| if name == "startswith" { text.starts_with(a) } else { text.ends_with(a) });
            if affix.is_tuple() {
                return Ok(Value::from(affix.try_iter()?.any(|v| fits(&v))));
            }
            Ok(Value::from(fits(&affix)))
        }
        "replace" => {
            let [old, new, count] = bind(name, ["old", "new", "count"], args)?;
            let (old, new) = (need_text(name, "old", old)?, need_text(name, "new", new)?);
            Ok(Value::from(match count.and_then(|c| c.as_i64()).filter(|c| *c >= 0) {
                Some(count) => text.replacen(&old, &new, count as usize),
                None => text.replace(&old, &new),
            }))
        }
        "join" => {
            let [items] = bind(name, ["iterable"], args)?;
            let items = need(name, "iterable", items)?;
            let parts: Vec<String> = match items.as_str() {
                Some(s) => s.chars().map(String::from).collect(),
                None => items.try_iter()?.map(|v| v.to_string()).collect(),
            };
            Ok(Value::from(parts.join(text)))
        }
        "isidentifier" => Ok(Value::from(!text.is_empty() && text.chars().enumerate().all(|(i, c)| c == '_' || c.is_alphabetic() || (i > 0 && c.is_numeric())))),
        "isdecimal" => Ok(Value::from(!text.is_empty() && text.chars().all(|c| c.is_ascii_digit()))),
        "expandtabs" => Ok(Value::from(text.replace('\t', "        "))),
        "format" => {
            let (positional, named) = split_args(args);
            let printable = |v: Value| if super::is_text_like(&v) { Value::from(v.to_string()) } else { v };
            let mut all: Vec<Value> = positional.iter().cloned().map(printable).collect();
            if !named.is_empty() {
                all.push(Value::from(named.into_iter().map(|(k, v)| (k, printable(v))).collect::<minijinja::value::Kwargs>()));
            }
            pycompat::unknown_method_callback(state, value, name, &all)
        }
        _ => pycompat::unknown_method_callback(state, value, name, args).map(owned).map_err(|e| match e.kind() {
            ErrorKind::UnknownMethod => Error::new(ErrorKind::UnknownMethod, format!("'str' object has no attribute '{name}'")),
            _ => e,
        }),
    }
}

fn split(text: &str, from_right: bool, args: &[Value]) -> Result<Value, Error> {
    let [separator, most] = bind("split", ["sep", "maxsplit"], args)?;
    let most = most.and_then(|m| m.as_i64()).filter(|m| *m >= 0).map(|m| m as usize);
    let separator = separator.filter(|s| !s.is_none()).map(|s| s.to_string());
    let mut parts: Vec<&str> = match (&separator, most) {
        (Some(s), _) if s.is_empty() => return Err(type_error("empty separator")),
        (Some(s), None) => text.split(s.as_str()).collect(),
        (Some(s), Some(n)) if from_right => text.rsplitn(n + 1, s.as_str()).collect(),
        (Some(s), Some(n)) => text.splitn(n + 1, s.as_str()).collect(),
        (None, None) => text.split_whitespace().collect(),
        (None, Some(n)) => words(text, n, from_right),
    };
    if from_right && most.is_some() && separator.is_some() {
        parts.reverse();
    }
    Ok(list(parts.into_iter().map(Value::from).collect()))
}

/// Words, at most `n` of them cut off; the rest in one piece.
fn words(text: &str, n: usize, from_right: bool) -> Vec<&str> {
    let mut rest = text.trim();
    let mut out = Vec::new();
    while out.len() < n {
        let cut = if from_right { rest.rsplit_once(char::is_whitespace).map(|(r, w)| (w, r.trim_end())) } else { rest.split_once(char::is_whitespace).map(|(w, r)| (w, r.trim_start())) };
        let Some((word, remaining)) = cut else { break };
        out.push(word);
        rest = remaining;
    }
    if !rest.is_empty() {
        out.push(rest);
    }
    if from_right {
        out.reverse();
    }
    out
}

fn tuple_method(value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    let [wanted] = bind(name, ["value"], args)?;
    let wanted = need(name, "value", wanted)?;
    let items: Vec<Value> = value.try_iter()?.collect();
    match name {
        "index" => items.iter().position(|v| *v == wanted).map(Value::from).ok_or_else(|| type_error("tuple.index(x): x not in tuple")),
        "count" => Ok(Value::from(items.iter().filter(|v| **v == wanted).count())),
        _ => Err(Error::new(ErrorKind::UnknownMethod, format!("'tuple' object has no attribute '{name}'"))),
    }
}
