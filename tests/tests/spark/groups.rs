//! What sources group arrives on Spark as on the embedded compute: sums, counts, the least and greatest of every kind.

use super::place::Place;

#[test]
fn spark_takes_what_sources_have_grouped() {
    let place = Place::new("");
    place.postgres(
        "create schema shop; create table shop.orders (id int primary key, customer_id int, status text collate \"C\", amount numeric(12,2), weight int, big bigint, at date, seen timestamp);
         insert into shop.orders select g, g % 10, case when g % 3 = 0 then 'paid' else 'open' end, g / 100.0 - 7, g % 7, g * 4000000000000000, date '2024-01-01' + g % 50, timestamp '2024-01-01' + g * interval '1 minute 0.000001 second' from generate_series(1, 2000) g;
         insert into shop.orders values (0, 11, 'open', null, null, null, null, null); analyze shop.orders",
    );
    place.mariadb(
        "create database shop; create table shop.lines (customer_id int, price decimal(15,2), pieces int, large bigint, status varchar(9) collate utf8mb4_nopad_bin, at date);
         insert into shop.lines select seq % 12, seq / 100, seq % 5, seq * 4000000000000000, if(seq % 2 = 0, 'a', 'b'), date '2024-01-01' + interval seq % 40 day from shop.seq_1_to_2000; analyze table shop.lines;
         create table shop.days (customer_id int, at date, n int); insert into shop.days select seq, date '2024-01-01' + interval seq % 3 day, 1 from shop.seq_1_to_9; analyze table shop.days",
    );
    place.model("sources.yml", "sources:\n  - {name: pg, connection: pg, schema: shop, tables: [{name: orders}]}\n  - {name: my, connection: my, schema: shop, tables: [{name: lines}, {name: days}]}\n");
    let model = "with o as (select customer_id, count(*) as n, count(amount) as given, sum(amount) as total, sum(weight) as weight, sum(amount * (1 - 0.05)) as net,
         sum(case when status = 'paid' then amount else 0 end) as paid, min(amount) as least, max(amount) as most, max(weight) as w, max(big) as b, min(at) as first, max(at) as last
         from {{ source('pg', 'orders') }} group by customer_id),
       l as (select customer_id, count(*) as n, sum(price) as total, sum(price * pieces) as gross, sum(pieces) as pieces, max(pieces) as p, min(price) as least, max(large) as large, max(at) as last, coalesce(sum(price), 0) + count(*) as both_
         from {{ source('my', 'lines') }} group by customer_id)
       select l.customer_id, o.n, o.given, o.total, o.weight, o.net, o.paid, o.least, o.most, o.w, o.b, o.first, o.last, l.n as n2, l.total as total2, l.gross, l.pieces, l.p, l.least as least2, l.large, l.last as last2, l.both_
       from l left join o on o.customer_id = l.customer_id";
    place.model("grouped.sql", &format!("{{{{ config(dialect='postgres') }}}}\n{model}"));
    let table = || place.postgres("select t::text from shop.grouped t order by customer_id");
    let types = || place.postgres("select attname || ' ' || format_type(atttypid, atttypmod) from pg_attribute where attrelid = 'shop.grouped'::regclass and attnum > 0 order by attnum");
    // Keys that the source computes, and groups below a join with another server's rows.
    place.model("months.sql", "{{ config(dialect='postgres') }}\nselect k.month, k.day, k.year, k.n, k.net, l.status from (select date_trunc('month', seen) as month, cast(seen as date) as day, extract(year from at) as year, count(*) as n, sum(amount) as net from {{ source('pg', 'orders') }} group by 1, 2, 3) k left join {{ source('my', 'lines') }} l on l.customer_id = k.n and l.pieces = 4");
    place.model("joined.sql", "{{ config(dialect='postgres') }}\nselect d.at, sum(o.amount) as amount, sum(o.weight) as weight, count(*) as n, count(o.amount) as given, max(o.seen) as seen, max(d.n) as one from {{ source('pg', 'orders') }} o join {{ source('my', 'days') }} d on d.customer_id = o.customer_id where o.id between 1 and 1900 group by d.at");
    let tables = |name: &str| place.postgres(&format!("select t::text from shop.{name} t order by 1"));
    let moved = |said: &str| {
        assert!(said.contains("moved orders of pg: 11 rows") && said.contains("moved lines of my: 12 rows"), "{said}");
        assert!(said.contains("moved orders of pg: 3 rows") && said.contains("moved orders of pg: 10 rows"), "{said}");
    };
    moved(&place.dvt(&["run"]).ok().all());
    let truth = (table(), types(), tables("months"), tables("joined"));
    assert_eq!((truth.0.len(), truth.3.len()), (12, 3));
    moved(&place.dvt(&["run", "--compute", "spark"]).ok().all());
    assert_eq!((table(), types(), tables("months"), tables("joined")), truth);
    assert_eq!(place.leftovers(), Vec::<String>::new());
}
