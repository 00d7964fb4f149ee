//! Trial 4 (SPEC section 10): trial 3's project, then `sync`: one pyspark, plugins in range, drivers fetched once.
//!
//! Environments and pip are real. The wheels are small ones of pyspark's name and versions, from a folder: fetching the real
//! ones takes minutes, and `make test-spark` has them.
#![allow(clippy::unwrap_used, missing_docs)]

mod cli;

use cli::{Said, World, said};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const COMPUTES: &str = "shop:\n  target: default\n  computes:\n    default: {type: duckdb}\n";

fn project() -> World {
    let world = World::new();
    world.dvt("", &["init", "shop"]).ok();
    world
}

/// A computes.yml with the given Spark computes; `active` is the one that counts.
fn computes(world: &World, active: &str, sparks: &[(&str, &str)]) {
    let mut text = COMPUTES.replace("target: default", &format!("target: {active}"));
    for (name, version) in sparks {
        text += &format!("    {name}: {{type: spark, version: \"{version}\", master: \"local[2]\"}}\n");
    }
    world.write("home/computes.yml", &text);
}

/// A folder with wheels of several versions, made once for all tests.
fn wheels() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let program = r#"
import sys, zipfile
for name, version in (("pyspark", "3.5.9"), ("pyspark", "4.3.0"), ("pyspark_client", "4.2.0")):
    tag = f"{name}-{version}"
    with zipfile.ZipFile(f"{sys.argv[1]}/{tag}-py3-none-any.whl", "w") as wheel:
        files = {f"{name}/version.py": f'__version__ = "{version}"\n'}
        files[f"{tag}.dist-info/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        files[f"{tag}.dist-info/WHEEL"] = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        files[f"{tag}.dist-info/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{tag}.dist-info/RECORD"])
        for path, text in files.items():
            wheel.writestr(path, text)
"#;
        assert!(Command::new("python3").args(["-c", program]).arg(folder.path()).status().unwrap().success());
        folder
    }).path()
}

/// An environment with pip at `name`.
fn environment(world: &World, name: &str) -> PathBuf {
    let folder = world.path(name);
    assert!(Command::new("python3").args(["-m", "venv"]).arg(&folder).status().unwrap().success());
    folder
}

fn pip(environment: &Path, words: &[&str]) -> String {
    let output = Command::new(environment.join("bin/python")).args(["-m", "pip", "--disable-pip-version-check"]).args(words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn install(environment: &Path, what: &str) {
    pip(environment, &["install", "-q", "--no-index", "--find-links", wheels().to_str().unwrap(), what]);
}

fn sparks(environment: &Path) -> Vec<String> {
    pip(environment, &["list", "--format=freeze"]).lines().filter(|l| l.starts_with("pyspark")).map(str::to_owned).collect()
}

fn sync(world: &World, words: &[&str]) -> Said {
    let mut command = world.command("shop", &[&["sync"], words].concat());
    command.env("PIP_NO_INDEX", "1").env("PIP_FIND_LINKS", wheels());
    said(command)
}

fn lock(world: &World) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(world.path("shop/dvt-lock.json")).unwrap()).unwrap()
}

#[test]
fn without_a_spark_compute_no_environment_is_needed_and_a_second_run_changes_nothing() {
    let world = project();
    computes(&world, "default", &[]);
    let first = sync(&world, &[]).ok();
    assert!(first.out.contains("No compute needs pyspark") && first.out.contains("Writing dvt-lock.json"), "{}", first.out);
    let before = std::fs::read(world.path("shop/dvt-lock.json")).unwrap();
    let second = sync(&world, &[]).ok();
    assert!(second.out.contains("Everything is in place; nothing was changed"), "{}", second.out);
    assert_eq!(std::fs::read(world.path("shop/dvt-lock.json")).unwrap(), before);
    assert_eq!(lock(&world)["plugins"]["dvt.duckdb"]["version"], "1.0.0");
    world.dvt("shop", &["parse"]).ok();
}

#[test]
fn no_environment_is_a_message_that_says_what_to_do() {
    let world = project();
    computes(&world, "fast", &[("fast", "4.3.0")]);
    sync(&world, &[]).fails(1, &["DVT5110", "there is no Python environment", ".venv, venv, env", "--python-env"]);
    sync(&world, &["--python-env", "nowhere"]).fails(1, &["is no Python environment", "python3 -m venv"]);
}

