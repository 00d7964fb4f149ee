//! What a source may do of the model's work. One rule a file, its legality at the top.
//!
//! Every judgement has a name in [`verdict`], by which a test turns it around.

mod aggregates;
mod computed;
mod ctes;
mod equalities;
pub mod filters;
pub mod guard;
mod joins;
pub mod keys;
pub mod limit;
mod lists;
pub mod literal;
mod number;
mod partial;
pub mod parts;
mod predicate;
mod remote;
pub mod settled;
mod source;
mod through;
mod unions;
pub mod verdict;
