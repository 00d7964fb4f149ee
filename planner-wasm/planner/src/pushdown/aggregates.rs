//! Groups, aggregates and DISTINCT, computed at their source.
//!
//! Legality, over what [`super::remote`] can tell:
//! 1. Every key is a plain column that the source compares with `=` as `exact`, without conditions: it then groups as the
//!    model does (never doubles, text of a loose collation, or cells that carry a type of their own). No ROLLUP, CUBE or
//!    GROUPING SETS. DISTINCT: every column is such a key.
//! 2. Every other column is count(*), count(c), count(DISTINCT c) of such a key, min or max of a column that the source
//!    orders exactly (text not), or a sum of exact numbers:
//!    - of decimals: a decimal of 38 digits in every dialect that has them;
//!    - of whole numbers: carried as a decimal of 38 digits, which holds any, and then of the type that the model's
//!      dialect gives it. The source's sheet says how, if its sums do not overflow.
//!    The model's dialect says what the aggregate means for the type. No FILTER or order inside. Averages stay: as doubles their last digit depends on how a product divides, as decimals
//!    their number of digits does. Each has an alias: dialects differ in how they call them.
//! 3. HAVING: on keys as WHERE; on an aggregate, compared with a literal of its type.

use super::predicate::{comparison, conjuncts, read};
use super::remote::{Around, Out, Rel, Remote};
use super::verdict::{Rule, Verdict};
use crate::bind::{At, column};
use crate::catalog::{Collation, ColumnSchema};
use crate::dialect::DialectSheet;
use crate::ir::PushClass;
use crate::types::{CanonicalType, Family};
use sqlparser::ast::{DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Select, SelectItem, Value};

/// Clause 1, for one key.
pub fn exact_key(key: &ColumnSchema, source: &DialectSheet) -> bool {
    source.comparison(key, "=").is_ok_and(|(c, class)| class == PushClass::Exact && c.unless.is_none())
}

/// Whether a SELECT groups.
pub fn asked(select: &Select) -> bool {
    let grouped = !matches!(&select.group_by, GroupByExpr::Expressions(list, more) if list.is_empty() && more.is_empty());
    grouped || select.having.is_some() || select.projection.iter().any(|i| matches!(i, SelectItem::ExprWithAlias { expr: Expr::Function(_), .. }))
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
    let schema = |e: &Expr| {
        let (item, c) = around.relations.resolve(column(e)?, None)?;
        around.outs.get(item)?.get(c)
    };
    let mut keys: Vec<(usize, &Out)> = Vec::new();
    for (i, item) in select.projection.iter().enumerate() {
        let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else { return None };
        let mut out = match expr {
            Expr::Function(f) => aggregate(remote, f, &schema, source)?,
            _ => {
                let key = schema(expr)?;
                if !remote.rules.legal(Verdict::ExactKey, exact_key(&key.schema, source) && key.cast.is_none()) || key.schema.canonical.is_none() {
                    return None;
                }
                keys.push((i, key));
                key.clone()
            }
        };
        out.schema.name = remote.named(select, select.projection.len(), i).unwrap_or_default();
        rel.columns.push(out);
    }
    // Every column of the list that is no aggregate is a key; a key need not be in the list.
    let mut by: Vec<&Out> = Vec::new();
    match &select.group_by {
        GroupByExpr::All(more) if more.is_empty() => by.extend(keys.iter().map(|k| k.1)),
        GroupByExpr::Expressions(groups, more) if more.is_empty() => {
            for group in groups {
                let expr = match group {
                    Expr::Value(v) => match &v.value {
                        Value::Number(n, false) => match select.projection.get(n.parse::<usize>().ok()?.checked_sub(1)?)? {
                            SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. } => e,
                            _ => return None,
                        },
                        _ => return None,
                    },
                    other => other,
                };
                let key = schema(expr)?;
                if !remote.rules.legal(Verdict::ExactKey, exact_key(&key.schema, source) && key.cast.is_none()) {
                    return None;
                }
                by.push(key);
            }
        }
        _ => return None,
    }
    if keys.iter().any(|(_, k)| by.iter().all(|b| b.sql != k.sql)) {
        return None;
    }
    if !by.is_empty() {
        let list: Vec<&str> = by.iter().map(|k| k.sql.as_str()).collect();
        rel.tail = format!(" GROUP BY {}", list.join(", "));
    }
    let mut having = Vec::new();
    for conjunct in select.having.iter().flat_map(conjuncts) {
        let told = asked_of_groups(remote, conjunct, select, &rel, &schema, &by, around)?;
        having.push(told);
    }
    if !having.is_empty() {
        rel.tail += " HAVING ";
        rel.tail += &having.join(" AND ");
    }
    rel.used.extend(by.iter().map(|k| (*k).clone()));
    rel.bound = bound(&rel, &by);
    let places: Option<Vec<usize>> = by.iter().map(|b| keys.iter().find(|(_, k)| k.sql == b.sql).map(|k| k.0)).collect();
    rel.unique = places.into_iter().collect();
    (rel.done, rel.pays, rel.wide) = (true, true, false);
    Some(rel)
}

