//! The real binary in a folder of its own: what a person types and sees.
#![allow(dead_code, clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Folder of `target/release`, in which the test's own binary lies too.
fn build_folder() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.parent().and_then(Path::parent).unwrap().to_path_buf()
}

/// The plugins that `cargo xtask plugins` built.
pub fn plugins() -> PathBuf {
    let plugins = build_folder().parent().unwrap().join("plugins");
    assert!(plugins.is_dir(), "{} is missing: cargo xtask plugins", plugins.display());
    plugins
}

pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// Both streams: where a line goes is checked where it matters.
    pub fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.all());
        self
    }
    #[track_caller]
    pub fn fails(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, code, "{}", self.all());
        for word in words {
            assert!(self.all().contains(word), "`{word}` is missing in:\n{}", self.all());
        }
        self
    }
}

pub struct World {
    pub folder: tempfile::TempDir,
}

impl World {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
    pub fn home(&self) -> PathBuf {
        self.path("home")
    }
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    /// A folder as it is, under a name of the world's.
    #[allow(dead_code)] // Not every test binary copies one.
    pub fn copy(&self, from: &Path, to: &str) {
        for entry in std::fs::read_dir(from).unwrap_or_else(|e| panic!("{}: {e}", from.display())) {
            let path = entry.unwrap().path();
            let name = format!("{to}/{}", path.file_name().unwrap().to_string_lossy());
            if path.is_dir() {
                self.copy(&path, &name);
            } else {
                let to = self.path(&name);
                std::fs::create_dir_all(to.parent().unwrap()).unwrap();
                std::fs::copy(&path, to).unwrap();
            }
        }
    }
    /// A project of `tests/projects`.
    #[allow(dead_code)]
    pub fn copy_project(&self, name: &str, to: &str) {
        self.copy(&PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("projects").join(name), to);
    }
    /// The binary in a folder of the world, DVT home beside it, nothing else of the caller's environment.
    pub fn command(&self, folder: &str, words: &[&str]) -> Command {
        let build = build_folder();
        let binary = build.join("dvt");
        assert!(binary.is_file(), "{} is missing: cargo build --release -p dvt", binary.display());
        let plugins = plugins();
        let mut command = Command::new(binary);
        command.args(words).current_dir(self.path(folder)).env_clear();
        for name in ["PATH", "LD_LIBRARY_PATH", "DUCKDB_LIB_DIR"] {
            command.envs(std::env::var_os(name).map(|v| (name, v)));
        }
        command.env("HOME", self.path("user")).env("DVT_PROFILES_DIR", self.home()).env("DVT_PLUGIN_PATH", plugins);
        command
    }
    pub fn dvt(&self, folder: &str, words: &[&str]) -> Said {
        said(self.command(folder, words))
    }
}

/// Runs to the end.
pub fn said(mut command: Command) -> Said {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}
