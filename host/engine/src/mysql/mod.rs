//! MySQL and MariaDB: binary protocol out, LOAD DATA LOCAL in, warnings taken as failures.

mod decode;
mod encode;
mod types;

use crate::comments::uncommented;
use crate::error::{EngineError, ErrorKind};
use crate::{BatchSink, Canceller, ConnectSpec, Connection, DescribedColumn, Executed, ReadCount, Rows, Stop};
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use decode::Decoder;
use encode::{Encoder, Form};
use mysql::prelude::Queryable;
use mysql::{Column, Conn, DriverError, Error, LocalInfileHandler, Opts, OptsBuilder, Row, SslOpts, Value};
use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// Bytes of encoded rows that travel as one piece.
const PIECE: usize = 256 * 1024;
/// Pieces that may wait between the encoder and the server.
const WAITING: usize = 8;
/// Every value that does not fit is an error, 0 stays 0 in a numbered column, backslashes escape.
const LOAD_MODE: &str = "STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION";

pub struct MysqlConnection {
    conn: Conn,
    opts: Opts,
    /// Whether the caller began a transaction.
    in_transaction: bool,
    /// The database to use as soon as it exists.
    absent: Option<String>,
}

impl MysqlConnection {
    /// Options: `host`, `port`, `user`, `unix_socket`, `database`, `connect_timeout` (seconds), `sslmode` (`disable`, `prefer`,
    /// `require`, `verify-ca`, `verify-full`), `ssl_ca`. Secrets: `password`.
    ///
    /// `database` is used when it exists; a database that dvt is about to create is no error.
    pub fn open(spec: &ConnectSpec) -> Result<Self, EngineError> {
        let option = |key: &str| spec.options.get(key).map(String::as_str).filter(|v| !v.is_empty());
        let host = option("host").unwrap_or("localhost");
        let port = option("port").and_then(|p| p.parse::<u16>().ok()).unwrap_or(3306);
        let timeout = option("connect_timeout").and_then(|v| v.parse::<u64>().ok()).unwrap_or(10).max(1);
        let attributes = HashMap::from([("program_name".to_owned(), spec.application.clone())]);
        let builder = OptsBuilder::new()
            .ip_or_hostname(Some(host))
            .tcp_port(port)
            .socket(option("unix_socket"))
            .prefer_socket(option("unix_socket").is_some())
            .user(option("user"))
            .pass(spec.secrets.get("password").map(crate::Secret::reveal))
            .tcp_connect_timeout(Some(Duration::from_secs(timeout)))
            .tcp_keepalive_time_ms(Some(60_000))
            .connect_attrs(Some(attributes))
            .stmt_cache_size(0);
        let mode = option("sslmode").unwrap_or("prefer");
        let secured = |tls: Option<SslOpts>| Opts::from(builder.clone().ssl_opts(tls));
        let mut opts = secured(encryption(mode, option("ssl_ca"))?);
        let mut opened = Conn::new(opts.clone());
        if mode == "prefer" && matches!(opened, Err(Error::DriverError(DriverError::TlsNotSupported))) {
            opts = secured(None);
            opened = Conn::new(opts.clone());
        }
        let mut conn = opened.map_err(|e| {
            let mut error = failure(&e);
            if error.kind == ErrorKind::Connect {
                error.message = format!("{host}:{port}: {}", error.message);
                error.hint = Some("check host and port in the profile, and that the server runs".to_owned());
            }
            error
        })?;
        // Values must not depend on the server's zone; a slow reader or a slow compute is no reason to hang up.
        conn.query_drop("SET SESSION time_zone = '+00:00', net_read_timeout = 86400, net_write_timeout = 86400")
            .map_err(|e| failure(&e))?;
        let mut own = Self { conn, opts, in_transaction: false, absent: option("database").map(str::to_owned) };
        own.ready()?;
        Ok(own)
    }

