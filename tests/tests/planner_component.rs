//! The planner as a component under wasmtime gives the bytes that the native crates give: for every golden case and for
//! the demo project.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../../planner-wasm/planner/tests/cases/mod.rs"]
mod cases;

use cases::root;
use cases::tables::{catalog_of, column, sheets_of, sink};
use dvt_diagnostic::Diagnostic;
use dvt_planner::catalog::{ColumnSchema, RelationSchema};
use dvt_planner::dialect::DialectSheet;
use dvt_planner::{PlanRequest, RelationUse, plan};
use dvt_project::{ComputeName, DialectName, Invocation, ProjectInput, RelationRef, TargetName, UniqueId};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, Store};

mod bindings {
    wasmtime::component::bindgen!({ path: "../planner-wasm/component/wit", world: "planner-component" });
}

struct World {
    store: Store<()>,
    planner: bindings::PlannerComponent,
}

fn world() -> World {
    let target = std::env::var("CARGO_TARGET_DIR").expect("CARGO_TARGET_DIR names where `cargo xtask planner` put the component");
    let file = Path::new(&target).join("planner/dvt-planner.wasm");
    let bytes = std::fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}; run `cargo xtask planner` (make test does)", file.display()));
    let mut config = Config::new();
    config.wasm_component_model(true);
    // What plugins get, and what a browser has.
    config.max_wasm_stack(1 << 20);
    let engine = Engine::new(&config).unwrap();
    let component = Component::new(&engine, bytes).unwrap();
    // Nothing is linked: the planner imports nothing.
    let linker: Linker<()> = Linker::new(&engine);
    let mut store = Store::new(&engine, ());
    let planner = bindings::PlannerComponent::instantiate(&mut store, &component, &linker).unwrap();
    World { store, planner }
}

fn sheet_texts() -> Vec<String> {
    cases::SHEETS.iter().map(|p| std::fs::read_to_string(root().join("plugins").join(p)).unwrap()).collect()
}

/// One question, asked natively and of the component.
struct Question {
    sql: String,
    relations: Vec<RelationUse>,
    dialect: DialectName,
    targets: BTreeMap<TargetName, DialectName>,
    catalog: Vec<(RelationRef, RelationSchema)>,
    no_pushdown: bool,
}

fn answer(result: Result<String, Diagnostic>) -> Result<String, String> {
    result.map_err(|e| serde_json::to_string(&e).unwrap())
}

fn natively(q: &Question) -> Result<String, String> {
    answer(
        plan(&PlanRequest {
            unique_id: &UniqueId::from("model.p.m"),
            sql: &q.sql,
            relations: &q.relations,
            dialect: &q.dialect,
            compute: &ComputeName::from("default"),
            compute_dialect: &DialectName::from("duckdb"),
            target_dialect: &|t| q.targets.get(t).cloned(),
            sheets: &sheets_of(cases::SHEETS),
            catalog: &catalog_of(q.catalog.clone()),
            sink: sink("wh"),
            no_pushdown: q.no_pushdown,
        })
        .map(|p| serde_json::to_string(&p).unwrap()),
    )
}

fn by_component(world: &mut World, q: &Question) -> Result<String, String> {
    let request = json!({
        "unique_id": "model.p.m", "sql": q.sql, "dialect": q.dialect, "compute": "default", "compute_dialect": "duckdb",
        "relations": q.relations.iter().map(|r| json!({"relation": r.relation, "at": r.at})).collect::<Vec<_>>(),
        "target_dialects": q.targets, "sheets": sheet_texts(), "sink": sink("wh"), "no_pushdown": q.no_pushdown,
        "catalog": q.catalog.iter().map(|(r, s)| json!({"relation": r, "schema": s})).collect::<Vec<_>>(),
    });
    world.planner.dvt_planner_planner().call_plan(&mut world.store, &request.to_string()).expect("the planner never traps")
}

fn golden(template: &str, dialect: &str, no_pushdown: bool) -> Question {
    let (sql, relations) = cases::filled(template);
    let targets = ["pg", "lite", "duck", "wh"].map(TargetName::from).map(|t| (t.clone(), cases::dialect_of(&t).unwrap()));
    Question { sql, relations, dialect: dialect.into(), targets: BTreeMap::from(targets), catalog: cases::relations(&[]), no_pushdown }
}

#[test]
fn every_golden_case_plans_to_the_same_bytes() {
    let mut world = world();
    let mut count = 0;
    for case in cases::cases() {
        for no_pushdown in [false, true] {
            let q = golden(&case.sql, &case.dialect, no_pushdown);
            assert_eq!(by_component(&mut world, &q), natively(&q), "{}: {}", case.file.display(), case.fact);
            count += 1;
        }
    }
    assert!(count >= 40, "only {count} plans were compared");
}

