//! How many rows each scan would deliver, as its source says.
//!
//! A source that cannot tell is taken to have what the statement had when it last ran. Nothing depends on an answer: where
//! nobody knows, it is read as if nobody had asked.

use crate::budget::Budget;
use crate::execute::{Context, Estimates};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use dvt_diagnostic::Diagnostic;
use dvt_engine::Connection;
use dvt_planner::dialect::Estimate;
use dvt_planner::ir::FederatedPlan;
use dvt_planner::reduce;
use dvt_project::TargetName;
use std::collections::BTreeMap;

/// Rows by scan; None where the source does not say.
pub fn rows(plan: &FederatedPlan, context: Context<'_>) -> Vec<Option<u64>> {
    // A relation read whole is as large as it is.
    let mut out: Vec<Option<u64>> = plan.scans.iter().map(|s| s.rows.filter(|_| s.pushed.is_empty())).collect();
    let mut by_source: BTreeMap<&TargetName, Vec<(usize, &Estimate)>> = BTreeMap::new();
    for (number, scan) in plan.scans.iter().enumerate() {
        if let Some(of) = &scan.estimate {
            by_source.entry(&scan.source).or_default().push((number, of));
        }
    }
    let answers = std::thread::scope(|scope| {
        let asked: Vec<_> = by_source
            .into_iter()
            .map(|(source, scans)| {
                scope.spawn(move || {
                    let Ok(mut connection) = context.sources.connect(source) else { return Vec::new() };
                    let _run = context.cancel.watch(connection.canceller());
                    let one = |(number, of): (usize, &Estimate)| (number, answer(connection.as_mut(), of, &plan.scans[number].sql));
                    scans.into_iter().map(one).collect::<Vec<_>>()
                })
            })
            .collect();
        asked.into_iter().flat_map(|a| a.join().unwrap_or_default()).collect::<Vec<_>>()
    });
    for (number, rows) in answers {
        out[number] = rows.or(out[number]);
    }
    for (scan, rows) in plan.scans.iter().zip(&mut out).filter(|(_, rows)| rows.is_none()) {
        *rows = context.history.and_then(|h| h.rows(&scan.source, &scan.sql));
    }
    out
}

/// The rows of a query, as the session's database says.
pub fn answer(connection: &mut dyn Connection, of: &Estimate, sql: &str) -> Option<u64> {
    let told = connection.query(&reduce::estimate(sql, of), Some(1)).ok()?;
    let batch = told.batches.into_iter().find(|b| b.num_rows() > 0)?;
    let column = batch.columns().last()?;
    let options = FormatOptions::default();
    let text = ArrayFormatter::try_new(column.as_ref(), &options).ok()?.value(0).to_string();
    reduce::estimated(&text, of)
}

/// What is known of each scan's rows where a decision hangs on it, and nothing elsewhere.
///
/// # Errors
/// As [`check`].
pub fn found(plan: &FederatedPlan, context: Context<'_>) -> Result<Vec<Option<u64>>, Diagnostic> {
    let needed = !plan.reductions.is_empty() || context.budget.rows.is_some();
    let estimates = match context.estimates {
        Estimates::Given(rows) => rows.to_vec(),
        Estimates::WhereNeeded if !needed => vec![None; plan.scans.len()],
        Estimates::WhereNeeded | Estimates::All => rows(plan, context),
    };
    check(plan, &estimates, context.budget)?;
    Ok(estimates)
}

/// Stops a plan whose scans are certain to pass its budget, before anything moves.
fn check(plan: &FederatedPlan, rows: &[Option<u64>], budget: Budget) -> Result<(), Diagnostic> {
    for (scan, rows) in plan.scans.iter().zip(rows) {
        let certain = scan.estimate.as_ref().is_some_and(|e| e.exact) && scan.pushed.is_empty();
        // What waits for keys may be read in part.
        let whole = plan.reductions.iter().all(|r| r.scan != scan.name);
        if let (Some(rows), true) = (rows, certain && whole) {
            budget.allows(*rows, &format!("`{}` of target `{}`", scan.relation.identifier, scan.source))?;
        }
    }
    Ok(())
}
