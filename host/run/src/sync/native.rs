//! Drivers that are shared libraries, from the wheel of Python's package index that carries them.
//!
//! The index is asked by its ordinary client, pip, of whatever Python is at hand: nothing is installed there. The wheel is
//! unpacked in `sync`'s own folder and the library alone is put in its place in DVT home (`crate::native`).

use super::library::{pip, run};
use super::{environment, failed};
use crate::native::wrong_range;
use crate::sync::ranges;
use dvt_diagnostic::Diagnostic;
use dvt_plugin_host::DriverSheet;
use std::path::{Path, PathBuf};

/// A library with its version and content.
pub struct Library {
    pub version: String,
    pub bytes: Vec<u8>,
}

/// The Python that asks the index: of the environment that is named, of the project's, of the one noted in DVT home, else the
/// system's.
///
/// # Errors
/// There is none.
pub fn python(root: &Path, home: &Path, working_dir: &Path, named: Option<&Path>, path: Option<&str>) -> Result<PathBuf, Diagnostic> {
    match environment::find(root, home, working_dir, named, &|_| None) {
        Ok(found) => return Ok(found.python()),
        Err(wrong) if named.is_some() => return Err(wrong),
        Err(_) => {}
    }
    let system = path.into_iter().flat_map(std::env::split_paths).map(|f| f.join("python3")).find(|p| p.is_file());
    system.ok_or_else(|| failed("a driver cannot be fetched", &"there is no Python, whose pip would fetch it").hint("install Python 3 with pip, or name an environment with --python-env PATH"))
}

/// Fetches a library; `version` is the one to have, where it is known already.
///
/// # Errors
/// Nobody has it for this machine, or the wheel is not what the plugin says.
pub fn fetch(sheet: &DriverSheet, version: Option<&str>, python: &Path, work: &Path) -> Result<Library, Diagnostic> {
    let range = ranges::of_text(&sheet.versions).ok_or_else(|| wrong_range(sheet))?;
    let asked = match version {
        Some(version) => format!("{}=={version}", sheet.package),
        None => format!("{}{}", sheet.package, sheet.versions.replace(' ', "")),
    };
    let told = |e: &dyn std::fmt::Display| failed(&format!("the wheel of {asked} cannot be unpacked"), e);
    let folder = tempfile::Builder::new().prefix("dvt-wheel-").tempdir_in(work).map_err(|e| told(&e))?;
    let at = folder.path().to_string_lossy().into_owned();
    pip(python, &["download", "-q", "--no-deps", "--only-binary", ":all:", "-d", &at, &asked], &format!("{asked} cannot be fetched; nothing was installed"))?;
    let files = std::fs::read_dir(folder.path()).map_err(|e| told(&e))?;
    let wheel = files.filter_map(|e| Some(e.ok()?.path())).find(|p| p.extension().is_some_and(|e| e == "whl")).ok_or_else(|| told(&"pip fetched no wheel"))?;
    let name = wheel.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let version = name.split('-').nth(1).unwrap_or_default().to_owned();
    if version.contains(['/', '\\']) || version.starts_with('.') || !range.holds(&version) {
        return Err(told(&format!("pip fetched {name}, and the plugin takes {}", sheet.versions)));
    }
    let unpacked = folder.path().join("unpacked");
    let output = run(python, &["-m", "zipfile", "-e", &wheel.to_string_lossy(), &unpacked.to_string_lossy()])?;
    if !output.status.success() {
        return Err(told(&String::from_utf8_lossy(&output.stderr).trim().replace('\n', " / ")));
    }
    let bytes = std::fs::read(unpacked.join(&sheet.library)).map_err(|e| told(&format!("{name} has no {}: {e}", sheet.library)))?;
    Ok(Library { version, bytes })
}
