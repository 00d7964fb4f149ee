//! Random queries over tables that are split over databases: each answers as one database that holds all of them.
//!
//! `DVT_SEEDS=5000..9000` runs other seeds than CI does in process, `DVT_SEEDS_SERVERS=…` over PostgreSQL and MariaDB too;
//! with `DVT_SEEDS_LOG=FILE` each thousand is written down when it is done, and a range that was broken off goes on behind the
//! last. How many have run stands in `tests/pushdown/README.md`. Seeds below three million are texts of the first generator;
//! the others are richer, and of every fourth two texts that must answer alike are compared beside. Those from five million on
//! are of the deeper one, `DVT_SEEDS_DEEPER_…` with a dialect's name: models of that dialect over all four products.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

#[path = "../../host/engine/tests/servers/mod.rs"]
mod servers;
mod split;
#[path = "split/generate.rs"]
mod generate;
#[path = "split/deeper.rs"]
mod deeper;
#[path = "split/sums.rs"]
mod sums;

use dvt_diagnostic::Code;
use dvt_planner::pushdown::verdict::{Rule, Rules};
use split::spoken::{self, Spoken};
use split::{Placement, TABLES, World, shown};
use std::ops::Range;

const IN_PROCESS: [Placement; 6] = [
    ["duck", "lite", "duck", "duck", "duck"],
    ["duck", "lite", "lite", "duck", "duck"],
    ["duck", "duck", "lite", "duck", "duck"],
    ["duck", "lite", "duck", "duck", "duck"],
    ["duck", "lite", "duck", "lite", "lite"],
    ["duck", "duck", "lite", "lite", "duck"],
];
const SERVERS: [Placement; 6] = [
    ["pg", "lite", "my", "pg", "pg"],
    ["duck", "pg", "my", "pg", "pg"],
    ["pg", "duck", "my", "pg", "pg"],
    ["pg", "pg", "lite", "pg", "pg"],
    ["pg", "lite", "duck", "pg", "pg"],
    ["pg", "duck", "my", "my", "lite"],
];
const IN_POSTGRES: [Placement; 3] = [["pg", "lite", "duck", "pg", "pg"], ["duck", "pg", "my", "my", "pg"], ["pg", "duck", "pg", "lite", "duck"]];
const IN_MYSQL: [Placement; 3] = [["my", "lite", "pg", "my", "my"], ["duck", "pg", "my", "my", "pg"], ["pg", "duck", "lite", "duck", "my"]];
const IN_SQLITE: [Placement; 3] = [["lite", "pg", "my", "lite", "lite"], ["pg", "lite", "duck", "my", "pg"], ["duck", "lite", "lite", "duck", "my"]];

fn seeds(variable: &str, otherwise: Range<u64>) -> Range<u64> {
    match std::env::var(variable) {
        Ok(text) => {
            let (from, to) = text.split_once("..").expect("seeds are said like 5000..9000");
            from.parse().unwrap()..to.parse().unwrap()
        }
        Err(_) => otherwise,
    }
}

/// Zeros of both signs are equal: which of them an order with a LIMIT, a union or DISTINCT leaves is open.
fn unsigned(rows: &[String]) -> Vec<String> {
    let mut rows: Vec<String> = rows.iter().map(|r| r.replace(":-0.0", ":0.0")).collect();
    rows.sort();
    rows
}

/// Seeds from here on are of the richer generator.
const RICH: u64 = 3_000_000;

/// Seeds from here to the deeper ones group over joins, in words of every dialect.
const SUMS: u64 = 4_500_000;

/// Seeds from here on are of the deeper generator, which speaks the world's dialect.
const DEEPER: u64 = 5_000_000;

/// Answers that differ in the sign of a zero alone are equal.
fn same(a: &[String], b: &[String]) -> bool {
    a == b || unsigned(a) == unsigned(b)
}

/// The rows of a text that was sent as it is: they come back without types.
fn untyped(rows: &[String]) -> Vec<String> {
    let plain = |cell: &str| {
        let cell = cell.trim_matches('"');
        let number = cell.contains('.') && cell.bytes().all(|b| b.is_ascii_digit() || b"-.".contains(&b));
        if number { cell.trim_end_matches('0').trim_end_matches('.').to_owned() } else { cell.to_owned() }
    };
    let mut rows: Vec<String> = rows.iter().skip(1).map(|r| r.split(" | ").map(plain).collect::<Vec<_>>().join(" | ")).collect();
    rows.sort();
    rows
}

