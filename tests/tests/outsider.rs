//! Plugins that strangers would write (`tests/outsider`): a federated model through each, against the bundled adapter's answer;
//! the contract suite over every plugin; and the walk that plugins/README.md promises.
#![allow(clippy::unwrap_used, missing_docs)]

mod cli;
#[path = "../../host/engine/tests/servers/mod.rs"]
mod servers;

use cli::{Said, World, said};
use dvt_diagnostic::Code;
use dvt_plugin_host::Registry;
use dvt_tests::tpch;
use serde_json::Value;
use std::path::{Path, PathBuf};

const PASSWORD: &str = "no word of this anywhere";

/// Folder of built things, in which the test's own binary lies too.
fn target() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.parent().and_then(Path::parent).and_then(Path::parent).unwrap().to_path_buf()
}

fn outsiders() -> PathBuf {
    let folder = target().join("outsider-plugins");
    assert!(folder.is_dir(), "{} is missing: cargo xtask outsider (make test does it)", folder.display());
    folder
}

/// The binary with the outsider's plugins before the bundled ones.
fn dvt(world: &World, folder: &str, words: &[&str]) -> Said {
    let mut command = world.command(folder, words);
    command.env("DVT_PLUGIN_PATH", std::env::join_paths([outsiders(), target().join("plugins")]).unwrap());
    said(command)
}

/// The driver of the plugin whose driver is a shared library.
fn library(world: &World) {
    world.write("p/dbt_project.yml", "name: p\nprofile: p\nversion: '1'\n");
    let mut command = world.command("p", &["sync"]);
    command.env("DVT_PLUGIN_PATH", std::env::join_paths([outsiders(), target().join("plugins")]).unwrap());
    said({
        command.env("PIP_NO_INDEX", "1").env("PIP_FIND_LINKS", dvt_tests::wheels::folder());
        command
    })
    .ok();
}

fn statement(port: u16, sql: &str) {
    let config = format!("host=127.0.0.1 port={port} user=dvt dbname=postgres password='{PASSWORD}'");
    postgres::Client::connect(&config, postgres::NoTls).unwrap().batch_execute(sql).unwrap();
}

/// Has the server read its settings again; new sessions have them when this returns.
fn reload(port: u16) {
    let config = format!("host=127.0.0.1 port={port} user=dvt dbname=postgres password='{PASSWORD}'");
    let read_at = || -> std::time::SystemTime {
        postgres::Client::connect(&config, postgres::NoTls).unwrap().query_one("select pg_conf_load_time()", &[]).unwrap().get(0)
    };
    let before = read_at();
    statement(port, "select pg_reload_conf()");
    while read_at() == before {
        std::thread::yield_now();
    }
}

