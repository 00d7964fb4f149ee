//! YAML as PyYAML reads it (1.1 scalars, merge keys, anchors), with the place of every key and value.
//!
//! Not here: what the keys mean, and Jinja inside the strings.

use dvt_diagnostic::{Code, Diagnostic, Span};
use indexmap::IndexMap;
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;

/// Deeper nesting than this is refused: the composer recurses.
const MAX_DEPTH: usize = 100;
/// More values than this made by aliases are refused: nested aliases grow exponentially.
const MAX_ALIASED: usize = 1_000_000;

/// A value and the place it starts at.
#[derive(Debug, Clone, PartialEq)]
pub struct Yaml {
    pub span: Span,
    pub value: YamlValue,
}

/// What a value is. Dates stay strings, as dbt's own readers turn them into text anyway.
#[derive(Debug, Clone, PartialEq)]
pub enum YamlValue {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    List(Vec<Yaml>),
    Map(YamlMap),
}

/// A mapping in file order; each key with its own place.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct YamlMap {
    entries: IndexMap<String, (Span, Yaml)>,
}

impl YamlMap {
    pub fn get(&self, key: &str) -> Option<&Yaml> {
        self.entries.get(key).map(|(_, v)| v)
    }
    pub fn key_span(&self, key: &str) -> Option<&Span> {
        self.entries.get(key).map(|(s, _)| s)
    }
    /// Key, place of the key, value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Span, &Yaml)> {
        self.entries.iter().map(|(k, (s, v))| (k.as_str(), s, v))
    }
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Yaml {
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            YamlValue::String(s) => Some(s),
            _ => None,
        }
    }
    pub fn as_bool(&self) -> Option<bool> {
        match self.value {
            YamlValue::Bool(b) => Some(b),
            _ => None,
        }
    }
    pub fn as_map(&self) -> Option<&YamlMap> {
        match &self.value {
            YamlValue::Map(m) => Some(m),
            _ => None,
        }
    }
    pub fn as_list(&self) -> Option<&[Yaml]> {
        match &self.value {
            YamlValue::List(l) => Some(l),
            _ => None,
        }
    }
    pub fn is_null(&self) -> bool {
        self.value == YamlValue::Null
    }
    /// The member `key` of a mapping; None for anything else.
    pub fn get(&self, key: &str) -> Option<&Yaml> {
        self.as_map().and_then(|m| m.get(key))
    }
    /// The value without its places.
    pub fn to_json(&self) -> Value {
        match &self.value {
            YamlValue::Null => Value::Null,
            YamlValue::Bool(b) => Value::Bool(*b),
            YamlValue::Number(n) => Value::Number(n.clone()),
            YamlValue::String(s) => Value::String(s.clone()),
            YamlValue::List(l) => Value::Array(l.iter().map(Yaml::to_json).collect()),
            YamlValue::Map(m) => Value::Object(m.iter().map(|(k, _, v)| (k.to_owned(), v.to_json())).collect::<Map<_, _>>()),
        }
    }
}

/// A document and what was odd but readable about it (duplicate keys).
#[derive(Debug, Clone)]
pub struct Document {
    pub root: Yaml,
    pub warnings: Vec<Diagnostic>,
}

/// Reads one document. An empty text is `Null`.
///
/// # Errors
/// `DVT1002` with the place, for invalid YAML, an unknown anchor, nesting deeper than 100, or a second document.
pub fn parse(file: &str, text: &str) -> Result<Document, Diagnostic> {
    let mut composer = Composer { file, parser: Parser::new_from_str(text), anchors: BTreeMap::new(), aliased: 0, warnings: Vec::new() };
    let mut root = None;
    while let Some((event, span)) = composer.next()? {
        match event {
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            Event::StreamEnd => break,
            other if root.is_none() => root = Some(composer.compose(other, span, 0)?),
            _ => return Err(Diagnostic::error(Code::Yaml, "the file holds more than one document").at(span)),
        }
    }
    let root = root.unwrap_or(Yaml { span: Span::file(file), value: YamlValue::Null });
    Ok(Document { root, warnings: composer.warnings })
}

struct Composer<'a> {
    file: &'a str,
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    /// The value and how many values it holds.
    anchors: BTreeMap<usize, (Yaml, usize)>,
    aliased: usize,
    warnings: Vec<Diagnostic>,
}

