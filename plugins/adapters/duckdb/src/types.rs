// DuckDB's types as canonical ones: one table for the adapter and the compute.
|native: &dvt_plugin_sdk::NativeType| -> Result<String, String> {
    if native.text.ends_with(']') {
        return Err(format!("lists ({}) cannot be carried; cast the column to text or JSON", native.text));
    }
    let plain = match native.name.as_str() {
        "boolean" | "bool" => "bool",
        "tinyint" => "int8",
        "smallint" => "int16",
        "integer" | "int" => "int32",
        "bigint" => "int64",
        "utinyint" => "uint8",
        "usmallint" => "uint16",
        "uinteger" => "uint32",
        "ubigint" => "uint64",
        "hugeint" => "decimal(38,0)",
        "float" | "real" => "float32",
        "double" => "float64",
        "decimal" | "numeric" => return native.decimal().ok_or_else(|| format!("{} is wider than 38 digits; cast the column", native.text)),
        "varchar" | "text" | "char" | "bpchar" | "string" => "text",
        "blob" | "bytea" | "varbinary" => "bytes",
        "date" => "date",
        "time" => "time",
        "timestamp" | "datetime" | "timestamp_s" | "timestamp_ms" | "timestamp_us" => "timestamp",
        "timestamp with time zone" | "timestamptz" => "timestamptz",
        "interval" => "interval",
        "uuid" => "uuid",
        "json" => "json",
        name if name.starts_with("enum") => "text",
        "\"null\"" | "null" => "text",
        _ => return Err(format!("the type {} cannot be carried; cast the column to text", native.text)),
    };
    Ok(plain.to_owned())
}
