//! Wire plugins that misuse what they are lent: each ends as a coded error, and the host goes on.
#![allow(clippy::unwrap_used, missing_docs)]

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::writer::StreamWriter;
use dvt_diagnostic::Code;
use dvt_engine::{ConnectSpec, Connection, EngineError, ErrorKind, PluginFault};
use dvt_plugin_host::{Adapter, Limits, Registry};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

fn rogue() -> Vec<u8> {
    let own = std::env::current_exe().unwrap();
    let target: PathBuf = own.parent().and_then(Path::parent).and_then(Path::parent).unwrap().to_path_buf();
    let file = target.join("hostile/rogue.wasm");
    std::fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}; run `cargo xtask hostile` (make test does)", file.display()))
}

struct World {
    registry: Registry,
    _folder: tempfile::TempDir,
    port: u16,
}

/// A server that sends `answer` to everyone and then nothing more.
fn world(permissions: &[&str], answer: Vec<u8>) -> World {
    let folder = tempfile::tempdir().unwrap();
    let manifest = json!({"id": "rogue", "version": "1.0.0", "contract": "0.1.0", "kind": "adapter", "types": ["rogue"], "permissions": permissions});
    std::fs::write(folder.path().join("r.wasm"), dvt_plugin_pack::pack(&rogue(), &manifest.to_string()).unwrap()).unwrap();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = server.accept() {
            let answer = answer.clone();
            std::thread::spawn(move || {
                // One who goes away early has what he wanted.
                let _ = stream.write_all(&answer);
                let _ = stream.read(&mut [0]);
            });
        }
    });
    let limits = Limits { memory: 32 << 20, time: Duration::from_millis(300), output: 8 << 20 };
    World { registry: Registry::with_limits(&[folder.path().to_owned()], None, limits).0, _folder: folder, port }
}

impl World {
    fn profile(&self, attack: &str) -> Value {
        json!({"type": "rogue", "host": "127.0.0.1", "port": self.port, "attack": attack, "connect_timeout": 1, "read_timeout": 1})
    }
    fn open(&self, attack: &str) -> Result<Box<dyn Connection>, EngineError> {
        self.open_with(&self.profile(attack))
    }
    fn open_with(&self, profile: &Value) -> Result<Box<dyn Connection>, EngineError> {
        let adapter: Arc<dyn Adapter> = self.registry.adapter("rogue").unwrap();
        let plan = adapter.connect(profile, &[]).unwrap();
        dvt_plugin_host::connect(&adapter, &ConnectSpec { driver: plan.driver, options: plan.options, ..ConnectSpec::default() })
    }
}

#[track_caller]
fn fault<T>(outcome: Result<T, EngineError>, fault: PluginFault) -> String {
    let error = outcome.map(|_| ()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Plugin(fault), "{error}");
    error.message
}

#[test]
fn a_plugin_reaches_no_other_host_and_no_other_port() {
    let world = world(&["net"], Vec::new());
    let adapter = world.registry.adapter("rogue").unwrap();
    for (attack, named) in [("redirect", "elsewhere.example"), ("redirect-port", "22")] {
        let error = adapter.connect(&world.profile(attack), &[]).unwrap_err();
        assert_eq!(error.code, Code::PluginNotGranted, "{error}");
        assert!(error.message.contains(named) && error.message.contains("`rogue`") && error.hint.is_some(), "{error}");
    }
    // Named by the profile itself, it is the profile's host.
    let mut meant = world.profile("redirect");
    meant["server"] = json!("elsewhere.example");
    assert!(adapter.connect(&meant, &[]).is_ok());
    let early = adapter.connect(&world.profile("early"), &[]).unwrap_err();
    assert_eq!(early.code, Code::PluginNotGranted, "{early}");
}

#[test]
fn without_the_permission_the_import_is_refused_by_name() {
    let world = world(&[], Vec::new());
    let error = world.registry.adapter("rogue").unwrap_err();
    assert_eq!(error.code, Code::PluginNotGranted, "{error}");
    assert!(error.message.contains("dvt:plugin/host-") && error.hint.as_ref().unwrap().contains("`net`"), "{error}");
}

#[test]
fn a_session_that_never_opens_ends_in_time() {
    let world = world(&["net"], Vec::new());
    assert!(fault(world.open("loop"), PluginFault::Timeout).contains("`open`"));
    let silent = world.open("silent").map(|_| ()).unwrap_err();
    assert!(silent.kind == ErrorKind::Connect && silent.message.contains("in time"), "{silent}");
    assert!(world.open("").is_ok());
}

#[test]
fn streams_are_few_and_lent_while_a_session_opens_only() {
    let world = world(&["net"], Vec::new());
    assert!(fault(world.open("many"), PluginFault::NotGranted).contains("streams"));
    let mut session = world.open("").unwrap();
    fault(session.execute("late"), PluginFault::NotGranted);
    assert!(session.execute("fine").is_ok(), "a refusal ends nothing");
}

