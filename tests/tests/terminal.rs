//! Questions that dvt puts on a terminal, asked and answered through a real one (a pty), and what happens without.
#![allow(clippy::unwrap_used, missing_docs)]

mod cli;

use cli::World;
use std::process::Command;

/// Runs its words on a terminal: waits for a text, answers, and so on; prints what the terminal showed and the exit code.
const TERMINAL: &str = r#"
import json, os, pty, sys
script = json.loads(sys.argv[1])
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
shown = b""
def more():
    global shown
    try:
        part = os.read(fd, 4096)
    except OSError:
        part = b""
    shown += part
    return bool(part)
at = 0
for text, answer in script:
    while text.encode() not in shown[at:]:
        if not more():
            break
    at = len(shown)
    try:
        os.write(fd, answer.encode())
    except OSError:
        break
while more():
    pass
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.stdout.write(shown.decode(errors="replace").replace("\r\n", "\n") + "\nexit code %d\n" % code)
"#;

/// What the terminal shows, with the exit code at its end.
fn terminal(world: &World, folder: &str, words: &[&str], answers: &[(&str, &str)]) -> String {
    let own = world.command(folder, words);
    let mut command = Command::new("python3");
    command.args(["-c", TERMINAL, &serde_json::to_string(answers).unwrap()]).arg(own.get_program()).args(own.get_args());
    command.current_dir(own.get_current_dir().unwrap()).env_clear();
    command.envs(own.get_envs().filter_map(|(k, v)| Some((k.to_owned(), v?.to_owned()))));
    command.env("PATH", std::env::var_os("PATH").unwrap());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn project() -> World {
    let world = World::new();
    world.dvt("", &["init", "shop"]).ok();
    world
}

const QUESTION: &str = "Absolute path of one: ";

#[test]
fn sync_asks_for_the_path_of_an_environment_and_takes_an_absolute_one_only() {
    let world = project();
    world.write("home/computes.yml", "shop:\n  target: far\n  computes:\n    default: {type: duckdb}\n    far: {type: spark, version: \"4.3.0\", master: \"local[2]\"}\n");
    let environment = world.path("environment");
    assert!(Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(&environment).status().unwrap().success());
    let path = format!("{}\n", environment.display());
    let words = ["sync", "--dry-run"];
    let taken = terminal(&world, "shop", &words, &[(QUESTION, &path)]);
    assert!(taken.contains(&format!("Python environment: {}", environment.display())) && taken.contains("Would install pyspark 4.3.0") && taken.contains("exit code 0"), "{taken}");
    for (answer, told) in [("environment\n", "is no absolute path"), ("/nowhere/at/all\n", "is no Python environment"), ("\n", "there is no Python environment"), ("\u{4}", "there is no Python environment")] {
        let refused = terminal(&world, "shop", &words, &[(QUESTION, answer)]);
        assert!(refused.contains(told) && refused.contains("DVT5110") && refused.contains("exit code 1"), "{answer:?}: {refused}");
    }
    // Ctrl-C while it asks ends it.
    let ended = terminal(&world, "shop", &words, &[(QUESTION, "\u{3}")]);
    assert!(!ended.contains("exit code 0") && !ended.contains("Would install"), "{ended}");
    // Nothing was noted or written by any of these, and without a terminal nothing is asked.
    assert!(!world.path("shop/dvt-lock.json").exists() && !world.path("home/python-env").exists());
    let told = world.dvt("shop", &words).fails(1, &["DVT5110", "--python-env"]);
    assert!(!told.all().contains(QUESTION));
}

/// A connector of `acmedb` with permissions, as a file.
fn connector(world: &World, version: &str, permissions: &str) -> String {
    let sheet = format!("plugin = {{ id = \"acme.connector\", version = \"{version}\", contract = \"0.1.0\", types = [\"acmedb\"], permissions = {permissions} }}\nurl = \"jdbc:acme://{{host}}/\"\nrequire = [\"host\"]\n");
    world.write("acme.toml", &sheet);
    let blank = cli::plugins().join("blank/connector.wasm");
    let file = world.path(&format!("acme-{version}.wasm"));
    world.dvt("", &["plugin", "pack", blank.to_str().unwrap(), "acme.toml", "-o", file.to_str().unwrap()]).ok();
    file.to_str().unwrap().to_owned()
}

fn granted(world: &World) -> serde_json::Value {
    let lock: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(world.path("shop/dvt-lock.json")).unwrap()).unwrap();
    lock["plugins"]["acme.connector"].clone()
}

#[test]
fn what_a_plugin_asks_for_is_shown_asked_and_pinned_and_more_is_asked_again() {
    let world = project();
    let (first, second, third) = (connector(&world, "1.0.0", "[]"), connector(&world, "1.1.0", "[\"host:acme.example\"]"), connector(&world, "1.2.0", "[\"host:acme.example\", \"source:acme\"]"));
    world.dvt("shop", &["plugin", "inspect", &third]).fails(0, &["asks for: host:acme.example, source:acme"]);
    // One that asks for nothing is taken without a question.
    world.dvt("shop", &["plugin", "add", &first]).ok();
    assert_eq!(granted(&world)["permissions"], serde_json::json!([]));
    // More than that is nobody's to grant without a person.
    world.dvt("shop", &["plugin", "add", &second]).fails(2, &["DVT5003", "asks for host:acme.example, which nobody granted", "--yes"]);
    let question = "Plugin acme.connector 1.1.0 asks for host:acme.example. Grant it? [y/N] ";
    for no in ["\n", "n\n", "what?\n"] {
        let told = terminal(&world, "shop", &["plugin", "add", &second], &[(question, no)]);
        assert!(told.contains("DVT5003") && told.contains("exit code 2"), "{no:?}: {told}");
    }
    assert_eq!(granted(&world)["version"], "1.0.0");
    let told = terminal(&world, "shop", &["plugin", "add", &second], &[(question, "y\n")]);
    assert!(told.contains("Recorded it in dvt-lock.json") && told.contains("exit code 0"), "{told}");
    assert_eq!((granted(&world)["version"].as_str(), granted(&world)["permissions"].clone()), (Some("1.1.0"), serde_json::json!(["host:acme.example"])));
    // Only what is new is asked for.
    let told = terminal(&world, "shop", &["plugin", "add", &third], &[("asks for source:acme. Grant it? [y/N] ", "yes\n")]);
    assert!(told.contains("exit code 0"), "{told}");
    world.dvt("shop", &["parse"]).ok();
    world.dvt("shop", &["plugin", "list"]).fails(0, &["acme.connector 1.2.0", "asks for host:acme.example, source:acme"]);
    // A file of that name with a wider manifest is another file.
    let wider = connector(&world, "1.2.0", "[\"host:acme.example\", \"source:acme\", \"source:more\"]");
    std::fs::copy(&wider, world.path("home/plugins/acme.connector-1.2.0.wasm")).unwrap();
    world.dvt("shop", &["parse"]).fails(2, &["DVT5009", "acme.connector"]);
}
