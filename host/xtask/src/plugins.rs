//! `cargo xtask plugins`: every bundled plugin as a component with its manifest, in `<target>/plugins`.

use std::path::{Path, PathBuf};
use std::process::Command;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Crates of `tests/outsider` that are plugins.
const OUTSIDERS: [&str; 5] = ["adbc-postgres", "wire-postgres", "extends-sheet", "extism-sheet", "connector-nearpg"];

/// Crate, folder, file name.
const PLUGINS: [(&str, &str, &str); 6] = [
    ("dvt-adapter-sqlite", "plugins/adapters/sqlite", "sqlite.wasm"),
    ("dvt-adapter-duckdb", "plugins/adapters/duckdb", "duckdb.wasm"),
    ("dvt-adapter-mysql", "plugins/adapters/mysql", "mysql.wasm"),
    ("dvt-adapter-postgres", "plugins/adapters/postgres", "postgres.wasm"),
    ("dvt-compute-duckdb", "plugins/computes/duckdb", "compute-duckdb.wasm"),
    ("dvt-compute-spark", "plugins/computes/spark", "compute-spark.wasm"),
];

/// The crate of all connectors that are data, the folder of their sheets, and the file of the module alone, for sheets of
/// others.
const CONNECTOR: &str = "dvt-connector";
const SHEETS: &str = "plugins/computes/spark/connectors/products";
const BLANK: &str = "blank/connector.wasm";

pub fn build(root: &Path, target: &Path) -> Outcome<Vec<PathBuf>> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(["build", "--locked", "--ignore-rust-version", "--profile", "wasm-release", "--target", "wasm32-unknown-unknown"]);
    cargo.env("CARGO_TARGET_DIR", target);
    for name in PLUGINS.iter().map(|(name, _, _)| *name).chain([CONNECTOR]) {
        cargo.args(["-p", name]);
    }
    if !cargo.status()?.success() {
        return Err("the plugins do not build".into());
    }
    let out = target.join("plugins");
    std::fs::create_dir_all(&out)?;
    let mut written = Vec::new();
    let built = |name: &str| {
        let core = target.join("wasm32-unknown-unknown/wasm-release").join(format!("{}.wasm", name.replace('-', "_")));
        std::fs::read(&core).map_err(|e| format!("{}: {e}", core.display()))
    };
    for (name, folder, file) in PLUGINS {
        let module = built(name)?;
        let manifest = std::fs::read_to_string(root.join(folder).join("plugin.json"))?;
        // An adapter gives its sheet itself.
        let sheet = root.join(folder).join("dialect.toml");
        let component = match std::fs::read_to_string(&sheet) {
            Ok(sheet) if folder.contains("computes") => dvt_plugin_pack::pack_with_sheet(&module, &manifest, &sheet)?,
            _ => dvt_plugin_pack::pack(&module, &manifest)?,
        };
        written.push(kept(out.join(file), &component)?);
    }
    let module = built(CONNECTOR)?;
    std::fs::create_dir_all(out.join(BLANK).parent().unwrap_or(&out))?;
    written.push(kept(out.join(BLANK), &module)?);
    for sheet in std::fs::read_dir(root.join(SHEETS))? {
        let sheet = sheet?.path();
        let name = sheet.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let packed = dvt_plugin_pack::pack_connector(&module, &std::fs::read_to_string(&sheet)?).map_err(|e| format!("{}: {e}", sheet.display()))?;
        written.push(kept(out.join(format!("connector-{name}.wasm")), &packed)?);
    }
    Ok(written)
}

/// An unchanged file keeps its time and its place in the cache of compiled code.
fn kept(path: PathBuf, content: &[u8]) -> Outcome<PathBuf> {
    if std::fs::read(&path).ok().as_deref() != Some(content) {
        std::fs::write(&path, content)?;
    }
    Ok(path)
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
