//! MySQL and MariaDB.

use dvt_plugin_sdk::{Adapter, ConnectPlan, Failure, NativeType, Profile, Relation, literal};

pub struct Mysql;

/// Profile keys that are options of the driver as they are.
const OPTIONS: [&str; 6] = ["host", "user", "unix_socket", "connect_timeout", "sslmode", "ssl_ca"];

/// Compare bytes, trailing blanks included; every other collation finds more equal than that.
const BINARY: &str = "c.collation_name = 'binary' or c.collation_name like '%\\_nopad\\_bin' or c.collation_name like '%\\_0900\\_bin'";

impl Adapter for Mysql {
    const SHEET: &'static str = include_str!("../dialect.toml");
    const MACROS: &'static [(&'static str, &'static str)] = &[
        ("dbt_project.yml", include_str!("../macros/dbt_project.yml")),
        ("macros/mysql.sql", include_str!("../macros/macros/mysql.sql")),
        ("macros/materializations.sql", include_str!("../macros/macros/materializations.sql")),
        ("macros/functions.sql", include_str!("../macros/macros/functions.sql")),
    ];

    fn connect(profile: &Profile) -> Result<ConnectPlan, Failure> {
        if !profile.has("unix_socket") {
            profile.require("host")?;
        }
        for key in ["user", "schema"] {
            profile.require(key)?;
        }
        let schema = profile.require("schema")?;
        // The database is the schema here: dbt's adapter refuses two names for it as well.
        if let Some(other) = profile.text("database").filter(|d| !d.is_empty() && *d != schema) {
            let failure = Failure::new("DVT1003", format!("`database` is `{other}` and `schema` is `{schema}`: here they are one thing"));
            return Err(failure.hint("keep `schema` and leave `database` out"));
        }
        let port = profile.text("port").unwrap_or_else(|| "3306".to_owned());
        let mut options: Vec<(String, String)> = OPTIONS.iter().filter_map(|k| profile.text(k).map(|v| ((*k).to_owned(), v))).collect();
        options.push(("port".to_owned(), port.clone()));
        options.push(("database".to_owned(), schema));
        if !profile.has("sslmode") {
            let says = |key: &str| profile.text(key).is_some_and(|v| v.eq_ignore_ascii_case("true") || v == "1");
            let mode = match () {
                () if says("ssl_disabled") => "disable",
                () if says("ssl_verify_identity") => "verify-full",
                () if says("ssl_verify_cert") => "verify-ca",
                () => "prefer",
            };
            options.push(("sslmode".to_owned(), mode.to_owned()));
        }
        let secret_options = if profile.has_secret("password") { vec![("password".to_owned(), "password".to_owned())] } else { Vec::new() };
        let host = profile.text("unix_socket").or_else(|| profile.text("host")).unwrap_or_default();
        Ok(ConnectPlan {
            driver: "mysql".to_owned(),
            options,
            secret_options,
            session_setup: vec![
                // A value that does not fit is an error, and every table that dvt makes can be rolled back.
                "SET SESSION sql_mode = CONCAT_WS(',', NULLIF(@@SESSION.sql_mode, ''), 'STRICT_ALL_TABLES')".to_owned(),
                "SET SESSION default_storage_engine = 'InnoDB'".to_owned(),
            ],
            // One server holds many databases that one connection reads: they are one place.
            endpoint: format!("mysql:{host}:{port}"),
        })
    }

    fn catalog_sql(relations: &[Relation]) -> Result<String, Failure> {
        // One lookup by name each: the server reads its whole catalog for a list of pairs.
        let each: Vec<String> = relations
            .iter()
            .map(|r| {
                let schema = r.schema.as_deref().map_or_else(|| "database()".to_owned(), literal_text);
                format!(
                    "select null as `database`, t.table_schema as `schema`, t.table_name as `name`,
  case t.table_type when 'VIEW' then 'view' else 'table' end as `kind`,
  c.column_name as `column_name`, c.ordinal_position as `position`, c.column_type as `native_type`, c.is_nullable = 'YES' as `nullable`,
  case when c.collation_name is null then null when {BINARY} then 'binary' else 'loose' end as `collation`,
  t.table_rows as `est_rows`, t.data_length as `est_bytes`,
  case when t.table_type <> 'VIEW' then nullif(t.table_comment, '') end as `comment`, nullif(c.column_comment, '') as `column_comment`,
  case c.column_key when 'PRI' then 'primary' when 'UNI' then cast(c.ordinal_position as char) end as `unique_keys`
from information_schema.tables t join information_schema.columns c on c.table_schema = t.table_schema and c.table_name = t.table_name
where t.table_schema = {schema} and t.table_name = {name} and c.table_schema = {schema} and c.table_name = {name}",
                    name = literal_text(&r.identifier),
                )
            })
            .collect();
        Ok(format!("{}\norder by 2, 3, 6", each.join("\nunion all\n")))
    }

    fn list_sql(_database: Option<&str>, schema: &str) -> Result<String, Failure> {
        Ok(format!(
            "select null as `database`, t.table_schema as `schema`, t.table_name as `name`,
  case t.table_type when 'VIEW' then 'view' else 'table' end as `kind`
from information_schema.tables t where t.table_schema = {} order by 3",
            literal_text(schema)
        ))
    }

    fn canonical(native: &NativeType) -> Result<String, String> {
        let unsigned = native.name.contains(" unsigned");
        let sized = |bits: u8| if unsigned { format!("uint{bits}") } else { format!("int{bits}") };
        let base = native.name.split(' ').next().unwrap_or_default();
        Ok(match base {
            // BOOLEAN is a name for TINYINT(1) here, which holds 2 as well.
            "tinyint" | "bool" | "boolean" => sized(8),
            "smallint" => sized(16),
            "mediumint" | "int" | "integer" => sized(32),
            "bigint" => sized(64),
            "year" => "int16".to_owned(),
            "bit" => match native.arguments.first() {
                None | Some(1) => "bool".to_owned(),
                Some(_) => "uint64".to_owned(),
            },
            "float" => "float32".to_owned(),
            "double" | "real" => "float64".to_owned(),
            "decimal" | "numeric" => {
                return native.decimal().ok_or_else(|| format!("{} is wider than 38 digits; cast the column, for instance to decimal(38,10)", native.text));
            }
            "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "inet4" | "inet6" => "text".to_owned(),
            _ if base.starts_with("enum") || base.starts_with("set") => "text".to_owned(),
            "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => "bytes".to_owned(),
            "date" => "date".to_owned(),
            "datetime" => "timestamp".to_owned(),
            "timestamp" => "timestamptz".to_owned(),
            "time" => "time".to_owned(),
            "uuid" => "uuid".to_owned(),
            "json" => "json".to_owned(),
            _ => return Err(format!("the type {} cannot be carried; cast the column, for instance by ST_AsText(x) or cast(x as char)", native.text)),
        })
    }

    fn ddl(canonical: &NativeType) -> Option<String> {
        Some(match canonical.name.as_str() {
            "bool" => "tinyint(1)".to_owned(),
            "int8" => "tinyint".to_owned(),
            "int16" => "smallint".to_owned(),
            "int32" => "int".to_owned(),
            "int64" => "bigint".to_owned(),
            "uint8" => "tinyint unsigned".to_owned(),
            "uint16" => "smallint unsigned".to_owned(),
            "uint32" => "int unsigned".to_owned(),
            "uint64" => "bigint unsigned".to_owned(),
            "float32" => "float".to_owned(),
            "float64" => "double".to_owned(),
            // 30 digits behind the point at most.
            "decimal" if canonical.arguments.get(1).is_some_and(|scale| *scale > 30) => return None,
            "decimal" => canonical.text.clone(),
            "text" => "longtext character set utf8mb4".to_owned(),
            "bytes" => "longblob".to_owned(),
            "date" => "date".to_owned(),
            "time" => "time(6)".to_owned(),
            "timestamp" => "datetime(6)".to_owned(),
            // NULL has to be said: older servers give the first such column a default of their own.
            "timestamptz" => "timestamp(6) null".to_owned(),
            "uuid" => "char(36) character set ascii".to_owned(),
            "json" => "json".to_owned(),
            _ => return None,
        })
    }

    fn classify(sqlstate: Option<&str>, message: &str) -> (String, Option<String>) {
        let number = message.rsplit_once("(error ").and_then(|(_, n)| n.trim_end_matches(')').parse::<u32>().ok());
        let (code, hint) = match number {
            Some(1045 | 1698) => ("DVT5102", Some("check `username` and `password` of the output")),
            Some(1049) => ("DVT5103", Some("check `schema` of the output, or let dvt's user create it")),
            Some(1044 | 1142 | 1143 | 1227 | 1370) => ("DVT5105", Some("grant the user of the output what the statement needs")),
            Some(1146 | 1051) => ("DVT4001", Some("check the schema and the name, and that dvt's user may see the table")),
            Some(1317) => ("DVT6010", None),
            Some(1040 | 1053 | 1077 | 1129 | 1130 | 1152 | 1158..=1161 | 1203 | 1927) => {
                ("DVT5101", Some("check that the server runs and lets this machine in"))
            }
            Some(1205 | 1213) => ("DVT5104", Some("another session holds the rows: run it again when that one has ended")),
            Some(_) => ("DVT5104", None),
            None if sqlstate.is_none() && (message.contains("connect") || message.contains("refused")) => {
                ("DVT5101", Some("check that the server runs and that host and port are right"))
            }
            None => ("DVT5104", None),
        };
        (code.to_owned(), hint.map(str::to_owned))
    }

    fn merge_statement(_version: &str) -> bool {
        false
    }
}

