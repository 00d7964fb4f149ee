//! Built-in tests across targets of several dialects: whether their text means the same in the compute's.
//!
//! The text of a built-in generic test is ours, not the user's: joins, `is null`, `=` and `count(*)`. Parsing reads
//! it in the compute's dialect where it federates. That means the same as on its own target as long as
//! 1. no `where` of the user is in it, which is meant in the target's dialect;
//! 2. the compared columns are truth values, whole numbers, decimals, dates, timestamps, or text that its source
//!    compares by bytes.
//!
//! Anything else is refused unless the test says `config(dialect=…)` itself.

use crate::database::Database;
use crate::introspect::meant;
use crate::project::Project;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_jinja::Compiled;
use dvt_planner::catalog::{Collation, ColumnSchema};
use dvt_planner::types::{CanonicalType, Family};
use dvt_project::Node;
use serde_json::Value;

/// # Errors
/// `DVT003` for a test whose answer could differ from its own target's.
pub(super) fn check(project: &Project, node: &Node, compiled: &Compiled, database: &Database) -> Result<(), Diagnostic> {
    let Some(test) = node.test.as_ref().filter(|t| t.generic.is_some()) else { return Ok(()) };
    let own = project.dialect_of(&node.target);
    if node.config_str("dialect").is_some() || own.as_ref() == Some(&node.dialect) {
        return Ok(());
    }
    let refuse = |why: String| {
        let own = own.clone().unwrap_or_default();
        Diagnostic::error(Code::NotTranslatable, format!("test `{}` runs in the dialect `{}`: {why}", node.name, node.dialect))
            .hint(format!("its target speaks `{own}`; say config(dialect='{}') in the test if it is meant so", node.dialect))
    };
    if node.config.get("where").is_some_and(|w| !w.is_null()) {
        return Err(refuse("its `where` is meant in its target's dialect".to_owned()));
    }
    let named = |column: &ColumnSchema| {
        let field = test.kwargs.get("field").and_then(Value::as_str);
        test.column.as_deref().into_iter().chain(field).any(|n| n.trim_matches('"').eq_ignore_ascii_case(&column.name))
    };
    for used in &compiled.relations {
        let known = database.fresh(&used.relation.target, std::slice::from_ref(&used.relation.name))?;
        // A relation that does not exist is the planner's to name.
        let Some(relation) = meant(&known, &used.relation.name) else { continue };
        for column in relation.schema.columns.iter().filter(|c| named(c)) {
            let alike = match column.canonical.map(CanonicalType::family) {
                Some(Family::Bool | Family::Integer | Family::Decimal | Family::Date | Family::Timestamp) => true,
                Some(Family::Text) => column.collation == Collation::Binary,
                Some(Family::Float | Family::Other) => false,
                // Refused by the planner, with the reason.
                None => true,
            };
            if !alike {
                let what = format!("`{}` of target `{}`", used.relation.name.identifier, used.relation.target);
                return Err(refuse(format!("column `{}` ({}) of {what} may compare otherwise there", column.name, column.native)));
            }
        }
    }
    Ok(())
}
