//! `selectors.yml`: selections with names.

use super::spec::{Criteria, METHODS, Operation, Spec};
use super::Indirect;
use crate::render::{RenderString, rendered};
use crate::suggest::suggestion;
use crate::yaml::{self, Yaml};
use dvt_diagnostic::{Code, Diagnostic, Span};
use indexmap::IndexMap;
use serde_json::{Map, Value};

pub const FILE: &str = "selectors.yml";

/// All selectors of a project, in file order.
#[derive(Debug, Clone, Default)]
pub struct Selectors {
    all: IndexMap<String, Selector>,
}

#[derive(Debug, Clone)]
pub struct Selector {
    pub name: String,
    pub description: String,
    /// Counts when nothing is selected on the command line.
    pub usual: bool,
    /// As written, templates rendered.
    pub definition: Value,
    span: Span,
}

impl Selectors {
    /// # Errors
    /// `DVT2201` with the place of what cannot be read, also of two defaults.
    pub fn read(text: &str, r: &dyn RenderString) -> Result<Self, Diagnostic> {
        let document = yaml::parse(FILE, text)?;
        let mut all: IndexMap<String, Selector> = IndexMap::new();
        let wrong = |at: &Yaml, text: String| Diagnostic::error(Code::SelectorInvalid, text).at(at.span.clone());
        let root = &document.root;
        if root.is_null() {
            return Ok(Self::default());
        }
        let list = root.get("selectors").and_then(Yaml::as_list);
        let Some(list) = list else { return Err(wrong(root, format!("{FILE} has no list `selectors`"))) };
        for entry in list {
            let Some(name) = entry.get("name").and_then(Yaml::as_str) else { return Err(wrong(entry, "a selector has no `name`".to_owned())) };
            let Some(definition) = entry.get("definition") else { return Err(wrong(entry, format!("selector `{name}` has no `definition`"))) };
            let usual = match entry.get("default") {
                Some(y) => match rendered(y, r, &|_| false)? {
                    Value::Bool(on) => on,
                    Value::String(text) => text.eq_ignore_ascii_case("true"),
                    _ => false,
                },
                None => false,
            };
            if let Some(other) = all.values().find(|s| usual && s.usual) {
                return Err(wrong(entry, format!("selectors `{}` and `{name}` are both the default", other.name)).hint("one selector may have `default: true`"));
            }
            let selector = Selector {
                name: name.to_owned(),
                description: entry.get("description").and_then(Yaml::as_str).unwrap_or_default().to_owned(),
                usual,
                definition: rendered(definition, r, &|_| false)?,
                span: definition.span.clone(),
            };
            selector.spec(Indirect::Eager)?;
            if all.insert(name.to_owned(), selector).is_some() {
                return Err(wrong(entry, format!("two selectors are named `{name}`")));
            }
        }
        Ok(Self { all })
    }

    /// The default's name.
    pub fn usual(&self) -> Option<&str> {
        self.all.values().find(|s| s.usual).map(|s| s.name.as_str())
    }

    pub fn iter(&self) -> impl Iterator<Item = &Selector> {
        self.all.values()
    }

    /// # Errors
    /// `DVT2201` with the names there are.
    pub fn get(&self, name: &str) -> Result<&Selector, Diagnostic> {
        self.all.get(name).ok_or_else(|| {
            let names: Vec<&str> = self.all.keys().map(String::as_str).collect();
            let hint = suggestion(name, &names).map_or_else(|| format!("selectors: {}", names.join(", ")), |n| format!("did you mean `{n}`?"));
            Diagnostic::error(Code::SelectorInvalid, format!("no selector is named `{name}`")).at(Span::file(FILE)).hint(hint)
        })
    }
}

pub fn missing(name: &str) -> Diagnostic {
    Diagnostic::error(Code::SelectorInvalid, format!("no selector is named `{name}`: the project has no {FILE}"))
}

impl Selector {
    /// `indirect` counts where the definition does not say.
    pub fn spec(&self, indirect: Indirect) -> Result<Spec, Diagnostic> {
        let reader = Reader { selector: self, indirect };
        if let Value::Object(map) = &self.definition
            && map.len() > 1
            && (map.contains_key("union") || map.contains_key("intersection"))
        {
            return Err(reader.wrong("`union` or `intersection` stands alone at the top of a definition"));
        }
        reader.read(&self.definition)
    }
}

