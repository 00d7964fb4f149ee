//! Semantic models, metrics and saved queries, in the form that dbt's manifest has; both YAML forms of dbt 1.12.
//!
//! Nothing here is ever run. Not here: which nodes they depend on (`semantics.rs`, once models are known).

use super::{Patch, Properties, Reader};
use crate::names::UniqueId;
use crate::node::DependsOn;
use crate::render::{has_jinja, rendered};
use crate::resource::{Described, DescribedType};
use crate::yaml::{Yaml, YamlMap};
use dvt_diagnostic::{Diagnostic, Span};
use serde_json::{Map, Value, json};

const METRIC_TYPES: [&str; 5] = ["simple", "ratio", "cumulative", "derived", "conversion"];

impl Reader<'_> {
    pub(super) fn semantic_model(&mut self, entry: &Yaml, out: &mut Properties) -> Result<(), Diagnostic> {
        let (map, name, given) = self.given(entry, "semantic_models")?;
        let known = ["name", "model", "description", "label", "defaults", "entities", "measures", "dimensions", "primary_entity", "config"];
        self.unknown_keys(map, &known, &format!("semantic model `{name}`"));
        let Some(model) = given.get("model").and_then(Value::as_str).map(str::to_owned) else {
            return Err(self.invalid(&format!("semantic model `{name}` names no `model`"), &entry.span).hint("add `model: ref('…')`"));
        };
        let list = |key: &str| given.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
        let defaults = given.get("defaults").filter(|d| d.is_object()).map(|d| json!({"agg_time_dimension": text(d, "agg_time_dimension")}));
        let parts = SemanticParts {
            model,
            description: given.get("description").cloned().unwrap_or_default(),
            label: given.get("label").cloned().unwrap_or_default(),
            defaults: defaults.unwrap_or_default(),
            primary_entity: given.get("primary_entity").cloned().unwrap_or_default(),
            entities: list("entities").iter().map(entity).collect(),
            measures: list("measures").iter().map(measure).collect(),
            dimensions: list("dimensions").iter().map(dimension).collect(),
        };
        let own = self.config(map, &[])?;
        let unrendered = map.get("config").map(Yaml::to_json).and_then(|v| v.as_object().cloned()).unwrap_or_default();
        let span = map.get("name").map_or(&entry.span, |y| &y.span).clone();
        let model = self.semantic(name.clone(), parts, &own, &unrendered, span.clone());
        let (enabled, meta) = (model.config.get("enabled").cloned(), model.config.get("meta").cloned());
        out.described.push(model);
        for m in list("measures").iter().filter(|m| m.get("create_metric").and_then(Value::as_bool) == Some(true)) {
            let measure = text(m, "name");
            let measure_name = measure.as_str().unwrap_or_default();
            let description = m.get("description").and_then(Value::as_str).map_or_else(|| format!("Metric created from measure {measure_name}"), str::to_owned);
            let expr = m.get("expr").filter(|e| !e.is_null()).cloned().unwrap_or_else(|| measure.clone());
            let config = Map::from_iter([("enabled".to_owned(), enabled.clone().unwrap_or(json!(true))), ("meta".to_owned(), meta.clone().unwrap_or(json!({})))]);
            let made = json!({"label": m.get("label").filter(|l| !l.is_null()).unwrap_or(&measure), "type": "simple", "description": description,
                              "type_params": {"measure": measure, "expr": expr}});
            let made = made.as_object().cloned().unwrap_or_default();
            let metric = self.metric_of(measure_name, &made, &config, &config, None, None, &span)?;
            out.described.push(metric);
        }
        Ok(())
    }

    fn semantic(&self, name: String, parts: SemanticParts, own: &Map<String, Value>, unrendered: &Map<String, Value>, span: Span) -> Described {
        let fqn = self.fqn(&name);
        let package = &self.file.package;
        let config = self.configs.resolve(package, "semantic_model", &fqn, own, &Map::new());
        let meta = config.get("meta").and_then(Value::as_object).cloned().unwrap_or_default();
        let with_meta = |items: Vec<Value>| -> Vec<Value> {
            let one = |mut item: Value| {
                let mut all = meta.clone();
                all.extend(item["config"]["meta"].as_object().cloned().unwrap_or_default());
                item["config"] = json!({"meta": all});
                item
            };
            items.into_iter().map(one).collect()
        };
        let body = json!({
            "model": parts.model, "node_relation": null, "description": parts.description, "label": parts.label, "defaults": parts.defaults,
            "entities": with_meta(parts.entities), "measures": with_meta(parts.measures), "dimensions": with_meta(parts.dimensions),
            "metadata": null, "primary_entity": parts.primary_entity
        });
        self.described(DescribedType::SemanticModel, name, config, unrendered, Vec::new(), body, span)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one resource, named where it is made")]
    fn described(
        &self,
        kind: DescribedType,
        name: String,
        config: crate::shared_config::Config,
        unrendered: &Map<String, Value>,
        tags: Vec<String>,
        body: Value,
        span: Span,
    ) -> Described {
        let fqn = self.fqn(&name);
        let package = &self.file.package;
        Described {
            unique_id: UniqueId::new(format!("{}.{package}.{name}", kind.as_str())),
            kind,
            unrendered_config: self.configs.unrendered(package, kind.as_str(), &fqn, unrendered, &Map::new()),
            package: package.clone(),
            path: self.file.path.clone(),
            below: self.file.below,
            fqn,
            config,
            tags,
            depends_on: DependsOn::default(),
            refs: Vec::new(),
            body: body.as_object().cloned().unwrap_or_default(),
            span,
            name,
        }
    }

    pub(super) fn metric(&mut self, entry: &Yaml, out: &mut Properties) -> Result<(), Diagnostic> {
        let (map, name, given) = self.given(entry, "metrics")?;
        let own = self.config(map, &[])?;
        let unrendered = map.get("config").map(Yaml::to_json).and_then(|v| v.as_object().cloned()).unwrap_or_default();
        let span = map.get("name").map_or(&entry.span, |y| &y.span).clone();
        let metric = self.metric_of(&name, &given, &own, &unrendered, None, None, &span)?;
        out.described.push(metric);
        Ok(())
    }

    /// Both forms: with `type_params`, or flat (then a simple metric belongs to `semantic_model`).
    #[expect(clippy::too_many_arguments, reason = "the parts of one resource, named where it is made")]
    fn metric_of(
        &self,
        name: &str,
        given: &Map<String, Value>,
        own: &Map<String, Value>,
        unrendered: &Map<String, Value>,
        semantic_model: Option<&str>,
        agg_time_dimension: Option<&Value>,
        span: &Span,
    ) -> Result<Described, Diagnostic> {
        let kind = given.get("type").and_then(Value::as_str).unwrap_or("simple").to_lowercase();
        if !METRIC_TYPES.contains(&kind.as_str()) {
            return Err(self.invalid(&format!("`{kind}` is no type of metric"), span).hint(format!("known types: {}", METRIC_TYPES.join(", "))));
        }
        let old = given.get("type_params").and_then(Value::as_object);
        let params = match old {
            Some(params) => type_params(&kind, params),
            None => flat_params(&kind, given, semantic_model, agg_time_dimension),
        };
        let config = self.configs.resolve(&self.file.package, "metric", &self.fqn(name), own, &Map::new());
        let or_null = |key: &str| given.get(key).cloned().unwrap_or_default();
        let (meta, tags) = if old.is_some() {
            let set = config.get("meta").filter(|m| m.as_object().is_some_and(|m| !m.is_empty())).cloned();
            (set.or_else(|| given.get("meta").cloned()).unwrap_or_else(|| json!({})), crate::config::tags(given))
        } else {
            (json!({}), Vec::new())
        };
        let label = given.get("label").filter(|l| !l.is_null()).cloned().unwrap_or_else(|| json!(name));
        let body = json!({
            "description": given.get("description").and_then(Value::as_str).unwrap_or_default(), "label": label, "type": kind,
            "type_params": params, "filter": filter(given.get("filter")), "metadata": null, "time_granularity": or_null("time_granularity"),
            "sources": [], "metrics": [], "meta": meta
        });
        Ok(self.described(DescribedType::Metric, name.to_owned(), config, unrendered, tags, body, span.clone()))
    }

    pub(super) fn saved_query(&mut self, entry: &Yaml, out: &mut Properties) -> Result<(), Diagnostic> {
        let (map, name, given) = self.given(entry, "saved_queries")?;
        let own = self.config(map, &[])?;
        let unrendered = map.get("config").map(Yaml::to_json).and_then(|v| v.as_object().cloned()).unwrap_or_default();
        let mut config = self.configs.resolve(&self.file.package, "saved_query", &self.fqn(&name), &own, &Map::new());
        let mut tags = crate::config::tags(&config);
        tags.extend(crate::config::tags(&given));
        tags.sort();
        tags.dedup();
        let params = given.get("query_params").cloned().unwrap_or_default();
        let list = |key: &str| params.get(key).filter(|v| v.is_array()).cloned().unwrap_or_else(|| json!([]));
        let exports: Vec<Value> = given
            .get("exports")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|e| {
                let own = e.get("config").cloned().unwrap_or_else(|| json!({}));
                let part = |key: &str| own.get(key).filter(|v| !v.is_null()).or_else(|| config.get(key)).cloned().unwrap_or_default();
                let schema = own.get("schema_name").filter(|v| !v.is_null()).cloned().unwrap_or_else(|| part("schema"));
                json!({"name": text(e, "name"), "unrendered_config": own,
                       "config": {"export_as": part("export_as"), "schema_name": schema, "alias": part("alias"), "database": part("database")}})
            })
            .collect();
        let body = json!({
            "query_params": {
                "metrics": list("metrics"), "group_by": list("group_by"), "where": filter(params.get("where")),
                "order_by": list("order_by"), "limit": params.get("limit")
            },
            "exports": exports, "description": given.get("description"), "label": given.get("label"), "metadata": null
        });
        if config.get("cache").is_some_and(|c| c.get("enabled").is_none()) {
            config.insert("cache".into(), json!({"enabled": false}));
        }
        let span = map.get("name").map_or(&entry.span, |y| &y.span).clone();
        let query = self.described(DescribedType::SavedQuery, name, config, &unrendered, tags, body, span);
        out.described.push(query);
        Ok(())
    }

    /// `semantic_model:` and `metrics:` of a model (the newer form).
    pub(super) fn semantics_of(&mut self, map: &YamlMap, patch: &Patch, out: &mut Properties) -> Result<(), Diagnostic> {
        let Some(yaml) = map.get("semantic_model").filter(|y| !y.is_null()) else { return Ok(()) };
        let given = rendered(yaml, self.render, &|_| false)?;
        if given == Value::Bool(false) || given.get("enabled") == Some(&Value::Bool(false)) {
            return Ok(());
        }
        for (column, kind) in patch.columns.values().flat_map(|c| [(c, "dimension"), (c, "entity")]) {
            if column.extra.get(kind).is_some_and(|v| !v.is_null() && !v.is_string() && !v.is_object()) {
                let message = format!("`{kind}` of the column `{}` of `{}` is neither a word nor a mapping", column.name, patch.name);
                return Err(self.invalid(&message, &yaml.span).hint(format!("write `{kind}: {{name: …, type: …}}`")));
            }
        }
        let name = given.get("name").and_then(Value::as_str).unwrap_or(&patch.name).to_owned();
        let mut own = Map::new();
        for key in ["enabled", "group"] {
            own.extend(given.get(key).filter(|v| !v.is_null()).map(|v| (key.to_owned(), v.clone())));
        }
        own.extend(given.get("config").and_then(|c| c.get("meta")).map(|m| ("meta".to_owned(), m.clone())));
        let derived = map.get("derived_semantics").map(|y| rendered(y, self.render, &|_| false)).transpose()?.unwrap_or_default();
        let more = |key: &str| derived.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
        if let Some(wrong) = ["dimensions", "entities"].iter().flat_map(|key| more(key)).find(|v| !v.is_object()) {
            let message = format!("`{wrong}` below `derived_semantics` of `{}` is no mapping", patch.name);
            return Err(self.invalid(&message, map.get("derived_semantics").map_or(&yaml.span, |y| &y.span)).hint("start each entry with `- name:`"));
        }
        let mut dimensions: Vec<Value> = patch.columns.values().filter_map(column_dimension).collect();
        dimensions.extend(more("dimensions").iter().map(|d| {
            let mut d = d.clone();
            d["type_params"] = granularity(d.get("granularity"), d.get("validity_params"));
            dimension(&d)
        }));
        let mut entities: Vec<Value> = patch.columns.values().filter_map(column_entity).collect();
        entities.extend(more("entities").iter().map(entity));
        let value = |key: &str| map.get(key).map(Yaml::to_json).unwrap_or_default();
        let parts = SemanticParts {
            model: format!("ref('{}')", patch.name),
            description: json!(patch.description),
            label: Value::Null,
            defaults: json!({"agg_time_dimension": value("agg_time_dimension")}),
            primary_entity: value("primary_entity"),
            entities,
            measures: Vec::new(),
            dimensions,
        };
        let model = self.semantic(name.clone(), parts, &own, &own, patch.span.clone());
        out.described.push(model);
        for entry in map.get("metrics").and_then(Yaml::as_list).unwrap_or_default() {
            let (inner, metric_name, given) = self.given(entry, "metrics")?;
            let own = self.config(inner, &[])?;
            let simple = given.get("type").and_then(Value::as_str).is_none_or(|t| t == "simple");
            let dimension = value("agg_time_dimension");
            let metric = self.metric_of(&metric_name, &given, &own, &own, simple.then_some(name.as_str()), simple.then_some(&dimension), &entry.span)?;
            out.described.push(metric);
        }
        Ok(())
    }

    /// An entry with its name, and its values rendered; filters keep their templates, which MetricFlow reads.
    fn given<'y>(&self, entry: &'y Yaml, section: &str) -> Result<(&'y YamlMap, String, Map<String, Value>), Diagnostic> {
        let Some(map) = entry.as_map() else {
            return Err(self.invalid(&format!("an entry of `{section}` is no mapping"), &entry.span));
        };
        let name = self.name(map, &entry.span, section)?;
        let late = |key: &str| matches!(key, "filter" | "where");
        let value = if holds_template(entry) { rendered(entry, self.render, &late)? } else { entry.to_json() };
        Ok((map, name, value.as_object().cloned().unwrap_or_default()))
    }
}

