//! `modules.re` over a regex engine without backtracking: look-around and back-references are refused.

use super::{bind, list, need, need_text, tuple, type_error};
use dvt_project::pattern::{KNOWS_UNICODE, Regex};
use minijinja::value::{Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};
use std::fmt;
use std::sync::Arc;

#[derive(Debug)]
struct ReModule;

pub fn re_module() -> Value {
    Value::from_object(ReModule)
}

#[derive(Debug)]
struct Pattern(Regex);

/// A match, with copies of its groups.
#[derive(Debug)]
struct Match {
    groups: Vec<Option<(String, usize, usize)>>,
    names: Vec<(String, usize)>,
}

fn compiled(pattern: &Value, flags: i64) -> Result<Regex, Error> {
    if let Some(p) = pattern.downcast_object_ref::<Pattern>() {
        return Ok(p.0.clone());
    }
    let text = pattern.to_string();
    let set: String = [(2, 'i'), (8, 'm'), (16, 's'), (64, 'x')].iter().filter(|(bit, _)| flags & bit != 0).map(|(_, c)| *c).collect();
    // As text, so that a pattern that is anchored later keeps them; the line's end closes a comment of a verbose pattern.
    let whole = match set.as_str() {
        "" => text.clone(),
        set if set.contains('x') => format!("(?{set}:{text}\n)"),
        set => format!("(?{set}:{text})"),
    };
    Regex::new(&whole)
        .map_err(|e| type_error(format!("`{text}` is no regular expression that dvt can run (look-around and back-references are not available): {e}")))
}

/// A page's engine takes only ASCII's letters, digits and spaces for such.
fn readable(text: &str) -> Result<(), Error> {
    if KNOWS_UNICODE || text.is_ascii() {
        return Ok(());
    }
    Err(type_error("`modules.re` reads no text beyond ASCII in a page; the program does"))
}

/// Python's: what could mean something in a pattern, and whitespace.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if "()[]{}?*+-|^$\\.&~# \t\n\r\u{b}\u{c}".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn matched(regex: &Regex, text: &str, method: &str) -> Value {
    let found = regex.captures(text).filter(|c| {
        let whole = c.get(0);
        match method {
            "match" => whole.is_some_and(|m| m.start() == 0),
            "fullmatch" => whole.is_some_and(|m| m.start() == 0 && m.end() == text.len()),
            _ => true,
        }
    });
    let Some(found) = found else { return Value::from(()) };
    let chars = |byte: usize| text[..byte].chars().count();
    Value::from_object(Match {
        groups: found.iter().map(|g| g.map(|m| (m.as_str().to_owned(), chars(m.start()), chars(m.end())))).collect(),
        names: regex.capture_names().enumerate().filter_map(|(i, n)| Some((n?.to_owned(), i))).collect(),
    })
}

/// For `match` and `fullmatch` the pattern itself is anchored, so that alternatives are tried as Python tries them.
fn anchored(regex: Regex, method: &str) -> Result<Regex, Error> {
    let text = match method {
        "match" => format!(r"\A(?:{})", regex.as_str()),
        "fullmatch" => format!(r"\A(?:{})\z", regex.as_str()),
        _ => return Ok(regex),
    };
    Regex::new(&text).map_err(|e| type_error(e.to_string()))
}

fn replacement(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '$' => out.push_str("$$"),
            '\\' => match chars.next() {
                Some(d) if d.is_ascii_digit() => out.push_str(&format!("${{{d}}}")),
                Some('g') if chars.peek() == Some(&'<') => {
                    chars.next();
                    let name: String = chars.by_ref().take_while(|c| *c != '>').collect();
                    out.push_str(&format!("${{{name}}}"));
                }
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            other => out.push(other),
        }
    }
    out
}

