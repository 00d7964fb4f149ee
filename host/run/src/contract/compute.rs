//! What every compute must do.

use super::{HOSTILE, List, holds, say};
use crate::plugins::Plugins;
use dvt_plugin_host::NativeColumn;
use dvt_planner::types::CanonicalType;
use dvt_plugin_host::ComputePlugin;
use serde_json::json;

/// What the engine's type for each canonical one is there; those that it refuses are told.
fn round_trip(compute: &dyn ComputePlugin) -> Result<String, String> {
    let mut refused = Vec::new();
    for text in super::adapter::TYPES {
        let kind: CanonicalType = text.parse().map_err(|e: String| e)?;
        let Ok(there) = compute.ddl_types(&[kind]) else {
            refused.push(text);
            continue;
        };
        let column = NativeColumn { name: "c".to_owned(), native: there.concat(), collation: None };
        let back = compute.map_native(&[column]).map_err(say)?;
        if back.first().is_none_or(|m| m.canonical.is_none()) {
            return Err(format!("{text} is {} there, which it does not know", there.concat()));
        }
    }
    Ok(if refused.is_empty() { String::new() } else { format!("refused: {}", refused.join(", ")) })
}

pub fn check(plugins: &Plugins, name: &str, list: &mut List) {
    let what = "it is loaded with the imports that it is granted";
    let compute = match plugins.compute(name) {
        Ok(compute) => compute,
        Err(e) => return list.add(what, Err(say(e))),
    };
    list.add(what, Ok(String::new()));
    let plan = compute.plan(&json!({}));
    let complete = match &plan {
        Ok(plan) => holds(!plan.engine.is_empty() && !plan.dialect.is_empty(), || "the plan names no engine or no dialect".to_owned()),
        Err(e) => Err(say(e)),
    };
    list.add("it plans without settings", complete);
    let known = plan.as_ref().is_ok_and(|p| plugins.sheets().get(&dvt_project::DialectName::new(p.dialect.clone())).is_ok());
    list.add("the dialect of its engine is known", holds(known, || "no loaded sheet has the plan's dialect".to_owned()));
    let refused = match compute.plan(&json!({"no_such_setting": 1})) {
        Ok(_) => Err("it was taken".to_owned()),
        Err(e) => holds(e.hint.is_some(), || format!("no hint: {}", say(e))),
    };
    list.add("a setting that it does not know is refused with a hint", refused);
    let columns: Vec<NativeColumn> = HOSTILE.iter().map(|t| NativeColumn { name: "c".to_owned(), native: (*t).to_owned(), collation: None }).collect();
    let mapped = compute.map_native(&columns);
    let told = match &mapped {
        Ok(mapped) => holds(mapped.iter().all(|m| m.canonical.is_some() || m.refused.is_some()), || "a type got neither a canonical type nor a reason".to_owned()),
        Err(e) => Err(say(e)),
    };
    list.add("every text is a canonical type or refused with a reason", told);
    if plan.as_ref().is_ok_and(|p| p.engine == crate::cluster::DRIVEN_ENGINE) {
        list.add("a canonical type that its engine holds comes back no smaller", round_trip(compute.as_ref()));
    }
    let same = compute.plan(&json!({})).ok() == plan.ok() && compute.map_native(&columns).ok() == mapped.ok();
    list.add("two calls give the same answer", holds(same, || "they differ".to_owned()));
}
