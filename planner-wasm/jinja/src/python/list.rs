//! Python's list: mutable, shared by every name bound to it.

use super::{bind, list, need, repr, type_error};
use minijinja::value::{Enumerator, Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Default)]
pub struct PyList(Mutex<Vec<Value>>);

impl PyList {
    pub fn new(items: Vec<Value>) -> Self {
        Self(Mutex::new(items))
    }
    fn items(&self) -> MutexGuard<'_, Vec<Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// A copy: whoever walks it may call back into this list.
    pub fn snapshot(&self) -> Vec<Value> {
        self.items().clone()
    }
    pub fn push(&self, value: Value) {
        self.items().push(value);
    }
    fn index(&self, index: i64) -> Option<usize> {
        position(index, self.items().len())
    }
}

/// Python's index, from the end when negative.
pub fn position(index: i64, len: usize) -> Option<usize> {
    let at = if index < 0 { index + len as i64 } else { index };
    usize::try_from(at).ok().filter(|i| *i < len)
}

impl fmt::Debug for PyList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, item) in self.snapshot().iter().enumerate() {
            if item.downcast_object_ref::<Self>().is_some_and(|inner| std::ptr::eq(inner, self)) {
                f.write_str(if i > 0 { ", [...]" } else { "[...]" })?;
                continue;
            }
            write!(f, "{}{}", if i > 0 { ", " } else { "" }, repr(item))?;
        }
        f.write_str("]")
    }
}

impl Object for PyList {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let index = if key.is_integer() { key.as_i64()? } else { return None };
        let at = self.index(index)?;
        self.items().get(at).cloned()
    }
    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.snapshot())
    }
    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.items().len())
    }
    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
    fn call_method(self: &Arc<Self>, _state: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        let none = Ok(Value::from(()));
        match method {
            "append" => {
                let [value] = bind("append", ["object"], args)?;
                self.push(need("append", "object", value)?);
                none
            }
            "extend" => {
                let [values] = bind("extend", ["iterable"], args)?;
                let more: Vec<Value> = need("extend", "iterable", values)?.try_iter()?.collect();
                self.items().extend(more);
                none
            }
            "insert" => {
                let [at, value] = bind("insert", ["index", "object"], args)?;
                let at = need("insert", "index", at)?.as_i64().ok_or_else(|| type_error("insert() needs a number"))?;
                let mut items = self.items();
                let len = items.len() as i64;
                let at = if at < 0 { (at + len).max(0) } else { at.min(len) };
                items.insert(at as usize, need("insert", "object", value)?);
                none
            }
            "pop" => {
                let [at] = bind("pop", ["index"], args)?;
                let at = at.and_then(|v| v.as_i64()).unwrap_or(-1);
                let Some(at) = self.index(at) else { return Err(Error::new(ErrorKind::InvalidOperation, "pop index out of range")) };
                Ok(self.items().remove(at))
            }
            "remove" => {
                let [value] = bind("remove", ["value"], args)?;
                let value = need("remove", "value", value)?;
                let Some(at) = self.snapshot().iter().position(|v| *v == value) else {
                    return Err(type_error("list.remove(x): x not in list"));
                };
                self.items().remove(at);
                none
            }
            "clear" => {
                self.items().clear();
                none
            }
            "reverse" => {
                self.items().reverse();
                none
            }
            "sort" => {
                let [key, reverse] = bind("sort", ["key", "reverse"], args)?;
                if key.is_some_and(|k| !k.is_none()) {
                    return Err(type_error("sort(key=…) is not supported; use the sort filter with an attribute"));
                }
                let mut items = self.snapshot();
                items.sort();
                if reverse.is_some_and(|r| r.is_true()) {
                    items.reverse();
                }
                *self.items() = items;
                none
            }
            "copy" => Ok(list(self.snapshot())),
            "index" => {
                let [value] = bind("index", ["value"], args)?;
                let value = need("index", "value", value)?;
                self.snapshot().iter().position(|v| *v == value).map(Value::from).ok_or_else(|| type_error(format!("{} is not in list", repr(&value))))
            }
            "count" => {
                let [value] = bind("count", ["value"], args)?;
                let value = need("count", "value", value)?;
                Ok(Value::from(self.snapshot().iter().filter(|v| **v == value).count()))
            }
            _ => Err(Error::new(ErrorKind::UnknownMethod, format!("'list' object has no attribute '{method}'"))),
        }
    }
}
