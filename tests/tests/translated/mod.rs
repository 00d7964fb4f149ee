//! Queries in the words of several dialects, and the data that they run over: hostile values of every type.
#![allow(dead_code)]

pub mod expressions;
pub mod mysql;

pub const ORDERS: &str = "(1, 1, 'complete', 10.50, 7, 3, '2024-01-31', '2024-01-31 10:20:30.5', 2.5, true),
  (2, 1, 'Complete', -0.01, -7, -3, '2023-12-31', '2023-12-31 23:59:59.999999', -2.5, false),
  (3, 2, '', 9999999999999.99, 2147483647, 32767, '9999-12-31', '1969-12-31 23:59:59', 1e15, null),
  (4, null, null, null, null, null, null, null, null, null),
  (5, 3, 'complete ', 0, 0, 0, '0001-01-01', '0001-01-01 00:00:00', 0, true),
  (6, 9, '  it''s a\\b', 1.00, 2, 1, '2024-02-29', '2024-02-29 00:00:00', 3.5, false),
  (7, 2, 'complete', 10.50, 7, 3, '2024-12-30', '2024-12-30 01:02:03', 0.125, true)";
pub const CUSTOMERS: &str = "(1, 'Ann', 10, '2020-01-01'), (2, 'ann', -3, '2024-01-01'), (3, 'b_c', 0, null), (4, '', null, '9999-12-31'), (5, null, 7, '2020-02-29')";

