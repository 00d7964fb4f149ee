//! The demo project on both computes: equal tables.

use super::place::{self, Place, processes};
use super::cli::World;
use super::rows::duckdb_rows;
use dvt_tests::tpch;
use std::path::PathBuf;

#[test]
fn spark_builds_the_demo_as_the_embedded_compute_does() {
    let world = World::new();
    world.copy_project("demo", "p");
    let data = world.path("p/data");
    std::fs::create_dir_all(&data).unwrap();
    tpch::sqlite(&data.join("crm.sqlite"), &["customer", "nation", "region"], 0.01).unwrap();
    tpch::duckdb(&data.join("sales.duckdb"), &["orders", "lineitem"], 0.01).unwrap();
    tpch::duckdb(&data.join("parts.duckdb"), &["part", "partsupp", "supplier"], 0.01).unwrap();
    world.write("home/computes.yml", &place::computes("tpch_demo", "local[2]", ""));
    let marts = ["customer_revenue", "brand_revenue", "daily_orders", "region_report"];
    let built = |words: &[&str]| {
        let mut command = world.command("p", words);
        command.env("DBT_PROFILES_DIR", world.path("p")).env("DVT_PROFILES_DIR", world.home());
        let said = super::cli::said(command).ok();
        let file: PathBuf = world.path("p/data/warehouse.duckdb");
        (said.all(), marts.iter().map(|m| duckdb_rows(&file, &format!("select * from {m}"))).collect::<Vec<_>>())
    };
    let (_, truth) = built(&["build", "--full-refresh"]);
    assert!(truth.iter().all(|rows| !rows.is_empty()));
    let (said, spark) = built(&["build", "--full-refresh", "--compute", "spark"]);
    assert!(said.contains("Starting compute spark"), "{said}");
    assert_eq!(said.matches("Starting compute").count(), 1, "one session a run: {said}");
    for (mart, (got, want)) in marts.iter().zip(spark.iter().zip(&truth)) {
        assert_eq!(got, want, "{mart}");
    }
    // An increment changes nothing when nothing is new.
    let (_, again) = built(&["run", "--compute", "spark"]);
    assert_eq!(again, truth);
    assert_eq!(processes(&world.path("home").display().to_string()), Vec::<String>::new());
}

/// PostgreSQL, MariaDB, SQLite and DuckDB in one model, into each of three.
#[test]
fn spark_joins_four_products_and_writes_to_any() {
    let place = Place::new("");
    place.postgres("create schema shop; create table shop.orders (id int, customer_id int, amount numeric(15,2), at timestamp, kind text); insert into shop.orders values (1, 1, 10.10, '2024-03-31 02:30:00', 'gold'), (2, 2, 20.20, '2024-10-27 02:30:00.123456', 'it''s'), (3, 9, 0.01, null, ''), (4, null, null, null, null)");
    place.mariadb("create database shop; create table shop.customers (id int, name varchar(20), rate decimal(9,2), since date); insert into shop.customers values (1, 'Ada', 1.50, '2024-01-01'), (2, 'ö\\\\', 2.25, '2024-03-31'), (3, 'Lin', 3.00, null)");
    let duck = duckdb::Connection::open(place.world.path("p/duck.duckdb")).unwrap();
    duck.execute_batch("create table parts as select * from (values (1, 'bolt'), (2, 'nut')) t(id, what)").unwrap();
    drop(duck);
    let lite = rusqlite::Connection::open(place.world.path("p/lite.sqlite")).unwrap();
    lite.execute_batch("create table notes (id integer, note text); insert into notes values (1, 'a'), (4, 'd')").unwrap();
    drop(lite);
    place.model(
        "sources.yml",
        "sources:\n  - {name: pg, connection: pg, schema: shop, tables: [{name: orders}]}\n  - {name: my, connection: my, schema: shop, tables: [{name: customers}]}\n  - {name: duck, connection: duck, schema: main, tables: [{name: parts}]}\n  - {name: lite, connection: lite, schema: main, tables: [{name: notes}]}\n",
    );
    let text = "select o.id, c.name, o.amount * c.rate as total, o.at, c.since, o.kind, p.what, n.note\nfrom {{ source('pg', 'orders') }} o left join {{ source('my', 'customers') }} c on c.id = o.customer_id left join {{ source('duck', 'parts') }} p on p.id = o.id left join {{ source('lite', 'notes') }} n on n.id = o.id";
    for target in ["pg", "my", "duck"] {
        place.model(&format!("into_{target}.sql"), &format!("{{{{ config(target='{target}', dialect='postgres') }}}}\n{text}"));
    }
    let tables = |place: &Place| {
        let pg = place.postgres("select * from shop.into_pg order by id");
        let my = place.mariadb("select * from shop.into_my order by id");
        (pg, my, duckdb_rows(&place.world.path("p/duck.duckdb"), "select * from into_duck"))
    };
    place.dvt(&["run"]).ok();
    let truth = tables(&place);
    assert_eq!((truth.0.len(), truth.1.len(), truth.2.len()), (4, 4, 4));
    let said = place.dvt(&["run", "--full-refresh", "--compute", "spark"]).ok().all();
    assert_eq!(tables(&place), truth, "{said}");
    assert!(said.contains("moved orders of pg: 4 rows"), "{said}");
    assert_eq!(place.leftovers(), Vec::<String>::new());
    // Everything through the host, then in parts.
    for config in ["        transfer: host\n", "        partitions: 2\n"] {
        place.computes("local[2]", config);
        place.dvt(&["run", "--full-refresh", "--compute", "spark"]).ok();
        assert_eq!(tables(&place), truth, "{config}");
    }
    assert!(place.world.path("p/logs/spark.log").is_file());
    assert_eq!(std::fs::read_dir(place.world.path("home/cache/exchange")).unwrap().count(), 0, "exchanged files stayed");
}
