//! `plugin test`: the contract suite on one plugin file, as a checklist.

use super::{FAILED, OK, Task};
use crate::contract::{Check, Live};
use crate::home::Home;
use crate::native::NativeDrivers;
use crate::plugins::Plugins;
use crate::{contract, discover};
use dvt_diagnostic::{Code, Diagnostic};
use serde_json::json;
use std::io::Write;
use std::path::Path;

impl Task {
    /// With a profile and a target, sessions of it are tried too.
    ///
    /// # Errors
    /// Output that cannot be written, a profile that cannot be read. What a plugin does wrong is a failed check.
    pub fn plugin_test(&self, file: &Path, as_json: bool, out: &mut dyn Write) -> Result<u8, Vec<Diagnostic>> {
        let root = discover::root(&self.settings).ok();
        let home = Home::find(&self.settings, root.as_deref());
        let folders = home.plugin_folders(&self.settings, root.as_deref());
        let checks = match Plugins::with_file(&self.settings.working_dir.join(file), &folders, &home.cache()) {
            Err(e) => vec![Check::failed("the manifest can be read", &e.to_string())],
            Ok((plugins, listed)) => {
                let live = match &self.settings.target {
                    None => None,
                    Some(target) => {
                        let (profiles, _) = discover::profile_files(&home).map_err(|d| vec![d])?;
                        let text = profiles.ok_or_else(|| vec![Diagnostic::error(Code::ProfileNotFound, format!("there is no {}", home.profiles.display()))])?;
                        let drivers = NativeDrivers::of(&home, root.as_deref()).map_err(|d| vec![d])?;
                        Some(Live { profiles: text, profile: self.settings.profile.clone(), target: target.clone(), env: self.settings.env.clone(), drivers })
                    }
                };
                contract::check(&plugins, &listed, live.as_ref())
            }
        };
        let failed = checks.iter().filter(|c| c.outcome.is_err()).count();
        let text = if as_json {
            let list: Vec<_> = checks.iter().map(|c| json!({"check": c.what, "ok": c.outcome.is_ok(), "note": c.outcome.as_ref().map_or_else(|e| e, |n| n)})).collect();
            serde_json::to_string_pretty(&list).unwrap_or_default() + "\n"
        } else {
            let lines: String = checks.iter().map(ToString::to_string).collect();
            format!("{lines}{} checks, {failed} failed\n", checks.len())
        };
        out.write_all(text.as_bytes()).map_err(|e| vec![Diagnostic::error(Code::Artifact, e.to_string())])?;
        Ok(if failed == 0 { OK } else { FAILED })
    }
}
