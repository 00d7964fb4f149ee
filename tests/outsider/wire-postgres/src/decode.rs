//! COPY's binary rows into Arrow, value by value into the columns' builders, and out as an IPC stream.

use crate::numeric;
use crate::types::{Column, Form, arrow};
use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder, Float64Builder, Int16Builder, Int32Builder, Int64Builder,
    IntervalMonthDayNanoBuilder, StringBuilder, Time64MicrosecondBuilder, TimestampMicrosecondBuilder, UInt32Builder,
};
use arrow_array::types::IntervalMonthDayNano;
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use dvt_plugin_sdk::wire::Want;
use dvt_plugin_sdk::Failure;
use std::sync::Arc;

/// Rows of a batch, and bytes of values after which it is sent before.
const ROWS: usize = 8192;
const BYTES: usize = 2 << 20;

/// Days and microseconds from 1970 to 2000, where the server begins to count.
pub const DAYS: i32 = 10_957;
pub const MICROS: i64 = 946_684_800_000_000;

/// Why one value cannot be carried.
type Refusal = &'static str;

enum Builder {
    Bool(BooleanBuilder),
    Int2(Int16Builder),
    Int4(Int32Builder),
    Int8(Int64Builder),
    Oid(UInt32Builder),
    Float4(Float32Builder),
    Float8(Float64Builder),
    Decimal(Decimal128Builder, u8, i8),
    NumericText(StringBuilder),
    Text(StringBuilder),
    Jsonb(StringBuilder),
    Uuid(StringBuilder),
    Bytes(BinaryBuilder),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    Interval(IntervalMonthDayNanoBuilder),
}

/// Builds the batches of one query.
pub struct Decoder {
    names: Vec<String>,
    builders: Vec<Builder>,
    schema: SchemaRef,
    rows: usize,
    bytes: usize,
    /// COPY's header was read.
    begun: bool,
}

