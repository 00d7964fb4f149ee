//! `retry`: the last command again, for what failed or was skipped in it.

use super::{OK, Task};
use crate::choose::document;
use crate::discover;
use crate::settings::Settings;
use dvt_diagnostic::{Code, Diagnostic};
use serde_json::{Map, Value};

/// Results of these are run again.
const AGAIN: [&str; 5] = ["error", "fail", "skipped", "runtime error", "partial success"];

/// Commands that can be run again.
const COMMANDS: [&str; 11] = ["build", "clone", "compile", "docs generate", "generate", "run", "run-operation", "seed", "snapshot", "test", "freshness"];

impl Task {
    /// # Errors
    /// No results to start from, or a command that cannot be run again.
    pub fn retry(&self) -> Result<u8, Vec<Diagnostic>> {
        let one = |d: Diagnostic| vec![d];
        let folder = match self.settings.path("state") {
            Some(folder) => folder,
            None => discover::target_folder(&self.settings).map_err(one)?,
        };
        let Some(before) = document(&folder, "run_results.json").map_err(one)? else {
            let text = format!("there is no {}", folder.join("run_results.json").display());
            return Err(vec![Diagnostic::error(Code::Usage, text).hint("run a command first; --state names another folder")]);
        };
        let empty = Map::new();
        let args = before.get("args").and_then(Value::as_object).unwrap_or(&empty);
        let which = args.get("which").and_then(Value::as_str).unwrap_or_default();
        if !COMMANDS.contains(&which) {
            return Err(vec![Diagnostic::error(Code::Usage, format!("the last command was `{which}`, which cannot be run again"))]);
        }
        let rows = before.get("results").and_then(Value::as_array).cloned().unwrap_or_default();
        let status = |r: &Value| r.get("status").and_then(Value::as_str).unwrap_or_default().to_owned();
        let ids: Vec<String> = rows
            .iter()
            .filter(|r| AGAIN.contains(&status(r).as_str()))
            .filter_map(|r| r.get("unique_id").and_then(Value::as_str).map(str::to_owned))
            // Hooks run with whatever runs.
            .filter(|id| !id.starts_with("operation."))
            .collect();
        let mut settings = again(&self.settings, which, args, ids.clone());
        let some = |batches: &Value, key: &str| batches.get(key).and_then(Value::as_array).is_some_and(|b| !b.is_empty());
        let partly = rows.iter().filter_map(|r| Some((r.get("unique_id")?.as_str()?.to_owned(), r.get("batch_results")?.clone())));
        settings.batches = partly.filter(|(_, batches)| some(batches, "successful") && some(batches, "failed")).collect();
        let task = Self { settings, printer: self.printer.clone(), cancel: self.cancel.clone() };
        if ids.is_empty() {
            task.greet();
            task.nothing_to_do();
            return Ok(OK);
        }
        match which {
            "compile" => task.compile(None, false),
            "freshness" => task.freshness(None),
            "clone" => task.clone_relations(),
            "generate" | "docs generate" => task.docs_generate(),
            "run-operation" => {
                let name = ids[0].strip_prefix("macro.").unwrap_or(&ids[0]).to_owned();
                let given = args.get("args").and_then(Value::as_object).cloned().unwrap_or_default();
                task.run_operation(Some(&name), &given, None)
            }
            _ => task.run(),
        }
    }
}

/// Options that are not taken over as they stand: of places and of showing this line decides, the rest has a field of its own.
const NOT_AS_THEY_STAND: [&str; 31] = [
    "log_path", "target_path", "profiles_dir", "project_dir", "warn_error", "warn_error_options", "state", "log_format", "log_format_file", "log_level",
    "log_level_file", "log_file_max_bytes", "printer_width", "use_colors", "debug", "quiet", "invocation_command", "which", "args", "select", "exclude",
    "vars", "threads", "target", "profile", "compute", "full_refresh", "fail_fast", "no_pushdown", "empty", "sample",
];

/// The options of the last command, those of this line before them.
fn again(own: &Settings, which: &str, args: &Map<String, Value>, ids: Vec<String>) -> Settings {
    let mut settings = Settings { which: which.to_owned(), only: Some(ids), ..own.clone() };
    let text = |key: &str| args.get(key).and_then(Value::as_str).map(str::to_owned);
    settings.target = settings.target.or_else(|| text("target"));
    settings.profile = settings.profile.or_else(|| text("profile"));
    settings.compute = settings.compute.or_else(|| text("compute"));
    if settings.vars.is_empty() {
        settings.vars = args.get("vars").and_then(Value::as_object).cloned().unwrap_or_default();
    }
    let on = |key: &str| args.get(key).and_then(Value::as_bool) == Some(true);
    settings.threads = settings.threads.or_else(|| args.get("threads").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()));
    settings.full_refresh |= on("full_refresh");
    settings.fail_fast |= on("fail_fast");
    settings.no_pushdown |= on("no_pushdown");
    settings.store_failures |= on("store_failures");
    settings.empty |= on("empty");
    settings.sample = settings.sample.or_else(|| text("sample"));
    settings.event_time_start = settings.event_time_start.or_else(|| text("event_time_start"));
    settings.event_time_end = settings.event_time_end.or_else(|| text("event_time_end"));
    for (flag, value) in args.iter().filter(|(flag, value)| !value.is_null() && !NOT_AS_THEY_STAND.contains(&flag.as_str())) {
        settings.flags.entry(flag.clone()).or_insert_with(|| value.clone());
    }
    if on("defer")
        && let Some(state) = args.get("state").filter(|v| !v.is_null())
    {
        settings.flags.entry("state").or_insert_with(|| state.clone());
    }
    settings
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::again;
    use crate::settings::Settings;
    use serde_json::json;

    #[test]
    fn options_of_the_last_command_count_unless_this_line_says_otherwise() {
        let before = json!({
            "threads": 7, "fail_fast": true, "indirect_selection": "buildable", "introspect": false, "log_level": "debug", "warn_error": true,
            "vars": {"a": 1}, "target_path": "elsewhere", "state": "old", "defer": false,
        });
        let args = before.as_object().unwrap();
        let settings = again(&Settings::default(), "run", args, Vec::new());
        assert_eq!((settings.threads, settings.fail_fast, settings.on("introspect")), (Some(7), true, false));
        assert_eq!(settings.text("indirect_selection"), Some("buildable"));
        for left in ["log_level", "warn_error", "target_path", "state"] {
            assert!(!settings.flags.contains_key(left), "{left}");
        }
        let own = Settings { threads: Some(2), ..Settings::default() };
        assert_eq!(again(&own, "run", args, Vec::new()).threads, Some(2));
    }
}
