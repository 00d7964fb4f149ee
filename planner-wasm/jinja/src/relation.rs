//! Relations in templates: they print as SQL and never lose their target (SPEC T10).

use crate::python::{PyDict, bind, list, need_text, tuple, type_error};
use dvt_project::{RelationName, RelationRef, TargetName, UniqueId};
use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};
use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// First of the private-use characters that stand before a relation's text while a node is rendered.
const FIRST: u32 = 0xF_0000;
const LAST: u32 = 0xF_FFFD;

/// What dbt puts before the name of an inlined ephemeral.
pub const EPHEMERAL_PREFIX: &str = "__dbt__cte__";

/// The relations printed so far; a mark's number is its place here.
#[derive(Debug, Default)]
pub struct Marks(Mutex<Vec<Mark>>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    pub relation: RelationRef,
    pub unique_id: Option<UniqueId>,
    pub rendered: String,
}

impl Marks {
    fn mark(&self, mark: Mark) -> Option<char> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = all.iter().position(|m| *m == mark).unwrap_or_else(|| {
            all.push(mark);
            all.len() - 1
        });
        u32::try_from(at).ok().map(|n| FIRST + n).filter(|c| *c <= LAST).and_then(char::from_u32)
    }
    pub fn all(&self) -> Vec<Mark> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn is_mark(c: char) -> bool {
    (FIRST..=LAST).contains(&u32::from(c))
}

/// Text without marks, and for each mark still followed by its relation's text: number and place.
pub fn unmark(text: &str, marks: &[Mark]) -> (String, Vec<(usize, std::ops::Range<usize>)>) {
    let mut out = String::with_capacity(text.len());
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(is_mark) {
        out.push_str(&rest[..at]);
        let mark = rest[at..].chars().next().unwrap_or_default();
        rest = &rest[at + mark.len_utf8()..];
        let number = (u32::from(mark) - FIRST) as usize;
        if let Some(m) = marks.get(number)
            && rest.starts_with(&m.rendered)
        {
            found.push((number, out.len()..out.len() + m.rendered.len()));
        }
    }
    out.push_str(rest);
    (out, found)
}

/// Text as a person may see it.
pub fn clean(text: &str) -> String {
    if text.contains(is_mark) { text.chars().filter(|c| !is_mark(*c)).collect() } else { text.to_owned() }
}

#[derive(Debug, Clone)]
pub struct Relation {
    pub target: TargetName,
    pub name: RelationName,
    pub unique_id: Option<UniqueId>,
    /// `table`, `view`, `cte`, … when known.
    pub kind: Option<String>,
    pub quotes: (String, String),
    /// Whether database, schema, identifier are quoted, and whether they print.
    pub quote: (bool, bool, bool),
    pub include: (bool, bool, bool),
    /// Printed instead: the name of an ephemeral's CTE.
    pub cte: Option<String>,
    pub marks: Option<Arc<Marks>>,
    /// Prints as a subquery of some of its rows; `.render()` prints the name alone.
    pub wrap: Option<Wrap>,
    /// Such a subquery stands without a name, so that the query may give it one.
    pub nameless: bool,
}

/// Which rows of a relation are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrap {
    Empty,
    /// From `start` on and before `end`, both as SQL.
    Window { field: String, start: Option<String>, end: Option<String> },
}

impl Wrap {
    /// The text before and after the relation's name.
    fn around(&self, name: Option<&str>) -> (String, String) {
        let named = |prefix: &str| name.map(|n| format!(" {prefix}{n}")).unwrap_or_default();
        match self {
            Self::Empty => ("(select * from ".to_owned(), format!(" where false limit 0){}", named("_dbt_limit_subq_"))),
            Self::Window { field, start, end } => {
                let from = start.as_ref().map(|s| format!("{field} >= {s}"));
                let to = end.as_ref().map(|e| format!("{field} < {e}"));
                let tests: Vec<String> = from.into_iter().chain(to).collect();
                ("(select * from ".to_owned(), format!(" where {}){}", tests.join(" and "), named("_dbt_et_filter_subq_")))
            }
        }
    }
}

impl Relation {
    pub fn reference(&self) -> RelationRef {
        RelationRef { target: self.target.clone(), name: self.name.clone() }
    }

    /// The SQL without marks.
    pub fn render(&self) -> String {
        if let Some(cte) = &self.cte {
            return cte.clone();
        }
        let part = |text: &str, quoted: bool| {
            let (open, close) = &self.quotes;
            if quoted { format!("{open}{}{close}", text.replace(close.as_str(), &close.repeat(2))) } else { text.to_owned() }
        };
        let mut parts = Vec::new();
        if let Some(database) = self.name.database.as_deref().filter(|_| self.include.0) {
            parts.push(part(database, self.quote.0));
        }
        if let Some(schema) = self.name.schema.as_deref().filter(|_| self.include.1) {
            parts.push(part(schema, self.quote.1));
        }
        if self.include.2 && !self.name.identifier.is_empty() {
            parts.push(part(&self.name.identifier, self.quote.2));
        }
        parts.join(".")
    }

