//! `deps`: packages.yml to package-lock.yml to the packages' folder.

use super::{OK, Task};
use crate::discover::{self, PROJECT_FILES};
use crate::log::{Event, Level};
use crate::packages::{Entry, Pinned, Resolver, Wanted, entries, failed, hash, install};
use dvt_diagnostic::{Code, Diagnostic};
use dvt_jinja::YamlStrings;
use dvt_project::{ProjectInput, RenderString};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FILE: &str = "packages.yml";
const OTHER_FILE: &str = "dependencies.yml";
const LOCK: &str = "package-lock.yml";
const ENV_HUB: &str = "DBT_PACKAGE_HUB_URL";
const ENV_PRIVATE: &str = "DVT_PRIVATE_GIT_URL";

/// The project, as far as packages need it; no profile is read.
struct Place {
    root: PathBuf,
    name: String,
    install: PathBuf,
}

impl Task {
    /// # Errors
    /// Files that cannot be read, packages that cannot be found.
    pub fn deps(&self, add: Option<&str>, source: &str) -> Result<u8, Vec<Diagnostic>> {
        let one = |d: Diagnostic| vec![d];
        self.greet();
        let root = discover::root(&self.settings).map_err(one)?;
        let root = root.canonicalize().unwrap_or(root);
        let strings = YamlStrings::new(Arc::new(ProjectInput { env: self.settings.env.clone(), vars: self.settings.vars.clone(), ..ProjectInput::default() }));
        let place = place(root, &strings).map_err(one)?;
        if let Some(package) = add {
            self.add(&place, package, source).map_err(one)?;
        }
        let asked = asked(&place, &strings).map_err(one)?;
        if asked.is_empty() {
            self.event("M013", "DepsNoPackagesFound", Level::Info, "Warning: No packages were found in packages.yml", json!({}));
            return Ok(OK);
        }
        let parent = place.install.parent().unwrap_or(&place.root);
        std::fs::create_dir_all(parent).map_err(|e| vec![failed(&parent.display().to_string(), &e)])?;
        let work = tempfile::Builder::new().prefix(".dvt-packages-").tempdir_in(parent).map_err(|e| vec![failed("packages cannot be fetched", &e)])?;
        let mut resolver = Resolver::new(&place.root, work.path(), &strings);
        resolver.hub = self.settings.env(ENV_HUB);
        resolver.private = self.settings.env(ENV_PRIVATE);
        resolver.version_check = self.settings.on("version_check");
        let lock = place.root.join(LOCK);
        let locked = std::fs::read_to_string(&lock).ok().filter(|_| !self.settings.on("upgrade"));
        let current = locked.filter(|text| locked_hash(text).as_deref() == Some(hash(&asked).as_str()));
        let pinned = match &current {
            // What is locked is taken as it is, the lock's names included.
            Some(text) if !self.settings.on("lock") => {
                let locked = entries(LOCK, text, &strings).map_err(one)?;
                let wanted: Vec<Wanted> = locked.iter().map(|e| e.wanted.clone()).collect();
                resolver.resolve(&wanted, &place.name).map_err(one)?
            }
            Some(_) => return Ok(OK),
            None => {
                let wanted: Vec<Wanted> = asked.iter().map(|e| e.wanted.clone()).collect();
                let pinned = resolver.resolve(&wanted, &place.name).map_err(one)?;
                self.event("M033", "DepsLockUpdating", Level::Info, &format!("Updating lock file in file path: {}", lock.display()), json!({"lock_filepath": lock}));
                write_lock(&lock, &pinned, &hash(&asked)).map_err(one)?;
                pinned
            }
        };
        for warning in std::mem::take(&mut resolver.warnings) {
            self.printer.diagnostic(&warning);
        }
        self.calm()?;
        if self.settings.on("lock") {
            return Ok(OK);
        }
        if place.install.exists() {
            std::fs::remove_dir_all(&place.install).map_err(|e| vec![failed(&place.install.display().to_string(), &e)])?;
        }
        std::fs::create_dir_all(&place.install).map_err(|e| vec![failed(&place.install.display().to_string(), &e)])?;
        let mut newer = Vec::new();
        for package in &pinned {
            let name = package.lock.get("package").and_then(Value::as_str).unwrap_or(&package.name);
            self.event("M014", "DepsStartPackageInstall", Level::Info, &format!("Installing {name}"), json!({"package_name": name}));
            install(package, &place.install.join(&package.name)).map_err(one)?;
            self.event("M015", "DepsInstallInfo", Level::Info, &format!("Installed from {}", package.shown), json!({"version_name": package.shown}));
            if let Some(latest) = &package.latest {
                newer.push(name.to_owned());
                self.event("M016", "DepsUpdateAvailable", Level::Info, &format!("Updated version available: {latest}"), json!({"version_latest": latest}));
            } else if package.lock.get("package").is_some() {
                self.event("M017", "DepsUpToDate", Level::Info, "Up to date!", json!({}));
            }
        }
        if !newer.is_empty() {
            let msg = format!("Updates available for packages: {}\nUpdate your versions in packages.yml, then run dvt deps", newer.join(", "));
            self.event("M019", "DepsNotifyUpdatesAvailable", Level::Info, &msg, json!({"packages": newer}));
        }
        Ok(OK)
    }

