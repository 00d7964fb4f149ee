//! Plugins that are components: one store per call, so no call sees what another left.

use crate::bindings::{adapter as a, compute as c, engine as e, wire as w};
use crate::grants;
use crate::manifest::PluginManifest;
use crate::runtime::{Guest, Limits, Runtime, failed, fits};
use crate::wire::{Opened, PERMISSION, WireConnection};
use crate::{Adapter, Capabilities, Classified, ComputePlugin, ConnectPlan, EngineFailure, EnginePlan, MappedColumn, NativeColumn};
use dvt_diagnostic::{Code, Diagnostic};
use dvt_engine::{ConnectSpec, Connection, EngineError, ErrorKind, PluginFault};
use dvt_planner::dialect::DialectSheet;
use dvt_planner::types::CanonicalType;
use dvt_project::RelationName;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use wasmtime::Store;
use wasmtime::component::{Component, HasSelf, Linker};

impl a::dvt::plugin::log::Host for Guest {
    fn write(&mut self, _level: a::dvt::plugin::log::Level, message: String) {
        self.note(message);
    }
}
impl c::dvt::plugin::log::Host for Guest {
    fn write(&mut self, _level: c::dvt::plugin::log::Level, message: String) {
        self.note(message);
    }
}

impl e::dvt::plugin::log::Host for Guest {
    fn write(&mut self, _level: e::dvt::plugin::log::Level, message: String) {
        self.note(message);
    }
}

/// What all kinds share.
pub(crate) struct Loaded<P> {
    pub manifest: PluginManifest,
    pub limits: Limits,
    pub runtime: Arc<Runtime>,
    pub pre: P,
}

pub(crate) fn store(runtime: &Runtime, limits: &Limits) -> Store<Guest> {
    let mut store = Store::new(&runtime.engine, Guest::new(limits));
    store.limiter(|g| g);
    store.set_epoch_deadline(limits.ticks());
    store
}

/// An import that is not lent is refused when the plugin is loaded; the engine's message names it.
pub(crate) fn refused(manifest: &PluginManifest, error: &wasmtime::Error) -> Diagnostic {
    let text = format!("{error:#}");
    let wanted = text.split('`').nth(1).unwrap_or("an import");
    if text.contains("matching implementation was not found") {
        let hint = if wanted.starts_with("dvt:plugin/host-") {
            format!("its manifest lacks the permission `{PERMISSION}`: ask its author")
        } else {
            "a plugin gets no files, clock, environment or network of its own".to_owned()
        };
        return Diagnostic::error(Code::PluginNotGranted, format!("plugin `{}` asks for `{wanted}`, which it is not granted", manifest.id)).hint(hint);
    }
    Diagnostic::error(Code::PluginInvalid, format!("plugin `{}` cannot be loaded: {text}", manifest.id))
}

fn code(text: &str, usual: Code) -> Code {
    text.parse().unwrap_or(usual)
}

/// An error that the plugin gave.
pub(crate) fn told(id: &str, code_text: &str, message: String, hint: Option<String>) -> Diagnostic {
    let out = Diagnostic::error(code(code_text, Code::PluginContract), message);
    match hint {
        Some(hint) => out.hint(hint),
        None if code_text.is_empty() => out.hint(format!("said by plugin `{id}`")),
        None => out,
    }
}

fn mapped(id: &str, columns: Vec<(Option<String>, Option<String>)>, asked: usize) -> Result<Vec<MappedColumn>, Diagnostic> {
    let broken = |why: String| Diagnostic::error(Code::PluginContract, format!("plugin `{id}` broke the contract in `map-native`: {why}"));
    if columns.len() != asked {
        return Err(broken(format!("{asked} columns asked, {} answered", columns.len())));
    }
    columns
        .into_iter()
        .map(|(canonical, refused)| {
            let canonical = canonical.map(|c| c.parse::<CanonicalType>()).transpose().map_err(broken)?;
            Ok(MappedColumn { canonical, refused })
        })
        .collect()
}

/// The sheet and its text, over what it extends.
pub fn whole_sheet(id: &str, text: String, base: &dyn Fn(&str) -> Result<String, Diagnostic>) -> Result<(DialectSheet, String), Diagnostic> {
    let about = |e: Diagnostic| Diagnostic { message: format!("plugin `{id}`: {}", e.message), ..e };
    let Some(extended) = DialectSheet::extended(&text).map_err(about)? else {
        return Ok((DialectSheet::parse(&text).map_err(about)?, text));
    };
    let whole = DialectSheet::over(&text, &base(&extended).map_err(about)?).map_err(about)?;
    let text = toml::to_string(&whole).map_err(|e| about(Diagnostic::error(Code::Dialect, e.to_string())))?;
    Ok((DialectSheet::parse(&text).map_err(about)?, text))
}

