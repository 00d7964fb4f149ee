//! Rows as they cross to and from a plugin: whole Arrow IPC streams, checked on the way in.

use crate::canonical_type;
use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::writer::StreamWriter;
use dvt_engine::{EngineError, ErrorKind, PluginFault, batch_bytes};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Bytes of rows that one call of `load` gets, about.
const LOAD_BYTES: usize = 2 << 20;

fn broken(why: &dyn std::fmt::Display) -> EngineError {
    EngineError::new(ErrorKind::Plugin(PluginFault::Contract), format!("the plugin sent rows that are no Arrow: {why}"))
}

/// The schema and rows of one stream. Nothing in it is believed: lengths, offsets and text are checked.
pub fn decode(bytes: Vec<u8>) -> Result<(SchemaRef, Vec<RecordBatch>), EngineError> {
    let read = AssertUnwindSafe(move || {
        let mut decoder = StreamDecoder::new();
        let mut buffer = Buffer::from_vec(bytes);
        let mut batches = Vec::new();
        while !buffer.is_empty() {
            if let Some(batch) = decoder.decode(&mut buffer).map_err(|e| broken(&e))? {
                batches.push(batch);
            }
        }
        decoder.finish().map_err(|e| broken(&e))?;
        Ok((decoder.schema().ok_or_else(|| broken(&"it has no schema"))?, batches))
    });
    catch_unwind(read).unwrap_or_else(|_| Err(broken(&"its parts contradict each other")))
}

/// The batch under the names of `want`; its types must be those of `want` already.
pub fn exactly(batch: &RecordBatch, want: &SchemaRef) -> Result<RecordBatch, EngineError> {
    let got = batch.schema();
    if got.fields().len() != want.fields().len() {
        return Err(EngineError::new(ErrorKind::Statement, format!("the query has {} columns, {} were planned", got.fields().len(), want.fields().len())));
    }
    for (have, field) in got.fields().iter().zip(want.fields()) {
        if have.data_type() != field.data_type() {
            let message = format!("column `{}` came as {}, {} was planned", field.name(), have.data_type(), field.data_type());
            return Err(EngineError::new(ErrorKind::Type, message).hint("the table changed since it was planned; run again"));
        }
    }
    RecordBatch::try_new(want.clone(), batch.columns().to_vec()).map_err(|e| broken(&e))
}

/// The canonical type of each column.
pub fn canonical(schema: &SchemaRef) -> Result<Vec<(String, String)>, EngineError> {
    let one = |name: &str, kind: &DataType| {
        let canonical = canonical_type(kind).ok_or_else(|| {
            EngineError::new(ErrorKind::Type, format!("column `{name}`: {kind} cannot be carried by a plugin's connection")).hint("cast it in the query, for instance to text")
        })?;
        Ok((name.to_owned(), canonical.to_string()))
    };
    schema.fields().iter().map(|f| one(f.name(), f.data_type())).collect()
}

/// The rows as streams of bounded size.
pub fn encode(batch: &RecordBatch) -> impl Iterator<Item = Result<Vec<u8>, EngineError>> + '_ {
    let parts = (batch_bytes(batch) as usize).div_ceil(LOAD_BYTES).max(1);
    let rows = batch.num_rows().div_ceil(parts).max(1);
    (0..batch.num_rows()).step_by(rows).map(move |at| {
        let part = batch.slice(at, rows.min(batch.num_rows() - at));
        let failed = |e: arrow::error::ArrowError| EngineError::new(ErrorKind::Io, format!("rows cannot be handed to the plugin: {e}"));
        let mut out = Vec::new();
        let mut writer = StreamWriter::try_new(&mut out, &batch.schema()).map_err(failed)?;
        writer.write(&part).and_then(|()| writer.finish()).map_err(failed)?;
        drop(writer);
        Ok(out)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{decode, encode, exactly};
    use arrow::array::{Int64Array, RecordBatch, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};
    use std::sync::Arc;

    fn batch(rows: i64) -> RecordBatch {
        let schema = Schema::new(vec![Field::new("n", DataType::Int64, true), Field::new("t", DataType::Utf8, true)]);
        let text: Vec<String> = (0..rows).map(|n| "x".repeat(1000) + &n.to_string()).collect();
        RecordBatch::try_new(Arc::new(schema), vec![Arc::new(Int64Array::from_iter_values(0..rows)), Arc::new(StringArray::from(text))]).unwrap()
    }

    #[test]
    fn rows_cross_in_bounded_parts_and_come_back_whole() {
        let batch = batch(5000);
        let parts: Vec<Vec<u8>> = encode(&batch).map(Result::unwrap).collect();
        assert!(parts.len() > 1 && parts.iter().all(|p| p.len() < 4 << 20));
        let back: Vec<RecordBatch> = parts.into_iter().flat_map(|p| decode(p).unwrap().1).collect();
        assert_eq!(back.iter().map(RecordBatch::num_rows).sum::<usize>(), 5000);
        assert_eq!(arrow::compute::concat_batches(&batch.schema(), &back).unwrap(), batch);
    }

    #[test]
    fn bytes_that_are_no_arrow_are_an_error_at_every_cut_and_flip() {
        let whole = encode(&batch(20)).next().unwrap().unwrap();
        for at in (0..whole.len()).step_by(97) {
            let _ = decode(whole[..at].to_vec());
            let mut flipped = whole.clone();
            flipped[at] ^= 0xff;
            if let Ok((_, batches)) = decode(flipped) {
                // Whatever is accepted can be read to its last value.
                for batch in batches {
                    for column in batch.columns() {
                        assert!(column.to_data().validate_full().is_ok());
                    }
                }
            }
        }
        assert!(decode(b"junk".to_vec()).is_err() && decode(Vec::new()).is_err());
    }

    #[test]
    fn another_type_than_planned_is_refused_by_name() {
        let want = Arc::new(Schema::new(vec![Field::new("a", DataType::Int32, true), Field::new("b", DataType::Utf8, true)]));
        assert!(exactly(&batch(1), &want).unwrap_err().message.contains("`a`"));
    }
}
