//! `make bench`: start-up, parsing, reading, federating and plugin calls, each against its goal, a peer or a limit that is
//! measured in the same run. Prints a Markdown table; `tests/bench/README.md` holds the last one.
//!
//! Usage: bench DVT PLUGINS [GENERATOR]; needs PostgreSQL's and MariaDB's programs.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use dvt_engine::ConnectSpec;
use dvt_plugin_host::{NativeColumn, Registry};
use dvt_tests::tpch;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[path = "../../../host/engine/tests/servers/mod.rs"]
mod servers;

fn row(what: &str, measured: &str, goal: &str, met: bool) {
    println!("| {what} | {measured} | {goal} | {} |", if met { "yes" } else { "no" });
}

/// A line without a goal.
fn told(what: &str, measured: &str) {
    println!("| {what} | {measured} | – | – |");
}

fn best<T>(times: usize, mut f: impl FnMut() -> T) -> Duration {
    (0..times)
        .map(|_| {
            let start = Instant::now();
            f();
            start.elapsed()
        })
        .min()
        .unwrap()
}

struct Dvt {
    binary: PathBuf,
    plugins: PathBuf,
    home: PathBuf,
}

impl Dvt {
    fn command(&self, folder: &Path, words: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(words).current_dir(folder).env("DVT_PROFILES_DIR", &self.home).env("DVT_PLUGIN_PATH", &self.plugins).stdout(Stdio::null());
        command
    }
    fn run(&self, folder: &Path, words: &[&str]) {
        assert!(self.command(folder, words).status().unwrap().success(), "dvt {words:?} failed in {}", folder.display());
    }
    /// CPU seconds and peak resident MB, by the kernel's count of one child.
    fn cost(&self, folder: &Path, words: &[&str]) -> (f64, f64) {
        let mut child = self.command(folder, words).spawn().unwrap();
        let (stat, status) = (format!("/proc/{}/stat", child.id()), format!("/proc/{}/status", child.id()));
        let (mut ticks, mut peak) = (0_f64, 0_f64);
        while child.try_wait().unwrap().is_none() {
            let text = std::fs::read_to_string(&stat).unwrap_or_default();
            let fields: Vec<&str> = text.rsplit(')').next().unwrap_or("").split_whitespace().collect();
            let of = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
            ticks = ticks.max(of(11) + of(12));
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let high = text.lines().find_map(|l| l.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
            peak = peak.max(high.unwrap_or(0.0) / 1024.0);
            std::thread::sleep(Duration::from_millis(2));
        }
        assert!(child.wait().unwrap().success());
        (ticks / 100.0, peak)
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, binary, plugins, rest @ ..] = args.as_slice() else { panic!("bench DVT PLUGINS [GENERATOR]") };
    let world = tempfile::tempdir().unwrap();
    let dvt = Dvt { binary: binary.into(), plugins: plugins.into(), home: world.path().join("home") };
    std::fs::create_dir_all(&dvt.home).unwrap();
    println!("| what | measured | goal | met |\n|---|---|---|---|");
    startup(&dvt, world.path());
    if let Some(generator) = rest.first() {
        parsing(&dvt, world.path(), generator);
    }
    let server = servers::PostgresServer::start();
    let url = format!("host=127.0.0.1 port={} user=dvt dbname=postgres", server.port);
    tpch::postgres(&url, "public", &["orders", "lineitem"], 0.25).unwrap();
    reading(server.port);
    mariadb(world.path());
    federating(&dvt, world.path(), server.port);
    calls(&dvt.plugins);
}

fn startup(dvt: &Dvt, world: &Path) {
    let version = best(20, || dvt.run(world, &["--version"]));
    row("`dvt --version`", &format!("{:.1} ms", version.as_secs_f64() * 1e3), "≤ 15 ms", version.as_millis() <= 15);
    let project = world.join("five");
    std::fs::create_dir_all(project.join("models")).unwrap();
    std::fs::write(project.join("dbt_project.yml"), "name: five\nprofile: five\n").unwrap();
    for i in 0..5 {
        let from = if i == 0 { "select 1 as id".to_owned() } else { format!("select * from {{{{ ref('m{}') }}}}", i - 1) };
        std::fs::write(project.join(format!("models/m{i}.sql")), from).unwrap();
    }
    std::fs::write(dvt.home.join("profiles.yml"), "five:\n  target: t\n  outputs:\n    t: {type: duckdb, path: five.duckdb}\ndefault:\n  target: t\n  outputs:\n    t: {type: duckdb, path: x.duckdb}\n").unwrap();
    dvt.run(&project, &["compile"]);
    let compile = best(5, || dvt.run(&project, &["compile"]));
    told("`dvt compile`, 5 models", &format!("{:.0} ms", compile.as_secs_f64() * 1e3));
}

fn parsing(dvt: &Dvt, world: &Path, generator: &str) {
    for n in [1000_u32, 10_000] {
        let project = world.join(format!("synth{n}"));
        assert!(Command::new("python3").args([generator, &n.to_string()]).arg(&project).stdout(Stdio::null()).status().unwrap().success());
        let (cpu, peak) = dvt.cost(&project, &["parse"]);
        let each = cpu * 1e3 / f64::from(n);
        row(&format!("parse of {n} models with 2 tests each: CPU a model"), &format!("{each:.2} ms"), "≤ 0.2 ms", each <= 0.2);
        row(&format!("parse of {n} models: peak memory"), &format!("{peak:.0} MB"), "≤ 300 MB", peak <= 300.0);
    }
}

/// `psql` copying one query in binary to nowhere: what the server and the wire take.
fn copy(port: u16, query: &str) {
    let sql = format!("\\copy ({query}) to '/dev/null' with (format binary)");
    let done = Command::new("psql").args(["-q", "-h", "127.0.0.1", "-U", "dvt", "-d", "postgres", "-p", &port.to_string(), "-c", &sql]).status();
    assert!(done.unwrap().success());
}

/// A session by the wire plugin of `tests/outsider`, which lies beside this program.
fn wire(port: u16) -> Box<dyn dvt_engine::Connection> {
    let own = std::env::current_exe().unwrap();
    let target = own.parent().and_then(Path::parent).unwrap();
    let file = target.join("outsider-plugins/wire-postgres.wasm");
    let (registry, listed) = Registry::with_file(&file, &[target.join("plugins")], None).unwrap();
    let adapter = registry.adapter(&listed.manifest.types[0]).unwrap();
    let profile = serde_json::json!({"type": listed.manifest.types[0], "host": "127.0.0.1", "port": port, "user": "dvt", "dbname": "postgres", "sslmode": "disable"});
    let plan = adapter.connect(&profile, &[]).unwrap();
    dvt_plugin_host::connect(&adapter, &ConnectSpec { driver: plan.driver, options: plan.options, ..ConnectSpec::default() }).unwrap()
}

fn reading(port: u16) {
    let options = [("host", "127.0.0.1"), ("port", &port.to_string()), ("user", "dvt"), ("dbname", "postgres"), ("sslmode", "disable")];
    let spec = ConnectSpec { driver: "postgres".into(), options: options.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(), ..ConnectSpec::default() };
    let mut connection = dvt_engine::connect(&spec).unwrap();
    let want = lineitem();
    let mut rows = 0;
    let own = best(3, || {
        rows = connection.read("select * from lineitem", &want, &mut |_: RecordBatch| Ok(())).unwrap().rows;
    });
    let peer = best(3, || copy(port, "select * from lineitem"));
    let ratio = own.as_secs_f64() / peer.as_secs_f64();
    row(&format!("PostgreSQL read, {rows} lineitem rows, 16 columns, against `psql` COPY binary"), &format!("{ratio:.2}×"), "≤ 1.2×", ratio <= 1.2);
    let mut session = wire(port);
    let mut through = 0;
    let plugin = best(3, || {
        through = session.read("select * from lineitem", &want, &mut |_: RecordBatch| Ok(())).unwrap().rows;
    });
    assert_eq!(through, rows);
    let ratio = plugin.as_secs_f64() / own.as_secs_f64();
    let shown = format!("{ratio:.2}× ({:.2} s against {:.2} s)", plugin.as_secs_f64(), own.as_secs_f64());
    row("the same read by a plugin that speaks the protocol itself, against the native driver", &shown, "≤ 1.5×", ratio <= 1.5);
}

/// The canonical types of lineitem's columns.
fn lineitem() -> SchemaRef {
    let field = |(name, kind): (&str, &str)| {
        let kind = match kind {
            "int" => DataType::Int64,
            "dec" => DataType::Decimal128(15, 2),
            "date" => DataType::Date32,
            _ => DataType::Utf8,
        };
        Field::new(name, kind, true)
    };
    let (_, columns) = tpch::TABLES.iter().find(|(t, _)| *t == "lineitem").unwrap();
    Arc::new(Schema::new(columns.split(", ").filter_map(|c| c.split_once(' ')).map(field).collect::<Vec<_>>()))
}

/// Reading and loading against the product's own programs: `mariadb-dump` and LOAD DATA of a ready file.
fn mariadb(world: &Path) {
    let server = servers::mariadb::MariadbServer::start();
    tpch::mysql(server.port, "bench", &["lineitem"], 0.25).unwrap();
    let options = [("host", "127.0.0.1"), ("port", &server.port.to_string()), ("user", "dvt"), ("database", "bench")];
    let spec = ConnectSpec { driver: "mysql".into(), options: options.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(), ..ConnectSpec::default() };
    let mut connection = dvt_engine::connect(&spec).unwrap();
    let want = lineitem();
    let mut batches: Vec<RecordBatch> = Vec::new();
    let own = best(3, || {
        batches.clear();
        connection
            .read("select * from lineitem", &want, &mut |b: RecordBatch| {
                batches.push(b);
                Ok(())
            })
            .unwrap()
    });
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let peer = best(3, || {
        let mut dump = Command::new("mariadb-dump");
        dump.args(["--no-defaults", "-h127.0.0.1", "-udvt", "--quick", "--skip-lock-tables", "--no-create-info", "bench", "lineitem"]);
        assert!(dump.arg(format!("-P{}", server.port)).stdout(Stdio::null()).status().unwrap().success());
    });
    let against = |own: Duration, peer: Duration| format!("{:.2}× ({:.2} s against {:.2} s)", own.as_secs_f64() / peer.as_secs_f64(), own.as_secs_f64(), peer.as_secs_f64());
    told(&format!("MariaDB read, {rows} lineitem rows, 16 columns, against `mariadb-dump`"), &against(own, peer));
    let file = world.join("lineitem.txt");
    tpch::write_table("lineitem", 0.25, &mut std::io::BufWriter::new(std::fs::File::create(&file).unwrap())).unwrap();
    connection.execute("create table copy like lineitem").unwrap();
    let own = best(3, || {
        connection.execute("truncate copy").unwrap();
        assert_eq!(connection.load("copy", &want, &mut batches.iter().cloned().map(Ok)).unwrap(), rows as u64);
    });
    let peer = best(3, || {
        let sql = format!("truncate bench.copy; load data local infile '{}' into table bench.copy fields terminated by '|' lines terminated by '\\n'", file.display());
        assert!(server.client().args(["-e", &sql]).status().unwrap().success());
    });
    told("MariaDB load of those rows from Arrow, against LOAD DATA LOCAL of a ready file", &against(own, peer));
}

fn federating(dvt: &Dvt, world: &Path, port: u16) {
    let project = world.join("fed");
    std::fs::create_dir_all(project.join("models")).unwrap();
    std::fs::write(project.join("dbt_project.yml"), "name: fed\nprofile: fed\n").unwrap();
    std::fs::write(
        dvt.home.join("profiles.yml"),
        format!("fed:\n  target: wh\n  outputs:\n    wh: {{type: duckdb, path: wh.duckdb, threads: 4}}\n    pg: {{type: postgres, host: 127.0.0.1, port: {port}, user: dvt, dbname: postgres, schema: public, threads: 4}}\n    crm: {{type: sqlite, schemas_and_paths: {{main: crm.sqlite}}}}\n"),
    )
    .unwrap();
    tpch::sqlite(&project.join("crm.sqlite"), &["customer", "nation", "region"], 0.05).unwrap();
    std::fs::write(project.join("models/s.yml"), "sources:\n  - {name: pg, connection: pg, schema: public, tables: [{name: orders}, {name: lineitem}]}\n  - {name: crm, connection: crm, schema: main, tables: [{name: customer}]}\n").unwrap();
    std::fs::write(
        project.join("models/m.sql"),
        "{{ config(materialized='table') }}\nselect c.c_mktsegment, count(*) as n, sum(l.l_extendedprice * (1 - l.l_discount)) as revenue from {{ source('crm', 'customer') }} c join {{ source('pg', 'orders') }} o on o.o_custkey = c.c_custkey join {{ source('pg', 'lineitem') }} l on l.l_orderkey = o.o_orderkey where o.o_orderdate < date '1997-01-01' group by 1\n",
    )
    .unwrap();
    dvt.run(&project, &["run"]);
    let own = best(3, || dvt.run(&project, &["run"]));
    // What the same columns and rows take through `psql`, one after the other.
    let peer = best(3, || {
        copy(port, "select o_orderkey, o_custkey, o_orderdate from orders where o_orderdate < date '1997-01-01'");
        copy(port, "select l_orderkey, l_extendedprice, l_discount from lineitem");
    });
    let ratio = own.as_secs_f64() / peer.as_secs_f64();
    told("federated model (whole `dvt run`) against the sum of its COPYs", &format!("{ratio:.2}× ({:.2} s against {:.2} s)", own.as_secs_f64(), peer.as_secs_f64()));
}

fn calls(plugins: &Path) {
    let (registry, _) = Registry::load(&[plugins.to_owned()], None);
    let first = registry.list().into_iter().flat_map(|l| l.manifest.types).find(|t| registry.adapter(t).is_ok()).unwrap();
    let adapter = registry.adapter(&first).unwrap();
    let columns = vec![NativeColumn { name: "c".into(), native: "integer".into(), collation: None }; 20];
    let each = best(5, || (0..200).for_each(|_| drop(adapter.map_native(&columns)))).as_secs_f64() / 200.0;
    // A federated node makes about a dozen calls; the fastest of them here takes a tenth of a second.
    let share = each * 12.0 / 0.1;
    row("plugin call (20 columns mapped); estimate: 12 such calls in a run of 0.1 s", &format!("{:.0} µs, {:.2}%", each * 1e6, share * 1e2), "≤ 1% of a run", share <= 0.01);
}
