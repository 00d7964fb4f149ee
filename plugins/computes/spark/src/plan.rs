//! What a Spark session is started with: the entry of computes.yml, over settings that keep results exact and loud.

use dvt_plugin_sdk::Failure;
use serde_json::Value;

/// Keys of an entry that are the host's business, each with what it means there.
const OWN: [&str; 10] = ["version", "master", "python", "java_home", "jars", "maven_mirror", "exchange", "transfer", "partitions", "fast_start"];

/// Settings that a person may not change: with another value results would differ from other computes, silently.
const FIXED: [(&str, &str); 11] = [
    // Overflow, division by zero and bad casts are errors in both lines of versions.
    ("spark.sql.ansi.enabled", "true"),
    ("spark.sql.session.timeZone", "UTC"),
    // `'it''s'` and backslashes are as the dialect sheet writes them.
    ("spark.sql.parser.escapedStringLiterals", "false"),
    ("spark.sql.ansi.doubleQuotedIdentifiers", "false"),
    ("spark.sql.timestampType", "TIMESTAMP_LTZ"),
    // A task that runs twice at once would load its rows twice.
    ("spark.speculation", "false"),
    // Else sums and products of long decimals lose digits without a word.
    ("spark.sql.decimalOperations.allowPrecisionLoss", "false"),
    // Arguments of `transform` are computed before its body: a subquery among them is as anywhere else. 3.5 does not ask.
    ("spark.sql.analyzer.allowSubqueryExpressionsInLambdasOrHigherOrderFunctions", "true"),
    ("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS"),
    ("spark.sql.parquet.datetimeRebaseModeInWrite", "CORRECTED"),
    ("spark.sql.parquet.datetimeRebaseModeInRead", "CORRECTED"),
];

/// Settings that a person may change.
const USUAL: [(&str, &str); 6] = [
    ("spark.sql.adaptive.enabled", "true"),
    ("spark.sql.catalogImplementation", "in-memory"),
    ("spark.ui.enabled", "false"),
    ("spark.ui.showConsoleProgress", "false"),
    ("spark.sql.legacy.allowNegativeScaleOfDecimal", "false"),
    ("spark.app.name", "dvt"),
];

/// Virtual machines of driver and executors keep time in UTC: the session's zone alone is not enough.
const ZONE: &str = "-Duser.timezone=UTC";

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// # Errors
/// `DVT100` for keys that are neither Spark's nor dvt's, and for settings that would change results.
pub fn settings(config: &Value) -> Result<Vec<(String, String)>, Failure> {
    let mut out: Vec<(String, String)> = Vec::new();
    let mut conf: Vec<(String, String)> = Vec::new();
    let mut fast = false;
    for (key, value) in config.as_object().into_iter().flatten() {
        match key.as_str() {
            "fast_start" => fast = value.as_bool().unwrap_or(false),
            "jars" => {
                let list = value.as_array().map_or_else(|| vec![text(value)], |l| l.iter().map(text).collect());
                out.push((key.clone(), list.join("\n")));
            }
            key if OWN.contains(&key) => out.push((key.to_owned(), text(value))),
            key if key.starts_with("spark.") => conf.push((key.to_owned(), text(value))),
            _ => {
                let failure = Failure::new("DVT100", format!("`{key}` is no setting of this compute"));
                return Err(failure.hint(format!("settings of Spark begin with `spark.`; dvt's own are {}", OWN.join(", "))));
            }
        }
    }
    let given = |key: &str| config.get(key).map(text);
    let master = given("master").unwrap_or_else(|| "local[*]".to_owned());
    check(&master, given("transfer").as_deref())?;
    for (key, value) in FIXED {
        if let Some((_, other)) = conf.iter().find(|(k, _)| k == key)
            && !other.eq_ignore_ascii_case(value)
        {
            return Err(Failure::new("DVT100", format!("`{key}: {other}` would change results; dvt sets it to {value}")).hint("leave it out"));
        }
        conf.retain(|(k, _)| k != key);
        conf.push((key.to_owned(), value.to_owned()));
    }
    for (key, value) in USUAL {
        if !conf.iter().any(|(k, _)| k == key) {
            conf.push((key.to_owned(), value.to_owned()));
        }
    }
    let local = master.starts_with("local");
    if local {
        for (key, value) in [("spark.driver.bindAddress", "127.0.0.1"), ("spark.driver.host", "127.0.0.1"), ("spark.sql.shuffle.partitions", "4")] {
            if !conf.iter().any(|(k, _)| k == key) {
                conf.push((key.to_owned(), value.to_owned()));
            }
        }
    }
    let quick = if fast { " -XX:+UseSerialGC -XX:TieredStopAtLevel=1" } else { "" };
    for key in ["spark.driver.extraJavaOptions", "spark.executor.extraJavaOptions"] {
        let own = conf.iter().find(|(k, _)| k == key).map(|(_, v)| format!("{v} ")).unwrap_or_default();
        conf.retain(|(k, _)| k != key);
        conf.push((key.to_owned(), format!("{own}{ZONE}{quick}")));
    }
    if !out.iter().any(|(k, _)| k == "master") {
        out.push(("master".to_owned(), master));
    }
    out.extend(conf.into_iter().map(|(k, v)| (format!("conf.{k}"), v)));
    Ok(out)
}

fn check(master: &str, transfer: Option<&str>) -> Result<(), Failure> {
    let known = ["local", "spark://", "yarn", "k8s://", "sc://"];
    if !known.iter().any(|k| master.starts_with(k)) {
        return Err(Failure::new("DVT100", format!("`{master}` is no master that Spark knows")).hint("write local[*], spark://HOST:PORT, yarn, k8s://… or sc://HOST:PORT"));
    }
    match transfer {
        None | Some("auto" | "drivers" | "host") => Ok(()),
        Some(other) => Err(Failure::new("DVT100", format!("`transfer: {other}` is not known")).hint("write auto, drivers (Spark's own connectors only) or host (rows go through dvt)")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::settings;
    use serde_json::json;

    fn value(settings: &[(String, String)], key: &str) -> Option<String> {
        settings.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone())
    }

    #[test]
    fn a_setting_of_spark_passes_and_the_exact_ones_stay() {
        let all = settings(&json!({"master": "spark://h:7077", "spark.executor.memory": "3g", "spark.driver.extraJavaOptions": "-Xss4m"})).unwrap();
        assert_eq!(value(&all, "conf.spark.executor.memory").as_deref(), Some("3g"));
        assert_eq!(value(&all, "conf.spark.sql.ansi.enabled").as_deref(), Some("true"));
        assert_eq!(value(&all, "conf.spark.driver.extraJavaOptions").as_deref(), Some("-Xss4m -Duser.timezone=UTC"));
        // Executors of a cluster come back to the driver by its real name.
        assert_eq!(value(&all, "conf.spark.driver.host"), None);
        assert_eq!(value(&settings(&json!({})).unwrap(), "master").as_deref(), Some("local[*]"));
    }

    #[test]
    fn what_would_change_results_is_refused() {
        assert_eq!(settings(&json!({"spark.sql.ansi.enabled": false})).unwrap_err().code, "DVT100");
        assert_eq!(settings(&json!({"spark.sql.session.timeZone": "CET"})).unwrap_err().code, "DVT100");
        assert!(settings(&json!({"spark.speculation": false})).is_ok());
    }

    #[test]
    fn unknown_keys_and_masters_are_told() {
        assert!(settings(&json!({"memory": "1g"})).unwrap_err().hint.unwrap().contains("spark."));
        assert!(settings(&json!({"master": "mesos://x"})).unwrap_err().message.contains("mesos"));
    }
}
