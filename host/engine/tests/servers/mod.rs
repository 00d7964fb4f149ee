//! Real servers for tests. Here PostgreSQL: own data folder, free loopback port, stopped when dropped.

#[allow(dead_code, reason = "not every test that starts servers needs this one")]
pub mod mariadb;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[allow(dead_code, reason = "not every test that starts servers needs this one")]
/// A running server; user `dvt`, trusted from loopback, database `postgres`.
pub struct PostgresServer {
    pub port: u16,
    /// What the server says of itself.
    #[allow(dead_code, reason = "not every test reads it")]
    pub log: PathBuf,
    child: Child,
    _folder: tempfile::TempDir,
}

#[allow(dead_code, reason = "not every test that starts servers needs this one")]
/// The newest installed server's programs. Its absence is a failure, not a skip: `make test` installs it.
fn programs() -> PathBuf {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL is not installed: run `make test`, which installs it")
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    versions.sort();
    versions.pop().expect("PostgreSQL's server programs are not installed: run `make test`, which installs them")
}

#[allow(dead_code, reason = "not every test that starts servers needs this one")]
/// The server refuses root, so root runs it as the user that Debian's package made.
fn command(program: &Path) -> Command {
    let root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout.starts_with(b"0\n"));
    if root {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

#[allow(dead_code, reason = "not every test that starts servers needs this one")]
impl PostgresServer {
    #[allow(dead_code, reason = "not every test trusts everybody")]
    pub fn start() -> Self {
        Self::start_as("trust", "unused")
    }

    /// As `start`, but user `dvt` needs its password.
    #[allow(dead_code, reason = "not every test that starts servers asks for passwords")]
    pub fn start_with_passwords(password: &str) -> Self {
        Self::start_as("scram-sha-256", password)
    }

    /// Runs statements; rows of all as `a | b`, NULL as such.
    pub fn lines(&self, sql: &str) -> Vec<String> {
        let address = format!("host=127.0.0.1 port={} user=dvt dbname=postgres", self.port);
        let mut client = postgres::Client::connect(&address, postgres::NoTls).unwrap();
        let rows = client.simple_query(sql).unwrap().into_iter().filter_map(|m| match m {
            postgres::SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|i| row.get(i).unwrap_or("NULL").to_owned()).collect::<Vec<_>>().join(" | ")),
            _ => None,
        });
        rows.collect()
    }

    fn start_as(authentication: &str, password: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let password_file = folder.path().join("password");
        std::fs::write(&password_file, password).unwrap();
        let _ = Command::new("chown").arg("-R").arg("postgres").arg(folder.path()).output();
        let bin = programs();
        let made = command(&bin.join("initdb"))
            .args(["-U", "dvt", "-A", authentication, "-E", "UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(&data)
            .arg("--pwfile")
            .arg(&password_file)
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = folder.path().join("log");
        let child = command(&bin.join("postgres"))
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "unix_socket_directories="])
            .args(["-p", &port.to_string(), "-D"])
            .arg(&data)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let server = Self { port, log, child, _folder: folder };
        let start = Instant::now();
        while !Command::new(bin.join("pg_isready"))
            .args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()])
            .status()
            .is_ok_and(|s| s.success())
        {
            assert!(start.elapsed() < Duration::from_secs(30), "the server did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // SIGINT is PostgreSQL's fast shutdown; setpriv execs, so the pid is the server's own.
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}
