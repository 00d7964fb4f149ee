//! The MySQL driver against a real MariaDB.
#![allow(clippy::unwrap_used, missing_docs)]

mod servers;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use dvt_engine::{ConnectSpec, Connection, EngineError, ErrorKind, Secret, Stop, connect};
use servers::mariadb::MariadbServer;
use std::sync::Arc;
use std::time::Duration;

fn spec(server: &MariadbServer) -> ConnectSpec {
    let mut spec = ConnectSpec { driver: "mysql".into(), application: "dvt-test".into(), ..ConnectSpec::default() };
    for (k, v) in [("host", "127.0.0.1"), ("user", "dvt"), ("database", "d"), ("sslmode", "prefer")] {
        spec.options.insert(k.into(), v.into());
    }
    spec.options.insert("port".into(), server.port.to_string());
    spec
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

fn cells(batches: &[RecordBatch]) -> Vec<Vec<String>> {
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<_> = batch.columns().iter().map(|c| ArrayFormatter::try_new(c.as_ref(), &options).unwrap()).collect();
        for row in 0..batch.num_rows() {
            rows.push(columns.iter().map(|c| c.value(row).to_string()).collect());
        }
    }
    rows
}

fn one_text(value: &str) -> (SchemaRef, RecordBatch) {
    let schema = schema(&[("a", DataType::Utf8)]);
    let batch = RecordBatch::try_new(schema.clone(), vec![Arc::new(StringArray::from(vec![value])) as ArrayRef]).unwrap();
    (schema, batch)
}

const TYPES: &str = "create table d.everything (
  b tinyint(1), i1 tinyint, u1 tinyint unsigned, i2 smallint, u2 smallint unsigned, i3 mediumint, i4 int, u4 int unsigned, i8 bigint,
  u8 bigint unsigned, y year, bit1 bit(1), bit9 bit(33), f4 float, f8 double, n decimal(38,10), m decimal(15,2),
  t longtext character set utf8mb4, v varchar(40) character set utf8mb4, c char(4), l varchar(20) character set latin1,
  e enum('x','it''s'), s set('p','q'), bin varbinary(10), blo longblob, fix binary(4), d date, ti time(6), dt datetime(6), ts timestamp(6) null,
  j json, u uuid, i6 inet6)";

fn wanted() -> SchemaRef {
    let micros = TimeUnit::Microsecond;
    schema(&[
        ("b", DataType::Int8),
        ("i1", DataType::Int8),
        ("u1", DataType::UInt8),
        ("i2", DataType::Int16),
        ("u2", DataType::UInt16),
        ("i3", DataType::Int32),
        ("i4", DataType::Int32),
        ("u4", DataType::UInt32),
        ("i8", DataType::Int64),
        ("u8", DataType::UInt64),
        ("y", DataType::Int16),
        ("bit1", DataType::Boolean),
        ("bit9", DataType::UInt64),
        ("f4", DataType::Float32),
        ("f8", DataType::Float64),
        ("n", DataType::Decimal128(38, 10)),
        ("m", DataType::Decimal128(15, 2)),
        ("t", DataType::Utf8),
        ("v", DataType::Utf8),
        ("c", DataType::Utf8),
        ("l", DataType::Utf8),
        ("e", DataType::Utf8),
        ("s", DataType::Utf8),
        ("bin", DataType::Binary),
        ("blo", DataType::Binary),
        ("fix", DataType::Binary),
        ("d", DataType::Date32),
        ("ti", DataType::Time64(micros)),
        ("dt", DataType::Timestamp(micros, None)),
        ("ts", DataType::Timestamp(micros, Some("+00:00".into()))),
        ("j", DataType::Utf8),
        ("u", DataType::Utf8),
        ("i6", DataType::Utf8),
    ])
}

