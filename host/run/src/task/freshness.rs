//! `source freshness`: how old the newest row of each source is, against what its properties allow.

use super::lines::Lines;
use super::{FAILED, OK, Prepared, Task};
use crate::artifacts::Artifacts;
use crate::database::Database;
use crate::log::{Event, Level, name_thread};
use crate::node::{Runner, Status};
use crate::printer::{Tone, iso, now};
use crate::project::Project;
use crate::schedule::{Ended, Schedule};
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use dvt_diagnostic::{Code, Diagnostic};
use dvt_jinja::{Asking, LoadedAt};
use dvt_project::warnings::Fate;
use dvt_project::{SourceTable, UniqueId};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// One source's age.
struct Age {
    max_loaded_at: DateTime<Utc>,
    snapshotted_at: DateTime<Utc>,
    /// Seconds.
    age: f64,
    status: &'static str,
}

impl Task {
    /// # Errors
    /// What keeps the command from running at all.
    pub fn freshness(&self, output: Option<&Path>) -> Result<u8, Vec<Diagnostic>> {
        let one = |d: Diagnostic| vec![d];
        let since = Instant::now();
        let Prepared { project, databases, mut chosen } = self.prepared(false)?;
        chosen.retain(|id| project.manifest.sources.get(id).is_some_and(|s| criteria(s).is_some()));
        if chosen.is_empty() {
            self.nothing_to_do();
            self.calm()?;
        }
        let schedule = Schedule::new(&project.manifest, &project.graph, &chosen, false);
        let total = schedule.order.len();
        let lines = Lines { project: &project, printer: &self.printer };
        lines.concurrency(project.threads(), total);
        let runner = Runner::new(project.clone(), databases.clone(), Artifacts::new(project.clone()), None);
        let hooks = project.manifest.flags.get("source_freshness_run_project_hooks").and_then(Value::as_bool) != Some(false);
        let mut ran = if hooks { self.hooks(&runner, "on-run-start", &project.manifest.on_run_start, &[]) } else { Vec::new() };
        let results: Mutex<Vec<Value>> = Mutex::default();
        let keep = |v: Value| results.lock().unwrap_or_else(PoisonError::into_inner).push(v);
        let work = |id: &UniqueId, number: usize, thread: usize| {
            name_thread(format!("Thread-{thread} (worker)"));
            let Some(source) = project.manifest.sources.get(id) else { return Ended::Well };
            let name = format!("freshness of {}.{}", source.source_name, source.name);
            let info = source_info(id, source);
            let (msg, painted) = self.printer.step(number, total, &format!("START {name}"), "RUN", Tone::Plain);
            self.printer.event(Event::new("Q011", "LogStartLine", Level::Info, msg, json!({"description": name, "index": number, "total": total, "node_info": info})).painted(painted));
            let began = Instant::now();
            let started = iso(now());
            let measured = project.engine.query_comment(Asking::Node(id), &source.connection).and_then(|comment| {
                let database = Arc::new(Database::new(databases.clone()).commented(comment));
                measure(&project, source, &database)
            });
            let seconds = began.elapsed().as_secs_f64();
            let status = measured.as_ref().map_or("runtime error", |a| a.status);
            let (word, tone, level) = match status {
                "pass" => ("PASS", Tone::Good, Level::Info),
                "warn" => ("WARN", Tone::Warn, Level::Warn),
                "error" => ("ERROR STALE", Tone::Bad, Level::Error),
                _ => ("ERROR", Tone::Bad, Level::Error),
            };
            let (msg, painted) = self.printer.step(number, total, &format!("{word} {name}"), &format!("{word} in {seconds:.2}s"), tone);
            let data = json!({
                "index": number, "total": total, "execution_time": seconds, "status": status, "source_name": source.source_name, "table_name": source.name,
                "node_info": info,
            });
            self.printer.event(Event::new("Q018", "LogFreshnessResult", level, msg, data).painted(painted));
            keep(match measured {
                Ok(age) => json!({
                    "unique_id": id, "max_loaded_at": shown(age.max_loaded_at), "snapshotted_at": shown(age.snapshotted_at),
                    "max_loaded_at_time_ago_in_s": age.age, "status": age.status, "criteria": criteria(source), "adapter_response": {},
                    "timing": [{"name": "compile", "started_at": started, "completed_at": started}, {"name": "execute", "started_at": started, "completed_at": iso(now())}],
                    "thread_id": format!("Thread-{thread} (worker)"), "execution_time": seconds,
                }),
                Err(error) => json!({"unique_id": id, "error": self.printer.hiding(&error.to_string()), "status": "runtime error"}),
            });
            if matches!(status, "pass" | "warn") { Ended::Well } else { Ended::Badly }
        };
        let skip = |_: &UniqueId, _: usize, _: Option<&UniqueId>| {};
        if ran.iter().all(|d| d.status != Status::Error) {
            schedule.run(project.threads() as usize, self.settings.fail_fast, &self.cancel, &work, &skip, &|_| {});
        }
        if hooks {
            ran.extend(self.hooks(&runner, "on-run-end", &project.manifest.on_run_end, &[]));
        }
        let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        results.sort_by_key(|r| r["unique_id"].as_str().map(str::to_owned));
        let elapsed = since.elapsed().as_secs_f64();
        let output = output.map(|p| self.settings.working_dir.join(p));
        // As in dbt, a source that could not be asked is in no artifact.
        let measured: Vec<Value> = results.iter().filter(|r| r.get("error").is_none()).cloned().collect();
        runner.artifacts.sources(&measured, elapsed, output.as_deref()).map_err(one)?;
        runner.artifacts.manifest(&std::collections::BTreeMap::new()).map_err(one)?;
        for error in results.iter().filter_map(|r| Some((r["unique_id"].as_str()?, r.get("error")?.as_str()?))) {
            let msg = format!("  {}: {}", error.0, error.1);
            self.printer.event(Event::new("Z024", "RunResultError", Level::Error, msg, json!({"msg": error.1, "node_info": {"unique_id": error.0}})));
        }
        self.printer.event(Event::new("Q003", "FreshnessCheckComplete", Level::Info, "Done.", json!({})));
        let bad = |r: &Value| match r["status"].as_str() {
            Some("warn") => self.printer.fate("LogFreshnessResult") == Fate::Error,
            status => status != Some("pass"),
        };
        let failed = results.iter().any(bad) || ran.iter().any(|d| d.status == Status::Error) || self.cancel.is_cancelled();
        Ok(if failed { FAILED } else { OK })
    }
}

