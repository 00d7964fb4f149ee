//! TPC-H 3, 5, 10, 12, 14 as federated models over PostgreSQL, SQLite and DuckDB, into DuckDB and into PostgreSQL: the
//! tables equal what one DuckDB that holds all the data answers, decimals exact, with pushdown and without.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

mod cli;
mod rows;
#[path = "../../host/engine/tests/servers/mod.rs"]
mod servers;

use cli::World;
use dvt_tests::tpch;
use rows::{duckdb_rows, postgres_rows};
use serde_json::Value;

const QUERIES: [&str; 5] = ["q3", "q5", "q10", "q12", "q14"];
const SCALE: f64 = 0.02;

/// The model's text for the database that holds everything.
fn alone(text: &str) -> String {
    let source = regex::Regex::new(r"\{\{ source\('\w+', '(\w+)'\) \}\}").unwrap();
    source.replace_all(text, "$1").into_owned()
}

fn moved(world: &World, flags: &[&str]) -> (u64, u64, Vec<Value>) {
    let mut words = vec!["explain", "--output", "json"];
    words.extend(flags);
    let document: Value = serde_json::from_str(&world.dvt("p", &words).ok().out).unwrap();
    let models = document["models"].as_array().unwrap().clone();
    let scans: Vec<&Value> = models.iter().flat_map(|m| m["scans"].as_array().unwrap()).collect();
    let sum = |key: &str| scans.iter().map(|s| s["actual"][key].as_u64().unwrap_or_else(|| panic!("no actual {key}: {s}"))).sum();
    (sum("rows"), sum("bytes"), models)
}

#[test]
fn federated_answers_equal_those_of_one_database() {
    let server = servers::PostgresServer::start();
    let world = World::new();
    let project = std::path::PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("projects/tpch");
    for file in ["dbt_project.yml", "models/sources.yml"].into_iter().map(str::to_owned).chain(QUERIES.iter().map(|q| format!("models/{q}.sql"))) {
        world.write(&format!("p/{file}"), &std::fs::read_to_string(project.join(&file)).unwrap());
    }
    let port = server.port;
    world.write(
        "home/profiles.yml",
        &format!(
            "tpch:\n  target: wh\n  outputs:\n    wh: {{type: duckdb, path: wh.duckdb, threads: 4}}\n    duck: {{type: duckdb, path: parts.duckdb, threads: 4}}\n    lite: {{type: sqlite, schemas_and_paths: {{main: crm.sqlite}}, threads: 4}}\n    pg: {{type: postgres, host: 127.0.0.1, port: {port}, user: dvt, dbname: postgres, schema: wh, threads: 4}}\n"
        ),
    );
    let url = format!("host=127.0.0.1 port={port} user=dvt dbname=postgres");
    tpch::postgres(&url, "src", &["orders", "lineitem"], SCALE).unwrap();
    tpch::sqlite(&world.path("p/crm.sqlite"), &["customer", "nation", "region"], SCALE).unwrap();
    tpch::duckdb(&world.path("p/parts.duckdb"), &["part", "partsupp", "supplier"], SCALE).unwrap();
    let all: Vec<&str> = tpch::TABLES.iter().map(|(t, _)| *t).collect();
    tpch::duckdb(&world.path("all.duckdb"), &all, SCALE).unwrap();
    let expected: Vec<_> = QUERIES
        .iter()
        .map(|q| duckdb_rows(&world.path("all.duckdb"), &alone(&std::fs::read_to_string(project.join(format!("models/{q}.sql"))).unwrap())))
        .collect();
    assert!(expected.iter().all(|rows| !rows.is_empty()), "the scale is too small for the queries");

    let into_duckdb = |flags: &[&str]| {
        let mut words = vec!["run", "--full-refresh"];
        words.extend(flags);
        world.dvt("p", &words).ok();
        QUERIES.iter().map(|q| duckdb_rows(&world.path("p/wh.duckdb"), &format!("select * from {q}"))).collect::<Vec<_>>()
    };
    assert_eq!(into_duckdb(&[]), expected, "into DuckDB");
    let (rows, bytes, models) = moved(&world, &[]);
    assert!(models.iter().all(|m| m["path"] == "federation"));
    for kept in models.iter().flat_map(|m| m["scans"].as_array().unwrap()).flat_map(|s| s["kept"].as_array().unwrap()) {
        assert!(kept["code"] == "DVT005" && !kept["reason"].as_str().unwrap().is_empty(), "{kept}");
    }
    assert_eq!(into_duckdb(&["--no-pushdown"]), expected, "without pushdown");
    let (all_rows, all_bytes, _) = moved(&world, &["--no-pushdown"]);
    eprintln!("moved {rows} of {all_rows} rows, {bytes} of {all_bytes} bytes");
    assert!(rows < all_rows && bytes < all_bytes, "moved {rows} of {all_rows} rows, {bytes} of {all_bytes} bytes");

    for flags in [&["run", "--target", "pg"][..], &["run", "--target", "pg", "--no-pushdown"][..]] {
        world.dvt("p", flags).ok();
        let built: Vec<_> = QUERIES.iter().map(|q| postgres_rows(port, "wh", q)).collect();
        assert_eq!(built, expected, "into PostgreSQL, {flags:?}");
    }
    let mut client = postgres::Client::connect(&url, postgres::NoTls).unwrap();
    let left: i64 = client.query_one("select count(*) from pg_class where relname like '%\\_\\_dvt\\_%'", &[]).unwrap().get(0);
    assert_eq!(left, 0, "staging tables stayed");
}
