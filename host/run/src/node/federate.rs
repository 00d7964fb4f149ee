//! A federated node: planned against what its sources look like now, computed, landed, materialized from staging.

use super::{Done, Runner};
use crate::cluster;
use crate::database::{Database, Databases};
use crate::introspect::meant;
use crate::project::Project;
use crate::types::PluginTypes;
use arrow::array::RecordBatch;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_engine::Connection;
use dvt_federation::{Budget, Context, Estimates, Landed, Landing, Leftover, Movement, Outer, ResultColumn, ResultSink, Sharing, drop_table, land, staging_name};
use dvt_jinja::{Compiled, Engine, Materialized, Rows};
use dvt_planner::catalog::Catalog;
use dvt_planner::ir::{FederatedPlan, Sink};
use dvt_planner::{PlanRequest, RelationUse};
use dvt_project::{DialectName, ExecutionPath, Node, RelationName, RelationRef, TargetName, UniqueId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A plan and the catalog it was made from.
pub struct Planned {
    pub plan: FederatedPlan,
    pub catalog: Catalog,
}

/// Plans a node against live introspection. Relations that do not exist are left to the planner to name.
pub fn plan_node(project: &Project, node: &Node, compiled: &Compiled, database: &Database) -> Result<Planned, Diagnostic> {
    let relations: Vec<RelationUse> =
        compiled.relations.iter().map(|u| RelationUse { relation: u.relation.clone(), at: u.at.clone() }).collect();
    let catalog = catalog(database, relations.iter().map(|u| &u.relation))?;
    let sink = Sink {
        target: node.target.clone(),
        relation: node.relation.clone().unwrap_or_default(),
        materialized: match node.materialized() {
            "view" => "table".to_owned(),
            other => other.to_owned(),
        },
    };
    let compute_dialect = DialectName::new(project.compute_plan(&node.compute)?.dialect);
    let target_dialect = |target: &TargetName| project.dialect_of(target);
    let request = PlanRequest {
        unique_id: &node.unique_id,
        sql: &compiled.sql,
        relations: &relations,
        dialect: &node.dialect,
        compute: &node.compute,
        compute_dialect: &compute_dialect,
        target_dialect: &target_dialect,
        sheets: project.sheets(),
        catalog: &catalog,
        sink,
        no_pushdown: project.settings.no_pushdown,
    };
    let reads = dvt_planner::scalar::find(&request);
    let plan = if reads.is_empty() {
        dvt_planner::plan(&request)?
    } else {
        let literals = super::watermark::literals(&reads, database).map_err(|d| d.about(node.unique_id.as_str()))?;
        let (sql, relations) = dvt_planner::scalar::substitute(&compiled.sql, &relations, &reads, &literals);
        dvt_planner::plan(&PlanRequest { sql: &sql, relations: &relations, ..request })?
    };
    Ok(Planned { plan, catalog })
}

/// The relations as their databases describe them now.
fn catalog<'a>(database: &Database, relations: impl Iterator<Item = &'a RelationRef>) -> Result<Catalog, Diagnostic> {
    let mut by_target: BTreeMap<&TargetName, BTreeSet<&RelationName>> = BTreeMap::new();
    for relation in relations {
        by_target.entry(&relation.target).or_default().insert(&relation.name);
    }
    let mut catalog = Catalog::default();
    for (target, names) in by_target {
        let names: Vec<RelationName> = names.into_iter().cloned().collect();
        let known = database.fresh(target, &names)?;
        for name in names {
            if let Some(found) = meant(&known, &name) {
                database.seen(target, found);
                catalog.insert(RelationRef { target: target.clone(), name }, found.schema.clone());
            }
        }
    }
    Ok(catalog)
}

/// Computes, lands and materializes.
pub(super) fn build(
    runner: &Runner,
    engine: &Engine,
    node: &Node,
    compiled: &Compiled,
    database: &Arc<Database>,
    done: &mut Done,
) -> Result<Materialized, Diagnostic> {
    let project = &runner.project;
    let Some(relation) = &node.relation else {
        return Err(Diagnostic::error(Code::Internal, format!("`{}` has no relation to land in", node.name)));
    };
    let planned = plan_node(project, node, compiled, database)?;
    done.plan = Some(planned.plan.clone());
    runner.artifacts.planned(&planned.plan);
    let sheet = project.sheet_of(&node.target)?;
    let staging = staging_name(relation, project.invocation(), sheet.name_limit);
    let declared = declared(node);
    let landing = Landing { target: &node.target, staging: &staging, sheet, declared: &declared };
    stage(runner, engine, node, &staging, database, compiled.is_incremental, || {
        let landed = execute(runner, node, &planned.plan, &landing, database)?;
        done.rows = Some(landed.rows);
        done.movements.clone_from(&landed.movements);
        let columns: Vec<String> = landed.columns.iter().map(|c| sheet.quote(&c.name)).collect();
        Ok(Filled::Ready(format!("select {} from {}", columns.join(", "), sheet.render(&staging))))
    })
}

