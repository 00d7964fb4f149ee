//! PostgreSQL.

use dvt_plugin_sdk::{Adapter, ConnectPlan, Failure, NativeType, Profile, Relation, literal};

pub struct Postgres;

/// Profile keys that are options of the driver as they are.
const OPTIONS: [&str; 8] = ["host", "port", "user", "dbname", "sslmode", "sslrootcert", "connect_timeout", "search_path"];

impl Adapter for Postgres {
    const SHEET: &'static str = include_str!("../dialect.toml");
    const MACROS: &'static [(&'static str, &'static str)] = &[
        ("dbt_project.yml", include_str!("../macros/dbt_project.yml")),
        ("macros/functions.sql", include_str!("../macros/macros/functions.sql")),
        ("macros/postgres.sql", include_str!("../macros/macros/postgres.sql")),
        ("macros/materializations.sql", include_str!("../macros/macros/materializations.sql")),
    ];

    fn connect(profile: &Profile) -> Result<ConnectPlan, Failure> {
        for key in ["host", "user", "dbname"] {
            profile.require(key)?;
        }
        let mut options: Vec<(String, String)> = OPTIONS.iter().filter_map(|k| profile.text(k).map(|v| ((*k).to_owned(), v))).collect();
        if let Some(idle) = profile.text("keepalives_idle").filter(|v| v != "0") {
            options.push(("keepalives_idle".to_owned(), idle));
        }
        if !profile.has("port") {
            options.push(("port".to_owned(), "5432".to_owned()));
        }
        let mut session_setup = Vec::new();
        if let Some(role) = profile.text("role").filter(|r| !r.is_empty()) {
            session_setup.push(format!("set role \"{}\"", role.replace('"', "\"\"")));
        }
        let secret_options = if profile.has_secret("password") { vec![("password".to_owned(), "password".to_owned())] } else { Vec::new() };
        let endpoint = format!("postgres:{}:{}/{}", profile.require("host")?, profile.text("port").unwrap_or_else(|| "5432".to_owned()), profile.require("dbname")?);
        Ok(ConnectPlan { driver: "postgres".to_owned(), options, secret_options, session_setup, endpoint })
    }

    fn catalog_sql(relations: &[Relation]) -> Result<String, Failure> {
        let wanted: Vec<String> = relations
            .iter()
            .map(|r| {
                let schema = r.schema.as_deref().map_or_else(|| "current_schema()".to_owned(), literal);
                format!("({schema}, {})", literal(&r.identifier))
            })
            .collect();
        Ok(format!(
            "select current_database()::text as database, n.nspname::text as schema, c.relname::text as name,
  case c.relkind when 'v' then 'view' when 'm' then 'materialized_view' else 'table' end as kind,
  a.attname::text as column_name, a.attnum::int as position, format_type(a.atttypid, a.atttypmod) as native_type,
  not a.attnotnull as nullable,
  case when a.atttypid = 'numeric'::regtype and a.atttypmod = -1 then 'loose' when a.attcollation = 0 then null when a.atttypid = 'bpchar'::regtype then 'loose' when co.collisdeterministic then 'binary' else 'loose' end as collation,
  case when c.reltuples < 0 then null else c.reltuples::bigint end as est_rows,
  case when c.relkind in ('r', 'm') then pg_relation_size(c.oid) end as est_bytes,
  pg_get_userbyid(c.relowner)::text as owner, obj_description(c.oid, 'pg_class') as comment, col_description(c.oid, a.attnum) as column_comment,
  (select string_agg(i.indexrelid::text, ' ') from pg_catalog.pg_index i where i.indrelid = c.oid and i.indisunique and i.indisvalid
     and i.indpred is null and i.indexprs is null and a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1])) as unique_keys
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_catalog.pg_collation co on co.oid = a.attcollation
where c.relkind in ('r', 'v', 'm', 'p', 'f') and (n.nspname::text, c.relname::text) in ({})
order by 2, 3, 6",
            wanted.join(", ")
        ))
    }

    fn list_sql(_database: Option<&str>, schema: &str) -> Result<String, Failure> {
        Ok(format!(
            "select current_database()::text as database, n.nspname::text as schema, c.relname::text as name,
  case c.relkind when 'v' then 'view' when 'm' then 'materialized_view' else 'table' end as kind
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'v', 'm', 'p', 'f') and n.nspname::text = {} order by 3",
            literal(schema)
        ))
    }

    fn canonical(native: &NativeType) -> Result<String, String> {
        if native.text.ends_with("[]") {
            return Err(format!("arrays ({}) cannot be carried; cast the column to text, for instance x::text", native.text));
        }
        let plain = match native.name.as_str() {
            // The catalog has the long names, a query's description the short ones.
            "boolean" | "bool" => "bool",
            "smallint" | "int2" => "int16",
            "integer" | "int4" => "int32",
            "bigint" | "int8" => "int64",
            "oid" => "uint32",
            "real" | "float4" => "float32",
            "double precision" | "float8" => "float64",
            // Without a declared scale: wide enough for what sums and averages give; a value that does not fit is
            // refused by name when it is read, never rounded.
            "numeric" if native.arguments.is_empty() => "decimal(38,18)",
            "numeric" => return native.decimal().ok_or_else(|| format!("{} is wider than 38 digits; cast the column", native.text)),
            "text" | "character varying" | "varchar" | "character" | "bpchar" | "name" | "xml" | "citext" | "\"char\"" | "char" => "text",
            "bytea" => "bytes",
            "date" => "date",
            "time without time zone" | "time" => "time",
            "timestamp without time zone" | "timestamp" => "timestamp",
            "timestamp with time zone" | "timestamptz" => "timestamptz",
            "interval" => "interval",
            "uuid" => "uuid",
            "json" | "jsonb" => "json",
            _ => return Err(format!("the type {} cannot be carried; cast the column to text, for instance x::text", native.text)),
        };
        Ok(plain.to_owned())
    }

    fn ddl(canonical: &NativeType) -> Option<String> {
        Some(match canonical.name.as_str() {
            "bool" => "boolean".to_owned(),
            "int8" | "int16" | "uint8" => "smallint".to_owned(),
            "int32" | "uint16" => "integer".to_owned(),
            "int64" | "uint32" => "bigint".to_owned(),
            "uint64" => "numeric(20,0)".to_owned(),
            "float32" => "real".to_owned(),
            "float64" => "double precision".to_owned(),
            "decimal" => canonical.text.replace("decimal", "numeric"),
            "bytes" => "bytea".to_owned(),
            "timestamptz" => "timestamp with time zone".to_owned(),
            "text" | "date" | "time" | "timestamp" | "interval" | "uuid" | "json" => canonical.name.clone(),
            _ => return None,
        })
    }

    fn classify(sqlstate: Option<&str>, message: &str) -> (String, Option<String>) {
        let (code, hint) = match sqlstate.unwrap_or_default() {
            "28P01" | "28000" => ("DVT5102", Some("check `user` and `password` of the output")),
            "3D000" => ("DVT5103", Some("check `dbname` of the output")),
            "42P01" => ("DVT4001", Some("check the schema and the name, and that dvt's user may see the table")),
            "42501" => ("DVT5105", Some("grant the user of the output what the statement needs")),
            "57014" => ("DVT6010", None),
            s if s.starts_with("08") || s.starts_with("57P") => ("DVT5101", Some("check that the server runs and that host and port are right")),
            _ if message.contains("connect") || message.contains("refused") => ("DVT5101", Some("check that the server runs and that host and port are right")),
            _ => ("DVT5104", None),
        };
        (code.to_owned(), hint.map(str::to_owned))
    }

    fn merge_statement(version: &str) -> bool {
        version.split(|c: char| !c.is_ascii_digit()).find(|p| !p.is_empty()).and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major >= 15)
    }
}

dvt_plugin_sdk::export_adapter!(crate::Postgres);
