//! `dvt build`: seeds, snapshots, models and tests in the order of the graph; a failed test stops what is below.

use crate::arguments::Cli;
use dvt_run::Stream;
use dvt_run::task::Task;

pub fn command(cli: &Cli) -> u8 {
    super::run_task("build", cli, Stream::Out, Task::run)
}
