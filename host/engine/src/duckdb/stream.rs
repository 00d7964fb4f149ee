//! Batches from a producer thread into a DuckDB query, through a bounded channel.
//!
//! The table function `dvt_stream(token)` pulls. A stream is read once: a second scan is an error, not
//! an empty table. A producer that goes away without saying so fails the query: a stream cut short
//! must never look like a complete one.

use super::failure;
use crate::error::{EngineError, ErrorKind};
use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use duckdb::core::{DataChunkHandle, LogicalTypeHandle, LogicalTypeId};
use duckdb::vtab::{BindInfo, InitInfo, TableFunctionInfo, VTab, record_batch_to_duckdb_data_chunk, to_duckdb_logical_type};
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

/// Rows in one DuckDB data chunk (its standard vector size).
const CHUNK_ROWS: usize = 2048;

enum Item {
    Batch(RecordBatch),
    End,
    Failed(EngineError),
}

struct Slot {
    schema: SchemaRef,
    rows_hint: Option<u64>,
    receiver: Option<Receiver<Item>>,
    /// The producer's failure, kept so that the caller sees it instead of DuckDB's wrapping.
    failed: Option<EngineError>,
}

static NEXT: AtomicU64 = AtomicU64::new(1);
static SLOTS: Mutex<BTreeMap<u64, Slot>> = Mutex::new(BTreeMap::new());

fn slots() -> std::sync::MutexGuard<'static, BTreeMap<u64, Slot>> {
    // A panic elsewhere leaves the map itself whole: entries are independent.
    SLOTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The producer's end. Dropping it without [`StreamSender::finish`] fails the reading query.
pub struct StreamSender {
    sender: SyncSender<Item>,
}

impl StreamSender {
    /// Hands over one batch; blocks while `capacity` batches wait. Err when the reader is gone.
    pub fn send(&self, batch: RecordBatch) -> Result<(), crate::Stop> {
        self.sender.send(Item::Batch(batch)).map_err(|_| crate::Stop)
    }
    /// Says that the stream is complete.
    pub fn finish(self) {
        // A reader that stopped early (LIMIT) does not mind.
        let _ = self.sender.send(Item::End);
    }
    /// Fails the reading query with `error`.
    pub fn fail(self, error: EngineError) {
        let _ = self.sender.send(Item::Failed(error));
    }
}

/// The consumer's end: a token for SQL. Dropping it forgets the stream and unblocks its producer.
pub struct StreamToken {
    id: u64,
}

impl StreamToken {
    /// The SQL that scans the stream, once.
    pub fn scan_sql(&self) -> String {
        format!("SELECT * FROM dvt_stream({}::UBIGINT)", self.id)
    }
    /// Says that nobody will read: a stream whose scan never began must not leave its producer waiting.
    pub fn close(&self) {
        if let Some(slot) = slots().get_mut(&self.id) {
            slot.receiver = None;
        }
    }
    /// What the producer failed with, if it did.
    pub fn failure(&self) -> Option<EngineError> {
        slots().get(&self.id).and_then(|s| s.failed.clone())
    }
}

impl Drop for StreamToken {
    fn drop(&mut self) {
        slots().remove(&self.id);
    }
}

/// A stream of batches of `schema`; at most `capacity` of them wait in memory.
pub fn stream(schema: SchemaRef, capacity: usize, rows_hint: Option<u64>) -> (StreamSender, StreamToken) {
    let (sender, receiver) = sync_channel(capacity);
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    slots().insert(id, Slot { schema, rows_hint, receiver: Some(receiver), failed: None });
    (StreamSender { sender }, StreamToken { id })
}

pub(super) fn register(connection: &duckdb::Connection) -> Result<(), EngineError> {
    match connection.register_table_function::<StreamScan>("dvt_stream") {
        Ok(()) => Ok(()),
        // The function lives in the instance's catalog: a second session of it finds it there.
        Err(e) if connection.prepare("SELECT * FROM dvt_stream(0::UBIGINT)").is_err_and(|e| e.to_string().contains("unknown stream")) => {
            let _ = e;
            Ok(())
        }
        Err(e) => Err(failure(&e)),
    }
}

