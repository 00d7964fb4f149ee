//! What can be known before a session is started: Java, the library's version, whether anybody listens at the master.
//!
//! Spark itself needs a minute for some of these and then says something else.

use super::{ClusterError, ClusterSettings};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const DIAL: Duration = Duration::from_secs(2);

/// An installed Java.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Java {
    pub path: PathBuf,
    /// 8, 11, 17, …
    pub major: u32,
}

/// The Java of `home`, else of `JAVA_HOME`, else of the path; None where none runs.
pub fn java(home: Option<&Path>) -> Option<Java> {
    let named = home.map(Path::to_path_buf).or_else(|| std::env::var_os("JAVA_HOME").filter(|v| !v.is_empty()).map(PathBuf::from));
    let path = named.map_or_else(|| PathBuf::from("java"), |h| h.join("bin/java"));
    let output = Command::new(&path).arg("-version").stdin(Stdio::null()).output().ok().filter(|o| o.status.success())?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Some(Java { major: major(&text)?, path })
}

/// `openjdk version "17.0.15"` is 17, `java version "1.8.0_402"` is 8.
fn major(text: &str) -> Option<u32> {
    let version = text.split('"').nth(1)?;
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok());
    match numbers.next()? {
        1 => numbers.next(),
        n => Some(n),
    }
}

/// # Errors
/// No Java, or one that this version of the library does not run on.
pub(super) fn java_fits(version: &str, settings: &ClusterSettings) -> Result<(), ClusterError> {
    let newest = version.split('.').next().and_then(|n| n.parse::<u32>().ok()).is_some_and(|n| n >= 4);
    let wanted = if newest { "Java 17 or newer" } else { "Java 8, 11 or 17" };
    let hint = format!("Spark {version} needs {wanted}: install it and set `java_home` in the compute's config, or JAVA_HOME");
    let Some(java) = java(settings.java_home.as_deref()) else {
        let place = settings.java_home.as_ref().map(|h| h.display().to_string()).or_else(|| std::env::var("JAVA_HOME").ok().filter(|v| !v.is_empty()));
        let message = place.map_or_else(|| "there is no Java on this machine's path".to_owned(), |p| format!("there is no Java that runs at {p}/bin/java"));
        return Err(ClusterError::new(message).hint(hint).gone());
    };
    if (newest && java.major < 17) || java.major < 8 {
        return Err(ClusterError::new(format!("Java {} at {} is too old", java.major, java.path.display())).hint(hint).gone());
    }
    Ok(())
}

/// # Errors
/// A library of another version than the compute names. The last number may differ: it changes no protocol.
pub(super) fn version(found: &str, settings: &ClusterSettings) -> Result<(), ClusterError> {
    let Some(wanted) = &settings.version else { return Ok(()) };
    let line = |v: &str| v.split('.').take(2).map(str::to_owned).collect::<Vec<_>>();
    if settings.is_remote() || line(found) == line(wanted) {
        return Ok(());
    }
    let message = format!("the compute asks for version {wanted}, {} has pyspark {found}", settings.python.display());
    Err(ClusterError::new(message).hint(format!("run `dvt sync`, or `pip install pyspark=={wanted}` into it, or correct `version`")).gone())
}

/// Whether anybody listens there.
pub fn reachable(host: &str, port: u16) -> bool {
    (host, port).to_socket_addrs().is_ok_and(|mut all| all.any(|a| TcpStream::connect_timeout(&a, DIAL).is_ok()))
}

/// Why no session can be had from this master; None where one may.
pub(super) fn unreachable(master: &str) -> Option<String> {
    let (rest, usual) = if let Some(rest) = master.strip_prefix("spark://") {
        (rest, 7077)
    } else if let Some(rest) = master.strip_prefix("sc://") {
        (rest, 15002)
    } else {
        let rest = master.strip_prefix("k8s://")?;
        let secure = !rest.starts_with("http://");
        (rest.trim_start_matches("https://").trim_start_matches("http://"), if secure { 443 } else { 80 })
    };
    let places: Vec<(String, u16)> = rest.split(['/', ';']).next().unwrap_or_default().split(',').map(|place| match place.rsplit_once(':') {
        Some((host, port)) => (host.trim_matches(['[', ']']).to_owned(), port.parse().unwrap_or(usual)),
        None => (place.to_owned(), usual),
    }).collect();
    if places.iter().any(|(host, port)| reachable(host, *port)) {
        return None;
    }
    let list: Vec<String> = places.iter().map(|(host, port)| format!("{host}:{port}")).collect();
    Some(format!("nobody listens at {}, the master {master}", list.join(" or ")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{major, unreachable, version};
    use crate::cluster::ClusterSettings;

    #[test]
    fn java_tells_its_version_in_two_ways() {
        assert_eq!(major("openjdk version \"17.0.15\" 2025-04-15"), Some(17));
        assert_eq!(major("java version \"1.8.0_402\""), Some(8));
        assert_eq!(major("no java"), None);
    }

    #[test]
    fn a_master_that_nobody_listens_at_is_told_at_once() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        assert_eq!(unreachable(&format!("spark://127.0.0.1:{port}")), None);
        assert_eq!(unreachable(&format!("spark://127.0.0.1:1,127.0.0.1:{port}")), None);
        drop(free);
        assert!(unreachable(&format!("sc://127.0.0.1:{port}/;token=x")).unwrap().contains(&port.to_string()));
        assert_eq!(unreachable("local[2]"), None);
        assert_eq!(unreachable("yarn"), None);
    }

    #[test]
    fn the_line_of_versions_counts_not_its_last_number() {
        let of = |v: &str| ClusterSettings { version: Some(v.to_owned()), master: "local".to_owned(), ..ClusterSettings::default() };
        assert!(version("3.5.9", &of("3.5.0")).is_ok());
        assert!(version("4.1.2", &of("3.5.0")).unwrap_err().hint.unwrap().contains("sync"));
    }
}
