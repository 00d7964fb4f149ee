//! Groups, aggregates and DISTINCT, computed at their source.
//!
//! Legality, over what [`super::remote`] can tell:
//! 1. Every key is a plain column, or an expression of one that the source computes ([`super::computed`]), that the source compares with `=` as `exact`, without conditions: it then groups as the
//!    model does (never doubles, text of a loose collation, or cells that carry a type of their own). No ROLLUP, CUBE or
//!    GROUPING SETS. DISTINCT: every column is such a key.
//! 2. Every other column is count(*), count(c), count(DISTINCT c) of such a key, min or max of a column that the source
//!    orders exactly (text not), or a sum of exact numbers ([`super::number`]), which count takes too:
//!    - of decimals: a decimal of 38 digits in every dialect that has them;
//!    - of whole numbers: carried as a decimal of 38 digits, which holds any, and then of the type that the model's
//!      dialect gives it. The source's sheet says how, if its sums do not overflow.
//!    The model's dialect says what the aggregate means for the type. No order inside; FILTER is a CASE around what is
//!    taken, if its condition is told `exact`, whole.
//! 3. An average of exact numbers: the source sums up and counts, and the average is made of both at home, as the model's
//!    sheet says it; or in its own words, where the model's text runs as it is in the very product that the source is, and
//!    its sheet says that the order of rows is nothing to it.
//! 4. HAVING: on keys as WHERE; on an aggregate, compared with a literal of its type. What is left of it is asked at home.
//! 5. Any other expression over these is computed at home ([`super::lists`]). Each has an alias: dialects differ in how they call them.

use super::computed::computed;
use super::lists::{Groups, Home};
use super::number;
use super::predicate::{comparison, conjuncts, read};
use super::remote::{Around, Out, Rel, Remote};
use super::verdict::{Rule, Verdict};
use crate::bind::{At, column};
use crate::catalog::{Collation, ColumnSchema};
use crate::dialect::DialectSheet;
use crate::ir::PushClass;
use crate::types::{CanonicalType, Family};
use crate::walk::{Watch, visit};
use dvt_project::TargetName;
use sqlparser::ast::{DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Select, SelectItem, Value};
use std::ops::ControlFlow;

/// Clause 1, for one key.
pub fn exact_key(key: &ColumnSchema, source: &DialectSheet) -> bool {
    source.comparison(key, "=").is_ok_and(|(c, class)| class == PushClass::Exact && c.unless.is_none())
}

/// Whether a function is called.
struct Calls(bool);

impl Watch for Calls {
    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.0 |= matches!(expr, Expr::Function(_));
        ControlFlow::Continue(())
    }
}

/// Whether a SELECT groups, or may: a function of its list can be an aggregate.
pub fn asked(select: &Select) -> bool {
    let grouped = !matches!(&select.group_by, GroupByExpr::Expressions(list, more) if list.is_empty() && more.is_empty());
    let mut calls = Calls(grouped || select.having.is_some());
    select.projection.iter().for_each(|i| visit(i, &mut calls));
    calls.0
}

/// The table that all keys are of bounds the groups; without keys there is one row.
fn bound(rel: &Rel<'_>, keys: &[&Out]) -> Option<Vec<usize>> {
    let leaf = match keys.first() {
        None => rel.leaves.first().copied(),
        Some(first) => first.leaf.filter(|l| keys.iter().all(|k| k.leaf == Some(*l))),
    };
    leaf.map(|l| vec![l]).or_else(|| rel.bound.clone())
}

pub fn distinct<'q>(remote: &Remote<'_>, mut rel: Rel<'q>) -> Option<Rel<'q>> {
    let source = remote.source(&rel.target)?;
    let exact = rel.columns.iter().all(|c| c.cast.is_none() && exact_key(&c.schema, source));
    if !remote.rules.on(Rule::Aggregates) || !remote.rules.legal(Verdict::ExactKey, exact) {
        return None;
    }
    if rel.done {
        rel = remote.closed(rel)?;
    }
    rel.bound = bound(&rel, &rel.columns.iter().collect::<Vec<_>>());
    rel.unique = vec![(0..rel.columns.len()).collect()];
    (rel.distinct, rel.done, rel.pays, rel.wide) = (true, true, true, false);
    Some(rel)
}

