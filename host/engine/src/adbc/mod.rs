//! ADBC: databases behind a driver that is a shared library.
//!
//! Which library, which options and what its columns mean come from the adapter's plugin; here a driver is loaded, asked and
//! fed. Rows arrive as the driver's Arrow and are made what was planned, exactly or not at all (`exact`).

mod exact;
mod library;

use crate::error::{EngineError, ErrorKind};
use crate::{BATCH_ROWS, BatchSink, Canceller, ConnectSpec, Executed, ReadCount, Rows, batch_bytes};
use adbc_core::error::{Error, Status};
use adbc_core::options::{IngestMode, OptionConnection, OptionDatabase, OptionStatement, OptionValue};
use adbc_core::{Connection as _, Database as _, Driver as _, Optionable as _, Statement as _};
use adbc_driver_manager::{ManagedConnection, ManagedStatement};
use arrow::array::{Array, AsArray, RecordBatch, RecordBatchReader};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
pub use exact::{extension, is_opaque};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};

/// Batches on their way into a load.
const LOAD_QUEUE: usize = 4;

/// How a driver is used, as its adapter says.
#[derive(Debug, Clone, Default)]
pub struct AdbcDriver {
    /// The shared library.
    pub library: PathBuf,
    /// Its initialising function; None derives the name from the file's.
    pub entry: Option<String>,
    pub connection: BTreeMap<String, String>,
    /// Options of every statement.
    pub statement: BTreeMap<String, String>,
    /// Options of statements whose result is small and kept.
    pub kept: BTreeMap<String, String>,
    /// A query that gives the server's version; None: the driver is asked.
    pub version: Option<String>,
    /// Statements that begin and end a read-only transaction of one state; without any, each read has a state of its own.
    pub begin_snapshot: Vec<String>,
    pub end_snapshot: Vec<String>,
}

/// A table as its parts, unquoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName {
    pub database: Option<String>,
    pub schema: Option<String>,
    pub identifier: String,
}

/// One session.
pub struct AdbcConnection {
    inner: ManagedConnection,
    driver: AdbcDriver,
    /// The running statement was asked to end.
    ending: Arc<AtomicBool>,
    /// False after a read that was left in its middle: what the driver makes of that is its own.
    open: bool,
    /// Of the profile, in every form in which a driver may repeat them.
    hidden: Vec<String>,
}

fn own_text(hidden: &[String], message: &str) -> String {
    hidden.iter().filter(|s| !s.is_empty()).fold(message.to_owned(), |text, secret| text.replace(secret, "***"))
}

/// Drivers set pictures of the statement below what they say.
fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The driver's words, status and SQLSTATE, in our kinds; `otherwise` where they say nothing.
fn failure(e: &Error, otherwise: ErrorKind) -> EngineError {
    let state: String = e.sqlstate.iter().map(|c| char::from(*c as u8)).filter(char::is_ascii_alphanumeric).collect();
    let state = Some(state).filter(|s| s.len() == 5);
    let kind = match (state.as_deref().unwrap_or_default(), e.status) {
        (s, _) if s.starts_with("28") => ErrorKind::Auth,
        (s, _) if s.starts_with("08") => ErrorKind::Connect,
        ("57014", _) | (_, Status::Cancelled) => ErrorKind::Cancelled,
        ("3D000" | "3F000" | "42P01" | "42S02", _) | ("", Status::NotFound) => ErrorKind::Missing,
        ("42703" | "42S22", _) => ErrorKind::Column,
        ("42501", _) | (_, Status::Unauthorized) => ErrorKind::Permission,
        (_, Status::Unauthenticated) => ErrorKind::Auth,
        ("", Status::Timeout) => ErrorKind::Connect,
        ("", Status::IO) if otherwise == ErrorKind::Statement => ErrorKind::Io,
        _ => otherwise,
    };
    EngineError { kind, message: one_line(&e.message), sqlstate: state, hint: None }
}

/// A failure in the middle of a stream, of which only the words arrive; `kind` is what they are taken for.
fn stream_failure(e: &ArrowError, kind: ErrorKind) -> EngineError {
    let text = match e {
        ArrowError::CDataInterface(text) => text.clone(),
        other => other.to_string(),
    };
    EngineError::new(kind, one_line(&text))
}

