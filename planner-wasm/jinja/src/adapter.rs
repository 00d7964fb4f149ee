//! `adapter` and `api` in templates.
//!
//! Calls that take a relation go to that relation's connection; text goes to the node's target (SPEC T11).

use crate::column::{Column, ColumnClass};
use crate::compiled::Compiled;
use crate::table::Table;
use crate::errors::{coded, fail};
use crate::macros::{self, MacroValue};
use crate::python::{bind, list, need, need_text, to_json, tuple, type_error};
use crate::relation::{EPHEMERAL_PREFIX, Relation, unmark};
use crate::runtime::{Execute, QueryResult, RelationFacts};
use crate::scope::{Phase, Scope};
use dvt_diagnostic::{Code, Diagnostic};
use dvt_project::{RelationName, RelationRef, TargetName};
use minijinja::value::{Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};
use std::fmt;
use std::sync::Arc;

#[derive(Debug)]
pub struct Adapter(pub Arc<Scope>);

/// `api.Relation`.
#[derive(Debug)]
pub struct RelationClass(pub Arc<Scope>);

/// `api`.
#[derive(Debug)]
pub struct Api(pub Arc<Scope>);

/// What an adapter answers after a statement.
#[derive(Debug)]
pub struct Response(pub QueryResult);

impl Object for Response {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(match key.as_str()? {
            "rows_affected" => self.0.affected.map_or_else(|| Value::from(()), Value::from),
            "code" => Value::from(self.0.message.split(' ').next().unwrap_or_default()),
            "_message" | "message" => Value::from(self.0.message.as_str()),
            _ => return None,
        })
    }
}

pub fn relation_of(value: &Value) -> Result<Relation, Error> {
    value.downcast_object_ref::<Relation>().cloned().ok_or_else(|| type_error(format!("expected a relation, got {}", crate::python::repr(value))))
}

/// The quotes of the product that a target is.
fn quotes(scope: &Scope, target: &TargetName) -> (String, String) {
    scope.adapter_facts(target).map_or_else(|| ("\"".to_owned(), "\"".to_owned()), |f| f.quote.clone())
}

/// The quotes that the node's text is written with: its dialect's when it is compiled, its target's when it runs.
fn written_quotes(scope: &Scope, target: &TargetName) -> (String, String) {
    match scope.dialect_facts() {
        Some(facts) if scope.phase != Phase::Run => facts.quote.clone(),
        _ => quotes(scope, target),
    }
}

fn found(scope: &Scope, target: &TargetName, facts: RelationFacts) -> Value {
    let mut relation = scope.relation(target, facts.name, None, None);
    relation.kind = Some(facts.kind);
    Value::from_object(relation)
}

/// The columns of a query on the node's target.
fn describe(scope: &Scope, sql: &str) -> Result<Vec<Column>, Error> {
    let marks = scope.marks.as_ref().map(|m| m.all()).unwrap_or_default();
    let (sql, uses) = unmark(sql, &marks);
    let reads: Vec<RelationRef> = uses.iter().map(|(n, _)| marks[*n].relation.clone()).collect();
    let Some(runtime) = &scope.runtime else { return Ok(Vec::new()) };
    let target = &scope.node.target;
    let quotes = quotes(scope, target);
    let columns = runtime.describe(target, &sql, &reads).map_err(coded)?;
    Ok(columns.into_iter().map(|c| Column { name: c.name, data_type: c.data_type, quotes: quotes.clone() }).collect())
}

/// Runs text on the node's target; a query that reads relations of other targets is federated (SPEC T11).
pub fn execute(scope: &Scope, sql: &str, auto_begin: bool, fetch: bool, limit: Option<usize>) -> Result<QueryResult, Error> {
    // As in dbt, whatever a template asks of the adapter while it is parsed has an empty answer.
    if scope.phase == Phase::Parse {
        return Ok(QueryResult::default());
    }
    let query = Compiled::of(scope, sql);
    let Some(runtime) = &scope.runtime else {
        return Err(coded(
            Diagnostic::error(Code::NeedsDatabase, "the template runs a query, and no database is connected".to_owned())
                .hint("guard it with `{% if execute %}`, or give recorded answers"),
        ));
    };
    let target = &scope.node.target;
    if let Some(other) = query.relations.iter().find(|u| u.relation.target != *target) {
        if fetch {
            return runtime.federate(&scope.node, &query, limit).map_err(coded);
        }
        let message = format!("a statement for target `{target}` names `{}` of target `{}`", other.relation.name.identifier, other.relation.target);
        return Err(coded(
            Diagnostic::error(Code::SqlRelationUnknown, message).hint("a statement that is no query runs on one target; a query may read several: run_query(), or statement(fetch_result=true)"),
        ));
    }
    if auto_begin {
        scope.begin(target).map_err(coded)?;
    }
    let reads: Vec<RelationRef> = query.relations.iter().map(|u| u.relation.clone()).collect();
    runtime.execute(target, &query.sql, &reads, Execute { fetch, limit }).map_err(coded)
}

