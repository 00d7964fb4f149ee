//! A project on the four products: two servers that the tests of this binary share, files of its own.

use crate::cli::{Said, World};
use crate::servers::PostgresServer;
use crate::servers::mariadb::MariadbServer;
use mysql::prelude::Queryable;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

pub const PRODUCTS: [&str; 4] = ["duckdb", "postgres", "mysql", "sqlite"];

struct Servers {
    postgres: PostgresServer,
    mariadb: MariadbServer,
}

/// Kept while any test holds them: a static would never stop them.
fn servers() -> Arc<Servers> {
    static RUNNING: Mutex<Weak<Servers>> = Mutex::new(Weak::new());
    let mut running = RUNNING.lock().unwrap();
    running.upgrade().unwrap_or_else(|| {
        let started = Arc::new(Servers { postgres: PostgresServer::start(), mariadb: MariadbServer::start() });
        *running = Arc::downgrade(&started);
        started
    })
}

pub struct Place {
    pub world: World,
    servers: Arc<Servers>,
    /// Of this test on both servers.
    pub schema: String,
}

impl Place {
    /// The project of that name under `tests/projects`, as `p`; outputs `duckdb`, `postgres`, `mysql`, `sqlite`.
    pub fn of(project: &str) -> Self {
        let place = Self::empty();
        place.world.copy_project(project, "p");
        place
    }

    /// A project `p` of these files.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let place = Self::empty();
        place.world.write("p/dbt_project.yml", "name: p\nprofile: p\nversion: '1.0'\n");
        for (name, text) in files {
            place.world.write(&format!("p/{name}"), text);
        }
        place
    }

    fn empty() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let schema = format!("t{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let place = Self { world: World::new(), servers: servers(), schema };
        let (pg, my, schema) = (place.servers.postgres.port, place.servers.mariadb.port, &place.schema);
        let file = |name: &str| place.world.path(name).display().to_string();
        place.world.write(
            "home/profiles.yml",
            &format!(
                "p:\n  target: duckdb\n  outputs:\n    duckdb: {{type: duckdb, path: {}, schema: main, threads: 2}}\n    postgres: {{type: postgres, host: 127.0.0.1, port: {pg}, user: dvt, password: x, dbname: postgres, schema: {schema}, threads: 2}}\n    mysql: {{type: mysql, server: 127.0.0.1, port: {my}, username: dvt, schema: {schema}, threads: 2}}\n    sqlite: {{type: sqlite, schemas_and_paths: {{main: {}}}, schema: main, threads: 2}}\n    other: {{type: duckdb, path: {}, schema: main, threads: 2}}\n",
                file("wh.duckdb"),
                file("wh.sqlite"),
                file("other.duckdb"),
            ),
        );
        place
    }

    pub fn dvt(&self, words: &[&str]) -> Said {
        self.world.dvt("p", words)
    }

    /// With `--target`.
    pub fn on(&self, product: &str, words: &[&str]) -> Said {
        let mut all = words.to_vec();
        all.extend(["--target", product]);
        self.dvt(&all)
    }

    pub fn postgres(&self) -> postgres::Client {
        let port = self.servers.postgres.port;
        postgres::Client::connect(&format!("host=127.0.0.1 port={port} user=dvt dbname=postgres"), postgres::NoTls).unwrap()
    }

    pub fn mysql(&self) -> mysql::Conn {
        crate::rows::mysql_client(self.servers.mariadb.port)
    }

    /// Rows of a query as lines `a | b`, sorted; the query names tables without a schema.
    pub fn lines(&self, product: &str, sql: &str) -> Vec<String> {
        let mut lines: Vec<String> = self.cells(product, sql).1.into_iter().map(|r| r.join(" | ")).collect();
        lines.sort();
        lines
    }

    /// Column names and rows of a query, all as text, NULL as such.
    pub fn cells(&self, product: &str, sql: &str) -> (Vec<String>, Vec<Vec<String>>) {
        match product {
            "postgres" => {
                let mut client = self.postgres();
                client.batch_execute(&format!("set search_path to {}", self.schema)).unwrap();
                let mut names = Vec::new();
                let mut rows = Vec::new();
                for message in client.simple_query(sql).unwrap() {
                    match message {
                        postgres::SimpleQueryMessage::RowDescription(columns) => names = columns.iter().map(|c| c.name().to_owned()).collect(),
                        postgres::SimpleQueryMessage::Row(row) => rows.push((0..row.len()).map(|i| row.get(i).unwrap_or("NULL").to_owned()).collect()),
                        _ => {}
                    }
                }
                (names, rows)
            }
            "mysql" => {
                let mut client = self.mysql();
                client.query_drop(format!("use `{}`", self.schema)).unwrap();
                let mut result = client.query_iter(sql).unwrap();
                let names = result.columns().as_ref().iter().map(|c| c.name_str().into_owned()).collect();
                let text = |value: mysql::Value| match value {
                    mysql::Value::NULL => "NULL".to_owned(),
                    mysql::Value::Bytes(bytes) => String::from_utf8(bytes).unwrap(),
                    other => panic!("{other:?}"),
                };
                let rows = result.by_ref().map(|r| r.unwrap().unwrap().into_iter().map(text).collect()).collect();
                (names, rows)
            }
            "sqlite" => {
                let connection = rusqlite::Connection::open(self.world.path("wh.sqlite")).unwrap();
                let mut statement = connection.prepare(sql).unwrap();
                let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
                let text = |value: rusqlite::types::Value| match value {
                    rusqlite::types::Value::Null => "NULL".to_owned(),
                    rusqlite::types::Value::Integer(n) => n.to_string(),
                    rusqlite::types::Value::Real(n) => n.to_string(),
                    rusqlite::types::Value::Text(t) => t,
                    rusqlite::types::Value::Blob(b) => format!("{b:02x?}"),
                };
                let rows = statement.query_map([], |row| Ok((0..names.len()).map(|i| text(row.get_unwrap(i))).collect())).unwrap();
                let rows = rows.map(Result::unwrap).collect();
                (names.clone(), rows)
            }
            _ => {
                let connection = duckdb::Connection::open(self.world.path("wh.duckdb")).unwrap();
                let mut statement = connection.prepare(&format!("select columns(*)::varchar from ({sql})")).unwrap();
                let mut found = statement.query([]).unwrap();
                let mut rows = Vec::new();
                while let Some(row) = found.next().unwrap() {
                    let count = row.as_ref().column_count();
                    rows.push((0..count).map(|i| row.get::<_, Option<String>>(i).unwrap().unwrap_or_else(|| "NULL".to_owned())).collect());
                }
                let names = found.as_ref().map(|s| s.column_names()).unwrap_or_default();
                (names, rows)
            }
        }
    }
}

