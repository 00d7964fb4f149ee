//! Golden plans: Markdown cases in `tests/pushdown` at the top of the repository.
//!
//! A case is a heading (the fact), a `sql` block and an `expect` block. In the SQL, `{orders}` stands for
//! a relation. The catalog is fixed, see [`cases`].
#![allow(clippy::unwrap_used, missing_docs)]

mod cases;

use cases::{cases, planned};
use dvt_planner::ir::FederatedPlan;
use dvt_planner::pushdown::verdict::Rules;
use std::fmt::Write as _;

#[test]
fn every_case_plans_as_written() {
    let mut failures = String::new();
    let all = cases();
    for case in &all {
        let planned = planned(&case.sql, &case.dialect, false, &Rules::default());
        let actual = case.printed(&planned);
        let apart = planned.iter().flat_map(|p| &p.notes).find(|n| n.message.contains("read apart"));
        assert!(apart.is_none(), "{}: {apart:?}", case.fact);
        if actual == case.expect {
            continue;
        }
        let _ = writeln!(failures, "{}: {}\n--- expected\n{}--- actual\n{actual}", case.file.display(), case.fact, case.expect);
        // A person renews the files with DVT_GOLDEN=write and reads the difference.
        if std::env::var("DVT_GOLDEN").is_ok_and(|v| v == "write") {
            let text = std::fs::read_to_string(&case.file).unwrap();
            let at = text.find(&format!("## {}\n", case.fact)).unwrap();
            let (before, after) = text.split_at(at);
            let renewed = after.replacen(&format!("```expect\n{}```", case.expect), &format!("```expect\n{actual}```"), 1);
            std::fs::write(&case.file, format!("{before}{renewed}")).unwrap();
        }
    }
    assert!(all.len() >= 20, "only {} cases were found", all.len());
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn every_case_plans_twice_alike_and_its_plan_is_no_larger_than_without_a_rule() {
    for case in cases() {
        let rules = Rules::default();
        let (Ok(one), Ok(two)) = (planned(&case.sql, &case.dialect, false, &rules), planned(&case.sql, &case.dialect, false, &rules)) else { continue };
        assert_eq!(one, two, "{}", case.fact);
        let Ok(all) = planned(&case.sql, &case.dialect, true, &rules) else { continue };
        for (with, without) in one.scans.iter().zip(&all.scans) {
            // What a source computes has columns of its own.
            if one.scans.len() == all.scans.len() && !with.sql.contains("dvt_part_") {
                assert!(with.columns.iter().all(|c| without.columns.contains(c)), "{}", case.fact);
            }
        }
    }
}

#[test]
fn planning_is_deterministic_and_serialises() {
    let sql = "select o.id, c.name from {orders} o join {customers} c on o.customer_id = c.id where o.status = 'x'";
    let one = serde_json::to_string(&planned(sql, "duckdb", false, &Rules::default()).unwrap()).unwrap();
    let two = serde_json::to_string(&planned(sql, "duckdb", false, &Rules::default()).unwrap()).unwrap();
    assert_eq!(one, two);
    let back: FederatedPlan = serde_json::from_str(&one).unwrap();
    assert_eq!(serde_json::to_string(&back).unwrap(), one);
}

#[test]
fn without_pushdown_everything_is_read_and_the_reason_is_told() {
    let sql = "select i.qty from {items} i join {customers} c on c.id = i.order_id where i.qty > 1";
    let plan = planned(sql, "duckdb", true, &Rules::default()).unwrap();
    assert!(plan.scans.iter().all(|s| !s.sql.contains("WHERE") && s.pushed.is_empty()));
    assert_eq!(plan.scans[0].columns.len(), 4);
    assert!(plan.scans[0].kept.iter().any(|k| k.reason == "--no-pushdown"));
}

#[test]
fn deep_nesting_is_a_diagnostic_not_a_crash() {
    let sql = format!("select {}1{} from {{items}}, {{customers}}", "(".repeat(3000), ")".repeat(3000));
    let error = planned(&sql, "duckdb", false, &Rules::default()).unwrap_err();
    assert_eq!(error.code, dvt_diagnostic::Code::SqlTooDeep);
}