impl Adapter {
    fn target(&self) -> &TargetName {
        &self.0.node.target
    }

    fn call_macro(&self, state: &mut State<'_, '_>, name: &str, args: &[Value]) -> Result<Value, Error> {
        let scope = &self.0;
        let entry = scope.macros().find(&scope.node.package, name).ok_or_else(|| fail(Code::MacroNotFound, format!("no macro is named `{name}`")))?;
        macros::call(entry, scope, state.env(), args)
    }

    /// Calls a macro with relations of one target, on that target (SPEC T11): what it does there is committed.
    fn call_there(&self, state: &mut State<'_, '_>, name: &str, relations: &[Relation], more: &[Value]) -> Result<Value, Error> {
        let there = relations.first().map_or_else(|| self.target().clone(), |r| r.target.clone());
        let args = |scope: Option<&Scope>| -> Vec<Value> {
            let written = |r: &Relation| Value::from_object(scope.map_or_else(|| r.clone(), |s| r.written_on(s)));
            relations.iter().map(written).chain(more.iter().cloned()).collect()
        };
        if there == *self.target() {
            return self.call_macro(state, name, &args(None));
        }
        if let Some(other) = relations.iter().find(|r| r.target != there) {
            return Err(fail(Code::SqlRelationUnknown, format!("adapter.{name}() takes relations of one target, not of `{there}` and `{}`", other.target)));
        }
        let own = &self.0;
        let node = crate::engine::operation(own.manifest(), name, &own.node.package, &there);
        let scope = Arc::new(Scope::new(own.shared.clone(), Arc::new(node), Phase::Run, own.runtime.clone()));
        let done = Self(scope.clone()).call_macro(state, name, &args(Some(&scope))).and_then(|v| scope.commit(&there).map_err(coded).map(|()| v));
        scope.rollback_all();
        done
    }

    /// The macro that `<prefix>__<name>` means here, in dbt's order of packages and prefixes.
    fn dispatch(&self, name: &str, namespace: Option<&str>) -> Result<Value, Error> {
        let scope = &self.0;
        if name.contains('.') {
            return Err(fail(Code::MacroNotFound, format!("adapter.dispatch('{name}'): give the package as the second argument, not with a dot")));
        }
        let root = scope.manifest().project_name.clone();
        let packages: Vec<Option<String>> = match namespace {
            None => vec![None],
            Some(n) => match scope.manifest().dispatch.get(n) {
                Some(order) => order.iter().cloned().map(Some).collect(),
                None => vec![Some(root), Some(n.to_owned())],
            },
        };
        let prefixes = scope.prefixes();
        for package in &packages {
            for prefix in &prefixes {
                let wanted = format!("{prefix}__{name}");
                let entry = match package {
                    None => scope.macros().find(&scope.node.package, &wanted),
                    Some(p) => scope.macros().find_in(p, &wanted),
                };
                if let Some(entry) = entry {
                    return Ok(Value::from_object(MacroValue { entry: entry.clone(), scope: scope.clone() }));
                }
            }
        }
        let tried: Vec<String> = packages
            .iter()
            .flat_map(|p| prefixes.iter().map(move |x| p.as_ref().map_or_else(|| format!("{x}__{name}"), |p| format!("{p}.{x}__{name}"))))
            .collect();
        Err(coded(
            Diagnostic::error(Code::MacroNotFound, format!("no macro `{name}` for adapter `{}`", scope.node.adapter)).hint(format!("looked for {}", tried.join(", "))),
        ))
    }

