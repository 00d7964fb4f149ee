//! Every template of the shared battery renders as dbt's own Jinja rendered it, errors included.
//!
//! Macros of a case go into a macro file and the rest into a model, as the battery's note asks.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stderr)]

use dvt_jinja::{Engine, parse};
use dvt_project::input::AdapterFacts;
use dvt_project::{ProjectInput, UniqueId};
use serde_json::Value;
use std::sync::Arc;

fn input(model: &str, macros: &str, context: &Value) -> ProjectInput {
    let mut input = ProjectInput { implicit_compute: "duckdb".into(), ..ProjectInput::default() };
    input.profiles = Some("p:\n  target: t\n  outputs:\n    t: {type: duckdb, schema: s, path: x.db}\n".into());
    input.files.insert("dbt_project.yml".into(), "name: shop\nprofile: p\n".into());
    // The battery's values are there as vars.
    let names = context.as_object().unwrap();
    let head: String = names.keys().map(|k| format!("{{%- set {k} = var('{k}') -%}}")).collect();
    input.files.insert("models/m.sql".into(), format!("{head}{model}"));
    if !macros.is_empty() {
        input.files.insert("macros/m.sql".into(), macros.into());
    }
    input.vars = names.clone();
    input.adapters.insert("duckdb".into(), AdapterFacts { dialect: "duckdb".into(), quote: ("\"".into(), "\"".into()), quoting: (true, true, true), ..AdapterFacts::default() });
    input
}

fn render(model: &str, macros: &str, context: &Value) -> Result<String, String> {
    let input = input(model, macros, context);
    let parsed = parse(&input).map_err(|e| e.iter().map(ToString::to_string).collect::<String>())?;
    let engine: &Engine = &parsed.engine;
    let manifest = Arc::clone(&parsed.manifest);
    assert!(manifest.nodes.contains_key(&UniqueId::from("model.shop.m")));
    engine.compile(&UniqueId::from("model.shop.m"), None).map(|c| c.sql).map_err(|e| e.to_string())
}

/// Rendered as a string of the project file: dbt's base context, no macros.
fn in_base_context(template: &str) -> Result<String, String> {
    let mut input = input("select 1", "", &serde_json::json!({}));
    input.files.insert("dbt_project.yml".into(), format!("name: shop\nprofile: p\nclean-targets: [\"{}\"]\n", template.replace('"', "\\\"")));
    parse(&input).map(|_| String::new()).map_err(|e| e.iter().map(ToString::to_string).collect())
}

/// Addresses in Python's output differ from run to run.
fn comparable(text: &str) -> String {
    let addresses = regex::Regex::new("<(generator object do_items|built-in method items of dict object) at 0x[0-9a-f]+>").unwrap();
    addresses.replace_all(text, "<items>").into_owned()
}

#[test]
fn every_template_renders_as_recorded() {
    let path = std::env::var("CARGO_MANIFEST_DIR").unwrap() + "/../../../shared/jinja/battery.json";
    let battery: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("the battery is in ../shared")).unwrap();
    let cases = battery["cases"].as_array().unwrap();
    assert!(cases.len() >= 142, "the battery has {} cases", cases.len());
    let mut failed = Vec::new();
    for case in cases {
        let template = case["template"].as_str().unwrap();
        let (macros, model) = match case.get("macros") {
            Some(_) => template.rfind("{% endmacro %}").map(|at| template.split_at(at + "{% endmacro %}".len())).unwrap(),
            None => ("", template),
        };
        // Recorded without dbt's macros: those are there in a model, so it is asked where they are not.
        let got = if template.starts_with("{% call statement(") { in_base_context(template) } else { render(model, macros, &battery["context"]) };
        let fine = match (case.get("render").and_then(Value::as_str), &got) {
            (Some(want), Ok(got)) => comparable(want) == comparable(got),
            (None, Err(_)) => true,
            _ => false,
        };
        if !fine {
            failed.push(format!("{template}\n  want {}\n  got  {got:?}", case.get("render").unwrap_or(&case["error"])));
        }
    }
    assert!(failed.is_empty(), "{} of {} differ:\n{}", failed.len(), cases.len(), failed.join("\n"));
}

/// Rendered by CPython 3.11's `re`.
#[test]
fn patterns_keep_their_flags_and_escape_as_pythons() {
    for (template, wanted) in [
        ("{{ modules.re.match('A(b)', 'ab', modules.re.I).group(1) }}", "b"),
        ("{{ modules.re.compile('a.c', modules.re.S).match('a\\nc').span() }}", "(0, 3)"),
        ("{{ modules.re.fullmatch('a # one\\n b', 'ab', modules.re.X) is none }}", "False"),
        ("{{ modules.re.match('a # last', 'ab', modules.re.X).group() }}", "a"),
        ("{{ modules.re.escape('a b-c.d/é') }}", "a\\ b\\-c\\.d/é"),
        ("{{ modules.re.search('\\\\w+', '-é-').group() }}", "é"),
    ] {
        assert_eq!(render(template, "", &serde_json::json!({})).as_deref(), Ok(wanted), "{template}");
    }
}

/// Rendered by Jinja2 3.1 on CPython 3.11.
#[test]
fn formats_filters_and_methods_are_those_of_jinja2() {
    for (template, wanted) in [
        ("{{ '%r %s' % ('x', 'y') }}", "'x' y"),
        ("{{ '%5r|' % 'x' }}", "  'x'|"),
        ("{{ '%(a)r %(b)s' % {'a': 'q', 'b': 'z'} }}", "'q' z"),
        ("{{ '%%r %r' % 1 }}", "%r 1"),
        ("{{ '{0!r} {1}'.format('a', 'b') }}", "'a' b"),
        ("{{ '{!r:>5} {}'.format('a', 'b') }}", "  'a' b"),
        ("{{ '{x!s}'.format(x=1) }}", "1"),
        ("{{ '{a}-{b}'.format_map({'a': 1, 'b': 2}) }}", "1-2"),
        ("{{ 'abc'.translate({97: 'X', 98: none}) }}", "Xc"),
        ("{{ 'a\tb'.expandtabs(4) }}|", "a   b|"),
        ("{{ 'a b/c?ü' | urlencode }}", "a%20b/c%3F%C3%BC"),
        ("{{ {'a b': 'c d', 'e': 1} | urlencode }}", "a+b=c+d&e=1"),
        ("{{ 12345678 | filesizeformat }} {{ 1 | filesizeformat }} {{ 12345678 | filesizeformat(true) }}", "12.3 MB 1 Byte 11.8 MiB"),
        ("{{ 'the quick brown fox jumps' | wordwrap(10) }}", "the quick\nbrown fox\njumps"),
        ("{{ 'abcdefghijklmnop qr' | wordwrap(5) }}", "abcde\nfghij\nklmno\np qr"),
        ("{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}", "abab"),
        ("{{ 'abc' is sequence }} {{ {} is sequence }} {{ [] is sequence }} {{ 3 is sequence }}", "True True True False"),
        ("{{ zip(1, 2, default='z') }}", "z"),
        ("{{ modules.datetime.date(2024, 12, 30).isocalendar() }}", "(2025, 1, 1)"),
        ("{{ 1e20 }} {{ 1e-7 }} {{ [1.5e16, 0.0001, 2.0] }} {{ 1e20 | string }}", "1e+20 1e-07 [1.5e+16, 0.0001, 2.0] 1e+20"),
        ("{{ context['project_name'] }} {{ context.get('nothing_such', 1) }}", "shop 1"),
    ] {
        assert_eq!(render(template, "", &serde_json::json!({})).as_deref(), Ok(wanted), "{template}");
    }
}
