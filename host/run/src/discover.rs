//! The project's root and its files as a value (SPEC F2).

use crate::home::{ENV_PROJECT_DIR, Home};
use crate::settings::Settings;
use dvt_diagnostic::{Code, Diagnostic, Span};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

pub const PROJECT_FILES: [&str; 2] = ["dbt_project.yml", "dvt_project.yml"];

/// A seed above this size is told apart by its first part and its length (dbt: by its path).
const SEED_HEAD: u64 = 1 << 20;

/// Says which files dbt does not read.
const IGNORE_FILE: &str = ".dbtignore";

/// Folders that hold no project files, whatever is in them.
const SKIPPED: [&str; 6] = ["target", "logs", "node_modules", "venv", "env", "__pycache__"];

/// The folder with the project file: the named one, else the nearest above the working directory.
///
/// # Errors
/// `DVT1001`.
pub fn root(settings: &Settings) -> Result<PathBuf, Diagnostic> {
    let holds = |folder: &Path| PROJECT_FILES.iter().any(|f| folder.join(f).is_file());
    let missing = |text: String| {
        Diagnostic::error(Code::ProjectNotFound, text).hint("`dvt init NAME` makes a project; --project-dir names the folder of one")
    };
    let named = settings.project_dir.clone().or_else(|| settings.env(ENV_PROJECT_DIR).map(PathBuf::from));
    if let Some(folder) = named {
        let folder = settings.working_dir.join(folder);
        if holds(&folder) {
            return Ok(folder);
        }
        return Err(missing(format!("{} holds no {} and no {}", folder.display(), PROJECT_FILES[0], PROJECT_FILES[1])));
    }
    settings.working_dir.ancestors().find(|f| holds(f)).map(Path::to_path_buf).ok_or_else(|| {
        missing(format!("no {} or {} in {} or a folder above it", PROJECT_FILES[0], PROJECT_FILES[1], settings.working_dir.display()))
    })
}

/// The project file's `flags:`, as written; nothing where there is no project.
pub fn project_flags(settings: &Settings) -> serde_json::Map<String, serde_json::Value> {
    match project_key(settings, "flags") {
        Some(serde_json::Value::Object(flags)) => flags,
        _ => serde_json::Map::new(),
    }
}

/// Where the log file goes: `--log-path`, else the project file's, else `logs` in the project.
pub fn log_folder(settings: &Settings) -> Option<PathBuf> {
    if let Some(path) = settings.path("log_path") {
        return Some(path);
    }
    let root = root(settings).ok()?;
    let named = project_key(settings, "log-path").and_then(|v| v.as_str().map(str::to_owned)).filter(|p| !p.contains("{{"));
    Some(root.join(named.unwrap_or_else(|| "logs".to_owned())))
}

/// Where artifacts of the project lie, before it is loaded.
///
/// # Errors
/// `DVT1001`.
pub fn target_folder(settings: &Settings) -> Result<PathBuf, Diagnostic> {
    let root = root(settings)?;
    let named = settings.text("target_path").map(str::to_owned);
    let named = named.or_else(|| project_key(settings, "target-path").and_then(|v| v.as_str().map(str::to_owned)));
    Ok(root.join(named.unwrap_or_else(|| "target".to_owned())))
}

/// A path with its `.` and `..` taken out, by its text alone: what it names need not be there.
pub fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

/// A key of the project file before anything is rendered; problems are told when the project is loaded.
fn project_key(settings: &Settings, key: &str) -> Option<serde_json::Value> {
    let root = root(settings).ok()?;
    let file = PROJECT_FILES.iter().find(|f| root.join(f).is_file())?;
    let text = std::fs::read_to_string(root.join(file)).ok()?;
    Some(dvt_project::yaml::parse(file, &text).ok()?.root.get(key)?.to_json())
}

/// Every file of the project by its path with `/`; `local:` packages outside the root come as `../…`.
///
/// # Errors
/// A file that cannot be read or is not UTF-8.
pub fn files(root: &Path) -> Result<BTreeMap<String, String>, Diagnostic> {
    let mut out = BTreeMap::new();
    walk(root, "", &mut out)?;
    let mut seen: Vec<String> = Vec::new();
    loop {
        let outside: Vec<String> = out.iter().flat_map(|(path, text)| outside_packages(path, text)).filter(|f| !seen.contains(f)).collect();
        if outside.is_empty() {
            return Ok(out);
        }
        for folder in outside {
            if root.join(&folder).is_dir() {
                walk(&root.join(&folder), &format!("{folder}/"), &mut out)?;
            }
            seen.push(folder);
        }
    }
}

