//! `dvt init`: a starter project. Asks for a missing name on a terminal only.

use crate::arguments::Cli;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_run::Stream;
use std::io::{BufRead, IsTerminal, Write};

pub fn command(cli: &Cli, name: Option<String>, skip_profile_setup: bool) -> u8 {
    super::run_task("init", cli, Stream::Out, |task| {
        let name = name.or_else(ask).ok_or_else(|| {
            vec![Diagnostic::error(Code::InitInvalid, "the project needs a name").hint("dvt init NAME")]
        })?;
        task.init(&name, skip_profile_setup)
    })
}

fn ask() -> Option<String> {
    if !std::io::stdin().is_terminal() {
        return None;
    }
    write!(std::io::stdout(), "Name of the project (letters, digits, underscores): ").ok()?;
    std::io::stdout().flush().ok()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).ok()?;
    Some(line.trim().to_owned()).filter(|n| !n.is_empty())
}
