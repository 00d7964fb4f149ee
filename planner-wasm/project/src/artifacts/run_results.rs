//! `run_results.json` v6.

use super::ArtifactMeta;
use crate::names::UniqueId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// One node's result; field names are dbt's.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// success, error, skipped, pass, fail, warn, `runtime error`, `no-op`, `partial success`.
    pub status: String,
    pub timing: Vec<Timing>,
    pub thread_id: String,
    /// Seconds.
    pub execution_time: f64,
    pub adapter_response: Map<String, Value>,
    pub message: Option<String>,
    pub failures: Option<u64>,
    pub unique_id: UniqueId,
    pub compiled: Option<bool>,
    pub compiled_code: Option<String>,
    pub relation_name: Option<String>,
    /// Of a microbatch model: `{successful: [[start, end]], failed: […]}`.
    #[serde(default)]
    pub batch_results: Option<Value>,
}

/// `compile` and `execute`, ISO 8601.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    pub name: String,
    pub started_at: Option<String>,
    pub completed_at: Option<String>,
}

/// `elapsed` in seconds; `args` as dbt's `invocation_args_dict`.
pub fn run_results_json(results: &[RunResult], elapsed: f64, args: &Map<String, Value>, meta: ArtifactMeta<'_>) -> Value {
    let results: Vec<Value> = results
        .iter()
        .map(|result| {
            let mut value = json!(result);
            value["overload_results"] = Value::Null;
            value
        })
        .collect();
    json!({"metadata": meta.head("run-results/v6"), "results": results, "elapsed_time": elapsed, "args": args})
}
