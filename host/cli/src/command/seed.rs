//! `dvt seed`: loads CSV files.

use crate::arguments::Cli;
use dvt_run::Stream;
use dvt_run::task::Task;
use dvt_run::task::show::Form;

pub fn command(cli: &Cli) -> u8 {
    super::run_task("seed", cli, Stream::Out, |task| {
        let code = task.run()?;
        if task.settings.on("show") && code == 0 {
            let only_seeds = Task { settings: seeds(task), printer: task.printer.clone(), cancel: task.cancel.clone() };
            return only_seeds.show(None, None, Some(5), Form::Table);
        }
        Ok(code)
    })
}

/// The same selection, narrowed to seeds.
fn seeds(task: &Task) -> dvt_run::Settings {
    let mut settings = task.settings.clone();
    settings.flags.insert("resource_type".to_owned(), serde_json::json!(["seed"]));
    settings
}
