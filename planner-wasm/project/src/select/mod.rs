//! Which resources an invocation is about: dbt's selection language.
//!
//! Values in, ids out: `--select`, `--exclude`, `--selector`, kinds of resources, indirect selection of tests, and
//! comparison with an earlier invocation (`state:`, `result:`, `source_status:`). Not here: reading files.

mod contract;
mod glob;
mod methods;
mod resource;
mod spec;
mod state;
mod yaml;

pub use resource::{Resource, resources};
pub use state::State;
pub use yaml::{Selector, Selectors};

use crate::graph::Graph;
use crate::names::UniqueId;
use crate::node::{Manifest, ResourceType};
use dvt_diagnostic::{Code, Diagnostic};
use spec::{Criteria, Operation, Spec};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Which tests come along with the nodes they read (dbt's `--indirect-selection`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Indirect {
    /// Every test that reads a selected node.
    #[default]
    Eager,
    /// Only tests whose nodes are all selected.
    Cautious,
    /// Also tests whose other nodes are above the selected ones.
    Buildable,
    /// None.
    Empty,
}

impl Indirect {
    /// # Errors
    /// `DVT2201` for another word.
    pub fn named(word: &str) -> Result<Self, Diagnostic> {
        Ok(match word.to_ascii_lowercase().as_str() {
            "eager" => Self::Eager,
            "cautious" => Self::Cautious,
            "buildable" => Self::Buildable,
            "empty" => Self::Empty,
            _ => {
                return Err(Diagnostic::error(Code::SelectorInvalid, format!("`{word}` is no indirect selection"))
                    .hint("eager, cautious, buildable or empty"));
            }
        })
    }
}

/// What is asked for.
#[derive(Clone, Copy, Default)]
pub struct Request<'a> {
    /// Specifications as on the command line; none: everything.
    pub select: &'a [String],
    pub exclude: &'a [String],
    /// A selector's name; it counts instead of `select` and `exclude`.
    pub selector: Option<&'a str>,
    pub indirect: Indirect,
    /// Kinds of resources to keep; None: all.
    pub kinds: Option<&'a BTreeSet<String>>,
    pub selectors: Option<&'a Selectors>,
    pub state: Option<&'a State<'a>>,
    /// Keep models without text, as `ls` does.
    pub blank: bool,
}

/// What a request found.
#[derive(Debug, Clone, Default)]
pub struct Chosen {
    pub ids: BTreeSet<UniqueId>,
    /// Specifications that match nothing (DVT2202).
    pub warnings: Vec<Diagnostic>,
}

/// # Errors
/// `DVT2201` for a specification or a selector that cannot be read or needs a state that is not given.
pub fn select(manifest: &Manifest, graph: &Graph, request: &Request<'_>) -> Result<Chosen, Diagnostic> {
    let resources = resources(manifest);
    let index = resources.iter().enumerate().map(|(i, r)| (r.id, i)).collect();
    let chooser = Chooser { manifest, graph, request, resources, index, warnings: RefCell::default(), path: RefCell::default() };
    let usual = request.selectors.and_then(Selectors::usual);
    let named = request.selector.or(usual.filter(|_| request.select.is_empty() && request.exclude.is_empty()));
    let spec = match named {
        Some(name) => request.selectors.ok_or_else(|| yaml::missing(name))?.get(name)?.spec(request.indirect)?,
        None => spec::difference(request.select, request.exclude, request.indirect)?,
    };
    let ids = chooser.selected(&spec)?;
    Ok(Chosen { ids, warnings: chooser.warnings.into_inner() })
}

struct Chooser<'a> {
    manifest: &'a Manifest,
    graph: &'a Graph,
    request: &'a Request<'a>,
    resources: Vec<Resource<'a>>,
    index: BTreeMap<&'a UniqueId, usize>,
    warnings: RefCell<Vec<Diagnostic>>,
    /// Selectors that are being resolved, to find circles.
    path: RefCell<Vec<String>>,
}

type Ids = BTreeSet<UniqueId>;

