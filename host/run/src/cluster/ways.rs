//! How the engine of a compute reaches each target: by a connector whose driver is at hand, or not at all.

use super::jars;
use crate::pool::Pool;
use crate::project::Project;
use crate::sync::lock::Lock;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_engine::cluster::{Read, Write, WriteColumn};
use dvt_planner::ir::RemoteScan;
use dvt_planner::types::CanonicalType;
use dvt_plugin_host::{Artifact, Connector, ConnectorOptions, NativeColumn};
use dvt_project::TargetName;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Whose rows the engine moves itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transfer {
    /// Where a driver is at hand.
    Auto,
    /// Everywhere, or it is an error.
    Drivers,
    /// Nowhere.
    Host,
}

/// A target that the engine reaches itself.
pub struct Way {
    pub connector: Arc<dyn Connector>,
    options: ConnectorOptions,
    secrets: BTreeMap<String, String>,
    pub jars: Vec<PathBuf>,
    threads: u32,
}

impl std::fmt::Debug for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "way to {}", self.options.url)
    }
}

/// The ways to all targets of the profile.
#[derive(Debug, Default)]
pub struct Ways {
    all: BTreeMap<TargetName, Way>,
    /// Why there is none.
    none: BTreeMap<TargetName, Diagnostic>,
    /// A driver that is not the one that was locked: no code of it may run.
    refused: Option<Diagnostic>,
}

impl Ways {
    pub fn find(project: &Project, pool: &Pool, transfer: Transfer, named: &[String]) -> Self {
        let mut ways = Self::default();
        if transfer == Transfer::Host {
            return ways;
        }
        let places = jars::places(project, named);
        let lock = match Lock::read(&project.root) {
            Ok(lock) => lock,
            Err(e) => {
                ways.refused = Some(e);
                return ways;
            }
        };
        for target in project.manifest.targets.keys() {
            match way(project, pool, target, &places, &lock) {
                Ok(way) => ways.all.insert(target.clone(), way).map(|_| ()),
                Err(why) if why.code == Code::SyncFailed => {
                    ways.refused.get_or_insert(why);
                    None
                }
                Err(why) => ways.none.insert(target.clone(), why).map(|_| ()),
            };
        }
        ways
    }

    pub fn refused(&self) -> Option<&Diagnostic> {
        self.refused.as_ref()
    }

    pub fn get(&self, target: &TargetName) -> Option<&Way> {
        self.all.get(target)
    }

    /// Why rows of the target have to pass through the host.
    pub fn why_not(&self, target: &TargetName) -> Option<&Diagnostic> {
        self.none.get(target)
    }

    pub fn jars(&self) -> Vec<PathBuf> {
        let mut all: Vec<PathBuf> = self.all.values().flat_map(|w| w.jars.clone()).collect();
        all.sort();
        all.dedup();
        all
    }

    /// Settings of the whole engine that the ways need.
    pub fn settings(&self) -> BTreeMap<String, String> {
        self.all.values().flat_map(|w| w.options.engine_settings.clone()).filter(|(key, _)| !key.starts_with(OWN)).collect()
    }
}

fn way(project: &Project, pool: &Pool, target: &TargetName, places: &[PathBuf], lock: &Lock) -> Result<Way, Diagnostic> {
    let kind = project.manifest.targets.get(target).map(|t| t.adapter.clone()).unwrap_or_default();
    let Some(connector) = project.plugins.connector(kind.as_str()) else {
        return Err(Diagnostic::error(Code::PluginNotFound, format!("no connector handles the type `{kind}` of target `{target}`")));
    };
    let connector = connector?;
    let (keys, secrets, threads) = pool.profile(target)?;
    let mut way = Way::new(connector, &Value::Object(keys.clone()), secrets, threads).map_err(|e| Diagnostic { message: format!("target `{target}`: {}", e.message), ..e })?;
    let mut jars = Vec::new();
    for artifact in &way.options.artifacts {
        let Some(jar) = jars::find(artifact, places) else {
            let looked: Vec<String> = places.iter().map(|p| p.display().to_string()).collect();
            return Err(Diagnostic::error(Code::EngineInvalid, format!("target `{target}` needs the driver {}, which is in none of {}", artifact.coordinates, looked.join(", ")))
                .hint(format!("run `dvt sync`, or put {} into the first of them; {}", artifact.files.first().map_or("", String::as_str), artifact.advice)));
        };
        lock.check_driver(&artifact.coordinates, &jar)?;
        jars.push(jar);
    }
    way.jars = jars;
    Ok(way)
}

