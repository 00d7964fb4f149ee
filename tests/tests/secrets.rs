//! Secrets of a profile are in nothing that dvt says, writes, keeps or passes to a plugin, in no spelling.
//!
//! Every secret is a marker of its own. After each command everything that was said and every file below the test's
//! folder, but the profile itself, is searched for each marker as it is and as base64, hex, percent or JSON would write it.
#![allow(clippy::unwrap_used, missing_docs)]

mod cli;
#[path = "../../host/engine/tests/servers/mod.rs"]
mod servers;

use cli::World;
use std::path::Path;

/// Characters that encodings change, so that an encoded marker differs from the plain one.
const PASSWORD: &str = "Pw7xQ/zanzibar+\"9\\é=k";
const FROM_ENV: &str = "En4vW/quagga+\"3\\ü=m";
const IN_URL: &str = "Ur1kT-okapi-5-dq";
const IN_DSN: &str = "Ds9nB-bongo-2-xv";
const KEY_LINE: &str = "MIIEkudu8fakeGnuKeyLine";
const UNUSED: &str = "Un2uZ/nyala+\"6\\ä=r";
const ALL: [&str; 6] = [PASSWORD, FROM_ENV, IN_URL, IN_DSN, KEY_LINE, UNUSED];

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let number = chunk.iter().fold(0_u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..=chunk.len() {
            out.push(char::from(LETTERS[(number >> (18 - 6 * i) & 63) as usize]));
        }
    }
    out
}

/// What a marker may look like; base64 in each of its three places within a longer text, without the ends that its
/// neighbours decide.
fn spellings(marker: &str) -> Vec<String> {
    let mut out = vec![marker.to_owned()];
    let escaped = serde_json::to_string(marker).unwrap();
    out.push(escaped.trim_matches('"').to_owned());
    let ascii: String = marker.chars().map(|c| if c.is_ascii() { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) }).collect();
    out.push(ascii.replace('"', "\\\""));
    out.push(marker.escape_debug().to_string());
    out.push(marker.escape_default().to_string());
    for upper in [true, false] {
        let hex = |b: &u8| if upper { format!("{b:02X}") } else { format!("{b:02x}") };
        out.push(marker.bytes().map(|b| hex(&b)).collect());
        let percent = |b: u8| if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) { char::from(b).to_string() } else { format!("%{}", hex(&b)) };
        out.push(marker.bytes().map(percent).collect());
    }
    for before in 0..3 {
        let shifted = [vec![b'x'; before], marker.as_bytes().to_vec()].concat();
        let text = base64(&shifted);
        let inner = &text[(before * 8).div_ceil(6)..text.len() - 2];
        out.push(inner.to_owned());
        out.push(inner.replace('+', "-").replace('/', "_"));
    }
    out.push(marker.replace('\'', "''"));
    out.sort();
    out.dedup();
    out
}

#[test]
fn the_search_finds_every_spelling() {
    assert_eq!(base64(b"any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcw");
    let found = |text: &str| spellings(PASSWORD).iter().any(|s| text.contains(s.as_str()));
    for before in ["", "a", "ab"] {
        assert!(found(&base64(format!("{before}{PASSWORD}tail").as_bytes())));
    }
    assert!(found(&serde_json::json!({"k": format!("x{PASSWORD}y")}).to_string()));
    assert!(found(&format!("{:?}", format!("x{PASSWORD}y"))));
    assert!(!found("zanzibar"));
}

fn search(what: &str, place: &str, bytes: &[u8]) {
    for marker in ALL {
        for spelling in spellings(marker) {
            let needle = spelling.as_bytes();
            assert!(!bytes.windows(needle.len()).any(|w| w == needle), "{what}: {place} holds the secret `{marker}` as `{spelling}`:\n{}", String::from_utf8_lossy(bytes));
        }
    }
}

fn search_files(what: &str, folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search_files(what, &path);
        } else if !path.ends_with("profiles.yml") && path.extension().is_none_or(|e| e != "so" && e != "wasm") {
            search(what, &path.display().to_string(), &std::fs::read(&path).unwrap());
        }
    }
}

/// Runs the command, whatever its end, and searches what it said and left.
fn run(world: &World, words: &[&str]) -> cli::Said {
    let mut command = world.command("p", words);
    command.env("DBT_ENV_SECRET_PG", FROM_ENV).env("DBT_ENV_SECRET_UNUSED", UNUSED).env("RUST_BACKTRACE", "full");
    let said = cli::said(command);
    let what = words.join(" ");
    search(&what, "stdout", said.out.as_bytes());
    search(&what, "stderr", said.err.as_bytes());
    search_files(&what, world.folder.path());
    said
}

