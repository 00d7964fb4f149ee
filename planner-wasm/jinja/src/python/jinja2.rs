//! Filters, tests and functions of Jinja2 that the engine lacks or has with another meaning.

use super::{bind, dict::entries_of, need, type_error};
use minijinja::value::{Object, ObjectRepr, Rest, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value};
use std::sync::{Arc, Mutex, PoisonError};

pub fn install(env: &mut Environment<'static>) {
    env.add_filter("urlencode", |v: Value| -> Result<String, Error> {
        if v.as_str().is_some() || v.kind() == ValueKind::Number {
            return Ok(quoted(&v.to_string(), b"/"));
        }
        let pairs: Vec<(Value, Value)> = match v.kind() {
            ValueKind::Map => entries_of(&v)?,
            _ => v.try_iter()?.map(|pair| Ok((pair.get_item_by_index(0)?, pair.get_item_by_index(1)?))).collect::<Result<_, Error>>()?,
        };
        let part = |v: &Value| quoted(&v.to_string(), b" ").replace(' ', "+");
        Ok(pairs.iter().map(|(k, v)| format!("{}={}", part(k), part(v))).collect::<Vec<_>>().join("&"))
    });
    env.add_filter("wordwrap", wordwrap);
    env.add_filter("filesizeformat", |v: f64, binary: Option<bool>| filesize(v, binary.unwrap_or(false)));
    env.add_test("sequence", |v: Value| v.as_str().is_some() || v.is_tuple() || matches!(v.kind(), ValueKind::Seq | ValueKind::Map));
    env.add_function("cycler", |items: Rest<Value>| -> Result<Value, Error> {
        if items.is_empty() {
            return Err(type_error("at least one item has to be provided"));
        }
        Ok(Value::from_object(Cycler { items: items.to_vec(), at: Mutex::new(0) }))
    });
}

/// Percent signs for all but letters, digits, `_.-~` and the bytes of `safe`.
fn quoted(text: &str, safe: &[u8]) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-~".contains(&b) || safe.contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn filesize(bytes: f64, binary: bool) -> String {
    let (base, letter) = if binary { (1024.0, "i") } else { (1000.0, "") };
    if bytes == 1.0 {
        return "1 Byte".to_owned();
    }
    if bytes < base {
        return format!("{} Bytes", bytes.trunc());
    }
    let mut unit = base;
    let mut name = 'k';
    for next in "kMGTPEZY".chars() {
        name = next;
        unit *= base;
        if bytes < unit {
            break;
        }
    }
    let name = if binary { name.to_ascii_uppercase() } else { name };
    format!("{:.1} {name}{letter}B", base * bytes / unit)
}

/// Lines of at most `width` characters, broken at blanks; longer words are cut.
fn wordwrap(args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let args: Vec<Value> = args.iter().map(|v| v.clone().into_value()).collect();
    let [text, width, cut, join, _hyphens] = bind("wordwrap", ["s", "width", "break_long_words", "wrapstring", "break_on_hyphens"], &args)?;
    let text = need("wordwrap", "s", text)?.to_string();
    let width = width.and_then(|w| w.as_usize()).unwrap_or(79).max(1);
    let cut = cut.is_none_or(|c| c.is_true());
    let join = join.filter(|j| !j.is_none()).map_or_else(|| "\n".to_owned(), |j| j.to_string());
    let mut out = Vec::new();
    for line in text.lines() {
        let mut now = String::new();
        for word in line.split(' ') {
            let mut word = word.to_owned();
            let length = |s: &str| s.chars().count();
            if !now.is_empty() && length(&now) + 1 + length(&word) > width {
                out.push(std::mem::take(&mut now));
            }
            while cut && length(&word) > width {
                let rest = word.split_off(word.char_indices().nth(width).map_or(word.len(), |(at, _)| at));
                out.push(std::mem::replace(&mut word, rest));
            }
            if !now.is_empty() {
                now.push(' ');
            }
            now.push_str(&word);
        }
        out.push(now);
    }
    Ok(Value::from(out.join(&join)))
}

/// `cycler('odd', 'even')`: one item after the other, for ever.
#[derive(Debug)]
struct Cycler {
    items: Vec<Value>,
    at: Mutex<usize>,
}

impl Object for Cycler {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let at = *self.at.lock().unwrap_or_else(PoisonError::into_inner);
        (key.as_str() == Some("current")).then(|| self.items.get(at).cloned().unwrap_or_default())
    }
    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, _: &[Value]) -> Result<Value, Error> {
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        match method {
            "next" => {
                let item = self.items.get(*at).cloned().unwrap_or_default();
                *at = (*at + 1) % self.items.len();
                Ok(item)
            }
            "reset" => {
                *at = 0;
                Ok(Value::from(()))
            }
            _ => Err(Error::new(ErrorKind::UnknownMethod, format!("'Cycler' object has no attribute '{method}'"))),
        }
    }
}