struct Reader<'a> {
    selector: &'a Selector,
    indirect: Indirect,
}

impl Reader<'_> {
    fn wrong(&self, why: &str) -> Diagnostic {
        Diagnostic::error(Code::SelectorInvalid, format!("selector `{}` cannot be read: {why}", self.selector.name)).at(self.selector.span.clone())
    }

    fn read(&self, definition: &Value) -> Result<Spec, Diagnostic> {
        match definition {
            Value::String(text) => Ok(Spec::One(Criteria::parse(text, self.indirect).map_err(|e| e.at(self.selector.span.clone()))?)),
            Value::Object(map) => {
                for (key, operation) in [("union", Operation::Union), ("intersection", Operation::Intersection)] {
                    if let Some(list) = map.get(key) {
                        return self.group(operation, key, list);
                    }
                }
                self.criteria(map)
            }
            _ => Err(self.wrong("a definition is a text or a mapping")),
        }
    }

    fn group(&self, operation: Operation, key: &str, list: &Value) -> Result<Spec, Diagnostic> {
        let Value::Array(items) = list else { return Err(self.wrong(&format!("`{key}` is no list"))) };
        let mut parts = Vec::new();
        let mut left_out = None;
        for item in items {
            match item.as_object().filter(|m| !m.contains_key("method")).and_then(|m| m.get("exclude")) {
                Some(_) if left_out.is_some() => return Err(self.wrong(&format!("`{key}` has two `exclude`"))),
                Some(list) => left_out = Some(self.excluded(list)?),
                None => parts.push(self.read(item)?),
            }
        }
        let whole = Spec::Many { operation, parts, indirect: Indirect::Eager, expected: None };
        Ok(without(whole, left_out.flatten()))
    }

    fn excluded(&self, list: &Value) -> Result<Option<Spec>, Diagnostic> {
        let Value::Array(items) = list else { return Err(self.wrong("`exclude` is no list")) };
        let parts = items.iter().map(|i| self.read(i)).collect::<Result<Vec<_>, _>>()?;
        Ok((!parts.is_empty()).then_some(Spec::Many { operation: Operation::Union, parts, indirect: Indirect::Eager, expected: None }))
    }

    fn criteria(&self, map: &Map<String, Value>) -> Result<Spec, Diagnostic> {
        let only = map.iter().next().filter(|_| map.len() == 1);
        let (method, value) = match (map.get("method"), map.get("value"), only) {
            (Some(method), Some(value), _) => (method.as_str().unwrap_or_default(), value),
            (_, _, Some((method, value))) => (method.as_str(), value),
            _ => return Err(self.wrong("a mapping has `method` and `value`, or one key that is a method").hint(format!("methods: {}", METHODS.join(", ")))),
        };
        let raw = format!("{method}:{}", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        let indirect = match map.get("indirect_selection").and_then(Value::as_str) {
            Some(word) => Indirect::named(word).map_err(|e| e.at(self.selector.span.clone()))?,
            None => self.indirect,
        };
        let on = |key: &str| match map.get(key) {
            Some(Value::Bool(on)) => *on,
            Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
            _ => false,
        };
        let far = |key: &str| map.get(key).and_then(|v| v.as_u64().or_else(|| v.as_str()?.parse().ok())).map(|n| n as usize);
        let criteria = Criteria::new(&raw, method, value.clone(), indirect)
            .and_then(|c| c.around(on("childrens_parents"), on("parents").then(|| far("parents_depth")), on("children").then(|| far("children_depth"))))
            .map_err(|e| e.at(self.selector.span.clone()))?;
        let left_out = match map.get("exclude") {
            Some(list) => self.excluded(list)?,
            None => None,
        };
        Ok(without(Spec::One(criteria), left_out))
    }
}

fn without(whole: Spec, left_out: Option<Spec>) -> Spec {
    match left_out {
        None => whole,
        Some(left_out) => Spec::Many { operation: Operation::Difference, parts: vec![whole, left_out], indirect: Indirect::Eager, expected: None },
    }
}
