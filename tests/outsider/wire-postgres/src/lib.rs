//! PostgreSQL by a protocol of its own: the host grants a stream, keeps the password and moves nothing itself.
//!
//! `protocol` is messages, `session` what they mean, `decode` and `encode` COPY's binary rows from and to Arrow.

pub mod decode;
pub mod encode;
pub mod numeric;
pub mod protocol;
pub mod session;
pub mod types;

use dvt_plugin_sdk::wire::{Grant, OWN_CONNECTION, Options, Wire};
use dvt_plugin_sdk::{Adapter, ConnectPlan, Failure, NativeType, Profile, Relation};
use session::PgSession;

pub struct PgWire;

impl Adapter for PgWire {
    const SHEET: &'static str = include_str!("../dialect.toml");
    const MACROS: &'static [(&'static str, &'static str)] = &[("dbt_project.yml", "name: dbt_pgwire\nversion: \"0.1.0\"\nconfig-version: 2\n")];

    fn connect(profile: &Profile) -> Result<ConnectPlan, Failure> {
        let names = [
            ("host", "host"),
            ("user", "user"),
            ("dbname", "dbname"),
            ("connect_timeout", "connect_timeout"),
            ("search_path", "search_path"),
            ("tls_root_certificate", "sslrootcert"),
        ];
        let mut plan = facts::connect(profile, OWN_CONNECTION, &names)?;
        let tls = match profile.text("sslmode").as_deref().unwrap_or("prefer") {
            "disable" => "off",
            "allow" | "prefer" => "prefer",
            "require" => "require",
            "verify-ca" | "verify-full" => "verify",
            other => return Err(Failure::new("DVT1005", format!("`{other}` is no sslmode")).hint("one of disable, allow, prefer, require, verify-ca, verify-full")),
        };
        plan.options.push(("tls".to_owned(), tls.to_owned()));
        Ok(plan)
    }
    fn catalog_sql(relations: &[Relation]) -> Result<String, Failure> {
        Ok(facts::catalog_sql(relations))
    }
    fn list_sql(_: Option<&str>, schema: &str) -> Result<String, Failure> {
        Ok(facts::list_sql(schema))
    }
    fn canonical(native: &NativeType) -> Result<String, String> {
        facts::canonical(native)
    }
    fn ddl(canonical: &NativeType) -> Option<String> {
        facts::ddl(canonical)
    }
    fn classify(sqlstate: Option<&str>, _: &str) -> (String, Option<String>) {
        facts::classify(sqlstate)
    }
    fn merge_statement(version: &str) -> bool {
        facts::merge_statement(version)
    }
}

impl Wire for PgWire {
    type Session = PgSession;

    fn open(options: &Options, host: &Grant) -> Result<PgSession, Failure> {
        PgSession::open(options, host)
    }
}

dvt_plugin_sdk::export_wire_adapter!(crate::PgWire);