fn holds_template(yaml: &Yaml) -> bool {
    match &yaml.value {
        crate::yaml::YamlValue::String(s) => has_jinja(s),
        crate::yaml::YamlValue::List(items) => items.iter().any(holds_template),
        crate::yaml::YamlValue::Map(map) => map.iter().any(|(_, _, v)| holds_template(v)),
        _ => false,
    }
}

struct SemanticParts {
    model: String,
    description: Value,
    label: Value,
    defaults: Value,
    primary_entity: Value,
    entities: Vec<Value>,
    measures: Vec<Value>,
    dimensions: Vec<Value>,
}

fn text(value: &Value, key: &str) -> Value {
    value.get(key).cloned().unwrap_or_default()
}

/// Expressions are text, whatever YAML reads them as.
fn expression(value: Option<&Value>) -> Value {
    match value {
        None | Some(Value::Null) => Value::Null,
        Some(Value::String(s)) => json!(s),
        Some(other) => json!(crate::generic_test::python_text(other)),
    }
}

fn element_config(value: &Value) -> Value {
    json!({"meta": value.get("config").and_then(|c| c.get("meta")).cloned().unwrap_or_else(|| json!({}))})
}

fn entity(e: &Value) -> Value {
    json!({"name": text(e, "name"), "type": text(e, "type"), "description": text(e, "description"), "label": text(e, "label"),
           "role": text(e, "role"), "expr": expression(e.get("expr")), "config": element_config(e)})
}