pub struct ComponentAdapter {
    loaded: Loaded<a::AdapterPluginPre<Guest>>,
    /// The same component as one that speaks its own protocol, when it does.
    wire: Option<w::WirePluginPre<Guest>>,
    sheet: DialectSheet,
    sheet_text: String,
    macros: BTreeMap<String, String>,
}

impl fmt::Debug for ComponentAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "adapter {}", self.loaded.manifest.id)
    }
}

impl Loaded<a::AdapterPluginPre<Guest>> {
    fn call<T>(&self, name: &str, f: impl FnOnce(&a::AdapterPlugin, &mut Store<Guest>) -> Result<T, wasmtime::Error>) -> Result<T, Diagnostic> {
        let mut store = store(&self.runtime, &self.limits);
        let result = self.pre.instantiate(&mut store).and_then(|i| f(&i, &mut store));
        result.map_err(|e| failed(&self.manifest.id, name, &e, store.data(), &self.limits))
    }
}

impl ComponentAdapter {
    /// `base` gives the sheet of another adapter's type, for a sheet that extends it.
    pub fn load(
        manifest: PluginManifest,
        runtime: Arc<Runtime>,
        limits: Limits,
        component: &Component,
        base: &dyn Fn(&str) -> Result<String, Diagnostic>,
    ) -> Result<Self, Diagnostic> {
        let mut linker: Linker<Guest> = Linker::new(&runtime.engine);
        let link = |e: wasmtime::Error| refused(&manifest, &e);
        a::dvt::plugin::log::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |g| g).map_err(link)?;
        if manifest.permissions.iter().any(|p| p == PERMISSION) {
            w::dvt::plugin::host_net::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |g| g).map_err(link)?;
            w::dvt::plugin::host_auth::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |g| g).map_err(link)?;
        }
        let instance = linker.instantiate_pre(component).map_err(link)?;
        let speaks = component.component_type().exports(&runtime.engine).any(|(name, _)| name.starts_with("dvt:plugin/connection@"));
        let wire = speaks.then(|| w::WirePluginPre::new(instance.clone())).transpose().map_err(link)?;
        let pre = a::AdapterPluginPre::new(instance).map_err(link)?;
        let loaded = Loaded { manifest, limits, runtime, pre };
        let id = loaded.manifest.id.clone();
        let sheet_text = loaded.call("sheet", |p, s| p.dvt_plugin_dialect().call_sheet(s))?;
        fits(&id, "sheet", sheet_text.len(), &loaded.limits)?;
        let macros = loaded.call("macros", |p, s| p.dvt_plugin_dialect().call_macros(s))?;
        fits(&id, "macros", macros.iter().map(|(p, t)| p.len() + t.len()).sum(), &loaded.limits)?;
        let (sheet, sheet_text) = whole_sheet(&id, sheet_text, base)?;
        Ok(Self { loaded, wire, sheet, sheet_text, macros: macros.into_iter().collect() })
    }

    fn id(&self) -> &str {
        &self.loaded.manifest.id
    }
    fn say(&self, e: a::exports::dvt::plugin::adapter::Error) -> Diagnostic {
        told(self.id(), &e.code, e.message, e.hint)
    }
    fn text(&self, call: &str, answer: Result<String, a::exports::dvt::plugin::adapter::Error>) -> Result<String, Diagnostic> {
        let text = answer.map_err(|e| self.say(e))?;
        fits(self.id(), call, text.len(), &self.loaded.limits)?;
        Ok(text)
    }
}

