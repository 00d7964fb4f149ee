//! Qualified columns that are certainly not there (DVT010); bare names are looked at in `names.rs`.
//!
//! Only where the catalog is certain and the name can mean nothing else: `t.c` with `t` the qualifier of scans alone
//! (no CTE, derived table or table function is called so anywhere in the text, no column is, which could be a struct),
//! and no scan of that name has the column. Everything else is left to the compute, which knows its own rules.

use crate::catalog::Catalog;
use crate::residual::{Table, offset};
use crate::parse::COMPILED;
use dvt_diagnostic::{Code, Diagnostic, LineIndex, Span};
use dvt_project::suggest::suggestion;
use crate::walk::{Watch, visit};
use sqlparser::ast::{Expr, Ident, Query, TableAlias, TableFactor};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// The first column that no relation has. Its place is told by line and column of the compiled text.
pub fn missing(sql: &str, query: &Query, tables: &[Table], catalog: &Catalog) -> Option<Diagnostic> {
    let mut walk = Walk { index: LineIndex::new(sql), sql, other: BTreeSet::new(), used: Vec::new(), starts: tables.iter().map(|t| t.at.start).collect() };
    visit(query, &mut walk);
    let all_columns: BTreeSet<String> =
        tables.iter().filter_map(|t| catalog.relation(&t.relation)).flat_map(|s| s.columns.iter().map(|c| c.name.to_lowercase())).collect();
    for (qualifier, column) in &walk.used {
        let wanted = qualifier.value.to_lowercase();
        let named: Vec<&Table> = tables.iter().filter(|t| t.qualifier.to_lowercase() == wanted).collect();
        if named.is_empty() || walk.other.contains(&wanted) || all_columns.contains(&wanted) {
            continue;
        }
        let schemas: Option<Vec<_>> = named.iter().map(|t| catalog.relation(&t.relation)).collect();
        let Some(schemas) = schemas else { continue };
        let known: Vec<&str> = schemas.iter().flat_map(|s| s.columns.iter().map(|c| c.name.as_str())).collect();
        if known.is_empty() || known.iter().any(|k| k.eq_ignore_ascii_case(&column.value)) {
            continue;
        }
        let (line, at) = walk.index.position(sql, offset(&walk.index, sql, column));
        let relation = &named[0].relation;
        let message = format!("`{}` of target `{}` has no column `{}`", relation.name.identifier, relation.target, column.value);
        let hint = match suggestion(&column.value, &known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("its columns: {}", known.join(", ")),
        };
        return Some(Diagnostic::error(Code::ColumnNotFound, message).at(Span::new(COMPILED, line, at)).hint(hint));
    }
    None
}

/// What an element of FROM is called there.
pub fn alias(factor: &TableFactor) -> Option<&TableAlias> {
    match factor {
        TableFactor::Table { alias, .. }
        | TableFactor::Derived { alias, .. }
        | TableFactor::TableFunction { alias, .. }
        | TableFactor::Function { alias, .. }
        | TableFactor::UNNEST { alias, .. }
        | TableFactor::JsonTable { alias, .. }
        | TableFactor::Pivot { alias, .. }
        | TableFactor::Unpivot { alias, .. }
        | TableFactor::NestedJoin { alias, .. } => alias.as_ref(),
        _ => None,
    }
}

struct Walk<'a> {
    index: LineIndex,
    sql: &'a str,
    /// Qualifiers of what is no scan.
    other: BTreeSet<String>,
    used: Vec<(Ident, Ident)>,
    starts: BTreeSet<usize>,
}

impl Watch for Walk<'_> {
    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.other.extend(query.with.iter().flat_map(|w| &w.cte_tables).map(|c| c.alias.name.value.to_lowercase()));
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        let alias = alias(factor);
        let scan = match factor {
            TableFactor::Table { name, args, .. } => {
                let start = name.0.first().and_then(|p| p.as_ident()).map(|i| offset(&self.index, self.sql, i));
                args.is_none() && alias.is_none_or(|a| a.columns.is_empty()) && start.is_some_and(|s| self.starts.contains(&s))
            }
            _ => false,
        };
        if let (Some(alias), false) = (alias, scan) {
            self.other.insert(alias.name.value.to_lowercase());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expr
            && let [qualifier, column] = parts.as_slice()
        {
            self.used.push((qualifier.clone(), column.clone()));
        }
        ControlFlow::Continue(())
    }
}
