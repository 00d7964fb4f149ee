//! What is wrong between a model's query and its enforced contract, as a table.

use dvt_diagnostic::{Code, Diagnostic};
use dvt_project::Node;
use minijinja::Value;

/// One column of the query or of the contract: its name, and its type or nothing.
type Named = (String, String);

fn columns(value: &Value) -> Vec<Named> {
    let text = |column: &Value, key: &str| column.get_attr(key).ok().filter(|v| !v.is_undefined() && !v.is_none()).map(|v| v.to_string()).unwrap_or_default();
    value.try_iter().map(|all| all.map(|c| (text(&c, "name"), text(&c, "data_type"))).collect()).unwrap_or_default()
}

/// DVT1011 with a row for each column that differs; lists of `{name, data_type}`.
pub fn mismatch(node: &Node, yaml: &Value, sql: &Value) -> Diagnostic {
    let (yaml, sql) = (columns(yaml), columns(sql));
    let about = |d: Diagnostic| d.at(node.span.clone()).about(node.unique_id.as_str());
    if yaml.is_empty() {
        let message = "this model has an enforced contract, and its properties name no columns".to_owned();
        return about(Diagnostic::error(Code::ConfigInvalid, message).hint("list the columns with their data_type, or set contract: {enforced: false}"));
    }
    let of = |list: &[Named], name: &str| list.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, t)| t.to_uppercase());
    let mut names: Vec<&str> = yaml.iter().chain(&sql).map(|(n, _)| n.as_str()).collect();
    names.sort_by_key(|n| n.to_lowercase());
    names.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
    let mut rows = vec![["column_name", "definition_type", "contract_type", "mismatch_reason"].map(str::to_owned)];
    for name in names {
        let (defined, wanted) = (of(&sql, name), of(&yaml, name));
        let reason = match (&defined, &wanted) {
            (None, _) => "missing in definition",
            (_, None) => "missing in contract",
            (Some(a), Some(b)) if a != b && !a.is_empty() && !b.is_empty() => "data type mismatch",
            _ => continue,
        };
        rows.push([name.to_owned(), defined.unwrap_or_default(), wanted.unwrap_or_default(), reason.to_owned()]);
    }
    let width = |i: usize| rows.iter().map(|r| r[i].chars().count()).max().unwrap_or_default();
    let widths = [width(0), width(1), width(2), width(3)];
    let mut table = String::new();
    for (number, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, w)| format!("{cell:<w$}")).collect();
        table.push_str(&format!("\n| {} |", cells.join(" | ")));
        if number == 0 {
            let rule: Vec<String> = widths.iter().map(|w| "-".repeat(*w)).collect();
            table.push_str(&format!("\n| {} |", rule.join(" | ")));
        }
    }
    let message = format!("this model has an enforced contract that failed: its columns are not those of the contract\n{table}");
    about(Diagnostic::error(Code::ConfigInvalid, message).hint("change the query or the contract so that names and types agree"))
}
