//! All macros of a project: where each comes from, which one a name means, and calling it.

use crate::errors;
use crate::python::{PyDict, split_args, tuple};
use crate::scope::{Frame, Scope};
use crate::source::{BlockKind, Param, Rewritten, blocks, rewrite};
use dvt_diagnostic::{Diagnostic, LineIndex, Span};
use dvt_project::{MacroDef, UniqueId};
use indexmap::IndexMap;
use minijinja::value::{Object, ObjectRepr};
use minijinja::{Environment, Error, ErrorKind, State, Value};
use serde_json::Map;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Name of the built-in package.
pub const GLOBAL: &str = "dbt";

/// Calls nested deeper than this are refused: the stack is finite.
const DEPTH: usize = 90;

/// Text of a template as the user wrote it, for places in messages.
#[derive(Debug, Clone)]
pub struct TemplateSource {
    pub file: Arc<str>,
    pub text: Arc<str>,
    /// Where the template starts in `text`.
    pub base: usize,
    pub rewritten: Arc<Rewritten>,
}

/// Template name to its source.
pub type Sources = BTreeMap<String, TemplateSource>;

#[derive(Debug)]
pub struct Macro {
    pub def: MacroDef,
    pub params: Vec<Param>,
    /// Names its body reads.
    pub names: Vec<String>,
    /// Parameters whose default is an expression, in order.
    computed: Vec<String>,
    internal: bool,
}

#[derive(Debug, Default)]
pub struct Macros {
    /// Package to name to macro.
    packages: BTreeMap<String, BTreeMap<String, Arc<Macro>>>,
    /// The built-in and the adapters' packages, merged: an adapter's wins.
    internal: BTreeMap<String, Arc<Macro>>,
    root: String,
}

/// A file with macros in it.
pub struct MacroFile<'a> {
    pub package: &'a str,
    pub path: &'a str,
    /// As the user would name it.
    pub file: &'a str,
    pub text: &'a str,
    pub internal: bool,
}

impl Macros {
    pub fn new(root: &str) -> Self {
        Self { root: root.to_owned(), ..Self::default() }
    }

    /// Adds the macros of one file and their templates.
    pub fn add(&mut self, file: &MacroFile<'_>, env: &mut Environment<'static>, sources: &mut Sources) -> Result<(), Diagnostic> {
        let at = |e: &crate::source::SyntaxError| errors::syntax(file.file, file.text, 0, e);
        let text: Arc<str> = file.text.into();
        let shown: Arc<str> = file.file.into();
        let index = LineIndex::new(file.text);
        let mut last = 0;
        for block in blocks(file.text).map_err(|e| at(&e))? {
            let shown_at = shown_range(file.text, &block.whole, last);
            last = shown_at.end;
            let (name, kind) = match block.kind {
                BlockKind::Macro => (block.name.clone(), "macro"),
                BlockKind::Test => (format!("test_{}", block.name), "test"),
                BlockKind::Materialization => (format!("materialization_{}_{}", block.name, block.adapter), "materialization"),
                BlockKind::Snapshot | BlockKind::Docs => continue,
            };
            let unique_id = format!("macro.{}.{name}", file.package);
            let (line, column) = index.position(file.text, block.whole.start);
            let span = Span::new(file.file, line, column);
            if let Some(other) = self.packages.get(file.package).and_then(|p| p.get(&name))
                && !file.internal
            {
                let first = &other.def.span;
                return Err(Diagnostic::error(dvt_diagnostic::Code::DuplicateResource, format!("package `{}` has two macros `{name}`", file.package))
                    .at(span)
                    .hint(format!("the other one is at {}:{}", first.file, first.line)));
            }
            let body = &file.text[block.body.clone()];
            let mut rewritten = rewrite(body).map_err(|e| errors::syntax(file.file, file.text, block.body.start, &e))?;
            let mut prelude = String::new();
            let mut computed = Vec::new();
            for param in &block.params {
                if let Some(default) = &param.default {
                    prelude.push_str(&format!("{{% if __unset.{0} %}}{{% set {0} = {default} %}}{{% endif %}}", param.name));
                    computed.push(param.name.clone());
                }
            }
            rewritten.prepend(&prelude);
            env.add_template_owned(unique_id.clone(), rewritten.text.clone()).map_err(|e| {
                let mut own = Sources::new();
                own.insert(unique_id.clone(), TemplateSource { file: shown.clone(), text: text.clone(), base: block.body.start, rewritten: Arc::new(rewritten.clone()) });
                errors::diagnostic(&e, &own, None)
            })?;
            let names: Vec<String> = rewritten.names.iter().cloned().collect();
            sources.insert(unique_id.clone(), TemplateSource { file: shown.clone(), text: text.clone(), base: block.body.start, rewritten: Arc::new(rewritten) });
            let def = MacroDef {
                unique_id: UniqueId::new(unique_id),
                name: name.clone(),
                package: file.package.to_owned(),
                path: file.path.to_owned(),
                text: file.text[shown_at].to_owned(),
                span,
                description: String::new(),
                depends_on: Vec::new(),
                meta: Map::from_iter([("kind".to_owned(), kind.into())]),
                properties: dvt_project::MacroProperties::default(),
            };
            let entry = Arc::new(Macro { def, params: block.params, names, computed, internal: file.internal });
            if file.internal && (file.package != GLOBAL || !self.internal.contains_key(&name)) {
                self.internal.insert(name.clone(), entry.clone());
            }
            self.packages.entry(file.package.to_owned()).or_default().insert(name, entry);
        }
        Ok(())
    }

