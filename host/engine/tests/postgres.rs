//! The PostgreSQL driver against a real server.
#![allow(clippy::unwrap_used, missing_docs)]

mod servers;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use dvt_engine::{ConnectSpec, Connection, EngineError, ErrorKind, Secret, Stop, connect};
use servers::PostgresServer;
use std::sync::Arc;
use std::time::Duration;

fn spec(server: &PostgresServer) -> ConnectSpec {
    let mut spec = ConnectSpec { driver: "postgres".into(), application: "dvt-test".into(), ..ConnectSpec::default() };
    for (k, v) in [("host", "127.0.0.1"), ("user", "dvt"), ("dbname", "postgres"), ("sslmode", "prefer")] {
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

const TYPES: &str = "create table everything (
  b boolean, i2 smallint, i4 integer, i8 bigint, f4 real, f8 double precision, n numeric(38,10), m numeric(15,2),
  t text, v varchar(20), c char(4), y bytea, d date, ti time, ts timestamp, tz timestamptz, iv interval, u uuid,
  j json, jb jsonb)";

const VALUES: &[&str] = &[
    "(true, 32767, 2147483647, 9223372036854775807, 3.5, 1e308, 9999999999999999999999999999.9999999999, 12.30,
      'ß İ 😀', '', 'ab', '\\x00ff', '9999-12-31', '23:59:59.999999', '2024-03-31 02:30:00.000001',
      '2024-03-31 01:00:00+02', '1 year 2 days 03:04:05.000006', '00000000-0000-0000-0000-0000000000ff',
      '{\"a\": 1}', '{\"b\":[1,null]}')",
    "(false, -32768, -2147483648, -9223372036854775808, '-0', 'NaN', -9999999999999999999999999999.9999999999, -0.01,
      'it''s', 'a ', '', '', '0001-01-01', '00:00', '0001-01-01 00:00:00', '1970-01-01 00:00:00+00', '-1 mon',
      'ffffffff-ffff-ffff-ffff-ffffffffffff', 'null', 'true')",
    "(null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null)",
    "(true, 0, 0, 0, 0, 'Infinity', 0.0000000001, 10000, E'tab\\tline\\n', 'x', 'abcd', 'x', '2000-01-01', '12:00',
      '2000-01-01', '2000-01-01+00', '0', gen_random_uuid(), '[]', '0')",
];

#[test]
fn a_real_server() {
    // One function owns the server, so that it is stopped even when a step fails.
    let server = &PostgresServer::start();
    every_type_goes_out_and_in_again_unchanged(server);
    refusals_name_the_column_before_data_moves(server);
    rows_split_over_messages_and_batches_are_all_there(server);
    a_failed_load_leaves_nothing(server);
    failures_have_their_kind_and_sqlstate(server);
    a_running_query_is_cancelled(server);
    small_queries_keep_types(server);
    arrays_go_out_and_in_again_or_are_refused(server);
    digits_the_table_would_round_away_are_refused(server);
    a_snapshot_does_not_see_later_commits_and_writes_nothing(server);
    a_statement_past_its_time_is_ended(server);
    a_million_rows_pass_in_bounded_memory(server);
    passwords_and_certificates_are_checked(server);
}

