//! The 22 methods: which resources a criterion matches by itself.

use super::glob::{Glob, PathGlob};
use super::resource::Resource;
use super::spec::Criteria;
use super::{Chooser, invalid};
use crate::names::UniqueId;
use dvt_diagnostic::{Diagnostic, Severity};
use serde_json::Value;
use std::cmp::Ordering;
use std::collections::BTreeSet;

const KINDS: [&str; 21] = [
    "model", "analysis", "test", "snapshot", "operation", "seed", "rpc", "sql_operation", "doc", "source", "macro", "exposure", "metric", "group", "saved_query",
    "semantic_model", "unit_test", "fixture", "function", "docs", "selector",
];

impl Chooser<'_> {
    pub(super) fn matches(&self, c: &Criteria) -> Result<BTreeSet<UniqueId>, Diagnostic> {
        let text = c.text();
        let value = text.as_str();
        let glob = Glob::new(value);
        let node = |r: &Resource<'_>| self.manifest.nodes.contains_key(r.id);
        let access = |r: &Resource<'_>| self.manifest.nodes.get(r.id).map(|n| n.access().to_owned());
        Ok(match c.method.as_str() {
            "fqn" => {
                let wanted = Fqn::new(value);
                self.keep(|r| !r.is_source() && (wanted.holds(r.fqn, r.versioned) || r.fqn.get(1..).is_some_and(|f| wanted.holds(f, r.versioned))))
            }
            "tag" => self.keep(|r| r.tags.iter().any(|t| glob.is(t))),
            "group" => self.keep(|r| (node(r) || r.kind == "metric") && r.group.is_some_and(|g| glob.is(g))),
            "access" => self.keep(|r| r.kind == "model" && access(r).as_deref() == Some(value)),
            "source" => self.source(c, value)?,
            "exposure" | "metric" | "semantic_model" | "saved_query" | "unit_test" => self.of_kind(c, value)?,
            "path" => {
                let paths = PathGlob::new(value);
                self.keep(|r| paths.holds(r.path) || r.patch.is_some_and(|p| paths.is(p)))
            }
            "file" => self.keep(|r| {
                let name = r.path.rsplit('/').next().unwrap_or_default();
                glob.is(name) || glob.is(name.rsplit_once('.').map_or(name, |(stem, _)| stem))
            }),
            "package" => {
                let project = Glob::new(&self.manifest.project_name);
                let glob = if value == "this" { &project } else { &glob };
                self.keep(|r| glob.is(r.package))
            }
            "config" => self.keep(|r| (node(r) || r.is_source()) && r.config.is_some_and(|config| configured(config, &c.arguments, &c.value))),
            "resource_type" => {
                if !KINDS.contains(&value) {
                    return Err(invalid(&c.raw, &format!("`{value}` is no kind of resource")).hint("model, seed, snapshot, test, unit_test, source, exposure, metric, analysis …"));
                }
                self.keep(|r| r.kind == value)
            }
            "test_name" => self.keep(|r| r.test_name.is_some_and(|n| glob.is(n)) || (r.kind == "unit_test" && glob.is(r.name))),
            "test_type" => match value {
                "generic" | "schema" => self.keep(|r| r.generic == Some(true)),
                "singular" => self.keep(|r| r.generic == Some(false)),
                "data" => self.keep(|r| r.generic.is_some()),
                "unit" => self.keep(|r| r.kind == "unit_test"),
                other => return Err(invalid(&c.raw, &format!("`{other}` is no test type")).hint("test types: generic, singular, data, unit")),
            },
            "version" => self.version(c, value)?,
            "state" => self.state(c, value)?,
            "result" => {
                let state = self.request.state.filter(|s| s.results.is_some());
                let state = state.ok_or_else(|| invalid(&c.raw, "there is no run_results.json to compare with").hint("--state names a folder that has one"))?;
                let ids = state.with_status(value);
                self.keep(|r| ids.contains(r.id.as_str()))
            }
            "source_status" => {
                let state = self.request.state.filter(|s| s.sources.is_some());
                let state = state.ok_or_else(|| invalid(&c.raw, "there is no sources.json to compare with").hint("--state names a folder that has one"))?;
                if state.sources_now.is_none() {
                    return Err(invalid(&c.raw, "this project has no sources.json yet").hint("run `source freshness` first"));
                }
                let ids = if value == "fresher" { state.fresher() } else { BTreeSet::new() };
                self.keep(|r| ids.contains(r.id.as_str()))
            }
            "selector" => self.selector(c, &glob)?,
            other => return Err(invalid(&c.raw, &format!("`{other}` is no selector method"))),
        })
    }

    fn keep(&self, wanted: impl Fn(&Resource<'_>) -> bool) -> BTreeSet<UniqueId> {
        self.resources.iter().filter(|r| wanted(r)).map(|r| r.id.clone()).collect()
    }

    /// `name`, `name.table`, `package.name.table`.
    fn source(&self, c: &Criteria, value: &str) -> Result<BTreeSet<UniqueId>, Diagnostic> {
        let parts: Vec<Glob> = value.split('.').map(Glob::new).collect();
        let any = Glob::new("*");
        let (package, source, table) = match parts.as_slice() {
            [source] => (&any, source, &any),
            [source, table] => (&any, source, table),
            [package, source, table] => (package, source, table),
            _ => return Err(invalid(&c.raw, "a source has at most a package, a name and a table").hint("source:name.table")),
        };
        Ok(self.keep(|r| r.is_source() && package.is(r.package) && source.is(r.source_name) && table.is(r.name)))
    }

    /// `name` or `package.name` of one kind.
    fn of_kind(&self, c: &Criteria, value: &str) -> Result<BTreeSet<UniqueId>, Diagnostic> {
        let parts: Vec<Glob> = value.split('.').map(Glob::new).collect();
        let any = Glob::new("*");
        let (package, name) = match parts.as_slice() {
            [name] => (&any, name),
            [package, name] => (package, name),
            _ => return Err(invalid(&c.raw, "it has at most a package and a name")),
        };
        Ok(self.keep(|r| r.kind == c.method && package.is(r.package) && name.is(r.name)))
    }

    fn version(&self, c: &Criteria, value: &str) -> Result<BTreeSet<UniqueId>, Diagnostic> {
        let against = |r: &Resource<'_>| Some(compared(r.version.as_deref()?, r.latest_version.as_deref()?));
        let wanted: &dyn Fn(&Resource<'_>) -> bool = match value {
            "latest" => &|r| against(r) == Some(Ordering::Equal),
            "prerelease" => &|r| against(r) == Some(Ordering::Greater),
            "old" => &|r| against(r) == Some(Ordering::Less),
            "none" => &|r| r.version.is_none(),
            other => return Err(invalid(&c.raw, &format!("`{other}` is no kind of version")).hint("latest, prerelease, old, none")),
        };
        Ok(self.keep(|r| r.kind == "model" && wanted(r)))
    }

    fn state(&self, c: &Criteria, value: &str) -> Result<BTreeSet<UniqueId>, Diagnostic> {
        let state = self.request.state.filter(|s| s.manifest.is_some());
        let state = state.ok_or_else(|| invalid(&c.raw, "there is no manifest.json to compare with").hint("--state names a folder that has one"))?;
        // The part stands after the value (`state:modified.body`).
        let check = state.check(value).ok_or_else(|| {
            invalid(&c.raw, &format!("`{value}` is no kind of state")).hint(format!("states: {}", super::state::KINDS.join(", ")))
        })?;
        let found = self.keep(|r| check.holds(r, self.manifest));
        for resource in &self.resources {
            match check.broken(resource) {
                Some(broken) if broken.severity == Severity::Error => return Err(broken),
                Some(broken) => state.tell(resource.id.as_str(), broken),
                None => {}
            }
        }
        Ok(found)
    }

    /// Selectors whose name fits; each is resolved as a whole.
    fn selector(&self, c: &Criteria, glob: &Glob) -> Result<BTreeSet<UniqueId>, Diagnostic> {
        let Some(all) = self.request.selectors else { return Err(super::yaml::missing(&c.text())) };
        let mut found: Vec<_> = all.iter().filter(|s| glob.is(&s.name)).collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        if found.is_empty() {
            return Err(all.get(&c.text()).err().unwrap_or_else(|| invalid(&c.raw, "no selector has that name")));
        }
        let mut out = BTreeSet::new();
        for selector in found {
            if self.path.borrow().contains(&selector.name) {
                let circle = self.path.borrow().join(" -> ");
                return Err(invalid(&c.raw, &format!("the selectors name each other in a circle: {circle} -> {}", selector.name)));
            }
            self.path.borrow_mut().push(selector.name.clone());
            let chosen = selector.spec(self.request.indirect).and_then(|spec| self.selected(&spec));
            self.path.borrow_mut().pop();
            out.extend(chosen?);
        }
        Ok(out)
    }
}

