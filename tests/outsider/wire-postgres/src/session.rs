//! One session: start-up with TLS and SCRAM by the host, statements, COPY out and in.

use crate::decode::{Decoder, texts};
use crate::encode::{self, HEADER, TRAILER};
use crate::protocol::{self, Body, Message, arrived, malformed};
use crate::types::{Column, arrow};
use dvt_plugin_sdk::wire::{Grant, Options, Session, Stream, Want};
use dvt_plugin_sdk::{Failure, NativeType};

const SSL_REQUEST: i32 = 80_877_103;
const CANCEL_REQUEST: i32 = 80_877_102;
const VERSION_3: i32 = 196_608;

/// Bytes of one message of a load.
const PART: usize = 256 << 10;

enum State {
    Idle,
    /// COPY out runs; true until a batch was handed over when nothing was wanted.
    Copying(Box<Decoder>, bool),
    /// A result that is at hand whole.
    Ready(Vec<u8>),
    Loading(Vec<Column>),
}

pub struct PgSession {
    stream: Stream,
    state: State,
    version: String,
    /// Process and key of the server's side.
    backend: (i32, i32),
}

fn trimmed(sql: &str) -> &str {
    sql.trim().trim_end_matches(';').trim_end()
}

/// Whether a text begins like a query, behind its comments.
fn is_query(sql: &str) -> bool {
    let mut rest = sql.trim_start();
    loop {
        rest = match (rest.strip_prefix("--"), rest.strip_prefix("/*")) {
            (Some(line), _) => line.split_once('\n').map_or("", |(_, after)| after).trim_start(),
            (_, Some(block)) => block.split_once("*/").map_or("", |(_, after)| after).trim_start(),
            _ => break,
        };
    }
    let start: String = rest.chars().take(6).collect::<String>().to_ascii_lowercase();
    ["select", "with", "values", "table", "("].iter().any(|word| start.starts_with(word))
}

impl PgSession {
    pub fn open(options: &Options, host: &Grant) -> Result<Self, Failure> {
        let mut stream = host.connect()?;
        let tls = options.get("tls").unwrap_or("prefer");
        if tls != "off" {
            stream.write(&Message::first(SSL_REQUEST).done())?;
            match stream.exact(1)?[0] {
                b'S' => stream.start_tls()?,
                b'N' if tls == "prefer" => {}
                b'N' => return Err(Failure::new("DVT5101", "the server offers no TLS and the profile demands it").hint("switch TLS on at the server, or say in the profile that it may go without")),
                _ => return Err(malformed()),
            }
        }
        let mut start = Message::first(VERSION_3);
        for (key, value) in [("user", options.get("user")), ("database", options.get("dbname")), ("application_name", Some("dvt")), ("client_encoding", Some("UTF8"))] {
            if let Some(value) = value {
                start = start.text(key).text(value);
            }
        }
        if let Some(path) = options.get("search_path") {
            start = start.text("options").text(&format!("-c search_path={}", path.replace('\\', "\\\\").replace(' ', "\\ ")));
        }
        stream.write(&start.byte(0).done())?;
        let mut session = Self { stream, state: State::Idle, version: String::new(), backend: (0, 0) };
        session.authenticate(options.get("user").unwrap_or_default(), host)?;
        // Values must not depend on the server's or the role's settings.
        session.execute("SET TIME ZONE 'UTC'; SET extra_float_digits = 3; SET standard_conforming_strings = on")?;
        Ok(session)
    }

    fn authenticate(&mut self, user: &str, host: &Grant) -> Result<(), Failure> {
        let mut proof = None;
        loop {
            let (kind, body) = protocol::next(&mut self.stream)?;
            let mut body = Body(&body);
            match kind {
                b'R' => match body.int()? {
                    0 => {}
                    10 => {
                        let mut offered = Vec::new();
                        while let Some(name) = Some(body.text()?).filter(|n| !n.is_empty()) {
                            offered.push(name.to_owned());
                        }
                        let begun = host.prove(&offered, user, "password", &self.stream)?;
                        let first = begun.initial()?;
                        let answer = Message::new(b'p').text(&begun.mechanism()).int(first.len() as i32).bytes(&first);
                        self.stream.write(&answer.done())?;
                        proof = Some(begun);
                    }
                    11 => {
                        let answer = proof.as_ref().ok_or_else(malformed)?.respond(body.0)?;
                        self.stream.write(&Message::new(b'p').bytes(&answer).done())?;
                    }
                    12 => proof.as_ref().ok_or_else(malformed)?.finish(body.0)?,
                    way => {
                        let name = match way {
                            3 => "the password in the clear".to_owned(),
                            5 => "an md5 of the password".to_owned(),
                            other => format!("authentication of kind {other}"),
                        };
                        return Err(Failure::new("DVT5102", format!("the server asks for {name}; a plugin never holds a password, so only SCRAM serves"))
                            .hint("set password_encryption = 'scram-sha-256' at the server and give the user its password anew, or use the native driver"));
                    }
                },
                b'S' if body.0.starts_with(b"server_version\0") => {
                    body.text()?;
                    self.version = body.text()?.to_owned();
                }
                b'K' => self.backend = (body.int()?, body.int()?),
                b'E' => return Err(protocol::error(body.0)),
                b'Z' => return Ok(()),
                _ => {}
            }
        }
    }

