//! Spark's types as canonical ones, and back.

use dvt_plugin_sdk::NativeType;

/// What a column of a Spark result is.
pub fn canonical(native: &NativeType) -> Result<String, String> {
    let plain = match native.name.as_str() {
        "boolean" => "bool",
        "tinyint" | "byte" => "int8",
        "smallint" | "short" => "int16",
        "int" | "integer" => "int32",
        "bigint" | "long" => "int64",
        "float" | "real" => "float32",
        "double" => "float64",
        "decimal" | "numeric" => return native.decimal().ok_or_else(|| format!("{} cannot be carried", native.text)),
        "string" | "varchar" | "char" => "text",
        "binary" => "bytes",
        "date" => "date",
        "time" => "time",
        // An instant, shown in the session's zone.
        "timestamp" | "timestamp_ltz" => "timestamptz",
        "timestamp_ntz" => "timestamp",
        // A column of nothing but NULL is an integer in the other computes too.
        "void" => "int32",
        name if name.starts_with("interval") => return Err(format!("intervals ({}) cannot be carried; cast the column to text", native.text)),
        _ => return Err(format!("the type {} cannot be carried; use to_json or cast the column to text", native.text)),
    };
    Ok(plain.to_owned())
}

/// In which type Spark holds a canonical one without loss.
pub fn spark(canonical: &NativeType) -> Result<String, String> {
    Ok(match canonical.name.as_str() {
        "bool" => "boolean".to_owned(),
        "int8" => "tinyint".to_owned(),
        "int16" | "uint8" => "smallint".to_owned(),
        "int32" | "uint16" => "int".to_owned(),
        "int64" | "uint32" => "bigint".to_owned(),
        "uint64" => "decimal(20,0)".to_owned(),
        "float32" => "float".to_owned(),
        "float64" => "double".to_owned(),
        "decimal" => canonical.text.clone(),
        "text" | "uuid" | "json" => "string".to_owned(),
        "bytes" => "binary".to_owned(),
        "date" => "date".to_owned(),
        "timestamp" => "timestamp_ntz".to_owned(),
        "timestamptz" => "timestamp".to_owned(),
        "time" => return Err("Spark 3.5 has no time of day".to_owned()),
        "interval" => return Err("Spark's intervals are either of months or of days".to_owned()),
        other => return Err(format!("`{other}` is not known")),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{canonical, spark};
    use dvt_plugin_sdk::NativeType;

    #[test]
    fn what_goes_in_comes_out_no_smaller() {
        for kind in ["bool", "int8", "int16", "int32", "int64", "float32", "float64", "decimal(15,2)", "decimal(38,18)", "text", "bytes", "date", "timestamp", "timestamptz"] {
            let there = spark(&NativeType::parse(kind)).unwrap();
            assert_eq!(canonical(&NativeType::parse(&there)).unwrap(), kind);
        }
        assert_eq!(spark(&NativeType::parse("uint64")).unwrap(), "decimal(20,0)");
    }

    #[test]
    fn what_spark_cannot_hold_is_refused() {
        assert!(spark(&NativeType::parse("interval")).is_err());
        assert!(spark(&NativeType::parse("time")).is_err());
        for native in ["array<int>", "map<string,int>", "struct<a:int>", "interval day to second", "variant"] {
            assert!(canonical(&NativeType::parse(native)).is_err(), "{native}");
        }
    }
}
