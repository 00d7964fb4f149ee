//! Loading a project through the public surface: profile, computes, packages, properties, sources.
#![allow(clippy::unwrap_used)]

use dvt_diagnostic::{Code, Diagnostic, Span};
use dvt_project::input::AdapterFacts;
use dvt_project::render::Verbatim;
use dvt_project::{ComputeName, FileKind, PatchKind, ProjectInput, RenderString, Skeleton, TargetName, TestOwner, UniqueId, skeleton};
use serde_json::{Value, json};

const PROFILES: &str = "shop:\n  target: pg\n  outputs:\n    pg: {type: postgres, host: h, user: u, pass: hunter2, dbname: d, schema: s, threads: 4}\n    lake: {type: duckdb, path: l.db, schema: main}\n";

fn input(files: &[(&str, &str)]) -> ProjectInput {
    let mut input = ProjectInput { profiles: Some(PROFILES.to_owned()), implicit_compute: "duckdb".to_owned(), ..ProjectInput::default() };
    input.files.insert("dbt_project.yml".into(), "name: shop\nversion: '1.0'\nprofile: shop\n".into());
    for (path, text) in files {
        input.files.insert((*path).to_owned(), (*text).to_owned());
    }
    let facts = AdapterFacts {
        database_keys: vec!["dbname".into()],
        secret_keys: vec!["password".into()],
        key_aliases: [("pass".to_owned(), "password".to_owned())].into(),
        dialect: "postgres".into(),
        ..AdapterFacts::default()
    };
    input.adapters.insert("postgres".into(), facts);
    input
}

fn load(input: &ProjectInput) -> Skeleton {
    skeleton(input, &Verbatim).unwrap()
}

fn error(input: &ProjectInput) -> Diagnostic {
    skeleton(input, &Verbatim).unwrap_err().remove(0)
}

#[test]
fn every_output_is_a_target_and_no_secret_is_in_it() {
    let skeleton = load(&input(&[]));
    let m = &skeleton.manifest;
    assert_eq!(m.default_target, TargetName::from("pg"));
    assert_eq!(m.targets.len(), 2);
    let pg = &m.targets[&TargetName::from("pg")];
    assert_eq!((pg.database.as_deref(), pg.schema.as_str(), pg.threads), (Some("d"), "s", 4));
    assert!(!serde_json::to_string(m).unwrap().contains("hunter2"));
    let outputs = dvt_project::profile::outputs(&input(&[]), "shop", &Verbatim).unwrap();
    assert_eq!(outputs[0].secrets["password"], "hunter2");
}

#[test]
fn a_key_filled_from_a_secret_variable_is_a_secret() {
    let mut i = input(&[]);
    i.profiles = Some("shop:\n  target: a\n  outputs:\n    a: {type: x, schema: s, apikey: \"{{ env_var('DBT_ENV_SECRET_K') }}\"}\n".into());
    assert!(!load(&i).manifest.targets[&TargetName::from("a")].keys.contains_key("apikey"));
}

#[test]
fn an_unknown_target_names_the_known_ones() {
    let mut i = input(&[]);
    i.target = Some("prod".into());
    let e = error(&i);
    assert_eq!(e.code, Code::TargetNotFound);
    assert_eq!(e.hint.unwrap(), "known targets: lake, pg");
}

#[test]
fn the_fallback_project_file_is_read_and_two_files_warn() {
    let mut i = input(&[]);
    let text = i.files.remove("dbt_project.yml").unwrap();
    i.files.insert("dvt_project.yml".into(), text.clone());
    assert_eq!(load(&i).manifest.project_name, "shop");
    i.files.insert("dbt_project.yml".into(), text.replace("shop", "main_one").replace("profile: main_one", "profile: shop"));
    let s = load(&i);
    assert_eq!(s.manifest.project_name, "main_one");
    assert!(s.warnings.iter().any(|w| w.code == Code::TwoProjectFiles));
}

#[test]
fn without_computes_there_is_one_named_default() {
    let m = load(&input(&[])).manifest;
    assert_eq!(m.default_compute, ComputeName::from("default"));
    assert_eq!(m.computes[&m.default_compute].kind, "duckdb");
}

