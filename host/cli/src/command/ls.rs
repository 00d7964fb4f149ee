//! `dvt ls`: what a selection selects, one resource a line.

use crate::arguments::{Global, ListOutput, Selection};
use dvt_run::Stream;
use dvt_run::task::list::Shape;

pub fn command(global: &Global, selection: &Selection, output: ListOutput, keys: &[String], kinds: &[String]) -> u8 {
    let shape = match output {
        ListOutput::Selector => Shape::Selector,
        ListOutput::Name => Shape::Name,
        ListOutput::Path => Shape::Path,
        ListOutput::Json => Shape::Json,
    };
    // As in dbt, keys may come as one word: `--output-keys "name path"`.
    let keys: Vec<String> = keys.iter().flat_map(|k| k.split([' ', ','])).filter(|k| !k.is_empty()).map(str::to_owned).collect();
    super::run_task("list", global, selection, Stream::Err, |task| task.list(shape, kinds, &keys, &mut std::io::stdout()))
}
