//! Results of queries as templates read them: the parts of agate's Table that projects use.
//!
//! Decimals come as numbers where a double holds them exactly, else as the text the database wrote; dates and times
//! as those of `modules.datetime`.

use crate::python::{PyDict, bind, from_database, from_json, list, need, tuple, type_error};
use crate::relation::clean;
use crate::runtime::QueryResult;
use minijinja::value::{Enumerator, Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};
use serde_json::Value as Json;
use std::sync::Arc;

/// A query's rows, with the parts of agate's Table that projects use.
#[derive(Debug)]
pub struct Table(pub Arc<QueryResult>);

#[derive(Debug)]
struct Row(Arc<QueryResult>, usize);

#[derive(Debug)]
struct TableColumn(Arc<QueryResult>, usize);

impl Table {
    fn columns(&self) -> Vec<Value> {
        (0..self.0.columns.len()).map(|i| Value::from_object(TableColumn(self.0.clone(), i))).collect()
    }
    fn rows(&self) -> Vec<Value> {
        (0..self.0.rows.len()).map(|i| Value::from_object(Row(self.0.clone(), i))).collect()
    }
    fn names(&self) -> Value {
        tuple(self.0.columns.iter().map(|(n, _)| Value::from(n.as_str())).collect())
    }
}

/// A list that is also read by name: `table.columns['x']`, `.columns.values()`.
#[derive(Debug)]
struct Named {
    items: Vec<Value>,
    names: Vec<String>,
}

