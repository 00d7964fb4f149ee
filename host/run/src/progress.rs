//! Rows and bytes as they move: one line on a terminal, nothing elsewhere (the node's last line has the sums).

use crate::printer::{Printer, grouped, sized};
use dvt_federation::Progress;
use dvt_project::TargetName;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_millis(100);

/// What all federated nodes in flight have moved.
pub struct Meter {
    printer: Arc<Printer>,
    nodes: Mutex<(Instant, BTreeMap<String, (u64, u64)>)>,
}

impl Meter {
    pub fn new(printer: Arc<Printer>) -> Self {
        Self { printer, nodes: Mutex::new((Instant::now(), BTreeMap::new())) }
    }

    pub fn node(&self, name: &str) -> NodeMeter<'_> {
        NodeMeter { meter: self, name: name.to_owned(), rows: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }

    fn show(&self, name: &str, rows: u64, bytes: u64) {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.1.insert(name.to_owned(), (rows, bytes));
        if nodes.0.elapsed() >= EVERY {
            nodes.0 = Instant::now();
            let parts: Vec<String> = nodes.1.iter().map(|(n, (r, b))| format!("{n}: {} rows, {}", grouped(*r), sized(*b))).collect();
            self.printer.progress(&parts.join(" · "));
        }
    }
}

pub struct NodeMeter<'a> {
    meter: &'a Meter,
    name: String,
    rows: AtomicU64,
    bytes: AtomicU64,
}

impl Progress for NodeMeter<'_> {
    fn read(&self, _source: &TargetName, rows: u64, bytes: u64) {
        let rows = self.rows.fetch_add(rows, Ordering::Relaxed) + rows;
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if self.meter.printer.is_live() {
            self.meter.show(&self.name, rows, bytes);
        }
    }
}

impl Drop for NodeMeter<'_> {
    fn drop(&mut self) {
        self.meter.nodes.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&self.name);
    }
}
