//! Keys between scans: what one scan's rows tell another before that one is asked (see `dvt_planner::reduce`).
//!
//! A scan that gives keys holds its batches back until it has told them, so that nobody waits for the compute to read it:
//! the compute may want the rows of the waiting scan first. What is held is bounded; with more rows or more keys than that
//! nobody waits any longer, and all is read as without keys. Of whole numbers and dates too many to list the least and the
//! largest are told, when all rows came.

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use dvt_engine::batch_bytes;
use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Bytes that one scan may hold back.
const HELD: u64 = 64 * 1024 * 1024;

/// The keys of one column.
#[derive(Debug, Clone)]
pub enum Keys {
    Each(Arc<BTreeSet<String>>),
    /// The least and the largest of too many to list.
    Between(String, String),
    /// Too many to tell, or without a text.
    Untold,
}

/// Where the keys of one column arrive.
#[derive(Default)]
pub struct Gate {
    told: Mutex<Option<Keys>>,
    arrived: Condvar,
}

impl Gate {
    /// What comes first counts.
    pub fn tell(&self, keys: Keys) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.get_or_insert(keys);
        self.arrived.notify_all();
    }

    /// Waits until they are told. They always are: a scan that ends, however it ends, tells.
    pub fn keys(&self) -> Keys {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(keys) = told.as_ref() {
                return keys.clone();
            }
            told = self.arrived.wait(told).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// One column whose keys somebody waits for.
struct Column<'a> {
    index: usize,
    most: u64,
    ranges: bool,
    gate: &'a Gate,
    keys: BTreeSet<String>,
    /// The least and the largest key, once there are more than are listed.
    bounds: Option<(Bound, Bound)>,
}

/// A key by its place among others, and its text.
type Bound = (i128, String);

/// Where a whole number or a date (`YYYY-MM-DD`) stands among its like; None of anything else.
fn place(text: &str) -> Option<i128> {
    let bytes = text.as_bytes();
    let date = bytes.len() == 10 && bytes.iter().enumerate().all(|(i, b)| if i == 4 || i == 7 { *b == b'-' } else { b.is_ascii_digit() });
    if date { text.replace('-', "").parse().ok() } else { text.parse().ok() }
}

/// The giving side of a scan: batches go in, and come out when they need not be held any longer.
#[derive(Default)]
pub struct Giver<'a> {
    columns: Vec<Column<'a>>,
    held: Vec<RecordBatch>,
    bytes: u64,
}

impl<'a> Giver<'a> {
    /// `most`: keys beyond which nobody wants them listed; `ranges`: whether their bounds are wanted then.
    pub fn give(&mut self, index: usize, most: u64, ranges: bool, gate: &'a Gate) {
        self.columns.push(Column { index, most, ranges, gate, keys: BTreeSet::new(), bounds: None });
    }

    /// Takes a batch; gives those that may go on.
    pub fn take(&mut self, batch: RecordBatch) -> Vec<RecordBatch> {
        if self.columns.is_empty() {
            return vec![batch];
        }
        self.columns.retain_mut(|column| {
            let fits = column.collect(&batch);
            if !fits {
                column.gate.tell(Keys::Untold);
            }
            fits
        });
        self.bytes += batch_bytes(&batch);
        self.held.push(batch);
        if self.bytes > HELD {
            self.columns.drain(..).for_each(|column| column.gate.tell(Keys::Untold));
        }
        if self.columns.is_empty() { std::mem::take(&mut self.held) } else { Vec::new() }
    }

    /// All rows came: tells the keys, gives what was held.
    pub fn finish(&mut self) -> Vec<RecordBatch> {
        self.columns.drain(..).for_each(|column| {
            let gate = column.gate;
            gate.tell(column.told());
        });
        std::mem::take(&mut self.held)
    }
}

impl Drop for Giver<'_> {
    fn drop(&mut self) {
        // A read that failed: whoever waits goes on, and ends with the plan.
        self.columns.drain(..).for_each(|column| column.gate.tell(Keys::Untold));
    }
}

