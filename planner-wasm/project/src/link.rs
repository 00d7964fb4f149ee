//! What names models and metrics without being a node: unit tests, semantic models, metrics, saved queries; groups,
//! access and primary keys, which need all nodes.
//!
//! Not here: refs of nodes (the Jinja crate), which is why looking a name up is an argument.

use crate::artifacts::render_relation;
use crate::input::ProjectInput;
use crate::names::UniqueId;
use crate::node::{Manifest, Node, RefCall, ResourceType, version_text};
use crate::resource::{Described, DescribedType, UnitTest};
use crate::static_call::{StaticCall, static_call};
use crate::suggest::suggestion;
use dvt_diagnostic::{Code, Diagnostic, Span};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Looks a `ref` of a package up.
pub type FindRef<'a> = &'a dyn Fn(&Manifest, &str, &RefCall) -> Result<UniqueId, Diagnostic>;

/// Puts unit tests, metrics, semantic models and saved queries into the manifest with what they depend on.
pub fn link(manifest: &mut Manifest, unit_tests: &[UnitTest], described: &[Described], find: FindRef<'_>, errors: &mut Vec<Diagnostic>) {
    let mut models: BTreeMap<String, Vec<UniqueId>> = BTreeMap::new();
    for node in manifest.nodes.values().filter(|n| !unit_tests.is_empty() && n.resource_type == ResourceType::Model) {
        models.entry(node.name.clone()).or_default().push(node.unique_id.clone());
    }
    for test in unit_tests {
        if let Err(e) = unit_test(manifest, &models, test, errors) {
            errors.push(e);
        }
    }
    for one in described {
        let maps = [&manifest.metrics, &manifest.semantic_models, &manifest.saved_queries];
        if let Some(first) = maps.iter().find_map(|m| m.get(&one.unique_id)) {
            let message = format!("two resources are named `{}`", one.name);
            let hint = format!("the other one is in {}, line {}", first.span.file, first.span.line);
            errors.push(Diagnostic::error(Code::DuplicateResource, message).at(one.span.clone()).hint(hint));
            continue;
        }
        let mut one = one.clone();
        if one.config.get("enabled").and_then(Value::as_bool) == Some(false) {
            manifest.disabled_described.insert(one.unique_id.clone(), one);
            continue;
        }
        if one.kind == DescribedType::SemanticModel {
            semantic_model(manifest, &mut one, find, errors);
        }
        let map = match one.kind {
            DescribedType::Metric => &mut manifest.metrics,
            DescribedType::SemanticModel => &mut manifest.semantic_models,
            DescribedType::SavedQuery => &mut manifest.saved_queries,
        };
        map.insert(one.unique_id.clone(), one);
    }
    metrics(manifest, errors);
    saved_queries(manifest, errors);
}

fn all_described(manifest: &Manifest) -> impl Iterator<Item = &Described> {
    manifest.metrics.values().chain(manifest.semantic_models.values()).chain(manifest.saved_queries.values())
}

/// A model's own name, or one of the versions' with `name.v1` and `name v1` as dbt also takes it.
fn tested<'a>(manifest: &'a Manifest, models: &BTreeMap<String, Vec<UniqueId>>, test: &UnitTest) -> Vec<&'a Node> {
    let (name, version) = test.model.split_once(' ').map_or((test.model.as_str(), None), |(n, v)| (n, Some(v.trim())));
    let fits = |n: &&Node| version.is_none_or(|v| n.facts().version.as_ref().is_some_and(|x| version_text(x) == v.trim_start_matches('v')));
    let named: Vec<&Node> = models.get(name).into_iter().flatten().filter_map(|id| manifest.nodes.get(id)).filter(fits).collect();
    let own: Vec<&Node> = named.iter().copied().filter(|n| n.package == test.package).collect();
    if own.is_empty() { named } else { own }
}

