//! Nodes of the tests that properties files declare.

use super::draft::finish;
use super::{Parser, capture};
use crate::engine;
use crate::macros::Macros;
use crate::refs;
use crate::scope::Captures;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_project::generic_test::{GenericTest, TestOwner};
use dvt_project::static_call::config_call;
use dvt_project::{Manifest, Node, RefCall, ResourceType, TestFacts, UniqueId, config};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// Tests that dbt reads without rendering: their macros say nothing but refs.
const PLAIN: [&str; 2] = ["macro.dbt.test_not_null", "macro.dbt.test_unique"];

impl Parser<'_> {
    pub(super) fn generic_tests(&mut self, manifest: &mut Manifest, names: &BTreeMap<String, Vec<UniqueId>>, tests: Vec<GenericTest>) {
        let skeleton = self.skeleton;
        for test in tests {
            let test = &test;
            let attached = self.attached(manifest, names, test);
            if attached.is_none() && matches!(test.owner, TestOwner::Source { .. }) {
                continue;
            }
            let full = format!("test_{}", test.test);
            let found = match &test.namespace {
                Some(namespace) => self.shared.macros.find_in(namespace, &full),
                None => self.shared.macros.find(&test.package, &full),
            };
            let Some(found) = found else {
                self.errors.push(unknown_test(&self.shared.macros, test));
                continue;
            };
            // dbt lists the macro that the bare name means here, also when the namespace names another one.
            let macro_id = self.shared.macros.find(&test.package, &full).unwrap_or(found).def.unique_id.0.clone();
            let called = found.def.unique_id.0.clone();
            let mut node = self.test_node(manifest, test, attached.as_ref());
            let plain = PLAIN.contains(&called.as_str());
            let captures = if plain { Ok(plain_captures(test)) } else { capture(self.shared, &node) };
            let mut captures = match captures {
                Ok(captures) => captures,
                Err(e) => {
                    self.errors.push(if e.span.is_none() { e.at(node.span.clone()) } else { e });
                    continue;
                }
            };
            captures.macros.retain(|m| *m != macro_id && *m != called);
            captures.macros.insert(0, macro_id);
            // What the test's macro says in config() counts less than what its declaration says, which stands after it.
            let mut inline = test.config.clone();
            if !plain {
                config::merge(&mut inline, &captures.config);
            }
            node.config = skeleton.configs.resolve(&test.package, "test", &test.fqn, &Map::new(), &inline);
            config::settle("test", &mut node.config);
            let raw = Some(config_call(&test.raw_code)).filter(|c| !plain && !c.is_empty()).unwrap_or_else(|| inline.clone());
            node.unrendered_config = skeleton.configs.unrendered(&test.package, "test", &test.fqn, &Map::new(), &raw);
            finish(&mut node, &Map::new());
            for tag in test.tags.iter().rev() {
                if !node.tags.contains(tag) {
                    node.tags.insert(0, tag.clone());
                }
            }
            let off = node.config.get("enabled").and_then(Json::as_bool) == Some(false);
            if off || attached.as_ref().is_none_or(|id| manifest.disabled.contains_key(id)) {
                node.orphaned = !off;
                node.config.insert("enabled".to_owned(), Json::Bool(false));
                if node.orphaned {
                    node.depends_on.nodes = super::depend::found(manifest, names, &test.package, &captures);
                }
                node.depends_on.macros = captures.macros;
                node.refs = captures.refs;
                node.sources = captures.sources;
                manifest.disabled.insert(node);
                continue;
            }
            self.all.insert(node.unique_id.clone(), captures);
            manifest.nodes.insert(node);
        }
    }

    /// The node or source that the test is declared on; None (with a warning) when there is none.
    fn attached(&mut self, manifest: &Manifest, names: &BTreeMap<String, Vec<UniqueId>>, test: &GenericTest) -> Option<UniqueId> {
        match &test.owner {
            TestOwner::Node { name, version } => {
                let call = RefCall { name: name.clone(), package: None, version: version.clone() };
                if let Ok(node) = refs::resolve(names, manifest, &test.package, &call) {
                    return Some(node.unique_id.clone());
                }
                // Tests of what is disabled are disabled with it.
                let disabled = manifest.disabled.values().find(|n| n.name == *name && n.resource_type != ResourceType::Test);
                if disabled.is_none() {
                    let message = format!("test `{}` is declared on `{name}`, which no file defines; it is not run", test.test);
                    self.warnings.push(Diagnostic::warning(Code::RefNotFound, message).at(test.span.clone()).event("NodeNotFoundOrDisabled"));
                }
                disabled.map(|n| n.unique_id.clone())
            }
            TestOwner::Source { source, table } => {
                let id = UniqueId::new(format!("source.{}.{source}.{table}", test.package));
                manifest.sources.contains_key(&id).then_some(id)
            }
        }
    }

    fn test_node(&self, manifest: &Manifest, test: &GenericTest, attached: Option<&UniqueId>) -> Box<Node> {
        let skeleton = self.skeleton;
        let mut node = Box::new(engine::operation(manifest, &test.name, &test.package, &manifest.default_target));
        node.unique_id = test.unique_id.clone();
        node.resource_type = ResourceType::Test;
        node.path.clone_from(&test.path);
        node.fqn.clone_from(&test.fqn);
        node.raw_code.clone_from(&test.raw_code);
        node.span = test.span.clone();
        node.description.clone_from(&test.description);
        node.config = skeleton.configs.resolve(&test.package, "test", &test.fqn, &Map::new(), &test.config);
        if let Some(target) = attached.and_then(|id| manifest.target_of(id)) {
            node.target = target.clone();
            node.adapter = manifest.targets.get(target).map(|t| t.adapter.clone()).unwrap_or_default();
        }
        let mut kwargs = test.kwargs.clone();
        let mut column = test.column.clone();
        if test.quote_column
            && let Some(name) = &mut column
        {
            let facts = self.shared.input.adapters.get(node.adapter.as_str());
            let (open, close) = facts.map_or_else(|| ("\"".to_owned(), "\"".to_owned()), |f| f.quote.clone());
            *name = format!("{open}{}{close}", name.replace(close.as_str(), &close.repeat(2)));
            kwargs.insert("column_name".to_owned(), Json::String(name.clone()));
        }
        node.test = Some(TestFacts {
            generic: Some(test.test.clone()),
            namespace: test.namespace.clone(),
            kwargs,
            column,
            attached: attached.cloned(),
            file_key: test.file_key.clone(),
        });
        finish(&mut node, &Map::new());
        node
    }
}

