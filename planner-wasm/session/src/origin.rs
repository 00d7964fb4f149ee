//! From a place in compiled SQL to the place in the file that a person wrote.
//!
//! A template's output carries no positions. The words of both texts are aligned (the longest common subsequence, tags left
//! out); a place that no file's words gave, such as a relation's name, is that of the tag that wrote it.
//! Not here: templates' own errors, which know their places.

use dvt_diagnostic::{Diagnostic, LineIndex, Span};
use dvt_jinja::Compiled;
use dvt_planner::COMPILED;
use dvt_project::{Manifest, Node};
use std::ops::Range;

/// Beyond this many pairs of words only the equal head and tail of the texts are aligned.
const MOST_PAIRS: usize = 4_000_000;

/// Where the texts of one node came from.
pub struct Origin<'a> {
    manifest: &'a Manifest,
    node: &'a Node,
    compiled: &'a Compiled,
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    at: Range<usize>,
    /// Lower-cased: SQL's words differ in case only.
    word: String,
}

impl<'a> Origin<'a> {
    pub fn new(manifest: &'a Manifest, node: &'a Node, compiled: &'a Compiled) -> Self {
        Self { manifest, node, compiled, tokens: tokens(&compiled.sql, &[]) }
    }

    /// The diagnostic at its place in a file: where its text says, else where the text shows what it names first, else at
    /// the node.
    pub fn place(&self, d: Diagnostic) -> Diagnostic {
        let sql = &self.compiled.sql;
        let told = match &d.span {
            Some(span) if span.file != COMPILED => return d,
            Some(span) => Some(LineIndex::new(sql).offset(sql, span.line, span.column)),
            None => None,
        };
        let named = || d.message.split('`').nth(1).and_then(|name| self.phrase(name));
        let span = told.or_else(named).and_then(|at| self.file_place(at)).unwrap_or_else(|| self.node.span.clone());
        d.about(self.node.unique_id.as_str()).at(span)
    }

    /// Where a piece of SQL stands, whatever its spaces and case.
    pub fn find(&self, sql: &str) -> Option<Span> {
        self.phrase(sql).and_then(|at| self.file_place(at))
    }

    fn phrase(&self, sql: &str) -> Option<usize> {
        let wanted: Vec<String> = tokens(sql, &[]).into_iter().map(|t| t.word).collect();
        if wanted.is_empty() {
            return None;
        }
        self.tokens.windows(wanted.len()).find(|w| w.iter().zip(&wanted).all(|(t, word)| t.word == *word)).map(|w| w[0].at.start)
    }

    /// An ephemeral parent's text is its own file's.
    fn file_place(&self, at: usize) -> Option<Span> {
        let sql = &self.compiled.sql;
        let mut from = 0;
        for (id, text) in &self.compiled.extra_ctes {
            let start = from + sql.get(from..)?.find(text.as_str())?;
            from = start + text.len();
            if (start..from).contains(&at) {
                let parent = self.manifest.nodes.get(id)?;
                return Some(span(parent, text, at - start));
            }
        }
        Some(span(self.node, sql, at))
    }
}

fn span(node: &Node, compiled: &str, at: usize) -> Span {
    let raw = &node.raw_code;
    let (line, column) = LineIndex::new(raw).position(raw, raw_offset(raw, compiled, at));
    Span::new(&node.span.file, line, column)
}

fn raw_offset(raw: &str, compiled: &str, at: usize) -> usize {
    let (ours, theirs) = (tokens(raw, &tags(raw)), tokens(compiled, &[]));
    let pairs = align(&ours, &theirs);
    // The last aligned word that starts no later.
    let before = pairs.iter().rev().find(|(_, t)| theirs[*t].at.start <= at);
    match before {
        Some((o, t)) if theirs[*t].at.contains(&at) => ours[*o].at.start + (at - theirs[*t].at.start).min(ours[*o].at.len()),
        Some((o, _)) => {
            let end = ours[*o].at.end;
            raw.get(end..).map_or(end, |rest| end + (rest.len() - rest.trim_start().len()))
        }
        None => raw.len() - raw.trim_start().len(),
    }
}

