//! Groups of one target's rows below what stays: `sum(o.amount)` of orders joined with another target's customers is a sum of
//! sums, one for each customer that orders name.
//!
//! The relation (or those joined at their source, [`super::joins`]) is grouped there by every column that the rest of the text
//! reads of it, so that rows of a group cannot be told apart by it; aggregates are made of the groups' own. Legality:
//! 1. The SELECT groups, has no windows, no QUALIFY, and nothing in its list, HAVING and ORDER BY but columns, grouping
//!    expressions, aggregates, and what is no aggregate in any dialect ([`super::lists`]). No queries in these: an aggregate
//!    inside could belong to this SELECT. A column with an aggregate has an alias, else its name is made from its text; no
//!    two columns have the same.
//! 2. The relation stands in every row, joined by inner joins or on the left of left joins: each row of it has the partners that
//!    every other row of its group has.
//! 3. Keys are exact ([`super::aggregates`], clause 1), and there is one: without keys there is a row where there was none.
//! 4. Aggregates of the relation's columns, or of no columns: count, sum, min, max and averages that are made of a sum and a
//!    count with all their digits, as [`super::aggregates`] lets the source have them, not of DISTINCT values. Sums are
//!    summed up, and counts, of which none is zero; each gets the type that the model's text gives it.
//! 5. Every other aggregate (of other relations' columns, of both, of DISTINCT values) stays as it is, and has the same value
//!    however often a row stands there: min, max, and those of DISTINCT values.
//! 6. Nothing volatile: it would be computed once for a group.
//! 7. It pays: by the tables' rows there are at most half as many groups. A key has at most as many values as the table has
//!    rows whose column it equals; a day, a truth and a byte have few.

use super::aggregates::{Made, aggregate, exact_key, meant, named_type};
use super::equalities::Edge;
use super::lists::{PLAIN, average};
use super::number::arguments;
use super::parts::rows;
use super::remote::{Around, Out, Remote};
use super::through::volatile;
use super::verdict::{Rule, Verdict};
use crate::bind::{At, Relations, Source};
use crate::dialect::DialectSheet;
use crate::types::CanonicalType;
use crate::walk::{Watch, visit};
use sqlparser::ast::{Distinct, DuplicateTreatment, Expr, Function, FunctionArguments, GroupByExpr, OrderByKind, Query, Select, SelectItem, Value};
use sqlparser::tokenizer::{Token, TokenWithSpan};
use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};

/// An aggregate in the text.
pub struct Call {
    pub at: Range<usize>,
    function: Function,
}

/// What stands in the place of an aggregate: `text` with the names of `columns` for `{0}` and `{1}`.
pub struct Total {
    pub at: Range<usize>,
    pub columns: Vec<Out>,
    pub text: String,
}

/// Aggregates of which clause 4 or 5 says something.
const AGGREGATES: [&str; 5] = ["count", "sum", "avg", "min", "max"];

/// A day, as a key, has about so many values.
const DAYS: u64 = 4000;

struct Walk<'a> {
    remote: &'a Remote<'a>,
    tokens: &'a [TokenWithSpan],
    calls: Vec<Call>,
    /// Whether clause 1 knows all that was seen.
    known: bool,
}