/// `models` are the models' ids by name.
fn unit_test(manifest: &mut Manifest, models: &BTreeMap<String, Vec<UniqueId>>, test: &UnitTest, errors: &mut Vec<Diagnostic>) -> Result<(), Diagnostic> {
    let disable = |manifest: &mut Manifest| {
        let mut test = test.clone();
        test.config.insert("enabled".to_owned(), json!(false));
        manifest.disabled_unit_tests.insert(test.unique_id.clone(), test);
    };
    let models = tested(manifest, models, test);
    let Some(first) = models.first() else {
        let disabled = manifest.disabled.values().any(|n| n.name == test.model);
        if disabled || test.config.get("enabled").and_then(Value::as_bool) == Some(false) {
            disable(manifest);
            return Ok(());
        }
        let known: Vec<&str> = manifest.nodes.values().filter(|n| n.resource_type == ResourceType::Model).map(|n| n.name.as_str()).collect();
        let error = Diagnostic::error(Code::RefNotFound, format!("unit test `{}` tests the model `{}`, which no file defines", test.name, test.model))
            .at(test.span.clone());
        return Err(match suggestion(&test.model, &known) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error,
        });
    };
    if test.config.get("enabled").and_then(Value::as_bool) == Some(false) {
        disable(manifest);
        return Ok(());
    }
    errors.extend(incremental(first, test).err());
    let versioned = first.facts().version.is_some();
    let listed = |key: &str| test.versions.as_ref().and_then(|v| v.get(key)).and_then(Value::as_array).filter(|l| !l.is_empty()).cloned();
    let (include, exclude) = (listed("include"), listed("exclude"));
    if !versioned && (include.is_some() || exclude.is_some()) {
        let message = format!("unit test `{}` names versions of `{}`, which has none", test.name, test.model);
        return Err(Diagnostic::error(Code::PropertyInvalid, message).at(test.span.clone()));
    }
    let mut found = Vec::new();
    for model in models {
        let version = model.facts().version.clone();
        let chosen = version.as_ref().is_none_or(|v| include.as_ref().is_none_or(|i| i.contains(v)) && exclude.as_ref().is_none_or(|e| !e.contains(v)));
        if !chosen {
            continue;
        }
        let mut made = test.clone();
        if let Some(version) = &version {
            made.unique_id = UniqueId::new(format!("unit_test.{}.{}.{}_v{}", test.package, test.model, test.name, version_text(version)));
        }
        made.depends_on.nodes = vec![model.unique_id.clone()];
        made.schema = model.relation.as_ref().and_then(|r| r.schema.clone());
        made.version = version;
        found.push(made);
    }
    if found.is_empty() {
        let message = format!("unit test `{}` names versions of `{}` that do not exist", test.name, test.model);
        return Err(Diagnostic::error(Code::PropertyInvalid, message).at(test.span.clone()));
    }
    for made in found {
        if let Some(first) = manifest.unit_tests.insert(made.unique_id.clone(), made) {
            return Err(Diagnostic::error(Code::DuplicateResource, format!("two unit tests of `{}` are named `{}`", test.model, test.name))
                .at(test.span.clone())
                .hint(format!("the other one is in {}, line {}", first.span.file, first.span.line)));
        }
    }
    Ok(())
}

/// A model that asks `is_incremental()` needs the answer, and `this` when the answer is yes.
fn incremental(model: &Node, test: &UnitTest) -> Result<(), Diagnostic> {
    if !model.depends_on.macros.iter().any(|m| m == "macro.dbt.is_incremental") {
        return Ok(());
    }
    let answer = test.overrides.as_ref().and_then(|o| o.macros.get("is_incremental")).and_then(Value::as_bool);
    let wrong = |message: String, hint: &str| Err(Diagnostic::error(Code::PropertyInvalid, message).at(test.span.clone()).hint(hint.to_owned()));
    match answer {
        None => wrong(
            format!("unit test `{}` must say what is_incremental() is in `{}`", test.name, test.model),
            "add `overrides: {macros: {is_incremental: false}}`",
        ),
        Some(true) if !test.given.iter().any(|g| g.input.trim() == "this") => {
            wrong(format!("unit test `{}` of the incremental model `{}` has no rows for `this`", test.name, test.model), "add `- input: this` to `given`")
        }
        Some(_) => Ok(()),
    }
}

fn semantic_model(manifest: &Manifest, one: &mut Described, find: FindRef<'_>, errors: &mut Vec<Diagnostic>) {
    let call = one.body.get("model").and_then(Value::as_str).and_then(static_call);
    let Some(StaticCall::Ref(call)) = call else {
        let message = format!("`model` of semantic model `{}` is no ref('…')", one.name);
        errors.push(Diagnostic::error(Code::PropertyInvalid, message).at(one.span.clone()));
        return;
    };
    match find(manifest, &one.package, &call) {
        Ok(id) => one.depends_on.nodes.push(id),
        Err(e) => errors.push(e.at(one.span.clone())),
    }
    one.refs.push(call);
}

