//! What goes wrong while a federated table is built: the target keeps the old table, a rerun succeeds, nothing stays.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

mod cli;
#[path = "../../host/engine/tests/servers/mod.rs"]
mod servers;

use cli::World;
use std::time::{Duration, Instant};

const ROWS: i64 = 1_500_000;

/// `big` on PostgreSQL and `small` in SQLite are joined into `wide` on `wh`.
fn world(port: u16, wh: &str) -> World {
    let world = World::new();
    world.write("p/dbt_project.yml", "name: p\nprofile: p\nmodels: {+materialized: table, +dialect: duckdb}\n");
    world.write(
        "home/profiles.yml",
        &format!("p:\n  target: wh\n  outputs:\n    wh: {wh}\n    pg: {{type: postgres, host: 127.0.0.1, port: {port}, user: dvt, dbname: postgres, schema: public}}\n    lite: {{type: sqlite, schemas_and_paths: {{main: small.db}}}}\n"),
    );
    world.write(
        "p/models/s.yml",
        "sources:\n  - {name: pg, connection: pg, schema: public, tables: [{name: big}]}\n  - {name: lite, connection: lite, schema: main, tables: [{name: small}]}\n",
    );
    world.write("p/models/wide.sql", "select b.id, b.note, s.name from {{ source('pg', 'big') }} b left join {{ source('lite', 'small') }} s on s.id = b.id\n");
    let lite = rusqlite::Connection::open(world.path("p/small.db")).unwrap();
    lite.execute_batch("create table small (id integer, name text); insert into small values (1, 'one'), (2, 'two')").unwrap();
    world
}

fn client(port: u16) -> postgres::Client {
    postgres::Client::connect(&format!("host=127.0.0.1 port={port} user=dvt dbname=postgres"), postgres::NoTls).unwrap()
}

fn fill(port: u16, rows: i64) {
    client(port)
        .batch_execute(&format!("drop table if exists big; create table big as select g as id, repeat('x', 60) as note from generate_series(1, {rows}) g"))
        .unwrap();
}

/// Kills the run once its staging table is there.
fn kill_while_loading(world: &World, staged: &mut dyn FnMut() -> bool) {
    let mut run = world.command("p", &["run"]).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while !staged() {
        assert!(run.try_wait().unwrap().is_none(), "the run ended before it could be killed");
        assert!(start.elapsed() < Duration::from_secs(60), "no staging table appeared");
        std::thread::sleep(Duration::from_millis(5));
    }
    run.kill().unwrap();
    assert!(!run.wait().unwrap().success());
}

#[test]
fn a_killed_load_leaves_the_old_table_on_postgresql_and_a_rerun_cleans_up() {
    let server = servers::PostgresServer::start();
    let port = server.port;
    let world = world(port, &format!("{{type: postgres, host: 127.0.0.1, port: {port}, user: dvt, dbname: postgres, schema: out}}"));
    fill(port, 3);
    world.dvt("p", &["run"]).ok();
    fill(port, ROWS);
    let mut watcher = client(port);
    let staging = "select count(*) from pg_class where relname like '%\\_\\_dvt\\_%'";
    kill_while_loading(&world, &mut || watcher.query_one(staging, &[]).unwrap().get::<_, i64>(0) > 0);
    let count = |c: &mut postgres::Client| c.query_one("select count(*) from out.wide", &[]).unwrap().get::<_, i64>(0);
    assert_eq!(count(&mut watcher), 3, "the old table is whole");
    world.dvt("p", &["run"]).ok();
    assert_eq!(count(&mut watcher), ROWS);
    assert_eq!(watcher.query_one(staging, &[]).unwrap().get::<_, i64>(0), 0, "a staging table stayed");
}

#[test]
fn a_killed_load_leaves_the_old_table_in_duckdb_and_a_rerun_cleans_up() {
    let server = servers::PostgresServer::start();
    let port = server.port;
    let world = world(port, "{type: duckdb, path: wh.duckdb}");
    fill(port, 3);
    world.dvt("p", &["run"]).ok();
    fill(port, ROWS);
    // The file is locked while it is written: the source's session shows that rows flow.
    let mut watcher = client(port);
    let reading = "select count(*) from pg_stat_activity where query ilike 'copy%' and state = 'active'";
    kill_while_loading(&world, &mut || watcher.query_one(reading, &[]).unwrap().get::<_, i64>(0) > 0);
    let ask = |sql: &str| duckdb::Connection::open(world.path("p/wh.duckdb")).unwrap().query_row(sql, [], |r| r.get::<_, i64>(0)).unwrap();
    assert_eq!(ask("select count(*) from wide"), 3, "the old table is whole");
    world.dvt("p", &["run"]).ok();
    assert_eq!(ask("select count(*) from wide"), ROWS);
    assert_eq!(ask("select count(*) from duckdb_tables() where table_name like '%\\_\\_dvt\\_%' escape '\\'"), 0, "a staging table stayed");
}

#[test]
fn a_source_that_fails_in_the_middle_leaves_the_old_table() {
    let server = servers::PostgresServer::start();
    let port = server.port;
    let world = world(port, "{type: duckdb, path: wh.duckdb}");
    fill(port, 3);
    world.dvt("p", &["run"]).ok();
    // Division by zero in row 400,000 of a view: after many batches were handed on.
    client(port)
        .batch_execute("alter table big rename to base; truncate base; insert into base select g, 'x' from generate_series(1, 500000) g; create view big as select id, (1 / (400000 - id))::text as note from base")
        .unwrap();
    world.dvt("p", &["run"]).fails(1, &["DVT4006", "division by zero", "ERROR=1"]);
    let wide: i64 = duckdb::Connection::open(world.path("p/wh.duckdb")).unwrap().query_row("select count(*) from wide", [], |r| r.get(0)).unwrap();
    assert_eq!(wide, 3);
    let left: i64 = duckdb::Connection::open(world.path("p/wh.duckdb")).unwrap().query_row("select count(*) from duckdb_tables()", [], |r| r.get(0)).unwrap();
    assert_eq!(left, 1, "something stayed beside the table");
}

#[test]
fn five_million_rows_pass_under_a_memory_limit() {
    let server = servers::PostgresServer::start();
    let port = server.port;
    let world = world(port, "{type: duckdb, path: wh.duckdb}");
    fill(port, 5_000_000);
    world.write("home/computes.yml", "p:\n  target: default\n  computes:\n    default: {type: duckdb, config: {memory_limit: 512MB}}\n");
    world.write("p/models/wide.sql", "select b.id % 1000 as bucket, count(*) as n, max(b.note) as note from {{ source('pg', 'big') }} b left join {{ source('lite', 'small') }} s on s.id = b.id group by 1\n");
    let mut run = world.command("p", &["run"]).stdout(std::process::Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", run.id());
    let mut peak_kb = 0_u64;
    while run.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let high = text.lines().find_map(|l| l.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse().ok());
        peak_kb = peak_kb.max(high.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(run.wait().unwrap().success());
    let sum: i64 = duckdb::Connection::open(world.path("p/wh.duckdb")).unwrap().query_row("select sum(n)::bigint from wide", [], |r| r.get(0)).unwrap();
    eprintln!("peak resident memory: {} MB", peak_kb / 1024);
    assert_eq!(sum, 5_000_000);
    assert!(peak_kb <= 900 * 1024, "peak resident memory was {} MB", peak_kb / 1024);
}
