//! The earlier parse as bytes: an unchanged project is not parsed again.
//!
//! A parse depends on everything in [`ProjectInput`] but the invocation and those environment variables that no file
//! names; equal prints of that mean an equal manifest. Templates that look at flags add the flags to the print.
//! Not here: where the bytes are kept, and reuse of single files: one changed byte means a whole parse.

use crate::engine::{MacroText, global_print};
use dvt_diagnostic::Diagnostic;
use dvt_project::{Config, Manifest, Node, Nodes, ProjectInput};
use serde::de::Deserialize;
use serde::ser::{Serialize, SerializeSeq, Serializer};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Changes whenever the bytes mean something else.
const FORMAT: &str = concat!("dvt parse 3 ", env!("CARGO_PKG_VERSION"));

/// The print and the body's length; the configs stand after the body.
const HEAD: usize = 32 + 8;
/// About what a node takes, in bytes.
const NODE: usize = 640;

/// What an earlier parse left.
pub struct Earlier {
    pub manifest: Manifest,
    pub macro_files: Vec<MacroText>,
    pub warnings: Vec<Diagnostic>,
}

/// What a parse of this input may look at, as one number.
pub fn print(input: &ProjectInput) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    part(FORMAT);
    part(global_print());
    let (mut names, mut any_variable, mut flags) = (BTreeSet::new(), false, false);
    let own = input.files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    let profiles = input.profiles.iter().chain(&input.computes).map(|text| ("", text.as_str()));
    for (path, text) in own.chain(profiles) {
        part(path);
        part(text);
        any_variable |= !variables(text, &mut names);
        flags |= asks_flags(text);
    }
    for (adapter, files) in &input.adapter_packages {
        part(adapter);
        for (path, text) in files {
            part(path);
            part(text);
            any_variable |= !variables(text, &mut names);
        }
    }
    for (name, value) in &input.env {
        if any_variable || names.contains(name.as_str()) {
            part(name);
            part(value);
        }
    }
    part(&json(&input.vars));
    part(&json(&input.adapters));
    part(&json(&(&input.target, &input.profile, &input.compute, input.full_refresh, &input.implicit_compute)));
    // It gives tests a relation.
    part(&json(&input.invocation.flags.get("store_failures")));
    if flags {
        part(&input.invocation.which);
        part(&json(&input.invocation.flags));
    }
    hash.finalize().into()
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Whether a template of the text may look at flags. `flags:` of a project file is no template.
fn asks_flags(text: &str) -> bool {
    let own = text.match_indices("flags").any(|(at, _)| !(text[at + 5..].starts_with(':') && (at == 0 || text[..at].ends_with('\n'))));
    own || ["invocation_args_dict", "should_store_failures"].iter().any(|word| text.contains(word))
}

/// Names that `env_var('…')` calls give; false when one is no literal.
fn variables<'a>(text: &'a str, names: &mut BTreeSet<&'a str>) -> bool {
    let mut literal = true;
    for (at, _) in text.match_indices("env_var") {
        let rest = text[at + 7..].trim_start();
        let Some(inner) = rest.strip_prefix('(').map(str::trim_start) else { continue };
        match inner.chars().next().filter(|c| matches!(c, '\'' | '"')).and_then(|q| inner[1..].split_once(q)) {
            Some((name, _)) => {
                names.insert(name);
            }
            None => literal = false,
        }
    }
    literal
}

/// Configs are kept once each: nodes name them by number.
#[derive(Default)]
struct Table {
    configs: Vec<Config>,
    by_address: BTreeMap<usize, u32>,
}

impl Table {
    fn number(&mut self, config: &Config) -> u32 {
        let address = config.address();
        if let Some(number) = self.by_address.get(&address) {
            return *number;
        }
        let number = u32::try_from(self.configs.len()).unwrap_or(u32::MAX);
        self.configs.push(config.clone());
        self.by_address.insert(address, number);
        number
    }
}

struct Numbered<'a>(&'a Nodes, &'a RefCell<Table>);

impl Serialize for Numbered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_seq(Some(self.0.len()))?;
        for node in self.0.values() {
            let numbers = {
                let mut table = self.1.borrow_mut();
                (table.number(&node.config), table.number(&node.unrendered_config))
            };
            let bare = Node { config: Config::default(), unrendered_config: Config::default(), ..node.clone() };
            out.serialize_element(&(bare, numbers))?;
        }
        out.end()
    }
}