/// A key of the table's config, else of the table itself.
fn told<'a>(source: &'a SourceTable, key: &str) -> Option<&'a Value> {
    source.config.get(key).filter(|v| !v.is_null())
}

/// What the properties allow; None where they set no limit.
fn criteria(source: &SourceTable) -> Option<Value> {
    let found = source.freshness.as_ref().filter(|f| !f.is_null()).or_else(|| told(source, "freshness"))?;
    let limit = |key: &str| {
        let limit = found.get(key);
        let of = |part: &str| limit.and_then(|l| l.get(part)).cloned().unwrap_or_default();
        json!({"count": of("count"), "period": of("period")})
    };
    if !found.is_object() {
        return None;
    }
    Some(json!({"warn_after": limit("warn_after"), "error_after": limit("error_after"), "filter": found.get("filter").cloned().unwrap_or_default()}))
}

/// Seconds of a limit; None where it is not set.
fn allowed(criteria: &Value, key: &str) -> Option<f64> {
    let limit = criteria.get(key)?;
    let count = limit.get("count")?.as_f64()?;
    let unit = match limit.get("period")?.as_str()? {
        "minute" => 60.0,
        "hour" => 3_600.0,
        "day" => 86_400.0,
        _ => return None,
    };
    Some(count * unit)
}