/// A server with SCRAM and TPC-H orders and lineitem, and a project that joins them with a SQLite file, into
/// tables of the server and of a DuckDB file.
fn world(port: u16) -> World {
    let world = World::new();
    let url = format!("host=127.0.0.1 port={port} user=dvt dbname=postgres password='{PASSWORD}'");
    tpch::postgres(&url, "public", &["orders", "lineitem"], 0.01).unwrap();
    std::fs::create_dir_all(world.path("p")).unwrap();
    tpch::sqlite(&world.path("p/crm.sqlite"), &["customer", "nation"], 0.01).unwrap();
    let output = |kind: &str| format!("    {kind}: {{type: {kind}, host: 127.0.0.1, port: {port}, user: dvt, password: \"{PASSWORD}\", dbname: postgres, schema: public, threads: 2}}\n");
    let outputs: String = ["postgres", "pgwire", "nearpg", "nearpg_extism", "pgadbc"].iter().map(|k| output(k)).collect();
    world.write(
        "home/profiles.yml",
        &format!("p:\n  target: wh\n  outputs:\n{outputs}    wh: {{type: duckdb, path: wh.duckdb, threads: 2}}\n    crm: {{type: sqlite, schemas_and_paths: {{main: crm.sqlite}}, schema: main}}\n"),
    );
    library(&world);
    world.write(
        "p/models/sources.yml",
        "sources:\n  - {name: pg, connection: \"{{ var('kind') }}\", schema: public, tables: [{name: orders}, {name: lineitem}]}\n  - {name: crm, connection: crm, schema: main, tables: [{name: customer}, {name: nation}]}\n",
    );
    let joined = "select n.n_name, count(*) as lines, sum(l.l_extendedprice * (1 - l.l_discount)) as revenue, min(o.o_orderdate) as first_day, max(o.o_comment) as comment from {{ source('crm', 'customer') }} c join {{ source('crm', 'nation') }} n on n.n_nationkey = c.c_nationkey join {{ source('pg', 'orders') }} o on o.o_custkey = c.c_custkey join {{ source('pg', 'lineitem') }} l on l.l_orderkey = o.o_orderkey where l.l_shipdate < date '1998-01-01' group by 1";
    world.write("p/models/to_file.sql", &format!("{{{{ config(materialized='table') }}}}\n{joined}\n"));
    world.write("p/models/to_server.sql", &format!("{{{{ config(materialized='table', dialect='duckdb', target=var('kind'), alias='to_server_' ~ var('kind')) }}}}\n{joined}\n"));
    world.write("p/models/grown.sql", "{{ config(materialized='incremental', dialect='duckdb', unique_key='o_orderkey', target=var('kind'), alias='grown_' ~ var('kind')) }}\nselect o.o_orderkey, o.o_orderdate, c.c_name from {{ source('pg', 'orders') }} o join {{ source('crm', 'customer') }} c on c.c_custkey = o.o_custkey {% if is_incremental() %} where o.o_orderdate > (select max(o_orderdate) from {{ this }}) {% endif %}\n");
    world.write("p/models/plain.sql", "{{ config(materialized='view', target=var('kind'), alias='plain_' ~ var('kind')) }}\nselect o_orderkey, o_totalprice from {{ source('pg', 'orders') }} where o_orderkey < 100\n");
    world
}

fn rows(world: &World, kind: &str, sql: &str) -> Vec<String> {
    let vars = format!("kind: {kind}");
    let out = dvt(world, "p", &["-q", "show", "--vars", &vars, "--inline", sql, "--output", "json", "--limit", "-1"]).ok().out;
    let shown: Value = serde_json::from_str(&out).unwrap();
    shown["show"].as_array().unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn a_federated_model_runs_through_each_outsider_as_through_the_bundled_adapter() {
    let server = servers::PostgresServer::start_with_passwords(PASSWORD);
    let world = world(server.port);
    let mut answers: Vec<(String, Vec<Vec<String>>)> = Vec::new();
    for kind in ["postgres", "pgwire", "nearpg", "nearpg_extism", "pgadbc"] {
        let vars = format!("kind: {kind}");
        for words in [&["run", "--vars", &vars][..], &["run", "--vars", &vars, "-s", "grown"], &["run", "--vars", &vars, "--no-pushdown", "-s", "to_file"]] {
            let told = dvt(&world, "p", words).ok().all();
            assert!(told.contains("[federation]") && !told.contains(PASSWORD), "{kind}: {told}");
        }
        let ordered = |model: &str, key: &str| rows(&world, kind, &format!("select * from {{{{ ref('{model}') }}}} order by {key}"));
        answers.push((kind.to_owned(), vec![ordered("to_file", "n_name"), ordered("to_server", "n_name"), ordered("grown", "o_orderkey"), ordered("plain", "o_orderkey")]));
    }
    let (_, native) = &answers[0];
    assert!(native.iter().all(|rows| rows.len() > 20), "{native:?}");
    for (kind, answer) in &answers[1..] {
        assert_eq!(answer, native, "{kind}");
    }
    // The password is nowhere: neither in what was written nor in what was kept.
    let mut folders = vec![world.path("p"), world.home()];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|n| n != "profiles.yml") {
                let bytes = std::fs::read(&path).unwrap();
                assert!(!bytes.windows(PASSWORD.len()).any(|w| w == PASSWORD.as_bytes()), "{} holds the password", path.display());
            }
        }
    }
}

