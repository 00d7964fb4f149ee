//! Exactly one pyspark in an environment: which one, what is there, and the change.
//!
//! The new one is fetched and built before the old one goes, so that a failure or an interruption on the way leaves the
//! environment as it was, or without any, which the next `sync` mends.

use super::failed;
use dvt_diagnostic::{Code, Diagnostic};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The package that engines behind a driver program need.
pub const LIBRARY: &str = "pyspark";
/// Packages that bring the same modules.
const SAME: [&str; 3] = [LIBRARY, "pyspark-client", "pyspark-connect"];

/// A compute that needs the library.
#[derive(Debug, Clone)]
pub struct Need {
    pub compute: String,
    pub active: bool,
    /// None: any.
    pub version: Option<String>,
    /// It reaches a server by the library's client, which needs more packages.
    pub remote: bool,
}

/// What the environment is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// No compute needs it: it is left alone.
    Alone,
    Any,
    Exactly(String),
}

/// SPEC K4: the active compute's version, else the one version that the others name.
///
/// # Errors
/// Several versions and none of them active.
pub fn wanted(needs: &[Need]) -> Result<Wanted, Diagnostic> {
    if needs.is_empty() {
        return Ok(Wanted::Alone);
    }
    if let Some(active) = needs.iter().find(|n| n.active) {
        return Ok(active.version.clone().map_or(Wanted::Any, Wanted::Exactly));
    }
    let versions: BTreeSet<&str> = needs.iter().filter_map(|n| n.version.as_deref()).collect();
    match versions.len() {
        0 => Ok(Wanted::Any),
        1 => Ok(versions.first().map_or(Wanted::Any, |v| Wanted::Exactly((*v).to_owned()))),
        _ => {
            let told: Vec<String> = needs.iter().filter_map(|n| Some(format!("`{}` {}", n.compute, n.version.as_ref()?))).collect();
            Err(Diagnostic::error(Code::SyncFailed, format!("the computes ask for several versions of {LIBRARY}: {}", told.join(", ")))
                .hint("an environment holds one: make one of them the active compute (`target` in computes.yml, or --compute), or give all the same version"))
        }
    }
}

/// Name and version of every installed package that brings the library's modules.
pub fn installed(python: &Path) -> Result<Vec<(String, String)>, Diagnostic> {
    let names = SAME.map(|n| format!("'{n}'")).join(", ");
    let program = format!(
        "import importlib.metadata as m\nfor d in m.distributions():\n  n = (d.metadata['Name'] or '').lower().replace('_', '-')\n  if n in ({names}): print(n, d.version)"
    );
    let output = run(python, &["-c", &program])?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut found: Vec<(String, String)> = text.lines().filter_map(|l| l.split_once(' ')).map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    found.sort();
    Ok(found)
}

/// Whether the environment holds what is wanted and nothing beside it.
pub fn in_line(installed: &[(String, String)], wanted: &Wanted) -> bool {
    match wanted {
        Wanted::Alone => true,
        Wanted::Any => !installed.is_empty(),
        Wanted::Exactly(version) => installed.iter().map(|(n, v)| (n.as_str(), v.as_str())).eq([(LIBRARY, version.as_str())]),
    }
}

/// Brings the environment in line; the version that is there afterwards.
pub fn change(python: &Path, before: &[(String, String)], wanted: &Wanted, remote: bool, work: &Path) -> Result<String, Diagnostic> {
    let extras = if remote { "[connect]" } else { "" };
    let asked = match wanted {
        Wanted::Exactly(version) => format!("{LIBRARY}{extras}=={version}"),
        Wanted::Any | Wanted::Alone => format!("{LIBRARY}{extras}"),
    };
    let folder = tempfile::Builder::new().prefix("dvt-wheels-").tempdir_in(work).map_err(|e| failed("the library cannot be fetched", &e))?;
    let wheels = folder.path().to_string_lossy().into_owned();
    pip(python, &["wheel", "-q", "-w", &wheels, &asked], &format!("{asked} cannot be fetched; the environment is unchanged"))?;
    let old: Vec<&str> = before.iter().map(|(name, _)| name.as_str()).collect();
    if !old.is_empty() {
        pip(python, &[&["uninstall", "-q", "-y"], old.as_slice()].concat(), "the installed version cannot be removed")?;
    }
    pip(python, &["install", "-q", "--no-index", "--find-links", &wheels, &asked], &format!("{asked} cannot be installed"))?;
    let after = installed(python)?;
    match after.as_slice() {
        [(name, version)] if name == LIBRARY && matches!(wanted, Wanted::Any | Wanted::Alone) || in_line(&after, wanted) => {
            Ok(after.first().map(|(_, v)| v.clone()).unwrap_or_default())
        }
        _ => Err(failed(&format!("{asked} was installed"), &format!("but the environment holds {after:?}"))),
    }
}

pub(super) fn pip(python: &Path, words: &[&str], what: &str) -> Result<(), Diagnostic> {
    let quiet = [&["-m", "pip", "--disable-pip-version-check", "--no-input"], words].concat();
    let output = run(python, &quiet)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let mut lines: Vec<&str> = said.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    let last = lines.split_off(lines.len().saturating_sub(3)).join(" / ");
    let mut error = failed(what, &last);
    if said.contains("No module named pip") {
        error = error.hint(format!("the environment has no pip: run `{} -m ensurepip`", python.display()));
    }
    Err(error)
}

pub(super) fn run(python: &Path, words: &[&str]) -> Result<Output, Diagnostic> {
    let output = Command::new(python).args(words).stdin(Stdio::null()).output();
    output.map_err(|e| failed(&format!("{} cannot be started", python.display()), &e))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Need, Wanted, in_line, wanted};

    fn need(compute: &str, active: bool, version: Option<&str>) -> Need {
        Need { compute: compute.to_owned(), active, version: version.map(str::to_owned), remote: false }
    }

    #[test]
    fn the_active_version_counts_then_the_only_one_and_several_are_told() {
        let exactly = |v: &str| Wanted::Exactly(v.to_owned());
        assert_eq!(wanted(&[]).unwrap(), Wanted::Alone);
        assert_eq!(wanted(&[need("a", true, Some("3.5.9")), need("b", false, Some("4.3.0"))]).unwrap(), exactly("3.5.9"));
        assert_eq!(wanted(&[need("b", false, Some("4.3.0")), need("c", false, None)]).unwrap(), exactly("4.3.0"));
        assert_eq!(wanted(&[need("a", true, None)]).unwrap(), Wanted::Any);
        let several = wanted(&[need("a", false, Some("3.5.9")), need("b", false, Some("4.3.0"))]).unwrap_err();
        assert!(several.message.contains("`a` 3.5.9, `b` 4.3.0"), "{several}");
    }

    #[test]
    fn one_package_of_the_version_and_no_other_is_in_line() {
        let have = |list: &[(&str, &str)]| list.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect::<Vec<_>>();
        let wanted = Wanted::Exactly("4.3.0".to_owned());
        assert!(in_line(&have(&[("pyspark", "4.3.0")]), &wanted));
        assert!(!in_line(&have(&[("pyspark", "3.5.9")]), &wanted));
        assert!(!in_line(&have(&[("pyspark", "4.3.0"), ("pyspark-client", "4.3.0")]), &wanted));
        assert!(!in_line(&have(&[]), &Wanted::Any) && in_line(&have(&[]), &Wanted::Alone));
    }
}
