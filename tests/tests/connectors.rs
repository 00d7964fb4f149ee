//! What each connector says for a made-up output and table: `tests/spark/connectors.md` shows it. The components are asked
//! through the host, as a run asks them; no product here is reached. `CONNECTORS=write` writes that file anew.
#![allow(clippy::unwrap_used, missing_docs)]

mod cli;

use cli::World;
use dvt_planner::ir::{RemoteScan, ScanColumn};
use dvt_planner::types::CanonicalType;
use dvt_plugin_host::{NativeColumn, Registry};
use dvt_project::{RelationName, TargetName};
use dvt_run::{Split, Way};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

/// A product, an output of it, its secrets, its quotes, native types of a table.
struct Case {
    product: &'static str,
    output: Value,
    secrets: &'static [&'static str],
    quote: &'static str,
    types: &'static [&'static str],
    /// SQLSTATE and words as the product's driver tells them.
    errors: &'static [(&'static str, &'static str)],
}

fn cases() -> Vec<Case> {
    vec![
        Case {
            product: "postgres",
            output: json!({"host": "db.example", "user": "u", "dbname": "my db", "sslmode": "require"}),
            secrets: &["password"],
            quote: "\"",
            types: &["integer", "numeric(15,2)", "numeric", "character varying(20)", "date", "timestamp(3) with time zone", "uuid", "jsonb", "bytea", "interval", "time without time zone", "integer[]"],
            errors: &[("28P01", "no"), ("08006", "no"), ("42P01", "no"), ("57014", "no"), ("23505", "no")],
        },
        Case {
            product: "mysql",
            output: json!({"host": "db.example", "user": "u", "schema": "s", "sslmode": "verify-ca"}),
            secrets: &["password"],
            quote: "`",
            types: &["int(11)", "tinyint(1)", "bigint(20) unsigned", "int(10) unsigned zerofill", "decimal(15,2)", "float", "varchar(20)", "enum('a','b')", "datetime(6)", "json", "blob", "time(6)", "geometry"],
            errors: &[("28000", "no"), ("08000", "no"), ("42S02", "no"), ("70100", "no")],
        },
        Case {
            product: "redshift",
            output: json!({"host": "c.example", "user": "u", "dbname": "dev", "sslmode": "verify-full"}),
            secrets: &["password"],
            quote: "\"",
            types: &["integer", "numeric(18,4)", "double precision", "boolean", "character varying(256)", "date", "timestamp without time zone", "timestamp with time zone", "super", "varbyte", "time without time zone"],
            errors: &[("28000", "no"), ("3D000", "no"), ("42P01", "no"), ("08001", "no"), ("57014", "no")],
        },
        Case {
            product: "snowflake",
            output: json!({"account": "ab12345.eu-central-1", "user": "u", "database": "D", "schema": "S", "warehouse": "W", "role": "R"}),
            secrets: &["password"],
            quote: "\"",
            types: &["NUMBER(38,0)", "NUMBER(12,2)", "FLOAT", "BOOLEAN", "VARCHAR(16777216)", "BINARY(8388608)", "DATE", "TIMESTAMP_NTZ(9)", "TIMESTAMP_TZ(9)", "VARIANT", "TIME(9)", "GEOGRAPHY"],
            errors: &[("", "Incorrect username or password was specified."), ("02000", "Object 'X' does not exist or not authorized."), ("42501", "Insufficient privileges to operate"), ("57014", "SQL execution canceled"), ("08001", "no")],
        },
        Case {
            product: "bigquery",
            output: json!({"project": "p", "dataset": "d", "keyfile": "/keys/one.json", "execution_project": "paying"}),
            secrets: &[],
            quote: "`",
            types: &["INT64", "FLOAT64", "BOOL", "STRING", "BYTES", "NUMERIC", "BIGNUMERIC(40,10)", "DATE", "DATETIME", "TIMESTAMP", "JSON", "TIME", "ARRAY<INT64>"],
            errors: &[("", "Not found: Table p:d.t"), ("", "Not found: Dataset p:d"), ("", "Access Denied: Table p:d.t"), ("", "invalid_grant")],
        },
        Case {
            product: "databricks",
            output: json!({"host": "dbc.example", "http_path": "/sql/1.0/warehouses/1", "catalog": "main", "schema": "s"}),
            secrets: &["token"],
            quote: "`",
            types: &["int", "decimal(12,2)", "double", "boolean", "string", "binary", "date", "timestamp_ntz", "timestamp", "variant", "array<int>", "interval day to second"],
            errors: &[("42P01", "[TABLE_OR_VIEW_NOT_FOUND]"), ("", "Invalid access token"), ("", "PERMISSION_DENIED"), ("08S01", "no")],
        },
        Case {
            product: "sqlserver",
            output: json!({"host": "db.example", "user": "u", "database": "shop", "trust_cert": true}),
            secrets: &["password"],
            quote: "\"",
            types: &["int", "tinyint", "bit", "decimal(12,2)", "money", "nvarchar(20)", "varbinary(8)", "date", "datetime", "datetime2(7)", "datetimeoffset(7)", "uniqueidentifier", "xml", "time(7)", "sql_variant"],
            errors: &[("S0001", "Login failed for user 'u'."), ("S0002", "Invalid object name 'x'."), ("08S01", "no"), ("", "Cannot open database \"x\" requested by the login.")],
        },
        Case {
            product: "oracle",
            output: json!({"host": "db.example", "user": "u", "service": "FREEPDB1", "protocol": "tcps"}),
            secrets: &["password"],
            quote: "\"",
            types: &["NUMBER(10,0)", "NUMBER", "BINARY_DOUBLE", "VARCHAR2(20)", "CLOB", "RAW(16)", "DATE", "TIMESTAMP(9)", "TIMESTAMP(6) WITH TIME ZONE", "ROWID", "XMLTYPE", "INTERVAL DAY(2) TO SECOND(6)"],
            errors: &[("72000", "ORA-01017: invalid username/password"), ("42000", "ORA-00942: table or view does not exist"), ("08006", "ORA-12541: no listener"), ("72000", "ORA-01013: user requested cancel")],
        },
        Case {
            product: "trino",
            output: json!({"host": "trino.example", "port": 8443, "user": "u", "database": "hive", "schema": "s", "http_scheme": "https"}),
            secrets: &["jwt_token"],
            quote: "\"",
            types: &["bigint", "decimal(12,2)", "double", "real", "boolean", "varchar", "varbinary", "date", "timestamp(3)", "timestamp(6) with time zone", "uuid", "json", "time(3)", "array(bigint)"],
            errors: &[("", "Query failed (#1): Access Denied: Cannot select"), ("", "line 1:1: Table 'a.b.c' does not exist"), ("", "Catalog 'x' does not exist"), ("", "Error executing query")],
        },
    ]
}

