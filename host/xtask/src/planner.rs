//! `cargo xtask planner`: the planner as a component, in `<target>/planner`.

use std::path::{Path, PathBuf};
use std::process::Command;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

pub fn build(root: &Path, target: &Path) -> Outcome<Vec<PathBuf>> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).env("CARGO_TARGET_DIR", target);
    cargo.args(["build", "--locked", "--ignore-rust-version", "--profile", "wasm-release", "--target", "wasm32-unknown-unknown", "-p", "dvt-planner-component"]);
    if !cargo.status()?.success() {
        return Err("the planner does not build".into());
    }
    let module = std::fs::read(target.join("wasm32-unknown-unknown/wasm-release/dvt_planner_component.wasm"))?;
    let component = wit_component::ComponentEncoder::default().validate(true).module(&module)?.encode()?;
    let out = target.join("planner");
    std::fs::create_dir_all(&out)?;
    let path = out.join("dvt-planner.wasm");
    std::fs::write(&path, component)?;
    Ok(vec![path])
}
