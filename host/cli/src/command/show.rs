//! `dvt show`: the first rows of a node or of given SQL.

use crate::arguments::{Cli, ShowOutput};
use dvt_run::Stream;
use dvt_run::task::show::Form;

pub fn command(cli: &Cli, inline: Option<&str>, direct: Option<&str>, limit: i64, output: ShowOutput) -> u8 {
    let form = match output {
        ShowOutput::Text => Form::Table,
        ShowOutput::Json => Form::Json,
    };
    super::run_task("show", cli, Stream::Err, |task| task.show(inline, direct, usize::try_from(limit).ok(), form))
}