fn run(regex: Regex, method: &str, args: [Option<Value>; 3]) -> Result<Value, Error> {
    let [a, b, c] = args;
    for given in [&a, &b].into_iter().flatten().filter_map(Value::as_str) {
        readable(given)?;
    }
    match method {
        "match" | "fullmatch" | "search" => {
            let text = need_text(method, "string", a)?;
            Ok(matched(&anchored(regex, method)?, &text, method))
        }
        "findall" => {
            let text = need_text(method, "string", a)?;
            Ok(list(
                regex
                    .captures_iter(&text)
                    .map(|c| {
                        let group = |i: usize| Value::from(c.get(i).map_or("", |m| m.as_str()));
                        match c.len() {
                            1 => group(0),
                            2 => group(1),
                            n => tuple((1..n).map(group).collect()),
                        }
                    })
                    .collect(),
            ))
        }
        "sub" => {
            let to = replacement(&need_text(method, "repl", a)?);
            let text = need_text(method, "string", b)?;
            let count = c.and_then(|c| c.as_usize()).unwrap_or(0);
            Ok(Value::from(regex.replacen(&text, count, to.as_str()).into_owned()))
        }
        "split" => {
            let text = need_text(method, "string", a)?;
            let most = b.and_then(|c| c.as_usize()).unwrap_or(0);
            let mut out = Vec::new();
            let mut last = 0;
            for (n, c) in regex.captures_iter(&text).enumerate() {
                if most > 0 && n >= most {
                    break;
                }
                let Some(whole) = c.get(0) else { continue };
                out.push(Value::from(&text[last..whole.start()]));
                out.extend((1..c.len()).map(|i| c.get(i).map_or_else(|| Value::from(()), |m| Value::from(m.as_str()))));
                last = whole.end();
            }
            out.push(Value::from(&text[last..]));
            Ok(list(out))
        }
        _ => Err(Error::new(ErrorKind::UnknownMethod, format!("module 're' has no attribute '{method}'"))),
    }
}

impl Object for ReModule {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(Value::from(match key.as_str()? {
            "IGNORECASE" | "I" => 2,
            "MULTILINE" | "M" => 8,
            "DOTALL" | "S" => 16,
            "VERBOSE" | "X" => 64,
            _ => return None,
        }))
    }
    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        if method == "escape" {
            let [text] = bind(method, ["pattern"], args)?;
            return Ok(Value::from(escaped(&need_text(method, "pattern", text)?)));
        }
        let names = match method {
            "sub" => ["pattern", "repl", "string", "count", "flags"],
            "split" => ["pattern", "string", "maxsplit", "flags", "_"],
            "compile" => ["pattern", "flags", "_", "_", "_"],
            _ => ["pattern", "string", "flags", "_", "_"],
        };
        let mut bound = bind(method, names, args)?;
        let flags = names.iter().position(|n| *n == "flags").and_then(|i| bound[i].take()).and_then(|f| f.as_i64()).unwrap_or(0);
        let [pattern, a, b, c, _] = bound;
        let regex = compiled(&need(method, "pattern", pattern)?, flags)?;
        if method == "compile" {
            return Ok(Value::from_object(Pattern(regex)));
        }
        run(regex, method, [a, b, c])
    }
}

impl Object for Pattern {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        run(self.0.clone(), method, bind(method, if method == "sub" { ["repl", "string", "count"] } else { ["string", "maxsplit", "_"] }, args)?)
    }
}

impl Object for Match {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn is_true(self: &Arc<Self>) -> bool {
        true
    }
    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, start, end) = self.groups[0].clone().unwrap_or_default();
        write!(f, "<re.Match object; span=({start}, {end}), match={}>", super::repr(&Value::from(text)))
    }
    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        let text = |i: usize| self.groups.get(i).cloned().flatten().map_or_else(|| Value::from(()), |g| Value::from(g.0));
        let index = |v: Option<&Value>| -> Result<usize, Error> {
            let Some(v) = v else { return Ok(0) };
            let at = v.as_usize().or_else(|| self.names.iter().find(|(n, _)| Some(n.as_str()) == v.as_str()).map(|(_, i)| *i));
            at.filter(|i| *i < self.groups.len()).ok_or_else(|| type_error("no such group"))
        };
        match method {
            "group" if args.len() > 1 => Ok(tuple(args.iter().map(|a| index(Some(a)).map(text)).collect::<Result<_, _>>()?)),
            "group" => Ok(text(index(args.first())?)),
            "groups" => Ok(tuple((1..self.groups.len()).map(text).collect())),
            "groupdict" => Ok(Value::from_object(super::PyDict::new(self.names.iter().map(|(n, i)| (Value::from(n.as_str()), text(*i)))))),
            "start" | "end" | "span" => {
                let (_, start, end) = self.groups[index(args.first())?].clone().unwrap_or_default();
                Ok(match method {
                    "start" => Value::from(start),
                    "end" => Value::from(end),
                    _ => tuple(vec![Value::from(start), Value::from(end)]),
                })
            }
            _ => Err(Error::new(ErrorKind::UnknownMethod, format!("'re.Match' object has no attribute '{method}'"))),
        }
    }
}
