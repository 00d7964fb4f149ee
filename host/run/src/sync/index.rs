//! The plugin index: a folder or an address with `index.json` and plugin files.
//!
//! `index.json` is `{"plugins": [{"id", "version", "contract", "kind", "types", "file", "sha256", "permissions"}]}`; `file`
//! is relative to it. A file is taken only when its content is what the index says it is.

use super::failed;
use super::fetch::{below, bytes, sha256};
use super::ranges::Range;
use crate::packages::best;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_plugin_host::{PluginKind, PluginManifest, manifest_of};
use serde::Deserialize;
use std::path::Path;

pub const FILE: &str = "index.json";
/// Names the index when the command does not.
pub const ENV: &str = "DVT_PLUGIN_INDEX";

#[derive(Debug, Clone, Deserialize)]
pub struct Entry {
    pub id: String,
    pub version: String,
    pub kind: PluginKind,
    pub types: Vec<String>,
    pub file: String,
    pub sha256: String,
}

#[derive(Debug, Deserialize)]
struct Document {
    plugins: Vec<Entry>,
}

#[derive(Debug)]
pub struct Index {
    place: String,
    entries: Vec<Entry>,
}

impl Index {
    /// # Errors
    /// A place without an index.
    pub fn read(place: &str) -> Result<Self, Diagnostic> {
        let path = below(place, FILE);
        let document: Document = serde_json::from_slice(&bytes(&path)?).map_err(|e| failed(&format!("{path} is no plugin index"), &e))?;
        Ok(Self { place: place.to_owned(), entries: document.plugins })
    }

    /// The newest plugin of a kind for a type, within a range.
    pub fn newest(&self, kind: PluginKind, of: &str, range: Option<&Range>) -> Option<&Entry> {
        let fits = || self.entries.iter().filter(|e| e.kind == kind && e.types.iter().any(|t| t == of));
        let bounds = range.map_or(&[][..], |r| &r.bounds);
        let version = best(fits().map(|e| e.version.as_str()), bounds, false)?.to_owned();
        fits().find(|e| e.version == version)
    }

    /// Versions of a kind for a type, for messages.
    pub fn versions(&self, kind: PluginKind, of: &str) -> Vec<&str> {
        self.entries.iter().filter(|e| e.kind == kind && e.types.iter().any(|t| t == of)).map(|e| e.version.as_str()).collect()
    }

    /// The file of an entry with its manifest.
    ///
    /// # Errors
    /// Another content than the index says, or a plugin of another name.
    pub fn take(&self, entry: &Entry) -> Result<(PluginManifest, Vec<u8>), Diagnostic> {
        let path = below(&self.place, &entry.file);
        let found = bytes(&path)?;
        let sum = sha256(&found);
        if !sum.eq_ignore_ascii_case(&entry.sha256) {
            return Err(Diagnostic::error(Code::PluginChanged, format!("{path} is not what the index says: its sha256 is {sum}, the index has {}", entry.sha256))
                .hint("the file was damaged or tampered with, or the index is old; nothing was installed"));
        }
        let manifest = manifest_of(Path::new(&path), &found)?;
        if manifest.id != entry.id || manifest.version != entry.version {
            let message = format!("{path} is plugin `{}` {}, the index says `{}` {}", manifest.id, manifest.version, entry.id, entry.version);
            return Err(Diagnostic::error(Code::PluginChanged, message).hint("nothing was installed"));
        }
        Ok((manifest, found))
    }
}
