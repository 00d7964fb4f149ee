//! Packages: what packages.yml asks for, resolved, locked and installed.
//!
//! The lock file and its hash are dbt's, so that both programs agree on whether packages are up to date.

mod entry;
mod fetch;
mod version;

pub use entry::{Entry, Wanted, entries, hash};
pub use fetch::failed;
use fetch::{Hub, copy};
pub use version::{Bound, best};

use crate::discover::PROJECT_FILES;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_project::RenderString;
use dvt_project::artifacts::DBT_VERSION;
use indexmap::IndexMap;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A package with nothing left to choose.
#[derive(Debug, Clone)]
pub struct Pinned {
    pub name: String,
    /// What the lock file says of it.
    pub lock: Value,
    /// `version 1.1.1`, `revision v1`, …
    pub shown: String,
    /// A newer version that would fit this dbt.
    pub latest: Option<String>,
    /// Where it lies now, ready to be moved or linked.
    pub folder: Folder,
}

#[derive(Debug, Clone)]
pub enum Folder {
    /// Stays where it is.
    Local(PathBuf),
    Fetched(PathBuf),
}

/// Finds, fetches and pins packages below `work`.
pub struct Resolver<'a> {
    pub root: &'a Path,
    pub work: &'a Path,
    pub hub: Option<&'a str>,
    pub private: Option<&'a str>,
    pub version_check: bool,
    pub render: &'a dyn RenderString,
    pub warnings: Vec<Diagnostic>,
    fetched: BTreeMap<String, PathBuf>,
}

/// What is known of a package once it is fetched.
struct Found {
    pinned: Pinned,
    needs: Vec<Wanted>,
}

impl<'a> Resolver<'a> {
    pub fn new(root: &'a Path, work: &'a Path, render: &'a dyn RenderString) -> Self {
        Self { root, work, hub: None, private: None, version_check: true, render, warnings: Vec::new(), fetched: BTreeMap::new() }
    }

    /// Everything that is asked for and everything that this needs in turn.
    ///
    /// # Errors
    /// A package that cannot be fetched, bounds that nothing satisfies, two packages of one name.
    pub fn resolve(&mut self, wanted: &[Wanted], project: &str) -> Result<Vec<Pinned>, Diagnostic> {
        let mut all: IndexMap<String, Wanted> = IndexMap::new();
        let mut found: IndexMap<String, Found> = IndexMap::new();
        let mut open: Vec<Wanted> = wanted.to_vec();
        while !open.is_empty() {
            let mut next = Vec::new();
            for package in open {
                let key = package.key();
                let known = all.entry(key.clone()).or_insert_with(|| package.clone());
                let before = known.clone();
                known.join(&package);
                // Nothing new is asked of it; packages that need each other end here.
                if *known == before && found.contains_key(&key) {
                    continue;
                }
                let known = known.clone();
                let one = self.find(&known)?;
                next.extend(one.needs.iter().cloned());
                found.insert(key, one);
            }
            open = next;
        }
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        for (key, one) in &found {
            // It becomes a folder's name.
            if !is_name(&one.pinned.name) {
                return Err(failed(&format!("the package {key} calls itself `{}`", one.pinned.name), &"a name has letters, digits and underscores, and starts with no digit"));
            }
            if one.pinned.name == project {
                return Err(failed(&format!("the package {key} has the project's own name `{project}`"), &"names must differ"));
            }
            if let Some(other) = names.insert(one.pinned.name.clone(), key.clone()) {
                return Err(failed(&format!("two packages are named `{}`", one.pinned.name), &format!("{other} and {key}")));
            }
        }
        Ok(found.into_values().map(|f| f.pinned).collect())
    }

    fn find(&mut self, wanted: &Wanted) -> Result<Found, Diagnostic> {
        match wanted {
            Wanted::Local { path } => {
                let folder = self.root.join(path);
                let (name, needs) = self.read(&folder, path)?;
                let needs = needs.into_iter().map(|w| below(w, path)).collect();
                let pinned = Pinned { name: name.clone(), lock: json!({"local": path, "name": name}), shown: format!("<local @ {path}>"), latest: None, folder: Folder::Local(folder) };
                Ok(Found { pinned, needs })
            }
            Wanted::Git { url, revisions, subdirectory, warn_unpinned } => self.repository(url, &json!({"git": url}), revisions, subdirectory.as_deref(), *warn_unpinned),
            Wanted::Private { name, revisions, subdirectory, warn_unpinned } => {
                let Some(base) = self.private else {
                    return Err(failed(&format!("the private package `{name}` cannot be found"), &"DVT_PRIVATE_GIT_URL is not set")
                        .hint("set it to what stands before the name in the repository's address; or name the repository with `git:`"));
                };
                let url = format!("{}{}{name}.git", base, if base.ends_with(['/', ':']) { "" } else { "/" });
                self.repository(&url, &json!({"private": name}), revisions, subdirectory.as_deref(), *warn_unpinned)
            }
            Wanted::Tarball { url, name } => {
                let folder = self.archive(url, url)?;
                let (_, needs) = self.read(&folder, url)?;
                let pinned = Pinned { name: name.clone(), lock: json!({"tarball": url, "name": name}), shown: format!("tarball (url: {url})"), latest: None, folder: Folder::Fetched(folder) };
                Ok(Found { pinned, needs })
            }
            Wanted::Hub { package, versions, prereleases } => self.indexed(package, versions, *prereleases),
        }
    }