#[test]
fn another_pyspark_goes_and_exactly_the_one_that_the_computes_name_stays() {
    let world = project();
    let own = environment(&world, "shop/.venv");
    install(&own, "pyspark==3.5.9");
    install(&own, "pyspark-client==4.2.0");
    // The active compute is DuckDB; the only Spark compute names the version.
    computes(&world, "default", &[("cluster", "4.3.0")]);
    let planned = sync(&world, &["--dry-run"]).ok();
    assert!(planned.out.contains("Would install pyspark 4.3.0") && planned.out.contains("--dry-run"), "{}", planned.out);
    assert!(sparks(&own).contains(&"pyspark==3.5.9".to_owned()) && !world.path("shop/dvt-lock.json").exists());
    sync(&world, &[]).ok();
    assert_eq!(sparks(&own), ["pyspark==4.3.0"]);
    assert_eq!(lock(&world)["libraries"]["pyspark"], "4.3.0");
    let again = sync(&world, &[]).ok();
    assert!(again.out.contains("Everything is in place; nothing was changed"), "{}", again.out);
    // The active compute's version wins over others.
    computes(&world, "old", &[("cluster", "4.3.0"), ("old", "3.5.9")]);
    sync(&world, &[]).ok();
    assert_eq!(sparks(&own), ["pyspark==3.5.9"]);
    // A version that nobody has leaves what is there.
    computes(&world, "new", &[("new", "9.9.9")]);
    sync(&world, &[]).fails(1, &["pyspark==9.9.9 cannot be fetched; the environment is unchanged"]);
    assert_eq!(sparks(&own), ["pyspark==3.5.9"]);
    // Several versions, none of them active.
    computes(&world, "default", &[("a", "4.3.0"), ("b", "3.5.9")]);
    sync(&world, &[]).fails(1, &["`a` 4.3.0, `b` 3.5.9", "make one of them the active compute"]);
}

#[test]
fn an_environment_elsewhere_is_named_once() {
    let world = project();
    let other = environment(&world, "elsewhere");
    computes(&world, "fast", &[("fast", "4.3.0")]);
    sync(&world, &["--python-env", "../elsewhere"]).ok();
    assert_eq!(sparks(&other), ["pyspark==4.3.0"]);
    let again = sync(&world, &[]).ok();
    assert!(again.out.contains("elsewhere") && again.out.contains("Everything is in place"), "{}", again.out);
}

