//! `dvt`: arguments to settings, one file per command, exit codes as dbt's (0 done, 1 a node failed, 2 unusable).

mod arguments;
mod command;
mod interrupt;
mod options;
mod settings;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Nothing else is done for the version: scripts ask for it often.
    let mut words = std::env::args_os();
    let program = words.next().unwrap_or_default();
    if let (Some(word), None) = (words.next(), words.next())
        && (word == "--version" || word == "-V" || word == "-v")
    {
        // Tools that run a program named `dbt` read dbt's own lines.
        let as_dbt = Path::new(&program).file_stem().is_some_and(|n| n == "dbt");
        let own = env!("CARGO_PKG_VERSION");
        let text = if as_dbt {
            format!("Core:\n  - installed: {}\n\nPlugins:\n  - dvt: {own}\n", dvt_project::artifacts::DBT_VERSION)
        } else {
            format!("dvt {own}\n")
        };
        // A reader that went away wants no version.
        let _ = std::io::stdout().write_all(text.as_bytes());
        return ExitCode::SUCCESS;
    }
    ExitCode::from(command::dispatch(&arguments::parse()))
}
