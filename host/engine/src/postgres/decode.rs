//! COPY's binary stream into Arrow, straight into the column builders.

use super::numeric::{self, NotExact};
use super::types::{Wire, element, wire};
use crate::BATCH_ROWS;
use crate::error::{EngineError, ErrorKind};
use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder, Float64Builder,
    Int16Builder, Int32Builder, Int64Builder, IntervalMonthDayNanoBuilder, ListArray, NullBufferBuilder, RecordBatch, StringBuilder,
    Time64MicrosecondBuilder, TimestampMicrosecondBuilder, UInt32Builder,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, FieldRef, IntervalMonthDayNano, IntervalUnit, SchemaRef, TimeUnit};
use postgres::types::Type;
use std::sync::Arc;

/// Days and microseconds between PostgreSQL's epoch (2000-01-01) and Unix's.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = 946_684_800_000_000;

enum Builder {
    Bool(BooleanBuilder),
    I16(Int16Builder),
    I32(Int32Builder),
    I64(Int64Builder),
    Oid(UInt32Builder),
    F32(Float32Builder),
    F64(Float64Builder),
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
    List(Box<List>),
}

/// Arrays of one dimension, under construction.
struct List {
    item: FieldRef,
    /// The element type that every value must announce.
    oid: u32,
    values: Builder,
    offsets: Vec<i32>,
    valid: NullBufferBuilder,
    length: i32,
}

impl List {
    fn append(&mut self, v: &[u8]) -> Result<(), Refusal> {
        const MALFORMED: Refusal = "the server sent a malformed array";
        let int = |at: usize| v.get(at..at + 4).map(|b| i32::from_be_bytes([b[0], b[1], b[2], b[3]])).ok_or(MALFORMED);
        if int(8)? as u32 != self.oid {
            return Err("an array holds elements of another type than its column");
        }
        match int(0)? {
            0 => {}
            1 if int(16)? != 1 => return Err("an array that does not begin at 1 cannot be carried"),
            1 => {
                let count = int(12)?;
                let mut at = 20;
                for _ in 0..count {
                    let size = int(at)?;
                    at += 4;
                    let end = at + usize::try_from(size).unwrap_or(0);
                    let value = if size < 0 { None } else { Some(v.get(at..end).ok_or(MALFORMED)?) };
                    self.values.append(value)?;
                    at = end;
                }
                self.length = self.length.checked_add(count).ok_or("the arrays of one batch are too long")?;
            }
            _ => return Err("an array of several dimensions cannot be carried"),
        }
        self.valid.append_non_null();
        self.offsets.push(self.length);
        Ok(())
    }

    fn append_null(&mut self) {
        self.valid.append_null();
        self.offsets.push(self.length);
    }

    fn finish(&mut self) -> ArrayRef {
        let offsets = std::mem::replace(&mut self.offsets, vec![0]);
        self.length = 0;
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        Arc::new(ListArray::new(self.item.clone(), offsets, self.values.finish(), self.valid.finish()))
    }
}

/// Why one value was refused, in the user's words.
type Refusal = &'static str;

struct Column {
    name: String,
    builder: Builder,
}

/// Builds batches of one query's rows.
pub struct Decoder {
    columns: Vec<Column>,
    schema: SchemaRef,
    rows: usize,
}

