//! Native things lent to plugins: database drivers and the embedded compute, all speaking Arrow.
//!
//! A plugin names a driver and its options; this crate dials, reads and loads. It decides nothing:
//! which SQL runs, which type a column becomes and what an error means to the user come from above.
//! Product names are allowed here and nowhere else in `host/`.

pub mod adbc;
mod builder;
mod cell;
pub mod cluster;
mod comments;
mod duckdb;
mod error;
mod mysql;
pub mod net;
mod postgres;
pub mod sasl;
mod secret;
mod sqlite;
mod tls;

/// A folder of its own for rows that pass through files; gone when dropped, or swept by the next process.
pub use self::duckdb::SpillFolder as Exchange;
pub use self::duckdb::{Compute, ComputeSettings, Kept, Reads, StreamSender, describe_parquet, read_parquet, write_parquet};
pub use error::{EngineError, ErrorKind, PluginFault};
pub use secret::Secret;
pub use tls::TlsMode;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use std::collections::BTreeMap;

/// Rows in one batch of a stream: large enough to amortise a call, small enough to bound memory.
pub const BATCH_ROWS: usize = 8192;

/// The driver of the engine that is always there: the default compute, and the format of dvt's own data file.
pub const EMBEDDED_DRIVER: &str = "duckdb";

/// How to reach one database. Secrets are kept apart so that they never print.
#[derive(Debug, Clone, Default)]
pub struct ConnectSpec {
    /// The native driver's name, as the plugin gives it.
    pub driver: String,
    pub options: BTreeMap<String, String>,
    pub secrets: BTreeMap<String, Secret>,
    /// Statements that every new session runs first.
    pub session_setup: Vec<String>,
    /// Shown by the server in its list of sessions.
    pub application: String,
    /// The file of a driver that is a shared library.
    pub library: Option<std::path::PathBuf>,
}

/// What a statement did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Executed {
    /// Rows changed, where the product says so.
    pub rows: Option<u64>,
    /// The product's own word, such as `INSERT 0 5`.
    pub tag: String,
}

/// A small result, whole.
#[derive(Debug, Clone)]
pub struct Rows {
    pub schema: SchemaRef,
    pub batches: Vec<RecordBatch>,
}

/// What a streamed read delivered. Unit of `bytes`: bytes of Arrow buffers handed on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadCount {
    pub rows: u64,
    pub bytes: u64,
}

/// Bytes of a batch's own values, however many batches share a buffer.
pub fn batch_bytes(batch: &RecordBatch) -> u64 {
    batch.columns().iter().map(|c| c.to_data().get_slice_memory_size().unwrap_or_else(|_| c.get_array_memory_size()) as u64).sum()
}

/// A result column as the database describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedColumn {
    pub name: String,
    /// The product's own type text; empty where it has none (an expression in SQLite).
    pub native: String,
}

/// The receiver went away; the read ends without an error of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop;

/// Takes the batches of a stream in order.
pub trait BatchSink {
    /// Hands over one batch; may block while the receiver is full.
    fn push(&mut self, batch: RecordBatch) -> Result<(), Stop>;
}

impl<F: FnMut(RecordBatch) -> Result<(), Stop>> BatchSink for F {
    fn push(&mut self, batch: RecordBatch) -> Result<(), Stop> {
        self(batch)
    }
}

/// Ends the running statement of the connection it was made from; callable from any thread.
pub type Canceller = Box<dyn Fn() + Send + Sync>;

/// One session of a database.
pub trait Connection: Send {
    /// Runs one or several statements.
    fn execute(&mut self, sql: &str) -> Result<Executed, EngineError>;
    /// Runs a query whose result is small; at most `limit` rows are kept.
    fn query(&mut self, sql: &str, limit: Option<usize>) -> Result<Rows, EngineError>;
    /// Streams a query. Column `i` arrives as `want.field(i)`, exactly, or the read fails naming the column.
    fn read(&mut self, sql: &str, want: &SchemaRef, sink: &mut dyn BatchSink) -> Result<ReadCount, EngineError>;
    /// Loads batches into an existing table (already quoted) and returns the rows the product acknowledged.
    /// All or nothing: inside the caller's transaction if one is open, else in its own.
    fn load(
        &mut self,
        table: &str,
        schema: &SchemaRef,
        batches: &mut dyn Iterator<Item = Result<RecordBatch, EngineError>>,
    ) -> Result<u64, EngineError>;
    /// Begins a read-only transaction in which every read sees one state of the database.
    ///
    /// End it with [`Connection::end_snapshot`]: a server keeps old rows for as long as it lasts.
    fn begin_snapshot(&mut self) -> Result<(), EngineError>;
    fn end_snapshot(&mut self) -> Result<(), EngineError>;
    /// The columns of a query without running it.
    fn describe(&mut self, sql: &str) -> Result<Vec<DescribedColumn>, EngineError>;
    fn canceller(&self) -> Canceller;
    fn server_version(&mut self) -> Result<String, EngineError>;
    /// Whether the session can be used again. False where cancelling ends more than a statement.
    fn is_open(&self) -> bool {
        true
    }
}

/// Opens a session with the driver that `spec` names and runs its setup statements.
pub fn connect(spec: &ConnectSpec) -> Result<Box<dyn Connection>, EngineError> {
    let mut connection: Box<dyn Connection> = match spec.driver.as_str() {
        "sqlite" => Box::new(sqlite::SqliteConnection::open(spec)?),
        "duckdb" => Box::new(self::duckdb::DuckdbConnection::open(spec)?),
        "mysql" => Box::new(self::mysql::MysqlConnection::open(spec)?),
        "postgres" => Box::new(self::postgres::PostgresConnection::open(spec)?),
        other => {
            let error = EngineError::new(ErrorKind::Version, format!("this build has no native driver `{other}`"));
            return Err(error.hint("known drivers: duckdb, mysql, postgres, sqlite"));
        }
    };
    for statement in &spec.session_setup {
        connection.execute(statement)?;
    }
    Ok(connection)
}
