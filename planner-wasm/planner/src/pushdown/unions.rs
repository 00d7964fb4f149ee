//! Filters through UNION, INTERSECT and EXCEPT.
//!
//! Legality: columns are matched by position, and the filter's columns have in all parts types of one family, so that
//! comparing them before they are put together is comparing them after (whole numbers and doubles are not: a double has
//! no place for every whole number). Rows of either part that fail make only rows that fail; rows taken away by EXCEPT or
//! kept by INTERSECT are equal to the ones they meet, and so fail with them.

use super::predicate::Need;
use crate::bind::Columns;

/// What of `needs` holds for each part; `columns` are those of the whole, typed where all parts agree.
pub fn passing(needs: Vec<Need>, columns: Option<&Columns>) -> Vec<Need> {
    let Some(columns) = columns else { return Vec::new() };
    let known = |c: usize| columns.list.get(c).is_some_and(|c| c.kind.is_some());
    needs
        .into_iter()
        .filter_map(|n| n.over(&|at| known(at.1).then_some(at)))
        .collect()
}
