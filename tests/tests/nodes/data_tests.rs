//! Configs of data tests: thresholds, limits, filters, and the rows they keep.

use crate::place::{PRODUCTS, Place};

const ITEMS: &str = "{{ config(materialized='table') }}
{% for i in range(1, 7) %}select {{ i }} as id, {{ i % 3 }} as part {{ 'union all' if not loop.last }} {% endfor %}";

/// A schema of the name given, without the target's before it: SQLite has one schema only.
const SCHEMAS: &str = "{% macro generate_schema_name(custom_schema_name, node) %}{{ target.schema if target.type == 'sqlite' or not custom_schema_name else target.schema ~ '_' ~ custom_schema_name }}{% endmacro %}";

#[test]
fn kept_failures_are_a_table_or_a_view_that_is_limited_and_counted() {
    let schema = "models:
  - name: items
    columns:
      - name: id
        data_tests:
          - accepted_values: {name: few, arguments: {values: [1, 2], quote: false}, config: {store_failures: true, severity: warn, limit: 3}}
          - accepted_values: {name: seen, arguments: {values: [1], quote: false}, config: {store_failures_as: view, warn_if: '>100', error_if: '>200'}}
          - accepted_values: {name: gone, arguments: {values: [1], quote: false}, config: {store_failures_as: ephemeral, store_failures: true, severity: warn}}
";
    let single = "{{ config(fail_calc='sum(part)', warn_if='>1', error_if='>100', store_failures=true, alias='kept', schema='audit') }}
select * from {{ ref('items') }} where id > 2";
    let place = Place::with(&[("models/items.sql", ITEMS), ("models/s.yml", schema), ("tests/single.sql", single), ("macros/schemas.sql", SCHEMAS)]);
    for product in PRODUCTS {
        let said = place.on(product, &["build"]).ok();
        for line in ["WARN 3 few", "PASS seen", "WARN 5 gone", "WARN 3 single", "See test failures:"] {
            assert!(said.all().contains(line), "`{line}` on {product}: {}", said.all());
        }
        let schema = |custom: &str| match product {
            "sqlite" => "main".to_owned(),
            "duckdb" => format!("main_{custom}"),
            _ => format!("{}_{custom}", place.schema),
        };
        let audit = schema("dbt_test__audit");
        assert_eq!(place.lines(product, &format!("select count(*) from {audit}.few")), ["3"], "{product}");
        assert_eq!(place.lines(product, &format!("select count(*) from {audit}.seen")), ["5"], "{product}");
        assert_eq!(place.lines(product, &format!("select id, part from {}.kept", schema("audit"))), ["3 | 0", "4 | 1", "5 | 2", "6 | 0"], "{product}");
    }
    let views = place.lines("duckdb", "select view_name from duckdb_views() where not internal");
    assert_eq!(views, ["seen"]);
    let said = place.dvt(&["test", "--store-failures", "-s", "gone"]).ok();
    assert!(said.out.contains("WARN 5"), "{}", said.all());
}

#[test]
fn kept_failures_of_a_test_over_two_targets_land_on_its_own() {
    let place = Place::with(&[
        ("models/items.sql", ITEMS),
        ("models/parts.sql", "{{ config(materialized='table', target='other') }} select 0 as part union all select 1"),
        ("models/s.yml", "models:\n  - name: items\n    columns:\n      - name: part\n        data_tests:\n          - relationships: {name: orphans, arguments: {to: ref('parts'), field: part}, config: {store_failures: true}}\n"),
        ("macros/schemas.sql", SCHEMAS),
    ]);
    place.dvt(&["build"]).fails(1, &["FAIL 2 orphans", "[federation]"]);
    assert_eq!(place.lines("duckdb", "select * from main_dbt_test__audit.orphans"), ["2", "2"]);
    place.world.write("p/models/parts.sql", "{{ config(materialized='table', target='other') }} select 0 as part union all select 1 union all select 2");
    place.dvt(&["build"]).ok();
    assert!(place.lines("duckdb", "select * from main_dbt_test__audit.orphans").is_empty());
}

#[test]
fn a_where_and_a_test_of_ones_own_are_rendered_with_their_arguments() {
    let schema = "models:
  - name: items
    data_tests:
      - at_least: {arguments: {rows: 7}, config: {where: \"part = {{ var('part', 0) }}\"}}
    columns:
      - name: id
        data_tests:
          - unique: {config: {where: id > 3}}
";
    let own = "{% test at_least(model, rows) %}select 1 as missing from (select count(*) as n from {{ model }}) counted where n < {{ rows }}{% endtest %}";
    let place = Place::with(&[("models/items.sql", ITEMS), ("models/s.yml", schema), ("tests/generic/at_least.sql", own)]);
    for product in PRODUCTS {
        let said = place.on(product, &["build"]).fails(1, &["FAIL 1 at_least_items_7"]);
        assert!(said.out.contains("PASS unique_items_id"), "{}", said.all());
    }
}
