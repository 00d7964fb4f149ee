//! Where `sync` fetches and unpacks before anything is put in its place: one folder of DVT home's cache, one `sync` at a time.
//!
//! What a killed one left there is removed by the next. Nothing in it is ever used by another command.

use super::failed;
use dvt_diagnostic::Diagnostic;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

const FOLDER: &str = "sync";
const LOCK: &str = "sync.lock";

/// An empty folder, this process's own until it is dropped.
#[derive(Debug)]
pub struct Workplace {
    folder: PathBuf,
    /// The system lets go of it however the process ends.
    _lock: File,
}

impl Workplace {
    /// # Errors
    /// Another `sync` of the same DVT home runs; a folder that cannot be made.
    pub fn enter(cache: &Path) -> Result<Self, Diagnostic> {
        let told = |path: &Path, e: &dyn std::fmt::Display| failed(&format!("{} cannot be made", path.display()), e);
        std::fs::create_dir_all(cache).map_err(|e| told(cache, &e))?;
        let path = cache.join(LOCK);
        let lock = File::options().create(true).truncate(false).write(true).open(&path).map_err(|e| told(&path, &e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(failed("another `dvt sync` works on the same DVT home", &cache.display()).hint("wait until it has ended; nothing was changed"));
            }
            Err(TryLockError::Error(e)) => return Err(told(&path, &e)),
        }
        let folder = cache.join(FOLDER);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(|e| failed(&format!("{} cannot be removed", folder.display()), &e))?;
        }
        std::fs::create_dir(&folder).map_err(|e| told(&folder, &e))?;
        Ok(Self { folder, _lock: lock })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        // What cannot be removed now, the next one removes.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Workplace;

    #[test]
    fn one_at_a_time_and_what_a_killed_one_left_is_gone() {
        let cache = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(cache.path().join("sync/wheels")).unwrap();
        let first = Workplace::enter(cache.path()).unwrap();
        assert_eq!(std::fs::read_dir(first.folder()).unwrap().count(), 0);
        assert!(Workplace::enter(cache.path()).unwrap_err().message.contains("another"));
        drop(first);
        assert!(Workplace::enter(cache.path()).is_ok());
    }
}