impl Decoder {
    /// A decoder for columns of the given types into `want`.
    ///
    /// # Errors
    /// Names the first column whose type is not carried or not as wanted; nothing has moved by then.
    pub fn new(columns: &[(String, Type)], want: &SchemaRef) -> Result<Self, EngineError> {
        if columns.len() != want.fields().len() {
            let message = format!("the query has {} columns, {} were planned", columns.len(), want.fields().len());
            return Err(EngineError::new(ErrorKind::Statement, message));
        }
        let columns = columns
            .iter()
            .zip(want.fields())
            .map(|((name, kind), field)| Ok(Column { name: name.clone(), builder: builder(name, kind, field)? }))
            .collect::<Result<_, EngineError>>()?;
        Ok(Self { columns, schema: want.clone(), rows: 0 })
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Reads one row from the front of `bytes`: `Some(bytes used)`, or None while it is incomplete.
    /// The end marker is `Some(0)`.
    pub fn row(&mut self, bytes: &[u8]) -> Result<Option<usize>, EngineError> {
        let Some(count) = bytes.get(..2) else { return Ok(None) };
        let count = i16::from_be_bytes([count[0], count[1]]);
        if count == -1 {
            return Ok(Some(0));
        }
        if usize::try_from(count) != Ok(self.columns.len()) {
            return Err(EngineError::new(ErrorKind::Io, "the server sent a row of another width than it announced"));
        }
        let Some(length) = row_length(bytes, self.columns.len()) else { return Ok(None) };
        let mut at = 2;
        for column in &mut self.columns {
            let size = i32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
            at += 4;
            let value = usize::try_from(size).ok().map(|size| &bytes[at..at + size]);
            column.builder.append(value).map_err(|why| {
                EngineError::new(ErrorKind::Type, format!("column `{}`: {why}", column.name))
                    .hint("cast the column in the query, or leave such rows out")
            })?;
            at += value.map_or(0, <[u8]>::len);
        }
        self.rows += 1;
        Ok(Some(length))
    }

    pub fn finish(&mut self) -> Result<RecordBatch, EngineError> {
        self.rows = 0;
        let arrays = self.columns.iter_mut().map(|c| c.builder.finish()).collect();
        RecordBatch::try_new(self.schema.clone(), arrays).map_err(|e| EngineError::new(ErrorKind::Type, e.to_string()))
    }
}

/// Bytes of the row at the front, or None when it is not whole yet.
fn row_length(bytes: &[u8], columns: usize) -> Option<usize> {
    let mut at = 2;
    for _ in 0..columns {
        let size = bytes.get(at..at + 4)?;
        let size = i32::from_be_bytes([size[0], size[1], size[2], size[3]]);
        at += 4 + usize::try_from(size).unwrap_or(0);
    }
    (at <= bytes.len()).then_some(at)
}

fn builder(name: &str, kind: &Type, field: &Field) -> Result<Builder, EngineError> {
    let planned = field.data_type();
    if let (Some(member), DataType::List(item)) = (element(kind), planned) {
        let values = builder(name, member, item)?;
        let list =
            List { item: item.clone(), oid: member.oid(), values, offsets: vec![0], valid: NullBufferBuilder::new(BATCH_ROWS), length: 0 };
        return Ok(Builder::List(Box::new(list)));
    }
    let wire = wire(kind).ok_or_else(|| {
        EngineError::new(ErrorKind::Type, format!("column `{name}`: the type {} cannot be carried", kind.name()))
            .hint(format!("cast it in the query, for instance `{name}::text`"))
    })?;
    Ok(match (wire, planned) {
        (Wire::Bool, DataType::Boolean) => Builder::Bool(BooleanBuilder::new()),
        (Wire::Int2, DataType::Int16) => Builder::I16(Int16Builder::new()),
        (Wire::Int4, DataType::Int32) => Builder::I32(Int32Builder::new()),
        (Wire::Int8, DataType::Int64) => Builder::I64(Int64Builder::new()),
        (Wire::Oid, DataType::UInt32) => Builder::Oid(UInt32Builder::new()),
        (Wire::Float4, DataType::Float32) => Builder::F32(Float32Builder::new()),
        (Wire::Float8, DataType::Float64) => Builder::F64(Float64Builder::new()),
        (Wire::Numeric, DataType::Decimal128(p, s)) => {
            Builder::Decimal(Decimal128Builder::new().with_data_type(DataType::Decimal128(*p, *s)), *p, *s)
        }
        (Wire::Numeric, DataType::Utf8) => Builder::NumericText(StringBuilder::new()),
        (Wire::Text | Wire::Char, DataType::Utf8) => Builder::Text(StringBuilder::new()),
        (Wire::Jsonb, DataType::Utf8) => Builder::Jsonb(StringBuilder::new()),
        (Wire::Uuid, DataType::Utf8) => Builder::Uuid(StringBuilder::new()),
        (Wire::Bytea, DataType::Binary) => Builder::Bytes(BinaryBuilder::new()),
        (Wire::Date, DataType::Date32) => Builder::Date(Date32Builder::new()),
        (Wire::Time, DataType::Time64(TimeUnit::Microsecond)) => Builder::Time(Time64MicrosecondBuilder::new()),
        (Wire::Timestamp, DataType::Timestamp(TimeUnit::Microsecond, zone)) if zone.is_some() == (*kind == Type::TIMESTAMPTZ) => {
            Builder::Timestamp(TimestampMicrosecondBuilder::new().with_data_type(planned.clone()))
        }
        (Wire::Interval, DataType::Interval(IntervalUnit::MonthDayNano)) => {
            Builder::Interval(IntervalMonthDayNanoBuilder::new())
        }
        _ => {
            let message = format!("column `{name}` is {}, {planned} was planned", kind.name());
            return Err(EngineError::new(ErrorKind::Type, message).hint("the table changed since it was planned; run again"));
        }
    })
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Refusal> {
    bytes.try_into().map_err(|_| "the server sent a value of the wrong length")
}

fn utf8(bytes: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(bytes).map_err(|_| "a text value is not valid UTF-8")
}

impl Builder {
    fn append(&mut self, value: Option<&[u8]>) -> Result<(), Refusal> {
        let Some(v) = value else {
            self.append_null();
            return Ok(());
        };
        match self {
            Self::Bool(b) => b.append_value(fixed::<1>(v)?[0] != 0),
            Self::I16(b) => b.append_value(i16::from_be_bytes(fixed(v)?)),
            Self::I32(b) => b.append_value(i32::from_be_bytes(fixed(v)?)),
            Self::I64(b) => b.append_value(i64::from_be_bytes(fixed(v)?)),
            Self::Oid(b) => b.append_value(u32::from_be_bytes(fixed(v)?)),
            Self::F32(b) => b.append_value(f32::from_be_bytes(fixed(v)?)),
            Self::F64(b) => b.append_value(f64::from_be_bytes(fixed(v)?)),
            Self::Decimal(b, p, s) => b.append_value(numeric::decode(v, *p, *s).map_err(|e| match e {
                NotExact::Malformed => "the server sent a malformed numeric",
                NotExact::NoNumber => "NaN and infinity have no decimal form",
                NotExact::TooManyDigits => "a numeric has more digits than the planned decimal holds",
            })?),
            Self::NumericText(b) => b.append_value(numeric::text(v).ok_or("the server sent a malformed numeric")?),
            Self::Text(b) => b.append_value(utf8(v)?),
            Self::Jsonb(b) => match v.split_first() {
                Some((1, text)) => b.append_value(utf8(text)?),
                _ => return Err("the server sent jsonb of an unknown version"),
            },
            Self::Uuid(b) => {
                let hex = u128::from_be_bytes(fixed(v)?);
                let hex = format!("{hex:032x}");
                b.append_value(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]));
            }
            Self::Bytes(b) => b.append_value(v),
            Self::Date(b) => match i32::from_be_bytes(fixed(v)?) {
                i32::MAX | i32::MIN => return Err("an infinite date cannot be carried"),
                days => b.append_value(days.checked_add(EPOCH_DAYS).ok_or("a date is out of range")?),
            },
            Self::Time(b) => match i64::from_be_bytes(fixed(v)?) {
                86_400_000_000 => return Err("the time 24:00:00 cannot be carried"),
                micros => b.append_value(micros),
            },
            Self::Timestamp(b) => match i64::from_be_bytes(fixed(v)?) {
                i64::MAX | i64::MIN => return Err("an infinite timestamp cannot be carried"),
                micros => b.append_value(micros.checked_add(EPOCH_MICROS).ok_or("a timestamp is out of range")?),
            },
            Self::Interval(b) => {
                let all: [u8; 16] = fixed(v)?;
                let micros = i64::from_be_bytes(fixed(&all[..8])?);
                let days = i32::from_be_bytes(fixed(&all[8..12])?);
                let months = i32::from_be_bytes(fixed(&all[12..])?);
                let nanos = micros.checked_mul(1000).ok_or("an interval is too long to be carried")?;
                b.append_value(IntervalMonthDayNano::new(months, days, nanos));
            }
            Self::List(b) => b.append(v)?,
        }
        Ok(())
    }

