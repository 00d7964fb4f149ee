//! The table of what befell each step, kept in `tests/federation/README.md`.
//!
//! A test fails when the README misses a row or has one that it did not see; `DVT_BLESS=1` writes the rows instead.

use std::path::PathBuf;
use std::sync::Mutex;

static WRITING: Mutex<()> = Mutex::new(());

fn readme() -> PathBuf {
    PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("federation/README.md")
}

/// The rows of a table of the README, between `<!-- faults NAME -->` and `<!-- end -->`, and where they stand.
fn section(name: &str, text: &str) -> std::ops::Range<usize> {
    let open = format!("<!-- faults {name} -->\n");
    let from = text.find(&open).unwrap_or_else(|| panic!("tests/federation/README.md has no section `{}`", open.trim())) + open.len();
    from..from + text[from..].find("<!-- end -->").expect("the section has no end")
}

/// Every row stands in the README's table; an empty cell was not looked at this time.
pub fn agree(name: &str, rows: &[Vec<String>]) {
    let text = std::fs::read_to_string(readme()).unwrap();
    let kept: Vec<Vec<&str>> = text[section(name, &text)].lines().filter(|l| l.starts_with('|')).map(|l| l.trim_matches('|').split(" | ").map(str::trim).collect()).collect();
    let same = |row: &[String], kept: &[&str]| row.len() == kept.len() && row.iter().zip(kept).all(|(seen, kept)| seen.is_empty() || seen == kept);
    let missing: Vec<_> = rows.iter().filter(|row| !kept.iter().any(|k| same(row, k))).collect();
    assert!(missing.is_empty(), "the fault matrix of {name} in tests/federation/README.md says otherwise: {missing:#?}");
}

/// Compares the rows of one table with the README's, between `<!-- faults NAME -->` and `<!-- end -->`.
pub fn compare(name: &str, head: &[&str], rows: &[Vec<String>]) {
    let _alone = WRITING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut table = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        table += &format!("| {} |\n", row.join(" | "));
    }
    let text = std::fs::read_to_string(readme()).unwrap();
    let std::ops::Range { start: from, end: to } = section(name, &text);
    if std::env::var_os("DVT_BLESS").is_some() {
        std::fs::write(readme(), format!("{}\n{table}\n{}", &text[..from], &text[to..])).unwrap();
        return;
    }
    let kept: Vec<&str> = text[from..to].lines().filter(|l| l.starts_with('|')).collect();
    let seen: Vec<&str> = table.lines().collect();
    let missing: Vec<&&str> = seen.iter().filter(|l| !kept.contains(l)).collect();
    let unseen: Vec<&&str> = kept.iter().filter(|l| !seen.contains(l)).collect();
    assert!(
        missing.is_empty() && unseen.is_empty(),
        "the fault matrix of {name} in tests/federation/README.md is stale (DVT_BLESS=1 writes it)\nseen and not there: {missing:#?}\nthere and not seen: {unseen:#?}"
    );
}
