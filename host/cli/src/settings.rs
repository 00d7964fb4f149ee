//! From the line, the environment and the project's `flags:` to what a task works with.

use crate::arguments::Cli;
use crate::options::{self, FIELDS, SWITCHES};
use dvt_diagnostic::{Code, Diagnostic};
use dvt_project::warnings::WarnErrorOptions;
use dvt_run::task::Task;
use dvt_run::{Cancellation, Format, Level, LogFile, Look, Printer, Settings, Stream};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

const PREFIX: &str = "DBT_";
const ENGINE_PREFIX: &str = "DBT_ENGINE_";

/// # Errors
/// Values that cannot be read, a working directory that is gone.
pub fn task(which: &str, cli: &Cli, stream: Stream) -> Result<Task, Diagnostic> {
    let usage = |text: String| Diagnostic::error(Code::Usage, text);
    let mut env: BTreeMap<String, String> = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect();
    let unknown = share_prefixes(&mut env);
    let working_dir = std::env::current_dir().map_err(|e| usage(format!("the working directory cannot be read: {e}")))?;
    let mut settings = Settings {
        which: which.to_owned(),
        line: cli.words.iter().enumerate().map(|(i, w)| if i == 0 { "dvt".into() } else { w.to_string_lossy() }).collect::<Vec<_>>().join(" "),
        invocation_id: dvt_run::new_invocation(),
        env,
        working_dir,
        binary_dir: std::env::current_exe().ok().and_then(|p| Some(p.canonicalize().ok()?.parent()?.to_path_buf())),
        ..Settings::default()
    };
    let text = |name: &str| FIELDS.iter().find(|f| f.name == name).and_then(|f| f.on_line(&cli.leaf)).and_then(|mut v| v.pop());
    let path = |name: &str| text(name).map(PathBuf::from);
    settings.project_dir = path("project-dir");
    settings.profiles_dir = path("profiles-dir");
    let project = dvt_run::project_flags(&settings);
    let mut flags = project.clone();
    for switch in SWITCHES {
        let value = match switch.on_line(&cli.words) {
            Some(on) => Some(on),
            None => match switch.variable().and_then(|v| settings.env(&format!("{PREFIX}{v}")).map(|t| (v, t))) {
                Some((name, text)) => Some(truth(text).ok_or_else(|| usage(format!("{PREFIX}{name} is `{text}`, which is no truth value")).hint("true or false"))?),
                None => None,
            },
        };
        if let Some(on) = value {
            flags.insert(switch.flag(), Value::Bool(on));
        }
    }
    for field in FIELDS {
        let mut given = field.on_line(&cli.leaf);
        if given.is_none()
            && let Some((name, text)) = field.variable().and_then(|v| Some((format!("{PREFIX}{v}"), settings.env(&format!("{PREFIX}{v}"))?)))
        {
            let words: Vec<String> = if field.many { text.split([' ', ',']).filter(|w| !w.is_empty()).map(str::to_owned).collect() } else { vec![text.to_owned()] };
            // As in dbt a variable counts only for commands that know the option.
            let known = cli.leaf.try_contains_id(field.name).is_ok();
            if let Some(wrong) = words.iter().find(|w| known && !field.takes(w)) {
                return Err(usage(format!("{name} is `{wrong}`, which --{} does not take", field.name)).hint(format!("one of {}", field.choices.join(", "))));
            }
            given = Some(words);
        }
        if let Some(mut given) = given {
            flags.insert(field.flag(), if field.many { json!(given) } else { given.pop().map_or(Value::Null, Value::String) });
        }
    }
    older_variables(&settings, &mut flags);
    number(&mut flags, "printer_width")?;
    number(&mut flags, "log_file_max_bytes")?;
    number(&mut flags, "maximum_seed_size_mib")?;
    settings.threads = match number(&mut flags, "threads")? {
        Some(0) => return Err(usage("--threads is 0: at least one node must be in flight".to_owned())),
        Some(n) => Some(u32::try_from(n).map_err(|_| usage(format!("--threads is {n}, which is more than any machine has")))?),
        None => None,
    };
    if let Some(Value::String(text)) = flags.get("warn_error_options") {
        let map = mapping("--warn-error-options", text, "{error: all, silence: [NoNodesForSelectionCriteria]}")?;
        flags.insert("warn_error_options".to_owned(), Value::Object(map));
    }
    let word = |flags: &Map<String, Value>, key: &str| flags.get(key).and_then(Value::as_str).filter(|v| !v.is_empty()).map(str::to_owned);
    settings.vars = match word(&flags, "vars").filter(|t| !t.trim().is_empty()) {
        Some(text) => mapping("--vars", &text, "{start: 2024-01-01}")?,
        None => Map::new(),
    };
    settings.profile = word(&flags, "profile");
    settings.target = word(&flags, "target");
    settings.compute = word(&flags, "compute");
    // `ls --models` means models only; elsewhere it is another word for --select.
    let models = flags.get("models").and_then(Value::as_array).is_some_and(|m| !m.is_empty());
    if models && which == "list" {
        if flags.contains_key("select") || flags.contains_key("resource_type") {
            return Err(usage("--models goes with neither --select nor --resource-type".to_owned()));
        }
        flags.insert("resource_type".to_owned(), json!(["model"]));
    }
    let texts = |key: &str| flags.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect::<Vec<_>>();
    settings.select = texts("select").into_iter().chain(texts("models")).collect();
    settings.exclude = texts("exclude");
    let on = |key: &str| flags.get(key).and_then(Value::as_bool);
    settings.no_pushdown = on("pushdown") == Some(false);
    settings.full_refresh = on("full_refresh") == Some(true);
    settings.fail_fast = on("fail_fast") == Some(true);
    settings.quiet = on("quiet") == Some(true);
    settings.store_failures = on("store_failures") == Some(true);
    settings.empty = on("empty") == Some(true);
    settings.sample = word(&flags, "sample");
    settings.event_time_start = word(&flags, "event_time_start");
    settings.event_time_end = word(&flags, "event_time_end");
    event_times(&settings)?;
    if on("single_threaded") == Some(true) {
        settings.threads = Some(1);
    }
    if settings.project_dir.is_none() {
        settings.project_dir = word(&flags, "project_dir").map(PathBuf::from);
    }
    for own in ["vars", "select", "models", "exclude", "pushdown", "profile", "target", "compute", "threads"] {
        flags.remove(own);
    }
    settings.flags = flags;
    let printer = Printer::new(stream, look(&settings)?);
    printer.hide(settings.env.iter().filter(|(name, _)| name.contains("DBT_ENV_SECRET_")).map(|(_, value)| value.clone()));
    for name in unknown {
        let text = format!("{name} is set, and no option is named so");
        printer.diagnostic(&Diagnostic::warning(Code::Usage, text).event("EnvironmentVariableNamespaceDeprecation").hint(format!("names that start with {ENGINE_PREFIX} are for options; rename your own")));
    }
    let cancel = Arc::new(Cancellation::default());
    crate::interrupt::watch(cancel.clone());
    Ok(Task { printer: Arc::new(printer), settings, cancel })
}