/// `depends_on` and `input_measures` of metrics, through the metrics that they read.
fn metrics(manifest: &mut Manifest, errors: &mut Vec<Diagnostic>) {
    let mut measures: BTreeMap<String, UniqueId> = BTreeMap::new();
    for model in manifest.semantic_models.values() {
        for m in model.body.get("measures").and_then(Value::as_array).into_iter().flatten() {
            measures.insert(m["name"].as_str().unwrap_or_default().to_owned(), model.unique_id.clone());
        }
    }
    let by_name: BTreeMap<String, UniqueId> = manifest.metrics.values().map(|m| (m.name.clone(), m.unique_id.clone())).collect();
    let ids: Vec<UniqueId> = manifest.metrics.keys().cloned().collect();
    for id in &ids {
        let mut inputs: Vec<Value> = Vec::new();
        let mut above = BTreeSet::new();
        collect(manifest, id, &by_name, &mut inputs, &mut above);
        let Some(metric) = manifest.metrics.get(id) else { continue };
        let params = metric.body.get("type_params").cloned().unwrap_or_default();
        let mut nodes: Vec<UniqueId> = Vec::new();
        let mut wrong = None;
        for measure in own_measures(&params) {
            let name = measure["name"].as_str().unwrap_or_default();
            match measures.get(name) {
                Some(model) if !nodes.contains(model) => nodes.push(model.clone()),
                Some(_) => {}
                None => wrong = Some(not_there("measure", name, &metric.name, &measures.keys().map(String::as_str).collect::<Vec<_>>(), &metric.span)),
            }
        }
        for name in own_metrics(&params) {
            match by_name.get(&name) {
                Some(other) if !nodes.contains(other) => nodes.push(other.clone()),
                Some(_) => {}
                None => wrong = Some(not_there("metric", &name, &metric.name, &by_name.keys().map(String::as_str).collect::<Vec<_>>(), &metric.span)),
            }
        }
        if let Some(model) = params["metric_aggregation_params"]["semantic_model"].as_str() {
            nodes.extend(manifest.semantic_models.values().filter(|m| m.name == model).map(|m| m.unique_id.clone()));
        }
        errors.extend(wrong);
        if let Some(metric) = manifest.metrics.get_mut(id) {
            metric.depends_on.nodes = nodes;
            if let Some(params) = metric.body.get_mut("type_params") {
                params["input_measures"] = Value::Array(inputs);
            }
        }
    }
}

fn collect(manifest: &Manifest, id: &UniqueId, by_name: &BTreeMap<String, UniqueId>, inputs: &mut Vec<Value>, seen: &mut BTreeSet<UniqueId>) {
    if !seen.insert(id.clone()) {
        return;
    }
    let Some(metric) = manifest.metrics.get(id) else { return };
    let params = metric.body.get("type_params").cloned().unwrap_or_default();
    for measure in own_measures(&params) {
        if !inputs.contains(&measure) {
            inputs.push(measure);
        }
    }
    for name in own_metrics(&params) {
        if let Some(other) = by_name.get(&name) {
            collect(manifest, other, by_name, inputs, seen);
        }
    }
}

fn own_measures(params: &Value) -> Vec<Value> {
    let conversion = &params["conversion_type_params"];
    [&params["measure"], &conversion["base_measure"], &conversion["conversion_measure"]].into_iter().filter(|m| m.is_object()).cloned().collect()
}

fn own_metrics(params: &Value) -> Vec<String> {
    let conversion = &params["conversion_type_params"];
    let single = [
        &params["numerator"], &params["denominator"], &conversion["base_metric"], &conversion["conversion_metric"],
        &params["cumulative_type_params"]["metric"],
    ];
    let listed = params["metrics"].as_array().into_iter().flatten();
    single.into_iter().chain(listed).filter_map(|m| m["name"].as_str().map(str::to_owned)).collect()
}

fn not_there(what: &str, name: &str, user: &str, known: &[&str], at: &Span) -> Diagnostic {
    let error = Diagnostic::error(Code::RefNotFound, format!("`{user}` reads the {what} `{name}`, which is not there")).at(at.clone());
    match suggestion(name, known) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error,
    }
}

fn saved_queries(manifest: &mut Manifest, errors: &mut Vec<Diagnostic>) {
    let by_name: BTreeMap<&str, &UniqueId> = manifest.metrics.values().map(|m| (m.name.as_str(), &m.unique_id)).collect();
    for query in manifest.saved_queries.values_mut() {
        let names = query.body.get("query_params").and_then(|p| p.get("metrics")).and_then(Value::as_array).cloned().unwrap_or_default();
        for name in names.iter().filter_map(Value::as_str) {
            match by_name.get(name) {
                Some(id) => query.depends_on.nodes.push((*id).clone()),
                None => errors.push(not_there("metric", name, &query.name, &by_name.keys().copied().collect::<Vec<_>>(), &query.span)),
            }
        }
    }
}

