//! dbt's cross-database functions where no adapter of dbt's own says what they give: the answers are those of the others.

use crate::place::Place;

/// What it is, the expression, the answer as the product's own text, or nothing for NULL.
const CASES: [(&str, &str, &str); 20] = [
    ("concat", "dbt.concat([\"'a'\", \"'b'\"])", "ab"),
    ("length", "dbt.length(\"'aé'\")", "2"),
    ("position", "dbt.position(\"'b'\", \"'abc'\")", "2"),
    ("right", "dbt.right(\"'abc'\", 2)", "bc"),
    ("replace", "dbt.replace(\"'abc'\", \"'b'\", \"'x'\")", "axc"),
    ("a day later", "dbt.dateadd('day', 2, \"'2024-02-28'\")", "2024-03-01"),
    ("a week later", "dbt.dateadd('week', 1, \"'2024-02-28'\")", "2024-03-06"),
    ("a month later", "dbt.dateadd('month', 1, \"'2024-01-31'\")", "2024-02-29"),
    ("a quarter later", "dbt.dateadd('quarter', 1, \"'2024-01-31'\")", "2024-04-30"),
    ("a year earlier", "dbt.dateadd('year', -1, \"'2024-02-29'\")", "2023-02-28"),
    ("start of the quarter", "dbt.date_trunc('quarter', \"'2024-05-31'\")", "2024-04-01"),
    ("start of the week", "dbt.date_trunc('week', \"'2024-01-07'\")", "2024-01-01"),
    ("end of the month", "dbt.last_day(\"'2024-02-03'\", 'month')", "2024-02-29"),
    ("end of the quarter", "dbt.last_day(\"'2024-02-03'\", 'quarter')", "2024-03-31"),
    ("years between", "dbt.datediff(\"'2023-12-31'\", \"'2024-01-01'\", 'year')", "1"),
    ("quarters between", "dbt.datediff(\"'2023-12-31'\", \"'2024-07-01'\", 'quarter')", "3"),
    ("weeks between", "dbt.datediff(\"'2024-01-06'\", \"'2024-01-07'\", 'week')", "1"),
    ("no week between", "dbt.datediff(\"'2024-01-07'\", \"'2024-01-13 23:59:59'\", 'week')", "0"),
    ("days between", "dbt.datediff(\"'2024-02-28 23:00:00'\", \"'2024-03-01 01:00:00'\", 'day')", "2"),
    ("hours between", "dbt.datediff(\"'2024-02-28 23:59:00'\", \"'2024-02-29 01:00:00'\", 'hour')", "2"),
];

/// `a,b` in the order of the names, whichever order the rows have.
const LISTED: &str = "select {{ dbt.listagg('name', \"','\", 'order by name') }} as got from (select 'b' as name union all select 'a') as names";

#[test]
fn cross_database_functions_give_on_mysql_and_sqlite_what_they_give_elsewhere() {
    let selects: Vec<String> = CASES.iter().map(|(name, call, _)| format!("select '{name}' as name, {{{{ {call} }}}} as got")).collect();
    let parts = "select {{ dbt.split_part(\"'a,b,c'\", \"','\", 2) }}, {{ dbt.split_part(\"'a,b,c'\", \"','\", -1) }}, {{ dbt.split_part(\"'a,b,c'\", \"','\", 4) }}, {{ dbt.split_part(\"'a,b,c'\", \"','\", -3) }}";
    let place = Place::with(&[("models/one.sql", "select 1 as id"), ("analyses/answers.sql", &selects.join("\nunion all\n")), ("analyses/listed.sql", LISTED), ("analyses/parts.sql", parts)]);
    for product in ["mysql", "sqlite"] {
        place.on(product, &["run"]).ok();
        place.on(product, &["compile"]).ok();
        let compiled = |name: &str| std::fs::read_to_string(place.world.path(&format!("p/target/compiled/p/analyses/{name}.sql"))).unwrap();
        for (part, (name, _, wanted)) in compiled("answers").split("union all").zip(CASES) {
            let (_, rows) = place.cells(product, part);
            let got = rows[0][1].trim_end_matches(" 00:00:00").trim_end_matches(".0");
            assert_eq!(got.trim_end_matches(" 00:00:00.000000"), wanted, "{name} on {product}: {part}");
        }
        assert_eq!(place.lines(product, &compiled("listed")), ["a,b"], "{product}");
        if product == "mysql" {
            assert_eq!(place.lines(product, &compiled("parts")), ["b | c |  | a"]);
        }
    }
}

#[test]
fn what_a_function_cannot_do_on_a_product_is_said_and_not_left_out() {
    for (call, said) in [("dbt.listagg('x', \"','\", none, 2)", "limit_num"), ("dbt.dateadd('fortnight', 1, 'x')", "fortnight")] {
        let place = Place::with(&[("models/m.sql", &format!("select {{{{ {call} }}}} as y"))]);
        place.on("sqlite", &["compile"]).fails(2, &[said]);
    }
}
