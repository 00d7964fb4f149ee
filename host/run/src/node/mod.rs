//! One node from its template to its result.
//!
//! Every kind ends in a [`Done`]; what a failure means for other nodes is the scheduler's matter.

mod analyze;
mod federate;
mod microbatch;
mod model;
mod neutral;
mod query;
mod seed;
mod test;
mod unit;
mod unit_diff;
mod watermark;

pub(crate) use analyze::{counted, federated};
pub use federate::{Planned, plan_node};
pub(crate) use federate::collect;
pub(crate) use query::federated_query;

use crate::artifacts::Artifacts;
use crate::database::{Database, Databases};
use crate::printer::{grouped, iso, now, sized};
use crate::project::Project;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_federation::{Journal, Movement, SharedReads, Turn};
use dvt_jinja::{Asking, Engine};
use dvt_planner::ir::FederatedPlan;
use dvt_project::artifacts::{CompiledNode, RunResult, Timing};
use dvt_project::{ExecutionPath, Node, RelationName, ResourceType, TargetName, UniqueId};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Instant, SystemTime};

/// What running nodes share.
pub struct Runner {
    pub project: Arc<Project>,
    pub databases: Arc<Databases>,
    pub artifacts: Artifacts,
    pub journal: Option<Journal>,
    pub progress: crate::progress::Meter,
    pub reads: SharedReads,
    schemas: Mutex<BTreeMap<(TargetName, RelationName), Arc<OnceLock<Result<(), Diagnostic>>>>>,
}

/// How a node ended, in dbt's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Success,
    Pass,
    Warn,
    Fail,
    Error,
    Skipped,
    /// Some batches of a model were built, some were not.
    Partial,
    /// There is nothing to do for it.
    NoOp,
}

impl Status {
    pub fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Error => "error",
            Self::Skipped => "skipped",
            Self::Partial => "partial success",
            Self::NoOp => "no-op",
        }
    }
    /// Whether nodes below must not run.
    pub fn blocks(self) -> bool {
        matches!(self, Self::Fail | Self::Error | Self::Skipped | Self::Partial)
    }
}

/// What a node left behind.
#[derive(Debug, Clone)]
pub struct Done {
    pub id: UniqueId,
    pub status: Status,
    /// The status in the line: `SELECT 5`, `FAIL 3`, `PASS`.
    pub word: String,
    pub message: Option<String>,
    pub failures: Option<u64>,
    pub rows: Option<u64>,
    pub error: Option<Diagnostic>,
    pub warnings: Vec<Diagnostic>,
    pub compiled: Option<CompiledNode>,
    pub plan: Option<FederatedPlan>,
    pub movements: Vec<Movement>,
    pub timing: Vec<Timing>,
    pub seconds: f64,
    pub thread: usize,
    /// Of a microbatch model, as `run_results.json` has it.
    pub batches: Option<Value>,
}

impl Done {
    pub fn new(id: &UniqueId) -> Self {
        Self {
            id: id.clone(),
            status: Status::Success,
            word: String::new(),
            message: None,
            failures: None,
            rows: None,
            error: None,
            warnings: Vec::new(),
            compiled: None,
            plan: None,
            movements: Vec::new(),
            timing: Vec::new(),
            seconds: 0.0,
            thread: 1,
            batches: None,
        }
    }

    pub fn idle(id: &UniqueId, thread: usize) -> Self {
        Self { status: Status::NoOp, thread, ..Self::new(id) }
    }

    pub fn skipped(id: &UniqueId, because: Option<&UniqueId>, cancelled: bool) -> Self {
        let mut done = Self::new(id);
        done.status = Status::Skipped;
        done.message = Some(match because {
            Some(above) => format!("skipped: `{above}` failed"),
            None if cancelled => "skipped: the run was cancelled".to_owned(),
            None => "skipped: --fail-fast".to_owned(),
        });
        done
    }

    fn fail(&mut self, error: Diagnostic) {
        self.status = Status::Error;
        self.message = Some(error.to_string());
        self.error = Some(error);
    }