const WRITTEN: [&str; 12] = ["bool", "int8", "int64", "uint64", "float64", "decimal(12,2)", "text", "bytes", "date", "timestamp", "timestamptz", "json"];
const TAG: &str = "dvt-0a1b2c3d-7";

fn root() -> PathBuf {
    PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("..")
}

fn options(out: &mut String, options: &BTreeMap<String, String>) {
    for (key, value) in options {
        let _ = writeln!(out, "{key} = {value}");
    }
}

fn told(case: &Case, registry: &Registry) -> String {
    let connector = registry.connector(case.product).unwrap().unwrap();
    let secrets: BTreeMap<String, Value> = case.secrets.iter().map(|s| ((*s).to_owned(), json!(format!("<{s} of the output>")))).collect();
    let way = Way::new(connector.clone(), &case.output, &secrets, 4).unwrap_or_else(|e| panic!("{}: {e}", case.product));
    let quote = |name: &str| format!("{0}{name}{0}", case.quote);
    let mut out = format!("\n## {}\n\n```json\n{}\n```\n\n```expect\n", case.product, case.output);
    let permissions = &connector.manifest().permissions;
    let _ = writeln!(out, "asks for: {}", if permissions.is_empty() { "nothing".to_owned() } else { permissions.join(", ") });
    for artifact in way.artifacts() {
        let _ = writeln!(out, "driver: {} ({})", artifact.coordinates, artifact.files.join(", "));
    }
    if way.asks_for_a_version() {
        let _ = writeln!(out, "refused: {}", way.refuses("3.5.9").unwrap());
        assert_eq!((way.refuses("4.0.1"), way.refuses("4.3.0")), (None, None));
    }
    // A table with a column of each type that passes.
    let (mut columns, mut refused) = (Vec::new(), String::new());
    for (i, native) in case.types.iter().enumerate() {
        let column = NativeColumn { name: format!("col{i}"), native: (*native).to_owned(), collation: None };
        match connector.read_casts(std::slice::from_ref(&column)) {
            Ok(_) => columns.push(ScanColumn { name: column.name, native: column.native, canonical: CanonicalType::Text }),
            Err(e) => {
                let _ = writeln!(refused, "refused: {}: {}", e.code, e.message);
            }
        }
    }
    let list: Vec<String> = columns.iter().map(|c| quote(&c.name)).collect();
    let table = ["s", "t"].map(quote).join(".");
    let scan = RemoteScan {
        name: "s0".to_owned(),
        source: TargetName::from("wh"),
        relation: RelationName { database: None, schema: Some("s".into()), identifier: "t".into() },
        sql: format!("select {} from {table}", list.join(", ")),
        columns,
        pushed: Vec::new(),
        kept: Vec::new(),
        limit: None,
        rows: None,
        estimate: None,
    };
    let read = way.read(&scan, &quote, TAG, None).unwrap();
    let _ = writeln!(out, "\nread by {}:", read.format);
    options(&mut out, &read.options);
    out.push_str(&refused);
    // The first column is one of whole numbers.
    if way.splits(&scan.columns[0].native) {
        let split = way.read(&scan, &quote, TAG, Some(&Split { column: 0, low: 1, high: 1000, parts: 4, snapshot: Some("00000003-0000001B-1".to_owned()) })).unwrap();
        let more: Vec<String> = split.options.iter().filter(|(k, _)| !read.options.contains_key(*k)).map(|(k, v)| format!("{k} = {v}")).collect();
        let _ = writeln!(out, "split: {}", more.join(", "));
    } else {
        let _ = writeln!(out, "split: as the source likes");
    }
    let (mut written, mut refused) = (Vec::new(), String::new());
    for text in WRITTEN {
        let kind: CanonicalType = text.parse().unwrap();
        match connector.write_casts(&[kind]) {
            Ok(_) => written.push((text.to_owned(), kind)),
            Err(e) => {
                let _ = writeln!(refused, "refused: {}: {}", e.code, e.message);
            }
        }
    }
    let write = way.write(&table, &quote, &written, TAG).unwrap();
    let _ = writeln!(out, "\nwritten by {}:", write.format);
    options(&mut out, &write.options);
    for column in write.columns.iter().filter(|c| c.by != "{}") {
        let _ = writeln!(out, "{}: {}", column.name, column.by);
    }
    out.push_str(&refused);
    let _ = writeln!(out, "\ncancel: {}", connector.cancel_sql(TAG).unwrap().unwrap_or_else(|| "by nothing".to_owned()));
    for (state, words) in case.errors {
        let state = (!state.is_empty()).then_some(*state);
        let meaning = connector.classify_error("java.sql.SQLException", state, words).unwrap();
        let code = if meaning.code.is_empty() { "the compute's own" } else { &meaning.code };
        let _ = writeln!(out, "{} {words}: {code}{}", state.unwrap_or("-"), meaning.hint.map(|h| format!(" ({h})")).unwrap_or_default());
    }
    out.push_str("```\n");
    out
}

