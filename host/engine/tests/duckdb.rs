//! DuckDB files and the embedded compute, with the real library.
#![allow(clippy::unwrap_used, missing_docs)]

use arrow::array::{AsArray, Decimal128Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Decimal128Type, Field, Int64Type, Schema, SchemaRef};
use dvt_engine::{
    Compute, ComputeSettings, ConnectSpec, Connection, EngineError, ErrorKind, Reads, Stop, StreamSender, connect,
};
use std::sync::Arc;

fn open(path: &std::path::Path, create: bool) -> Result<Box<dyn Connection>, EngineError> {
    let mut spec = ConnectSpec { driver: "duckdb".into(), ..ConnectSpec::default() };
    spec.options.insert("path".into(), path.to_str().unwrap().into());
    spec.options.insert("create".into(), create.to_string());
    connect(&spec)
}

fn schema(fields: &[(&str, DataType)]) -> SchemaRef {
    Arc::new(Schema::new(fields.iter().map(|(n, t)| Field::new(*n, t.clone(), true)).collect::<Vec<_>>()))
}

fn numbers(schema: &SchemaRef, from: i64, to: i64) -> RecordBatch {
    let n = Int64Array::from_iter_values(from..to);
    let s = StringArray::from_iter_values((from..to).map(|v| format!("row {v}")));
    RecordBatch::try_new(schema.clone(), vec![Arc::new(n), Arc::new(s)]).unwrap()
}

fn number_schema() -> SchemaRef {
    schema(&[("n", DataType::Int64), ("s", DataType::Utf8)])
}

fn produce(sender: StreamSender, batches: i64, rows: i64) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        for b in 0..batches {
            if sender.send(numbers(&number_schema(), b * rows, (b + 1) * rows)).is_err() {
                return;
            }
        }
        sender.finish();
    })
}

fn collect(compute: &mut Compute, sql: &str) -> Result<Vec<RecordBatch>, EngineError> {
    let mut out = Vec::new();
    let mut sink = |b: RecordBatch| -> Result<(), Stop> {
        out.push(b);
        Ok(())
    };
    compute.run(sql, &mut sink)?;
    Ok(out)
}

#[test]
fn streams_are_joined_and_every_row_arrives() {
    let mut compute = Compute::open(&ComputeSettings::default()).unwrap();
    let a = produce(compute.attach("a", number_schema(), Reads::Once, Some(50_000)).unwrap(), 10, 5000);
    let b = produce(compute.attach("b", number_schema(), Reads::Once, None).unwrap(), 1, 100);
    let out = collect(&mut compute, "select count(*)::bigint c, sum(a.n)::bigint s from a join b on a.n = b.n").unwrap();
    assert_eq!(out[0].column(0).as_primitive::<Int64Type>().value(0), 100);
    assert_eq!(out[0].column(1).as_primitive::<Int64Type>().value(0), 4950);
    a.join().unwrap();
    b.join().unwrap();
}

#[test]
fn a_stream_read_twice_is_refused_unless_declared() {
    let sql = "select (select count(*) from a) + (select count(*) from a) as c";
    let mut compute = Compute::open(&ComputeSettings::default()).unwrap();
    let producer = produce(compute.attach("a", number_schema(), Reads::Once, None).unwrap(), 4, 5000);
    // DuckDB may merge the two equal subqueries into one scan; what must not happen is a wrong count.
    match collect(&mut compute, sql) {
        Ok(out) => assert_eq!(out[0].column(0).as_primitive::<Int64Type>().value(0), 40_000),
        Err(e) => assert!(e.message.contains("only once"), "{}", e.message),
    }
    producer.join().unwrap();

    let mut compute = Compute::open(&ComputeSettings::default()).unwrap();
    let producer = produce(compute.attach("a", number_schema(), Reads::Several, None).unwrap(), 4, 5000);
    let sql = "select count(*) as c from a x join a y on x.n = y.n + 1";
    let out = collect(&mut compute, sql).unwrap();
    assert_eq!(out[0].column(0).as_primitive::<Int64Type>().value(0), 19_999);
    producer.join().unwrap();
}