    fn event(&self, code: &'static str, name: &str, level: Level, msg: &str, data: Value) {
        self.printer.event(Event::new(code, name, level, msg, data));
    }

    /// Adds `NAME@VERSION` at the end of packages.yml; an entry of the same package goes.
    fn add(&self, place: &Place, package: &str, source: &str) -> Result<(), Diagnostic> {
        let (name, version) = package.split_once('@').filter(|_| source != "git").or_else(|| package.rsplit_once('@').filter(|(n, _)| !n.is_empty())).map_or((package, None), |(n, v)| (n, Some(v)));
        let entry = match (source, version) {
            ("local", _) => format!("  - local: {name}\n"),
            ("git", Some(version)) => format!("  - git: {name}\n    revision: {version}\n"),
            ("git", None) => format!("  - git: {name}\n"),
            (_, None) => return Err(Diagnostic::error(Code::Usage, format!("`{package}` has no version")).hint("--add-package namespace/name@1.2.3")),
            (_, Some(version)) if version.contains(',') => {
                let bounds: Vec<String> = version.split(',').map(|v| format!("\"{}\"", v.trim())).collect();
                format!("  - package: {name}\n    version: [{}]\n", bounds.join(", "))
            }
            (_, Some(version)) => format!("  - package: {name}\n    version: {}\n", scalar(version)),
        };
        let path = place.root.join(FILE);
        let before = std::fs::read_to_string(&path).unwrap_or_default();
        let text = with_entry(&before, name, &entry)?;
        std::fs::write(&path, text).map_err(|e| failed(FILE, &e))?;
        let msg = format!("Added new package {name}@{} to {}", version.unwrap_or_default(), path.display());
        self.event("M032", "DepsAddPackage", Level::Info, &msg, json!({"package_name": name, "version": version, "packages_filepath": path}));
        Ok(())
    }
}

/// The text of packages.yml with an entry at the end of its list, and without others of the same package.
///
/// # Errors
/// Texts whose other parts would not stay as they are: lists in one line, for one.
fn with_entry(before: &str, name: &str, entry: &str) -> Result<String, Diagnostic> {
    let wrong = |at: Option<dvt_diagnostic::Span>| {
        let error = Diagnostic::error(Code::PackageInvalid, format!("`{name}` cannot be added: {FILE} is not written with one line for each key")).hint(format!("add it by hand:\n{entry}"));
        if let Some(at) = at { error.at(at) } else { error }
    };
    let old = dvt_project::yaml::parse(FILE, before)?.root;
    let listed = |root: &dvt_project::yaml::Yaml| -> Vec<Value> { root.get("packages").map(|p| p.to_json()).and_then(|p| p.as_array().cloned()).unwrap_or_default() };
    let rest = |root: &dvt_project::yaml::Yaml| {
        let mut all = root.to_json();
        if let Some(map) = all.as_object_mut() {
            map.remove("packages");
        }
        if all.as_object().is_some_and(serde_json::Map::is_empty) { Value::Null } else { all }
    };
    let added = dvt_project::yaml::parse(FILE, &format!("packages:\n{entry}"))?.root;
    let mut meant: Vec<Value> = listed(&old).into_iter().filter(|e| !of_package(e, name)).collect();
    meant.extend(listed(&added));
    let place = old.get("packages").map(|p| p.span.clone());
    let text = spliced(before, name, entry).map_err(|_| wrong(place.clone()))?;
    match dvt_project::yaml::parse(FILE, &text) {
        Ok(new) if listed(&new.root) == meant && rest(&new.root) == rest(&old) => Ok(text),
        _ => Err(wrong(place)),
    }
}

