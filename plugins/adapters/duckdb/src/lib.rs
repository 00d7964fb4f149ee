//! DuckDB files.

use dvt_plugin_sdk::{Adapter, ConnectPlan, Failure, NativeType, Profile, Relation, literal};

pub struct Duckdb;

impl Adapter for Duckdb {
    const SHEET: &'static str = include_str!("../dialect.toml");
    const MACROS: &'static [(&'static str, &'static str)] = &[
        ("dbt_project.yml", include_str!("../macros/dbt_project.yml")),
        ("macros/functions.sql", include_str!("../macros/macros/functions.sql")),
        ("macros/duckdb.sql", include_str!("../macros/macros/duckdb.sql")),
        ("macros/materializations.sql", include_str!("../macros/macros/materializations.sql")),
    ];

    fn connect(profile: &Profile) -> Result<ConnectPlan, Failure> {
        for key in ["attach", "extensions", "secrets", "plugins", "filesystems"] {
            if profile.has(key) || profile.has_secret(key) {
                return Err(Failure::new("DVT1003", format!("`{key}` of a duckdb output is not available: dvt loads no extension from the network")).hint("give each database file an output of its own"));
            }
        }
        // The host keeps back what looks like a secret: without it another database would be opened.
        for key in ["path", "settings"] {
            if profile.has_secret(key) {
                return Err(Failure::new("DVT1005", format!("`{key}` of a duckdb output holds a secret")).hint("a DuckDB file needs none; dvt opens no remote database through DuckDB"));
            }
        }
        let path = profile.text("path").unwrap_or_else(|| ":memory:".to_owned());
        let mut options = vec![("path".to_owned(), path.clone()), ("create".to_owned(), "true".to_owned())];
        // dbt-duckdb's own key for waiting until another process frees the file: each attempt waits twice as long.
        if let Some((_, attempts)) = profile.entries("retries").into_iter().find(|(k, _)| k == "connect_attempts") {
            let attempts: u32 = attempts.parse().map_err(|_| Failure::new("DVT1005", format!("`connect_attempts: {attempts}` of `retries` is no number")))?;
            options.push(("busy_timeout_ms".to_owned(), (1000 * ((1_u64 << attempts.min(20)) - 1)).to_string()));
        }
        let session_setup = profile.entries("settings").into_iter().map(|(k, v)| format!("SET {k} = {}", literal(&v))).collect();
        Ok(ConnectPlan {
            driver: "duckdb".to_owned(),
            options,
            secret_options: Vec::new(),
            session_setup,
            endpoint: format!("duckdb:{path}"),
        })
    }

    fn catalog_sql(relations: &[Relation]) -> Result<String, Failure> {
        let wanted: Vec<String> = relations
            .iter()
            .map(|r| {
                let schema = r.schema.as_deref().unwrap_or("main");
                format!("(lower(c.schema_name) = lower({}) and lower(c.table_name) = lower({}))", literal(schema), literal(&r.identifier))
            })
            .collect();
        // A collation is only visible in the statement that made the table: where any table has one, all text is loose.
        Ok(format!(
            "select c.database_name as database, c.schema_name as schema, c.table_name as name,
  case when t.table_name is null then 'view' else 'table' end as kind,
  c.column_name, c.column_index as position, c.data_type as native_type, c.is_nullable as nullable,
  case when (select coalesce(bool_or(sql ilike '%collate%'), false) from duckdb_tables()) or current_setting('default_collation') <> ''
       then 'loose' else 'binary' end as collation,
  t.estimated_size as est_rows, cast(null as bigint) as est_bytes,
  coalesce(t.comment, v.comment) as comment, c.comment as column_comment,
  (select string_agg(cast(k.constraint_index as varchar), ' ') from duckdb_constraints() k where k.database_oid = c.database_oid and k.schema_oid = c.schema_oid
     and k.table_oid = c.table_oid and k.constraint_type in ('PRIMARY KEY', 'UNIQUE') and list_contains(k.constraint_column_names, c.column_name)) as unique_keys
from duckdb_columns() c
left join duckdb_tables() t using (database_oid, schema_oid, table_oid)
left join duckdb_views() v on v.database_oid = c.database_oid and v.schema_oid = c.schema_oid and v.view_oid = c.table_oid
where c.database_name = current_database() and ({})
order by 2, 3, 6",
            wanted.join(" or ")
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

    fn canonical(native: &NativeType) -> Result<String, String> {
        include!("types.rs")(native)
    }

    fn ddl(canonical: &NativeType) -> Option<String> {
        Some(match canonical.name.as_str() {
            "bool" => "boolean".to_owned(),
            "int8" => "tinyint".to_owned(),
            "int16" => "smallint".to_owned(),
            "int32" => "integer".to_owned(),
            "int64" => "bigint".to_owned(),
            "uint8" => "utinyint".to_owned(),
            "uint16" => "usmallint".to_owned(),
            "uint32" => "uinteger".to_owned(),
            "uint64" => "ubigint".to_owned(),
            "float32" => "float".to_owned(),
            "float64" => "double".to_owned(),
            "decimal" => canonical.text.clone(),
            "text" => "varchar".to_owned(),
            "bytes" => "blob".to_owned(),
            "date" | "time" | "timestamp" | "interval" | "uuid" | "json" => canonical.name.clone(),
            "timestamptz" => "timestamp with time zone".to_owned(),
            _ => return None,
        })
    }

    fn classify(_sqlstate: Option<&str>, message: &str) -> (String, Option<String>) {
        let (code, hint) = if message.contains("Could not set lock") {
            ("DVT5109", Some("another process has the file open; DuckDB lets one process in at a time"))
        } else if message.contains("does not exist") && message.contains("Catalog Error") {
            ("DVT4001", Some("check the schema and the name, and that the table is in this file"))
        } else if message.contains("Cannot open file") || message.contains("IO Error") {
            ("DVT5103", Some("check `path` of the output; it is taken from the folder dvt runs in"))
        } else {
            ("DVT5104", None)
        };
        (code.to_owned(), hint.map(str::to_owned))
    }

    fn merge_statement(_version: &str) -> bool {
        true
    }
}

dvt_plugin_sdk::export_adapter!(crate::Duckdb);
