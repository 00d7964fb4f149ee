//! Each limit hit by a plugin made for it: a coded message that names the plugin, and the next call works.
#![allow(clippy::unwrap_used, missing_docs)]

use dvt_diagnostic::{Code, Diagnostic};
use dvt_plugin_host::{Limits, NativeColumn, Registry};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

fn target() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.parent().and_then(Path::parent).and_then(Path::parent).unwrap().to_path_buf()
}

fn with_manifest(mut wasm: Vec<u8>, manifest: &Value) -> Vec<u8> {
    let text = manifest.to_string();
    let mut body = vec![12];
    body.extend_from_slice(b"dvt:manifest");
    body.extend_from_slice(text.as_bytes());
    wasm.push(0);
    let mut size = body.len();
    while size >= 0x80 {
        wasm.push((size & 0x7f) as u8 | 0x80);
        size >>= 7;
    }
    wasm.push(size as u8);
    wasm.extend(body);
    wasm
}

fn manifest(id: &str, contract: &str) -> Value {
    json!({"id": id, "version": "1.0.0", "contract": contract, "kind": "adapter", "types": [id], "permissions": []})
}

fn hostile() -> Vec<u8> {
    let file = target().join("hostile/hostile.wasm");
    std::fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}; run `cargo xtask hostile` (make test does)", file.display()))
}

fn registry(folder: &Path, files: &[(&str, Vec<u8>)]) -> (Registry, Vec<Diagnostic>) {
    for (name, bytes) in files {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    let limits = Limits { memory: 32 << 20, time: Duration::from_millis(300), output: 1 << 20 };
    Registry::with_limits(&[folder.to_owned()], None, limits)
}

#[test]
fn every_attack_is_a_coded_error_and_the_plugin_works_again() {
    let folder = tempfile::tempdir().unwrap();
    let (registry, warnings) = registry(folder.path(), &[("h.wasm", with_manifest(hostile(), &manifest("hostile", "0.1.0")))]);
    assert!(warnings.is_empty(), "{warnings:?}");
    let adapter = registry.adapter("hostile").unwrap();
    for (attack, code) in [("loop", Code::PluginTimeout), ("panic", Code::PluginTrap), ("memory", Code::PluginMemory), ("recursion", Code::PluginTrap)] {
        let start = Instant::now();
        let error = adapter.connect(&json!({"attack": attack}), &[]).unwrap_err();
        assert_eq!(error.code, code, "{attack}: {error}");
        assert!(error.message.contains("`hostile`") && error.message.contains("`connect`"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(5), "{attack} took {:?}", start.elapsed());
        assert_eq!(adapter.connect(&json!({}), &[]).unwrap().endpoint, "hostile", "after {attack}");
    }
    let panicked = adapter.connect(&json!({"attack": "panic"}), &[]).unwrap_err();
    assert!(panicked.message.contains("the plugin's own words"), "{panicked}");
    let output = adapter.catalog_sql(&[]).unwrap_err();
    assert_eq!(output.code, Code::PluginOutput, "{output}");
    let contract = adapter.map_native(&[NativeColumn::default()]).unwrap_err();
    assert_eq!(contract.code, Code::PluginContract, "{contract}");
    let told = adapter.connect(&json!({"attack": "error"}), &[]).unwrap_err();
    assert_eq!((told.code, told.hint.as_deref()), (Code::DatabaseMissing, Some("go elsewhere")));
}

#[test]
fn an_import_that_is_not_lent_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let text = r#"(component (import "wasi:clocks/monotonic-clock@0.2.0" (instance (export "now" (func (result u64))))))"#;
    let (registry, _) = registry(folder.path(), &[("c.wasm", with_manifest(wat::parse_str(text).unwrap(), &manifest("clock", "0.1.0")))]);
    let error = registry.adapter("clock").unwrap_err();
    assert_eq!(error.code, Code::PluginNotGranted, "{error}");
    assert!(error.message.contains("wasi:clocks/monotonic-clock"), "{error}");
}

#[test]
fn what_is_no_plugin_or_of_another_contract_is_told_and_the_rest_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("a.wasm", b"not wasm at all".to_vec()),
        ("b.wasm", hostile()),
        ("c.wasm", with_manifest(hostile(), &manifest("future", "9.0.0"))),
        ("d.wasm", with_manifest(hostile(), &manifest("hostile", "0.1.0"))),
    ];
    let (registry, warnings) = registry(folder.path(), &files);
    let codes: Vec<Code> = warnings.iter().map(|w| w.code).collect();
    assert_eq!(codes, [Code::PluginInvalid, Code::PluginInvalid, Code::PluginContract], "{warnings:?}");
    assert_eq!(registry.list().len(), 1);
    assert!(registry.adapter("hostile").is_ok());
    let unknown = registry.adapter("oracle").unwrap_err();
    assert_eq!(unknown.code, Code::PluginNotFound);
    assert!(unknown.hint.unwrap().contains("hostile"));
}

