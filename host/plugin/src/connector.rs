//! Connectors: how a compute engine outside the host reads and writes one product. What they say is data.

use crate::bindings::connector as k;
use crate::component::{Loaded, refused, store, told};
use crate::grants;
use crate::manifest::PluginManifest;
use crate::runtime::{Guest, Limits, Runtime, failed};
use crate::{Classified, NativeColumn};
use dvt_diagnostic::{Code, Diagnostic};
use dvt_planner::types::CanonicalType;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use wasmtime::Store;
use wasmtime::component::{Component, HasSelf, Linker};

impl k::dvt::plugin::log::Host for Guest {
    fn write(&mut self, _level: k::dvt::plugin::log::Level, message: String) {
        self.note(message);
    }
}

/// A file that the engine needs for a product.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Artifact {
    /// As a package index names it: `group:name:version`.
    pub coordinates: String,
    /// File names that are this driver; `*` stands for any text.
    pub files: Vec<String>,
    /// The package of Debian that has it, or empty.
    pub debian: String,
    /// What else helps a person who has none of them.
    pub advice: String,
}

impl Artifact {
    /// Whether a file of this name is the driver.
    pub fn is(&self, name: &str) -> bool {
        self.files.iter().any(|pattern| match pattern.split_once('*') {
            None => pattern == name,
            Some((start, end)) => name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end),
        })
    }
}

/// How the engine reaches a target. No secret is in it: `secret_options` names the profile key for an option.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectorOptions {
    pub format: String,
    pub url: String,
    /// Of reads and of writes; `{tag}` stands for the label of a statement.
    pub common: BTreeMap<String, String>,
    pub reading: BTreeMap<String, String>,
    pub writing: BTreeMap<String, String>,
    /// Option to profile key.
    pub secret_options: BTreeMap<String, String>,
    pub artifacts: Vec<Artifact>,
    pub engine_settings: BTreeMap<String, String>,
}

/// How a compute engine outside the host reads and writes one product.
pub trait Connector: Send + Sync {
    fn manifest(&self) -> &PluginManifest;
    /// `profile`: the target's keys without secrets; `secrets`: the keys that have one.
    fn options(&self, profile: &Value, secrets: &[String]) -> Result<ConnectorOptions, Diagnostic>;
    /// Per column the product's expression with `{}` for the column, or None where the column is read as it is.
    fn read_casts(&self, columns: &[NativeColumn]) -> Result<Vec<Option<String>>, Diagnostic>;
    /// Per type the engine's expression with `{}` for the column, or None where the value is written as it is.
    fn write_casts(&self, types: &[CanonicalType]) -> Result<Vec<Option<String>>, Diagnostic>;
    /// A query whose rows are statements that end what runs under the label.
    fn cancel_sql(&self, tag: &str) -> Result<Option<String>, Diagnostic>;
    fn classify_error(&self, exception: &str, sqlstate: Option<&str>, message: &str) -> Result<Classified, Diagnostic>;
}

pub struct ComponentConnector {
    loaded: Loaded<k::ConnectorPluginPre<Guest>>,
}

impl ComponentConnector {
    pub fn load(manifest: PluginManifest, runtime: Arc<Runtime>, limits: Limits, component: &Component) -> Result<Self, Diagnostic> {
        let mut linker: Linker<Guest> = Linker::new(&runtime.engine);
        k::dvt::plugin::log::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |g| g).map_err(|e| refused(&manifest, &e))?;
        let pre = linker.instantiate_pre(component).and_then(k::ConnectorPluginPre::new).map_err(|e| refused(&manifest, &e))?;
        Ok(Self { loaded: Loaded { manifest, limits, runtime, pre } })
    }

    fn call<T>(&self, name: &str, f: impl FnOnce(&k::ConnectorPlugin, &mut Store<Guest>) -> Result<T, wasmtime::Error>) -> Result<T, Diagnostic> {
        let mut store = store(&self.loaded.runtime, &self.loaded.limits);
        let result = self.loaded.pre.instantiate(&mut store).and_then(|i| f(&i, &mut store));
        result.map_err(|e| failed(&self.loaded.manifest.id, name, &e, store.data(), &self.loaded.limits))
    }

    fn say(&self, e: k::exports::dvt::plugin::connector::Error) -> Diagnostic {
        told(&self.loaded.manifest.id, &e.code, e.message, e.hint)
    }

    fn all<T>(&self, call: &str, answer: Vec<T>, asked: usize) -> Result<Vec<T>, Diagnostic> {
        if answer.len() == asked {
            return Ok(answer);
        }
        Err(Diagnostic::error(Code::PluginContract, format!("plugin `{}` broke the contract in `{call}`: {asked} asked, {} answered", self.loaded.manifest.id, answer.len())))
    }
}

