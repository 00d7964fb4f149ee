//! Projects given as values: what parsing and compiling make of them.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

use dvt_diagnostic::{Code, Diagnostic};
use dvt_jinja::{Compiled, Parsed, parse};
use dvt_project::input::AdapterFacts;
use dvt_project::{ExecutionPath, ProjectInput, UniqueId};
use serde_json::json;

const PROFILES: &str = "p:\n  target: wh\n  outputs:\n    wh: {type: duckdb, schema: main}\n    pg: {type: postgres, schema: public, dbname: db}\n    my: {type: mysql, schema: app}\n";

fn input(files: &[(&str, &str)]) -> ProjectInput {
    let mut input = ProjectInput { implicit_compute: "duckdb".into(), profiles: Some(PROFILES.into()), ..ProjectInput::default() };
    input.files.insert("dbt_project.yml".into(), "name: shop\nprofile: p\n".into());
    for (name, text) in files {
        input.files.insert((*name).into(), (*text).into());
    }
    for (kind, quote) in [("duckdb", "\""), ("postgres", "\""), ("mysql", "`")] {
        let facts = AdapterFacts { dialect: kind.into(), quote: (quote.into(), quote.into()), quoting: (true, true, true), ..AdapterFacts::default() };
        input.adapters.insert(kind.into(), facts);
    }
    input
}

fn project(files: &[(&str, &str)]) -> Parsed {
    parse(&input(files)).unwrap_or_else(|e| panic!("{}", e.iter().map(ToString::to_string).collect::<String>()))
}

fn refused(files: &[(&str, &str)]) -> Diagnostic {
    parse(&input(files)).unwrap_err().remove(0)
}

fn compiled(parsed: &Parsed, name: &str) -> Compiled {
    parsed.engine.compile(&UniqueId::new(format!("model.shop.{name}")), None).unwrap_or_else(|e| panic!("{e}"))
}

/// Every range shows exactly the relation's text.
fn check_ranges(c: &Compiled) {
    for used in &c.relations {
        for range in &used.at {
            assert_eq!(&c.sql[range.clone()], used.rendered, "{}", c.sql);
        }
    }
}

const SOURCES: &str = "sources:\n  - {name: crm, connection: pg, schema: public, tables: [{name: users}]}\n  - {name: app, connection: my, schema: app, tables: [{name: users}]}\n";

#[test]
fn relations_keep_their_target_however_they_are_written() {
    let parsed = project(&[
        ("models/s.yml", SOURCES),
        ("models/m.sql", "-- é\n{% set u = source('crm', 'users') %}select * from {{ u }} a join {{ source('app', 'users') }} b on a.id = b.id where exists (select 1 from {{ u }}) and '{{ u.identifier }}' <> ''"),
    ]);
    let node = &parsed.manifest.nodes[&UniqueId::from("model.shop.m")];
    assert_eq!(node.execution, ExecutionPath::Federation);
    let c = compiled(&parsed, "m");
    check_ranges(&c);
    let targets: Vec<(&str, usize)> = c.relations.iter().map(|u| (u.relation.target.as_str(), u.at.len())).collect();
    assert_eq!(targets, [("pg", 2), ("my", 1)]);
    // The model is in its own dialect, so both are quoted as it quotes.
    assert!(c.sql.contains("\"db\".\"public\".\"users\" a join \"app\".\"users\" b") && c.sql.contains("'users' <> ''"), "{}", c.sql);
}

#[test]
fn ephemerals_go_into_the_with_of_the_model_and_ranges_move_along() {
    let parsed = project(&[
        ("models/s.yml", SOURCES),
        ("models/inner.sql", "{{ config(materialized='ephemeral') }}select * from {{ source('crm', 'users') }}"),
        ("models/outer.sql", "{{ config(materialized='ephemeral') }}select * from {{ ref('inner') }}"),
        ("models/plain.sql", "select * from {{ ref('outer') }} join {{ source('app', 'users') }} using (id)"),
        ("models/with.sql", "/* with */ -- with\nWITH RECURSIVE x as (select * from {{ ref('outer') }}) select * from x, {{ source('crm', 'users') }}"),
    ]);
    let plain = compiled(&parsed, "plain");
    check_ranges(&plain);
    assert_eq!(plain.extra_ctes.len(), 2);
    let flat = plain.sql.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(
        flat,
        "with __dbt__cte__inner as ( select * from \"db\".\"public\".\"users\" ), __dbt__cte__outer as ( select * from __dbt__cte__inner ) select * from __dbt__cte__outer join \"app\".\"users\" using (id)"
    );
    let with = compiled(&parsed, "with");
    check_ranges(&with);
    assert_eq!(with.relations[0].at.len(), 2);
    let flat = with.sql.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("WITH RECURSIVE __dbt__cte__inner as (") && flat.contains("), x as (select * from __dbt__cte__outer)"), "{flat}");
}

