//! `make bench-spark`: one federated job on the embedded compute and on Spark: wall time, processor time and peak memory of
//! the whole process tree, one run each, with the answers compared. Prints a Markdown table; `tests/bench/README.md` holds the last one.
//!
//! The job joins PostgreSQL's events with MariaDB's customers (one for 20 events), adds up what only both together tell, and
//! writes the groups to PostgreSQL.
//!
//! Usage: bench_spark DVT PLUGINS ENVIRONMENT JARS ROWS…; needs PostgreSQL's and MariaDB's programs, and Java.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[path = "../../../host/engine/tests/servers/mod.rs"]
mod servers;

const PAUSE: Duration = Duration::from_millis(20);
/// Of the kernel's clock, a second.
const TICKS: f64 = 100.0;

const MODEL: &str = "select c.region, e.kind, count(*) as events, sum(e.amount * c.rate) as amount, max(e.at) as last_at
from {{ source('pg', 'events') }} e join {{ source('my', 'customers') }} c on c.id = e.customer_id
group by c.region, e.kind";

/// What a command cost with everything that it started.
struct Cost {
    wall: f64,
    /// Seconds of all processors.
    cpu: f64,
    /// MB resident at once.
    peak: f64,
    said: String,
}

/// Parent, ticks and resident pages of each process.
fn processes() -> BTreeMap<u32, (u32, f64, f64)> {
    let one = |entry: std::io::Result<std::fs::DirEntry>| {
        let id: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
        let number = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok());
        Some((id, (fields.get(1)?.parse().ok()?, number(11)? + number(12)?, number(21)?)))
    };
    std::fs::read_dir("/proc").unwrap().filter_map(one).collect()
}

fn cost(mut command: Command) -> Cost {
    let since = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || std::io::read_to_string(&mut out).unwrap());
    let (mut ticks, mut peak): (BTreeMap<u32, f64>, f64) = (BTreeMap::new(), 0.0);
    while child.try_wait().unwrap().is_none() {
        let all = processes();
        let mut tree = BTreeSet::from([child.id()]);
        loop {
            let more: Vec<u32> = all.iter().filter(|(id, (parent, ..))| tree.contains(parent) && !tree.contains(id)).map(|(id, _)| *id).collect();
            if more.is_empty() {
                break;
            }
            tree.extend(more);
        }
        let mut pages = 0.0;
        for (id, (_, used, resident)) in all.iter().filter(|(id, _)| tree.contains(id)) {
            // The last that was seen of one that has ended.
            ticks.insert(*id, *used);
            pages += resident;
        }
        peak = peak.max(pages * 4096.0 / 1e6);
        std::thread::sleep(PAUSE);
    }
    let wall = since.elapsed().as_secs_f64();
    let said = reader.join().unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    Cost { wall, cpu: ticks.values().sum::<f64>() / TICKS, peak, said }
}

/// Seconds that the session took to start, as dvt told.
fn session(said: &str) -> Option<f64> {
    let line = said.lines().find(|l| l.contains("is ready: version"))?;
    line.rsplit(", ").next()?.trim_end_matches(" s").trim().parse().ok()
}

/// `1000000` as `1 M`.
fn amount(rows: u64) -> String {
    if rows >= 1_000_000 { format!("{} M", rows as f64 / 1e6) } else { format!("{rows}") }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, binary, plugins, environment, jars, rows @ ..] = args.as_slice() else { panic!("bench_spark DVT PLUGINS ENVIRONMENT JARS ROWS…") };
    let world = tempfile::tempdir().unwrap();
    let (pg, my) = (servers::PostgresServer::start(), servers::mariadb::MariadbServer::start_with(&["--collation-server=utf8mb4_nopad_bin"]));
    let write = |name: &str, text: &str| {
        let path = world.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "home/profiles.yml",
        &format!(
            "p:\n  target: pg\n  outputs:\n    pg: {{type: postgres, host: 127.0.0.1, port: {}, user: dvt, password: unused, dbname: postgres, schema: shop, threads: 2}}\n    my: {{type: mysql, server: 127.0.0.1, port: {}, username: dvt, schema: shop, threads: 2}}\n",
            pg.port, my.port
        ),
    );
    write(
        "home/computes.yml",
        &format!("p:\n  target: duckdb\n  computes:\n    duckdb: {{type: duckdb}}\n    spark:\n      type: spark\n      master: \"local[*]\"\n      config: {{spark.driver.memory: 2g, python: \"{environment}\", jars: [\"{jars}\"]}}\n"),
    );
    write("p/dbt_project.yml", "name: p\nprofile: p\nversion: '1.0'\nmodels: {+materialized: table}\n");
    write("p/models/sources.yml", "sources:\n  - {name: pg, connection: pg, schema: shop, tables: [{name: events}]}\n  - {name: my, connection: my, schema: shop, tables: [{name: customers}]}\n");
    write("p/models/grouped.sql", MODEL);
    pg.lines("create schema shop");
    my.lines("create database shop");
    println!("| events | compute | wall | of it, start of the session | processor time | peak memory |\n|---|---|---|---|---|---|");
    for rows in rows.iter().map(|r| r.parse::<u64>().unwrap()) {
        fill(&pg, &my, rows);
        let answer = || pg.lines("select * from shop.grouped order by region, kind");
        let mut told: Vec<Vec<String>> = Vec::new();
        for compute in ["duckdb", "spark"] {
            let cost = cost(run(Path::new(binary), plugins, world.path(), compute));
            let start = session(&cost.said).map_or("–".to_owned(), |s| format!("{s:.1} s"));
            println!("| {} | {compute} | {:.1} s | {start} | {:.1} s | {:.0} MB |", amount(rows), cost.wall, cost.cpu, cost.peak);
            told.push(answer());
        }
        assert!(told[0].len() > 1 && told[0] == told[1], "answers differ: {told:?}");
    }
}

fn run(binary: &Path, plugins: &str, world: &Path, compute: &str) -> Command {
    let mut command = Command::new(std::fs::canonicalize(binary).unwrap());
    command.args(["run", "--compute", compute]).current_dir(world.join("p")).env("DVT_PROFILES_DIR", world.join("home")).env("DVT_PLUGIN_PATH", plugins);
    command
}

/// So many events, and a customer for every 20.
fn fill(pg: &servers::PostgresServer, my: &servers::mariadb::MariadbServer, rows: u64) {
    let customers = (rows / 20).max(1);
    pg.lines(&format!(
        "drop table if exists shop.events; create table shop.events (id bigint primary key, customer_id int, amount numeric(12,2), at timestamp, kind text);
         insert into shop.events select g, 1 + g * 7919 % {customers}, (g * 31 % 1000000)::numeric / 100, timestamp '2020-01-01' + g % 150000000 * interval '1 second', 'kind ' || g % 7 from generate_series(1, {rows}::bigint) g;
         analyze shop.events"
    ));
    my.lines(&format!(
        "drop table if exists shop.customers; create table shop.customers (id int primary key, region varchar(20), rate decimal(5,2));
         insert into shop.customers select seq, concat('region ', seq % 11), 1 + seq % 400 / 100 from shop.seq_1_to_{customers}; analyze table shop.customers"
    ));
}
