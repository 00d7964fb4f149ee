//! The bundled sheets fit together: what one means, the computes' sheets write.
#![allow(clippy::unwrap_used, missing_docs)]

use dvt_planner::dialect::DialectSheet;
use std::collections::BTreeSet;

fn sheet(folder: &str) -> DialectSheet {
    let path = format!("{}/../../plugins/{folder}/dialect.toml", std::env::var("CARGO_MANIFEST_DIR").unwrap());
    DialectSheet::parse(&std::fs::read_to_string(path).unwrap()).unwrap()
}

const MODELS: [&str; 4] = ["adapters/postgres", "adapters/mysql", "adapters/sqlite", "adapters/duckdb"];
const COMPUTES: [&str; 2] = ["adapters/duckdb", "computes/spark"];
/// What a compute cannot say, so that models which mean it are refused there.
const UNSAID: [(&str, &str); 5] = [
    ("computes/spark", "divide_as_numeric"),
    ("computes/spark", "average_as_numeric"),
    ("computes/spark", "divide_to_shares"),
    ("computes/spark", "divide_finite"),
    ("computes/spark", "average_of_shares"),
];

#[test]
fn every_meaning_of_a_model_has_a_text_at_the_compute_and_every_text_is_meant_by_someone() {
    for compute in COMPUTES {
        // What stands behind `:` is a case of the meaning before it.
        let written: BTreeSet<String> = sheet(compute).compute.unwrap().text.into_keys().filter(|k| !k.contains(':')).collect();
        let mut meant = BTreeSet::new();
        // Text in the compute's own dialect is not translated.
        for product in MODELS.into_iter().filter(|m| *m != compute) {
            for rule in sheet(product).meaning.unwrap().rule {
                assert!(written.contains(&rule.means) != UNSAID.contains(&(compute, &rule.means)), "{product}: `{}` means {}, which has no text in {compute}", rule.name.join(", "), rule.means);
                meant.insert(rule.means);
            }
        }
        let idle: Vec<&String> = written.difference(&meant).collect();
        assert!(idle.is_empty(), "texts of {compute} that nobody means: {idle:?}");
    }
}

#[test]
fn types_that_rules_and_casts_give_can_be_named_at_the_compute() {
    for name in COMPUTES {
        let compute = sheet(name).compute.unwrap();
        for product in MODELS.into_iter().filter(|m| *m != name) {
            let meaning = sheet(product).meaning.unwrap();
            for (name, kind) in &meaning.types {
                if !matches!(kind.as_str(), "decimal" | "text") {
                    let kind = kind.parse().unwrap_or_else(|e| panic!("{product}: type `{name}`: {e}"));
                    assert!(compute.name(kind).is_some(), "{product}: {kind} has no name at the compute");
                }
            }
            for rule in &meaning.rule {
                let special = ["same", "common", "wider", "wide", "sum", "product", "total", "rounded", "digits", "four more", "quotient", "asked"];
                if !special.contains(&rule.gives.as_str()) {
                    let kind = rule.gives.trim_start_matches("free ").parse().unwrap_or_else(|e| panic!("{product}: `{}` gives {}: {e}", rule.name.join(", "), rule.gives));
                    assert!(compute.name(kind).is_some(), "{product}: {kind} has no name at the compute");
                }
            }
        }
    }
}
