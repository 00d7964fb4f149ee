//! What a run learns while it reads, and what it may read: keys of one source for another, shared reads, budgets and
//! `explain --analyze`, by the real binary over PostgreSQL, SQLite and DuckDB.
#![allow(clippy::unwrap_used, missing_docs)]

mod cli;
#[path = "../../host/engine/tests/servers/mod.rs"]
mod servers;

use cli::World;
use serde_json::Value;
use servers::PostgresServer;

/// 300 customers of whom three are chosen in SQLite; 5,000 orders in PostgreSQL, of which 51 are theirs.
fn shop() -> (World, PostgresServer) {
    let (world, server) = (World::new(), PostgresServer::start());
    let mut client = postgres::Client::connect(&format!("host=127.0.0.1 port={} user=dvt dbname=postgres", server.port), postgres::NoTls).unwrap();
    client
        .batch_execute(
            "create table orders (id int, customer_id int, amount numeric(10,2), note text);
             insert into orders select i, i % 300, i * 0.25, 'order ' || i from generate_series(1, 5000) i; analyze orders",
        )
        .unwrap();
    std::fs::create_dir_all(world.path("shop/models/small")).unwrap();
    let crm = rusqlite::Connection::open(world.path("shop/crm.sqlite")).unwrap();
    crm.execute_batch("create table chosen (id integer, name text); insert into chosen values (7, 'Ann'), (8, null), (9, 'it''s'), (null, 'nobody');").unwrap();
    crm.execute_batch("create table customers (id integer, name text); with recursive n(i) as (select 1 union all select i + 1 from n where i < 300) insert into customers select i, 'c' || i from n").unwrap();
    world.write(
        "home/profiles.yml",
        &format!(
            "shop:\n  target: wh\n  outputs:\n    wh: {{type: duckdb, path: wh.duckdb}}\n    sales: {{type: postgres, host: 127.0.0.1, port: {}, user: dvt, dbname: postgres, schema: public}}\n    crm: {{type: sqlite, schemas_and_paths: {{main: crm.sqlite}}, schema: main}}\n",
            server.port
        ),
    );
    world.write("shop/dbt_project.yml", "name: shop\nprofile: shop\nmodels:\n  shop:\n    small:\n      +max_rows_extracted: 10\n");
    world.write(
        "shop/models/sources.yml",
        "sources:\n  - {name: sales, connection: sales, schema: public, tables: [{name: orders}]}\n  - {name: crm, connection: crm, schema: main, tables: [{name: chosen}, {name: customers}]}\n",
    );
    world.write(
        "shop/models/theirs.sql",
        "{{ config(materialized='table') }}\nselect c.name, o.id, o.amount from {{ source('crm', 'chosen') }} c join {{ source('sales', 'orders') }} o on o.customer_id = c.id\n",
    );
    (world, server)
}

fn scan<'v>(document: &'v Value, relation: &str) -> &'v Value {
    let scans = document["models"][0]["scans"].as_array().unwrap();
    scans.iter().find(|s| s["relation"].as_str().is_some_and(|r| r.ends_with(relation))).unwrap_or_else(|| panic!("{document:#}"))
}

fn rows(world: &World, table: &str) -> Option<Vec<String>> {
    let connection = duckdb::Connection::open(world.path("shop/wh.duckdb")).unwrap();
    let mut statement = connection.prepare(&format!("select t::varchar from {table} t order by 1")).ok()?;
    let found = statement.query_map([], |r| r.get::<_, Option<String>>(0)).unwrap().map(|r| r.unwrap().unwrap_or_default()).collect();
    Some(found)
}

