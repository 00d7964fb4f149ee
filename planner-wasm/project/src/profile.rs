//! `profiles.yml`: every output of the profile is a target (SPEC F5, T1).
//!
//! Secret values never enter a [`Target`]; [`outputs`] gives them apart, for the host only.

use crate::input::{AdapterFacts, ProjectInput};
use crate::names::{AdapterType, TargetName};
use crate::node::Target;
use crate::project_file::Package;
use crate::render::{RenderString, rendered};
use crate::yaml::{self, Yaml};
use dvt_diagnostic::{Code, Diagnostic, Severity, Span};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

const FILE: &str = "profiles.yml";

#[derive(Debug, Clone)]
pub struct Profile {
    pub name: String,
    pub default_target: TargetName,
    pub targets: BTreeMap<TargetName, Target>,
}

/// One output with its secrets, for opening connections. Never serialised.
#[derive(Clone)]
pub struct Output {
    pub target: Target,
    /// Canonical key to value, for secret keys that are set.
    pub secrets: BTreeMap<String, Value>,
}

/// The profile without secrets.
pub(crate) fn load(input: &ProjectInput, root: &Package, r: &dyn RenderString, warnings: &mut Vec<Diagnostic>) -> Result<Profile, Diagnostic> {
    let name = profile_name(input, root)?;
    let yaml = entry(input, &name, warnings)?;
    let (wanted, at) = match (&input.target, yaml.get("target")) {
        (Some(t), _) => (t.clone(), None),
        (None, Some(t)) => {
            let value = rendered(t, r, &|_| false)?;
            (value.as_str().map_or_else(|| value.to_string(), str::to_owned), Some(t.span.clone()))
        }
        (None, None) => ("default".to_owned(), Some(yaml.span.clone())),
    };
    let default_target = TargetName::new(wanted);
    let mut targets = BTreeMap::new();
    for (target, outcome) in read(input, &name, &yaml, r)? {
        match outcome {
            Ok(output) => {
                targets.insert(output.target.name.clone(), output.target);
            }
            Err(e) if target == default_target.as_str() => return Err(e),
            // As in dbt, an output that this run does not need may be unusable here (a variable not set).
            Err(e) => warnings.push(Diagnostic {
                message: format!("output `{target}` of profile `{name}` cannot be used: {}", e.message),
                severity: Severity::Note,
                ..e
            }),
        }
    }
    let known = || targets.keys().map(TargetName::as_str).collect::<Vec<_>>().join(", ");
    if !targets.contains_key(&default_target) {
        let mut error = Diagnostic::error(Code::TargetNotFound, format!("target `{default_target}` is not an output of profile `{name}`"))
            .hint(format!("known targets: {}", known()));
        error.span = at;
        return Err(error);
    }
    Ok(Profile { name, default_target, targets })
}

/// All usable outputs of the profile `name`, secrets apart. One that cannot be rendered is left out.
///
/// # Errors
/// `DVT1002`, `DVT1004`, `DVT1005`, and what templates raise.
pub fn outputs(input: &ProjectInput, name: &str, r: &dyn RenderString) -> Result<Vec<Output>, Diagnostic> {
    let yaml = entry(input, name, &mut Vec::new())?;
    Ok(read(input, name, &yaml, r)?.into_iter().filter_map(|(_, outcome)| outcome.ok()).collect())
}

fn profile_name(input: &ProjectInput, root: &Package) -> Result<String, Diagnostic> {
    input
        .profile
        .clone()
        .or_else(|| root.project.get("profile").and_then(Value::as_str).map(str::to_owned))
        .ok_or_else(|| {
            Diagnostic::error(Code::ProfileNotFound, format!("`{}` names no profile", root.file))
                .at(Span::file(root.file.clone()))
                .hint("add `profile: <name>` to it, or pass --profile")
        })
}

/// The profile as written.
fn entry(input: &ProjectInput, name: &str, warnings: &mut Vec<Diagnostic>) -> Result<Yaml, Diagnostic> {
    let Some(text) = &input.profiles else {
        return Err(Diagnostic::error(Code::ProfileNotFound, format!("profiles.yml is missing; the project uses profile `{name}`"))
            .hint("`dvt debug --config` shows where it is looked for"));
    };
    let document = yaml::parse(FILE, text)?;
    warnings.extend(document.warnings);
    let Some(profile) = document.root.get(name).cloned() else {
        let known: Vec<&str> = document.root.as_map().into_iter().flat_map(|m| m.iter().map(|(k, _, _)| k)).filter(|k| *k != "config").collect();
        return Err(Diagnostic::error(Code::ProfileNotFound, format!("profiles.yml holds no profile `{name}`"))
            .at(Span::file(FILE))
            .hint(format!("known profiles: {}", known.join(", "))));
    };
    Ok(profile)
}

type Outcome = (String, Result<Output, Diagnostic>);

fn read(input: &ProjectInput, name: &str, profile: &Yaml, r: &dyn RenderString) -> Result<Vec<Outcome>, Diagnostic> {
    let Some(entries) = profile.get("outputs").and_then(Yaml::as_map).filter(|m| !m.is_empty()) else {
        return Err(Diagnostic::error(Code::ProfileInvalid, format!("profile `{name}` has no outputs")).at(profile.span.clone()));
    };
    Ok(entries.iter().map(|(target, at, keys)| (target.to_owned(), output(input, name, target, at, keys, r))).collect())
}