    /// As `run_results.json` has it.
    pub fn result(&self, node: Option<&Node>, relation_name: Option<String>) -> RunResult {
        let mut response = Map::new();
        if matches!(self.status, Status::Success | Status::Pass | Status::Warn) && !self.word.is_empty() {
            response.insert("_message".into(), json!(self.word));
            if let Some(rows) = self.rows {
                response.insert("rows_affected".into(), json!(rows));
            }
        }
        if let (Some(node), false) = (node, self.status == Status::Skipped) {
            response.insert("dvt_path".into(), json!(node.execution));
            response.insert("dvt_target".into(), json!(node.target));
            if node.execution == ExecutionPath::Federation {
                response.insert("dvt_compute".into(), json!(node.compute));
                response.insert("dvt_moved".into(), moved_json(&self.movements));
            }
        }
        RunResult {
            status: self.status.word().to_owned(),
            timing: self.timing.clone(),
            thread_id: format!("Thread-{}", self.thread),
            execution_time: self.seconds,
            adapter_response: response,
            message: self.message.clone().or_else(|| (!self.word.is_empty()).then(|| self.word.clone())),
            failures: self.failures,
            unique_id: self.id.clone(),
            compiled: Some(self.compiled.is_some()).filter(|_| node.is_none_or(|n| n.resource_type != ResourceType::Seed)),
            compiled_code: self.compiled.as_ref().map(|c| c.code.clone()),
            relation_name,
            batch_results: self.batches.clone(),
        }
    }
}

pub fn moved_json(movements: &[Movement]) -> Value {
    movements
        .iter()
        .map(|m| json!({"source": m.source, "relation": m.relation.as_ref().map(|r| r.identifier.clone()), "rows": m.rows, "bytes": m.bytes, "shared": m.shared}))
        .collect()
}

/// `customers of crm: 1,234 rows, 56.7 kB`
pub fn moved_text(m: &Movement) -> String {
    let what = m.relation.as_ref().map_or_else(|| format!("query of {}", m.source), |r| format!("{} of {}", r.identifier, m.source));
    if m.shared {
        return format!("nothing of {what}: another node of the run had read it");
    }
    format!("{what}: {} rows, {}", grouped(m.rows), sized(m.bytes))
}

impl Runner {
    pub fn new(project: Arc<Project>, databases: Arc<Databases>, artifacts: Artifacts, journal: Option<Journal>) -> Self {
        let progress = crate::progress::Meter::new(databases.printer.clone());
        Self { project, databases, artifacts, journal, progress, reads: SharedReads::new([]), schemas: Mutex::default() }
    }

    /// The nodes that run together share what they read alike.
    pub fn sharing(self, nodes: &[UniqueId]) -> Self {
        Self { reads: SharedReads::new(federate::readers(&self.project, nodes)), ..self }
    }

