//! What one run of a node adds to its templates: a batch of time, fixtures of a unit test.
//!
//! Also which rows `ref` and `source` read of a relation: none (`--empty`), or a span of time (a batch, `--sample`).

use crate::macros;
use crate::relation::Wrap;
use crate::scope::{Phase, Scope};
use crate::unit::UnitOverlay;
use dvt_project::ResourceType;
use minijinja::{Error, Value};
use serde_json::{Map, Value as Json};
use std::sync::Arc;

#[derive(Debug, Clone, Default)]
pub struct Overlay {
    pub batch: Option<Batch>,
    pub unit: Option<Arc<UnitOverlay>>,
}

/// One span of time of a microbatch model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// dbt's: the start in digits, such as `20240131`.
    pub id: String,
    /// ISO 8601, UTC, microseconds, `Z`; the end is not part of it.
    pub start: String,
    pub end: String,
    /// The first one runs the hooks before, the last one those after.
    pub first: bool,
    pub last: bool,
}

impl Batch {
    /// `model.batch`.
    pub fn value(&self) -> Value {
        let at = crate::python::instant;
        Value::from_object(crate::python::PyDict::new([
            (Value::from("id"), Value::from(self.id.as_str())),
            (Value::from("event_time_start"), at(&self.start)),
            (Value::from("event_time_end"), at(&self.end)),
        ]))
    }
}

/// The rows of a relation with this config that the node's text reads; None for all.
pub fn wrap(scope: &Arc<Scope>, config: &Map<String, Json>) -> Result<Option<Wrap>, Error> {
    let flags = &scope.shared.input.invocation.flags;
    if scope.phase != Phase::Compile {
        return Ok(None);
    }
    if flags.get("empty").and_then(Json::as_bool) == Some(true) {
        return Ok(Some(Wrap::Empty));
    }
    let Some(field) = config.get("event_time").and_then(Json::as_str) else { return Ok(None) };
    if !matches!(scope.node.resource_type, ResourceType::Model | ResourceType::Snapshot) {
        return Ok(None);
    }
    let sample = flags.get("sample").and_then(Json::as_object);
    let of = |key: &str| sample.and_then(|s| s.get(key)).and_then(Json::as_str).map(str::to_owned);
    let (start, end) = match &scope.overlay.batch {
        Some(batch) => (Some(batch.start.clone()), Some(batch.end.clone())),
        None => (of("start"), of("end")),
    };
    if start.is_none() && end.is_none() {
        return Ok(None);
    }
    Ok(Some(Wrap::Window { field: field.to_owned(), start: literal(scope, start)?, end: literal(scope, end)? }))
}

/// As the adapter writes a moment that is compared with a column.
fn literal(scope: &Arc<Scope>, at: Option<String>) -> Result<Option<String>, Error> {
    let Some(at) = at else { return Ok(None) };
    let Some(entry) = scope.macros().find(&scope.node.package, "dvt_event_time_literal") else { return Ok(Some(format!("'{at}'"))) };
    macros::call(entry, scope, &scope.shared.env, &[crate::python::instant(&at)]).map(|v| Some(v.to_string()))
}