/// `DBT_ENGINE_X` and `DBT_X` mean the same, the first counts. Returns what starts so and means nothing.
fn share_prefixes(env: &mut BTreeMap<String, String>) -> Vec<String> {
    for name in options::variables() {
        let (engine, plain) = (format!("{ENGINE_PREFIX}{name}"), format!("{PREFIX}{name}"));
        if let Some(value) = env.get(&engine).cloned() {
            env.insert(plain, value);
        } else if let Some(value) = env.get(&plain).cloned() {
            env.insert(engine, value);
        }
    }
    let known = |name: &str| options::variables().any(|v| name[ENGINE_PREFIX.len()..] == *v);
    env.keys().filter(|k| k.starts_with(ENGINE_PREFIX) && !known(k)).cloned().collect()
}

/// dbt's former names of some variables.
fn older_variables(settings: &Settings, flags: &mut Map<String, Value>) {
    for (variable, flag) in [("DBT_DEFER_TO_STATE", "defer"), ("DBT_FAVOR_STATE_MODE", "favor_state")] {
        if let Some(on) = settings.env(variable).and_then(truth) {
            flags.entry(flag).or_insert(Value::Bool(on));
        }
    }
    if let Some(off) = settings.env("DBT_NO_PRINT").and_then(truth) {
        flags.entry("print").or_insert(Value::Bool(!off));
    }
    if let Some(path) = settings.env("DBT_ARTIFACT_STATE_PATH") {
        flags.entry("state").or_insert(json!(path));
    }
}

