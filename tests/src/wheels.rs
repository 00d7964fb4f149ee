//! Wheels of native drivers, fetched once by pip into the cache folder: tests need no index afterwards.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Package, version.
const WHEELS: [(&str, &str); 4] =
    [("adbc-driver-postgresql", "1.13.0"), ("adbc-driver-sqlite", "1.13.0"), ("adbc-driver-snowflake", "1.11.0"), ("adbc-driver-bigquery", "1.11.0")];

fn has(folder: &Path, package: &str, version: &str) -> bool {
    let start = format!("{}-{version}-", package.replace('-', "_"));
    std::fs::read_dir(folder).is_ok_and(|files| files.flatten().any(|f| f.file_name().to_string_lossy().starts_with(&start)))
}

/// The folder that has them all: `DVT_TEST_WHEELS`, or `wheels` of the cache.
///
/// # Panics
/// When pip cannot fetch one.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let cache = || PathBuf::from(std::env::var_os("HOME").expect("a home folder")).join(".cache/dvt/wheels");
        let folder = std::env::var_os("DVT_TEST_WHEELS").map_or_else(cache, PathBuf::from);
        std::fs::create_dir_all(&folder).expect("a cache folder");
        for (package, version) in WHEELS {
            if has(&folder, package, version) {
                continue;
            }
            let part = tempfile::tempdir_in(&folder).expect("a folder");
            let asked = format!("{package}=={version}");
            let words = ["-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d"];
            let output = Command::new("python3").args(words).arg(part.path()).arg(&asked).output().expect("python3");
            assert!(output.status.success(), "{asked}: {}", String::from_utf8_lossy(&output.stderr));
            for file in std::fs::read_dir(part.path()).expect("a folder").flatten() {
                std::fs::rename(file.path(), folder.join(file.file_name())).expect("a wheel in its place");
            }
        }
        folder
    })
}
