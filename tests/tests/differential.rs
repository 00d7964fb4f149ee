//! The same query three ways over real databases: with pushdown, without, and on one DuckDB that holds all
//! tables. The answers must be equal as multisets of rows, types included in their text.
//!
//! `orders` is on PostgreSQL, `customers` in SQLite, `items` in DuckDB; the data is hostile: NULL, empty and
//! padded text, case, ß and İ, −0.0, NaN, extremes, 9999-12-31, duplicates.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../../host/engine/tests/servers/mod.rs"]
mod servers;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use dvt_diagnostic::Diagnostic;
use dvt_engine::{ComputeSettings, ConnectSpec, Connection, EngineError, Stop, connect};
use dvt_federation::{Computed, Sources, execute};
use dvt_planner::catalog::{Catalog, Collation, ColumnSchema, RelationSchema};
use dvt_planner::dialect::Sheets;
use dvt_planner::ir::Sink;
use dvt_planner::{PlanRequest, RelationUse, plan};
use dvt_project::{ComputeName, DialectName, RelationName, RelationRef, TargetName, UniqueId};
use std::collections::BTreeMap;
use std::path::Path;

/// Relation, target, schema there, columns as `name canonical`.
const RELATIONS: &[(&str, &str, &str, &str)] = &[
    ("orders", "pg", "public", "id int64, customer_id int64, status text, amount decimal(15,2), ordered date, weight float64"),
    ("customers", "lite", "main", "id int64, name text, country text~, active bool, since date, credit decimal(15,2)"),
    ("items", "duck", "main", "order_id int64, sku text, qty int32, shipped timestamp"),
];

const ORDERS: &str = "(1, 1, 'complete', 10.50, '2024-01-01', 1.5), (2, 1, 'Complete', -0.01, '2023-12-31', '-0'),
  (3, 2, '', 9999999999999.99, '9999-12-31', 'NaN'), (4, null, null, null, null, null),
  (5, 3, 'complete ', 0, '0001-01-01', 1e308), (6, 9, 'ß', 1.00, '2024-02-29', -1e308),
  (7, 2, 'complete', 10.50, '2024-01-01', 'Infinity'), (9223372036854775807, 1, 'it''s', 5, '2024-06-01', 2)";
const CUSTOMERS: &str = "(1, 'Ann', 'US', 1, '2020-01-01', '10.50'), (2, 'ann', 'us', 0, '2024-01-01', '-1.00'),
  (3, 'İ', 'Us', 1, null, null), (4, '', '', null, '9999-12-31', '0.01'), (5, null, null, 1, '2020-02-29', '7')";
const ITEMS: &str = "(1, 'a', 1, timestamp '2024-01-01 00:00:00'), (1, 'A', 2, null), (2, '', 2147483647, timestamp '2024-03-31 02:30:00'),
  (3, null, -2147483648, timestamp '1969-12-31 23:59:59.999999'), (7, 'a', 5, timestamp '2024-01-01 00:00:00.000001'), (null, 'z', null, null)";

const QUERIES: &[&str] = &[
    "select o.id, c.name from {orders} o join {customers} c on o.customer_id = c.id where o.status = 'complete' and c.active = true",
    "select o.id, c.id from {orders} o left join {customers} c on o.customer_id = c.id where c.id is null",
    "select o.id, c.id from {orders} o left join {customers} c on o.customer_id = c.id and c.country = 'US' and o.status = 'complete'",
    "select o.id, c.id from {orders} o right join {customers} c on o.customer_id = c.id and c.country = 'US' and o.status = 'complete'",
    "select o.id, c.id from {orders} o full join {customers} c on o.customer_id = c.id and o.amount > 1 where c.name = 'Ann' or o.id = 4",
    "select o.id, c.id from {orders} o full join {customers} c on o.customer_id = c.id where c.country <> 'US'",
    "select o.id, c.country from {orders} o left join {customers} c on o.customer_id = c.id where c.country = 'US' or c.country is null",
    "select o.id, i.sku from {orders} o join {items} i on i.order_id = o.id where i.sku in ('a', '') and o.ordered >= '2023-12-31'",
    "select o.id from {orders} o where o.customer_id not in (select c.id from {customers} c where c.active = true)",
    "select o.id from {orders} o where o.customer_id in (select c.id from {customers} c where c.since > '2019-12-31')",
    "select c.id from {customers} c where not exists (select 1 from {orders} o where o.customer_id = c.id and o.amount = 10.50)",
    "with s as (select * from {orders}) select s.status, count(*) n, sum(s.amount) a from s join {customers} c on c.id = s.customer_id group by s.status",
    "with s as (select * from {orders}) select a.id, b.id from s a join s b on a.customer_id = b.customer_id join {items} i on i.order_id = a.id where a.status = 'complete' and b.id > 1",
    "select status, c.country, sum(amount) from {orders} join {customers} c on customer_id = c.id group by all having count(*) > 1",
    "select id from {orders} where amount between 0 and 11 union all select order_id from {items} where qty > 1",
    "select id from {orders} where status = 'complete' except select order_id from {items} where sku = 'a'",
    "select distinct country from {customers} c join {orders} o on o.customer_id = c.id where o.weight > 1.0",
    "select o.id, o.weight from {orders} o join {customers} c on c.id = o.customer_id where o.weight >= 1.5",
    "select o.id, row_number() over (partition by o.customer_id order by o.id) r from {orders} o join {customers} c on c.id = o.customer_id where o.amount > 0 qualify r = 1",
    "select o.id, i.qty from {orders} o join {items} i on i.order_id = o.id order by o.amount desc, o.id, i.qty limit 2",
    "select count(*) from {orders}, {items}",
    "select o.id from {orders} o join {items} i on i.order_id = o.id where i.shipped > '2024-01-01 00:00:00' or i.qty = 2147483647",
    "select a.id from {customers} a join {customers} b on a.id = b.id + 1 join {orders} o on o.customer_id = a.id where a.country = 'us' and b.country = 'US'",
    "select c.id, c.credit from {customers} c join {orders} o on o.customer_id = c.id where c.credit > 1.5 and o.id in (1, 2, 9223372036854775807)",
    "select o.id from {orders} o join {customers} c on c.id = o.customer_id where o.status = 'it''s' or (o.status is null and c.id = 1)",
    "select o.id, d.sku from {orders} o left join (select * from {items} where qty > 1) d on d.order_id = o.id where o.ordered < '9999-12-31'",
    "select (select max(i.qty) from {items} i where i.order_id = o.id and i.sku = 'a') m, c.id from {orders} o join {customers} c on c.id = o.customer_id",
    "select o.id + 1 as id, c.active from {orders} o join {customers} c on c.id = o.customer_id where c.active = false and o.id = 3",
];