/// Clause 3.
fn asked_of_groups<'c>(
    remote: &Remote<'_>,
    expr: &Expr,
    select: &Select,
    rel: &Rel<'_>,
    schema: &dyn Fn(&Expr) -> Option<&'c Out>,
    keys: &[&Out],
    around: &Around<'_>,
) -> Option<String> {
    let source = remote.source(&rel.target)?;
    // An aggregate, or what the list calls one.
    let value = |e: &Expr| match e {
        Expr::Function(f) => aggregate(remote, f, schema, source),
        Expr::Identifier(name) => {
            let taken = around.relations.items.iter().any(|i| i.columns.as_ref().is_none_or(|c| c.list.iter().any(|c| c.name.eq_ignore_ascii_case(&name.value))));
            let alias = |i: &&SelectItem| matches!(i, SelectItem::ExprWithAlias { alias, expr: Expr::Function(_) } if alias.value.eq_ignore_ascii_case(&name.value));
            let place = select.projection.iter().position(|i| alias(&i)).filter(|_| !taken)?;
            rel.columns.get(place).cloned()
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
        let of = |at: At| around.outs.get(at.0)?.get(at.1).filter(|o| keys.iter().any(|k| k.sql == o.sql));
        let (sql, class) = remote.emitter.said(&predicate, &|at| of(at).map(|o| (o.sql.clone(), &o.schema)), source).ok()?;
        let whole = predicate.whole(&|at| of(at).map(|_| at));
        return remote.rules.legal(Verdict::LimitExact, whole && class == PushClass::Exact).then_some(sql);
    };
    let (sql, class) = remote.emitter.test(&(out.sql.clone(), &out.schema), test, std::slice::from_ref(literal), source).ok()?;
    remote.rules.legal(Verdict::LimitExact, class == PushClass::Exact).then_some(sql)
}

/// Clause 2.
fn aggregate<'c>(remote: &Remote<'_>, f: &Function, schema: &dyn Fn(&Expr) -> Option<&'c Out>, source: &DialectSheet) -> Option<Out> {
    let FunctionArguments::List(list) = &f.args else { return None };
    let once = match list.duplicate_treatment {
        None | Some(DuplicateTreatment::All) => false,
        Some(DuplicateTreatment::Distinct) => true,
    };
    let bare = f.over.is_none() && f.filter.is_none() && f.null_treatment.is_none() && f.within_group.is_empty() && list.clauses.is_empty();
    let [FunctionArg::Unnamed(arg)] = list.args.as_slice() else { return None };
    let name = f.name.to_string().to_lowercase();
    let mut cast = None;
    if !meant(remote, &name, arg, schema) {
        return None;
    }
    let (sql, canonical, legal) = match (name.as_str(), arg) {
        ("count", FunctionArgExpr::Wildcard) => ("count(*)".to_owned(), CanonicalType::Int(64), !once),
        ("count" | "min" | "max" | "sum", FunctionArgExpr::Expr(e)) => {
            let column = schema(e)?;
            let kind = column.schema.canonical?;
            let exact = source.comparison(&column.schema, "<").is_ok_and(|(c, class)| class == PushClass::Exact && c.unless.is_none()) && kind.family() != Family::Text;
            let plain = format!("{name}({})", column.sql);
            let (sql, canonical, legal) = match (name.as_str(), kind) {
                ("count", _) if once => (format!("count(DISTINCT {})", column.sql), CanonicalType::Int(64), exact_key(&column.schema, source)),
                ("count", _) => (plain, CanonicalType::Int(64), true),
                ("sum", CanonicalType::Decimal(_, scale)) => (plain, CanonicalType::Decimal(38, scale), exact && !once),
                ("sum", CanonicalType::Int(_) | CanonicalType::UInt(_)) => {
                    cast = total(remote, kind)?;
                    (source.whole_sum.as_ref()?.replace("{}", &column.sql), CanonicalType::Decimal(38, 0), exact && !once)
                }
                ("sum", _) => (plain, kind, false),
                _ => (plain, kind, exact),
            };
            (sql, canonical, legal && column.cast.is_none())
        }
        _ => return None,
    };
    remote.rules.legal(Verdict::ExactAggregate, bare && legal).then(|| Out { cast, ..made(sql, canonical) })
}