/// A core module in Extism's way whose exports return fixed texts.
fn extism(exports: &[(&str, &str)], more: &str) -> Vec<u8> {
    let mut data = String::new();
    let mut functions = String::new();
    let mut at = 16;
    for (name, text) in exports {
        let bytes: String = text.bytes().map(|b| format!("\\{b:02x}")).collect();
        data.push_str(&format!("(data (i32.const {at}) \"{bytes}\")\n"));
        functions.push_str(&format!("(func (export \"{name}\") (result i32) (call $say (i32.const {at}) (i32.const {})) (i32.const 0))\n", text.len()));
        at += text.len();
    }
    let text = format!(
        r#"(module
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
  (import "extism:host/env" "output_set" (func $output (param i64 i64)))
  (memory 4)
  {data}
  (func $say (param $from i32) (param $len i32) (local $to i64) (local $i i32)
    (local.set $to (call $alloc (i64.extend_i32_u (local.get $len))))
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $i) (local.get $len)))
      (call $store (i64.add (local.get $to) (i64.extend_i32_u (local.get $i))) (i32.load8_u (i32.add (local.get $from) (local.get $i))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $next)))
    (call $output (local.get $to) (i64.extend_i32_u (local.get $len))))
  {functions}
  {more})"#
    );
    wat::parse_str(text).unwrap()
}

