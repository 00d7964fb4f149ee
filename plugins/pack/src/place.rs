//! A text into the place that a module keeps for one: how one compiled module serves every product that is only data.
//!
//! The module exports the place as a static; its address is the value of a global. The text becomes one more segment of data,
//! which the place's zeros give way to. Not here: what the text says.

use super::{PackError, leb, sections};

/// The static's name.
const PLACE: &str = "DVT_SHEET";
const GLOBALS: u8 = 6;
const EXPORTS: u8 = 7;
const DATA: u8 = 11;
const DATA_COUNT: u8 = 12;
/// Of exports.
const GLOBAL: u8 = 3;

/// Reads along a section.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }
    fn number(&mut self) -> Option<usize> {
        let (mut value, mut shift) = (0_usize, 0);
        loop {
            let byte = self.byte()?;
            value |= usize::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
    }
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }
    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }
}

/// The number of the global that has the place's address.
fn exported(body: &[u8]) -> Option<usize> {
    let mut read = Reader::new(body);
    for _ in 0..read.number()? {
        let length = read.number()?;
        let name = read.take(length)?;
        let (kind, index) = (read.byte()?, read.number()?);
        if kind == GLOBAL && name == PLACE.as_bytes() {
            return Some(index);
        }
    }
    None
}

/// The initial value of a global, as it is encoded: `i32.const` and its number.
fn address(body: &[u8], index: usize) -> Option<&[u8]> {
    let mut read = Reader::new(body);
    for i in 0..read.number()? {
        read.take(2)?;
        let start = read.at;
        if read.byte()? != 0x41 {
            return None;
        }
        while read.byte()? & 0x80 != 0 {}
        let value = body.get(start..read.at)?;
        if read.byte()? != 0x0b {
            return None;
        }
        if i == index {
            return Some(value);
        }
    }
    None
}

/// The section with one more entry: its count rises, `entry` stands at its end.
fn grown(body: &[u8], entry: &[u8]) -> Option<Vec<u8>> {
    let mut read = Reader::new(body);
    let mut out = Vec::new();
    leb(&mut out, read.number()? + 1);
    out.extend_from_slice(read.rest());
    out.extend_from_slice(entry);
    Some(out)
}

/// The module with `text` in its place, ended by a zero.
///
/// # Errors
/// No WebAssembly, or a module without such a place.
pub fn place(module: &[u8], text: &str) -> Result<Vec<u8>, PackError> {
    let sections = sections(module).ok_or(PackError::NotWasm)?;
    let body = |id: u8| sections.iter().find(|(n, _)| *n == id).map(|(_, body)| *body);
    let at = body(EXPORTS).and_then(exported).zip(body(GLOBALS)).and_then(|(index, globals)| address(globals, index));
    let at = at.ok_or(PackError::NoPlace)?;
    let mut segment = vec![0];
    segment.extend_from_slice(at);
    segment.push(0x0b);
    leb(&mut segment, text.len() + 1);
    segment.extend_from_slice(text.as_bytes());
    segment.push(0);
    let mut out = module.get(..8).ok_or(PackError::NotWasm)?.to_vec();
    for (id, body) in sections {
        let body = match id {
            DATA => grown(body, &segment).ok_or(PackError::NotWasm)?,
            DATA_COUNT => grown(body, &[]).ok_or(PackError::NotWasm)?,
            _ => body.to_vec(),
        };
        out.push(id);
        leb(&mut out, body.len());
        out.extend_from_slice(&body);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{PLACE, place};
    use crate::PackError;

    /// A module with a memory, the place at 1024 and one segment of data.
    fn module(export: &str) -> Vec<u8> {
        let mut out = b"\0asm\x01\0\0\0".to_vec();
        out.extend([5, 3, 1, 0, 1]);
        out.extend([6, 7, 1, 0x7f, 0, 0x41, 0x80, 0x08, 0x0b]);
        out.extend([7, (export.len() + 4) as u8, 1, export.len() as u8]);
        out.extend(export.as_bytes());
        out.extend([3, 0]);
        out.extend([11, 7, 1, 0, 0x41, 8, 0x0b, 1, b'x']);
        out
    }

    #[test]
    fn a_text_is_one_more_segment_at_the_address_that_the_module_exports() {
        let placed = place(&module(PLACE), "hi").unwrap();
        let data = [11, 16, 2, 0, 0x41, 8, 0x0b, 1, b'x', 0, 0x41, 0x80, 0x08, 0x0b, 3, b'h', b'i', 0];
        assert!(placed.ends_with(&data), "{placed:?}");
        assert!(matches!(place(&module("OTHER"), "hi"), Err(PackError::NoPlace)));
        assert!(matches!(place(b"no", "hi"), Err(PackError::NotWasm | PackError::NoPlace)));
    }
}
