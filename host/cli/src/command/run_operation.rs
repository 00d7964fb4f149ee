//! `dvt run-operation`: runs a macro by itself.

use crate::arguments::Cli;
use crate::settings::mapping;
use dvt_run::Stream;

pub fn command(cli: &Cli, name: Option<&str>, args: &str, sql: Option<&str>) -> u8 {
    super::run_task("run-operation", cli, Stream::Out, |task| {
        let args = mapping("--args", args, "{name: Ada, n: 3}").map_err(|e| vec![e])?;
        task.run_operation(name, &args, sql)
    })
}
