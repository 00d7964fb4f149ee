//! Tables and texts over them, written short, for all tests that ask the planner.

use dvt_planner::RelationUse;
use dvt_planner::catalog::{Catalog, Collation, ColumnSchema, RelationSchema};
use dvt_planner::dialect::Sheets;
use dvt_planner::ir::Sink;
use dvt_project::{RelationName, RelationRef, TargetName};
use std::path::{Path, PathBuf};

/// The folder of the whole repository, from any crate's.
pub fn root() -> PathBuf {
    let here = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap());
    here.ancestors().find(|a| a.join("tests/pushdown").is_dir()).unwrap().to_path_buf()
}

/// A column from `name type`, `~` after a text type for a loose collation; from `name!` one whose type is refused.
pub fn column(text: &str) -> ColumnSchema {
    let (refused, loose) = (text.ends_with('!'), text.ends_with('~'));
    let (name, kind) = text.trim_end_matches(['!', '~']).split_once(' ').unwrap_or((text.trim_end_matches('!'), "point"));
    ColumnSchema {
        name: name.into(),
        native: kind.into(),
        canonical: (!refused).then(|| kind.parse().unwrap()),
        refused: None,
        collation: if loose { Collation::Loose } else { Collation::Binary },
    }
}

/// A relation of these columns, separated by `, `.
pub fn schema(columns: &str) -> RelationSchema {
    RelationSchema { columns: columns.split(", ").map(column).collect(), rows: None, bytes: None, unique: Vec::new() }
}

pub fn relation(target: &str, schema: Option<&str>, name: &str) -> RelationRef {
    RelationRef { target: TargetName::from(target), name: RelationName { database: None, schema: schema.map(Into::into), identifier: name.into() } }
}

/// A catalog of these relations.
pub fn catalog_of(relations: impl IntoIterator<Item = (RelationRef, RelationSchema)>) -> Catalog {
    let mut catalog = Catalog::default();
    relations.into_iter().for_each(|(r, s)| catalog.insert(r, s));
    catalog
}

/// The sheets at these paths below `plugins`.
pub fn sheets_of<S: AsRef<Path>>(paths: impl IntoIterator<Item = S>) -> Sheets {
    let mut sheets = Sheets::default();
    for path in paths {
        let path = root().join("plugins").join(path);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        sheets.add(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
    sheets
}

/// A text whose `{name}` are relations (other braces stay): how each is written, and where which stands.
pub fn filled(template: &str, written: impl Fn(&str) -> String, relation: impl Fn(&str) -> RelationRef) -> (String, Vec<RelationUse>) {
    let (mut sql, mut rest) = (String::new(), template);
    let mut relations: Vec<RelationUse> = Vec::new();
    while let Some((before, after)) = rest.split_once('{') {
        sql.push_str(before);
        let Some((name, after)) = after.split_once('}').filter(|(n, _)| n.chars().all(|c| c.is_alphanumeric() || c == '_')) else {
            sql.push('{');
            rest = after;
            continue;
        };
        let start = sql.len();
        sql.push_str(&written(name));
        let (relation, range) = (relation(name), start..sql.len());
        match relations.iter_mut().find(|r| r.relation == relation) {
            Some(known) => known.at.push(range),
            None => relations.push(RelationUse { relation, at: vec![range] }),
        }
        rest = after;
    }
    sql.push_str(rest);
    (sql, relations)
}

/// A table `m` on `target`.
pub fn sink(target: &str) -> Sink {
    Sink { target: target.into(), relation: relation(target, None, "m").name, materialized: "table".into() }
}