#[test]
fn configs_are_those_of_dbt_and_what_is_disabled_is_not_there() {
    let parsed = project(&[
        ("dbt_project.yml", "name: shop\nprofile: p\nmodels: {shop: {+materialized: table, +tags: [a], stage: {+schema: st, +tags: b}}}\n"),
        ("models/stage/x.sql", "{{ config(alias='ex', tags=['c'], meta={'k': [1, none]}) }}select 1 as id"),
        ("models/gone.sql", "{{ config(enabled=false) }}select 1"),
        ("models/p.yml", "models: [{name: x, config: {materialized: view}}, {name: gone, columns: [{name: id, tests: [unique]}]}]\n"),
    ]);
    let x = &parsed.manifest.nodes[&UniqueId::from("model.shop.x")];
    assert_eq!(x.materialized(), "view");
    assert_eq!(x.tags, ["a", "b", "c"]);
    let relation = x.relation.as_ref().unwrap();
    assert_eq!((relation.schema.as_deref(), relation.identifier.as_str()), (Some("main_st"), "ex"));
    assert_eq!(x.config["meta"], json!({"k": [1, null]}));
    assert!(!parsed.manifest.nodes.keys().any(|id| id.as_str().contains("gone")), "a test of a disabled model stayed");
    assert!(parsed.manifest.disabled.contains_key(&UniqueId::from("model.shop.gone")));
}

#[test]
fn macros_return_values_dispatch_and_take_callers() {
    let parsed = project(&[
        ("macros/m.sql", "{% macro cols() %}{{ return(['a', 'b']) }}{% endmacro %}\n{% macro wrap(open='<') %}{{ open }}{{ caller('x') }}{% endmacro %}\n{% macro kind() %}{{ return(adapter.dispatch('kind')()) }}{% endmacro %}{% macro default__kind() %}other{% endmacro %}{% macro postgres__kind() %}elephant{% endmacro %}"),
        ("models/m.sql", "{{ config(target='pg') }}{% set outside = 1 %}select {{ cols() | join(', ') }}, '{% call(v) wrap(open='[') %}{{ v }}{{ outside }}]{% endcall %}' as c, '{{ kind() }}' as k"),
        ("models/n.sql", "select '{{ kind() }}' as k"),
    ]);
    assert_eq!(compiled(&parsed, "m").sql, "select a, b, '[x1]' as c, 'elephant' as k");
    assert_eq!(compiled(&parsed, "n").sql, "select 'other' as k");
    // As in dbt: what the text calls itself, not what those macros call.
    assert_eq!(parsed.manifest.nodes[&UniqueId::from("model.shop.m")].depends_on.macros, ["macro.shop.cols", "macro.shop.wrap", "macro.shop.kind"]);
}

#[test]
fn mistakes_have_a_code_a_place_and_a_hint() {
    let told = |d: Diagnostic| (d.code, d.span.map(|s| format!("{}:{}:{}", s.file, s.line, s.column)), d.hint.unwrap_or_default(), d.message);
    let (code, at, hint, _) = told(refused(&[("models/orders.sql", "select 1"), ("models/m.sql", "select *\nfrom {{ ref('order') }}")]));
    assert_eq!((code, at.as_deref()), (Code::RefNotFound, Some("models/m.sql:2:13")));
    assert!(hint.contains("orders"), "{hint}");
    let (code, at, hint, _) = told(refused(&[("models/s.yml", SOURCES), ("models/m.sql", "select 1,\n  {{ source('crm', 'user') }}")]));
    assert_eq!((code, hint.as_str()), (Code::SourceNotFound, "did you mean `crm.users`?"));
    assert!(at.unwrap().starts_with("models/m.sql:2"), "the place is in the model");
    let (code, at, ..) = told(refused(&[("models/m.sql", "select 1\n{% if x %}\n")]));
    assert_eq!((code, at.map(|a| a.starts_with("models/m.sql"))), (Code::JinjaSyntax, Some(true)));
    let (code, at, ..) = told(refused(&[("models/m.sql", "select {{ 1 +\n }}")]));
    assert_eq!((code, at.as_deref()), (Code::JinjaSyntax, Some("models/m.sql:2:2")));
    let (code, at, ..) = told(refused(&[("macros/m.sql", "{% macro a() %}\n{{ nothing.here }}\n{% endmacro %}"), ("models/m.sql", "select {{ a() }}")]));
    assert_eq!((code, at.as_deref()), (Code::JinjaUndefined, Some("macros/m.sql:2:4")));
    let (code, _, hint, message) = told(refused(&[("models/m.sql", "select {{ var('who') }}")]));
    assert_eq!(code, Code::VarNotFound);
    assert!(message.contains("`who`") && hint.contains("--vars"), "{hint}");
    let (code, _, _, message) = told(refused(&[("models/m.sql", "{{ exceptions.raise_compiler_error('no ' ~ 'way') }}")]));
    assert_eq!((code, message.as_str()), (Code::CompilerRaised, "no way"));
    let (code, _, hint, _) = told(refused(&[("models/a.sql", "select 1 as id"), ("models/a.yml", "models: [{name: a, columns: [{name: id, tests: [uniqe]}]}]\n")]));
    assert_eq!((code, hint.as_str()), (Code::MacroNotFound, "did you mean `unique`?"));
    let (code, ..) = told(refused(&[("models/a.sql", "select * from {{ ref('b') }}"), ("models/b.sql", "select * from {{ ref('a') }}")]));
    assert_eq!(code, Code::Cycle);
    let mut secret = input(&[("models/m.sql", "select '{{ env_var('DBT_ENV_SECRET_X') }}'")]);
    secret.env.insert("DBT_ENV_SECRET_X".into(), "hunter2".into());
    let error = parse(&secret).unwrap_err().remove(0);
    assert!(error.code == Code::EnvVarNotFound && !error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn equal_inputs_give_equal_manifests() {
    let files = [("models/s.yml", SOURCES), ("models/m.sql", "select * from {{ source('crm', 'users') }}")];
    let text = || serde_json::to_string(project(&files).manifest.as_ref()).unwrap();
    assert_eq!(text(), text());
}
