//! What a person sees while Spark works, and which masters are handed on as they are.

use super::place::Place;
use std::io::{Read, Write};
use std::process::Command;
use std::time::{Duration, Instant};

/// Runs its words on a terminal and prints what that showed.
const TERMINAL: &str = r#"
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
shown = b""
while True:
    try:
        part = os.read(fd, 4096)
    except OSError:
        break
    if not part:
        break
    shown += part
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.stdout.write(shown.decode(errors="replace") + "\nexit code %d\n" % code)
"#;

fn slow() -> Place {
    let place = Place::new("");
    place.postgres("create schema shop; create view shop.slow as select g::int as id, case when s.x is null then 0 else 1 end as n from generate_series(1, 100) g, lateral (select pg_sleep(0.04 + g * 0)::text as x) s");
    place.mariadb("create database shop; create table shop.few (id int); insert into shop.few select seq from shop.seq_1_to_100");
    place.model("sources.yml", "sources:\n  - {name: pg, connection: pg, schema: shop, tables: [{name: slow}]}\n  - {name: my, connection: my, schema: shop, tables: [{name: few}]}\n");
    for name in ["one", "two"] {
        place.model(&format!("{name}.sql"), "select s.n, count(*) as rows_of from {{ source('pg', 'slow') }} s join {{ source('my', 'few') }} f on f.id = s.id group by s.n");
    }
    place
}

#[test]
fn spark_shows_stages_and_tasks_of_each_model_on_a_terminal() {
    let place = slow();
    let own = place.world.command("p", &["run", "--compute", "spark"]);
    let mut command = Command::new("python3");
    command.args(["-c", TERMINAL]).arg(own.get_program()).args(own.get_args()).current_dir(own.get_current_dir().unwrap()).env_clear();
    command.envs(own.get_envs().filter_map(|(k, v)| Some((k.to_owned(), v?.to_owned())))).env("PATH", std::env::var_os("PATH").unwrap());
    let output = command.output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains("exit code 0"), "{shown}");
    for model in ["one", "two"] {
        let line = regex::Regex::new(&format!(r"{model}: stage [1-9]\d* of [1-9]\d*, \d+ of [1-9]\d* tasks")).unwrap();
        assert!(line.is_match(&shown), "{model}: {shown}");
    }
    // Both at once on one line.
    assert!(regex::Regex::new(r"one: stage [^·]* · two: stage ").unwrap().is_match(&shown), "{shown}");
    // Where no terminal is, nothing of it.
    let quiet = place.dvt(&["run", "--compute", "spark"]).ok().all();
    assert!(!quiet.contains("tasks"), "{quiet}");
}

/// No cluster is here: what the launcher is given, and what it says for want of one.
#[test]
fn spark_hands_the_masters_yarn_and_k8s_on() {
    let place = slow();
    let launched = |master: &str, config: &str, environment: &[(&str, &str)]| {
        place.computes(master, config);
        let mut command = place.world.command("p", &["run", "--compute", "spark", "-s", "one"]);
        command.env("SPARK_PRINT_LAUNCH_COMMAND", "1").envs(environment.iter().copied());
        let said = super::cli::said(command);
        assert_eq!(said.code, 1, "{}", said.all());
        let log = std::fs::read_to_string(place.world.path("p/logs/spark.log")).unwrap();
        let line = log.lines().rfind(|l| l.starts_with("Spark Command:")).unwrap_or_else(|| panic!("no launch in {log}")).to_owned();
        (line, said.all())
    };
    let (line, said) = launched("yarn", "        spark.yarn.queue: night\n", &[]);
    assert!(line.contains("--conf spark.master=yarn") && line.contains("--conf spark.yarn.queue=night"), "{line}");
    // Executors far away come back to the driver by its real name.
    assert!(!line.contains("spark.driver.host="), "{line}");
    assert!(said.contains("HADOOP_CONF_DIR"), "{said}");
    // A server of Kubernetes' interface that lets nobody in.
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let status = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"pods is forbidden: nobody may","reason":"Forbidden","code":403}"#;
        for mut caller in server.incoming().flatten() {
            std::thread::spawn(move || {
                let mut asked = vec![0; 65536];
                while caller.read(&mut asked).is_ok_and(|n| n > 0) {
                    let _ = write!(caller, "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{status}", status.len());
                }
            });
        }
    });
    let since = Instant::now();
    let (line, said) = launched(&format!("k8s://http://127.0.0.1:{port}"), "        spark.kubernetes.container.image: spark\n        spark.kubernetes.namespace: night\n", &[]);
    assert!(line.contains(&format!("--conf spark.master=k8s://http://127.0.0.1:{port}")) && line.contains("--conf spark.kubernetes.namespace=night"), "{line}");
    assert!(!line.contains("spark.driver.host="), "{line}");
    assert!(said.contains("pods is forbidden: nobody may"), "{said}");
    assert!(since.elapsed() < Duration::from_secs(60), "it took {:?}", since.elapsed());
    assert_eq!(place.leftovers(), Vec::<String>::new());
}
