//! What the host lends to a session's plugin: streams to its own target, and proofs of that target's secrets.

use crate::bindings::wire::dvt::plugin::types::Error;
use crate::bindings::wire::dvt::plugin::{host_auth, host_net, log, types};
use crate::failure::code_of;
use crate::runtime::Guest;
use dvt_diagnostic::Code;
use dvt_engine::net::{Closer, Dial, Stream};
use dvt_engine::sasl::{self, Scram};
use dvt_engine::{EngineError, ErrorKind, PluginFault, Secret};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use wasmtime::Result as Trappable;
use wasmtime::component::{Resource, ResourceTable};

/// Streams that one session may have open at once.
const STREAMS: usize = 4;

pub type LentStream = Stream;
pub type LentSasl = Scram;

/// What ends a session from outside; shared with its canceller.
#[derive(Default)]
pub struct Ending {
    pub cancelled: AtomicBool,
    pub closers: Mutex<Vec<Closer>>,
}

impl Ending {
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }
    /// Closes every stream; whoever waits on one wakes up.
    pub fn close(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
        for closer in self.closers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            closer.close();
        }
    }
}

/// The host's side of one session.
pub struct Lent {
    pub dial: Dial,
    pub secrets: BTreeMap<String, Secret>,
    pub ending: Arc<Ending>,
    /// Streams are opened while a session is opened, not later.
    pub opening: bool,
    /// Streams in the clear that are open.
    pub clear: usize,
    /// Handles of the open streams.
    streams: Vec<u32>,
    table: ResourceTable,
    /// Time spent in the host during the running call: it is not the plugin's.
    pub waited: Duration,
}

impl Lent {
    pub fn new(dial: Dial, secrets: BTreeMap<String, Secret>, ending: Arc<Ending>) -> Self {
        Self { dial, secrets, ending, opening: true, clear: 0, streams: Vec::new(), table: ResourceTable::new(), waited: Duration::ZERO }
    }

    /// Gives up what a session in the clear is refused for.
    pub fn refuse_clear(&self) -> Result<(), EngineError> {
        if self.clear > 0 && self.dial.tls.demands() {
            return Err(EngineError::new(ErrorKind::Connect, format!("{}:{}: the session is not encrypted and the profile demands TLS", self.dial.host, self.dial.port))
                .hint("switch TLS on at the server, or say in the profile that it may go without"));
        }
        Ok(())
    }

    /// The session stands: queries may take their time.
    pub fn opened(&mut self) {
        self.opening = false;
        for handle in &self.streams {
            if let Ok(stream) = self.table.get(&Resource::<Stream>::new_borrow(*handle)) {
                stream.established();
            }
        }
    }
}

fn told(e: EngineError) -> Error {
    Error { code: code_of(e.kind, Code::DatabaseError).to_string(), message: e.message, hint: e.hint, sqlstate: e.sqlstate }
}

fn not_here() -> EngineError {
    EngineError::new(ErrorKind::Plugin(PluginFault::NotGranted), "streams are lent while a session is opened, and here is none")
}

impl Guest {
    /// Runs `work` on what is lent; its time is not counted as the plugin's.
    fn lend<T>(&mut self, work: impl FnOnce(&mut Lent) -> Result<T, EngineError>) -> Result<T, Error> {
        let Some(lent) = self.lent.as_mut() else { return Err(told(not_here())) };
        let start = Instant::now();
        let outcome = work(lent);
        lent.waited += start.elapsed();
        let outcome = if lent.ending.is_cancelled() { Err(EngineError::new(ErrorKind::Cancelled, "cancelled")) } else { outcome };
        outcome.map_err(told)
    }
}

fn lost(_: wasmtime::component::ResourceTableError) -> EngineError {
    EngineError::new(ErrorKind::Plugin(PluginFault::Contract), "the plugin uses a stream that is gone")
}

impl types::Host for Guest {}

impl log::Host for Guest {
    fn write(&mut self, _level: log::Level, message: String) -> Trappable<()> {
        self.note(message);
        Ok(())
    }
}

