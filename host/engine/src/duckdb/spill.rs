//! Where a compute spills: a folder of its own, gone when it closes.
//!
//! Two computes in one folder would write over each other's files. The folder of a process that was killed is removed
//! by the next compute beside it: a lock that nobody holds belongs to nobody.

use crate::error::{EngineError, ErrorKind};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

static NEXT: AtomicU64 = AtomicU64::new(0);

pub struct SpillFolder {
    path: PathBuf,
    lock_path: PathBuf,
    _lock: File,
}

impl SpillFolder {
    /// A new folder in `parent`, which is made if it is missing.
    pub fn create(parent: &Path) -> Result<Self, EngineError> {
        let failed = |e: std::io::Error| {
            EngineError::new(ErrorKind::Io, format!("the spill folder `{}` cannot be used: {e}", parent.display()))
                .hint("set temp_directory of the compute to a folder that can be written")
        };
        std::fs::create_dir_all(parent).map_err(failed)?;
        sweep(parent);
        loop {
            let name = format!("dvt-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let lock_path = parent.join(format!("{name}.lock"));
            let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path).map_err(failed)?;
            // Another process may have taken the file for one of the dead between its making and its locking.
            if lock.try_lock().is_ok() && lock_path.exists() {
                let path = parent.join(name);
                std::fs::create_dir_all(&path).map_err(failed)?;
                return Ok(Self { path, lock_path, _lock: lock });
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SpillFolder {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next compute.
        if std::fs::remove_dir_all(&self.path).is_ok() {
            let _ = std::fs::remove_file(&self.lock_path);
        }
    }
}

/// Removes the folders of processes that are gone.
fn sweep(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for path in entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.extension().is_some_and(|e| e == "lock")) {
        let Ok(lock) = OpenOptions::new().write(true).open(&path) else { continue };
        if lock.try_lock().is_ok() {
            let folder = path.with_extension("");
            if !folder.exists() || std::fs::remove_dir_all(&folder).is_ok() {
                let _ = std::fs::remove_file(&path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::SpillFolder;

    #[test]
    fn a_dead_process_folder_goes_and_a_living_one_stays() {
        let parent = tempfile::tempdir().unwrap();
        let living = SpillFolder::create(parent.path()).unwrap();
        std::fs::create_dir(parent.path().join("dvt-0-0")).unwrap();
        std::fs::write(parent.path().join("dvt-0-0/rows"), "x").unwrap();
        std::fs::write(parent.path().join("dvt-0-0.lock"), "").unwrap();
        let second = SpillFolder::create(parent.path()).unwrap();
        assert!(living.path().is_dir() && second.path().is_dir() && living.path() != second.path());
        assert!(!parent.path().join("dvt-0-0").exists());
        drop((living, second));
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
