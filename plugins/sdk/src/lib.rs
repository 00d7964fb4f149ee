//! What a plugin is written with: the contract's bindings, a trait and an export macro for each kind of plugin, types as
//! the product writes them.
//!
//! A plugin is a `cdylib` for wasm32-unknown-unknown; `dvt plugin pack` makes it a component with its manifest. The
//! traits are plain Rust, so a plugin's tests run natively. `dvt plugin new` writes one to start from.

pub mod driver;
pub mod engines;
mod export;
pub mod fill;
mod native_type;
pub mod wire;

pub use native_type::NativeType;

/// Bindings of adapters.
pub mod adapter_world {
    wit_bindgen::generate!({
        path: "../wit",
        world: "adapter-plugin",
        pub_export_macro: true,
        export_macro_name: "export_adapter_world",
        default_bindings_module: "dvt_plugin_sdk::adapter_world",
    });
}

/// Bindings of what a wire plugin has more than an adapter; both parts together are the world `wire-plugin`.
pub mod connection_world {
    wit_bindgen::generate!({
        inline: "
            package dvt:sdk;
            world connection-part {
                import dvt:plugin/host-net@0.1.0;
                import dvt:plugin/host-auth@0.1.0;
                export dvt:plugin/connection@0.1.0;
            }
        ",
        path: "../wit",
        world: "dvt:sdk/connection-part",
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_connection_world",
        default_bindings_module: "dvt_plugin_sdk::connection_world",
    });
}

/// Bindings of computes.
pub mod compute_world {
    wit_bindgen::generate!({
        path: "../wit",
        world: "compute-plugin",
        pub_export_macro: true,
        export_macro_name: "export_compute_world",
        default_bindings_module: "dvt_plugin_sdk::compute_world",
    });
}

/// A plugin's failure, for the user.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Failure {
    /// dvt's code; empty lets the host choose.
    pub code: String,
    pub message: String,
    pub hint: Option<String>,
    /// The product's own code. With an empty `code`, the adapter's `classify` says what it means.
    pub sqlstate: Option<String>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl Failure {
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), hint: None, sqlstate: None }
    }
    /// An error in the product's own words and code.
    pub fn database(sqlstate: impl Into<String>, message: impl Into<String>) -> Self {
        Self { sqlstate: Some(sqlstate.into()), ..Self::new("", message) }
    }
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// How the host reaches a target; see the contract.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnectPlan {
    pub driver: String,
    pub options: Vec<(String, String)>,
    pub secret_options: Vec<(String, String)>,
    pub session_setup: Vec<String>,
    pub endpoint: String,
}

/// A relation to look up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Relation {
    pub database: Option<String>,
    pub schema: Option<String>,
    pub identifier: String,
}

/// A target's profile keys.
pub struct Profile {
    keys: serde_json::Map<String, serde_json::Value>,
    secrets: Vec<String>,
}

impl Profile {
    pub fn read(json: &str, secrets: Vec<String>) -> Result<Self, Failure> {
        let keys = serde_json::from_str(json).map_err(|e| Failure::new("DVT5008", format!("the profile is no JSON object: {e}")))?;
        Ok(Self { keys, secrets })
    }
    /// A key's value as text; None when absent or null.
    pub fn text(&self, key: &str) -> Option<String> {
        match self.keys.get(key)? {
            serde_json::Value::Null => None,
            serde_json::Value::String(s) => Some(s.clone()),
            other => Some(other.to_string()),
        }
    }
    /// The entries of a mapping.
    pub fn entries(&self, key: &str) -> Vec<(String, String)> {
        let text = |v: &serde_json::Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
        self.keys.get(key).and_then(|v| v.as_object()).map(|m| m.iter().map(|(k, v)| (k.clone(), text(v))).collect()).unwrap_or_default()
    }
    pub fn has(&self, key: &str) -> bool {
        self.keys.get(key).is_some_and(|v| !v.is_null() && v.as_array().is_none_or(|a| !a.is_empty()))
    }
    pub fn has_secret(&self, key: &str) -> bool {
        self.secrets.iter().any(|s| s == key)
    }
    pub fn require(&self, key: &str) -> Result<String, Failure> {
        self.text(key).filter(|v| !v.is_empty()).ok_or_else(|| Failure::new("DVT1003", format!("the output has no `{key}`")).hint(format!("add `{key}:` to it in profiles.yml")))
    }
}

/// A SQL string literal.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// One product's adapter.
pub trait Adapter {
    const SHEET: &'static str;
    const MACROS: &'static [(&'static str, &'static str)];

    fn connect(profile: &Profile) -> Result<ConnectPlan, Failure>;
    fn catalog_sql(relations: &[Relation]) -> Result<String, Failure>;
    fn list_sql(database: Option<&str>, schema: &str) -> Result<String, Failure>;
    /// The canonical type of a native one, or why it cannot be carried.
    fn canonical(native: &NativeType) -> Result<String, String>;
    /// The DDL type of a canonical one; None when the product has none for it.
    fn ddl(canonical: &NativeType) -> Option<String>;
    /// dvt's code and a hint for an error.
    fn classify(sqlstate: Option<&str>, message: &str) -> (String, Option<String>);
    fn merge_statement(version: &str) -> bool;
}

/// One compute engine.
pub trait Compute {
    fn plan(config: &serde_json::Value) -> Result<(String, Vec<(String, String)>, String), Failure>;
    fn canonical(native: &NativeType) -> Result<String, String>;
}

/// Makes a panic readable for the plugin's author: a trap alone says nothing.
pub fn report_panics(write: fn(&str)) {
    static ONCE: std::sync::Once = std::sync::Once::new();
    static WRITE: std::sync::OnceLock<fn(&str)> = std::sync::OnceLock::new();
    let _ = WRITE.set(write);
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            if let Some(write) = WRITE.get() {
                write(&info.to_string());
            }
        }));
    });
}

/// JSON text of the host as a value.
pub fn json(text: &str) -> Result<serde_json::Value, Failure> {
    serde_json::from_str(text).map_err(|e| Failure::new("DVT5008", format!("the host sent no JSON: {e}")))
}
