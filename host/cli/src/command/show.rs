//! `dvt show`: the first rows of a node or of given SQL.

use crate::arguments::{Global, Selection, ShowOutput};
use dvt_run::Stream;
use dvt_run::task::show::Form;

pub fn command(global: &Global, selection: &Selection, inline: Option<&str>, limit: i64, output: ShowOutput) -> u8 {
    let form = match output {
        ShowOutput::Text => Form::Table,
        ShowOutput::Json => Form::Json,
    };
    super::run_task("show", global, selection, Stream::Err, |task| {
        task.show(inline, usize::try_from(limit).ok(), form, &mut std::io::stdout())
    })
}
