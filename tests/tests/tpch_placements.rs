//! All 22 queries of TPC-H over placements of its tables: each answers as one database that holds them all.
//!
//! `DVT_TPCH_PLACEMENTS='random 50'` (or a file like `tests/tpch/placements.txt`) runs other placements, `DVT_TPCH_QUERIES`
//! names another folder of queries over these tables, `{orders}` for a relation.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

#[path = "../../host/engine/tests/servers/mod.rs"]
mod servers;
mod split;
#[path = "split/generate.rs"]
mod generate;

use dvt_planner::pushdown::verdict::Rules;
use dvt_tests::tpch;
use generate::Random;
use split::{TABLES, World, shown};
use std::path::PathBuf;

const SCALE: f64 = 0.01;
const TARGETS: [&str; 4] = ["pg", "my", "lite", "duck"];

fn here(name: &str) -> PathBuf {
    PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("tpch").join(name)
}

/// Each placement in the order of [`tpch::TABLES`].
fn placements() -> Vec<Vec<&'static str>> {
    let said = std::env::var("DVT_TPCH_PLACEMENTS").unwrap_or_default();
    if let Some(count) = said.strip_prefix("random ") {
        let one = |seed: u64| {
            let mut random = Random::new(seed);
            tpch::TABLES.iter().map(|_| *random.pick(&TARGETS)).collect()
        };
        return (0..count.parse().unwrap()).map(one).collect();
    }
    let file = if said.is_empty() { here("placements.txt") } else { PathBuf::from(said) };
    let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let lines = text.lines().filter(|l| !l.starts_with('#') && !l.trim().is_empty());
    lines
        .map(|line| {
            let of = |table: &str| {
                let place = line.split_whitespace().find_map(|w| w.strip_prefix(&format!("{table}="))).unwrap_or_else(|| panic!("{table} has no place in `{line}`"));
                *TARGETS.iter().find(|t| **t == place).unwrap_or_else(|| panic!("`{place}` is none of {TARGETS:?}"))
            };
            tpch::TABLES.iter().map(|(table, _)| of(table)).collect()
        })
        .collect()
}

#[test]
fn every_query_of_tpch_answers_the_same_wherever_its_tables_are() {
    assert!(TABLES.len() > 1);
    let world = World::tpch(SCALE);
    let folder = std::env::var("DVT_TPCH_QUERIES").map_or_else(|_| here(""), PathBuf::from);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "sql")).collect();
    files.sort();
    let queries: Vec<(String, String)> = files.iter().map(|f| (f.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(f).unwrap())).collect();
    let truths: Vec<Vec<String>> = queries.iter().map(|(name, text)| world.truth(text).unwrap_or_else(|e| panic!("{name}: {e}"))).collect();
    let mut failures = Vec::new();
    let (mut runs, mut moved, mut whole) = (0, 0, 0);
    for placement in placements() {
        for ((name, text), truth) in queries.iter().zip(&truths) {
            let plan = world.plan(text, &placement, &Rules::default(), false).unwrap_or_else(|e| panic!("{name}: {e}"));
            let all = world.plan(text, &placement, &Rules::default(), true).unwrap();
            runs += 1;
            match world.run(&plan) {
                Ok((rows, computed)) => {
                    if rows != *truth {
                        let (got, want) = (&rows[..rows.len().min(5)], &truth[..truth.len().min(5)]);
                        failures.push(format!("{name} over {placement:?}\n{}\n  answers {got:#?}\n  truth {want:#?}", shown(&plan)));
                    }
                    moved += computed.movements.iter().map(|m| m.rows).sum::<u64>();
                    whole += usize::from(plan != all);
                }
                Err(e) => failures.push(format!("{name} over {placement:?}\n{}\n  fails: {e}", shown(&plan))),
            }
        }
    }
    eprintln!("{runs} runs of {} queries moved {moved} rows, {whole} of them with pushdown", queries.len());
    assert!(failures.is_empty(), "{} of {runs} failed:\n{}", failures.len(), failures.join("\n\n"));
    assert_eq!(whole, runs, "a query was not helped by pushdown at all");
}
