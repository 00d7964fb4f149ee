//! `dvt build`: seeds, models and tests in the order of the graph; a failed test stops what is below.

use crate::arguments::{Global, Selection};
use dvt_run::Stream;
use dvt_run::task::Task;

pub fn command(global: &Global, selection: &Selection) -> u8 {
    super::run_task("build", global, selection, Stream::Out, Task::run)
}