fn text_options<K: for<'a> From<&'a str>>(options: &BTreeMap<String, String>) -> Vec<(K, OptionValue)> {
    options.iter().map(|(key, value)| (K::from(key.as_str()), OptionValue::String(value.clone()))).collect()
}

impl AdbcConnection {
    /// Options and secrets of `spec` are the driver's database options; one named `option?name` becomes the parameter `name`
    /// of the URL in `option`.
    pub fn open(spec: &ConnectSpec, driver: AdbcDriver) -> Result<Self, EngineError> {
        let secrets: Vec<(&String, &str)> = spec.secrets.iter().map(|(name, secret)| (name, secret.reveal())).collect();
        let hidden: Vec<String> = secrets.iter().flat_map(|(_, value)| [(*value).to_owned(), encoded(value)]).collect();
        let options = options(spec.options.iter().map(|(name, value)| (name, value.as_str())).chain(secrets));
        let opening = |e: &Error| {
            let mut error = failure(e, ErrorKind::Connect);
            let said = error.message.to_lowercase();
            if matches!(error.kind, ErrorKind::Connect | ErrorKind::Io) && ["authentication", "password", "credential", "jwt"].iter().any(|w| said.contains(w)) {
                error.kind = ErrorKind::Auth;
            }
            let hint = match error.kind {
                ErrorKind::Auth => Some("check the user and the secrets of the output"),
                ErrorKind::Connect | ErrorKind::Io => Some("check what the output says of the server, and that it can be reached"),
                _ => None,
            };
            EngineError { message: own_text(&hidden, &error.message), hint: hint.map(str::to_owned), ..error }
        };
        let mut loaded = library::load(&driver.library, driver.entry.as_deref())?;
        let database = loaded.new_database_with_opts(text_options::<OptionDatabase>(&options)).map_err(|e| opening(&e))?;
        let inner = database.new_connection_with_opts(text_options::<OptionConnection>(&driver.connection)).map_err(|e| opening(&e))?;
        Ok(Self { inner, driver, ending: Arc::default(), open: true, hidden })
    }

    fn told(&self, e: &Error) -> EngineError {
        let error = failure(e, ErrorKind::Statement);
        EngineError { message: own_text(&self.hidden, &error.message), ..error }
    }

    fn broken(&self, e: &ArrowError) -> EngineError {
        stream_failure(e, if self.ending.load(Ordering::SeqCst) { ErrorKind::Cancelled } else { ErrorKind::Statement })
    }

    fn statement(&mut self, options: &BTreeMap<String, String>) -> Result<ManagedStatement, EngineError> {
        self.ending.store(false, Ordering::SeqCst);
        let mut statement = self.inner.new_statement().map_err(|e| self.told(&e))?;
        for (key, value) in text_options::<OptionStatement>(&self.driver.statement).into_iter().chain(text_options(options)) {
            statement.set_option(key, value).map_err(|e| self.told(&e))?;
        }
        Ok(statement)
    }

    fn asked(&mut self, sql: &str, options: &BTreeMap<String, String>) -> Result<ManagedStatement, EngineError> {
        let mut statement = self.statement(options)?;
        statement.set_sql_query(sql).map_err(|e| self.told(&e))?;
        Ok(statement)
    }

    /// Runs what gives no rows.
    pub fn execute(&mut self, sql: &str) -> Result<Executed, EngineError> {
        let done = self.asked(sql, &BTreeMap::new())?.execute_update().map_err(|e| self.told(&e))?;
        Ok(Executed { rows: done.and_then(|n| u64::try_from(n).ok()), tag: "OK".to_owned() })
    }

    /// A small result as the driver delivers it; at most `limit` rows are kept.
    pub fn rows(&mut self, sql: &str, limit: Option<usize>) -> Result<Rows, EngineError> {
        let kept = self.driver.kept.clone();
        let mut statement = self.asked(trimmed(sql), &kept)?;
        let reader = statement.execute().map_err(|e| self.told(&e))?;
        let schema = reader.schema();
        let mut left = limit.unwrap_or(usize::MAX);
        let mut batches = Vec::new();
        for batch in reader {
            let batch = batch.map_err(|e| self.broken(&e))?;
            let rows = batch.num_rows().min(left);
            left -= rows;
            if rows > 0 {
                batches.push(batch.slice(0, rows));
            }
        }
        Ok(Rows { schema, batches })
    }