pub fn grouped<'q>(remote: &Remote<'_>, select: &'q Select, mut rel: Rel<'q>, around: &Around<'_>) -> Option<Rel<'q>> {
    if !remote.rules.on(Rule::Aggregates) || select.distinct.is_some() {
        return None;
    }
    let source = remote.source(&rel.target)?;
    let legal = |key: &Out| remote.rules.legal(Verdict::ExactKey, exact_key(&key.schema, source) && key.cast.is_none());
    // Every column of the list that is no aggregate is a key; a key need not be in the list.
    let listed = |item: &'q SelectItem| match item {
        SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. } => Some(e),
        _ => None,
    };
    let list = select.projection.iter().map(listed).collect::<Option<Vec<_>>>()?;
    // Keys in the source's words, and as the text has them.
    let key = |expr: &Expr| Some((around.here(expr).cloned().or_else(|| computed(remote, expr, around, source))?, expr.to_string()));
    let alias = |group: &Expr| {
        let Expr::Identifier(name) = group else { return None };
        let item = list.iter().enumerate().find(|(i, _)| remote.named(select, list.len(), *i).is_some_and(|n| n.eq_ignore_ascii_case(&name.value)));
        item.map(|(_, expr)| *expr).filter(|_| !around.relations.known(&name.value))
    };
    let mut by: Vec<(Out, String)> = Vec::new();
    match &select.group_by {
        GroupByExpr::All(more) if more.is_empty() => by.extend(list.iter().filter_map(|e| key(e))),
        GroupByExpr::Expressions(groups, more) if more.is_empty() => {
            for group in groups {
                let expr = match group {
                    Expr::Value(v) => match &v.value {
                        Value::Number(n, false) => list.get(n.parse::<usize>().ok()?.checked_sub(1)?)?,
                        _ => return None,
                    },
                    other => alias(other).unwrap_or(other),
                };
                by.push(key(expr)?);
            }
        }
        _ => return None,
    }
    if !by.iter().all(|(key, _)| legal(key)) {
        return None;
    }
    let mut groups = Groups::new(remote, source, around, &by);
    let mut whole = Vec::new();
    for (i, expr) in list.iter().enumerate() {
        let name = remote.named(select, list.len(), i).unwrap_or_default();
        if let Some(key) = groups.key(expr) {
            whole.push(groups.listed(key, name));
        } else if column(expr).is_some() {
            return None;
        } else if let Some(Made::Whole(out)) = groups.aggregate(expr) {
            whole.push(groups.listed(out, name));
        } else {
            whole.push(None);
        }
    }
    let mut home = Vec::new();
    for (i, (expr, whole)) in list.iter().zip(&whole).enumerate() {
        let before = groups.aggregates;
        let text = match whole {
            Some(at) => groups.text(*at),
            None => groups.computed(expr, true)?,
        };
        // What has no aggregate is a key there, be it a constant: of no rows it makes no group.
        if whole.is_none() && groups.aggregates == before && matches!(select.group_by, GroupByExpr::All(_)) {
            return None;
        }
        home.push((text, remote.named(select, list.len(), i).unwrap_or_default()));
    }
    if !by.is_empty() {
        let list: Vec<&str> = by.iter().map(|(k, _)| k.sql.as_str()).collect();
        rel.tail = format!(" GROUP BY {}", list.join(", "));
    }
    let (mut having, mut after) = (Vec::new(), Vec::new());
    for conjunct in select.having.iter().flat_map(conjuncts) {
        match asked_of_groups(remote, conjunct, select, &groups, &rel.target, &by, around) {
            Some(told) => having.push(told),
            None => after.push(groups.condition(conjunct, select)?),
        }
    }
    if !having.is_empty() {
        rel.tail += " HAVING ";
        rel.tail += &having.join(" AND ");
    }
    // Constants alone are one row for each row, or for each group.
    if groups.columns.is_empty() {
        return None;
    }
    let rounded = groups.rounded;
    rel.columns = groups.columns;
    rel.used.extend(by.iter().map(|(k, _)| k.clone()));
    rel.bound = bound(&rel, &by.iter().map(|(k, _)| k).collect::<Vec<_>>());
    let places: Option<Vec<usize>> = by.iter().map(|(b, _)| rel.columns.iter().position(|c| c.sql == b.sql)).collect();
    rel.unique = places.into_iter().collect();
    if !after.is_empty() || whole.contains(&None) {
        rel.home = Some(Home { list: home, asked: after, rounded });
    }
    (rel.done, rel.pays, rel.wide) = (true, true, false);
    Some(rel)
}

