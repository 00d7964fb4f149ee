//! Sheets of products that no server here speaks for: what is emitted for them reads in their own grammar, and is what
//! `tests/emission/cases.md` shows. `EMISSION=write` writes that file anew.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "cases/tables.rs"]
mod tables;

use dvt_planner::PlanRequest;
use dvt_planner::catalog::Catalog;
use dvt_planner::dialect::Sheets;
use dvt_planner::pushdown::verdict::{Rule, Rules};
use dvt_project::{ComputeName, DialectName, RelationRef, UniqueId};
use sqlparser::parser::Parser;
use std::fmt::Write as _;

const PRODUCTS: [&str; 7] = ["snowflake", "bigquery", "redshift", "databricks", "sqlserver", "trino", "oracle"];

/// Title, text in PostgreSQL's words.
const QUERIES: [(&str, &str); 10] = [
    ("Names are quoted, NULL order is said", "select o.id, o.status as \"My Status\" from {orders} o join {people} p on p.id = o.person_id where coalesce(o.id, 1) > 2 order by o.id desc limit 3"),
    ("Whole numbers divide towards zero", "select o.id, o.id / 2 as half, o.id % 3 as rest, o.id + 1 as next from {orders} o cross join {people} p offset 2"),
    ("Conditions as values", "select o.id > 2 as big, o.paid, not o.paid as open, case when o.paid then 1 else 0 end as n, (o.id is null) = o.paid as odd from {orders} o, {people} p where o.paid and p.id in (1, 2)"),
    ("Casts and decimals", "select cast(o.amount as numeric(10,1)) as a, cast(o.amount as int) as b, cast(o.id as text) as c, o.amount + 1.5 as d, round(o.amount, 1) as e from {orders} o, {people} p"),
    ("Groups", "select o.status as s, count(*) as n, count(distinct o.id) as d, sum(o.amount) as t, max(o.ordered) as m from {orders} o join {people} p on p.id = o.person_id group by o.status having count(*) > 1"),
    ("Windows", "select o.id, row_number() over (partition by o.person_id order by o.id) as r, sum(o.amount) over (partition by o.status) as s from {orders} o, {people} p"),
    ("CTEs and sets", "with a as (select id from {orders}), b as (select id from {people}) select id from a union select id from b except select id from a where id > 7"),
    ("Dates", "select extract(year from o.ordered) as y, o.ordered + 1 as next, o.ordered - date '2024-01-01' as n, date_trunc('month', o.at) as m, coalesce(o.ordered, date '2024-01-01') as c from {orders} o, {people} p"),
    ("Text", "select length(o.status) as l, substr(o.status, 2, 3) as s, trim(o.status) as t, o.status || 'it''s' || p.name as j, replace(o.status, 'a', 'b') as r from {orders} o, {people} p"),
    ("What few have", "select distinct on (o.id) o.id, o.at + interval '1 month' as m from {orders} o join {people} p using (id) where o.paid is true and o.id is distinct from 3"),
];

fn sheets() -> Sheets {
    let own = ["adapters/postgres", "adapters/duckdb", "computes/spark"].map(|f| format!("{f}/dialect.toml"));
    tables::sheets_of(own.into_iter().chain(PRODUCTS.map(|p| format!("dialects/{p}.toml"))))
}

fn reference(name: &str) -> RelationRef {
    tables::relation(if name == "orders" { "wh" } else { "other" }, Some("main"), name)
}

fn catalog() -> Catalog {
    let relations = [
        ("orders", "id int32, person_id int32, status text, amount decimal(15,2), paid bool, ordered date, at timestamp"),
        ("people", "id int32, name text"),
    ];
    tables::catalog_of(relations.map(|(name, columns)| (reference(name), tables::schema(columns))))
}

