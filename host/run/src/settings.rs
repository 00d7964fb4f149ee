//! What one invocation was asked to do, with nothing left to look up.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Resolved from the command line, the environment and the project's `flags:` by the CLI.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The command in dbt's word: `run`, `build`, `list` …
    pub which: String,
    /// The whole line as typed, without the program's folder.
    pub line: String,
    pub invocation_id: String,
    pub project_dir: Option<PathBuf>,
    pub profiles_dir: Option<PathBuf>,
    pub profile: Option<String>,
    pub target: Option<String>,
    pub compute: Option<String>,
    pub vars: Map<String, Value>,
    pub select: Vec<String>,
    pub exclude: Vec<String>,
    /// Exactly these ids, whatever else is said (`retry`).
    pub only: Option<Vec<String>>,
    /// `batch_results` of microbatch models of which some batches failed, by id: only those are built again (`retry`).
    pub batches: BTreeMap<String, Value>,
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
    /// Every other option by dbt's name (`store_failures`, `empty`, `state` …), resolved: command line, then
    /// environment, then the project's `flags:`. Absent means dbt's default. Behaviour flags of the project are here too.
    pub flags: Map<String, Value>,
    /// The process's environment, as templates may see it.
    pub env: BTreeMap<String, String>,
    pub working_dir: PathBuf,
    /// The folder of the binary, beside which bundled plugins may lie.
    pub binary_dir: Option<PathBuf>,
}

/// Flags that are on when nothing is said.
const USUALLY_ON: [&str; 8] = ["introspect", "write_json", "print", "version_check", "partial_parse", "compile", "clean_project_files_only", "browser"];

impl Settings {
    /// A variable that is set and not empty.
    pub fn env(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// Whether a flag is on.
    pub fn on(&self, flag: &str) -> bool {
        self.flags.get(flag).and_then(Value::as_bool).unwrap_or_else(|| USUALLY_ON.contains(&flag))
    }

    /// The value of an option that takes one.
    pub fn text(&self, option: &str) -> Option<&str> {
        self.flags.get(option).and_then(Value::as_str).filter(|v| !v.is_empty())
    }

    /// The values of an option that takes several.
    pub fn list(&self, option: &str) -> Vec<String> {
        match self.flags.get(option) {
            Some(Value::Array(items)) => items.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
            Some(Value::String(one)) => vec![one.clone()],
            _ => Vec::new(),
        }
    }

    /// A path given as an option, from the folder the command was typed in.
    pub fn path(&self, option: &str) -> Option<PathBuf> {
        self.text(option).map(|p| self.working_dir.join(p))
    }

    /// dbt's `invocation_args_dict`, also `args` of `run_results.json`.
    pub fn arguments(&self) -> Map<String, Value> {
        let mut map = self.flags.clone();
        for flag in USUALLY_ON {
            map.entry(flag).or_insert(Value::Bool(true));
        }
        for (flag, usual) in [
            ("indirect_selection", json!("eager")),
            ("defer", json!(false)),
            ("favor_state", json!(false)),
            ("empty", json!(false)),
            ("store_failures", json!(false)),
            ("log_format", json!("default")),
            ("log_level", json!("info")),
            ("printer_width", json!(80)),
            ("send_anonymous_usage_stats", json!(false)),
            ("warn_error", Value::Null),
        ] {
            map.entry(flag).or_insert(usual);
        }
        let own = json!({
            "which": self.which, "target": self.target, "profile": self.profile, "select": self.select, "exclude": self.exclude,
            "vars": self.vars, "threads": self.threads, "full_refresh": self.full_refresh, "fail_fast": self.fail_fast,
            "quiet": self.quiet, "store_failures": self.store_failures, "empty": self.empty, "event_time_start": self.event_time_start,
            "event_time_end": self.event_time_end, "compute": self.compute, "no_pushdown": self.no_pushdown,
            "invocation_command": self.line,
            "project_dir": self.project_dir, "profiles_dir": self.profiles_dir,
        });
        if let Value::Object(own) = own {
            map.extend(own);
        }
        map
    }
}
