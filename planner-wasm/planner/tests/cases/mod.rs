//! The golden cases and the catalog that they are planned with.
#![allow(dead_code)]

pub mod tables;

use dvt_planner::catalog::{Catalog, RelationSchema};
use dvt_planner::dialect::Sheets;
use dvt_planner::ir::FederatedPlan;
use dvt_planner::pushdown::verdict::Rules;
use dvt_planner::reduce::{arrange, condition};
use dvt_planner::{PlanRequest, RelationUse, plan_by};
use dvt_project::{ComputeName, DialectName, RelationRef, TargetName, UniqueId};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::OnceLock;
pub use tables::root;

/// One case of a Markdown file.
pub struct Case {
    pub file: PathBuf,
    /// The heading: the fact.
    pub fact: String,
    pub dialect: String,
    pub sql: String,
    pub expect: String,
}

impl Case {
    /// The plan as the case expects it: what may wait for what is told in the files about that.
    pub fn printed(&self, result: &Result<FederatedPlan, dvt_diagnostic::Diagnostic>) -> String {
        let mut out = printed(result);
        if let (true, Ok(plan)) = (self.file.file_stem().is_some_and(|n| n == "keys" || n == "shares"), result) {
            for r in &plan.reductions {
                let told = condition(r, ["1"].into_iter(), None).unwrap_or_else(|| "is not told of 1".to_owned());
                let _ = writeln!(out, "{} may wait for {}.{}: {told}", r.scan, r.by, r.key);
            }
            for read in arrange(plan, &vec![None; plan.scans.len()]) {
                if read.scans.len() > 1 {
                    let _ = writeln!(out, "one read for {:?}: {}", read.scans, read.sql);
                }
            }
        }
        out
    }
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


/// Relation, target, columns as `tables::column` reads them.
const RELATIONS: &[(&str, &str, &str)] = &[
    ("orders", "pg", "id int64, customer_id int64, status text, amount decimal(15,2), ordered date, note text~, weight float64, place!"),
    ("customers", "lite", "id int64, name text, country text~, active bool, since date, credit decimal(15,2)"),
    ("items", "duck", "order_id int64, sku text, qty int32, shipped timestamp"),
    ("lines", "pg", "order_id int64, line int32, sku text, pieces int32, price decimal(15,2), returned date"),
    ("stores", "pg", "id int64, region text, opened date"),
];

/// Columns that are alike in no two rows.
fn unique(relation: &str) -> Vec<Vec<String>> {
    let names: &[&str] = match relation {
        "orders" | "stores" => &["id"],
        "lines" => &["order_id", "line"],
        _ => return Vec::new(),
    };
    vec![names.iter().map(|n| (*n).to_owned()).collect()]
}

pub fn reference(name: &str) -> RelationRef {
    let (_, target, _) = RELATIONS.iter().find(|r| r.0 == name).unwrap();
    tables::relation(target, Some("main"), name)
}

/// What the cases read; `rows`: estimates of some.
pub fn relations(rows: &[(&str, u64)]) -> Vec<(RelationRef, RelationSchema)> {
    let schema = |name: &str, columns: &str| {
        let rows = rows.iter().find(|r| r.0 == name).map(|r| r.1);
        RelationSchema { rows, unique: unique(name), ..tables::schema(columns) }
    };
    RELATIONS.iter().map(|(name, _, columns)| (reference(name), schema(name, columns))).collect()
}

/// As `relations`.
pub fn catalog(rows: &[(&str, u64)]) -> Catalog {
    tables::catalog_of(relations(rows))
}

/// What the cases' sources speak.
pub const SHEETS: [&str; 3] = ["adapters/sqlite/dialect.toml", "adapters/duckdb/dialect.toml", "adapters/postgres/dialect.toml"];

pub fn dialect_of(target: &TargetName) -> Option<DialectName> {
    Some(DialectName::from(match target.as_str() {
        "pg" => "postgres",
        "lite" => "sqlite",
        _ => "duckdb",
    }))
}

/// Read once: the mutants plan every case dozens of times.
static READ_SHEETS: OnceLock<Sheets> = OnceLock::new();
static CATALOG: OnceLock<Catalog> = OnceLock::new();

/// `-- rows: customers 1000, orders 100000` as the first line: what the sources say of their sizes.
pub fn planned(template: &str, dialect: &str, no_pushdown: bool, rules: &Rules) -> Result<FederatedPlan, dvt_diagnostic::Diagnostic> {
    if let Some((list, _)) = template.strip_prefix("-- rows: ").and_then(|t| t.split_once('\n')) {
        let rows: Vec<(&str, u64)> = list.split(", ").map(|one| one.split_once(' ').unwrap()).map(|(name, n)| (name, n.parse().unwrap())).collect();
        return planned_in(&catalog(&rows), template, dialect, no_pushdown, rules);
    }
    planned_in(CATALOG.get_or_init(|| catalog(&[])), template, dialect, no_pushdown, rules)
}

/// The text of a case, and where its relations stand.
pub fn filled(template: &str) -> (String, Vec<RelationUse>) {
    tables::filled(template, |name| format!("\"main\".\"{name}\""), reference)
}

pub fn planned_in(catalog: &Catalog, template: &str, dialect: &str, no_pushdown: bool, rules: &Rules) -> Result<FederatedPlan, dvt_diagnostic::Diagnostic> {
    let (sql, relations) = filled(template);
    let request = PlanRequest {
        unique_id: &UniqueId::from("model.p.m"),
        sql: &sql,
        relations: &relations,
        dialect: &DialectName::from(dialect),
        compute: &ComputeName::from("default"),
        compute_dialect: &DialectName::from("duckdb"),
        target_dialect: &dialect_of,
        sheets: READ_SHEETS.get_or_init(|| tables::sheets_of(SHEETS)),
        catalog,
        sink: tables::sink("wh"),
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
                    let once = if p.settled { ", not asked again" } else { "" };
                    let _ = writeln!(out, "  {:?}{once}: {}", p.class, p.sql);
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

