//! DuckDB in process: as a database file and as the embedded compute.
//!
//! Extensions are never installed or loaded from the network; what the linked library holds must suffice.

mod compute;
mod exact;
mod file;
mod parquet;
mod spill;
mod stream;

pub use compute::{Compute, ComputeSettings, Kept, Reads};
pub use spill::SpillFolder;
pub use file::DuckdbConnection;
pub use parquet::{describe_parquet, read_parquet, write_parquet};
pub use stream::StreamSender;

use crate::DescribedColumn;
use crate::error::{EngineError, ErrorKind};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use duckdb::Config;

fn failure(e: &duckdb::Error) -> EngineError {
    let text = e.to_string();
    let has = |s: &str| text.contains(s);
    if has("INTERRUPT") || has("Interrupted") {
        return EngineError::new(ErrorKind::Cancelled, text);
    }
    if has("Could not set lock") {
        return EngineError::new(ErrorKind::Busy, text)
            .hint("another process has the DuckDB file open; DuckDB lets one process in at a time");
    }
    if has("newer version of DuckDB") || has("Serialization Error") || has("storage version") || has("version number") {
        return EngineError::new(ErrorKind::Version, text)
            .hint("the file was written by a newer DuckDB than the 1.5 that is built in; export it with that version");
    }
    if has("No space left on device") {
        return EngineError::new(ErrorKind::Io, text).hint("the disk is full: free space on it; a compute spills to `temp_directory` of its config in computes.yml, by default below DVT home");
    }
    let kind = if has("Referenced column") || has("does not have a column named") {
        ErrorKind::Column
    } else if has("does not exist") {
        ErrorKind::Missing
    } else if has("IO Error") {
        ErrorKind::Io
    } else {
        ErrorKind::Statement
    };
    EngineError::new(kind, text)
}

/// The settings every instance gets: nothing from the network, UTC is set per session.
fn base_config() -> Result<Config, EngineError> {
    Config::default()
        .with("autoinstall_known_extensions", "false")
        .and_then(|c| c.with("autoload_known_extensions", "false"))
        .map_err(|e| failure(&e))
}

/// DuckDB 1.5.6 puts what it learns from a join's one side below a LIMIT of the other: other rows are then within the limit,
/// and the answer is wrong. `tests/pushdown/README.md` has the query. Of a whole instance; a profile's own setting comes later.
fn keep_limits(connection: &duckdb::Connection) -> Result<(), EngineError> {
    connection.execute_batch("SET disabled_optimizers = 'join_filter_pushdown'").map_err(|e| failure(&e))
}

/// Prepares a session and checks that the library can do time zones.
fn prepare(connection: &duckdb::Connection) -> Result<(), EngineError> {
    connection.execute_batch("SET TimeZone = 'UTC'").map_err(|e| {
        EngineError::new(ErrorKind::Version, format!("the linked DuckDB library has no ICU: {e}"))
            .hint("link the prebuilt library (`make setup`), or build from source with `icu`")
    })?;
    stream::register(connection)
}

/// Plans a query; where DuckDB's optimizer loses a column on its way, which is no fault of the query, without the optimizer.
/// (1.5.6 and 2.0: a filter `c is null` on the side that a right join fills, below another join; seed 3477557 of the random queries.)
fn planned<'c>(connection: &'c duckdb::Connection, sql: &str) -> Result<duckdb::Statement<'c>, EngineError> {
    let lost = match connection.prepare(sql) {
        Err(e) if e.to_string().contains("INTERNAL Error: Failed to bind column reference") => e,
        other => return other.map_err(|e| failure(&e)),
    };
    connection.execute_batch("PRAGMA disable_optimizer").map_err(|_| failure(&lost))?;
    let statement = connection.prepare(sql);
    connection.execute_batch("PRAGMA enable_optimizer").map_err(|e| failure(&e))?;
    statement.map_err(|_| failure(&lost))
}

/// The columns of a query and their types, by binding it.
fn describe(connection: &duckdb::Connection, sql: &str) -> Result<Vec<DescribedColumn>, EngineError> {
    let sql = format!("DESCRIBE {}", sql.trim().trim_end_matches(';'));
    let mut statement = connection.prepare(&sql).map_err(|e| failure(&e))?;
    let rows = statement
        .query_map([], |row| Ok(DescribedColumn { name: row.get(0)?, native: row.get(1)? }))
        .map_err(|e| failure(&e))?;
    rows.map(|r| r.map_err(|e| failure(&e))).collect()
}

/// Streams a query's batches to `each` until it says false; returns the result's schema.
///
/// The crate's iterator panics when a chunk cannot be fetched, so chunks are fetched by hand here.
fn drain(
    connection: &duckdb::Connection,
    sql: &str,
    each: &mut dyn FnMut(RecordBatch) -> Result<bool, EngineError>,
) -> Result<SchemaRef, EngineError> {
    let mut statement = planned(connection, sql)?;
    let schema = statement.stream_arrow([]).map_err(|e| failure(&e))?.get_schema();
    while let Some(rows) = statement.step().map_err(|e| failure(&e))? {
        if !each(RecordBatch::from(&rows))? {
            break;
        }
    }
    Ok(schema)
}
