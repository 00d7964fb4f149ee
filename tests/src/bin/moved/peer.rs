//! Another engine over the same server, and what it asked that server.

use crate::Amount;
use crate::split::World;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

pub struct Peer {
    pub name: String,
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Peer {
    /// Starts the command; its first line is its name.
    pub fn start(command: &str, world: &World) -> Self {
        world.execute("pg", "alter system set log_statement = 'all'");
        world.execute("pg", "select pg_reload_conf()");
        let mut words = command.split_whitespace();
        let mut child = Command::new(words.next().unwrap())
            .args(words)
            .arg(world.postgres_port().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{command}: {e}"));
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let mut name = String::new();
        answers.read_line(&mut name).unwrap();
        Self { name: name.trim().to_owned(), child, answers }
    }

    /// Runs a query and counts what it moved; Err with a word where it cannot run it.
    pub fn run(&mut self, name: &str, text: &str, world: &World) -> Result<Amount, String> {
        let before = world.logged().len();
        let sql = text.split_whitespace().collect::<Vec<_>>().join(" ");
        writeln!(self.child.stdin.as_mut().unwrap(), "{name}\t{sql}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        if answer.trim() != "ok" {
            return Err(if answer.trim().is_empty() { "ended".to_owned() } else { answer.trim().to_owned() });
        }
        let mut sum = Amount::default();
        for statement in &world.logged()[before..] {
            let Some(select) = select(statement) else { continue };
            let moved = world.counted_as_told("pg", select);
            sum = Amount { rows: sum.rows + moved.rows, bytes: sum.bytes + moved.bytes };
        }
        Ok(sum)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The end of its input ends it.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The query in a statement that moves rows of the tables.
fn select(statement: &str) -> Option<&str> {
    let statement = statement.trim().trim_end_matches(';').trim();
    let inner = match statement.strip_prefix("COPY (") {
        Some(rest) => rest.rsplit_once(") TO STDOUT")?.0,
        None => statement,
    };
    let low = inner.to_lowercase();
    // Spark asks for the columns of a table by a query that no row passes.
    (low.starts_with("select") && !low.contains("pg_catalog") && !low.contains("pg_class") && !low.contains("where 1=0") && low.contains("src")).then_some(inner)
}
