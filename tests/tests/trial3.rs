//! Trial 3 (SPEC section 10): init, parse, debug with every section, and each failure with a clear message.
#![allow(clippy::unwrap_used, missing_docs)]

mod cli;

use cli::World;

fn project() -> World {
    let world = World::new();
    world.dvt("", &["init", "shop"]).ok();
    world
}

#[test]
fn init_makes_a_project_that_parses_and_builds_at_once() {
    let world = project();
    for file in ["shop/dbt_project.yml", "home/profiles.yml", "home/computes.yml", "home/data/mdm.duckdb"] {
        assert!(world.path(file).is_file(), "{file}");
    }
    world.dvt("shop", &["parse"]).ok();
    assert!(world.path("shop/target/manifest.json").is_file());
    let built = world.dvt("shop", &["build"]).ok();
    assert!(built.out.contains("Done. PASS=5 WARN=0 ERROR=0 SKIP=0 NO-OP=0 TOTAL=5"), "{}", built.out);
    assert!(built.out.contains("sql table model main.customer_orders [federation]"), "{}", built.out);
}

#[test]
fn debug_shows_each_section_alone_and_all_of_them_together() {
    let world = project();
    let sections: [(&[&str], &str); 5] = [
        (&["--config"], "DVT home"),
        (&["--targets"], "orders_db: duckdb: OK"),
        (&["--computes"], "default: duckdb, active: starts"),
        (&["--manifest"], "models: 1"),
        (&["--connection", "orders_db"], "orders_db: duckdb: OK"),
    ];
    for (flags, words) in sections {
        let said = world.dvt("shop", &[&["debug"], flags].concat()).ok();
        assert!(said.out.contains(words), "{flags:?}: {}", said.out);
        let from_outside = world.dvt("", &[&["debug", "--project-dir", "shop"], flags].concat()).ok();
        assert!(from_outside.out.contains(words), "{flags:?}: {}", from_outside.out);
    }
    let all = world.dvt("shop/models", &["debug"]).ok().out;
    for heading in ["Configuration", "Targets", "Computes", "Manifest", "All checks passed"] {
        assert!(all.contains(heading), "{all}");
    }
    let config = world.dvt("shop", &["debug", "--config"]).ok().out;
    for line in ["project file", "profile: shop", "profiles.yml", "computes.yml", "metadata (MDM)"] {
        assert!(config.contains(line), "{config}");
    }
    assert!(!config.contains("Targets"), "{config}");
}

#[test]
fn init_refuses_a_bad_name_and_an_existing_folder_and_loses_nothing() {
    let world = project();
    for name in ["1shop", "my-shop", "a b", "../x", ""] {
        world.dvt("", &["init", name]).fails(2, &["DVT6006", "is no project name", "hint"]);
    }
    let before = std::fs::read_to_string(world.path("shop/dbt_project.yml")).unwrap();
    world.dvt("", &["init", "shop"]).fails(2, &["DVT6006", "exists"]);
    assert_eq!(std::fs::read_to_string(world.path("shop/dbt_project.yml")).unwrap(), before);
    let left: Vec<_> = std::fs::read_dir(world.folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert!(left.iter().all(|n| ["home", "shop", "user"].contains(&n.as_str())), "{left:?}");
}

#[test]
fn init_appends_to_files_of_a_person_and_never_overwrites() {
    let world = World::new();
    world.write("home/profiles.yml", "# mine\nother:\n  target: x\n");
    world.dvt("", &["init", "shop"]).ok();
    let profiles = std::fs::read_to_string(world.path("home/profiles.yml")).unwrap();
    assert!(profiles.starts_with("# mine\nother:\n  target: x\n") && profiles.contains("\nshop:\n"), "{profiles}");
    std::fs::remove_dir_all(world.path("shop")).unwrap();
    world.dvt("", &["init", "shop"]).ok();
    assert_eq!(std::fs::read_to_string(world.path("home/profiles.yml")).unwrap(), profiles);
}

#[test]
fn a_corrupt_project_file_is_named_with_its_place() {
    let world = project();
    world.write("shop/dbt_project.yml", "name: shop\nprofile: [unclosed\n");
    world.dvt("shop", &["parse"]).fails(2, &["DVT1002", "dbt_project.yml"]);
    world.dvt("shop", &["debug"]).fails(1, &["DVT1002", "dbt_project.yml", "check failed"]);
}

#[test]
fn a_missing_project_profile_or_target_is_named_with_advice() {
    let world = project();
    world.dvt("home", &["parse"]).fails(2, &["DVT1001", "dvt init"]);
    world.dvt("shop", &["parse", "--profile", "nope"]).fails(2, &["DVT1004", "`nope`", "shop"]);
    world.dvt("shop", &["run", "--target", "nope"]).fails(2, &["DVT2101", "`nope`", "main_db, orders_db"]);
    world.dvt("shop", &["--compute", "nope", "run"]).fails(2, &["DVT101", "`nope`", "default"]);
    world.dvt("shop", &["debug", "--connection", "nonexistent"]).fails(1, &["DVT2101", "`nonexistent`", "main_db, orders_db"]);
    std::fs::remove_file(world.path("home/profiles.yml")).unwrap();
    world.dvt("shop", &["parse"]).fails(2, &["DVT1004", "profiles.yml"]);
    world.dvt("shop", &["debug"]).fails(1, &["DVT1004"]);
}

#[test]
fn an_unusable_command_line_ends_with_code_2() {
    let world = project();
    world.dvt("shop", &["run", "--no-such-option"]).fails(2, &["--no-such-option"]);
    world.dvt("shop", &["run", "--vars", "[1]"]).fails(2, &["--vars"]);
    world.dvt("shop", &["explain-code", "DVT9999"]).fails(2, &["DVT9999"]);
    assert!(world.dvt("shop", &["explain-code", "5"]).ok().out.starts_with("DVT005"));
    assert_eq!(world.dvt("shop", &["--version"]).ok().out, "dvt 1.0.0\n");
}

#[test]
fn an_empty_selection_warns_and_succeeds() {
    let world = project();
    let said = world.dvt("shop", &["run", "-s", "nope"]).ok();
    assert!(said.all().contains("DVT2202"), "{}", said.all());
}
