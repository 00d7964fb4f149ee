//! dbt's Column and `api.Column`.

use crate::python::{bind, list, need_text, type_error};
use minijinja::value::{DynObject, Object, ObjectRepr};
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
            "smallint" | "integer" | "int" | "bigint" | "smallserial" | "serial" | "bigserial" | "int2" | "int4" | "int8" | "hugeint" | "tinyint" | "mediumint" | "utinyint" | "usmallint" | "uinteger" | "ubigint"
        )
    }
    fn is_numeric(&self) -> bool {
        matches!(self.parts().0.to_ascii_lowercase().as_str(), "numeric" | "decimal")
    }
    fn is_float(&self) -> bool {
        matches!(self.parts().0.to_ascii_lowercase().as_str(), "real" | "float" | "float4" | "float8" | "double precision" | "double")
    }
}

impl Column {
    fn is_struct(&self) -> bool {
        self.data_type.get(..6).is_some_and(|t| t.eq_ignore_ascii_case("struct"))
    }
    /// The fields of `STRUCT(a type, b type)`; commas inside of brackets are the types' own.
    fn fields(&self) -> Vec<Self> {
        let inner = self.data_type.split_once('(').map(|(_, rest)| rest.strip_suffix(')').unwrap_or(rest)).filter(|_| self.is_struct());
        let mut parts = vec![String::new()];
        let mut depth = 0_usize;
        for c in inner.unwrap_or_default().chars() {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                ',' if depth == 0 => {
                    parts.push(String::new());
                    continue;
                }
                _ => {}
            }
            if let Some(last) = parts.last_mut() {
                last.push(c);
            }
        }
        let field = |part: &String| part.trim().split_once(' ').map(|(name, kind)| Self { name: name.to_owned(), data_type: kind.trim().to_owned(), quotes: self.quotes.clone() });
        parts.iter().filter_map(field).collect()
    }
    fn flatten(&self) -> Vec<Self> {
        if !self.is_struct() {
            return vec![self.clone()];
        }
        let inner = self.fields().into_iter().flat_map(|f| f.flatten());
        inner.map(|f| Self { name: format!("{}.{}", self.name, f.name), ..f }).collect()
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
            "data_type" | "expanded_data_type" => Value::from(self.data_type.as_str()),
            "char_size" if numbers.len() == 1 => number(0),
            "numeric_precision" if numbers.len() == 2 => number(0),
            "numeric_scale" => number(1),
            "char_size" | "numeric_precision" => Value::from(()),
            "fields" => list(self.fields().into_iter().map(Value::from_object).collect()),
            _ => return None,
        })
    }
    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        Ok(match method {
            "is_string" => Value::from(self.is_string()),
            "is_integer" => Value::from(self.is_integer()),
            "is_numeric" => Value::from(self.is_numeric()),
            "is_float" => Value::from(self.is_float()),
            "is_number" => Value::from(self.is_integer() || self.is_numeric() || self.is_float()),
            "is_struct" => Value::from(self.is_struct()),
            "flatten" => list(self.flatten().into_iter().map(Value::from_object).collect()),
            "string_size" if !self.is_string() => return Err(type_error("Called string_size() on non-string field!")),
            "string_size" => Value::from(self.parts().1.first().copied().unwrap_or(256)),
            "quoted" | "name" => return Err(type_error(format!("a Column's {method} is no function"))),
            "create" | "translate_type" | "string_type" | "numeric_type" | "from_description" => {
                let class = Value::from_object(ColumnClass { quotes: self.quotes.clone() });
                return class.call_method(state, method, args);
            }
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

impl ColumnClass {
    fn column(&self, name: String, data_type: String) -> Value {
        Value::from_object(Column { name, data_type, quotes: self.quotes.clone() })
    }
}

/// dbt's own name for text.
fn translated(dtype: String) -> String {
    if dtype.eq_ignore_ascii_case("string") { "TEXT".to_owned() } else { dtype }
}

impl Object for ColumnClass {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let [name, dtype, size, precision, scale] = bind("Column", ["column", "dtype", "char_size", "numeric_precision", "numeric_scale"], args)?;
        let (name, dtype) = (need_text("Column", "column", name)?, need_text("Column", "dtype", dtype)?);
        let given = |v: Option<Value>| v.filter(|v| !v.is_none() && !v.is_undefined());
        let data_type = match (given(size), given(precision), given(scale)) {
            (Some(size), _, _) => format!("{dtype}({size})"),
            (None, Some(p), Some(s)) => format!("{dtype}({p},{s})"),
            _ => dtype,
        };
        Ok(self.column(name, data_type))
    }
    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        match method {
            "create" => {
                let [name, dtype] = bind(method, ["name", "label_or_dtype"], args)?;
                Ok(self.column(need_text(method, "name", name)?, translated(need_text(method, "label_or_dtype", dtype)?)))
            }
            "from_description" => {
                let [name, dtype] = bind(method, ["name", "raw_data_type"], args)?;
                Ok(self.column(need_text(method, "name", name)?, need_text(method, "raw_data_type", dtype)?))
            }
            "translate_type" => {
                let [dtype] = bind(method, ["dtype"], args)?;
                let dtype = need_text(method, "dtype", dtype)?;
                Ok(Value::from(translated(dtype)))
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