const VALUES: &[&str] = &[
    "(2, 127, 255, 32767, 65535, 8388607, 2147483647, 4294967295, 9223372036854775807, 18446744073709551615, 2155, b'1', b'100000000000000000000000000000001',
      3.4028234e38, 1.7976931348623157e308, 9999999999999999999999999999.9999999999, 9999999999999.99, 'ß İ 😀\\t\\\\N\\n\\'', '', 'ab', 'é',
      'it''s', 'p,q', x'00ff0a095c', x'00', x'01', '9999-12-31', '23:59:59.999999', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07.999999',
      '{\"a\": [1]}', '00000000-0000-0000-0000-0000000000ff', '::1')",
    "(0, -128, 0, -32768, 0, -8388608, -2147483648, 0, -9223372036854775808, 0, 1901, b'0', b'0', -1.17549e-38, 5e-324, -0.0000000001, -0.01,
      '\\\\N', 'a ', '', '', 'x', '', '', '', x'00000000', '0001-01-01', '00:00:00', '0001-01-01 00:00:00', '1970-01-01 00:00:01', 'null',
      'ffffffff-ffff-ffff-ffff-ffffffffffff', '2001:db8::')",
    "(null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
      null, null, null, null, null, null, null, null, null, null)",
    "(1, 0, 1, 0, 1, 0, 0, 1, 0, 1, 2000, null, b'101', 0.1, '-0', 0, 0, 'a\\r\\nb\\0c', ' x', 'a', 'x', 'x', 'q', 'a', 'b', 'c', '2000-02-29', '12:00:00.000001',
      '2024-03-31 02:30:00.000001', '2024-03-31 01:00:00', '[]', 'ffffffff-0000-ffff-ffff-ffffffffffff', '::')",
];

#[test]
fn a_real_server() {
    // One function owns the server, so that it is stopped even when a step fails.
    let server = &MariadbServer::start();
    connect(&spec(server)).unwrap().execute("create database d").unwrap();
    every_type_goes_out_and_in_again_unchanged(server, "LOAD DATA");
    a_value_that_does_not_fit_leaves_nothing(server);
    dates_that_no_calendar_has_are_refused_by_name(server);
    failures_have_their_kind(server);
    a_running_query_is_cancelled(server);
    a_read_that_is_stopped_leaves_the_session_usable(server);
    small_queries_keep_types(server);
    a_snapshot_does_not_see_later_commits(server);
    passwords_and_tls_are_checked(server);
    let mut c = connect(&spec(server)).unwrap();
    c.execute("set global local_infile = 0; drop table d.everything; drop table d.copy").unwrap();
    every_type_goes_out_and_in_again_unchanged(server, "INSERT");
    a_value_that_does_not_fit_leaves_nothing(server);
}

fn every_type_goes_out_and_in_again_unchanged(server: &MariadbServer, how: &str) {
    let mut c = connect(&spec(server)).unwrap();
    c.execute(TYPES).unwrap();
    c.execute(&format!("insert into d.everything values {}", VALUES.join(", "))).unwrap();
    let want = wanted();
    let out = read_all(c.as_mut(), "select * from d.everything", &want).unwrap();
    let rows = cells(&out);
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[0][12], "4294967297");
    assert_eq!(rows[0][17], "ß İ 😀\t\\N\n'");
    assert_eq!(rows[0][20], "é");
    assert_eq!(rows[0][29], "2038-01-19T03:14:07.999999Z");
    assert_eq!(rows[1][17], "\\N");
    assert!(rows[2].iter().all(|c| c == "NULL"));
    // The product itself makes -0 a plain 0; the two are equal in SQL.
    assert_eq!(rows[3][14], "0.0");
    // BIT is written as a truth value or a number, which a column of bits does not read from text.
    c.execute("create table d.copy like d.everything").unwrap();
    c.execute("alter table d.copy modify bit1 tinyint(1), modify bit9 bigint unsigned").unwrap();
    let loaded = c.load("`d`.`copy`", &want, &mut out.iter().cloned().map(Ok)).unwrap();
    assert_eq!(loaded, 4, "{how}");
    let mut back = want.fields().iter().map(|f| f.as_ref().clone()).collect::<Vec<_>>();
    back[11] = Field::new("bit1", DataType::Boolean, true);
    let again = read_all(c.as_mut(), "select * from d.copy", &Arc::new(Schema::new(back))).unwrap();
    assert_eq!(cells(&again), rows, "{how}");
    let same = "select count(*) from d.everything a join d.copy b on a.i8 = b.i8 and a.f4 = b.f4 and a.f8 = b.f8 and a.n = b.n
                and hex(a.t) = hex(b.t) and hex(a.c) = hex(b.c) and a.blo = b.blo and a.fix = b.fix and a.ts = b.ts";
    assert_eq!(cells(&c.query(same, None).unwrap().batches), vec![vec!["3"]], "{how}");
}