/// Where the models of semantic models and exports of saved queries stand, once relations have names.
pub fn relate(manifest: &mut Manifest, input: &ProjectInput) {
    let mut models = std::mem::take(&mut manifest.semantic_models);
    for model in models.values_mut() {
        let Some(node) = model.depends_on.nodes.first().and_then(|id| manifest.nodes.get(id)) else { continue };
        let name = node.relation.clone().unwrap_or_default();
        let facts = input.adapters.get(node.adapter.as_str());
        let shown = node.relation.as_ref().map(|r| render_relation(r, facts, node.config.get("quoting").and_then(Value::as_object)));
        let relation = json!({"alias": node.alias, "schema_name": name.schema, "database": name.database, "relation_name": shown});
        model.body.insert("node_relation".to_owned(), relation);
    }
    manifest.semantic_models = models;
    let target = manifest.targets.get(&manifest.default_target).cloned();
    for query in manifest.saved_queries.values_mut() {
        for export in query.body.get_mut("exports").and_then(Value::as_array_mut).into_iter().flatten() {
            let name = export["name"].clone();
            let config = &mut export["config"];
            if config["database"].is_null() {
                config["database"] = json!(target.as_ref().and_then(|t| t.database.clone()));
            }
            if config["schema_name"].is_null() {
                config["schema_name"] = json!(target.as_ref().map(|t| t.schema.clone()));
            }
            if config["alias"].is_null() {
                config["alias"] = name;
            }
        }
    }
    let schemas: Vec<(UniqueId, Option<String>)> = manifest
        .unit_tests
        .values()
        .map(|t| {
            let node = t.depends_on.nodes.first().and_then(|id| manifest.nodes.get(id));
            let target = node.and_then(|n| manifest.targets.get(&n.target));
            let schema = node.and_then(|n| n.relation.as_ref()).and_then(|r| r.schema.clone()).or_else(|| target.map(|t| t.schema.clone()));
            (t.unique_id.clone(), schema)
        })
        .collect();
    for (id, schema) in schemas {
        if let Some(test) = manifest.unit_tests.get_mut(&id) {
            test.schema = schema;
        }
    }
}

/// Groups that do not exist, and refs to models that are private to a group or to a package; `restricted` packages have
/// `restrict-access`.
pub fn check_access(manifest: &Manifest, restricted: &BTreeSet<String>) -> Vec<Diagnostic> {
    let names: BTreeSet<&str> = manifest.groups.values().map(|g| g.name.as_str()).collect();
    let mut errors = Vec::new();
    let groups = manifest.nodes.values().filter(|n| n.resource_type != ResourceType::Test).filter(|n| n.group().is_some_and(|g| !names.contains(g))).map(|n| (&n.name, n.group(), n.place_of("group")));
    let described = all_described(manifest).map(|d| (&d.name, d.group(), d.span.clone()));
    for (name, group, span) in groups.chain(described) {
        if let Some(group) = group.filter(|g| !names.contains(g)) {
            let error = Diagnostic::error(Code::PropertyInvalid, format!("group `{group}` of `{name}` is not defined")).at(span);
            let known: Vec<&str> = names.iter().copied().collect();
            errors.push(match suggestion(group, &known) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint(format!("add it to `groups:` of a properties file; known: {}", known.join(", "))),
            });
        }
    }
    for node in manifest.nodes.values().chain(manifest.operations.values()) {
        if node.resource_type == ResourceType::Model && !matches!(node.access(), "private" | "protected" | "public") {
            let error = Diagnostic::error(Code::ConfigInvalid, format!("`{}` is no access level of `{}`", node.access(), node.name));
            errors.push(error.at(node.place_of("access")).about(node.unique_id.as_str()).hint("levels: private, protected, public"));
        }
        if node.is_ephemeral() && node.access() == "public" {
            let error = Diagnostic::error(Code::ConfigInvalid, format!("`{}` is ephemeral and cannot be public", node.name));
            errors.push(error.at(node.span.clone()).about(node.unique_id.as_str()).hint("use another materialization or access"));
        }
        // A declared test belongs to what it tests.
        let attached = node.test.as_ref().filter(|t| t.generic.is_some()).and_then(|t| manifest.nodes.get(t.attached.as_ref()?));
        let group = attached.map_or_else(|| node.group(), Node::group);
        for parent in node.depends_on.nodes.iter().filter_map(|id| manifest.nodes.get(id)) {
            if let Some(error) = refused(parent, &node.name, group, &node.package, restricted) {
                errors.push(error.at(node.place_of_name(&parent.name)).about(node.unique_id.as_str()));
            }
        }
    }
    for exposure in manifest.exposures.values() {
        for parent in exposure.depends_on.iter().filter_map(|id| manifest.nodes.get(id)) {
            if let Some(error) = refused(parent, &exposure.name, None, &exposure.package, restricted) {
                errors.push(error.at(Span::file(exposure.path.clone())).about(exposure.unique_id.as_str()));
            }
        }
    }
    errors
}

