//! Groups and exposures.

use super::{ExposureDecl, Properties, Reader};
use crate::names::UniqueId;
use crate::node::{Exposure, Manifest};
use crate::render::rendered;
use crate::resource::Group;
use crate::yaml::Yaml;
use dvt_diagnostic::{Code, Diagnostic};
use serde_json::{Map, Value, json};

impl Reader<'_> {
    pub(super) fn group(&mut self, entry: &Yaml, manifest: &mut Manifest) -> Result<(), Diagnostic> {
        let Some(map) = entry.as_map() else {
            return Err(self.invalid("an entry of `groups` is no mapping", &entry.span));
        };
        let name = self.name(map, &entry.span, "groups")?;
        self.unknown_keys(map, &["name", "owner", "description", "config"], &format!("group `{name}`"));
        let owner = match map.get("owner") {
            Some(y) if y.as_map().is_some() => owner(&rendered(y, self.render, &|_| false)?),
            _ => return Err(self.invalid(&format!("group `{name}` has no `owner`"), &entry.span).hint("add `owner: {name: …, email: …}`")),
        };
        let config = self.config(map, &[])?;
        let config = self.configs.resolve(&self.file.package, "group", &self.fqn(&name), &config, &Map::new());
        let unique_id = UniqueId::new(format!("group.{}.{name}", self.file.package));
        let description = self.description(map.get("description"))?;
        let group = Group {
            unique_id: unique_id.clone(),
            package: self.file.package.clone(),
            path: self.file.path.clone(),
            below: self.file.below,
            owner,
            description: map.get("description").map(|_| description),
            config,
            span: map.get("name").map_or(&entry.span, |y| &y.span).clone(),
            name,
        };
        if let Some(first) = manifest.groups.get(&unique_id) {
            return Err(Diagnostic::error(Code::DuplicateResource, format!("two groups are named `{}`", group.name))
                .at(group.span)
                .hint(format!("the other one is in {}, line {}", first.span.file, first.span.line)));
        }
        manifest.groups.insert(unique_id, group);
        Ok(())
    }

    pub(super) fn exposure(&mut self, entry: &Yaml, out: &mut Properties) -> Result<(), Diagnostic> {
        let Some(map) = entry.as_map() else {
            return Err(self.invalid("an entry of `exposures` is no mapping", &entry.span));
        };
        let name = self.name(map, &entry.span, "exposures")?;
        let known = ["name", "type", "owner", "description", "label", "maturity", "meta", "tags", "url", "depends_on", "config", "enabled"];
        self.unknown_keys(map, &known, &format!("exposure `{name}`"));
        let kinds = ["dashboard", "notebook", "analysis", "ml", "application"];
        match map.get("type").map(|y| (y.as_str().unwrap_or_default(), y)) {
            Some((kind, y)) if !kinds.contains(&kind) => {
                return Err(self.invalid(&format!("`{kind}` is no type of exposure"), &y.span).hint(format!("known types: {}", kinds.join(", "))));
            }
            None => return Err(self.invalid(&format!("exposure `{name}` has no `type`"), &entry.span).hint(format!("known types: {}", kinds.join(", ")))),
            Some(_) => {}
        }
        let Value::Object(mut raw) = rendered(entry, self.render, &|k| k == "depends_on" || k == "description")? else { return Ok(()) };
        let description = self.description(map.get("description"))?;
        raw.insert("description".into(), Value::String(description));
        raw.insert("owner".into(), owner(raw.get("owner").unwrap_or(&Value::Null)));
        let depends_on = map.get("depends_on").and_then(Yaml::as_list).unwrap_or_default();
        let depends_on = depends_on.iter().filter_map(|y| y.as_str().map(|s| (s.to_owned(), y.span.clone()))).collect();
        let fqn = self.fqn(&name);
        let (own, unrendered) = self.configs_of(map, &["enabled"])?;
        let mut config = self.configs.resolve(&self.file.package, "exposure", &fqn, &own, &Map::new());
        let unrendered_config = self.configs.unrendered(&self.file.package, "exposure", &fqn, &unrendered, &Map::new());
        let mut tags = crate::config::tags(&config);
        tags.extend(crate::config::tags(&raw));
        tags.sort();
        tags.dedup();
        let mut meta = raw.get("meta").and_then(Value::as_object).cloned().unwrap_or_default();
        meta.extend(config.get("meta").and_then(Value::as_object).cloned().unwrap_or_default());
        config.insert("tags".into(), json!(tags));
        config.insert("meta".into(), Value::Object(meta.clone()));
        raw.insert("tags".into(), json!(tags));
        raw.insert("meta".into(), Value::Object(meta.clone()));
        raw.insert("config".into(), Value::Object(config.to_map()));
        let exposure = Exposure {
            unique_id: UniqueId::new(format!("exposure.{}.{name}", self.file.package)),
            package: self.file.package.clone(),
            path: self.file.path.clone(),
            below: self.file.below,
            fqn,
            depends_on: Vec::new(),
            macros: Vec::new(),
            refs: Vec::new(),
            sources: Vec::new(),
            metrics: Vec::new(),
            config,
            unrendered_config,
            tags,
            meta,
            raw,
            name,
        };
        out.exposures.push(ExposureDecl { exposure, depends_on, span: entry.span.clone() });
        Ok(())
    }
}

/// dbt's order and both keys always.
fn owner(given: &Value) -> Value {
    let mut out = Map::from_iter([("email".to_owned(), Value::Null), ("name".to_owned(), Value::Null)]);
    out.extend(given.as_object().cloned().unwrap_or_default());
    Value::Object(out)
}
