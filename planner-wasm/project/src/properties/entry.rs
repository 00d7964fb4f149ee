//! Entries of `models:`, `seeds:`, `snapshots:`, `analyses:`, `macros:`, `data_tests:`, `functions:`; versions of models.

use super::columns::ColumnPlace;
use super::{Patch, PatchKind, Properties, Reader, TestPlace, Version};
use crate::config::merge;
use crate::generic_test::TestOwner;
use crate::load::{FileKind, SqlFile};
use crate::node::{ColumnProperties, version_text};
use crate::render::rendered;
use crate::yaml::{Yaml, YamlMap};
use dvt_diagnostic::{Code, Diagnostic, Span};
use indexmap::IndexMap;
use serde_json::{Map, Value};

const ENTRY_KEYS: [&str; 31] = [
    "name", "description", "columns", "config", "tests", "data_tests", "meta", "tags", "docs", "access", "group", "versions",
    "latest_version", "constraints", "arguments", "deprecation_date", "relation", "time_spine", "quote_columns", "freshness",
    "enabled", "contract", "primary_key", "semantic_model", "metrics", "derived_semantics", "agg_time_dimension", "primary_entity",
    "returns", "overloads", "type",
];

const VERSION_KEYS: [&str; 13] = [
    "v", "defined_in", "description", "access", "config", "constraints", "docs", "tests", "data_tests", "columns", "deprecation_date",
    "meta", "tags",
];

/// Old top-level keys that are configs now.
const FOLDED: [&str; 7] = ["tags", "meta", "docs", "access", "group", "enabled", "contract"];

/// What is kept as written; a copy of every entry would be most of what a large project's properties weigh.
const RAW: [&str; 3] = ["arguments", "returns", "time_spine"];
/// Of these dbt 1.12 says that they moved below `config`.
const MOVED: [&str; 5] = ["tags", "meta", "docs", "group", "access"];

