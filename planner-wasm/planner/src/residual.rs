//! The model's own text over the scans: only table names are replaced, and conditions that sources have asked; everything
//! else stays as written.

use crate::RelationUse;
use crate::edit::{Edit, apply};
use crate::parse::COMPILED;
use dvt_diagnostic::{Code, Diagnostic, LineIndex, Span};
use dvt_project::RelationRef;
use crate::pushdown::settled::ASKED;
use crate::walk::{Watch, visit};
use sqlparser::ast::{Expr, Ident, Query, TableFactor};
use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};

/// One place in the text where a relation is read: one scan.
#[derive(Debug, Clone)]
pub struct Table {
    pub relation: RelationRef,
    /// Where its name stands.
    pub at: Range<usize>,
    /// The name that columns are qualified with there.
    pub qualifier: String,
    /// True when the text gives no alias, so that the splice must.
    needs_alias: bool,
    /// The last part of the name as written, quotes included.
    last_part: String,
}

/// The byte offset of an identifier.
pub fn offset(index: &LineIndex, sql: &str, ident: &Ident) -> usize {
    index.offset(sql, ident.span.start.line as u32, ident.span.start.column as u32)
}

/// Every relation read in the query, in the order of the text.
pub fn tables(sql: &str, query: &Query, relations: &[RelationUse]) -> Result<Vec<Table>, Diagnostic> {
    let mut walk = Walk { sql, index: LineIndex::new(sql), relations, tables: Vec::new(), ctes: BTreeSet::new(), problem: None };
    visit(query, &mut walk);
    if let Some(problem) = walk.problem {
        return Err(problem);
    }
    walk.tables.sort_by_key(|t| t.at.start);
    Ok(walk.tables)
}

/// The text with every relation's name replaced by its scan's name, and what is `settled` by what is true.
pub fn splice(sql: &str, tables: &[Table], settled: &[Range<usize>]) -> String {
    let named = tables.iter().enumerate().map(|(i, table)| {
        let alias = if table.needs_alias { format!(" AS {}", table.last_part) } else { String::new() };
        Edit::plain(table.at.clone(), format!("dvt_scan_{i}{alias}"))
    });
    let edits: Vec<Edit> = named.chain(asked(sql, settled)).collect();
    apply(sql, &[], &edits).0.trim().trim_end_matches(';').to_owned()
}

/// What stands in the place of settled conditions.
pub fn asked(sql: &str, settled: &[Range<usize>]) -> impl Iterator<Item = Edit> {
    settled.iter().map(move |at| Edit::new(sql, at.clone(), ASKED.to_owned()))
}

struct Walk<'a> {
    sql: &'a str,
    index: LineIndex,
    relations: &'a [RelationUse],
    tables: Vec<Table>,
    ctes: BTreeSet<String>,
    problem: Option<Diagnostic>,
}

impl Watch for Walk<'_> {
    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        // Names only widen what counts as a CTE; a relation is told from one by its place in the text.
        for cte in query.with.iter().flat_map(|w| &w.cte_tables) {
            self.ctes.insert(cte.alias.name.value.to_lowercase());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        let TableFactor::Table { name, alias, args: None, .. } = factor else { return ControlFlow::Continue(()) };
        let idents: Option<Vec<&Ident>> = name.0.iter().map(|p| p.as_ident()).collect();
        let (Some(idents), Some(first)) = (idents.as_ref(), name.0.first().and_then(|p| p.as_ident())) else {
            return ControlFlow::Continue(());
        };
        let start = offset(&self.index, self.sql, first);
        let used = self.relations.iter().find_map(|r| r.at.iter().find(|at| at.start == start).map(|at| (r, at.clone())));
        let Some((used, at)) = used else {
            if idents.len() > 1 || !self.ctes.contains(&first.value.to_lowercase()) {
                let message = format!("`{name}` is neither a ref nor a source nor a CTE of this query");
                let (line, column) = self.index.position(self.sql, start);
                self.problem.get_or_insert(
                    Diagnostic::error(Code::SqlRelationUnknown, message)
                        .at(Span::new(COMPILED, line, column))
                        .hint("declare it as a source with its connection, and use source()"),
                );
            }
            return ControlFlow::Continue(());
        };
        let Some(last) = idents.last() else { return ControlFlow::Continue(()) };
        let last_start = offset(&self.index, self.sql, last);
        self.tables.push(Table {
            relation: used.relation.clone(),
            last_part: self.sql.get(last_start..at.end).unwrap_or(&last.value).to_owned(),
            at,
            qualifier: alias.as_ref().map_or(&last.value, |a| &a.name.value).clone(),
            needs_alias: alias.is_none(),
        });
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expr
            && parts.len() >= 3
            && self.relations.iter().any(|r| {
                let name = &r.relation.name;
                let same = |a: &str, b: &Ident| a.eq_ignore_ascii_case(&b.value);
                parts.windows(2).any(|w| name.schema.as_deref().is_some_and(|s| same(s, &w[0])) && same(&name.identifier, &w[1]))
            })
        {
            let message = format!("the column `{expr}` is qualified with a schema, which a federated model cannot keep");
            self.problem.get_or_insert(Diagnostic::error(Code::NotTranslatable, message).hint("give the table an alias and qualify with it"));
        }
        ControlFlow::Continue(())
    }
}
