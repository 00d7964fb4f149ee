//! A whole project explained against recorded schemas: what `dvt explain` tells, without a database.
//!
//! Models are taken in the order of the graph: what one looks like is told from its text before its readers are planned.
//! Input and output are JSON (`component/wit/planner.wit`); a broken project is an answer with diagnostics.

use crate::origin::Origin;
use crate::question::Question;
use crate::{json, unreadable};
use dvt_diagnostic::{Code, Diagnostic, Severity, Span};
use dvt_jinja::{Compiled, Parsed, parse};
use dvt_planner::catalog::{Catalog, Collation, RelationSchema};
use dvt_planner::dialect::{DialectSheet, Sheets};
use dvt_planner::ir::{FederatedPlan, Sink};
use dvt_planner::{PlanRequest, RelationUse, derive, explain as document};
use dvt_project::{DialectName, ExecutionPath, Graph, Manifest, Node, ProjectInput, RelationRef, ResourceType, TargetName};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Explains every model; `question` and the answer are JSON.
pub fn explain(question: &str) -> String {
    let mut diagnostics = Vec::new();
    let answer = match serde_json::from_str::<Question>(question) {
        Ok(question) => explained(question, &mut diagnostics),
        Err(e) => Err(vec![unreadable(&e)]),
    };
    let mut out = answer.unwrap_or_else(|errors| {
        diagnostics.extend(errors);
        Map::from_iter(["models", "sources", "targets"].map(|key| (key.to_owned(), json!([]))))
    });
    let codes: BTreeMap<String, Value> = diagnostics
        .iter()
        .map(|d| d.code)
        .chain([Code::NotPushed])
        .map(|c| (c.to_string(), json!({"title": c.entry().title, "explanation": c.entry().explanation})))
        .collect();
    out.insert("diagnostics".to_owned(), json!(diagnostics));
    out.insert("codes".to_owned(), json!(codes));
    json(&Value::Object(out))
}

/// What all models are planned with.
struct World {
    parsed: Parsed,
    sheets: Sheets,
    dialects: BTreeMap<TargetName, DialectName>,
    computes: BTreeMap<String, DialectName>,
    catalog: Catalog,
}

fn explained(question: Question, diagnostics: &mut Vec<Diagnostic>) -> Result<Map<String, Value>, Vec<Diagnostic>> {
    let mut world = open(question)?;
    diagnostics.extend(world.parsed.warnings.iter().cloned());
    let manifest = world.parsed.manifest.clone();
    let graph = Graph::new(&manifest).map_err(|e| vec![e])?;
    let mut models = Vec::new();
    for id in graph.order() {
        if let Some(node) = manifest.nodes.get(id).filter(|n| n.resource_type == ResourceType::Model) {
            models.push(world.model(node, diagnostics));
        }
    }
    let target = |name: &TargetName| manifest.targets.get(name).map(|t| t.adapter.clone());
    let targets: Vec<Value> =
        world.dialects.iter().map(|(name, dialect)| json!({"name": name, "adapter": target(name), "dialect": dialect})).collect();
    Ok(Map::from_iter([
        ("project".to_owned(), json!(manifest.project_name)),
        ("default_target".to_owned(), json!(manifest.default_target)),
        ("models".to_owned(), json!(models)),
        ("sources".to_owned(), json!(sources(&manifest, &world.catalog))),
        ("targets".to_owned(), json!(targets)),
    ]))
}

