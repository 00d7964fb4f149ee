//! Comments in front of a statement, such as the query comment that dbt sends. Not here: comments inside of one.

/// The text after leading comments.
pub(crate) fn uncommented(sql: &str) -> &str {
    let mut rest = sql.trim_start();
    loop {
        if let Some(line) = rest.strip_prefix("--") {
            rest = line.split_once('\n').map_or("", |(_, after)| after).trim_start();
        } else if let Some(block) = rest.strip_prefix("/*") {
            rest = block.split_once("*/").map_or("", |(_, after)| after).trim_start();
        } else {
            return rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::uncommented;

    #[test]
    fn a_statement_begins_behind_its_comments() {
        assert_eq!(uncommented(" /* {\"app\": \"x\"} */\n-- y\n begin"), "begin");
        assert_eq!(uncommented("/* open"), "");
    }
}