/// DuckDB 1.5.6 answers this only without its optimizer, which loses `qty`.
#[test]
fn a_query_that_the_optimizer_loses_a_column_of_is_answered() {
    let mut compute = Compute::open(&ComputeSettings::default()).unwrap();
    compute.prepare("create temp table s as select * from (values ('a', 1), (null, null), ('b', null)) t(note, qty)").unwrap();
    compute.prepare("create temp table p as select * from (values (1, 'a', date '2020-01-01'), (2, 'b', date '2020-01-02')) t(id, region, opened)").unwrap();
    compute.prepare("create temp table o as select 1 as id, 3 as n union all select 0, 7").unwrap();
    let sql = "select o.n from (select distinct coalesce(b.id, 0) as c from s a join p b on a.note = b.region right join p c on b.opened = c.opened and (c.id < 1 and a.note is null) where a.qty is null) t join o on o.id = t.c and (1 = 1)";
    let out = collect(&mut compute, sql).unwrap();
    assert_eq!(out.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
    assert_eq!(out[0].column(0).as_primitive::<arrow::datatypes::Int32Type>().value(0), 7);
}

#[test]
fn a_producer_that_vanishes_or_fails_never_looks_complete() {
    let mut compute = Compute::open(&ComputeSettings::default()).unwrap();
    let sender = compute.attach("a", number_schema(), Reads::Once, None).unwrap();
    let producer = std::thread::spawn(move || {
        sender.send(numbers(&number_schema(), 0, 10)).unwrap();
        drop(sender);
    });
    let error = collect(&mut compute, "select * from a").unwrap_err();
    assert_eq!(error.kind, ErrorKind::Io);
    assert!(error.message.contains("before its last row"));
    producer.join().unwrap();

    let mut compute = Compute::open(&ComputeSettings::default()).unwrap();
    let sender = compute.attach("a", number_schema(), Reads::Once, None).unwrap();
    let producer = std::thread::spawn(move || {
        sender.send(numbers(&number_schema(), 0, 10)).unwrap();
        sender.fail(EngineError::new(ErrorKind::Auth, "the source said no"));
    });
    let error = collect(&mut compute, "select count(*) from a").unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Auth, "the source said no"));
    producer.join().unwrap();
}

#[test]
fn an_error_in_the_middle_of_a_result_is_an_error_not_a_short_result() {
    let mut compute = Compute::open(&ComputeSettings::default()).unwrap();
    let producer = produce(compute.attach("a", number_schema(), Reads::Once, None).unwrap(), 30, 5000);
    let sql = "select case when n = 120000 then cast(s as integer) else 1 end as x from a";
    let error = collect(&mut compute, sql).unwrap_err();
    assert!(error.message.contains("row 120000"), "{}", error.message);
    producer.join().unwrap();
}

#[test]
fn a_reader_that_stops_early_releases_its_producer() {
    let mut compute = Compute::open(&ComputeSettings::default()).unwrap();
    let producer = produce(compute.attach("a", number_schema(), Reads::Once, None).unwrap(), 10_000, 1000);
    let out = collect(&mut compute, "select * from a limit 3").unwrap();
    assert_eq!(out.iter().map(RecordBatch::num_rows).sum::<usize>(), 3);
    producer.join().unwrap();
}

#[test]
fn two_sessions_of_one_process_share_a_file_and_commits_are_seen() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.duckdb");
    assert_eq!(open(&path, false).err().unwrap().kind, ErrorKind::Missing);
    let mut one = open(&path, true).unwrap();
    let mut two = open(&path, false).unwrap();
    one.execute("begin; create table t as select 1::bigint as n").unwrap();
    assert_eq!(two.query("select * from t", None).unwrap_err().kind, ErrorKind::Missing);
    one.execute("commit").unwrap();
    assert_eq!(two.query("select * from t", None).unwrap().batches[0].num_rows(), 1);
}

#[test]
fn a_load_is_exact_counted_and_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut c = open(&dir.path().join("w.duckdb"), true).unwrap();
    c.execute("create table t (d decimal(38,10))").unwrap();
    let kind = DataType::Decimal128(38, 10);
    let want = schema(&[("d", kind.clone())]);
    let values = vec![Some(1i128), None, Some(-99_999_999_999_999_999_999_999_999_999_999_999_999)];
    let batch = |v: Vec<Option<i128>>| {
        RecordBatch::try_new(want.clone(), vec![Arc::new(Decimal128Array::from(v).with_data_type(kind.clone()))]).unwrap()
    };
    assert_eq!(c.load("t", &want, &mut std::iter::once(Ok(batch(values.clone())))).unwrap(), 3);
    let failing = vec![Ok(batch(values.clone())), Err(EngineError::new(ErrorKind::Io, "source lost"))];
    assert_eq!(c.load("t", &want, &mut failing.into_iter()).unwrap_err().message, "source lost");
    let mut out = Vec::new();
    let mut sink = |b: RecordBatch| -> Result<(), Stop> {
        out.push(b);
        Ok(())
    };
    assert_eq!(c.read("select d from t", &want, &mut sink).unwrap().rows, 3);
    assert_eq!(out[0].column(0).as_primitive::<Decimal128Type>().iter().collect::<Vec<_>>(), values);
}

