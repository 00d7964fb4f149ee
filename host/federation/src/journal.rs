//! What a run created on its targets and has not removed yet, so that a run that died can be cleaned up after.
//!
//! One file a run under DVT home, locked for as long as the run lives: a file that can be locked belongs to a
//! dead run. Staging tables of a run on another machine are in no file here and are left alone.

use dvt_project::{RelationName, TargetName};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A table that only its run should have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    pub target: TargetName,
    /// Says which server or file the target was: another profile may use the same name.
    pub endpoint: String,
    pub relation: RelationName,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    table: Leftover,
    /// `+` created, `-` removed.
    mark: char,
}

/// The file of a living run.
pub struct Journal {
    path: PathBuf,
    file: Mutex<File>,
}

impl Journal {
    /// Opens the file of the run `invocation` and locks it.
    pub fn open(folder: &Path, invocation: &str) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(format!("{invocation}.staging"));
        let file = OpenOptions::new().create(true).append(true).read(true).open(&path)?;
        file.try_lock().map_err(std::io::Error::from)?;
        Ok(Self { path, file: Mutex::new(file) })
    }

    /// To be called before the table is made.
    pub fn created(&self, table: &Leftover) -> std::io::Result<()> {
        self.write(table, '+')
    }

    pub fn removed(&self, table: &Leftover) -> std::io::Result<()> {
        self.write(table, '-')
    }

    fn write(&self, table: &Leftover, mark: char) -> std::io::Result<()> {
        let line = serde_json::to_string(&Entry { table: table.clone(), mark })?;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(file, "{line}")?;
        file.sync_data()
    }

    /// What dead runs left, each with the path of its file.
    pub fn leftovers(folder: &Path) -> Vec<(PathBuf, Vec<Leftover>)> {
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let mut files: Vec<PathBuf> =
            entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.extension().is_some_and(|e| e == "staging")).collect();
        files.sort();
        let mut out = Vec::new();
        for path in files {
            let Ok(mut file) = OpenOptions::new().read(true).append(true).open(&path) else { continue };
            if file.try_lock().is_err() {
                continue;
            }
            if let Ok(open) = open_tables(&mut file) {
                out.push((path, open));
            }
        }
        out
    }

    /// Forgets a dead run's tables that are gone now; the file goes with the last one.
    pub fn forget(path: &Path, gone: &[Leftover]) -> std::io::Result<()> {
        let mut file = OpenOptions::new().read(true).append(true).open(path)?;
        for table in gone {
            writeln!(file, "{}", serde_json::to_string(&Entry { table: table.clone(), mark: '-' })?)?;
        }
        if open_tables(&mut file)?.is_empty() {
            std::fs::remove_file(path)?;
        }
        Ok(())
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let file = self.file.get_mut().unwrap_or_else(PoisonError::into_inner);
        // A table that could not be removed stays on record; else nothing is left to remember.
        if open_tables(file).is_ok_and(|open| open.is_empty()) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn open_tables(file: &mut File) -> std::io::Result<Vec<Leftover>> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_string(&mut text)?;
    let mut open: Vec<Leftover> = Vec::new();
    // A line cut short by a kill was never followed by its CREATE.
    for entry in text.lines().filter_map(|l| serde_json::from_str::<Entry>(l).ok()) {
        open.retain(|t| *t != entry.table);
        if entry.mark == '+' {
            open.push(entry.table);
        }
    }
    Ok(open)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Journal, Leftover};
    use dvt_project::RelationName;

    #[test]
    fn only_dead_runs_leave_anything() {
        let folder = std::env::temp_dir().join(format!("dvt-journal-{}", std::process::id()));
        let table = |name: &str| Leftover {
            target: "t".into(),
            endpoint: "file:x".into(),
            relation: RelationName { database: None, schema: None, identifier: name.into() },
        };
        let living = Journal::open(&folder, "living").unwrap();
        living.created(&table("a")).unwrap();
        assert!(Journal::leftovers(&folder).is_empty(), "a living run's tables are its own");
        living.created(&table("b")).unwrap();
        living.removed(&table("a")).unwrap();
        drop(living);
        let dead = Journal::leftovers(&folder);
        assert_eq!(dead.len(), 1);
        assert_eq!(dead[0].1, vec![table("b")]);
        Journal::forget(&dead[0].0, &dead[0].1).unwrap();
        assert!(Journal::leftovers(&folder).is_empty());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
