//! The mutation check: every rule taken away and every verdict turned around changes the plan of some golden case.
//!
//! `DVT_GOLDEN=write` renews the list in `tests/pushdown/README.md`, which this test compares.
#![allow(clippy::unwrap_used, missing_docs)]

mod cases;

use cases::{Case, cases, planned, root};
use dvt_planner::pushdown::verdict::{Rule, Rules, Verdict};
use std::fmt::Write as _;

const START: &str = "<!-- mutants: made by `DVT_GOLDEN=write cargo test -p dvt-planner --test mutants` -->\n";
const END: &str = "<!-- end of mutants -->";

fn killers<'c>(all: &'c [Case], rules: &Rules) -> Vec<&'c str> {
    all.iter().filter(|c| c.printed(&planned(&c.sql, &c.dialect, false, rules)) != c.expect).map(|c| c.fact.as_str()).collect()
}

#[test]
fn every_mutant_is_noticed_by_a_golden_case() {
    let all = cases();
    let mut mutants: Vec<(String, Rules)> = Vec::new();
    for rule in Rule::ALL {
        mutants.push((format!("rule {rule:?} off"), Rules { off: vec![rule], ..Rules::default() }));
    }
    for verdict in Verdict::ALL {
        mutants.push((format!("{verdict:?}: always legal"), Rules { allowed: vec![verdict], ..Rules::default() }));
        mutants.push((format!("{verdict:?}: never legal"), Rules { refused: vec![verdict], ..Rules::default() }));
    }
    let mut table = format!("{} mutants, {} golden cases.\n\n| mutant | cases that fail | the first |\n|---|---|---|\n", mutants.len(), all.len());
    let mut alive = Vec::new();
    for (name, rules) in &mutants {
        let found = killers(&all, rules);
        let first = found.first().copied().unwrap_or("none");
        let _ = writeln!(table, "| {name} | {} | {first} |", found.len());
        if found.is_empty() {
            alive.push(name.as_str());
        }
    }
    let path = root().join("tests/pushdown/README.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(START).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    if written != table && std::env::var("DVT_GOLDEN").is_ok_and(|v| v == "write") {
        std::fs::write(&path, format!("{before}{START}{table}{END}{after}")).unwrap();
    } else {
        assert_eq!(written, table, "tests/pushdown/README.md is stale: DVT_GOLDEN=write renews it");
    }
    assert!(alive.is_empty(), "no case notices: {alive:?}");
}