fn output(input: &ProjectInput, profile: &str, name: &str, at: &Span, yaml: &Yaml, r: &dyn RenderString) -> Result<Output, Diagnostic> {
    let invalid = |message: String| Diagnostic::error(Code::ProfileInvalid, message).at(at.clone());
    let Some(map) = yaml.as_map() else {
        return Err(invalid(format!("output `{name}` of profile `{profile}` is no mapping")));
    };
    let Some(kind) = yaml.get("type") else {
        return Err(invalid(format!("output `{name}` of profile `{profile}` has no `type`")).hint("the type names the adapter"));
    };
    let kind = rendered(kind, r, &|_| false)?;
    let Some(kind) = kind.as_str() else {
        return Err(invalid(format!("the `type` of output `{name}` is no text")));
    };
    let fallback = AdapterFacts::default();
    let facts = input.adapters.get(kind).unwrap_or(&fallback);
    let mut keys = Map::new();
    let mut secrets = BTreeMap::new();
    for (key, key_at, value) in map.iter() {
        let canonical = facts.key_aliases.get(key).map_or(key, String::as_str);
        // The canonical spelling wins over an alias of it.
        if canonical != key && map.get(canonical).is_some() {
            continue;
        }
        if is_secret(facts, key, canonical, value) {
            secrets.insert(canonical.to_owned(), rendered(value, r, &|_| false)?);
            continue;
        }
        let value = rendered(value, r, &|_| false)?;
        if keys.insert(canonical.to_owned(), value).is_some() {
            return Err(invalid(format!("output `{name}` says `{canonical}` twice, once as `{key}`")).at(key_at.clone()));
        }
    }
    let threads = threads(&keys).ok_or_else(|| invalid(format!("`threads` of output `{name}` is no whole number above 0")))?;
    let pick = |named: &[String], usual: &[&str]| {
        let chosen: Vec<&str> = if named.is_empty() { usual.to_vec() } else { named.iter().map(String::as_str).collect() };
        chosen.iter().find_map(|k| keys.get(*k)).and_then(text_of)
    };
    let of_file = || facts.database_file.as_ref().map(|file| file.name_of(keys.get(&file.key).and_then(Value::as_str)));
    let database = pick(&facts.database_keys, &["database", "dbname"]).or_else(|| facts.default_database.clone()).or_else(of_file);
    let schema = pick(&facts.schema_keys, &["schema"]).or_else(|| facts.default_schema.clone()).unwrap_or_default();
    let target = Target { name: TargetName::from(name), adapter: AdapterType::from(kind), keys, database, schema, threads };
    Ok(Output { target, secrets })
}

/// Named by the adapter, of a name that is a secret everywhere, or filled from a secret variable.
fn is_secret(facts: &AdapterFacts, key: &str, canonical: &str, value: &Yaml) -> bool {
    const USUAL: [&str; 12] = [
        "password", "pass", "passwd", "pwd", "token", "access_token", "refresh_token", "private_key", "private_key_passphrase",
        "client_secret", "secret", "secret_access_key",
    ];
    facts.secret_keys.iter().any(|k| k == key || k == canonical)
        || USUAL.contains(&key)
        || USUAL.contains(&canonical)
        || holds_secret_variable(value)
        || holds_credentials(&value.to_json())
        || nested(&value.to_json(), &|key| USUAL.iter().any(|usual| key == *usual || key.ends_with(&format!("_{usual}"))))
}

/// Whether a mapping inside the value has a key of such a name.
fn nested(value: &Value, named: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(key, inner)| named(key) || nested(inner, named)),
        Value::Array(list) => list.iter().any(|inner| nested(inner, named)),
        _ => false,
    }
}

/// An address with a user's password or a token in it, or connection words with a password.
fn holds_credentials(value: &Value) -> bool {
    const NAMES: [&str; 6] = ["password", "passwd", "pwd", "token", "secret", "apikey"];
    let Value::String(text) = value else {
        return match value {
            Value::Object(map) => map.values().any(holds_credentials),
            Value::Array(list) => list.iter().any(holds_credentials),
            _ => false,
        };
    };
    let text = text.to_ascii_lowercase();
    let user = text.split_once("://").and_then(|(_, rest)| rest.split(['/', '?', '#']).next()?.rsplit_once('@')).is_some_and(|(user, _)| user.contains(':'));
    // A folder may have an equals sign in its name: it is no parameter.
    let parameter = |part: &str| part.split_once('=').is_some_and(|(name, _)| !name.contains('/') && NAMES.iter().any(|n| name.trim_end().ends_with(n)));
    user || text.split([' ', ';', '&', '?']).any(parameter)
}

fn holds_secret_variable(value: &Yaml) -> bool {
    value.to_json().to_string().contains("DBT_ENV_SECRET")
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(s) => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        _ => None,
    }
}

/// 1 when absent, as dbt; text with digits counts (from `env_var`).
fn threads(keys: &Map<String, Value>) -> Option<u32> {
    let n = match keys.get("threads") {
        None | Some(Value::Null) => 1,
        Some(Value::Number(n)) => n.as_u64()?,
        Some(Value::String(s)) => s.trim().parse().ok()?,
        Some(_) => return None,
    };
    u32::try_from(n).ok().filter(|n| *n > 0)
}
