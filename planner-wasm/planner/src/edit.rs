//! Replacing parts of a text whose relations have places.

use crate::RelationUse;
use std::ops::Range;

/// A part of a text and what stands there instead.
pub struct Edit {
    at: Range<usize>,
    with: String,
}

impl Edit {
    /// Behind the new text stand as many lines as were there, so that what follows keeps its place.
    pub fn new(sql: &str, at: Range<usize>, mut with: String) -> Self {
        let old = &sql[at.clone()];
        let lines = old.matches('\n').count();
        if lines > 0 {
            with.push_str(&"\n".repeat(lines));
            with.push_str(&" ".repeat(old.rsplit('\n').next().map_or(0, |l| l.chars().count())));
        }
        Self { at, with }
    }
    /// Whether both change different parts of the text.
    pub fn apart(&self, other: &Self) -> bool {
        self.at.end <= other.at.start || other.at.end <= self.at.start
    }
    pub fn plain(at: Range<usize>, with: String) -> Self {
        Self { at, with }
    }
}

/// The text with each edit done, and the relations that are still in it. Edits do not overlap.
pub fn apply(sql: &str, relations: &[RelationUse], edits: &[Edit]) -> (String, Vec<RelationUse>) {
    let mut order: Vec<&Edit> = edits.iter().collect();
    order.sort_by_key(|e| e.at.start);
    let mut out = String::with_capacity(sql.len());
    let mut from = 0;
    let mut moves: Vec<(usize, isize)> = Vec::new();
    let mut shift = 0_isize;
    for edit in &order {
        out.push_str(&sql[from..edit.at.start]);
        out.push_str(&edit.with);
        from = edit.at.end;
        shift += edit.with.len() as isize - edit.at.len() as isize;
        moves.push((edit.at.end, shift));
    }
    out.push_str(&sql[from..]);
    let moved = |at: usize| {
        let by = moves.iter().rev().find(|(end, _)| *end <= at).map_or(0, |(_, by)| *by);
        at.saturating_add_signed(by)
    };
    let kept = relations
        .iter()
        .filter_map(|r| {
            let at: Vec<Range<usize>> = r
                .at
                .iter()
                .filter(|a| !order.iter().any(|e| e.at.contains(&a.start)))
                .map(|a| moved(a.start)..moved(a.end))
                .collect();
            (!at.is_empty()).then(|| RelationUse { relation: r.relation.clone(), at })
        })
        .collect();
    (out, kept)
}
