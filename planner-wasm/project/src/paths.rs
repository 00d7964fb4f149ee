//! Which target a node runs on, with which compute, and whether it federates (SPEC T1 to T3, C1, C2).
//!
//! Needs complete `depends_on`; writes `target`, `adapter`, `dialect`, `compute`, `execution` of every node.
//! Not here: SQL. A path is decided before anything is compiled.

use crate::graph::Graph;
use crate::input::ProjectInput;
use crate::names::{ComputeName, DialectName, TargetName, UniqueId};
use crate::node::{ExecutionPath, Manifest, Node, ResourceType};
use dvt_diagnostic::{Code, Diagnostic};
use std::collections::{BTreeMap, BTreeSet};

/// Decides every node's place. Returns warnings (DVT2301, DVT1011).
///
/// # Errors
/// All unknown targets (DVT2101), unknown computes (DVT101) and a cycle (DVT2010).
pub fn resolve(manifest: &mut Manifest, input: &ProjectInput) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
    let graph = Graph::new(manifest).map_err(|e| vec![e])?;
    let mut errors = Vec::new();
    let mut warnings = Vec::new();
    // Targets that a node reads, ephemerals seen through: by id, for those that hold no data themselves.
    let mut through: BTreeMap<UniqueId, BTreeSet<TargetName>> = BTreeMap::new();
    let order: Vec<UniqueId> = graph.order().cloned().collect();
    for id in order {
        let Some(node) = manifest.nodes.get(&id) else { continue };
        let (upstream, first) = upstream_targets(manifest, node, &through);
        let own = match own_target(manifest, node, input, first.as_ref()) {
            Ok(target) => target,
            Err(e) => {
                errors.push(e);
                manifest.default_target.clone()
            }
        };
        let execution = if upstream.iter().all(|t| *t == own) { ExecutionPath::Pushdown } else { ExecutionPath::Federation };
        if node.is_ephemeral() {
            through.insert(id.clone(), upstream);
        }
        let compute = match compute_of(manifest, node, input) {
            Ok(compute) => compute,
            Err(e) => {
                errors.push(e);
                manifest.default_compute.clone()
            }
        };
        let (dialect, warning) = dialect_of(manifest, node, input, &own);
        warnings.extend(warning);
        let adapter = manifest.targets.get(&own).map(|t| t.adapter.clone()).unwrap_or_default();
        if let Some(node) = manifest.nodes.get_mut(&id) {
            node.target = own;
            node.adapter = adapter;
            node.dialect = dialect;
            node.compute = compute;
            node.execution = execution;
        }
    }
    if errors.is_empty() { Ok(warnings) } else { Err(errors) }
}

/// The targets a node reads and the one it names first.
fn upstream_targets(
    manifest: &Manifest,
    node: &Node,
    through: &BTreeMap<UniqueId, BTreeSet<TargetName>>,
) -> (BTreeSet<TargetName>, Option<TargetName>) {
    let mut all = BTreeSet::new();
    let mut first = None;
    for parent in &node.depends_on.nodes {
        if let Some(seen) = through.get(parent) {
            first = first.or_else(|| seen.first().cloned());
            all.extend(seen.iter().cloned());
        } else if let Some(target) = manifest.target_of(parent) {
            first = first.or_else(|| Some(target.clone()));
            all.insert(target.clone());
        }
    }
    (all, first)
}

/// T1 for models, seeds, snapshots; tests run where the thing they are declared on lives, else the first they read.
fn own_target(manifest: &Manifest, node: &Node, input: &ProjectInput, first: Option<&TargetName>) -> Result<TargetName, Diagnostic> {
    let configured = node.config_str("target").map(TargetName::from);
    if let Some(name) = &configured
        && !manifest.targets.contains_key(name)
    {
        return Err(unknown_target(manifest, name).at(node.place_of("target")).about(node.unique_id.as_str()));
    }
    match node.resource_type {
        ResourceType::Test => {
            let tested = node.test.as_ref().and_then(|t| t.attached.as_ref()).and_then(|id| manifest.target_of(id));
            Ok(tested.or(first).cloned().unwrap_or_else(|| manifest.default_target.clone()))
        }
        ResourceType::Operation => Ok(configured.unwrap_or_else(|| manifest.default_target.clone())),
        ResourceType::Model | ResourceType::Seed | ResourceType::Snapshot | ResourceType::Analysis | ResourceType::Function => {
            let overridden = input.target.as_ref().map(|t| TargetName::new(t.clone()));
            Ok(overridden.or(configured).unwrap_or_else(|| manifest.default_target.clone()))
        }
    }
}

/// DVT2101 with the known names.
pub fn unknown_target(manifest: &Manifest, name: &TargetName) -> Diagnostic {
    let known: Vec<&str> = manifest.targets.keys().map(TargetName::as_str).collect();
    Diagnostic::error(Code::TargetNotFound, format!("target `{name}` is not an output of profile `{}`", manifest.profile_name))
        .hint(format!("known targets: {}", known.join(", ")))
}

/// C1, C2: a name that a node gives is checked even when `--compute` overrides it.
fn compute_of(manifest: &Manifest, node: &Node, input: &ProjectInput) -> Result<ComputeName, Diagnostic> {
    let configured = node.config_str("compute").map(ComputeName::from);
    if let Some(name) = &configured
        && !manifest.computes.contains_key(name)
    {
        return Err(unknown_compute(manifest.computes.keys(), name).at(node.place_of("compute")).about(node.unique_id.as_str()));
    }
    let overridden = input.compute.as_ref().map(|c| ComputeName::new(c.clone()));
    Ok(overridden.or(configured).unwrap_or_else(|| manifest.default_compute.clone()))
}

/// DVT101 with the known names.
pub fn unknown_compute<'a>(known: impl Iterator<Item = &'a ComputeName>, name: &ComputeName) -> Diagnostic {
    let known: Vec<&str> = known.map(ComputeName::as_str).collect();
    Diagnostic::error(Code::UnknownCompute, format!("compute `{name}` is not defined in computes.yml"))
        .hint(format!("known computes: {}", known.join(", ")))
}

fn dialect_of(manifest: &Manifest, node: &Node, input: &ProjectInput, own: &TargetName) -> (DialectName, Option<Diagnostic>) {
    if let Some(name) = node.config_str("dialect") {
        return (DialectName::from(name), None);
    }
    let dialect = |target: &TargetName| {
        let adapter = manifest.targets.get(target).map(|t| t.adapter.as_str()).unwrap_or_default();
        DialectName::from(input.adapters.get(adapter).map_or(adapter, |f| f.dialect.as_str()))
    };
    let now = dialect(own);
    // What the text was written for: the target the node itself names.
    let written = node.config_str("target").map(|t| dialect(&TargetName::from(t)));
    let warning = written.filter(|w| *w != now && node.resource_type == ResourceType::Model && input.target.is_some()).map(|w| {
        let message = format!("--target moves `{}` to `{own}`: its text is written for {w} and is now read as {now}", node.name);
        Diagnostic::warning(Code::DialectOverride, message)
            .at(node.span.clone())
            .about(node.unique_id.as_str())
            .hint(format!("set dialect: {w} in its config if the text should keep its meaning"))
    });
    (now, warning)
}