    /// Uses the database of the profile once it is there: dvt itself may be about to create it.
    fn ready(&mut self) -> Result<(), EngineError> {
        let Some(database) = &self.absent else { return Ok(()) };
        match self.conn.select_db(database) {
            Err(Error::MySqlError(e)) if e.code == 1049 => return Ok(()),
            other => other.map_err(|e| failure(&e))?,
        }
        self.absent = None;
        Ok(())
    }

    fn columns(&mut self, sql: &str) -> Result<Vec<Column>, EngineError> {
        self.ready()?;
        let statement = self.conn.prep(trimmed(sql)).map_err(|e| failure(&e))?;
        let columns = statement.columns().to_vec();
        self.conn.close(statement).map_err(|e| failure(&e))?;
        Ok(columns)
    }

    /// Runs one query in the binary protocol; `each` may stop it.
    fn rows(&mut self, sql: &str, each: &mut dyn FnMut(Row) -> Result<Result<(), Stop>, EngineError>) -> Result<(), EngineError> {
        let cancel = self.canceller();
        let statement = self.conn.prep(trimmed(sql)).map_err(|e| failure(&e))?;
        let outcome = (|| {
            let mut result = self.conn.exec_iter(&statement, ()).map_err(|e| failure(&e))?;
            let Some(set) = result.iter() else { return Ok(()) };
            for row in set {
                let went_on = each(row.map_err(|e| failure(&e))?);
                if !matches!(went_on, Ok(Ok(()))) {
                    // What is left would be read to its end before the session can be used again.
                    cancel();
                    return went_on.map(|_| ());
                }
            }
            Ok(())
        })();
        // A broken session has nothing left to close.
        let _ = self.conn.close(statement);
        outcome
    }

    fn scalar(&mut self, sql: &str) -> Result<Option<String>, EngineError> {
        let row: Option<Option<String>> = self.conn.query_first(sql).map_err(|e| failure(&e))?;
        Ok(row.flatten())
    }

    /// LOAD DATA LOCAL: the statement runs on its own thread and takes the pieces as they are encoded.
    fn load_file(
        &mut self,
        table: &str,
        encoder: &Encoder,
        batches: &mut dyn Iterator<Item = Result<RecordBatch, EngineError>>,
    ) -> Result<u64, EngineError> {
        let (sender, receiver) = sync_channel::<Vec<u8>>(WAITING);
        let sql = format!(
            "LOAD DATA LOCAL INFILE 'dvt' INTO TABLE {table} CHARACTER SET utf8mb4 \
             FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' {}",
            encoder.columns()
        );
        // An error on our side ends the file early; the caller then rolls back.
        self.conn.set_local_infile_handler(Some(LocalInfileHandler::new(move |_, out| {
            while let Ok(piece) = receiver.recv() {
                out.write_all(&piece)?;
            }
            Ok(())
        })));
        let conn = &mut self.conn;
        std::thread::scope(|scope| {
            let server = scope.spawn(move || {
                let outcome = conn.query_drop(&sql).map(|()| conn.affected_rows());
                // Drops the receiver: the encoder must not wait for a statement that is over.
                conn.set_local_infile_handler(None);
                outcome
            });
            let sent = (|| {
                let mut piece = Vec::with_capacity(PIECE + PIECE / 4);
                for batch in batches {
                    let batch = batch?;
                    for row in 0..batch.num_rows() {
                        encoder.row(&batch, row, Form::File, &mut piece)?;
                        if piece.len() >= PIECE && sender.send(std::mem::replace(&mut piece, Vec::with_capacity(PIECE + PIECE / 4))).is_err() {
                            return Ok(());
                        }
                    }
                }
                // A receiver that is gone has its reason in the statement's outcome.
                let _ = sender.send(piece);
                Ok(())
            })();
            drop(sender);
            let loaded = server.join().map_err(|_| EngineError::new(ErrorKind::Io, "the load ended unexpectedly"))?;
            sent?;
            loaded.map_err(|e| failure(&e))
        })
    }

