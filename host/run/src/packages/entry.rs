//! What packages.yml asks for: one entry, its kind, and dbt's text of it, from which the lock file's hash is made.

use dvt_diagnostic::{Code, Diagnostic};
use dvt_project::RenderString;
use dvt_project::yaml::{self, Yaml, YamlValue};
use serde_json::{Map, Value};
use sha1::{Digest, Sha1};

/// One package that is asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Wanted {
    Local { path: String },
    Git { url: String, revisions: Vec<String>, subdirectory: Option<String>, warn_unpinned: bool },
    Tarball { url: String, name: String },
    Hub { package: String, versions: Vec<String>, prereleases: bool },
    /// A repository known by its name to whoever set `DVT_PRIVATE_GIT_URL`.
    Private { name: String, revisions: Vec<String>, subdirectory: Option<String>, warn_unpinned: bool },
}

impl Wanted {
    /// Entries with one name are one package.
    pub fn key(&self) -> String {
        let inside = |url: &str, sub: &Option<String>| format!("{}/{}", url.trim_end_matches(".git"), sub.clone().unwrap_or_default());
        match self {
            Self::Local { path } => path.clone(),
            Self::Git { url, subdirectory, .. } => inside(url, subdirectory),
            Self::Private { name, subdirectory, .. } => inside(name, subdirectory),
            Self::Tarball { url, .. } => url.clone(),
            Self::Hub { package, .. } => package.clone(),
        }
    }

    /// Adds what another entry of the same package asks for.
    pub fn join(&mut self, other: &Self) {
        match (self, other) {
            (Self::Hub { versions: revisions, .. }, Self::Hub { versions: more, .. })
            | (Self::Git { revisions, .. }, Self::Git { revisions: more, .. })
            | (Self::Private { revisions, .. }, Self::Private { revisions: more, .. }) => {
                for revision in more {
                    if !revisions.contains(revision) {
                        revisions.push(revision.clone());
                    }
                }
            }
            _ => {}
        }
    }
}

/// An entry as it stands in a file.
#[derive(Debug, Clone)]
pub struct Entry {
    pub wanted: Wanted,
    /// dbt's dictionary of it.
    document: Value,
}

/// The entries of a packages file; nothing where it has none.
///
/// # Errors
/// `DVT1013` with the place of an entry that cannot be read.
pub fn entries(file: &str, text: &str, r: &dyn RenderString) -> Result<Vec<Entry>, Diagnostic> {
    let document = yaml::parse(file, text)?;
    let Some(list) = document.root.get("packages") else { return Ok(Vec::new()) };
    match &list.value {
        YamlValue::Null => Ok(Vec::new()),
        YamlValue::List(items) => items.iter().map(|i| entry(i, r)).collect(),
        _ => Err(Diagnostic::error(Code::PackageInvalid, format!("`packages` in {file} is no list")).at(list.span.clone())),
    }
}

/// An entry of a hub's metadata, which has no place.
pub fn of_value(value: &Value) -> Result<Wanted, Diagnostic> {
    let empty = Map::new();
    wanted(value.as_object().unwrap_or(&empty)).map_err(|why| Diagnostic::error(Code::PackageInvalid, format!("the package index names {value}: {why}")))
}

fn entry(yaml: &Yaml, r: &dyn RenderString) -> Result<Entry, Diagnostic> {
    let wrong = |why: String| Diagnostic::error(Code::PackageInvalid, format!("an entry of `packages` cannot be used: {why}")).at(yaml.span.clone());
    let Value::Object(plain) = yaml.to_json() else { return Err(wrong("it is no mapping".to_owned())) };
    let mut rendered = Map::new();
    for (key, value) in &plain {
        let value = match value {
            Value::String(text) if text.contains("{{") || text.contains("{%") => r.render(text, &yaml.span)?,
            other => other.clone(),
        };
        rendered.insert(key.clone(), value);
    }
    let wanted = wanted(&rendered).map_err(wrong)?;
    Ok(Entry { document: dictionary(&rendered, plain), wanted })
}

fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()).filter(|t| !t.is_empty()),
        Value::Number(n) => Some(n.to_string()),
        _ => None,
    }
}

