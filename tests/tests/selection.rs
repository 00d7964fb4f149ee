//! Selection, compared with what dbt-core said of the same project and the same lines.
#![allow(clippy::unwrap_used, missing_docs)]

mod cli;

use cli::World;
use dvt_run::{Project, Settings};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn own() -> PathBuf {
    PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("projects/selection")
}

/// The options of a line as the program would give them.
fn settings(line: &[&str], base: &Settings, state: &Path) -> Settings {
    let mut out = base.clone();
    let mut option = "";
    for word in line {
        match *word {
            "-s" | "--select" => option = "select",
            "--models" => {
                out.flags.insert("resource_type".into(), json!(["model"]));
                option = "select";
            }
            "--exclude" => option = "exclude",
            "--selector" => option = "selector",
            "--indirect-selection" => option = "indirect_selection",
            "--resource-type" => option = "resource_type",
            "--exclude-resource-type" => option = "exclude_resource_type",
            value => match option {
                "select" => out.select.push(value.to_owned()),
                "exclude" => out.exclude.push(value.to_owned()),
                "selector" | "indirect_selection" => {
                    out.flags.insert(option.into(), json!(value));
                }
                list => {
                    let values = out.flags.entry(list).or_insert_with(|| json!([]));
                    values.as_array_mut().unwrap().push(json!(value));
                }
            },
        }
    }
    if ["state:", "result:", "source_status:"].iter().any(|s| line.iter().any(|w| w.contains(s))) {
        out.flags.insert("state".into(), json!(state));
    }
    out
}

#[test]
fn every_selection_of_the_project_is_dbts() {
    let world = World::new();
    world.copy_project("selection", "p");
    std::fs::create_dir_all(world.path("p/target")).unwrap();
    std::fs::copy(own().join("sources_now.json"), world.path("p/target/sources.json")).unwrap();
    let env = [("HOME", world.path("user")), ("DVT_PROFILES_DIR", world.path("home")), ("DBT_PROFILES_DIR", world.path("p")), ("DVT_PLUGIN_PATH", cli::plugins())];
    let env = env.into_iter().map(|(k, v)| (k.to_owned(), v.display().to_string())).collect();
    let base = Settings { which: "list".into(), project_dir: Some(world.path("p")), working_dir: world.path("p"), env, ..Settings::default() };
    let mut project = Project::load(base.clone()).unwrap_or_else(|e| panic!("{e:?}"));
    let expected: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(own().join("expected.json")).unwrap()).unwrap();
    let mut wrong = Vec::new();
    for case in &expected {
        let line: Vec<&str> = case["line"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
        project.settings = settings(&line, &base, &world.path("p/state"));
        let found = project.chosen();
        match (case.get("ids"), found) {
            (None, Err(_)) => {}
            (None, Ok(_)) => wrong.push(format!("{line:?}: dbt refuses it: {}", case["error"])),
            (Some(_), Err(e)) => wrong.push(format!("{line:?}: {e}")),
            (Some(ids), Ok(chosen)) => {
                let ids: BTreeSet<String> = ids.as_array().unwrap().iter().map(|i| i.as_str().unwrap().to_owned()).collect();
                let ours: BTreeSet<String> = chosen.ids.iter().map(ToString::to_string).collect();
                if ids != ours {
                    let missing: Vec<_> = ids.difference(&ours).collect();
                    let extra: Vec<_> = ours.difference(&ids).collect();
                    wrong.push(format!("{line:?}: missing {missing:?}, too many {extra:?}"));
                }
            }
        }
    }
    assert!(expected.len() >= 300, "{}", expected.len());
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), expected.len(), wrong.join("\n"));
}