struct World {
    specs: BTreeMap<&'static str, ConnectSpec>,
    sheets: Sheets,
    catalog: Catalog,
}

impl Sources for World {
    fn connect(&self, target: &TargetName) -> Result<Box<dyn Connection>, EngineError> {
        connect(&self.specs[target.as_str()])
    }
}

fn spec(driver: &str, options: &[(&str, &str)]) -> ConnectSpec {
    let options = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    ConnectSpec { driver: driver.into(), options, application: "dvt-test".into(), ..ConnectSpec::default() }
}

fn reference(name: &str) -> RelationRef {
    let (_, target, schema, _) = RELATIONS.iter().find(|r| r.0 == name).unwrap();
    let relation = RelationName { database: None, schema: Some((*schema).into()), identifier: name.into() };
    RelationRef { target: TargetName::from(*target), name: relation }
}

fn world(folder: &Path, port: u16) -> World {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let port = port.to_string();
    let specs = BTreeMap::from([
        ("pg", spec("postgres", &[("host", "127.0.0.1"), ("port", &port), ("user", "dvt"), ("dbname", "postgres"), ("sslmode", "disable")])),
        ("lite", spec("sqlite", &[("path", &path("lite.db")), ("create", "true")])),
        ("duck", spec("duckdb", &[("path", &path("duck.duckdb")), ("create", "true")])),
        ("all", spec("duckdb", &[("path", &path("all.duckdb")), ("create", "true")])),
    ]);
    let orders = "(id bigint, customer_id bigint, status text, amount numeric(15,2), ordered date, weight double precision)";
    let items = "(order_id bigint, sku text, qty integer, shipped timestamp)";
    let customers = "(id bigint, name text, country text, active boolean, since date, credit numeric(15,2))";
    let fill = |target: &str, name: &str, columns: &str, rows: &str| {
        let mut c = connect(&specs[target]).unwrap();
        c.execute(&format!("create table {name} {columns}; insert into {name} values {rows}")).unwrap();
    };
    fill("pg", "orders", orders, ORDERS);
    // Loose on purpose: SQLite's own comparison ignores case there, the model's (DuckDB) does not.
    fill("lite", "customers", "(id integer, name text, country text collate nocase, active boolean, since text, credit text)", CUSTOMERS);
    fill("duck", "items", items, ITEMS);
    fill("all", "orders", orders, ORDERS);
    fill("all", "customers", customers, &CUSTOMERS.replace(", 1, ", ", true, ").replace(", 0, ", ", false, "));
    fill("all", "items", items, ITEMS);

    let mut sheets = Sheets::default();
    for product in ["sqlite", "duckdb", "postgres"] {
        let sheet = std::path::PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../plugins/adapters").join(product).join("dialect.toml");
        sheets.add(&std::fs::read_to_string(sheet).unwrap()).unwrap();
    }
    let mut catalog = Catalog::default();
    for (name, _, _, columns) in RELATIONS {
        let columns = columns.replace(",2)", ";2)");
        let columns = columns.split(", ").map(|c| {
            let (name, kind) = c.trim_end_matches('~').split_once(' ').unwrap();
            let kind = kind.replace(';', ",");
            let collation = if c.ends_with('~') { Collation::Loose } else { Collation::Binary };
            ColumnSchema { name: name.into(), native: kind.clone(), canonical: Some(kind.parse().unwrap()), refused: None, collation }
        });
        catalog.insert(reference(name), RelationSchema { columns: columns.collect(), rows: None, bytes: None });
    }
    World { specs, sheets, catalog }
}

