//! What goes wrong in the middle: the target holds the old or the new table, never a mix; a rerun succeeds; no staging
//! table, no process and no query is left behind.

use super::place::{Place, children, processes};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(90);

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let since = Instant::now();
    while !done() {
        assert!(since.elapsed() < PATIENCE, "{what} did not happen in {} s", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A model whose source on PostgreSQL takes `seconds` for its 200 rows, over MariaDB, into an old table of one row.
fn place(seconds: f64) -> Place {
    let place = Place::new("");
    place.postgres(&format!(
        "create schema shop; create table shop.pace (seconds double precision); insert into shop.pace values ({seconds});
         create view shop.slow as select g::int as id, case when s.x is null then 0 else 1 end as n from shop.pace p, generate_series(1, 200) g, lateral (select pg_sleep(p.seconds / 200 + g * 0)::text as x) s;
         create table shop.m (id int, n int); insert into shop.m values (0, 0)"
    ));
    let rows: Vec<String> = (1..=200).map(|n| format!("({n})")).collect();
    place.mariadb(&format!("create database shop; create table shop.few (id int primary key); insert into shop.few values {}", rows.join(", ")));
    place.model("sources.yml", "sources:\n  - {name: pg, connection: pg, schema: shop, tables: [{name: slow}]}\n  - {name: my, connection: my, schema: shop, tables: [{name: few}]}\n");
    place.model("m.sql", "select s.id, s.n from {{ source('pg', 'slow') }} s join {{ source('my', 'few') }} f on f.id = s.id");
    place
}

/// A run whose source is being read, with the processes of its session: the driver's and the virtual machine's.
struct Running {
    child: Child,
    driver: String,
    machine: String,
}

fn started(place: &Place) -> Running {
    let child = place.world.command("p", &["run", "--compute", "spark"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("the source's query", || !place.postgres("select 1 from pg_stat_activity where application_name like 'dvt-%' and state = 'active'").is_empty());
    let driver = processes(&home(place)).into_iter().find(|p| p.contains("driver-")).expect("a driver");
    let driver = driver.split_whitespace().next().unwrap().to_owned();
    let machine = children(&driver).into_iter().next().expect("a virtual machine");
    Running { child, driver, machine }
}

impl Running {
    /// Exit code and words.
    fn ended(self) -> (i32, String) {
        let output = self.child.wait_with_output().unwrap();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
    }
}

/// Whether a process is there that has not ended.
fn lives(id: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn home(place: &Place) -> String {
    place.world.path("home").display().to_string()
}

/// The old table, and nothing else of the run.
fn nothing_left(place: &Place, ids: &[String]) {
    assert_eq!(place.postgres("select * from shop.m"), ["0 | 0"]);
    until("the end of every process", || !ids.iter().any(|id| lives(id)) && processes(&home(place)).is_empty());
    until("the end of every statement", || place.running().is_empty());
}

fn succeeds_now(place: &Place) {
    place.postgres("update shop.pace set seconds = 0");
    place.dvt(&["run", "--compute", "spark"]).ok();
    assert_eq!(place.postgres("select count(*), count(distinct id), sum(n) from shop.m"), ["200 | 200 | 200"]);
    assert_eq!(place.leftovers(), Vec::<String>::new());
}

fn kill(signal: &str, id: &str) {
    assert!(Command::new("kill").args([signal, id]).status().unwrap().success());
}

#[test]
fn spark_leaves_the_old_table_when_its_machine_is_killed() {
    let place = place(60.0);
    let run = started(&place);
    let ids = [run.driver.clone(), run.machine.clone()];
    kill("-KILL", &run.machine);
    let (code, said) = run.ended();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("DVT4004") && said.contains("spark.log"), "{said}");
    nothing_left(&place, &ids);
    assert_eq!(place.leftovers(), Vec::<String>::new());
    succeeds_now(&place);
}

#[test]
fn spark_ends_when_dvt_is_killed() {
    let place = place(60.0);
    let mut run = started(&place);
    run.child.kill().unwrap();
    run.child.wait().unwrap();
    until("the end of the session", || !lives(&run.driver) && !lives(&run.machine));
    assert_eq!(place.postgres("select * from shop.m"), ["0 | 0"]);
    succeeds_now(&place);
}

#[test]
fn spark_is_cancelled_with_the_query_at_the_source() {
    let place = place(60.0);
    let run = started(&place);
    let ids = [run.driver.clone(), run.machine.clone()];
    let since = Instant::now();
    kill("-INT", &run.child.id().to_string());
    let (code, said) = run.ended();
    assert_eq!(code, 1, "{said}");
    assert!(since.elapsed() < Duration::from_secs(40), "it took {:?}: {said}", since.elapsed());
    // At once: nothing was waited for.
    assert_eq!(place.running(), Vec::<String>::new(), "{said}");
    nothing_left(&place, &ids);
    assert_eq!(place.leftovers(), Vec::<String>::new());
    succeeds_now(&place);
}

#[test]
fn spark_keeps_the_old_table_when_a_source_or_the_load_fails() {
    let place = place(0.0);
    // In the middle of the rows.
    place.model("m.sql", "{{ config(dialect='postgres') }}\nselect s.id, b.n from {{ source('pg', 'broken') }} b join {{ source('pg', 'slow') }} s on s.id = b.id join {{ source('my', 'few') }} f on f.id = s.id");
    place.postgres("create view shop.broken as select g::int as id, 1 / (g - 150) as n from generate_series(1, 200) g");
    place.model("sources.yml", "sources:\n  - {name: pg, connection: pg, schema: shop, tables: [{name: slow}, {name: broken}]}\n  - {name: my, connection: my, schema: shop, tables: [{name: few}]}\n");
    // Where dvt reads the rows that give keys, and where Spark reads all.
    for (config, words) in [("", &["of target `pg`", "division by zero"][..]), ("        transfer: drivers\n", &["division by zero", "SQLSTATE 22012"])] {
        place.computes("local[2]", config);
        place.dvt(&["run", "--compute", "spark"]).fails(1, words);
        nothing_left(&place, &[]);
    }
    place.computes("local[2]", "");
    assert_eq!(place.leftovers(), Vec::<String>::new());
    // In the load: rows that the table does not take.
    place.model("m.sql", "{{ config(materialized='incremental') }}\nselect s.id, s.n from {{ source('pg', 'slow') }} s join {{ source('my', 'few') }} f on f.id = s.id");
    place.postgres("alter table shop.m add constraint small check (id < 150)");
    place.dvt(&["run", "--compute", "spark"]).fails(1, &["small"]);
    nothing_left(&place, &[]);
    assert_eq!(place.leftovers(), Vec::<String>::new());
    place.postgres("alter table shop.m drop constraint small; truncate shop.m");
    place.dvt(&["run", "--compute", "spark"]).ok();
    assert_eq!(place.postgres("select count(*) from shop.m"), ["200"]);
    // Once more: an increment without a key adds.
    place.dvt(&["run", "--compute", "spark"]).ok();
    assert_eq!(place.postgres("select count(*) from shop.m"), ["400"]);
}
