//! Tags of a template and the tokens inside them, as Jinja2's lexer has them.

use super::SyntaxError;
use std::ops::Range;

#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    Name(String),
    /// Decoded.
    Text(String),
    /// In a spelling that every parser reads.
    Number(String),
    Op(&'static str),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Spanned {
    pub token: Token,
    pub at: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagKind {
    /// `{{ … }}`
    Print,
    /// `{% … %}`
    Statement,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// Text, comments and raw blocks: nothing to rewrite.
    Verbatim(Range<usize>),
    Tag { kind: TagKind, open: Range<usize>, close: Range<usize>, tokens: Vec<Spanned> },
}

const OPS: [&str; 28] = [
    "**", "//", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";",
    "!", "@",
];

/// Splits `text` into pieces that cover it without gaps.
pub fn pieces(text: &str) -> Result<Vec<Piece>, SyntaxError> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut from = 0;
    while let Some(found) = text[from..].find('{') {
        let at = from + found;
        let kind = match text.as_bytes().get(at + 1) {
            Some(b'#') => {
                let end = text[at + 2..].find("#}").ok_or_else(|| SyntaxError::new(at, "this comment is never closed"))?;
                from = at + 2 + end + 2;
                continue;
            }
            Some(b'{') => TagKind::Print,
            Some(b'%') => TagKind::Statement,
            _ => {
                from = at + 1;
                continue;
            }
        };
        let (tag, end) = tag(text, at, kind)?;
        if let Piece::Tag { tokens, kind: TagKind::Statement, .. } = &tag
            && matches!(tokens.first(), Some(Spanned { token: Token::Name(n), .. }) if n == "raw")
        {
            from = raw_end(text, end).ok_or_else(|| SyntaxError::new(at, "`raw` is never closed; `endraw` is missing"))?;
            continue;
        }
        if start < at {
            out.push(Piece::Verbatim(start..at));
        }
        out.push(tag);
        start = end;
        from = end;
    }
    if start < text.len() {
        out.push(Piece::Verbatim(start..text.len()));
    }
    Ok(out)
}

fn raw_end(text: &str, mut from: usize) -> Option<usize> {
    loop {
        let open = from + text[from..].find("{%")?;
        let inner = text[open + 2..].trim_start_matches(['-', '+']).trim_start();
        if let Some(rest) = inner.strip_prefix("endraw") {
            let rest_at = text.len() - rest.len();
            return Some(rest_at + rest.find("%}")? + 2);
        }
        from = open + 2;
    }
}

fn tag(text: &str, at: usize, kind: TagKind) -> Result<(Piece, usize), SyntaxError> {
    let bytes = text.as_bytes();
    let mut pos = at + 2;
    if matches!(bytes.get(pos), Some(b'-' | b'+')) {
        pos += 1;
    }
    let open = at..pos;
    let end = match kind {
        TagKind::Print => "}}",
        TagKind::Statement => "%}",
    };
    let mut tokens = Vec::new();
    let mut depth: Vec<u8> = Vec::new();
    loop {
        let rest = &text[pos..];
        let trimmed = rest.trim_start();
        pos += rest.len() - trimmed.len();
        let Some(first) = trimmed.bytes().next() else {
            let what = if kind == TagKind::Print { "{{" } else { "{%" };
            return Err(SyntaxError::new(at, format!("`{what}` is never closed; `{end}` is missing")));
        };
        if depth.is_empty() {
            let signed = trimmed.len() > 2 && matches!(first, b'-' | b'+') && trimmed[1..].starts_with(end);
            if signed || trimmed.starts_with(end) {
                let close = pos..pos + end.len() + usize::from(signed);
                return Ok((Piece::Tag { kind, open, close: close.clone(), tokens }, close.end));
            }
        }
        let (token, length) = token(trimmed).map_err(|e| SyntaxError::new(pos + e.at, e.message))?;
        if let Token::Op(op) = token {
            match op {
                "(" | "[" | "{" => depth.push(op.as_bytes()[0]),
                ")" | "]" | "}" => {
                    let want = match op {
                        ")" => b'(',
                        "]" => b'[',
                        _ => b'{',
                    };
                    if depth.pop() != Some(want) {
                        return Err(SyntaxError::new(pos, format!("unexpected `{op}`")));
                    }
                }
                _ => {}
            }
        }
        tokens.push(Spanned { token, at: pos..pos + length });
        pos += length;
    }
}

