//! `unit_tests:`: inputs, expected rows and overrides, with fixture files read.
//!
//! Not here: which model is meant (models are not known yet), and how a test runs.

use super::{Properties, Reader};
use crate::generic_test::{python_text, quoted};
use crate::names::UniqueId;
use crate::node::DependsOn;
use crate::render::rendered;
use crate::resource::{Fixture, FixtureFormat, FixtureRows, UnitTest, UnitTestInput, UnitTestOverrides};
use crate::yaml::{Yaml, YamlMap};
use dvt_diagnostic::{Diagnostic, Span};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

const KEYS: [&str; 8] = ["name", "model", "description", "given", "expect", "overrides", "config", "versions"];

impl Reader<'_> {
    pub(super) fn unit_test(&mut self, entry: &Yaml, out: &mut Properties) -> Result<(), Diagnostic> {
        let Some(map) = entry.as_map() else {
            return Err(self.invalid("an entry of `unit_tests` is no mapping", &entry.span));
        };
        let name = self.name(map, &entry.span, "unit_tests")?;
        let what = format!("unit test `{name}`");
        self.unknown_keys(map, &KEYS, &what);
        let model = match map.get("model").and_then(Yaml::as_str) {
            Some(model) => model.to_owned(),
            None => return Err(self.invalid(&format!("{what} names no `model`"), &entry.span)),
        };
        let mut given = Vec::new();
        for input in map.get("given").and_then(Yaml::as_list).unwrap_or_default() {
            given.push(self.input(input, &what)?);
        }
        let Some(expect) = map.get("expect") else {
            return Err(self.invalid(&format!("{what} has no `expect`"), &entry.span).hint("add `expect: {rows: [{…}]}`"));
        };
        let expect = self.fixture(expect, &what, None)?;
        let overrides = match map.get("overrides").filter(|y| !y.is_null()) {
            Some(y) => {
                let part = |key: &str| -> Result<Map<String, Value>, Diagnostic> {
                    let value = y.get(key).map(|y| rendered(y, self.render, &|_| false)).transpose()?;
                    Ok(value.and_then(|v| v.as_object().cloned()).unwrap_or_default())
                };
                Some(UnitTestOverrides { macros: part("macros")?, vars: part("vars")?, env_vars: part("env_vars")? })
            }
            None => None,
        };
        let mut fqn = self.file.fqn.clone();
        fqn.extend([model.clone(), name.clone()]);
        let own = self.config(map, &[])?;
        let config = self.configs.resolve(&self.file.package, "unit_test", &fqn, &own, &Map::new());
        let versions = map.get("versions").filter(|y| !y.is_null()).map(|y| {
            json!({"include": y.get("include").map(Yaml::to_json), "exclude": y.get("exclude").map(Yaml::to_json)})
        });
        let mut test = UnitTest {
            unique_id: UniqueId::new(format!("unit_test.{}.{model}.{name}", self.file.package)),
            package: self.file.package.clone(),
            path: self.file.path.clone(),
            below: self.file.below,
            fqn,
            description: self.description(map.get("description"))?,
            config,
            given,
            expect,
            overrides,
            depends_on: DependsOn::default(),
            schema: None,
            version: None,
            versions,
            checksum: String::new(),
            span: map.get("name").map_or(&entry.span, |y| &y.span).clone(),
            model,
            name,
        };
        test.checksum = checksum(&test);
        out.unit_tests.push(test);
        Ok(())
    }

    fn input(&mut self, yaml: &Yaml, what: &str) -> Result<UnitTestInput, Diagnostic> {
        let Some(input) = yaml.get("input").and_then(Yaml::as_str).map(str::to_owned) else {
            return Err(self.invalid(&format!("an entry of `given` of {what} has no `input`"), &yaml.span).hint("write `input: ref('model')`"));
        };
        let fixture = self.fixture(yaml, what, Some(&input))?;
        Ok(UnitTestInput { input, fixture, span: yaml.span.clone() })
    }

    /// `rows`, `format`, `fixture`; a `dict` input without rows takes those of the seed that it names.
    fn fixture(&mut self, yaml: &Yaml, what: &str, input: Option<&str>) -> Result<Fixture, Diagnostic> {
        let map = yaml.as_map().ok_or_else(|| self.invalid(&format!("the rows of {what} are no mapping"), &yaml.span))?;
        self.unknown_keys(map, &["input", "rows", "format", "fixture"], what);
        let format = match map.get("format").map(|y| (y.as_str().unwrap_or_default(), &y.span)) {
            None | Some(("dict", _)) => FixtureFormat::Dict,
            Some(("csv", _)) => FixtureFormat::Csv,
            Some(("sql", _)) => FixtureFormat::Sql,
            Some((other, at)) => return Err(self.invalid(&format!("`{other}` is no format of rows"), at).hint("known formats: dict, csv, sql")),
        };
        let file = map.get("fixture").and_then(Yaml::as_str).map(str::to_owned);
        let read = match &file {
            Some(name) => Some(self.fixture_file(name, map)?),
            None => None,
        };
        let mismatch = |at: &Span, wanted: &str| self.invalid(&format!("the rows of {what} do not match their format"), at).hint(wanted.to_owned());
        let rows = match (format, map.get("rows").filter(|y| !y.is_null()), read) {
            (FixtureFormat::Sql, _, Some(text)) => FixtureRows::Sql(text),
            (FixtureFormat::Sql, Some(y), None) => FixtureRows::Sql(y.as_str().ok_or_else(|| mismatch(&y.span, "`sql` takes a query"))?.to_owned()),
            (FixtureFormat::Csv, _, Some(text)) => FixtureRows::Rows(csv_rows(&text, true)),
            (FixtureFormat::Csv, Some(y), None) => {
                let text = y.as_str().ok_or_else(|| mismatch(&y.span, "`csv` takes text with a header line"))?;
                FixtureRows::Rows(csv_rows(text, true))
            }
            (FixtureFormat::Dict, Some(y), _) => FixtureRows::Rows(self.dict_rows(y, what)?),
            (FixtureFormat::Dict, None, None) => FixtureRows::Rows(self.seed_rows(input, what, &yaml.span)?),
            (FixtureFormat::Sql | FixtureFormat::Csv, None, None) => return Err(mismatch(&yaml.span, "give `rows` or `fixture`")),
            (FixtureFormat::Dict, None, Some(_)) => return Err(mismatch(&yaml.span, "a fixture file needs `format: csv` or `format: sql`")),
        };
        Ok(Fixture { format, rows: whole_row_first(rows), file })
    }

    fn dict_rows(&self, yaml: &Yaml, what: &str) -> Result<Vec<Map<String, Value>>, Diagnostic> {
        let wrong = |at: &Span| self.invalid(&format!("the rows of {what} do not match their format"), at).hint("`dict` takes a list of mappings of columns to values");
        let list = yaml.as_list().ok_or_else(|| wrong(&yaml.span))?;
        let row = |y: &Yaml| match rendered(y, self.render, &|_| false)? {
            Value::Object(row) => Ok(row),
            _ => Err(wrong(&y.span)),
        };
        list.iter().map(row).collect()
    }

    fn fixture_file(&self, name: &str, map: &YamlMap) -> Result<String, Diagnostic> {
        let key = (self.file.package.clone(), name.to_owned());
        let found = self.inventory.fixtures.get(&key).map(|(_, text)| text.clone());
        found.ok_or_else(|| {
            let known: Vec<&str> = self.inventory.fixtures.keys().filter(|(p, _)| *p == self.file.package).map(|(_, n)| n.as_str()).collect();
            let at = map.get("fixture").map(|y| y.span.clone()).unwrap_or_default();
            let error = self.invalid(&format!("there is no fixture file `{name}` below tests/fixtures"), &at);
            match crate::suggest::suggestion(name, &known) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error,
            }
        })
    }

    fn seed_rows(&self, input: Option<&str>, what: &str, at: &Span) -> Result<Vec<Map<String, Value>>, Diagnostic> {
        let call = input.and_then(crate::static_call::static_call);
        if let Some(crate::static_call::StaticCall::Ref(call)) = call {
            let package = call.package.as_deref().unwrap_or(&self.file.package);
            let seed = self.inventory.sql_files.iter().find(|f| f.kind == crate::FileKind::Seed && f.package == package && f.stem() == call.name);
            if let Some(seed) = seed {
                return Ok(csv_rows(&seed.text, false));
            }
        }
        Err(self.invalid(&format!("an input of {what} has no `rows`"), at).hint("only an input that names a seed may leave them out"))
    }
}

