//! `dvt sync`: the environment brought in line with the project's files. Questions are put on a terminal only.

use crate::arguments::Cli;
use dvt_run::Stream;
use dvt_run::task::sync::SyncRequest;
use std::path::PathBuf;

/// What the command line says of it.
pub struct Words {
    pub python_env: Option<PathBuf>,
    pub plugin_index: Option<String>,
    pub dry_run: bool,
    pub upgrade: bool,
    pub yes: bool,
}

pub fn command(cli: &Cli, words: Words) -> u8 {
    let Words { python_env, plugin_index, dry_run, upgrade, yes } = words;
    super::run_task("sync", cli, Stream::Out, |task| task.sync(&SyncRequest { python_env, index: plugin_index, dry_run, upgrade, yes, ask: &super::ask::ask }))
}
