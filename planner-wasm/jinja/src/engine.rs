//! Rendering the nodes of a manifest, and running their materializations.

use crate::compiled::{Compiled, Materialized, RelationUse, Rows, TestQuery};
use crate::context;
use crate::errors;
use crate::global;
use crate::overlay::Overlay;
use crate::macros::{self, GLOBAL, MacroFile, Macros, Sources, TemplateSource};
use crate::python::{self, from_json, list, to_json};
use crate::refs;
use crate::relation::Relation;
use crate::runtime::Runtime;
use crate::scope::{Frame, Phase, Scope, Shared};
use crate::source::rewrite;
use dvt_diagnostic::{Code, Diagnostic, Span};
use dvt_project::{
    HookDef, Manifest, MacroDef, Node, ProjectInput, RelationName, ResourceType, Skeleton, SqlFile, TargetName, UniqueId,
};
use indexmap::IndexMap;
use minijinja::Value;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// The macros of one manifest, ready to render its nodes. Cheap to clone and to share between threads.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
    overlay: Arc<Overlay>,
}

/// A file's macros as `parse` and `Engine::new` both read them.
pub(crate) struct MacroText {
    pub package: String,
    pub path: String,
    pub file: String,
    pub text: String,
    pub internal: bool,
    /// Of the package that is part of this program.
    pub built_in: bool,
}

/// Every file with macros: project and packages, adapters' packages, the built-in one.
pub(crate) fn macro_files(skeleton: &Skeleton) -> Vec<MacroText> {
    let internal = |p: &str| skeleton.packages.iter().any(|x| x.name == p && x.adapter.is_some());
    let own = skeleton.sql_files.iter().filter(|f| f.kind == dvt_project::FileKind::Macro).map(|f: &SqlFile| MacroText {
        package: f.package.clone(),
        path: f.path.clone(),
        file: f.file.clone(),
        text: f.text.clone(),
        internal: internal(&f.package),
        built_in: false,
    });
    own.chain(built_in_files()).collect()
}

fn built_in_files() -> impl Iterator<Item = MacroText> {
    global::FILES.iter().map(|(path, text)| MacroText {
        package: GLOBAL.to_owned(),
        path: (*path).to_owned(),
        file: format!("{GLOBAL}/{path}"),
        text: (*text).to_owned(),
        internal: true,
        built_in: true,
    })
}

/// Stands for the text of the built-in macros.
pub(crate) fn global_print() -> &'static str {
    static PRINT: OnceLock<String> = OnceLock::new();
    PRINT.get_or_init(|| dvt_project::load::checksum(&global::FILES.iter().flat_map(|(path, text)| [*path, " ", text, " "]).collect::<String>()))
}