/// Text of a CSV with a header as rows; an empty cell is null for fixtures and text for seeds, as in dbt.
fn csv_rows(text: &str, empty_is_null: bool) -> Vec<Map<String, Value>> {
    let mut records = csv_records(text).into_iter();
    let Some(header) = records.next() else { return Vec::new() };
    let cell = |value: Option<String>| match value {
        Some(v) if v.is_empty() && empty_is_null => Value::Null,
        Some(v) => Value::String(v),
        None => Value::Null,
    };
    records
        .map(|record| {
            let mut cells = record.into_iter();
            header.iter().map(|name| (name.clone(), cell(cells.next()))).collect()
        })
        .collect()
}

fn csv_records(text: &str) -> Vec<Vec<String>> {
    let mut records = Vec::new();
    let (mut record, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if cell.is_empty() => quoted = true,
            ',' if !quoted => record.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                if !record.is_empty() || !cell.is_empty() {
                    record.push(std::mem::take(&mut cell));
                    records.push(std::mem::take(&mut record));
                }
            }
            other => cell.push(other),
        }
    }
    if !record.is_empty() || !cell.is_empty() {
        record.push(cell);
        records.push(record);
    }
    records
}

/// Some databases take a column's type from its first value: a row without nulls changes places with the first.
fn whole_row_first(rows: FixtureRows) -> FixtureRows {
    match rows {
        FixtureRows::Rows(mut rows) => {
            if let Some(at) = rows.iter().position(|r| r.values().all(|v| !v.is_null())) {
                rows.swap(0, at);
            }
            FixtureRows::Rows(rows)
        }
        sql @ FixtureRows::Sql(_) => sql,
    }
}

