//! `dvt run`: builds the selected models.

use crate::arguments::Cli;
use dvt_run::Stream;
use dvt_run::task::Task;

pub fn command(cli: &Cli) -> u8 {
    super::run_task("run", cli, Stream::Out, Task::run)
}
