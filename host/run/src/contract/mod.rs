//! The contract suite: what every plugin must do, whoever wrote it. `dvt plugin test` prints it, `make test` runs it on all.
//!
//! A check that fails says what was asked and what came. Nothing here knows a product.

mod adapter;
mod compute;
mod connector;
mod live;

pub use live::Live;

use crate::plugins::Plugins;
use dvt_plugin_host::{Listed, PluginKind};
use std::fmt;

/// Permissions that a host can grant.
const PERMISSIONS: [&str; 4] = ["net", "driver:PACKAGE", "host:DOMAIN", "source:NAME"];

/// Whether the host lends it to a plugin of this kind.
fn lent(kind: PluginKind, permission: &str) -> bool {
    match kind {
        PluginKind::Adapter => permission == "net" || permission.strip_prefix("driver:").is_some_and(|package| !package.is_empty()),
        PluginKind::Compute => false,
        PluginKind::Connector => ["host:", "source:"].iter().any(|form| permission.strip_prefix(form).is_some_and(|what| !what.is_empty())),
    }
}

/// Types that no product has, and texts that are none.
pub(crate) const HOSTILE: [&str; 22] = [
    "", " ", "no such type", "🦆", "(", ")", "()", ")(", "numeric(", "numeric)", "numeric(99,3)", "numeric(-1,-1)", "numeric(3,99)", "numeric(4294967296)",
    "varchar(99999999999999999999)", "integer[]", "struct(a int, b text)", "map<int,text>", "decimal(10,2) unsigned zerofill", "'", "\"; drop table t; --", "\0",
];

/// One line of the checklist.
#[derive(Debug, Clone)]
pub struct Check {
    /// The fact that holds, or should.
    pub what: String,
    /// A remark, or what went wrong.
    pub outcome: Result<String, String>,
}

impl Check {
    pub fn failed(what: &str, why: &str) -> Self {
        Self { what: what.to_owned(), outcome: Err(why.to_owned()) }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Ok(note) if note.is_empty() => writeln!(f, "ok    {}", self.what),
            Ok(note) => writeln!(f, "ok    {} ({note})", self.what),
            Err(why) => writeln!(f, "FAIL  {}: {why}", self.what),
        }
    }
}

/// Collects checks.
#[derive(Default)]
pub(crate) struct List(Vec<Check>);

impl List {
    pub fn add(&mut self, what: &str, outcome: Result<String, String>) {
        self.0.push(Check { what: what.to_owned(), outcome });
    }
}

pub(crate) fn say(e: impl fmt::Display) -> String {
    e.to_string().replace('\n', " ").trim().to_owned()
}

/// Fails with `why` unless `holds`.
pub(crate) fn holds(holds: bool, why: impl FnOnce() -> String) -> Result<String, String> {
    if holds { Ok(String::new()) } else { Err(why()) }
}

/// Every check of the plugin; with `live`, on a real target too.
pub fn check(plugins: &Plugins, listed: &Listed, live: Option<&Live>) -> Vec<Check> {
    let mut list = List::default();
    let m = &listed.manifest;
    let kind = format!("{:?}", m.kind).to_lowercase();
    list.add("the manifest can be read", Ok(format!("{} {}, {kind}, contract {}, types {}", m.id, m.version, m.contract, m.types.join(", "))));
    let full = !m.id.is_empty() && !m.version.is_empty() && !m.types.is_empty() && m.types.iter().all(|t| !t.is_empty());
    list.add("it names the plugin, its version and its types", holds(full, || "one of them is empty".to_owned()));
    let unknown: Vec<&str> = m.permissions.iter().map(String::as_str).filter(|p| !lent(m.kind, p)).collect();
    list.add("it asks for permissions that exist", holds(unknown.is_empty(), || format!("unknown: {}; known: {}", unknown.join(", "), PERMISSIONS.join(", "))));
    let target = live.and_then(|l| live::target_type(plugins, l));
    for name in &m.types {
        // A plugin of several types meets the target as the type that the target has.
        let live = live.filter(|_| target.as_ref().is_none_or(|t| t == name || !m.types.contains(t)));
        match m.kind {
            PluginKind::Adapter => adapter::check(plugins, name, live, &mut list),
            PluginKind::Compute => compute::check(plugins, name, &mut list),
            PluginKind::Connector => connector::check(plugins, name, &mut list),
        }
    }
    list.0
}