#[test]
fn both_forms_of_computes_are_read() {
    let mut i = input(&[]);
    i.computes = Some("shop:\n  target: default\n  computes:\n    default: {type: duckdb, config: {memory_limit: 4GB}}\n    spark: {type: spark, version: \"3.5.0\", master: \"local[*]\", config: {spark.driver.memory: 2g}}\n".into());
    let m = load(&i).manifest;
    let spark = &m.computes[&ComputeName::from("spark")];
    assert_eq!((spark.master.as_deref(), spark.version.as_deref()), (Some("local[*]"), Some("3.5.0")));
    i.computes = Some("shop: {target: pg, computes: [{name: local_spark, type: spark, config: {master: \"local[*]\"}}]}".into());
    let s = load(&i);
    assert_eq!(s.manifest.default_compute, ComputeName::from("local_spark"));
    assert_eq!(s.manifest.computes[&ComputeName::from("local_spark")].master.as_deref(), Some("local[*]"));
    assert!(s.warnings.iter().any(|w| w.message.contains("names an output of the profile")));
}

#[test]
fn a_compute_file_with_a_typo_or_an_unknown_name_is_an_error() {
    let mut i = input(&[]);
    i.computes = Some("shop:\n  computes:\n    a: {typ: x}\n".into());
    let e = error(&i);
    assert_eq!((e.code, e.hint.as_deref()), (Code::ComputesFile, Some("did you mean `type`?")));
    i.computes = Some("shop: {target: pg, computes: {a: {type: x}, b: {type: y}}}".into());
    assert_eq!(error(&i).code, Code::UnknownCompute);
    i.computes = None;
    i.compute = Some("spark".into());
    assert_eq!(error(&i).hint.unwrap(), "known computes: default");
}

#[test]
fn files_are_sorted_by_their_folder_with_dbts_fqn() {
    let s = load(&input(&[
        ("models/staging/stg_a.sql", "select 1"),
        ("models/readme.md", "{% docs grain %}\none row\n{% enddocs %}"),
        ("seeds/codes.csv", "a\n1"),
        ("macros/m.sql", "{% macro m() %}{% endmacro %}"),
        ("tests/t.sql", "select 1"),
        ("tests/generic/g.sql", "{% test g(model) %}{% endtest %}"),
        ("snapshots/s.sql", ""),
        ("analyses/a.sql", ""),
        ("elsewhere/x.sql", ""),
    ]));
    let kinds: Vec<_> = s.sql_files.iter().map(|f| (f.stem().to_owned(), f.kind)).collect();
    assert_eq!(
        kinds,
        [
            ("stg_a".to_owned(), FileKind::Model),
            ("codes".to_owned(), FileKind::Seed),
            ("m".to_owned(), FileKind::Macro),
            ("g".to_owned(), FileKind::Macro),
            ("t".to_owned(), FileKind::SingularTest),
            ("s".to_owned(), FileKind::Snapshot),
            ("a".to_owned(), FileKind::Analysis),
        ]
    );
    assert_eq!(s.sql_files[0].fqn, ["shop", "staging", "stg_a"]);
    assert_eq!(s.manifest.docs["doc.shop.grain"].text, "one row");
}

#[test]
fn local_packages_and_adapter_packages_are_loaded_in_order() {
    let mut i = input(&[
        ("packages.yml", "packages:\n  - local: ./pkgs/tools\n"),
        ("pkgs/tools/dbt_project.yml", "name: tools\nvars: {x: 1, y: 1}\n"),
        ("pkgs/tools/macros/t.sql", "{% macro t() %}{% endmacro %}"),
        ("dbt_packages/other/dbt_project.yml", "name: other\n"),
        ("dbt_packages/other/models/o.sql", "select 1"),
    ]);
    i.files.insert("dbt_project.yml".into(), "name: shop\nprofile: shop\nvars: {y: 2, tools: {z: 3}}\n".into());
    i.adapter_packages.insert("postgres".into(), [("macros/p.sql".to_owned(), String::new())].into());
    let s = load(&i);
    let names: Vec<_> = s.packages.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["shop", "tools", "other", "dbt_postgres"]);
    let files: Vec<_> = s.sql_files.iter().map(|f| (f.package.as_str(), f.path.as_str())).collect();
    assert_eq!(files, [("tools", "macros/t.sql"), ("other", "models/o.sql"), ("dbt_postgres", "macros/p.sql")]);
    assert_eq!(s.manifest.vars["tools"], json!({"x": 1, "y": 2, "z": 3}));
    i.files.insert("packages.yml".into(), "packages:\n  - local: ./nowhere\n".into());
    assert_eq!(error(&i).code, Code::PackageInvalid);
}

