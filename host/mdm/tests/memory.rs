//! The memory on a real file.
#![allow(clippy::unwrap_used, missing_docs)]

use dvt_mdm::{ColumnFact, Fact, Mdm, MdmError, MovementFact, ReadFact, RelationFact, RunFact, Spool};
use dvt_project::{RelationName, TargetName};

fn relation(rows: u64, columns: &[&str]) -> Fact {
    Fact::Relation(RelationFact {
        profile: "p".into(),
        target: "t".into(),
        endpoint: "e".into(),
        schema: Some("s".into()),
        identifier: "it's".into(),
        rows: Some(rows),
        columns: columns.iter().map(|c| ColumnFact { name: (*c).into(), native: "int".into(), ..ColumnFact::default() }).collect(),
        ..RelationFact::default()
    })
}

#[test]
fn a_finished_runs_facts_are_folded_in_once_and_the_last_sight_of_a_relation_counts() {
    let folder = tempfile::tempdir().unwrap();
    let mdm = Mdm::new(folder.path());
    for (run, rows) in [("a", 1), ("b", 2)] {
        let spool = Spool::open(folder.path(), run).unwrap();
        spool.record(&Fact::Run(RunFact { invocation: run.into(), started_at: run.into(), success: true, ..RunFact::default() })).unwrap();
        spool.record(&relation(rows, if run == "a" { &["x", "y"] } else { &["x"] })).unwrap();
        let moved = MovementFact { invocation: run.into(), unique_id: "model.p.m".into(), source: "t".into(), rows, bytes: 10 * rows, ..MovementFact::default() };
        spool.record(&Fact::Movement(moved)).unwrap();
    }
    assert_eq!(mdm.fold().unwrap().runs, 2);
    assert_eq!(mdm.fold().unwrap().runs, 0);
    let known = mdm.relations("p", &TargetName::from("t"), "e").unwrap();
    let fact = &known[&RelationName { database: None, schema: Some("s".into()), identifier: "it's".into() }];
    assert_eq!((fact.rows, fact.columns.len()), (Some(2), 1));
    assert!(mdm.relations("p", &TargetName::from("t"), "other").unwrap().is_empty());
    assert_eq!(mdm.last_movements("model.p.m").unwrap(), vec![("t".into(), String::new(), 2, 20)]);
    assert_eq!(mdm.summary().unwrap().runs, 2);
}

#[test]
fn of_statements_the_last_count_is_known_for_their_own_endpoint() {
    let folder = tempfile::tempdir().unwrap();
    let mdm = Mdm::new(folder.path());
    for (run, endpoint, rows) in [("a", "e", 1), ("b", "e", 2), ("c", "it's", 3)] {
        let spool = Spool::open(folder.path(), run).unwrap();
        let read = ReadFact { profile: "p".into(), target: "t".into(), endpoint: endpoint.into(), statement: "s".into(), rows, read_at: run.into() };
        spool.record(&Fact::Read(read)).unwrap();
        drop(spool);
        mdm.fold().unwrap();
    }
    let key = |endpoint: &str| ("t".to_owned(), endpoint.to_owned(), "s".to_owned());
    assert_eq!(mdm.reads("p").unwrap(), [(key("e"), 2), (key("it's"), 3)].into());
    assert!(mdm.reads("other").unwrap().is_empty());
}

#[test]
fn a_running_runs_spool_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path(), "a").unwrap();
    spool.record(&relation(1, &[])).unwrap();
    assert_eq!(Mdm::new(folder.path()).fold().unwrap().runs, 0);
}

#[test]
fn a_busy_file_is_said_and_keeps_the_spool() {
    let folder = tempfile::tempdir().unwrap();
    drop(Spool::open(folder.path(), "a").unwrap());
    let lock = std::fs::File::create(folder.path().join("mdm.lock")).unwrap();
    lock.lock().unwrap();
    let mdm = Mdm::new(folder.path());
    assert!(matches!(mdm.fold(), Err(MdmError::Busy { .. })));
    drop(lock);
    assert_eq!(mdm.fold().unwrap().runs, 1);
}

#[test]
fn a_sheet_becomes_rules_that_replace_its_older_ones() {
    let folder = tempfile::tempdir().unwrap();
    let mdm = Mdm::new(folder.path());
    mdm.set_rules(&[("x".into(), "name = 'x'\n[compare.text]\nclass = 'exact'".into())]).unwrap();
    mdm.set_rules(&[("x".into(), "name = 'x'\n[compare.text]\nclass = 'superset'".into())]).unwrap();
    assert_eq!(mdm.summary().unwrap().rules, 2);
}
