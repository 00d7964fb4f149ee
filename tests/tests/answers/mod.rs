//! What a product answers to a query, in one form for all products: names of columns with the families of their types, and
//! rows as text, sorted. Two answers that are equal here are the same table.
#![allow(dead_code, clippy::unwrap_used, missing_docs)]

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// Columns with their types, and rows, sorted.
pub type Answer = Result<(Vec<String>, Vec<String>), String>;

/// A product that answers a query's text.
pub type Product = Box<dyn FnMut(&str) -> Answer>;

/// A type as it is compared: exact ones by name, of decimals no digits.
pub fn family(kind: &str) -> &'static str {
    let kind = kind.to_lowercase();
    match kind.split('(').next().unwrap() {
        "bool" | "boolean" => "bool",
        "int1" | "tinyint" => "int8",
        "int2" | "smallint" | "int16" => "int16",
        "int4" | "int" | "integer" | "int32" => "int32",
        "int8" | "bigint" | "int64" => "int64",
        "numeric" | "decimal" | "hugeint" | "decimal128" => "decimal",
        "float8" | "double" | "float64" => "float64",
        "text" | "string" | "varchar" | "bpchar" | "utf8" => "text",
        "date" | "date32" => "date",
        "timestamp" if kind.contains("tz") => "timestamptz",
        "timestamptz" | "timestamp with time zone" => "timestamptz",
        "timestamp" | "timestamp_ntz" => "timestamp",
        other => panic!("the type {other} is not compared"),
    }
}

pub fn cell(kind: &str, value: Option<&str>) -> String {
    let Some(value) = value else { return "<null>".to_owned() };
    if matches!(kind, "date" | "timestamp") {
        let plain = value.trim_start_matches('+').replace(" (BC)", "").replace(" BC", "");
        let plain = if plain.contains('.') { plain.trim_end_matches('0').trim_end_matches('.') } else { &plain };
        // 1 BC is the year 0 elsewhere, 2 BC is -1.
        return match (value.contains("BC"), plain.split_once('-')) {
            (true, Some(("0001", rest))) => format!("0000-{rest}"),
            (true, Some((year, rest))) => format!("-{:04}-{rest}", year.parse::<i32>().unwrap() - 1),
            _ => plain.to_owned(),
        };
    }
    match kind {
        "float64" => value.parse::<f64>().map_or_else(|_| value.to_owned(), |f| format!("{f:?}")),
        "decimal" if !value.contains('.') => value.to_owned(),
        "decimal" => value.trim_end_matches('0').trim_end_matches('.').to_owned(),
        _ => format!("{value:?}"),
    }
}

pub fn sorted(columns: Vec<String>, mut rows: Vec<String>) -> (Vec<String>, Vec<String>) {
    rows.sort();
    (columns, rows)
}