/// The plan of a text in `dialect` over sources that speak `source`, for a compute that speaks `compute`.
fn planned(sheets: &Sheets, template: &str, dialect: &str, source: &str, compute: &str) -> Result<dvt_planner::ir::FederatedPlan, dvt_diagnostic::Diagnostic> {
    let (sql, relations) = tables::filled(template, |name| format!("main.{name}"), reference);
    // Conditions that a source has asked would not be emitted.
    let rules = Rules { off: vec![Rule::Settled], ..Rules::default() };
    let request = PlanRequest {
        unique_id: &UniqueId::from("model.p.m"),
        sql: &sql,
        relations: &relations,
        dialect: &DialectName::new(dialect),
        compute: &ComputeName::from("default"),
        compute_dialect: &DialectName::new(compute),
        target_dialect: &|_| Some(DialectName::new(source)),
        sheets,
        catalog: &catalog(),
        sink: tables::sink("wh"),
        no_pushdown: false,
    };
    dvt_planner::plan_by(&request, &rules)
}

fn reads(sheets: &Sheets, product: &str, sql: &str) {
    let dialect = sheets.get(&DialectName::new(product)).unwrap().sqlparser().unwrap();
    // Its parser does not know the operator that divides whole numbers.
    let sql = &if product == "databricks" { sql.replace(" div ", " / ") } else { sql.to_owned() };
    let read = Parser::parse_sql(dialect.as_ref(), sql).unwrap_or_else(|e| panic!("{product} does not read its own text: {e}\n{sql}"));
    assert_eq!(read.len(), 1);
}

#[test]
fn what_is_emitted_for_each_product_is_as_written_and_reads_in_its_grammar() {
    let sheets = sheets();
    let mut out = String::from("# Emission\n\nWhat sheets of products without a server here emit for texts of PostgreSQL, as a compute's dialect and as a source's.\n`planner-wasm/planner/tests/emission.rs` reads each text in the product's own grammar; nothing here has run on the product.\n");
    for (title, query) in QUERIES {
        let _ = write!(out, "\n## {title}\n\n```sql\n{query}\n```\n\n```expect\n");
        for product in PRODUCTS {
            let text = match planned(&sheets, query, "postgres", "postgres", product) {
                Ok(plan) => {
                    let sql = plan.residual.unwrap().sql;
                    reads(&sheets, product, &sql);
                    sql
                }
                Err(d) => format!("{}: {}", d.code, d.message.split(';').next().unwrap()),
            };
            let _ = writeln!(out, "{product}: {text}");
        }
        out.push_str("```\n");
    }
    let source = "select id, status from {orders} where id > 3 and status = 'it''s' and paid = true and ordered >= '2024-01-31' and amount < 1.5 order by id desc limit 4";
    let _ = write!(out, "\n## A source is asked in its own words\n\n```sql\n{source}\n```\n\n```expect\n");
    for product in PRODUCTS {
        let plan = planned(&sheets, source, "duckdb", product, "duckdb").unwrap();
        reads(&sheets, product, &plan.scans[0].sql);
        let _ = writeln!(out, "{product}: {}", plan.scans[0].sql);
        for kept in &plan.scans[0].kept {
            let _ = writeln!(out, "  kept: {} ({})", kept.sql, kept.reason);
        }
    }
    let first = "select id from {orders} limit 4";
    for product in PRODUCTS {
        let plan = planned(&sheets, first, "duckdb", product, "duckdb").unwrap();
        reads(&sheets, product, &plan.scans[0].sql);
        let _ = writeln!(out, "{product}: {}", plan.scans[0].sql);
    }
    out.push_str("```\n");
    let path = tables::root().join("tests/emission/cases.md");
    if std::env::var("EMISSION").is_ok() {
        std::fs::write(&path, &out).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    let tokens = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    for (ours, theirs) in out.split("\n## ").zip(kept.split("\n## ")) {
        assert_eq!(tokens(ours), tokens(theirs));
    }
    assert_eq!(tokens(&out).len(), tokens(&kept).len());
}
