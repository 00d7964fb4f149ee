//! Result columns in the product's own type words, and their nearest Arrow type.

use arrow::datatypes::{DataType, TimeUnit};
use mysql::Column;
use mysql::consts::{ColumnFlags, ColumnType};

/// The character set number of bytes that are no text.
const BINARY: u16 = 63;

/// Microseconds are the product's finest fraction; more means that the fraction is not fixed.
fn fraction(column: &Column) -> String {
    match column.decimals() {
        d @ 1..=6 => format!("({d})"),
        _ => String::new(),
    }
}

pub(super) fn unsigned(column: &Column) -> bool {
    column.flags().contains(ColumnFlags::UNSIGNED_FLAG)
}

/// Bytes; a column of no length holds nothing but NULL, which every type is.
pub(super) fn binary(column: &Column) -> bool {
    column.character_set() == BINARY && column.column_length() > 0
}

/// Precision and scale; the length counts the sign and the point.
fn digits(column: &Column) -> (u32, u8) {
    let scale = column.decimals();
    let marks = u32::from(!unsigned(column)) + u32::from(scale > 0);
    (column.column_length().saturating_sub(marks), scale)
}

/// As `information_schema` would write it.
pub(super) fn native(column: &Column) -> String {
    let sign = if unsigned(column) { " unsigned" } else { "" };
    match column.column_type() {
        ColumnType::MYSQL_TYPE_TINY => format!("tinyint{sign}"),
        ColumnType::MYSQL_TYPE_SHORT => format!("smallint{sign}"),
        ColumnType::MYSQL_TYPE_INT24 => format!("mediumint{sign}"),
        ColumnType::MYSQL_TYPE_LONG => format!("int{sign}"),
        ColumnType::MYSQL_TYPE_LONGLONG => format!("bigint{sign}"),
        ColumnType::MYSQL_TYPE_YEAR => "year".to_owned(),
        ColumnType::MYSQL_TYPE_FLOAT => "float".to_owned(),
        ColumnType::MYSQL_TYPE_DOUBLE => "double".to_owned(),
        ColumnType::MYSQL_TYPE_DECIMAL | ColumnType::MYSQL_TYPE_NEWDECIMAL => {
            let (precision, scale) = digits(column);
            format!("decimal({precision},{scale}){sign}")
        }
        ColumnType::MYSQL_TYPE_DATE | ColumnType::MYSQL_TYPE_NEWDATE => "date".to_owned(),
        ColumnType::MYSQL_TYPE_DATETIME | ColumnType::MYSQL_TYPE_DATETIME2 => format!("datetime{}", fraction(column)),
        ColumnType::MYSQL_TYPE_TIMESTAMP | ColumnType::MYSQL_TYPE_TIMESTAMP2 => format!("timestamp{}", fraction(column)),
        ColumnType::MYSQL_TYPE_TIME | ColumnType::MYSQL_TYPE_TIME2 => format!("time{}", fraction(column)),
        ColumnType::MYSQL_TYPE_BIT => format!("bit({})", column.column_length()),
        ColumnType::MYSQL_TYPE_JSON => "json".to_owned(),
        ColumnType::MYSQL_TYPE_GEOMETRY => "geometry".to_owned(),
        ColumnType::MYSQL_TYPE_NULL => "text".to_owned(),
        _ if binary(column) => "longblob".to_owned(),
        _ => "longtext".to_owned(),
    }
}

/// For small results, where nobody asked for a type.
pub(super) fn natural(column: &Column) -> DataType {
    match column.column_type() {
        ColumnType::MYSQL_TYPE_TINY
        | ColumnType::MYSQL_TYPE_SHORT
        | ColumnType::MYSQL_TYPE_INT24
        | ColumnType::MYSQL_TYPE_LONG
        | ColumnType::MYSQL_TYPE_LONGLONG
        | ColumnType::MYSQL_TYPE_YEAR => {
            if unsigned(column) {
                DataType::UInt64
            } else {
                DataType::Int64
            }
        }
        ColumnType::MYSQL_TYPE_BIT => DataType::UInt64,
        ColumnType::MYSQL_TYPE_FLOAT => DataType::Float32,
        ColumnType::MYSQL_TYPE_DOUBLE => DataType::Float64,
        ColumnType::MYSQL_TYPE_DECIMAL | ColumnType::MYSQL_TYPE_NEWDECIMAL => match digits(column) {
            (precision @ 1..=38, scale) if u32::from(scale) <= precision => DataType::Decimal128(precision as u8, scale as i8),
            _ => DataType::Utf8,
        },
        ColumnType::MYSQL_TYPE_DATE | ColumnType::MYSQL_TYPE_NEWDATE => DataType::Date32,
        ColumnType::MYSQL_TYPE_DATETIME | ColumnType::MYSQL_TYPE_DATETIME2 => DataType::Timestamp(TimeUnit::Microsecond, None),
        ColumnType::MYSQL_TYPE_TIMESTAMP | ColumnType::MYSQL_TYPE_TIMESTAMP2 => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        ColumnType::MYSQL_TYPE_STRING
        | ColumnType::MYSQL_TYPE_VAR_STRING
        | ColumnType::MYSQL_TYPE_VARCHAR
        | ColumnType::MYSQL_TYPE_TINY_BLOB
        | ColumnType::MYSQL_TYPE_MEDIUM_BLOB
        | ColumnType::MYSQL_TYPE_LONG_BLOB
        | ColumnType::MYSQL_TYPE_BLOB
        | ColumnType::MYSQL_TYPE_GEOMETRY
            if binary(column) =>
        {
            DataType::Binary
        }
        // TIME may be longer than a day here.
        _ => DataType::Utf8,
    }
}