/// In PostgreSQL's words; `{o}` and `{c}` are the tables.
pub const POSTGRES: &[&str] = &[
    // Whole numbers.
    "select o.id, o.qty / 2 as half, o.qty % 3 as rest, -o.qty as neg, o.qty + o.small as sum, o.small + 1 as next, o.qty * 2::bigint as dbl from {o} o join {c} c on c.id = o.customer_id where o.id <> 3",
    "select o.id, case when c.points = 0 then null else o.qty / c.points end as per from {o} o join {c} c on c.id = o.customer_id",
    // Decimals.
    "select o.id, o.amount * 2 as a, o.amount + 1.5 as b, o.amount - o.qty as d, round(o.amount, 1) as r, abs(o.amount) as p, o.amount::int as i from {o} o join {c} c on c.id = o.customer_id where o.id <> 3",
    "select o.id, cast(o.amount as numeric(10,1)) as n, o.amount::double precision / 4 as f, o.amount::text as t from {o} o join {c} c on c.id = o.customer_id where o.id <> 3",
    "select o.id, o.amount / 3 as q, round(o.amount / 7, 2) as r, extract(year from o.ordered) / 4 as y, 100.0 * o.qty / nullif(o.small, 0) as p from {o} o join {c} c on c.id = o.customer_id where o.id <> 3",
    "select c.name, avg(o.amount) as a, round(avg(o.qty), 3) as q, sum(o.amount) / count(*) as m from {o} o join {c} c on c.id = o.customer_id where o.id <> 3 group by c.name having avg(o.amount) > -1",
    // Floats.
    "select o.id, round(o.weight) as r, o.weight * 2 as w, o.weight::int as i, ceil(o.weight) as up, floor(o.weight) as down, o.weight > 1.0 as big from {o} o join {c} c on c.id = o.customer_id where o.id <> 3",
    "select o.weight * 2 as w, count(*) as n, sum(o.weight / 4) as s, avg(o.weight + 1) as a from {o} o join {c} c on c.id = o.customer_id where o.weight - 1 < 100 group by o.weight * 2 having sum(o.weight / 4) > -1 order by o.weight * 2 desc",
    "select o.id, rank() over (partition by o.weight * 0 order by o.weight / 4, o.id) as r, p.id as other from {o} o join {o} p on p.weight * 2 = o.weight + o.weight join {c} c on c.id = o.customer_id",
    // Text.
    "select o.id, o.status || '-' || c.name as a, concat(o.status, null, c.name, o.qty) as b, length(o.status) as l, upper(o.status) as u, trim(o.status) as t, ltrim(o.status) as lt from {o} o left join {c} c on c.id = o.customer_id",
    "select o.id, substr(o.status, 2, 3) as a, substring(o.status from 3) as b, left(o.status, 2) as x, right(o.status, 2) as y, replace(o.status, 'o', '0') as z, strpos(o.status, 'm') as p, position('e' in o.status) as q from {o} o left join {c} c on c.id = o.customer_id",
    "select o.id, split_part(o.status, 'm', 2) as s, md5(o.status) as m, reverse(o.status) as r, o.status::varchar(3) as v, o.qty::text as t, lower(c.name) as low from {o} o left join {c} c on c.id = o.customer_id",
    "select o.id from {o} o join {c} c on c.id = o.customer_id where o.status like 'comp%' and c.name not like 'b\\_%' and c.name <> ''",
    "select o.id from {o} o left join {c} c on c.id = o.customer_id where o.status like '%a\\\\b' or o.status = 'Complete'",
    // Dates.
    "select o.id, o.ordered + 5 as a, o.ordered - date '2024-01-01' as b, o.ordered + interval '1 month' as m, extract(year from o.ordered) as y, extract(week from o.ordered) as w, extract(dow from o.ordered) as d from {o} o join {c} c on c.id = o.customer_id where o.id not in (3, 5)",
    "select o.id, date_trunc('month', o.at) as m, date_trunc('week', o.at) as w, o.at::date as d, extract(hour from o.at) as h, extract(epoch from o.at) as e, o.at::text as t from {o} o join {c} c on c.id = o.customer_id where o.id <> 5",
    "select o.id from {o} o join {c} c on c.id = o.customer_id where o.ordered >= '2023-12-31' and o.at < '2024-06-01 00:00:00' and c.since between '2019-01-01' and date '2024-12-31'",
    "select o.id from {o} o join {c} c on c.since < o.at where o.ordered < o.at",
    // NULL and conditions.
    "select o.id, coalesce(c.name, o.status, 'none') as n, nullif(o.qty, 0) as q, greatest(o.qty, c.points) as g, least(o.amount, 1) as l, case when o.flag then 'yes' when not o.flag then 'no' end as f from {o} o left join {c} c on c.id = o.customer_id",
    "select o.id, o.qty is distinct from c.points as d, o.flag is not true as f, o.status in ('complete', '') as s, o.qty not between 0 and 7 as b from {o} o left join {c} c on c.id = o.customer_id",
    "select o.id, case o.status when 'complete' then 1 when '' then 2 else 3.5 end as k, cast(null as date) as d, null as t, true as y from {o} o join {c} c on c.id = o.customer_id",
    // Groups.
    "select c.name, count(*) as n, count(o.status) as s, count(distinct o.status) as d, sum(o.qty::bigint) as q, sum(o.amount) as a, min(o.ordered) as lo, max(o.at) as hi, avg(o.weight) as w from {o} o join {c} c on c.id = o.customer_id group by c.name having count(*) >= 1",
    "select c.name as n, sum(o.small) as s, bool_or(o.flag) as any, bool_and(o.flag) as every, count(*) filter (where o.qty > 0) as pos, string_agg(o.status, ',' order by o.id desc) as all_of from {o} o join {c} c on c.id = o.customer_id group by 1",
    "select extract(month from o.ordered) as month, count(*) from {o} o join {c} c on c.id = o.customer_id group by extract(month from o.ordered) order by 1 desc limit 3",
    "select distinct o.status, c.points from {o} o left join {c} c on c.id = o.customer_id",
    "select distinct on (o.customer_id) o.customer_id, o.id, c.name from {o} o left join {c} c on c.id = o.customer_id order by o.customer_id, o.id desc",
    // Windows.
    "select o.id, row_number() over (partition by o.customer_id order by o.qty desc, o.id) as r, rank() over (order by o.qty) as k, sum(o.small) over (partition by o.customer_id order by o.id rows between 1 preceding and current row) as s, lag(o.id) over (order by o.id) as p, lead(o.qty, 2) over (order by o.id) as f, first_value(o.id) over (order by o.ordered desc, o.id) as v from {o} o left join {c} c on c.id = o.customer_id",
    // Shapes.
    "with done as (select * from {o} where status = 'complete'), named as (select id as cid, name from {c}) select d.id, n.name from done d join named n on n.cid = d.customer_id where d.qty > 1",
    "select t.k, t.total from (select o.customer_id as k, sum(o.amount) as total from {o} o group by o.customer_id) t join {c} c on c.id = t.k order by t.total desc nulls last limit 2",
    "select o.id from {o} o where exists (select 1 from {c} c where c.id = o.customer_id and c.points > 0) and o.customer_id in (select id from {c} where since is not null)",
    "select o.id from {o} o where o.customer_id not in (select c.id from {c} c where c.points > 5)",
    "select o.id, (select max(c.since) from {c} c where c.id = o.customer_id) as since from {o} o",
    "select id, 'o' as src, qty::bigint as v from {o} union all select id, 'c', points from {c}",
    "select customer_id from {o} union select id from {c} except select 3 intersect select 3",
    "select c.*, o.id as oid from {c} c left join {o} o on o.customer_id = c.id and o.flag order by oid, c.id offset 1",
    "select id, name, o.status from {c} c join (select customer_id as id, status from {o}) o using (id)",
    "select v.a, v.b, o.id from (values (1, 'x'), (2, null)) v(a, b) join {o} o on o.id = v.a left join {c} c on c.id = v.a",
];

