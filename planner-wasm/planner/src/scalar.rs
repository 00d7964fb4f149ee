//! Watermarks: `column > (select max(x) from t)` with the subquery's value read first (SPEC T6).
//!
//! A subquery that is known to have one value can be replaced by that value, and the comparison then is a filter with a
//! literal, which pushdown may move to the other sources.
//! Legality, clause by clause:
//! 1. The subquery stands in parentheses right after a comparison operator: its value is a scalar.
//! 2. It is `select max(c)` or `select min(c)` from one relation, or `coalesce` of that and a literal; nothing else
//!    is in it: no join, filter, grouping, order or limit. It has exactly one row and cannot read outer columns, since
//!    `c` must be a column of that relation in the catalog.
//! 3. The source orders `c` as the model does: its sheet pushes `>` on the column's family exactly, without conditions.
//! 4. The value has an exact literal in the model's dialect. NULL becomes NULL, or the literal of `coalesce`.
//!
//! Anything else stays as it is and is computed from a scan.

use crate::edit::Edit;
use crate::ir::PushClass;
use crate::types::{CanonicalType, Family};
use crate::{PlanRequest, RelationUse, parse};
use dvt_project::RelationRef;
use serde::{Deserialize, Serialize};
use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Query, Select, SelectItem, SetExpr, TableFactor};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};
use std::ops::Range;

/// One value to read before planning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScalarRead {
    /// The text between the parentheses.
    pub at: Range<usize>,
    pub relation: RelationRef,
    /// In the source's dialect; one row, one column.
    pub sql: String,
    pub canonical: CanonicalType,
    /// What stands there when the value is NULL.
    pub otherwise: String,
    /// The literal around the value's plain text `{}`.
    pub literal: String,
}

impl ScalarRead {
    /// The literal for a value's plain text (`2024-01-31`, `2024-01-31 12:00:00.5`, `-1.50`); None is NULL.
    pub fn literal(&self, value: Option<&str>) -> String {
        match value {
            Some(text) => self.literal.replace("{}", &text.replace('\'', "''")),
            None => self.otherwise.clone(),
        }
    }
}

/// The values that may be read first. Text that cannot be read gives none: planning says what is wrong with it.
pub fn find(request: &PlanRequest<'_>) -> Vec<ScalarRead> {
    let Ok(sheet) = request.sheets.get(request.dialect) else { return Vec::new() };
    let readable = request.dialect == request.compute_dialect || sheet.meaning.is_some();
    if request.no_pushdown || !readable {
        return Vec::new();
    }
    let Ok(dialect) = sheet.sqlparser() else { return Vec::new() };
    let Ok(tokens) = Tokenizer::new(dialect.as_ref(), request.sql).tokenize_with_location() else { return Vec::new() };
    let tokens: Vec<TokenWithSpan> = tokens.into_iter().filter(|t| !matches!(t.token, Token::Whitespace(_))).collect();
    let index = dvt_diagnostic::LineIndex::new(request.sql);
    let start = |t: &TokenWithSpan| index.offset(request.sql, t.span.start.line as u32, t.span.start.column as u32);
    let mut out = Vec::new();
    for (i, window) in tokens.windows(3).enumerate() {
        let [before, open, first] = window else { continue };
        let compared = matches!(before.token, Token::Gt | Token::GtEq | Token::Lt | Token::LtEq | Token::Eq | Token::Neq);
        let select = matches!(&first.token, Token::Word(w) if w.keyword == Keyword::SELECT);
        if !compared || open.token != Token::LParen || !select {
            continue;
        }
        let Some(close) = closing(&tokens[i + 1..]) else { continue };
        let at = start(open) + 1..start(close);
        out.extend(read(request, at));
    }
    out
}

fn closing(tokens: &[TokenWithSpan]) -> Option<&TokenWithSpan> {
    let mut depth = 0_usize;
    tokens.iter().find(|t| {
        match t.token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ => {}
        }
        depth == 0
    })
}

