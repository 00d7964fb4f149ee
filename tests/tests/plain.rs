//! A plain dbt project with dev and prod outputs of one product runs on either and never federates; the demo runs with
//! PostgreSQL as source and as target when one variable says so.
#![allow(clippy::unwrap_used, missing_docs)]

mod cli;
#[path = "../../host/engine/tests/servers/mod.rs"]
mod servers;

use cli::{World, said};
use dvt_tests::tpch;
use serde_json::Value;

fn statuses(world: &World) -> Vec<(String, String)> {
    let json: Value = serde_json::from_str(&std::fs::read_to_string(world.path("p/target/run_results.json")).unwrap()).unwrap();
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    json["results"].as_array().unwrap().iter().map(|r| (text(&r["unique_id"]), text(&r["status"]))).collect()
}

fn runs_on(world: &World, dev: &str, prod: &str) {
    world.copy_project("plain", "p");
    world.write("home/profiles.yml", &format!("plain:\n  target: dev\n  outputs:\n    dev: {dev}\n    prod: {prod}\n"));
    for flags in [&["build"][..], &["build", "--target", "prod"][..], &["build", "--target", "prod", "--vars", "strategy: merge"][..]] {
        let told = world.dvt("p", flags).ok().all();
        assert!(told.contains("[pushdown]") && !told.contains("[federation]"), "{told}");
        let bad: Vec<_> = statuses(world).into_iter().filter(|(_, s)| !matches!(s.as_str(), "success" | "pass")).collect();
        assert_eq!(bad, Vec::new(), "{flags:?}");
    }
    let words = ["-q", "show", "-s", "orders_by_customer", "--output", "json", "--target", "prod"];
    let shown: Value = serde_json::from_str(&world.dvt("p", &words).ok().out).unwrap();
    let mut rows: Vec<String> = shown["show"].as_array().unwrap().iter().map(|r| format!("{} {}", r["first_name"].as_str().unwrap(), r["orders"])).collect();
    rows.sort();
    assert_eq!(rows.join(", ").replace('"', ""), "Kathleen 1, Michael 2");
}

#[test]
fn a_plain_project_never_federates_on_duckdb() {
    let world = World::new();
    runs_on(&world, "{type: duckdb, path: dev.duckdb, threads: 4}", "{type: duckdb, path: prod.duckdb, schema: live, threads: 4}");
}

#[test]
fn a_plain_project_never_federates_on_sqlite() {
    let world = World::new();
    let output = |file: &str| format!("{{type: sqlite, threads: 1, database: database, schema: main, schemas_and_paths: {{main: {file}}}, schema_directory: .}}");
    runs_on(&world, &output("dev.db"), &output("prod.db"));
}

#[test]
fn a_plain_project_never_federates_on_postgresql() {
    let server = servers::PostgresServer::start();
    let world = World::new();
    let output = |schema: &str| format!("{{type: postgres, host: 127.0.0.1, port: {}, user: dvt, pass: x, dbname: postgres, schema: {schema}, threads: 4}}", server.port);
    runs_on(&world, &output("dev"), &output("prod"));
}

#[test]
fn a_plain_project_never_federates_on_mariadb() {
    let server = servers::mariadb::MariadbServer::start();
    let world = World::new();
    let output = |schema: &str| format!("{{type: mysql, server: 127.0.0.1, port: {}, username: dvt, schema: {schema}, threads: 4}}", server.port);
    runs_on(&world, &output("dev"), &output("prod"));

    // A product without MERGE refuses what a MERGE refuses: two new rows for one old one.
    let model = |rows: &str| {
        let head = "{{ config(materialized='incremental', incremental_strategy='merge', unique_key='id') }}";
        world.write("p/models/twice.sql", &format!("{head}\n{rows}\n"));
        world.dvt("p", &["run", "-s", "twice"])
    };
    model("select 1 as id, 'a' as v union all select null, 'n'").ok();
    let refused = model("select 1 as id, 'b' as v union all select 1, 'c'");
    assert!(refused.code == 1 && refused.all().contains("several rows of the same unique_key (id)"), "{}", refused.all());
    // NULL is equal to nothing: such rows are always new.
    model("select 1 as id, 'd' as v union all select null, 'n' union all select null, 'n'").ok();
    let shown = world.dvt("p", &["-q", "show", "--inline", "select id, v from {{ ref('twice') }} order by id, v", "--output", "json"]).ok().out;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let rows: Vec<String> = shown["show"].as_array().unwrap().iter().map(|r| format!("{} {}", r["id"], r["v"].as_str().unwrap())).collect();
    assert_eq!(rows, ["null n", "null n", "null n", "1 d"]);
}

#[test]
fn the_demo_runs_with_postgresql_as_source_and_target() {
    let server = servers::PostgresServer::start();
    let world = World::new();
    world.copy_project("demo", "p");
    std::fs::create_dir_all(world.path("p/data")).unwrap();
    tpch::sqlite(&world.path("p/data/crm.sqlite"), &["customer", "nation", "region"], 0.01).unwrap();
    tpch::duckdb(&world.path("p/data/parts.duckdb"), &["part", "partsupp", "supplier"], 0.01).unwrap();
    tpch::duckdb(&world.path("p/data/sales.duckdb"), &["orders", "lineitem"], 0.01).unwrap();
    tpch::postgres(&format!("host=127.0.0.1 port={} user=dvt dbname=postgres", server.port), "public", &["orders", "lineitem"], 0.01).unwrap();
    let mut answers = Vec::new();
    for product in ["duckdb", "postgres"] {
        let run = |words: &[&str]| {
            let mut command = world.command("p", words);
            command.env("DBT_PROFILES_DIR", ".").env("DVT_DEMO_DB", product).env("PGPORT", server.port.to_string());
            said(command)
        };
        let told = run(&["build"]).ok().all();
        assert!(told.contains("[federation]") && told.contains("[pushdown]") && told.contains("ERROR=0"), "{told}");
        // The watermark is read first, so the second run asks for the last day alone.
        run(&["run", "-s", "daily_orders"]).ok();
        let explained: Value = serde_json::from_str(&run(&["explain", "-s", "daily_orders", "--output", "json"]).ok().out).unwrap();
        assert!(explained.to_string().contains("ordered_on\\\" >= DATE"), "{explained}");
        let shown = run(&["-q", "show", "--inline", "select region, customers, orders, revenue from {{ ref('region_report') }} order by region", "--output", "json"]).ok().out;
        let shown: Value = serde_json::from_str(&shown).unwrap();
        let rows: Vec<String> = shown["show"].as_array().unwrap().iter().map(|r| r.to_string().replace('"', "")).collect();
        assert_eq!(rows.len(), 5);
        answers.push(rows);
    }
    assert_eq!(answers[0], answers[1]);
}
