//! Whole templates and single expressions, rewritten tag by tag; text between tags and every line number stay.

use super::SyntaxError;
use super::expr::{Parser, Text, quoted};
use super::lex::{Piece, Spanned, TagKind, Token, pieces};
use std::collections::BTreeSet;

/// A template the engine can compile.
#[derive(Debug, Clone, Default)]
pub struct Rewritten {
    pub text: String,
    /// Byte offset in `text` to byte offset in the source, ascending.
    places: Vec<(usize, usize)>,
    /// Names that expressions read.
    pub names: BTreeSet<String>,
}

impl Rewritten {
    /// Puts text without a place of its own before everything.
    pub fn prepend(&mut self, text: &str) {
        self.text.insert_str(0, text);
        for (out, _) in &mut self.places {
            *out += text.len();
        }
    }

    /// The source offset of a place in the rewritten text.
    pub fn source_of(&self, offset: usize) -> usize {
        match self.places.partition_point(|(out, _)| *out <= offset) {
            0 => 0,
            n => self.places[n - 1].1,
        }
    }
}

/// A call block whose body is being read.
struct Open {
    outer: Rewritten,
    at: usize,
    /// The call's own opening: `{{` with its sign.
    sign: &'static str,
    callee: Text,
    parameters: Vec<String>,
    prelude: String,
    line_breaks: usize,
}

/// # Errors
/// The first place that is no Jinja.
pub fn rewrite(source: &str) -> Result<Rewritten, SyntaxError> {
    let mut out = Rewritten { text: String::with_capacity(source.len() + source.len() / 4), ..Rewritten::default() };
    let mut open_calls: Vec<Open> = Vec::new();
    for piece in pieces(source)? {
        match piece {
            Piece::Verbatim(range) => {
                out.places.push((out.text.len(), range.start));
                out.text.push_str(&source[range]);
            }
            Piece::Tag { kind, open, close, tokens } => {
                let mut parser = Parser::new(&tokens, close.start);
                let breaks = source[open.start..close.end].matches('\n').count();
                if kind == TagKind::Statement && parser.is_name("call") {
                    let mut call = call_head(&mut parser, open.start)?;
                    out.names.append(&mut parser.names.drain(..).collect());
                    call.sign = if source[open.clone()].ends_with('-') { "-" } else { "" };
                    call.line_breaks = breaks;
                    call.outer = std::mem::take(&mut out);
                    if source[close.clone()].starts_with('-') {
                        out.text.push_str("{# -#}");
                    }
                    open_calls.push(call);
                    continue;
                }
                if kind == TagKind::Statement && parser.is_name("endcall") {
                    let Some(call) = open_calls.pop() else { return Err(SyntaxError::new(open.start, "`endcall` closes nothing")) };
                    if source[open.clone()].ends_with('-') {
                        out.text.push_str("{#- #}");
                    }
                    let sign = if source[close.clone()].starts_with('-') { "-" } else { "" };
                    out = call.close(out, sign, breaks);
                    continue;
                }
                let inner = match kind {
                    TagKind::Print => {
                        let inner = parser.tuple(true)?;
                        parser.finish()?;
                        inner
                    }
                    TagKind::Statement => statement(&mut parser, &tokens)?,
                };
                out.names.append(&mut parser.names.drain(..).collect());
                out.places.push((out.text.len(), open.start));
                out.text.push_str(&source[open.clone()]);
                out.text.push(' ');
                let by = out.text.len();
                out.places.extend(inner.places.iter().map(|(o, s)| (o + by, *s)));
                out.text.push_str(&inner.text);
                // Lines are counted the same in both texts.
                out.text.push(' ');
                out.text.extend(std::iter::repeat_n('\n', breaks));
                out.text.push_str(&source[close]);
            }
        }
    }
    match open_calls.pop() {
        Some(call) => Err(SyntaxError::new(call.at, "`call` is never closed; `endcall` is missing")),
        None => Ok(out),
    }
}

fn call_head(p: &mut Parser<'_>, at: usize) -> Result<Open, SyntaxError> {
    p.take_name("call");
    let (mut parameters, mut prelude) = (Vec::new(), String::new());
    if p.take_op("(") {
        while !p.take_op(")") {
            let name = p.name()?;
            if p.take_op("=") {
                prelude.push_str(&format!("{{% if __unset.{name} %}}{{% set {name} = {} %}}{{% endif %}}", p.expression()?.text));
            }
            parameters.push(name);
            if !p.is_op(")") {
                p.expect_op(",")?;
            }
        }
    }
    let here = p.here();
    let callee = p.expression()?;
    p.finish()?;
    if !callee.text.ends_with(')') {
        return Err(SyntaxError::new(here, "`call` needs a macro call"));
    }
    Ok(Open { outer: Rewritten::default(), at, sign: "", callee, parameters, prelude, line_breaks: 0 })
}

