//! Federated models written in their target's dialect mean what the same text means on one server of that product that
//! holds all tables (SPEC T9); what cannot is refused with DVT003 before anything moves.
//!
//! `orders` is on PostgreSQL, `customers` in SQLite; the data is hostile: NULL, empty and padded text, letters beyond
//! ASCII, negative halves, zero, extremes.
#![allow(clippy::unwrap_used, missing_docs)]

mod cli;
#[path = "../../host/engine/tests/servers/mod.rs"]
mod servers;
#[path = "translated/mod.rs"]
mod translated;

use cli::World;
use std::fmt::Write as _;
use translated::{CUSTOMERS, MARIADB, ORDERS, POSTGRES, REFUSED, SQLITE, placed};

struct Setting {
    world: World,
    server: servers::PostgresServer,
}

impl Setting {
    fn new() -> Self {
        let (world, server) = (World::new(), servers::PostgresServer::start());
        let lite = rusqlite::Connection::open(world.path("crm.db")).unwrap();
        lite.execute_batch(&format!("create table customers (id integer, name text, points integer, since date); insert into customers values {CUSTOMERS}")).unwrap();
        let own = Self { world, server };
        let mut client = own.client();
        let columns = "id bigint, customer_id int, status text, amount numeric(15,2), qty int, small smallint, ordered date, at timestamp, weight double precision, flag boolean";
        client
            .batch_execute(&format!(
                "create schema wh; create schema truth; create table truth.orders ({columns}); insert into truth.orders values {ORDERS};
                 create table truth.customers (id bigint, name text, points bigint, since date); insert into truth.customers values {CUSTOMERS}"
            ))
            .unwrap();
        own.world.write("p/dbt_project.yml", "name: p\nprofile: p\nmodels: {+materialized: table}\n");
        own.world.write(
            "home/profiles.yml",
            &format!(
                "p:\n  target: wh\n  outputs:\n    wh: {{type: postgres, host: 127.0.0.1, port: {}, user: dvt, password: x, dbname: postgres, schema: wh, threads: 4}}\n    crm: {{type: sqlite, threads: 1, database: database, schema: main, schemas_and_paths: {{main: ../crm.db}}, schema_directory: .}}\n",
                own.server.port
            ),
        );
        own.world.write("p/models/s.yml", "sources:\n  - {name: truth, tables: [{name: orders}]}\n  - {name: crm, connection: crm, schema: main, tables: [{name: customers}]}\n");
        own
    }

    fn client(&self) -> postgres::Client {
        postgres::Client::connect(&format!("host=127.0.0.1 port={} user=dvt dbname=postgres", self.server.port), postgres::NoTls).unwrap()
    }

    fn model(&self, name: &str, query: &str) {
        self.world.write(&format!("p/models/{name}.sql"), &placed(query, "{{ source('truth', 'orders') }}", "{{ source('crm', 'customers') }}"));
    }
}

/// Columns with their types, then the rows, sorted; digits of a numeric's type are left out.
fn table(client: &mut postgres::Client, schema: &str, name: &str) -> Vec<String> {
    let sql = format!("select column_name || ' ' || replace(data_type, 'character varying', 'text') from information_schema.columns where table_schema = '{schema}' and table_name = '{name}' order by ordinal_position");
    let mut out: Vec<String> = client.query(&sql, &[]).unwrap().iter().map(|r| r.get(0)).collect();
    let names: Vec<String> = client
        .query(&format!("select column_name::text, data_type::text from information_schema.columns where table_schema = '{schema}' and table_name = '{name}' order by ordinal_position"), &[])
        .unwrap()
        .iter()
        .map(|r| {
            let (column, kind): (String, String) = (r.get(0), r.get(1));
            if kind == "numeric" { format!("coalesce(trim_scale(\"{column}\")::text, '<null>')") } else { format!("coalesce(\"{column}\"::text, '<null>')") }
        })
        .collect();
    if names.is_empty() {
        return out;
    }
    let rows = client.query(&format!("select concat_ws('|', {}) from {schema}.\"{name}\"", names.join(", ")), &[]).unwrap();
    let mut rows: Vec<String> = rows.iter().map(|r| r.get(0)).collect();
    rows.sort();
    out.append(&mut rows);
    out
}

