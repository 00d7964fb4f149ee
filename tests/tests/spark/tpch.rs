//! TPC-H's 22 queries over PostgreSQL and MariaDB on Spark: what one DuckDB with all tables answers.

use super::place::Place;
use dvt_tests::tpch;
use std::path::PathBuf;

const SCALE: f64 = 0.01;
const MARIADB: [&str; 4] = ["customer", "part", "supplier", "nation"];

/// A value as it is compared: a double by ten of its digits, for sums of doubles depend on their order.
fn shown(value: Option<String>, double: bool) -> String {
    match value {
        None => "NULL".to_owned(),
        Some(text) if double => text.parse::<f64>().map_or(text, |n| format!("{n:.10e}")),
        Some(text) => text,
    }
}

#[test]
fn spark_answers_the_22_queries_as_one_duckdb_does() {
    let place = Place::new("");
    let others: Vec<&str> = tpch::TABLES.iter().map(|(t, _)| *t).filter(|t| !MARIADB.contains(t)).collect();
    let all: Vec<&str> = tpch::TABLES.iter().map(|(t, _)| *t).collect();
    let url = format!("host=127.0.0.1 port={} user=dvt dbname=postgres", place.postgres.port);
    tpch::postgres(&url, "src", &others, SCALE).unwrap();
    tpch::mysql(place.mariadb.port, "src", &MARIADB, SCALE).unwrap();
    let file = place.world.path("all.duckdb");
    tpch::duckdb(&file, &all, SCALE).unwrap();
    let list = |tables: &[&str]| tables.iter().map(|t| format!("{{name: {t}}}")).collect::<Vec<_>>().join(", ");
    place.model("sources.yml", &format!("sources:\n  - {{name: pg, connection: pg, schema: src, tables: [{}]}}\n  - {{name: my, connection: my, schema: src, tables: [{}]}}\n", list(&others), list(&MARIADB)));
    let folder = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("tpch");
    let name = regex::Regex::new(r"\{(\w+)\}").unwrap();
    let mut queries: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "sql"))
        .map(|p| (p.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&p).unwrap()))
        .collect();
    queries.sort();
    assert_eq!(queries.len(), 22);
    for (query, text) in &queries {
        let model = name.replace_all(text, |c: &regex::Captures<'_>| {
            let source = if MARIADB.contains(&&c[1]) { "my" } else { "pg" };
            format!("{{{{ source('{source}', '{}') }}}}", &c[1])
        });
        // Its column has its name from the alias of the whole; the translation asks for one of its own.
        let model = model.replace("count(o_orderkey)", "count(o_orderkey) as orders");
        place.model(&format!("{query}.sql"), &format!("{{{{ config(dialect='duckdb') }}}}\n{model}"));
    }
    let said = place.dvt(&["run", "--compute", "spark"]);
    let said = said.ok().all();
    assert_eq!(said.matches("[federation]").count() >= 22, true, "{said}");
    let duck = duckdb::Connection::open(&file).unwrap();
    let mut client = postgres::Client::connect(&url, postgres::NoTls).unwrap();
    let mut wrong = Vec::new();
    for (query, text) in &queries {
        let alone = name.replace_all(text, "$1").into_owned();
        let mut described = duck.prepare(&format!("describe {alone}")).unwrap();
        let kinds: Vec<String> = described.query_map([], |r| r.get::<_, String>(1)).unwrap().map(Result::unwrap).collect();
        let mut statement = duck.prepare(&format!("select columns(*)::varchar from ({alone})")).unwrap();
        let mut truth: Vec<Vec<String>> = statement.query_map([], |r| Ok(kinds.iter().enumerate().map(|(i, k)| shown(r.get(i).unwrap(), k == "DOUBLE")).collect())).unwrap().map(Result::unwrap).collect();
        let columns: Vec<String> = client.query("select column_name::text from information_schema.columns where table_schema = 'shop' and table_name = $1 order by ordinal_position", &[query]).unwrap().iter().map(|r| format!("\"{}\"::text", r.get::<_, String>(0))).collect();
        let rows = client.query(&format!("select {} from shop.{query}", columns.join(", ")), &[]).unwrap();
        let mut got: Vec<Vec<String>> = rows.iter().map(|r| (0..r.len()).map(|i| shown(r.get(i), kinds[i] == "DOUBLE")).collect()).collect();
        truth.sort();
        got.sort();
        if got != truth {
            wrong.push(format!("{query}: {} rows, {} expected\n  got  {:?}\n  want {:?}", got.len(), truth.len(), got.first(), truth.first()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(place.leftovers(), Vec::<String>::new());
}
