//! SQL text to sqlparser's tree, with a depth limit and places in the user's terms.

use crate::dialect::DialectSheet;
use dvt_diagnostic::{Code, Diagnostic, Span};
use sqlparser::ast::Query;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

/// The `file` of places in a query's text: which file that text was made from is the caller's to know.
pub const COMPILED: &str = "compiled SQL";

/// Nesting beyond this is refused, natively and in WebAssembly alike.
const MAX_DEPTH: usize = 60;

/// A query, and the tokens it was read from, without blanks and comments.
pub type Read = (Box<Query>, Vec<TokenWithSpan>);

/// Reads one query.
pub fn query(sql: &str, sheet: &DialectSheet) -> Result<Box<Query>, Diagnostic> {
    tokens_and_query(sql, sheet, None)
}

/// As `query`, with its tokens.
pub fn read(sql: &str, sheet: &DialectSheet) -> Result<Read, Diagnostic> {
    let mut tokens = Vec::new();
    let query = tokens_and_query(sql, sheet, Some(&mut tokens))?;
    Ok((query, tokens))
}

/// `kept`: where the tokens go once they are read.
fn tokens_and_query(sql: &str, sheet: &DialectSheet, kept: Option<&mut Vec<TokenWithSpan>>) -> Result<Box<Query>, Diagnostic> {
    let dialect = sheet.sqlparser()?;
    let read = move || {
        let tokens = Tokenizer::new(dialect.as_ref(), sql).tokenize_with_location()?;
        let mut parser = Parser::new(dialect.as_ref()).with_recursion_limit(MAX_DEPTH).with_tokens_with_locations(tokens);
        // A query and nothing else: other statements are not even read.
        let query = parser.parse_query()?;
        while parser.consume_token(&Token::SemiColon) {}
        let next = parser.peek_token();
        if let Some(kept) = kept {
            *kept = parser.into_tokens();
            kept.retain(|t| !matches!(t.token, Token::Whitespace(_)));
        }
        Ok((query, next.token != Token::EOF, next.span.start))
    };
    let (query, more, rest) = read().map_err(|e| match e {
        ParserError::RecursionLimitExceeded => {
            Diagnostic::error(Code::SqlTooDeep, format!("the query is nested deeper than {MAX_DEPTH} levels"))
                .hint("move inner parts into models or CTEs")
        }
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => {
            let (why, place) = placed(&text);
            let out = Diagnostic::error(Code::SqlSyntax, format!("the SQL cannot be read as {}: {why}", sheet.name))
                .hint("a model that runs on one target needs no reading; only federated ones do");
            match place {
                Some(place) => out.at(place),
                None => out,
            }
        }
    })?;
    if more {
        let error = Diagnostic::error(Code::SqlSyntax, "a federated model must be one query, and this stands behind it");
        return Err(error.at(Span::new(COMPILED, rest.line as u32, rest.column as u32)));
    }
    Ok(query)
}

/// The parser tells places only at the end of its words: `… at Line: 3, Column: 5`.
fn placed(text: &str) -> (&str, Option<Span>) {
    let read = || {
        let (why, tail) = text.rsplit_once(" at Line: ")?;
        let (line, column) = tail.split_once(", Column: ")?;
        let digits = column.find(|c: char| !c.is_ascii_digit()).unwrap_or(column.len());
        Some((why, Span::new(COMPILED, line.parse().ok()?, column[..digits].parse().ok()?)))
    };
    read().map_or((text, None), |(why, place)| (why, Some(place)))
}
