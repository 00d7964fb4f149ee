//! From errors of the engine to coded messages at a place in the user's files, and back through it.

use crate::macros::Sources;
use crate::source::SyntaxError;
use dvt_diagnostic::{Code, Diagnostic, LineIndex, Span};
use minijinja::{Error, ErrorKind, Value};
use std::error::Error as _;
use std::fmt;

/// A coded message on its way through the engine.
#[derive(Debug)]
struct Coded(Diagnostic);

impl fmt::Display for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}
impl std::error::Error for Coded {}

/// `return(value)` on its way to the macro call that catches it.
#[derive(Debug)]
struct Returned(Value);

impl fmt::Display for Returned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("return() outside of a macro")
    }
}
impl std::error::Error for Returned {}

pub fn coded(diagnostic: Diagnostic) -> Error {
    Error::new(ErrorKind::InvalidOperation, diagnostic.message.clone()).with_source(Coded(diagnostic))
}

pub fn fail(code: Code, message: impl Into<String>) -> Error {
    coded(Diagnostic::error(code, message))
}

pub fn returning(value: Value) -> Error {
    Error::new(ErrorKind::InvalidOperation, "return() outside of a macro").with_source(Returned(value))
}

fn find<'a, T: 'static>(error: &'a Error, pick: impl Fn(&'a T)) -> bool
where
    T: std::error::Error,
{
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(found) = inner.downcast_ref::<T>() {
            pick(found);
            return true;
        }
        source = inner.source();
    }
    false
}

/// The value of a `return()`, when that is what the error is.
pub fn returned(error: &Error) -> Option<Value> {
    let value = std::cell::RefCell::new(None);
    find::<Returned>(error, |r| {
        value.replace(Some(r.0.clone()));
    });
    value.into_inner()
}

fn coded_in(error: &Error) -> Option<Diagnostic> {
    let value = std::cell::RefCell::new(None);
    find::<Coded>(error, |c| {
        value.replace(Some(c.0.clone()));
    });
    value.into_inner()
}

/// The same error without its place: the caller's place will be taken.
pub fn unplaced(error: Error) -> Error {
    let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    Error::new(error.kind(), detail).with_source(error)
}

pub fn syntax(file: &str, text: &str, base: usize, error: &SyntaxError) -> Diagnostic {
    let (line, column) = LineIndex::new(text).position(text, base + error.at);
    Diagnostic::error(Code::JinjaSyntax, error.message.clone())
        .at(Span::new(file, line, column))
        .hint("{{ … }} holds one expression, {% … %} one statement; text that only looks like them goes between {% raw %} and {% endraw %}")
}

/// The macro whose name is near the one that is not there.
fn like_macro(error: &Error, sources: &Sources) -> String {
    let name = error.detail().and_then(|d| d.split_whitespace().next()).unwrap_or_default();
    let known: Vec<&str> = sources.keys().filter_map(|id| id.rsplit('.').next()).collect();
    match dvt_project::suggest::suggestion(name, &known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "check the name, and that the package which has it is installed".to_owned(),
    }
}

/// What a person reads: code, sentence, place in the user's file.
pub fn diagnostic(error: &Error, sources: &Sources, node: Option<&str>) -> Diagnostic {
    let mut out = coded_in(error).unwrap_or_else(|| {
        let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
        let (code, message) = match error.kind() {
            ErrorKind::SyntaxError | ErrorKind::BadEscape => (Code::JinjaSyntax, detail),
            ErrorKind::UnknownFunction => (Code::JinjaUndefined, format!("{detail}: no macro or function of that name")),
            ErrorKind::UndefinedError | ErrorKind::UnknownMethod | ErrorKind::UnknownFilter | ErrorKind::UnknownTest => (Code::JinjaUndefined, detail),
            _ => (Code::JinjaError, detail),
        };
        let out = Diagnostic::error(code, message);
        match error.kind() {
            ErrorKind::UnknownFunction => out.hint(like_macro(error, sources)),
            ErrorKind::SyntaxError if error.detail().is_some_and(|d| d.contains("expected end of block")) => {
                out.hint("a block is not closed: every {% if %}, {% for %}, {% set %} … has its {% end… %}")
            }
            ErrorKind::UndefinedError => out.hint("a name or attribute is not defined here; a query's result is only there while `execute` is true"),
            _ => out,
        }
    });
    if out.span.is_none() {
        out.span = place(error, sources);
    }
    if let (None, Some(node)) = (&out.node, node) {
        out.node = Some(node.to_owned());
    }
    out
}

/// The place of the outermost error that has one: an inner one without its place was given up on purpose.
fn place(error: &Error, sources: &Sources) -> Option<Span> {
    let name = error.name()?;
    let source = sources.get(name)?;
    let index = LineIndex::new(&source.text);
    if let Some(range) = error.range() {
        let at = source.base + source.rewritten.source_of(range.start);
        let (line, column) = index.position(&source.text, at.min(source.text.len()));
        return Some(Span::new(source.file.as_ref(), line, column));
    }
    let base_line = index.position(&source.text, source.base).0;
    Some(Span::new(source.file.as_ref(), base_line + error.line().unwrap_or(1) as u32 - 1, 1))
}
