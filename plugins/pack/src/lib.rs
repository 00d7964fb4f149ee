//! From what a compiler writes to a plugin file: a component out of a core module, and the manifest as a custom section.
//!
//! One home for `dvt plugin pack` and the build of the bundled plugins. Nothing is run and nothing is decided here.

mod place;

pub use place::place;
use serde_json::Value;

/// The custom section that holds the manifest.
pub const SECTION: &str = "dvt:manifest";
/// The custom section with the dialect sheet of a compute whose engine speaks no adapter's dialect.
pub const SHEET: &str = "dvt:sheet";

/// What Extism's own functions are imported from.
const EXTISM: &[u8] = b"extism:host/env";

/// Kinds of plugins that a manifest may name.
const KINDS: [&str; 3] = ["adapter", "compute", "connector"];

#[derive(Debug, thiserror::Error)]
pub enum PackError {
    #[error("the file is no WebAssembly")]
    NotWasm,
    #[error("the file has a manifest already")]
    Packed,
    #[error("the module cannot be made a component: {0}")]
    NotComponent(String),
    #[error("the manifest {0}")]
    Manifest(String),
    #[error("the module has no place for a sheet")]
    NoPlace,
}

/// The plugin file for a module (or a component) and its manifest, JSON.
///
/// A module that imports Extism's functions stays a module; every other one becomes a component.
///
/// # Errors
/// A manifest that lacks a key, a module without the contract's bindings.
pub fn pack(wasm: &[u8], manifest: &str) -> Result<Vec<u8>, PackError> {
    let manifest = checked(manifest)?;
    let mut packed = component(wasm)?;
    append(&mut packed, SECTION, manifest.to_string().as_bytes());
    Ok(packed)
}

/// As [`pack`], of a compute that brings the dialect sheet of its engine.
///
/// # Errors
/// As [`pack`].
pub fn pack_with_sheet(wasm: &[u8], manifest: &str, sheet: &str) -> Result<Vec<u8>, PackError> {
    let mut packed = pack(wasm, manifest)?;
    append(&mut packed, SHEET, sheet.as_bytes());
    Ok(packed)
}

/// The connector of one product: the module that serves all of them, and the product's sheet, TOML, whose `plugin` is the
/// manifest but for its kind.
///
/// # Errors
/// As [`pack`]; a sheet that is no TOML or has no `plugin`, a module that has no place for one.
pub fn pack_connector(wasm: &[u8], sheet: &str) -> Result<Vec<u8>, PackError> {
    let document: toml::Table = sheet.parse().map_err(|e| PackError::Manifest(format!("stands in no TOML: {e}")))?;
    let manifest = document.get("plugin").and_then(toml::Value::as_table).ok_or_else(|| PackError::Manifest("is missing: the sheet has no `plugin`".to_owned()))?;
    let mut manifest = serde_json::to_value(manifest).map_err(|e| PackError::Manifest(e.to_string()))?;
    manifest["kind"] = "connector".into();
    if manifest.get("permissions").is_none() {
        manifest["permissions"] = Value::Array(Vec::new());
    }
    pack(&place(wasm, sheet)?, &manifest.to_string())
}

/// The module as a component, or as it is.
pub fn component(wasm: &[u8]) -> Result<Vec<u8>, PackError> {
    let modular = match wasm.get(..8) {
        Some(b"\0asm\x01\0\0\0") => true,
        Some(b"\0asm\x0d\0\x01\0") => false,
        _ => return Err(PackError::NotWasm),
    };
    let sections = sections(wasm).ok_or(PackError::NotWasm)?;
    if sections.iter().any(|(id, body)| *id == 0 && named(body, SECTION)) {
        return Err(PackError::Packed);
    }
    let extism = sections.iter().any(|(id, body)| *id == 2 && body.windows(EXTISM.len()).any(|w| w == EXTISM));
    if !modular || extism {
        return Ok(wasm.to_vec());
    }
    let encode = || wit_component::ComponentEncoder::default().validate(true).module(wasm)?.encode();
    encode().map_err(|e| PackError::NotComponent(format!("{e:#}")))
}

fn checked(manifest: &str) -> Result<Value, PackError> {
    let value: Value = serde_json::from_str(manifest).map_err(|e| PackError::Manifest(format!("is no JSON: {e}")))?;
    for key in ["id", "version", "contract", "kind"] {
        if value.get(key).and_then(Value::as_str).is_none_or(str::is_empty) {
            return Err(PackError::Manifest(format!("has no `{key}`")));
        }
    }
    if !KINDS.contains(&value["kind"].as_str().unwrap_or_default()) {
        return Err(PackError::Manifest(format!("has an unknown `kind`; known are {}", KINDS.join(", "))));
    }
    let types = value.get("types").and_then(Value::as_array);
    if types.is_none_or(|t| t.is_empty() || t.iter().any(|t| t.as_str().is_none_or(str::is_empty))) {
        return Err(PackError::Manifest("has no `types`, the names that profiles use".to_owned()));
    }
    Ok(value)
}

fn named(body: &[u8], name: &str) -> bool {
    body.split_first().is_some_and(|(length, rest)| usize::from(*length) == name.len() && rest.starts_with(name.as_bytes()))
}

/// Number and content of each section.
fn sections(wasm: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let (mut at, mut out) = (8, Vec::new());
    while at < wasm.len() {
        let id = wasm[at];
        at += 1;
        let (mut size, mut shift) = (0_usize, 0);
        loop {
            let byte = *wasm.get(at)?;
            at += 1;
            size |= usize::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let end = at.checked_add(size)?;
        out.push((id, wasm.get(at..end)?));
        at = end;
    }
    Some(out)
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

#[cfg(test)]
mod tests {
    use super::{PackError, pack};

    const MANIFEST: &str = r#"{"id": "a", "version": "1", "contract": "0.1.0", "kind": "adapter", "types": ["a"]}"#;

    #[test]
    fn what_is_no_plugin_is_refused_with_the_reason() {
        assert!(matches!(pack(b"no wasm", MANIFEST), Err(PackError::NotWasm)));
        let bare = b"\0asm\x01\0\0\0";
        assert!(matches!(pack(bare, "{}"), Err(PackError::Manifest(why)) if why.contains("`id`")));
        assert!(matches!(pack(bare, &MANIFEST.replace("adapter", "x")), Err(PackError::Manifest(why)) if why.contains("kind")));
        assert!(matches!(pack(bare, &MANIFEST.replace("[\"a\"]", "[]")), Err(PackError::Manifest(why)) if why.contains("types")));
    }

    #[test]
    fn a_component_gets_its_manifest_once() {
        let component = b"\0asm\x0d\0\x01\0";
        let packed = pack(component, MANIFEST);
        let packed = packed.as_ref().map(Vec::as_slice).unwrap_or_default();
        assert!(packed.windows(12).any(|w| w == b"dvt:manifest"));
        assert!(matches!(pack(packed, MANIFEST), Err(PackError::Packed)));
    }
}
