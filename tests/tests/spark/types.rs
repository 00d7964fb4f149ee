//! Every type of PostgreSQL and MariaDB through each compute into each product: unchanged, or refused by the column's name
//! before a row moves.

use super::place::Place;
use std::fmt::Write as _;

/// How a value is shown so that both products show it alike.
#[derive(Clone, Copy, PartialEq)]
enum Shown {
    Text,
    /// As numbers, truth as 1 and 0.
    Number,
    Bytes,
    Stamp,
    /// Compared as numbers: products write them differently.
    Double,
}

#[derive(Clone, Copy, PartialEq)]
enum Product {
    Postgres,
    Mariadb,
}
use Product::{Mariadb, Postgres};

fn shown(at: Product, how: Shown, column: &str) -> String {
    match (at, how) {
        // Blanks at the end of a char(n) are part of it; a cast to text would cut them off.
        (Postgres, Shown::Text) => format!("case when {column} is null then 'NULL' else format('%s', {column}) end"),
        (Postgres, Shown::Number) => format!("replace(replace({column}::text, 'true', '1'), 'false', '0')"),
        (Postgres, Shown::Bytes) => format!("length({column}) || ' ' || md5({column})"),
        (Postgres, Shown::Stamp) => format!("to_char({column}, 'YYYY-MM-DD HH24:MI:SS.US')"),
        (Postgres, Shown::Double) => format!("{column}::float8::text"),
        (Mariadb, Shown::Text) => format!("cast({column} as char)"),
        (Mariadb, Shown::Number) => format!("{column} + 0"),
        (Mariadb, Shown::Bytes) => format!("concat(length({column}), ' ', md5({column}))"),
        (Mariadb, Shown::Stamp) => format!("date_format({column}, '%Y-%m-%d %H:%i:%s.%f')"),
        (Mariadb, Shown::Double) => format!("{column} + 0e0"),
    }
}

/// A column of a source: its type, its values, and its type in a table of each product.
struct Column {
    name: &'static str,
    kind: &'static str,
    how: Shown,
    values: &'static [&'static str],
    into: [&'static str; 2],
}

const fn column(name: &'static str, kind: &'static str, how: Shown, values: &'static [&'static str], into: [&'static str; 2]) -> Column {
    Column { name, kind, how, values, into }
}

const TEXT: [&str; 2] = ["text", "longtext"];
const LETTERS: [&str; 5] = ["''", "' a '", "'é😀 \"quoted\"'", "'it''s, a_%;'", "'NULL'"];

