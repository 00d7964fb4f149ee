//! One session: the plugin's instance, its streams, and the engine's `Connection` over both.

use super::arrow::{canonical, decode, encode, exactly};
use super::lent::{Ending, Lent};
use crate::bindings::wire as w;
use crate::bindings::wire::exports::dvt::plugin::connection::{Error, GuestSession, LoadColumn};
use crate::failure::{fault_of, kind_of};
use crate::runtime::{Guest, Limits, TICKS_BETWEEN_LOOKS, failed};
use crate::{Adapter, Classified};
use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use dvt_engine::net::Dial;
use dvt_engine::{
    BatchSink, Canceller, ConnectSpec, Connection, DescribedColumn, EngineError, ErrorKind, Executed, PluginFault, ReadCount, Rows, batch_bytes,
};
use std::sync::{Arc, PoisonError};
use std::time::Instant;
use wasmtime::component::ResourceAny;
use wasmtime::{Store, UpdateDeadline};

/// Bytes of a plugin's cancel request at most.
const CANCEL_MAX: usize = 4096;

/// Batches without a row that a query may give in a row: then it is no query any more.
const EMPTY_MAX: usize = 1000;

/// An instance of the plugin in a store of its own, no session open yet.
pub struct Opened {
    pub store: Store<Guest>,
    pub plugin: w::WirePlugin,
    pub limits: Limits,
    /// Says what the product's errors mean.
    pub adapter: Arc<dyn Adapter>,
}

pub struct WireConnection {
    id: String,
    store: Store<Guest>,
    plugin: w::WirePlugin,
    limits: Limits,
    adapter: Arc<dyn Adapter>,
    session: Option<ResourceAny>,
    ending: Arc<Ending>,
    dial: Dial,
    cancel_request: Option<Vec<u8>>,
}

/// A plugin's time is its own work: waiting in the host does not count, and a cancelled session ends at the next look.
pub fn watch_time(store: &mut Store<Guest>, limits: &Limits) {
    let limit = limits.time;
    store.epoch_deadline_callback(move |context| {
        let guest = context.data();
        let waited = guest.lent.as_ref().map(|l| l.waited).unwrap_or_default();
        let cancelled = guest.lent.as_ref().is_some_and(|l| l.ending.is_cancelled());
        let worked = guest.called.elapsed().saturating_sub(waited);
        Ok(if cancelled || worked > limit { UpdateDeadline::Interrupt } else { UpdateDeadline::Continue(TICKS_BETWEEN_LOOKS) })
    });
}

impl WireConnection {
    pub fn open(opened: Opened, spec: &ConnectSpec) -> Result<Self, EngineError> {
        let Opened { mut store, plugin, limits, adapter } = opened;
        let dial = Dial::from_options(&spec.options)?;
        let ending = Arc::new(Ending::default());
        store.data_mut().lent = Some(Lent::new(dial.clone(), spec.secrets.clone(), ending.clone()));
        watch_time(&mut store, &limits);
        let id = adapter.manifest().id.clone();
        let mut connection = Self { id, store, plugin, limits, adapter, session: None, ending, dial, cancel_request: None };
        let options: Vec<(String, String)> = spec.options.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        let session = connection.run("open", |plugin, store| plugin.dvt_plugin_connection().call_open(store, &options))?;
        connection.session = Some(session);
        if let Some(lent) = connection.store.data_mut().lent.as_mut() {
            lent.refuse_clear()?;
            lent.opened();
        }
        let request = connection.call("cancel-request", |s, store, session| s.call_cancel_request(store, session).map(Ok))?;
        if request.as_ref().is_some_and(|r| r.len() > CANCEL_MAX) {
            return Err(EngineError::new(ErrorKind::Plugin(PluginFault::Output), format!("plugin `{}` gives a cancel request of more than {CANCEL_MAX} bytes", connection.id)));
        }
        connection.cancel_request = request;
        Ok(connection)
    }

