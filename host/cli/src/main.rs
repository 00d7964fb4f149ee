//! `dvt`: arguments to settings, one file per command, exit codes as dbt's (0 done, 1 a node failed, 2 unusable).

mod arguments;
mod command;
mod interrupt;
mod settings;

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Nothing else is done for the version: scripts ask for it often.
    let mut words = std::env::args_os().skip(1);
    if let (Some(word), None) = (words.next(), words.next())
        && (word == "--version" || word == "-V")
    {
        // A reader that went away wants no version.
        let _ = writeln!(std::io::stdout(), "dvt {}", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    ExitCode::from(command::dispatch(arguments::parse()))
}
