//! The library that is loaded before dvt's own: it counts the operations on watched files, and does what a test asks at
//! the n-th (see `shim.c`). It needs no privilege, and nothing of it is in dvt.

use super::cli::World;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What happens at the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Do {
    /// Killed before it.
    Kill,
    /// Killed after half of it, where it writes.
    Torn,
    /// From here on no write finds room.
    Full,
}

/// Compiled once a test process; the C compiler is the one that dvt's own build needs.
fn library() -> &'static Path {
    static BUILT: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = BUILT.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("faults.so");
        let source = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("tests/publish_faults/shim.c");
        let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&path).arg(source).arg("-ldl").output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        (folder, path)
    });
    path
}

fn command(world: &World, words: &[&str], files: &Path, fault: &str, at: usize) -> Command {
    let mut command = world.command("p", words);
    command.env("LD_PRELOAD", library()).env("FAULT_FILES", files).env("FAULT", fault).env("FAULT_AT", at.to_string());
    command
}

/// The operations of an undisturbed run on files below `files`, in order: what, and the file's name.
pub fn operations(world: &World, words: &[&str], files: &Path) -> Vec<(String, String)> {
    let log = world.path("operations");
    let _ = std::fs::remove_file(&log);
    let said = super::cli::said({
        let mut counted = command(world, words, files, "count", 0);
        counted.env("FAULT_LOG", &log);
        counted
    });
    assert_eq!(said.code, 0, "{}", said.all());
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    let name = |path: &str| Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned();
    text.lines().filter_map(|l| l.split_once(' ')).map(|(what, path)| (what.to_owned(), name(path))).collect()
}

/// The command that meets `what` at operation `at`, from 1.
pub fn faulty(world: &World, words: &[&str], files: &Path, what: Do, at: usize) -> Command {
    let fault = match what {
        Do::Kill => "kill",
        Do::Torn => "torn",
        Do::Full => "full",
    };
    command(world, words, files, fault, at)
}

/// At most `most` numbers of 1..=count, evenly spread, with the first and the last.
pub fn spread(count: usize, most: usize) -> Vec<usize> {
    if count <= most {
        return (1..=count).collect();
    }
    let mut out: Vec<usize> = (0..most).map(|i| 1 + i * (count - 1) / (most - 1)).collect();
    out.dedup();
    out
}
