//! PostgreSQL: COPY in binary form both ways, SQLSTATE kept, queries that can be cancelled.

mod decode;
mod encode;
mod numeric;
mod tls;
mod types;

use crate::comments::uncommented;
use crate::error::{EngineError, ErrorKind};
use crate::{
    BATCH_ROWS, BatchSink, Canceller, ConnectSpec, Connection, DescribedColumn, Executed, ReadCount, Rows, Stop,
};
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use decode::Decoder;
use encode::Encoder;
use postgres::config::SslMode;
use postgres::types::Type;
use postgres::{Client, Config, NoTls, SimpleQueryMessage};
use std::io::{BufRead, Write};
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres_rustls::MakeRustlsConnect;

/// Bytes collected before they are handed to the load stream.
const WRITE_BUFFER: usize = 256 * 1024;

pub struct PostgresConnection {
    client: Client,
    tls: Option<MakeRustlsConnect>,
}

impl PostgresConnection {
    /// Options: `host`, `port`, `user`, `dbname`, `sslmode`, `sslrootcert`, `connect_timeout` (seconds),
    /// `statement_timeout` (milliseconds), `search_path`, `keepalives_idle` (seconds). Secrets: `password`.
    pub fn open(spec: &ConnectSpec) -> Result<Self, EngineError> {
        let option = |key: &str| spec.options.get(key).map(String::as_str).filter(|v| !v.is_empty());
        let number = |key: &str| option(key).and_then(|v| v.parse::<u64>().ok());
        let host = option("host").unwrap_or("localhost");
        let port = option("port").and_then(|p| p.parse::<u16>().ok()).unwrap_or(5432);
        let mut config = Config::new();
        config.host(host).port(port).application_name(&spec.application);
        config.connect_timeout(Duration::from_secs(number("connect_timeout").unwrap_or(10).max(1)));
        if let Some(idle) = number("keepalives_idle").filter(|s| *s > 0) {
            config.keepalives_idle(Duration::from_secs(idle));
        }
        if let Some(user) = option("user") {
            config.user(user);
        }
        if let Some(database) = option("dbname") {
            config.dbname(database);
        }
        if let Some(password) = spec.secrets.get("password") {
            config.password(password.reveal());
        }
        if let Some(path) = option("search_path") {
            config.options(&format!("-c search_path={}", path.replace('\\', "\\\\").replace(' ', "\\ ")));
        }
        let sslmode = option("sslmode").unwrap_or("prefer");
        let tls = tls::connector(sslmode, option("sslrootcert"))?;
        config.ssl_mode(match sslmode {
            "disable" => SslMode::Disable,
            "allow" | "prefer" => SslMode::Prefer,
            _ => SslMode::Require,
        });
        let client = match &tls {
            Some(tls) => config.connect(tls.clone()),
            None => config.connect(NoTls),
        };
        let mut client = client.map_err(|e| {
            let mut error = failure(&e);
            if error.kind == ErrorKind::Connect {
                error.message = format!("{host}:{port}: {}", error.message);
                error.hint = Some("check host and port in the profile, and that the server runs".to_owned());
            }
            error
        })?;
        // Values must not depend on the server's or the role's settings.
        client
            .batch_execute("SET TIME ZONE 'UTC'; SET extra_float_digits = 3; SET standard_conforming_strings = on")
            .map_err(|e| failure(&e))?;
        // A server looks for its client between statements only: a run that was killed would leave its statement running.
        // One that cannot do so is used as it is.
        let _ = client
            .batch_execute("SELECT set_config('client_connection_check_interval', '2s', false) WHERE current_setting('client_connection_check_interval', true) IS NOT NULL");
        if let Some(limit) = number("statement_timeout") {
            client.batch_execute(&format!("SET statement_timeout = {limit}")).map_err(|e| failure(&e))?;
        }
        Ok(Self { client, tls })
    }