fn token(text: &str) -> Result<(Token, usize), SyntaxError> {
    let first = text.chars().next().unwrap_or(' ');
    if first == '\'' || first == '"' {
        return string(text, first);
    }
    if first.is_ascii_digit() {
        return number(text);
    }
    if first.is_alphabetic() || first == '_' {
        let length = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        return Ok((Token::Name(text[..length].to_owned()), length));
    }
    match OPS.iter().find(|op| text.starts_with(**op)) {
        Some(op) => Ok((Token::Op(op), op.len())),
        None => Err(SyntaxError::new(0, format!("unexpected character `{first}`"))),
    }
}

fn number(text: &str) -> Result<(Token, usize), SyntaxError> {
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        let head = text.get(..2).unwrap_or_default();
        if head.eq_ignore_ascii_case(prefix) {
            let length = 2 + text[2..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len() - 2);
            let digits = text[2..length].replace('_', "");
            let value = i128::from_str_radix(&digits, radix).map_err(|_| SyntaxError::new(0, "this is no number"))?;
            return Ok((Token::Number(value.to_string()), length));
        }
    }
    let digits = |s: &str| s.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(s.len());
    let mut length = digits(text);
    let mut float = false;
    if text[length..].starts_with('.') && text[length + 1..].starts_with(|c: char| c.is_ascii_digit()) {
        length += 1 + digits(&text[length + 1..]);
        float = true;
    }
    if text[length..].starts_with(['e', 'E']) {
        let sign = usize::from(text[length + 1..].starts_with(['+', '-']));
        let exponent = digits(&text[length + 1 + sign..]);
        if exponent > 0 {
            length += 1 + sign + exponent;
            float = true;
        }
    }
    let plain = text[..length].replace('_', "");
    let spelled = if float {
        // Rust prints an exact decimal spelling without an exponent; Python's output form comes from the value.
        let value: f64 = plain.parse().map_err(|_| SyntaxError::new(0, "this is no number"))?;
        format!("{value:?}")
    } else {
        plain.trim_start_matches('0').to_owned()
    };
    Ok((Token::Number(if spelled.is_empty() { "0".to_owned() } else { spelled }), length))
}

/// A string as Python decodes it: an unknown escape keeps its backslash.
fn string(text: &str, quote: char) -> Result<(Token, usize), SyntaxError> {
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((i, c)) = chars.next() {
        if c == quote {
            return Ok((Token::Text(out), i + 1));
        }
        if c != '\\' {
            out.push(c);
            continue;
        }
        let Some((_, escaped)) = chars.next() else { break };
        let mut code = |digits: usize, out: &mut String| {
            let hex: String = chars.clone().take(digits).map(|(_, c)| c).collect();
            match u32::from_str_radix(&hex, 16).ok().filter(|_| hex.len() == digits).and_then(char::from_u32) {
                Some(c) => {
                    out.push(c);
                    for _ in 0..digits {
                        chars.next();
                    }
                }
                None => {
                    out.push('\\');
                    out.push(escaped);
                }
            }
        };
        match escaped {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'a' => out.push('\u{7}'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'v' => out.push('\u{b}'),
            '0' => out.push('\0'),
            '\\' | '\'' | '"' => out.push(escaped),
            '\n' => {}
            'x' => code(2, &mut out),
            'u' => code(4, &mut out),
            'U' => code(8, &mut out),
            other => {
                out.push('\\');
                out.push(other);
            }
        }
    }
    Err(SyntaxError::new(0, "this string is never closed"))
}