/// Last: it changes the server's settings.
fn passwords_and_certificates_are_checked(server: &PostgresServer) {
    let mut c = connect(&spec(server)).unwrap();
    let mut verify = spec(server);
    verify.options.insert("sslmode".into(), "require".into());
    let error = connect(&verify).err().unwrap();
    assert_eq!(error.kind, ErrorKind::Connect, "a server without TLS is refused when TLS is required: {error}");
    let folder = cells(&c.query("select current_setting('data_directory')", None).unwrap().batches)[0][0].clone();
    let make = "openssl req -new -x509 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
                -addext basicConstraints=critical,CA:FALSE -out server.crt -keyout server.key 2>/dev/null; chmod 600 server.key";
    c.execute(&format!("copy (select 1) to program '{make}'; create role locked login password 'right'")).unwrap();
    c.execute(&format!(
        "copy (values ('host all locked 127.0.0.1/32 scram-sha-256'), ('host all all 127.0.0.1/32 trust')) to '{folder}/pg_hba.conf'"
    ))
    .unwrap();
    c.execute("alter system set ssl = on").unwrap();
    c.execute("select pg_reload_conf()").unwrap();
    std::thread::sleep(Duration::from_millis(500));

    let encrypted = |s: &ConnectSpec| {
        let mut c = connect(s)?;
        Ok::<_, EngineError>(cells(&c.query("select ssl from pg_stat_ssl where pid = pg_backend_pid()", None)?.batches))
    };
    for (mode, answer) in [("disable", "false"), ("prefer", "true"), ("require", "true")] {
        let mut s = spec(server);
        s.options.insert("sslmode".into(), mode.into());
        assert_eq!(encrypted(&s).unwrap(), [[answer]], "{mode}");
    }
    verify.options.insert("sslmode".into(), "verify-full".into());
    assert_eq!(encrypted(&verify).unwrap_err().kind, ErrorKind::Connect, "signed by nobody who is trusted");
    verify.options.insert("sslrootcert".into(), format!("{folder}/server.crt"));
    assert_eq!(encrypted(&verify).unwrap_err().kind, ErrorKind::Connect, "the certificate names localhost, not 127.0.0.1");
    verify.options.insert("host".into(), "localhost".into());
    assert_eq!(encrypted(&verify).unwrap(), [["true"]]);

    let mut locked = spec(server);
    locked.options.insert("user".into(), "locked".into());
    locked.secrets.insert("password".into(), Secret::new("wrong-hunter2"));
    let error = connect(&locked).err().unwrap();
    assert_eq!(error.kind, ErrorKind::Auth, "{error}");
    assert!(!format!("{error:?}").contains("hunter2"));
    locked.secrets.clear();
    assert_eq!(connect(&locked).err().unwrap().kind, ErrorKind::Auth);
    locked.secrets.insert("password".into(), Secret::new("right"));
    let mut right = connect(&locked).unwrap();
    right.execute("select 1").unwrap();
    let error = right.query("select * from everything", None).unwrap_err();
    assert_eq!((error.kind, error.sqlstate.as_deref()), (ErrorKind::Permission, Some("42501")));
}

fn arrays_go_out_and_in_again_or_are_refused(server: &PostgresServer) {
    let mut c = connect(&spec(server)).unwrap();
    c.execute(
        "create domain short as varchar(9); create type mood as enum ('sad', 'ok');
         create table lists (i int[], t text[], n numeric(10,2)[], z timestamptz[], b bytea[], d short, m mood, mm mood[]);
         insert into lists values ('{1,null,-3}', '{a,\"\",null}', '{1.25,-0.01}', '{2024-01-01 00:00:00+01}', '{\\x00}', 'x', 'ok', '{sad}'),
           ('{}', '{}', '{}', '{}', '{}', '', 'sad', '{}'), (null, null, null, null, null, null, null, null);
         create table lists_again (like lists)",
    )
    .unwrap();
    let rows = c.query("/* a comment in front */ -- and one more\n select * from lists", None).unwrap();
    let shown: Vec<RecordBatch> = rows.batches.iter().map(|b| b.project(&[0, 1, 2]).unwrap()).collect();
    assert_eq!(cells(&shown)[0], ["[1, NULL, -3]", "[a, , NULL]", "[1.25, -0.01]"]);
    assert_eq!(c.load("lists_again", &rows.schema, &mut rows.batches.into_iter().map(Ok)).unwrap(), 3);
    let different = "select count(*) from (select l::text from lists l except all select a::text from lists_again a) x";
    assert_eq!(cells(&c.query(different, None).unwrap().batches), [["0"]]);
    for sql in ["select '{{1,2},{3,4}}'::int[] as i", "select '[0:1]={1,2}'::int[] as i"] {
        assert_eq!(c.query(sql, None).unwrap_err().kind, ErrorKind::Type, "{sql}");
    }
}

fn digits_the_table_would_round_away_are_refused(server: &PostgresServer) {
    let mut c = connect(&spec(server)).unwrap();
    c.execute("create table prices (p numeric(10,2))").unwrap();
    let want = schema(&[("p", DataType::Decimal128(12, 4))]);
    let batch = |v: i128| {
        let column = arrow::array::Decimal128Array::from_iter_values([v]).with_precision_and_scale(12, 4).unwrap();
        RecordBatch::try_new(want.clone(), vec![Arc::new(column)]).unwrap()
    };
    assert_eq!(c.load("prices", &want, &mut std::iter::once(Ok(batch(12_500)))).unwrap(), 1);
    let error = c.load("prices", &want, &mut std::iter::once(Ok(batch(12_555)))).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Type);
    assert!(error.message.contains("`p`"), "{error}");
    assert_eq!(cells(&c.query("select p from prices", None).unwrap().batches), [["1.25"]]);
}