/// A sheet may not know where its server says how many rows a query gives; after one run it is known.
#[test]
fn what_a_source_cannot_say_is_known_from_the_run_before() {
    let server = servers::PostgresServer::start_with_passwords(PASSWORD);
    let world = world(server.port);
    world.write("p/models/theirs.sql", "{{ config(materialized='table') }}\nselect o.o_orderkey, c.c_name from {{ source('crm', 'customer') }} c join {{ source('pg', 'orders') }} o on o.o_custkey = c.c_custkey where c.c_name in ('Customer#000000001', 'Customer#000000004') and o.o_orderkey > 8\n");
    let run = || {
        dvt(&world, "p", &["run", "-s", "theirs", "--vars", "{kind: nearpg}"]).ok();
        let results: Value = serde_json::from_str(&std::fs::read_to_string(world.path("p/target/run_results.json")).unwrap()).unwrap();
        let moved = results["results"][0]["adapter_response"]["dvt_moved"].as_array().unwrap().clone();
        let orders = moved.iter().find(|m| m["relation"] == "orders").unwrap()["rows"].as_u64().unwrap();
        (orders, rows(&world, "nearpg", "select * from {{ ref('theirs') }} order by 1"))
    };
    let (first, again) = (run(), run());
    assert!(first.0 > 10_000 && again.0 < 200, "{} and {} rows", first.0, again.0);
    assert_eq!((first.1.len() as u64, &first.1), (again.0, &again.1));
}

#[test]
fn a_wire_plugin_tells_the_servers_words_and_codes() {
    let server = servers::PostgresServer::start_with_passwords(PASSWORD);
    let world = world(server.port);
    let run = |model: &str, sql: &str| {
        world.write(&format!("p/models/{model}.sql"), sql);
        dvt(&world, "p", &["run", "--vars", "kind: pgwire", "-s", model])
    };
    run("gone", "{{ config(materialized='table', target='pgwire') }} select * from public.no_such_table").fails(1, &["no_such_table", "DVT4001"]);
    run("divided", "{{ config(materialized='table', target='pgwire') }} select 1 / (o_orderkey - o_orderkey) as x from {{ source('pg', 'orders') }}").fails(1, &["division by zero", "DVT5104"]);
    // A server that wants the password itself does not get it.
    statement(server.port, "set password_encryption = 'md5'; create user old password 'x'");
    let conf = server_file(server.port, "hba_file");
    let text = std::fs::read_to_string(&conf).unwrap();
    std::fs::write(&conf, format!("host all old 127.0.0.1/32 md5\n{text}")).unwrap();
    reload(server.port);
    let profiles = std::fs::read_to_string(world.path("home/profiles.yml")).unwrap();
    world.write("home/profiles.yml", &profiles.replace("type: pgwire, host: 127.0.0.1, port", "type: pgwire, host: 127.0.0.1, user_was: dvt, port").replace(&format!("user_was: dvt, port: {}, user: dvt", server.port), &format!("port: {}, user: old", server.port)));
    run("plain_old", "{{ config(materialized='table', target='pgwire') }} select 1 as x").fails(1, &["md5", "DVT5102", "scram"]);
    world.write("home/profiles.yml", &profiles.replacen(PASSWORD, PASSWORD, 1).replace("type: pgwire, host: 127.0.0.1, port", &format!("type: pgwire, sslmode: require, host: 127.0.0.1, port")));
    run("clear", "{{ config(materialized='table', target='pgwire') }} select 1 as x").fails(1, &["TLS", "DVT5101"]);
}

fn server_file(port: u16, setting: &str) -> PathBuf {
    let config = format!("host=127.0.0.1 port={port} user=dvt dbname=postgres password='{PASSWORD}'");
    let row = postgres::Client::connect(&config, postgres::NoTls).unwrap().query_one(&format!("show {setting}"), &[]).unwrap();
    PathBuf::from(row.get::<_, String>(0))
}

