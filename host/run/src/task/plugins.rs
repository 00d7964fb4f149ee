//! `plugin list`: every plugin found, in the order in which folders are searched.

use super::{OK, Task};
use crate::discover;
use crate::home::Home;
use crate::plugins::Plugins;
use dvt_diagnostic::{Code, Diagnostic};
use serde_json::json;
use std::io::Write;

impl Task {
    /// # Errors
    /// Output that cannot be written; a plugin that cannot be loaded is a warning.
    pub fn plugins(&self, as_json: bool, out: &mut dyn Write) -> Result<u8, Vec<Diagnostic>> {
        // Outside a project the home's plugins are listed.
        let root = discover::root(&self.settings).ok();
        let home = Home::find(&self.settings, root.as_deref());
        let folders = home.plugin_folders(&self.settings, root.as_deref());
        let plugins = Plugins::load(&folders, &home.cache());
        for warning in &plugins.warnings {
            self.printer.diagnostic(warning);
        }
        let listed = plugins.list();
        let text = if as_json {
            let list: Vec<_> = listed.iter().map(|p| json!({"id": p.manifest.id, "version": p.manifest.version, "contract": p.manifest.contract, "kind": p.manifest.kind, "types": p.manifest.types, "permissions": p.manifest.permissions, "encoding": p.encoding, "path": p.path})).collect();
            serde_json::to_string_pretty(&json!({"plugins": list, "folders": folders})).unwrap_or_default() + "\n"
        } else if listed.is_empty() {
            let searched: Vec<String> = folders.iter().map(|f| f.display().to_string()).collect();
            format!("no plugins found; searched: {}\n", if searched.is_empty() { "no existing folder".to_owned() } else { searched.join(", ") })
        } else {
            listed
                .iter()
                .map(|p| {
                    let m = &p.manifest;
                    let kind = json!(m.kind).as_str().unwrap_or_default().to_owned();
                    let asks = if m.permissions.is_empty() { String::new() } else { format!(" · asks for {}", m.permissions.join(", ")) };
                    format!("{} {} · {kind} · {}{asks} · {}\n", m.id, m.version, m.types.join(", "), p.path.display())
                })
                .collect()
        };
        out.write_all(text.as_bytes()).map_err(|e| vec![Diagnostic::error(Code::Artifact, e.to_string())])?;
        Ok(OK)
    }
}