impl Reader<'_> {
    pub(super) fn entry(&mut self, entry: &Yaml, section: &str, kind: PatchKind, out: &mut Properties) -> Result<(), Diagnostic> {
        let Some(map) = entry.as_map() else {
            return Err(self.invalid(&format!("an entry of `{section}` is no mapping"), &entry.span));
        };
        let name = self.name(map, &entry.span, section)?;
        self.unknown_keys(map, &ENTRY_KEYS, &format!("`{name}`"));
        let span = map.get("name").map_or(&entry.span, |y| &y.span).clone();
        let raw = RAW.iter().filter_map(|k| Some(((*k).to_owned(), map.get(k)?.to_json()))).collect();
        if kind == PatchKind::Snapshot {
            self.yaml_snapshot(map, &name, out)?;
        }
        if let Some(versions) = map.get("versions").and_then(Yaml::as_list).filter(|v| !v.is_empty() && kind == PatchKind::Model) {
            return self.versions(map, &name, versions, out);
        }
        let folded: &[&str] = if kind == PatchKind::Macro { &["meta", "docs"] } else { &FOLDED };
        let (config, unrendered_config) = self.configs_of(map, folded)?;
        self.moved(map, &name, section);
        let owner = TestOwner::Node { name: name.clone(), version: None };
        let quote = map.get("quote_columns").and_then(Yaml::as_bool).unwrap_or(false);
        let place = ColumnPlace { owner: &owner, section, quote, tags: &[], with_tests: kind != PatchKind::Macro };
        let columns = self.columns(map, &place, out)?;
        if !matches!(kind, PatchKind::Macro | PatchKind::Test) {
            self.tests(map, &TestPlace { owner: &owner, section, column: None, quote: false, tags: &[] }, out)?;
        }
        let (description, doc_blocks) = self.documented(map.get("description"))?;
        let patch = Patch {
            package: self.file.package.clone(),
            kind,
            path: self.file.path.clone(),
            span,
            description,
            doc_blocks,
            columns,
            config,
            unrendered_config,
            version: None,
            deprecation_date: self.date(map, "deprecation_date")?,
            constraints: self.constraints(map, true)?,
            raw,
            name: name.clone(),
        };
        if kind == PatchKind::Model {
            self.semantics_of(map, &patch, out)?;
        }
        insert(patch, &name, section, out)
    }

    /// One patch for each version, keyed by the file that defines it.
    fn versions(&mut self, map: &YamlMap, name: &str, versions: &[Yaml], out: &mut Properties) -> Result<(), Diagnostic> {
        let mut read: Vec<(Value, &YamlMap, Span)> = Vec::new();
        for entry in versions {
            let version = entry.as_map().ok_or_else(|| self.invalid("a version must be a mapping with `v`", &entry.span))?;
            self.unknown_keys(version, &VERSION_KEYS, &format!("a version of `{name}`"));
            let v = match version.get("v").map(|y| rendered(y, self.render, &|_| false)).transpose()? {
                Some(v @ (Value::Number(_) | Value::String(_))) => v,
                _ => return Err(self.invalid(&format!("a version of `{name}` has no `v`"), &entry.span).hint("write `- v: 1`")),
            };
            if let Some((_, _, first)) = read.iter().find(|(other, _, _)| version_text(other) == version_text(&v)) {
                let message = format!("version {} of `{name}` is declared twice", version_text(&v));
                return Err(Diagnostic::error(Code::DuplicateResource, message).at(entry.span.clone()).hint(format!("the first is on line {}", first.line)));
            }
            read.push((v, version, entry.span.clone()));
        }
        let latest = match map.get("latest_version").filter(|y| !y.is_null()) {
            Some(y) => {
                let latest = rendered(y, self.render, &|_| false)?;
                if !read.iter().any(|(v, _, _)| *v == latest) {
                    let known: Vec<String> = read.iter().map(|(v, _, _)| version_text(v)).collect();
                    let message = format!("`latest_version: {}` of `{name}` is none of its versions", version_text(&latest));
                    return Err(self.invalid(&message, &y.span).hint(format!("versions: {}", known.join(", "))));
                }
                latest
            }
            None => greatest(read.iter().map(|(v, _, _)| v)),
        };
        let (base_config, base_unrendered) = self.configs_of(map, &FOLDED)?;
        let base_constraints = self.constraints(map, true)?;
        let (base_description, base_blocks) = self.documented(map.get("description"))?;
        self.moved(map, name, "models");
        for (v, version, at) in &read {
            let stem = match version.get("defined_in").and_then(Yaml::as_str) {
                Some(file) => file.to_owned(),
                None => self.version_file(name, v, *v == latest),
            };
            let owner = TestOwner::Node { name: name.to_owned(), version: Some(v.clone()) };
            let columns = self.version_columns(map, version, &owner, out)?;
            let own_tests = ["tests", "data_tests"].iter().any(|k| version.get(k).is_some_and(|y| !y.is_null()));
            let tests = if own_tests { *version } else { map };
            self.tests(tests, &TestPlace { owner: &owner, section: "models", column: None, quote: false, tags: &[] }, out)?;
            let (own, own_unrendered) = self.configs_of(version, &["docs", "access", "meta", "tags"])?;
            let (mut config, mut unrendered_config) = (base_config.clone(), base_unrendered.clone());
            merge(&mut config, &own);
            unrendered_config.extend(own_unrendered);
            let constraints = self.constraints(version, true)?;
            let (description, doc_blocks) = match self.documented(version.get("description"))? {
                (text, blocks) if !text.is_empty() => (text, blocks),
                _ => (base_description.clone(), base_blocks.clone()),
            };
            let patch = Patch {
                package: self.file.package.clone(),
                kind: PatchKind::Model,
                name: name.to_owned(),
                path: self.file.path.clone(),
                span: at.clone(),
                description,
                doc_blocks,
                columns,
                config,
                unrendered_config,
                version: Some(Version { v: v.clone(), latest: latest.clone() }),
                deprecation_date: self.date(version, "deprecation_date")?,
                constraints: if constraints.is_empty() { base_constraints.clone() } else { constraints },
                raw: Map::new(),
            };
            insert(patch, &stem, "models", out)?;
        }
        Ok(())
    }

    /// `<name>_v<v>`, or `<name>` for the latest version when only that file is there.
    fn version_file(&self, name: &str, v: &Value, latest: bool) -> String {
        let usual = format!("{name}_v{}", version_text(v));
        let has = |stem: &str| self.stems.contains(&(self.file.package.clone(), PatchKind::Model, stem.to_owned()));
        if latest && !has(&usual) && has(name) { name.to_owned() } else { usual }
    }

    /// The model's columns that `include` and `exclude` leave, then the version's own.
    fn version_columns(&mut self, map: &YamlMap, version: &YamlMap, owner: &TestOwner, out: &mut Properties) -> Result<IndexMap<String, ColumnProperties>, Diagnostic> {
        let place = ColumnPlace { owner, section: "models", quote: false, tags: &[], with_tests: true };
        let own = version.get("columns").and_then(Yaml::as_list).unwrap_or_default();
        let rule = own.iter().filter_map(Yaml::as_map).find(|m| m.get("include").is_some());
        let names = |key: &str| rule.and_then(|r| r.get(key)).and_then(Yaml::as_list).map(|l| l.iter().filter_map(Yaml::as_str).collect::<Vec<_>>());
        let (include, exclude) = (names("include"), names("exclude").unwrap_or_default());
        let mut columns = IndexMap::new();
        for entry in map.get("columns").and_then(Yaml::as_list).unwrap_or_default() {
            let name = entry.get("name").and_then(Yaml::as_str).unwrap_or_default();
            if include.as_ref().is_none_or(|i| i.contains(&name)) && !exclude.contains(&name) {
                let (name, column) = self.column(entry, &place, out)?;
                columns.insert(name, column);
            }
        }
        for entry in own.iter().filter(|e| e.get("include").is_none()) {
            let (name, column) = self.column(entry, &place, out)?;
            columns.insert(name, column);
        }
        Ok(columns)
    }

    /// A snapshot without a file: its `relation` is all it reads.
    fn yaml_snapshot(&mut self, map: &YamlMap, name: &str, out: &mut Properties) -> Result<(), Diagnostic> {
        let Some(relation) = map.get("relation").filter(|y| !y.is_null()) else { return Ok(()) };
        let call = relation.as_str().unwrap_or_default();
        if crate::static_call::static_call(call).is_none() {
            return Err(self
                .invalid(&format!("`relation` of snapshot `{name}` is neither ref('…') nor source('…', '…')"), &relation.span)
                .hint("write `relation: ref('model')`"));
        }
        out.yaml_snapshots.push(SqlFile {
            package: self.file.package.clone(),
            path: self.file.path.clone(),
            file: self.file.file.clone(),
            kind: FileKind::Snapshot,
            below: self.file.below,
            fqn: self.fqn(name),
            text: format!("select * from {{{{ {call} }}}}"),
            checksum: Some(crate::load::checksum(&self.file.text)),
        });
        Ok(())
    }

    /// A date as dbt writes it: ISO 8601 with a zone.
    pub(super) fn date(&self, map: &YamlMap, key: &str) -> Result<Option<String>, Diagnostic> {
        let Some(yaml) = map.get(key).filter(|y| !y.is_null()) else { return Ok(None) };
        let value = rendered(yaml, self.render, &|_| false)?;
        let text = value.as_str().unwrap_or_default();
        let wrong = || self.invalid(&format!("`{key}` is no date"), &yaml.span).hint("write it as 2027-12-31");
        iso_date(text).map(Some).ok_or_else(wrong)
    }

    fn moved(&mut self, map: &YamlMap, name: &str, section: &str) {
        for key in MOVED {
            if let Some(at) = map.key_span(key) {
                let message = format!("`{key}` of `{name}` in `{section}` belongs below `config`");
                self.warnings.push(
                    Diagnostic::warning(Code::Deprecated, message)
                        .at(at.clone())
                        .hint(format!("write `config: {{{key}: …}}`"))
                        .event("PropertyMovedToConfigDeprecation"),
                );
            }
        }
    }
}

