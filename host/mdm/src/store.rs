//! The file itself: opened for moments only, under a lock file that every dvt process heeds.

use crate::fact::{ColumnFact, Fact, RelationFact};
use crate::schema::{MIGRATIONS, SCHEMA_VERSION};
use crate::{MdmError, rules_of, spool};
use arrow::array::{Array, ArrayRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use dvt_engine::{ConnectSpec, Connection, EMBEDDED_DRIVER, EngineError, ErrorKind, connect};
use dvt_project::{RelationName, TargetName};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a process waits for another one's moment.
const PATIENCE: Duration = Duration::from_secs(2);

/// Statements of which the rows are kept: the newest.
const READS: u32 = 10_000;

/// The memory in DVT home's `data` folder.
#[derive(Debug, Clone)]
pub struct Mdm {
    data: PathBuf,
}

/// What folding did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Folded {
    pub runs: usize,
    pub facts: usize,
}

/// What `debug` shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    pub version: i64,
    pub runs: u64,
    pub relations: u64,
    pub rules: u64,
    pub overrides: Vec<String>,
}

struct Open {
    connection: Box<dyn Connection>,
    _lock: File,
}

impl Mdm {
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self { data: data.into() }
    }

    pub fn data(&self) -> &Path {
        &self.data
    }

    pub fn path(&self) -> PathBuf {
        self.data.join(format!("mdm.{EMBEDDED_DRIVER}"))
    }

    /// Creates the file or brings it up to date.
    pub fn prepare(&self) -> Result<(), MdmError> {
        self.open().map(drop)
    }

    /// Replaces an adapter's rules by those of its sheet; overrides stay.
    pub fn set_rules(&self, sheets: &[(String, String)]) -> Result<(), MdmError> {
        let mut open = self.open()?;
        let mut sql = String::from("BEGIN;\n");
        for (adapter, sheet) in sheets {
            sql += &format!("DELETE FROM syntax_rules WHERE adapter = {};\n", text(adapter));
            for (kind, name, value) in rules_of(sheet) {
                sql += &format!("INSERT INTO syntax_rules VALUES ({}, {}, {}, {});\n", text(adapter), text(&kind), text(&name), text(&value));
            }
        }
        sql += "COMMIT;";
        self.execute(&mut open, &sql)
    }

    /// Folds the spools of all runs that are over in, and removes them.
    pub fn fold(&self) -> Result<Folded, MdmError> {
        if spool::finished(&self.data).is_empty() {
            return Ok(Folded::default());
        }
        let mut open = self.open()?;
        let mut folded = Folded::default();
        // Looked for again with the file in hand: another process may have folded them in meanwhile.
        for (path, facts) in spool::finished(&self.data) {
            let mut sql = String::from("BEGIN;\n");
            // A process killed after its COMMIT left the spool there: nothing is told twice.
            let invocation = text(&path.file_stem().unwrap_or_default().to_string_lossy());
            for table in ["runs", "nodes", "movements"] {
                sql += &format!("DELETE FROM {table} WHERE invocation = {invocation};\n");
            }
            for fact in &facts {
                sql += &insert(fact);
            }
            if facts.iter().any(|f| matches!(f, Fact::Read(_))) {
                sql += &format!("DELETE FROM reads WHERE read_at < (SELECT min(read_at) FROM (SELECT read_at FROM reads ORDER BY read_at DESC LIMIT {READS}));\n");
            }
            sql += "COMMIT;";
            self.execute(&mut open, &sql)?;
            folded.runs += 1;
            folded.facts += facts.len();
            std::fs::remove_file(&path)
                .map_err(|e| MdmError::Io { path: path.display().to_string(), message: e.to_string() })?;
        }
        Ok(folded)
    }

    /// The relations last seen at one endpoint.
    pub fn relations(&self, profile: &str, target: &TargetName, endpoint: &str) -> Result<BTreeMap<RelationName, RelationFact>, MdmError> {
        let mut open = self.open()?;
        let filter = format!("profile = {} AND target = {} AND endpoint = {}", text(profile), text(target.as_str()), text(endpoint));
        let mut out: BTreeMap<RelationName, RelationFact> = BTreeMap::new();
        let relations = format!("SELECT database_name, schema_name, identifier, est_rows, est_bytes, read_at FROM relations WHERE {filter}");
        for row in self.rows(&mut open, &relations)? {
            let [database, schema, identifier, rows, bytes, read_at] = row.as_slice() else { continue };
            let name = RelationName { database: database.clone(), schema: schema.clone(), identifier: identifier.clone().unwrap_or_default() };
            let number = |cell: &Option<String>| cell.as_ref().and_then(|n| n.parse().ok());
            let fact = RelationFact {
                profile: profile.to_owned(),
                target: target.to_string(),
                endpoint: endpoint.to_owned(),
                database: name.database.clone(),
                schema: name.schema.clone(),
                identifier: name.identifier.clone(),
                rows: number(rows),
                bytes: number(bytes),
                read_at: read_at.clone().unwrap_or_default(),
                columns: Vec::new(),
            };
            out.insert(name, fact);
        }
        let columns = format!(
            "SELECT database_name, schema_name, identifier, name, native, canonical, collation_class, refused FROM columns WHERE {filter} ORDER BY identifier, position"
        );
        for row in self.rows(&mut open, &columns)? {
            let [database, schema, identifier, column, native, canonical, collation, refused] = row.as_slice() else { continue };
            let name = RelationName { database: database.clone(), schema: schema.clone(), identifier: identifier.clone().unwrap_or_default() };
            if let Some(fact) = out.get_mut(&name) {
                fact.columns.push(ColumnFact {
                    name: column.clone().unwrap_or_default(),
                    native: native.clone().unwrap_or_default(),
                    canonical: canonical.clone(),
                    collation: collation.clone().unwrap_or_default(),
                    refused: refused.clone(),
                });
            }
        }
        Ok(out)
    }

    /// What the last run of a node moved, per source and relation: rows and bytes.
    pub fn last_movements(&self, unique_id: &str) -> Result<Vec<(String, String, u64, u64)>, MdmError> {
        let mut open = self.open()?;
        let sql = format!(
            "SELECT source, relation, moved_rows, moved_bytes FROM movements WHERE unique_id = {id} AND invocation = \
             (SELECT m.invocation FROM movements m JOIN runs r ON r.invocation = m.invocation WHERE m.unique_id = {id} \
              ORDER BY r.started_at DESC LIMIT 1)",
            id = text(unique_id)
        );
        let rows = self.rows(&mut open, &sql)?;
        let number = |cell: &Option<String>| cell.as_ref().and_then(|n| n.parse().ok()).unwrap_or_default();
        Ok(rows
            .into_iter()
            .filter_map(|row| match row.as_slice() {
                [source, relation, rows, bytes] => {
                    Some((source.clone()?, relation.clone().unwrap_or_default(), number(rows), number(bytes)))
                }
                _ => None,
            })
            .collect())
    }

    /// The rows that statements had when they last ran, by target, endpoint and digest of the statement.
    pub fn reads(&self, profile: &str) -> Result<BTreeMap<(String, String, String), u64>, MdmError> {
        let mut open = self.open()?;
        let sql = format!("SELECT target, endpoint, statement, found_rows FROM reads WHERE profile = {}", text(profile));
        let rows = self.rows(&mut open, &sql)?.into_iter().filter_map(|row| match row.as_slice() {
            [Some(target), Some(endpoint), Some(statement), Some(rows)] => {
                Some(((target.clone(), endpoint.clone(), statement.clone()), rows.parse().ok()?))
            }
            _ => None,
        });
        Ok(rows.collect())
    }

    pub fn summary(&self) -> Result<Summary, MdmError> {
        let mut open = self.open()?;
        let mut count = |table: &str| -> Result<u64, MdmError> {
            let rows = self.rows(&mut open, &format!("SELECT count(*) FROM {table}"))?;
            Ok(rows.first().and_then(|r| r.first()?.as_ref()?.parse().ok()).unwrap_or_default())
        };
        let (runs, relations, rules) = (count("runs")?, count("relations")?, count("syntax_rules")?);
        let overrides = self.rows(&mut open, "SELECT adapter || ' ' || kind || ' ' || name || ' = ' || value FROM overrides ORDER BY 1")?;
        let overrides = overrides.into_iter().filter_map(|r| r.into_iter().next().flatten()).collect();
        Ok(Summary { version: SCHEMA_VERSION, runs, relations, rules, overrides })
    }

    fn engine(&self, source: EngineError) -> MdmError {
        let path = self.path().display().to_string();
        if matches!(source.kind, ErrorKind::Connect | ErrorKind::Busy) { MdmError::Busy { path } } else { MdmError::Engine { path, source } }
    }

    fn execute(&self, open: &mut Open, sql: &str) -> Result<(), MdmError> {
        let outcome = open.connection.execute(sql);
        if outcome.is_err() {
            // An open transaction would keep the session from its next statement.
            let _ = open.connection.execute("ROLLBACK");
        }
        outcome.map(drop).map_err(|e| self.engine(e))
    }

    fn rows(&self, open: &mut Open, sql: &str) -> Result<Vec<Vec<Option<String>>>, MdmError> {
        let rows = open.connection.query(sql, None).map_err(|e| self.engine(e))?;
        let mut out = Vec::new();
        for batch in &rows.batches {
            for row in 0..batch.num_rows() {
                out.push(batch.columns().iter().map(|column| cell(column, row)).collect());
            }
        }
        Ok(out)
    }

    /// The file, current, for this process alone.
    fn open(&self) -> Result<Open, MdmError> {
        let failed = |path: &Path, e: &dyn std::fmt::Display| MdmError::Io { path: path.display().to_string(), message: e.to_string() };
        std::fs::create_dir_all(&self.data).map_err(|e| failed(&self.data, &e))?;
        let lock_path = self.data.join("mdm.lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path).map_err(|e| failed(&lock_path, &e))?;
        let since = Instant::now();
        while lock.try_lock().is_err() {
            if since.elapsed() > PATIENCE {
                return Err(MdmError::Busy { path: self.path().display().to_string() });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let options = BTreeMap::from([
            ("path".to_owned(), self.path().to_string_lossy().into_owned()),
            ("create".to_owned(), "true".to_owned()),
        ]);
        let spec = ConnectSpec { driver: EMBEDDED_DRIVER.to_owned(), options, application: "dvt".to_owned(), ..ConnectSpec::default() };
        let mut open = Open { connection: connect(&spec).map_err(|e| self.engine(e))?, _lock: lock };
        self.migrate(&mut open)?;
        Ok(open)
    }

    fn migrate(&self, open: &mut Open) -> Result<(), MdmError> {
        self.execute(open, "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT)")?;
        let found = self.rows(open, "SELECT max(version) FROM schema_version")?;
        let found: i64 = found.first().and_then(|r| r.first()?.as_ref()?.parse().ok()).unwrap_or_default();
        if found > SCHEMA_VERSION {
            return Err(MdmError::Newer { path: self.path().display().to_string(), found, known: SCHEMA_VERSION });
        }
        for (step, sql) in MIGRATIONS.iter().enumerate().skip(found as usize) {
            self.execute(open, &format!("BEGIN;{sql}INSERT INTO schema_version VALUES ({});COMMIT;", step + 1))?;
        }
        Ok(())
    }
}

fn cell(column: &ArrayRef, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    let options = FormatOptions::default();
    ArrayFormatter::try_new(column.as_ref(), &options).ok().map(|f| f.value(row).to_string())
}

fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''").replace('\0', ""))
}

fn optional(value: Option<&String>) -> String {
    value.map_or_else(|| "NULL".to_owned(), |v| text(v))
}

fn number(value: Option<u64>) -> String {
    value.map_or_else(|| "NULL".to_owned(), |v| i64::try_from(v).unwrap_or(i64::MAX).to_string())
}

fn insert(fact: &Fact) -> String {
    match fact {
        Fact::Run(r) => format!(
            "INSERT INTO runs VALUES ({}, {}, {}, {}, {}, {});\n",
            text(&r.invocation), text(&r.project), text(&r.command), text(&r.started_at), text(&r.ended_at), r.success
        ),
        Fact::Node(n) => format!(
            "INSERT INTO nodes VALUES ({}, {}, {}, {}, {}, {}, {:?});\n",
            text(&n.invocation), text(&n.unique_id), text(&n.path), text(&n.target), text(&n.status), number(n.rows), n.seconds
        ),
        Fact::Movement(m) => format!(
            "INSERT INTO movements VALUES ({}, {}, {}, {}, {}, {});\n",
            text(&m.invocation), text(&m.unique_id), text(&m.source), text(&m.relation), number(Some(m.rows)), number(Some(m.bytes))
        ),
        Fact::Read(r) => {
            let key = [text(&r.profile), text(&r.target), text(&r.endpoint), text(&r.statement)];
            let filter: Vec<String> = ["profile", "target", "endpoint", "statement"].iter().zip(&key).map(|(n, v)| format!("{n} = {v}")).collect();
            format!("DELETE FROM reads WHERE {};\nINSERT INTO reads VALUES ({}, {}, {});\n", filter.join(" AND "), key.join(", "), number(Some(r.rows)), text(&r.read_at))
        }
        Fact::Relation(r) => {
            let key = [text(&r.profile), text(&r.target), text(&r.endpoint), optional(r.database.as_ref()), optional(r.schema.as_ref()), text(&r.identifier)];
            let names = ["profile", "target", "endpoint", "database_name", "schema_name", "identifier"];
            let filter: Vec<String> = names.iter().zip(&key).map(|(n, v)| format!("{n} IS NOT DISTINCT FROM {v}")).collect();
            let (filter, key) = (filter.join(" AND "), key.join(", "));
            let mut sql = format!("DELETE FROM relations WHERE {filter};\nDELETE FROM columns WHERE {filter};\n");
            sql += &format!("INSERT INTO relations VALUES ({key}, {}, {}, {});\n", number(r.rows), number(r.bytes), text(&r.read_at));
            for (i, c) in r.columns.iter().enumerate() {
                sql += &format!(
                    "INSERT INTO columns VALUES ({key}, {}, {}, {}, {}, {}, {});\n",
                    i + 1, text(&c.name), text(&c.native), optional(c.canonical.as_ref()), text(&c.collation), optional(c.refused.as_ref())
                );
            }
            sql
        }
    }
}
