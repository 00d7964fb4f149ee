//! A server's port with a gate before it: stops at the n-th thing a client says, before the server hears it or before
//! the client hears the answer, until the test says how it goes on.
//!
//! Knows nothing of SQL or of a product; how bytes become messages, a [`Speech`] says.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// Longer than any step takes, so that a fault that never comes fails its test.
const PATIENCE: Duration = Duration::from_secs(60);

/// The first message in the bytes that a client sent.
pub struct Message {
    pub length: usize,
    /// What it says, when it is a step of its own.
    pub step: Option<String>,
    /// Whether the server answers before the client may go on.
    pub answered: bool,
}

/// One product's protocol, on one connection.
pub struct Speech {
    /// None until the message is whole.
    pub client: Box<dyn FnMut(&[u8]) -> Option<Message> + Send>,
    /// Takes what the server sent; true when that ends an answer.
    pub server: Box<dyn FnMut(&[u8]) -> bool + Send>,
}

/// Where a run is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The server has not heard the message.
    Before,
    /// The server has done what it says, the client does not know.
    After,
}

/// How it goes on after the stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Go,
    /// This connection ends on both sides.
    Cut,
    /// Every connection ends, and none is taken until the proxy is armed again.
    Gone,
}

#[derive(Default)]
struct State {
    steps: Vec<String>,
    trap: Option<(usize, When)>,
    /// The port, on the server's side, of the connection that stands still.
    stopped: Option<u16>,
    verdict: Option<Verdict>,
    /// No client is left to stop.
    over: bool,
    gone: bool,
    streams: Vec<TcpStream>,
}

pub struct Proxy {
    pub port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    server: u16,
    speak: fn() -> Speech,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Stands still until the test has spoken.
    fn stop(&self, port: u16) -> Verdict {
        let mut state = self.state();
        state.trap = None;
        state.stopped = Some(port);
        self.changed.notify_all();
        while state.verdict.is_none() {
            state = self.changed.wait(state).unwrap();
        }
        let verdict = state.verdict.take().unwrap_or(Verdict::Go);
        self.changed.notify_all();
        verdict
    }

    fn hang_up(&self, verdict: Verdict, own: [&TcpStream; 2]) {
        for stream in own {
            let _ = stream.shutdown(Shutdown::Both);
        }
        if verdict == Verdict::Gone {
            for stream in self.state().streams.drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }
}

impl Proxy {
    pub fn before(server: u16, speak: fn() -> Speech) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new(), server, speak });
        let own = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                if own.state().gone {
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", own.server)) else { continue };
                own.state().streams.extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
                relay(&own, client, server);
            }
        });
        Self { port, shared }
    }

    /// Forgets the last run; stops the next one at `trap`.
    pub fn arm(&self, trap: Option<(usize, When)>) {
        *self.shared.state() = State { trap, ..State::default() };
    }

    /// What was said since [`Self::arm`].
    pub fn steps(&self) -> Vec<String> {
        self.shared.state().steps.clone()
    }

    /// Waits for the stop; the server-side port of the connection that stands still, or None when the run ended before.
    pub fn stopped(&self) -> Option<u16> {
        let state = self.shared.state();
        let (state, timeout) = self.shared.changed.wait_timeout_while(state, PATIENCE, |s| s.stopped.is_none() && !s.over).unwrap();
        assert!(!timeout.timed_out(), "the step to stop at never came; said so far: {:#?}", state.steps);
        state.stopped
    }

    pub fn release(&self, verdict: Verdict) {
        let mut state = self.shared.state();
        state.verdict = Some(verdict);
        state.gone = verdict == Verdict::Gone;
        self.shared.changed.notify_all();
        // Until it was heard: the next run must not find it.
        drop(self.shared.changed.wait_while(state, |s| s.verdict.is_some()).unwrap());
    }

    /// To be called when the client's process is gone.
    pub fn over(&self) {
        self.shared.state().over = true;
        self.shared.changed.notify_all();
    }
}

fn relay(shared: &Arc<Shared>, client: TcpStream, server: TcpStream) {
    let Speech { client: mut heard, server: mut answered } = (shared.speak)();
    let port = server.local_addr().unwrap().port();
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    // Set while the answer to the step of the trap is kept back.
    let holding = Arc::new(AtomicBool::new(false));
    let (own, hold) = (shared.clone(), holding.clone());
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || {
        let mut waiting: Vec<u8> = Vec::new();
        let mut chunk = [0_u8; 16 * 1024];
        while let Ok(size @ 1..) = from.read(&mut chunk) {
            waiting.extend_from_slice(&chunk[..size]);
            while let Some(message) = heard(&waiting) {
                let mut stop = None;
                if let Some(text) = message.step {
                    let mut state = own.state();
                    let here = state.steps.len();
                    state.steps.push(text);
                    stop = state.trap.filter(|(at, _)| *at == here).map(|(_, when)| when);
                }
                if stop == Some(When::Before) {
                    match own.stop(port) {
                        Verdict::Go => {}
                        verdict => return own.hang_up(verdict, [&from, &to]),
                    }
                }
                if stop == Some(When::After) && message.answered {
                    hold.store(true, Ordering::SeqCst);
                }
                if to.write_all(&waiting[..message.length]).is_err() {
                    return own.hang_up(Verdict::Cut, [&from, &to]);
                }
                waiting.drain(..message.length);
                if stop == Some(When::After) && !message.answered {
                    match own.stop(port) {
                        Verdict::Go => {}
                        verdict => return own.hang_up(verdict, [&from, &to]),
                    }
                }
            }
        }
        own.hang_up(Verdict::Cut, [&from, &to]);
    });
    let own = shared.clone();
    let (mut from, mut to) = (server, client);
    std::thread::spawn(move || {
        let mut kept: Vec<u8> = Vec::new();
        let mut chunk = [0_u8; 16 * 1024];
        while let Ok(size @ 1..) = from.read(&mut chunk) {
            let whole = answered(&chunk[..size]);
            kept.extend_from_slice(&chunk[..size]);
            if holding.load(Ordering::SeqCst) {
                if !whole {
                    continue;
                }
                holding.store(false, Ordering::SeqCst);
                match own.stop(port) {
                    Verdict::Go => {}
                    verdict => return own.hang_up(verdict, [&from, &to]),
                }
            }
            if to.write_all(&kept).is_err() {
                break;
            }
            kept.clear();
        }
        own.hang_up(Verdict::Cut, [&from, &to]);
    });
}
