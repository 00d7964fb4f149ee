//! The demo and TPC-H 3, 5, 10, 12, 14 over PostgreSQL, MariaDB, SQLite and DuckDB: three placements of the data, each product
//! as target. The tables equal what one DuckDB that holds all the data answers.
#![allow(clippy::unwrap_used, missing_docs)]

mod cli;
mod rows;
#[path = "../../host/engine/tests/servers/mod.rs"]
mod servers;

use cli::World;
use dvt_tests::tpch;
use rows::{Rows, duckdb_rows, mysql_rows, postgres_rows, sqlite_rows};
use servers::PostgresServer;
use servers::mariadb::MariadbServer;
use std::path::PathBuf;

const QUERIES: [&str; 5] = ["q3", "q5", "q10", "q12", "q14"];
const SCALE: f64 = 0.01;
const PRODUCTS: [&str; 4] = ["postgres", "mysql", "sqlite", "duckdb"];
/// Sources and their tables.
const SOURCES: [(&str, &[&str]); 3] =
    [("sales", &["orders", "lineitem"]), ("crm", &["customer", "nation", "region"]), ("parts", &["part", "partsupp", "supplier"])];
/// Where `sales`, `crm` and `parts` are.
const PLACEMENTS: [[&str; 3]; 3] = [["postgres", "mysql", "sqlite"], ["mysql", "sqlite", "duckdb"], ["duckdb", "postgres", "mysql"]];

struct Place {
    world: World,
    postgres: PostgresServer,
    mariadb: MariadbServer,
}

impl Place {
    /// An output named `name`; `schema` only matters on servers.
    fn output(&self, name: &str, product: &str, schema: &str) -> String {
        let (pg, my) = (self.postgres.port, self.mariadb.port);
        let text = match product {
            "postgres" => format!("{{type: postgres, host: 127.0.0.1, port: {pg}, user: dvt, dbname: postgres, schema: {schema}, threads: 4}}"),
            "mysql" => format!("{{type: mysql, server: 127.0.0.1, port: {my}, username: dvt, schema: {schema}, threads: 4}}"),
            "sqlite" => format!("{{type: sqlite, schemas_and_paths: {{main: {}}}, schema: main, threads: 4}}", self.world.path(&format!("{schema}.sqlite")).display()),
            _ => format!("{{type: duckdb, path: {}, schema: main, threads: 4}}", self.world.path(&format!("{schema}.duckdb")).display()),
        };
        format!("    {name}: {text}\n")
    }

    /// Tables of a product in a schema, or a file, of that name.
    fn fill(&self, product: &str, schema: &str, tables: &[&str]) {
        match product {
            "postgres" => tpch::postgres(&format!("host=127.0.0.1 port={} user=dvt dbname=postgres", self.postgres.port), schema, tables, SCALE),
            "mysql" => tpch::mysql(self.mariadb.port, schema, tables, SCALE),
            "sqlite" => tpch::sqlite(&self.world.path(&format!("{schema}.sqlite")), tables, SCALE),
            _ => tpch::duckdb(&self.world.path(&format!("{schema}.duckdb")), tables, SCALE),
        }
        .unwrap();
    }

    fn table(&self, product: &str, schema: &str, table: &str) -> Rows {
        match product {
            "postgres" => postgres_rows(self.postgres.port, schema, table),
            "mysql" => mysql_rows(self.mariadb.port, schema, table),
            "sqlite" => sqlite_rows(&self.world.path(&format!("{schema}.sqlite")), table),
            _ => duckdb_rows(&self.world.path(&format!("{schema}.duckdb")), &format!("select * from {table}")),
        }
    }
}

fn schema_of(product: &str, name: &str) -> String {
    if ["postgres", "mysql"].contains(&product) { name.to_owned() } else { "main".to_owned() }
}

fn sources(placement: &[&str; 3]) -> String {
    let one = |((name, tables), product): (&(&str, &[&str]), &&str)| {
        let tables: Vec<String> = tables.iter().map(|t| format!("{{name: {t}}}")).collect();
        format!("  - name: {name}\n    connection: {name}\n    schema: {}\n    tables: [{}]\n", schema_of(product, &format!("{name}_{product}")), tables.join(", "))
    };
    format!("version: 2\nsources:\n{}", SOURCES.iter().zip(placement).map(one).collect::<String>())
}

/// The model's text for the database that holds everything.
fn alone(text: &str) -> String {
    let source = regex::Regex::new(r"\{\{ source\('\w+', '(\w+)'\) \}\}").unwrap();
    source.replace_all(text, "$1").into_owned()
}

#[test]
fn every_placement_and_every_target_gives_the_same_tables() {
    let projects = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("projects");
    let place = Place { world: World::new(), postgres: PostgresServer::start(), mariadb: MariadbServer::start() };
    let world = &place.world;
    for (i, (name, tables)) in SOURCES.iter().enumerate() {
        let mut products: Vec<&str> = PLACEMENTS.iter().map(|p| p[i]).collect();
        products.push("duckdb");
        products.sort_unstable();
        products.dedup();
        for product in products {
            place.fill(product, &format!("{name}_{product}"), tables);
        }
    }
    let all: Vec<&str> = tpch::TABLES.iter().map(|(t, _)| *t).collect();
    tpch::duckdb(&world.path("all.duckdb"), &all, SCALE).unwrap();
    let expected: Vec<(&str, Rows)> = QUERIES
        .iter()
        .map(|q| (*q, duckdb_rows(&world.path("all.duckdb"), &alone(&std::fs::read_to_string(projects.join(format!("tpch/models/{q}.sql"))).unwrap()))))
        .collect();
    assert!(expected.iter().all(|(_, rows)| !rows.is_empty()), "the scale is too small for the queries");
    world.copy_project("tpch", "t");
    world.copy_project("demo", "d");

    let mut demo: Option<Vec<(&str, Rows)>> = None;
    for (number, placement) in std::iter::once(&["duckdb"; 3]).chain(&PLACEMENTS).enumerate() {
        for target in PRODUCTS {
            if number == 0 && target != "duckdb" {
                continue;
            }
            let about = format!("{placement:?} into {target}");
            let warehouse = format!("wh_{number}_{target}");
            let mut outputs = place.output("warehouse", target, &warehouse);
            for ((name, _), product) in SOURCES.iter().zip(placement) {
                outputs += &place.output(name, product, &format!("{name}_{product}"));
            }
            let profile = |name: &str| format!("{name}:\n  target: warehouse\n  outputs:\n{outputs}");
            world.write("t/profiles.yml", &profile("tpch"));
            world.write("t/models/sources.yml", &sources(placement));
            if number > 0 {
                world.dvt("t", &["run"]).ok();
                for (table, rows) in &expected {
                    assert_eq!(&place.table(target, &warehouse, table), rows, "{table}: {about}");
                }
            }
            world.write("d/profiles.yml", &profile("tpch_demo"));
            world.write("d/models/sources.yml", &sources(placement));
            world.dvt("d", &["build"]).ok();
            // The second run is an increment.
            world.dvt("d", &["run", "-s", "daily_orders"]).ok();
            let tables = ["customer_revenue", "brand_revenue", "daily_orders"];
            let built: Vec<(&str, Rows)> = tables.iter().map(|t| (*t, place.table(target, &warehouse, t))).collect();
            assert!(built.iter().all(|(_, rows)| !rows.is_empty()), "{about}");
            match &demo {
                None => demo = Some(built),
                Some(first) => assert_eq!(&built, first, "{about}"),
            }
        }
    }
}