#[test]
fn a_federated_model_in_postgresql_answers_as_postgresql_does() {
    let setting = Setting::new();
    let mut client = setting.client();
    for (i, query) in POSTGRES.iter().enumerate() {
        setting.model(&format!("m{i}"), query);
        let truth = placed(query, "truth.orders", "truth.customers");
        client.batch_execute(&format!("create table truth.m{i} as {truth}")).unwrap_or_else(|e| panic!("PostgreSQL refuses {truth}: {e}"));
    }
    let told = setting.world.dvt("p", &["run"]);
    let mut wrong = String::new();
    for (i, query) in POSTGRES.iter().enumerate() {
        let (ours, theirs) = (table(&mut client, "wh", &format!("m{i}")), table(&mut client, "truth", &format!("m{i}")));
        if ours != theirs {
            let _ = writeln!(wrong, "{query}\n  ours:   {ours:?}\n  theirs: {theirs:?}");
        }
    }
    assert!(wrong.is_empty() && told.code == 0, "{wrong}\n{}", told.all());
    assert!(!told.all().contains("[pushdown]"), "{}", told.all());
}

/// The queries as models of `output`, whose own target holds `customers`; `truth` answers the same text where both are.
fn as_on_one_server(world: &World, server: &servers::PostgresServer, output: &str, queries: &[&str], answers: impl Fn(&str) -> Vec<String>, truth: impl Fn(&str) -> Vec<String>) {
    let columns = "id bigint, customer_id int, status text, amount numeric(15,2), qty int, small smallint, ordered date, at timestamp, weight double precision, flag boolean";
    let mut client = postgres::Client::connect(&format!("host=127.0.0.1 port={} user=dvt dbname=postgres", server.port), postgres::NoTls).unwrap();
    client.batch_execute(&format!("create table orders ({columns}); insert into orders values {ORDERS}")).unwrap();
    world.write("p/dbt_project.yml", "name: p\nprofile: p\nmodels: {+materialized: table}\n");
    let pg = format!("{{type: postgres, host: 127.0.0.1, port: {}, user: dvt, password: x, dbname: postgres, schema: public, threads: 4}}", server.port);
    world.write("home/profiles.yml", &format!("p:\n  target: wh\n  outputs:\n    wh: {output}\n    pg: {pg}\n"));
    world.write("p/models/s.yml", "sources:\n  - {name: pg, connection: pg, schema: public, tables: [{name: orders}]}\n  - {name: here, schema: \"{{ target.schema }}\", tables: [{name: customers}]}\n");
    for (i, query) in queries.iter().enumerate() {
        world.write(&format!("p/models/m{i}.sql"), &placed(query, "{{ source('pg', 'orders') }}", "{{ source('here', 'customers') }}"));
    }
    let told = world.dvt("p", &["run"]);
    let mut wrong = String::new();
    for (i, query) in queries.iter().enumerate() {
        let (ours, theirs) = (answers(&format!("m{i}")), truth(query));
        if ours != theirs {
            let _ = writeln!(wrong, "{query}\n  ours:   {ours:?}\n  theirs: {theirs:?}");
        }
    }
    assert!(wrong.is_empty() && told.code == 0, "{wrong}\n{}", told.all());
    assert!(!told.all().contains("[pushdown]"), "{}", told.all());
}

#[test]
fn a_federated_model_in_sqlite_answers_as_sqlite_does() {
    let (world, server) = (World::new(), servers::PostgresServer::start());
    let customers = format!("create table customers (id integer, name text, points integer, since date); insert into customers values {CUSTOMERS};");
    let file = world.path("wh.db");
    rusqlite::Connection::open(&file).unwrap().execute_batch(&customers).unwrap();
    let both = rusqlite::Connection::open_in_memory().unwrap();
    both.execute_batch(&customers).unwrap();
    let columns = "id integer, customer_id integer, status text, amount numeric, qty integer, small integer, ordered date, at text, weight real, flag integer";
    both.execute_batch(&format!("create table orders ({columns}); insert into orders values {ORDERS}")).unwrap();
    let rows = |connection: &rusqlite::Connection, sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        let width = statement.column_count();
        let mut out: Vec<String> = statement
            .query_map([], |row| Ok((0..width).map(|i| format!("{:?}", row.get::<_, rusqlite::types::Value>(i).unwrap())).collect::<Vec<_>>().join("|")))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        out.sort();
        out
    };
    let output = "{type: sqlite, threads: 1, database: database, schema: main, schemas_and_paths: {main: ../wh.db}, schema_directory: .}";
    as_on_one_server(
        &world,
        &server,
        output,
        SQLITE,
        |model| rusqlite::Connection::open(&file).map(|c| if c.prepare(&format!("select 1 from {model}")).is_ok() { rows(&c, &format!("select * from {model}")) } else { Vec::new() }).unwrap(),
        |query| rows(&both, &placed(query, "orders", "customers")),
    );
}

