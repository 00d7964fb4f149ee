//! The adapter of `starter`, which speaks its product's protocol itself.
//!
//! The protocol here is the simplest there is, to be replaced: a line of SQL goes out; a line of column names comes back,
//! then a line per row, values apart by tabs, and a line with a dot at the end; a line that begins with `!` is an error.
//! What to keep: the host dials, encrypts (`Stream::start_tls`) and proves passwords (`Grant::prove`); rows go out as Arrow.

mod session;

use dvt_plugin_sdk::wire::{Grant, OWN_CONNECTION, Options, Wire};
use dvt_plugin_sdk::{Adapter, ConnectPlan, Failure, NativeType, Profile, Relation, literal};
use session::LineSession;

pub struct Starter;

impl Adapter for Starter {
    const SHEET: &'static str = include_str!("../dialect.toml");
    const MACROS: &'static [(&'static str, &'static str)] =
        &[("dbt_project.yml", include_str!("../macros/dbt_project.yml")), ("macros/starter.sql", include_str!("../macros/starter.sql"))];

    /// The driver is the plugin's own connection; `host` and `port` must be the profile's.
    fn connect(profile: &Profile) -> Result<ConnectPlan, Failure> {
        let (host, port) = (profile.require("host")?, profile.text("port").unwrap_or_else(|| "7000".to_owned()));
        let mut plan = ConnectPlan { driver: OWN_CONNECTION.to_owned(), endpoint: format!("starter:{host}:{port}"), ..ConnectPlan::default() };
        // `tls`: off, prefer, require or verify.
        plan.options = vec![("host".to_owned(), host), ("port".to_owned(), port), ("tls".to_owned(), profile.text("tls").unwrap_or_else(|| "off".to_owned()))];
        if profile.has_secret("password") {
            plan.secret_options.push(("password".to_owned(), "password".to_owned()));
        }
        Ok(plan)
    }

    fn catalog_sql(relations: &[Relation]) -> Result<String, Failure> {
        let names: Vec<String> = relations.iter().map(|r| literal(&r.identifier)).collect();
        Ok(format!("select * from dvt_catalog where name in ({})", names.join(", ")))
    }
    fn list_sql(_database: Option<&str>, schema: &str) -> Result<String, Failure> {
        Ok(format!("select * from dvt_relations where schema = {}", literal(schema)))
    }
    /// All of this protocol's values are text.
    fn canonical(native: &NativeType) -> Result<String, String> {
        match native.name.as_str() {
            "text" => Ok("text".to_owned()),
            _ => Err(format!("the type {} cannot be carried; cast the column to text", native.text)),
        }
    }
    fn ddl(canonical: &NativeType) -> Option<String> {
        (canonical.name == "text").then(|| "text".to_owned())
    }
    fn classify(_sqlstate: Option<&str>, _message: &str) -> (String, Option<String>) {
        ("DVT5104".to_owned(), None)
    }
    fn merge_statement(_version: &str) -> bool {
        false
    }
}

impl Wire for Starter {
    type Session = LineSession;

    fn open(_options: &Options, host: &Grant) -> Result<LineSession, Failure> {
        Ok(LineSession::new(host.connect()?))
    }
}

dvt_plugin_sdk::export_wire_adapter!(crate::Starter);