/// A module in Extism's way whose every answer is an error that tells, in hex, all it was passed.
fn echo() -> Vec<u8> {
    let exports = ["adapter_connect", "adapter_catalog_sql", "adapter_list_sql", "adapter_map_native", "adapter_ddl_types", "adapter_capabilities"];
    let functions: String = exports.iter().map(|name| format!("(func (export \"{name}\") (result i32) (call $echo) (i32.const 0))\n")).collect();
    let head = r#"{"error": {"code": "DVT5103", "message": "passed "#;
    let (tail, sheet) = (r#""}}"#, r#""name = \"echo\"\nparser = \"generic\"\nquote = ['`', '`']\n""#);
    let macros = r#"{"dbt_project.yml": "name: dbt_echo"}"#;
    let bytes = |text: &str| text.bytes().map(|b| format!("\\{b:02x}")).collect::<String>();
    let text = format!(
        r#"(module
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
  (import "extism:host/env" "output_set" (func $output (param i64 i64)))
  (import "extism:host/env" "input_length" (func $length (result i64)))
  (import "extism:host/env" "input_load_u8" (func $load (param i64) (result i32)))
  (memory 4)
  (data (i32.const 16) "{}{}{}{}")
  (func $copy (param $to i64) (param $from i32) (param $len i32) (local $i i32)
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $i) (local.get $len)))
      (call $store (i64.add (local.get $to) (i64.extend_i32_u (local.get $i))) (i32.load8_u (i32.add (local.get $from) (local.get $i))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $next))))
  (func $say (param $from i32) (param $len i32) (local $to i64)
    (local.set $to (call $alloc (i64.extend_i32_u (local.get $len))))
    (call $copy (local.get $to) (local.get $from) (local.get $len))
    (call $output (local.get $to) (i64.extend_i32_u (local.get $len))))
  (func $digit (param $n i32) (result i32)
    (select (i32.add (local.get $n) (i32.const 48)) (i32.add (local.get $n) (i32.const 87)) (i32.lt_u (local.get $n) (i32.const 10))))
  (func $echo (local $to i64) (local $at i64) (local $size i64) (local $i i64) (local $byte i32)
    (local.set $size (i64.add (i64.mul (call $length) (i64.const 2)) (i64.const {})))
    (local.set $to (call $alloc (local.get $size)))
    (call $copy (local.get $to) (i32.const 16) (i32.const {}))
    (local.set $at (i64.add (local.get $to) (i64.const {})))
    (block $done (loop $next
      (br_if $done (i64.ge_u (local.get $i) (call $length)))
      (local.set $byte (call $load (local.get $i)))
      (call $store (local.get $at) (call $digit (i32.shr_u (local.get $byte) (i32.const 4))))
      (call $store (i64.add (local.get $at) (i64.const 1)) (call $digit (i32.and (local.get $byte) (i32.const 15))))
      (local.set $at (i64.add (local.get $at) (i64.const 2)))
      (local.set $i (i64.add (local.get $i) (i64.const 1)))
      (br $next)))
    (call $copy (local.get $at) (i32.const {}) (i32.const {}))
    (call $output (local.get $to) (local.get $size)))
  (func (export "dialect_sheet") (result i32) (call $say (i32.const {}) (i32.const {})) (i32.const 0))
  (func (export "dialect_macros") (result i32) (call $say (i32.const {}) (i32.const {})) (i32.const 0))
  {functions})"#,
        bytes(head),
        bytes(tail),
        bytes(sheet),
        bytes(macros),
        head.len() + tail.len(),
        head.len(),
        head.len(),
        16 + head.len(),
        tail.len(),
        16 + head.len() + tail.len(),
        sheet.len(),
        16 + head.len() + tail.len() + sheet.len(),
        macros.len(),
    );
    let mut module = wat::parse_str(text).unwrap();
    let manifest = r#"{"id": "echo", "version": "1.0.0", "contract": "0.1.0", "kind": "adapter", "types": ["echo"], "permissions": []}"#;
    let body = [&[12], b"dvt:manifest".as_slice(), manifest.as_bytes()].concat();
    assert!(body.len() < 1 << 14);
    module.extend([0, (body.len() & 0x7f) as u8 | 0x80, (body.len() >> 7) as u8]);
    module.extend(body);
    module
}

