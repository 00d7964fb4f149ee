//! The bundled sheets fit together: what one means, the compute's sheet writes.
#![allow(clippy::unwrap_used, missing_docs)]

use dvt_planner::dialect::DialectSheet;
use std::collections::BTreeSet;

fn sheet(product: &str) -> DialectSheet {
    let path = format!("{}/../../plugins/adapters/{product}/dialect.toml", std::env::var("CARGO_MANIFEST_DIR").unwrap());
    DialectSheet::parse(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn every_meaning_of_a_model_has_a_text_at_the_compute_and_every_text_is_meant_by_someone() {
    let written: BTreeSet<String> = sheet("duckdb").compute.unwrap().text.into_keys().collect();
    let mut meant = BTreeSet::new();
    for product in ["postgres", "mysql", "sqlite"] {
        for rule in sheet(product).meaning.unwrap().rule {
            assert!(written.contains(&rule.means), "{product}: `{}` means {}, which has no text", rule.name.join(", "), rule.means);
            meant.insert(rule.means);
        }
    }
    let idle: Vec<&String> = written.difference(&meant).collect();
    assert!(idle.is_empty(), "texts that nobody means: {idle:?}");
}

#[test]
fn types_that_rules_and_casts_give_can_be_named_at_the_compute() {
    let compute = sheet("duckdb").compute.unwrap();
    for product in ["postgres", "mysql", "sqlite"] {
        let meaning = sheet(product).meaning.unwrap();
        for (name, kind) in &meaning.types {
            if !matches!(kind.as_str(), "decimal" | "text") {
                let kind = kind.parse().unwrap_or_else(|e| panic!("{product}: type `{name}`: {e}"));
                assert!(compute.name(kind).is_some(), "{product}: {kind} has no name at the compute");
            }
        }
        for rule in &meaning.rule {
            let special = ["same", "common", "wider", "wide", "sum", "product", "total", "asked"];
            if !special.contains(&rule.gives.as_str()) {
                let kind = rule.gives.parse().unwrap_or_else(|e| panic!("{product}: `{}` gives {}: {e}", rule.name.join(", "), rule.gives));
                assert!(compute.name(kind).is_some(), "{product}: {kind} has no name at the compute");
            }
        }
    }
}
