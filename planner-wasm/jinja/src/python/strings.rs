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
        "expandtabs" => {
            let [size] = bind(name, ["tabsize"], args)?;
            let size = size.map_or(8, |s| s.as_usize().unwrap_or(0)).min(1_000_000);
            let (mut out, mut column) = (String::new(), 0);
            for c in text.chars() {
                match c {
                    '\t' => {
                        let by = if size == 0 { 0 } else { size - column % size };
                        out.push_str(&" ".repeat(by));
                        column += by;
                    }
                    c => {
                        out.push(c);
                        column = if matches!(c, '\n' | '\r') { 0 } else { column + 1 };
                    }
                }
            }
            Ok(Value::from(out))
        }
        "translate" => {
            let [table] = bind(name, ["table"], args)?;
            let table = need(name, "table", table)?;
            let mut out = String::new();
            for c in text.chars() {
                match table.get_item(&Value::from(u32::from(c))).ok().filter(|v| !v.is_undefined()) {
                    None => out.push(c),
                    Some(v) if v.is_none() => {}
                    Some(v) => match v.as_i64() {
                        Some(n) => out.push(u32::try_from(n).ok().and_then(char::from_u32).ok_or_else(|| type_error("character mapping must be in range(0x110000)"))?),
                        None => out.push_str(&v.to_string()),
                    },
                }
            }
            Ok(Value::from(out))
        }
        "format_map" => {
            let [mapping] = bind(name, ["mapping"], args)?;
            let entries = super::entries_of(&need(name, "mapping", mapping)?)?;
            let named: minijinja::value::Kwargs = entries.into_iter().map(|(k, v)| (k.to_string(), v)).collect();
            method(state, value, "format", &[Value::from(named)])
        }
        "format" if ["!r", "!s", "!a"].iter().any(|c| text.contains(c)) => {
            let (positional, named) = split_args(args);
            let (text, named) = converted(text, positional, named)?;
            let mut all = positional.to_vec();
            all.push(Value::from(named.into_iter().collect::<minijinja::value::Kwargs>()));
            method(state, &Value::from(text), "format", &all)
        }
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

/// A format text without `!r`: each such field reads a named value of its own, the repr of what it named. Fields without
/// a name get their number, since taking one away would move the others.
fn converted(text: &str, positional: &[Value], mut named: Vec<(String, Value)>) -> Result<(String, Vec<(String, Value)>), Error> {
    let mut out = String::new();
    let mut rest = text;
    let mut next = 0;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let doubled = ["{{", "}}"].iter().find(|d| rest[at..].starts_with(**d));
        let end = rest[at..].find('}');
        let (Some(end), None) = (end, doubled) else {
            let len = doubled.map_or(1, |d| d.len());
            out.push_str(&rest[at..at + len]);
            rest = &rest[at + len..];
            continue;
        };
        let field = &rest[(at + 1).min(at + end)..at + end];
        rest = &rest[at + end + 1..];
        let (head, spec) = field.split_once(':').map_or((field, None), |(h, s)| (h, Some(s)));
        let (name, conversion) = head.split_once('!').map_or((head, None), |(n, c)| (n, Some(c)));
        let name = if name.is_empty() || name.starts_with(['.', '[']) {
            next += 1;
            format!("{}{name}", next - 1)
        } else {
            name.to_owned()
        };
        let spec = spec.map_or_else(String::new, |s| format!(":{s}"));
        let Some(conversion) = conversion else {
            out.push_str(&format!("{{{name}{spec}}}"));
            continue;
        };
        let found = match name.parse::<usize>() {
            Ok(n) => positional.get(n).cloned(),
            Err(_) => named.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone()),
        };
        let found = found.ok_or_else(|| type_error(format!("the format names `{name}`, which is not given")))?;
        let shown = if conversion == "s" { found.to_string() } else { super::repr(&found) };
        let own = format!("__converted_{}", named.len());
        out.push_str(&format!("{{{own}{spec}}}"));
        named.push((own, Value::from(shown)));
    }
    out.push_str(rest);
    Ok((out, named))
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