/// The bundled plugin for `duckdb` as another version: the manifest stands in the file as text.
fn version(text: &str) -> Vec<u8> {
    let mut bytes = std::fs::read(cli::plugins().join("duckdb.wasm")).unwrap();
    let old = b"\"version\":\"1.0.0\"";
    let at = bytes.windows(old.len()).position(|w| w == old).unwrap();
    let new = format!("\"version\":\"{text}\"");
    assert_eq!(new.len(), old.len());
    bytes[at..at + new.len()].copy_from_slice(new.as_bytes());
    bytes
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// An index with two versions of the adapter `duckdb`.
fn index(world: &World) -> PathBuf {
    let folder = world.path("index");
    std::fs::create_dir_all(&folder).unwrap();
    let mut entries = Vec::new();
    for text in ["1.4.0", "2.0.0"] {
        let bytes = version(text);
        std::fs::write(folder.join(format!("duckdb-{text}.wasm")), &bytes).unwrap();
        entries.push(serde_json::json!({
            "id": "dvt.duckdb", "version": text, "contract": "0.1.0", "kind": "adapter", "types": ["duckdb"], "permissions": [],
            "file": format!("duckdb-{text}.wasm"), "sha256": sha256(&bytes)
        }));
    }
    std::fs::write(folder.join("index.json"), serde_json::json!({"plugins": entries}).to_string()).unwrap();
    folder
}

fn require(world: &World, range: &str) {
    let path = world.path("shop/dbt_project.yml");
    let text = std::fs::read_to_string(&path).unwrap();
    let kept: String = text.lines().filter(|l| !l.starts_with("require-adapters")).map(|l| format!("{l}\n")).collect();
    std::fs::write(&path, format!("{kept}require-adapters: {{duckdb: {range}}}\n")).unwrap();
}

/// Runs without the search path that would find the bundled plugins before those of DVT home.
fn with_home_first(world: &World, words: &[&str]) -> Said {
    let mut command = world.command("shop", words);
    let path = std::env::join_paths([world.path("home/plugins"), cli::plugins()]).unwrap();
    command.env("DVT_PLUGIN_PATH", path);
    said(command)
}

#[test]
fn plugins_are_installed_in_range_from_a_folder_and_a_changed_file_is_refused() {
    let world = project();
    computes(&world, "default", &[]);
    let place = index(&world);
    require(&world, "\">=1.2.0, <2\"");
    std::fs::create_dir_all(world.path("home/plugins")).unwrap();
    with_home_first(&world, &["parse"]).fails(2, &["DVT5108", "version 1.0.0", ">=1.2.0, <2", "dvt sync"]);
    with_home_first(&world, &["sync"]).fails(1, &["there is no plugin for the adapter type `duckdb` within >=1.2.0, <2", "--plugin-index"]);
    let words = ["sync", "--plugin-index", place.to_str().unwrap()];
    // A file that is not what the index says.
    let file = place.join("duckdb-1.4.0.wasm");
    let good = std::fs::read(&file).unwrap();
    std::fs::write(&file, [good.as_slice(), b"x"].concat()).unwrap();
    with_home_first(&world, &words).fails(1, &["DVT5009", "is not what the index says"]);
    assert_eq!(std::fs::read_dir(world.path("home/plugins")).unwrap().count(), 0);
    std::fs::write(&file, &good).unwrap();
    let said = with_home_first(&world, &words).ok();
    assert!(said.out.contains("Installing plugin dvt.duckdb 1.4.0"), "{}", said.out);
    with_home_first(&world, &["build"]).ok();
    let again = with_home_first(&world, &words).ok();
    assert!(again.out.contains("Everything is in place"), "{}", again.out);
    // What was installed is what runs, byte for byte.
    let installed = world.path("home/plugins/dvt.duckdb-1.4.0.wasm");
    std::fs::write(&installed, [good.as_slice(), &[0, 2, 1, b'x']].concat()).unwrap();
    with_home_first(&world, &["parse"]).fails(2, &["DVT5009", "dvt.duckdb", "its content is another"]);
    // A person may look at it and take it.
    with_home_first(&world, &["plugin", "inspect", installed.to_str().unwrap()]).fails(0, &["version: 1.4.0", "sha256: "]);
    with_home_first(&world, &["plugin", "add", installed.to_str().unwrap()]).ok();
    with_home_first(&world, &["parse"]).ok();
}

#[test]
fn an_index_over_http_is_read_and_its_changed_file_refused() {
    let world = project();
    computes(&world, "default", &[]);
    let folder = index(&world);
    require(&world, "\"~=2.0\"");
    std::fs::create_dir_all(world.path("home/plugins")).unwrap();
    let address = serve(folder.clone());
    let file = folder.join("duckdb-2.0.0.wasm");
    let good = std::fs::read(&file).unwrap();
    std::fs::write(&file, &good[..good.len() - 1]).unwrap();
    with_home_first(&world, &["sync", "--plugin-index", &address]).fails(1, &["DVT5009", "is not what the index says"]);
    std::fs::write(&file, &good).unwrap();
    with_home_first(&world, &["sync", "--plugin-index", &address]).ok();
    assert_eq!(lock(&world)["plugins"]["dvt.duckdb"]["version"], "2.0.0");
    with_home_first(&world, &["parse"]).ok();
    with_home_first(&world, &["sync", "--plugin-index", &format!("{address}/none")]).fails(1, &["cannot be read"]);
}

/// Files of a folder over HTTP on a free loopback port, until the test ends.
fn serve(folder: PathBuf) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                head.push(byte[0]);
            }
            let text = String::from_utf8_lossy(&head).into_owned();
            let name = text.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
            let answer = match std::fs::read(folder.join(&name)) {
                Ok(body) => [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len()).into_bytes(), body].concat(),
                Err(_) => b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec(),
            };
            let _ = stream.write_all(&answer);
        }
    });
    address
}

