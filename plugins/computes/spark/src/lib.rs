//! Apache Spark as a compute, by PySpark 3.5 and 4.x: what its session is started with, its types, what its errors mean.
//!
//! Not here: how a session is started and spoken to (the host), and how Spark reads and writes a product (`connectors/`).

mod errors;
mod plan;
mod types;

use dvt_plugin_sdk::engines::{OuterCompute, Meaning};
use dvt_plugin_sdk::{Compute, Failure, NativeType};

pub struct Spark;

impl Compute for Spark {
    fn plan(config: &serde_json::Value) -> Result<(String, Vec<(String, String)>, String), Failure> {
        Ok(("pyspark".to_owned(), plan::settings(config)?, "spark".to_owned()))
    }
    fn canonical(native: &NativeType) -> Result<String, String> {
        types::canonical(native)
    }
}

impl OuterCompute for Spark {
    fn ddl(canonical: &NativeType) -> Result<String, String> {
        types::spark(canonical)
    }
    fn classify(exceptions: &[String], sqlstate: Option<&str>, message: &str) -> Meaning {
        errors::classify(exceptions, sqlstate, message)
    }
}

dvt_plugin_sdk::export_outer_compute!(crate::Spark);
