//! What others do to a run: the source's connection, its columns, the target's table, a second run.

use super::matrix;
use super::product::{Old, Postgres, Product};
use super::proxy::{Proxy, Verdict, When};
use super::run::{FAULTS, Running, meet};
use super::scenario::{SCENARIOS, Scenario, Stage, settled};
use super::speech;
use super::steps::{state, survive};
use std::collections::BTreeSet;
use std::sync::Arc;

fn scenario(name: &str) -> &'static Scenario {
    SCENARIOS.iter().find(|s| s.name == name).expect("a scenario of that name")
}

/// A row: what befell, what was done, what was found.
type Row = Vec<String>;

/// Stops a run where it begins to read its source: it is planned, nothing is written yet. `meanwhile` is what others do then.
fn in_between(stage: &Stage<'_>, from: &Arc<Proxy>, meanwhile: &mut dyn FnMut()) -> super::run::Ended {
    from.arm(None);
    stage.dvt().ok();
    let read = from.steps().iter().rposition(|s| s.starts_with("BEGIN")).expect("a read");
    stage.product.restore(stage.scenario.old);
    from.arm(Some((read, When::Before)));
    let run = Running::start(stage.world.command("p", stage.scenario.words), std::slice::from_ref(from));
    assert!(from.stopped().is_some(), "the run ended before it read");
    meanwhile();
    from.release(Verdict::Go);
    let ended = run.end();
    from.arm(None);
    ended
}

pub fn what_others_do(product: &dyn Product, source: &Postgres) {
    let from = Arc::new(Proxy::before(source.server.port, speech::postgres));
    let to = product.server().map(|(port, speak)| Arc::new(Proxy::before(port, speak)));
    let port = to.as_ref().map_or(0, |t| t.port);
    let mut rows: Vec<Row> = Vec::new();
    source_connection(product, source, &from, port, &mut rows);
    source_changes(product, source, &from, port, &mut rows);
    target_changes(product, source, &from, port, &mut rows);
    two_runs(product, source, &from, to.as_ref(), port, &mut rows);
    matrix::compare(&format!("{}, others", product.name()), &["what is built", "what befell it", "how the run ended", "the target afterwards"], &rows);
}

fn how(ended: &super::run::Ended) -> String {
    match ended.code {
        None => "killed".to_owned(),
        Some(0) => "done".to_owned(),
        Some(_) => ended.told.split(|c: char| !c.is_ascii_alphanumeric()).find(|w| w.starts_with("DVT") && w.len() > 3).unwrap_or("failed").to_owned(),
    }
}

fn source_connection(product: &dyn Product, source: &Postgres, from: &Arc<Proxy>, port: u16, rows: &mut Vec<Row>) {
    let scenario = scenario("federated table");
    let stage = Stage::set(product, source, scenario, from, port);
    product.restore(scenario.old);
    from.arm(None);
    stage.dvt().ok();
    let steps = from.steps();
    product.restore(scenario.old);
    for fault in FAULTS {
        let (mut found, mut ends) = (BTreeSet::new(), BTreeSet::new());
        for (at, step) in steps.iter().enumerate() {
            let what = format!("source / step {} of {}: {step} / {fault:?}", at + 1, steps.len());
            let ended = meet(&stage, from, source, at, fault);
            ends.insert(how(&ended));
            settled(source.direct().as_mut(), &what);
            found.insert(survive(&stage, &what, &ended));
        }
        let list = |set: BTreeSet<String>| set.into_iter().collect::<Vec<_>>().join(", ");
        let found = found.into_iter().map(str::to_owned).collect();
        rows.push(vec![scenario.name.to_owned(), format!("source: {fault:?} at each of its {} messages", steps.len()), list(ends), list(found)]);
    }
}

fn source_changes(product: &dyn Product, source: &Postgres, from: &Arc<Proxy>, port: u16, rows: &mut Vec<Row>) {
    let changes = [
        ("a column is dropped between plan and read", "alter table src.big drop column note"),
        ("a column becomes a number between plan and read", "alter table src.big alter column note type int using length(note)"),
        ("the table is dropped between plan and read", "drop table src.big"),
    ];
    for name in ["federated table", "federated incremental, merge"] {
        let scenario = scenario(name);
        let stage = Stage::set(product, source, scenario, from, port);
        for (what, sql) in changes {
            product.restore(scenario.old);
            let ended = in_between(&stage, from, &mut || source.direct().run(sql).unwrap());
            assert_eq!(ended.code, Some(1), "{what}: {}", ended.told);
            let told = how(&ended);
            stage.source_is_as_it_was(source);
            rows.push(vec![name.to_owned(), what.to_owned(), told, survive(&stage, what, &ended).to_owned()]);
        }
    }
}

/// The rows without the column that another session dropped.
fn narrow(stage: &Stage<'_>) -> Option<Vec<String>> {
    stage.product.direct().rows(&format!("select id, note from {}.wide order by id, note", stage.product.schema())).ok()
}

fn without_last(row: &str) -> String {
    row.rsplit_once('|').map_or_else(|| row.to_owned(), |(start, _)| start.to_owned())
}