    /// The macro an unqualified name means in a template of `package`.
    pub fn find(&self, package: &str, name: &str) -> Option<&Arc<Macro>> {
        let of = |p: &str| self.packages.get(p).and_then(|m| m.get(name));
        of(package).filter(|m| !m.internal).or_else(|| of(&self.root)).or_else(|| self.internal.get(name))
    }

    /// `package.name`; `dbt` means all built-in packages.
    pub fn find_in(&self, package: &str, name: &str) -> Option<&Arc<Macro>> {
        if package == GLOBAL {
            return self.internal.get(name);
        }
        self.packages.get(package).and_then(|m| m.get(name))
    }

    pub fn has_package(&self, package: &str) -> bool {
        package == GLOBAL || self.packages.contains_key(package)
    }

    /// The `generate_*_name` macro of a node of `package`: the package's own, else the project's. None: the built-in one.
    pub fn naming(&self, package: &str, name: &str) -> Option<&Arc<Macro>> {
        self.packages.get(package).and_then(|m| m.get(name)).filter(|m| !m.internal).or_else(|| self.of_root(name))
    }

    /// A macro of the user's own project only.
    pub fn of_root(&self, name: &str) -> Option<&Arc<Macro>> {
        self.packages.get(&self.root).and_then(|m| m.get(name))
    }

    /// The nearest materialization: by adapter first, then project, packages, built-in.
    pub fn materialization(&self, name: &str, prefixes: &[String]) -> Option<&Arc<Macro>> {
        prefixes.iter().find_map(|prefix| {
            let full = format!("materialization_{name}_{prefix}");
            let others = self.packages.iter().filter(|(p, _)| **p != self.root);
            self.of_root(&full)
                .or_else(|| others.filter_map(|(_, m)| m.get(&full)).find(|m| !m.internal))
                .or_else(|| self.internal.get(&full))
        })
    }

    pub fn materialization_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .packages
            .values()
            .flat_map(BTreeMap::keys)
            .filter_map(|k| k.strip_prefix("materialization_")?.rsplit_once('_').map(|(n, _)| n.to_owned()))
            .collect();
        names.sort();
        names.dedup();
        names
    }

    pub fn all(&self) -> impl Iterator<Item = &Arc<Macro>> {
        self.packages.values().flat_map(BTreeMap::values)
    }
}

/// A block as dbt shows it: tags that cut whitespace take it along.
fn shown_range(text: &str, whole: &std::ops::Range<usize>, from: usize) -> std::ops::Range<usize> {
    let (mut start, mut end) = (whole.start, whole.end);
    if text[start..].starts_with("{%-") {
        start = text[..start].trim_end().len().max(from);
    }
    if text[..end].ends_with("-%}") {
        // Space at the end of the file is none of its text.
        end = (text.len() - text[end..].trim_start().len()).min(text.trim_end().len());
    }
    start..end
}

/// A macro in a scope: what a template holds and calls.
pub struct MacroValue {
    pub entry: Arc<Macro>,
    pub scope: Arc<Scope>,
}

impl fmt::Debug for MacroValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<macro {}>", self.entry.def.unique_id)
    }
}

impl Object for MacroValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        call(&self.entry, &self.scope, state.env(), args)
    }
}

/// Calls a macro: its text, or what it returned.
pub fn call(entry: &Arc<Macro>, scope: &Arc<Scope>, env: &Environment<'_>, args: &[Value]) -> Result<Value, Error> {
    let locals = bind(entry, args)?;
    let _depth = scope.enter(DEPTH, &entry.def.unique_id).ok_or_else(|| {
        Error::new(ErrorKind::InvalidOperation, format!("macros call each other more than {DEPTH} levels deep; `{}` is the last one called", entry.def.name))
    })?;
    scope.used(&entry.def);
    let template = env.get_template(entry.def.unique_id.as_str())?;
    match template.render(Value::from_object(Frame { locals, scope: scope.clone() })) {
        Ok(text) => Ok(Value::from(text)),
        Err(error) => match errors::returned(&error) {
            Some(value) => Ok(value),
            // A built-in macro is not the user's text: the place of the call is.
            None if entry.internal => Err(errors::unplaced(error)),
            None => Err(error),
        },
    }
}

