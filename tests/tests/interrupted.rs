//! A federated table is the old one or the new one, whenever the run ends: killed at any moment, cut off from a server,
//! or refused by it. What `faults.rs` shows for one moment and one target is shown here for many.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

mod cli;
#[path = "../../host/engine/tests/servers/mod.rs"]
mod servers;

use cli::World;
use std::process::Stdio;
use std::time::{Duration, Instant};

const OLD: i64 = 3;
const NEW: i64 = 600_000;
const STAGING: &str = "select count(*) from pg_class where relname like '%\\_\\_dvt\\_%'";

fn client(port: u16) -> postgres::Client {
    postgres::Client::connect(&format!("host=127.0.0.1 port={port} user=dvt dbname=postgres"), postgres::NoTls).unwrap()
}

fn fill(port: u16, rows: i64) {
    client(port)
        .batch_execute(&format!("create table if not exists big (id int, note text); truncate big; insert into big select g, repeat('x', 60) from generate_series(1, {rows}) g"))
        .unwrap();
}

fn pg(port: u16, schema: &str) -> String {
    format!("{{type: postgres, host: 127.0.0.1, port: {port}, user: dvt, dbname: postgres, schema: {schema}}}")
}

/// As `world_into`, into schema `out` of a PostgreSQL server.
fn world(source: u16, target: u16, config: &str) -> World {
    world_into(source, &pg(target, "out"), config)
}

/// `big` on `source` and `small` in SQLite are joined into `wide` on `target`.
fn world_into(source: u16, target: &str, config: &str) -> World {
    let world = World::new();
    world.write("p/dbt_project.yml", "name: p\nprofile: p\nmodels: {+materialized: table, +dialect: duckdb}\n");
    world.write(
        "home/profiles.yml",
        &format!(
            "p:\n  target: wh\n  outputs:\n    wh: {}\n    pg: {}\n    lite: {{type: sqlite, schemas_and_paths: {{main: small.db}}}}\n",
            target,
            pg(source, "public")
        ),
    );
    world.write(
        "p/models/s.yml",
        "sources:\n  - {name: pg, connection: pg, schema: public, tables: [{name: big}]}\n  - {name: lite, connection: lite, schema: main, tables: [{name: small}]}\n",
    );
    world.write(
        "p/models/wide.sql",
        &format!("{config}select b.id, b.note, s.name from {{{{ source('pg', 'big') }}}} b left join {{{{ source('lite', 'small') }}}} s on s.id = b.id\n"),
    );
    let lite = rusqlite::Connection::open(world.path("p/small.db")).unwrap();
    lite.execute_batch("create table small (id integer, name text); insert into small values (1, 'one'), (2, 'two')").unwrap();
    world
}

fn rows(c: &mut postgres::Client) -> i64 {
    c.query_one("select count(*) from out.wide", &[]).unwrap().get(0)
}

fn staged(c: &mut postgres::Client) -> i64 {
    c.query_one(STAGING, &[]).unwrap().get(0)
}

/// Starts a run and waits until `ready` says so.
fn start(world: &World, ready: &mut dyn FnMut() -> bool) -> std::process::Child {
    let told = std::fs::File::create(world.path("told")).unwrap();
    let mut run = world.command("p", &["run"]).stdout(told.try_clone().unwrap()).stderr(told).spawn().unwrap();
    let begun = Instant::now();
    while !ready() {
        assert!(run.try_wait().unwrap().is_none(), "the run ended before it was interrupted");
        assert!(begun.elapsed() < Duration::from_secs(60), "the moment to interrupt never came");
        std::thread::sleep(Duration::from_millis(2));
    }
    run
}

