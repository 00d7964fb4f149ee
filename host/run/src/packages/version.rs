//! Versions and ranges of packages, as the hub's metadata and packages.yml write them.

use std::cmp::Ordering;

/// `1.2.3-rc.1`; a missing patch is 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    numbers: [u64; 3],
    pre: Vec<String>,
}

impl Version {
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches('v');
        let text = text.split_once('+').map_or(text, |(version, _)| version);
        let (numbers, pre) = text.split_once('-').map_or((text, ""), |(n, p)| (n, p));
        let mut parts = numbers.split('.').map(|n| n.parse::<u64>().ok());
        let mut next = || parts.next();
        let major = next()??;
        let minor = next().unwrap_or(Some(0))?;
        let patch = next().unwrap_or(Some(0))?;
        if parts.next().is_some() {
            return None;
        }
        Some(Self { numbers: [major, minor, patch], pre: pre.split('.').filter(|p| !p.is_empty()).map(str::to_owned).collect() })
    }

    pub fn is_prerelease(&self) -> bool {
        !self.pre.is_empty()
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| match (self.pre.is_empty(), other.pre.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => {
                let parts = self.pre.iter().zip(&other.pre).map(|(a, b)| match (a.parse::<u64>(), b.parse::<u64>()) {
                    (Ok(a), Ok(b)) => a.cmp(&b),
                    (Ok(_), Err(_)) => Ordering::Less,
                    (Err(_), Ok(_)) => Ordering::Greater,
                    (Err(_), Err(_)) => a.cmp(b),
                });
                parts.fold(Ordering::Equal, Ordering::then).then(self.pre.len().cmp(&other.pre.len()))
            }
        })
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// One bound: `>=1.0.0`, `<2`, `1.2.3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    relation: Relation,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Exact,
    AtLeast,
    Above,
    AtMost,
    Below,
}

impl Bound {
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let forms = [(">=", Relation::AtLeast), ("<=", Relation::AtMost), (">", Relation::Above), ("<", Relation::Below), ("=", Relation::Exact), ("", Relation::Exact)];
        let (rest, relation) = forms.iter().find_map(|(sign, relation)| Some((text.strip_prefix(sign)?, *relation)))?;
        Some(Self { relation, version: Version::parse(rest.trim_start_matches('='))? })
    }

    pub fn holds(&self, version: &Version) -> bool {
        match (self.relation, version.cmp(&self.version)) {
            (Relation::Exact | Relation::AtLeast | Relation::AtMost, Ordering::Equal) | (Relation::AtLeast | Relation::Above, Ordering::Greater) | (Relation::AtMost | Relation::Below, Ordering::Less) => true,
            (Relation::Exact | Relation::Above | Relation::AtMost, _) | (Relation::AtLeast, Ordering::Less) | (Relation::Below, _) => false,
        }
    }

    pub fn is_prerelease(&self) -> bool {
        self.version.is_prerelease()
    }
}

/// The highest of `all` that is within every bound; prereleases only when asked for.
pub fn best<'a>(all: impl Iterator<Item = &'a str>, bounds: &[Bound], prereleases: bool) -> Option<&'a str> {
    let prereleases = prereleases || bounds.iter().any(Bound::is_prerelease);
    let fits = |v: &Version| (prereleases || !v.is_prerelease()) && bounds.iter().all(|b| b.holds(v));
    all.filter_map(|text| Some((Version::parse(text)?, text))).filter(|(v, _)| fits(v)).max_by(|(a, _), (b, _)| a.cmp(b)).map(|(_, text)| text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Bound, best};

    #[test]
    fn the_highest_version_within_every_bound_is_taken() {
        let all = ["0.9.0", "1.0.0", "1.1.0-rc1", "1.1.0", "1.2.0-a.2", "1.2.0-a.10", "2.0.0"];
        let take = |bounds: &[&str], pre: bool| {
            let bounds: Vec<Bound> = bounds.iter().map(|b| Bound::parse(b).unwrap()).collect();
            best(all.into_iter(), &bounds, pre)
        };
        assert_eq!(take(&[">=1.0.0", "<2.0.0"], false), Some("1.1.0"));
        assert_eq!(take(&[">=1.0.0", "<2.0.0"], true), Some("1.2.0-a.10"));
        assert_eq!(take(&["1.1.0-rc1"], false), Some("1.1.0-rc1"));
        assert_eq!(take(&["=0.9.0"], false), Some("0.9.0"));
        assert_eq!(take(&[">2"], false), None);
        assert_eq!(take(&["<=1.1", ">1.0.0"], false), Some("1.1.0"));
    }
}
