//! Where a plugin may send the host: only to a target that the profile names.

use crate::{ConnectPlan, LIBRARY_DRIVER, PluginManifest};
use dvt_diagnostic::{Code, Diagnostic};
use serde_json::Value;

/// Hosts that a plugin may name when the profile names none: this machine.
const HERE: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(s) => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        _ => None,
    }
}

/// Refuses a plan whose `host` is no value of the profile, or whose `port` is another one than the profile's.
///
/// A secret goes where the plan says: a plan that leads elsewhere would take it there. Of a driver that is a shared library the
/// URLs among the options are looked at; what else leads it somewhere is its own, and needs its permission.
pub fn check(manifest: &PluginManifest, profile: &Value, plan: &ConnectPlan) -> Result<(), Diagnostic> {
    let refused = |what: String, key: &str| {
        Diagnostic::error(Code::PluginNotGranted, format!("plugin `{}` wants to connect to {what}, which the profile does not name", manifest.id))
            .hint(format!("a plugin reaches the target's own host and port only; if this is meant, say `{key}:` in the output"))
    };
    let keys = profile.as_object();
    if plan.driver == LIBRARY_DRIVER {
        return plan.options.values().filter(|value| value.contains("//")).try_for_each(|url| check_url(manifest, profile, url));
    }
    if let Some(host) = plan.options.get("host") {
        let named = keys.is_some_and(|k| k.values().any(|v| text(v).as_deref() == Some(host)));
        let unnamed = !keys.is_some_and(|k| k.contains_key("host")) && HERE.contains(&host.as_str());
        if !named && !unnamed {
            return Err(refused(format!("host `{host}`"), "host"));
        }
    }
    if let (Some(port), Some(own)) = (plan.options.get("port"), keys.and_then(|k| k.get("port")).and_then(text))
        && *port != own
    {
        return Err(refused(format!("port {port}"), "port"));
    }
    Ok(())
}

/// A permission of connectors: hosts below a domain, behind a value of the profile (`host:example.com` for `ACCOUNT.example.com`).
const HOSTS: &str = "host:";
/// A permission of connectors: a source of the engine's that finds its service by itself (`source:NAME`).
const SOURCE: &str = "source:";
/// The engine's own way to databases: it goes where the URL says.
const BY_URL: &str = "jdbc";

fn granted(manifest: &PluginManifest, kind: &str, what: &str) -> bool {
    manifest.permissions.iter().any(|p| p.strip_prefix(kind) == Some(what))
}

/// Refuses a source of the engine's that the manifest does not ask for: it could take a secret anywhere.
pub fn check_source(manifest: &PluginManifest, format: &str) -> Result<(), Diagnostic> {
    if format == BY_URL || granted(manifest, SOURCE, format) {
        return Ok(());
    }
    Err(Diagnostic::error(Code::PluginNotGranted, format!("plugin `{}` reads and writes by the engine's source `{format}`, and its manifest does not ask for `{SOURCE}{format}`", manifest.id))
        .hint("ask its author for a manifest that does"))
}

