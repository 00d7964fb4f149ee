//! A specification as a tree: criteria with their graph operators, joined by union, intersection and difference.

use super::{Indirect, invalid};
use crate::suggest::suggestion;
use dvt_diagnostic::Diagnostic;
use serde_json::Value;

pub const METHODS: [&str; 22] = [
    "fqn", "tag", "group", "access", "source", "path", "file", "package", "config", "test_name", "test_type", "resource_type", "state", "exposure", "metric",
    "result", "source_status", "version", "semantic_model", "saved_query", "unit_test", "selector",
];

/// Everything that is selected when nothing is said.
const EVERYTHING: [&str; 5] = ["fqn:*", "source:*", "exposure:*", "metric:*", "semantic_model:*"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Union,
    Intersection,
    Difference,
}

#[derive(Debug, Clone)]
pub enum Spec {
    One(Criteria),
    Many {
        operation: Operation,
        parts: Vec<Spec>,
        indirect: Indirect,
        /// The text that is warned of when nothing matches.
        expected: Option<String>,
    },
}

/// A method with its value, and how far to look up and down from there.
#[derive(Debug, Clone)]
#[expect(clippy::option_option, reason = "no operator, all levels, or so many levels")]
pub struct Criteria {
    /// As written, for messages.
    pub raw: String,
    pub method: String,
    pub arguments: Vec<String>,
    pub value: Value,
    pub childrens_parents: bool,
    pub parents: Option<Option<usize>>,
    pub children: Option<Option<usize>>,
    pub indirect: Indirect,
}

impl Criteria {
    pub fn text(&self) -> String {
        match &self.value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    /// `@2+method.argument:value+3`
    pub fn parse(raw: &str, indirect: Indirect) -> Result<Self, Diagnostic> {
        let childrens_parents = raw.starts_with('@');
        let mut rest = raw.strip_prefix('@').unwrap_or(raw);
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let mut parents = None;
        if let Some(after) = rest[digits..].strip_prefix('+') {
            parents = Some(depth(&rest[..digits], raw)?);
            rest = after;
        }
        let mut children = None;
        let body = rest.trim_end_matches(|c: char| c.is_ascii_digit());
        if let Some(before) = body.strip_suffix('+') {
            children = Some(depth(&rest[body.len()..], raw)?);
            rest = before;
        }
        let word = |m: &str| !m.is_empty() && m.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
        let (method, value) = match rest.split_once(':') {
            Some((method, value)) if word(method) => (Some(method), value),
            _ => (None, rest),
        };
        let method = method.unwrap_or_else(|| usual_method(value));
        Self::new(raw, method, Value::String(value.to_owned()), indirect)?.around(childrens_parents, parents, children)
    }

    /// # Errors
    /// An unknown method.
    pub fn new(raw: &str, method: &str, value: Value, indirect: Indirect) -> Result<Self, Diagnostic> {
        let mut words = method.split('.').map(str::to_owned);
        let method = words.next().unwrap_or_default();
        if !METHODS.contains(&method.as_str()) {
            let hint = suggestion(&method, &METHODS).map_or_else(|| format!("methods: {}", METHODS.join(", ")), |m| format!("did you mean `{m}:`?"));
            return Err(invalid(raw, &format!("`{method}` is no selector method")).hint(hint));
        }
        let arguments = words.collect();
        Ok(Self { raw: raw.to_owned(), method, arguments, value, childrens_parents: false, parents: None, children: None, indirect })
    }

    #[expect(clippy::option_option, reason = "as the fields")]
    pub fn around(self, childrens_parents: bool, parents: Option<Option<usize>>, children: Option<Option<usize>>) -> Result<Self, Diagnostic> {
        if childrens_parents && children.is_some() {
            return Err(invalid(&self.raw, "`@` and a trailing `+` cannot be combined").hint("`@` takes what is below already"));
        }
        Ok(Self { childrens_parents, parents, children, ..self })
    }
}

/// A value with a folder is a path, one with a file's ending a file, anything else a name.
fn usual_method(value: &str) -> &'static str {
    let lower = value.to_ascii_lowercase();
    if value.contains('/') || (cfg!(windows) && value.contains('\\')) {
        "path"
    } else if [".sql", ".py", ".csv"].iter().any(|e| lower.ends_with(e)) {
        "file"
    } else {
        "fqn"
    }
}

fn depth(digits: &str, raw: &str) -> Result<Option<usize>, Diagnostic> {
    if digits.is_empty() {
        return Ok(None);
    }
    digits.parse().map(Some).map_err(|_| invalid(raw, &format!("`{digits}` is too large a depth")))
}

/// `--select` without `--exclude`.
pub fn difference(select: &[String], exclude: &[String], indirect: Indirect) -> Result<Spec, Diagnostic> {
    let included = if select.is_empty() {
        let all: Vec<String> = EVERYTHING.iter().map(|s| (*s).to_owned()).collect();
        union(&all, indirect, false)?
    } else {
        union(select, indirect, true)?
    };
    let excluded = union(exclude, indirect, true)?;
    Ok(Spec::Many { operation: Operation::Difference, parts: vec![included, excluded], indirect: Indirect::Eager, expected: None })
}

/// Words are a union, commas within a word an intersection.
fn union(words: &[String], indirect: Indirect, expected: bool) -> Result<Spec, Diagnostic> {
    let mut parts = Vec::new();
    for word in words.iter().flat_map(|w| w.split_whitespace()) {
        let both = word.split(',').map(|p| Criteria::parse(p, indirect).map(Spec::One)).collect::<Result<Vec<_>, _>>()?;
        parts.push(Spec::Many { operation: Operation::Intersection, parts: both, indirect, expected: expected.then(|| word.to_owned()) });
    }
    Ok(Spec::Many { operation: Operation::Union, parts, indirect, expected: None })
}
