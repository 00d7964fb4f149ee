//! Queries over real databases in several ways: with pushdown, without, with each rule taken away, and on one server of the
//! model's dialect that holds all tables. The answers must be equal as multisets of rows, types included; in another dialect
//! than the compute's a model may also be refused with DVT003, which `tests/pushdown/dialects.md` records
//! (`DVT_GOLDEN=write` renews it).
//!
//! The tables stand in several placements over PostgreSQL, MariaDB, SQLite and DuckDB; the data is hostile: NULL, empty and
//! padded text, case, ß and İ, collations that ignore case, −0.0, NaN, extremes, hours of summer time, 9999-12-31, duplicates.
//! The golden cases of `tests/pushdown` run too.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../../host/engine/tests/servers/mod.rs"]
mod servers;
mod split;
#[path = "split/queries.rs"]
mod queries;

use dvt_diagnostic::Code;
use dvt_engine::connect;
use dvt_planner::pushdown::verdict::{Rule, Rules};
use queries::QUERIES;
use split::spoken::{self, Spoken};
use split::{Placement, World, shown};
use std::fmt::Write as _;

/// A query, and how it is compared.
struct Asked {
    sql: String,
    /// Which rows it gives is not fixed: only their number is compared.
    open: bool,
    /// It runs in every way.
    own: bool,
}

/// The golden cases in a dialect, without those that never end over this data.
fn golden(spoken: Spoken) -> Vec<Asked> {
    let folder = std::path::PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("pushdown");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).filter(|p| !p.ends_with("README.md")).collect();
    files.sort();
    let texts = files.iter().map(|f| std::fs::read_to_string(f).unwrap());
    let cases: Vec<String> = texts.flat_map(|t| t.split("```sql\n").skip(1).map(|c| c.split("```").next().unwrap().trim().to_owned()).collect::<Vec<_>>()).collect();
    cases
        .into_iter()
        .filter_map(|case| match case.strip_prefix("-- dialect: ") {
            Some(rest) => rest.split_once('\n').filter(|(dialect, _)| dialect.trim() == spoken.dialect).map(|(_, sql)| sql.to_owned()),
            None => Some(case).filter(|_| spoken == spoken::DUCKDB),
        })
        .filter(|sql| !sql.contains("place") && !sql.contains("elsewhere") && !sql.contains("recursive") && !sql.contains("main.orders"))
        .map(|sql| {
            let open = [" limit ", "random()", "any_value", "distinct on", "row_number"].iter().any(|w| sql.contains(w));
            Asked { sql, open, own: false }
        })
        .collect()
}

/// What became of the queries of one dialect.
#[derive(Default)]
struct Told {
    runs: usize,
    answered: usize,
    /// Not answered by the one server that holds all tables.
    unread: usize,
    /// Of these what is answered here, with what that server says.
    more: Vec<(String, String)>,
    /// With the first reason.
    refused: Vec<(String, String)>,
    /// Rows moved with pushdown and without.
    with: u64,
    without: u64,
    failures: Vec<String>,
}

impl Told {
    fn run(&mut self, world: &World, placement: &Placement, asked: &Asked, truth: &[String], toggled: bool) {
        let mut ways: Vec<(Rules, bool)> = vec![(Rules::default(), false)];
        if asked.own {
            ways.push((Rules::default(), true));
        }
        if asked.own && toggled {
            ways.extend(Rule::ALL.map(|rule| (Rules { off: vec![rule], ..Rules::default() }, false)));
        }
        let query = &asked.sql;
        let mut seen = Vec::new();
        for (rules, no_pushdown) in ways {
            let way = format!("{} over {placement:?}, {:?} off, without pushdown: {no_pushdown}", world.spoken.dialect, rules.off);
            let plan = match world.plan(query, placement, &rules, no_pushdown) {
                Ok(plan) => plan,
                Err(e) if matches!(e.code, Code::NotTranslatable | Code::SqlSyntax) && world.spoken != spoken::DUCKDB => {
                    if self.refused.last().is_none_or(|(last, _)| last != query) {
                        self.refused.push((query.clone(), e.message));
                    }
                    continue;
                }
                Err(e) => return self.failures.push(format!("{query}\n  {way}: {e}")),
            };
            // A rule that does nothing here makes the plan that has been run.
            if seen.contains(&plan) {
                continue;
            }
            self.runs += 1;
            match world.run(&plan) {
                Ok((rows, computed)) => {
                    // A text that is sent as it is comes back untyped here.
                    let open = asked.open || (!plan.delegates.is_empty() && world.spoken != spoken::DUCKDB);
                    if if open { rows.len() != truth.len() } else { rows != truth } {
                        return self.failures.push(format!("{query}\n  {way}\n{}\n  answers {rows:#?}\n  truth {truth:#?}", shown(&plan)));
                    }
                    let moved = computed.movements.iter().map(|m| m.rows).sum::<u64>();
                    if asked.own && rules.off.is_empty() {
                        *(if no_pushdown { &mut self.without } else { &mut self.with }) += moved;
                    }
                }
                Err(e) => return self.failures.push(format!("{query}\n  {way}\n{}\n  fails: {e}", shown(&plan))),
            }
            seen.push(plan);
        }
    }
}

