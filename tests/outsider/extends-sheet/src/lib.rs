//! An adapter whose sheet extends another's and that uses a driver of the host.

use dvt_plugin_sdk::{Adapter, ConnectPlan, Failure, NativeType, Profile, Relation};

pub struct NearPg;

impl Adapter for NearPg {
    const SHEET: &'static str = include_str!("../dialect.toml");
    const MACROS: &'static [(&'static str, &'static str)] =
        &[("dbt_project.yml", include_str!("../macros/dbt_project.yml")), ("macros/nearpg.sql", include_str!("../macros/nearpg.sql"))];

    fn connect(profile: &Profile) -> Result<ConnectPlan, Failure> {
        let names = ["host", "user", "dbname", "sslmode", "sslrootcert", "connect_timeout", "search_path"];
        facts::connect(profile, "postgres", &names.map(|n| (n, n)))
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

dvt_plugin_sdk::export_adapter!(crate::NearPg);
