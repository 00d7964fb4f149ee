//! What Spark SQL is given means what the model's text means on one server of the model's dialect (SPEC T9, C6): queries
//! and single expressions of PostgreSQL, MariaDB and SQLite, on the oldest and the newest Spark that is supported, and
//! on the embedded compute. What has no such text is refused with DVT003.
//!
//! Spark runs as one process a version, which answers SQL line by line and ends with its input. Here the planner is called as a library: what
//! moves between databases is not in question.
#![allow(clippy::unwrap_used, missing_docs)]

mod answers;
#[path = "../../host/engine/tests/servers/mod.rs"]
mod servers;
#[path = "../../planner-wasm/planner/tests/cases/tables.rs"]
#[allow(dead_code, reason = "not every test reads columns one by one")]
mod tables;
mod translated;
#[path = "translated/products.rs"]
mod products;

use answers::{Answer, as_told, cell, family, sorted};
use products::{CUSTOMER_COLUMNS, ORDER_COLUMNS, Planner};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use translated::expressions::{DUCKDB_EXPRESSIONS, Fate, POSTGRES_EXPRESSIONS, SQLITE_EXPRESSIONS};
use translated::mysql::MARIADB_EXPRESSIONS;
use translated::{CUSTOMERS, DUCKDB, MARIADB, ORDERS, POSTGRES, SQLITE, placed};

const VERSIONS: [&str; 2] = ["3.5.9", "4.3.0"];

