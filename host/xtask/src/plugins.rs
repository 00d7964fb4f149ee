//! `cargo xtask plugins`: every bundled plugin as a component with its manifest, in `<target>/plugins`.

use std::path::{Path, PathBuf};
use std::process::Command;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Crate, folder, file name.
const PLUGINS: [(&str, &str, &str); 4] = [
    ("dvt-adapter-sqlite", "plugins/adapters/sqlite", "sqlite.wasm"),
    ("dvt-adapter-duckdb", "plugins/adapters/duckdb", "duckdb.wasm"),
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
        let mut component = wit_component::ComponentEncoder::default().validate(true).module(&module)?.encode()?;
        let manifest = std::fs::read_to_string(root.join(folder).join("plugin.json"))?;
        // The manifest is checked here, so that a bad one never ships.
        let manifest: serde_json::Value = serde_json::from_str(&manifest)?;
        append(&mut component, "dvt:manifest", manifest.to_string().as_bytes());
        let path = out.join(file);
        // An unchanged file keeps its time and its place in the cache of compiled code.
        if std::fs::read(&path).ok().as_deref() != Some(component.as_slice()) {
            std::fs::write(&path, &component)?;
        }
        written.push(path);
    }
    Ok(written)
}

/// The component of a plugin that attacks its host, without a manifest, for the host's tests.
pub fn hostile(root: &Path, target: &Path) -> Outcome<Vec<PathBuf>> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).env("CARGO_TARGET_DIR", target);
    cargo.args(["build", "--locked", "--ignore-rust-version", "--profile", "wasm-release", "--target", "wasm32-unknown-unknown", "-p", "dvt-hostile-plugin"]);
    if !cargo.status()?.success() {
        return Err("the hostile plugin does not build".into());
    }
    let module = std::fs::read(target.join("wasm32-unknown-unknown/wasm-release/dvt_hostile_plugin.wasm"))?;
    let component = wit_component::ComponentEncoder::default().validate(true).module(&module)?.encode()?;
    let out = target.join("hostile");
    std::fs::create_dir_all(&out)?;
    let path = out.join("hostile.wasm");
    std::fs::write(&path, component)?;
    Ok(vec![path])
}

/// Adds a custom section at the end.
fn append(wasm: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut body = Vec::new();
    leb(&mut body, name.len());
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(content);
    wasm.push(0);
    leb(wasm, body.len());
    wasm.extend_from_slice(&body);
}

fn leb(out: &mut Vec<u8>, mut value: usize) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}
