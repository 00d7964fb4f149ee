//! The one component behind all connectors that are data.
//!
//! A sheet (`products/*.toml`) says how Spark reads and writes one product; packing writes it into [`DVT_SHEET`], and what
//! comes out is a plugin of that product. `README.md` explains the keys. What data cannot say, a connector writes as code: see
//! `dvt_plugin_sdk::engines`.

mod rule;
mod sheet;

use dvt_plugin_sdk::engines::{Connector, ConnectorOptions, Meaning};
use dvt_plugin_sdk::{Failure, NativeType, Profile};
pub use sheet::Sheet;
use std::sync::atomic::{AtomicU8, Ordering};

/// Bytes that a sheet may have, its ending zero with them.
pub const ROOM: usize = 32 << 10;

/// The packed sheet: text, ended by a zero. Atomics because the compiler must not believe that it stays empty.
#[unsafe(no_mangle)]
pub static DVT_SHEET: [AtomicU8; ROOM] = [const { AtomicU8::new(0) }; ROOM];

/// The plugin of whatever product was packed.
pub struct Product;

impl Product {
    fn sheet() -> Result<Sheet, Failure> {
        let bytes: Vec<u8> = DVT_SHEET.iter().map(|b| b.load(Ordering::Relaxed)).take_while(|b| *b != 0).collect();
        let unpacked = || Failure::new("DVT5002", "this connector was packed without a sheet");
        match String::from_utf8(bytes) {
            Ok(text) if !text.is_empty() => Sheet::read(&text),
            _ => Err(unpacked()),
        }
    }
}

impl Connector for Product {
    fn options(profile: &Profile) -> Result<ConnectorOptions, Failure> {
        Self::sheet()?.options(profile)
    }
    fn read_cast(native: &NativeType) -> Result<Option<String>, String> {
        Self::sheet().map_err(|e| e.message)?.read_cast(native)
    }
    fn write_cast(canonical: &NativeType) -> Result<Option<String>, String> {
        Self::sheet().map_err(|e| e.message)?.write_cast(canonical)
    }
    fn cancel_sql(tag: &str) -> Option<String> {
        Self::sheet().ok()?.cancel_sql(tag)
    }
    fn classify(_exception: &str, sqlstate: Option<&str>, message: &str) -> Meaning {
        Self::sheet().map(|s| s.classify(sqlstate, message)).unwrap_or_default()
    }
}

dvt_plugin_sdk::export_connector!(crate::Product);