#[test]
fn a_federated_model_in_mysql_answers_as_mariadb_does() {
    use mysql::prelude::Queryable;
    let (world, server, maria) = (World::new(), servers::PostgresServer::start(), servers::mariadb::MariadbServer::start());
    let opts = mysql::OptsBuilder::new().ip_or_hostname(Some("127.0.0.1")).tcp_port(maria.port).prefer_socket(false).user(Some("dvt"));
    let connection = std::cell::RefCell::new(mysql::Conn::new(opts).unwrap());
    let columns = "id bigint, customer_id int, status text collate utf8mb4_bin, amount decimal(15,2), qty int, small smallint, ordered date, at datetime(6), weight double, flag boolean";
    for sql in [
        "set sql_mode = concat(@@sql_mode, ',NO_BACKSLASH_ESCAPES')".to_owned(),
        "create database wh".to_owned(),
        "create database truth".to_owned(),
        "create table wh.customers (id bigint, name varchar(20), points bigint, since date)".to_owned(),
        format!("insert into wh.customers values {CUSTOMERS}"),
        format!("create table truth.orders ({columns})"),
        format!("insert into truth.orders values {ORDERS}"),
    ] {
        connection.borrow_mut().query_drop(&sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }
    let rows = |sql: &str| -> Vec<String> {
        // Digits behind the point beyond the last that is not zero are a matter of the type.
        let cell = |value: mysql::Value| match value {
            mysql::Value::NULL => "<null>".to_owned(),
            mysql::Value::Bytes(bytes) => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let number = text.contains('.') && text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-');
                if number { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.trim_end_matches(".000000").to_owned() }
            }
            other => format!("{other:?}"),
        };
        let mut borrowed = connection.borrow_mut();
        let Ok(found) = borrowed.query::<mysql::Row, _>(sql) else { return vec![format!("refused: {sql}")] };
        let mut out: Vec<String> = found.into_iter().map(|r| r.unwrap().into_iter().map(cell).collect::<Vec<_>>().join("|")).collect();
        out.sort();
        out
    };
    let output = format!("{{type: mysql, server: 127.0.0.1, port: {}, username: dvt, schema: wh, threads: 4}}", maria.port);
    as_on_one_server(&world, &server, &output, MARIADB, |model| rows(&format!("select * from wh.{model}")), |query| rows(&placed(query, "truth.orders", "wh.customers")));
}

#[test]
fn what_has_another_meaning_is_refused_before_anything_moves() {
    let setting = Setting::new();
    for (i, (query, _)) in REFUSED.iter().enumerate() {
        setting.model(&format!("m{i}"), query);
    }
    let told = setting.world.dvt("p", &["run"]).all();
    let mut wrong = String::new();
    for (i, (query, why)) in REFUSED.iter().enumerate() {
        let line = told.lines().find(|l| l.contains("DVT003") && l.contains(why));
        if line.is_none() {
            let _ = writeln!(wrong, "m{i}: {query}: no DVT003 with `{why}`");
        }
    }
    assert!(wrong.is_empty(), "{wrong}\n{told}");
    let mut client = setting.client();
    let made: i64 = client.query_one("select count(*) from information_schema.tables where table_schema = 'wh'", &[]).unwrap().get(0);
    assert_eq!(made, 0);
}

#[test]
fn a_letter_beyond_ascii_stops_a_case_change_instead_of_guessing() {
    let setting = Setting::new();
    setting.client().batch_execute("insert into truth.orders (id, customer_id, status) values (8, 1, 'İ')").unwrap();
    setting.model("m", "select o.id, lower(o.status) as s from {o} o join {c} c on c.id = o.customer_id");
    let told = setting.world.dvt("p", &["run"]);
    assert!(told.code == 1 && told.all().contains("letters beyond ASCII"), "{}", told.all());
}
