//! Whose turn it is: runs that share a DVT home build one relation one after the other, each from what the one before left.
//!
//! Two increments at once would both see the same old rows and add theirs twice. A turn is a file lock, so it ends with
//! its process, however that ends. Not here: runs from other homes, which meet only at the database.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a waiting run looks again.
const PAUSE: Duration = Duration::from_millis(20);

/// Held while its owner builds.
pub struct Turn {
    path: PathBuf,
    _file: File,
}

impl Turn {
    /// Waits for the turn to build what `key` names. `waiting` is called each time before the wait goes on and ends it by
    /// saying false; the turn is then None.
    pub fn take(folder: &Path, key: &str, waiting: &mut dyn FnMut() -> bool) -> std::io::Result<Option<Self>> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(format!("{:016x}.lock", fold(key)));
        loop {
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
            match file.try_lock() {
                // The one before removes the file: a lock on a file without a name keeps nobody out.
                Ok(()) if is_at(&file, &path) => return Ok(Some(Self { path, _file: file })),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    if !waiting() {
                        return Ok(None);
                    }
                    std::thread::sleep(PAUSE);
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Still locked: whoever opened it meanwhile finds out that its name is gone.
        if cfg!(unix) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(own), Ok(there)) => (own.dev(), own.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// Where files are not removed while they are open, the name stays.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

/// FNV-1a. Two relations of one number would only wait for each other.
fn fold(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Turn;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn one_relation_is_built_by_one_at_a_time_and_no_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, done) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let turn = Turn::take(folder.path(), "server.orders", &mut || true).unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        done.fetch_add(1, Ordering::SeqCst);
                        drop(turn);
                    }
                });
            }
        });
        assert_eq!(done.into_inner(), 160);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn who_is_told_not_to_wait_gets_no_turn() {
        let folder = tempfile::tempdir().unwrap();
        let first = Turn::take(folder.path(), "a", &mut || true).unwrap();
        assert!(Turn::take(folder.path(), "a", &mut || false).unwrap().is_none());
        assert!(Turn::take(folder.path(), "b", &mut || false).unwrap().is_some());
        drop(first);
        assert!(Turn::take(folder.path(), "a", &mut || false).unwrap().is_some());
    }
}
