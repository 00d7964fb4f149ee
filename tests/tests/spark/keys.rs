//! Less is read on Spark as on the embedded compute: keys of a small scan reach the source of a large one, and what a model
//! reads several times is asked once.

use super::place::Place;

impl Place {
    /// Statements by which Spark asked PostgreSQL for rows of `table`, from a byte of the server's log on. What asks for no
    /// row but its columns names none of them.
    pub fn asked(&self, table: &str, from: usize) -> Vec<String> {
        let log = std::fs::read_to_string(&self.postgres.log).unwrap();
        let about = |line: &&str| line.contains("SELECT \"c") && !line.contains("execute fetch") && line.contains("/* dvt-") && line.contains(table);
        log[from..].lines().filter(about).map(str::to_owned).collect()
    }
}

/// Rows of a source that a run told to have moved.
fn moved(said: &str, table: &str) -> Option<u64> {
    let line = said.lines().find(|l| l.contains(&format!("moved {table} of ")))?;
    line.split(": ").last()?.split(" rows").next()?.replace(',', "").parse().ok()
}

#[test]
fn spark_is_told_keys_and_reads_what_is_shared_once() {
    let place = Place::new("");
    place.postgres(
        "create schema shop; create table shop.orders (id int primary key, parent int, customer_id int, amount numeric(12,2));
         insert into shop.orders select g, g / 2, g % 1000, g / 100.0 from generate_series(1, 40000) g; analyze shop.orders",
    );
    place.postgres("alter system set log_statement = 'all'");
    place.postgres("select pg_reload_conf()");
    place.mariadb(
        "create database shop; create table shop.customers (id int primary key, country varchar(2) collate utf8mb4_nopad_bin, name varchar(20));
         insert into shop.customers select seq, if(seq % 100 = 7, 'NL', 'DE'), concat('c', seq) from shop.seq_1_to_1000; analyze table shop.customers",
    );
    place.model("sources.yml", "sources:\n  - {name: pg, connection: pg, schema: shop, tables: [{name: orders}]}\n  - {name: my, connection: my, schema: shop, tables: [{name: customers}]}\n");
    let models = [
        ("keyed", "select o.id, o.amount, c.name from {{ source('pg', 'orders') }} o join {{ source('my', 'customers') }} c on c.id = o.customer_id where c.country = 'NL'"),
        ("shared", "select a.id, b.amount, c.name from {{ source('pg', 'orders') }} a left join {{ source('my', 'customers') }} c on c.id = a.customer_id left join {{ source('pg', 'orders') }} b on b.id = a.parent + coalesce(c.id - c.id, 0)"),
        ("named", "with o as (select id, parent, customer_id, amount from {{ source('pg', 'orders') }}) select a.id, b.amount, c.name from o a left join {{ source('my', 'customers') }} c on c.id = a.customer_id left join o b on b.id = a.parent + coalesce(c.id - c.id, 0)"),
    ];
    for (name, text) in models {
        place.model(&format!("{name}.sql"), &format!("{{{{ config(dialect='postgres') }}}}\n{text}"));
    }
    let tables = || models.map(|(name, _)| place.postgres(&format!("select * from shop.{name} order by id")));
    place.dvt(&["run"]).ok();
    let truth = tables();
    assert_eq!([truth[0].len(), truth[1].len(), truth[2].len()], [400, 40000, 40000]);
    let mut from = 0;
    let mut run = |name: &str| {
        from = std::fs::metadata(&place.postgres.log).unwrap().len() as usize;
        let said = place.dvt(&["run", "--compute", "spark", "-s", name]).ok().all();
        (moved(&said, "orders"), place.asked("orders", from), said)
    };
    // Before a run has counted them: what was expected, what came, and how many the result has.
    let said = place.dvt(&["explain", "-s", "keyed", "--compute", "spark", "--analyze", "--output", "json"]).ok();
    let document: serde_json::Value = serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {}", said.all()));
    let model = &document["models"][0];
    let scan = |name: &str| model["scans"].as_array().unwrap().iter().find(|s| s["relation"].as_str().is_some_and(|r| r.contains(name))).unwrap_or_else(|| panic!("{model:#}"));
    let (orders, customers) = (scan("orders"), scan("customers"));
    assert_eq!((&orders["estimated"]["rows"], &orders["actual"]["rows"], &customers["actual"]["rows"], &model["rows"]), (&40000.into(), &400.into(), &10.into(), &400.into()), "{model:#}");
    assert_eq!((&orders["waited"][0]["keys"], &model["compute"]), (&10.into(), &"spark".into()), "{model:#}");
    assert!(model["seconds"].as_f64().is_none_or(|s| s > 0.0), "{model:#}");
    let text = place.dvt(&["explain", "-s", "keyed", "--compute", "spark", "--analyze"]).ok().out;
    assert!(text.contains("result: 400 rows") && text.contains("waited for id of customers: 10 keys"), "{text}");
    let (rows, asked, said) = run("keyed");
    assert_eq!((rows, asked.len()), (Some(400), 1), "{asked:?}\n{said}");
    for name in ["shared", "named"] {
        let (rows, asked, said) = run(name);
        assert_eq!((rows, asked.len()), (Some(40000), 1), "{name}: {asked:?}\n{said}");
    }
    assert!(tables() == truth, "answers differ");
    assert_eq!(std::fs::read_dir(place.world.path("home/cache/exchange")).unwrap().count(), 0, "exchanged files stayed");
    assert_eq!(place.leftovers(), Vec::<String>::new());
}
