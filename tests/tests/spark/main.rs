//! The compute `spark` on real Spark, over real PostgreSQL and MariaDB and both embedded databases.
//!
//! `make spark` installs what these tests need. `DVT_TEST_SPARK` names the environment with pyspark, by default the newest
//! line's; `make test-spark` runs them on both. Every test's name begins with `spark_`, so that other suites can pass by.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

#[path = "../cli/mod.rs"]
mod cli;
#[path = "../rows/mod.rs"]
mod rows;
#[path = "../../../host/engine/tests/servers/mod.rs"]
mod servers;

mod cluster;
mod demo;
mod faults;
mod groups;
mod keys;
mod outsider;
mod place;
mod progress;
mod refused;
mod tpch;
mod torn;
mod types;
