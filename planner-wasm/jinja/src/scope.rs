//! What the templates of one node share: the node, its captures, query results, marks, transactions.

use crate::macros::{Macros, Sources};
use crate::overlay::Overlay;
use crate::python::{self, PyDict};
use crate::relation::{Marks, Relation};
use crate::runtime::Runtime;
use dvt_diagnostic::Diagnostic;
use dvt_project::{AdapterFacts, Manifest, MacroDef, Node, ProjectInput, RefCall, RelationName, ResourceType, TargetName, UniqueId};
use indexmap::IndexMap;
use minijinja::value::Object;
use minijinja::{Environment, Value};
use serde_json::{Map, Value as Json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// One project's templates: shared by all scopes.
pub struct Shared {
    pub env: Environment<'static>,
    pub macros: Macros,
    pub sources: Sources,
    pub manifest: Arc<Manifest>,
    pub input: Arc<ProjectInput>,
    /// Names of refs, for look-up without a walk over all nodes.
    pub names: BTreeMap<String, Vec<UniqueId>>,
    pub graph: OnceLock<Value>,
    /// What the command selected, for `selected_resources`.
    pub selected: OnceLock<Vec<UniqueId>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shared({})", self.manifest.project_name)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nodes are being collected: refs and configs are captured, nothing is known of other nodes.
    Parse,
    /// A node becomes SQL.
    Compile,
    /// Its materialization runs.
    Run,
}

/// What a template said while it was rendered.
#[derive(Debug, Default)]
pub struct Captures {
    pub config: Map<String, Json>,
    pub refs: Vec<RefCall>,
    pub sources: Vec<(String, String)>,
    /// Arguments of each `metric()`.
    pub metrics: Vec<Vec<String>>,
    pub macros: Vec<String>,
    /// Ephemeral parents, in order of first use.
    pub ephemerals: Vec<UniqueId>,
    pub is_incremental: bool,
    /// What `exceptions.warn` said, each text once.
    pub warnings: Vec<String>,
}

pub struct Scope {
    pub shared: Arc<Shared>,
    pub node: Arc<Node>,
    pub phase: Phase,
    pub runtime: Option<Arc<dyn Runtime>>,
    pub marks: Option<Arc<Marks>>,
    pub overlay: Arc<Overlay>,
    captures: Mutex<Captures>,
    /// Names that this scope adds: `sql`, `pre_hooks`, `model`, results of statements as `__result_<name>`.
    extra: Mutex<BTreeMap<String, Value>>,
    depth: AtomicUsize,
    /// The macros that are being called, outermost first.
    calls: Mutex<Vec<UniqueId>>,
    open: Mutex<BTreeSet<TargetName>>,
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({})", self.node.unique_id)
    }
}

/// Leaves a level of macro calls when dropped.
pub struct Level<'a>(&'a Scope);

