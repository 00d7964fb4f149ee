//! Commands of dbt besides building: what a dbt user types and what tools read.
#![allow(clippy::unwrap_used, missing_docs)]

mod cli;

use cli::{Said, World, said};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

/// A project on two DuckDB files; `dev` and `prod` are two schemas of one.
fn world(files: &[(&str, &str)]) -> World {
    let world = World::new();
    let outputs = "dev: {type: duckdb, path: wh.duckdb, schema: dev, threads: 2}\n    prod: {type: duckdb, path: wh.duckdb, schema: prod}\n    crm: {type: sqlite, schemas_and_paths: {main: crm.db}, schema: main}";
    world.write("home/profiles.yml", &format!("p:\n  target: dev\n  outputs:\n    {outputs}\n"));
    world.write("p/dbt_project.yml", "name: p\nprofile: p\nversion: '1'\n");
    for (name, text) in files {
        world.write(&format!("p/{name}"), text);
    }
    world
}

fn json(world: &World, file: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(world.path(file)).unwrap()).unwrap()
}

/// The events of a run with `--log-format json`.
fn events(said: &Said) -> Vec<Value> {
    said.out.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect()
}

fn named<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events.iter().filter(|e| e["info"]["name"] == name).collect()
}

#[test]
fn a_macro_runs_with_arguments_and_its_failure_is_told_by_code() {
    let world = world(&[(
        "macros/m.sql",
        "{% macro hello(name, n=1) %}{{ print(name ~ '!') }}{% do run_query('create table if not exists main.made as select ' ~ n ~ ' as n') %}{% endmacro %}
{% macro broken() %}{% do run_query('select from where') %}{% endmacro %}",
    )]);
    let said = world.dvt("p", &["run-operation", "hello", "--args", "{name: Ada, n: 3}"]).ok();
    assert!(said.out.lines().any(|l| l == "Ada!"), "print() is not a log line: {}", said.out);
    let quiet = world.dvt("p", &["-q", "run-operation", "hello", "--args", "{name: Ada}"]).ok();
    assert_eq!(quiet.all(), "Ada!\n");
    assert_eq!(world.dvt("p", &["-q", "run-operation", "hello", "--args", "{name: Ada}", "--no-print"]).ok().all(), "");
    world.dvt("p", &["run-operation", "broken"]).fails(1, &["broken", "DVT5104"]);
    world.dvt("p", &["run-operation", "none"]).fails(2, &["DVT2004", "none"]);
    world.dvt("p", &["run-operation", "hello", "--args", "[1]"]).fails(2, &["--args"]);
    let shown = world.dvt("p", &["-q", "show", "--inline", "select n from main.made", "--output", "json"]).ok();
    assert!(shown.out.contains("\"n\": 3"), "{}", shown.out);
}

