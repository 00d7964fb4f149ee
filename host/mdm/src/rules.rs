//! A dialect sheet as rows: one per leaf of its text.

/// `(kind, name, value)`: the first key, the keys below it joined by dots, and the value.
pub fn rules_of(sheet: &str) -> Vec<(String, String, String)> {
    let Ok(table) = sheet.parse::<toml::Table>() else { return Vec::new() };
    let mut out = Vec::new();
    for (kind, value) in &table {
        leaves(kind, &mut Vec::new(), value, &mut out);
    }
    out
}

fn leaves(kind: &str, path: &mut Vec<String>, value: &toml::Value, out: &mut Vec<(String, String, String)>) {
    if let toml::Value::Table(inner) = value {
        for (key, value) in inner {
            path.push(key.clone());
            leaves(kind, path, value, out);
            path.pop();
        }
        return;
    }
    let text = value.as_str().map_or_else(|| serde_json::to_string(value).unwrap_or_default(), str::to_owned);
    out.push((kind.to_owned(), path.join("."), text));
}
