//! Grants, comments, indexes, materialized views, hooks, headers: what the database knows of a node besides its rows.

use crate::place::{PRODUCTS, Place};
use mysql::prelude::Queryable;

#[test]
fn grants_are_made_and_taken_back_and_survive_a_rebuild() {
    let model = |grants: &str| format!("{{{{ config(materialized='table', grants={grants}) }}}} select 1 as id");
    let place = Place::with(&[("models/shown.sql", &model("{'select': ['reader_a', 'reader_b']}"))]);
    let schema = &place.schema;
    let (mut pg, mut my) = (place.postgres(), place.mysql());
    for reader in ["reader_a", "reader_b"] {
        pg.batch_execute(&format!("create role {schema}_{reader}")).unwrap();
        my.query_drop(format!("create user {schema}_{reader}")).unwrap();
    }
    let named = |grants: &str| model(&grants.replace("reader", &format!("{schema}_reader")));
    let granted = |product: &str| match product {
        "postgres" => place.lines(product, &format!("select grantee from information_schema.role_table_grants where table_schema = '{schema}' and grantee like '{schema}%' and privilege_type = 'SELECT'")),
        _ => place.lines(product, &format!("select replace(replace(grantee, '''', ''), '@%', '') from information_schema.table_privileges where table_schema = '{schema}'")),
    };
    for product in ["postgres", "mysql"] {
        place.world.write("p/models/shown.sql", &named("{'select': ['reader_a', 'reader_b']}"));
        for _ in 0..2 {
            place.on(product, &["run"]).ok();
            assert_eq!(granted(product), [format!("{schema}_reader_a"), format!("{schema}_reader_b")], "{product}");
        }
        place.world.write("p/models/shown.sql", &named("{'select': ['reader_b']}"));
        place.on(product, &["run"]).ok();
        assert_eq!(granted(product), [format!("{schema}_reader_b")], "{product}");
    }
    let said = place.on("duckdb", &["run"]).ok();
    assert!(said.all().contains("has no users"), "{}", said.all());
}

#[test]
fn descriptions_become_comments_where_the_product_has_them() {
    let schema = "models:
  - name: told
    description: A table's story
    config: {persist_docs: {relation: true, columns: true}}
    columns: [{name: id, description: The key}, {name: nowhere, description: Not there}]
";
    let place = Place::with(&[("models/told.sql", "{{ config(materialized='table') }} select 1 as id, 'x' as name"), ("models/s.yml", schema)]);
    for product in PRODUCTS {
        let said = place.on(product, &["run"]).ok();
        assert!(product == "sqlite" || said.all().contains("nowhere"), "{}", said.all());
    }
    let schema = &place.schema;
    assert_eq!(place.lines("duckdb", "select comment from duckdb_tables() where table_name = 'told'"), ["A table's story"]);
    assert_eq!(place.lines("duckdb", "select comment from duckdb_columns() where table_name = 'told' and column_name = 'id'"), ["The key"]);
    assert_eq!(place.lines("postgres", &format!("select obj_description('{schema}.told'::regclass)")), ["A table's story"]);
    assert_eq!(place.lines("postgres", &format!("select col_description('{schema}.told'::regclass, 1)")), ["The key"]);
    assert_eq!(place.lines("mysql", &format!("select table_comment from information_schema.tables where table_schema = '{schema}'")), ["A table's story"]);
    assert_eq!(place.lines("mysql", &format!("select column_comment from information_schema.columns where table_schema = '{schema}' and column_name = 'id'")), ["The key"]);
}

#[test]
fn a_comment_leaves_the_rest_of_a_mysql_column_as_it_was() {
    let columns = ["id", "said", "twice", "body"];
    let described: Vec<String> = columns.iter().map(|c| format!("{{name: {c}, description: \"it's {c}\"}}")).collect();
    let place = Place::with(&[
        (
            "models/told.sql",
            "{{ config(materialized='table', persist_docs={'columns': true}, post_hook=\"alter table {{ this }} modify column id int not null auto_increment primary key comment 'old', add column said varchar(40) not null default 'x COMMENT ''y'' CHECK (1)', add column twice int generated always as (id * 2) virtual, add column body json\") }} select 1 as id",
        ),
        ("models/s.yml", &format!("models: [{{name: told, columns: [{}]}}]\n", described.join(", "))),
    ]);
    let schema = &place.schema;
    place.on("mysql", &["run"]).ok();
    let facts = |what: &str| place.lines("mysql", &format!("select concat_ws(' ', column_name, {what}) from information_schema.columns where table_schema = '{schema}'"));
    assert_eq!(facts("column_comment"), ["body it's body", "id it's id", "said it's said", "twice it's twice"]);
    assert_eq!(facts("column_default"), ["body NULL", "id", "said 'x COMMENT ''y'' CHECK (1)'", "twice NULL"]);
    assert_eq!(facts("extra"), ["body ", "id auto_increment", "said ", "twice VIRTUAL GENERATED"]);
    assert_eq!(facts("is_nullable"), ["body YES", "id NO", "said NO", "twice YES"]);
    assert_eq!(place.lines("mysql", "select check_clause from information_schema.check_constraints where table_name = 'told'"), ["json_valid(`body`)"]);
}