fn read(request: &PlanRequest<'_>, at: Range<usize>) -> Option<ScalarRead> {
    let sheet = request.sheets.get(request.dialect).ok()?;
    let query = parse::query(request.sql.get(at.clone())?, sheet).ok()?;
    let select = plain_select(&query)?;
    // Clause 2: one relation, and it is the only one named here.
    let mut inside = request.relations.iter().flat_map(|r| r.at.iter().filter(|a| at.contains(&a.start)).map(move |_| r));
    let relation = &inside.next()?.relation;
    if inside.next().is_some() {
        return None;
    }
    let [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] = select.projection.as_slice() else { return None };
    let (aggregate, otherwise) = match expr {
        Expr::Function(f) if named(f, "coalesce") => {
            let parts = arguments(f)?;
            let [Expr::Function(inner), default @ (Expr::Value(_) | Expr::TypedString(_) | Expr::Cast { .. })] = parts.as_slice() else { return None };
            if matches!(default, Expr::Cast { expr, .. } if !matches!(expr.as_ref(), Expr::Value(_))) {
                return None;
            }
            (inner.clone(), default.to_string())
        }
        Expr::Function(f) => (f.clone(), "NULL".to_owned()),
        _ => return None,
    };
    let function = ["max", "min"].into_iter().find(|n| named(&aggregate, n))?;
    let parts = arguments(&aggregate)?;
    let [column] = parts.as_slice() else { return None };
    let column = match column {
        Expr::Identifier(name) => name,
        Expr::CompoundIdentifier(parts) if parts.len() == 2 => parts.last()?,
        _ => return None,
    };
    let schema = request.catalog.relation(relation)?.columns.iter().find(|c| c.name.eq_ignore_ascii_case(&column.value)).cloned()?;
    let canonical = schema.canonical?;
    let family = canonical.family();
    // Clause 3.
    let source = request.sheets.get(&(request.target_dialect)(&relation.target)?).ok()?;
    let (comparison, class) = source.comparison(&schema, ">").ok()?;
    if class != PushClass::Exact || comparison.unless.is_some() || matches!(family, Family::Float | Family::Text | Family::Other) {
        return None;
    }
    // Clause 4.
    let literal = sheet.compare.get(&family)?.literal.clone();
    let sql = format!("SELECT {function}({}) FROM {}", source.quote(&schema.name), source.render(&relation.name));
    Some(ScalarRead { at, relation: relation.clone(), sql, canonical, otherwise, literal })
}

fn plain_select(query: &Query) -> Option<&Select> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let bare = query.with.is_none()
        && query.order_by.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none()
        && query.pipe_operators.is_empty()
        && select.distinct.is_none()
        && select.top.is_none()
        && select.selection.is_none()
        && select.having.is_none()
        && select.qualify.is_none()
        && select.prewhere.is_none()
        && select.connect_by.is_empty()
        && select.lateral_views.is_empty()
        && select.into.is_none()
        && matches!(&select.group_by, GroupByExpr::Expressions(list, more) if list.is_empty() && more.is_empty());
    let [from] = select.from.as_slice() else { return None };
    let table = matches!(&from.relation, TableFactor::Table { args: None, sample: None, version: None, alias, .. } if alias.as_ref().is_none_or(|a| a.columns.is_empty()));
    (bare && from.joins.is_empty() && table).then_some(select)
}

fn named(function: &Function, name: &str) -> bool {
    function.over.is_none()
        && function.filter.is_none()
        && function.null_treatment.is_none()
        && function.within_group.is_empty()
        && function.name.to_string().eq_ignore_ascii_case(name)
}

fn arguments(function: &Function) -> Option<Vec<Expr>> {
    let FunctionArguments::List(list) = &function.args else { return None };
    if list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
        return None;
    }
    list.args
        .iter()
        .map(|a| match a {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => Some(e.clone()),
            _ => None,
        })
        .collect()
}

/// The text with each read's value in its place, and the relations that are still in it.
///
/// `values` are literals ([`ScalarRead::literal`]), parallel to `reads`.
pub fn substitute(sql: &str, relations: &[RelationUse], reads: &[ScalarRead], values: &[String]) -> (String, Vec<RelationUse>) {
    let edits: Vec<Edit> = reads.iter().zip(values).map(|(read, value)| Edit::plain(read.at.clone(), value.clone())).collect();
    crate::edit::apply(sql, relations, &edits)
}