    /// The same relation as text for its own target writes it.
    pub fn written_on(&self, scope: &crate::scope::Scope) -> Self {
        let quotes = scope.relation(&self.target, self.name.clone(), None, None).quotes;
        Self { quotes, marks: None, ..self.clone() }
    }

    fn identifier(&self) -> Option<&str> {
        Some(self.name.identifier.as_str()).filter(|i| !i.is_empty())
    }

    fn text(value: Option<&str>) -> Value {
        value.map_or_else(|| Value::from(()), Value::from)
    }

    fn policy(of: (bool, bool, bool)) -> Value {
        Value::from_object(PyDict::new([("database", of.0), ("schema", of.1), ("identifier", of.2)].map(|(k, v)| (Value::from(k), Value::from(v)))))
    }

    fn chosen(current: (bool, bool, bool), d: Option<Value>, s: Option<Value>, i: Option<Value>) -> (bool, bool, bool) {
        let of = |v: Option<Value>, c: bool| v.filter(|v| !v.is_none()).map_or(c, |v| v.is_true());
        (of(d, current.0), of(s, current.1), of(i, current.2))
    }

    /// `path={'identifier': …}` laid over a name; an explicit None takes the part away.
    pub fn with_path(name: &RelationName, path: &Value) -> RelationName {
        let part = |key: &str, current: Option<String>| match path.get_attr(key) {
            Ok(v) if v.is_undefined() => current,
            Ok(v) if v.is_none() => None,
            Ok(v) => Some(v.to_string()),
            Err(_) => current,
        };
        RelationName {
            database: part("database", name.database.clone()),
            schema: part("schema", name.schema.clone()),
            identifier: part("identifier", Some(name.identifier.clone())).unwrap_or_default(),
        }
    }
}

/// The names that walking a relation gives: packages ask whether a value is a mapping to know relations.
const FIELDS: [&str; 8] = ["path", "type", "quote_character", "include_policy", "quote_policy", "dbt_created", "limit", "require_alias"];

