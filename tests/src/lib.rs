//! What tests, benchmarks and the demo share: TPC-H data in real databases, wheels of drivers.

pub mod tpch;
pub mod wheels;
