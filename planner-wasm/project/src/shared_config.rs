//! A merged config: one map that many nodes share until one of them changes its own.
//!
//! Most nodes of a project have equal configs; a map of some 30 entries each is most of what a manifest weighs.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// Reads as the map it holds; writing copies the map first when others share it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct Config(Arc<Map<String, Value>>);

impl Config {
    /// The map itself, for values that are kept elsewhere.
    pub fn to_map(&self) -> Map<String, Value> {
        (*self.0).clone()
    }
    /// Equal for configs that are one map in memory, as long as one of them lives.
    pub fn address(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }
    /// Whether both are one map in memory; equal maps may still be two.
    pub fn shares(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Deref for Config {
    type Target = Map<String, Value>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Config {
    fn deref_mut(&mut self) -> &mut Self::Target {
        Arc::make_mut(&mut self.0)
    }
}

impl From<Map<String, Value>> for Config {
    fn from(map: Map<String, Value>) -> Self {
        Self(Arc::new(map))
    }
}

impl From<Config> for Map<String, Value> {
    fn from(config: Config) -> Self {
        Arc::unwrap_or_clone(config.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_one_holder_is_not_seen_by_the_other() {
        let first = Config::from(Map::from_iter([("a".to_owned(), Value::from(1))]));
        let mut second = first.clone();
        assert!(first.shares(&second));
        second.insert("a".to_owned(), Value::from(2));
        assert_eq!(first["a"], 1);
        assert_eq!(second["a"], 2);
    }
}