const SOURCES: &str = "sources:\n  - name: crm\n    connection: lake\n    schema: raw\n    tables:\n      - name: a\n        columns:\n          - name: id\n            tests: [not_null]\n      - name: b\n        connection: pg\n        identifier: bb\n";

#[test]
fn a_source_lives_where_its_connection_says_and_tables_may_differ() {
    let m = load(&input(&[("models/s.yml", SOURCES)])).manifest;
    let a = &m.sources[&UniqueId::from("source.shop.crm.a")];
    let b = &m.sources[&UniqueId::from("source.shop.crm.b")];
    assert_eq!((a.connection.as_str(), a.relation.schema.as_deref(), a.relation.database.as_deref()), ("lake", Some("raw"), None));
    assert_eq!((b.connection.as_str(), b.relation.identifier.as_str(), b.relation.database.as_deref()), ("pg", "bb", Some("d")));
}

#[test]
fn all_four_spellings_of_a_connection_are_read() {
    for level in ["connection: lake", "config: {connection: lake}", "meta: {connection: lake}", "config: {meta: {connection: lake}}"] {
        let text = format!("sources:\n  - name: crm\n    {level}\n    tables: [{{name: a}}]\n");
        let m = load(&input(&[("models/s.yml", &text)])).manifest;
        assert_eq!(m.sources[&UniqueId::from("source.shop.crm.a")].connection.as_str(), "lake", "{level}");
    }
}

#[test]
fn without_a_connection_a_source_is_on_the_default_target_unless_strict() {
    let text = "sources:\n  - name: crm\n    tables: [{name: a}]\n";
    let mut i = input(&[("models/s.yml", text)]);
    assert_eq!(load(&i).manifest.sources[&UniqueId::from("source.shop.crm.a")].connection.as_str(), "pg");
    i.target = Some("lake".into());
    assert_eq!(load(&i).manifest.sources[&UniqueId::from("source.shop.crm.a")].connection.as_str(), "lake");
    i.files.insert("dbt_project.yml".into(), "name: shop\nprofile: shop\nflags: {strict_connections: true}\n".into());
    assert_eq!(error(&i).code, Code::ConnectionRequired);
}

#[test]
fn one_source_with_two_connections_is_refused_with_both_places() {
    let i = input(&[("models/a.yml", SOURCES), ("models/b.yml", "sources:\n  - name: crm\n    connection: pg\n    tables: [{name: c}]\n")]);
    let e = error(&i);
    assert_eq!(e.code, Code::ConflictingConnections);
    assert_eq!(e.span, Some(Span::new("models/b.yml", 3, 17)));
    assert_eq!(e.hint.unwrap(), "the first is in models/a.yml, line 3");
    let e = error(&input(&[("models/a.yml", "sources:\n  - {name: crm, connection: lak, tables: []}\n")]));
    assert_eq!((e.code, e.hint.as_deref()), (Code::TargetNotFound, Some("known targets: lake, pg")));
}

#[test]
fn tests_are_read_in_every_form() {
    let yml = "models:\n  - name: m\n    tests:\n      - dbt_utils.equal: {arguments: {to: x}}\n    columns:\n      - name: id\n        data_tests:\n          - unique\n          - not_null: {config: {severity: warn}, where: 'a > 1'}\n          - accepted_values:\n              values: [a, b]\n              name: my_check\n";
    let s = load(&input(&[("models/m.yml", yml)]));
    let t = |n: &str| s.properties.tests.iter().find(|t| t.test == n).unwrap();
    assert_eq!(t("equal").namespace.as_deref(), Some("dbt_utils"));
    assert_eq!(t("equal").kwargs["to"], "x");
    assert_eq!(t("equal").name, "dbt_utils_equal_m_x");
    assert_eq!(t("unique").owner, TestOwner::Node { name: "m".into(), version: None });
    assert_eq!((&t("not_null").config["severity"], &t("not_null").config["where"]), (&json!("warn"), &json!("a > 1")));
    assert_eq!(t("accepted_values").name, "my_check");
    assert_eq!(t("accepted_values").kwargs["values"], json!(["a", "b"]));
    assert_eq!(t("not_null").raw_code, "{{ test_not_null(**_dbt_generic_test_kwargs) }}{{ config(severity=\"warn\",where=\"a > 1\") }}");
    assert_eq!(t("unique").span, Span::new("models/m.yml", 8, 13));
}