    /// Rows in INSERT statements, for servers that forbid LOAD DATA LOCAL.
    fn load_inserts(
        &mut self,
        table: &str,
        encoder: &Encoder,
        batches: &mut dyn Iterator<Item = Result<RecordBatch, EngineError>>,
    ) -> Result<u64, EngineError> {
        let unsent = |_| EngineError::new(ErrorKind::Io, "a statement was not valid UTF-8");
        let start = format!("INSERT INTO {table} {} VALUES ", encoder.names()).into_bytes();
        let limit = self.scalar("SELECT @@max_allowed_packet")?.and_then(|v| v.parse::<usize>().ok()).map_or(PIECE, |v| v / 2).min(4 * PIECE);
        let mut text = start.clone();
        let mut loaded = 0;
        let mut warned = None;
        let mut flush = |conn: &mut MysqlConnection, text: &mut Vec<u8>| -> Result<(), EngineError> {
            if text.len() > start.len() {
                conn.conn.query_drop(std::str::from_utf8(text).map_err(unsent)?).map_err(|e| failure(&e))?;
                loaded += conn.conn.affected_rows();
                if conn.conn.warnings() > 0 && warned.is_none() {
                    warned = Some(conn.warning()?);
                }
                text.truncate(start.len());
            }
            Ok(())
        };
        for batch in batches {
            let batch = batch?;
            for row in 0..batch.num_rows() {
                if text.len() > start.len() {
                    text.push(b',');
                }
                encoder.row(&batch, row, Form::Insert, &mut text)?;
                if text.len() >= limit {
                    flush(self, &mut text)?;
                }
            }
        }
        flush(self, &mut text)?;
        warned.map_or(Ok(loaded), Err)
    }

    /// The first warning of the last statement, as the failure it is.
    fn warning(&mut self) -> Result<EngineError, EngineError> {
        let first: Option<(String, u16, String)> = self.conn.query_first("SHOW WARNINGS LIMIT 1").map_err(|e| failure(&e))?;
        let message = first.map_or_else(|| "the server warned without saying why".to_owned(), |(_, code, text)| format!("{text} (warning {code})"));
        Ok(EngineError::new(ErrorKind::Type, message).hint("a value does not fit its column: cast it in the model, or widen the column"))
    }
}

/// None: a plain connection.
fn encryption(mode: &str, authority: Option<&str>) -> Result<Option<SslOpts>, EngineError> {
    let base = SslOpts::default();
    let known = authority.map_or(base.clone(), |path| base.with_root_cert_path(Some(PathBuf::from(path))));
    Ok(match mode {
        "disable" => None,
        "prefer" | "require" => Some(known.with_danger_accept_invalid_certs(true).with_danger_skip_domain_validation(true)),
        "verify-ca" => Some(known.with_danger_skip_domain_validation(true)),
        "verify-full" => Some(known),
        other => {
            let error = EngineError::new(ErrorKind::Connect, format!("`{other}` is no sslmode"));
            return Err(error.hint("use disable, prefer, require, verify-ca or verify-full"));
        }
    })
}

fn trimmed(sql: &str) -> &str {
    sql.trim().trim_end_matches(';').trim_end()
}

/// The server's own words and SQLSTATE, in our kinds.
fn failure(e: &Error) -> EngineError {
    let Error::MySqlError(server) = e else {
        let kind = match e {
            Error::IoError(_) | Error::DriverError(_) => ErrorKind::Connect,
            _ => ErrorKind::Io,
        };
        let text = match e {
            Error::DriverError(DriverError::TlsNotSupported) => "the server does not offer TLS".to_owned(),
            Error::IoError(io) => io.to_string(),
            Error::DriverError(driver) => driver.to_string(),
            other => other.to_string(),
        };
        return EngineError::new(kind, text);
    };
    let kind = match server.code {
        1045 | 1698 | 1862 => ErrorKind::Auth,
        1044 | 1142 | 1143 | 1227 | 1370 => ErrorKind::Permission,
        1049 | 1051 | 1146 => ErrorKind::Missing,
        1054 => ErrorKind::Column,
        1317 => ErrorKind::Cancelled,
        1040 | 1053 | 1077 | 1129 | 1130 | 1152 | 1158..=1161 | 1203 | 1927 => ErrorKind::Connect,
        3 | 28 | 1021 | 1114 | 1026 | 1030 => ErrorKind::Io,
        1264..=1265 | 1366 | 1406 | 1292 => ErrorKind::Type,
        _ => ErrorKind::Statement,
    };
    EngineError { kind, message: format!("{} (error {})", server.message, server.code), sqlstate: Some(server.state.clone()), hint: None }
}

