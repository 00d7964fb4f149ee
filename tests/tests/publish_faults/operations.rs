//! Operations on an embedded target's file, each with a fault.

use super::matrix;
use super::product::{Postgres, Product};
use super::proxy::Proxy;
use super::run::Running;
use super::scenario::{SCENARIOS, Stage};
use super::shim::{Do, faulty, operations, spread};
use super::steps::survive;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Operations of one scenario that meet a fault, evenly spread over all.
const MOST: usize = 7;

pub fn every_operation_on_a_file(product: &dyn Product, source: &Postgres) {
    let from = Arc::new(Proxy::before(source.server.port, super::speech::postgres));
    let file = product.file().expect("a file");
    let mut rows = Vec::new();
    for scenario in SCENARIOS {
        let since = std::time::Instant::now();
        let stage = Stage::set(product, source, scenario, &from, 0);
        product.restore(scenario.old);
        from.arm(None);
        let all = operations(&stage.world, scenario.words, &file);
        assert!(all.len() > 3, "{}: only {} operations on {}", scenario.name, all.len(), file.display());
        product.restore(scenario.old);
        // Evenly over all, and the first and the last of each kind.
        let mut chosen: BTreeSet<usize> = spread(all.len(), MOST).into_iter().collect();
        for kind in all.iter().collect::<BTreeSet<_>>() {
            chosen.extend(all.iter().position(|o| o == kind).map(|i| i + 1));
            chosen.extend(all.iter().rposition(|o| o == kind).map(|i| i + 1));
        }
        // By file and operation, in the order of their first: what was found after each fault.
        let mut seen: BTreeMap<(String, String), [BTreeSet<&str>; 3]> = BTreeMap::new();
        for &at in &chosen {
            let (what, name) = &all[at - 1];
            for (column, fault) in [Do::Kill, Do::Torn, Do::Full].into_iter().enumerate() {
                if fault != Do::Kill && what != "write" {
                    continue;
                }
                // Of a long row of writes every third is torn, every third finds no room.
                if chosen.len() > 6 && fault != Do::Kill && at % 2 != column % 2 {
                    continue;
                }
                from.arm(None);
                let told = format!("{} / operation {at} of {}: {what} {name} / {fault:?}", scenario.name, all.len());
                let ended = Running::start(faulty(&stage.world, scenario.words, &file, fault, at), &[]).end();
                seen.entry((name.clone(), what.clone())).or_default()[column].insert(survive(&stage, &told, &ended));
            }
        }
        for ((name, what), cells) in seen {
            let cell = |set: &BTreeSet<&str>| if set.is_empty() { "–".to_owned() } else { set.iter().copied().collect::<Vec<_>>().join(" or ") };
            rows.push([vec![scenario.name.to_owned(), format!("{what} `{name}`")], cells.iter().map(cell).collect()].concat());
        }
        eprintln!("{}: {} of {} operations, {:.1} s", scenario.name, chosen.len(), all.len(), since.elapsed().as_secs_f64());
    }
    matrix::compare(product.name(), &["what is built", "operation", "dvt killed before it", "dvt killed half way", "disk full from here on"], &rows);
}
