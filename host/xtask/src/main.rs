//! Tasks of the repository: `cargo xtask plugins`, `cargo xtask planner`, `cargo xtask playground`.

mod planner;
mod playground;
mod plugins;

use std::path::PathBuf;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a build tool talks to a terminal")]
fn main() -> std::process::ExitCode {
    let Some(own) = std::env::var_os("CARGO_MANIFEST_DIR") else {
        eprintln!("run this as `cargo xtask`");
        return std::process::ExitCode::FAILURE;
    };
    let root = PathBuf::from(own).join("../..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let task = std::env::args().nth(1).unwrap_or_default();
    let done = match task.as_str() {
        "plugins" => plugins::build(&root, &target),
        "hostile" => plugins::hostile(&root, &target),
        "outsider" => plugins::outsider(&root, &target),
        "planner" => planner::build(&root, &target),
        "playground" => playground::build(&root, &target),
        other => Err(format!("`{other}` is no task; tasks: plugins, hostile, outsider, planner, playground").into()),
    };
    match done {
        Ok(files) => {
            for file in files {
                println!("{}", file.display());
            }
            std::process::ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("error: {e}");
            std::process::ExitCode::FAILURE
        }
    }
}
