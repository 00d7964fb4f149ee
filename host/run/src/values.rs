//! Small results as JSON and as text.

use crate::introspect::cell;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use dvt_diagnostic::Diagnostic;
use dvt_engine::Rows;
use serde_json::Value;

type Table = (Vec<(String, String)>, Vec<Vec<Value>>);

/// Column names with their types, and the rows: numbers and truth values as such, everything else as text.
pub fn json_rows(rows: &Rows) -> Result<Table, Diagnostic> {
    let columns = rows
        .schema
        .fields()
        .iter()
        .map(|f| (f.name().clone(), kind(f.data_type())))
        .collect();
    let mut out = Vec::new();
    for batch in &rows.batches {
        for row in 0..batch.num_rows() {
            out.push(batch.columns().iter().map(|c| value(c, row)).collect());
        }
    }
    Ok((columns, out))
}

/// The canonical type, or Arrow's name of what has none.
pub fn kind(of: &DataType) -> String {
    dvt_federation::canonical_type(of).map_or_else(|| of.to_string(), |c| c.to_string())
}

pub fn value(column: &ArrayRef, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Boolean => Value::from(column.as_boolean().value(row)),
        DataType::Int8 => Value::from(column.as_primitive::<Int8Type>().value(row)),
        DataType::Int16 => Value::from(column.as_primitive::<Int16Type>().value(row)),
        DataType::Int32 => Value::from(column.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => Value::from(column.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => Value::from(column.as_primitive::<UInt8Type>().value(row)),
        DataType::UInt16 => Value::from(column.as_primitive::<UInt16Type>().value(row)),
        DataType::UInt32 => Value::from(column.as_primitive::<UInt32Type>().value(row)),
        DataType::UInt64 => Value::from(column.as_primitive::<UInt64Type>().value(row)),
        DataType::Float32 => float(f64::from(column.as_primitive::<Float32Type>().value(row))),
        DataType::Float64 => float(column.as_primitive::<Float64Type>().value(row)),
        _ => cell(column, row).map_or(Value::Null, Value::from),
    }
}

/// JSON has no NaN and no infinity: they are told by name, never as NULL.
fn float(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or_else(|| Value::from(value.to_string()), Value::Number)
}

/// What a person sees of a value.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
