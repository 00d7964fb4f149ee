//! Properties files: what YAML says about models, seeds, snapshots, macros, sources, exposures and their tests.
//!
//! An unknown key is a warning, never an error: real projects hold typos. Not here: merging into nodes.

use crate::config::{ConfigTree, merge};
use crate::generic_test::{self, GenericTest, TestOwner};
use crate::inventory::PropertyFile;
use crate::node::{ColumnProperties, Exposure, Manifest};
use crate::names::UniqueId;
use crate::render::{RenderString, has_jinja, is_late_key, rendered};
use crate::sources;
use crate::suggest::suggestion;
use crate::yaml::{self, Yaml, YamlMap};
use dvt_diagnostic::{Code, Diagnostic, Span};
use indexmap::IndexMap;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Everything declared in properties files, but source tables, which are in the manifest already.
#[derive(Debug, Clone, Default)]
pub struct Properties {
    /// Keyed by package, kind, name.
    pub patches: BTreeMap<(String, PatchKind, String), Patch>,
    /// In order of file and place.
    pub tests: Vec<GenericTest>,
    pub exposures: Vec<ExposureDecl>,
}

impl Properties {
    pub fn patch(&self, package: &str, kind: PatchKind, name: &str) -> Option<&Patch> {
        self.patches.get(&(package.to_owned(), kind, name.to_owned()))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PatchKind {
    Model,
    Seed,
    Snapshot,
    Analysis,
    Macro,
    /// `data_tests:` at top level: description and config of singular tests.
    Test,
}

/// One entry of `models:`, `seeds:`, …
#[derive(Debug, Clone)]
pub struct Patch {
    pub package: String,
    pub kind: PatchKind,
    pub name: String,
    /// The properties file, from its package's root (dbt's patch_path is `<package>://<path>`).
    pub path: String,
    pub span: Span,
    pub description: String,
    pub columns: IndexMap<String, ColumnProperties>,
    /// `config:` with the old top-level keys (`tags`, `meta`, `docs`, …) folded in; for `ConfigTree::resolve`.
    pub config: Map<String, Value>,
    /// The entry as JSON, as written (constraints, versions, arguments of macros, snapshot `relation`).
    pub raw: Map<String, Value>,
}

impl Patch {
    pub fn patch_path(&self) -> String {
        format!("{}://{}", self.package, self.path)
    }
}

/// An exposure whose `depends_on` calls (`ref('x')`, `source('a', 'b')`) the Jinja crate resolves.
#[derive(Debug, Clone)]
pub struct ExposureDecl {
    pub exposure: Exposure,
    pub depends_on: Vec<(String, Span)>,
    pub span: Span,
}

/// What the readers of one file share.
pub(crate) struct Reader<'a> {
    pub file: &'a PropertyFile,
    pub docs: &'a BTreeMap<String, String>,
    pub render: &'a dyn RenderString,
    pub warnings: &'a mut Vec<Diagnostic>,
}

/// Reads all properties files; source tables go into the manifest.
pub(crate) fn load(
    files: &[PropertyFile],
    manifest: &mut Manifest,
    configs: &ConfigTree,
    r: &dyn RenderString,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Properties, Vec<Diagnostic>> {
    let mut out = Properties::default();
    let mut errors = Vec::new();
    let docs = std::mem::take(&mut manifest.docs);
    let mut blocks = sources::Connections::default();
    for file in files {
        let document = match yaml::parse(&file.file, &file.text) {
            Ok(document) => document,
            Err(e) => {
                errors.push(e);
                continue;
            }
        };
        warnings.extend(document.warnings);
        if document.root.is_null() {
            continue;
        }
        let mut reader = Reader { file, docs: &docs, render: r, warnings };
        if let Err(e) = reader.file(&document.root, manifest, configs, &mut blocks, &mut out) {
            errors.extend(e);
        }
    }
    manifest.docs = docs;
    errors.extend(duplicate_tests(&out.tests));
    if errors.is_empty() { Ok(out) } else { Err(errors) }
}

/// Two declarations with one id would hide each other: differing configs do not make them differ.
fn duplicate_tests(tests: &[GenericTest]) -> Vec<Diagnostic> {
    let mut seen: BTreeMap<&UniqueId, &GenericTest> = BTreeMap::new();
    let mut errors = Vec::new();
    for test in tests {
        if let Some(first) = seen.insert(&test.unique_id, test) {
            let message = format!("two tests have the name `{}` and the same arguments", test.name);
            let hint = format!("the first is in {}, line {}; give one of them a `name`", first.span.file, first.span.line);
            errors.push(Diagnostic::error(Code::DuplicateResource, message).at(test.span.clone()).hint(hint));
        }
    }
    errors
}

const SECTIONS: [(&str, PatchKind); 7] = [
    ("models", PatchKind::Model),
    ("seeds", PatchKind::Seed),
    ("snapshots", PatchKind::Snapshot),
    ("analyses", PatchKind::Analysis),
    ("macros", PatchKind::Macro),
    ("data_tests", PatchKind::Test),
    ("tests", PatchKind::Test),
];

/// Sections that are read elsewhere, later, or not by dvt at all.
const OTHER_SECTIONS: [&str; 12] = [
    "version", "sources", "exposures", "groups", "metrics", "semantic_models", "saved_queries", "unit_tests", "functions", "anchors",
    "docs", "selectors",
];

const ENTRY_KEYS: [&str; 24] = [
    "name", "description", "columns", "config", "tests", "data_tests", "meta", "tags", "docs", "access", "group", "versions",
    "latest_version", "constraints", "arguments", "deprecation_date", "relation", "time_spine", "quote_columns", "freshness",
    "enabled", "contract", "primary_key", "semantic_model",
];

const COLUMN_KEYS: [&str; 15] = [
    "name", "description", "data_type", "tests", "data_tests", "meta", "tags", "constraints", "quote", "config", "granularity",
    "policy_tags", "dimension", "entity", "type",
];

impl Reader<'_> {
    fn file(
        &mut self,
        root: &Yaml,
        manifest: &mut Manifest,
        configs: &ConfigTree,
        blocks: &mut sources::Connections,
        out: &mut Properties,
    ) -> Result<(), Vec<Diagnostic>> {
        let Some(map) = root.as_map() else {
            return Err(vec![self.invalid("a properties file must be a mapping", &root.span)]);
        };
        let known: Vec<&str> = SECTIONS.iter().map(|(s, _)| *s).chain(OTHER_SECTIONS).collect();
        self.unknown_keys(map, &known, "this file");
        let mut errors = Vec::new();
        for (section, kind) in SECTIONS {
            for entry in map.get(section).and_then(Yaml::as_list).unwrap_or_default() {
                if let Err(e) = self.patch(entry, section, kind, out) {
                    errors.push(e);
                }
            }
        }
        for entry in map.get("sources").and_then(Yaml::as_list).unwrap_or_default() {
            if let Err(e) = sources::read(self, entry, manifest, configs, blocks, out) {
                errors.push(e);
            }
        }
        for entry in map.get("exposures").and_then(Yaml::as_list).unwrap_or_default() {
            if let Err(e) = self.exposure(entry, out) {
                errors.push(e);
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    fn patch(&mut self, entry: &Yaml, section: &str, kind: PatchKind, out: &mut Properties) -> Result<(), Diagnostic> {
        let Some(map) = entry.as_map() else {
            return Err(self.invalid(&format!("an entry of `{section}` is no mapping"), &entry.span));
        };
        let name = self.name(map, &entry.span, section)?;
        self.unknown_keys(map, &ENTRY_KEYS, &format!("`{name}`"));
        let config = self.config(map, &["tags", "meta", "docs", "access", "group", "enabled", "contract"])?;
        let columns = self.columns(map, out, &TestOwner::Node { name: name.clone() }, kind != PatchKind::Macro)?;
        if kind != PatchKind::Macro && kind != PatchKind::Test {
            self.tests(map, &TestOwner::Node { name: name.clone() }, None, out)?;
        }
        let Value::Object(raw) = entry.to_json() else { return Ok(()) };
        let patch = Patch {
            package: self.file.package.clone(),
            kind,
            path: self.file.path.clone(),
            span: map.get("name").map_or(&entry.span, |y| &y.span).clone(),
            description: self.description(map.get("description")),
            columns,
            config,
            raw,
            name,
        };
        let key = (patch.package.clone(), kind, patch.name.clone());
        if let Some(first) = out.patches.get(&key) {
            return Err(Diagnostic::error(Code::DuplicateResource, format!("`{}` has properties twice in `{section}`", patch.name))
                .at(patch.span)
                .hint(format!("the first is in {}, line {}", first.span.file, first.span.line)));
        }
        out.patches.insert(key, patch);
        Ok(())
    }

    pub(crate) fn name(&self, map: &YamlMap, at: &Span, section: &str) -> Result<String, Diagnostic> {
        match map.get("name").map(Yaml::to_json) {
            Some(Value::String(name)) if has_jinja(&name) => {
                let value = self.render.render(&name, at)?;
                Ok(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            }
            Some(Value::String(name)) if !name.is_empty() => Ok(name),
            Some(Value::Number(n)) => Ok(n.to_string()),
            Some(Value::Bool(b)) => Ok(b.to_string()),
            _ => Err(self.invalid(&format!("an entry of `{section}` has no `name`"), at)),
        }
    }

    /// `config:` over the old top-level keys.
    pub(crate) fn config(&self, map: &YamlMap, folded: &[&str]) -> Result<Map<String, Value>, Diagnostic> {
        let mut config = Map::new();
        for key in folded {
            if let Some(value) = map.get(key).filter(|y| !y.is_null() || *key == "freshness") {
                let value = rendered(value, self.render, &is_late_key)?;
                merge(&mut config, &Map::from_iter([((*key).to_owned(), value)]));
            }
        }
        match map.get("config") {
            None => {}
            Some(y) if y.is_null() => {}
            Some(y) => match rendered(y, self.render, &is_late_key)? {
                Value::Object(own) => merge(&mut config, &own),
                _ => return Err(self.invalid("`config` is no mapping", &y.span)),
            },
        }
        Ok(config)
    }

    pub(crate) fn columns(
        &mut self,
        map: &YamlMap,
        out: &mut Properties,
        owner: &TestOwner,
        with_tests: bool,
    ) -> Result<IndexMap<String, ColumnProperties>, Diagnostic> {
        let mut columns = IndexMap::new();
        for entry in map.get("columns").and_then(Yaml::as_list).unwrap_or_default() {
            let Some(column) = entry.as_map() else {
                return Err(self.invalid("an entry of `columns` is no mapping", &entry.span));
            };
            let name = self.name(column, &entry.span, "columns")?;
            self.unknown_keys(column, &COLUMN_KEYS, &format!("column `{name}`"));
            let config = self.config(column, &["tags", "meta"])?;
            if with_tests {
                self.tests(column, owner, Some(&name), out)?;
            }
            let text = |key: &str| column.get(key).and_then(Yaml::as_str).map(str::to_owned);
            let constraints = column.get("constraints").map(Yaml::to_json).and_then(|v| v.as_array().cloned()).unwrap_or_default();
            let properties = ColumnProperties {
                description: self.description(column.get("description")),
                data_type: text("data_type"),
                meta: config.get("meta").and_then(Value::as_object).cloned().unwrap_or_default(),
                tags: crate::config::tags(&config),
                constraints,
                quote: column.get("quote").and_then(Yaml::as_bool),
                name: name.clone(),
            };
            columns.insert(name, properties);
        }
        Ok(columns)
    }

    /// `tests` and `data_tests` of a node, a source table or a column.
    pub(crate) fn tests(&mut self, map: &YamlMap, owner: &TestOwner, column: Option<&str>, out: &mut Properties) -> Result<(), Diagnostic> {
        let quote = map.get("quote").and_then(Yaml::as_bool).unwrap_or(false);
        for entry in ["tests", "data_tests"].iter().filter_map(|k| map.get(k)) {
            let Some(list) = entry.as_list() else {
                if entry.is_null() {
                    continue;
                }
                return Err(self.invalid("tests must be a list", &entry.span));
            };
            for yaml in list {
                let test = generic_test::read(self, yaml, owner, column, quote)?;
                out.tests.push(test);
            }
        }
        Ok(())
    }

    fn exposure(&mut self, entry: &Yaml, out: &mut Properties) -> Result<(), Diagnostic> {
        let Some(map) = entry.as_map() else {
            return Err(self.invalid("an entry of `exposures` is no mapping", &entry.span));
        };
        let name = self.name(map, &entry.span, "exposures")?;
        let Value::Object(mut raw) = rendered(entry, self.render, &|k| k == "depends_on" || k == "description")? else { return Ok(()) };
        raw.insert("description".into(), Value::String(self.description(map.get("description"))));
        let depends_on = map.get("depends_on").and_then(Yaml::as_list).unwrap_or_default();
        let depends_on = depends_on.iter().filter_map(|y| y.as_str().map(|s| (s.to_owned(), y.span.clone()))).collect();
        let mut fqn = self.file.fqn.clone();
        fqn.push(name.clone());
        let exposure = Exposure {
            unique_id: UniqueId::new(format!("exposure.{}.{name}", self.file.package)),
            package: self.file.package.clone(),
            path: self.file.path.clone(),
            fqn,
            depends_on: Vec::new(),
            raw,
            name,
        };
        out.exposures.push(ExposureDecl { exposure, depends_on, span: entry.span.clone() });
        Ok(())
    }

    /// A description with its `{{ doc('…') }}` calls replaced; other templates stay as written.
    pub(crate) fn description(&mut self, yaml: Option<&Yaml>) -> String {
        let Some(yaml) = yaml else { return String::new() };
        let text = yaml.as_str().unwrap_or_default();
        if !text.contains("doc(") {
            return text.to_owned();
        }
        let mut out = String::new();
        let mut rest = text;
        while let Some(open) = rest.find("{{") {
            let Some(close) = rest[open..].find("}}").map(|i| open + i) else { break };
            out.push_str(&rest[..open]);
            match doc_call(&rest[open + 2..close]) {
                Some((package, name)) => match self.doc(package, name) {
                    Some(doc) => out.push_str(&doc),
                    None => self.warnings.push(
                        Diagnostic::warning(Code::PropertyInvalid, format!("there is no docs block `{name}`")).at(yaml.span.clone()),
                    ),
                },
                None => out.push_str(&rest[open..close + 2]),
            }
            rest = &rest[close + 2..];
        }
        out.push_str(rest);
        out
    }

    fn doc(&self, package: Option<&str>, name: &str) -> Option<String> {
        if let Some(package) = package {
            return self.docs.get(&format!("doc.{package}.{name}")).cloned();
        }
        let own = self.docs.get(&format!("doc.{}.{name}", self.file.package));
        let suffix = format!(".{name}");
        own.or_else(|| self.docs.iter().find(|(k, _)| k.ends_with(&suffix)).map(|(_, v)| v)).cloned()
    }

    pub(crate) fn unknown_keys(&mut self, map: &YamlMap, known: &[&str], what: &str) {
        for (key, at, _) in map.iter() {
            if !known.contains(&key) {
                let mut warning = Diagnostic::warning(Code::UnknownKey, format!("unknown key `{key}` in {what}; it is ignored")).at(at.clone());
                if let Some(near) = suggestion(key, known) {
                    warning = warning.hint(format!("did you mean `{near}`?"));
                }
                self.warnings.push(warning);
            }
        }
    }

    #[expect(clippy::unused_self, reason = "reads as a method beside the others")]
    pub(crate) fn invalid(&self, message: &str, at: &Span) -> Diagnostic {
        Diagnostic::error(Code::PropertyInvalid, message).at(at.clone())
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
