//! The planner as a component: JSON to values and back, nothing else.

use dvt_diagnostic::{Code, Diagnostic};
use dvt_jinja::{Parsed, parse};
use dvt_planner::catalog::{Catalog, RelationSchema};
use dvt_planner::dialect::Sheets;
use dvt_planner::ir::Sink;
use dvt_planner::{PlanRequest, RelationUse, plan};
use dvt_project::{ComputeName, DialectName, ProjectInput, RelationRef, TargetName, UniqueId};
use exports::dvt::planner::planner::{Guest, GuestProject, Project};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

wit_bindgen::generate!({ path: "wit", world: "planner-component" });

struct Planner;

struct Opened(Parsed);

#[derive(Deserialize)]
struct Used {
    relation: RelationRef,
    at: Vec<Range<usize>>,
}

#[derive(Deserialize)]
struct Known {
    relation: RelationRef,
    schema: RelationSchema,
}

#[derive(Deserialize)]
struct Request {
    unique_id: UniqueId,
    sql: String,
    relations: Vec<Used>,
    dialect: DialectName,
    compute: ComputeName,
    compute_dialect: DialectName,
    target_dialects: BTreeMap<TargetName, DialectName>,
    sheets: Vec<String>,
    catalog: Vec<Known>,
    sink: Sink,
    #[serde(default)]
    no_pushdown: bool,
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|e| format!("\"{e}\""))
}

fn unreadable(e: &serde_json::Error) -> Diagnostic {
    Diagnostic::error(Code::Usage, format!("the input is not what the contract asks for: {e}"))
}

impl Guest for Planner {
    type Project = Opened;

    fn plan(request: String) -> Result<String, String> {
        let request: Request = serde_json::from_str(&request).map_err(|e| json(&unreadable(&e)))?;
        let mut sheets = Sheets::default();
        for text in &request.sheets {
            sheets.add(text).map_err(|e| json(&e))?;
        }
        let mut catalog = Catalog::default();
        for known in request.catalog {
            catalog.insert(known.relation, known.schema);
        }
        let relations: Vec<RelationUse> = request.relations.into_iter().map(|u| RelationUse { relation: u.relation, at: u.at }).collect();
        let planned = plan(&PlanRequest {
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
}

impl GuestProject for Opened {
    fn open(input: String) -> Result<Project, String> {
        let input: ProjectInput = serde_json::from_str(&input).map_err(|e| json(&[unreadable(&e)]))?;
        parse(&input).map(|parsed| Project::new(Self(parsed))).map_err(|e| json(&e))
    }
    fn manifest(&self) -> String {
        json(self.0.manifest.as_ref())
    }
    fn warnings(&self) -> String {
        json(&self.0.warnings)
    }
    fn compile(&self, unique_id: String) -> Result<String, String> {
        self.0.engine.compile(&UniqueId::new(unique_id), None).map(|c| json(&c)).map_err(|e| json(&e))
    }
}

export!(Planner);
