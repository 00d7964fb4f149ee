//! What a person and a program read of a plan: SPEC P5a's document and its text.
//!
//! Field names are stable: fields may be added, none renamed. Not here: planning, and where the actual amounts come from.

use crate::analysis::relation;
use crate::catalog::Catalog;
use crate::ir::FederatedPlan;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_project::{ExecutionPath, Node, RelationName, RelationRef};
use serde_json::{Map, Value, json};

/// What a run moved: source, relation (empty for a whole query), rows, bytes; in the plan's order.
pub type Moved = Vec<(String, String, u64, u64)>;

/// A model that runs on its own target.
pub fn pushdown(node: &Node, sql: &str, relations: &[String]) -> Value {
    let mut out = head(node);
    out.insert("delegates".into(), json!([{"source": node.target, "sql": sql, "relations": relations, "estimated": null, "actual": null}]));
    Value::Object(out)
}

/// A model that its readers inline: it is never built.
pub fn inlined(node: &Node) -> Value {
    Value::Object(head(node))
}

/// A model that cannot be planned, with the reason.
pub fn failed(node: &Node, error: &Diagnostic) -> Value {
    let mut out = head(node);
    out.insert("notes".into(), json!([{"code": error.code, "message": error.message}]));
    Value::Object(out)
}

/// A federated model; `catalog` is what it was planned with.
pub fn federated(node: &Node, plan: &FederatedPlan, catalog: &Catalog, moved: &Moved) -> Value {
    let mut out = head(node);
    // Each amount belongs to one scan: two scans of one relation take one each.
    let mut left = moved.clone();
    let mut actual = |source: &str, relation: &str| match left.iter().position(|(s, r, _, _)| s == source && r == relation) {
        Some(at) => {
            let (_, _, rows, bytes) = left.remove(at);
            json!({"rows": rows, "bytes": bytes})
        }
        None => Value::Null,
    };
    let scans: Vec<Value> = plan
        .scans
        .iter()
        .map(|s| {
            let known = catalog.relation(&RelationRef { target: s.source.clone(), name: s.relation.clone() });
            let size = known.filter(|k| k.rows.is_some() || k.bytes.is_some());
            let columns: Vec<&str> = s.columns.iter().map(|c| c.name.as_str()).collect();
            let pushed: Vec<Value> = s.pushed.iter().map(|p| json!({"sql": p.sql, "class": p.class, "settled": p.settled})).collect();
            let kept: Vec<Value> = s.kept.iter().map(|k| json!({"sql": k.sql, "code": k.code, "reason": k.reason})).collect();
            json!({
                "name": s.name, "source": s.source, "relation": dotted(&s.relation), "sql": s.sql, "columns": columns, "pushed": pushed, "kept": kept,
                "estimated": size.map(|k| json!({"rows": k.rows, "bytes": k.bytes})),
                "table": size.map(|k| json!({"rows": k.rows, "bytes": k.bytes})),
                "may_wait_for": plan.reductions.iter().filter(|r| r.scan == s.name).map(|r| json!({
                    "column": r.column, "scan": r.by, "relation": relation(plan, &r.by), "key": r.key,
                })).collect::<Vec<_>>(),
                "actual": actual(s.source.as_str(), &s.relation.identifier),
            })
        })
        .collect();
    let delegates: Vec<Value> = plan
        .delegates
        .iter()
        .map(|d| {
            let relations: Vec<String> = d.relations.iter().map(dotted).collect();
            json!({"source": d.source, "sql": d.sql, "relations": relations, "estimated": null, "actual": actual(d.source.as_str(), "")})
        })
        .collect();
    out.insert("scans".into(), Value::Array(scans));
    out.insert("delegates".into(), Value::Array(delegates));
    out.insert("residual".into(), json!(plan.residual.as_ref().map(|r| json!({"sql": r.sql}))));
    out.insert("sink".into(), json!({"target": plan.sink.target, "relation": dotted(&plan.sink.relation), "materialized": plan.sink.materialized}));
    out.insert("notes".into(), plan.notes.iter().map(|n| json!({"code": n.code, "message": n.message})).collect());
    Value::Object(out)
}

/// The warning of a federated view (SPEC T5).
pub fn coerced(node: &Node) -> Option<Diagnostic> {
    let text = format!("view `{}` reads several targets; it is built as a table", node.name);
    (node.materialized() == "view").then(|| Diagnostic::warning(Code::ViewCoerced, text).about(node.unique_id.as_str()))
}

/// The document of several models.
pub fn document(models: &[Value]) -> Value {
    json!({"models": models})
}

