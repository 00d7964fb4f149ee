//! Which Python an engine's library is run by.
//!
//! The order, in one place for every command that needs it: the compute's `python`; `DVT_SPARK_PYTHON`; the project's
//! `.venv`, `venv`, `env`; the environment that `dvt sync` noted in DVT home (`python-env`); an active environment
//! (`VIRTUAL_ENV`); `python3` on the path. Of those that nobody named, the first that has the library counts.

use crate::project::Project;
use dvt_diagnostic::{Code, Diagnostic};
use std::path::{Path, PathBuf};

/// Names a Python for every compute that names none.
pub const ENV_PYTHON: &str = "DVT_SPARK_PYTHON";
/// The file of DVT home with the path of an environment.
pub const NOTED: &str = "python-env";
/// Environments in a project, in order.
pub const ENVIRONMENTS: [&str; 3] = [".venv", "venv", "env"];
/// The library's package.
const LIBRARY: &str = "pyspark";

/// The interpreter of an environment's folder; a path of an interpreter is one itself.
fn interpreter(path: &Path) -> PathBuf {
    if path.is_dir() { path.join("bin/python") } else { path.to_owned() }
}

/// The version of the library in an environment's folder; None where it is not installed.
pub fn installed(environment: &Path) -> Option<String> {
    let folders = std::fs::read_dir(environment.join("lib")).ok()?;
    folders.filter_map(|e| Some(e.ok()?.path().join("site-packages").join(LIBRARY).join("version.py"))).find_map(|file| {
        let text = std::fs::read_to_string(file).ok()?;
        let line = text.lines().find(|l| l.starts_with("__version__"))?;
        Some(line.split(['"', '\'']).nth(1)?.to_owned())
    })
}

/// Environments in the order in which they are asked, those of nobody's naming only.
pub fn environments(project: &Project) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = ENVIRONMENTS.iter().map(|name| project.root.join(name)).collect();
    for folder in [&project.home.root, &project.home.writable] {
        all.extend(std::fs::read_to_string(folder.join(NOTED)).ok().map(|text| PathBuf::from(text.trim())));
    }
    all.extend(project.settings.env("VIRTUAL_ENV").map(PathBuf::from));
    all.dedup();
    all
}

/// # Errors
/// No environment that has the library, with the places that were looked at.
pub fn find(project: &Project, named: Option<&str>) -> Result<PathBuf, Diagnostic> {
    if let Some(named) = named.or_else(|| project.settings.env(ENV_PYTHON)) {
        let path = interpreter(&project.root.join(named));
        if path.is_file() {
            return Ok(path);
        }
        return Err(Diagnostic::error(Code::EngineInvalid, format!("there is no Python at {}", path.display())).hint(format!("correct `python` of the compute, or {ENV_PYTHON}")));
    }
    let all = environments(project);
    if let Some(environment) = all.iter().find(|e| installed(e).is_some()) {
        return Ok(interpreter(environment));
    }
    // A Python of the system may have it; the driver program says if not.
    let system = project.settings.env("PATH").into_iter().flat_map(std::env::split_paths).map(|f| f.join("python3")).find(|p| p.is_file());
    let has = |python: &PathBuf| {
        let ask = std::process::Command::new(python).args(["-c", &format!("import importlib.util,sys; sys.exit(importlib.util.find_spec('{LIBRARY}') is None)")]).stdin(std::process::Stdio::null()).output();
        ask.is_ok_and(|o| o.status.success())
    };
    if let Some(python) = system.filter(has) {
        return Ok(python);
    }
    let looked: Vec<String> = all.iter().map(|p| p.display().to_string()).collect();
    Err(Diagnostic::error(Code::EngineInvalid, format!("no Python with {LIBRARY} was found; looked at {} and python3 on the path", looked.join(", ")))
        .hint(format!("run `dvt sync`, or set `python` of the compute to an environment that has {LIBRARY}")))
}
