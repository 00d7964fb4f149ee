//! One suite over every bundled component: what each adapter must answer, and the cache of compiled code.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

use dvt_planner::dialect::Sheets;
use dvt_planner::types::CanonicalType;
use dvt_diagnostic::Code;
use dvt_plugin_host::{Adapter, NativeColumn, PluginKind, Registry};
use dvt_project::RelationName;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Instant;

fn folder() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.parent().and_then(Path::parent).and_then(Path::parent).unwrap().join("plugins");
    assert!(folder.is_dir(), "{} is missing: cargo xtask plugins (make test does it)", folder.display());
    folder
}

fn profile(kind: &str) -> serde_json::Value {
    json!({"type": kind, "path": "f.db", "host": "h", "port": 5432, "user": "u", "dbname": "d", "schema": "s"})
}

const TYPES: [&str; 18] = [
    "bool", "int16", "int32", "int64", "float64", "decimal(15,2)", "decimal(38,0)", "text", "bytes", "date", "time", "timestamp", "timestamptz", "uuid", "json", "int8", "uint8", "uint32",
];

/// The keys without which an output of a bundled product leads nowhere.
const REQUIRED: [(&str, &[&str]); 5] = [
    ("postgres", &["host", "user", "dbname"]),
    ("sqlite", &["path"]),
    ("duckdb", &[]),
    ("mysql", &["host", "user", "schema"]),
    ("mariadb", &["host", "user", "schema"]),
];

/// A key that is missing is refused by its name, with advice; any other may be left out.
fn missing_keys_are_named(kind: &str, adapter: &dyn Adapter) {
    let whole = profile(kind);
    let mut needed = Vec::new();
    for key in whole.as_object().unwrap().keys().filter(|k| *k != "type") {
        let mut less = whole.clone();
        less.as_object_mut().unwrap().remove(key);
        match adapter.connect(&less, &["password".to_owned()]) {
            Ok(plan) => assert!(!plan.driver.is_empty() && !plan.endpoint.is_empty(), "{kind} without `{key}` leads nowhere"),
            Err(error) => {
                assert_eq!(error.code, Code::ProjectInvalid, "{kind} without `{key}`: {error}");
                let advice = error.hint.unwrap_or_default();
                assert!(advice.contains("profiles.yml") && format!("{} {advice}", error.message).contains(&format!("`{key}:`")), "{kind} without `{key}`: {} ({advice})", error.message);
                needed.push(key.as_str());
            }
        }
    }
    if let Some((_, required)) = REQUIRED.iter().find(|(k, _)| *k == kind) {
        needed.sort_by_key(|k| required.iter().position(|r| r == k));
        assert_eq!(needed, *required, "{kind}");
    }
    assert_eq!(adapter.connect(&json!({"type": kind}), &[]).is_err(), !needed.is_empty(), "{kind} with an empty profile");
}

#[test]
fn every_adapter_keeps_the_contract() {
    let (registry, warnings) = Registry::load(&[folder()], None);
    assert!(warnings.is_empty(), "{warnings:?}");
    let adapters: Vec<String> = registry.list().into_iter().filter(|l| l.manifest.kind == PluginKind::Adapter).flat_map(|l| l.manifest.types).collect();
    assert!(adapters.len() >= 3, "{adapters:?}");
    for kind in &adapters {
        let adapter = registry.adapter(kind).unwrap();
        Sheets::default().add(adapter.sheet_text()).unwrap();
        assert!(adapter.macro_package().contains_key("dbt_project.yml"), "{kind} has no macro package");
        // Without a default the schema has to be in the profile.
        let needs_schema = REQUIRED.iter().any(|(k, keys)| k == kind && keys.contains(&"schema"));
        assert!(!adapter.adapter_facts().quote.0.is_empty() && adapter.adapter_facts().default_schema.is_some() != needs_schema, "{kind}");
        let plan = adapter.connect(&profile(kind), &["password".to_owned()]).unwrap();
        assert!(!plan.driver.is_empty() && !plan.endpoint.is_empty(), "{kind}");
        missing_keys_are_named(kind, adapter.as_ref());
        let relation = RelationName { database: None, schema: Some("it's".into()), identifier: "a\"b'c".into() };
        assert!(adapter.catalog_sql(&[relation]).unwrap().contains("a\"b''c"), "{kind} does not escape names");
        assert!(adapter.list_sql(None, "it's").unwrap().contains("it''s"), "{kind} does not escape schemas");
        let types: Vec<CanonicalType> = TYPES.iter().map(|t| t.parse().unwrap()).collect();
        let ddl = adapter.ddl_types(&types).unwrap();
        let columns: Vec<NativeColumn> = ddl.iter().map(|native| NativeColumn { name: "c".into(), native: native.clone(), collation: None }).collect();
        for ((asked, native), back) in types.iter().zip(&ddl).zip(adapter.map_native(&columns).unwrap()) {
            let back = back.canonical.unwrap_or_else(|| panic!("{kind}: its own {native} cannot be read back"));
            // A product may store a type in a wider one of the same family, a truth value as 0 and 1 where it has none of its
            // own, an identifier as its text, never in another.
            let as_number = *asked == CanonicalType::Bool && matches!(back, CanonicalType::Int(_));
            let as_text = *asked == CanonicalType::Uuid && back == CanonicalType::Text;
            assert!(back.family() == asked.family() || as_number || as_text, "{kind}: {asked} became {native} became {back}");
            if let CanonicalType::Decimal(..) = asked {
                assert_eq!(back, *asked, "{kind}: {native}");
            }
        }
        for junk in ["", "no such type", "🦆", "numeric(99,3)", "int4range"] {
            let column = NativeColumn { name: "c".into(), native: junk.into(), collation: None };
            let mapped = adapter.map_native(&[column]).unwrap().remove(0);
            assert!(mapped.canonical.is_some() || mapped.refused.is_some(), "{kind}: {junk}");
        }
        let classified = adapter.classify_error(Some("XX000"), "something odd").unwrap();
        assert!(classified.code.parse::<dvt_diagnostic::Code>().is_ok(), "{kind}: {}", classified.code);
        adapter.capabilities("no version").unwrap();
    }
    let computes: Vec<String> = registry.list().into_iter().filter(|l| l.manifest.kind == PluginKind::Compute).flat_map(|l| l.manifest.types).collect();
    for kind in computes {
        let compute = registry.compute(&kind).unwrap();
        assert!(!compute.plan(&json!({})).unwrap().dialect.is_empty());
        assert!(compute.plan(&json!({"no_such_setting": 1})).unwrap_err().hint.is_some());
    }
}

