//! `dvt docs`: the catalog of everything the project touches, and a page to read it on.

use crate::arguments::{Cli, DocsCommand};
use dvt_run::Stream;
use dvt_run::task::Task;

pub fn command(cli: &Cli, command: &DocsCommand) -> u8 {
    match command {
        DocsCommand::Generate => super::run_task("generate", cli, Stream::Out, Task::docs_generate),
        DocsCommand::Serve { host, port } => super::run_task("serve", cli, Stream::Out, |task| task.docs_serve(host, *port)),
    }
}
