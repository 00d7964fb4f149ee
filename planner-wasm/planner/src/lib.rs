//! From a model's SQL to what each database is asked and what the compute does.
//!
//! Pure: the inputs are the text, the relations in it, dialect sheets and a catalog; the output is a plan.
//! Nothing here opens a connection, knows a product, or guesses: what is not understood is not pushed.

pub mod analysis;
mod bind;
pub mod catalog;
mod columns;
pub mod derive;
pub mod dialect;
mod edit;
pub mod explain;
pub mod ir;
pub mod meaning;
mod names;
mod needs;
mod parse;
pub mod pushdown;
pub mod reduce;
mod residual;
pub mod scalar;
mod translate;
pub mod types;
mod walk;

pub use parse::COMPILED;

use catalog::Catalog;
use dialect::{Estimate, Sheets};
use dvt_diagnostic::{Code, Diagnostic, LineIndex};
use dvt_project::{ComputeName, DialectName, RelationRef, TargetName, UniqueId};
use pushdown::verdict::{Rule, Rules, Verdict};
use ir::{Delegate, FederatedPlan, Kept, Note, RemoteScan, Residual, ScanColumn, Sink};
use sqlparser::ast::Query;
use sqlparser::tokenizer::TokenWithSpan;
use std::collections::BTreeMap;
use std::ops::Range;
use types::CanonicalType;

/// A relation as it stands in the compiled text.
#[derive(Debug, Clone)]
pub struct RelationUse {
    pub relation: RelationRef,
    /// Byte ranges of its rendered name in the text.
    pub at: Vec<Range<usize>>,
}

/// What planning one federated model looks at.
pub struct PlanRequest<'a> {
    pub unique_id: &'a UniqueId,
    /// Compiled text, in `dialect`.
    pub sql: &'a str,
    pub relations: &'a [RelationUse],
    pub dialect: &'a DialectName,
    pub compute: &'a ComputeName,
    /// Dialect that the compute engine runs.
    pub compute_dialect: &'a DialectName,
    /// Dialect of each target that holds a relation.
    pub target_dialect: &'a dyn Fn(&TargetName) -> Option<DialectName>,
    pub sheets: &'a Sheets,
    pub catalog: &'a Catalog,
    pub sink: Sink,
    /// SPEC P6: whole tables, everything computed locally.
    pub no_pushdown: bool,
}

/// Plans one federated model.
///
/// # Errors
/// `DVT3001`/`DVT3002` for text that cannot be read, `DVT3004` for a table of no known target, `DVT003` for
/// a construct whose meaning the compute cannot give, `DVT010` for a column that
/// is certainly not there, `DVT011` for a needed column whose type cannot be carried.
pub fn plan(request: &PlanRequest<'_>) -> Result<FederatedPlan, Diagnostic> {
    plan_by(request, &Rules::default())
}

/// As [`plan`], with rules that are off and verdicts that are turned: for tests of the planner, nothing else.
///
/// # Errors
/// As [`plan`].
pub fn plan_by(request: &PlanRequest<'_>, rules: &Rules) -> Result<FederatedPlan, Diagnostic> {
    let about = |d: Diagnostic| d.about(request.unique_id.as_str());
    if let Some(delegate) = whole_query(request, rules) {
        // Its text is not read further, but it must be one query.
        parse::query(request.sql, request.sheets.get(request.dialect).map_err(about)?).map_err(about)?;
        return Ok(FederatedPlan { delegates: vec![delegate], ..empty(request, rules) });
    }
    // A text that cannot be read or names what is not there is told by what follows, in the user's own places.
    let Ok(parts) = pushdown::parts::delegate(request, rules) else { return scans(request, rules, &Views::new(), None) };
    let now = PlanRequest { sql: &parts.sql, relations: &parts.relations, catalog: &parts.catalog, sink: request.sink.clone(), ..*request };
    let made = scans(&now, rules, &parts.views, parts.read).map(|mut plan| {
        for (scan, kept) in parts.stayed {
            plan.notes.push(note(&kept));
            plan.scans[scan].kept.push(kept);
        }
        // What is shown is shown in the user's words.
        let told = |sql: &mut String| parts.words.iter().for_each(|(own, theirs)| *sql = sql.replace(own, theirs));
        for scan in &mut plan.scans {
            scan.pushed.iter_mut().for_each(|p| told(&mut p.sql));
            scan.kept.iter_mut().for_each(|k| told(&mut k.sql));
        }
        plan.notes.iter_mut().for_each(|n| told(&mut n.message));
        plan
    });
    if parts.views.is_empty() {
        return made;
    }
    made.or_else(|e| {
        let mut plan = scans(request, rules, &Views::new(), None)?;
        plan.notes.push(Note { code: Code::NotPushed, message: format!("what a source could answer together is read apart: {}", e.message) });
        Ok(plan)
    })
}

