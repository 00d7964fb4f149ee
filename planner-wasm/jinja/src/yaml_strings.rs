//! Strings in YAML: `env_var`, `var`, `target` and dbt's native-type filters.
//!
//! Not here: templates of nodes.

use crate::context::{Secrets, env_var, environment};
use crate::errors;
use crate::macros::Sources;
use crate::python::{bind, from_json, need_text, to_json};
use crate::source::{expression, rewrite};
use dvt_diagnostic::{Code, Diagnostic, Span};
use dvt_project::{ProjectInput, RenderContext, RenderString};
use minijinja::value::{Object, ObjectRepr};
use minijinja::{Environment, Error, State, Value};
use serde_json::{Map, Value as Json};
use std::sync::{Arc, Mutex, PoisonError};

/// What has been learnt so far.
#[derive(Debug, Default, Clone)]
struct Known {
    project_name: String,
    vars: Map<String, Json>,
    target: Option<Json>,
}

pub struct YamlStrings {
    env: Environment<'static>,
    input: Arc<ProjectInput>,
    known: Mutex<Arc<Known>>,
}

impl YamlStrings {
    pub fn new(input: Arc<ProjectInput>) -> Self {
        let mut env = environment();
        env.add_filter("as_bool", |v: Value| match v.to_string().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Value::from(true),
            "false" | "no" | "off" | "0" => Value::from(false),
            _ => v,
        });
        env.add_filter("as_number", |v: Value| {
            let text = v.to_string();
            text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<f64>().map(Value::from)).unwrap_or(v)
        });
        env.add_filter("as_native", |v: Value| match v.as_str() {
            Some(text) => serde_json::from_str::<Json>(text).map_or(v, |j| from_json(&j)),
            None => v,
        });
        Self { env, input, known: Mutex::default() }
    }
}

#[derive(Debug)]
struct Names {
    known: Arc<Known>,
    input: Arc<ProjectInput>,
}

#[derive(Debug)]
struct Function {
    name: &'static str,
    known: Arc<Known>,
    input: Arc<ProjectInput>,
}

impl Object for Names {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let function = |name| Some(Value::from_object(Function { name, known: self.known.clone(), input: self.input.clone() }));
        match key.as_str()? {
            "env_var" => function("env_var"),
            "var" => function("var"),
            "doc" => function("doc"),
            "target" => self.known.target.as_ref().map(from_json),
            "project_name" => Some(Value::from(self.known.project_name.as_str())),
            "invocation_id" => Some(Value::from(self.input.invocation.id.as_str())),
            "dbt_version" => Some(Value::from(crate::context::DBT_VERSION)),
            "run_started_at" => Some(crate::python::instant(&self.input.invocation.started_at)),
            "modules" => Some(Value::from_object(crate::python::PyDict::new([
                (Value::from("datetime"), crate::python::datetime_module(&self.input.invocation.started_at)),
                (Value::from("re"), crate::python::re_module()),
            ]))),
            "execute" => Some(Value::from(false)),
            _ => None,
        }
    }
}

impl Object for Function {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let [name, default] = bind(self.name, ["name", "default"], args)?;
        let name = need_text(self.name, "name", name)?;
        if self.name == "env_var" {
            return env_var(&self.input.env, &name, default, Secrets::Readable);
        }
        let found = self.input.vars.get(&name).or_else(|| {
            let own = self.known.vars.get(&self.known.project_name).and_then(Json::as_object).and_then(|m| m.get(&name));
            own.or_else(|| self.known.vars.get(&name))
        });
        found.map(from_json).or(default).ok_or_else(|| errors::fail(Code::VarNotFound, format!("required var `{name}` has no value")))
    }
}

impl RenderString for YamlStrings {
    fn render(&self, text: &str, at: &Span) -> Result<Json, Diagnostic> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let names = || Value::from_object(Names { known: known.clone(), input: self.input.clone() });
        let place = |e: &Error| {
            let mut out = errors::diagnostic(e, &Sources::new(), None);
            out.span = Some(at.clone());
            out
        };
        if let Some(one) = expression(text) {
            let value = self.env.compile_expression(&one).and_then(|e| e.eval(names())).map_err(|e| place(&e))?;
            if value.is_undefined() {
                return Ok(Json::String(String::new()));
            }
            return Ok(to_json(&value));
        }
        let rewritten = rewrite(text).map_err(|e| Diagnostic::error(Code::JinjaSyntax, e.message).at(at.clone()))?;
        let out = self.env.render_str(&rewritten.text, names()).map_err(|e| place(&e))?;
        Ok(Json::String(out))
    }

    fn learn(&self, context: &RenderContext<'_>) {
        let target = context.target.map(|t| {
            let mut map = t.keys.clone();
            map.insert("name".into(), Json::from(t.name.as_str()));
            map.insert("type".into(), Json::from(t.adapter.as_str()));
            map.insert("schema".into(), Json::from(t.schema.as_str()));
            map.insert("database".into(), t.database.as_deref().map_or(Json::Null, Json::from));
            Json::Object(map)
        });
        let known = Known { project_name: context.project_name.to_owned(), vars: context.vars.clone(), target };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
    }
}