impl<'a> Composer<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, Diagnostic> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok((event, at))) => Ok(Some((event, self.span(at.start.line(), at.start.col())))),
            Some(Err(e)) => {
                let at = self.span(e.marker().line(), e.marker().col());
                let error = Diagnostic::error(Code::Yaml, format!("the YAML cannot be read: {}", e.info())).at(at);
                Err(if e.info().contains("tab") {
                    error.hint("indent with spaces: YAML takes no tabs")
                } else {
                    error.hint("check the indentation here and on the line above, and put text with `: ` or `{{` in quotes")
                })
            }
        }
    }

    fn span(&self, line: usize, column: usize) -> Span {
        Span::new(self.file, line as u32, column as u32 + 1)
    }

    fn compose(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Yaml, Diagnostic> {
        if depth > MAX_DEPTH {
            return Err(Diagnostic::error(Code::Yaml, format!("the YAML is nested deeper than {MAX_DEPTH} levels")).at(span));
        }
        let (anchor, value) = match event {
            Event::Scalar(text, style, anchor, tag) => (anchor, scalar(&text, style, tag.as_deref())),
            Event::SequenceStart(anchor, _) => (anchor, self.sequence(depth)?),
            Event::MappingStart(anchor, _) => (anchor, self.mapping(depth)?),
            Event::Alias(id) => {
                // An alias copies the value; its place stays that of the alias, where the user would look.
                self.aliased += self.anchors.get(&id).map_or(0, |(_, size)| *size);
                if self.aliased > MAX_ALIASED {
                    return Err(Diagnostic::error(Code::Yaml, format!("aliases make more than {MAX_ALIASED} values")).at(span));
                }
                let value = self.anchors.get(&id).map(|(y, _)| y.value.clone());
                return value.map(|value| Yaml { span: span.clone(), value }).ok_or_else(|| {
                    Diagnostic::error(Code::Yaml, "the alias names an anchor that is not complete here").at(span)
                });
            }
            _ => return Err(Diagnostic::error(Code::Yaml, "a value is missing").at(span)),
        };
        let yaml = Yaml { span, value };
        if anchor > 0 {
            self.anchors.insert(anchor, (yaml.clone(), size(&yaml)));
        }
        Ok(yaml)
    }

    fn sequence(&mut self, depth: usize) -> Result<YamlValue, Diagnostic> {
        let mut items = Vec::new();
        while let Some((event, span)) = self.next()? {
            if event == Event::SequenceEnd {
                break;
            }
            items.push(self.compose(event, span, depth + 1)?);
        }
        Ok(YamlValue::List(items))
    }

    fn mapping(&mut self, depth: usize) -> Result<YamlValue, Diagnostic> {
        let mut map = YamlMap::default();
        let mut merges = Vec::new();
        while let Some((event, span)) = self.next()? {
            if event == Event::MappingEnd {
                break;
            }
            let merge = matches!(&event, Event::Scalar(t, ScalarStyle::Plain, _, _) if t == "<<");
            let key = self.compose(event, span.clone(), depth + 1)?;
            let Some((event, value_span)) = self.next()? else { break };
            let value = self.compose(event, value_span, depth + 1)?;
            if merge {
                merges.push(value);
                continue;
            }
            let name = key_text(&key)?;
            if let Some(first) = map.key_span(&name) {
                let message = format!("the key `{name}` stands here twice (first on line {}); the last one counts", first.line);
                self.warnings.push(Diagnostic::warning(Code::DuplicateKey, message).at(span.clone()).event("DuplicateYAMLKeysDeprecation"));
            }
            map.entries.insert(name, (span, value));
        }
        for merge in merges {
            merge_into(&mut map, &merge)?;
        }
        Ok(YamlValue::Map(map))
    }
}

fn size(yaml: &Yaml) -> usize {
    1 + match &yaml.value {
        YamlValue::List(items) => items.iter().map(size).sum(),
        YamlValue::Map(map) => map.iter().map(|(_, _, v)| size(v)).sum(),
        _ => 0,
    }
}

/// YAML 1.1 merge: keys of the mapping itself win, then the sources in their order.
fn merge_into(map: &mut YamlMap, from: &Yaml) -> Result<(), Diagnostic> {
    match &from.value {
        YamlValue::Map(source) => {
            for (key, entry) in &source.entries {
                map.entries.entry(key.clone()).or_insert_with(|| entry.clone());
            }
            Ok(())
        }
        YamlValue::List(sources) => sources.iter().try_for_each(|s| merge_into(map, s)),
        _ => Err(Diagnostic::error(Code::Yaml, "`<<` takes a mapping or a list of mappings").at(from.span.clone())),
    }
}