#[test]
fn a_session_in_the_clear_is_refused_where_the_profile_demands_tls() {
    let world = world(&["net"], Vec::new());
    for mode in ["require", "verify"] {
        let mut profile = world.profile("");
        profile["tls"] = json!(mode);
        let error = world.open_with(&profile).map(|_| ()).unwrap_err();
        assert!(error.kind == ErrorKind::Connect && error.message.contains("TLS"), "{error}");
        profile["attack"] = json!("secret");
        let error = world.open_with(&profile).map(|_| ()).unwrap_err();
        assert!(error.message.contains("TLS"), "no proof is begun in the clear: {error}");
    }
    let error = world.open("secret").map(|_| ()).unwrap_err();
    assert!(error.kind == ErrorKind::Auth && error.message.contains("`password`"), "{error}");
}

#[test]
fn a_trap_a_loop_and_hunger_end_the_session_and_not_the_host() {
    let world = world(&["net"], Vec::new());
    for (sql, expected) in [("trap", PluginFault::Trap), ("loop", PluginFault::Timeout), ("memory", PluginFault::Memory)] {
        let mut session = world.open("").unwrap();
        let message = fault(session.execute(sql), expected);
        assert!(message.contains("`rogue`") && message.contains("`execute`"), "{message}");
        assert!(session.execute("fine").unwrap_err().message.contains("closed"), "{sql}");
    }
    // Twenty thousand lines of log: only the last ones are kept, and the session opens or runs out of time.
    match world.open("words") {
        Ok(_) => {}
        Err(e) => assert_eq!(e.kind, ErrorKind::Plugin(PluginFault::Timeout), "{e}"),
    }
}

#[test]
fn waiting_for_the_server_is_not_the_plugins_time_and_can_be_cancelled() {
    let world = world(&["net"], Vec::new());
    let mut session = world.open("").unwrap();
    let late = session.execute("read").unwrap_err();
    assert!(late.kind == ErrorKind::Connect && late.message.contains("in time"), "a second is longer than the plugin's time: {late}");
    let mut profile = world.profile("");
    profile["read_timeout"] = json!(60);
    let mut session = world.open_with(&profile).unwrap();
    let canceller = session.canceller();
    let (sender, receiver) = channel();
    std::thread::spawn(move || sender.send(session.execute("read").map(|_| ()).map_err(|e| e.kind)));
    // Whenever it comes, before the wait or in it, the session ends.
    canceller();
    assert_eq!(receiver.recv_timeout(Duration::from_secs(20)).unwrap(), Err(ErrorKind::Cancelled));
}

/// One batch as the plugin's protocol sends it.
fn framed(bytes: &[u8]) -> Vec<u8> {
    let mut out = (bytes.len() as u32).to_be_bytes().to_vec();
    out.extend_from_slice(bytes);
    out
}

fn numbers(rows: i64) -> Vec<u8> {
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
    let batch = RecordBatch::try_new(schema.clone(), vec![Arc::new(Int64Array::from_iter_values(0..rows))]).unwrap();
    let mut out = Vec::new();
    let mut writer = StreamWriter::try_new(&mut out, &schema).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    framed(&out)
}

#[test]
fn rows_that_flood_lie_or_are_no_rows_are_refused() {
    let want = |kind: DataType| Arc::new(Schema::new(vec![Field::new("n", kind, true)]));
    let read = |answer: Vec<u8>, attack: &str, kind: DataType| {
        let world = world(&["net"], answer);
        let mut session = world.open(attack).unwrap();
        let mut rows = 0;
        session.read("q", &want(kind), &mut |b: RecordBatch| { rows += b.num_rows(); Ok(()) }).map(|count| (count.rows, rows))
    };
    let fine = [numbers(3), numbers(2), vec![0; 4]].concat();
    assert_eq!(read(fine.clone(), "", DataType::Int64).unwrap(), (5, 5));
    assert!(fault(read(fine.clone(), "flood", DataType::Int64), PluginFault::Output).contains("`next`"));
    let other = read(fine, "", DataType::Utf8).unwrap_err();
    assert!(other.kind == ErrorKind::Type && other.message.contains("`n`"), "{other}");
    fault(read(framed(b"these are no rows"), "", DataType::Int64), PluginFault::Contract);
    assert!(fault(read(numbers(0).repeat(2000), "", DataType::Int64), PluginFault::Contract).contains("no end"));
    // A server that goes away in the middle never looks like the end of the rows.
    let cut = [numbers(3), vec![0, 0]].concat();
    assert_eq!(read(cut, "", DataType::Int64).unwrap_err().kind, ErrorKind::Connect);
}
