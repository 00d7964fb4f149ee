//! Template text: tags, tokens, expressions rewritten to what the engine runs with Python's meaning, block tags of dbt.

mod blocks;
mod expr;
mod lex;
mod rewrite;

pub use blocks::{BlockKind, Param, blocks};
pub use rewrite::{Rewritten, expression, rewrite};

/// Where a template's text is wrong: a byte offset and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    pub at: usize,
    pub message: String,
}

impl SyntaxError {
    pub(crate) fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}