impl Connection for MysqlConnection {
    fn execute(&mut self, sql: &str) -> Result<Executed, EngineError> {
        self.ready()?;
        let mut rows = 0;
        {
            let mut result = self.conn.query_iter(sql).map_err(|e| failure(&e))?;
            while let Some(set) = result.iter() {
                rows += set.affected_rows();
                for row in set {
                    row.map_err(|e| failure(&e))?;
                }
            }
        }
        let word = uncommented(sql).split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default().to_ascii_lowercase();
        match word.as_str() {
            "begin" | "start" => self.in_transaction = true,
            "commit" | "rollback" => self.in_transaction = false,
            _ => {}
        }
        Ok(Executed { rows: Some(rows), tag: "OK".to_owned() })
    }

    fn query(&mut self, sql: &str, limit: Option<usize>) -> Result<Rows, EngineError> {
        let columns = match self.columns(sql) {
            // Several statements, and a few of the product's own, cannot be prepared: they answer as text.
            Err(e) if e.sqlstate.as_deref() == Some("42000") || e.message.contains("(error 1295)") => return self.query_as_text(sql, limit),
            columns => columns?,
        };
        if columns.is_empty() {
            return self.query_as_text(sql, limit);
        }
        let fields: Vec<Field> = columns.iter().map(|c| Field::new(c.name_str(), types::natural(c), true)).collect();
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        let mut decoder = Decoder::new(&columns, &schema)?;
        let mut left = limit.unwrap_or(usize::MAX);
        let mut batches = Vec::new();
        self.rows(sql, &mut |row| {
            if left == 0 {
                return Ok(Err(Stop));
            }
            left -= 1;
            if let Some(batch) = decoder.push(row)? {
                batches.push(batch);
            }
            Ok(Ok(()))
        })?;
        batches.push(decoder.finish()?);
        Ok(Rows { schema, batches })
    }

    fn read(&mut self, sql: &str, want: &SchemaRef, sink: &mut dyn BatchSink) -> Result<ReadCount, EngineError> {
        let columns = self.columns(sql)?;
        let mut decoder = Decoder::new(&columns, want)?;
        let mut count = ReadCount::default();
        let mut stopped = false;
        let mut hand_on = |batch: RecordBatch, count: &mut ReadCount| {
            count.rows += batch.num_rows() as u64;
            count.bytes += batch.get_array_memory_size() as u64;
            sink.push(batch)
        };
        self.rows(sql, &mut |row| {
            let Some(batch) = decoder.push(row)? else { return Ok(Ok(())) };
            let told = hand_on(batch, &mut count);
            stopped = told.is_err();
            Ok(told)
        })?;
        let rest = decoder.finish()?;
        if !stopped && rest.num_rows() > 0 {
            // The last batch: whether more is wanted does not matter.
            let _ = hand_on(rest, &mut count);
        }
        Ok(count)
    }