impl Object for Named {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let at = match key.as_str() {
            Some(name) => self.names.iter().position(|n| n == name).or_else(|| self.names.iter().position(|n| n.eq_ignore_ascii_case(name)))?,
            None => crate::python::position(key.as_i64()?, self.items.len())?,
        };
        self.items.get(at).cloned()
    }
    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.items.clone())
    }
    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.items.len())
    }
    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        match method {
            "values" => Ok(tuple(self.items.clone())),
            "keys" => Ok(tuple(self.names.iter().map(|n| Value::from(n.as_str())).collect())),
            "items" => Ok(list(self.names.iter().zip(&self.items).map(|(n, v)| tuple(vec![Value::from(n.as_str()), v.clone()])).collect())),
            "dict" => Ok(Value::from_object(PyDict::new(self.names.iter().zip(&self.items).map(|(n, v)| (Value::from(n.as_str()), v.clone()))))),
            "get" => {
                let [key, default] = bind(method, ["key", "default"], args)?;
                Ok(key.and_then(|k| self.get_value(&k)).or(default).unwrap_or_else(|| Value::from(())))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

impl Object for Table {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let names = || self.0.columns.iter().map(|(n, _)| n.clone()).collect();
        match key.as_str() {
            Some("columns") => Some(Value::from_object(Named { items: self.columns(), names: names() })),
            Some("rows") => Some(Value::from_object(Named { items: self.rows(), names: Vec::new() })),
            Some("column_names") => Some(self.names()),
            Some("column_types") => Some(tuple(self.0.columns.iter().map(|(_, t)| Value::from(t.as_str())).collect())),
            Some(_) => None,
            None => self.rows().get(crate::python::position(key.as_i64()?, self.0.rows.len())?).cloned(),
        }
    }
    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.rows())
    }
    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.0.rows.len())
    }
    fn is_true(self: &Arc<Self>) -> bool {
        true
    }
    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        let names = |v: Option<Value>| -> Result<Vec<String>, Error> {
            let v = v.unwrap_or_default();
            Ok(match v.as_str() {
                Some(one) => vec![one.to_owned()],
                None => v.try_iter()?.map(|n| n.to_string()).collect(),
            })
        };
        let of = |result: QueryResult| Ok(Value::from_object(Self(Arc::new(result))));
        match method {
            "print_table" | "print_csv" | "print_json" => {
                if let Some(scope) = state.lookup("__scope").and_then(|v| v.downcast_object_ref::<crate::macros::ScopeValue>().map(|s| s.0.clone()))
                    && let Some(runtime) = &scope.runtime
                {
                    let text = match method {
                        "print_table" => self.as_text(),
                        "print_csv" => self.as_csv(),
                        _ => Json::Array(self.as_objects()).to_string(),
                    };
                    runtime.log(&clean(text.trim_end()), true);
                }
                Ok(Value::from(""))
            }
            "select" | "exclude" => {
                let [key] = bind(method, ["key"], args)?;
                let wanted = names(key)?;
                let keep = |n: &str| wanted.iter().any(|w| w == n) == (method == "select");
                of(self.with_columns(&(0..self.0.columns.len()).filter(|i| keep(&self.0.columns[*i].0)).collect::<Vec<_>>()))
            }
            "rename" => {
                let [columns, _rows, _slug, _slug_rows] = bind(method, ["column_names", "row_names", "slug_columns", "slug_rows"], args)?;
                let columns = columns.unwrap_or_default();
                let mut out = (*self.0).clone();
                for (i, column) in out.columns.iter_mut().enumerate() {
                    let new = match columns.kind() {
                        minijinja::value::ValueKind::Map => columns.get_item(&Value::from(column.0.as_str())),
                        _ => columns.get_item_by_index(i),
                    };
                    if let Some(new) = new.ok().filter(|n| !n.is_undefined() && !n.is_none()) {
                        column.0 = new.to_string();
                    }
                }
                of(out)
            }
            "limit" => {
                let [start_or_stop, stop, step] = bind(method, ["start_or_stop", "stop", "step"], args)?;
                let number = |v: Option<Value>| v.and_then(|v| v.as_usize());
                let (start, stop) = match stop.filter(|s| !s.is_none()) {
                    Some(stop) => (number(start_or_stop).unwrap_or(0), number(Some(stop))),
                    None => (0, number(start_or_stop)),
                };
                let rows = self.0.rows.iter().take(stop.unwrap_or(usize::MAX)).skip(start).step_by(number(step).unwrap_or(1).max(1));
                of(QueryResult { rows: rows.cloned().collect(), ..(*self.0).clone() })
            }
            "order_by" | "distinct" => {
                let [key, reverse] = bind(method, ["key", "reverse"], args)?;
                let wanted = match key.filter(|k| !k.is_none()) {
                    Some(key) => names(Some(key))?,
                    None => self.0.columns.iter().map(|(n, _)| n.clone()).collect(),
                };
                let at: Vec<usize> = wanted.iter().map(|n| self.0.columns.iter().position(|(c, _)| c == n).ok_or_else(|| type_error(format!("the table has no column '{n}'")))).collect::<Result<_, _>>()?;
                let key_of = |row: usize| at.iter().map(|c| cell(&self.0, row, *c)).collect::<Vec<_>>();
                let mut order: Vec<usize> = (0..self.0.rows.len()).collect();
                if method == "distinct" {
                    let mut seen: Vec<Vec<Value>> = Vec::new();
                    order.retain(|row| {
                        let key = key_of(*row);
                        let new = !seen.contains(&key);
                        if new {
                            seen.push(key);
                        }
                        new
                    });
                } else {
                    // NULL is last, as in agate.
                    order.sort_by_cached_key(|row| key_of(*row).into_iter().map(|v| (v.is_none(), v)).collect::<Vec<_>>());
                    if reverse.is_some_and(|r| r.is_true()) {
                        order.reverse();
                    }
                }
                of(QueryResult { rows: order.into_iter().map(|i| self.0.rows[i].clone()).collect(), ..(*self.0).clone() })
            }
            "get_column" => {
                let [name] = bind(method, ["name"], args)?;
                Value::from_object(Named { items: self.columns(), names: self.0.columns.iter().map(|(n, _)| n.clone()).collect() }).get_item(&need(method, "name", name)?)
            }
            _ => Err(Error::new(ErrorKind::UnknownMethod, format!("a table has no attribute '{method}'"))),
        }
    }
}

