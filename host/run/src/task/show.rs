//! `show`: the first rows of a node or of text given on the command line.

use super::{OK, Prepared, Task};
use crate::database::Database;
use crate::log::{Event, Level};
use crate::node::{collect, plan_node};
use crate::project::Project;
use crate::values::{kind, shown, value};
use dvt_diagnostic::{Code, Diagnostic};
use dvt_jinja::{Compiled, Execute, Runtime};
use dvt_project::{ExecutionPath, Node, TargetName};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// `--output`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Table,
    Json,
}

struct Preview {
    /// Names and canonical types.
    columns: Vec<(String, String)>,
    rows: Vec<Vec<Value>>,
}

impl Task {
    /// At most `limit` rows; None: all.
    ///
    /// # Errors
    /// What keeps a preview from being made.
    pub fn show(&self, inline: Option<&str>, direct: Option<&str>, limit: Option<usize>, form: Form) -> Result<u8, Vec<Diagnostic>> {
        let one = |d: Diagnostic| vec![d];
        let Prepared { project, databases, chosen } = self.prepared(false)?;
        let database = Arc::new(Database::new(databases.clone()));
        if let Some(text) = direct {
            let compiled = Compiled { sql: text.to_owned(), ..Compiled::default() };
            let node = inline_node(&project, &compiled);
            let preview = preview(&project, &node, &compiled, &database, &databases, limit).map_err(one)?;
            return Ok(self.shown(&preview, "inline", None, form));
        }
        if let Some(text) = inline {
            let compiled = project.engine.compile_inline(text, Some(database.clone())).map_err(one)?;
            let node = inline_node(&project, &compiled);
            let preview = preview(&project, &node, &compiled, &database, &databases, limit).map_err(one)?;
            return Ok(self.shown(&preview, "inline", None, form));
        }
        let nodes: Vec<&Node> = chosen.iter().filter_map(|id| project.manifest.nodes.get(id)).collect();
        let models: Vec<&Node> = nodes.iter().copied().filter(|n| n.resource_type != dvt_project::ResourceType::Test).collect();
        let picked = if models.is_empty() { nodes } else { models };
        if picked.is_empty() {
            return Err(vec![Diagnostic::error(Code::NothingSelected, "nothing to show: the selection matches no node").hint("`dvt show -s NAME` or `dvt show --inline 'select 1'`")]);
        }
        for node in picked {
            let shown = if node.resource_type == dvt_project::ResourceType::Seed {
                table_of(node, &project).and_then(|compiled| preview(&project, node, &compiled, &database, &databases, limit))
            } else {
                project.engine.compile(&node.unique_id, Some(database.clone())).and_then(|compiled| preview(&project, node, &compiled, &database, &databases, limit))
            };
            self.shown(&shown.map_err(one)?, &node.name, Some(node.unique_id.as_str()), form);
        }
        Ok(OK)
    }

    fn shown(&self, preview: &Preview, name: &str, id: Option<&str>, form: Form) -> u8 {
        let text = text(preview, id.map(|_| name), form);
        let data = json!({
            "node_name": name, "preview": text, "is_inline": id.is_none(), "unique_id": id, "output_format": if form == Form::Json { "json" } else { "text" },
            "quiet": self.settings.quiet,
        });
        self.printer.data(Event::new("Q041", "ShowNode", Level::Info, text, data));
        OK
    }
}

/// A seed is shown as its table stands.
fn table_of(node: &Node, project: &Project) -> Result<Compiled, Diagnostic> {
    let relation = node.relation.as_ref().ok_or_else(|| Diagnostic::error(Code::Internal, "a seed without a relation"))?;
    Ok(Compiled { sql: format!("select * from {}", project.sheet_of(&node.target)?.render(relation)), ..Compiled::default() })
}

/// Text on the command line belongs to no node: it runs where its relations are, in the default target's dialect.
fn inline_node(project: &Project, compiled: &Compiled) -> Node {
    let used: BTreeSet<&TargetName> = compiled.relations.iter().map(|u| &u.relation.target).collect();
    let default = &project.manifest.default_target;
    let (target, execution) = match used.iter().next() {
        Some(only) if used.len() == 1 => ((*only).clone(), ExecutionPath::Pushdown),
        None => (default.clone(), ExecutionPath::Pushdown),
        Some(_) => (default.clone(), ExecutionPath::Federation),
    };
    Node {
        unique_id: "analysis.inline".into(),
        resource_type: dvt_project::ResourceType::Analysis,
        name: "inline".to_owned(),
        alias: "inline".to_owned(),
        package: project.manifest.project_name.clone(),
        fqn: vec!["inline".to_owned()],
        language: "sql".to_owned(),
        adapter: project.manifest.targets.get(&target).map(|t| t.adapter.clone()).unwrap_or_default(),
        target,
        dialect: project.dialect_of(default).unwrap_or_default(),
        compute: project.manifest.default_compute.clone(),
        execution,
        span: dvt_diagnostic::Span::file("<inline>"),
        ..Node::default()
    }
}

