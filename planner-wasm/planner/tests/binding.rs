//! The SQL that dbt users write in nine dialects, as the binder sees it: which columns each relation is asked for, which
//! conditions go to it, which columns are not there. `tests/emission/binding.md` shows it; `EMISSION=write` writes it anew.
//!
//! The compute speaks the model's own dialect here, so that texts stay verbatim: binding alone is in question.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "cases/tables.rs"]
mod tables;

use dvt_planner::PlanRequest;
use dvt_planner::catalog::Catalog;
use dvt_planner::dialect::Sheets;
use dvt_planner::pushdown::verdict::{Rule, Rules};
use dvt_project::{ComputeName, DialectName, RelationRef, TargetName, UniqueId};
use std::fmt::Write as _;

const ALL: [&str; 10] = ["postgres", "mysql", "sqlite", "duckdb", "spark", "databricks", "snowflake", "bigquery", "redshift", "sqlserver"];
const QUALIFY: &[&str] = &["duckdb", "databricks", "snowflake", "bigquery", "redshift"];

/// Title, dialects, text.
const QUERIES: &[(&str, &[&str], &str)] = &[
    ("A name means the nearest relation that has it", &ALL, "select id from {orders} where id > 3 and exists (select 1 from {people} where id = orders.customer_id and name = 'a')"),
    ("A CTE hides a relation of its name", &ALL, "with people as (select id as k from {orders} where status = 'a') select people.k from people join {items} i on i.order_id = people.k"),
    ("A recursive CTE reads its first part's filter and no other", &["postgres", "mysql", "sqlite", "duckdb", "databricks", "snowflake", "bigquery", "redshift"], "with recursive r as (select id, 1 as n from {orders} where id = 1 union all select r.id, n + 1 from r join {people} p on p.id = r.id where n < 3) select id from r"),
    ("A recursive CTE without the word", &["sqlserver"], "with r as (select id, 1 as n from {orders} where id = 1 union all select r.id, n + 1 from r join {people} p on p.id = r.id where n < 3) select id from r"),
    ("Columns of a derived table have its alias's names", &["postgres", "mysql", "duckdb", "spark", "databricks", "snowflake", "redshift", "sqlserver"], "select t.a, p.name from (select id, status, amount from {orders}) as t(a, b, c) join {people} p on p.id = t.a where t.b = 'x'"),
    ("A lateral query sees what stands before it", &["postgres", "mysql", "duckdb", "spark", "databricks", "snowflake"], "select o.id, x.name from {orders} o cross join lateral (select p.name from {people} p where p.id = o.customer_id and p.country = 'US') x where o.status = 'a'"),
    ("APPLY does too", &["sqlserver"], "select o.id, x.name from {orders} o cross apply (select p.name from {people} p where p.id = o.customer_id and p.country = 'US') x where o.status = 'a'"),
    ("Lateral views add columns", &["spark", "databricks"], "select o.id, v.part from {orders} o lateral view explode(split(o.status, ',')) v as part where o.id > 2"),
    ("UNNEST adds columns", &["bigquery"], "select o.id, part from {orders} o, unnest(split(o.status, ',')) as part where o.id > 2"),
    ("FLATTEN adds columns", &["snowflake"], "select o.id, f.value from {orders} o, lateral flatten(input => split(o.status, ',')) f where o.id > 2"),
    ("Set operations match by position", &ALL, "select u.k from (select id as k, status as s from {orders} union all select order_id, sku from {items}) u where u.s = 'a'"),
    ("USING makes one column of two", &["postgres", "mysql", "sqlite", "duckdb", "spark", "databricks", "snowflake", "bigquery", "redshift"], "select id, o.status, p.name from {orders} o join {people} p using (id) where id = 4"),
    ("NATURAL joins by names that both have", &["postgres", "mysql", "sqlite", "duckdb", "spark", "snowflake", "redshift"], "select o.status, p.name from {orders} o natural join {people} p where o.status = 'a'"),
    ("A star without some columns: EXCLUDE", &["duckdb", "snowflake", "redshift"], "select s.id, s.customer_id from (select * exclude (amount, status) from {orders}) s join {people} p on p.id = s.id"),
    ("A star without some columns: EXCEPT", &["bigquery", "databricks"], "select s.id, s.customer_id from (select * except (amount, status) from {orders}) s join {people} p on p.id = s.id"),
    ("A star with other values: REPLACE", &["duckdb", "snowflake", "bigquery"], "select s.id, s.amount from (select * replace (1 as amount) from {orders}) s join {people} p on p.id = s.id where s.amount > 1 and s.id > 2"),
    ("QUALIFY filters by windows", QUALIFY, "select o.id, p.name from {orders} o join {people} p on p.id = o.customer_id where o.status = 'a' qualify row_number() over (partition by o.customer_id order by o.amount) = 1"),
    ("QUALIFY may name a column of the list", QUALIFY, "select o.id, row_number() over (partition by o.customer_id order by o.amount) as r from {orders} o join {people} p on p.id = o.customer_id qualify r = 1"),
    ("Windows have names", &["postgres", "mysql", "sqlite", "duckdb", "spark", "databricks", "bigquery"], "select o.id, sum(o.amount) over w as t from {orders} o join {people} p on p.id = o.customer_id window w as (partition by o.customer_id order by o.ordered)"),
    ("GROUP BY and ORDER BY may name a column of the list", &["postgres", "mysql", "sqlite", "duckdb", "spark", "databricks", "snowflake", "bigquery", "redshift"], "select p.country as land, count(*) as n from {orders} o join {people} p on p.id = o.customer_id group by land order by n desc"),
    ("HAVING may name a column of the list", &["mysql", "sqlite", "duckdb", "spark", "databricks", "snowflake", "bigquery"], "select p.country as land, count(*) as n from {orders} o join {people} p on p.id = o.customer_id group by p.country having n > 1"),
    ("GROUP BY ALL", &["duckdb", "databricks", "snowflake", "bigquery"], "select p.country, count(*) as n from {orders} o join {people} p on p.id = o.customer_id group by all"),
    ("TOP", &["sqlserver", "redshift", "snowflake"], "select top 3 o.id, p.name from {orders} o join {people} p on p.id = o.customer_id where o.status = 'a' order by o.amount desc"),
    ("Quoted names", &["postgres", "sqlite", "duckdb", "snowflake", "redshift"], "select \"o\".\"id\", p.\"name\" from {orders} \"o\" join {people} p on p.\"id\" = \"o\".\"customer_id\" where \"o\".\"status\" = 'a'"),
    ("Backticks", &["mysql", "sqlite", "spark", "databricks", "bigquery"], "select `o`.`id`, p.`name` from {orders} `o` join {people} p on p.`id` = `o`.`customer_id` where `o`.`status` = 'a'"),
    ("Brackets", &["sqlserver", "sqlite"], "select [o].[id], p.[name] from {orders} [o] join {people} p on p.[id] = [o].[customer_id] where [o].[status] = 'a'"),
    ("Letters of another case", &ALL, "SELECT O.ID, P.Name FROM {orders} O JOIN {people} P ON P.ID = O.CUSTOMER_ID WHERE O.STATUS = 'a'"),
    ("A column that is not there", &ALL, "select o.id, o.stauts from {orders} o join {people} p on p.id = o.customer_id"),
    ("A bare column that no relation has", &ALL, "select o.id, contry from {orders} o join {people} p on p.id = o.customer_id"),
    ("A bare column of two relations is pushed to neither", &ALL, "select o.id from {orders} o join {people} p on p.id = o.customer_id where id = 3"),
    ("A column that only a deeper query has", &ALL, "select t.amount from (select id from {orders}) t join {people} p on p.id = t.id"),
];

