//! Targets, paths, graph and selection over manifests made by hand.
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::disallowed_methods)]

use dvt_diagnostic::{Code, Span};
use dvt_project::input::AdapterFacts;
use dvt_project::render::Verbatim;
use dvt_project::select::{Request, select};
use dvt_project::{DependsOn, ExecutionPath, Graph, Manifest, Node, ProjectInput, ResourceType, TestFacts, UniqueId, paths, skeleton};
use serde_json::{Map, Value, json};

fn input() -> ProjectInput {
    let mut input = ProjectInput { implicit_compute: "duckdb".into(), ..ProjectInput::default() };
    input.profiles = Some("p:\n  target: pg\n  outputs:\n    pg: {type: postgres, schema: s}\n    lake: {type: duckdb, schema: main}\n".into());
    input.files.insert("dbt_project.yml".into(), "name: shop\nprofile: p\n".into());
    input.files.insert("models/s.yml".into(), "sources:\n  - {name: a, connection: pg, tables: [{name: t}]}\n  - {name: b, connection: lake, tables: [{name: t}]}\n".into());
    for (adapter, dialect) in [("postgres", "postgres"), ("duckdb", "duckdb")] {
        input.adapters.insert(adapter.into(), AdapterFacts { dialect: dialect.into(), ..AdapterFacts::default() });
    }
    input
}

fn manifest(nodes: Vec<Node>) -> Manifest {
    let mut manifest = skeleton(&input(), &Verbatim).unwrap().manifest;
    manifest.nodes = nodes.into_iter().map(Box::new).collect();
    manifest
}

fn node(kind: ResourceType, name: &str, config: Value, on: &[&str]) -> Node {
    let config: Map<String, Value> = config.as_object().unwrap().clone();
    Node {
        unique_id: UniqueId::new(format!("{}.shop.{name}", kind.as_str())),
        resource_type: kind,
        name: name.into(),
        package: "shop".into(),
        path: format!("models/stage/{name}.sql"),
        fqn: vec!["shop".into(), "stage".into(), name.into()],
        language: "sql".into(),
        tags: dvt_project::config::tags(&config),
        config: config.into(),
        alias: name.into(),
        depends_on: DependsOn { macros: vec![], nodes: on.iter().map(|s| UniqueId::from(*s)).collect() },
        test: (kind == ResourceType::Test).then(|| TestFacts { generic: Some("unique".into()), ..TestFacts::default() }),
        checksum: "c".into(),
        span: Span::file(format!("models/stage/{name}.sql")),
        ..Node::default()
    }
}

fn model(name: &str, config: Value, on: &[&str]) -> Node {
    node(ResourceType::Model, name, config, on)
}

fn place(m: &Manifest, id: &str) -> (String, ExecutionPath) {
    let n = &m.nodes[&UniqueId::from(id)];
    (n.target.to_string(), n.execution)
}

#[test]
fn a_model_federates_exactly_when_an_upstream_lives_elsewhere() {
    let mut m = manifest(vec![
        model("same", json!({}), &["source.shop.a.t"]),
        model("other", json!({}), &["source.shop.b.t"]),
        model("moved", json!({"target": "lake"}), &["source.shop.b.t"]),
        model("none", json!({"target": "lake"}), &[]),
    ]);
    paths::resolve(&mut m, &input()).unwrap();
    assert_eq!(place(&m, "model.shop.same"), ("pg".into(), ExecutionPath::Pushdown));
    assert_eq!(place(&m, "model.shop.other"), ("pg".into(), ExecutionPath::Federation));
    assert_eq!(place(&m, "model.shop.moved"), ("lake".into(), ExecutionPath::Pushdown));
    assert_eq!(place(&m, "model.shop.none"), ("lake".into(), ExecutionPath::Pushdown));
    assert_eq!(m.nodes[&UniqueId::from("model.shop.moved")].dialect.as_str(), "duckdb");
}

#[test]
fn ephemerals_are_seen_through_at_any_depth() {
    let mut m = manifest(vec![
        model("e1", json!({"materialized": "ephemeral"}), &["source.shop.b.t"]),
        model("e2", json!({"materialized": "ephemeral"}), &["model.shop.e1"]),
        model("x", json!({}), &["model.shop.e2"]),
        model("y", json!({"target": "lake"}), &["model.shop.e2"]),
    ]);
    paths::resolve(&mut m, &input()).unwrap();
    assert_eq!(place(&m, "model.shop.x").1, ExecutionPath::Federation);
    assert_eq!(place(&m, "model.shop.y").1, ExecutionPath::Pushdown);
}

