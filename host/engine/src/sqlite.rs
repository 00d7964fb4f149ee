//! SQLite files in process.
//!
//! Cells carry their own type there, so a read checks every cell against the wanted column type.

use crate::cell::{Cell, CellColumn};
use crate::error::{EngineError, ErrorKind};
use crate::{
    BATCH_ROWS, BatchSink, Canceller, ConnectSpec, Connection, DescribedColumn, Executed, ReadCount, Rows,
};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Decimal128Type, Field, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Schema, SchemaRef, TimeUnit, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{ErrorCode, OpenFlags};
use std::sync::Arc;
use std::time::Duration;

pub struct SqliteConnection {
    inner: rusqlite::Connection,
}

impl SqliteConnection {
    /// Options: `path` (file), `attach.<schema>` (further files by schema name), `create` = `true` to make
    /// a missing file, `busy_timeout_ms`.
    pub fn open(spec: &ConnectSpec) -> Result<Self, EngineError> {
        let path = spec.options.get("path").map_or("", String::as_str);
        let create = spec.options.get("create").is_some_and(|v| v == "true");
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if create {
            flags |= OpenFlags::SQLITE_OPEN_CREATE;
        }
        let inner = rusqlite::Connection::open_with_flags(path, flags).map_err(|e| {
            let kind = if create || std::path::Path::new(path).exists() { ErrorKind::Connect } else { ErrorKind::Missing };
            EngineError::new(kind, format!("SQLite file `{path}` cannot be opened: {}", failure(&e).message))
                .hint("check the path in the profile; a relative path counts from the project folder")
        })?;
        let wait = spec.options.get("busy_timeout_ms").and_then(|v| v.parse().ok()).unwrap_or(30_000);
        inner.busy_timeout(Duration::from_millis(wait)).map_err(|e| failure(&e))?;
        // SQLite would read `"gone"` as the text 'gone' where no such column exists: a wrong answer instead of an error.
        inner.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_DQS_DML, false).map_err(|e| failure(&e))?;
        for (key, file) in &spec.options {
            if let Some(schema) = key.strip_prefix("attach.") {
                let sql = format!("ATTACH DATABASE ?1 AS \"{}\"", schema.replace('"', "\"\""));
                inner.execute(&sql, [file]).map_err(|e| failure(&e))?;
            }
        }
        Ok(Self { inner })
    }
}

/// SQLite's own words and number, in our kinds.
fn failure(e: &rusqlite::Error) -> EngineError {
    let kind = match e.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => ErrorKind::Cancelled,
        Some(ErrorCode::CannotOpen) => ErrorKind::Connect,
        Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => ErrorKind::Permission,
        Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => ErrorKind::Io,
        Some(ErrorCode::NotADatabase) => ErrorKind::Version,
        _ if e.to_string().contains("no such column") => ErrorKind::Column,
        _ if e.to_string().contains("no such table") => ErrorKind::Missing,
        _ => ErrorKind::Statement,
    };
    EngineError::new(kind, e.to_string())
}

fn cell(value: ValueRef<'_>) -> Result<Cell<'_>, EngineError> {
    Ok(match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(v) => Cell::Integer(v),
        ValueRef::Real(v) => Cell::Real(v),
        ValueRef::Text(t) => Cell::Text(
            std::str::from_utf8(t).map_err(|_| EngineError::new(ErrorKind::Type, "a text value is not valid UTF-8"))?,
        ),
        ValueRef::Blob(b) => Cell::Blob(b),
    })
}

impl Connection for SqliteConnection {
    fn execute(&mut self, sql: &str) -> Result<Executed, EngineError> {
        let before = self.inner.total_changes();
        // A deferred transaction that turns out to write fails at once when another session wrote since its first
        // read; one that says so from its start waits its turn.
        let sql = if sql.trim().eq_ignore_ascii_case("begin") { "BEGIN IMMEDIATE" } else { sql };
        self.inner.execute_batch(sql).map_err(|e| failure(&e))?;
        let changed = self.inner.total_changes() - before;
        Ok(Executed { rows: Some(changed), tag: "OK".to_owned() })
    }

