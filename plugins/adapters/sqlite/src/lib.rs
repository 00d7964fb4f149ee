//! SQLite files.

use dvt_plugin_sdk::{Adapter, ConnectPlan, Failure, NativeType, Profile, Relation, literal};

pub struct Sqlite;

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Adapter for Sqlite {
    const SHEET: &'static str = include_str!("../dialect.toml");
    const MACROS: &'static [(&'static str, &'static str)] = &[
        ("dbt_project.yml", include_str!("../macros/dbt_project.yml")),
        ("macros/functions.sql", include_str!("../macros/macros/functions.sql")),
        ("macros/sqlite.sql", include_str!("../macros/macros/sqlite.sql")),
        ("macros/materializations.sql", include_str!("../macros/macros/materializations.sql")),
    ];

    fn connect(profile: &Profile) -> Result<ConnectPlan, Failure> {
        if profile.has_secret("schemas_and_paths") || profile.has_secret("path") {
            return Err(Failure::new("DVT1005", "a file of a sqlite output is named by a secret").hint("write the path as it is, or in a variable without the DBT_ENV_SECRET_ prefix"));
        }
        let schemas = profile.entries("schemas_and_paths");
        let main = schemas.iter().find(|(s, _)| s == "main").map(|(_, p)| p.clone()).or_else(|| profile.text("path"));
        let Some(main) = main else {
            return Err(Failure::new("DVT1003", "the output says no file").hint("add `schemas_and_paths: {main: <file>}` or `path:` to it in profiles.yml"));
        };
        let mut options = vec![("path".to_owned(), main.clone()), ("create".to_owned(), "true".to_owned())];
        options.extend(schemas.into_iter().filter(|(s, _)| s != "main").map(|(s, p)| (format!("attach.{s}"), p)));
        Ok(ConnectPlan {
            driver: "sqlite".to_owned(),
            options,
            secret_options: Vec::new(),
            // Views keep naming a table that is replaced.
            session_setup: vec!["pragma legacy_alter_table = on".to_owned()],
            endpoint: format!("sqlite:{main}"),
        })
    }

    fn catalog_sql(relations: &[Relation]) -> Result<String, Failure> {
        let parts: Vec<String> = relations
            .iter()
            .map(|r| {
                let schema = r.schema.as_deref().unwrap_or("main");
                format!(
                    "select null as database, {schema_text} as schema, m.name as name, m.type as kind, p.name as column_name, p.cid + 1 as position,
  p.type as native_type, p.\"notnull\" = 0 as nullable,
  case when m.type = 'view' then (select case when count(*) > 0 then 'loose' else 'binary' end from {schema}.sqlite_master x where x.sql like '%collate%')
       when m.sql like '%collate%' then 'loose' else 'binary' end as collation,
  null as est_rows, null as est_bytes
from {schema}.sqlite_master m, pragma_table_info(m.name, {schema_text}) p
where m.type in ('table', 'view') and lower(m.name) = lower({name})",
                    schema = quoted(schema),
                    schema_text = literal(schema),
                    name = literal(&r.identifier),
                )
            })
            .collect();
        Ok(format!("select * from (\n{}\n) order by 2, 3, 6", parts.join("\nunion all\n")))
    }

    fn list_sql(_database: Option<&str>, schema: &str) -> Result<String, Failure> {
        Ok(format!(
            "select null as database, {} as schema, name, type as kind from {}.sqlite_master where type in ('table', 'view') and name not like 'sqlite_%' order by 3",
            literal(schema),
            quoted(schema)
        ))
    }

    fn canonical(native: &NativeType) -> Result<String, String> {
        let plain = match native.name.as_str() {
            "" => return Err("SQLite does not say what the column holds; cast it in the view, for instance cast(x as integer)".to_owned()),
            "bool" | "boolean" => "bool",
            "date" => "date",
            "time" => "time",
            "datetime" | "timestamp" => "timestamp",
            "timestamptz" | "timestamp with time zone" => "timestamptz",
            "uuid" => "uuid",
            "json" => "json",
            "blob" | "bytea" | "binary" | "varbinary" => "bytes",
            "real" | "double" | "double precision" | "float" | "float8" | "float4" => "float64",
            "decimal" | "numeric" | "decimal_text" | "num" | "number" => return Ok(native.decimal().unwrap_or_else(|| "float64".to_owned())),
            name if name.contains("int") => "int64",
            name if ["char", "clob", "text", "string"].iter().any(|t| name.contains(t)) => "text",
            _ => return Err(format!("the declared type {} is not known; cast the column in the query", native.text)),
        };
        Ok(plain.to_owned())
    }

    fn ddl(canonical: &NativeType) -> Option<String> {
        Some(match canonical.name.as_str() {
            "bool" => "boolean".to_owned(),
            "int8" | "int16" | "int32" | "int64" | "uint8" | "uint16" | "uint32" | "uint64" => "integer".to_owned(),
            "float32" | "float64" => "double".to_owned(),
            // The name gives text affinity: SQLite's own numbers would not keep every digit.
            "decimal" => canonical.text.replace("decimal", "decimal_text"),
            "bytes" => "blob".to_owned(),
            "timestamp" => "datetime".to_owned(),
            "text" | "date" | "time" | "timestamptz" | "uuid" | "json" => canonical.name.clone(),
            _ => return None,
        })
    }

    fn classify(_sqlstate: Option<&str>, message: &str) -> (String, Option<String>) {
        let (code, hint) = if message.contains("no such table") {
            ("DVT4001", Some("check the schema and the name, and that the table is in this file"))
        } else if message.contains("unable to open database file") {
            ("DVT5103", Some("check the path of the output; it is taken from the folder dvt runs in"))
        } else if message.contains("file is not a database") {
            ("DVT5103", Some("the file is no SQLite database"))
        } else if message.contains("database is locked") {
            ("DVT5101", Some("another process writes to the file"))
        } else {
            ("DVT5104", None)
        };
        (code.to_owned(), hint.map(str::to_owned))
    }

    fn merge_statement(_version: &str) -> bool {
        false
    }
}

dvt_plugin_sdk::export_adapter!(crate::Sqlite);
