//! `dvt init`: a starter project. Asks for a missing name on a terminal only.

use crate::arguments::Cli;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_run::Stream;

pub fn command(cli: &Cli, name: Option<String>, skip_profile_setup: bool) -> u8 {
    super::run_task("init", cli, Stream::Out, |task| {
        let name = name.or_else(|| super::ask::ask("Name of the project (letters, digits, underscores): ")).ok_or_else(|| {
            vec![Diagnostic::error(Code::InitInvalid, "the project needs a name").hint("dvt init NAME")]
        })?;
        task.init(&name, skip_profile_setup)
    })
}
