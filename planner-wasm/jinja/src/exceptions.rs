//! `exceptions.*`: what a project raises or warns of, in its own words and with its own names.

use crate::errors::{coded, fail};
use crate::python::{bind, repr};
use crate::relation::clean;
use crate::scope::{Phase, Scope};
use dvt_diagnostic::{Code, Diagnostic};
use minijinja::value::{Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};
use std::sync::Arc;

#[derive(Debug)]
pub struct Exceptions(pub Arc<Scope>);

/// A node, relation or name as a message shows it.
fn named(value: Option<&Value>) -> String {
    let Some(value) = value.filter(|v| !v.is_undefined() && !v.is_none()) else { return "?".to_owned() };
    let id = value.get_attr("unique_id").ok().filter(|v| !v.is_undefined());
    clean(&id.unwrap_or_else(|| value.clone()).to_string())
}

impl Exceptions {
    /// A warning of the template: while the project is read it is one of the project's, later the runtime's.
    fn warn(&self, message: &str) -> Result<Value, Error> {
        match &self.0.runtime {
            Some(runtime) => runtime.warn(message).map_err(coded)?,
            None if self.0.phase == Phase::Parse => {
                let mut captures = self.0.captures();
                if !captures.warnings.iter().any(|known| known == message) {
                    captures.warnings.push(message.to_owned());
                }
            }
            None => {}
        }
        Ok(Value::from(""))
    }

    /// The code, the sentence and the hint of a function that raises.
    fn raised(&self, method: &str, args: &[Value]) -> Result<Diagnostic, Error> {
        let node = &self.0.node.name;
        let [a, b, c] = match method {
            "raise_compiler_error" | "raise_database_error" | "raise_fail_fast_error" => bind(method, ["msg", "node", "_"], args)?,
            "raise_dependency_error" | "raise_not_implemented" | "raise_parsing_error" => bind(method, ["msg", "_", "_"], args)?,
            "raise_cache_inconsistent" => bind(method, ["message", "_", "_"], args)?,
            "missing_config" => bind(method, ["model", "name", "_"], args)?,
            "missing_materialization" => bind(method, ["model", "adapter_type", "_"], args)?,
            "missing_relation" => bind(method, ["relation", "model", "_"], args)?,
            "relation_wrong_type" => bind(method, ["relation", "expected_type", "model"], args)?,
            "column_type_missing" => bind(method, ["column_names", "_", "_"], args)?,
            "raise_contract_error" => bind(method, ["yaml_columns", "sql_columns", "_"], args)?,
            "raise_ambiguous_alias" => bind(method, ["node_1", "node_2", "duped_name"], args)?,
            "raise_ambiguous_catalog_match" => bind(method, ["unique_id", "match_1", "match_2"], args)?,
            "raise_dep_not_found" => bind(method, ["node", "node_description", "required_pkg"], args)?,
            "raise_duplicate_patch_name" => bind(method, ["patch_1", "existing_patch_path", "_"], args)?,
            "raise_duplicate_resource_name" => bind(method, ["node_1", "node_2", "_"], args)?,
            "raise_invalid_property_yml_version" => bind(method, ["path", "issue", "_"], args)?,
            "raise_dataclass_not_dict" => bind(method, ["obj", "_", "_"], args)?,
            other => return Err(Error::new(ErrorKind::UnknownMethod, format!("exceptions has no attribute '{other}'"))),
        };
        let text = clean(&a.clone().unwrap_or_default().to_string());
        let (first, second, third) = (named(a.as_ref()), named(b.as_ref()), named(c.as_ref()));
        Ok(match method {
            "missing_config" => Diagnostic::error(Code::ConfigInvalid, format!("`{first}` does not set the config `{second}`, which it needs")),
            "missing_materialization" => Diagnostic::error(Code::MaterializationUnsupported, format!("no materialization of `{first}` exists for adapter `{second}`")),
            "missing_relation" => Diagnostic::error(Code::RelationMissing, format!("relation {first} of `{node}` does not exist")),
            "relation_wrong_type" => {
                let found = a.as_ref().and_then(|r| r.get_attr("type").ok()).filter(|t| !t.is_none() && !t.is_undefined());
                let found = found.map_or_else(|| "something else".to_owned(), |t| format!("a {t}"));
                Diagnostic::error(Code::CompilerRaised, format!("{first} is {found}; `{node}` needs a {second} there"))
                    .hint("drop or rename it, or run with --full-refresh")
            }
            "column_type_missing" => {
                let names = a.map(|v| v.try_iter().map_or_else(|_| v.to_string(), |all| all.map(|n| n.to_string()).collect::<Vec<_>>().join(", ")));
                Diagnostic::error(Code::ConfigInvalid, format!("the contract of `{node}` gives no data_type for {}", names.unwrap_or_default()))
            }
            "raise_contract_error" => crate::contract::mismatch(&self.0.node, &a.unwrap_or_default(), &b.unwrap_or_default()),
            "raise_ambiguous_alias" => Diagnostic::error(Code::DuplicateResource, format!("`{first}` and `{second}` have the same name in the database: {third}")),
            "raise_ambiguous_catalog_match" => Diagnostic::error(Code::DuplicateResource, format!("`{first}` is in the catalog twice: {second} and {third}")),
            "raise_dep_not_found" => Diagnostic::error(Code::PackageInvalid, format!("`{first}` needs the package {third} for {second}")).hint("add it to packages.yml and run `dvt deps`"),
            "raise_duplicate_patch_name" => Diagnostic::error(Code::DuplicateResource, format!("`{first}` has properties twice, also in {second}")),
            "raise_duplicate_resource_name" => Diagnostic::error(Code::DuplicateResource, format!("`{first}` and `{second}` have the same name")),
            "raise_invalid_property_yml_version" => Diagnostic::error(Code::PropertyInvalid, format!("{first}: {second}")),
            "raise_dataclass_not_dict" => Diagnostic::error(Code::CompilerRaised, format!("{} is a mapping and should not be", repr(&a.unwrap_or_default()))),
            "raise_not_implemented" => Diagnostic::error(Code::CompilerRaised, format!("not implemented: {text}")),
            "raise_dependency_error" => Diagnostic::error(Code::PackageInvalid, text),
            "raise_database_error" => Diagnostic::error(Code::DatabaseError, text),
            _ => Diagnostic::error(Code::CompilerRaised, text),
        })
    }
}

impl Object for Exceptions {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        match method {
            "warn" => {
                let [message, _node] = bind(method, ["msg", "node"], args)?;
                self.warn(&clean(&message.unwrap_or_default().to_string()))
            }
            "warn_snapshot_timestamp_data_types" => {
                let [at, updated] = bind(method, ["snapshot_time_data_type", "updated_at_data_type"], args)?;
                let what = format!("the snapshot's times are {}, those of updated_at {}", at.unwrap_or_default(), updated.unwrap_or_default());
                self.warn(&format!("{what}; they may not be comparable"))
            }
            _ => Err(coded(self.raised(method, args)?)),
        }
    }
}

/// The error of something that no template of dvt can do.
pub fn unavailable(what: &str) -> Error {
    fail(Code::MaterializationUnsupported, format!("{what} is not available in dvt"))
}