#[test]
fn a_driver_comes_from_a_mirror_once_and_a_damaged_one_is_refused() {
    let world = project();
    environment(&world, "shop/.venv");
    let profile = "shop:\n  target: own\n  outputs:\n    own: {type: duckdb, path: own.duckdb}\n    far: {type: postgres, host: 127.0.0.1, port: 1, user: u, password: secret-word, dbname: d, schema: public}\n";
    world.write("home/profiles.yml", profile);
    computes(&world, "cluster", &[("cluster", "4.3.0")]);
    let mirror = world.path("mirror");
    let folder = mirror.join("org/postgresql/postgresql/42.7.4");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("postgresql-42.7.4.jar"), "a driver").unwrap();
    std::fs::write(folder.join("postgresql-42.7.4.jar.sha256"), sha256(b"another")).unwrap();
    let run = || {
        let mut command = world.command("shop", &["sync"]);
        command.env("PIP_NO_INDEX", "1").env("PIP_FIND_LINKS", wheels()).env("DVT_MAVEN_MIRROR", &mirror);
        said(command)
    };
    if Path::new("/usr/share/java/postgresql.jar").exists() {
        // This machine has the driver: nothing is fetched at all.
        run().ok();
        return;
    }
    run().fails(1, &["is damaged", "nothing was installed"]);
    std::fs::write(folder.join("postgresql-42.7.4.jar.sha256"), sha256(b"a driver")).unwrap();
    let first = run().ok();
    assert!(first.out.contains("Installing driver postgresql-42.7.4.jar"), "{}", first.out);
    assert_eq!(lock(&world)["drivers"]["org.postgresql:postgresql:42.7.4"]["sha256"], sha256(b"a driver").as_str());
    // The second time nobody asks the mirror.
    std::fs::remove_dir_all(&mirror).unwrap();
    let second = run().ok();
    assert!(second.out.contains("Everything is in place") && !second.all().contains("secret-word"), "{}", second.all());
    // A driver that changed is not the one that was locked.
    std::fs::write(world.path("home/jars/postgresql-42.7.4.jar"), "tampered").unwrap();
    run().fails(1, &["is not the driver that the lock file records"]);
}

/// A connector of SQLite's made up for the test, whose driver is on no machine.
fn strange_driver(world: &World) {
    let sheet = "plugin = { id = \"acme.connector\", version = \"1.0.0\", contract = \"0.1.0\", types = [\"duckdb\"] }\nurl = \"jdbc:acme:x\"\n[[artifacts]]\ncoordinates = \"com.acme:acme-jdbc:1.0\"\nfiles = [\"acme-jdbc-*.jar\"]\n";
    world.write("acme.toml", sheet);
    std::fs::create_dir_all(world.path("shop/plugins")).unwrap();
    let blank = cli::plugins().join("blank/connector.wasm");
    world.dvt("", &["plugin", "pack", blank.to_str().unwrap(), "acme.toml", "-o", "shop/plugins/acme.wasm"]).ok();
}

/// Answers each request with the head and half of the body, says so, and keeps the connection until it is told to end.
fn stalling(path: PathBuf) -> (String, std::sync::mpsc::Receiver<()>, std::sync::mpsc::Sender<()>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (half, halves) = std::sync::mpsc::channel();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let body = std::fs::read(&path).unwrap();
        let page = format!("<a href=\"{name}\">{name}</a>");
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                head.push(byte[0]);
            }
            let asked = String::from_utf8_lossy(&head).split(' ').nth(1).unwrap_or_default().to_owned();
            if !asked.ends_with(&name) {
                let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}", page.len()).as_bytes());
                continue;
            }
            let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len()).as_bytes());
            let _ = stream.write_all(&body[..body.len() / 2]);
            half.send(()).unwrap();
            let _ = ended.recv();
            return;
        }
    });
    (address, halves, end)
}

