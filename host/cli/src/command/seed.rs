//! `dvt seed`: loads CSV files.

use crate::arguments::{Global, Selection};
use dvt_run::Stream;
use dvt_run::task::show::Form;

pub fn command(global: &Global, selection: &Selection, show: bool) -> u8 {
    super::run_task("seed", global, selection, Stream::Out, |task| {
        let code = task.run()?;
        if show && code == 0 {
            let only_seeds = dvt_run::task::Task { settings: seeds(task), printer: task.printer.clone(), cancel: task.cancel.clone() };
            return only_seeds.show(None, Some(5), Form::Table, &mut std::io::stdout());
        }
        Ok(code)
    })
}

/// The same selection, narrowed to seeds.
fn seeds(task: &dvt_run::task::Task) -> dvt_run::Settings {
    let mut settings = task.settings.clone();
    settings.select = match settings.select.as_slice() {
        [] => vec!["resource_type:seed".to_owned()],
        some => some.iter().map(|s| format!("{s},resource_type:seed")).collect(),
    };
    settings
}
