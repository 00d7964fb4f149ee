//! `computes.yml`: the engines a federated model may run in (SPEC F6, F7, C1, C2).
//!
//! Not here: what a kind of compute can do; its plugin knows.

use crate::input::ProjectInput;
use crate::names::{ComputeName, TargetName};
use crate::node::Compute;
use crate::paths::unknown_compute;
use crate::profile::Profile;
use crate::render::{RenderString, rendered};
use crate::suggest::suggestion;
use crate::yaml::{self, Yaml};
use dvt_diagnostic::{Code, Diagnostic, Span};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

const FILE: &str = "computes.yml";
/// The name of the implicit compute (F7).
pub const IMPLICIT: &str = "default";

#[derive(Debug, Clone)]
pub struct Computes {
    pub all: BTreeMap<ComputeName, Compute>,
    /// `--compute`, else the file's `target`.
    pub default: ComputeName,
}

pub(crate) fn load(input: &ProjectInput, profile: &Profile, r: &dyn RenderString, warnings: &mut Vec<Diagnostic>) -> Result<Computes, Diagnostic> {
    let entry = match &input.computes {
        None => None,
        Some(text) => {
            let document = yaml::parse(FILE, text)?;
            warnings.extend(document.warnings);
            if !document.root.is_null() && document.root.as_map().is_none() {
                return Err(Diagnostic::error(Code::ComputesFile, "computes.yml is no mapping of profile names").at(document.root.span));
            }
            document.root.get(&profile.name).filter(|y| !y.is_null()).cloned()
        }
    };
    let mut computes = match entry {
        None => implicit(input),
        Some(entry) => read(&entry, profile, r, warnings)?,
    };
    if let Some(name) = &input.compute {
        let name = ComputeName::new(name.clone());
        if !computes.all.contains_key(&name) {
            return Err(unknown_compute(computes.all.keys(), &name));
        }
        computes.default = name;
    }
    Ok(computes)
}

fn implicit(input: &ProjectInput) -> Computes {
    let name = ComputeName::from(IMPLICIT);
    let compute = Compute { name: name.clone(), kind: input.implicit_compute.clone(), version: None, master: None, config: Map::new() };
    Computes { all: BTreeMap::from([(name.clone(), compute)]), default: name }
}

fn read(entry: &Yaml, profile: &Profile, r: &dyn RenderString, warnings: &mut Vec<Diagnostic>) -> Result<Computes, Diagnostic> {
    check_keys(entry, &["target", "computes"], &format!("entry `{}`", profile.name))?;
    let mut all = BTreeMap::new();
    let Some(list) = entry.get("computes").filter(|y| !y.is_null()) else {
        return Err(Diagnostic::error(Code::ComputesFile, format!("entry `{}` of computes.yml lists no computes", profile.name)).at(entry.span.clone()));
    };
    if let Some(map) = list.as_map() {
        for (name, at, yaml) in map.iter() {
            check_keys(yaml, &["type", "version", "master", "config"], &format!("compute `{name}`"))?;
            let compute = compute(name, yaml, at, r)?;
            all.insert(compute.name.clone(), compute);
        }
    } else {
        for yaml in list.as_list().unwrap_or_default() {
            let Some(name) = yaml.get("name").and_then(Yaml::as_str) else {
                return Err(Diagnostic::error(Code::ComputesFile, "a compute in the list has no `name`").at(yaml.span.clone()));
            };
            check_keys(yaml, &["name", "type", "version", "master", "config"], &format!("compute `{name}`"))?;
            let compute = compute(name, yaml, &yaml.span, r)?;
            if all.insert(compute.name.clone(), compute).is_some() {
                return Err(Diagnostic::error(Code::ComputesFile, format!("compute `{name}` is listed twice")).at(yaml.span.clone()));
            }
        }
    }
    if all.is_empty() {
        return Err(Diagnostic::error(Code::ComputesFile, format!("entry `{}` of computes.yml lists no computes", profile.name)).at(list.span.clone()));
    }
    let default = active(entry, &all, profile, r, warnings)?;
    Ok(Computes { all, default })
}

/// The active compute; a `target` that names an output selects the only compute there is.
fn active(
    entry: &Yaml,
    all: &BTreeMap<ComputeName, Compute>,
    profile: &Profile,
    r: &dyn RenderString,
    warnings: &mut Vec<Diagnostic>,
) -> Result<ComputeName, Diagnostic> {
    let only = all.keys().next().filter(|_| all.len() == 1);
    let Some(yaml) = entry.get("target").filter(|y| !y.is_null()) else {
        let implicit = ComputeName::from(IMPLICIT);
        let chosen = only.cloned().or_else(|| all.contains_key(&implicit).then_some(implicit));
        return chosen.ok_or_else(|| {
            let names: Vec<&str> = all.keys().map(ComputeName::as_str).collect();
            Diagnostic::error(Code::UnknownCompute, format!("entry `{}` of computes.yml has several computes and no `target`", profile.name))
                .at(entry.span.clone())
                .hint(format!("known computes: {}", names.join(", ")))
        });
    };
    let name = rendered(yaml, r, &|_| false)?;
    let name = ComputeName::new(name.as_str().map_or_else(|| name.to_string(), str::to_owned));
    if all.contains_key(&name) {
        return Ok(name);
    }
    if let Some(only) = only
        && profile.targets.contains_key(&TargetName::new(name.as_str()))
    {
        let message = format!("`target: {name}` in computes.yml names an output of the profile, not a compute; `{only}` is used");
        warnings.push(Diagnostic::warning(Code::UnknownCompute, message).at(yaml.span.clone()).hint(format!("write `target: {only}`")));
        return Ok(only.clone());
    }
    Err(unknown_compute(all.keys(), &name).at(yaml.span.clone()))
}

fn compute(name: &str, yaml: &Yaml, at: &Span, r: &dyn RenderString) -> Result<Compute, Diagnostic> {
    let value = rendered(yaml, r, &|_| false)?;
    let text = |key: &str| match value.get(key) {
        Some(Value::String(s)) => Some(s.clone()),
        Some(Value::Number(n)) => Some(n.to_string()),
        _ => None,
    };
    let Some(kind) = text("type") else {
        return Err(Diagnostic::error(Code::ComputesFile, format!("compute `{name}` has no `type`")).at(at.clone()));
    };
    let mut config = match value.get("config") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(map)) => map.clone(),
        Some(_) => return Err(Diagnostic::error(Code::ComputesFile, format!("`config` of compute `{name}` is no mapping")).at(at.clone())),
    };
    let mut master = text("master");
    if let Some(Value::String(inner)) = config.get("master").cloned() {
        config.shift_remove("master");
        master = master.or(Some(inner));
    }
    Ok(Compute { name: ComputeName::from(name), kind, version: text("version"), master, config })
}

fn check_keys(yaml: &Yaml, known: &[&str], what: &str) -> Result<(), Diagnostic> {
    let Some(map) = yaml.as_map() else {
        return Err(Diagnostic::error(Code::ComputesFile, format!("{what} of computes.yml is no mapping")).at(yaml.span.clone()));
    };
    for (key, at, _) in map.iter() {
        if !known.contains(&key) {
            let hint = suggestion(key, known).map_or_else(|| format!("known keys: {}", known.join(", ")), |s| format!("did you mean `{s}`?"));
            return Err(Diagnostic::error(Code::ComputesFile, format!("unknown key `{key}` in {what}")).at(at.clone()).hint(hint));
        }
    }
    Ok(())
}
