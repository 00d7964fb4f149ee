//! One file per command: arguments in, exit code out.

mod build;
mod clean;
mod compile;
mod debug;
mod explain;
mod explain_code;
mod init;
mod ls;
mod parse;
mod plugin;
mod run;
mod seed;
mod show;
mod snapshot;
mod test;

use crate::arguments::{Cli, Command, Global, Selection};
use crate::settings;
use dvt_diagnostic::Diagnostic;
use dvt_run::Stream;
use dvt_run::task::{Task, UNUSABLE};
use std::io::Write;

pub fn dispatch(cli: Cli) -> u8 {
    let global = &cli.global;
    match cli.command {
        Command::Init { name, skip_profile_setup } => init::command(global, name, skip_profile_setup),
        Command::Parse => parse::command(global),
        Command::Compile { selection, inline } => compile::command(global, &selection, inline.as_deref()),
        Command::Run { selection } => run::command(global, &selection),
        Command::Build { selection } => build::command(global, &selection),
        Command::Seed { selection, show } => seed::command(global, &selection, show),
        Command::Snapshot { selection } => snapshot::command(global, &selection),
        Command::Test { selection } => test::command(global, &selection),
        Command::Ls { selection, output, output_keys, resource_type } => ls::command(global, &selection, output, &output_keys, &resource_type),
        Command::Show { selection, inline, limit, output } => show::command(global, &selection, inline.as_deref(), limit, output),
        Command::Debug { config, targets, computes, manifest, connection } => {
            debug::command(global, &dvt_run::task::debug::Sections { config, targets, computes, manifest, connection })
        }
        Command::Explain { selection, output } => explain::command(global, &selection, output),
        Command::ExplainCode { code } => explain_code::command(code.as_deref()),
        Command::Clean => clean::command(global),
        Command::Plugin { command } => plugin::command(global, &command),
    }
}

/// Runs a task; what keeps it from running is shown, with exit code 2.
fn run_task(which: &str, global: &Global, selection: &Selection, stream: Stream, work: impl FnOnce(&Task) -> Result<u8, Vec<Diagnostic>>) -> u8 {
    match settings::task(which, global, selection, stream) {
        Ok(task) => work(&task).unwrap_or_else(|errors| task.unusable(&errors)),
        Err(error) => {
            complain(&error);
            UNUSABLE
        }
    }
}

fn complain(error: &Diagnostic) {
    // With stderr gone there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "Error: {error}");
}