fn target_changes(product: &dyn Product, source: &Postgres, from: &Arc<Proxy>, port: u16, rows: &mut Vec<Row>) {
    let s = product.schema();
    let others = ["7|other|NULL".to_owned()];
    let changes = [
        ("another session drops the table", format!("drop table {s}.wide")),
        ("another session puts a view in its place", format!("drop table {s}.wide; create view {s}.wide as select 7 as id, 'other' as note, null as name")),
        ("another session adds a column", format!("alter table {s}.wide add column extra integer")),
        ("another session drops a column", format!("alter table {s}.wide drop column name")),
    ];
    for name in ["federated table", "federated incremental, append", "federated incremental, merge"] {
        let scenario = scenario(name);
        let stage = Stage::set(product, source, scenario, from, port);
        for (what, sql) in &changes {
            product.restore(scenario.old);
            let mut kept_out = None;
            let ended = in_between(&stage, from, &mut || {
                kept_out = match product.reachable() {
                    Ok(mut direct) => direct.run(sql).err(),
                    Err(error) => Some(error),
                };
            });
            let what = format!("{name}: {what}");
            assert!(ended.code == Some(0) || (ended.code == Some(1) && ended.told.contains("DVT")), "{what}: {}", ended.told);
            settled(product.direct().as_mut(), &what);
            let found = match stage.rows() {
                Ok(rows) if rows == stage.after => "new",
                // Only when the run failed may what the other session did stand.
                Ok(rows) if ended.code == Some(1) && rows == others => "the other session's",
                Ok(rows) if ended.code == Some(1) && rows == stage.before => "old, as the other session left it",
                Err(_) if ended.code == Some(1) => "the other session's",
                // What the other session took away stays away; every row that is left is the new table's.
                Err(_) if narrow(&stage) == Some(stage.after.iter().map(|row| without_last(row)).collect()) => "new, without the dropped column",
                other => panic!("{what}: {other:?}\n{}", ended.told),
            };
            let again = stage.dvt();
            // A changed schema stays changed until a full refresh.
            let again = if (again.code == 1 && again.all().contains("DVT107")) || (again.code == 0 && stage.rows().is_err()) { stage.world.dvt("p", &["run", "--full-refresh"]) } else { again };
            assert_eq!(again.code, 0, "{what}: rerun: {}", again.all());
            let rows_now = stage.rows();
            assert!(matches!(&rows_now, Ok(rows) if *rows == stage.after) || kept_out.is_none(), "{what}: {rows_now:?}");
            stage.nothing_left(&what);
            let found = if kept_out.is_some() { format!("{found}; dvt has the file, the other session is kept out") } else { found.to_owned() };
            // A model that appends reads its own table too, and nothing holds that read back: it comes before the other session or after it.
            let told = match how(&ended).as_str() {
                "DVT4001" | "DVT4009" if scenario.appends() && what.ends_with("drops the table") => "DVT4009, or DVT4001 where the model had not read its table yet".to_owned(),
                told => told.to_owned(),
            };
            rows.push(vec![name.to_owned(), what.rsplit(": ").next().unwrap_or_default().to_owned(), told, found]);
        }
    }
}

/// A second run of the same project and home, started while the first stands still.
fn two_runs(product: &dyn Product, source: &Postgres, from: &Arc<Proxy>, to: Option<&Arc<Proxy>>, port: u16, rows: &mut Vec<Row>) {
    for name in ["federated table", "federated incremental, append", "federated incremental, merge", "native table", "native incremental, delete+insert", "seed"] {
        let scenario = scenario(name);
        let stage = Stage::set(product, source, scenario, from, port);
        let at_each = |gate: &Arc<Proxy>, steps: usize| {
            for at in 0..steps {
                let what = format!("{name}: second run while the first stands at message {}", at + 1);
                product.restore(scenario.old);
                gate.arm(Some((at, When::Before)));
                let first = Running::start(stage.world.command("p", scenario.words), std::slice::from_ref(gate));
                if gate.stopped().is_none() {
                    panic!("{what}: {}", first.end().told);
                }
                let second = Running::start_heard(stage.world.command("p", scenario.words));
                gate.release(Verdict::Go);
                for run in [first, second] {
                    let ended = run.end();
                    assert_eq!(ended.code, Some(0), "{what}: {}", ended.told);
                    assert!(!ended.told.contains("DVT"), "{what}: {}", ended.told);
                }
                settled(product.direct().as_mut(), &what);
                assert_eq!(state(&stage, &what, ""), "new");
                stage.nothing_left(&what);
            }
        };
        product.restore(scenario.old);
        let gate = if scenario.federated { Some(from) } else { to };
        let (gate, steps) = match (to, gate) {
            // A server as target: at every message to it.
            (Some(to), _) => {
                to.arm(None);
                stage.dvt().ok();
                (Some(to), to.steps().len())
            }
            (None, Some(gate)) => {
                gate.arm(None);
                stage.dvt().ok();
                (Some(gate), gate.steps().len())
            }
            (None, None) => (None, 0),
        };
        match gate {
            Some(gate) => {
                at_each(gate, steps);
                gate.arm(None);
                rows.push(vec![name.to_owned(), format!("two runs of one project and home, the first held at each of {steps} messages"), "both done".to_owned(), "new".to_owned()]);
            }
            None => {
                for round in 0..5 {
                    product.restore(scenario.old);
                    let runs = [0, 1].map(|_| Running::start(stage.world.command("p", scenario.words), &[]));
                    for run in runs {
                        let ended = run.end();
                        assert_eq!(ended.code, Some(0), "{name}, round {round}: {}", ended.told);
                    }
                    assert_eq!(state(&stage, name, ""), "new");
                    stage.nothing_left(name);
                }
                rows.push(vec![name.to_owned(), "two runs of one project and home, started together, 5 times".to_owned(), "both done".to_owned(), "new".to_owned()]);
            }
        }
        assert_eq!(scenario.old, Old::Table);
    }
}