/// Why something of this group and package may not read `parent`: who has no group reads nothing private.
fn refused(parent: &Node, name: &str, group: Option<&str>, package: &str, restricted: &BTreeSet<String>) -> Option<Diagnostic> {
    if parent.resource_type != ResourceType::Model {
        return None;
    }
    let foreign = package != parent.package && restricted.contains(&parent.package);
    let why = match (parent.access(), parent.group()) {
        ("private", own) if foreign || group.is_none() || group != own => {
            own.map_or_else(|| "private, and belongs to no group".to_owned(), |own| format!("private to the group `{own}`"))
        }
        ("protected", _) if foreign => format!("protected in the package `{}`", parent.package),
        _ => return None,
    };
    let hint = match (parent.group(), group) {
        (None, _) => format!("give `{}` a group, or a wider `access`", parent.name),
        _ => format!("give `{name}` the same group, or `{}` a wider `access`", parent.name),
    };
    Some(Diagnostic::error(Code::AccessDenied, format!("`{name}` may not read `{}`: it is {why}", parent.name)).hint(hint))
}

/// dbt's inference of a model's key: constraints, then columns both unique and never null, then unique ones.
pub fn infer_primary_keys(manifest: &mut Manifest) {
    #[derive(Default)]
    struct Told {
        unique: BTreeSet<String>,
        unique_disabled: BTreeSet<String>,
        not_null: BTreeSet<String>,
    }
    let mut told: BTreeMap<UniqueId, Told> = BTreeMap::new();
    for (node, enabled) in manifest.nodes.values().map(|n| (n, true)).chain(manifest.disabled.values().map(|n| (n, false))) {
        let Some(test) = node.test.as_ref().filter(|t| t.generic.is_some()) else { continue };
        let (Some(attached), Some(name)) = (&test.attached, test.generic.as_deref()) else { continue };
        if !matches!(name, "unique" | "unique_combination_of_columns" | "not_null") {
            continue;
        }
        let columns: Vec<String> = match (test.kwargs.get("column_name"), test.kwargs.get("combination_of_columns")) {
            (Some(Value::String(one)), _) => vec![one.clone()],
            (_, Some(Value::Array(all))) => all.iter().filter_map(|c| c.as_str().map(str::to_owned)).collect(),
            _ => Vec::new(),
        };
        let entry = told.entry(attached.clone()).or_default();
        match (name, enabled) {
            ("not_null", _) => entry.not_null.extend(columns),
            (_, true) => entry.unique.extend(columns),
            (_, false) => entry.unique_disabled.extend(columns),
        }
    }
    let none = Told::default();
    for node in manifest.nodes.values_mut().filter(|n| n.resource_type == ResourceType::Model) {
        let is_key = |c: &&Value| c["type"] == "primary_key";
        let own = node.facts().constraints.iter().find(is_key).map(|c| c["columns"].as_array().cloned().unwrap_or_default());
        let own = own.map(|columns| columns.iter().filter_map(|c| c.as_str().map(str::to_owned)).collect::<Vec<_>>());
        let of_column = || node.columns.iter().find(|(_, c)| c.constraints.iter().any(|c| is_key(&c))).map(|(name, _)| vec![name.clone()]);
        let tests = told.get(&node.unique_id).unwrap_or(&none);
        let mut key = own.or_else(of_column).unwrap_or_else(|| {
            let both: Vec<String> =
                tests.not_null.iter().filter(|c| tests.unique.contains(*c) || tests.unique_disabled.contains(*c)).cloned().collect();
            [both, tests.unique.iter().cloned().collect(), tests.unique_disabled.iter().cloned().collect()]
                .into_iter()
                .find(|k: &Vec<String>| !k.is_empty())
                .unwrap_or_default()
        });
        key.sort();
        if !key.is_empty() {
            node.facts_mut().primary_key = key;
        }
    }
}