fn wanted(map: &Map<String, Value>) -> Result<Wanted, String> {
    let get = |key: &str| text(map.get(key));
    let revisions = || get("revision").into_iter().collect::<Vec<_>>();
    let warn_unpinned = map.get("warn-unpinned").and_then(Value::as_bool) != Some(false);
    if let Some(path) = get("local") {
        return Ok(Wanted::Local { path });
    }
    if let Some(url) = get("git") {
        return Ok(Wanted::Git { url, revisions: revisions(), subdirectory: get("subdirectory"), warn_unpinned });
    }
    if let Some(url) = get("tarball") {
        let name = get("name").ok_or_else(|| "a tarball needs a `name`".to_owned())?;
        return Ok(Wanted::Tarball { url, name });
    }
    if let Some(name) = get("private") {
        return Ok(Wanted::Private { name, revisions: revisions(), subdirectory: get("subdirectory"), warn_unpinned });
    }
    let Some(package) = get("package") else { return Err("it has none of package, git, local, tarball, private".to_owned()) };
    if !package.contains('/') {
        return Err(format!("`{package}` has no namespace, as in `namespace/{package}`"));
    }
    let versions = match map.get("version") {
        Some(Value::Array(items)) => items.iter().filter_map(|v| text(Some(v))).collect(),
        one => text(one).into_iter().collect::<Vec<_>>(),
    };
    // One text may hold several bounds.
    let versions: Vec<String> = versions.iter().flat_map(|v| v.split(',')).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty()).collect();
    if versions.is_empty() {
        return Err(format!("`{package}` has no `version`"));
    }
    let prereleases = map.get("install_prerelease").or_else(|| map.get("install-prerelease")).and_then(Value::as_bool) == Some(true);
    Ok(Wanted::Hub { package, versions, prereleases })
}

/// The keys of dbt's own class for the entry, those that are not given as null.
fn dictionary(rendered: &Map<String, Value>, plain: Map<String, Value>) -> Value {
    let keys: &[&str] = if rendered.contains_key("local") {
        &["local"]
    } else if rendered.contains_key("git") {
        &["git", "revision", "subdirectory", "warn-unpinned"]
    } else if rendered.contains_key("tarball") {
        &["tarball", "name"]
    } else if rendered.contains_key("private") {
        &["private", "provider", "revision", "subdirectory", "warn-unpinned"]
    } else {
        &["package", "version", "install_prerelease"]
    };
    let usual = |key: &str| if key == "install_prerelease" { Value::Bool(false) } else { Value::Null };
    let mut out: Map<String, Value> = keys.iter().map(|k| ((*k).to_owned(), rendered.get(*k).cloned().unwrap_or_else(|| usual(k)))).collect();
    if let Some(name) = rendered.get("name").filter(|n| !n.is_null()) {
        out.insert("name".to_owned(), name.clone());
    }
    out.insert("unrendered".to_owned(), Value::Object(plain));
    Value::Object(out)
}

/// dbt's `sha1_hash`: over the entries as Python prints their JSON, sorted.
pub fn hash(entries: &[Entry]) -> String {
    let mut lines: Vec<String> = entries.iter().map(|e| python_json(&e.document)).collect();
    lines.sort();
    let digest = Sha1::digest(lines.join("\n").as_bytes());
    digest.iter().map(|b| format!("{b:02x}")).collect()
}

/// Sorted keys, a blank after commas and colons, ASCII only.
fn python_json(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            let parts: Vec<String> = keys.into_iter().map(|k| format!("{}: {}", python_json(&Value::String(k.clone())), python_json(&map[k]))).collect();
            format!("{{{}}}", parts.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(python_json).collect::<Vec<_>>().join(", ")),
        Value::String(_) => {
            let mut out = String::new();
            for c in value.to_string().chars() {
                if c.is_ascii() {
                    out.push(c);
                } else {
                    let mut units = [0; 2];
                    for unit in c.encode_utf16(&mut units) {
                        out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
            }
            out
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{entries, hash};
    use dvt_project::render::Verbatim;

    #[test]
    fn the_hash_is_dbts() {
        let text = "packages:\n  - local: packages/helper\n";
        assert_eq!(hash(&entries("packages.yml", text, &Verbatim).unwrap()), "77ec4786e6bf0718e796d40d70fd25204531ad5f");
        let text = "packages: [{local: packages/helper}, {git: 'https://x.test/a.git', revision: v1, warn-unpinned: false, subdirectory: s}, {git: 'https://x.test/b.git'},\
            {package: a/b, version: ['>=1.0.0', '<2.0.0']}, {package: a/c, version: 1.2.3}, {tarball: 'https://x/t.tar.gz', name: t}, {private: a/p, revision: '1'},\
            {package: a/d, version: 0.5, install_prerelease: true}, {git: 'https://x.test/b.git', revision: 1.0}]\n";
        assert_eq!(hash(&entries("packages.yml", text, &Verbatim).unwrap()), "fd8cf28841f53d3b0f9b5b1b440716fd2c1a7a8c");
    }

    #[test]
    fn an_entry_without_a_kind_is_told_with_its_place() {
        let e = entries("packages.yml", "packages:\n  - pakage: a/b\n", &Verbatim).unwrap_err();
        assert_eq!(e.span.unwrap().line, 2);
    }
}
