//! Faults in what is dvt's own: the spill folder of a compute, the data of DVT home, a file that somebody else has open.

use super::cli::World;
use super::matrix;
use super::product::{Duckdb, Old, Postgres, Product, Sqlite};
use super::proxy::Proxy;
use super::run::Running;
use super::scenario::{SCENARIOS, Stage};
use super::shim::{Do, faulty, operations, spread};
use super::speech;
use super::steps::survive;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Operations on dvt's own data that meet a fault, evenly spread over all.
const MOST: usize = 16;

fn kinds(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "staging" => "journal of staging tables",
        "jsonl" => "spool of facts",
        "lock" => "locks",
        "duckdb" => "MDM",
        "wal" => "MDM's log",
        _ => "other",
    }
}

/// Every operation below DVT home's `data`: the target is whole, the MDM opens, and a rerun leaves nothing.
pub fn data_of_home() {
    let (product, source) = (Sqlite::new(), Postgres::start());
    let from = Arc::new(Proxy::before(source.server.port, speech::postgres));
    let scenario = SCENARIOS.iter().find(|s| s.name == "federated table").expect("the scenario");
    let stage = Stage::set(&product, &source, scenario, &from, 0);
    product.restore(Old::Table);
    let files = stage.world.path("home/data");
    let all = operations(&stage.world, scenario.words, &files);
    product.restore(Old::Table);
    let mut seen: BTreeMap<&str, [BTreeSet<&str>; 3]> = BTreeMap::new();
    for at in spread(all.len(), MOST) {
        let (what, name) = &all[at - 1];
        for (column, fault) in [Do::Kill, Do::Torn, Do::Full].into_iter().enumerate() {
            if fault != Do::Kill && what != "write" {
                continue;
            }
            let told = format!("operation {at} of {} on home's data: {what} {name} / {fault:?}", all.len());
            let ended = Running::start(faulty(&stage.world, scenario.words, &files, fault, at), &[]).end();
            seen.entry(kinds(name)).or_default()[column].insert(survive(&stage, &told, &ended));
        }
    }
    let cell = |set: &BTreeSet<&str>| if set.is_empty() { "–".to_owned() } else { "whole".to_owned() };
    let rows: Vec<Vec<String>> = seen.iter().map(|(kind, cells)| [vec![(*kind).to_owned()], cells.iter().map(cell).collect()].concat()).collect();
    matrix::compare("DVT home", &["operations on the", "dvt killed before one", "dvt killed half way", "disk full from there on"], &rows);
}

/// A window over more rows than the compute's memory holds.
fn spilling(source: &Postgres, product: &dyn Product) -> World {
    let world = World::new();
    world.write("p/dbt_project.yml", "name: p\nprofile: p\nmodels: {+materialized: table, +dialect: duckdb}\n");
    world.write("home/profiles.yml", &format!("p:\n  target: wh\n  outputs:\n    wh: {}\n    pg: {}\n", product.output(0), Postgres::profile(source.server.port, "src")));
    world.write("home/computes.yml", "p:\n  target: default\n  computes:\n    default: {type: duckdb, config: {memory_limit: 32MB, threads: 1}}\n");
    world.write("p/models/s.yml", "sources:\n  - {name: pg, connection: pg, schema: src, tables: [{name: big}]}\n");
    world.write("p/models/wide.sql", "select b.id, b.note, row_number() over (order by b.note, b.id) as place from {{ source('pg', 'big') }} b\n");
    source.direct().run("create table src.big as select g as id, md5(g::text) || md5((g + 1)::text) as note from generate_series(1, 400000) g").unwrap();
    world
}

/// The disk of the spill folder is full at its first write, after a quarter, after half of them; dvt is killed there.
/// How much is spilled differs a little from run to run, so the last write is none that can be named beforehand.
pub fn spill_folder() {
    let (product, source) = (Duckdb::new(), Postgres::start());
    let world = spilling(&source, &product);
    product.direct().run("create table wide as select 1 as id, 'old' as note, 1 as place").unwrap();
    let (words, spill) = (["run"], world.path("home/cache/spill"));
    // The old table is kept aside, to be put back.
    product.keep(Old::Table);
    let all = operations(&world, &words, &spill);
    let writes: Vec<usize> = (1..=all.len()).filter(|at| all[at - 1].0 == "write").collect();
    assert!(writes.len() > 2, "the compute did not spill: {all:?}");
    let left = || std::fs::read_dir(&spill).unwrap().count();
    assert_eq!(left(), 0, "a whole run left something in the spill folder");
    let count = || product.direct().rows("select count(*) from wide").unwrap();
    assert_eq!(count(), ["400000"]);
    let mut rows = Vec::new();
    for (when, at) in [("at its first write", 0), ("after a quarter of its writes", writes.len() / 4), ("after half of its writes", writes.len() / 2)].map(|(w, n)| (w, writes[n])) {
        for fault in [Do::Full, Do::Kill] {
            product.restore(Old::Table);
            let ended = Running::start(faulty(&world, &words, &spill, fault, at), &[]).end();
            let found = match count().first().map(String::as_str) {
                Some("1") => "old",
                other => panic!("{fault:?} {when}: {other:?} rows\n{}", ended.told),
            };
            if fault == Do::Full {
                assert!(ended.code == Some(1) && ended.told.contains("DVT4004") && ended.told.contains("No space left") && ended.told.contains("temp_directory"), "{}", ended.told);
                assert_eq!(left(), 0, "a failed run left something in the spill folder");
            }
            world.dvt("p", &words).ok();
            assert_eq!((count(), left()), (vec!["400000".to_owned()], 0));
            let what = if fault == Do::Full { "its disk is full" } else { "dvt is killed" };
            rows.push(vec![format!("{what} {when}"), if fault == Do::Full { "DVT4004".to_owned() } else { "killed".to_owned() }, found.to_owned()]);
        }
    }
    matrix::compare("spill folder", &["spill folder", "how the run ended", "the target afterwards"], &rows);
}

/// A file that another program has open is waited for as long as the profile says, then told by code.
pub fn file_in_use() {
    let product = Duckdb::new();
    let world = World::new();
    let profile = |wait: &str| format!("p:\n  target: wh\n  outputs:\n    wh: {}\n", product.output(0).replace('}', &format!("{wait}}}")));
    world.write("home/profiles.yml", &profile(", retries: {connect_attempts: 1}"));
    world.write("p/dbt_project.yml", "name: p\nprofile: p\n");
    world.write("p/models/a.sql", "select 1 as id");
    world.write("p/models/b.sql", "select 2 as id");
    let mut other = product.direct();
    other.run("create table t (x int)").unwrap();
    let said = world.dvt("p", &["run"]);
    let told = said.fails(1, &["DVT5109", "Waiting for target wh", "another process has", "ERROR=2"]).all();
    assert_eq!(told.matches("Waiting for target wh").count(), 1, "the second model waits again: {told}");
    // One who lets go in time is not noticed but for the wait.
    world.write("home/profiles.yml", &profile(""));
    let run = Running::start_until(world.command("p", &["run"]), "Waiting for target wh");
    drop(other);
    let ended = run.end();
    assert_eq!(ended.code, Some(0), "{}", ended.told);
}