fn note(kept: &Kept) -> Note {
    Note { code: kept.code, message: format!("`{}` stays local: {}", kept.sql, kept.reason) }
}

/// Relations that are queries of their source.
type Views = BTreeMap<RelationRef, pushdown::parts::View>;

fn empty(request: &PlanRequest<'_>, rules: &Rules) -> FederatedPlan {
    FederatedPlan {
        unique_id: request.unique_id.clone(),
        target: request.sink.target.clone(),
        compute: request.compute.clone(),
        dialect: request.dialect.clone(),
        scans: Vec::new(),
        delegates: Vec::new(),
        residual: None,
        sink: request.sink.clone(),
        notes: Vec::new(),
        reductions: Vec::new(),
        shares: !request.no_pushdown && rules.on(Rule::Shares),
    }
}

/// The plan over scans; `read`: the text as it was read, its tokens, and its relations.
fn scans(request: &PlanRequest<'_>, rules: &Rules, views: &Views, read: Option<(Box<Query>, Vec<TokenWithSpan>, Vec<residual::Table>)>) -> Result<FederatedPlan, Diagnostic> {
    let about = |d: Diagnostic| d.about(request.unique_id.as_str());
    let sheet = request.sheets.get(request.dialect).map_err(about)?;
    let (query, tokens, tables) = match read {
        Some(read) => read,
        None => {
            let (query, tokens) = parse::read(request.sql, sheet).map_err(about)?;
            let tables = residual::tables(request.sql, &query, request.relations).map_err(about)?;
            (query, tokens, tables)
        }
    };
    let mut plan = empty(request, rules);
    if let Some(missing) = columns::missing(request.sql, &query, &tables, request.catalog) {
        return Err(about(missing));
    }
    let binder = bind::Binder { sql: request.sql, index: LineIndex::new(request.sql), tables: &tables, catalog: request.catalog, rules };
    if let Some(unknown) = names::unknown(&query, &binder) {
        return Err(about(unknown));
    }
    let mut filters = pushdown::filters::find(&query, &tables, request, rules);
    let settled = pushdown::settled::places(&mut filters, &tables, &tokens, request, sheet, rules);
    let needs = if rules.on(Rule::Columns) { needs::columns(request.sql, &query, &tables, request.catalog, &settled, rules) } else { vec![needs::Needed::All; tables.len()] };
    for (i, table) in tables.iter().enumerate() {
        let found = &filters[i];
        plan.scans.push(scan(request, i, table, &needs[i], found, views.get(&table.relation)).map_err(about)?);
    }
    if let Some(limited) = pushdown::limit::find(&query, &tables, &plan.scans, request, rules)
        && !request.no_pushdown
        && let Some(scan) = plan.scans.first_mut()
    {
        scan.limit = Some(limited.rows);
        scan.sql.push_str(&limited.sql);
    }
    plan.reductions = reduce::reductions(&filters, &tables, &plan.scans, request, rules);
    for scan in &plan.scans {
        for kept in &scan.kept {
            plan.notes.push(note(kept));
        }
    }
    let mut residual = if request.dialect == request.compute_dialect {
        let passed = derive::passed(request.sql, &query, &tables, request.catalog);
        Residual { passed, ..Residual::new(Vec::new(), residual::splice(request.sql, &tables, &settled)) }
    } else {
        let compute = request.sheets.get(request.compute_dialect).map_err(about)?;
        let translated = |sql: &str, query: &Query, tables: &[residual::Table]| {
            translate::Translation { sql, query, tables, catalog: request.catalog, model: sheet, compute }.text()
        };
        if settled.is_empty() {
            translated(request.sql, &query, &tables).map_err(about)?
        } else {
            let edits: Vec<edit::Edit> = residual::asked(request.sql, &settled).collect();
            let (sql, relations) = edit::apply(request.sql, request.relations, &edits);
            let said = parse::query(&sql, sheet).and_then(|query| translated(&sql, &query, &residual::tables(&sql, &query, &relations)?));
            match said {
                Ok(residual) => residual,
                // Its places are those of another text.
                Err(_) => return scans(request, &Rules { off: [rules.off.as_slice(), &[Rule::Settled]].concat(), ..rules.clone() }, views, None),
            }
        }
    };
    // The others every engine has; these it may hold as text or as a wider number.
    residual.passed.retain(|_, kind| matches!(kind, CanonicalType::Uuid | CanonicalType::Json | CanonicalType::UInt(_)));
    plan.residual = Some(residual);
    Ok(plan)
}

