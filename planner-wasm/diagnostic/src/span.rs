//! Places in the user's files.

use serde::{Deserialize, Serialize};

/// A place in a file of the project. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// Path relative to the project root (or as the user gave it), with `/`.
    pub file: String,
    pub line: u32,
    pub column: u32,
}

impl Span {
    pub fn new(file: impl Into<String>, line: u32, column: u32) -> Self {
        Self { file: file.into(), line, column }
    }
    /// The file as a whole.
    pub fn file(file: impl Into<String>) -> Self {
        Self::new(file, 1, 1)
    }
}

/// Turns byte offsets of one text into lines and columns and back.
#[derive(Debug, Clone)]
pub struct LineIndex {
    starts: Vec<usize>,
}

impl LineIndex {
    pub fn new(text: &str) -> Self {
        let mut starts = vec![0];
        starts.extend(text.match_indices('\n').map(|(i, _)| i + 1));
        Self { starts }
    }
    /// Line and column (both from 1, column in characters) of a byte offset of `text`.
    pub fn position(&self, text: &str, offset: usize) -> (u32, u32) {
        let line = self.starts.partition_point(|s| *s <= offset).saturating_sub(1);
        let start = self.starts[line];
        let column = text.get(start..offset).map_or(0, |s| s.chars().count());
        (line as u32 + 1, column as u32 + 1)
    }
    /// Byte offset of a line and column (both from 1); clamps to the text.
    pub fn offset(&self, text: &str, line: u32, column: u32) -> usize {
        let Some(start) = self.starts.get((line.max(1) - 1) as usize) else { return text.len() };
        text[*start..]
            .char_indices()
            .nth((column.max(1) - 1) as usize)
            .map_or(text.len(), |(i, _)| start + i)
    }
}
