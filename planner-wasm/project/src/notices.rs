//! What dbt warns of in a project that can be built: models past their date, freshness that cannot be known, microbatch
//! models without an input that is cut, constraints where none hold, names with blanks.
//!
//! Not here: what is wrong in one file alone, which its reader says; configs that reach no resource.

use crate::node::{Manifest, Node, ResourceType, SourceTable, version_text};
use dvt_diagnostic::{Code, Diagnostic, Span};
use serde_json::Value;
use std::collections::BTreeMap;

/// Materializations whose constraints the database holds to.
const CONSTRAINED: [&str; 2] = ["table", "incremental"];

/// Names with blanks, which dbt refuses unless `require_resource_names_without_spaces` is off.
pub fn names(manifest: &Manifest) -> Vec<Diagnostic> {
    let required = manifest.flags.get("require_resource_names_without_spaces").and_then(Value::as_bool) != Some(false);
    let blank = manifest.nodes.values().filter(|n| n.name.contains(' '));
    blank
        .map(|node| {
            let text = format!("the name `{}` has a blank", node.name);
            let told = if required { Diagnostic::error(Code::PropertyInvalid, text) } else { Diagnostic::warning(Code::Deprecated, text).event("ResourceNamesWithSpacesDeprecation") };
            told.at(node.span.clone()).about(node.unique_id.as_str()).hint("write `_` in its place")
        })
        .collect()
}

/// All other warnings. `now` is ISO 8601, UTC.
pub fn warnings(manifest: &Manifest, now: &str) -> Vec<Diagnostic> {
    let mut out: Vec<Diagnostic> = manifest.sources.values().filter_map(blind).collect();
    for node in manifest.nodes.values().filter(|n| n.resource_type == ResourceType::Model) {
        out.extend(unheld(node));
        out.extend(uncut(manifest, node));
    }
    deprecated(manifest, now, &mut out);
    out
}

/// A source whose age is limited and nowhere told.
fn blind(source: &SourceTable) -> Option<Diagnostic> {
    let told = |own: bool, key: &str| own || source.config.get(key).is_some_and(|v| !v.is_null());
    if told(source.loaded_at_field.is_some(), "loaded_at_field") || told(source.loaded_at_query.is_some(), "loaded_at_query") {
        return None;
    }
    let limits = source.freshness.as_ref().filter(|f| !f.is_null()).or_else(|| source.config.get("freshness"))?;
    let limited = ["warn_after", "error_after"].iter().any(|key| limits.get(*key).and_then(|l| l.get("count")).is_some_and(|c| !c.is_null()));
    limited.then(|| {
        let text = format!("the freshness of source `{}.{}` cannot be known without loaded_at_field", source.source_name, source.name);
        Diagnostic::warning(Code::PropertyInvalid, text).at(source.span.clone()).about(source.unique_id.as_str()).event("FreshnessConfigProblem")
    })
}

/// A model whose contract has constraints that its materialization does not hold to.
fn unheld(node: &Node) -> Option<Diagnostic> {
    let enforced = node.config.get("contract").and_then(|c| c.get("enforced")).and_then(Value::as_bool) == Some(true);
    if !enforced || CONSTRAINED.contains(&node.materialized()) {
        return None;
    }
    let warned = |c: &Value| c.get("warn_unsupported").and_then(Value::as_bool) != Some(false);
    let any = node.columns.values().any(|c| c.constraints.iter().any(warned)) || node.facts().constraints.iter().any(warned);
    any.then(|| {
        let text = format!("`{}` has constraints, which hold for tables and incremental models, not for a {}", node.name, node.materialized());
        Diagnostic::warning(Code::ConfigInvalid, text)
            .at(node.span.clone())
            .about(node.unique_id.as_str())
            .event("UnsupportedConstraintMaterialization")
            .hint("set warn_unsupported: false on them to hear no more of it")
    })
}