fn dimension(d: &Value) -> Value {
    let params = d.get("type_params").filter(|p| p.is_object()).map(|p| {
        let validity = p.get("validity_params").filter(|v| v.is_object()).map(validity);
        json!({"time_granularity": text(p, "time_granularity"), "validity_params": validity})
    });
    json!({"name": text(d, "name"), "type": text(d, "type"), "description": text(d, "description"), "label": text(d, "label"),
           "is_partition": d.get("is_partition").and_then(Value::as_bool).unwrap_or(false), "type_params": params,
           "expr": expression(d.get("expr")), "metadata": null, "config": element_config(d), "datatype": null})
}

fn validity(v: &Value) -> Value {
    let flag = |key: &str| v.get(key).and_then(Value::as_bool).unwrap_or(false);
    json!({"is_start": flag("is_start"), "is_end": flag("is_end")})
}

fn granularity(grain: Option<&Value>, valid: Option<&Value>) -> Value {
    match grain {
        Some(grain) if !grain.is_null() => json!({"time_granularity": grain, "validity_params": valid.filter(|v| v.is_object()).map(validity)}),
        _ => Value::Null,
    }
}

fn measure(m: &Value) -> Value {
    let params = m.get("agg_params").filter(|p| p.is_object()).map(|p| {
        let flag = |key: &str| p.get(key).and_then(Value::as_bool).unwrap_or(false);
        json!({"percentile": text(p, "percentile"), "use_discrete_percentile": flag("use_discrete_percentile"),
               "use_approximate_percentile": flag("use_approximate_percentile")})
    });
    let non_additive = m.get("non_additive_dimension").filter(|n| n.is_object()).map(|n| {
        let groupings = n.get("window_groupings").cloned().unwrap_or_else(|| json!([]));
        json!({"name": text(n, "name"), "window_choice": text(n, "window_choice"), "window_groupings": groupings})
    });
    json!({"name": text(m, "name"), "agg": text(m, "agg"), "description": text(m, "description"), "label": text(m, "label"),
           "create_metric": false, "expr": expression(m.get("expr")), "agg_params": params, "non_additive_dimension": non_additive,
           "agg_time_dimension": text(m, "agg_time_dimension"), "config": element_config(m)})
}

