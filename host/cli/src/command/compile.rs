//! `dvt compile`: renders the selected nodes; the SQL of a single one goes to stdout.

use crate::arguments::{Global, Selection};
use dvt_run::Stream;

pub fn command(global: &Global, selection: &Selection, inline: Option<&str>) -> u8 {
    super::run_task("compile", global, selection, Stream::Err, |task| task.compile(inline, &mut std::io::stdout()))
}
