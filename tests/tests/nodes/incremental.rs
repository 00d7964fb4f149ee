//! Incremental models: strategies, columns that change, batches of time.

use crate::place::{PRODUCTS, Place};
use serde_json::Value;

/// Rows that change from run to run: `run` is 1 or 2.
const EVENTS: &str = "{{ config(materialized='table', event_time='happened') }}
{% set rows = {1: [(1, 'a', 10), (2, 'b', 20), (3, 'c', 30)], 2: [(2, 'b', 21), (3, 'x', 31), (4, 'd', 40)]}[var('run')] %}
{% for id, part, n in rows %}select {{ id }} as id, '{{ part }}' as part, {{ n }} as n {{ 'union all' if not loop.last }} {% endfor %}";

fn model(config: &str) -> String {
    format!("{{{{ config(materialized='incremental', {config}) }}}} select id, part, n from {{{{ ref('events') }}}}")
}

#[test]
fn every_strategy_leaves_the_rows_that_dbt_leaves() {
    let custom = "{% macro get_incremental_newest_sql(arg_dict) %}delete from {{ arg_dict['target_relation'] }}; {{ get_insert_into_sql(arg_dict['target_relation'], arg_dict['temp_relation'], arg_dict['dest_columns']) }}{% endmacro %}";
    let cases: [(&str, &str, &[&str]); 7] = [
        ("added", "incremental_strategy='append'", &["1 | a | 10", "2 | b | 20", "2 | b | 21", "3 | c | 30", "3 | x | 31", "4 | d | 40"]),
        ("replaced", "incremental_strategy='delete+insert', unique_key='id'", &["1 | a | 10", "2 | b | 21", "3 | x | 31", "4 | d | 40"]),
        ("by_two", "incremental_strategy='delete+insert', unique_key=['id', 'part']", &["1 | a | 10", "2 | b | 21", "3 | c | 30", "3 | x | 31", "4 | d | 40"]),
        ("merged", "incremental_strategy='merge', unique_key='id'", &["1 | a | 10", "2 | b | 21", "3 | x | 31", "4 | d | 40"]),
        ("partly", "incremental_strategy='merge', unique_key='id', merge_update_columns=['n']", &["1 | a | 10", "2 | b | 21", "3 | c | 31", "4 | d | 40"]),
        ("all_but", "incremental_strategy='merge', unique_key='id', merge_exclude_columns=['n']", &["1 | a | 10", "2 | b | 20", "3 | x | 30", "4 | d | 40"]),
        ("own", "incremental_strategy='newest'", &["2 | b | 21", "3 | x | 31", "4 | d | 40"]),
    ];
    let place = Place::with(&[("models/events.sql", EVENTS), ("macros/newest.sql", custom)]);
    for (name, config, _) in &cases {
        place.world.write(&format!("p/models/{name}.sql"), &model(config));
    }
    for product in PRODUCTS {
        for run in 1..=2 {
            place.on(product, &["run", "--vars", &format!("run: {run}")]).ok();
        }
        for (name, _, expected) in &cases {
            assert_eq!(place.lines(product, &format!("select id, part, n from {name}")), *expected, "{name} on {product}");
        }
    }
    place.world.write("p/models/own.sql", &model("incremental_strategy='sideways'"));
    place.dvt(&["run", "--vars", "run: 1", "-s", "own"]).fails(1, &["DVT1011", "sideways"]);
}

#[test]
fn a_merge_that_would_update_one_row_by_two_is_refused_and_predicates_bound_what_it_finds() {
    let source = "select 1 as id, 10 as n union all select 2, 20{{ ' union all select 2, 21' if var('run') == 2 }}{{ ' union all select 1, 11' if var('run') == 3 }}";
    let place = Place::with(&[
        ("models/twice.sql", &format!("{{{{ config(materialized='incremental', incremental_strategy='merge', unique_key='id') }}}} {source}")),
        // What the predicate leaves out is not found, so it is inserted.
        ("models/bounded.sql", "{{ config(materialized='incremental', incremental_strategy='merge', unique_key='id', incremental_predicates=['DBT_INTERNAL_DEST.id > 1']) }} select 1 as id, {{ var('run') }} as n union all select 2, {{ var('run') }}"),
    ]);
    for product in PRODUCTS {
        place.on(product, &["run", "--vars", "run: 1"]).ok();
        place.on(product, &["run", "--vars", "run: 2"]).fails(1, &["twice"]);
        assert_eq!(place.lines(product, "select id, n from twice"), ["1 | 10", "2 | 20"], "{product}");
        assert_eq!(place.lines(product, "select id, n from bounded"), ["1 | 1", "1 | 2", "2 | 2"], "{product}");
    }
    for product in ["duckdb", "mysql", "sqlite"] {
        place.on(product, &["run", "--vars", "run: 3", "-s", "twice"]).fails(1, &["DVT6002", "unique_key (id)", "delete+insert"]);
    }
}

