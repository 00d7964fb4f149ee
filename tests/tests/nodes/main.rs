//! Every kind of node and config on the four products: what is in the database afterwards. Expectations in
//! `projects/*/expected` are what dbt-core 1.12 made of the same project.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../cli/mod.rs"]
mod cli;
mod configs;
mod contracts;
mod data_tests;
mod functions;
mod incremental;
mod place;
#[path = "../rows/mod.rs"]
mod rows;
#[path = "../../../host/engine/tests/servers/mod.rs"]
mod servers;
mod snapshots;
mod unit_tests;
