//! What the harness must know of a product: how to start it, reach it past dvt, reset it and end its sessions.
//!
//! A new product is one more implementation and one more test in `main.rs`.

use super::proxy::Speech;
use super::servers::PostgresServer;
use super::speech;
use std::path::PathBuf;

/// What the target holds before a run, in place of `wide`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Old {
    Table,
    /// With a view `above` that reads it.
    TableUnderView,
    View,
}

/// A product that models are built on.
pub trait Product {
    /// As the matrix names it.
    fn name(&self) -> &'static str;
    /// The target `wh` of profiles.yml; a server is reached through `port`.
    fn output(&self, port: u16) -> String;
    /// The schema that `wh` builds in, as SQL names it.
    fn schema(&self) -> &'static str;
    /// A session past dvt and past the proxy.
    fn direct(&self) -> Box<dyn Direct>;
    /// A session, or why there is none now.
    fn reachable(&self) -> Result<Box<dyn Direct>, String> {
        Ok(self.direct())
    }
    /// A server's port and protocol; None for files.
    fn server(&self) -> Option<(u16, fn() -> Speech)>;
    /// The files of an embedded product.
    fn file(&self) -> Option<PathBuf> {
        None
    }
    /// The target without `wide` and what belongs to it.
    fn clear(&self);
    /// Keeps what the target holds, as the state to go back to.
    fn keep(&self, old: Old);
    /// Makes the target as it was kept.
    fn restore(&self, old: Old);
}

/// Sessions that are not dvt's.
pub trait Direct {
    /// # Errors
    /// In the product's words.
    fn run(&mut self, sql: &str) -> Result<(), String>;
    /// Rows as text, columns parted by `|`.
    fn rows(&mut self, sql: &str) -> Result<Vec<String>, String>;
    /// Names of all tables and views of the schema.
    fn relations(&mut self) -> Vec<String>;
    /// What dvt's sessions do now.
    fn sessions(&mut self) -> Vec<String> {
        Vec::new()
    }
    /// Ends the session that the server sees at this port, and waits for its end.
    fn end_session(&mut self, _port: u16) {}
}

/// A PostgreSQL server of the test's own.
pub struct Postgres {
    pub server: PostgresServer,
}

impl Postgres {
    pub fn start() -> Self {
        let own = Self { server: PostgresServer::start() };
        own.direct().run("create schema src; create schema out").unwrap();
        own
    }
    pub fn profile(port: u16, schema: &str) -> String {
        format!("{{type: postgres, host: 127.0.0.1, port: {port}, user: dvt, dbname: postgres, schema: {schema}, sslmode: disable}}")
    }
}

pub struct PostgresDirect(postgres::Client);

impl Direct for PostgresDirect {
    fn run(&mut self, sql: &str) -> Result<(), String> {
        self.0.batch_execute(sql).map_err(|e| e.as_db_error().map_or_else(|| e.to_string(), |d| d.message().to_owned()))
    }
    fn rows(&mut self, sql: &str) -> Result<Vec<String>, String> {
        let told = self.0.simple_query(sql).map_err(|e| e.as_db_error().map_or_else(|| e.to_string(), |d| d.message().to_owned()))?;
        let row = |r: &postgres::SimpleQueryRow| (0..r.len()).map(|i| r.get(i).unwrap_or("NULL").to_owned()).collect::<Vec<_>>().join("|");
        Ok(told.iter().filter_map(|m| if let postgres::SimpleQueryMessage::Row(r) = m { Some(row(r)) } else { None }).collect())
    }
    fn relations(&mut self) -> Vec<String> {
        self.rows("select relname from pg_class where relnamespace = 'out'::regnamespace and relkind in ('r', 'v', 'm', 'p') order by 1").unwrap()
    }
    fn sessions(&mut self) -> Vec<String> {
        self.rows("select state || ': ' || left(query, 80) from pg_stat_activity where application_name = 'dvt'").unwrap()
    }
    fn end_session(&mut self, port: u16) {
        let ended = self.rows(&format!("select pg_terminate_backend(pid, 10000) from pg_stat_activity where client_port = {port}")).unwrap();
        assert_eq!(ended, ["t"], "the server did not end the session at port {port}");
    }
}

