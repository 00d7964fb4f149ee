//! `--select` and `--exclude`: dbt's selection language over nodes, sources and exposures.
//!
//! Here: methods fqn (names), path, file, tag, source, config, package, resource_type, test_type, test_name,
//! exposure, and `state:` against an earlier manifest (new, old, modified); operators `@`, `+`, `N+`, `+N`;
//! union by space, intersection by comma, globs. Not here: selectors.yml, `result:`, groups.

use crate::graph::Graph;
use crate::names::UniqueId;
use crate::node::{Exposure, Manifest, Node, ResourceType, SourceTable};
use crate::suggest::suggestion;
use dvt_diagnostic::{Code, Diagnostic};
use regex::Regex;
use serde_json::Value;
use std::collections::BTreeSet;

/// What `state:` compares with: the manifest of an earlier invocation, as read from its `manifest.json`.
pub type State<'a> = Option<&'a Value>;

/// The ids that `select` names (none: everything) without those of `exclude`. Tests that read a selected node
/// come along (dbt's eager indirect selection).
///
/// # Errors
/// `DVT2201` for a specification that cannot be read.
pub fn select(manifest: &Manifest, graph: &Graph, select: &[String], exclude: &[String], state: State<'_>) -> Result<BTreeSet<UniqueId>, Diagnostic> {
    let chooser = Chooser { manifest, graph, state };
    let mut chosen: BTreeSet<UniqueId> = if select.iter().all(|s| s.trim().is_empty()) {
        manifest.nodes.keys().chain(manifest.sources.keys()).chain(manifest.exposures.keys()).cloned().collect()
    } else {
        chooser.union(select)?
    };
    for id in chooser.union(exclude)? {
        chosen.remove(&id);
    }
    Ok(chosen)
}

/// Tests that read one of `chosen` (dbt's eager indirect selection).
fn tests_of(manifest: &Manifest, graph: &Graph, chosen: &BTreeSet<UniqueId>) -> BTreeSet<UniqueId> {
    let below = chosen.iter().flat_map(|id| graph.children(id));
    below.filter(|id| manifest.nodes.get(*id).is_some_and(|n| n.resource_type == ResourceType::Test)).cloned().collect()
}

struct Chooser<'a> {
    manifest: &'a Manifest,
    graph: &'a Graph,
    state: State<'a>,
}

/// One atom: operators around a method with its value.
#[expect(clippy::option_option, reason = "no operator, all levels, or so many levels")]
struct Spec<'a> {
    childrens_parents: bool,
    above: Option<Option<usize>>,
    below: Option<Option<usize>>,
    method: &'a str,
    arguments: Vec<&'a str>,
    value: &'a str,
}