#[test]
fn a_wire_plugin_is_encrypted_by_the_host_which_trusts_whom_the_profile_trusts() {
    let server = servers::PostgresServer::start_with_passwords(PASSWORD);
    let world = World::new();
    let data = server_file(server.port, "data_directory");
    let folder = data.to_str().unwrap();
    // The server reads its key as the user that it runs as.
    let make = format!(
        "openssl req -new -x509 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE -keyout {folder}/server.key -out {folder}/server.crt && chmod 600 {folder}/server.key && chown --reference={folder} {folder}/server.key {folder}/server.crt && cp {folder}/server.crt {root}",
        root = world.path("root.crt").display()
    );
    let made = std::process::Command::new("sh").args(["-c", &make]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    statement(server.port, "alter system set ssl = on");
    reload(server.port);
    std::fs::create_dir_all(world.path("p/models")).unwrap();
    world.write("p/dbt_project.yml", "name: p\nprofile: p\nversion: '1'\n");
    let profile = |host: &str, more: &str| {
        world.write("home/profiles.yml", &format!("p:\n  target: t\n  outputs:\n    t: {{type: pgwire, host: {host}, port: {}, user: dvt, password: \"{PASSWORD}\", dbname: postgres, schema: public, {more}}}\n", server.port));
    };
    let sql = "select ssl::text as encrypted, (select version from pg_stat_ssl where pid = pg_backend_pid()) as version from pg_stat_ssl where pid = pg_backend_pid()";
    let ask = || dvt(&world, "p", &["-q", "show", "--inline", sql, "--output", "json"]);
    let root = format!("sslmode: verify-full, sslrootcert: {}", world.path("root.crt").display());
    for more in ["sslmode: require", &root] {
        profile("localhost", more);
        let told = ask().ok().out;
        assert!(told.contains("TLSv1.3") && told.contains("true"), "{more}: {told}");
    }
    // Another name than the certificate's, and another authority, are refused.
    profile("127.0.0.1", &root);
    ask().fails(2, &["TLS", "DVT5101"]);
    profile("localhost", "sslmode: verify-full");
    ask().fails(2, &["TLS", "DVT5101"]);
    // A wrong password is the server's word, not a crash.
    let wrong = std::fs::read_to_string(world.path("home/profiles.yml")).unwrap().replace(PASSWORD, "wrong").replace("verify-full", "require");
    world.write("home/profiles.yml", &wrong);
    ask().fails(2, &["DVT5102", "password"]);
}

#[test]
fn every_plugin_keeps_the_contract() {
    let world = World::new();
    std::fs::create_dir_all(world.path("p")).unwrap();
    let files = |folder: &Path| -> Vec<PathBuf> {
        let all = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
        all.filter(|p| p.extension().is_some_and(|e| e == "wasm")).collect()
    };
    let (bundled, own) = (files(&target().join("plugins")), files(&outsiders()));
    assert!(bundled.len() >= 4 && own.len() == 5, "{bundled:?} {own:?}");
    for file in bundled.iter().chain(&own) {
        let told = dvt(&world, "p", &["plugin", "test", file.to_str().unwrap()]).ok().out;
        assert!(told.contains(", 0 failed") && !told.contains("FAIL"), "{told}");
    }
    // What is no plugin, or is of a plugin's shape and wrong, fails the suite and not the program.
    world.write("p/junk.wasm", "junk");
    dvt(&world, "p", &["plugin", "test", "junk.wasm"]).fails(1, &["FAIL", "DVT5002"]);
    dvt(&world, "p", &["plugin", "test", "absent.wasm"]).fails(1, &["FAIL"]);
}

#[test]
fn sessions_keep_the_contract_on_real_targets() {
    let server = servers::PostgresServer::start_with_passwords(PASSWORD);
    let world = World::new();
    std::fs::create_dir_all(world.path("p")).unwrap();
    let kinds = [("postgres", "plugins/postgres"), ("pgadbc", "outsider-plugins/adbc-postgres"), ("pgwire", "outsider-plugins/wire-postgres"), ("nearpg", "outsider-plugins/extends-sheet"), ("nearpg_extism", "outsider-plugins/extism-sheet")];
    let output = |kind: &str| format!("    {kind}: {{type: {kind}, host: 127.0.0.1, port: {}, user: dvt, password: \"{PASSWORD}\", dbname: postgres, schema: public}}\n", server.port);
    let outputs: String = kinds.iter().map(|(kind, _)| output(kind)).collect();
    world.write("home/profiles.yml", &format!("p:\n  target: duckdb\n  outputs:\n{outputs}    duckdb: {{type: duckdb, path: x.duckdb}}\n    sqlite: {{type: sqlite, schemas_and_paths: {{main: x.db}}, schema: main}}\n"));
    library(&world);
    for (kind, file) in kinds.into_iter().chain([("duckdb", "plugins/duckdb"), ("sqlite", "plugins/sqlite")]) {
        let file = target().join(format!("{file}.wasm"));
        let told = dvt(&world, "p", &["plugin", "test", file.to_str().unwrap(), "--profile", "p", "--target", kind]).ok().out;
        assert!(told.contains("a running query can be cancelled") && told.contains(", 0 failed"), "{kind}: {told}");
    }
    // Nothing is left behind: no table, no session.
    let config = format!("host=127.0.0.1 port={} user=dvt dbname=postgres password='{PASSWORD}'", server.port);
    let mut client = postgres::Client::connect(&config, postgres::NoTls).unwrap();
    let left: Vec<String> = client.query("select relname::text from pg_class where relname like 'dvt_contract_%\\_types'", &[]).unwrap().iter().map(|r| r.get(0)).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn nothing_of_the_host_or_the_planner_names_an_outsider() {
    let own = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap());
    let root = own.parent().unwrap();
    let mut folders = vec![root.join("host"), root.join("planner-wasm")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs" || e == "toml") && !path.ends_with("xtask/src/plugins.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(!["pgwire", "nearpg", "pgadbc", "wire-postgres"].iter().any(|name| text.contains(name)), "{}", path.display());
            }
        }
    }
}