/// What was computed, from its batches. Names and types are those of the first batch, or `columns`.
pub fn of_batches(columns: &[(String, &'static str)], batches: &[RecordBatch]) -> (Vec<String>, Vec<String>) {
    let options = FormatOptions::default().with_null("").with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.6f"));
    let mut rows = Vec::new();
    for batch in batches {
        let shown: Vec<_> = batch.columns().iter().map(|c| ArrayFormatter::try_new(c.as_ref(), &options).unwrap()).collect();
        for row in 0..batch.num_rows() {
            let cells = shown.iter().zip(batch.columns()).zip(columns).map(|((text, values), (_, kind))| {
                let text = (!values.is_null(row)).then(|| text.value(row).to_string());
                cell(kind, text.as_deref())
            });
            rows.push(cells.collect::<Vec<_>>().join(" | "));
        }
    }
    sorted(columns.iter().map(|(name, kind)| format!("{name} {kind}")).collect(), rows)
}

/// Families that a column's name is followed by.
const FAMILIES: [&str; 12] = ["bool", "int8", "int16", "int32", "int64", "decimal", "float64", "text", "date", "timestamp", "timestamptz", "other"];

/// An answer as the product of a dialect can tell its values apart: MariaDB's truth values are whole numbers of one width,
/// SQLite's numbers are told by their value and its dates are text. Zeros of both signs are equal.
pub fn as_told(dialect: &str, (columns, rows): (Vec<String>, Vec<String>)) -> (Vec<String>, Vec<String>) {
    let named: Vec<(&str, &str)> = columns.iter().map(|c| c.rsplit_once(' ').filter(|(_, k)| FAMILIES.contains(k)).unwrap_or((c, ""))).collect();
    let head = named.iter().map(|(name, kind)| match (dialect, *kind) {
        ("sqlite", _) | (_, "") => (*name).to_owned(),
        ("mysql", "bool" | "int8" | "int16" | "int32") => format!("{name} int64"),
        (_, kind) => format!("{name} {kind}"),
    });
    let cell = |cell: &str, kind: &str| {
        let plain = cell.trim_matches('"');
        match (dialect, kind) {
            _ if cell == "<null>" => cell.to_owned(),
            _ if cell == "-0.0" => "0.0".to_owned(),
            ("mysql", "bool") => format!("\"{}\"", u8::from(plain == "true")),
            ("sqlite", "bool") => u8::from(plain == "true").to_string(),
            ("sqlite", "int8" | "int16" | "int32" | "int64") => plain.to_owned(),
            ("sqlite", "date" | "timestamp") => format!("{cell:?}"),
            _ => cell.to_owned(),
        }
    };
    let rows = rows.iter().map(|row| row.split(" | ").zip(&named).map(|(c, (_, k))| cell(c, k)).collect::<Vec<_>>().join(" | "));
    let rows = rows.collect();
    sorted(head.collect(), rows)
}

/// PostgreSQL, types as it describes them.
pub fn postgres(mut client: postgres::Client) -> Product {
    Box::new(move |sql| {
        let mut ask = || -> Result<(Vec<String>, Vec<String>), postgres::Error> {
            let columns: Vec<(String, &'static str)> = client.prepare(sql)?.columns().iter().map(|c| (c.name().to_owned(), family(c.type_().name()))).collect();
            let names: Vec<String> = (0..columns.len()).map(|i| format!("c{i}")).collect();
            let texts: Vec<String> = names.iter().map(|n| format!("{n}::text")).collect();
            let rows = client.query(&format!("select {} from ({sql}) as q({})", texts.join(", "), names.join(", ")), &[])?;
            let rows = rows.iter().map(|r| columns.iter().enumerate().map(|(i, (_, kind))| cell(kind, r.get::<_, Option<String>>(i).as_deref())).collect::<Vec<_>>().join(" | "));
            Ok(sorted(columns.iter().map(|(name, kind)| format!("{name} {kind}")).collect(), rows.collect()))
        };
        ask().map_err(|e| e.as_db_error().map_or_else(|| e.to_string(), |d| d.message().to_owned()))
    })
}

/// DuckDB, types as it describes them.
pub fn duckdb(connection: duckdb::Connection) -> Product {
    Box::new(move |sql| {
        let ask = || -> duckdb::Result<(Vec<String>, Vec<String>)> {
            let columns: Vec<(String, &'static str)> = connection
                .prepare(&format!("DESCRIBE {sql}"))?
                .query_map([], |r| Ok((r.get::<_, String>(0)?, family(&r.get::<_, String>(1)?))))?
                .collect::<duckdb::Result<_>>()?;
            let names: Vec<String> = (0..columns.len()).map(|i| format!("c{i}")).collect();
            let texts: Vec<String> = names.iter().map(|n| format!("CAST({n} AS VARCHAR)")).collect();
            let mut statement = connection.prepare(&format!("SELECT {} FROM ({sql}) AS q({})", texts.join(", "), names.join(", ")))?;
            let rows = statement.query_map([], |r| {
                let cells = columns.iter().enumerate().map(|(i, (_, kind))| Ok(cell(kind, r.get::<_, Option<String>>(i)?.as_deref())));
                Ok(cells.collect::<duckdb::Result<Vec<_>>>()?.join(" | "))
            })?;
            let rows = rows.collect::<duckdb::Result<Vec<_>>>()?;
            Ok(sorted(columns.iter().map(|(name, kind)| format!("{name} {kind}")).collect(), rows))
        };
        ask().map_err(|e| e.to_string().lines().next().unwrap_or_default().to_owned())
    })
}

/// SQLite: its values have types, its columns have none.
pub fn sqlite(connection: rusqlite::Connection) -> Product {
    Box::new(move |sql| {
        let ask = || -> rusqlite::Result<(Vec<String>, Vec<String>)> {
            let mut statement = connection.prepare(sql)?;
            let names: Vec<String> = statement.column_names().iter().map(|n| (*n).to_owned()).collect();
            let rows = statement.query_map([], |row| {
                let cells = (0..names.len()).map(|i| {
                    Ok(match row.get::<_, rusqlite::types::Value>(i)? {
                        rusqlite::types::Value::Null => "<null>".to_owned(),
                        rusqlite::types::Value::Integer(n) => n.to_string(),
                        rusqlite::types::Value::Real(f) => format!("{f:?}"),
                        rusqlite::types::Value::Text(t) => format!("{t:?}"),
                        rusqlite::types::Value::Blob(b) => format!("{b:?}"),
                    })
                });
                Ok(cells.collect::<rusqlite::Result<Vec<_>>>()?.join(" | "))
            })?;
            let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
            Ok(sorted(names, rows))
        };
        ask().map_err(|e| e.to_string())
    })
}

/// MariaDB, its whole numbers as the widest.
pub fn mariadb(mut connection: mysql::Conn) -> Product {
    use mysql::consts::ColumnType as T;
    use mysql::prelude::Queryable;
    Box::new(move |sql| {
        let result = connection.query_iter(sql).map_err(|e| e.to_string())?;
        let columns: Vec<(String, &'static str)> = result
            .columns()
            .as_ref()
            .iter()
            .map(|c| {
                let kind = match c.column_type() {
                    T::MYSQL_TYPE_NEWDECIMAL | T::MYSQL_TYPE_DECIMAL => "decimal",
                    T::MYSQL_TYPE_DOUBLE => "float64",
                    T::MYSQL_TYPE_DATE => "date",
                    T::MYSQL_TYPE_DATETIME | T::MYSQL_TYPE_TIMESTAMP => "timestamp",
                    T::MYSQL_TYPE_TINY | T::MYSQL_TYPE_SHORT | T::MYSQL_TYPE_LONG | T::MYSQL_TYPE_LONGLONG | T::MYSQL_TYPE_INT24 => "int64",
                    _ => "text",
                };
                (c.name_str().into_owned(), kind)
            })
            .collect();
        let mut rows = Vec::new();
        for row in result {
            let row = row.map_err(|e| e.to_string())?.unwrap();
            let cells = row.into_iter().zip(&columns).map(|(v, (_, kind))| match v {
                mysql::Value::NULL => "<null>".to_owned(),
                mysql::Value::Bytes(bytes) => cell(kind, Some(&String::from_utf8_lossy(&bytes))),
                other => format!("{other:?}"),
            });
            rows.push(cells.collect::<Vec<_>>().join(" | "));
        }
        let names = columns.iter().map(|(name, kind)| format!("{name} {kind}")).collect();
        Ok(sorted(names, rows))
    })
}

/// A session on a MariaDB of the tests, in which a backslash is a letter and times are of UTC.
pub fn mariadb_session(port: u16) -> mysql::Conn {
    use mysql::prelude::Queryable;
    let opts = mysql::OptsBuilder::new().ip_or_hostname(Some("127.0.0.1")).tcp_port(port).prefer_socket(false).user(Some("dvt"));
    let mut connection = mysql::Conn::new(opts).unwrap();
    connection.query_drop("set sql_mode = concat(@@sql_mode, ',NO_BACKSLASH_ESCAPES'), time_zone = '+00:00'").unwrap();
    connection
}

/// A session on a PostgreSQL of the tests, in UTC.
pub fn postgres_session(port: u16) -> postgres::Client {
    let mut client = postgres::Client::connect(&format!("host=127.0.0.1 port={port} user=dvt dbname=postgres"), postgres::NoTls).unwrap();
    client.batch_execute("set timezone = 'UTC'").unwrap();
    client
}
