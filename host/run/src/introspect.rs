//! Relations as their database describes them now, through the product's catalog queries.

use crate::failure::explained;
use crate::pool::{Pool, Session};
use arrow::array::{Array, ArrayRef, RecordBatch, make_array};
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use dvt_diagnostic::{Code, Diagnostic};
use dvt_engine::Connection;
use dvt_planner::catalog::{Collation, ColumnSchema, RelationSchema};
use dvt_plugin_host::NativeColumn;
use dvt_project::{RelationName, TargetName};
use std::collections::BTreeMap;

/// A relation that exists; its columns are known when it was asked for by name.
#[derive(Debug, Clone)]
pub struct Known {
    pub name: RelationName,
    /// `table`, `view`, …
    pub kind: String,
    pub schema: RelationSchema,
    pub said: Said,
}

/// What people wrote at a relation, where its product keeps that.
#[derive(Debug, Clone, Default)]
pub struct Said {
    pub owner: Option<String>,
    pub comment: Option<String>,
    /// By the column's name.
    pub columns: BTreeMap<String, String>,
}

/// Everything in a schema, without columns.
pub fn list(pool: &Pool, target: &TargetName, database: Option<&str>, schema: &str, session: &mut Session) -> Result<Vec<Known>, Diagnostic> {
    let sql = pool.adapter(target)?.list_sql(database, schema)?;
    let mut out = Vec::new();
    each_row(pool, target, &sql, session, 4, ["database", "schema", "name", "kind"], &mut |[database, schema, name, kind]| {
        let name = RelationName { database, schema, identifier: name.unwrap_or_default() };
        out.push(Known { name, kind: kind.unwrap_or_default(), schema: RelationSchema::default(), said: Said::default() });
    })?;
    Ok(out)
}

/// What exists of `wanted`, with columns.
pub fn describe(pool: &Pool, target: &TargetName, wanted: &[RelationName], session: &mut Session) -> Result<Vec<Known>, Diagnostic> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let adapter = pool.adapter(target)?;
    let sql = adapter.catalog_sql(wanted)?;
    let names = [
        "database", "schema", "name", "kind", "column_name", "position", "native_type", "collation", "est_rows", "est_bytes", "owner", "comment", "column_comment",
        "unique_keys",
    ];
    let mut found: BTreeMap<RelationName, Found> = BTreeMap::new();
    each_row(pool, target, &sql, session, 10, names, &mut |[database, schema, name, kind, column, position, native, collation, rows, bytes, owner, comment, column_comment, keys]| {
        let entry = found.entry(RelationName { database, schema, identifier: name.unwrap_or_default() }).or_default();
        entry.kind = kind.unwrap_or_default();
        entry.rows = rows.and_then(|n| number(&n)).or(entry.rows);
        entry.bytes = bytes.and_then(|n| number(&n)).or(entry.bytes);
        entry.said.owner = owner;
        entry.said.comment = comment;
        if let Some(name) = column {
            for key in keys.iter().flat_map(|k| k.split_whitespace()) {
                entry.unique.entry(key.to_owned()).or_default().push(name.clone());
            }
            if let Some(comment) = column_comment {
                entry.said.columns.insert(name.clone(), comment);
            }
            let position = position.and_then(|n| n.parse().ok()).unwrap_or(i64::MAX);
            entry.columns.push((position, NativeColumn { name, native: native.unwrap_or_default(), collation }));
        }
    })?;
    // One call for all columns: a plugin call costs more than a column.
    let mut natives: Vec<NativeColumn> = Vec::new();
    for entry in found.values_mut() {
        entry.columns.sort_by_key(|(position, _)| *position);
        natives.extend(entry.columns.iter().map(|(_, n)| n.clone()));
    }
    let mapped = if natives.is_empty() { Vec::new() } else { adapter.map_native(&natives)? };
    if mapped.len() != natives.len() {
        return Err(Diagnostic::error(Code::PluginContract, format!("the plugin of target `{target}` mapped {} of {} columns", mapped.len(), natives.len())));
    }
    let mut mapped = mapped.into_iter();
    let mut out = Vec::with_capacity(found.len());
    for (name, entry) in found {
        let columns = entry
            .columns
            .into_iter()
            .map(|(_, native)| {
                let mapped = mapped.next().unwrap_or_default();
                let collation = match native.collation.as_deref() {
                    Some("binary") => Collation::Binary,
                    Some("loose") => Collation::Loose,
                    _ => Collation::Unknown,
                };
                ColumnSchema { name: native.name, native: native.native, canonical: mapped.canonical, refused: mapped.refused, collation }
            })
            .collect();
        out.push(Known { name, kind: entry.kind, schema: RelationSchema { columns, rows: entry.rows, bytes: entry.bytes, unique: entry.unique.into_values().collect() }, said: entry.said });
    }
    Ok(out)
}

