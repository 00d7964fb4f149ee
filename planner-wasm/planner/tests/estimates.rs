//! A join goes to its source when the source's own estimates say that less moves then.
#![allow(clippy::unwrap_used, missing_docs)]

mod cases;

use cases::{catalog, planned_in};
use dvt_planner::pushdown::verdict::Rules;

const WIDE: &str = "select l.sku, s.region, s.opened, c.name from {lines} l join {stores} s on s.id = l.order_id join {customers} c on c.id = l.line";

fn joined(rows: &[(&str, u64)], sql: &str) -> bool {
    let plan = planned_in(&catalog(rows), sql, "duckdb", false, &Rules::default()).unwrap();
    plan.scans.iter().any(|s| s.sql.contains(" JOIN "))
}

#[test]
fn few_rows_of_many_are_joined_there_and_many_rows_made_wider_are_not() {
    assert!(joined(&[("lines", 100), ("stores", 1_000_000)], WIDE));
    assert!(!joined(&[("lines", 1_000_000), ("stores", 100)], WIDE));
    assert!(!joined(&[("lines", 100)], WIDE), "one estimate says nothing");
    assert!(!joined(&[], WIDE));
}

#[test]
fn estimates_do_not_stand_for_a_key() {
    let many = "select a.sku, c.name from {lines} a join {lines} b on a.sku = b.sku join {customers} c on c.id = a.line";
    assert!(!joined(&[("lines", 10)], many));
}

#[test]
fn estimates_beyond_all_bounds_are_no_overflow() {
    assert!(joined(&[("lines", 1), ("stores", u64::MAX)], WIDE));
    joined(&[("lines", u64::MAX), ("stores", u64::MAX)], WIDE);
}

#[test]
fn what_stays_says_why_beside_its_scan() {
    let plan = planned_in(&catalog(&[]), WIDE, "duckdb", false, &Rules::default()).unwrap();
    let kept = &plan.scans[0].kept[0];
    assert!(kept.sql == "join of lines, stores" && kept.reason.contains("larger"), "{kept:?}");
    assert!(plan.notes.iter().any(|n| n.message.contains("join of lines, stores")));
}
