//! The `[driver]` section of a sheet as a connect-plan: options of a shared library from keys of the profile, as data.
//!
//! The host reads the section too: package, versions, library and how statements are run (`plugins/README.md`).

use crate::{ConnectPlan, Failure, Profile, fill};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The part of the section that says how a target is reached.
#[derive(Debug, Clone, Deserialize)]
struct Driver {
    /// Keys that the profile must have.
    #[serde(default)]
    require: Vec<String>,
    /// Values of keys that the profile leaves out.
    #[serde(default)]
    defaults: BTreeMap<String, String>,
    /// Option to text with `{key}` of the profile; one that names a key without a value is left out. `option?name` is the
    /// parameter `name` of the URL in `option`.
    #[serde(default)]
    options: BTreeMap<String, String>,
    /// Option to profile key.
    #[serde(default)]
    secrets: BTreeMap<String, String>,
    /// Options that hold when a key of the profile has one of some values; without values, when it has any.
    #[serde(default)]
    when: Vec<When>,
    /// Statements that every session runs first.
    #[serde(default)]
    setup: Vec<String>,
    /// Names the database, with `{key}`.
    endpoint: String,
}

#[derive(Debug, Clone, Deserialize)]
struct When {
    key: String,
    #[serde(default)]
    is: Vec<String>,
    #[serde(default)]
    options: BTreeMap<String, String>,
    #[serde(default)]
    secrets: BTreeMap<String, String>,
}

/// The plan that the sheet's `[driver]` makes of a profile.
///
/// # Errors
/// `DVT1003` for a key that is missing, `DVT5008` for a sheet without a readable section.
pub fn plan(sheet: &str, profile: &Profile) -> Result<ConnectPlan, Failure> {
    #[derive(Deserialize)]
    struct Sheet {
        driver: Driver,
    }
    let Sheet { driver } = toml::from_str(sheet).map_err(|e| Failure::new("DVT5008", format!("`[driver]` of the sheet cannot be read: {e}")))?;
    for key in &driver.require {
        profile.require(key)?;
    }
    let value = |key: &str| profile.text(key).filter(|v| !v.is_empty()).or_else(|| driver.defaults.get(key).cloned());
    let holds = |when: &&When| match when.is.as_slice() {
        [] => value(&when.key).is_some() || profile.has_secret(&when.key),
        some => value(&when.key).is_some_and(|v| some.iter().any(|is| is.eq_ignore_ascii_case(&v))),
    };
    let mut options: BTreeMap<&String, &String> = driver.options.iter().collect();
    let mut secrets: BTreeMap<&String, &String> = driver.secrets.iter().collect();
    for when in driver.when.iter().filter(holds) {
        options.extend(&when.options);
        secrets.extend(&when.secrets);
    }
    let filled = options.into_iter().filter_map(|(option, text)| Some((option.clone(), fill::fill(text, &value, text.contains("//"))?)));
    Ok(ConnectPlan {
        driver: "adbc".to_owned(),
        options: filled.collect(),
        secret_options: secrets.into_iter().filter(|(_, key)| profile.has_secret(key)).map(|(o, k)| (o.clone(), k.clone())).collect(),
        session_setup: driver.setup.clone(),
        endpoint: fill::fill(&driver.endpoint, &value, false).unwrap_or(driver.endpoint),
    })
}

#[cfg(test)]
mod tests {
    use super::plan;
    use crate::Profile;

    const SHEET: &str = r#"
        name = "x"
        [driver]
        package = "a"
        require = ["host"]
        endpoint = "x:{host}"
        [driver.defaults]
        port = "1"
        [driver.options]
        uri = "x://{host}:{port}/{db}"
        "uri?user" = "{user}"
        role = "{role}"
        [driver.secrets]
        "uri?password" = "password"
        [[driver.when]]
        key = "method"
        is = ["token"]
        options = { auth = "t" }
        secrets = { token = "token" }
        [[driver.when]]
        key = "key"
        options = { auth = "k" }
    "#;

    #[test]
    fn keys_become_options_and_what_a_profile_lacks_is_left_out() {
        let of = |json: &str, secrets: &[&str]| plan(SHEET, &Profile::read(json, secrets.iter().map(|s| (*s).to_owned()).collect()).expect("a profile"));
        let made = of(r#"{"host": "h", "db": "a/b", "user": "u&v"}"#, &["password"]).expect("a plan");
        let options: Vec<(&str, &str)> = made.options.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(options, [("uri", "x://h:1/a%2Fb"), ("uri?user", "u&v")]);
        assert_eq!(made.secret_options, [("uri?password".to_owned(), "password".to_owned())]);
        assert_eq!((made.driver.as_str(), made.endpoint.as_str()), ("adbc", "x:h"));
        let other = of(r#"{"host": "h", "method": "Token"}"#, &["token"]).expect("a plan");
        assert_eq!(other.secret_options, [("token".to_owned(), "token".to_owned())]);
        assert_eq!(of(r#"{"host": "h"}"#, &["key"]).expect("a plan").options.first(), Some(&("auth".to_owned(), "k".to_owned())));
        assert_eq!(of("{}", &[]).expect_err("no host").code, "DVT1003");
    }
}
