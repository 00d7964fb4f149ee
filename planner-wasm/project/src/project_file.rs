//! Project files and packages: the project, `local:` and installed packages, the adapters' macro packages.
//!
//! Not here: installing packages, and what a package's files hold.

use crate::input::ProjectInput;
use crate::node::HookDef;
use crate::profile::Profile;
use crate::render::{RenderString, is_late_key, rendered};
use crate::yaml::{self, Yaml};
use dvt_diagnostic::{Code, Diagnostic, Span};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

const PRIMARY: &str = "dbt_project.yml";
const FALLBACK: &str = "dvt_project.yml";

/// A package with its project file; the first package is the project itself.
#[derive(Debug, Clone)]
pub struct Package {
    pub name: String,
    pub version: String,
    /// Folder of the package from the project root, empty for the project; ends with `/` otherwise.
    pub root: String,
    /// The project file, for spans.
    pub file: String,
    /// The project file, rendered but for hooks and vars.
    pub project: Map<String, Value>,
    /// The project file as written.
    pub unrendered: Map<String, Value>,
    pub vars: Map<String, Value>,
    /// For an adapter's macro package: the adapter type whose files it has.
    pub adapter: Option<String>,
}

impl Package {
    /// Folders of one kind, dbt's old names and defaults included, without `./` and trailing `/`.
    pub fn paths(&self, key: &str) -> Vec<String> {
        let (old, default) = match key {
            "model-paths" => ("source-paths", "models"),
            "seed-paths" => ("data-paths", "seeds"),
            "macro-paths" => ("", "macros"),
            "test-paths" => ("", "tests"),
            "snapshot-paths" => ("", "snapshots"),
            "analysis-paths" => ("", "analyses"),
            "function-paths" => ("", "functions"),
            _ => ("", ""),
        };
        match self.project.get(key).or_else(|| self.project.get(old)) {
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(|p| normalised("", p)).collect(),
            Some(Value::String(one)) => vec![normalised("", one)],
            _ => vec![default.to_owned()],
        }
    }

    pub fn run_hooks(&self, key: &str) -> Vec<HookDef> {
        let items = match self.project.get(key) {
            Some(Value::Array(items)) => items.clone(),
            Some(Value::Null) | None => Vec::new(),
            Some(one) => vec![one.clone()],
        };
        items
            .iter()
            .filter_map(|item| match item {
                Value::String(sql) => Some(HookDef { sql: sql.clone(), transaction: true, connection: None, package: self.name.clone() }),
                Value::Object(map) => Some(HookDef {
                    sql: map.get("sql")?.as_str()?.to_owned(),
                    transaction: map.get("transaction").and_then(Value::as_bool).unwrap_or(true),
                    connection: map.get("connection").and_then(Value::as_str).map(str::to_owned),
                    package: self.name.clone(),
                }),
                _ => None,
            })
            .collect()
    }

    pub fn flags(&self) -> Map<String, Value> {
        self.project.get("flags").and_then(Value::as_object).cloned().unwrap_or_default()
    }

    /// `dispatch:` entries: macro namespace to search order.
    pub fn dispatch(&self) -> BTreeMap<String, Vec<String>> {
        let entries = self.project.get("dispatch").and_then(Value::as_array);
        entries
            .into_iter()
            .flatten()
            .filter_map(|e| {
                let order = e.get("search_order")?.as_array()?;
                Some((e.get("macro_namespace")?.as_str()?.to_owned(), order.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect()))
            })
            .collect()
    }
}

/// Vars of the project over those of its packages; each package's own under the package's name.
pub(crate) fn all_vars(packages: &[Package]) -> Map<String, Value> {
    let root = &packages[0];
    let mut out = root.vars.clone();
    for package in &packages[1..] {
        let mut own = package.vars.clone();
        if let Some(Value::Object(nested)) = own.shift_remove(&package.name) {
            own.extend(nested);
        }
        for (key, value) in &root.vars {
            if !value.is_object() || !packages.iter().any(|p| p.name == *key) {
                own.insert(key.clone(), value.clone());
            }
        }
        if let Some(Value::Object(over)) = root.vars.get(&package.name) {
            own.extend(over.clone());
        }
        if !own.is_empty() {
            out.insert(package.name.clone(), Value::Object(own));
        }
    }
    out
}

