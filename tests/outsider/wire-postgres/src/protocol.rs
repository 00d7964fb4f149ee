//! Messages of the protocol's version 3: a kind, a length that counts itself, a body.

use dvt_plugin_sdk::Failure;
use dvt_plugin_sdk::wire::{Stream, Transport};

/// Bytes of one message at most: a row of this size could not be carried anyway.
const MESSAGE_MAX: usize = 32 << 20;

/// A message to the server, under construction.
pub struct Message(Vec<u8>);

impl Message {
    pub fn new(kind: u8) -> Self {
        Self(vec![kind, 0, 0, 0, 0])
    }
    /// The first messages of a connection have no kind.
    pub fn first(code: i32) -> Self {
        Self(vec![0; 5]).int(code)
    }
    pub fn int(mut self, value: i32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }
    pub fn short(mut self, value: i16) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }
    pub fn byte(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }
    pub fn bytes(mut self, value: &[u8]) -> Self {
        self.0.extend_from_slice(value);
        self
    }
    /// Text up to its first NUL, which ends it.
    pub fn text(mut self, value: &str) -> Self {
        self.0.extend(value.bytes().take_while(|b| *b != 0));
        self.0.push(0);
        self
    }
    /// The whole message; without its kind when it is a first one.
    pub fn done(mut self) -> Vec<u8> {
        let length = (self.0.len() - 1) as u32;
        self.0[1..5].copy_from_slice(&length.to_be_bytes());
        if self.0[0] == 0 {
            self.0.remove(0);
        }
        self.0
    }
}

/// A message's body, read from the front.
pub struct Body<'a>(pub &'a [u8]);

pub fn malformed() -> Failure {
    Failure::new("DVT5101", "the server sent a message of another form than the protocol's")
}

impl<'a> Body<'a> {
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Failure> {
        let (head, rest) = self.0.split_at_checked(count).ok_or_else(malformed)?;
        self.0 = rest;
        Ok(head)
    }
    pub fn int(&mut self) -> Result<i32, Failure> {
        Ok(i32::from_be_bytes(self.take(4)?.try_into().map_err(|_| malformed())?))
    }
    pub fn short(&mut self) -> Result<i16, Failure> {
        Ok(i16::from_be_bytes(self.take(2)?.try_into().map_err(|_| malformed())?))
    }
    pub fn text(&mut self) -> Result<&'a str, Failure> {
        let end = self.0.iter().position(|b| *b == 0).ok_or_else(malformed)?;
        let text = std::str::from_utf8(self.take(end)?).map_err(|_| malformed())?;
        self.take(1)?;
        Ok(text)
    }
}

/// Kind and size of the message at the front once it is there whole; it stays at hand behind its 5 bytes of head.
pub fn arrived<T: Transport>(stream: &mut Stream<T>) -> Result<(u8, usize), Failure> {
    let head = stream.peek(5)?;
    let (kind, length) = (head[0], u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize);
    if !(4..=MESSAGE_MAX).contains(&length) {
        return Err(Failure::new("DVT5101", format!("the server sent a message of {length} bytes; at most {MESSAGE_MAX} are taken")));
    }
    stream.peek(length + 1)?;
    Ok((kind, length - 4))
}

/// The next message; notices and changed settings are passed over.
pub fn next<T: Transport>(stream: &mut Stream<T>) -> Result<(u8, Vec<u8>), Failure> {
    loop {
        let (kind, size) = arrived(stream)?;
        stream.consume(5);
        let body = stream.exact(size)?;
        if !matches!(kind, b'N' | b'A') {
            return Ok((kind, body));
        }
    }
}

/// The server's error in its own words.
pub fn error(body: &[u8]) -> Failure {
    let mut body = Body(body);
    let (mut state, mut message, mut detail, mut hint) = (String::new(), String::new(), None, None);
    while let Ok([kind]) = body.take(1) {
        let Ok(text) = body.text() else { break };
        match kind {
            b'C' => state = text.to_owned(),
            b'M' => message = text.to_owned(),
            b'D' => detail = Some(text.to_owned()),
            b'H' => hint = Some(text.to_owned()),
            _ => {}
        }
    }
    if let Some(detail) = detail {
        message = format!("{message} ({detail})");
    }
    Failure { hint, ..Failure::database(state, message) }
}

#[cfg(test)]
mod tests {
    use super::{Body, Message, error};

    #[test]
    fn messages_carry_their_own_length() {
        assert_eq!(Message::new(b'Q').text("x").done(), [b'Q', 0, 0, 0, 6, b'x', 0]);
        assert_eq!(Message::first(80_877_103).done(), [0, 0, 0, 8, 4, 210, 22, 47]);
    }

    #[test]
    fn an_error_keeps_its_state_detail_and_hint() {
        let e = error(b"SERROR\0C23505\0Mduplicate\0Dkey 1\0Hleave it\0\0");
        assert_eq!((e.sqlstate.as_deref(), e.message.as_str(), e.hint.as_deref()), (Some("23505"), "duplicate (key 1)", Some("leave it")));
        assert!(Body(b"ab").text().is_err() && Body(&[1]).int().is_err());
    }
}
