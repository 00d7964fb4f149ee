//! dbt's block tags at the top of a file: macros, materializations, tests, snapshots, docs.
//!
//! Not here: what the bodies mean.

use super::SyntaxError;
use super::expr::Parser;
use super::lex::{Piece, Spanned, TagKind, Token, pieces};
use std::ops::Range;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BlockKind {
    Macro,
    Materialization,
    Test,
    Snapshot,
    Docs,
}

/// A parameter with the source text of its default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    pub name: String,
    pub default: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub kind: BlockKind,
    pub name: String,
    pub params: Vec<Param>,
    /// For materializations: the adapter type, `default` when none is named.
    pub adapter: String,
    /// From the opening tag to the end of the closing one.
    pub whole: Range<usize>,
    /// Between the tags, without what their minus signs cut off.
    pub body: Range<usize>,
}

fn kind_of(word: &str) -> Option<BlockKind> {
    Some(match word {
        "macro" => BlockKind::Macro,
        "materialization" => BlockKind::Materialization,
        "test" | "data_test" => BlockKind::Test,
        "snapshot" => BlockKind::Snapshot,
        "docs" => BlockKind::Docs,
        _ => return None,
    })
}

fn word(tokens: &[Spanned]) -> &str {
    match tokens.first() {
        Some(Spanned { token: Token::Name(n), .. }) => n,
        _ => "",
    }
}

/// All blocks of a file, in order. Blocks inside a block belong to its body.
pub fn blocks(text: &str) -> Result<Vec<Block>, SyntaxError> {
    let mut out = Vec::new();
    let mut open: Option<(Block, String, usize)> = None;
    for piece in pieces(text)? {
        let Piece::Tag { kind: TagKind::Statement, open: start, close, tokens } = piece else { continue };
        let name = word(&tokens).to_owned();
        match &mut open {
            None => {
                if let Some(kind) = kind_of(&name) {
                    let mut block = head(kind, &tokens, close.start)?;
                    block.whole = start.start..start.start;
                    block.body.start = after(text, &close);
                    open = Some((block, name, 0));
                } else if let Some(kind) = name.strip_prefix("end")
                    && kind_of(kind).is_some()
                {
                    return Err(SyntaxError::new(start.start, format!("`{name}` closes nothing")));
                }
            }
            Some((block, opened, depth)) => {
                if name == *opened {
                    *depth += 1;
                } else if name == format!("end{opened}") {
                    if *depth > 0 {
                        *depth -= 1;
                        continue;
                    }
                    block.whole.end = close.end;
                    block.body.end = before(text, &start).max(block.body.start);
                    out.extend(open.take().map(|(b, _, _)| b));
                }
            }
        }
    }
    match open {
        Some((block, opened, _)) => {
            Err(SyntaxError::new(block.whole.start, format!("`{opened}` of `{}` is never closed; `end{opened}` is missing", block.name)))
        }
        None => Ok(out),
    }
}

/// The start of what follows a tag, whitespace cut when the tag ends in a minus.
fn after(text: &str, close: &Range<usize>) -> usize {
    let rest = &text[close.end..];
    if text[close.clone()].starts_with('-') { close.end + rest.len() - rest.trim_start().len() } else { close.end }
}

fn before(text: &str, open: &Range<usize>) -> usize {
    if text[open.clone()].ends_with('-') { text[..open.start].trim_end().len() } else { open.start }
}

fn head(kind: BlockKind, tokens: &[Spanned], end: usize) -> Result<Block, SyntaxError> {
    let mut p = Parser::new(tokens, end);
    p.name()?;
    let name = p.name()?;
    let mut block = Block { kind, name, params: Vec::new(), adapter: "default".to_owned(), whole: 0..0, body: 0..0 };
    match kind {
        BlockKind::Macro | BlockKind::Test => {
            p.expect_op("(")?;
            while !p.take_op(")") {
                let name = p.name()?;
                let default = if p.take_op("=") { Some(p.expression()?.text) } else { None };
                if block.params.iter().any(|other| other.name == name) {
                    return Err(SyntaxError::new(p.here(), format!("`{name}` is a parameter twice")));
                }
                block.params.push(Param { name, default });
                if !p.is_op(")") {
                    p.expect_op(",")?;
                }
            }
            p.finish()?;
        }
        BlockKind::Materialization => {
            while p.take_op(",") {
                let key = p.name()?;
                if key == "default" {
                    continue;
                }
                p.expect_op("=")?;
                let value = p.next().map(|s| &s.token);
                match (key.as_str(), value) {
                    ("adapter", Some(Token::Text(adapter))) => block.adapter.clone_from(adapter),
                    // supported_languages and what else may come: read over.
                    _ => {
                        while !p.done() && !p.is_op(",") {
                            if p.next().is_some_and(|s| s.token == Token::Op("[")) {
                                while p.next().is_some_and(|s| s.token != Token::Op("]")) {}
                            }
                        }
                    }
                }
            }
        }
        BlockKind::Snapshot | BlockKind::Docs => p.finish()?,
    }
    Ok(block)
}