#[test]
fn a_sheet_that_extends_another_is_whole_and_one_without_its_base_is_told() {
    let alone = tempfile::tempdir().unwrap();
    std::fs::copy(outsiders().join("extends-sheet.wasm"), alone.path().join("e.wasm")).unwrap();
    let error = Registry::load(&[alone.path().to_owned()], None).0.adapter("nearpg").unwrap_err();
    assert!(error.code == Code::Dialect && error.message.contains("`postgres`") && error.hint.is_some(), "{error}");
    let (registry, _) = Registry::load(&[alone.path().to_owned(), target().join("plugins")], None);
    let (own, base) = (registry.adapter("nearpg").unwrap(), registry.adapter("postgres").unwrap());
    assert_eq!((own.sheet().parser.as_str(), own.sheet().name.as_str()), (base.sheet().parser.as_str(), "nearpg"));
    assert_eq!(own.adapter_facts().default_schema.as_deref(), Some("main"));
    assert_eq!(own.adapter_facts().dispatch_parents, ["postgres"]);
    assert_eq!(own.sheet().compare.len(), base.sheet().compare.len());
    assert!(own.sheet_text().contains("postgresql") && !own.sheet_text().contains("extends"));
}

/// The commands of the page: the lines of its `sh` blocks, and the files that it says to write.
fn page() -> (Vec<String>, Vec<(String, String)>) {
    let text = std::fs::read_to_string(PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../plugins/README.md")).unwrap();
    let walk = text.split("## From nothing to a run").nth(1).unwrap().split("\n## ").next().unwrap();
    let (mut commands, mut files) = (Vec::new(), Vec::new());
    let mut blocks = walk.split("```");
    let mut before = blocks.next().unwrap_or_default();
    while let Some(block) = blocks.next() {
        let (kind, body) = block.split_once('\n').unwrap();
        if kind == "sh" {
            commands.extend(body.lines().filter(|l| !l.is_empty()).map(str::to_owned));
        } else {
            // The file's name stands in backticks at the end of the line before.
            let name = before.trim().trim_end_matches(':').rsplit('`').nth(1).unwrap().to_owned();
            commands.push(format!("write {name}"));
            files.push((name, body.to_owned()));
        }
        before = blocks.next().unwrap_or_default();
    }
    (commands, files)
}

#[test]
fn the_page_leads_from_nothing_to_a_run() {
    let world = World::new();
    world.write("user/.keep", "");
    std::fs::create_dir_all(world.path("walk")).unwrap();
    let (commands, files) = page();
    assert!(commands.len() >= 8 && files.len() >= 3, "{commands:?}");
    let build = target().join("outsider");
    let mut folder = world.path("walk");
    let mut said_all = String::new();
    for line in &commands {
        if let Some(to) = line.strip_prefix("cd ") {
            folder = folder.join(to).canonicalize().unwrap();
            continue;
        }
        if let Some(name) = line.strip_prefix("write ") {
            let (_, text) = files.iter().find(|(n, _)| n == name).unwrap();
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
            continue;
        }
        // A person's shell: the program on the path, the compiler's own folders, nothing of this repository.
        let command = world.command("walk", &[]);
        let path = command.get_envs().find(|(k, _)| *k == "PATH").and_then(|(_, v)| v.map(std::ffi::OsStr::to_owned)).unwrap();
        let mut shell = std::process::Command::new("sh");
        shell.args(["-ec", line]).current_dir(&folder).env_clear().envs(command.get_envs().filter_map(|(k, v)| Some((k.to_owned(), v?.to_owned()))));
        let home = PathBuf::from(std::env::var_os("HOME").unwrap());
        for (name, usual) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
            shell.env(name, std::env::var_os(name).unwrap_or_else(|| home.join(usual).into_os_string()));
        }
        shell.env("PATH", std::env::join_paths(std::iter::once(target().join("release")).chain(std::env::split_paths(&path))).unwrap());
        // Built things are kept between runs of the test; the page's own folder is a link to them.
        if line.starts_with("cargo ") {
            std::fs::create_dir_all(&build).unwrap();
            if !folder.join("target").exists() {
                std::os::unix::fs::symlink(&build, folder.join("target")).unwrap();
            }
        }
        let told = said(shell);
        assert_eq!(told.code, 0, "`{line}` in {}:\n{}", folder.display(), told.all());
        said_all += &told.all();
    }
    assert!(said_all.contains(", 0 failed") && said_all.contains("Done. PASS=") && said_all.contains("[federation]"), "{said_all}");
}