/// Both ends of a span of event time, or none.
fn event_times(settings: &Settings) -> Result<(), Diagnostic> {
    let usage = |text: String| Diagnostic::error(Code::Usage, text);
    let read = |name: &str, text: &str| {
        dvt_run::batches::moment(text).ok_or_else(|| usage(format!("--{name} is `{text}`, which is no moment")).hint("write it as 2024-01-31 or 2024-01-31T12:00:00"))
    };
    match (settings.event_time_start.as_deref(), settings.event_time_end.as_deref()) {
        (None, None) => Ok(()),
        (Some(_), None) => Err(usage("--event-time-start is given without --event-time-end".to_owned()).hint("give both, or none")),
        (None, Some(_)) => Err(usage("--event-time-end is given without --event-time-start".to_owned()).hint("give both, or none")),
        (Some(start), Some(end)) if read("event-time-start", start)? >= read("event-time-end", end)? => {
            Err(usage(format!("--event-time-start {start} is not before --event-time-end {end}")))
        }
        _ => Ok(()),
    }
}

fn truth(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "t" | "yes" | "y" | "on" => Some(true),
        "0" | "false" | "f" | "no" | "n" | "off" => Some(false),
        _ => None,
    }
}

fn number(flags: &mut Map<String, Value>, flag: &str) -> Result<Option<u64>, Diagnostic> {
    let read = match flags.get(flag) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(other) => other.as_u64(),
    };
    let shown = flag.replace('_', "-");
    let n: u64 = read.ok_or_else(|| Diagnostic::error(Code::Usage, format!("--{shown} is no whole number")))?;
    flags.insert(flag.to_owned(), json!(n));
    Ok(Some(n))
}

fn look(settings: &Settings) -> Result<Look, Diagnostic> {
    let word = |flag: &str| settings.text(flag).unwrap_or_default().to_ascii_lowercase();
    let given = word("log_format");
    // What is said of the file counts there, else what is said of all.
    let file_format = settings.text("log_format_file").map_or_else(|| given.clone(), str::to_ascii_lowercase);
    let level = if settings.on("debug") { Level::Debug } else { Level::named(&word("log_level")) };
    let file_level = settings.text("log_level_file").map_or(Level::Debug, Level::named);
    let limit = settings.flags.get("log_file_max_bytes").and_then(Value::as_u64).unwrap_or(10 * 1024 * 1024);
    let no_colour = settings.env("NO_COLOR").is_some().then_some(false);
    let folder = dvt_run::log_folder(settings).filter(|_| file_level != Level::None);
    let options = WarnErrorOptions::read(settings.flags.get("warn_error_options").unwrap_or(&Value::Null))?;
    let warnings = if settings.on("warn_error") { options.and_everything() } else { options };
    Ok(Look {
        format: Format::named(&given, if settings.on("debug") { Format::Debug } else { Format::Text }),
        level,
        quiet: settings.quiet,
        colour: settings.flags.get("use_colors").and_then(Value::as_bool).or(no_colour),
        width: settings.flags.get("printer_width").and_then(Value::as_u64).map_or(80, |w| w as usize),
        file: folder.and_then(|f| LogFile::open(&f, limit)),
        file_format: Format::named(&file_format, Format::Debug),
        file_level,
        warnings,
        invocation: settings.invocation_id.clone(),
    })
}

/// A YAML mapping given as an option, of which `example` is one.
pub fn mapping(option: &str, text: &str, example: &str) -> Result<Map<String, Value>, Diagnostic> {
    match dvt_project::yaml::parse(option, text)?.root.to_json() {
        Value::Object(map) => Ok(map),
        Value::Null => Ok(Map::new()),
        _ => Err(Diagnostic::error(Code::Usage, format!("{option} is no mapping")).hint(format!("for example {option} '{example}'"))),
    }
}
