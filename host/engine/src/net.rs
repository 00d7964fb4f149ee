//! One stream to a target's own host and port, for protocols that a plugin speaks.
//!
//! The host dials, encrypts and waits; whoever holds a [`Stream`] sees bytes and never an address. Every wait has an
//! end: the time-outs of [`Dial`]. Not here: which bytes mean what.

use crate::error::{EngineError, ErrorKind};
use crate::tls::{TlsMode, client};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;
use x509_cert::der::Decode;

/// Bytes of one read at most.
pub const READ_MAX: usize = 1 << 20;

/// Where a stream goes and how long is waited.
#[derive(Debug, Clone)]
pub struct Dial {
    pub host: String,
    pub port: u16,
    pub tls: TlsMode,
    /// A file of certificates, PEM.
    pub root_certificate: Option<String>,
    /// Also how long the server may take for each answer until a session stands.
    pub connect_timeout: Duration,
    pub read_timeout: Duration,
    pub write_timeout: Duration,
}

impl Dial {
    /// Options: `host`, `port`, `tls` (off, prefer, require, verify), `tls_root_certificate`, `connect_timeout`,
    /// `read_timeout`, `write_timeout` (seconds; 10, 3600 and 60 when absent).
    pub fn from_options(options: &BTreeMap<String, String>) -> Result<Self, EngineError> {
        let option = |key: &str| options.get(key).map(String::as_str).filter(|v| !v.is_empty());
        let invalid = |key: &str, value: &str| EngineError::new(ErrorKind::Connect, format!("`{key}` is `{value}`, which is no number that can be used"));
        let seconds = |key: &str, usual: u64| match option(key) {
            None => Ok(Duration::from_secs(usual)),
            Some(text) => text.parse::<u64>().map(|n| Duration::from_secs(n.max(1))).map_err(|_| invalid(key, text)),
        };
        let missing = |key: &str| EngineError::new(ErrorKind::Connect, format!("the plugin names no `{key}` to connect to"));
        let port = option("port").ok_or_else(|| missing("port"))?;
        Ok(Self {
            host: option("host").ok_or_else(|| missing("host"))?.to_owned(),
            port: port.parse().map_err(|_| invalid("port", port))?,
            tls: option("tls").map_or(Ok(TlsMode::Prefer), str::parse)?,
            root_certificate: option("tls_root_certificate").map(str::to_owned),
            connect_timeout: seconds("connect_timeout", 10)?,
            read_timeout: seconds("read_timeout", 3600)?,
            write_timeout: seconds("write_timeout", 60)?,
        })
    }

    /// Opens a stream in the clear.
    pub fn connect(&self) -> Result<Stream, EngineError> {
        let failed = |why: String| {
            EngineError::new(ErrorKind::Connect, format!("{}:{}: {why}", self.host, self.port))
                .hint("check host and port in the profile, and that the server runs")
        };
        let addresses = (self.host.as_str(), self.port).to_socket_addrs().map_err(|e| failed(e.to_string()))?;
        let mut last = "the name has no address".to_owned();
        for address in addresses {
            match TcpStream::connect_timeout(&address, self.connect_timeout) {
                Ok(tcp) => {
                    let set = tcp
                        .set_nodelay(true)
                        .and_then(|()| tcp.set_read_timeout(Some(self.connect_timeout)))
                        .and_then(|()| tcp.set_write_timeout(Some(self.write_timeout)));
                    set.map_err(|e| failed(e.to_string()))?;
                    return Ok(Stream { socket: Some(Socket::Plain(tcp)), dial: self.clone(), scratch: Vec::new() });
                }
                Err(e) => last = e.to_string(),
            }
        }
        Err(failed(last))
    }
}

enum Socket {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// An open stream.
pub struct Stream {
    /// None once it failed: a stream of which a part was lost says nothing more.
    socket: Option<Socket>,
    dial: Dial,
    scratch: Vec<u8>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stream({}:{})", self.dial.host, self.dial.port)
    }
}

fn closed() -> EngineError {
    EngineError::new(ErrorKind::Connect, "the stream is closed")
}

impl Stream {
    fn tcp(&self) -> Option<&TcpStream> {
        match self.socket.as_ref()? {
            Socket::Plain(tcp) => Some(tcp),
            Socket::Tls(tls) => Some(&tls.sock),
        }
    }

    fn failed(&mut self, e: &std::io::Error, doing: &str) -> EngineError {
        self.socket = None;
        match e.kind() {
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => {
                EngineError::new(ErrorKind::Connect, format!("{}:{} did not {doing} in time", self.dial.host, self.dial.port))
            }
            _ => EngineError::new(ErrorKind::Connect, format!("the connection to {}:{} broke: {e}", self.dial.host, self.dial.port)),
        }
    }

    /// Waits for bytes: at least one and at most `max`; empty at the stream's end.
    pub fn read(&mut self, max: usize) -> Result<Vec<u8>, EngineError> {
        let max = max.clamp(1, READ_MAX);
        if self.scratch.len() < max {
            self.scratch.resize(max, 0);
        }
        loop {
            let room = &mut self.scratch[..max];
            let read = match self.socket.as_mut().ok_or_else(closed)? {
                Socket::Plain(tcp) => tcp.read(room),
                Socket::Tls(tls) => tls.read(room),
            };
            match read {
                Ok(n) => return Ok(self.scratch[..n].to_vec()),
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                // Servers end encrypted streams without a word too.
                Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(Vec::new()),
                Err(e) => return Err(self.failed(&e, "answer")),
            }
        }
    }

