//! A connector that a stranger wrote, with an adapter that a stranger wrote: Spark reads and writes their product itself.

use super::cli::{Said, plugins, said};
use super::place::Place;

#[test]
fn spark_reaches_a_product_by_a_strangers_connector() {
    let place = Place::new("        transfer: drivers\n");
    let profile = format!(
        "p:\n  target: near\n  outputs:\n    near: {{type: nearpg, host: 127.0.0.1, port: {}, user: dvt, dbname: postgres, schema: shop, threads: 2}}\n    my: {{type: mysql, server: 127.0.0.1, port: {}, username: dvt, schema: shop, threads: 2}}\n",
        place.postgres.port, place.mariadb.port
    );
    place.world.write("home/profiles.yml", &profile);
    place.postgres("create schema shop; create table shop.a (id int, amount numeric(15,2), on_day date); insert into shop.a values (1, 1.25, '2024-02-29'), (2, null, null)");
    place.mariadb("create database shop; create table shop.b (id int); insert into shop.b values (1), (2)");
    place.model("sources.yml", "sources:\n  - {name: near, connection: near, schema: shop, tables: [{name: a}, {name: timed}]}\n  - {name: my, connection: my, schema: shop, tables: [{name: b}]}\n");
    place.model("m.sql", "select a.id, a.amount, a.on_day from {{ source('near', 'a') }} a join {{ source('my', 'b') }} b on b.id = a.id");
    let strangers = plugins().parent().unwrap().join("outsider-plugins");
    assert!(strangers.is_dir(), "{} is missing: cargo xtask outsider (make test does it)", strangers.display());
    let dvt = |words: &[&str]| -> Said {
        let mut command = place.world.command("p", words);
        command.env("DVT_PLUGIN_PATH", std::env::join_paths([strangers.clone(), plugins()]).unwrap());
        said(command)
    };
    dvt(&["run", "--compute", "spark"]).ok();
    assert_eq!(place.postgres("select * from shop.m order by id"), ["1 | 1.25 | 2024-02-29", "2 | NULL | NULL"]);
    // What the connector does not carry is refused by the column's name.
    place.postgres("create table shop.timed (id int, at timestamp)");
    place.model("m.sql", "select a.id, a.at from {{ source('near', 'timed') }} a join {{ source('my', 'b') }} b on b.id = a.id");
    dvt(&["run", "--compute", "spark"]).fails(1, &["DVT011", "`at`", "timestamp"]);
}