impl Adapter for ComponentAdapter {
    fn manifest(&self) -> &PluginManifest {
        &self.loaded.manifest
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
        let json = profile.to_string();
        let plan = self.loaded.call("connect", |p, s| p.dvt_plugin_adapter().call_connect(s, &json, secrets))?.map_err(|e| self.say(e))?;
        let plan = ConnectPlan {
            driver: plan.driver,
            options: plan.options.into_iter().collect(),
            secret_options: plan.secret_options.into_iter().collect(),
            session_setup: plan.session_setup,
            endpoint: plan.endpoint,
        };
        grants::check(self.manifest(), profile, &plan)?;
        Ok(plan)
    }
    fn catalog_sql(&self, relations: &[RelationName]) -> Result<String, Diagnostic> {
        let asked: Vec<a::exports::dvt::plugin::adapter::RelationName> = relations
            .iter()
            .map(|r| a::exports::dvt::plugin::adapter::RelationName { database: r.database.clone(), schema: r.schema.clone(), identifier: r.identifier.clone() })
            .collect();
        let answer = self.loaded.call("catalog-sql", |p, s| p.dvt_plugin_adapter().call_catalog_sql(s, &asked))?;
        self.text("catalog-sql", answer)
    }
    fn list_sql(&self, database: Option<&str>, schema: &str) -> Result<String, Diagnostic> {
        let answer = self.loaded.call("list-sql", |p, s| p.dvt_plugin_adapter().call_list_sql(s, database, schema))?;
        self.text("list-sql", answer)
    }
    fn map_native(&self, columns: &[NativeColumn]) -> Result<Vec<MappedColumn>, Diagnostic> {
        let asked: Vec<a::exports::dvt::plugin::adapter::NativeColumn> = columns
            .iter()
            .map(|c| a::exports::dvt::plugin::adapter::NativeColumn { name: c.name.clone(), native: c.native.clone(), collation: c.collation.clone() })
            .collect();
        let answer = self.loaded.call("map-native", |p, s| p.dvt_plugin_adapter().call_map_native(s, &asked))?.map_err(|e| self.say(e))?;
        mapped(self.id(), answer.into_iter().map(|m| (m.canonical, m.refused)).collect(), columns.len())
    }
    fn ddl_types(&self, types: &[CanonicalType]) -> Result<Vec<String>, Diagnostic> {
        let asked: Vec<String> = types.iter().map(ToString::to_string).collect();
        let answer = self.loaded.call("ddl-types", |p, s| p.dvt_plugin_adapter().call_ddl_types(s, &asked))?.map_err(|e| self.say(e))?;
        if answer.len() != asked.len() {
            return Err(Diagnostic::error(Code::PluginContract, format!("plugin `{}` broke the contract in `ddl-types`", self.id())));
        }
        Ok(answer)
    }
    fn classify_error(&self, sqlstate: Option<&str>, message: &str) -> Result<Classified, Diagnostic> {
        let answer = self.loaded.call("classify-error", |p, s| p.dvt_plugin_adapter().call_classify_error(s, sqlstate, message))?;
        Ok(Classified { code: answer.code, hint: answer.hint })
    }
    fn capabilities(&self, server_version: &str) -> Result<Capabilities, Diagnostic> {
        let answer = self.loaded.call("capabilities", |p, s| p.dvt_plugin_dialect().call_capabilities(s, server_version))?;
        Ok(Capabilities { merge_statement: answer.merge_statement, transactional_ddl: answer.transactional_ddl, materialized_view: answer.materialized_view })
    }
    fn open(self: Arc<Self>, spec: &ConnectSpec) -> Result<Box<dyn Connection>, EngineError> {
        let Some(wire) = &self.wire else {
            let message = format!("plugin `{}` names its own connection and has none", self.id());
            return Err(EngineError::new(ErrorKind::Plugin(PluginFault::Contract), message).hint("export `connection`, or name a native driver"));
        };
        let mut store = store(&self.loaded.runtime, &self.loaded.limits);
        let plugin = wire.instantiate(&mut store).map_err(|e| {
            EngineError::new(ErrorKind::Plugin(PluginFault::Trap), format!("plugin `{}` cannot be started: {e:#}", self.id()))
        })?;
        let opened = Opened { store, plugin, limits: self.loaded.limits, adapter: self.clone() };
        Ok(Box::new(WireConnection::open(opened, spec)?))
    }
}

pub struct ComponentCompute {
    loaded: Loaded<c::ComputePluginPre<Guest>>,
    /// The same component as one whose engine runs outside, when it does.
    outer: Option<e::OuterComputePluginPre<Guest>>,
}

impl fmt::Debug for ComponentCompute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "compute {}", self.loaded.manifest.id)
    }
}