    /// One call of the plugin. A trap or a broken limit ends the session.
    fn run<T>(
        &mut self,
        name: &str,
        work: impl FnOnce(&w::WirePlugin, &mut Store<Guest>) -> wasmtime::Result<Result<T, Error>>,
    ) -> Result<T, EngineError> {
        if let Some(lent) = self.store.data_mut().lent.as_mut() {
            lent.waited = std::time::Duration::ZERO;
        }
        self.store.data_mut().called = Instant::now();
        self.store.set_epoch_deadline(TICKS_BETWEEN_LOOKS);
        let outcome = work(&self.plugin, &mut self.store);
        let cancelled = self.ending.is_cancelled();
        if cancelled {
            self.session = None;
            return Err(EngineError::new(ErrorKind::Cancelled, "cancelled"));
        }
        match outcome {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.told(error)),
            Err(trap) => {
                self.session = None;
                let told = failed(&self.id, name, &trap, self.store.data(), &self.limits);
                let mut error = EngineError::new(ErrorKind::Plugin(fault_of(told.code)), told.message);
                error.hint = told.hint;
                Err(error)
            }
        }
    }

    fn call<T>(
        &mut self,
        name: &str,
        work: impl FnOnce(&GuestSession<'_>, &mut Store<Guest>, ResourceAny) -> wasmtime::Result<Result<T, Error>>,
    ) -> Result<T, EngineError> {
        let session = self.session.ok_or_else(|| EngineError::new(ErrorKind::Connect, "the session is closed"))?;
        self.run(name, |plugin, store| work(&plugin.dvt_plugin_connection().session(), store, session))
    }

    /// The plugin's error. Where it gives no code, its adapter says what the product's words mean.
    fn told(&self, error: Error) -> EngineError {
        let classify = || self.adapter.classify_error(error.sqlstate.as_deref(), &error.message).unwrap_or_default();
        let Classified { code, hint } =
            if error.code.is_empty() { classify() } else { Classified { code: error.code.clone(), hint: None } };
        let mut out = EngineError::new(code.parse().map_or(ErrorKind::Statement, kind_of), error.message);
        out.sqlstate = error.sqlstate;
        out.hint = error.hint.or(hint);
        out
    }

    fn next(&mut self) -> Result<Option<Vec<u8>>, EngineError> {
        let next = self.call("next", |s, store, session| s.call_next(store, session))?;
        match next {
            Some(bytes) if bytes.len() > self.limits.output => {
                let message = format!("plugin `{}` returned {} bytes from `next`; {} are allowed", self.id, bytes.len(), self.limits.output);
                self.session = None;
                Err(EngineError::new(ErrorKind::Plugin(PluginFault::Output), message).hint("report it to the plugin's author; a batch may be smaller"))
            }
            next => Ok(next),
        }
    }

    /// Hands every batch of the running query to `take`, which may say that it wants no more. The schema, when one came.
    fn drain(&mut self, take: &mut dyn FnMut(RecordBatch) -> Result<bool, EngineError>) -> Result<Option<SchemaRef>, EngineError> {
        let mut schema = None;
        let mut empty = 0;
        while let Some(bytes) = self.next()? {
            let (told, batches) = decode(bytes)?;
            schema.get_or_insert(told);
            let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
            empty = if rows == 0 { empty + 1 } else { 0 };
            if empty > EMPTY_MAX {
                self.session = None;
                return Err(EngineError::new(ErrorKind::Plugin(PluginFault::Contract), format!("plugin `{}` sends batches without rows and no end", self.id)));
            }
            for batch in batches {
                if !take(batch)? {
                    self.call("end-query", |s, store, session| s.call_end_query(store, session))?;
                    return Ok(schema);
                }
            }
        }
        Ok(schema)
    }
}

impl Connection for WireConnection {
    fn execute(&mut self, sql: &str) -> Result<Executed, EngineError> {
        let done = self.call("execute", |s, store, session| s.call_execute(store, session, sql))?;
        Ok(Executed { rows: done.rows, tag: done.tag })
    }

