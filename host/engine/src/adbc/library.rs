//! Drivers that are shared libraries: loaded once, kept for as long as the process lasts.
//!
//! Some bring a runtime of their own that cannot be unloaded. Not here: where a library comes from, and whether it is the one
//! that was meant; both are the caller's.

use super::failure;
use crate::error::{EngineError, ErrorKind};
use adbc_core::options::AdbcVersion;
use adbc_driver_manager::ManagedDriver;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

static LOADED: Mutex<BTreeMap<PathBuf, ManagedDriver>> = Mutex::new(BTreeMap::new());

/// The driver of a file. `entry`: its initialising function; None derives the name from the file's.
pub(super) fn load(path: &Path, entry: Option<&str>) -> Result<ManagedDriver, EngineError> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(driver) = loaded.get(path) {
        return Ok(driver.clone());
    }
    let one = |version| ManagedDriver::load_dynamic_from_filename(path, entry.map(str::as_bytes), version);
    // An older driver does not know the newer form.
    let driver = one(AdbcVersion::V110).or_else(|_| one(AdbcVersion::V100)).map_err(|e| {
        let error = failure(&e, ErrorKind::Version);
        let message = format!("the driver {} cannot be loaded: {}", path.display(), error.message);
        EngineError { kind: ErrorKind::Version, message, ..error }.hint("it may be of another machine or damaged: remove it and run `dvt sync`")
    })?;
    loaded.insert(path.to_owned(), driver.clone());
    Ok(driver)
}
