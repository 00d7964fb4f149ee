//! What a template needs a database for, as values.
//!
//! The host implements [`Runtime`] over live connections; the browser and the component give recorded answers or
//! none, and then `execute` is false. Not here: SQL of any product.

use crate::compiled::Compiled;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_project::{Node, RelationName, RelationRef, TargetName};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How a statement is run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Execute {
    /// Whether rows are wanted.
    pub fetch: bool,
    /// At most this many rows.
    pub limit: Option<usize>,
}

/// What a statement gave.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct QueryResult {
    /// Name and native type of each column.
    pub columns: Vec<(String, String)>,
    /// Decimals, dates and times as text, the way the database prints them.
    pub rows: Vec<Vec<Value>>,
    pub affected: Option<u64>,
    /// The adapter's status line, such as `SELECT 1`.
    pub message: String,
}

/// What the database says of a relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelationFacts {
    pub name: RelationName,
    /// `table`, `view`, …
    pub kind: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnFacts {
    pub name: String,
    /// As the product writes it, with its arguments: `numeric(10,2)`.
    pub data_type: String,
}

/// The databases, as a template sees them. One value per node that runs: it owns the node's connections.
pub trait Runtime: Send + Sync {
    /// Runs one or several statements on a target; `reads` are the relations whose names the text shows.
    fn execute(&self, target: &TargetName, sql: &str, reads: &[RelationRef], options: Execute) -> Result<QueryResult, Diagnostic>;
    /// Runs a query that reads relations of other targets than the node's, with the meaning of the node's dialect.
    fn federate(&self, node: &Node, query: &Compiled, _limit: Option<usize>) -> Result<QueryResult, Diagnostic> {
        let other = query.relations.iter().find(|u| u.relation.target != node.target);
        let what = other.map_or_else(String::new, |u| format!(" `{}` of target `{}`", u.relation.name.identifier, u.relation.target));
        Err(Diagnostic::error(Code::NeedsDatabase, format!("a query of the template reads{what}, and no compute is there to run it")))
    }
    fn begin(&self, target: &TargetName) -> Result<(), Diagnostic>;
    fn commit(&self, target: &TargetName) -> Result<(), Diagnostic>;
    fn rollback(&self, target: &TargetName);
    /// None when nothing of that name exists.
    fn get_relation(&self, target: &TargetName, name: &RelationName) -> Result<Option<RelationFacts>, Diagnostic>;
    fn list_relations(&self, target: &TargetName, database: Option<&str>, schema: &str) -> Result<Vec<RelationFacts>, Diagnostic>;
    /// In the order of the table; empty when it does not exist.
    fn columns(&self, target: &TargetName, name: &RelationName) -> Result<Vec<ColumnFacts>, Diagnostic>;
    /// The columns of another target's relation, their types as the text of `node` writes them; a type that has no
    /// name there keeps its own.
    fn columns_for(&self, _node: &Node, target: &TargetName, name: &RelationName) -> Result<Vec<ColumnFacts>, Diagnostic> {
        self.columns(target, name)
    }
    /// Names and types of a query's columns, which is not run; a type that the product does not tell is empty.
    fn describe(&self, target: &TargetName, _sql: &str, _reads: &[RelationRef]) -> Result<Vec<ColumnFacts>, Diagnostic> {
        Err(Diagnostic::error(dvt_diagnostic::Code::NeedsDatabase, format!("the columns of a query are not known without target `{target}`")))
    }
    /// Whatever is known of the target's relations may have changed.
    fn relations_changed(&self, target: &TargetName);
    fn log(&self, message: &str, info: bool);
    /// What `exceptions.warn` says; an error where warnings count as errors.
    fn warn(&self, message: &str) -> Result<(), Diagnostic> {
        self.log(&format!("[WARNING]: {message}"), true);
        Ok(())
    }
    /// What `print()` says.
    fn print(&self, message: &str) {
        self.log(message, true);
    }
}
