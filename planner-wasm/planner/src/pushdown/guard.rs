//! What a source's answer costs beside the scans that it stands for.
//!
//! Legality (of cost; no answer depends on it):
//! 1. The answer has no more rows than the tables that it is made of. A join has at most the rows of one side if the
//!    columns of the other that it makes equal are unique there; an outer one keeps its left side's besides. Groups are
//!    at most as many as the rows of the table that all their keys are of. Else its size is open, and it stays.
//! 2. A join's rows are wider than those of its tables. It goes to the source if the columns that the compute still needs
//!    of it are, row for row, no wider than what the scan of the table that bounds it would carry (its own columns and
//!    those that only conditions read), or if the source's estimates of rows say that it moves no more than the scans.
//! 3. Groups, DISTINCT, LIMIT and set operations that compare go whenever clause 1 holds.

use super::equalities::Edge;
use super::remote::{Out, Rel};
use crate::bind::JoinKind;
use crate::types::CanonicalType;
use std::collections::BTreeMap;

/// Bytes of a value, as the compute receives it; text is of unknown length.
pub fn width(kind: Option<CanonicalType>) -> u64 {
    match kind {
        Some(CanonicalType::Bool) => 1,
        Some(CanonicalType::Int(bits) | CanonicalType::UInt(bits) | CanonicalType::Float(bits)) => u64::from(bits / 8),
        Some(CanonicalType::Date) => 4,
        Some(CanonicalType::Time | CanonicalType::Timestamp | CanonicalType::TimestampTz) => 8,
        _ => 16,
    }
}

/// Which columns of item `i` are equal to those of items joined before it, and the other way round, each counted through all items.
fn equated(edges: &[Edge], i: usize, before: &dyn Fn(usize) -> bool, join: Option<usize>, left: bool, outs: &[Vec<Out>]) -> (Vec<usize>, Vec<usize>) {
    let flat = |at: (usize, usize)| outs[..at.0].iter().map(Vec::len).sum::<usize>() + at.1;
    let (mut own, mut others) = (Vec::new(), Vec::new());
    // An equality in WHERE does not keep a left join from giving more rows first.
    for edge in edges.iter().filter(|e| !left || e.join == join) {
        let (here, there) = if edge.a.0 == i { (edge.a, edge.b) } else { (edge.b, edge.a) };
        if here.0 == i && before(there.0) {
            own.push(here.1);
            others.push(flat(there));
        }
    }
    (own, others)
}

/// The bound and the keys of `to` joined with `rel`, item `i` of its SELECT.
#[expect(clippy::too_many_arguments, reason = "what a join is made of")]
pub fn joined(to: &mut Rel<'_>, rel: &Rel<'_>, i: usize, before: &dyn Fn(usize) -> bool, kind: JoinKind, join: Option<usize>, edges: &[Edge], outs: &[Vec<Out>]) {
    let left = kind == JoinKind::Left;
    let (own, others) = equated(edges, i, before, join, left, outs);
    let keyed = rel.unique.iter().any(|set| set.iter().all(|c| own.contains(c)));
    let keys = to.unique.iter().any(|set| set.iter().all(|c| others.contains(c)));
    let shift: usize = outs[..i].iter().map(Vec::len).sum();
    let theirs = rel.unique.iter().map(|set| set.iter().map(|c| c + shift).collect::<Vec<_>>());
    (to.bound, to.unique) = match (keyed, keys) {
        (true, true) if !left => (to.bound.take(), to.unique.iter().cloned().chain(theirs).collect()),
        (true, _) => (to.bound.take(), std::mem::take(&mut to.unique)),
        (false, true) if !left => (rel.bound.clone(), theirs.collect()),
        (false, true) => (to.bound.take().zip(rel.bound.clone()).map(|(a, b)| [a, b].concat()), Vec::new()),
        (false, false) => (None, Vec::new()),
    };
}

/// Clause 2. `given`: what the answer carries; `used`: what the scans would carry besides.
pub fn narrow(bound: &[usize], given: &[Out], used: &[Out], rows: &dyn Fn(usize) -> Option<u64>) -> bool {
    let mut separate: BTreeMap<usize, BTreeMap<&str, u64>> = BTreeMap::new();
    for out in given.iter().chain(used) {
        if let Some(leaf) = out.leaf {
            separate.entry(leaf).or_default().insert(&out.sql, width(out.schema.canonical));
        }
    }
    let of = |leaf: usize| separate.get(&leaf).map_or(0, |c| c.values().sum::<u64>());
    let wide: u64 = given.iter().map(|o| width(o.schema.canonical)).sum();
    if let [leaf] = bound
        && wide <= of(*leaf)
    {
        return true;
    }
    let moved = bound.iter().try_fold(0_u64, |all, leaf| Some(all.saturating_add(rows(*leaf)?)));
    let scans = separate.keys().try_fold(0_u64, |all, leaf| Some(all.saturating_add(rows(*leaf)?.saturating_mul(of(*leaf)))));
    matches!((moved, scans), (Some(rows), Some(scans)) if rows.saturating_mul(wide) <= scans)
}
