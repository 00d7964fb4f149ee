//! One run of dvt that a fault meets.

use super::proxy::{Proxy, Verdict, When};
use super::scenario::Stage;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

/// How a run ended, and what it said.
pub struct Ended {
    /// None when a signal ended it.
    pub code: Option<i32>,
    pub told: String,
}

/// A run in the background; its end is told to the proxies.
pub struct Running {
    pub pid: u32,
    waiter: std::thread::JoinHandle<Ended>,
}

impl Running {
    pub fn start(mut command: Command, proxies: &[Arc<Proxy>]) -> Self {
        let child: Child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (pid, proxies) = (child.id(), proxies.to_vec());
        let waiter = std::thread::spawn(move || {
            let output = child.wait_with_output().unwrap();
            for proxy in &proxies {
                proxy.over();
            }
            let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            Ended { code: output.status.code(), told }
        });
        Self { pid, waiter }
    }

    /// As `start`, and waits until the run has said something: it is there, and on its way.
    pub fn start_heard(command: Command) -> Self {
        Self::start_until(command, "")
    }

    /// As `start`, and waits for a line with `word`.
    pub fn start_until(mut command: Command, word: &str) -> Self {
        use std::io::{BufRead, BufReader, Read};
        let mut child: Child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut told = String::new();
        while out.read_line(&mut told).unwrap() > 0 && !told.contains(word) {}
        let waiter = std::thread::spawn(move || {
            out.read_to_string(&mut told).unwrap();
            let output = child.wait_with_output().unwrap();
            Ended { code: output.status.code(), told: told + &String::from_utf8_lossy(&output.stderr) }
        });
        Self { pid, waiter }
    }

    /// Sends a signal, as `kill` names it.
    pub fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.pid.to_string()]).status().unwrap().success());
    }

    pub fn end(self) -> Ended {
        self.waiter.join().unwrap()
    }
}

/// What happens at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    KilledBefore,
    KilledAfter,
    CutBefore,
    /// The connection ends after the server did it; the server is out of reach from then on.
    GoneAfter,
    /// The server ends the session in its own words.
    EndedByServer,
}

pub const FAULTS: [Fault; 5] = [Fault::KilledBefore, Fault::KilledAfter, Fault::CutBefore, Fault::GoneAfter, Fault::EndedByServer];

impl Fault {
    pub fn when(self) -> When {
        match self {
            Self::KilledBefore | Self::CutBefore | Self::EndedByServer => When::Before,
            Self::KilledAfter | Self::GoneAfter => When::After,
        }
    }
}

/// Runs the stage's command and lets `fault` happen at step `at` of `proxy`, whose server `product` is.
pub fn meet(stage: &Stage<'_>, proxy: &Arc<Proxy>, server: &dyn super::product::Product, at: usize, fault: Fault) -> Ended {
    proxy.arm(Some((at, fault.when())));
    let run = Running::start(stage.world.command("p", stage.scenario.words), std::slice::from_ref(proxy));
    let Some(port) = proxy.stopped() else {
        let ended = run.end();
        panic!("{}: the run ended before step {at}:\n{}", stage.scenario.name, ended.told);
    };
    match fault {
        Fault::KilledBefore | Fault::KilledAfter => {
            run.signal("-KILL");
            proxy.release(Verdict::Cut);
        }
        Fault::CutBefore => proxy.release(Verdict::Cut),
        Fault::GoneAfter => proxy.release(Verdict::Gone),
        Fault::EndedByServer => {
            server.direct().end_session(port);
            proxy.release(Verdict::Go);
        }
    }
    let ended = run.end();
    // The server is there again.
    proxy.arm(None);
    ended
}
