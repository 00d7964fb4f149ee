//! What a plugin is written with: the contract's bindings, two traits, two export macros, types as the product writes them.
//!
//! A plugin is a `cdylib` for wasm32-unknown-unknown; `cargo xtask plugins` makes it a component. The traits are plain
//! Rust, so a plugin's tests run natively.

mod native_type;

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
}

impl Failure {
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), hint: None }
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

/// Exports a type that implements [`Adapter`] as the world `adapter-plugin`.
#[macro_export]
macro_rules! export_adapter {
    ($adapter:ty) => {
        struct Exported;
        mod exported {
            use super::Exported;
            use $crate::adapter_world::dvt::plugin::log;
            use $crate::adapter_world::exports::dvt::plugin::{adapter, dialect};
            use $crate::{Adapter, Failure, NativeType, Profile, Relation};

            type A = $adapter;

            fn start() {
                $crate::report_panics(|m| log::write(log::Level::Error, m));
            }
            fn error(f: Failure) -> adapter::Error {
                adapter::Error { code: f.code, message: f.message, hint: f.hint, sqlstate: None }
            }

            impl dialect::Guest for Exported {
                fn sheet() -> String {
                    A::SHEET.to_owned()
                }
                fn macros() -> Vec<(String, String)> {
                    A::MACROS.iter().map(|(p, t)| ((*p).to_owned(), (*t).to_owned())).collect()
                }
                fn capabilities(server_version: String) -> dialect::CapabilitySet {
                    start();
                    dialect::CapabilitySet { merge_statement: A::merge_statement(&server_version), transactional_ddl: true, materialized_view: false }
                }
            }

            impl adapter::Guest for Exported {
                fn connect(profile: String, secrets: Vec<String>) -> Result<adapter::ConnectPlan, adapter::Error> {
                    start();
                    let plan = Profile::read(&profile, secrets).and_then(|p| A::connect(&p)).map_err(error)?;
                    Ok(adapter::ConnectPlan {
                        driver: plan.driver,
                        options: plan.options,
                        secret_options: plan.secret_options,
                        session_setup: plan.session_setup,
                        endpoint: plan.endpoint,
                    })
                }
                fn catalog_sql(relations: Vec<adapter::RelationName>) -> Result<String, adapter::Error> {
                    start();
                    let all: Vec<Relation> =
                        relations.into_iter().map(|r| Relation { database: r.database, schema: r.schema, identifier: r.identifier }).collect();
                    A::catalog_sql(&all).map_err(error)
                }
                fn list_sql(database: Option<String>, schema: String) -> Result<String, adapter::Error> {
                    start();
                    A::list_sql(database.as_deref(), &schema).map_err(error)
                }
                fn map_native(columns: Vec<adapter::NativeColumn>) -> Result<Vec<adapter::MappedColumn>, adapter::Error> {
                    start();
                    Ok(columns
                        .iter()
                        .map(|c| match A::canonical(&NativeType::parse(&c.native)) {
                            Ok(canonical) => adapter::MappedColumn { canonical: Some(canonical), refused: None },
                            Err(why) => adapter::MappedColumn { canonical: None, refused: Some(why) },
                        })
                        .collect())
                }
                fn ddl_types(canonical: Vec<String>) -> Result<Vec<String>, adapter::Error> {
                    start();
                    canonical
                        .iter()
                        .map(|c| {
                            A::ddl(&NativeType::parse(c)).ok_or_else(|| {
                                error(Failure::new("DVT011", format!("this product has no type for {c}")).hint("cast the column in the model"))
                            })
                        })
                        .collect()
                }
                fn classify_error(sqlstate: Option<String>, message: String) -> adapter::Classified {
                    start();
                    let (code, hint) = A::classify(sqlstate.as_deref(), &message);
                    adapter::Classified { code, hint }
                }
            }
        }
        #[cfg(target_arch = "wasm32")]
        $crate::adapter_world::export_adapter_world!(Exported with_types_in $crate::adapter_world);
    };
}

/// Exports a type that implements [`Compute`] as the world `compute-plugin`.
#[macro_export]
macro_rules! export_compute {
    ($compute:ty) => {
        struct Exported;
        mod exported {
            use super::Exported;
            use $crate::compute_world::exports::dvt::plugin::compute;
            use $crate::{Compute, Failure, NativeType};

            type C = $compute;

            fn error(f: Failure) -> compute::Error {
                compute::Error { code: f.code, message: f.message, hint: f.hint, sqlstate: None }
            }

            impl compute::Guest for Exported {
                fn plan(config: String) -> Result<compute::EnginePlan, compute::Error> {
                    let config = $crate::json(&config).map_err(error)?;
                    let (engine, settings, dialect) = C::plan(&config).map_err(error)?;
                    Ok(compute::EnginePlan { engine, settings, dialect })
                }
                fn map_native(columns: Vec<compute::NativeColumn>) -> Result<Vec<compute::MappedColumn>, compute::Error> {
                    Ok(columns
                        .iter()
                        .map(|c| match C::canonical(&NativeType::parse(&c.native)) {
                            Ok(canonical) => compute::MappedColumn { canonical: Some(canonical), refused: None },
                            Err(why) => compute::MappedColumn { canonical: None, refused: Some(why) },
                        })
                        .collect())
                }
            }
        }
        #[cfg(target_arch = "wasm32")]
        $crate::compute_world::export_compute_world!(Exported with_types_in $crate::compute_world);
    };
}

/// JSON text of the host as a value.
pub fn json(text: &str) -> Result<serde_json::Value, Failure> {
    serde_json::from_str(text).map_err(|e| Failure::new("DVT5008", format!("the host sent no JSON: {e}")))
}
