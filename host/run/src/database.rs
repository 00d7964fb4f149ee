//! The databases as one node's templates see them: its own session per target, transactions, and relation caches.

use crate::failure::explained;
use crate::log::{Event, Level};
use crate::introspect::{Known, describe, list, meant};
use crate::pool::{Pool, Session};
use crate::printer::Printer;
use crate::values::json_rows;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_engine::Connection;
use dvt_federation::Cancellation;
use dvt_mdm::{ColumnFact, Fact, RelationFact, Spool};
use dvt_planner::catalog::{Collation, ColumnSchema};
use crate::project::Project;
use dvt_jinja::{ColumnFacts, Compiled, Execute, QueryResult, RelationFacts, Runtime};
use dvt_project::warnings::Fate;
use dvt_project::{Node, RelationName, RelationRef, TargetName};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

type SchemaKey = (TargetName, Option<String>, String);

/// What all nodes of a run share.
pub struct Databases {
    pub pool: Pool,
    pub cancel: Arc<Cancellation>,
    pub printer: Arc<Printer>,
    /// Committed relations by schema.
    cache: Mutex<BTreeMap<SchemaKey, Arc<Vec<Known>>>>,
    profile: String,
    /// Whether `print()` is heard.
    prints: bool,
    /// Where sights of relations are noted.
    pub spool: Option<Spool>,
    /// Sessions of computes outside the host.
    pub clusters: crate::cluster::Clusters,
    /// For queries of templates that several targets answer together.
    project: OnceLock<Arc<Project>>,
    pub history: crate::history::History,
}

impl Databases {
    pub fn new(pool: Pool, cancel: Arc<Cancellation>, printer: Arc<Printer>, profile: &str, prints: bool, spool: Option<Spool>) -> Self {
        Self { pool, cancel, printer, cache: Mutex::default(), profile: profile.to_owned(), prints, spool, clusters: crate::cluster::Clusters::default(), project: OnceLock::new(), history: crate::history::History::default() }
    }

    /// Lets templates ask what only a plan over several targets answers.
    pub fn know(&self, project: &Arc<Project>) {
        let _ = self.project.set(project.clone());
    }

    pub fn project(&self) -> Option<&Arc<Project>> {
        self.project.get()
    }

    pub fn profile(&self) -> &str {
        &self.profile
    }

    /// A fact for the MDM; what cannot be noted is only forgotten.
    pub fn note(&self, fact: &Fact) {
        if let Some(spool) = &self.spool {
            let _ = spool.record(fact);
        }
    }

    fn forget(&self, target: &TargetName) {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).retain(|(t, _, _), _| t != target);
    }

    /// The statement, for the log file and `--log-level debug`.
    fn write_log(&self, target: &TargetName, sql: &str) {
        let data = json!({"conn_name": target, "sql": sql});
        self.printer.event(Event::debug("E016", "SQLQuery", format!("On {target}: {sql}"), data));
    }
}

/// One node's view; dropped at its end, when its sessions go back.
pub struct Database {
    shared: Arc<Databases>,
    sessions: Mutex<BTreeMap<TargetName, Own>>,
    statements: Mutex<Vec<String>>,
    /// Put on what templates run; true where it stands behind the statement.
    comment: Option<(String, bool)>,
}

struct Own {
    session: Session,
    in_transaction: bool,
}

impl Database {
    pub fn new(shared: Arc<Databases>) -> Self {
        Self { shared, sessions: Mutex::default(), statements: Mutex::default(), comment: None }
    }

    /// With the comment of the one who asks; see `Engine::query_comment`.
    #[must_use]
    pub fn commented(mut self, comment: Option<(String, bool)>) -> Self {
        self.comment = comment;
        self
    }

    /// Sessions of their own, for the same asker.
    pub fn another(&self) -> Self {
        Self::new(self.shared.clone()).commented(self.comment.clone())
    }

    /// What the node's templates ran so far.
    pub fn statements(&self) -> Vec<String> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes how a relation looked when a plan was made from it.
    pub fn seen(&self, target: &TargetName, known: &Known) {
        let column = |c: &ColumnSchema| ColumnFact {
            name: c.name.clone(),
            native: c.native.clone(),
            canonical: c.canonical.map(|c| c.to_string()),
            collation: match c.collation {
                Collation::Binary => "binary",
                Collation::Loose => "loose",
                Collation::Zeros => "zeros",
                Collation::Unknown => "unknown",
            }
            .to_owned(),
            refused: c.refused.clone(),
        };
        self.shared.note(&Fact::Relation(RelationFact {
            profile: self.shared.profile.clone(),
            target: target.to_string(),
            endpoint: self.shared.pool.endpoint(target).unwrap_or_default(),
            database: known.name.database.clone(),
            schema: known.name.schema.clone(),
            identifier: known.name.identifier.clone(),
            rows: known.schema.rows,
            bytes: known.schema.bytes,
            read_at: crate::printer::iso(crate::printer::now()),
            columns: known.schema.columns.iter().map(column).collect(),
        }));
    }

