//! Queries over real databases in several ways: with pushdown, without, with each rule taken away, and on one DuckDB that
//! holds all tables. The answers must be equal as multisets of rows, types included in their text.
//!
//! The tables stand in several placements over PostgreSQL, MariaDB, SQLite and DuckDB; the data is hostile: NULL, empty and
//! padded text, case, ß and İ, collations that ignore case, −0.0, NaN, extremes, hours of summer time, 9999-12-31, duplicates.
//! The golden cases of `tests/pushdown` run too.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../../host/engine/tests/servers/mod.rs"]
mod servers;
mod split;

use dvt_diagnostic::Code;
use dvt_engine::connect;
use dvt_planner::pushdown::verdict::{Rule, Rules};
use split::{Placement, World, shown};

const PLACEMENTS: [Placement; 4] = [["pg", "lite", "duck"], ["duck", "pg", "my"], ["pg", "duck", "my"], ["duck", "lite", "lite"]];

const QUERIES: &[&str] = &[
    "select o.id, c.name from {orders} o join {customers} c on o.customer_id = c.id where o.status = 'complete' and c.active = true",
    "select o.id, c.id from {orders} o left join {customers} c on o.customer_id = c.id where c.id is null",
    "select o.id, c.id from {orders} o left join {customers} c on o.customer_id = c.id and c.country = 'US' and o.status = 'complete'",
    "select o.id, c.id from {orders} o right join {customers} c on o.customer_id = c.id and c.country = 'US' and o.status = 'complete'",
    "select o.id, c.id from {orders} o full join {customers} c on o.customer_id = c.id and o.amount > 1 where c.name = 'Ann' or o.id = 4",
    "select o.id, c.id from {orders} o full join {customers} c on o.customer_id = c.id where c.country <> 'US'",
    "select o.id, c.country from {orders} o left join {customers} c on o.customer_id = c.id where c.country = 'US' or c.country is null",
    "select o.id, i.sku from {orders} o join {items} i on i.order_id = o.id where i.sku in ('a', '') and o.ordered >= '2023-12-31'",
    "select o.id from {orders} o where o.customer_id not in (select c.id from {customers} c where c.active = true)",
    "select o.id from {orders} o where o.customer_id in (select c.id from {customers} c where c.since > '2019-12-31')",
    "select c.id from {customers} c where not exists (select 1 from {orders} o where o.customer_id = c.id and o.amount = 10.50)",
    "with s as (select * from {orders}) select s.status, count(*) n, sum(s.amount) a from s join {customers} c on c.id = s.customer_id group by s.status",
    "with s as (select * from {orders}) select a.id, b.id from s a join s b on a.customer_id = b.customer_id join {items} i on i.order_id = a.id where a.status = 'complete' and b.id > 1",
    "select status, c.country, sum(amount) from {orders} join {customers} c on customer_id = c.id group by all having count(*) > 1",
    "select id from {orders} where amount between 0 and 11 union all select order_id from {items} where qty > 1",
    "select id from {orders} where status = 'complete' except select order_id from {items} where sku = 'a'",
    "select distinct country from {customers} c join {orders} o on o.customer_id = c.id where o.weight > 1.0",
    "select o.id, o.weight from {orders} o join {customers} c on c.id = o.customer_id where o.weight >= 1.5",
    "select o.id, row_number() over (partition by o.customer_id order by o.id) r from {orders} o join {customers} c on c.id = o.customer_id where o.amount > 0 qualify r = 1",
    "select o.id, i.qty from {orders} o join {items} i on i.order_id = o.id order by o.amount desc, o.id, i.qty limit 2",
    "select count(*) from {orders}, {items}",
    "select o.id from {orders} o join {items} i on i.order_id = o.id where i.shipped > '2024-01-01 00:00:00' or i.qty = 2147483647",
    "select a.id from {customers} a join {customers} b on a.id = b.id + 1 join {orders} o on o.customer_id = a.id where a.country = 'us' and b.country = 'US'",
    "select c.id, c.credit from {customers} c join {orders} o on o.customer_id = c.id where c.credit > 1.5 and o.id in (1, 2, 9223372036854775807)",
    "select o.id from {orders} o join {customers} c on c.id = o.customer_id where o.status = 'it''s' or (o.status is null and c.id = 1)",
    "select o.id, d.sku from {orders} o left join (select * from {items} where qty > 1) d on d.order_id = o.id where o.ordered < '9999-12-31'",
    "select (select max(i.qty) from {items} i where i.order_id = o.id and i.sku = 'a') m, c.id from {orders} o join {customers} c on c.id = o.customer_id",
    "select o.id + 1 as id, c.active from {orders} o join {customers} c on c.id = o.customer_id where c.active = false and o.id = 3",
    "with s as (select * from {orders}), t as (select id as oid, status as st, customer_id from s) select t.oid, i.sku from t join {items} i on i.order_id = t.oid where t.st = 'complete' and t.oid <> 1",
    "with s as (select id, status, customer_id from {orders}) select a.id, b.id from s a join s b on a.id = b.customer_id join {items} i on i.order_id = a.id where a.status = 'complete' and b.status in ('Complete', 'a')",
    "select o.id, c.name, i.qty from {orders} o left join {items} i on i.order_id = o.id left join {customers} c on c.id = i.order_id where o.id <= 2",
    "select o.id, i.sku from {orders} o right join {items} i on i.order_id = o.id and i.order_id < 3",
    "select o.id, i.sku from {orders} o full join {items} i on i.order_id = o.id where o.id = 5 or o.id = 1",
    "select a.id, b.id, i.qty from {orders} a join {customers} b on a.ordered = b.since left join {items} i on i.order_id = a.id and i.order_id = b.id where a.id = 1",
    "select o.id from {orders} o where o.customer_id not in (select c.credit::bigint from {customers} c) and o.customer_id = 1",
    "select o.id from {orders} o where o.customer_id in (select c.id from {customers} c) and o.customer_id between 1 and 2",
    "select d.id from (select id, status from {orders} order by id limit 4) d join {items} i on i.order_id = d.id where d.status = 'complete'",
    "select u.k from (select id as k, status as s from {orders} union all select order_id, sku from {items}) u where u.s = 'a'",
    "select u.k from (select id as k, customer_id as v from {orders} union all select id, credit from {customers}) u where u.v = 7",
    "select e.k from (select order_id as k from {items} except select id from {orders}) e where e.k is null or e.k > 1",
    "select g.s, g.n, g.m, g.t from (select status as s, count(*) as n, max(ordered) as m, sum(amount) as t from {orders} group by 1) g join {items} i on i.sku = g.s where g.n > 0",
    "select t.n, t.m, i.qty from (select count(*) as n, max(amount) as m from {orders} where id > 1000000000000000000) t cross join {items} i",
    "select d.customer_id, c.name from (select distinct customer_id, status from {orders}) d join {customers} c on c.id = d.customer_id",
    "select g.status from (select status, ordered, count(*) as n from {orders} group by rollup (status, ordered)) g join {items} i on i.sku = g.status where g.ordered is null or g.status = 'a'",
    "select w.id, w.n from (select id, status, customer_id, row_number() over (partition by customer_id order by id, amount, weight) as n from {orders}) w join {customers} c on c.id = w.customer_id where w.customer_id = 1 and w.n > 1",
    "select w.id, w.n from (select id, status, count(*) over (partition by customer_id) as n from {orders}) w join {customers} c on c.id = w.id where w.status = 'complete'",
    "select o.id from {orders} o semi join {items} i on i.order_id = o.id and i.qty > 1 anti join {customers} c on c.id = o.customer_id and c.id > 2 where o.id > 0",
    "select c.id from {customers} c join {items} i on i.order_id = c.id where not c.active and not (i.qty between 3 and 9 or i.sku is null)",
    "select o.id, i.qty from {orders} o join {items} i on i.order_id = o.id where (o.status = 'complete' and i.sku = 'a') or (o.status = '' and lower(i.sku) = 'x') or (o.id = 5 and i.qty > 2)",
    "select id, amount from {orders} order by amount desc, id desc limit 4",
    "select id, ordered from {orders} order by ordered desc nulls first, id limit 3 offset 1",
    "select c.name, count(*) over (partition by c.credit) as n from {customers} c where c.id > 0",
    "select t1.name from {customers} t1 left join {items} t2 on t2.order_id = t1.id and t2.sku in ('', 'complete') right join (select t4.ordered as c0, t4.weight as c1, t4.note as c2, t4.customer_id as c3 from {orders} t4 order by 1, 2, 3, 4 limit 5) t3 on t3.c3 = t1.id and not ('2024-01-01' > t3.c0) where 5 < t2.qty",
    "with recursive r as (select o.id, o.customer_id, 1 as n from {orders} o where o.id = 1 union all select c.id, c.id, n + 1 from {customers} c join r on c.id = r.id + 1 where n < 3) select r.id, r.n from r where r.id > 1",
];

