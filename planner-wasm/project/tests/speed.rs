//! Loading cost of a large project. A guard with a wide margin, not a benchmark (`tests/bench` has those).
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::disallowed_methods)]

use dvt_project::render::Verbatim;
use dvt_project::{ProjectInput, skeleton};
use std::fmt::Write;
use std::time::{Duration, Instant};

#[test]
fn ten_thousand_models_with_twenty_thousand_tests_load_within_a_fraction_of_the_budget() {
    let mut input = ProjectInput { profiles: Some("p: {target: a, outputs: {a: {type: x, schema: s}}}".into()), ..ProjectInput::default() };
    input.files.insert("dbt_project.yml".into(), "name: synth\nprofile: p\nmodels: {synth: {+materialized: view}}\n".into());
    for group in 0..200 {
        let mut yml = String::from("version: 2\nmodels:\n");
        for i in 0..50 {
            let name = format!("m{group}_{i}");
            input.files.insert(format!("models/g{group}/{name}.sql"), "select id, amount from {{ ref('x') }}\n".repeat(8));
            write!(yml, "  - name: {name}\n    description: Model {name}.\n    columns:\n      - name: id\n        description: key\n        data_tests: [not_null, unique]\n      - name: amount\n        description: cents\n").unwrap();
        }
        input.files.insert(format!("models/g{group}/schema.yml"), yml);
    }
    let start = Instant::now();
    let skeleton = skeleton(&input, &Verbatim).unwrap();
    let took = start.elapsed();
    eprintln!("loaded 10,000 models in {took:?}");
    assert_eq!((skeleton.sql_files.len(), skeleton.properties.tests.len()), (10_000, 20_000));
    // The goal is 2 s of CPU for an optimised build; a debug build on a busy machine gets more.
    let limit = if cfg!(debug_assertions) { 20 } else { 2 };
    assert!(took < Duration::from_secs(limit), "{took:?}");
}