fn key_text(key: &Yaml) -> Result<String, Diagnostic> {
    match &key.value {
        YamlValue::String(s) => Ok(s.clone()),
        YamlValue::Number(n) => Ok(n.to_string()),
        YamlValue::Bool(b) => Ok(b.to_string()),
        YamlValue::Null => Ok("null".to_owned()),
        YamlValue::List(_) | YamlValue::Map(_) => {
            Err(Diagnostic::error(Code::Yaml, "a key must be a word, a number or a quoted string").at(key.span.clone()))
        }
    }
}

/// Resolves a scalar by YAML 1.1's rules: `yes`, `on`, `0o`-less octals and underscores included.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> YamlValue {
    if let Some(tag) = tag {
        if tag.suffix == "str" || tag.suffix == "!" {
            return YamlValue::String(text.to_owned());
        }
    } else if style != ScalarStyle::Plain {
        return YamlValue::String(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return YamlValue::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return YamlValue::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => return YamlValue::Bool(false),
        _ => {}
    }
    match number(text).or_else(|| sexagesimal(text)) {
        Some(number) => YamlValue::Number(number),
        None => YamlValue::String(moment(text).unwrap_or_else(|| text.to_owned())),
    }
}

/// Base 60: `1:30` is 90 to PyYAML, `1:30.5` is 90.5.
fn sexagesimal(text: &str) -> Option<Number> {
    let (negative, body) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = match body.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (body, None),
    };
    let mut parts = whole.split(':');
    let first = parts.next().filter(|p| p.starts_with(|c: char| c.is_ascii_digit() && (c != '0' || fraction.is_some())))?;
    let mut total: i64 = first.replace('_', "").parse().ok()?;
    let mut places = 0;
    for part in parts {
        let value: i64 = part.parse().ok().filter(|v| (0..60).contains(v) && part.len() <= 2 && !part.starts_with('+'))?;
        total = total.checked_mul(60)?.checked_add(value)?;
        places += 1;
    }
    if places == 0 {
        return None;
    }
    let sign = if negative { -1 } else { 1 };
    match fraction {
        None => Some(Number::from(sign * total)),
        Some(digits) if digits.chars().all(|c| c.is_ascii_digit() || c == '_') => {
            let part: f64 = format!("0.{}", digits.replace('_', "")).parse().ok()?;
            Number::from_f64(sign as f64 * (total as f64 + part))
        }
        Some(_) => None,
    }
}

/// A date with a time as PyYAML's datetime prints in JSON; a date alone is its own text.
fn moment(text: &str) -> Option<String> {
    let (day, time) = text.split_once(['T', 't', ' '])?;
    let digits = |s: &str, lengths: std::ops::RangeInclusive<usize>| lengths.contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit());
    let mut parts = day.split('-');
    let (year, month, date) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !digits(year, 4..=4) || !digits(month, 1..=2) || !digits(date, 1..=2) {
        return None;
    }
    let time = time.trim_start();
    let mut clock = time.splitn(3, ':');
    let (hour, minute, rest) = (clock.next()?, clock.next()?, clock.next()?);
    let (second, fraction) = rest.split_once('.').map_or((rest, ""), |(s, f)| (s, f));
    if !digits(hour, 1..=2) || !digits(minute, 2..=2) || !digits(second, 2..=2) || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let fraction = if fraction.bytes().all(|b| b == b'0') { String::new() } else { format!(".{:0<6}", &fraction[..fraction.len().min(6)]) };
    Some(format!("{year}-{month:0>2}-{date:0>2}T{hour:0>2}:{minute}:{second}{fraction}"))
}

fn number(text: &str) -> Option<Number> {
    let first = text.chars().next()?;
    if !(first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) {
        return None;
    }
    let (negative, body) = match first {
        '-' => (true, &text[1..]),
        '+' => (false, &text[1..]),
        _ => (false, text),
    };
    if !body.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let digits = body.replace('_', "");
    integer(&digits, negative).or_else(|| float(&digits, negative))
}

fn integer(digits: &str, negative: bool) -> Option<Number> {
    let magnitude = if let Some(hex) = digits.strip_prefix("0x") {
        u64::from_str_radix(hex, 16).ok()?
    } else if let Some(binary) = digits.strip_prefix("0b") {
        u64::from_str_radix(binary, 2).ok()?
    } else if digits.len() > 1 && digits.starts_with('0') {
        u64::from_str_radix(&digits[1..], 8).ok()?
    } else {
        digits.parse().ok()?
    };
    if negative { Some(Number::from(0i64.checked_sub_unsigned(magnitude)?)) } else { Some(Number::from(magnitude)) }
}

