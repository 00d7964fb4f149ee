//! Bytes of a folder or of a server. There is no default address: a person names every place.

use super::failed;
use dvt_diagnostic::Diagnostic;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// A server that does not answer is given up; one that sends is not, until the whole takes this long.
const DIAL: Duration = Duration::from_secs(10);
const WHOLE: Duration = Duration::from_secs(600);
/// A larger file is refused.
const LARGEST: u64 = 1 << 30;

/// `place` joined with a name below it: both folders and addresses.
pub fn below(place: &str, name: &str) -> String {
    format!("{}/{name}", place.trim_end_matches('/'))
}

/// The file at a path, a `file://` path or an http(s) address.
pub fn bytes(place: &str) -> Result<Vec<u8>, Diagnostic> {
    let told = |e: &dyn std::fmt::Display| failed(&format!("{place} cannot be read"), e);
    if !place.starts_with("http://") && !place.starts_with("https://") {
        return std::fs::read(Path::new(place.strip_prefix("file://").unwrap_or(place))).map_err(|e| told(&e));
    }
    let config = ureq::Agent::config_builder().timeout_connect(Some(DIAL)).timeout_global(Some(WHOLE)).build();
    let agent: ureq::Agent = config.into();
    let answer = agent.get(place).call().map_err(|e| told(&e))?;
    let mut out = Vec::new();
    answer.into_body().into_reader().take(LARGEST + 1).read_to_end(&mut out).map_err(|e| told(&e))?;
    if out.len() as u64 > LARGEST {
        return Err(told(&format!("it has more than {LARGEST} bytes")));
    }
    Ok(out)
}

/// In hexadecimal, as lock files and indexes have it.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub fn sha1(bytes: &[u8]) -> String {
    use sha1::Digest as _;
    hex(&sha1::Sha1::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