fn insert(patch: Patch, stem: &str, section: &str, out: &mut Properties) -> Result<(), Diagnostic> {
    let key = (patch.package.clone(), patch.kind, stem.to_owned());
    if let Some(first) = out.patches.get(&key) {
        return Err(Diagnostic::error(Code::DuplicateResource, format!("`{stem}` has properties twice in `{section}`"))
            .at(patch.span)
            .hint(format!("the first is in {}, line {}", first.span.file, first.span.line)));
    }
    out.patches.insert(key, patch);
    Ok(())
}

/// By number when all are numbers, else by text.
fn greatest<'a>(versions: impl Iterator<Item = &'a Value>) -> Value {
    let number = |v: &Value| v.as_f64().or_else(|| v.as_str()?.parse().ok());
    let less = |a: &Value, b: &Value| match (number(a), number(b)) {
        (Some(x), Some(y)) => x < y,
        _ => version_text(a) < version_text(b),
    };
    versions.fold(Value::Null, |best, v| if best.is_null() || less(&best, v) { v.clone() } else { best })
}

/// `2030-01-01` and `2030-01-01 10:00:00` to `2030-01-01T10:00:00+00:00`.
fn iso_date(text: &str) -> Option<String> {
    let (day, time) = text.split_once(['T', ' ']).unwrap_or((text, ""));
    let parts: Vec<&str> = day.split('-').collect();
    let [year, month, date] = parts.as_slice() else { return None };
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if year.len() != 4 || !digits(year) || !digits(month) || !digits(date) {
        return None;
    }
    let (y, m, d): (u32, u32, u32) = (year.parse().ok()?, month.parse().ok()?, date.parse().ok()?);
    let leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
    let last = match m {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if y == 0 || d == 0 || d > last {
        return None;
    }
    let time = time.trim();
    let (clock, zone) = match time.find(['+', 'Z']).or_else(|| time.rfind('-')) {
        Some(at) => (&time[..at], time[at..].replace('Z', "+00:00")),
        None => (time, "+00:00".to_owned()),
    };
    let clock = if clock.is_empty() { "00:00:00" } else { clock.trim() };
    let (hours, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let parts: Vec<u32> = hours.split(':').map(|p| Some(p).filter(|p| digits(p))?.parse().ok()).collect::<Option<_>>()?;
    if parts.len() > 3 || !digits(fraction) || parts.iter().zip([24, 60, 60]).any(|(n, end)| *n >= end) {
        return None;
    }
    Some(format!("{year}-{month:0>2}-{date:0>2}T{clock}{zone}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_greatest_version_is_the_greatest_number() {
        assert_eq!(greatest([json!(2), json!(10), json!(9)].iter()), json!(10));
        assert_eq!(greatest([json!("b"), json!("a")].iter()), json!("b"));
    }

    #[test]
    fn dates_get_a_time_and_a_zone() {
        assert_eq!(iso_date("2030-01-01").as_deref(), Some("2030-01-01T00:00:00+00:00"));
        assert_eq!(iso_date("2031-05-06 10:00:00").as_deref(), Some("2031-05-06T10:00:00+00:00"));
        assert_eq!(iso_date("2028-02-29 10:00:00.5+02:00").as_deref(), Some("2028-02-29T10:00:00.5+02:00"));
        for wrong in ["soon", "2030-13-45", "2030-00-01", "2030-02-29", "2100-02-29", "2030-04-31", "2030-01-01 25:00:00", "2030-01-01 10:61:00", "2030-01-01 noon"] {
            assert_eq!(iso_date(wrong), None, "{wrong}");
        }
    }
}