impl Product for Postgres {
    fn name(&self) -> &'static str {
        "PostgreSQL"
    }
    fn output(&self, port: u16) -> String {
        Self::profile(port, "out")
    }
    fn schema(&self) -> &'static str {
        "out"
    }
    fn direct(&self) -> Box<dyn Direct> {
        let address = format!("host=127.0.0.1 port={} user=dvt dbname=postgres", self.server.port);
        let mut direct = PostgresDirect(postgres::Client::connect(&address, postgres::NoTls).unwrap());
        // A test must not wait for a lock of the run that it holds still.
        direct.run("set lock_timeout = '200ms'; set client_min_messages = error").unwrap();
        Box::new(direct)
    }
    fn server(&self) -> Option<(u16, fn() -> Speech)> {
        Some((self.server.port, speech::postgres))
    }
    fn clear(&self) {
        self.direct().run("drop schema out cascade; create schema out").unwrap();
    }
    fn keep(&self, _: Old) {
        self.direct().run("drop table if exists out.keep_wide cascade; create table out.keep_wide (like out.wide); insert into out.keep_wide select * from out.wide").unwrap();
    }
    fn restore(&self, old: Old) {
        let mut direct = self.direct();
        let kind = direct.rows("select relkind from pg_class where relnamespace = 'out'::regnamespace and relname = 'wide'").unwrap();
        let drop = match kind.first().map(String::as_str) {
            Some("v") => "drop view out.wide cascade;",
            Some(_) => "drop table out.wide cascade;",
            None => "",
        };
        let table = "create table out.wide (like out.keep_wide); insert into out.wide select * from out.keep_wide";
        let make = match old {
            Old::Table => table.to_owned(),
            Old::TableUnderView => format!("{table}; create view out.above as select id, name from out.wide"),
            Old::View => "create view out.wide as select * from out.keep_wide".to_owned(),
        };
        direct.run(&format!("begin; {drop} {make}; commit")).unwrap();
    }
}

/// What two embedded products share: their state is a file.
fn keep_file(path: &PathBuf) {
    std::fs::copy(path, path.with_extension("kept")).unwrap();
}

/// The file as kept; a journal of the run that was killed belongs to the file that is replaced.
fn restore_file(path: &PathBuf) {
    for beside in ["-journal", "-wal", "-shm", ".wal"] {
        let mut name = path.clone().into_os_string();
        name.push(beside);
        let _ = std::fs::remove_file(name);
    }
    std::fs::copy(path.with_extension("kept"), path).unwrap();
}

/// Makes `old` of the table `wide`, in a file of its own.
fn shape(direct: &mut dyn Direct, old: Old) {
    match old {
        // A model that is built as a view left a view.
        Old::Table => {
            direct.run("create table was_wide as select * from wide").unwrap();
            let view = direct.run("drop view wide").is_ok();
            direct.run(if view { "alter table was_wide rename to wide" } else { "drop table was_wide" }).unwrap();
        }
        Old::TableUnderView => direct.run("drop view if exists above; create view above as select id, name from wide").unwrap(),
        Old::View => direct.run("drop view if exists above; drop table if exists keep_wide; alter table wide rename to keep_wide; create view wide as select * from keep_wide").unwrap(),
    }
}

/// A folder of its own for an embedded product's file.
pub struct Sqlite {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Sqlite {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { path: folder.path().join("wh.db"), _folder: folder }
    }
}

struct SqliteDirect(rusqlite::Connection);

