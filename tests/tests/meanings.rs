//! The 63 expressions in four dialects of models: on the embedded compute each answers as one server of the dialect does, type
//! included, or is refused with DVT003; nothing is silently another. For Spark what it would be given stands below it.
//! The table is `tests/pushdown/expressions.md` (`DVT_GOLDEN=write` renews it).
#![allow(clippy::unwrap_used, missing_docs)]

mod answers;
#[path = "../../host/engine/tests/servers/mod.rs"]
mod servers;
#[path = "../../planner-wasm/planner/tests/cases/tables.rs"]
#[allow(dead_code, reason = "not every test reads columns one by one")]
mod tables;
mod translated;
#[path = "translated/products.rs"]
mod products;
#[path = "translated/sixty_three.rs"]
mod sixty_three;

use answers::Product;
use products::Planner;
use sixty_three::{DIALECTS, EXPRESSIONS, alone, fate, in_words};
use std::fmt::Write as _;

/// What stands for the expression in a text.
fn column(sql: &str) -> &str {
    let from = sql.find(", ").map_or(0, |i| i + 2);
    let to = ["\"x\" FROM", "`x` FROM"].iter().find_map(|end| sql.find(end)).map_or(sql.len(), |i| i - " AS ".len());
    &sql[from..to]
}

#[test]
fn each_of_63_expressions_means_what_it_means_in_its_dialect_or_is_refused() {
    let (server, maria) = (servers::PostgresServer::start(), servers::mariadb::MariadbServer::start());
    let mut truths: [Product; 4] = [products::postgres(&server), products::mariadb(&maria), products::sqlite(), products::duckdb()];
    let (planner, mut compute) = (Planner::new(), products::duckdb());
    let (mut table, mut spark, mut wrong) = (String::new(), String::new(), String::new());
    let shown = |text: &str| text.replace('|', "\\|");
    for row in &EXPRESSIONS {
        let mut cells = Vec::new();
        for (i, dialect) in DIALECTS.into_iter().enumerate() {
            let Some(expression) = in_words(row, i) else {
                cells.push("–".to_owned());
                continue;
            };
            let told = fate(&planner, expression, dialect, "duckdb", &mut compute, &mut truths[i]).unwrap_or_else(|why| {
                let _ = writeln!(wrong, "{why}");
                "differs"
            });
            cells.push(if expression == row.0 { told.to_owned() } else { format!("`{}`: {told}", shown(expression)) });
            let given = planner.text(&alone(expression), dialect, "spark").map_or_else(|_| "refused".to_owned(), |sql| format!("`{}`", column(&sql)));
            let _ = writeln!(spark, "- {dialect} `{expression}`: {given}");
        }
        let _ = writeln!(table, "| `{}` | {} |", shown(row.0), cells.join(" | "));
    }
    assert!(wrong.is_empty(), "{wrong}");
    let page = format!(
        "# 63 expressions in four dialects\n\nMade by `tests/tests/meanings.rs` (`DVT_GOLDEN=write` renews it): each expression in a model of a dialect, computed by the embedded\nDuckDB, against a server of that dialect. *equal*: the same values of the same types. *refused*: DVT003 before anything moves.\n*fails in both*: an error there and here. *stops*: an error here before an answer that could be another. –: the dialect has no\nsuch expression. The first 17 are those that differ between PostgreSQL and DuckDB.\n\n| in PostgreSQL's words | {} |\n|---|---|---|---|---|\n{table}\n## What Spark is given\n\n{spark}",
        DIALECTS.join(" | ")
    );
    let file = tables::root().join("tests/pushdown/expressions.md");
    if std::env::var("DVT_GOLDEN").is_ok_and(|v| v == "write") {
        std::fs::write(&file, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap_or_default(), page, "renew {} by DVT_GOLDEN=write, and read the difference", file.display());
}
