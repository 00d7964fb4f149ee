//! What a source may do of the model's work. One rule a file, its legality at the top.

pub mod filters;
pub mod limit;
pub mod literal;