impl Direct for SqliteDirect {
    fn run(&mut self, sql: &str) -> Result<(), String> {
        self.0.execute_batch(sql).map_err(|e| e.to_string())
    }
    fn rows(&mut self, sql: &str) -> Result<Vec<String>, String> {
        let mut statement = self.0.prepare(sql).map_err(|e| e.to_string())?;
        let width = statement.column_count();
        let mut rows = statement.query([]).map_err(|e| e.to_string())?;
        let mut out = Vec::new();
        while let Some(row) = rows.next().map_err(|e| e.to_string())? {
            let cell = |i: usize| match row.get_ref(i).unwrap() {
                rusqlite::types::ValueRef::Null => "NULL".to_owned(),
                rusqlite::types::ValueRef::Integer(v) => v.to_string(),
                rusqlite::types::ValueRef::Text(t) => String::from_utf8_lossy(t).into_owned(),
                other => format!("{other:?}"),
            };
            out.push((0..width).map(cell).collect::<Vec<_>>().join("|"));
        }
        Ok(out)
    }
    fn relations(&mut self) -> Vec<String> {
        self.rows("select name from sqlite_master where type in ('table', 'view') order by 1").unwrap()
    }
}

impl Product for Sqlite {
    fn name(&self) -> &'static str {
        "SQLite"
    }
    fn output(&self, _: u16) -> String {
        format!("{{type: sqlite, schemas_and_paths: {{main: '{}'}}}}", self.path.display())
    }
    fn schema(&self) -> &'static str {
        "main"
    }
    fn direct(&self) -> Box<dyn Direct> {
        let direct = rusqlite::Connection::open(&self.path).unwrap();
        direct.busy_timeout(std::time::Duration::from_millis(200)).unwrap();
        Box::new(SqliteDirect(direct))
    }
    fn server(&self) -> Option<(u16, fn() -> Speech)> {
        None
    }
    fn file(&self) -> Option<PathBuf> {
        Some(self.path.clone())
    }
    fn clear(&self) {
        let _ = std::fs::remove_file(&self.path);
    }
    fn keep(&self, old: Old) {
        shape(self.direct().as_mut(), old);
        keep_file(&self.path);
    }
    fn restore(&self, _: Old) {
        restore_file(&self.path);
    }
}

pub struct Duckdb {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Duckdb {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { path: folder.path().join("wh.duckdb"), _folder: folder }
    }
}

struct DuckdbDirect(duckdb::Connection);

impl Direct for DuckdbDirect {
    fn run(&mut self, sql: &str) -> Result<(), String> {
        self.0.execute_batch(sql).map_err(|e| e.to_string())
    }
    fn rows(&mut self, sql: &str) -> Result<Vec<String>, String> {
        let sql = format!("select concat_ws('|', *columns(*)) from (select coalesce(columns(*)::varchar, 'NULL') from ({sql}))");
        let mut statement = self.0.prepare(&sql).map_err(|e| e.to_string())?;
        let rows = statement.query_map([], |r| r.get::<_, String>(0)).map_err(|e| e.to_string())?;
        rows.collect::<Result<_, _>>().map_err(|e| e.to_string())
    }
    fn relations(&mut self) -> Vec<String> {
        self.rows("select table_name from information_schema.tables where table_schema = 'main' order by 1").unwrap()
    }
}

impl Product for Duckdb {
    fn name(&self) -> &'static str {
        "DuckDB"
    }
    fn output(&self, _: u16) -> String {
        format!("{{type: duckdb, path: '{}'}}", self.path.display())
    }
    fn schema(&self) -> &'static str {
        "main"
    }
    fn direct(&self) -> Box<dyn Direct> {
        self.reachable().unwrap()
    }
    fn reachable(&self) -> Result<Box<dyn Direct>, String> {
        Ok(Box::new(DuckdbDirect(duckdb::Connection::open(&self.path).map_err(|e| e.to_string())?)))
    }
    fn server(&self) -> Option<(u16, fn() -> Speech)> {
        None
    }
    fn file(&self) -> Option<PathBuf> {
        Some(self.path.clone())
    }
    fn clear(&self) {
        let _ = std::fs::remove_file(&self.path);
        let _ = std::fs::remove_file(self.path.with_extension("duckdb.wal"));
    }
    fn keep(&self, old: Old) {
        let mut direct = self.direct();
        shape(direct.as_mut(), old);
        direct.run("checkpoint").unwrap();
        drop(direct);
        keep_file(&self.path);
    }
    fn restore(&self, _: Old) {
        restore_file(&self.path);
    }
}