/// What stands in a staging table, with the SQL that reads it.
pub(super) enum Filled {
    /// The node's rows as they are: the table itself may be published.
    Ready(String),
    /// What the node's rows are made from by the SQL.
    Raw(String),
}

/// Puts rows into `staging` by `fill`, which gives the SQL that reads them, then runs the materialization.
/// The staging table is gone afterwards, whatever happened. `part` as in [`Rows`].
pub(super) fn stage(
    runner: &Runner,
    engine: &Engine,
    node: &Node,
    staging: &RelationName,
    database: &Arc<Database>,
    part: bool,
    fill: impl FnOnce() -> Result<Filled, Diagnostic>,
) -> Result<Materialized, Diagnostic> {
    let leftover = Leftover {
        target: node.target.clone(),
        endpoint: runner.databases.pool.endpoint(&node.target)?,
        relation: staging.clone(),
    };
    let noted = |outcome: std::io::Result<()>| {
        outcome.map_err(|e| Diagnostic::error(Code::Artifact, format!("the journal of staging tables cannot be written: {e}")))
    };
    if let Some(journal) = &runner.journal {
        noted(journal.created(&leftover))?;
    }
    let built = fill().and_then(|filled| {
        let rows = match &filled {
            Filled::Ready(sql) => Rows { sql, staged: Some(staging), part },
            Filled::Raw(sql) => Rows { sql, staged: None, part },
        };
        engine.materialize(&node.unique_id, rows, database.clone())
    });
    // Published by renaming, or copied from: either way the name must be gone.
    let sheet = runner.project.sheet_of(&node.target)?;
    let dropped = runner.databases.pool.take(&node.target).and_then(|mut session| {
        session.execute(&drop_table(sheet, staging)).map_err(|e| Diagnostic::error(Code::DatabaseError, e.message))
    });
    if dropped.is_ok()
        && let Some(journal) = &runner.journal
    {
        noted(journal.removed(&leftover))?;
    }
    built
}

fn execute(runner: &Runner, node: &Node, plan: &FederatedPlan, landing: &Landing<'_>, database: &Database) -> Result<Landed, Diagnostic> {
    let project = &runner.project;
    let _reads = runner.databases.pool.reserve(reads(plan));
    let settings = project.compute_settings(&plan.compute)?;
    let types = PluginTypes { project, pool: &runner.databases.pool };
    let meter = runner.progress.node(&node.name);
    let outer = cluster::engine(project, &runner.databases, &plan.compute, &node.name)?;
    let context = Context {
        sources: &runner.databases.pool,
        settings: &settings,
        types: Some(&types),
        progress: &meter,
        cancel: &runner.databases.cancel,
        outer: outer.as_ref().map(|o| o as &dyn Outer),
        budget: budget(project, Some(node))?,
        estimates: Estimates::WhereNeeded,
        history: Some(runner.databases.as_ref()),
        sharing: Some(Sharing { reads: &runner.reads, node: &node.unique_id, target: &node.target }),
    };
    let landed = database.with_session(&node.target, |session| land(plan, context, landing, session))?;
    context.budget.kept(&landed.movements)?;
    Ok(landed)
}

/// Sessions a plan reads with, per target.
pub(crate) fn reads(plan: &FederatedPlan) -> BTreeMap<TargetName, u32> {
    let mut out = BTreeMap::new();
    for source in plan.scans.iter().map(|s| &s.source).chain(plan.delegates.iter().map(|d| &d.source)) {
        *out.entry(source.clone()).or_default() += 1;
    }
    out
}

/// Rows of a small result.
#[derive(Default)]
pub(crate) struct Collected {
    pub columns: Vec<String>,
    pub batches: Vec<RecordBatch>,
    pub limit: Option<usize>,
    pub movements: Vec<Movement>,
}

