//! `toyaml`: what serde_yaml writes, but that a text which YAML 1.1 reads as something else is quoted: PyYAML reads 1.1,
//! where `yes`, `12:30:00` and `1_000` are no texts.

use dvt_project::yaml;
use serde_json::{Map, Value};

/// A block document with its last line break; keys in their order, or by name.
pub fn dump(value: &Value, sorted: bool) -> Result<String, serde_yaml::Error> {
    // Stands in the document for a text that must be quoted; a word that the document does not have.
    let all = value.to_string();
    let mut word = "dvtquoted".to_owned();
    while all.contains(&word) {
        word.push('x');
    }
    let mut quoted = Vec::new();
    let plain = marked(value, sorted, &word, &mut quoted);
    let mut out = serde_yaml::to_string(&plain)?;
    for (number, text) in quoted.iter().enumerate() {
        out = out.replace(&mark(&word, number), &format!("'{}'", text.replace('\'', "''")));
    }
    Ok(out)
}

fn mark(word: &str, number: usize) -> String {
    format!("{word}{number}y")
}

fn marked(value: &Value, sorted: bool, word: &str, quoted: &mut Vec<String>) -> Value {
    let text = |s: &str, quoted: &mut Vec<String>| {
        if reads_as_itself(s) {
            return s.to_owned();
        }
        quoted.push(s.to_owned());
        mark(word, quoted.len() - 1)
    };
    match value {
        Value::String(s) => Value::String(text(s, quoted)),
        Value::Array(items) => Value::Array(items.iter().map(|v| marked(v, sorted, word, quoted)).collect()),
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            if sorted {
                entries.sort_by_key(|(key, _)| *key);
            }
            let mut out = Map::new();
            for (key, value) in entries {
                let key = text(key, quoted);
                out.insert(key, marked(value, sorted, word, quoted));
            }
            Value::Object(out)
        }
        other => other.clone(),
    }
}

/// Whether what serde_yaml writes for a line of text is that text to a reader of YAML 1.1, as a value and as a key.
fn reads_as_itself(text: &str) -> bool {
    // A block of lines is always a text, and the key of this document is one.
    if text.contains('\n') || text == "k" {
        return true;
    }
    let Ok(written) = serde_yaml::to_string(text) else { return true };
    let written = written.trim_end_matches('\n');
    let document = format!("k: {written}\n{written}: x\n");
    let Ok(document) = yaml::parse("toyaml", &document) else { return false };
    let Some(map) = document.root.as_map() else { return false };
    map.get("k").is_some_and(|v| v.to_json() == Value::from(text)) && map.get(text).is_some()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::dump;
    use serde_json::json;

    #[test]
    fn what_is_written_is_read_again_as_it_was() {
        let value = json!({"s": "yes", "t": "12:30:00", "on": "on", "n": "No", "u": "1_000", "e": "", "m": "a\nb", "q": "it's: #1", "d": "2024-01-01", "x": "0x1F", "o": "010",
            "list": ["a", {"b": [1, [2, "~"]], "c": null}, [], {}], "z": 1.5, "true": true, "é": "ü", "k": "- a", "v": "{{ x }}", "h": "#", "p": " padded ", "y": "y", "c": "dvtquoted"});
        let text = dump(&value, false).unwrap();
        assert_eq!(dvt_project::yaml::parse("x", &text).unwrap().root.to_json(), value, "{text}");
    }

    /// As PyYAML writes it.
    #[test]
    fn the_form_is_pyyamls() {
        assert_eq!(dump(&json!({"b": [1, {"c": "yes", "d": []}], "a": {"x": "plain text"}}), false).unwrap(), "b:\n- 1\n- c: 'yes'\n  d: []\na:\n  x: plain text\n");
        assert_eq!(dump(&json!({"b": 1, "a": null}), true).unwrap(), "a: null\nb: 1\n");
    }
}
