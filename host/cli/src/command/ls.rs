//! `dvt ls`: what a selection selects, one resource a line.

use crate::arguments::{Cli, ListOutput};
use dvt_run::Stream;
use dvt_run::task::list::Shape;

pub fn command(cli: &Cli, output: ListOutput, keys: &[String]) -> u8 {
    let shape = match output {
        ListOutput::Selector | ListOutput::Text => Shape::Selector,
        ListOutput::Name => Shape::Name,
        ListOutput::Path => Shape::Path,
        ListOutput::Json => Shape::Json,
    };
    // As in dbt, keys may come as one word: `--output-keys "name path"`.
    let keys: Vec<String> = keys.iter().flat_map(|k| k.split([' ', ','])).filter(|k| !k.is_empty()).map(str::to_owned).collect();
    super::run_task("list", cli, Stream::Err, |task| task.list(shape, &keys))
}