#[test]
fn compiled_code_is_kept_in_a_folder_of_ours_and_nowhere_else() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let cache = home.path().join("cache");
    let load = |cache: &Path| {
        let (registry, _) = Registry::load(&[folder()], Some(cache));
        for listed in registry.list().iter().filter(|l| l.manifest.kind == PluginKind::Adapter) {
            registry.adapter(&listed.manifest.types[0]).unwrap();
        }
        registry.compiled_count()
    };
    let all = Registry::load(&[folder()], None).0.list().iter().filter(|l| l.manifest.kind == PluginKind::Adapter).count();
    assert!(all >= 3);
    assert_eq!(load(&cache), all);
    let files = |folder: &Path| std::fs::read_dir(folder).map(|d| d.count()).unwrap_or(0);
    assert_eq!(std::fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(files(&cache), all);
    assert_eq!(load(&cache), 0, "the second load compiles nothing");
    // Others may write there: nothing is read from it and nothing put into it.
    for mode in [0o777, 0o770, 0o702] {
        let open = home.path().join(format!("{mode:o}"));
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!((load(&open), files(&open)), (all, 0), "{mode:o}");
    }
    // A file that others may write is not loaded.
    let list = || std::fs::read_dir(&cache).unwrap().map(|f| f.unwrap().path()).collect::<Vec<_>>();
    for file in list() {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
    }
    assert_eq!(load(&cache), all);
    // Nor is a link, wherever it leads.
    let (linked, elsewhere) = (list()[0].clone(), home.path().join("elsewhere"));
    std::fs::rename(&linked, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &linked).unwrap();
    assert_eq!(load(&cache), 1);
    // Nor is one in which a single bit is another, nor one that holds another plugin's code under this one's name.
    std::fs::remove_file(&linked).unwrap();
    assert_eq!((load(&cache), load(&cache)), (1, 0));
    let kept: Vec<(PathBuf, Vec<u8>)> = list().into_iter().map(|f| (f.clone(), std::fs::read(f).unwrap())).collect();
    for (path, code) in &kept {
        let mut flipped = code.clone();
        flipped[code.len() / 2] ^= 1;
        std::fs::write(path, flipped).unwrap();
    }
    assert_eq!(load(&cache), all);
    for (i, (path, _)) in kept.iter().enumerate() {
        std::fs::write(path, &kept[(i + 1) % kept.len()].1).unwrap();
    }
    assert_eq!(load(&cache), all);
    // A broken file is compiled anew.
    for file in std::fs::read_dir(&cache).unwrap() {
        std::fs::write(file.unwrap().path(), b"broken").unwrap();
    }
    assert_eq!(load(&cache), all);
}

#[test]
fn a_call_costs_microseconds() {
    let (registry, _) = Registry::load(&[folder()], None);
    let first = registry.list().into_iter().find(|l| l.manifest.kind == PluginKind::Adapter).unwrap();
    let adapter = registry.adapter(&first.manifest.types[0]).unwrap();
    let columns = vec![NativeColumn { name: "c".into(), native: "integer".into(), collation: None }; 20];
    let start = Instant::now();
    for _ in 0..1000 {
        adapter.map_native(&columns).unwrap();
    }
    eprintln!("map-native of 20 columns: {} us", start.elapsed().as_micros() / 1000);
}