/// The parameters of a macro for a message.
fn taken(entry: &Macro) -> String {
    let names: Vec<&str> = entry.params.iter().map(|p| p.name.as_str()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn bind(entry: &Macro, args: &[Value]) -> Result<IndexMap<String, Value>, Error> {
    let (positional, named) = split_args(args);
    let name = &entry.def.name;
    let mut locals: IndexMap<String, Value> = entry.params.iter().map(|p| p.name.clone()).zip(positional.iter().cloned()).collect();
    let rest = positional.get(entry.params.len()..).unwrap_or_default();
    let wants = |n: &str| entry.names.iter().any(|x| x == n);
    if !rest.is_empty() && !wants("varargs") {
        return Err(Error::new(ErrorKind::TooManyArguments, format!("macro '{name}' takes not more than {} argument(s): {}", entry.params.len(), taken(entry))));
    }
    let mut extra = Vec::new();
    for (key, value) in named {
        if key == "caller" || entry.params.iter().any(|p| p.name == key) {
            if locals.contains_key(&key) {
                return Err(Error::new(ErrorKind::TooManyArguments, format!("macro '{name}' got multiple values for argument '{key}'")));
            }
            locals.insert(key, value);
        } else if wants("kwargs") {
            extra.push((Value::from(key), value));
        } else {
            return Err(Error::new(ErrorKind::TooManyArguments, format!("macro '{name}' takes no keyword argument '{key}'; it takes {}", taken(entry))));
        }
    }
    if !entry.computed.is_empty() {
        let unset = entry.computed.iter().filter(|c| !locals.contains_key(*c)).map(|c| (Value::from(c.as_str()), Value::from(true)));
        locals.insert("__unset".to_owned(), Value::from_object(PyDict::new(unset.collect::<Vec<_>>())));
    }
    // A parameter without a value hides what a context of that name would give.
    for param in &entry.params {
        locals.entry(param.name.clone()).or_insert(Value::UNDEFINED);
    }
    locals.insert("varargs".to_owned(), tuple(rest.to_vec()));
    locals.insert("kwargs".to_owned(), Value::from_object(PyDict::new(extra)));
    Ok(locals)
}

/// `dbt_utils` in a template: its macros.
pub struct PackageValue {
    pub package: String,
    pub scope: Arc<Scope>,
}

impl fmt::Debug for PackageValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<package {}>", self.package)
    }
}

impl Object for PackageValue {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        if let Some(value) = crate::context::overridden(&self.scope, &format!("{}.{}", self.package, key.as_str()?)) {
            return Some(value);
        }
        let entry = self.scope.macros().find_in(&self.package, key.as_str()?)?;
        Some(Value::from_object(MacroValue { entry: entry.clone(), scope: self.scope.clone() }))
    }
    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        if let Some(value) = crate::context::overridden(&self.scope, &format!("{}.{method}", self.package)) {
            return value.call(state, args);
        }
        match self.scope.macros().find_in(&self.package, method) {
            Some(entry) => call(entry, &self.scope, state.env(), args),
            None => Err(errors::fail(dvt_diagnostic::Code::MacroNotFound, format!("package `{}` has no macro `{method}`", self.package))),
        }
    }
}

/// The body of a call block: rendered when the macro calls `caller()`, with the names it reads as they were at the call.
struct Caller {
    body: String,
    locals: IndexMap<String, Value>,
    parameters: Vec<String>,
    scope: Option<Arc<Scope>>,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<caller>")
    }
}

/// `__caller(body, names, parameters)` of rewritten call blocks.
pub fn caller(state: &mut State<'_, '_>, body: String, names: String, parameters: String) -> Value {
    let split = |s: &str| s.split(',').filter(|n| !n.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let locals = split(&names).into_iter().filter_map(|n| state.lookup(&n).filter(|v| !v.is_undefined()).map(|v| (n, v))).collect();
    let scope = state.lookup("__scope").and_then(|v| v.downcast_object_ref::<ScopeValue>().map(|s| s.0.clone()));
    Value::from_object(Caller { body, locals, parameters: split(&parameters), scope })
}

/// The scope, as a hidden name.
#[derive(Debug)]
pub struct ScopeValue(pub Arc<Scope>);

impl Object for ScopeValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

impl Object for Caller {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let (positional, named) = split_args(args);
        if positional.len() > self.parameters.len() {
            return Err(Error::new(ErrorKind::TooManyArguments, format!("caller() takes not more than {} argument(s)", self.parameters.len())));
        }
        let mut locals = self.locals.clone();
        let mut unset = Vec::new();
        for (i, name) in self.parameters.iter().enumerate() {
            match positional.get(i).or_else(|| named.iter().find(|(n, _)| n == name).map(|(_, v)| v)) {
                Some(value) => {
                    locals.insert(name.clone(), value.clone());
                }
                None => {
                    unset.push((Value::from(name.as_str()), Value::from(true)));
                    locals.insert(name.clone(), Value::UNDEFINED);
                }
            }
        }
        locals.insert("__unset".to_owned(), Value::from_object(PyDict::new(unset)));
        let context = match &self.scope {
            Some(scope) => Value::from_object(Frame { locals, scope: scope.clone() }),
            None => locals.into_iter().collect::<Value>(),
        };
        // The body is no template of the user's files: an error in it is placed at the call.
        state.env().render_str(&self.body, context).map(Value::from).map_err(|e| if errors::returned(&e).is_some() { e } else { errors::unplaced(e) })
    }
}