fn demo() -> ProjectInput {
    let folder = root().join("tests/projects/demo");
    let mut input = ProjectInput { implicit_compute: "duckdb".into(), ..ProjectInput::default() };
    let mut folders = vec![folder.clone()];
    while let Some(next) = folders.pop() {
        for path in std::fs::read_dir(next).unwrap().map(|e| e.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "sql" || e == "yml") {
                let name = path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
                input.files.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    input.profiles = input.files.remove("profiles.yml");
    for (kind, text) in ["sqlite", "duckdb", "postgres"].iter().zip(sheet_texts()) {
        input.adapters.insert((*kind).into(), DialectSheet::parse(&text).unwrap().profile);
    }
    input.invocation = Invocation { id: "i".into(), started_at: "2024-01-01T00:00:00.000000Z".into(), which: "compile".into(), ..Invocation::default() };
    input
}

#[test]
fn a_project_parses_compiles_and_plans_to_the_same_bytes() {
    let mut world = world();
    let input = demo();
    let native = dvt_jinja::parse(&input).unwrap();
    let api = world.planner.dvt_planner_planner();
    let project = api.project().call_open(&mut world.store, &serde_json::to_string(&input).unwrap()).unwrap().unwrap();
    let manifest = api.project().call_manifest(&mut world.store, project).unwrap();
    assert!(manifest == serde_json::to_string(native.manifest.as_ref()).unwrap(), "the manifests differ");
    let mut planned = 0;
    for (id, node) in &native.manifest.nodes {
        let here = answer(native.engine.compile(id, None).map(|c| serde_json::to_string(&c).unwrap()));
        let there = world.planner.dvt_planner_planner().project().call_compile(&mut world.store, project, id.as_str()).unwrap();
        assert_eq!(there, here, "{id}");
        let Ok(compiled) = native.engine.compile(id, None) else { continue };
        // A catalog of what each relation would need: every identifier of the text as a column.
        let relations: Vec<RelationUse> = compiled.relations.iter().map(|u| RelationUse { relation: u.relation.clone(), at: u.at.clone() }).collect();
        let words: std::collections::BTreeSet<&str> = compiled.sql.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| w.contains('_')).collect();
        let columns: Vec<ColumnSchema> = words.iter().map(|w| column(&format!("{w} text"))).collect();
        let catalog = relations.iter().map(|r| (r.relation.clone(), RelationSchema { columns: columns.clone(), rows: None, bytes: None, unique: Vec::new() })).collect();
        let targets = native.manifest.targets.iter().map(|(t, x)| (t.clone(), DialectName::from(x.adapter.as_str()))).collect();
        let q = Question { sql: compiled.sql.clone(), relations, dialect: node.dialect.clone(), targets, catalog, no_pushdown: false };
        assert_eq!(by_component(&mut world, &q), natively(&q), "{id}");
        planned += usize::from(natively(&q).is_ok());
    }
    assert!(planned >= 5, "only {planned} nodes were planned");
}

#[test]
fn a_whole_project_is_explained_in_the_same_bytes() {
    let mut world = world();
    let input = demo();
    let mut files = input.files.clone();
    files.insert("profiles.yml".into(), input.profiles.unwrap());
    let recorded = std::fs::read_to_string(root().join("web-playground/demo/catalog.json")).unwrap();
    let mut question: Value = serde_json::from_str(&recorded).unwrap();
    question["files"] = json!(files);
    question["adapters"] = ["sqlite", "duckdb", "postgres"].iter().zip(sheet_texts()).map(|(kind, sheet)| ((*kind).to_owned(), json!({"sheet": sheet}))).collect();
    for broken in [false, true] {
        if broken {
            question["files"]["models/marts/region_report.sql"] = json!("select {{ no_such_macro() }}");
        }
        let there = world.planner.dvt_planner_planner().call_explain(&mut world.store, &question.to_string()).expect("the planner never traps");
        assert_eq!(there, dvt_planner_session::explain(&question.to_string()));
        let answer: Value = serde_json::from_str(&there).unwrap();
        assert_eq!(answer["models"].as_array().unwrap().len(), if broken { 0 } else { 8 }, "{}", answer["diagnostics"]);
    }
}

#[test]
fn deep_nesting_is_a_diagnostic_in_the_component_too() {
    let mut world = world();
    for n in [70, 200, 3000] {
        let q = golden(&format!("select {}1{} from {{items}}, {{customers}}", "(".repeat(n), ")".repeat(n)), "duckdb", false);
        let there = by_component(&mut world, &q);
        assert_eq!(there, natively(&q));
        let error: Value = serde_json::from_str(&there.unwrap_err()).unwrap();
        assert_eq!(error["code"], "DVT3002");
    }
    let mut input = demo();
    input.files.insert("models/deep.sql".into(), format!("select {{{{ {}1{} }}}}", "(".repeat(3000), ")".repeat(3000)));
    let api = world.planner.dvt_planner_planner();
    let refused = api.project().call_open(&mut world.store, &serde_json::to_string(&input).unwrap()).expect("the planner never traps").unwrap_err();
    assert_eq!(refused, serde_json::to_string(&dvt_jinja::parse(&input).unwrap_err()).unwrap());
    assert!(refused.contains("DVT2001"), "{refused}");
    input.files.insert("models/deep.sql".into(), "select {{ down(5000) }}".into());
    input.files.insert("macros/deep.sql".into(), "{% macro down(n) %}{{ down(n - 1) if n > 0 }}{% endmacro %}".into());
    let refused = world.planner.dvt_planner_planner().project().call_open(&mut world.store, &serde_json::to_string(&input).unwrap()).expect("the planner never traps").unwrap_err();
    assert!(refused.contains("levels deep"), "{refused}");
}
