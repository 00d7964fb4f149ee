//! One file per command: arguments in, exit code out.

pub mod ask;
mod build;
mod clean;
mod clone;
mod compile;
mod debug;
mod deps;
mod docs;
mod explain;
mod explain_code;
mod init;
mod ls;
mod parse;
mod plugin;
mod retry;
mod run;
mod run_operation;
mod seed;
mod show;
mod snapshot;
mod source;
mod sync;
mod test;

use crate::arguments::{Cli, Command};
use crate::settings;
use dvt_diagnostic::Diagnostic;
use dvt_run::Stream;
use dvt_run::task::{Task, UNUSABLE};
use std::io::Write;

pub fn dispatch(cli: &Cli) -> u8 {
    match &cli.command {
        Command::Init { name, skip_profile_setup, skip_debug: _ } => init::command(cli, name.clone(), *skip_profile_setup),
        Command::Parse => parse::command(cli),
        Command::Compile { inline, output } => compile::command(cli, inline.as_deref(), *output),
        Command::Run => run::command(cli),
        Command::Build => build::command(cli),
        Command::Seed => seed::command(cli),
        Command::Snapshot => snapshot::command(cli),
        Command::Test => test::command(cli),
        Command::Ls { output, output_keys } => ls::command(cli, *output, output_keys),
        Command::Show { inline, inline_direct, limit, output } => show::command(cli, inline.as_deref(), inline_direct.as_deref(), *limit, *output),
        Command::Debug { config, config_dir, targets, computes, manifest, connection } => {
            let sections = dvt_run::task::debug::Sections {
                config: *config,
                config_dir: *config_dir,
                targets: *targets,
                computes: *computes,
                manifest: *manifest,
                connection: connection.clone(),
            };
            debug::command(cli, &sections)
        }
        Command::Explain { output } => explain::command(cli, *output),
        Command::ExplainCode { code } => explain_code::command(code.as_deref()),
        Command::Clean => clean::command(cli),
        Command::Deps { add_package, source } => deps::command(cli, add_package.as_deref(), source),
        Command::Docs { command } => docs::command(cli, command),
        Command::Source { command } => source::command(cli, command),
        Command::RunOperation { name, args, sql } => run_operation::command(cli, name.as_deref(), args, sql.as_deref()),
        Command::Retry => retry::command(cli),
        Command::Clone => clone::command(cli),
        Command::Sync { python_env, plugin_index, dry_run, upgrade, yes } => {
            let words = sync::Words { python_env: python_env.clone(), plugin_index: plugin_index.clone(), dry_run: *dry_run, upgrade: *upgrade, yes: *yes };
            sync::command(cli, words)
        }
        Command::Plugin { command } => plugin::command(cli, command),
    }
}

/// Runs a task; what keeps it from running is shown, with exit code 2.
fn run_task(which: &str, cli: &Cli, stream: Stream, work: impl FnOnce(&Task) -> Result<u8, Vec<Diagnostic>>) -> u8 {
    match settings::task(which, cli, stream) {
        Ok(task) => {
            let outcome = work(&task);
            task.ended(outcome)
        }
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
