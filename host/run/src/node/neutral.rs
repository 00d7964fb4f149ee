//! Built-in tests across targets of several dialects: whether their text means the same in the compute's.
//!
//! The text of a built-in generic test is ours, not the user's: joins, `is null`, `=` and `count(*)`. It means the
//! same in every dialect as long as the compared columns do:
//! 1. only built-in macros made the text, and no `where` of the user is in it;
//! 2. both dialects quote identifiers alike, so the text is read alike;
//! 3. the compared columns are truth values, whole numbers, decimals, dates, timestamps, or text that its source
//!    compares by bytes.
//!
//! Anything else keeps its dialect, and planning refuses it where the compute does not speak that.

use crate::database::Database;
use crate::introspect::meant;
use crate::project::Project;
use dvt_diagnostic::Diagnostic;
use dvt_jinja::Compiled;
use dvt_planner::catalog::{Collation, ColumnSchema};
use dvt_planner::types::Family;
use dvt_project::{DialectName, Node};
use serde_json::Value;

/// The node as if written in the compute's dialect; None where that may mean something else.
pub(super) fn in_compute_dialect(project: &Project, node: &Node, compiled: &Compiled, database: &Database) -> Result<Option<Node>, Diagnostic> {
    let dialect = DialectName::new(project.compute_plan(&node.compute)?.dialect);
    let Some(test) = node.test.as_ref().filter(|t| t.generic.is_some()) else { return Ok(None) };
    let built_in = !node.depends_on.macros.is_empty() && node.depends_on.macros.iter().all(|m| m.starts_with("macro.dbt."));
    let filtered = node.config.get("where").is_some_and(|w| !w.is_null());
    if !built_in || filtered || project.sheets().get(&dialect)?.quote != project.sheets().get(&node.dialect)?.quote {
        return Ok(None);
    }
    let named = |column: &ColumnSchema| {
        let field = test.kwargs.get("field").and_then(Value::as_str);
        test.column.as_deref().into_iter().chain(field).any(|n| n.trim_matches('"').eq_ignore_ascii_case(&column.name))
    };
    for used in &compiled.relations {
        let known = database.fresh(&used.relation.target, std::slice::from_ref(&used.relation.name))?;
        let Some(relation) = meant(&known, &used.relation.name) else { return Ok(None) };
        for column in relation.schema.columns.iter().filter(|c| named(c)) {
            let alike = match column.canonical.map(dvt_planner::types::CanonicalType::family) {
                Some(Family::Bool | Family::Integer | Family::Decimal | Family::Date | Family::Timestamp) => true,
                Some(Family::Text) => column.collation == Collation::Binary,
                Some(Family::Float | Family::Other) | None => false,
            };
            if !alike {
                return Ok(None);
            }
        }
    }
    Ok(Some(Node { dialect, ..node.clone() }))
}
