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

impl RelationName {
    /// A relation beside this one: the identifier with `suffix`. `limit` is the product's length of a name in bytes, 0
    /// for none; a long name is cut and told apart by a hash of the whole, so that two of one start stay two.
    #[must_use]
    pub fn beside(&self, suffix: &str, limit: usize) -> Self {
        let room = if limit == 0 { usize::MAX } else { limit.saturating_sub(suffix.len()) };
        let own = &self.identifier;
        let start = if own.len() <= room {
            own.clone()
        } else {
            // FNV-1a.
            let hash = own.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
            let hash = format!("{hash:08x}");
            let mut end = room.saturating_sub(hash.len());
            while !own.is_char_boundary(end) {
                end -= 1;
            }
            format!("{}{hash}", &own[..end])
        };
        Self { identifier: format!("{start}{suffix}"), ..self.clone() }
    }
}

/// A relation together with the target that holds it: the identity of SPEC T10.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RelationRef {
    pub target: TargetName,
    pub name: RelationName,
}
