//! `cargo xtask plugins`: every bundled plugin as a component with its manifest, in `<target>/plugins`.

use std::path::{Path, PathBuf};
use std::process::Command;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Crates of `tests/outsider` that are plugins.
const OUTSIDERS: [&str; 3] = ["wire-postgres", "extends-sheet", "extism-sheet"];

/// Crate, folder, file name.
const PLUGINS: [(&str, &str, &str); 5] = [
    ("dvt-adapter-sqlite", "plugins/adapters/sqlite", "sqlite.wasm"),
    ("dvt-adapter-duckdb", "plugins/adapters/duckdb", "duckdb.wasm"),
    ("dvt-adapter-mysql", "plugins/adapters/mysql", "mysql.wasm"),
    ("dvt-adapter-postgres", "plugins/adapters/postgres", "postgres.wasm"),
    ("dvt-compute-duckdb", "plugins/computes/duckdb", "compute-duckdb.wasm"),
];

pub fn build(root: &Path, target: &Path) -> Outcome<Vec<PathBuf>> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(["build", "--locked", "--ignore-rust-version", "--profile", "wasm-release", "--target", "wasm32-unknown-unknown"]);
    cargo.env("CARGO_TARGET_DIR", target);
    for (name, _, _) in PLUGINS {
        cargo.args(["-p", name]);
    }
    if !cargo.status()?.success() {
        return Err("the plugins do not build".into());
    }
    let out = target.join("plugins");
    std::fs::create_dir_all(&out)?;
    let mut written = Vec::new();
    for (name, folder, file) in PLUGINS {
        let core = target.join("wasm32-unknown-unknown/wasm-release").join(format!("{}.wasm", name.replace('-', "_")));
        let module = std::fs::read(&core).map_err(|e| format!("{}: {e}", core.display()))?;
        let manifest = std::fs::read_to_string(root.join(folder).join("plugin.json"))?;
        let component = dvt_plugin_pack::pack(&module, &manifest)?;
        let path = out.join(file);
        // An unchanged file keeps its time and its place in the cache of compiled code.
        if std::fs::read(&path).ok().as_deref() != Some(component.as_slice()) {
            std::fs::write(&path, &component)?;
        }
        written.push(path);
    }
    Ok(written)
}

/// Components of plugins that attack their host, without manifests, for the host's tests.
pub fn hostile(root: &Path, target: &Path) -> Outcome<Vec<PathBuf>> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).env("CARGO_TARGET_DIR", target);
    cargo.args(["build", "--locked", "--ignore-rust-version", "--profile", "wasm-release", "--target", "wasm32-unknown-unknown", "-p", "dvt-hostile-plugin", "-p", "dvt-rogue-plugin"]);
    if !cargo.status()?.success() {
        return Err("the hostile plugins do not build".into());
    }
    let out = target.join("hostile");
    std::fs::create_dir_all(&out)?;
    let mut written = Vec::new();
    for name in ["hostile", "rogue"] {
        let module = std::fs::read(target.join(format!("wasm32-unknown-unknown/wasm-release/dvt_{name}_plugin.wasm")))?;
        let path = out.join(format!("{name}.wasm"));
        std::fs::write(&path, dvt_plugin_pack::component(&module)?)?;
        written.push(path);
    }
    Ok(written)
}

/// The plugins of `tests/outsider`, which are no part of the workspace, in `<target>/outsider-plugins`.
pub fn outsider(root: &Path, target: &Path) -> Outcome<Vec<PathBuf>> {
    let folder = root.join("tests/outsider");
    let built = target.join("outsider");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(&folder).env("CARGO_TARGET_DIR", &built);
    cargo.args(["build", "--locked", "--ignore-rust-version", "--release", "--target", "wasm32-unknown-unknown"]);
    for name in OUTSIDERS {
        cargo.args(["-p", name]);
    }
    if !cargo.status()?.success() {
        return Err("the outsider's plugins do not build".into());
    }
    let out = target.join("outsider-plugins");
    std::fs::create_dir_all(&out)?;
    let mut written = Vec::new();
    for name in OUTSIDERS {
        let core = built.join("wasm32-unknown-unknown/release").join(format!("{}.wasm", name.replace('-', "_")));
        let manifest = std::fs::read_to_string(folder.join(name).join("plugin.json"))?;
        let packed = dvt_plugin_pack::pack(&std::fs::read(core)?, &manifest)?;
        let path = out.join(format!("{name}.wasm"));
        std::fs::write(&path, packed)?;
        written.push(path);
    }
    Ok(written)
}
