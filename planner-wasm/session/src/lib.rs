//! The planner's face to other hosts: text in, text out, the same words whoever asks.
//!
//! The component and the browser module only carry strings to and from here, so that they cannot differ. Shapes are
//! those of `component/wit/planner.wit`. Not here: any decision about a query, which is the planner's.

mod explain;
mod origin;
mod question;

pub use explain::explain;

use dvt_diagnostic::{Code, Diagnostic};
use dvt_jinja::{Parsed, parse};
use dvt_planner::catalog::Catalog;
use dvt_planner::dialect::Sheets;
use dvt_planner::{PlanRequest, RelationUse};
use dvt_project::{ProjectInput, UniqueId};
use question::Request;
use serde::Serialize;

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|e| format!("\"{e}\""))
}

fn unreadable(e: &serde_json::Error) -> Diagnostic {
    Diagnostic::error(Code::Usage, format!("the input is not what the contract asks for: {e}"))
}

/// A parsed project; `execute` is false in its templates.
pub struct Project(Parsed);

impl Project {
    /// # Errors
    /// A JSON array of diagnostics.
    pub fn open(input: &str) -> Result<Self, String> {
        let input: ProjectInput = serde_json::from_str(input).map_err(|e| json(&[unreadable(&e)]))?;
        parse(&input).map(Self).map_err(|e| json(&e))
    }
    pub fn manifest(&self) -> String {
        json(self.0.manifest.as_ref())
    }
    /// A JSON array of diagnostics.
    pub fn warnings(&self) -> String {
        json(&self.0.warnings)
    }
    /// # Errors
    /// One diagnostic as JSON.
    pub fn compile(&self, unique_id: &str) -> Result<String, String> {
        self.0.engine.compile(&UniqueId::new(unique_id), None).map(|c| json(&c)).map_err(|e| json(&e))
    }
}

/// Plans one federated query.
///
/// # Errors
/// One diagnostic as JSON.
pub fn plan(request: &str) -> Result<String, String> {
    let request: Request = serde_json::from_str(request).map_err(|e| json(&unreadable(&e)))?;
    let mut sheets = Sheets::default();
    for text in &request.sheets {
        sheets.add(text).map_err(|e| json(&e))?;
    }
    let mut catalog = Catalog::default();
    for known in request.catalog {
        catalog.insert(known.relation, known.schema);
    }
    let relations: Vec<RelationUse> = request.relations.into_iter().map(|u| RelationUse { relation: u.relation, at: u.at }).collect();
    let planned = dvt_planner::plan(&PlanRequest {
        unique_id: &request.unique_id,
        sql: &request.sql,
        relations: &relations,
        dialect: &request.dialect,
        compute: &request.compute,
        compute_dialect: &request.compute_dialect,
        target_dialect: &|target| request.target_dialects.get(target).cloned(),
        sheets: &sheets,
        catalog: &catalog,
        sink: request.sink,
        no_pushdown: request.no_pushdown,
    });
    planned.map(|p| json(&p)).map_err(|e| json(&e))
}
