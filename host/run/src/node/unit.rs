//! A unit test: the model's query over the test's rows, beside the rows that must come out.
//!
//! The rows take the types of the relations that they stand for. A model of one target is asked there, a federated
//! one in its compute. Nothing is written. Not here: how differences are shown.

use super::federate::{collect, plan_node};
use super::unit_diff::{Table, difference};
use super::{Done, Runner, Status};
use crate::database::Database;
use crate::introspect::meant;
use crate::values;
use dvt_diagnostic::{Code, Diagnostic};
use dvt_jinja::{Compiled, Execute, FixtureColumn, Overlay, Runtime, UnitInput, UnitOverlay};
use dvt_planner::types::CanonicalType;
use dvt_project::{ExecutionPath, FixtureRows, Node, UnitTest};
use std::sync::Arc;

pub(super) fn run(runner: &Runner, test: &UnitTest, database: &Arc<Database>, done: &mut Done) -> Result<(), Diagnostic> {
    let project = &runner.project;
    let model = test.depends_on.nodes.first().and_then(|id| project.manifest.nodes.get(id));
    let model = model.ok_or_else(|| Diagnostic::error(Code::Internal, format!("unit test `{}` has no model", test.name)))?;
    let mut overlay = UnitOverlay::of(test);
    for input in &test.given {
        let what = project.engine.unit_input(test, model, input)?;
        let columns = match &input.fixture.rows {
            FixtureRows::Sql(_) => Vec::new(),
            FixtureRows::Rows(_) => columns(runner, test, model, &what, database)?,
        };
        let sql = project.engine.fixture_sql(model, &input.fixture, &columns, &input.input, true).map_err(|e| e.at(input.span.clone()))?;
        overlay.inputs.insert(what.id, (what.name, sql));
    }
    let engine = project.engine.with(Overlay { batch: None, unit: Some(Arc::new(overlay)) });
    let compiled = engine.compile_unit(test, model, database.clone())?;
    let (actual, types) = rows(runner, test, model, &compiled, database)?;
    let expected_sql = engine.fixture_sql(model, &test.expect, &types, "the expected rows", false).map_err(|e| e.at(test.span.clone()))?;
    let none = matches!(&test.expect.rows, FixtureRows::Rows(rows) if rows.is_empty());
    let expected = if none {
        Table { columns: actual.columns.clone(), rows: Vec::new() }
    } else {
        let text = Compiled { sql: expected_sql, ..Compiled::default() };
        rows(runner, test, model, &text, database)?.0
    };
    let actual = actual.only(&expected.columns);
    done.failures = Some(0);
    if let Some(shown) = difference(&actual, &expected) {
        done.status = Status::Fail;
        "FAIL 1".clone_into(&mut done.word);
        done.failures = Some(1);
        done.message = Some(format!("\n\nactual differs from expected:\n\n{shown}\n"));
    } else {
        done.status = Status::Pass;
        "PASS".clone_into(&mut done.word);
    }
    Ok(())
}

/// Names and types of the relation that an input stands for, the types as the model's SQL writes them.
fn columns(runner: &Runner, test: &UnitTest, model: &Node, what: &UnitInput, database: &Arc<Database>) -> Result<Vec<FixtureColumn>, Diagnostic> {
    let missing = |why: &str| {
        let text = format!("unit test `{}`: the columns of `{}` are not known: {why}", test.name, what.name);
        Diagnostic::error(Code::PropertyInvalid, text).at(test.span.clone()).hint("build it first, for instance with `dvt run --empty`, or give its rows with format: sql")
    };
    let relation = what.relation.as_ref().ok_or_else(|| missing("an ephemeral model is no relation"))?;
    let known = database.fresh(&relation.target, std::slice::from_ref(&relation.name))?;
    let found = meant(&known, &relation.name).ok_or_else(|| missing("it does not exist yet"))?;
    if model.execution == ExecutionPath::Pushdown {
        return Ok(found.schema.columns.iter().map(|c| (c.name.clone(), c.native.clone())).collect());
    }
    let kinds: Vec<Option<CanonicalType>> = found.schema.columns.iter().map(|c| c.canonical).collect();
    Ok(found.schema.columns.iter().map(|c| c.name.clone()).zip(written(runner, model, &kinds)?).collect())
}

/// Types as the model's dialect writes them; empty for those that nothing is known of.
fn written(runner: &Runner, model: &Node, kinds: &[Option<CanonicalType>]) -> Result<Vec<String>, Diagnostic> {
    let adapters = runner.project.plugins.adapters();
    let speaks = adapters.iter().find(|(_, a)| a.adapter_facts().dialect == model.dialect.0);
    let Some((_, adapter)) = speaks else { return Ok(vec![String::new(); kinds.len()]) };
    let known: Vec<CanonicalType> = kinds.iter().flatten().copied().collect();
    let mut names = adapter.ddl_types(&known)?.into_iter();
    Ok(kinds.iter().map(|k| k.and_then(|_| names.next()).unwrap_or_default()).collect())
}

/// The query's rows, and its columns with their types as SQL.
fn rows(runner: &Runner, test: &UnitTest, model: &Node, compiled: &Compiled, database: &Arc<Database>) -> Result<(Table, Vec<FixtureColumn>), Diagnostic> {
    let about = |e: Diagnostic| {
        let hint = e.hint.clone().unwrap_or_else(|| "there may be an error in the unit test: check its columns and their types".to_owned());
        Diagnostic { message: format!("unit test `{}`: {}", test.name, e.message), ..e }.at(test.span.clone()).hint(hint)
    };
    if model.execution == ExecutionPath::Pushdown {
        let reads: Vec<_> = compiled.relations.iter().map(|u| u.relation.clone()).collect();
        let types = database.describe(&model.target, &compiled.sql, &reads).map_err(about)?;
        let result = database.execute(&model.target, &compiled.sql, &reads, Execute { fetch: true, limit: None }).map_err(about)?;
        let columns = result.columns.into_iter().map(|(name, _)| name).collect();
        return Ok((Table { columns, rows: result.rows }, types.into_iter().map(|c| (c.name, c.data_type)).collect()));
    }
    let planned = plan_node(&runner.project, model, compiled, database).map_err(about)?;
    let collected = collect(&runner.project, &runner.databases, &planned.plan, None, None).map_err(about)?;
    let kinds: Vec<Option<CanonicalType>> = match collected.batches.first() {
        Some(batch) => batch.schema().fields().iter().map(|f| dvt_federation::canonical_type(f.data_type())).collect(),
        None => vec![None; collected.columns.len()],
    };
    let types = collected.columns.iter().cloned().zip(written(runner, model, &kinds)?).collect();
    let cells = collected.batches.iter().flat_map(|b| (0..b.num_rows()).map(move |row| b.columns().iter().map(|c| values::value(c, row)).collect()));
    Ok((Table { columns: collected.columns.clone(), rows: cells.collect() }, types))
}
