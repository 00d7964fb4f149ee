//! Enforced contracts: names and types are checked first, constraints are in the table.

use crate::place::{PRODUCTS, Place};

fn schema(types: &str) -> String {
    format!(
        "models:
  - name: people
    config: {{contract: {{enforced: true}}}}
    constraints: [{{type: primary_key, columns: [id]}}, {{type: check, name: grown, expression: age > 17}}]
    columns:
      - {{name: id, data_type: {}, constraints: [{{type: not_null}}]}}
      - {{name: age, data_type: {}}}
      - {{name: name, data_type: {}, constraints: [{{type: not_null}}]}}
",
        types.split(' ').next().unwrap(),
        types.split(' ').nth(1).unwrap(),
        types.split(' ').nth(2).unwrap()
    )
}

fn types(product: &str) -> &'static str {
    match product {
        "mysql" => "int int varchar(20)",
        "sqlite" => "integer integer text",
        _ => "integer integer varchar",
    }
}

fn people(rows: &str) -> String {
    format!("{{{{ config(materialized='table') }}}} select cast(name as {{{{ 'char(20)' if target.type == 'mysql' else 'varchar' }}}}) as name, id, age from ({rows}) r")
}

#[test]
fn a_contracts_columns_and_constraints_are_those_of_the_table() {
    let good = people("select 1 as id, 'Ada' as name, 30 as age union all select 2, 'Bob', 18");
    let place = Place::with(&[("models/people.sql", good.as_str())]);
    for product in PRODUCTS {
        place.world.write("p/models/s.yml", &schema(types(product)));
        place.world.write("p/models/people.sql", &good);
        for _ in 0..2 {
            place.on(product, &["run"]).ok();
            assert_eq!(place.lines(product, "select * from people"), ["1 | 30 | Ada", "2 | 18 | Bob"], "{product}");
        }
        for bad in ["select 1 as id, 'Ada' as name, 17 as age", "select 1 as id, 'Ada' as name, 20 as age union all select 1, 'Bob', 20", "select 1 as id, null as name, 20 as age"] {
            place.world.write("p/models/people.sql", &people(bad));
            place.on(product, &["run"]).fails(1, &["people"]);
            assert_eq!(place.lines(product, "select count(*) from people"), ["2"], "{bad} on {product}: the table is as it was");
        }
    }
}

#[test]
fn a_foreign_keys_table_is_built_before_the_model_that_refers_to_it() {
    let schema = |kind: &str| {
        format!(
            "models:
  - name: a_child
    config: {{contract: {{enforced: true}}, materialized: table}}
    columns: [{{name: parent_id, data_type: {kind}, constraints: [{{type: foreign_key, to: ref('parent'), to_columns: [id]}}]}}]
  - name: parent
    config: {{contract: {{enforced: true}}, materialized: table}}
    columns: [{{name: id, data_type: {kind}, constraints: [{{type: primary_key}}]}}]
"
        )
    };
    for product in PRODUCTS {
        let place = Place::with(&[
            ("models/a_child.sql", "select {{ var('key', 1) }} as parent_id"),
            ("models/parent.sql", "select 1 as id"),
            ("models/s.yml", &schema(types(product).split(' ').next().unwrap())),
        ]);
        place.on(product, &["run", "--vars", "key: 2"]).fails(1, &["PASS=1 WARN=0 ERROR=1"]);
        place.on(product, &["run", "-s", "a_child"]).ok();
        assert_eq!(place.lines(product, "select * from a_child"), ["1"], "{product}");
        assert_eq!(place.on(product, &["-q", "ls", "-s", "+a_child", "--output", "name"]).ok().out, "a_child\nparent\n");
    }
    let place = Place::with(&[("models/a_child.sql", "select 1 as parent_id"), ("models/parent.sql", "select 1 as id"), ("models/s.yml", &schema("integer").replace("ref('parent')", "parent"))]);
    place.dvt(&["parse"]).fails(2, &["a foreign key of `a_child` refers to `parent`", "to: ref('model')"]);
}

#[test]
fn a_contract_that_the_query_breaks_is_told_column_by_column() {
    let place = Place::with(&[("models/people.sql", "{{ config(materialized='table') }} select 1 as id, 'x' as age, 2 as extra")]);
    for product in ["duckdb", "postgres", "mysql"] {
        place.world.write("p/models/s.yml", &schema(types(product)));
        let said = place.on(product, &["run"]).fails(1, &["DVT1011", "enforced contract", "mismatch_reason", "missing in contract", "missing in definition", "data type mismatch"]);
        let line = said.all().lines().find(|l| l.contains("| extra")).unwrap().to_owned();
        assert!(line.contains("missing in contract"), "{line}");
    }
    place.world.write("p/models/s.yml", &schema(types("sqlite")));
    place.on("sqlite", &["run"]).fails(1, &["missing in contract", "missing in definition"]);
}

#[test]
fn a_federated_model_keeps_its_contract() {
    let place = Place::with(&[
        ("models/ages.sql", "{{ config(materialized='table', target='other') }} select 1 as id, 30 as age"),
        ("models/names.sql", "{{ config(materialized='table') }} select 1 as id, 'Ada' as name"),
    ]);
    for product in PRODUCTS {
        place.world.write("p/models/s.yml", &schema(types(product)));
        let model = |age: &str| format!("{{{{ config(materialized='table', target='{product}', dialect='duckdb') }}}} select n.name, a.id, {age} as age from {{{{ ref('ages') }}}} a join {{{{ ref('names') }}}} n on n.id = a.id");
        place.world.write("p/models/people.sql", &model("a.age"));
        place.dvt(&["run"]).ok();
        assert_eq!(place.lines(product, "select * from people"), ["1 | 30 | Ada"], "{product}");
        place.world.write("p/models/people.sql", &model("12"));
        place.dvt(&["run", "-s", "people"]).fails(1, &["people"]);
        assert_eq!(place.lines(product, "select age from people"), ["30"], "{product}");
    }
}
