//! Which scalar subqueries are read first and become literals, and which are left alone.
#![allow(clippy::unwrap_used)]

use dvt_planner::catalog::{Catalog, Collation, ColumnSchema, RelationSchema};
use dvt_planner::dialect::Sheets;
use dvt_planner::ir::Sink;
use dvt_planner::scalar::{ScalarRead, find, substitute};
use dvt_planner::{PlanRequest, RelationUse};
use dvt_project::{ComputeName, DialectName, RelationName, RelationRef, TargetName, UniqueId};

fn reads(sql: &str) -> (Vec<ScalarRead>, String) {
    let name = |n: &str| RelationRef { target: TargetName::from("duck"), name: RelationName { database: None, schema: None, identifier: n.into() } };
    let mut relations = Vec::new();
    for n in ["this", "other"] {
        let at: Vec<_> = sql.match_indices(&format!("\"{n}\"")).map(|(i, s)| i..i + s.len()).collect();
        relations.push(RelationUse { relation: name(n), at });
    }
    let mut catalog = Catalog::default();
    for n in ["this", "other"] {
        let column = |c: &str, t: &str| ColumnSchema { name: c.into(), native: t.into(), canonical: Some(t.parse().unwrap()), refused: None, collation: Collation::Binary };
        catalog.insert(name(n), RelationSchema { columns: vec![column("day", "date"), column("name", "text"), column("id", "int64")], rows: None, bytes: None, unique: Vec::new() });
    }
    let mut sheets = Sheets::default();
    sheets.add(&std::fs::read_to_string(std::env::var("CARGO_MANIFEST_DIR").unwrap() + "/../../plugins/adapters/duckdb/dialect.toml").unwrap()).unwrap();
    let (id, compute, dialect) = (UniqueId::from("model.x.y"), ComputeName::from("default"), DialectName::from("duckdb"));
    let request = PlanRequest {
        unique_id: &id,
        sql,
        relations: &relations,
        dialect: &dialect,
        compute: &compute,
        compute_dialect: &dialect,
        target_dialect: &|_| Some(DialectName::from("duckdb")),
        sheets: &sheets,
        catalog: &catalog,
        sink: Sink { target: TargetName::from("duck"), relation: RelationName::default(), materialized: "table".into() },
        no_pushdown: false,
    };
    let found = find(&request);
    let values: Vec<String> = found.iter().map(|f| f.literal(Some("2024-05-01"))).collect();
    let (text, _) = substitute(sql, &relations, &found, &values);
    (found, text)
}

#[test]
fn a_watermark_becomes_a_typed_literal() {
    let (found, text) = reads("select * from \"other\" o where o.day > (select max(day) from \"this\") and o.id > 1");
    assert_eq!(found[0].sql, "SELECT max(\"day\") FROM \"this\"");
    assert_eq!(text, "select * from \"other\" o where o.day > (DATE '2024-05-01') and o.id > 1");
    assert_eq!(found[0].literal(None), "NULL");
}

#[test]
fn a_default_of_coalesce_stands_for_null() {
    let (found, _) = reads("select * from \"other\" o where o.day >= (select coalesce(max(t.day), '1900-01-01') from \"this\" t)");
    assert_eq!(found[0].literal(None), "'1900-01-01'");
}

#[test]
fn what_may_have_another_value_is_left_alone() {
    for sql in [
        "select * from \"other\" o where o.day > (select max(day) from \"this\" where id = o.id)",
        "select * from \"other\" o where o.day > (select day from \"this\")",
        "select * from \"other\" o where o.day > (select max(day) from \"this\" group by id)",
        "select * from \"other\" o where o.day > (select max(day) from \"this\" limit 0)",
        "select * from \"other\" o where o.day > (select max(o_day) from \"this\")",
        "select * from \"other\" o where o.name > (select max(name) from \"this\")",
        "select * from \"other\" o where o.day > (select max(a.day) from \"this\" a join \"this\" b on a.id = b.id)",
        "select * from \"other\" o where o.day > any (select max(day) from \"this\")",
        "select (select max(day) from \"this\") from \"other\"",
    ] {
        assert_eq!(reads(sql).0, Vec::new(), "{sql}");
    }
}