#[derive(Default)]
struct Tally {
    answered: usize,
    unanswered: usize,
    /// Not translated from the model's dialect, or not compared.
    refused: usize,
    /// Pairs of texts that answered alike.
    pairs: usize,
    smaller: usize,
    /// Plans with groups of one target's rows below a join.
    partial: usize,
    rows_moved: u64,
    failures: Vec<String>,
}

/// One seed over its placement, with all rules or with one taken away.
fn one(world: &World, placements: &[Placement], seed: u64, tally: &mut Tally) {
    let placement = placements[usize::try_from(seed).unwrap() % placements.len()];
    let mut rules = Rules::default();
    if seed % 3 == 2 {
        rules.off.push(Rule::ALL[usize::try_from(seed / 3).unwrap() % Rule::ALL.len()]);
    }
    let said = |text: &str, problem: String| {
        let plan = world.plan(text, &placement, &rules, false).as_ref().map(shown).unwrap_or_default();
        format!("seed {seed} over {placement:?}, {:?} off:\n  {text}\n{plan}\n  {problem}", rules.off)
    };
    let answer = |text: &str| {
        let plan = world.plan(text, &placement, &rules, false).map_err(|e| match e.code {
            Code::NotTranslatable if world.spoken != spoken::DUCKDB => String::new(),
            _ => format!("is not planned: {e}"),
        })?;
        let (rows, computed) = world.run(&plan).map_err(|e| format!("fails: {e}"))?;
        let whole = world.spoken != spoken::DUCKDB && !plan.delegates.is_empty();
        // SQLite's decimals are text in its own tables here, and numbers where all tables are.
        if whole && world.spoken == spoken::SQLITE {
            return Err(String::new());
        }
        Ok::<_, String>((rows, computed.movements.iter().map(|m| m.rows).sum::<u64>(), plan.scans.iter().any(|s| !s.pushed.is_empty()), whole, plan.scans.iter().any(|s| s.sql.contains("dvt_total_"))))
    };
    let text = match seed {
        DEEPER.. => deeper::query(seed, world.spoken.dialect),
        SUMS.. => sums::query(seed),
        RICH.. => generate::rich(seed),
        _ => generate::query(seed),
    };
    // What no database answers (a sum out of range, say) proves nothing.
    let Ok(truth) = world.truth_of(&text, &placement) else {
        tally.unanswered += 1;
        return;
    };
    match answer(&text) {
        Err(problem) if problem.is_empty() => tally.refused += 1,
        Err(problem) => tally.failures.push(said(&text, problem)),
        Ok((rows, _, _, whole, _)) if !same(&rows, &truth) && !(whole && untyped(&rows) == untyped(&truth)) => tally.failures.push(said(&text, format!("answers {rows:#?}\n  truth {truth:#?}"))),
        Ok((_, moved, pushed, _, partial)) => {
            tally.partial += usize::from(partial);
            tally.answered += 1;
            tally.rows_moved += moved;
            tally.smaller += usize::from(pushed);
        }
    }
    if !(RICH..SUMS).contains(&seed) || seed % 4 != 3 {
        return;
    }
    let (whole, parts) = generate::alike(seed);
    match (answer(&whole), answer(&parts)) {
        (Ok((a, ..)), Ok((b, ..))) if same(&a, &b) => tally.pairs += 1,
        (Ok((a, ..)), Ok((b, ..))) => tally.failures.push(said(&parts, format!("answers {b:#?}\n  {whole}\n  answers {a:#?}"))),
        // A condition may fail on rows that another way does not come to; one database's answer decides.
        _ if world.truth(&whole).is_err() || world.truth(&parts).is_err() => tally.unanswered += 1,
        (a, b) => tally.failures.push(said(&parts, format!("{:?} {:?}\n  {whole}", a.err(), b.err()))),
    }
}

/// Runs the seeds over the placements in turn.
fn run(world: &World, placements: &[Placement], seeds: Range<u64>) {
    let log = std::env::var("DVT_SEEDS_LOG").ok();
    let written = log.as_ref().and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
    let done = written.lines().filter_map(|l| l.split(' ').next()?.split_once("..")?.1.parse::<u64>().ok()).filter(|end| seeds.contains(end)).max();
    let mut tally = Tally::default();
    let mut start = done.unwrap_or(seeds.start);
    while start < seeds.end && tally.failures.len() < 12 {
        let end = seeds.end.min(start + 1000);
        let before = (tally.answered, tally.unanswered, tally.pairs, tally.failures.len(), tally.refused);
        (start..end).for_each(|seed| one(world, placements, seed, &mut tally));
        if let Some(file) = &log {
            use std::io::Write as _;
            let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
            let failed = tally.failures[before.3..].join("\n");
            let told = (tally.answered - before.0, tally.unanswered - before.1, tally.refused - before.4, tally.pairs - before.2);
            writeln!(file, "{start}..{end} {} alike, {} unanswered, {} refused, {} pairs{}{failed}", told.0, told.1, told.2, told.3, if failed.is_empty() { "" } else { ", failed:\n" }).unwrap();
        }
        start = end;
    }
    let Tally { answered, unanswered, refused, pairs, smaller, partial, rows_moved, failures } = tally;
    eprintln!("seeds {seeds:?}: {answered} answered alike and {pairs} pairs, {unanswered} that no database answers, {refused} refused, {smaller} with a filter pushed, {partial} with groups below a join, {rows_moved} rows moved");
    assert!(failures.is_empty(), "{} seeds:\n{}", failures.len(), failures.join("\n\n"));
    let told = if seeds.start >= SUMS && seeds.start < DEEPER { partial * 20 > answered } else { smaller * 3 > answered };
    assert!(answered > unanswered && told, "the generator makes too little that counts");
}

