//! A template's own query over relations of several targets (SPEC T11): planned and computed like a preview.

use super::federate::{collect, plan_node};
use crate::database::{Database, Databases};
use crate::project::Project;
use crate::values::value;
use dvt_diagnostic::Diagnostic;
use dvt_jinja::{Compiled, QueryResult};
use dvt_project::{ExecutionPath, Node};
use std::sync::Arc;

/// The rows of `query`, which means what it says in the node's dialect.
///
/// # Errors
/// What a federated model of that text would meet: DVT003 where its meaning cannot be kept, missing relations, a
/// source that cannot be read.
pub(crate) fn federated_query(
    project: &Arc<Project>,
    databases: &Databases,
    database: &Database,
    node: &Node,
    query: &Compiled,
    limit: Option<usize>,
) -> Result<QueryResult, Diagnostic> {
    let mut asking = Node { execution: ExecutionPath::Federation, ..node.clone() };
    if asking.dialect.as_str().is_empty() {
        asking.dialect = project.dialect_of(&node.target).unwrap_or_default();
    }
    let planned = plan_node(project, &asking, query, database)?;
    let collected = collect(project, databases, &planned.plan, limit, None)?;
    let types: Vec<String> = collected.batches.first().map_or_else(
        || vec!["text".to_owned(); collected.columns.len()],
        |b| {
            let name = |f: &Arc<arrow::datatypes::Field>| dvt_federation::canonical_type(f.data_type()).map_or_else(|| f.data_type().to_string(), |c| c.to_string());
            b.schema().fields().iter().map(name).collect()
        },
    );
    let rows: Vec<Vec<serde_json::Value>> =
        collected.batches.iter().flat_map(|b| (0..b.num_rows()).map(|r| b.columns().iter().map(|c| value(c, r)).collect())).collect();
    let message = format!("SELECT {}", rows.len());
    Ok(QueryResult { columns: collected.columns.into_iter().zip(types).collect(), affected: Some(rows.len() as u64), rows, message })
}
