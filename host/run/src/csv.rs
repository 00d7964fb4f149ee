//! CSV as RFC 4180 has it: quotes, doubled quotes, line breaks inside quotes, a byte order mark.

/// Rows of fields; `None` for an unquoted empty field is not told apart from a quoted one, as in dbt.
///
/// # Errors
/// The line on which a quote is opened and never closed.
pub fn parse(text: &str, delimiter: char) -> Result<Vec<Vec<String>>, usize> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut rows = Vec::new();
    let mut row: Vec<String> = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let (mut line, mut opened) = (1, 0);
    let mut any = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\n' {
            line += 1;
        }
        if quoted {
            if c != '"' {
                field.push(c);
            } else if chars.peek() == Some(&'"') {
                chars.next();
                field.push('"');
            } else {
                quoted = false;
            }
            continue;
        }
        match c {
            '"' if field.is_empty() => {
                quoted = true;
                any = true;
                opened = line;
            }
            c if c == delimiter => {
                row.push(std::mem::take(&mut field));
                any = true;
            }
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' | '\r' => {
                if any || !field.is_empty() {
                    row.push(std::mem::take(&mut field));
                    rows.push(std::mem::take(&mut row));
                }
                any = false;
            }
            c => field.push(c),
        }
    }
    if quoted {
        return Err(opened);
    }
    if any || !field.is_empty() {
        row.push(field);
        rows.push(row);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::parse;

    #[test]
    fn quotes_hold_commas_quotes_and_line_breaks() {
        let rows = parse("\u{feff}a,b\r\n\"x, \"\"y\"\"\nz\",\n\n1,2", ',').unwrap();
        assert_eq!(rows, [vec!["a", "b"], vec!["x, \"y\"\nz", ""], vec!["1", "2"]]);
    }

    #[test]
    fn an_open_quote_is_named_by_its_line() {
        assert_eq!(parse("a\n\"b\n", ','), Err(2));
    }
}
