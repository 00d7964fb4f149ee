//! `dvt compile`: renders the selected nodes; the SQL of the chosen ones goes to stdout.

use crate::arguments::{Cli, ShowOutput};
use dvt_run::Stream;

pub fn command(cli: &Cli, inline: Option<&str>, output: ShowOutput) -> u8 {
    super::run_task("compile", cli, Stream::Err, |task| task.compile(inline, output == ShowOutput::Json))
}