fn dialect_of(target: &TargetName) -> Option<DialectName> {
    Some(DialectName::from(match target.as_str() {
        "pg" => "postgres",
        "lite" => "sqlite",
        _ => "duckdb",
    }))
}

fn run(world: &World, template: &str, no_pushdown: bool) -> Result<(Vec<String>, Computed), Diagnostic> {
    let mut sql = String::new();
    let mut relations: Vec<RelationUse> = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap();
        sql.push_str(before);
        let relation = reference(name);
        let start = sql.len();
        sql.push_str(&format!("\"{}\".\"{name}\"", relation.name.schema.as_deref().unwrap()));
        relations.push(RelationUse { relation, at: std::iter::once(start..sql.len()).collect() });
        rest = after;
    }
    sql.push_str(rest);
    let sink = Sink { target: TargetName::from("all"), relation: reference("items").name, materialized: "table".into() };
    let duckdb = DialectName::from("duckdb");
    let plan = plan(&PlanRequest {
        unique_id: &UniqueId::from("model.t.q"),
        sql: &sql,
        relations: &relations,
        dialect: &duckdb,
        compute: &ComputeName::from("default"),
        compute_dialect: &duckdb,
        target_dialect: &dialect_of,
        sheets: &world.sheets,
        catalog: &world.catalog,
        sink,
        no_pushdown,
    })?;
    let mut batches = Vec::new();
    let mut sink = |batch: RecordBatch| -> Result<(), Stop> {
        batches.push(batch);
        Ok(())
    };
    let computed = execute(&plan, world, &ComputeSettings::default(), &mut sink)?;
    Ok((rows(&batches), computed))
}

/// Rows as sorted text with types, so that 1 and 1.00 differ.
fn rows(batches: &[RecordBatch]) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let mut out = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().map(|c| {
                format!("{}:{}", c.data_type(), ArrayFormatter::try_new(c.as_ref(), &options).unwrap().value(row))
            });
            out.push(cells.collect::<Vec<_>>().join(" | "));
        }
    }
    out.sort();
    out
}

#[test]
fn every_query_answers_the_same_with_and_without_pushdown_and_on_one_database() {
    let server = servers::PostgresServer::start();
    let folder = tempfile::tempdir().unwrap();
    let world = world(folder.path(), server.port);
    let mut failures = Vec::new();
    let (mut rows_with, mut rows_without, mut bytes_with, mut bytes_without) = (0, 0, 0, 0);
    for query in QUERIES {
        let mut one = connect(&world.specs["all"]).unwrap();
        let truth = rows(&one.query(&query.replace(['{', '}'], ""), None).unwrap().batches);
        let with = run(&world, query, false);
        let without = run(&world, query, true);
        match (with, without) {
            (Ok((with, moved)), Ok((without, moved_all))) => {
                if with != truth {
                    failures.push(format!("{query}\n  with pushdown {with:#?}\n  truth {truth:#?}"));
                }
                if without != truth {
                    failures.push(format!("{query}\n  without pushdown {without:#?}\n  truth {truth:#?}"));
                }
                for (total, from) in [(&mut rows_with, &moved), (&mut rows_without, &moved_all)] {
                    *total += from.movements.iter().map(|m| m.rows).sum::<u64>();
                }
                for (total, from) in [(&mut bytes_with, &moved), (&mut bytes_without, &moved_all)] {
                    *total += from.movements.iter().map(|m| m.bytes).sum::<u64>();
                }
            }
            (with, without) => failures.push(format!("{query}\n  with: {:?}\n  without: {:?}", with.err(), without.err())),
        }
    }
    assert!(failures.is_empty(), "{} of {} failed:\n{}", failures.len(), QUERIES.len(), failures.join("\n"));
    assert!(rows_with < rows_without && bytes_with < bytes_without, "pushdown must move less");
}

#[test]
fn a_source_that_fails_names_itself_and_the_rest_stops() {
    let server = servers::PostgresServer::start();
    let folder = tempfile::tempdir().unwrap();
    let mut world = world(folder.path(), server.port);
    let query = "select o.id, c.name from {orders} o join {customers} c on o.customer_id = c.id";
    connect(&world.specs["lite"]).unwrap().execute("insert into customers values ('x', 'a', 'b', 1, null, null)").unwrap();
    let error = run(&world, query, false).unwrap_err();
    assert_eq!(error.code, dvt_diagnostic::Code::PrecisionLost);
    assert!(error.message.contains("`customers` of target `lite`") && error.message.contains("`id`"), "{error}");

    connect(&world.specs["lite"]).unwrap().execute("drop table customers").unwrap();
    let error = run(&world, query, false).unwrap_err();
    assert_eq!(error.code, dvt_diagnostic::Code::RelationMissing);

    world.specs.get_mut("pg").unwrap().options.insert("port".into(), "1".into());
    let error = run(&world, "select o.id from {orders} o join {items} i on i.order_id = o.id", false).unwrap_err();
    assert_eq!(error.code, dvt_diagnostic::Code::ConnectionFailed);
    assert!(error.hint.is_some());
}