/// Clause 4.
fn asked_of_groups(
    remote: &Remote<'_>,
    expr: &Expr,
    select: &Select,
    groups: &Groups<'_>,
    target: &TargetName,
    keys: &[(Out, String)],
    around: &Around<'_>,
) -> Option<String> {
    let source = remote.source(target)?;
    let whole = |e: &Expr| match groups.aggregate(e) {
        Some(Made::Whole(out)) => Some(out),
        _ => None,
    };
    // An aggregate, or what the list calls one.
    let value = |e: &Expr| match e {
        Expr::Function(_) => whole(e),
        Expr::Identifier(name) => {
            let taken = around.relations.known(&name.value);
            let mut named = select.projection.iter().filter_map(|i| match i {
                SelectItem::ExprWithAlias { alias, expr } if alias.value.eq_ignore_ascii_case(&name.value) => Some(expr),
                _ => None,
            });
            let expr = named.next().filter(|e| !taken && matches!(e, Expr::Function(_)))?;
            whole(expr)
        }
        _ => None,
    };
    let asked = match expr {
        Expr::BinaryOp { left, op, right } => comparison(op).and_then(|test| match (value(left), value(right)) {
            (Some(out), None) => Some((out, test, right)),
            (None, Some(out)) => Some((out, test.mirrored(), left)),
            _ => None,
        }),
        _ => None,
    };
    let Some((out, test, literal)) = asked else {
        let predicate = read(expr, around.relations, None, false);
        let of = |at: At| around.outs.get(at.0)?.get(at.1).filter(|o| keys.iter().any(|(k, _)| k.sql == o.sql));
        let (sql, class) = remote.emitter.said(&predicate, &|at| of(at).map(|o| (o.sql.clone(), &o.schema)), source).ok()?;
        let whole = predicate.whole(&|at| of(at).map(|_| at));
        return remote.rules.legal(Verdict::LimitExact, whole && class == PushClass::Exact).then_some(sql);
    };
    let (sql, class) = remote.emitter.test(&(out.sql.clone(), &out.schema), test, std::slice::from_ref(literal), source).ok()?;
    remote.rules.legal(Verdict::LimitExact, class == PushClass::Exact).then_some(sql)
}

/// An aggregate in the source's words.
pub enum Made {
    Whole(Out),
    /// What an average of such numbers is made of.
    Average { sum: Out, count: Out, of: CanonicalType },
}

/// Clauses 2 and 3.
pub fn aggregate(remote: &Remote<'_>, f: &Function, around: &Around<'_>, source: &DialectSheet) -> Option<Made> {
    let FunctionArguments::List(list) = &f.args else { return None };
    let once = match list.duplicate_treatment {
        None | Some(DuplicateTreatment::All) => false,
        Some(DuplicateTreatment::Distinct) => true,
    };
    let bare = f.over.is_none() && f.null_treatment.is_none() && f.within_group.is_empty() && list.clauses.is_empty() && matches!(f.parameters, FunctionArguments::None);
    let [FunctionArg::Unnamed(arg)] = list.args.as_slice() else { return None };
    let filter = match &f.filter {
        None => None,
        Some(filter) => Some(number::condition(remote, filter, around, source)?),
    };
    let name = f.name.to_string().to_lowercase();
    let column = match arg {
        FunctionArgExpr::Expr(e) => around.input(e),
        _ => None,
    };
    let taken = |sql: &str| filter.as_ref().map_or_else(|| sql.to_owned(), |told| format!("CASE WHEN {told} THEN {sql} END"));
    let legal = |judged: bool| remote.rules.legal(Verdict::ExactAggregate, bare && judged);
    let made = |sql: String, kind: CanonicalType| {
        let out = made(sql, kind);
        let key = if kind.family() == Family::Decimal { "decimal".to_owned() } else { kind.to_string() };
        let own = column.filter(|_| matches!(name.as_str(), "min" | "max")).map(|c| &c.schema.native);
        let native = source.computed.get(&key).or(own).cloned().unwrap_or_default();
        Out { schema: ColumnSchema { native, ..out.schema }, ..out }
    };
    let whole = |sql: String, kind: CanonicalType, cast: Option<String>, collation: Collation| {
        let out = made(sql, kind);
        Made::Whole(Out { cast, schema: ColumnSchema { collation, ..out.schema }, ..out })
    };
    if let ("count", FunctionArgExpr::Wildcard) = (name.as_str(), arg) {
        let sql = filter.as_ref().map_or_else(|| "count(*)".to_owned(), |told| format!("count(CASE WHEN {told} THEN 1 END)"));
        return (meant(remote, "count:*", None) && legal(!once)).then(|| whole(sql, CanonicalType::Int(64), None, Collation::Unknown));
    }
    let FunctionArgExpr::Expr(expr) = arg else { return None };
    if let ("count" | "min" | "max", Some(column)) = (name.as_str(), column) {
        let kind = column.schema.canonical?;
        let exact = source.comparison(&column.schema, "<").is_ok_and(|(c, class)| class == PushClass::Exact && c.unless.is_none()) && kind.family() != Family::Text;
        let (of, collation) = (taken(&column.sql), column.schema.collation);
        let (sql, kind, judged) = match name.as_str() {
            "count" if once => (format!("count(DISTINCT {of})"), CanonicalType::Int(64), exact_key(&column.schema, source)),
            "count" => (format!("count({of})"), CanonicalType::Int(64), true),
            _ => (format!("{name}({of})"), kind, exact),
        };
        return (meant(remote, &name, column.schema.canonical) && column.cast.is_none() && legal(judged)).then(|| whole(sql, kind, None, collation));
    }
    let number = number::number(remote, expr, around, source)?;
    let (kind, of) = (number.kind?, taken(&number.sql));
    if once || !meant(remote, &name, Some(kind)) || !legal(true) {
        return None;
    }
    let summed = || match kind {
        CanonicalType::Decimal(_, scale) => Some((format!("sum({of})"), CanonicalType::Decimal(38, scale))),
        _ => Some((source.whole_sum.as_ref()?.replace("{}", &of), CanonicalType::Decimal(38, 0))),
    };
    match name.as_str() {
        "count" => Some(whole(format!("count({of})"), CanonicalType::Int(64), None, Collation::Unknown)),
        "sum" => {
            let (sql, total_kind) = summed()?;
            let cast = if matches!(kind, CanonicalType::Decimal(..)) { None } else { total(remote, kind)? };
            Some(whole(sql, total_kind, cast, number.collation))
        }
        "avg" if remote.verbatim() => {
            let kind = source.exact.as_ref()?.average.filter(|_| source.name == remote.sheet.name)?;
            Some(whole(format!("avg({of})"), kind, None, Collation::Unknown))
        }
        "avg" => {
            let (sql, total_kind) = summed().filter(|_| number.collation != Collation::Loose)?;
            let (sum, count) = (made(sql, total_kind), made(format!("count({of})"), CanonicalType::Int(64)));
            Some(Made::Average { sum: Out { schema: ColumnSchema { collation: number.collation, ..sum.schema }, ..sum }, count, of: kind })
        }
        _ => None,
    }
}

