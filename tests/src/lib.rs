//! What tests, benchmarks and the demo share: TPC-H data in real databases.

pub mod tpch;
