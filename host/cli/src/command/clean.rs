//! `dvt clean`: removes the folders that clean-targets names.

use crate::arguments::{Global, Selection};
use dvt_run::Stream;
use dvt_run::task::Task;

pub fn command(global: &Global) -> u8 {
    super::run_task("clean", global, &Selection::default(), Stream::Out, Task::clean)
}