#[test]
fn a_test_runs_where_the_first_thing_it_reads_lives_and_federates_over_two() {
    let mut m = manifest(vec![
        node(ResourceType::Test, "one", json!({}), &["source.shop.b.t"]),
        node(ResourceType::Test, "two", json!({}), &["source.shop.b.t", "source.shop.a.t"]),
    ]);
    paths::resolve(&mut m, &input()).unwrap();
    assert_eq!(place(&m, "test.shop.one"), ("lake".into(), ExecutionPath::Pushdown));
    assert_eq!(place(&m, "test.shop.two"), ("lake".into(), ExecutionPath::Federation));
}

#[test]
fn the_cli_target_moves_every_model_and_warns_about_the_dialect() {
    let mut m = manifest(vec![model("x", json!({"target": "lake"}), &["source.shop.b.t"])]);
    let mut i = input();
    i.target = Some("pg".into());
    let warnings = paths::resolve(&mut m, &i).unwrap();
    assert_eq!(place(&m, "model.shop.x"), ("pg".into(), ExecutionPath::Federation));
    assert_eq!(warnings[0].code, Code::DialectOverride);
}

#[test]
fn unknown_targets_and_computes_are_all_reported_with_the_known_ones() {
    let mut m = manifest(vec![model("x", json!({"target": "nope"}), &[]), model("y", json!({"compute": "spark"}), &[])]);
    let errors = paths::resolve(&mut m, &input()).unwrap_err();
    assert_eq!(errors.iter().map(|e| e.code).collect::<Vec<_>>(), [Code::TargetNotFound, Code::UnknownCompute]);
    assert_eq!(errors[0].hint.as_deref(), Some("known targets: lake, pg"));
}

#[test]
fn a_cycle_names_its_path() {
    let m = manifest(vec![model("a", json!({}), &["model.shop.c"]), model("b", json!({}), &["model.shop.a"]), model("c", json!({}), &["model.shop.b"]), model("d", json!({}), &["model.shop.c"])]);
    let e = Graph::new(&m).unwrap_err();
    assert_eq!(e.code, Code::Cycle);
    assert_eq!(e.message, "the nodes depend on each other in a circle: model.shop.a -> model.shop.b -> model.shop.c -> model.shop.a");
}

fn chosen(spec: &[&str], exclude: &[&str]) -> Vec<String> {
    let m = manifest(vec![
        model("m1", json!({"tags": ["x"], "materialized": "view"}), &["source.shop.a.t"]),
        model("m2", json!({"materialized": "table", "tags": ["x", "y"]}), &["model.shop.m1"]),
        model("m3", json!({}), &["model.shop.m2", "source.shop.b.t"]),
        model("m4", json!({}), &["model.shop.m3"]),
        node(ResourceType::Test, "t2", json!({}), &["model.shop.m2"]),
    ]);
    let graph = Graph::new(&m).unwrap();
    let own = |l: &[&str]| l.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    let (spec, exclude) = (own(spec), own(exclude));
    let chosen = select(&m, &graph, &Request { select: &spec, exclude: &exclude, blank: true, ..Request::default() }).unwrap();
    chosen.ids.iter().map(|i| i.as_str().rsplit_once("shop.").unwrap().1.to_owned()).collect()
}

#[test]
fn selection_follows_dbts_operators() {
    assert_eq!(chosen(&["m2"], &[]), ["m2", "t2"]);
    assert_eq!(chosen(&["+m2"], &["test_type:generic"]), ["m1", "m2", "a.t"]);
    assert_eq!(chosen(&["1+m3"], &[]), ["m2", "m3", "b.t", "t2"]);
    assert_eq!(chosen(&["m2+1"], &[]), ["m2", "m3", "t2"]);
    assert_eq!(chosen(&["@m3"], &["resource_type:source"]), ["m1", "m2", "m3", "m4", "t2"]);
    assert_eq!(chosen(&["m1 m4"], &[]), ["m1", "m4"]);
    assert_eq!(chosen(&["tag:x,config.materialized:table"], &[]), ["m2", "t2"]);
    assert_eq!(chosen(&["tag:x"], &["m1"]), ["m2", "t2"]);
    assert_eq!(chosen(&["source:b+"], &[]), ["m3", "m4", "b.t"]);
    assert_eq!(chosen(&["m?"], &["t2"]), ["m1", "m2", "m3", "m4"]);
    assert_eq!(chosen(&["shop.stage.m1"], &[]), ["m1"]);
    assert_eq!(chosen(&["path:models/stage", "file:m1.sql"], &["resource_type:test"]), ["m1", "m2", "m3", "m4"]);
    assert_eq!(chosen(&["models/stage/m4.sql"], &[]), ["m4"]);
    assert_eq!(chosen(&["nothing"], &[]), Vec::<String>::new());
    assert_eq!(chosen(&[], &["m3+"]), ["m1", "m2", "a.t", "b.t", "t2"]);
}