/// The project itself.
pub(crate) fn root(input: &ProjectInput, r: &dyn RenderString, warnings: &mut Vec<Diagnostic>) -> Result<Package, Diagnostic> {
    if input.files.contains_key(PRIMARY) && input.files.contains_key(FALLBACK) {
        warnings.push(
            Diagnostic::warning(Code::TwoProjectFiles, format!("{PRIMARY} and {FALLBACK} are both present; {PRIMARY} counts"))
                .at(Span::file(FALLBACK)),
        );
    }
    read(&input.files, "", r, warnings)?.ok_or_else(|| {
        Diagnostic::error(Code::ProjectNotFound, format!("no {PRIMARY} or {FALLBACK} here")).hint("`dvt init` makes a project")
    })
}

fn read(files: &BTreeMap<String, String>, folder: &str, r: &dyn RenderString, warnings: &mut Vec<Diagnostic>) -> Result<Option<Package>, Diagnostic> {
    let Some((file, text)) = [PRIMARY, FALLBACK].iter().find_map(|f| files.get_key_value(&format!("{folder}{f}"))) else { return Ok(None) };
    let document = yaml::parse(file, text)?;
    warnings.extend(document.warnings);
    old_keys(&document.root, warnings);
    package(&document.root, folder, file, r).map(Some)
}

/// Keys of the project file that dbt has renamed or moved.
fn old_keys(project: &Yaml, warnings: &mut Vec<Diagnostic>) {
    let Some(map) = project.as_map() else { return };
    let renamed = [
        ("source-paths", "model-paths", "ConfigSourcePathDeprecation"),
        ("data-paths", "seed-paths", "ConfigDataPathDeprecation"),
        ("log-path", "the option --log-path or DBT_LOG_PATH", "ConfigLogPathDeprecation"),
        ("target-path", "the option --target-path or DBT_TARGET_PATH", "ConfigTargetPathDeprecation"),
    ];
    for (key, new, event) in renamed {
        let usual = map.get(key).and_then(Yaml::as_str).is_some_and(|v| matches!((key, v), ("log-path", "logs") | ("target-path", "target")));
        if let Some(at) = map.key_span(key).filter(|_| !usual) {
            let warning = Diagnostic::warning(Code::Deprecated, format!("`{key}` in the project file is old")).at(at.clone());
            warnings.push(warning.hint(format!("use {new}")).event(event));
        }
    }
}

fn package(yaml: &Yaml, folder: &str, file: &str, r: &dyn RenderString) -> Result<Package, Diagnostic> {
    let invalid = |message: String, at: &Span| Diagnostic::error(Code::ProjectInvalid, message).at(at.clone());
    if yaml.as_map().is_none() {
        return Err(invalid(format!("{file} is no mapping"), &yaml.span));
    }
    let keep = |key: &str| is_late_key(key) || key == "vars";
    let Value::Object(project) = rendered(yaml, r, &keep)? else {
        return Err(invalid(format!("{file} is no mapping"), &yaml.span));
    };
    let Some(name) = project.get("name").and_then(Value::as_str) else {
        return Err(invalid(format!("{file} has no `name`"), &yaml.span).hint("add `name: my_project`"));
    };
    let ok = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !ok {
        let at = yaml.get("name").map_or(&yaml.span, |y| &y.span);
        return Err(invalid(format!("the project name `{name}` may hold letters, digits and underscores only"), at));
    }
    for section in ["models", "seeds", "snapshots", "sources", "tests", "data_tests", "vars", "flags"] {
        if let Some(value) = yaml.get(section).filter(|y| !y.is_null() && y.as_map().is_none()) {
            return Err(invalid(format!("`{section}` in {file} is no mapping"), &value.span));
        }
    }
    let version = match project.get("version") {
        Some(Value::String(s)) => s.clone(),
        Some(Value::Number(n)) => n.to_string(),
        _ => String::new(),
    };
    let vars = project.get("vars").and_then(Value::as_object).cloned().unwrap_or_default();
    let unrendered = yaml.to_json().as_object().cloned().unwrap_or_default();
    Ok(Package { name: name.to_owned(), unrendered, version, root: folder.to_owned(), file: file.to_owned(), vars, project, adapter: None })
}

