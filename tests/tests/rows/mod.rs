//! Rows of a table of any product as sorted text, so that equal values are equal texts.
#![allow(dead_code, clippy::unwrap_used, missing_docs)]

use mysql::prelude::Queryable;
use std::path::Path;

pub type Rows = Vec<Vec<Option<String>>>;

fn sorted(mut rows: Rows) -> Rows {
    rows.sort();
    rows
}

pub fn duckdb_rows(file: &Path, sql: &str) -> Rows {
    let connection = duckdb::Connection::open(file).unwrap();
    let mut statement = connection.prepare(&format!("select columns(*)::varchar from ({sql})")).unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut out = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let count = row.as_ref().column_count();
        out.push((0..count).map(|i| row.get::<_, Option<String>>(i).unwrap()).collect());
    }
    sorted(out)
}

pub fn sqlite_rows(file: &Path, table: &str) -> Rows {
    let connection = rusqlite::Connection::open(file).unwrap();
    let mut statement = connection.prepare(&format!("select * from {table}")).unwrap();
    let count = statement.column_count();
    let text = |value: rusqlite::types::Value| match value {
        rusqlite::types::Value::Null => None,
        rusqlite::types::Value::Integer(n) => Some(n.to_string()),
        rusqlite::types::Value::Real(n) => Some(n.to_string()),
        rusqlite::types::Value::Text(t) => Some(t),
        rusqlite::types::Value::Blob(b) => Some(format!("{b:02x?}")),
    };
    let rows = statement.query_map([], |row| Ok((0..count).map(|i| text(row.get_unwrap(i))).collect())).unwrap();
    sorted(rows.map(Result::unwrap).collect())
}

pub fn postgres_rows(port: u16, schema: &str, table: &str) -> Rows {
    let mut client = postgres::Client::connect(&format!("host=127.0.0.1 port={port} user=dvt dbname=postgres"), postgres::NoTls).unwrap();
    let columns: Vec<String> = client
        .query(
            "select column_name::text from information_schema.columns where table_schema = $1 and table_name = $2 order by ordinal_position",
            &[&schema, &table],
        )
        .unwrap()
        .iter()
        .map(|r| format!("\"{}\"::text", r.get::<_, String>(0)))
        .collect();
    assert!(!columns.is_empty(), "{table} was not built");
    let rows = client.query(&format!("select {} from {schema}.{table}", columns.join(", ")), &[]).unwrap();
    sorted(rows.iter().map(|r| (0..r.len()).map(|i| r.get::<_, Option<String>>(i)).collect()).collect())
}

pub fn mysql_client(port: u16) -> mysql::Conn {
    let opts = mysql::OptsBuilder::new().ip_or_hostname(Some("127.0.0.1")).tcp_port(port).prefer_socket(false).user(Some("dvt"));
    mysql::Conn::new(opts).unwrap()
}

pub fn mysql_rows(port: u16, schema: &str, table: &str) -> Rows {
    let rows: Vec<mysql::Row> = mysql_client(port).query(format!("select * from `{schema}`.`{table}`")).unwrap();
    let text = |value: mysql::Value| match value {
        mysql::Value::NULL => None,
        mysql::Value::Bytes(bytes) => Some(String::from_utf8(bytes).unwrap()),
        other => panic!("{other:?}"),
    };
    sorted(rows.into_iter().map(|r| r.unwrap().into_iter().map(text).collect()).collect())
}
