//! `plugin inspect` and `plugin add`: a plugin file looked at, and taken into DVT home and the lock file (SPEC G3).

use super::sync::{grant, install_plugin};
use super::{OK, Task};
use crate::discover;
use crate::home::Home;
use crate::sync::fetch;
use crate::sync::lock::{FILE, Lock, LockedPlugin};
use dvt_diagnostic::{Code, Diagnostic};
use dvt_plugin_host::{PluginManifest, manifest_of};
use serde_json::json;
use std::io::Write;
use std::path::Path;

impl Task {
    fn plugin_file(&self, file: &Path) -> Result<(PluginManifest, Vec<u8>), Diagnostic> {
        let path = self.settings.working_dir.join(file);
        let bytes = std::fs::read(&path).map_err(|e| Diagnostic::error(Code::PluginInvalid, format!("{} cannot be read: {e}", path.display())))?;
        Ok((manifest_of(&path, &bytes)?, bytes))
    }

    /// Runs none of the file's code.
    ///
    /// # Errors
    /// A file that is no plugin, output that cannot be written.
    pub fn plugin_inspect(&self, file: &Path, as_json: bool, out: &mut dyn Write) -> Result<u8, Vec<Diagnostic>> {
        let (manifest, bytes) = self.plugin_file(file).map_err(|d| vec![d])?;
        let sum = fetch::sha256(&bytes);
        let text = if as_json {
            let mut document = json!(manifest);
            document["sha256"] = json!(sum);
            document["bytes"] = json!(bytes.len());
            serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
        } else {
            let asks = if manifest.permissions.is_empty() { "nothing".to_owned() } else { manifest.permissions.join(", ") };
            let kind = json!(manifest.kind).as_str().unwrap_or_default().to_owned();
            format!(
                "id: {}\nversion: {}\ncontract: {}\nkind: {kind}\ntypes: {}\nasks for: {asks}\nsha256: {sum}\nbytes: {}\n",
                manifest.id, manifest.version, manifest.contract, manifest.types.join(", "), bytes.len()
            )
        };
        out.write_all(text.as_bytes()).map_err(|e| vec![Diagnostic::error(Code::Artifact, e.to_string())])?;
        Ok(OK)
    }

    /// In a project the plugin is recorded in its lock file; outside one it is only installed.
    ///
    /// # Errors
    /// A file that is no plugin, permissions that nobody grants.
    pub fn plugin_add(&self, file: &Path, yes: bool, ask: &dyn Fn(&str) -> Option<String>) -> Result<u8, Vec<Diagnostic>> {
        let one = |d: Diagnostic| vec![d];
        let (manifest, bytes) = self.plugin_file(file).map_err(one)?;
        let root = discover::root(&self.settings).ok();
        let home = Home::find(&self.settings, root.as_deref());
        let mut lock = root.as_deref().map(Lock::read).transpose().map_err(one)?;
        let known = lock.as_ref().and_then(|l| l.plugins.get(&manifest.id)).map(|l| l.permissions.clone()).unwrap_or_default();
        grant(&manifest, &known, yes, ask).map_err(one)?;
        let path = install_plugin(&home.writable, &manifest, &bytes).map_err(one)?;
        self.printer.line(&format!("Installed plugin {} {} as {}", manifest.id, manifest.version, path.display()));
        if let (Some(root), Some(lock)) = (&root, &mut lock) {
            lock.plugins.insert(manifest.id.clone(), LockedPlugin::of(&manifest, &bytes, "file"));
            lock.write(root).map_err(one)?;
            self.printer.line(&format!("Recorded it in {FILE}"));
        }
        Ok(OK)
    }
}