/// The golden cases in the compute's dialect, without those that never end over this data; of those whose rows are not
/// fixed only the number is compared.
fn golden() -> Vec<(String, bool)> {
    let folder = std::path::PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("pushdown");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).filter(|p| !p.ends_with("README.md")).collect();
    files.sort();
    let texts = files.iter().map(|f| std::fs::read_to_string(f).unwrap());
    let cases: Vec<String> = texts.flat_map(|t| t.split("```sql\n").skip(1).map(|c| c.split("```").next().unwrap().trim().to_owned()).collect::<Vec<_>>()).collect();
    cases
        .into_iter()
        .filter(|sql| !sql.starts_with("-- dialect") && !sql.contains("place") && !sql.contains("elsewhere") && !sql.contains("recursive") && !sql.contains("main.orders"))
        .map(|sql| {
            let open = [" limit ", "random()", "any_value", "distinct on", "row_number"].iter().any(|w| sql.contains(w));
            (sql, open)
        })
        .collect()
}

#[test]
fn every_query_answers_the_same_however_it_is_planned() {
    let world = World::start(true);
    let mut queries: Vec<(String, bool)> = QUERIES.iter().map(|q| ((*q).to_owned(), false)).collect();
    queries.extend(golden());
    let mut failures = Vec::new();
    let (mut runs, mut with, mut without) = (0, 0, 0);
    for (query, open) in &queries {
        // A golden case may be one that no database answers.
        let Ok(truth) = world.truth(query) else {
            assert!(!QUERIES.contains(&query.as_str()), "{query}: {:?}", world.truth(query));
            continue;
        };
        for (number, placement) in PLACEMENTS.into_iter().enumerate() {
            let own = QUERIES.contains(&query.as_str());
            if !own && number % 2 == 1 {
                continue;
            }
            let mut ways: Vec<(Rules, bool)> = vec![(Rules::default(), false)];
            if own {
                ways.push((Rules::default(), true));
            }
            if own && number < 2 {
                ways.extend(Rule::ALL.map(|rule| (Rules { off: vec![rule], ..Rules::default() }, false)));
            }
            let mut seen = Vec::new();
            for (rules, no_pushdown) in ways {
                let way = format!("{placement:?}, {:?} off, without pushdown: {no_pushdown}", rules.off);
                let plan = match world.plan(query, &placement, &rules, no_pushdown) {
                    Ok(plan) => plan,
                    Err(e) => {
                        failures.push(format!("{query}\n  {way}: {e}"));
                        continue;
                    }
                };
                // A rule that does nothing here makes the plan that has been run.
                if seen.contains(&plan) {
                    continue;
                }
                runs += 1;
                match world.run(&plan) {
                    Ok((rows, computed)) => {
                        if if *open { rows.len() != truth.len() } else { rows != truth } {
                            failures.push(format!("{query}\n  {way}\n{}\n  answers {rows:#?}\n  truth {truth:#?}", shown(&plan)));
                        }
                        let moved = computed.movements.iter().map(|m| m.rows).sum::<u64>();
                        if own && rules.off.is_empty() {
                            *(if no_pushdown { &mut without } else { &mut with }) += moved;
                        }
                    }
                    Err(e) => failures.push(format!("{query}\n  {way}\n{}\n  fails: {e}", shown(&plan))),
                }
                seen.push(plan);
            }
        }
    }
    assert!(failures.is_empty(), "{} of {runs} runs of {} queries failed:\n{}", failures.len(), queries.len(), failures[..failures.len().min(20)].join("\n"));
    assert!(with < without && runs > QUERIES.len() * 10, "pushdown must move less: {with} of {without} rows, {runs} runs");
}

#[test]
fn a_source_that_fails_names_itself_and_the_rest_stops() {
    let mut world = World::start(true);
    let placement = ["pg", "lite", "duck"];
    let run = |world: &World, query: &str| world.run(&world.plan(query, &placement, &Rules::default(), false).unwrap()).unwrap_err();
    let query = "select o.id, c.name from {orders} o join {customers} c on o.customer_id = c.id";
    connect(&world.specs["lite"]).unwrap().execute("insert into customers values ('x', 'a', 'b', 1, null, null)").unwrap();
    let error = run(&world, query);
    assert_eq!(error.code, Code::PrecisionLost);
    assert!(error.message.contains("`customers` of target `lite`") && error.message.contains("`id`"), "{error}");

    connect(&world.specs["lite"]).unwrap().execute("drop table customers").unwrap();
    assert_eq!(run(&world, query).code, Code::RelationMissing);

    world.specs.get_mut("pg").unwrap().options.insert("port".into(), "1".into());
    let error = run(&world, "select o.id from {orders} o join {items} i on i.order_id = o.id");
    assert_eq!(error.code, Code::ConnectionFailed);
    assert!(error.hint.is_some());
}
