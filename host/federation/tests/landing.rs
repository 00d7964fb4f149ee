//! Landing on real database files: everything arrives, or nothing stays.
#![allow(clippy::unwrap_used, missing_docs)]

use dvt_diagnostic::{Code, Diagnostic};
use dvt_engine::{ComputeSettings, ConnectSpec, Connection, DescribedColumn, EngineError, connect};
use dvt_federation::{Budget, Estimates, Cancellation, Context, Landed, Landing, Origin, Silent, Sources, Types, land};
use dvt_planner::dialect::{DialectSheet, Sheets};
use dvt_planner::ir::{FederatedPlan, RemoteScan, Residual, ScanColumn, Sink};
use dvt_planner::types::CanonicalType;
use dvt_project::{DialectName, RelationName, TargetName};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

struct Files(PathBuf);

impl Files {
    fn open(&self, target: &str) -> Box<dyn Connection> {
        let driver = if target == "lite" { "sqlite" } else { "duckdb" };
        let path = self.0.join(target).to_str().unwrap().to_owned();
        let options = BTreeMap::from([("path".to_owned(), path), ("create".to_owned(), "true".to_owned())]);
        connect(&ConnectSpec { driver: driver.into(), options, ..ConnectSpec::default() }).unwrap()
    }
}

impl Sources for Files {
    fn connect(&self, target: &TargetName) -> Result<Box<dyn Connection>, EngineError> {
        Ok(self.open(target.as_str()))
    }
}

impl Types for Files {
    fn canonical(&self, _: Origin<'_>, columns: &[DescribedColumn]) -> Result<Vec<Option<CanonicalType>>, Diagnostic> {
        Ok(columns
            .iter()
            .map(|c| match c.native.as_str() {
                "BIGINT" => Some(CanonicalType::Int(64)),
                "VARCHAR" => Some(CanonicalType::Text),
                _ => None,
            })
            .collect())
    }
    fn ddl(&self, _: &TargetName, types: &[CanonicalType]) -> Result<Vec<String>, Diagnostic> {
        Ok(types.iter().map(|t| if *t == CanonicalType::Text { "VARCHAR".into() } else { "BIGINT".into() }).collect())
    }
}

fn named(identifier: &str) -> RelationName {
    RelationName { database: None, schema: Some("main".into()), identifier: identifier.into() }
}

fn plan(residual: &str, scan: &str) -> FederatedPlan {
    FederatedPlan {
        scans: vec![RemoteScan {
            name: "dvt_scan_0".into(),
            source: "lite".into(),
            relation: named("t"),
            sql: scan.into(),
            columns: vec![
                ScanColumn { name: "id".into(), native: "integer".into(), canonical: CanonicalType::Int(64) },
                ScanColumn { name: "name".into(), native: "text".into(), canonical: CanonicalType::Text },
            ],
            pushed: Vec::new(),
            kept: Vec::new(),
            limit: None,
            rows: None,
            estimate: None,
        }],
        ..serde_json::from_value(serde_json::json!({
            "unique_id": "model.p.m", "target": "duck", "compute": "default", "dialect": "duckdb", "scans": [], "delegates": [],
            "residual": Residual::new(Vec::new(), residual.into()), "notes": [], "scalars": [],
            "sink": Sink { target: "duck".into(), relation: named("m"), materialized: "table".into() },
        }))
        .unwrap()
    }
}

fn sheet() -> DialectSheet {
    let mut sheets = Sheets::default();
    let file = std::path::PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../../plugins/adapters/duckdb/dialect.toml");
    sheets.add(&std::fs::read_to_string(file).unwrap()).unwrap();
    sheets.get(&DialectName::from("duckdb")).unwrap().clone()
}

fn try_land(folder: &Path, plan: &FederatedPlan) -> (Result<Landed, Diagnostic>, Vec<String>) {
    let files = Files(folder.to_path_buf());
    let settings = ComputeSettings::default();
    let context = Context { sources: &files, settings: &settings, types: Some(&files), progress: &Silent, cancel: &Cancellation::default(), outer: None, budget: Budget::default(), estimates: Estimates::WhereNeeded, history: None, sharing: None };
    let (target, staging, sheet, declared) = (TargetName::from("duck"), named("m__dvt_0"), sheet(), BTreeMap::new());
    let landing = Landing { target: &target, staging: &staging, sheet: &sheet, declared: &declared };
    let mut connection = files.open("duck");
    let landed = land(plan, context, &landing, connection.as_mut());
    let tables = connection.describe("select * from main.m__dvt_0").map(|c| c.into_iter().map(|c| format!("{} {}", c.name, c.native)).collect());
    (landed, tables.unwrap_or_default())
}

fn folder(rows: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut lite = Files(folder.path().into()).open("lite");
    lite.execute("create table t (id integer, name text)").unwrap();
    lite.execute(&format!("with recursive n(i) as (select 1 union all select i + 1 from n where i < {rows}) insert into t select i, 'n' || i from n where {rows} > 0")).unwrap();
    folder
}

#[test]
fn every_row_lands_and_is_counted_at_each_step() {
    let folder = folder(50_000);
    let (landed, columns) = try_land(folder.path(), &plan("select id, name from dvt_scan_0 where id % 2 = 0", "select id, name from t"));
    let landed = landed.unwrap();
    assert_eq!(landed.rows, 25_000);
    assert_eq!(landed.movements[0].rows, 50_000);
    assert_eq!(columns, ["id BIGINT", "name VARCHAR"]);
}

#[test]
fn an_empty_result_still_has_its_types() {
    let folder = folder(1);
    let (landed, columns) = try_land(folder.path(), &plan("select id, name from dvt_scan_0 where id < 0", "select id, name from t"));
    assert_eq!(landed.unwrap().rows, 0);
    assert_eq!(columns, ["id BIGINT", "name VARCHAR"]);
}

#[test]
fn a_failing_source_leaves_no_staging_table() {
    let folder = folder(50_000);
    let scan = "select case when id < 40000 then id else 'x' end as id, name from t";
    let (landed, columns) = try_land(folder.path(), &plan("select id, name from dvt_scan_0", scan));
    let error = landed.unwrap_err();
    assert!(error.message.contains("`t` of target `lite`"), "{error}");
    assert!(columns.is_empty());
}

#[test]
fn two_result_columns_of_one_name_are_refused() {
    let folder = folder(1);
    let (landed, _) = try_land(folder.path(), &plan("select id, id as \"ID\" from dvt_scan_0", "select id, name from t"));
    assert_eq!(landed.unwrap_err().code, Code::SqlAmbiguous);
}
