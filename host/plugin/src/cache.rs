//! Compiled components, kept between runs.
//!
//! A `.cwasm` file is native code: one is loaded only from a folder of ours that nobody else may write, under a name
//! made of the component's hash, the runtime's version and its settings' hash, with a sum of name and code before it, so
//! that neither a broken disk nor a mixed-up file is run; it is written beside and renamed.

use sha2::{Digest, Sha256};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use wasmtime::Engine;
use wasmtime::component::Component;

/// The runtime's version: a compiled file of another one is not looked at.
const RUNTIME: &str = "49.0.5";

/// FNV-1a: stable between builds, unlike the standard hasher.
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.0 = (self.0 ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

fn file(engine: &Engine, folder: &Path, bytes: &[u8]) -> PathBuf {
    let mut settings = Fnv(0xcbf2_9ce4_8422_2325);
    engine.precompile_compatibility_hash().hash(&mut settings);
    let content = Sha256::digest(bytes).iter().take(16).fold(String::new(), |out, b| format!("{out}{b:02x}"));
    folder.join(format!("{content}-{RUNTIME}-{:016x}.cwasm", settings.finish()))
}

/// Bytes of the sum that stands before the code.
const SUM: usize = 32;

fn sum(path: &Path, code: &[u8]) -> [u8; SUM] {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    Sha256::new().chain_update(name).chain_update(code).finalize().into()
}

/// The code of a file that is whole and bears its own name.
fn whole(path: &Path) -> Option<Vec<u8>> {
    let bytes = std::fs::read(path).ok()?;
    let (told, code) = bytes.split_at_checked(SUM)?;
    (told == sum(path, code)).then(|| code.to_vec())
}

/// Whether the folder is ours alone; it is made when it is missing.
fn private(folder: &Path) -> bool {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
    if !folder.exists() {
        let mut builder = std::fs::DirBuilder::new();
        if builder.recursive(true).mode(0o700).create(folder).is_err() {
            return false;
        }
    }
    let Ok(own) = tempfile::NamedTempFile::new_in(folder).and_then(|f| f.as_file().metadata()) else { return false };
    std::fs::metadata(folder).is_ok_and(|m| m.is_dir() && m.uid() == own.uid() && m.permissions().mode() & 0o022 == 0)
}

/// Whether a file is a plain one that only its owner, who is the folder's, may write.
fn own_file(folder: &Path, file: &Path) -> bool {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let (Ok(folder), Ok(file)) = (std::fs::metadata(folder), std::fs::symlink_metadata(file)) else { return false };
    file.is_file() && file.uid() == folder.uid() && file.permissions().mode() & 0o022 == 0
}

/// The compiled component, from the cache or compiled now. `true` when it came from the cache.
pub fn component(engine: &Engine, folder: Option<&Path>, bytes: &[u8]) -> Result<(Component, bool), wasmtime::Error> {
    let Some(folder) = folder.filter(|f| private(f)) else { return Ok((Component::new(engine, bytes)?, false)) };
    let path = file(engine, folder, bytes);
    if own_file(folder, &path)
        && let Some(code) = whole(&path)
    {
        // SAFETY: the folder and the file are this user's and nobody else may write either, so the code is what this
        // function wrote there; a folder that was open to others once is not made safe by this and must be emptied.
        // The name holds the hash of what it was compiled from; wasmtime checks version and settings again.
        #[expect(unsafe_code, reason = "compiled code is native code; see SAFETY")]
        let loaded = unsafe { Component::deserialize(engine, &code) };
        if let Ok(component) = loaded {
            return Ok((component, true));
        }
    }
    let component = Component::new(engine, bytes)?;
    // A cache that cannot be written costs time, nothing else.
    if let (Ok(code), Ok(mut temporary)) = (component.serialize(), tempfile::NamedTempFile::new_in(folder)) {
        use std::io::Write as _;
        if temporary.write_all(&sum(&path, &code)).and_then(|()| temporary.write_all(&code)).is_ok() {
            let _ = temporary.persist(&path);
        }
    }
    Ok((component, false))
}
