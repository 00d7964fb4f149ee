//! The names of things, one newtype each, so that a target never passes for a relation.

use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
        #[serde(transparent)]
        pub struct $name(pub String);
        impl $name {
            pub fn new(s: impl Into<String>) -> Self { Self(s.into()) }
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(&self.0) }
        }
        impl From<&str> for $name { fn from(s: &str) -> Self { Self(s.to_owned()) } }
        impl From<String> for $name { fn from(s: String) -> Self { Self(s) } }
    };
}

name!(/// An output of the profile.
    TargetName);
name!(/// `model.shop.orders`, `source.shop.crm.customers`, …
    UniqueId);
name!(/// A compute of `computes.yml`.
    ComputeName);
name!(/// The `type:` of an output or compute: names the plugin.
    AdapterType);
name!(/// A dialect sheet's name.
    DialectName);
name!(/// A column as its database spells it.
    ColumnName);

/// Where a table or view lives inside one target. Parts are unquoted, as the database stores them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct RelationName {
    pub database: Option<String>,
    pub schema: Option<String>,
    pub identifier: String,
}

/// A relation together with the target that holds it: the identity of SPEC T10.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RelationRef {
    pub target: TargetName,
    pub name: RelationName,
}
