//! A parse that may use the earlier one equals a parse that may not, after any edit.
#![allow(clippy::unwrap_used, missing_docs)]

use dvt_jinja::{parse, parse_with};
use dvt_project::ProjectInput;
use dvt_project::artifacts::{ArtifactMeta, manifest_json};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

fn project() -> ProjectInput {
    let mut input = ProjectInput { implicit_compute: "embedded".into(), ..ProjectInput::default() };
    input.profiles = Some("p:\n  target: a\n  outputs:\n    a: {type: some, schema: s}\n    b: {type: some, schema: \"{{ env_var('SCHEMA', 't') }}\"}\n".into());
    let mut put = |path: &str, text: &str| input.files.insert(path.to_owned(), text.to_owned());
    put("dbt_project.yml", "name: shop\nprofile: p\nvars: {day: monday}\nmodels: {+tags: [x]}\n");
    put("models/a.sql", "select '{{ var('day') }}' as d, '{{ env_var('REGION', 'eu') }}' as r");
    put("models/b.sql", "{{ config(tags=['own']) }} select {{ half('id') }} from {{ ref('a') }}");
    put("models/c.sql", "select * from {{ ref('b') }} {% if flags.FULL_REFRESH %} where true {% endif %}");
    put("models/s.yml", "models:\n  - name: a\n    description: \"{{ doc('grain') }}\"\n    columns:\n      - name: d\n        data_tests: [not_null, unique]\n");
    put("models/d.md", "{% docs grain %}one row{% enddocs %}");
    put("macros/m.sql", "{% macro half(x) %}{{ x }} / 2{% endmacro %}");
    put("seeds/codes.csv", "id\n1\n");
    input
}

/// What the manifest says, or the messages of a parse that failed.
fn told(result: Result<dvt_jinja::Parsed, Vec<dvt_diagnostic::Diagnostic>>, input: &ProjectInput) -> (Value, bool, Option<Vec<u8>>) {
    match result {
        Ok(parsed) => {
            let manifest = manifest_json(&parsed.manifest, &BTreeMap::new(), ArtifactMeta { input, generated_at: "now" });
            let id = parsed.manifest.nodes.keys().find(|id| id.as_str() == "model.shop.b").cloned();
            let sql = id.map(|id| parsed.engine.compile(&id, None).map(|c| c.sql).map_err(|e| e.message));
            let warnings: Vec<String> = parsed.warnings.iter().map(ToString::to_string).collect();
            (json!({"manifest": manifest, "sql": format!("{sql:?}"), "warnings": warnings}), parsed.reused, parsed.cache)
        }
        Err(errors) => (json!(errors.iter().map(ToString::to_string).collect::<Vec<_>>()), false, None),
    }
}

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

fn edit(input: &mut ProjectInput, numbers: &mut Numbers) {
    let pick = |n: &mut Numbers, of: &[&str]| of[n.below(of.len())].to_owned();
    match numbers.below(15) {
        0 => drop(input.files.insert("models/a.sql".into(), format!("select {} as d", numbers.below(3)))),
        1 => drop(input.files.insert("models/b.sql".into(), format!("select * from {{{{ ref('{}') }}}}", pick(numbers, &["a", "nowhere", "codes"])))),
        2 => drop(input.files.insert("macros/m.sql".into(), format!("{{% macro half(x) %}}{{{{ x }}}} / {}{{% endmacro %}}", 2 + numbers.below(2)))),
        3 => drop(input.files.insert("models/s.yml".into(), pick(numbers, &["", "models: [{name: a, tests: [unique: {column_name: d}]}]", "models: [", "models: [{name: b, config: {enabled: false}}]"]))),
        4 => drop(input.vars.insert("day".into(), json!(pick(numbers, &["monday", "friday"])))),
        5 => drop(input.vars.shift_remove("day")),
        6 => drop(input.env.insert("REGION".into(), pick(numbers, &["eu", "us"]))),
        7 => drop(input.env.insert("SCHEMA".into(), pick(numbers, &["t", "u"]))),
        8 => drop(input.env.insert("UNRELATED".into(), numbers.below(9).to_string())),
        9 => input.target = Some(pick(numbers, &["a", "b"])),
        10 => drop(input.files.insert("models/d.md".into(), format!("{{% docs grain %}}{}{{% enddocs %}}", numbers.below(3)))),
        11 => drop(input.files.insert("dbt_project.yml".into(), format!("name: shop\nprofile: p\nvars: {{day: monday}}\nmodels: {{+materialized: {}}}\n", pick(numbers, &["table", "view"])))),
        12 => drop(input.invocation.flags.insert("full_refresh".into(), json!(numbers.below(2) == 1))),
        13 => drop(input.invocation.flags.insert("store_failures".into(), json!(numbers.below(2) == 1))),
        _ => input.invocation.id = numbers.below(99).to_string(),
    }
}

#[test]
fn after_random_edits_the_kept_parse_equals_a_cold_one() {
    let mut numbers = Numbers(7);
    let mut input = project();
    let mut kept: Option<Vec<u8>> = None;
    let (mut reused, mut fresh) = (0, 0);
    for step in 0..300 {
        let shared = Arc::new(input.clone());
        let (cold, _, _) = told(parse(&input), &input);
        let (warm, was_reused, cache) = told(parse_with(&shared, kept.clone()), &input);
        assert_eq!(warm, cold, "step {step}");
        kept = cache.or(kept);
        if was_reused {
            reused += 1;
        } else {
            fresh += 1;
        }
        edit(&mut input, &mut numbers);
    }
    assert!(reused > 20 && fresh > 100, "{reused} reused, {fresh} fresh");
}

#[test]
fn bytes_of_something_else_are_not_used() {
    let input = Arc::new(project());
    let cache = parse_with(&input, None).unwrap().cache.unwrap();
    assert!(parse_with(&input, Some(cache.clone())).unwrap().reused);
    for bytes in [&b""[..], b"x", &cache[..cache.len() / 2], &cache[..40]] {
        assert!(!parse_with(&input, Some(bytes.to_vec())).unwrap().reused);
    }
}