fn open(question: Question) -> Result<World, Vec<Diagnostic>> {
    let mut files = question.files;
    let mut input = ProjectInput {
        profiles: files.remove("profiles.yml"),
        computes: files.remove("computes.yml"),
        files,
        env: question.env,
        vars: question.vars,
        target: question.target,
        compute: question.compute,
        implicit_compute: question.implicit_compute,
        invocation: question.invocation,
        ..ProjectInput::default()
    };
    let mut sheets = Sheets::default();
    // A sheet that extends another comes after it.
    let (mut whole, mut extending) = (Vec::new(), Vec::new());
    for (kind, adapter) in question.adapters {
        let extends = DialectSheet::extended(&adapter.sheet).map_err(|e| vec![e])?.is_some();
        if extends { extending.push((kind, adapter)) } else { whole.push((kind, adapter)) }
    }
    for (kind, adapter) in whole.into_iter().chain(extending) {
        let name = sheets.add(&adapter.sheet).map_err(|e| vec![e])?;
        input.adapters.insert(kind.clone(), sheets.get(&name).map_err(|e| vec![e])?.profile.clone());
        input.adapter_packages.insert(kind, adapter.macros);
    }
    let parsed = parse(&input)?;
    let dialect = |adapter: &str| input.adapters.get(adapter).map(|f| DialectName::new(f.dialect.clone()));
    let dialects = parsed.manifest.targets.values().filter_map(|t| Some((t.name.clone(), dialect(t.adapter.as_str())?))).collect();
    let mut catalog = Catalog::default();
    for known in question.catalog {
        catalog.insert(known.relation, known.schema);
    }
    Ok(World { parsed, sheets, dialects, computes: question.computes, catalog })
}

/// Declared sources with what is known of them.
fn sources(manifest: &Manifest, catalog: &Catalog) -> Vec<Value> {
    let one = |s: &dvt_project::SourceTable| {
        let known = catalog.relation(&RelationRef { target: s.connection.clone(), name: s.relation.clone() });
        json!({"unique_id": s.unique_id, "source": s.source_name, "name": s.name, "target": s.connection, "at": s.span, "schema": known})
    };
    manifest.sources.values().map(one).collect()
}