/// A leaf's name, or the start of the fqn (dots in names count as steps); a pattern must cover all the rest.
struct Fqn<'a> {
    wanted: &'a str,
    words: Vec<&'a str>,
    /// Which word is the first with a wildcard, and the pattern from there on. Made once: there are as many fqns as nodes.
    rest: Option<(usize, Glob)>,
}

impl<'a> Fqn<'a> {
    fn new(wanted: &'a str) -> Self {
        let words: Vec<&str> = wanted.split('.').collect();
        let first = words.iter().position(|w| w.contains(['*', '?', '[', ']']));
        let rest = first.map(|i| (i, Glob::new(&words[i..].join("."))));
        Self { wanted, words, rest }
    }

    fn holds(&self, fqn: &[String], versioned: bool) -> bool {
        let Self { wanted, words, rest } = self;
        let Some(leaf) = fqn.last() else { return false };
        let name = if versioned { fqn.len().checked_sub(2).map_or(leaf, |i| &fqn[i]) } else { leaf };
        if name == wanted {
            return true;
        }
        if versioned {
            let tail = |parts: &[&str]| parts[parts.len().saturating_sub(2)..].join("_");
            let own: Vec<&str> = fqn.iter().map(String::as_str).collect();
            if tail(&own) == tail(words) {
                return true;
            }
        }
        let flat: Vec<&str> = fqn.iter().flat_map(|s| s.split('.')).collect();
        if flat.len() < words.len() {
            return false;
        }
        match rest {
            Some((i, glob)) => flat[..*i] == words[..*i] && (glob.is(&flat[*i..].join(".")) || (!wanted.contains('.') && glob.is(name))),
            None => flat[..words.len()] == words[..],
        }
    }
}

