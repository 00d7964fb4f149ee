//! The project `tests/projects/conformance` checks itself: each of its templates stops the build where a name of
//! dbt's context, an adapter call, a value or a built-in macro is not what dbt-core makes of it.
//!
//! And what dbt has no word for: templates that ask relations of another target (SPEC T11).
#![allow(clippy::unwrap_used, missing_docs)]

mod cli;
#[path = "../../host/engine/tests/servers/mod.rs"]
mod servers;

use cli::World;
use serde_json::Value;

/// Builds the project twice: once into nothing, once over what is there.
fn builds_on(output: &str) {
    let world = World::new();
    world.copy_project("conformance", "p");
    world.write("home/profiles.yml", &format!("conformance:\n  target: dev\n  outputs:\n    dev: {output}\n"));
    for _ in 0..2 {
        let told = world.dvt("p", &["build"]).ok().all();
        assert!(told.contains("ERROR=0 SKIP=0") && !told.contains("[federation]"), "{told}");
    }
    let results: Value = serde_json::from_str(&std::fs::read_to_string(world.path("p/target/run_results.json")).unwrap()).unwrap();
    let ran = results["results"].as_array().unwrap().iter().filter(|r| matches!(r["status"].as_str(), Some("success" | "pass"))).count();
    assert!(ran >= 16, "{ran} nodes ran");
}

#[test]
fn every_name_of_the_context_and_every_function_is_dbts_on_duckdb() {
    builds_on("{type: duckdb, path: dev.duckdb, schema: live, threads: 4}");
}

#[test]
fn every_name_of_the_context_and_every_function_is_dbts_on_postgresql() {
    let server = servers::PostgresServer::start();
    builds_on(&format!("{{type: postgres, host: 127.0.0.1, port: {}, user: dvt, password: unused, dbname: postgres, schema: live, threads: 4}}", server.port));
}

/// What packages do with relations: their columns, then a query of their values.
const PACKAGE_LIKE: &str = "{% macro columns_of(relation) %}
  {%- if not execute -%}{{ return('*') }}{%- endif -%}
  {%- set out = [] -%}
  {%- for column in adapter.get_columns_in_relation(relation) if column.name != 'secret' -%}{%- do out.append(column.quoted) -%}{%- endfor -%}
  {{ return(out | join(', ')) }}
{% endmacro %}
{% macro values_of(relation, column) %}
  {%- if not execute -%}{{ return([]) }}{%- endif -%}
  {%- call statement('values_of', fetch_result=true) -%}
    select {{ column }} as value, count(*) as n from {{ relation }} group by {{ column }} order by count(*) desc, {{ column }}
  {%- endcall -%}
  {{ return(load_result('values_of')['data'] | map(attribute=0) | list) }}
{% endmacro %}
{% macro newest(name) %}
  {{ return(run_query('select max(id) as newest from ' ~ source('crm', name)).rows[0]['newest'] | string) }}
{% endmacro %}
{% macro drop_there(name) %}
  {%- do adapter.drop_relation(adapter.load_relation(source('crm', name))) -%}
{% endmacro %}
";

#[test]
fn templates_ask_relations_of_another_target_where_those_are() {
    let server = servers::PostgresServer::start();
    let address = format!("host=127.0.0.1 port={} user=dvt password=unused dbname=postgres", server.port);
    let mut client = postgres::Client::connect(&address, postgres::NoTls).unwrap();
    client
        .batch_execute("create table customers (id int, kind text, secret text); insert into customers values (1, 'a', 'x'), (2, 'b', 'y'), (3, 'b', 'z'); create table gone (id int)")
        .unwrap();
    let world = World::new();
    world.write("p/dbt_project.yml", "name: p\nprofile: p\nversion: '1.0'\n");
    world.write(
        "home/profiles.yml",
        &format!("p:\n  target: wh\n  outputs:\n    wh: {{type: duckdb, path: wh.duckdb}}\n    crm: {{type: postgres, host: 127.0.0.1, port: {}, user: dvt, password: unused, dbname: postgres, schema: public}}\n", server.port),
    );
    world.write("p/macros/package_like.sql", PACKAGE_LIKE);
    world.write("p/models/sources.yml", "sources:\n  - {name: crm, connection: crm, schema: public, tables: [{name: customers}, {name: gone}]}\n");
    world.write("p/models/here.sql", "{{ config(materialized='table') }} select 2 as id");
    world.write(
        "p/models/pivoted.sql",
        "{{ config(materialized='table') }}
select {{ columns_of(source('crm', 'customers')) }}
{% for kind in values_of(source('crm', 'customers'), 'kind') %}, kind = '{{ kind }}' as is_{{ loop.index }}_{{ kind }}{% endfor %}
{% if execute %}{% set both = run_query('select count(*) as n from ' ~ source('crm', 'customers') ~ ' c join ' ~ ref('here') ~ ' h on c.id = h.id') %}, {{ both.rows[0]['n'] }} as common{% endif %}
from {{ source('crm', 'customers') }}",
    );
    world.dvt("p", &["run"]).ok();
    let shown = world.dvt("p", &["-q", "show", "-s", "pivoted", "--output", "json"]).ok().out;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let mut rows: Vec<String> = shown["show"].as_array().unwrap().iter().map(Value::to_string).collect();
    rows.sort();
    // `b` comes first: it has two rows. The secret column is not there.
    assert_eq!(rows[0], r#"{"id":1,"kind":"a","is_1_b":false,"is_2_a":true,"common":1}"#);
    assert_eq!(rows.len(), 3);

    // A statement that is no query runs on one target, and says so.
    world.write("p/models/wrong.sql", "{% if execute %}{% call statement('x') %}delete from {{ source('crm', 'customers') }}{% endcall %}{% endif %}select 1 as id from {{ source('crm', 'customers') }}");
    world.dvt("p", &["run", "-s", "wrong"]).fails(1, &["DVT3004", "`customers` of target `crm`"]);
    std::fs::remove_file(world.path("p/models/wrong.sql")).unwrap();

    // What takes a relation acts where the relation is.
    world.write("p/models/dropping.sql", "{{ config(materialized='table', pre_hook=\"{{ drop_there('gone') }}\") }}select 1 as id");
    world.dvt("p", &["run", "-s", "dropping"]).ok();
    let left: i64 = client.query_one("select count(*) from pg_class where relname = 'gone'", &[]).unwrap().get(0);
    assert_eq!(left, 0);
}