/// In an option of reads: the query. In one of writes: the table's name without quotes. Where there is none, `dbtable` has it.
const QUERY: &str = "{query}";
const TABLE: &str = "{table}";
/// In an option of reads in parts: the state that all of them see. Reads in one part go without the option.
const SNAPSHOT: &str = "{snapshot}";
/// Settings for the host, not for the engine.
const OWN: &str = "dvt.";
const LEAST: &str = "dvt.least";
/// A query that names the state which a session sees, and what stands before and behind it.
const STATE: [&str; 3] = ["dvt.snapshot.begin", "dvt.snapshot", "dvt.snapshot.end"];

impl Way {
    /// What the connector says of a profile; no driver is looked for.
    ///
    /// # Errors
    /// Keys that the connector lacks, or a way that leads elsewhere than the profile says.
    pub fn new(connector: Arc<dyn Connector>, profile: &Value, secrets: &BTreeMap<String, Value>, threads: u32) -> Result<Self, Diagnostic> {
        let named: Vec<String> = secrets.keys().cloned().collect();
        let options = connector.options(profile, &named)?;
        let secrets = options.secret_options.iter().filter_map(|(option, key)| {
            let value = secrets.get(key)?;
            Some((option.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        });
        let secrets = secrets.collect();
        Ok(Self { connector, options, secrets, jars: Vec::new(), threads })
    }

    pub fn asks_for_a_version(&self) -> bool {
        self.options.engine_settings.contains_key(LEAST)
    }

    /// What must be at hand for it.
    pub fn artifacts(&self) -> &[Artifact] {
        &self.options.artifacts
    }

    /// Why an engine of this version cannot go it.
    pub fn refuses(&self, version: &str) -> Option<String> {
        let least = self.options.engine_settings.get(LEAST)?;
        let numbers = |text: &str| text.split('.').map_while(|n| n.parse::<u32>().ok()).collect::<Vec<_>>();
        (numbers(version) < numbers(least)).then(|| format!("its connector needs an engine of version {least} or newer, this one is {version}"))
    }

    /// How parts of a read see one state: what begins a transaction, what names its state, what ends it. None where they cannot.
    pub fn snapshot(&self) -> Option<[&str; 3]> {
        let words = STATE.map(|key| self.options.engine_settings.get(key).map(String::as_str));
        let taken = self.options.common.values().chain(self.options.reading.values()).any(|v| v.contains(SNAPSHOT));
        match words {
            [Some(begin), Some(name), Some(end)] if taken => Some([begin, name, end]),
            _ => None,
        }
    }

    fn options(&self, own: &BTreeMap<String, String>, tag: &str) -> BTreeMap<String, String> {
        let public = self.options.common.iter().chain(own).map(|(k, v)| (k.clone(), v.replace("{tag}", tag)));
        let mut all: BTreeMap<String, String> = public.collect();
        if !self.options.url.is_empty() {
            all.insert("url".to_owned(), self.options.url.clone());
        }
        all.extend(self.secrets.clone());
        all
    }

    /// The scan's SQL in the engine's hands: its columns as `c0`, `c1`, …, each by its cast.
    pub fn read(&self, scan: &RemoteScan, quote: &dyn Fn(&str) -> String, tag: &str, split: Option<&Split>) -> Result<Read, Diagnostic> {
        let natives: Vec<NativeColumn> = scan.columns.iter().map(|c| NativeColumn { name: c.name.clone(), native: c.native.clone(), collation: None }).collect();
        let casts = self.connector.read_casts(&natives).map_err(|e| Diagnostic { message: format!("`{}` of target `{}`: {}", scan.relation.identifier, scan.source, e.message), ..e })?;
        let one = |(i, (column, cast)): (usize, (&NativeColumn, Option<String>))| {
            let name = quote(&column.name);
            // Inside a literal: what could end one is left out.
            let plain: String = column.name.chars().map(|c| if c.is_alphanumeric() || "_-. ".contains(c) { c } else { '?' }).collect();
            format!("{} as c{i}", cast.map_or(name.clone(), |by| by.replace("{name}", &plain).replace("{}", &name)))
        };
        let list: Vec<String> = natives.iter().zip(casts).enumerate().map(one).collect();
        let list = if list.is_empty() { "1 as c0".to_owned() } else { list.join(", ") };
        let mut options = self.options(&self.options.reading, tag);
        let query = format!("select /* {tag} */ {list} from ({}\n) dvt_q", scan.sql);
        if !put(&mut options, QUERY, &query) {
            options.insert("dbtable".to_owned(), format!("({query}) {}", scan.name));
        }
        match split.and_then(|s| s.snapshot.as_deref()) {
            Some(snapshot) => drop(put(&mut options, SNAPSHOT, snapshot)),
            None => options.retain(|_, value| !value.contains(SNAPSHOT)),
        }
        if let Some(split) = split {
            for (key, value) in [("partitionColumn", format!("c{}", split.column)), ("lowerBound", split.low.to_string()), ("upperBound", split.high.to_string()), ("numPartitions", split.parts.to_string())] {
                options.insert(key.to_owned(), value);
            }
        }
        Ok(Read { name: scan.name.clone(), aliases: Vec::new(), format: self.options.format.clone(), path: None, options, columns: Vec::new() })
    }

    /// Whether a column can say which part of a read a row is in: it arrives as it is.
    pub fn splits(&self, native: &str) -> bool {
        // A source of its own splits as it likes.
        if self.options.reading.values().any(|v| v.contains(QUERY)) {
            return false;
        }
        let column = NativeColumn { native: native.to_owned(), ..NativeColumn::default() };
        self.connector.read_casts(&[column]).is_ok_and(|casts| casts.iter().all(Option::is_none))
    }

    /// `quote` quotes a name of the target; `table` is quoted by it.
    pub fn write(&self, table: &str, quote: &dyn Fn(&str) -> String, columns: &[(String, CanonicalType)], tag: &str) -> Result<Write, Diagnostic> {
        let kinds: Vec<CanonicalType> = columns.iter().map(|(_, kind)| *kind).collect();
        let casts = self.connector.write_casts(&kinds)?;
        let mut options = self.options(&self.options.writing, tag);
        let quotes = quote("");
        if !put(&mut options, TABLE, &table.replace(|c| quotes.contains(c), "")) {
            options.insert("dbtable".to_owned(), table.to_owned());
        }
        // No more sessions than the profile allows.
        options.insert("numPartitions".to_owned(), self.threads.max(1).to_string());
        let columns = columns.iter().zip(casts).map(|((name, _), by)| WriteColumn { name: name.clone(), by: by.unwrap_or_else(|| "{}".to_owned()) });
        Ok(Write { format: self.options.format.clone(), mode: "append".to_owned(), path: None, options, columns: columns.collect(), limit: None })
    }
}

/// Fills a place in options; false where none has it.
fn put(options: &mut BTreeMap<String, String>, place: &str, with: &str) -> bool {
    let mut found = false;
    for value in options.values_mut().filter(|v| v.contains(place)) {
        *value = value.replace(place, with);
        found = true;
    }
    found
}

/// A read in parts, by the values of a column of whole numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Its place among the scan's columns.
    pub column: usize,
    pub low: i64,
    pub high: i64,
    pub parts: u32,
    /// The name of the state that the parts see; None where the product has none.
    pub snapshot: Option<String>,
}