    /// Leaves whatever runs, so that the next statement can begin.
    fn settle(&mut self) -> Result<(), Failure> {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Idle | State::Ready(_) => Ok(()),
            State::Copying(..) => self.until_ready(|_, _| Ok(())),
            State::Loading(_) => {
                self.stream.write(&Message::new(b'f').text("given up").done())?;
                // The server answers with the error that was asked for.
                self.until_ready(|_, _| Ok(())).or_else(|e| if e.sqlstate.is_some() { Ok(()) } else { Err(e) })
            }
        }
    }

    /// Reads to the end of what was asked; the server's first error counts, else that of `each`.
    fn until_ready(&mut self, mut each: impl FnMut(u8, &[u8]) -> Result<(), Failure>) -> Result<(), Failure> {
        let (mut told, mut own) = (None, None);
        loop {
            let (kind, body) = protocol::next(&mut self.stream)?;
            match kind {
                b'Z' => return told.or(own).map_or(Ok(()), Err),
                b'E' => {
                    told.get_or_insert(protocol::error(&body));
                }
                // COPY FROM STDIN inside a statement: there is nothing to send.
                b'G' => self.stream.write(&Message::new(b'f').text("no rows here").done())?,
                kind if own.is_none() => own = each(kind, &body).err(),
                _ => {}
            }
        }
    }

    fn columns(&mut self, sql: &str) -> Result<Vec<Column>, Failure> {
        self.settle()?;
        let mut ask = Message::new(b'P').text("").text(trimmed(sql)).short(0).done();
        ask.extend(Message::new(b'D').byte(b'S').text("").done());
        ask.extend(Message::new(b'S').done());
        self.stream.write(&ask)?;
        let mut columns = Vec::new();
        self.until_ready(|kind, body| {
            if kind == b'T' {
                let mut body = Body(body);
                for _ in 0..body.short()? {
                    let name = body.text()?.to_owned();
                    body.take(6)?;
                    let oid = body.int()?;
                    body.take(2)?;
                    let modifier = body.int()?;
                    body.take(2)?;
                    columns.push(Column { name, oid, modifier });
                }
            }
            Ok(())
        })?;
        Ok(columns)
    }

    /// Several statements, or one that COPY does not take: every column as text, of several results the last.
    fn as_text(&mut self, sql: &str, limit: Option<u64>) -> Result<(), Failure> {
        self.settle()?;
        self.stream.write(&Message::new(b'Q').text(sql).done())?;
        let (mut names, mut rows): (Vec<String>, Vec<Vec<Option<String>>>) = (Vec::new(), Vec::new());
        self.until_ready(|kind, body| {
            let mut body = Body(body);
            match kind {
                b'T' => {
                    (names, rows) = (Vec::new(), Vec::new());
                    for _ in 0..body.short()? {
                        names.push(body.text()?.to_owned());
                        body.take(18)?;
                    }
                }
                b'D' if limit.is_none_or(|l| (rows.len() as u64) < l) => {
                    let mut row = Vec::new();
                    for _ in 0..body.short()? {
                        row.push(match usize::try_from(body.int()?) {
                            Ok(size) => Some(String::from_utf8(body.take(size)?.to_vec()).map_err(|_| malformed())?),
                            Err(_) => None,
                        });
                    }
                    rows.push(row);
                }
                _ => {}
            }
            Ok(())
        })?;
        self.state = State::Ready(texts(&names, &rows)?);
        Ok(())
    }
}

impl Session for PgSession {
    fn server_version(&mut self) -> Result<String, Failure> {
        Ok(self.version.clone())
    }

    fn execute(&mut self, sql: &str) -> Result<(Option<u64>, String), Failure> {
        self.settle()?;
        self.stream.write(&Message::new(b'Q').text(sql).done())?;
        let (mut rows, mut tag) = (None, "OK".to_owned());
        self.until_ready(|kind, body| {
            if kind == b'C' {
                tag = Body(body).text()?.to_owned();
                rows = tag.rsplit(' ').next().and_then(|n| n.parse().ok());
            }
            Ok(())
        })?;
        Ok((rows, tag))
    }

    fn describe(&mut self, sql: &str) -> Result<Vec<(String, String)>, Failure> {
        Ok(self.columns(sql)?.into_iter().map(|c| (c.name.clone(), c.native())).collect())
    }

