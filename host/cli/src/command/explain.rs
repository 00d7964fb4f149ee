//! `dvt explain`: what each source is asked, what stays in the compute and why.

use crate::arguments::{Global, Selection, ShowOutput};
use dvt_run::Stream;

pub fn command(global: &Global, selection: &Selection, output: ShowOutput) -> u8 {
    super::run_task("explain", global, selection, Stream::Err, |task| task.explain(output == ShowOutput::Json, &mut std::io::stdout()))
}