fn sheets() -> Sheets {
    let files = ["adapters/postgres/dialect", "adapters/mysql/dialect", "adapters/sqlite/dialect", "adapters/duckdb/dialect", "computes/spark/dialect"];
    let own = ["databricks", "snowflake", "bigquery", "redshift", "sqlserver"].map(|p| format!("dialects/{p}"));
    tables::sheets_of(files.iter().map(|f| (*f).to_owned()).chain(own).map(|f| format!("{f}.toml")))
}

fn reference(name: &str) -> RelationRef {
    tables::relation("wh", Some("main"), name)
}

fn catalog() -> Catalog {
    let relations = [
        ("orders", "id int64, customer_id int64, status text, amount decimal(15,2), ordered date"),
        ("people", "id int64, name text, country text"),
        ("items", "order_id int64, sku text, qty int32"),
    ];
    tables::catalog_of(relations.map(|(name, columns)| (reference(name), tables::schema(columns))))
}

fn seen(sheets: &Sheets, template: &str, dialect: &str) -> String {
    let (sql, relations) = tables::filled(template, |name| format!("main.{name}"), reference);
    // What a source answers whole shows no names any more.
    let rules = Rules { off: vec![Rule::Settled, Rule::Aggregates, Rule::Joins, Rule::Subtrees], ..Rules::default() };
    let (name, id, compute, catalog) = (DialectName::new(dialect), UniqueId::from("model.p.m"), ComputeName::from("default"), catalog());
    let target = |_: &TargetName| Some(DialectName::new(if dialect == "duckdb" { "postgres" } else { "duckdb" }));
    let request = PlanRequest {
        unique_id: &id,
        sql: &sql,
        relations: &relations,
        dialect: &name,
        compute: &compute,
        compute_dialect: &name,
        // Sources of another dialect, so that nothing goes over as a whole.
        target_dialect: &target,
        sheets,
        catalog: &catalog,
        sink: tables::sink("wh"),
        no_pushdown: false,
    };
    match dvt_planner::plan_by(&request, &rules) {
        Err(d) => format!("{}: {}{}", d.code, d.message, d.hint.map_or(String::new(), |h| format!(" ({h})"))),
        Ok(plan) => {
            let scans = plan.scans.iter().map(|s| {
                let columns: Vec<&str> = s.columns.iter().map(|c| c.name.as_str()).collect();
                let pushed: String = s.pushed.iter().map(|p| format!(" where {}", p.sql)).collect();
                format!("{}({}){pushed}", s.relation.identifier, columns.join(", "))
            });
            scans.collect::<Vec<_>>().join(" · ")
        }
    }
}