impl ResultSink for Collected {
    fn columns(&mut self, columns: Vec<ResultColumn>) -> Result<(), dvt_engine::Stop> {
        self.columns = columns.into_iter().map(|c| c.name).collect();
        Ok(())
    }
    fn push(&mut self, batch: RecordBatch) -> Result<(), dvt_engine::Stop> {
        let have: usize = self.batches.iter().map(RecordBatch::num_rows).sum();
        let room = self.limit.map_or(usize::MAX, |l| l.saturating_sub(have));
        let rows = batch.num_rows().min(room);
        self.batches.push(batch.slice(0, rows));
        if rows < room || self.limit.is_none() { Ok(()) } else { Err(dvt_engine::Stop) }
    }
}

/// Which federated nodes read what, through ephemeral models. Not those that run statements of their own first.
pub(super) fn readers(project: &Project, nodes: &[UniqueId]) -> Vec<(UniqueId, TargetName, RelationName)> {
    let manifest = &project.manifest;
    let hooked = |node: &Node| node.config.get("pre-hook").and_then(serde_json::Value::as_array).is_some_and(|hooks| !hooks.is_empty());
    let mut out = Vec::new();
    for node in nodes.iter().filter_map(|id| manifest.nodes.get(id)).filter(|n| n.execution == ExecutionPath::Federation && !hooked(n)) {
        let mut open = project.graph.parents(&node.unique_id);
        let mut seen = BTreeSet::new();
        while let Some(parent) = open.pop().filter(|p| seen.insert((*p).clone())) {
            match (manifest.sources.get(parent), manifest.nodes.get(parent)) {
                (Some(source), _) => out.push((node.unique_id.clone(), source.connection.clone(), source.relation.clone())),
                (None, Some(parent)) if parent.is_ephemeral() => open.extend(project.graph.parents(&parent.unique_id)),
                (None, Some(parent)) => out.extend(parent.relation.clone().map(|r| (node.unique_id.clone(), parent.target.clone(), r))),
                (None, None) => {}
            }
        }
    }
    out
}

/// Runs a plan whose result is small: a test's count, a preview.
pub(crate) fn collect(project: &Project, databases: &Databases, plan: &FederatedPlan, limit: Option<usize>, sharing: Option<Sharing<'_>>) -> Result<Collected, Diagnostic> {
    let _reads = databases.pool.reserve(reads(plan));
    let settings = project.compute_settings(&plan.compute)?;
    let types = PluginTypes { project, pool: &databases.pool };
    let outer = cluster::engine(project, databases, &plan.compute, plan.unique_id.as_str())?;
    let context = Context {
        sources: &databases.pool,
        settings: &settings,
        types: Some(&types),
        progress: &dvt_federation::Silent,
        cancel: &databases.cancel,
        outer: outer.as_ref().map(|o| o as &dyn Outer),
        budget: budget(project, None)?,
        estimates: Estimates::WhereNeeded,
        history: Some(databases),
        sharing,
    };
    let mut sink = Collected { limit, ..Collected::default() };
    sink.movements = dvt_federation::run(plan, context, &mut sink)?.movements;
    Ok(sink)
}

/// What a node may move: its configs, else the run's options.
pub(super) fn budget(project: &Project, node: Option<&Node>) -> Result<Budget, Diagnostic> {
    let limit = |key: &str| {
        let said = node.and_then(|n| n.config.get(key)).or_else(|| project.settings.flags.get(key)).filter(|v| !v.is_null());
        let Some(value) = said else { return Ok(None) };
        let number = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
        number.map(Some).ok_or_else(|| {
            let of = node.map(|n| format!(" of `{}`", n.name)).unwrap_or_default();
            Diagnostic::error(Code::ConfigInvalid, format!("`{key}`{of} is {value}")).hint("say it as a whole number, such as 1000000")
        })
    };
    Ok(Budget { rows: limit("max_rows_extracted")?, bytes: limit("max_bytes_moved")? })
}

/// Column types that an enforced contract gives.
fn declared(node: &Node) -> BTreeMap<String, String> {
    let enforced = node.config.get("contract").and_then(|c| c.get("enforced")).and_then(serde_json::Value::as_bool).unwrap_or(false);
    let columns = node.columns.values().filter(|_| enforced);
    columns.filter_map(|c| Some((c.name.clone(), c.data_type.clone()?))).collect()
}