#[test]
fn long_names_of_one_start_never_share_a_work_table() {
    let long = "a".repeat(52);
    let place = Place::with(&[]);
    for i in 1..=6 {
        // They run at once: the one that began first ends last.
        place.world.write(
            &format!("p/models/{long}_{i}.sql"),
            &format!("{{{{ config(materialized='{}') }}}} {{{{ 'select {i} as n, sleep(0.{}) as s' if target.type == 'mysql' else 'select {i} as n' }}}}", if i % 2 == 0 { "incremental" } else { "table" }, 7 - i),
        );
    }
    for product in PRODUCTS {
        for run in 1..=2 {
            place.on(product, &["run", "--threads", "6"]).ok();
            for i in 1..=6 {
                let expected = vec![i.to_string(); if i % 2 == 0 { run } else { 1 }];
                assert_eq!(place.lines(product, &format!("select n from {long}_{i}")), expected, "{i} on {product}");
            }
        }
    }
}

#[test]
fn columns_that_come_and_go_are_ignored_appended_synced_or_refused() {
    let source = "select 1 as id, nullif('a', '') as gone{{ ', nullif(5, 0) as added' if var('run') == 2 }}".replace(", nullif('a', '') as gone", "{{ \", nullif('a', '') as gone\" if var('run') == 1 or var('keep', true) }}");
    let place = Place::with(&[]);
    for change in ["ignore", "fail", "append_new_columns", "sync_all_columns"] {
        let name = change.split('_').next().unwrap();
        place.world.write(&format!("p/models/c_{name}.sql"), &format!("{{{{ config(materialized='incremental', on_schema_change='{change}') }}}} {source}"));
    }
    for product in PRODUCTS {
        place.on(product, &["run", "--vars", "run: 1"]).ok();
        place.on(product, &["run", "--vars", "{run: 2}", "-s", "c_fail"]).fails(1, &["DVT107", "new: added"]);
        place.on(product, &["run", "--vars", "{run: 2}", "-s", "c_ignore", "c_append"]).ok();
        place.on(product, &["run", "--vars", "{run: 2, keep: false}", "-s", "c_sync", "c_append"]).ok();
        let columns = |table: &str| place.cells(product, &format!("select * from {table}")).0.join(" ");
        assert_eq!(columns("c_ignore"), "id gone", "{product}");
        assert_eq!(columns("c_append"), "id gone added", "{product}");
        assert_eq!(columns("c_sync"), "id added", "{product}");
        assert_eq!(place.lines(product, "select id, added from c_sync"), ["1 | 5", "1 | NULL"], "{product}");
        assert_eq!(place.lines(product, "select * from c_append"), ["1 | NULL | 5", "1 | a | 5", "1 | a | NULL"], "{product}");
    }
}

const TIMED: &str = "{{ config(materialized='table', event_time='happened') }}
{% set T = {'mysql': 'datetime', 'sqlite': 'text'}.get(target.type, 'timestamp') %}
{% for i in range(1, 7) %}select {{ i }} as id, cast('2024-01-0{{ (i + 1) // 2 }} 0{{ i }}:00:00' as {{ T }}) as happened, {{ i * var('times', 1) }} as n {{ 'union all' if not loop.last }} {% endfor %}";

const BATCHED: &str = "{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='happened', batch_size='day', begin='2024-01-01', lookback=1,
  unique_key=('id' if target.type == 'postgres' else none), pre_hook=\"{{ log('BEFORE', info=true) }}\", post_hook=\"{{ log('AFTER', info=true) }}\") }}
select id, happened, n, {{ 1 if is_incremental() else 0 }} as later, {{ 'no_such_column' if model.get('batch') and model.batch.id == var('bad', '') else '1' }} as ok from {{ ref('timed') }}";

fn result(place: &Place, name: &str) -> Value {
    let text = std::fs::read_to_string(place.world.path("p/target/run_results.json")).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    json["results"].as_array().unwrap().iter().find(|r| r["unique_id"].as_str().unwrap().ends_with(name)).unwrap().clone()
}

