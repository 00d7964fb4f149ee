//! MariaDB for the harness. dvt comes as a user of its own, so that its sessions are told apart.

use super::product::{Direct, Old, Product};
use super::proxy::Speech;
use super::servers::mariadb::MariadbServer;
use super::speech;
use mysql::prelude::Queryable;

pub struct Mariadb {
    server: MariadbServer,
}

struct MariadbDirect(mysql::Conn);

fn text(value: mysql::Value) -> String {
    match value {
        mysql::Value::NULL => "NULL".to_owned(),
        mysql::Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        other => format!("{other:?}"),
    }
}

impl MariadbDirect {
    fn all(&mut self, sql: &str) -> Result<Vec<String>, mysql::Error> {
        let mut out = Vec::new();
        let mut result = self.0.query_iter(sql)?;
        while let Some(set) = result.iter() {
            for row in set {
                out.push(row?.unwrap().into_iter().map(text).collect::<Vec<_>>().join("|"));
            }
        }
        Ok(out)
    }
}

impl Direct for MariadbDirect {
    fn run(&mut self, sql: &str) -> Result<(), String> {
        self.all(sql).map(drop).map_err(|e| e.to_string())
    }
    fn rows(&mut self, sql: &str) -> Result<Vec<String>, String> {
        self.all(sql).map_err(|e| e.to_string())
    }
    fn relations(&mut self) -> Vec<String> {
        self.rows("select table_name from information_schema.tables where table_schema = 'wh' order by 1").unwrap()
    }
    fn sessions(&mut self) -> Vec<String> {
        self.rows("select concat(command, ': ', left(coalesce(info, ''), 80)) from information_schema.processlist where user = 'runner'").unwrap()
    }
    fn end_session(&mut self, port: u16) {
        let seen = format!("from information_schema.processlist where host like '%:{port}'");
        let id = self.rows(&format!("select id {seen}")).unwrap();
        assert_eq!(id.len(), 1, "the server has no session at port {port}");
        self.run(&format!("kill {}", id[0])).unwrap();
        let since = std::time::Instant::now();
        while !self.rows(&format!("select id {seen}")).unwrap().is_empty() {
            assert!(since.elapsed() < std::time::Duration::from_secs(10), "the server did not end the session at port {port}");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

impl Mariadb {
    pub fn start() -> Self {
        let own = Self { server: MariadbServer::start() };
        own.direct().run("create database wh; create user runner@'%'; grant all on *.* to runner@'%'").unwrap();
        own
    }
}

impl Product for Mariadb {
    fn name(&self) -> &'static str {
        "MariaDB"
    }
    fn output(&self, port: u16) -> String {
        format!("{{type: mysql, server: 127.0.0.1, port: {port}, username: runner, schema: wh, ssl_disabled: true}}")
    }
    fn schema(&self) -> &'static str {
        "wh"
    }
    fn direct(&self) -> Box<dyn Direct> {
        let opts = mysql::OptsBuilder::new().ip_or_hostname(Some("127.0.0.1")).tcp_port(self.server.port).prefer_socket(false).user(Some("dvt"));
        let mut direct = MariadbDirect(mysql::Conn::new(opts).unwrap());
        // A test must not wait for a lock of the run that it holds still.
        direct.run("set session lock_wait_timeout = 1, innodb_lock_wait_timeout = 1, default_storage_engine = 'InnoDB'").unwrap();
        Box::new(direct)
    }
    fn server(&self) -> Option<(u16, fn() -> Speech)> {
        Some((self.server.port, speech::mysql))
    }
    fn clear(&self) {
        self.direct().run("drop database wh; create database wh").unwrap();
    }
    fn keep(&self, _: Old) {
        self.direct().run("drop table if exists wh.keep_wide; create table wh.keep_wide as select * from wh.wide").unwrap();
    }
    fn restore(&self, old: Old) {
        let mut direct = self.direct();
        let kind = direct.rows("select table_type from information_schema.tables where table_schema = 'wh' and table_name = 'wide'").unwrap();
        let drop = match kind.first().map(String::as_str) {
            Some("VIEW") => "drop view wh.wide;",
            Some(_) => "drop table wh.wide;",
            None => "",
        };
        let table = "create table wh.wide like wh.keep_wide; insert into wh.wide select * from wh.keep_wide";
        let make = match old {
            Old::Table => table.to_owned(),
            Old::TableUnderView => format!("{table}; create view wh.above as select id, name from wh.wide"),
            Old::View => "create view wh.wide as select * from wh.keep_wide".to_owned(),
        };
        direct.run(&format!("drop view if exists wh.above; {drop} {make}")).unwrap();
    }
}
