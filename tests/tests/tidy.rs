//! The house rules that a program can check (STYLE, DESIGN section 1).
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).parent().unwrap().to_path_buf()
}

/// Tracked and new files of the tree by ending, relative to the root.
fn files(ending: &str) -> Vec<PathBuf> {
    let out = std::process::Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .unwrap();
    let list = String::from_utf8(out.stdout).unwrap();
    let files: Vec<PathBuf> = list.lines().filter(|l| l.ends_with(ending)).map(PathBuf::from).filter(|f| root().join(f).exists()).collect();
    assert!(!files.is_empty(), "no {ending} files found");
    files
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(root().join(file)).unwrap()
}

/// Which of our crates each crate may depend on, besides those reached through them.
const EDGES: &[(&str, &[&str])] = &[
    ("planner-wasm/diagnostic", &[]),
    ("planner-wasm/project", &["dvt-diagnostic"]),
    ("planner-wasm/jinja", &["dvt-diagnostic", "dvt-project"]),
    ("planner-wasm/planner", &["dvt-diagnostic", "dvt-project"]),
    ("planner-wasm/session", &["dvt-diagnostic", "dvt-project", "dvt-jinja", "dvt-planner"]),
    ("planner-wasm/component", &["dvt-planner-session"]),
    ("planner-wasm/browser", &["dvt-planner-session"]),
    ("host/engine", &[]),
    ("plugins/pack", &[]),
    ("host/plugin", &["dvt-diagnostic", "dvt-project", "dvt-planner", "dvt-engine"]),
    ("host/mdm", &["dvt-diagnostic", "dvt-project", "dvt-planner", "dvt-engine"]),
    ("host/federation", &["dvt-diagnostic", "dvt-project", "dvt-planner", "dvt-engine", "dvt-plugin-host"]),
    (
        "host/run",
        &["dvt-diagnostic", "dvt-project", "dvt-jinja", "dvt-planner", "dvt-engine", "dvt-plugin-host", "dvt-plugin-pack", "dvt-mdm", "dvt-federation"],
    ),
    ("host/cli", &["dvt-diagnostic", "dvt-project", "dvt-run"]),
];

#[test]
fn crates_depend_only_downwards() {
    for (folder, allowed) in EDGES {
        let manifest = read(&Path::new(folder).join("Cargo.toml"));
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap_or("").split("\n[").next().unwrap_or("");
        for line in dependencies.lines().filter(|l| l.starts_with("dvt-")) {
            let name = line.split(['.', ' ', '=']).next().unwrap();
            assert!(allowed.contains(&name), "{folder} must not depend on {name}");
        }
    }
}

#[test]
fn files_stay_readable() {
    for file in files(".rs") {
        let lines = read(&file).lines().count();
        assert!(lines <= 600, "{} has {lines} lines; split it by concept", file.display());
    }
}

#[test]
fn no_module_is_named_for_leftovers() {
    for file in files(".rs") {
        let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
        for banned in ["utils", "util", "common", "helpers", "helper", "misc", "manager"] {
            assert_ne!(stem, banned, "{}", file.display());
        }
    }
}

#[test]
fn product_names_stay_in_plugins_engine_and_tests() {
    let products = ["postgres", "postgresql", "mysql", "mariadb", "sqlite", "duckdb", "snowflake", "bigquery", "redshift"];
    for file in files(".rs") {
        let path = file.to_string_lossy();
        let watched = (path.starts_with("planner-wasm/") || path.starts_with("host/"))
            && !path.starts_with("host/engine/")
            && !path.starts_with("host/xtask/")
            && !path.contains("/tests/");
        if !watched {
            continue;
        }
        for (number, line) in read(&file).lines().enumerate() {
            let words: Vec<&str> = strings(line).flat_map(|s| s.split(|c: char| !c.is_ascii_alphanumeric())).collect();
            for product in products {
                assert!(!words.contains(&product), "{path}:{} names the product {product}", number + 1);
            }
        }
    }
}

/// What stands between double quotes in a line of code; comments are no strings.
fn strings(line: &str) -> impl Iterator<Item = &str> {
    let code = if line.trim_start().starts_with("//") { "" } else { line };
    code.split('"').skip(1).step_by(2)
}

#[test]
fn nothing_is_left_to_do_and_no_machine_is_named() {
    for file in files(".rs") {
        let text = read(&file);
        let marker = ["to", "do!("].concat();
        let other = ["unimple", "mented!("].concat();
        let absent = !text.contains(&marker) && !text.contains(&other);
        assert!(absent, "{} has a stub", file.display());
    }
    // A compiled-in folder outlives its clone in the shared build folder: tests ask cargo at run time.
    let folder = ["env!(\"CARGO_MANI", "FEST_DIR\")"].concat();
    for file in files(".rs") {
        assert!(!read(&file).contains(&folder), "{} compiles its clone's folder in", file.display());
    }
    let home = ["/ro", "ot/"].concat();
    for ending in [".rs", ".toml", "Makefile", ".md"] {
        for file in files(ending) {
            assert!(!read(&file).contains(&home), "{} names a machine's folder", file.display());
        }
    }
}
