//! What holds of every plan, over the texts of the random generator: what a source is asked follows from what the model says,
//! pushed columns are columns of the relation, the same request gives the same plan, and a scan planned again is itself.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

#[path = "../../host/engine/tests/servers/mod.rs"]
mod servers;
mod split;
#[path = "split/generate.rs"]
mod generate;

use dvt_planner::ir::{FederatedPlan, PushClass};
use dvt_planner::pushdown::verdict::Rules;
use split::{Placement, TABLES, World};

const PLACEMENTS: [Placement; 3] = [["duck", "lite", "duck", "duck", "duck"], ["duck", "duck", "lite", "duck", "lite"], ["duck", "duck", "lite", "lite", "duck"]];

/// `t1.status = 'x'` as a condition over the relation alone.
fn bare(sql: &str) -> String {
    let mut out = String::new();
    let mut rest = sql;
    while let Some(at) = rest.find('.') {
        let before = &rest[..at];
        let start = before.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |i| i + before[i..].chars().next().unwrap().len_utf8());
        let qualifier = &before[start..];
        let named = qualifier.starts_with('t') && qualifier.len() > 1 && qualifier[1..].chars().all(|c| c.is_ascii_digit());
        out.push_str(if named { &before[..start] } else { &rest[..=at] });
        rest = &rest[at + 1..];
    }
    out + rest
}

fn each_plan(world: &World, mut look: impl FnMut(u64, &str, &Placement, &FederatedPlan)) {
    for seed in 0..900 {
        let text = generate::query(seed);
        let placement = PLACEMENTS[usize::try_from(seed).unwrap() % PLACEMENTS.len()];
        if let Ok(plan) = world.plan(&text, &placement, &Rules::default(), false) {
            look(seed, &text, &placement, &plan);
        }
    }
}

#[test]
fn what_a_source_is_asked_follows_from_what_the_model_says() {
    let world = World::start(false);
    let (mut compared, mut unread) = (0, 0);
    each_plan(&world, |seed, _, _, plan| {
        // The database that holds all tables asks both of every row.
        for scan in plan.scans.iter().filter(|s| s.source.as_str() == "duck" && !s.sql.contains("dvt_part_")) {
            for pushed in scan.pushed.iter().filter(|p| !p.sql.contains(" through ") && !p.sql.starts_with("one of: ")) {
                let (local, remote) = (format!("coalesce(({}), false)", bare(&pushed.sql)), format!("coalesce(({}), false)", pushed.remote));
                let differs = if pushed.class == PushClass::Exact { format!("{local} <> {remote}") } else { format!("{local} and not {remote}") };
                // A condition of a derived table speaks of names that its relation does not have.
                match world.truth(&format!("select count(*) from {{{}}} where {differs}", scan.relation.identifier)) {
                    Ok(rows) => {
                        compared += 1;
                        assert_eq!(rows, ["Int64: 0".replace(": ", ":")], "seed {seed}: `{}` is asked as `{}`", pushed.sql, pushed.remote);
                    }
                    Err(_) => unread += 1,
                }
            }
        }
    });
    eprintln!("{compared} conditions compared, {unread} of other names");
    assert!(compared > 200, "only {compared} conditions could be compared");
}

#[test]
fn pushed_columns_are_the_relation_s_and_the_same_text_gives_the_same_plan() {
    let world = World::start(false);
    let mut parts = 0;
    each_plan(&world, |seed, text, placement, plan| {
        let again = world.plan(text, placement, &Rules::default(), false).unwrap();
        assert_eq!(serde_json::to_string(plan).unwrap(), serde_json::to_string(&again).unwrap(), "seed {seed}");
        let whole = world.plan(text, placement, &Rules::default(), true);
        for scan in &plan.scans {
            if scan.sql.contains("dvt_part_") {
                parts += 1;
                continue;
            }
            let (_, known, _) = TABLES.iter().find(|t| t.0 == scan.relation.identifier).unwrap();
            for column in &scan.columns {
                assert!(known.split(", ").any(|k| k.split(' ').next() == Some(&column.name)), "seed {seed}: {} of {}", column.name, scan.relation.identifier);
            }
            let Ok(whole) = &whole else { continue };
            let all = whole.scans.iter().find(|s| s.relation == scan.relation && s.source == scan.source).unwrap();
            assert!(scan.columns.iter().all(|c| all.columns.contains(c)), "seed {seed}");
        }
    });
    assert!(parts > 50, "only {parts} parts were answered by a source");
}

#[test]
fn a_scan_planned_again_is_itself() {
    let world = World::start(false);
    let mut compared = 0;
    each_plan(&world, |seed, _, placement, plan| {
        for scan in plan.scans.iter().filter(|s| s.source.as_str() == "duck" && s.limit.is_none() && !s.sql.contains("dvt_part_")) {
            let name = &scan.relation.identifier;
            let inner = scan.sql.replacen(&format!("\"main\".\"{name}\""), &format!("{{{name}}}"), 1);
            // Beside a relation of another database, so that it is not sent as it is.
            let other = if placement[1] == "lite" { "customers" } else { "items" };
            if name == other {
                continue;
            }
            let text = format!("select s.* from ({inner}) s cross join {{{other}}} o");
            let again = world.plan(&text, placement, &Rules::default(), false).unwrap_or_else(|e| panic!("seed {seed}: {text}: {e}"));
            let same = again.scans.iter().find(|s| s.relation == scan.relation && s.source == scan.source).unwrap();
            // A BETWEEN has come apart by then.
            assert_eq!(same.sql.replace(['(', ')'], ""), scan.sql.replace(['(', ')'], ""), "seed {seed}");
            compared += 1;
        }
    });
    assert!(compared > 300, "only {compared} scans were planned again");
}