impl Connector for ComponentConnector {
    fn manifest(&self) -> &PluginManifest {
        &self.loaded.manifest
    }
    fn options(&self, profile: &Value, secrets: &[String]) -> Result<ConnectorOptions, Diagnostic> {
        let json = profile.to_string();
        let o = self.call("options", |p, s| p.dvt_plugin_connector().call_options(s, &json, secrets))?.map_err(|e| self.say(e))?;
        grants::check_source(&self.loaded.manifest, &o.format)?;
        grants::check_url(&self.loaded.manifest, profile, &o.url)?;
        Ok(ConnectorOptions {
            format: o.format,
            url: o.url,
            common: o.common.into_iter().collect(),
            reading: o.reading.into_iter().collect(),
            writing: o.writing.into_iter().collect(),
            secret_options: o.secret_options.into_iter().collect(),
            artifacts: o.artifacts.into_iter().map(|a| Artifact { coordinates: a.coordinates, files: a.files, debian: a.debian, advice: a.advice }).collect(),
            engine_settings: o.engine_settings.into_iter().collect(),
        })
    }
    fn read_casts(&self, columns: &[NativeColumn]) -> Result<Vec<Option<String>>, Diagnostic> {
        let asked: Vec<k::exports::dvt::plugin::connector::NativeColumn> = columns
            .iter()
            .map(|x| k::exports::dvt::plugin::connector::NativeColumn { name: x.name.clone(), native: x.native.clone(), collation: x.collation.clone() })
            .collect();
        let answer = self.call("read-casts", |p, s| p.dvt_plugin_connector().call_read_casts(s, &asked))?.map_err(|e| self.say(e))?;
        self.all("read-casts", answer, columns.len())
    }
    fn write_casts(&self, types: &[CanonicalType]) -> Result<Vec<Option<String>>, Diagnostic> {
        let asked: Vec<String> = types.iter().map(ToString::to_string).collect();
        let answer = self.call("write-casts", |p, s| p.dvt_plugin_connector().call_write_casts(s, &asked))?.map_err(|e| self.say(e))?;
        self.all("write-casts", answer, types.len())
    }
    fn cancel_sql(&self, tag: &str) -> Result<Option<String>, Diagnostic> {
        self.call("cancel-sql", |p, s| p.dvt_plugin_connector().call_cancel_sql(s, tag))
    }
    fn classify_error(&self, exception: &str, sqlstate: Option<&str>, message: &str) -> Result<Classified, Diagnostic> {
        let answer = self.call("classify-error", |p, s| p.dvt_plugin_connector().call_classify_error(s, exception, sqlstate, message))?;
        Ok(Classified { code: answer.code, hint: answer.hint })
    }
}

#[cfg(test)]
mod tests {
    use super::Artifact;

    #[test]
    fn a_driver_is_known_by_its_name_whatever_its_version() {
        let artifact = Artifact { files: vec!["db-*.jar".to_owned(), "db.jar".to_owned()], ..Artifact::default() };
        assert!(artifact.is("db-42.7.jar") && artifact.is("db.jar"));
        assert!(!artifact.is("db-.zip") && !artifact.is("xdb.jar") && !artifact.is("other-1.jar"));
    }
}