    /// Runs a node of any kind.
    pub fn run(&self, id: &UniqueId, thread: usize) -> Done {
        let mut done = Done::new(id);
        done.thread = thread;
        let since = Instant::now();
        let manifest = &self.project.manifest;
        let unit = manifest.unit_tests.get(id);
        let asks = unit.map_or(Some(id), |t| t.depends_on.nodes.first());
        let target = asks.and_then(|id| manifest.nodes.get(id)).map_or(&manifest.default_target, |n| &n.target);
        let comment = match self.project.engine.query_comment(Asking::Node(id), target) {
            Ok(comment) => comment,
            Err(error) => {
                done.fail(error.about(id.as_str()));
                return done;
            }
        };
        let database = Arc::new(Database::new(self.databases.clone()).commented(comment));
        if let Some(test) = unit {
            if let Err(error) = unit::run(self, test, &database, &mut done) {
                done.fail(if error.node.is_none() { error.about(id.as_str()) } else { error });
            }
            done.seconds = since.elapsed().as_secs_f64();
            return done;
        }
        let Some(node) = self.project.manifest.nodes.get(id) else {
            done.fail(Diagnostic::error(Code::Internal, format!("no node is named `{id}`")));
            return done;
        };
        if let Err(error) = self.name_fits(node) {
            done.fail(error.about(id.as_str()));
            return done;
        }
        // A bug in one node must not take the run with it: the other nodes' threads would wait for it for ever.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match node.resource_type {
            ResourceType::Seed => seed::load(self, node, &database, &mut done),
            ResourceType::Test => test::run(self, node, &database, &mut done),
            ResourceType::Model if microbatch::is_one(node) => microbatch::run(self, node, &database, &mut done),
            ResourceType::Model | ResourceType::Snapshot | ResourceType::Analysis | ResourceType::Operation | ResourceType::Function => model::run(self, node, &database, &mut done),
        }))
        .unwrap_or_else(|_| Err(Diagnostic::error(Code::Internal, format!("a bug stopped `{}`; what it was stands above", node.name))));
        if let Err(error) = outcome {
            // What a cancelled statement says differs by product and tells nothing more.
            let error = if self.databases.cancel.is_cancelled() { Diagnostic::error(Code::Cancelled, "cancelled by the user") } else { error };
            let mut error = if error.node.is_none() { error.about(id.as_str()) } else { error };
            // Results keep the message, and a server repeats what it was sent.
            error.message = self.databases.printer.hiding(&error.message);
            error.hint = error.hint.map(|hint| self.databases.printer.hiding(&hint));
            done.fail(error);
        }
        done.seconds = since.elapsed().as_secs_f64();
        done
    }

    /// A name that the product cuts would be another one at the next run.
    fn name_fits(&self, node: &Node) -> Result<(), Diagnostic> {
        let Some(relation) = &node.relation else { return Ok(()) };
        match self.project.sheet_of(&node.target)?.too_long(&relation.identifier) {
            None => Ok(()),
            Some(why) => Err(Diagnostic::error(Code::ConfigInvalid, format!("the name of `{}` is too long for target `{}`: {why}", node.name, node.target))
                .at(node.span.clone())
                .hint("give it a shorter `alias`")),
        }
    }

    /// Makes the schemas of the nodes; each node learns of its own schema's failure.
    pub fn make_schemas(&self, nodes: &[UniqueId]) {
        let database = Arc::new(Database::new(self.databases.clone()));
        for node in nodes.iter().filter_map(|id| self.project.manifest.nodes.get(id)) {
            if let Some(relation) = &node.relation {
                let _ = self.schema_ready(&node.target, relation, &database);
            }
        }
    }

    /// Makes the schema of `relation` once a run.
    fn schema_ready(&self, target: &TargetName, relation: &RelationName, database: &Arc<Database>) -> Result<(), Diagnostic> {
        let key = RelationName { identifier: String::new(), ..relation.clone() };
        let once = self.schemas.lock().unwrap_or_else(PoisonError::into_inner).entry((target.clone(), key)).or_default().clone();
        once.get_or_init(|| {
            let _turn = self.turn_of(target, &RelationName { identifier: String::new(), ..relation.clone() }, None, database)?;
            self.project.engine.create_schema(target, relation, database.clone())
        })
        .clone()
    }

    /// Makes the node's schema ready and waits until no other run builds the same relation.
    fn turn(&self, node: &Node, database: &Arc<Database>) -> Result<Option<Turn>, Diagnostic> {
        let Some(relation) = &node.relation else { return Ok(None) };
        self.schema_ready(&node.target, relation, database)?;
        self.turn_of(&node.target, relation, Some(&node.unique_id), database)
    }

    fn turn_of(&self, target: &TargetName, relation: &RelationName, node: Option<&UniqueId>, database: &Arc<Database>) -> Result<Option<Turn>, Diagnostic> {
        // The session first: a file that lets one process in must not be waited for with the turn in hand.
        database.with_session(target, |_| Ok(()))?;
        let parts = [self.databases.pool.endpoint(target)?, relation.database.clone().unwrap_or_default(), relation.schema.clone().unwrap_or_default(), relation.identifier.clone()];
        let mut waited = false;
        let mut waiting = || {
            if !waited {
                waited = true;
                let what = if relation.identifier.is_empty() { relation.schema.as_deref().unwrap_or_default() } else { &relation.identifier };
                self.databases.printer.line(&format!("Waiting for another run that builds {what} on target {target}"));
            }
            !self.databases.cancel.is_cancelled()
        };
        let turn = Turn::take(&self.project.home.data().join("locks"), &parts.join("\n"), &mut waiting)
            .map_err(|e| Diagnostic::error(Code::Artifact, format!("the lock of `{}` cannot be taken: {e}", relation.identifier)))?;
        if turn.is_none() {
            return Err(Diagnostic::error(Code::Cancelled, "cancelled"));
        }
        if waited {
            dvt_jinja::Runtime::relations_changed(database.as_ref(), target);
            // What this run read before may be older than what the other one has built.
            node.iter().for_each(|id| self.reads.ready(id));
        }
        Ok(turn)
    }

    /// The node's SQL, rendered with its database and written to `target/compiled`.
    fn compile(&self, node: &Node, database: &Arc<Database>, done: &mut Done) -> Result<dvt_jinja::Compiled, Diagnostic> {
        self.compile_with(&self.project.engine, node, database, done)
    }

    /// As [`Runner::compile`], by the templates of one run of the node.
    fn compile_with(&self, engine: &Engine, node: &Node, database: &Arc<Database>, done: &mut Done) -> Result<dvt_jinja::Compiled, Diagnostic> {
        let began = now();
        let compiled = engine.compile(&node.unique_id, Some(database.clone()))?;
        done.timing.push(span("compile", began));
        done.compiled = Some(self.artifacts.compiled(node, &compiled)?);
        Ok(compiled)
    }
}

/// From `began` until now.
fn span(name: &str, began: SystemTime) -> Timing {
    Timing { name: name.to_owned(), started_at: Some(iso(began)), completed_at: Some(iso(now())) }
}