    /// Runs `work` on the node's own session of a target.
    pub fn with_session<T>(
        &self,
        target: &TargetName,
        work: impl FnOnce(&mut Session) -> Result<T, Diagnostic>,
    ) -> Result<T, Diagnostic> {
        if self.shared.cancel.is_cancelled() {
            return Err(Diagnostic::error(Code::Cancelled, "cancelled"));
        }
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if !sessions.contains_key(target) {
            let session = self.shared.pool.take(target)?;
            sessions.insert(target.clone(), Own { session, in_transaction: false });
        }
        let Some(own) = sessions.get_mut(target) else {
            return Err(Diagnostic::error(Code::Internal, "a session was lost"));
        };
        let _watch = self.shared.cancel.watch(own.session.canceller());
        work(&mut own.session)
    }

    fn in_transaction(&self, target: &TargetName) -> bool {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).get(target).is_some_and(|o| o.in_transaction)
    }

    fn set_transaction(&self, target: &TargetName, on: bool) {
        if let Some(own) = self.sessions.lock().unwrap_or_else(PoisonError::into_inner).get_mut(target) {
            own.in_transaction = on;
        }
    }

    /// A statement's error in its product's words.
    fn run<T>(
        &self,
        target: &TargetName,
        sql: &str,
        work: impl FnOnce(&mut Session) -> Result<T, dvt_engine::EngineError>,
    ) -> Result<T, Diagnostic> {
        self.shared.write_log(target, sql.trim());
        self.with_session(target, |session| {
            let adapter = self.shared.pool.adapter(target)?;
            work(session).map_err(|e| explained(Some(adapter.as_ref()), &e, &format!("target `{target}`")))
        })
    }

    fn listed(&self, target: &TargetName, database: Option<&str>, schema: &str) -> Result<Arc<Vec<Known>>, Diagnostic> {
        let inside = self.in_transaction(target);
        let key = (target.clone(), database.map(str::to_owned), schema.to_owned());
        if !inside && let Some(known) = self.shared.cache.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(known.clone());
        }
        let known = Arc::new(self.with_session(target, |session| list(&self.shared.pool, target, database, schema, session))?);
        if !inside {
            self.shared.cache.lock().unwrap_or_else(PoisonError::into_inner).insert(key, known.clone());
        }
        Ok(known)
    }

    /// One relation as it is now, past every cache.
    pub fn fresh(&self, target: &TargetName, names: &[RelationName]) -> Result<Vec<Known>, Diagnostic> {
        self.with_session(target, |session| describe(&self.shared.pool, target, names, session))
    }
}

/// A statement is one target's: what it reads must be there.
fn one_target(target: &TargetName, reads: &[RelationRef]) -> Result<(), Diagnostic> {
    let Some(other) = reads.iter().find(|r| r.target != *target) else { return Ok(()) };
    let message = format!("a statement for target `{target}` reads `{}` of target `{}`", other.name.identifier, other.target);
    Err(Diagnostic::error(Code::SqlRelationUnknown, message).hint("a template's query runs on one target; put the join into a model and read that"))
}

impl Runtime for Database {
    fn execute(&self, target: &TargetName, sql: &str, reads: &[RelationRef], options: Execute) -> Result<QueryResult, Diagnostic> {
        one_target(target, reads)?;
        self.statements.lock().unwrap_or_else(PoisonError::into_inner).push(sql.trim().trim_end_matches(';').to_owned());
        let commented = self.comment.as_ref().map(|(comment, behind)| match behind {
            true => format!("{}\n{comment}", sql.trim().trim_end_matches(';')),
            false => format!("{comment}\n{sql}"),
        });
        let sql = commented.as_deref().unwrap_or(sql);
        if options.fetch {
            let rows = self.run(target, sql, |s| s.query(sql, options.limit))?;
            let (columns, rows) = json_rows(&rows)?;
            let message = format!("SELECT {}", rows.len());
            return Ok(QueryResult { columns, affected: Some(rows.len() as u64), rows, message });
        }
        let done = self.run(target, sql, |s| s.execute(sql))?;
        Ok(QueryResult { affected: done.rows, message: done.tag, ..QueryResult::default() })
    }

    fn federate(&self, node: &Node, query: &Compiled, limit: Option<usize>) -> Result<QueryResult, Diagnostic> {
        let Some(project) = self.shared.project() else {
            return Err(Diagnostic::error(Code::Internal, "a query was asked before the project was known"));
        };
        crate::node::federated_query(project, &self.shared, self, node, query, limit)
    }

    fn begin(&self, target: &TargetName) -> Result<(), Diagnostic> {
        self.run(target, "BEGIN", |s| s.execute("BEGIN"))?;
        self.set_transaction(target, true);
        Ok(())
    }