/// Files below a folder, by name.
fn files(folder: &Path) -> Vec<String> {
    std::fs::read_dir(folder).into_iter().flatten().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_sync_killed_while_it_fetches_leaves_what_was_there_and_the_next_one_finishes() {
    let world = project();
    let own = environment(&world, "shop/.venv");
    install(&own, "pyspark==3.5.9");
    strange_driver(&world);
    computes(&world, "default", &[("cluster", "3.5.9")]);
    let mirror = world.path("mirror/com/acme/acme-jdbc/1.0");
    std::fs::create_dir_all(&mirror).unwrap();
    std::fs::write(mirror.join("acme-jdbc-1.0.jar"), "a driver of some length").unwrap();
    std::fs::write(mirror.join("acme-jdbc-1.0.jar.sha256"), sha256(b"a driver of some length")).unwrap();
    let command = |links: &str, mirror: &str| {
        let mut command = world.command("shop", &["sync", "--yes"]);
        command.env("PIP_NO_INDEX", "1").env("PIP_FIND_LINKS", links).env("PIP_TRUSTED_HOST", "127.0.0.1").env("DVT_MAVEN_MIRROR", mirror);
        command
    };
    let killed = |mut command: Command, half: &std::sync::mpsc::Receiver<()>| {
        let mut child = command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
        half.recv().unwrap();
        // Another one waits for nothing: it says who works.
        sync(&world, &[]).fails(2, &["DVT5110", "another `dvt sync`"]);
        child.kill().unwrap();
        child.wait().unwrap();
    };
    let (wheels, mirror) = (wheels().to_str().unwrap(), world.path("mirror"));
    let mirror = mirror.to_str().unwrap();
    // In the middle of a driver.
    let (address, half, end) = stalling(PathBuf::from(mirror).join("com/acme/acme-jdbc/1.0/acme-jdbc-1.0.jar"));
    killed(command(wheels, &address), &half);
    drop(end);
    assert!(files(&world.path("home/jars")).is_empty() && !world.path("shop/dvt-lock.json").exists());
    // In the middle of a wheel; the library that is there stays.
    computes(&world, "default", &[("cluster", "4.3.0")]);
    let (address, half, end) = stalling(PathBuf::from(wheels).join("pyspark-4.3.0-py3-none-any.whl"));
    killed(command(&address, mirror), &half);
    drop(end);
    assert_eq!(sparks(&own), ["pyspark==3.5.9"]);
    assert!(!world.path("shop/dvt-lock.json").exists());
    // Between removing the old library and installing the new one.
    pip(&own, &["uninstall", "-q", "-y", "pyspark"]);
    said(command(wheels, mirror)).ok();
    assert_eq!((sparks(&own), files(&world.path("home/jars"))), (vec!["pyspark==4.3.0".to_owned()], vec!["acme-jdbc-1.0.jar".to_owned()]));
    assert!(!world.path("home/cache/sync").exists());
    let again = said(command("/nowhere", "/nowhere")).ok();
    assert!(again.out.contains("Everything is in place; nothing was changed"), "{}", again.out);
}

#[test]
fn a_driver_that_is_not_the_locked_one_is_used_by_nobody() {
    let world = project();
    let own = environment(&world, "shop/.venv");
    install(&own, "pyspark==4.3.0");
    strange_driver(&world);
    computes(&world, "cluster", &[("cluster", "4.3.0")]);
    std::fs::create_dir_all(world.path("home/jars")).unwrap();
    world.write("home/jars/acme-jdbc-1.0.jar", "a driver");
    sync(&world, &["--yes"]).ok();
    let told = world.dvt("shop", &["debug", "--computes"]).fails(1, &["cluster"]);
    assert!(!told.all().contains("is not the driver"), "{}", told.all());
    world.write("home/jars/acme-jdbc-1.0.jar", "tampered");
    world.dvt("shop", &["debug", "--computes"]).fails(1, &["DVT5110", "acme-jdbc-1.0.jar is not the driver that the lock file records"]);
}

#[test]
fn debug_says_of_each_compute_what_it_has_and_how_rows_of_each_target_pass() {
    let world = project();
    let own = environment(&world, "shop/.venv");
    strange_driver(&world);
    computes(&world, "default", &[("cluster", "4.3.0")]);
    // Not started, and not meant to be: no failure.
    let told = world.dvt("shop", &["debug", "--computes"]).ok().out;
    assert!(told.contains("cluster: spark 4.3.0: would not start: no Python with pyspark was found") && told.contains("dvt sync"), "{told}");
    install(&own, "pyspark==3.5.9");
    let told = world.dvt("shop", &["debug", "--computes"]).ok().out;
    assert!(told.contains("would not start") && told.contains("has pyspark 3.5.9") && told.contains("dvt sync"), "{told}");
    install(&own, "pyspark==4.3.0");
    let told = world.dvt("shop", &["debug", "--computes"]).ok().out;
    assert!(told.contains("cluster: spark 4.3.0: library 4.3.0 by ") && told.contains(", Java "), "{told}");
    assert!(told.contains("rows go through dvt: target `main_db` needs the driver com.acme:acme-jdbc:1.0, which is in none of"), "{told}");
    world.write("home/jars/acme-jdbc-1.0.jar", "a driver");
    let told = world.dvt("shop", &["debug", "--computes"]).ok().out;
    assert!(told.contains("main_db: the engine reads and writes it, by ") && told.contains("acme-jdbc-1.0.jar"), "{told}");
}