impl Object for Relation {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }
    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&FIELDS)
    }
    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(FIELDS.len())
    }
    fn is_true(self: &Arc<Self>) -> bool {
        true
    }
    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rendered = Relation::render(self);
        let around = self.wrap.as_ref().map(|w| w.around((!self.nameless).then(|| self.cte.as_deref().unwrap_or(&self.name.identifier))));
        if let Some((before, _)) = &around {
            f.write_str(before)?;
        }
        if self.cte.is_none()
            && let Some(marks) = &self.marks
            && let Some(mark) = marks.mark(Mark { relation: self.reference(), unique_id: self.unique_id.clone(), rendered: rendered.clone() })
        {
            write!(f, "{mark}")?;
        }
        f.write_str(&rendered)?;
        if let Some((_, after)) = &around {
            f.write_str(after)?;
        }
        Ok(())
    }
    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        other.downcast_ref::<Self>().map(|o| self.reference().cmp(&o.reference()).then_with(|| self.cte.cmp(&o.cte)))
    }
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let kind = self.kind.as_deref();
        Some(match key.as_str()? {
            "database" => Self::text(self.name.database.as_deref()),
            "schema" => Self::text(self.name.schema.as_deref()),
            "identifier" | "table" | "name" => Self::text(self.cte.as_deref().or_else(|| self.identifier())),
            "type" => Self::text(kind),
            "connection" => Self::text(Some(self.target.as_str())),
            "is_table" => Value::from(kind == Some("table")),
            "is_view" => Value::from(kind == Some("view")),
            "is_cte" => Value::from(self.cte.is_some()),
            "is_materialized_view" => Value::from(kind == Some("materialized_view")),
            "is_dynamic_table" | "is_external_table" => Value::from(false),
            "can_be_renamed" | "can_be_replaced" => Value::from(matches!(kind, Some("table" | "view"))),
            "is_function" | "is_pointer" | "dbt_created" => Value::from(false),
            "require_alias" => Value::from(true),
            "limit" | "event_time_filter" | "catalog" => Value::from(()),
            "quote_policy" => Self::policy(self.quote),
            "include_policy" => Self::policy(self.include),
            "quote_character" => Self::text(Some(&self.quotes.0)),
            "path" => Value::from_object(PyDict::new([
                (Value::from("database"), Self::text(self.name.database.as_deref())),
                (Value::from("schema"), Self::text(self.name.schema.as_deref())),
                (Value::from("identifier"), Self::text(self.identifier())),
            ])),
            _ => return None,
        })
    }
    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        let of = |r: Self| Ok(Value::from_object(r));
        let same = (**self).clone();
        match method {
            "render" => Ok(Value::from(Value::from_object(Self { wrap: None, ..same }).to_string())),
            "include" | "quote" => {
                let [d, s, i] = bind(method, ["database", "schema", "identifier"], args)?;
                let mut out = same;
                if method == "include" {
                    out.include = Self::chosen(out.include, d, s, i);
                } else {
                    out.quote = Self::chosen(out.quote, d, s, i);
                }
                of(out)
            }
            "incorporate" | "replace" | "replace_path" => {
                let [path, kind, database, schema, identifier] = bind(method, ["path", "type", "database", "schema", "identifier"], args)?;
                let mut out = same;
                if let Some(path) = path {
                    out.name = Self::with_path(&out.name, &path);
                }
                if let Some(v) = database {
                    out.name.database = (!v.is_none()).then(|| v.to_string());
                }
                if let Some(v) = schema {
                    out.name.schema = (!v.is_none()).then(|| v.to_string());
                }
                if let Some(v) = identifier {
                    out.name.identifier = if v.is_none() { String::new() } else { v.to_string() };
                }
                if let Some(kind) = kind {
                    out.kind = (!kind.is_none()).then(|| kind.to_string());
                }
                if out.name != self.name {
                    out.unique_id = None;
                }
                of(out)
            }
            "without_identifier" => {
                let mut out = same;
                out.include.2 = false;
                out.name.identifier = String::new();
                out.unique_id = None;
                out.marks = None;
                of(out)
            }
            "information_schema" => {
                let [view] = bind(method, ["view_name"], args)?;
                let mut out = same;
                let view = view.and_then(|v| v.as_str().map(str::to_owned));
                out.name.schema = view.as_ref().map(|_| "INFORMATION_SCHEMA".to_owned());
                out.name.identifier = view.unwrap_or_else(|| "INFORMATION_SCHEMA".to_owned());
                out.quote = (out.quote.0, false, false);
                out.include = (out.include.0, true, true);
                out.unique_id = None;
                out.kind = None;
                of(out)
            }
            "matches" => {
                let [database, schema, identifier] = bind(method, ["database", "schema", "identifier"], args)?;
                let fits = |v: Option<Value>, own: Option<&str>| v.filter(|v| !v.is_none()).is_none_or(|v| own.is_some_and(|o| o.eq_ignore_ascii_case(&v.to_string())));
                Ok(Value::from(
                    fits(database, self.name.database.as_deref()) && fits(schema, self.name.schema.as_deref()) && fits(identifier, Some(&self.name.identifier)),
                ))
            }
            "get" => {
                let [key, default] = bind(method, ["key", "default"], args)?;
                let key = key.unwrap_or_default();
                if key.as_str() == Some("metadata") {
                    return Ok(Value::from_object(PyDict::new([(Value::from("type"), Value::from("Relation"))])));
                }
                Ok(self.get_value(&key).or(default).unwrap_or_else(|| Value::from(())))
            }
            "items" | "keys" | "values" => {
                let of = |k: &&str| self.get_value(&Value::from(*k)).unwrap_or_default();
                Ok(list(match method {
                    "keys" => FIELDS.iter().map(|k| Value::from(*k)).collect(),
                    "values" => FIELDS.iter().map(of).collect(),
                    _ => FIELDS.iter().map(|k| tuple(vec![Value::from(*k), of(k)])).collect(),
                }))
            }
            "to_dict" => Ok(Value::from_object(PyDict::new(FIELDS.iter().map(|k| (Value::from(*k), self.get_value(&Value::from(*k)).unwrap_or_default()))))),
            "quoted" => {
                let [identifier] = bind(method, ["identifier"], args)?;
                let (open, close) = &self.quotes;
                Ok(Value::from(format!("{open}{}{close}", need_text(method, "identifier", identifier)?)))
            }
            "render_limited" => Ok(Value::from(Value::from_object(same).to_string())),
            "add_ephemeral_prefix" => {
                let [name] = bind(method, ["name"], args)?;
                Ok(Value::from(format!("{EPHEMERAL_PREFIX}{}", need_text(method, "name", name)?)))
            }
            "information_schema_only" => self.call_method(state, "information_schema", &[]),
            // What text methods dbt users call on a relation: on its text.
            "replace_text" | "lower" | "upper" | "strip" | "split" | "startswith" | "endswith" => {
                Err(type_error(format!("a relation has no method '{method}'; use `{{{{ relation | string }}}}` or its parts")))
            }
            _ => Err(Error::new(ErrorKind::UnknownMethod, format!("a relation has no attribute '{method}'"))),
        }
    }
}
