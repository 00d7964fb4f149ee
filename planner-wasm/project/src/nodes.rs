//! Nodes by unique_id, in its order.
//!
//! A node is some hundred words; each stands in a box of its own, so that a map or a list of ten thousands grows without
//! copying them.

use crate::names::UniqueId;
use crate::node::Node;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::collections::btree_map::{Iter, IterMut, Keys, Values, ValuesMut};
use std::iter::Map;

/// A `BTreeMap<UniqueId, Node>` whose boxes are not seen.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nodes(BTreeMap<UniqueId, Box<Node>>);

type Entry<'a> = (&'a UniqueId, &'a Node);
type EntryMut<'a> = (&'a UniqueId, &'a mut Node);

impl Nodes {
    pub fn get(&self, id: &UniqueId) -> Option<&Node> {
        self.0.get(id).map(|n| &**n)
    }
    pub fn get_mut(&mut self, id: &UniqueId) -> Option<&mut Node> {
        self.0.get_mut(id).map(|n| &mut **n)
    }
    pub fn contains_key(&self, id: &UniqueId) -> bool {
        self.0.contains_key(id)
    }
    pub fn insert(&mut self, node: Box<Node>) {
        self.0.insert(node.unique_id.clone(), node);
    }
    pub fn remove(&mut self, id: &UniqueId) -> Option<Box<Node>> {
        self.0.remove(id)
    }
    pub fn len(&self) -> usize {
        self.0.len()
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    pub fn keys(&self) -> Keys<'_, UniqueId, Box<Node>> {
        self.0.keys()
    }
    pub fn values(&self) -> Map<Values<'_, UniqueId, Box<Node>>, fn(&Box<Node>) -> &Node> {
        self.0.values().map(|n| &**n)
    }
    pub fn values_mut(&mut self) -> Map<ValuesMut<'_, UniqueId, Box<Node>>, fn(&mut Box<Node>) -> &mut Node> {
        self.0.values_mut().map(|n| &mut **n)
    }
    pub fn iter(&self) -> <&Self as IntoIterator>::IntoIter {
        self.into_iter()
    }
    pub fn iter_mut(&mut self) -> <&mut Self as IntoIterator>::IntoIter {
        self.into_iter()
    }
}

impl<'a> IntoIterator for &'a Nodes {
    type Item = Entry<'a>;
    type IntoIter = Map<Iter<'a, UniqueId, Box<Node>>, fn((&'a UniqueId, &'a Box<Node>)) -> Entry<'a>>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(|(id, n)| (id, &**n))
    }
}

impl<'a> IntoIterator for &'a mut Nodes {
    type Item = EntryMut<'a>;
    type IntoIter = Map<IterMut<'a, UniqueId, Box<Node>>, fn((&'a UniqueId, &'a mut Box<Node>)) -> EntryMut<'a>>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter_mut().map(|(id, n)| (id, &mut **n))
    }
}

/// # Panics
/// When there is no such node, as other maps do.
impl std::ops::Index<&UniqueId> for Nodes {
    type Output = Node;
    fn index(&self, id: &UniqueId) -> &Node {
        &self.0[id]
    }
}

impl FromIterator<Box<Node>> for Nodes {
    fn from_iter<I: IntoIterator<Item = Box<Node>>>(nodes: I) -> Self {
        Self(nodes.into_iter().map(|n| (n.unique_id.clone(), n)).collect())
    }
}