#[test]
fn random_queries_over_sqlite_and_duckdb_answer_as_one_database() {
    assert_eq!(TABLES.len(), 5);
    run(&World::start(false), &IN_PROCESS, seeds("DVT_SEEDS", 0..1000));
}

#[test]
fn random_queries_over_four_products_answer_as_one_database() {
    run(&World::start(true), &SERVERS, seeds("DVT_SEEDS_SERVERS", 1_000_000..1_000_300));
}

#[test]
fn random_queries_of_more_forms_and_their_relations_answer_as_one_database() {
    run(&World::start(false), &IN_PROCESS, seeds("DVT_SEEDS_RICH", 3_000_000..3_001_000));
}

#[test]
fn random_queries_of_more_forms_over_four_products_answer_as_one_database() {
    run(&World::start(true), &SERVERS, seeds("DVT_SEEDS_RICH_SERVERS", 4_000_000..4_000_200));
}

#[test]
fn deeper_random_queries_over_sqlite_and_duckdb_answer_as_one_database() {
    run(&World::start(false), &IN_PROCESS, seeds("DVT_SEEDS_DEEPER", 5_000_000..5_000_600));
}

#[test]
fn random_sums_over_joins_answer_as_one_database() {
    let placements = [["duck", "lite", "lite", "duck", "lite"], ["duck", "lite", "duck", "lite", "lite"], ["duck", "duck", "lite", "lite", "duck"]];
    run(&World::start(false), &placements, seeds("DVT_SEEDS_SUMS", 4_500_000..4_500_600));
}

#[test]
fn random_sums_over_four_products_answer_as_one_database() {
    run(&World::start(true), &SERVERS, seeds("DVT_SEEDS_SUMS_SERVERS", 4_600_000..4_600_200));
}

#[test]
fn random_sums_in_postgresql_answer_as_postgresql_does() {
    deeper(spoken::POSTGRES, &IN_POSTGRES, seeds("DVT_SEEDS_SUMS_POSTGRES", 4_700_000..4_700_200));
}

#[test]
fn random_sums_in_mysql_answer_as_mariadb_does() {
    deeper(spoken::MYSQL, &IN_MYSQL, seeds("DVT_SEEDS_SUMS_MYSQL", 4_800_000..4_800_200));
}

#[test]
fn random_sums_in_sqlite_answer_as_sqlite_does() {
    deeper(spoken::SQLITE, &IN_SQLITE, seeds("DVT_SEEDS_SUMS_SQLITE", 4_900_000..4_900_150));
}

fn deeper(spoken: Spoken, placements: &[Placement], seeds: Range<u64>) {
    run(&World::start_in(true, spoken), placements, seeds);
}

#[test]
fn deeper_random_queries_over_four_products_answer_as_one_database() {
    deeper(spoken::DUCKDB, &SERVERS, seeds("DVT_SEEDS_DEEPER_DUCKDB", 6_000_000..6_000_150));
}

#[test]
fn deeper_random_models_in_postgresql_answer_as_postgresql_does() {
    deeper(spoken::POSTGRES, &IN_POSTGRES, seeds("DVT_SEEDS_DEEPER_POSTGRES", 7_000_000..7_000_200));
}

#[test]
fn deeper_random_models_in_mysql_answer_as_mariadb_does() {
    deeper(spoken::MYSQL, &IN_MYSQL, seeds("DVT_SEEDS_DEEPER_MYSQL", 8_000_000..8_000_200));
}

#[test]
fn deeper_random_models_in_sqlite_answer_as_sqlite_does() {
    deeper(spoken::SQLITE, &IN_SQLITE, seeds("DVT_SEEDS_DEEPER_SQLITE", 9_000_000..9_000_200));
}
