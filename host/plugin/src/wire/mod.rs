//! Wire plugins: sessions whose protocol a plugin speaks over streams of the host.
//!
//! `lent` is what the plugin may call, `arrow` how rows cross, `session` the [`dvt_engine::Connection`] that comes of it.
//! An address is never an argument; a secret never leaves the host.

mod arrow;
pub mod lent;
mod session;

pub use session::{Opened, WireConnection};

/// The permission that a manifest must have for any of this.
pub const PERMISSION: &str = "net";

/// The driver of a connect-plan that means the plugin's own connection.
pub const OWN_CONNECTION: &str = "plugin";
