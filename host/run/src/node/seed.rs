//! A seed: a CSV file, typed as dbt types it, loaded in bulk into a staging table and published like a table.

use super::{Done, Runner, federate, span};
use crate::database::Database;
use crate::printer::now;
use crate::types::PluginTypes;
use crate::{csv, infer};
use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema};
use dvt_diagnostic::{Code, Diagnostic, Span};
use dvt_engine::{BATCH_ROWS, Connection};
use dvt_federation::{Landing, arrow_type, load_batches, staging_name};
use dvt_planner::types::CanonicalType;
use dvt_plugin_host::NativeColumn;
use dvt_project::Node;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) fn load(runner: &Runner, node: &Node, database: &Arc<Database>, done: &mut Done) -> Result<(), Diagnostic> {
    let project = &runner.project;
    let Some(relation) = &node.relation else {
        return Err(Diagnostic::error(Code::Internal, format!("seed `{}` has no relation", node.name)));
    };
    let _turn = runner.turn(node, database)?;
    let began = now();
    let invalid = |text: String| Diagnostic::error(Code::SeedInvalid, text).at(Span::file(node.path.clone()));
    let delimiter = node.config_str("delimiter").and_then(|d| d.chars().next()).unwrap_or(',');
    let path = project.root.join(&node.span.file);
    let text = std::fs::read_to_string(&path).map_err(|e| invalid(format!("{} cannot be read: {e}", path.display())))?;
    let mut rows = csv::parse(&text, delimiter).map_err(|line| invalid(format!("a quote opened in line {line} is never closed")))?;
    if rows.is_empty() {
        return Err(invalid("the file has no header".to_owned()));
    }
    let header = infer::header(&rows.remove(0));
    if let Some((at, row)) = rows.iter().enumerate().find(|(_, r)| r.len() != header.len()) {
        return Err(invalid(format!("row {} has {} fields, the header has {}", at + 1, row.len(), header.len())));
    }
    let adapter = runner.databases.pool.adapter(&node.target)?;
    let declared = declared(node, &header);
    let mut columns: Vec<(String, CanonicalType)> = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    // Columns whose declared type only the database itself reads: loaded as text, cast there.
    let mut cast: BTreeSet<String> = BTreeSet::new();
    // Named when the database cannot read it either.
    let mut unread: Option<String> = None;
    for (i, name) in header.iter().enumerate() {
        let values: Vec<&str> = rows.iter().map(|r| r[i].as_str()).collect();
        let inferred = declared.get(name).is_none().then(|| infer::infer(&values));
        let kind = match (inferred, declared.get(name)) {
            (Some(kind), _) => Some(kind),
            (None, Some(native)) => {
                let asked = [NativeColumn { name: name.clone(), native: native.clone(), collation: None }];
                let mapped = adapter.map_native(&asked)?.into_iter().next().unwrap_or_default();
                mapped.canonical.filter(|c| infer::readable(*c))
            }
            (None, None) => None,
        };
        let plain = inferred.map(|kind| infer::plain(&values, kind));
        let values: Vec<&str> = plain.as_ref().map_or(values, |plain| plain.iter().map(AsRef::as_ref).collect());
        let read = kind.map(|kind| (kind, infer::column(&values, kind)));
        let (kind, array) = match read {
            Some((kind, Ok(array))) => (kind, array),
            Some((kind, Err((row, value)))) if !declared.get(name).is_some_and(|native| casts_truly(database, node, native, &value)) => {
                return Err(invalid(format!("`{value}` in column `{name}`, row {}, is no {kind}", row + 1))
                    .hint("correct it, or set the column's type with column_types"));
            }
            read if declared.contains_key(name) => {
                cast.insert(name.clone());
                if let Some((kind, Err((row, value)))) = read {
                    unread.get_or_insert_with(|| format!("`{value}` in column `{name}`, row {}, is no {kind}", row + 1));
                }
                let text = infer::column(&values, CanonicalType::Text).map_err(|(row, value)| invalid(format!("`{value}` in column `{name}`, row {}, is no text", row + 1)))?;
                (CanonicalType::Text, text)
            }
            _ => return Err(Diagnostic::error(Code::Internal, format!("column `{name}` has no type"))),
        };
        columns.push((name.clone(), kind));
        arrays.push(array);
    }
    let names = stored_names(node, &header, database)?;
    for (column, name) in columns.iter_mut().zip(&names) {
        column.0.clone_from(name);
    }
    let named = |wanted: &dyn Fn(&str) -> bool| -> BTreeMap<String, String> {
        header.iter().zip(&names).filter(|(h, _)| wanted(h)).filter_map(|(h, n)| Some((n.clone(), declared.get(h)?.clone()))).collect()
    };
    let casts = named(&|h| cast.contains(h));
    let declared = named(&|h| !cast.contains(h));
    let batches = batches(&columns, arrays)?;
    let staging = staging_name(relation, project.invocation(), project.sheet_of(&node.target)?.name_limit);
    let sheet = project.sheet_of(&node.target)?;
    let landing = Landing { target: &node.target, staging: &staging, sheet, declared: &declared };
    let types = PluginTypes { project, pool: &runner.databases.pool };
    let built = federate::stage(runner, &project.engine, node, &staging, database, false, || {
        let landed = database.with_session(&node.target, |session| load_batches(&columns, batches, &types, &landing, session))?;
        done.rows = Some(landed.rows);
        let column = |name: &str| {
            let quoted = sheet.quote(name);
            casts.get(name).map_or_else(|| quoted.clone(), |native| format!("cast({quoted} as {native}) as {quoted}"))
        };
        let list: Vec<String> = landed.columns.iter().map(|c| column(&c.name)).collect();
        let sql = format!("select {} from {}", list.join(", "), sheet.render(&staging));
        Ok(if casts.is_empty() { federate::Filled::Ready(sql) } else { federate::Filled::Raw(sql) })
    })
    .map_err(|e| match &unread {
        Some(what) if e.code == Code::DatabaseError => {
            invalid(format!("{what}: {}", e.message)).hint("correct it, or set the column's type with column_types")
        }
        _ => e,
    })?;
    done.timing.push(span("execute", began));
    done.rows = done.rows.or(built.rows_affected);
    done.word = format!("INSERT {}", done.rows.unwrap_or_default());
    Ok(())
}