    fn columns(&self, relation: &Relation) -> Result<Vec<Column>, Error> {
        let Some(runtime) = &self.0.runtime else { return Ok(Vec::new()) };
        // What a template makes of columns goes into its own text: other targets' are told in that text's words.
        let own = self.target();
        let foreign = self.0.marks.is_some() && relation.target != *own;
        let quotes = written_quotes(&self.0, if foreign { own } else { &relation.target });
        let columns = match foreign {
            true => runtime.columns_for(&self.0.node, &relation.target, &relation.name),
            false => runtime.columns(&relation.target, &relation.name),
        };
        let columns = columns.map_err(coded)?;
        Ok(columns.into_iter().map(|c| Column { name: c.name, data_type: c.data_type, quotes: quotes.clone() }).collect())
    }

    fn changed(&self, relation: &Relation) {
        if let Some(runtime) = &self.0.runtime {
            runtime.relations_changed(&relation.target);
        }
    }
}

/// As in dbt, what needs a database answers nothing while the project is parsed, whatever it is given.
fn while_parsing(method: &str) -> Option<Value> {
    Some(match method {
        "get_columns_in_relation" | "get_missing_columns" | "get_columns_in_table" | "get_column_schema_from_query" | "list_relations" | "list_relations_without_caching" => list(Vec::new()),
        "already_exists" | "check_schema_exists" => Value::from(false),
        "get_relation" | "load_relation" | "create_schema" | "drop_schema" | "drop_relation" | "truncate_relation" | "rename_relation" | "expand_target_column_types"
        | "add_query" | "run_sql_for_tests" | "valid_snapshot_target" | "assert_valid_snapshot_target_given_strategy" => Value::from(()),
        _ => return None,
    })
}