#[test]
fn a_type_that_would_lose_values_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let mut c = open(&dir.path().join("w.duckdb"), true).unwrap();
    let mut sink = |_: RecordBatch| -> Result<(), Stop> { Ok(()) };
    let want = schema(&[("price", DataType::Decimal128(10, 1))]);
    let error = c.read("select 1.25::decimal(10,2) as price", &want, &mut sink).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Type);
    assert!(error.message.contains("`price`"));
}

#[test]
fn time_zones_work_without_the_network() {
    let mut compute = Compute::open(&ComputeSettings::default()).unwrap();
    let sql = "select ('2024-07-01 12:00:00+00'::timestamptz at time zone 'Europe/Berlin')::varchar as t";
    let out = collect(&mut compute, sql).unwrap();
    assert_eq!(out[0].column(0).as_string::<i32>().value(0), "2024-07-01 14:00:00");
}

#[test]
fn five_million_rows_pass_through_under_a_memory_limit() {
    let settings = ComputeSettings { memory_limit: Some("256MB".into()), threads: Some(2), temp_directory: None };
    let mut compute = Compute::open(&settings).unwrap();
    let producer = produce(compute.attach("a", number_schema(), Reads::Once, None).unwrap(), 1000, 5000);
    let mut rows = 0;
    let mut sink = |b: RecordBatch| -> Result<(), Stop> {
        rows += b.num_rows();
        Ok(())
    };
    compute.run("select n, s from a where n % 2 = 0", &mut sink).unwrap();
    assert_eq!(rows, 2_500_000);
    producer.join().unwrap();
}

/// Every Arrow type that a source may deliver.
const TYPES: &str = "select true as b, 1::tinyint as i1, 2::smallint as i2, 3::integer as i4, 9223372036854775807::bigint as i8,
  255::utinyint as u1, 65535::usmallint as u2, 4294967295::uinteger as u4, 18446744073709551615::ubigint as u8,
  1.5::float as f4, 'nan'::double as f8, -0.01::decimal(4,2) as d4, 12345.67::decimal(9,2) as d9, 1.2::decimal(18,1) as d18,
  99999999999999999999999999999999999999::decimal(38,0) as d38, 'ß 😀' as t, '\\x00\\xFF'::blob as y,
  date '9999-12-31' as d, time '23:59:59.999999' as ti, timestamp '0001-01-01 00:00:00.000001' as ts,
  timestamptz '2024-03-31 01:00:00+00' as tz, interval '1 month 2 days 3.000004 seconds' as iv, [1, null, 3] as l, ['a', ''] as lt
";

/// One row in seven is NULL, over more rows than one chunk or batch holds.
fn rows_of_every_type(c: &mut dyn Connection) -> dvt_engine::Rows {
    c.execute(&format!("create table one as {TYPES}")).unwrap();
    let columns = c.describe("from one").unwrap();
    let columns: Vec<_> = columns.iter().map(|c| format!("case when r % 7 <> 0 then {0} end as {0}", c.name)).collect();
    c.query(&format!("select {} from one, range(5000) as x(r) order by r", columns.join(", ")), None).unwrap()
}