impl Column<'_> {
    /// Adds a batch's values; false when they are too many or have no text.
    fn collect(&mut self, batch: &RecordBatch) -> bool {
        let column = batch.column(self.index);
        let options = FormatOptions::default();
        let Ok(format) = ArrayFormatter::try_new(column.as_ref(), &options) else { return false };
        let timestamp = matches!(column.data_type(), DataType::Timestamp(..));
        // A date of another form than that of four digits for the year would have another place.
        let number = column.data_type().is_integer();
        let shaped = |text: &str| number || text.len() == 10;
        (0..column.len()).filter(|row| !column.is_null(*row)).all(|row| {
            let text = format.value(row).to_string();
            if self.bounds.is_some() {
                return shaped(&text) && self.widen(text);
            }
            self.keys.insert(if timestamp { text.replacen('T', " ", 1) } else { text });
            let listed = self.keys.len() as u64 <= self.most;
            listed || (self.ranges && std::mem::take(&mut self.keys).into_iter().all(|key| shaped(&key) && self.widen(key)))
        })
    }

    fn widen(&mut self, text: String) -> bool {
        let Some(at) = place(&text) else { return false };
        let (low, high) = self.bounds.get_or_insert_with(|| ((at, text.clone()), (at, text.clone())));
        if at < low.0 {
            *low = (at, text);
        } else if at > high.0 {
            *high = (at, text);
        }
        true
    }

    fn told(self) -> Keys {
        match self.bounds {
            Some((low, high)) => Keys::Between(low.1, high.1),
            None => Keys::Each(Arc::new(self.keys)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Gate, Giver, Keys};
    use arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch, TimestampMicrosecondArray};
    use std::sync::Arc;

    fn listed(gate: &Gate) -> std::collections::BTreeSet<String> {
        match gate.keys() {
            Keys::Each(keys) => keys.as_ref().clone(),
            other => panic!("{other:?}"),
        }
    }

    fn batch(values: Vec<Option<i64>>) -> RecordBatch {
        RecordBatch::try_from_iter([("k", Arc::new(Int64Array::from(values)) as ArrayRef)]).unwrap()
    }

    #[test]
    fn keys_are_told_once_each_without_null_and_the_rows_come_after() {
        let gate = Gate::default();
        let mut giver = Giver::default();
        giver.give(0, 10, false, &gate);
        assert!(giver.take(batch(vec![Some(3), None, Some(3)])).is_empty());
        assert!(giver.take(batch(vec![Some(-1)])).is_empty());
        assert_eq!(giver.finish().iter().map(RecordBatch::num_rows).sum::<usize>(), 4);
        assert_eq!(listed(&gate).iter().cloned().collect::<Vec<_>>(), ["-1", "3"]);
    }

    #[test]
    fn more_keys_than_wanted_let_the_rows_go_on_at_once() {
        let gate = Gate::default();
        let mut giver = Giver::default();
        giver.give(0, 2, false, &gate);
        assert!(giver.take(batch(vec![Some(1), Some(2)])).is_empty());
        assert_eq!(giver.take(batch(vec![Some(3)])).len(), 2);
        assert!(matches!(gate.keys(), Keys::Untold));
        assert_eq!(giver.take(batch(vec![Some(4)])).len(), 1);
    }

    #[test]
    fn of_more_numbers_or_days_than_are_listed_the_bounds_are_told() {
        let gate = Gate::default();
        let mut giver = Giver::default();
        giver.give(0, 2, true, &gate);
        assert!(giver.take(batch(vec![Some(9), Some(-10), None, Some(8)])).is_empty());
        assert!(giver.take(batch(vec![Some(100), Some(7)])).is_empty());
        assert_eq!(giver.finish().len(), 2);
        assert!(matches!(gate.keys(), Keys::Between(low, high) if low == "-10" && high == "100"));

        let gate = Gate::default();
        let mut giver = Giver::default();
        giver.give(0, 1, true, &gate);
        let days = |days: Vec<i32>| RecordBatch::try_from_iter([("d", Arc::new(Date32Array::from(days)) as ArrayRef)]).unwrap();
        giver.take(days(vec![10_000, -10_000, 19_000]));
        giver.finish();
        assert!(matches!(gate.keys(), Keys::Between(low, high) if low == "1942-08-16" && high == "2022-01-08"));

        // The year 10000 has a digit more: its place among the others is not that of its text.
        let gate = Gate::default();
        let mut giver = Giver::default();
        giver.give(0, 1, true, &gate);
        giver.take(days(vec![10_000, 0, 3_000_000]));
        assert!(matches!(gate.keys(), Keys::Untold));
    }

    #[test]
    fn a_read_that_fails_leaves_nobody_waiting() {
        let gate = Gate::default();
        let mut giver = Giver::default();
        giver.give(0, 2, false, &gate);
        giver.take(batch(vec![Some(1)]));
        drop(giver);
        assert!(matches!(gate.keys(), Keys::Untold));
    }

    #[test]
    fn instants_are_told_as_literals_say_them() {
        let gate = Gate::default();
        let mut giver = Giver::default();
        giver.give(0, 2, false, &gate);
        let times = TimestampMicrosecondArray::from(vec![1_704_067_200_000_000, 1]);
        giver.take(RecordBatch::try_from_iter([("t", Arc::new(times) as ArrayRef)]).unwrap());
        giver.finish();
        assert_eq!(listed(&gate).iter().cloned().collect::<Vec<_>>(), ["1970-01-01 00:00:00.000001", "2024-01-01 00:00:00"]);
    }
}