/// Kills a run at twelve moments spread over a whole run's time; `reset` makes the table the old one again.
fn kill_at_any_moment(world: &World, reset: &mut dyn FnMut(), count: &mut dyn FnMut() -> i64) {
    let begun = Instant::now();
    world.dvt("p", &["run"]).ok();
    let whole = begun.elapsed();
    let mut seen = Vec::new();
    for step in 1..=12_u32 {
        reset();
        let mut run = world.command("p", &["run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // The first kill comes before any load can be done, however slow the measured run was.
        std::thread::sleep(Duration::from_millis(20) + whole * (step - 1) / 12);
        let _ = run.kill();
        run.wait().unwrap();
        let found = count();
        assert!(found == OLD || found == NEW, "kill {step} of 12 left {found} rows");
        seen.push(found);
    }
    eprintln!("rows found after each kill: {seen:?}");
    assert_eq!(seen[0], OLD, "the first kill came too late to show anything");
    world.dvt("p", &["run"]).ok();
    assert_eq!(count(), NEW);
}

#[test]
fn a_run_killed_at_any_moment_leaves_the_old_or_the_new_table_whole_on_postgresql() {
    let server = servers::PostgresServer::start();
    let world = world(server.port, server.port, "");
    fill(server.port, OLD);
    world.dvt("p", &["run"]).ok();
    fill(server.port, NEW);
    let (mut writer, mut watcher) = (client(server.port), client(server.port));
    let reset = format!("delete from out.wide where id > {OLD}");
    kill_at_any_moment(&world, &mut || writer.batch_execute(&reset).unwrap(), &mut || rows(&mut watcher));
    assert_eq!(staged(&mut watcher), 0);
}

#[test]
fn a_table_with_a_view_on_it_is_replaced_whole_and_the_view_stays() {
    let server = servers::PostgresServer::start();
    let world = world(server.port, server.port, "");
    fill(server.port, OLD);
    world.dvt("p", &["run"]).ok();
    let (mut writer, mut watcher) = (client(server.port), client(server.port));
    writer.batch_execute("create view out.above as select id, name from out.wide").unwrap();
    fill(server.port, NEW);
    let reset = format!("delete from out.wide where id > {OLD}");
    let mut above = || watcher.query_one("select count(*) from out.above", &[]).unwrap().get(0);
    kill_at_any_moment(&world, &mut || writer.batch_execute(&reset).unwrap(), &mut above);
    assert_eq!(staged(&mut writer), 0);
}

#[test]
fn a_run_killed_at_any_moment_leaves_the_old_or_the_new_table_whole_in_sqlite() {
    let server = servers::PostgresServer::start();
    let world = world_into(server.port, "{type: sqlite, schemas_and_paths: {main: wh.db}}", "");
    fill(server.port, OLD);
    world.dvt("p", &["run"]).ok();
    fill(server.port, NEW);
    let open = || rusqlite::Connection::open(world.path("p/wh.db")).unwrap();
    let ask = |sql: &str| open().query_row(sql, [], |r| r.get::<_, i64>(0)).unwrap();
    let mut reset = || open().execute_batch(&format!("delete from wide where id > {OLD}")).unwrap();
    kill_at_any_moment(&world, &mut reset, &mut || ask("select count(*) from wide"));
    assert_eq!(ask("select count(*) from sqlite_master where name like '%\\_\\_dvt\\_%' escape '\\'"), 0);
    assert_eq!(open().query_row("pragma integrity_check", [], |r| r.get::<_, String>(0)).unwrap(), "ok");
}

/// Division by zero in row 400,000 of a view: after many batches were handed on.
fn fail_in_the_middle(port: u16) {
    client(port)
        .batch_execute("alter table big rename to base; truncate base; insert into base select g, 'x' from generate_series(1, 500000) g; create view big as select id, (1 / (400000 - id))::text as note from base")
        .unwrap();
}

#[test]
fn a_source_that_fails_in_the_middle_leaves_the_old_table_on_postgresql_and_in_sqlite() {
    let server = servers::PostgresServer::start();
    let into_server = world(server.port, server.port, "");
    let into_file = world_into(server.port, "{type: sqlite, schemas_and_paths: {main: wh.db}}", "");
    fill(server.port, OLD);
    into_server.dvt("p", &["run"]).ok();
    into_file.dvt("p", &["run"]).ok();
    fail_in_the_middle(server.port);
    for world in [&into_server, &into_file] {
        world.dvt("p", &["run"]).fails(1, &["DVT4006", "division by zero", "ERROR=1"]);
    }
    let mut watcher = client(server.port);
    assert_eq!((rows(&mut watcher), staged(&mut watcher)), (OLD, 0));
    let file = rusqlite::Connection::open(into_file.path("p/wh.db")).unwrap();
    let ask = |sql: &str| file.query_row(sql, [], |r| r.get::<_, i64>(0)).unwrap();
    assert_eq!((ask("select count(*) from wide"), ask("select count(*) from sqlite_master")), (OLD, 1));
}

#[test]
fn a_killed_increment_adds_nothing_and_its_rerun_adds_each_row_once() {
    let server = servers::PostgresServer::start();
    let config = "{{ config(materialized='incremental', unique_key='id', incremental_strategy='merge') }}\n";
    let world = world(server.port, server.port, config);
    fill(server.port, OLD);
    world.dvt("p", &["run"]).ok();
    fill(server.port, NEW);
    let mut watcher = client(server.port);
    let mut run = start(&world, &mut || staged(&mut watcher) > 0);
    run.kill().unwrap();
    run.wait().unwrap();
    assert_eq!(rows(&mut watcher), OLD);
    world.dvt("p", &["run"]).ok();
    let distinct: i64 = watcher.query_one("select count(distinct id) from out.wide", &[]).unwrap().get(0);
    assert_eq!((rows(&mut watcher), distinct, staged(&mut watcher)), (NEW, NEW, 0));
}

/// Ends the sessions on `cut` that run `query` in the middle of a load; the run fails with a code and a hint.
fn cut_off(cut: u16, source: u16, target: u16, query: &str) {
    let world = world(source, target, "");
    fill(source, OLD);
    world.dvt("p", &["run"]).ok();
    fill(source, NEW);
    let mut admin = client(cut);
    let end = format!("select count(pg_terminate_backend(pid)) from pg_stat_activity where pid <> pg_backend_pid() and state = 'active' and query ilike '{query}'");
    let mut run = start(&world, &mut || admin.query_one(&end, &[]).unwrap().get::<_, i64>(0) > 0);
    let status = run.wait().unwrap();
    let told = std::fs::read_to_string(world.path("told")).unwrap();
    assert_eq!(status.code(), Some(1), "{told}");
    assert!(["DVT5101", "hint: the session ended", "Failure in model wide", "ERROR=1"].iter().all(|word| told.contains(word)), "{told}");
    let mut watcher = client(target);
    assert_eq!(rows(&mut watcher), OLD, "the old table is whole");
    world.dvt("p", &["run"]).ok();
    assert_eq!((rows(&mut watcher), staged(&mut watcher)), (NEW, 0));
}

#[test]
fn a_source_that_ends_the_session_leaves_the_old_table() {
    let (source, target) = (servers::PostgresServer::start(), servers::PostgresServer::start());
    cut_off(source.port, source.port, target.port, "copy%to stdout%");
}

#[test]
fn a_target_that_ends_the_session_leaves_the_old_table() {
    let (source, target) = (servers::PostgresServer::start(), servers::PostgresServer::start());
    cut_off(target.port, source.port, target.port, "copy%from stdin%");
}

#[test]
fn a_wrong_password_of_a_source_fails_its_readers_and_the_other_nodes_run() {
    let (guarded, open) = (servers::PostgresServer::start_with_passwords("right-password"), servers::PostgresServer::start());
    let world = world(guarded.port, open.port, "");
    client(open.port).batch_execute("create schema out; create table out.wide as select 7 as id").unwrap();
    let profiles = std::fs::read_to_string(world.home().join("profiles.yml")).unwrap();
    world.write("home/profiles.yml", &profiles.replace("schema: public}", "schema: public, password: wrong-password}"));
    world.write("p/models/healthy.sql", "select id, name from {{ source('lite', 'small') }}\n");
    world.write("p/models/below.sql", "{{ config(dialect=none) }}select id from {{ ref('wide') }}\n");
    let told = world.dvt("p", &["run"]).fails(1, &["DVT5102", "hint:", "PASS=1", "ERROR=1", "SKIP=1"]).all();
    assert!(!told.contains("wrong-password"), "{told}");
    let mut watcher = client(open.port);
    assert_eq!(rows(&mut watcher), 1, "the old table is whole");
    assert_eq!(watcher.query_one("select count(*) from out.healthy", &[]).unwrap().get::<_, i64>(0), 2);
    assert_eq!(staged(&mut watcher), 0);
}
