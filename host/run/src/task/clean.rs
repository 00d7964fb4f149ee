//! `clean`: removes the folders that `clean-targets` names, inside the project only.

use super::{OK, Task};
use crate::discover;
use dvt_diagnostic::{Code, Diagnostic, Span};
use serde_json::Value;
use std::path::PathBuf;

impl Task {
    /// # Errors
    /// No project, or a folder that cannot or must not be removed.
    pub fn clean(&self) -> Result<u8, Vec<Diagnostic>> {
        let one = |d: Diagnostic| vec![d];
        let root = discover::root(&self.settings).map_err(one)?;
        let root = root.canonicalize().unwrap_or(root);
        let file = discover::PROJECT_FILES.iter().map(|f| root.join(f)).find(|f| f.is_file()).unwrap_or_default();
        let text = std::fs::read_to_string(&file).map_err(|e| vec![Diagnostic::error(Code::ProjectInvalid, format!("{}: {e}", file.display()))])?;
        let shown = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let yaml = dvt_project::yaml::parse(&shown, &text).map_err(one)?.root.to_json();
        let text_of = |key: &str| yaml.get(key).and_then(Value::as_str).map(str::to_owned);
        let folders: Vec<String> = match yaml.get("clean-targets").and_then(Value::as_array) {
            Some(list) => list.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
            None => vec![text_of("target-path").unwrap_or_else(|| "target".to_owned())],
        };
        let kept: Vec<PathBuf> = ["model-paths", "seed-paths", "test-paths", "macro-paths", "snapshot-paths", "analysis-paths"]
            .iter()
            .flat_map(|k| yaml.get(*k).and_then(Value::as_array).cloned().unwrap_or_default())
            .filter_map(|v| v.as_str().map(|p| root.join(p)))
            .chain(["models", "seeds", "tests", "macros", "snapshots", "analyses"].iter().map(|p| root.join(p)))
            .collect();
        for folder in folders {
            let Ok(path) = root.join(&folder).canonicalize() else { continue };
            let refused = |why: &str| vec![Diagnostic::error(Code::ProjectInvalid, format!("`{folder}` is not removed: {why}")).at(Span::file(shown.clone()))];
            if path == root || !path.starts_with(&root) {
                return Err(refused("it is not inside the project"));
            }
            if kept.iter().any(|k| k.starts_with(&path)) {
                return Err(refused("it holds the project's own files"));
            }
            let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            removed.map_err(|e| vec![Diagnostic::error(Code::Artifact, format!("{}: {e}", path.display()))])?;
            self.printer.line(&format!("Removed {}", path.display()));
        }
        self.printer.line("Finished cleaning");
        Ok(OK)
    }
}