    fn repository(&mut self, url: &str, lock: &Value, revisions: &[String], subdirectory: Option<&str>, warn_unpinned: bool) -> Result<Found, Diagnostic> {
        if let [first, second, ..] = revisions {
            return Err(failed(&format!("the repository {url} is asked for at several revisions"), &format!("{first} and {second}")));
        }
        let revision = revisions.first().map(String::as_str);
        if warn_unpinned && revision.is_none_or(|r| matches!(r, "HEAD" | "main" | "master")) {
            let text = format!("the repository {url} is not pinned: it is taken at {}, which changes", revision.unwrap_or("HEAD"));
            self.warnings.push(Diagnostic::warning(Code::PackageInvalid, text).event("DepsUnpinned").hint("`revision:` names a tag or commit; `warn-unpinned: false` silences this"));
        }
        let folder = self.work.join(format!("git{}", self.fetched.len()));
        let commit = fetch::git(url, revision, &folder)?;
        self.fetched.insert(format!("{url}@{commit}"), folder.clone());
        let inner = match subdirectory {
            Some(sub) if sub.split('/').any(|p| p == "..") => return Err(failed(url, &format!("the subdirectory {sub} leaves the repository"))),
            Some(sub) => folder.join(sub),
            None => folder,
        };
        let (name, needs) = self.read(&inner, url)?;
        let mut lock = lock.clone();
        lock["name"] = json!(name);
        lock["revision"] = json!(commit);
        if let Some(sub) = subdirectory {
            lock["subdirectory"] = json!(sub);
        }
        let shown = revision.map_or_else(|| "HEAD (default revision)".to_owned(), |r| format!("revision {r}"));
        Ok(Found { pinned: Pinned { name, lock, shown, latest: None, folder: Folder::Fetched(inner) }, needs })
    }

    fn indexed(&mut self, package: &str, versions: &[String], prereleases: bool) -> Result<Found, Diagnostic> {
        let all = Hub { base: self.hub }.versions(package)?;
        let parse = |v: &String| Bound::parse(v).ok_or_else(|| failed(&format!("`{v}` of {package} is no version"), &"write 1.2.3, or bounds such as [\">=1.0.0\", \"<2.0.0\"]"));
        let bounds: Vec<Bound> = versions.iter().map(parse).collect::<Result<_, _>>()?;
        let fits = |info: &Value| !self.version_check || fits_dbt(info.get("require_dbt_version"));
        let usable: Vec<&str> = all.iter().filter(|(_, info)| fits(info)).map(|(v, _)| v.as_str()).collect();
        let Some(version) = best(usable.iter().copied(), &bounds, prereleases) else {
            let known: Vec<&str> = all.keys().map(String::as_str).collect();
            let error = failed(&format!("no version of {package} is within {}", versions.join(", ")), &format!("it has {}", known.join(", ")));
            return Err(error.hint(format!("packages may also ask for another dbt than {DBT_VERSION}; --no-version-check takes them all the same")));
        };
        let latest = best(usable.iter().copied(), &[], false).filter(|l| *l != version).map(str::to_owned);
        let info = all.get(version).cloned().unwrap_or_default();
        let name = info.get("name").and_then(Value::as_str).or_else(|| package.rsplit('/').next()).unwrap_or(package).to_owned();
        let needs = info.get("packages").and_then(Value::as_array).into_iter().flatten().map(entry::of_value).collect::<Result<Vec<_>, _>>()?;
        let url = info.get("downloads").and_then(|d| d.get("tarball")).and_then(Value::as_str).unwrap_or_default();
        let folder = self.archive(url, package)?;
        let pinned = Pinned { lock: json!({"package": package, "version": version, "name": name}), name, shown: format!("version {version}"), latest, folder: Folder::Fetched(folder) };
        Ok(Found { pinned, needs })
    }

    fn archive(&mut self, url: &str, what: &str) -> Result<PathBuf, Diagnostic> {
        if let Some(folder) = self.fetched.get(url) {
            return Ok(folder.clone());
        }
        if url.is_empty() {
            return Err(failed(&format!("{what} cannot be downloaded"), &"its metadata names no archive"));
        }
        let folder = fetch::tarball(url, &self.work.join(format!("tar{}", self.fetched.len())))?;
        self.fetched.insert(url.to_owned(), folder.clone());
        Ok(folder)
    }