/// A column that is computed.
pub fn made(sql: String, kind: CanonicalType) -> Out {
    let schema = ColumnSchema { name: String::new(), native: String::new(), canonical: Some(kind), refused: None, collation: Collation::Unknown };
    Out { sql, schema, leaf: None, cast: None }
}

/// Whether a rule's argument takes values of a type; of decimals such as have no digits of their own.
pub fn takes(arg: &str, text: &str, kind: CanonicalType) -> bool {
    let family = format!("{:?}", kind.family()).to_lowercase();
    let number = matches!(kind.family(), Family::Integer | Family::Decimal | Family::Float);
    let decimal = kind.family() == Family::Decimal;
    arg.split('|').any(|a| a == "any" || a == text || a == family || (a == "number" && number) || (a == "fixed" && decimal))
}

/// Whether the model's dialect says what the aggregate means; one that runs as it is says all.
pub fn meant(remote: &Remote<'_>, name: &str, kind: Option<CanonicalType>) -> bool {
    let Some(meaning) = remote.sheet.meaning.as_ref().filter(|_| !remote.verbatim()) else { return true };
    let of = |arg: Option<&String>| kind.is_none_or(|kind| arg.is_some_and(|a| takes(a, &kind.to_string(), kind)));
    meaning.rule.iter().any(|r| r.name.iter().any(|n| n == name) && of(r.args.first()))
}

/// The type of the model's sum of whole numbers, to which a decimal of 38 digits is cast; None: it is that decimal.
#[expect(clippy::option_option, reason = "the outer one: whether it is known")]
fn total(remote: &Remote<'_>, kind: CanonicalType) -> Option<Option<String>> {
    if let (true, Some(name)) = (remote.verbatim(), &remote.sheet.sum_of_whole) {
        return Some(Some(name.clone()));
    }
    let meaning = remote.sheet.meaning.as_ref()?;
    let text = kind.to_string();
    let rule = meaning.rule.iter().find(|r| r.name.iter().any(|n| n == "sum") && r.args.first().is_some_and(|a| takes(a, &text, kind)))?;
    match rule.gives.as_str() {
        "total" => Some(None),
        other => Some(Some(named_type(remote, other)?)),
    }
}

/// What the model's dialect calls a type.
pub fn named_type(remote: &Remote<'_>, kind: &str) -> Option<String> {
    Some(remote.sheet.meaning.as_ref()?.types.iter().find(|(_, k)| *k == kind)?.0.clone())
}
