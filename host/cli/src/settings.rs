//! From arguments and environment to what a task works with.

use crate::arguments::{Global, Selection};
use dvt_diagnostic::{Code, Diagnostic};
use dvt_run::task::Task;
use dvt_run::{Cancellation, Printer, Settings, Stream};
use serde_json::{Map, Value};
use std::sync::Arc;

/// # Errors
/// `--vars` that are no mapping, a working directory that is gone.
pub fn task(which: &str, global: &Global, selection: &Selection, stream: Stream) -> Result<Task, Diagnostic> {
    let env: std::collections::BTreeMap<String, String> =
        std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect();
    let no_colour = global.no_color || env.get("NO_COLOR").is_some_and(|v| !v.is_empty());
    let working_dir = std::env::current_dir().map_err(|e| Diagnostic::error(Code::Usage, format!("the working directory cannot be read: {e}")))?;
    let settings = Settings {
        which: which.to_owned(),
        project_dir: global.project_dir.clone(),
        profiles_dir: global.profiles_dir.clone(),
        profile: global.profile.clone(),
        target: global.target.clone(),
        compute: global.compute.clone(),
        vars: vars(global.vars.as_deref())?,
        select: selection.select.clone(),
        exclude: selection.exclude.clone(),
        threads: global.threads,
        no_pushdown: global.no_pushdown,
        full_refresh: global.full_refresh,
        fail_fast: global.fail_fast,
        quiet: global.quiet,
        store_failures: global.store_failures,
        empty: global.empty,
        sample: global.sample.clone(),
        event_time_start: global.event_time_start.clone(),
        event_time_end: global.event_time_end.clone(),
        env: env.clone(),
        working_dir,
        binary_dir: std::env::current_exe().ok().and_then(|p| Some(p.canonicalize().ok()?.parent()?.to_path_buf())),
    };
    let secrets: Vec<String> = env.iter().filter(|(name, _)| name.starts_with("DBT_ENV_SECRET_")).map(|(_, value)| value.clone()).collect();
    let cancel = Arc::new(Cancellation::default());
    crate::interrupt::watch(cancel.clone());
    let printer = Printer::new(stream, settings.quiet, no_colour);
    printer.hide(secrets);
    Ok(Task { printer: Arc::new(printer), settings, cancel })
}

fn vars(text: Option<&str>) -> Result<Map<String, Value>, Diagnostic> {
    let Some(text) = text.filter(|t| !t.trim().is_empty()) else { return Ok(Map::new()) };
    match dvt_project::yaml::parse("--vars", text)?.root.to_json() {
        Value::Object(map) => Ok(map),
        _ => Err(Diagnostic::error(Code::Usage, "--vars is no mapping").hint("for example --vars '{start: 2024-01-01}'")),
    }
}