    /// A package's name and what it needs.
    fn read(&self, folder: &Path, what: &str) -> Result<(String, Vec<Wanted>), Diagnostic> {
        let Some(file) = PROJECT_FILES.iter().map(|f| folder.join(f)).find(|f| f.is_file()) else {
            return Err(failed(&format!("{what} is no package"), &format!("{} holds no {}", folder.display(), PROJECT_FILES[0])));
        };
        let text = |path: &Path| std::fs::read_to_string(path).map_err(|e| failed(what, &e));
        let shown = file.display().to_string();
        let root = dvt_project::yaml::parse(&shown, &text(&file)?)?.root;
        let name = root.get("name").and_then(|n| n.as_str()).ok_or_else(|| failed(what, &format!("{shown} has no `name`")))?.to_owned();
        for file in ["packages.yml", "dependencies.yml"] {
            let path = folder.join(file);
            if path.is_file() {
                let found = entries(&path.display().to_string(), &text(&path)?, self.render)?;
                if !found.is_empty() {
                    return Ok((name, found.into_iter().map(|e| e.wanted).collect()));
                }
            }
        }
        Ok((name, Vec::new()))
    }
}

/// What dbt takes for a project's name.
fn is_name(text: &str) -> bool {
    text.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_') && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// A local package's own local packages are found from the project.
fn below(wanted: Wanted, folder: &str) -> Wanted {
    match wanted {
        Wanted::Local { path } if !Path::new(&path).is_absolute() => {
            let mut parts: Vec<&str> = folder.trim_end_matches('/').split('/').collect();
            for part in path.split('/') {
                match part {
                    "" | "." => {}
                    ".." if parts.last().is_some_and(|p| *p != "..") => {
                        parts.pop();
                    }
                    other => parts.push(other),
                }
            }
            Wanted::Local { path: parts.join("/") }
        }
        other => other,
    }
}

fn fits_dbt(required: Option<&Value>) -> bool {
    let bounds: Vec<&str> = match required {
        Some(Value::String(one)) => one.split(',').collect(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).flat_map(|v| v.split(',')).collect(),
        _ => return true,
    };
    let Some(own) = version::Version::parse(DBT_VERSION) else { return true };
    bounds.iter().filter(|b| !b.trim().is_empty()).all(|b| Bound::parse(b).is_none_or(|b| b.holds(&own)))
}

/// Puts a package at its place: a link to a folder that stays where it is, else the fetched folder itself.
///
/// # Errors
/// A place that cannot be written.
pub fn install(pinned: &Pinned, place: &Path) -> Result<(), Diagnostic> {
    let wrong = |e: std::io::Error| failed(&format!("package `{}` cannot be installed at {}", pinned.name, place.display()), &e);
    match &pinned.folder {
        Folder::Local(folder) => {
            let folder = folder.canonicalize().map_err(wrong)?;
            #[cfg(unix)]
            if std::os::unix::fs::symlink(&folder, place).is_ok() {
                return Ok(());
            }
            copy(&folder, place).map_err(wrong)
        }
        Folder::Fetched(folder) => {
            // Two entries may share what was fetched.
            if std::fs::rename(folder, place).is_ok() { Ok(()) } else { copy(folder, place).map_err(wrong) }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Resolver, Wanted};
    use dvt_project::render::Verbatim;
    use std::path::Path;

    fn package(root: &Path, folder: &str, name: &str, needs: &str) {
        std::fs::create_dir_all(root.join(folder)).unwrap();
        std::fs::write(root.join(folder).join("dbt_project.yml"), format!("name: {name}\n")).unwrap();
        std::fs::write(root.join(folder).join("packages.yml"), format!("packages: [{{local: {needs}}}]\n")).unwrap();
    }

    #[test]
    fn packages_that_need_each_other_are_each_found_once() {
        let root = tempfile::tempdir().unwrap();
        package(root.path(), "a", "first", "../b");
        package(root.path(), "b", "second", "../a");
        let found = Resolver::new(root.path(), root.path(), &Verbatim).resolve(&[Wanted::Local { path: "a".into() }], "shop").unwrap();
        assert_eq!(found.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["first", "second"]);
    }

    #[test]
    fn a_package_whose_name_is_a_path_is_refused() {
        let root = tempfile::tempdir().unwrap();
        package(root.path(), "a", "../../out", "../a");
        let said = Resolver::new(root.path(), root.path(), &Verbatim).resolve(&[Wanted::Local { path: "a".into() }], "shop").unwrap_err();
        assert!(said.message.contains("calls itself `../../out`"), "{said}");
    }
}