/// The project, then its packages, then the macro packages of the adapters in use (SPEC F4).
pub(crate) fn packages(
    input: &ProjectInput,
    root: Package,
    profile: &Profile,
    r: &dyn RenderString,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Vec<Package>, Diagnostic> {
    let install = root.project.get("packages-install-path").and_then(Value::as_str).unwrap_or("dbt_packages");
    let mut folders: Vec<(String, Option<Span>)> = local_folders(input, "", r)?;
    let install = format!("{}/", normalised("", install));
    for file in input.files.range(install.clone()..).map(|(f, _)| f).take_while(|f| f.starts_with(&install)) {
        if let Some((name, PRIMARY | FALLBACK)) = file[install.len()..].split_once('/') {
            folders.push((format!("{install}{name}/"), None));
        }
    }
    let mut all = vec![root];
    let mut seen = BTreeSet::new();
    let mut next = 0;
    while let Some((folder, at)) = folders.get(next).cloned() {
        next += 1;
        if !seen.insert(folder.clone()) {
            continue;
        }
        let Some(package) = read(&input.files, &folder, r, warnings)? else {
            let mut error = Diagnostic::error(Code::PackageInvalid, format!("the local package `{}` holds no {PRIMARY}", folder.trim_end_matches('/')));
            error.span = at;
            return Err(error.hint("`local:` is a path from the folder of this file to the package's folder"));
        };
        folders.extend(local_folders(input, &folder, r)?);
        if let Some(first) = all.iter().find(|p| p.name == package.name) {
            // `dvt deps` copies local packages too: the first place counts.
            if first.root.is_empty() {
                return Err(Diagnostic::error(Code::PackageInvalid, format!("a package has the project's own name `{}`", package.name)).at(Span::file(package.file)));
            }
            continue;
        }
        all.push(package);
    }
    all.extend(adapter_packages(input, profile, r, warnings)?);
    Ok(all)
}

/// `local:` entries of `packages.yml` or `dependencies.yml` in `folder`.
fn local_folders(input: &ProjectInput, folder: &str, r: &dyn RenderString) -> Result<Vec<(String, Option<Span>)>, Diagnostic> {
    let mut out = Vec::new();
    for name in ["packages.yml", "dependencies.yml"] {
        let file = format!("{folder}{name}");
        let Some(text) = input.files.get(&file) else { continue };
        let document = yaml::parse(&file, text)?;
        for entry in document.root.get("packages").and_then(Yaml::as_list).unwrap_or_default() {
            if let Some(local) = entry.get("local") {
                let path = rendered(local, r, &|_| false)?;
                let path = path.as_str().unwrap_or_default();
                out.push((format!("{}/", normalised(folder, path)), Some(local.span.clone())));
            }
        }
    }
    Ok(out)
}

fn adapter_packages(input: &ProjectInput, profile: &Profile, r: &dyn RenderString, warnings: &mut Vec<Diagnostic>) -> Result<Vec<Package>, Diagnostic> {
    let mut wanted: Vec<String> = Vec::new();
    for target in profile.targets.values() {
        let kind = target.adapter.as_str();
        let parents = input.adapters.get(kind).map(|f| f.dispatch_parents.as_slice()).unwrap_or_default();
        for name in std::iter::once(kind).chain(parents.iter().map(String::as_str)) {
            if !wanted.iter().any(|w| w == name) {
                wanted.push(name.to_owned());
            }
        }
    }
    let mut out = Vec::new();
    for kind in wanted {
        let Some(files) = input.adapter_packages.get(&kind) else { continue };
        let mut package = match read(files, "", r, warnings)? {
            Some(package) => package,
            None => Package {
                name: format!("dbt_{kind}"),
                version: String::new(),
                root: String::new(),
                file: PRIMARY.to_owned(),
                project: Map::new(),
                unrendered: Map::new(),
                vars: Map::new(),
                adapter: None,
            },
        };
        package.root = format!("adapter:{kind}/");
        package.adapter = Some(kind);
        out.push(package);
    }
    Ok(out)
}

/// `path` below `folder`, with `.` and `..` resolved; no trailing `/`.
pub(crate) fn normalised(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let absolute = path.starts_with('/');
    let base = if absolute { "" } else { folder };
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|p| *p != "..") => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    let joined = parts.join("/");
    if absolute { format!("/{joined}") } else { joined }
}
