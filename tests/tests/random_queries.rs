//! Random queries over tables that are split over databases: each answers as one database that holds all of them.
//!
//! `DVT_SEEDS=5000..9000` runs other seeds than CI does in process, `DVT_SEEDS_SERVERS=…` over PostgreSQL and MariaDB too;
//! how many have run stands in `tests/pushdown/README.md`.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

#[path = "../../host/engine/tests/servers/mod.rs"]
mod servers;
mod split;
#[path = "split/generate.rs"]
mod generate;

use dvt_planner::pushdown::verdict::{Rule, Rules};
use split::{Placement, TABLES, World, shown};
use std::ops::Range;

const IN_PROCESS: [Placement; 4] = [["duck", "lite", "duck"], ["duck", "lite", "lite"], ["duck", "duck", "lite"], ["duck", "lite", "duck"]];
const SERVERS: [Placement; 5] = [["pg", "lite", "my"], ["duck", "pg", "my"], ["pg", "duck", "my"], ["pg", "pg", "lite"], ["pg", "lite", "duck"]];

fn seeds(variable: &str, otherwise: Range<u64>) -> Range<u64> {
    match std::env::var(variable) {
        Ok(text) => {
            let (from, to) = text.split_once("..").expect("seeds are said like 5000..9000");
            from.parse().unwrap()..to.parse().unwrap()
        }
        Err(_) => otherwise,
    }
}

/// Runs the seeds over the placements in turn, each with all rules or with one taken away.
fn run(world: &World, placements: &[Placement], seeds: Range<u64>) {
    let mut failures = Vec::new();
    let (mut answered, mut unanswered, mut rows_moved, mut smaller) = (0, 0, 0, 0);
    for seed in seeds.clone() {
        let text = generate::query(seed);
        let placement = placements[usize::try_from(seed).unwrap() % placements.len()];
        let mut rules = Rules::default();
        if seed % 3 == 2 {
            rules.off.push(Rule::ALL[usize::try_from(seed / 3).unwrap() % Rule::ALL.len()]);
        }
        // What no database answers (a sum out of range, say) proves nothing.
        let Ok(truth) = world.truth(&text) else {
            unanswered += 1;
            continue;
        };
        let planned = world.plan(&text, &placement, &rules, false);
        let problem = match &planned {
            Err(e) => Some(format!("is not planned: {e}")),
            Ok(plan) => match world.run(plan) {
                Err(e) => Some(format!("fails: {e}")),
                Ok((rows, computed)) => {
                    answered += 1;
                    rows_moved += computed.movements.iter().map(|m| m.rows).sum::<u64>();
                    smaller += usize::from(plan.scans.iter().any(|s| !s.pushed.is_empty()));
                    (rows != truth).then(|| format!("answers {rows:#?}\n  truth {truth:#?}"))
                }
            },
        };
        if let Some(problem) = problem {
            let plan = planned.as_ref().map(shown).unwrap_or_default();
            failures.push(format!("seed {seed} over {placement:?}, {:?} off:\n  {text}\n{plan}\n  {problem}", rules.off));
            if failures.len() >= 12 {
                break;
            }
        }
    }
    eprintln!("seeds {seeds:?}: {answered} answered alike, {unanswered} that no database answers, {smaller} with a filter pushed, {rows_moved} rows moved");
    assert!(failures.is_empty(), "{} seeds:\n{}", failures.len(), failures.join("\n\n"));
    assert!(answered > unanswered && smaller * 3 > answered, "the generator makes too little that counts");
}

#[test]
fn random_queries_over_sqlite_and_duckdb_answer_as_one_database() {
    assert_eq!(TABLES.len(), 3);
    run(&World::start(false), &IN_PROCESS, seeds("DVT_SEEDS", 0..1500));
}

#[test]
fn random_queries_over_four_products_answer_as_one_database() {
    run(&World::start(true), &SERVERS, seeds("DVT_SEEDS_SERVERS", 1_000_000..1_000_400));
}
