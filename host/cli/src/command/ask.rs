//! Questions to a person: put on a terminal only, so that no script ever waits for an answer.

use std::io::{BufRead, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// A question waits for its answer: whoever interrupts it wants no more.
pub static WAITING: AtomicBool = AtomicBool::new(false);

/// The answer; None without a terminal, or when nothing was answered.
pub fn ask(question: &str) -> Option<String> {
    if !std::io::stdin().is_terminal() {
        return None;
    }
    write!(std::io::stdout(), "{question}").ok()?;
    std::io::stdout().flush().ok()?;
    let mut line = String::new();
    WAITING.store(true, Ordering::SeqCst);
    let read = std::io::stdin().lock().read_line(&mut line);
    WAITING.store(false, Ordering::SeqCst);
    read.ok()?;
    Some(line.trim().to_owned()).filter(|l| !l.is_empty())
}
