//! Plugins that strangers would write (`tests/outsider`): a federated model through each, against the bundled adapter's answer;
//! the contract suite over every plugin; and the walk that plugins/README.md promises.
#![allow(clippy::unwrap_used, missing_docs)]

mod cli;
#[path = "../../host/engine/tests/servers/mod.rs"]
mod servers;

use cli::{Said, World, said};
use dvt_tests::tpch;
use serde_json::Value;
use std::path::{Path, PathBuf};

const PASSWORD: &str = "no word of this anywhere";

/// Folder of built things, in which the test's own binary lies too.
fn target() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.parent().and_then(Path::parent).and_then(Path::parent).unwrap().to_path_buf()
}

fn outsiders() -> PathBuf {
    let folder = target().join("outsider-plugins");
    assert!(folder.is_dir(), "{} is missing: cargo xtask outsider (make test does it)", folder.display());
    folder
}

/// The binary with the outsider's plugins before the bundled ones.
fn dvt(world: &World, folder: &str, words: &[&str]) -> Said {
    let mut command = world.command(folder, words);
    command.env("DVT_PLUGIN_PATH", std::env::join_paths([outsiders(), target().join("plugins")]).unwrap());
    said(command)
}

fn statement(port: u16, sql: &str) {
    let config = format!("host=127.0.0.1 port={port} user=dvt dbname=postgres password='{PASSWORD}'");
    postgres::Client::connect(&config, postgres::NoTls).unwrap().batch_execute(sql).unwrap();
}

/// A server with SCRAM and TPC-H orders and lineitem, and a project that joins them with a SQLite file, into
/// tables of the server and of a DuckDB file.
fn world(port: u16) -> World {
    let world = World::new();
    let url = format!("host=127.0.0.1 port={port} user=dvt dbname=postgres password='{PASSWORD}'");
    tpch::postgres(&url, "public", &["orders", "lineitem"], 0.01).unwrap();
    std::fs::create_dir_all(world.path("p")).unwrap();
    tpch::sqlite(&world.path("p/crm.sqlite"), &["customer", "nation"], 0.01).unwrap();
    let output = |kind: &str| format!("    {kind}: {{type: {kind}, host: 127.0.0.1, port: {port}, user: dvt, password: \"{PASSWORD}\", dbname: postgres, schema: public, threads: 2}}\n");
    let outputs: String = ["postgres", "pgwire", "nearpg", "nearpg_extism"].iter().map(|k| output(k)).collect();
    world.write(
        "home/profiles.yml",
        &format!("p:\n  target: wh\n  outputs:\n{outputs}    wh: {{type: duckdb, path: wh.duckdb, threads: 2}}\n    crm: {{type: sqlite, schemas_and_paths: {{main: crm.sqlite}}, schema: main}}\n"),
    );
    world.write("p/dbt_project.yml", "name: p\nprofile: p\nversion: '1'\n");
    world.write(
        "p/models/sources.yml",
        "sources:\n  - {name: pg, connection: \"{{ var('kind') }}\", schema: public, tables: [{name: orders}, {name: lineitem}]}\n  - {name: crm, connection: crm, schema: main, tables: [{name: customer}, {name: nation}]}\n",
    );
    let joined = "select n.n_name, count(*) as lines, sum(l.l_extendedprice * (1 - l.l_discount)) as revenue, min(o.o_orderdate) as first_day, max(o.o_comment) as comment from {{ source('crm', 'customer') }} c join {{ source('crm', 'nation') }} n on n.n_nationkey = c.c_nationkey join {{ source('pg', 'orders') }} o on o.o_custkey = c.c_custkey join {{ source('pg', 'lineitem') }} l on l.l_orderkey = o.o_orderkey where l.l_shipdate < date '1998-01-01' group by 1";
    world.write("p/models/to_file.sql", &format!("{{{{ config(materialized='table') }}}}\n{joined}\n"));
    world.write("p/models/to_server.sql", &format!("{{{{ config(materialized='table', dialect='duckdb', target=var('kind'), alias='to_server_' ~ var('kind')) }}}}\n{joined}\n"));
    world.write("p/models/grown.sql", "{{ config(materialized='incremental', dialect='duckdb', unique_key='o_orderkey', target=var('kind'), alias='grown_' ~ var('kind')) }}\nselect o.o_orderkey, o.o_orderdate, c.c_name from {{ source('pg', 'orders') }} o join {{ source('crm', 'customer') }} c on c.c_custkey = o.o_custkey {% if is_incremental() %} where o.o_orderdate > (select max(o_orderdate) from {{ this }}) {% endif %}\n");
    world.write("p/models/plain.sql", "{{ config(materialized='view', target=var('kind'), alias='plain_' ~ var('kind')) }}\nselect o_orderkey, o_totalprice from {{ source('pg', 'orders') }} where o_orderkey < 100\n");
    world
}