/// A column that is computed.
pub fn made(sql: String, kind: CanonicalType) -> Out {
    let schema = ColumnSchema { name: String::new(), native: String::new(), canonical: Some(kind), refused: None, collation: Collation::Unknown };
    Out { sql, schema, leaf: None, cast: None }
}

/// Whether the compute runs the model's own text.
fn verbatim(remote: &Remote<'_>) -> bool {
    remote.request.dialect == remote.request.compute_dialect
}

fn takes(arg: &str, text: &str, kind: CanonicalType) -> bool {
    let family = format!("{:?}", kind.family()).to_lowercase();
    let number = matches!(kind.family(), Family::Integer | Family::Decimal | Family::Float);
    arg.split('|').any(|a| a == "any" || a == text || a == family || (a == "number" && number))
}

/// Whether the model's dialect says what the aggregate means; one that runs as it is says all.
fn meant<'c>(remote: &Remote<'_>, name: &str, arg: &FunctionArgExpr, schema: &dyn Fn(&Expr) -> Option<&'c Out>) -> bool {
    let Some(meaning) = remote.sheet.meaning.as_ref().filter(|_| !verbatim(remote)) else { return true };
    let mut rules = meaning.rule.iter();
    match arg {
        FunctionArgExpr::Expr(e) => schema(e).and_then(|c| c.schema.canonical).is_some_and(|kind| {
            let text = kind.to_string();
            rules.any(|r| r.name.iter().any(|n| n == name) && r.args.first().is_some_and(|a| takes(a, &text, kind)))
        }),
        _ => rules.any(|r| r.name.iter().any(|n| n == "count:*")),
    }
}

/// The type of the model's sum of whole numbers, to which a decimal of 38 digits is cast; None: it is that decimal.
#[expect(clippy::option_option, reason = "the outer one: whether it is known")]
fn total(remote: &Remote<'_>, kind: CanonicalType) -> Option<Option<String>> {
    if let (true, Some(name)) = (verbatim(remote), &remote.sheet.sum_of_whole) {
        return Some(Some(name.clone()));
    }
    let meaning = remote.sheet.meaning.as_ref()?;
    let text = kind.to_string();
    let rule = meaning.rule.iter().find(|r| r.name.iter().any(|n| n == "sum") && r.args.first().is_some_and(|a| takes(a, &text, kind)))?;
    match rule.gives.as_str() {
        "total" => Some(None),
        other => Some(Some(meaning.types.iter().find(|(_, k)| *k == other)?.0.clone())),
    }
}
