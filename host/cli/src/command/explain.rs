//! `dvt explain`: what each source is asked, what stays in the compute and why.

use crate::arguments::{Cli, ShowOutput};
use dvt_run::Stream;

pub fn command(cli: &Cli, output: ShowOutput) -> u8 {
    super::run_task("explain", cli, Stream::Err, |task| task.explain(output == ShowOutput::Json, &mut std::io::stdout()))
}