    fn query(&mut self, sql: &str, limit: Option<usize>) -> Result<Rows, EngineError> {
        let mut statement = self.inner.prepare(sql).map_err(|e| failure(&e))?;
        let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
        let mut table: Vec<Vec<Value>> = Vec::new();
        let mut rows = statement.query([]).map_err(|e| failure(&e))?;
        while let Some(row) = rows.next().map_err(|e| failure(&e))? {
            if limit.is_some_and(|l| table.len() >= l) {
                break;
            }
            let values: Result<Vec<Value>, _> = (0..names.len()).map(|i| row.get(i)).collect();
            table.push(values.map_err(|e| failure(&e))?);
        }
        small_result(&names, &table)
    }

    fn read(&mut self, sql: &str, want: &SchemaRef, sink: &mut dyn BatchSink) -> Result<ReadCount, EngineError> {
        let mut statement = self.inner.prepare(sql).map_err(|e| failure(&e))?;
        if statement.column_count() != want.fields().len() {
            let message = format!("the query has {} columns, {} were planned", statement.column_count(), want.fields().len());
            return Err(EngineError::new(ErrorKind::Statement, message));
        }
        let mut columns = want.fields().iter().map(|f| CellColumn::new(f)).collect::<Result<Vec<_>, _>>()?;
        let mut count = ReadCount::default();
        let mut filled = 0;
        let mut rows = statement.query([]).map_err(|e| failure(&e))?;
        while let Some(row) = rows.next().map_err(|e| failure(&e))? {
            count.rows += 1;
            for (i, column) in columns.iter_mut().enumerate() {
                column.push(cell(row.get_ref(i).map_err(|e| failure(&e))?)?, count.rows)?;
            }
            filled += 1;
            if filled == BATCH_ROWS {
                filled = 0;
                if !flush(&mut columns, want, sink, &mut count)? {
                    return Ok(count);
                }
            }
        }
        if filled > 0 {
            flush(&mut columns, want, sink, &mut count)?;
        }
        Ok(count)
    }

    fn load(
        &mut self,
        table: &str,
        schema: &SchemaRef,
        batches: &mut dyn Iterator<Item = Result<RecordBatch, EngineError>>,
    ) -> Result<u64, EngineError> {
        // Inside the caller's transaction a savepoint gives all-or-nothing too.
        self.inner.execute_batch("SAVEPOINT dvt_load").map_err(|e| failure(&e))?;
        match insert_all(&self.inner, table, schema, batches) {
            Ok(rows) => {
                self.inner.execute_batch("RELEASE dvt_load").map_err(|e| failure(&e))?;
                Ok(rows)
            }
            Err(error) => {
                // The first failure is the one to tell; a failed rollback leaves the transaction to the caller.
                let _ = self.inner.execute_batch("ROLLBACK TO dvt_load; RELEASE dvt_load");
                Err(error)
            }
        }
    }

    fn describe(&mut self, sql: &str) -> Result<Vec<DescribedColumn>, EngineError> {
        let statement = self.inner.prepare(sql).map_err(|e| failure(&e))?;
        Ok(statement
            .columns()
            .iter()
            .map(|c| DescribedColumn { name: c.name().to_owned(), native: c.decl_type().unwrap_or("").to_owned() })
            .collect())
    }

    fn begin_snapshot(&mut self) -> Result<(), EngineError> {
        // A deferred transaction takes its snapshot at its first read; this read takes it now.
        self.inner.execute_batch("BEGIN DEFERRED").map_err(|e| failure(&e))?;
        self.query("SELECT count(*) FROM sqlite_schema", None).map(drop)
    }

    fn end_snapshot(&mut self) -> Result<(), EngineError> {
        self.execute("ROLLBACK").map(drop)
    }

