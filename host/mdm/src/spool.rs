//! A run's own file of facts: appended to as they happen, folded in when the run is over.

use crate::MdmError;
use crate::fact::Fact;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Locked while its run lives, so that nobody folds half of it in.
pub struct Spool {
    path: PathBuf,
    file: Mutex<File>,
}

impl Spool {
    pub fn open(data: &Path, invocation: &str) -> Result<Self, MdmError> {
        let folder = data.join("spool");
        let path = folder.join(format!("{invocation}.jsonl"));
        let failed = |e: std::io::Error| MdmError::Io { path: path.display().to_string(), message: e.to_string() };
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
        file.try_lock().map_err(|e| failed(e.into()))?;
        Ok(Self { path, file: Mutex::new(file) })
    }

    pub fn record(&self, fact: &Fact) -> Result<(), MdmError> {
        let failed = |message: String| MdmError::Io { path: self.path.display().to_string(), message };
        let line = serde_json::to_string(fact).map_err(|e| failed(e.to_string()))?;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(file, "{line}").map_err(|e| failed(e.to_string()))
    }
}

/// The spools of runs that are over, oldest first.
pub(crate) fn finished(data: &Path) -> Vec<(PathBuf, Vec<Fact>)> {
    let Ok(entries) = std::fs::read_dir(data.join("spool")) else { return Vec::new() };
    let mut paths: Vec<(std::time::SystemTime, PathBuf)> = entries
        .filter_map(|e| {
            let e = e.ok()?;
            let path = e.path();
            let changed = e.metadata().ok()?.modified().ok()?;
            path.extension().is_some_and(|x| x == "jsonl").then_some((changed, path))
        })
        .collect();
    paths.sort();
    let mut out = Vec::new();
    for (_, path) in paths {
        let Ok(file) = OpenOptions::new().append(true).open(&path) else { continue };
        if file.try_lock().is_err() {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        // A line cut short by a kill says nothing.
        out.push((path, text.lines().filter_map(|l| serde_json::from_str(l).ok()).collect()));
    }
    out
}
