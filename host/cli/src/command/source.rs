//! `dvt source freshness`: how old the sources' data is.

use crate::arguments::{Cli, SourceCommand};
use dvt_run::Stream;

pub fn command(cli: &Cli, command: &SourceCommand) -> u8 {
    let SourceCommand::Freshness { output } = command;
    super::run_task("freshness", cli, Stream::Out, |task| task.freshness(output.as_deref()))
}