    fn commit(&self, target: &TargetName) -> Result<(), Diagnostic> {
        self.run(target, "COMMIT", |s| s.execute("COMMIT"))?;
        self.set_transaction(target, false);
        Ok(())
    }

    fn rollback(&self, target: &TargetName) {
        if self.in_transaction(target) {
            // After a failure there may be nothing to roll back any more.
            let _ = self.run(target, "ROLLBACK", |s| s.execute("ROLLBACK"));
            self.set_transaction(target, false);
            self.shared.forget(target);
        }
    }

    fn get_relation(&self, target: &TargetName, name: &RelationName) -> Result<Option<RelationFacts>, Diagnostic> {
        let known = self.listed(target, name.database.as_deref(), name.schema.as_deref().unwrap_or_default())?;
        Ok(meant(&known, name).map(|k| {
            let name = RelationName { identifier: k.name.identifier.clone(), ..name.clone() };
            RelationFacts { name, kind: k.kind.clone() }
        }))
    }

    fn list_relations(&self, target: &TargetName, database: Option<&str>, schema: &str) -> Result<Vec<RelationFacts>, Diagnostic> {
        let known = self.listed(target, database, schema)?;
        let named = |k: &Known| RelationName { database: database.map(str::to_owned).or_else(|| k.name.database.clone()), ..k.name.clone() };
        Ok(known.iter().map(|k| RelationFacts { name: named(k), kind: k.kind.clone() }).collect())
    }

    fn columns(&self, target: &TargetName, name: &RelationName) -> Result<Vec<ColumnFacts>, Diagnostic> {
        let known = self.fresh(target, std::slice::from_ref(name))?;
        let columns = meant(&known, name).map(|k| k.schema.columns.as_slice()).unwrap_or_default();
        Ok(columns.iter().map(|c| ColumnFacts { name: c.name.clone(), data_type: c.native.clone() }).collect())
    }

    fn columns_for(&self, node: &Node, target: &TargetName, name: &RelationName) -> Result<Vec<ColumnFacts>, Diagnostic> {
        let product = |t: &TargetName| self.shared.project().and_then(|p| p.manifest.targets.get(t)).map(|t| t.adapter.as_str().to_owned());
        let own = product(&node.target);
        let dialect = if node.dialect.as_str().is_empty() { own.clone() } else { Some(node.dialect.as_str().to_owned()) };
        if dialect == product(target) || dialect != own {
            return self.columns(target, name);
        }
        let known = self.fresh(target, std::slice::from_ref(name))?;
        let columns = meant(&known, name).map(|k| k.schema.columns.as_slice()).unwrap_or_default();
        let known: Vec<_> = columns.iter().filter_map(|c| c.canonical).collect();
        let mut written = self.shared.pool.adapter(&node.target)?.ddl_types(&known)?.into_iter();
        let mut of = |c: &ColumnSchema| {
            let written = c.canonical.and_then(|_| written.next());
            ColumnFacts { name: c.name.clone(), data_type: written.unwrap_or_else(|| c.native.clone()) }
        };
        Ok(columns.iter().map(&mut of).collect())
    }

    fn describe(&self, target: &TargetName, sql: &str, reads: &[RelationRef]) -> Result<Vec<ColumnFacts>, Diagnostic> {
        one_target(target, reads)?;
        let columns = self.run(target, sql, |s| s.describe(sql))?;
        Ok(columns.into_iter().map(|c| ColumnFacts { name: c.name, data_type: c.native }).collect())
    }

    fn relations_changed(&self, target: &TargetName) {
        self.shared.forget(target);
    }

    fn print(&self, message: &str) {
        if self.shared.prints {
            self.shared.printer.data(Event::new("Z052", "PrintEvent", Level::Info, message, json!({"msg": message})));
        }
    }

    fn warn(&self, message: &str) -> Result<(), Diagnostic> {
        const NAME: &str = "JinjaLogWarning";
        match self.shared.printer.fate(NAME) {
            Fate::Silent => Ok(()),
            Fate::Shown => {
                self.shared.printer.event(Event::new("I061", NAME, Level::Warn, format!("[WARNING]: {message}"), json!({"msg": message})));
                Ok(())
            }
            Fate::Error => Err(Diagnostic::error(Code::CompilerRaised, message).event(NAME).hint("warnings count as errors here (--warn-error, --warn-error-options)")),
        }
    }

    fn log(&self, message: &str, info: bool) {
        let level = if info { Level::Info } else { Level::Debug };
        let (code, name) = if info { ("I062", "JinjaLogInfo") } else { ("I063", "JinjaLogDebug") };
        self.shared.printer.event(Event::new(code, name, level, message, json!({"msg": message})));
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sessions = self.sessions.get_mut().unwrap_or_else(PoisonError::into_inner);
        for own in sessions.values_mut().filter(|o| o.in_transaction) {
            // An error breaks the session, which is then closed instead of kept.
            let _ = own.session.execute("ROLLBACK");
        }
    }
}