/// dbt's checksum: over Python's text of the test's parts.
fn checksum(test: &UnitTest) -> String {
    let fixture = |f: &Fixture| {
        let rows = match &f.rows {
            FixtureRows::Rows(rows) => python_text(&Value::Array(rows.iter().cloned().map(Value::Object).collect())),
            FixtureRows::Sql(text) => quoted(text),
        };
        let format = match f.format {
            FixtureFormat::Dict => "<UnitTestFormat.Dict: 'dict'>",
            FixtureFormat::Csv => "<UnitTestFormat.CSV: 'csv'>",
            FixtureFormat::Sql => "<UnitTestFormat.SQL: 'sql'>",
        };
        let file = f.file.as_deref().map_or_else(|| "None".to_owned(), quoted);
        (rows.clone(), format!("rows={rows}, format={format}, fixture={file}"))
    };
    let given: Vec<String> = test.given.iter().map(|g| format!("UnitTestInputFixture(input={}, {})", quoted(&g.input), fixture(&g.fixture).1)).collect();
    let versions = test.versions.as_ref().map_or_else(|| "None".to_owned(), |v| {
        let part = |key: &str| python_text(v.get(key).unwrap_or(&Value::Null));
        format!("UnitTestNodeVersions(include={}, exclude={})", part("include"), part("exclude"))
    });
    let overrides = test.overrides.as_ref().map_or_else(|| "None".to_owned(), |o| {
        let part = |m: &Map<String, Value>| python_text(&Value::Object(m.clone()));
        format!("UnitTestOverrides(macros={}, vars={}, env_vars={})", part(&o.macros), part(&o.vars), part(&o.env_vars))
    });
    let mut data = format!("{}-{versions}-[{}]-UnitTestOutputFixture({})-{overrides}", test.model, given.join(", "), fixture(&test.expect).1);
    for input in test.given.iter().filter(|g| g.fixture.file.is_some()) {
        let rows = match &input.fixture.rows {
            FixtureRows::Sql(text) => text.clone(),
            FixtureRows::Rows(_) => fixture(&input.fixture).0,
        };
        let _ = write!(data, "-{rows}");
    }
    Sha256::digest(data.as_bytes()).iter().fold(String::with_capacity(64), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_cells_may_be_quoted_and_empty_ones_are_null() {
        let rows = csv_rows("a,b\n1,\"x, \"\"y\"\"\"\n,2\n\n", true);
        assert_eq!(Value::from(rows.into_iter().map(Value::Object).collect::<Vec<_>>()), json!([{"a": "1", "b": "x, \"y\""}, {"a": null, "b": "2"}]));
    }

    #[test]
    fn a_row_without_nulls_comes_first() {
        let rows = vec![json!({"a": null}), json!({"a": 1})].into_iter().filter_map(|v| v.as_object().cloned()).collect();
        let FixtureRows::Rows(rows) = whole_row_first(FixtureRows::Rows(rows)) else { unreachable!() };
        assert_eq!(rows[0]["a"], 1);
    }
}
