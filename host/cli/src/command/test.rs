//! `dvt test`: runs the selected tests.

use crate::arguments::Cli;
use dvt_run::Stream;
use dvt_run::task::Task;

pub fn command(cli: &Cli) -> u8 {
    super::run_task("test", cli, Stream::Out, Task::run)
}
