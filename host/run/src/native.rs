//! Native drivers that are shared libraries: where their files are, and that they are the ones that were brought.
//!
//! DVT home's `drivers/<package>/<version>/` holds them (`dvt sync` puts them there). The version that the project's lock file
//! records counts, with the content that stands there; without an entry the newest that the plugin takes. Nothing of another
//! content is loaded: a library runs with all that dvt may do.

use crate::home::Home;
use crate::packages::best;
use crate::sync::failed;
use crate::sync::lock::Lock;
use crate::sync::ranges;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_plugin_host::DriverSheet;
use std::path::{Path, PathBuf};

/// The folder of DVT home.
pub const FOLDER: &str = "drivers";

/// The libraries of a machine, as a project may use them.
#[derive(Debug, Clone, Default)]
pub struct NativeDrivers {
    folders: Vec<PathBuf>,
    lock: Lock,
}

/// The folders that hold drivers, the one that is written to first.
pub fn folders(home: &Home) -> Vec<PathBuf> {
    let mut all = vec![home.writable.join(FOLDER)];
    if home.root != home.writable {
        all.push(home.root.join(FOLDER));
    }
    all
}

/// The file of a version below a folder.
pub fn file(folder: &Path, sheet: &DriverSheet, version: &str) -> PathBuf {
    let name = sheet.library.rsplit('/').next().unwrap_or(&sheet.library);
    folder.join(&sheet.package).join(version).join(name)
}

/// The newest version in `folders` within the plugin's range, with its file.
pub fn newest(folders: &[PathBuf], sheet: &DriverSheet) -> Result<Option<(String, PathBuf)>, Diagnostic> {
    let range = ranges::of_text(&sheet.versions).ok_or_else(|| wrong_range(sheet))?;
    for folder in folders {
        let versions = std::fs::read_dir(folder.join(&sheet.package)).into_iter().flatten();
        let mut found: Vec<String> = versions.filter_map(|e| e.ok()?.file_name().into_string().ok()).filter(|v| file(folder, sheet, v).is_file()).collect();
        found.sort();
        if let Some(version) = best(found.iter().map(String::as_str), &range.bounds, false) {
            return Ok(Some((version.to_owned(), file(folder, sheet, version))));
        }
    }
    Ok(None)
}

pub fn wrong_range(sheet: &DriverSheet) -> Diagnostic {
    Diagnostic::error(Code::PluginContract, format!("`{}` of the driver {} is no range of versions", sheet.versions, sheet.package))
}

impl NativeDrivers {
    /// `root` is the project's, where there is one.
    ///
    /// # Errors
    /// A lock file that cannot be read.
    pub fn of(home: &Home, root: Option<&Path>) -> Result<Self, Diagnostic> {
        Ok(Self { folders: folders(home), lock: root.map(Lock::read).transpose()?.unwrap_or_default() })
    }

    /// The library's file.
    ///
    /// # Errors
    /// `DVT5110`: it is not there, or is not the one that the lock file records.
    pub fn find(&self, sheet: &DriverSheet) -> Result<PathBuf, Diagnostic> {
        let absent = |what: String| failed(&format!("the driver {what} is not on this machine"), &format!("looked in {}", self.folders[0].display())).hint("run `dvt sync`, which brings it from Python's package index");
        let Some(locked) = self.lock.native.get(&sheet.package) else {
            let found = newest(&self.folders, sheet)?;
            return found.map(|(_, path)| path).ok_or_else(|| absent(format!("{} {}", sheet.package, sheet.versions)));
        };
        let range = ranges::of_text(&sheet.versions).ok_or_else(|| wrong_range(sheet))?;
        if !range.holds(&locked.version) {
            return Err(failed(&format!("the driver {} {}", sheet.package, locked.version), &format!("the plugin takes {}", sheet.versions)).hint("run `dvt sync`"));
        }
        let path = self.folders.iter().map(|f| file(f, sheet, &locked.version)).find(|p| p.is_file());
        let path = path.ok_or_else(|| absent(format!("{} {}", sheet.package, locked.version)))?;
        self.lock.check_native(&sheet.package, &path)?;
        Ok(path)
    }
}