/// Compiles all macros.
pub(crate) fn shared(manifest: Manifest, input: Arc<ProjectInput>, files: &[MacroText]) -> Result<Shared, Vec<Diagnostic>> {
    let mut env = context::environment();
    let mut sources = Sources::new();
    let mut macros = Macros::new(&manifest.project_name);
    let mut errors = Vec::new();
    for f in files {
        let file = MacroFile { package: &f.package, path: &f.path, file: &f.file, text: &f.text, internal: f.internal };
        if let Err(e) = macros.add(&file, &mut env, &mut sources) {
            errors.push(e);
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let names = refs::names(&manifest);
    Ok(Shared { env, macros, sources, manifest: Arc::new(manifest), input, names, graph: OnceLock::new(), selected: OnceLock::new() })
}

/// The macros as the manifest lists them, each with the macros its text names.
pub(crate) fn macro_defs(macros: &Macros) -> BTreeMap<UniqueId, MacroDef> {
    macros
        .all()
        .map(|m| {
            let mut def = m.def.clone();
            def.depends_on = m.names.iter().filter_map(|n| macros.find(&def.package, n)).map(|d| d.def.unique_id.0.clone()).filter(|id| *id != def.unique_id.0).collect();
            (def.unique_id.clone(), def)
        })
        .collect()
}

/// Renders a node's own text.
pub(crate) fn render_text(scope: &Arc<Scope>, text: &str, file: &str) -> Result<String, Diagnostic> {
    let node = scope.node.unique_id.as_str();
    let shared = &scope.shared;
    let about = |mut d: Diagnostic| {
        d.node.get_or_insert_with(|| node.to_owned());
        d
    };
    if !text.contains("{{") && !text.contains("{%") && !text.contains("{#") {
        return Ok(text.strip_suffix('\n').unwrap_or(text).to_owned());
    }
    let rewritten = Arc::new(rewrite(text).map_err(|e| about(errors::syntax(file, text, 0, &e)))?);
    let frame = Frame { locals: IndexMap::new(), scope: scope.clone() };
    let rendered = shared.env.template_from_named_str(node, &rewritten.text).and_then(|t| t.render(Value::from_object(frame)));
    rendered.map_err(|e| {
        let mut sources = shared.sources.clone();
        sources.insert(node.to_owned(), TemplateSource { file: file.into(), text: text.into(), base: 0, rewritten: rewritten.clone() });
        let out = about(errors::diagnostic(&e, &sources, Some(node)));
        if out.span.is_none() { out.at(Span::file(file)) } else { out }
    })
}

/// The arguments of a generic test, rendered to values.
pub(crate) fn set_test_kwargs(scope: &Arc<Scope>) -> Result<(), Diagnostic> {
    let Some(test) = scope.node.test.as_ref().filter(|t| t.generic.is_some()) else { return Ok(()) };
    let fail = |e: &minijinja::Error| {
        let out = errors::diagnostic(e, &scope.shared.sources, Some(scope.node.unique_id.as_str()));
        if out.span.as_ref().is_none_or(|s| s.file == "<string>") { out.at(scope.node.span.clone()) } else { out }
    };
    let mut entries = Vec::new();
    for (key, value) in &test.kwargs {
        // As dbt: `to: ref('x')` is a call, `column_name` never is.
        let value = match value {
            Json::String(text) if key == "column_name" => Value::from(text.as_str()),
            Json::String(text) if is_call(text) => kwarg(scope, &Json::String(format!("{{{{ {text} }}}}"))).map_err(|e| fail(&e))?,
            other => kwarg(scope, other).map_err(|e| fail(&e))?,
        };
        entries.push((Value::from(key.as_str()), value));
    }
    scope.set_extra("_dbt_generic_test_kwargs", Value::from_object(python::PyDict::new(entries)));
    Ok(())
}

/// Whether a test argument is written as a call of dbt's context.
fn is_call(text: &str) -> bool {
    let text = text.trim();
    ["ref", "source", "var", "env_var", "doc"].iter().any(|f| text.strip_prefix(f).is_some_and(|rest| rest.trim_start().starts_with('('))) && text.ends_with(')')
}

fn kwarg(scope: &Arc<Scope>, value: &Json) -> Result<Value, minijinja::Error> {
    Ok(match value {
        Json::String(text) if text.contains("{{") || text.contains("{%") => context::native(scope, &scope.shared.env, text)?,
        Json::Array(items) => list(items.iter().map(|i| kwarg(scope, i)).collect::<Result<_, _>>()?),
        Json::Object(map) => {
            let entries: Result<Vec<_>, minijinja::Error> = map.iter().map(|(k, v)| Ok((Value::from(k.as_str()), kwarg(scope, v)?))).collect();
            Value::from_object(python::PyDict::new(entries?))
        }
        other => from_json(other),
    })
}

impl Engine {
    /// # Errors
    /// A macro that cannot be parsed.
    pub fn new(manifest: Arc<Manifest>, input: &ProjectInput) -> Result<Self, Vec<Diagnostic>> {
        let input = Arc::new(input.clone());
        let strings = crate::yaml_strings::YamlStrings::new(input.clone());
        let skeleton = dvt_project::skeleton(&input, &strings)?;
        let files = macro_files(&skeleton);
        let shared = shared(Arc::unwrap_or_clone(manifest), input, &files)?;
        Ok(Self { shared: Arc::new(shared), overlay: Arc::default() })
    }

    /// The engine of a manifest that is parsed already, from the project's own macro files.
    pub(crate) fn of_files(manifest: Manifest, input: Arc<ProjectInput>, mut files: Vec<MacroText>) -> Result<Self, Vec<Diagnostic>> {
        files.extend(built_in_files());
        Ok(Self { shared: Arc::new(shared(manifest, input, &files)?), overlay: Arc::default() })
    }

    pub(crate) fn of(shared: Shared) -> Self {
        Self { shared: Arc::new(shared), overlay: Arc::default() }
    }

    /// The same templates with what one run of a node adds.
    #[must_use]
    pub fn with(&self, overlay: Overlay) -> Self {
        Self { shared: self.shared.clone(), overlay: Arc::new(overlay) }
    }

    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.shared.manifest
    }

    /// Says once what the command selected: `selected_resources` of every template that follows.
    pub fn select(&self, selected: &[UniqueId]) {
        // A second selection of one run would be a lie to the templates rendered before it.
        let _ = self.shared.selected.set(selected.to_vec());
    }

    /// Names of the materializations that exist.
    pub fn materializations(&self) -> Vec<String> {
        self.shared.macros.materialization_names()
    }

    fn node(&self, id: &UniqueId) -> Result<Arc<Node>, Diagnostic> {
        let node = self.shared.manifest.nodes.get(id);
        node.cloned().map(Arc::new).ok_or_else(|| Diagnostic::error(Code::Internal, format!("no node is named `{id}`")))
    }

    pub(crate) fn scope(&self, node: Arc<Node>, phase: Phase, runtime: Option<Arc<dyn Runtime>>) -> Arc<Scope> {
        Arc::new(Scope::new(self.shared.clone(), node, phase, runtime).with_overlay(self.overlay.clone()))
    }

    /// Renders a node's SQL with its ephemeral parents inlined; `execute` is true exactly when a runtime is given.
    pub fn compile(&self, id: &UniqueId, runtime: Option<Arc<dyn Runtime>>) -> Result<Compiled, Diagnostic> {
        let node = self.node(id)?;
        if node.language != "sql" {
            return Err(Diagnostic::error(Code::PythonModel, format!("`{}` is a {} model; dvt runs SQL models", node.name, node.language)).at(node.span.clone()).about(id.as_str()));
        }
        self.compile_node(&node, runtime)
    }

    fn compile_node(&self, node: &Arc<Node>, runtime: Option<Arc<dyn Runtime>>) -> Result<Compiled, Diagnostic> {
        let mut ctes: Vec<(UniqueId, Compiled)> = Vec::new();
        let own = self.render_node(node, runtime.as_ref(), &mut ctes, &mut vec![node.unique_id.clone()])?;
        let given = |id: &UniqueId| self.overlay.unit.as_ref().and_then(|u| u.inputs.get(id.as_str())).map(|(name, _)| format!("__dbt__cte__{name}"));
        Ok(inject(own, ctes, &|id| given(id).or_else(|| self.shared.manifest.nodes.get(id).map(refs::cte_name)).unwrap_or_default()))
    }

    fn render_node(
        &self,
        node: &Arc<Node>,
        runtime: Option<&Arc<dyn Runtime>>,
        ctes: &mut Vec<(UniqueId, Compiled)>,
        path: &mut Vec<UniqueId>,
    ) -> Result<Compiled, Diagnostic> {
        let scope = self.scope(node.clone(), Phase::Compile, runtime.cloned());
        set_test_kwargs(&scope)?;
        let rendered = render_text(&scope, &node.raw_code, &node.span.file);
        scope.rollback_all();
        let mut rendered = rendered?;
        // As in dbt, a file starts at its first character that is no space; a snapshot's block is taken as it is.
        let space = node.raw_code.len() - node.raw_code.trim_start().len();
        if node.resource_type != ResourceType::Snapshot && space > 0 && rendered.starts_with(&node.raw_code[..space]) {
            rendered.drain(..space);
        }
        let Compiled { sql, relations, .. } = Compiled::of(&scope, &rendered);
        let captures = scope.captures();
        let (ephemerals, is_incremental) = (captures.ephemerals.clone(), captures.is_incremental);
        drop(captures);
        for id in ephemerals {
            if let Some((_, text)) = self.overlay.unit.as_ref().and_then(|u| u.inputs.get(id.as_str())) {
                if !ctes.iter().any(|(c, _)| *c == id) {
                    ctes.push((id, Compiled { sql: text.clone(), ..Compiled::default() }));
                }
                continue;
            }
            if path.contains(&id) {
                return Err(Diagnostic::error(Code::Cycle, format!("ephemeral model `{id}` reads itself")).about(id.as_str()));
            }
            if ctes.iter().any(|(c, _)| *c == id) {
                continue;
            }
            path.push(id.clone());
            let inner = self.render_node(&self.node(&id)?, runtime, ctes, path)?;
            path.pop();
            ctes.push((id, inner));
        }
        Ok(Compiled { sql, relations, extra_ctes: Vec::new(), is_incremental })
    }

    /// Renders text as a model on the run's default target would (`show --inline`).
    pub fn compile_inline(&self, text: &str, runtime: Option<Arc<dyn Runtime>>) -> Result<Compiled, Diagnostic> {
        let mut node = operation(&self.shared.manifest, "inline", &self.shared.manifest.project_name, &self.shared.manifest.default_target);
        node.resource_type = ResourceType::Analysis;
        text.clone_into(&mut node.raw_code);
        node.span = Span::file("<inline>");
        self.compile_node(&Arc::new(node), runtime)
    }

    pub(crate) fn call(&self, scope: &Arc<Scope>, name: &str, args: &[Value]) -> Result<Value, Diagnostic> {
        let entry = scope.macros().find(&scope.node.package, name).ok_or_else(|| Diagnostic::error(Code::MacroNotFound, format!("no macro is named `{name}`")))?.clone();
        self.call_entry(scope, &entry, args)
    }

    fn call_entry(&self, scope: &Arc<Scope>, entry: &Arc<macros::Macro>, args: &[Value]) -> Result<Value, Diagnostic> {
        macros::call(entry, scope, &self.shared.env, args).map_err(|e| {
            let id = scope.node.unique_id.as_str();
            // An operation is no file of the user's: it has no place of its own.
            let own = !id.starts_with("operation.");
            let out = errors::diagnostic(&e, &self.shared.sources, own.then_some(id));
            if out.span.is_none() && own { out.at(scope.node.span.clone()) } else { out }
        })
    }

    /// The counting query of a test, around its compiled text.
    pub fn test_query(&self, id: &UniqueId, compiled: &Compiled) -> Result<TestQuery, Diagnostic> {
        let node = self.node(id)?;
        let scope = self.scope(node.clone(), Phase::Run, None);
        let text = |key: &str, usual: &str| node.config.get(key).map_or_else(|| usual.to_owned(), |v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
        let limit = node.config.get("limit").filter(|l| !l.is_null()).map_or_else(|| Value::from(()), from_json);
        let (warn_if, error_if) = (text("warn_if", "!= 0"), text("error_if", "!= 0"));
        let args = [Value::from(HOLE), Value::from(text("fail_calc", "count(*)")), Value::from(warn_if.as_str()), Value::from(error_if.as_str()), limit];
        let compiled = around(compiled, &self.call(&scope, "get_test_sql", &args)?.to_string(), HOLE)
            .ok_or_else(|| Diagnostic::error(Code::JinjaError, "the macro `get_test_sql` does not use its first argument").about(id.as_str()))?;
        Ok(TestQuery { compiled, severity: text("severity", "ERROR").to_ascii_lowercase(), warn_if, error_if })
    }

    /// The query of a stored test's rows: at most as many as its `limit` says.
    pub fn limited(&self, id: &UniqueId, compiled: &Compiled) -> Result<Compiled, Diagnostic> {
        let node = self.node(id)?;
        let Some(limit) = node.config.get("limit").filter(|l| !l.is_null()) else { return Ok(compiled.clone()) };
        let scope = self.scope(node.clone(), Phase::Run, None);
        let text = self.call(&scope, "get_limit_subquery_sql", &[Value::from(HOLE), from_json(limit)])?.to_string();
        around(compiled, &text, HOLE).ok_or_else(|| Diagnostic::error(Code::JinjaError, "the macro `get_limit_subquery_sql` does not use its first argument").about(id.as_str()))
    }

    /// Everything of a relation, as a test's rows are read back.
    pub fn all_of(&self, target: &TargetName, name: &RelationName) -> Compiled {
        let rendered = self.rendered(target, name);
        let head = "select * from ";
        let at = head.len()..head.len() + rendered.len();
        let relation = dvt_project::RelationRef { target: target.clone(), name: name.clone() };
        Compiled { sql: format!("{head}{rendered}"), relations: vec![RelationUse { relation, unique_id: None, rendered, at: vec![at] }], ..Compiled::default() }
    }

    /// Runs the node's materialization macro with its hooks.
    pub fn materialize(&self, id: &UniqueId, rows: Rows<'_>, runtime: Arc<dyn Runtime>) -> Result<Materialized, Diagnostic> {
        let Rows { sql, staged, part } = rows;
        let node = self.node(id)?;
        let name = match node.resource_type {
            ResourceType::Seed => "seed",
            ResourceType::Test => "test",
            ResourceType::Snapshot => node.config_str("materialized").unwrap_or("snapshot"),
            _ => node.materialized(),
        };
        // A federated view has nothing to look at but its own rows: it is a table (SPEC T5, DVT001).
        let name = if staged.is_some() && name == "view" { "table" } else { name };
        let batch = self.overlay.batch.as_ref();
        let scope = self.scope(node.clone(), Phase::Run, Some(runtime));
        let entry = scope.macros().materialization(name, &scope.prefixes()).cloned().ok_or_else(|| {
            Diagnostic::error(Code::MaterializationUnsupported, format!("no materialization is named `{name}` for adapter `{}`", node.adapter))
                .at(node.span.clone())
                .about(id.as_str())
                .hint(format!("known: {}", self.materializations().join(", ")))
        })?;
        scope.set_extra("sql", Value::from(sql));
        scope.set_extra("compiled_code", Value::from(sql));
        scope.set_extra("dvt_part", Value::from(part));
        if let Some(batch) = batch {
            // The hooks before are the first batch's, those after the last one's.
            let hooks = [("pre_hooks", batch.first), ("post_hooks", batch.last)];
            for (name, _) in hooks.into_iter().filter(|(_, runs)| !runs) {
                scope.set_extra(name, list(Vec::new()));
            }
        }
        if let Some(staged) = staged {
            let mut relation = scope.relation(&node.target, staged.clone(), None, None);
            relation.kind = Some("table".to_owned());
            scope.set_extra("dvt_staged_relation", Value::from_object(relation));
        }
        let result = self.call_entry(&scope, &entry, &[]);
        // What the macro did not commit was not meant to stay.
        scope.rollback_all();
        let returned = result?;
        let relations = returned.get_attr("relations").ok().and_then(|r| r.try_iter().ok().map(|i| i.collect::<Vec<_>>())).unwrap_or_default();
        let main = scope.extra("__result_main").unwrap_or_default();
        let response = main.get_attr("response").unwrap_or_default();
        let message = if response.is_undefined() || response.is_none() { "OK".to_owned() } else { response.to_string() };
        let rows_affected = response.get_attr("rows_affected").ok().and_then(|v| v.as_i64()).and_then(|n| u64::try_from(n).ok());
        Ok(Materialized { message, rows_affected, relations: relations.iter().filter_map(|r| r.downcast_object_ref::<Relation>().map(Relation::reference)).collect() })
    }

    /// Creates the schema of a relation on a target (the `create_schema` macro).
    pub fn create_schema(&self, target: &TargetName, name: &RelationName, runtime: Arc<dyn Runtime>) -> Result<(), Diagnostic> {
        let node = operation(&self.shared.manifest, "create_schema", &self.shared.manifest.project_name, target);
        let scope = self.scope(Arc::new(node), Phase::Run, Some(runtime));
        let mut relation = scope.relation(target, name.clone(), None, None);
        relation.include.2 = false;
        let done = self.call(&scope, "create_schema", &[Value::from_object(relation)]).and_then(|_| scope.commit(target));
        scope.rollback_all();
        done
    }

    /// Drops a relation, whatever it is (leftovers of dead runs).
    pub fn drop_relation(&self, target: &TargetName, name: &RelationName, kind: &str, runtime: Arc<dyn Runtime>) -> Result<(), Diagnostic> {
        let node = operation(&self.shared.manifest, "drop_relation", &self.shared.manifest.project_name, target);
        let scope = self.scope(Arc::new(node), Phase::Run, Some(runtime));
        let mut relation = scope.relation(target, name.clone(), None, None);
        relation.kind = Some(kind.to_owned());
        let done = self.call(&scope, "drop_relation", &[Value::from_object(relation)]).and_then(|_| scope.commit(target));
        scope.rollback_all();
        done
    }

    /// How a relation is written in its target's own SQL.
    pub fn rendered(&self, target: &TargetName, name: &RelationName) -> String {
        let node = operation(&self.shared.manifest, "render", &self.shared.manifest.project_name, target);
        self.scope(Arc::new(node), Phase::Run, None).relation(target, name.clone(), None, None).render()
    }

    /// Runs an on-run-start or on-run-end statement; `results` is what dbt's `results` shows.
    pub fn run_hook(&self, hook: &HookDef, runtime: Arc<dyn Runtime>, results: &[Json]) -> Result<(), Diagnostic> {
        let manifest = &self.shared.manifest;
        let target = hook.connection.as_deref().map_or_else(|| manifest.default_target.clone(), TargetName::from);
        if !manifest.targets.contains_key(&target) {
            return Err(dvt_project::paths::unknown_target(manifest, &target));
        }
        let node = operation(manifest, "hook", &hook.package, &target);
        let scope = self.scope(Arc::new(node), Phase::Run, Some(runtime));
        scope.set_extra("results", list(results.iter().map(from_json).collect()));
        let built = built_schemas(manifest, results);
        let schemas: std::collections::BTreeSet<&str> = built.iter().map(|(_, schema)| schema.as_str()).collect();
        scope.set_extra("schemas", list(schemas.into_iter().map(Value::from).collect()));
        let pair = |(database, schema): &(Option<String>, String)| python::tuple(vec![database.as_deref().map_or_else(|| Value::from(()), Value::from), Value::from(schema.as_str())]);
        scope.set_extra("database_schemas", list(built.iter().map(pair).collect()));
        let done = render_text(&scope, &hook.sql, "dbt_project.yml").and_then(|sql| {
            if sql.trim().is_empty() {
                return scope.commit(&target);
            }
            crate::adapter::execute(&scope, &sql, hook.transaction, false, None).map_err(|e| errors::diagnostic(&e, &self.shared.sources, None))?;
            scope.commit(&target)
        });
        scope.rollback_all();
        done
    }

    /// Runs a macro by itself (`run-operation`).
    pub fn run_operation(&self, name: &str, args: &Map<String, Json>, runtime: Arc<dyn Runtime>) -> Result<Json, Diagnostic> {
        let manifest = &self.shared.manifest;
        let (package, name) = name.split_once('.').unwrap_or((manifest.project_name.as_str(), name));
        let node = operation(manifest, name, package, &manifest.default_target);
        let target = node.target.clone();
        let scope = self.scope(Arc::new(node), Phase::Run, Some(runtime));
        let named: minijinja::value::Kwargs = args.iter().map(|(k, v)| (k.clone(), from_json(v))).collect();
        let out = self.call(&scope, name, &[Value::from(named)]).and_then(|v| scope.commit(&target).map(|()| cleaned(to_json(&v))));
        scope.rollback_all();
        out
    }
}

/// Stands for a query's text while what is around it is rendered.
const HOLE: &str = "\u{F8FF}dvt\u{F8FF}";

/// The query inside `text`, at the hole; its relations move along.
fn around(compiled: &Compiled, text: &str, hole: &str) -> Option<Compiled> {
    let (head, tail) = text.split_once(hole)?;
    let by = head.len();
    let relations = compiled.relations.iter().map(|u| RelationUse { at: u.at.iter().map(|r| r.start + by..r.end + by).collect(), ..u.clone() }).collect();
    Some(Compiled { sql: format!("{head}{}{tail}", compiled.sql), relations, ..compiled.clone() })
}

/// Without the marks of relations.
fn cleaned(value: Json) -> Json {
    match value {
        Json::String(text) => Json::String(crate::relation::clean(&text)),
        Json::Array(items) => Json::Array(items.into_iter().map(cleaned).collect()),
        Json::Object(map) => Json::Object(map.into_iter().map(|(k, v)| (crate::relation::clean(&k), cleaned(v))).collect()),
        other => other,
    }
}

/// Database and schema of every relation that the run built, rows of tests among them, each once.
fn built_schemas(manifest: &Manifest, results: &[Json]) -> std::collections::BTreeSet<(Option<String>, String)> {
    let built = results.iter().filter(|r| !matches!(r.get("status").and_then(Json::as_str), None | Some("error" | "fail" | "skipped")));
    built
        .filter_map(|r| {
            let id = r.get("unique_id").or_else(|| r.get("node")?.get("unique_id"))?.as_str()?;
            let relation = manifest.nodes.get(&UniqueId::from(id))?.relation.as_ref()?;
            Some((relation.database.clone(), relation.schema.clone()?))
        })
        .collect()
}

/// A node for what belongs to no node.
pub(crate) fn operation(manifest: &Manifest, name: &str, package: &str, target: &TargetName) -> Node {
    let adapter = manifest.targets.get(target).map(|t| t.adapter.clone()).unwrap_or_default();
    Node {
        unique_id: UniqueId::new(format!("operation.{package}.{name}")),
        resource_type: ResourceType::Operation,
        name: name.to_owned(),
        package: package.to_owned(),
        fqn: vec![package.to_owned(), name.to_owned()],
        language: "sql".to_owned(),
        target: target.clone(),
        adapter,
        compute: manifest.default_compute.clone(),
        alias: name.to_owned(),
        span: Span::file("dbt_project.yml"),
        ..Node::default()
    }
}

/// Puts the ephemerals' text before the node's as dbt does: into its `with`, or as a new one.
fn inject(own: Compiled, ctes: Vec<(UniqueId, Compiled)>, cte_name: &dyn Fn(&UniqueId) -> String) -> Compiled {
    if ctes.is_empty() {
        return own;
    }
    let skipped = leading_space_and_comments(&own.sql);
    let rest = &own.sql[skipped..];
    let first = rest.get(..4).filter(|w| w.eq_ignore_ascii_case("with") && !rest[4..].starts_with(|c: char| c.is_alphanumeric() || c == '_'));
    let mut head_end = skipped + first.map_or(0, str::len);
    if first.is_some() {
        let after = &own.sql[head_end..];
        let inner = after.len() - after.trim_start().len();
        let word = after[inner..].get(..9).filter(|w| w.eq_ignore_ascii_case("recursive") && after[inner + 9..].starts_with(char::is_whitespace));
        head_end += word.map_or(0, |w| inner + w.len());
    }
    let mut out = Compiled { is_incremental: own.is_incremental, ..Compiled::default() };
    out.sql.push_str(&own.sql[..head_end]);
    if first.is_none() {
        out.sql.push_str("with");
    }
    let mut moved: Vec<RelationUse> = Vec::new();
    let shift = |uses: &[RelationUse], by: usize, moved: &mut Vec<RelationUse>| {
        for used in uses {
            let at = used.at.iter().map(|r| r.start + by..r.end + by);
            match moved.iter_mut().find(|u| u.relation == used.relation && u.rendered == used.rendered) {
                Some(known) => known.at.extend(at),
                None => moved.push(RelationUse { at: at.collect(), ..used.clone() }),
            }
        }
    };
    for (i, (id, cte)) in ctes.iter().enumerate() {
        let name = cte_name(id);
        out.sql.push_str(&format!("{} {name} as (\n", if i > 0 { "," } else { "" }));
        shift(&cte.relations, out.sql.len(), &mut moved);
        out.sql.push_str(&cte.sql);
        out.sql.push_str("\n)");
        out.extra_ctes.push((id.clone(), cte.sql.clone()));
    }
    if first.is_some() {
        out.sql.push(',');
    } else {
        out.sql.push(' ');
    }
    let by = out.sql.len() - head_end;
    let tail: Vec<RelationUse> = own.relations.clone();
    let mut own_uses = Vec::new();
    shift(&tail, by, &mut own_uses);
    own_uses.extend(moved.drain(..).collect::<Vec<_>>());
    let mut merged = Vec::new();
    shift(&own_uses, 0, &mut merged);
    out.relations = merged;
    out.sql.push_str(&own.sql[head_end..]);
    out
}

fn leading_space_and_comments(sql: &str) -> usize {
    let mut at = 0;
    loop {
        let rest = &sql[at..];
        let trimmed = rest.trim_start();
        at += rest.len() - trimmed.len();
        if trimmed.starts_with("--") {
            at += trimmed.find('\n').unwrap_or(trimmed.len());
        } else if let Some(inner) = trimmed.strip_prefix("/*") {
            match inner.find("*/") {
                Some(end) => at += end + 4,
                None => return at,
            }
        } else {
            return at;
        }
    }
}
