//! Descriptions: `{{ doc('…') }}` calls replaced by their blocks, and which blocks those are.

use super::Reader;
use crate::node::DocBlock;
use crate::yaml::Yaml;
use dvt_diagnostic::{Code, Diagnostic};

impl Reader<'_> {
    /// A description with its `doc` calls replaced; other templates stay as written.
    pub(crate) fn description(&mut self, yaml: Option<&Yaml>) -> Result<String, Diagnostic> {
        self.documented(yaml).map(|(text, _)| text)
    }

    /// The same with the ids of the blocks that it reads.
    pub(crate) fn documented(&mut self, yaml: Option<&Yaml>) -> Result<(String, Vec<String>), Diagnostic> {
        let Some(yaml) = yaml else { return Ok((String::new(), Vec::new())) };
        let text = match yaml.to_json() {
            serde_json::Value::String(text) => text,
            serde_json::Value::Null => String::new(),
            other => other.to_string(),
        };
        if !text.contains("doc") || !text.contains("{{") {
            return Ok((text, Vec::new()));
        }
        let (mut out, mut blocks) = (String::new(), Vec::new());
        let mut rest = text.as_str();
        while let Some(open) = rest.find("{{") {
            let Some(close) = rest[open..].find("}}").map(|i| open + i) else { break };
            out.push_str(&rest[..open]);
            match doc_call(&rest[open + 2..close]) {
                Some((package, name)) => match self.doc(package, name) {
                    Some((id, block)) => {
                        out.push_str(&block.text);
                        if !blocks.contains(id) {
                            blocks.push(id.clone());
                        }
                    }
                    None => {
                        let error = Diagnostic::error(Code::PropertyInvalid, format!("there is no docs block `{name}`")).at(yaml.span.clone());
                        let known: Vec<&str> = self.docs.keys().filter_map(|k| k.rsplit('.').next()).collect();
                        return Err(match crate::suggest::suggestion(name, &known) {
                            Some(near) => error.hint(format!("did you mean `{near}`?")),
                            None => error.hint(format!("write {{% docs {name} %}} … {{% enddocs %}} in a .md file of a resource folder")),
                        });
                    }
                },
                None => out.push_str(&rest[open..close + 2]),
            }
            rest = &rest[close + 2..];
        }
        out.push_str(rest);
        Ok((out, blocks))
    }

    fn doc(&self, package: Option<&str>, name: &str) -> Option<(&String, &DocBlock)> {
        if let Some(package) = package {
            return self.docs.get_key_value(&format!("doc.{package}.{name}"));
        }
        let own = self.docs.get_key_value(&format!("doc.{}.{name}", self.file.package));
        let suffix = format!(".{name}");
        own.or_else(|| self.docs.iter().find(|(k, _)| k.ends_with(&suffix)))
    }
}

/// `doc('name')` or `doc('package', 'name')`.
fn doc_call(code: &str) -> Option<(Option<&str>, &str)> {
    let code = code.trim_matches(['-', ' ', '\n', '\t']);
    let inner = code.strip_prefix("doc")?.trim_start().strip_prefix('(')?.strip_suffix(')')?;
    let mut names = inner.split(',').map(|a| a.trim().trim_matches(['\'', '"']));
    match (names.next(), names.next()) {
        (Some(name), None) if !name.is_empty() => Some((None, name)),
        (Some(package), Some(name)) => Some((Some(package), name)),
        _ => None,
    }
}
