//! TPC-H data (crate `tpchgen`) written into SQLite, DuckDB, PostgreSQL and MySQL with exact types.
//!
//! Rows are the generator's own text form; every product reads it with its own bulk loader.

use std::fmt::Display;
use std::io::{BufWriter, Write};
use std::path::Path;
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator, RegionGenerator, SupplierGenerator,
};

/// Table, its columns as `name type`; `dec` is decimal(15,2).
pub const TABLES: [(&str, &str); 8] = [
    ("region", "r_regionkey int, r_name text, r_comment text"),
    ("nation", "n_nationkey int, n_name text, n_regionkey int, n_comment text"),
    ("customer", "c_custkey int, c_name text, c_address text, c_nationkey int, c_phone text, c_acctbal dec, c_mktsegment text, c_comment text"),
    (
        "orders",
        "o_orderkey int, o_custkey int, o_orderstatus text, o_totalprice dec, o_orderdate date, o_orderpriority text, o_clerk text, o_shippriority int, o_comment text",
    ),
    (
        "lineitem",
        "l_orderkey int, l_partkey int, l_suppkey int, l_linenumber int, l_quantity dec, l_extendedprice dec, l_discount dec, l_tax dec, l_returnflag text, l_linestatus text, l_shipdate date, l_commitdate date, l_receiptdate date, l_shipinstruct text, l_shipmode text, l_comment text",
    ),
    (
        "part",
        "p_partkey int, p_name text, p_mfgr text, p_brand text, p_type text, p_size int, p_container text, p_retailprice dec, p_comment text",
    ),
    ("partsupp", "ps_partkey int, ps_suppkey int, ps_availqty int, ps_supplycost dec, ps_comment text"),
    ("supplier", "s_suppkey int, s_name text, s_address text, s_nationkey int, s_phone text, s_acctbal dec, s_comment text"),
];

pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn write_rows(rows: impl Iterator<Item = impl Display>, out: &mut dyn Write) -> Outcome<()> {
    for row in rows {
        let line = row.to_string();
        // The generator ends a line with its separator.
        writeln!(out, "{}", line.strip_suffix('|').unwrap_or(&line))?;
    }
    Ok(())
}

/// Writes one table's rows, columns separated by `|`.
pub fn write_table(table: &str, scale: f64, out: &mut dyn Write) -> Outcome<()> {
    match table {
        "region" => write_rows(RegionGenerator::new(scale, 1, 1).iter(), out),
        "nation" => write_rows(NationGenerator::new(scale, 1, 1).iter(), out),
        "customer" => write_rows(CustomerGenerator::new(scale, 1, 1).iter(), out),
        "orders" => write_rows(OrderGenerator::new(scale, 1, 1).iter(), out),
        "lineitem" => write_rows(LineItemGenerator::new(scale, 1, 1).iter(), out),
        "part" => write_rows(PartGenerator::new(scale, 1, 1).iter(), out),
        "partsupp" => write_rows(PartSuppGenerator::new(scale, 1, 1).iter(), out),
        "supplier" => write_rows(SupplierGenerator::new(scale, 1, 1).iter(), out),
        other => Err(format!("`{other}` is no TPC-H table").into()),
    }
}

fn columns(table: &str) -> Outcome<Vec<(&'static str, &'static str)>> {
    let (_, all) = TABLES.iter().find(|(t, _)| *t == table).ok_or("no such table")?;
    Ok(all.split(", ").filter_map(|c| c.split_once(' ')).collect())
}

fn ddl(table: &str, kind: impl Fn(&str) -> &'static str) -> Outcome<String> {
    let list: Vec<String> = columns(table)?.into_iter().map(|(name, t)| format!("{name} {}", kind(t))).collect();
    Ok(format!("create table {table} ({})", list.join(", ")))
}

fn text_file(table: &str, scale: f64) -> Outcome<tempfile::NamedTempFile> {
    let file = tempfile::NamedTempFile::new()?;
    let mut out = BufWriter::new(file.reopen()?);
    write_table(table, scale, &mut out)?;
    out.flush()?;
    Ok(file)
}