fn of_package(entry: &Value, name: &str) -> bool {
    ["package", "git", "local", "tarball", "private"].iter().any(|k| entry.get(k).and_then(Value::as_str) == Some(name))
}

/// As [`with_entry`], for texts of one line for each key.
fn spliced(before: &str, name: &str, entry: &str) -> Result<String, Diagnostic> {
    let text = without(before, name)?;
    let document = dvt_project::yaml::parse(FILE, &text)?;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    match document.root.get("packages").and_then(|p| p.as_list()).filter(|l| !l.is_empty()) {
        Some(_) => {
            // After the last line of the list: the next key at the margin, or the end.
            let start = lines.iter().position(|l| l.starts_with("packages:")).unwrap_or(0);
            let end = lines.iter().enumerate().skip(start + 1).find(|(_, l)| l.starts_with(|c: char| c.is_alphanumeric())).map_or(lines.len(), |(i, _)| i);
            let indent = lines[start..end].iter().find_map(|l| Some(l.find("- ")?).filter(|_| l.trim_start().starts_with("- "))).unwrap_or(2);
            let shifted = entry.lines().map(|l| format!("{}{}", " ".repeat(indent), &l[2..])).collect::<Vec<_>>();
            lines.splice(end..end, shifted);
        }
        None => {
            lines.retain(|l| !l.starts_with("packages:"));
            lines.push("packages:".to_owned());
            lines.extend(entry.lines().map(str::to_owned));
        }
    }
    Ok(lines.join("\n") + "\n")
}

/// The text without the entries of a package.
fn without(text: &str, name: &str) -> Result<String, Diagnostic> {
    let document = dvt_project::yaml::parse(FILE, text)?;
    let list = document.root.get("packages").and_then(|p| p.as_list()).unwrap_or_default();
    let mut lines: Vec<Option<&str>> = text.lines().map(Some).collect();
    let starts: Vec<usize> = list.iter().map(|e| e.span.line as usize - 1).collect();
    for (i, entry) in list.iter().enumerate() {
        if of_package(&entry.to_json(), name) {
            let end = starts.get(i + 1).copied().unwrap_or_else(|| {
                let after = lines.iter().enumerate().skip(starts[i] + 1).find(|(_, l)| l.is_some_and(|l| l.starts_with(|c: char| c.is_alphanumeric())));
                after.map_or(lines.len(), |(n, _)| n)
            });
            for line in &mut lines[starts[i]..end] {
                *line = None;
            }
        }
    }
    Ok(lines.into_iter().flatten().map(|l| format!("{l}\n")).collect())
}

fn place(root: PathBuf, strings: &YamlStrings) -> Result<Place, Diagnostic> {
    let file = PROJECT_FILES.iter().find(|f| root.join(f).is_file()).copied().unwrap_or(PROJECT_FILES[0]);
    let text = std::fs::read_to_string(root.join(file)).map_err(|e| Diagnostic::error(Code::ProjectInvalid, format!("{file}: {e}")))?;
    let yaml = dvt_project::yaml::parse(file, &text)?.root;
    let name = yaml.get("name").and_then(|n| n.as_str()).unwrap_or_default().to_owned();
    let install = match yaml.get("packages-install-path") {
        Some(y) => strings.render(y.as_str().unwrap_or_default(), &y.span)?.as_str().unwrap_or_default().to_owned(),
        None => String::new(),
    };
    let install = discover::plain(&root.join(if install.is_empty() { "dbt_packages" } else { &install }));
    if discover::plain(&root).starts_with(&install) {
        return Err(Diagnostic::error(Code::ProjectInvalid, "packages-install-path must be a folder of its own"));
    }
    Ok(Place { root, name, install })
}