/// What a column says of itself under `kind`: a word, or a mapping whose name and description default to the column's.
fn of_column(column: &crate::node::ColumnProperties, kind: &str) -> Option<Value> {
    let given = column.extra.get(kind).filter(|d| !d.is_null())?;
    if let Value::String(kind) = given {
        return Some(json!({"name": column.name, "type": kind, "description": column.description}));
    }
    let mut out = given.clone();
    let name = given.get("name").and_then(Value::as_str).unwrap_or(&column.name).to_owned();
    if name != column.name {
        out["expr"] = json!(column.name);
    }
    out["name"] = json!(name);
    if text(given, "description").is_null() {
        out["description"] = json!(column.description);
    }
    Some(out)
}

fn column_dimension(column: &crate::node::ColumnProperties) -> Option<Value> {
    let mut out = of_column(column, "dimension")?;
    let given = &column.extra["dimension"];
    if !given.is_string() {
        out["type_params"] = granularity(column.extra.get("granularity"), given.get("validity_params"));
    }
    let mut meta = column.meta.clone();
    meta.extend(given.get("config").and_then(|c| c.get("meta")).and_then(Value::as_object).cloned().unwrap_or_default());
    out["config"] = json!({"meta": meta});
    Some(dimension(&out))
}

fn column_entity(column: &crate::node::ColumnProperties) -> Option<Value> {
    let mut out = of_column(column, "entity")?;
    if out.get("config").and_then(|c| c.get("meta")).is_none() {
        out["config"] = json!({"meta": column.meta});
    }
    Some(entity(&out))
}