#[test]
fn what_spark_is_told_for_each_product_is_as_written() {
    let (registry, warnings) = Registry::load(&[cli::plugins()], None);
    assert!(warnings.is_empty(), "{warnings:?}");
    let mut out = String::from(
        "# Connectors\n\nWhat Spark is told to read a table of each product and to append to one: the options, the SQL, how types pass. Of these products\nonly PostgreSQL, MySQL and MariaDB have answered here; the rest is from their public documentation.\n`tests/tests/connectors.rs` asks the components.\n",
    );
    let cases = cases();
    for case in &cases {
        out.push_str(&told(case, &registry));
    }
    // No sheet is left out.
    let sheets = std::fs::read_dir(root().join("plugins/computes/spark/connectors/products")).unwrap();
    let mut names: Vec<String> = sheets.map(|e| e.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    let mut own: Vec<&str> = cases.iter().map(|c| c.product).collect();
    own.sort_unstable();
    assert_eq!(names, own);
    let path = root().join("tests/spark/connectors.md");
    if std::env::var("CONNECTORS").is_ok() {
        std::fs::write(&path, &out).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    for (ours, theirs) in out.split("\n## ").zip(kept.split("\n## ")) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(out.len(), kept.len());
}

#[test]
fn a_way_that_leads_elsewhere_than_the_output_says_is_refused() {
    let (registry, _) = Registry::load(&[cli::plugins()], None);
    let way = |product: &str, output: Value| Way::new(registry.connector(product).unwrap().unwrap(), &output, &BTreeMap::new(), 1);
    // A value cannot end its part of the URL.
    let told = way("snowflake", json!({"account": "evil.example/", "user": "u"})).err().unwrap();
    assert!(told.message.contains("evil.example%2F.snowflakecomputing.com"), "{told}");
    let missing = way("oracle", json!({"host": "h", "user": "u"})).err().unwrap();
    assert!(missing.message.contains("service") && missing.hint.is_some(), "{missing}");
}

#[test]
fn a_stranger_packs_a_sheet_without_a_compiler_and_it_keeps_the_contract() {
    let world = World::new();
    std::fs::create_dir_all(world.path("p")).unwrap();
    let blank = cli::plugins().join("blank/connector.wasm");
    let sheet = r#"
plugin = { id = "acme.connector", version = "0.1.0", contract = "0.1.0", types = ["acmedb"] }
url = "jdbc:acme://{host}:{port}/{database}"
require = ["host", "database"]
[defaults]
port = "99"
[common]
driver = "com.acme.Driver"
[secrets]
password = "password"
[[artifacts]]
coordinates = "com.acme:acme-jdbc:1.0"
files = ["acme-jdbc-*.jar"]
[[read]]
types = ["int"]
[[write]]
types = ["int32"]
"#;
    world.write("p/acme.toml", sheet);
    let pack = |from: &str| world.dvt("p", &["plugin", "pack", blank.to_str().unwrap(), from, "-o", "plugins/acme.wasm"]);
    std::fs::create_dir_all(world.path("p/plugins")).unwrap();
    pack("acme.toml").ok();
    let told = world.dvt("p", &["plugin", "test", "plugins/acme.wasm"]).ok().out;
    assert!(told.contains("jdbc:acme://host1:1234/database1") && told.contains(", 0 failed"), "{told}");
    world.dvt("p", &["plugin", "inspect", "plugins/acme.wasm"]).fails(0, &["id: acme.connector", "kind: connector", "types: acmedb", "asks for: nothing"]);
    // What is wrong is told.
    world.write("p/none.toml", "url = 'jdbc:acme:'\n");
    pack("none.toml").fails(2, &["DVT5002", "the sheet has no `plugin`"]);
    world.write("p/broken.toml", &sheet.replace("[defaults]", "[faults]"));
    pack("broken.toml").ok();
    world.dvt("p", &["plugin", "test", "plugins/acme.wasm"]).fails(1, &["unknown field `faults`"]);
    let other = cli::plugins().join("sqlite.wasm");
    world.dvt("p", &["plugin", "pack", other.to_str().unwrap(), "acme.toml", "-o", "x.wasm"]).fails(2, &["DVT5002"]);
}

#[test]
fn an_output_whose_type_has_a_connector_and_no_adapter_says_what_to_install() {
    let world = World::new();
    world.write("shop/dbt_project.yml", "name: shop\nprofile: shop\nversion: '1'\n");
    world.write("shop/models/m.sql", "select 1 as one\n");
    world.write("home/profiles.yml", "shop:\n  target: far\n  outputs:\n    far: {type: snowflake, account: a, user: u, password: p, database: d, schema: s}\n");
    world.dvt("shop", &["parse"]).ok();
    for words in [&["run"][..], &["debug"], &["sync"]] {
        let said = world.dvt("shop", words);
        let all = said.all();
        assert!(said.code != 0 && all.contains("`snowflake`") && all.contains("--plugin-index") && all.contains("plugin add"), "{words:?}: {all}");
    }
    world.dvt("shop", &["run"]).fails(2, &["DVT5001", "an adapter is needed too"]);
}
