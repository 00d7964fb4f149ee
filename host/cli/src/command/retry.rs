//! `dvt retry`: runs again what failed or was skipped in the last command.

use crate::arguments::Cli;
use dvt_run::Stream;
use dvt_run::task::Task;

pub fn command(cli: &Cli) -> u8 {
    super::run_task("retry", cli, Stream::Out, Task::retry)
}
