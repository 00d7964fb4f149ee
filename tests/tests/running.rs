//! Runs of the real binary on SQLite and DuckDB: what is built, what is skipped, what is written.
#![allow(clippy::unwrap_used, missing_docs)]

mod cli;

use cli::World;
use serde_json::Value;

/// `crm` is a SQLite file, `shop` and `wh` are DuckDB files; the default target is `wh`.
fn world(files: &[(&str, &str)]) -> World {
    let world = World::new();
    world.write(
        "home/profiles.yml",
        "p:\n  target: wh\n  outputs:\n    wh: {type: duckdb, path: wh.duckdb, threads: 2}\n    shop: {type: duckdb, path: shop.duckdb}\n    crm: {type: sqlite, schemas_and_paths: {main: crm.db}, schema: main}\n",
    );
    world.write("p/dbt_project.yml", "name: p\nprofile: p\nversion: '1'\nseeds: {p: {customers: {+target: crm}, orders: {+target: shop}}}\n");
    world.write("p/seeds/customers.csv", "id,name\n1,Ada\n2,Grace\n3,\n");
    world.write("p/seeds/orders.csv", "id,customer_id,amount,day\n1,1,10.50,2024-01-01\n2,1,1.25,2024-01-02\n3,2,7,2024-01-03\n");
    for (name, text) in files {
        world.write(&format!("p/{name}"), text);
    }
    world
}

fn rows(world: &World, sql: &str) -> Vec<Value> {
    let said = world.dvt("p", &["-q", "show", "--inline", sql, "--output", "json", "--limit", "-1"]).ok();
    let shown: Value = serde_json::from_str(&said.out).unwrap();
    shown["show"].as_array().unwrap().clone()
}

fn results(world: &World) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(world.path("p/target/run_results.json")).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    let list = json["results"].as_array().unwrap().iter();
    list.map(|r| (r["unique_id"].as_str().unwrap().rsplit("p.").next().unwrap().to_owned(), r["status"].as_str().unwrap().to_owned())).collect()
}

const JOINED: &str = "select c.name, sum(o.amount) as total from {{ ref('customers') }} c join {{ ref('orders') }} o on o.customer_id = c.id group by 1";

#[test]
fn a_federated_table_is_built_from_two_products_and_rebuilt_in_place() {
    let world = world(&[("models/totals.sql", &format!("{{{{ config(materialized='table') }}}} {JOINED}"))]);
    for _ in 0..2 {
        world.dvt("p", &["build"]).ok();
        let rows = rows(&world, "select name, total from {{ ref('totals') }} order by name");
        assert_eq!(rows.iter().map(|r| format!("{} {}", r["name"].as_str().unwrap(), r["total"])).collect::<Vec<_>>(), ["Ada 11.75", "Grace 7.0"]);
    }
    let left = rows(&world, "select table_name from information_schema.tables where table_name like '%dvt%' or table_name like '%dbt%'");
    assert!(left.is_empty(), "{left:?}");
    world.dvt("p", &["run", "--no-pushdown"]).ok();
}

#[test]
fn a_federated_view_is_a_table_with_a_warning() {
    let world = world(&[("models/totals.sql", &format!("{{{{ config(materialized='view') }}}} {JOINED}"))]);
    let said = world.dvt("p", &["build"]).ok();
    assert_eq!(said.out.matches("DVT001").count(), 1, "{}", said.out);
    let kinds = rows(&world, "select table_type from information_schema.tables where table_name = 'totals'");
    assert_eq!(kinds[0]["table_type"], "BASE TABLE");
}

