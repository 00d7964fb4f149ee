//! Rows between the host and an engine outside it, as Parquet files in a folder that both see.

use super::{base_config, describe, drain, failure, prepare};
use super::stream::stream;
use crate::error::EngineError;
use crate::{BatchSink, DescribedColumn, ReadCount};
use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use std::path::Path;
use std::sync::Arc;

/// Batches that may wait between a source and the file.
const WAITING: usize = 8;

fn session() -> Result<duckdb::Connection, EngineError> {
    let config = base_config()?.with("preserve_insertion_order", "false").map_err(|e| failure(&e))?;
    let connection = duckdb::Connection::open_in_memory_with_flags(config).map_err(|e| failure(&e))?;
    prepare(&connection)?;
    Ok(connection)
}

fn literal(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "''"))
}

/// Writes what `read` sends into a file; its columns are named `c0`, `c1`, …
///
/// # Errors
/// Those of `read`, and of the file system. The file is whole, or there was an error.
pub fn write_parquet(
    path: &Path,
    schema: &SchemaRef,
    read: impl FnOnce(&mut dyn BatchSink) -> Result<ReadCount, EngineError> + Send,
) -> Result<ReadCount, EngineError> {
    let connection = session()?;
    let fields: Vec<Field> = schema.fields().iter().enumerate().map(|(i, f)| Field::new(format!("c{i}"), f.data_type().clone(), true)).collect();
    let named: SchemaRef = Arc::new(Schema::new(fields));
    let (sender, token) = stream(named.clone(), WAITING, None);
    let scan = token.scan_sql();
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let result = read(&mut |batch: RecordBatch| {
                let renamed = RecordBatch::try_new(named.clone(), batch.columns().to_vec()).map_err(|_| crate::Stop)?;
                sender.send(renamed)
            });
            match &result {
                Ok(_) => sender.finish(),
                Err(e) => sender.fail(e.clone()),
            }
            result
        });
        let written = connection.execute_batch(&format!("COPY ({scan}) TO {} (FORMAT parquet, COMPRESSION snappy)", literal(path))).map_err(|e| failure(&e));
        token.close();
        let read = reader.join().unwrap_or_else(|_| Err(EngineError::new(crate::ErrorKind::Io, "a read ended unexpectedly")));
        // A source's own failure explains the file's.
        let count = read?;
        written.map(|()| count)
    })
}

/// Hands on the rows of every file in a folder, in no order.
pub fn read_parquet(folder: &Path, sink: &mut dyn BatchSink) -> Result<ReadCount, EngineError> {
    let connection = session()?;
    let mut count = ReadCount::default();
    let sql = scan(folder);
    drain(&connection, &sql, &mut |batch| {
        count.rows += batch.num_rows() as u64;
        count.bytes += batch.get_array_memory_size() as u64;
        Ok(sink.push(batch).is_ok())
    })?;
    Ok(count)
}

/// The columns of the files in a folder.
pub fn describe_parquet(folder: &Path) -> Result<Vec<DescribedColumn>, EngineError> {
    describe(&session()?, &scan(folder))
}

fn scan(folder: &Path) -> String {
    format!("SELECT * FROM read_parquet({})", literal(&folder.join("*.parquet")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{describe_parquet, read_parquet, write_parquet};
    use crate::{BatchSink, EngineError, ErrorKind, ReadCount};
    use arrow::array::{ArrayRef, Decimal128Array, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray};
    use std::sync::Arc;

    fn batch() -> RecordBatch {
        let decimals = Decimal128Array::from(vec![Some(i128::MAX / 10), None]).with_precision_and_scale(38, 10).unwrap();
        RecordBatch::try_from_iter(vec![
            ("n", Arc::new(Int32Array::from(vec![Some(1), None])) as ArrayRef),
            ("d", Arc::new(decimals) as ArrayRef),
            ("t", Arc::new(StringArray::from(vec![Some("ä'"), None])) as ArrayRef),
            ("at", Arc::new(TimestampMicrosecondArray::from(vec![Some(1), None])) as ArrayRef),
        ])
        .unwrap()
    }

    #[test]
    fn rows_come_back_as_they_went() {
        let folder = tempfile::tempdir().unwrap();
        let sent = batch();
        let one = sent.clone();
        let send = move |sink: &mut dyn BatchSink| {
            let _ = sink.push(one);
            Ok(ReadCount { rows: 2, bytes: 0 })
        };
        assert_eq!(write_parquet(&folder.path().join("a.parquet"), &sent.schema(), send).unwrap().rows, 2);
        let mut back: Vec<RecordBatch> = Vec::new();
        let read = read_parquet(folder.path(), &mut |b: RecordBatch| {
            back.push(b);
            Ok(())
        });
        assert_eq!(read.unwrap().rows, 2);
        for (a, b) in back[0].columns().iter().zip(sent.columns()) {
            assert_eq!(a.to_data(), b.to_data());
        }
        assert_eq!(describe_parquet(folder.path()).unwrap()[1].native, "DECIMAL(38,10)");
    }

    #[test]
    fn a_source_that_fails_makes_no_file_that_looks_whole() {
        let folder = tempfile::tempdir().unwrap();
        let send = |sink: &mut dyn BatchSink| {
            let _ = sink.push(batch());
            Err(EngineError::new(ErrorKind::Connect, "the server went away"))
        };
        let error = write_parquet(&folder.path().join("a.parquet"), &batch().schema(), send).unwrap_err();
        assert_eq!(error.message, "the server went away");
    }
}
