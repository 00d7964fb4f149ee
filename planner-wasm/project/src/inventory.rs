//! Which file is what: every file of every package sorted by the folder it is in.
//!
//! Not here: reading them.

use crate::ignore::Ignored;
use crate::input::ProjectInput;
use crate::load::{FileKind, SqlFile};
use crate::node::DocBlock;
use crate::project_file::Package;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, Default)]
pub(crate) struct Inventory {
    pub sql_files: Vec<SqlFile>,
    pub property_files: Vec<PropertyFile>,
    /// `docs` blocks: `doc.<package>.<name>` to text.
    pub docs: BTreeMap<String, DocBlock>,
    /// Rows of unit tests: package and file stem to the file's extension and text.
    pub fixtures: BTreeMap<(String, String), (String, String)>,
}

#[derive(Debug, Clone)]
pub(crate) struct PropertyFile {
    pub package: String,
    pub path: String,
    pub file: String,
    /// Where in `path` the part below the resource folder starts, in bytes.
    pub below: u32,
    /// Package and folders below the resource path: the start of the fqn of what it declares.
    pub fqn: Vec<String>,
    pub text: String,
}

pub(crate) fn collect(input: &ProjectInput, packages: &[Package]) -> Inventory {
    let mut out = Inventory::default();
    for package in packages {
        let kinds = [
            ("model-paths", FileKind::Model),
            ("seed-paths", FileKind::Seed),
            ("macro-paths", FileKind::Macro),
            ("test-paths", FileKind::SingularTest),
            ("snapshot-paths", FileKind::Snapshot),
            ("analysis-paths", FileKind::Analysis),
            ("function-paths", FileKind::Function),
        ];
        let (files, prefix) = match package.adapter.as_ref().and_then(|a| input.adapter_packages.get(a)) {
            Some(files) => (files, ""),
            None => (&input.files, package.root.as_str()),
        };
        // A nested package's files are its own (`local: ./packages/x` below the project).
        let inner: Vec<&str> =
            packages.iter().filter(|p| p.adapter.is_none() && p.root.len() > prefix.len() && p.root.starts_with(prefix)).map(|p| p.root.as_str()).collect();
        let mut taken: BTreeSet<&str> = BTreeSet::new();
        let ignored = files.get(&format!("{prefix}.dbtignore")).map(|text| Ignored::read(text)).unwrap_or_default();
        for (key, kind) in kinds {
            for folder in package.paths(key) {
                let start = if folder.is_empty() { prefix.to_owned() } else { format!("{prefix}{folder}/") };
                for (file, text) in files.range(start.clone()..).take_while(|(f, _)| f.starts_with(&start)) {
                    if ignored.holds(&file[prefix.len()..]) {
                        continue;
                    }
                    if (package.adapter.is_none() && inner.iter().any(|i| file.starts_with(i))) || !out.takes(package, kind, file, prefix, &start, text, &taken) {
                        continue;
                    }
                    taken.insert(file);
                }
            }
        }
    }
    out
}

impl Inventory {
    #[expect(clippy::too_many_arguments, reason = "one step of a nested loop, with the loop's variables")]
    fn takes(&mut self, package: &Package, kind: FileKind, file: &str, prefix: &str, start: &str, text: &str, taken: &BTreeSet<&str>) -> bool {
        if taken.contains(file) {
            return false;
        }
        let below = &file[start.len()..];
        let Some((stem, extension)) = below.rsplit_once('.') else { return false };
        let mut fqn = vec![package.name.clone()];
        let mut parts: Vec<String> = stem.split('/').map(str::to_owned).collect();
        let path = file[prefix.len()..].to_owned();
        let start = u32::try_from(path.len() - below.len()).unwrap_or_default();
        let shown = if package.adapter.is_some() { format!("{}{path}", package.root) } else { file.to_owned() };
        let fixture = kind == FileKind::SingularTest && below.starts_with("fixtures/");
        match (extension, kind) {
            ("csv" | "sql", FileKind::SingularTest) if fixture => {
                let name = parts.pop().unwrap_or_default();
                self.fixtures.insert((package.name.clone(), name), (extension.to_owned(), text.to_owned()));
            }
            ("yml" | "yaml", _) => {
                parts.pop();
                fqn.extend(parts);
                self.property_files.push(PropertyFile { package: package.name.clone(), path, file: shown, below: start, fqn, text: text.to_owned() });
            }
            ("md", _) => docs_blocks(&package.name, &path, below, text, &mut self.docs),
            ("sql", k) if k != FileKind::Seed => {
                let kind = if k == FileKind::SingularTest && below.starts_with("generic/") { FileKind::Macro } else { k };
                if kind == FileKind::Analysis {
                    fqn.push("analysis".to_owned());
                }
                fqn.extend(parts);
                self.sql_files.push(SqlFile { package: package.name.clone(), path, file: shown, kind, below: start, fqn, text: text.to_owned(), checksum: None });
            }
            ("py", FileKind::Model | FileKind::Function) | ("csv", FileKind::Seed) | ("js", FileKind::Function) => {
                fqn.extend(parts);
                self.sql_files.push(SqlFile { package: package.name.clone(), path, file: shown, kind, below: start, fqn, text: text.to_owned(), checksum: None });
            }
            _ => return false,
        }
        true
    }
}

/// `{% docs name %} … {% enddocs %}` of a Markdown file.
fn docs_blocks(package: &str, file: &str, path: &str, text: &str, docs: &mut BTreeMap<String, DocBlock>) {
    let mut rest = text;
    while let Some(open) = rest.find("{%") {
        rest = &rest[open + 2..];
        let Some(close) = rest.find("%}") else { return };
        let head = rest[..close].trim_matches(['-', ' ', '\n', '\t']);
        let body = &rest[close + 2..];
        let Some(name) = head.strip_prefix("docs").map(str::trim).filter(|n| !n.is_empty()) else {
            rest = body;
            continue;
        };
        let Some(end) = body.find("{% enddocs").or_else(|| body.find("{%- enddocs")).or_else(|| body.find("{%enddocs")) else { return };
        let block = DocBlock { text: body[..end].trim().to_owned(), file: file.to_owned(), path: path.to_owned() };
        docs.insert(format!("doc.{package}.{name}"), block);
        rest = &body[end + 2..];
    }
}
