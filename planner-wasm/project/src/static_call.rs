//! Calls that are read without rendering: `ref('a', v=2)` in YAML, and the text of `config(…)` arguments.
//!
//! Not here: anything that needs a value of a name.

use crate::generic_test::quoted;
use crate::node::RefCall;
use serde_json::{Map, Value};

/// A call that YAML may hold instead of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StaticCall {
    Ref(RefCall),
    Source(String, String),
    Metric(Vec<String>),
}

/// Reads `ref(…)`, `source(…)` or `metric(…)` with literal arguments; None for all else.
pub fn static_call(text: &str) -> Option<StaticCall> {
    let text = text.trim();
    let (name, rest) = text.split_once('(')?;
    let inner = rest.strip_suffix(')')?;
    let mut names = Vec::new();
    let mut version = None;
    for argument in arguments(inner)? {
        match argument {
            (None, value) => names.push(literal(value)?.as_str()?.to_owned()),
            (Some("v" | "version"), value) => version = Some(literal(value)?),
            (Some(_), _) => return None,
        }
    }
    match (name.trim(), names.as_slice(), version) {
        ("ref", [name], version) => Some(StaticCall::Ref(RefCall { name: name.clone(), package: None, version })),
        ("ref", [package, name], version) => Some(StaticCall::Ref(RefCall { name: name.clone(), package: Some(package.clone()), version })),
        ("source", [source, table], None) => Some(StaticCall::Source(source.clone(), table.clone())),
        ("metric", [_] | [_, _], None) => Some(StaticCall::Metric(names)),
        _ => None,
    }
}

/// The keyword arguments of the first `config(…)` of a template, each as text in one spelling; a plain string is itself.
pub fn config_call(template: &str) -> Map<String, Value> {
    let template = &without_comments(template);
    let mut from = 0;
    while let Some(at) = template[from..].find("config") {
        let start = from + at;
        let after = &template[start + 6..];
        let whole = !template[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.');
        let open = after.len() - after.trim_start().len();
        if whole && after[open..].starts_with('(') {
            let inner = &after[open + 1..];
            if let Some(end) = closing(inner)
                && let Some(arguments) = arguments(&inner[..end])
            {
                let named = arguments.into_iter().filter_map(|(name, value)| Some((name?.to_owned(), unrendered(value))));
                return named.collect();
            }
        }
        from = start + 6;
    }
    Map::new()
}

fn unrendered(value: &str) -> Value {
    match literal(value) {
        Some(Value::String(text)) => Value::String(text),
        _ => Value::String(respelled(value)),
    }
}

/// A template without its `{# … #}`.
fn without_comments(template: &str) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, comment)) = rest.split_once("{#") {
        out.push_str(before);
        rest = comment.split_once("#}").map_or("", |(_, after)| after);
    }
    out + rest
}

/// What a character of template text is, brackets and quotes counted.
#[derive(Default)]
struct Nesting {
    depth: usize,
    quote: Option<char>,
    escaped: bool,
    /// A bracket closed that was not opened.
    over: bool,
}

impl Nesting {
    /// Whether `c` stands outside of every bracket and quote, itself not one of them.
    fn bare(&mut self, c: char) -> bool {
        match (self.quote, c) {
            (Some(_), _) if self.escaped => self.escaped = false,
            (Some(_), '\\') => self.escaped = true,
            (Some(q), c) if c == q => self.quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => self.quote = Some(c),
            (None, '(' | '[' | '{') => self.depth += 1,
            (None, ')' | ']' | '}') if self.depth == 0 => self.over = true,
            (None, ')' | ']' | '}') => self.depth -= 1,
            _ => return self.depth == 0,
        }
        false
    }
}

/// Byte position of the bracket that closes an open one.
fn closing(text: &str) -> Option<usize> {
    let mut nesting = Nesting::default();
    text.char_indices().find_map(|(at, c)| {
        nesting.bare(c);
        nesting.over.then_some(at)
    })
}

/// `a, b=c` at the top level of brackets and quotes.
fn arguments(text: &str) -> Option<Vec<(Option<&str>, &str)>> {
    let mut out = Vec::new();
    for part in parts(text, ',')? {
        let part = part.trim();
        if part.is_empty() {
            continue;
        }
        let named = part.split_once('=').filter(|(name, rest)| {
            let name = name.trim();
            !rest.starts_with('=') && !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        });
        match named {
            Some((name, value)) => out.push((Some(name.trim()), value.trim())),
            None => out.push((None, part)),
        }
    }
    Some(out)
}

