//! Getting packages: folders, git repositories by the git program, archives and a package index over HTTP.

use dvt_diagnostic::{Code, Diagnostic};
use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);
/// A larger answer is refused.
const LARGEST: u64 = 512 << 20;

pub fn failed(what: &str, why: &dyn std::fmt::Display) -> Diagnostic {
    Diagnostic::error(Code::PackageInvalid, format!("{what}: {why}"))
}

/// A repository at a revision (a tag, branch or commit; None: its head) in `folder`. Returns the commit.
pub fn git(url: &str, revision: Option<&str>, folder: &Path) -> Result<String, Diagnostic> {
    if url.starts_with('-') || revision.is_some_and(|r| r.starts_with('-')) {
        return Err(failed(url, &"a repository or revision must not start with `-`"));
    }
    let run = |words: &[&str]| -> Result<String, String> {
        let output = Command::new("git").args(words).current_dir(folder).env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0").output();
        let output = output.map_err(|e| format!("the program git cannot be started: {e}"))?;
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(said(&output.stdout)) } else { Err(said(&output.stderr)) }
    };
    std::fs::create_dir_all(folder).map_err(|e| failed(url, &e))?;
    let told = |why: String| failed(&format!("the git repository {url} cannot be read at {}", revision.unwrap_or("HEAD")), &why);
    run(&["init", "-q"]).map_err(told)?;
    run(&["remote", "add", "origin", url]).map_err(told)?;
    let wanted = revision.unwrap_or("HEAD");
    if run(&["fetch", "-q", "--depth", "1", "origin", wanted]).is_ok() {
        run(&["checkout", "-q", "FETCH_HEAD"]).map_err(told)?;
    } else {
        // A server need not give a single commit: then everything, and the commit of that.
        run(&["fetch", "-q", "--tags", "origin"]).map_err(told)?;
        run(&["checkout", "-q", wanted]).map_err(told)?;
    }
    run(&["rev-parse", "HEAD"]).map_err(told)
}

/// Unpacks an archive at `url` (http, https or a file) below `folder`; the one folder in it is the package.
pub fn tarball(url: &str, folder: &Path) -> Result<PathBuf, Diagnostic> {
    let bytes = match url.strip_prefix("file://") {
        Some(path) => std::fs::read(path).map_err(|e| failed(url, &e))?,
        None => get(url)?,
    };
    std::fs::create_dir_all(folder).map_err(|e| failed(url, &e))?;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes.as_slice()));
    // `unpack` leaves out what would land outside the folder.
    archive.unpack(folder).map_err(|e| failed(&format!("the archive {url} cannot be unpacked"), &e))?;
    let inside: Vec<PathBuf> = std::fs::read_dir(folder).map_err(|e| failed(url, &e))?.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.is_dir()).collect();
    match inside.as_slice() {
        [only] => Ok(only.clone()),
        _ => Err(failed(&format!("the archive {url} is no package"), &"it must hold one folder")),
    }
}

fn get(url: &str) -> Result<Vec<u8>, Diagnostic> {
    let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build();
    let agent: ureq::Agent = config.into();
    let answer = agent.get(url).call().map_err(|e| failed(&format!("{url} cannot be read"), &e))?;
    let mut bytes = Vec::new();
    answer.into_body().into_reader().take(LARGEST).read_to_end(&mut bytes).map_err(|e| failed(&format!("{url} cannot be read"), &e))?;
    Ok(bytes)
}

/// The package index that the caller named; there is no default.
pub struct Hub<'a> {
    pub base: Option<&'a str>,
}

impl Hub<'_> {
    /// Every version of a package with its metadata.
    pub fn versions(&self, package: &str) -> Result<serde_json::Map<String, Value>, Diagnostic> {
        let Some(base) = self.base else {
            return Err(Diagnostic::error(Code::PackageInvalid, format!("`{package}` is a package of an index, and no index is configured"))
                .hint("set DBT_PACKAGE_HUB_URL to the address of the package index, or name the package's git repository"));
        };
        let url = format!("{}/api/v1/{package}.json", base.trim_end_matches('/'));
        let document: Value = serde_json::from_slice(&get(&url)?).map_err(|e| failed(&format!("{url} is no package's metadata"), &e))?;
        match document.get("versions") {
            Some(Value::Object(versions)) => Ok(versions.clone()),
            _ => Err(failed(&format!("the package index does not know `{package}`"), &"its answer has no versions")),
        }
    }
}

/// Copies a folder with everything below it.
pub fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() { copy(&entry.path(), &target)? } else { std::fs::copy(entry.path(), &target).map(|_| ())? }
    }
    Ok(())
}
