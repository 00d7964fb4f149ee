//! Types as products write them: a name and arguments.

/// `numeric(10,2)` is `numeric` with 10 and 2; `timestamp(3) with time zone` is `timestamp with time zone` with 3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NativeType {
    /// Lower case, single blanks, without arguments.
    pub name: String,
    pub arguments: Vec<u32>,
    /// As it was written.
    pub text: String,
}

impl NativeType {
    pub fn parse(text: &str) -> Self {
        let lower = text.trim().to_ascii_lowercase();
        let (name, arguments) = match (lower.find('('), lower.find(')')) {
            (Some(open), Some(close)) if open < close => {
                let numbers = lower[open + 1..close].split(',').filter_map(|n| n.trim().parse().ok()).collect();
                (format!("{} {}", &lower[..open], &lower[close + 1..]), numbers)
            }
            _ => (lower, Vec::new()),
        };
        Self { name: name.split_whitespace().collect::<Vec<_>>().join(" "), arguments, text: text.trim().to_owned() }
    }

    /// Precision and scale, when both fit dvt's decimals.
    pub fn decimal(&self) -> Option<String> {
        match self.arguments[..] {
            [p] if (1..=38).contains(&p) => Some(format!("decimal({p},0)")),
            [p, s] if (1..=38).contains(&p) && s <= p => Some(format!("decimal({p},{s})")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::NativeType;

    #[test]
    fn arguments_stand_apart_wherever_they_are() {
        let t = NativeType::parse("TIMESTAMP(3) with  time zone");
        assert_eq!((t.name.as_str(), t.arguments.as_slice()), ("timestamp with time zone", &[3][..]));
        assert_eq!(NativeType::parse("numeric(10, 2)").decimal().as_deref(), Some("decimal(10,2)"));
        assert_eq!(NativeType::parse("numeric").decimal(), None);
        assert_eq!(NativeType::parse("numeric(50,2)").decimal(), None);
    }
}
