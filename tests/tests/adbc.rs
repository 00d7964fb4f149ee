//! Drivers that are shared libraries: PostgreSQL through the library of a wheel, by an adapter from outside the workspace
//! (`tests/outsider/adbc-postgres`). pip, the wheel, the library and the server are real.
#![allow(clippy::unwrap_used, missing_docs)]

mod cli;
#[path = "../../host/engine/tests/servers/mod.rs"]
mod servers;

use cli::{Said, World, said};
use dvt_engine::adbc::{AdbcConnection, AdbcDriver};
use dvt_engine::{ConnectSpec, EngineError, ErrorKind, Secret};
use dvt_plugin_sdk::{Profile, driver};
use dvt_tests::wheels;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PASSWORD: &str = "sec ret/&?";
const PACKAGE: &str = "adbc-driver-postgresql";
const LIBRARY: &str = "home/drivers/adbc-driver-postgresql/1.13.0/libadbc_driver_postgresql.so";

/// Folder of built things, in which the test's own binary lies too.
fn target() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.parent().and_then(Path::parent).and_then(Path::parent).unwrap().to_path_buf()
}

fn command(world: &World, words: &[&str]) -> Command {
    let mut command = world.command("p", words);
    let outsiders = target().join("outsider-plugins");
    assert!(outsiders.is_dir(), "{} is missing: cargo xtask outsider (make test does it)", outsiders.display());
    command.env("DVT_PLUGIN_PATH", std::env::join_paths([outsiders, target().join("plugins")]).unwrap());
    command.env("PIP_NO_INDEX", "1").env("PIP_FIND_LINKS", wheels::folder());
    command
}

fn dvt(world: &World, words: &[&str]) -> Said {
    said(command(world, words))
}

/// A project with a target through the library, the same server by the bundled driver, and two files.
fn project(port: u16) -> World {
    let world = World::new();
    let output = |name: &str, kind: &str, password: &str| format!("    {name}: {{type: {kind}, host: 127.0.0.1, port: {port}, user: dvt, password: \"{password}\", dbname: postgres, schema: public, threads: 2}}\n");
    let outputs = [output("lib", "pgadbc", PASSWORD), output("own", "postgres", PASSWORD)].concat();
    world.write(
        "home/profiles.yml",
        &format!("p:\n  target: wh\n  outputs:\n{outputs}    wh: {{type: duckdb, path: wh.duckdb, threads: 2}}\n    crm: {{type: sqlite, schemas_and_paths: {{main: crm.sqlite}}, schema: main}}\n"),
    );
    world.write("p/dbt_project.yml", "name: p\nprofile: p\nversion: '1'\n");
    world.write("p/models/sources.yml", "sources:\n  - {name: pg, connection: \"{{ var('way', 'lib') }}\", schema: public, tables: [{name: kinds}, {name: odd}]}\n  - {name: crm, connection: crm, schema: main, tables: [{name: notes}]}\n");
    world
}

fn sqlite(world: &World, sql: &str) {
    rusqlite::Connection::open(world.path("p/crm.sqlite")).unwrap().execute_batch(sql).unwrap();
}