impl Decoder {
    /// A decoder into the wanted types, or into each column's natural one.
    pub fn new(columns: &[Column], want: &Want) -> Result<Self, Failure> {
        if let Some(want) = want
            && want.len() != columns.len()
        {
            return Err(Failure::new("DVT5104", format!("the query has {} columns, {} were planned", columns.len(), want.len())));
        }
        let mut fields = Vec::new();
        let mut builders = Vec::new();
        for (i, column) in columns.iter().enumerate() {
            let name = &column.name;
            let uncarried = || {
                Failure::new("DVT002", format!("column `{name}`: the type {} cannot be carried", column.native())).hint(format!("cast it in the query, for instance `{name}::text`"))
            };
            let kind = match want {
                Some(want) => arrow(&want[i]).ok_or_else(uncarried)?,
                None => column.natural().ok_or_else(uncarried)?,
            };
            builders.push(builder(column.form().ok_or_else(uncarried)?, &kind).ok_or_else(|| {
                Failure::new("DVT002", format!("column `{name}` is {}, {kind} was planned", column.native())).hint("the table changed since it was planned; run again")
            })?);
            fields.push(Field::new(name, kind, true));
        }
        let names = columns.iter().map(|c| c.name.clone()).collect();
        Ok(Self { names, builders, schema: Arc::new(Schema::new(fields)), rows: 0, bytes: 0, begun: false })
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether the rows at hand are a batch.
    pub fn full(&self) -> bool {
        self.rows >= ROWS || self.bytes >= BYTES
    }

    /// Reads the body of one of the server's messages: whole rows, the header before the first, a mark behind the last.
    pub fn message(&mut self, mut body: &[u8]) -> Result<(), Failure> {
        let malformed = || Failure::new("DVT5101", "the server sent a malformed row");
        self.bytes += body.len();
        if !self.begun {
            let rest = body.strip_prefix(b"PGCOPY\n\xff\r\n\0").and_then(|r| r.split_at_checked(8)).ok_or_else(malformed)?;
            let extension = u32::from_be_bytes(rest.0[4..].try_into().map_err(|_| malformed())?) as usize;
            body = rest.1.get(extension..).ok_or_else(malformed)?;
            self.begun = true;
        }
        while !body.is_empty() {
            let (count, rest) = body.split_first_chunk::<2>().ok_or_else(malformed)?;
            body = rest;
            match i16::from_be_bytes(*count) {
                -1 => return Ok(()),
                count if usize::try_from(count) == Ok(self.builders.len()) => {}
                _ => return Err(malformed()),
            }
            for (builder, name) in self.builders.iter_mut().zip(&self.names) {
                let (size, rest) = body.split_first_chunk::<4>().ok_or_else(malformed)?;
                body = rest;
                let Ok(size) = usize::try_from(i32::from_be_bytes(*size)) else {
                    builder.null();
                    continue;
                };
                let (value, rest) = body.split_at_checked(size).ok_or_else(malformed)?;
                body = rest;
                builder.append(value).map_err(|why| {
                    Failure::new("DVT002", format!("column `{name}`: {why}")).hint("cast the column in the query, or leave such rows out")
                })?;
            }
            self.rows += 1;
        }
        Ok(())
    }

    /// The rows at hand as an IPC stream.
    pub fn finish(&mut self) -> Result<Vec<u8>, Failure> {
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        let arrays: Vec<ArrayRef> = self.builders.iter_mut().map(Builder::finish).collect();
        ipc(&self.schema, arrays, rows)
    }
}

fn ipc(schema: &SchemaRef, arrays: Vec<ArrayRef>, rows: usize) -> Result<Vec<u8>, Failure> {
    let failed = |e: arrow_schema::ArrowError| Failure::new("", format!("rows cannot be written as Arrow: {e}"));
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(schema.clone(), arrays, &options).map_err(failed)?;
    let mut out = Vec::with_capacity(batch.get_array_memory_size() + 4096);
    let mut writer = StreamWriter::try_new(&mut out, schema).map_err(failed)?;
    writer.write(&batch).and_then(|()| writer.finish()).map_err(failed)?;
    drop(writer);
    Ok(out)
}

/// A table of text as an IPC stream.
pub fn texts(names: &[String], rows: &[Vec<Option<String>>]) -> Result<Vec<u8>, Failure> {
    let schema: SchemaRef = Arc::new(Schema::new(names.iter().map(|n| Field::new(n, DataType::Utf8, true)).collect::<Vec<_>>()));
    let column = |i: usize| Arc::new(rows.iter().map(|r| r.get(i).cloned().flatten()).collect::<StringArray>()) as ArrayRef;
    ipc(&schema, (0..names.len()).map(column).collect(), rows.len())
}

fn builder(form: Form, kind: &DataType) -> Option<Builder> {
    Some(match (form, kind) {
        (Form::Bool, DataType::Boolean) => Builder::Bool(BooleanBuilder::new()),
        (Form::Int2, DataType::Int16) => Builder::Int2(Int16Builder::new()),
        (Form::Int4, DataType::Int32) => Builder::Int4(Int32Builder::new()),
        (Form::Int8, DataType::Int64) => Builder::Int8(Int64Builder::new()),
        (Form::Oid, DataType::UInt32) => Builder::Oid(UInt32Builder::new()),
        (Form::Float4, DataType::Float32) => Builder::Float4(Float32Builder::new()),
        (Form::Float8, DataType::Float64) => Builder::Float8(Float64Builder::new()),
        (Form::Numeric, DataType::Decimal128(p, s)) => Builder::Decimal(Decimal128Builder::new().with_data_type(kind.clone()), *p, *s),
        (Form::Numeric, DataType::Utf8) => Builder::NumericText(StringBuilder::new()),
        (Form::Text, DataType::Utf8) => Builder::Text(StringBuilder::new()),
        (Form::Jsonb, DataType::Utf8) => Builder::Jsonb(StringBuilder::new()),
        (Form::Uuid, DataType::Utf8) => Builder::Uuid(StringBuilder::new()),
        (Form::Bytea, DataType::Binary) => Builder::Bytes(BinaryBuilder::new()),
        (Form::Date, DataType::Date32) => Builder::Date(Date32Builder::new()),
        (Form::Time, DataType::Time64(_)) => Builder::Time(Time64MicrosecondBuilder::new()),
        (Form::Timestamp, DataType::Timestamp(_, None)) | (Form::TimestampTz, DataType::Timestamp(_, Some(_))) => {
            Builder::Timestamp(TimestampMicrosecondBuilder::new().with_data_type(kind.clone()))
        }
        (Form::Interval, DataType::Interval(_)) => Builder::Interval(IntervalMonthDayNanoBuilder::new()),
        _ => return None,
    })
}

fn fixed<const N: usize>(value: &[u8]) -> Result<[u8; N], Refusal> {
    value.try_into().map_err(|_| "the server sent a value of another length than its type's")
}

fn utf8(value: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(value).map_err(|_| "a text is no UTF-8")
}

impl Builder {
    fn append(&mut self, value: &[u8]) -> Result<(), Refusal> {
        match self {
            Self::Bool(b) => b.append_value(fixed::<1>(value)? != [0]),
            Self::Int2(b) => b.append_value(i16::from_be_bytes(fixed(value)?)),
            Self::Int4(b) => b.append_value(i32::from_be_bytes(fixed(value)?)),
            Self::Int8(b) => b.append_value(i64::from_be_bytes(fixed(value)?)),
            Self::Oid(b) => b.append_value(u32::from_be_bytes(fixed(value)?)),
            Self::Float4(b) => b.append_value(f32::from_be_bytes(fixed(value)?)),
            Self::Float8(b) => b.append_value(f64::from_be_bytes(fixed(value)?)),
            Self::Decimal(b, p, s) => b.append_value(numeric::decode(value, *p, *s)?),
            Self::NumericText(b) => b.append_value(numeric::text(value)?),
            Self::Text(b) => b.append_value(utf8(value)?),
            Self::Jsonb(b) => match value.split_first() {
                Some((1, text)) => b.append_value(utf8(text)?),
                _ => return Err("the server sent jsonb of an unknown version"),
            },
            Self::Uuid(b) => {
                let hex = format!("{:032x}", u128::from_be_bytes(fixed(value)?));
                b.append_value(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]));
            }
            Self::Bytes(b) => b.append_value(value),
            Self::Date(b) => match i32::from_be_bytes(fixed(value)?) {
                i32::MAX | i32::MIN => return Err("an infinite date cannot be carried"),
                days => b.append_value(days.checked_add(DAYS).ok_or("a date is out of range")?),
            },
            Self::Time(b) => match i64::from_be_bytes(fixed(value)?) {
                86_400_000_000 => return Err("the time 24:00:00 cannot be carried"),
                micros => b.append_value(micros),
            },
            Self::Timestamp(b) => match i64::from_be_bytes(fixed(value)?) {
                i64::MAX | i64::MIN => return Err("an infinite timestamp cannot be carried"),
                micros => b.append_value(micros.checked_add(MICROS).ok_or("a timestamp is out of range")?),
            },
            Self::Interval(b) => {
                let all: [u8; 16] = fixed(value)?;
                let nanos = i64::from_be_bytes(fixed(&all[..8])?).checked_mul(1000).ok_or("an interval is too long to be carried")?;
                let (days, months) = (i32::from_be_bytes(fixed(&all[8..12])?), i32::from_be_bytes(fixed(&all[12..])?));
                b.append_value(IntervalMonthDayNano::new(months, days, nanos));
            }
        }
        Ok(())
    }

    fn null(&mut self) {
        match self {
            Self::Bool(b) => b.append_null(),
            Self::Int2(b) => b.append_null(),
            Self::Int4(b) => b.append_null(),
            Self::Int8(b) => b.append_null(),
            Self::Oid(b) => b.append_null(),
            Self::Float4(b) => b.append_null(),
            Self::Float8(b) => b.append_null(),
            Self::Decimal(b, ..) => b.append_null(),
            Self::NumericText(b) | Self::Text(b) | Self::Jsonb(b) | Self::Uuid(b) => b.append_null(),
            Self::Bytes(b) => b.append_null(),
            Self::Date(b) => b.append_null(),
            Self::Time(b) => b.append_null(),
            Self::Timestamp(b) => b.append_null(),
            Self::Interval(b) => b.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Bool(b) => Arc::new(b.finish()),
            Self::Int2(b) => Arc::new(b.finish()),
            Self::Int4(b) => Arc::new(b.finish()),
            Self::Int8(b) => Arc::new(b.finish()),
            Self::Oid(b) => Arc::new(b.finish()),
            Self::Float4(b) => Arc::new(b.finish()),
            Self::Float8(b) => Arc::new(b.finish()),
            Self::Decimal(b, ..) => Arc::new(b.finish()),
            Self::NumericText(b) | Self::Text(b) | Self::Jsonb(b) | Self::Uuid(b) => Arc::new(b.finish()),
            Self::Bytes(b) => Arc::new(b.finish()),
            Self::Date(b) => Arc::new(b.finish()),
            Self::Time(b) => Arc::new(b.finish()),
            Self::Timestamp(b) => Arc::new(b.finish()),
            Self::Interval(b) => Arc::new(b.finish()),
        }
    }
}
