//! The lines between the host and the driver program.

use super::ClusterError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A relation that the engine reads: the view `name`. Its columns arrive as `c0`, `c1`, … and are cast in order.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Read {
    pub name: String,
    /// Further views of the same rows.
    pub aliases: Vec<String>,
    /// `parquet` with `path`, or a format with options. Options may hold secrets: they go to the driver and nowhere else.
    pub format: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    pub options: BTreeMap<String, String>,
    pub columns: Vec<ReadColumn>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct ReadColumn {
    pub name: String,
    /// The engine's type.
    #[serde(rename = "type")]
    pub kind: String,
}

/// Where a result goes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Write {
    pub format: String,
    /// `append` to a table that exists, `error` for a folder that must not.
    pub mode: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    pub options: BTreeMap<String, String>,
    pub columns: Vec<WriteColumn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct WriteColumn {
    pub name: String,
    /// The engine's expression, `{}` for the column.
    pub by: String,
}

#[derive(Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub(super) enum Order<'a> {
    Describe { id: u64, tag: &'a str, reads: &'a [Read], sql: &'a str },
    Write {
        id: u64,
        #[serde(flatten)]
        write: &'a Write,
    },
    Cancel { id: u64 },
    Close { id: u64 },
    Stop,
}

/// The first line, which is no order.
#[derive(Serialize)]
pub(super) struct Start<'a> {
    pub master: &'a str,
    pub conf: &'a BTreeMap<String, String>,
    pub jars: &'a [String],
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Column {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(super) enum Event {
    Hello { version: String, python: String },
    Ready { version: String },
    Fatal { error: Told },
    Described { id: u64, columns: Vec<Column> },
    Progress { id: u64, stages: u64, ended: u64, tasks: u64, done: u64, starved: bool },
    Written { id: u64, rows: Option<u64>, #[serde(default)] scanned: BTreeMap<String, u64> },
    Failed { id: u64, error: Told, cancelled: bool },
}

impl Event {
    /// The job that it is about.
    pub fn job(&self) -> Option<u64> {
        match self {
            Self::Hello { .. } | Self::Ready { .. } | Self::Fatal { .. } => None,
            Self::Described { id, .. } | Self::Progress { id, .. } | Self::Written { id, .. } | Self::Failed { id, .. } => Some(*id),
        }
    }
}

/// A failure as the driver tells it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Told {
    class: String,
    message: String,
    condition: Option<String>,
    sqlstate: Option<String>,
    chain: Vec<Link>,
    gone: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Link {
    class: String,
    message: String,
    sqlstate: Option<String>,
}

/// What the engine puts before the words that matter, and behind them.
fn essence(message: &str) -> String {
    let text = message.split("Driver stacktrace:").next().unwrap_or(message);
    let text = text.split("\n\tat ").next().unwrap_or(text);
    let text = text.split("JVM stacktrace").next().unwrap_or(text);
    let text = text.split("\n== SQL").next().unwrap_or(text);
    // `… most recent failure: Lost task 0.0 in stage 1.0 (TID 1) (host executor driver): org.x.SqlException: words`
    let text = text.split_once("most recent failure: ").map_or(text, |(_, rest)| rest.split_once("): ").map_or(rest, |(_, words)| words));
    text.trim().to_owned()
}

impl Told {
    /// A database's own words where its driver threw, else the engine's innermost ones.
    pub fn into_error(self) -> ClusterError {
        let database = self.chain.iter().rev().find(|l| l.sqlstate.is_some());
        let exceptions: Vec<String> = std::iter::once(self.class.clone()).chain(self.chain.iter().map(|l| l.class.clone())).collect();
        let mut message = match database {
            Some(link) => link.message.clone(),
            None => {
                let cause = self.chain.iter().rev().find(|l| !l.message.is_empty() && l.message != "null").map_or(&self.message, |l| &l.message);
                // An engine's own error says more than what caused it, when it has a name.
                essence(if self.condition.is_some() { &self.message } else { cause })
            }
        };
        if message.is_empty() {
            message.clone_from(&self.class);
        }
        ClusterError {
            message,
            sqlstate: database.and_then(|l| l.sqlstate.clone()).or(self.sqlstate),
            driver: database.map(|l| l.class.clone()),
            exceptions,
            gone: self.gone,
            ..ClusterError::default()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Event, Told};

    #[test]
    fn the_databases_own_words_win_over_the_engines() {
        let told: Told = serde_json::from_str(
            r#"{"class": "Py4JJavaError", "message": "An error occurred", "chain": [
                {"class": "org.apache.spark.SparkException", "message": "Job aborted due to stage failure"},
                {"class": "org.postgresql.util.PSQLException", "message": "ERROR: division by zero", "sqlstate": "22012"}]}"#,
        )
        .unwrap();
        let error = told.into_error();
        assert_eq!((error.message.as_str(), error.sqlstate.as_deref()), ("ERROR: division by zero", Some("22012")));
        assert_eq!(error.driver.as_deref(), Some("org.postgresql.util.PSQLException"));
        assert_eq!(error.exceptions.len(), 3);
    }

    #[test]
    fn stacks_and_places_of_tasks_are_left_out() {
        let told: Told = serde_json::from_str(
            r#"{"class": "X", "message": "Job aborted due to stage failure: Task 0 in stage 1.0 failed 1 times, most recent failure: Lost task 0.0 in stage 1.0 (TID 1) (127.0.0.1 executor driver): java.lang.OutOfMemoryError: Java heap space\n\tat a.b\nDriver stacktrace:"}"#,
        )
        .unwrap();
        assert_eq!(told.into_error().message, "java.lang.OutOfMemoryError: Java heap space");
    }

    #[test]
    fn events_are_of_their_jobs() {
        let event: Event = serde_json::from_str(r#"{"event": "written", "id": 3, "rows": null, "scanned": {"s": 5}}"#).unwrap();
        assert_eq!(event.job(), Some(3));
        assert!(serde_json::from_str::<Event>(r#"{"event": "hello", "version": "4.0.0", "python": "3.11"}"#).unwrap().job().is_none());
    }
}
