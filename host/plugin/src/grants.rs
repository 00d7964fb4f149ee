//! Where a plugin may send the host: only to a target that the profile names.

use crate::{ConnectPlan, PluginManifest};
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
/// A secret goes where the plan says: a plan that leads elsewhere would take it there.
pub fn check(manifest: &PluginManifest, profile: &Value, plan: &ConnectPlan) -> Result<(), Diagnostic> {
    let refused = |what: String, key: &str| {
        Diagnostic::error(Code::PluginNotGranted, format!("plugin `{}` wants to connect to {what}, which the profile does not name", manifest.id))
            .hint(format!("a plugin reaches the target's own host and port only; if this is meant, say `{key}:` in the output"))
    };
    let keys = profile.as_object();
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
