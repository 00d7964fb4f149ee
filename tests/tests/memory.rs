//! Five million rows pass whole through a federated model, none aggregated away: memory stays under the bound
//! when the table is written into DuckDB and when it is written into PostgreSQL.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

mod cli;
#[path = "../../host/engine/tests/servers/mod.rs"]
mod servers;

use cli::World;
use std::time::Duration;

const ROWS: i64 = 5_000_000;
const MOST_KB: u64 = 900 * 1024;

/// Runs the project and gives the highest resident memory in kB.
fn peak_of_run(world: &World, words: &[&str]) -> u64 {
    let mut run = world.command("p", words).stdout(std::fs::File::create(world.path("told")).unwrap()).spawn().unwrap();
    let status = format!("/proc/{}/status", run.id());
    let mut peak = 0_u64;
    while run.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let high = text.lines().find_map(|l| l.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse().ok());
        peak = peak.max(high.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(run.wait().unwrap().success(), "{}", std::fs::read_to_string(world.path("told")).unwrap());
    assert!(peak > 0, "the run ended before it was measured");
    peak
}

#[test]
fn five_million_whole_rows_reach_duckdb_and_postgresql_under_a_memory_limit() {
    let server = servers::PostgresServer::start();
    let port = server.port;
    let mut client = postgres::Client::connect(&format!("host=127.0.0.1 port={port} user=dvt dbname=postgres"), postgres::NoTls).unwrap();
    client
        .batch_execute(&format!(
            "create table big as select g as id, (g % 1000)::numeric(12,2) / 100 as amount, repeat('x', 60) as note from generate_series(1, {ROWS}) g"
        ))
        .unwrap();
    let world = World::new();
    world.write("p/dbt_project.yml", "name: p\nprofile: p\nmodels: {+materialized: table, +dialect: duckdb}\n");
    world.write("home/computes.yml", "p:\n  target: default\n  computes:\n    default: {type: duckdb, config: {memory_limit: 512MB}}\n");
    world.write(
        "home/profiles.yml",
        &format!(
            "p:\n  target: wh\n  outputs:\n    wh: {{type: duckdb, path: wh.duckdb}}\n    out: {{type: postgres, host: 127.0.0.1, port: {port}, user: dvt, dbname: postgres, schema: out}}\n    pg: {{type: postgres, host: 127.0.0.1, port: {port}, user: dvt, dbname: postgres, schema: public}}\n    lite: {{type: sqlite, schemas_and_paths: {{main: small.db}}}}\n"
        ),
    );
    world.write(
        "p/models/s.yml",
        "sources:\n  - {name: pg, connection: pg, schema: public, tables: [{name: big}]}\n  - {name: lite, connection: lite, schema: main, tables: [{name: small}]}\n",
    );
    world.write(
        "p/models/wide.sql",
        "select b.id, b.amount, b.note, s.name from {{ source('pg', 'big') }} b left join {{ source('lite', 'small') }} s on s.id = b.id % 10\n",
    );
    rusqlite::Connection::open(world.path("p/small.db"))
        .unwrap()
        .execute_batch("create table small (id integer, name text); insert into small values (1, 'one'), (2, 'two')")
        .unwrap();

    let into_duckdb = peak_of_run(&world, &["run"]);
    eprintln!("into DuckDB: peak resident memory {} MB", into_duckdb / 1024);
    let (rows, named): (i64, i64) = duckdb::Connection::open(world.path("p/wh.duckdb"))
        .unwrap()
        .query_row("select count(*), count(name) from wide", [], |r| Ok((r.get(0)?, r.get(1)?)))
        .unwrap();
    assert_eq!((rows, named), (ROWS, ROWS / 5));

    let into_postgresql = peak_of_run(&world, &["run", "--target", "out"]);
    eprintln!("into PostgreSQL: peak resident memory {} MB", into_postgresql / 1024);
    let row = client.query_one("select count(*), count(name), (select sum(amount) from out.wide) = (select sum(amount) from big) from out.wide", &[]).unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1), row.get::<_, bool>(2)), (ROWS, ROWS / 5, true));
    assert!(into_duckdb <= MOST_KB && into_postgresql <= MOST_KB, "{into_duckdb} kB into DuckDB, {into_postgresql} kB into PostgreSQL");
}