    fn append_null(&mut self) {
        match self {
            Self::Bool(b) => b.append_null(),
            Self::I16(b) => b.append_null(),
            Self::I32(b) => b.append_null(),
            Self::I64(b) => b.append_null(),
            Self::Oid(b) => b.append_null(),
            Self::F32(b) => b.append_null(),
            Self::F64(b) => b.append_null(),
            Self::Decimal(b, ..) => b.append_null(),
            Self::NumericText(b) | Self::Text(b) | Self::Jsonb(b) | Self::Uuid(b) => b.append_null(),
            Self::Bytes(b) => b.append_null(),
            Self::Date(b) => b.append_null(),
            Self::Time(b) => b.append_null(),
            Self::Timestamp(b) => b.append_null(),
            Self::Interval(b) => b.append_null(),
            Self::List(b) => b.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Bool(b) => Arc::new(b.finish()),
            Self::I16(b) => Arc::new(b.finish()),
            Self::I32(b) => Arc::new(b.finish()),
            Self::I64(b) => Arc::new(b.finish()),
            Self::Oid(b) => Arc::new(b.finish()),
            Self::F32(b) => Arc::new(b.finish()),
            Self::F64(b) => Arc::new(b.finish()),
            Self::Decimal(b, ..) => Arc::new(b.finish()),
            Self::NumericText(b) | Self::Text(b) | Self::Jsonb(b) | Self::Uuid(b) => Arc::new(b.finish()),
            Self::Bytes(b) => Arc::new(b.finish()),
            Self::Date(b) => Arc::new(b.finish()),
            Self::Time(b) => Arc::new(b.finish()),
            Self::Timestamp(b) => Arc::new(b.finish()),
            Self::Interval(b) => Arc::new(b.finish()),
            Self::List(b) => b.finish(),
        }
    }
}