fn measure(project: &Project, source: &SourceTable, database: &Arc<Database>) -> Result<Age, Diagnostic> {
    let name = format!("{}.{}", source.source_name, source.name);
    let field = source.loaded_at_field.clone().or_else(|| told(source, "loaded_at_field").and_then(|v| v.as_str().map(str::to_owned)));
    let query = source.loaded_at_query.clone().or_else(|| told(source, "loaded_at_query").and_then(|v| v.as_str().map(str::to_owned)));
    let about = |d: Diagnostic| d.at(source.span.clone()).about(source.unique_id.as_str());
    let limits = criteria(source).unwrap_or_default();
    // Templates in them were kept by whoever read the properties; here they are rendered as a query's.
    let rendered = |text: String| -> Result<String, Diagnostic> {
        if text.contains("{{") || text.contains("{%") { Ok(project.engine.compile_inline(&text, Some(database.clone()))?.sql) } else { Ok(text) }
    };
    let (field, query) = (field.map(rendered).transpose()?, query.map(rendered).transpose()?);
    let filter = limits.get("filter").and_then(Value::as_str).map(|f| rendered(f.to_owned())).transpose()?;
    let loaded = match (&field, &query) {
        (Some(_), Some(_)) => {
            let text = format!("source `{name}` has both loaded_at_field and loaded_at_query");
            return Err(about(Diagnostic::error(Code::PropertyInvalid, text).hint("keep one of them")));
        }
        (Some(field), None) => LoadedAt::Column { name: field, filter: filter.as_deref() },
        (None, Some(query)) => LoadedAt::Query(query),
        (None, None) => {
            let text = format!("source `{name}` has neither loaded_at_field nor loaded_at_query: its age cannot be read from the database's own records");
            return Err(about(Diagnostic::error(Code::PropertyInvalid, text).hint("name the column that says when a row was loaded: loaded_at_field: updated_at")));
        }
    };
    let [newest, at] = project.engine.collect_freshness(source, &loaded, database.clone()).map_err(about)?;
    let max_loaded_at = match newest {
        // As in dbt, what was never loaded is as old as can be.
        None => NaiveDate::from_ymd_opt(1, 1, 1).unwrap_or_default().and_time(chrono::NaiveTime::default()).and_utc(),
        Some(text) => read_instant(&text).ok_or_else(|| about(Diagnostic::error(Code::DatabaseError, format!("the age of source `{name}` is not known: `{text}` is no time"))))?,
    };
    let snapshotted_at = at.and_then(|text| read_instant(&text)).unwrap_or_else(Utc::now);
    let age = (snapshotted_at - max_loaded_at).num_microseconds().unwrap_or(i64::MAX) as f64 / 1e6;
    let over = |key: &str| allowed(&limits, key).is_some_and(|limit| age > limit);
    let status = if over("error_after") {
        "error"
    } else if over("warn_after") {
        "warn"
    } else {
        "pass"
    };
    Ok(Age { max_loaded_at, snapshotted_at, age, status })
}

/// Times without a zone are UTC, as in dbt; a date is its midnight.
fn read_instant(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    for form in ["%Y-%m-%d %H:%M:%S%.f%:z", "%Y-%m-%dT%H:%M:%S%.f%:z", "%Y-%m-%d %H:%M:%S%.f%#z", "%+"] {
        if let Ok(at) = DateTime::parse_from_str(text, form) {
            return Some(at.with_timezone(&Utc));
        }
    }
    for form in ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"] {
        if let Ok(at) = NaiveDateTime::parse_from_str(text, form) {
            return Some(at.and_utc());
        }
    }
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0).map(|at| at.and_utc())
}

/// As Python's `isoformat`: a fraction only where there is one.
fn shown(at: DateTime<Utc>) -> String {
    let fraction = if at.timestamp_subsec_micros() == 0 { "" } else { "%.6f" };
    at.format(&format!("%Y-%m-%dT%H:%M:%S{fraction}+00:00")).to_string()
}

fn source_info(id: &UniqueId, source: &SourceTable) -> Value {
    json!({
        "materialized": "", "meta": source.meta, "node_checksum": "", "node_finished_at": "", "node_name": source.name, "node_path": source.path,
        "node_relation": {
            "alias": source.relation.identifier, "database": source.relation.database, "relation_name": "", "schema": source.relation.schema,
        },
        "node_started_at": iso(now()), "node_status": "started", "resource_type": "source", "unique_id": id,
    })
}

#[cfg(test)]
mod tests {
    use super::{read_instant, shown};

    #[test]
    fn instants_of_all_products_are_read() {
        for (text, meant) in [
            ("2024-01-02 03:04:05.5+00:00", "2024-01-02T03:04:05.500000+00:00"),
            ("2024-01-02 03:04:05+02:00", "2024-01-02T01:04:05+00:00"),
            ("2024-01-02 03:04:05", "2024-01-02T03:04:05+00:00"),
            ("2024-01-02", "2024-01-02T00:00:00+00:00"),
        ] {
            assert_eq!(read_instant(text).map(shown).as_deref(), Some(meant), "{text}");
        }
        assert_eq!(read_instant("soon"), None);
    }
}
