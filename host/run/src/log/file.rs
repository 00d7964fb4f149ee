//! `logs/dbt.log`: every run appends; a file that would grow past its limit is first moved aside (`.1` … `.5`).

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// How many old files are kept.
const KEPT: u32 = 5;

#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: Option<File>,
    size: u64,
    /// Bytes; 0 means no limit.
    limit: u64,
}

impl LogFile {
    /// None where the folder cannot be written: a log must not fail a command.
    pub fn open(folder: &Path, limit: u64) -> Option<Self> {
        std::fs::create_dir_all(folder).ok()?;
        let path = folder.join("dbt.log");
        let file = append(&path)?;
        let size = file.metadata().map_or(0, |m| m.len());
        Some(Self { path, file: Some(file), size, limit })
    }

    pub fn write(&mut self, text: &str) {
        let length = text.len() as u64;
        if self.limit > 0 && self.size > 0 && self.size + length > self.limit {
            self.turn_over();
        }
        if let Some(file) = &mut self.file
            && file.write_all(text.as_bytes()).is_ok()
        {
            self.size += length;
        }
    }

    fn turn_over(&mut self) {
        self.file = None;
        let numbered = |n: u32| self.path.with_extension(format!("log.{n}"));
        for n in (1..KEPT).rev() {
            // The first runs have nothing to move yet.
            let _ = std::fs::rename(numbered(n), numbered(n + 1));
        }
        let _ = std::fs::rename(&self.path, numbered(1));
        self.file = append(&self.path);
        self.size = self.file.as_ref().and_then(|f| f.metadata().ok()).map_or(0, |m| m.len());
    }
}

fn append(path: &Path) -> Option<File> {
    OpenOptions::new().create(true).append(true).open(path).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::LogFile;

    #[test]
    fn a_full_log_is_moved_aside_and_five_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..9 {
            LogFile::open(folder.path(), 10).unwrap().write(&format!("line {n} of log\n"));
        }
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("dbt.log"), "line 8 of log\n");
        assert_eq!(read("dbt.log.1"), "line 7 of log\n");
        assert_eq!(read("dbt.log.5"), "line 3 of log\n");
        assert!(!folder.path().join("dbt.log.6").exists());
    }
}
