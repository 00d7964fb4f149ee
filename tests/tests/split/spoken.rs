//! The dialects that models are written in, and the one server of each that holds all tables.
//!
//! A model compares text as its source does. So that server has every table twice: with columns of loose collations, and
//! with columns that compare bytes for sources that know no other.
#![allow(dead_code)]

use super::answers::{self, Product};
use super::{TABLES, World};
use arrow::datatypes::DataType;
use dvt_diagnostic::Diagnostic;
use dvt_engine::DescribedColumn;
use dvt_federation::{Origin, Types};
use dvt_planner::catalog::Collation;
use dvt_planner::types::CanonicalType;
use dvt_project::TargetName;

/// A dialect of models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spoken {
    pub dialect: &'static str,
    /// The target whose product speaks it.
    pub home: &'static str,
}

/// What the compute runs as it is; its truth is [`super::World::truth`] with exact types.
pub const DUCKDB: Spoken = Spoken { dialect: "duckdb", home: "all" };
pub const POSTGRES: Spoken = Spoken { dialect: "postgres", home: "pg" };
pub const MYSQL: Spoken = Spoken { dialect: "mysql", home: "my" };
pub const SQLITE: Spoken = Spoken { dialect: "sqlite", home: "lite" };

/// Schemas of the server that holds all: by what its text columns `~` are.
const LOOSE: &str = "loose";
const BYTES: &str = "bytes";

impl Spoken {
    /// Values that no column of the product has are others here: NaN and infinities.
    pub fn rows(&self, rows: &str) -> String {
        if matches!(self.home, "my" | "lite") {
            rows.replace("'NaN'", "1e15").replace("'-Infinity'", "-3.5").replace("'Infinity'", "2.5")
        } else {
            rows.to_owned()
        }
    }

    /// How the server that holds all declares a column.
    fn native(&self, kind: &str, schema: &str) -> &'static str {
        let kind = if schema == BYTES { kind.trim_end_matches('~') } else { kind };
        match (self.home, kind) {
            // There numbers are numbers, not text.
            ("lite", "decimal(15;2)") => "decimal(15,2)",
            _ => super::native(self.home, kind).0,
        }
    }

    /// The server with all tables, as it answers.
    pub(super) fn product(&self, world: &World) -> Option<Product> {
        let statements = |quote: &str| -> Vec<String> {
            let mut out = Vec::new();
            for schema in [LOOSE, BYTES] {
                for (name, columns, rows) in TABLES {
                    let list: Vec<String> = columns.split(", ").map(|c| c.split_once(' ').unwrap()).map(|(n, k)| format!("{n} {}", self.native(k, schema))).collect();
                    let table = format!("{schema}.{quote}{name}{quote}");
                    out.push(format!("create table {table} ({})", list.join(", ")));
                    out.push(format!("insert into {table} values {}", self.rows(rows)));
                }
            }
            out
        };
        match self.home {
            "pg" => {
                let mut client = answers::postgres_session(world.postgres_port());
                client.batch_execute("create schema loose; create schema bytes; set search_path = public").unwrap();
                statements("\"").iter().for_each(|s| client.batch_execute(s).unwrap_or_else(|e| panic!("{s}: {e}")));
                Some(answers::postgres(client))
            }
            "my" => {
                use mysql::prelude::Queryable;
                let mut session = answers::mariadb_session(world.mariadb_port());
                let schemas = [LOOSE, BYTES].map(|s| format!("create database {s} character set utf8mb4"));
                schemas.into_iter().chain(statements("`")).for_each(|s| session.query_drop(&s).unwrap_or_else(|e| panic!("{s}: {e}")));
                Some(answers::mariadb(session))
            }
            "lite" => {
                let session = rusqlite::Connection::open_in_memory().unwrap();
                let schemas = [LOOSE, BYTES].map(|s| format!("attach ':memory:' as {s}"));
                schemas.into_iter().chain(statements("\"")).for_each(|s| session.execute_batch(&s).unwrap_or_else(|e| panic!("{s}: {e}")));
                Some(answers::sqlite(session))
            }
            _ => None,
        }
    }

    /// Where the server that holds all has a table whose source is `target`.
    pub(super) fn schema(&self, target: &str) -> &'static str {
        if super::native(target, "text~").1 == Collation::Loose { LOOSE } else { BYTES }
    }

    /// An answer as lines, as the product can tell its values apart.
    pub(super) fn seen(&self, answer: (Vec<String>, Vec<String>)) -> Vec<String> {
        let (columns, rows) = answers::as_told(self.dialect, answer);
        std::iter::once(columns.join(" | ")).chain(rows).collect()
    }
}

/// The family of a canonical type, as [`answers::family`] names those of products.
pub fn family(kind: CanonicalType) -> &'static str {
    match kind {
        CanonicalType::Bool => "bool",
        CanonicalType::Int(8) => "int8",
        CanonicalType::Int(16) => "int16",
        CanonicalType::Int(32) => "int32",
        CanonicalType::Int(_) => "int64",
        CanonicalType::Decimal(..) => "decimal",
        CanonicalType::Float(64) => "float64",
        CanonicalType::Text => "text",
        CanonicalType::Date => "date",
        CanonicalType::Timestamp => "timestamp",
        CanonicalType::TimestampTz => "timestamptz",
        _ => "other",
    }
}

/// The family of values whose query has no declared types.
pub fn family_of(kind: &DataType) -> &'static str {
    match kind {
        DataType::Boolean => "bool",
        DataType::Int64 => "int64",
        DataType::Int32 => "int32",
        DataType::Decimal128(..) => "decimal",
        DataType::Float64 => "float64",
        DataType::Utf8 => "text",
        DataType::Date32 => "date",
        DataType::Timestamp(..) => "timestamp",
        _ => "other",
    }
}

/// What the compute's types are, as far as these tests go; in the host adapters tell it.
pub struct Families;

impl Types for Families {
    fn canonical(&self, at: Origin<'_>, described: &[DescribedColumn]) -> Result<Vec<Option<CanonicalType>>, Diagnostic> {
        if matches!(at, Origin::Target(_)) {
            return Ok(vec![None; described.len()]);
        }
        let known = |native: &str| {
            let (base, arguments) = native.split_once('(').unwrap_or((native, ""));
            let digits: Vec<u8> = arguments.trim_end_matches(')').split(',').filter_map(|a| a.trim().parse().ok()).collect();
            Some(match base.to_lowercase().trim() {
                "boolean" => CanonicalType::Bool,
                "tinyint" => CanonicalType::Int(8),
                "smallint" => CanonicalType::Int(16),
                "integer" => CanonicalType::Int(32),
                "bigint" => CanonicalType::Int(64),
                "decimal" => CanonicalType::Decimal(*digits.first()?, *digits.get(1)?),
                "hugeint" => CanonicalType::Decimal(38, 0),
                "double" => CanonicalType::Float(64),
                "varchar" => CanonicalType::Text,
                "date" => CanonicalType::Date,
                "timestamp" => CanonicalType::Timestamp,
                _ => return None,
            })
        };
        Ok(described.iter().map(|d| known(&d.native)).collect())
    }

    fn ddl(&self, _: &TargetName, types: &[CanonicalType]) -> Result<Vec<String>, Diagnostic> {
        Ok(types.iter().map(ToString::to_string).collect())
    }
}
