//! `dvt parse`: reads the project and writes manifest.json; opens no connection.

use crate::arguments::{Global, Selection};
use dvt_run::Stream;
use dvt_run::task::Task;

pub fn command(global: &Global) -> u8 {
    super::run_task("parse", global, &Selection::default(), Stream::Out, Task::parse)
}