/// Whether the database reads `value` as `native`, and refuses what is none: some turn any text into a number or into NULL.
fn casts_truly(database: &Database, node: &Node, native: &str, value: &str) -> bool {
    // Nothing when the database refuses, otherwise whether it made a value of the text.
    let reads = |text: &str| -> Option<bool> {
        let sql = format!("select cast('{}' as {native})", text.replace('\'', "''"));
        let asked = database.with_session(&node.target, |session| Ok(session.query(&sql, Some(1)).ok()));
        let rows = asked.ok().flatten()?;
        Some(rows.batches.iter().all(|b| b.columns().iter().all(|c| c.null_count() == 0)))
    };
    reads(value) == Some(true) && reads("\u{a7} no value").is_none()
}

/// `column_types`, by the header's spelling.
fn declared(node: &Node, header: &[String]) -> BTreeMap<String, String> {
    let types = node.config.get("column_types").and_then(Value::as_object);
    let pairs = types.into_iter().flatten().filter_map(|(name, kind)| {
        let column = header.iter().find(|h| h.eq_ignore_ascii_case(name))?;
        Some((column.clone(), kind.as_str()?.to_owned()))
    });
    pairs.collect()
}

/// The names as the database stores them: unquoted unless `quote_columns` says otherwise, so it folds their case.
fn stored_names(node: &Node, header: &[String], database: &Database) -> Result<Vec<String>, Diagnostic> {
    let plain = |name: &str| {
        let mut chars = name.chars();
        chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_') && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if node.config.get("quote_columns").and_then(Value::as_bool) == Some(true) || !header.iter().all(|h| plain(h)) {
        return Ok(header.to_vec());
    }
    // A letter of each case shows what the product does to names; a reserved word among them would not parse.
    let folded = database.with_session(&node.target, |session| {
        session.describe("select 1 as dvtA").map_err(|e| Diagnostic::error(Code::DatabaseError, e.message))
    })?;
    Ok(match folded.first().map(|c| c.name.as_str()) {
        Some("dvta") => header.iter().map(|h| h.to_ascii_lowercase()).collect(),
        Some("DVTA") => header.iter().map(|h| h.to_ascii_uppercase()).collect(),
        _ => header.to_vec(),
    })
}

fn batches(columns: &[(String, CanonicalType)], arrays: Vec<ArrayRef>) -> Result<Vec<RecordBatch>, Diagnostic> {
    let fields: Vec<Field> = columns.iter().map(|(name, kind)| Field::new(name, arrow_type(*kind), true)).collect();
    let whole = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(|e| Diagnostic::error(Code::SeedInvalid, e.to_string()))?;
    let starts = (0..whole.num_rows()).step_by(BATCH_ROWS);
    Ok(starts.map(|at| whole.slice(at, BATCH_ROWS.min(whole.num_rows() - at))).collect())
}
