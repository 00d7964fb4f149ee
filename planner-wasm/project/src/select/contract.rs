//! What a changed model breaks of the contract that it kept before. Not here: whether it changed at all.

use dvt_diagnostic::{Code, Diagnostic, Span};
use serde_json::Value;

/// One sentence for each kind of break between two entries of a manifest, as dbt sorts them; nothing where readers of
/// the earlier model lose nothing.
fn breaks(new: &Value, old: &Value) -> Vec<String> {
    if !enforced(old) {
        return Vec::new();
    }
    let columns = |v: &Value| v.get("columns").and_then(Value::as_object).cloned().unwrap_or_default();
    let text = |v: &Value, key: &str| v.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (now, before) = (columns(new), columns(old));
    let kept = |v: &Value| matches!(text(&v["config"], "materialized").as_str(), "table" | "incremental");
    let list = |v: &Value| v.get("constraints").and_then(Value::as_array).cloned().unwrap_or_default();
    let lost = |new: &Value, old: &Value| -> Vec<Value> { list(old).into_iter().filter(|c| text(c, "type") != "custom" && !list(new).contains(c)).collect() };
    let named = |c: &Value| c.get("name").and_then(Value::as_str).map_or_else(|| text(c, "type"), str::to_owned);
    let (mut gone, mut retyped, mut freed) = (Vec::new(), Vec::new(), Vec::new());
    for (name, was) in &before {
        let Some(is) = now.get(name) else {
            gone.push(name.clone());
            continue;
        };
        // A length or a scale may change.
        let base = |v: &Value| text(v, "data_type").split('(').next().unwrap_or_default().trim().to_lowercase();
        if base(was) != base(is) {
            retyped.push(format!("{name} ({} -> {})", text(was, "data_type"), text(is, "data_type")));
        }
        if kept(old) {
            freed.extend(lost(is, was).iter().map(|c| format!("{} of column {name}", named(c))));
        }
    }
    let mut out = Vec::new();
    if !enforced(new) {
        out.push("its contract is no longer enforced".to_owned());
    }
    let mut told = |what: &str, items: Vec<String>| {
        if !items.is_empty() {
            out.push(format!("{what}: {}", items.join(", ")));
        }
    };
    told("columns were removed", gone);
    told("columns have another type", retyped);
    told("constraints of columns were removed", freed);
    if kept(old) {
        told("constraints were removed", lost(new, old).iter().map(|c| format!("{} on ({})", named(c), words(c))).collect());
        if !kept(new) && (!list(old).is_empty() || before.values().any(|c| !list(c).is_empty())) {
            told("a materialization without constraints took the place of one with", vec![format!("{} -> {}", text(&old["config"], "materialized"), text(&new["config"], "materialized"))]);
        }
    }
    out
}

fn enforced(v: &Value) -> bool {
    v.get("contract").and_then(|c| c.get("enforced")).and_then(Value::as_bool) == Some(true)
}

fn words(constraint: &Value) -> String {
    let columns = constraint.get("columns").and_then(Value::as_array).into_iter().flatten();
    columns.filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

/// The warning of a model without versions, or the error of a version: whoever reads it was promised what it had.
pub(super) fn broken(new: &Value, old: &Value) -> Option<Diagnostic> {
    let breaks = breaks(new, old);
    if breaks.is_empty() {
        return None;
    }
    let text = |key: &str| new.get(key).and_then(Value::as_str).unwrap_or_default();
    let message = format!("`{}` breaks the contract that the earlier state has: {}", text("name"), breaks.join("; "));
    let at = Span::file(text("original_file_path"));
    Some(if new.get("version").is_none_or(Value::is_null) {
        Diagnostic::warning(Code::ConfigInvalid, message).at(at).event("UnversionedBreakingChange")
    } else {
        Diagnostic::error(Code::ConfigInvalid, message).at(at).hint("add to the contract instead, or make the change in a new version of the model")
    })
}

#[cfg(test)]
mod tests {
    use super::broken;
    use serde_json::{Value, json};

    fn model(columns: Value, version: Value, enforced: bool) -> Value {
        json!({"name": "m", "original_file_path": "models/m.sql", "version": version, "contract": {"enforced": enforced}, "columns": columns, "constraints": [], "config": {"materialized": "table"}})
    }

    #[test]
    fn what_readers_lose_is_told_and_what_they_gain_is_not() {
        let old = json!({"id": {"data_type": "integer", "constraints": [{"type": "not_null", "name": null}]}, "name": {"data_type": "varchar(3)", "constraints": []}});
        let new = json!({"id": {"data_type": "bigint", "constraints": []}, "more": {"data_type": "date", "constraints": []}});
        let told = broken(&model(new.clone(), Value::Null, true), &model(old.clone(), Value::Null, true)).unwrap();
        assert_eq!(
            told.message,
            "`m` breaks the contract that the earlier state has: columns were removed: name; columns have another type: id (integer -> bigint); constraints of columns were removed: not_null of column id"
        );
        assert_eq!(told.event.as_deref(), Some("UnversionedBreakingChange"));
        assert!(broken(&model(new.clone(), json!(2), true), &model(old.clone(), json!(2), true)).unwrap().hint.is_some());
        assert!(broken(&model(new, Value::Null, true), &model(old.clone(), Value::Null, false)).is_none());
        let wider = json!({"id": old["id"], "name": {"data_type": "VARCHAR(9)", "constraints": []}, "more": {"data_type": "date", "constraints": []}});
        assert!(broken(&model(wider, Value::Null, true), &model(old.clone(), Value::Null, true)).is_none());
        assert!(broken(&model(old.clone(), Value::Null, false), &model(old, Value::Null, true)).unwrap().message.ends_with("its contract is no longer enforced"));
    }
}
