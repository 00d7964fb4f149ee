//! For adapters that speak their product's protocol themselves: the session's trait, the stream that the host grants,
//! and proofs of secrets that stay with the host.
//!
//! A plugin never names an address and never sees a password. [`Stream`] works over any [`Transport`], so a protocol's
//! tests run natively over bytes at hand.

use crate::{Adapter, Failure, NativeType};
use crate::connection_world::dvt::plugin::{host_auth, host_net, types};

/// The driver that a connect-plan names to ask for the plugin's own connection.
pub const OWN_CONNECTION: &str = "plugin";

/// The canonical types in which a query's columns are wanted; None leaves them to the plugin.
pub type Want = Option<Vec<NativeType>>;

/// An adapter with a connection of its own.
pub trait Wire: Adapter {
    type Session: Session;

    /// A session that is ready for statements. `options` are the connect-plan's.
    fn open(options: &Options, host: &Grant) -> Result<Self::Session, Failure>;
}

/// One session of the product. After an error of a statement the session goes on; after an error of the stream every
/// further call fails.
pub trait Session: 'static {
    fn server_version(&mut self) -> Result<String, Failure>;
    /// Runs one or several statements: rows changed where the product says so, and its own word.
    fn execute(&mut self, sql: &str) -> Result<(Option<u64>, String), Failure>;
    /// Name and native type of a query's columns, without running it.
    fn describe(&mut self, sql: &str) -> Result<Vec<(String, String)>, Failure>;
    /// Begins a query; column `i` must arrive as `want[i]`, exactly.
    fn query(&mut self, sql: &str, want: Want, limit: Option<u64>) -> Result<(), Failure>;
    /// The next rows as one whole Arrow IPC stream of one batch, at most a few megabytes; None after the last. The first
    /// comes even without rows when nothing was wanted: its schema says the types.
    fn next(&mut self) -> Result<Option<Vec<u8>>, Failure>;
    /// Leaves what is left of the query.
    fn end_query(&mut self) -> Result<(), Failure>;
    /// Begins a load into a table whose name is quoted already; columns by name and canonical type.
    fn begin_load(&mut self, table: &str, columns: &[(String, NativeType)]) -> Result<(), Failure>;
    /// One Arrow IPC stream of rows.
    fn load(&mut self, batch: &[u8]) -> Result<(), Failure>;
    /// Ends the load or gives it up; the rows that the server acknowledged.
    fn end_load(&mut self, keep: bool) -> Result<u64, Failure>;
    fn begin_snapshot(&mut self) -> Result<(), Failure>;
    fn end_snapshot(&mut self) -> Result<(), Failure>;
    /// What the host sends on a second stream to end the running statement.
    fn cancel_request(&self) -> Option<Vec<u8>> {
        None
    }
}

/// The connect-plan's options.
#[derive(Debug, Clone, Default)]
pub struct Options(Vec<(String, String)>);

impl Options {
    pub fn new(options: Vec<(String, String)>) -> Self {
        Self(options)
    }
    /// An option that is there and not empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(k, v)| k == key && !v.is_empty()).map(|(_, v)| v.as_str())
    }
}

/// The right to ask the host for streams and proofs; given while a session is opened.
pub struct Grant;

impl Grant {
    /// A stream to the target, in the clear.
    pub fn connect(&self) -> Result<Stream, Failure> {
        Ok(Stream::over(Granted(host_net::connect().map_err(failure)?)))
    }

    /// Begins a proof of the secret option `secret` with the strongest of the mechanisms that the server offers.
    pub fn prove(&self, offered: &[String], user: &str, secret: &str, over: &Stream) -> Result<Proof, Failure> {
        Ok(Proof(host_auth::start(offered, user, secret, &over.transport.0).map_err(failure)?))
    }
}

/// A SASL exchange whose secret the host keeps. The plugin carries its messages.
pub struct Proof(host_auth::Sasl);

impl Proof {
    pub fn mechanism(&self) -> String {
        self.0.mechanism()
    }
    pub fn initial(&self) -> Result<Vec<u8>, Failure> {
        self.0.initial().map_err(failure)
    }
    pub fn respond(&self, challenge: &[u8]) -> Result<Vec<u8>, Failure> {
        self.0.respond(challenge).map_err(failure)
    }
    /// Checks the server's last message.
    pub fn finish(&self, outcome: &[u8]) -> Result<(), Failure> {
        self.0.finish(outcome).map_err(failure)
    }
}

fn failure(e: types::Error) -> Failure {
    Failure { code: e.code, message: e.message, hint: e.hint, sqlstate: e.sqlstate }
}

/// Where bytes come from and go to.
pub trait Transport {
    /// At least one byte and at most `max`; empty at the end.
    fn read(&mut self, max: u32) -> Result<Vec<u8>, Failure>;
    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure>;
    fn start_tls(&mut self) -> Result<(), Failure>;
}

/// A stream of the host.
pub struct Granted(host_net::Stream);

