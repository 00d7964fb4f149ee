//! Driver files of engines outside the host: found, or fetched into DVT home's `jars/`.
//!
//! Where they are looked for stands in `cluster::jars`. What is nowhere comes from a mirror of a Java package index when one
//! is named, else from the system's package of that name, unpacked without root. There is no default address.

use super::failed;
use super::fetch::{below, bytes, sha1, sha256};
use super::place;
use dvt_diagnostic::Diagnostic;
use dvt_plugin_host::Artifact;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Names a mirror for every compute that names none.
pub const ENV_MIRROR: &str = "DVT_MAVEN_MIRROR";

/// A driver as a file with its content.
pub struct Driver {
    pub name: String,
    pub bytes: Vec<u8>,
    /// For people: where it came from.
    pub from: String,
}

/// `group:name:version` as an index lays it out: folder and file.
fn laid_out(coordinates: &str) -> Option<(String, String)> {
    let [group, name, version] = coordinates.split(':').collect::<Vec<_>>().try_into().ok()?;
    Some((format!("{}/{name}/{version}", group.replace('.', "/")), format!("{name}-{version}.jar")))
}

/// Fetches a driver that is nowhere on this machine.
///
/// # Errors
/// Nobody has it: what a person can do stands in the hint.
pub fn fetch(artifact: &Artifact, mirror: Option<&str>, work: &Path) -> Result<Driver, Diagnostic> {
    if let Some(mirror) = mirror {
        return from_mirror(artifact, mirror);
    }
    from_package(artifact, work)
}

fn from_mirror(artifact: &Artifact, mirror: &str) -> Result<Driver, Diagnostic> {
    let wrong = || failed(&format!("driver {}", artifact.coordinates), &"it has no `group:name:version`");
    let (folder, name) = laid_out(&artifact.coordinates).ok_or_else(wrong)?;
    let path = below(&below(mirror, &folder), &name);
    let content = bytes(&path)?;
    let sum = |ending: &str| bytes(&format!("{path}.{ending}")).ok().map(|b| String::from_utf8_lossy(&b).split_whitespace().next().unwrap_or_default().to_lowercase());
    let known = sum("sha256").map(|s| (s, sha256(&content))).or_else(|| sum("sha1").map(|s| (s, sha1(&content))));
    match known {
        Some((said, is)) if said == is => Ok(Driver { name, bytes: content, from: mirror.to_owned() }),
        Some((said, is)) => Err(failed(&format!("{path} is damaged"), &format!("its checksum is {is}, the index says {said}")).hint("nothing was installed; try again, or another mirror")),
        None => Err(failed(&format!("{path} has no checksum beside it"), &"neither .sha256 nor .sha1").hint("nothing was installed")),
    }
}

/// The system's package, downloaded and unpacked in a folder of its own.
fn from_package(artifact: &Artifact, work: &Path) -> Result<Driver, Diagnostic> {
    let missing = |why: &str| failed(&format!("driver {} is not on this machine", artifact.coordinates), &why).hint(advice(artifact));
    if artifact.debian.is_empty() {
        return Err(missing("and no system package has it"));
    }
    let folder = tempfile::Builder::new().prefix("dvt-driver-").tempdir_in(work).map_err(|e| failed("a driver cannot be fetched", &e))?;
    let run = |program: &str, words: &[&str]| {
        let output = Command::new(program).args(words).current_dir(folder.path()).stdin(Stdio::null()).output();
        output.map_err(|e| format!("{program} cannot be started: {e}")).and_then(|o| {
            let said = String::from_utf8_lossy(&o.stderr).trim().replace('\n', " / ");
            if o.status.success() { Ok(()) } else { Err(format!("{program}: {said}")) }
        })
    };
    run("apt-get", &["download", "-q", &artifact.debian]).map_err(|why| missing(&format!("and package {} cannot be fetched: {why}", artifact.debian)))?;
    let files = std::fs::read_dir(folder.path()).map_err(|e| failed("a driver cannot be unpacked", &e))?;
    let package = files.filter_map(|e| Some(e.ok()?.path())).find(|p| p.extension().is_some_and(|e| e == "deb"));
    let package = package.ok_or_else(|| missing("and apt-get fetched no package"))?;
    run("dpkg-deb", &["-x", &package.to_string_lossy(), "."]).map_err(|why| missing(&why))?;
    let java = folder.path().join("usr/share/java");
    let found = std::fs::read_dir(&java).into_iter().flatten().filter_map(|e| Some(e.ok()?.path()));
    // Links name the same file without its version.
    let mut found: Vec<PathBuf> = found.filter(|p| p.file_name().is_some_and(|n| artifact.is(&n.to_string_lossy())) && !p.is_symlink()).collect();
    found.sort();
    let file = found.pop().ok_or_else(|| missing(&format!("and package {} does not have it", artifact.debian)))?;
    let content = std::fs::read(&file).map_err(|e| failed("a driver cannot be read", &e))?;
    let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Driver { name, bytes: content, from: format!("package {}", artifact.debian) })
}

fn advice(artifact: &Artifact) -> String {
    let files = artifact.files.join(" or ");
    let more = if artifact.advice.is_empty() { String::new() } else { format!("; {}", artifact.advice) };
    format!("put {files} into DVT home's jars/, name it under `jars` of the compute, or name a mirror with `maven_mirror` or {ENV_MIRROR}{more}")
}

/// Puts a driver into the folder; the file.
pub fn install(driver: &Driver, folder: &Path) -> Result<PathBuf, Diagnostic> {
    let path = folder.join(&driver.name);
    place(&path, &driver.bytes)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{fetch, laid_out, sha1};
    use dvt_plugin_host::Artifact;

    #[test]
    fn a_mirror_is_believed_only_with_the_right_checksum() {
        let mirror = tempfile::tempdir().unwrap();
        let folder = mirror.path().join("org/db/jdbc/1.2");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("jdbc-1.2.jar"), "driver").unwrap();
        let artifact = Artifact { coordinates: "org.db:jdbc:1.2".to_owned(), ..Artifact::default() };
        assert_eq!(laid_out(&artifact.coordinates).unwrap().1, "jdbc-1.2.jar");
        let take = || fetch(&artifact, mirror.path().to_str(), mirror.path());
        assert!(take().err().unwrap().message.contains("no checksum"));
        std::fs::write(folder.join("jdbc-1.2.jar.sha1"), "00\n").unwrap();
        assert!(take().err().unwrap().message.contains("damaged"));
        std::fs::write(folder.join("jdbc-1.2.jar.sha1"), format!("{}  jdbc-1.2.jar\n", sha1(b"driver"))).unwrap();
        assert_eq!(take().unwrap().bytes, b"driver");
        let nowhere = Artifact { files: vec!["jdbc-*.jar".to_owned()], ..artifact.clone() };
        let told = fetch(&nowhere, None, mirror.path()).err().unwrap();
        assert!(told.hint.unwrap().contains("jdbc-*.jar"));
    }
}
