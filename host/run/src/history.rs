//! What earlier runs learnt of statements whose sources do not say how many rows they have: asked of the MDM once a run, and
//! told it by its spool.

use crate::database::Databases;
use crate::printer::{iso, now};
use crate::sync::fetch::sha256;
use dvt_mdm::{Fact, ReadFact};
use dvt_project::TargetName;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Target, endpoint and digest of a statement.
type Key = (String, String, String);

/// A run's view of it.
#[derive(Default)]
pub struct History {
    known: OnceLock<BTreeMap<Key, u64>>,
    /// What was asked for is what is worth telling.
    asked: Mutex<BTreeSet<Key>>,
}

fn key(databases: &Databases, source: &TargetName, sql: &str) -> Option<Key> {
    Some((source.to_string(), databases.pool.endpoint(source).ok()?, sha256(sql.as_bytes())))
}

impl dvt_federation::History for Databases {
    fn rows(&self, source: &TargetName, sql: &str) -> Option<u64> {
        let key = key(self, source, sql)?;
        // A busy or broken MDM only means that nothing is known.
        let mdm = || self.project().and_then(|p| p.home.mdm().reads(self.profile()).ok()).unwrap_or_default();
        let known = self.history.known.get_or_init(mdm).get(&key).copied();
        self.history.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        known
    }

    fn read(&self, source: &TargetName, sql: &str, rows: u64) {
        let Some(key) = key(self, source, sql) else { return };
        if !self.history.asked.lock().unwrap_or_else(PoisonError::into_inner).contains(&key) {
            return;
        }
        let (target, endpoint, statement) = key;
        self.note(&Fact::Read(ReadFact { profile: self.profile().to_owned(), target, endpoint, statement, rows, read_at: iso(now()) }));
    }
}