impl Transport for Granted {
    fn read(&mut self, max: u32) -> Result<Vec<u8>, Failure> {
        self.0.read(max).map_err(failure)
    }
    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.0.write(bytes).map_err(failure)
    }
    fn start_tls(&mut self) -> Result<(), Failure> {
        self.0.start_tls().map_err(failure)
    }
}

/// Bytes asked for at once: large enough that the boundary costs nothing.
const CHUNK: u32 = 256 << 10;

/// A stream with what was read and not yet used.
pub struct Stream<T = Granted> {
    transport: T,
    read: Vec<u8>,
    used: usize,
}

impl<T: Transport> Stream<T> {
    pub fn over(transport: T) -> Self {
        Self { transport, read: Vec::new(), used: 0 }
    }

    /// What was read and not yet used, without waiting.
    pub fn at_hand(&self) -> &[u8] {
        &self.read[self.used..]
    }

    /// Marks bytes at hand as used.
    pub fn consume(&mut self, bytes: usize) {
        self.used = (self.used + bytes).min(self.read.len());
    }

    /// Waits for more bytes behind those at hand. False at the stream's end.
    pub fn more(&mut self) -> Result<bool, Failure> {
        let new = self.transport.read(CHUNK)?;
        if self.used == self.read.len() {
            self.used = 0;
            let any = !new.is_empty();
            self.read = new;
            return Ok(any);
        }
        self.read.drain(..self.used);
        self.used = 0;
        self.read.extend_from_slice(&new);
        Ok(!new.is_empty())
    }

    /// Waits until `count` bytes are at hand; they stay there until they are consumed.
    pub fn peek(&mut self, count: usize) -> Result<&[u8], Failure> {
        while self.read.len() - self.used < count {
            if !self.more()? {
                return Err(Failure::new("DVT5101", "the server closed the connection"));
            }
        }
        Ok(&self.read[self.used..self.used + count])
    }

    /// Exactly so many bytes.
    pub fn exact(&mut self, count: usize) -> Result<Vec<u8>, Failure> {
        let bytes = self.peek(count)?.to_vec();
        self.consume(count);
        Ok(bytes)
    }

    /// The bytes before `end`, which is used up too; more than `max` are refused.
    pub fn until(&mut self, end: u8, max: usize) -> Result<Vec<u8>, Failure> {
        let mut seen = 0;
        loop {
            if let Some(at) = self.at_hand()[seen..].iter().position(|b| *b == end) {
                let bytes = self.exact(seen + at)?;
                self.consume(1);
                return Ok(bytes);
            }
            seen = self.at_hand().len();
            if seen > max {
                return Err(Failure::new("DVT5101", format!("the server sent more than {max} bytes where fewer were expected")));
            }
            self.peek(seen + 1)?;
        }
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.transport.write(bytes)
    }

    /// Encrypts from here on. Bytes that came before are refused: somebody may have put them there.
    pub fn start_tls(&mut self) -> Result<(), Failure> {
        if !self.at_hand().is_empty() {
            return Err(Failure::new("DVT5101", "bytes came before the encryption began"));
        }
        self.transport.start_tls()
    }
}

#[cfg(test)]
mod tests {
    use super::{Stream, Transport};
    use crate::Failure;

    /// Hands out its parts one by one.
    struct Parts(Vec<Vec<u8>>);

    impl Transport for Parts {
        fn read(&mut self, _: u32) -> Result<Vec<u8>, Failure> {
            Ok(if self.0.is_empty() { Vec::new() } else { self.0.remove(0) })
        }
        fn write(&mut self, _: &[u8]) -> Result<(), Failure> {
            Ok(())
        }
        fn start_tls(&mut self) -> Result<(), Failure> {
            Ok(())
        }
    }

    fn stream(parts: &[&str]) -> Stream<Parts> {
        Stream::over(Parts(parts.iter().map(|p| p.as_bytes().to_vec()).collect()))
    }

    #[test]
    fn bytes_are_read_exactly_however_they_come() {
        for parts in [&["hello, world\n!"][..], &["h", "ello", ", w", "orld", "\n", "!"][..]] {
            let mut s = stream(parts);
            assert_eq!(s.exact(5).unwrap(), b"hello");
            assert_eq!(s.peek(2).unwrap(), b", ");
            assert_eq!(s.until(b'\n', 100).unwrap(), b", world");
            assert_eq!(s.exact(1).unwrap(), b"!");
            assert!(s.exact(1).unwrap_err().message.contains("closed"));
        }
        assert!(stream(&["aaaa", "aaaa"]).until(b'\n', 5).unwrap_err().message.contains("more than 5"));
    }

    #[test]
    fn bytes_before_the_encryption_are_refused() {
        let mut s = stream(&["Sinjected"]);
        s.exact(1).unwrap();
        assert!(s.start_tls().is_err());
        let mut s = stream(&["S"]);
        s.exact(1).unwrap();
        assert!(s.start_tls().is_ok());
    }
}
