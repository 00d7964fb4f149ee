//! `require-adapters` and its like (SPEC F3): which versions of plugins, of dbt and of dvt a project takes.
//!
//! A range is `>=1.0.0`, several with commas between them or as a list, or `~=1.4`, which is `>=1.4, <2`.

use crate::packages::Bound;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_project::artifacts::DBT_VERSION;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What one adapter's version must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// As the project file says it.
    pub shown: String,
    pub bounds: Vec<Bound>,
}

/// By adapter type.
pub type Ranges = BTreeMap<String, Range>;

/// `require-dbt-version` and `require-dvt-version`: of the dbt whose behaviour this is, and of dvt itself.
///
/// # Errors
/// A version outside what the project asks for.
pub fn programs(project: &Map<String, Value>) -> Result<(), Diagnostic> {
    for (key, name, version) in [("require-dbt-version", "dbt", DBT_VERSION), ("require-dvt-version", "dvt", env!("CARGO_PKG_VERSION"))] {
        let Some(value) = project.get(key).filter(|v| !v.is_null()) else { continue };
        let hint = format!("change `{key}`, or run with --no-version-check");
        let range = range(value).ok_or_else(|| Diagnostic::error(Code::ProjectInvalid, format!("`{key}` of the project file is no range of versions: {value}")).hint("write [\">=1.0.0\", \"<2.0.0\"]"))?;
        if !range.holds(version) {
            return Err(Diagnostic::error(Code::ProjectInvalid, format!("the project asks for {name} {}, and this is {name} {version}", range.shown)).hint(hint));
        }
    }
    Ok(())
}

fn range(value: &Value) -> Option<Range> {
    let texts: Vec<String> = match value {
        Value::Array(items) => items.iter().map(|i| i.as_str().map_or_else(|| i.to_string(), str::to_owned)).collect(),
        Value::String(text) => vec![text.clone()],
        other => vec![other.to_string()],
    };
    let bounds: Option<Vec<Vec<Bound>>> = texts.iter().flat_map(|t| t.split(',')).map(bounds).collect();
    Some(Range { shown: texts.join(", "), bounds: bounds?.concat() })
}

/// A range as one text; None for what is none.
pub fn of_text(text: &str) -> Option<Range> {
    range(&Value::from(text))
}

/// # Errors
/// A range that is none.
pub fn read(project: &Map<String, Value>) -> Result<Ranges, Diagnostic> {
    let invalid = |message: String| {
        Diagnostic::error(Code::AdapterVersion, message).hint("write `require-adapters: {my_adapter: \">=1.0.0\"}`; a list of ranges and `~=1.2` are read too")
    };
    let Some(all) = project.get("require-adapters").filter(|v| !v.is_null()) else { return Ok(Ranges::new()) };
    let all = all.as_object().ok_or_else(|| invalid("`require-adapters` of the project file is no mapping".to_owned()))?;
    let one = |(kind, value): (&String, &Value)| {
        let range = range(value).ok_or_else(|| invalid(format!("`require-adapters` asks {value} of `{kind}`, which is no range of versions")))?;
        Ok((kind.clone(), range))
    };
    all.iter().map(one).collect()
}

fn bounds(text: &str) -> Option<Vec<Bound>> {
    let Some(compatible) = text.trim().strip_prefix("~=") else { return Some(vec![Bound::parse(text)?]) };
    let numbers: Option<Vec<u64>> = compatible.trim().split('.').map(|n| n.parse().ok()).collect();
    let mut above = numbers.filter(|n| n.len() > 1)?;
    above.pop();
    *above.last_mut()? += 1;
    let above: Vec<String> = above.iter().map(u64::to_string).collect();
    Some(vec![Bound::parse(&format!(">={}", compatible.trim()))?, Bound::parse(&format!("<{}", above.join(".")))?])
}

impl Range {
    pub fn holds(&self, version: &str) -> bool {
        crate::packages::best(std::iter::once(version), &self.bounds, true).is_some()
    }
}

/// A plugin outside its range.
pub fn outside(kind: &str, version: &str, range: &Range) -> Diagnostic {
    Diagnostic::error(Code::AdapterVersion, format!("the plugin for `{kind}` has version {version}, and the project's require-adapters asks for {}", range.shown))
        .hint("run `dvt sync` to install a version in range, or change the range")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::read;
    use serde_json::json;

    #[test]
    fn a_range_a_list_of_ranges_and_a_compatible_version() {
        let project = json!({"require-adapters": {"a": ">=1.0.0", "b": [">=1.0", "<1.5.0"], "c": "~=1.4", "d": "~=1.4.2", "e": ">=1, <2"}});
        let ranges = read(project.as_object().unwrap()).unwrap();
        for (kind, version, fits) in [
            ("a", "1.0.0", true), ("a", "0.9.0", false), ("b", "1.4.9", true), ("b", "1.5.0", false), ("c", "1.9.0", true), ("c", "2.0.0", false),
            ("c", "1.3.0", false), ("d", "1.4.9", true), ("d", "1.5.0", false), ("e", "1.7.0", true), ("e", "2.0.0", false),
        ] {
            assert_eq!(ranges[kind].holds(version), fits, "{kind} {version}");
        }
        for wrong in [json!({"a": "new"}), json!({"a": "~=1"}), json!([">=1"])] {
            assert!(read(json!({"require-adapters": wrong}).as_object().unwrap()).is_err(), "{wrong}");
        }
    }
}
