//! The SQLite driver against real files.
#![allow(clippy::unwrap_used, missing_docs)]

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Decimal128Type, Field, Int64Type, Schema, SchemaRef, TimeUnit};
use dvt_engine::{BATCH_ROWS, ConnectSpec, Connection, EngineError, ErrorKind, Stop, connect};
use std::sync::Arc;

fn open(path: &std::path::Path, create: bool) -> Result<Box<dyn Connection>, EngineError> {
    let mut spec = ConnectSpec { driver: "sqlite".into(), ..ConnectSpec::default() };
    spec.options.insert("path".into(), path.to_str().unwrap().into());
    spec.options.insert("create".into(), create.to_string());
    connect(&spec)
}

fn fresh() -> (tempfile::TempDir, Box<dyn Connection>) {
    let dir = tempfile::tempdir().unwrap();
    let connection = open(&dir.path().join("a.db"), true).unwrap();
    (dir, connection)
}

fn schema(fields: &[(&str, DataType)]) -> SchemaRef {
    Arc::new(Schema::new(fields.iter().map(|(n, t)| Field::new(*n, t.clone(), true)).collect::<Vec<_>>()))
}

fn read_all(c: &mut dyn Connection, sql: &str, want: &SchemaRef) -> Result<Vec<RecordBatch>, EngineError> {
    let mut batches = Vec::new();
    let mut sink = |b: RecordBatch| -> Result<(), Stop> {
        batches.push(b);
        Ok(())
    };
    c.read(sql, want, &mut sink)?;
    Ok(batches)
}

#[test]
fn a_missing_file_is_named_and_not_created() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("none.db");
    let error = open(&path, false).err().unwrap();
    assert_eq!(error.kind, ErrorKind::Missing);
    assert!(error.message.contains("none.db"));
    assert!(!path.exists());
}

#[test]
fn a_cell_of_another_class_is_refused_with_column_and_row() {
    let (_dir, mut c) = fresh();
    c.execute("create table t (n integer); insert into t values (1), (null), ('x')").unwrap();
    let error = read_all(c.as_mut(), "select n from t", &schema(&[("n", DataType::Int64)])).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Type);
    assert!(error.message.contains("column `n`, row 3: text does not fit an integer of 64 bits"), "{}", error.message);
}

#[test]
fn decimals_survive_the_way_in_and_out_exactly() {
    let (_dir, mut c) = fresh();
    c.execute("create table t (d text)").unwrap();
    let field = DataType::Decimal128(38, 10);
    let want = schema(&[("d", field.clone())]);
    let values = vec![Some(1i128), Some(-99_999_999_999_999_999_999_999_999_999_999_999_999), None, Some(0)];
    let array = Decimal128Array::from(values.clone()).with_data_type(field);
    let batch = RecordBatch::try_new(want.clone(), vec![Arc::new(array)]).unwrap();
    let loaded = c.load("t", &want, &mut std::iter::once(Ok(batch))).unwrap();
    assert_eq!(loaded, 4);
    let back = read_all(c.as_mut(), "select d from t", &want).unwrap();
    let column = back[0].column(0).as_primitive::<Decimal128Type>();
    assert_eq!(column.iter().collect::<Vec<_>>(), values);
}

#[test]
fn a_load_that_fails_leaves_nothing() {
    let (_dir, mut c) = fresh();
    c.execute("create table t (n integer not null)").unwrap();
    let want = schema(&[("n", DataType::Int64)]);
    let batch = |v: Vec<Option<i64>>| Ok(RecordBatch::try_new(want.clone(), vec![Arc::new(Int64Array::from(v))]).unwrap());
    let error = c.load("t", &want, &mut vec![batch(vec![Some(1)]), batch(vec![None])].into_iter()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Statement);
    let rows = c.query("select count(*) from t", None).unwrap();
    assert_eq!(rows.batches[0].column(0).as_primitive::<Int64Type>().value(0), 0);
}

#[test]
fn many_rows_come_in_bounded_batches_and_are_counted() {
    let (_dir, mut c) = fresh();
    let want = schema(&[("n", DataType::Int64), ("s", DataType::Utf8)]);
    let sql = "with recursive g(n) as (select 1 union all select n + 1 from g where n < 20000) select n, 'r' || n from g";
    let batches = read_all(c.as_mut(), sql, &want).unwrap();
    assert!(batches.iter().all(|b| b.num_rows() <= BATCH_ROWS));
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 20_000);
}