/// Whether the config at `path` is `wanted`, or a list there holds it. Truth values may come as text.
fn configured(config: &serde_json::Map<String, Value>, path: &[String], wanted: &Value) -> bool {
    let mut words = path.iter().map(String::as_str);
    let first = words.next().unwrap_or_default();
    let first = match first {
        "pre_hook" => "pre-hook",
        "post_hook" => "post-hook",
        other => other,
    };
    let Some(mut value) = config.get(first) else { return false };
    for word in words {
        let inner = match value {
            Value::Object(map) => map.get(word),
            _ => None,
        };
        let Some(inner) = inner else { return false };
        value = inner;
    }
    let any_case = path == ["severity"];
    let same = |v: &Value| match (v, wanted) {
        (Value::Bool(on), Value::String(text)) => text.eq_ignore_ascii_case(if *on { "true" } else { "false" }),
        (Value::String(a), Value::String(b)) if any_case => a.eq_ignore_ascii_case(b),
        (a, b) => a == b,
    };
    match value {
        Value::Array(items) => items.iter().any(same),
        one => same(one),
    }
}

/// As dbt: as numbers where both are, else as texts.
fn compared(a: &str, b: &str) -> Ordering {
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
        _ => a.cmp(b),
    }
}

#[cfg(test)]
mod tests {
    use super::Fqn;

    #[test]
    fn names_starts_and_patterns_of_an_fqn() {
        let fqn: Vec<String> = ["shop", "marts", "core", "customers", "v2"].map(str::to_owned).to_vec();
        for (wanted, fits) in [("customers", true), ("customers.v2", true), ("customers_v2", true), ("customers_v1", false), ("shop.marts", true), ("shop.*", true), ("cust*", true), ("shop.m*", true), ("marts", false)] {
            assert_eq!(Fqn::new(wanted).holds(&fqn, true), fits, "{wanted}");
        }
    }
}