    fn columns(&mut self, sql: &str) -> Result<Vec<(String, Type, i32)>, EngineError> {
        let statement = self.client.prepare(sql).map_err(|e| failure(&e))?;
        Ok(statement.columns().iter().map(|c| (c.name().to_owned(), c.type_().clone(), c.type_modifier())).collect())
    }

    fn copy_out(
        &mut self,
        sql: &str,
        mut decoder: Decoder,
        sink: &mut dyn BatchSink,
    ) -> Result<ReadCount, EngineError> {
        let copy = format!("COPY ({}\n) TO STDOUT (FORMAT binary)", trimmed(sql));
        let mut count = ReadCount::default();
        let mut reader = self.client.copy_out(&copy).map_err(|e| failure(&e))?;
        let mut pending: Vec<u8> = Vec::new();
        let mut in_header = true;
        loop {
            let chunk = reader.fill_buf().map_err(|e| stream_failure(&e))?;
            if chunk.is_empty() {
                return Err(EngineError::new(ErrorKind::Io, "the server ended the rows before their last one"));
            }
            let size = chunk.len();
            // Nearly always a chunk is whole rows, read where they are; a remainder waits for the next chunk.
            let carried = !pending.is_empty();
            if carried {
                pending.extend_from_slice(chunk);
            }
            let bytes: &[u8] = if carried { &pending } else { chunk };
            let mut used = 0;
            if in_header {
                match header_length(bytes)? {
                    Some(length) => {
                        in_header = false;
                        used = length;
                    }
                    None => used = 0,
                }
            }
            let mut ended = false;
            loop {
                if in_header {
                    break;
                }
                match decoder.row(&bytes[used..])? {
                    Some(0) => {
                        ended = true;
                        break;
                    }
                    Some(length) => {
                        used += length;
                        count.rows += 1;
                        if decoder.rows() == BATCH_ROWS && flush(&mut decoder, sink, &mut count)?.is_err() {
                            return Ok(count);
                        }
                    }
                    None => break,
                }
            }
            if carried {
                pending.drain(..used);
            } else if !ended && used < size {
                pending.extend_from_slice(&chunk[used..]);
            }
            reader.consume(size);
            if ended {
                break;
            }
        }
        // The server's own end of the copy still says whether all went well.
        while !reader.fill_buf().map_err(|e| stream_failure(&e))?.is_empty() {
            let size = reader.fill_buf().map_err(|e| stream_failure(&e))?.len();
            reader.consume(size);
        }
        if decoder.rows() > 0 {
            let _ = flush(&mut decoder, sink, &mut count)?;
        }
        Ok(count)
    }
}

fn flush(decoder: &mut Decoder, sink: &mut dyn BatchSink, count: &mut ReadCount) -> Result<Result<(), Stop>, EngineError> {
    let batch = decoder.finish()?;
    count.bytes += batch.get_array_memory_size() as u64;
    Ok(sink.push(batch))
}

fn header_length(bytes: &[u8]) -> Result<Option<usize>, EngineError> {
    let Some(head) = bytes.get(..19) else { return Ok(None) };
    if head[..11] != encode::HEADER[..11] {
        return Err(EngineError::new(ErrorKind::Io, "the server did not answer in COPY's binary form"));
    }
    let extension = u32::from_be_bytes([head[15], head[16], head[17], head[18]]) as usize;
    Ok((bytes.len() >= 19 + extension).then_some(19 + extension))
}

fn trimmed(sql: &str) -> &str {
    sql.trim().trim_end_matches(';').trim_end()
}