impl Chooser<'_> {
    fn union(&self, specs: &[String]) -> Result<BTreeSet<UniqueId>, Diagnostic> {
        let mut all = BTreeSet::new();
        for spec in specs.iter().flat_map(|s| s.split_whitespace()) {
            let mut parts = spec.split(',').filter(|p| !p.is_empty());
            let Some(first) = parts.next() else { continue };
            let mut both = self.atom(first)?;
            for part in parts {
                let other = self.atom(part)?;
                both.retain(|id| other.contains(id));
            }
            all.extend(both);
        }
        Ok(all)
    }

    fn atom(&self, text: &str) -> Result<BTreeSet<UniqueId>, Diagnostic> {
        let spec = parse(text)?;
        let matched = self.matches(&spec, text)?;
        let mut out = matched.clone();
        if spec.childrens_parents {
            let below = self.graph.descendants_of_all(&matched, None);
            out.extend(below.iter().cloned());
            out.extend(self.graph.ancestors_of_all(matched.iter().chain(&below), None));
        }
        if let Some(depth) = spec.above {
            out.extend(self.graph.ancestors_of_all(&matched, depth));
        }
        if let Some(depth) = spec.below {
            out.extend(self.graph.descendants_of_all(&matched, depth));
        }
        out.extend(tests_of(self.manifest, self.graph, &out));
        Ok(out)
    }

    fn matches(&self, spec: &Spec<'_>, text: &str) -> Result<BTreeSet<UniqueId>, Diagnostic> {
        let glob = Glob::new(spec.value, text)?;
        let m = self.manifest;
        let nodes = |keep: &dyn Fn(&Node) -> bool| m.nodes.values().filter(|n| keep(n)).map(|n| n.unique_id.clone()).collect::<BTreeSet<_>>();
        let sources = |keep: &dyn Fn(&SourceTable) -> bool| m.sources.values().filter(|s| keep(s)).map(|s| s.unique_id.clone()).collect::<BTreeSet<_>>();
        let exposures = |keep: &dyn Fn(&Exposure) -> bool| m.exposures.values().filter(|e| keep(e)).map(|e| e.unique_id.clone()).collect::<BTreeSet<_>>();
        let all = |a: BTreeSet<UniqueId>, b: BTreeSet<UniqueId>, c: BTreeSet<UniqueId>| a.into_iter().chain(b).chain(c).collect();
        Ok(match spec.method {
            "fqn" | "name" => nodes(&|n| in_fqn(&glob, &n.fqn, &n.name)),
            "path" => all(nodes(&|n| in_path(&glob, &n.path)), sources(&|s| in_path(&glob, &s.path)), exposures(&|e| in_path(&glob, &e.path))),
            "file" => {
                let hit = |path: &str| {
                    let name = path.rsplit('/').next().unwrap_or_default();
                    glob.is(name) || glob.is(name.rsplit_once('.').map_or(name, |(stem, _)| stem))
                };
                all(nodes(&|n| hit(&n.path)), sources(&|s| hit(&s.path)), exposures(&|e| hit(&e.path)))
            }
            "tag" => all(
                nodes(&|n| n.tags.iter().any(|t| glob.is(t))),
                sources(&|s| s.tags.iter().any(|t| glob.is(t))),
                exposures(&|e| texts(e.raw.get("tags").or_else(|| e.raw.get("config").and_then(|c| c.get("tags")))).iter().any(|t| glob.is(t))),
            ),
            "source" => self.source(spec.value, text)?,
            "config" => all(nodes(&|n| config_is(&n.config, &spec.arguments, &glob)), sources(&|s| config_is(&s.config, &spec.arguments, &glob)), BTreeSet::new()),
            "package" => {
                let hit = |p: &str| glob.is(p) || (spec.value == "this" && p == m.project_name);
                all(nodes(&|n| hit(&n.package)), sources(&|s| hit(&s.package)), exposures(&|e| hit(&e.package)))
            }
            "resource_type" => match spec.value {
                "source" => sources(&|_| true),
                "exposure" => exposures(&|_| true),
                _ => nodes(&|n| glob.is(n.resource_type.as_str())),
            },
            "test_type" => match spec.value {
                "generic" | "schema" => nodes(&|n| is_test(n, |generic| generic)),
                "singular" => nodes(&|n| is_test(n, |generic| !generic)),
                "data" => nodes(&|n| is_test(n, |_| true)),
                "unit" => BTreeSet::new(),
                other => return Err(invalid(text, &format!("`{other}` is no test type")).hint("test types: generic, singular, data, unit")),
            },
            "test_name" => nodes(&|n| n.test.as_ref().and_then(|t| t.generic.as_ref()).is_some_and(|g| glob.is(g))),
            "exposure" => exposures(&|e| glob.is(&e.name) || glob.is(&e.fqn.join("."))),
            "state" => self.state(spec, text)?,
            other => return Err(unknown_method(text, other)),
        })
    }

    /// `source:name`, `source:name.table`, `source:package.name.table`.
    fn source(&self, value: &str, text: &str) -> Result<BTreeSet<UniqueId>, Diagnostic> {
        let parts: Vec<Glob> = value.split('.').map(|p| Glob::new(p, text)).collect::<Result<_, _>>()?;
        let hit = |s: &SourceTable| match parts.as_slice() {
            [name] => name.is(&s.source_name),
            [name, table] => name.is(&s.source_name) && table.is(&s.name),
            [package, name, table] => package.is(&s.package) && name.is(&s.source_name) && table.is(&s.name),
            _ => false,
        };
        if parts.len() > 3 {
            return Err(invalid(text, "a source has at most a package, a name and a table"));
        }
        Ok(self.manifest.sources.values().filter(|s| hit(s)).map(|s| s.unique_id.clone()).collect())
    }

    /// Bodies by checksum, configs as JSON; a source by its relation.
    fn state(&self, spec: &Spec<'_>, text: &str) -> Result<BTreeSet<UniqueId>, Diagnostic> {
        let Some(before) = self.state else {
            return Err(invalid(text, "`state:` needs --state with the folder of an earlier manifest"));
        };
        let old = |section: &str, id: &UniqueId| before.get(section).and_then(|n| n.get(id.as_str()));
        let changed = |node: &Node| match old("nodes", &node.unique_id) {
            None => true,
            Some(was) => {
                let body = was.get("checksum").and_then(|c| c.get("checksum")).and_then(Value::as_str) != Some(node.checksum.as_str())
                    || (node.resource_type == ResourceType::Test && was.get("raw_code").and_then(Value::as_str) != Some(node.raw_code.as_str()));
                let configs = was.get("config").is_some_and(|c| c.as_object() != Some(&*node.config));
                match spec.arguments.first().copied() {
                    None => body || configs,
                    Some("body") => body,
                    Some("configs") => configs,
                    Some(_) => false,
                }
            }
        };
        if let (Some(part), "modified") = (spec.arguments.first(), spec.value)
            && !["body", "configs"].contains(part)
        {
            return Err(invalid(text, &format!("`state:modified.{part}` is not known")).hint("known parts: body, configs"));
        }
        let m = self.manifest;
        let is_new = |section: &str, id: &UniqueId| old(section, id).is_none();
        Ok(match spec.value {
            "new" => m.nodes.keys().filter(|i| is_new("nodes", i)).chain(m.sources.keys().filter(|i| is_new("sources", i))).cloned().collect(),
            "old" => m.nodes.keys().filter(|i| !is_new("nodes", i)).chain(m.sources.keys().filter(|i| !is_new("sources", i))).cloned().collect(),
            "modified" => m.nodes.values().filter(|n| changed(n)).map(|n| n.unique_id.clone()).collect(),
            "unmodified" => m.nodes.values().filter(|n| !changed(n)).map(|n| n.unique_id.clone()).collect(),
            other => return Err(invalid(text, &format!("`state:{other}` is not known")).hint("known states: new, old, modified, unmodified")),
        })
    }
}

