//! Conditions that a source has asked are not asked again: what only they read need not be moved.
//!
//! In the place of such a condition the residual has `1 = 1`. It is an identity of one SELECT: a relation without the rows
//! that fail a condition, and the condition gone. Legality:
//! 1. The source is told the condition whole, and `exact`.
//! 2. It stands in WHERE or in the ON of an inner join, over one relation that no outer join fills with NULL; or in the ON of
//!    LEFT, SEMI and ANTI, over the relation on the right. Where that relation is a derived table, or a CTE that one place
//!    reads, and its own file lets the condition pass the select list, the same holds one level below. Not through set
//!    operations, nor of HAVING and QUALIFY; nothing that only follows (through equal columns, as one of several needs).
//! 3. No other scan of the relation has other conditions: both could be one read, which delivers what either needs.
//! 4. Its text is found: AND, WHERE, ON or a parenthesis stands before it, and what is taken out reads as the condition.

use super::filters::Found;
use super::predicate::Extent;
use super::verdict::{Rule, Rules, Verdict};
use crate::PlanRequest;
use crate::dialect::DialectSheet;
use crate::residual::Table;
use dvt_diagnostic::LineIndex;
use sqlparser::dialect::Dialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan};
use std::ops::Range;

/// What stands in the place of a condition.
pub const ASKED: &str = "1 = 1";

/// A condition that clauses 1 and 2 hold for.
#[derive(Debug, Clone)]
pub struct Settled {
    /// Which of the scan's conditions it is.
    pub pushed: usize,
    pub at: Extent,
    pub sql: String,
}

/// Where conditions stand that nobody asks again, in the order of the text; they are marked in `found`.
pub fn places(found: &mut [Found], tables: &[Table], tokens: &[TokenWithSpan], request: &PlanRequest<'_>, sheet: &DialectSheet, rules: &Rules) -> Vec<Range<usize>> {
    if request.no_pushdown || found.iter().all(|f| f.settled.is_empty()) {
        return Vec::new();
    }
    let Ok(dialect) = sheet.sqlparser() else { return Vec::new() };
    let text = Text { sql: request.sql, index: LineIndex::new(request.sql), dialect: dialect.as_ref(), tokens };
    let asked = |f: &Found| f.pushed.iter().map(|p| p.remote.clone()).collect::<Vec<_>>();
    let mut out = Vec::new();
    for table in 0..found.len() {
        let other = |i: &usize| *i != table && tables[*i].relation == tables[table].relation && asked(&found[*i]) != asked(&found[table]);
        let alone = !rules.on(Rule::Shares) || !(0..found.len()).any(|i| other(&i));
        if !rules.legal(Verdict::SettledAlone, alone) {
            continue;
        }
        for settled in std::mem::take(&mut found[table].settled) {
            let Some(at) = text.place(&settled) else { continue };
            found[table].pushed[settled.pushed].settled = true;
            out.push(at);
        }
    }
    out.sort_by_key(|at| at.start);
    out
}

struct Text<'a> {
    sql: &'a str,
    index: LineIndex,
    dialect: &'a dyn Dialect,
    /// Without blanks and comments.
    tokens: &'a [TokenWithSpan],
}

impl Text<'_> {
    fn offset(&self, at: Location) -> usize {
        self.index.offset(self.sql, at.line as u32, at.column as u32)
    }

    /// Clause 4.
    fn place(&self, settled: &Settled) -> Option<Range<usize>> {
        let key = |l: Location| (l.line, l.column);
        let (from, to) = settled.at;
        let mut first = self.tokens.partition_point(|t| key(t.span.start) < key(from));
        let mut last = self.tokens.partition_point(|t| key(t.span.end) <= key(to)).checked_sub(1)?;
        let keyword = |at: usize| match self.tokens.get(at).map(|t| &t.token) {
            Some(Token::Word(w)) => w.keyword,
            _ => Keyword::NoKeyword,
        };
        loop {
            let before = first.checked_sub(1)?;
            match &self.tokens[before].token {
                Token::LParen => break,
                Token::Word(w) if matches!(w.keyword, Keyword::WHERE | Keyword::ON | Keyword::AND) => break,
                _ => first = before,
            }
        }
        let open = |within: &[TokenWithSpan]| {
            within.iter().map(|t| i32::from(t.token == Token::LParen) - i32::from(t.token == Token::RParen)).sum::<i32>()
        };
        while open(self.tokens.get(first..=last)?) > 0 {
            last += 1;
        }
        if self.tokens.get(last + 1).is_some_and(|t| t.token == Token::DoubleColon) {
            last += 2;
        }
        if keyword(last + 1) == Keyword::IS {
            last += if keyword(last + 2) == Keyword::NOT { 3 } else { 2 };
        }
        let at = self.offset(self.tokens[first].span.start)..self.offset(self.tokens.get(last)?.span.end);
        let mut parser = Parser::new(self.dialect).try_with_sql(self.sql.get(at.clone())?).ok()?;
        let read = parser.parse_expr().ok()?;
        (parser.peek_token().token == Token::EOF && read.to_string() == settled.sql).then_some(at)
    }
}
