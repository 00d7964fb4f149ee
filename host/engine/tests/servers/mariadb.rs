//! A real MariaDB for tests: own data folder, free loopback port, stopped when dropped.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server; user `dvt` without a password, who may do everything.
pub struct MariadbServer {
    pub port: u16,
    child: Child,
    _folder: tempfile::TempDir,
}

/// A program of Debian's package. Its absence is a failure, not a skip: `make test` installs it.
fn program(name: &str) -> PathBuf {
    let found = ["/usr/sbin", "/usr/bin", "/usr/local/bin"].iter().map(|f| PathBuf::from(f).join(name)).find(|p| p.exists());
    found.unwrap_or_else(|| panic!("{name} is not installed: run `make test`, which installs it"))
}

/// The server gives up root's rights by itself, for the user that Debian's package made.
fn user() -> &'static str {
    let root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout.starts_with(b"0\n"));
    if root { "--user=mysql" } else { "--skip-symbolic-links" }
}

impl MariadbServer {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// As `start`, with further options of the server.
    pub fn start_with(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let first = folder.path().join("first.sql");
        std::fs::write(&first, "CREATE USER dvt@'%';\nGRANT ALL ON *.* TO dvt@'%' WITH GRANT OPTION;\n").unwrap();
        let _ = Command::new("chown").args(["-R", "mysql"]).arg(folder.path()).output();
        // Two of them at once would share names in one folder for temporary tables.
        let made = Command::new(program("mariadb-install-db"))
            .env("TMPDIR", folder.path())
            .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", user()])
            .arg(format!("--datadir={}", data.display()))
            .output()
            .unwrap();
        assert!(made.status.success(), "mariadb-install-db: {}", String::from_utf8_lossy(&made.stderr));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(program("mariadbd"))
            .args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve", "--skip-log-bin", "--innodb-flush-log-at-trx-commit=0"])
            .args(["--innodb-buffer-pool-size=128M", "--character-set-server=utf8mb4", user()])
            .arg(format!("--port={port}"))
            .arg(format!("--datadir={}", data.display()))
            // A server that starts takes away what another one has in a shared folder.
            .arg(format!("--tmpdir={}", folder.path().display()))
            .arg(format!("--socket={}", folder.path().join("socket").display()))
            .arg(format!("--init-file={}", first.display()))
            .args(options)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { port, child, _folder: folder };
        let start = Instant::now();
        while !server.client().args(["-e", "select 1"]).output().is_ok_and(|o| o.status.success()) {
            assert!(start.elapsed() < Duration::from_secs(60), "the server did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    /// The product's own client.
    pub fn client(&self) -> Command {
        let mut command = Command::new(program("mariadb"));
        command.args(["--no-defaults", "-h127.0.0.1", "-udvt", "--default-character-set=utf8mb4", "--local-infile=1"]).arg(format!("-P{}", self.port));
        command
    }

    /// Runs statements; rows of all as `a | b`, NULL as such.
    pub fn lines(&self, sql: &str) -> Vec<String> {
        let told = self.client().args(["--batch", "--skip-column-names", "-e", sql]).output().unwrap();
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        String::from_utf8(told.stdout).unwrap().lines().map(|l| l.replace('\t', " | ")).collect()
    }
}

impl Drop for MariadbServer {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}
