//! dbt's `query-comment`: what a statement says of who sent it.
//!
//! Not here: putting it on statements, which the host does.

use crate::engine::{Engine, operation, render_text};
use crate::python::filters::dumps;
use crate::python::from_json;
use crate::scope::Phase;
use dvt_diagnostic::{Code, Diagnostic, Span};
use dvt_project::{Node, TargetName, UniqueId};
use minijinja::Value;
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// Who sends a statement.
#[derive(Debug, Clone, Copy)]
pub enum Asking<'a> {
    /// A node, a hook or a source, by its id.
    Node(&'a UniqueId),
    /// What is no node's: the name that dbt gives the connection.
    Connection(&'a str),
}

impl Engine {
    /// The comment that dbt's `query-comment` puts on the statements of what asks; true where it stands behind them.
    /// None where the project wants none.
    pub fn query_comment(&self, asking: Asking<'_>, target: &TargetName) -> Result<Option<(String, bool)>, Diagnostic> {
        let manifest = &self.shared.manifest;
        let (text, behind) = match manifest.project.get("query-comment") {
            None => (None, false),
            Some(Json::String(text)) => (Some(text.as_str()), false),
            Some(Json::Object(map)) if !map.is_empty() => (map.get("comment").map(|c| c.as_str().unwrap_or_default()), map.get("append").and_then(Json::as_bool) == Some(true)),
            Some(_) => return Ok(None),
        };
        let text = match text {
            Some(text) => {
                let (node, connection) = match asking {
                    Asking::Node(id) => (manifest.nodes.get(id).cloned().unwrap_or_else(|| Node { unique_id: id.clone(), ..operation(manifest, id.as_str(), &manifest.project_name, target) }), id.as_str()),
                    Asking::Connection(name) => (operation(manifest, name, &manifest.project_name, target), name),
                };
                let scope = self.scope(Arc::new(node), Phase::Run, None);
                scope.set_extra("connection_name", Value::from(connection));
                if let Asking::Connection(_) = asking {
                    scope.set_extra("node", Value::from(()));
                }
                render_text(&scope, text, "dbt_project.yml")?
            }
            None => {
                let (key, about) = match asking {
                    Asking::Node(id) => ("node_id", id.as_str()),
                    Asking::Connection(name) => ("connection_name", name),
                };
                let said = json!({"app": "dbt", "dbt_version": crate::context::DBT_VERSION, "profile_name": manifest.profile_name, "target_name": target, key: about});
                dumps(&from_json(&said), None, false)
            }
        };
        if text.contains("*/") {
            return Err(Diagnostic::error(Code::ConfigInvalid, "query-comment holds `*/`, which would end it").at(Span::file("dbt_project.yml")));
        }
        Ok(Some(text.trim()).filter(|t| !t.is_empty()).map(|t| (format!("/* {t} */"), behind)))
    }
}
