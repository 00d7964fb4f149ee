//! `dvt clone`: makes relations of the --state environment visible in this one.

use crate::arguments::Cli;
use dvt_run::Stream;
use dvt_run::task::Task;

pub fn command(cli: &Cli) -> u8 {
    super::run_task("clone", cli, Stream::Out, Task::clone_relations)
}
