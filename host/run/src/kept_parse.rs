//! The last parse of a project, kept in its target folder (dbt's partial parse).
//!
//! A file that cannot be read or written only costs time. Not here: whether the bytes still hold.

use crate::settings::Settings;
use dvt_project::ProjectInput;
use std::path::{Path, PathBuf};

const FILE: &str = "partial_parse.dvt";

pub struct KeptParse {
    /// None: `--no-partial-parse`.
    path: Option<PathBuf>,
}

impl KeptParse {
    pub fn of(settings: &Settings, root: &Path, input: &ProjectInput) -> Self {
        if !settings.on("partial_parse") {
            return Self { path: None };
        }
        let named = settings.text("target_path").map(str::to_owned);
        let folder = named.or_else(|| target_path(input)).unwrap_or_else(|| "target".to_owned());
        Self { path: Some(root.join(folder).join(FILE)) }
    }

    pub fn read(&self) -> Option<Vec<u8>> {
        std::fs::read(self.path.as_ref()?).ok()
    }

    /// Written beside and renamed: another run reads the old bytes or the new ones.
    pub fn write(&self, bytes: &[u8]) {
        let Some(path) = &self.path else { return };
        let Some(folder) = path.parent() else { return };
        let part = path.with_extension(format!("{}.part", std::process::id()));
        let done = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&part, bytes)).and_then(|()| std::fs::rename(&part, path));
        if done.is_err() {
            let _ = std::fs::remove_file(&part);
        }
    }
}

/// `target-path:` of the project file, which is not read yet.
fn target_path(input: &ProjectInput) -> Option<String> {
    let text = crate::discover::PROJECT_FILES.iter().find_map(|f| input.files.get(*f))?;
    let line = text.lines().find_map(|l| l.strip_prefix("target-path:"))?;
    let value = line.split(" #").next().unwrap_or_default().trim().trim_matches(['"', '\'']);
    (!value.is_empty() && !value.contains("{{")).then(|| value.to_owned())
}