#[test]
fn an_incremental_federated_model_adds_only_what_is_new() {
    let model = "{{ config(materialized='incremental', unique_key='id', incremental_strategy='delete+insert') }}
select o.id, c.name, o.amount, o.day from {{ ref('orders') }} o join {{ ref('customers') }} c on c.id = o.customer_id
{% if is_incremental() %} where o.day > (select max(day) from {{ this }}) {% endif %}";
    let world = world(&[("models/sales.sql", model)]);
    world.dvt("p", &["build"]).ok();
    world.write("p/seeds/orders.csv", "id,customer_id,amount,day\n1,1,99,2024-01-01\n3,2,7.5,2024-01-03\n4,2,2.5,2024-02-01\n");
    let said = world.dvt("p", &["build"]).ok();
    assert!(said.out.contains("moved orders of shop: 1 rows"), "the watermark is pushed: {}", said.out);
    let rows = rows(&world, "select id, amount from {{ ref('sales') }} order by id");
    assert_eq!(rows.iter().map(|r| format!("{} {}", r["id"], r["amount"])).collect::<Vec<_>>(), ["1 10.5", "2 1.25", "3 7.0", "4 2.5"]);
    world.dvt("p", &["run", "--full-refresh"]).ok();
}

#[test]
fn a_failure_skips_what_is_below_and_runs_the_rest() {
    let world = world(&[
        ("models/bad.sql", "select no_such_column from {{ ref('orders') }}"),
        ("models/below.sql", "select * from {{ ref('bad') }}"),
        ("models/fine.sql", "{{ config(target='shop') }} select * from {{ ref('orders') }}"),
    ]);
    let said = world.dvt("p", &["build"]).fails(1, &["no_such_column", "SKIP relation main.below"]);
    assert!(said.out.contains("Done. PASS=3 WARN=0 ERROR=1 SKIP=1 NO-OP=0 TOTAL=5"), "{}", said.out);
    let results = results(&world);
    assert!(results.contains(&("below".into(), "skipped".into())) && results.contains(&("fine".into(), "success".into())), "{results:?}");
}

#[test]
fn a_failed_test_stops_what_is_below_in_build_and_a_warning_does_not() {
    let schema = |severity: &str| {
        format!("models:\n  - name: fine\n    columns:\n      - name: name\n        data_tests:\n          - not_null: {{config: {{severity: {severity}}}}}\n")
    };
    let files = [
        ("models/fine.sql", "{{ config(materialized='table', target='crm') }} select * from {{ ref('customers') }}"),
        ("models/below.sql", "{{ config(target='crm') }} select * from {{ ref('fine') }}"),
        ("models/schema.yml", &schema("error")),
    ];
    let world = world(&files);
    let said = world.dvt("p", &["build"]).fails(1, &["FAIL 1 not_null_fine_name", "SKIP relation main.below"]);
    assert!(said.out.contains("Got 1 result, configured to fail if != 0"), "{}", said.out);
    world.write("p/models/schema.yml", &schema("warn"));
    let said = world.dvt("p", &["build"]).ok();
    assert!(said.out.contains("WARN 1 not_null_fine_name") && said.out.contains("WARN=1 ERROR=0 SKIP=0"), "{}", said.out);
}

#[test]
fn a_test_over_two_targets_is_federated() {
    let schema = "models:\n  - name: sales\n    columns:\n      - name: customer_id\n        data_tests:\n          - relationships: {to: ref('customers'), field: id}\n";
    let world = world(&[("models/sales.sql", "{{ config(materialized='table') }} select * from {{ ref('orders') }}"), ("models/schema.yml", schema)]);
    let said = world.dvt("p", &["build"]).ok();
    assert!(said.out.contains("test relationships_sales_customer_id__id__ref_customers_ [federation]"), "{}", said.out);
    world.write("p/seeds/customers.csv", "id,name\n1,Ada\n");
    world.dvt("p", &["build"]).fails(1, &["FAIL 1 relationships_sales_customer_id__id__ref_customers_"]);
}

