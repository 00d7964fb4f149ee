//! An adapter whose driver is a shared library from a wheel (ADBC), which its sheet names.

use dvt_plugin_sdk::{Adapter, ConnectPlan, Failure, NativeType, Profile, Relation, driver};

pub struct PgAdbc;

/// A result's column as the driver describes it: the type's internal name and what was declared with it, if anything.
fn of_result(native: &NativeType) -> Option<String> {
    let (name, modifier) = match native.name.rsplit_once(' ').map(|(name, modifier)| (name, modifier.parse::<i64>())) {
        Some((name, Ok(modifier))) => (name, Some(modifier)),
        _ => (native.name.as_str(), None),
    };
    Some(match (name, modifier) {
        ("bool", _) => "boolean".to_owned(),
        ("int2", _) => "smallint".to_owned(),
        ("int4", _) => "integer".to_owned(),
        ("int8", _) => "bigint".to_owned(),
        ("float4", _) => "real".to_owned(),
        ("float8", _) => "double precision".to_owned(),
        ("bpchar", _) => "character".to_owned(),
        ("varchar", _) => "character varying".to_owned(),
        ("time", _) => "time without time zone".to_owned(),
        ("timestamp", _) => "timestamp without time zone".to_owned(),
        ("timestamptz", _) => "timestamp with time zone".to_owned(),
        // Precision and scale in two bytes each, four apart from zero.
        ("numeric", Some(packed @ 4..)) => format!("numeric({},{})", (packed - 4) >> 16, (packed - 4) & 0xffff),
        ("numeric", Some(_)) => "numeric".to_owned(),
        ("text" | "name" | "date" | "bytea" | "uuid" | "json" | "jsonb" | "interval", Some(_)) => name.to_owned(),
        _ => return None,
    })
}

impl Adapter for PgAdbc {
    const SHEET: &'static str = include_str!("../dialect.toml");
    const MACROS: &'static [(&'static str, &'static str)] = &[("dbt_project.yml", include_str!("../macros/dbt_project.yml"))];

    fn connect(profile: &Profile) -> Result<ConnectPlan, Failure> {
        driver::plan(Self::SHEET, profile)
    }
    fn catalog_sql(relations: &[Relation]) -> Result<String, Failure> {
        Ok(facts::catalog_sql(relations))
    }
    fn list_sql(_: Option<&str>, schema: &str) -> Result<String, Failure> {
        Ok(facts::list_sql(schema))
    }
    fn canonical(native: &NativeType) -> Result<String, String> {
        if native.name == "xml" {
            return Err("the driver hands xml over in a form of its own; cast the column to text".to_owned());
        }
        of_result(native).map_or_else(|| facts::canonical(native), |known| facts::canonical(&NativeType::parse(&known)))
    }
    fn ddl(canonical: &NativeType) -> Option<String> {
        facts::ddl(canonical)
    }
    fn classify(sqlstate: Option<&str>, message: &str) -> (String, Option<String>) {
        // Of an error in the middle of a result only the words arrive.
        let canceled = sqlstate.is_none() && message.contains("canceling statement");
        facts::classify(if canceled { Some("57014") } else { sqlstate })
    }
    fn merge_statement(version: &str) -> bool {
        facts::merge_statement(version)
    }
}

dvt_plugin_sdk::export_adapter!(crate::PgAdbc);
