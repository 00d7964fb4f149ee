//! `dvt snapshot`: takes the selected snapshots.

use crate::arguments::{Global, Selection};
use dvt_run::Stream;
use dvt_run::task::Task;

pub fn command(global: &Global, selection: &Selection) -> u8 {
    super::run_task("snapshot", global, selection, Stream::Out, Task::run)
}
