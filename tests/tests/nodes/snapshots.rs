//! Snapshots: blocks and declared ones, both strategies, deleted rows, other column names, a new column.

use crate::place::{PRODUCTS, Place};
use std::path::PathBuf;

const SNAPSHOTS: [&str; 4] = ["by_time", "by_check", "by_yaml", "by_all"];

/// As dbt-core left the table: hashes are left out, times of the run are `now`.
fn expected(table: &str) -> Vec<String> {
    let folder = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("projects/snapshots/expected");
    std::fs::read_to_string(folder.join(format!("{table}.txt"))).unwrap().lines().map(str::to_owned).collect()
}

fn table(place: &Place, product: &str, table: &str) -> Vec<String> {
    let (names, rows) = place.cells(product, &format!("select * from {table}"));
    let shown: Vec<usize> = (0..names.len()).filter(|i| !["dbt_scd_id", "sid"].contains(&names[*i].as_str())).collect();
    let cell = |text: &str| {
        let text = text.strip_suffix(".000000").unwrap_or(text);
        let time = text.len() > 10 && text.as_bytes()[4] == b'-' && text.as_bytes()[10] == b' ';
        if time && !text.starts_with("2024-") && !text.starts_with("9999-") { "now".to_owned() } else { text.to_owned() }
    };
    let mut lines: Vec<String> = rows.iter().map(|r| shown.iter().map(|i| cell(&r[*i])).collect::<Vec<_>>().join(" | ")).collect();
    lines.sort();
    lines.insert(0, shown.iter().map(|i| names[*i].clone()).collect::<Vec<_>>().join(" | "));
    lines
}

fn take(place: &Place, product: &str, config: &[&str]) {
    for day in 1..=3 {
        let vars = format!("day: {day}");
        let mut words = vec!["build", "--vars", vars.as_str()];
        words.extend(config);
        place.on(product, &words).ok();
    }
    for name in SNAPSHOTS {
        assert_eq!(table(place, product, name), expected(name), "{name} on {product}");
    }
    let left = place.dvt(&["snapshot", "--target", product, "--vars", "day: 3"]).ok();
    assert!(left.out.contains("PASS=4"), "{}", left.out);
}

#[test]
fn snapshots_are_what_dbt_makes_of_them_on_every_product() {
    let place = Place::of("snapshots");
    for product in PRODUCTS {
        take(&place, product, &[]);
    }
}

#[test]
fn a_snapshot_of_another_target_is_what_it_is_on_one() {
    let place = Place::of("snapshots");
    // The table is in the other database; the text of a snapshot is plain enough to be read in any dialect.
    let people = std::fs::read_to_string(place.world.path("p/models/people.sql")).unwrap();
    place.world.write("p/models/people.sql", &people.replace("materialized='table'", "materialized='table', target='other'"));
    for product in PRODUCTS {
        place.world.write(
            "p/dbt_project.yml",
            &format!("name: p\nprofile: p\nversion: '1.0'\nsnapshots: {{+target: {product}, +dialect: duckdb}}\n"),
        );
        let profiles = std::fs::read_to_string(place.world.path("home/profiles.yml")).unwrap();
        let default = profiles.find("  outputs:").unwrap();
        place.world.write("home/profiles.yml", &format!("p:\n  target: {product}\n{}", &profiles[default..]));
        for day in 1..=3 {
            let said = place.dvt(&["build", "--vars", &format!("day: {day}")]).ok();
            assert!(said.out.contains("by_time [federation]"), "{}", said.out);
        }
        for name in SNAPSHOTS {
            assert_eq!(table(&place, product, name), expected(name), "{name} into {product}");
        }
    }
}

#[test]
fn a_snapshot_without_strategy_or_over_a_view_says_so() {
    let block = "{% snapshot s %}{{ config(unique_key='id') }} select 1 as id{% endsnapshot %}";
    let place = Place::with(&[("snapshots/s.sql", block)]);
    place.dvt(&["snapshot"]).fails(1, &["DVT1011", "has no `strategy`"]);
    let block = "{% snapshot s %}{{ config(unique_key='id', strategy='check', check_cols='all') }} select 1 as id{% endsnapshot %}";
    place.world.write("p/snapshots/s.sql", block);
    place.world.write("p/models/s2.sql", "{{ config(alias='s') }} select 1 as id");
    place.dvt(&["snapshot"]).fails(2, &["would both be `s`"]);
}

#[test]
fn times_of_a_check_snapshot_have_no_zone() {
    let block = "{% snapshot s %}{{ config(unique_key='id', strategy='check', check_cols='all') }} select 1 as id{% endsnapshot %}";
    let place = Place::with(&[("snapshots/s.sql", block)]);
    place.on("duckdb", &["snapshot"]).ok();
    let types = place.lines("duckdb", "select distinct data_type from information_schema.columns where table_name = 's' and column_name in ('dbt_valid_from', 'dbt_valid_to', 'dbt_updated_at')");
    assert_eq!(types, ["TIMESTAMP"]);
}
