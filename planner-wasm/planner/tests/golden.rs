//! Golden plans: Markdown cases in `tests/pushdown` at the top of the repository.
//!
//! A case is a heading (the fact), a `sql` block and an `expect` block. In the SQL, `{orders}` stands for
//! a relation. The catalog is fixed, see [`catalog`].
#![allow(clippy::unwrap_used, missing_docs)]

use dvt_planner::catalog::{Catalog, Collation, ColumnSchema, RelationSchema};
use dvt_planner::dialect::Sheets;
use dvt_planner::ir::{FederatedPlan, Sink};
use dvt_planner::{PlanRequest, RelationUse, plan};
use dvt_project::{ComputeName, DialectName, RelationName, RelationRef, TargetName, UniqueId};
use std::fmt::Write as _;
use std::path::PathBuf;

fn root() -> PathBuf {
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

fn planned(template: &str, dialect: &str, no_pushdown: bool) -> Result<FederatedPlan, dvt_diagnostic::Diagnostic> {
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
    plan(&PlanRequest {
        unique_id: &UniqueId::from("model.p.m"),
        sql: &sql,
        relations: &relations,
        dialect: &DialectName::from(dialect),
        compute: &ComputeName::from("default"),
        compute_dialect: &DialectName::from("duckdb"),
        target_dialect: &dialect_of,
        sheets: &sheets(),
        catalog: &catalog(),
        sink,
        no_pushdown,
    })
}

fn printed(result: &Result<FederatedPlan, dvt_diagnostic::Diagnostic>) -> String {
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

#[test]
fn every_case_plans_as_written() {
    let mut failures = String::new();
    let mut count = 0;
    let mut files: Vec<_> =
        std::fs::read_dir(root().join("tests/pushdown")).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    for path in files.iter().filter(|p| p.extension().is_some_and(|e| e == "md") && !p.ends_with("README.md")) {
        let text = std::fs::read_to_string(path).unwrap();
        let mut renewed = String::new();
        for case in text.split_inclusive("\n## ").collect::<Vec<_>>() {
            let (Some(sql), Some(expect)) = (block(case, "sql"), block(case, "expect")) else {
                renewed.push_str(case);
                continue;
            };
            count += 1;
            let (dialect, sql) = match sql.strip_prefix("-- dialect: ") {
                Some(rest) => rest.split_once('\n').unwrap(),
                None => ("duckdb", sql),
            };
            let actual = printed(&planned(sql, dialect, false));
            if actual != expect {
                let _ = writeln!(failures, "{}: {}\n--- expected\n{expect}--- actual\n{actual}", path.display(), case.lines().next().unwrap());
            }
            renewed.push_str(&case.replace(&format!("```expect\n{expect}```"), &format!("```expect\n{actual}```")));
        }
        // A person renews the files with DVT_GOLDEN=write and reads the difference.
        if std::env::var("DVT_GOLDEN").is_ok_and(|v| v == "write") {
            std::fs::write(path, renewed).unwrap();
        }
    }
    assert!(count >= 20, "only {count} cases were found");
    assert!(failures.is_empty(), "{failures}");
}

fn block<'a>(case: &'a str, kind: &str) -> Option<&'a str> {
    let start = case.find(&format!("```{kind}\n"))? + kind.len() + 4;
    Some(&case[start..start + case[start..].find("```")?])
}

#[test]
fn planning_is_deterministic_and_serialises() {
    let sql = "select o.id, c.name from {orders} o join {customers} c on o.customer_id = c.id where o.status = 'x'";
    let one = serde_json::to_string(&planned(sql, "duckdb", false).unwrap()).unwrap();
    let two = serde_json::to_string(&planned(sql, "duckdb", false).unwrap()).unwrap();
    assert_eq!(one, two);
    let back: FederatedPlan = serde_json::from_str(&one).unwrap();
    assert_eq!(serde_json::to_string(&back).unwrap(), one);
}

#[test]
fn without_pushdown_everything_is_read_and_the_reason_is_told() {
    let sql = "select i.qty from {items} i join {customers} c on c.id = i.order_id where i.qty > 1";
    let plan = planned(sql, "duckdb", true).unwrap();
    assert!(plan.scans.iter().all(|s| !s.sql.contains("WHERE") && s.pushed.is_empty()));
    assert_eq!(plan.scans[0].columns.len(), 4);
    assert!(plan.scans[0].kept.iter().any(|k| k.reason == "--no-pushdown"));
}

#[test]
fn deep_nesting_is_a_diagnostic_not_a_crash() {
    let sql = format!("select {}1{} from {{items}}, {{customers}}", "(".repeat(3000), ")".repeat(3000));
    let error = planned(&sql, "duckdb", false).unwrap_err();
    assert_eq!(error.code, dvt_diagnostic::Code::SqlTooDeep);
}