    /// The columns of a query, without running it, as the driver describes them.
    pub fn columns(&mut self, sql: &str) -> Result<Schema, EngineError> {
        let mut statement = self.asked(trimmed(sql), &BTreeMap::new())?;
        statement.execute_schema().map_err(|e| self.told(&e))
    }

    /// See [`crate::Connection::read`].
    pub fn read(&mut self, sql: &str, want: &SchemaRef, sink: &mut dyn BatchSink) -> Result<ReadCount, EngineError> {
        let mut statement = self.asked(trimmed(sql), &BTreeMap::new())?;
        let reader = statement.execute().map_err(|e| self.told(&e))?;
        let told = reader.schema();
        let mut count = ReadCount::default();
        for batch in reader {
            let batch = batch.map_err(|e| self.broken(&e))?;
            for start in (0..batch.num_rows()).step_by(BATCH_ROWS) {
                let part = batch.slice(start, BATCH_ROWS.min(batch.num_rows() - start));
                let part = exact_batch(&part, &told, want, count.rows)?;
                count.rows += part.num_rows() as u64;
                count.bytes += batch_bytes(&part);
                if sink.push(part).is_err() {
                    self.open = false;
                    // What is left would be fetched to its end before the session closes.
                    let _ = self.inner.cancel();
                    return Ok(count);
                }
            }
        }
        Ok(count)
    }

    /// Appends to a table; `meant` are its columns' types as the plugin understands them, in the order of the batches'.
    /// See [`crate::Connection::load`]; `sql` selects these columns of the table.
    pub fn load(
        &mut self,
        table: &TableName,
        meant: &SchemaRef,
        sql: &str,
        batches: &mut dyn Iterator<Item = Result<RecordBatch, EngineError>>,
    ) -> Result<u64, EngineError> {
        let into = self.columns(sql)?;
        let mut options = BTreeMap::new();
        let mut option = |key: OptionStatement, value: &str| options.insert(key.as_ref().to_owned(), value.to_owned());
        option(OptionStatement::TargetTable, &table.identifier);
        if let Some(schema) = &table.schema {
            option(OptionStatement::TargetDbSchema, schema);
        }
        if let Some(database) = &table.database {
            option(OptionStatement::TargetCatalog, database);
        }
        let mut statement = self.statement(&options)?;
        statement.set_option(OptionStatement::IngestMode, IngestMode::Append.into()).map_err(|e| self.told(&e))?;
        let fields: Vec<Field> = meant.fields().iter().zip(into.fields()).map(|(m, i)| Field::new(m.name(), loaded_as(m, i), true)).collect();
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        let (sender, receiver) = sync_channel(LOAD_QUEUE);
        let feed = Feed { schema: schema.clone(), receiver };
        let (mut sent, mut own) = (0_u64, None);
        let outcome = std::thread::scope(|scope| {
            let loading = scope.spawn(move || {
                statement.bind_stream(Box::new(feed))?;
                statement.execute_update()
            });
            for batch in batches {
                let ready = batch.and_then(|b| {
                    let arrays = b.columns().iter().zip(into.fields()).zip(meant.fields()).map(|((a, i), m)| exact::loadable(a, i, m, sent));
                    let rows = b.num_rows() as u64;
                    let batch = RecordBatch::try_new(schema.clone(), arrays.collect::<Result<_, _>>()?).map_err(|e| EngineError::new(ErrorKind::Type, e.to_string()))?;
                    Ok((batch, rows))
                });
                let last = ready.is_err();
                let handed = match ready {
                    Ok((batch, rows)) => {
                        sent += rows;
                        Ok(batch)
                    }
                    // The driver gives its load up; the first failure is the one to tell.
                    Err(error) => {
                        let message = error.message.clone();
                        own = Some(error);
                        Err(ArrowError::ExternalError(message.into()))
                    }
                };
                if sender.send(handed).is_err() || last {
                    break;
                }
            }
            drop(sender);
            loading.join()
        });
        if let Some(error) = own {
            return Err(error);
        }
        let done = outcome.map_err(|_| EngineError::new(ErrorKind::Io, "the driver ended unexpectedly"))?.map_err(|e| self.told(&e))?;
        // A driver that counts must have counted all.
        match done.map(u64::try_from) {
            Some(Ok(rows)) if rows != sent => Err(EngineError::new(ErrorKind::Io, format!("{sent} rows were sent, the driver loaded {rows}"))),
            _ => Ok(sent),
        }
    }