impl Table {
    fn with_columns(&self, at: &[usize]) -> QueryResult {
        QueryResult {
            columns: at.iter().map(|i| self.0.columns[*i].clone()).collect(),
            rows: self.0.rows.iter().map(|r| at.iter().map(|i| r.get(*i).cloned().unwrap_or_default()).collect()).collect(),
            ..(*self.0).clone()
        }
    }
    fn shown(&self) -> Vec<Vec<String>> {
        let plain = |v: &Json| match v {
            Json::Null => String::new(),
            Json::String(s) => s.clone(),
            other => other.to_string(),
        };
        let head = self.0.columns.iter().map(|(n, _)| n.clone()).collect();
        std::iter::once(head).chain(self.0.rows.iter().map(|r| r.iter().map(plain).collect())).collect()
    }
    fn as_text(&self) -> String {
        let rows = self.shown();
        let width = |i: usize| rows.iter().filter_map(|r| r.get(i)).map(|c| c.chars().count()).max().unwrap_or_default();
        let widths: Vec<usize> = (0..self.0.columns.len()).map(width).collect();
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let mut out = String::new();
        for (number, row) in rows.iter().enumerate() {
            out.push_str(&line(row.iter().zip(&widths).map(|(c, w)| format!("{c:<w$}")).collect()));
            if number == 0 {
                out.push_str(&line(widths.iter().map(|w| "-".repeat(*w)).collect()));
            }
        }
        out
    }
    fn as_csv(&self) -> String {
        let quoted = |c: &String| if c.contains([',', '"', '\n']) { format!("\"{}\"", c.replace('"', "\"\"")) } else { c.clone() };
        self.shown().iter().map(|r| r.iter().map(quoted).collect::<Vec<_>>().join(",") + "\n").collect()
    }
    fn as_objects(&self) -> Vec<Json> {
        let row = |r: &Vec<Json>| Json::Object(self.0.columns.iter().map(|(n, _)| n.clone()).zip(r.iter().cloned()).collect());
        self.0.rows.iter().map(row).collect()
    }
}

fn cell(result: &QueryResult, row: usize, column: usize) -> Value {
    let Some(value) = result.rows.get(row).and_then(|r| r.get(column)) else { return Value::from(()) };
    let Json::String(text) = value else { return from_json(value) };
    let kind = result.columns.get(column).map_or("", |(_, t)| t.as_str());
    let typed = if kind.starts_with("decimal") { number(text) } else { from_database(kind, text) };
    typed.unwrap_or_else(|| Value::from(text.as_str()))
}

/// A decimal as a number; None where a double would not be exactly it.
fn number(text: &str) -> Option<Value> {
    let short = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
    if !short.contains('.') {
        return short.parse::<i128>().ok().map(|n| i64::try_from(n).map_or_else(|_| Value::from(n), Value::from));
    }
    let float: f64 = short.parse().ok()?;
    (short.bytes().filter(u8::is_ascii_digit).count() <= 15).then(|| Value::from(float))
}

impl Row {
    fn named(&self) -> Named {
        Named { items: (0..self.0.columns.len()).map(|c| cell(&self.0, self.1, c)).collect(), names: self.0.columns.iter().map(|(n, _)| n.clone()).collect() }
    }
}

impl Object for Row {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Arc::new(self.named()).get_value(key)
    }
    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.named().items)
    }
    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.0.columns.len())
    }
    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        Arc::new(self.named()).call_method(state, method, args)
    }
}

impl Object for TableColumn {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str() {
            Some("name") => Some(Value::from(self.0.columns[self.1].0.as_str())),
            Some("index") => Some(Value::from(self.1)),
            Some("data_type") => Some(Value::from(self.0.columns[self.1].1.as_str())),
            Some(_) => None,
            None => Some(cell(&self.0, crate::python::position(key.as_i64()?, self.0.rows.len())?, self.1)),
        }
    }
    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values((0..self.0.rows.len()).map(|r| cell(&self.0, r, self.1)).collect())
    }
    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.0.rows.len())
    }
    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, _: &[Value]) -> Result<Value, Error> {
        let values = || (0..self.0.rows.len()).map(|r| cell(&self.0, r, self.1));
        match method {
            "values" => Ok(tuple(values().collect())),
            "values_distinct" => {
                let mut out: Vec<Value> = Vec::new();
                for v in values() {
                    if !out.contains(&v) {
                        out.push(v);
                    }
                }
                Ok(tuple(out))
            }
            "values_without_nulls" => Ok(tuple(values().filter(|v| !v.is_none()).collect())),
            "values_sorted" | "values_without_nulls_sorted" => {
                let mut out: Vec<Value> = values().filter(|v| method == "values_sorted" || !v.is_none()).collect();
                out.sort_by_cached_key(|v| (v.is_none(), v.clone()));
                Ok(tuple(out))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}