fn head(node: &Node) -> Map<String, Value> {
    let sink = json!({"target": node.target, "relation": node.relation.as_ref().map(dotted), "materialized": node.materialized()});
    let compute = if node.execution == ExecutionPath::Federation { json!(node.compute) } else { Value::Null };
    Map::from_iter([
        ("unique_id".to_owned(), json!(node.unique_id)),
        ("path".to_owned(), json!(node.execution)),
        ("target".to_owned(), json!(node.target)),
        ("compute".to_owned(), compute),
        ("dialect".to_owned(), json!(node.dialect)),
        ("scans".to_owned(), json!([])),
        ("delegates".to_owned(), json!([])),
        ("residual".to_owned(), Value::Null),
        ("sink".to_owned(), sink),
        ("notes".to_owned(), json!([])),
    ])
}

fn dotted(name: &RelationName) -> String {
    [name.database.as_deref(), name.schema.as_deref(), Some(name.identifier.as_str())].into_iter().flatten().collect::<Vec<_>>().join(".")
}

/// One model of the document for a terminal.
pub fn text(model: &Value) -> String {
    let of = |v: &Value, key: &str| v.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let list = |v: &Value, key: &str| v.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let amount = |v: Option<&Value>| {
        let part = |key: &str| v.and_then(|v| v.get(key)).and_then(Value::as_u64);
        match (part("rows"), part("bytes")) {
            (Some(rows), Some(bytes)) => format!("{} rows, {}", grouped(rows), sized(bytes)),
            (Some(rows), None) => format!("{} rows", grouped(rows)),
            (None, Some(bytes)) => sized(bytes),
            (None, None) => "unknown".to_owned(),
        }
    };
    let indented = |sql: &str| sql.lines().map(|l| format!("      {l}\n")).collect::<String>();
    let mut out = format!("{}\n  path: {} on target {}", of(model, "unique_id"), of(model, "path"), of(model, "target"));
    if model["compute"].is_string() {
        out += &format!(", compute {}", of(model, "compute"));
    }
    out += &format!(", dialect {}\n", of(model, "dialect"));
    for scan in list(model, "scans") {
        let told = if scan.get("waited").is_some() {
            format!("expected: {}; moved: {}", amount(scan.get("estimated")), amount(scan.get("actual")))
        } else {
            format!("last run moved: {}", amount(scan.get("actual")))
        };
        out += &format!("  source {} · {} (table: {}; {told})\n", of(&scan, "source"), of(&scan, "relation"), amount(scan.get("table")));
        out += &indented(&of(&scan, "sql"));
        if scan["shares"].is_string() {
            out += &format!("    shares the read of {}\n", of(&scan, "shares"));
        }
        for waited in list(&scan, "waited") {
            let none = if waited["range"] == true { "all from the least to the largest" } else { "not asked for: too many to be worth it" };
            let keys = waited["keys"].as_u64().map_or(none.to_owned(), |n| format!("{} keys", grouped(n)));
            out += &format!("    waited for {} of {}: {keys}\n", of(&waited, "column"), of(&waited, "relation"));
        }
        for wait in list(&scan, "may_wait_for").iter().filter(|_| scan.get("waited").is_none()) {
            out += &format!("    may wait for {} of {}, to be asked for their {} alone\n", of(wait, "key"), of(wait, "relation"), of(wait, "column"));
        }
        for pushed in list(&scan, "pushed") {
            let once = if pushed["settled"] == true { ", not asked again" } else { "" };
            out += &format!("    pushed ({}{once}): {}\n", of(&pushed, "class"), of(&pushed, "sql"));
        }
        for kept in list(&scan, "kept") {
            out += &format!("    stayed: {}: {} {}\n", of(&kept, "sql"), of(&kept, "code"), of(&kept, "reason"));
        }
    }
    for delegate in list(model, "delegates") {
        let moved = delegate.get("actual").filter(|a| !a.is_null()).map(|a| {
            let expected = delegate.get("estimated").filter(|e| !e.is_null());
            expected.map_or_else(|| format!(" (last run moved: {})", amount(Some(a))), |e| format!(" (expected: {}; moved: {})", amount(Some(e)), amount(Some(a))))
        }).unwrap_or_default();
        out += &format!("  whole query on {}{moved}\n{}", of(&delegate, "source"), indented(&of(&delegate, "sql")));
    }
    if model["residual"].is_object() {
        out += &format!("  compute runs\n{}", indented(&of(&model["residual"], "sql")));
    }
    if let Some(rows) = model.get("rows").and_then(Value::as_u64) {
        out += &format!("  result: {} rows\n", grouped(rows));
    }
    // What stayed is told at its source already.
    for note in list(model, "notes").iter().filter(|n| of(n, "code") != "DVT005") {
        out += &format!("  note {}: {}\n", of(note, "code"), of(note, "message"));
    }
    out + "\n"
}

/// `1,234,567`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1.2 MB`, powers of 1000.
pub fn sized(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}
