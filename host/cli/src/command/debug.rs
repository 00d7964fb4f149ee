//! `dvt debug`: where everything is and whether it works.

use crate::arguments::{Global, Selection};
use dvt_run::Stream;
use dvt_run::task::debug::Sections;

pub fn command(global: &Global, sections: &Sections) -> u8 {
    super::run_task("debug", global, &Selection::default(), Stream::Err, |task| Ok(task.debug(sections, &mut std::io::stdout())))
}