fn rows(world: &World, kind: &str, sql: &str) -> Vec<String> {
    let vars = format!("kind: {kind}");
    let out = dvt(world, "p", &["-q", "show", "--vars", &vars, "--inline", sql, "--output", "json", "--limit", "-1"]).ok().out;
    let shown: Value = serde_json::from_str(&out).unwrap();
    shown["show"].as_array().unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn a_federated_model_runs_through_each_outsider_as_through_the_bundled_adapter() {
    let server = servers::PostgresServer::start_with_passwords(PASSWORD);
    let world = world(server.port);
    let mut answers: Vec<(String, Vec<Vec<String>>)> = Vec::new();
    for kind in ["postgres", "pgwire", "nearpg", "nearpg_extism"] {
        let vars = format!("kind: {kind}");
        for words in [&["run", "--vars", &vars][..], &["run", "--vars", &vars, "-s", "grown"], &["run", "--vars", &vars, "--no-pushdown", "-s", "to_file"]] {
            let told = dvt(&world, "p", words).ok().all();
            assert!(told.contains("[federation]") && !told.contains(PASSWORD), "{kind}: {told}");
        }
        let ordered = |model: &str, key: &str| rows(&world, kind, &format!("select * from {{{{ ref('{model}') }}}} order by {key}"));
        answers.push((kind.to_owned(), vec![ordered("to_file", "n_name"), ordered("to_server", "n_name"), ordered("grown", "o_orderkey"), ordered("plain", "o_orderkey")]));
    }
    let (_, native) = &answers[0];
    assert!(native.iter().all(|rows| rows.len() > 20), "{native:?}");
    for (kind, answer) in &answers[1..] {
        assert_eq!(answer, native, "{kind}");
    }
    // The password is nowhere: neither in what was written nor in what was kept.
    let mut folders = vec![world.path("p"), world.home()];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|n| n != "profiles.yml") {
                let bytes = std::fs::read(&path).unwrap();
                assert!(!bytes.windows(PASSWORD.len()).any(|w| w == PASSWORD.as_bytes()), "{} holds the password", path.display());
            }
        }
    }
}

#[test]
fn a_wire_plugin_tells_the_servers_words_and_codes() {
    let server = servers::PostgresServer::start_with_passwords(PASSWORD);
    let world = world(server.port);
    let run = |model: &str, sql: &str| {
        world.write(&format!("p/models/{model}.sql"), sql);
        dvt(&world, "p", &["run", "--vars", "kind: pgwire", "-s", model])
    };
    run("gone", "{{ config(materialized='table', target='pgwire') }} select * from public.no_such_table").fails(1, &["no_such_table", "DVT4001"]);
    run("divided", "{{ config(materialized='table', target='pgwire') }} select 1 / (o_orderkey - o_orderkey) as x from {{ source('pg', 'orders') }}").fails(1, &["division by zero", "DVT5104"]);
    // A server that wants the password itself does not get it.
    statement(server.port, "set password_encryption = 'md5'; create user old password 'x'");
    let conf = server_file(server.port, "hba_file");
    let text = std::fs::read_to_string(&conf).unwrap();
    std::fs::write(&conf, format!("host all old 127.0.0.1/32 md5\n{text}")).unwrap();
    statement(server.port, "select pg_reload_conf()");
    let profiles = std::fs::read_to_string(world.path("home/profiles.yml")).unwrap();
    world.write("home/profiles.yml", &profiles.replace("type: pgwire, host: 127.0.0.1, port", "type: pgwire, host: 127.0.0.1, user_was: dvt, port").replace(&format!("user_was: dvt, port: {}, user: dvt", server.port), &format!("port: {}, user: old", server.port)));
    run("plain_old", "{{ config(materialized='table', target='pgwire') }} select 1 as x").fails(1, &["md5", "DVT5102", "scram"]);
    world.write("home/profiles.yml", &profiles.replacen(PASSWORD, PASSWORD, 1).replace("type: pgwire, host: 127.0.0.1, port", &format!("type: pgwire, sslmode: require, host: 127.0.0.1, port")));
    run("clear", "{{ config(materialized='table', target='pgwire') }} select 1 as x").fails(1, &["TLS", "DVT5101"]);
}

fn server_file(port: u16, setting: &str) -> PathBuf {
    let config = format!("host=127.0.0.1 port={port} user=dvt dbname=postgres password='{PASSWORD}'");
    let row = postgres::Client::connect(&config, postgres::NoTls).unwrap().query_one(&format!("show {setting}"), &[]).unwrap();
    PathBuf::from(row.get::<_, String>(0))
}

#[test]
fn nothing_of_the_host_or_the_planner_names_an_outsider() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut folders = vec![root.join("host"), root.join("planner-wasm")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs" || e == "toml") && !path.ends_with("xtask/src/plugins.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(!["pgwire", "nearpg", "wire-postgres"].iter().any(|name| text.contains(name)), "{}", path.display());
            }
        }
    }
}