impl World {
    /// One model of the answer. Its schema goes into the catalog for those that read it.
    fn model(&mut self, node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Value {
        let manifest = self.parsed.manifest.clone();
        let compiled = match self.parsed.engine.compile(&node.unique_id, None) {
            Ok(compiled) => compiled,
            Err(e) => {
                let e = if e.span.is_none() { e.at(node.span.clone()) } else { e };
                let out = document::failed(node, &e);
                diagnostics.push(e);
                return self.with_facts(out, node, None, None);
            }
        };
        let origin = Origin::new(&manifest, node, &compiled);
        let relations: Vec<RelationUse> =
            compiled.relations.iter().map(|u| RelationUse { relation: u.relation.clone(), at: u.at.clone() }).collect();
        let (mut model, mut whole) = (document::inlined(node), None);
        if node.execution == ExecutionPath::Pushdown && !node.is_ephemeral() {
            let rendered: Vec<String> = compiled.relations.iter().map(|u| u.rendered.clone()).collect();
            model = document::pushdown(node, &compiled.sql, &rendered);
        }
        if node.execution == ExecutionPath::Federation && !node.is_ephemeral() {
            match self.plan(node, &compiled, &relations, false) {
                Ok(plan) => {
                    diagnostics.extend(document::coerced(node).map(|d| d.at(node.span.clone())));
                    model = with_places(document::federated(node, &plan, &self.catalog, &Vec::new()), &origin);
                }
                Err(e) => {
                    let e = origin.place(e);
                    model = document::failed(node, &e);
                    diagnostics.push(e);
                }
            }
            let unpushed = self.plan(node, &compiled, &relations, true).ok();
            whole = unpushed.map(|plan| document::federated(node, &plan, &self.catalog, &Vec::new()));
        }
        let schema = self.learn(node, &compiled, &relations).unwrap_or_else(|e| {
            // A federated model's text was judged above; another's is read by its database alone.
            if node.execution == ExecutionPath::Pushdown && !node.is_ephemeral() {
                let hint = format!("only the database of target `{}` reads this text: it may know more than is known here", node.target);
                diagnostics.push(Diagnostic { severity: Severity::Warning, ..origin.place(e).hint(hint) });
            }
            None
        });
        let mut model = self.with_facts(model, node, Some(&compiled), whole);
        model["schema"] = json!(schema);
        model
    }

    fn compute_type(&self, node: &Node) -> &str {
        self.parsed.manifest.computes.get(&node.compute).map(|c| c.kind.as_str()).unwrap_or_default()
    }

    /// What a page shows beside P5a's fields.
    fn with_facts(&self, model: Value, node: &Node, compiled: Option<&Compiled>, whole: Option<Value>) -> Value {
        let Value::Object(mut out) = model else { return model };
        let federates = node.execution == ExecutionPath::Federation;
        out.insert("name".to_owned(), json!(node.name));
        out.insert("file".to_owned(), json!(node.span.file));
        out.insert("materialized".to_owned(), json!(node.materialized()));
        out.insert("ephemeral".to_owned(), json!(node.is_ephemeral()));
        out.insert("description".to_owned(), json!(node.description));
        out.insert("depends_on".to_owned(), json!(node.depends_on.nodes));
        out.insert("compute_type".to_owned(), json!(federates.then(|| self.compute_type(node))));
        out.insert("compiled".to_owned(), json!(compiled.map(|c| &c.sql)));
        out.insert("whole".to_owned(), json!(whole.map(|w| json!({"scans": w["scans"], "delegates": w["delegates"], "residual": w["residual"]}))));
        Value::Object(out)
    }

    fn plan(&self, node: &Node, compiled: &Compiled, relations: &[RelationUse], no_pushdown: bool) -> Result<FederatedPlan, Diagnostic> {
        let kind = self.compute_type(node);
        let compute_dialect = self.computes.get(kind).ok_or_else(|| {
            let known: Vec<&str> = self.computes.keys().map(String::as_str).collect();
            Diagnostic::error(Code::PluginNotFound, format!("compute `{}`: no loaded plugin handles the type `{kind}`", node.compute))
                .hint(format!("known types: {}", known.join(", ")))
                .at(node.span.clone())
        })?;
        let materialized = if node.materialized() == "view" { "table" } else { node.materialized() };
        dvt_planner::plan(&PlanRequest {
            unique_id: &node.unique_id,
            sql: &compiled.sql,
            relations,
            dialect: &node.dialect,
            compute: &node.compute,
            compute_dialect,
            target_dialect: &|target| self.dialects.get(target).cloned(),
            sheets: &self.sheets,
            catalog: &self.catalog,
            sink: Sink { target: node.target.clone(), relation: node.relation.clone().unwrap_or_default(), materialized: materialized.to_owned() },
            no_pushdown,
        })
    }

    /// What the model's text tells of its columns, or why it cannot be read. A model that is built goes into the catalog.
    fn learn(&mut self, node: &Node, compiled: &Compiled, relations: &[RelationUse]) -> Result<Option<RelationSchema>, Diagnostic> {
        let sheet = self.sheets.get(&node.dialect)?;
        let own = node.relation.clone().map(|name| RelationRef { target: node.target.clone(), name });
        let seen = own.as_ref().and_then(|r| self.catalog.relation(r)).cloned();
        let Some(told) = derive::schema(&compiled.sql, relations, sheet, &self.catalog, seen.as_ref())? else { return Ok(seen) };
        let Some(own) = own else { return Ok(Some(told)) };
        let told = if node.execution == ExecutionPath::Federation { landed(told, seen.as_ref()) } else { told };
        self.catalog.insert(own, told.clone());
        Ok(Some(told))
    }
}

/// Columns that came from other databases: the target's own types and collations count, where they were seen.
fn landed(told: RelationSchema, seen: Option<&RelationSchema>) -> RelationSchema {
    let columns = told.columns.into_iter().map(|mut c| {
        let before = seen.and_then(|s| s.columns.iter().find(|b| b.name == c.name && b.canonical == c.canonical));
        before.cloned().unwrap_or_else(|| {
            c.collation = Collation::Unknown;
            c.native = String::new();
            c
        })
    });
    RelationSchema { columns: columns.collect(), rows: told.rows, bytes: told.bytes, unique: told.unique }
}

/// Each condition that moved or stayed with its place in the file, where it is found.
fn with_places(mut model: Value, origin: &Origin<'_>) -> Value {
    let scans = model.get_mut("scans").and_then(Value::as_array_mut);
    for scan in scans.into_iter().flatten() {
        for key in ["pushed", "kept"] {
            for condition in scan.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten() {
                let at: Option<Span> = condition["sql"].as_str().and_then(|sql| origin.find(sql));
                if let Some(fields) = condition.as_object_mut() {
                    fields.insert("at".to_owned(), json!(at));
                }
            }
        }
    }
    model
}
