//! A project between PostgreSQL, MariaDB, SQLite and DuckDB, with a compute inside and one on Spark.

use super::cli::{Said, World};
use super::servers::PostgresServer;
use super::servers::mariadb::MariadbServer;
use std::path::PathBuf;

/// A folder of the cache that `make spark` fills.
fn cached(variable: &str, what: &str) -> PathBuf {
    let cache = || std::env::var_os("XDG_CACHE_HOME").map_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"), PathBuf::from);
    let found = std::env::var_os(variable).map_or_else(|| {
        let mut all: Vec<PathBuf> = std::fs::read_dir(cache().join("dvt")).unwrap().map(|e| e.unwrap().path()).filter(|p| p.file_name().unwrap().to_string_lossy().starts_with(what)).collect();
        all.sort();
        all.pop().unwrap_or_else(|| panic!("{what} is missing in {}: run `make spark`", cache().display()))
    }, PathBuf::from);
    assert!(found.is_dir(), "{} is missing: run `make spark`", found.display());
    found
}

/// The environment with pyspark.
pub fn environment() -> PathBuf {
    cached("DVT_TEST_SPARK", "pyspark-4")
}

/// Drivers of both servers.
pub fn jars() -> PathBuf {
    cached("DVT_TEST_JARS", "jars")
}

/// Its `sites-packages/pyspark`.
pub fn library() -> PathBuf {
    let lib = environment().join("lib");
    let python = std::fs::read_dir(lib).unwrap().map(|e| e.unwrap().path()).find(|p| p.join("site-packages/pyspark").is_dir());
    python.unwrap().join("site-packages/pyspark")
}

pub fn version() -> String {
    let text = std::fs::read_to_string(library().join("version.py")).unwrap();
    text.split(['"', '\'']).nth(1).unwrap_or_else(|| panic!("{text}")).to_owned()
}

pub struct Place {
    pub world: World,
    pub postgres: PostgresServer,
    pub mariadb: MariadbServer,
}

impl Place {
    /// Outputs `pg` (the default), `my` and `duck`; computes `local` and `spark`, the latter with `config` besides.
    pub fn new(config: &str) -> Self {
        let place = Self { world: World::new(), postgres: PostgresServer::start(), mariadb: MariadbServer::start_with(&["--collation-server=utf8mb4_nopad_bin"]) };
        place.world.write(
            "home/profiles.yml",
            &format!(
                "p:\n  target: pg\n  outputs:\n    pg: {{type: postgres, host: 127.0.0.1, port: {}, user: dvt, password: unused, dbname: postgres, schema: shop, threads: 2}}\n    my: {{type: mysql, server: 127.0.0.1, port: {}, username: dvt, schema: shop, threads: 2}}\n    duck: {{type: duckdb, path: duck.duckdb, threads: 2}}\n    lite: {{type: sqlite, schemas_and_paths: {{main: lite.sqlite}}, schema: main, threads: 2}}\n",
                place.postgres.port, place.mariadb.port
            ),
        );
        place.computes("local[2]", config);
        place.world.write("p/dbt_project.yml", "name: p\nprofile: p\nversion: '1.0'\nmodels: {+materialized: table}\n");
        place
    }

    /// Writes computes.yml anew.
    pub fn computes(&self, master: &str, config: &str) {
        self.world.write("home/computes.yml", &computes("p", master, config));
    }

    pub fn model(&self, name: &str, text: &str) {
        self.world.write(&format!("p/models/{name}"), text);
    }

    pub fn dvt(&self, words: &[&str]) -> Said {
        self.world.dvt("p", words)
    }

    /// Statements on PostgreSQL; rows of the last as text.
    pub fn postgres(&self, sql: &str) -> Vec<String> {
        self.postgres.lines(sql)
    }
    pub fn mariadb(&self, sql: &str) -> Vec<String> {
        self.mariadb.lines(sql)
    }

    /// Staging tables that nobody removed, on both servers.
    pub fn leftovers(&self) -> Vec<String> {
        let mut all = self.postgres("select relname::text from pg_class where relname like '%\\_\\_dvt\\_%'");
        all.extend(self.mariadb("select table_name from information_schema.tables where table_name like '%\\_\\_dvt\\_%'"));
        all
    }

    /// Statements of this project that run on both servers now.
    pub fn running(&self) -> Vec<String> {
        let mut all = self.postgres("select query from pg_stat_activity where application_name like 'dvt-%' and state = 'active'");
        all.extend(self.mariadb("select info from information_schema.processlist where info like '%dvt-%' and info not like '%processlist%'"));
        all
    }
}

/// computes.yml with a compute inside, the default, and one on Spark.
pub fn computes(profile: &str, master: &str, config: &str) -> String {
    format!(
        "{profile}:\n  target: local\n  computes:\n    local: {{type: duckdb}}\n    spark:\n      type: spark\n      version: \"{}\"\n      master: \"{master}\"\n      config:\n        fast_start: true\n        spark.driver.memory: 1g\n        python: {}\n        jars: [\"{}\"]\n{config}",
        version(),
        environment().display(),
        jars().display()
    )
}

/// Processes whose command line has the words, by `ps`.
pub fn processes(words: &str) -> Vec<String> {
    let told = std::process::Command::new("ps").args(["-eo", "pid=,args="]).output().unwrap();
    String::from_utf8_lossy(&told.stdout).lines().filter(|l| l.contains(words)).map(str::to_owned).collect()
}

/// Ids of the processes that one started.
pub fn children(parent: &str) -> Vec<String> {
    let told = std::process::Command::new("ps").args(["-eo", "pid=,ppid="]).output().unwrap();
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    let pairs = text.lines().filter_map(|l| l.trim().split_once(char::is_whitespace));
    pairs.filter(|(_, of)| of.trim() == parent).map(|(id, _)| id.to_owned()).collect()
}