const METHODS: [&str; 13] =
    ["fqn", "name", "path", "file", "tag", "source", "config", "package", "resource_type", "test_type", "test_name", "exposure", "state"];

fn unknown_method(text: &str, method: &str) -> Diagnostic {
    let hint = suggestion(method, &METHODS).map_or_else(|| format!("methods: {}", METHODS.join(", ")), |m| format!("did you mean `{m}:`?"));
    invalid(text, &format!("`{method}` is no selector method")).hint(hint)
}

fn invalid(text: &str, why: &str) -> Diagnostic {
    Diagnostic::error(Code::SelectorInvalid, format!("the selection `{text}` cannot be read: {why}"))
}

fn parse(text: &str) -> Result<Spec<'_>, Diagnostic> {
    let mut rest = text;
    let childrens_parents = rest.starts_with('@');
    rest = rest.strip_prefix('@').unwrap_or(rest);
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let mut above = None;
    if let Some(after) = rest[digits..].strip_prefix('+') {
        above = Some(depth(&rest[..digits], text)?);
        rest = after;
    }
    let mut below = None;
    let body = rest.trim_end_matches(|c: char| c.is_ascii_digit());
    if let Some(before) = body.strip_suffix('+') {
        below = Some(depth(&rest[body.len()..], text)?);
        rest = before;
    }
    if childrens_parents && below.is_some() {
        return Err(invalid(text, "`@` and a trailing `+` cannot be combined"));
    }
    let (method, value) = match rest.split_once(':') {
        Some((method, value)) => (Some(method), value),
        None => (None, rest),
    };
    if value.is_empty() {
        return Err(invalid(text, "it names nothing"));
    }
    let mut words = method.unwrap_or_default().split('.');
    let named = words.next().filter(|m| !m.is_empty());
    let arguments = words.collect();
    let method = match named {
        Some(method) => method,
        None if value.contains(['/', '\\']) => "path",
        None if [".sql", ".py", ".csv", ".yml"].iter().any(|e| value.ends_with(e)) => "file",
        None => "fqn",
    };
    Ok(Spec { childrens_parents, above, below, method, arguments, value })
}