/// PyYAML's float needs a dot; `1e3` is text to it, and a signed exponent is required.
fn float(digits: &str, negative: bool) -> Option<Number> {
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(i) => (&digits[..i], Some(&digits[i + 1..])),
        None => (digits, None),
    };
    let (whole, fraction) = mantissa.split_once('.')?;
    let all_digits = |s: &str| s.chars().all(|c| c.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    if exponent.is_some_and(|e| !e.starts_with(['+', '-']) || e.len() < 2 || !all_digits(&e[1..])) {
        return None;
    }
    let value: f64 = digits.parse().ok()?;
    Number::from_f64(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Value {
        parse("a.yml", text).unwrap().root.to_json()
    }

    #[test]
    fn plain_scalars_follow_yaml_1_1() {
        let text = "a: yes\nb: 'yes'\nc: 010\nd: 1_000\ne: 1e3\nf: 1.5e+3\ng: ~\nh: 1.10\ni: -7\nj: 2024-01-01\nk: 1.0.0\nl: off\nm: .5";
        assert_eq!(
            read(text),
            json!({"a": true, "b": "yes", "c": 8, "d": 1000, "e": "1e3", "f": 1500.0, "g": null, "h": 1.1, "i": -7,
                   "j": "2024-01-01", "k": "1.0.0", "l": false, "m": 0.5})
        );
        let text = "a: 1:30\nb: 190:20:30\nc: 1:30.5\nd: 2024-1-02 10:00:00\ne: 09:30\nf: 1:75\ng: y\nh: 08";
        assert_eq!(
            read(text),
            json!({"a": 90, "b": 685_230, "c": 90.5, "d": "2024-01-02T10:00:00", "e": "09:30", "f": "1:75", "g": "y", "h": "08"})
        );
    }

    #[test]
    fn anchors_and_merge_keys_are_resolved_and_own_keys_win() {
        let text = "base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\nlist: [*b]";
        assert_eq!(read(text)["use"], json!({"y": 3, "x": 1}));
        assert_eq!(read(text)["list"], json!([{"x": 1, "y": 2}]));
    }

    #[test]
    fn a_duplicate_key_warns_with_both_places_and_the_last_counts() {
        let doc = parse("a.yml", "x: 1\ny: 2\nx: 3").unwrap();
        assert_eq!(doc.root.to_json(), json!({"x": 3, "y": 2}));
        assert_eq!(doc.warnings[0].span, Some(Span::new("a.yml", 3, 1)));
        assert!(doc.warnings[0].message.contains("line 1"));
    }

    #[test]
    fn every_key_and_value_knows_its_place() {
        let doc = parse("m/s.yml", "models:\n  - name: a\n    tests: [unique]").unwrap();
        let model = &doc.root.get("models").unwrap().as_list().unwrap()[0];
        let map = model.as_map().unwrap();
        assert_eq!(map.key_span("tests"), Some(&Span::new("m/s.yml", 3, 5)));
        assert_eq!(map.get("name").unwrap().span, Span::new("m/s.yml", 2, 11));
    }

    #[test]
    fn broken_yaml_is_an_error_with_its_place() {
        let error = parse("a.yml", "a:\n  - b\n c: [").unwrap_err();
        assert_eq!(error.code, Code::Yaml);
        assert!(error.span.is_some_and(|s| s.line >= 3));
    }

    #[test]
    fn deep_nesting_is_refused_not_a_crash() {
        let text = "[".repeat(5000);
        assert_eq!(parse("a.yml", &text).unwrap_err().code, Code::Yaml);
    }

    #[test]
    fn aliases_of_aliases_cannot_fill_the_memory() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for i in 1..12 {
            let items = vec![format!("*a{}", i - 1); 9].join(", ");
            text += &["a", &i.to_string(), ": &a", &i.to_string(), " [", &items, "]\n"].concat();
        }
        let error = parse("a.yml", &text).unwrap_err();
        assert!(error.message.contains("aliases"), "{}", error.message);
    }

    #[test]
    fn an_empty_file_is_null() {
        assert_eq!(read(""), Value::Null);
        assert_eq!(read("# only a comment\n"), Value::Null);
    }
}