#[test]
fn the_smaller_side_is_read_first_and_analyze_shows_what_that_saved() {
    let (world, _server) = shop();
    let before = world.dvt("shop", &["explain", "-s", "theirs"]).ok();
    assert!(before.out.contains("may wait for id of chosen, to be asked for their customer_id alone"), "{}", before.out);
    let said = world.dvt("shop", &["explain", "-s", "theirs", "--analyze", "--output", "json"]).ok();
    let document: Value = serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {}", said.out));
    let orders = scan(&document, "orders");
    assert_eq!((&orders["estimated"]["rows"], &orders["actual"]["rows"], &orders["waited"][0]["keys"]), (&5000.into(), &51.into(), &3.into()), "{orders:#}");
    assert!(orders["estimated"]["bytes"].as_u64() > orders["actual"]["bytes"].as_u64(), "{orders:#}");
    assert_eq!(scan(&document, "chosen")["actual"]["rows"], 4);
    assert_eq!(document["models"][0]["rows"], 51);
    assert_eq!(rows(&world, "theirs"), None, "analyze wrote a table");
    let text = world.dvt("shop", &["explain", "-s", "theirs", "--analyze"]).ok().out;
    assert!(text.contains("expected: 5,000 rows") && text.contains("waited for id of chosen: 3 keys") && text.contains("result: 51 rows"), "{text}");

    world.dvt("shop", &["run", "-s", "theirs"]).ok();
    let reduced = rows(&world, "theirs").unwrap();
    world.dvt("shop", &["run", "-s", "theirs", "--no-pushdown"]).ok();
    assert_eq!((reduced.len(), &reduced), (51, &rows(&world, "theirs").unwrap()));
    let moved = world.dvt("shop", &["explain", "-s", "theirs", "--output", "json"]).ok().out;
    assert_eq!(scan(&serde_json::from_str(&moved).unwrap(), "orders")["actual"]["rows"], 5000, "the last run read all");
}

/// Keys of numbers, text and days, more than are listed, from SQLite to each product that takes them as one literal.
#[test]
fn keys_that_are_too_many_to_list_are_one_literal_and_the_rows_the_same() {
    let (world, server) = shop();
    let mut client = postgres::Client::connect(&format!("host=127.0.0.1 port={} user=dvt dbname=postgres", server.port), postgres::NoTls).unwrap();
    client
        .batch_execute("create table lines (n bigint, word text, day date); insert into lines select i, 'it''s \"' || i, date '1990-01-01' + i from generate_series(1, 20000) i; create table wanted as select * from lines where n % 10 = 0 and n <= 15000; analyze")
        .unwrap();
    let fill = "with recursive n(i) as (select 1 union all select i + 1 from n where i < {rows}) insert into {table} select i * {step}, 'it''s \"' || (i * {step}), date('1990-01-01', (i * {step}) || ' days') from n";
    let crm = rusqlite::Connection::open(world.path("shop/crm.sqlite")).unwrap();
    for (table, rows, step) in [("wanted", "1500", "10"), ("lines", "20000", "1")] {
        crm.execute_batch(&format!("create table {table} (n integer, word text, day date); {}", fill.replace("{table}", table).replace("{rows}", rows).replace("{step}", step))).unwrap();
    }
    duckdb::Connection::open(world.path("shop/facts.duckdb"))
        .unwrap()
        .execute_batch("create table lines as select i::bigint as n, 'it''s \"' || i as word, date '1990-01-01' + i::int as day from range(1, 20001) r(i)")
        .unwrap();
    let profiles = std::fs::read_to_string(world.path("home/profiles.yml")).unwrap();
    world.write("home/profiles.yml", &format!("{profiles}    facts: {{type: duckdb, path: facts.duckdb}}\n"));
    world.write(
        "shop/models/more.yml",
        "sources:\n  - {name: pg, connection: sales, schema: public, tables: [{name: wanted}, {name: lines}]}\n  - {name: lite, connection: crm, schema: main, tables: [{name: wanted}, {name: lines}]}\n  - {name: duck, connection: facts, schema: main, tables: [{name: lines}]}\n",
    );
    // Of DuckDB's text they are listed.
    for (from, by) in [("pg", "lite"), ("duck", "lite"), ("lite", "pg")] {
        for column in ["n", "word", "day"] {
            let sql = format!(
                "{{{{ config(materialized='table') }}}}\nselect l.n, l.word, l.day from {{{{ source('{by}', 'wanted') }}}} w join {{{{ source('{from}', 'lines') }}}} l on l.{column} = w.{column}\n"
            );
            world.write("shop/models/matched.sql", &sql);
            let said = world.dvt("shop", &["explain", "-s", "matched", "--analyze", "--output", "json"]).ok();
            let document: Value = serde_json::from_str(&said.out).unwrap();
            let lines = document["models"][0]["scans"].as_array().unwrap().iter().find(|s| s["waited"][0]["keys"].is_number());
            let lines = lines.unwrap_or_else(|| panic!("{from} {column}: {document:#}"));
            assert_eq!((&lines["waited"][0]["keys"], &lines["actual"]["rows"]), (&1500.into(), &1500.into()), "{from} {column}: {lines:#}");
            world.dvt("shop", &["run", "-s", "matched"]).ok();
            let reduced = rows(&world, "matched").unwrap();
            world.dvt("shop", &["run", "-s", "matched", "--no-pushdown"]).ok();
            assert_eq!((reduced.len(), &reduced), (1500, &rows(&world, "matched").unwrap()), "{from} {column}");
        }
    }
}

