//! `dvt plugin`: what plugins are found, taking one (inspect, add), and making one (new, pack, test).

use crate::arguments::{Cli, PluginCommand, PluginKind, ShowOutput};
use dvt_run::Stream;
use dvt_run::task::Task;
use dvt_run::task::plugin_new::Kind;

pub fn command(cli: &Cli, command: &PluginCommand) -> u8 {
    let run = |stream: Stream, work: &dyn Fn(&Task) -> Result<u8, Vec<dvt_diagnostic::Diagnostic>>| {
        super::run_task("plugin", cli, stream, |task| work(task))
    };
    match command {
        PluginCommand::List { output } => run(Stream::Err, &|task| task.plugins(*output == ShowOutput::Json, &mut std::io::stdout())),
        PluginCommand::Inspect { file, output } => run(Stream::Err, &|task| task.plugin_inspect(file, *output == ShowOutput::Json, &mut std::io::stdout())),
        PluginCommand::Add { file, yes } => run(Stream::Out, &|task| task.plugin_add(file, *yes, &super::ask::ask)),
        PluginCommand::New { name, kind } => {
            let kind = match kind {
                PluginKind::Adapter => Kind::Adapter,
                PluginKind::Wire => Kind::Wire,
                PluginKind::Compute => Kind::Compute,
            };
            run(Stream::Out, &|task| task.plugin_new(name, kind))
        }
        PluginCommand::Pack { module, manifest, output } => run(Stream::Out, &|task| task.plugin_pack(module, manifest, output)),
        PluginCommand::Test { file, output } => run(Stream::Err, &|task| task.plugin_test(file, *output == ShowOutput::Json, &mut std::io::stdout())),
    }
}
