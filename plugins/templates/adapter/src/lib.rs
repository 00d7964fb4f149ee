//! The adapter of `starter`: files of the embedded engine, to begin with. Replace product facts by your product's.

use dvt_plugin_sdk::{Adapter, ConnectPlan, Failure, NativeType, Profile, Relation, literal};

pub struct Starter;

impl Adapter for Starter {
    const SHEET: &'static str = include_str!("../dialect.toml");
    const MACROS: &'static [(&'static str, &'static str)] =
        &[("dbt_project.yml", include_str!("../macros/dbt_project.yml")), ("macros/starter.sql", include_str!("../macros/starter.sql"))];

    /// From the profile's keys to a driver of the host and its options. Secrets never come here: name the key instead.
    fn connect(profile: &Profile) -> Result<ConnectPlan, Failure> {
        let path = profile.require("path")?;
        Ok(ConnectPlan {
            driver: "duckdb".to_owned(),
            options: vec![("path".to_owned(), path.clone()), ("create".to_owned(), "true".to_owned())],
            endpoint: format!("duckdb:{path}"),
            ..ConnectPlan::default()
        })
    }

    /// One row per column of each relation that exists: see the contract for the columns.
    fn catalog_sql(relations: &[Relation]) -> Result<String, Failure> {
        let one = |r: &Relation| {
            let schema = r.schema.as_deref().unwrap_or("main");
            format!("(lower(c.table_schema) = lower({}) and lower(c.table_name) = lower({}))", literal(schema), literal(&r.identifier))
        };
        let wanted: Vec<String> = relations.iter().map(one).collect();
        Ok(format!(
            "select c.table_catalog as database, c.table_schema as schema, c.table_name as name,
  case t.table_type when 'VIEW' then 'view' else 'table' end as kind, c.column_name, c.ordinal_position as position,
  c.data_type as native_type, c.is_nullable = 'YES' as nullable, 'loose' as collation,
  cast(null as bigint) as est_rows, cast(null as bigint) as est_bytes
from information_schema.columns c
join information_schema.tables t using (table_catalog, table_schema, table_name)
where c.table_catalog = current_database() and ({}) order by 2, 3, 6",
            if wanted.is_empty() { "false".to_owned() } else { wanted.join(" or ") }
        ))
    }

    fn list_sql(_database: Option<&str>, schema: &str) -> Result<String, Failure> {
        Ok(format!(
            "select table_catalog as database, table_schema as schema, table_name as name,
  case table_type when 'VIEW' then 'view' else 'table' end as kind
from information_schema.tables where table_catalog = current_database() and lower(table_schema) = lower({}) order by 3",
            literal(schema)
        ))
    }

    /// The canonical type of a native one, or why it cannot be carried, with what the user can do.
    fn canonical(native: &NativeType) -> Result<String, String> {
        let refused = || format!("the type {} cannot be carried; cast the column to text", native.text);
        Ok(match native.name.as_str() {
            "boolean" => "bool",
            "tinyint" => "int8",
            "smallint" => "int16",
            "integer" => "int32",
            "bigint" => "int64",
            "utinyint" => "uint8",
            "usmallint" => "uint16",
            "uinteger" => "uint32",
            "ubigint" => "uint64",
            "float" => "float32",
            "double" => "float64",
            "decimal" => return native.decimal().ok_or_else(refused),
            "varchar" => "text",
            "blob" => "bytes",
            "date" | "time" | "timestamp" | "interval" | "uuid" | "json" => native.name.as_str(),
            "timestamp with time zone" => "timestamptz",
            _ => return Err(refused()),
        }
        .to_owned())
    }

    /// The product's type for each canonical one; None where it has none.
    fn ddl(canonical: &NativeType) -> Option<String> {
        let plain = match canonical.name.as_str() {
            "bool" => "boolean",
            "int8" => "tinyint",
            "int16" => "smallint",
            "int32" => "integer",
            "int64" => "bigint",
            "uint8" => "utinyint",
            "uint16" => "usmallint",
            "uint32" => "uinteger",
            "uint64" => "ubigint",
            "float32" => "float",
            "float64" => "double",
            "decimal" => canonical.text.as_str(),
            "text" => "varchar",
            "bytes" => "blob",
            "date" | "time" | "timestamp" | "interval" | "uuid" | "json" => canonical.name.as_str(),
            "timestamptz" => "timestamp with time zone",
            _ => return None,
        };
        Some(plain.to_owned())
    }

    /// dvt's code for an error, and what the user can do (`dvt explain-code` lists the codes).
    fn classify(_sqlstate: Option<&str>, message: &str) -> (String, Option<String>) {
        let (code, hint) = match message {
            m if m.contains("does not exist") => ("DVT4001", Some("check the schema and the name")),
            m if m.contains("Could not set lock") => ("DVT5101", Some("another process has the file open")),
            _ => ("DVT5104", None),
        };
        (code.to_owned(), hint.map(str::to_owned))
    }

    fn merge_statement(_version: &str) -> bool {
        true
    }
}

dvt_plugin_sdk::export_adapter!(crate::Starter);

#[cfg(test)]
mod tests {
    use super::Starter;
    use dvt_plugin_sdk::{Adapter, NativeType};

    #[test]
    fn types_come_back_from_their_own_ddl() {
        for canonical in ["bool", "int64", "decimal(15,2)", "text", "timestamptz"] {
            let native = Starter::ddl(&NativeType::parse(canonical)).unwrap_or_default();
            assert_eq!(Starter::canonical(&NativeType::parse(&native)).as_deref(), Ok(canonical));
        }
    }
}
