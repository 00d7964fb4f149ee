//! What rendering a node gives.

use crate::relation::unmark;
use crate::scope::Scope;
use dvt_project::{RelationName, RelationRef, UniqueId};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The SQL of a node and where it names relations.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Compiled {
    /// Clean text; ephemeral parents stand in it as `__dbt__cte__<name>`.
    pub sql: String,
    pub relations: Vec<RelationUse>,
    /// The ephemeral parents inlined, in order.
    pub extra_ctes: Vec<(UniqueId, String)>,
    /// Whether `is_incremental()` held.
    pub is_incremental: bool,
}

impl Compiled {
    /// Text of a template as a query: without marks, and where its relations stand.
    pub(crate) fn of(scope: &Scope, text: &str) -> Self {
        let marks = scope.marks.as_ref().map(|m| m.all()).unwrap_or_default();
        let (sql, found) = unmark(text, &marks);
        let mut relations: Vec<RelationUse> = Vec::new();
        for (number, range) in found {
            let mark = &marks[number];
            match relations.iter_mut().find(|u| u.relation == mark.relation && u.rendered == mark.rendered) {
                Some(used) => used.at.push(range),
                None => relations.push(RelationUse { relation: mark.relation.clone(), unique_id: mark.unique_id.clone(), rendered: mark.rendered.clone(), at: vec![range] }),
            }
        }
        Self { sql, relations, ..Self::default() }
    }
}

/// A relation as the text shows it: `rendered` stands in `sql` at each byte range of `at`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelationUse {
    pub relation: RelationRef,
    /// The node or source it is; None when the template made it (`api.Relation.create`).
    pub unique_id: Option<UniqueId>,
    pub rendered: String,
    pub at: Vec<Range<usize>>,
}

/// What a materialization puts in the node's place.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// Reads the rows.
    pub sql: &'a str,
    /// The table that already holds the rows of a federated node; `sql` then selects from it.
    pub staged: Option<&'a RelationName>,
    /// They are an increment ([`Compiled::is_incremental`]) and must never stand for the whole.
    pub part: bool,
}

/// What a materialization did.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Materialized {
    /// The status line of the main statement.
    pub message: String,
    pub rows_affected: Option<u64>,
    pub relations: Vec<RelationRef>,
}

/// A test's counting query and how its answer is judged.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TestQuery {
    /// One row: `failures`, `should_warn`, `should_error`.
    pub compiled: Compiled,
    /// `error` or `warn`.
    pub severity: String,
    pub warn_if: String,
    pub error_if: String,
}