impl Drop for Level<'_> {
    fn drop(&mut self) {
        self.0.depth.fetch_sub(1, Ordering::Relaxed);
        locked(&self.0.calls).pop();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Scope {
    pub fn new(shared: Arc<Shared>, node: Arc<Node>, phase: Phase, runtime: Option<Arc<dyn Runtime>>) -> Self {
        // What an operation asks may read several targets too; a materialization's text is its own target's.
        let marks = (phase == Phase::Compile || (phase == Phase::Run && node.resource_type == ResourceType::Operation)).then(Arc::default);
        Self { shared, node, phase, runtime, marks, overlay: Arc::default(), captures: Mutex::default(), extra: Mutex::default(), depth: AtomicUsize::new(0), calls: Mutex::default(), open: Mutex::default() }
    }
    pub fn with_overlay(self, overlay: Arc<Overlay>) -> Self {
        Self { overlay, ..self }
    }
    pub fn macros(&self) -> &Macros {
        &self.shared.macros
    }
    pub fn manifest(&self) -> &Manifest {
        &self.shared.manifest
    }
    pub fn captures(&self) -> MutexGuard<'_, Captures> {
        locked(&self.captures)
    }
    pub fn extra(&self, name: &str) -> Option<Value> {
        locked(&self.extra).get(name).cloned()
    }
    pub fn set_extra(&self, name: &str, value: Value) {
        locked(&self.extra).insert(name.to_owned(), value);
    }
    /// One level deeper, while the result lives.
    pub fn enter(&self, limit: usize, called: &UniqueId) -> Option<Level<'_>> {
        if self.depth.fetch_add(1, Ordering::Relaxed) >= limit {
            self.depth.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        locked(&self.calls).push(called.clone());
        Some(Level(self))
    }
    /// `context_macro_stack`: the ids of the macros that are being called, and how deep that is.
    pub fn macro_stack(&self) -> Value {
        let calls = locked(&self.calls).clone();
        Value::from_object(PyDict::new([
            (Value::from("depth"), Value::from(calls.len())),
            (Value::from("call_stack"), python::list(calls.iter().map(|id| Value::from(id.as_str())).collect())),
        ]))
    }
    pub fn used(&self, def: &MacroDef) {
        // As in dbt, what the text itself calls counts; what those macros call is theirs.
        if self.phase == Phase::Parse && self.depth.load(Ordering::Relaxed) <= 1 {
            let mut captures = self.captures();
            if !captures.macros.contains(&def.unique_id.0) {
                captures.macros.push(def.unique_id.0.clone());
            }
        }
    }

    /// Facts of the adapter whose dialect the node's text is in.
    pub fn dialect_facts(&self) -> Option<&AdapterFacts> {
        let adapters = &self.shared.input.adapters;
        let own = adapters.get(self.node.adapter.as_str());
        match own {
            Some(facts) if facts.dialect == self.node.dialect.0 || self.node.dialect.0.is_empty() => own,
            _ => adapters.values().find(|f| f.dialect == self.node.dialect.0).or(own),
        }
    }
    pub fn adapter_facts(&self, target: &TargetName) -> Option<&AdapterFacts> {
        let adapter = &self.manifest().targets.get(target)?.adapter;
        self.shared.input.adapters.get(adapter.as_str())
    }

    /// A relation as this node's text writes it. On a compiled node it is in the node's dialect; what runs on another
    /// target is in that target's.
    pub fn relation(&self, target: &TargetName, name: RelationName, unique_id: Option<UniqueId>, quoting: Option<&Map<String, Json>>) -> Relation {
        let facts = if (self.phase == Phase::Run && self.marks.is_none()) || *target == self.node.target { self.adapter_facts(target) } else { self.dialect_facts() };
        let facts = if *target == self.node.target && self.phase != Phase::Run { self.dialect_facts().or(facts) } else { facts };
        let quotes = facts.map_or_else(|| ("\"".to_owned(), "\"".to_owned()), |f| f.quote.clone());
        let usual = facts.map_or((true, true, true), |f| f.quoting);
        let of = |key: &str, usual: bool| quoting.and_then(|q| q.get(key)).and_then(Json::as_bool).unwrap_or(usual);
        Relation {
            target: target.clone(),
            name,
            unique_id,
            kind: None,
            quotes,
            quote: (of("database", usual.0), of("schema", usual.1), of("identifier", usual.2)),
            include: (true, true, true),
            cte: None,
            marks: self.marks.clone(),
            wrap: None,
            nameless: facts.is_some_and(|f| f.nameless_subqueries),
        }
    }

    /// `{{ this }}`.
    pub fn this(&self) -> Option<Relation> {
        if self.node.resource_type == ResourceType::Operation {
            return None;
        }
        let name = self.node.relation.clone().or_else(|| {
            let target = self.manifest().targets.get(&self.node.target)?;
            Some(RelationName { database: target.database.clone(), schema: Some(target.schema.clone()), identifier: self.node.alias.clone() })
        })?;
        Some(self.relation(&self.node.target, name, Some(self.node.unique_id.clone()), self.quoting()))
    }

    fn quoting(&self) -> Option<&Map<String, Json>> {
        self.node.config.get("quoting").and_then(Json::as_object).filter(|q| !q.is_empty())
    }

    /// Begins a transaction unless one is open.
    pub fn begin(&self, target: &TargetName) -> Result<(), Diagnostic> {
        let Some(runtime) = &self.runtime else { return Ok(()) };
        if locked(&self.open).insert(target.clone())
            && let Err(e) = runtime.begin(target)
        {
            locked(&self.open).remove(target);
            return Err(e);
        }
        Ok(())
    }
    pub fn commit(&self, target: &TargetName) -> Result<(), Diagnostic> {
        let was_open = locked(&self.open).remove(target);
        match &self.runtime {
            Some(runtime) if was_open => runtime.commit(target),
            _ => Ok(()),
        }
    }
    /// What is still open when a node ends was not meant to stay.
    pub fn rollback_all(&self) {
        let open = std::mem::take(&mut *locked(&self.open));
        if let Some(runtime) = &self.runtime {
            for target in &open {
                runtime.rollback(target);
            }
        }
    }
    /// Prefixes of dispatched macros, nearest first.
    pub fn prefixes(&self) -> Vec<String> {
        let mut out = vec![self.node.adapter.0.clone()];
        if let Some(facts) = self.shared.input.adapters.get(self.node.adapter.as_str()) {
            out.extend(facts.dispatch_parents.iter().cloned());
        }
        out.push("default".to_owned());
        out
    }
}

/// Names a template sees: a macro's locals, then its scope.
pub struct Frame {
    pub locals: IndexMap<String, Value>,
    pub scope: Arc<Scope>,
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({:?})", self.scope)
    }
}

impl Object for Frame {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }
    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        if let Some(value) = self.locals.get(key) {
            return Some(value.clone());
        }
        crate::context::lookup(&self.scope, key)
    }
}

/// A target as `{{ target }}` shows it: no secret is in it.
pub fn target_value(manifest: &Manifest, name: &TargetName) -> Value {
    let Some(target) = manifest.targets.get(name) else { return Value::from(()) };
    let mut map = target.keys.clone();
    map.insert("name".into(), Json::from(name.as_str()));
    map.insert("target_name".into(), Json::from(name.as_str()));
    map.insert("type".into(), Json::from(target.adapter.as_str()));
    map.insert("schema".into(), Json::from(target.schema.as_str()));
    map.insert("database".into(), target.database.as_deref().map_or(Json::Null, Json::from));
    map.entry("dbname").or_insert_with(|| target.database.as_deref().map_or(Json::Null, Json::from));
    map.insert("threads".into(), Json::from(target.threads));
    map.insert("profile_name".into(), Json::from(manifest.profile_name.as_str()));
    python::from_json(&Json::Object(map))
}

/// An empty dict of ours.
pub fn empty() -> Value {
    Value::from_object(PyDict::default())
}