/// `local: ../x` of a packages file, relative to the project's root, and `local: /x` as it stands.
fn outside_packages(path: &str, text: &str) -> Vec<String> {
    let (folder, name) = path.rsplit_once('/').map_or(("", path), |(f, n)| (f, n));
    if !matches!(name, "packages.yml" | "dependencies.yml") {
        return Vec::new();
    }
    let entry = |line: &str| {
        let value = line.trim().trim_start_matches("- ").trim().strip_prefix("local:")?.trim().trim_matches(['"', '\'']).to_owned();
        let absolute = value.starts_with('/');
        let base = if absolute { "" } else { folder };
        let mut parts: Vec<&str> = base.split('/').filter(|p| !p.is_empty()).collect();
        for part in value.split('/') {
            match part {
                "" | "." => {}
                ".." if parts.last().is_some_and(|p| *p != "..") => {
                    parts.pop();
                }
                other => parts.push(other),
            }
        }
        let joined = parts.join("/");
        if absolute { Some(format!("/{joined}")) } else { Some(joined).filter(|p| p.starts_with("..")) }
    };
    text.lines().filter_map(entry).collect()
}

fn walk(folder: &Path, prefix: &str, out: &mut BTreeMap<String, String>) -> Result<(), Diagnostic> {
    let failed = |path: &Path, why: &dyn std::fmt::Display| {
        Diagnostic::error(Code::ProjectInvalid, format!("{} cannot be read: {why}", path.display())).at(Span::file(prefix))
    };
    let entries = std::fs::read_dir(folder).map_err(|e| failed(folder, &e))?;
    for entry in entries {
        let entry = entry.map_err(|e| failed(folder, &e))?;
        let path = entry.path();
        let Some(name) = path.file_name().and_then(|n| n.to_str()) else { continue };
        if name.starts_with('.') && name != IGNORE_FILE {
            continue;
        }
        let key = format!("{prefix}{name}");
        // A link is followed; anything else is known without asking again.
        let is_folder = entry.file_type().map_or_else(|_| path.is_dir(), |t| if t.is_symlink() { path.is_dir() } else { t.is_dir() });
        if is_folder {
            if !(SKIPPED.contains(&name) || out.contains_key(&key)) {
                walk(&path, &format!("{key}/"), out)?;
            }
            continue;
        }
        let kind = if name == IGNORE_FILE { Some("yml") } else { path.extension().and_then(|e| e.to_str()) };
        match kind {
            Some("csv") => {
                out.insert(key, seed_head(&path).map_err(|e| failed(&path, &e))?);
            }
            Some("sql" | "yml" | "yaml" | "md" | "py") => {
                let bytes = std::fs::read(&path).map_err(|e| failed(&path, &e))?;
                let text = String::from_utf8(bytes).map_err(|_| failed(&path, &"it is not UTF-8"))?;
                out.insert(key, text);
            }
            _ => {}
        }
    }
    Ok(())
}

fn seed_head(path: &Path) -> std::io::Result<String> {
    let file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    let mut bytes = Vec::new();
    file.take(SEED_HEAD).read_to_end(&mut bytes)?;
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    if length > SEED_HEAD {
        text.push_str(&format!("\n{length} bytes"));
    }
    Ok(text)
}

/// `profiles.yml` and `computes.yml` as text; None where a file is missing.
pub fn profile_files(home: &Home) -> Result<(Option<String>, Option<String>), Diagnostic> {
    let read = |path: &Path| match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Diagnostic::error(Code::ProfileNotFound, format!("{} cannot be read: {e}", path.display()))),
    };
    Ok((read(&home.profiles)?, read(&home.computes)?))
}

#[cfg(test)]
mod tests {
    use super::outside_packages;

    #[test]
    fn a_local_package_outside_the_root_is_found() {
        assert_eq!(outside_packages("packages.yml", "packages:\n  - local: ../shared/macros\n  - local: inner\n"), ["../shared/macros"]);
        assert_eq!(outside_packages("../shared/packages.yml", "packages:\n  - local: \"../other\"\n"), ["../other"]);
        assert_eq!(outside_packages("../shared/packages.yml", "packages:\n  - local: /srv/./a/../b\n"), ["/srv/b"]);
    }
}
