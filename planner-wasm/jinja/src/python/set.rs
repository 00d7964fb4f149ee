//! Python's set: unordered when compared, in order of insertion when walked, so that equal inputs print equally.

use super::{bind, need, repr, type_error};
use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};
use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Default)]
pub struct PySet(Mutex<Vec<Value>>);

impl PySet {
    pub fn new(items: impl IntoIterator<Item = Value>) -> Self {
        let mut out: Vec<Value> = Vec::new();
        for item in items {
            if !out.contains(&item) {
                out.push(item);
            }
        }
        Self(Mutex::new(out))
    }
    fn items(&self) -> MutexGuard<'_, Vec<Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn snapshot(&self) -> Vec<Value> {
        self.items().clone()
    }
    fn sorted(&self) -> Vec<Value> {
        let mut out = self.snapshot();
        out.sort();
        out
    }
}

/// The set a value is, made of its items when it is another collection.
fn items_of(value: &Value) -> Result<Vec<Value>, Error> {
    Ok(value.try_iter()?.collect())
}

/// `a - b`, when both are sets.
pub fn difference(a: &Value, b: &Value) -> Option<Value> {
    let (a, b) = (a.downcast_object_ref::<PySet>()?, b.downcast_object_ref::<PySet>()?);
    let gone = b.snapshot();
    Some(Value::from_object(PySet::new(a.snapshot().into_iter().filter(|v| !gone.contains(v)))))
}

impl fmt::Debug for PySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items = self.snapshot();
        if items.is_empty() {
            return f.write_str("set()");
        }
        write!(f, "{{{}}}", items.iter().map(repr).collect::<Vec<_>>().join(", "))
    }
}

impl Object for PySet {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }
    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.snapshot())
    }
    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.items().len())
    }
    fn is_true(self: &Arc<Self>) -> bool {
        !self.items().is_empty()
    }
    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        other.downcast_ref::<Self>().map(|o| self.sorted().cmp(&o.sorted()))
    }
    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        let own = self.snapshot();
        let set = |items: Vec<Value>| Ok(Value::from_object(Self::new(items)));
        let none = || Ok(Value::from(()));
        let others = || args.iter().map(items_of).collect::<Result<Vec<_>, _>>();
        let element = || {
            let [value] = bind(method, ["elem"], args)?;
            need(method, "elem", value)
        };
        match method {
            "add" => {
                let value = element()?;
                if !own.contains(&value) {
                    self.items().push(value);
                }
                none()
            }
            "remove" | "discard" => {
                let value = element()?;
                match own.iter().position(|v| *v == value) {
                    Some(at) => {
                        self.items().remove(at);
                    }
                    None if method == "remove" => return Err(type_error(format!("KeyError: {}", repr(&value)))),
                    None => {}
                }
                none()
            }
            "pop" if own.is_empty() => Err(type_error("pop from an empty set")),
            "pop" => Ok(self.items().remove(0)),
            "clear" => {
                self.items().clear();
                none()
            }
            "copy" => set(own),
            "union" => set(own.into_iter().chain(others()?.into_iter().flatten()).collect()),
            "update" => {
                let all = Self::new(own.into_iter().chain(others()?.into_iter().flatten()));
                *self.items() = all.snapshot();
                none()
            }
            "intersection" => {
                let others = others()?;
                set(own.into_iter().filter(|v| others.iter().all(|o| o.contains(v))).collect())
            }
            "difference" => {
                let others = others()?;
                set(own.into_iter().filter(|v| !others.iter().any(|o| o.contains(v))).collect())
            }
            "symmetric_difference" => {
                let other = items_of(&element()?)?;
                let only = own.iter().filter(|v| !other.contains(v)).chain(other.iter().filter(|v| !own.contains(v)));
                set(only.cloned().collect())
            }
            "issubset" => {
                let other = items_of(&element()?)?;
                Ok(Value::from(own.iter().all(|v| other.contains(v))))
            }
            "issuperset" => {
                let other = items_of(&element()?)?;
                Ok(Value::from(other.iter().all(|v| own.contains(v))))
            }
            "isdisjoint" => {
                let other = items_of(&element()?)?;
                Ok(Value::from(!own.iter().any(|v| other.contains(v))))
            }
            _ => Err(Error::new(ErrorKind::UnknownMethod, format!("'set' object has no attribute '{method}'"))),
        }
    }
}
