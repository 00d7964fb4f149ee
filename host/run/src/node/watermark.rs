//! Values read before planning: `(select max(x) from …)` beside a comparison (SPEC T6).

use crate::database::Database;
use crate::values::{shown, value};
use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use dvt_diagnostic::{Code, Diagnostic};
use dvt_engine::{Connection, EngineError, ErrorKind};
use dvt_federation::arrow_type;
use dvt_planner::scalar::ScalarRead;
use std::sync::Arc;

/// The literal for each read, from its own target.
pub(super) fn literals(reads: &[ScalarRead], database: &Database) -> Result<Vec<String>, Diagnostic> {
    reads.iter().map(|read| literal(read, database)).collect()
}

fn literal(read: &ScalarRead, database: &Database) -> Result<String, Diagnostic> {
    let target = &read.relation.target;
    let want: SchemaRef = Arc::new(Schema::new(vec![Field::new("value", arrow_type(read.canonical), true)]));
    let mut found: Vec<Option<String>> = Vec::new();
    database.with_session(target, |session| {
        let read_all = session.read(&read.sql, &want, &mut |batch: RecordBatch| {
            let column = batch.column(0);
            for row in 0..batch.num_rows() {
                let value = value(column, row);
                found.push((!value.is_null()).then(|| shown(&value)));
            }
            Ok(())
        });
        read_all.map_err(|e: EngineError| {
            let code = if e.kind == ErrorKind::Cancelled { Code::Cancelled } else { Code::ReadFailed };
            Diagnostic::error(code, format!("target `{target}`: {}", e.message))
        })
    })?;
    match found.as_slice() {
        [one] => Ok(read.literal(one.as_deref())),
        rows => Err(Diagnostic::error(Code::CountMismatch, format!("target `{target}` gave {} rows for `{}`, one was due", rows.len(), read.sql))),
    }
}