/// Refuses a URL of a connector that leads to a host that neither the profile nor a permission names: the engine would send a
/// secret there. A URL without a host is of a file.
pub fn check_url(manifest: &PluginManifest, profile: &Value, url: &str) -> Result<(), Diagnostic> {
    let Some((_, rest)) = url.split_once("//") else { return Ok(()) };
    let authority = rest.split(['/', '?', ';', '#']).next().unwrap_or_default();
    let host_port = authority.rsplit('@').next().unwrap_or_default();
    let (host, port) = match host_port.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (host, Some(port)),
        _ => (host_port, None),
    };
    if authority.contains('@') {
        return Err(Diagnostic::error(Code::PluginContract, format!("plugin `{}` puts a user into a URL", manifest.id)));
    }
    let below = |domain: &str| {
        let own = host.strip_suffix(domain).and_then(|h| h.strip_suffix('.'));
        profile.as_object().is_some_and(|keys| keys.values().any(|v| own.is_some() && text(v).as_deref() == own))
    };
    let host = if manifest.permissions.iter().filter_map(|p| p.strip_prefix(HOSTS)).any(below) { None } else { Some(host) };
    let options = [("host", host), ("port", port)].into_iter().filter_map(|(k, v)| Some((k.to_owned(), v?.to_owned())));
    check(manifest, profile, &ConnectPlan { options: options.collect(), ..ConnectPlan::default() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::check;
    use crate::{ConnectPlan, PluginManifest};
    use dvt_diagnostic::Code;
    use serde_json::{Value, json};

    fn plan(host: &str, port: &str) -> ConnectPlan {
        ConnectPlan { options: [("host", host), ("port", port)].into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(), ..ConnectPlan::default() }
    }

    fn allowed(profile: Value, plan: &ConnectPlan) -> bool {
        let manifest: PluginManifest =
            serde_json::from_value(json!({"id": "p", "version": "1", "contract": "0.1.0", "kind": "adapter", "types": ["p"]})).unwrap();
        match check(&manifest, &profile, plan) {
            Ok(()) => true,
            Err(e) => {
                assert_eq!(e.code, Code::PluginNotGranted);
                assert!(e.message.contains("`p`") && e.hint.is_some());
                false
            }
        }
    }

    #[test]
    fn a_connectors_url_leads_to_the_profiles_host() {
        let manifest: PluginManifest =
            serde_json::from_value(json!({"id": "p", "version": "1", "contract": "0.1.0", "kind": "connector", "types": ["p"]})).unwrap();
        let own = json!({"type": "p", "host": "db.example", "port": 5432});
        let allowed = |url: &str| super::check_url(&manifest, &own, url).is_ok();
        assert!(allowed("jdbc:x://db.example:5432/a?b=c") && allowed("jdbc:x://db.example/a") && allowed("jdbc:x:file"));
        assert!(!allowed("jdbc:x://evil.example:5432/a") && !allowed("jdbc:x://db.example:22/a") && !allowed("jdbc:x://db.example@evil.example/a"));
    }

    #[test]
    fn a_domain_and_a_source_are_reached_only_with_their_permission() {
        let manifest = |permissions: &[&str]| -> PluginManifest {
            serde_json::from_value(json!({"id": "p", "version": "1", "contract": "0.1.0", "kind": "connector", "types": ["p"], "permissions": permissions})).unwrap()
        };
        let own = json!({"type": "p", "account": "ab-1.eu", "port": 443});
        let allowed = |m: &PluginManifest, url: &str| super::check_url(m, &own, url).is_ok();
        let with = manifest(&["host:example.com"]);
        assert!(allowed(&with, "jdbc:x://ab-1.eu.example.com/") && allowed(&with, "jdbc:x://ab-1.eu.example.com:443/?a=b"));
        for url in ["jdbc:x://other.example.com/", "jdbc:x://ab-1.euexample.com/", "jdbc:x://ab-1.eu.example.com.evil.org/", "jdbc:x://example.com/", "jdbc:x://ab-1.eu.example.com:22/"] {
            assert!(!allowed(&with, url), "{url}");
        }
        assert!(!allowed(&manifest(&[]), "jdbc:x://ab-1.eu.example.com/"));
        assert!(super::check_source(&manifest(&[]), "jdbc").is_ok() && super::check_source(&manifest(&["source:x"]), "x").is_ok());
        assert_eq!(super::check_source(&manifest(&["source:y"]), "x").unwrap_err().code, Code::PluginNotGranted);
    }

    #[test]
    fn only_what_the_profile_names_is_reached() {
        let own = json!({"type": "p", "host": "db.example", "port": 5432});
        assert!(allowed(own.clone(), &plan("db.example", "5432")));
        assert!(!allowed(own.clone(), &plan("evil.example", "5432")));
        assert!(!allowed(own.clone(), &plan("localhost", "5432")));
        assert!(!allowed(own, &plan("db.example", "22")));
        // Another key may carry the name; a port that the profile leaves out is the plugin's usual one.
        assert!(allowed(json!({"server": "db.example"}), &plan("db.example", "3306")));
        assert!(allowed(json!({"user": "u"}), &plan("localhost", "3306")));
        assert!(!allowed(json!({"user": "u"}), &plan("elsewhere", "3306")));
        assert!(allowed(json!({"host": "h"}), &ConnectPlan::default()));
    }
}