#[test]
fn indexes_are_made_and_stay_through_a_rebuild_with_and_without_dependents() {
    let model = "{{ config(materialized='table', indexes=[{'columns': ['id'], 'unique': true}, {'columns': ['id', 'name'], 'type': 'btree'} if target.type == 'postgres' else {'columns': ['name']}]) }} select 1 as id, 'x' as name";
    let place = Place::with(&[("models/quick.sql", model), ("models/above.sql", "select * from {{ ref('quick') }}")]);
    let schema = &place.schema;
    let indexes = |place: &Place| place.lines("postgres", &format!("select indexdef from pg_indexes where schemaname = '{schema}'"));
    for _ in 0..3 {
        place.on("postgres", &["run", "-s", "quick"]).ok();
        let found = indexes(&place);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().any(|i| i.contains("UNIQUE") && i.ends_with("(id)")) && found.iter().any(|i| i.ends_with("btree (id, name)")), "{found:?}");
    }
    place.on("postgres", &["run"]).ok();
    place.on("postgres", &["run", "-s", "quick"]).ok();
    assert_eq!(indexes(&place).len(), 2);
    assert_eq!(place.lines("postgres", "select * from above"), ["1 | x"], "the view that reads the table is still there");
    for _ in 0..2 {
        place.on("duckdb", &["run", "-s", "quick"]).ok();
        assert_eq!(place.lines("duckdb", "select count(*) from duckdb_indexes()"), ["2"]);
    }
}

#[test]
fn a_materialized_view_is_made_refreshed_and_refused_where_there_is_none() {
    let view = "{{ config(materialized='materialized_view', indexes=[{'columns': ['id']}] if var('indexed', true) else []) }} select id from {{ ref('base') }}";
    let place = Place::with(&[("models/base.sql", "{{ config(materialized='incremental') }} select {{ var('id') }} as id"), ("models/kept.sql", view)]);
    for id in 1..=2 {
        place.on("postgres", &["run", "--vars", &format!("id: {id}")]).ok();
    }
    assert_eq!(place.lines("postgres", "select id from kept"), ["1", "2"]);
    let indexes = || place.lines("postgres", &format!("select count(*) from pg_indexes where schemaname = '{}'", place.schema));
    assert_eq!(indexes(), ["1"]);
    place.on("postgres", &["run", "-s", "kept", "--vars", "{id: 2, indexed: false}"]).ok();
    assert_eq!(indexes(), ["0"]);
    place.on("postgres", &["run", "-s", "kept", "--full-refresh", "--vars", "id: 2"]).ok();
    assert_eq!(indexes(), ["1"]);
    place.dvt(&["run", "--vars", "id: 1"]).fails(1, &["DVT4008", "no materialized views"]);
}

#[test]
fn a_table_takes_a_views_place_and_the_other_way_round() {
    let place = Place::with(&[]);
    for product in PRODUCTS {
        for kind in ["view", "table", "view", "incremental", "view"] {
            place.world.write("p/models/swap.sql", &format!("{{{{ config(materialized='{kind}') }}}} select '{kind}' as kind"));
            place.on(product, &["run"]).ok();
            assert_eq!(place.lines(product, "select kind from swap"), [kind], "{product}");
        }
    }
}

