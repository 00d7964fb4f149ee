//! A standalone cluster of a master and two workers, and a Spark Connect server, all from the library itself.

use super::place::{Place, environment, jars, library, version};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);

fn free() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let since = Instant::now();
    while !done() {
        assert!(since.elapsed() < PATIENCE, "{what} did not happen in {} s", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A program of the library with everything that it starts, ended when dropped.
struct Group(Child);

impl Group {
    fn start(program: &str, words: &[&str], folder: &Path) -> Self {
        let log = std::fs::File::create(folder.join(format!("{}.log", words[0].rsplit('.').next().unwrap()))).unwrap();
        let mut command = Command::new(library().join("bin").join(program));
        command.args(words).env("SPARK_HOME", library()).env("SPARK_LOCAL_IP", "127.0.0.1").env("SPARK_NO_DAEMONIZE", "1").env("PYSPARK_PYTHON", environment().join("bin/python"));
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
        Self(command.spawn().unwrap())
    }
    fn kill(&mut self) {
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", self.0.id())]).status();
        let _ = self.0.wait();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

fn listens(port: u16) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Tasks that a worker's executors ran, by their logs.
fn tasks(work: &Path) -> usize {
    let folders = |p: &Path| std::fs::read_dir(p).map(|d| d.map(|e| e.unwrap().path()).collect::<Vec<_>>()).unwrap_or_default();
    let logs = folders(work).into_iter().flat_map(|app| folders(&app)).map(|executor| executor.join("stderr"));
    logs.map(|log| std::fs::read_to_string(log).unwrap_or_default().matches("Running task").count()).sum()
}

fn filled(config: &str, seconds: f64) -> Place {
    let place = Place::new(config);
    place.postgres(&format!(
        "create schema shop; create table shop.pace (seconds double precision); insert into shop.pace values ({seconds});
         create view shop.slow as select g::int as id, case when s.x is null then 0 else g end as n from shop.pace p, generate_series(1, 400) g, lateral (select pg_sleep(p.seconds / 400 + g * 0)::text as x) s"
    ));
    let rows: Vec<String> = (1..=400).map(|n| format!("({n}, {}.25)", n * 2)).collect();
    place.mariadb(&format!("create database shop; create table shop.few (id int primary key, price decimal(9,2)); insert into shop.few values {}", rows.join(", ")));
    place.model("sources.yml", "sources:\n  - {name: pg, connection: pg, schema: shop, tables: [{name: slow}]}\n  - {name: my, connection: my, schema: shop, tables: [{name: few}]}\n");
    place.model("m.sql", "select s.id, s.n, f.price from {{ source('pg', 'slow') }} s join {{ source('my', 'few') }} f on f.id = s.id");
    place
}

const RIGHT: &str = "400 | 400 | 80200 | 160500.00";

fn sums(place: &Place) -> Vec<String> {
    place.postgres("select count(*), count(distinct id), sum(n), sum(price) from shop.m")
}

#[test]
fn spark_on_a_cluster_survives_a_worker_that_is_killed() {
    let cluster = tempfile::tempdir().unwrap();
    let port = free();
    let (own, ui) = (port.to_string(), free().to_string());
    let _master = Group::start("spark-class", &["org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port", &own, "--webui-port", &ui], cluster.path());
    until("the master", || listens(port));
    let address = format!("spark://127.0.0.1:{port}");
    let mut workers: Vec<Group> = ["one", "two"]
        .iter()
        .map(|name| {
            let work = cluster.path().join(name);
            std::fs::create_dir(&work).unwrap();
            let ui = free().to_string();
            Group::start("spark-class", &["org.apache.spark.deploy.worker.Worker", "--host", "127.0.0.1", "--cores", "1", "--memory", "1g", "--webui-port", &ui, "--work-dir", &work.display().to_string(), &address], cluster.path())
        })
        .collect();
    let config = "        spark.executor.memory: 512m\n        spark.driver.host: 127.0.0.1\n        spark.sql.shuffle.partitions: 4\n        partitions: 4\n";
    let place = filled(config, 0.0);
    place.computes(&address, config);
    place.dvt(&["run", "--compute", "spark"]).ok();
    assert_eq!(sums(&place), [RIGHT]);
    // One in the middle of its tasks.
    place.postgres("update shop.pace set seconds = 10");
    let child = place.world.command("p", &["run", "--compute", "spark"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("a read on each worker", || place.postgres("select 1 from pg_stat_activity where application_name like 'dvt-%' and state = 'active'").len() >= 2);
    for name in ["one", "two"] {
        assert!(tasks(&cluster.path().join(name)) > 0, "worker {name} had no task");
    }
    workers[0].kill();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(sums(&place), [RIGHT], "{said}");
    assert_eq!(place.leftovers(), Vec::<String>::new());
}

#[test]
fn spark_connect_builds_the_same_table() {
    if version().starts_with("3.") {
        // Its library has no server.
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let port = free();
    let words = [
        "org.apache.spark.sql.connect.service.SparkConnectServer".to_owned(),
        format!("spark.connect.grpc.binding.port={port}"),
        jars().read_dir().unwrap().map(|e| e.unwrap().path().display().to_string()).filter(|p| p.ends_with(".jar")).collect::<Vec<_>>().join(","),
    ];
    let words = ["--class", &words[0], "--master", "local[2]", "--conf", &words[1], "--conf", "spark.connect.grpc.binding.address=127.0.0.1", "--conf", "spark.ui.enabled=false", "--conf", "spark.sql.shuffle.partitions=4", "--jars", &words[2], "spark-internal"];
    let _server = Group::start("spark-submit", &words, folder.path());
    until("the server", || listens(port));
    let place = filled("", 0.0);
    place.computes(&format!("sc://127.0.0.1:{port}"), "");
    place.dvt(&["run", "--compute", "spark"]).ok();
    assert_eq!(sums(&place), [RIGHT]);
    // Results that pass through files, and failures.
    place.model("d.sql", "{{ config(target='duck', dialect='postgres') }}\nselect s.id, f.price from {{ source('pg', 'slow') }} s join {{ source('my', 'few') }} f on f.id = s.id");
    place.dvt(&["run", "--compute", "spark", "-s", "d"]).ok();
    assert_eq!(super::rows::duckdb_rows(&place.world.path("p/duck.duckdb"), "select count(*), sum(price) from d"), [[Some("400".to_owned()), Some("160500.00".to_owned())]]);
    // A query that stands in two places is asked of its source once.
    place.postgres("alter system set log_statement = 'all'");
    place.postgres("select pg_reload_conf()");
    place.postgres("create table shop.counted (id int primary key, n int); insert into shop.counted select g, g from generate_series(1, 400) g");
    place.model("sources.yml", "sources:\n  - {name: pg, connection: pg, schema: shop, tables: [{name: slow}, {name: counted}]}\n  - {name: my, connection: my, schema: shop, tables: [{name: few}]}\n");
    place.model("c.sql", "{{ config(dialect='postgres') }}\nwith o as (select id, n from {{ source('pg', 'counted') }}) select a.id, b.n, f.price from o a left join {{ source('my', 'few') }} f on f.id = a.id left join o b on b.id = a.n + coalesce(f.id - f.id, 0)");
    let from = std::fs::metadata(&place.postgres.log).unwrap().len() as usize;
    place.dvt(&["run", "--compute", "spark", "-s", "c"]).ok();
    assert_eq!(place.asked("counted", from).len(), 1, "{:?}", place.asked("counted", from));
    assert_eq!(place.postgres("select count(*), sum(n), sum(price) from shop.c"), ["400 | 80200 | 160500.00"]);
    place.model("f.sql", "{{ config(dialect='postgres') }}\nselect s.id / (s.n - 7) as x from {{ source('pg', 'slow') }} s join {{ source('my', 'few') }} f on f.id = s.id");
    place.dvt(&["run", "--compute", "spark", "-s", "f"]).fails(1, &["DVT4004"]);
    assert_eq!(place.leftovers(), Vec::<String>::new());
}
