//! `demo-data FOLDER [SCALE]`: the demo's three embedded databases. With `DVT_DEMO_DB=postgres`, orders and lineitem go
//! to the server that `PGHOST`, `PGPORT`, `PGUSER` and `PGDATABASE` name.

use dvt_tests::tpch;
use std::path::{Path, PathBuf};

fn build(folder: &Path, scale: f64) -> tpch::Outcome<()> {
    std::fs::create_dir_all(folder)?;
    let fresh = |name: &str| -> tpch::Outcome<PathBuf> {
        let path = folder.join(name);
        if path.exists() {
            std::fs::remove_file(&path)?;
        }
        Ok(path)
    };
    tpch::sqlite(&fresh("crm.sqlite")?, &["customer", "nation", "region"], scale)?;
    tpch::duckdb(&fresh("sales.duckdb")?, &["orders", "lineitem"], scale)?;
    tpch::duckdb(&fresh("parts.duckdb")?, &["part", "partsupp", "supplier"], scale)?;
    fresh("warehouse.duckdb")?;
    if std::env::var("DVT_DEMO_DB").is_ok_and(|d| d == "postgres") {
        let of = |name: &str, usual: &str| std::env::var(name).unwrap_or_else(|_| usual.to_owned());
        let url = format!("host={} port={} user={} dbname={}", of("PGHOST", "127.0.0.1"), of("PGPORT", "5432"), of("PGUSER", "dvt"), of("PGDATABASE", "postgres"));
        tpch::postgres(&url, "public", &["orders", "lineitem"], scale)?;
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "a program for a terminal")]
fn main() -> std::process::ExitCode {
    let mut args = std::env::args().skip(1);
    let folder = args.next().map_or_else(|| PathBuf::from("data"), PathBuf::from);
    let scale = args.next().and_then(|s| s.parse().ok()).unwrap_or(0.1);
    match build(&folder, scale) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            std::process::ExitCode::FAILURE
        }
    }
}
