//! How bytes become messages in each product's protocol.

use super::proxy::{Message, Speech};

/// One line, without what differs between runs.
pub fn told(sql: &str) -> String {
    let words: Vec<&str> = sql.split_whitespace().filter(|w| !w.is_empty()).collect();
    let mut out = String::new();
    let mut rest = words.join(" ");
    if let Some(end) = rest.strip_prefix("/*").and_then(|r| r.find("*/")) {
        rest = rest[end + 4..].trim_start().to_owned();
    }
    let mut left = rest.as_str();
    while let Some(at) = left.find("__dvt_") {
        let name = at + "__dvt_".len();
        let run = left[name..].find(|c: char| !c.is_ascii_hexdigit()).map_or(left.len(), |n| name + n);
        out += &left[..name];
        out += if run - name == 8 { "RUN" } else { &left[name..run] };
        left = &left[run..];
    }
    out += left;
    out.replace('|', "\\|").replace('`', "'")
}

/// PostgreSQL: after the start packet, a letter, a length that counts itself, a body.
pub fn postgres() -> Speech {
    let mut started = false;
    let client = move |bytes: &[u8]| {
        let head = usize::from(started);
        let length = head + u32::from_be_bytes(bytes.get(head..head + 4)?.try_into().ok()?) as usize;
        let message = bytes.get(..length)?;
        if !started {
            started = true;
            return Some(Message { length, step: None, answered: true });
        }
        let text = |body: &[u8]| told(&String::from_utf8_lossy(body.split(|b| *b == 0).next().unwrap_or_default()));
        let (step, answered) = match message[0] {
            b'Q' => (Some(text(&message[5..])), true),
            // After the name of the prepared statement comes its text.
            b'P' => {
                let body = &message[5..];
                let named = body.iter().position(|b| *b == 0).unwrap_or(0);
                (Some(format!("prepare {}", text(&body[named + 1..]))), true)
            }
            b'd' => (Some("COPY: rows".to_owned()), false),
            b'c' => (Some("COPY: done".to_owned()), true),
            b'f' => (Some("COPY: given up".to_owned()), true),
            _ => (None, true),
        };
        Some(Message { length, step, answered })
    };
    let mut waiting: Vec<u8> = Vec::new();
    let server = move |bytes: &[u8]| {
        waiting.extend_from_slice(bytes);
        let mut whole = false;
        loop {
            let Some(length) = waiting.get(1..5).and_then(|b| b.try_into().ok()).map(|b| 1 + u32::from_be_bytes(b) as usize) else { break };
            if waiting.len() < length {
                break;
            }
            // Ready for the next query, or for the rows of a copy.
            whole = matches!(waiting[0], b'Z' | b'G');
            waiting.drain(..length);
        }
        whole
    };
    Speech { client: Box::new(client), server: Box::new(server) }
}

/// MySQL and MariaDB: a length of three bytes, a number, a body; number 0 begins a command.
pub fn mysql() -> Speech {
    let mut handshake = true;
    let client = move |bytes: &[u8]| {
        let head = bytes.get(..4)?;
        let length = 4 + (u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize);
        let message = bytes.get(..length)?;
        if head[3] != 0 {
            // The rest of the handshake, or the rows of LOAD DATA LOCAL; an empty packet ends those.
            let step = (!handshake).then(|| if length == 4 { "LOAD DATA: done" } else { "LOAD DATA: rows" }.to_owned());
            return Some(Message { length, answered: step.is_none() || length == 4, step });
        }
        handshake = false;
        let body = String::from_utf8_lossy(&message[5..]).into_owned();
        let step = match message[4] {
            3 => Some(told(&body)),
            0x16 => Some(format!("prepare {}", told(&body))),
            0x17 => Some("execute".to_owned()),
            _ => None,
        };
        // Closing a statement and leaving have no answer.
        Some(Message { length, step, answered: !matches!(message[4], 1 | 0x19) })
    };
    Speech { client: Box::new(client), server: Box::new(|_| true) }
}