#[test]
fn the_dialects_are_bound_as_written() {
    let sheets = sheets();
    let mut out = String::from("# Binding\n\nWhat each relation is asked for, by dialect. Dialects that agree share a line. `planner-wasm/planner/tests/binding.rs` compares.\n");
    for (title, dialects, query) in QUERIES {
        let _ = write!(out, "\n## {title}\n\n```sql\n{query}\n```\n\n```expect\n");
        let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
        for dialect in *dialects {
            let line = seen(&sheets, query, dialect);
            match lines.iter_mut().find(|(l, _)| *l == line.replace(&format!("`{dialect}`"), "it")) {
                Some((_, who)) => who.push(dialect),
                None => lines.push((line.replace(&format!("`{dialect}`"), "it"), vec![dialect])),
            }
        }
        for (line, who) in lines {
            let _ = writeln!(out, "{}: {line}", who.join(", "));
        }
        out.push_str("```\n");
    }
    let path = tables::root().join("tests/emission/binding.md");
    if std::env::var("EMISSION").is_ok() {
        std::fs::write(&path, &out).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    for (ours, theirs) in out.split("\n## ").zip(kept.split("\n## ")) {
        assert_eq!(ours.trim(), theirs.trim());
    }
    assert_eq!(out.matches("\n## ").count(), kept.matches("\n## ").count());
}
