//! `docs serve`: the files of `target/` over HTTP, to readers on this machine unless another address is given.

use super::docs::no_page;
use super::{OK, Task};
use dvt_diagnostic::{Code, Diagnostic};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// How often Ctrl-C is looked for.
const PAUSE: Duration = Duration::from_millis(50);
/// A request's head may be as long.
const LONGEST: u64 = 16 << 10;
const PATIENCE: Duration = Duration::from_secs(10);

impl Task {
    /// # Errors
    /// No page, or an address that cannot be used.
    pub fn docs_serve(&self, host: &str, port: u16) -> Result<u8, Vec<Diagnostic>> {
        let project = self.project()?;
        let folder = project.target_path();
        if !folder.join("index.html").is_file() {
            return Err(vec![no_page(&folder)]);
        }
        let failed = |e: std::io::Error| vec![Diagnostic::error(Code::Usage, format!("{host}:{port} cannot be served: {e}")).hint("--port 0 takes any free port")];
        let listener = TcpListener::bind((host, port)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        self.printer.line(&format!("Serving docs at http://{address}"));
        self.printer.line("Press Ctrl+C to exit.");
        if self.settings.on("browser") && std::io::IsTerminal::is_terminal(&std::io::stdout()) {
            let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
            // Without a browser the address above is enough.
            let _ = std::process::Command::new(program).arg(format!("http://{address}")).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn();
        }
        while !self.cancel.is_cancelled() {
            match listener.accept() {
                Ok((stream, _)) => {
                    let folder = folder.clone();
                    // A reader that goes away is no matter of the server's.
                    std::thread::spawn(move || answer(stream, &folder));
                }
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => std::thread::sleep(PAUSE),
                Err(e) => return Err(failed(e)),
            }
        }
        Ok(OK)
    }
}

fn answer(stream: TcpStream, folder: &Path) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    let mut reader = BufReader::new(std::io::Read::take(stream.try_clone()?, LONGEST));
    reader.read_line(&mut line)?;
    let mut rest = String::new();
    while reader.read_line(&mut rest)? > 2 {
        rest.clear();
    }
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut stream = stream;
    let found = file(folder, target).filter(|_| matches!(method, "GET" | "HEAD")).and_then(|path| Some((kind(&path), std::fs::read(path).ok()?)));
    let (status, kind, body) = match found {
        Some((kind, body)) => ("200 OK", kind, body),
        None => ("404 Not Found", "text/plain", b"not found\n".to_vec()),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes())?;
    if method != "HEAD" {
        stream.write_all(&body)?;
    }
    stream.flush()
}

/// The file below `folder` that a request names; nothing outside it, and only what a page reads.
fn file(folder: &Path, target: &str) -> Option<PathBuf> {
    let path = target.split(['?', '#']).next()?.trim_start_matches('/');
    let path = if path.is_empty() { "index.html" } else { path };
    let plain = Path::new(path).components().all(|c| matches!(c, Component::Normal(_)));
    let known = Path::new(path).extension().is_some_and(|e| matches!(e.to_str(), Some("html" | "json" | "js" | "css" | "sql" | "svg" | "ico" | "png")));
    Some(folder.join(path)).filter(|p| plain && known && p.is_file())
}

fn kind(path: &Path) -> &'static str {
    match path.extension().and_then(|e| e.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("json") => "application/json",
        Some("js") => "text/javascript",
        Some("css") => "text/css",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::file;

    #[test]
    fn only_files_below_the_folder_are_given() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("index.html"), "x").unwrap();
        std::fs::write(folder.path().join("secret"), "x").unwrap();
        assert!(file(folder.path(), "/").is_some() && file(folder.path(), "/index.html?x=1").is_some());
        for target in ["/../index.html", "/secret", "//etc/passwd", "/none.json", "/./../x.html"] {
            assert!(file(folder.path(), target).is_none(), "{target}");
        }
    }
}
