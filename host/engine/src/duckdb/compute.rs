//! The embedded compute: a private in-memory database that spills to disk under its memory limit.

use super::spill::SpillFolder;
use super::stream::{StreamSender, StreamToken, stream};
use super::{base_config, describe, drain, failure, keep_limits, prepare};
use crate::error::EngineError;
use crate::{BatchSink, Canceller, DescribedColumn, ReadCount};
use arrow::datatypes::SchemaRef;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Batches that may wait between a source and the compute, per stream.
const STREAM_CAPACITY: usize = 8;

/// Limits of one compute. Unset means the engine's own default.
#[derive(Debug, Clone, Default)]
pub struct ComputeSettings {
    /// Such as `512MB`.
    pub memory_limit: Option<String>,
    pub threads: Option<u32>,
    /// Where it spills, in a folder of its own.
    pub temp_directory: Option<PathBuf>,
}

/// How often the query reads a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// Streamed through; never held as a whole.
    Once,
    /// Kept in a temporary table first.
    Several,
}

pub struct Compute {
    connection: duckdb::Connection,
    streams: Vec<StreamToken>,
    pending: Vec<String>,
    /// Last: sessions are closed before it.
    instance: Arc<Instance>,
}

/// Keeps what sessions of equal settings share open while none of them lives: opening it takes longer than a small query.
#[derive(Clone)]
pub struct Kept {
    _instance: Arc<Instance>,
}

/// A database in memory that sessions of equal settings share while one of them lives: its limits hold for all of them
/// together. What a session makes is temporary and its own.
struct Instance {
    root: Mutex<duckdb::Connection>,
    /// Last: the files in it are closed first.
    _spill: Option<SpillFolder>,
}

static INSTANCES: Mutex<BTreeMap<String, Weak<Instance>>> = Mutex::new(BTreeMap::new());

impl Instance {
    fn of(settings: &ComputeSettings) -> Result<Arc<Self>, EngineError> {
        let mut instances = INSTANCES.lock().unwrap_or_else(PoisonError::into_inner);
        let key = format!("{settings:?}");
        if let Some(live) = instances.get(&key).and_then(Weak::upgrade) {
            return Ok(live);
        }
        let instance = Arc::new(Self::open(settings)?);
        instances.insert(key, Arc::downgrade(&instance));
        Ok(instance)
    }

    fn open(settings: &ComputeSettings) -> Result<Self, EngineError> {
        let mut config = base_config()?;
        if let Some(limit) = &settings.memory_limit {
            config = config.with("memory_limit", limit).map_err(|e| failure(&e))?;
        }
        if let Some(threads) = settings.threads {
            config = config.with("threads", threads.to_string()).map_err(|e| failure(&e))?;
        }
        let spill = settings.temp_directory.as_deref().map(SpillFolder::create).transpose()?;
        if let Some(folder) = &spill {
            config = config.with("temp_directory", folder.path().to_string_lossy()).map_err(|e| failure(&e))?;
        }
        // Row order of a federated result has no meaning; keeping it costs memory.
        config = config.with("preserve_insertion_order", "false").map_err(|e| failure(&e))?;
        let connection = duckdb::Connection::open_in_memory_with_flags(config).map_err(|e| failure(&e))?;
        keep_limits(&connection)?;
        Ok(Self { root: Mutex::new(connection), _spill: spill })
    }
}

impl Compute {
    /// A session of its own.
    pub fn open(settings: &ComputeSettings) -> Result<Self, EngineError> {
        let instance = Instance::of(settings)?;
        let connection = instance.root.lock().unwrap_or_else(PoisonError::into_inner).try_clone().map_err(|e| failure(&e))?;
        prepare(&connection)?;
        Ok(Self { connection, streams: Vec::new(), pending: Vec::new(), instance })
    }

    pub fn kept(&self) -> Kept {
        Kept { _instance: self.instance.clone() }
    }

    /// Runs a statement that makes what a query of this session calls.
    pub fn prepare(&self, statement: &str) -> Result<(), EngineError> {
        self.connection.execute_batch(statement).map_err(|e| failure(&e))
    }

    /// Declares `name` as the stream that the returned sender feeds. The sender belongs on another thread:
    /// a stream that is read several times is drained by [`Compute::run`] before the query starts.
    pub fn attach(
        &mut self,
        name: &str,
        schema: SchemaRef,
        reads: Reads,
        rows_hint: Option<u64>,
    ) -> Result<StreamSender, EngineError> {
        let (sender, token) = stream(schema, STREAM_CAPACITY, rows_hint);
        let quoted = format!("\"{}\"", name.replace('"', "\"\""));
        let scan = token.scan_sql();
        match reads {
            Reads::Once => self
                .connection
                .execute_batch(&format!("CREATE TEMP VIEW {quoted} AS {scan}"))
                .map_err(|e| failure(&e))?,
            Reads::Several => {
                // The empty table exists at once, so that a query over it can be described.
                let columns: Vec<String> = describe(&self.connection, &scan)?
                    .into_iter()
                    .map(|c| format!("\"{}\" {}", c.name.replace('"', "\"\""), c.native))
                    .collect();
                let create = format!("CREATE TEMP TABLE {quoted} ({})", columns.join(", "));
                self.connection.execute_batch(&create).map_err(|e| failure(&e))?;
                self.pending.push(format!("INSERT INTO {quoted} {scan}"));
            }
        }
        self.streams.push(token);
        Ok(sender)
    }

    /// Declares `name` as another name of `kept`, which was attached to be read several times.
    pub fn alias(&self, name: &str, kept: &str) -> Result<(), EngineError> {
        let quoted = |n: &str| format!("\"{}\"", n.replace('"', "\"\""));
        let view = format!("CREATE TEMP VIEW {} AS SELECT * FROM {}", quoted(name), quoted(kept));
        self.connection.execute_batch(&view).map_err(|e| failure(&e))
    }

    /// Runs the query over the attached streams and hands its result on in batches.
    ///
    /// # Errors
    /// A producer's own failure where there is one, else the engine's.
    pub fn run(&mut self, sql: &str, sink: &mut dyn BatchSink) -> Result<ReadCount, EngineError> {
        let result = self.run_inner(sql, sink);
        let producer = self.streams.iter().find_map(StreamToken::failure);
        // Forgetting the streams unblocks producers that still wait for a reader.
        self.streams.clear();
        self.pending.clear();
        result.map_err(|e| producer.unwrap_or(e))
    }

    fn run_inner(&self, sql: &str, sink: &mut dyn BatchSink) -> Result<ReadCount, EngineError> {
        for statement in &self.pending {
            self.connection.execute_batch(statement).map_err(|e| failure(&e))?;
        }
        let mut count = ReadCount::default();
        drain(&self.connection, sql, &mut |batch| {
            count.rows += batch.num_rows() as u64;
            count.bytes += batch.get_array_memory_size() as u64;
            Ok(sink.push(batch).is_ok())
        })?;
        Ok(count)
    }

    /// The columns of a query over the attached streams, without running it.
    pub fn describe(&self, sql: &str) -> Result<Vec<DescribedColumn>, EngineError> {
        describe(&self.connection, sql)
    }

    pub fn canceller(&self) -> Canceller {
        let handle = self.connection.interrupt_handle();
        Box::new(move || handle.interrupt())
    }
}
