//! Walking a query's tree, once compiled for all that look at one.
//!
//! sqlparser makes a copy of its whole walk for every type of visitor; through a trait object there is one copy, which
//! keeps the browser module small. Only what the planner looks at can be watched.

use sqlparser::ast::{Expr, Query, TableFactor, Visit, Visitor};
use std::ops::ControlFlow;

/// What looks at a tree; the names are sqlparser's.
pub trait Watch {
    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
    fn pre_visit_table_factor(&mut self, _: &TableFactor) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
    fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Shows `watch` every part of `node`, in the order of the text.
pub fn visit(node: &impl Visit, watch: &mut dyn Watch) {
    let _ = node.visit(&mut Any(watch));
}

/// A part of a tree, whichever it is: what only passes one on is compiled once.
pub trait Part {
    fn show(&self, watch: &mut dyn Watch);
}

impl<T: Visit> Part for T {
    fn show(&self, watch: &mut dyn Watch) {
        visit(self, watch);
    }
}

struct Any<'a>(&'a mut dyn Watch);

impl Visitor for Any<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.0.pre_visit_query(query)
    }
    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.0.post_visit_query(query)
    }
    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        self.0.pre_visit_table_factor(factor)
    }
    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.0.pre_visit_expr(expr)
    }
}
