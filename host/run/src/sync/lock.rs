//! `dvt-lock.json`: what a project was brought in line with. Beside the project file, to be kept with it.
//!
//! It names versions and checksums and no path of a machine. A plugin that was installed by a person's word is loaded only
//! with the content and the permissions that stand here (SPEC G3).

use super::fetch::sha256;
use super::{failed, place};
use dvt_diagnostic::{Code, Diagnostic};
use dvt_plugin_host::{Listed, PluginManifest};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

pub const FILE: &str = "dvt-lock.json";
/// Where a bundled plugin comes from: it changes with dvt itself, so its checksum binds nobody.
pub const BUNDLED: &str = "dvt";

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// By id.
    #[serde(default)]
    pub plugins: BTreeMap<String, LockedPlugin>,
    /// By coordinates.
    #[serde(default)]
    pub drivers: BTreeMap<String, LockedDriver>,
    /// Drivers that are shared libraries, by the package that carries them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub native: BTreeMap<String, LockedNative>,
    /// Python libraries by name.
    #[serde(default)]
    pub libraries: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedPlugin {
    pub version: String,
    pub contract: String,
    /// Absent for a bundled one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sha256: String,
    #[serde(default)]
    pub permissions: Vec<String>,
    /// `dvt`, `index` or `file`.
    pub from: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedDriver {
    pub file: String,
    pub sha256: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedNative {
    pub version: String,
    /// By the machine's system and processor: one version is another library on each.
    pub sha256: BTreeMap<String, String>,
}

/// What a library is made for, as lock files call it.
pub fn machine() -> String {
    format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}

impl LockedPlugin {
    pub fn of(manifest: &PluginManifest, bytes: &[u8], from: &str) -> Self {
        Self {
            version: manifest.version.clone(),
            contract: manifest.contract.clone(),
            sha256: sha256(bytes),
            permissions: manifest.permissions.clone(),
            from: from.to_owned(),
        }
    }
}

impl Lock {
    /// An absent file is an empty lock.
    ///
    /// # Errors
    /// A file that is no lock.
    pub fn read(folder: &Path) -> Result<Self, Diagnostic> {
        let path = folder.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(failed(&format!("{} cannot be read", path.display()), &e)),
        };
        serde_json::from_str(&text).map_err(|e| failed(&format!("{} cannot be read", path.display()), &e).hint("restore it, or remove it and run `dvt sync`"))
    }

    pub fn write(&self, folder: &Path) -> Result<(), Diagnostic> {
        let text = serde_json::to_string_pretty(self).map_err(|e| failed("the lock file cannot be written", &e))? + "\n";
        place(&folder.join(FILE), text.as_bytes())
    }

    /// Installed plugins that are not what the lock says.
    ///
    /// # Errors
    /// Another content of a locked version, or permissions that nobody granted.
    pub fn check(&self, listed: &[Listed]) -> Result<(), Diagnostic> {
        let bound = |p: &&Listed| self.plugins.get(&p.manifest.id).is_some_and(|l| l.from != BUNDLED);
        for plugin in listed.iter().filter(bound) {
            let Some(locked) = self.plugins.get(&plugin.manifest.id) else { continue };
            let bytes = std::fs::read(&plugin.path).map_err(|e| failed(&format!("{} cannot be read", plugin.path.display()), &e))?;
            self.same(&plugin.manifest, &bytes, locked)?;
        }
        Ok(())
    }

    /// A driver's file of the name that is recorded must have the recorded content.
    ///
    /// # Errors
    /// Another content; a file that cannot be read.
    pub fn check_driver(&self, coordinates: &str, path: &Path) -> Result<(), Diagnostic> {
        let own = |l: &&LockedDriver| path.file_name().is_some_and(|n| n.to_string_lossy() == l.file);
        let Some(locked) = self.drivers.get(coordinates).filter(own) else { return Ok(()) };
        let bytes = std::fs::read(path).map_err(|e| failed(&format!("{} cannot be read", path.display()), &e))?;
        let now = sha256(&bytes);
        if now == locked.sha256 {
            return Ok(());
        }
        let message = format!("{} is not the driver that the lock file records: its sha256 is {now}, the lock file has {}", path.display(), locked.sha256);
        Err(Diagnostic::error(Code::SyncFailed, message).hint("the file was damaged or replaced: remove it and run `dvt sync` again, or remove its entry from the lock file"))
    }

    /// The library of the version that is recorded must have the content that is recorded for this machine.
    ///
    /// # Errors
    /// Another content; a file that cannot be read.
    pub fn check_native(&self, package: &str, path: &Path) -> Result<(), Diagnostic> {
        let Some(known) = self.native.get(package).and_then(|l| l.sha256.get(&machine())) else { return Ok(()) };
        let bytes = std::fs::read(path).map_err(|e| failed(&format!("{} cannot be read", path.display()), &e))?;
        let now = sha256(&bytes);
        if now == *known {
            return Ok(());
        }
        let message = format!("{} is not the driver that the lock file records: its sha256 is {now}, the lock file has {known}", path.display());
        Err(Diagnostic::error(Code::SyncFailed, message).hint("the file was damaged or replaced: remove it and run `dvt sync` again, or remove its entry from the lock file"))
    }

    fn same(&self, manifest: &PluginManifest, bytes: &[u8], locked: &LockedPlugin) -> Result<(), Diagnostic> {
        let id = &manifest.id;
        let refused = |message: String| {
            Diagnostic::error(Code::PluginChanged, message).hint("`dvt plugin add FILE` looks at the file and records it; `dvt sync` installs what the lock file says")
        };
        if locked.sha256 != sha256(bytes) {
            return Err(refused(format!("plugin `{id}` {} is not the one that {FILE} records ({}): its content is another", manifest.version, locked.version)));
        }
        match manifest.permissions.iter().find(|p| !locked.permissions.contains(p)) {
            Some(permission) => Err(refused(format!("plugin `{id}` asks for `{permission}`, which {FILE} does not grant"))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Lock, LockedDriver};

    #[test]
    fn a_lock_is_read_as_it_was_written_and_a_broken_one_is_told() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Lock::read(folder.path()).unwrap(), Lock::default());
        let mut lock = Lock::default();
        lock.drivers.insert("a:b:1".to_owned(), LockedDriver { file: "b-1.jar".to_owned(), sha256: "00".to_owned() });
        lock.write(folder.path()).unwrap();
        assert_eq!(Lock::read(folder.path()).unwrap(), lock);
        std::fs::write(folder.path().join(super::FILE), "{").unwrap();
        assert!(Lock::read(folder.path()).unwrap_err().message.contains(super::FILE));
    }
}