/// The one among `known` that `name` means: spelled so, else the only one that differs in case.
pub fn meant<'a>(known: &'a [Known], name: &RelationName) -> Option<&'a Known> {
    let same_part = |a: Option<&String>, b: Option<&String>| match (a, b) {
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
        _ => true,
    };
    let near = |k: &&Known| {
        same_part(k.name.database.as_ref(), name.database.as_ref()) && same_part(k.name.schema.as_ref(), name.schema.as_ref())
    };
    if let Some(exact) = known.iter().filter(near).find(|k| k.name.identifier == name.identifier) {
        return Some(exact);
    }
    let mut loose = known.iter().filter(near).filter(|k| k.name.identifier.eq_ignore_ascii_case(&name.identifier));
    let first = loose.next()?;
    loose.next().is_none().then_some(first)
}

#[derive(Default)]
struct Found {
    kind: String,
    rows: Option<u64>,
    bytes: Option<u64>,
    columns: Vec<(i64, NativeColumn)>,
    /// The columns of each unique key.
    unique: BTreeMap<String, Vec<String>>,
    said: Said,
}

/// Runs a catalog query; `each` gets the named columns of every row as text. All but the first `needed` may be absent.
fn each_row<const N: usize>(
    pool: &Pool,
    target: &TargetName,
    sql: &str,
    session: &mut Session,
    needed: usize,
    names: [&str; N],
    each: &mut dyn FnMut([Option<String>; N]),
) -> Result<(), Diagnostic> {
    let adapter = pool.adapter(target)?;
    let rows = session.query(sql, None).map_err(|e| explained(Some(adapter.as_ref()), &e, &format!("the catalog of target `{target}`")))?;
    for batch in &rows.batches {
        let at = names.map(|name| position(batch, name));
        if let Some(missing) = (0..needed).find(|i| at[*i].is_none()) {
            let message = format!("the plugin of target `{target}` gives a catalog without `{}`", names[missing]);
            return Err(Diagnostic::error(Code::PluginContract, message));
        }
        for row in 0..batch.num_rows() {
            each(at.map(|column| cell(batch.column(column?), row)));
        }
    }
    Ok(())
}

fn position(batch: &RecordBatch, name: &str) -> Option<usize> {
    batch.schema().fields().iter().position(|f| f.name().eq_ignore_ascii_case(name))
}

/// Estimates may come as fractions or as -1 for unknown.
fn number(text: &str) -> Option<u64> {
    let value: f64 = text.parse().ok()?;
    (value >= 0.0).then_some(value as u64)
}

/// A value as text; None is NULL.
pub(crate) fn cell(column: &ArrayRef, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    let options = FormatOptions::default()
        .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"))
        .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.f%:z"));
    // The formatter knows offsets, not names; the engine's instants are all in UTC.
    let instant = match column.data_type() {
        DataType::Timestamp(unit, Some(zone)) if zone.as_ref() == "UTC" => {
            let kind = DataType::Timestamp(*unit, Some("+00:00".into()));
            column.slice(row, 1).to_data().into_builder().data_type(kind).build().ok().map(make_array)
        }
        _ => None,
    };
    let (column, row) = instant.as_ref().map_or((column, row), |one| (one, 0));
    // A type without a text form must not look like NULL.
    let text = ArrayFormatter::try_new(column.as_ref(), &options).map(|f| f.value(row).to_string());
    Some(text.unwrap_or_else(|e| format!("({}: {e})", column.data_type())))
}

#[cfg(test)]
mod tests {
    use super::cell;
    use arrow::array::{ArrayRef, TimestampMicrosecondArray};
    use std::sync::Arc;

    #[test]
    fn an_instant_is_shown_in_utc_and_never_as_null() {
        let column: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![None, Some(1_500_000)]).with_timezone("UTC"));
        assert_eq!(cell(&column, 1).as_deref(), Some("1970-01-01 00:00:01.500+00:00"));
        assert_eq!(cell(&column, 0), None);
        let odd: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![Some(0)]).with_timezone("Mars/Olympus"));
        assert!(cell(&odd, 0).is_some());
    }
}