/// Tables into one DuckDB file, which must not exist.
pub fn duckdb(path: &Path, tables: &[&str], scale: f64) -> Outcome<()> {
    let connection = duckdb::Connection::open(path)?;
    for table in tables {
        let kind = |t: &str| match t {
            "int" => "bigint",
            "dec" => "decimal(15,2)",
            "date" => "date",
            _ => "varchar",
        };
        let list: Vec<String> = columns(table)?.into_iter().map(|(name, t)| format!("'{name}': '{}'", kind(t))).collect();
        let file = text_file(table, scale)?;
        connection.execute_batch(&format!(
            "create table {table} as select * from read_csv('{}', delim = '|', header = false, quote = '', columns = {{{}}})",
            file.path().display(),
            list.join(", ")
        ))?;
    }
    Ok(())
}

/// Tables into one SQLite file, which must not exist.
pub fn sqlite(path: &Path, tables: &[&str], scale: f64) -> Outcome<()> {
    let mut connection = rusqlite::Connection::open(path)?;
    for table in tables {
        connection.execute_batch(&ddl(table, |t| match t {
            "int" => "integer",
            "dec" => "decimal_text(15,2)",
            "date" => "date",
            _ => "text",
        })?)?;
        let mut text = Vec::new();
        write_table(table, scale, &mut text)?;
        let count = columns(table)?.len();
        let transaction = connection.transaction()?;
        {
            let marks = vec!["?"; count].join(", ");
            let mut insert = transaction.prepare(&format!("insert into {table} values ({marks})"))?;
            for line in std::str::from_utf8(&text)?.lines() {
                insert.execute(rusqlite::params_from_iter(line.split('|')))?;
            }
        }
        transaction.commit()?;
    }
    Ok(())
}

/// Tables into a schema of a PostgreSQL database, which must not have them.
pub fn postgres(url: &str, schema: &str, tables: &[&str], scale: f64) -> Outcome<()> {
    let mut client = postgres::Client::connect(url, postgres::NoTls)?;
    client.batch_execute(&format!("create schema if not exists {schema}; set search_path to {schema}"))?;
    for table in tables {
        client.batch_execute(&ddl(table, |t| match t {
            "int" => "bigint",
            "dec" => "numeric(15,2)",
            "date" => "date",
            _ => "text",
        })?)?;
        let mut out = BufWriter::new(client.copy_in(&format!("copy {table} from stdin with (format text, delimiter '|')"))?);
        write_table(table, scale, &mut out)?;
        out.into_inner().map_err(|e| e.to_string())?.finish()?;
        client.batch_execute(&format!("analyze {table}"))?;
    }
    Ok(())
}

/// Tables into a database of a MySQL server on loopback, which must not have them.
pub fn mysql(port: u16, schema: &str, tables: &[&str], scale: f64) -> Outcome<()> {
    use mysql::prelude::Queryable;
    let opts = mysql::OptsBuilder::new().ip_or_hostname(Some("127.0.0.1")).tcp_port(port).prefer_socket(false).user(Some("dvt"));
    let mut client = mysql::Conn::new(opts)?;
    client.query_drop(format!("create database if not exists {schema}"))?;
    client.select_db(schema)?;
    for table in tables {
        client.query_drop(ddl(table, |t| match t {
            "int" => "bigint",
            "dec" => "decimal(15,2)",
            "date" => "date",
            _ => "varchar(200)",
        })?)?;
        let mut text = Vec::new();
        write_table(table, scale, &mut text)?;
        client.set_local_infile_handler(Some(mysql::LocalInfileHandler::new(move |_, out| out.write_all(&text))));
        client.query_drop(format!("load data local infile 'rows' into table {table} character set utf8mb4 fields terminated by '|' escaped by '' lines terminated by '\\n'"))?;
        if client.warnings() > 0 {
            return Err(format!("{table}: the server warned").into());
        }
        client.set_local_infile_handler(None);
        client.query_drop(format!("analyze table {table}"))?;
    }
    Ok(())
}