fn depth(digits: &str, text: &str) -> Result<Option<usize>, Diagnostic> {
    if digits.is_empty() {
        return Ok(None);
    }
    digits.parse().map(Some).map_err(|_| invalid(text, &format!("`{digits}` is too large a depth")))
}

/// A pattern with `*`, `?`, `[…]`, or a plain word.
enum Glob {
    Plain(String),
    Pattern(Regex),
}

impl Glob {
    fn new(pattern: &str, text: &str) -> Result<Self, Diagnostic> {
        if !pattern.contains(['*', '?', '[']) {
            return Ok(Self::Plain(pattern.to_owned()));
        }
        let mut regex = String::from("^(?s)");
        let mut in_class = false;
        for c in pattern.chars() {
            match c {
                '*' if !in_class => regex.push_str(".*"),
                '?' if !in_class => regex.push('.'),
                '[' => {
                    in_class = true;
                    regex.push('[');
                }
                ']' => {
                    in_class = false;
                    regex.push(']');
                }
                '!' if in_class && regex.ends_with('[') => regex.push('^'),
                '-' if in_class => regex.push('-'),
                c => regex.push_str(&regex::escape(&c.to_string())),
            }
        }
        regex.push('$');
        Regex::new(&regex).map(Self::Pattern).map_err(|_| invalid(text, &format!("`{pattern}` is no valid pattern")))
    }

    fn is(&self, text: &str) -> bool {
        match self {
            Self::Plain(word) => word == text,
            Self::Pattern(regex) => regex.is_match(text),
        }
    }
}

/// A name, a whole fqn, or its start (with or without the package): `staging`, `shop.staging`, `staging.*`.
fn in_fqn(glob: &Glob, fqn: &[String], name: &str) -> bool {
    if glob.is(name) {
        return true;
    }
    let starts = |parts: &[String]| (1..=parts.len()).any(|n| glob.is(&parts[..n].join(".")));
    starts(fqn) || fqn.get(1..).is_some_and(starts)
}

/// The file itself or a folder above it.
fn in_path(glob: &Glob, path: &str) -> bool {
    let wanted = |text: &str| match glob {
        Glob::Plain(word) => word.trim_start_matches("./").trim_end_matches('/') == text,
        Glob::Pattern(_) => glob.is(text),
    };
    wanted(path) || path.match_indices('/').any(|(i, _)| wanted(&path[..i]))
}

fn is_test(node: &Node, keep: impl Fn(bool) -> bool) -> bool {
    node.resource_type == ResourceType::Test && keep(node.test.as_ref().is_some_and(|t| t.generic.is_some()))
}

fn config_is(config: &serde_json::Map<String, Value>, path: &[&str], glob: &Glob) -> bool {
    let mut parts = path.iter();
    let mut value = parts.next().and_then(|k| config.get(*k));
    for part in parts {
        value = value.and_then(|v| v.get(*part));
    }
    match value {
        Some(Value::Object(map)) => map.keys().any(|k| glob.is(k)),
        other => texts(other).iter().any(|t| glob.is(t)),
    }
}

fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        None | Some(Value::Null | Value::Object(_)) => Vec::new(),
        Some(Value::String(s)) => vec![s.clone()],
        Some(Value::Array(items)) => items.iter().flat_map(|v| texts(Some(v))).collect(),
        Some(other) => vec![other.to_string()],
    }
}
