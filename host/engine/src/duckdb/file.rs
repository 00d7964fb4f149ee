//! DuckDB database files.
//!
//! DuckDB opens a file once per process, so all sessions on a path share one instance.

use super::exact::conform;
use super::stream::stream;
use super::{base_config, describe, drain, failure, keep_limits, prepare};
use crate::error::{EngineError, ErrorKind};
use crate::{BatchSink, Canceller, ConnectSpec, Connection, DescribedColumn, Executed, ReadCount, Rows};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The root session of an instance; sessions are cloned from it and keep it alive.
type Instance = Arc<Mutex<duckdb::Connection>>;

static INSTANCES: Mutex<BTreeMap<PathBuf, Weak<Mutex<duckdb::Connection>>>> = Mutex::new(BTreeMap::new());

pub struct DuckdbConnection {
    inner: duckdb::Connection,
    _instance: Instance,
}

fn instance(path: &str, create: bool) -> Result<Instance, EngineError> {
    let mut instances = INSTANCES.lock().unwrap_or_else(PoisonError::into_inner);
    let file = Path::new(path);
    if path != ":memory:" && !create && !file.exists() {
        return Err(EngineError::new(ErrorKind::Missing, format!("DuckDB file `{path}` does not exist"))
            .hint("check `path` in the profile; a relative path counts from the project folder"));
    }
    let key = std::path::absolute(file).unwrap_or_else(|_| file.to_path_buf());
    let key = key.canonicalize().unwrap_or(key);
    if path != ":memory:" && let Some(live) = instances.get(&key).and_then(Weak::upgrade) {
        return Ok(live);
    }
    let root = duckdb::Connection::open_with_flags(path, base_config()?).map_err(|e| failure(&e))?;
    prepare(&root)?;
    keep_limits(&root)?;
    let root = Arc::new(Mutex::new(root));
    let key = key.canonicalize().unwrap_or(key);
    instances.insert(key, Arc::downgrade(&root));
    Ok(root)
}

impl DuckdbConnection {
    /// Options: `path` (file or `:memory:`), `create` = `true` to make a missing file.
    pub fn open(spec: &ConnectSpec) -> Result<Self, EngineError> {
        let path = spec.options.get("path").map_or(":memory:", String::as_str);
        let create = spec.options.get("create").is_some_and(|v| v == "true");
        let instance = instance(path, create)?;
        let inner = instance.lock().unwrap_or_else(PoisonError::into_inner).try_clone().map_err(|e| failure(&e))?;
        prepare(&inner)?;
        Ok(Self { inner, _instance: instance })
    }
}

impl Connection for DuckdbConnection {
    fn execute(&mut self, sql: &str) -> Result<Executed, EngineError> {
        self.inner.execute_batch(sql).map_err(|e| failure(&e))?;
        Ok(Executed { rows: None, tag: "OK".to_owned() })
    }

    fn query(&mut self, sql: &str, limit: Option<usize>) -> Result<Rows, EngineError> {
        let mut batches = Vec::new();
        let mut left = limit.unwrap_or(usize::MAX);
        let schema = drain(&self.inner, sql, &mut |batch| {
            let rows = batch.num_rows().min(left);
            left -= rows;
            batches.push(batch.slice(0, rows));
            Ok(left > 0)
        })?;
        Ok(Rows { schema, batches })
    }

    fn read(&mut self, sql: &str, want: &SchemaRef, sink: &mut dyn BatchSink) -> Result<ReadCount, EngineError> {
        let mut count = ReadCount::default();
        drain(&self.inner, sql, &mut |batch| {
            let batch = conform(&batch, want)?;
            count.rows += batch.num_rows() as u64;
            count.bytes += batch.get_array_memory_size() as u64;
            Ok(sink.push(batch).is_ok())
        })?;
        Ok(count)
    }

    fn load(
        &mut self,
        table: &str,
        schema: &SchemaRef,
        batches: &mut dyn Iterator<Item = Result<RecordBatch, EngineError>>,
    ) -> Result<u64, EngineError> {
        let (sender, token) = stream(schema.clone(), 4, None);
        let names: Vec<String> = schema.fields().iter().map(|f| format!("\"{}\"", f.name().replace('"', "\"\""))).collect();
        let sql = format!("INSERT INTO {table} ({}) {}", names.join(", "), token.scan_sql());
        let connection = &mut self.inner;
        let (sql, token) = (sql.as_str(), &token);
        let result = std::thread::scope(|scope| {
            let insert = scope.spawn(move || {
                let result = connection.execute(sql, []).map_err(|e| failure(&e));
                token.close();
                result
            });
            feed(sender, batches);
            insert.join().unwrap_or_else(|_| Err(EngineError::new(ErrorKind::Io, "the load ended unexpectedly")))
        });
        match result {
            Ok(rows) => Ok(rows as u64),
            Err(error) => Err(token.failure().unwrap_or(error)),
        }
    }

    fn describe(&mut self, sql: &str) -> Result<Vec<DescribedColumn>, EngineError> {
        describe(&self.inner, sql)
    }

    fn begin_snapshot(&mut self) -> Result<(), EngineError> {
        self.execute("BEGIN TRANSACTION READ ONLY").map(drop)
    }

    fn end_snapshot(&mut self) -> Result<(), EngineError> {
        self.execute("ROLLBACK").map(drop)
    }

    fn canceller(&self) -> Canceller {
        let handle = self.inner.interrupt_handle();
        Box::new(move || handle.interrupt())
    }

    fn server_version(&mut self) -> Result<String, EngineError> {
        self.inner.query_row("SELECT version()", [], |row| row.get(0)).map_err(|e| failure(&e))
    }
}

/// Sends every batch, then the end; a failing producer fails the reader.
fn feed(
    sender: super::stream::StreamSender,
    batches: &mut dyn Iterator<Item = Result<RecordBatch, EngineError>>,
) {
    for batch in batches {
        match batch {
            Ok(batch) => {
                if sender.send(batch).is_err() {
                    return;
                }
            }
            Err(error) => {
                sender.fail(error);
                return;
            }
        }
    }
    sender.finish();
}