impl host_net::Host for Guest {
    fn connect(&mut self) -> Trappable<Result<Resource<Stream>, Error>> {
        Ok(self.lend(|lent| {
            if !lent.opening {
                return Err(not_here());
            }
            if lent.streams.len() >= STREAMS {
                return Err(EngineError::new(ErrorKind::Plugin(PluginFault::NotGranted), format!("a session may have {STREAMS} streams")));
            }
            let stream = lent.dial.connect()?;
            if let Some(closer) = stream.closer() {
                lent.ending.closers.lock().unwrap_or_else(PoisonError::into_inner).push(closer);
            }
            let resource = lent.table.push(stream).map_err(lost)?;
            lent.streams.push(resource.rep());
            lent.clear += 1;
            Ok(resource)
        }))
    }
}

impl host_net::HostStream for Guest {
    fn read(&mut self, stream: Resource<Stream>, max: u32) -> Trappable<Result<Vec<u8>, Error>> {
        Ok(self.lend(|lent| lent.table.get_mut(&stream).map_err(lost)?.read(max as usize)))
    }

    fn write(&mut self, stream: Resource<Stream>, bytes: Vec<u8>) -> Trappable<Result<(), Error>> {
        Ok(self.lend(|lent| lent.table.get_mut(&stream).map_err(lost)?.write(&bytes)))
    }

    fn start_tls(&mut self, stream: Resource<Stream>) -> Trappable<Result<(), Error>> {
        Ok(self.lend(|lent| {
            lent.table.get_mut(&stream).map_err(lost)?.start_tls()?;
            lent.clear = lent.clear.saturating_sub(1);
            Ok(())
        }))
    }

    fn drop(&mut self, stream: Resource<Stream>) -> Trappable<()> {
        let handle = stream.rep();
        if let Some(lent) = self.lent.as_mut()
            && let Ok(stream) = lent.table.delete(stream)
        {
            lent.streams.retain(|s| *s != handle);
            lent.clear = lent.clear.saturating_sub(usize::from(!stream.encrypted()));
        }
        Ok(())
    }
}

impl host_auth::Host for Guest {
    fn start(&mut self, offered: Vec<String>, user: String, secret: String, over: Resource<Stream>) -> Trappable<Result<Resource<Scram>, Error>> {
        Ok(self.lend(|lent| {
            lent.refuse_clear()?;
            let known = lent.secrets.get(&secret).ok_or_else(|| {
                EngineError::new(ErrorKind::Auth, format!("the server asks for a secret and the profile gives no `{secret}`"))
                    .hint(format!("add `{secret}:` to the output in profiles.yml"))
            })?;
            let stream = lent.table.get(&over).map_err(lost)?;
            let begun = sasl::start(&offered, &user, known, stream)?;
            lent.table.push(begun).map_err(lost)
        }))
    }
}

impl host_auth::HostSasl for Guest {
    fn mechanism(&mut self, sasl: Resource<Scram>) -> Trappable<String> {
        Ok(self.lend(|lent| Ok(lent.table.get(&sasl).map_err(lost)?.mechanism().to_owned())).unwrap_or_default())
    }
    fn initial(&mut self, sasl: Resource<Scram>) -> Trappable<Result<Vec<u8>, Error>> {
        Ok(self.lend(|lent| lent.table.get_mut(&sasl).map_err(lost)?.initial()))
    }
    fn respond(&mut self, sasl: Resource<Scram>, challenge: Vec<u8>) -> Trappable<Result<Vec<u8>, Error>> {
        Ok(self.lend(|lent| lent.table.get_mut(&sasl).map_err(lost)?.respond(&challenge)))
    }
    fn finish(&mut self, sasl: Resource<Scram>, outcome: Vec<u8>) -> Trappable<Result<(), Error>> {
        Ok(self.lend(|lent| lent.table.get_mut(&sasl).map_err(lost)?.finish(&outcome)))
    }
    fn drop(&mut self, sasl: Resource<Scram>) -> Trappable<()> {
        if let Some(lent) = self.lent.as_mut() {
            // A proof that is gone already leaves nothing to drop.
            let _ = lent.table.delete(sasl);
        }
        Ok(())
    }
}