impl Object for Adapter {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<adapter {}>", self.0.node.adapter)
    }
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        // No flag of dbt's behaviours is set: each is read as false.
        (key.as_str()? == "behavior").then(crate::scope::empty)
    }
    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        let none = || Ok(Value::from(()));
        let scope = &self.0;
        let live = scope.runtime.is_some();
        if scope.phase == Phase::Parse
            && let Some(answer) = while_parsing(method)
        {
            return Ok(answer);
        }
        match method {
            "dispatch" => {
                let [name, namespace, packages] = bind(method, ["macro_name", "macro_namespace", "packages"], args)?;
                let name = need_text(method, "macro_name", name)?;
                let namespace = namespace.or_else(|| packages.and_then(|p| p.try_iter().ok()?.next())).filter(|n| !n.is_none() && !n.is_undefined());
                self.dispatch(&name, namespace.map(|n| n.to_string()).as_deref())
            }
            "type" => Ok(Value::from(scope.node.adapter.as_str())),
            "quote" | "quote_as_configured" => {
                let [identifier, _key] = bind(method, ["identifier", "quote_key"], args)?;
                let (open, close) = written_quotes(scope, self.target());
                let text = need_text(method, "identifier", identifier)?;
                Ok(Value::from(format!("{open}{}{close}", text.replace(close.as_str(), &close.repeat(2)))))
            }
            "dvt_beside" => {
                let [identifier, suffix] = bind(method, ["identifier", "suffix"], args)?;
                let limit = scope.adapter_facts(self.target()).map_or(0, |f| f.name_limit);
                let name = RelationName { identifier: need_text(method, "identifier", identifier)?, ..RelationName::default() };
                Ok(Value::from(name.beside(&need_text(method, "suffix", suffix)?, limit).identifier))
            }
            "quote_seed_column" => {
                let [column, config] = bind(method, ["column", "quote_config"], args)?;
                let text = need_text(method, "column", column)?;
                let (open, close) = quotes(scope, self.target());
                let plain = config.is_some_and(|c| !c.is_none() && !c.is_undefined() && !c.is_true());
                Ok(Value::from(if plain { text } else { format!("{open}{}{close}", text.replace(close.as_str(), &close.repeat(2))) }))
            }
            "get_relation" => {
                let [database, schema, identifier] = bind(method, ["database", "schema", "identifier"], args)?;
                let Some(runtime) = &scope.runtime else { return none() };
                let text = |v: Option<Value>| v.filter(|v| !v.is_none() && !v.is_undefined()).map(|v| v.to_string());
                let target = self.target();
                let name = RelationName { database: text(database), schema: text(schema), identifier: text(identifier).unwrap_or_default() };
                Ok(runtime.get_relation(target, &name).map_err(coded)?.map_or_else(|| Value::from(()), |facts| found(scope, target, facts)))
            }
            "load_relation" | "get_relation_of" => {
                let [relation] = bind(method, ["relation"], args)?;
                let relation = relation_of(&need(method, "relation", relation)?)?;
                let Some(runtime) = &scope.runtime else { return none() };
                Ok(runtime.get_relation(&relation.target, &relation.name).map_err(coded)?.map_or_else(|| Value::from(()), |facts| found(scope, &relation.target, facts)))
            }
            "list_relations" | "list_relations_without_caching" => {
                let [first, schema] = bind(method, ["database", "schema"], args)?;
                let Some(runtime) = &scope.runtime else { return Ok(list(Vec::new())) };
                let (target, database, schema) = match first.as_ref().and_then(|v| v.downcast_object_ref::<Relation>()) {
                    Some(r) => (r.target.clone(), r.name.database.clone(), r.name.schema.clone().unwrap_or_default()),
                    None => {
                        let database = first.filter(|v| !v.is_none()).map(|v| v.to_string());
                        (self.target().clone(), database, need_text(method, "schema", schema)?)
                    }
                };
                let all = runtime.list_relations(&target, database.as_deref(), &schema).map_err(coded)?;
                Ok(list(all.into_iter().map(|f| found(scope, &target, f)).collect()))
            }
            "get_columns_in_relation" => {
                let [relation] = bind(method, ["relation"], args)?;
                let relation = relation_of(&need(method, "relation", relation)?)?;
                Ok(list(self.columns(&relation)?.into_iter().map(Value::from_object).collect()))
            }
            "get_missing_columns" => {
                let [from, to] = bind(method, ["from_relation", "to_relation"], args)?;
                let there = self.columns(&relation_of(&need(method, "to_relation", to)?)?)?;
                let here = self.columns(&relation_of(&need(method, "from_relation", from)?)?)?;
                let missing = here.into_iter().filter(|c| !there.iter().any(|t| t.name.eq_ignore_ascii_case(&c.name)));
                Ok(list(missing.map(Value::from_object).collect()))
            }
            "expand_target_column_types" => {
                let [from, to] = bind(method, ["from_relation", "to_relation"], args)?;
                let from = self.columns(&relation_of(&need(method, "from_relation", from)?)?)?;
                let target = relation_of(&need(method, "to_relation", to)?)?;
                for column in self.columns(&target)? {
                    let wider = from.iter().find(|f| f.name == column.name).cloned();
                    let Some(wider) = wider.filter(|w| Value::from_object(column.clone()).call_method(state, "can_expand_to", &[Value::from_object(w.clone())]).is_ok_and(|v| v.is_true())) else {
                        continue;
                    };
                    let more = [Value::from(column.name.as_str()), Value::from(wider.data_type.as_str())];
                    self.call_there(state, "alter_column_type", std::slice::from_ref(&target), &more)?;
                }
                none()
            }
            "check_schema_exists" => {
                let [database, schema] = bind(method, ["database", "schema"], args)?;
                let answer = self.call_macro(state, "check_schema_exists", &[database.unwrap_or_default(), need(method, "schema", schema)?])?;
                let count = answer.get_item_by_index(0).and_then(|row| row.get_item_by_index(0)).unwrap_or_default();
                Ok(Value::from(count.as_i64().is_some_and(|n| n > 0)))
            }
            "create_schema" | "drop_schema" | "drop_relation" | "truncate_relation" => {
                let [relation] = bind(method, ["relation"], args)?;
                let relation = relation_of(&need(method, "relation", relation)?)?;
                if live {
                    self.call_there(state, method, std::slice::from_ref(&relation), &[])?;
                    self.changed(&relation);
                }
                none()
            }
            "rename_relation" => {
                let [from, to] = bind(method, ["from_relation", "to_relation"], args)?;
                let both = [relation_of(&need(method, "from_relation", from)?)?, relation_of(&need(method, "to_relation", to)?)?];
                if live {
                    self.call_there(state, method, &both, &[])?;
                    self.changed(&both[1]);
                }
                none()
            }
            "execute" | "run_sql" => {
                let [sql, auto_begin, fetch, limit] = bind(method, ["sql", "auto_begin", "fetch", "limit"], args)?;
                let is = |v: &Option<Value>| v.as_ref().is_some_and(Value::is_true);
                let fetched = is(&fetch);
                let result = execute(scope, &need_text(method, "sql", sql)?, is(&auto_begin), fetched, limit.and_then(|l| l.as_usize()))?;
                let table = if fetched { result.clone() } else { QueryResult::default() };
                Ok(tuple(vec![Value::from_object(Response(result)), Value::from_object(Table(Arc::new(table)))]))
            }
            "add_query" => {
                let [sql, auto_begin, _, _] = bind(method, ["sql", "auto_begin", "bindings", "abridge_sql_log"], args)?;
                execute(scope, &need_text(method, "sql", sql)?, auto_begin.is_none_or(|v| v.is_true()), false, None)?;
                none()
            }
            "begin" => {
                if live {
                    scope.begin(self.target()).map_err(coded)?;
                }
                none()
            }
            "commit" | "commit_if_has_connection" => {
                scope.commit(self.target()).map_err(coded)?;
                none()
            }
            "clear_transaction" | "cache_added" | "cache_dropped" | "cache_renamed" | "drop_relation_cache" | "set_relations_cache" => {
                if let Some(runtime) = &scope.runtime {
                    runtime.relations_changed(self.target());
                }
                none()
            }
            "already_exists" => {
                let [schema, identifier] = bind(method, ["schema", "name"], args)?;
                let Some(runtime) = &scope.runtime else { return Ok(Value::from(false)) };
                let name = RelationName { database: None, schema: Some(need_text(method, "schema", schema)?), identifier: need_text(method, "name", identifier)? };
                Ok(Value::from(runtime.get_relation(self.target(), &name).map_err(coded)?.is_some()))
            }
            "get_columns_in_table" => {
                let [schema, identifier] = bind(method, ["schema", "identifier"], args)?;
                let name = RelationName { database: None, schema: Some(need_text(method, "schema", schema)?), identifier: need_text(method, "identifier", identifier)? };
                let relation = scope.relation(self.target(), name, None, None);
                Ok(list(self.columns(&relation)?.into_iter().map(Value::from_object).collect()))
            }
            "run_sql_for_tests" => {
                let [sql, fetch, _connection] = bind(method, ["sql", "fetch", "conn"], args)?;
                let wanted = fetch.filter(|f| !f.is_none()).map(|f| f.to_string());
                let result = execute(scope, &need_text(method, "sql", sql)?, false, wanted.is_some(), None)?;
                let rows = Value::from_object(Table(Arc::new(result))).get_attr("rows")?;
                match wanted.as_deref() {
                    Some("one") => rows.get_item_by_index(0),
                    Some(_) => Ok(rows),
                    None => none(),
                }
            }
            "convert_type" => {
                let [table, column] = bind(method, ["agate_table", "col_idx"], args)?;
                let types = need(method, "agate_table", table)?.get_attr("column_types")?;
                let kind = types.get_item(&need(method, "col_idx", column)?)?.to_string();
                let name = match kind.split('(').next().unwrap_or_default() {
                    "bool" => "type_boolean",
                    "int8" | "int16" | "int32" | "uint8" | "uint16" => "type_int",
                    "int64" | "uint32" | "uint64" => "type_bigint",
                    "decimal" => "type_numeric",
                    "float32" | "float64" => "type_float",
                    "timestamp" | "timestamptz" => "type_timestamp",
                    "date" => return Ok(Value::from("date")),
                    "time" => return Ok(Value::from("time")),
                    _ => "type_string",
                };
                self.call_macro(state, name, &[])
            }
            "get_catalog_integration" | "build_catalog_relation" | "get_partitions_metadata" => Err(crate::exceptions::unavailable(&format!("adapter.{method}()"))),
            "verify_database" => Ok(Value::from("")),
            "valid_incremental_strategies" => Ok(list(["append", "delete+insert", "merge", "microbatch"].map(Value::from).to_vec())),
            "supports" | "is_replaceable" => Ok(Value::from(false)),
            "find_macro" => {
                let [name, package] = bind(method, ["name", "package"], args)?;
                let name = need_text(method, "name", name)?;
                let package = package.filter(|p| !p.is_none() && !p.is_undefined()).map(|p| p.to_string());
                let found = match &package {
                    Some(p) => scope.macros().find_in(p, &name),
                    None => scope.macros().find(&scope.node.package, &name),
                };
                let entry = found.ok_or_else(|| match &package {
                    Some(p) => fail(Code::MacroNotFound, format!("package `{p}` has no macro `{name}`")),
                    None => fail(Code::MacroNotFound, format!("no macro is named `{name}`")),
                })?;
                Ok(Value::from_object(MacroValue { entry: entry.clone(), scope: scope.clone() }))
            }
            "get_column_schema_from_query" => {
                let [sql] = bind(method, ["sql"], args)?;
                let columns = describe(scope, &need_text(method, "sql", sql)?)?;
                Ok(list(columns.into_iter().map(Value::from_object).collect()))
            }
            "get_incremental_strategy_macro" => {
                let [_context, strategy] = bind(method, ["model_context", "strategy"], args)?;
                let strategy = need_text(method, "strategy", strategy)?.replace('+', "_");
                let name = format!("get_incremental_{strategy}_sql");
                match scope.macros().find(&scope.node.package, &name) {
                    Some(entry) => Ok(Value::from_object(MacroValue { entry: entry.clone(), scope: scope.clone() })),
                    None => Err(coded(
                        Diagnostic::error(Code::ConfigInvalid, format!("`{strategy}` is no incremental strategy: no macro `{name}` exists"))
                            .hint("known strategies: append, delete+insert, merge, microbatch, and those that a macro get_incremental_<name>_sql gives"),
                    )),
                }
            }
            // Methods that adapters add in dbt are macros here: `adapter.x(…)` calls `adapter_x` of the adapter's package.
            other => {
                let name = format!("adapter_{other}");
                match scope.macros().find(&scope.node.package, &name) {
                    Some(entry) => macros::call(entry, scope, state.env(), args),
                    None => Err(Error::new(ErrorKind::UnknownMethod, format!("adapter `{}` has no method '{method}'", scope.node.adapter))),
                }
            }
        }
    }
}

