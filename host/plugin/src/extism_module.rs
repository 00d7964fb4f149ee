//! Adapters that are Extism modules: the contract's records as JSON, one export per call, no host functions.
//!
//! Export names are the contract's with underscores: `dialect_sheet`, `adapter_connect`. A call's input is a JSON array
//! of its arguments; its output is the JSON result, or `{"error": {...}}`.

use crate::component::whole_sheet;
use crate::grants;
use crate::manifest::PluginManifest;
use crate::runtime::{Limits, fits};
use crate::{Adapter, Capabilities, Classified, ConnectPlan, MappedColumn, NativeColumn};
use dvt_diagnostic::{Code, Diagnostic};
use dvt_planner::dialect::DialectSheet;
use dvt_planner::types::CanonicalType;
use dvt_project::RelationName;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;

/// A page of WebAssembly memory.
const PAGE: usize = 64 << 10;

pub struct ExtismAdapter {
    manifest: PluginManifest,
    limits: Limits,
    wasm: extism::Manifest,
    sheet: DialectSheet,
    sheet_text: String,
    macros: BTreeMap<String, String>,
}

impl fmt::Debug for ExtismAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "adapter {} (extism)", self.manifest.id)
    }
}

#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    code: String,
    message: String,
    #[serde(default)]
    hint: Option<String>,
}

/// Whether Extism's words are about memory that it did not give; an access beyond the end is a trap like others.
fn hungry(text: &str) -> bool {
    text.contains("oom") || text.contains("memory minimum size") || text.contains("exceeds memory limits") || (text.contains("memory") && text.contains("limit"))
}

fn call<T: DeserializeOwned>(id: &str, wasm: &extism::Manifest, limits: &Limits, name: &str, arguments: &Value) -> Result<T, Diagnostic> {
    let trap = |e: extism::Error| {
        let text = format!("{e:#}");
        if text.contains("timeout") {
            return Diagnostic::error(Code::PluginTimeout, format!("plugin `{id}` ran longer than {} ms in `{name}`", limits.time.as_millis()));
        }
        if hungry(&text) {
            return Diagnostic::error(Code::PluginMemory, format!("plugin `{id}` wanted more than {} MB of memory in `{name}`", limits.memory >> 20));
        }
        Diagnostic::error(Code::PluginTrap, format!("plugin `{id}` failed in `{name}`: {text}"))
    };
    // A module that imports more than Extism's own functions is refused here: WASI is off and nothing is linked.
    let mut plugin = extism::Plugin::new(wasm, [], false)
        .map_err(|e| {
            if hungry(&format!("{e:#}")) {
                return Diagnostic::error(Code::PluginMemory, format!("plugin `{id}` wants more than {} MB of memory", limits.memory >> 20));
            }
            Diagnostic::error(Code::PluginNotGranted, format!("plugin `{id}` cannot be started: {e:#}")).hint("an Extism plugin gets no WASI and no host functions")
        })?;
    let output: String = plugin.call(name, arguments.to_string()).map_err(trap)?;
    fits(id, name, output.len(), limits)?;
    let broken = |e: serde_json::Error| Diagnostic::error(Code::PluginContract, format!("plugin `{id}` broke the contract in `{name}`: {e}"));
    let value: Value = serde_json::from_str(&output).map_err(broken)?;
    if let Some(error) = value.get("error") {
        let told: Told = serde_json::from_value(error.clone()).map_err(broken)?;
        let out = Diagnostic::error(told.code.parse().unwrap_or(Code::PluginContract), told.message);
        return Err(match told.hint {
            Some(hint) => out.hint(hint),
            None => out,
        });
    }
    serde_json::from_value(value).map_err(broken)
}

impl ExtismAdapter {
    /// `base` as for components.
    pub fn load(manifest: PluginManifest, limits: Limits, bytes: Vec<u8>, base: &dyn Fn(&str) -> Result<String, Diagnostic>) -> Result<Self, Diagnostic> {
        let pages = u32::try_from(limits.memory / PAGE).unwrap_or(u32::MAX);
        let wasm = extism::Manifest::new([extism::Wasm::data(bytes)]).with_timeout(limits.time).with_memory_max(pages).disallow_all_hosts();
        let id = manifest.id.clone();
        let sheet_text: String = call(&id, &wasm, &limits, "dialect_sheet", &json!([]))?;
        let macros: BTreeMap<String, String> = call(&id, &wasm, &limits, "dialect_macros", &json!([]))?;
        let (sheet, sheet_text) = whole_sheet(&id, sheet_text, base)?;
        Ok(Self { manifest, limits, wasm, sheet, sheet_text, macros })
    }
    fn ask<T: DeserializeOwned>(&self, name: &str, arguments: &Value) -> Result<T, Diagnostic> {
        call(&self.manifest.id, &self.wasm, &self.limits, name, arguments)
    }
}

impl Adapter for ExtismAdapter {
    fn manifest(&self) -> &PluginManifest {
        &self.manifest
    }
    fn sheet(&self) -> &DialectSheet {
        &self.sheet
    }
    fn sheet_text(&self) -> &str {
        &self.sheet_text
    }
    fn macro_package(&self) -> &BTreeMap<String, String> {
        &self.macros
    }
    fn connect(&self, profile: &Value, secrets: &[String]) -> Result<ConnectPlan, Diagnostic> {
        let plan: ConnectPlan = self.ask("adapter_connect", &json!([profile, secrets]))?;
        grants::check(&self.manifest, profile, &plan)?;
        Ok(plan)
    }
    fn catalog_sql(&self, relations: &[RelationName]) -> Result<String, Diagnostic> {
        self.ask("adapter_catalog_sql", &json!([relations]))
    }
    fn list_sql(&self, database: Option<&str>, schema: &str) -> Result<String, Diagnostic> {
        self.ask("adapter_list_sql", &json!([database, schema]))
    }
    fn map_native(&self, columns: &[NativeColumn]) -> Result<Vec<MappedColumn>, Diagnostic> {
        self.ask("adapter_map_native", &json!([columns]))
    }
    fn ddl_types(&self, types: &[CanonicalType]) -> Result<Vec<String>, Diagnostic> {
        self.ask("adapter_ddl_types", &json!([types]))
    }
    fn classify_error(&self, sqlstate: Option<&str>, message: &str) -> Result<Classified, Diagnostic> {
        self.ask("adapter_classify_error", &json!([sqlstate, message]))
    }
    fn capabilities(&self, server_version: &str) -> Result<Capabilities, Diagnostic> {
        self.ask("dialect_capabilities", &json!([server_version]))
    }
}