impl Open {
    /// The call with its body as an argument: the body is a template of its own, run when `caller()` is called, with the
    /// names it reads taken from here.
    fn close(self, body: Rewritten, sign: &str, breaks: usize) -> Rewritten {
        let mut out = self.outer;
        let lines = body.text.matches('\n').count();
        let names: Vec<&str> = body.names.iter().map(String::as_str).filter(|n| !self.parameters.iter().any(|p| p == n)).collect();
        let mut call = self.callee.text;
        call.pop();
        let comma = if call.ends_with('(') { "" } else { ", " };
        let caller = format!(
            "{comma}caller=__caller({}, {}, {}))",
            quoted(&format!("{}{}", self.prelude, body.text)),
            quoted(&names.join(",")),
            quoted(&self.parameters.join(","))
        );
        out.places.push((out.text.len(), self.at));
        out.text.push_str(&format!("{{{{{} ", self.sign));
        let by = out.text.len();
        out.places.extend(self.callee.places.iter().map(|(o, s)| (o + by, *s)));
        out.text.push_str(&call);
        out.text.push_str(&caller);
        out.text.push(' ');
        out.text.extend(std::iter::repeat_n('\n', lines + breaks + self.line_breaks));
        out.text.push_str(&format!("{sign}}}}}"));
        out.names.extend(body.names);
        out
    }
}

/// One expression by itself, such as a YAML value that is `{{ … }}` and nothing else: its text for the engine.
/// None when `source` is not of that form.
pub fn expression(source: &str) -> Option<String> {
    let trimmed = source.trim();
    let all = pieces(trimmed).ok()?;
    let [Piece::Tag { kind: TagKind::Print, tokens, close, .. }] = all.as_slice() else { return None };
    let mut parser = Parser::new(tokens, close.start);
    let text = parser.tuple(true).ok()?;
    parser.finish().ok()?;
    Some(text.text)
}

fn statement(p: &mut Parser<'_>, tokens: &[Spanned]) -> Result<Text, SyntaxError> {
    let at = p.here();
    let word = p.name()?;
    let mut out = Text::at(word.as_str(), at);
    match word.as_str() {
        "if" | "elif" => {
            out.raw(" ");
            out.add(p.tuple(false)?);
        }
        "do" => {
            // Any expression may stand here, not only a call.
            out = Text::at("set __done = ", at);
            out.add(p.tuple(true)?);
        }
        "for" => {
            out.raw(" ");
            verbatim_until(p, &mut out, |p| p.is_name("in"))?;
            p.take_name("in");
            out.raw(" in ");
            out.add(p.tuple(false)?);
            if p.take_name("if") {
                out.raw(" if ");
                out.add(p.or()?);
            }
            if p.take_name("recursive") {
                out.raw(" recursive");
            }
        }
        "set" => {
            out.raw(" ");
            verbatim_until(p, &mut out, |p| p.done() || p.is_op("=") || p.is_op("|"))?;
            if p.take_op("=") {
                out.raw(" = ");
                out.add(p.tuple(true)?);
            } else {
                filters(p, &mut out)?;
            }
        }
        "filter" => {
            out.raw(" ");
            let mut chain = p.filter_call(at)?;
            chain.text.remove(0);
            out.add(chain);
            filters(p, &mut out)?;
        }
        "macro" => {
            out.raw(" ");
            out.raw(&p.name()?);
            p.expect_op("(")?;
            parameters(p, &mut out)?;
        }
        "with" => {
            let mut first = true;
            while !p.done() {
                out.raw(if first { " " } else { ", " });
                first = false;
                out.raw(&p.name()?);
                p.expect_op("=")?;
                out.raw(" = ");
                out.add(p.expression()?);
                if !p.done() {
                    p.expect_op(",")?;
                }
            }
        }
        // A name may follow, as in `endmacro x`.
        end if end.starts_with("end") => return Ok(out),
        "else" | "break" | "continue" | "autoescape" => {
            while !p.done() {
                p.next();
            }
        }
        "import" | "from" | "include" | "extends" | "block" => {
            return Err(SyntaxError::new(at, format!("`{word}` is not available in dbt projects")));
        }
        other => {
            let hint = if matches!(other, "materialization" | "test" | "data_test" | "snapshot" | "docs") {
                " inside another block"
            } else {
                ""
            };
            return Err(SyntaxError::new(tokens.first().map_or(at, |t| t.at.start), format!("unknown tag `{other}`{hint}")));
        }
    }
    p.finish()?;
    Ok(out)
}

fn filters(p: &mut Parser<'_>, out: &mut Text) -> Result<(), SyntaxError> {
    loop {
        let at = p.here();
        if !p.take_op("|") {
            return Ok(());
        }
        out.add(p.filter_call(at)?);
    }
}

/// Parameters after an opening parenthesis, defaults rewritten.
fn parameters(p: &mut Parser<'_>, out: &mut Text) -> Result<(), SyntaxError> {
    out.raw("(");
    let mut first = true;
    while !p.take_op(")") {
        if !first {
            out.raw(", ");
        }
        first = false;
        let at = p.here();
        out.add(Text::at(p.name()?, at));
        if p.take_op("=") {
            out.raw("=");
            out.add(p.expression()?);
        }
        if !p.is_op(")") {
            p.expect_op(",")?;
        }
    }
    out.raw(")");
    Ok(())
}

/// Assignment targets: names, commas, dots, parentheses.
fn verbatim_until(p: &mut Parser<'_>, out: &mut Text, stop: impl Fn(&Parser<'_>) -> bool) -> Result<(), SyntaxError> {
    while !stop(p) {
        let at = p.here();
        match p.next().map(|s| &s.token) {
            Some(Token::Name(name)) => out.add(Text::at(name.as_str(), at)),
            Some(Token::Op(op)) if matches!(*op, "," | "(" | ")" | ".") => {
                out.add(Text::at(*op, at));
                if *op == "," {
                    out.raw(" ");
                }
            }
            _ => return Err(SyntaxError::new(at, "expected a name to assign to")),
        }
    }
    Ok(())
}