    pub fn begin_snapshot(&mut self) -> Result<(), EngineError> {
        let all = self.driver.begin_snapshot.clone();
        all.iter().try_for_each(|sql| self.execute(sql).map(drop))
    }

    pub fn end_snapshot(&mut self) -> Result<(), EngineError> {
        if !self.open {
            return Ok(());
        }
        let all = self.driver.end_snapshot.clone();
        all.iter().try_for_each(|sql| self.execute(sql).map(drop))
    }

    pub fn canceller(&self) -> Canceller {
        let (inner, ending) = (self.inner.clone(), self.ending.clone());
        // Best effort: a driver without it runs its statement to the end.
        Box::new(move || {
            ending.store(true, Ordering::SeqCst);
            drop(inner.clone().cancel());
        })
    }

    pub fn server_version(&mut self) -> Result<String, EngineError> {
        let Some(sql) = self.driver.version.clone() else {
            return Ok("unknown".to_owned());
        };
        let rows = self.rows(&sql, Some(1))?;
        let first = rows.batches.first().and_then(|b| b.column(0).as_string_opt::<i32>()).filter(|c| c.is_valid(0));
        first.map(|c| c.value(0).to_owned()).ok_or_else(|| EngineError::new(ErrorKind::Statement, format!("`{sql}` does not give a version")))
    }

    pub fn is_open(&self) -> bool {
        self.open
    }
}

/// The type in which a column is handed to the driver.
fn loaded_as(meant: &Field, into: &Field) -> arrow::datatypes::DataType {
    if is_opaque(into) { meant.data_type().clone() } else { into.data_type().clone() }
}

/// The columns of a batch as those of `want`, exactly.
///
/// # Errors
/// Another number of columns, or a column that is not exactly of its type.
pub fn exact_batch(batch: &RecordBatch, told: &Schema, want: &SchemaRef, row: u64) -> Result<RecordBatch, EngineError> {
    if batch.num_columns() != want.fields().len() {
        let message = format!("the query has {} columns, {} were planned", batch.num_columns(), want.fields().len());
        return Err(EngineError::new(ErrorKind::Statement, message));
    }
    let arrays = batch.columns().iter().zip(told.fields()).zip(want.fields()).map(|((a, t), w)| exact::exact(a, t, w, row));
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(want.clone(), arrays.collect::<Result<_, _>>()?, &options).map_err(|e| EngineError::new(ErrorKind::Type, e.to_string()))
}

fn trimmed(sql: &str) -> &str {
    sql.trim().trim_end_matches(';').trim_end()
}

fn options<'a>(named: impl Iterator<Item = (&'a String, &'a str)>) -> BTreeMap<String, String> {
    let (parameters, plain): (Vec<_>, Vec<_>) = named.partition(|(name, _)| name.contains('?'));
    let mut out: BTreeMap<String, String> = plain.into_iter().map(|(name, value)| (name.clone(), value.to_owned())).collect();
    for (name, value) in parameters {
        let Some((option, parameter)) = name.split_once('?') else { continue };
        let url = out.entry(option.to_owned()).or_default();
        url.push(if url.contains('?') { '&' } else { '?' });
        url.extend([parameter, "=", &encoded(value)]);
    }
    out
}

/// A value as a part of a URL.
fn encoded(value: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    value.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// The rows of a load, from another thread.
struct Feed {
    schema: SchemaRef,
    receiver: Receiver<Result<RecordBatch, ArrowError>>,
}

impl Iterator for Feed {
    type Item = Result<RecordBatch, ArrowError>;
    fn next(&mut self) -> Option<Self::Item> {
        self.receiver.recv().ok()
    }
}

impl RecordBatchReader for Feed {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}
