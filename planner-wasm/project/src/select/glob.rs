//! Patterns with `*`, `?` and `[…]`: of names, and of paths, where `*` stays within a folder and `**` does not.

use crate::pattern::{Regex, escape};

/// A pattern, or a plain word.
pub enum Glob {
    Plain(String),
    Pattern(Regex),
}

impl Glob {
    /// What is no valid pattern is a plain word.
    pub fn new(pattern: &str) -> Self {
        if !pattern.contains(['*', '?', '[']) {
            return Self::Plain(pattern.to_owned());
        }
        let text = format!("^(?s:{})$", translated(pattern, ".*", "."));
        Regex::new(&text).map_or_else(|_| Self::Plain(pattern.to_owned()), Self::Pattern)
    }

    pub fn is(&self, text: &str) -> bool {
        match self {
            Self::Plain(word) => word == text,
            Self::Pattern(regex) => regex.is_match(text),
        }
    }
}

fn translated(pattern: &str, star: &str, question: &str) -> String {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '*' => out.push_str(star),
            '?' => out.push_str(question),
            '[' => {
                let skip = usize::from(rest.starts_with(['!', ']'])) + usize::from(rest.starts_with("!]"));
                match rest.get(skip..).and_then(|r| r.find(']')) {
                    None => out.push_str("\\["),
                    Some(end) => {
                        let inside = &rest[..skip + end];
                        let (not, inside) = inside.strip_prefix('!').map_or(("", inside), |i| ("^", i));
                        let escaped = inside.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]").replace('^', "\\^").replace('&', "\\&").replace('~', "\\~");
                        out.push_str(&format!("[{not}{escaped}]"));
                        rest = &rest[skip + end + 1..];
                    }
                }
            }
            c => out.push_str(&escape(&c.to_string())),
        }
    }
    out
}

/// A pattern of paths from the project's root.
pub struct PathGlob {
    parts: Vec<Part>,
}

enum Part {
    One(Glob),
    Any,
}

impl PathGlob {
    pub fn new(pattern: &str) -> Self {
        let pattern = pattern.replace('\\', "/");
        let parts = pattern.split('/').filter(|p| !p.is_empty() && *p != ".");
        let parts = parts.map(|p| if p == "**" { Part::Any } else { Part::One(Glob::new(p)) });
        Self { parts: parts.collect() }
    }

    /// Whether it is the path itself.
    pub fn is(&self, path: &str) -> bool {
        let names: Vec<&str> = path.split('/').collect();
        matched(&self.parts, &names)
    }

    /// Whether it is the path or a folder above it.
    pub fn holds(&self, path: &str) -> bool {
        let names: Vec<&str> = path.split('/').collect();
        (1..=names.len()).any(|n| matched(&self.parts, &names[..n]) && (n == names.len() || !self.parts.is_empty())) || self.parts.is_empty()
    }
}

fn matched(parts: &[Part], names: &[&str]) -> bool {
    match (parts.first(), names.first()) {
        (None, None) => true,
        (Some(Part::One(glob)), Some(name)) => glob.is(name) && matched(&parts[1..], &names[1..]),
        // `**` is folders only: something must follow that is matched, or it is the folder itself.
        (Some(Part::Any), _) => matched(&parts[1..], names) || (!names.is_empty() && matched(parts, &names[1..])),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Glob, PathGlob};

    #[test]
    fn patterns_of_names_are_pythons() {
        for (pattern, text, fits) in [("st*", "stg", true), ("st?", "stg", true), ("[!a]b", "cb", true), ("[a-c]x", "bx", true), ("a[", "a[", true), ("*.x", "a/b.x", true), ("st", "stg", false)] {
            assert_eq!(Glob::new(pattern).is(text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn a_star_of_a_path_stays_in_its_folder() {
        let holds = |p: &str, path: &str| PathGlob::new(p).holds(path);
        assert!(holds("models/*", "models/a.sql") && holds("models/*", "models/x/a.sql") && !PathGlob::new("models/*").is("models/x/a.sql"));
        assert!(holds("models/**/a.sql", "models/x/y/a.sql") && holds("models/**/a.sql", "models/a.sql"));
        assert!(holds("./models/", "models/a.sql") && !holds("model", "models/a.sql"));
    }
}
