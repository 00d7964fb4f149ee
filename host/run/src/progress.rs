//! Rows and bytes as they move, and stages and tasks of a compute outside: one line on a terminal, nothing elsewhere (the node's last line has the sums).

use crate::printer::{Printer, grouped, sized};
use dvt_engine::cluster::Tasks;
use dvt_federation::Progress;
use dvt_project::TargetName;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_millis(100);

/// How far all federated nodes in flight are.
pub struct Meter {
    printer: Arc<Printer>,
    nodes: Mutex<(Instant, BTreeMap<String, String>)>,
}

impl Meter {
    pub fn new(printer: Arc<Printer>) -> Self {
        Self { printer, nodes: Mutex::new((Instant::now(), BTreeMap::new())) }
    }

    pub fn node(&self, name: &str) -> NodeMeter<'_> {
        NodeMeter { meter: self, name: name.to_owned(), rows: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }

    fn show(&self, name: &str, far: String) {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.1.insert(name.to_owned(), far);
        if nodes.0.elapsed() >= EVERY {
            nodes.0 = Instant::now();
            let parts: Vec<String> = nodes.1.iter().map(|(name, far)| format!("{name}: {far}")).collect();
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
            self.meter.show(&self.name, format!("{} rows, {}", grouped(rows), sized(bytes)));
        }
    }

    fn tasks(&self, tasks: Tasks) {
        if self.meter.printer.is_live() && tasks.total > 0 {
            let waits = if tasks.starved { ", waiting for workers" } else { "" };
            let stage = (tasks.ended + 1).min(tasks.stages);
            self.meter.show(&self.name, format!("stage {stage} of {}, {} of {} tasks{waits}", tasks.stages, tasks.done, tasks.total));
        }
    }
}

impl Drop for NodeMeter<'_> {
    fn drop(&mut self) {
        self.meter.nodes.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&self.name);
    }
}