fn shown(world: &World, way: &str, sql: &str) -> Vec<String> {
    let out = dvt(world, &["-q", "show", "--vars", &format!("way: {way}"), "--inline", sql, "--output", "json", "--limit", "-1"]).ok().out;
    let shown: serde_json::Value = serde_json::from_str(&out).unwrap();
    shown["show"].as_array().unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn sync_brings_the_library_once_and_no_other_is_loaded() {
    let world = project(5);
    dvt(&world, &["debug", "--connection=lib"]).fails(1, &["DVT5110", PACKAGE, "is not on this machine", "dvt sync"]);
    let planned = dvt(&world, &["sync", "--dry-run"]).ok();
    assert!(planned.out.contains(&format!("Would fetch driver {PACKAGE}")) && !world.path("home/drivers").exists(), "{}", planned.out);
    let first = dvt(&world, &["sync"]).ok();
    assert!(first.out.contains(&format!("Installing driver {PACKAGE} 1.13.0")) && world.path(LIBRARY).is_file(), "{}", first.out);
    let lock: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(world.path("p/dvt-lock.json")).unwrap()).unwrap();
    assert_eq!(lock["native"][PACKAGE]["version"], "1.13.0");
    assert!(lock["native"][PACKAGE]["sha256"].as_object().unwrap().values().all(|sum| sum.as_str().unwrap().len() == 64), "{lock}");
    let again = dvt(&world, &["sync"]).ok();
    assert!(again.out.contains("Everything is in place; nothing was changed"), "{}", again.out);
    // One byte more, and neither a session nor `sync` takes it.
    let own = std::fs::read(world.path(LIBRARY)).unwrap();
    std::fs::OpenOptions::new().append(true).open(world.path(LIBRARY)).unwrap().write_all(b"x").unwrap();
    for words in [&["debug", "--connection=lib"][..], &["sync"]] {
        dvt(&world, words).fails(1, &["DVT5110", "is not the driver that the lock file records"]);
    }
    std::fs::remove_file(world.path(LIBRARY)).unwrap();
    dvt(&world, &["sync"]).ok();
    assert!(std::fs::read(world.path(LIBRARY)).unwrap() == own);
    // The same version of another content: a wheel that somebody put in its place.
    let lock = std::fs::read_to_string(world.path("p/dvt-lock.json")).unwrap();
    let sum = lock.split("\"linux-").nth(1).unwrap().split('"').nth(2).unwrap().to_owned();
    world.write("p/dvt-lock.json", &lock.replace(&sum, &"0".repeat(64)));
    std::fs::remove_dir_all(world.path("home/drivers")).unwrap();
    dvt(&world, &["sync"]).fails(1, &["DVT5110", "is not the one that the lock file records", "nothing was installed"]);
    assert!(!world.path(LIBRARY).exists());
    world.write("p/dvt-lock.json", &lock);
    // Nobody has it: what was tried is told.
    let mut nowhere = command(&world, &["sync"]);
    nowhere.env("PIP_FIND_LINKS", "/nowhere");
    said(nowhere).fails(1, &["DVT5110", "adbc-driver-postgresql==1.13.0 cannot be fetched; nothing was installed"]);
    // Killed at any moment, the next one finishes.
    for wait in [50, 300, 700] {
        let mut child = command(&world, &["sync"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        let _ = child.kill();
        child.wait().unwrap();
        assert!(!world.path(LIBRARY).exists() || std::fs::read(world.path(LIBRARY)).unwrap() == own, "half a library");
    }
    dvt(&world, &["sync"]).ok();
    assert!(std::fs::read(world.path(LIBRARY)).unwrap() == own && !world.path("home/cache/sync").exists());
}

#[test]
fn a_library_needs_its_permission() {
    let world = project(5);
    let module = target().join("outsider/wasm32-unknown-unknown/release/adbc_postgres.wasm");
    let manifest = r#"{"id": "outsider.quiet", "version": "0.1.0", "contract": "0.1.0", "kind": "adapter", "types": ["quiet"], "permissions": []}"#;
    world.write("p/plugin.json", manifest);
    std::fs::create_dir_all(world.path("p/plugins")).unwrap();
    dvt(&world, &["plugin", "pack", module.to_str().unwrap(), "plugin.json", "-o", "plugins/quiet.wasm"]).ok();
    let profiles = std::fs::read_to_string(world.path("home/profiles.yml")).unwrap();
    world.write("home/profiles.yml", &profiles.replace("type: pgadbc", "type: quiet"));
    for words in [&["debug", "--connection=lib"][..], &["sync"]] {
        dvt(&world, words).fails(1, &["DVT5003", "driver:adbc-driver-postgresql", "outsider.quiet"]);
    }
    assert!(!world.path("home/drivers").exists());
}

const KINDS: &str = "create table kinds (n int primary key, i2 smallint, i8 bigint, r real, d double precision, amount numeric(12,2), big numeric(38,10), free numeric, b boolean, t text, v varchar(9), by bytea, day date, tm time, ts timestamp, tz timestamptz, u uuid, j jsonb);
  insert into kinds values
  (1, -32768, 9223372036854775807, 1.5, 0.1, 12.50, 1234567890123456789012345678.0123456789, 0.5, true, 'a''b', 'x', '\\x00ff', '2024-02-29', '23:59:59.999999', '2024-02-29 01:02:03.000004', '2024-02-29 01:02:03.000004+09', '00000000-0000-0000-0000-0000000000ff', '{\"a\": 1}'),
  (2, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null),
  (3, 0, -1, 'nan', '-infinity', -0.01, 0, 99999999999999999999.5, false, '', 'é', '', '0001-01-01', '00:00', '1969-12-31 23:59:59.999999', '1883-11-18 12:03:58+00', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '[]');
  insert into kinds select g, g % 100, g, g, g, g / 100.0, g, g, g % 2 = 0, 'row ' || g, 'v', 'x', date '2000-01-01' + g % 9000, time '00:00' + g * interval '1 second', timestamp '2000-01-01' + g * interval '1 second', timestamptz '2000-01-01 00:00+00' + g * interval '1 second', null, null from generate_series(4, 20000) g;";

#[test]
fn every_type_passes_both_ways_as_through_the_bundled_driver_and_what_would_not_is_refused() {
    let server = servers::PostgresServer::start_with_passwords(PASSWORD);
    let url = format!("host=127.0.0.1 port={} user=dvt dbname=postgres password='{PASSWORD}'", server.port);
    let mut client = postgres::Client::connect(&url, postgres::NoTls).unwrap();
    client.batch_execute(KINDS).unwrap();
    let world = project(server.port);
    sqlite(&world, "create table notes (n integer, note text); insert into notes values (1, 'one'), (2, 'two'), (3, 'three'), (17, 'more')");
    dvt(&world, &["sync"]).ok();
    let told = dvt(&world, &["debug", "--connection=lib"]).ok().all();
    assert!(told.contains("pgadbc: OK, version 15.") || told.contains("pgadbc: OK, version 1"), "{told}");
    let joined = "select k.*, s.note from {{ source('pg', 'kinds') }} k left join {{ source('crm', 'notes') }} s on s.n = k.n";
    world.write("p/models/to_file.sql", &format!("{{{{ config(materialized='table', alias='to_file_' ~ var('way', 'lib')) }}}}\n{joined}\n"));
    world.write("p/models/to_server.sql", &format!("{{{{ config(materialized='table', dialect='duckdb', target=var('way', 'lib'), alias='to_server_' ~ var('way', 'lib')) }}}}\n{joined}\n"));
    world.write("p/models/inside.sql", "{{ config(materialized='table', target=var('way', 'lib'), alias='inside_' ~ var('way', 'lib')) }}\nselect n, amount, amount * 2 as twice, tz::text as told from {{ source('pg', 'kinds') }} where n < 4\n");
    for way in ["own", "lib"] {
        let told = dvt(&world, &["run", "--vars", &format!("way: {way}")]).ok().all();
        assert!(told.contains("[federation]") && told.contains("[pushdown]") && !told.contains(PASSWORD), "{told}");
    }
    // What the server holds is the same, to the digit and to the declared type.
    for table in ["to_server", "inside"] {
        let types = |way: &str| -> Vec<String> {
            let sql = format!("select attname || ' ' || format_type(atttypid, atttypmod) from pg_attribute where attrelid = '{table}_{way}'::regclass and attnum > 0 order by attnum");
            client_lines(&url, &sql)
        };
        assert_eq!(types("lib"), types("own"), "{table}");
        let differs = format!("(select x::text from {table}_lib x except all select x::text from {table}_own x) union all (select x::text from {table}_own x except all select x::text from {table}_lib x)");
        assert_eq!(client_lines(&url, &differs), Vec::<String>::new(), "{table}");
    }
    assert_eq!(client_lines(&url, "select count(*)::text || ' ' || sum(amount)::text from to_server_lib"), client_lines(&url, "select count(*)::text || ' ' || sum(amount)::text from kinds"));
    let files: Vec<Vec<String>> = ["own", "lib"].iter().map(|way| shown(&world, way, "select * from {{ ref('to_file') }} order by n")).collect();
    assert!(files[0].len() == 20_000 && files[0] == files[1]);
    // A whole query of the target, and a small one that a template asks.
    let asked = "select n, amount, big, b, u, (select count(*) from {{ source('pg', 'kinds') }}) as many from {{ source('pg', 'kinds') }} where n <= 3 order by n";
    let direct = |way: &str| shown(&world, way, &format!("{{{{ config(target='{way}') }}}} {asked}"));
    assert_eq!(direct("lib"), direct("own"));
    // What has no exact form is refused by its column's name, before anything is published.
    for (odd, column) in [
        ("'nan'::numeric as x", "x"),
        ("'infinity'::timestamp as y", "y"),
        ("'-infinity'::timestamptz as y", "y"),
        ("'infinity'::date as z", "z"),
        ("'24:00'::time as w", "w"),
        ("'<a/>'::xml as m", "m"),
        ("array[1, 2] as a", "a"),
    ] {
        client.batch_execute(&format!("drop table if exists odd; create table odd as select 1 as n, {odd}")).unwrap();
        world.write("p/models/from_odd.sql", "{{ config(materialized='table') }} select o.*, s.note from {{ source('pg', 'odd') }} o join {{ source('crm', 'notes') }} s on s.n = o.n");
        dvt(&world, &["run", "-s", "from_odd"]).fails(1, &[&format!("`{column}`"), "hint:", "DVT"]);
    }
    drop(server);
}

fn client_lines(url: &str, sql: &str) -> Vec<String> {
    let mut client = postgres::Client::connect(url, postgres::NoTls).unwrap();
    client.query(sql, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

#[test]
fn a_failure_on_the_way_leaves_the_old_table_and_nothing_else() {
    let server = servers::PostgresServer::start_with_passwords(PASSWORD);
    let url = format!("host=127.0.0.1 port={} user=dvt dbname=postgres password='{PASSWORD}'", server.port);
    let mut client = postgres::Client::connect(&url, postgres::NoTls).unwrap();
    client.batch_execute("create table kinds as select g as n, 10 / g as part from generate_series(1, 60000) g; alter table kinds add primary key (n)").unwrap();
    let world = project(server.port);
    sqlite(&world, "create table notes (n integer, note integer); with recursive g(n) as (select 1 union all select n + 1 from g where n < 60000) insert into notes select n, n from g");
    dvt(&world, &["sync"]).ok();
    let model = |divisor: &str| {
        let sql = format!("select s.n, s.note, k.part from {{{{ source('crm', 'notes') }}}} s join (select n, 100 / {divisor} as part from {{{{ source('pg', 'kinds') }}}}) k on k.n = s.n");
        world.write("p/models/target.sql", &format!("{{{{ config(materialized='table', dialect='duckdb', target='lib') }}}}\n{sql}\n"));
    };
    let state = || client_lines(&url, "select count(*)::text || ' ' || sum(note)::text || ' ' || sum(part)::text from target");
    let relations = || client_lines(&url, "select relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'v') order by 1");
    model("n");
    dvt(&world, &["run"]).ok();
    let (old, there) = (state(), relations());
    assert_eq!(there, ["kinds", "target"]);
    let unchanged = |told: &str| {
        assert_eq!((state(), relations()), (old.clone(), there.clone()), "{told}");
        assert_eq!(client_lines(&url, "select count(*)::text from pg_stat_activity where application_name = 'dvt' and state <> 'idle'"), ["0"]);
    };
    // A source breaks in its middle: SQLite has text where a number was declared, then the server divides by zero.
    sqlite(&world, "update notes set note = 'no number' where n = 50000");
    let told = dvt(&world, &["run"]).fails(1, &["`note`", "DVT"]).all();
    unchanged(&told);
    sqlite(&world, "update notes set note = n");
    client.batch_execute("create or replace function fragile(n int) returns int language plpgsql as $$ begin if n = 55000 then raise exception 'fragile'; end if; return n; end $$").unwrap();
    client.batch_execute("alter table kinds rename to kinds_of; create view kinds as select n, fragile(n) as part from kinds_of").unwrap();
    world.write("p/models/target.sql", "{{ config(materialized='table', dialect='duckdb', target='lib') }}\nselect s.n, s.note, k.part from {{ source('crm', 'notes') }} s join {{ source('pg', 'kinds') }} k on k.n = s.n\n");
    let told = dvt(&world, &["run"]).fails(1, &["fragile", "DVT"]).all();
    assert_eq!((state(), relations().len()), (old.clone(), 3), "{told}");
    client.batch_execute("drop view kinds; alter table kinds_of rename to kinds").unwrap();
    // The target refuses a value at its load: the column's declared type is narrower than the rows.
    world.write("p/models/target.yml", "models:\n  - name: target\n    config: {contract: {enforced: true}}\n    columns: [{name: n, data_type: integer}, {name: note, data_type: smallint}, {name: part, data_type: integer}]\n");
    world.write("p/models/target.sql", "{{ config(materialized='table', dialect='duckdb', target='lib') }}\nselect s.n::int as n, s.note::int as note, k.part::int as part from {{ source('crm', 'notes') }} s join {{ source('pg', 'kinds') }} k on k.n = s.n\n");
    let told = dvt(&world, &["run"]).fails(1, &["note", "DVT"]).all();
    unchanged(&told);
    std::fs::remove_file(world.path("p/models/target.yml")).unwrap();
    // And then it goes well.
    model("(n + 1)");
    dvt(&world, &["run"]).ok();
    assert!(state() != old && relations() == there);
}

#[test]
fn a_run_killed_at_any_moment_leaves_the_old_or_the_new_table_whole() {
    const OLD: i64 = 3;
    const NEW: i64 = 300_000;
    let server = servers::PostgresServer::start_with_passwords(PASSWORD);
    let url = format!("host=127.0.0.1 port={} user=dvt dbname=postgres password='{PASSWORD}'", server.port);
    let mut client = postgres::Client::connect(&url, postgres::NoTls).unwrap();
    let mut fill = |rows: i64| client.batch_execute(&format!("create table if not exists kinds (n int, note text); truncate kinds; insert into kinds select g, repeat('x', 60) from generate_series(1, {rows}) g")).unwrap();
    fill(OLD);
    let world = project(server.port);
    sqlite(&world, "create table notes (n integer, note text); insert into notes values (1, 'one')");
    world.write("p/models/wide.sql", "{{ config(materialized='table', dialect='duckdb', target='lib') }}\nselect k.n, k.note, s.note as more from {{ source('pg', 'kinds') }} k left join {{ source('crm', 'notes') }} s on s.n = k.n\n");
    dvt(&world, &["sync"]).ok();
    dvt(&world, &["run"]).ok();
    fill(NEW);
    let count = || client_lines(&url, "select count(*)::text from wide")[0].parse::<i64>().unwrap();
    let since = Instant::now();
    dvt(&world, &["run"]).ok();
    let whole = since.elapsed();
    for step in 1..=8_u32 {
        client_lines(&url, &format!("with gone as (delete from wide where n > {OLD} returning 1) select count(*)::text from gone"));
        let mut run = command(&world, &["run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(20) + whole * (step - 1) / 8);
        let _ = run.kill();
        run.wait().unwrap();
        let found = count();
        assert!(found == OLD || found == NEW, "kill {step} of 8 left {found} rows");
        assert!(step > 1 || found == OLD, "the first kill came too late to show anything");
    }
    dvt(&world, &["run"]).ok();
    assert_eq!(count(), NEW);
    assert_eq!(client_lines(&url, "select relname::text from pg_class where relname like '%\\_\\_dvt\\_%'"), Vec::<String>::new());
}

#[test]
fn a_wrong_password_and_a_silent_server_are_told_with_what_to_do() {
    let server = servers::PostgresServer::start_with_passwords(PASSWORD);
    let world = project(server.port);
    dvt(&world, &["sync"]).ok();
    let profiles = std::fs::read_to_string(world.path("home/profiles.yml")).unwrap();
    world.write("home/profiles.yml", &profiles.replace(PASSWORD, "another/word"));
    let told = dvt(&world, &["debug", "--connection=lib"]).fails(1, &["DVT5102", "password authentication failed", "hint:"]).all();
    assert!(!told.contains("another/word") && !told.contains("another%2Fword"), "{told}");
    world.write("home/profiles.yml", &profiles.replace(&format!("port: {}", server.port), "port: 9"));
    dvt(&world, &["debug", "--connection=lib"]).fails(1, &["DVT5101", "refused", "hint:"]);
    world.write("home/profiles.yml", &profiles);
    world.write("p/models/gone.sql", "{{ config(materialized='table', target='lib') }} select * from public.no_such_table");
    dvt(&world, &["run", "-s", "gone"]).fails(1, &["no_such_table", "DVT4001"]);
    world.write("p/models/divided.sql", "{{ config(materialized='table', target='lib') }} select 1 / 0 as x");
    dvt(&world, &["run", "-s", "divided"]).fails(1, &["division by zero", "DVT5104"]);
}

/// Opens a session by the `[driver]` of a sheet without an adapter, with the library of its wheel, and asks it something.
fn by_sheet(product: &str, profile: &str, secrets: &[(&str, &str)], folder: &Path) -> EngineError {
    let own = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap());
    let sheet = std::fs::read_to_string(own.join(format!("../plugins/dialects/{product}.toml"))).unwrap();
    let named = secrets.iter().map(|(key, _)| (*key).to_owned()).collect();
    let plan = driver::plan(&sheet, &Profile::read(profile, named).unwrap()).unwrap();
    let start = format!("adbc_driver_{product}-");
    let wheel = std::fs::read_dir(wheels::folder()).unwrap().map(|e| e.unwrap().path()).find(|p| p.file_name().unwrap().to_string_lossy().starts_with(&start)).unwrap();
    let library = folder.join(sheet.lines().find_map(|l| l.strip_prefix("library = ")).unwrap().trim_matches('"'));
    // A library that is loaded must not be written anew.
    if !library.exists() {
        assert!(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(folder).status().unwrap().success());
    }
    let driver = AdbcDriver { library, ..AdbcDriver::default() };
    let value = |key: &str| Secret::new(secrets.iter().find(|(k, _)| *k == key).unwrap().1.to_owned());
    let spec = ConnectSpec {
        driver: plan.driver,
        options: plan.options.into_iter().collect(),
        secrets: plan.secret_options.into_iter().map(|(option, key)| (option, value(&key))).collect(),
        ..ConnectSpec::default()
    };
    match AdbcConnection::open(&spec, driver) {
        Err(told) => told,
        Ok(mut session) => session.rows("select 1", None).map(|rows| rows.batches.len()).unwrap_err(),
    }
}

#[test]
fn the_libraries_of_products_without_a_server_here_are_loaded_and_tell_that_they_reach_nobody() {
    let folder = tempfile::tempdir().unwrap();
    for (product, profile, secrets, words) in [
        ("snowflake", r#"{"account": "no-such-account", "user": "u", "database": "d", "host": "127.0.0.1", "port": 9, "protocol": "http", "connect_timeout": 2}"#, &[("password", "a secret")][..], "127.0.0.1:9"),
        ("bigquery", r#"{"project": "p", "dataset": "d", "method": "service-account", "keyfile": "/no/such/file.json"}"#, &[], "/no/such/file.json"),
        ("bigquery", r#"{"project": "p", "dataset": "d", "method": "service-account-json"}"#, &[("keyfile_json", "a secret")], "constructing client"),
    ] {
        let since = Instant::now();
        let told = by_sheet(product, profile, secrets, folder.path());
        assert!(since.elapsed() < Duration::from_secs(60), "{product}: {:?}", since.elapsed());
        assert!(told.message.contains(words) && told.kind == ErrorKind::Connect && told.hint.is_some() && !told.message.contains("a secret"), "{told:?}");
    }
}
