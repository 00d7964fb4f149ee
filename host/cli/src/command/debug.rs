//! `dvt debug`: where everything is and whether it works.

use crate::arguments::Cli;
use dvt_run::Stream;
use dvt_run::task::debug::Sections;

pub fn command(cli: &Cli, sections: &Sections) -> u8 {
    super::run_task("debug", cli, Stream::Err, |task| Ok(task.debug(sections, &mut std::io::stdout())))
}