/// packages.yml, else dependencies.yml.
fn asked(place: &Place, strings: &YamlStrings) -> Result<Vec<Entry>, Diagnostic> {
    let read = |file: &str| -> Result<Vec<Entry>, Diagnostic> {
        match std::fs::read_to_string(place.root.join(file)) {
            Ok(text) => entries(file, &text, strings),
            Err(_) => Ok(Vec::new()),
        }
    };
    let (first, second) = (read(FILE)?, read(OTHER_FILE)?);
    if !first.is_empty() && !second.is_empty() {
        return Err(Diagnostic::error(Code::PackageInvalid, format!("{FILE} and {OTHER_FILE} both name packages")).hint("keep them in one of the files"));
    }
    Ok(if first.is_empty() { second } else { first })
}

fn locked_hash(text: &str) -> Option<String> {
    dvt_project::yaml::parse(LOCK, text).ok()?.root.get("sha1_hash")?.as_str().map(str::to_owned)
}

fn write_lock(path: &Path, pinned: &[Pinned], hash: &str) -> Result<(), Diagnostic> {
    let mut text = "packages:\n".to_owned();
    for package in pinned {
        let mut keys: Vec<(&String, &Value)> = package.lock.as_object().into_iter().flatten().collect();
        keys.sort_by_key(|(key, _)| *key);
        for (i, (key, value)) in keys.into_iter().enumerate() {
            text += &format!("  {} {key}: {}\n", if i == 0 { "-" } else { " " }, scalar(value.as_str().unwrap_or_default()));
        }
    }
    text += &format!("sha1_hash: {}\n", scalar(hash));
    std::fs::write(path, text).map_err(|e| failed(LOCK, &e))
}

/// Quoted where YAML would read something else than this text.
fn scalar(text: &str) -> String {
    let read = dvt_project::yaml::parse("value", &format!("a: {text}\n")).ok();
    let same = read.and_then(|d| d.root.get("a").and_then(|v| v.as_str().map(str::to_owned))).as_deref() == Some(text);
    if same { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{scalar, with_entry, without};

    #[test]
    fn an_entry_leaves_with_its_lines_and_others_stay() {
        let text = "# mine\npackages:\n  - package: a/b\n    version: 1.0.0\n  - local: x # here\n";
        assert_eq!(without(text, "a/b").unwrap(), "# mine\npackages:\n  - local: x # here\n");
        assert_eq!(without(text, "x").unwrap(), "# mine\npackages:\n  - package: a/b\n    version: 1.0.0\n");
    }

    #[test]
    fn a_package_is_added_or_nothing_changes() {
        let entry = "  - package: a/b\n    version: 1.0.0\n";
        assert_eq!(with_entry("", "a/b", entry).unwrap(), format!("packages:\n{entry}"));
        assert_eq!(with_entry("packages: []\n", "a/b", entry).unwrap(), format!("packages:\n{entry}"));
        let text = "packages:\n- local: x # here\n- {package: a/b, version: 0.9.0}\nother: 1\n";
        assert_eq!(with_entry(text, "a/b", entry).unwrap(), "packages:\n- local: x # here\n- package: a/b\n  version: 1.0.0\nother: 1\n");
        for flow in ["packages: [{local: x}]\n", "packages: [{local: x},\n  {package: a/b, version: 0.9.0}]\n", "{packages: [{local: x}]}\n", "packages: [{package: a/b, version: 0.9.0}, {local: x}]\n"] {
            let error = with_entry(flow, "a/b", entry).unwrap_err();
            assert!(error.hint.unwrap().contains("- package: a/b"), "{flow}");
        }
    }

    #[test]
    fn a_text_that_looks_like_a_number_is_quoted() {
        assert_eq!((scalar("1.0").as_str(), scalar("1.2.3").as_str(), scalar("<2").as_str()), ("'1.0'", "1.2.3", "<2"));
    }
}