/// What PostgreSQL answers in a way that the compute does not, or not for certain.
pub const REFUSED: &[(&str, &str)] = &[
    ("select o.amount / 3 / 7 as x from {o} o join {c} c on c.id = o.id", "`/` of (decimal(38,24) with digits of their own, int32)"),
    ("select coalesce(o.amount, 0)::text as x from {o} o join {c} c on c.id = o.id", "a cast from decimal(15,2) with digits of their own to text"),
    ("select date_trunc('month', o.ordered) as x from {o} o join {c} c on c.id = o.id", "date_trunc:month"),
    ("select substr(o.status, -3) as x from {o} o join {c} c on c.id = o.id", "`substring` of (text, int32)"),
    ("select o.weight::text as x from {o} o join {c} c on c.id = o.id", "a cast from float64 to text"),
    ("select o.weight::numeric(10,2) as x from {o} o join {c} c on c.id = o.id", "a cast from float64 to decimal(10,2)"),
    ("select o.id from {o} o join {c} c on c.id = o.id where o.status < c.name", "its order differs"),
    ("select o.id, row_number() over (order by o.status) as r from {o} o join {c} c on c.id = o.id", "the order of text depends on its collation"),
    ("select max(o.status) as m from {o} o join {c} c on c.id = o.id", "`max` of (text)"),
    ("select o.flag = 1 as x from {o} o join {c} c on c.id = o.id", "comparing bool with int32"),
    ("select to_char(o.ordered, 'YYYY') as x from {o} o join {c} c on c.id = o.id", "`to_char`"),
    ("select o.status ilike 'a%' as x from {o} o join {c} c on c.id = o.id", "has no rule"),
    ("select o.id from {o} o natural join {c} c", "NATURAL"),
    ("with recursive r as (select 1 as n union all select n + 1 from r) select r.n from r, {o} o, {c} c", "RECURSIVE"),
    ("select o.qty + 1 from {o} o join {c} c on c.id = o.id", "give it an alias"),
    ("select o.ordered = 'today' as x from {o} o join {c} c on c.id = o.id", "the string 'today' as date"),
];