    fn query(&mut self, sql: &str, want: Want, limit: Option<u64>) -> Result<(), Failure> {
        if want.is_none() && !is_query(sql) {
            return self.as_text(sql, limit);
        }
        let columns = match self.columns(sql) {
            Err(e) if want.is_none() && e.message.contains("multiple commands") => return self.as_text(sql, limit),
            columns => columns?,
        };
        let decoder = Decoder::new(&columns, &want)?;
        let rows = match limit {
            Some(limit) => format!("SELECT * FROM ({}\n) AS dvt_limited LIMIT {limit}", trimmed(sql)),
            None => trimmed(sql).to_owned(),
        };
        self.stream.write(&Message::new(b'Q').text(&format!("COPY ({rows}\n) TO STDOUT (FORMAT binary)")).done())?;
        match protocol::next(&mut self.stream)? {
            (b'H', _) => {
                self.state = State::Copying(Box::new(decoder), want.is_none());
                Ok(())
            }
            (b'E', body) => {
                let error = protocol::error(&body);
                self.until_ready(|_, _| Ok(()))?;
                Err(error)
            }
            _ => Err(malformed()),
        }
    }

    fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let (mut decoder, owes) = match std::mem::replace(&mut self.state, State::Idle) {
            State::Copying(decoder, owes) => (decoder, owes),
            State::Ready(bytes) => return Ok(Some(bytes)),
            other => {
                self.state = other;
                return Ok(None);
            }
        };
        loop {
            let (kind, size) = arrived(&mut self.stream)?;
            match kind {
                b'd' => {
                    let read = decoder.message(&self.stream.at_hand()[5..5 + size]);
                    self.stream.consume(5 + size);
                    if let Err(error) = read {
                        // The rest is left where it is: the next call settles it.
                        self.state = State::Copying(decoder, false);
                        return Err(error);
                    }
                    if decoder.full() {
                        let batch = decoder.finish()?;
                        self.state = State::Copying(decoder, false);
                        return Ok(Some(batch));
                    }
                }
                b'N' | b'A' | b'S' => self.stream.consume(5 + size),
                // The end of the rows, or an error instead of it; both come with the server's last word.
                _ => {
                    self.until_ready(|_, _| Ok(()))?;
                    return if decoder.rows() > 0 || owes { decoder.finish().map(Some) } else { Ok(None) };
                }
            }
        }
    }

    fn end_query(&mut self) -> Result<(), Failure> {
        self.settle()
    }

    fn begin_load(&mut self, table: &str, columns: &[(String, NativeType)]) -> Result<(), Failure> {
        let names: Vec<String> = columns.iter().map(|(name, _)| format!("\"{}\"", name.replace('"', "\"\""))).collect();
        let names = names.join(", ");
        let described = self.columns(&format!("SELECT {names} FROM {table} LIMIT 0"))?;
        for ((name, canonical), column) in columns.iter().zip(&described) {
            if !arrow(canonical).is_some_and(|from| encode::fits(&from, column)) {
                return Err(Failure::new("DVT002", format!("column `{name}` of the table is {}, the rows hold {}", column.native(), canonical.text)).hint("cast the column in the model"));
            }
        }
        self.stream.write(&Message::new(b'Q').text(&format!("COPY {table} ({names}) FROM STDIN (FORMAT binary)")).done())?;
        match protocol::next(&mut self.stream)? {
            (b'G', _) => {
                self.state = State::Loading(described);
                self.stream.write(&Message::new(b'd').bytes(HEADER).done())
            }
            (b'E', body) => {
                let error = protocol::error(&body);
                self.until_ready(|_, _| Ok(()))?;
                Err(error)
            }
            _ => Err(malformed()),
        }
    }

    fn load(&mut self, batch: &[u8]) -> Result<(), Failure> {
        let State::Loading(columns) = &self.state else { return Err(Failure::new("DVT5008", "no load was begun")) };
        let mut out = Vec::with_capacity(batch.len() * 2);
        for batch in encode::batches(batch)? {
            encode::rows(&batch, columns, &mut out)?;
        }
        for part in out.chunks(PART) {
            self.stream.write(&Message::new(b'd').bytes(part).done())?;
        }
        Ok(())
    }

    fn end_load(&mut self, keep: bool) -> Result<u64, Failure> {
        if !keep || !matches!(self.state, State::Loading(_)) {
            self.settle()?;
            return if keep { Err(Failure::new("DVT5008", "no load was begun")) } else { Ok(0) };
        }
        self.state = State::Idle;
        let mut end = Message::new(b'd').bytes(&TRAILER).done();
        end.extend(Message::new(b'c').done());
        self.stream.write(&end)?;
        let mut rows = 0;
        self.until_ready(|kind, body| {
            if kind == b'C' {
                rows = Body(body).text()?.rsplit(' ').next().and_then(|n| n.parse().ok()).ok_or_else(malformed)?;
            }
            Ok(())
        })?;
        Ok(rows)
    }

    fn begin_snapshot(&mut self) -> Result<(), Failure> {
        // The transaction's first statement takes the snapshot.
        self.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1").map(|_| ())
    }

    fn end_snapshot(&mut self) -> Result<(), Failure> {
        self.execute("ROLLBACK").map(|_| ())
    }

    fn cancel_request(&self) -> Option<Vec<u8>> {
        Some(Message::first(CANCEL_REQUEST).int(self.backend.0).int(self.backend.1).done())
    }
}

impl Drop for PgSession {
    fn drop(&mut self) {
        // A server that is gone needs no goodbye.
        let _ = self.stream.write(&Message::new(b'X').done());
    }
}
