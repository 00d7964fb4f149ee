//! Every message of a run to a server, each with every fault.

use super::matrix;
use super::product::{Postgres, Product};
use super::proxy::Proxy;
use super::run::{FAULTS, Fault, meet};
use super::scenario::{SCENARIOS, Stage, settled};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Which state the target is in; anything else is the failure that these tests look for.
pub fn state(stage: &Stage<'_>, what: &str, told: &str) -> &'static str {
    match stage.rows() {
        Ok(rows) if rows == stage.before => "old",
        Ok(rows) if rows == stage.after => "new",
        other => panic!("{what}: the target holds neither the old table nor the new one: {other:?}\n{told}"),
    }
}

/// A fault's end: coded words or none, one of the two states, a rerun that succeeds, nothing left.
pub fn survive(stage: &Stage<'_>, what: &str, ended: &super::run::Ended) -> &'static str {
    assert!(ended.code.is_none() || ended.code == Some(0) || (matches!(ended.code, Some(1 | 2)) && ended.told.contains("DVT")), "{what}: {:?}\n{}", ended.code, ended.told);
    assert!(!ended.told.contains("panicked"), "{what}: {}", ended.told);
    settled(stage.product.direct().as_mut(), what);
    let found = state(stage, what, &ended.told);
    if ended.code == Some(0) {
        assert_eq!(found, "new", "{what}: reported done that was not\n{}", ended.told);
    }
    let again = stage.dvt();
    assert_eq!(again.code, 0, "{what}: the rerun failed:\n{}\nafter:\n{}", again.all(), ended.told);
    assert_eq!(state(stage, what, &again.all()), "new", "{what}: after the rerun");
    stage.nothing_left(what);
    stage.product.restore(stage.scenario.old);
    found
}

/// How many faults a step meets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Faults {
    /// All, and the README's table is what was seen.
    All,
    /// One a step of the publish, another in every scenario; what is seen must stand in the README's table.
    Turns,
}

pub fn every_step_of_a_server(product: &dyn Product, source: &Postgres, extent: Faults) {
    let (server, speak) = product.server().expect("a server");
    let target = Arc::new(Proxy::before(server, speak));
    let from = Arc::new(Proxy::before(source.server.port, super::speech::postgres));
    let mut rows = Vec::new();
    let mut shown = BTreeSet::new();
    for (turn, scenario) in SCENARIOS.iter().enumerate() {
        let since = std::time::Instant::now();
        target.arm(None);
        let stage = Stage::set(product, source, scenario, &from, target.port);
        product.restore(scenario.old);
        target.arm(None);
        stage.dvt().ok();
        let steps = target.steps();
        product.restore(scenario.old);
        // The last transaction is the publishing one.
        let publish = steps.iter().rposition(|s| s.starts_with("BEGIN") || s.starts_with("START TRANSACTION")).unwrap_or(0);
        // What only looks, and what stood in an earlier table of the matrix in the same way, meets one fault a step.
        let full = |at: usize, step: &str| !(step.contains("select ") && step.starts_with("prepare")) && (at >= publish || !shown.contains(step));
        let (mut briefly, mut brief_seen) = (0, BTreeSet::new());
        for (at, step) in steps.iter().enumerate() {
            if extent == Faults::Turns {
                if full(at, step) {
                    let column = (at + turn) % FAULTS.len();
                    let what = format!("{} / step {} of {}: {step} / {:?}", scenario.name, at + 1, steps.len(), FAULTS[column]);
                    let mut cells = vec![String::new(); FAULTS.len()];
                    survive(&stage, &what, &meet(&stage, &target, product, at, FAULTS[column])).clone_into(&mut cells[column]);
                    rows.push([vec![scenario.name.to_owned(), named(step)], cells].concat());
                }
                continue;
            }
            let faults: Vec<Fault> = if full(at, step) { FAULTS.to_vec() } else { vec![FAULTS[at % FAULTS.len()]] };
            let mut cells = Vec::new();
            for fault in &faults {
                let what = format!("{} / step {} of {}: {step} / {fault:?}", scenario.name, at + 1, steps.len());
                cells.push(survive(&stage, &what, &meet(&stage, &target, product, at, *fault)).to_owned());
            }
            if faults.len() == 1 {
                briefly += 1;
                brief_seen.extend(cells);
            } else {
                rows.push([vec![scenario.name.to_owned(), named(step)], cells].concat());
            }
        }
        shown.extend(steps.iter().take(publish).cloned());
        if extent == Faults::Turns {
            continue;
        }
        let seen = brief_seen.into_iter().collect::<Vec<_>>().join(" or ");
        rows.push([vec![scenario.name.to_owned(), format!("{briefly} more: they only read, or stand above; one fault each")], vec![seen; FAULTS.len()]].concat());
        eprintln!("{}: {} steps, {briefly} briefly, {:.1} s", scenario.name, steps.len(), since.elapsed().as_secs_f64());
    }
    if extent == Faults::Turns {
        return matrix::agree(product.name(), &rows);
    }
    let head = ["what is built", "step", "dvt killed before it", "dvt killed after it", "connection cut before it", "server gone after it", "session ended by the server"];
    matrix::compare(product.name(), &head, &rows);
}

/// A step as the README's table names it.
fn named(step: &str) -> String {
    format!("`{}`", step.chars().take(72).collect::<String>())
}
