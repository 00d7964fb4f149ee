//! Files under `target/`: manifest, results, compiled and executed SQL, plans.

use crate::node::{Done, moved_json};
use crate::printer::{iso, now};
use crate::project::Project;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_jinja::Compiled;
use dvt_planner::ir::FederatedPlan;
use dvt_project::artifacts::{ArtifactMeta, CompiledNode, ManifestDocument, render_relation, run_results_json, semantic_manifest_json};
use dvt_project::{Node, ResourceType, UniqueId};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Of a file being written, in bytes: a manifest of 60 MB in pieces of 8 KB is mostly system calls.
const BUFFER: usize = 1 << 18;

pub struct Artifacts {
    project: Arc<Project>,
    folder: PathBuf,
    plans: Mutex<BTreeMap<UniqueId, FederatedPlan>>,
}

impl Artifacts {
    pub fn new(project: Arc<Project>) -> Self {
        let folder = project.target_path();
        Self { project, folder, plans: Mutex::default() }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Below `compiled/` or `run/`; what stands with others in one file has a file of its own below that file's name, as in dbt.
    fn place(&self, kind: &str, node: &Node) -> PathBuf {
        let mut path = PathBuf::from(kind).join(&node.package).join(&node.path);
        // As in dbt: a file may hold several snapshots, and a properties file none of its own.
        let of_yaml = path.extension().is_some_and(|e| e == "yml" || e == "yaml");
        if let Some(name) = node.test_file() {
            path = path.join(name);
        } else if node.resource_type == ResourceType::Snapshot {
            path = path.join(format!("{}.sql", node.name));
        } else if of_yaml {
            path = path.join(format!("{}.sql", if node.alias.is_empty() { &node.name } else { &node.alias }));
        } else if node.resource_type == dvt_project::ResourceType::Snapshot {
            path = path.join(format!("{}.sql", node.name));
        }
        path
    }

    fn write(&self, path: &Path, text: &str) -> Result<(), Diagnostic> {
        let failed = |e: std::io::Error| Diagnostic::error(Code::Artifact, format!("{} cannot be written: {e}", path.display()));
        // Emptying a file and filling it again makes a file system wait for the disk: thousands of equal files would be slow.
        if std::fs::read(path).is_ok_and(|earlier| earlier == text.as_bytes()) {
            return Ok(());
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        std::fs::write(path, text).map_err(failed)
    }

    pub fn compiled(&self, node: &Node, compiled: &Compiled) -> Result<CompiledNode, Diagnostic> {
        let place = self.place("compiled", node);
        self.write(&self.folder.join(&place), &compiled.sql)?;
        let shown = self.folder.strip_prefix(&self.project.root).unwrap_or(&self.folder).join(&place);
        Ok(CompiledNode { code: compiled.sql.clone(), path: Some(shown.to_string_lossy().into_owned()), extra_ctes: compiled.extra_ctes.clone() })
    }

    pub fn executed(&self, node: &Node, statements: &[String]) -> Result<(), Diagnostic> {
        if statements.is_empty() {
            return Ok(());
        }
        self.write(&self.folder.join(self.place("run", node)), &format!("{}\n", statements.join(";\n\n")))
    }

    pub fn planned(&self, plan: &FederatedPlan) {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).insert(plan.unique_id.clone(), plan.clone());
    }

    /// Written beside, under a name of its own since two runs of one project may end together, and renamed: a reader sees the old
    /// file or the new one. Nothing of it is held whole.
    fn json(&self, name: &str, value: &impl Serialize) -> Result<(), Diagnostic> {
        let path = self.folder.join(name);
        let failed = |e: String| Diagnostic::error(Code::Artifact, format!("{} cannot be written: {e}", path.display()));
        std::fs::create_dir_all(&self.folder).map_err(|e| failed(e.to_string()))?;
        // `make_in` opens it with the permissions that files here have; a temporary file's own are its owner's alone.
        let part = tempfile::Builder::new()
            .prefix(&format!("{name}."))
            .suffix(".part")
            .make_in(&self.folder, |at| std::fs::File::create_new(at))
            .map_err(|e| failed(e.to_string()))?;
        let mut out = std::io::BufWriter::with_capacity(BUFFER, part);
        serde_json::to_writer(&mut out, value).map_err(|e| failed(e.to_string()))?;
        let part = out.into_inner().map_err(|e| failed(e.to_string()))?;
        part.persist(&path).map(drop).map_err(|e| failed(e.error.to_string()))
    }

    pub fn manifest(&self, compiled: &BTreeMap<UniqueId, CompiledNode>) -> Result<(), Diagnostic> {
        if !self.project.settings.on("write_json") {
            return Ok(());
        }
        let generated_at = iso(now());
        let meta = ArtifactMeta { input: &self.project.input, generated_at: &generated_at };
        self.json("manifest.json", &ManifestDocument { manifest: &self.project.manifest, compiled, meta })?;
        self.json("semantic_manifest.json", &semantic_manifest_json(&self.project.manifest, &self.project.input))
    }

    /// `manifest.json`, `run_results.json` and `dvt_manifest.json` after nodes ran.
    pub fn results(&self, done: &[Done], elapsed: f64) -> Result<(), Diagnostic> {
        let compiled = done.iter().filter_map(|d| Some((d.id.clone(), d.compiled.clone()?))).collect();
        self.manifest(&compiled)?;
        if !self.project.settings.on("write_json") {
            return Ok(());
        }
        let generated_at = iso(now());
        let meta = ArtifactMeta { input: &self.project.input, generated_at: &generated_at };
        let results: Vec<_> = done
            .iter()
            .map(|d| {
                let node = self.project.manifest.nodes.get(&d.id);
                d.result(node, node.and_then(|n| self.relation_name(n)))
            })
            .collect();
        self.json("run_results.json", &run_results_json(&results, elapsed, &self.project.settings.arguments(), meta))?;
        let plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        let moved: BTreeMap<&UniqueId, Value> = done.iter().filter(|d| !d.movements.is_empty()).map(|d| (&d.id, moved_json(&d.movements))).collect();
        let head = json!({"invocation_id": self.project.invocation(), "generated_at": generated_at, "dvt_version": env!("CARGO_PKG_VERSION")});
        self.json("dvt_manifest.json", &json!({"metadata": head, "plans": *plans, "moved": moved}))
    }

    /// `catalog.json` v1 with SPEC D1's keys.
    pub fn catalog(&self, body: serde_json::Map<String, Value>) -> Result<(), Diagnostic> {
        let generated_at = iso(now());
        let meta = ArtifactMeta { input: &self.project.input, generated_at: &generated_at };
        let mut document = serde_json::Map::new();
        document.insert("metadata".to_owned(), Value::Object(meta.head("catalog/v1")));
        document.extend(body);
        self.json("catalog.json", &document)
    }

    pub fn page(&self, name: &str, text: &str) -> Result<(), Diagnostic> {
        self.write(&self.folder.join(name), text)
    }

    /// `sources.json` v3, at `output` or its usual place.
    pub fn sources(&self, results: &[Value], elapsed: f64, output: Option<&Path>) -> Result<(), Diagnostic> {
        let generated_at = iso(now());
        let meta = ArtifactMeta { input: &self.project.input, generated_at: &generated_at };
        let document = json!({"metadata": meta.head("sources/v3"), "results": results, "elapsed_time": elapsed});
        match output {
            Some(path) => self.write(path, &document.to_string()),
            None => self.json("sources.json", &document),
        }
    }

    pub fn relation_name(&self, node: &Node) -> Option<String> {
        let facts = self.project.input.adapters.get(node.adapter.as_str());
        let quoting = node.config.get("quoting").and_then(Value::as_object);
        node.relation.as_ref().map(|r| render_relation(r, facts, quoting))
    }
}
