//! dbt's Column, and results of queries as templates read them.

use crate::python::{PyDict, bind, from_json, list, need_text, tuple};
use crate::runtime::QueryResult;
use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Column {
    pub name: String,
    /// With its arguments.
    pub data_type: String,
    pub quotes: (String, String),
}

impl Column {
    fn quoted(&self) -> String {
        let (open, close) = &self.quotes;
        format!("{open}{}{close}", self.name.replace(close.as_str(), &close.repeat(2)))
    }
    /// The type's name without arguments, and the arguments.
    fn parts(&self) -> (&str, Vec<u32>) {
        match self.data_type.split_once('(') {
            Some((name, rest)) => (name.trim(), rest.trim_end_matches(')').split(',').filter_map(|n| n.trim().parse().ok()).collect()),
            None => (self.data_type.trim(), Vec::new()),
        }
    }
    fn is_string(&self) -> bool {
        matches!(self.parts().0.to_ascii_lowercase().as_str(), "text" | "character varying" | "character" | "varchar" | "char" | "string" | "bpchar" | "nvarchar")
    }
    fn is_integer(&self) -> bool {
        matches!(
            self.parts().0.to_ascii_lowercase().as_str(),
            "smallint" | "integer" | "int" | "bigint" | "smallserial" | "serial" | "bigserial" | "int2" | "int4" | "int8" | "hugeint" | "tinyint"
        )
    }
    fn is_numeric(&self) -> bool {
        matches!(self.parts().0.to_ascii_lowercase().as_str(), "numeric" | "decimal")
    }
    fn is_float(&self) -> bool {
        matches!(self.parts().0.to_ascii_lowercase().as_str(), "real" | "float" | "float4" | "float8" | "double precision" | "double")
    }
}

impl Object for Column {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Column {} ({})>", self.name, self.data_type)
    }
    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        other.downcast_ref::<Self>().map(|o| (**self).cmp(o))
    }
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let (name, numbers) = self.parts();
        let number = |i: usize| numbers.get(i).map_or_else(|| Value::from(()), |n| Value::from(*n));
        Some(match key.as_str()? {
            "name" | "column" => Value::from(self.name.as_str()),
            "quoted" => Value::from(self.quoted()),
            "dtype" => Value::from(name),
            "data_type" => Value::from(self.data_type.as_str()),
            "char_size" => number(0),
            "numeric_precision" => number(0),
            "numeric_scale" => number(1),
            _ => return None,
        })
    }
    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        Ok(match method {
            "is_string" => Value::from(self.is_string()),
            "is_integer" => Value::from(self.is_integer()),
            "is_numeric" => Value::from(self.is_numeric()),
            "is_float" => Value::from(self.is_float()),
            "is_number" => Value::from(self.is_integer() || self.is_numeric() || self.is_float()),
            "string_size" => Value::from(self.parts().1.first().copied().unwrap_or(256)),
            "can_expand_to" => {
                let [other] = bind(method, ["other_column"], args)?;
                let size = |c: &Self| c.parts().1.first().copied().unwrap_or(256);
                Value::from(other.as_ref().and_then(|o| o.downcast_object_ref::<Self>()).is_some_and(|o| self.is_string() && o.is_string() && size(o) > size(self)))
            }
            "literal" => {
                let [value] = bind(method, ["value"], args)?;
                Value::from(format!("{}::{}", need_text(method, "value", value)?, self.data_type))
            }
            _ => return Err(Error::new(ErrorKind::UnknownMethod, format!("a Column has no attribute '{method}'"))),
        })
    }
}

/// `api.Column`.
#[derive(Debug)]
pub struct ColumnClass {
    pub quotes: (String, String),
}

impl Object for ColumnClass {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        self.call_method(state, "create", args)
    }
    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        match method {
            "create" => {
                let [name, dtype] = bind(method, ["column", "dtype"], args)?;
                let (name, data_type) = (need_text(method, "column", name)?, need_text(method, "dtype", dtype)?);
                Ok(Value::from_object(Column { name, data_type, quotes: self.quotes.clone() }))
            }
            "translate_type" => {
                let [dtype] = bind(method, ["dtype"], args)?;
                let dtype = need_text(method, "dtype", dtype)?;
                Ok(Value::from(match dtype.to_ascii_uppercase().as_str() {
                    "STRING" => "TEXT".to_owned(),
                    _ => dtype,
                }))
            }
            "string_type" => {
                let [size] = bind(method, ["size"], args)?;
                Ok(Value::from(format!("character varying({})", need_text(method, "size", size)?)))
            }
            "numeric_type" => {
                let [dtype, precision, scale] = bind(method, ["dtype", "precision", "scale"], args)?;
                let dtype = need_text(method, "dtype", dtype)?;
                Ok(Value::from(match (precision.filter(|p| !p.is_none()), scale.filter(|s| !s.is_none())) {
                    (Some(p), Some(s)) => format!("{dtype}({p},{s})"),
                    _ => dtype,
                }))
            }
            _ => Err(Error::new(ErrorKind::UnknownMethod, format!("api.Column has no attribute '{method}'"))),
        }
    }
}

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
            "values" => Ok(list(self.items.clone())),
            "keys" => Ok(list(self.names.iter().map(|n| Value::from(n.as_str())).collect())),
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
            Some("rows") => Some(list(self.rows())),
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
    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, _: &[Value]) -> Result<Value, Error> {
        match method {
            "print_table" | "print_csv" | "print_json" => Ok(Value::from("")),
            _ => Err(Error::new(ErrorKind::UnknownMethod, format!("a table has no attribute '{method}'"))),
        }
    }
}

fn cell(result: &QueryResult, row: usize, column: usize) -> Value {
    result.rows.get(row).and_then(|r| r.get(column)).map_or_else(|| Value::from(()), from_json)
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
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}