/// One Spark session.
struct Spark {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Spark {
    fn start(version: &str) -> Self {
        let cache = std::env::var("XDG_CACHE_HOME").unwrap_or_else(|_| std::env::var("HOME").unwrap() + "/.cache");
        let python = PathBuf::from(cache).join(format!("dvt/pyspark-{version}/bin/python"));
        assert!(python.exists(), "{} is missing: run `make test`, which installs it", python.display());
        let folder = tempfile::tempdir().unwrap().keep();
        let mut child = Command::new(python)
            .arg(tables::root().join("tests/spark/answer.py"))
            .arg(&folder)
            .env("SPARK_LOCAL_IP", "127.0.0.1")
            .env("SPARK_LOCAL_DIRS", &folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut spark = Self { input, output };
        assert_eq!(spark.line()["version"], version);
        for (name, columns, values) in [("orders", &ORDER_COLUMNS[..], ORDERS), ("customers", &CUSTOMER_COLUMNS[..], CUSTOMERS)] {
            let list: Vec<String> = columns.iter().enumerate().map(|(i, (name, _, kind))| format!("CAST(col{} AS {kind}) AS {name}", i + 1)).collect();
            let values = values.replace('\\', "\\\\").replace("''s", "\\'s");
            let said = spark.ask(&format!("CREATE TEMPORARY VIEW {name} AS SELECT {} FROM VALUES {values}", list.join(", ")));
            assert!(said.get("error").is_none(), "{said}");
        }
        spark
    }
    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("Spark said `{line}`: {e}"))
    }
    fn ask(&mut self, sql: &str) -> Value {
        writeln!(self.input, "{}", json!({"sql": sql})).unwrap();
        self.line()
    }
    fn answer(&mut self, sql: &str) -> Answer {
        let said = self.ask(sql);
        if let Some(error) = said["error"].as_str() {
            return Err(error.lines().next().unwrap_or_default().to_owned());
        }
        let columns: Vec<(&str, &'static str)> =
            said["columns"].as_array().unwrap().iter().map(|c| (c[0].as_str().unwrap(), family(if c[1] == "timestamp" { "timestamptz" } else { c[1].as_str().unwrap() }))).collect();
        let rows = said["rows"].as_array().unwrap().iter();
        let rows = rows.map(|r| columns.iter().zip(r.as_array().unwrap()).map(|((_, kind), v)| cell(kind, v.as_str())).collect::<Vec<_>>().join(" | "));
        Ok(sorted(columns.iter().map(|(name, kind)| format!("{name} {kind}")).collect(), rows.collect()))
    }
}

/// One of each version for all tests. They end when their input does, with this program.
static SPARKS: [OnceLock<Mutex<Spark>>; 2] = [OnceLock::new(), OnceLock::new()];

/// The queries and expressions of a dialect, each as the compute is given it, against the truth.
fn compare(dialect: &str, computes: &[&str], queries: &[&str], expressions: &[(&str, Fate)], truth: &mut dyn FnMut(&str) -> Answer) {
    let planner = Planner::new();
    // Of MariaDB's numbers the values count here, as of SQLite's; their types are compared in `differential.rs`.
    let by = if dialect == "mysql" { "sqlite" } else { dialect };
    let same = |answer: Answer| answer.map(|a| as_told(by, a));
    let truth = &mut |sql: &str| same(truth(sql));
    let wrong = Mutex::new(String::new());
    let mut told = |compute: &str, answer: &mut dyn FnMut(&str) -> Answer| {
        let language = if compute == "duckdb" { "duckdb" } else { "spark" };
        let note = |line: String| {
            let _ = writeln!(wrong.lock().unwrap(), "{compute}: {line}");
        };
        for query in queries {
            match planner.text(query, dialect, language) {
                Err(refused) => note(format!("{query}\n  refused: {}", refused.message)),
                Ok(sql) => {
                    let (ours, theirs) = (same(answer(&sql)), truth(&placed(query, "orders", "customers")));
                    if ours != theirs || theirs.is_err() {
                        note(format!("{query}\n  sql:    {sql}\n  ours:   {ours:?}\n  theirs: {theirs:?}"));
                    }
                }
            }
        }
        let alone = |expression: &str| format!("select o.id as id, {expression} as x from {{o}} o left join {{c}} c on c.id = o.customer_id");
        let mut good = Vec::new();
        for (expression, fate) in expressions {
            let query = alone(expression);
            let fate = match fate {
                Fate::SparkRefuses | Fate::SparkRefusesFails | Fate::SparkRefusesStops if language == "spark" => Fate::Refused,
                Fate::SparkRefuses => Fate::Same,
                Fate::SparkRefusesFails => Fate::Fails,
                Fate::SparkRefusesStops => Fate::Stops,
                fate => *fate,
            };
            match (fate, planner.text(&query, dialect, language)) {
                (Fate::Refused, Err(_)) => {}
                (Fate::Refused, Ok(sql)) => note(format!("{expression}: is not refused: {sql}")),
                (_, Err(refused)) => note(format!("{expression}: {}", refused.message)),
                (Fate::Fails | Fate::Stops, Ok(sql)) => {
                    let (ours, theirs) = (answer(&sql), truth(&placed(&query, "orders", "customers")));
                    if ours.is_ok() || theirs.is_ok() != (fate == Fate::Stops) {
                        note(format!("{expression}: should fail\n  sql:    {sql}\n  ours:   {ours:?}\n  theirs: {theirs:?}"));
                    }
                }
                (_, Ok(_)) => good.push(*expression),
            }
        }
        // Many at once, and one by one only where that differs.
        for some in good.chunks(20) {
            let list: Vec<String> = some.iter().enumerate().map(|(i, e)| format!("{e} as x{i}")).collect();
            let whole = format!("select o.id as id, {} from {{o}} o left join {{c}} c on c.id = o.customer_id", list.join(", "));
            let ours = planner.text(&whole, dialect, language).map_err(|d| d.message).and_then(|sql| same(answer(&sql)));
            if ours.is_ok() && ours == truth(&placed(&whole, "orders", "customers")) {
                continue;
            }
            for expression in some {
                let query = alone(expression);
                let sql = planner.text(&query, dialect, language).unwrap();
                let (ours, theirs) = (same(answer(&sql)), truth(&placed(&query, "orders", "customers")));
                if ours != theirs || theirs.is_err() {
                    note(format!("{expression}\n  sql:    {sql}\n  ours:   {ours:?}\n  theirs: {theirs:?}"));
                }
            }
        }
    };
    for compute in computes {
        if *compute == "duckdb" {
            told(compute, &mut products::duckdb());
        } else {
            let mut spark = SPARKS[VERSIONS.iter().position(|v| v == compute).unwrap()].get_or_init(|| Mutex::new(Spark::start(compute))).lock().unwrap_or_else(PoisonError::into_inner);
            told(compute, &mut |sql| spark.answer(sql));
        }
    }
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{wrong}");
}

const COMPUTES: [&str; 3] = ["duckdb", VERSIONS[0], VERSIONS[1]];

#[test]
fn spark_and_duckdb_answer_as_postgresql_does_or_the_text_is_refused() {
    let server = servers::PostgresServer::start();
    compare("postgres", &COMPUTES, &translated::for_spark(POSTGRES), POSTGRES_EXPRESSIONS, &mut products::postgres(&server));
}

#[test]
fn spark_answers_as_duckdb_does_or_the_text_is_refused() {
    compare("duckdb", &VERSIONS, DUCKDB, DUCKDB_EXPRESSIONS, &mut products::duckdb());
}

#[test]
fn spark_and_duckdb_answer_as_sqlite_does_or_the_text_is_refused() {
    compare("sqlite", &COMPUTES, SQLITE, SQLITE_EXPRESSIONS, &mut products::sqlite());
}

#[test]
fn spark_and_duckdb_answer_as_mariadb_does_or_the_text_is_refused() {
    let maria = servers::mariadb::MariadbServer::start();
    let mut truth = products::mariadb(&maria);
    compare("mysql", &COMPUTES, &translated::for_spark(MARIADB), MARIADB_EXPRESSIONS, &mut truth);
}