#[test]
fn an_extism_module_is_an_adapter_behind_the_same_trait() {
    let folder = tempfile::tempdir().unwrap();
    let sheet = json!("name = \"ext\"\nparser = \"generic\"\nquote = ['`', '`']\n").to_string();
    let exports = [
        ("dialect_sheet", sheet.as_str()),
        ("dialect_macros", r#"{"dbt_project.yml": "name: dbt_ext"}"#),
        ("adapter_connect", r#"{"driver": "none", "endpoint": "ext"}"#),
        ("adapter_map_native", r#"[{"canonical": "decimal(10,2)"}]"#),
        ("adapter_list_sql", r#"{"error": {"code": "DVT5105", "message": "not yours"}}"#),
    ];
    let looping = "(func (export \"adapter_catalog_sql\") (result i32) (loop $l (br $l)) (i32.const 0))";
    let (registry, warnings) = registry(folder.path(), &[("e.wasm", with_manifest(extism(&exports, looping), &manifest("ext", "0.1.0")))]);
    assert!(warnings.is_empty(), "{warnings:?}");
    let adapter = registry.adapter("ext").unwrap();
    assert_eq!(adapter.sheet().quote("a`b"), "`a``b`");
    assert_eq!(adapter.connect(&json!({}), &[]).unwrap().endpoint, "ext");
    assert_eq!(adapter.map_native(&[NativeColumn::default()]).unwrap()[0].canonical.unwrap().to_string(), "decimal(10,2)");
    assert_eq!(adapter.list_sql(None, "s").unwrap_err().code, Code::PermissionDenied);
    assert_eq!(adapter.catalog_sql(&[]).unwrap_err().code, Code::PluginTimeout);
    assert_eq!(adapter.connect(&json!({}), &[]).unwrap().driver, "none");
}

#[test]
fn every_attack_of_an_extism_module_is_a_coded_error_that_names_it_and_the_next_call_works() {
    let folder = tempfile::tempdir().unwrap();
    let sheet = json!("name = \"ext\"\nparser = \"generic\"\nquote = ['`', '`']\n").to_string();
    let exports = [("dialect_sheet", sheet.as_str()), ("dialect_macros", "{}"), ("adapter_connect", r#"{"driver": "none", "endpoint": "ext"}"#)];
    let attacks = r#"
      (func (export "adapter_catalog_sql") (result i32) unreachable)
      (func $deeper (param i64) (result i64) (i64.add (i64.const 1) (call $deeper (i64.add (local.get 0) (i64.const 1)))))
      (func (export "adapter_list_sql") (result i32) (drop (call $deeper (i64.const 0))) (i32.const 0))
      (func (export "adapter_map_native") (result i32) (loop $more (drop (call $alloc (i64.const 16777216))) (br $more)) (i32.const 0))
      (func (export "adapter_ddl_types") (result i32) (call $output (call $alloc (i64.const 4194304)) (i64.const 4194304)) (i32.const 0))
      (func (export "adapter_classify_error") (result i32) (i32.load (i32.const 0x7fffffff)))
      (func (export "dialect_capabilities") (result i32) (call $say (i32.const 16) (i32.const 3)) (i32.const 0))"#;
    let (registry, warnings) = registry(folder.path(), &[("e.wasm", with_manifest(extism(&exports, attacks), &manifest("ext", "0.1.0")))]);
    assert!(warnings.is_empty(), "{warnings:?}");
    let adapter = registry.adapter("ext").unwrap();
    let outcomes = [
        ("trap", "adapter_catalog_sql", Code::PluginTrap, adapter.catalog_sql(&[]).unwrap_err()),
        ("stack", "adapter_list_sql", Code::PluginTrap, adapter.list_sql(None, "s").unwrap_err()),
        ("memory", "adapter_map_native", Code::PluginMemory, adapter.map_native(&[]).unwrap_err()),
        ("output", "adapter_ddl_types", Code::PluginOutput, adapter.ddl_types(&[]).unwrap_err()),
        ("beyond its memory", "adapter_classify_error", Code::PluginTrap, adapter.classify_error(None, "").unwrap_err()),
        ("no JSON", "dialect_capabilities", Code::PluginContract, adapter.capabilities("1").unwrap_err()),
    ];
    for (attack, call, code, error) in outcomes {
        assert_eq!(error.code, code, "{attack}: {error}");
        assert!(error.message.contains("`ext`") && error.message.contains(&format!("`{call}`")), "{attack}: {error}");
        assert_eq!(adapter.connect(&json!({}), &[]).unwrap().driver, "none", "after {attack}");
    }
}

#[test]
fn a_module_that_asks_for_too_much_at_its_start_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let greedy = r#"(module (memory 4096) (func (export "dialect_sheet") (result i32) (i32.const 0)))"#;
    let wasi = r#"(module (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32))) (func (export "dialect_sheet") (result i32) (i32.const 0)))"#;
    let http = r#"(module (import "extism:host/env" "http_request" (func (param i64 i64) (result i64))) (func (export "dialect_sheet") (result i32) (drop (call 0 (i64.const 0) (i64.const 0))) (i32.const 0)))"#;
    let files: Vec<(String, Vec<u8>)> = [("greedy", greedy), ("wasi", wasi), ("http", http)]
        .iter()
        .map(|(id, text)| (format!("{id}.wasm"), with_manifest(wat::parse_str(text).unwrap(), &manifest(id, "0.1.0"))))
        .collect();
    let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    let (registry, warnings) = registry(folder.path(), &files);
    assert!(warnings.is_empty(), "{warnings:?}");
    for (id, codes) in [("greedy", &[Code::PluginMemory] as &[Code]), ("wasi", &[Code::PluginNotGranted]), ("http", &[Code::PluginNotGranted, Code::PluginTrap])] {
        let error = registry.adapter(id).unwrap_err();
        assert!(codes.contains(&error.code) && error.message.contains(&format!("`{id}`")), "{id}: {error}");
    }
}

#[test]
fn a_manifest_that_lies_is_told_and_what_it_lies_about_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let lie = |id: &str, change: Value| {
        let mut told = manifest(id, "0.1.0");
        for (key, value) in change.as_object().unwrap() {
            told[key.as_str()] = value.clone();
        }
        with_manifest(hostile(), &told)
    };
    let files = [
        ("a.wasm", with_manifest(hostile(), &manifest("hostile", "0.1.0"))),
        ("b-huge.wasm", lie("huge", json!({"version": "1".repeat(1 << 20)}))),
        ("c-many.wasm", lie("many", json!({"types": (0..1000).map(|i| format!("t{i}")).collect::<Vec<_>>()}))),
        ("d-path.wasm", lie("../../etc/passwd", json!({}))),
        ("e-control.wasm", lie("esc", json!({"types": ["\u{1b}[2Jx"]}))),
        ("f-same-id.wasm", lie("hostile", json!({"types": ["other"], "version": "9.9.9"}))),
        ("g-same-type.wasm", lie("thief", json!({"types": ["hostile"]}))),
        ("h-no-types.wasm", lie("none", json!({"types": []}))),
        ("i-old.wasm", with_manifest(hostile(), &manifest("old", "no version"))),
        ("j-kind.wasm", lie("kind", json!({"kind": "compute"}))),
        ("k-body.wasm", with_manifest(b"\0asm\x0d\0\x01\0".to_vec(), &manifest("body", "0.1.0"))),
    ];
    let (registry, warnings) = registry(folder.path(), &files);
    let told: Vec<(Code, bool)> = warnings.iter().map(|w| (w.code, w.message.chars().all(|c| !c.is_control()) && w.message.len() < 400)).collect();
    let expected = [Code::PluginInvalid; 7].into_iter().chain([Code::PluginContract]).map(|code| (code, true)).collect::<Vec<_>>();
    assert_eq!(told, expected, "{warnings:?}");
    for named in ["huge", "many", "passwd", "control", "`hostile` of", "`thief` of", "none"] {
        assert!(warnings.iter().any(|w| w.message.contains(named)), "{named}: {warnings:?}");
    }
    // The first of an id or a type is the one that is used.
    assert_eq!(registry.adapter("hostile").unwrap().manifest().version, "1.0.0");
    assert_eq!(registry.adapter("other").unwrap_err().code, Code::PluginNotFound);
    let kind = registry.compute("kind").unwrap_err();
    assert!(matches!(kind.code, Code::PluginContract | Code::PluginNotGranted | Code::PluginInvalid) && kind.message.contains("`kind`"), "{kind}");
    let body = registry.adapter("body").unwrap_err();
    assert!(matches!(body.code, Code::PluginContract | Code::PluginInvalid) && body.message.contains("`body`"), "{body}");
}