#[test]
fn a_new_plugin_of_each_kind_builds_packs_and_keeps_the_contract() {
    let world = World::new();
    std::fs::create_dir_all(world.path("w")).unwrap();
    dvt(&world, "w", &["plugin", "new", "Not-A-Name"]).fails(2, &["lower-case"]);
    for kind in ["wire", "compute"] {
        let name = format!("own_{kind}");
        dvt(&world, "w", &["plugin", "new", &name, "--kind", kind]).ok();
        dvt(&world, "w", &["plugin", "new", &name]).fails(2, &["exists"]);
        let mut cargo = std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "-q", "--ignore-rust-version", "--release", "--target", "wasm32-unknown-unknown"]).current_dir(world.path(&format!("w/{name}")));
        // Beside the outsiders: what they have in common is built once.
        let built = target().join("outsider");
        let told = said({
            cargo.env("CARGO_TARGET_DIR", &built);
            cargo
        });
        assert_eq!(told.code, 0, "{}", told.all());
        let module = built.join(format!("wasm32-unknown-unknown/release/{name}.wasm"));
        let words = ["plugin", "pack", module.to_str().unwrap(), "plugin.json", "-o", "own.wasm"];
        dvt(&world, &format!("w/{name}"), &words).ok();
        dvt(&world, &format!("w/{name}"), &["plugin", "test", "own.wasm"]).ok();
        dvt(&world, &format!("w/{name}"), &["plugin", "pack", "own.wasm", "plugin.json", "-o", "twice.wasm"]).fails(2, &["manifest already"]);
    }
}