impl Chooser<'_> {
    fn resource(&self, id: &UniqueId) -> Option<&Resource<'_>> {
        self.index.get(id).map(|i| &self.resources[*i])
    }

    /// What a specification selects, of the kinds asked for.
    fn selected(&self, spec: &Spec) -> Result<Ids, Diagnostic> {
        let (mut direct, _) = self.evaluate(spec)?;
        direct.retain(|id| {
            let Some(resource) = self.resource(id) else { return false };
            self.request.kinds.is_none_or(|k| k.contains(resource.kind)) && (self.request.blank || !resource.blank)
        });
        Ok(direct)
    }

    /// What is selected, and with it the tests that may still be.
    fn evaluate(&self, spec: &Spec) -> Result<(Ids, Ids), Diagnostic> {
        match spec {
            Spec::One(criteria) => self.one(criteria),
            Spec::Many { operation, parts, indirect, expected } => {
                let mut direct: Option<Ids> = None;
                let mut possible: Option<Ids> = None;
                for part in parts {
                    let (d, p) = self.evaluate(part)?;
                    let p: Ids = p.union(&d).cloned().collect();
                    direct = Some(direct.map_or_else(|| d.clone(), |all| operation.apply(&all, &d)));
                    possible = Some(possible.map_or_else(|| p.clone(), |all| operation.apply(&all, &p)));
                }
                let (direct, possible) = (direct.unwrap_or_default(), possible.unwrap_or_default());
                let direct = self.incorporate(direct, &possible, *indirect);
                if let Some(raw) = expected.as_ref().filter(|_| direct.is_empty()) {
                    let text = format!("the selection criterion `{raw}` does not match any enabled node");
                    self.warnings.borrow_mut().push(Diagnostic::warning(Code::NothingSelected, text).hint("`ls` shows what can be selected"));
                }
                Ok((direct, possible))
            }
        }
    }

    fn one(&self, criteria: &Criteria) -> Result<(Ids, Ids), Diagnostic> {
        let matched = self.matches(criteria)?;
        let mut all = matched.clone();
        if criteria.childrens_parents {
            let below = self.graph.descendants_of_all(&matched, None);
            all.extend(self.graph.ancestors_of_all(matched.iter().chain(&below), None));
            all.extend(below);
        }
        if let Some(depth) = criteria.parents {
            all.extend(self.graph.ancestors_of_all(&matched, depth));
        }
        if let Some(depth) = criteria.children {
            all.extend(self.graph.descendants_of_all(&matched, depth));
        }
        // A selector's own tests are selected already, or left out on purpose.
        if criteria.indirect == Indirect::Empty || criteria.method == "selector" {
            return Ok((all, Ids::new()));
        }
        Ok(self.with_tests(all, criteria.indirect))
    }

    /// The tests that read `selected`: those that come along, and those that may when more is selected.
    fn with_tests(&self, selected: Ids, indirect: Indirect) -> (Ids, Ids) {
        let mut direct = selected.clone();
        let mut possible = Ids::new();
        let reachable = self.buildable(&selected, indirect, true);
        for id in selected.iter().flat_map(|id| self.graph.children(id)) {
            if direct.contains(id) || !self.resource(id).is_some_and(Resource::is_test) {
                continue;
            }
            let reads = self.graph.parents(id);
            let all_in = |set: &Ids| reads.iter().all(|p| set.contains(*p));
            let comes = indirect == Indirect::Eager || all_in(&selected) || reachable.as_ref().is_some_and(all_in);
            if comes {
                direct.insert(id.clone());
            } else {
                possible.insert(id.clone());
            }
        }
        (direct, possible)
    }

    /// Tests found on the way whose nodes are all selected by now.
    fn incorporate(&self, direct: Ids, possible: &Ids, indirect: Indirect) -> Ids {
        if !matches!(indirect, Indirect::Cautious | Indirect::Buildable) || direct == *possible {
            return direct;
        }
        let reachable = self.buildable(&direct, indirect, false);
        let within = reachable.as_ref().unwrap_or(&direct);
        let is_data_test = |id: &&UniqueId| self.manifest.nodes.get(*id).is_some_and(|n| n.resource_type == ResourceType::Test);
        let more: Vec<UniqueId> = possible.iter().filter(is_data_test).filter(|id| self.graph.parents(id).iter().all(|p| within.contains(*p))).cloned().collect();
        let mut all = direct;
        all.extend(more);
        all
    }

    fn buildable(&self, selected: &Ids, indirect: Indirect, sources: bool) -> Option<Ids> {
        (indirect == Indirect::Buildable).then(|| {
            let mut all = selected.clone();
            all.extend(self.graph.ancestors_of_all(selected, None));
            if sources {
                all.extend(self.manifest.sources.keys().cloned());
            }
            all
        })
    }
}

impl Operation {
    fn apply(self, a: &Ids, b: &Ids) -> Ids {
        match self {
            Self::Union => a.union(b).cloned().collect(),
            Self::Intersection => a.intersection(b).cloned().collect(),
            Self::Difference => a.difference(b).cloned().collect(),
        }
    }
}

fn invalid(text: &str, why: &str) -> Diagnostic {
    Diagnostic::error(Code::SelectorInvalid, format!("the selection `{text}` cannot be read: {why}"))
}