/// A filter or a list of them as dbt keeps them.
fn filter(given: Option<&Value>) -> Value {
    let one = |text: &Value| json!({"where_sql_template": text});
    match given {
        None | Some(Value::Null) => Value::Null,
        Some(Value::Array(items)) => json!({"where_filters": items.iter().map(one).collect::<Vec<_>>()}),
        Some(text) => json!({"where_filters": [one(text)]}),
    }
}

fn input_measure(given: Option<&Value>) -> Value {
    match given {
        None | Some(Value::Null) => Value::Null,
        Some(Value::String(name)) => json!({"name": name, "filter": null, "alias": null, "join_to_timespine": false, "fill_nulls_with": null}),
        Some(m) => json!({"name": text(m, "name"), "filter": filter(m.get("filter")), "alias": text(m, "alias"),
                          "join_to_timespine": m.get("join_to_timespine").and_then(Value::as_bool).unwrap_or(false),
                          "fill_nulls_with": text(m, "fill_nulls_with")}),
    }
}

fn input_metric(given: Option<&Value>) -> Value {
    match given {
        None | Some(Value::Null) => Value::Null,
        Some(Value::String(name)) => json!({"name": name, "filter": null, "alias": null, "offset_window": null, "offset_to_grain": null}),
        Some(m) => json!({"name": text(m, "name"), "filter": filter(m.get("filter")), "alias": text(m, "alias"),
                          "offset_window": window(m.get("offset_window")), "offset_to_grain": text(m, "offset_to_grain")}),
    }
}

/// `7 days` to a count and a granularity.
fn window(given: Option<&Value>) -> Value {
    const GRAINS: [&str; 11] = ["nanosecond", "microsecond", "millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year"];
    let Some(text) = given.and_then(Value::as_str) else { return Value::Null };
    let text = text.to_lowercase();
    let Some((count, grain)) = text.split_once(' ') else { return Value::Null };
    let grain = grain.strip_suffix('s').filter(|g| GRAINS.contains(g)).unwrap_or(grain);
    json!({"count": count.parse::<u64>().ok(), "granularity": grain})
}