/// In SQLite's words: `orders` is on PostgreSQL, `customers` and the model in SQLite.
pub const SQLITE: &[&str] = &[
    "select o.id, o.qty / 2 as half, o.qty / c.points as per, o.qty % 3 as rest, o.qty + o.small as total, o.qty * 4000000000 as far from {o} o join {c} c on c.id = o.customer_id where o.id <> 3",
    "select o.id, o.weight / 3 as w, o.weight + 1 as v, 1.5 as f, abs(o.qty) as a, -o.weight as n from {o} o join {c} c on c.id = o.customer_id where o.id <> 3",
    "select o.id, o.status || '-' || c.name as a, length(o.status) as l, upper(o.status) as u, trim(o.status) as t, substr(o.status, 2, 3) as s, replace(o.status, 'o', '0') as z, instr(o.status, 'm') as p from {o} o left join {c} c on c.id = o.customer_id",
    "select o.id, o.qty > 0 as pos, o.status = 'complete' as done, o.qty is null as n, (o.qty > 0) + 1 as m from {o} o left join {c} c on c.id = o.customer_id",
    "select c.name, count(*) as n, sum(o.qty) as q, avg(o.qty) as a, min(o.status) as lo, max(o.status) as hi, count(distinct o.status) as d from {o} o join {c} c on c.id = o.customer_id group by c.name",
    "select o.id, row_number() over (partition by o.customer_id order by o.status desc, o.id) as r, lag(o.qty) over (order by o.id) as p from {o} o left join {c} c on c.id = o.customer_id",
    "select o.id from {o} o left join {c} c on c.id = o.customer_id where o.status >= 'a' and (c.points > 0 or c.points is null) order by o.status limit 3",
    "select o.id, coalesce(c.name, o.status, 'none') as n, ifnull(o.qty, 0) as q, nullif(o.qty, 7) as z, cast(o.qty as text) as t, case when o.qty > 0 then 1.0 else 0.5 end as k from {o} o left join {c} c on c.id = o.customer_id",
    "select id, 'o' as src from {o} union all select id, 'c' from {c} where points",
    "select customer_id from {o} except select id from {c}",
];

/// In MySQL's words: `orders` is on PostgreSQL, `customers` and the model on MariaDB.
pub const MARIADB: &[&str] = &[
    "select o.id, o.qty div 2 as half, o.qty div c.points as per, o.qty % c.points as rest, o.qty + o.small as total, o.qty * 2 as dbl from {o} o join {c} c on c.id = o.customer_id",
    "select o.id, o.amount * 2 as a, o.amount + 1.5 as b, o.amount - o.qty as d, round(o.amount, 1) as r, abs(o.amount) as p, cast(o.amount as signed) as i from {o} o join {c} c on c.id = o.customer_id where o.id <> 3",
    "select o.id, o.amount / 100 as a, o.amount / 3 as q, round(o.amount / nullif(o.qty, 0), 2) as r, o.qty / c.points as p, 100.0 * o.qty / nullif(c.points, 0) as s from {o} o join {c} c on c.id = o.customer_id",
    "with s as (select o.id, o.customer_id, o.amount / 100 as amount from {o} o) select c.id, avg(o.qty) as a, round(avg(s.amount), 3) as m, sum(s.amount) as t, sum(o.amount) / count(*) as q, cast(avg(o.amount) as decimal(20,1)) as d from s join {o} o on o.id = s.id join {c} c on c.id = s.customer_id group by c.id",
    "select t.k, t.a * 3 as a, t.a > 1 as b, c.name from (select o.customer_id as k, avg(o.qty) as a from {o} o group by o.customer_id) t join {c} c on c.id = t.k order by t.a desc, t.k limit 2",
    "select o.id, o.weight / 4 as w, o.weight * 2 as v, o.weight > 1.0 as big from {o} o join {c} c on c.id = o.customer_id where o.id <> 3",
    "select o.id, concat(o.status, '-', c.name) as a, concat(o.status, o.qty) as b, char_length(o.status) as l, upper(o.status) as u, trim(o.status) as t, substr(o.status, 2, 3) as s, left(o.status, 2) as f, md5(o.status) as m from {o} o left join {c} c on c.id = o.customer_id",
    "select o.id, year(o.ordered) as y, month(o.at) as m, extract(day from o.ordered) as d, datediff(o.ordered, date '2024-01-01') as n, date(o.at) as dt, o.at + interval 1 month as nx from {o} o join {c} c on c.id = o.customer_id where o.id not in (3, 5)",
    "select o.id from {o} o join {c} c on c.id = o.customer_id where o.status = 'complete' and o.ordered >= '2023-12-31' and c.since between '2019-01-01' and '2024-12-31'",
    "select c.id, count(*) as n, sum(o.qty) as q, sum(o.amount) as a, min(o.ordered) as lo, max(o.at) as hi, avg(o.weight) as w, count(distinct o.status) as d from {o} o join {c} c on c.id = o.customer_id group by c.id",
    "select o.id, row_number() over (partition by o.customer_id order by o.qty desc, o.id) as r, lag(o.qty) over (order by o.id) as p from {o} o left join {c} c on c.id = o.customer_id",
    "select o.id, coalesce(c.points, o.qty, 0) as n, ifnull(o.qty, 0) as q, nullif(o.qty, 7) as z, case when o.qty > 0 then 1 else 0.5 end as k from {o} o left join {c} c on c.id = o.customer_id order by o.qty limit 4",
];

