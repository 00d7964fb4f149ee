//! DVT home and the two files that may lie elsewhere (SPEC F1).

use crate::settings::Settings;
use dvt_diagnostic::{Code, Diagnostic};
use std::path::{Path, PathBuf};

pub const ENV_HOME: &str = "DVT_PROFILES_DIR";
pub const ENV_HOME_SHORT: &str = "PROFILES_DIR";
pub const ENV_DBT_PROFILES: &str = "DBT_PROFILES_DIR";
pub const ENV_PROJECT_DIR: &str = "DBT_PROJECT_DIR";
pub const ENV_PLUGINS: &str = "DVT_PLUGIN_PATH";

/// Where a person's files are.
#[derive(Debug, Clone, Default)]
pub struct Home {
    pub root: PathBuf,
    /// `data`, `plugins`, `cache`: below the root, or below `~/.dvt` where the root cannot be written.
    pub writable: PathBuf,
    pub profiles: PathBuf,
    pub computes: PathBuf,
    pub notes: Vec<Diagnostic>,
}

impl Home {
    /// `project` is the project's root, if there is one.
    pub fn find(settings: &Settings, project: Option<&Path>) -> Self {
        let user = settings.env("HOME").or_else(|| settings.env("USERPROFILE")).map_or_else(|| settings.working_dir.clone(), PathBuf::from);
        let usual = user.join(".dvt");
        let absolute = |p: &Path| settings.working_dir.join(p);
        let named = settings
            .profiles_dir
            .as_deref()
            .map(absolute)
            .or_else(|| settings.env(ENV_HOME).or_else(|| settings.env(ENV_HOME_SHORT)).map(|p| absolute(&expanded(p, &user))));
        let root = named.clone().unwrap_or_else(|| usual.clone());
        let mut notes = Vec::new();
        let legacy = user.join(".dbt/profiles.yml");
        let candidates = [
            named.as_ref().map(|n| n.join("profiles.yml")),
            settings.env(ENV_DBT_PROFILES).map(|p| absolute(&expanded(p, &user)).join("profiles.yml")),
            project.map(|p| p.join("profiles.yml")),
            Some(usual.join("profiles.yml")),
        ];
        let found = if settings.profiles_dir.is_some() { None } else { candidates.iter().flatten().find(|p| p.is_file()) };
        let profiles = match found {
            Some(path) => path.clone(),
            None if named.is_none() && legacy.is_file() => {
                notes.push(Diagnostic::note(Code::ProfileNotFound, format!("{} is read: {} does not exist", legacy.display(), root.join("profiles.yml").display())));
                legacy
            }
            None => root.join("profiles.yml"),
        };
        let beside = profiles.with_file_name("computes.yml");
        let computes = if beside.is_file() { beside } else { root.join("computes.yml") };
        let writable = if can_write(&root) {
            root.clone()
        } else {
            notes.push(Diagnostic::note(Code::Artifact, format!("{} cannot be written; data and cache go to {}", root.display(), usual.display())));
            usual
        };
        Self { root, writable, profiles, computes, notes }
    }

    pub fn data(&self) -> PathBuf {
        self.writable.join("data")
    }
    pub fn cache(&self) -> PathBuf {
        self.writable.join("cache")
    }
    pub fn mdm(&self) -> dvt_mdm::Mdm {
        dvt_mdm::Mdm::new(self.data())
    }

    /// Where plugins are looked for, in order.
    pub fn plugin_folders(&self, settings: &Settings, project: Option<&Path>) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = Vec::new();
        if let Some(list) = settings.env(ENV_PLUGINS) {
            folders.extend(std::env::split_paths(list));
        }
        folders.extend(project.map(|p| p.join("plugins")));
        folders.push(self.root.join("plugins"));
        if self.writable != self.root {
            folders.push(self.writable.join("plugins"));
        }
        folders.extend(settings.binary_dir.as_ref().map(|b| b.join("../plugins")));
        folders.retain(|f| f.is_dir());
        folders.dedup();
        folders
    }
}

fn expanded(path: &str, user: &Path) -> PathBuf {
    path.strip_prefix("~/").map_or_else(|| if path == "~" { user.to_path_buf() } else { PathBuf::from(path) }, |rest| user.join(rest))
}

/// Whether files can be made in `folder`, or it can be made itself.
fn can_write(folder: &Path) -> bool {
    if folder.is_dir() {
        return tempfile::Builder::new().prefix(".dvt-").tempfile_in(folder).is_ok();
    }
    std::fs::create_dir_all(folder).is_ok()
}
