//! `dvt deps`: installs packages.

use crate::arguments::Cli;
use dvt_run::Stream;

pub fn command(cli: &Cli, add: Option<&str>, source: &str) -> u8 {
    super::run_task("deps", cli, Stream::Out, |task| task.deps(add, source))
}
