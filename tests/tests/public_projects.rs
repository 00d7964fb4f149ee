//! Public dbt projects run with nothing changed in them.
//!
//! They are no part of this repository: the environment variable `DVT_PUBLIC_PROJECTS` names a folder that holds
//! `dbt-utils`, `jaffle-shop-classic`, `jaffle-shop`, `dbt-date` and `dbt-audit-helper` as they were published. The
//! tests are marked ignored, so that a run without the folder counts them as skipped:
//! `DVT_PUBLIC_PROJECTS=… cargo test -p dvt-tests --test public_projects -- --ignored`.
#![allow(clippy::unwrap_used, missing_docs)]

mod cli;
#[path = "../../host/engine/tests/servers/mod.rs"]
mod servers;

use cli::{Said, World, said};
use std::path::{Path, PathBuf};

fn folder(name: &str) -> PathBuf {
    let root = std::env::var("DVT_PUBLIC_PROJECTS").expect("DVT_PUBLIC_PROJECTS names the folder of public projects");
    let path = Path::new(&root).join(name);
    assert!(path.is_dir(), "{} is missing", path.display());
    path
}

fn duckdb() -> String {
    "{type: duckdb, path: ../shop.duckdb, schema: live, threads: 2}".to_owned()
}

fn postgres(server: &servers::PostgresServer) -> String {
    format!("{{type: postgres, host: 127.0.0.1, port: {}, user: dvt, password: unused, dbname: postgres, schema: live, threads: 4}}", server.port)
}

fn profile(world: &World, name: &str, output: &str) {
    world.write("home/profiles.yml", &format!("{name}:\n  target: dev\n  outputs:\n    dev: {output}\n"));
}

/// The counts of the closing line: passed, failed, skipped, all.
#[track_caller]
fn counts(said: &Said) -> [u32; 4] {
    let text = said.all();
    let line = text.lines().rev().find(|l| l.contains("Done. PASS=")).unwrap_or_else(|| panic!("{text}"));
    let count = |name: &str| line.split_whitespace().find_map(|w| w.strip_prefix(name)?.parse().ok()).unwrap();
    [count("PASS="), count("ERROR="), count("SKIP="), count("TOTAL=")]
}

/// dbt_utils' own tests, with the package itself installed as `local: ../` would.
fn dbt_utils(world: &World) -> PathBuf {
    let package = folder("dbt-utils");
    world.copy(&package, "p");
    let tests = world.path("p/integration_tests");
    for part in ["macros", "dbt_project.yml"] {
        let (from, to) = (package.join(part), format!("p/integration_tests/dbt_packages/dbt_utils/{part}"));
        if from.is_dir() {
            world.copy(&from, &to);
        } else {
            std::fs::copy(from, world.path(&to)).unwrap();
        }
    }
    tests
}

#[test]
#[ignore = "needs DVT_PUBLIC_PROJECTS"]
fn dbt_utils_passes_all_of_its_237_tests_on_postgresql() {
    let world = World::new();
    dbt_utils(&world);
    let server = servers::PostgresServer::start();
    // Its own profiles.yml, filled as it asks.
    let mut command = world.command("p/integration_tests", &["build"]);
    command.env("POSTGRES_HOST", "127.0.0.1").env("POSTGRES_PORT", server.port.to_string()).env("POSTGRES_USER", "dvt").env("POSTGRES_DATABASE", "postgres");
    command.env("POSTGRES_SCHEMA", "utils").env("DBT_ENV_SECRET_POSTGRES_PASS", "unused").env_remove("DVT_PROFILES_DIR");
    let said = said(command);
    assert_eq!(counts(&said), [237, 0, 0, 237], "{}", said.all());
}

#[test]
#[ignore = "needs DVT_PUBLIC_PROJECTS"]
fn dbt_utils_passes_on_duckdb_what_dbt_core_passes_there() {
    let world = World::new();
    dbt_utils(&world);
    std::fs::remove_file(world.path("p/integration_tests/profiles.yml")).unwrap();
    profile(&world, "integration_tests", &duckdb());
    let said = world.dvt("p/integration_tests", &["build"]);
    // dbt-core 1.12 with DuckDB 1.5.6 fails in the same five.
    let fails = ["test_date_spine", "test_get_relations_by_pattern", "test_get_relations_by_prefix_and_union", "assert_equal_test_width_bucket_actual__expected", "dbt_utils_equality_data_test_equality_floats_a_ref_data_test_equality_floats_b___8"];
    assert_eq!(counts(&said), [226, 5, 6, 237], "{}", said.all());
    for name in fails {
        assert!(said.all().contains(name), "{name} is not among the failures:\n{}", said.all());
    }
}