fn a_value_that_does_not_fit_leaves_nothing(server: &MariadbServer) {
    let mut c = connect(&spec(server)).unwrap();
    c.execute("create table if not exists d.narrow (a varchar(3)); create table if not exists d.latin (a varchar(30) character set latin1)").unwrap();
    for (table, value) in [("d.narrow", "four"), ("d.latin", "😀")] {
        let (schema, batch) = one_text(value);
        let (_, fits) = one_text("abc");
        let error = c.load(table, &schema, &mut [Ok(fits), Ok(batch)].into_iter()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Type, "{error:?}");
        assert!(error.message.contains('a'), "{error:?}");
        assert_eq!(cells(&c.query(&format!("select count(*) from {table}"), None).unwrap().batches), vec![vec!["0"]]);
    }
    let broken = EngineError::new(ErrorKind::Io, "the source went away");
    let (schema, batch) = one_text("abc");
    let error = c.load("d.narrow", &schema, &mut [Ok(batch.clone()), Err(broken)].into_iter()).unwrap_err();
    assert_eq!(error.message, "the source went away");
    assert_eq!(cells(&c.query("select count(*) from d.narrow", None).unwrap().batches), vec![vec!["0"]]);
    let missing = c.load("d.absent", &schema, &mut [Ok(batch)].into_iter()).unwrap_err();
    assert_eq!(missing.kind, ErrorKind::Missing, "{missing:?}");
    let floats = Arc::new(Schema::new(vec![Field::new("a", DataType::Float64, true)]));
    let nan = RecordBatch::try_new(floats.clone(), vec![Arc::new(arrow::array::Float64Array::from(vec![f64::NAN])) as ArrayRef]).unwrap();
    let error = c.load("d.narrow", &floats, &mut [Ok(nan)].into_iter()).unwrap_err();
    assert!(error.message.contains("`a`") && error.message.contains("NaN"), "{error:?}");
}

fn dates_that_no_calendar_has_are_refused_by_name(server: &MariadbServer) {
    let mut c = connect(&spec(server)).unwrap();
    c.execute("set sql_mode = ''; create table d.odd (d date, t time); insert into d.odd values ('2024-02-01', '01:00'), ('0000-00-00', '200:00')").unwrap();
    let error = read_all(c.as_mut(), "select d from d.odd", &schema(&[("d", DataType::Date32)])).unwrap_err();
    assert!(error.message.contains("`d`, row 2") && error.message.contains("0000-00-00"), "{error:?}");
    let error = read_all(c.as_mut(), "select t from d.odd", &schema(&[("t", DataType::Time64(TimeUnit::Microsecond))])).unwrap_err();
    assert!(error.message.contains("`t`, row 2"), "{error:?}");
}

fn failures_have_their_kind(server: &MariadbServer) {
    let mut c = connect(&spec(server)).unwrap();
    let mut kind = |sql: &str| c.execute(sql).unwrap_err().kind;
    assert_eq!(kind("select * from d.absent"), ErrorKind::Missing);
    assert_eq!(kind("select absent from d.everything"), ErrorKind::Column);
    assert_eq!(kind("selec 1"), ErrorKind::Statement);
    let mut gone = spec(server);
    gone.options.insert("port".into(), "1".into());
    let error = connect(&gone).err().unwrap();
    assert_eq!(error.kind, ErrorKind::Connect);
    assert!(error.message.contains("127.0.0.1:1"), "{error:?}");
    // The second of several statements fails loudly.
    assert_eq!(c.execute("select 1; select * from d.absent").unwrap_err().kind, ErrorKind::Missing);
}