#[test]
fn two_places_that_read_one_relation_read_it_once() {
    let (world, _server) = shop();
    world.write(
        "shop/models/pairs.sql",
        "{{ config(materialized='table') }}\nselect a.id, b.amount from {{ source('sales', 'orders') }} a left join {{ source('sales', 'orders') }} b on b.id = a.id + 1 left join {{ source('crm', 'customers') }} c on c.id = a.id + 2 where a.amount >= 1000\n",
    );
    let said = world.dvt("shop", &["explain", "-s", "pairs", "--analyze", "--output", "json"]).ok();
    let document: Value = serde_json::from_str(&said.out).unwrap();
    let scans = document["models"][0]["scans"].as_array().unwrap();
    assert_eq!((&scans[0]["actual"]["rows"], &scans[1]["actual"]["rows"], &scans[1]["shares"]), (&5000.into(), &0.into(), &"dvt_scan_0".into()), "{scans:#?}");
    assert_eq!(document["models"][0]["rows"], 1001);
}

/// What each node moved of `relation` in the last run: rows, or that it took another's.
fn moved(world: &World, relation: &str) -> std::collections::BTreeMap<String, Option<u64>> {
    let results: Value = serde_json::from_str(&std::fs::read_to_string(world.path("shop/target/run_results.json")).unwrap()).unwrap();
    let mut out = std::collections::BTreeMap::new();
    for result in results["results"].as_array().unwrap() {
        for one in result["adapter_response"]["dvt_moved"].as_array().into_iter().flatten().filter(|m| m["relation"] == relation) {
            let name = result["unique_id"].as_str().unwrap().split('.').nth(2).unwrap().to_owned();
            out.insert(name, (one["shared"] == false).then(|| one["rows"].as_u64().unwrap()));
        }
    }
    out
}

#[test]
fn nodes_of_one_run_that_ask_alike_read_once_and_none_takes_what_was_read_before_its_turn() {
    let (world, _server) = shop();
    let joined = "from {{ source('sales', 'orders') }} o left join {{ source('crm', 'customers') }} c on c.id = o.customer_id";
    for (name, config, columns) in [
        ("named", "materialized='table'", "o.id, o.customer_id, c.name"),
        ("shouted", "materialized='table'", "o.customer_id + o.id as n, upper(c.name) as name"),
        ("narrow", "materialized='table'", "c.name, o.customer_id"),
        ("hooked", "materialized='table', pre_hook='select 1'", "o.id, o.customer_id, c.name as other"),
    ] {
        world.write(&format!("shop/models/{name}.sql"), &format!("{{{{ config({config}) }}}}\nselect {columns} {joined}\n"));
    }
    world.write("shop/models/later.sql", "{{ config(materialized='table') }}\nselect o.id, o.customer_id, n.name from {{ source('sales', 'orders') }} o left join {{ ref('named') }} n on n.id = o.id\n");
    let tests = "models:\n  - name: named\n    columns:\n      - name: customer_id\n        data_tests: [{relationships: {to: \"source('crm', 'customers')\", field: id, severity: warn}}]\n  - name: later\n    columns:\n      - name: customer_id\n        data_tests: [{relationships: {to: \"source('crm', 'customers')\", field: id, severity: warn}}]\n";
    world.write("shop/models/tests.yml", tests);
    let mut answers = Vec::new();
    for threads in ["1", "4"] {
        let said = world.dvt("shop", &["run", "-s", "named", "shouted", "narrow", "hooked", "later", "--threads", threads]).ok().all();
        let orders = moved(&world, "orders");
        let read = |names: &[&str]| names.iter().filter_map(|n| orders[*n]).collect::<Vec<u64>>();
        assert_eq!(read(&["hooked", "later"]), [5000, 5000], "{threads} threads: {said}");
        // With several threads one that needs less may have begun first.
        let most = if threads == "1" { 1 } else { 2 };
        assert!((1..=most).contains(&read(&["named", "shouted", "narrow"]).len()), "{threads} threads: {orders:?} {said}");
        answers.push(["named", "shouted", "hooked", "later", "narrow"].map(|t| rows(&world, t).unwrap()));
    }
    assert_eq!(answers[0], answers[1]);
    for name in ["named", "shouted"] {
        world.dvt("shop", &["run", "-s", name]).ok();
        assert_eq!(moved(&world, "orders")[name], Some(5000), "it runs alone");
    }
    world.dvt("shop", &["run", "-s", "narrow"]).ok();
    assert_eq!(answers[0][4], rows(&world, "narrow").unwrap());
    assert_eq!(answers[0][..2], ["named", "shouted"].map(|t| rows(&world, t).unwrap()));
    world.dvt("shop", &["test", "--threads", "2"]).ok();
    let customers = moved(&world, "customers");
    assert_eq!((customers.len(), customers.values().flatten().sum::<u64>()), (2, 300), "{customers:?}");
}