    /// Writes all of it.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), EngineError> {
        let written = match self.socket.as_mut().ok_or_else(closed)? {
            Socket::Plain(tcp) => tcp.write_all(bytes),
            Socket::Tls(tls) => tls.write_all(bytes).and_then(|()| tls.flush()),
        };
        written.map_err(|e| self.failed(&e, "take bytes"))
    }

    /// Encrypts from here on, trusting whom the profile trusts.
    pub fn start_tls(&mut self) -> Result<(), EngineError> {
        let config = client(self.dial.tls, self.dial.root_certificate.as_deref())?
            .ok_or_else(|| EngineError::new(ErrorKind::Connect, "the profile switches TLS off"))?;
        let Some(Socket::Plain(mut tcp)) = self.socket.take() else {
            return Err(EngineError::new(ErrorKind::Connect, "the stream is encrypted already, or closed"));
        };
        let name = ServerName::try_from(self.dial.host.clone())
            .map_err(|e| EngineError::new(ErrorKind::Connect, format!("`{}` is no name that TLS can check: {e}", self.dial.host)))?;
        let mut session = ClientConnection::new(Arc::new(config), name).map_err(|e| EngineError::new(ErrorKind::Connect, e.to_string()))?;
        while session.is_handshaking() {
            session.complete_io(&mut tcp).map_err(|e| {
                EngineError::new(ErrorKind::Connect, format!("no TLS with {}:{}: {e}", self.dial.host, self.dial.port))
                    .hint("check the server's certificate and the profile's TLS mode")
            })?;
        }
        self.socket = Some(Socket::Tls(Box::new(StreamOwned::new(session, tcp))));
        Ok(())
    }

    pub fn encrypted(&self) -> bool {
        matches!(self.socket, Some(Socket::Tls(_)))
    }

    /// What names this encrypted stream to both ends (`tls-server-end-point`, RFC 5929): the hash of the server's
    /// certificate. None in the clear, and for certificates whose signature names no hash.
    pub fn channel_binding(&self) -> Option<Vec<u8>> {
        let Some(Socket::Tls(tls)) = &self.socket else { return None };
        let der = tls.conn.peer_certificates()?.first()?;
        let certificate = x509_cert::Certificate::from_der(der.as_ref()).ok()?;
        let algorithm = match certificate.signature_algorithm.oid.to_string().as_str() {
            // RSA and ECDSA with MD5, SHA-1, SHA-256: SHA-256.
            "1.2.840.113549.1.1.4" | "1.2.840.113549.1.1.5" | "1.2.840.10045.4.1" | "1.2.840.113549.1.1.11" | "1.2.840.10045.4.3.2" => {
                &ring::digest::SHA256
            }
            "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => &ring::digest::SHA384,
            "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => &ring::digest::SHA512,
            _ => return None,
        };
        Some(ring::digest::digest(algorithm, der.as_ref()).as_ref().to_vec())
    }

    /// From here on the server may take its time: a query runs for as long as it runs.
    pub fn established(&self) {
        if let Some(tcp) = self.tcp() {
            // A time-out that cannot be changed stays the shorter one.
            let _ = tcp.set_read_timeout(Some(self.dial.read_timeout));
        }
    }

    /// Ends the stream under whoever uses it; callable from any thread.
    pub fn closer(&self) -> Option<Closer> {
        self.tcp().and_then(|t| t.try_clone().ok()).map(Closer)
    }
}

/// Closes a stream from outside.
#[derive(Debug)]
pub struct Closer(TcpStream);

impl Closer {
    pub fn close(&self) {
        // One that is closed already is what was wanted.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Dial;
    use std::collections::BTreeMap;
    use std::io::Write;
    use std::net::TcpListener;

    fn dial(port: u16) -> Dial {
        let options = [("host", "127.0.0.1".to_owned()), ("port", port.to_string()), ("connect_timeout", "1".to_owned())];
        Dial::from_options(&options.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()).unwrap()
    }

    #[test]
    fn a_stream_gives_what_came_then_its_end_and_then_nothing() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = dial(server.local_addr().unwrap().port()).connect().unwrap();
        server.accept().unwrap().0.write_all(b"hello").unwrap();
        let mut seen = Vec::new();
        while let Some(more) = Some(stream.read(2).unwrap()).filter(|m| !m.is_empty()) {
            assert!(more.len() <= 2);
            seen.extend(more);
        }
        assert_eq!(seen, b"hello");
    }

    #[test]
    fn a_silent_server_is_told_after_the_time_out_and_a_closed_stream_at_once() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = dial(server.local_addr().unwrap().port()).connect().unwrap();
        assert!(stream.read(10).unwrap_err().message.contains("in time"));
        assert!(stream.write(b"x").unwrap_err().message.contains("closed"));
        let mut stream = dial(server.local_addr().unwrap().port()).connect().unwrap();
        stream.closer().unwrap().close();
        assert!(stream.read(10).map_or(true, |b| b.is_empty()));
    }

    #[test]
    fn a_port_that_is_no_number_is_refused() {
        let options: BTreeMap<String, String> = [("host", "h"), ("port", "x")].into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        assert!(Dial::from_options(&options).unwrap_err().message.contains("`port`"));
    }
}
