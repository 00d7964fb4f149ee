//! The demo explained without a database, as it is and as people break it.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

fn files(folder: &Path, prefix: &str, out: &mut Map<String, Value>) {
    for path in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            files(&path, &format!("{name}/"), out);
        } else if path.extension().is_some_and(|e| e == "sql" || e == "yml") {
            out.insert(name, json!(std::fs::read_to_string(&path).unwrap()));
        }
    }
}

fn demo() -> Value {
    let mut question: Value = serde_json::from_str(&read("web-playground/demo/catalog.json")).unwrap();
    let mut all = Map::new();
    files(&root().join("tests/projects/demo"), "", &mut all);
    question["files"] = Value::Object(all);
    for kind in ["sqlite", "duckdb", "postgres"] {
        question["adapters"][kind] = json!({"sheet": read(&format!("plugins/adapters/{kind}/dialect.toml"))});
    }
    question
}

fn ask(question: &Value) -> Value {
    serde_json::from_str(&dvt_planner_session::explain(&question.to_string())).unwrap()
}

fn edited(path: &str, change: impl Fn(&str) -> String) -> Value {
    let mut question = demo();
    let text = question["files"][path].as_str().unwrap_or_default().to_owned();
    question["files"][path] = json!(change(&text));
    ask(&question)
}

fn model<'a>(answer: &'a Value, name: &str) -> &'a Value {
    answer["models"].as_array().unwrap().iter().find(|m| m["name"] == name).unwrap_or_else(|| panic!("{}", answer["diagnostics"]))
}

/// `code file:line:column` of each diagnostic.
fn told(answer: &Value) -> Vec<String> {
    let place = |d: &Value| match &d["span"] {
        Value::Null => "nowhere".to_owned(),
        s => format!("{}:{}:{}", s["file"].as_str().unwrap(), s["line"], s["column"]),
    };
    answer["diagnostics"].as_array().unwrap().iter().map(|d| format!("{} {}", d["code"].as_str().unwrap(), place(d))).collect()
}

const MART: &str = "models/marts/customer_revenue.sql";
const CRM: &str = "models/staging/crm/stg_customers.sql";

#[test]
fn every_model_of_the_demo_is_planned_with_and_without_pushdown() {
    let answer = ask(&demo());
    assert_eq!(told(&answer), Vec::<String>::new());
    let mart = model(&answer, "customer_revenue");
    assert_eq!((mart["path"].as_str(), mart["compute_type"].as_str()), (Some("federation"), Some("duckdb")));
    assert_eq!(mart["scans"].as_array().unwrap().len(), 5);
    let columns = |plan: &Value| plan["scans"].as_array().unwrap().iter().map(|s| s["columns"].as_array().unwrap().len()).sum::<usize>();
    assert!(columns(mart) < columns(&mart["whole"]));
    let kept = &mart["scans"][3]["kept"][0];
    assert_eq!((kept["at"]["file"].as_str(), kept["at"]["line"].as_u64()), (Some(MART), Some(10)));
    let native = model(&answer, "stg_orders");
    assert_eq!((native["path"].as_str(), native["delegates"][0]["source"].as_str()), (Some("pushdown"), Some("sales")));
    let inlined = model(&answer, "stg_customers");
    assert_eq!((inlined["ephemeral"].as_bool(), inlined["scans"].as_array().unwrap().len()), (Some(true), 0));
}

#[test]
fn an_error_in_an_ephemeral_parent_is_in_the_parents_file() {
    let answer = edited(CRM, |t| t.replace("n.n_name as nation", "n.n_nam as nation"));
    let column = read(&format!("tests/projects/demo/{CRM}")).lines().nth(1).unwrap().find("n_name").unwrap() + 1;
    // Both models that inline it.
    assert_eq!(told(&answer), [format!("DVT010 {CRM}:2:{column}"), format!("DVT010 {CRM}:2:{column}")]);
}

#[test]
fn a_relation_that_nobody_recorded_is_told_at_the_tag_that_names_it() {
    let mut question = demo();
    question["catalog"] = json!([]);
    let answer = ask(&question);
    let missing: Vec<String> = told(&answer).into_iter().filter(|t| t.contains(MART)).collect();
    assert_eq!(missing.len(), 0, "stg_customers is read first: {:?}", told(&answer));
    assert!(told(&answer).contains(&format!("DVT4001 {CRM}:3:6")), "{:?}", told(&answer));
}

#[test]
fn text_that_only_its_own_database_reads_is_doubted_not_refused() {
    let path = "models/staging/parts/stg_parts.sql";
    let answer = edited(path, |_| "{{ config(target='parts') }}\nselect from from {{ source('parts', 'part') }} where where".to_owned());
    let doubt = &answer["diagnostics"][0];
    assert_eq!((doubt["severity"].as_str(), doubt["code"].as_str(), doubt["span"]["line"].as_u64()), (Some("warning"), Some("DVT3001"), Some(2)));
    assert_eq!(model(&answer, "stg_parts")["path"], "pushdown");
}

#[test]
fn a_federated_view_is_warned_of() {
    let answer = edited(MART, |t| format!("{{{{ config(materialized='view') }}}}\n{t}"));
    assert_eq!(told(&answer), [format!("DVT001 {MART}:1:1")]);
}

#[test]
fn a_project_that_cannot_be_read_is_an_answer() {
    assert_eq!(told(&edited("dbt_project.yml", |_| String::new())).len(), 1);
    assert_eq!(told(&edited("models/sources.yml", |t| t.replace("connection: crm", "connection: crmm"))), ["DVT2101 models/sources.yml:4:17"]);
    let spark = edited("computes.yml", |_| "tpch_demo: {target: far, computes: {far: {type: spark}}}".to_owned());
    assert!(told(&spark).iter().all(|t| t.starts_with("DVT5001 models/marts/")) && told(&spark).len() == 3, "{:?}", told(&spark));
    assert_eq!(told(&serde_json::from_str(&dvt_planner_session::explain("{}")).unwrap()), ["DVT6008 nowhere"]);
}

#[test]
fn a_sheet_that_extends_another_may_come_before_it() {
    let mut question = demo();
    question["adapters"]["alike"] = json!({"sheet": "name = 'alike'\nextends = 'duckdb'\n"});
    let profiles = question["files"]["profiles.yml"].as_str().unwrap().replace("type: duckdb", "type: alike");
    question["files"]["profiles.yml"] = json!(profiles);
    let answer = ask(&question);
    assert_eq!(told(&answer), Vec::<String>::new());
    assert_eq!(model(&answer, "stg_parts")["dialect"], "alike");
}
