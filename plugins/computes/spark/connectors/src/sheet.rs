//! A connector as data: the file of one product, and what it answers.

use dvt_plugin_sdk::engines::{Artifact, ConnectorOptions, Meaning};
use dvt_plugin_sdk::{Failure, NativeType, Profile};
use crate::rule::{self, Rule};
use dvt_plugin_sdk::fill;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The file of one product.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sheet {
    /// The manifest: what packing reads.
    #[serde(rename = "plugin")]
    _plugin: serde::de::IgnoredAny,
    /// `jdbc`, or the engine's name of a source of its own.
    #[serde(default = "jdbc")]
    format: String,
    /// With `{key}` of the profile, encoded as parts of a URL are. A source that is reached by options alone has none.
    #[serde(default)]
    url: String,
    /// Keys that the profile must have.
    #[serde(default)]
    require: Vec<String>,
    /// Values of keys that the profile leaves out.
    #[serde(default)]
    defaults: BTreeMap<String, String>,
    /// Options of reads and of writes. One whose `{key}` the profile lacks is left out; `{tag}`, `{query}`, `{table}` and
    /// `{snapshot}` are the host's.
    #[serde(default)]
    common: BTreeMap<String, String>,
    #[serde(default)]
    reading: BTreeMap<String, String>,
    #[serde(default)]
    writing: BTreeMap<String, String>,
    /// Option to profile key.
    #[serde(default)]
    secrets: BTreeMap<String, String>,
    /// Settings of the whole session, and with `dvt.` before them those for the host.
    #[serde(default)]
    settings: BTreeMap<String, String>,
    /// Options that hold when a key of the profile has one of some values.
    #[serde(default)]
    when: Vec<When>,
    #[serde(default)]
    artifacts: Vec<File>,
    /// How native types are read; the first that fits counts.
    #[serde(default)]
    read: Vec<Rule>,
    /// How canonical types are written.
    #[serde(default)]
    write: Vec<Rule>,
    #[serde(default)]
    cancel: Option<String>,
    #[serde(default)]
    errors: Vec<Error>,
}

fn jdbc() -> String {
    "jdbc".to_owned()
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct When {
    key: String,
    is: Vec<String>,
    #[serde(default)]
    common: BTreeMap<String, String>,
    #[serde(default)]
    secrets: BTreeMap<String, String>,
    /// In place of the sheet's.
    #[serde(default)]
    url: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    coordinates: String,
    files: Vec<String>,
    #[serde(default)]
    debian: String,
    #[serde(default)]
    advice: String,
}

/// An error by the start of its SQLSTATE or by a part of its words.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Error {
    #[serde(default)]
    sqlstate: Vec<String>,
    #[serde(default)]
    says: Vec<String>,
    code: String,
    #[serde(default)]
    hint: Option<String>,
}

impl Sheet {
    pub fn read(text: &str) -> Result<Self, Failure> {
        toml::from_str(text).map_err(|e| Failure::new("DVT1014", format!("a connector's sheet cannot be read: {e}")))
    }

    pub fn options(&self, profile: &Profile) -> Result<ConnectorOptions, Failure> {
        for key in &self.require {
            profile.require(key)?;
        }
        let value = |key: &str| profile.text(key).filter(|v| !v.is_empty()).or_else(|| self.defaults.get(key).cloned());
        let filled = |all: &BTreeMap<String, String>| -> Vec<(String, String)> {
            all.iter().filter_map(|(option, text)| Some((option.clone(), fill::fill(text, &value, false)?))).collect()
        };
        let holds = |when: &&When| value(&when.key).is_some_and(|v| when.is.iter().any(|is| is.eq_ignore_ascii_case(&v)));
        let when = || self.when.iter().filter(holds);
        let url = when().find_map(|w| w.url.as_ref()).unwrap_or(&self.url);
        let url = fill::fill(url, &value, true)
            .ok_or_else(|| Failure::new("DVT1003", format!("the output lacks a key of `{}`", self.url)).hint("add it to the output in profiles.yml"))?;
        let mut common = filled(&self.common);
        // A later one replaces an earlier one of the same name.
        let more: BTreeMap<String, String> = when().flat_map(|w| filled(&w.common)).collect();
        common.retain(|(option, _)| !more.contains_key(option));
        common.extend(more);
        let secret_options = self.secrets.iter().chain(when().flat_map(|w| &w.secrets)).filter(|(_, key)| profile.has_secret(key)).map(|(o, k)| (o.clone(), k.clone())).collect();
        let artifacts = self.artifacts.iter().map(|a| Artifact { coordinates: a.coordinates.clone(), files: a.files.clone(), debian: a.debian.clone(), advice: a.advice.clone() });
        Ok(ConnectorOptions {
            format: self.format.clone(),
            url,
            common,
            reading: filled(&self.reading),
            writing: filled(&self.writing),
            secret_options,
            artifacts: artifacts.collect(),
            engine_settings: filled(&self.settings),
        })
    }

    pub fn read_cast(&self, native: &NativeType) -> Result<Option<String>, String> {
        rule::apply(&self.read, native)
    }

    pub fn write_cast(&self, canonical: &NativeType) -> Result<Option<String>, String> {
        rule::apply(&self.write, canonical)
    }

    pub fn cancel_sql(&self, tag: &str) -> Option<String> {
        // A label is the host's own word; what is no letter cannot end a literal.
        let tag: String = tag.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
        self.cancel.as_ref().map(|sql| sql.replace("{tag}", &tag))
    }

    pub fn classify(&self, sqlstate: Option<&str>, message: &str) -> Meaning {
        let fits = |e: &&Error| e.sqlstate.iter().any(|s| sqlstate.is_some_and(|own| own.starts_with(s.as_str()))) || e.says.iter().any(|s| message.contains(s.as_str()));
        self.errors.iter().find(fits).map(|e| Meaning { code: e.code.clone(), hint: e.hint.clone(), again: false }).unwrap_or_default()
    }
}