#[test]
fn a_receiver_that_stops_ends_the_read_without_an_error() {
    let (_dir, mut c) = fresh();
    let sql = "with recursive g(n) as (select 1 union all select n + 1 from g) select n from g";
    let mut sink = |_: RecordBatch| -> Result<(), Stop> { Err(Stop) };
    let count = c.read(sql, &schema(&[("n", DataType::Int64)]), &mut sink).unwrap();
    assert_eq!(count.rows as usize, BATCH_ROWS);
}

#[test]
fn an_empty_result_keeps_its_columns() {
    let (_dir, mut c) = fresh();
    c.execute("create table t (n integer, s text)").unwrap();
    let rows = c.query("select n, s from t", None).unwrap();
    assert_eq!(rows.schema.fields().len(), 2);
    assert_eq!(rows.batches[0].num_rows(), 0);
    let described = c.describe("select n, s, n + 1 as e from t").unwrap();
    assert_eq!(described[0].native.to_lowercase(), "integer");
    assert_eq!(described[2].native, "");
}

#[test]
fn nan_is_refused_because_it_would_become_null() {
    let (_dir, mut c) = fresh();
    c.execute("create table t (f real)").unwrap();
    let want = schema(&[("f", DataType::Float64)]);
    let array = arrow::array::Float64Array::from(vec![f64::NAN]);
    let batch = RecordBatch::try_new(want.clone(), vec![Arc::new(array)]).unwrap();
    let error = c.load("t", &want, &mut std::iter::once(Ok(batch))).unwrap_err();
    assert!(error.message.contains("column `f`"));
}

#[test]
fn text_of_every_kind_comes_back_unchanged() {
    let (_dir, mut c) = fresh();
    c.execute("create table t (s text)").unwrap();
    let want = schema(&[("s", DataType::Utf8)]);
    let values = vec![Some(""), Some("a "), Some("it's"), Some("ß İ 😀"), None, Some("line\nbreak")];
    let batch = RecordBatch::try_new(want.clone(), vec![Arc::new(StringArray::from(values.clone()))]).unwrap();
    c.load("t", &want, &mut std::iter::once(Ok(batch))).unwrap();
    let back = read_all(c.as_mut(), "select s from t order by rowid", &want).unwrap();
    assert_eq!(back[0].column(0).as_string::<i32>().iter().collect::<Vec<_>>(), values);
    assert!(back[0].column(0).is_null(4));
}

#[test]
fn instants_and_clock_times_come_back_unchanged() {
    let (_folder, mut c) = fresh();
    let kinds = [
        ("z", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
        ("ts", DataType::Timestamp(TimeUnit::Microsecond, None)),
        ("ti", DataType::Time64(TimeUnit::Microsecond)),
        ("d", DataType::Date32),
    ];
    let want = schema(&kinds);
    let values = [0, 1, 86_399_999_999];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(TimestampMicrosecondArray::from_iter_values(values).with_timezone("UTC")),
        Arc::new(TimestampMicrosecondArray::from_iter_values([-62_135_596_800_000_000, -1, 253_402_300_799_999_999])),
        Arc::new(Time64MicrosecondArray::from_iter_values(values)),
        Arc::new(Date32Array::from_iter_values([-719_162, 0, 2_932_896])),
    ];
    let batch = RecordBatch::try_new(want.clone(), columns).unwrap();
    c.execute("create table t (z text, ts text, ti text, d text)").unwrap();
    assert_eq!(c.load("t", &want, &mut std::iter::once(Ok(batch.clone()))).unwrap(), 3);
    assert_eq!(read_all(c.as_mut(), "select * from t", &want).unwrap(), [batch]);
}

#[test]
fn a_value_that_cannot_be_printed_is_refused_not_stored_as_its_error() {
    let (_folder, mut c) = fresh();
    let want = schema(&[("ts", DataType::Timestamp(TimeUnit::Microsecond, None))]);
    let batch = RecordBatch::try_new(want.clone(), vec![Arc::new(TimestampMicrosecondArray::from_iter_values([i64::MAX]))]).unwrap();
    c.execute("create table t (ts text)").unwrap();
    let error = c.load("t", &want, &mut std::iter::once(Ok(batch))).unwrap_err();
    assert!(error.kind == ErrorKind::Type && error.message.contains("`ts`"), "{error}");
}
