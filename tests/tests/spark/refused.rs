//! What cannot work is told at once, with its reason and a way out: long before Spark itself would say anything.

use super::place::{Place, environment, version};
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// A model over both servers.
fn federated(config: &str) -> Place {
    let place = Place::new(config);
    place.postgres("create schema shop; create table shop.a (id int); insert into shop.a values (1)");
    place.mariadb("create database shop; create table shop.b (id int); insert into shop.b values (1)");
    place.model("sources.yml", "sources:\n  - {name: pg, connection: pg, schema: shop, tables: [{name: a}]}\n  - {name: my, connection: my, schema: shop, tables: [{name: b}]}\n");
    place.model("m.sql", "select a.id from {{ source('pg', 'a') }} a join {{ source('my', 'b') }} b on b.id = a.id");
    place
}

#[test]
fn spark_that_cannot_start_says_why() {
    let place = federated("");
    let fails = |words: &[&str]| {
        let since = Instant::now();
        place.dvt(&["run", "--compute", "spark"]).fails(1, words);
        assert!(since.elapsed() < Duration::from_secs(30), "it took {:?}", since.elapsed());
    };
    // A master that nobody is.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    place.computes(&format!("spark://127.0.0.1:{port}"), "");
    fails(&["nobody listens at", &port.to_string(), "start the master"]);
    place.computes(&format!("sc://127.0.0.1:{port}"), "");
    fails(&["nobody listens at"]);
    for scheme in ["", "http://", "https://"] {
        place.computes(&format!("k8s://{scheme}127.0.0.1:{port}"), "");
        fails(&["nobody listens at", &port.to_string()]);
    }
    // No Java, and one that is too old.
    place.computes("local[2]", "        java_home: nowhere\n");
    fails(&["there is no Java that runs at", "nowhere", "java_home"]);
    let old = place.world.path("old/bin/java");
    place.world.write("old/bin/java", "#!/bin/sh\necho 'java version \"1.7.0_80\"' >&2\n");
    std::fs::set_permissions(&old, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    place.computes("local[2]", &format!("        java_home: {}\n", place.world.path("old").display()));
    fails(&["Java 7 at", "too old"]);
    // Another version than the compute names.
    let text = super::place::computes("p", "local[2]", "").replace(&format!("version: \"{}\"", version()), "version: \"2.4.0\"");
    place.world.write("home/computes.yml", &text);
    fails(&["asks for version 2.4.0", &version(), "dvt sync"]);
    // No driver.
    let bare = super::place::computes("p", "local[2]", "        transfer: drivers\n").replace(&format!("jars: [\"{}\"]", super::place::jars().display()), "jars: []");
    place.world.write("home/computes.yml", &bare);
    if !std::path::Path::new("/usr/share/java/postgresql.jar").exists() {
        fails(&["needs the driver org.postgresql:postgresql", "dvt sync"]);
    }
    // No library.
    let none = super::place::computes("p", "local[2]", "").replace(&environment().display().to_string(), "/nowhere/env");
    place.world.write("home/computes.yml", &none);
    fails(&["there is no Python at /nowhere/env"]);
    assert_eq!(place.leftovers(), Vec::<String>::new());
}

#[test]
fn spark_settings_that_would_change_results_are_refused() {
    let place = federated("        spark.sql.ansi.enabled: false\n");
    place.dvt(&["run", "--compute", "spark"]).fails(1, &["DVT100", "spark.sql.ansi.enabled"]);
    place.computes("mesos://x", "");
    place.dvt(&["run", "--compute", "spark"]).fails(1, &["DVT100", "mesos://x"]);
    place.computes("local[2]", "        memory: 1g\n");
    place.dvt(&["run", "--compute", "spark"]).fails(1, &["DVT100", "`memory`"]);
}

/// SPEC C1 to C3.
#[test]
fn spark_is_chosen_by_the_command_then_by_the_model_then_by_the_file() {
    let place = federated("");
    let used = |words: &[&str]| {
        let mut all = vec!["ls", "--output", "json", "--output-keys", "name", "config", "-s", "m"];
        all.extend(words);
        place.dvt(&all).ok();
        let explained = place.dvt(&[&["explain", "-s", "m", "--output", "json"], words].concat()).ok().out;
        let document: serde_json::Value = serde_json::from_str(&explained).unwrap();
        document["models"][0]["compute"].as_str().unwrap_or_default().to_owned()
    };
    let text = "select a.id from {{ source('pg', 'a') }} a join {{ source('my', 'b') }} b on b.id = a.id";
    let named = |compute: &str| place.model("m.sql", &format!("{{{{ config(compute='{compute}') }}}}\n{text}"));
    assert_eq!(used(&[]), "local");
    named("spark");
    assert_eq!(used(&[]), "spark");
    assert_eq!(used(&["--compute", "local"]), "local");
    named("local");
    assert_eq!(used(&["--compute", "spark"]), "spark");
    let file = super::place::computes("p", "local[2]", "").replace("target: local", "target: spark");
    place.world.write("home/computes.yml", &file);
    assert_eq!(used(&[]), "local");
    place.model("m.sql", text);
    assert_eq!(used(&[]), "spark");
    assert_eq!(used(&["--compute", "local"]), "local");
    // Names that are none, at parse and by name.
    named("sparc");
    place.dvt(&["parse"]).fails(2, &["DVT101", "sparc", "local", "spark"]);
    place.model("m.sql", text);
    place.dvt(&["parse", "--compute", "nope"]).fails(2, &["DVT101", "nope", "local", "spark"]);
    // The older form of the file.
    place.world.write("home/computes.yml", "p: {target: pg, computes: [{name: local_spark, type: spark, config: {master: \"local[*]\"}}]}\n");
    assert_eq!(used(&["--compute", "local_spark"]), "local_spark");
    assert_eq!(used(&[]), "local_spark");
}
