//! Unit tests: the model's text over given rows instead of its inputs.
//!
//! Not here: running them, and comparing rows.

use crate::compiled::Compiled;
use crate::engine::Engine;
use crate::python::{PyDict, from_json, list};
use crate::refs;
use crate::runtime::Runtime;
use crate::scope::Phase;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_project::static_call::{StaticCall, static_call};
use dvt_project::{Fixture, FixtureRows, Node, RelationRef, UnitTest, UnitTestInput};
use minijinja::Value;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a unit test puts in place of the world.
#[derive(Debug, Clone, Default)]
pub struct UnitOverlay {
    /// Name and SQL of the inputs' CTEs by unique_id; `this` under the tested model's own.
    pub inputs: BTreeMap<String, (String, String)>,
    /// Values that the named macros give instead of running.
    pub macros: Map<String, Json>,
    pub vars: Map<String, Json>,
    pub env_vars: Map<String, Json>,
}

impl UnitOverlay {
    /// What the test overrides; `is_incremental` is false unless it says otherwise.
    pub fn of(test: &UnitTest) -> Self {
        let mut out = Self::default();
        out.macros.insert("is_incremental".to_owned(), Json::Bool(false));
        if let Some(overrides) = &test.overrides {
            out.macros.extend(overrides.macros.clone());
            out.vars.clone_from(&overrides.vars);
            out.env_vars.clone_from(&overrides.env_vars);
        }
        out
    }
}

/// What an input of a unit test stands for.
#[derive(Debug, Clone)]
pub struct UnitInput {
    /// Of the node or source.
    pub id: String,
    pub name: String,
    /// None for ephemeral models.
    pub relation: Option<RelationRef>,
}

/// A column of a fixture: its name and type as SQL.
pub type FixtureColumn = (String, String);

impl Engine {
    /// The node or source that an input names.
    ///
    /// # Errors
    /// An input that is no `ref`, `source` or `this`, or names nothing.
    pub fn unit_input(&self, test: &UnitTest, model: &Node, input: &UnitTestInput) -> Result<UnitInput, Diagnostic> {
        let manifest = self.manifest();
        let wrong = |text: String| Diagnostic::error(Code::PropertyInvalid, text).at(input.span.clone()).about(test.unique_id.as_str());
        let of_node = |node: &Node| UnitInput {
            id: node.unique_id.to_string(),
            name: node.name.clone(),
            relation: node.relation.clone().map(|name| RelationRef { target: node.target.clone(), name }),
        };
        if input.input.trim() == "this" {
            return Ok(of_node(model));
        }
        match static_call(&input.input) {
            Some(StaticCall::Ref(call)) => refs::resolve(&refs::names(manifest), manifest, &model.package, &call).map(of_node).map_err(|e| e.at(input.span.clone())),
            Some(StaticCall::Source(source, table)) => {
                let found = manifest.sources.values().find(|s| s.source_name == source && s.name == table);
                let found = found.ok_or_else(|| wrong(format!("unit test `{}` gives rows for source('{source}', '{table}'), which is not declared", test.name)))?;
                let relation = RelationRef { target: found.connection.clone(), name: found.relation.clone() };
                Ok(UnitInput { id: found.unique_id.to_string(), name: format!("{source}__{table}"), relation: Some(relation) })
            }
            _ => Err(wrong(format!("`{}` is no input of a unit test", input.input)).hint("write ref('model'), source('source', 'table') or this")),
        }
    }

    /// Rows as SQL with the types of `columns`; all of them, or those that the rows have.
    pub fn fixture_sql(&self, model: &Node, fixture: &Fixture, columns: &[FixtureColumn], what: &str, all: bool) -> Result<String, Diagnostic> {
        let rows = match &fixture.rows {
            FixtureRows::Sql(text) => return Ok(text.trim().trim_end_matches(';').to_owned()),
            FixtureRows::Rows(rows) => rows,
        };
        let scope = self.scope(Arc::new(model.clone()), Phase::Run, None);
        let (open, close) = scope.dialect_facts().map_or_else(|| ("\"".to_owned(), "\"".to_owned()), |f| f.quote.clone());
        let column = |(name, data_type): &FixtureColumn| {
            let quoted = format!("{open}{}{close}", name.replace(close.as_str(), &close.repeat(2)));
            let entries = [("name", name.clone()), ("data_type", data_type.clone()), ("quoted", quoted)];
            Value::from_object(PyDict::new(entries.map(|(k, v)| (Value::from(k), Value::from(v)))))
        };
        let args = [
            list(rows.iter().map(|r| from_json(&Json::Object(r.clone()))).collect()),
            list(columns.iter().map(column).collect()),
            Value::from(what),
            Value::from(all),
        ];
        self.call(&scope, "dvt_fixture_sql", &args).map(|v| v.to_string())
    }

    /// The model's SQL over the overlay's inputs.
    ///
    /// # Errors
    /// As [`Engine::compile`]; a relation that the model reads and the test gives no rows for.
    pub fn compile_unit(&self, test: &UnitTest, model: &Node, runtime: Arc<dyn Runtime>) -> Result<Compiled, Diagnostic> {
        let compiled = self.compile(&model.unique_id, Some(runtime)).map_err(|e| e.about(test.unique_id.as_str()))?;
        match compiled.relations.iter().find(|u| u.unique_id.as_ref().is_some_and(|id| *id != model.unique_id)) {
            None => Ok(compiled),
            Some(used) => {
                let name = used.unique_id.as_ref().map(ToString::to_string).unwrap_or_default();
                let text = format!("unit test `{}` gives no rows for `{name}`, which the model reads", test.name);
                Err(Diagnostic::error(Code::PropertyInvalid, text).at(test.span.clone()).about(test.unique_id.as_str()).hint("add it to `given`, with rows: [] for none"))
            }
        }
    }
}
