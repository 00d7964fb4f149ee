//! Configs of the project file that reach no resource. Not here: properties without a resource.

use super::Parser;
use dvt_diagnostic::{Code, Diagnostic, Span};
use dvt_project::{Manifest, Node, ResourceType};

impl Parser<'_> {
    /// A warning that names each path below `models:`, `seeds:`, … that no resource of that kind lies under, and no
    /// disabled one of any kind.
    pub(super) fn unused_configs(&mut self, manifest: &Manifest) {
        let resources = resources(manifest);
        let used = |section: &str, path: &[String]| resources.iter().any(|(of, fqn)| (*of == section || of.is_empty()) && fqn.starts_with(path));
        let unused: Vec<String> = self
            .skeleton
            .configs
            .set_paths()
            .into_iter()
            .filter(|(section, path)| !used(section, path))
            .map(|(section, path)| std::iter::once(section).chain(path.iter().map(String::as_str)).collect::<Vec<_>>().join("."))
            .collect();
        if unused.is_empty() {
            return;
        }
        let message = format!("configs of the project file apply to no resource: {}", unused.join(", "));
        let file = self.skeleton.packages.first().map_or("dbt_project.yml", |p| p.file.as_str());
        let warning = Diagnostic::warning(Code::UnknownKey, message).at(Span::file(file));
        self.warnings.push(warning.hint("a path is the project's name, then folders; check their spelling, or remove them").event("UnusedResourceConfigPath"));
    }
}

/// The path of every resource by dbt's name of its kind; disabled ones under an empty name.
fn resources(manifest: &Manifest) -> Vec<(&'static str, &[String])> {
    let mut out: Vec<(&'static str, &[String])> = Vec::new();
    out.extend(manifest.nodes.values().chain(manifest.functions.values()).map(|n| (section_of(n), n.fqn.as_slice())));
    out.extend(manifest.sources.values().map(|s| ("sources", s.fqn.as_slice())));
    out.extend(manifest.exposures.values().map(|e| ("exposures", e.fqn.as_slice())));
    out.extend(manifest.unit_tests.values().map(|t| ("unit_tests", t.fqn.as_slice())));
    for (section, described) in [("metrics", &manifest.metrics), ("semantic_models", &manifest.semantic_models), ("saved_queries", &manifest.saved_queries)] {
        out.extend(described.values().map(|d| (section, d.fqn.as_slice())));
    }
    out.extend(manifest.disabled.values().map(|n| ("", n.fqn.as_slice())));
    out.extend(manifest.disabled_sources.values().map(|s| ("", s.fqn.as_slice())));
    out.extend(manifest.disabled_exposures.values().map(|e| ("", e.fqn.as_slice())));
    out.extend(manifest.disabled_unit_tests.values().map(|t| ("", t.fqn.as_slice())));
    out.extend(manifest.disabled_described.values().map(|d| ("", d.fqn.as_slice())));
    out
}

fn section_of(node: &Node) -> &'static str {
    match node.resource_type {
        ResourceType::Model => "models",
        ResourceType::Seed => "seeds",
        ResourceType::Snapshot => "snapshots",
        ResourceType::Test => "data_tests",
        ResourceType::Function => "functions",
        ResourceType::Analysis | ResourceType::Operation => "analyses",
    }
}
