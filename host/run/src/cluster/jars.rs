//! Drivers that an engine outside the host needs: where their files are looked for.
//!
//! The order, in one place for every command that needs it: the compute's `jars` (files or folders); `DVT_JARS` (a list of
//! folders); DVT home's `jars/` (`dvt sync` puts them there); the system's folder of Java libraries. The first file whose
//! name is the driver's counts; of several in one folder the last by name, which is the newest.

use crate::home::Home;
use crate::project::Project;
use crate::settings::Settings;
use dvt_plugin_host::Artifact;
use std::path::{Path, PathBuf};

/// Folders of drivers, as a path list.
pub const ENV_JARS: &str = "DVT_JARS";
/// Where distributions put Java libraries.
const SYSTEM: &str = "/usr/share/java";

/// Places in order; `named` are the compute's own.
pub fn places(project: &Project, named: &[String]) -> Vec<PathBuf> {
    places_of(&project.root, &project.home, &project.settings, named)
}

/// The same before a project is read.
pub fn places_of(root: &Path, home: &Home, settings: &Settings, named: &[String]) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = named.iter().map(|n| root.join(n)).collect();
    all.extend(settings.env(ENV_JARS).into_iter().flat_map(std::env::split_paths));
    all.push(home.root.join("jars"));
    if home.writable != home.root {
        all.push(home.writable.join("jars"));
    }
    all.push(PathBuf::from(SYSTEM));
    all
}

/// The driver's file.
pub fn find(artifact: &Artifact, places: &[PathBuf]) -> Option<PathBuf> {
    let is = |path: &PathBuf| path.file_name().is_some_and(|n| artifact.is(&n.to_string_lossy()));
    places.iter().find_map(|place| {
        if place.is_file() {
            return Some(place.clone()).filter(is);
        }
        let mut found: Vec<PathBuf> = std::fs::read_dir(place).ok()?.filter_map(|e| Some(e.ok()?.path())).filter(|p| is(p) && p.is_file()).collect();
        found.sort();
        found.pop()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::find;
    use dvt_plugin_host::Artifact;

    #[test]
    fn the_first_place_wins_and_there_the_newest_file() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (folder, name) in [(&one, "readme"), (&two, "db-1.jar"), (&two, "db-2.jar")] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let artifact = Artifact { files: vec!["db-*.jar".to_owned()], ..Artifact::default() };
        let places = [one.path().to_path_buf(), two.path().to_path_buf()];
        assert_eq!(find(&artifact, &places).unwrap(), two.path().join("db-2.jar"));
        // A file that was named itself.
        assert_eq!(find(&artifact, &[two.path().join("db-1.jar")]).unwrap(), two.path().join("db-1.jar"));
        assert_eq!(find(&artifact, &places[..1]), None);
    }
}