impl Walk<'_> {
    /// The bytes of a call, with its FILTER.
    fn extent(&self, f: &Function) -> Option<Range<usize>> {
        let [part] = f.name.0.as_slice() else { return None };
        let start = part.as_ident().filter(|i| i.quote_style.is_none()).map(|i| self.remote.binder.at(i))?;
        let at = |t: &TokenWithSpan| self.remote.binder.index.offset(self.remote.request.sql, t.span.start.line as u32, t.span.start.column as u32);
        let (mut depth, mut groups) = (0_usize, 1 + usize::from(f.filter.is_some()));
        for t in &self.tokens[self.tokens.partition_point(|t| at(t) <= start)..] {
            match &t.token {
                Token::LParen => depth += 1,
                Token::RParen => {
                    depth = depth.checked_sub(1)?;
                    groups -= usize::from(depth == 0);
                    if groups == 0 {
                        return Some(start..at(t) + 1);
                    }
                }
                Token::Word(_) => {}
                _ if depth == 0 => return None,
                _ => {}
            }
        }
        None
    }

    fn call(&mut self, f: &Function) -> Option<()> {
        let at = self.extent(f)?;
        if self.calls.iter().any(|c| c.at.contains(&at.start)) {
            return Some(());
        }
        let name = f.name.to_string().to_lowercase();
        if AGGREGATES.contains(&name.as_str()) {
            let FunctionArguments::List(list) = &f.args else { return None };
            (list.args.len() == 1 && f.over.is_none() && f.within_group.is_empty() && f.null_treatment.is_none()).then_some(())?;
            self.calls.push(Call { at, function: f.clone() });
            return Some(());
        }
        arguments(f)?;
        PLAIN.contains(&name.as_str()).then_some(())
    }
}