#[test]
fn a_built_in_test_across_dialects_runs_in_the_compute_unless_text_compares_loosely() {
    let schema = "seeds:\n  - name: customers\n    columns:\n      - name: id\n        data_tests:\n          - relationships: {to: ref('orders'), field: customer_id}\n";
    let world = world(&[("seeds/schema.yml", schema)]);
    // The test belongs to the SQLite target; its answer needs the DuckDB one. Customer 3 has no order.
    world.dvt("p", &["build"]).fails(1, &["FAIL 1 relationships_customers_id__customer_id__ref_orders_"]);
    world.write("p/seeds/customers.csv", "id,name\n1,Ada\n2,Grace\n");
    world.dvt("p", &["build"]).ok();
    world.write("p/models/loose.sql", "{{ config(target='crm') }} select name collate nocase as name from {{ ref('customers') }}");
    world.write("p/models/names.sql", "{{ config(materialized='table') }} select 'Ada' as name union all select 'Grace'");
    world.write("p/models/schema.yml", "models:\n  - name: loose\n    columns:\n      - name: name\n        data_tests:\n          - relationships: {to: ref('names'), field: name}\n");
    world.dvt("p", &["build"]).fails(1, &["DVT003"]);
}

#[test]
fn a_federated_model_may_read_the_file_it_writes() {
    let many = "{{ config(materialized='table', target='crm') }} with recursive n(i) as (select 1 union all select i + 1 from n where i < 200000) select cast(i as integer) as id, cast('name ' || i as text) as name from n";
    let model = "{{ config(materialized='incremental', target='crm', dialect='duckdb', unique_key='id') }}
select m.id, m.name, o.amount from {{ ref('many') }} m left join {{ ref('orders') }} o on o.customer_id = m.id
{% if is_incremental() %} where m.id not in (select t.id from {{ this }} t where t.id > 10) {% endif %}";
    let world = world(&[("models/many.sql", many), ("models/joined.sql", model)]);
    for _ in 0..2 {
        world.dvt("p", &["build"]).ok();
        assert_eq!(rows(&world, "select count(*) as n from {{ ref('joined') }}")[0]["n"], 200_001);
    }
}

#[test]
fn writers_of_one_file_take_turns() {
    let model = "{{ config(materialized='table', target='crm') }} select * from {{ ref('customers') }}";
    let names: Vec<String> = (0..8).map(|i| format!("models/m{i}.sql")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), model)).collect();
    let world = world(&files);
    for _ in 0..2 {
        let said = world.dvt("p", &["build", "--threads", "8"]).ok();
        assert!(said.out.contains("PASS=10 WARN=0 ERROR=0"), "{}", said.out);
    }
}

#[test]
fn a_plain_project_runs_on_dev_and_prod_and_never_federates() {
    let world = world(&[("models/a.sql", "select 1 as id"), ("models/b.sql", "{{ config(materialized='table') }} select * from {{ ref('a') }}")]);
    for target in ["wh", "shop"] {
        let said = world.dvt("p", &["run", "--target", target]).ok();
        assert!(!said.out.contains("[federation]") && said.out.contains("PASS=2"), "{}", said.out);
    }
}

#[test]
fn an_unreachable_target_fails_its_nodes_only() {
    let world = world(&[
        ("models/fine.sql", "{{ config(target='shop') }} select 1 as one"),
        ("models/lost.sql", "{{ config(target='crm') }} select 1 as one"),
    ]);
    std::fs::create_dir(world.path("p/crm.db")).unwrap();
    let said = world.dvt("p", &["run"]).fails(1, &["DVT51", "target `crm`"]);
    assert!(said.out.contains("PASS=1 WARN=0 ERROR=1"), "{}", said.out);
}

#[test]
fn hooks_run_before_and_after_and_artifacts_are_written() {
    let world = world(&[("models/one.sql", "select 1 as one")]);
    world.write(
        "p/dbt_project.yml",
        "name: p\nprofile: p\nversion: '1'\non-run-start: ['create table if not exists log (what text)', \"insert into log values ('start')\"]\non-run-end: \"insert into log values ('end {{ results | length }}')\"\n",
    );
    world.dvt("p", &["run", "-s", "one"]).ok();
    assert_eq!(rows(&world, "select string_agg(what, ' ' order by rowid) as w from log")[0]["w"], "start end 1");
    for file in ["manifest.json", "run_results.json", "dvt_manifest.json", "compiled/p/models/one.sql", "run/p/models/one.sql"] {
        assert!(world.path("p/target").join(file).is_file(), "{file}");
    }
    world.dvt("p", &["clean"]).ok();
    assert!(!world.path("p/target").exists() && world.path("p/models/one.sql").is_file());
}