    fn load(
        &mut self,
        table: &str,
        schema: &SchemaRef,
        batches: &mut dyn Iterator<Item = Result<RecordBatch, EngineError>>,
    ) -> Result<u64, EngineError> {
        let encoder = Encoder::new(schema)?;
        let mode = self.scalar("SELECT @@SESSION.sql_mode")?.unwrap_or_default();
        let local = self.scalar("SELECT @@GLOBAL.local_infile")?.as_deref() == Some("1");
        let (begin, undo, keep) = if self.in_transaction {
            ("SAVEPOINT dvt_load", "ROLLBACK TO SAVEPOINT dvt_load", "RELEASE SAVEPOINT dvt_load")
        } else {
            ("START TRANSACTION", "ROLLBACK", "COMMIT")
        };
        self.conn.query_drop(format!("SET SESSION sql_mode = '{LOAD_MODE}'")).map_err(|e| failure(&e))?;
        let outcome = (|| {
            self.conn.query_drop(begin).map_err(|e| failure(&e))?;
            let loaded = if local { self.load_file(table, &encoder, batches) } else { self.load_inserts(table, &encoder, batches) }?;
            // LOCAL turns every error of a value into a warning, whatever the mode.
            if self.conn.warnings() > 0 {
                return Err(self.warning()?);
            }
            self.conn.query_drop(keep).map_err(|e| failure(&e))?;
            Ok(loaded)
        })();
        if outcome.is_err() {
            // The first failure is the one to tell.
            let _ = self.conn.query_drop(undo);
        }
        let back = self.conn.query_drop(format!("SET SESSION sql_mode = '{mode}'")).map_err(|e| failure(&e));
        outcome.and_then(|rows| back.map(|()| rows))
    }

    fn describe(&mut self, sql: &str) -> Result<Vec<DescribedColumn>, EngineError> {
        let columns = self.columns(sql)?;
        Ok(columns.iter().map(|c| DescribedColumn { name: c.name_str().into_owned(), native: types::native(c) }).collect())
    }

    fn begin_snapshot(&mut self) -> Result<(), EngineError> {
        // One by one: of several statements in one text the errors of the later ones are not told.
        for statement in ["SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"] {
            self.conn.query_drop(statement).map_err(|e| failure(&e))?;
        }
        Ok(())
    }

    fn end_snapshot(&mut self) -> Result<(), EngineError> {
        self.conn.query_drop("ROLLBACK").map_err(|e| failure(&e))
    }

    fn canceller(&self) -> Canceller {
        let opts = self.opts.clone();
        let id = self.conn.connection_id();
        Box::new(move || {
            // Best effort: a server that is gone has nothing left to cancel.
            if let Ok(mut other) = Conn::new(opts.clone()) {
                let _ = other.query_drop(format!("KILL QUERY {id}"));
            }
        })
    }

    fn server_version(&mut self) -> Result<String, EngineError> {
        Ok(self.scalar("SELECT version()")?.unwrap_or_default())
    }
}

impl MysqlConnection {
    /// Every column as text; of several results the first that has columns.
    fn query_as_text(&mut self, sql: &str, limit: Option<usize>) -> Result<Rows, EngineError> {
        let mut names: Vec<String> = Vec::new();
        let mut table: Vec<Vec<Option<String>>> = Vec::new();
        let mut result = self.conn.query_iter(sql).map_err(|e| failure(&e))?;
        while let Some(set) = result.iter() {
            let first = names.is_empty();
            if first {
                names = set.columns().as_ref().iter().map(|c| c.name_str().into_owned()).collect();
            }
            for row in set {
                let row = row.map_err(|e| failure(&e))?;
                if first && limit.is_none_or(|l| table.len() < l) {
                    table.push(row.unwrap().into_iter().map(text).collect());
                }
            }
        }
        let arrays = (0..names.len()).map(|i| Arc::new(table.iter().map(|r| r[i].as_deref()).collect::<StringArray>()) as ArrayRef).collect();
        let schema: SchemaRef = Arc::new(Schema::new(names.iter().map(|n| Field::new(n, DataType::Utf8, true)).collect::<Vec<_>>()));
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(table.len()));
        let batch = RecordBatch::try_new_with_options(schema.clone(), arrays, &options).map_err(|e| EngineError::new(ErrorKind::Type, e.to_string()))?;
        Ok(Rows { schema, batches: vec![batch] })
    }
}

/// A cell of the text protocol.
fn text(value: Value) -> Option<String> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        other => Some(other.as_sql(true).trim_matches('\'').to_owned()),
    }
}