fn preview(
    project: &Project,
    node: &Node,
    compiled: &Compiled,
    database: &Arc<Database>,
    databases: &Arc<crate::database::Databases>,
    limit: Option<usize>,
) -> Result<Preview, Diagnostic> {
    if node.execution == ExecutionPath::Federation {
        let planned = plan_node(project, node, compiled, database)?;
        let collected = collect(project, databases, &planned.plan, limit, None)?;
        let rows = collected.batches.iter().flat_map(|b| (0..b.num_rows()).map(|r| b.columns().iter().map(|c| value(c, r)).collect())).collect();
        let kinds = collected.batches.first().map(|b| b.schema().fields().iter().map(|f| kind(f.data_type())).collect::<Vec<_>>()).unwrap_or_default();
        let columns = collected.columns.into_iter().enumerate().map(|(i, name)| (name, kinds.get(i).cloned().unwrap_or_default())).collect();
        return Ok(Preview { columns, rows });
    }
    let reads: Vec<_> = compiled.relations.iter().map(|u| u.relation.clone()).collect();
    let result = database.execute(&node.target, &compiled.sql, &reads, Execute { fetch: true, limit })?;
    Ok(Preview { columns: result.columns, rows: result.rows })
}

/// `name` is the node's; text of the command line has none.
fn text(preview: &Preview, name: Option<&str>, form: Form) -> String {
    match form {
        Form::Json => {
            let rows: Vec<Value> = preview
                .rows
                .iter()
                .map(|r| Value::Object(preview.columns.iter().zip(r).map(|((name, kind), value)| (name.clone(), as_json(kind, value))).collect()))
                .collect();
            let document = name.map_or_else(|| json!({"show": rows}), |name| json!({"node": name, "show": rows}));
            serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
        }
        Form::Table => table(preview),
    }
}

/// As dbt's JSON has it: decimals are numbers, times are in ISO's form.
fn as_json(kind: &str, value: &Value) -> Value {
    let Value::String(text) = value else { return value.clone() };
    if kind.starts_with("decimal") {
        // Integers of more than 64 bits come as decimals too: they and what a float does not hold stay whole.
        let whole = text.parse::<i128>().ok().filter(|n| kind == "decimal(38,0)" || n.unsigned_abs() > 1 << f64::MANTISSA_DIGITS);
        return whole.and_then(|n| i64::try_from(n).map(Value::from).or_else(|_| u64::try_from(n).map(Value::from)).ok()).or_else(|| Some(Value::from(text.parse::<f64>().ok()?))).unwrap_or_else(|| value.clone());
    }
    if !kind.starts_with("timestamp") {
        return value.clone();
    }
    let text = text.replacen(' ', "T", 1);
    let Some((head, rest)) = text.split_once('.') else { return Value::from(text) };
    let zone = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    Value::from(format!("{head}.{:0<6}{}", &rest[..zone], &rest[zone..]))
}

/// Whether a column's values have places behind the point.
fn is_broken(kind: &str) -> bool {
    kind.starts_with("decimal") || kind.starts_with("float")
}

/// Numbers of one column stand with equally many places, no more than one of them needs.
fn aligned(preview: &Preview) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = preview.rows.iter().map(|r| r.iter().map(shown).collect()).collect();
    for (i, _) in preview.columns.iter().enumerate().filter(|(_, (_, kind))| is_broken(kind)) {
        let plain = |cell: &str| cell.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '.'));
        for row in &mut rows {
            let Some(cell) = row.get_mut(i).filter(|c| plain(c) && c.contains('.')) else { continue };
            cell.truncate(cell.trim_end_matches('0').trim_end_matches('.').len());
        }
        let places = |cell: &str| cell.split_once('.').map_or(0, |(_, places)| places.len());
        let most = rows.iter().filter_map(|r| r.get(i)).filter(|c| plain(c)).map(|c| places(c)).max().unwrap_or_default();
        for row in rows.iter_mut().filter(|_| most > 0) {
            let Some(cell) = row.get_mut(i).filter(|c| plain(c) && !c.is_empty()) else { continue };
            let missing = most - places(cell);
            *cell = format!("{cell}{}{}", if cell.contains('.') { "" } else { "." }, "0".repeat(missing));
        }
    }
    rows
}

/// `| a | b |` with numbers at the right.
fn table(preview: &Preview) -> String {
    let mut cells: Vec<Vec<String>> = vec![preview.columns.iter().map(|(name, _)| name.clone()).collect()];
    cells.extend(aligned(preview));
    let widths: Vec<usize> =
        (0..preview.columns.len()).map(|i| cells.iter().filter_map(|r| r.get(i)).map(|c| c.chars().count()).max().unwrap_or_default()).collect();
    let mut out = String::new();
    for (n, row) in cells.iter().enumerate() {
        for (i, width) in widths.iter().enumerate() {
            let cell = row.get(i).map(String::as_str).unwrap_or_default().replace('\n', " ");
            let number = n > 0 && (is_broken(&preview.columns[i].1) || preview.rows[n - 1].get(i).is_some_and(Value::is_number));
            out += &if number { format!("| {cell:>width$} ") } else { format!("| {cell:<width$} ") };
        }
        out += "|\n";
        if n == 0 {
            for width in &widths {
                out += &format!("| {} ", "-".repeat(*width));
            }
            out += "|\n";
        }
    }
    out
}
