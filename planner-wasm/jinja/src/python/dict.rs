//! Python's dict: mutable, ordered, shared by every name bound to it.

use super::{bind, list, need, repr, split_args, tuple, type_error};
use indexmap::IndexMap;
use minijinja::value::{Enumerator, Object, ObjectRepr, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Default)]
pub struct PyDict(Mutex<IndexMap<Value, Value>>);

impl PyDict {
    pub fn new(entries: impl IntoIterator<Item = (Value, Value)>) -> Self {
        Self(Mutex::new(entries.into_iter().collect()))
    }
    fn map(&self) -> MutexGuard<'_, IndexMap<Value, Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// A copy: whoever walks it may call back into this dict.
    pub fn snapshot(&self) -> Vec<(Value, Value)> {
        self.map().iter().map(|(k, v)| (k.clone(), v.clone())).collect()
    }
    pub fn get(&self, key: &Value) -> Option<Value> {
        self.map().get(key).cloned()
    }
    pub fn set(&self, key: Value, value: Value) {
        self.map().insert(key, value);
    }
}

/// What `dict(x)` and `update(x)` take: a mapping or pairs.
pub fn entries_of(value: &Value) -> Result<Vec<(Value, Value)>, Error> {
    if let Some(dict) = value.downcast_object_ref::<PyDict>() {
        return Ok(dict.snapshot());
    }
    if value.kind() == ValueKind::Map {
        return value.try_iter()?.map(|k| Ok((k.clone(), value.get_item(&k)?))).collect();
    }
    value
        .try_iter()?
        .map(|pair| {
            let pair: Vec<Value> = pair.try_iter()?.collect();
            match <[Value; 2]>::try_from(pair) {
                Ok([k, v]) => Ok((k, v)),
                Err(_) => Err(type_error("a dict is made of pairs")),
            }
        })
        .collect()
}

impl fmt::Debug for PyDict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, (key, value)) in self.snapshot().iter().enumerate() {
            if value.downcast_object_ref::<Self>().is_some_and(|inner| std::ptr::eq(inner, self)) {
                write!(f, "{}{}: {{...}}", if i > 0 { ", " } else { "" }, repr(key))?;
                continue;
            }
            write!(f, "{}{}: {}", if i > 0 { ", " } else { "" }, repr(key), repr(value))?;
        }
        f.write_str("}")
    }
}

impl Object for PyDict {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get(key)
    }
    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.map().keys().cloned().collect())
    }
    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.map().len())
    }
    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
    fn call_method(self: &Arc<Self>, _state: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        match method {
            "get" => {
                let [key, default] = bind("get", ["key", "default"], args)?;
                Ok(self.get(&need("get", "key", key)?).unwrap_or_else(|| default.unwrap_or_else(|| Value::from(()))))
            }
            "items" => Ok(list(self.snapshot().into_iter().map(|(k, v)| tuple(vec![k, v])).collect())),
            "keys" => Ok(list(self.map().keys().cloned().collect())),
            "values" => Ok(list(self.map().values().cloned().collect())),
            "update" => {
                let (positional, named) = split_args(args);
                if positional.len() > 1 {
                    return Err(type_error(format!("update expected at most 1 argument, got {}", positional.len())));
                }
                for (key, value) in positional.first().map(entries_of).transpose()?.unwrap_or_default() {
                    self.set(key, value);
                }
                for (key, value) in named {
                    self.set(Value::from(key), value);
                }
                Ok(Value::from(()))
            }
            "pop" => {
                let [key, default] = bind("pop", ["key", "default"], args)?;
                let key = need("pop", "key", key)?;
                let found = self.map().shift_remove(&key);
                found.or(default).ok_or_else(|| type_error(format!("KeyError: {}", repr(&key))))
            }
            "popitem" => match self.map().pop() {
                Some((k, v)) => Ok(tuple(vec![k, v])),
                None => Err(type_error("popitem(): dictionary is empty")),
            },
            "setdefault" => {
                let [key, default] = bind("setdefault", ["key", "default"], args)?;
                let key = need("setdefault", "key", key)?;
                Ok(self.map().entry(key).or_insert_with(|| default.unwrap_or_else(|| Value::from(()))).clone())
            }
            // `to_dict`: results of nodes are dicts here, objects in dbt.
            "copy" | "to_dict" => Ok(Value::from_object(Self::new(self.snapshot()))),
            "clear" => {
                self.map().clear();
                Ok(Value::from(()))
            }
            _ => Err(Error::new(ErrorKind::UnknownMethod, format!("'dict' object has no attribute '{method}'"))),
        }
    }
}
