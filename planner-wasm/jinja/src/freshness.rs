//! How fresh a source is, by the macros that dbt asks: the project's own or the built-in ones.
//!
//! Not here: what age is allowed.

use crate::engine::{Engine, operation};
use crate::runtime::Runtime;
use crate::scope::Phase;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_project::SourceTable;
use minijinja::Value;
use std::sync::Arc;

/// By what a source tells when its newest row was loaded.
#[derive(Debug, Clone, Copy)]
pub enum LoadedAt<'a> {
    /// An expression over its columns, and which rows count.
    Column { name: &'a str, filter: Option<&'a str> },
    Query(&'a str),
}

impl Engine {
    /// Asks a source for its newest row's time and the time now, as the texts of both; None for no row, or no time.
    ///
    /// The project's own `collect_freshness` and `collect_freshness_custom_sql` count before the built-in ones.
    pub fn collect_freshness(&self, source: &SourceTable, loaded: &LoadedAt<'_>, runtime: Arc<dyn Runtime>) -> Result<[Option<String>; 2], Diagnostic> {
        let manifest = &self.shared.manifest;
        let node = operation(manifest, "freshness", &manifest.project_name, &source.connection);
        let target = node.target.clone();
        let scope = self.scope(Arc::new(node), Phase::Run, Some(runtime));
        let quoting = Some(&source.quoting).filter(|q| !q.is_empty());
        let relation = Value::from_object(scope.relation(&target, source.relation.clone(), Some(source.unique_id.clone()), quoting));
        let (name, arguments) = match loaded {
            LoadedAt::Column { name, filter } => {
                let filter = filter.map_or_else(|| Value::from(()), Value::from);
                ("collect_freshness", vec![("source", relation), ("loaded_at_field", Value::from(*name)), ("filter", filter)])
            }
            LoadedAt::Query(query) => ("collect_freshness_custom_sql", vec![("source", relation), ("loaded_at_query", Value::from(*query))]),
        };
        let named: minijinja::value::Kwargs = arguments.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        let out = self.call(&scope, name, &[Value::from(named)]).and_then(|v| scope.commit(&target).map(|()| v));
        scope.rollback_all();
        let out = out?;
        // The macro gives a statement's result, or the table alone as in older projects.
        let table = out.get_attr("table").ok().filter(|t| !t.is_undefined()).unwrap_or(out);
        let rows: Vec<Value> = table.try_iter().map(Iterator::collect).unwrap_or_default();
        let row: Vec<Value> = rows.first().and_then(|r| r.try_iter().ok()).map(Iterator::collect).unwrap_or_default();
        if rows.len() != 1 || row.len() != 2 {
            let text = format!("`{name}` gave {} rows of {} columns, not the newest row's time and the time now", rows.len(), row.len());
            return Err(Diagnostic::error(Code::CompilerRaised, text));
        }
        Ok([0, 1].map(|i| Some(&row[i]).filter(|v| !v.is_none() && !v.is_undefined()).map(|v| crate::relation::clean(&v.to_string()))))
    }
}