fn a_snapshot_does_not_see_later_commits_and_writes_nothing(server: &PostgresServer) {
    let (mut reader, mut writer) = (connect(&spec(server)).unwrap(), connect(&spec(server)).unwrap());
    writer.execute("create table moving (i int)").unwrap();
    reader.begin_snapshot().unwrap();
    writer.execute("insert into moving values (1)").unwrap();
    assert_eq!(cells(&reader.query("select count(*) from moving", None).unwrap().batches), [["0"]]);
    assert_eq!(reader.execute("insert into moving values (2)").unwrap_err().sqlstate.as_deref(), Some("25006"));
    reader.end_snapshot().unwrap();
    assert_eq!(cells(&reader.query("select count(*) from moving", None).unwrap().batches), [["1"]]);
}

fn a_statement_past_its_time_is_ended(server: &PostgresServer) {
    let mut limited = spec(server);
    limited.options.insert("statement_timeout".into(), "200".into());
    let mut c = connect(&limited).unwrap();
    assert_eq!(c.query("select pg_sleep(30)::text", None).unwrap_err().kind, ErrorKind::Cancelled);
}

fn a_million_rows_pass_in_bounded_memory(server: &PostgresServer) {
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|l| l.starts_with("VmRSS")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let mut c = connect(&spec(server)).unwrap();
    let want = schema(&[("i", DataType::Int32), ("n", DataType::Decimal128(15, 2)), ("d", DataType::Date32), ("t", DataType::Utf8)]);
    let sql = "select i, (i / 100.0)::numeric(15,2) as n, date '2020-01-01' + i % 1000 as d, repeat('x', 100) as t
               from generate_series(1, 1000000) i";
    let before = resident();
    let (mut rows, mut largest) = (0usize, 0);
    let mut sink = |b: RecordBatch| -> Result<(), Stop> {
        rows += b.num_rows();
        largest = largest.max(resident());
        Ok(())
    };
    let count = c.read(sql, &want, &mut sink).unwrap();
    assert_eq!((rows, count.rows), (1_000_000, 1_000_000));
    assert!(largest < before + 64 * 1024, "grew from {before} to {largest} KB; the rows are over 120 MB");
}

fn every_type_goes_out_and_in_again_unchanged(server: &PostgresServer) {
    let mut c = connect(&spec(server)).unwrap();
    c.execute(TYPES).unwrap();
    c.execute(&format!("insert into everything values {}", VALUES.join(", "))).unwrap();
    c.execute("create table again (like everything)").unwrap();
    let rows = c.query("select * from everything", None).unwrap();
    assert_eq!(rows.batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 4);
    let mut out = rows.batches.into_iter().map(Ok);
    assert_eq!(c.load("again", &rows.schema, &mut out).unwrap(), 4);
    // The server itself compares, by its own text form (json has no equality).
    let different = "select count(*) from (
        (select e::text from everything e except all select a::text from again a)
        union all (select a::text from again a except all select e::text from everything e)) x";
    let rows = c.query(different, None).unwrap();
    assert_eq!(cells(&rows.batches), [["0"]]);
}

fn refusals_name_the_column_before_data_moves(server: &PostgresServer) {
    let mut c = connect(&spec(server)).unwrap();
    for (sql, kind, part) in [
        ("select point(1,2) as p", DataType::Utf8, "`p`: the type point cannot be carried"),
        ("select 'infinity'::date as d", DataType::Date32, "`d`: an infinite date"),
        ("select 1.25::numeric(5,2) as n", DataType::Decimal128(5, 1), "`n`: a numeric has more digits"),
        ("select 'NaN'::numeric as n", DataType::Decimal128(38, 10), "`n`: NaN"),
        ("select 1::int8 as i", DataType::Int32, "`i` is int8, Int32 was planned"),
    ] {
        let name = sql.split(" as ").nth(1).unwrap();
        let error = read_all(c.as_mut(), sql, &schema(&[(name, kind)])).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Type, "{sql}");
        assert!(error.message.contains(part), "{sql}: {}", error.message);
        assert!(error.hint.is_some(), "{sql}");
    }
    // The session is usable afterwards.
    assert_eq!(cells(&c.query("select 1", None).unwrap().batches), [["1"]]);
}

