//! What the playground takes for facts is what the plugins and the demo's real databases say.
//!
//! `DVT_RECORD=1 cargo test -p dvt-tests --test playground_catalog` writes `web-playground/demo/catalog.json` anew, with
//! the sizes of the demo's usual scale. Sizes are not compared.
#![allow(clippy::unwrap_used, missing_docs)]

mod cli;
#[path = "../../host/engine/tests/servers/mod.rs"]
mod servers;

use cli::World;
use dvt_planner::catalog::{Collation, ColumnSchema, RelationSchema};
use dvt_planner::dialect::{DialectSheet, Sheets};
use dvt_plugin_host::{Adapter, PluginKind, Registry};
use dvt_project::{DialectName, Manifest, ProjectInput, RelationRef};
use dvt_tests::tpch;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file's shape: parts of the session's question.
#[derive(Debug, Serialize, Deserialize)]
struct Recorded {
    implicit_compute: String,
    computes: BTreeMap<String, String>,
    catalog: Vec<Known>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Known {
    relation: RelationRef,
    schema: RelationSchema,
}

fn root() -> PathBuf {
    std::path::PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("..")
}

fn file() -> PathBuf {
    root().join("web-playground/demo/catalog.json")
}

fn recording() -> bool {
    std::env::var_os("DVT_RECORD").is_some()
}

fn plugins() -> Registry {
    let target = std::env::var("CARGO_TARGET_DIR").expect("CARGO_TARGET_DIR names where `cargo xtask plugins` put the plugins");
    Registry::load(&[Path::new(&target).join("plugins")], None).0
}

/// Every adapter by its type.
fn adapters(plugins: &Registry) -> Vec<(String, Arc<dyn Adapter>)> {
    let found = plugins.list().into_iter().filter(|l| l.manifest.kind == PluginKind::Adapter).flat_map(|l| l.manifest.types);
    found.map(|kind| (kind.clone(), plugins.adapter(&kind).unwrap())).collect()
}

/// The demo's files, below `folder`.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for path in std::fs::read_dir(next).unwrap().map(|e| e.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "sql" || e == "yml") {
                out.insert(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    out
}

fn manifest(mut files: BTreeMap<String, String>, plugins: &Registry, product: &str) -> Manifest {
    let profiles = files.remove("profiles.yml");
    let mut input = ProjectInput { files, profiles, env: BTreeMap::from([("DVT_DEMO_DB".into(), product.into())]), implicit_compute: plugins.implicit_compute().unwrap(), ..ProjectInput::default() };
    for (kind, adapter) in adapters(plugins) {
        input.adapters.insert(kind, adapter.adapter_facts().clone());
    }
    dvt_jinja::parse(&input).unwrap().manifest.as_ref().clone()
}

/// A federated model that reads every relation: dvt keeps what it sees of those it reads.
fn reads_everything(manifest: &Manifest) -> String {
    let sources = manifest.sources.values().map(|s| format!("source('{}', '{}')", s.source_name, s.name));
    let built = manifest.nodes.values().filter(|n| n.relation.is_some()).map(|n| format!("ref('{}')", n.name));
    let counts: Vec<String> = sources.chain(built).enumerate().map(|(i, r)| format!("(select count(*) from {{{{ {r} }}}}) as n{i}")).collect();
    format!("{{{{ config(materialized='table', target='warehouse', dialect='duckdb') }}}}\nselect {}", counts.join(", "))
}

/// Builds the demo over real databases and reads what dvt saw there; `product` holds the sales data and the warehouse.
fn seen(product: &str, scale: f64) -> Vec<Known> {
    let server = servers::PostgresServer::start();
    let world = World::new();
    let project = world.path("demo");
    let demo = root().join("tests/projects/demo");
    for (name, text) in files(&demo) {
        world.write(&format!("demo/{name}"), &text);
    }
    let manifest = manifest(files(&demo), &plugins(), product);
    world.write("demo/models/every_relation.sql", &reads_everything(&manifest));
    std::fs::create_dir_all(project.join("data")).unwrap();
    std::fs::create_dir_all(world.home()).unwrap();
    tpch::sqlite(&project.join("data/crm.sqlite"), &["customer", "nation", "region"], scale).unwrap();
    tpch::duckdb(&project.join("data/sales.duckdb"), &["orders", "lineitem"], scale).unwrap();
    tpch::duckdb(&project.join("data/parts.duckdb"), &["part", "partsupp", "supplier"], scale).unwrap();
    tpch::postgres(&format!("host=127.0.0.1 port={} user=dvt dbname=postgres", server.port), "public", &["orders", "lineitem"], scale).unwrap();
    let run = |words: &[&str]| {
        let mut command = world.command("demo", words);
        command.env("DBT_PROFILES_DIR", ".").env("DVT_DEMO_DB", product).env("PGPORT", server.port.to_string());
        cli::said(command)
    };
    run(&["build"]).ok();
    let explained: serde_json::Value = serde_json::from_str(&run(&["explain", "--output", "json"]).ok().out).unwrap();
    let mdm = duckdb::Connection::open(world.home().join("data/mdm.duckdb")).unwrap();
    let sources = manifest.sources.values().map(|s| RelationRef { target: s.connection.clone(), name: s.relation.clone() });
    let built = manifest.nodes.values().filter_map(|n| Some(RelationRef { target: n.target.clone(), name: n.relation.clone()? }));
    sources
        .chain(built)
        .filter_map(|relation| {
            let columns = columns(&mdm, &relation);
            let scans = explained["models"].as_array().unwrap().iter().flat_map(|m| m["scans"].as_array().unwrap());
            let scan = scans.clone().find(|s| {
                let name = s["relation"].as_str().unwrap();
                s["source"] == relation.target.as_str() && name.rsplit('.').next() == Some(relation.name.identifier.as_str())
            });
            let size = |key: &str| scan.and_then(|s| s["estimated"][key].as_u64());
            (!columns.is_empty()).then(|| Known { schema: RelationSchema { columns, rows: size("rows"), bytes: size("bytes"), unique: Vec::new() }, relation })
        })
        .collect()
}

/// What the metadata file holds of a relation.
fn columns(mdm: &duckdb::Connection, relation: &RelationRef) -> Vec<ColumnSchema> {
    let sql = "SELECT name, native, canonical, collation_class, refused FROM columns \
               WHERE target = ? AND schema_name = ? AND identifier = ? ORDER BY position";
    let mut statement = mdm.prepare(sql).unwrap();
    let keys = [relation.target.as_str(), relation.name.schema.as_deref().unwrap_or_default(), relation.name.identifier.as_str()];
    let rows = statement.query_map(keys, |r| {
        let text = |i| r.get::<_, Option<String>>(i);
        Ok(ColumnSchema {
            name: text(0)?.unwrap_or_default(),
            native: text(1)?.unwrap_or_default(),
            canonical: text(2)?.map(|t| t.parse().unwrap()),
            collation: match text(3)?.as_deref() {
                Some("binary") => Collation::Binary,
                Some("loose") => Collation::Loose,
                _ => Collation::Unknown,
            },
            refused: text(4)?,
        })
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// Both places that the demo's profile offers for sales and warehouse; relations of the others are the same in both.
fn seen_everywhere(scale: f64) -> Vec<Known> {
    let mut all = seen("duckdb", scale);
    for known in seen("postgres", scale) {
        if all.iter().all(|k| k.relation != known.relation) {
            all.push(known);
        }
    }
    all
}

fn recorded() -> Recorded {
    serde_json::from_str(&std::fs::read_to_string(file()).unwrap()).unwrap()
}

#[test]
fn the_recorded_catalog_is_what_the_demo_databases_say() {
    let now = seen_everywhere(if recording() { 0.1 } else { 0.01 });
    assert!(now.len() >= 22, "only {} relations were seen", now.len());
    if recording() {
        let plugins = plugins();
        let kind = plugins.implicit_compute().unwrap();
        let dialect = plugins.compute(&kind).unwrap().plan(&serde_json::json!({})).unwrap().dialect;
        let all = Recorded { computes: BTreeMap::from([(kind.clone(), dialect)]), implicit_compute: kind, catalog: now };
        std::fs::create_dir_all(file().parent().unwrap()).unwrap();
        std::fs::write(file(), serde_json::to_string_pretty(&all).unwrap() + "\n").unwrap();
        return;
    }
    let before = recorded().catalog;
    for known in &now {
        let recorded = before.iter().find(|r| r.relation == known.relation);
        let recorded = recorded.unwrap_or_else(|| panic!("{:?} is not recorded; record anew", known.relation));
        assert_eq!(recorded.schema.columns, known.schema.columns, "{:?} changed; record anew", known.relation);
    }
    assert_eq!(before.len(), now.len());
}

#[test]
fn recorded_computes_and_files_of_adapters_are_what_the_plugins_say() {
    let plugins = plugins();
    if !recording() {
        let recorded = recorded();
        assert_eq!(Some(recorded.implicit_compute.as_str()), plugins.implicit_compute().as_deref());
        for (kind, dialect) in &recorded.computes {
            assert_eq!(&plugins.compute(kind).unwrap().plan(&serde_json::json!({})).unwrap().dialect, dialect);
        }
    }
    let folders: Vec<PathBuf> = std::fs::read_dir(root().join("plugins/adapters")).unwrap().map(|e| e.unwrap().path()).collect();
    let mut texts: Vec<String> = folders.iter().map(|f| std::fs::read_to_string(f.join("dialect.toml")).unwrap()).collect();
    texts.sort_by_key(|t| DialectSheet::extended(t).unwrap().is_some());
    let mut sheets = Sheets::default();
    for text in &texts {
        sheets.add(text).unwrap();
    }
    for (kind, adapter) in adapters(&plugins) {
        let folder = folders.iter().find(|f| {
            let manifest: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(f.join("plugin.json")).unwrap()).unwrap();
            manifest["types"].as_array().unwrap().iter().any(|t| *t == kind)
        });
        let folder = folder.unwrap_or_else(|| panic!("no folder has the adapter type {kind}"));
        let facts = adapter.adapter_facts();
        let sheet = sheets.get(&DialectName::new(facts.dialect.clone())).unwrap();
        assert_eq!(serde_json::to_value(&sheet.profile).unwrap(), serde_json::to_value(facts).unwrap(), "{kind}");
        assert_eq!(&files(&folder.join("macros")), adapter.macro_package(), "{kind}");
    }
}