fn a_running_query_is_cancelled(server: &MariadbServer) {
    let mut c = connect(&spec(server)).unwrap();
    let cancel = c.canceller();
    let (told, waits) = std::sync::mpsc::channel::<()>();
    let watcher = std::thread::spawn(move || {
        // Until the query is seen to run, cancelling may come too early: so again until told.
        while waits.recv_timeout(Duration::from_millis(100)).is_err() {
            cancel();
        }
    });
    let error = c.execute("select count(*) from seq_1_to_10000000 a, seq_1_to_10000000 b where a.seq + b.seq = 3").unwrap_err();
    told.send(()).unwrap();
    watcher.join().unwrap();
    assert_eq!(error.kind, ErrorKind::Cancelled, "{error:?}");
}

fn a_read_that_is_stopped_leaves_the_session_usable(server: &MariadbServer) {
    let mut c = connect(&spec(server)).unwrap();
    let want = schema(&[("seq", DataType::UInt64)]);
    let mut batches = 0;
    let mut sink = |_: RecordBatch| -> Result<(), Stop> {
        batches += 1;
        Err(Stop)
    };
    c.read("select seq from seq_1_to_10000000", &want, &mut sink).unwrap();
    assert_eq!(batches, 1);
    assert_eq!(cells(&c.query("select 7 as a", None).unwrap().batches), vec![vec!["7"]]);
}

fn small_queries_keep_types(server: &MariadbServer) {
    let mut c = connect(&spec(server)).unwrap();
    let rows = c.query("with a as (select cast(1.5 as decimal(5,2)) n, 'x' t, date '2024-01-02' d, null z) select * from a", None).unwrap();
    let kinds: Vec<DataType> = rows.schema.fields().iter().map(|f| f.data_type().clone()).collect();
    assert_eq!(kinds, [DataType::Decimal128(5, 2), DataType::Utf8, DataType::Date32, DataType::Utf8]);
    assert_eq!(cells(&rows.batches), vec![vec!["1.50", "x", "2024-01-02", "NULL"]]);
    assert_eq!(c.query("select seq from seq_1_to_100", Some(3)).unwrap().batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 3);
    assert_eq!(cells(&c.query("show variables like 'time_zone'", None).unwrap().batches), vec![vec!["time_zone", "+00:00"]]);
    let natives: Vec<String> = c
        .describe("select m, u4, dt, t, blo, cast(1 as decimal(20,3)) x from d.everything")
        .unwrap()
        .into_iter()
        .map(|d| d.native)
        .collect();
    assert_eq!(natives, ["decimal(15,2)", "int unsigned", "datetime(6)", "longtext", "longblob", "decimal(20,3)"]);
    assert!(c.server_version().unwrap().contains("MariaDB"));
}

fn a_snapshot_does_not_see_later_commits(server: &MariadbServer) {
    let (mut reader, mut writer) = (connect(&spec(server)).unwrap(), connect(&spec(server)).unwrap());
    writer.execute("create table d.s (a int) engine=InnoDB").unwrap();
    reader.begin_snapshot().unwrap();
    writer.execute("insert into d.s values (1)").unwrap();
    let count = |c: &mut dyn Connection| cells(&c.query("select count(*) from d.s", None).unwrap().batches)[0][0].clone();
    assert_eq!(count(reader.as_mut()), "0");
    assert!(reader.execute("insert into d.s values (2)").is_err());
    reader.end_snapshot().unwrap();
    assert_eq!(count(reader.as_mut()), "1");
}

fn passwords_and_tls_are_checked(server: &MariadbServer) {
    let mut c = connect(&spec(server)).unwrap();
    c.execute("create user guarded@'%' identified by 'right'; grant select on d.* to guarded@'%'").unwrap();
    let mut guarded = spec(server);
    guarded.options.insert("user".into(), "guarded".into());
    guarded.secrets.insert("password".into(), Secret::new("wrong"));
    let error = connect(&guarded).err().unwrap();
    assert_eq!(error.kind, ErrorKind::Auth);
    assert!(!format!("{error:?}").contains("wrong"));
    guarded.secrets.insert("password".into(), Secret::new("right"));
    assert_eq!(connect(&guarded).unwrap().execute("create table d.no (a int)").unwrap_err().kind, ErrorKind::Permission);
    // This server has no certificate: asking for TLS fails instead of going on without it.
    guarded.options.insert("sslmode".into(), "require".into());
    let error = connect(&guarded).err().unwrap();
    assert!(error.message.contains("TLS"), "{error:?}");
}
