//! How long planning takes: one query as large as those of TPC-DS, `tests/bench/planning.sql`.

use crate::PLACEMENT;
use crate::split::World;
use dvt_planner::pushdown::verdict::Rules;
use std::path::Path;
use std::time::{Duration, Instant};

/// Prints the best of 200 plannings, each with its catalog of eight relations, as `make bench` takes the best.
pub fn line(world: &World, file: &Path) {
    let text = std::fs::read_to_string(file).unwrap();
    let plan = || world.plan(&text, &PLACEMENT, &Rules::default(), false).unwrap();
    let scans = plan().scans.len();
    let times = (0..200)
        .map(|_| {
            let start = Instant::now();
            drop(plan());
            start.elapsed()
        })
        .min()
        .unwrap_or(Duration::MAX);
    println!("planning a query of {} lines over {scans} relations: {:.2} ms (goal: under 1 ms)\n", text.lines().count(), times.as_secs_f64() * 1e3);
}