    fn query(&mut self, sql: &str, limit: Option<usize>) -> Result<Rows, EngineError> {
        self.call("query", |s, store, session| s.call_query(store, session, sql, None, limit.map(|l| l as u64)))?;
        let mut batches: Vec<RecordBatch> = Vec::new();
        let mut left = limit.unwrap_or(usize::MAX);
        let schema = self.drain(&mut |batch| {
            let rows = batch.num_rows().min(left);
            left -= rows;
            if rows > 0 {
                batches.push(batch.slice(0, rows));
            }
            Ok(true)
        })?;
        let schema = schema.unwrap_or_else(|| Arc::new(Schema::empty()));
        Ok(Rows { schema, batches })
    }

    fn read(&mut self, sql: &str, want: &SchemaRef, sink: &mut dyn BatchSink) -> Result<ReadCount, EngineError> {
        let types: Vec<String> = canonical(want)?.into_iter().map(|(_, kind)| kind).collect();
        self.call("query", |s, store, session| s.call_query(store, session, sql, Some(&types), None))?;
        let mut count = ReadCount::default();
        self.drain(&mut |batch| {
            let batch = exactly(&batch, want)?;
            if batch.num_rows() == 0 {
                return Ok(true);
            }
            count.rows += batch.num_rows() as u64;
            count.bytes += batch_bytes(&batch);
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
        let columns: Vec<LoadColumn> = canonical(schema)?.into_iter().map(|(name, canonical)| LoadColumn { name, canonical }).collect();
        self.call("begin-load", |s, store, session| s.call_begin_load(store, session, table, &columns))?;
        let sent = (|| {
            for batch in batches {
                let batch = batch?;
                for part in encode(&batch) {
                    let part = part?;
                    self.call("load", |s, store, session| s.call_load(store, session, &part))?;
                }
            }
            Ok(())
        })();
        match sent {
            Ok(()) => self.call("end-load", |s, store, session| s.call_end_load(store, session, true)),
            Err(error) => {
                // The first failure is the one to tell.
                let _ = self.call("end-load", |s, store, session| s.call_end_load(store, session, false));
                Err(error)
            }
        }
    }

    fn begin_snapshot(&mut self) -> Result<(), EngineError> {
        self.call("begin-snapshot", |s, store, session| s.call_begin_snapshot(store, session))
    }

    fn end_snapshot(&mut self) -> Result<(), EngineError> {
        self.call("end-snapshot", |s, store, session| s.call_end_snapshot(store, session))
    }

    fn describe(&mut self, sql: &str) -> Result<Vec<DescribedColumn>, EngineError> {
        let columns = self.call("describe", |s, store, session| s.call_describe(store, session, sql))?;
        Ok(columns.into_iter().map(|c| DescribedColumn { name: c.name, native: c.native }).collect())
    }

    fn canceller(&self) -> Canceller {
        let (ending, dial, request) = (self.ending.clone(), self.dial.clone(), self.cancel_request.clone());
        Box::new(move || {
            // Best effort: a server that is gone has nothing left to cancel.
            if let Some(request) = &request
                && let Ok(mut stream) = dial.connect()
            {
                let _ = stream.write(request);
            }
            ending.close();
        })
    }

    fn server_version(&mut self) -> Result<String, EngineError> {
        self.call("server-version", |s, store, session| s.call_server_version(store, session))
    }

    fn is_open(&self) -> bool {
        self.session.is_some() && !self.ending.is_cancelled()
    }
}

impl Drop for WireConnection {
    fn drop(&mut self) {
        // The plugin's own end of the session may say goodbye to the server; whether it does is its matter.
        if let Some(session) = self.session.take()
            && !self.ending.is_cancelled()
        {
            self.store.data_mut().called = Instant::now();
            self.store.set_epoch_deadline(TICKS_BETWEEN_LOOKS);
            let _ = session.resource_drop(&mut self.store);
        }
        self.ending.closers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
