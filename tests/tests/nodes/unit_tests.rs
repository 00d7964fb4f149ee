//! Unit tests: formats of rows, overrides, `this`, differences, and what they keep from being built.

use crate::place::{PRODUCTS, Place};

const FILES: [(&str, &str); 7] = [
    ("models/raw.sql", "{{ config(materialized='table') }} select cast(1 as {{ 'signed' if target.type == 'mysql' else 'integer' }}) as id, cast('Ada' as {{ 'char(20)' if target.type == 'mysql' else 'varchar(20)' }}) as name, cast(1.5 as decimal(9,2)) as amount"),
    ("models/sources.yml", "sources:\n  - name: ext\n    schema: \"{{ target.schema }}\"\n    tables: [{name: raw}]\n"),
    (
        "models/totals.sql",
        "{{ config(materialized='incremental') }}
select r.name, sum(r.amount) as total, {{ var('factor', 1) }} as factor, '{{ env_var('DVT_UNIT', 'none') }}' as env, {{ own() }} as own
from {{ ref('raw') }} r join {{ source('ext', 'raw') }} s on s.id = r.id
{% if is_incremental() %}where r.id > (select max(factor) from {{ this }}){% endif %}
group by r.name",
    ),
    ("macros/own.sql", "{% macro own() %}7{% endmacro %}"),
    ("tests/fixtures/ids.csv", "id,name\n1,x\n2,\n3,z\n"),
    ("tests/fixtures/wanted.sql", "select 'Ada' as name, 3 as total union all select 'Bob', 4"),
    (
        "models/units.yml",
        "unit_tests:
  - name: adds_up
    model: totals
    overrides: {macros: {is_incremental: false}}
    given:
      - input: ref('raw')
        rows:
          - {id: 1, name: Ada, amount: 1.25}
          - {id: 1, name: Ada, amount: 1.75}
          - {id: 2, name: \"Bob\", amount: 4}
      - {input: \"source('ext', 'raw')\", format: csv, fixture: ids}
    expect: {format: sql, fixture: wanted}
  - name: only_new
    model: totals
    overrides:
      macros: {is_incremental: true, own: 8}
      vars: {factor: 3}
      env_vars: {DVT_UNIT: there}
    given:
      - input: ref('raw')
        format: csv
        rows: |
          id,name,amount
          1,Ada,1
          2,Bob,2
      - {input: \"source('ext', 'raw')\", rows: [{id: 1}, {id: 2}]}
      - {input: this, rows: [{factor: 1}]}
    expect:
      rows: [{name: Bob, total: 2.0, factor: 3, env: there, own: 8}]
  - name: none_of_none
    model: totals
    overrides: {macros: {is_incremental: false}}
    given:
      - {input: ref('raw'), rows: []}
      - {input: \"source('ext', 'raw')\", rows: [{id: 1}]}
    expect: {rows: []}
",
    ),
];

#[test]
fn unit_tests_pass_on_every_product_before_their_model_is_built() {
    let place = Place::with(&FILES);
    for product in PRODUCTS {
        // `this` and `source` take their types from tables.
        place.on(product, &["run"]).ok();
        let said = place.on(product, &["build"]).ok();
        for name in ["adds_up", "only_new", "none_of_none"] {
            assert!(said.out.contains(&format!("PASS totals::{name}")), "{product}: {}", said.all());
        }
        let before = |a: &str, b: &str| said.out.find(a).unwrap() < said.out.find(b).unwrap();
        assert!(before("PASS totals::adds_up", "START sql incremental model"), "{}", said.out);
        let said = place.on(product, &["test"]).ok();
        assert!(said.out.contains("3 unit tests") && said.out.contains("PASS=3"), "{}", said.out);
    }
}

#[test]
fn a_failed_unit_test_shows_what_differs_and_keeps_its_model_from_being_built() {
    let unit = "unit_tests:
  - name: wrong
    model: doubled
    given: [{input: ref('raw'), rows: [{id: 1, name: a}, {id: 2, name: b}, {id: 3, name: c}]}]
    expect: {rows: [{id: 2, name: a}, {id: 5, name: b}, {id: 8, name: z}]}
";
    let place = Place::with(&[FILES[0], ("models/doubled.sql", "select id * 2 as id, name from {{ ref('raw') }}"), ("models/below.sql", "select * from {{ ref('doubled') }}"), ("models/u.yml", unit)]);
    for product in PRODUCTS {
        place.on(product, &["run", "-s", "raw"]).ok();
        let said = place.on(product, &["build"]).fails(1, &["FAIL 1 doubled::wrong", "SKIP relation", "actual differs from expected:"]);
        let shown = said.all();
        assert!(shown.contains("@@ ,id") && shown.contains("5→4"), "{shown}");
        assert!(shown.contains("SKIP=2"), "{shown}");
    }
}

#[test]
fn a_unit_test_of_a_federated_model_runs_in_its_compute_over_typed_rows() {
    for product in PRODUCTS {
        let people = format!("{{{{ config(materialized='table', target='{product}') }}}} select cast(1 as {}) as id, cast('Ada' as {}) as name", if product == "mysql" { "signed" } else { "integer" }, if product == "mysql" { "char(20)" } else { "varchar(20)" });
        let joined = "select p.name, sum(o.amount) as total, min(o.day) as day from {{ ref('people') }} p join {{ ref('orders') }} o on o.person = p.id group by 1";
        let unit = "unit_tests:
  - name: joins
    model: joined
    given:
      - {input: ref('people'), rows: [{id: 1, name: Ada}, {id: 2, name: Bob}]}
      - {input: ref('orders'), rows: [{person: 1, amount: 1.25, day: 2024-01-02}, {person: 1, amount: 2, day: '2024-01-01'}, {person: 3, amount: 9}]}
    expect: {rows: [{name: Ada, total: 3.25, day: 2024-01-01}]}
";
        let place = Place::with(&[
            ("models/people.sql", people.as_str()),
            ("models/orders.sql", "{{ config(materialized='table', target='other') }} select 1 as person, cast(2 as decimal(9,2)) as amount, date '2024-01-01' as day"),
            ("models/joined.sql", &format!("{{{{ config(materialized='table', dialect='duckdb') }}}} {joined}")),
            ("models/u.yml", unit),
        ]);
        place.dvt(&["run"]).ok();
        let said = place.dvt(&["test"]).ok();
        assert!(said.out.contains("PASS joined::joins"), "{}", said.all());
        place.world.write("p/models/u.yml", &unit.replace("3.25", "4"));
        place.dvt(&["test"]).fails(1, &["4→3.25"]);
    }
}

#[test]
fn a_unit_test_says_what_it_lacks() {
    let unit = |given: &str| format!("unit_tests:\n  - name: u\n    model: doubled\n    given: {given}\n    expect: {{rows: [{{id: 2}}]}}\n");
    let place = Place::with(&[FILES[0], ("models/doubled.sql", "select id * 2 as id from {{ ref('raw') }}"), ("models/u.yml", &unit("[]"))]);
    place.dvt(&["run"]).ok();
    place.dvt(&["test"]).fails(1, &["gives no rows for `model.p.raw`", "models/u.yml"]);
    place.world.write("p/models/u.yml", &unit("[{input: ref('raw'), rows: [{ident: 1}]}]"));
    place.dvt(&["test"]).fails(1, &["the column 'ident'", "its columns are: id, name, amount"]);
    // A column that only a later row names would be compared for none.
    let uneven = "unit_tests: [{name: u, model: doubled, given: [{input: ref('raw'), rows: [{id: 1}, {id: 2}]}], expect: {rows: [{id: 2}, {id: 4, more: wrong}]}}]\n";
    place.world.write("p/models/doubled.sql", "select id * 2 as id, 'q' as more from {{ ref('raw') }}");
    place.world.write("p/models/u.yml", uneven);
    place.dvt(&["test"]).fails(1, &["DVT1006", "id and id, more"]);
}