struct StreamScan;

struct Cursor {
    id: u64,
    state: Mutex<State>,
}

struct State {
    receiver: Receiver<Item>,
    batch: Option<RecordBatch>,
    offset: usize,
    done: bool,
}

/// The crate copies intervals without their NULLs, which would arrive as intervals of no length.
fn restore_interval_nulls(batch: &RecordBatch, output: &DataChunkHandle) {
    for (i, column) in batch.columns().iter().enumerate() {
        if matches!(column.data_type(), DataType::Interval(_)) && column.null_count() > 0 {
            let mut vector = output.flat_vector(i);
            (0..column.len()).filter(|row| column.is_null(*row)).for_each(|row| vector.set_null(row));
        }
    }
}

impl VTab for StreamScan {
    type InitData = Cursor;
    type BindData = u64;

    fn bind(bind: &BindInfo) -> Result<u64, Box<dyn Error>> {
        let id: u64 = bind.get_parameter(0).to_string().parse()?;
        let slots = slots();
        let slot = slots.get(&id).ok_or("unknown stream")?;
        for field in slot.schema.fields() {
            if let DataType::List(item) = field.data_type()
                && matches!(item.data_type(), DataType::Interval(_))
            {
                return Err(format!("column `{}`: a list of intervals cannot be carried", field.name()).into());
            }
            bind.add_result_column(field.name(), to_duckdb_logical_type(field.data_type())?);
        }
        if let Some(rows) = slot.rows_hint {
            bind.set_cardinality(rows, false);
        }
        Ok(id)
    }

    fn init(init: &InitInfo) -> Result<Cursor, Box<dyn Error>> {
        init.set_max_threads(1);
        let data = init.get_bind_data::<u64>();
        // SAFETY: DuckDB keeps the bind data of this very function alive while it initialises a scan of it.
        #[expect(unsafe_code, reason = "the crate hands the bind data out as a raw pointer")]
        let id = *unsafe { data.as_ref() }.ok_or("no bind data")?;
        let receiver = slots().get_mut(&id).ok_or("unknown stream")?.receiver.take();
        let receiver = receiver.ok_or("dvt: a stream can be read only once")?;
        Ok(Cursor { id, state: Mutex::new(State { receiver, batch: None, offset: 0, done: false }) })
    }

    fn func(func: &TableFunctionInfo<Self>, output: &mut DataChunkHandle) -> Result<(), Box<dyn Error>> {
        let cursor = func.get_init_data();
        let mut state = cursor.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(batch) = &state.batch {
                let rows = (batch.num_rows() - state.offset).min(CHUNK_ROWS);
                if rows > 0 {
                    let slice = batch.slice(state.offset, rows);
                    record_batch_to_duckdb_data_chunk(&slice, output)?;
                    restore_interval_nulls(&slice, output);
                    state.offset += rows;
                    return Ok(());
                }
            }
            state.batch = None;
            state.offset = 0;
            if state.done {
                output.set_len(0);
                return Ok(());
            }
            match state.receiver.recv() {
                Ok(Item::Batch(batch)) => state.batch = Some(batch),
                Ok(Item::End) => state.done = true,
                Ok(Item::Failed(error)) => {
                    let message = error.message.clone();
                    if let Some(slot) = slots().get_mut(&cursor.id) {
                        slot.failed = Some(error);
                    }
                    return Err(message.into());
                }
                Err(_) => {
                    let error = EngineError::new(ErrorKind::Io, "a source ended before its last row");
                    let message = error.message.clone();
                    if let Some(slot) = slots().get_mut(&cursor.id) {
                        slot.failed = Some(error);
                    }
                    return Err(message.into());
                }
            }
        }
    }

    fn parameters() -> Option<Vec<LogicalTypeHandle>> {
        Some(vec![LogicalTypeHandle::from(LogicalTypeId::UBigint)])
    }
}