impl ComponentCompute {
    pub fn load(manifest: PluginManifest, runtime: Arc<Runtime>, limits: Limits, component: &Component) -> Result<Self, Diagnostic> {
        let mut linker: Linker<Guest> = Linker::new(&runtime.engine);
        let link = |e: wasmtime::Error| refused(&manifest, &e);
        c::dvt::plugin::log::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |g| g).map_err(link)?;
        let instance = linker.instantiate_pre(component).map_err(link)?;
        let outside = component.component_type().exports(&runtime.engine).any(|(name, _)| name.starts_with("dvt:plugin/outer-compute@"));
        let outer = outside.then(|| e::OuterComputePluginPre::new(instance.clone())).transpose().map_err(link)?;
        let pre = c::ComputePluginPre::new(instance).map_err(link)?;
        Ok(Self { loaded: Loaded { manifest, limits, runtime, pre }, outer })
    }
    fn call<T>(&self, name: &str, f: impl FnOnce(&c::ComputePlugin, &mut Store<Guest>) -> Result<T, wasmtime::Error>) -> Result<T, Diagnostic> {
        let mut store = store(&self.loaded.runtime, &self.loaded.limits);
        let result = self.loaded.pre.instantiate(&mut store).and_then(|i| f(&i, &mut store));
        result.map_err(|e| failed(&self.loaded.manifest.id, name, &e, store.data(), &self.loaded.limits))
    }
    /// A call of that part; None for a plugin without it.
    fn ask<T>(&self, name: &str, f: impl FnOnce(&e::OuterComputePlugin, &mut Store<Guest>) -> Result<T, wasmtime::Error>) -> Option<Result<T, Diagnostic>> {
        let pre = self.outer.as_ref()?;
        let mut store = store(&self.loaded.runtime, &self.loaded.limits);
        let result = pre.instantiate(&mut store).and_then(|i| f(&i, &mut store));
        Some(result.map_err(|e| failed(&self.loaded.manifest.id, name, &e, store.data(), &self.loaded.limits)))
    }
}

impl ComputePlugin for ComponentCompute {
    fn manifest(&self) -> &PluginManifest {
        &self.loaded.manifest
    }
    fn plan(&self, config: &Value) -> Result<EnginePlan, Diagnostic> {
        let json = config.to_string();
        let id = &self.loaded.manifest.id;
        let plan = self.call("plan", |p, s| p.dvt_plugin_compute().call_plan(s, &json))?.map_err(|e| told(id, &e.code, e.message, e.hint))?;
        Ok(EnginePlan { engine: plan.engine, settings: plan.settings.into_iter().collect(), dialect: plan.dialect })
    }
    fn map_native(&self, columns: &[NativeColumn]) -> Result<Vec<MappedColumn>, Diagnostic> {
        let asked: Vec<c::exports::dvt::plugin::compute::NativeColumn> = columns
            .iter()
            .map(|x| c::exports::dvt::plugin::compute::NativeColumn { name: x.name.clone(), native: x.native.clone(), collation: x.collation.clone() })
            .collect();
        let id = &self.loaded.manifest.id;
        let answer = self.call("map-native", |p, s| p.dvt_plugin_compute().call_map_native(s, &asked))?.map_err(|e| told(id, &e.code, e.message, e.hint))?;
        mapped(id, answer.into_iter().map(|m| (m.canonical, m.refused)).collect(), columns.len())
    }
    fn ddl_types(&self, types: &[CanonicalType]) -> Result<Vec<String>, Diagnostic> {
        let id = &self.loaded.manifest.id;
        let asked: Vec<String> = types.iter().map(ToString::to_string).collect();
        let Some(answer) = self.ask("ddl-types", |p, s| p.dvt_plugin_outer_compute().call_ddl_types(s, &asked)).transpose()? else {
            return Err(Diagnostic::error(Code::PluginContract, format!("plugin `{id}` says no types of its own")));
        };
        let answer = answer.map_err(|e| told(id, &e.code, e.message, e.hint))?;
        if answer.len() != asked.len() {
            return Err(Diagnostic::error(Code::PluginContract, format!("plugin `{id}` broke the contract in `ddl-types`")));
        }
        Ok(answer)
    }
    fn classify_error(&self, exceptions: &[String], sqlstate: Option<&str>, message: &str) -> Result<EngineFailure, Diagnostic> {
        let answer = self.ask("classify-error", |p, s| p.dvt_plugin_outer_compute().call_classify_error(s, exceptions, sqlstate, message)).transpose()?;
        Ok(answer.map(|c| EngineFailure { code: c.code, hint: c.hint, again: c.again }).unwrap_or_default())
    }
}
