//! `semantic_manifest.json`: semantic models, metrics, saved queries and time spines for MetricFlow.

use super::render_relation;
use crate::input::ProjectInput;
use crate::node::{Manifest, Node, ResourceType};
use crate::resource::Described;
use serde_json::{Map, Value, json};

/// The model that is a time spine without saying so, as older projects have it.
const LEGACY_SPINE: &str = "metricflow_time_spine";

/// What MetricFlow reads; valid for projects without any of it.
pub fn semantic_manifest_json(manifest: &Manifest, input: &ProjectInput) -> Value {
    let models: Vec<Value> = manifest.semantic_models.values().map(semantic_model).collect();
    let metrics: Vec<Value> = manifest.metrics.values().map(metric).collect();
    let queries: Vec<Value> = manifest.saved_queries.values().map(saved_query).collect();
    let spines: Vec<Value> = manifest.nodes.values().filter_map(|n| spine(n, input)).collect();
    let legacy = |n: &&Node| n.resource_type == ResourceType::Model && n.name == LEGACY_SPINE && n.facts().time_spine.is_none();
    let legacy: Vec<Value> = manifest
        .nodes
        .values()
        .filter(legacy)
        .filter(|_| !models.is_empty())
        .map(|n| json!({"location": relation_name(n, input), "column_name": "date_day", "grain": "day"}))
        .collect();
    json!({
        "semantic_models": models, "metrics": metrics,
        "project_configuration": {
            "time_spine_table_configurations": legacy, "metadata": null,
            "dsi_package_version": {"major_version": "0", "minor_version": "213", "patch_version": "0"}, "time_spines": spines
        },
        "saved_queries": queries
    })
}

fn relation_name(node: &Node, input: &ProjectInput) -> Option<String> {
    let facts = input.adapters.get(node.adapter.as_str());
    node.relation.as_ref().map(|r| render_relation(r, facts, node.config.get("quoting").and_then(Value::as_object)))
}

fn spine(node: &Node, input: &ProjectInput) -> Option<Value> {
    let spine = node.facts().time_spine.as_ref()?;
    let column = spine["standard_granularity_column"].as_str()?;
    let grain = node.columns.get(column)?.extra.get("granularity")?;
    let name = node.relation.clone().unwrap_or_default();
    let relation = json!({"alias": node.alias, "schema_name": name.schema, "database": name.database, "relation_name": relation_name(node, input)});
    Some(json!({
        "node_relation": relation, "primary_column": {"name": column, "time_granularity": grain},
        "custom_granularities": spine["custom_granularities"]
    }))
}

fn part(map: &Map<String, Value>, key: &str) -> Value {
    map.get(key).cloned().unwrap_or_default()
}

fn meta(d: &Described) -> Value {
    json!({"meta": d.config.get("meta").cloned().unwrap_or_else(|| json!({}))})
}

fn with_metadata(list: &Value) -> Vec<Value> {
    let one = |item: &Value| {
        let mut item = item.clone();
        item["metadata"] = Value::Null;
        item
    };
    list.as_array().into_iter().flatten().map(one).collect()
}

fn semantic_model(d: &Described) -> Value {
    let b = &d.body;
    json!({
        "name": d.name, "defaults": part(b, "defaults"), "description": part(b, "description"), "node_relation": part(b, "node_relation"),
        "primary_entity": part(b, "primary_entity"), "entities": with_metadata(&part(b, "entities")), "measures": with_metadata(&part(b, "measures")),
        "dimensions": part(b, "dimensions"), "label": part(b, "label"), "metadata": null, "config": meta(d)
    })
}

fn metric(d: &Described) -> Value {
    let b = &d.body;
    json!({
        "name": d.name, "description": part(b, "description"), "type": part(b, "type"), "datatype": null, "type_params": part(b, "type_params"),
        "filter": part(b, "filter"), "metadata": null, "label": part(b, "label"), "config": meta(d), "time_granularity": part(b, "time_granularity")
    })
}

fn saved_query(d: &Described) -> Value {
    let b = &d.body;
    let exports: Vec<Value> = b
        .get("exports")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|e| json!({"name": e["name"], "config": {"export_as": e["config"]["export_as"], "schema_name": e["config"]["schema_name"], "alias": e["config"]["alias"]}}))
        .collect();
    json!({
        "name": d.name, "description": part(b, "description"), "query_params": part(b, "query_params"), "metadata": null,
        "label": part(b, "label"), "exports": exports, "tags": d.tags
    })
}