#[test]
fn freshness_passes_warns_fails_and_says_what_it_cannot_know() {
    let sources = "sources:
  - name: s
    schema: dev
    loaded_at_field: loaded
    freshness: {warn_after: {count: 1, period: day}, error_after: {count: 3, period: day}}
    tables:
      - {name: new}
      - {name: old}
      - {name: older}
      - {name: filtered, identifier: older, freshness: {filter: \"loaded > now() - interval 1 hour\", error_after: {count: 1, period: day}}}
      - {name: gone}
      - {name: unchecked, freshness: null}
  - name: blind
    schema: dev
    freshness: {warn_after: {count: 1, period: day}}
    tables: [{name: new}]
";
    let made = "{% macro make() %}{% for t, hours in [('new', 0), ('old', 36), ('older', 100)] %}{% do run_query(\"create schema if not exists dev; create or replace table dev.\" ~ t ~ \" as select now() - interval \" ~ hours ~ \" hour as loaded\") %}{% endfor %}{% endmacro %}";
    let world = world(&[("models/sources.yml", sources), ("macros/make.sql", made)]);
    world.dvt("p", &["run-operation", "make"]).ok();
    let said = world.dvt("p", &["source", "freshness"]);
    let said = said.fails(1, &["PASS freshness of s.new", "WARN freshness of s.old", "ERROR STALE freshness of s.older", "ERROR freshness of s.gone", "loaded_at_field"]);
    assert!(!said.out.contains("unchecked"), "{}", said.out);
    let document = json(&world, "p/target/sources.json");
    assert!(document["metadata"]["dbt_schema_version"].as_str().unwrap().ends_with("sources/v3.json"));
    let status = |id: &str| document["results"].as_array().unwrap().iter().find(|r| r["unique_id"] == id).map(|r| r["status"].as_str().unwrap().to_owned());
    // As in dbt, what could not be measured is not written.
    let expected = [Some("pass"), Some("warn"), Some("error"), None, None].map(|s| s.map(str::to_owned));
    assert_eq!(["source.p.s.new", "source.p.s.old", "source.p.s.older", "source.p.s.gone", "source.p.blind.new"].map(status), expected);
    world.dvt("p", &["source", "freshness", "-s", "source:s.new", "-o", "fresh.json"]).ok();
    assert_eq!(json(&world, "p/fresh.json")["results"].as_array().unwrap().len(), 1);
    // The second look found nothing newer than the first; a new row is.
    std::fs::create_dir_all(world.path("p/before")).unwrap();
    std::fs::copy(world.path("p/target/sources.json"), world.path("p/before/sources.json")).unwrap();
    world.dvt("p", &["run-operation", "make"]).ok();
    world.dvt("p", &["source", "freshness", "-s", "source:s.new"]).ok();
    assert_eq!(world.dvt("p", &["-q", "ls", "-s", "source_status:fresher", "--state", "before"]).ok().out, "source:p.s.new\n");
    world.dvt("p", &["--warn-error", "source", "freshness", "-s", "source:s.old"]).fails(1, &["WARN"]);
}

#[test]
fn the_catalog_covers_every_connection_and_the_page_is_served() {
    let world = world(&[
        ("seeds/people.csv", "id,name\n1,Ada\n"),
        ("models/m.sql", "select id, name from {{ ref('people') }}"),
        ("models/s.yml", "sources:\n  - {name: c, connection: crm, schema: main, tables: [{name: accounts}]}\n"),
        ("macros/make.sql", "{% macro make() %}{% do run_query('create table accounts (id integer, title text)') %}{% endmacro %}"),
    ]);
    world.dvt("p", &["run-operation", "make", "--target", "crm"]).ok();
    world.dvt("p", &["build"]).ok();
    world.dvt("p", &["docs", "generate", "--static"]).ok();
    let catalog = json(&world, "p/target/catalog.json");
    assert_eq!(catalog["nodes"]["model.p.m"]["columns"]["name"]["index"], 2);
    assert_eq!(catalog["nodes"]["model.p.m"]["metadata"]["type"], "VIEW");
    assert_eq!(catalog["sources"]["source.p.c.accounts"]["columns"]["title"]["type"].as_str().unwrap().to_lowercase(), "text");
    assert_eq!(catalog["source_connections"]["source.p.c.accounts"], "crm");
    assert_eq!(catalog["connection_metadata"]["crm"]["adapter_type"], "sqlite");
    let page = std::fs::read_to_string(world.path("p/target/static_index.html")).unwrap();
    assert!(page.contains("catalog: {") && page.matches("</script>").count() == 1);

    let mut command = world.command("p", &["docs", "serve", "--port", "0", "--no-browser"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines.by_ref().find_map(|l| l.unwrap().split_once("http://").map(|(_, a)| a.to_owned())).unwrap();
    let get = |path: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    assert!(get("/").contains("<!doctype html>") && get("/catalog.json").contains("model.p.m"));
    assert!(get("/../dbt_project.yml").starts_with("HTTP/1.1 404"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(address.starts_with("127.0.0.1:"), "{address}");
}

fn run(folder: &Path, program: &str, words: &[&str]) {
    let done = Command::new(program).args(words).current_dir(folder).output().unwrap();
    assert!(done.status.success(), "{program} {words:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A package index and its archives on a free port of this machine.
fn index(answers: Vec<(String, Vec<u8>)>) -> (String, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (own, base) = (listener.try_clone().unwrap(), address.clone());
    std::thread::spawn(move || {
        for stream in own.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let mut rest = String::new();
            while reader.read_line(&mut rest).unwrap() > 2 {
                rest.clear();
            }
            let wanted = line.split(' ').nth(1).unwrap_or_default();
            let body = answers.iter().find(|(path, _)| path == wanted).map(|(_, b)| b.clone());
            let body = body.map(|b| if wanted.contains("/api/") { String::from_utf8(b).unwrap().replace("BASE", &base).into_bytes() } else { b });
            let status = if body.is_some() { "200 OK" } else { "404 Not Found" };
            let body = body.unwrap_or_default();
            let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(&body);
        }
    });
    (address, listener)
}

#[test]
fn packages_come_from_folders_git_archives_and_an_index_and_are_locked() {
    let world = world(&[("models/m.sql", "select {{ local.from_local() }} + {{ git.from_git() }} + {{ archive.from_archive() }} + {{ index.from_index() }} as n")]);
    let package = |folder: &str, name: &str, value: u8| {
        world.write(&format!("{folder}/dbt_project.yml"), &format!("name: {name}\nversion: '1'\n"));
        world.write(&format!("{folder}/macros/m.sql"), &format!("{{% macro from_{name}() %}}{value}{{% endmacro %}}"));
    };
    package("p/lib/local", "local", 1);
    package("repo/inside", "git", 2);
    package("tars/archive", "archive", 4);
    package("hub/index-1.2.0", "index", 8);
    let repo = world.path("repo");
    for words in [&["init", "-q"][..], &["add", "."], &["-c", "user.name=t", "-c", "user.email=t@example.test", "commit", "-qm", "one"], &["tag", "v1"]] {
        run(&repo, "git", words);
    }
    run(&world.path("tars"), "tar", &["czf", "../archive.tar.gz", "archive"]);
    run(&world.path("hub"), "tar", &["czf", "../index.tar.gz", "index-1.2.0"]);
    let version = |v: &str| format!("\"{v}\": {{\"name\": \"index\", \"version\": \"{v}\", \"packages\": [], \"require_dbt_version\": [\">=1.0.0\", \"<2.0.0\"], \"downloads\": {{\"tarball\": \"BASE/index.tar.gz\"}}}}");
    let metadata = format!("{{\"name\": \"index\", \"versions\": {{{}, {}, {}, {}}}}}", version("1.0.0"), version("1.2.0"), version("1.3.0-rc1"), version("2.0.0"));
    let (address, _listener) = index(vec![
        ("/api/v1/acme/index.json".to_owned(), metadata.into_bytes()),
        ("/index.tar.gz".to_owned(), std::fs::read(world.path("index.tar.gz")).unwrap()),
        ("/archive.tar.gz".to_owned(), std::fs::read(world.path("archive.tar.gz")).unwrap()),
    ]);
    let packages = format!(
        "packages:\n  - local: lib/local\n  - git: \"{}\"\n    revision: v1\n    subdirectory: inside\n  - tarball: {address}/archive.tar.gz\n    name: archive\n",
        repo.display()
    );
    world.write("p/packages.yml", &packages);
    let deps = |words: &[&str], hub: bool| {
        let mut command = world.command("p", &[&["deps"], words].concat());
        if hub {
            command.env("DBT_PACKAGE_HUB_URL", &address);
        }
        said(command)
    };
    deps(&["--add-package", "acme/index@>=1.0.0,<2.0.0", "--lock"], false).fails(2, &["DVT1013", "DBT_PACKAGE_HUB_URL", "acme/index"]);
    deps(&["--lock"], true).ok();
    assert!(!world.path("p/dbt_packages").exists());
    let lock = std::fs::read_to_string(world.path("p/package-lock.yml")).unwrap();
    assert!(["- name: index\n    package: acme/index\n    version: 1.2.0", "- local: lib/local\n    name: local", "subdirectory: inside", "sha1_hash: "].iter().all(|w| lock.contains(w)), "{lock}");
    let said = deps(&[], true).ok();
    assert!(["Installing acme/index", "Installed from version 1.2.0", "Updated version available: 2.0.0"].iter().all(|w| said.out.contains(w)), "{}", said.out);
    assert_eq!(std::fs::read_to_string(world.path("p/package-lock.yml")).unwrap(), lock, "what is locked stays");
    world.dvt("p", &["run"]).ok();
    assert!(world.dvt("p", &["-q", "show", "-s", "m", "--output", "json"]).ok().out.contains("15"));
    deps(&["--add-package", "acme/index@3.0.0"], true).fails(2, &["no version of acme/index", "3.0.0", "1.2.0"]);
    let written = std::fs::read_to_string(world.path("p/packages.yml")).unwrap();
    assert_eq!(written.matches("acme/index").count(), 1, "{written}");
}

#[test]
fn retry_runs_only_what_failed_or_was_skipped() {
    let world = world(&[("models/a.sql", "select 1 as id"), ("models/b.sql", "select no_column from {{ ref('a') }}"), ("models/c.sql", "select * from {{ ref('b') }}")]);
    world.dvt("p", &["run", "--vars", "{x: 1}"]).fails(1, &["Failure in model b", "PASS=1 WARN=0 ERROR=1 SKIP=1 NO-OP=0 TOTAL=3"]);
    world.write("p/models/b.sql", "select {{ var('x') }} as id from {{ ref('a') }}");
    let said = world.dvt("p", &["retry"]).ok();
    assert!(said.out.contains("PASS=2") && said.out.contains("TOTAL=2") && !said.out.contains("dev.a"), "{}", said.out);
    let said = world.dvt("p", &["retry"]).ok();
    assert!(said.out.contains("Nothing to do"), "{}", said.out);
}

#[test]
fn what_is_not_selected_is_read_where_the_state_has_it_or_cloned_from_there() {
    let world = world(&[("models/a.sql", "{{ config(materialized='table') }} select 7 as id"), ("models/b.sql", "select id + 1 as id from {{ ref('a') }}")]);
    world.dvt("p", &["run", "--target", "prod", "--target-path", "prod"]).ok();
    world.dvt("p", &["run", "-s", "b"]).fails(1, &["Failure in model b"]);
    world.dvt("p", &["run", "-s", "b", "--defer"]).fails(2, &["--state"]);
    world.dvt("p", &["run", "-s", "b", "--defer", "--state", "prod"]).ok();
    let compiled = std::fs::read_to_string(world.path("p/target/compiled/p/models/b.sql")).unwrap();
    assert!(compiled.contains("prod"), "{compiled}");
    // What exists here counts, unless the state is favoured.
    world.dvt("p", &["run", "-s", "a"]).ok();
    assert!(world.dvt("p", &["-q", "compile", "-s", "b", "--defer", "--state", "prod"]).ok().out.contains("dev"));
    assert!(world.dvt("p", &["-q", "compile", "-s", "b", "--defer", "--favor-state", "--state", "prod"]).ok().out.contains("prod"));
    world.write("p/models/b.sql", "select id + 2 as id from {{ ref('a') }}");
    assert_eq!(world.dvt("p", &["-q", "ls", "-s", "state:modified", "--state", "prod"]).ok().out, "p.b\n");
    world.dvt("p", &["run-operation", "--sql", "drop table dev.a cascade"]).ok();
    world.dvt("p", &["clone", "--state", "prod", "-s", "a"]).ok();
    assert!(world.dvt("p", &["-q", "show", "--inline", "select id from dev.a", "--output", "json"]).ok().out.contains('7'));
}

#[test]
fn log_readers_get_dbts_events_with_codes_and_node_info() {
    let world = world(&[
        ("models/a.sql", "select 1 as id"),
        ("models/bad.sql", "select x"),
        ("models/s.yml", "models:\n  - name: a\n    columns:\n      - name: id\n        data_tests: [unique, {accepted_values: {arguments: {values: [2]}, config: {severity: warn}}}]\n"),
        ("seeds/s.csv", "id\n1\n"),
    ]);
    let said = world.dvt("p", &["--log-format", "json", "--log-level", "debug", "build"]);
    assert_eq!(said.code, 1, "{}", said.all());
    let all = events(&said);
    for (name, code, level) in [
        ("MainReportVersion", "A001", "info"), ("ConcurrencyLine", "Q027", "info"), ("NodeStart", "Q024", "debug"), ("LogStartLine", "Q011", "info"), ("LogModelResult", "Q012", "info"),
        ("LogSeedResult", "Q016", "info"), ("LogTestResult", "Q007", "info"), ("NodeFinished", "Q025", "debug"), ("FinishedRunningStats", "E047", "info"), ("RunResultFailure", "Z022", "error"),
        ("RunResultWarning", "Z021", "warn"), ("RunResultError", "Z024", "error"), ("CommandCompleted", "Q039", "debug"), ("SQLQuery", "E016", "debug"),
    ] {
        let found = named(&all, name);
        assert!(found.iter().any(|e| e["info"]["code"] == code && e["info"]["level"] == level), "{name}: {found:?}");
    }
    let start = named(&all, "NodeStart")[0];
    let info = &start["data"]["node_info"];
    for key in ["materialized", "meta", "node_checksum", "node_finished_at", "node_name", "node_path", "node_relation", "node_started_at", "node_status", "resource_type", "unique_id"] {
        assert!(info.get(key).is_some(), "{key}: {info}");
    }
    let stats = &named(&all, "StatsLine")[0]["data"]["stats"];
    assert_eq!((stats["pass"].as_u64(), stats["warn"].as_u64(), stats["error"].as_u64(), stats["total"].as_u64()), (Some(3), Some(1), Some(1), Some(5)));
    assert!(all.iter().all(|e| ["category", "code", "extra", "invocation_id", "level", "msg", "name", "pid", "thread", "ts"].iter().all(|k| e["info"].get(*k).is_some())));
    let listed = events(&world.dvt("p", &["--log-format", "json", "ls", "--resource-type", "model", "--output", "json"]).ok());
    let lines: Vec<Value> = named(&listed, "PrintEvent").iter().map(|e| serde_json::from_str(e["info"]["msg"].as_str().unwrap()).unwrap()).collect();
    assert_eq!(lines.iter().map(|l| l["unique_id"].as_str().unwrap()).collect::<Vec<_>>(), ["model.p.a", "model.p.bad"]);
}

#[test]
fn packages_land_in_a_folder_of_their_own_and_nowhere_else() {
    let world = world(&[("lib/dbt_project.yml", "name: lib\nversion: '1'\n"), ("packages.yml", "packages: [{local: lib}]\n")]);
    world.write("beside/kept.txt", "x");
    for path in ["..", "models/../..", ".", "models/.."] {
        world.write("p/dbt_project.yml", &format!("name: p\nprofile: p\nversion: '1'\npackages-install-path: {path}\n"));
        world.dvt("p", &["deps"]).fails(2, &["packages-install-path"]);
        assert!(world.path("beside/kept.txt").is_file() && world.path("p/packages.yml").is_file(), "{path}");
    }
    world.write("p/dbt_project.yml", "name: p\nprofile: p\nversion: '1'\n");
    world.write("p/lib/dbt_project.yml", "name: ../../escaped\nversion: '1'\n");
    world.dvt("p", &["deps"]).fails(2, &["calls itself `../../escaped`"]);
    assert!(!world.path("escaped").exists());
}

#[test]
fn a_test_keeps_its_failures_also_when_the_parse_was_kept_without() {
    let world = world(&[("models/a.sql", "select 1 as id union all select 1"), ("models/s.yml", "models: [{name: a, columns: [{name: id, data_tests: [unique]}]}]\n")]);
    world.dvt("p", &["build"]).fails(1, &["unique_a_id"]);
    world.dvt("p", &["test", "--store-failures"]).fails(1, &["dev_dbt_test__audit"]);
}

#[test]
fn a_schema_that_a_macro_does_not_name_is_left_out() {
    let world = world(&[("models/a.sql", "select 1 as id"), ("macros/m.sql", "{% macro generate_schema_name(name, node) %}{{ return(none) }}{% endmacro %}")]);
    world.dvt("p", &["parse"]).ok();
    let node = &json(&world, "p/target/manifest.json")["nodes"]["model.p.a"];
    assert_eq!(node["relation_name"], "\"wh\".\"a\"");
}

#[test]
fn options_come_from_the_line_then_the_environment_then_the_project() {
    let world = world(&[("models/a.sql", "select 1 as id"), ("dbt_project.yml", "name: p\nprofile: p\nversion: '1'\nflags: {indirect_selection: empty, log_format: json}\n")]);
    world.write("p/models/s.yml", "models: [{name: a, columns: [{name: id, data_tests: [unique]}]}]\n");
    let ls = |words: &[&str], env: &[(&str, &str)]| {
        let mut command = world.command("p", &[&["-q", "--log-format", "text", "ls", "-s", "a"], words].concat());
        command.envs(env.iter().copied());
        said(command).ok().out.lines().count()
    };
    assert_eq!(ls(&[], &[]), 1, "the project says empty");
    assert_eq!(ls(&[], &[("DBT_INDIRECT_SELECTION", "eager")]), 2);
    assert_eq!(ls(&[], &[("DBT_ENGINE_INDIRECT_SELECTION", "eager"), ("DBT_INDIRECT_SELECTION", "empty")]), 2);
    assert_eq!(ls(&["--indirect-selection", "empty"], &[("DBT_INDIRECT_SELECTION", "eager")]), 1);
    events(&world.dvt("p", &["run"]).ok());
    let mut odd = world.command("p", &["--log-format", "text", "parse"]);
    odd.env("DBT_ENGINE_NO_SUCH_THING", "1");
    said(odd).ok().fails(0, &["DBT_ENGINE_NO_SUCH_THING"]);
    for (words, code) in [(&["run", "-s", "none"][..], 0), (&["--warn-error", "run", "-s", "none"], 2), (&["run", "-s", "none", "--warn-error-options", "{error: [NoNodesForSelectionCriteria]}"], 2)] {
        world.dvt("p", words).fails(code, &["none"]);
    }
    // Short ones together, the last with a value.
    world.write("p/models/more.sql", "{{ config(materialized='incremental') }} select {{ 1 if flags.FULL_REFRESH else 0 }} as whole");
    world.dvt("p", &["run", "-s", "more"]).ok();
    let said = world.dvt("p", &["--log-format", "text", "run", "-qfs", "more"]).ok();
    assert!(!said.all().contains("Done."), "{}", said.all());
    let shown = world.dvt("p", &["-q", "--log-format", "text", "show", "--inline", "select count(*) as n, max(whole) as whole from {{ ref('more') }}", "--output", "json"]).ok();
    let shown: Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!((&shown["show"][0]["n"], &shown["show"][0]["whole"]), (&Value::from(1), &Value::from(1)), "{shown}");
    world.dvt("p", &["run", "--no-such-option"]).fails(2, &["--no-such-option"]);
    for wrong in ["columns: [{name: id, dimension: 5}]", "columns: [{name: id, entity: [time]}]", "derived_semantics: {dimensions: [1]}"] {
        world.write("p/models/t.yml", &format!("models: [{{name: more, semantic_model: true, {wrong}}}]\n"));
        world.dvt("p", &["--log-format", "text", "parse"]).fails(2, &["DVT1006", "models/t.yml"]);
    }
    for file in ["p/models/t.yml", "p/models/more.sql"] {
        std::fs::remove_file(world.path(file)).unwrap();
    }
    world.dvt("p", &["run", "-s", "tagg:x"]).fails(2, &["DVT2201", "did you mean `tag:`?"]);
    // The file has everything, whatever the console shows.
    world.dvt("p", &["--no-write-json", "-q", "--log-format", "text", "--log-format-file", "debug", "--log-path", "elsewhere", "run"]).ok();
    let log = std::fs::read_to_string(world.path("p/elsewhere/dbt.log")).unwrap();
    let line = log.lines().find(|l| !l.is_empty()).unwrap();
    assert!(line.starts_with(&"=".repeat(30)) && line.ends_with(&"=".repeat(30)) && line.contains(" | "), "{line}");
    assert!(log.contains("[debug] [Thread-") && log.contains("]: On dev: ") && log.contains("[info ] [MainThread]: Done. PASS=1"), "{log}");
}

#[test]
fn the_binary_under_the_name_of_dbt_says_dbts_version() {
    let world = world(&[]);
    let own = world.command("p", &[]);
    let program = world.path("dbt");
    std::fs::hard_link(own.get_program(), &program).or_else(|_| std::fs::copy(own.get_program(), &program).map(|_| ())).unwrap();
    let mut command = Command::new(&program);
    command.arg("--version").envs(std::env::var_os("LD_LIBRARY_PATH").map(|v| ("LD_LIBRARY_PATH", v)));
    assert!(said(command).ok().out.contains("installed: 1.12."));
}

#[test]
fn a_change_that_breaks_a_contract_is_warned_of_and_refused_where_it_is_a_version() {
    let schema = |plain: &str, version: &str| {
        format!(
            "models:
  - name: plain
    config: {{contract: {{enforced: true}}, materialized: table}}
    columns: [{{name: id, data_type: {plain}}}]
  - name: many
    latest_version: 1
    config: {{contract: {{enforced: true}}, materialized: table}}
    columns: [{{name: id, data_type: {version}}}]
    versions: [{{v: 1}}]
"
        )
    };
    let world = world(&[("models/plain.sql", "select 1 as id"), ("models/many_v1.sql", "select 1 as id"), ("models/s.yml", &schema("integer", "integer"))]);
    world.dvt("p", &["parse", "--target-path", "before"]).ok();
    let listed = ["ls", "-s", "state:modified.contract", "--state", "before", "--output", "name"];
    world.write("p/models/s.yml", &schema("bigint", "integer"));
    let said = world.dvt("p", &listed).ok();
    assert!(said.out.ends_with("plain\n") && said.all().contains("`plain` breaks the contract that the earlier state has: columns have another type: id (integer -> bigint)"), "{}", said.all());
    let strict: Vec<&str> = std::iter::once("--warn-error").chain(listed).collect();
    world.dvt("p", &strict).fails(2, &["`plain` breaks the contract"]);
    world.write("p/models/s.yml", &schema("integer", "bigint"));
    world.dvt("p", &listed).fails(2, &["`many` breaks the contract", "models/many_v1.sql", "in a new version"]);
}

#[test]
fn previews_and_lists_are_dbts() {
    let world = world(&[("models/a.sql", "select 1 as id"), ("models/b.sql", "select * from {{ ref('a') }}")]);
    let sql = "select 1.50::decimal(9,2) as d, 3::double as f, timestamp '2024-01-02 03:04:05.5' as t, 1::hugeint as h union all select 2.25, 4, null, 2 order by 1";
    let text = world.dvt("p", &["-q", "show", "--inline", sql]).ok().out;
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[2].starts_with("| 1.50 | 3 | 2024-01-02 03:04:05.5") && lines[3].starts_with("| 2.25 | 4 | "), "{text}");
    let shown: Value = serde_json::from_str(&world.dvt("p", &["-q", "show", "--inline", sql, "--output", "json"]).ok().out).unwrap();
    assert_eq!(shown, serde_json::json!({"show": [{"d": 1.5, "f": 3.0, "t": "2024-01-02T03:04:05.500000", "h": 1}, {"d": 2.25, "f": 4.0, "t": null, "h": 2}]}));
    let listed: Value = serde_json::from_str(&world.dvt("p", &["-q", "ls", "-s", "b", "--output", "json"]).ok().out).unwrap();
    assert_eq!(listed["direct_parents"], serde_json::json!(["model.p.a"]));
    // A path of the project file that no resource lies under is told by the name that dbt gives it.
    let project = std::fs::read_to_string(world.path("p/dbt_project.yml")).unwrap();
    world.write("p/dbt_project.yml", &format!("{project}models: {{p: {{nowhere: {{+tags: [x]}}}}}}\n"));
    assert!(world.dvt("p", &["parse"]).ok().all().contains("models.p.nowhere"));
    world.dvt("p", &["parse", "--warn-error-options", "{error: [UnusedResourceConfigPath]}"]).fails(2, &["models.p.nowhere"]);
}

#[test]
fn a_warning_of_a_template_has_a_name_and_counts_as_an_error_where_warnings_do() {
    let world = world(&[
        ("models/late.sql", "{% if execute %}{{ exceptions.warn('late news') }}{% endif %}select 1 as id"),
        ("models/early.sql", "{{ exceptions.warn('early news') }}select 1 as id"),
    ]);
    let said = world.dvt("p", &["run", "--log-format", "json"]).ok();
    let told: Vec<String> = named(&events(&said), "JinjaLogWarning").iter().map(|e| e["data"]["msg"].as_str().unwrap().to_owned()).collect();
    for news in ["late news", "early news"] {
        assert!(told.iter().any(|t| t.contains(news)), "{told:?}");
    }
    world.dvt("p", &["--warn-error", "run", "-s", "late"]).fails(2, &["early news"]);
    world.dvt("p", &["--warn-error-options", "{error: [JinjaLogWarning]}", "parse"]).fails(2, &["early news"]);
    std::fs::remove_file(world.path("p/models/early.sql")).unwrap();
    world.dvt("p", &["--warn-error", "run"]).fails(1, &["ERROR creating", "late news"]);
    world.dvt("p", &["--warn-error", "parse"]).ok();
    let silent = world.dvt("p", &["--warn-error", "--warn-error-options", "{silence: [JinjaLogWarning]}", "run"]).ok();
    assert!(!silent.all().contains("late news"), "{}", silent.all());
}

#[test]
fn nothing_without_its_group_reads_a_private_model() {
    let groups = "groups: [{name: g, owner: {name: G}}]\n";
    let private = "models: [{name: secret, config: {access: private, group: g}}]\n";
    let world = world(&[
        ("models/secret.sql", "select 1 as id"),
        ("models/mate.sql", "{{ config(group='g') }} select * from {{ ref('secret') }}"),
        ("models/p.yml", &format!("{groups}models: [{{name: secret, config: {{access: private, group: g}}, columns: [{{name: id, data_tests: [not_null]}}]}}]\n")),
    ]);
    // The group's own model, and a test declared on the model.
    world.dvt("p", &["parse"]).ok();
    world.write("p/tests/t.sql", "select * from {{ ref('secret') }} where id is null");
    world.dvt("p", &["parse"]).fails(2, &["DVT2014", "`t` may not read `secret`"]);
    std::fs::remove_file(world.path("p/tests/t.sql")).unwrap();
    world.write("p/models/e.yml", "exposures: [{name: board, type: dashboard, owner: {name: O, email: o@example.test}, depends_on: [ref('secret')]}]\n");
    world.dvt("p", &["parse"]).fails(2, &["DVT2014", "`board` may not read `secret`"]);
    std::fs::remove_file(world.path("p/models/e.yml")).unwrap();
    // Private to no group: nobody may read it.
    world.write("p/models/p.yml", &format!("{groups}{}", private.replace(", group: g", "")));
    world.write("p/models/mate.sql", "select * from {{ ref('secret') }}");
    world.dvt("p", &["parse"]).fails(2, &["DVT2014", "`mate` may not read `secret`: it is private, and belongs to no group"]);
}

#[test]
fn options_are_checked_wherever_they_come_from() {
    let world = world(&[("models/m.sql", "select 1 as id")]);
    world.dvt("p", &["run", "--event-time-start", "2024-01-01"]).fails(2, &["DVT6008", "without --event-time-end"]);
    world.dvt("p", &["run", "--event-time-end", "2024-01-01"]).fails(2, &["DVT6008", "without --event-time-start"]);
    world.dvt("p", &["run", "--event-time-start", "2024-01-02", "--event-time-end", "2024-01-01"]).fails(2, &["is not before"]);
    world.dvt("p", &["run", "--event-time-start", "soon", "--event-time-end", "2024-01-01"]).fails(2, &["`soon`, which is no moment"]);
    world.dvt("p", &["run", "--threads", "4294967297"]).fails(2, &["DVT6008", "4294967297"]);
    let with = |name: &str, value: &str, words: &[&str]| {
        let mut command = world.command("p", words);
        command.env(name, value);
        said(command)
    };
    with("DBT_LOG_LEVEL", "foo", &["parse"]).fails(2, &["DBT_LOG_LEVEL is `foo`", "debug, info"]);
    with("DBT_LOG_FORMAT", "foo", &["parse"]).fails(2, &["DBT_LOG_FORMAT is `foo`"]);
    with("DBT_RESOURCE_TYPES", "nope", &["ls"]).fails(2, &["DBT_RESOURCE_TYPES is `nope`"]);
    with("DBT_RESOURCE_TYPES", "model", &["ls"]).ok();
    with("DBT_LOG_LEVEL", "WARN", &["parse"]).ok();
    with("DBT_WARN_ERROR_OPTIONS", "xx", &["parse"]).fails(2, &["{error: all"]);
    world.write("p/old/manifest.json", "{\"metadata\": {}, \"nodes\": []}");
    world.dvt("p", &["ls", "-s", "state:modified", "--state", "old"]).fails(2, &["DVT2201", "`nodes` is no mapping"]);
}

#[test]
fn freshness_is_asked_by_the_projects_macro_and_an_empty_table_is_as_old_as_can_be() {
    let sources = "sources:
  - name: s
    schema: dev
    loaded_at_field: loaded
    freshness: {error_after: {count: 3, period: day}}
    tables: [{name: nothing}, {name: asked, freshness: {warn_after: {count: 1, period: day}}}]
";
    let made = "{% macro make() %}{% do run_query('create schema if not exists dev; create table dev.nothing (loaded timestamp); create table dev.asked as select now() as loaded') %}{% endmacro %}";
    let world = world(&[("models/sources.yml", sources), ("macros/make.sql", made)]);
    world.dvt("p", &["run-operation", "make"]).ok();
    world.dvt("p", &["source", "freshness"]).fails(1, &["ERROR STALE freshness of s.nothing", "PASS freshness of s.asked"]);
    let rows = json(&world, "p/target/sources.json")["results"].as_array().unwrap().clone();
    let row = rows.iter().find(|r| r["unique_id"] == "source.p.s.nothing").unwrap();
    assert_eq!((row["status"].as_str(), row["max_loaded_at"].as_str().map(|t| &t[..10])), (Some("error"), Some("0001-01-01")));
    let own = "{% macro collect_freshness(source, loaded_at_field, filter) %}{% call statement('f', fetch_result=True) %}select now() - interval 2 day, now() from {{ source }} limit 1{% endcall %}{{ return(load_result('f')) }}{% endmacro %}";
    world.write("p/macros/own.sql", own);
    world.dvt("p", &["source", "freshness", "-s", "source:s.asked"]).ok().fails(0, &["WARN freshness of s.asked"]);
}

#[test]
fn hooks_of_packages_have_the_ids_of_the_manifest_and_see_schemas_of_stored_failures() {
    let hooks = "name: p\nprofile: p\nversion: '1.0'\non-run-start: ['select 1', 'select 2']\non-run-end: [\"{{ log('schemas are ' ~ schemas, info=true) }}\"]\n";
    let world = world(&[
        ("models/m.sql", "select 1 as id"),
        ("models/m.yml", "models: [{name: m, columns: [{name: id, data_tests: [{not_null: {config: {store_failures: true}}}]}]}]\n"),
        ("dbt_packages/pkg/dbt_project.yml", "name: pkg\nversion: '1.0'\non-run-start: ['select 3']\n"),
        ("packages.yml", "packages: [{local: dbt_packages/pkg}]\n"),
    ]);
    world.write("p/dbt_project.yml", hooks);
    let said = world.dvt("p", &["build"]).ok();
    assert!(said.out.contains("dev_dbt_test__audit"), "{}", said.out);
    let ran: Vec<String> = json(&world, "p/target/run_results.json")["results"].as_array().unwrap().iter().map(|r| r["unique_id"].as_str().unwrap().to_owned()).filter(|id| id.starts_with("operation.")).collect();
    let known = json(&world, "p/target/manifest.json")["nodes"].clone();
    assert!(ran.contains(&"operation.pkg.pkg-on-run-start-0".to_owned()), "{ran:?}");
    for id in ran {
        assert!(known.get(&id).is_some(), "{id}");
    }
}

#[test]
fn columns_of_seeds_have_the_types_and_names_that_dbt_finds() {
    let csv = "whole,power,day,zulu,away,minute,part,big,code,a,a,\n1.0,1e5,2024-1-5,2024-01-01T00:00:00Z,2024-01-01T05:00:00+02:00,2024-01-01T10:00,1.5,3000000000,007x,1,2,3\n2.0,2e3,2024-12-15,2024-01-02T00:00:00Z,2024-01-02T05:00:00.5+02:00,2024-01-01T10:30:15,2,1,8,1,2,3\n";
    let world = world(&[("seeds/s.csv", csv)]);
    world.dvt("p", &["seed"]).ok();
    let shown = |sql: &str| world.dvt("p", &["-q", "show", "--limit", "50", "--inline", sql, "--output", "json"]).ok().out;
    let types = serde_json::from_str::<Value>(&shown("select column_name as n, data_type as t from information_schema.columns where table_name = 's' order by ordinal_position")).unwrap();
    let types: Vec<String> = types["show"].as_array().unwrap().iter().map(|r| format!("{} {}", r["n"].as_str().unwrap(), r["t"].as_str().unwrap())).collect();
    assert_eq!(
        types,
        [
            "whole INTEGER", "power INTEGER", "day DATE", "zulu TIMESTAMP", "away TIMESTAMP", "minute TIMESTAMP", "part DOUBLE", "big BIGINT", "code VARCHAR",
            "a INTEGER", "a_2 INTEGER", "l INTEGER"
        ]
    );
    let values = shown("select power || ' ' || day || ' ' || away || ' ' || minute as v from dev.s order by power");
    assert!(values.contains("2000 2024-12-15 2024-01-02 05:00:00.5 2024-01-01 10:30:15") && values.contains("100000 2024-01-05 2024-01-01 05:00:00 2024-01-01 10:00:00"), "{values}");
}

#[test]
fn what_dbt_warns_of_is_an_error_where_warnings_are() {
    let world = world(&[("models/m.sql", "select 1 as id")]);
    let project = |more: &str| world.write("p/dbt_project.yml", &format!("name: p\nprofile: p\nversion: '1.0'\n{more}"));
    world.dvt("p", &["--warn-error", "parse"]).ok();
    project("models:\n  p:\n    gone: {+materialized: table}\n    +enabled: true\nseeds: {p: {+enabled: true}}\n");
    world.dvt("p", &["parse"]).ok().fails(0, &["models.p.gone", "seeds.p"]);
    world.dvt("p", &["--warn-error", "parse"]).fails(2, &["models.p.gone"]);
    world.dvt("p", &["--warn-error-options", "{error: [UnusedResourceConfigPath]}", "parse"]).fails(2, &["models.p.gone"]);
    project("");
    world.write("p/models/reader.sql", "select * from {{ ref('m') }}");
    for (date, words) in [("2001-01-01", ["past its deprecation date", "`reader` reads `m`, which is past"]), ("2999-01-01", ["`reader` reads `m`", "will be deprecated on 2999-01-01"])] {
        world.write("p/models/m.yml", &format!("models: [{{name: m, deprecation_date: {date}}}]\n"));
        world.dvt("p", &["--warn-error", "parse"]).fails(2, &words);
        world.dvt("p", &["parse"]).ok();
    }
    world.write("p/models/m.yml", "models: [{name: m, config: {contract: {enforced: true}}, columns: [{name: id, data_type: integer, constraints: [{type: not_null}]}]}]\n");
    world.dvt("p", &["--warn-error", "parse"]).fails(2, &["`m` has constraints", "not for a view"]);
    std::fs::remove_file(world.path("p/models/m.yml")).unwrap();
    world.write("p/models/s.yml", "sources: [{name: s, freshness: {warn_after: {count: 1, period: day}}, tables: [{name: t}]}]\n");
    // As in dbt these two are never errors.
    world.write("p/models/batched.sql", "{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='at', batch_size='day', begin='2024-01-01') }} select * from {{ ref('m') }}");
    world.dvt("p", &["--warn-error", "parse"]).ok().fails(0, &["freshness of source `s.t`", "microbatch model `batched`"]);
    world.dvt("p", &["--warn-error", "ls", "-s", "none_such"]).fails(2, &["none_such"]);
    world.write("p/models/two words.sql", "select 1 as id");
    world.dvt("p", &["parse"]).fails(2, &["`two words` has a blank"]);
    project("flags: {require_resource_names_without_spaces: false}\n");
    world.dvt("p", &["parse"]).ok();
}

#[test]
fn a_retry_of_docs_builds_no_tables() {
    let world = world(&[("models/m.sql", "{{ config(materialized='table') }}{% if execute %}{{ exceptions.raise_compiler_error('not yet') }}{% endif %}select 1 as id")]);
    world.dvt("p", &["run"]).fails(1, &["not yet"]);
    // As dbt leaves it after `docs generate`, whose compiling failed.
    let mut results = json(&world, "p/target/run_results.json");
    results["args"]["which"] = "generate".into();
    world.write("p/target/run_results.json", &results.to_string());
    world.write("p/models/m.sql", "{{ config(materialized='table') }}select 1 as id");
    world.dvt("p", &["retry"]).ok();
    let shown = world.dvt("p", &["-q", "show", "--inline", "select count(*) as n from information_schema.tables where table_name = 'm'", "--output", "json"]).ok();
    assert!(shown.out.contains("\"n\": 0"), "{}", shown.out);
}