impl Watch for Walk<'_> {
    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.known = false;
        ControlFlow::Break(())
    }
    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::Function(f) = expr
            && self.call(f).is_none()
        {
            self.known = false;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

/// Clauses 1 and 6: the aggregates of a SELECT that may be made of groups.
pub fn calls(remote: &Remote<'_>, select: &Select, query: Option<&Query>, relations: &Relations<'_>, tokens: &[TokenWithSpan]) -> Option<Vec<Call>> {
    let plain = select.named_window.is_empty() && select.qualify.is_none() && !matches!(select.distinct, Some(Distinct::On(_)));
    if !plain || !remote.rules.on(Rule::Partial) {
        return None;
    }
    let by = match &select.group_by {
        GroupByExpr::Expressions(by, more) if more.is_empty() => by.as_slice(),
        GroupByExpr::All(more) if more.is_empty() => &[],
        _ => return None,
    };
    // A grouping expression has no aggregate, whatever its functions are.
    let key = |expr: &Expr, number: usize, alias: Option<&str>| {
        by.iter().any(|group| match group {
            Expr::Value(v) => matches!(&v.value, Value::Number(n, false) if n.parse() == Ok(number)),
            Expr::Identifier(name) if alias.is_some_and(|a| a.eq_ignore_ascii_case(&name.value)) => !relations.known(&name.value),
            other => other.to_string() == expr.to_string(),
        })
    };
    let mut walk = Walk { remote, tokens, calls: Vec::new(), known: true };
    let mut named = BTreeSet::new();
    for (i, item) in select.projection.iter().enumerate() {
        let (expr, alias) = match item {
            SelectItem::UnnamedExpr(expr) => (expr, None),
            SelectItem::ExprWithAlias { expr, alias } => (expr, Some(alias.value.as_str())),
            _ => return None,
        };
        // Of two columns of one name GROUP BY means the first or the last, by dialect.
        if alias.is_some_and(|a| !named.insert(a.to_lowercase())) {
            return None;
        }
        if !key(expr, i + 1, alias) {
            let before = walk.calls.len();
            visit(expr, &mut walk);
            // A column that is called after its text would be called after what stands there then.
            if alias.is_none() && walk.calls.len() > before {
                return None;
            }
        }
    }
    select.having.iter().for_each(|e| visit(e, &mut walk));
    if let Some(OrderByKind::Expressions(order)) = query.and_then(|q| q.order_by.as_ref()).map(|o| &o.kind) {
        order.iter().filter(|o| !key(&o.expr, 0, None)).for_each(|o| visit(&o.expr, &mut walk));
    }
    let stable = remote.rules.legal(Verdict::Stable, !volatile(select));
    (walk.known && stable && !walk.calls.is_empty()).then_some(walk.calls)
}

/// Clauses 4 and 5; `around`: the columns of the members alone.
pub fn totals(remote: &Remote<'_>, calls: &[Call], members: &[usize], found: &[(Range<usize>, At)], around: &Around<'_>, source: &DialectSheet) -> Option<Vec<Total>> {
    let mut out = Vec::new();
    for call in calls {
        let own = found.iter().filter(|(at, _)| call.at.contains(&at.start)).all(|(_, column)| members.contains(&column.0));
        if let Some(total) = total(remote, call, around, source).filter(|_| own) {
            out.push(total);
            continue;
        }
        let once = matches!(&call.function.args, FunctionArguments::List(list) if list.duplicate_treatment == Some(DuplicateTreatment::Distinct));
        let name = call.function.name.to_string().to_lowercase();
        if !remote.rules.legal(Verdict::Repeated, once || name == "min" || name == "max") {
            return None;
        }
    }
    (!out.is_empty()).then_some(out)
}

fn total(remote: &Remote<'_>, call: &Call, around: &Around<'_>, source: &DialectSheet) -> Option<Total> {
    if matches!(&call.function.args, FunctionArguments::List(list) if list.duplicate_treatment.is_some()) {
        return None;
    }
    let summed = |kind: Option<CanonicalType>| meant(remote, "sum", kind).then_some(());
    let counted = |column: &str| Some(format!("cast(coalesce(sum({column}), 0) as {})", named_type(remote, "int64")?));
    let name = call.function.name.to_string().to_lowercase();
    let (columns, text) = match (aggregate(remote, &call.function, around, source)?, name.as_str()) {
        (Made::Whole(out), "count") => {
            summed(out.schema.canonical)?;
            (vec![out], counted("{0}")?)
        }
        (Made::Whole(out), "sum") => {
            summed(out.schema.canonical)?;
            let text = out.cast.as_ref().map_or_else(|| "sum({0})".to_owned(), |kind| format!("cast(sum({{0}}) as {kind})"));
            (vec![Out { cast: None, ..out }], text)
        }
        (Made::Whole(out), "min" | "max") => (vec![out], format!("{name}({{0}})")),
        (Made::Average { sum, count, of }, _) => {
            summed(sum.schema.canonical)?;
            summed(count.schema.canonical)?;
            let made = average(remote.sheet.meaning.as_ref()?.average.as_ref().filter(|a| !a.alone)?, of)?;
            (vec![sum, count], format!("({})", made.replace("{sum}", "sum({0})").replace("{count}", &counted("{1}")?)))
        }
        // Averages that a source makes are not put together.
        _ => return None,
    };
    Some(Total { at: call.at.clone(), columns, text })
}

/// Clauses 3 and 7: about how many groups there are.
pub fn groups(remote: &Remote<'_>, relations: &Relations<'_>, edges: &[Edge], keys: &BTreeSet<At>, outs: &[Vec<Out>], source: &DialectSheet) -> Option<u64> {
    let column = |at: &At| outs.get(at.0)?.get(at.1);
    let exact = keys.iter().all(|at| column(at).is_some_and(|k| exact_key(&k.schema, source)));
    if !remote.rules.legal(Verdict::ExactKey, exact) || keys.is_empty() {
        return None;
    }
    let few = |at: &At| match column(at)?.schema.canonical? {
        CanonicalType::Bool => Some(3),
        CanonicalType::Int(8) | CanonicalType::UInt(8) => Some(257),
        CanonicalType::Date => Some(DAYS),
        _ => None,
    };
    let equal = |at: At, e: &Edge| if e.a == at { Some(e.b) } else { (e.b == at).then_some(e.a) };
    let others = |other: At| match relations.items.get(other.0)?.source {
        Source::Table(table) => rows(remote, table),
        _ => None,
    };
    keys.iter().try_fold(1_u64, |all, at| {
        let values = edges.iter().filter_map(|e| others(equal(*at, e)?)).chain(few(at)).min()?;
        Some(all.saturating_mul(values))
    })
}
