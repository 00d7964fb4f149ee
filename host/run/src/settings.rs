//! What one invocation was asked to do, with nothing left to look up.

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Resolved from the command line by the CLI.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The command in dbt's word: `run`, `build`, `ls` …
    pub which: String,
    pub project_dir: Option<PathBuf>,
    pub profiles_dir: Option<PathBuf>,
    pub profile: Option<String>,
    pub target: Option<String>,
    pub compute: Option<String>,
    pub vars: Map<String, Value>,
    pub select: Vec<String>,
    pub exclude: Vec<String>,
    pub threads: Option<u32>,
    pub no_pushdown: bool,
    pub full_refresh: bool,
    pub fail_fast: bool,
    pub quiet: bool,
    pub store_failures: bool,
    /// Relations are read without their rows.
    pub empty: bool,
    /// `3 days`, or a mapping of start and end.
    pub sample: Option<String>,
    pub event_time_start: Option<String>,
    pub event_time_end: Option<String>,
    /// The process's environment, as templates may see it.
    pub env: BTreeMap<String, String>,
    pub working_dir: PathBuf,
    /// The folder of the binary, beside which bundled plugins may lie.
    pub binary_dir: Option<PathBuf>,
}

impl Settings {
    /// A variable that is set and not empty.
    pub fn env(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// dbt's `invocation_args_dict`.
    pub fn arguments(&self) -> Map<String, Value> {
        let Value::Object(map) = serde_json::json!({
            "which": self.which, "target": self.target, "profile": self.profile, "select": self.select, "exclude": self.exclude,
            "vars": self.vars, "threads": self.threads, "full_refresh": self.full_refresh, "fail_fast": self.fail_fast,
            "quiet": self.quiet, "store_failures": self.store_failures, "empty": self.empty, "event_time_start": self.event_time_start,
            "event_time_end": self.event_time_end, "compute": self.compute, "no_pushdown": self.no_pushdown,
            "project_dir": self.project_dir, "profiles_dir": self.profiles_dir,
        }) else {
            return Map::new();
        };
        map
    }
}
