//! `dvt plugin`: what plugins are found.

use crate::arguments::{Global, PluginCommand, Selection, ShowOutput};
use dvt_run::Stream;

pub fn command(global: &Global, command: &PluginCommand) -> u8 {
    match command {
        PluginCommand::List { output } => super::run_task("plugin", global, &Selection::default(), Stream::Err, |task| {
            task.plugins(*output == ShowOutput::Json, &mut std::io::stdout())
        }),
    }
}