#[test]
fn hooks_run_in_their_order_inside_and_outside_of_the_transaction() {
    let model = "{{ config(materialized='table',
      pre_hook=[{'sql': \"insert into log values ('pre inside')\"}, before_begin(\"insert into log values ('before begin')\")],
      post_hook=[after_commit(\"insert into log values ('after commit')\"), {'sql': \"insert into log values ('post inside ' || (select count(*) from {{ this }}))\", 'transaction': true}]) }}
    select 1 as id";
    let model = model.replace("'post inside ' || (select count(*) from {{ this }})", "'post inside'");
    let place = Place::with(&[("models/hooked.sql", &model)]);
    place.world.write(
        "p/dbt_project.yml",
        "name: p\nprofile: p\nversion: '1.0'\non-run-start: \"create table if not exists {{ target.schema }}.log (what varchar(40))\"\n",
    );
    for product in PRODUCTS {
        let log = if product == "sqlite" || product == "duckdb" { "log".to_owned() } else { format!("{}.log", place.schema) };
        place.world.write("p/models/hooked.sql", &model.replace("insert into log", &format!("insert into {log}")));
        place.on(product, &["run"]).ok();
        let (_, rows) = place.cells(product, "select what from log");
        assert_eq!(rows.concat(), ["before begin", "pre inside", "post inside", "after commit"], "{product}");
    }
}

#[test]
fn a_seeds_types_delimiter_and_quotes_are_as_configured() {
    let place = Place::with(&[("seeds/coded.csv", "Code;Many Words\n007;1\n")]);
    place.world.write(
        "p/dbt_project.yml",
        "name: p\nprofile: p\nversion: '1.0'\nseeds: {p: {+delimiter: ';', +quote_columns: true, coded: {+column_types: {Code: 'varchar(10)'}}}}\n",
    );
    for product in PRODUCTS {
        place.on(product, &["seed"]).ok();
        let (names, rows) = place.cells(product, "select * from coded");
        assert_eq!((names.join("|"), rows.concat()), ("Code|Many Words".to_owned(), vec!["007".to_owned(), "1".to_owned()]), "{product}");
    }
}

#[test]
fn a_seeds_text_that_is_no_value_of_its_type_is_named_and_never_becomes_null() {
    let place = Place::with(&[
        ("seeds/dated.csv", "id,happened\n1,2024-02-29\n2,2024-02-30\n"),
        ("dbt_project.yml", "name: p\nprofile: p\nversion: '1.0'\nseeds: {p: {dated: {+column_types: {happened: date}}}}\n"),
    ]);
    for product in PRODUCTS {
        place.on(product, &["seed"]).fails(1, &["2024-02-30", "`happened`", "row 2"]);
    }
}

#[test]
fn a_query_comment_stands_before_or_behind_every_statement_of_a_node() {
    let place = Place::with(&[("models/said.sql", "{{ config(materialized='table') }} select 1 as id")]);
    let project = |comment: &str| format!("name: p\nprofile: p\nversion: '1.0'\nquery-comment: {comment}\n");
    for product in PRODUCTS {
        for (comment, shown) in [("\"run for {{ node.name }}\"", "/* run for said */\n"), ("{comment: \"by {{ target.name }}\", append: true}", "\n/* by ")] {
            place.world.write("p/dbt_project.yml", &project(comment));
            let _ = std::fs::remove_file(place.world.path("p/logs/dbt.log"));
            place.on(product, &["run"]).ok();
            let log = std::fs::read_to_string(place.world.path("p/logs/dbt.log")).unwrap();
            assert!(log.contains(shown), "{shown} on {product}: {log}");
            assert_eq!(place.lines(product, "select * from said"), ["1"]);
        }
    }
}

#[test]
fn a_grantee_is_written_as_the_config_has_it() {
    let place = Place::with(&[]);
    let role = format!("{}_rep", place.schema);
    place.postgres().batch_execute(&format!("create role {role}")).unwrap();
    place.world.write("p/models/m.sql", &format!("{{{{ config(materialized='table', grants={{'select': ['{}']}}) }}}} select 1 as id", role.to_uppercase()));
    for _ in 0..2 {
        place.on("postgres", &["run"]).ok();
        let granted = place.lines("postgres", &format!("select grantee from information_schema.role_table_grants where table_schema = '{}' and grantee = '{role}'", place.schema));
        assert_eq!(granted, [role.clone()]);
    }
}

#[test]
fn a_name_that_the_product_would_cut_is_refused_before_anything_is_built() {
    let long = "a".repeat(64);
    let place = Place::with(&[
        (&format!("seeds/{long}.csv"), "id\n1\n"),
        ("models/m.sql", &format!("{{{{ config(materialized='table', alias='{}') }}}} select 1 as id", "b".repeat(64))),
        ("models/wide.sql", &format!("{{{{ config(materialized='table', alias='{}') }}}} select 1 as id", "ä".repeat(40))),
        (&format!("tests/{}.sql", "c".repeat(64)), "{{ config(store_failures=true) }} select 1 as id from {{ ref('fine') }}"),
        ("models/fine.sql", "select 1 as id"),
    ]);
    let said = place.on("postgres", &["build"]);
    let said = said.fails(1, &["DVT1011", "has 64 bytes, and postgres keeps 63", "has 80 bytes", "ERROR=4"]);
    assert!(!said.all().contains("DVT5104"), "{}", said.all());
    place.on("mysql", &["build", "--exclude", "test_type:singular"]).ok();
}
