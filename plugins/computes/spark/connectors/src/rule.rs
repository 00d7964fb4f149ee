//! How a type passes: as it is, by an expression, or not at all.

use dvt_plugin_sdk::NativeType;
use serde::Deserialize;

/// The first rule whose types hold the column's counts; a type without a rule is refused.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Names without arguments; `*` at the end stands for any rest.
    types: Vec<String>,
    /// Only where the type has no arguments, or only where it has some.
    #[serde(default)]
    arguments: Option<bool>,
    /// `{}` is the column.
    #[serde(default)]
    by: Option<String>,
    /// Why it cannot pass.
    #[serde(default)]
    refuse: Option<String>,
}

impl Rule {
    fn fits(&self, native: &NativeType) -> bool {
        let named = |t: &String| t.strip_suffix('*').map_or_else(|| *t == native.name, |start| native.name.starts_with(start));
        self.types.iter().any(named) && self.arguments.is_none_or(|with| with != native.arguments.is_empty())
    }
}

pub fn apply(rules: &[Rule], native: &NativeType) -> Result<Option<String>, String> {
    let unknown = || match native.text.as_str() {
        "" => "its source computes it, and the source's sheet does not name its type in [computed]".to_owned(),
        text => format!("the type {text} cannot be carried by this compute"),
    };
    let rule = rules.iter().find(|r| r.fits(native)).ok_or_else(unknown)?;
    match &rule.refuse {
        Some(why) => Err(format!("the type {} cannot be carried by this compute: {why}", native.text)),
        None => Ok(rule.by.clone()),
    }
}
