//! What dvt says about typical mistakes: each case of `tests/cli/mistakes.md` is a small project and the exact message.
//!
//! `UPDATE=1` writes what is said now into the file; read the difference before you keep it.
#![allow(clippy::unwrap_used, missing_docs)]

mod cli;

use cli::World;
use std::path::PathBuf;

/// A heading, the blocks below it, and the place of the message's block in the file.
struct Case {
    fact: String,
    command: Vec<String>,
    files: Vec<(String, String)>,
    said: String,
}

fn file() -> PathBuf {
    PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("cli/mistakes.md")
}

/// `## fact`, blocks ```` ```path ```` with the files, one ```` ```$ command ```` with what is said.
fn cases(text: &str) -> Vec<Case> {
    let mut out: Vec<Case> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(fact) = line.strip_prefix("## ") {
            out.push(Case { fact: fact.to_owned(), command: Vec::new(), files: Vec::new(), said: String::new() });
        } else if let Some(head) = line.strip_prefix("```")
            && let Some(case) = out.last_mut()
        {
            let body: String = lines.by_ref().take_while(|l| *l != "```").map(|l| format!("{l}\n")).collect();
            match head.strip_prefix("$ ") {
                Some(command) => {
                    case.command = command.split(' ').map(str::to_owned).collect();
                    case.said = body;
                }
                None => case.files.push((head.to_owned(), body)),
            }
        }
    }
    out
}

/// Without what differs from run to run: the clock, and lines that say which program this is.
fn told(said: &str) -> String {
    let line = |l: &str| {
        let bytes = l.as_bytes();
        let clock = bytes.len() > 8 && bytes[2] == b':' && bytes[5] == b':' && bytes[..2].iter().all(u8::is_ascii_digit);
        let l = if clock { l[8..].trim_start() } else { l };
        (!is_progress(l) && !l.trim().is_empty()).then(|| format!("{}\n", l.trim_end()))
    };
    said.lines().filter_map(line).collect()
}

/// Lines of a run that are no message: what runs, how long it took, how many there are.
fn is_progress(line: &str) -> bool {
    let starts = ["Running with", "Found ", "Concurrency", "Finished running", "Wrote ", "Done.", "Completed ", "compiled code", "- ", "--show-all", "Warning DVT1015: Summary"];
    let counted = line.split(' ').nth(1) == Some("of") && line.starts_with(|c: char| c.is_ascii_digit());
    starts.iter().any(|s| line.starts_with(s)) || counted
}

#[test]
fn every_mistake_is_named_with_its_place_its_cause_and_its_fix() {
    let text = std::fs::read_to_string(file()).unwrap();
    let cases = cases(&text);
    assert!(cases.len() >= 30, "{} cases", cases.len());
    let (mut wrong, mut updated) = (Vec::new(), text.clone());
    for case in &cases {
        let world = World::new();
        world.write("p/dbt_project.yml", "name: shop\nprofile: shop\n");
        world.write("home/profiles.yml", "shop:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: shop.duckdb, schema: main, threads: 1}\n");
        for (path, body) in &case.files {
            let path = if path == "profiles.yml" { "home/profiles.yml".to_owned() } else { format!("p/{path}") };
            world.write(&path, body);
        }
        let words: Vec<&str> = case.command.iter().map(String::as_str).collect();
        let said = world.dvt("p", &words);
        let now = told(&said.all()).replace(&*world.folder.path().to_string_lossy(), "<folder>");
        let now = format!("{now}exit code {}\n", said.code);
        if now != case.said {
            wrong.push(format!("## {}\nexpected:\n{}now:\n{now}", case.fact, case.said));
            let head = format!("```$ {}\n", case.command.join(" "));
            let start = updated.find(&format!("## {}\n", case.fact)).unwrap();
            let at = start + updated[start..].find(&head).unwrap() + head.len();
            updated.replace_range(at..at + case.said.len(), &now);
        }
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(file(), updated).unwrap();
        return;
    }
    assert!(wrong.is_empty(), "{} of {} messages changed:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