/// The bytes of a parse.
pub fn write(print: &[u8; 32], manifest: &Manifest, macro_files: &[MacroText], warnings: &[Diagnostic]) -> Option<Vec<u8>> {
    let table = RefCell::new(Table::default());
    let warnings: Vec<String> = warnings.iter().filter_map(|w| serde_json::to_string(w).ok()).collect();
    let files: Vec<(&str, &str, &str, bool)> =
        macro_files.iter().filter(|f| !f.built_in).map(|f| (f.package.as_str(), f.path.as_str(), f.file.as_str(), f.internal)).collect();
    let (nodes, disabled) = (Numbered(&manifest.nodes, &table), Numbered(&manifest.disabled, &table));
    // The maps of nodes go apart: what is left is small.
    let rest = manifest.without_nodes();
    let mut out = Vec::with_capacity(NODE * manifest.nodes.len());
    out.extend(print);
    out.extend([0; 8]);
    rmp_serde::encode::write(&mut out, &(nodes, disabled, &rest, files, warnings)).ok()?;
    let body = (out.len() - HEAD) as u64;
    out[print.len()..HEAD].copy_from_slice(&body.to_le_bytes());
    let table = table.into_inner();
    let maps: Vec<&Map<String, Value>> = table.configs.iter().map(|c| &**c).collect();
    rmp_serde::encode::write(&mut out, &maps).ok()?;
    Some(out)
}

type Kept = (Box<Node>, (u32, u32));
type Body = (Vec<Kept>, Vec<Kept>, Manifest, Vec<(String, String, String, bool)>, Vec<String>);

/// The earlier parse, when it was of an equal input; None for any other bytes.
pub fn read(bytes: &[u8], wanted: &[u8; 32], input: &ProjectInput) -> Option<Earlier> {
    let (print, rest) = bytes.split_first_chunk::<32>()?;
    if print != wanted {
        return None;
    }
    let (length, rest) = rest.split_first_chunk::<8>()?;
    let (body, maps) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let configs: Vec<Config> = rmp_serde::from_slice::<Vec<Map<String, Value>>>(maps).ok()?.into_iter().map(Config::from).collect();
    let mut reader = rmp_serde::Deserializer::from_read_ref(body);
    let (nodes, disabled, mut manifest, files, warnings) = Body::deserialize(&mut reader).ok()?;
    let whole = |list: Vec<Kept>| -> Option<Nodes> {
        list.into_iter()
            .map(|(mut node, (config, unrendered))| {
                node.config = configs.get(config as usize)?.clone();
                node.unrendered_config = configs.get(unrendered as usize)?.clone();
                Some(node)
            })
            .collect()
    };
    manifest.nodes = whole(nodes)?;
    manifest.disabled = whole(disabled)?;
    // Flags of this invocation, not of that one.
    manifest.flags = manifest.project.get("flags").and_then(Value::as_object).cloned().unwrap_or_default();
    manifest.flags.extend(input.invocation.flags.clone());
    let macro_files: Option<Vec<MacroText>> = files
        .into_iter()
        .map(|(package, path, file, internal)| {
            let adapter = input.adapter_packages.iter().find_map(|(kind, files)| file.strip_prefix(&format!("adapter:{kind}/")).and_then(|p| files.get(p)));
            let text = adapter.or_else(|| input.files.get(&file))?.clone();
            Some(MacroText { package, path, file, text, internal, built_in: false })
        })
        .collect();
    let warnings = warnings.iter().filter_map(|w| serde_json::from_str(w).ok()).collect();
    Some(Earlier { manifest, macro_files: macro_files?, warnings })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_of_the_project_file_asks_no_flags() {
        assert!(!asks_flags("name: x\nflags:\n  send: false\n"));
        assert!(asks_flags("flags:\n  a: 1\nvars: {b: '{{ flags.WHICH }}'}"));
        assert!(asks_flags("{% set a = {\n'x':\nflags } %}"));
    }

    #[test]
    fn only_variables_that_files_name_count() {
        let mut names = BTreeSet::new();
        assert!(variables("{{ env_var('A') }} {{ env_var( \"B\", 'x') }}", &mut names));
        assert_eq!(names, BTreeSet::from(["A", "B"]));
        assert!(!variables("{{ env_var(name) }}", &mut names));
        let mut input = ProjectInput::default();
        input.files.insert("a.sql".into(), "{{ env_var('A') }}".into());
        let first = print(&input);
        input.env.insert("B".into(), "1".into());
        assert_eq!(print(&input), first);
        input.env.insert("A".into(), "1".into());
        assert_ne!(print(&input), first);
    }
}
