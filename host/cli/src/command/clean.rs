//! `dvt clean`: removes the folders that clean-targets names.

use crate::arguments::Cli;
use dvt_run::Stream;
use dvt_run::task::Task;

pub fn command(cli: &Cli) -> u8 {
    super::run_task("clean", cli, Stream::Out, Task::clean)
}