/// What both products hold.
const FROM_POSTGRES: [Column; 27] = [
    column("flag", "boolean", Shown::Number, &["true", "false"], ["boolean", "tinyint(1)"]),
    column("small", "smallint", Shown::Text, &["-32768", "32767"], ["smallint", "smallint(6)"]),
    column("whole", "integer", Shown::Text, &["-2147483648", "2147483647"], ["integer", "int(11)"]),
    column("large", "bigint", Shown::Text, &["-9223372036854775808", "9223372036854775807"], ["bigint", "bigint(20)"]),
    column("object", "oid", Shown::Text, &["0", "4294967295"], ["bigint", "int(10) unsigned"]),
    column("single", "real", Shown::Double, &["1.1", "-3.4028235e38", "1.17549435e-38", "16777217"], ["real", "float"]),
    column("twice", "double precision", Shown::Double, &["0.1", "-1.7976931348623157e308", "2.2250738585072014e-308", "9007199254740993"], ["double precision", "double"]),
    column("bare", "numeric", Shown::Text, &["12345678901234567890.123456789012345678", "-0.000000000000000001", "1.000000000000000000"], ["numeric(38,18)", "decimal(38,18)"]),
    column("money_of", "numeric(15,2)", Shown::Text, &["-9999999999999.99", "0.10"], ["numeric(15,2)", "decimal(15,2)"]),
    column("wide", "numeric(38,10)", Shown::Text, &["9999999999999999999999999999.9999999999", "-0.0000000001"], ["numeric(38,10)", "decimal(38,10)"]),
    column("digits", "numeric(38,0)", Shown::Text, &["99999999999999999999999999999999999999", "-1"], ["numeric(38,0)", "decimal(38,0)"]),
    column("fraction", "numeric(30,30)", Shown::Text, &["0.123456789012345678901234567890", "-0.000000000000000000000000000001"], ["numeric(30,30)", "decimal(30,30)"]),
    column("words", "text", Shown::Text, &LETTERS, TEXT),
    column("varied", "varchar(20)", Shown::Text, &LETTERS, TEXT),
    column("padded", "char(20)", Shown::Text, &["''", "'ab'", "' é'"], TEXT),
    column("called", "name", Shown::Text, &["'a name'"], TEXT),
    column("letter", "\"char\"", Shown::Text, &["'x'"], TEXT),
    column("anycase", "citext", Shown::Text, &["'Ab'", "'aB'"], TEXT),
    column("marked", "xml", Shown::Text, &["'<a b=\"c\">d</a>'"], TEXT),
    column("bytes", "bytea", Shown::Bytes, &["''", "'\\x00ff275c0a'", "decode(repeat('ab00', 40000), 'hex')"], ["bytea", "longblob"]),
    column("day", "date", Shown::Text, &["'0001-01-01'", "'1582-10-10'", "'1900-02-28'", "'9999-12-31'"], ["date", "date"]),
    column("clock", "timestamp", Shown::Stamp, &["'0001-01-01 00:00:00.000001'", "'1582-10-10 12:00:00'", "'2024-03-31 02:30:00.1'", "'9999-12-31 23:59:59.999999'"], ["timestamp without time zone", "datetime(6)"]),
    column("seconds", "timestamp(0)", Shown::Stamp, &["'2024-10-27 02:30:00'"], ["timestamp without time zone", "datetime(6)"]),
    column("instant", "timestamptz", Shown::Stamp, &["'1970-01-01 00:00:01+00'", "'2024-07-01 12:00:00.123456-05'", "'2024-03-31 03:30:00+02'"], ["timestamp with time zone", "timestamp(6)"]),
    column("unique_of", "uuid", Shown::Text, &["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "'00000000-0000-0000-0000-000000000000'"], ["uuid", "char(36)"]),
    column("doc", "json", Shown::Text, &["'{\"a\" : [1, null, \"ü\\\\n\"]}'", "'1.50'"], ["json", "longtext"]),
    column("docb", "jsonb", Shown::Text, &["'{\"b\": 1e2, \"a\": \"it''s\"}'", "'[]'"], ["json", "longtext"]),
];

/// What only PostgreSQL holds.
const WITHIN_POSTGRES: [Column; 5] = [
    column("single", "real", Shown::Text, &["'NaN'", "'Infinity'", "'-Infinity'", "1e-45", "'-0'"], ["real", ""]),
    column("twice", "double precision", Shown::Text, &["'NaN'", "'Infinity'", "'-Infinity'", "5e-324", "'-0'"], ["double precision", ""]),
    column("instant", "timestamptz", Shown::Stamp, &["'0001-01-01 00:00:00+00'", "'1883-11-18 12:03:58-05'", "'9999-12-31 23:59:59.999999+00'"], ["timestamp with time zone", ""]),
    column("docb", "jsonb", Shown::Text, &["'\"\\u00e9 \\\\ \\\"\"'", "'12345678901234567890.123456789'"], ["json", ""]),
    column("fraction", "numeric(38,37)", Shown::Text, &["9.9999999999999999999999999999999999999"], ["numeric(38,37)", ""]),
];

const FROM_MARIADB: [Column; 45] = [
    column("tiny", "tinyint", Shown::Text, &["-128", "127"], ["smallint", "tinyint(4)"]),
    column("tiny_one", "tinyint(1)", Shown::Text, &["2", "0", "-1"], ["smallint", "tinyint(4)"]),
    column("truth", "boolean", Shown::Text, &["true", "7"], ["smallint", "tinyint(4)"]),
    column("tiny_plus", "tinyint unsigned", Shown::Text, &["255"], ["smallint", "tinyint(3) unsigned"]),
    column("small", "smallint", Shown::Text, &["-32768"], ["smallint", "smallint(6)"]),
    column("small_plus", "smallint unsigned", Shown::Text, &["65535"], ["integer", "smallint(5) unsigned"]),
    column("medium", "mediumint", Shown::Text, &["-8388608"], ["integer", "int(11)"]),
    column("medium_plus", "mediumint unsigned", Shown::Text, &["16777215"], ["bigint", "int(10) unsigned"]),
    column("whole", "int", Shown::Text, &["-2147483648"], ["integer", "int(11)"]),
    column("whole_plus", "int unsigned", Shown::Text, &["4294967295"], ["bigint", "int(10) unsigned"]),
    column("filled", "int(8) unsigned zerofill", Shown::Number, &["42"], ["bigint", "int(10) unsigned"]),
    column("large", "bigint", Shown::Text, &["-9223372036854775808"], ["bigint", "bigint(20)"]),
    column("large_plus", "bigint unsigned", Shown::Text, &["18446744073709551615", "0"], ["numeric(20,0)", "bigint(20) unsigned"]),
    column("single", "float", Shown::Double, &["1.1", "-3.40282e38", "16777217"], ["real", "float"]),
    column("single_two", "float(7,2)", Shown::Double, &["12345.67"], ["real", "float"]),
    column("twice", "double", Shown::Double, &["0.1", "-1.7976931348623157e308", "2.2250738585072014e-308"], ["double precision", "double"]),
    column("twice_plus", "double unsigned", Shown::Double, &["9007199254740993"], ["double precision", "double"]),
    column("price", "decimal(15,2)", Shown::Text, &["-9999999999999.99", "0.10"], ["numeric(15,2)", "decimal(15,2)"]),
    column("wide", "decimal(38,10)", Shown::Text, &["9999999999999999999999999999.9999999999"], ["numeric(38,10)", "decimal(38,10)"]),
    column("fraction", "decimal(38,30)", Shown::Text, &["-12345678.123456789012345678901234567890"], ["numeric(38,30)", "decimal(38,30)"]),
    column("wide_plus", "decimal(20,0) unsigned", Shown::Text, &["99999999999999999999"], ["numeric(20,0)", "decimal(20,0)"]),
    column("bit_one", "bit(1)", Shown::Number, &["1", "0"], ["boolean", "tinyint(1)"]),
    column("bits", "bit(8)", Shown::Number, &["b'10101010'"], ["numeric(20,0)", "bigint(20) unsigned"]),
    column("bits_all", "bit(64)", Shown::Number, &["18446744073709551615"], ["numeric(20,0)", "bigint(20) unsigned"]),
    column("annual", "year", Shown::Number, &["1901", "2155", "0"], ["smallint", "smallint(6)"]),
    column("padded", "char(20)", Shown::Text, &["''", "'ab'", "' é😀'"], TEXT),
    column("varied", "varchar(40)", Shown::Text, &LETTERS, TEXT),
    column("western", "varchar(20) character set latin1", Shown::Text, &["'é \\\\ ''x'"], TEXT),
    column("anycase", "varchar(20) collate utf8mb4_general_ci", Shown::Text, &["'Ab '", "'aB'"], TEXT),
    column("words_tiny", "tinytext", Shown::Text, &LETTERS, TEXT),
    column("words", "text", Shown::Text, &LETTERS, TEXT),
    column("words_medium", "mediumtext", Shown::Text, &LETTERS, TEXT),
    column("words_long", "longtext", Shown::Bytes, &["repeat('ab\\\\', 40000)"], TEXT),
    column("chosen", "enum('a','it''s')", Shown::Text, &["'it''s'"], TEXT),
    column("several", "set('a','b')", Shown::Text, &["'a,b'", "''"], TEXT),
    column("bytes_fixed", "binary(4)", Shown::Bytes, &["x'00ff'"], ["bytea", "longblob"]),
    column("bytes", "varbinary(10)", Shown::Bytes, &["''", "x'00ff275c0a'"], ["bytea", "longblob"]),
    column("blob_long", "longblob", Shown::Bytes, &["repeat(x'ab00', 40000)"], ["bytea", "longblob"]),
    column("day", "date", Shown::Text, &["'1000-01-01'", "'1582-10-10'", "'9999-12-31'"], ["date", "date"]),
    column("clock", "datetime(6)", Shown::Stamp, &["'1000-01-01 00:00:00.000001'", "'2024-03-31 02:30:00.1'", "'9999-12-31 23:59:59.999999'"], ["timestamp without time zone", "datetime(6)"]),
    column("instant", "timestamp(6) null", Shown::Stamp, &["'1970-01-01 00:00:01'", "'2024-10-27 01:30:00.000001'", "'2038-01-19 03:14:07.999999'"], ["timestamp with time zone", "timestamp(6)"]),
    column("address", "inet6", Shown::Text, &["'2001:db8::ff00:42:8329'"], TEXT),
    column("address_four", "inet4", Shown::Text, &["'10.0.0.1'"], TEXT),
    column("unique_of", "uuid", Shown::Text, &["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"], ["uuid", "char(36)"]),
    column("doc", "json", Shown::Text, &["'{\"a\" : [1, null, \"ü\"]}'"], TEXT),
];

/// Types that no compute carries, and those that Spark does not.
const REFUSED: [(Product, &[&str], &[&str]); 2] = [
    (
        Postgres,
        &["integer[]", "integer[][]", "mood", "percent", "inet", "cidr", "macaddr", "money", "bit(8)", "bit varying(8)", "point", "tsvector", "timetz", "int4range", "numeric(50,10)", "jsonpath"],
        &["time", "interval"],
    ),
    (Mariadb, &["decimal(65,30)", "decimal(39,0)", "geometry", "point"], &["time(6)"]),
];

/// Values that the type has and a compute may not: the same text on the other side, or the model fails and makes no table.
const RARE: [(Product, &str, &[&str]); 7] = [
    (Postgres, "date", &["'infinity'", "'-infinity'", "'0001-12-31 BC'", "'10000-01-01'", "'5874897-12-31'"]),
    (Postgres, "timestamp", &["'infinity'", "'0044-03-15 12:00:00 BC'", "'10000-01-01 00:00:00'", "'294276-12-31 23:59:59.999999'"]),
    (Postgres, "timestamptz", &["'-infinity'", "'0001-12-31 23:59:59.5+00 BC'", "'12024-07-01 00:00:00+00'"]),
    (Postgres, "numeric", &["0.1234567890123456789", "'NaN'", "'Infinity'", "123456789012345678901", "1e30"]),
    (Postgres, "numeric(10,2)", &["'NaN'"]),
    (Mariadb, "date", &["'0000-00-00'", "'2024-02-00'", "'0000-01-01'"]),
    (Mariadb, "datetime(6)", &["'0000-00-00 00:00:00'", "'2024-00-10 01:00:00'"]),
];

impl Place {
    fn lines(&self, at: Product, sql: &str) -> Vec<String> {
        match at {
            Postgres => self.postgres(sql),
            Mariadb => self.mariadb(sql),
        }
    }

    /// A table of the columns with as many rows as the longest list of values, one more of NULL alone.
    fn fill(&self, at: Product, table: &str, columns: &[Column]) {
        let list: Vec<String> = columns.iter().map(|c| format!("{} {}", c.name, c.kind)).collect();
        let mut sql = format!("create table shop.{table} (id int, {});", list.join(", "));
        let rows = columns.iter().map(|c| c.values.len()).max().unwrap_or_default();
        for row in 0..=rows {
            let values: Vec<&str> = columns.iter().map(|c| if row == rows { "null" } else { c.values[row % c.values.len()] }).collect();
            write!(sql, "insert into shop.{table} values ({row}, {});", values.join(", ")).unwrap();
        }
        self.lines(at, &sql);
    }

    /// The values of one column in the order of their rows.
    fn values(&self, at: Product, table: &str, column: &str, how: Shown) -> Vec<String> {
        let told = self.lines(at, &format!("select {} from shop.{table} order by id", shown(at, how, column)));
        let plain = |v: String| match (at, how) {
            (_, Shown::Double) => v.parse::<f64>().map_or(v, |n| format!("{n:e}")),
            // The client writes backslashes twice.
            (Mariadb, _) => v.replace("\\\\", "\\"),
            _ => v,
        };
        told.into_iter().map(plain).collect()
    }

    fn kind(&self, at: Product, table: &str, column: &str) -> String {
        let sql = match at {
            Postgres => format!("select format_type(atttypid, atttypmod) from pg_attribute where attrelid = 'shop.{table}'::regclass and attname = '{column}'"),
            Mariadb => format!("select column_type from information_schema.columns where table_schema = 'shop' and table_name = '{table}' and column_name = '{column}'"),
        };
        self.lines(at, &sql).join(", ")
    }

    fn exists(&self, at: Product, table: &str) -> bool {
        !self.lines(at, &format!("select 1 from information_schema.tables where table_schema = 'shop' and table_name = '{table}'")).is_empty()
    }
}

/// A table of a source, where it goes, and its columns.
type Way = (Product, &'static str, Product, &'static [Column]);
const WAYS: [Way; 5] = [
    (Postgres, "from_pg", Postgres, &FROM_POSTGRES),
    (Postgres, "from_pg", Mariadb, &FROM_POSTGRES),
    (Postgres, "within_pg", Postgres, &WITHIN_POSTGRES),
    (Mariadb, "from_my", Postgres, &FROM_MARIADB),
    (Mariadb, "from_my", Mariadb, &FROM_MARIADB),
];

fn target(of: Product) -> &'static str {
    if of == Postgres { "pg" } else { "my" }
}

/// The first column is the model's own table's key in each source; `one` is on both servers, so that nothing runs in place.
fn model(place: &Place, name: &str, from: (Product, &str), into: Product, columns: &[&str]) {
    let list: Vec<String> = columns.iter().map(|c| format!("s.{c}")).collect();
    let other = if from.0 == Postgres { "my" } else { "pg" };
    place.model(
        &format!("{name}.sql"),
        &format!("{{{{ config(target='{}') }}}}\nselect s.id, {} from {{{{ source('{}', '{}') }}}} s join {{{{ source('{other}', 'one') }}}} o on o.id < s.id + 1", target(into), list.join(", "), target(from.0), from.1),
    );
}

/// What is said of a model's failure.
fn failure(said: &str, model: &str) -> String {
    let mut parts = said.split("Failure in model ").skip(1).filter(|p| p.starts_with(&format!("{model} ")));
    parts.next().unwrap_or_default().split("compiled code at").next().unwrap_or_default().to_owned()
}

#[test]
fn spark_carries_every_type_or_refuses_it_by_its_column() {
    let place = Place::new("");
    place.postgres("create schema shop; create extension citext; create type mood as enum ('sad', 'glad'); create domain percent as integer check (value between 0 and 100); create table shop.one (id int); insert into shop.one values (0)");
    // What a server that is not strict takes, it must not take from dvt.
    place.mariadb("create database shop; set global sql_mode = ''; create table shop.one (id int); insert into shop.one values (0)");
    let mut tables = [vec!["one".to_owned()], vec!["one".to_owned()]];
    let mut source = |at: Product, table: &str| tables[usize::from(at == Mariadb)].push(table.to_owned());
    for (at, table, columns) in [(Postgres, "from_pg", &FROM_POSTGRES[..]), (Postgres, "within_pg", &WITHIN_POSTGRES[..]), (Mariadb, "from_my", &FROM_MARIADB[..])] {
        place.fill(at, table, columns);
        source(at, table);
    }
    for (from, table, into, columns) in WAYS {
        let names: Vec<&str> = columns.iter().map(|c| c.name).collect();
        model(&place, &format!("{table}_into_{}", target(into)), (from, table), into, &names);
    }
    // One table and one model each, into the other product.
    let mut refused: Vec<(Product, String, bool)> = Vec::new();
    for (at, always, here) in REFUSED {
        for (n, kind) in always.iter().chain(here).enumerate() {
            let table = format!("refused_{}_{n}", target(at));
            place.lines(at, &format!("create table shop.{table} (id int, odd {kind}); insert into shop.{table} (id) values (1)"));
            source(at, &table);
            model(&place, &format!("m_{table}"), (at, &table), Postgres, &["odd"]);
            refused.push((at, table, n >= always.len()));
        }
    }
    let mut rare: Vec<(Product, &str, String)> = Vec::new();
    for (kind, (at, native, values)) in RARE.iter().enumerate() {
        for (n, value) in values.iter().enumerate() {
            let table = format!("rare_{}_{kind}_{n}", target(*at));
            place.lines(*at, &format!("create table shop.{table} (id int, odd {native}); insert into shop.{table} values (1, {value})"));
            source(*at, &table);
            model(&place, &format!("m_{table}"), (*at, &table), *at, &["odd"]);
            if *at == Postgres {
                model(&place, &format!("m_other_{table}"), (*at, &table), Mariadb, &["odd"]);
            }
            rare.push((*at, *native, table));
        }
    }
    let lists = tables.map(|list| list.iter().map(|t| format!("{{name: {t}}}")).collect::<Vec<_>>().join(", "));
    place.model("sources.yml", &format!("sources:\n  - {{name: pg, connection: pg, schema: shop, tables: [{}]}}\n  - {{name: my, connection: my, schema: shop, tables: [{}]}}\n", lists[0], lists[1]));

    let mut wrong: Vec<String> = Vec::new();
    for compute in ["local", "spark"] {
        let said = place.dvt(&["run", "--compute", compute]);
        assert_eq!(said.code, 1, "{}", said.all());
        let said = said.all();
        for (from, table, into, columns) in WAYS {
            let built = format!("{table}_into_{}", target(into));
            if !place.exists(into, &built) {
                wrong.push(format!("{compute}: {built} was not built"));
                continue;
            }
            for column in columns {
                let (want, got) = (place.values(from, table, column.name, column.how), place.values(into, &built, column.name, column.how));
                if want != got {
                    wrong.push(format!("{compute}: {built}.{} ({}): {got:?} instead of {want:?}", column.name, column.kind));
                }
                let (want, got) = (column.into[usize::from(into == Mariadb)], place.kind(into, &built, column.name));
                if want != got {
                    wrong.push(format!("{compute}: {built}.{} ({}) is {got} instead of {want}", column.name, column.kind));
                }
            }
        }
        for (at, table, only_here) in &refused {
            let built = format!("m_{table}");
            if *only_here && compute == "local" {
                if !place.exists(Postgres, &built) {
                    wrong.push(format!("{compute}: {built} was not built"));
                }
                continue;
            }
            if place.exists(Postgres, &built) {
                wrong.push(format!("{compute}: {built} was built"));
            }
            let why = failure(&said, &built);
            if !(why.contains("DVT011") || why.contains("DVT003")) || !why.contains("`odd`") {
                wrong.push(format!("{compute}: the column of {table} ({}) is not named: {why}", target(*at)));
            }
        }
        for (at, native, table) in &rare {
            let built = format!("m_{table}");
            if place.exists(*at, &built) {
                let (want, got) = (place.values(*at, table, "odd", Shown::Text), place.values(*at, &built, "odd", Shown::Text));
                if want != got {
                    wrong.push(format!("{compute}: {table}: {got:?} instead of {want:?}"));
                }
            } else if failure(&said, &built).is_empty() {
                wrong.push(format!("{compute}: nobody says why there is no {built}"));
            } else if compute == "spark" && *at == Postgres && !native.contains('(') && !failure(&said, &built).contains(" in odd") && !failure(&said, &built).contains("294276") {
                // The last years of a timestamp there are beyond the engine's own last one.
                wrong.push(format!("{compute}: the column of {table} is not named: {}", failure(&said, &built)));
            }
            // What only PostgreSQL has.
            if place.exists(Mariadb, &format!("m_other_{table}")) {
                wrong.push(format!("{compute}: {table} became {:?}", place.values(Mariadb, &format!("m_other_{table}"), "odd", Shown::Text)));
            }
        }
        if !wrong.is_empty() {
            eprintln!("{said}");
        }
        assert_eq!(place.leftovers(), Vec::<String>::new());
        // The next compute makes them all again.
        place.postgres("do $$ declare t text; begin for t in select table_name from information_schema.tables where table_schema = 'shop' and (table_name like '%\\_into\\_%' or table_name like 'm\\_%') loop execute 'drop table shop.' || t; end loop; end $$");
        for table in place.mariadb("select table_name from information_schema.tables where table_schema = 'shop' and (table_name like '%\\_into\\_%' or table_name like 'm\\_%')") {
            place.mariadb(&format!("drop table shop.{table}"));
        }
    }
    // Refused before a row moved: none of these was ever read.
    let read = place.postgres("select relname from pg_stat_user_tables where relname like 'refused%' and seq_scan > 0");
    let never: Vec<&String> = read.iter().filter(|t| refused.iter().any(|(_, table, here)| table == *t && !here)).collect();
    if !never.is_empty() {
        wrong.push(format!("refused and read: {never:?}"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
