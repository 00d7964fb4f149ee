//! `cargo xtask playground`: what the playground's page needs from this repository, in `web-playground/generated`.
//!
//! `planner.js` and `planner_bg.wasm` (the browser module), and `demo.json`: the demo project, the adapter plugins' own
//! files and the recorded catalog, in the shape of the session's question.

use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

pub fn build(root: &Path, target: &Path) -> Outcome<Vec<PathBuf>> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).env("CARGO_TARGET_DIR", target);
    cargo.args(["build", "--locked", "--ignore-rust-version", "--profile", "browser-release", "--target", "wasm32-unknown-unknown", "-p", "dvt-planner-browser"]);
    cargo.env("CARGO_ENCODED_RUSTFLAGS", short_paths(root).join("\u{1f}"));
    if !cargo.status()?.success() {
        return Err("the browser module does not build".into());
    }
    let out = root.join("web-playground/generated");
    std::fs::create_dir_all(&out)?;
    wasm_bindgen_cli_support::Bindgen::new()
        .input_path(target.join("wasm32-unknown-unknown/browser-release/dvt_planner_browser.wasm"))
        .web(true)?
        .typescript(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .out_name("planner")
        .generate(&out)?;
    let demo = out.join("demo.json");
    std::fs::write(&demo, serde_json::to_string(&question(root)?)?)?;
    let settings = out.join("settings.json");
    std::fs::copy(root.join("web-playground/demo/settings.json"), &settings)?;
    Ok(vec![out.join("planner_bg.wasm"), out.join("planner.js"), demo, settings])
}

/// Panics name source files: without this, by the folders of the machine that built the module.
fn short_paths(root: &Path) -> Vec<String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| std::env::var_os("HOME").map(|h| Path::new(&h).join(".cargo")));
    let crates = home.map(|h| h.join("registry/src")).and_then(|f| std::fs::read_dir(f).ok());
    let folders = crates.into_iter().flatten().filter_map(|e| Some(e.ok()?.path())).chain(root.canonicalize().ok());
    folders.map(|f| format!("--remap-path-prefix={}/=", f.display())).collect()
}

fn question(root: &Path) -> Outcome<Value> {
    let recorded = std::fs::read_to_string(root.join("web-playground/demo/catalog.json"))?;
    let Value::Object(mut question) = serde_json::from_str(&recorded)? else { return Err("catalog.json is no object".into()) };
    question.insert("files".to_owned(), Value::Object(files(&root.join("tests/projects/demo"))?));
    question.insert("adapters".to_owned(), Value::Object(adapters(root)?));
    question.insert("env".to_owned(), json!({}));
    // The page's answers must not depend on when they were asked.
    question.insert("invocation".to_owned(), json!({"id": "playground", "started_at": "2026-01-01T00:00:00.000000Z", "which": "compile", "flags": {}}));
    Ok(Value::Object(question))
}

/// Each adapter type with its plugin's sheet and macro package.
fn adapters(root: &Path) -> Outcome<Map<String, Value>> {
    let mut out = Map::new();
    for folder in sorted(&root.join("plugins/adapters"))? {
        let manifest: Value = serde_json::from_str(&std::fs::read_to_string(folder.join("plugin.json"))?)?;
        // The page reads sheets as JSON: a reader of TOML would be a tenth of a megabyte of its module.
        let sheet: Value = toml::from_str(&std::fs::read_to_string(folder.join("dialect.toml"))?)?;
        let macros = files(&folder.join("macros"))?;
        for kind in manifest["types"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            out.insert(kind.to_owned(), json!({"sheet": sheet.to_string(), "macros": macros}));
        }
    }
    Ok(out)
}

/// YAML and SQL below a folder, by path with `/`, in order.
fn files(folder: &Path) -> Outcome<Map<String, Value>> {
    let mut out = Map::new();
    for path in sorted(folder)? {
        let name = path.file_name().and_then(|n| n.to_str()).ok_or("a file name is not UTF-8")?;
        if path.is_dir() {
            out.extend(files(&path)?.into_iter().map(|(inner, text)| (format!("{name}/{inner}"), text)));
        } else if path.extension().is_some_and(|e| e == "sql" || e == "yml") {
            out.insert(name.to_owned(), Value::String(std::fs::read_to_string(&path)?));
        }
    }
    Ok(out)
}

fn sorted(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut paths = std::fs::read_dir(folder)?.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}