#[test]
fn a_microbatch_model_is_built_batch_by_batch_and_a_bad_batch_is_its_own_loss() {
    let place = Place::with(&[("models/timed.sql", TIMED), ("models/batched.sql", BATCHED)]);
    let ends = ["--event-time-start", "2024-01-01", "--event-time-end", "2024-01-04"];
    for product in PRODUCTS {
        let said = place.on(product, &["run", ends[0], ends[1], ends[2], ends[3]]).ok();
        assert_eq!((said.out.matches("BEFORE").count(), said.out.matches("AFTER").count()), (1, 1), "{}", said.out);
        assert!(said.out.contains("3 of 3 OK created batch 2024-01-03 of batched"), "{}", said.out);
        assert_eq!(place.lines(product, "select id, n, later from batched"), ["1 | 1 | 0", "2 | 2 | 0", "3 | 3 | 1", "4 | 4 | 1", "5 | 5 | 1", "6 | 6 | 1"], "{product}");
        let done = result(&place, ".batched");
        assert_eq!(done["batch_results"]["successful"].as_array().unwrap().len(), 3);

        place.on(product, &["run", "--vars", "{times: 10, bad: '20240102'}", ends[0], ends[1], ends[2], ends[3]]).fails(1, &["PARTIAL SUCCESS (2/3)", "no_such_column"]);
        assert_eq!(place.lines(product, "select id, n from batched"), ["1 | 10", "2 | 20", "3 | 3", "4 | 4", "5 | 50", "6 | 60"], "{product}");
        let done = result(&place, ".batched");
        assert_eq!(done["status"], "partial success");
        assert_eq!(done["batch_results"]["failed"], serde_json::json!([["2024-01-02T00:00:00+00:00", "2024-01-03T00:00:00+00:00"]]));

        // Again, but only what failed.
        let said = place.on(product, &["retry", "--vars", "{times: 10}"]).ok();
        assert!(said.out.contains("1 of 1 OK created batch 2024-01-02 of batched"), "{}", said.out);
        assert_eq!(place.lines(product, "select id, n from batched"), ["1 | 10", "2 | 20", "3 | 30", "4 | 40", "5 | 50", "6 | 60"], "{product}");
        assert_eq!(result(&place, ".batched")["batch_results"]["successful"].as_array().unwrap().len(), 3);

        place.on(product, &["run", "--vars", "{times: 100, bad: '20240101'}", ends[0], ends[1], ends[2], ends[3]]).fails(1, &["2 of 3 SKIP batch 2024-01-02"]);
        assert_eq!(place.lines(product, "select sum(n) from batched"), ["210"], "{product}");
    }
}

#[test]
fn a_microbatch_model_reads_the_batch_of_another_target_only() {
    for product in PRODUCTS {
        let place = Place::with(&[
            ("models/timed.sql", &TIMED.replace("materialized='table'", "materialized='table', target='other'").replace("{'mysql': 'datetime', 'sqlite': 'text'}.get(target.type, 'timestamp')", "'timestamp'")),
            ("models/batched.sql", &BATCHED.replace("microbatch',", &format!("microbatch', dialect='duckdb', target='{product}',"))),
        ]);
        let said = place.dvt(&["run", "--event-time-start", "2024-01-01", "--event-time-end", "2024-01-04"]).ok();
        assert!(said.out.contains("[federation]"), "{}", said.out);
        assert_eq!(place.lines(product, "select id, later from batched"), ["1 | 0", "2 | 0", "3 | 1", "4 | 1", "5 | 1", "6 | 1"], "{product}");
    }
}

#[test]
fn empty_and_sample_read_fewer_rows() {
    let place = Place::with(&[("models/timed.sql", TIMED), ("models/copied.sql", "{{ config(materialized='table') }} select * from {{ ref('timed') }}")]);
    for product in PRODUCTS {
        place.on(product, &["run"]).ok();
        place.on(product, &["run", "-s", "copied", "--empty"]).ok();
        assert_eq!(place.lines(product, "select count(*) from copied"), ["0"], "{product}");
        place.on(product, &["run", "-s", "copied", "--sample", "{start: 2024-01-02, end: 2024-01-03}"]).ok();
        assert_eq!(place.lines(product, "select id from copied"), ["3", "4"], "{product}");
    }
    // Where the product lets a query in FROM go without a name, the text may give it one.
    place.world.write("p/models/copied.sql", "{{ config(materialized='table') }} select t.id from {{ ref('timed') }} t join {{ ref('timed') }} as u on t.id = u.id");
    for product in ["duckdb", "sqlite"] {
        place.on(product, &["run", "-s", "copied", "--sample", "{start: 2024-01-02, end: 2024-01-03}"]).ok();
        assert_eq!(place.lines(product, "select id from copied"), ["3", "4"], "{product}");
    }
    place.dvt(&["run", "--sample", "often"]).fails(2, &["DVT6008", "--sample"]);
}