fn plain_captures(test: &GenericTest) -> Captures {
    let mut captures = Captures::default();
    match &test.owner {
        TestOwner::Node { name, version } => captures.refs.push(RefCall { name: name.clone(), package: None, version: version.clone() }),
        TestOwner::Source { source, table } => captures.sources.push((source.clone(), table.clone())),
    }
    captures
}

fn unknown_test(macros: &Macros, test: &GenericTest) -> Diagnostic {
    let known = known_tests(macros);
    let near = dvt_project::suggest::suggestion(&test.test, &known.iter().map(String::as_str).collect::<Vec<_>>()).map(str::to_owned);
    let shown = test.namespace.as_ref().map_or_else(|| test.test.clone(), |n| format!("{n}.{}", test.test));
    let out = Diagnostic::error(Code::MacroNotFound, format!("no generic test is named `{shown}`")).at(test.span.clone());
    match near {
        Some(near) => out.hint(format!("did you mean `{near}`?")),
        None => out.hint(format!("known tests: {}", known.join(", "))),
    }
}

fn known_tests(macros: &Macros) -> Vec<String> {
    let mut out: Vec<String> = macros
        .all()
        .filter(|m| m.def.meta.get("kind").and_then(Json::as_str) == Some("test"))
        .filter_map(|m| m.def.name.strip_prefix("test_").map(str::to_owned))
        .collect();
    out.sort();
    out.dedup();
    out
}
