//! Every step of every publish meets every fault: the target holds the old table or the new one, a rerun succeeds, and
//! nothing is left behind. The tables of `tests/federation/README.md` are what these tests saw.
//!
//! A server's steps are the messages of its protocol, counted by a proxy; a file's steps are the operations on it,
//! counted by a library that is loaded before dvt's own. Nothing is timed.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

#[path = "../cli/mod.rs"]
mod cli;
mod home;
mod mariadb;
mod matrix;
mod operations;
mod others;
mod product;
mod proxy;
mod run;
mod scenario;
#[path = "../../../host/engine/tests/servers/mod.rs"]
mod servers;
mod shim;
mod speech;
mod steps;

use mariadb::Mariadb;
use product::{Duckdb, Postgres, Sqlite};
use steps::Faults;

#[test]
fn every_step_of_a_publish_to_postgresql_survives_every_fault() {
    let product = Postgres::start();
    steps::every_step_of_a_server(&product, &product, Faults::All);
}

#[test]
fn what_others_do_to_a_run_into_postgresql_leaves_the_old_or_the_new_table() {
    let product = Postgres::start();
    others::what_others_do(&product, &product);
}

#[test]
fn every_step_of_a_publish_to_mariadb_survives_a_fault() {
    steps::every_step_of_a_server(&Mariadb::start(), &Postgres::start(), Faults::Turns);
}

#[test]
#[ignore = "takes nine minutes and writes what the test above compares with: cargo test -p dvt-tests --test publish_faults -- --ignored"]
fn every_step_of_a_publish_to_mariadb_survives_every_fault() {
    steps::every_step_of_a_server(&Mariadb::start(), &Postgres::start(), Faults::All);
}

#[test]
fn what_others_do_to_a_run_into_mariadb_leaves_the_old_or_the_new_table() {
    others::what_others_do(&Mariadb::start(), &Postgres::start());
}

#[test]
fn every_operation_on_a_sqlite_file_survives_every_fault() {
    operations::every_operation_on_a_file(&Sqlite::new(), &Postgres::start());
}

#[test]
fn what_others_do_to_a_run_into_sqlite_leaves_the_old_or_the_new_table() {
    others::what_others_do(&Sqlite::new(), &Postgres::start());
}

#[test]
fn every_operation_on_a_duckdb_file_survives_every_fault() {
    operations::every_operation_on_a_file(&Duckdb::new(), &Postgres::start());
}

#[test]
fn what_others_do_to_a_run_into_duckdb_leaves_the_old_or_the_new_table() {
    others::what_others_do(&Duckdb::new(), &Postgres::start());
}

#[test]
fn every_operation_on_the_data_of_dvt_home_survives_every_fault() {
    home::data_of_home();
}

#[test]
fn a_full_disk_under_the_spill_folder_leaves_the_old_table_and_no_file() {
    home::spill_folder();
}

#[test]
fn a_file_that_another_process_has_open_is_waited_for_and_then_told() {
    home::file_in_use();
}
