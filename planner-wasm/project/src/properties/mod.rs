//! Properties files: what YAML says about the resources of files, and the resources that only YAML describes.
//!
//! An unknown key is a warning, never an error: real projects hold typos. Not here: merging into nodes.

mod columns;
mod description;
mod described;
mod entry;
mod semantic;
mod unit_test;

pub(crate) use columns::{ColumnPlace, unique};
pub use columns::contract_checksum;

use crate::config::{ConfigTree, merge};
use crate::generic_test::{GenericTest, TestOwner};
use crate::inventory::{Inventory, PropertyFile};
use crate::load::{FileKind, SqlFile};
use crate::names::UniqueId;
use crate::node::{ColumnProperties, DocBlock, Exposure, Manifest};
use crate::render::{RenderString, has_jinja, is_late_key, rendered};
use crate::resource::{Described, UnitTest};
use crate::sources;
use crate::suggest::suggestion;
use crate::yaml::{self, Yaml, YamlMap};
use dvt_diagnostic::{Code, Diagnostic, Span};
use indexmap::IndexMap;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Everything declared in properties files, but source tables and groups, which are in the manifest already.
#[derive(Debug, Clone, Default)]
pub struct Properties {
    /// Keyed by package, kind and name; a versioned model by the name of the file that defines the version.
    pub patches: BTreeMap<(String, PatchKind, String), Patch>,
    /// In order of file and place.
    pub tests: Vec<GenericTest>,
    pub exposures: Vec<ExposureDecl>,
    /// `depends_on` names nothing yet: models are not known.
    pub unit_tests: Vec<UnitTest>,
    /// Metrics, semantic models, saved queries; `depends_on` names nothing yet.
    pub described: Vec<Described>,
    /// Snapshots that a `relation` key defines, as files.
    pub yaml_snapshots: Vec<SqlFile>,
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
    Function,
}

/// One entry of `models:`, `seeds:`, … or one version of a model.
#[derive(Debug, Clone)]
pub struct Patch {
    pub package: String,
    pub kind: PatchKind,
    /// The resource's name: for a version the model's, not the file's.
    pub name: String,
    /// The properties file, from its package's root (dbt's patch_path is `<package>://<path>`).
    pub path: String,
    pub span: Span,
    pub description: String,
    pub doc_blocks: Vec<String>,
    pub columns: IndexMap<String, ColumnProperties>,
    /// `config:` with the old top-level keys (`tags`, `meta`, `docs`, …) folded in; for `ConfigTree::resolve`.
    pub config: Map<String, Value>,
    /// The same with templates as written.
    pub unrendered_config: Map<String, Value>,
    pub version: Option<Version>,
    pub deprecation_date: Option<String>,
    /// Model-level constraints in dbt's full form.
    pub constraints: Vec<Value>,
    /// Arguments of macros and functions, what functions return, time spines: as written.
    pub raw: Map<String, Value>,
}

/// One version of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    pub v: Value,
    pub latest: Value,
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
    pub inventory: &'a Inventory,
    pub stems: &'a Stems,
    pub docs: &'a BTreeMap<String, DocBlock>,
    pub configs: &'a ConfigTree,
    pub render: &'a dyn RenderString,
    /// How the default target quotes a name.
    pub quotes: (&'a str, &'a str),
    pub warnings: &'a mut Vec<Diagnostic>,
}

/// Which files there are: package, kind, name.
pub(crate) type Stems = BTreeSet<(String, PatchKind, String)>;

fn stems(inventory: &Inventory) -> Stems {
    let of = |f: &SqlFile| {
        let kind = match f.kind {
            FileKind::Model => PatchKind::Model,
            FileKind::Seed => PatchKind::Seed,
            FileKind::Analysis => PatchKind::Analysis,
            FileKind::SingularTest => PatchKind::Test,
            FileKind::Function => PatchKind::Function,
            FileKind::Snapshot | FileKind::Macro => return None,
        };
        Some((f.package.clone(), kind, f.stem().to_owned()))
    };
    inventory.sql_files.iter().filter_map(of).collect()
}

