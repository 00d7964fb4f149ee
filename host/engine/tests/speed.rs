//! How fast rows leave PostgreSQL, beside `psql` on the same query. Run by hand: `--ignored --nocapture`.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

mod servers;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use dvt_engine::{ConnectSpec, Stop, connect};
use servers::PostgresServer;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

const TABLE: &str = "create table lineitem as select i as orderkey, i % 200000 as partkey, i % 10000 as suppkey, i % 7 as line,
  (i % 50)::numeric(15,2) as quantity, (i * 1.37)::numeric(15,2) as price, (i % 10 / 100.0)::numeric(15,2) as discount,
  0.05::numeric(15,2) as tax, 'N'::text as flag, 'O'::text as status, date '1995-01-01' + i % 2000 as ship,
  date '1995-01-01' + i % 2001 as commit, date '1995-01-01' + i % 2002 as receipt, 'DELIVER IN PERSON'::text as instruct,
  'TRUCK'::text as mode, repeat('c', i % 40) as comment from generate_series(1, 1500000) i";

#[test]
#[ignore = "a measurement, not a fact"]
fn reading_costs_little_more_than_psql() {
    let server = PostgresServer::start();
    let mut spec = ConnectSpec { driver: "postgres".into(), application: "speed".into(), ..ConnectSpec::default() };
    for (k, v) in [("host", "127.0.0.1".to_owned()), ("user", "dvt".into()), ("dbname", "postgres".into()), ("port", server.port.to_string())] {
        spec.options.insert(k.into(), v);
    }
    let mut c = connect(&spec).unwrap();
    c.execute(TABLE).unwrap();
    let money = DataType::Decimal128(15, 2);
    let kinds = [const { DataType::Int32 }; 4].into_iter().chain([money.clone(), money.clone(), money.clone(), money]);
    let kinds = kinds.chain([DataType::Utf8, DataType::Utf8, DataType::Date32, DataType::Date32, DataType::Date32]);
    let kinds = kinds.chain([DataType::Utf8, DataType::Utf8, DataType::Utf8]);
    let want: SchemaRef = Arc::new(Schema::new(kinds.enumerate().map(|(i, k)| Field::new(format!("c{i}"), k, true)).collect::<Vec<_>>()));
    for _ in 0..4 {
        let start = Instant::now();
        let psql = Command::new("psql")
            .args(["-h", "127.0.0.1", "-U", "dvt", "-p", &server.port.to_string(), "-d", "postgres", "-qc"])
            .arg("\\copy (select * from lineitem) to /dev/null (format binary)")
            .status();
        assert!(psql.unwrap().success());
        let psql = start.elapsed();
        let start = Instant::now();
        let mut rows = 0;
        let mut sink = |b: RecordBatch| -> Result<(), Stop> {
            rows += b.num_rows();
            Ok(())
        };
        c.read("select * from lineitem", &want, &mut sink).unwrap();
        let ours = start.elapsed();
        assert_eq!(rows, 1_500_000);
        eprintln!("psql {psql:?}, dvt {ours:?}, ratio {:.2}", ours.as_secs_f64() / psql.as_secs_f64());
    }
}