/// Backslashes escape in this product's literals unless the server was told otherwise; names with one are told by their bytes.
fn literal_text(text: &str) -> String {
    if text.contains('\\') {
        let hex: String = text.bytes().map(|b| format!("{b:02X}")).collect();
        return format!("convert(x'{hex}' using utf8mb4)");
    }
    literal(text)
}

dvt_plugin_sdk::export_adapter!(crate::Mysql);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Mysql;
    use dvt_plugin_sdk::{Adapter, NativeType};

    fn canonical(native: &str) -> String {
        Mysql::canonical(&NativeType::parse(native)).unwrap()
    }

    #[test]
    fn types_of_columns_are_told_by_their_whole_text() {
        assert_eq!(canonical("int(10) unsigned zerofill"), "uint32");
        assert_eq!(canonical("tinyint(1)"), "int8");
        assert_eq!(canonical("decimal(15,2) unsigned"), "decimal(15,2)");
        assert_eq!(canonical("enum('a)','b')"), "text");
        assert_eq!(canonical("set('x')"), "text");
        assert_eq!(canonical("bit(1)"), "bool");
        assert_eq!(canonical("bit(12)"), "uint64");
        assert_eq!(canonical("datetime(6)"), "timestamp");
        assert!(Mysql::canonical(&NativeType::parse("decimal(65,30)")).is_err());
        assert!(Mysql::canonical(&NativeType::parse("geometry")).is_err());
    }
}
