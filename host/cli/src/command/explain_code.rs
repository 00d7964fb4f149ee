//! `dvt explain-code`: what a code means; all codes without one.

use dvt_diagnostic::{Code, Diagnostic, all_codes};
use dvt_run::task::{OK, UNUSABLE};
use std::io::Write;

pub fn command(code: Option<&str>) -> u8 {
    let mut out = std::io::stdout().lock();
    // A reader that went away wants no more.
    let Some(word) = code else {
        for code in all_codes() {
            let _ = writeln!(out, "{code}  {}", code.entry().title);
        }
        return OK;
    };
    match word.parse::<Code>() {
        Ok(code) => {
            let entry = code.entry();
            let _ = writeln!(out, "{code}: {}\n\n{}", entry.title, entry.explanation);
            OK
        }
        Err(text) => {
            super::complain(&Diagnostic::error(Code::Usage, text).hint("`dvt explain-code` lists all codes"));
            UNUSABLE
        }
    }
}
