//! A plugin's manifest, read from its file without running code.

use dvt_diagnostic::{Code, Diagnostic};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The custom section that holds it, as JSON.
pub const SECTION: &str = "dvt:manifest";
/// The custom section of a compute's own dialect sheet.
const SHEET: &str = "dvt:sheet";

/// Bytes that a manifest may have, types it may name, and characters of a name in it.
const LARGEST: usize = 16 << 10;
const MOST_TYPES: usize = 16;
const LONGEST_NAME: usize = 64;

/// The contract this host speaks.
pub const CONTRACT: (u64, u64) = (0, 1);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PluginKind {
    Adapter,
    Compute,
    Connector,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    Component,
    Extism,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginManifest {
    pub id: String,
    pub version: String,
    /// The contract version it was built for.
    pub contract: String,
    pub kind: PluginKind,
    /// The `type:` values of outputs or computes it handles.
    pub types: Vec<String>,
    /// What it asks the host to lend, such as `host-net`.
    #[serde(default)]
    pub permissions: Vec<String>,
}

/// Told apart by bytes 4 to 8 of the header.
pub fn encoding(bytes: &[u8]) -> Option<Encoding> {
    match bytes.get(..8)? {
        b"\0asm\x0d\0\x01\0" => Some(Encoding::Component),
        b"\0asm\x01\0\0\0" => Some(Encoding::Extism),
        _ => None,
    }
}

fn leb(bytes: &[u8], at: &mut usize) -> Option<usize> {
    let mut value = 0_usize;
    for shift in (0..35).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The content of a custom section at the top of a module or component.
fn section<'a>(bytes: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut at = 8;
    while at < bytes.len() {
        let id = *bytes.get(at)?;
        at += 1;
        let size = leb(bytes, &mut at)?;
        let end = at.checked_add(size)?;
        let body = bytes.get(at..end)?;
        if id == 0 {
            let mut inner = 0;
            let length = leb(body, &mut inner)?;
            if body.get(inner..inner.checked_add(length)?)? == name.as_bytes() {
                return body.get(inner + length..);
            }
        }
        at = end;
    }
    None
}

/// The dialect sheet that a compute brings.
pub fn sheet(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(section(bytes, SHEET)?).ok()
}

/// # Errors
/// `DVT5002` when the file is no plugin, `DVT5008` for another contract.
pub fn read(path: &Path, bytes: &[u8]) -> Result<(PluginManifest, Encoding), Diagnostic> {
    let shown = path.display();
    let invalid = |why: String| Diagnostic::error(Code::PluginInvalid, format!("{shown} is no plugin: {why}"));
    let encoding = encoding(bytes).ok_or_else(|| invalid("it is neither a WebAssembly component nor a module".to_owned()))?;
    let section = section(bytes, SECTION)
        .ok_or_else(|| invalid(format!("it has no `{SECTION}` section")).hint("build it with the SDK, which adds the manifest"))?;
    if section.len() > LARGEST {
        return Err(invalid(format!("its manifest has {} bytes, at most {LARGEST} are read", section.len())));
    }
    let manifest: PluginManifest = serde_json::from_slice(section).map_err(|e| invalid(format!("its manifest cannot be read: {e}")))?;
    // What the names say is shown to people and becomes part of paths and lists.
    let named = |name: &str| !name.is_empty() && name.len() <= LONGEST_NAME && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if let Some(name) = [&manifest.id].into_iter().chain(&manifest.types).find(|n| !named(n)) {
        let shown: String = name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
        return Err(invalid(format!("its manifest has the name `{shown}`")).hint("names are of ASCII letters, digits, `-`, `_` and `.`"));
    }
    if manifest.types.is_empty() || manifest.types.len() > MOST_TYPES {
        return Err(invalid(format!("plugin `{}` handles {} types; one to {MOST_TYPES} are allowed", manifest.id, manifest.types.len())));
    }
    let mut numbers = manifest.contract.split('.').filter_map(|n| n.parse::<u64>().ok());
    let asked = (numbers.next().unwrap_or(u64::MAX), numbers.next().unwrap_or(u64::MAX));
    if asked.0 != CONTRACT.0 || asked.1 > CONTRACT.1 {
        return Err(Diagnostic::error(
            Code::PluginContract,
            format!("plugin `{}` {} was built for contract {}, this dvt speaks {}.{}", manifest.id, manifest.version, manifest.contract, CONTRACT.0, CONTRACT.1),
        )
        .hint("use a plugin version for this dvt, or a newer dvt"));
    }
    Ok((manifest, encoding))
}