    fn canceller(&self) -> Canceller {
        let handle = self.inner.get_interrupt_handle();
        Box::new(move || handle.interrupt())
    }

    fn server_version(&mut self) -> Result<String, EngineError> {
        Ok(rusqlite::version().to_owned())
    }
}

/// False when the receiver stopped.
fn flush(
    columns: &mut [CellColumn],
    want: &SchemaRef,
    sink: &mut dyn BatchSink,
    count: &mut ReadCount,
) -> Result<bool, EngineError> {
    let arrays = columns.iter_mut().map(CellColumn::finish).collect();
    let batch = RecordBatch::try_new(want.clone(), arrays).map_err(|e| EngineError::new(ErrorKind::Type, e.to_string()))?;
    count.bytes += batch.get_array_memory_size() as u64;
    Ok(sink.push(batch).is_ok())
}

/// The narrowest Arrow type that holds every value of a column: integers, reals, bytes, else text.
fn small_result(names: &[String], table: &[Vec<Value>]) -> Result<Rows, EngineError> {
    let mut fields = Vec::new();
    let mut arrays = Vec::new();
    for (i, name) in names.iter().enumerate() {
        let cells = || table.iter().map(|row| &row[i]);
        let data_type = if cells().all(|v| matches!(v, Value::Null | Value::Integer(_))) && cells().any(|v| *v != Value::Null) {
            DataType::Int64
        } else if cells().all(|v| matches!(v, Value::Null | Value::Real(_))) && cells().any(|v| *v != Value::Null) {
            DataType::Float64
        } else if cells().any(|v| matches!(v, Value::Blob(_))) {
            DataType::Binary
        } else {
            DataType::Utf8
        };
        let field = Field::new(name, data_type.clone(), true);
        let mut column = CellColumn::new(&field)?;
        for (row, value) in cells().enumerate() {
            let text;
            let cell = match (value, &data_type) {
                (Value::Null, _) => Cell::Null,
                (Value::Integer(v), DataType::Int64) => Cell::Integer(*v),
                (Value::Real(v), DataType::Float64) => Cell::Real(*v),
                (Value::Blob(b), _) => Cell::Blob(b),
                (Value::Text(t), DataType::Binary) => Cell::Blob(t.as_bytes()),
                (Value::Text(t), _) => Cell::Text(t),
                (Value::Integer(v), _) => {
                    text = v.to_string();
                    Cell::Text(&text)
                }
                (Value::Real(v), _) => {
                    text = v.to_string();
                    Cell::Text(&text)
                }
            };
            column.push(cell, row as u64 + 1)?;
        }
        arrays.push(column.finish());
        fields.push(field);
    }
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(table.len()));
    let batch = RecordBatch::try_new_with_options(schema.clone(), arrays, &options)
        .map_err(|e| EngineError::new(ErrorKind::Type, e.to_string()))?;
    Ok(Rows { schema, batches: vec![batch] })
}

fn insert_all(
    connection: &rusqlite::Connection,
    table: &str,
    schema: &SchemaRef,
    batches: &mut dyn Iterator<Item = Result<RecordBatch, EngineError>>,
) -> Result<u64, EngineError> {
    let names: Vec<String> = schema.fields().iter().map(|f| format!("\"{}\"", f.name().replace('"', "\"\""))).collect();
    let marks = vec!["?"; names.len()].join(", ");
    let sql = format!("INSERT INTO {table} ({}) VALUES ({marks})", names.join(", "));
    let mut statement = connection.prepare(&sql).map_err(|e| failure(&e))?;
    let mut loaded = 0;
    for batch in batches {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            for (i, column) in batch.columns().iter().enumerate() {
                let value = stored(column.as_ref(), row, schema.field(i).name())?;
                statement.raw_bind_parameter(i + 1, value).map_err(|e| failure(&e))?;
            }
            loaded += statement.raw_execute().map_err(|e| failure(&e))? as u64;
        }
    }
    Ok(loaded)
}

