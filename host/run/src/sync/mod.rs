//! Bringing the environment in line with the project's files (SPEC K4): plugins, drivers, one pyspark, a lock file.
//!
//! Each part first says what there is and what is wanted; then it changes what differs and nothing else. Every file is
//! written beside its place and renamed, so that an interrupted `sync` is only run again. Not here: the command itself
//! (`task/sync.rs`), and where an engine looks for what was installed (`cluster`).

pub mod drivers;
pub mod environment;
pub mod fetch;
pub mod index;
pub mod library;
pub mod lock;
pub mod native;
pub mod ranges;
pub mod workplace;

use dvt_diagnostic::{Code, Diagnostic};
use std::path::Path;

/// What cannot be brought in line, and why.
pub fn failed(what: &str, why: &dyn std::fmt::Display) -> Diagnostic {
    Diagnostic::error(Code::SyncFailed, format!("{what}: {why}"))
}

/// Writes a file so that a reader sees the old one or the whole new one.
pub fn place(path: &Path, bytes: &[u8]) -> Result<(), Diagnostic> {
    let told = |e: std::io::Error| failed(&format!("{} cannot be written", path.display()), &e);
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(told)?;
    let part = tempfile::Builder::new().prefix(".dvt-").tempfile_in(folder).map_err(told)?;
    std::fs::write(part.path(), bytes).map_err(told)?;
    // A temporary file is its owner's only; what is installed is as readable as its folder.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(part.path(), std::fs::Permissions::from_mode(0o644)).map_err(told)?;
    }
    part.persist(path).map_err(|e| told(e.error))?;
    Ok(())
}