fn metrics_of(given: Option<&Value>) -> Value {
    Value::Array(given.and_then(Value::as_array).into_iter().flatten().map(|m| input_metric(Some(m))).collect())
}

fn type_params(kind: &str, p: &Map<String, Value>) -> Value {
    let or_null = |key: &str| p.get(key).cloned().unwrap_or_default();
    let conversion = p.get("conversion_type_params").filter(|c| c.is_object()).map(|c| {
        json!({"entity": text(c, "entity"), "base_measure": input_measure(c.get("base_measure")),
               "conversion_measure": input_measure(c.get("conversion_measure")), "base_metric": null, "conversion_metric": null,
               "calculation": c.get("calculation").cloned().unwrap_or_else(|| json!("conversion_rate")),
               "window": window(c.get("window")), "constant_properties": text(c, "constant_properties")})
    });
    let cumulative = (kind == "cumulative").then(|| {
        let c = p.get("cumulative_type_params").cloned().unwrap_or_default();
        let either = |key: &str| c.get(key).filter(|v| !v.is_null()).or_else(|| p.get(key)).cloned();
        json!({"window": window(either("window").as_ref()), "grain_to_date": either("grain_to_date"),
               "period_agg": c.get("period_agg").filter(|v| !v.is_null()).cloned().unwrap_or_else(|| json!("first")), "metric": null})
    });
    json!({
        "measure": input_measure(p.get("measure")), "input_measures": [], "numerator": input_metric(p.get("numerator")),
        "denominator": input_metric(p.get("denominator")), "expr": expression(p.get("expr")), "window": window(p.get("window")),
        "grain_to_date": or_null("grain_to_date"), "metrics": metrics_of(p.get("metrics")), "conversion_type_params": conversion,
        "cumulative_type_params": cumulative, "metric_aggregation_params": null, "fill_nulls_with": null, "join_to_timespine": false,
        "is_private": null
    })
}

fn flat_params(kind: &str, g: &Map<String, Value>, semantic_model: Option<&str>, agg_time_dimension: Option<&Value>) -> Value {
    let or_null = |key: &str| g.get(key).cloned().unwrap_or_default();
    let aggregation = g.get("agg").filter(|a| !a.is_null()).map(|agg| {
        let kind = g.get("percentile_type").and_then(Value::as_str).unwrap_or_default().to_lowercase();
        let non_additive = g.get("non_additive_dimension").filter(|n| n.is_object()).map(|n| {
            json!({"name": text(n, "name"), "window_choice": text(n, "window_agg"), "window_groupings": n.get("group_by").cloned().unwrap_or_else(|| json!([]))})
        });
        let dimension = g.get("agg_time_dimension").filter(|d| !d.is_null()).or(agg_time_dimension);
        json!({"semantic_model": semantic_model, "agg": agg, "agg_params": {"percentile": or_null("percentile"),
               "use_discrete_percentile": kind == "discrete", "use_approximate_percentile": kind == "continuous"},
               "agg_time_dimension": dimension, "non_additive_dimension": non_additive})
    });
    let conversion = (kind == "conversion").then(|| {
        json!({"entity": or_null("entity"), "base_measure": null, "conversion_measure": null, "base_metric": input_metric(g.get("base_metric")),
               "conversion_metric": input_metric(g.get("conversion_metric")),
               "calculation": g.get("calculation").cloned().unwrap_or_else(|| json!("conversion_rate")),
               "window": window(g.get("window")), "constant_properties": or_null("constant_properties")})
    });
    let cumulative = (kind == "cumulative").then(|| {
        json!({"window": window(g.get("window")), "grain_to_date": or_null("grain_to_date"),
               "period_agg": g.get("period_agg").filter(|v| !v.is_null()).cloned().unwrap_or_else(|| json!("first")),
               "metric": input_metric(g.get("input_metric"))})
    });
    json!({
        "measure": null, "input_measures": [], "numerator": input_metric(g.get("numerator")), "denominator": input_metric(g.get("denominator")),
        "expr": expression(g.get("expr")), "window": null, "grain_to_date": null, "metrics": metrics_of(g.get("input_metrics")),
        "conversion_type_params": conversion, "cumulative_type_params": cumulative, "metric_aggregation_params": aggregation,
        "fill_nulls_with": null, "join_to_timespine": g.get("join_to_timespine").and_then(Value::as_bool).unwrap_or(false),
        "is_private": or_null("hidden")
    })
}
