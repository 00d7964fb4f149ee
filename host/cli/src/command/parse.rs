//! `dvt parse`: reads the project and writes manifest.json; opens no connection.

use crate::arguments::Cli;
use dvt_run::Stream;
use dvt_run::task::Task;

pub fn command(cli: &Cli) -> u8 {
    super::run_task("parse", cli, Stream::Out, Task::parse)
}