#[test]
fn a_typo_in_properties_warns_with_a_suggestion_and_a_doc_call_is_resolved() {
    let yml = "models:\n  - name: m\n    desciption: x\n    description: \"{{ doc('grain') }}!\"\n    tags: [a]\n    config: {tags: [b]}\n";
    let s = load(&input(&[("models/m.yml", yml), ("models/d.md", "{% docs grain %}one row{% enddocs %}")]));
    let w = s.warnings.iter().find(|w| w.code == Code::UnknownKey).unwrap();
    assert_eq!(w.hint.as_deref(), Some("did you mean `description`?"));
    let patch = s.properties.patch("shop", PatchKind::Model, "m").unwrap();
    assert_eq!(patch.description, "one row!");
    assert_eq!(patch.config["tags"], json!(["a", "b"]));
}

#[test]
fn broken_properties_report_every_file() {
    let errors = skeleton(&input(&[("models/a.yml", "models: ["), ("models/b.yml", "models:\n  - description: x\n")]), &Verbatim).unwrap_err();
    assert_eq!(errors.iter().map(|e| e.code).collect::<Vec<_>>(), [Code::Yaml, Code::PropertyInvalid]);
}

/// Renders `{{ … }}` to a number: shows that YAML strings pass through Jinja and keep its types.
struct Seven;
impl RenderString for Seven {
    fn render(&self, _text: &str, _at: &Span) -> Result<Value, Diagnostic> {
        Ok(json!(7))
    }
}

#[test]
fn yaml_strings_are_rendered_with_types_but_hooks_are_not() {
    let mut i = input(&[]);
    i.files.insert("dbt_project.yml".into(), "name: shop\nprofile: shop\non-run-start: \"{{ a }}\"\nmodels: {+x: '{{ a }}', +post-hook: '{{ a }}'}\n".into());
    i.profiles = Some(PROFILES.replace("threads: 4", "threads: '{{ n }}'"));
    let m = skeleton(&i, &Seven).unwrap().manifest;
    assert_eq!(m.targets[&TargetName::from("pg")].threads, 7);
    assert_eq!(m.project["models"]["+x"], 7);
    assert_eq!(m.project["models"]["+post-hook"], "{{ a }}");
    assert_eq!(m.on_run_start[0].sql, "{{ a }}");
}

#[test]
fn an_output_that_cannot_be_rendered_only_matters_when_it_is_the_target() {
    struct NoVariables;
    impl RenderString for NoVariables {
        fn render(&self, _text: &str, at: &Span) -> Result<Value, Diagnostic> {
            Err(Diagnostic::error(Code::EnvVarNotFound, "env var `X` is not set").at(at.clone()))
        }
    }
    let mut i = input(&[]);
    i.profiles = Some(PROFILES.replace("path: l.db", "path: \"{{ env_var('X') }}\""));
    let s = skeleton(&i, &NoVariables).unwrap();
    assert_eq!(s.manifest.targets.len(), 1);
    assert!(s.warnings[0].message.contains("output `lake` of profile `shop` cannot be used"));
    i.target = Some("lake".into());
    assert_eq!(skeleton(&i, &NoVariables).unwrap_err()[0].code, Code::EnvVarNotFound);
}

#[test]
fn the_same_test_twice_is_an_error_not_a_lost_test() {
    let yml = "models:\n  - name: m\n    columns:\n      - name: id\n        tests: [unique]\n        data_tests: [{unique: {where: a}}]\n";
    assert_eq!(error(&input(&[("models/m.yml", yml)])).code, Code::DuplicateResource);
}