fn rows_split_over_messages_and_batches_are_all_there(server: &PostgresServer) {
    let mut c = connect(&spec(server)).unwrap();
    let want = schema(&[("i", DataType::Int32), ("t", DataType::Utf8)]);
    let sql = "select i, repeat('x', i % 5000) as t from generate_series(1, 50000) i; ";
    let batches = read_all(c.as_mut(), sql, &want).unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 50_000);
    let mut expected = 0i64;
    for batch in &batches {
        for value in arrow::array::AsArray::as_primitive::<arrow::datatypes::Int32Type>(batch.column(0)).values() {
            expected += 1;
            assert_eq!(i64::from(*value), expected);
        }
    }
    assert!(read_all(c.as_mut(), "select 1::int4 as i, 'x'::text as t where false", &want).unwrap().is_empty());
}

fn a_failed_load_leaves_nothing(server: &PostgresServer) {
    let mut c = connect(&spec(server)).unwrap();
    c.execute("create table strict (i integer not null check (i < 100000))").unwrap();
    let want = schema(&[("i", DataType::Int32)]);
    let batch = |from: i32, to: i32| {
        RecordBatch::try_new(want.clone(), vec![Arc::new(arrow::array::Int32Array::from_iter_values(from..to))]).unwrap()
    };
    let error = c.load("strict", &want, &mut vec![Ok(batch(0, 99_990)), Ok(batch(99_990, 200_000))].into_iter()).unwrap_err();
    assert_eq!(error.sqlstate.as_deref(), Some("23514"), "{error}");
    let lost = vec![Ok(batch(0, 10)), Err(EngineError::new(ErrorKind::Io, "source lost"))];
    assert_eq!(c.load("strict", &want, &mut lost.into_iter()).unwrap_err().message, "source lost");
    assert_eq!(cells(&c.query("select count(*) from strict", None).unwrap().batches), [["0"]]);
    assert_eq!(c.load("strict", &want, &mut std::iter::once(Ok(batch(0, 50_000)))).unwrap(), 50_000);
    assert_eq!(c.load("strict", &want, &mut std::iter::empty()).unwrap(), 0);
}

fn failures_have_their_kind_and_sqlstate(server: &PostgresServer) {
    let mut c = connect(&spec(server)).unwrap();
    let error = c.query("select * from nowhere", None).unwrap_err();
    assert_eq!((error.kind, error.sqlstate.as_deref()), (ErrorKind::Missing, Some("42P01")));
    let error = c.execute("select 1 +").unwrap_err();
    assert_eq!((error.kind, error.sqlstate.as_deref()), (ErrorKind::Statement, Some("42601")));

    let mut wrong = spec(server);
    wrong.options.insert("dbname".into(), "none".into());
    assert_eq!(connect(&wrong).err().unwrap().kind, ErrorKind::Missing);

    let mut down = spec(server);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    down.options.insert("port".into(), free.to_string());
    down.secrets.insert("password".into(), Secret::new("hunter2"));
    let error = connect(&down).err().unwrap();
    assert_eq!(error.kind, ErrorKind::Connect);
    assert!(error.message.contains(&free.to_string()) && error.hint.is_some());
    assert!(!format!("{down:?} {error:?}").contains("hunter2"));

    let mut mode = spec(server);
    mode.options.insert("sslmode".into(), "maybe".into());
    assert!(connect(&mode).err().unwrap().hint.unwrap().contains("verify-full"));
}

fn a_running_query_is_cancelled(server: &PostgresServer) {
    let mut c = connect(&spec(server)).unwrap();
    let cancel = c.canceller();
    let other = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        cancel();
    });
    let error = c.query("select pg_sleep(60)::text", None).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled);
    other.join().unwrap();
    assert_eq!(cells(&c.query("select 2", None).unwrap().batches), [["2"]]);
}

fn small_queries_keep_types(server: &PostgresServer) {
    let mut c = connect(&spec(server)).unwrap();
    let rows = c.query("select 1.50::numeric(4,2) as a, 1.5 as b, null::date as d, 7 as i", None).unwrap();
    let kinds: Vec<_> = rows.schema.fields().iter().map(|f| f.data_type().clone()).collect();
    assert_eq!(kinds, [DataType::Decimal128(4, 2), DataType::Utf8, DataType::Date32, DataType::Int32]);
    assert_eq!(cells(&rows.batches), [["1.50", "1.5", "NULL", "7"]]);
    assert_eq!(cells(&c.query("show server_encoding", None).unwrap().batches), [["UTF8"]]);
    assert_eq!(c.query("select i from generate_series(1, 100) i", Some(7)).unwrap().batches[0].num_rows(), 7);
    let described = c.describe("select 1::numeric(10,3) as n, 'x'::varchar as v").unwrap();
    assert_eq!((described[0].native.as_str(), described[1].native.as_str()), ("numeric(10,3)", "varchar"));
}
