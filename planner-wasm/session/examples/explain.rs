//! The native planner's answer to a question on stdin, for comparison with the same code in a browser.

use std::io::{Read, Write};

fn main() -> std::io::Result<()> {
    let mut question = String::new();
    std::io::stdin().read_to_string(&mut question)?;
    std::io::stdout().write_all(dvt_planner_session::explain(&question).as_bytes())
}