#[test]
fn a_model_that_is_built_where_its_sources_are_is_counted_there() {
    let (world, _server) = shop();
    world.write("shop/models/local.sql", "{{ config(target='sales', materialized='table') }}\nselect id from {{ source('sales', 'orders') }} where id <= 100\n");
    let said = world.dvt("shop", &["explain", "-s", "local", "--analyze", "--output", "json"]).ok();
    let document: Value = serde_json::from_str(&said.out).unwrap();
    let model = &document["models"][0];
    assert_eq!((&model["rows"], &model["delegates"][0]["actual"]["rows"]), (&100.into(), &0.into()), "{model:#}");
    assert!(model["delegates"][0]["estimated"]["rows"].as_u64().is_some_and(|n| (50..=200).contains(&n)), "{model:#}");
}

#[test]
fn a_budget_stops_a_model_and_what_was_there_stays() {
    let (world, _server) = shop();
    let all = "{{ config(materialized='table') }}\nselect o.id, c.name from {{ source('sales', 'orders') }} o left join {{ source('crm', 'customers') }} c on c.id = o.id\n";
    world.write("shop/models/all_orders.sql", all);
    world.dvt("shop", &["run", "-s", "all_orders"]).ok();
    let before = rows(&world, "all_orders").unwrap();
    assert_eq!(before.len(), 5000);
    let said = world.dvt("shop", &["run", "-s", "all_orders", "--max-rows-extracted", "4000"]);
    said.fails(1, &["DVT4003", "`orders` of target `sales`", "rows were read, max_rows_extracted is 4,000", "dvt explain"]);
    assert_eq!(rows(&world, "all_orders").unwrap(), before);
    let said = world.dvt("shop", &["run", "-s", "all_orders", "--max-bytes-moved", "1000"]);
    said.fails(1, &["DVT4003", "max_bytes_moved is 1.0 kB"]);
    assert_eq!(rows(&world, "all_orders").unwrap(), before);

    // The project's flags, then the folder's config, which counts first.
    let project = "name: shop\nprofile: shop\nflags: {max_rows_extracted: 100}\nmodels:\n  shop:\n    small:\n      +max_rows_extracted: 10\n    large:\n      +max_rows_extracted: 10000\n";
    world.write("shop/dbt_project.yml", project);
    world.dvt("shop", &["run", "-s", "all_orders"]).fails(1, &["max_rows_extracted is 100"]);
    world.write("shop/models/large/more.sql", all);
    world.dvt("shop", &["run", "-s", "more"]).ok();

    // A source that knows its rows says so before one of them moves.
    world.write("shop/models/small/few.sql", "{{ config(materialized='table') }}\nselect c.id from {{ source('crm', 'customers') }} c left join {{ source('sales', 'orders') }} o on o.id = c.id\n");
    world.dvt("shop", &["run", "-s", "few"]).fails(1, &["DVT4003", "`customers` of target `crm`: it has 300 rows to read, max_rows_extracted is 10"]);
    assert_eq!(rows(&world, "few"), None);
    // With keys little is read, and the same limit holds.
    world.write("shop/models/small/enough.sql", "{{ config(materialized='table', max_rows_extracted=60) }}\nselect c.name, o.id from {{ source('crm', 'chosen') }} c join {{ source('sales', 'orders') }} o on o.customer_id = c.id\n");
    world.dvt("shop", &["run", "-s", "enough"]).ok();
    assert_eq!(rows(&world, "enough").unwrap().len(), 51);
    world.write("shop/models/small/odd.sql", "{{ config(materialized='table', max_rows_extracted='many') }}\nselect c.name, o.id from {{ source('crm', 'chosen') }} c join {{ source('sales', 'orders') }} o on o.customer_id = c.id\n");
    world.dvt("shop", &["run", "-s", "odd"]).fails(1, &["DVT1011", "`max_rows_extracted` of `odd`", "whole number"]);
}