/// The server's own words and SQLSTATE, in our kinds.
fn failure(e: &postgres::Error) -> EngineError {
    let Some(db) = e.as_db_error() else {
        let cause = std::error::Error::source(e).map_or_else(|| e.to_string(), ToString::to_string);
        let kind = if cause.contains("password") || cause.contains("authentication") { ErrorKind::Auth } else { ErrorKind::Connect };
        return EngineError::new(kind, cause);
    };
    let state = db.code().code();
    let kind = match state {
        s if s.starts_with("28") => ErrorKind::Auth,
        "3D000" | "3F000" | "42P01" => ErrorKind::Missing,
        "42703" => ErrorKind::Column,
        "42501" => ErrorKind::Permission,
        "57014" => ErrorKind::Cancelled,
        s if s.starts_with("08") || s.starts_with("57P") => ErrorKind::Connect,
        s if s.starts_with("53") || s.starts_with("58") => ErrorKind::Io,
        _ => ErrorKind::Statement,
    };
    let message = match db.detail() {
        Some(detail) => format!("{} ({detail})", db.message()),
        None => db.message().to_owned(),
    };
    EngineError { kind, message, sqlstate: Some(state.to_owned()), hint: db.hint().map(str::to_owned) }
}

/// A failure inside a copy arrives wrapped as an I/O error.
fn stream_failure(e: &std::io::Error) -> EngineError {
    match e.get_ref().and_then(|inner| inner.downcast_ref::<postgres::Error>()) {
        Some(inner) => failure(inner),
        None => EngineError::new(ErrorKind::Io, e.to_string()),
    }
}

impl Connection for PostgresConnection {
    fn execute(&mut self, sql: &str) -> Result<Executed, EngineError> {
        let mut executed = Executed { rows: None, tag: "OK".to_owned() };
        for message in self.client.simple_query(sql).map_err(|e| failure(&e))? {
            if let SimpleQueryMessage::CommandComplete(rows) = message {
                executed.rows = Some(rows);
            }
        }
        Ok(executed)
    }

    fn query(&mut self, sql: &str, limit: Option<usize>) -> Result<Rows, EngineError> {
        let start = uncommented(sql).to_ascii_lowercase();
        if !["select", "with", "values", "table", "("].iter().any(|word| start.starts_with(word)) {
            return self.query_as_text(sql, limit);
        }
        let columns = match self.columns(trimmed(sql)) {
            // Several statements cannot be prepared; the server runs them as text.
            Err(e) if e.message.contains("multiple commands") => return self.query_as_text(sql, limit),
            columns => columns?,
        };
        let fields = columns
            .iter()
            .map(|(name, kind, modifier)| Ok(Field::new(name, types::natural(name, kind, *modifier)?, true)))
            .collect::<Result<Vec<_>, EngineError>>()?;
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        let named: Vec<_> = columns.into_iter().map(|(name, kind, _)| (name, kind)).collect();
        let decoder = Decoder::new(&named, &schema)?;
        let mut batches: Vec<RecordBatch> = Vec::new();
        let mut left = limit.unwrap_or(usize::MAX);
        let bounded = match limit {
            Some(limit) => format!("SELECT * FROM ({}\n) AS dvt_limited LIMIT {limit}", trimmed(sql)),
            None => trimmed(sql).to_owned(),
        };
        self.copy_out(&bounded, decoder, &mut |batch: RecordBatch| {
            let rows = batch.num_rows().min(left);
            left -= rows;
            batches.push(batch.slice(0, rows));
            Ok(())
        })?;
        Ok(Rows { schema, batches })
    }

    fn read(&mut self, sql: &str, want: &SchemaRef, sink: &mut dyn BatchSink) -> Result<ReadCount, EngineError> {
        let columns: Vec<_> = self.columns(trimmed(sql))?.into_iter().map(|(name, kind, _)| (name, kind)).collect();
        let decoder = Decoder::new(&columns, want)?;
        self.copy_out(sql, decoder, sink)
    }

