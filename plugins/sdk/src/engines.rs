//! For computes that run outside the host, and for connectors: how such an engine reads and writes one product.
//!
//! Both are pure: what they say is carried out by the engine that the host supervises.

use crate::{Compute, Failure, NativeType, Profile};

/// Bindings of what such a compute has more than others; both parts together are the world `outer-compute-plugin`.
pub mod outer_world {
    wit_bindgen::generate!({
        inline: "
            package dvt:sdk;
            world outer-compute-part {
                export dvt:plugin/outer-compute@0.1.0;
            }
        ",
        path: "../wit",
        world: "dvt:sdk/outer-compute-part",
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_outer_compute_world",
        default_bindings_module: "dvt_plugin_sdk::engines::outer_world",
    });
}

/// Bindings of connectors.
pub mod connector_world {
    wit_bindgen::generate!({
        path: "../wit",
        world: "connector-plugin",
        pub_export_macro: true,
        export_macro_name: "export_connector_world",
        default_bindings_module: "dvt_plugin_sdk::engines::connector_world",
    });
}

/// What an error means.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Meaning {
    /// dvt's code; empty lets the host choose.
    pub code: String,
    pub hint: Option<String>,
    /// Whether the same job may succeed when it is run once more. Of computes only.
    pub again: bool,
}

/// A compute whose engine runs outside the host.
pub trait OuterCompute: Compute {
    /// The engine's type for a canonical one, or why it has none.
    fn ddl(canonical: &NativeType) -> Result<String, String>;
    /// `exceptions`: names from the outermost to the cause.
    fn classify(exceptions: &[String], sqlstate: Option<&str>, message: &str) -> Meaning;
}

/// A file that the engine needs for a product.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Artifact {
    pub coordinates: String,
    pub files: Vec<String>,
    /// The package of Debian that has it, or empty.
    pub debian: String,
    pub advice: String,
}

/// How an engine reaches a target; see the contract.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnectorOptions {
    pub format: String,
    pub url: String,
    pub common: Vec<(String, String)>,
    pub reading: Vec<(String, String)>,
    pub writing: Vec<(String, String)>,
    pub secret_options: Vec<(String, String)>,
    pub artifacts: Vec<Artifact>,
    pub engine_settings: Vec<(String, String)>,
}

/// How an engine reads and writes one product.
pub trait Connector {
    fn options(profile: &Profile) -> Result<ConnectorOptions, Failure>;
    /// The product's expression, `{}` for the column; None where the column itself is right.
    fn read_cast(native: &NativeType) -> Result<Option<String>, String>;
    /// The engine's expression, `{}` for the column; None where the value itself is right.
    fn write_cast(canonical: &NativeType) -> Result<Option<String>, String>;
    fn cancel_sql(tag: &str) -> Option<String>;
    fn classify(exception: &str, sqlstate: Option<&str>, message: &str) -> Meaning;
}

/// Exports a type that implements [`OuterCompute`](crate::engines::OuterCompute) as the world `outer-compute-plugin`.
#[macro_export]
macro_rules! export_outer_compute {
    ($compute:ty) => {
        struct Exported;
        mod exported {
            use super::Exported;
            $crate::compute_exports!($compute);
            use $crate::engines::OuterCompute;
            use $crate::engines::outer_world::exports::dvt::plugin::outer_compute;

            impl outer_compute::Guest for Exported {
                fn ddl_types(canonical: Vec<String>) -> Result<Vec<String>, outer_compute::Error> {
                    let refused = |c: &String, why: String| outer_compute::Error {
                        code: "DVT011".to_owned(),
                        message: format!("this compute cannot carry {c}: {why}"),
                        hint: Some("cast the column in the model, for instance to text".to_owned()),
                        sqlstate: None,
                    };
                    canonical.iter().map(|c| C::ddl(&NativeType::parse(c)).map_err(|why| refused(c, why))).collect()
                }
                fn classify_error(exceptions: Vec<String>, sqlstate: Option<String>, message: String) -> outer_compute::Classified {
                    let meaning = C::classify(&exceptions, sqlstate.as_deref(), &message);
                    outer_compute::Classified { code: meaning.code, hint: meaning.hint, again: meaning.again }
                }
            }
        }
        #[cfg(target_arch = "wasm32")]
        $crate::compute_world::export_compute_world!(Exported with_types_in $crate::compute_world);
        #[cfg(target_arch = "wasm32")]
        $crate::engines::outer_world::export_outer_compute_world!(Exported with_types_in $crate::engines::outer_world);
    };
}

/// Exports a type that implements [`Connector`](crate::engines::Connector) as the world `connector-plugin`.
#[macro_export]
macro_rules! export_connector {
    ($connector:ty) => {
        struct Exported;
        mod exported {
            use super::Exported;
            use $crate::engines::Connector;
            use $crate::engines::connector_world::exports::dvt::plugin::connector;
            use $crate::{Failure, NativeType, Profile};

            type C = $connector;

            fn error(f: Failure) -> connector::Error {
                connector::Error { code: f.code, message: f.message, hint: f.hint, sqlstate: f.sqlstate }
            }

            impl connector::Guest for Exported {
                fn options(profile: String, secrets: Vec<String>) -> Result<connector::ConnectorOptions, connector::Error> {
                    let o = Profile::read(&profile, secrets).and_then(|p| C::options(&p)).map_err(error)?;
                    let artifact = |a: $crate::engines::Artifact| connector::Artifact { coordinates: a.coordinates, files: a.files, debian: a.debian, advice: a.advice };
                    Ok(connector::ConnectorOptions {
                        format: o.format,
                        url: o.url,
                        common: o.common,
                        reading: o.reading,
                        writing: o.writing,
                        secret_options: o.secret_options,
                        artifacts: o.artifacts.into_iter().map(artifact).collect(),
                        engine_settings: o.engine_settings,
                    })
                }
                fn read_casts(columns: Vec<connector::NativeColumn>) -> Result<Vec<Option<String>>, connector::Error> {
                    let refused = |name: &str, why: String| error(Failure::new("DVT011", format!("column `{name}`: {why}")).hint("cast the column in the model's SQL, or leave it out"));
                    columns.iter().map(|c| C::read_cast(&NativeType::parse(&c.native)).map_err(|why| refused(&c.name, why))).collect()
                }
                fn write_casts(canonical: Vec<String>) -> Result<Vec<Option<String>>, connector::Error> {
                    let refused = |why: String| error(Failure::new("DVT011", why).hint("cast the column in the model's SQL"));
                    canonical.iter().map(|c| C::write_cast(&NativeType::parse(c)).map_err(refused)).collect()
                }
                fn cancel_sql(tag: String) -> Option<String> {
                    C::cancel_sql(&tag)
                }
                fn classify_error(exception: String, sqlstate: Option<String>, message: String) -> connector::Meaning {
                    let meaning = C::classify(&exception, sqlstate.as_deref(), &message);
                    connector::Meaning { code: meaning.code, hint: meaning.hint }
                }
            }
        }
        #[cfg(target_arch = "wasm32")]
        $crate::engines::connector_world::export_connector_world!(Exported with_types_in $crate::engines::connector_world);
    };
}
