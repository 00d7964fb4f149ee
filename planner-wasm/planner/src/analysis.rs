//! What a run of a plan adds to its explanation: estimates of the sources beside what came, and what was learnt on the way.

use crate::ir::{FederatedPlan, RemoteScan};
use crate::reduce::Asked;
use crate::types::CanonicalType;
use serde_json::{Value, json};

/// How one scan was read.
#[derive(Debug, Clone, Default)]
pub struct ScanRun {
    /// Rows that its source expected.
    pub estimated: Option<u64>,
    pub rows: u64,
    pub bytes: u64,
    /// The scan and column whose keys it waited for, and what it was asked then.
    pub waited: Vec<(String, String, Asked)>,
    /// The scan whose read it shares.
    pub shared: Option<String>,
}

/// Adds to a federated model's explanation what a run of its plan gave. `produced`: rows of the result.
pub fn add(model: &mut Value, plan: &FederatedPlan, runs: &[ScanRun], produced: u64) {
    model["rows"] = json!(produced);
    let Some(scans) = model.get_mut("scans").and_then(Value::as_array_mut) else { return };
    for ((shown, scan), run) in scans.iter_mut().zip(&plan.scans).zip(runs) {
        shown["estimated"] = run.estimated.map_or(Value::Null, |rows| json!({"rows": rows, "bytes": rows * width(scan)}));
        shown["actual"] = json!({"rows": run.rows, "bytes": run.bytes});
        let waited = run.waited.iter().map(|(by, key, asked)| {
            let keys = if let Asked::Keys(count) = asked { Some(*count) } else { None };
            json!({"scan": by, "relation": relation(plan, by), "column": key, "keys": keys, "range": *asked == Asked::Range})
        });
        shown["waited"] = waited.collect();
        shown["shares"] = json!(run.shared);
    }
}

/// The relation that a scan reads.
pub fn relation<'p>(plan: &'p FederatedPlan, scan: &str) -> Option<&'p str> {
    plan.scans.iter().find(|s| s.name == scan).map(|s| s.relation.identifier.as_str())
}

/// Bytes of a row in Arrow buffers, text taken as 16 characters.
fn width(scan: &RemoteScan) -> u64 {
    let one = |kind: CanonicalType| match kind {
        CanonicalType::Bool => 1,
        CanonicalType::Int(bits) | CanonicalType::UInt(bits) | CanonicalType::Float(bits) => u64::from(bits) / 8,
        CanonicalType::Date => 4,
        CanonicalType::Time | CanonicalType::Timestamp | CanonicalType::TimestampTz => 8,
        CanonicalType::Decimal(..) | CanonicalType::Interval => 16,
        CanonicalType::Text | CanonicalType::Bytes | CanonicalType::Uuid | CanonicalType::Json => 20,
    };
    scan.columns.iter().map(|c| one(c.canonical)).sum()
}