/// A microbatch model none of whose inputs is cut to the batch.
fn uncut(manifest: &Manifest, node: &Node) -> Option<Diagnostic> {
    if node.materialized() != "incremental" || node.config_str("incremental_strategy") != Some("microbatch") {
        return None;
    }
    let set = |v: Option<&Value>| v.is_some_and(|v| !v.is_null());
    let cut = node.depends_on.nodes.iter().any(|id| {
        set(manifest.nodes.get(id).and_then(|n| n.config.get("event_time"))) || set(manifest.sources.get(id).and_then(|s| s.config.get("event_time")))
    });
    (!cut).then(|| {
        let text = format!("no input of the microbatch model `{}` has an event_time: each batch reads all rows of all inputs", node.name);
        Diagnostic::warning(Code::ConfigInvalid, text).at(node.span.clone()).about(node.unique_id.as_str()).event("MicrobatchModelNoEventTimeInputs")
    })
}

/// Models past their deprecation date, and models that read one that is or will be.
fn deprecated(manifest: &Manifest, now: &str, out: &mut Vec<Diagnostic>) {
    let dated: BTreeMap<_, _> = manifest.nodes.values().filter_map(|n| Some((&n.unique_id, (n, n.facts().deprecation_date.as_deref()?)))).collect();
    if dated.is_empty() {
        return;
    }
    let is_past = |date: &str| minutes(date) < minutes(now);
    let shown = |node: &Node| node.facts().version.as_ref().map_or_else(|| node.name.clone(), |v| format!("{}.v{}", node.name, version_text(v)));
    let told = |text: String, node: &Node, at: Span, event: &str| Diagnostic::warning(Code::Deprecated, text).at(at).about(node.unique_id.as_str()).event(event);
    for (node, date) in dated.values().filter(|(_, date)| is_past(date)) {
        out.push(told(format!("the model `{}` is past its deprecation date {date}", shown(node)), node, node.span.clone(), "DeprecatedModel"));
    }
    for child in manifest.nodes.values().filter(|n| n.resource_type == ResourceType::Model) {
        for (parent, date) in child.depends_on.nodes.iter().filter_map(|id| dated.get(id)) {
            let (text, event) = if is_past(date) {
                (format!("`{}` reads `{}`, which is past its deprecation date {date}", child.name, shown(parent)), "DeprecatedReference")
            } else {
                (format!("`{}` reads `{}`, which will be deprecated on {date}", child.name, shown(parent)), "UpcomingReferenceDeprecation")
            };
            out.push(told(text, child, child.place_of_name(&parent.name), event));
        }
    }
}

/// Minutes since the year 0 of an ISO 8601 moment, its zone taken away.
fn minutes(text: &str) -> Option<i64> {
    let (day, time) = text.split_once('T')?;
    let numbers = |text: &str, by: char| text.split(by).map(|p| p.parse::<i64>().ok()).collect::<Option<Vec<_>>>();
    let [year, month, date] = numbers(day, '-')?[..] else { return None };
    let (time, zone) = match time.find(['Z', '+', '-']) {
        Some(at) => time.split_at(at),
        None => (time, ""),
    };
    let parts = numbers(time.split('.').next()?, ':')?;
    let clock = parts.first()? * 60 + parts.get(1).copied().unwrap_or_default();
    let away = match zone.split_at_checked(1) {
        Some((sign @ ("+" | "-"), rest)) => {
            let parts = numbers(rest, ':')?;
            let minutes = parts.first()? * 60 + parts.get(1).copied().unwrap_or_default();
            if sign == "-" { -minutes } else { minutes }
        }
        _ => 0,
    };
    // Days by the calendar's rule, with a year that starts in March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + date;
    Some(days * 1440 + clock - away)
}

#[cfg(test)]
mod tests {
    use super::minutes;

    #[test]
    fn moments_are_ordered_with_their_zones_taken_away() {
        assert!(minutes("2024-02-29T00:00:00+00:00") < minutes("2024-03-01T00:00:00Z"));
        assert_eq!(minutes("2024-01-01T01:00:00+02:00"), minutes("2023-12-31T23:00:00.5Z"));
        assert_eq!(minutes("2023-12-31T20:30:00-02:30"), minutes("2023-12-31T23:00:00Z"));
        assert_eq!(minutes("2025-01-01T00:00:00Z").zip(minutes("2024-01-01T00:00:00Z")).map(|(a, b)| a - b), Some(366 * 1440));
    }
}