/// In DuckDB's words.
pub const DUCKDB: &[&str] = &[
    "select o.id, c.name, o.qty // 2 as half, o.qty / 2 as share from {o} o join {c} c on c.id = o.customer_id where o.status = 'complete' or c.points > 0",
    "select c.name as n, count(*) as k, count(distinct o.status) as d, sum(o.small) as s, sum(o.amount) as a, min(o.status) as lo, max(o.at) as hi, avg(o.weight) as w from {o} o join {c} c on c.id = o.customer_id group by c.name having count(*) >= 1",
    "with done as (select * from {o} where status = 'complete'), named as (select id as cid, name from {c}) select d.id, n.name from done d join named n on n.cid = d.customer_id where d.qty > 1",
    "select o.id, row_number() over (partition by o.customer_id order by o.status desc, o.id) as r, sum(o.small) over (order by o.id rows between 1 preceding and current row) as s from {o} o left join {c} c on c.id = o.customer_id",
    "select customer_id from {o} union select id from {c} except select 3",
    "select id, 'o' as src, qty::bigint as v from {o} union all select id, 'c', points from {c}",
    "select o.id from {o} o where exists (select 1 from {c} c where c.id = o.customer_id and c.points > 0) and o.customer_id in (select id from {c} where since is not null)",
    "select o.id from {o} o where o.customer_id not in (select c.id from {c} c where c.points > 5)",
    "select o.id, o.status from {o} o left join {c} c on c.id = o.customer_id order by o.status desc nulls first, o.id limit 3 offset 1",
    "select o.id, o.status from {o} o left join {c} c on c.id = o.customer_id order by o.qty, o.id limit 4",
    "select id, name, o.status from {c} c join (select customer_id as id, status from {o}) o using (id)",
    "select t.k, t.total from (select o.customer_id as k, sum(o.amount) as total from {o} o group by 1) t join {c} c on c.id = t.k",
    "select c.name, o.id from {c} c full join {o} o on o.customer_id = c.id and o.qty > 2",
];

pub fn placed(query: &str, orders: &str, customers: &str) -> String {
    query.replace("{o}", orders).replace("{c}", customers)
}

/// Without what Spark has not, and so refuses: DISTINCT ON, text of rows in an order, quotients of numeric.
pub fn for_spark<'a>(queries: &[&'a str]) -> Vec<&'a str> {
    const REFUSED: [&str; 6] = ["distinct on", "order by o.id desc) as", "o.amount / 3", "o.amount / 100", "avg(o.amount)", "avg(o.qty) as a"];
    queries.iter().copied().filter(|q| !REFUSED.iter().any(|r| q.contains(r))).collect()
}
