//! Which Python environment `sync` works on: `--python-env`, else the project's `.venv`, `venv` or `env`, else the one noted
//! in DVT home, else the answer to a question on a terminal.

use super::failed;
use crate::cluster::python::{ENVIRONMENTS, NOTED};
use dvt_diagnostic::Diagnostic;
use std::path::{Path, PathBuf};

/// An environment and whether later commands find it by themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    pub folder: PathBuf,
    pub found_alone: bool,
}

impl Environment {
    pub fn python(&self) -> PathBuf {
        python(&self.folder)
    }
}

fn python(folder: &Path) -> PathBuf {
    folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" })
}

/// `ask` puts a question and gives the answer; None without a terminal.
///
/// # Errors
/// No environment, or a path that is none.
pub fn find(root: &Path, home: &Path, working_dir: &Path, named: Option<&Path>, ask: &dyn Fn(&str) -> Option<String>) -> Result<Environment, Diagnostic> {
    let checked = |path: PathBuf| {
        if python(&path).is_file() {
            return Ok(Environment { folder: path, found_alone: false });
        }
        Err(failed(&format!("{} is no Python environment", path.display()), &format!("there is no {}", python(&path).display())).hint("make one with `python3 -m venv PATH`"))
    };
    if let Some(path) = named {
        let environment = checked(working_dir.join(path))?;
        let own = ENVIRONMENTS.iter().any(|name| root.join(name) == environment.folder);
        return Ok(Environment { found_alone: own, ..environment });
    }
    let own = ENVIRONMENTS.iter().map(|name| root.join(name)).find(|folder| python(folder).is_file());
    let noted = || std::fs::read_to_string(home.join(NOTED)).ok().map(|text| PathBuf::from(text.trim())).filter(|p| python(p).is_file());
    if let Some(folder) = own.or_else(noted) {
        return Ok(Environment { folder, found_alone: true });
    }
    let names = ENVIRONMENTS.join(", ");
    let Some(answer) = ask("No Python environment was found in the project. Absolute path of one: ") else {
        return Err(failed("there is no Python environment", &format!("{} holds none of {names}", root.display()))
            .hint("make one with `python3 -m venv .venv` in the project, or name one with --python-env PATH"));
    };
    let path = PathBuf::from(answer.trim());
    if !path.is_absolute() {
        return Err(failed(&format!("`{}` is no absolute path", path.display()), &"nothing was changed"));
    }
    checked(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{find, python};

    #[test]
    fn the_named_one_counts_then_the_projects_own_then_the_answer() {
        let (root, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let make = |name: &str| {
            let file = python(&root.path().join(name));
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, "").unwrap();
        };
        let of = |named: Option<&str>, answer: Option<&str>| {
            find(root.path(), home.path(), root.path(), named.map(std::path::Path::new), &|_| answer.map(str::to_owned)).map(|e| e.folder)
        };
        assert!(of(None, None).unwrap_err().hint.unwrap().contains("--python-env"));
        assert!(of(None, Some("relative")).unwrap_err().message.contains("absolute"));
        make("other");
        let other = root.path().join("other");
        assert_eq!(of(None, other.to_str()).unwrap(), other);
        make("env");
        assert_eq!(of(None, None).unwrap(), root.path().join("env"));
        make(".venv");
        assert_eq!(of(None, None).unwrap(), root.path().join(".venv"));
        assert_eq!(of(Some("other"), None).unwrap(), other);
        assert!(of(Some("nothing"), None).is_err());
    }
}