/// The SQLite value of one Arrow cell. Decimals go as integers where they are whole, else as exact text:
/// a column of NUMERIC affinity would turn them into doubles, so the adapter declares such columns TEXT.
fn stored(column: &dyn Array, row: usize, name: &str) -> Result<Value, EngineError> {
    if column.is_null(row) {
        return Ok(Value::Null);
    }
    let formatted = |column: &dyn Array, zone: &str| -> Result<Value, EngineError> {
        let refused = |e: arrow::error::ArrowError| EngineError::new(ErrorKind::Type, format!("column `{name}`: {e}"));
        // Errors are errors here: by default the formatter prints them in place of the value.
        let options = FormatOptions::new()
            .with_display_error(false)
            .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"))
            .with_time_format(Some("%H:%M:%S%.f"));
        let text = ArrayFormatter::try_new(column, &options).map_err(refused)?;
        Ok(Value::Text(text.value(row).try_to_string().map_err(refused)? + zone))
    };
    Ok(match column.data_type() {
        DataType::Boolean => Value::Integer(i64::from(column.as_boolean().value(row))),
        DataType::Int8 => Value::Integer(column.as_primitive::<Int8Type>().value(row).into()),
        DataType::Int16 => Value::Integer(column.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => Value::Integer(column.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Value::Integer(column.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => Value::Integer(column.as_primitive::<UInt8Type>().value(row).into()),
        DataType::UInt16 => Value::Integer(column.as_primitive::<UInt16Type>().value(row).into()),
        DataType::UInt32 => Value::Integer(column.as_primitive::<UInt32Type>().value(row).into()),
        DataType::UInt64 => {
            let value = column.as_primitive::<UInt64Type>().value(row);
            Value::Integer(i64::try_from(value).map_err(|_| {
                EngineError::new(ErrorKind::Type, format!("column `{name}`: {value} is larger than SQLite's largest integer"))
                    .hint("cast the column to text in the model")
            })?)
        }
        DataType::Float32 => real(f64::from(column.as_primitive::<Float32Type>().value(row)), name)?,
        DataType::Float64 => real(column.as_primitive::<Float64Type>().value(row), name)?,
        DataType::Decimal128(_, 0) => {
            let value = column.as_primitive::<Decimal128Type>().value(row);
            i64::try_from(value).map_or_else(|_| Value::Text(value.to_string()), Value::Integer)
        }
        DataType::Utf8 => Value::Text(column.as_string::<i32>().value(row).to_owned()),
        DataType::LargeUtf8 => Value::Text(column.as_string::<i64>().value(row).to_owned()),
        DataType::Utf8View => Value::Text(column.as_string_view().value(row).to_owned()),
        DataType::Binary => Value::Blob(column.as_binary::<i32>().value(row).to_owned()),
        DataType::Decimal128(..) => Value::Text(column.as_primitive::<Decimal128Type>().value_as_string(row)),
        DataType::Date32 | DataType::Time64(TimeUnit::Microsecond) | DataType::Timestamp(TimeUnit::Microsecond, None) => {
            formatted(column, "")?
        }
        // The stored instant is UTC whatever zone the type shows it in.
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            let instant = column.as_primitive::<TimestampMicrosecondType>().clone().with_timezone_opt(None::<&str>);
            formatted(&instant, "+00:00")?
        }
        other => {
            let message = format!("column `{name}`: SQLite has no exact form of {other}");
            return Err(EngineError::new(ErrorKind::Type, message).hint("cast the column to text in the model"));
        }
    })
}

/// SQLite stores NaN as NULL without a word, so NaN is refused.
fn real(value: f64, name: &str) -> Result<Value, EngineError> {
    if value.is_nan() {
        let message = format!("column `{name}`: SQLite cannot hold NaN; it would become NULL");
        return Err(EngineError::new(ErrorKind::Type, message).hint("map NaN to a value of your choice in the model"));
    }
    Ok(Value::Real(value))
}