impl Object for Api {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "Relation" => Some(Value::from_object(RelationClass(self.0.clone()))),
            "Column" => Some(Value::from_object(ColumnClass { quotes: written_quotes(&self.0, &self.0.node.target) })),
            _ => None,
        }
    }
}

impl Object for RelationClass {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        matches!(key.as_str()?, "Table" | "View" | "CTE" | "MaterializedView" | "External").then(|| {
            Value::from(match key.as_str() {
                Some("Table") => "table",
                Some("View") => "view",
                Some("CTE") => "cte",
                Some("MaterializedView") => "materialized_view",
                _ => "external",
            })
        })
    }
    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        let scope = &self.0;
        match method {
            "create" => {
                let [database, schema, identifier, kind, quote, connection] = bind(method, ["database", "schema", "identifier", "type", "quote_policy", "connection"], args)?;
                let text = |v: Option<Value>| v.filter(|v| !v.is_none() && !v.is_undefined()).map(|v| v.to_string());
                let target = text(connection).map_or_else(|| scope.node.target.clone(), TargetName::new);
                if !scope.manifest().targets.contains_key(&target) {
                    return Err(coded(dvt_project::paths::unknown_target(scope.manifest(), &target)));
                }
                let quoting = quote.as_ref().map(to_json);
                let name = RelationName { database: text(database), schema: text(schema), identifier: text(identifier).unwrap_or_default() };
                let mut relation = scope.relation(&target, name, None, quoting.as_ref().and_then(|q| q.as_object()));
                relation.kind = text(kind);
                if scope.phase == Phase::Parse {
                    relation.marks = None;
                }
                Ok(Value::from_object(relation))
            }
            "add_ephemeral_prefix" => {
                let [name] = bind(method, ["name"], args)?;
                Ok(Value::from(format!("{EPHEMERAL_PREFIX}{}", need_text(method, "name", name)?)))
            }
            "get_default_quote_policy" | "get_default_include_policy" => Value::from_object(scope.relation(&scope.node.target, RelationName::default(), None, None)).get_attr("quote_policy"),
            _ => Err(Error::new(ErrorKind::UnknownMethod, format!("api.Relation has no attribute '{method}'"))),
        }
    }
}
