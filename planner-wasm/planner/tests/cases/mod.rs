//! The golden cases and the catalog that they are planned with.
#![allow(dead_code)]

use dvt_planner::catalog::{Catalog, Collation, ColumnSchema, RelationSchema};
use dvt_planner::dialect::Sheets;
use dvt_planner::ir::{FederatedPlan, Sink};
use dvt_planner::pushdown::verdict::Rules;
use dvt_planner::{PlanRequest, RelationUse, plan_by};
use dvt_project::{ComputeName, DialectName, RelationName, RelationRef, TargetName, UniqueId};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::OnceLock;

/// One case of a Markdown file.
pub struct Case {
    pub file: PathBuf,
    /// The heading: the fact.
    pub fact: String,
    pub dialect: String,
    pub sql: String,
    pub expect: String,
}

/// All cases, in the order of files and text.
pub fn cases() -> Vec<Case> {
    let mut files: Vec<_> = std::fs::read_dir(root().join("tests/pushdown")).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let mut out = Vec::new();
    for file in files.iter().filter(|p| p.extension().is_some_and(|e| e == "md") && !p.ends_with("README.md")) {
        let text = std::fs::read_to_string(file).unwrap();
        for case in text.split("\n## ").skip(1) {
            let (Some(sql), Some(expect)) = (block(case, "sql"), block(case, "expect")) else { continue };
            let (dialect, sql) = match sql.strip_prefix("-- dialect: ") {
                Some(rest) => rest.split_once('\n').unwrap(),
                None => ("duckdb", sql),
            };
            let fact = case.lines().next().unwrap().to_owned();
            out.push(Case { file: file.clone(), fact, dialect: dialect.to_owned(), sql: sql.to_owned(), expect: expect.to_owned() });
        }
    }
    out
}

fn block<'a>(case: &'a str, kind: &str) -> Option<&'a str> {
    let start = case.find(&format!("```{kind}\n"))? + kind.len() + 4;
    Some(&case[start..start + case[start..].find("```")?])
}


pub fn root() -> PathBuf {
    PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../..")
}

/// Relation, target, columns (`name type`, `~` after a text type for a loose collation, `!` for a type refused).
const RELATIONS: &[(&str, &str, &str)] = &[
    ("orders", "pg", "id int64, customer_id int64, status text, amount decimal(15,2), ordered date, note text~, weight float64, place!"),
    ("customers", "lite", "id int64, name text, country text~, active bool, since date, credit decimal(15,2)"),
    ("items", "duck", "order_id int64, sku text, qty int32, shipped timestamp"),
];

fn reference(name: &str) -> RelationRef {
    let (_, target, _) = RELATIONS.iter().find(|r| r.0 == name).unwrap();
    let name = RelationName { database: None, schema: Some("main".into()), identifier: name.into() };
    RelationRef { target: TargetName::from(*target), name }
}

fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    for (name, _, columns) in RELATIONS {
        let columns = columns
            .split(", ")
            .map(|c| {
                let refused = c.ends_with('!');
                let loose = c.ends_with('~');
                let (name, kind) = c.trim_end_matches(['!', '~']).split_once(' ').unwrap_or((c.trim_end_matches('!'), "point"));
                ColumnSchema {
                    name: name.into(),
                    native: kind.into(),
                    canonical: (!refused).then(|| kind.parse().unwrap()),
                    refused: None,
                    collation: if loose { Collation::Loose } else { Collation::Binary },
                }
            })
            .collect();
        catalog.insert(reference(name), RelationSchema { columns, rows: None, bytes: None });
    }
    catalog
}

fn sheets() -> Sheets {
    let mut sheets = Sheets::default();
    for product in ["sqlite", "duckdb", "postgres"] {
        let path = root().join("plugins/adapters").join(product).join("dialect.toml");
        sheets.add(&std::fs::read_to_string(path).unwrap()).unwrap();
    }
    sheets
}

fn dialect_of(target: &TargetName) -> Option<DialectName> {
    Some(DialectName::from(match target.as_str() {
        "pg" => "postgres",
        "lite" => "sqlite",
        _ => "duckdb",
    }))
}

/// Read once: the mutants plan every case dozens of times.
static SHEETS: OnceLock<Sheets> = OnceLock::new();
static CATALOG: OnceLock<Catalog> = OnceLock::new();

pub fn planned(template: &str, dialect: &str, no_pushdown: bool, rules: &Rules) -> Result<FederatedPlan, dvt_diagnostic::Diagnostic> {
    let mut sql = String::new();
    let mut relations: Vec<RelationUse> = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap();
        sql.push_str(before);
        let start = sql.len();
        let _ = write!(sql, "\"main\".\"{name}\"");
        let range = start..sql.len();
        match relations.iter_mut().find(|r| r.relation == reference(name)) {
            Some(known) => known.at.push(range),
            None => relations.push(RelationUse { relation: reference(name), at: vec![range] }),
        }
        rest = after;
    }
    sql.push_str(rest);
    let sink = Sink {
        target: TargetName::from("wh"),
        relation: RelationName { database: None, schema: None, identifier: "m".into() },
        materialized: "table".into(),
    };
    let request = PlanRequest {
        unique_id: &UniqueId::from("model.p.m"),
        sql: &sql,
        relations: &relations,
        dialect: &DialectName::from(dialect),
        compute: &ComputeName::from("default"),
        compute_dialect: &DialectName::from("duckdb"),
        target_dialect: &dialect_of,
        sheets: SHEETS.get_or_init(sheets),
        catalog: CATALOG.get_or_init(catalog),
        sink,
        no_pushdown,
    };
    plan_by(&request, rules)
}

pub fn printed(result: &Result<FederatedPlan, dvt_diagnostic::Diagnostic>) -> String {
    let mut out = String::new();
    match result {
        Err(d) => {
            let _ = writeln!(out, "{d}");
        }
        Ok(plan) => {
            for d in &plan.delegates {
                let _ = writeln!(out, "{} <- all: {}", d.source, d.sql.split_whitespace().collect::<Vec<_>>().join(" "));
            }
            for s in &plan.scans {
                let _ = writeln!(out, "{} <- {}", s.source, s.sql);
                for p in &s.pushed {
                    let _ = writeln!(out, "  {:?}: {}", p.class, p.sql);
                }
                for k in &s.kept {
                    let _ = writeln!(out, "  kept: {} ({})", k.sql, k.reason);
                }
            }
            if let Some(r) = &plan.residual {
                let _ = writeln!(out, "{}", r.sql.split_whitespace().collect::<Vec<_>>().join(" "));
            }
        }
    }
    out
}