#[test]
fn a_seed_has_dbts_types_and_says_where_a_value_does_not_fit() {
    let world = world(&[]);
    world.write("p/seeds/typed.csv", "a,b,c,d,e,f\n1,1.5,2024-01-01,2024-01-01 10:00:00,true,x\n,,,,,\n");
    world.dvt("p", &["seed", "-s", "typed"]).ok();
    let types = rows(&world, "select string_agg(data_type, ' ' order by ordinal_position) as t from information_schema.columns where table_name = 'typed'");
    assert_eq!(types[0]["t"], "INTEGER DOUBLE DATE TIMESTAMP BOOLEAN VARCHAR");
    world.write("p/seeds/schema.yml", "seeds:\n  - name: typed\n    config:\n      column_types: {a: 'decimal(9,2)', f: date}\n");
    world.dvt("p", &["seed", "-s", "typed"]).fails(1, &["DVT6005", "`x` in column `f`, row 1"]);
}

#[test]
fn explain_says_what_is_asked_and_ls_what_is_selected() {
    let world = world(&[("models/totals.sql", &format!("{{{{ config(materialized='table') }}}} {JOINED} having sum(o.amount) > 5"))]);
    world.dvt("p", &["build"]).ok();
    let said = world.dvt("p", &["explain", "-s", "totals", "--output", "json"]).ok();
    let json: Value = serde_json::from_str(&said.out).unwrap();
    let model = &json["models"][0];
    assert_eq!(model["path"], "federation");
    assert_eq!(model["scans"].as_array().unwrap().len(), 2);
    assert_eq!(model["scans"][1]["actual"]["rows"], 3);
    assert_eq!(world.dvt("p", &["ls", "-s", "+totals", "--resource-type", "seed", "--output", "name"]).ok().out, "customers\norders\n");
}

#[test]
fn a_killed_runs_staging_table_is_dropped_by_the_next_run() {
    let world = world(&[("models/totals.sql", &format!("{{{{ config(materialized='table') }}}} {JOINED}"))]);
    world.dvt("p", &["build"]).ok();
    rows(&world, "select 1");
    // What a run leaves that is killed during its load: a table and its line in the journal, whose lock is gone.
    world.dvt("p", &["compile", "--inline", "{% do run_query('create table main.totals__dvt_deadbeef (x int)') %} select 1"]).ok();
    let entry = r#"{"target":"wh","endpoint":"ENDPOINT","relation":{"database":null,"schema":"main","identifier":"totals__dvt_deadbeef"},"mark":"+"}"#;
    let path = std::fs::read_dir(world.home().join("data")).unwrap().count();
    assert!(path > 0);
    world.write("home/data/spool/dead.staging", &format!("{}\n", entry.replace("ENDPOINT", "duckdb:wh.duckdb")));
    let said = world.dvt("p", &["run"]).ok();
    assert!(said.out.contains("Dropped totals__dvt_deadbeef"), "{}", said.out);
    assert!(rows(&world, "select 1 as x from information_schema.tables where table_name like '%__dvt_%'").is_empty());
    assert!(!world.path("home/data/spool/dead.staging").exists());
}

#[test]
fn an_increment_that_lost_a_column_is_refused_and_the_table_is_as_it_was() {
    // SQLite would take the missing column's quoted name for a text and write it into every row.
    let world = world(&[(
        "models/inc.sql",
        "{{ config(target='crm', materialized='incremental', unique_key='id', dialect='duckdb') }}select distinct c.id {{ ', c.name' if var('named', true) }} from {{ ref('customers') }} c join {{ ref('orders') }} o on o.customer_id = c.id",
    )]);
    world.dvt("p", &["build"]).ok();
    world.dvt("p", &["run", "--vars", "named: false"]).fails(1, &["DVT107", "`name`", "--full-refresh"]);
    let kept: Vec<Value> = rows(&world, "select id, name from {{ ref('inc') }} order by id");
    assert_eq!(Value::Array(kept), serde_json::json!([{"id": 1, "name": "Ada"}, {"id": 2, "name": "Grace"}]));
}