/// Pairs of equal words, in order.
fn align(ours: &[Token], theirs: &[Token]) -> Vec<(usize, usize)> {
    let same = |o: usize, t: usize| ours[o].word == theirs[t].word;
    let head = (0..ours.len().min(theirs.len())).take_while(|i| same(*i, *i)).count();
    let room = ours.len().min(theirs.len()) - head;
    let tail = (0..room).take_while(|i| same(ours.len() - 1 - i, theirs.len() - 1 - i)).count();
    let mut pairs: Vec<(usize, usize)> = (0..head).map(|i| (i, i)).collect();
    let (o, t) = (head..ours.len() - tail, head..theirs.len() - tail);
    if o.len() * t.len() <= MOST_PAIRS {
        let width = t.len() + 1;
        // best[i][j]: most words in common of what follows i and j.
        let mut best = vec![0_u32; (o.len() + 1) * width];
        for i in (0..o.len()).rev() {
            for j in (0..t.len()).rev() {
                best[i * width + j] = if same(o.start + i, t.start + j) {
                    best[(i + 1) * width + j + 1] + 1
                } else {
                    best[(i + 1) * width + j].max(best[i * width + j + 1])
                };
            }
        }
        let (mut i, mut j) = (0, 0);
        while i < o.len() && j < t.len() {
            if same(o.start + i, t.start + j) {
                pairs.push((o.start + i, t.start + j));
                (i, j) = (i + 1, j + 1);
            } else if best[(i + 1) * width + j] >= best[i * width + j + 1] {
                i += 1;
            } else {
                j += 1;
            }
        }
    }
    pairs.extend((0..tail).rev().map(|i| (ours.len() - 1 - i, theirs.len() - 1 - i)));
    pairs
}

/// Byte ranges of Jinja's tags.
fn tags(text: &str) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut from = 0;
    while let Some(open) = text.get(from..).and_then(|rest| rest.find('{')).map(|i| from + i) {
        let close = match text.as_bytes().get(open + 1) {
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            Some(b'#') => "#}",
            _ => {
                from = open + 1;
                continue;
            }
        };
        let end = text[open..].find(close).map_or(text.len(), |i| open + i + 2);
        out.push(open..end);
        from = end;
    }
    out
}

/// Words, strings and signs outside `skipped`.
fn tokens(text: &str, skipped: &[Range<usize>]) -> Vec<Token> {
    let mut out = Vec::new();
    let mut chars = text.char_indices().peekable();
    let mut tags = skipped.iter().peekable();
    while let Some((start, c)) = chars.next() {
        while tags.next_if(|t| t.end <= start).is_some() {}
        if c.is_whitespace() || tags.peek().is_some_and(|t| t.contains(&start)) {
            continue;
        }
        let mut end = start + c.len_utf8();
        let word = |c: char| c.is_alphanumeric() || c == '_';
        if word(c) {
            while let Some((i, c)) = chars.next_if(|(_, c)| word(*c)) {
                end = i + c.len_utf8();
            }
        }
        out.push(Token { at: start..end, word: text[start..end].to_lowercase() });
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(raw: &str, compiled: &str, marked: &str) -> (u32, u32) {
        let offset = compiled.find(marked).unwrap();
        LineIndex::new(raw).position(raw, raw_offset(raw, compiled, offset))
    }

    #[test]
    fn a_word_of_the_file_is_found_behind_tags_that_wrote_more_lines() {
        let raw = "{{ config(x='y') }}\n{% if a %}\nselect 1\n{% endif %}\nselect o.id\nfrom {{ ref('orders') }} o\nwhere o.day > 1";
        let compiled = "\n\nselect o.id\nfrom \"wh\".\n\"orders\" o\nwhere o.day > 1";
        assert_eq!(at(raw, compiled, "where"), (7, 1));
        assert_eq!(at(raw, compiled, "day"), (7, 9));
        assert_eq!(at(raw, compiled, "id"), (5, 10));
    }

    #[test]
    fn what_a_tag_wrote_is_at_the_tag() {
        let raw = "select o.id\nfrom {{ ref('orders') }} o";
        assert_eq!(at(raw, "select o.id\nfrom \"orders\" o", "\"orders\""), (2, 6));
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(at("select 'é', x.y", "select 'é', x.y", "x.y"), (1, 13));
    }
}
