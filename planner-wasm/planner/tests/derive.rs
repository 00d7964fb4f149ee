//! What a query's text tells of its columns.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

use dvt_planner::RelationUse;
use dvt_planner::catalog::{Catalog, Collation, ColumnSchema, RelationSchema};
use dvt_planner::derive::schema;
use dvt_planner::dialect::DialectSheet;
use dvt_project::{RelationName, RelationRef};

fn column(name: &str, kind: &str) -> ColumnSchema {
    ColumnSchema { name: name.into(), native: kind.into(), canonical: Some(kind.parse().unwrap()), refused: None, collation: Collation::Binary }
}

fn relation(columns: &[(&str, &str)]) -> RelationSchema {
    RelationSchema { columns: columns.iter().map(|(n, k)| column(n, k)).collect(), rows: Some(7), bytes: None, unique: Vec::new() }
}

/// `name type` of each column, `?` for one without a type; `-` where nothing is told.
fn told(sql: &str, seen: Option<&RelationSchema>) -> String {
    let name = |n: &str| RelationRef { target: "duck".into(), name: RelationName { database: None, schema: None, identifier: n.into() } };
    let mut catalog = Catalog::default();
    catalog.insert(name("orders"), relation(&[("id", "int64"), ("day", "date"), ("who", "int64")]));
    catalog.insert(name("people"), relation(&[("id", "int64"), ("name", "text")]));
    let relations: Vec<RelationUse> = ["orders", "people"]
        .iter()
        .map(|n| RelationUse { relation: name(n), at: sql.match_indices(&format!("\"{n}\"")).map(|(i, s)| i..i + s.len()).collect() })
        .collect();
    let sheet = DialectSheet::parse(&std::fs::read_to_string(std::env::var("CARGO_MANIFEST_DIR").unwrap() + "/../../plugins/adapters/duckdb/dialect.toml").unwrap()).unwrap();
    match schema(sql, &relations, &sheet, &catalog, seen).unwrap() {
        None => "-".to_owned(),
        Some(s) => s.columns.iter().map(|c| format!("{} {}", c.name, c.canonical.map_or("?".to_owned(), |t| t.to_string()))).collect::<Vec<_>>().join(", "),
    }
}

#[test]
fn columns_that_are_passed_on_keep_their_type() {
    assert_eq!(told("select id, o.day as ordered from \"orders\" o", None), "id int64, ordered date");
    assert_eq!(told("select * from \"orders\"", None), "id int64, day date, who int64");
    assert_eq!(told("select p.*, o.day from \"orders\" o left join \"people\" p on p.id = o.who", None), "id int64, name text, day date");
}

#[test]
fn ctes_and_subqueries_are_seen_through() {
    assert_eq!(told("with x as (select name as n from \"people\") select n, d from x, (select day as d from \"orders\") y", None), "n text, d date");
}

#[test]
fn an_expression_has_the_type_that_was_seen_or_none() {
    let seen = relation(&[("twice", "int64")]);
    assert_eq!(told("select id * 2 as twice, id + 1 as next from \"orders\"", Some(&seen)), "twice int64, next ?");
    assert_eq!(told("select twice from (select id * 2 as twice from \"orders\") s", Some(&seen)), "twice ?");
}

#[test]
fn a_name_that_may_mean_another_column_has_no_type() {
    assert_eq!(told("select id as x from \"orders\" o, \"people\" p", None), "x ?");
    assert_eq!(told("select day as x from \"orders\" o, unnest([1]) u", None), "x ?");
}

#[test]
fn nothing_is_told_where_the_text_does_not_say_the_columns() {
    for sql in [
        "select count(*) from \"orders\"",
        "select id from \"orders\" union all select id from \"people\"",
        "select * from \"orders\" natural join \"people\"",
        "select * exclude (id) from \"orders\"",
        "select * from unknown_table",
    ] {
        assert_eq!(told(sql, None), "-", "{sql}");
    }
}
