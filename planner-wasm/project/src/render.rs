//! What loading needs from Jinja: strings in YAML. The Jinja crate implements it; this crate never sees Jinja.

use crate::node::Target;
use crate::yaml::{Yaml, YamlValue};
use dvt_diagnostic::{Diagnostic, Span};
use serde_json::{Map, Value};

/// Renders one YAML string as dbt does (`as_number`, `as_bool`, `as_native` give other types than text).
pub trait RenderString {
    /// # Errors
    /// Whatever the template raises, placed at `at`.
    fn render(&self, text: &str, at: &Span) -> Result<Value, Diagnostic>;

    /// Called as soon as the names, vars or the default target are known; later strings may use them.
    fn learn(&self, _context: &RenderContext<'_>) {}
}

/// What templates in YAML may see beyond `env_var`.
pub struct RenderContext<'a> {
    pub project_name: &'a str,
    /// Vars of the project file (`--vars` is in `ProjectInput`).
    pub vars: &'a Map<String, Value>,
    /// The run's default target, once the profile is read.
    pub target: Option<&'a Target>,
}

/// Leaves every string as it is: for tests and for YAML without templates.
pub struct Verbatim;

impl RenderString for Verbatim {
    fn render(&self, text: &str, _at: &Span) -> Result<Value, Diagnostic> {
        Ok(Value::String(text.to_owned()))
    }
}

pub(crate) fn has_jinja(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

/// `yaml` as JSON with every string rendered, but those below a key for which `keep` holds.
pub(crate) fn rendered(yaml: &Yaml, r: &dyn RenderString, keep: &dyn Fn(&str) -> bool) -> Result<Value, Diagnostic> {
    Ok(match &yaml.value {
        YamlValue::String(s) if has_jinja(s) => r.render(s, &yaml.span)?,
        YamlValue::List(l) => Value::Array(l.iter().map(|y| rendered(y, r, keep)).collect::<Result<_, _>>()?),
        YamlValue::Map(m) => {
            let mut out = Map::new();
            for (key, _, value) in m.iter() {
                let value = if keep(key) { value.to_json() } else { rendered(value, r, keep)? };
                out.insert(key.to_owned(), value);
            }
            Value::Object(out)
        }
        _ => yaml.to_json(),
    })
}

/// Keys whose templates are rendered later, when the node runs.
pub(crate) fn is_late_key(key: &str) -> bool {
    matches!(key.trim_start_matches('+'), "pre-hook" | "post-hook" | "pre_hook" | "post_hook" | "on-run-start" | "on-run-end" | "query-comment")
}