/// The whole text verbatim to one database: legal when every relation is there and it speaks the very
/// dialect that the text is written in, so that nothing is re-interpreted.
fn whole_query(request: &PlanRequest<'_>, rules: &Rules) -> Option<Delegate> {
    if request.no_pushdown || !rules.on(Rule::Whole) {
        return None;
    }
    let source = &request.relations.first()?.relation.target;
    let one = request.relations.iter().all(|r| r.relation.target == *source) && (request.target_dialect)(source).as_ref() == Some(request.dialect);
    rules.legal(Verdict::OneTarget, one).then(|| Delegate {
        name: "dvt_delegate_0".to_owned(),
        source: source.clone(),
        sql: request.sql.trim().trim_end_matches(';').to_owned(),
        relations: request.relations.iter().map(|r| r.relation.name.clone()).collect(),
    })
}

fn scan(
    request: &PlanRequest<'_>,
    index: usize,
    table: &residual::Table,
    needed: &needs::Needed,
    found: &pushdown::filters::Found,
    view: Option<&pushdown::parts::View>,
) -> Result<RemoteScan, Diagnostic> {
    let relation = &table.relation;
    let dialect = (request.target_dialect)(&relation.target).ok_or_else(|| {
        Diagnostic::error(Code::TargetNotFound, format!("target `{}` has no dialect", relation.target))
    })?;
    let sheet = request.sheets.get(&dialect)?;
    let schema = request.catalog.relation(relation).ok_or_else(|| {
        let message = format!("`{}` is not in the database of target `{}`", sheet.render(&relation.name), relation.target);
        Diagnostic::error(Code::RelationMissing, message).hint("build it first, or correct the source's schema and name")
    })?;
    let mut columns = Vec::new();
    for column in &schema.columns {
        if !(request.no_pushdown || needed.wants(&column.name)) {
            continue;
        }
        let Some(canonical) = &column.canonical else {
            let why = column.refused.as_deref().unwrap_or("it has no exact form elsewhere");
            let kind = if column.native.is_empty() { "no declared type".to_owned() } else { format!("the type {}", column.native) };
            let message = format!("column `{}` of `{}` has {kind} and cannot be carried: {why}", column.name, sheet.render(&relation.name));
            return Err(Diagnostic::error(Code::UnknownType, message).hint("cast it at the source, or leave it out of the query"));
        };
        columns.push(ScanColumn { name: column.name.clone(), native: column.native.clone(), canonical: canonical.clone() });
    }
    // A scan of no column still has to deliver its rows: the first carried column stands for them.
    if columns.is_empty()
        && let Some(first) = schema.columns.iter().find(|c| c.canonical.is_some())
        && let Some(canonical) = &first.canonical
    {
        columns.push(ScanColumn { name: first.name.clone(), native: first.native.clone(), canonical: canonical.clone() });
    }
    let list: Vec<String> = columns.iter().map(|c| sheet.quote(&c.name)).collect();
    let from = match view {
        Some(view) => format!("({}) {}", view.sql, sheet.quote(&relation.name.identifier)),
        None => sheet.render(&relation.name),
    };
    let mut sql = format!("SELECT {} FROM {from}", list.join(", "));
    let (pushed, mut kept) = if request.no_pushdown { (Vec::new(), Vec::new()) } else { (found.pushed.clone(), found.kept.clone()) };
    if request.no_pushdown {
        kept.extend(found.pushed.iter().map(|p| Kept {
            sql: p.sql.clone(),
            code: Code::NotPushed,
            reason: "--no-pushdown".to_owned(),
        }));
    }
    let remote: Vec<&str> = pushed.iter().map(|p| p.remote.as_str()).collect();
    if !remote.is_empty() {
        sql = format!("{sql} WHERE {}", remote.join(" AND "));
    }
    Ok(RemoteScan {
        name: format!("dvt_scan_{index}"),
        source: relation.target.clone(),
        relation: view.map_or(&relation.name, |v| &v.relation).clone(),
        sql,
        columns,
        pushed,
        kept,
        limit: None,
        rows: schema.rows,
        // Of a query no guess is exact.
        estimate: sheet.estimate.clone().map(|e| Estimate { exact: e.exact && view.is_none(), ..e }),
    })
}