fn classic(output: &str) {
    let world = World::new();
    world.copy(&folder("jaffle-shop-classic"), "p");
    profile(&world, "jaffle_shop", output);
    for _ in 0..2 {
        let said = world.dvt("p", &["build"]);
        assert_eq!(counts(&said), [28, 0, 0, 28], "{}", said.all());
    }
    documented(&world, 8);
}

/// `docs generate` finds every relation that was built.
fn documented(world: &World, least: usize) {
    let said = world.dvt("p", &["docs", "generate"]);
    assert_eq!(said.code, 0, "{}", said.all());
    let catalog: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(world.path("p/target/catalog.json")).unwrap()).unwrap();
    let nodes = catalog["nodes"].as_object().unwrap();
    assert!(nodes.len() >= least && nodes.values().all(|n| !n["columns"].as_object().unwrap().is_empty()), "{:?}", nodes.keys());
}

#[test]
#[ignore = "needs DVT_PUBLIC_PROJECTS"]
fn jaffle_shop_of_2022_builds_on_duckdb() {
    classic(&duckdb());
}

#[test]
#[ignore = "needs DVT_PUBLIC_PROJECTS"]
fn jaffle_shop_of_2022_builds_on_postgresql() {
    let server = servers::PostgresServer::start();
    classic(&postgres(&server));
}

/// The two seeds that the published project leaves out: orders whose totals are those of their items.
fn seeds(project: &Path) {
    let folder = project.join("seeds/jaffle-data");
    let column = |file: &str, at: usize| -> Vec<String> {
        std::fs::read_to_string(folder.join(file)).unwrap().lines().skip(1).map(|l| l.split(',').nth(at).unwrap().to_owned()).collect()
    };
    let (customers, stores, products, prices) = (column("raw_customers.csv", 0), column("raw_stores.csv", 0), column("raw_products.csv", 0), column("raw_products.csv", 3));
    let mut orders = "id,customer,ordered_at,store_id,subtotal,tax_paid,order_total\n".to_owned();
    let mut items = "id,order_id,sku\n".to_owned();
    for n in 0..300_usize {
        let mut subtotal = 0_u64;
        for i in 0..=n % 3 {
            let product = (n * 7 + i * 3) % products.len();
            subtotal += prices[product].parse::<u64>().unwrap();
            items += &format!("item-{n}-{i},order-{n},{}\n", products[product]);
        }
        let tax = subtotal * 6 / 100;
        let (day, hour) = (n % 28 + 1, n % 24);
        orders += &format!("order-{n},{},2024-03-{day:02}T{hour:02}:15:00,{},{subtotal},{tax},{}\n", customers[n % customers.len()], stores[n % stores.len()], subtotal + tax);
    }
    std::fs::write(folder.join("raw_orders.csv"), orders).unwrap();
    std::fs::write(folder.join("raw_items.csv"), items).unwrap();
}

fn of_2026(output: &str) {
    let world = World::new();
    let project = world.path("p");
    world.copy(&folder("jaffle-shop"), "p");
    for (from, to) in [("dbt-utils", "dbt_utils"), ("dbt-date", "dbt_date"), ("dbt-audit-helper", "audit_helper")] {
        world.copy(&folder(from), &format!("p/dbt_packages/{to}"));
    }
    seeds(&project);
    profile(&world, "default", output);
    let said = world.dvt("p", &["seed", "--vars", "load_source_data: true"]);
    assert_eq!(counts(&said), [6, 0, 0, 6], "{}", said.all());
    let said = world.dvt("p", &["build"]);
    let [passed, failed, skipped, all] = counts(&said);
    // Saved queries are there and not run.
    assert!(failed == 0 && skipped == 0 && passed >= 43 && all >= passed, "{}", said.all());
    documented(&world, 13);
}

#[test]
#[ignore = "needs DVT_PUBLIC_PROJECTS"]
fn jaffle_shop_of_2026_builds_with_its_packages_on_duckdb() {
    of_2026(&duckdb());
}

#[test]
#[ignore = "needs DVT_PUBLIC_PROJECTS"]
fn jaffle_shop_of_2026_builds_with_its_packages_on_postgresql() {
    let server = servers::PostgresServer::start();
    of_2026(&postgres(&server));
}
