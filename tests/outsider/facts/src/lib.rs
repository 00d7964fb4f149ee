//! What the plugins here know of PostgreSQL: its catalog, its types, its errors.

use dvt_plugin_sdk::{ConnectPlan, Failure, NativeType, Profile, Relation, literal};

/// The plan for `driver`; `names` are its options and the profile keys they come from.
pub fn connect(profile: &Profile, driver: &str, names: &[(&str, &str)]) -> Result<ConnectPlan, Failure> {
    let (host, dbname) = (profile.require("host")?, profile.require("dbname")?);
    profile.require("user")?;
    let port = profile.text("port").unwrap_or_else(|| "5432".to_owned());
    let given = names.iter().filter_map(|(option, key)| Some(((*option).to_owned(), profile.text(key)?)));
    let mut options: Vec<(String, String)> = given.filter(|(_, v)| !v.is_empty()).collect();
    options.push(("port".to_owned(), port.clone()));
    let mut plan = ConnectPlan { driver: driver.to_owned(), options, endpoint: format!("postgres:{host}:{port}/{dbname}"), ..ConnectPlan::default() };
    if profile.has_secret("password") {
        plan.secret_options.push(("password".to_owned(), "password".to_owned()));
    }
    Ok(plan)
}

const KIND: &str = "case c.relkind when 'v' then 'view' when 'm' then 'materialized_view' else 'table' end as kind";

pub fn catalog_sql(relations: &[Relation]) -> String {
    let one = |r: &Relation| {
        let schema = r.schema.as_deref().map_or_else(|| "current_schema()".to_owned(), literal);
        format!("(n.nspname = {schema} and c.relname = {})", literal(&r.identifier))
    };
    let wanted: Vec<String> = relations.iter().map(one).collect();
    format!(
        "select current_database()::text as database, n.nspname::text as schema, c.relname::text as name, {KIND},
  a.attname::text as column_name, a.attnum::int as position, format_type(a.atttypid, a.atttypmod) as native_type,
  not a.attnotnull as nullable,
  case when a.attcollation <> 0 then case when l.collisdeterministic and a.atttypid <> 'bpchar'::regtype then 'binary' else 'loose' end end as collation,
  nullif(greatest(c.reltuples, -1), -1)::bigint as est_rows, null::bigint as est_bytes
from pg_class c join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_collation l on l.oid = a.attcollation
where c.relkind in ('r', 'v', 'm', 'p', 'f') and ({})
order by 2, 3, 6",
        if wanted.is_empty() { "false".to_owned() } else { wanted.join(" or ") }
    )
}

pub fn list_sql(schema: &str) -> String {
    format!(
        "select current_database()::text as database, n.nspname::text as schema, c.relname::text as name, {KIND}
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'v', 'm', 'p', 'f') and n.nspname = {} order by 3",
        literal(schema)
    )
}

pub fn canonical(native: &NativeType) -> Result<String, String> {
    let refused = || format!("the type {} cannot be carried; cast the column to text, for instance x::text", native.text);
    let plain = match native.name.as_str() {
        "boolean" => "bool",
        "smallint" => "int16",
        "integer" => "int32",
        "bigint" => "int64",
        "oid" => "uint32",
        "real" => "float32",
        "double precision" => "float64",
        "numeric" if native.arguments.is_empty() => "decimal(38,18)",
        "numeric" => return native.decimal().ok_or_else(refused),
        "text" | "character varying" | "character" | "name" | "xml" => "text",
        "bytea" => "bytes",
        "date" | "interval" | "uuid" => native.name.as_str(),
        "time without time zone" => "time",
        "timestamp without time zone" => "timestamp",
        "timestamp with time zone" => "timestamptz",
        "json" | "jsonb" => "json",
        _ => return Err(refused()),
    };
    Ok(plain.to_owned())
}

pub fn ddl(canonical: &NativeType) -> Option<String> {
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
        "time" => "time without time zone".to_owned(),
        "timestamp" => "timestamp without time zone".to_owned(),
        "timestamptz" => "timestamp with time zone".to_owned(),
        "text" | "date" | "interval" | "uuid" | "json" => canonical.name.clone(),
        _ => return None,
    })
}

pub fn classify(sqlstate: Option<&str>) -> (String, Option<String>) {
    let (code, hint) = match sqlstate.unwrap_or_default() {
        "28P01" | "28000" => ("DVT5102", Some("check `user` and `password` of the output")),
        "3D000" => ("DVT5103", Some("check `dbname` of the output")),
        "42P01" | "3F000" => ("DVT4001", Some("check the schema and the name, and that dvt's user may see the table")),
        "42703" => ("DVT010", None),
        "42501" => ("DVT5105", Some("grant the user of the output what the statement needs")),
        "57014" => ("DVT6010", None),
        s if s.starts_with("08") || s.starts_with("57P") => ("DVT5101", Some("check that the server runs")),
        _ => ("DVT5104", None),
    };
    (code.to_owned(), hint.map(str::to_owned))
}

/// MERGE came with version 15.
pub fn merge_statement(version: &str) -> bool {
    version.split('.').next().and_then(|v| v.trim().parse::<u32>().ok()).is_some_and(|v| v >= 15)
}
