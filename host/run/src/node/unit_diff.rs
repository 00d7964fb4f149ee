//! Two tables of rows without order: whether they are equal, and a picture of what differs.

use serde_json::Value;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Value>>,
}

impl Table {
    /// The columns of these names, in their order; letter case aside.
    pub fn only(&self, names: &[String]) -> Self {
        let places: Vec<Option<usize>> = names.iter().map(|n| self.columns.iter().position(|c| c.eq_ignore_ascii_case(n))).collect();
        let row = |row: &Vec<Value>| places.iter().map(|p| p.and_then(|p| row.get(p).cloned()).unwrap_or_default()).collect();
        Self { columns: names.to_vec(), rows: self.rows.iter().map(row).collect() }
    }
}

/// A cell as it is compared and shown: numbers by their value, however they are written.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(n) => plain(&n.to_string()),
        Value::String(s) if s.parse::<f64>().is_ok() && s.contains('.') && !s.contains(['e', 'E']) => plain(s),
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}

fn plain(number: &str) -> String {
    if number.contains('.') && !number.contains(['e', 'E']) {
        number.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        number.to_owned()
    }
}

/// None when both hold the same rows as often. Else rows of `actual` alone as `+++`, of `expected` alone as `---`,
/// changed cells as `expected→actual`.
pub fn difference(actual: &Table, expected: &Table) -> Option<String> {
    let text = |t: &Table| {
        // A null and an empty text look alike and are not equal.
        let mut rows: Vec<(Vec<String>, Vec<bool>)> = t.rows.iter().map(|r| (r.iter().map(cell).collect(), r.iter().map(Value::is_null).collect())).collect();
        rows.sort();
        rows
    };
    let (mut got, mut wanted) = (text(actual), text(expected));
    let mut same = Vec::new();
    wanted.retain(|row| match got.iter().position(|g| g == row) {
        Some(at) => {
            same.push(got.remove(at));
            false
        }
        None => true,
    });
    if got.is_empty() && wanted.is_empty() {
        return None;
    }
    let mut lines: Vec<Vec<String>> = vec![std::iter::once("@@".to_owned()).chain(actual.columns.iter().cloned()).collect()];
    lines.extend(same.into_iter().map(|(cells, _)| std::iter::once(String::new()).chain(cells).collect()));
    for (old, old_nulls) in wanted {
        // The row that has most in common is the same row, changed.
        let alike = |(new, _): &(Vec<String>, Vec<bool>)| new.iter().zip(&old).filter(|(a, b)| a == b).count();
        let near = (0..got.len()).max_by_key(|i| (alike(&got[*i]), usize::MAX - i)).filter(|i| alike(&got[*i]) > 0);
        let shown = |text: &str, null: bool| if null { "NULL".to_owned() } else { text.to_owned() };
        match near.map(|i| got.remove(i)) {
            Some((new, new_nulls)) => {
                let cells = old.iter().zip(&old_nulls).zip(new.iter().zip(&new_nulls));
                let cells = cells.map(|((a, an), (b, bn))| if a == b && an == bn { a.clone() } else { format!("{}→{}", shown(a, *an), shown(b, *bn)) });
                lines.push(std::iter::once("→".to_owned()).chain(cells).collect());
            }
            None => lines.push(std::iter::once("---".to_owned()).chain(old).collect()),
        }
    }
    lines.extend(got.into_iter().map(|(cells, _)| std::iter::once("+++".to_owned()).chain(cells).collect()));
    let widths: Vec<usize> = (0..=actual.columns.len()).map(|i| lines.iter().filter_map(|l| l.get(i)).map(|c| c.chars().count()).max().unwrap_or(0)).collect();
    let line = |cells: &Vec<String>| {
        let padded: Vec<String> = cells.iter().zip(&widths).map(|(c, w)| format!("{c:<w$}")).collect();
        padded.join(",").trim_end().to_owned()
    };
    Some(lines.iter().map(line).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Table, difference};
    use serde_json::json;

    fn table(rows: &serde_json::Value) -> Table {
        let rows = rows.as_array().unwrap().iter().map(|r| r.as_array().unwrap().clone()).collect();
        Table { columns: vec!["id".into(), "name".into()], rows }
    }

    #[test]
    fn order_and_the_spelling_of_numbers_do_not_count() {
        assert_eq!(difference(&table(&json!([[2, "b"], ["1.50", "a"]])), &table(&json!([[1.5, "a"], [2, "b"]]))), None);
        assert!(difference(&table(&json!([[1, "a"], [1, "a"]])), &table(&json!([[1, "a"]]))).is_some());
        assert!(difference(&table(&json!([[1, null]])), &table(&json!([[1, ""]]))).is_some());
    }

    #[test]
    fn a_changed_row_shows_both_values_and_a_lone_one_its_side() {
        let shown = difference(&table(&json!([[1, "a"], [2, "x"], [9, "z"]])), &table(&json!([[1, "a"], [2, "b"]]))).unwrap();
        assert_eq!(shown, "@@ ,id,name\n   ,1 ,a\n→  ,2 ,b→x\n+++,9 ,z");
    }
}
