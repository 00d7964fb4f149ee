//! The two tables of [`super::translated`] on each product, and the planner's text for a query over them.
#![allow(dead_code, clippy::unwrap_used, missing_docs)]

use super::answers::{self, Product};
use super::servers;
use super::translated::{CUSTOMERS, ORDERS};
use super::tables;
use dvt_diagnostic::Diagnostic;
use dvt_planner::PlanRequest;
use dvt_planner::catalog::Catalog;
use dvt_planner::dialect::Sheets;
use dvt_project::{ComputeName, DialectName, RelationRef, TargetName, UniqueId};

/// Column, canonical type, type of the view in Spark and in DuckDB.
pub const ORDER_COLUMNS: [(&str, &str, &str); 10] = [
    ("id", "int64", "BIGINT"),
    ("customer_id", "int32", "INT"),
    ("status", "text", "STRING"),
    ("amount", "decimal(15,2)", "DECIMAL(15,2)"),
    ("qty", "int32", "INT"),
    ("small", "int16", "SMALLINT"),
    ("ordered", "date", "DATE"),
    ("at", "timestamp", "TIMESTAMP_NTZ"),
    ("weight", "float64", "DOUBLE"),
    ("flag", "bool", "BOOLEAN"),
];
pub const CUSTOMER_COLUMNS: [(&str, &str, &str); 4] = [("id", "int64", "BIGINT"), ("name", "text", "STRING"), ("points", "int64", "BIGINT"), ("since", "date", "DATE")];

fn sheets() -> Sheets {
    tables::sheets_of(["adapters/sqlite", "adapters/duckdb", "adapters/mysql", "adapters/postgres", "computes/spark"].map(|f| format!("{f}/dialect.toml")))
}

fn relation(name: &str) -> RelationRef {
    tables::relation("here", None, if name == "o" { "orders" } else { "customers" })
}

fn catalog() -> Catalog {
    let schema = |columns: &[(&str, &str, &str)]| tables::schema(&columns.iter().map(|(name, kind, _)| format!("{name} {kind}")).collect::<Vec<_>>().join(", "));
    tables::catalog_of([("o", &ORDER_COLUMNS[..]), ("c", &CUSTOMER_COLUMNS[..])].map(|(name, columns)| (relation(name), schema(columns))))
}

/// Plans queries of one dialect for one compute.
pub struct Planner {
    sheets: Sheets,
    catalog: Catalog,
}

impl Planner {
    pub fn new() -> Self {
        Self { sheets: sheets(), catalog: catalog() }
    }

    /// What the compute is given, with the tables in the place of scans.
    pub fn text(&self, query: &str, dialect: &str, compute: &str) -> Result<String, Diagnostic> {
        let (sql, relations) = tables::filled(query, |name| relation(name).name.identifier.clone(), relation);
        let target_dialect = |_: &TargetName| Some(DialectName::new(dialect));
        let plan = dvt_planner::plan(&PlanRequest {
            unique_id: &UniqueId::from("model.p.m"),
            sql: &sql,
            relations: &relations,
            dialect: &DialectName::new(dialect),
            compute: &ComputeName::from("default"),
            compute_dialect: &DialectName::new(compute),
            target_dialect: &target_dialect,
            sheets: &self.sheets,
            catalog: &self.catalog,
            sink: tables::sink("here"),
            no_pushdown: true,
        })?;
        let mut text = plan.residual.unwrap().sql;
        for scan in &plan.scans {
            text = text.replace(&scan.name, &scan.relation.identifier);
        }
        Ok(text)
    }
}


/// PostgreSQL, as the truth of its dialect.
pub fn postgres(server: &servers::PostgresServer) -> Product {
    let mut client = answers::postgres_session(server.port);
    let columns = "id bigint, customer_id int, status text, amount numeric(15,2), qty int, small smallint, ordered date, at timestamp, weight double precision, flag boolean";
    client
        .batch_execute(&format!(
            "create table orders ({columns}); insert into orders values {ORDERS};
             create table customers (id bigint, name text, points bigint, since date); insert into customers values {CUSTOMERS}"
        ))
        .unwrap();
    answers::postgres(client)
}

/// The embedded compute, which is also DuckDB's truth.
pub fn duckdb() -> Product {
    let duck = duckdb::Connection::open_in_memory().unwrap();
    for made in sheets().get(&DialectName::new("duckdb")).unwrap().compute.as_ref().unwrap().functions.values() {
        duck.execute_batch(made).unwrap();
    }
    for (name, columns, values) in [("orders", &ORDER_COLUMNS[..], ORDERS), ("customers", &CUSTOMER_COLUMNS[..], CUSTOMERS)] {
        let list: Vec<String> = columns.iter().map(|(name, _, kind)| format!("\"{name}\" {}", kind.replace("STRING", "VARCHAR").replace("_NTZ", ""))).collect();
        duck.execute_batch(&format!("CREATE TABLE {name} ({}); INSERT INTO {name} VALUES {values}", list.join(", "))).unwrap();
    }
    answers::duckdb(duck)
}

pub fn sqlite() -> Product {
    let both = rusqlite::Connection::open_in_memory().unwrap();
    let columns = "id integer, customer_id integer, status text, amount numeric, qty integer, small integer, ordered date, at text, weight real, flag integer";
    both.execute_batch(&format!(
        "create table customers (id integer, name text, points integer, since date); insert into customers values {CUSTOMERS};
         create table orders ({columns}); insert into orders values {ORDERS}"
    ))
    .unwrap();
    answers::sqlite(both)
}

pub fn mariadb(maria: &servers::mariadb::MariadbServer) -> Product {
    use mysql::prelude::Queryable;
    let mut connection = answers::mariadb_session(maria.port);
    let columns = "id bigint, customer_id int, status text collate utf8mb4_nopad_bin, amount decimal(15,2), qty int, small smallint, ordered date, at datetime(6), weight double, flag boolean";
    for sql in [
        "create database truth".to_owned(),
        "use truth".to_owned(),
        "create table customers (id bigint, name varchar(20) collate utf8mb4_nopad_bin, points bigint, since date)".to_owned(),
        format!("insert into customers values {CUSTOMERS}"),
        format!("create table orders ({columns})"),
        format!("insert into orders values {ORDERS}"),
    ] {
        connection.query_drop(&sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }
    answers::mariadb(connection)
}