/// Reads all properties files; source tables and groups go into the manifest.
pub(crate) fn load(
    inventory: &Inventory,
    manifest: &mut Manifest,
    configs: &ConfigTree,
    r: &dyn RenderString,
    quotes: (&str, &str),
    warnings: &mut Vec<Diagnostic>,
) -> Result<Properties, Vec<Diagnostic>> {
    let mut out = Properties::default();
    let mut errors = Vec::new();
    let docs = std::mem::take(&mut manifest.docs);
    let stems = stems(inventory);
    let mut blocks = sources::Connections::default();
    for file in &inventory.property_files {
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
        let mut reader = Reader { file, inventory, stems: &stems, docs: &docs, configs, render: r, quotes, warnings };
        if let Err(e) = reader.file(&document.root, manifest, &mut blocks, &mut out) {
            errors.extend(e);
        }
    }
    manifest.docs = docs;
    at_home(&mut out, &stems);
    errors.extend(duplicate_tests(&out.tests));
    if errors.is_empty() { Ok(out) } else { Err(errors) }
}

/// Properties of a file that another package holds count there, when their own package has no such file.
fn at_home(out: &mut Properties, stems: &Stems) {
    let movable = |k: &PatchKind| matches!(k, PatchKind::Model | PatchKind::Seed);
    let strays: Vec<_> = out.patches.keys().filter(|k| movable(&k.1) && !stems.contains(*k)).cloned().collect();
    for key in strays {
        let mut homes = stems.iter().filter(|s| s.1 == key.1 && s.2 == key.2);
        if let (Some(home), None) = (homes.next(), homes.next())
            && !out.patches.contains_key(home)
            && let Some(patch) = out.patches.remove(&key)
        {
            out.patches.insert(home.clone(), patch);
        }
    }
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

const SECTIONS: [(&str, PatchKind); 8] = [
    ("models", PatchKind::Model),
    ("seeds", PatchKind::Seed),
    ("snapshots", PatchKind::Snapshot),
    ("analyses", PatchKind::Analysis),
    ("macros", PatchKind::Macro),
    ("data_tests", PatchKind::Test),
    ("tests", PatchKind::Test),
    ("functions", PatchKind::Function),
];

/// Sections that are read elsewhere or not by dvt at all.
const OTHER_SECTIONS: [&str; 11] = [
    "version", "sources", "exposures", "groups", "metrics", "semantic_models", "saved_queries", "unit_tests", "anchors", "docs", "selectors",
];

impl Reader<'_> {
    fn file(&mut self, root: &Yaml, manifest: &mut Manifest, blocks: &mut sources::Connections, out: &mut Properties) -> Result<(), Vec<Diagnostic>> {
        let Some(map) = root.as_map() else {
            return Err(vec![self.invalid("a properties file must be a mapping", &root.span)]);
        };
        let known: Vec<&str> = SECTIONS.iter().map(|(s, _)| *s).chain(OTHER_SECTIONS).collect();
        self.unknown_top_level(map, &known);
        let mut errors = Vec::new();
        for (section, kind) in SECTIONS {
            for entry in self.entries(map, section, &mut errors) {
                errors.extend(self.entry(entry, section, kind, out).err());
            }
        }
        for entry in self.entries(map, "sources", &mut errors) {
            errors.extend(sources::read(self, entry, manifest, blocks, out).err());
        }
        for entry in self.entries(map, "groups", &mut errors) {
            errors.extend(self.group(entry, manifest).err());
        }
        for entry in self.entries(map, "exposures", &mut errors) {
            errors.extend(self.exposure(entry, out).err());
        }
        for entry in self.entries(map, "unit_tests", &mut errors) {
            errors.extend(self.unit_test(entry, out).err());
        }
        for entry in self.entries(map, "semantic_models", &mut errors) {
            errors.extend(self.semantic_model(entry, out).err());
        }
        for entry in self.entries(map, "metrics", &mut errors) {
            errors.extend(self.metric(entry, out).err());
        }
        for entry in self.entries(map, "saved_queries", &mut errors) {
            errors.extend(self.saved_query(entry, out).err());
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    fn entries<'y>(&self, map: &'y YamlMap, section: &str, errors: &mut Vec<Diagnostic>) -> &'y [Yaml] {
        match map.get(section) {
            None => &[],
            Some(y) if y.is_null() => &[],
            Some(y) => y.as_list().unwrap_or_else(|| {
                // `tests:` at top level is a project's own key in some files: only `data_tests` must be a list.
                if section != "tests" {
                    errors.push(self.invalid(&format!("`{section}` must be a list"), &y.span).hint("start each entry with `- name:`"));
                }
                &[]
            }),
        }
    }

    pub(crate) fn name(&self, map: &YamlMap, at: &Span, section: &str) -> Result<String, Diagnostic> {
        match map.get("name").map(Yaml::to_json) {
            Some(Value::String(name)) if has_jinja(&name) => {
                let value = self.render.render(&name, at)?;
                Ok(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            }
            Some(Value::String(name)) if !name.is_empty() => Ok(name),
            Some(Value::Number(n)) => Ok(n.to_string()),
            Some(Value::Bool(b)) => {
                let at = map.get("name").map_or(at, |y| &y.span);
                Err(self.invalid(&format!("the name of an entry of `{section}` reads as the truth value {b} in YAML"), at).hint("put the name in quotes"))
            }
            _ => Err(self.invalid(&format!("an entry of `{section}` has no `name`"), at)),
        }
    }

    /// `config:` over the old top-level keys, rendered and as written.
    pub(crate) fn configs_of(&mut self, map: &YamlMap, folded: &[&str]) -> Result<(Map<String, Value>, Map<String, Value>), Diagnostic> {
        let (mut config, mut unrendered) = (Map::new(), Map::new());
        for key in folded {
            if let Some(value) = map.get(key).filter(|y| !y.is_null()) {
                unrendered.insert((*key).to_owned(), value.to_json());
                let value = rendered(value, self.render, &is_late_key)?;
                merge(&mut config, &Map::from_iter([((*key).to_owned(), value)]));
            }
        }
        match map.get("config") {
            None => {}
            Some(y) if y.is_null() => {}
            Some(y) => match (rendered(y, self.render, &is_late_key)?, y.to_json()) {
                (Value::Object(own), Value::Object(raw)) => {
                    merge(&mut config, &own);
                    unrendered.extend(raw);
                }
                _ => return Err(self.invalid("`config` is no mapping", &y.span)),
            },
        }
        Ok((config, unrendered))
    }

    pub(crate) fn config(&mut self, map: &YamlMap, folded: &[&str]) -> Result<Map<String, Value>, Diagnostic> {
        self.configs_of(map, folded).map(|(config, _)| config)
    }

    /// Package, folders and a name.
    pub(crate) fn fqn(&self, name: &str) -> Vec<String> {
        let mut fqn = self.file.fqn.clone();
        fqn.push(name.to_owned());
        fqn
    }

    /// Keys at the top of the file that dbt does not know.
    fn unknown_top_level(&mut self, map: &YamlMap, known: &[&str]) {
        for (key, at, _) in map.iter().filter(|(k, _, _)| !known.contains(k)) {
            let message = format!("unknown key `{key}` in this file; it is ignored");
            self.unknown(message, "CustomTopLevelKeyDeprecation", key, at, known);
        }
    }

    pub(crate) fn unknown_keys(&mut self, map: &YamlMap, known: &[&str], what: &str) {
        for (key, at, _) in map.iter().filter(|(k, _, _)| !known.contains(k)) {
            let message = format!("unknown key `{key}` in {what}; it is ignored");
            self.unknown(message, "CustomKeyInObjectDeprecation", key, at, known);
        }
    }

    fn unknown(&mut self, message: String, event: &str, key: &str, at: &Span, known: &[&str]) {
        let mut warning = Diagnostic::warning(Code::UnknownKey, message).at(at.clone()).event(event);
        warning = match suggestion(key, known) {
            Some(near) => warning.hint(format!("did you mean `{near}`?")),
            None => warning.hint("keys of your own belong below `config: meta:`"),
        };
        self.warnings.push(warning);
    }

    #[expect(clippy::unused_self, reason = "reads as a method beside the others")]
    pub(crate) fn invalid(&self, message: &str, at: &Span) -> Diagnostic {
        Diagnostic::error(Code::PropertyInvalid, message).at(at.clone())
    }

    /// `tests` and `data_tests` of a node, a source table or a column.
    pub(crate) fn tests(&mut self, map: &YamlMap, at: &TestPlace<'_>, out: &mut Properties) -> Result<(), Diagnostic> {
        for entry in ["tests", "data_tests"].iter().filter_map(|k| map.get(k)) {
            let Some(list) = entry.as_list() else {
                if entry.is_null() {
                    continue;
                }
                return Err(self.invalid("tests must be a list", &entry.span));
            };
            for yaml in list {
                let test = crate::generic_test::read(self, yaml, at)?;
                out.tests.push(test);
            }
        }
        Ok(())
    }
}

/// What a list of tests is declared on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TestPlace<'a> {
    pub owner: &'a TestOwner,
    /// Name of the section: `models`, `seeds`, …
    pub section: &'a str,
    pub column: Option<&'a str>,
    pub quote: bool,
    /// Tags that the tests inherit.
    pub tags: &'a [String],
}