/// Every query in a dialect over its placements; rules are taken away in the first two.
fn every(spoken: Spoken, placements: &[Placement]) -> Told {
    let world = World::start_in(true, spoken);
    let texts = QUERIES.iter().chain(queries::own(spoken.dialect));
    let mut asked: Vec<Asked> = texts.map(|q| Asked { sql: (*q).to_owned(), open: false, own: true }).collect();
    asked.extend(golden(spoken));
    let mut told = Told::default();
    for asked in &asked {
        let mut read = false;
        for (number, placement) in placements.iter().enumerate() {
            if !asked.own && number % 2 == 1 {
                continue;
            }
            // A golden case may be one that no database answers, a query one of another dialect.
            match world.truth_of(&asked.sql, placement) {
                Err(why) if spoken == spoken::DUCKDB => assert!(!asked.own, "{}: {why}", asked.sql),
                Err(why) => {
                    let answered = world.plan(&asked.sql, placement, &Rules::default(), false).is_ok_and(|p| p.delegates.is_empty() && world.run(&p).is_ok());
                    if answered && told.more.last().is_none_or(|(last, _)| *last != asked.sql) {
                        told.more.push((asked.sql.clone(), why));
                    }
                }
                Ok(truth) => {
                    read = true;
                    told.run(&world, placement, asked, &truth, number < 2);
                }
            }
        }
        *(if read { &mut told.answered } else { &mut told.unread }) += 1;
    }
    let failures = &told.failures;
    assert!(failures.is_empty(), "{} of {} runs of {} queries failed:\n{}", failures.len(), told.runs, asked.len(), failures[..failures.len().min(20)].join("\n"));
    assert!(told.with < told.without, "pushdown must move less: {} of {} rows, {} runs", told.with, told.without, told.runs);
    told
}

#[test]
fn every_query_answers_the_same_however_it_is_planned() {
    let placements = [
        ["pg", "lite", "duck", "pg", "pg"],
        ["duck", "pg", "my", "my", "my"],
        ["pg", "duck", "my", "pg", "my"],
        ["duck", "lite", "lite", "duck", "duck"],
    ];
    let told = every(spoken::DUCKDB, &placements);
    assert!(told.runs > QUERIES.len() * 10 && told.refused.is_empty(), "{} runs", told.runs);
}

#[test]
fn models_in_other_dialects_answer_as_their_product_does_or_are_refused() {
    let dialects: [(Spoken, [Placement; 3]); 3] = [
        (spoken::POSTGRES, [["pg", "lite", "duck", "pg", "pg"], ["duck", "pg", "my", "my", "pg"], ["pg", "duck", "pg", "lite", "duck"]]),
        (spoken::MYSQL, [["my", "lite", "pg", "my", "my"], ["duck", "pg", "my", "my", "pg"], ["pg", "duck", "lite", "duck", "my"]]),
        (spoken::SQLITE, [["lite", "pg", "my", "lite", "lite"], ["pg", "lite", "duck", "my", "pg"], ["duck", "lite", "lite", "duck", "my"]]),
    ];
    let (mut counts, mut reasons) = (String::new(), String::new());
    for (spoken, placements) in dialects {
        let told = every(spoken, &placements);
        let all = told.answered + told.unread;
        let _ = writeln!(counts, "| {} | {all} | {} | {} | {} |", spoken.dialect, told.answered - told.refused.len(), told.refused.len(), told.unread);
        let _ = writeln!(reasons, "\n## {}\n", spoken.dialect);
        for (query, why) in &told.refused {
            let why = why.split("; the model is written in").next().unwrap_or_default();
            let _ = writeln!(reasons, "- `{}`: {why}", query.replace('\n', " ").replace('`', "´"));
        }
        if !told.more.is_empty() {
            let _ = writeln!(reasons, "\nAnswered here, not by the product:\n");
        }
        for (query, why) in &told.more {
            let _ = writeln!(reasons, "- `{}`: {}", query.replace('\n', " ").replace('`', "´"), why.lines().next().unwrap_or_default().replace('`', "´"));
        }
    }
    let page = format!(
        "# Models in other dialects\n\nMade by `tests/tests/differential.rs` (`DVT_GOLDEN=write` renews it). Every query of the suite as a model of a dialect, over sources on\nfour products, against one server of that dialect which holds all tables: equal in every way of planning, or refused with DVT003.\nWhat is no text of the dialect is counted as unread.\n\n| dialect | queries | equal | refused | unread |\n|---|---|---|---|---|\n{counts}{reasons}"
    );
    let file = std::path::PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("pushdown/dialects.md");
    if std::env::var("DVT_GOLDEN").is_ok_and(|v| v == "write") {
        std::fs::write(&file, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap_or_default(), page, "renew {} by DVT_GOLDEN=write, and read the difference", file.display());
}

#[test]
fn a_source_that_fails_names_itself_and_the_rest_stops() {
    let mut world = World::start(true);
    let placement = ["pg", "lite", "duck", "pg", "pg"];
    let run = |world: &World, query: &str| world.run(&world.plan(query, &placement, &Rules::default(), false).unwrap()).unwrap_err();
    let query = "select o.id, c.name from {orders} o join {customers} c on o.customer_id = c.id";
    connect(&world.specs["lite"]).unwrap().execute("insert into customers values ('x', 'a', 'b', 1, null, null)").unwrap();
    let error = run(&world, query);
    assert_eq!(error.code, Code::PrecisionLost);
    assert!(error.message.contains("`customers` of target `lite`") && error.message.contains("`id`"), "{error}");

    connect(&world.specs["lite"]).unwrap().execute("drop table customers").unwrap();
    assert_eq!(run(&world, query).code, Code::RelationMissing);

    world.specs.get_mut("pg").unwrap().options.insert("port".into(), "1".into());
    let error = run(&world, "select o.id from {orders} o join {items} i on i.order_id = o.id");
    assert_eq!(error.code, Code::ConnectionFailed);
    assert!(error.hint.is_some());
}
