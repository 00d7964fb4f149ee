//! Texts with `{key}`: values of the profile in their place.

/// What the host puts in: the statement's label, the query that is read, the table that is written, the state that parts of a read see.
const HOSTS: [&str; 4] = ["tag", "query", "table", "snapshot"];

/// None when a key has no value. What is the host's stays. With `url`, values are encoded.
pub fn fill(text: &str, value: &dyn Fn(&str) -> Option<String>, url: bool) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let close = rest[open..].find('}')? + open;
        let key = &rest[open + 1..close];
        out.push_str(&rest[..open]);
        if HOSTS.contains(&key) {
            out.push_str(&rest[open..=close]);
        } else {
            let value = value(key)?;
            out.push_str(&if url { encoded(&value) } else { value });
        }
        rest = &rest[close + 1..];
    }
    out.push_str(rest);
    Some(out)
}

/// A value as a part of a URL: one that could end the part is written by its bytes.
fn encoded(value: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:".contains(&b);
    value.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn a_value_cannot_leave_its_part_of_the_url() {
        let value = |key: &str| match key {
            "host" => Some("db".to_owned()),
            "db" => Some("a/b?x=1".to_owned()),
            _ => None,
        };
        assert_eq!(fill("jdbc:x://{host}/{db}", &value, true).as_deref(), Some("jdbc:x://db/a%2Fb%3Fx%3D1"));
        assert_eq!(fill("{missing}", &value, true), None);
        assert_eq!(fill("dvt {tag}", &value, false).as_deref(), Some("dvt {tag}"));
    }
}
