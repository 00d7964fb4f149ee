//! Parts of one read see one state of their source, whatever is written meanwhile.

use super::place::Place;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const ROWS: u64 = 40_000;

#[test]
fn spark_reads_parts_of_a_table_in_one_state_while_rows_move_between_them() {
    let place = Place::new("        partitions: 8\n");
    place.postgres(&format!(
        "create schema shop; create table shop.moving (place int not null, id int primary key, filler text);
         insert into shop.moving select g * 2, g, repeat('x', 200) from generate_series(1, {ROWS}) g; analyze shop.moving"
    ));
    place.postgres("alter system set log_statement = 'all'");
    place.postgres("select pg_reload_conf()");
    place.mariadb("create database shop; create table shop.one (id int primary key); insert into shop.one values (1)");
    place.model("sources.yml", "sources:\n  - {name: pg, connection: pg, schema: shop, tables: [{name: moving}]}\n  - {name: my, connection: my, schema: shop, tables: [{name: one}]}\n");
    place.model("m.sql", "{{ config(dialect='postgres') }}\nselect m.place, m.id, o.id as one from {{ source('pg', 'moving') }} m left join {{ source('my', 'one') }} o on o.id = m.id - m.id + 1");
    let (over, moved) = (AtomicBool::new(false), AtomicU64::new(0));
    let from = std::fs::metadata(&place.postgres.log).unwrap().len() as usize;
    let said = std::thread::scope(|threads| {
        threads.spawn(|| {
            // Each row goes to the other end: from one part into another, and back.
            let mut session = postgres::Client::connect(&format!("host=127.0.0.1 port={} user=dvt dbname=postgres", place.postgres.port), postgres::NoTls).unwrap();
            while !over.load(Ordering::SeqCst) {
                moved.fetch_add(session.execute(&format!("update shop.moving set place = {} - place where id % 20 = (random() * 19)::int", ROWS * 2), &[]).unwrap(), Ordering::SeqCst);
            }
        });
        let said = place.dvt(&["run", "--compute", "spark"]);
        over.store(true, Ordering::SeqCst);
        said
    });
    said.ok();
    assert!(moved.load(Ordering::SeqCst) > ROWS, "the writer was too slow to say anything: {moved:?}");
    assert_eq!(place.postgres("select count(*), count(distinct id), count(one) from shop.m"), [format!("{ROWS} | {ROWS} | {ROWS}")]);
    let log = std::fs::read_to_string(&place.postgres.log).unwrap();
    let parts = log[from..].lines().filter(|l| l.contains("set transaction snapshot '") && l.contains("execute")).count();
    assert_eq!(parts, 8, "{}", log[from..].lines().filter(|l| l.contains("snapshot")).collect::<Vec<_>>().join("\n"));
    assert_eq!(place.postgres("select count(*) from pg_stat_activity where state like 'idle in transaction%'"), ["0"]);
    assert_eq!(place.leftovers(), Vec::<String>::new());
}
