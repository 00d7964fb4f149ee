//! What selection sees of a resource, whatever its kind.

use crate::names::UniqueId;
use crate::node::{Manifest, Node, ResourceType, version_text};
use serde_json::{Map, Value};

/// One selectable thing.
#[derive(Debug, Clone)]
pub struct Resource<'a> {
    pub id: &'a UniqueId,
    /// dbt's `resource_type`.
    pub kind: &'static str,
    pub name: &'a str,
    /// What `ls --output name` shows.
    pub search_name: String,
    pub package: &'a str,
    /// dbt's `original_file_path`.
    pub path: &'a str,
    /// The properties file, from its package's root.
    pub patch: Option<&'a str>,
    pub fqn: &'a [String],
    pub tags: Vec<&'a str>,
    pub config: Option<&'a Map<String, Value>>,
    pub group: Option<&'a str>,
    /// A model of several versions: its fqn ends with the version.
    pub versioned: bool,
    pub version: Option<String>,
    pub latest_version: Option<String>,
    /// Generic, singular; None where it is no data test.
    pub generic: Option<bool>,
    pub test_name: Option<&'a str>,
    /// For sources: the source's name.
    pub source_name: &'a str,
    /// A model without text.
    pub blank: bool,
}

impl Resource<'_> {
    pub fn is_test(&self) -> bool {
        matches!(self.kind, "test" | "unit_test")
    }

    pub fn is_source(&self) -> bool {
        self.kind == "source"
    }
}

/// Everything that can be selected, in the order of ids within each kind.
pub fn resources(m: &Manifest) -> Vec<Resource<'_>> {
    let nodes = m.nodes.values().filter(|n| n.resource_type != ResourceType::Operation).chain(m.functions.values()).map(node);
    let sources = m.sources.values().map(|s| Resource {
        search_name: format!("{}.{}", s.source_name, s.name),
        source_name: &s.source_name,
        tags: strings_of(&s.tags),
        config: Some(&s.config),
        ..plain(&s.unique_id, "source", &s.name, &s.package, &s.path, &s.fqn)
    });
    let exposures = m.exposures.values().map(|e| Resource {
        tags: strings_of(&e.tags),
        config: Some(&e.config),
        ..plain(&e.unique_id, "exposure", &e.name, &e.package, &e.path, &e.fqn)
    });
    let unit_tests = m.unit_tests.values().map(|t| Resource {
        search_name: t.version.as_ref().map_or_else(|| t.name.clone(), |v| format!("{}.v{}", t.name, version_text(v))),
        tags: t.config.get("tags").map(strings).unwrap_or_default(),
        config: Some(&t.config),
        ..plain(&t.unique_id, "unit_test", &t.name, &t.package, &t.path, &t.fqn)
    });
    let described = m.metrics.values().chain(m.semantic_models.values()).chain(m.saved_queries.values()).map(|d| Resource {
        tags: strings_of(&d.tags),
        config: Some(&d.config),
        group: d.group(),
        ..plain(&d.unique_id, d.kind.as_str(), &d.name, &d.package, &d.path, &d.fqn)
    });
    nodes.chain(sources).chain(exposures).chain(unit_tests).chain(described).collect()
}

fn plain<'a>(id: &'a UniqueId, kind: &'static str, name: &'a str, package: &'a str, path: &'a str, fqn: &'a [String]) -> Resource<'a> {
    Resource {
        id,
        kind,
        name,
        search_name: name.to_owned(),
        package,
        path,
        patch: None,
        fqn,
        tags: Vec::new(),
        config: None,
        group: None,
        versioned: false,
        version: None,
        latest_version: None,
        generic: None,
        test_name: None,
        source_name: "",
        blank: false,
    }
}

fn node(n: &Node) -> Resource<'_> {
    let facts = n.facts();
    Resource {
        search_name: n.search_name(),
        patch: n.patch_path.as_deref().map(|p| p.split_once("://").map_or(p, |(_, file)| file)),
        tags: strings_of(&n.tags),
        config: Some(&n.config),
        group: n.group(),
        versioned: facts.version.is_some(),
        version: facts.version.as_ref().map(version_text),
        latest_version: facts.latest_version.as_ref().map(version_text),
        generic: n.test.as_ref().map(|t| t.generic.is_some()).or((n.resource_type == ResourceType::Test).then_some(false)),
        test_name: n.test.as_ref().and_then(|t| t.generic.as_deref()),
        blank: n.resource_type != ResourceType::Seed && n.raw_code.trim().is_empty(),
        ..plain(&n.unique_id, n.resource_type.as_str(), &n.name, &n.package, &n.path, &n.fqn)
    }
}

fn strings_of(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}

fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(one) => vec![one],
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}
