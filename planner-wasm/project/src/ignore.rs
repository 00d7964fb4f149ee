//! `.dbtignore`: which files of a package are not read, by the rules of `.gitignore`.

use crate::pattern::{Regex, escape};

/// The patterns of one `.dbtignore`, in order; the last one that fits decides.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ignored {
    rules: Vec<(Regex, bool)>,
}

impl Ignored {
    pub fn read(text: &str) -> Self {
        let rule = |line: &str| {
            let line = line.trim_end();
            if line.is_empty() || line.starts_with('#') {
                return None;
            }
            let (pattern, ignored) = match line.strip_prefix('!') {
                Some(rest) => (rest, false),
                None => (line, true),
            };
            Regex::new(&translated(pattern)).ok().map(|r| (r, ignored))
        };
        Self { rules: text.lines().filter_map(rule).collect() }
    }

    /// `path` from the package's root, with `/`.
    pub fn holds(&self, path: &str) -> bool {
        self.rules.iter().rev().find(|(rule, _)| rule.is_match(path)).is_some_and(|(_, ignored)| *ignored)
    }
}

/// A pattern with a slash inside counts from the root, any other at every depth; a folder takes what is in it along.
fn translated(pattern: &str) -> String {
    let folder = pattern.ends_with('/');
    let bare = pattern.trim_end_matches('/');
    let rooted = bare.trim_start_matches('/').contains('/') || bare.starts_with('/');
    let bare = bare.trim_start_matches('/');
    let mut out = String::from(if rooted { "^" } else { "^(?:.*/)?" });
    let mut rest = bare;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("**/") {
            out.push_str("(?:.*/)?");
            rest = after;
            continue;
        }
        if let Some(after) = rest.strip_prefix("**") {
            out.push_str(".*");
            rest = after;
            continue;
        }
        match c {
            '*' => out.push_str("[^/]*"),
            '?' => out.push_str("[^/]"),
            '[' | ']' => out.push(c),
            '!' if out.ends_with('[') => out.push('^'),
            c => out.push_str(&escape(&c.to_string())),
        }
        rest = &rest[c.len_utf8()..];
    }
    out.push_str(if folder { "/.*$" } else { "(?:/.*)?$" });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_gitignore() {
        let ignored = Ignored::read("# drafts\n*_draft.sql\n/models/old/\nmodels/**/tmp?.sql\n!models/keep_draft.sql\n");
        for (path, gone) in [
            ("models/a_draft.sql", true),
            ("models/x/b_draft.sql", true),
            ("models/keep_draft.sql", false),
            ("models/old/a.sql", true),
            ("models/older/a.sql", false),
            ("models/x/y/tmp1.sql", true),
            ("models/tmp.sql", false),
        ] {
            assert_eq!(ignored.holds(path), gone, "{path}");
        }
    }
}