    fn load(
        &mut self,
        table: &str,
        schema: &SchemaRef,
        batches: &mut dyn Iterator<Item = Result<RecordBatch, EngineError>>,
    ) -> Result<u64, EngineError> {
        let names: Vec<String> = schema.fields().iter().map(|f| format!("\"{}\"", f.name().replace('"', "\"\""))).collect();
        let names = names.join(", ");
        let columns = self.columns(&format!("SELECT {names} FROM {table} LIMIT 0"))?;
        let encoder = Encoder::new(&columns, schema)?;
        let copy = format!("COPY {table} ({names}) FROM STDIN (FORMAT binary)");
        // Dropping the writer unfinished makes the server discard everything.
        let mut writer = self.client.copy_in(&copy).map_err(|e| failure(&e))?;
        let mut buffer = encode::HEADER.to_vec();
        for batch in batches {
            encoder.rows(&batch?, &mut buffer)?;
            if buffer.len() >= WRITE_BUFFER {
                writer.write_all(&buffer).map_err(|e| stream_failure(&e))?;
                buffer.clear();
            }
        }
        buffer.extend_from_slice(&encode::TRAILER);
        writer.write_all(&buffer).map_err(|e| stream_failure(&e))?;
        writer.finish().map_err(|e| failure(&e))
    }

    fn describe(&mut self, sql: &str) -> Result<Vec<DescribedColumn>, EngineError> {
        let columns = self.columns(trimmed(sql))?;
        Ok(columns
            .into_iter()
            .map(|(name, kind, modifier)| {
                let native = match types::numeric_modifier(modifier) {
                    Some((p, s)) if kind == Type::NUMERIC => format!("numeric({p},{s})"),
                    _ => kind.name().to_owned(),
                };
                DescribedColumn { name, native }
            })
            .collect())
    }

    fn begin_snapshot(&mut self) -> Result<(), EngineError> {
        // The transaction's first statement takes the snapshot: it is taken here, not at the first read.
        let begin = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1";
        self.client.batch_execute(begin).map_err(|e| failure(&e))
    }

    fn end_snapshot(&mut self) -> Result<(), EngineError> {
        self.client.batch_execute("ROLLBACK").map_err(|e| failure(&e))
    }

    fn canceller(&self) -> Canceller {
        let token = self.client.cancel_token();
        let tls = self.tls.clone();
        Box::new(move || {
            // Best effort: a server that is gone has nothing left to cancel.
            let _ = match tls.clone() {
                Some(tls) => token.cancel_query(tls),
                None => token.cancel_query(NoTls),
            };
        })
    }

    fn server_version(&mut self) -> Result<String, EngineError> {
        let row = self.client.query_one("SHOW server_version", &[]).map_err(|e| failure(&e))?;
        Ok(row.get(0))
    }
}

impl PostgresConnection {
    /// For statements COPY does not take (SHOW, EXPLAIN, … RETURNING): every column as text.
    fn query_as_text(&mut self, sql: &str, limit: Option<usize>) -> Result<Rows, EngineError> {
        let mut names: Vec<String> = Vec::new();
        let mut table: Vec<Vec<Option<String>>> = Vec::new();
        for message in self.client.simple_query(sql).map_err(|e| failure(&e))? {
            match message {
                // Of several results the last one counts.
                SimpleQueryMessage::RowDescription(columns) => {
                    names = columns.iter().map(|c| c.name().to_owned()).collect();
                    table.clear();
                }
                SimpleQueryMessage::Row(row) if limit.is_none_or(|l| table.len() < l) => {
                    table.push((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect());
                }
                _ => {}
            }
        }
        let schema: SchemaRef = Arc::new(Schema::new(names.iter().map(|n| Field::new(n, DataType::Utf8, true)).collect::<Vec<_>>()));
        let arrays: Vec<ArrayRef> = (0..names.len())
            .map(|i| Arc::new(table.iter().map(|row| row.get(i).cloned().flatten()).collect::<StringArray>()) as ArrayRef)
            .collect();
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(table.len()));
        let batch = RecordBatch::try_new_with_options(schema.clone(), arrays, &options)
            .map_err(|e| EngineError::new(ErrorKind::Type, e.to_string()))?;
        Ok(Rows { schema, batches: vec![batch] })
    }
}
