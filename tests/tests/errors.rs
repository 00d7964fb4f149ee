//! Each thing that fails says its code, its reason and a hint; the nodes beside it are built; the exit code is 1.
#![allow(clippy::unwrap_used, missing_docs)]

mod cli;
#[path = "../../host/engine/tests/servers/mod.rs"]
mod servers;

use cli::World;

#[test]
fn every_failure_is_coded_and_the_other_nodes_run() {
    let server = servers::PostgresServer::start();
    let port = server.port;
    let mut client = postgres::Client::connect(&format!("host=127.0.0.1 port={port} user=dvt dbname=postgres"), postgres::NoTls).unwrap();
    client.batch_execute("create table good (id int, name text); insert into good values (1, 'a'); create table odd (id int, place point); insert into odd values (1, '(1,2)')").unwrap();
    let world = World::new();
    world.write("p/dbt_project.yml", "name: p\nprofile: p\nmodels: {+materialized: table, +dialect: duckdb}\n");
    let pg = |host: &str, port: u16, more: &str| format!("{{type: postgres, host: {host}, port: {port}, user: dvt, dbname: postgres, schema: public{more}}}");
    world.write(
        "home/profiles.yml",
        &format!(
            "p:\n  target: wh\n  outputs:\n    wh: {{type: duckdb, path: wh.duckdb, threads: 2}}\n    pg: {}\n    down: {}\n    nodb: {{type: postgres, host: 127.0.0.1, port: {port}, user: dvt, dbname: nowhere, schema: public}}\n",
            pg("127.0.0.1", port, ""),
            pg("127.0.0.1", 1, ""),
        ),
    );
    let source = |name: &str, tables: &str| format!("  - {{name: {name}, connection: {name}, schema: public, tables: [{tables}]}}\n");
    world.write("p/models/s.yml", &format!("sources:\n{}{}{}", source("pg", "{name: good}, {name: odd}, {name: absent}"), source("down", "{name: good}"), source("nodb", "{name: good}")));
    for (model, sql) in [
        ("healthy", "select id, name from {{ source('pg', 'good') }}"),
        ("server_down", "select id from {{ source('down', 'good') }}"),
        ("no_database", "select id from {{ source('nodb', 'good') }}"),
        ("no_table", "select id from {{ source('pg', 'absent') }}"),
        ("no_column", "select g.nme from {{ source('pg', 'good') }} g"),
        ("no_type", "select id, place from {{ source('pg', 'odd') }}"),
        ("below", "select * from {{ ref('no_table') }}"),
        ("beside", "select * from {{ ref('healthy') }}"),
    ] {
        world.write(&format!("p/models/{model}.sql"), sql);
    }
    let told = world.dvt("p", &["run"]).fails(1, &["PASS=2", "ERROR=5", "SKIP=1"]).all();
    let part = |model: &str| told.split("Failure in model ").find(|p| p.starts_with(model)).unwrap_or_else(|| panic!("{model} is not told:\n{told}")).to_owned();
    for (model, words) in [
        ("server_down", &["DVT5101", "127.0.0.1:1", "hint:"][..]),
        ("no_database", &["DVT5103", "nowhere", "hint:"]),
        ("no_table", &["DVT4001", "absent", "hint:"]),
        ("no_column", &["DVT010", "`nme`", "did you mean `name`?"]),
        ("no_type", &["DVT011", "place", "point", "hint:"]),
    ] {
        for word in words {
            assert!(part(model).contains(word), "`{word}` is missing:\n{}", part(model));
        }
    }
    let wh = duckdb::Connection::open(world.path("p/wh.duckdb")).unwrap();
    let tables: String = wh.query_row("select string_agg(table_name, ' ' order by table_name) from duckdb_tables()", [], |r| r.get(0)).unwrap();
    assert_eq!(tables, "beside healthy");
}

#[test]
fn a_wrong_password_is_named_without_showing_it() {
    let server = servers::PostgresServer::start_with_passwords("right-password");
    let world = World::new();
    world.write("p/dbt_project.yml", "name: p\nprofile: p\n");
    world.write(
        "home/profiles.yml",
        &format!("p:\n  target: pg\n  outputs:\n    pg: {{type: postgres, host: 127.0.0.1, port: {}, user: dvt, password: wrong-password, dbname: postgres, schema: public}}\n", server.port),
    );
    world.write("p/models/m.sql", "select 1 as one");
    let told = world.dvt("p", &["run"]).fails(1, &["DVT5102", "hint:"]).all();
    assert!(!told.contains("wrong-password"), "{told}");
    let mut folders = vec![world.path("p"), world.home()];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("profiles.yml") {
                let bytes = std::fs::read(&path).unwrap();
                assert!(!bytes.windows(14).any(|w| w == b"wrong-password"), "{} holds the password", path.display());
            }
        }
    }
}

/// The attacking plugin that `cargo xtask hostile` builds, with a manifest, in a folder of its own.
fn hostile(folder: &std::path::Path) {
    let own = std::env::current_exe().unwrap();
    let built = own.ancestors().nth(3).unwrap().join("hostile/hostile.wasm");
    let mut wasm = std::fs::read(&built).unwrap_or_else(|e| panic!("{}: {e}; run `cargo xtask hostile` (make test does)", built.display()));
    let manifest = r#"{"id": "hostile", "version": "1.0.0", "contract": "0.1.0", "kind": "adapter", "types": ["hostile"]}"#;
    let mut body = vec![12];
    body.extend_from_slice(b"dvt:manifest");
    body.extend_from_slice(manifest.as_bytes());
    // A size below 2^14 in two bytes.
    wasm.extend([0, (body.len() & 0x7f) as u8 | 0x80, (body.len() >> 7) as u8]);
    wasm.extend(body);
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("hostile.wasm"), wasm).unwrap();
}

#[test]
fn a_plugin_that_loops_traps_or_grows_fails_its_own_nodes_only() {
    let world = World::new();
    hostile(&world.path("home/plugins"));
    world.write("p/dbt_project.yml", "name: p\nprofile: p\nmodels: {+materialized: table}\n");
    let attack = |name: &str| format!("    {name}: {{type: hostile, attack: {name}, schema: s}}\n");
    world.write("home/profiles.yml", &format!("p:\n  target: wh\n  outputs:\n    wh: {{type: duckdb, path: wh.duckdb}}\n{}{}{}", attack("loop"), attack("panic"), attack("memory")));
    for target in ["loop", "panic", "memory"] {
        world.write(&format!("p/models/on_{target}.sql"), &format!("{{{{ config(target='{target}') }}}} select 1 as one"));
    }
    world.write("p/models/healthy.sql", "select 1 as one");
    world.dvt("p", &["run"]).fails(1, &["PASS=1", "ERROR=3", "DVT5005", "DVT5004", "DVT5006", "plugin `hostile`", "the plugin's own words", "hint:"]);
}
