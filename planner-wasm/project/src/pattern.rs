//! The regular expressions that every crate of the planner uses: one engine in the program and in the component, and a
//! smaller one in a page's module, which knows no more letters, digits and spaces than ASCII's.

#[cfg(feature = "whole-patterns")]
pub use regex::{Regex, RegexBuilder, escape};
#[cfg(not(feature = "whole-patterns"))]
pub use regex_lite::{Regex, RegexBuilder, escape};

/// Whether `\w`, `\d`, `\s` and matching without case hold for letters beyond ASCII.
pub const KNOWS_UNICODE: bool = cfg!(feature = "whole-patterns");