fn parts(text: &str, at: char) -> Option<Vec<&str>> {
    let mut out = Vec::new();
    let (mut nesting, mut start) = (Nesting::default(), 0);
    for (i, c) in text.char_indices() {
        if nesting.bare(c) && c == at {
            out.push(&text[start..i]);
            start = i + c.len_utf8();
        }
    }
    out.push(&text[start..]);
    (nesting.depth == 0 && !nesting.over && nesting.quote.is_none()).then_some(out)
}

/// A string or number literal.
fn literal(text: &str) -> Option<Value> {
    let text = text.trim();
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'));
    if let Some(quote) = quote {
        let inner = text[1..].strip_suffix(quote).filter(|_| text.len() > 1)?;
        let mut out = String::new();
        let mut escaped = false;
        for c in inner.chars() {
            match (std::mem::take(&mut escaped), c) {
                (false, '\\') => escaped = true,
                (false, c) if c == quote => return None,
                (true, 'n') => out.push('\n'),
                (true, 't') => out.push('\t'),
                (true, 'r') => out.push('\r'),
                // As Python: what is no escape stays as it is.
                (true, c) if !matches!(c, '\\' | '\'' | '"') => out.extend(['\\', c]),
                (_, c) => out.push(c),
            }
        }
        return Some(Value::String(out));
    }
    text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<f64>().map(Value::from)).ok()
}

/// An expression with Python's quotes and one space after commas and colons and around operators.
fn respelled(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.trim();
    while let Some(c) = rest.chars().next() {
        if matches!(c, '\'' | '"') {
            let mut end = None;
            let mut escaped = false;
            for (i, x) in rest.char_indices().skip(1) {
                if escaped {
                    escaped = false;
                } else if x == '\\' {
                    escaped = true;
                } else if x == c {
                    end = Some(i + 1);
                    break;
                }
            }
            let end = end.unwrap_or(rest.len());
            out.push_str(&literal(&rest[..end]).and_then(|v| v.as_str().map(quoted)).unwrap_or_else(|| rest[..end].to_owned()));
            rest = &rest[end..];
            continue;
        }
        let length = c.len_utf8();
        match c {
            ',' | ':' => {
                out.truncate(out.trim_end().len());
                out.push(c);
                out.push(' ');
                rest = rest[length..].trim_start();
                continue;
            }
            c if c.is_whitespace() => {
                let next = rest.trim_start();
                if !out.ends_with(['(', '[', '{', ' ']) && !next.starts_with([')', ']', '}', ',', ':']) && !next.is_empty() {
                    out.push(' ');
                }
                rest = next;
                continue;
            }
            ')' | ']' | '}' if out.ends_with(", ") => {
                out.truncate(out.len() - 2);
                out.push(c);
            }
            c if c.is_alphabetic() || c == '_' => {
                let end = rest.find(|x: char| !(x.is_alphanumeric() || x == '_')).unwrap_or(rest.len());
                out.push_str(constant(&rest[..end]));
                rest = &rest[end..];
                continue;
            }
            c => out.push(c),
        }
        rest = &rest[length..];
    }
    out
}

/// Jinja's own spellings of Python's constants.
fn constant(word: &str) -> &str {
    match word {
        "true" => "True",
        "false" => "False",
        "none" => "None",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn calls_with_literals_are_read_and_others_are_not() {
        let call = |name: &str, package: Option<&str>, version: Option<Value>| {
            Some(StaticCall::Ref(RefCall { name: name.into(), package: package.map(Into::into), version }))
        };
        assert_eq!(static_call("ref('a')"), call("a", None, None));
        assert_eq!(static_call(" ref( \"p\", 'a', v=2 ) "), call("a", Some("p"), Some(json!(2))));
        assert_eq!(static_call("ref('a', version='2.5')"), call("a", None, Some(json!("2.5"))));
        assert_eq!(static_call("source('s', 't')"), Some(StaticCall::Source("s".into(), "t".into())));
        assert_eq!(static_call("ref(var('x'))"), None);
    }

    #[test]
    fn the_config_call_keeps_its_expressions_in_one_spelling() {
        let found = config_call("-- my_config(a=1)\n{{ config( tags = [\"a\",'b'], meta={'x':1}, enabled=var(\"on\") , alias='z', n=1, t=true) }}");
        assert_eq!(
            Value::Object(found),
            json!({"tags": "['a', 'b']", "meta": "{'x': 1}", "enabled": "var('on')", "alias": "z", "n": "1", "t": "True"})
        );
    }

    #[test]
    fn a_comments_config_is_none_and_escapes_are_pythons() {
        let found = config_call(r#"{# {{ config(alias='old') }} #}{{ config(alias='b\'c', a='x\ny', b='back\\slash', c='\d') }}"#);
        assert_eq!(Value::Object(found), json!({"alias": "b'c", "a": "x\ny", "b": "back\\slash", "c": "\\d"}));
    }
}
