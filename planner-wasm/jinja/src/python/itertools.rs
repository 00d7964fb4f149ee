//! `modules.itertools`: what of it ends, as lists.

use super::{bind, list, need, split_args, tuple, type_error};
use minijinja::value::Object;
use minijinja::{Error, ErrorKind, State, Value};
use std::sync::Arc;

/// A template cannot make more rows than this.
const MOST: usize = 1_000_000;

#[derive(Debug)]
struct Itertools;

pub fn itertools_module() -> Value {
    Value::from_object(Itertools)
}

fn items(value: &Value) -> Result<Vec<Value>, Error> {
    Ok(value.try_iter()?.collect())
}

fn whole(value: Option<&Value>, usual: usize) -> usize {
    value.and_then(Value::as_usize).unwrap_or(usual)
}

/// All rows of `r` places chosen from `n`, in Python's order.
fn choices(n: usize, r: usize, fits: impl Fn(&[usize], usize) -> bool) -> Result<Vec<Vec<usize>>, Error> {
    let mut out: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..r {
        let mut next = Vec::new();
        for row in &out {
            for i in (0..n).filter(|i| fits(row, *i)) {
                if next.len() >= MOST {
                    return Err(type_error("too many combinations"));
                }
                let mut longer = row.clone();
                longer.push(i);
                next.push(longer);
            }
        }
        out = next;
    }
    Ok(out)
}

impl Object for Itertools {
    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        let (positional, named) = split_args(args);
        let rows = |from: &[Value], all: Vec<Vec<usize>>| list(all.into_iter().map(|row| tuple(row.into_iter().map(|i| from[i].clone()).collect())).collect());
        match method {
            "chain" => {
                let parts = positional.iter().map(items).collect::<Result<Vec<_>, _>>()?;
                Ok(list(parts.into_iter().flatten().collect()))
            }
            "product" => {
                let repeat = whole(named.iter().find(|(n, _)| n == "repeat").map(|(_, v)| v), 1);
                let lists = positional.iter().map(items).collect::<Result<Vec<_>, _>>()?;
                let mut out: Vec<Vec<Value>> = vec![Vec::new()];
                for part in (0..repeat).flat_map(|_| lists.iter()) {
                    if out.len().saturating_mul(part.len()) > MOST {
                        return Err(type_error("the product is too large"));
                    }
                    out = out.iter().flat_map(|row| part.iter().map(move |v| row.iter().cloned().chain([v.clone()]).collect())).collect();
                }
                Ok(list(out.into_iter().map(tuple).collect()))
            }
            "combinations" | "permutations" | "combinations_with_replacement" => {
                let [from, r] = bind(method, ["iterable", "r"], args)?;
                let from = items(&need(method, "iterable", from)?)?;
                let r = whole(r.as_ref(), from.len());
                let all = match method {
                    "combinations" => choices(from.len(), r, |row, i| row.last().is_none_or(|l| i > *l))?,
                    "permutations" => choices(from.len(), r, |row, i| !row.contains(&i))?,
                    _ => choices(from.len(), r, |row, i| row.last().is_none_or(|l| i >= *l))?,
                };
                Ok(rows(&from, all))
            }
            "islice" => {
                let Some((first, bounds)) = positional.split_first() else { return Err(type_error("islice() needs an iterable")) };
                let from = items(first)?;
                let (start, stop) = match bounds {
                    [stop] => (0, whole(Some(stop), from.len())),
                    [start, stop, ..] => (whole(Some(start), 0), whole(Some(stop), from.len())),
                    [] => (0, from.len()),
                };
                let step = whole(bounds.get(2), 1).max(1);
                Ok(list(from.into_iter().take(stop).skip(start).step_by(step).collect()))
            }
            "repeat" => {
                let [object, times] = bind(method, ["object", "times"], args)?;
                let times = times.and_then(|t| t.as_usize()).filter(|t| *t <= MOST).ok_or_else(|| type_error("repeat() needs how many times"))?;
                Ok(list(vec![need(method, "object", object)?; times]))
            }
            "zip_longest" => {
                let lists = positional.iter().map(items).collect::<Result<Vec<_>, _>>()?;
                let fill = named.iter().find(|(n, _)| n == "fillvalue").map_or_else(|| Value::from(()), |(_, v)| v.clone());
                let longest = lists.iter().map(Vec::len).max().unwrap_or_default();
                Ok(list((0..longest).map(|i| tuple(lists.iter().map(|l| l.get(i).cloned().unwrap_or_else(|| fill.clone())).collect())).collect()))
            }
            "pairwise" => {
                let [from] = bind(method, ["iterable"], args)?;
                let from = items(&need(method, "iterable", from)?)?;
                Ok(list(from.windows(2).map(|w| tuple(w.to_vec())).collect()))
            }
            _ => Err(Error::new(ErrorKind::UnknownMethod, format!("itertools.{method}() is not available in a template"))),
        }
    }
}