#[test]
fn an_unknown_method_is_an_error_with_a_suggestion() {
    let m = manifest(vec![]);
    let graph = Graph::new(&m).unwrap();
    let e = select(&m, &graph, &Request { select: &["tags:x".to_owned()], ..Request::default() }).unwrap_err();
    assert_eq!((e.code, e.hint.as_deref()), (Code::SelectorInvalid, Some("did you mean `tag:`?")));
}

mod artifacts {
    use super::*;
    use dvt_project::artifacts::{ArtifactMeta, RunResult, Timing, manifest_json, run_results_json};
    use std::collections::BTreeMap;
    use std::io::Write;
    use std::process::{Command, Stdio};

    /// Checks `document` with Python's jsonschema; says why it could not, when it could not.
    fn check(schema: &str, document: &Value) {
        let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap() + "/../../../shared/schemas/";
        let path = format!("{folder}{schema}");
        if !std::path::Path::new(&path).exists() {
            eprintln!("SKIPPED (1): {path} is absent");
            return;
        }
        let code = "import json,sys\ntry:\n import jsonschema\nexcept ImportError:\n sys.exit(3)\nd=json.load(sys.stdin)\n\
            v=jsonschema.Draft202012Validator(json.load(open(sys.argv[1])))\n\
            def leaf(e):\n return [x for c in e.context for x in leaf(c)] or [e]\n\
            es=[x for e in v.iter_errors(d) for x in leaf(e)]\n\
            es and sys.exit('\\n'.join(str(list(e.absolute_path))+': '+e.message[:200] for e in es[:20]))";
        let mut child = Command::new("python3").args(["-c", code, &path]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(document.to_string().as_bytes()).unwrap();
        let out = child.wait_with_output().unwrap();
        if out.status.code() == Some(3) {
            eprintln!("SKIPPED (1): Python has no jsonschema");
            return;
        }
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }

    #[test]
    fn the_manifest_is_valid_v12_for_every_resource_type() {
        let mut nodes = Vec::new();
        for kind in [ResourceType::Model, ResourceType::Seed, ResourceType::Snapshot, ResourceType::Analysis, ResourceType::Test, ResourceType::Operation] {
            let mut config = Value::Object(dvt_project::config::defaults(kind.as_str()));
            config["target"] = json!("lake");
            nodes.push(node(kind, &format!("n_{}", kind.as_str()), config, &["source.shop.a.t"]));
        }
        let mut singular = node(ResourceType::Test, "single", Value::Object(dvt_project::config::defaults("test")), &["source.shop.a.t"]);
        singular.test = None;
        nodes.push(singular);
        let mut m = manifest(nodes);
        m.docs.insert("doc.shop.d".into(), dvt_project::DocBlock { text: "text".into(), ..Default::default() });
        let i = input();
        let json = manifest_json(&m, &BTreeMap::new(), ArtifactMeta { input: &i, generated_at: "2026-01-01T00:00:00Z" });
        assert_eq!(json["sources"]["source.shop.a.t"]["relation_name"], "a.t");
        assert_eq!(json["child_map"]["source.shop.a.t"].as_array().unwrap().len(), 7);
        check("manifest-v12.json", &json);
    }

    #[test]
    fn run_results_are_valid_v6() {
        let result = RunResult {
            status: "success".into(),
            unique_id: "model.shop.m1".into(),
            thread_id: "Thread-1".into(),
            timing: vec![Timing { name: "execute".into(), started_at: None, completed_at: None }],
            ..RunResult::default()
        };
        let i = input();
        let json = run_results_json(&[result], 1.5, &Map::new(), ArtifactMeta { input: &i, generated_at: "2026-01-01T00:00:00Z" });
        check("run-results-v6.json", &json);
    }
}