fn yaml(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// One output for each way to be wrong, one that works, and one whose plugin tells what it is passed.
fn world(guarded: u16, nobody: u16) -> World {
    let world = World::new();
    let pg = |name: &str, port: u16, more: &str| format!("    {name}: {{type: postgres, host: 127.0.0.1, port: {port}, user: dvt, dbname: postgres, schema: out, {more}}}\n");
    let key = format!("-----BEGIN PRIVATE KEY-----\n{KEY_LINE}\n-----END PRIVATE KEY-----\n");
    let outputs = [
        pg("good", guarded, &format!("password: {}", yaml(PASSWORD))),
        pg("wrong", guarded, "password: \"{{ env_var('DBT_ENV_SECRET_PG') }}\""),
        pg("down", nobody, &format!("pass: {}, private_key: {}", yaml(PASSWORD), yaml(&key))),
        pg("keyed", guarded, &format!("password: {}, sslmode: verify-full, sslrootcert: /nowhere/ca.pem", yaml(PASSWORD))),
        format!("    address: {{type: postgres, host: 'postgresql://dvt:{IN_URL}@127.0.0.1:{guarded}/postgres', user: dvt, dbname: postgres, schema: out}}\n"),
        format!("    words: {{type: postgres, host: 127.0.0.1, port: {nobody}, user: dvt, dbname: postgres, schema: out, dsn: 'host=127.0.0.1 user=dvt password={IN_DSN}'}}\n"),
        format!(
            "    echo: {{type: echo, host: h, user: u, schema: s, password: {}, token: {}, private_key: {}, plain: \"{{{{ env_var('DBT_ENV_SECRET_PG') }}}}\", url: 'https://u:{IN_URL}@h/x', dsn: 'a=b password={IN_DSN} c=d'}}\n",
            yaml(PASSWORD),
            yaml(PASSWORD),
            yaml(&key)
        ),
    ];
    world.write("home/profiles.yml", &format!("p:\n  target: good\n  outputs:\n{}", outputs.concat()));
    world.write("p/dbt_project.yml", "name: p\nprofile: p\n");
    world.write("p/seeds/s.csv", "id\n1\n2\n");
    for target in ["good", "wrong", "down", "keyed", "address", "words", "echo"] {
        world.write(&format!("p/models/on_{target}.sql"), &format!("{{{{ config(target='{target}', materialized='table') }}}} select '{{{{ target | tojson }}}}' as t"));
    }
    world.write("p/models/joined.sql", "{{ config(materialized='table', dialect='duckdb') }} select a.id from {{ ref('s') }} a join {{ ref('on_wrong') }} b on true");
    std::fs::create_dir_all(world.path("p/plugins")).unwrap();
    std::fs::write(world.path("p/plugins/echo.wasm"), echo()).unwrap();
    world
}

#[test]
fn no_command_says_or_keeps_a_secret() {
    let server = servers::PostgresServer::start_with_passwords(PASSWORD);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let world = world(server.port, nobody);
    let built = run(&world, &["build"]);
    assert_eq!(built.code, 1, "{}", built.all());
    // Each way to be wrong was met: else its silence says nothing.
    for word in ["DVT5102", "DVT5101", "passed ", "PASS=2"] {
        assert!(built.all().contains(word), "`{word}` is missing in:\n{}", built.all());
    }
    for words in [
        &["parse"] as &[&str],
        &["ls"],
        &["ls", "--output", "json"],
        &["compile"],
        &["run"],
        &["run", "-q"],
        &["run", "--target", "wrong"],
        &["run", "--target", "echo"],
        &["seed"],
        &["test"],
        &["build", "--fail-fast"],
        &["explain"],
        &["explain", "--output", "json"],
        &["show", "-s", "on_good"],
        &["show", "-s", "on_wrong"],
        &["show", "--inline", "select {{ target | tojson }} from nowhere"],
        &["debug"],
        &["debug", "--config"],
        &["debug", "--targets"],
        &["debug", "--computes"],
        &["debug", "--manifest"],
        &["debug", "--connection", "good"],
        &["debug", "--connection", "wrong"],
        &["debug", "--connection", "down"],
        &["debug", "--connection", "address"],
        &["debug", "--connection", "echo"],
        &["debug", "--connection", "nonexistent"],
        &["plugin", "list"],
        &["plugin", "inspect", "echo"],
        &["run", "--target", "nonexistent"],
        &["run", "--vars", "{a: 1"],
        &["--version"],
        &["--help"],
    ] {
        run(&world, words);
    }
}

#[test]
fn a_secret_variable_is_refused_outside_the_profile() {
    let server = servers::PostgresServer::start_with_passwords(PASSWORD);
    let world = world(server.port, server.port);
    let asked = run(&world, &["show", "--inline", "select '{{ env_var(\"DBT_ENV_SECRET_UNUSED\") }}' as x"]);
    assert!(asked.code != 0 && asked.all().contains("DVT2009") && asked.all().contains("DBT_ENV_SECRET_UNUSED"), "{}", asked.all());
    world.write("p/models/on_good.sql", "select '{{ env_var('DBT_ENV_SECRET_PG') }}' as x");
    let built = run(&world, &["run", "-s", "on_good"]);
    assert!(built.code != 0 && built.all().contains("DVT2009"), "{}", built.all());
    world.write("p/models/on_good.sql", "select 1 as x");
    world.write("p/dbt_project.yml", "name: p\nprofile: p\nvars: {leak: \"{{ env_var('DBT_ENV_SECRET_PG') }}\"}\n");
    run(&world, &["parse"]);
}

#[test]
fn a_secret_that_a_person_wrote_into_sql_is_hidden_where_dvt_repeats_it() {
    let server = servers::PostgresServer::start_with_passwords(PASSWORD);
    let world = world(server.port, server.port);
    // The server's own words repeat the text of a statement that it refuses.
    world.write("p/models/on_good.sql", "select cast('{{ var(\"leak\") }}' as integer) as x");
    let vars = serde_json::json!({"leak": FROM_ENV}).to_string();
    let mut command = world.command("p", &["run", "-s", "on_good", "--vars", &vars]);
    command.env("DBT_ENV_SECRET_PG", FROM_ENV);
    let said = cli::said(command);
    assert_eq!(said.code, 1, "{}", said.all());
    search("run", "output", said.all().as_bytes());
    assert!(said.all().contains("*****"), "{}", said.all());
    search_files("run", &world.path("p/logs"));
}