#[test]
fn every_type_streams_through_the_compute_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let mut c = open(&folder.path().join("a.duckdb"), true).unwrap();
    let source = rows_of_every_type(c.as_mut());
    for field in source.schema.fields() {
        for reads in [Reads::Once, Reads::Several] {
            let index = source.schema.index_of(field.name()).unwrap();
            let one = source.batches.iter().map(|b| b.project(&[index]).unwrap());
            let mut compute = Compute::open(&ComputeSettings::default()).unwrap();
            let schema: SchemaRef = Arc::new(source.schema.project(&[index]).unwrap());
            let sender = compute.attach("a", schema, reads, None).unwrap();
            let batches: Vec<RecordBatch> = one.collect();
            let sent = batches.clone();
            let producer = std::thread::spawn(move || {
                for batch in sent {
                    sender.send(batch).unwrap();
                }
                sender.finish();
            });
            let described = compute.describe("select * from a").unwrap();
            assert_eq!(described[0].name, *field.name());
            let result = collect(&mut compute, "select * from a");
            producer.join().unwrap();
            let result = result.unwrap_or_else(|e| panic!("{field}: {e}"));
            // Arrow prints no named zones: the instant is compared as its microseconds.
            let plain = |b: &RecordBatch| match b.column(0).data_type() {
                DataType::Timestamp(_, Some(_)) => {
                    let micros = arrow::compute::cast(b.column(0), &DataType::Int64).unwrap();
                    RecordBatch::try_from_iter([("z", micros)]).unwrap()
                }
                _ => b.clone(),
            };
            let text = |batches: &[RecordBatch]| {
                let batches: Vec<_> = batches.iter().map(plain).collect();
                arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string()
            };
            let (mut got, mut sent): (Vec<String>, Vec<String>) =
                (text(&result).lines().map(str::to_owned).collect(), text(&batches).lines().map(str::to_owned).collect());
            got.sort();
            sent.sort();
            assert_eq!(got.len(), 5004, "{field}");
            assert!(got == sent, "{field}");
            assert_eq!(result[0].schema().field(0).data_type(), field.data_type(), "{field}");
        }
    }
}

#[test]
fn a_load_into_a_missing_table_fails_and_does_not_wait() {
    let folder = tempfile::tempdir().unwrap();
    let mut c = open(&folder.path().join("a.duckdb"), true).unwrap();
    let mut batches = (0..100).map(|i| Ok(numbers(&number_schema(), i, i + 1)));
    let error = c.load("nowhere", &number_schema(), &mut batches).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Missing, "{error}");
}

#[test]
fn a_snapshot_of_a_file_does_not_see_later_commits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.duckdb");
    let (mut reader, mut writer) = (open(&path, true).unwrap(), open(&path, true).unwrap());
    writer.execute("create table t (i int)").unwrap();
    reader.begin_snapshot().unwrap();
    assert_eq!(reader.query("from t", None).unwrap().batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 0);
    writer.execute("insert into t values (1)").unwrap();
    assert_eq!(reader.query("from t", None).unwrap().batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 0);
    reader.end_snapshot().unwrap();
    assert_eq!(reader.query("from t", None).unwrap().batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
}

#[test]
fn a_file_of_a_later_format_is_refused_with_advice() {
    // The first 12 KB (all headers) of a file that DuckDB 2.0 wrote in its newest storage version.
    let path = std::path::PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("tests/data/written_by_2_0.duckdb");
    let error = open(&path, false).err().unwrap();
    assert_eq!(error.kind, ErrorKind::Version, "{error}");
    assert!(error.hint.is_some());
}

#[test]
fn a_list_arrives_under_the_planned_inner_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut c = open(&folder.path().join("a.duckdb"), true).unwrap();
    let want = schema(&[("l", DataType::List(Arc::new(Field::new("item", DataType::Int64, true))))]);
    let mut got = Vec::new();
    let mut sink = |b: RecordBatch| -> Result<(), Stop> {
        got.push(b);
        Ok(())
    };
    c.read("select [1, null]::int[] as l union all select null", &want, &mut sink).unwrap();
    assert_eq!(got.iter().map(RecordBatch::num_rows).sum::<usize>(), 2);
    assert_eq!(got[0].schema(), want);
}

/// Written as they are, with no more optimizers off, both count one row: the join's condition goes below the LIMIT.
#[test]
fn a_limit_on_one_side_of_a_join_keeps_the_rows_that_it_had() {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = open(&folder.path().join("l.duckdb"), true).unwrap();
    connection.execute("create table s as select * from (values (1), (2), (3), (5)) t(id)").unwrap();
    for first in ["order by id limit 2", "limit 2"] {
        let sql = format!("select count(*) from (select * from s {first}) t where t.id in (select id from s where id = 5)");
        let rows = connection.query(&sql, None).unwrap();
        assert_eq!(rows.batches[0].column(0).as_primitive::<Int64Type>().value(0), 0, "{sql}");
    }
}
